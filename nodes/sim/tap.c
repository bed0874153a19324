/* Who said what, on a line where both sides are heard.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/tap.h"

#include <string.h>

#define SILENCE (500 * ML_MSEC) /* the rest of a frame does not come so late */

enum {
	START_SHORT = 0x10,
	START_LONG = 0x68,
	SHORT_REST = 3, /* after the control field */
	FROM_MASTER = 0x40,
};

enum verdict { UNKNOWN, LINE, MASTER, NOISE };

void sim_tap_init(struct sim_tap *tap, void *user,
	void (*heard)(void *user, ml_time time, bool master, bool damaged, const uint8_t *bytes,
		size_t length))
{
	memset(tap, 0, sizeof *tap);
	tap->user = user;
	tap->heard = heard;
}

/* By the first bytes of what may be a frame; *rest: how many more belong to it. */
static enum verdict judge(const uint8_t *head, size_t length, size_t *rest)
{
	*rest = 0;
	if (head[0] == START_SHORT) {
		*rest = SHORT_REST;
		return length < 2 ? UNKNOWN : head[1] & FROM_MASTER ? MASTER : LINE;
	}
	if (head[0] != START_LONG)
		return LINE; /* E5h, or nothing that a master says */
	if ((length >= 3 && (head[1] != head[2] || head[1] < 3)) ||
		(length >= 4 && head[3] != START_LONG))
		return NOISE;
	if (length < SIM_TAP_HEAD)
		return UNKNOWN;
	/* L bytes, the first of which is the control field, and checksum and stop byte. */
	*rest = (size_t)head[1] - 1 + 2;
	return head[4] & FROM_MASTER ? MASTER : LINE;
}

static void tell_run(struct sim_tap *tap)
{
	if (tap->run_length > 0)
		tap->heard(tap->user, tap->run_time, tap->run_master, tap->run_damaged, tap->run,
			tap->run_length);
	tap->run_length = 0;
}

/* Bytes that came together are told together. */
static void add(struct sim_tap *tap, ml_time time, bool master, bool damaged, const uint8_t *bytes,
	size_t length)
{
	while (length > 0) {
		if (tap->run_length == SIM_TAP_RUN || tap->run_time != time ||
			tap->run_master != master || tap->run_damaged != damaged)
			tell_run(tap);
		const size_t room = SIM_TAP_RUN - tap->run_length;
		const size_t part = length < room ? length : room;
		tap->run_time = time;
		tap->run_master = master;
		tap->run_damaged = damaged;
		memcpy(tap->run + tap->run_length, bytes, part);
		tap->run_length += part;
		bytes += part;
		length -= part;
	}
}

/* Tells the first `count` bytes that were held back. */
static void tell_head(struct sim_tap *tap, bool master, size_t count)
{
	for (size_t at = 0; at < count; at++)
		add(tap, tap->head_time, master, tap->head_damaged[at], tap->head + at, 1);
	tap->head_length -= count;
	memmove(tap->head, tap->head + count, tap->head_length);
	memmove(tap->head_damaged, tap->head_damaged + count,
		tap->head_length * sizeof *tap->head_damaged);
}

void sim_tap_flush(struct sim_tap *tap)
{
	tell_head(tap, false, tap->head_length);
	tell_run(tap);
	tap->rest = 0;
}

/* Tells what is known of the bytes held back. */
static void look(struct sim_tap *tap)
{
	while (tap->head_length > 0 && tap->rest == 0) {
		size_t rest = 0;
		const enum verdict verdict = judge(tap->head, tap->head_length, &rest);
		if (verdict == UNKNOWN)
			return;
		/* Of noise only its first byte is known to be none of a frame. */
		const bool whole = verdict != NOISE && rest > 0;
		tap->master = verdict == MASTER;
		tell_head(tap, tap->master, whole ? tap->head_length : 1);
		tap->rest = rest;
	}
}

void sim_tap_bytes(
	struct sim_tap *tap, ml_time time, bool damaged, const uint8_t *bytes, size_t length)
{
	if (time > tap->last + SILENCE)
		sim_tap_flush(tap);
	tap->last = time;
	while (length > 0) {
		if (tap->rest > 0) {
			const size_t part = length < tap->rest ? length : tap->rest;
			add(tap, time, tap->master, damaged, bytes, part);
			tap->rest -= part;
			bytes += part;
			length -= part;
			continue;
		}
		if (tap->head_length == 0)
			tap->head_time = time;
		tap->head[tap->head_length] = *bytes++;
		tap->head_damaged[tap->head_length++] = damaged;
		length--;
		look(tap);
	}
	tell_run(tap);
}
