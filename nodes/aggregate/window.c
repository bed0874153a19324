/* Windows of time, aligned to the local clock.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "aggregate/window.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int all; /* the count must divide this */
	ml_time length;
} units[] = {
	[WINDOW_MINUTES] = {"min", 60, ML_MINUTE},
	[WINDOW_HOURS] = {"h", 24, ML_HOUR},
	[WINDOW_DAY] = {"d", 1, ML_DAY},
	[WINDOW_WEEK] = {"week", 1, 7 * ML_DAY},
	[WINDOW_MONTH] = {"month", 1, 28 * ML_DAY},
	[WINDOW_YEAR] = {"year", 1, 365 * ML_DAY},
};

enum { UNITS = sizeof units / sizeof *units };

int window_parse(const char *text, struct window_length *length, struct ml_error *err)
{
	const char *p = text;
	int count = 0;
	while (*p >= '0' && *p <= '9' && count < 10000)
		count = count * 10 + (*p++ - '0');
	const bool digits = p != text;
	while (*p == ' ')
		p++;
	for (unsigned i = 0; digits && i < UNITS; i++) {
		if (strcmp(units[i].name, p) == 0 && count > 0 && units[i].all % count == 0) {
			*length = (struct window_length){(enum window_unit)i, count};
			return 0;
		}
	}
	return ml_error_set(err, -EINVAL,
		"\"%.40s\" is no length of a window: expected minutes that divide an hour "
		"(\"15 min\"), hours that divide a day (\"1 h\"), \"1 d\", \"1 week\", \"1 month\" "
		"or \"1 year\"",
		text);
}

void window_text(struct window_length length, char out[WINDOW_TEXT_MAX])
{
	(void)snprintf(out, WINDOW_TEXT_MAX, "%d %s", length.count, units[length.unit].name);
}

ml_time window_shortest(struct window_length length)
{
	return units[length.unit].length * length.count;
}

/* ---- Up to an hour ---- */

static ml_time floor_to(ml_time time, ml_time step)
{
	const ml_time rest = time % step;
	return time - (rest < 0 ? rest + step : rest);
}

/* What is counted from midnight by the offset that holds is right as long as it holds. */
static struct window short_window(ml_time length, const struct ml_zone *zone, ml_time time)
{
	const ml_time offset = ml_zone_offset(zone, time) * ML_SEC;
	struct window window = {.begin = floor_to(time + offset, length) - offset};
	window.end = window.begin + length;
	ml_time change = ml_zone_next_change(zone, window.begin - 1);
	while (change <= time) {
		if (change > window.begin)
			window.begin = change;
		change = ml_zone_next_change(zone, change);
	}
	if (change < window.end)
		window.end = change;
	return window;
}

/* ---- Longer ones ---- */

static ml_time begin_of(const struct ml_zone *zone, const struct ml_civil *civil)
{
	ml_time first;
	(void)ml_zone_from_civil(zone, civil, &first, NULL);
	return first;
}

static struct ml_civil civil_begin(struct window_length length, struct ml_civil now)
{
	struct ml_civil begin = {.year = now.year, .month = now.month, .day = now.day};
	switch (length.unit) {
	case WINDOW_HOURS:
		begin.hour = now.hour - now.hour % length.count;
		break;
	case WINDOW_WEEK: /* Monday */
		begin.day -= (now.weekday + 6) % 7;
		break;
	case WINDOW_YEAR:
		begin.month = 1;
		begin.day = 1;
		break;
	case WINDOW_MONTH:
		begin.day = 1;
		break;
	default:
		break;
	}
	return begin;
}

static struct ml_civil civil_next(struct window_length length, struct ml_civil begin, int step)
{
	switch (length.unit) {
	case WINDOW_HOURS:
		begin.hour += step * length.count;
		break;
	case WINDOW_WEEK:
		begin.day += step * 7;
		break;
	case WINDOW_MONTH:
		begin.month += step;
		break;
	case WINDOW_YEAR:
		begin.year += step;
		break;
	default:
		begin.day += step;
	}
	return begin;
}

struct window window_at(struct window_length length, const struct ml_zone *zone, ml_time time)
{
	if (length.unit == WINDOW_MINUTES || (length.unit == WINDOW_HOURS && length.count == 1))
		return short_window(window_shortest(length), zone, time);
	struct ml_civil begin = civil_begin(length, ml_zone_to_civil(zone, time));
	struct ml_civil end = civil_next(length, begin, 1);
	struct window window = {begin_of(zone, &begin), begin_of(zone, &end)};
	/* Where the clock is set back over a beginning, what the wall shows is behind the window
	 * that has begun already. */
	while (window.end <= time) {
		end = civil_next(length, end, 1);
		window = (struct window){window.end, begin_of(zone, &end)};
	}
	while (window.begin > time) {
		begin = civil_next(length, begin, -1);
		window = (struct window){begin_of(zone, &begin), window.begin};
	}
	return window;
}
