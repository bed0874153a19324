/* CSV as spreadsheets and people write it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "meter/csv.h"

static struct meter_csv csv;
static struct meter_csv_row row;

static void open_text(const char *text)
{
	assert_int_equal(meter_csv_init(&csv, text, strlen(text), NULL), 0);
}

static void expect_row(unsigned line, size_t count, const char *first, const char *last)
{
	assert_int_equal(meter_csv_next(&csv, &row, NULL), 1);
	assert_int_equal(row.line, line);
	assert_int_equal(row.count, count);
	assert_string_equal(row.text[0], first);
	assert_string_equal(row.text[count - 1], last);
}

static void expect_end(void)
{
	assert_int_equal(meter_csv_next(&csv, &row, NULL), 0);
}

static void delimiters_are_found(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"a,b,c\n1,2;2,3\n", "a;b;c\n1;2,2;3\n", "a\tb\tc\n1\t2;2\t3\n"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		open_text(texts[i]);
		expect_row(1, 3, "a", "c");
		expect_row(2, 3, "1", "3");
		expect_end();
	}
	open_text("sep=;\r\n\"a,b,c,d\";b\r\n");
	expect_row(2, 2, "a,b,c,d", "b");
	expect_end();
}

static void line_ends_and_blank_lines(void **state)
{
	(void)state;
	open_text("a,b\r\n\r\n1,2\r3,4\n,\n  , \n5,6");
	expect_row(1, 2, "a", "b");
	expect_row(3, 2, "1", "2");
	expect_row(4, 2, "3", "4");
	expect_row(7, 2, "5", "6");
	expect_end();
	expect_end();
}

static void quotes(void **state)
{
	(void)state;
	open_text("\"a,b\",\"say \"\"hi\"\"\" ,\"two\r\nlines\"\nx,y,z\n");
	expect_row(1, 3, "a,b", "two\r\nlines");
	assert_string_equal(row.text[1], "say \"hi\"");
	expect_row(3, 3, "x", "z");
	expect_end();
}

static void blanks_around_are_no_part(void **state)
{
	(void)state;
	open_text(" a , b\t,\xC2\xA0"
		  "c\xC2\xA0\n");
	expect_row(1, 3, "a", "c");
	assert_string_equal(row.text[1], "b");
}

static void windows_1252_is_read(void **state)
{
	(void)state;
	open_text("Z\xE4hler;\x80;\x81\r\n");
	expect_row(1, 3, "Zähler", "\xEF\xBF\xBD");
	assert_string_equal(row.text[1], "€");
}

static void utf8_is_read_with_and_without_mark(void **state)
{
	(void)state;
	open_text("\xEF\xBB\xBFZähler;€\r\n");
	expect_row(1, 2, "Zähler", "€");
	open_text("Zähler;€\r\n");
	expect_row(1, 2, "Zähler", "€");
}

static void wrong_rows_are_told_and_passed_over(void **state)
{
	(void)state;
	struct ml_error err = ML_ERROR_NONE;
	open_text("a,b\n\"x\"y,1\nc,d\n\"open,1\nlast,2\n");
	expect_row(1, 2, "a", "b");
	assert_int_equal(meter_csv_next(&csv, &row, &err), -EINVAL);
	assert_int_equal(row.line, 2);
	assert_non_null(strstr(err.text, "closing quote of field 1"));
	expect_row(3, 2, "c", "d");
	err = ML_ERROR_NONE;
	assert_int_equal(meter_csv_next(&csv, &row, &err), -EINVAL);
	assert_int_equal(row.line, 4);
	assert_non_null(strstr(err.text, "never closed"));
	expect_end();
}

static void bounds_are_kept(void **state)
{
	(void)state;
	struct ml_error err = ML_ERROR_NONE;
	char text[1024];
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	text[0] = ',';
	memcpy(text + 500, "\nnext,row", 9);
	text[509] = '\0';
	open_text(text);
	assert_int_equal(meter_csv_next(&csv, &row, &err), -EINVAL);
	assert_non_null(strstr(err.text, "longer than 255"));
	expect_row(2, 2, "next", "row");
	for (size_t i = 0; i < 40; i++)
		text[i] = ',';
	strcpy(text + 40, "\nnext,row");
	open_text(text);
	err = ML_ERROR_NONE;
	assert_int_equal(meter_csv_next(&csv, &row, &err), -EINVAL);
	assert_non_null(strstr(err.text, "more than 32 fields"));
	expect_row(2, 2, "next", "row");
}

static void what_is_no_csv_is_refused(void **state)
{
	(void)state;
	struct ml_error err = ML_ERROR_NONE;
	assert_int_equal(meter_csv_init(&csv,
				 "\xFF\xFE"
				 "a\0",
				 4, &err),
		-EINVAL);
	assert_non_null(strstr(err.text, "UTF-16"));
	err = ML_ERROR_NONE;
	assert_int_equal(meter_csv_init(&csv, "PK\3\4\0\0", 6, &err), -EINVAL);
	assert_int_equal(err.at, 4);
	assert_int_equal(meter_csv_init(&csv, NULL, 0, NULL), 0);
	expect_end();
}

static void what_is_written_is_read_again(void **state)
{
	(void)state;
	static const char *const fields[] = {
		"plain", "a;b", "say \"hi\"", "two\nlines", "", "Zähler"};
	struct ml_buffer out = {0};
	for (size_t i = 0; i < 6; i++) {
		if (i)
			ml_buffer_append(&out, ";", 1);
		meter_csv_write(&out, fields[i], ';');
	}
	ml_buffer_append(&out, "\r\n", 2);
	open_text(out.data);
	assert_int_equal(meter_csv_next(&csv, &row, NULL), 1);
	assert_int_equal(row.count, 6);
	for (size_t i = 0; i < 6; i++)
		assert_string_equal(row.text[i], fields[i]);
	ml_buffer_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delimiters_are_found),
		cmocka_unit_test(line_ends_and_blank_lines),
		cmocka_unit_test(quotes),
		cmocka_unit_test(blanks_around_are_no_part),
		cmocka_unit_test(windows_1252_is_read),
		cmocka_unit_test(utf8_is_read_with_and_without_mark),
		cmocka_unit_test(wrong_rows_are_told_and_passed_over),
		cmocka_unit_test(bounds_are_kept),
		cmocka_unit_test(what_is_no_csv_is_refused),
		cmocka_unit_test(what_is_written_is_read_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
