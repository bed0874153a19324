/* What is known of a series: counters over windows, late values, rollover, reset, another device.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregate/series.h"
#include "count.h"

#define T0 (1790000000 / 3600 * 3600 * ML_SEC) /* a full hour */
#define HOUR(n) (T0 + (n)*ML_HOUR)
#define AT(hour, minute) (HOUR(hour) + (minute)*ML_MINUTE + 3 * ML_SEC)

struct rig {
	struct series series;
	struct series_rules rules;
	uint64_t trace;
	uint32_t device;
	uint8_t digits;
	ml_time told_until;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof *rig);
	assert_non_null(rig);
	rig->rules = (struct series_rules){
		.length = {WINDOW_HOURS, 1}, .zone = ml_zone_utc(), .lateness = ML_DAY};
	rig->device = 1;
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;
	series_free(&rig->series);
	free(rig);
	return 0;
}

static bool told(void *user, ml_time begin)
{
	const struct rig *rig = user;
	return begin < rig->told_until;
}

static enum series_answer give_at(
	struct rig *rig, ml_time time, int64_t mantissa, const char *unit, ml_time now)
{
	const struct series_value value = {.time = time,
		.trace = ++rig->trace,
		.value = {.mantissa = mantissa, .exponent = -3},
		.device = rig->device,
		.digits = rig->digits};
	return series_count(&rig->series, &rig->rules, &value, unit, now, told, rig);
}

static void give(struct rig *rig, ml_time time, int64_t mantissa)
{
	assert_int_equal(give_at(rig, time, mantissa, "m³", time), SERIES_COUNTED);
}

/* The consumption of a window in thousandths, or "-", and its marks. */
static void expect(struct rig *rig, ml_time begin, const char *value, uint32_t marks)
{
	char text[ML_DECIMAL_TEXT_MAX] = "-";
	const struct sum *sum = series_sum(&rig->series, begin);
	assert_non_null(sum);
	const struct consumption consumption = series_consumption(&rig->series, &rig->rules, sum);
	if (consumption.known)
		ml_decimal_format(consumption.value, text);
	assert_string_equal(text, value);
	assert_int_equal(consumption.marks, marks);
}

/* ---- Consumption ---- */

/* Read at the full hour and some seconds: the hour that has passed gets what was counted in it. */
static void hourly_readouts_count_for_the_hour_before(void **state)
{
	struct rig *rig = *state;
	give(rig, AT(0, 0), 1000);
	give(rig, AT(1, 0), 1500);
	give(rig, AT(2, 0), 1750);
	expect(rig, HOUR(0), "0.500", 0);
	expect(rig, HOUR(1), "0.250", 0);
	expect(rig, HOUR(2), "-", 0);
}

static void quarters_of_an_hour_add_up(void **state)
{
	struct rig *rig = *state;
	for (int i = 0; i <= 12; i++)
		give(rig, AT(0, 15 * i), 1000 + 10 * i);
	expect(rig, HOUR(0), "0.040", 0);
	expect(rig, HOUR(1), "0.040", 0);
	expect(rig, HOUR(2), "0.040", 0);
}

static void what_lies_across_a_border_counts_where_most_of_it_lies(void **state)
{
	struct rig *rig = *state;
	give(rig, HOUR(0) + 50 * ML_MINUTE, 0);
	give(rig, HOUR(1) + 20 * ML_MINUTE, 30); /* 10 minutes before, 20 after */
	give(rig, HOUR(1) + 50 * ML_MINUTE, 40);
	give(rig, HOUR(2) + 5 * ML_MINUTE, 50); /* 10 before, 5 after */
	expect(rig, HOUR(1), "0.050", 0);
	expect(rig, HOUR(0), "-", 0);
}

static void hours_without_a_value_are_not_made_up(void **state)
{
	struct rig *rig = *state;
	give(rig, AT(0, 0), 1000);
	give(rig, AT(1, 0), 1100);
	give(rig, AT(5, 0), 2000);
	expect(rig, HOUR(0), "0.100", 0);
	assert_int_equal(series_sum(&rig->series, HOUR(1))->count, 1);
	expect(rig, HOUR(1), "-", 0);
	assert_null(series_sum(&rig->series, HOUR(2)));
	assert_null(series_sum(&rig->series, HOUR(3)));
	expect(rig, HOUR(4), "0.900", MARK_GAP); /* all that was missing, and marked */
	assert_int_equal(series_sum(&rig->series, HOUR(4))->count, 0);
}

static void rollover_is_recognised_by_the_digits(void **state)
{
	struct rig *rig = *state;
	rig->digits = 6;
	give(rig, AT(0, 0), 999900);
	give(rig, AT(0, 30), 999990);
	give(rig, AT(1, 0), 10);
	give(rig, AT(2, 0), 20);
	expect(rig, HOUR(0), "0.110", MARK_ROLLOVER);
	expect(rig, HOUR(1), "0.010", 0);
}

static void configured_digits_win(void **state)
{
	struct rig *rig = *state;
	rig->digits = 8;
	rig->rules.digits = 4;
	give(rig, AT(0, 0), 9990);
	give(rig, AT(1, 0), 5);
	expect(rig, HOUR(0), "0.015", MARK_ROLLOVER);
}

static void reset_is_marked_and_not_counted(void **state)
{
	struct rig *rig = *state;
	rig->digits = 8;
	give(rig, AT(0, 0), 5000);
	give(rig, AT(0, 15), 5100);
	give(rig, AT(0, 30), 40);
	give(rig, AT(0, 45), 50);
	expect(rig, HOUR(0), "0.110", MARK_RESET);
}

/* Without digits nobody knows: a counter of 32 bits may show any number of them. */
static void going_back_without_digits_is_a_reset(void **state)
{
	struct rig *rig = *state;
	give(rig, AT(0, 0), 99999999);
	give(rig, AT(0, 15), 1);
	give(rig, AT(0, 30), 3);
	expect(rig, HOUR(0), "0.002", MARK_RESET);
}

static void another_device_is_marked_and_not_counted(void **state)
{
	struct rig *rig = *state;
	give(rig, AT(0, 0), 5000);
	give(rig, AT(0, 15), 5100);
	rig->device = 2;
	give(rig, AT(0, 30), 7777);
	give(rig, AT(0, 45), 7780);
	expect(rig, HOUR(0), "0.103", MARK_REPLACED);
}

static void what_does_not_fit_is_not_told(void **state)
{
	struct rig *rig = *state;
	give(rig, AT(0, 0), INT64_MIN + 1);
	give(rig, AT(0, 30), INT64_MAX);
	expect(rig, HOUR(0), "-", MARK_OVERFLOW);
	struct ml_decimal mean;
	const struct sum *sum = series_sum(&rig->series, HOUR(0));
	assert_int_equal(sum->total.mantissa, 0);
	assert_true(series_mean(sum, 3, &mean));
	give(rig, AT(0, 45), INT64_MAX);
	give(rig, AT(0, 50), INT64_MAX);
	sum = series_sum(&rig->series, HOUR(0));
	assert_true(sum->marks & MARK_TOTAL);
	assert_false(series_mean(sum, 3, &mean));
}

/* ---- The others ---- */

static void mean_is_divided_by_the_stated_rule(void **state)
{
	static const struct {
		int64_t values[3];
		size_t count;
		const char *mean;
	} cases[] = {{{1, 2}, 2, "0.001500"}, {{1, 1, 2}, 3, "0.001333"},
		{{2, 2, 1}, 3, "0.001667"}, {{-1, -1, -2}, 3, "-0.001333"},
		{{-2, -2, -1}, 3, "-0.001667"}, {{5}, 1, "0.005000"}};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sum sum = {.count = (uint32_t)cases[i].count, .total.exponent = -3};
		struct ml_decimal mean;
		char text[ML_DECIMAL_TEXT_MAX];
		for (size_t n = 0; n < cases[i].count; n++)
			sum.total.mantissa += cases[i].values[n];
		assert_true(series_mean(&sum, 3, &mean));
		ml_decimal_format(mean, text);
		assert_string_equal(text, cases[i].mean);
	}
	/* Half goes away from zero; where more digits do not fit there are fewer. */
	struct sum half = {.count = 2, .total = {.mantissa = -1, .exponent = 0}};
	struct ml_decimal mean;
	assert_true(series_mean(&half, 0, &mean));
	assert_int_equal(mean.mantissa, -1);
	half.total.mantissa = INT64_MAX;
	assert_true(series_mean(&half, 3, &mean));
	assert_int_equal(mean.mantissa, INT64_MAX / 2 + 1);
	assert_int_equal(mean.exponent, 0);
}

static void values_of_another_unit_are_errors(void **state)
{
	struct rig *rig = *state;
	give(rig, AT(0, 0), 5);
	assert_int_equal(give_at(rig, AT(0, 15), 7, "kg", AT(0, 15)), SERIES_COUNTED);
	const struct sum *sum = series_sum(&rig->series, HOUR(0));
	assert_int_equal(sum->count, 1);
	assert_int_equal(sum->errors, 1);
	assert_true(sum->marks & MARK_UNIT);
}

static void troubles_are_counted(void **state)
{
	struct rig *rig = *state;
	give(rig, AT(0, 0), 5);
	assert_int_equal(
		series_trouble(&rig->series, &rig->rules, SERIES_MISSING, AT(1, 0), 77, AT(1, 0)),
		SERIES_COUNTED);
	assert_int_equal(
		series_trouble(&rig->series, &rig->rules, SERIES_MISSING, AT(1, 0), 77, AT(1, 0)),
		SERIES_REPEATED);
	assert_int_equal(
		series_trouble(&rig->series, &rig->rules, SERIES_ERROR, AT(1, 15), 78, AT(1, 15)),
		SERIES_COUNTED);
	const struct sum *sum = series_sum(&rig->series, HOUR(1));
	assert_int_equal(sum->count, 0);
	assert_int_equal(sum->missing, 1);
	assert_int_equal(sum->errors, 1);
	expect(rig, HOUR(1), "-", 0);
}

static void a_repeat_is_not_counted_twice(void **state)
{
	struct rig *rig = *state;
	give(rig, AT(0, 0), 5);
	rig->trace--;
	assert_int_equal(give_at(rig, AT(0, 0), 5, "m³", AT(0, 0)), SERIES_REPEATED);
	assert_int_equal(series_sum(&rig->series, HOUR(0))->count, 1);
}

/* ---- Late values ---- */

static void a_late_value_takes_its_place(void **state)
{
	struct rig *rig = *state;
	give(rig, AT(0, 0), 1000);
	give(rig, AT(3, 0), 1600);
	expect(rig, HOUR(2), "0.600", MARK_GAP);
	rig->told_until = HOUR(3);
	assert_int_equal(give_at(rig, AT(1, 0), 1100, "m³", AT(3, 5)), SERIES_COUNTED);
	assert_int_equal(give_at(rig, AT(2, 0), 1300, "m³", AT(3, 5)), SERIES_COUNTED);
	expect(rig, HOUR(0), "0.100", 0);
	expect(rig, HOUR(1), "0.200", 0);
	expect(rig, HOUR(2), "0.300", 0);
	assert_int_equal(series_sum(&rig->series, HOUR(2))->late, 1);
	assert_int_equal(series_sum(&rig->series, HOUR(0))->late, 0);
}

static void too_late_is_too_late(void **state)
{
	struct rig *rig = *state;
	give(rig, AT(0, 0), 1000);
	assert_int_equal(give_at(rig, AT(0, 30), 1100, "m³", HOUR(25)), SERIES_TOO_LATE);
	assert_int_equal(give_at(rig, AT(0, 30), 1100, "m³", HOUR(25) - 1), SERIES_COUNTED);
}

static void what_is_done_with_leaves_its_last_value(void **state)
{
	struct rig *rig = *state;
	rig->rules.lateness = ML_HOUR;
	give(rig, AT(0, 0), 1000);
	give(rig, AT(1, 0), 1100);
	give(rig, AT(2, 0), 1200);
	series_finish(&rig->series, HOUR(2));
	assert_int_equal(rig->series.count, 1);
	give(rig, AT(2, 30), 1250);
	/* What counted for the hour before is not counted a second time. */
	expect(rig, HOUR(2), "0.050", 0);
	give(rig, AT(3, 0), 1300);
	expect(rig, HOUR(2), "0.100", 0);
}

static void a_clock_that_is_set_back_begins_anew(void **state)
{
	struct rig *rig = *state;
	rig->rules.lateness = ML_HOUR;
	give(rig, AT(9000, 0), 1000);
	give(rig, AT(9001, 0), 1100);
	series_finish(&rig->series, HOUR(9002));
	assert_int_equal(give_at(rig, AT(0, 0), 1200, "m³", AT(0, 0)), SERIES_COUNTED);
	give(rig, AT(0, 30), 1250);
	expect(rig, HOUR(0), "0.050", 0);
}

/* Whatever the order in which values come, the result is that of their own order; and what a
 * counter advanced is in the windows once. */
static void order_does_not_matter(void **state)
{
	struct rig *rig = *state;
	srand(1);
	for (unsigned run = 0; run < test_count(2000); run++) {
		enum { VALUES = 40 };
		int64_t mantissas[VALUES];
		unsigned order[VALUES];
		ml_time times[VALUES];
		int64_t counter = 0;
		ml_time time = HOUR(0);
		rig->series = (struct series){0};
		for (unsigned i = 0; i < VALUES; i++) {
			time += (ml_time)(rand() % 3000 + 1) * ML_SEC;
			counter += rand() % 100;
			times[i] = time;
			mantissas[i] = counter;
			order[i] = i;
		}
		/* The first and the last of a window come before what lies between: as told by the
		 * page, a value between does not look for a reset. */
		for (unsigned i = VALUES - 1; i > 0; i--) {
			const unsigned other = (unsigned)rand() % (i + 1);
			const unsigned kept = order[i];
			order[i] = order[other];
			order[other] = kept;
		}
		for (unsigned i = 0; i < VALUES; i++)
			assert_int_equal(
				give_at(rig, times[order[i]], mantissas[order[i]], "m³", time),
				SERIES_COUNTED);
		int64_t total = 0;
		uint32_t count = 0;
		for (size_t i = 0; i < rig->series.count; i++) {
			const struct sum *sum = &rig->series.sums[i];
			const struct consumption consumption =
				series_consumption(&rig->series, &rig->rules, sum);
			if (consumption.known)
				total += consumption.value.mantissa;
			count += sum->count;
		}
		assert_int_equal(count, VALUES);
		assert_int_equal(total, mantissas[VALUES - 1] - mantissas[0]);
		series_free(&rig->series);
	}
	rig->series = (struct series){0};
}

#define SERIES_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERIES_TEST(hourly_readouts_count_for_the_hour_before),
		SERIES_TEST(quarters_of_an_hour_add_up),
		SERIES_TEST(what_lies_across_a_border_counts_where_most_of_it_lies),
		SERIES_TEST(hours_without_a_value_are_not_made_up),
		SERIES_TEST(rollover_is_recognised_by_the_digits),
		SERIES_TEST(configured_digits_win),
		SERIES_TEST(reset_is_marked_and_not_counted),
		SERIES_TEST(going_back_without_digits_is_a_reset),
		SERIES_TEST(another_device_is_marked_and_not_counted),
		SERIES_TEST(what_does_not_fit_is_not_told),
		SERIES_TEST(mean_is_divided_by_the_stated_rule),
		SERIES_TEST(values_of_another_unit_are_errors),
		SERIES_TEST(troubles_are_counted),
		SERIES_TEST(a_repeat_is_not_counted_twice),
		SERIES_TEST(a_late_value_takes_its_place),
		SERIES_TEST(too_late_is_too_late),
		SERIES_TEST(what_is_done_with_leaves_its_last_value),
		SERIES_TEST(a_clock_that_is_set_back_begins_anew),
		SERIES_TEST(order_does_not_matter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
