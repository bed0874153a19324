/* From a value to the bytes of its telegram, and from a telegram to all that became of it.
 * SPDX-License-Identifier: Apache-2.0
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
#include <jansson.h>
#include <sqlite3.h>
#include <zlib.h>

#include "aggregate/family.h"
#include "decode/family.h"
#include "store/kit.h"

static const char graph[] =
	"{'meterloom': 1, 'nodes': ["
	" {'id': 'source', 'type': 't-source'}, {'id': 'store', 'type': 'store'},"
	" {'id': 'sink', 'type': 't-sink'}, {'id': 'told', 'type': 't-told'},"
	" {'id': 'clock', 'type': 't-clock'},"
	" {'id': 'sums', 'type': 'aggregate', 'params': {'quantity': 'volume', 'window': '1 h'}},"
	" {'id': 'query', 'type': 'store-query', 'params': {'destination': 'head-end', 'limit': "
	"10}},"
	" {'id': 'end', 'type': 't-end'}],"
	" 'edges': [{'from': 'source', 'to': 'store'}, {'from': 'source', 'to': 'sums'},"
	" {'from': 'sums', 'to': 'store'}, {'from': 'store.out', 'to': 'sink'},"
	" {'from': 'store.round-stored', 'to': 'told'}, {'from': 'clock', 'to': 'query.in'},"
	" {'from': 'query', 'to': 'end'}]}";

static struct kit *begin(const char *data)
{
	const struct kit_options options = {
		.data = data, .more = {&decode_family, &aggregate_family}};
	struct kit *kit = kit_new_with(&options);
	kit_apply(kit, graph);
	return kit;
}

static int setup(void **state)
{
	*state = begin(NULL);
	return 0;
}

static int teardown(void **state)
{
	kit_free(*state);
	return 0;
}

static json_t *show(struct kit *kit, const char *params)
{
	kit_call(kit, "trace.show", params);
	if (kit->code != 0)
		fail_msg("%s", kit->result);
	json_t *trace = json_loads(kit->result, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(trace);
	return trace;
}

static json_t *reading_of(const json_t *trace, size_t index)
{
	return json_array_get(json_object_get(trace, "readings"), index);
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

static size_t size_of(const json_t *object, const char *name)
{
	return json_array_size(json_object_get(object, name));
}

/* The bytes as the kit makes them, with `value` as volume. */
static size_t telegram(unsigned value, uint8_t out[25])
{
	static const uint8_t bytes[25] = {0x72, 0x01, 0, 0, 0, 0x2D, 0x2C, 0x1B, 0x07, 0x2A, 0, 0,
		0, 0x04, 0x13, 0, 0, 0, 0, 0x04, 0x06, 1, 0, 0, 0};
	memcpy(out, bytes, sizeof bytes);
	out[15] = (uint8_t)value;
	out[16] = (uint8_t)(value >> 8);
	return sizeof bytes;
}

/* ---- Tests ---- */

static void a_number_leads_to_the_bytes_explained_and_the_way_they_came(void **state)
{
	struct kit *kit = *state;
	uint8_t bytes[25];
	char hex[64] = "", check[16];
	kit_give(kit, 1, 0, 501, 4711);
	json_t *trace = show(kit, "{'trace': 501}");
	const size_t length = telegram(4711, bytes);
	for (size_t i = 0; i < length; i++)
		(void)snprintf(hex + 2 * i, 3, "%02X", bytes[i]);
	json_t *told = json_object_get(trace, "telegram");
	assert_string_equal(text_of(told, "bytes"), hex);
	/* The record of the volume: its DIF, VIF, data, and value. */
	json_t *part = NULL, *parts = json_object_get(told, "parts");
	size_t i, records = 0;
	json_array_foreach(parts, i, part)
	{
		if (strcmp(text_of(part, "what"), "record") != 0)
			continue;
		records++;
		if (strcmp(text_of(part, "vif"), "13") != 0)
			continue;
		assert_string_equal(text_of(part, "dif"), "04");
		assert_string_equal(text_of(part, "data"), "67120000");
		assert_string_equal(text_of(json_object_get(part, "record"), "quantity"), "volume");
	}
	assert_int_equal(records, 2);
	assert_int_equal(size_of(trace, "readings"), 1);
	json_t *reading = reading_of(trace, 0);
	(void)snprintf(check, sizeof check, "%08lX", crc32(0, bytes, (uInt)length));
	assert_string_equal(text_of(reading, "check"), check);
	assert_string_equal(text_of(reading, "clock"), "right");
	json_t *origin = json_object_get(reading, "origin");
	assert_string_equal(text_of(origin, "node"), "bus");
	assert_string_equal(text_of(origin, "bus"), "roof");
	assert_string_equal(text_of(origin, "interface"), "sim:line");
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(reading, "reading"), "trace")),
		501);
	assert_int_equal(size_of(reading, "results"), 0);
	json_decref(trace);
}

static void a_meter_and_the_second_of_a_report_lead_there_too(void **state)
{
	struct kit *kit = *state;
	char time[ML_TIME_TEXT_MAX], params[120];
	kit_run(kit, 345 * ML_MSEC);
	kit_give(kit, 1, 0, 1, 1);
	(void)ml_time_format(kit_wall(kit), time);
	kit_run(kit, ML_MINUTE);
	kit_give(kit, 1, 0, 2, 2);
	kit_give(kit, 2, 0, 3, 3);
	(void)snprintf(params, sizeof params, "{'meter': '00000001', 'time': '%.19sZ'}", time);
	json_t *trace = show(kit, params);
	assert_int_equal(json_integer_value(json_object_get(trace, "trace")), 1);
	json_decref(trace);
	(void)snprintf(params, sizeof params, "{'meter': '00000001', 'time': '%s'}", time);
	trace = show(kit, params);
	assert_int_equal(json_integer_value(json_object_get(trace, "trace")), 1);
	json_decref(trace);
	(void)snprintf(params, sizeof params, "{'meter': '00000002', 'time': '%s'}", time);
	kit_call(kit, "trace.show", params);
	assert_int_equal(kit->code, -ENOENT);
	assert_non_null(strstr(kit->result, "no reading at that time"));
	kit_call(kit, "trace.show", "{'trace': 77}");
	assert_int_equal(kit->code, -ENOENT);
	kit_call(kit, "trace.show", "{'trace': 1, 'meter': '00000001'}");
	assert_int_equal(kit->code, -EINVAL);
	kit_call(kit, "trace.show", "{'meter': '00000001'}");
	assert_int_equal(kit->code, -EINVAL);
	kit_call(kit, "trace.show", "{'meter': '00000001', 'time': '1970-01-01'}");
	assert_int_equal(kit->code, -ENOENT);
	assert_non_null(strstr(kit->result, "no reading at that time"));
}

static void a_reading_tells_the_reports_it_went_and_will_go_in(void **state)
{
	struct kit *kit = *state;
	kit_give(kit, 1, 0, 1, 1);
	kit_trigger(kit);
	kit_run(kit, 2 * ML_SEC);
	json_t *trace = show(kit, "{'trace': 1}");
	json_t *reports = json_object_get(reading_of(trace, 0), "reports");
	assert_int_equal(json_array_size(reports), 1);
	assert_string_equal(text_of(json_array_get(reports, 0), "destination"), "head-end");
	assert_string_equal(text_of(json_array_get(reports, 0), "state"), "delivered");
	json_decref(trace);
	/* One that waits, one that is on its way, one that was no value. */
	kit->mode = KIT_HOLD;
	kit_give(kit, 1, 0, 2, 2);
	kit_trigger(kit);
	kit_run(kit, 2 * ML_SEC);
	kit_give(kit, 1, 0, 3, 3);
	kit_give_failed(kit, 0, 4);
	static const char *const states[] = {"outstanding", "waiting"};
	for (int i = 0; i < 2; i++) {
		char params[40];
		(void)snprintf(params, sizeof params, "{'trace': %d}", 2 + i);
		trace = show(kit, params);
		reports = json_object_get(reading_of(trace, 0), "reports");
		assert_int_equal(json_array_size(reports), 1);
		assert_string_equal(text_of(json_array_get(reports, 0), "state"), states[i]);
		json_decref(trace);
	}
	trace = show(kit, "{'trace': 4}");
	assert_int_equal(size_of(reading_of(trace, 0), "reports"), 0);
	assert_true(json_is_null(json_object_get(trace, "telegram")));
	json_decref(trace);
	kit->mode = KIT_DELIVER;
	kit_let_go(kit);
}

static void what_was_made_of_it_names_it_and_is_named(void **state)
{
	struct kit *kit = *state;
	/* 13:33:20 at first: an hour from 14:00 on has all of these. */
	kit_run(kit, 27 * ML_MINUTE);
	for (uint64_t i = 0; i < 8; i++) {
		kit_give(kit, 1, 0, 10 + i, 100 + (int64_t)i);
		kit_run(kit, 15 * ML_MINUTE);
	}
	kit_run(kit, 3 * ML_HOUR);
	json_t *trace = show(kit, "{'trace': 12}");
	json_t *results = json_object_get(reading_of(trace, 0), "results");
	assert_int_equal(json_array_size(results), 1);
	assert_true(json_is_true(json_object_get(json_array_get(results, 0), "certain")));
	json_t *result = json_object_get(json_array_get(results, 0), "reading");
	assert_true(json_object_get(result, "derived") != NULL);
	char params[60];
	(void)snprintf(params, sizeof params, "{'trace': %lld}",
		(long long)json_integer_value(json_object_get(result, "trace")));
	json_decref(trace);
	/* And back: what the sum is made of. */
	trace = show(kit, params);
	json_t *made = json_object_get(reading_of(trace, 0), "made_of");
	assert_true(json_integer_value(json_object_get(made, "first")) <= 12);
	assert_true(json_integer_value(json_object_get(made, "last")) >= 12);
	json_decref(trace);
}

static void after_the_journal_origin_and_check_are_left(void **state)
{
	struct kit *kit = *state;
	char data[64], path[100];
	sqlite3 *db = NULL;
	kit_give(kit, 1, 0, 1, 1);
	memcpy(data, kit->data, sizeof data);
	kit->keep_data = true;
	kit_free(kit);
	(void)snprintf(path, sizeof path, "%s/readings.db", data);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DELETE FROM frame", NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
	*state = kit = begin(data);
	json_t *trace = show(kit, "{'trace': 1}");
	assert_true(json_is_null(json_object_get(trace, "telegram")));
	assert_string_equal(
		text_of(json_object_get(reading_of(trace, 0), "origin"), "interface"), "sim:line");
	assert_int_equal(strlen(text_of(reading_of(trace, 0), "check")), 8);
	json_decref(trace);
}

int main(void)
{
#define KIT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		KIT(a_number_leads_to_the_bytes_explained_and_the_way_they_came),
		KIT(a_meter_and_the_second_of_a_report_lead_there_too),
		KIT(a_reading_tells_the_reports_it_went_and_will_go_in),
		KIT(what_was_made_of_it_names_it_and_is_named),
		KIT(after_the_journal_origin_and_check_are_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
