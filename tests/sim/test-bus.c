/* Faults on a simulated bus: each does what it says, as a master on the line hears it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/bus.h"

#define SPRING ((ml_time)1775000000 * ML_SEC)
/* No answer takes longer. */
#define PATIENCE (6 * ML_SEC)

/* A bus of four meters, and what its master heard last. */
struct desk {
	struct sim_bus *bus;
	struct sim_line *line;
	ml_time now;
	uint8_t bytes[65536];
	size_t count, damaged;
	struct mbus_frame frame;
	bool good; /* just one good frame, and nothing else */
};

static struct desk desk;

static void open_with(const char *fault)
{
	struct sim_options options = {.meters = 4, .seed = 1, .baud = 2400, .delay = 11};
	struct ml_error err = ML_ERROR_NONE;
	memset(&desk, 0, sizeof desk);
	if (fault && (sim_rule_parse(fault, strlen(fault), &options.faults.rules[0], &err) < 0 ||
			     !++options.faults.count))
		fail_msg("%s: %s", fault, err.text);
	desk.bus = sim_bus_new(&options, NULL, 0);
	assert_non_null(desk.bus);
	desk.line = sim_bus_line(desk.bus);
}

static int close_desk(void **state)
{
	(void)state;
	sim_bus_free(desk.bus);
	desk.bus = NULL;
	return 0;
}

/* Listens for so long. */
static void hear(ml_time length)
{
	const ml_time end = desk.now + length;
	desk.count = desk.damaged = 0;
	while (sim_line_when(desk.line) <= end) {
		const ml_time when = sim_line_when(desk.line);
		desk.now = when > desk.now ? when : desk.now;
		for (;;) {
			const uint8_t *bytes = NULL;
			bool damaged = false;
			const size_t n = sim_line_take_run(
				desk.line, desk.now, SPRING + desk.now, &bytes, &damaged);
			if (n == 0)
				break;
			assert_true(desk.count + n <= sizeof desk.bytes);
			memcpy(desk.bytes + desk.count, bytes, n);
			desk.count += n;
			desk.damaged += damaged ? n : 0;
		}
	}
	desk.now = end;
	desk.good = desk.damaged == 0 &&
		    mbus_frame_check(desk.bytes, desk.count, &desk.frame, NULL) == MBUS_CHECK_OK;
}

static void send(const uint8_t *bytes, size_t length)
{
	sim_line_received(desk.line, bytes, length, desk.now);
	hear(PATIENCE);
}

static void reset(uint8_t address)
{
	uint8_t bytes[MBUS_FRAME_MAX];
	send(bytes, mbus_build_snd_nke(bytes, address));
}

static void request(uint8_t address, bool fcb)
{
	uint8_t bytes[MBUS_FRAME_MAX];
	send(bytes, mbus_build_req_ud2(bytes, address, fcb));
}

/* A good telegram of this meter, from 1. */
static bool is_from(unsigned meter)
{
	return desk.good && desk.frame.kind == MBUS_FRAME_LONG &&
	       memcmp(desk.frame.data, sim_line_meter(desk.line, meter - 1)->secondary, 4) == 0;
}

static bool is_ack(void)
{
	return desk.good && desk.frame.kind == MBUS_FRAME_ACK;
}

/* ---- Meters ---- */

static void a_healthy_bus_answers(void **state)
{
	(void)state;
	open_with(NULL);
	for (uint8_t i = 1; i <= 4; i++) {
		reset(i);
		assert_true(is_ack());
		request(i, true);
		assert_true(is_from(i));
	}
}

static void silent_meter_is_silent_and_the_others_are_not(void **state)
{
	(void)state;
	open_with("meter-silent which=2 at=60s lasts=60s");
	request(2, true);
	assert_true(is_from(2));
	desk.now = ML_MINUTE;
	request(2, false);
	assert_int_equal(desk.count, 0);
	request(1, true);
	assert_true(is_from(1));
	desk.now = 2 * ML_MINUTE;
	request(2, true);
	assert_true(is_from(2));
}

static void slow_meter_answers_late(void **state)
{
	(void)state;
	open_with("meter-slow which=1 by=4s");
	uint8_t bytes[MBUS_FRAME_MAX];
	sim_line_received(desk.line, bytes, mbus_build_req_ud2(bytes, 1, true), desk.now);
	hear(2 * ML_SEC);
	assert_int_equal(desk.count, 0);
	hear(PATIENCE);
	assert_true(is_from(1));
}

static void answers_are_damaged_as_they_are_to_be(void **state)
{
	(void)state;
	open_with(NULL);
	request(1, true);
	const size_t whole = desk.count;
	uint8_t good[MBUS_FRAME_MAX];
	memcpy(good, desk.bytes, whole);
	(void)close_desk(NULL);

	open_with("meter-checksum which=1");
	request(1, true);
	assert_int_equal(desk.count, whole);
	assert_memory_equal(desk.bytes, good, whole - 2);
	assert_int_not_equal(desk.bytes[whole - 2], good[whole - 2]);
	(void)close_desk(NULL);

	open_with("meter-cut which=1");
	request(1, true);
	assert_true(desk.count < whole);
	assert_memory_equal(desk.bytes, good, desk.count);
	(void)close_desk(NULL);

	open_with("meter-corrupt which=1");
	request(1, true);
	unsigned bits = 0;
	for (size_t i = 0; i < whole; i++)
		bits += (unsigned)__builtin_popcount(desk.bytes[i] ^ good[i]);
	assert_int_equal(bits, 1);
	(void)close_desk(NULL);

	open_with("line-added-byte");
	for (int i = 0; i < 10; i++) {
		request(1, true);
		const bool in_front = memcmp(desk.bytes, good, whole) != 0;
		assert_int_equal(desk.count, whole + 1);
		assert_memory_equal(desk.bytes + in_front, good, whole);
		assert_true(desk.bytes[in_front ? 0 : whole] == 0 ||
			    desk.bytes[in_front ? 0 : whole] == 0xFF);
	}
	(void)close_desk(NULL);

	open_with("line-dropped-bytes");
	request(1, true);
	assert_in_range(whole - desk.count, 1, 4);
	(void)close_desk(NULL);

	open_with("line-noise");
	request(1, true);
	assert_in_range(desk.count - whole, 1, 8);
	assert_memory_equal(desk.bytes + desk.count - whole, good, whole);
}

static void endless_meter_goes_on_as_long_as_it_says(void **state)
{
	(void)state;
	open_with("meter-endless which=1 by=30s");
	request(2, true);
	assert_true(is_from(2));
	request(1, true);
	assert_in_range(desk.count, 1300, 1320); /* six seconds at 2400 baud */
	request(2, true);
	assert_false(desk.good);
	hear(30 * ML_SEC);
	hear(PATIENCE);
	assert_int_equal(desk.count, 0);
	request(2, true);
	assert_true(is_from(2));
}

static void babbling_meter_speaks_unasked(void **state)
{
	(void)state;
	open_with("meter-babbling which=3 by=20s lasts=10min");
	unsigned bursts = 0, telegrams = 0;
	for (int i = 0; i < 150; i++) {
		hear(4 * ML_SEC);
		bursts += desk.count > 0;
		telegrams += is_from(3);
	}
	assert_in_range(bursts, 20, 90);
	assert_true(telegrams > 0);
	hear(ML_MINUTE);
	hear(10 * ML_MINUTE);
	assert_int_equal(desk.count, 0);
	assert_true(sim_line_when(desk.line) == ML_NEVER);
}

static void colliding_meter_spoils_the_answers_of_others(void **state)
{
	(void)state;
	open_with("meter-colliding which=3");
	request(3, true);
	assert_true(is_from(3));
	request(1, true);
	assert_false(desk.good);
	assert_true(desk.count > 0);
	/* Where the one that is asked is away, the wrong one is heard alone. */
	sim_meter_unplug(sim_line_change_meter(desk.line, 0), true);
	request(1, false);
	assert_true(is_from(3));
	/* It does not take up what is meant for others. */
	const uint8_t address[] = {0x01, 0x7A, 9};
	uint8_t bytes[MBUS_FRAME_MAX];
	send(bytes, mbus_build_long(bytes, 0x73, 2, 0x51, address, sizeof address));
	assert_int_equal(sim_line_meter(desk.line, 1)->primary, 9);
	assert_int_equal(sim_line_meter(desk.line, 2)->primary, 3);
}

static void select_meter(unsigned meter)
{
	uint8_t bytes[MBUS_FRAME_MAX];
	send(bytes, mbus_build_long(bytes, 0x53, MBUS_ADDRESS_SELECTED, 0x52,
			    sim_line_meter(desk.line, meter - 1)->secondary, 8));
}

static void colliding_meter_feels_selected_with_others(void **state)
{
	(void)state;
	open_with("meter-colliding which=3");
	select_meter(1);
	assert_true(desk.count > 0);
	assert_true(sim_line_meter(desk.line, 0)->selected);
	assert_true(sim_line_meter(desk.line, 2)->selected);
	assert_false(sim_line_meter(desk.line, 1)->selected);
}

static void stuck_meter_sends_the_same_once_more(void **state)
{
	(void)state;
	open_with("meter-stuck which=1 at=1s");
	request(1, true);
	assert_true(is_from(1));
	uint8_t first[MBUS_FRAME_MAX];
	const size_t length = desk.count;
	memcpy(first, desk.bytes, length);
	desk.now += 10 * ML_DAY;
	reset(1);
	request(1, true);
	assert_int_equal(desk.count, length);
	assert_memory_equal(desk.bytes, first, length);
}

static void meter_may_not_know_snd_nke(void **state)
{
	(void)state;
	open_with("meter-no-nke which=1");
	reset(1);
	assert_int_equal(desk.count, 0);
	request(1, true);
	assert_true(is_from(1));
	reset(2);
	assert_true(is_ack());
}

static void meter_may_ignore_the_frame_count_bit(void **state)
{
	(void)state;
	uint8_t first[MBUS_FRAME_MAX];
	for (int fault = 0; fault < 2; fault++) {
		open_with(fault ? "meter-no-fcb which=1" : NULL);
		request(1, true);
		const size_t length = desk.count;
		memcpy(first, desk.bytes, length);
		request(1, true);
		/* The access number of a new telegram is another. */
		assert_int_equal(memcmp(desk.bytes, first, length) != 0, fault);
		(void)close_desk(NULL);
	}
}

static void swapped_meter_has_another_number(void **state)
{
	(void)state;
	open_with("meter-swapped which=1 at=60s lasts=60s");
	select_meter(1);
	assert_true(is_ack());
	desk.now = ML_MINUTE;
	select_meter(1);
	assert_int_equal(desk.count, 0);
	request(1, true);
	assert_true(desk.good);
	assert_false(is_from(1));
	desk.now = 2 * ML_MINUTE;
	request(1, false);
	assert_true(is_from(1));
}

static void reset_meter_begins_again_at_zero(void **state)
{
	(void)state;
	open_with("meter-reset which=1 at=1s");
	hear(2 * ML_SEC);
	assert_true(sim_line_meter(desk.line, 0)->was_reset);
	assert_false(sim_line_meter(desk.line, 1)->was_reset);
	assert_true(sim_line_meter(desk.line, 0)->reset == SPRING + ML_SEC);
}

/* ---- Lines ---- */

static void line_breaks_and_comes_back_at_its_times(void **state)
{
	(void)state;
	static const char *const faults[] = {"line-cut", "line-short"};
	for (int i = 0; i < 2; i++) {
		char text[64];
		(void)snprintf(text, sizeof text, "%s at=60s lasts=90s", faults[i]);
		open_with(text);
		request(1, true);
		assert_true(is_from(1));
		hear(ML_MINUTE);
		assert_int_equal(sim_line_is_short(desk.line), i == 1);
		request(1, false);
		assert_int_equal(desk.count, 0);
		hear(150 * ML_SEC - desk.now);
		assert_false(sim_line_is_short(desk.line));
		request(1, false);
		assert_true(is_from(1));
		(void)close_desk(NULL);
	}
	open_with("line-broken at=60s lasts=90s");
	ml_time change = 0;
	assert_false(sim_bus_broken(desk.bus, 0, &change));
	assert_true(change == ML_MINUTE);
	assert_true(sim_bus_broken(desk.bus, ML_MINUTE, &change));
	assert_true(change == 150 * ML_SEC);
	assert_false(sim_bus_broken(desk.bus, 150 * ML_SEC, &change));
	assert_true(change == ML_NEVER);
}

static void echo_comes_before_the_answer(void **state)
{
	(void)state;
	open_with("line-echo");
	uint8_t bytes[MBUS_FRAME_MAX];
	hear(ML_SEC);
	const size_t length = mbus_build_req_ud2(bytes, 1, true);
	send(bytes, length);
	assert_true(desk.count > length);
	assert_memory_equal(desk.bytes, bytes, length);
	assert_int_equal(
		mbus_frame_check(desk.bytes + length, desk.count - length, &desk.frame, NULL),
		MBUS_CHECK_OK);
}

static void share_says_how_many_answers_are_hit(void **state)
{
	(void)state;
	open_with("meter-silent which=1 share=30");
	unsigned silent = 0;
	for (int i = 0; i < 400; i++) {
		request(1, i % 2);
		silent += desk.count == 0;
	}
	assert_in_range(silent, 90, 150);
}

static void same_seed_has_the_same_faults(void **state)
{
	(void)state;
	static uint8_t heard[2][20000];
	size_t counts[2] = {0};
	for (int i = 0; i < 2; i++) {
		open_with("meter-babbling by=5s every=30s lasts=20s");
		for (int n = 0; n < 40; n++) {
			request((uint8_t)(n % 4 + 1), n % 2);
			assert_true(counts[i] + desk.count < sizeof heard[i]);
			memcpy(heard[i] + counts[i], desk.bytes, desk.count);
			counts[i] += desk.count;
		}
		(void)close_desk(NULL);
	}
	assert_true(counts[0] > 1000);
	assert_int_equal(counts[0], counts[1]);
	assert_memory_equal(heard[0], heard[1], counts[0]);
}

/* ---- By hand ---- */

static void unplugged_meter_is_away_until_it_is_plugged_in(void **state)
{
	(void)state;
	open_with(NULL);
	select_meter(2);
	assert_true(is_ack());
	sim_meter_unplug(sim_line_change_meter(desk.line, 1), true);
	request(2, true);
	assert_int_equal(desk.count, 0);
	select_meter(2);
	assert_int_equal(desk.count, 0);
	sim_meter_unplug(sim_line_change_meter(desk.line, 1), false);
	/* Its supply was gone: it does not know that it was selected. */
	request(MBUS_ADDRESS_SELECTED, true);
	assert_int_equal(desk.count, 0);
	request(2, true);
	assert_true(is_from(2));
}

static void line_is_cut_and_joined_by_hand(void **state)
{
	(void)state;
	open_with("line-cut at=60s lasts=60s");
	sim_bus_set(desk.bus, SIM_STATE_CUT, true, desk.now);
	request(1, true);
	assert_int_equal(desk.count, 0);
	desk.now = 2 * ML_MINUTE;
	request(1, true);
	assert_int_equal(desk.count, 0); /* the fault has ended, the hand has not */
	sim_bus_set(desk.bus, SIM_STATE_CUT, false, desk.now);
	request(1, true);
	assert_true(is_from(1));
}

static void fault_can_be_added_and_healed_while_it_runs(void **state)
{
	(void)state;
	struct sim_rule rule;
	open_with(NULL);
	hear(ML_HOUR);
	assert_int_equal(sim_rule_parse("meter-silent which=1 at=60s", 27, &rule, NULL), 0);
	assert_int_equal(sim_bus_add_fault(desk.bus, &rule, desk.now, NULL), 0);
	request(1, true);
	assert_true(is_from(1));
	hear(ML_MINUTE);
	request(1, false);
	assert_int_equal(desk.count, 0);
	sim_bus_heal(desk.bus, desk.now);
	request(1, false);
	assert_true(is_from(1));
	for (size_t i = 0; i < SIM_RULES_MAX; i++)
		assert_int_equal(sim_bus_add_fault(desk.bus, &rule, desk.now, NULL), 0);
	assert_true(sim_bus_add_fault(desk.bus, &rule, desk.now, NULL) < 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, close_desk)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_healthy_bus_answers),
		TEST(silent_meter_is_silent_and_the_others_are_not),
		TEST(slow_meter_answers_late),
		TEST(answers_are_damaged_as_they_are_to_be),
		TEST(endless_meter_goes_on_as_long_as_it_says),
		TEST(babbling_meter_speaks_unasked),
		TEST(colliding_meter_spoils_the_answers_of_others),
		TEST(colliding_meter_feels_selected_with_others),
		TEST(stuck_meter_sends_the_same_once_more),
		TEST(meter_may_not_know_snd_nke),
		TEST(meter_may_ignore_the_frame_count_bit),
		TEST(swapped_meter_has_another_number),
		TEST(reset_meter_begins_again_at_zero),
		TEST(line_breaks_and_comes_back_at_its_times),
		TEST(echo_comes_before_the_answer),
		TEST(share_says_how_many_answers_are_hit),
		TEST(same_seed_has_the_same_faults),
		TEST(unplugged_meter_is_away_until_it_is_plugged_in),
		TEST(line_is_cut_and_joined_by_hand),
		TEST(fault_can_be_added_and_healed_while_it_runs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
