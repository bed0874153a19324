/* The master with all that goes wrong on a line: silence, damage, echoes of the past, babble.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mbus/test_line.h"

static void silent_meter_costs_its_timeouts_and_no_more(void **state)
{
	(void)state;
	struct line l;
	begin(&l);
	const struct mbus_timing *t = &l.request.timing;
	const ml_time start = l.now;
	read_meter(&l);
	for (int i = 0; i < 3; i++)
		expect_short(&l, 0x40, 5);
	expect_short(&l, 0x7B, 5);
	expect_failure(&l, METER_FRAME_TIMEOUT);
	assert_int_equal(l.step.length, 0);
	assert_int_equal(
		l.now - start, 4 * (mbus_line_time(BAUD, 5) + t->response) + 3 * t->request);
	begin(&l);
	by_number(&l);
	read_meter(&l);
	for (int i = 0; i < 3; i++)
		expect_select(&l);
	expect_failure(&l, METER_FRAME_TIMEOUT);
	assert_int_equal(l.step.tries, 3);
}

static void meter_that_ignores_reset_is_read(void **state)
{
	(void)state;
	struct line l;
	begin(&l);
	read_meter(&l);
	for (int i = 0; i < 3; i++)
		expect_short(&l, 0x40, 5);
	expect_short(&l, 0x7B, 5);
	answer(&l, make(5, 1, false));
	expect_telegram(&l, make(5, 1, false), 0, true);
}

static void repeated_request_keeps_its_count_bit(void **state)
{
	(void)state;
	struct line l;
	begin(&l);
	l.request.peer = (struct mbus_peer){.known = true, .fcb = false};
	read_meter(&l);
	expect_short(&l, 0x5B, 5);
	struct telegram bad = make(5, 1, false);
	bad.bytes[12] ^= 4;
	answer(&l, bad);
	const ml_time damaged = l.now;
	expect_short(&l, 0x5B, 5);
	/* It let late answers pass. */
	assert_true(l.now - damaged >= l.request.timing.collision);
	/* silence */
	expect_short(&l, 0x5B, 5);
	answer(&l, make(5, 1, false));
	expect_telegram(&l, make(5, 1, false), 0, true);
	assert_int_equal(l.step.tries, 3);
	assert_int_equal(l.master.tally.retries, 2);
	assert_int_equal(l.master.tally.damaged, 1);
	/* After success the bit toggles, and no reset is needed. */
	read_meter(&l);
	expect_short(&l, 0x7B, 5);
}

static void damaged_answers_are_told_with_their_bytes(void **state)
{
	(void)state;
	struct line l;
	begin(&l);
	l.request.peer.known = true;
	struct telegram bad = make(5, 1, false);
	bad.bytes[bad.length - 2] ^= 0x80;
	read_meter(&l);
	for (int i = 0; i < 3; i++) {
		expect_short(&l, 0x5B, 5);
		if (i < 2)
			answer(&l, bad);
	}
	expect_failure(&l, METER_FRAME_CHECKSUM);
	assert_int_equal(l.step.length, bad.length);
	assert_memory_equal(l.step.bytes, bad.bytes, bad.length);
	/* After an error the meter is initialized again. */
	read_meter(&l);
	expect_short(&l, 0x40, 5);
}

static void half_an_answer_is_malformed(void **state)
{
	(void)state;
	struct line l;
	begin(&l);
	l.request.peer.known = true;
	const struct telegram t = make(5, 1, false);
	read_meter(&l);
	for (int i = 0; i < 3; i++) {
		expect_short(&l, 0x5B, 5);
		hear(&l, t.bytes, t.length / 2);
	}
	expect_failure(&l, METER_FRAME_MALFORMED);
	assert_int_equal(l.step.length, t.length / 2);
}

static void late_answer_of_another_meter_is_not_taken(void **state)
{
	(void)state;
	struct line l;
	begin(&l);
	read_meter(&l);
	expect_short(&l, 0x40, 5);
	answer(&l, make(4, 9, false)); /* while an E5h was due */
	ack(&l);
	expect_short(&l, 0x7B, 5);
	answer(&l, make(4, 9, false));
	answer(&l, make(5, 1, false));
	expect_telegram(&l, make(5, 1, false), 0, true);
	assert_int_equal(l.master.tally.retries, 0);
	assert_int_equal(l.master.tally.stale, 2);
}

static void another_meter_is_told(void **state)
{
	(void)state;
	struct line l;
	begin(&l);
	by_number(&l);
	l.request.address[0] = 0x79;
	l.request.timing.readout_retries = 0;
	read_meter(&l);
	expect_select(&l);
	ack(&l);
	expect_short(&l, 0x7B, 253);
	answer(&l, make(5, 1, false));
	expect_failure(&l, METER_FRAME_WRONG_METER);
	assert_int_equal(l.step.length, make(5, 1, false).length);
}

static void late_acknowledgement_does_no_harm(void **state)
{
	(void)state;
	struct line l;
	begin(&l);
	by_number(&l);
	read_meter(&l);
	expect_select(&l);
	expect_select(&l); /* the first E5h comes only now */
	ack(&l);
	ack(&l);
	expect_short(&l, 0x7B, 253);
	answer(&l, make(5, 1, false));
	expect_telegram(&l, make(5, 1, false), 0, true);
}

static void colliding_selection_is_undone_first(void **state)
{
	(void)state;
	struct line l;
	begin(&l);
	by_number(&l);
	read_meter(&l);
	for (int i = 0; i < 2; i++) {
		expect_select(&l);
		hear(&l, (const uint8_t[]){0xA1, 0x05}, 2);
		expect_short(&l, 0x40, 253);
		if (i == 0)
			ack(&l);
	}
	expect_select(&l);
	hear(&l, (const uint8_t[]){0x21}, 1);
	expect_failure(&l, METER_FRAME_COLLISION);
}

static void lost_selection_is_made_again(void **state)
{
	(void)state;
	struct line l;
	begin(&l);
	by_number(&l);
	read_meter(&l);
	expect_select(&l);
	ack(&l);
	expect_short(&l, 0x7B, 253);
	expect_short(&l, 0x7B, 253);
	expect_select(&l);
	ack(&l);
	expect_short(&l, 0x7B, 253);
	answer(&l, make(5, 1, false));
	expect_telegram(&l, make(5, 1, false), 0, true);
}

static void repeated_telegram_is_asked_past(void **state)
{
	(void)state;
	struct line l;
	begin(&l);
	l.request.peer = (struct mbus_peer){.known = true, .fcb = true};
	read_meter(&l);
	expect_short(&l, 0x7B, 5);
	answer(&l, make(5, 1, true));
	expect_telegram(&l, make(5, 1, true), 0, false);
	expect_short(&l, 0x5B, 5);
	answer(&l, make(5, 1, true));
	expect_short(&l, 0x5B, 5);
	answer(&l, make(5, 2, true));
	expect_telegram(&l, make(5, 2, true), 1, false);
	for (int i = 0; i < 3; i++) {
		expect_short(&l, 0x7B, 5);
		answer(&l, make(5, 2, true));
	}
	expect_failure(&l, METER_FRAME_REPEATED);
	assert_int_equal(l.step.telegram, 2);
}

static void meter_without_data_refuses(void **state)
{
	(void)state;
	struct line l;
	begin(&l);
	l.request.peer.known = true;
	read_meter(&l);
	for (int i = 0; i < 3; i++) {
		expect_short(&l, 0x5B, 5);
		ack(&l);
	}
	expect_failure(&l, METER_FRAME_REFUSED);
}

static void babbling_line_ends(void **state)
{
	(void)state;
	struct line l;
	begin(&l);
	read_meter(&l);
	const ml_time start = l.now;
	struct mbus_step step = {0};
	uint8_t byte = 0;
	do {
		while (mbus_master_next(&l.master, l.now, &step) && step.kind == MBUS_STEP_SEND)
			;
		hear(&l, &byte, 1);
		byte = (uint8_t)(byte * 5 + 0x68);
		mbus_master_due(&l.master, l.now);
		assert_true(l.now - start < 60 * ML_SEC);
	} while (!mbus_master_idle(&l.master));
	assert_int_equal(step.kind, MBUS_STEP_FAILED);
	/* And the next one can be read once it is over. */
	l.request.primary = 6;
	read_meter(&l);
	expect_short(&l, 0x40, 6);
	ack(&l);
	expect_short(&l, 0x7B, 6);
	answer(&l, make(6, 1, false));
	expect_telegram(&l, make(6, 1, false), 0, true);
}

static void readout_can_be_given_up_at_any_moment(void **state)
{
	(void)state;
	struct line l;
	for (int moment = 0; moment < 5; moment++) {
		begin(&l);
		read_meter(&l);
		if (moment > 0)
			expect_short(&l, 0x40, 5);
		if (moment > 1)
			ack(&l);
		if (moment > 2)
			expect_short(&l, 0x7B, 5);
		if (moment > 3)
			answer(&l, make(5, 1, true));
		mbus_master_cancel(&l.master, METER_FRAME_NO_BUS);
		/* A telegram that is there is not lost. */
		if (moment > 3)
			expect_telegram(&l, make(5, 1, true), 0, false);
		expect_failure(&l, METER_FRAME_NO_BUS);
		assert_int_equal(l.step.length, 0);
	}
}

static void step_may_be_left_for_later(void **state)
{
	(void)state;
	struct line l;
	begin(&l);
	read_meter(&l);
	expect_short(&l, 0x40, 5);
	ack(&l);
	expect_short(&l, 0x7B, 5);
	answer(&l, make(5, 1, true));
	l.now += ML_HOUR; /* no room downstream */
	assert_int_equal(mbus_master_when(&l.master), ML_NEVER);
	expect_telegram(&l, make(5, 1, true), 0, false);
	expect_short(&l, 0x5B, 5);
	answer(&l, make(5, 2, false));
	expect_telegram(&l, make(5, 2, false), 1, true);
}

static void broken(struct line *l, const uint8_t *bytes, size_t length)
{
	l->now += mbus_line_time(l->request.baud, length);
	mbus_master_damaged(&l->master, bytes, length, l->now);
}

static void telegram_with_a_framing_error_is_not_taken(void **state)
{
	(void)state;
	struct line l;
	const struct telegram t = make(5, 1, false);
	begin(&l);
	l.request.peer.known = true;
	l.request.timing.readout_retries = 1;
	read_meter(&l);
	/* Its checksum fits all the same. */
	expect_short(&l, 0x5B, 5);
	hear(&l, t.bytes, 14);
	broken(&l, t.bytes + 14, 1);
	hear(&l, t.bytes + 15, t.length - 15);
	const ml_time heard = l.now;
	expect_short(&l, 0x5B, 5);
	assert_true(l.now - heard >= l.request.timing.collision);
	hear(&l, t.bytes, 14);
	broken(&l, t.bytes + 14, t.length - 14);
	expect_failure(&l, METER_FRAME_COLLISION);
	assert_int_equal(l.step.length, t.length);
	assert_memory_equal(l.step.bytes, t.bytes, t.length);
	assert_int_equal(l.master.tally.broken, 1 + t.length - 14);
}

static void errors_before_an_answer_are_passed_over(void **state)
{
	(void)state;
	struct line l;
	begin(&l);
	read_meter(&l);
	expect_short(&l, 0x40, 5);
	broken(&l, (const uint8_t[]){0x00}, 1); /* a break */
	ack(&l);
	expect_short(&l, 0x7B, 5);
	broken(&l, (const uint8_t[]){0x68, 0x68}, 2);
	answer(&l, make(5, 1, false));
	expect_telegram(&l, make(5, 1, false), 0, true);
	assert_int_equal(l.master.tally.retries, 0);
}

static void broken_acknowledgement_is_a_collision(void **state)
{
	(void)state;
	struct line l;
	begin(&l);
	by_number(&l);
	l.request.timing.selection_retries = 0;
	read_meter(&l);
	expect_select(&l);
	broken(&l, (const uint8_t[]){0xE5}, 1);
	expect_failure(&l, METER_FRAME_COLLISION);
}

static void damaged_echo_holds_no_acknowledgement(void **state)
{
	(void)state;
	struct line l;
	uint8_t frame[MBUS_FRAME_MAX];
	begin(&l);
	by_number(&l);
	l.request.address[2] = 0xE5; /* a number with what looks like an acknowledgement */
	l.request.address[3] = 0x12;
	l.request.timing.selection_retries = 0;
	read_meter(&l);
	const struct mbus_step *step = next(&l);
	assert_int_equal(step->kind, MBUS_STEP_SEND);
	const size_t length = step->length;
	memcpy(frame, step->bytes, length);
	frame[length - 2] ^= 0x10;
	hear(&l, frame, length - 2);
	broken(&l, frame + length - 2, 1);
	hear(&l, frame + length - 1, 1);
	assert_int_equal(l.master.tally.echoes, 1);
	expect_failure(&l, METER_FRAME_TIMEOUT);
}

static void silent_meter_that_is_known_for_it_is_asked_once(void **state)
{
	(void)state;
	struct line l;
	begin(&l);
	l.request.quick = true;
	l.request.timing.readout_retries = 0;
	read_meter(&l);
	expect_short(&l, 0x40, 5);
	expect_failure(&l, METER_FRAME_TIMEOUT);
	assert_int_equal(l.step.tries, 1);
}

static void times_follow_from_the_baud_rate(void **state)
{
	(void)state;
	struct mbus_timing t = {0};
	mbus_timing_derive(&t, 2400);
	assert_int_equal(t.response, (330 + 11) * ML_SEC / 2400 + 50 * ML_MSEC);
	assert_int_equal(t.multi_response, t.response);
	assert_int_equal(t.request, 11 * ML_SEC / 2400);
	t = (struct mbus_timing){.response = 7, .request = 9, .latency = ML_SEC};
	mbus_timing_derive(&t, 300);
	assert_int_equal(t.response, 7);
	assert_int_equal(t.request, 9);
	assert_int_equal(t.collision, 1100 * ML_MSEC + 50 * ML_MSEC + ML_SEC);
	assert_int_equal(mbus_line_time(2400, 240), 1100 * ML_MSEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silent_meter_costs_its_timeouts_and_no_more),
		cmocka_unit_test(meter_that_ignores_reset_is_read),
		cmocka_unit_test(repeated_request_keeps_its_count_bit),
		cmocka_unit_test(damaged_answers_are_told_with_their_bytes),
		cmocka_unit_test(half_an_answer_is_malformed),
		cmocka_unit_test(late_answer_of_another_meter_is_not_taken),
		cmocka_unit_test(another_meter_is_told),
		cmocka_unit_test(late_acknowledgement_does_no_harm),
		cmocka_unit_test(colliding_selection_is_undone_first),
		cmocka_unit_test(lost_selection_is_made_again),
		cmocka_unit_test(repeated_telegram_is_asked_past),
		cmocka_unit_test(meter_without_data_refuses),
		cmocka_unit_test(babbling_line_ends),
		cmocka_unit_test(readout_can_be_given_up_at_any_moment),
		cmocka_unit_test(step_may_be_left_for_later),
		cmocka_unit_test(telegram_with_a_framing_error_is_not_taken),
		cmocka_unit_test(errors_before_an_answer_are_passed_over),
		cmocka_unit_test(broken_acknowledgement_is_a_collision),
		cmocka_unit_test(damaged_echo_holds_no_acknowledgement),
		cmocka_unit_test(silent_meter_that_is_known_for_it_is_asked_once),
		cmocka_unit_test(times_follow_from_the_baud_rate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
