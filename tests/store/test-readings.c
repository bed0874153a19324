/* `meter.readings`: a meter's readings by any of its names, in pages, as `decode` shows them.
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

#include "store/kit.h"

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

/* The traces of a page, comma after comma, and its cursors. */
static void readings(
	struct kit *kit, const char *params, char *traces, size_t size, char *next, char *earlier)
{
	kit_call(kit, "meter.readings", params);
	assert_int_equal(kit->code, 0);
	json_t *result = json_loads(kit->result, 0, NULL);
	assert_non_null(result);
	const json_t *list = json_object_get(result, "readings");
	size_t used = 0;
	traces[0] = '\0';
	for (size_t i = 0; i < json_array_size(list); i++)
		used += (size_t)snprintf(traces + used, size - used, "%s%lld", i ? "," : "",
			(long long)json_integer_value(
				json_object_get(json_array_get(list, i), "trace")));
	const char *text = json_string_value(json_object_get(result, "next"));
	if (next)
		(void)snprintf(next, 64, "%s", text ? text : "");
	text = json_string_value(json_object_get(result, "earlier"));
	if (earlier)
		(void)snprintf(earlier, 64, "%s", text ? text : "");
	json_decref(result);
}

static void expect(struct kit *kit, const char *params, const char *expected)
{
	char traces[256];
	readings(kit, params, traces, sizeof traces, NULL, NULL);
	assert_string_equal(traces, expected);
}

static void found_by_any_name(void **state)
{
	struct kit *kit = *state;
	kit_call(kit, "meter.add", "{'mode': 'primary', 'primary': 1, 'moid': 'Flat 3'}");
	kit_give(kit, 12345678, 1, 1, 1);
	kit_give_failed(kit, 1, 2);
	kit_give(kit, 12345678, 1, 3, 1);
	kit_give(kit, 87654321, 0, 4, 1); /* not of the list */
	expect(kit, "{'meter': '#1'}", "1,2,3");
	expect(kit, "{'meter': 'Flat 3'}", "1,2,3");
	expect(kit, "{'meter': '12345678'}", "1,2,3");
	expect(kit, "{'meter': '12345678.KAM'}", "1,2,3");
	expect(kit, "{'meter': '87654321'}", "4");
	kit_call(kit, "meter.readings", "{'meter': '11111111'}");
	assert_int_equal(kit->code, -ENOENT);
	assert_non_null(strstr(kit->result, "no meter \"11111111\""));
}

static void shape_is_that_of_decode(void **state)
{
	struct kit *kit = *state;
	kit_give(kit, 12345678, 0, 81723, 54321);
	kit_call(kit, "meter.readings", "{'meter': '12345678'}");
	assert_string_equal(kit->result,
		"{\"readings\":[{\"time\":\"2026-09-21T14:13:20.000Z\",\"trace\":81723,\"meter\":{"
		"\"id\":\"12345678\",\"manufacturer\":\"KAM\",\"version\":27,\"medium\":\"water\","
		"\"medium_code\":7},\"access\":42,\"status\":[],\"encryption\":{\"mode\":0,"
		"\"result\":\"plain\"},\"records\":[{\"quantity\":\"volume\",\"unit\":\"m³\","
		"\"value\":54.321,\"function\":\"instantaneous\",\"storage\":0,\"tariff\":0,"
		"\"subunit\":0,\"dif\":\"04\",\"vif\":\"13\"},{\"quantity\":\"energy\",\"unit\":"
		"\"Wh\",\"value\":1000,\"function\":\"instantaneous\",\"storage\":0,\"tariff\":0,"
		"\"subunit\":0,\"dif\":\"04\",\"vif\":\"06\"}]}]}");
}

static void short_id_that_is_not_unique_names_the_candidates(void **state)
{
	struct kit *kit = *state;
	kit_call(kit, "meter.add", "{'secondary': '12345678.KAM.1B.04', 'moid': 'A'}");
	kit_call(kit, "meter.add", "{'secondary': '12345678.ACW.1B.04', 'moid': 'B'}");
	kit_call(kit, "meter.readings", "{'meter': '12345678'}");
	assert_int_equal(kit->code, -EEXIST);
	assert_non_null(strstr(kit->result, "#1"));
	assert_non_null(strstr(kit->result, "#2"));
}

static void pages_go_back_from_the_newest(void **state)
{
	struct kit *kit = *state;
	char traces[256], cursor[64], params[128];
	for (uint64_t i = 1; i <= 7; i++) {
		kit_give(kit, 5, 0, i, 1);
		if (i % 2)
			kit_run(kit, ML_MINUTE); /* some have one time */
	}
	readings(kit, "{'meter': '5', 'limit': 3}", traces, sizeof traces, NULL, cursor);
	assert_string_equal(traces, "5,6,7");
	(void)snprintf(params, sizeof params, "{'meter': '5', 'limit': 3, 'cursor': '%s'}", cursor);
	readings(kit, params, traces, sizeof traces, NULL, cursor);
	assert_string_equal(traces, "2,3,4");
	(void)snprintf(params, sizeof params, "{'meter': '5', 'limit': 3, 'cursor': '%s'}", cursor);
	readings(kit, params, traces, sizeof traces, NULL, cursor);
	assert_string_equal(traces, "1");
	assert_string_equal(cursor, "");
}

static void pages_go_on_from_a_time(void **state)
{
	struct kit *kit = *state;
	char traces[256], cursor[64], params[256], from[ML_TIME_TEXT_MAX], to[ML_TIME_TEXT_MAX];
	kit_give(kit, 5, 0, 1, 1);
	kit_run(kit, ML_MINUTE);
	ml_time_format(kit_wall(kit), from);
	for (uint64_t i = 2; i <= 5; i++) {
		kit_give(kit, 5, 0, i, 1);
		ml_time_format(kit_wall(kit), to);
		kit_run(kit, ML_MINUTE);
	}
	kit_give(kit, 5, 0, 6, 1);
	(void)snprintf(params, sizeof params,
		"{'meter': '5', 'limit': 3, 'from': '%s', 'to': '%s'}", from, to);
	readings(kit, params, traces, sizeof traces, cursor, NULL);
	assert_string_equal(traces, "2,3,4");
	(void)snprintf(params, sizeof params,
		"{'meter': '5', 'limit': 3, 'from': '%s', 'to': '%s', 'cursor': '%s'}", from, to,
		cursor);
	readings(kit, params, traces, sizeof traces, cursor, NULL);
	assert_string_equal(traces, "5");
	assert_string_equal(cursor, "");
	kit_call(kit, "meter.readings", "{'meter': '5', 'cursor': 'x1'}");
	assert_int_equal(kit->code, -EINVAL);
	/* The first moment of all is a time too. */
	readings(kit, "{'meter': '5', 'limit': 3, 'from': '1970-01-01'}", traces, sizeof traces,
		cursor, NULL);
	assert_string_equal(traces, "1,2,3");
	readings(kit, "{'meter': '5', 'limit': 3, 'to': '1970-01-01T00:00:00Z'}", traces,
		sizeof traces, cursor, NULL);
	assert_string_equal(traces, "");
}

static void devices_of_a_point_follow_each_other(void **state)
{
	struct kit *kit = *state;
	kit_call(kit, "meter.add", "{'mode': 'primary', 'primary': 1}");
	kit_give(kit, 11111111, 1, 1, 1);
	kit_run(kit, ML_MINUTE);
	kit_give(kit, 22222222, 1, 2, 1);
	kit_run(kit, ML_MINUTE);
	expect(kit, "{'meter': '#1'}", "1,2");
	kit_call(kit, "meter.list", "{'meter': '#1'}");
	assert_non_null(strstr(kit->result, "\"device\":{\"id\":\"22222222\""));
	assert_non_null(strstr(kit->result, "\"earlier_devices\":[{\"id\":\"11111111\""));
	kit_call(kit, "event.list", "{}");
	assert_non_null(strstr(kit->result, "meter-found"));
	assert_non_null(strstr(kit->result, "meter-replaced"));
}

static void readouts_are_told_by_state_and_without_values(void **state)
{
	struct kit *kit = *state;
	char cursor[64], traces[256], params[160];
	kit_call(kit, "meter.add", "{'mode': 'primary', 'primary': 1}");
	for (uint64_t i = 1; i <= 6; i++) {
		if (i % 3 == 0)
			kit_give_failed(kit, 1, i);
		else
			kit_give(kit, 12345678, 1, i, 1);
		kit_run(kit, ML_MINUTE);
	}
	expect(kit, "{'meter': '#1', 'state': 'failed'}", "3,6");
	expect(kit, "{'meter': '#1', 'state': 'read'}", "1,2,4,5");
	expect(kit, "{'meter': '#1', 'state': 'failed', 'from': '2026-09-21T14:13:20Z'}", "3,6");
	readings(kit, "{'meter': '#1', 'state': 'read', 'limit': 3}", traces, sizeof traces, NULL,
		cursor);
	assert_string_equal(traces, "2,4,5");
	(void)snprintf(params, sizeof params,
		"{'meter': '#1', 'state': 'read', 'limit': 3, 'cursor': '%s'}", cursor);
	expect(kit, params, "1");
	kit_call(kit, "meter.readings",
		"{'meter': '#1', 'values': false, 'from': '2026-09-21T14:14:20Z', 'limit': 2}");
	assert_int_equal(kit->code, 0);
	static const char expected[] =
		"{\"readings\":[{\"time\":\"2026-09-21T14:14:20.000Z\",\"trace\":2,\"state\":"
		"\"read\",\"values\":2},{\"time\":\"2026-09-21T14:15:20.000Z\",\"trace\":3,"
		"\"state\":\"failed\",\"values\":0,\"error\":\"no answer";
	if (strncmp(kit->result, expected, sizeof expected - 1) != 0)
		fail_msg("%s", kit->result);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(found_by_any_name),
		STORE_TEST(shape_is_that_of_decode),
		STORE_TEST(short_id_that_is_not_unique_names_the_candidates),
		STORE_TEST(pages_go_back_from_the_newest),
		STORE_TEST(pages_go_on_from_a_time),
		STORE_TEST(devices_of_a_point_follow_each_other),
		STORE_TEST(readouts_are_told_by_state_and_without_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
