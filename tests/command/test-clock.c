/* Is the wall clock right: stale clocks, 1970, jumps, and what becomes of times stamped meanwhile.
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

#include "desk.h"

#define NOON (1769868900 * ML_SEC) /* 2026-01-31T14:15:00Z */

static const struct ml_family *const families[] = {NULL};

static int set_up(void **state)
{
	*state = desk_new(families);
	return 0;
}

static int tear_down(void **state)
{
	desk_free(*state);
	return 0;
}

static void restart_at(struct desk *desk, ml_time wall)
{
	desk->wall = wall;
	desk_restart(desk);
}

static void pass(struct desk *desk, ml_time time)
{
	ml_engine_simulate(desk->engine, ml_clock_monotonic(desk->clock) + time);
}

static int count_events(struct desk *desk, const char *code)
{
	char params[80];
	(void)snprintf(params, sizeof params, "{'code': '%s'}", code);
	assert_int_equal(desk_call(desk, "event.list", params), 0);
	json_t *list = json_loads(desk->result, 0, NULL);
	const int count = (int)json_array_size(list);
	json_decref(list);
	return count;
}

static void count_call(void *user)
{
	++*(int *)user;
}

static struct ml_lane *control(struct desk *desk)
{
	return ml_engine_lane(desk->engine, "control");
}

/* ---- Known or not ---- */

static void a_plausible_clock_is_believed_at_once(void **state)
{
	struct desk *desk = *state;
	assert_true(ml_wall_known(desk->engine));
	int calls = 0;
	struct ml_wall_watch *watch =
		ml_wall_watch(desk->engine, control(desk), count_call, &calls);
	assert_int_equal(calls, 0); /* never from within */
	desk_settle(desk);
	assert_int_equal(calls, 1);
	ml_wall_unwatch(watch);
	assert_int_equal(count_events(desk, "clock-unknown"), 0);
	ml_time time = NOON + 5;
	assert_true(ml_wall_settle(desk->engine, &time, NULL));
	assert_true(time == NOON + 5);
}

static void a_clock_in_1970_is_believed_once_it_is_set(void **state)
{
	struct desk *desk = *state;
	int calls = 0;
	restart_at(desk, 7 * ML_SEC);
	assert_false(ml_wall_known(desk->engine));
	assert_int_equal(count_events(desk, "clock-unknown"), 1);
	struct ml_wall_watch *watch =
		ml_wall_watch(desk->engine, control(desk), count_call, &calls);
	pass(desk, ML_DAY);
	assert_false(ml_wall_known(desk->engine));
	const ml_time stamped = ml_clock_wall(desk->clock); /* as a message would be */
	const ml_time moment = ml_clock_monotonic(desk->clock);
	ml_time time = stamped, monotonic = 0;
	assert_false(ml_wall_settle(desk->engine, &time, &monotonic));
	assert_true(monotonic == moment);
	assert_true(time >= NOON + moment); /* not before what was seen */
	pass(desk, ML_HOUR + ML_SEC / 2);
	ml_clock_set_wall(desk->clock, NOON + 2 * ML_DAY);
	const ml_time set_at = ml_clock_monotonic(desk->clock);
	assert_int_equal(calls, 0);
	pass(desk, 2 * ML_SEC);
	assert_true(ml_wall_known(desk->engine));
	assert_int_equal(calls, 1);
	time = stamped;
	assert_true(ml_wall_settle(desk->engine, &time, &monotonic));
	assert_true(time == NOON + 2 * ML_DAY - (set_at - moment));
	assert_true(ml_wall_of(desk->engine, moment) == time);
	/* What was stamped after the clock was set and before that was noticed is right. */
	time = NOON + 2 * ML_DAY + ML_MSEC;
	assert_true(ml_wall_settle(desk->engine, &time, NULL));
	assert_true(time == NOON + 2 * ML_DAY + ML_MSEC);
	assert_int_equal(count_events(desk, "clock-known"), 1);
	assert_int_equal(count_events(desk, "clock-jumped"), 0);
	ml_wall_unwatch(watch);
}

static void times_of_several_wrong_clocks_are_told_apart(void **state)
{
	struct desk *desk = *state;
	restart_at(desk, 0);
	pass(desk, ML_MINUTE);
	const ml_time first = ml_clock_wall(desk->clock);
	const ml_time first_moment = ml_clock_monotonic(desk->clock);
	pass(desk, ML_MINUTE + 300 * ML_MSEC);
	ml_clock_set_wall(desk->clock, NOON - 5 * ML_DAY); /* stale, from a file perhaps */
	pass(desk, ML_MINUTE);
	assert_false(ml_wall_known(desk->engine));
	const ml_time second = ml_clock_wall(desk->clock);
	const ml_time second_moment = ml_clock_monotonic(desk->clock);
	pass(desk, ML_MINUTE);
	ml_clock_set_wall(desk->clock, NOON + ML_DAY);
	pass(desk, ML_MINUTE);
	assert_true(ml_wall_known(desk->engine));
	ml_time time = first;
	assert_true(ml_wall_settle(desk->engine, &time, NULL));
	assert_true(time == ml_wall_of(desk->engine, first_moment));
	time = second;
	assert_true(ml_wall_settle(desk->engine, &time, NULL));
	assert_true(time == ml_wall_of(desk->engine, second_moment));
}

static void a_clock_that_is_behind_what_was_seen_is_stale(void **state)
{
	struct desk *desk = *state;
	pass(desk, 5 * ML_DAY);
	restart_at(desk, NOON + 4 * ML_DAY);
	assert_false(ml_wall_known(desk->engine));
	assert_int_equal(desk_call(desk, "clock.show", NULL), 0);
	assert_has(desk->result, "\"known\":false");
	assert_has(desk->result, "\"newest\":\"2026-02-05T14:15:00.000Z\"");
	/* The same times again after another start, which saw nothing newer. */
	restart_at(desk, NOON + 5 * ML_DAY + ML_SEC);
	assert_true(ml_wall_known(desk->engine));
}

static void a_time_server_or_a_person_is_believed(void **state)
{
	struct desk *desk = *state;
	pass(desk, 5 * ML_DAY);
	restart_at(desk, NOON);
	assert_false(ml_wall_known(desk->engine));
	ml_clock_set_synchronised(desk->clock, true);
	pass(desk, 2 * ML_SEC);
	assert_true(ml_wall_known(desk->engine));
	/* From then on that is what counts. */
	restart_at(desk, NOON + ML_MINUTE);
	assert_true(ml_wall_known(desk->engine));
	restart_at(desk, NOON - ML_DAY);
	assert_false(ml_wall_known(desk->engine));
	assert_int_equal(desk_call(desk, "clock.confirm", NULL), 0);
	assert_has(desk->result, "\"known\":true");
	assert_true(ml_wall_known(desk->engine));
}

static void only_a_time_server_is_believed_where_that_is_set(void **state)
{
	struct desk *desk = *state;
	assert_int_equal(desk_call(desk, "setting.set",
				 "{'name': 'gateway.clock_trust', 'value': 'synchronised'}"),
		0);
	restart_at(desk, NOON + ML_DAY);
	assert_false(ml_wall_known(desk->engine));
	pass(desk, ML_HOUR);
	assert_false(ml_wall_known(desk->engine));
	/* 1970 is not right whatever the kernel says. */
	ml_clock_set_wall(desk->clock, ML_DAY);
	ml_clock_set_synchronised(desk->clock, true);
	pass(desk, ML_MINUTE);
	assert_false(ml_wall_known(desk->engine));
	ml_clock_set_wall(desk->clock, NOON + 2 * ML_DAY);
	pass(desk, ML_MINUTE);
	assert_true(ml_wall_known(desk->engine));
}

static void the_newest_time_outlives_a_crash_to_the_hour(void **state)
{
	struct desk *desk = *state;
	pass(desk, 10 * ML_HOUR);
	/* Nothing is told to an engine that is killed: what it has kept is read beside it. */
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	struct ml_error err = ML_ERROR_NONE;
	assert_int_equal(ml_database_open(desk->engine, "meterloom", false, &db, &err), 0);
	assert_int_equal(
		sqlite3_prepare_v2(db, "SELECT newest FROM ml_clock", -1, &statement, NULL), 0);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	assert_true(sqlite3_column_int64(statement, 0) >= NOON + 9 * ML_HOUR);
	(void)sqlite3_finalize(statement);
	(void)sqlite3_close(db);
}

/* ---- Jumps ---- */

static void a_year_ahead_and_back_are_two_events(void **state)
{
	struct desk *desk = *state;
	const ml_time year = 365 * ML_DAY;
	pass(desk, ML_HOUR);
	ml_clock_set_wall(desk->clock, ml_clock_wall(desk->clock) + year);
	pass(desk, ML_HOUR);
	assert_int_equal(count_events(desk, "clock-jumped"), 1);
	assert_has(desk->result, "\"from\":\"2026-01-31T15:15:20.000Z\"");
	assert_has(desk->result, "\"to\":\"2027-01-31T15:15:20.000Z\"");
	assert_has(desk->result, "\"seconds\":\"+31536000\"");
	ml_clock_set_wall(desk->clock, ml_clock_wall(desk->clock) - year);
	pass(desk, ML_HOUR);
	assert_int_equal(count_events(desk, "clock-jumped"), 2);
	assert_true(ml_wall_known(desk->engine));
	/* The year ahead is forgotten: the right time is believed after the next start. */
	const ml_time now = ml_clock_wall(desk->clock);
	assert_true(now < NOON + ML_DAY);
	restart_at(desk, now + ML_SEC);
	assert_true(ml_wall_known(desk->engine));
}

static void a_start_a_year_ahead_does_not_make_the_right_time_a_stale_one(void **state)
{
	struct desk *desk = *state;
	const ml_time year = 365 * ML_DAY;
	pass(desk, ML_HOUR);
	restart_at(desk, ml_clock_wall(desk->clock) + year);
	pass(desk, 2 * ML_HOUR);
	assert_true(ml_wall_known(desk->engine));
	restart_at(desk, ml_clock_wall(desk->clock) - year + ML_SEC);
	assert_true(ml_wall_known(desk->engine));
	/* What lasts for longer is believed, and what is a year behind is then stale. */
	restart_at(desk, ml_clock_wall(desk->clock) + year);
	pass(desk, 30 * ML_HOUR);
	restart_at(desk, ml_clock_wall(desk->clock) - year);
	assert_false(ml_wall_known(desk->engine));
}

static void small_corrections_are_no_jumps(void **state)
{
	struct desk *desk = *state;
	for (int i = 0; i < 20; i++) {
		ml_clock_set_wall(
			desk->clock, ml_clock_wall(desk->clock) + (i % 2 ? 5 : -5) * ML_SEC);
		pass(desk, ML_MINUTE);
	}
	assert_int_equal(count_events(desk, "clock-jumped"), 0);
}

int main(void)
{
#define DESK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		DESK(a_plausible_clock_is_believed_at_once),
		DESK(a_clock_in_1970_is_believed_once_it_is_set),
		DESK(times_of_several_wrong_clocks_are_told_apart),
		DESK(a_clock_that_is_behind_what_was_seen_is_stale),
		DESK(a_time_server_or_a_person_is_believed),
		DESK(only_a_time_server_is_believed_where_that_is_set),
		DESK(the_newest_time_outlives_a_crash_to_the_hour),
		DESK(a_year_ahead_and_back_are_two_events),
		DESK(a_start_a_year_ahead_does_not_make_the_right_time_a_stale_one),
		DESK(small_corrections_are_no_jumps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
