/* The data codings of EN 13757-3 annex A.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "telegram.h"

#include "mbus/value.h"

static void assert_number(const struct meter_record *record, int64_t mantissa, int exponent)
{
	assert_int_equal(record->kind, METER_NUMBER);
	assert_int_equal(record->mantissa, mantissa);
	assert_int_equal(record->exponent, exponent);
}

static void test_signed(void **state)
{
	struct meter_record r = {0};
	(void)state;
	mbus_value_signed(0xFF, 1, &r);
	assert_number(&r, -1, 0);
	mbus_value_signed(0x7FFFFF, 3, &r);
	assert_number(&r, 8388607, 0);
	mbus_value_signed(0xFFFFFFFFFFFE, 6, &r);
	assert_number(&r, -2, 0);
	mbus_value_signed(0x7FFFFFFFFFFFFFFF, 8, &r);
	assert_number(&r, INT64_MAX, 0);
	/* The most negative number of each length means that there is no value. */
	for (size_t length = 1; length <= 8; length++) {
		mbus_value_signed(UINT64_C(1) << (8 * length - 1), length, &r);
		assert_int_equal(r.kind, METER_NONE);
	}
}

static void test_bcd(void **state)
{
	struct meter_record r = {0};
	(void)state;
	mbus_value_bcd(0x12345678, 4, &r);
	assert_number(&r, 12345678, 0);
	mbus_value_bcd(0x9999999999999999, 8, &r);
	assert_number(&r, INT64_C(9999999999999999), 0);
	mbus_value_bcd(0xF123, 2, &r);
	assert_number(&r, -123, 0);
	mbus_value_bcd(0xF00000000005, 6, &r);
	assert_number(&r, -5, 0);
	/* Other letters are error codes. */
	static const uint64_t wrong[] = {0xA000, 0x123A, 0x0F00, 0xFF00, 0xC123, 0x1B00};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		mbus_value_bcd(wrong[i], 2, &r);
		assert_int_equal(r.kind, METER_NONE);
	}
}

static void assert_real(float number, int64_t mantissa, int exponent)
{
	struct meter_record r = {0};
	uint32_t bits;
	memcpy(&bits, &number, sizeof bits);
	mbus_value_real(bits, &r);
	assert_number(&r, mantissa, exponent);
}

static void test_real(void **state)
{
	struct meter_record r = {0};
	(void)state;
	assert_real(0.0f, 0, 0);
	assert_real(21.5f, 215, -1);
	assert_real(-0.1f, -1, -1);
	assert_real(1234567.0f, 1234567, 0);
	assert_real(3.4028235e38f, 34028235, 31);
	assert_real(1e-45f, 14013, -49);
	assert_real(16777216.0f, 16777216, 0);
	assert_real(1e10f, 1, 10);
	mbus_value_real(0x7FC00000, &r);
	assert_int_equal(r.kind, METER_NONE);
	mbus_value_real(0xFF800000, &r);
	assert_int_equal(r.kind, METER_NONE);
}

/* Whatever the bits, the decimal names the same float again. */
static void test_real_comes_back(void **state)
{
	uint32_t bits = 1;
	char text[64];
	(void)state;
	for (int i = 0; i < 200000; i++) {
		struct meter_record r = {0};
		float number;
		float again;
		bits = bits * 1664525u + 1013904223u;
		memcpy(&number, &bits, sizeof number);
		mbus_value_real(bits, &r);
		if (r.kind == METER_NONE)
			continue;
		(void)snprintf(text, sizeof text, "%llde%d", (long long)r.mantissa, r.exponent);
		again = strtof(text, NULL);
		assert_memory_equal(&again, &number, sizeof number);
	}
}

static void assert_time(const char *hex, const char *expected)
{
	struct meter_record r = {0};
	uint8_t bytes[8];
	char text[METER_TIME_TEXT_MAX] = "";
	assert_true(mbus_value_time(bytes, from_hex(hex, bytes, sizeof bytes), &r));
	if (r.kind != METER_NONE)
		meter_time_text(&r, text);
	assert_string_equal(text, expected);
}

static void test_dates(void **state)
{
	struct meter_record r = {0};
	(void)state;
	/* Type G */
	assert_time("FE04", "2007-04-30");
	assert_time("5F1C", "2010-12-31");
	assert_time("E1F1", "*-01-01");   /* every year */
	assert_time("A12F", "2021-*-01"); /* every month */
	assert_time("A021", "2021-01-*");
	assert_time("2DA6", "1981-06-13");
	assert_time("FFFF", ""); /* invalid */
	assert_time("0000", ""); /* no month */
	assert_time("BD22", ""); /* 29 February 2021 */
	assert_time("9D32", "2028-02-29");
	assert_time("3E04", "2001-04-30");
	assert_time("3F04", ""); /* 31 April */
	assert_time("81C2", ""); /* year 100 */
	/* Type F */
	assert_time("0B0BCD13", "2014-03-13T11:11");
	assert_time("0B2BCD13", "2014-03-13T11:11"); /* century 1: 1900 + 100 + 14 */
	assert_time("8B0BCD13", "");                 /* bit IV */
	assert_time("3F1FCD13", "2014-03-13T*:*");
	assert_time("0B18CD13", ""); /* 24 o'clock */
	assert_time("3C0BCD13", ""); /* minute 60 */
	/* Type I */
	assert_time("2D0C0DD62C33", "2022-12-22T13:12:45");
	assert_time("2D8C0DD62C33", "");
	assert_time("000000000000", "");
	/* Type J */
	assert_time("2D0C0D", "13:12:45");
	assert_time("FFFFFF", "");
	/* There is no such type. */
	assert_false(mbus_value_time((const uint8_t[8]){0}, 8, &r));
	/* Summer time is kept. */
	assert_true(mbus_value_time((const uint8_t[]){0x0B, 0x8B, 0xCD, 0x13}, 4, &r));
	assert_int_equal(r.time.flags, METER_TIME_SUMMER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signed),
		cmocka_unit_test(test_bcd),
		cmocka_unit_test(test_real),
		cmocka_unit_test(test_real_comes_back),
		cmocka_unit_test(test_dates),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
