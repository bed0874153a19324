/* How the readouts of a point went, as people and servers see it: over virtual meters, failures,
 * returns, restarts and kills. SPDX-License-Identifier: Apache-2.0
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "mbus/rig.h"
#include "meter/readout.h"

static int set_up(void **state)
{
	*state = rig_new(true);
	return 0;
}

static int tear_down(void **state)
{
	rig_free(*state);
	return 0;
}

static struct meter_readout readout_of(struct rig *rig, size_t place)
{
	struct meter_readout readout;
	meter_readouts_get(meter_readouts(rig->engine), rig->points[place], &readout);
	return readout;
}

static void round_of(struct rig *rig)
{
	rig_trigger(rig);
	rig_pass(rig, ML_MINUTE);
}

static void list_without_the_last(struct rig *rig)
{
	const struct sim_options listed = {.meters = 3, .seed = 1, .baud = 2400};
	rig_list(rig, &listed, 3, METER_MODE_PRIMARY);
}

/* ---- States ---- */

static void nobody_tried_before_the_first_round(void **state)
{
	struct rig *rig = *state;
	list_without_the_last(rig);
	rig_graph(rig, "'interface':'sim:2'");
	const struct meter_readout before = readout_of(rig, 0);
	assert_int_equal(before.state, METER_READOUT_NEVER);
	assert_true(before.tried == ML_TIME_NONE && before.read == ML_TIME_NONE);
	json_t *list = rig_call(rig, "meter.list", "{'meter':'flat 0'}", 0);
	json_t *readout =
		json_object_get(json_array_get(json_object_get(list, "meters"), 0), "readout");
	json_t *expected = json_pack("{s:s, s:i}", "state", "never", "failures", 0);
	assert_true(json_equal(readout, expected));
	json_decref(expected);
	json_decref(list);
}

static void the_state_tells_how_the_last_try_went(void **state)
{
	struct rig *rig = *state;
	list_without_the_last(rig);
	rig_graph(rig, "'interface':'sim:2'");
	const ml_time begin = ml_clock_wall(rig->clock);
	round_of(rig);
	const struct meter_readout good = readout_of(rig, 0);
	assert_int_equal(good.state, METER_READOUT_READ);
	assert_int_equal(good.failures, 0);
	assert_int_equal(good.telegrams, 1);
	assert_int_equal(good.tries, 1);
	assert_true(good.read > begin && good.read == good.tried);
	assert_true(good.took > 100 * ML_MSEC && good.took < 2 * ML_SEC);
	/* The frame of it has the same time. */
	assert_true(rig->frames[0].head.point == rig->points[0]);
	assert_true(rig->frames[0].time == good.read);
	struct meter_readout bad = readout_of(rig, 2);
	assert_int_equal(bad.state, METER_READOUT_FAILED);
	assert_int_equal(bad.result, METER_FRAME_TIMEOUT);
	assert_int_equal(bad.failures, 1);
	assert_true(bad.read == ML_TIME_NONE && bad.failed_since == bad.tried);
	round_of(rig);
	const ml_time since = bad.failed_since;
	bad = readout_of(rig, 2);
	assert_int_equal(bad.failures, 2);
	assert_true(bad.failed_since == since && bad.tried > since);
}

static void a_meter_that_comes_back_is_read_again(void **state)
{
	struct rig *rig = *state;
	const struct sim_options options = {.meters = 3, .seed = 1, .baud = 2400};
	rig_line(rig, &options);
	rig_list(rig, &options, 3, METER_MODE_PRIMARY);
	rig_graph(rig, "'interface':'rig:line','lost_line_wait':1");
	round_of(rig);
	const ml_time read = readout_of(rig, 1).read;
	rig_fail_line(rig, true);
	round_of(rig);
	struct meter_readout now = readout_of(rig, 1);
	assert_int_equal(now.state, METER_READOUT_FAILED);
	assert_int_equal(now.result, METER_FRAME_NO_BUS);
	assert_true(now.read == read && now.tried > read);
	rig_fail_line(rig, false);
	rig_pass(rig, 2 * ML_MINUTE);
	round_of(rig);
	now = readout_of(rig, 1);
	assert_int_equal(now.state, METER_READOUT_READ);
	assert_int_equal(now.failures, 0);
	assert_true(now.failed_since == ML_TIME_NONE && now.read > read);
	/* The last three tries are told in their order. */
	struct meter_readout_end ends[METER_READOUT_RECENT_MAX];
	assert_int_equal(meter_readouts_recent(meter_readouts(rig->engine), rig->points[1], ends,
				 METER_READOUT_RECENT_MAX),
		3);
	assert_int_equal(ends[0].result, METER_FRAME_OK);
	assert_int_equal(ends[1].result, METER_FRAME_NO_BUS);
	assert_int_equal(ends[2].result, METER_FRAME_OK);
	assert_true(ends[2].time == read && ends[0].time == now.read);
}

static void a_round_that_is_cancelled_changes_no_state(void **state)
{
	struct rig *rig = *state;
	const struct sim_options options = {.meters = 3, .seed = 1, .baud = 2400};
	rig_list(rig, &options, 3, METER_MODE_PRIMARY);
	rig_graph(rig, "'interface':'sim:3'");
	round_of(rig);
	const struct meter_readout before = readout_of(rig, 0);
	const struct meter_readout_end end = {.point = rig->points[0],
		.result = METER_FRAME_CANCELLED,
		.time = ml_clock_wall(rig->clock)};
	meter_readouts_tell(meter_readouts(rig->engine), &end);
	const struct meter_readout after = readout_of(rig, 0);
	assert_int_equal(after.state, METER_READOUT_READ);
	assert_true(after.tried == before.tried);
}

static void the_continuous_readout_counts_too(void **state)
{
	struct rig *rig = *state;
	list_without_the_last(rig);
	rig->continuous = true;
	rig_graph(rig, "'interface':'sim:2','continuous':true");
	rig_pass(rig, ML_MINUTE);
	const struct meter_readout good = readout_of(rig, 0);
	assert_int_equal(good.state, METER_READOUT_READ);
	assert_true(good.read > ml_clock_wall(rig->clock) - 10 * ML_SEC);
	assert_int_equal(readout_of(rig, 2).state, METER_READOUT_FAILED);
	assert_int_equal(rig->frame_count, 0);
	struct meter_readout_end end;
	assert_int_equal(
		meter_readouts_recent(meter_readouts(rig->engine), rig->points[0], &end, 1), 1);
	assert_true(end.continuous);
}

/* ---- meter.list and meter.readout ---- */

static void the_list_is_filtered_by_state_and_bus(void **state)
{
	struct rig *rig = *state;
	list_without_the_last(rig);
	rig_graph(rig, "'interface':'sim:2'");
	round_of(rig);
	json_decref(rig_call(
		rig, "meter.add", "{'moid':'cellar','bus':'b','mode':'primary','primary':9}", 0));
	json_decref(rig_call(rig, "meter.add",
		"{'moid':'off','mode':'primary','primary':10,'state':'passive'}", 0));
	static const struct {
		const char *params, *first;
		int total;
	} wanted[] = {
		{"{}", "flat 0", 4},
		{"{'passive':true}", "flat 0", 5},
		{"{'state':'failed'}", "flat 2", 1},
		{"{'state':'read'}", "flat 0", 2},
		{"{'state':'never'}", "cellar", 1},
		{"{'state':'never','passive':true}", "cellar", 2},
		{"{'bus':'b'}", "cellar", 1},
		{"{'bus':''}", "flat 0", 3},
		{"{'bus':'b','state':'failed'}", NULL, 0},
		{"{'meter':'off'}", "off", 1},
	};
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		json_t *list = rig_call(rig, "meter.list", wanted[i].params, 0);
		const json_t *first = json_array_get(json_object_get(list, "meters"), 0);
		const char *moid = json_string_value(json_object_get(first, "moid"));
		assert_int_equal(
			json_integer_value(json_object_get(list, "total")), wanted[i].total);
		if (wanted[i].first)
			assert_string_equal(moid, wanted[i].first);
		json_decref(list);
	}
	json_t *list = rig_call(rig, "meter.list", "{'limit':1}", 0);
	json_t *expected = json_pack("{s:i, s:i, s:i}", "never", 1, "read", 2, "failed", 1);
	assert_true(json_equal(json_object_get(list, "readouts"), expected));
	json_decref(expected);
	json_decref(list);
}

static void a_failure_is_told_with_its_reason(void **state)
{
	struct rig *rig = *state;
	list_without_the_last(rig);
	rig_graph(rig, "'interface':'sim:2'");
	round_of(rig);
	json_t *one = rig_call(rig, "meter.readout", "{'meter':'flat 2'}", 0);
	const json_t *readout = json_object_get(json_object_get(one, "meter"), "readout");
	const char *state_name = NULL, *reason = NULL, *text = NULL, *tried = NULL;
	json_int_t failures = 0;
	assert_int_equal(json_unpack((json_t *)(uintptr_t)readout, "{s:s, s:s, s:s, s:s, s:I}",
				 "state", &state_name, "reason", &reason, "text", &text, "tried",
				 &tried, "failures", &failures),
		0);
	assert_string_equal(state_name, "failed");
	assert_string_equal(reason, "timeout");
	assert_string_equal(text, "it did not answer");
	assert_int_equal(failures, 1);
	assert_null(json_object_get(readout, "read"));
	const json_t *recent = json_array_get(json_object_get(one, "recent"), 0);
	assert_string_equal(json_string_value(json_object_get(recent, "result")), "timeout");
	assert_string_equal(json_string_value(json_object_get(recent, "time")), tried);
	json_decref(one);
	one = rig_call(rig, "meter.readout", "{'meter':'nobody'}", 0);
	assert_non_null(json_object_get(one, "error"));
	json_decref(one);
}

/* ---- Restarts and kills ---- */

static int run_child(const char *command)
{
	return system(command); /* NOLINT(cert-env33-c): a test's own directory */
}

struct place {
	char data[64], copy[64];
};

static void make_place(struct place *place)
{
	(void)snprintf(place->data, sizeof place->data, "/tmp/readouts-XXXXXX");
	assert_non_null(mkdtemp(place->data));
	(void)snprintf(place->copy, sizeof place->copy, "%s-killed", place->data);
}

static void remove_place(const struct place *place)
{
	char command[256];
	(void)snprintf(command, sizeof command, "rm -rf '%s' '%s'", place->data, place->copy);
	assert_int_equal(run_child(command), 0);
}

/* The data directory as a kill leaves it: what was committed is in its files. */
static void kill_into_copy(const struct place *place)
{
	char command[256];
	(void)snprintf(command, sizeof command, "rm -rf '%s'; cp -r '%s' '%s'", place->copy,
		place->data, place->copy);
	assert_int_equal(run_child(command), 0);
}

static struct rig *restart(const char *data, struct rig *before)
{
	struct rig *rig = rig_new_at(data, ml_clock_wall(before->clock) + ML_MINUTE);
	memcpy(rig->points, before->points, sizeof rig->points);
	return rig;
}

static void expect_same(const struct meter_readout *a, const struct meter_readout *b)
{
	assert_int_equal(a->state, b->state);
	assert_int_equal(a->result, b->result);
	assert_int_equal(a->telegrams, b->telegrams);
	assert_int_equal(a->tries, b->tries);
	assert_int_equal(a->failures, b->failures);
	assert_true(a->tried == b->tried && a->read == b->read);
	assert_true(a->failed_since == b->failed_since && a->took == b->took);
}

/* A gateway that keeps what it knows: two meters that answer, and one that does not. */
static struct rig *begin(struct place *place)
{
	make_place(place);
	struct rig *rig = rig_new_at(place->data, INT64_C(1790000000) * ML_SEC);
	list_without_the_last(rig);
	rig_graph(rig, "'interface':'sim:2'");
	return rig;
}

static void states_outlive_a_restart(void **state)
{
	struct place place;
	(void)state;
	struct rig *rig = begin(&place);
	for (int i = 0; i < 5; i++)
		round_of(rig);
	const struct meter_readout good = readout_of(rig, 0), bad = readout_of(rig, 2);
	/* An orderly end keeps the times too. */
	const ml_time wall = ml_clock_wall(rig->clock);
	uint32_t points[3];
	memcpy(points, rig->points, sizeof points);
	rig_free(rig);
	struct rig *next = rig_new_at(place.data, wall + ML_MINUTE);
	memcpy(next->points, points, sizeof points);
	struct meter_readout now = readout_of(next, 0);
	expect_same(&now, &good);
	now = readout_of(next, 2);
	expect_same(&now, &bad);
	assert_int_equal(now.failures, 5);
	rig_free(next);
	remove_place(&place);
}

static void kinds_outlive_a_kill(void **state)
{
	struct place place;
	(void)state;
	struct rig *rig = begin(&place);
	round_of(rig);
	const struct meter_readout first = readout_of(rig, 0);
	round_of(rig); /* changes nothing but times */
	kill_into_copy(&place);
	struct rig *killed = restart(place.copy, rig);
	struct meter_readout now = readout_of(killed, 0);
	assert_int_equal(now.state, METER_READOUT_READ);
	assert_true(now.read == first.read);
	now = readout_of(killed, 2);
	assert_int_equal(now.state, METER_READOUT_FAILED);
	assert_int_equal(now.result, METER_FRAME_TIMEOUT);
	rig_free(killed);
	/* Times are written four times an hour. */
	for (int i = 0; i < 16; i++)
		round_of(rig);
	kill_into_copy(&place);
	killed = restart(place.copy, rig);
	assert_true(readout_of(killed, 0).read > ml_clock_wall(rig->clock) - 16 * ML_MINUTE);
	rig_free(killed);
	rig_free(rig);
	remove_place(&place);
}

static void a_removed_point_takes_its_state_along(void **state)
{
	struct place place;
	(void)state;
	struct rig *rig = begin(&place);
	round_of(rig);
	json_decref(rig_call(rig, "meter.remove", "{'meter':'flat 0'}", 0));
	for (int i = 0; i < 16; i++)
		round_of(rig);
	assert_int_equal(readout_of(rig, 0).state, METER_READOUT_NEVER);
	assert_int_equal(readout_of(rig, 1).state, METER_READOUT_READ);
	kill_into_copy(&place);
	struct rig *killed = restart(place.copy, rig);
	assert_int_equal(readout_of(killed, 0).state, METER_READOUT_NEVER);
	assert_int_equal(readout_of(killed, 1).state, METER_READOUT_READ);
	rig_free(killed);
	rig_free(rig);
	remove_place(&place);
}

static void what_cannot_be_written_is_written_with_the_next_round(void **state)
{
	struct place place;
	char file[128];
	sqlite3 *db = NULL;
	(void)state;
	struct rig *rig = begin(&place);
	(void)snprintf(file, sizeof file, "%s/meterloom.db", place.data);
	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db, "ALTER TABLE meter_readout RENAME TO away", NULL, NULL, NULL),
		SQLITE_OK);
	round_of(rig);
	assert_int_equal(readout_of(rig, 0).state, METER_READOUT_READ);
	assert_int_equal(
		sqlite3_exec(db, "ALTER TABLE away RENAME TO meter_readout", NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	round_of(rig);
	kill_into_copy(&place);
	struct rig *killed = restart(place.copy, rig);
	assert_int_equal(readout_of(killed, 0).state, METER_READOUT_READ);
	assert_int_equal(readout_of(killed, 2).failures, 2);
	rig_free(killed);
	rig_free(rig);
	remove_place(&place);
}

static void a_dead_meter_is_known_after_a_restart(void **state)
{
	struct place place;
	(void)state;
	struct rig *rig = begin(&place);
	for (int i = 0; i < 3; i++)
		round_of(rig);
	const ml_time slow = readout_of(rig, 2).took;
	kill_into_copy(&place);
	/* Kinds were written at the first round, so that one failure is known. */
	struct rig *killed = restart(place.copy, rig);
	assert_int_equal(readout_of(killed, 2).failures, 1);
	rig_free(killed);
	const ml_time wall = ml_clock_wall(rig->clock);
	uint32_t points[3];
	memcpy(points, rig->points, sizeof points);
	rig_free(rig);
	rig = rig_new_at(place.data, wall);
	memcpy(rig->points, points, sizeof points);
	rig_graph(rig, "'interface':'sim:2'");
	const size_t told = rig_events(rig, "readout-failed");
	round_of(rig);
	/* One try, and no news. */
	assert_true(readout_of(rig, 2).took < slow / 2);
	assert_int_equal(readout_of(rig, 2).failures, 4);
	assert_int_equal(rig_events(rig, "readout-failed"), told);
	assert_int_equal(rig->ends[0].failed, 1);
	/* It comes back by itself. */
	rig_graph(rig, "'interface':'sim:3'");
	round_of(rig);
	assert_int_equal(readout_of(rig, 2).state, METER_READOUT_READ);
	assert_int_equal(rig_events(rig, "meter-back"), 1);
	rig_free(rig);
	remove_place(&place);
}

/* ---- The clock ---- */

static void times_before_the_clock_was_right_are_put_right(void **state)
{
	(void)state;
	struct rig *rig = rig_new_at(NULL, 0);
	list_without_the_last(rig);
	rig_graph(rig, "'interface':'sim:2'");
	round_of(rig);
	const struct meter_readout before = readout_of(rig, 0);
	const ml_time passed = ml_clock_monotonic(rig->clock);
	assert_int_equal(before.state, METER_READOUT_READ);
	ml_time right = 0;
	assert_true(ml_time_parse("2026-05-01T12:00:00Z", 20, &right));
	ml_clock_set_wall(rig->clock, right);
	rig_pass(rig, ML_MINUTE);
	const struct meter_readout after = readout_of(rig, 0);
	assert_true(after.read > right - passed && after.read < right);
	assert_true(after.tried == after.read);
	struct meter_readout_end end;
	assert_int_equal(
		meter_readouts_recent(meter_readouts(rig->engine), rig->points[0], &end, 1), 1);
	assert_true(end.time == after.read);
	rig_free(rig);
}

/* ---- Threads ---- */

enum { TELLERS = 3, TOLD = 20000, TOLD_POINTS = 8 };

struct teller {
	struct meter_readouts *readouts;
	uint32_t point; /* the first of its own */
};

static void *tell(void *user)
{
	const struct teller *teller = user;
	for (unsigned i = 1; i <= TOLD; i++) {
		const uint16_t number = (uint16_t)i;
		const struct meter_readout_end end = {.point = teller->point + i % TOLD_POINTS,
			.result = METER_FRAME_OK,
			.telegrams = number,
			.tries = number,
			.time = INT64_C(1790000000) * ML_SEC + i,
			.took = i};
		meter_readouts_tell(teller->readouts, &end);
		if (i % 100 == 0)
			meter_readouts_settle(teller->readouts);
	}
	return NULL;
}

static void any_thread_may_tell_and_ask(void **state)
{
	(void)state;
	struct rig *rig = rig_new(false);
	struct meter_readouts *readouts = meter_readouts(rig->engine);
	pthread_t threads[TELLERS];
	struct teller tellers[TELLERS];
	for (uint32_t i = 0; i < TELLERS; i++) {
		tellers[i] = (struct teller){readouts, 1 + i * TOLD_POINTS};
		assert_int_equal(pthread_create(&threads[i], NULL, tell, &tellers[i]), 0);
	}
	/* What is seen is of one readout, never half of two. */
	while (meter_readouts_revision(readouts) < TELLERS * TOLD) {
		for (uint32_t point = 1; point <= TELLERS * TOLD_POINTS; point++) {
			struct meter_readout_end ends[METER_READOUT_RECENT_MAX];
			struct meter_readout seen;
			meter_readouts_get(readouts, point, &seen);
			assert_int_equal(seen.telegrams, seen.tries);
			assert_int_equal((uint16_t)seen.took, seen.tries);
			const size_t count = meter_readouts_recent(
				readouts, point, ends, METER_READOUT_RECENT_MAX);
			for (size_t i = 0; i + 1 < count; i++)
				assert_true(ends[i].took == ends[i + 1].took + TOLD_POINTS);
		}
	}
	for (size_t i = 0; i < TELLERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	rig_free(rig);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(nobody_tried_before_the_first_round),
		TEST(the_state_tells_how_the_last_try_went),
		TEST(a_meter_that_comes_back_is_read_again),
		TEST(a_round_that_is_cancelled_changes_no_state),
		TEST(the_continuous_readout_counts_too),
		TEST(the_list_is_filtered_by_state_and_bus),
		TEST(a_failure_is_told_with_its_reason),
#undef TEST
		cmocka_unit_test(states_outlive_a_restart),
		cmocka_unit_test(kinds_outlive_a_kill),
		cmocka_unit_test(a_removed_point_takes_its_state_along),
		cmocka_unit_test(what_cannot_be_written_is_written_with_the_next_round),
		cmocka_unit_test(a_dead_meter_is_known_after_a_restart),
		cmocka_unit_test(any_thread_may_tell_and_ask),
		cmocka_unit_test(times_before_the_clock_was_right_are_put_right),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
