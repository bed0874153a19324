/* Civil time: the calendar, and what a time zone answers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "civil.h"
#include "digits.h"
#include "zone_data.h"

enum { DAY = 86400, THURSDAY = 4 };

/* Times so near the ends of ml_time that a zone could push them over are taken as these. */
#define TIME_MAX_ZONED (INT64_MAX - 4 * ML_DAY)

static const struct zone_type utc_type = {0, false, 0};

static const struct ml_zone utc_zone = {
	.name = "UTC",
	.types = &utc_type,
	.texts = "UTC",
};

const struct ml_zone *ml_zone_utc(void)
{
	return &utc_zone;
}

const char *ml_zone_name(const struct ml_zone *zone)
{
	return zone->name;
}

/* ---- Calendar ---- */

struct ml_civil ml_civil_from_time(ml_time local)
{
	const int64_t days = civil_floor(local, ML_DAY);
	/* The days' own product may not fit: of the first day of all. */
	const ml_time part = local % ML_DAY;
	const ml_time rest = part < 0 ? part + ML_DAY : part;
	const struct civil_date date = civil_from_days(days);
	const int64_t weekday = (days + THURSDAY) % 7;
	return (struct ml_civil){
		.year = (int)date.year,
		.month = date.month,
		.day = date.day,
		.hour = (int)(rest / ML_HOUR),
		.minute = (int)(rest / ML_MINUTE % 60),
		.second = (int)(rest / ML_SEC % 60),
		.microsecond = (int)(rest % ML_SEC),
		.weekday = (int)(weekday < 0 ? weekday + 7 : weekday),
		.year_day = (int)(days - civil_days(date.year, 1, 1)),
	};
}

ml_time ml_civil_to_time(const struct ml_civil *civil)
{
	const int64_t months = (int64_t)civil->month - 1;
	const int64_t years = civil_floor(months, 12);
	const int64_t days =
		civil_days(civil->year + years, (int)(months - years * 12) + 1, civil->day);
	const int64_t second_limit = INT64_MAX / ML_SEC - 1;
	const int64_t carried = civil_floor(civil->microsecond, ML_SEC);
	int64_t seconds = days * DAY + (int64_t)civil->hour * 3600 + (int64_t)civil->minute * 60 +
			  civil->second + carried;
	if (seconds > second_limit)
		seconds = second_limit;
	if (seconds < -second_limit)
		seconds = -second_limit;
	return seconds * ML_SEC + (civil->microsecond - carried * ML_SEC);
}

int ml_civil_month_days(int year, int month)
{
	return month >= 1 && month <= 12 ? civil_month_days(year, month) : 0;
}

/* ---- Rules of the years after the last transition ---- */

/* Midnight of the rule's day and its time, in seconds of a wall clock. */
static int64_t rule_seconds(const struct zone_rule *rule, int64_t year)
{
	int64_t day = civil_days(year, 1, 1);
	if (rule->kind == ZONE_DAY_JULIAN) {
		/* 29 February is never counted: 60 is 1 March in every year. */
		day += rule->day - 1 + (rule->day >= 60 && civil_is_leap(year) ? 1 : 0);
	} else if (rule->kind == ZONE_DAY_OF_YEAR) {
		day += rule->day;
	} else {
		day = civil_days(year, rule->month, 1);
		const int64_t weekday = ((day + THURSDAY) % 7 + 7) % 7;
		int64_t in_month = (rule->day - weekday + 7) % 7 + 7 * (rule->week - 1);
		while (in_month >= civil_month_days(year, rule->month))
			in_month -= 7;
		day += in_month;
	}
	return day * DAY + rule->time;
}

struct change {
	int64_t at; /* seconds, UTC */
	const struct zone_type *type;
};

enum { CHANGES = 6 };

/* The changes of the year of `seconds`, the one before and the one after, in order. An end goes
 * before a begin at the same moment, so that daylight-saving time can last all year. */
static void list_changes(
	const struct zone_footer *footer, int64_t seconds, struct change changes[CHANGES])
{
	const int64_t day = civil_floor(seconds + footer->standard.offset, DAY);
	const int64_t year = civil_from_days(day).year;
	size_t count = 0;
	for (int64_t y = year - 1; y <= year + 1; y++) {
		const struct change both[] = {
			{rule_seconds(&footer->end, y) - footer->daylight.offset,
				&footer->standard},
			{rule_seconds(&footer->begin, y) - footer->standard.offset,
				&footer->daylight},
		};
		for (size_t i = 0; i < 2; i++) {
			size_t place = count++;
			for (; place > 0 &&
				(changes[place - 1].at > both[i].at ||
					(changes[place - 1].at == both[i].at && i == 0 &&
						changes[place - 1].type == &footer->daylight));
				place--)
				changes[place] = changes[place - 1];
			changes[place] = both[i];
		}
	}
}

static const struct zone_type *footer_type(const struct zone_footer *footer, int64_t seconds)
{
	if (!footer->changes)
		return &footer->standard;
	struct change changes[CHANGES];
	list_changes(footer, seconds, changes);
	const struct zone_type *type =
		changes[0].type == &footer->standard ? &footer->daylight : &footer->standard;
	for (size_t i = 0; i < CHANGES && changes[i].at <= seconds; i++)
		type = changes[i].type;
	return type;
}

/* ---- Questions to a zone ---- */

/* How many transitions lie at or before `seconds`. */
static size_t transitions_until(const struct ml_zone *zone, int64_t seconds)
{
	size_t low = 0, high = zone->count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (zone->times[middle] <= seconds)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct zone_type *type_at(const struct ml_zone *zone, int64_t seconds)
{
	const size_t past = transitions_until(zone, seconds);
	if (past == zone->count && zone->footer.present)
		return footer_type(&zone->footer, seconds);
	return past == 0 ? &zone->types[0] : &zone->types[zone->type_of[past - 1]];
}

struct ml_zone_state ml_zone_state(const struct ml_zone *zone, ml_time utc)
{
	const struct zone_type *type = type_at(zone, civil_floor(utc, ML_SEC));
	return (struct ml_zone_state){
		type->offset, type->daylight, zone->texts + type->abbreviation};
}

int32_t ml_zone_offset(const struct ml_zone *zone, ml_time utc)
{
	return type_at(zone, civil_floor(utc, ML_SEC))->offset;
}

/* The first moment after `seconds` at which another type may begin. */
static bool next_transition(const struct ml_zone *zone, int64_t seconds, int64_t *next)
{
	const size_t past = transitions_until(zone, seconds);
	if (past < zone->count) {
		*next = zone->times[past];
		return true;
	}
	if (!zone->footer.changes)
		return false;
	struct change changes[CHANGES];
	list_changes(&zone->footer, seconds, changes);
	for (size_t i = 0; i < CHANGES; i++) {
		if (changes[i].at > seconds) {
			*next = changes[i].at;
			return true;
		}
	}
	return false;
}

ml_time ml_zone_next_change(const struct ml_zone *zone, ml_time utc)
{
	const int64_t limit = TIME_MAX_ZONED / ML_SEC;
	int64_t seconds = civil_floor(utc, ML_SEC);
	/* All transitions may be without effect, and so may be a rule (its times coincide). */
	for (size_t tries = zone->count + CHANGES; tries > 0; tries--) {
		int64_t next;
		if (!next_transition(zone, seconds, &next) || next > limit)
			break;
		if (next >= -limit &&
			type_at(zone, next)->offset != type_at(zone, next - 1)->offset)
			return next * ML_SEC;
		seconds = next;
	}
	return ML_NEVER;
}

static ml_time clamp(ml_time time)
{
	if (time > TIME_MAX_ZONED)
		return TIME_MAX_ZONED;
	return time < -TIME_MAX_ZONED ? -TIME_MAX_ZONED : time;
}

struct ml_civil ml_zone_to_civil(const struct ml_zone *zone, ml_time utc)
{
	utc = clamp(utc);
	return ml_civil_from_time(utc + ml_zone_offset(zone, utc) * ML_SEC);
}

enum ml_zone_answer ml_zone_from_civil(
	const struct ml_zone *zone, const struct ml_civil *civil, ml_time *first, ml_time *second)
{
	/* No offset is further from UTC than this, so only those in force so near can be meant. */
	const ml_time around = 26 * ML_HOUR;
	const ml_time local = clamp(ml_civil_to_time(civil));
	ml_time earliest = ML_NEVER, latest = -ML_NEVER, gap = local - around;
	ml_time change = local - around;
	int32_t before = ml_zone_offset(zone, change);
	for (;;) {
		const int32_t offset = ml_zone_offset(zone, change);
		const ml_time time = local - offset * ML_SEC;
		if (ml_zone_offset(zone, time) == offset) {
			earliest = time < earliest ? time : earliest;
			latest = time > latest ? time : latest;
		}
		if (local >= change + before * ML_SEC && local < change + offset * ML_SEC)
			gap = change;
		before = offset;
		change = ml_zone_next_change(zone, change);
		if (change > local + around)
			break;
	}
	const bool found = earliest != ML_NEVER;
	*first = found ? earliest : gap;
	if (second)
		*second = found ? latest : gap;
	if (!found)
		return ML_ZONE_GAP;
	return earliest == latest ? ML_ZONE_ONCE : ML_ZONE_TWICE;
}

size_t ml_zone_format(const struct ml_zone *zone, ml_time utc, char *out)
{
	const int32_t offset = ml_zone_offset(zone, utc);
	/* Whole minutes only: the mean times of the nineteenth century are rounded. */
	const int32_t minutes = (int32_t)civil_floor((int64_t)offset + 30, 60);
	size_t length = ml_time_format(clamp(utc) + minutes * ML_MINUTE, out);
	if (zone == &utc_zone)
		return length;
	const uint32_t distance = (uint32_t)(minutes < 0 ? -minutes : minutes);
	length--; /* the Z */
	out[length++] = minutes < 0 ? '-' : '+';
	digits_write(out + length, distance / 60, 2);
	out[length + 2] = ':';
	digits_write(out + length + 3, distance % 60, 2);
	length += 5;
	out[length] = '\0';
	return length;
}
