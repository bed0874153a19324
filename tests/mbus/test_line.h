/* A line with the test at its other end: the test plays the meters, byte by byte, and the clock.
 * SPDX-License-Identifier: Apache-2.0
 *
 * To be included after cmocka.h.
 */
#ifndef TESTS_MBUS_TEST_LINE_H
#define TESTS_MBUS_TEST_LINE_H

#include <string.h>

#include "mbus/master.h"

enum { BAUD = 2400 };

/* A line with the test at its other end. */
struct line {
	struct mbus_master master;
	struct mbus_request request;
	struct mbus_step step; /* the last one */
	ml_time now;
	bool echo;
	bool slowly; /* bytes come one by one */
};

static inline void begin(struct line *l)
{
	*l = (struct line){.now = 1000 * ML_SEC};
	mbus_master_init(&l->master);
	l->request = (struct mbus_request){
		.primary = 5,
		.baud = BAUD,
		.telegrams = 10,
		.timing = {.readout_retries = 2, .selection_retries = 2, .multi_retries = 2},
	};
	mbus_timing_derive(&l->request.timing, BAUD);
}

static inline void by_number(struct line *l)
{
	static const uint8_t address[] = {0x78, 0x56, 0x34, 0x12, 0xFF, 0xFF, 0xFF, 0xFF};
	l->request.secondary = true;
	memcpy(l->request.address, address, 8);
}

static inline void read_meter(struct line *l)
{
	assert_true(mbus_master_idle(&l->master));
	mbus_master_read(&l->master, &l->request, l->now);
}

/* Lets time go on until there is a step. */
static inline const struct mbus_step *next(struct line *l)
{
	for (int i = 0; i < 1000; i++) {
		if (mbus_master_next(&l->master, l->now, &l->step))
			return &l->step;
		const ml_time when = mbus_master_when(&l->master);
		assert_true(when != ML_NEVER);
		if (when > l->now)
			l->now = when;
		mbus_master_due(&l->master, l->now);
	}
	fail_msg("the master waits for nothing");
	return NULL;
}

static inline void hear(struct line *l, const uint8_t *bytes, size_t length)
{
	if (!l->slowly) {
		l->now += mbus_line_time(l->request.baud, length);
		mbus_master_received(&l->master, bytes, length, l->now);
		return;
	}
	for (size_t i = 0; i < length; i++) {
		l->now += mbus_line_time(l->request.baud, 1);
		mbus_master_received(&l->master, bytes + i, 1, l->now);
	}
}

static inline void expect_bytes(struct line *l, const uint8_t *bytes, size_t length)
{
	const struct mbus_step *step = next(l);
	assert_int_equal(step->kind, MBUS_STEP_SEND);
	assert_int_equal(step->length, length);
	assert_memory_equal(step->bytes, bytes, length);
	l->now += mbus_line_time(l->request.baud, length);
	if (l->echo)
		mbus_master_received(&l->master, bytes, length, l->now);
	mbus_master_sent(&l->master, l->now);
	l->now += mbus_line_time(l->request.baud, 1);
}

static inline void expect_short(struct line *l, uint8_t control, uint8_t address)
{
	uint8_t frame[MBUS_FRAME_MAX];
	expect_bytes(l, frame, mbus_build_short(frame, control, address));
}

static inline void expect_select(struct line *l)
{
	uint8_t frame[MBUS_FRAME_MAX];
	expect_bytes(l, frame, mbus_build_select(frame, l->request.address, NULL));
}

static inline void ack(struct line *l)
{
	hear(l, (const uint8_t[]){0xE5}, 1);
}

struct telegram {
	uint8_t bytes[MBUS_FRAME_MAX];
	size_t length;
};

/* A telegram of the meter 12345678 at an address, told apart by a value. */
static inline struct telegram make(uint8_t address, uint8_t value, bool more)
{
	uint8_t body[] = {0x08, address, 0x72, 0x78, 0x56, 0x34, 0x12, 0x24, 0x40, 0x01, 0x07,
		value, 0x00, 0x00, 0x00, 0x04, 0x13, value, 0x00, 0x00, 0x00, 0x1F};
	struct telegram t;
	t.length = mbus_build_long(
		t.bytes, body[0], body[1], body[2], body + 3, sizeof body - 3 - (more ? 0 : 1));
	return t;
}

static inline void answer(struct line *l, struct telegram t)
{
	hear(l, t.bytes, t.length);
}

static inline void expect_telegram(struct line *l, struct telegram t, unsigned number, bool last)
{
	const struct mbus_step *step = next(l);
	assert_int_equal(step->kind, MBUS_STEP_TELEGRAM);
	assert_int_equal(step->length, t.length);
	assert_memory_equal(step->bytes, t.bytes, t.length);
	assert_int_equal(step->telegram, number);
	assert_int_equal(step->last, last);
	if (last) {
		assert_true(mbus_master_idle(&l->master));
		l->request.peer = mbus_master_peer(&l->master);
	}
}

static inline void expect_failure(struct line *l, enum meter_frame_result result)
{
	const struct mbus_step *step = next(l);
	assert_int_equal(step->kind, MBUS_STEP_FAILED);
	assert_int_equal(step->result, result);
	assert_true(step->last);
	assert_true(mbus_master_idle(&l->master));
	assert_false(mbus_master_peer(&l->master).known);
	l->request.peer = mbus_master_peer(&l->master);
}

#endif
