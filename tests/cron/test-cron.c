/* Schedules: every example of the dialect, both daylight-saving nights, draws, sparse patterns,
 * errors. SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cron/cron.h"

static struct cron parsed(const char *pattern)
{
	struct cron cron;
	struct ml_error err = ML_ERROR_NONE;
	if (cron_parse(pattern, strlen(pattern), &cron, &err) != 0)
		fail_msg("%s: %s", pattern, err.text);
	return cron;
}

static ml_time at(const char *text)
{
	ml_time time = 0;
	if (!ml_time_parse(text, strlen(text), &time))
		fail_msg("%s is no time", text);
	return time;
}

static void expect_next(const struct cron *cron, const struct cron_place *place, const char *after,
	const char *expected)
{
	const ml_time next = cron_next(cron, place, at(after));
	char text[ML_TIME_TEXT_MAX] = "never";
	if (next != ML_NEVER)
		(void)ml_time_format(next, text);
	if (next != at(expected))
		fail_msg("after %s: %s, expected %s", after, text, expected);
}

/* A pattern, a time, and its next runs. */
struct example {
	const char *pattern, *after;
	const char *runs[8];
};

static const struct example examples[] = {
	{"15 * * * *", "2026-01-31T00:00:00Z",
		{"2026-01-31T00:15:00Z", "2026-01-31T01:15:00Z", "2026-01-31T02:15:00Z"}},
	{"*/15 * * * *", "2026-01-30T23:59:59.999Z",
		{"2026-01-31T00:00:00Z", "2026-01-31T00:15:00Z", "2026-01-31T00:30:00Z",
			"2026-01-31T00:45:00Z", "2026-01-31T01:00:00Z"}},
	{"* * * * *", "2026-12-31T23:58:30Z",
		{"2026-12-31T23:59:00Z", "2027-01-01T00:00:00Z", "2027-01-01T00:01:00Z"}},
	{"* 12 * * mon", "2026-02-02T12:57:00Z", /* a Monday */
		{"2026-02-02T12:58:00Z", "2026-02-02T12:59:00Z", "2026-02-09T12:00:00Z"}},
	{"* 12 16 * mon", "2026-02-01T00:00:00Z", /* a 16th that is a Monday */
		{"2026-02-16T12:00:00Z", "2026-02-16T12:01:00Z"}},
	{"* 12 16 * mon", "2026-02-16T12:59:00Z", {"2026-03-16T12:00:00Z"}},
	{"* 12 16 * mon", "2026-03-16T12:59:00Z", {"2026-11-16T12:00:00Z"}},
	{"59 11 * * 1,2,3,4,5", "2026-01-29T12:00:00Z", /* a Thursday */
		{"2026-01-30T11:59:00Z", "2026-02-02T11:59:00Z", "2026-02-03T11:59:00Z"}},
	{"59 11 * * 1-5", "2026-01-29T12:00:00Z",
		{"2026-01-30T11:59:00Z", "2026-02-02T11:59:00Z", "2026-02-03T11:59:00Z"}},
	{"*/15 9-17 * * *", "2026-01-31T17:20:00Z",
		{"2026-01-31T17:30:00Z", "2026-01-31T17:45:00Z", "2026-02-01T09:00:00Z"}},
	{"* 12 10-16/2 * *", "2026-01-10T12:58:00Z",
		{"2026-01-10T12:59:00Z", "2026-01-12T12:00:00Z"}},
	{"0 12 10-16/2 * *", "2026-01-01T00:00:00Z",
		{"2026-01-10T12:00:00Z", "2026-01-12T12:00:00Z", "2026-01-14T12:00:00Z",
			"2026-01-16T12:00:00Z", "2026-02-10T12:00:00Z"}},
	{"* 12 1-15,17,20-25 * *", "2026-01-15T12:59:00Z",
		{"2026-01-17T12:00:00Z", "2026-01-17T12:01:00Z"}},
	{"* 12 1-15,17,20-25 * *", "2026-01-17T12:59:00Z", {"2026-01-20T12:00:00Z"}},
	{"* 12 1-15,17,20-25 * *", "2026-01-25T12:59:00Z", {"2026-02-01T12:00:00Z"}},
	{"0 5 * * *|8 10 * * *|22 17 * * *", "2026-01-31T00:00:00Z",
		{"2026-01-31T05:00:00Z", "2026-01-31T10:08:00Z", "2026-01-31T17:22:00Z",
			"2026-02-01T05:00:00Z"}},
	/* the rest of the dialect */
	{" 0  5 * * * |\t8 10 * * * ", "2026-01-31T00:00:00Z",
		{"2026-01-31T05:00:00Z", "2026-01-31T10:08:00Z"}},
	{"0 22-3 * * *", "2026-01-31T21:00:00Z",
		{"2026-01-31T22:00:00Z", "2026-01-31T23:00:00Z", "2026-02-01T00:00:00Z",
			"2026-02-01T01:00:00Z", "2026-02-01T02:00:00Z", "2026-02-01T03:00:00Z",
			"2026-02-01T22:00:00Z"}},
	{"0 22-3/2 * * *", "2026-01-31T21:00:00Z",
		{"2026-01-31T22:00:00Z", "2026-02-01T00:00:00Z", "2026-02-01T02:00:00Z",
			"2026-02-01T22:00:00Z"}},
	{"50-10/10 0 * * *", "2026-01-31T00:00:00Z",
		{"2026-01-31T00:10:00Z", "2026-01-31T00:50:00Z", "2026-02-01T00:00:00Z"}},
	{"7-59/20 * * * *", "2026-01-31T00:00:00Z",
		{"2026-01-31T00:07:00Z", "2026-01-31T00:27:00Z", "2026-01-31T00:47:00Z",
			"2026-01-31T01:07:00Z"}},
	{"0 0 L * *", "2024-01-31T00:00:00Z",
		{"2024-02-29T00:00:00Z", "2024-03-31T00:00:00Z", "2024-04-30T00:00:00Z"}},
	{"0 0 15,l 2 *", "2025-01-01T00:00:00Z",
		{"2025-02-15T00:00:00Z", "2025-02-28T00:00:00Z", "2026-02-15T00:00:00Z"}},
	{"0 0 31 * *", "2026-01-31T00:00:00Z", {"2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"}},
	{"0 0 1 nov-feb *", "2026-01-01T00:00:00Z",
		{"2026-02-01T00:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z",
			"2027-01-01T00:00:00Z"}},
	{"0 0 * JAN Fri-MON/3", "2026-01-01T00:00:00Z", /* Friday and Monday */
		{"2026-01-02T00:00:00Z", "2026-01-05T00:00:00Z", "2026-01-09T00:00:00Z"}},
	{"0 0 * * sun", "2026-01-31T00:00:00Z", {"2026-02-01T00:00:00Z", "2026-02-08T00:00:00Z"}},
	{"0 0 * * 0", "1969-12-27T00:00:00Z", {"1969-12-28T00:00:00Z", "1970-01-04T00:00:00Z"}},
};

static void examples_run_when_they_should(void **state)
{
	(void)state;
	const struct cron_place place = {.seed = 1};
	for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
		const struct example *example = &examples[i];
		const struct cron cron = parsed(example->pattern);
		const char *after = example->after;
		for (size_t r = 0; r < 8 && example->runs[r]; r++) {
			expect_next(&cron, &place, after, example->runs[r]);
			after = example->runs[r];
		}
	}
}

static void sparse_patterns_are_found_or_never_run(void **state)
{
	(void)state;
	const struct cron_place place = {.seed = 1};
	const struct cron leap_monday = parsed("0 0 29 2 mon");
	expect_next(&leap_monday, &place, "2026-01-01T00:00:00Z", "2044-02-29T00:00:00Z");
	expect_next(&leap_monday, &place, "2072-02-29T00:00:00Z", "2112-02-29T00:00:00Z");
	const struct cron impossible = parsed("0 0 31 2,4,6,9,11 *");
	assert_int_equal(cron_next(&impossible, &place, at("2026-01-01T00:00:00Z")), ML_NEVER);
	assert_int_equal(cron_period(&impossible, &place, at("2026-01-01T00:00:00Z")), 0);
	const struct cron minutely = parsed("* * * * *");
	assert_int_equal(cron_next(&minutely, &place, ML_NEVER), ML_NEVER);
	assert_int_equal(cron_next(&minutely, &place, INT64_MIN), ML_NEVER);
}

/* How many runs there are from one time up to another; each later than the one before. */
static int count_runs(
	const struct cron *cron, const struct cron_place *place, const char *from, const char *to)
{
	int count = 0;
	ml_time last = at(from) - 1;
	for (;;) {
		const ml_time run = cron_next(cron, place, last);
		assert_true(run > last);
		if (run >= at(to))
			return count;
		last = run;
		count++;
	}
}

static void skipped_minutes_run_once_at_the_jump(void **state)
{
	(void)state;
	struct ml_zone *zone = NULL;
	assert_int_equal(ml_zone_load("Europe/Berlin", NULL, &zone, NULL), 0);
	const struct cron_place place = {.zone = zone, .seed = 1};
	/* On 2026-03-29 the clocks go from 02:00 to 03:00, at 01:00 UTC. */
	const struct cron half_past_two = parsed("30 2 * * *");
	expect_next(&half_past_two, &place, "2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z");
	expect_next(&half_past_two, &place, "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z");
	const struct cron quarters = parsed("*/15 * * * *");
	expect_next(&quarters, &place, "2026-03-29T00:45:00Z", "2026-03-29T01:00:00Z");
	expect_next(&quarters, &place, "2026-03-29T01:00:00Z", "2026-03-29T01:15:00Z");
	assert_int_equal(
		count_runs(&quarters, &place, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"), 92);
	const struct cron twice_in_gap = parsed("10,50 2 * * *");
	assert_int_equal(
		count_runs(&twice_in_gap, &place, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
		1);
	ml_zone_free(zone);
}

static void repeated_minutes_run_the_first_time(void **state)
{
	(void)state;
	struct ml_zone *zone = NULL;
	assert_int_equal(ml_zone_load("Europe/Berlin", NULL, &zone, NULL), 0);
	const struct cron_place place = {.zone = zone, .seed = 1};
	/* On 2026-10-25 the clocks go from 03:00 back to 02:00, at 01:00 UTC. */
	const struct cron half_past_two = parsed("30 2 * * *");
	expect_next(&half_past_two, &place, "2026-10-24T22:00:00Z", "2026-10-25T00:30:00Z");
	expect_next(&half_past_two, &place, "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z");
	/* Asked within the second passage. */
	expect_next(&half_past_two, &place, "2026-10-25T01:10:00Z", "2026-10-26T01:30:00Z");
	const struct cron quarters = parsed("*/15 * * * *");
	expect_next(&quarters, &place, "2026-10-25T00:45:00Z", "2026-10-25T02:00:00Z");
	assert_int_equal(
		count_runs(&quarters, &place, "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"), 96);
	ml_zone_free(zone);
}

static void zones_rule_the_calendar(void **state)
{
	(void)state;
	struct ml_zone *zone = NULL;
	assert_int_equal(ml_zone_load("Asia/Kolkata", NULL, &zone, NULL), 0);
	const struct cron_place place = {.zone = zone, .seed = 1};
	const struct cron monthly = parsed("0 0 1 * *");
	expect_next(&monthly, &place, "2026-01-31T18:00:00Z", "2026-01-31T18:30:00Z");
	ml_zone_free(zone);
	/* A whole day that was skipped: Apia had no 30 December 2011. */
	assert_int_equal(ml_zone_load("Pacific/Apia", NULL, &zone, NULL), 0);
	const struct cron_place apia = {.zone = zone, .seed = 1};
	const struct cron noon = parsed("0 12 * * *");
	expect_next(&noon, &apia, "2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z");
	expect_next(&noon, &apia, "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z");
	ml_zone_free(zone);
}

static void draws_stay_in_their_range_and_come_once_a_period(void **state)
{
	(void)state;
	const struct cron cron = parsed("?1-30 0 * * *");
	const struct cron_place place = {.seed = cron_seed("0016000123")};
	ml_time last = at("2026-01-01T00:00:00Z") - 1;
	unsigned seen[60] = {0};
	for (int day = 0; day < 300; day++) {
		const ml_time run = cron_next(&cron, &place, last);
		const ml_time midnight = at("2026-01-01T00:00:00Z") + day * ML_DAY;
		assert_in_range((run - midnight) / ML_MINUTE, 1, 30);
		assert_int_equal((run - midnight) % ML_MINUTE, 0);
		seen[(run - midnight) / ML_MINUTE]++;
		/* Asked again from another time of the same day, it is the same. */
		assert_int_equal(cron_next(&cron, &place, run - 1), run);
		last = run;
	}
	/* Each of the 30 minutes has its turn, none has a fifth of them. */
	for (int minute = 1; minute <= 30; minute++)
		assert_in_range(seen[minute], 1, 60);
}

static void draws_spread_a_fleet_and_patterns(void **state)
{
	(void)state;
	const struct cron cron = parsed("? 2 * * *");
	const struct cron spaced = parsed(" ?  2 * * *  ");
	const struct cron other = parsed("?0-59 2 * * *");
	const ml_time after = at("2026-01-31T00:00:00Z");
	unsigned minutes[60] = {0};
	unsigned differ = 0;
	for (int device = 0; device < 600; device++) {
		char serial[16];
		(void)snprintf(serial, sizeof serial, "%010d", 16000000 + device);
		const struct cron_place place = {.seed = cron_seed(serial)};
		const ml_time run = cron_next(&cron, &place, after);
		minutes[(run - after) / ML_MINUTE % 60]++;
		assert_int_equal(cron_next(&spaced, &place, after), run);
		differ += cron_next(&other, &place, after) != run;
	}
	for (int i = 0; i < 60; i++)
		assert_in_range(minutes[i], 1, 30);
	assert_true(differ > 500);
}

static void each_field_draws_for_its_period(void **state)
{
	(void)state;
	const struct cron_place place = {.seed = cron_seed("7")};
	const char *year = "2026-01-01T00:00:00Z";
	const char *end = "2027-01-01T00:00:00Z";
	const struct cron minute = parsed("? * * * *");
	assert_int_equal(count_runs(&minute, &place, year, end), 365 * 24);
	const struct cron hour = parsed("0 ?8-17 * * *");
	assert_int_equal(count_runs(&hour, &place, year, end), 365);
	/* A day that the month does not have is not drawn. */
	const struct cron day = parsed("0 0 ?25-31 * *");
	assert_int_equal(count_runs(&day, &place, year, end), 12);
	const struct cron month = parsed("0 0 1 ? *");
	assert_int_equal(count_runs(&month, &place, year, end), 1);
	/* From a Sunday on, 52 weeks. */
	const struct cron weekday = parsed("0 0 * * ?mon-fri");
	assert_int_equal(
		count_runs(&weekday, &place, "2026-01-04T00:00:00Z", "2027-01-03T00:00:00Z"), 52);
	/* No 30th or 31st in February: that month does not run. */
	const struct cron none = parsed("0 0 ?30-31 2 *");
	assert_int_equal(cron_next(&none, &place, at(year)), ML_NEVER);
	/* Wrapped, and beside fixed values. */
	const struct cron wrapped = parsed("0,?50-10 12 * * *");
	const int runs = count_runs(&wrapped, &place, year, end);
	assert_in_range(runs, 366, 2 * 365);
}

static void period_is_the_shortest_gap(void **state)
{
	(void)state;
	static const struct {
		const char *pattern;
		ml_time period;
	} rows[] = {
		{"* * * * *", ML_MINUTE},
		{"*/15 * * * *", 15 * ML_MINUTE},
		{"*/15 9-17 * * *", 15 * ML_MINUTE},
		{"0 5 * * *|8 10 * * *|22 17 * * *", 5 * ML_HOUR + 8 * ML_MINUTE},
		{"0 0 * * *", ML_DAY},
		{"0 0 * * mon,thu", 3 * ML_DAY},
		{"0 0 1 * *", 28 * ML_DAY},
	};
	const struct cron_place place = {.seed = 1};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct cron cron = parsed(rows[i].pattern);
		assert_int_equal(
			cron_period(&cron, &place, at("2026-01-31T10:00:00Z")), rows[i].period);
	}
}

static void errors_tell_place_and_expectation(void **state)
{
	(void)state;
	static const struct {
		const char *pattern;
		long long at;
		const char *text;
	} rows[] = {
		{"", 0, "0 of 5 fields: expected the minute here"},
		{"   ", 3, "0 of 5 fields"},
		{"* * * *", 7, "4 of 5 fields: expected the weekday here"},
		{"* * * * * *", 10, "'*' after the fifth field"},
		{"60 * * * *", 0, "minute '60': expected 0 to 59"},
		{"* 24 * * *", 2, "hour '24': expected 0 to 23"},
		{"* * 0 * *", 4, "day of month '0': expected 1 to 31, or L"},
		{"* * 32 * *", 4, "day of month '32'"},
		{"* * * 13 *", 6, "month '13': expected 1 to 12 or jan to dec"},
		{"* * * * 7", 8,
			"weekday '7': expected 0 (sun) to 6 (sat) or sun to sat; Sunday is 0"},
		{"* * * * mo", 8, "weekday 'mo'"},
		{"* * * * monday", 8, "weekday 'monday'"},
		{"* * * mon *", 6, "month 'mon'"},
		{"mon * * * *", 0, "minute 'mon'"},
		{"*/0 * * * *", 2, "step '0': expected a number from 1"},
		{"*/ * * * *", 2, "step"},
		{"5/10 * * * *", 1, "a step needs a range before it"},
		{"1- * * * *", 2, "a blank where a minute is expected"},
		{"1,, * * * *", 2, "minute ',': expected"},
		{"1, * * * *", 2, "a blank where"},
		{"1-5-9 * * * *", 3, "'-' after a minute"},
		{"?5 * * * *", 2, "a draw is ? alone or a range, as in ?5-59"},
		{"?5-60 * * * *", 3, "minute '60'"},
		{"* * L-5 * *", 5, "after a day of month"},
		{"* L * * *", 2, "hour 'L'"},
		{"* * * * *|", 10, "0 of 5 fields"},
		{"* * * * *||* * * * *", 10, "0 of 5 fields"},
		{"99999999999999999999 * * * *", 0, "minute '99999999999999999999'"},
		{"* * * * *\n", 9, "after a weekday"},
		{"caf\xc3\xa9 * * * *", 0, "minute 'caf\xc3\xa9'"},
		{"?,?,?,?,? * * * *", 8, "more than 4 draws"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct cron cron;
		struct ml_error err = ML_ERROR_NONE;
		const char *pattern = rows[i].pattern;
		if (cron_parse(pattern, strlen(pattern), &cron, &err) != -EINVAL)
			fail_msg("%s was taken", pattern);
		if (err.at != rows[i].at || !strstr(err.text, rows[i].text))
			fail_msg("%s: at %lld '%s', expected at %lld '%s'", pattern, err.at,
				err.text, rows[i].at, rows[i].text);
		assert_int_equal(cron.count, 0);
	}
}

static void sizes_are_bounded(void **state)
{
	(void)state;
	char pattern[CRON_PATTERN_MAX + 100];
	size_t length = 0;
	for (int i = 0; i < CRON_ALTERNATIVES_MAX + 1; i++)
		length += (size_t)snprintf(
			pattern + length, sizeof pattern - length, "%s%d 0 * * *", i ? "|" : "", i);
	struct cron cron;
	struct ml_error err = ML_ERROR_NONE;
	assert_int_equal(cron_parse(pattern, length, &cron, &err), -EINVAL);
	assert_non_null(strstr(err.text, "more than 16 patterns"));
	memset(pattern, ' ', sizeof pattern);
	assert_int_equal(cron_parse(pattern, sizeof pattern, &cron, NULL), -EINVAL);
	assert_int_equal(cron_parse("* * * *\0 *", 10, &cron, NULL), -EINVAL);
}

static void presets_are_valid_and_found(void **state)
{
	(void)state;
	for (const struct cron_preset *preset = cron_presets; preset->name; preset++) {
		(void)parsed(preset->pattern);
		assert_ptr_equal(cron_preset_find(preset->name, strlen(preset->name)), preset);
	}
	assert_string_equal(cron_preset_find("every-15-min", 12)->pattern, "*/15 * * * *");
	assert_null(cron_preset_find("every-15", 8));
	assert_null(cron_preset_find("", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_run_when_they_should),
		cmocka_unit_test(sparse_patterns_are_found_or_never_run),
		cmocka_unit_test(skipped_minutes_run_once_at_the_jump),
		cmocka_unit_test(repeated_minutes_run_the_first_time),
		cmocka_unit_test(zones_rule_the_calendar),
		cmocka_unit_test(draws_stay_in_their_range_and_come_once_a_period),
		cmocka_unit_test(draws_spread_a_fleet_and_patterns),
		cmocka_unit_test(each_field_draws_for_its_period),
		cmocka_unit_test(period_is_the_shortest_gap),
		cmocka_unit_test(errors_tell_place_and_expectation),
		cmocka_unit_test(sizes_are_bounded),
		cmocka_unit_test(presets_are_valid_and_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
