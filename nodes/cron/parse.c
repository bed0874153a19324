/* Reads cron patterns and says where and why one is wrong.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "cron/cron.h"
#include "cron/fields.h"

static const char *const month_names[] = {
	"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

const struct cron_bounds cron_bounds[CRON_FIELDS] = {
	[CRON_MINUTE] = {"minute", "0 to 59", NULL, 0, 59},
	[CRON_HOUR] = {"hour", "0 to 23", NULL, 0, 23},
	[CRON_DAY] = {"day of month", "1 to 31, or L for the last day", NULL, 1, 31},
	[CRON_MONTH] = {"month", "1 to 12 or jan to dec", month_names, 1, 12},
	[CRON_WEEKDAY] = {"weekday", "0 (sun) to 6 (sat) or sun to sat", weekday_names, 0, 6},
};

struct parser {
	const char *text;
	size_t length, at;
	struct ml_error *err;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* '\0' at the end; a NUL in the text is no character of any rule, so it is refused where it stands.
 */
static char peek(const struct parser *p)
{
	return p->at < p->length ? p->text[p->at] : '\0';
}

static bool take(struct parser *p, char c)
{
	if (p->at == p->length || p->text[p->at] != c)
		return false;
	p->at++;
	return true;
}

static void skip_blanks(struct parser *p)
{
	while (p->at < p->length && is_blank(p->text[p->at]))
		p->at++;
}

/* The word at `at`, for error texts: up to the next blank or sign of the grammar. */
static int word_length(const struct parser *p, size_t at)
{
	size_t end = at;
	while (end < p->length && end - at < 20 && !strchr(" \t|,-/", p->text[end]))
		end++;
	if (end == at && at < p->length)
		end++;
	while (end < p->length && end - at < 24 && ((unsigned char)p->text[end] & 0xC0u) == 0x80u)
		end++; /* not in the middle of a character */
	return (int)(end - at);
}

static int refuse(struct parser *p, const struct cron_bounds *bounds, size_t at)
{
	if (at >= p->length)
		return ml_error_set_at(p->err, -EINVAL, (long long)at,
			"the pattern ends here: expected a %s, %s", bounds->name, bounds->expected);
	if (is_blank(p->text[at]))
		return ml_error_set_at(p->err, -EINVAL, (long long)at,
			"a blank where a %s is expected, %s", bounds->name, bounds->expected);
	const char *hint =
		bounds->first == 0 && bounds->names && p->text[at] == '7' ? "; Sunday is 0" : "";
	return ml_error_set_at(p->err, -EINVAL, (long long)at, "%s '%.*s': expected %s%s",
		bounds->name, word_length(p, at), p->text + at, bounds->expected, hint);
}

static int parse_number(struct parser *p, unsigned limit, unsigned *ret)
{
	unsigned value = 0;
	const size_t begin = p->at;
	while (is_digit(peek(p))) {
		value = value * 10 + (unsigned)(p->text[p->at++] - '0');
		if (value > limit)
			return -ERANGE;
	}
	*ret = value;
	return p->at == begin ? -EINVAL : 0;
}

static int parse_value(struct parser *p, const struct cron_bounds *bounds, uint8_t *ret)
{
	const size_t begin = p->at;
	if (is_letter(peek(p)) && bounds->names) {
		while (is_letter(peek(p)))
			p->at++;
		for (unsigned v = bounds->first; p->at - begin == 3 && v <= bounds->last; v++) {
			if (strncasecmp(p->text + begin, bounds->names[v - bounds->first], 3) ==
				0) {
				*ret = (uint8_t)v;
				return 0;
			}
		}
		return refuse(p, bounds, begin);
	}
	unsigned value = 0;
	if (parse_number(p, bounds->last, &value) != 0 || value < bounds->first)
		return refuse(p, bounds, begin);
	*ret = (uint8_t)value;
	return 0;
}

/* The step after a range, if there is one. */
static int parse_step(struct parser *p, unsigned *ret)
{
	*ret = 1;
	if (!take(p, '/'))
		return 0;
	const size_t begin = p->at;
	const int r = parse_number(p, 1000, ret);
	if (r != 0 || *ret < 1)
		return ml_error_set_at(p->err, -EINVAL, (long long)begin,
			"step '%.*s': expected a number from 1 to 1000", word_length(p, begin),
			p->text + begin);
	return 0;
}

static int parse_draw(struct parser *p, const struct cron_bounds *bounds,
	struct cron_values *values, size_t begin)
{
	struct cron_draw draw = {bounds->first, bounds->last};
	if (is_digit(peek(p)) || is_letter(peek(p))) {
		int r = parse_value(p, bounds, &draw.first);
		if (r != 0)
			return r;
		if (!take(p, '-'))
			return ml_error_set_at(p->err, -EINVAL, (long long)p->at,
				"expected '-' here: a draw is ? alone or a range, as in ?%u-%u",
				draw.first, bounds->last);
		r = parse_value(p, bounds, &draw.last);
		if (r != 0)
			return r;
	}
	if (values->draw_count == CRON_DRAWS_MAX)
		return ml_error_set_at(p->err, -EINVAL, (long long)begin,
			"more than %d draws (?) in one field", CRON_DRAWS_MAX);
	values->draws[values->draw_count++] = draw;
	return 0;
}

/* One item of a field's list. */
static int parse_item(
	struct parser *p, const struct cron_bounds *bounds, struct cron_values *values)
{
	const size_t begin = p->at;
	if (take(p, '?'))
		return parse_draw(p, bounds, values, begin);
	if (bounds == &cron_bounds[CRON_DAY] && (take(p, 'L') || take(p, 'l'))) {
		values->fixed |= UINT64_C(1) << CRON_LAST_DAY;
		return 0;
	}
	uint8_t first = bounds->first;
	uint8_t last = bounds->last;
	bool range = take(p, '*');
	if (!range) {
		int r = parse_value(p, bounds, &first);
		last = first;
		range = r == 0 && take(p, '-');
		if (r == 0 && range)
			r = parse_value(p, bounds, &last);
		if (r != 0)
			return r;
	}
	if (!range && peek(p) == '/')
		return ml_error_set_at(p->err, -EINVAL, (long long)p->at,
			"a step needs a range before it: %u-%u/… or */…", first, bounds->last);
	unsigned step = 1;
	const int r = parse_step(p, &step);
	if (r != 0)
		return r;
	const unsigned size = bounds->last - bounds->first + 1u;
	const unsigned span = first <= last ? (unsigned)last - first : last + size - first;
	for (unsigned i = 0; i <= span; i += step)
		values->fixed |= UINT64_C(1)
				 << (bounds->first + (first - bounds->first + i) % size);
	return 0;
}

static int parse_field(
	struct parser *p, const struct cron_bounds *bounds, struct cron_values *values)
{
	do {
		const int r = parse_item(p, bounds, values);
		if (r != 0)
			return r;
	} while (take(p, ','));
	const char next = peek(p);
	if (p->at < p->length && !is_blank(next) && next != '|')
		return ml_error_set_at(p->err, -EINVAL, (long long)p->at,
			"'%.*s' after a %s: expected a blank, or ',' and another %s",
			word_length(p, p->at), p->text + p->at, bounds->name, bounds->name);
	return 0;
}

static int parse_alternative(struct parser *p, struct cron_alternative *alternative)
{
	for (int f = 0; f < CRON_FIELDS; f++) {
		skip_blanks(p);
		if (p->at == p->length || peek(p) == '|')
			return ml_error_set_at(p->err, -EINVAL, (long long)p->at,
				"%d of 5 fields: expected the %s here (minute hour day-of-month "
				"month weekday)",
				f, cron_bounds[f].name);
		const int r = parse_field(p, &cron_bounds[f], &alternative->fields[f]);
		if (r != 0)
			return r;
	}
	skip_blanks(p);
	if (p->at < p->length && peek(p) != '|')
		return ml_error_set_at(p->err, -EINVAL, (long long)p->at,
			"'%.*s' after the fifth field: expected the end, or '|' and another "
			"pattern",
			word_length(p, p->at), p->text + p->at);
	return 0;
}

uint64_t cron_hash(uint64_t hash, uint64_t value)
{
	/* splitmix64's finish: good enough that neighbouring serial numbers draw apart. */
	uint64_t z = hash + value + UINT64_C(0x9E3779B97F4A7C15);
	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static uint64_t hash_pattern(const char *text, size_t length)
{
	uint64_t hash = 0;
	char before = '|';
	for (size_t i = 0; i < length; i++) {
		if (is_blank(text[i]))
			continue;
		if (i > 0 && is_blank(text[i - 1]) && before != '|' && text[i] != '|')
			hash = cron_hash(hash, ' ');
		before = text[i];
		hash = cron_hash(hash, (unsigned char)before);
	}
	return hash;
}

uint64_t cron_seed(const char *serial)
{
	uint64_t hash = 1;
	for (const char *c = serial; *c; c++)
		hash = cron_hash(hash, (unsigned char)*c);
	return hash;
}

int cron_parse(const char *text, size_t length, struct cron *ret_cron, struct ml_error *err)
{
	memset(ret_cron, 0, sizeof *ret_cron);
	if (length > CRON_PATTERN_MAX)
		return ml_error_set_at(err, -EINVAL, CRON_PATTERN_MAX,
			"a pattern of %zu bytes: expected at most %d", length, CRON_PATTERN_MAX);
	struct parser p = {.text = text, .length = length, .err = err};
	do {
		if (ret_cron->count == CRON_ALTERNATIVES_MAX)
			return ml_error_set_at(err, -EINVAL, (long long)p.at,
				"more than %d patterns joined by '|'", CRON_ALTERNATIVES_MAX);
		const int r = parse_alternative(&p, &ret_cron->alternatives[ret_cron->count++]);
		if (r != 0) {
			ret_cron->count = 0;
			return r;
		}
	} while (take(&p, '|'));
	ret_cron->hash = hash_pattern(text, length);
	return 0;
}
