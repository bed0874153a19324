/* Virtual meters with a hostile master: whatever is sent, what comes back is bounded, and from one
 * meter alone it is good frames.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Input: pieces of how long to wait (1 byte), how many bytes follow (1), and the bytes. What waits
 * an odd time lets the answers come out first. The length chooses the bus.
 */
#include <stdint.h>
#include <stdlib.h>

#include "mbus/frame.h"
#include "sim/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* What comes until the line is silent: good frames and nothing between, where one meter alone
 * speaks. */
static void drain(struct sim_line *line, ml_time *now, bool alone)
{
	struct mbus_parser parser;
	mbus_parser_init(&parser);
	/* It may have been told another rate. */
	alone = alone && sim_line_meter(line, 0)->baud == 2400;
	size_t length = 0;
	while (sim_line_when(line) != ML_NEVER) {
		const uint8_t *bytes = NULL;
		bool damaged = false;
		if (sim_line_when(line) > *now)
			*now = sim_line_when(line);
		size_t n =
			sim_line_take_run(line, *now, *now + 1775000000 * ML_SEC, &bytes, &damaged);
		require((length += n) < 100000);
		require(!alone || !damaged);
		while (alone && n > 0) {
			struct mbus_frame frame;
			const size_t used = mbus_parser_feed(&parser, bytes, n, &frame);
			bytes += used;
			n -= used;
		}
	}
	require(!alone || (parser.junk == 0 && !mbus_parser_pending(&parser)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const bool alone = size % 8 < 4;
	const struct sim_options options = {.meters = alone ? 1 : 5,
		.seed = size,
		.baud = 2400,
		.odd_baud = size % 16 < 8 ? 0 : 300,
		.gap = (unsigned)(size % 3),
		.echo = !alone && size % 32 < 16,
		.fast = size % 2};
	struct sim_line *line = sim_line_new(&options);
	if (!line)
		return 0;
	ml_time now = 0;
	for (size_t at = 0; at + 2 < size;) {
		const ml_time wait = data[at] * ML_MSEC;
		size_t length = data[at + 1];
		at += 2;
		length = length < size - at ? length : size - at;
		sim_line_received(line, data + at, length, now);
		at += length;
		now += wait;
		if (alone || wait % (2 * ML_MSEC) != 0)
			drain(line, &now, alone);
	}
	drain(line, &now, alone);
	sim_line_free(line);
	return 0;
}
