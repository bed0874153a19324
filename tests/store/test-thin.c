/* Thinning keeps what a chart must not lose: the smallest, the largest, the gaps, the number.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/thin.h"

static void add(struct store_thin *thin, ml_time time, int64_t mantissa, int8_t exponent)
{
	const struct store_thin_readout readout = {.time = time,
		.kind = STORE_THIN_NUMBER,
		.number = {.mantissa = mantissa, .exponent = exponent}};
	assert_int_equal(store_thin_add(thin, &readout), 0);
}

static void add_kind(
	struct store_thin *thin, ml_time time, enum store_thin_kind kind, const char *text)
{
	const struct store_thin_readout readout = {.time = time, .kind = kind, .text = text};
	assert_int_equal(store_thin_add(thin, &readout), 0);
}

static void few_stay_as_they_are(void **state)
{
	(void)state;
	size_t count = 0;
	bool thinned = true;
	struct store_thin *thin = store_thin_new(0, 1000, 5);
	add(thin, 10, 1, 0);
	add(thin, 11, 2, 0);
	add_kind(thin, 12, STORE_THIN_FAILED, NULL);
	add_kind(thin, 13, STORE_THIN_TEXT, "abc");
	add_kind(thin, 14, STORE_THIN_NONE, NULL);
	const struct store_thin_point *points = store_thin_points(thin, &count, &thinned);
	assert_false(thinned);
	assert_int_equal(count, 5);
	assert_int_equal(points[1].first.mantissa, 2);
	assert_int_equal(points[2].failures, 1);
	assert_string_equal(points[3].text, "abc");
	assert_int_equal(points[4].nones, 1);
	assert_int_equal(points[4].from, 14);
	assert_false(store_thin_wants_text(thin));
	store_thin_free(thin);
}

/* 1000 readouts into ten buckets of a hundred, each with what the readouts say. */
static void buckets_hold_what_their_readouts_say(void **state)
{
	(void)state;
	size_t count = 0;
	bool thinned = false;
	struct store_thin *thin = store_thin_new(0, 999, 10);
	for (int64_t i = 0; i < 1000; i++) {
		if (i % 100 == 7)
			add_kind(thin, i, STORE_THIN_FAILED, NULL);
		else if (i % 100 == 8)
			add_kind(thin, i, STORE_THIN_NONE, NULL);
		else
			add(thin, i, i % 100 == 50 ? -i : i, 0);
	}
	const struct store_thin_point *points = store_thin_points(thin, &count, &thinned);
	assert_true(thinned);
	assert_int_equal(count, 10);
	for (int64_t b = 0; b < 10; b++) {
		assert_int_equal(points[b].from, 100 * b);
		assert_int_equal(points[b].to, 100 * b + 99);
		assert_int_equal(points[b].numbers, 98);
		assert_int_equal(points[b].failures, 1);
		assert_int_equal(points[b].nones, 1);
		assert_int_equal(points[b].first.mantissa, 100 * b);
		assert_int_equal(points[b].last.mantissa, 100 * b + 99);
		assert_int_equal(points[b].min.mantissa, -(100 * b + 50));
		assert_int_equal(points[b].max.mantissa, 100 * b + 99);
	}
	store_thin_free(thin);
}

static void numbers_of_any_exponent_are_compared_exactly(void **state)
{
	(void)state;
	size_t count = 0;
	bool thinned = false;
	struct store_thin *thin = store_thin_new(0, 100, 1);
	add(thin, 1, 12345, -3);
	add(thin, 2, INT64_C(1234500000000000001), -17);
	add(thin, 3, 1, 1);
	const struct store_thin_point *points = store_thin_points(thin, &count, &thinned);
	assert_int_equal(count, 1);
	assert_int_equal(points[0].max.mantissa, INT64_C(1234500000000000001));
	assert_int_equal(points[0].min.mantissa, 1);
	store_thin_free(thin);
}

static void another_meter_begins_another_bucket(void **state)
{
	(void)state;
	size_t count = 0;
	bool thinned = false;
	struct store_thin *thin = store_thin_new(0, 99, 2);
	for (int64_t i = 0; i < 100; i++) {
		const struct store_thin_readout readout = {.time = i,
			.kind = STORE_THIN_NUMBER,
			.number = {.mantissa = i},
			.source = i >= 30};
		assert_int_equal(store_thin_add(thin, &readout), 0);
	}
	const struct store_thin_point *points = store_thin_points(thin, &count, &thinned);
	assert_int_equal(count, 3);
	assert_int_equal(points[0].to, 29);
	assert_int_equal(points[1].from, 30);
	assert_int_equal(points[1].source, 1);
	assert_int_equal(points[1].to, 49);
	store_thin_free(thin);
}

/* Whatever the times, there are never more points than asked, but for changes. */
static void points_are_bounded(void **state)
{
	(void)state;
	static const ml_time ends[][2] = {{0, 0}, {INT64_MIN, INT64_MAX}, {5, 6}, {100, 5}};
	for (size_t e = 0; e < sizeof ends / sizeof *ends; e++) {
		size_t count = 0;
		bool thinned = false;
		struct store_thin *thin = store_thin_new(ends[e][0], ends[e][1], 7);
		for (int64_t i = 0; i < 5000; i++) {
			const struct store_thin_readout readout = {.time = i * 1000003,
				.kind = STORE_THIN_NUMBER,
				.source = (uint32_t)i % 2};
			assert_int_equal(store_thin_add(thin, &readout), 0);
		}
		(void)store_thin_points(thin, &count, &thinned);
		assert_in_range(count, 1, 14);
		store_thin_free(thin);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_stay_as_they_are),
		cmocka_unit_test(buckets_hold_what_their_readouts_say),
		cmocka_unit_test(numbers_of_any_exponent_are_compared_exactly),
		cmocka_unit_test(another_meter_begins_another_bucket),
		cmocka_unit_test(points_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
