/* The master as a state machine: what it sends, when, and what it makes of what it hears.
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

static void first_contact_resets_and_the_count_bit_toggles(void **state)
{
	(void)state;
	struct line l;
	begin(&l);
	read_meter(&l);
	expect_short(&l, 0x40, 5);
	ack(&l);
	for (unsigned i = 0; i < 5; i++) {
		if (i > 0)
			read_meter(&l);
		expect_short(&l, i % 2 == 0 ? 0x7B : 0x5B, 5);
		answer(&l, make(5, (uint8_t)i, false));
		expect_telegram(&l, make(5, (uint8_t)i, false), 0, true);
		assert_int_equal(l.step.tries, 1);
	}
	assert_int_equal(l.master.tally.requests, 6);
	assert_int_equal(l.master.tally.retries, 0);
	assert_int_equal(l.master.tally.noise, 0);
}

static void selection_comes_before_each_secondary_readout(void **state)
{
	(void)state;
	struct line l;
	begin(&l);
	by_number(&l);
	for (unsigned i = 0; i < 2; i++) {
		read_meter(&l);
		expect_select(&l);
		ack(&l);
		/* A selection clears the bit. */
		expect_short(&l, 0x7B, 253);
		answer(&l, make(17, 1, false));
		expect_telegram(&l, make(17, 1, false), 0, true);
	}
}

static void all_telegrams_of_a_meter_are_read(void **state)
{
	(void)state;
	struct line l;
	begin(&l);
	read_meter(&l);
	expect_short(&l, 0x40, 5);
	ack(&l);
	for (unsigned i = 0; i < 4; i++) {
		expect_short(&l, i % 2 == 0 ? 0x7B : 0x5B, 5);
		answer(&l, make(5, (uint8_t)i, i < 3));
		expect_telegram(&l, make(5, (uint8_t)i, i < 3), i, i == 3);
		assert_false(l.step.limited);
	}
	/* The next readout is to begin with the first one again. */
	read_meter(&l);
	expect_short(&l, 0x40, 5);
}

static void limit_of_telegrams_holds(void **state)
{
	(void)state;
	struct line l;
	for (unsigned limit = 1; limit < 4; limit++) {
		begin(&l);
		l.request.telegrams = limit;
		by_number(&l);
		read_meter(&l);
		expect_select(&l);
		ack(&l);
		for (unsigned i = 0; i < limit; i++) {
			expect_short(&l, i % 2 == 0 ? 0x7B : 0x5B, 253);
			answer(&l, make(5, (uint8_t)i, true));
			expect_telegram(&l, make(5, (uint8_t)i, true), i, i + 1 == limit);
			assert_int_equal(l.step.limited, i + 1 == limit);
		}
	}
}

static void echo_and_single_bytes_change_nothing(void **state)
{
	(void)state;
	for (int way = 0; way < 4; way++) {
		struct line l;
		begin(&l);
		l.echo = way & 1;
		l.slowly = way & 2;
		by_number(&l);
		read_meter(&l);
		expect_select(&l);
		ack(&l);
		expect_short(&l, 0x7B, 253);
		answer(&l, make(9, 1, true));
		expect_telegram(&l, make(9, 1, true), 0, false);
		expect_short(&l, 0x5B, 253);
		answer(&l, make(9, 2, false));
		expect_telegram(&l, make(9, 2, false), 1, true);
		assert_int_equal(l.master.tally.retries, 0);
		assert_int_equal(l.master.tally.noise, 0);
		assert_int_equal(l.master.tally.echoes, l.echo ? 3 : 0);
	}
}

static void noise_before_an_answer_is_passed_over(void **state)
{
	(void)state;
	static const uint8_t noises[][3] = {
		{0x00}, {0xFF, 0xFF, 0xFF}, {0x68}, {0x68, 0x68}, {0x10}, {0x16, 0xE5}};
	static const size_t lengths[] = {1, 3, 1, 2, 1, 2};
	for (size_t n = 0; n < sizeof lengths / sizeof *lengths; n++) {
		struct line l;
		begin(&l);
		l.slowly = n % 2;
		read_meter(&l);
		expect_short(&l, 0x40, 5);
		ack(&l);
		expect_short(&l, 0x7B, 5);
		hear(&l, noises[n], lengths[n]);
		answer(&l, make(5, 1, false));
		expect_telegram(&l, make(5, 1, false), 0, true);
		assert_int_equal(l.master.tally.retries, 0);
		assert_int_equal(l.master.tally.noise, lengths[n]);
	}
}

static void expect_command(struct line *l, uint8_t control, uint8_t address)
{
	uint8_t frame[MBUS_FRAME_MAX];
	expect_bytes(l, frame,
		mbus_build_long(frame, control, address, l->request.command_ci, l->request.command,
			l->request.command_length));
}

static void application_is_reset_before_the_readout(void **state)
{
	(void)state;
	struct line l;
	begin(&l);
	l.request.has_command = true;
	l.request.command_ci = 0x50;
	l.request.command[0] = 0x10;
	l.request.command_length = 1;
	read_meter(&l);
	expect_short(&l, 0x40, 5);
	ack(&l);
	expect_command(&l, 0x73, 5);
	expect_command(&l, 0x73, 5); /* again with the same count bit */
	ack(&l);
	expect_short(&l, 0x5B, 5);
	answer(&l, make(5, 1, false));
	expect_telegram(&l, make(5, 1, false), 0, true);
	/* The next one begins with it. */
	read_meter(&l);
	expect_command(&l, 0x73, 5);
	ack(&l);
	expect_short(&l, 0x5B, 5);
	answer(&l, make(5, 2, false));
	expect_telegram(&l, make(5, 2, false), 0, true);
	/* By number it comes after the selection. */
	by_number(&l);
	read_meter(&l);
	expect_select(&l);
	ack(&l);
	expect_command(&l, 0x73, 253);
	ack(&l);
	expect_short(&l, 0x5B, 253);
	answer(&l, make(5, 3, false));
	expect_telegram(&l, make(5, 3, false), 0, true);
}

static void meter_that_knows_no_application_reset(void **state)
{
	(void)state;
	for (int optional = 0; optional < 2; optional++) {
		struct line l;
		begin(&l);
		l.request.has_command = true;
		l.request.command_optional = optional;
		l.request.command_ci = 0x50;
		read_meter(&l);
		expect_short(&l, 0x40, 5);
		ack(&l);
		for (int i = 0; i < 3; i++)
			expect_command(&l, 0x73, 5);
		if (!optional) {
			expect_failure(&l, METER_FRAME_TIMEOUT);
			continue;
		}
		expect_short(&l, 0x7B, 5);
		answer(&l, make(5, 1, false));
		expect_telegram(&l, make(5, 1, false), 0, true);
	}
}

static void contact_and_command_can_be_all(void **state)
{
	(void)state;
	struct line l;
	for (int with = 0; with < 2; with++) {
		for (int secondary = 0; secondary < 2; secondary++) {
			begin(&l);
			l.request.telegrams = 0;
			l.request.has_command = with;
			l.request.command_ci = 0xBD;
			if (secondary)
				by_number(&l);
			read_meter(&l);
			if (secondary)
				expect_select(&l);
			else
				expect_short(&l, 0x40, 5);
			ack(&l);
			if (with) {
				expect_command(&l, 0x73, secondary ? 253 : 5);
				ack(&l);
			}
			assert_int_equal(next(&l)->kind, MBUS_STEP_DONE);
			assert_true(l.step.last);
			assert_true(mbus_master_idle(&l.master));
			assert_true(mbus_master_peer(&l.master).known);
		}
	}
	/* Nobody there. */
	begin(&l);
	l.request.telegrams = 0;
	read_meter(&l);
	for (int i = 0; i < 3; i++)
		expect_short(&l, 0x40, 5);
	expect_failure(&l, METER_FRAME_TIMEOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_contact_resets_and_the_count_bit_toggles),
		cmocka_unit_test(selection_comes_before_each_secondary_readout),
		cmocka_unit_test(all_telegrams_of_a_meter_are_read),
		cmocka_unit_test(limit_of_telegrams_holds),
		cmocka_unit_test(echo_and_single_bytes_change_nothing),
		cmocka_unit_test(noise_before_an_answer_is_passed_over),
		cmocka_unit_test(application_is_reset_before_the_readout),
		cmocka_unit_test(meter_that_knows_no_application_reset),
		cmocka_unit_test(contact_and_command_can_be_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
