/* Readings come out of the store as they went in: every telegram of the corpus, and the edges of
 * what a value can be. SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>

#include "telegram.h"

#include <jansson.h>

#include "meter/list.h"
#include "store/pack.h"
#include "store/query.h"

static char *to_json(const struct meter_reading *reading)
{
	struct ml_buffer out = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &out);
	meter_reading_to_json(reading, &w);
	assert_false(out.failed);
	return out.data;
}

/* Packs it, and unpacks it by a shape that was stored and read again. */
static void check_round_trip(const struct meter_reading *reading)
{
	static uint8_t values[STORE_VALUES_MAX];
	static _Alignas(8) uint8_t block[STORE_BLOCK_MAX];
	struct store_shape *shape = NULL;
	struct store_shape *stored = NULL;
	struct meter_reading *again = (void *)block;
	assert_int_equal(store_shape_new(reading, &shape, NULL), 0);
	assert_true(store_shape_fits(shape, reading));
	assert_int_equal(store_shape_parse(shape->body, shape->body_length, &stored, NULL), 0);
	const size_t length = store_values_write(shape, reading, values);
	assert_true(length > 0);
	assert_int_equal(store_values_read(stored, values, length, block, sizeof block, NULL), 0);
	assert_int_equal(store_values_flags(values, length), reading->flags);
	again->time = reading->time;
	again->trace = reading->trace;
	again->meter = reading->meter;
	char *before = to_json(reading);
	char *after = to_json(again);
	assert_string_equal(after, before);
	for (size_t i = 0; i < reading->record_count; i++) {
		uint8_t first[METER_SERIES_KEY_MAX], second[METER_SERIES_KEY_MAX];
		const size_t key =
			meter_series_key(reading, meter_reading_record(reading, i), first);
		assert_int_equal(
			meter_series_key(again, meter_reading_record(again, i), second), key);
		assert_memory_equal(first, second, key);
	}
	/* What came out is of the same shape as what went in. */
	assert_true(store_shape_fits(stored, again));
	assert_int_equal(store_shape_hash(again), store_shape_hash(reading));
	assert_int_equal(store_shape_stored_hash(stored), store_shape_stored_hash(shape));
	/* Nothing short of the whole is taken for one. */
	for (size_t cut = 0; cut < length; cut++)
		assert_true(store_values_read(stored, values, cut, block, sizeof block, NULL) < 0);
	free(before);
	free(after);
	store_shape_free(shape);
	store_shape_free(stored);
}

static void corpus_comes_back(void **state)
{
	(void)state;
	char path[4096];
	char line[16384];
	size_t count = 0;
	(void)snprintf(path, sizeof path, "%s/wired.jsonl", getenv("TEST_DATA"));
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof line, file)) {
		static struct telegram t;
		json_t *row = json_loads(line, 0, NULL);
		assert_non_null(row);
		const char *hex = json_string_value(json_object_get(row, "hex"));
		struct meter_reading *reading = (void *)t.block;
		t.length = from_hex(hex, t.bytes, sizeof t.bytes);
		if (mbus_decode_frame(t.block, sizeof t.block, t.bytes, t.length, 0, NULL) == 0) {
			reading->time = 1765432100123456;
			reading->trace = 42;
			check_round_trip(reading);
			count += reading->record_count;
		}
		json_decref(row);
	}
	(void)fclose(file);
	assert_true(count > 700); /* records */
}

static struct meter_reading *empty(void *block)
{
	assert_int_equal(meter_reading_init(block, 16 * 1024, NULL, 0, NULL), 0);
	struct meter_reading *reading = block;
	reading->flags = METER_HAS_IDENTITY;
	return reading;
}

static void add_number(struct meter_reading *reading, int64_t mantissa, int8_t exponent)
{
	struct meter_record *record = meter_reading_add_custom(reading, "level", 5, "m", 1);
	assert_non_null(record);
	record->kind = METER_NUMBER;
	record->mantissa = mantissa;
	record->exponent = exponent;
	meter_reading_number(reading, record);
}

static void extreme_numbers_are_exact(void **state)
{
	(void)state;
	static _Alignas(8) uint8_t block[16 * 1024];
	static const int64_t mantissas[] = {0, 1, -1, INT64_MAX, INT64_MIN, INT64_MAX / 2 + 1,
		INT64_MIN / 2, INT64_MIN / 2 - 1, 1234567890123456789};
	struct meter_reading *reading = empty(block);
	for (size_t i = 0; i < sizeof mantissas / sizeof *mantissas; i++)
		for (int exponent = -128; exponent < 128; exponent += 51)
			add_number(reading, mantissas[i], (int8_t)exponent);
	check_round_trip(reading);
}

static void other_exponents_share_a_shape(void **state)
{
	(void)state;
	static _Alignas(8) uint8_t first[16 * 1024], second[16 * 1024];
	static uint8_t values[STORE_VALUES_MAX];
	static _Alignas(8) uint8_t block[STORE_BLOCK_MAX];
	struct store_shape *shape = NULL;
	add_number(empty(first), 125, -2);
	add_number(empty(second), 99, 5);
	assert_int_equal(store_shape_new((void *)first, &shape, NULL), 0);
	assert_true(store_shape_fits(shape, (void *)second));
	const size_t length = store_values_write(shape, (void *)second, values);
	assert_int_equal(store_values_read(shape, values, length, block, sizeof block, NULL), 0);
	const struct meter_record *record = meter_reading_record((void *)block, 0);
	assert_int_equal(record->mantissa, 99);
	assert_int_equal(record->exponent, 5);
	store_shape_free(shape);
}

static void times_that_stand_for_every_one_come_back(void **state)
{
	(void)state;
	static _Alignas(8) uint8_t block[16 * 1024];
	static const struct meter_time times[] = {
		{2026, 1, 31, 14, 15, 0, 0},
		{2299, 12, 31, 23, 59, 59, METER_TIME_SECONDS | METER_TIME_SUMMER},
		{METER_TIME_EVERY_YEAR, METER_TIME_EVERY, METER_TIME_EVERY, METER_TIME_EVERY,
			METER_TIME_EVERY, METER_TIME_EVERY, 0},
		{2026, 200, 100, 90, 80, 70, 60}, /* whatever a meter may send */
	};
	struct meter_reading *reading = empty(block);
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		for (uint8_t kind = METER_DATE; kind <= METER_TIME; kind++) {
			struct meter_record *record =
				meter_reading_add_custom(reading, "when", 4, "", 0);
			assert_non_null(record);
			record->kind = kind;
			record->time = times[i];
			meter_reading_number(reading, record);
		}
	}
	static uint8_t values[STORE_VALUES_MAX];
	static _Alignas(8) uint8_t back[STORE_BLOCK_MAX];
	struct store_shape *shape = NULL;
	assert_int_equal(store_shape_new(reading, &shape, NULL), 0);
	const size_t length = store_values_write(shape, reading, values);
	assert_int_equal(store_values_read(shape, values, length, back, sizeof back, NULL), 0);
	for (size_t i = 0; i < reading->record_count; i++) {
		const struct meter_time *a = &meter_reading_record(reading, i)->time;
		const struct meter_time *b = &meter_reading_record((void *)back, i)->time;
		assert_memory_equal(a, b, sizeof *a);
	}
	store_shape_free(shape);
}

static void texts_and_errors_come_back(void **state)
{
	(void)state;
	static _Alignas(8) uint8_t block[16 * 1024];
	struct meter_reading *reading = empty(block);
	add_number(reading, 1, 0);
	add_number(reading, 2, 0);
	assert_true(meter_reading_set_text(reading, 0, "Zähler €", strlen("Zähler €")));
	assert_true(meter_reading_set_text(reading, 1, "", 0));
	reading->encryption = METER_WRONG_KEY;
	reading->encryption_mode = 5;
	reading->configuration = 0x2510;
	reading->flags |= METER_HAS_STATUS | METER_HAS_ADDRESS | METER_MORE_FOLLOWS;
	reading->access = 255;
	reading->status = 0x84;
	reading->address = 250;
	meter_reading_set_error(reading, 17, "byte 17: %s", "expected a DIF");
	check_round_trip(reading);
}

static void failed_readout_comes_back(void **state)
{
	(void)state;
	static _Alignas(8) uint8_t block[16 * 1024];
	struct meter_reading *reading = empty(block);
	reading->flags = METER_NOT_READ;
	meter_reading_set_error(reading, -1, "no answer");
	check_round_trip(reading);
}

static void every_name_has_its_way_back(void **state)
{
	(void)state;
	static _Alignas(8) uint8_t block[64 * 1024];
	assert_int_equal(meter_reading_init(block, sizeof block, NULL, 0, NULL), 0);
	struct meter_reading *reading = (void *)block;
	for (unsigned i = 0; i < 256; i++) {
		struct meter_record *record = meter_reading_add(reading);
		assert_non_null(record);
		record->quantity = (uint8_t)(i % METER_QUANTITIES);
		record->of = (uint8_t)((i + 1) % METER_QUANTITIES);
		record->unit = (uint8_t)(i % METER_UNITS);
		record->per = (uint8_t)(i % METER_PERS);
		record->modifiers = UINT64_C(1) << i % METER_MODIFIERS | 1;
		record->ordinal = (uint8_t)i;
	}
	struct store_shape *shape = NULL;
	assert_int_equal(store_shape_new(reading, &shape, NULL), 0);
	assert_true(store_shape_fits(shape, reading));
	store_shape_free(shape);
}

static void other_series_are_another_shape(void **state)
{
	(void)state;
	static _Alignas(8) uint8_t first[16 * 1024], second[16 * 1024];
	struct store_shape *shape = NULL;
	struct meter_reading *reading = empty(second);
	add_number(empty(first), 1, 0);
	add_number(reading, 1, 0);
	assert_int_equal(store_shape_new((void *)first, &shape, NULL), 0);
	assert_true(store_shape_fits(shape, reading));
	struct meter_record *record = (void *)(uintptr_t)meter_reading_record(reading, 0);
	record->storage = 1;
	assert_false(store_shape_fits(shape, reading));
	record->storage = 0;
	record->unit = METER_U_W;
	assert_false(store_shape_fits(shape, reading));
	store_shape_free(shape);
}

/* The bytes on the disk are for ever: a change of the format shows here. */
static void format_is_fixed(void **state)
{
	(void)state;
	static struct telegram t;
	static uint8_t values[STORE_VALUES_MAX];
	static const uint8_t shape_bytes[] = {1, 2, /* version, two records */
		0, 0, 0, 0, 0, 0, 7, 6, 'v', 'o', 'l', 'u', 'm', 'e', 0, 3, 'm', 0xC2, 0xB3, 0, 0,
		1, 1, 0x04, 0x13, /* volume */
		0, 1, 0, 0, 0, 0, 0, 4, 'd', 'a', 't', 'e', 0, 0, 0, 0, 1, 1, 0x42, 0x6C, /* date */
		1, 5, 2, 0}; /* usually a number of 10^-3, and a date of no power */
	static const uint8_t value_bytes[] = {0x98, 0x02, 0x72, 0x2A,
		0x00,                    /* flags, CI, access, status */
		0xC4, 0xA1, 0x0D,        /* 54321 by four: zigzag, and a number */
		0x05, 0x9F, 0xBE, 0x7E}; /* a date: year, month, day */
	const struct meter_reading *reading = decode_hex(&t, "72785634122D2C1B072A000000"
							     "041331D40000"
							     "426CFF2C");
	struct store_shape *shape = NULL;
	assert_int_equal(reading->record_count, 2);
	assert_int_equal(store_shape_new(reading, &shape, NULL), 0);
	assert_int_equal(shape->body_length, sizeof shape_bytes);
	assert_memory_equal(shape->body, shape_bytes, sizeof shape_bytes);
	assert_int_equal(store_values_write(shape, reading, values), sizeof value_bytes);
	assert_memory_equal(values, value_bytes, sizeof value_bytes);
	store_shape_free(shape);
}

static void lengths_of_time_are_read(void **state)
{
	(void)state;
	ml_time length = 0;
	assert_int_equal(store_duration_parse("15 min", &length, NULL), 0);
	assert_int_equal(length, 15 * ML_MINUTE);
	assert_int_equal(store_duration_parse("1d", &length, NULL), 0);
	assert_int_equal(length, ML_DAY);
	assert_int_equal(store_duration_parse("30 s", &length, NULL), 0);
	assert_int_equal(length, 30 * ML_SEC);
	static const char *const wrong[] = {"", "min", "0 min", "5", "-1 h", "1 week", "1 h ",
		"99999999999999999999 s", "4000 d"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(store_duration_parse(wrong[i], &length, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus_comes_back),
		cmocka_unit_test(extreme_numbers_are_exact),
		cmocka_unit_test(other_exponents_share_a_shape),
		cmocka_unit_test(times_that_stand_for_every_one_come_back),
		cmocka_unit_test(texts_and_errors_come_back),
		cmocka_unit_test(failed_readout_comes_back),
		cmocka_unit_test(every_name_has_its_way_back),
		cmocka_unit_test(other_series_are_another_shape),
		cmocka_unit_test(format_is_fixed),
		cmocka_unit_test(lengths_of_time_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
