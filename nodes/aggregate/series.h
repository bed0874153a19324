/* What is known of one series of one meter: its windows with their sums, and the counter's advance
 * between them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Readings may come in any order. Of each window the first and the last value are kept, and what
 * lies between as sums; of all before the oldest window the last value alone. The advance of the
 * counter from the last value of one window to the first of a later one is counted where most of
 * its time lies: in the window of the later value or in the one right before that.
 *
 * Exact: values that do not fit are marked and not told. Nothing here knows a node or asks for the
 * time.
 */
#ifndef AGGREGATE_SERIES_H
#define AGGREGATE_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/decimal.h>

#include "aggregate/window.h"

enum {
	SERIES_SUMS_MAX = 128,   /* windows at once */
	SERIES_COUNTED_MAX = 16, /* readings that are known again */
	SERIES_UNIT_MAX = 96,    /* bytes, with the NUL */
};

/* Times beyond this, either way, are no times: some 70000 years. */
#define SERIES_TIME_MAX ((ml_time)1 << 61)

enum {                      /* marks of a result */
	MARK_ROLLOVER = 1,  /* the counter went over its highest value */
	MARK_RESET = 2,     /* it went back: what it counted meanwhile is not known */
	MARK_REPLACED = 4,  /* another device: what was between the two is not known */
	MARK_GAP = 8,       /* the consumption holds what lies outside of the window: half of it or
			       more */
	MARK_OVERFLOW = 16, /* a consumption does not fit; it is not told */
	MARK_UNIT = 32,     /* values of another unit came; they are not counted */
	MARK_TOTAL = 64,    /* the total of values does not fit; the mean is not told */
};

struct series_value {
	ml_time time;
	uint64_t trace;
	struct ml_decimal value;
	uint32_t device; /* the same for all values of one device */
	uint8_t digits;  /* of the counter, as far as the telegram tells; 0: it does not */
};

/* What came in one window. */
struct sum {
	struct window window;
	uint32_t count;   /* of values */
	uint32_t missing; /* of readouts that failed */
	uint32_t errors;  /* of readings without a value, or with one of another unit */
	uint32_t late;    /* of values that came after it was told */
	uint32_t marks;
	uint32_t steps; /* known advances between first and last */
	uint8_t border; /* enum border: where the advance up to `first` is counted */
	uint64_t trace_first, trace_last;
	/* All of these where count > 0. */
	struct ml_decimal total, min, max, inner;
	struct series_value first, last;
};

enum border { BORDER_NONE, BORDER_OWN, BORDER_BEFORE };

struct counted {
	ml_time time;
	uint64_t trace;
};

struct series {
	bool has_unit; /* that of the first value */
	char unit[SERIES_UNIT_MAX];
	bool has_base;
	struct series_value base; /* the last value before all sums */
	ml_time finished;         /* windows up to here are done with; 0: none */
	struct sum *sums;         /* in the order of time; owned */
	size_t count, capacity;
	struct counted counted[SERIES_COUNTED_MAX]; /* the last ones, oldest first */
	ml_time forgotten; /* the newest time of those before them; 0: none */
	size_t counted_count;
};

struct series_rules {
	struct window_length length;
	const struct ml_zone *zone;
	ml_time lateness;
	unsigned digits; /* of all counters; 0: as the telegram tells */
};

enum series_answer {
	SERIES_COUNTED,
	SERIES_REPEATED, /* it was counted before */
	SERIES_TOO_LATE,
	SERIES_FULL, /* too many windows, or out of memory */
};

void series_free(struct series *series); /* of its parts */

/* `late`: its window was told. */
enum series_answer series_count(struct series *series, const struct series_rules *rules,
	const struct series_value *value, const char *unit, ml_time now,
	bool (*told)(void *user, ml_time begin), void *user);

enum series_trouble { SERIES_MISSING, SERIES_ERROR };

/* A readout that failed, or a reading that holds no value of this series. */
enum series_answer series_trouble(struct series *series, const struct series_rules *rules,
	enum series_trouble trouble, ml_time time, uint64_t trace, ml_time now);

/* From when on a reading that is not known again was surely never counted. INT64_MAX: nothing was
 * counted yet. */
ml_time series_uncounted(const struct series *series);

/* NULL: nothing came in the window that begins then. */
const struct sum *series_sum(const struct series *series, ml_time begin);

/* Done with all windows that end at or before `until`. */
void series_finish(struct series *series, ml_time until);

struct consumption {
	bool known;
	struct ml_decimal value;
	uint32_t marks;
};

/* What the counter advanced in a window. */
struct consumption series_consumption(
	const struct series *series, const struct series_rules *rules, const struct sum *sum);

/* The total divided by the count, to `digits` digits after those of the total, half away from zero.
 * false: there is none. */
bool series_mean(const struct sum *sum, unsigned digits, struct ml_decimal *mean);

#endif
