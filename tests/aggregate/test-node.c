/* The node `aggregate` in a gateway: what it tells and when, late values, restarts, disks, virtual
 * meters.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregate/family.h"
#include "store/fault.h"
#include "store/kit.h"

/* Half an hour past a full hour, summer time in Paris: 16:30. */
#define WALL (1790000000 / 3600 * 3600 * ML_SEC + 30 * ML_MINUTE)

static struct kit *new_kit(const char *data, ml_time wall)
{
	const struct kit_options options = {
		.data = data, .wall = wall, .more = {&aggregate_family}};
	return kit_new_with(&options);
}

/* source → aggregate → results; `params` of the node. */
static void apply(struct kit *kit, const char *params)
{
	char graph[1024];
	(void)snprintf(graph, sizeof graph,
		"{'meterloom': 1, 'nodes': [{'id': 'source', 'type': 't-source'},"
		" {'id': 'sums', 'type': 'aggregate', 'params': {'quantity': 'volume', "
		"'time_zone': 'Europe/Paris', %s}},"
		" {'id': 'results', 'type': 'store'}],"
		" 'edges': [{'from': 'source', 'to': 'sums', 'capacity': 4096},"
		" {'from': 'sums', 'to': 'results'}]}",
		params);
	kit_apply(kit, graph);
}

static int setup(void **state)
{
	*state = new_kit(NULL, WALL);
	return 0;
}

static int teardown(void **state)
{
	fault_set(FAULT_NONE);
	kit_free(*state);
	return 0;
}

/* The stored results of a meter, a line each: the text of its records without the traces they came
 * from. */
static void results(struct kit *kit, const char *meter, char *text, size_t size)
{
	char params[96];
	size_t used = 0;
	(void)snprintf(params, sizeof params, "{'meter': '%s'}", meter);
	kit_call(kit, "meter.readings", params);
	text[0] = '\0';
	if (kit->code == -ENOENT)
		return;
	if (kit->code)
		fail_msg("%s", kit->result);
	json_t *answer = json_loads(kit->result, 0, NULL);
	size_t i, n;
	json_t *reading, *record;
	json_array_foreach(json_object_get(answer, "readings"), i, reading)
	{
		assert_true(json_is_true(json_object_get(reading, "derived")));
		assert_true(json_integer_value(json_object_get(reading, "trace")) > 1 << 20);
		json_array_foreach(json_object_get(reading, "records"), n, record)
		{
			const char *name = json_string_value(json_object_get(record, "quantity"));
			json_t *value = json_object_get(record, "value");
			char *shown = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
			const char *what = strrchr(name, ' ') + 1;
			if (strcmp(what, "from") != 0)
				used += (size_t)snprintf(text + used, size - used, "%s%s %s",
					n ? "; " : "", what, shown);
			free(shown);
		}
		used += (size_t)snprintf(text + used, size - used, "\n");
	}
	json_decref(answer);
}

static void expect(struct kit *kit, const char *meter, const char *expected)
{
	char text[8192];
	results(kit, meter, text, sizeof text);
	assert_string_equal(text, expected);
}

/* Readings each quarter of an hour for so long, each 5 more than the one before. */
static uint64_t read_on(struct kit *kit, uint64_t trace, ml_time duration)
{
	for (const ml_time end = kit_wall(kit) + duration; kit_wall(kit) < end; trace++) {
		kit_give(kit, 12345678, 0, trace, (int64_t)trace * 5);
		kit_run(kit, 15 * ML_MINUTE);
	}
	return trace;
}

/* ---- Tests ---- */

static void a_window_is_told_once_after_its_end(void **state)
{
	struct kit *kit = *state;
	apply(kit, "'window': '1 h', 'results': ['consumption', 'mean', 'min', 'max', 'first', "
		   "'last', 'count'], 'delay': 5");
	kit_run(kit, 31 * ML_MINUTE); /* 17:01 */
	read_on(kit, 1, 2 * ML_HOUR);
	kit_run(kit, 2 * ML_MINUTE); /* 19:03 */
	expect(kit, "12345678",
		"consumption 0.02; mean 0.0125; min 0.005; max 0.02; first 0.005; last 0.02; "
		"count 4; window "
		"\"2026-09-21T17:00:00.000+02:00/2026-09-21T18:00:00.000+02:00\"\n");
	kit_run(kit, 3 * ML_MINUTE);
	expect(kit, "12345678",
		"consumption 0.02; mean 0.0125; min 0.005; max 0.02; first 0.005; last 0.02; "
		"count 4; window "
		"\"2026-09-21T17:00:00.000+02:00/2026-09-21T18:00:00.000+02:00\"\n"
		"consumption 0.015; mean 0.0325; min 0.025; max 0.04; first 0.025; last 0.04; "
		"count 4; window "
		"\"2026-09-21T18:00:00.000+02:00/2026-09-21T19:00:00.000+02:00\"\n");
	kit_run(kit, ML_DAY);
	kit_call(kit, "meter.readings", "{'meter': '12345678'}");
	assert_null(strstr(kit->result, "correction"));
	assert_int_equal(kit->delivered, 8);
}

static void a_window_that_runs_can_be_looked_at(void **state)
{
	struct kit *kit = *state;
	apply(kit, "'window': '1 h', 'results': ['consumption', 'count']");
	kit_give(kit, 12345678, 0, 1, 1000);
	kit_run(kit, 10 * ML_MINUTE);
	kit_give(kit, 12345678, 0, 2, 1250);
	kit_call(kit, "node.action", "{'node': 'sums', 'action': 'show'}");
	assert_string_equal(kit->result,
		"{\"meters\":[{\"id\":\"12345678.KAM.1B.07\",\"windows\":[{\"begin\":"
		"\"2026-09-21T16:00:00.000+02:00\",\"end\":\"2026-09-21T17:00:00.000+02:00\","
		"\"told\":false,\"consumption\":0.250,\"count\":2,\"unit\":\"m³\",\"marks\":"
		"\"\"}]}]}");
}

static void results_are_readings_of_their_meter(void **state)
{
	struct kit *kit = *state;
	apply(kit, "'window': '15 min', 'delay': 1");
	kit_give(kit, 12345678, 0, 77, 1000);
	kit_run(kit, 15 * ML_MINUTE);
	kit_give(kit, 12345678, 0, 78, 2000);
	kit_run(kit, 15 * ML_MINUTE);
	kit_call(kit, "meter.readings", "{'meter': '12345678', 'limit': 1}");
	assert_non_null(strstr(kit->result,
		"\"meter\":{\"id\":\"12345678\",\"manufacturer\":\"KAM\",\"version\":27,"));
	kit_call(kit, "meter.current", "{}");
	assert_non_null(strstr(kit->result,
		"\"quantity\":\"volume 15 min consumption\",\"unit\":\"m³\",\"value\":1.000"));
	assert_non_null(strstr(kit->result, "\"quantity\":\"volume 15 min from\""));
	assert_non_null(strstr(kit->result, "\"value\":\"77-77\""));
}

static void reports_have_them(void **state)
{
	struct kit *kit = *state;
	kit_apply(kit,
		"{'meterloom': 1, 'nodes': [{'id': 'source', 'type': 't-source'},"
		" {'id': 'sums', 'type': 'aggregate', 'params': {'quantity': 'volume', 'window': "
		"'15 min', 'delay': 1}},"
		" {'id': 'results', 'type': 'store'}, {'id': 'clock', 'type': 't-clock'},"
		" {'id': 'query', 'type': 'store-query', 'params': {'destination': 'head-end'}},"
		" {'id': 'end', 'type': 't-end'}],"
		" 'edges': [{'from': 'source', 'to': 'sums'}, {'from': 'sums', 'to': 'results'},"
		" {'from': 'clock', 'to': 'query.in'}, {'from': 'query', 'to': 'end'}]}");
	read_on(kit, 1, ML_HOUR);
	kit_run(kit, 5 * ML_MINUTE);
	kit_trigger(kit);
	assert_int_equal(kit->batch_count, 1);
	assert_int_equal(kit->batches[0].count, 4);
}

static void late_values_correct_what_was_told(void **state)
{
	struct kit *kit = *state;
	apply(kit, "'window': '1 h', 'delay': 5, 'lateness': 120, 'results': ['consumption', "
		   "'count']");
	kit_run(kit, 30 * ML_MINUTE); /* 17:00 */
	const ml_time base = kit_wall(kit);
	kit_give(kit, 12345678, 0, 1, 1000);
	kit_run(kit, ML_HOUR);
	kit_give(kit, 12345678, 0, 2, 2000);
	kit_run(kit, ML_HOUR + 10 * ML_MINUTE);
	kit_give_at(kit, 12345678, 0, 3, 2500, base + 90 * ML_MINUTE);
	kit_run(kit, 10 * ML_MINUTE);
	expect(kit, "12345678",
		"consumption 1.0; count 1; window "
		"\"2026-09-21T17:00:00.000+02:00/2026-09-21T18:00:00.000+02:00\"\n"
		"consumption null; count 1; window "
		"\"2026-09-21T18:00:00.000+02:00/2026-09-21T19:00:00.000+02:00\"\n"
		"consumption 0.5; count 2; window "
		"\"2026-09-21T18:00:00.000+02:00/2026-09-21T19:00:00.000+02:00\"; marks "
		"\"correction 1, late 1\"\n");
	/* After the lateness nothing is counted any more. */
	kit_run(kit, 2 * ML_HOUR);
	kit_give_at(kit, 12345678, 0, 4, 2600, base + 95 * ML_MINUTE);
	kit_run(kit, ML_HOUR);
	kit_call(kit, "meter.readings", "{'meter': '12345678'}");
	assert_null(strstr(kit->result, "correction 2"));
	assert_int_equal(kit->delivered, 4);
}

static void what_failed_is_marked_and_not_made_up(void **state)
{
	struct kit *kit = *state;
	apply(kit, "'window': '15 min', 'delay': 1, 'results': ['consumption', 'mean', 'count']");
	kit_call(kit, "meter.add", "{'mode': 'primary', 'primary': 1}");
	kit_give(kit, 12345678, 1, 1, 1000);
	kit_run(kit, 15 * ML_MINUTE);
	kit_give_failed(kit, 1, 2);
	kit_run(kit, 20 * ML_MINUTE);
	expect(kit, "#1",
		"consumption null; mean 1.0; count 1; window "
		"\"2026-09-21T16:30:00.000+02:00/2026-09-21T16:45:00.000+02:00\"\n"
		"consumption null; mean null; count 0; window "
		"\"2026-09-21T16:45:00.000+02:00/2026-09-21T17:00:00.000+02:00\"; marks "
		"\"missing 1\"\n");
	/* A failure is no state of a result's, and a result none of a readout's. */
	kit_call(kit, "meter.current", "{'meter': '#1'}");
	assert_non_null(strstr(kit->result, "\"values\":[{"));
}

static void days_have_23_and_25_hours(void **state)
{
	struct kit *kit = *state;
	static const struct {
		ml_time midnight; /* in Paris */
		const char *expected;
	} nights[] = {{1774738800 * ML_SEC, /* 2026-03-29 */
			      "consumption 0.115; count 23; window \"2026-03-29T00:00:00.000+01:00/"
			      "2026-03-30T00:00:00.000+02:00\"\n"},
		{1792879200 * ML_SEC, /* 2026-10-25 */
			"consumption 0.125; count 25; window \"2026-10-25T00:00:00.000+02:00/"
			"2026-10-26T00:00:00.000+01:00\"\n"}};
	apply(kit, "'window': '1 d', 'delay': 5, 'lateness': 1440, 'results': ['consumption', "
		   "'count']");
	for (size_t i = 0; i < 2; i++) {
		ml_clock_set_wall(kit->clock, nights[i].midnight + 10 * ML_SEC);
		char meter[16];
		(void)snprintf(meter, sizeof meter, "%zu", 40 + i);
		for (uint64_t hour = 0; hour < 26; hour++) {
			kit_give(kit, (unsigned)(40 + i), 0, 1000 * (i + 1) + hour,
				(int64_t)hour * 5);
			kit_run(kit, ML_HOUR);
		}
		char text[4096];
		results(kit, meter, text, sizeof text);
		assert_true(strncmp(text, nights[i].expected, strlen(nights[i].expected)) == 0);
	}
}

static void a_restart_in_between_changes_nothing(void **state)
{
	struct kit *kit = *state;
	static const char params[] =
		"'window': '1 h', 'delay': 5, 'results': ['consumption', 'count']";
	apply(kit, params);
	kit_run(kit, 31 * ML_MINUTE);
	uint64_t trace = read_on(kit, 1, 30 * ML_MINUTE);
	char data[64];
	for (int i = 0; i < 4; i++) {
		(void)snprintf(data, sizeof data, "%s", kit->data);
		const ml_time wall = kit_wall(kit);
		kit->keep_data = true;
		kit_free(kit);
		kit = new_kit(data, wall);
		*state = kit;
		apply(kit, params);
		trace = read_on(kit, trace, 30 * ML_MINUTE);
	}
	kit_run(kit, 5 * ML_MINUTE);
	expect(kit, "12345678",
		"consumption 0.02; count 4; window "
		"\"2026-09-21T17:00:00.000+02:00/2026-09-21T18:00:00.000+02:00\"\n"
		"consumption 0.02; count 4; window "
		"\"2026-09-21T18:00:00.000+02:00/2026-09-21T19:00:00.000+02:00\"\n");
}

static void other_parameters_begin_anew(void **state)
{
	struct kit *kit = *state;
	apply(kit, "'window': '1 h', 'delay': 1, 'results': ['count']");
	kit_give(kit, 12345678, 0, 1, 1000);
	apply(kit, "'window': '15 min', 'delay': 1, 'results': ['count']");
	kit_give(kit, 12345678, 0, 2, 1000);
	kit_run(kit, 2 * ML_HOUR);
	expect(kit, "12345678",
		"count 1; window "
		"\"2026-09-21T16:30:00.000+02:00/2026-09-21T16:45:00.000+02:00\"\n");
}

static void acks_wait_for_the_disk(void **state)
{
	struct kit *kit = *state;
	apply(kit, "'window': '15 min', 'delay': 1, 'results': ['count']");
	kit_give(kit, 12345678, 0, 1, 1000);
	assert_int_equal(kit->delivered, 1);
	fault_set(FAULT_FULL);
	for (uint64_t i = 2; i < 12; i++)
		kit_give(kit, 12345678, 0, i, 1000);
	kit_run(kit, 5 * ML_SEC);
	assert_int_equal(kit->delivered, 1);
	assert_int_equal(kit->failed, 0);
	kit_call(kit, "node.list", "{}");
	assert_non_null(strstr(kit->result, "10 readings wait"));
	fault_set(FAULT_NONE);
	kit_run(kit, 5 * ML_SEC);
	assert_int_equal(kit->delivered, 11);
	kit_run(kit, 20 * ML_MINUTE);
	expect(kit, "12345678",
		"count 11; window "
		"\"2026-09-21T16:30:00.000+02:00/2026-09-21T16:45:00.000+02:00\"\n");
}

static void a_repeat_counts_once(void **state)
{
	struct kit *kit = *state;
	apply(kit, "'window': '15 min', 'delay': 1, 'results': ['count']");
	for (int i = 0; i < 3; i++)
		kit_give(kit, 12345678, 0, 1, 1000);
	kit_run(kit, 20 * ML_MINUTE);
	assert_int_equal(kit->delivered, 3);
	expect(kit, "12345678",
		"count 1; window "
		"\"2026-09-21T16:30:00.000+02:00/2026-09-21T16:45:00.000+02:00\"\n");
}

/* In 1970 nobody knows in which window it was. */
static void before_the_clock_is_known_nothing_is_counted(void **state)
{
	struct kit *kit = new_kit(NULL, 600 * ML_SEC);
	kit_free(*state);
	*state = kit;
	apply(kit, "'window': '15 min', 'delay': 1, 'results': ['count']");
	kit_give(kit, 12345678, 0, 1, 1000);
	kit_run(kit, 20 * ML_MINUTE);
	expect(kit, "12345678", "");
	assert_int_equal(kit->delivered, 1);
	ml_clock_set_wall(kit->clock, WALL);
	kit_run(kit, ML_MINUTE);
	kit_give(kit, 12345678, 0, 2, 1000);
	kit_run(kit, 20 * ML_MINUTE);
	expect(kit, "12345678",
		"count 1; window "
		"\"2026-09-21T16:30:00.000+02:00/2026-09-21T16:45:00.000+02:00\"\n");
}

/* Both hold the same messages. */
static void two_behind_one_source_both_count(void **state)
{
	struct kit *kit = *state;
	kit_apply(kit,
		"{'meterloom': 1, 'nodes': [{'id': 'source', 'type': 't-source'},"
		" {'id': 'raw', 'type': 'store'},"
		" {'id': 'a', 'type': 'aggregate', 'params': {'quantity': 'volume', 'window': '15 "
		"min', 'delay': 1, 'name': 'a', 'results': ['count']}},"
		" {'id': 'b', 'type': 'aggregate', 'params': {'quantity': 'volume', 'window': '1 "
		"h', 'delay': 1, 'name': 'b', 'results': ['count']}},"
		" {'id': 'results', 'type': 'store'}],"
		" 'edges': [{'from': 'source', 'to': 'a'}, {'from': 'source', 'to': 'b'},"
		" {'from': 'source', 'to': 'raw'}, {'from': 'a', 'to': 'results'},"
		" {'from': 'b', 'to': 'results'}]}");
	fault_set(FAULT_FULL);
	for (uint64_t i = 1; i <= 10; i++)
		kit_give(kit, 12345678, 0, i, 1000);
	assert_int_equal(kit->delivered, 0);
	fault_set(FAULT_NONE);
	kit_run(kit, 40 * ML_MINUTE);
	assert_int_equal(kit->delivered, 10);
	kit_call(kit, "meter.current", "{}");
	assert_non_null(
		strstr(kit->result, "\"quantity\":\"a 15 min count\",\"unit\":\"\",\"value\":10"));
	assert_non_null(
		strstr(kit->result, "\"quantity\":\"b 1 h count\",\"unit\":\"\",\"value\":10"));
}

/* ---- Virtual meters ---- */

static const char virtual_params[] =
	"'window': '1 h', 'delay': 5, 'terms': ['+#1', '-#2', '-#3'], 'meter': 'Stairs', "
	"'results': ['consumption', 'count']";

static void add_points(struct kit *kit)
{
	kit_call(kit, "meter.add", "{'mode': 'primary', 'primary': 1, 'moid': 'House'}");
	kit_call(kit, "meter.add", "{'mode': 'primary', 'primary': 2, 'moid': 'Flat 1'}");
	kit_call(kit, "meter.add", "{'mode': 'primary', 'primary': 3, 'moid': 'Flat 2'}");
	kit_call(kit, "meter.add",
		"{'secondary': '99000001.MLO.01.07', 'moid': 'Stairs', 'state': 'passive'}");
	assert_int_equal(kit->code, 0);
}

static void a_virtual_meter_adds_and_subtracts(void **state)
{
	struct kit *kit = *state;
	add_points(kit);
	apply(kit, virtual_params);
	kit_run(kit, 31 * ML_MINUTE);
	for (uint64_t i = 0; i < 3; i++) {
		kit_give(kit, 11111111, 1, 10 * i + 1, (int64_t)i * 1000);
		kit_give(kit, 22222222, 2, 10 * i + 2, (int64_t)i * 300);
		if (i < 2)
			kit_give(kit, 33333333, 3, 10 * i + 3, (int64_t)i * 250);
		kit_give(kit, 44444444, 0, 10 * i + 4, (int64_t)i * 7777);
		kit_run(kit, ML_HOUR);
	}
	kit_run(kit, ML_HOUR);
	expect(kit, "Stairs",
		"consumption 0.45; count 3; window "
		"\"2026-09-21T17:00:00.000+02:00/2026-09-21T18:00:00.000+02:00\"\n"
		"consumption null; count 3; window "
		"\"2026-09-21T18:00:00.000+02:00/2026-09-21T19:00:00.000+02:00\"\n"
		"consumption null; count 2; window "
		"\"2026-09-21T19:00:00.000+02:00/2026-09-21T20:00:00.000+02:00\"; marks \"absent "
		"1\"\n");
	kit_call(kit, "meter.readings", "{'meter': '99000001', 'limit': 1}");
	assert_non_null(strstr(kit->result, "\"meter\":{\"id\":\"99000001\""));
	expect(kit, "44444444", "");
}

static void a_virtual_meter_waits_for_its_point(void **state)
{
	struct kit *kit = *state;
	apply(kit, virtual_params);
	kit_call(kit, "node.list", "{}");
	assert_non_null(strstr(
		kit->result, "the virtual meter is not in the list, add it as a passive point"));
	add_points(kit);
	kit_run(kit, 31 * ML_MINUTE);
	for (uint64_t i = 0; i < 2; i++) {
		kit_give(kit, 11111111, 1, 10 * i + 1, (int64_t)i * 1000);
		kit_give(kit, 22222222, 2, 10 * i + 2, (int64_t)i * 300);
		kit_give(kit, 33333333, 3, 10 * i + 3, (int64_t)i * 250);
		kit_run(kit, ML_HOUR);
	}
	kit_call(kit, "meter.readings", "{'meter': 'Stairs'}");
	assert_non_null(strstr(kit->result, "\"value\":0.450"));
}

static void wrong_parameters_are_told(void **state)
{
	struct kit *kit = *state;
	static const struct {
		const char *params, *text;
	} cases[] = {{"\"window\": \"7 min\"", "is no length of a window"},
		{"\"results\": [\"median\"]", "is no result"},
		{"\"window\": \"1 min\", \"lateness\": 1440", "expected less lateness"},
		{"\"terms\": [\"#1\"], \"meter\": \"X\"", "expected + or - and a meter"},
		{"\"terms\": [\"+#1\"]", "terms need a `meter`"},
		{"\"terms\": [\"+#1\"], \"meter\": \"X\", \"results\": [\"min\"]",
			"there is no min"},
		{"\"meter\": \"X\"", "a `meter` is for terms"}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char graph[512];
		struct ml_errors errors = {0};
		const int length = snprintf(graph, sizeof graph,
			"{\"meterloom\": 1, \"nodes\": [{\"id\": \"source\", \"type\": "
			"\"t-source\"}, {\"id\": \"sums\", \"type\": \"aggregate\", \"params\": "
			"{\"quantity\": \"volume\", %s}}], \"edges\": [{\"from\": \"source\", "
			"\"to\": \"sums\"}]}",
			cases[i].params);
		assert_int_equal(
			ml_engine_check(kit->engine, graph, (size_t)length, &errors), -EINVAL);
		if (!strstr(errors.items[0].text, cases[i].text))
			fail_msg("%s", errors.items[0].text);
		ml_errors_free(&errors);
	}
}

#define NODE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		NODE_TEST(a_window_is_told_once_after_its_end),
		NODE_TEST(a_window_that_runs_can_be_looked_at),
		NODE_TEST(results_are_readings_of_their_meter),
		NODE_TEST(reports_have_them),
		NODE_TEST(late_values_correct_what_was_told),
		NODE_TEST(what_failed_is_marked_and_not_made_up),
		NODE_TEST(days_have_23_and_25_hours),
		NODE_TEST(a_restart_in_between_changes_nothing),
		NODE_TEST(other_parameters_begin_anew),
		NODE_TEST(acks_wait_for_the_disk),
		NODE_TEST(a_repeat_counts_once),
		NODE_TEST(before_the_clock_is_known_nothing_is_counted),
		NODE_TEST(two_behind_one_source_both_count),
		NODE_TEST(a_virtual_meter_adds_and_subtracts),
		NODE_TEST(a_virtual_meter_waits_for_its_point),
		NODE_TEST(wrong_parameters_are_told),
	};
	fault_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
