/* When a schedule runs next.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The search goes over minutes of local time, counted from 1970-01-01T00:00 as if there were no
 * zone: months first, then days, hours and minutes, each as a mask of bits, so that a sparse
 * pattern costs a step a month. The map from a local minute to its instant never goes back: a
 * minute that comes twice has its first instant, and those that the clocks skip have that of the
 * jump. So the first local minute whose instant is later than `after` is the answer.
 */
#include <stdbool.h>

#include "cron/cron.h"
#include "cron/fields.h"

enum {
	SEARCH_YEARS = 400, /* the calendar repeats after it, weekdays too */
	HOUR_MINUTES = 60,
	DAY_MINUTES = 24 * 60,
	PERIOD_RUNS = 64, /* how many runs the shortest gap is looked for in */
};

/* What can be asked for: the years 1 to 9999. */
static const ml_time first_time = INT64_C(-62135596800) * ML_SEC;
static const ml_time last_time = INT64_C(253402300800) * ML_SEC;

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days since 1970-01-01. */
static int64_t days_of(int year, int month, int day)
{
	const struct ml_civil civil = {.year = year, .month = month, .day = day};
	return floor_div(ml_civil_to_time(&civil), ML_DAY);
}

/* What one search needs. */
struct search {
	const struct cron_alternative *alternative;
	uint64_t seed; /* of device, pattern and alternative */
};

/* The value drawn for a period, among those that exist in it; no bit: none does. */
static uint64_t draw(const struct search *s, enum cron_field field, unsigned index, int64_t period,
	uint64_t existing)
{
	const struct cron_bounds *bounds = &cron_bounds[field];
	const struct cron_draw *range = &s->alternative->fields[field].draws[index];
	uint64_t mask = 0;
	for (unsigned v = range->first;; v = v == bounds->last ? bounds->first : v + 1) {
		mask |= UINT64_C(1) << v;
		if (v == range->last)
			break;
	}
	mask &= existing;
	if (mask == 0)
		return 0;
	uint64_t hash = cron_hash(s->seed, (uint64_t)field * CRON_DRAWS_MAX + index);
	hash = cron_hash(hash, (uint64_t)period);
	for (uint64_t skip = hash % (uint64_t)__builtin_popcountll(mask); skip > 0; skip--)
		mask &= mask - 1;
	return mask & -mask;
}

/* The values of a field in a period, as bits. */
static uint64_t values_of(
	const struct search *s, enum cron_field field, int64_t period, uint64_t existing)
{
	const struct cron_values *values = &s->alternative->fields[field];
	uint64_t mask = values->fixed & existing;
	for (unsigned i = 0; i < values->draw_count; i++)
		mask |= draw(s, field, i, period, existing);
	return mask;
}

static uint64_t days_of_month(const struct search *s, int year, int month)
{
	const int length = ml_civil_month_days(year, month);
	const uint64_t existing = (UINT64_C(2) << length) - 2;
	uint64_t mask = values_of(s, CRON_DAY, (int64_t)year * 12 + month, existing);
	if (s->alternative->fields[CRON_DAY].fixed >> CRON_LAST_DAY & 1)
		mask |= UINT64_C(1) << length;
	return mask;
}

static bool weekday_fits(const struct search *s, int64_t day)
{
	const int64_t since_sunday = day + 4; /* 1970-01-01 was a Thursday */
	const int64_t week = floor_div(since_sunday, 7);
	const uint64_t mask = values_of(s, CRON_WEEKDAY, week, UINT64_MAX);
	return mask >> (since_sunday - week * 7) & 1;
}

/* The first minute of `day` that fits, not before minute `from` of it; -1: none. */
static int minute_of_day(const struct search *s, int64_t day, int from)
{
	uint64_t hours = values_of(s, CRON_HOUR, day, UINT64_MAX);
	hours &= UINT64_MAX << (from / HOUR_MINUTES);
	for (; hours != 0; hours &= hours - 1) {
		const int hour = __builtin_ctzll(hours);
		uint64_t minutes = values_of(s, CRON_MINUTE, day * 24 + hour, UINT64_MAX);
		if (hour == from / HOUR_MINUTES)
			minutes &= UINT64_MAX << (from % HOUR_MINUTES);
		if (minutes != 0)
			return hour * HOUR_MINUTES + __builtin_ctzll(minutes);
	}
	return -1;
}

/* The first local minute of a month that fits, from `from` on; ML_NEVER: none. */
static int64_t minute_of_month(const struct search *s, int year, int month, int64_t from)
{
	const int64_t from_day = floor_div(from, DAY_MINUTES);
	const int64_t eve = days_of(year, month, 1) - 1;
	uint64_t days = days_of_month(s, year, month);
	if (from_day > eve)
		days &= from_day - eve > 31 ? 0 : UINT64_MAX << (from_day - eve);
	for (; days != 0; days &= days - 1) {
		const int64_t day = eve + __builtin_ctzll(days);
		if (!weekday_fits(s, day))
			continue;
		const int start = day == from_day ? (int)(from - day * DAY_MINUTES) : 0;
		const int minute = minute_of_day(s, day, start);
		if (minute >= 0)
			return day * DAY_MINUTES + minute;
	}
	return ML_NEVER;
}

/* The first local minute that fits, from `from` on; ML_NEVER: none in 400 years. */
static int64_t next_minute(const struct search *s, int64_t from)
{
	const struct ml_civil begin = ml_civil_from_time(from * ML_MINUTE);
	for (int year = begin.year; year <= begin.year + SEARCH_YEARS; year++) {
		const uint64_t months = values_of(s, CRON_MONTH, year, UINT64_MAX);
		for (int month = year == begin.year ? begin.month : 1; month <= 12; month++) {
			if (!(months >> month & 1))
				continue;
			const int64_t minute = minute_of_month(s, year, month, from);
			if (minute != ML_NEVER)
				return minute;
		}
	}
	return ML_NEVER;
}

/* When a local minute begins: the first time where it comes twice, the jump where it is skipped. */
static ml_time instant_of(const struct ml_zone *zone, int64_t minute)
{
	const struct ml_civil civil = ml_civil_from_time(minute * ML_MINUTE);
	ml_time first = 0;
	(void)ml_zone_from_civil(zone, &civil, &first, NULL);
	return first;
}

ml_time cron_next(const struct cron *cron, const struct cron_place *place, ml_time after)
{
	const struct ml_zone *zone = place->zone ? place->zone : ml_zone_utc();
	if (after < first_time || after >= last_time)
		return ML_NEVER;
	const ml_time local = after + ml_zone_offset(zone, after) * ML_SEC;
	ml_time best = ML_NEVER;
	for (size_t i = 0; i < cron->count; i++) {
		const struct search search = {
			.alternative = &cron->alternatives[i],
			.seed = cron_hash(cron_hash(place->seed, cron->hash), i),
		};
		/* Once round, but in an hour that comes the second time: its minutes have run. */
		int64_t minute = floor_div(local, ML_MINUTE);
		ml_time instant = ML_NEVER;
		do {
			minute = next_minute(&search, minute + 1);
			instant = minute == ML_NEVER ? ML_NEVER : instant_of(zone, minute);
		} while (instant <= after);
		if (instant < best)
			best = instant;
	}
	return best;
}

ml_time cron_period(const struct cron *cron, const struct cron_place *place, ml_time after)
{
	ml_time period = 0;
	ml_time run = cron_next(cron, place, after);
	for (int i = 0; i < PERIOD_RUNS && run != ML_NEVER; i++) {
		const ml_time next = cron_next(cron, place, run);
		if (next != ML_NEVER && (period == 0 || next - run < period))
			period = next - run;
		run = next;
	}
	return period;
}
