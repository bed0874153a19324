/* Time zones: both daylight-saving nights, the years after the table, damaged files.
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
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <meterloom/zone.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static ml_time at(const char *text)
{
	ml_time time;
	assert_true(ml_time_parse(text, strlen(text), &time));
	return time;
}

static struct ml_zone *load(const char *name)
{
	struct ml_zone *zone = NULL;
	struct ml_error err = ML_ERROR_NONE;
	const int result = ml_zone_load(name, ZONES, &zone, &err);
	if (result != 0)
		fail_msg("%s: %s", name, err.text);
	return zone;
}

static void assert_shows(const struct ml_zone *zone, const char *utc, const char *local)
{
	char text[ML_ZONE_TEXT_MAX];
	assert_int_equal(ml_zone_format(zone, at(utc), text), strlen(local));
	assert_string_equal(text, local);
}

static struct ml_civil civil(int year, int month, int day, int hour, int minute)
{
	return (struct ml_civil){
		.year = year, .month = month, .day = day, .hour = hour, .minute = minute};
}

static void assert_answer(const struct ml_zone *zone, struct ml_civil wall,
	enum ml_zone_answer answer, const char *first, const char *second)
{
	ml_time a, b;
	assert_int_equal(ml_zone_from_civil(zone, &wall, &a, &b), answer);
	assert_int_equal(a, at(first));
	assert_int_equal(b, at(second));
	assert_int_equal(ml_zone_from_civil(zone, &wall, &a, NULL), answer);
}

static void civil_time_counts_in_its_fields(void **state)
{
	(void)state;
	struct ml_civil c = ml_civil_from_time(at("2024-02-29T23:59:59.5Z"));
	assert_int_equal(c.year, 2024);
	assert_int_equal(c.month, 2);
	assert_int_equal(c.day, 29);
	assert_int_equal(c.hour, 23);
	assert_int_equal(c.minute, 59);
	assert_int_equal(c.second, 59);
	assert_int_equal(c.microsecond, 500000);
	assert_int_equal(c.weekday, 4);
	assert_int_equal(c.year_day, 59);
	assert_int_equal(ml_civil_from_time(at("1969-12-28")).weekday, 0);
	c = civil(2026, 14, 0, 25, -1);
	assert_int_equal(ml_civil_to_time(&c), at("2027-02-01T00:59:00Z"));
	c = civil(2026, -11, 1, 0, 0);
	c.microsecond = -1;
	assert_int_equal(ml_civil_to_time(&c), at("2025-01-01") - 1);
	c = civil(INT32_MAX, 12, 31, 0, 0);
	assert_true(ml_civil_to_time(&c) > at("9999-12-31"));
	c = civil(INT32_MIN, 1, 1, 0, 0);
	assert_true(ml_civil_to_time(&c) < at("0000-01-01"));
	assert_int_equal(ml_civil_month_days(2000, 2), 29);
	assert_int_equal(ml_civil_month_days(2100, 2), 28);
	static const ml_time edges[] = {INT64_MIN, INT64_MAX, 0, -1};
	for (size_t i = 0; i < COUNT(edges); i++) {
		c = ml_civil_from_time(edges[i]);
		assert_in_range(c.month, 1, 12);
		assert_in_range(c.day, 1, 31);
		assert_in_range(c.microsecond, 0, 999999);
	}
}

static void paris_in_both_nights(void **state)
{
	(void)state;
	struct ml_zone *paris = load("Paris");
	assert_string_equal(ml_zone_name(paris), "Paris");
	assert_shows(paris, "2026-01-31T14:15:00Z", "2026-01-31T15:15:00.000+01:00");
	assert_shows(paris, "2026-03-29T00:59:59Z", "2026-03-29T01:59:59.000+01:00");
	assert_shows(paris, "2026-03-29T01:00:00Z", "2026-03-29T03:00:00.000+02:00");
	assert_answer(paris, civil(2026, 3, 29, 1, 59), ML_ZONE_ONCE, "2026-03-29T00:59:00Z",
		"2026-03-29T00:59:00Z");
	assert_answer(paris, civil(2026, 3, 29, 2, 0), ML_ZONE_GAP, "2026-03-29T01:00:00Z",
		"2026-03-29T01:00:00Z");
	assert_answer(paris, civil(2026, 3, 29, 2, 59), ML_ZONE_GAP, "2026-03-29T01:00:00Z",
		"2026-03-29T01:00:00Z");
	assert_answer(paris, civil(2026, 3, 29, 3, 0), ML_ZONE_ONCE, "2026-03-29T01:00:00Z",
		"2026-03-29T01:00:00Z");
	assert_answer(paris, civil(2026, 10, 25, 1, 59), ML_ZONE_ONCE, "2026-10-24T23:59:00Z",
		"2026-10-24T23:59:00Z");
	assert_answer(paris, civil(2026, 10, 25, 2, 0), ML_ZONE_TWICE, "2026-10-25T00:00:00Z",
		"2026-10-25T01:00:00Z");
	assert_answer(paris, civil(2026, 10, 25, 2, 59), ML_ZONE_TWICE, "2026-10-25T00:59:00Z",
		"2026-10-25T01:59:00Z");
	assert_answer(paris, civil(2026, 10, 25, 3, 0), ML_ZONE_ONCE, "2026-10-25T02:00:00Z",
		"2026-10-25T02:00:00Z");
	const struct ml_zone_state summer = ml_zone_state(paris, at("2026-07-01"));
	assert_int_equal(summer.offset, 7200);
	assert_true(summer.daylight);
	assert_string_equal(summer.abbreviation, "CEST");
	assert_string_equal(ml_zone_state(paris, at("2026-01-01")).abbreviation, "CET");
	/* Years that only the rule at the end of the file knows. */
	assert_shows(paris, "2199-07-01T12:00:00Z", "2199-07-01T14:00:00.000+02:00");
	assert_answer(paris, civil(2199, 10, 27, 2, 30), ML_ZONE_TWICE, "2199-10-27T00:30:00Z",
		"2199-10-27T01:30:00Z");
	assert_int_equal(ml_zone_next_change(paris, at("2026-01-01")), at("2026-03-29T01:00:00Z"));
	assert_int_equal(
		ml_zone_next_change(paris, at("2026-03-29T01:00:00Z")), at("2026-10-25T01:00:00Z"));
	assert_int_equal(ml_zone_next_change(paris, at("2199-01-01")), at("2199-03-31T01:00:00Z"));
	ml_zone_free(paris);
}

static void other_kinds_of_zones(void **state)
{
	(void)state;
	struct ml_zone *zone = load("Lord_Howe"); /* half an hour, southern summer */
	assert_shows(zone, "2026-01-01T00:00:00Z", "2026-01-01T11:00:00.000+11:00");
	assert_shows(zone, "2026-07-01T00:00:00Z", "2026-07-01T10:30:00.000+10:30");
	assert_answer(zone, civil(2026, 10, 4, 2, 15), ML_ZONE_GAP, "2026-10-03T15:30:00Z",
		"2026-10-03T15:30:00Z");
	assert_answer(zone, civil(2026, 4, 5, 1, 45), ML_ZONE_TWICE, "2026-04-04T14:45:00Z",
		"2026-04-04T15:15:00Z");
	ml_zone_free(zone);
	zone = load("Apia"); /* crossed the date line: 30 December 2011 never was */
	assert_answer(zone, civil(2011, 12, 30, 12, 0), ML_ZONE_GAP, "2011-12-30T10:00:00Z",
		"2011-12-30T10:00:00Z");
	assert_int_equal(ml_zone_next_change(zone, at("2026-01-01")), ML_NEVER);
	ml_zone_free(zone);
	zone = load("Dublin"); /* summer is its standard time */
	assert_shows(zone, "2050-01-01T00:00:00Z", "2050-01-01T00:00:00.000+00:00");
	assert_shows(zone, "2050-07-01T00:00:00Z", "2050-07-01T01:00:00.000+01:00");
	ml_zone_free(zone);
}

static void utc_needs_no_file(void **state)
{
	(void)state;
	struct ml_zone *zone = NULL;
	assert_int_equal(ml_zone_load("UTC", "/nowhere", &zone, NULL), 0);
	assert_ptr_equal(zone, ml_zone_utc());
	assert_string_equal(ml_zone_name(zone), "UTC");
	assert_shows(zone, "2026-01-31T14:15:00Z", "2026-01-31T14:15:00.000Z");
	assert_answer(zone, civil(2026, 3, 29, 2, 0), ML_ZONE_ONCE, "2026-03-29T02:00:00Z",
		"2026-03-29T02:00:00Z");
	assert_string_equal(ml_zone_state(zone, 0).abbreviation, "UTC");
	assert_int_equal(ml_zone_next_change(zone, 0), ML_NEVER);
	ml_zone_free(zone);
	ml_zone_free(NULL);
}

static void names_that_are_none_are_refused(void **state)
{
	(void)state;
	static const char *const names[] = {"", "/etc/passwd", "../Paris", "a//b", "Europe/", ".",
		"Paris\n", "Pa ris",
		"A_name_of_more_than_sixty_three_bytes_is_no_name_of_any_time_zone"};
	struct ml_zone *zone = NULL;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct ml_error err = ML_ERROR_NONE;
		assert_int_equal(ml_zone_load(names[i], ZONES, &zone, &err), -EINVAL);
		assert_int_equal(err.code, -EINVAL);
	}
	assert_int_equal(ml_zone_load("Atlantis", ZONES, &zone, NULL), -ENOENT);
	assert_int_equal(ml_zone_load("Paris/x", ZONES, &zone, NULL), -ENOENT);
	assert_int_equal(ml_zone_load("zone", ZONES "/..", &zone, NULL), -ENOENT); /* a folder */
	assert_null(zone);
}

/* A file of version 2 whose first part is empty, with the given second part and footer. */
static size_t make_file(unsigned char *out, size_t times, size_t types, size_t chars, size_t leaps,
	const void *body, size_t body_length, const char *footer)
{
	unsigned char *p = out;
	for (int part = 0; part < 2; part++) {
		memset(p, 0, 44);
		memcpy(p, "TZif2", 5);
		p[39] = part ? (unsigned char)types : 1;
		p[43] = part ? (unsigned char)chars : 1;
		if (part) {
			p[31] = (unsigned char)leaps;
			p[35] = (unsigned char)times;
		}
		p += 44;
		memcpy(p, part ? body : "\0\0\0\0\0\0\0", part ? body_length : 7);
		p += part ? body_length : 7;
	}
	const size_t length = (size_t)(p - out);
	return length + (size_t)sprintf((char *)p, "\n%s\n", footer);
}

static const char plain_body[] = "\0\0\x0E\x10\0\0ABC"; /* one type, one hour east, "ABC" */

static int parse_footer(const char *footer, struct ml_zone **zone)
{
	unsigned char file[500];
	const size_t length = make_file(file, 0, 1, 4, 0, plain_body, sizeof plain_body, footer);
	return ml_zone_parse("test", file, length, zone, NULL);
}

static void rules_of_every_form_are_understood(void **state)
{
	(void)state;
	static const struct {
		const char *rule, *utc, *local;
	} rows[] = {
		{"", "2026-07-01T00:00:00Z", "2026-07-01T01:00:00.000+01:00"},
		{"CET-1", "2026-07-01T00:00:00Z", "2026-07-01T01:00:00.000+01:00"},
		{"<-0330>3:30", "2026-07-01T00:00:00Z", "2026-06-30T20:30:00.000-03:30"},
		{"EST5EDT,M3.2.0,M11.1.0", "2026-03-08T07:00:00Z", "2026-03-08T03:00:00.000-04:00"},
		{"EST5EDT,M3.2.0,M11.1.0", "2026-11-01T05:59:59Z", "2026-11-01T01:59:59.000-04:00"},
		{"EST5EDT,M3.2.0,M11.1.0", "2026-11-01T06:00:00Z", "2026-11-01T01:00:00.000-05:00"},
		{"AAA0BBB,J60/0,J61/0", "2024-03-01T00:00:00Z", "2024-03-01T01:00:00.000+01:00"},
		{"AAA0BBB,J60/0,J61/0", "2023-03-01T00:00:00Z", "2023-03-01T01:00:00.000+01:00"},
		{"AAA0BBB,J60/0,J61/0", "2024-02-29T12:00:00Z", "2024-02-29T12:00:00.000+00:00"},
		{"AAA0BBB,59/0,61/0", "2024-02-29T00:00:00Z", "2024-02-29T01:00:00.000+01:00"},
		/* Daylight-saving time all year, as RFC 8536 spells it. */
		{"EST5EDT,0/0,J365/25", "2026-01-01T05:00:00Z", "2026-01-01T01:00:00.000-04:00"},
		{"EST5EDT,0/0,J365/25", "2026-01-01T04:59:59Z", "2026-01-01T00:59:59.000-04:00"},
		{"EST5EDT,0/0,J365/25", "2026-07-01T00:00:00Z", "2026-06-30T20:00:00.000-04:00"},
		/* Times before midnight and after the day. */
		{"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z",
			"2026-03-28T22:59:59.000-02:00"},
		{"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z",
			"2026-03-29T00:00:00.000-01:00"},
		{"IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-27T00:00:00Z",
			"2026-03-27T03:00:00.000+03:00"},
		{"IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-26T23:59:59Z",
			"2026-03-27T01:59:59.000+02:00"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ml_zone *zone = NULL;
		assert_int_equal(parse_footer(rows[i].rule, &zone), 0);
		assert_shows(zone, rows[i].utc, rows[i].local);
		ml_zone_free(zone);
	}
	struct ml_zone *zone = NULL;
	assert_int_equal(parse_footer("EST5EDT,0/0,J365/25", &zone), 0);
	assert_int_equal(ml_zone_next_change(zone, at("2026-01-01")), ML_NEVER);
	ml_zone_free(zone);
}

static void damaged_files_are_refused(void **state)
{
	(void)state;
	static const char *const rules[] = {"X", "CE-1", "CET", "CET-25", "CET-1CEST", "CET-1CEST,",
		"CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,", "CET-1CEST,M13.5.0,M10.5.0",
		"CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J365",
		"CET-1CEST,366,1", "CET-1CEST,M3.5.0/168,M10.5.0", "CET-1CEST,M3.5.0,M10.5.0x",
		"<CET-1", "CET-1:60", ":Europe/Paris"};
	struct ml_zone *zone = NULL;
	for (size_t i = 0; i < COUNT(rules); i++)
		assert_int_equal(parse_footer(rules[i], &zone), -EBADMSG);
	unsigned char file[500];
	size_t length = make_file(file, 0, 1, 4, 0, plain_body, sizeof plain_body, "CET-1");
	for (size_t cut = 0; cut < length; cut++) {
		unsigned char *part = malloc(cut ? cut : 1);
		assert_non_null(part);
		memcpy(part, file, cut);
		struct ml_error err = ML_ERROR_NONE;
		assert_int_equal(ml_zone_parse("test", part, cut, &zone, &err), -EBADMSG);
		assert_non_null(strstr(err.text, "test"));
		free(part);
	}
	static const char wrong_type[] = "\0\0\0\0\0\0\0\1\1\0\0\0\0\0\0ABC";
	length = make_file(file, 1, 1, 4, 0, wrong_type, sizeof wrong_type, "");
	assert_int_equal(ml_zone_parse("test", file, length, &zone, NULL), -EBADMSG);
	static const char wrong_order[] = "\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0ABC";
	length = make_file(file, 2, 1, 4, 0, wrong_order, sizeof wrong_order, "");
	assert_int_equal(ml_zone_parse("test", file, length, &zone, NULL), -EBADMSG);
	static const char wrong_offset[] = "\x7F\0\0\0\0\0ABC";
	length = make_file(file, 0, 1, 4, 0, wrong_offset, sizeof wrong_offset, "");
	assert_int_equal(ml_zone_parse("test", file, length, &zone, NULL), -EBADMSG);
	static const char leap[] = "\0\0\0\0\0\0ABC\0\0\0\0\0\0\0\0\1\0\0\0\1";
	length = make_file(file, 0, 1, 4, 1, leap, sizeof leap - 1, "");
	assert_int_equal(ml_zone_parse("test", file, length, &zone, NULL), -ENOTSUP);
	assert_null(zone);
}

/* The C library reads the same files: the same answers at thousands of times, there and back. */
static void agrees_with_the_c_library(void **state)
{
	(void)state;
	static const char *const names[] = {"Paris", "Lord_Howe", "Apia", "Dublin"};
	for (size_t n = 0; n < COUNT(names); n++) {
		struct ml_zone *zone = load(names[n]);
		char path[4096];
		(void)snprintf(path, sizeof path, ":%s/%s", ZONES, names[n]);
		assert_int_equal(setenv("TZ", path, 1), 0);
		tzset();
		uint64_t random = 1;
		for (int i = 0; i < 20000; i++) {
			random = random * UINT64_C(6364136223846793005) + 1;
			/* 1880 to 2170 */
			const time_t seconds =
				(time_t)((int64_t)((random >> 16) % 9150000000u) - 2840000000);
			struct tm tm;
			assert_non_null(localtime_r(&seconds, &tm));
			const struct ml_zone_state s = ml_zone_state(zone, seconds * ML_SEC);
			assert_int_equal(s.offset, tm.tm_gmtoff);
			assert_int_equal(s.daylight, tm.tm_isdst);
			assert_string_equal(s.abbreviation, tm.tm_zone);
			const struct ml_civil c = ml_zone_to_civil(zone, seconds * ML_SEC);
			assert_int_equal(c.year, tm.tm_year + 1900);
			assert_int_equal(c.year_day, tm.tm_yday);
			assert_int_equal(c.weekday, tm.tm_wday);
			assert_int_equal(c.hour, tm.tm_hour);
			assert_int_equal(c.second, tm.tm_sec);
			ml_time first, second;
			assert_int_not_equal(
				ml_zone_from_civil(zone, &c, &first, &second), ML_ZONE_GAP);
			assert_true(first == seconds * ML_SEC || second == seconds * ML_SEC);
		}
		ml_zone_free(zone);
	}
}

static void times_at_the_ends_are_safe(void **state)
{
	(void)state;
	static const char *const names[] = {"Paris", "UTC"};
	static const ml_time ends[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX - 1, INT64_MAX};
	for (size_t n = 0; n < COUNT(names); n++) {
		struct ml_zone *zone = load(names[n]);
		for (size_t i = 0; i < COUNT(ends); i++) {
			char text[ML_ZONE_TEXT_MAX];
			(void)ml_zone_format(zone, ends[i], text);
			const struct ml_civil c = ml_zone_to_civil(zone, ends[i]);
			ml_time first;
			(void)ml_zone_from_civil(zone, &c, &first, NULL);
			(void)ml_zone_next_change(zone, ends[i]);
			assert_true((first > 0) == (ends[i] > 0));
		}
		ml_zone_free(zone);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(civil_time_counts_in_its_fields),
		cmocka_unit_test(paris_in_both_nights),
		cmocka_unit_test(other_kinds_of_zones),
		cmocka_unit_test(utc_needs_no_file),
		cmocka_unit_test(names_that_are_none_are_refused),
		cmocka_unit_test(rules_of_every_form_are_understood),
		cmocka_unit_test(damaged_files_are_refused),
		cmocka_unit_test(agrees_with_the_c_library),
		cmocka_unit_test(times_at_the_ends_are_safe),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
