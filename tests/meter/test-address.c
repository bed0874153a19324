/* Secondary addresses as people write them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "meter/address.h"
#include "meter/list.h"

static void check(const char *text, uint32_t id, unsigned manufacturer, unsigned version,
	unsigned medium, const char *written)
{
	struct meter_identity address;
	char out[METER_SECONDARY_TEXT_MAX];
	assert_int_equal(meter_secondary_parse(text, strlen(text), &address, NULL), 0);
	assert_int_equal(address.id, id);
	assert_int_equal(address.manufacturer, manufacturer);
	assert_int_equal(address.version, version);
	assert_int_equal(address.medium, medium);
	assert_int_equal(meter_secondary_format(address, out), strlen(written));
	assert_string_equal(out, written);
}

static void all_forms_are_read(void **state)
{
	(void)state;
	check("12345678", 0x12345678, 0xFFFF, 0xFF, 0xFF, "12345678");
	check("345678", 0x00345678, 0xFFFF, 0xFF, 0xFF, "00345678"); /* a spreadsheet's zeros */
	check("12345678.KAM", 0x12345678, 0x2C2D, 0xFF, 0xFF, "12345678.KAM.*.*");
	check("12345678.kam.1b.04", 0x12345678, 0x2C2D, 0x1B, 0x04, "12345678.KAM.1B.04");
	check("12345678.*.1B", 0x12345678, 0xFFFF, 0x1B, 0xFF, "12345678.*.1B.*");
	check("12345678.KAM.1B.heat", 0x12345678, 0x2C2D, 0x1B, 0x04, "12345678.KAM.1B.04");
	check("123456782D2C1B04", 0x12345678, 0x2C2D, 0x1B, 0x04, "12345678.KAM.1B.04");
	check("12345678ffffFFff", 0x12345678, 0xFFFF, 0xFF, 0xFF, "12345678");
	check("1234FFFF", 0x1234FFFF, 0xFFFF, 0xFF, 0xFF, "1234FFFF");
}

static void wrong_ones_are_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "123456789", "12345678.", "12345678.KAMS",
		"12345678.KAM.1B.04.05", "12345678.KAM.1", "G2345678", "12345678-KAM",
		"123456782D2C1B0G", "FFFFFFFF", "FFFFFFFF.KAM", " 12345678"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct meter_identity address = {0};
		struct ml_error err = ML_ERROR_NONE;
		assert_int_equal(
			meter_secondary_parse(wrong[i], strlen(wrong[i]), &address, &err), -EINVAL);
		assert_non_null(strstr(err.text, wrong[i]));
		assert_int_equal(address.id, 0);
	}
}

static void wildcards_match(void **state)
{
	(void)state;
	const struct meter_identity meter = {0x12345678, 0x2C2D, 0x1B, 0x04};
	static const struct {
		const char *address;
		bool matches;
	} cases[] = {{"12345678", true}, {"1234FFFF", true}, {"1235FFFF", false},
		{"12345678.KAM", true}, {"12345678.ACW", false}, {"12345678.*.1B", true},
		{"12345678.*.1C", false}, {"12345678.*.*.heat", true},
		{"12345678.*.*.water", false}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct meter_identity address;
		assert_int_equal(meter_secondary_parse(cases[i].address, strlen(cases[i].address),
					 &address, NULL),
			0);
		assert_int_equal(meter_identity_matches(meter, address), cases[i].matches);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_forms_are_read),
		cmocka_unit_test(wrong_ones_are_refused),
		cmocka_unit_test(wildcards_match),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
