/* Windows: aligned to local time, whole on the nights on which clocks are changed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "aggregate/window.h"
#include "count.h"

static struct ml_zone *zone_of(const char *name)
{
	struct ml_zone *zone = NULL;
	struct ml_error err = ML_ERROR_NONE;
	if (ml_zone_load(name, NULL, &zone, &err) < 0)
		fail_msg("%s", err.text);
	return zone;
}

static struct window at(const char *length, const struct ml_zone *zone, const char *time)
{
	struct window_length parsed;
	ml_time wall;
	assert_int_equal(window_parse(length, &parsed, NULL), 0);
	assert_true(ml_time_parse(time, strlen(time), &wall));
	return window_at(parsed, zone, wall);
}

static void expect(const char *length, const struct ml_zone *zone, const char *time,
	const char *begin, const char *end)
{
	const struct window window = at(length, zone, time);
	char text[2][ML_ZONE_TEXT_MAX];
	ml_zone_format(zone, window.begin, text[0]);
	ml_zone_format(zone, window.end, text[1]);
	assert_string_equal(text[0], begin);
	assert_string_equal(text[1], end);
}

static void lengths_are_those_that_fit(void **state)
{
	static const char *const good[] = {"1 min", "15 min", "15min", "60 min", "1 h", "2 h",
		"24 h", "1 d", "1 week", "1 month", "1 year"};
	static const char *const bad[] = {"", "15", "min", "7 min", "0 min", "90 min", "5 h",
		"48 h", "2 d", "1 m", "1 months", "-1 h", "99999999999 min", "1.5 h", "1 h "};
	struct window_length length;
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_int_equal(window_parse(good[i], &length, NULL), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(window_parse(bad[i], &length, NULL), -EINVAL);
}

static void windows_are_of_the_local_clock(void **state)
{
	struct ml_zone *zone = zone_of("Europe/Paris");
	(void)state;
	expect("15 min", zone, "2026-01-31T14:14:59.999Z", "2026-01-31T15:00:00.000+01:00",
		"2026-01-31T15:15:00.000+01:00");
	expect("15 min", zone, "2026-01-31T14:15:00Z", "2026-01-31T15:15:00.000+01:00",
		"2026-01-31T15:30:00.000+01:00");
	expect("6 h", zone, "2026-01-31T23:30:00Z", "2026-02-01T00:00:00.000+01:00",
		"2026-02-01T06:00:00.000+01:00");
	expect("1 d", zone, "2026-01-31T23:30:00Z", "2026-02-01T00:00:00.000+01:00",
		"2026-02-02T00:00:00.000+01:00");
	expect("1 week", zone, "2026-02-01T12:00:00Z", "2026-01-26T00:00:00.000+01:00",
		"2026-02-02T00:00:00.000+01:00");
	expect("1 month", zone, "2026-12-31T23:30:00Z", "2027-01-01T00:00:00.000+01:00",
		"2027-02-01T00:00:00.000+01:00");
	expect("1 year", zone, "2026-12-31T22:30:00Z", "2026-01-01T00:00:00.000+01:00",
		"2027-01-01T00:00:00.000+01:00");
	ml_zone_free(zone);
}

static void night_to_summer_has_an_hour_less(void **state)
{
	struct ml_zone *zone = zone_of("Europe/Paris");
	(void)state;
	/* 2026-03-29: at 2:00 it is 3:00. */
	const struct window day = at("1 d", zone, "2026-03-29T10:00:00Z");
	assert_int_equal(day.end - day.begin, 23 * ML_HOUR);
	expect("1 h", zone, "2026-03-29T00:59:00Z", "2026-03-29T01:00:00.000+01:00",
		"2026-03-29T03:00:00.000+02:00");
	expect("1 h", zone, "2026-03-29T01:00:00Z", "2026-03-29T03:00:00.000+02:00",
		"2026-03-29T04:00:00.000+02:00");
	/* Of two hours: from the jump on, one hour is left. */
	expect("2 h", zone, "2026-03-29T01:30:00Z", "2026-03-29T03:00:00.000+02:00",
		"2026-03-29T04:00:00.000+02:00");
	ml_zone_free(zone);
}

static void night_to_winter_has_an_hour_more(void **state)
{
	struct ml_zone *zone = zone_of("Europe/Paris");
	(void)state;
	/* 2026-10-25: at 3:00 it is 2:00 again. */
	const struct window day = at("1 d", zone, "2026-10-25T10:00:00Z");
	assert_int_equal(day.end - day.begin, 25 * ML_HOUR);
	/* The hour that comes twice is two windows. */
	expect("1 h", zone, "2026-10-25T00:30:00Z", "2026-10-25T02:00:00.000+02:00",
		"2026-10-25T02:00:00.000+01:00");
	expect("1 h", zone, "2026-10-25T01:30:00Z", "2026-10-25T02:00:00.000+01:00",
		"2026-10-25T03:00:00.000+01:00");
	expect("15 min", zone, "2026-10-25T00:59:00Z", "2026-10-25T02:45:00.000+02:00",
		"2026-10-25T02:00:00.000+01:00");
	expect("2 h", zone, "2026-10-25T01:30:00Z", "2026-10-25T02:00:00.000+02:00",
		"2026-10-25T04:00:00.000+01:00");
	ml_zone_free(zone);
}

static void odd_zones_have_whole_windows_too(void **state)
{
	struct ml_zone *zone = zone_of("Australia/Lord_Howe"); /* half an hour */
	(void)state;
	expect("1 h", zone, "2026-04-04T14:45:00Z", "2026-04-05T01:00:00.000+11:00",
		"2026-04-05T01:30:00.000+10:30");
	expect("1 h", zone, "2026-04-04T15:15:00Z", "2026-04-05T01:30:00.000+10:30",
		"2026-04-05T02:00:00.000+10:30");
	ml_zone_free(zone);
	zone = zone_of("America/Havana"); /* midnight is skipped, and comes twice */
	const struct window shorter = at("1 d", zone, "2026-03-08T15:00:00Z");
	const struct window longer = at("1 d", zone, "2026-11-01T15:00:00Z");
	assert_int_equal(shorter.end - shorter.begin, 23 * ML_HOUR);
	assert_int_equal(longer.end - longer.begin, 25 * ML_HOUR);
	ml_zone_free(zone);
}

/* Wherever one looks: it lies in its window, all of that window say the same, and the next one
 * begins where it ends. */
static void windows_follow_each_other_without_a_gap(void **state)
{
	static const char *const zones[] = {"UTC", "Europe/Paris", "Australia/Lord_Howe",
		"America/Havana", "America/New_York", "Asia/Kathmandu", "Pacific/Apia",
		"Africa/Casablanca", "Europe/Dublin", "America/Sao_Paulo"};
	static const char *const lengths[] = {"1 min", "15 min", "1 h", "2 h", "8 h", "24 h", "1 d",
		"1 week", "1 month", "1 year"};
	(void)state;
	for (size_t z = 0; z < sizeof zones / sizeof *zones; z++) {
		struct ml_zone *zone = zone_of(zones[z]);
		for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
			struct window_length length;
			assert_int_equal(window_parse(lengths[l], &length, NULL), 0);
			ml_time time = 0;
			for (unsigned i = 0; i < test_count(30000); i++) {
				const struct window window = window_at(length, zone, time);
				assert_true(window.begin <= time && time < window.end);
				const struct window same = window_at(length, zone, window.begin);
				const struct window last = window_at(length, zone, window.end - 1);
				const struct window next = window_at(length, zone, window.end);
				assert_int_equal(same.begin, window.begin);
				assert_int_equal(same.end, window.end);
				assert_int_equal(last.begin, window.begin);
				assert_int_equal(next.begin, window.end);
				const ml_time change = ml_zone_next_change(zone, time);
				/* Around each change closely, else in strides. */
				if (i % 4 == 3 && change < 2500000000 * ML_SEC)
					time = change - 3 * ML_HOUR;
				else
					time += 47 * ML_MINUTE + 13 * ML_SEC;
				if (time > 2500000000 * ML_SEC)
					break;
			}
		}
		ml_zone_free(zone);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths_are_those_that_fit),
		cmocka_unit_test(windows_are_of_the_local_clock),
		cmocka_unit_test(night_to_summer_has_an_hour_less),
		cmocka_unit_test(night_to_winter_has_an_hour_more),
		cmocka_unit_test(odd_zones_have_whole_windows_too),
		cmocka_unit_test(windows_follow_each_other_without_a_gap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
