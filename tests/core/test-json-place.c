/* Places of values in a JSON text, and the canonical format.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <meterloom/json.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char graph[] = "{\n"
			    "  \"meterloom\": 1,\n"
			    "  \"nodes\": [\n"
			    "    {\"id\": \"every-15-min\", \"type\": \"cron-trigger\", "
			    "\"params\": {\"schedule\": \"*/15 * * * "
			    "*\"}},\n"
			    "    {\"id\": \"bus\", \"type\": \"mbus-source\", \"params\": "
			    "{\"interface\": \"/dev/ttyS0\", "
			    "\"baud\": 2400}},\n"
			    "    {\n"
			    "      \"id\": \"unsent\",\n"
			    "      \"type\": \"store-query\",\n"
			    "      \"params\": {\"destination\": \"head-end\", \"period\": "
			    "\"auto\", \"interval\": \"all\"}\n"
			    "    }\n"
			    "  ],\n"
			    "  \"layout\": {\"every-15-min\": [40, 40.50], \"a/b~c\": []}\n"
			    "}\n";

static void values_are_found_by_pointer(void **state)
{
	(void)state;
	static const struct {
		const char *pointer, *value;
		int line, column;
	} rows[] = {
		{"/meterloom", "1", 2, 3},
		{"/nodes/1/id", "\"bus\"", 5, 6},
		{"/nodes/1/params/baud", "2400", 5, 80},
		{"/nodes/0/params", "{\"schedule\": \"*/15 * * * *\"}", 4, 52},
		{"/layout/every-15-min/1", "40.50", 12, 35},
		{"/layout/a~1b~0c", "[]", 12, 43},
		/* The last part is missing: the parent. */
		{"/layout/every-15-min/2", "[40, 40.50]", 12, 14},
		{"/layout/every-15-min/x", "[40, 40.50]", 12, 14},
		{"/layout/every-15-min/-", "[40, 40.50]", 12, 14},
		{"/layout/every-15-min/01", "[40, 40.50]", 12, 14},
		{"/meterloom/x", "1", 2, 3},
		{"/nodes/0/params/baud", "{\"schedule\": \"*/15 * * * *\"}", 4, 52},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ml_json_place place;
		assert_int_equal(
			ml_json_locate(graph, sizeof graph - 1, rows[i].pointer, &place), 0);
		assert_int_equal(place.end - place.begin, strlen(rows[i].value));
		assert_memory_equal(graph + place.begin, rows[i].value, place.end - place.begin);
		assert_int_equal(place.line, rows[i].line);
		assert_int_equal(place.column, rows[i].column);
	}
	struct ml_json_place place;
	assert_int_equal(ml_json_locate(graph, sizeof graph - 1, "", &place), 0);
	assert_int_equal(place.begin, 0);
	assert_int_equal(place.end, sizeof graph - 2);
	assert_int_equal(ml_json_locate(graph, sizeof graph - 1, "/x", &place), 0);
	assert_int_equal(place.begin, 0);
	static const char *const lost[] = {"/x/y", "/nodes/9/id", "/meterloom/x/y", "nodes"};
	for (size_t i = 0; i < COUNT(lost); i++)
		assert_int_equal(ml_json_locate(graph, sizeof graph - 1, lost[i], &place), -ENOENT);
	assert_int_equal(ml_json_locate("[1,", 3, "/7", &place), -EINVAL);
	assert_int_equal(ml_json_locate("", 0, "", &place), -EINVAL);
}

static void errors_get_line_and_column(void **state)
{
	(void)state;
	struct ml_error err = ML_ERROR_NONE;
	ml_json_locate_error(graph, sizeof graph - 1, &err);
	assert_int_equal(err.line, 0);
	ml_error_set_pointer(&err, -EINVAL, "/nodes/2/type", "unknown");
	ml_json_locate_error(graph, sizeof graph - 1, &err);
	assert_int_equal(err.line, 8);
	assert_int_equal(err.column, 7);
	/* Where even the parent is missing, the nearest one that is there. */
	err = ML_ERROR_NONE;
	ml_error_set_pointer(&err, -EINVAL, "/nodes/2/a/b/c", "missing");
	ml_json_locate_error(graph, sizeof graph - 1, &err);
	assert_int_equal(err.line, 6);
	assert_int_equal(err.column, 5);
	ml_json_locate_error(graph, sizeof graph - 1, NULL);
}

static void assert_formats(const char *text, const char *expected)
{
	struct ml_buffer out = {0};
	struct ml_error err = ML_ERROR_NONE;
	assert_int_equal(ml_json_format(text, strlen(text), &out, &err), 0);
	assert_string_equal(out.data, expected);
	ml_buffer_clear(&out);
	assert_int_equal(ml_json_format(expected, strlen(expected), &out, &err), 0);
	assert_string_equal(out.data, expected);
	ml_buffer_free(&out);
}

static void formatting_is_canonical(void **state)
{
	(void)state;
	/* A formatted text stays as it is, numbers included. */
	assert_formats(graph, graph);
	assert_formats("[]", "[]\n");
	assert_formats(" { } ", "{}\n");
	assert_formats("1.50e+03", "1.50e+03\n");
	assert_formats("[1,[2,[ 3 ]],{\"b\":1,\"a\":{}}]",
		"[\n  1,\n  [2, [3]],\n  {\"b\": 1, \"a\": {}}\n]\n");
	assert_formats("{\"a\":\"\\/\\u00e9\\u000a\"}", "{\n  \"a\": \"/é\\n\"\n}\n");
	assert_formats("{\"a\":\"x, \\n  y\"}", "{\n  \"a\": \"x, \\n  y\"\n}\n");
}

/* An array in an object, of which the line ends in the given column. */
static void make_line(char *text, size_t column, const char *fill)
{
	const size_t used = strlen("  \"k\": [\"\"]");
	strcpy(text, "{\n  \"k\": [\"");
	for (size_t i = used; i < column; i++)
		strcat(text, fill);
	strcat(text, "\"]\n}\n");
}

static void lines_end_by_column_100(void **state)
{
	(void)state;
	char text[1000];
	make_line(text, 100, "x");
	assert_formats(text, text);
	make_line(text, 100, "é"); /* columns are characters */
	assert_formats(text, text);
	make_line(text, 101, "x");
	struct ml_buffer out = {0};
	assert_int_equal(ml_json_format(text, strlen(text), &out, NULL), 0);
	assert_memory_equal(out.data, "{\n  \"k\": [\n    \"xxx", 19);
	ml_buffer_free(&out);
}

static void wrong_text_is_refused_with_its_place(void **state)
{
	(void)state;
	struct ml_buffer out = {0};
	ml_buffer_append(&out, "kept", 4);
	struct ml_error err = ML_ERROR_NONE;
	assert_int_equal(ml_json_format("{\n \"a\": 01}", 11, &out, &err), -EINVAL);
	assert_int_equal(err.code, -EINVAL);
	assert_int_equal(err.line, 2);
	assert_int_equal(err.column, 8);
	assert_string_equal(out.data, "kept");
	assert_int_equal(ml_json_format("1 2", 3, &out, NULL), -EINVAL);
	ml_buffer_free(&out);
	out = (struct ml_buffer){.limit = 8};
	err = ML_ERROR_NONE;
	assert_int_equal(ml_json_format("[1,2,3,4,5,6]", 13, &out, &err), -ENOMEM);
	assert_int_equal(err.code, -ENOMEM);
	ml_buffer_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_found_by_pointer),
		cmocka_unit_test(errors_get_line_and_column),
		cmocka_unit_test(formatting_is_canonical),
		cmocka_unit_test(lines_end_by_column_100),
		cmocka_unit_test(wrong_text_is_refused_with_its_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
