/* Telegrams explained: every byte of every real telegram stands in one part, in its order.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "telegram.h"

#include <jansson.h>

#include "decode/explain.h"

static json_t *explain(const uint8_t *bytes, size_t length)
{
	struct ml_buffer text = {0};
	struct ml_json_writer w;
	json_error_t where;
	ml_json_writer_init(&w, &text);
	decode_explain(bytes, length, &w);
	assert_false(text.failed);
	json_t *parts =
		json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
	if (!parts)
		fail_msg("%s: %s", where.text, text.data);
	ml_buffer_free(&text);
	return parts;
}

static void check_whole(const uint8_t *bytes, size_t length, const json_t *parts)
{
	size_t at = 0, i;
	json_t *part;
	json_array_foreach(parts, i, part)
	{
		uint8_t found[TELEGRAM_MAX];
		const size_t count = from_hex(
			json_string_value(json_object_get(part, "bytes")), found, sizeof found);
		assert_int_equal(json_integer_value(json_object_get(part, "at")), at);
		assert_true(count > 0 && at + count <= length);
		assert_memory_equal(found, bytes + at, count);
		assert_non_null(json_object_get(part, "what"));
		at += count;
	}
	assert_int_equal(at, length);
}

static size_t count_records(const json_t *parts)
{
	size_t count = 0, i;
	json_t *part;
	json_array_foreach(parts, i, part) count += json_object_get(part, "record") != NULL;
	return count;
}

static void check_file(const char *name)
{
	static struct telegram telegram;
	char path[512];
	char *line = NULL;
	size_t size = 0, rows = 0;
	(void)snprintf(path, sizeof path, "%s/%s", getenv("TEST_DATA"), name);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	while (getline(&line, &size, file) > 0) {
		json_t *row = json_loads(line, 0, NULL);
		const struct meter_reading *reading =
			decode_hex(&telegram, json_string_value(json_object_get(row, "hex")));
		json_t *parts = explain(telegram.bytes, telegram.length);
		check_whole(telegram.bytes, telegram.length, parts);
		assert_int_equal(count_records(parts), reading->record_count);
		json_decref(parts);
		json_decref(row);
		rows++;
	}
	free(line);
	(void)fclose(file);
	assert_true(rows > 10);
}

static void every_byte_of_real_telegrams_is_told_once(void **state)
{
	(void)state;
	check_file("wired.jsonl");
	check_file("records.jsonl");
}

static const char *text_of(const json_t *parts, const char *what, const char *member)
{
	size_t i;
	json_t *part;
	json_array_foreach(parts, i, part)
	{
		if (strcmp(json_string_value(json_object_get(part, "what")), what) == 0)
			return json_string_value(json_object_get(part, member));
	}
	fail_msg("there is no %s", what);
	return NULL;
}

static void a_telegram_is_explained_from_start_to_stop(void **state)
{
	(void)state;
	static struct telegram t;
	(void)decode_hex(&t, "680F0F680805727856341224400107550000000313153100DA16");
	t.length = from_hex("6813136808057278563412244001075500000003131531002F2F0000", t.bytes,
		sizeof t.bytes);
	t.bytes[1] = t.bytes[2] = (uint8_t)(t.length - 6);
	uint8_t sum = 0;
	for (size_t i = 4; i < t.length - 2; i++)
		sum = (uint8_t)(sum + t.bytes[i]);
	t.bytes[t.length - 2] = sum;
	t.bytes[t.length - 1] = 0x16;
	json_t *parts = explain(t.bytes, t.length);
	check_whole(t.bytes, t.length, parts);
	assert_string_equal(text_of(parts, "control", "text"), "RSP-UD: the meter answers");
	assert_string_equal(text_of(parts, "address", "text"), "5: primary address");
	assert_string_equal(text_of(parts, "id", "text"), "12345678");
	assert_string_equal(text_of(parts, "manufacturer", "text"), "PAD");
	assert_string_equal(text_of(parts, "version", "text"), "1");
	assert_string_equal(text_of(parts, "medium", "text"), "water");
	assert_string_equal(text_of(parts, "access number", "text"), "85");
	assert_string_equal(text_of(parts, "record", "dif"), "03");
	assert_string_equal(text_of(parts, "record", "vif"), "13");
	assert_string_equal(text_of(parts, "record", "data"), "153100");
	assert_string_equal(text_of(parts, "filler", "bytes"), "2F2F");
	json_decref(parts);
}

static void what_is_no_telegram_is_told_as_such(void **state)
{
	(void)state;
	static struct telegram t;
	static const char *const texts[] = {
		"E5", "105B055F00", "68", "6804046808", "00", "0102030405060708", "10400141160102"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		t.length = from_hex(texts[i], t.bytes, sizeof t.bytes);
		json_t *parts = explain(t.bytes, t.length);
		check_whole(t.bytes, t.length, parts);
		json_decref(parts);
	}
	json_t *parts = explain(NULL, 0);
	assert_int_equal(json_array_size(parts), 0);
	json_decref(parts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_of_real_telegrams_is_told_once),
		cmocka_unit_test(a_telegram_is_explained_from_start_to_stop),
		cmocka_unit_test(what_is_no_telegram_is_told_as_such),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
