/* Quoting, numbers, dates and file names of reports.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/text.h"

#include <string.h>

#include "report/utf8.h"

/* ---- Quoting ---- */

void report_csv_field(struct ml_buffer *out, char separator, const char *text, size_t length)
{
	bool quote = length > 0 && (text[0] == ' ' || text[length - 1] == ' ');
	for (size_t i = 0; i < length && !quote; i++)
		quote = text[i] == separator || text[i] == '"' || text[i] == '\r' ||
			text[i] == '\n';
	if (!quote) {
		ml_buffer_append(out, text, length);
		return;
	}
	ml_buffer_append(out, "\"", 1);
	while (length > 0) {
		const char *mark = memchr(text, '"', length);
		const size_t part = mark ? (size_t)(mark - text) + 1 : length;
		ml_buffer_append(out, text, part);
		if (mark)
			ml_buffer_append(out, "\"", 1);
		text += part;
		length -= part;
	}
	ml_buffer_append(out, "\"", 1);
}

static const char *xml_instead(uint32_t code)
{
	switch (code) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&apos;";
	case '\t':
		return "&#9;";
	case '\n':
		return "&#10;";
	case '\r':
		return "&#13;";
	default:
		return code < 0x20 || code == 0xFFFE || code == 0xFFFF || code == REPORT_UTF8_WRONG
			       ? "\xEF\xBF\xBD"
			       : NULL;
	}
}

void report_xml_text(struct ml_buffer *out, const char *text, size_t length)
{
	while (length > 0) {
		uint32_t code;
		const size_t used = report_utf8_next(text, length, &code);
		const char *instead = xml_instead(code);
		if (instead)
			ml_buffer_append(out, instead, strlen(instead));
		else
			ml_buffer_append(out, text, used);
		text += used;
		length -= used;
	}
}

void report_number(struct ml_buffer *out, char sign, const char *text, size_t length)
{
	const char *point = memchr(text, '.', length);
	if (!point) {
		ml_buffer_append(out, text, length);
		return;
	}
	ml_buffer_append(out, text, (size_t)(point - text));
	ml_buffer_append(out, &sign, 1);
	ml_buffer_append(out, point + 1, length - (size_t)(point - text) - 1);
}

/* ---- Dates ---- */

static const char *const months[2][12] = {
	{"January", "February", "March", "April", "May", "June", "July", "August", "September",
		"October", "November", "December"},
	{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre",
		"octobre", "novembre", "décembre"},
};

static const char *const short_months[2][12] = {
	{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"},
	{"janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.",
		"déc."},
};

static const char *const weekdays[2][7] = {
	{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
	{"dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"},
};

static const char *const short_weekdays[2][7] = {
	{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"},
	{"dim.", "lun.", "mar.", "mer.", "jeu.", "ven.", "sam."},
};

static int weekday_of(const struct ml_civil *date)
{
	const struct ml_civil day = {.year = date->year, .month = date->month, .day = date->day};
	return ml_civil_from_time(ml_civil_to_time(&day)).weekday;
}

static int year_day_of(const struct ml_civil *date)
{
	const struct ml_civil day = {.year = date->year, .month = date->month, .day = date->day};
	return ml_civil_from_time(ml_civil_to_time(&day)).year_day;
}

static int week_of(const struct ml_civil *date, int first_day)
{
	const int weekday = (weekday_of(date) - first_day + 7) % 7; /* 0: the first of its week */
	if (first_day != 1) {
		const struct ml_civil january = {.year = date->year, .month = 1, .day = 1};
		const int lead = (weekday_of(&january) - first_day + 7) % 7;
		return (year_day_of(date) + lead) / 7 + 1;
	}
	/* The week belongs to the year of its Thursday. */
	const struct ml_civil moved = {
		.year = date->year, .month = date->month, .day = date->day + 3 - weekday};
	return ml_civil_from_time(ml_civil_to_time(&moved)).year_day / 7 + 1;
}

static void put_offset(struct ml_buffer *out, int32_t offset)
{
	const int32_t minutes = (offset < 0 ? -offset : offset) / 60;
	if (offset == 0)
		ml_buffer_append(out, "Z", 1);
	else
		ml_buffer_appendf(out, "%c%02d:%02d", offset < 0 ? '-' : '+', (int)(minutes / 60),
			(int)(minutes % 60));
}

struct dating {
	const struct ml_civil *date;
	int32_t offset;
	enum report_language language;
	int first_day;
};

static bool is_field(char letter, size_t count)
{
	switch (letter) {
	case 'Y':
		return count == 2 || count == 4;
	case 'M':
		return count <= 4;
	case 'd':
		return count == 3 || count == 4;
	case 'D':
	case 'h':
	case 'm':
	case 's':
	case 'W':
		return count <= 2;
	case 'S':
		return count == 3;
	case 'Z':
	case 'e':
		return count == 1;
	default:
		return false;
	}
}

static int field_number(const struct dating *in, char letter, size_t count)
{
	switch (letter) {
	case 'Y':
		return count == 2 ? in->date->year % 100 : in->date->year;
	case 'M':
		return in->date->month;
	case 'D':
		return in->date->day;
	case 'h':
		return in->date->hour;
	case 'm':
		return in->date->minute;
	case 's':
		return in->date->second;
	case 'S':
		return in->date->microsecond / 1000;
	case 'W':
		return week_of(in->date, in->first_day);
	default: /* e */
		return (weekday_of(in->date) - in->first_day + 7) % 7 + 1;
	}
}

static void put_field(struct ml_buffer *out, const struct dating *in, char letter, size_t count)
{
	const char *name = NULL;
	if (letter == 'M' && count > 2)
		name = (count == 4 ? months
				   : short_months)[in->language][(in->date->month + 11) % 12];
	else if (letter == 'd')
		name = (count == 4 ? weekdays : short_weekdays)[in->language][weekday_of(in->date)];
	if (name)
		ml_buffer_append(out, name, strlen(name));
	else if (letter == 'Z')
		put_offset(out, in->offset);
	else
		ml_buffer_appendf(out, "%0*d", (int)count, field_number(in, letter, count));
}

void report_date(struct ml_buffer *out, const struct ml_civil *date, int32_t offset,
	enum report_language language, int first_day, const char *pattern, size_t length)
{
	const struct dating in = {date, offset, language, first_day};
	for (size_t i = 0; i < length;) {
		if (pattern[i] == '\'') {
			const char *end = memchr(pattern + i + 1, '\'', length - i - 1);
			const size_t stop = end ? (size_t)(end - pattern) : length;
			ml_buffer_append(out, pattern + i + 1, stop - i - 1);
			i = stop + 1;
			continue;
		}
		size_t count = 1;
		while (i + count < length && pattern[i + count] == pattern[i])
			count++;
		if (is_field(pattern[i], count))
			put_field(out, &in, pattern[i], count);
		else
			ml_buffer_append(out, pattern + i, count);
		i += count;
	}
}

/* ---- File names ---- */

void report_file_name(struct ml_buffer *out, const char *text, size_t length)
{
	const size_t begin = out->length;
	for (size_t i = 0; i < length; i++) {
		const char c = text[i];
		const bool letter =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (letter || c == '_' || (c == '.' && out->length > begin))
			ml_buffer_append(out, &c, 1);
		else if (out->length > begin && ((unsigned char)c & 0xC0) != 0x80)
			ml_buffer_append(out, "-", 1);
	}
}
