/* Windows of time: one after the other without a gap, aligned to the local clock.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Windows of up to an hour begin at each multiple of their length after local midnight; where the
 * clock is set forward or back within one, it ends there and another begins. Longer ones begin at
 * local hours, midnights, Mondays, firsts of months or of years, so that a day has 23, 24 or 25
 * hours; a beginning that the clock skips is the moment of the jump, of one that comes twice the
 * first counts. Pure.
 */
#ifndef AGGREGATE_WINDOW_H
#define AGGREGATE_WINDOW_H

#include <meterloom/zone.h>

enum window_unit {
	WINDOW_MINUTES,
	WINDOW_HOURS,
	WINDOW_DAY,
	WINDOW_WEEK,
	WINDOW_MONTH,
	WINDOW_YEAR,
};

struct window_length {
	enum window_unit unit;
	int count; /* of minutes or hours: a divisor of 60 or 24; else 1 */
};

struct window {
	ml_time begin, end; /* wall; the end is not included */
};

/* "15 min", "1 h", "1 d", "1 week", "1 month", "1 year"; the blank may be left out. -EINVAL with
 * what was expected. */
int window_parse(const char *text, struct window_length *length, struct ml_error *err);

enum { WINDOW_TEXT_MAX = 16 };
/* The same, with a NUL. */
void window_text(struct window_length length, char out[WINDOW_TEXT_MAX]);

/* The least time a window of this length takes where no clock is changed. */
ml_time window_shortest(struct window_length length);

/* The window that `time` lies in. */
struct window window_at(struct window_length length, const struct ml_zone *zone, ml_time time);

#endif
