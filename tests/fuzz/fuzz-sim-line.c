/* Virtual meters with a hostile master: whatever is sent, what comes back is bounded, and from one
 * meter alone it is a good frame.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Input: pieces of how long to wait (1 byte), how many bytes follow (1), and the bytes.
 */
#include <stdint.h>
#include <stdlib.h>

#include "mbus/link.h"
#include "sim/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drain(struct sim_line *line, ml_time *now)
{
	uint8_t answer[MBUS_FRAME_MAX];
	size_t length = 0;
	while (sim_line_when(line) != ML_NEVER) {
		const uint8_t *bytes = NULL;
		if (sim_line_when(line) > *now)
			*now = sim_line_when(line);
		const size_t n = sim_line_take(line, *now, *now + 1775000000 * ML_SEC, &bytes);
		for (size_t i = 0; i < n; i++) {
			if (length == sizeof answer)
				abort();
			answer[length++] = bytes[i];
		}
	}
	struct mbus_frame frame;
	if (length > 0 && mbus_frame_check(answer, length, &frame, NULL) != MBUS_CHECK_OK)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sim_options options = {
		.meters = 1, .seed = size, .baud = 2400, .fast = size % 2};
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
		drain(line, &now);
	}
	sim_line_free(line);
	return 0;
}
