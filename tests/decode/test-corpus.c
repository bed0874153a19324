/* Real telegrams from public test suites: each row of data/ decodes to what it means.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A row names its source. `records` holds quantity, what it is of, unit, value, function, storage,
 * tariff and subunit. Values were compared with what the source's own decoder says; where that is
 * wrong by the standard, `note` says so.
 */
#include <errno.h>
#include <stdio.h>

#include "telegram.h"

#include <jansson.h>

struct words {
	const json_t *expected;
	size_t count;
};

static void check_word(void *user, const char *text)
{
	struct words *words = user;
	const json_t *word = json_array_get(words->expected, words->count++);
	assert_non_null(word);
	assert_string_equal(text, json_string_value(word));
}

static void check_meter(const struct meter_reading *reading, const json_t *row)
{
	const json_t *meter = json_object_get(row, "meter");
	char text[METER_ID_TEXT_MAX];
	assert_int_equal(!(reading->flags & METER_HAS_IDENTITY), !meter);
	if (!meter)
		return;
	meter_id_format(reading->meter.id, text);
	assert_string_equal(text, json_string_value(json_array_get(meter, 0)));
	if (json_is_string(json_array_get(meter, 1))) {
		assert_true(reading->flags & METER_HAS_MAKER);
		meter_manufacturer_format(reading->meter.manufacturer, text);
		assert_string_equal(text, json_string_value(json_array_get(meter, 1)));
		assert_int_equal(
			reading->meter.version, json_integer_value(json_array_get(meter, 2)));
	}
	assert_string_equal(meter_medium_name(reading->meter.medium),
		json_string_value(json_array_get(meter, 3)));
}

static void check_status(const struct meter_reading *reading, const json_t *row)
{
	const json_t *access = json_object_get(row, "access");
	if (!json_object_get(row, "error_at"))
		assert_int_equal(!(reading->flags & METER_HAS_STATUS), !access);
	if (!access)
		return;
	assert_int_equal(reading->access, json_integer_value(access));
	struct words words = {.expected = json_object_get(row, "status")};
	meter_status_words(reading->status, check_word, &words);
	assert_int_equal(words.count, json_array_size(words.expected));
}

static void check_record(const struct meter_reading *reading, size_t index, const json_t *fields)
{
	const struct meter_record *record = meter_reading_record(reading, index);
	const json_t *of = json_array_get(fields, 1);
	assert_record(reading, index, json_string_value(json_array_get(fields, 0)),
		json_string_value(json_array_get(fields, 2)),
		json_string_value(json_array_get(fields, 3)));
	if (json_is_string(of))
		assert_string_equal(meter_quantity_name(record->of), json_string_value(of));
	else
		assert_int_equal(record->of, METER_Q_UNKNOWN);
	assert_string_equal(meter_function_name(record->function),
		json_string_value(json_array_get(fields, 4)));
	assert_int_equal(record->storage, json_integer_value(json_array_get(fields, 5)));
	assert_int_equal(record->tariff, json_integer_value(json_array_get(fields, 6)));
	assert_int_equal(record->subunit, json_integer_value(json_array_get(fields, 7)));
}

static void check_row(const json_t *row)
{
	static struct telegram t;
	const json_t *records = json_object_get(row, "records");
	const json_t *error_at = json_object_get(row, "error_at");
	const struct meter_reading *reading =
		decode_hex(&t, json_string_value(json_object_get(row, "hex")));
	check_meter(reading, row);
	check_status(reading, row);
	assert_int_equal(reading->record_count, json_array_size(records));
	for (size_t i = 0; i < reading->record_count; i++)
		check_record(reading, i, json_array_get(records, i));
	assert_int_equal(meter_reading_has_error(reading), error_at != NULL);
	if (error_at)
		assert_int_equal(reading->error_at, json_integer_value(error_at));
	/* The block is relocatable: a copy says the same. */
	static _Alignas(8) uint8_t copy[2 * METER_READING_MAX];
	assert_int_equal(meter_reading_copy(copy, reading->size, reading, NULL), 0);
	const struct meter_reading *other = (const void *)copy;
	assert_memory_equal(meter_reading_records(reading), meter_reading_records(other),
		reading->record_count * sizeof(struct meter_record));
}

static size_t run_file(const char *name)
{
	char path[1024];
	char line[32 * 1024];
	size_t rows = 0;
	(void)snprintf(path, sizeof path, "%s/%s", getenv("TEST_DATA"), name);
	FILE *file = fopen(path, "r");
	if (!file)
		fail_msg("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof line, file)) {
		json_error_t error;
		json_t *row = json_loads(line, 0, &error);
		if (!row)
			fail_msg("%s:%zu: %s", name, rows + 1, error.text);
		print_message("%s\n", json_string_value(json_object_get(row, "name")));
		check_row(row);
		json_decref(row);
		rows++;
	}
	(void)fclose(file);
	return rows;
}

static void test_wired(void **state)
{
	(void)state;
	assert_int_equal(run_file("wired.jsonl"), 74);
}

static void test_records(void **state)
{
	(void)state;
	assert_int_equal(run_file("records.jsonl"), 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wired),
		cmocka_unit_test(test_records),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
