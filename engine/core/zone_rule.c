/* The TZ string of POSIX with the extension of RFC 8536: rules for the years to come.
 * SPDX-License-Identifier: Apache-2.0
 *
 * CET-1CEST,M3.5.0,M10.5.0/3: standard name, its hours west of UTC, the other name and hours, and
 * when it begins and ends.
 */
#include <errno.h>
#include <string.h>

#include "zone_data.h"

enum { HOUR = 3600, NAME_MIN = 3, HOURS_OFFSET_MAX = 24, HOURS_TIME_MAX = 167 };

struct scan {
	const char *at, *end;
};

static bool scan_char(struct scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool scan_number(struct scan *s, int low, int high, int *value)
{
	const char *begin = s->at;
	*value = 0;
	for (; s->at < s->end && is_digit(*s->at) && s->at - begin < 4; s->at++)
		*value = *value * 10 + (*s->at - '0');
	return s->at > begin && *value >= low && *value <= high;
}

/* `CET` or `<+0330>`; puts it into the texts. */
static bool scan_name(struct scan *s, char *texts, size_t *used, uint16_t *place)
{
	const bool quoted = scan_char(s, '<');
	const char *begin = s->at;
	while (s->at < s->end &&
		(is_letter(*s->at) ||
			(quoted && (is_digit(*s->at) || *s->at == '+' || *s->at == '-'))))
		s->at++;
	const size_t length = (size_t)(s->at - begin);
	if (length < NAME_MIN || (quoted && !scan_char(s, '>')) || *used > UINT16_MAX)
		return false;
	*place = (uint16_t)*used;
	memcpy(texts + *used, begin, length);
	texts[*used + length] = '\0';
	*used += length + 1;
	return true;
}

/* [+-]hh[:mm[:ss]] */
static bool scan_time(struct scan *s, int hours_max, int32_t *seconds)
{
	int hours, minutes = 0, rest = 0;
	const bool negative = scan_char(s, '-');
	if (!negative)
		(void)scan_char(s, '+');
	if (!scan_number(s, 0, hours_max, &hours))
		return false;
	if (scan_char(s, ':')) {
		if (!scan_number(s, 0, 59, &minutes))
			return false;
		if (scan_char(s, ':') && !scan_number(s, 0, 59, &rest))
			return false;
	}
	*seconds = (hours * 60 + minutes) * 60 + rest;
	if (negative)
		*seconds = -*seconds;
	return true;
}

/* Jn, n or Mm.w.d, and /time */
static bool scan_rule(struct scan *s, struct zone_rule *rule)
{
	bool ok;
	if (scan_char(s, 'J')) {
		rule->kind = ZONE_DAY_JULIAN;
		ok = scan_number(s, 1, 365, &rule->day);
	} else if (scan_char(s, 'M')) {
		rule->kind = ZONE_DAY_OF_WEEK;
		ok = scan_number(s, 1, 12, &rule->month) && scan_char(s, '.') &&
		     scan_number(s, 1, 5, &rule->week) && scan_char(s, '.') &&
		     scan_number(s, 0, 6, &rule->day);
	} else {
		rule->kind = ZONE_DAY_OF_YEAR;
		ok = scan_number(s, 0, 365, &rule->day);
	}
	rule->time = 2 * HOUR;
	if (ok && scan_char(s, '/'))
		ok = scan_time(s, HOURS_TIME_MAX, &rule->time);
	return ok;
}

int zone_read_footer(
	const char *text, size_t length, struct zone_footer *footer, char *texts, size_t *used)
{
	struct scan s = {text, text + length};
	int32_t west;
	if (length == 0)
		return 0;
	if (!scan_name(&s, texts, used, &footer->standard.abbreviation) ||
		!scan_time(&s, HOURS_OFFSET_MAX, &west))
		return -EBADMSG;
	footer->standard.offset = -west;
	footer->present = true;
	if (s.at == s.end)
		return 0;
	if (!scan_name(&s, texts, used, &footer->daylight.abbreviation))
		return -EBADMSG;
	west -= HOUR;
	if (s.at < s.end && *s.at != ',' && !scan_time(&s, HOURS_OFFSET_MAX, &west))
		return -EBADMSG;
	footer->daylight.offset = -west;
	footer->daylight.daylight = true;
	footer->changes = true;
	if (!scan_char(&s, ',') || !scan_rule(&s, &footer->begin) || !scan_char(&s, ',') ||
		!scan_rule(&s, &footer->end) || s.at != s.end)
		return -EBADMSG;
	return 0;
}
