/* The block of a reading: finding, changing, copying, JSON.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "telegram.h"

static struct telegram t;

/* Volume, its stored value, a limit of it, a temperature, and half a record. */
static const char sample[] = "72 78563412 2D2C 1B 04 2A 14 0000 "
			     "0413D2040000 441364000000 01934005 025AC900 42EC7E5F1C";

static void test_find(void **state)
{
	const struct meter_reading *r = decode_hex(&t, sample);
	struct meter_filter filter = {.with = METER_WITH_QUANTITY, .quantity = METER_Q_VOLUME};
	(void)state;
	assert_int_equal(meter_reading_find(r, &filter, 0), 0);
	assert_int_equal(meter_reading_find(r, &filter, 1), 1);
	assert_int_equal(meter_reading_find(r, &filter, 2), r->record_count); /* no limit */
	filter.with |= METER_WITH_STORAGE;
	filter.storage = 1;
	assert_int_equal(meter_reading_find(r, &filter, 0), 1);
	filter = (struct meter_filter){
		.with = METER_WITH_MODIFIERS, .modifiers = UINT64_C(1) << METER_M_FUTURE};
	assert_int_equal(meter_reading_find(r, &filter, 0), 4);
	assert_null(meter_reading_record(r, 5));
	unsigned quantity;
	assert_true(meter_quantity_parse("volume", 6, &quantity));
	assert_int_equal(quantity, METER_Q_VOLUME);
	assert_false(meter_quantity_parse("volumes", 7, &quantity));
}

static void assert_json(const struct meter_reading *reading, const char *expected)
{
	struct ml_buffer out = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &out);
	meter_reading_to_json(reading, &w);
	assert_string_equal(out.data, expected);
	ml_buffer_free(&out);
}

static void test_json(void **state)
{
	struct meter_reading *r = (void *)t.block;
	(void)state;
	(void)decode_hex(
		&t, "72 78563412 2D2C 1B 04 2A 15 0000 04067B000000 01934005 0C0500000A00 04");
	r->time = INT64_C(1769868900000000);
	r->trace = 81723;
	assert_json(r,
		"{\"time\":\"2026-01-31T14:15:00.000Z\",\"trace\":81723,"
		"\"meter\":{\"id\":\"12345678\",\"manufacturer\":\"KAM\",\"version\":27,"
		"\"medium\":\"heat\",\"medium_code\":4},\"access\":42,"
		"\"status\":[\"busy\",\"power-low\",\"temporary-error\"],"
		"\"encryption\":{\"mode\":0,\"result\":\"plain\"},\"records\":["
		"{\"quantity\":\"energy\",\"unit\":\"Wh\",\"value\":123000,"
		"\"function\":\"instantaneous\",\"storage\":0,\"tariff\":0,\"subunit\":0,"
		"\"dif\":\"04\",\"vif\":\"06\"},"
		"{\"quantity\":\"lower-limit\",\"of\":\"volume\",\"unit\":\"m³\",\"value\":0.005,"
		"\"function\":\"instantaneous\",\"storage\":0,\"tariff\":0,\"subunit\":0,"
		"\"dif\":\"01\",\"vif\":\"9340\"},"
		"{\"quantity\":\"energy\",\"unit\":\"Wh\",\"value\":null,\"raw\":\"00000A00\","
		"\"function\":\"instantaneous\",\"storage\":0,\"tariff\":0,\"subunit\":0,"
		"\"ordinal\":1,\"dif\":\"0C\",\"vif\":\"05\"}],"
		"\"error\":{\"at\":29,\"text\":\"record 4: the telegram ends before its VIF\"}}");
	(void)decode_hex(&t, "78 42EC7E5F1C 1F0102");
	assert_json(r, "{\"meter\":null,\"encryption\":{\"mode\":0,\"result\":\"plain\"},"
		       "\"more_follows\":true,\"records\":["
		       "{\"quantity\":\"date\",\"unit\":\"\",\"value\":\"2010-12-31\","
		       "\"function\":\"instantaneous\",\"storage\":1,\"tariff\":0,\"subunit\":0,"
		       "\"modifiers\":[\"future\"],\"dif\":\"42\",\"vif\":\"EC7E\"},"
		       "{\"quantity\":\"manufacturer-data\",\"unit\":\"\",\"value\":\"0102\","
		       "\"function\":\"instantaneous\",\"storage\":0,\"tariff\":0,\"subunit\":0,"
		       "\"dif\":\"1F\",\"vif\":\"\"}]}");
}

/* A filter adds records and texts; the others, the telegram and the error stay as they were. */
static void test_change(void **state)
{
	static _Alignas(8) uint8_t block[METER_READING_MAX];
	struct meter_reading *r = (void *)block;
	char text[TELEGRAM_MAX];
	(void)state;
	(void)snprintf(text, sizeof text, "%s 04", sample);
	const struct meter_reading *original = decode_hex(&t, text);
	assert_int_equal(meter_reading_copy(block, sizeof block, original, NULL), 0);
	struct meter_record *custom = meter_reading_add_custom(r, "flow-ratio", 10, "m³/m³", 7);
	assert_non_null(custom);
	custom->kind = METER_NUMBER;
	custom->mantissa = 125;
	custom->exponent = -2;
	assert_record(r, 5, "flow-ratio", "m³/m³", "1.25");
	assert_true(meter_reading_set_text(r, 1, "größer", 8));
	assert_record(r, 1, "volume", "m³", "größer");
	for (size_t i = 0; i < 5; i++) {
		if (i != 1)
			assert_memory_equal(meter_reading_record(r, i),
				meter_reading_record(original, i), sizeof(struct meter_record));
	}
	assert_memory_equal(meter_reading_bytes(r), t.bytes, t.length);
	size_t length;
	size_t old_length;
	const char *error = meter_reading_error(r, &length);
	const char *old_error = meter_reading_error(original, &old_length);
	assert_int_equal(length, old_length);
	assert_memory_equal(error, old_error, length);
	uint8_t key[METER_SERIES_KEY_MAX];
	assert_int_equal(meter_series_key(r, meter_reading_record(r, 5), key), 11);
	assert_memory_equal(key,
		"\x80"
		"flow-ratio",
		11);
}

static void test_no_room(void **state)
{
	static _Alignas(8) uint8_t block[METER_READING_MAX];
	struct ml_error err = ML_ERROR_NONE;
	struct meter_reading *r = (void *)block;
	const struct meter_reading *original = decode_hex(&t, sample);
	(void)state;
	assert_true(meter_reading_copy(block, original->size - 1, original, &err) < 0);
	assert_int_equal(meter_reading_copy(block, original->size, original, NULL), 0);
	const struct meter_reading before = *r;
	assert_null(meter_reading_add_custom(r, "a", 1, "", 0));
	assert_false(meter_reading_set_text(r, 0, "12345678901234567890", 20));
	assert_null(meter_reading_add(r));
	assert_memory_equal(r, &before, sizeof before);
	/* Room for the record, none for its name. */
	assert_int_equal(meter_reading_copy(block, original->size + sizeof(struct meter_record),
				 original, NULL),
		0);
	assert_null(meter_reading_add_custom(r, "a long name of a record", 23, "", 0));
	assert_int_equal(r->size, original->size);
	assert_int_equal(r->record_count, original->record_count);
	/* An error always finds room. */
	meter_reading_set_error(r, 7, "%s",
		"this text is longer than what is left in the block, "
		"so the last record has to go");
	assert_true(meter_reading_has_error(r));
	assert_int_equal(r->error_at, 7);
	/* Too small for the telegram itself. */
	assert_true(meter_reading_init(block, 64, t.bytes, t.length, &err) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_no_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
