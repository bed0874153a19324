/* Installing meters on the simulated clock: each of a list is contacted, and what it is to the list
 * is told row by row. SPDX-License-Identifier: Apache-2.0
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

static const struct sim_options six = {.meters = 6, .seed = 5, .baud = 2400};

static int setup(void **state)
{
	*state = rig_new(true);
	return 0;
}

static int teardown(void **state)
{
	rig_free(*state);
	return 0;
}

/* ---- Calls with their rows ---- */

struct called {
	uint64_t job;
	bool done;
	int code;
	json_t *result; /* or of a failure its detail; may be NULL */
	json_t *rows;
	char text[300]; /* of the first error */
	uint64_t progress, total;
};

static void on_row(void *user, const char *json, size_t length)
{
	struct called *called = user;
	json_t *row = json_loadb(json, length, JSON_DECODE_ANY, NULL);
	assert_non_null(row);
	assert_int_equal(json_array_append_new(called->rows, row), 0);
}

static void on_progress(void *user, uint64_t done, uint64_t total, const char *text)
{
	struct called *called = user;
	(void)text;
	assert_true(done <= total);
	called->progress = done;
	called->total = total;
}

static void on_done(void *user, const struct ml_outcome *outcome)
{
	struct called *called = user;
	const char *text = outcome->code == 0 ? outcome->result : outcome->detail;
	called->done = true;
	called->code = outcome->code;
	called->result = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
	if (outcome->error_count)
		(void)snprintf(called->text, sizeof called->text, "%s", outcome->errors[0].text);
}

static struct called *call(struct rig *rig, const char *command, json_t *params)
{
	struct called *called = calloc(1, sizeof *called);
	assert_non_null(called);
	assert_non_null(params);
	called->rows = json_array();
	const struct ml_call how = {
		.command = command,
		.params = params,
		.role = ML_ROLE_ADMIN,
		.done = on_done,
		.progress = on_progress,
		.row = on_row,
		.user_data = called,
		.lane = ml_engine_lane(rig->engine, "control"),
	};
	called->job = ml_command_call(rig->engine, &how);
	assert_true(called->job != 0);
	json_decref(params);
	return called;
}

static void await(struct rig *rig, struct called *called, ml_time within)
{
	for (ml_time passed = 0; !called->done && passed < within; passed += 50 * ML_MSEC)
		rig_pass(rig, 50 * ML_MSEC);
	assert_true(called->done);
}

static struct called *install(struct rig *rig, json_t *params)
{
	struct called *called = call(rig, "meter.install", params);
	await(rig, called, 10 * ML_MINUTE);
	return called;
}

static void forget(struct called *called)
{
	json_decref(called->rows);
	json_decref(called->result);
	free(called);
}

/* The result's member is that number. */
static void expect_count(const struct called *called, const char *key, json_int_t count)
{
	const json_int_t found = json_integer_value(json_object_get(called->result, key));
	if (found != count || called->code != 0)
		fail_msg("%s: %lld, expected %lld (%d %s)", key, found, count, called->code,
			called->text);
}

/* The row of a line of the file, or that of a point. */
static const json_t *row_of(const struct called *called, const char *key, json_int_t value)
{
	size_t i;
	const json_t *row, *found = NULL;
	json_array_foreach(called->rows, i, row)
	{
		if (json_integer_value(json_object_get(row, key)) != value)
			continue;
		assert_null(found);
		found = row;
	}
	assert_non_null(found);
	return found;
}

static const char *word(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));
	return text ? text : "";
}

static void expect_row(const json_t *row, const char *result, const char *text)
{
	if (strcmp(word(row, "result"), result) != 0 || !strstr(word(row, "text"), text))
		fail_msg("%s: %s, expected %s: %s", word(row, "result"), word(row, "text"), result,
			text);
}

static const struct meter_point *point_at(const struct meter_snapshot *snapshot, size_t i)
{
	assert_true(i < snapshot->point_count);
	return &snapshot->points[i];
}

static void expect_contacted(struct rig *rig, size_t place, const struct sim_meter *meter)
{
	const struct meter_snapshot *snapshot = meter_list_snapshot(rig->list);
	const struct meter_device *device = point_at(snapshot, place)->device;
	assert_non_null(device);
	assert_true(meter_identity_equal(device->identity, meter->identity));
	meter_snapshot_release(snapshot);
}

static size_t points_without_a_device(struct rig *rig)
{
	size_t count = 0;
	const struct meter_snapshot *snapshot = meter_list_snapshot(rig->list);
	for (size_t i = 0; i < snapshot->point_count; i++)
		count += !snapshot->points[i].device;
	meter_snapshot_release(snapshot);
	return count;
}

static json_t *with_csv(const char *csv)
{
	return json_pack("{s:s}", "csv", csv);
}

/* ---- Tests ---- */

static void a_file_is_contacted_row_by_row(void **state)
{
	struct rig *rig = *state;
	char csv[400], id[METER_ID_TEXT_MAX];
	rig_line(rig, &six);
	const struct sim_meter *by_number = sim_line_meter(rig->line, 2);
	assert_false(by_number->fixed);
	meter_id_format(by_number->identity.id, id);
	(void)snprintf(csv, sizeof csv,
		"Position;SecondaryAddress;PrimaryAddress;State\r\n"
		"Flat 1;;1;\r\nFlat 2;;2;\r\nFlat "
		"3;%s;;\r\nGone;;99;\r\nK\u00FCche;;5;passive\r\n",
		id);
	rig_graph(rig, "'interface':'rig:line'");
	struct called *called = install(rig, with_csv(csv));
	expect_count(called, "meters", 4);
	expect_count(called, "ok", 3);
	expect_count(called, "failed", 1);
	expect_count(called, "added", 5);
	expect_count(called, "passive", 1);
	assert_int_equal(json_array_size(called->rows), 5);
	const json_t *row = row_of(called, "line", 2);
	expect_row(row, "ok", "first time");
	assert_string_equal(word(row, "moid"), "Flat 1");
	assert_string_equal(word(row, "address"), "primary address 1");
	assert_int_equal(json_integer_value(json_object_get(row, "baud")), 2400);
	const json_t *meter = json_object_get(row_of(called, "line", 4), "meter");
	assert_string_equal(word(meter, "id"), id);
	expect_row(row_of(called, "line", 5), "failed",
		"did not answer at 2400 baud: look at its wiring");
	expect_row(row_of(called, "line", 6), "passive", "was not contacted");
	assert_int_equal(called->progress, 4);
	assert_int_equal(called->total, 4);
	forget(called);
	/* The list has it all; who did not answer stays in it. */
	expect_contacted(rig, 0, sim_line_meter(rig->line, 0));
	expect_contacted(rig, 1, sim_line_meter(rig->line, 1));
	expect_contacted(rig, 2, by_number);
	assert_int_equal(points_without_a_device(rig), 2);
	assert_int_equal(rig_events(rig, "meter-found"), 3);
}

static void more_telegrams_are_told(void **state)
{
	struct rig *rig = *state;
	const struct sim_options twenty = {.meters = 20, .seed = 5, .baud = 2400};
	unsigned more = 0;
	rig_line(rig, &twenty);
	rig_list(rig, &twenty, 20, METER_MODE_PRIMARY);
	rig_graph(rig, "'interface':'rig:line'");
	struct called *called = install(rig, json_object());
	expect_count(called, "meters", 20);
	for (size_t i = 0; i < 20; i++) {
		const struct sim_meter *meter = sim_line_meter(rig->line, i);
		const json_t *row = row_of(called, "point", rig->points[i]);
		const bool told = json_is_true(json_object_get(row, "more_telegrams"));
		assert_int_equal(told, meter->model->count > 1);
		more += told;
		/* The fixed structure has no whole identity. */
		assert_int_equal(json_is_null(json_object_get(row, "meter")), meter->fixed);
	}
	assert_true(more > 0 && more < 20);
	forget(called);
}

/* By whatever name. */
static void a_meter_named_twice_is_contacted_once(void **state)
{
	struct rig *rig = *state;
	char key[16];
	rig_line(rig, &six);
	rig_list(rig, &six, 2, METER_MODE_PRIMARY);
	rig_graph(rig, "'interface':'rig:line'");
	(void)snprintf(key, sizeof key, "#%u", rig->points[0]);
	struct called *called = install(
		rig, json_pack("{s:[s,s,s,s]}", "meters", "flat 0", "flat 1", key, "flat 1"));
	expect_count(called, "meters", 2);
	expect_count(called, "ok", 2);
	assert_int_equal(json_array_size(called->rows), 2);
	forget(called);
}

static void the_action_contacts_a_point_once(void **state)
{
	struct rig *rig = *state;
	rig_line(rig, &six);
	rig_list(rig, &six, 2, METER_MODE_PRIMARY);
	rig_graph(rig, "'interface':'rig:line'");
	struct called *called = call(rig, "node.action",
		json_pack("{s:s,s:s,s:{s:[i,i,i]}}", "node", "bus", "action", "install", "params",
			"points", (int)rig->points[1], (int)rig->points[0], (int)rig->points[1]));
	await(rig, called, 10 * ML_MINUTE);
	expect_count(called, "meters", 2);
	assert_int_equal(json_array_size(called->rows), 2);
	forget(called);
}

static void without_a_choice_those_never_contacted_are(void **state)
{
	struct rig *rig = *state;
	rig_line(rig, &six);
	rig_list(rig, &six, 4, METER_MODE_PRIMARY);
	rig_graph(rig, "'interface':'rig:line'");
	struct called *called = install(rig, json_pack("{s:[s]}", "meters", "flat 1"));
	expect_count(called, "meters", 1);
	forget(called);
	called = install(rig, json_object());
	expect_count(called, "meters", 3);
	expect_count(called, "ok", 3);
	forget(called);
	const size_t written = rig->written;
	called = install(rig, json_object());
	expect_count(called, "meters", 0);
	assert_non_null(json_object_get(called->result, "meters"));
	assert_non_null(json_object_get(called->result, "failed"));
	assert_int_equal(rig->written, written);
	forget(called);
	called = install(rig, json_pack("{s:[s]}", "meters", "flat 9"));
	assert_int_equal(called->code, -ENOENT);
	forget(called);
}

static void a_meter_at_another_rate_is_found_and_its_rate_kept(void **state)
{
	struct rig *rig = *state;
	const struct sim_options odd = {.meters = 2, .seed = 1, .baud = 2400, .odd_baud = 300};
	rig_line(rig, &odd);
	rig_list(rig, &odd, 2, METER_MODE_PRIMARY);
	rig_graph(rig, "'interface':'rig:line'");
	struct called *called = install(rig, json_object());
	expect_count(called, "ok", 1);
	expect_count(called, "failed", 1);
	forget(called);
	called = install(rig, json_pack("{s:[i,i,i]}", "bauds", 9600, 2400, 300));
	expect_count(called, "moved", 1);
	const json_t *row = json_array_get(called->rows, 0);
	expect_row(row, "moved", "with 2400 baud, answers at primary address 2 with 300 baud");
	assert_int_equal(json_integer_value(json_object_get(row, "baud")), 300);
	forget(called);
	const struct meter_snapshot *snapshot = meter_list_snapshot(rig->list);
	assert_int_equal(point_at(snapshot, 1)->settings.baud, 300);
	meter_snapshot_release(snapshot);
	called = install(rig, json_pack("{s:[i]}", "bauds", 1000));
	assert_int_equal(called->code, -EINVAL);
	forget(called);
	/* Nothing of the file is taken then. */
	called = install(rig, json_pack("{s:s,s:[i]}", "csv", "Position;PrimaryAddress\nflat 9;9\n",
				      "bauds", 1000));
	assert_int_equal(called->code, -EINVAL);
	forget(called);
	snapshot = meter_list_snapshot(rig->list);
	assert_int_equal(snapshot->point_count, 2);
	meter_snapshot_release(snapshot);
	called = install(rig, json_pack("{s:[s],s:[i]}", "meters", "flat 1", "bauds", 1000));
	assert_int_equal(called->code, -EINVAL);
	forget(called);
}

static void an_exchanged_meter_and_a_duplicate_are_told(void **state)
{
	struct rig *rig = *state;
	rig_line(rig, &six);
	rig_list(rig, &six, 4, METER_MODE_PRIMARY);
	rig_graph(rig, "'interface':'rig:line'");
	forget(install(rig, json_object()));
	/* Another one in flat 0; and the meter of flat 1 took the address of flat 2. */
	struct sim_meter *changed = sim_line_change_meter(rig->line, 0);
	changed->secondary[0] ^= 0x11;
	meter_identity_read(changed->secondary, &changed->identity);
	sim_line_change_meter(rig->line, 2)->primary = 99;
	sim_line_change_meter(rig->line, 1)->primary = 3;
	struct called *called =
		install(rig, json_pack("{s:[s,s,s]}", "meters", "flat 0", "flat 1", "flat 2"));
	expect_count(called, "replaced", 1);
	expect_count(called, "duplicate", 1);
	expect_count(called, "failed", 1);
	expect_row(row_of(called, "point", rig->points[0]), "replaced", "was there before");
	expect_row(row_of(called, "point", rig->points[2]), "duplicate",
		"the meter of point #2 \"flat 1\" answers at the address of point #3");
	forget(called);
	assert_int_equal(rig_events(rig, "meter-replaced"), 1);
	assert_int_equal(rig_events(rig, "meter-duplicate"), 1);
	expect_contacted(rig, 0, changed);
}

static void a_refused_row_stops_all_of_it(void **state)
{
	struct rig *rig = *state;
	static const char csv[] = "Position,PrimaryAddress\nFlat 1,1\nFlat 2,300\n";
	rig_line(rig, &six);
	rig_graph(rig, "'interface':'rig:line'");
	struct called *called = install(rig, with_csv(csv));
	assert_int_equal(called->code, -EINVAL);
	assert_non_null(strstr(called->text, "1 rows of the file are refused"));
	expect_row(row_of(called, "line", 3), "refused", "expected 0 to 255");
	assert_int_equal(json_array_size(called->rows), 1);
	forget(called);
	assert_int_equal(rig->written, 0);
	called = install(rig, json_pack("{s:s,s:b}", "csv", csv, "partial", 1));
	expect_count(called, "ok", 1);
	expect_count(called, "refused", 1);
	assert_int_equal(json_array_size(called->rows), 2);
	forget(called);
}

static void several_buses_are_installed_side_by_side(void **state)
{
	struct rig *rig = *state;
	static const char graph[] =
		"{\"meterloom\":1,\"name\":\"t\",\"nodes\":["
		"{\"id\":\"go\",\"type\":\"prod\"},"
		"{\"id\":\"bus\",\"type\":\"mbus-source\",\"params\":{\"interface\":\"rig:line\"}},"
		"{\"id\":\"roof\",\"type\":\"mbus-source\",\"params\":"
		"{\"interface\":\"sim:meters=6&seed=9\",\"bus\":\"roof\"}},"
		"{\"id\":\"taker\",\"type\":\"taker\"}],\"edges\":["
		"{\"from\":\"go\",\"to\":\"bus\"},{\"from\":\"go\",\"to\":\"roof\"},"
		"{\"from\":\"bus\",\"to\":\"taker\"},{\"from\":\"roof\",\"to\":\"taker\"}]}";
	static const char csv[] =
		"Position,PrimaryAddress,Bus\n1,1,\n2,2,\n3,3,\n4,4,\n5,1,roof\n6,2,roof\n"
		"7,3,roof\n8,4,roof\n9,1,garden\n";
	struct ml_errors errors = {0};
	rig_line(rig, &six);
	assert_int_equal(ml_engine_apply(rig->engine, graph, strlen(graph), &errors), 0);
	const ml_time begin = ml_clock_monotonic(rig->clock);
	struct called *called = install(rig, with_csv(csv));
	const ml_time both = ml_clock_monotonic(rig->clock) - begin;
	expect_count(called, "meters", 8);
	expect_count(called, "ok", 8);
	expect_count(called, "without_bus", 1);
	assert_int_equal(json_array_size(json_object_get(called->result, "buses")), 2);
	expect_row(row_of(called, "line", 10), "failed",
		"no source reads the bus \"garden\": name this bus in a node mbus-source");
	forget(called);
	/* Side by side: both took hardly longer than one does. */
	const ml_time second = ml_clock_monotonic(rig->clock);
	called = install(rig, json_pack("{s:[s,s,s,s]}", "meters", "1", "2", "3", "4"));
	expect_count(called, "ok", 4);
	assert_true(both < (ml_clock_monotonic(rig->clock) - second) * 8 / 5);
	forget(called);
	called = install(rig, json_pack("{s:[s]}", "meters", "9"));
	assert_int_equal(called->code, -ENODEV);
	forget(called);
}

static void rounds_go_first_and_do_not_starve_it(void **state)
{
	struct rig *rig = *state;
	rig_line(rig, &six);
	rig_list(rig, &six, 6, METER_MODE_PRIMARY);
	rig_graph(rig, "'interface':'rig:line'");
	struct called *called = call(rig, "meter.install", json_object());
	rig_pass(rig, 200 * ML_MSEC);
	assert_false(called->done);
	/* One round after the other, without a pause. */
	size_t triggers = 0;
	while (!called->done && triggers < 600) {
		rig_trigger(rig);
		triggers++;
		rig_pass(rig, 100 * ML_MSEC);
	}
	assert_true(called->done);
	expect_count(called, "ok", 6);
	/* Between two meters of the installation there was a round at most. */
	assert_in_range(rig->end_count, 2, 7);
	for (size_t i = 0; i < rig->end_count; i++)
		assert_int_equal(rig->ends[i].read, 6);
	forget(called);
}

static void it_can_be_cancelled(void **state)
{
	struct rig *rig = *state;
	rig_line(rig, &six);
	rig_list(rig, &six, 6, METER_MODE_PRIMARY);
	rig_graph(rig, "'interface':'rig:line'");
	struct called *called = call(rig, "meter.install", json_object());
	rig_pass(rig, ML_SEC);
	assert_false(called->done);
	const size_t rows = json_array_size(called->rows);
	assert_int_equal(ml_command_cancel(rig->engine, called->job, NULL), 0);
	rig_pass(rig, 200 * ML_MSEC);
	assert_true(called->done);
	assert_int_equal(called->code, -ECANCELED);
	assert_in_range(json_array_size(called->rows), rows, 3);
	const json_t *bus = json_array_get(json_object_get(called->result, "buses"), 0);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(bus, "detail"), "ok")),
		json_array_size(called->rows));
	forget(called);
	/* The bus is free again, and what is left can be done later. */
	called = install(rig, json_object());
	assert_int_equal(called->code, 0);
	assert_int_equal(points_without_a_device(rig), 0);
	forget(called);
}

static void a_lost_line_is_waited_for_and_then_told(void **state)
{
	struct rig *rig = *state;
	rig_line(rig, &six);
	rig_list(rig, &six, 6, METER_MODE_PRIMARY);
	rig_graph(rig, "'interface':'rig:line','lost_line_wait':30");
	struct called *called = call(rig, "meter.install", json_object());
	rig_pass(rig, ML_SEC);
	rig_fail_line(rig, true);
	rig_pass(rig, 2 * ML_SEC);
	rig_fail_line(rig, false);
	await(rig, called, ML_MINUTE);
	expect_count(called, "ok", 6);
	forget(called);
	called = call(rig, "meter.install",
		json_pack("{s:[s,s,s]}", "meters", "flat 1", "flat 2", "flat 3"));
	rig_pass(rig, 300 * ML_MSEC);
	rig_fail_line(rig, true);
	await(rig, called, 2 * ML_MINUTE);
	assert_true(called->code < 0);
	assert_non_null(strstr(called->text, "of 3 meters"));
	forget(called);
}

static void the_end_of_the_node_ends_it(void **state)
{
	struct rig *rig = *state;
	rig_list(rig, &six, 6, METER_MODE_PRIMARY);
	rig_graph(rig, "'interface':'sim:meters=6&seed=5'");
	struct called *called = call(rig, "meter.install", json_object());
	rig_pass(rig, 1200 * ML_MSEC);
	assert_false(called->done);
	rig_graph(rig, "'interface':'sim:6','baud':300");
	rig_pass(rig, ML_SEC);
	assert_true(called->done);
	assert_non_null(strstr(called->text, "stopped"));
	forget(called);
}

static void a_point_that_is_removed_meanwhile_is_told(void **state)
{
	struct rig *rig = *state;
	rig_line(rig, &six);
	rig_list(rig, &six, 6, METER_MODE_PRIMARY);
	rig_graph(rig, "'interface':'rig:line'");
	struct called *called = call(rig, "meter.install", json_object());
	rig_pass(rig, 100 * ML_MSEC);
	assert_int_equal(meter_list_remove(rig->list, rig->points[5], NULL), 0);
	await(rig, called, ML_MINUTE);
	expect_count(called, "ok", 5);
	expect_row(row_of(called, "point", rig->points[5]), "failed", "was removed");
	forget(called);
}

static void one_meter_at_two_points_is_told_when_it_is_read(void **state)
{
	struct rig *rig = *state;
	const struct sim_options two = {.meters = 2, .seed = 5, .baud = 2400};
	rig_line(rig, &two);
	rig_list(rig, &two, 2, METER_MODE_PRIMARY);
	struct meter_settings settings = {.moid = "again",
		.mode = METER_MODE_SECONDARY,
		.has_secondary = true,
		.secondary = sim_line_meter(rig->line, 0)->identity};
	uint32_t key = 0;
	assert_int_equal(meter_list_add(rig->list, &settings, 0, &key, NULL), 0);
	rig_graph(rig, "'interface':'rig:line'");
	for (unsigned i = 0; i < 2; i++) {
		rig_trigger(rig);
		rig_pass(rig, ML_MINUTE);
		assert_int_equal(rig->ends[i].read, 3);
		assert_int_equal(rig_events(rig, "meter-duplicate"), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_file_is_contacted_row_by_row),
		TEST(more_telegrams_are_told),
		TEST(a_meter_named_twice_is_contacted_once),
		TEST(the_action_contacts_a_point_once),
		TEST(without_a_choice_those_never_contacted_are),
		TEST(a_meter_at_another_rate_is_found_and_its_rate_kept),
		TEST(an_exchanged_meter_and_a_duplicate_are_told),
		TEST(a_refused_row_stops_all_of_it),
		TEST(several_buses_are_installed_side_by_side),
		TEST(rounds_go_first_and_do_not_starve_it),
		TEST(it_can_be_cancelled),
		TEST(a_lost_line_is_waited_for_and_then_told),
		TEST(the_end_of_the_node_ends_it),
		TEST(a_point_that_is_removed_meanwhile_is_told),
		TEST(one_meter_at_two_points_is_told_when_it_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
