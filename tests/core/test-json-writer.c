/* The JSON writer and its buffer.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <meterloom/json.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void write_reading(struct ml_json_writer *w)
{
	ml_json_begin_object(w);
	ml_json_key(w, "time");
	ml_json_string(w, "2026-01-31T14:15:00.000Z");
	ml_json_key(w, "trace");
	ml_json_unsigned(w, 81723);
	ML_JSON_KEY(w, "status");
	ml_json_begin_array(w);
	ml_json_end_array(w);
	ml_json_key(w, "records");
	ml_json_begin_array(w);
	for (int i = 0; i < 2; i++) {
		ml_json_begin_object(w);
		ML_JSON_KEY(w, "value");
		ml_json_decimal(w, (struct ml_decimal){-1230, -2});
		ml_json_key(w, "ok");
		ml_json_bool(w, i == 0);
		ML_JSON_KEY(w, "none");
		ml_json_null(w);
		ml_json_key(w, "raw");
		ml_json_hex(w, "\x04\xAF", 2);
		ml_json_end_object(w);
	}
	ml_json_end_array(w);
	ml_json_end_object(w);
}

static void a_reading_has_no_white_space(void **state)
{
	(void)state;
	struct ml_buffer out = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &out);
	write_reading(&w);
	assert_false(out.failed);
	assert_string_equal(out.data,
		"{\"time\":\"2026-01-31T14:15:00.000Z\",\"trace\":81723,\"status\":[],\"records\":["
		"{\"value\":-12.30,\"ok\":true,\"none\":null,\"raw\":\"04AF\"},"
		"{\"value\":-12.30,\"ok\":false,\"none\":null,\"raw\":\"04AF\"}]}");
	ml_buffer_free(&out);
}

static void pretty_puts_what_fits_on_a_line(void **state)
{
	(void)state;
	struct ml_buffer out = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &out);
	w.pretty = true;
	write_reading(&w);
	assert_string_equal(out.data,
		"{\n"
		"  \"time\": \"2026-01-31T14:15:00.000Z\",\n"
		"  \"trace\": 81723,\n"
		"  \"status\": [],\n"
		"  \"records\": [\n"
		"    {\"value\": -12.30, \"ok\": true, \"none\": null, \"raw\": \"04AF\"},\n"
		"    {\"value\": -12.30, \"ok\": false, \"none\": null, \"raw\": \"04AF\"}\n"
		"  ]\n"
		"}");
	ml_buffer_free(&out);
}

/* What jansson reads out of a string we wrote. */
static void assert_string_reads(
	const char *text, size_t length, const char *expected, size_t expected_length)
{
	struct ml_buffer out = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &out);
	ml_json_begin_object(&w);
	ml_json_key_n(&w, text, length);
	ml_json_string_n(&w, text, length);
	ml_json_end_object(&w);
	json_t *tree = json_loadb(out.data, out.length, JSON_ALLOW_NUL, NULL);
	if (memchr(expected, 0, expected_length)) { /* jansson keeps no NUL in keys */
		assert_null(tree);
		assert_non_null(strstr(out.data, "\\u0000"));
	} else {
		assert_non_null(tree);
		char *key = strndup(expected, expected_length);
		const json_t *value = json_object_get(tree, key);
		free(key);
		assert_non_null(value);
		assert_int_equal(json_string_length(value), expected_length);
		assert_memory_equal(json_string_value(value), expected, expected_length);
	}
	json_decref(tree);
	ml_buffer_free(&out);
}

static void strings_come_back_whatever_is_in_them(void **state)
{
	(void)state;
	/* Each ASCII character at each place of texts of many lengths: the word-wise copy has
	 * edges. */
	for (size_t length = 1; length <= 20; length++) {
		for (int c = 1; c < 128; c++) {
			char text[20];
			memset(text, 'x', sizeof text);
			text[(size_t)c * 7 % length] = (char)c;
			assert_string_reads(text, length, text, length);
		}
	}
	assert_string_reads("", 0, "", 0);
	assert_string_reads("a\0b", 3, "a\0b", 3);
	const char *const wide = "m³/h °C € 𝄞 日本";
	assert_string_reads(wide, strlen(wide), wide, strlen(wide));
}

static void wrong_utf8_is_replaced(void **state)
{
	(void)state;
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{"a\xFF"
		 "b",
			"a\uFFFDb"},
		{"\x80", "\uFFFD"},
		{"\xC0\xAF", "\uFFFD\uFFFD"},                     /* overlong / */
		{"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},           /* a surrogate */
		{"\xF4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"}, /* beyond U+10FFFF */
		{"\xE2\x82", "\uFFFD"},                           /* cut */
		{"\xE2\x82x", "\uFFFDx"},
		{"20\xB0"
		 "C", /* ISO 8859-1 */
			"20\uFFFDC"},
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_reads(rows[i].text, strlen(rows[i].text), rows[i].expected,
			strlen(rows[i].expected));
}

static void assert_number(const char *expected, struct ml_buffer *out)
{
	assert_string_equal(out->data, expected);
	ml_buffer_clear(out);
}

static void numbers_are_written(void **state)
{
	(void)state;
	struct ml_buffer out = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &out);
	ml_json_integer(&w, INT64_MIN);
	assert_number("-9223372036854775808", &out);
	ml_json_unsigned(&w, UINT64_MAX);
	assert_number("18446744073709551615", &out);
	uint64_t value = 1;
	for (int i = 0; i < 20; i++, value *= 10) {
		for (uint64_t near = value - 1; near <= value + 1; near++) {
			char text[32];
			(void)snprintf(text, sizeof text, "%llu", (unsigned long long)near);
			ml_json_unsigned(&w, near);
			assert_number(text, &out);
		}
	}
	ml_json_double(&w, 0.1);
	assert_number("0.1", &out);
	ml_json_double(&w, 1.0 / 3);
	assert_number("0.3333333333333333", &out);
	ml_json_double(&w, 1e300);
	assert_number("1e+300", &out);
	ml_json_double(&w, 5);
	assert_number("5", &out);
	ml_json_double(&w, (double)NAN);
	assert_number("null", &out);
	ml_json_double(&w, -HUGE_VAL);
	assert_number("null", &out);
	ml_json_raw(&w, "1.50", 4);
	assert_number("1.50", &out);
	ml_buffer_free(&out);
}

static void text_is_made_by_a_format(void **state)
{
	(void)state;
	struct ml_buffer out = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &out);
	ml_json_begin_array(&w);
	ml_json_stringf(&w, "%s-%d", "a\"b", 7);
	ml_json_stringf(&w, "%400d", 7);
	ml_json_string(&w, NULL);
	ml_json_end_array(&w);
	assert_memory_equal(out.data, "[\"a\\\"b-7\",\"   ", 14);
	assert_string_equal(out.data + out.length - 10, "  7\",null]");
	assert_int_equal(out.length, 1 + 8 + 1 + 402 + 1 + 4 + 1);
	ml_buffer_free(&out);
}

static void buffer_stops_at_its_limit(void **state)
{
	(void)state;
	struct ml_buffer out = {.limit = 10};
	ml_buffer_append(&out, "0123456789", 10);
	assert_false(out.failed);
	assert_string_equal(out.data, "0123456789");
	ml_buffer_append(&out, "x", 1);
	assert_true(out.failed);
	assert_string_equal(out.data, "0123456789");
	ml_buffer_append(&out, "", 0);
	ml_buffer_appendf(&out, "%d", 1);
	assert_int_equal(out.length, 10);
	ml_buffer_clear(&out);
	assert_false(out.failed);
	ml_buffer_appendf(&out, "%s", "abc");
	ml_buffer_appendf(&out, "%d", 1234567);
	assert_string_equal(out.data, "abc1234567");
	ml_buffer_appendf(&out, "%d", 1);
	assert_true(out.failed);
	assert_string_equal(out.data, "abc1234567");
	ml_buffer_free(&out);
	/* A writer that runs into it says so and stays safe. */
	for (size_t limit = 1; limit < 400; limit++) {
		struct ml_json_writer w;
		out = (struct ml_buffer){.limit = limit};
		ml_json_writer_init(&w, &out);
		w.pretty = limit & 1;
		write_reading(&w);
		assert_true(out.length <= limit);
		ml_buffer_free(&out);
	}
}

static void buffer_grows_for_a_long_text(void **state)
{
	(void)state;
	struct ml_buffer out = {0};
	for (int i = 0; i < 1000; i++)
		ml_buffer_appendf(&out, "%0100d", i);
	assert_int_equal(out.length, 100000);
	assert_string_equal(out.data + 99990, "0000000999");
	ml_buffer_free(&out);
	assert_null(out.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reading_has_no_white_space),
		cmocka_unit_test(pretty_puts_what_fits_on_a_line),
		cmocka_unit_test(strings_come_back_whatever_is_in_them),
		cmocka_unit_test(wrong_utf8_is_replaced),
		cmocka_unit_test(numbers_are_written),
		cmocka_unit_test(text_is_made_by_a_format),
		cmocka_unit_test(buffer_stops_at_its_limit),
		cmocka_unit_test(buffer_grows_for_a_long_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
