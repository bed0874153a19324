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

#include "mbus/application.h"
#include "store/chunk.h"
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
	/* The first moment of all is a time too. */
	values = call(kit, "series.values",
		"{'series': 'm123456782C2D1B07.000000000010', 'to': '1970-01-01'}");
	assert_int_equal(json_array_size(json_object_get(values, "points")), 0);
	json_decref(values);
	kit_call(kit, "series.values",
		"{'series': 'm123456782C2D1B07.000000000010', 'from': '2026-09-21', 'to': "
		"'1970-01-01'}");
	assert_int_equal(kit->code, -EINVAL);
}

static void run_sql(sqlite3 *db, const char *sql)
{
	char *text = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
		fail_msg("%s: %s", sql, text);
}

/* What has expired is no part of a series any more; a series of which all has is none. */
static void expired_readings_are_left_out(void **state)
{
	struct kit *kit = *state;
	char path[128];
	sqlite3 *db = NULL;
	for (unsigned i = 0; i < 4; i++) {
		kit_give(kit, 12345678, 0, i + 1, i);
		kit_run(kit, 3600 * ML_SEC);
	}
	(void)snprintf(path, sizeof path, "%s/readings.db", kit->data);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	run_sql(db, "DELETE FROM reading WHERE sequence <= 2");
	kit_call(kit, "meter.series", "{'meter': '12345678'}");
	assert_non_null(strstr(kit->result, "\"first\":\"2026-09-21T16:13:20.000Z\",\"last\":"
					    "\"2026-09-21T17:13:20.000Z\""));
	run_sql(db, "DELETE FROM reading");
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	kit_call(kit, "meter.series", "{'meter': '12345678'}");
	assert_string_equal(kit->result, "{\"series\":[]}");
}

/* ---- Out of chunks ---- */

enum { PACKED_MAX = 512 };

static int two_records(void *user, int64_t shape)
{
	(void)user;
	(void)shape;
	return 2;
}

static void insert_chunk(sqlite3 *db, struct store_chunk_packer *packer, int64_t device,
	const struct store_row *rows, size_t count)
{
	const struct store_row *end = &rows[count - 1];
	const int64_t values[] = {device, 2026 * 12 + 8, (int64_t)rows->sequence,
		(int64_t)end->sequence, rows->time, end->time, (int64_t)rows->trace,
		(int64_t)end->trace, (int64_t)count};
	const uint8_t *blob = NULL;
	size_t length = 0;
	sqlite3_stmt *insert = NULL;
	assert_int_equal(
		store_chunk_pack(packer, rows, count, two_records, NULL, &blob, &length, NULL), 0);
	assert_int_equal(
		sqlite3_prepare_v2(db,
			"INSERT INTO chunk (device, month, first_sequence, last_sequence, "
			"first_time, last_time, min_trace, max_trace, count, body) VALUES (?, ?, "
			"?, ?, ?, ?, ?, ?, ?, ?)",
			-1, &insert, NULL),
		SQLITE_OK);
	for (int i = 0; i < 9; i++)
		(void)sqlite3_bind_int64(insert, i + 1, values[i]);
	(void)sqlite3_bind_blob(insert, 10, blob, (int)length, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
	(void)sqlite3_finalize(insert);
}

/* Of a device, what is stored up to a sequence number, each third reading in a chunk of its own. */
static void pack_device(sqlite3 *db, int64_t device, uint64_t last)
{
	static struct store_row rows[3][PACKED_MAX];
	static uint8_t contents[3][PACKED_MAX][64];
	size_t counts[3] = {0};
	struct store_scan_options options = STORE_SCAN_ALL;
	struct store_view *view = NULL;
	struct store_scan *scan = NULL;
	const struct store_row *row = NULL;
	options.devices = &device;
	options.device_count = 1;
	options.failed = true;
	options.last = last;
	options.unpacked = true;
	assert_int_equal(store_view_on(NULL, db, &view, NULL), 0);
	assert_int_equal(store_scan_begin(view, &options, &scan, NULL), 0);
	for (size_t i = 0; store_scan_next(scan, &row, NULL) > 0; i++) {
		const size_t at = counts[i % 3]++;
		assert_true(at < PACKED_MAX && row->length <= sizeof contents[0][0]);
		memcpy(contents[i % 3][at], row->content, row->length);
		rows[i % 3][at] = *row;
		rows[i % 3][at].content = contents[i % 3][at];
	}
	store_scan_end(scan);
	store_view_close(view);
	struct store_chunk_packer *packer = store_chunk_packer_new(4);
	for (size_t c = 0; c < 3; c++) {
		if (counts[c])
			insert_chunk(db, packer, device, rows[c], counts[c]);
	}
	store_chunk_packer_free(packer);
}

/* What is stored up to a sequence number goes into chunks, as the packer does it. */
static void pack(struct kit *kit, uint64_t last)
{
	char path[128], sql[160];
	sqlite3 *db = NULL;
	(void)snprintf(path, sizeof path, "%s/readings.db", kit->data);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	run_sql(db, "BEGIN IMMEDIATE");
	for (int64_t device = 1; device <= kit_sql(kit, "readings", "SELECT max(key) FROM device");
		device++)
		pack_device(db, device, last);
	(void)snprintf(sql, sizeof sql,
		"DELETE FROM reading WHERE sequence <= %llu;"
		"UPDATE store_state SET value = %llu WHERE name = 'packed'; COMMIT",
		(unsigned long long)last, (unsigned long long)last);
	run_sql(db, sql);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* The same answers, whether the readings are in rows, in chunks whose times overlap, or in both. */
static void packed_values_are_the_same(void **state)
{
	struct kit *kit = *state;
	static const char *const questions[] = {
		"{'series': 'p1.000000000010'}",
		"{'series': 'p1.000000000000'}",
		"{'series': 'p1.000000000010', 'points': 7}",
		"{'series': 'p1.000000000010', 'from': '2026-09-21T14:15:00Z'}",
	};
	enum { QUESTIONS = sizeof questions / sizeof *questions };
	char *before[QUESTIONS];
	kit_call(kit, "meter.add", "{'mode': 'primary', 'primary': 1, 'moid': 'Flat 3'}");
	for (unsigned i = 0; i < 150; i++) {
		if (i % 41 == 5)
			kit_give_failed(kit, 1, i + 1);
		else
			kit_give(kit, i < 100 ? 11111111 : 22222222, 1, i + 1, 1000 + 3 * i % 17);
		kit_run(kit, ML_SEC);
	}
	for (size_t q = 0; q < QUESTIONS; q++) {
		kit_call(kit, "series.values", questions[q]);
		assert_int_equal(kit->code, 0);
		before[q] = strdup(kit->result);
	}
	for (uint64_t last = 50; last <= 150; last += 100) {
		pack(kit, last);
		for (size_t q = 0; q < QUESTIONS; q++) {
			kit_call(kit, "series.values", questions[q]);
			assert_string_equal(kit->result, before[q]);
		}
	}
	assert_int_equal(kit_sql(kit, "readings", "SELECT count(*) FROM reading"), 0);
	for (size_t q = 0; q < QUESTIONS; q++)
		free(before[q]);
}

/* A meter whose second record is its clock, which is no number, and at times has none. */
static struct store_shape *make_clock_rows(
	struct store_row rows[4], uint8_t contents[4][64], char series[STORE_SERIES_ID_MAX])
{
	static _Alignas(8) uint8_t block[METER_READING_MAX];
	static uint8_t values[STORE_VALUES_MAX];
	uint8_t telegram[] = {0x72, 0x78, 0x56, 0x34, 0x12, 0x2D, 0x2C, 0x1B, 0x07, 1, 0, 0, 0,
		0x04, 0x13, 1, 0, 0, 0, 0x04, 0x6D, 0, 12, 0x35, 0x39};
	struct store_shape *shape = NULL;
	struct store_series_id id = {.identity = {0x12345678, 0x2C2D, 0x1B, 7}};
	for (size_t i = 0; i < 4; i++) {
		telegram[21] = i == 2 ? 0x80 : (uint8_t)(10 * i); /* not valid; the minute */
		assert_int_equal(
			meter_reading_init(block, sizeof block, telegram, sizeof telegram, NULL),
			0);
		mbus_decode_application((void *)block, 0, sizeof telegram, 0);
		if (!shape)
			assert_int_equal(store_shape_new((void *)block, &shape, NULL), 0);
		const size_t length = store_values_write(shape, (void *)block, values);
		assert_in_range(length, 1, 64);
		memcpy(contents[i], values, length);
		rows[i] = (struct store_row){.sequence = i + 1,
			.time = (1790000000 + (int64_t)i) * ML_SEC,
			.shape = 1,
			.content = contents[i],
			.length = length};
	}
	id.key_length = (uint8_t)meter_series_key(
		(void *)block, meter_reading_record((void *)block, 1), id.key);
	store_series_id_format(&id, series);
	return shape;
}

static void what_is_no_number_comes_out_of_chunks_too(void **state)
{
	struct kit *kit = *state;
	struct store_row rows[4];
	uint8_t contents[4][64];
	char series[STORE_SERIES_ID_MAX], path[128], params[192];
	sqlite3 *db = NULL;
	sqlite3_stmt *insert = NULL;
	struct store_chunk_packer *packer = store_chunk_packer_new(4);
	struct store_shape *shape = make_clock_rows(rows, contents, series);
	(void)snprintf(path, sizeof path, "%s/readings.db", kit->data);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	run_sql(db, "INSERT INTO device (key, point, identity) VALUES (1, 0, x'785634122D2C1B07');"
		    "INSERT INTO device_shape VALUES (1, 1, 1790000000000000, 1790000003000000)");
	assert_int_equal(
		sqlite3_prepare_v2(db, "INSERT INTO shape (key, hash, body) VALUES (1, 0, ?)", -1,
			&insert, NULL),
		SQLITE_OK);
	(void)sqlite3_bind_blob(insert, 1, shape->body, (int)shape->body_length, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
	(void)sqlite3_finalize(insert);
	insert_chunk(db, packer, 1, rows, 4);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	(void)snprintf(params, sizeof params, "{'series': '%s'}", series);
	kit_call(kit, "series.values", params);
	if (!strstr(kit->result,
		    "\"points\":[{\"time\":\"2026-09-21T14:13:20.000Z\",\"value\":"
		    "\"2025-09-21T12:00\"},{\"time\":\"2026-09-21T14:13:21.000Z\",\"value\":"
		    "\"2025-09-21T12:10\"},{\"time\":\"2026-09-21T14:13:22.000Z\",\"value\":null,"
		    "\"gap\":\"none\"},{\"time\":\"2026-09-21T14:13:23.000Z\",\"value\":"
		    "\"2025-09-21T12:30\"}]"))
		fail_msg("%s", kit->result);
	(void)snprintf(params, sizeof params, "{'series': '%s', 'points': 2}", series);
	kit_call(kit, "series.values", params);
	assert_non_null(strstr(kit->result, "\"count\":0,\"min\":null,\"max\":null,\"first\":null,"
					    "\"last\":null,\"texts\":2}"));
	store_shape_free(shape);
	store_chunk_packer_free(packer);
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
		cmocka_unit_test_setup_teardown(expired_readings_are_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(packed_values_are_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_is_no_number_comes_out_of_chunks_too, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_wrong_is_told, setup, teardown),
		cmocka_unit_test(ids_come_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
