/* `meter.series` and `series.values`: which series a meter has, and their values for a chart.
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
#include "store/series.h"

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

static json_t *call(struct kit *kit, const char *command, const char *params)
{
	kit_call(kit, command, params);
	if (kit->code)
		fail_msg("%s %s: %s", command, params, kit->result);
	json_t *result = json_loads(kit->result, 0, NULL);
	assert_non_null(result);
	return result;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static long long number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const json_t *at(const json_t *object, const char *key, size_t index)
{
	return json_array_get(json_object_get(object, key), index);
}

static void a_meter_tells_its_series(void **state)
{
	struct kit *kit = *state;
	kit_give(kit, 12345678, 0, 1, 54321);
	kit_run(kit, 15 * 60 * ML_SEC);
	kit_give(kit, 12345678, 0, 2, 54325);
	kit_call(kit, "meter.series", "{'meter': '12345678'}");
	assert_string_equal(kit->result,
		"{\"series\":[{\"id\":\"m123456782C2D1B07.000000000010\",\"quantity\":\"volume\","
		"\"unit\":\"m³\",\"kind\":\"number\",\"function\":\"instantaneous\",\"storage\":0,"
		"\"tariff\":0,\"subunit\":0,\"first\":\"2026-09-21T14:13:20.000Z\",\"last\":"
		"\"2026-09-21T14:28:20.000Z\"},{\"id\":\"m123456782C2D1B07.000000000000\","
		"\"quantity\":\"energy\",\"unit\":\"Wh\",\"kind\":\"number\",\"function\":"
		"\"instantaneous\",\"storage\":0,\"tariff\":0,\"subunit\":0,\"first\":"
		"\"2026-09-21T14:13:20.000Z\",\"last\":\"2026-09-21T14:28:20.000Z\"}]}");
	kit_call(kit, "series.values", "{'series': 'm123456782C2D1B07.000000000010'}");
	assert_non_null(strstr(kit->result,
		"\"thinned\":false,\"devices\":[{\"meter\":\"12345678.KAM.1B.07\",\"first\":"
		"\"2026-09-21T14:13:20.000Z\",\"last\":\"2026-09-21T14:28:20.000Z\",\"values\":2}],"
		"\"points\":[{\"time\":\"2026-09-21T14:13:20.000Z\",\"value\":54.321},{\"time\":"
		"\"2026-09-21T14:28:20.000Z\",\"value\":54.325}]}"));
}

/* A meter of the list is known by its point: its series go on when it is replaced, and who gave
 * which is told. What was read before it was in the list counts too. */
static void a_replaced_meter_goes_on(void **state)
{
	struct kit *kit = *state;
	kit_give(kit, 11111111, 0, 1, 100);
	kit_run(kit, ML_SEC);
	kit_call(kit, "meter.add", "{'mode': 'primary', 'primary': 1, 'moid': 'Flat 3'}");
	kit_give(kit, 11111111, 1, 2, 101);
	kit_run(kit, ML_SEC);
	kit_give_failed(kit, 1, 3);
	kit_run(kit, ML_SEC);
	kit_give(kit, 22222222, 1, 4, 5);
	kit_run(kit, ML_SEC);
	kit_give(kit, 22222222, 1, 5, 6);
	json_t *list = call(kit, "meter.series", "{'meter': 'Flat 3'}");
	assert_int_equal(json_array_size(json_object_get(list, "series")), 2);
	assert_string_equal(text_of(at(list, "series", 0), "id"), "p1.000000000010");
	json_decref(list);
	json_t *values = call(kit, "series.values", "{'series': 'p1.000000000010'}");
	assert_int_equal(json_array_size(json_object_get(values, "points")), 5);
	assert_string_equal(text_of(at(values, "points", 2), "gap"), "failed");
	assert_true(json_is_null(json_object_get(at(values, "points", 2), "value")));
	assert_int_equal(json_array_size(json_object_get(values, "devices")), 2);
	assert_string_equal(text_of(at(values, "devices", 0), "meter"), "11111111.KAM.1B.07");
	assert_int_equal(number_of(at(values, "devices", 0), "values"), 2);
	assert_string_equal(text_of(at(values, "devices", 1), "meter"), "22222222.KAM.1B.07");
	assert_int_equal(number_of(at(values, "points", 3), "device"), 1);
	json_decref(values);
}

static void many_values_are_thinned(void **state)
{
	struct kit *kit = *state;
	for (unsigned i = 0; i < 200; i++) {
		kit_give(kit, 12345678, 0, i + 1, i == 77 ? 1 : 1000 + i);
		kit_run(kit, ML_SEC);
	}
	json_t *values = call(
		kit, "series.values", "{'series': 'm123456782C2D1B07.000000000010', 'points': 10}");
	const json_t *points = json_object_get(values, "points");
	assert_true(json_is_true(json_object_get(values, "thinned")));
	assert_int_equal(json_array_size(points), 10);
	size_t count = 0;
	bool least = false;
	for (size_t i = 0; i < 10; i++) {
		const json_t *point = json_array_get(points, i);
		count += (size_t)number_of(point, "count");
		least = least || json_real_value(json_object_get(point, "min")) < 0.0011;
		assert_true(json_is_number(json_object_get(point, "last")));
	}
	assert_int_equal(count, 200);
	assert_true(least); /* it is not lost in a crowd */
	json_decref(values);
	/* Of a part of the time only that. */
	values = call(kit, "series.values",
		"{'series': 'm123456782C2D1B07.000000000010', 'from': '2026-09-21T14:13:30Z', "
		"'to': '2026-09-21T14:13:33Z'}");
	assert_int_equal(json_array_size(json_object_get(values, "points")), 4);
	assert_string_equal(text_of(at(values, "points", 0), "time"), "2026-09-21T14:13:30.000Z");
	json_decref(values);
}

static void what_is_wrong_is_told(void **state)
{
	struct kit *kit = *state;
	static const char *const wrong[] = {"", "x", "p", "p0.00", "p1", "p1.", "p1.0", "p1.0G",
		"p99999999999.00", "m1234.00", "m123456782C2D1B07", "p1.00.00"};
	struct store_series_id id;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(store_series_id_parse(wrong[i], &id, NULL), -EINVAL);
	kit_call(kit, "series.values", "{'series': 'p1.00'}");
	assert_int_equal(kit->code, -ENOENT);
	assert_non_null(strstr(kit->result, "meter.series tells"));
	kit_call(kit, "series.values", "{'series': 'nothing'}");
	assert_int_equal(kit->code, -EINVAL);
	kit_call(kit, "meter.series", "{'meter': '12345678'}");
	assert_int_equal(kit->code, -ENOENT);
	kit_give(kit, 12345678, 0, 1, 1);
	kit_call(kit, "series.values",
		"{'series': 'm123456782C2D1B07.000000000010', 'from': '2026-01-02', 'to': "
		"'2026-01-01'}");
	assert_int_equal(kit->code, -EINVAL);
	kit_call(kit, "series.values",
		"{'series': 'm123456782C2D1B07.000000000010', 'to': '2026-01-01'}");
	assert_int_equal(kit->code, 0);
	assert_non_null(strstr(kit->result, "\"points\":[]"));
}

static void ids_come_back(void **state)
{
	(void)state;
	struct store_series_id id = {.point = 4096, .key_length = METER_SERIES_KEY_MAX}, again;
	char text[STORE_SERIES_ID_MAX];
	for (size_t i = 0; i < METER_SERIES_KEY_MAX; i++)
		id.key[i] = (uint8_t)(i * 37);
	store_series_id_format(&id, text);
	assert_int_equal(store_series_id_parse(text, &again, NULL), 0);
	assert_memory_equal(&id, &again, sizeof id);
	id.point = 0;
	id.identity = (struct meter_identity){0x12345678, 0x2C2D, 0x1B, 7};
	store_series_id_format(&id, text);
	assert_int_equal(store_series_id_parse(text, &again, NULL), 0);
	assert_true(meter_identity_equal(again.identity, id.identity));
	assert_memory_equal(id.key, again.key, sizeof id.key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_meter_tells_its_series, setup, teardown),
		cmocka_unit_test_setup_teardown(a_replaced_meter_goes_on, setup, teardown),
		cmocka_unit_test_setup_teardown(many_values_are_thinned, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_wrong_is_told, setup, teardown),
		cmocka_unit_test(ids_come_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
