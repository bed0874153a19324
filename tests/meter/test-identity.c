/* Meter numbers, manufacturers and media.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "telegram.h"

static void test_id(void **state)
{
	char text[METER_ID_TEXT_MAX];
	uint32_t id;
	(void)state;
	meter_id_format(0x00012345, text);
	assert_string_equal(text, "00012345");
	assert_true(meter_id_parse("12345", 5, &id));
	assert_int_equal(id, 0x12345);
	assert_true(meter_id_parse("1234567f", 8, &id));
	assert_int_equal(id, 0x1234567F);
	assert_false(meter_id_parse("123456789", 9, &id));
	assert_false(meter_id_parse("", 0, &id));
	assert_false(meter_id_parse("12G4", 4, &id));
}

static void test_manufacturer(void **state)
{
	char text[METER_MANUFACTURER_TEXT_MAX];
	uint16_t code;
	(void)state;
	assert_true(meter_manufacturer_parse("KAM", 3, &code));
	assert_int_equal(code, 0x2C2D);
	meter_manufacturer_format(0x2C2D, text);
	assert_string_equal(text, "KAM");
	/* The bit of a soft address is no part of the letters. */
	meter_manufacturer_format(0xAC2D, text);
	assert_string_equal(text, "KAM");
	assert_true(meter_manufacturer_parse("kam", 3, &code));
	assert_int_equal(code, 0x2C2D);
	meter_manufacturer_format(0, text);
	assert_string_equal(text, "0000");
	assert_true(meter_manufacturer_parse("FFFF", 4, &code));
	assert_int_equal(code, 0xFFFF);
	assert_false(meter_manufacturer_parse("K1M", 3, &code));
	assert_false(meter_manufacturer_parse("KAMS", 4, &code));
}

static void test_medium(void **state)
{
	uint8_t code;
	(void)state;
	assert_string_equal(meter_medium_name(0x04), "heat");
	assert_string_equal(meter_medium_name(0xEE), "reserved");
	for (unsigned i = 0; i < 256; i++) {
		const char *name = meter_medium_name((uint8_t)i);
		if (strcmp(name, "reserved") == 0)
			continue;
		assert_true(meter_medium_parse(name, strlen(name), &code));
		assert_int_equal(code, i);
	}
	assert_true(meter_medium_parse("EE", 2, &code));
	assert_int_equal(code, 0xEE);
	assert_false(meter_medium_parse("reserved", 8, &code));
}

static void test_bytes(void **state)
{
	static const uint8_t bytes[8] = {0x78, 0x56, 0x34, 0x12, 0x2D, 0x2C, 0x1B, 0x04};
	struct meter_identity identity;
	uint8_t back[8];
	(void)state;
	meter_identity_read(bytes, &identity);
	assert_int_equal(identity.id, 0x12345678);
	assert_int_equal(identity.manufacturer, 0x2C2D);
	assert_int_equal(identity.version, 0x1B);
	assert_int_equal(identity.medium, 4);
	meter_identity_write(identity, back);
	assert_memory_equal(back, bytes, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_manufacturer),
		cmocka_unit_test(test_medium),
		cmocka_unit_test(test_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
