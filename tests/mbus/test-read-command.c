/* meter.read and what it stands on: one meter, all, over two buses, with rows, progress and an end
 * before its time; and the events of rounds. SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <meterloom/command.h>

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

static void apply(struct rig *rig, const char *graph)
{
	struct ml_errors errors = {0};
	char text[2000];
	(void)snprintf(text, sizeof text, "%s", graph);
	for (char *at = text; *at; at++)
		if (*at == '\'')
			*at = '"';
	if (ml_engine_apply(rig->engine, text, strlen(text), &errors) < 0)
		fail_msg("%s: %s", errors.items[0].pointer, errors.items[0].text);
	ml_errors_free(&errors);
}

/* Two buses that are read one beside the other: "" with the meters 0 to 2 and "b" with 3 to 5. */
static void two_buses(struct rig *rig)
{
	static const struct sim_options options = {.meters = 6, .seed = 1, .baud = 2400};
	rig_list(rig, &options, 6, METER_MODE_SECONDARY);
	for (size_t i = 3; i < 6; i++) {
		char params[80];
		(void)snprintf(params, sizeof params, "{'meter':'flat %zu','bus':'b'}", i);
		json_decref(rig_call(rig, "meter.change", params, 0));
	}
	apply(rig, "{'meterloom':1,'name':'t','nodes':[{'id':'go','type':'prod'},"
		   "{'id':'bus','type':'mbus-source','params':{'interface':'sim:6'}},"
		   "{'id':'other','type':'mbus-source',"
		   "'params':{'interface':'sim:meters=6&delay=40','bus':'b'}},"
		   "{'id':'taker','type':'taker'}],"
		   "'edges':[{'from':'go','to':'bus'},{'from':'go','to':'other'},"
		   "{'from':'bus','to':'taker'},{'from':'other','to':'taker'}]}");
	rig_pass(rig, ML_SEC);
}

/* A call that is watched. */
struct watch {
	bool ended;
	int code;
	json_t *result; /* or of a failure the detail; owned */
	char error[300];
	json_t *rows; /* owned */
	uint64_t done, total;
	unsigned progress;
	bool went_back;
};

static void on_done(void *user, const struct ml_outcome *outcome)
{
	struct watch *watch = user;
	watch->ended = true;
	watch->code = outcome->code;
	if (outcome->code == 0)
		watch->result = json_loadb(outcome->result, outcome->result_length, 0, NULL);
	else if (outcome->detail)
		watch->result = json_loads(outcome->detail, 0, NULL);
	if (outcome->code < 0)
		(void)snprintf(watch->error, sizeof watch->error, "%s", outcome->errors[0].text);
}

static void on_progress(void *user, uint64_t done, uint64_t total, const char *text)
{
	struct watch *watch = user;
	(void)text;
	watch->went_back = watch->went_back || done < watch->done;
	watch->done = done;
	watch->total = total;
	watch->progress++;
}

static void on_row(void *user, const char *json, size_t length)
{
	struct watch *watch = user;
	json_t *row = json_loadb(json, length, 0, NULL);
	assert_non_null(row);
	assert_int_equal(json_array_append_new(watch->rows, row), 0);
}

static uint64_t begin(struct rig *rig, struct watch *watch, const char *params)
{
	char text[300];
	(void)snprintf(text, sizeof text, "%s", params);
	for (char *at = text; *at; at++)
		if (*at == '\'')
			*at = '"';
	json_t *json = json_loads(text, 0, NULL);
	assert_non_null(json);
	*watch = (struct watch){.rows = json_array()};
	const struct ml_call call = {
		.command = "meter.read",
		.params = json,
		.role = ML_ROLE_OPERATE,
		.done = on_done,
		.progress = on_progress,
		.row = on_row,
		.user_data = watch,
		.lane = ml_engine_lane(rig->engine, "control"),
	};
	const uint64_t job = ml_command_call(rig->engine, &call);
	assert_true(job != 0);
	json_decref(json);
	return job;
}

static void await(struct rig *rig, struct watch *watch)
{
	for (int i = 0; !watch->ended && i < 600; i++)
		rig_pass(rig, 100 * ML_MSEC);
	assert_true(watch->ended);
}

static void read_meters(struct rig *rig, struct watch *watch, const char *params)
{
	(void)begin(rig, watch, params);
	await(rig, watch);
}

static void drop(struct watch *watch)
{
	json_decref(watch->result);
	json_decref(watch->rows);
}

static int number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	assert_true(json_is_integer(value));
	return (int)json_integer_value(value);
}

static const json_t *row_of(const struct watch *watch, const char *moid)
{
	size_t i;
	json_t *row;
	json_array_foreach(watch->rows, i, row)
	{
		if (strcmp(json_string_value(json_object_get(row, "moid")), moid) == 0)
			return row;
	}
	fail_msg("no row of %s", moid);
	return NULL;
}

static void expect_text(const json_t *object, const char *key, const char *text)
{
	assert_string_equal(json_string_value(json_object_get(object, key)), text);
}

/* ---- meter.read ---- */

static void all_buses_are_read_side_by_side(void **state)
{
	struct rig *rig = *state;
	struct watch watch;
	two_buses(rig);
	read_meters(rig, &watch, "{}");
	assert_int_equal(watch.code, 0);
	assert_int_equal(number(watch.result, "meters"), 6);
	assert_int_equal(number(watch.result, "read"), 6);
	assert_int_equal(number(watch.result, "failed"), 0);
	const json_t *buses = json_object_get(watch.result, "buses");
	assert_int_equal(json_array_size(buses), 2);
	double longest = 0, sum = 0;
	for (size_t i = 0; i < 2; i++) {
		const json_t *result = json_object_get(json_array_get(buses, i), "result");
		const double seconds = json_number_value(json_object_get(result, "seconds"));
		assert_int_equal(number(result, "read"), 3);
		longest = seconds > longest ? seconds : longest;
		sum += seconds;
	}
	const double took = json_number_value(json_object_get(watch.result, "seconds"));
	assert_true(took >= longest && took < sum * 0.8);
	assert_int_equal(json_array_size(watch.rows), 6);
	assert_int_equal(json_array_size(json_object_get(watch.result, "unserved")), 0);
	const json_t *row = row_of(&watch, "flat 4");
	expect_text(row, "bus", "b");
	expect_text(row, "result", "read");
	assert_null(json_object_get(row, "reason"));
	assert_true(number(row, "values") > 3);
	assert_int_equal(number(row, "telegrams"), 1);
	assert_int_equal(number(row, "point"), rig->points[4]);
	assert_true(json_number_value(json_object_get(row, "seconds")) > 0.1);
	assert_true(watch.progress > 2 && !watch.went_back);
	assert_true(watch.done >= 3);
	assert_int_equal(watch.total, 6);
	/* What comes is stored as in any round. */
	assert_int_equal(rig->frame_count, 6);
	assert_int_equal(rig->end_count, 2);
	drop(&watch);
}

static void one_is_read_by_name_also_a_passive_one(void **state)
{
	struct rig *rig = *state;
	struct watch watch;
	two_buses(rig);
	json_decref(rig_call(rig, "meter.change", "{'meter':'flat 4','state':'passive'}", 0));
	read_meters(rig, &watch, "{'meter':'flat 4'}");
	assert_int_equal(number(watch.result, "read"), 1);
	assert_int_equal(json_array_size(watch.rows), 1);
	assert_int_equal(rig->frame_count, 1);
	assert_true(rig->frames[0].head.point == rig->points[4]);
	drop(&watch);
	/* It is none of all. */
	read_meters(rig, &watch, "{}");
	assert_int_equal(number(watch.result, "read"), 5);
	drop(&watch);
	read_meters(rig, &watch, "{'meter':'nobody'}");
	assert_int_equal(watch.code, -ENOENT);
	assert_non_null(strstr(watch.error, "no meter \"nobody\""));
	drop(&watch);
}

static void failed_ones_are_told_and_read_again_by_their_state(void **state)
{
	struct rig *rig = *state;
	struct watch watch;
	two_buses(rig);
	json_decref(rig_call(
		rig, "meter.add", "{'moid':'dead','bus':'b','mode':'primary','primary':99}", 0));
	read_meters(rig, &watch, "{'state':'failed'}");
	assert_int_equal(watch.code, 0);
	assert_int_equal(number(watch.result, "meters"), 0);
	drop(&watch);
	read_meters(rig, &watch, "{}");
	assert_int_equal(number(watch.result, "read"), 6);
	assert_int_equal(number(watch.result, "failed"), 1);
	const json_t *row = row_of(&watch, "dead");
	expect_text(row, "result", "failed");
	expect_text(row, "reason", "timeout");
	expect_text(row, "text", "it did not answer");
	expect_text(row, "address", "99");
	assert_int_equal(number(row, "values"), 0);
	drop(&watch);
	rig->frame_count = 0;
	read_meters(rig, &watch, "{'state':'failed'}");
	assert_int_equal(number(watch.result, "meters"), 1);
	assert_int_equal(number(watch.result, "failed"), 1);
	assert_int_equal(json_array_size(json_object_get(watch.result, "buses")), 1);
	assert_int_equal(rig->frame_count, 1);
	drop(&watch);
	read_meters(rig, &watch, "{'bus':'b'}");
	assert_int_equal(number(watch.result, "meters"), 4);
	drop(&watch);
}

static void cancelling_ends_all_buses_soon_and_tells_what_was_read(void **state)
{
	struct rig *rig = *state;
	struct watch watch;
	struct ml_error err = ML_ERROR_NONE;
	two_buses(rig);
	const uint64_t job = begin(rig, &watch, "{}");
	while (json_array_size(watch.rows) < 2)
		rig_pass(rig, 20 * ML_MSEC);
	assert_false(watch.ended);
	assert_int_equal(ml_command_cancel(rig->engine, job, &err), 0);
	rig_pass(rig, 100 * ML_MSEC);
	assert_true(watch.ended);
	assert_int_equal(watch.code, -ECANCELED);
	assert_true(json_array_size(watch.rows) < 6);
	const json_t *buses = json_object_get(watch.result, "buses");
	assert_int_equal(json_array_size(buses), 2);
	int read = 0;
	for (size_t i = 0; i < 2; i++)
		read += number(json_object_get(json_array_get(buses, i), "detail"), "read");
	assert_int_equal(read, json_array_size(watch.rows));
	assert_int_equal(read, rig->frame_count);
	for (size_t i = 0; i < rig->frame_count; i++)
		assert_int_equal(rig->frames[i].head.result, METER_FRAME_OK);
	/* Who was not read is as before. */
	unsigned never = 0;
	for (size_t i = 0; i < 6; i++) {
		struct meter_readout readout;
		meter_readouts_get(meter_readouts(rig->engine), rig->points[i], &readout);
		assert_true(readout.state != METER_READOUT_FAILED);
		never += readout.state == METER_READOUT_NEVER;
	}
	assert_int_equal(never, 6 - read);
	drop(&watch);
	read_meters(rig, &watch, "{}");
	assert_int_equal(number(watch.result, "read"), 6);
	drop(&watch);
}

static void meters_that_no_node_reads_are_told(void **state)
{
	struct rig *rig = *state;
	struct watch watch;
	two_buses(rig);
	json_decref(rig_call(
		rig, "meter.add", "{'moid':'far','bus':'attic','mode':'primary','primary':9}", 0));
	read_meters(rig, &watch, "{}");
	assert_int_equal(number(watch.result, "read"), 6);
	const json_t *unserved = json_array_get(json_object_get(watch.result, "unserved"), 0);
	expect_text(unserved, "bus", "attic");
	assert_int_equal(number(unserved, "meters"), 1);
	drop(&watch);
	read_meters(rig, &watch, "{'meter':'far'}");
	assert_int_equal(watch.code, -ENOENT);
	assert_non_null(strstr(watch.error, "no running node reads the bus \"attic\""));
	drop(&watch);
	read_meters(rig, &watch, "{'bus':'cellar'}");
	assert_int_equal(watch.code, -ENOENT);
	assert_non_null(strstr(watch.error, "no active meter on this bus"));
	drop(&watch);
}

static void a_meter_of_several_telegrams_tells_all_its_values(void **state)
{
	struct rig *rig = *state;
	const struct sim_options options = SIM_OPTIONS_NONE;
	struct watch watch;
	rig_list(rig, &options, 20, -1);
	rig_graph(rig, "'interface':'sim:20'");
	rig_pass(rig, ML_SEC);
	read_meters(rig, &watch, "{}");
	assert_int_equal(json_array_size(watch.rows), 20);
	int telegrams = 0;
	size_t i;
	json_t *row;
	json_array_foreach(watch.rows, i, row)
	{
		telegrams += number(row, "telegrams");
		assert_true(number(row, "values") > 0);
	}
	assert_int_equal(telegrams, 21);
	drop(&watch);
}

/* ---- While a round runs ---- */

static void ten_slow_meters(struct rig *rig)
{
	static const struct sim_options options = {.meters = 10, .seed = 1, .baud = 300};
	rig_list(rig, &options, 10, METER_MODE_PRIMARY);
	rig_graph(rig, "'interface':'sim:meters=10&baud=300','baud':300");
	rig_pass(rig, ML_SEC);
	rig_trigger(rig);
	rig_pass(rig, 20 * ML_SEC);
	assert_int_equal(rig->begin_count, 1);
	assert_int_equal(rig->end_count, 0);
}

static void one_that_is_wanted_now_comes_between_two_of_the_round(void **state)
{
	struct rig *rig = *state;
	struct watch watch;
	ten_slow_meters(rig);
	const size_t before = rig->frame_count;
	assert_true(before > 0 && before < 6);
	read_meters(rig, &watch, "{'meter':'flat 9'}");
	assert_int_equal(watch.code, 0);
	assert_int_equal(number(watch.result, "read"), 1);
	assert_int_equal(json_array_size(watch.rows), 1);
	/* The meter that was being read, and this one; the round has not ended. */
	assert_int_equal(rig->end_count, 0);
	assert_true(rig->frame_count <= before + 2);
	const struct rig_frame *frame = &rig->frames[rig->frame_count - 1];
	assert_true(frame->head.point == rig->points[9] && frame->head.round == 0);
	drop(&watch);
	rig_pass(rig, 2 * ML_MINUTE);
	assert_int_equal(rig->begin_count, 1);
	assert_int_equal(rig->end_count, 1);
	assert_int_equal(rig->ends[0].read, 10);
	assert_int_equal(rig->ends[0].failed, 0);
	unsigned of_round = 0;
	for (size_t i = 0; i < rig->frame_count; i++)
		of_round += rig->frames[i].head.round == rig->begins[0].id &&
			    (rig->frames[i].head.flags & METER_FRAME_LAST) != 0;
	assert_int_equal(of_round, 10);
}

static void a_round_gets_on_whatever_is_wanted_between(void **state)
{
	struct rig *rig = *state;
	struct watch watches[6];
	ten_slow_meters(rig);
	const size_t before = rig->frame_count;
	for (size_t i = 0; i < 6; i++)
		(void)begin(rig, &watches[i], "{'meter':'flat 9'}");
	for (size_t i = 0; i < 6; i++)
		await(rig, &watches[i]);
	/* By turns: each of these, and one of the round. */
	unsigned of_round = 0, between = 0;
	for (size_t i = before; i < rig->frame_count; i++) {
		of_round += rig->frames[i].head.round != 0;
		between += rig->frames[i].head.round == 0;
	}
	assert_int_equal(between, 6);
	assert_true(of_round >= 5);
	for (size_t i = 0; i < 6; i++)
		drop(&watches[i]);
}

static void until_it_begins(struct rig *rig, const struct watch *watch)
{
	for (int i = 0; watch->progress == 0 && i < 300; i++)
		rig_pass(rig, 100 * ML_MSEC);
	assert_true(watch->progress > 0 && !watch->ended);
}

static void what_comes_between_is_cancelled_by_itself(void **state)
{
	struct rig *rig = *state;
	struct watch watch, round;
	struct ml_error err = ML_ERROR_NONE;
	ten_slow_meters(rig);
	uint64_t job = begin(rig, &watch, "{'meter':'flat 9'}");
	until_it_begins(rig, &watch);
	assert_int_equal(ml_command_cancel(rig->engine, job, &err), 0);
	rig_pass(rig, ML_SEC);
	assert_true(watch.ended);
	assert_int_equal(watch.code, -ECANCELED);
	drop(&watch);
	rig_pass(rig, 3 * ML_MINUTE);
	assert_int_equal(rig->end_count, 1);
	assert_int_equal(rig->ends[0].read, 10);
	/* And the round while something comes between. */
	job = begin(rig, &round, "{}");
	until_it_begins(rig, &round);
	(void)begin(rig, &watch, "{'meter':'flat 9'}");
	until_it_begins(rig, &watch);
	assert_int_equal(ml_command_cancel(rig->engine, job, &err), 0);
	await(rig, &watch);
	await(rig, &round);
	assert_int_equal(watch.code, 0);
	assert_int_equal(round.code, -ECANCELED);
	assert_true(json_array_size(round.rows) < 3);
	drop(&watch);
	drop(&round);
}

static void a_node_that_stops_ends_all_jobs(void **state)
{
	struct rig *rig = *state;
	struct watch round, one, waits;
	ten_slow_meters(rig);
	rig_pass(rig, 3 * ML_MINUTE);
	(void)begin(rig, &round, "{}");
	(void)begin(rig, &waits, "{}");
	rig_pass(rig, 8 * ML_SEC);
	(void)begin(rig, &one, "{'meter':'flat 1'}");
	rig_pass(rig, 4 * ML_SEC);
	apply(rig, "{'meterloom':1,'name':'t','nodes':[],'edges':[]}");
	rig_pass(rig, ML_MINUTE);
	assert_true(round.ended && one.ended && waits.ended);
	assert_true(round.code < 0 && waits.code < 0);
	drop(&round);
	drop(&one);
	drop(&waits);
}

/* ---- Events ---- */

static void each_round_with_another_outcome_is_an_event(void **state)
{
	struct rig *rig = *state;
	const struct sim_options listed = {.meters = 8, .seed = 1, .baud = 2400};
	rig_list(rig, &listed, 5, METER_MODE_PRIMARY);
	rig_graph(rig, "'interface':'sim:5'");
	rig_trigger(rig);
	rig_pass(rig, ML_MINUTE);
	assert_int_equal(rig_events(rig, "round-ended"), 1);
	assert_int_equal(rig_events(rig, "round-incomplete"), 0);
	json_decref(rig_call(rig, "meter.add", "{'moid':'dead','mode':'primary','primary':99}", 0));
	rig_trigger(rig);
	rig_pass(rig, ML_MINUTE);
	assert_int_equal(rig_events(rig, "round-incomplete"), 1);
	json_t *events = rig_call(rig, "event.list", "{'code':'round-incomplete'}", 0);
	const json_t *event = json_array_get(events, 0);
	expect_text(event, "severity", "warning");
	const json_t *arguments = json_object_get(event, "arguments");
	expect_text(arguments, "read", "5");
	expect_text(arguments, "failed", "1");
	expect_text(arguments, "meters", "6");
	expect_text(arguments, "names", "dead (99)");
	assert_non_null(
		strstr(json_string_value(json_object_get(event, "text")), "5 of 6 meters read in"));
	json_decref(events);
}

static void rounds_each_minute_are_few_events(void **state)
{
	struct rig *rig = *state;
	const struct sim_options listed = {.meters = 8, .seed = 1, .baud = 2400};
	rig_list(rig, &listed, 2, METER_MODE_PRIMARY);
	json_decref(
		rig_call(rig, "meter.add", "{'moid':'flaky','mode':'primary','primary':99}", 0));
	rig_graph(rig, "'interface':'sim:2'");
	/* All read and some failed, by turns: as bad as it can be. */
	for (int i = 0; i < 120; i++) {
		json_decref(rig_call(rig, "meter.change",
			i % 2 ? "{'meter':'flaky','state':'passive'}"
			      : "{'meter':'flaky','state':'active'}",
			0));
		rig_trigger(rig);
		rig_pass(rig, ML_MINUTE);
	}
	assert_int_equal(rig->end_count, 120);
	const size_t events = rig_events(rig, "round-ended") + rig_events(rig, "round-incomplete");
	assert_in_range(events, 8, 18);
}

static void reading_some_is_no_round_of_the_bus(void **state)
{
	struct rig *rig = *state;
	struct watch watch;
	two_buses(rig);
	read_meters(rig, &watch, "{'meter':'flat 1'}");
	drop(&watch);
	assert_int_equal(rig_events(rig, "round-ended"), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(all_buses_are_read_side_by_side),
		TEST(one_is_read_by_name_also_a_passive_one),
		TEST(failed_ones_are_told_and_read_again_by_their_state),
		TEST(cancelling_ends_all_buses_soon_and_tells_what_was_read),
		TEST(meters_that_no_node_reads_are_told),
		TEST(a_meter_of_several_telegrams_tells_all_its_values),
		TEST(one_that_is_wanted_now_comes_between_two_of_the_round),
		TEST(a_round_gets_on_whatever_is_wanted_between),
		TEST(what_comes_between_is_cancelled_by_itself),
		TEST(a_node_that_stops_ends_all_jobs),
		TEST(each_round_with_another_outcome_is_an_event),
		TEST(rounds_each_minute_are_few_events),
		TEST(reading_some_is_no_round_of_the_bus),
#undef TEST
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
