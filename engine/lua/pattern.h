/* Lua patterns with a limit on the work of a match. Pure: no Lua state, no allocation.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The language is that of the Lua 5.4 manual, 6.4.1. A pattern is checked whole before it is
 * matched, so a match itself can only be refused for its work or its depth. As patterns have no
 * alternatives and no repeated groups, the place of each capture in the pattern is known from that
 * check, and going back in a match has nothing to undo.
 */
#ifndef METERLOOM_LUA_PATTERN_H
#define METERLOOM_LUA_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PATTERN_CAPTURES_MAX = 32,
	PATTERN_DEPTH_MAX = 200, /* repetitions in one pattern that a match can be within at once */
};

struct pattern_capture {
	uint32_t open, close;    /* of its parentheses, offset in the pattern */
	bool is_position;        /* "()" */
	const char *begin, *end; /* what it matched */
};

enum pattern_stop { PATTERN_GOING, PATTERN_TOO_LONG, PATTERN_TOO_DEEP };

struct pattern {
	const char *begin, *end; /* of the pattern, without a '^' that anchors */
	bool anchored;
	unsigned captures_count;
	struct pattern_capture captures[PATTERN_CAPTURES_MAX];
	const char *subject, *subject_end;
	int64_t steps; /* work left; about one for each character looked at */
	unsigned depth;
	enum pattern_stop stop;
};

/* Checks `text` and makes a pattern of it; the text must outlive it. `anchors`: a leading '^' ties
 * it to the start. Returns NULL, or what is wrong with it. */
const char *pattern_init(struct pattern *pattern, const char *text, size_t length, bool anchors);

/* Matches at `at`, within subject to subject_end. Returns the end of the match or NULL; then
 * pattern->stop tells a real "no" from a match that was given up. */
const char *pattern_match(struct pattern *pattern, const char *at);

#endif
