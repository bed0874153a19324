/* Schedules in the cron dialect of metering gateways: parse, next run, shortest gap.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A pattern is one or more alternatives, joined by `|`; an alternative has five fields: minute
 * 0-59, hour 0-23, day of month 1-31 or L (the last one), month 1-12 or jan-dec, weekday 0 (sun) to
 * 6 (sat) or sun-sat. All five must match. A field is a list (`,`) of values, ranges (`10-16`,
 * `22-3` wraps), `*`, ranges with a step counted from their start (`10-16/2`), and draws: `?a-b` is
 * one value of the range and `?` one of the field, drawn anew for each hour (minutes), day (hours),
 * month (days), year (months) and week from Sunday (weekdays). A draw is made of the seed, the
 * pattern and that period, so that devices spread and a restart changes nothing.
 *
 * Runs are counted in the local time of a zone. A minute that the clocks skip in spring runs once,
 * at the very jump; one that comes twice in autumn runs once, the first time.
 *
 * A pure codec: no clock, no I/O, no allocation. Thread: a parsed schedule is constant.
 */
#ifndef CRON_CRON_H
#define CRON_CRON_H

#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/error.h>
#include <meterloom/zone.h>

enum {
	CRON_PATTERN_MAX = 1024, /* bytes */
	CRON_ALTERNATIVES_MAX = 16,
	CRON_DRAWS_MAX = 4, /* in one field */
	CRON_FIELDS = 5,
	CRON_LAST_DAY = 32, /* the bit of L in the days of a month */
};

enum cron_field { CRON_MINUTE, CRON_HOUR, CRON_DAY, CRON_MONTH, CRON_WEEKDAY };

struct cron_draw {
	uint8_t first, last; /* wraps where first is larger */
};

struct cron_values {
	uint64_t fixed; /* a bit for each value */
	uint8_t draw_count;
	struct cron_draw draws[CRON_DRAWS_MAX];
};

struct cron_alternative {
	struct cron_values fields[CRON_FIELDS];
};

struct cron {
	size_t count;
	struct cron_alternative alternatives[CRON_ALTERNATIVES_MAX];
	uint64_t hash; /* of the pattern's text, blanks aside: what draws are made of */
};

/* Where and for whom a schedule runs. */
struct cron_place {
	const struct ml_zone *zone; /* NULL: UTC */
	uint64_t seed;              /* of the device: cron_seed() */
};

/* Reads a pattern. -EINVAL, with the byte where it is wrong and what was expected there. */
int cron_parse(const char *text, size_t length, struct cron *ret_cron, struct ml_error *err);

/* The seed of a device with this serial number. */
uint64_t cron_seed(const char *serial);

/* The first run later than `after`, wall time; ML_NEVER: none within 400 years. */
ml_time cron_next(const struct cron *cron, const struct cron_place *place, ml_time after);

/* The shortest gap between the next runs after `after`; 0: there are not two. */
ml_time cron_period(const struct cron *cron, const struct cron_place *place, ml_time after);

/* Schedules by name, for those who do not want to write patterns. */
struct cron_preset {
	const char *name;    /* "every-15-min"; NULL ends the table */
	const char *title;   /* "every 15 minutes" */
	const char *pattern; /* every quarter of an hour, as a pattern */
};

extern const struct cron_preset cron_presets[];

const struct cron_preset *cron_preset_find(const char *name, size_t length); /* NULL: no such */

#endif
