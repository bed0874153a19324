/* Readings that come while the clock is wrong: kept, given their time, reported then, each once.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <meterloom/wall.h>

#include "store/kit.h"

#define BEGIN (1790000000 * ML_SEC) /* of the kit */

static int setup(void **state)
{
	struct kit *kit = kit_new(NULL);
	kit_apply(kit, kit_graph);
	*state = kit;
	return 0;
}

static int teardown(void **state)
{
	kit_free(*state);
	return 0;
}

/* The gateway ends, and begins again with the same directory and the clock at `wall`. */
static struct kit *restart_at(void **state, ml_time wall)
{
	struct kit *kit = *state;
	char data[64];
	memcpy(data, kit->data, sizeof data);
	kit->keep_data = true;
	kit_free(kit);
	const struct kit_options options = {.data = data, .wall = wall, .lonely = true};
	*state = kit = kit_new_with(&options);
	kit_apply(kit, kit_graph);
	return kit;
}

static void set_clock(struct kit *kit, ml_time wall)
{
	ml_clock_set_wall(kit->clock, wall);
	kit_run(kit, 2 * ML_SEC);
}

/* A reading each quarter of an hour. */
static void give_quarters(struct kit *kit, uint64_t trace, int count)
{
	for (int i = 0; i < count; i++) {
		kit_give(kit, 1, 0, trace + (uint64_t)i, (int64_t)trace + i);
		kit_run(kit, 15 * ML_MINUTE);
	}
}

static int64_t time_of(struct kit *kit, uint64_t trace)
{
	char sql[96];
	(void)snprintf(sql, sizeof sql, "SELECT time FROM reading WHERE trace = %llu",
		(unsigned long long)trace);
	return kit_sql(kit, "readings", sql);
}

static int64_t timeless(struct kit *kit)
{
	return kit_sql(kit, "readings", "SELECT count(*) FROM reading WHERE boot IS NOT NULL");
}

static int events_told(struct kit *kit, const char *code)
{
	char params[64];
	int found = 0;
	(void)snprintf(params, sizeof params, "{'code': '%s'}", code);
	kit_call(kit, "event.list", params);
	for (const char *at = kit->result; (at = strstr(at, "\"code\"")); at++)
		found++;
	return found;
}

static void clear_batches(struct kit *kit)
{
	kit->batch_count = 0;
	memset(kit->batches, 0, sizeof kit->batches);
}

/* All batches together, in their order: traces from `first` on, each once. */
static void expect_sent(struct kit *kit, uint64_t first, size_t count)
{
	uint64_t trace = first;
	for (size_t b = 0; b < kit->batch_count; b++)
		for (size_t i = 0; i < kit->batches[b].seen; i++)
			assert_int_equal(kit->batches[b].traces[i], trace++);
	assert_int_equal(trace - first, count);
}

/* ---- Tests ---- */

static void what_is_read_in_1970_is_reported_with_its_time_once_that_is_known(void **state)
{
	struct kit *kit = *state;
	give_quarters(kit, 1, 4);
	kit = restart_at(state, 60 * ML_SEC);
	const ml_time boot = ml_clock_monotonic(kit->clock);
	assert_false(ml_wall_known(kit->engine));
	give_quarters(kit, 5, 20);
	assert_int_equal(kit->delivered, 20); /* acknowledged: they are on the disk */
	assert_int_equal(timeless(kit), 20);
	/* Nothing is reported meanwhile, not even what has its time: a report is named after now.
	 */
	kit_trigger(kit);
	kit_run(kit, ML_HOUR);
	assert_int_equal(kit->batch_count, 0);
	kit_call(kit, "node.list", "{}");
	assert_non_null(strstr(kit->result, "waits until the clock is known"));
	const ml_time now = BEGIN + 30 * ML_DAY;
	set_clock(kit, now);
	const ml_time start = ml_wall_of(kit->engine, boot);
	assert_int_equal(timeless(kit), 0);
	for (uint64_t i = 0; i < 20; i++)
		assert_int_equal(time_of(kit, 5 + i), start + (ml_time)i * 15 * ML_MINUTE);
	assert_int_equal(events_told(kit, "readings-stamped"), 1);
	assert_non_null(strstr(kit->result, "\"count\":\"20\""));
	kit_run(kit, 2 * ML_SEC);
	assert_int_equal(kit->batch_count, 3); /* of ten readouts at most */
	expect_sent(kit, 1, 24);
	for (size_t i = 0; i < kit->batch_count; i++)
		assert_true(kit->batches[i].due > (uint64_t)(now - 2 * ML_HOUR));
	kit_call(kit, "meter.readings", "{'meter': '00000001', 'limit': 1000}");
	assert_non_null(strstr(kit->result, "\"trace\":24"));
	/* What comes from then on follows. */
	clear_batches(kit);
	give_quarters(kit, 25, 2);
	kit_trigger(kit);
	kit_run(kit, 2 * ML_SEC);
	expect_sent(kit, 25, 2);
}

static void what_waits_when_the_clock_is_set_gets_its_time_too(void **state)
{
	struct kit *kit = restart_at(state, ML_SEC);
	const ml_time begin = ml_clock_monotonic(kit->clock);
	kit_run(kit, ML_MINUTE);
	kit_round(kit, true); /* readings of a round may wait to be written */
	kit_give(kit, 1, 0, 1, 1);
	ml_clock_set_wall(kit->clock, BEGIN + ML_DAY);
	kit_run(kit, ML_MINUTE);
	kit_give(kit, 1, 0, 2, 2);
	kit_round(kit, false);
	kit_run(kit, ML_MINUTE);
	assert_int_equal(timeless(kit), 0);
	assert_int_equal(time_of(kit, 1), ml_wall_of(kit->engine, begin + ML_MINUTE));
	assert_int_equal(time_of(kit, 2) - time_of(kit, 1), ML_MINUTE);
}

static void readings_of_a_start_without_a_clock_follow_what_was_before(void **state)
{
	struct kit *kit = *state;
	give_quarters(kit, 1, 4);
	kit = restart_at(state, 60 * ML_SEC);
	give_quarters(kit, 5, 8);
	kit = restart_at(state, 7 * ML_SEC); /* and another one */
	give_quarters(kit, 13, 2);
	kit = restart_at(state, BEGIN + 10 * ML_DAY);
	kit_run(kit, 2 * ML_SEC);
	assert_int_equal(timeless(kit), 0);
	assert_int_equal(events_told(kit, "readings-time-guessed"), 2);
	ml_time before = time_of(kit, 4);
	for (uint64_t trace = 5; trace <= 14; trace++) {
		const ml_time time = time_of(kit, trace);
		assert_true(time >= before && time < BEGIN + 10 * ML_DAY);
		if (trace != 5 && trace != 13)
			assert_int_equal(time - before, 15 * ML_MINUTE);
		before = time;
	}
	assert_int_equal(kit_sql(kit, "readings",
				 "SELECT count(*) FROM reading JOIN guessed ON sequence BETWEEN "
				 "first AND last"),
		10);
	kit_trigger(kit);
	kit_run(kit, 2 * ML_SEC);
	expect_sent(kit, 1, 14);
	/* That is done once. */
	kit = restart_at(state, BEGIN + 11 * ML_DAY);
	kit_run(kit, 2 * ML_SEC);
	assert_int_equal(events_told(kit, "readings-time-guessed"), 2);
}

/* The start that gives them their time may be the second next. */
static void guesses_do_not_run_ahead_of_the_present(void **state)
{
	struct kit *kit = *state;
	give_quarters(kit, 1, 2);
	kit = restart_at(state, 60 * ML_SEC);
	give_quarters(kit, 3, 400); /* 100 hours */
	/* The clock says that only an hour has passed: somebody set it back. */
	kit = restart_at(state, BEGIN + 2 * ML_HOUR);
	assert_true(ml_wall_known(kit->engine));
	kit_run(kit, 2 * ML_SEC);
	assert_int_equal(timeless(kit), 0);
	assert_true(time_of(kit, 402) <= BEGIN + 2 * ML_HOUR);
	kit_trigger(kit);
	kit_run(kit, ML_MINUTE);
	uint64_t seen = 0;
	for (size_t b = 0; b < kit->batch_count; b++)
		seen += kit->batches[b].seen;
	assert_int_equal(seen, 402);
}

/* Full blocks know the times of their readings: they are looked for by these. */
static void thousands_get_their_time_and_are_found_by_it(void **state)
{
	struct kit *kit = restart_at(state, 60 * ML_SEC);
	for (uint64_t i = 0; i < 4; i++) {
		kit_give_many(kit, 1, 1 + i * 700, 700);
		kit_run(kit, ML_HOUR);
	}
	assert_int_equal(timeless(kit), 2800);
	set_clock(kit, BEGIN + 3 * ML_DAY);
	assert_int_equal(timeless(kit), 0);
	assert_int_equal(
		kit_sql(kit, "readings",
			"SELECT count(*) FROM block WHERE first_time < 1780000000000000 OR "
			"last_time < first_time OR written < 1780000000000000"),
		0);
	assert_true(kit_sql(kit, "readings", "SELECT count(*) FROM block") >= 2);
	assert_int_equal(kit_sql(kit, "readings",
				 "SELECT count(*) FROM device_shape WHERE last_time >= (SELECT "
				 "max(time) FROM reading)"),
		1);
	kit_give(kit, 1, 0, 9000, 1);
	kit_call(kit, "meter.readings", "{'meter': '00000001', 'limit': 1000}");
	assert_int_equal(kit->code, 0);
	assert_non_null(strstr(kit->result, "\"trace\":9000"));
	assert_non_null(strstr(kit->result, "\"trace\":2800"));
}

static void a_clock_a_year_ahead_and_back_loses_and_repeats_nothing(void **state)
{
	struct kit *kit = *state;
	const ml_time year = 365 * ML_DAY;
	for (int turn = 0; turn < 3; turn++) {
		give_quarters(kit, 1 + (uint64_t)turn * 12, 4);
		kit_trigger(kit);
		ml_clock_set_wall(kit->clock, kit_wall(kit) + year);
		give_quarters(kit, 5 + (uint64_t)turn * 12, 4);
		kit_trigger(kit);
		ml_clock_set_wall(kit->clock, kit_wall(kit) - year);
		give_quarters(kit, 9 + (uint64_t)turn * 12, 4);
		kit_trigger(kit);
		kit_run(kit, ML_MINUTE);
	}
	assert_int_equal(events_told(kit, "clock-jumped"), 6);
	bool sent[40] = {false};
	for (size_t b = 0; b < kit->batch_count; b++) {
		for (size_t i = 0; i < kit->batches[b].seen; i++) {
			const uint64_t trace = kit->batches[b].traces[i];
			assert_true(trace >= 1 && trace <= 36 && !sent[trace]);
			sent[trace] = true;
		}
	}
	for (int trace = 1; trace <= 36; trace++)
		assert_true(sent[trace]);
	assert_int_equal(timeless(kit), 0);
}

int main(void)
{
#define KIT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		KIT(what_is_read_in_1970_is_reported_with_its_time_once_that_is_known),
		KIT(what_waits_when_the_clock_is_set_gets_its_time_too),
		KIT(readings_of_a_start_without_a_clock_follow_what_was_before),
		KIT(guesses_do_not_run_ahead_of_the_present),
		KIT(thousands_get_their_time_and_are_found_by_it),
		KIT(a_clock_a_year_ahead_and_back_loses_and_repeats_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
