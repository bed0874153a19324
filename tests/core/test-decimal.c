/* Decimals: text both ways, and exact arithmetic up to the edges of 64 bits.
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

#include <meterloom/decimal.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void assert_decimal(struct ml_decimal value, int64_t mantissa, int exponent)
{
	assert_int_equal(value.mantissa, mantissa);
	assert_int_equal(value.exponent, exponent);
}

static void values_are_written_exactly(void **state)
{
	(void)state;
	static const struct {
		struct ml_decimal value;
		const char *text;
	} rows[] = {
		{{0, 0}, "0"},
		{{0, 5}, "0"},
		{{0, -2}, "0.00"},
		{{123, 1}, "1230"},
		{{123, -4}, "0.0123"},
		{{-123, -4}, "-0.0123"},
		{{1230, -2}, "12.30"},
		{{-5, 0}, "-5"},
		{{123, -3}, "0.123"},
		{{-1234, -3}, "-1.234"},
		{{1, 24}, "1000000000000000000000000"},
		{{1, 25}, "1e25"},
		{{-1, 24}, "-1e24"},
		{{1, 40}, "1e40"},
		{{1, -23}, "0.00000000000000000000001"},
		{{1, -24}, "1e-24"},
		{{-1, -23}, "-1e-23"},
		{{INT64_MIN, 0}, "-9223372036854775808"},
		{{INT64_MAX, 0}, "9223372036854775807"},
		{{INT64_MIN, -18}, "-9.223372036854775808"},
		{{INT64_MIN, -19}, "-0.9223372036854775808"},
		{{INT64_MAX, 127}, "9223372036854775807e127"},
		{{INT64_MIN, -128}, "-9223372036854775808e-128"},
		{{100, -2}, "1.00"},
		{{0, -100}, "0e-100"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[ML_DECIMAL_TEXT_MAX];
		assert_int_equal(ml_decimal_format(rows[i].value, text), strlen(rows[i].text));
		assert_string_equal(text, rows[i].text);
		struct ml_decimal back;
		assert_int_equal(ml_decimal_parse(text, strlen(text), &back, NULL), 0);
		assert_int_equal(ml_decimal_compare(back, rows[i].value), 0);
	}
}

static void numbers_are_read_exactly(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t mantissa;
		int exponent;
	} rows[] = {
		{"0", 0, 0},
		{"-0", 0, 0},
		{"0.00", 0, -2},
		{"12.30", 1230, -2},
		{"-0.5", -5, -1},
		{"1e3", 1, 3},
		{"1E+3", 1, 3},
		{"12.5e-3", 125, -4},
		{"10000000000000000000000", 1000000000000000000, 4},
		{"12345678901234567890", 1234567890123456789, 1},
		{"9223372036854775807", INT64_MAX, 0},
		{"-9223372036854775808", INT64_MIN, 0},
		{"0.000000000000000000000000000001", 1, -30},
		{"1.000000000000000000000000000000", 1000000000000000000, -18},
		{"1e145", 1000000000000000000, 127},
		{"1000e-130", 10, -128},
		{"0e999999999999", 0, 0},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ml_decimal value;
		assert_int_equal(
			ml_decimal_parse(rows[i].text, strlen(rows[i].text), &value, NULL), 0);
		assert_decimal(value, rows[i].mantissa, rows[i].exponent);
	}
}

static void wrong_numbers_are_refused_with_their_place(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int result;
		int at;
	} rows[] = {
		{"", -EINVAL, 0},
		{"-", -EINVAL, 1},
		{"+1", -EINVAL, 0},
		{"01", -EINVAL, 1},
		{".5", -EINVAL, 0},
		{"1.", -EINVAL, 2},
		{"1e", -EINVAL, 2},
		{"1e+", -EINVAL, 3},
		{"1 ", -EINVAL, 1},
		{"0x10", -EINVAL, 1},
		{"1,5", -EINVAL, 1},
		{"NaN", -EINVAL, 0},
		{"9223372036854775808", -ERANGE, -1},
		{"-9223372036854775809", -ERANGE, -1},
		{"12345678901234567891", -ERANGE, -1},
		{"100000000000000000000000001", -ERANGE, -1},
		{"1e146", -ERANGE, -1},
		{"1e-129", -ERANGE, -1},
		{"1e99999999999999999999", -ERANGE, -1},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ml_decimal value = {42, 1};
		struct ml_error err = ML_ERROR_NONE;
		const int result =
			ml_decimal_parse(rows[i].text, strlen(rows[i].text), &value, &err);
		assert_int_equal(result, rows[i].result);
		assert_int_equal(err.at, rows[i].at);
		assert_decimal(value, 42, 1);
	}
}

static void comparison_is_exact_at_any_exponent(void **state)
{
	(void)state;
	static const struct {
		struct ml_decimal a, b;
		int order;
	} rows[] = {
		{{1, 0}, {10, -1}, 0},
		{{1, 1}, {11, 0}, -1},
		{{-1, 1}, {-11, 0}, 1},
		{{0, 100}, {0, -100}, 0},
		{{0, 100}, {1, -128}, -1},
		{{-1, 127}, {0, 0}, -1},
		{{INT64_MAX, -128}, {1, 127}, -1},
		{{INT64_MAX, 0}, {922337203685477580, 1}, 1},
		{{INT64_MIN, 0}, {INT64_MIN, 1}, 1},
		{{1000000000000000000, -18}, {1, 0}, 0},
		{{INT64_MIN, 0}, {INT64_MAX, 0}, -1},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(ml_decimal_compare(rows[i].a, rows[i].b), rows[i].order);
		assert_int_equal(ml_decimal_compare(rows[i].b, rows[i].a), -rows[i].order);
	}
}

static void sums_are_exact_or_refused(void **state)
{
	(void)state;
	struct ml_decimal r = {42, 1};
	assert_true(ml_decimal_add((struct ml_decimal){1230, -2}, (struct ml_decimal){7, -1}, &r));
	assert_decimal(r, 1300, -2);
	assert_true(ml_decimal_subtract((struct ml_decimal){1, 3}, (struct ml_decimal){1, 0}, &r));
	assert_decimal(r, 999, 0);
	assert_true(ml_decimal_add((struct ml_decimal){1, 30}, (struct ml_decimal){10, 29}, &r));
	assert_decimal(r, 20, 29);
	assert_true(ml_decimal_add((struct ml_decimal){1, 127}, (struct ml_decimal){0, -128}, &r));
	assert_int_equal(ml_decimal_compare(r, (struct ml_decimal){1, 127}), 0);
	/* The exact sum fits with a zero less. */
	assert_true(ml_decimal_add((struct ml_decimal){6000000000000000000, 0},
		(struct ml_decimal){6000000000000000000, 0}, &r));
	assert_decimal(r, 1200000000000000000, 1);
	assert_true(ml_decimal_subtract(
		(struct ml_decimal){INT64_MIN, 0}, (struct ml_decimal){INT64_MIN, 0}, &r));
	assert_decimal(r, 0, 0);
	assert_true(ml_decimal_subtract(
		(struct ml_decimal){-1, 0}, (struct ml_decimal){INT64_MIN, 0}, &r));
	assert_decimal(r, INT64_MAX, 0);
	/* 93e17 is too large alone, not after the subtraction. */
	assert_true(ml_decimal_add(
		(struct ml_decimal){93, 17}, (struct ml_decimal){-1000000000000000001, 0}, &r));
	assert_decimal(r, 8299999999999999999, 0);
	r = (struct ml_decimal){42, 1};
	assert_false(ml_decimal_add((struct ml_decimal){1, 30}, (struct ml_decimal){1, 0}, &r));
	assert_false(
		ml_decimal_add((struct ml_decimal){INT64_MAX, 0}, (struct ml_decimal){1, 0}, &r));
	assert_false(ml_decimal_add(
		(struct ml_decimal){INT64_MIN, 0}, (struct ml_decimal){INT64_MIN, 0}, &r));
	assert_decimal(r, 42, 1);
}

static void products_are_exact_or_refused(void **state)
{
	(void)state;
	struct ml_decimal r = {42, 1};
	assert_true(
		ml_decimal_multiply((struct ml_decimal){-12, -1}, (struct ml_decimal){5, -1}, &r));
	assert_decimal(r, -60, -2);
	assert_true(ml_decimal_multiply(
		(struct ml_decimal){INT64_MIN, 3}, (struct ml_decimal){0, 0}, &r));
	assert_int_equal(r.mantissa, 0);
	/* 2^62 times 5^20 has twenty zeros. */
	assert_true(ml_decimal_multiply((struct ml_decimal){INT64_C(1) << 62, 0},
		(struct ml_decimal){95367431640625, 0}, &r));
	assert_int_equal(ml_decimal_compare(r, (struct ml_decimal){INT64_C(1) << 42, 20}), 0);
	assert_true(ml_decimal_multiply(
		(struct ml_decimal){INT64_MIN, 0}, (struct ml_decimal){1, 0}, &r));
	assert_decimal(r, INT64_MIN, 0);
	assert_true(ml_decimal_multiply(
		(struct ml_decimal){100, -100}, (struct ml_decimal){1, -30}, &r));
	assert_decimal(r, 1, -128);
	r = (struct ml_decimal){42, 1};
	assert_false(ml_decimal_multiply(
		(struct ml_decimal){INT64_MIN, 0}, (struct ml_decimal){-1, 0}, &r));
	assert_false(
		ml_decimal_multiply((struct ml_decimal){1, -100}, (struct ml_decimal){1, -30}, &r));
	assert_false(
		ml_decimal_multiply((struct ml_decimal){1, 127}, (struct ml_decimal){1, 127}, &r));
	assert_decimal(r, 42, 1);
}

static void rescale_rounds_half_away_from_zero(void **state)
{
	(void)state;
	static const struct {
		struct ml_decimal from;
		int exponent;
		int64_t mantissa;
	} rows[] = {
		{{125, -2}, -1, 13},
		{{-125, -2}, -1, -13},
		{{124, -2}, -1, 12},
		{{5, 0}, 1, 1},
		{{4, 0}, 1, 0},
		{{12, 0}, -3, 12000},
		{{0, 127}, -128, 0},
		{{INT64_MAX, -19}, 0, 1},
		{{4999999999999999999, -19}, 0, 0},
		{{INT64_MIN, -20}, 0, 0},
	};
	struct ml_decimal r;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_true(ml_decimal_rescale(rows[i].from, rows[i].exponent, &r));
		assert_decimal(r, rows[i].mantissa, rows[i].exponent);
	}
	r = (struct ml_decimal){42, 1};
	assert_false(ml_decimal_rescale((struct ml_decimal){1, 0}, -19, &r));
	assert_false(ml_decimal_rescale((struct ml_decimal){1, 0}, -129, &r));
	assert_false(ml_decimal_rescale((struct ml_decimal){1, 0}, 128, &r));
	assert_decimal(r, 42, 1);
}

static void other_forms(void **state)
{
	(void)state;
	assert_decimal(ml_decimal_normalize((struct ml_decimal){1200, -2}), 12, 0);
	assert_decimal(ml_decimal_normalize((struct ml_decimal){0, -2}), 0, 0);
	assert_decimal(ml_decimal_normalize((struct ml_decimal){100, 126}), 10, 127);
	int64_t integer = 42;
	assert_true(ml_decimal_to_integer((struct ml_decimal){1200, -2}, &integer));
	assert_int_equal(integer, 12);
	assert_true(ml_decimal_to_integer((struct ml_decimal){-7, 3}, &integer));
	assert_int_equal(integer, -7000);
	assert_true(ml_decimal_to_integer((struct ml_decimal){0, -128}, &integer));
	assert_int_equal(integer, 0);
	assert_false(ml_decimal_to_integer((struct ml_decimal){125, -2}, &integer));
	assert_false(ml_decimal_to_integer((struct ml_decimal){1, 19}, &integer));
	assert_int_equal(integer, 0);
}

static void doubles_are_the_nearest(void **state)
{
	(void)state;
	static const struct {
		struct ml_decimal value;
		double expected;
	} rows[] = {
		{{1, -1}, 0.1},
		{{INT64_MAX, 0}, 9223372036854775807.0},
		{{123456789012345678, -17}, 1.23456789012345678},
		{{1, 127}, 1e127},
		{{-1, -128}, -1e-128},
		{{3, 23}, 3e23},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		const double value = ml_decimal_to_double(rows[i].value);
		assert_memory_equal(&value, &rows[i].expected, sizeof value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_written_exactly),
		cmocka_unit_test(numbers_are_read_exactly),
		cmocka_unit_test(wrong_numbers_are_refused_with_their_place),
		cmocka_unit_test(comparison_is_exact_at_any_exponent),
		cmocka_unit_test(sums_are_exact_or_refused),
		cmocka_unit_test(products_are_exact_or_refused),
		cmocka_unit_test(rescale_rounds_half_away_from_zero),
		cmocka_unit_test(other_forms),
		cmocka_unit_test(doubles_are_the_nearest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
