/* Time zones without process globals, from the system's files (TZif, RFC 8536).
 * SPDX-License-Identifier: Apache-2.0
 *
 * A zone is immutable once loaded and may be used by all threads. Both daylight-saving nights are
 * answered in full: an hour that comes twice has two times, a gap has none but tells where it lies,
 * so that schedules and reports can apply their own rule.
 */
#ifndef METERLOOM_ZONE_H
#define METERLOOM_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/error.h>

#define ML_ZONE_FOLDER "/usr/share/zoneinfo"

enum {
	ML_ZONE_NAME_MAX = 64,         /* bytes, with the NUL */
	ML_ZONE_FILE_MAX = 256 * 1024, /* bytes; the largest real ones have some 4 KiB */
};

/* A date and a time of day as a calendar and a clock on the wall show them. */
struct ml_civil {
	int year;       /* 0 is the year before 1 */
	int month, day; /* from 1 */
	int hour, minute, second;
	int microsecond;
	int weekday;  /* 0: Sunday; set by the library, never read by it */
	int year_day; /* 0 to 365; the same */
};

/* ---- Calendar alone ---- */

/* The civil time at a time that is already local (or UTC). Any ml_time will do. */
struct ml_civil ml_civil_from_time(ml_time local);

/* The other way; fields beyond their range carry over (day 0 is the last of the month before,
 * minute 75 is a quarter past the next hour), so that one can count in them. Clamped to what
 * ml_time holds. */
ml_time ml_civil_to_time(const struct ml_civil *civil);

/* 28 to 31; month 1 to 12. */
int ml_civil_month_days(int year, int month);

/* ---- Zones ---- */

struct ml_zone;

/* Loads a zone by its IANA name ("Europe/Paris"); "UTC" needs no file. `folder` NULL:
 * ML_ZONE_FOLDER. -EINVAL: not a zone's name; -ENOENT: no such zone; -EBADMSG: the file is damaged;
 * or why it cannot be read. */
int ml_zone_load(const char *name, const char *folder, struct ml_zone **zone, struct ml_error *err);

/* The same from the bytes of a TZif file. Pure. */
int ml_zone_parse(const char *name, const void *bytes, size_t length, struct ml_zone **zone,
	struct ml_error *err);

/* UTC, from a constant: never fails, need not be freed. */
const struct ml_zone *ml_zone_utc(void);

void ml_zone_free(struct ml_zone *zone); /* accepts NULL, and UTC's */

const char *ml_zone_name(const struct ml_zone *zone);

struct ml_zone_state {
	int32_t offset;           /* seconds east of UTC */
	bool daylight;            /* daylight-saving time is in force */
	const char *abbreviation; /* "CET"; of the zone, not of the caller */
};

/* What holds at a time. */
struct ml_zone_state ml_zone_state(const struct ml_zone *zone, ml_time utc);
int32_t ml_zone_offset(const struct ml_zone *zone, ml_time utc); /* seconds east of UTC */

/* The first change of the offset after `utc`, or ML_NEVER where none is known. */
ml_time ml_zone_next_change(const struct ml_zone *zone, ml_time utc);

/* What the calendar and clock on the wall show at a time. */
struct ml_civil ml_zone_to_civil(const struct ml_zone *zone, ml_time utc);

enum ml_zone_answer {
	ML_ZONE_ONCE,  /* first == second: the time */
	ML_ZONE_TWICE, /* an hour that comes twice: first is the earlier, second the later */
	ML_ZONE_GAP,   /* a time that the clock skips: first == second: the moment of the jump */
};

/* The time at which the wall shows `civil` (fields may carry over as above). How wide a gap is, the
 * offsets at first - 1 and at first tell. `second` may be NULL. */
enum ml_zone_answer ml_zone_from_civil(
	const struct ml_zone *zone, const struct ml_civil *civil, ml_time *first, ml_time *second);

enum { ML_ZONE_TEXT_MAX = 40 };

/* "2026-01-31T15:15:00.000+01:00". Returns the length; out has ML_ZONE_TEXT_MAX bytes. */
size_t ml_zone_format(const struct ml_zone *zone, ml_time utc, char *out);

#endif
