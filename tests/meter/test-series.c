/* The key of a series: the same for the same value in each telegram, and no other.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "telegram.h"

struct key {
	uint8_t bytes[METER_SERIES_KEY_MAX];
	size_t length;
};

static struct key key_of(const char *hex)
{
	static struct telegram t;
	struct key key = {0};
	char text[TELEGRAM_MAX];
	(void)snprintf(text, sizeof text, "78%s", hex);
	const struct meter_reading *reading = decode_hex(&t, text);
	assert_false(meter_reading_has_error(reading));
	key.length = meter_series_key(
		reading, meter_reading_record(reading, reading->record_count - 1u), key.bytes);
	return key;
}

static bool same(const char *a, const char *b)
{
	const struct key x = key_of(a);
	const struct key y = key_of(b);
	return x.length == y.length && memcmp(x.bytes, y.bytes, x.length) == 0;
}

/* Stored in databases: these bytes must never change. */
static void test_bytes(void **state)
{
	static const uint8_t energy[] = {0, 0, 0, 0, 0, 0x00};
	static const uint8_t voltage[] = {1, 0x82, 0x02, 5, 1, 0, 0xFD, 0x40, 0x7F, 0x01};
	(void)state;
	struct key key = key_of("010605");
	assert_int_equal(key.length, sizeof energy);
	assert_memory_equal(key.bytes, energy, sizeof energy);
	key = key_of("91D1 90 00 FDC8FF01 05"); /* storage 258, tariff 5, subunit 1 */
	(void)voltage;
	assert_int_equal(key.bytes[0], 1);
	assert_memory_equal(key.bytes + key.length - 4, voltage + 6, 4);
}

static void test_scale_is_no_part(void **state)
{
	(void)state;
	assert_true(same("010605", "04030500 0000"));                  /* kWh, Wh */
	assert_true(same("012005", "012305"));                         /* seconds, days */
	assert_true(same("01937705", "011305"));                       /* a correction */
	assert_true(same("0193F77D05", "011305"));                     /* two */
	assert_true(same("01FD4805", "01FD4905"));                     /* volts */
	assert_true(same("01BE5005", "01BE5305"));                     /* durations */
	assert_true(same("02FC03485225742215", "02FC74034852252215")); /* place of the text */
}

static void test_differences(void **state)
{
	(void)state;
	assert_false(same("010605", "010E05"));         /* Wh, J */
	assert_false(same("010605", "111605"));         /* function */
	assert_false(same("010605", "410605"));         /* storage */
	assert_false(same("010605", "81100605"));       /* tariff */
	assert_false(same("010605", "81400605"));       /* subunit */
	assert_false(same("010605", "01863B05"));       /* forward */
	assert_false(same("0183FC0105", "0183FC0205")); /* phase */
	assert_false(same("0183FF7005", "0183FF7105")); /* the maker's are no scale */
	assert_false(same("017F05", "01FF7005"));
	assert_false(same("01FD4805", "01FD5805"));
	assert_false(same("02FC03485225000500", "02FC03585225000500"));
	assert_false(same("010605", "010605 010605")); /* ordinal */
	assert_false(same("010605 010605", "010605 010605 010605"));
	assert_true(same("011305 010605", "010605")); /* but not of another series */
	assert_true(same("010605 010305", "010605 010605"));
}

/* A long plain text VIF still gives a short key. */
static void test_long(void **state)
{
	static const char a[] = "017C3C303132333435363738393031323334353637383930313233343536373839"
				"303132333435363738393031323334353637383930313233343536373839"
				"05";
	static const char b[] = "017C3C303132333435363738393031323334353637383930313233343536373839"
				"303132333435363738393031323334353637383930313233343536373838"
				"05";
	(void)state;
	assert_int_equal(key_of(a).length, METER_SERIES_KEY_MAX);
	assert_true(same(a, a));
	assert_false(same(a, b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_scale_is_no_part),
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
