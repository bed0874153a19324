/* `meterloom decode`, line by line.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "telegram.h"

#include "decode/tool_decode.h"

static struct ml_buffer out;

static bool line(const char *text, const char *key, enum decode_format format)
{
	ml_buffer_clear(&out);
	return decode_line(text, strlen(text), key, key ? strlen(key) : 0, format, 7, &out);
}

static void assert_error(const char *text, const char *expected)
{
	assert_false(line(text, NULL, DECODE_JSON));
	assert_string_equal(out.data, expected);
}

static void test_good(void **state)
{
	(void)state;
	assert_true(line("78011305", NULL, DECODE_JSON));
	assert_string_equal(out.data,
		"{\"meter\":null,\"encryption\":{\"mode\":0,\"result\":\"plain\"},\"records\":["
		"{\"quantity\":\"volume\",\"unit\":\"m³\",\"value\":0.005,"
		"\"function\":\"instantaneous\",\"storage\":0,\"tariff\":0,\"subunit\":0,"
		"\"dif\":\"01\",\"vif\":\"13\"}]}\n");
	assert_true(line("78 01 13 05", NULL, DECODE_JSON));
	assert_true(line("78011305 000102030405060708090A0B0C0D0E0F", NULL, DECODE_JSON));
	assert_true(line("78011305", "000102030405060708090a0b0c0d0e0f", DECODE_JSON));
	assert_true(line("e5", NULL, DECODE_JSON));
	/* An access number that could be a control field makes no wireless telegram of it. */
	assert_true(line("7A44000000 0413D2040000 0413D2040000 0413D2040000", NULL, DECODE_JSON));
	assert_true(line("78011305", NULL, DECODE_PRETTY));
	assert_non_null(strstr(out.data, "\n  \"records\": [\n"));
}

static void test_bad_lines(void **state)
{
	(void)state;
	assert_error("7801130", "{\"error\":{\"at\":3,\"text\":\"an odd number of hex digits; two "
				"make a byte\"}}\n");
	assert_error("78x1", "{\"error\":{\"at\":1,\"text\":\"character 3 is no hex digit\"}}\n");
	assert_error("78011305 0001",
		"{\"error\":{\"at\":null,\"text\":\"the key after the telegram "
		"has 4 characters; a key has 32 hex digits\"}}\n");
	assert_error("680000680816", "{\"error\":{\"at\":1,\"text\":\"the two length bytes must be "
				     "equal and at least 3\"}}\n");
	/* A wireless telegram is told apart. */
	assert_error("0E441111111111112037 78011305 0000",
		"{\"error\":{\"at\":0,\"text\":\"this looks like a wireless telegram; only wired "
		"ones "
		"can be decoded yet\"}}\n");
	/* What was decoded before the error is shown. */
	assert_false(line("7801130504", NULL, DECODE_JSON));
	assert_non_null(strstr(out.data, "\"value\":0.005"));
	assert_non_null(strstr(out.data, "\"error\":{\"at\":4,"));
	/* A key does not help yet. */
	static const char n54[] = "682C2C6808FD7288776655934455080004100500DFE2A782146D1513581CD2F"
				  "83F39040CFD10785634120C78443322112616";
	assert_false(line(n54, "000102030405060708090A0B0C0D0E0F", DECODE_JSON));
	assert_non_null(strstr(out.data, "{\"mode\":5,\"result\":\"unsupported\"}"));
	assert_false(line(n54, NULL, DECODE_JSON));
	assert_non_null(strstr(out.data, "{\"mode\":5,\"result\":\"no-key\"}"));
}

static void test_csv(void **state)
{
	(void)state;
	assert_true(line("72 78563412 2D2C 1B 04 2A 14 0000 02FC032C5225742215", NULL, DECODE_CSV));
	assert_string_equal(out.data,
		"7,12345678,KAM,27,heat,42,power-low temporary-error,custom,,\"%R,\",54.10,"
		"instantaneous,0,0,0,,02,FC032C522574,\r\n");
	assert_false(line("7801", NULL, DECODE_CSV));
	assert_string_equal(out.data,
		"7,,,,,,,,,,,,,,,,,,byte 1: record 1: the telegram ends before its VIF\r\n");
	assert_false(line("zz", NULL, DECODE_CSV));
	assert_string_equal(out.data, "7,,,,,,,,,,,,,,,,,,byte 0: character 1 is no hex digit\r\n");
}

static int tool(int argc, const char *a, const char *b)
{
	char name[] = "decode";
	char first[128];
	char second[128];
	char *argv[] = {name, first, second, NULL};
	(void)snprintf(first, sizeof first, "%s", a);
	(void)snprintf(second, sizeof second, "%s", b);
	argv[argc] = NULL;
	return decode_tool_main(argc, argv, NULL);
}

static void test_exit_codes(void **state)
{
	(void)state;
	assert_int_equal(tool(2, "--help", ""), 0);
	assert_int_equal(tool(2, "78011305", ""), 0);
	assert_int_equal(tool(3, "78011305", "000102030405060708090A0B0C0D0E0F"), 0);
	assert_int_equal(tool(3, "78011305", "7801"), 1);
	assert_int_equal(tool(2, "--what", ""), 2);
	assert_int_equal(tool(3, "--csv", "--pretty"), 2);
}

static int release(void **state)
{
	(void)state;
	ml_buffer_free(&out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_exit_codes),
	};
	return cmocka_run_group_tests(tests, NULL, release);
}
