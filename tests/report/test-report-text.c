/* Text of reports: quoting, numbers, dates, character sets, file names.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "report/text.h"

static struct ml_buffer buffer;

static const char *text_of(void)
{
	return buffer.data ? buffer.data : "";
}

static void expect(const char *expected)
{
	assert_string_equal(text_of(), expected);
	ml_buffer_clear(&buffer);
}

static int tear_down(void **state)
{
	(void)state;
	ml_buffer_free(&buffer);
	return 0;
}

static void csv(char separator, const char *text, const char *expected)
{
	report_csv_field(&buffer, separator, text, strlen(text));
	expect(expected);
}

static void test_csv_fields(void **state)
{
	(void)state;
	csv(';', "plain", "plain");
	csv(';', "", "");
	csv(';', "1,5", "1,5");
	csv(',', "1,5", "\"1,5\"");
	csv(';', "a;b", "\"a;b\"");
	csv('\t', "a\tb", "\"a\tb\"");
	csv(';', "say \"hi\"", "\"say \"\"hi\"\"\"");
	csv(';', "\"\"", "\"\"\"\"\"\"");
	csv(';', "two\nlines", "\"two\nlines\"");
	csv(';', "two\rlines", "\"two\rlines\"");
	csv(';', " spaced", "\" spaced\"");
	csv(';', "spaced ", "\"spaced \"");
}

static void xml(const char *text, size_t length, const char *expected)
{
	report_xml_text(&buffer, text, length);
	expect(expected);
}

static void test_xml_text(void **state)
{
	(void)state;
	xml("a < b & c > \"d\" 'e'", 19, "a &lt; b &amp; c &gt; &quot;d&quot; &apos;e&apos;");
	xml("m³/h", 5, "m³/h");
	xml("\t\n\r", 3, "&#9;&#10;&#13;");
	xml("\x01\x00", 2, "\uFFFD\uFFFD");
	xml("\xFF\xC3", 2, "\uFFFD\uFFFD");
	xml("\xEF\xBF\xBF", 3, "\uFFFD");
}

static void test_numbers(void **state)
{
	(void)state;
	report_number(&buffer, ',', "12.30", 5);
	expect("12,30");
	report_number(&buffer, ',', "-1", 2);
	expect("-1");
	report_number(&buffer, '.', "0.5", 3);
	expect("0.5");
	report_number(&buffer, ',', "1.5e40", 6);
	expect("1,5e40");
}

static void date(struct ml_civil civil, int32_t offset, enum report_language language,
	int first_day, const char *pattern, const char *expected)
{
	report_date(&buffer, &civil, offset, language, first_day, pattern, strlen(pattern));
	expect(expected);
}

static void test_dates(void **state)
{
	(void)state;
	const struct ml_civil d = {2026, 8, 3, 9, 5, 7, 250000, 0, 0}; /* a Monday */
	date(d, 0, REPORT_ENGLISH, 1, "YYYY-MM-DD hh:mm:ss.SSS", "2026-08-03 09:05:07.250");
	date(d, 7200, REPORT_ENGLISH, 1, "YYYY-MM-DDThh:mm:ssZ", "2026-08-03T09:05:07+02:00");
	date(d, -12600, REPORT_ENGLISH, 1, "hhZ", "09-03:30");
	date(d, 0, REPORT_ENGLISH, 1, "hhZ", "09Z");
	date(d, 0, REPORT_ENGLISH, 1, "D/M/YY h.m", "3/8/26 9.5");
	date(d, 0, REPORT_ENGLISH, 1, "dddd D MMMM YYYY, ddd MMM", "Monday 3 August 2026, Mon Aug");
	date(d, 0, REPORT_FRENCH, 1, "dddd D MMMM YYYY, ddd MMM", "lundi 3 août 2026, lun. août");
	date(d, 0, REPORT_FRENCH, 1, "'le' DD'/'MM 'à' hh'h'", "le 03/08 à 09h");
	date(d, 0, REPORT_ENGLISH, 1, "YYY MMMMM ZZ", "YYY MMMMM ZZ"); /* no fields */
	date(d, 0, REPORT_ENGLISH, 1, "'open", "open");
	date(d, 0, REPORT_ENGLISH, 1, "", "");
}

static void test_weeks(void **state)
{
	(void)state;
	struct ml_civil d = {.year = 2026, .month = 1, .day = 1}; /* a Thursday */
	date(d, 0, REPORT_ENGLISH, 1, "W e", "1 4");
	date(d, 0, REPORT_ENGLISH, 0, "W e", "1 5");
	d = (struct ml_civil){.year = 2027, .month = 1, .day = 3}; /* a Sunday */
	date(d, 0, REPORT_ENGLISH, 1, "WW e", "53 7");
	date(d, 0, REPORT_ENGLISH, 0, "WW e", "02 1");
	d = (struct ml_civil){.year = 2024, .month = 12, .day = 30}; /* a Monday */
	date(d, 0, REPORT_ENGLISH, 1, "W e", "1 1");
	date(d, 0, REPORT_ENGLISH, 0, "W e", "53 2");
}

static void encode(
	enum report_charset charset, const char *text, const char *expected, size_t replaced)
{
	assert_int_equal(report_encode(&buffer, charset, text, strlen(text)), replaced);
	expect(expected);
}

static void test_character_sets(void **state)
{
	(void)state;
	encode(REPORT_UTF_8, "m³ °C €", "m³ °C €", 0);
	encode(REPORT_UTF_8, "a\xFFz", "a\uFFFDz", 1);
	encode(REPORT_ISO_8859_1, "m³ °C é",
		"m\xB3 \xB0"
		"C \xE9",
		0);
	encode(REPORT_ISO_8859_1, "12 €", "12 EUR", 1);
	encode(REPORT_WINDOWS_1252, "12 € – “Ÿ”", "12 \x80 \x96 \x93\x9F\x94", 0);
	encode(REPORT_ISO_8859_1, "– “x” …", "- \"x\" ...", 4);
	encode(REPORT_ISO_8859_1, "Łódź",
		"L\xF3"
		"dz",
		2);
	encode(REPORT_ISO_8859_1, "漢", "?", 1);
	encode(REPORT_ISO_8859_1, "a\xFFz", "a?z", 1);
	encode(REPORT_WINDOWS_1252, "\xC2\x81", "?", 1); /* a place that is not assigned */
	encode(REPORT_ISO_8859_1, "😀", "?", 1);
	encode(REPORT_ISO_8859_1, "", "", 0);
}

static void test_character_sets_by_name(void **state)
{
	(void)state;
	enum report_charset charset;
	for (unsigned i = REPORT_UTF_8; i <= REPORT_WINDOWS_1252; i++) {
		assert_true(report_charset_parse(report_charset_name(i), &charset));
		assert_int_equal(charset, i);
	}
	assert_true(report_charset_parse("utf-8", &charset));
	assert_false(report_charset_parse("EBCDIC", &charset));
}

static void name(const char *text, const char *expected)
{
	report_file_name(&buffer, text, strlen(text));
	expect(expected);
}

static void test_file_names(void **state)
{
	(void)state;
	name("12345678_valuereport", "12345678_valuereport");
	name("../../etc/passwd", "etc-passwd");
	name(".hidden", "hidden");
	name("Gebäude 7", "Geb-ude-7");
	name("a.b-c", "a.b-c");
	name("a\nb\"c", "a-b-c");
	name("", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_csv_fields, tear_down),
		cmocka_unit_test_teardown(test_xml_text, tear_down),
		cmocka_unit_test_teardown(test_numbers, tear_down),
		cmocka_unit_test_teardown(test_dates, tear_down),
		cmocka_unit_test_teardown(test_weeks, tear_down),
		cmocka_unit_test_teardown(test_character_sets, tear_down),
		cmocka_unit_test_teardown(test_character_sets_by_name, tear_down),
		cmocka_unit_test_teardown(test_file_names, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
