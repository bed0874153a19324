/* The clock stands still unless it is moved, and times are text both ways.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <meterloom/clock.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void simulated_clock_moves_only_by_hand(void **state)
{
	(void)state;
	struct ml_clock *clock = ml_clock_new_simulated(1000 * ML_SEC);
	assert_non_null(clock);
	assert_true(ml_clock_is_simulated(clock));
	assert_int_equal(ml_clock_monotonic(clock), 0);
	assert_int_equal(ml_clock_wall(clock), 1000 * ML_SEC);
	ml_clock_advance(clock, 5 * ML_SEC);
	assert_int_equal(ml_clock_monotonic(clock), 5 * ML_SEC);
	assert_int_equal(ml_clock_wall(clock), 1005 * ML_SEC);
	ml_clock_set_wall(clock, 10 * ML_SEC);
	assert_int_equal(ml_clock_monotonic(clock), 5 * ML_SEC);
	assert_int_equal(ml_clock_wall(clock), 10 * ML_SEC);
	ml_clock_advance(clock, 6 * ML_SEC);
	assert_int_equal(ml_clock_wall(clock), 11 * ML_SEC);
	ml_clock_free(clock);
}

static void real_clock_goes_on(void **state)
{
	(void)state;
	struct ml_clock *clock = ml_clock_new_real();
	assert_non_null(clock);
	assert_false(ml_clock_is_simulated(clock));
	const ml_time first = ml_clock_monotonic(clock);
	assert_true(first >= 0 && first < ML_HOUR);
	ml_time later = first;
	while (later == first)
		later = ml_clock_monotonic(clock);
	assert_true(later > first);
	assert_true(ml_clock_wall(clock) > 0);
	ml_clock_free(clock);
	ml_clock_free(NULL);
}

static void times_are_written_and_read(void **state)
{
	(void)state;
	static const struct {
		ml_time time;
		const char *text;
	} rows[] = {
		{0, "1970-01-01T00:00:00.000Z"},
		{-1000, "1969-12-31T23:59:59.999Z"},
		{INT64_C(1769868900000000), "2026-01-31T14:15:00.000Z"},
		{INT64_C(951782400123000), "2000-02-29T00:00:00.123Z"},
		{INT64_C(4107542399999000), "2100-02-28T23:59:59.999Z"},
		{INT64_C(253402300799999000), "9999-12-31T23:59:59.999Z"},
		{INT64_C(-62167219200000000), "0000-01-01T00:00:00.000Z"},
	};
	char text[ML_TIME_TEXT_MAX];
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(ml_time_format(rows[i].time, text), strlen(rows[i].text));
		assert_string_equal(text, rows[i].text);
		ml_time back;
		assert_true(ml_time_parse(text, strlen(text), &back));
		assert_int_equal(back, rows[i].time);
	}
	(void)ml_time_format(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
	(void)ml_time_format(INT64_MIN, text);
	assert_string_equal(text, "0000-01-01T00:00:00.000Z");
	/* Every day of an era there and back. */
	for (ml_time day = -719468; day < 146097; day += 1) {
		const size_t length = ml_time_format(day * ML_DAY, text);
		ml_time back;
		assert_true(ml_time_parse(text, length, &back));
		assert_int_equal(back, day * ML_DAY);
	}
}

static void other_spellings_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		ml_time time;
	} rows[] = {
		{"2026-01-31", INT64_C(1769817600000000)},
		{"2026-01-31T14:15:00Z", INT64_C(1769868900000000)},
		{"2026-01-31T15:15:00+01:00", INT64_C(1769868900000000)},
		{"2026-01-31T08:45:00-05:30", INT64_C(1769868900000000)},
		{"2026-01-31T14:15:00.5Z", INT64_C(1769868900500000)},
		{"2026-01-31T14:15:00.1234569Z", INT64_C(1769868900123456)},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		ml_time time;
		assert_true(ml_time_parse(rows[i].text, strlen(rows[i].text), &time));
		assert_int_equal(time, rows[i].time);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "2026", "2026-02-29", "2026-13-01", "2026-00-01",
		"2026-01-00", "2026-01-31T14:15:00", "2026-01-31T14:15Z", "2026-01-31T24:00:00Z",
		"2026-01-31T14:60:00Z", "2026-01-31T14:15:60Z", "2026-01-31T14:15:00.Z",
		"2026-01-31T14:15:00Zx", "2026-01-31T14:15:00+0100", "2026-01-31T14:15:00+24:00",
		"26-01-31", "2026/01/31", "2026-1-31", " 2026-01-31", "2026-01-31 "};
	for (size_t i = 0; i < COUNT(texts); i++) {
		ml_time time = 42;
		assert_false(ml_time_parse(texts[i], strlen(texts[i]), &time));
		assert_int_equal(time, 42);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(simulated_clock_moves_only_by_hand),
		cmocka_unit_test(real_clock_goes_on),
		cmocka_unit_test(times_are_written_and_read),
		cmocka_unit_test(other_spellings_are_read),
		cmocka_unit_test(what_is_no_time_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
