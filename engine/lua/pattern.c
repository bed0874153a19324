/* Lua patterns with a limit on the work of a match.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pattern.h"

#include <ctype.h>
#include <string.h>

enum { ESCAPE = '%', BYTES_A_STEP = 8 };

/* ---- Checking ---- */

/* The character after a set "[...]" that begins at p, NULL where it does not end. A ']' that comes
 * first stands for itself. */
static const char *set_end(const char *p, const char *end)
{
	p++;
	if (p < end && *p == '^')
		p++;
	for (bool first = true; p < end; first = false) {
		if (*p == ']' && !first)
			return p + 1;
		if (*p == ESCAPE && ++p == end)
			return NULL;
		p++;
	}
	return NULL;
}

/* The character after the single-character item at p; the pattern has been checked. */
static const char *item_end(const char *p, const char *end)
{
	if (*p == '[')
		return set_end(p, end);
	return p + (*p == ESCAPE ? 2 : 1);
}

static const char *check_escape(const struct pattern *pattern, const char **at)
{
	const char *p = *at + 1;
	const char *end = pattern->end;
	if (p == end)
		return "malformed pattern (ends with '%')";
	if (*p == 'b') {
		if (end - p < 3)
			return "malformed pattern (missing arguments to '%b')";
		*at = p + 3;
	} else if (*p == 'f') {
		if (p + 1 == end || p[1] != '[')
			return "missing '[' after '%f' in pattern";
		*at = set_end(p + 1, end);
		if (!*at)
			return "malformed pattern (missing ']')";
	} else {
		if (*p >= '0' && *p <= '9') {
			const unsigned index = (unsigned)(*p - '1');
			if (*p == '0' || index >= pattern->captures_count ||
				pattern->captures[index].close == 0)
				return "invalid capture index in pattern";
		}
		*at = p + 1;
	}
	return NULL;
}

static const char *check_close(struct pattern *pattern, const char *p)
{
	for (unsigned i = pattern->captures_count; i-- > 0;) {
		if (pattern->captures[i].close == 0) {
			pattern->captures[i].close = (uint32_t)(p - pattern->begin);
			return NULL;
		}
	}
	return "invalid pattern capture (')' without '(')";
}

static const char *check_open(struct pattern *pattern, const char **at)
{
	if (pattern->captures_count == PATTERN_CAPTURES_MAX)
		return "too many captures in pattern (at most 32)";
	struct pattern_capture *capture = &pattern->captures[pattern->captures_count++];
	const char *p = *at;
	*capture = (struct pattern_capture){.open = (uint32_t)(p - pattern->begin)};
	capture->is_position = p + 1 < pattern->end && p[1] == ')';
	if (capture->is_position)
		capture->close = capture->open + 1;
	*at = p + (capture->is_position ? 2 : 1);
	return NULL;
}

const char *pattern_init(struct pattern *pattern, const char *text, size_t length, bool anchors)
{
	pattern->anchored = anchors && length > 0 && text[0] == '^';
	pattern->begin = text + (pattern->anchored ? 1 : 0);
	pattern->end = text + length;
	pattern->captures_count = 0;
	if (length >= UINT32_MAX)
		return "pattern too long";
	const char *wrong = NULL;
	for (const char *p = pattern->begin; p < pattern->end && !wrong;) {
		switch (*p) {
		case '(':
			wrong = check_open(pattern, &p);
			break;
		case ')':
			wrong = check_close(pattern, p++);
			break;
		case '[':
			p = set_end(p, pattern->end);
			if (!p)
				return "malformed pattern (missing ']')";
			break;
		case ESCAPE:
			wrong = check_escape(pattern, &p);
			break;
		default:
			p++;
		}
	}
	for (unsigned i = 0; i < pattern->captures_count && !wrong; i++) {
		if (pattern->captures[i].close == 0)
			wrong = "unfinished capture in pattern (missing ')')";
	}
	return wrong;
}

/* ---- Single characters ---- */

static bool in_class(unsigned char c, char class)
{
	int result;
	switch (class | 0x20) {
	case 'a':
		result = isalpha(c);
		break;
	case 'c':
		result = iscntrl(c);
		break;
	case 'd':
		result = isdigit(c);
		break;
	case 'g':
		result = isgraph(c);
		break;
	case 'l':
		result = islower(c);
		break;
	case 'p':
		result = ispunct(c);
		break;
	case 's':
		result = isspace(c);
		break;
	case 'u':
		result = isupper(c);
		break;
	case 'w':
		result = isalnum(c);
		break;
	case 'x':
		result = isxdigit(c);
		break;
	case 'z': /* of Lua 5.1; still understood by 5.4 */
		result = c == 0;
		break;
	default:
		return (unsigned char)class == c;
	}
	return isupper((unsigned char)class) ? !result : result != 0;
}

/* p is at '[', end after the ']' that closes it. */
static bool in_set(unsigned char c, const char *p, const char *end)
{
	const char *last = end - 1;
	p++;
	const bool negated = *p == '^';
	if (negated)
		p++;
	while (p < last) {
		if (*p == ESCAPE) {
			if (in_class(c, p[1]))
				return !negated;
			p += 2;
		} else if (last - p > 2 && p[1] == '-') {
			if ((unsigned char)p[0] <= c && c <= (unsigned char)p[2])
				return !negated;
			p += 3;
		} else {
			if ((unsigned char)*p == c)
				return !negated;
			p++;
		}
	}
	return negated;
}

static bool matches_item(
	const struct pattern *pattern, const char *s, const char *p, const char *end)
{
	if (s >= pattern->subject_end)
		return false;
	switch (*p) {
	case '.':
		return true;
	case ESCAPE:
		return in_class((unsigned char)*s, p[1]);
	case '[':
		return in_set((unsigned char)*s, p, end);
	default:
		return *p == *s;
	}
}

/* ---- Matching ---- */

static bool spend(struct pattern *pattern, ptrdiff_t steps)
{
	pattern->steps -= steps;
	if (pattern->steps >= 0)
		return true;
	pattern->stop = PATTERN_TOO_LONG;
	return false;
}

/* What it costs to look at one character by the item from p to end. */
static ptrdiff_t item_cost(const char *p, const char *end)
{
	return 1 + (end - p) / BYTES_A_STEP;
}

static const char *match(struct pattern *pattern, const char *s, const char *p);

/* "*" and "+": as many as there are, then fewer. */
static const char *match_most(
	struct pattern *pattern, const char *s, const char *p, const char *end, ptrdiff_t least)
{
	const ptrdiff_t cost = item_cost(p, end);
	ptrdiff_t count = 0;
	while (matches_item(pattern, s + count, p, end)) {
		count++;
		if (!spend(pattern, cost))
			return NULL;
	}
	for (; count >= least; count--) {
		const char *result = match(pattern, s + count, end + 1);
		if (result || pattern->stop != PATTERN_GOING)
			return result;
	}
	return NULL;
}

/* "-": as few as will do. */
static const char *match_fewest(
	struct pattern *pattern, const char *s, const char *p, const char *end)
{
	const ptrdiff_t cost = item_cost(p, end);
	for (;;) {
		const char *result = match(pattern, s, end + 1);
		if (result || pattern->stop != PATTERN_GOING)
			return result;
		if (!matches_item(pattern, s, p, end) || !spend(pattern, cost))
			return NULL;
		s++;
	}
}

/* "%bxy" at p: from x to the y that balances it. */
static const char *match_balance(struct pattern *pattern, const char *s, const char *p)
{
	const char opens = p[2], closes = p[3];
	if (s >= pattern->subject_end || *s != opens)
		return NULL;
	size_t depth = 1;
	for (const char *at = s + 1; at < pattern->subject_end; at++) {
		if (*at == closes) {
			if (--depth == 0)
				return spend(pattern, (at - s) / BYTES_A_STEP) ? at + 1 : NULL;
		} else if (*at == opens) {
			depth++;
		}
	}
	(void)spend(pattern, (pattern->subject_end - s) / BYTES_A_STEP);
	return NULL;
}

/* "%f[set]" with the set from p to end: between a character outside and one inside. */
static bool match_frontier(
	const struct pattern *pattern, const char *s, const char *p, const char *end)
{
	const char before = s == pattern->subject ? '\0' : s[-1];
	const char after = s < pattern->subject_end ? *s : '\0';
	return !in_set((unsigned char)before, p, end) && in_set((unsigned char)after, p, end);
}

/* "%1" to "%9": what that capture matched, once more. */
static const char *match_again(struct pattern *pattern, const char *s, const char *p)
{
	const struct pattern_capture *capture = &pattern->captures[p[1] - '1'];
	const ptrdiff_t length = capture->end - capture->begin;
	if (capture->is_position)
		return NULL; /* a position is no text */
	if (pattern->subject_end - s < length || !spend(pattern, length / BYTES_A_STEP))
		return NULL;
	return memcmp(s, capture->begin, (size_t)length) == 0 ? s + length : NULL;
}

static void note_open(struct pattern *pattern, const char *s, const char *p)
{
	const uint32_t at = (uint32_t)(p - pattern->begin);
	for (unsigned i = 0; i < pattern->captures_count; i++) {
		if (pattern->captures[i].open == at)
			pattern->captures[i].begin = pattern->captures[i].end = s;
	}
}

static void note_close(struct pattern *pattern, const char *s, const char *p)
{
	const uint32_t at = (uint32_t)(p - pattern->begin);
	for (unsigned i = 0; i < pattern->captures_count; i++) {
		if (pattern->captures[i].close == at)
			pattern->captures[i].end = s;
	}
}

/* "%b", "%f" and "%1" at *p: moves *s and *p behind them. false: no match. */
static bool match_special(struct pattern *pattern, const char **s, const char **p)
{
	const char kind = (*p)[1];
	if (kind == 'b') {
		*s = match_balance(pattern, *s, *p);
		*p += 4;
	} else if (kind == 'f') {
		const char *set = *p + 2, *end = set_end(set, pattern->end);
		if (!spend(pattern, (end - set) / BYTES_A_STEP))
			return false;
		if (!match_frontier(pattern, *s, set, end))
			return false;
		*p = end;
	} else {
		*s = match_again(pattern, *s, *p);
		*p += 2;
	}
	return *s != NULL;
}

/* One item with what repeats it, at *p. true: goes on at *s and *p; false: *s is the result. */
static bool match_item(struct pattern *pattern, const char **s, const char **p)
{
	const char *end = item_end(*p, pattern->end);
	if (!spend(pattern, (end - *p) / BYTES_A_STEP)) {
		*s = NULL;
		return false;
	}
	switch (end < pattern->end ? *end : '\0') {
	case '*':
		*s = match_most(pattern, *s, *p, end, 0);
		return false;
	case '+':
		*s = match_most(pattern, *s, *p, end, 1);
		return false;
	case '-':
		*s = match_fewest(pattern, *s, *p, end);
		return false;
	case '?':
		if (matches_item(pattern, *s, *p, end)) {
			const char *result = match(pattern, *s + 1, end + 1);
			if (result || pattern->stop != PATTERN_GOING) {
				*s = result;
				return false;
			}
		}
		*p = end + 1;
		return true;
	default:
		if (!matches_item(pattern, *s, *p, end)) {
			*s = NULL;
			return false;
		}
		(*s)++;
		*p = end;
		return true;
	}
}

/* The rest of the pattern from p, at s. Goes deeper only where it may have to come back. */
static const char *match(struct pattern *pattern, const char *s, const char *p)
{
	if (pattern->depth == PATTERN_DEPTH_MAX) {
		pattern->stop = PATTERN_TOO_DEEP;
		return NULL;
	}
	pattern->depth++;
	while (s && p < pattern->end) {
		if (!spend(pattern, 1)) {
			s = NULL;
		} else if (*p == '(') {
			note_open(pattern, s, p);
			p += p + 1 < pattern->end && p[1] == ')' ? 2 : 1;
		} else if (*p == ')') {
			note_close(pattern, s, p++);
		} else if (*p == '$' && p + 1 == pattern->end) {
			if (s != pattern->subject_end)
				s = NULL;
			p++;
		} else if (*p == ESCAPE &&
			   (p[1] == 'b' || p[1] == 'f' || isdigit((unsigned char)p[1]))) {
			if (!match_special(pattern, &s, &p))
				s = NULL;
		} else if (!match_item(pattern, &s, &p)) {
			break;
		}
	}
	pattern->depth--;
	return s;
}

const char *pattern_match(struct pattern *pattern, const char *at)
{
	pattern->depth = 0;
	pattern->stop = PATTERN_GOING;
	return match(pattern, at, pattern->begin);
}
