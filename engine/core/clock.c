/* The clock, and times as text. The only file that asks the system for the time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <meterloom/clock.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

#include "civil.h"
#include "digits.h"

struct ml_clock {
	bool simulated;
	ml_time start;     /* real: the system's monotonic time when the clock was made */
	ml_time monotonic; /* simulated */
	ml_time wall;      /* simulated: the wall time at monotonic time 0 */
	bool synchronised; /* simulated */
};

static ml_time ask_system(clockid_t id)
{
	struct timespec now;
	if (clock_gettime(id, &now) != 0)
		return 0;
	return (ml_time)now.tv_sec * ML_SEC + (ml_time)now.tv_nsec / 1000;
}

struct ml_clock *ml_clock_new_real(void)
{
	struct ml_clock *clock = calloc(1, sizeof *clock);
	if (clock)
		clock->start = ask_system(CLOCK_MONOTONIC);
	return clock;
}

struct ml_clock *ml_clock_new_simulated(ml_time wall)
{
	struct ml_clock *clock = calloc(1, sizeof *clock);
	if (clock) {
		clock->simulated = true;
		clock->wall = wall;
	}
	return clock;
}

void ml_clock_free(struct ml_clock *clock)
{
	free(clock);
}

bool ml_clock_is_simulated(const struct ml_clock *clock)
{
	return clock->simulated;
}

ml_time ml_clock_monotonic(const struct ml_clock *clock)
{
	if (clock->simulated)
		return clock->monotonic;
	return ask_system(CLOCK_MONOTONIC) - clock->start;
}

ml_time ml_clock_wall(const struct ml_clock *clock)
{
	if (clock->simulated)
		return clock->wall + clock->monotonic;
	return ask_system(CLOCK_REALTIME);
}

void ml_clock_advance(struct ml_clock *clock, ml_time monotonic)
{
	assert(clock->simulated && monotonic >= clock->monotonic);
	if (clock->simulated && monotonic > clock->monotonic)
		clock->monotonic = monotonic;
}

void ml_clock_set_wall(struct ml_clock *clock, ml_time wall)
{
	assert(clock->simulated);
	clock->wall = wall - clock->monotonic;
}

bool ml_clock_is_synchronised(const struct ml_clock *clock)
{
	struct timex ask = {.modes = 0}; /* changes nothing */
	if (clock->simulated)
		return clock->synchronised;
	return adjtimex(&ask) >= 0 && !(ask.status & STA_UNSYNC);
}

void ml_clock_set_synchronised(struct ml_clock *clock, bool synchronised)
{
	assert(clock->simulated);
	clock->synchronised = synchronised;
}

void ml_clock_rest(ml_time length)
{
	const struct timespec pause = {length / ML_SEC, length % ML_SEC * 1000};
	(void)nanosleep(&pause, NULL);
}

/* ---- Text ---- */

size_t ml_time_format(ml_time wall, char *out)
{
	static const char form[] = "0000-00-00T00:00:00.000Z";
	const ml_time first = civil_days(0, 1, 1) * ML_DAY;
	const ml_time last = civil_days(10000, 1, 1) * ML_DAY - 1;
	if (wall < first)
		wall = first;
	if (wall > last)
		wall = last;
	const int64_t days = civil_floor(wall, ML_DAY);
	const uint64_t rest = (uint64_t)(wall - days * ML_DAY);
	const struct civil_date date = civil_from_days(days);
	memcpy(out, form, sizeof form);
	digits_write(out, (uint64_t)date.year, 4);
	digits_write(out + 5, (uint64_t)date.month, 2);
	digits_write(out + 8, (uint64_t)date.day, 2);
	digits_write(out + 11, rest / (uint64_t)ML_HOUR, 2);
	digits_write(out + 14, rest / (uint64_t)ML_MINUTE % 60, 2);
	digits_write(out + 17, rest / (uint64_t)ML_SEC % 60, 2);
	digits_write(out + 20, rest / (uint64_t)ML_MSEC % 1000, 3);
	return sizeof form - 1;
}

struct scan {
	const char *text, *end;
};

/* Exactly `count` digits, with a value from `low` to `high`. */
static bool scan_number(struct scan *s, int count, int low, int high, int *value)
{
	*value = 0;
	if (s->end - s->text < count)
		return false;
	for (int i = 0; i < count; i++, s->text++) {
		if (*s->text < '0' || *s->text > '9')
			return false;
		*value = *value * 10 + (*s->text - '0');
	}
	return *value >= low && *value <= high;
}

static bool scan_char(struct scan *s, char c)
{
	if (s->text == s->end || *s->text != c)
		return false;
	s->text++;
	return true;
}

/* Digits after the point; what is finer than a microsecond is cut off. */
static bool scan_fraction(struct scan *s, ml_time *fraction)
{
	const char *begin = s->text;
	ml_time unit = ML_SEC / 10;
	*fraction = 0;
	for (; s->text < s->end && *s->text >= '0' && *s->text <= '9'; s->text++) {
		*fraction += unit * (*s->text - '0');
		unit /= 10;
	}
	return s->text > begin;
}

static bool scan_zone(struct scan *s, ml_time *offset)
{
	int hours, minutes;
	*offset = 0;
	if (scan_char(s, 'Z'))
		return true;
	const bool west = scan_char(s, '-');
	if ((!west && !scan_char(s, '+')) || !scan_number(s, 2, 0, 23, &hours) ||
		!scan_char(s, ':') || !scan_number(s, 2, 0, 59, &minutes))
		return false;
	*offset = (west ? -1 : 1) * (hours * ML_HOUR + minutes * ML_MINUTE);
	return true;
}

bool ml_time_parse(const char *text, size_t length, ml_time *wall)
{
	struct scan s = {text, text + length};
	int year, month, day, hour, minute, second;
	if (!scan_number(&s, 4, 0, 9999, &year) || !scan_char(&s, '-') ||
		!scan_number(&s, 2, 1, 12, &month) || !scan_char(&s, '-') ||
		!scan_number(&s, 2, 1, civil_month_days(year, month), &day))
		return false;
	const ml_time midnight = civil_days(year, month, day) * ML_DAY;
	if (s.text == s.end) {
		*wall = midnight;
		return true;
	}
	ml_time fraction = 0, offset;
	if (!scan_char(&s, 'T') || !scan_number(&s, 2, 0, 23, &hour) || !scan_char(&s, ':') ||
		!scan_number(&s, 2, 0, 59, &minute) || !scan_char(&s, ':') ||
		!scan_number(&s, 2, 0, 59, &second))
		return false;
	if (scan_char(&s, '.') && !scan_fraction(&s, &fraction))
		return false;
	if (!scan_zone(&s, &offset) || s.text != s.end)
		return false;
	*wall = midnight + hour * ML_HOUR + minute * ML_MINUTE + second * ML_SEC + fraction -
		offset;
	return true;
}
