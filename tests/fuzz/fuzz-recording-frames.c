/* What comes from both sides of a line: no byte is lost or told twice, neither by a tap nor by what
 * makes frames and words of it. SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sim/recording_frames.h"
#include "sim/tap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct count {
	struct sim_frames frames;
	size_t heard, items;
	ml_time last;
	const uint8_t *expected; /* the next byte that a tap is to tell */
};

static void on_item(void *user, const struct sim_item *item)
{
	struct count *count = user;
	char text[SIM_ITEM_TEXT_MAX];
	const size_t length = sim_item_text(item, text);
	if (length == 0 || length >= SIM_ITEM_TEXT_MAX || strlen(text) != length)
		abort();
	if (item->bad > item->length || !sim_item_name(item))
		abort();
	count->items += item->length;
}

static void on_heard(
	void *user, ml_time time, bool master, bool damaged, const uint8_t *bytes, size_t length)
{
	struct count *count = user;
	struct mbus_recorded event = {.time = time,
		.kind = master ? MBUS_RECORDED_MASTER : MBUS_RECORDED_LINE,
		.length = length};
	if (length == 0 || length > MBUS_RECORDED_BYTES_MAX || time < count->last ||
		memcmp(bytes, count->expected, length) != 0)
		abort();
	count->expected += length;
	count->last = time;
	count->heard += length;
	memcpy(event.bytes, bytes, length);
	memset(event.bad, damaged, length * sizeof event.bad[0]);
	sim_frames_event(&count->frames, &event);
}

/* The input: a byte for how long it is quiet and whether what comes is damaged, one for its length,
 * and that. */
static void through_a_tap(struct count *count, const uint8_t *data, size_t size)
{
	static uint8_t line[1 << 16];
	struct sim_tap tap;
	ml_time now = 0;
	size_t total = 0;
	sim_tap_init(&tap, count, on_heard);
	count->expected = line;
	while (size >= 2 && total < sizeof line - 256) {
		const size_t length = data[1] < size - 2 ? data[1] : size - 2;
		now += (ml_time)(data[0] & 0x7F) * 10 * ML_MSEC;
		memcpy(line + total, data + 2, length);
		sim_tap_bytes(&tap, now, data[0] & 0x80, line + total, length);
		total += length;
		data += 2 + length;
		size -= 2 + length;
	}
	sim_tap_flush(&tap);
	if (count->heard != total)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct count *count = calloc(1, sizeof *count);
	if (!count)
		return 0;
	sim_frames_init(&count->frames, count, on_item);
	through_a_tap(count, data, size);
	sim_frames_end(&count->frames);
	if (count->items != count->heard)
		abort();
	free(count);
	return 0;
}
