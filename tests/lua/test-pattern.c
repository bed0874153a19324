/* Our pattern matcher beside Lua's own: the same answers, over written and drawn patterns.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <lua.h>

#include <lauxlib.h>
#include <lualib.h>

#include "lua/pattern.h"

/* What string.find() of Lua itself says: "error", "none" or "1-3 text position …". */
static void expected(lua_State *L, const char *s, size_t s_length, const char *p, size_t p_length,
	char *out, size_t size)
{
	lua_settop(L, 0);
	(void)lua_getglobal(L, "string");
	(void)lua_getfield(L, -1, "find");
	lua_pushlstring(L, s, s_length);
	lua_pushlstring(L, p, p_length);
	if (lua_pcall(L, 2, LUA_MULTRET, 0) != LUA_OK) {
		(void)snprintf(out, size, "error");
		return;
	}
	if (lua_isnil(L, 2)) {
		(void)snprintf(out, size, "none");
		return;
	}
	size_t used = 0;
	for (int i = 2; i <= lua_gettop(L); i++)
		used += (size_t)snprintf(
			out + used, size - used, i == 2 ? "%s" : " %s", luaL_tolstring(L, i, NULL)),
			lua_pop(L, 1);
}

static void ours(
	const char *s, size_t s_length, const char *p, size_t p_length, char *out, size_t size)
{
	struct pattern pattern;
	if (pattern_init(&pattern, p, p_length, true)) {
		(void)snprintf(out, size, "error");
		return;
	}
	pattern.subject = s;
	pattern.subject_end = s + s_length;
	pattern.steps = INT64_MAX;
	for (const char *at = s;; at++) {
		const char *end = pattern_match(&pattern, at);
		if (pattern.stop != PATTERN_GOING) {
			(void)snprintf(out, size, "error");
			return;
		}
		if (end) {
			size_t used = (size_t)snprintf(
				out, size, "%d %d", (int)(at - s) + 1, (int)(end - s));
			for (unsigned i = 0; i < pattern.captures_count; i++) {
				const struct pattern_capture *c = &pattern.captures[i];
				used += (size_t)(c->is_position
							 ? snprintf(out + used, size - used, " %d",
								   (int)(c->begin - s) + 1)
							 : snprintf(out + used, size - used,
								   " %.*s",
								   (int)(c->end - c->begin),
								   c->begin));
			}
			return;
		}
		if (pattern.anchored || at == s + s_length)
			break;
	}
	(void)snprintf(out, size, "none");
}

static void compare(lua_State *L, const char *s, size_t s_length, const char *p, size_t p_length)
{
	char theirs[4096], mine[4096];
	expected(L, s, s_length, p, p_length, theirs, sizeof theirs);
	ours(s, s_length, p, p_length, mine, sizeof mine);
	/* Lua tells some wrong patterns only when a match comes to the wrong place; we always do.
	 */
	if (strcmp(mine, "error") == 0 && strcmp(theirs, "none") == 0)
		return;
	if (strcmp(theirs, mine) != 0)
		fail_msg("'%.*s' in '%.*s': Lua says %s, we say %s", (int)p_length, p,
			(int)s_length, s, theirs, mine);
}

static int set_up(void **state)
{
	lua_State *L = luaL_newstate();
	if (!L)
		return -1;
	luaL_openlibs(L);
	*state = L;
	return 0;
}

static int tear_down(void **state)
{
	lua_close(*state);
	return 0;
}

static void test_written_patterns(void **state)
{
	static const char *const subjects[] = {"", "a", "hello world", "key = value",
		"THE (quick) fox", "x^2 + [y]", "((a)(b(c)))", "aaaab", "12.5 and -3e7", "%d$1",
		"line\nline\n", "]^-", "aXbXc"};
	static const char *const patterns[] = {"", "^", "$", "^$", "a", "^a", "a$", ".", ".*", ".-",
		".+", "l+", "lo?", "(l)(l)", "(%w+) (%w+)", "^(%w+)%s*=%s*(%w+)$", "%((%a+)%)",
		"[%[%]]", "[^%]]+", "[]]", "[^]]", "[a-c]+", "[-a]", "[a-]", "[%a-z]", "[%w_]*",
		"%b()", "%b((", "%bxx", "%f[%w]%w+", "%f[%W]", "()ll()", "()", "(a*(.)%w(%s*))",
		"(.)%1", "(a)%1", "()%1", "%d+%.?%d*", "%-?%d", "%u%l*", "%x+", "%c", "%p", "%z",
		"%S+", "%%", "[%%d]", "a*", "a-b", "a?b", "((((a))))", "^^", "$$", "a^", "$a", "*",
		"+", "-", "?", "a**", "(*)", "[a", "[", "[]", "[^]", "%", "[%", "[a%", "(", "(()",
		"())", "%1", "(%1)", "%0", "%b", "%bx", "%f", "%fa", "%f[", "%9", "(a)%2", "[a-%d]",
		"[%d-z]", "[z-a]", "[a-a]", "%y", "%.", "[.]", "[$]", "a$b", "$*", "(a", "(a))",
		"[^^]", "[%^]", "(.-)%s", "(.*)%s", "^.-$", "(()())", "X(.-)X", "[%a%d]", "[%s%p]",
		"[\x80-\xff]"};
	for (size_t s = 0; s < sizeof subjects / sizeof *subjects; s++) {
		for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++)
			compare(*state, subjects[s], strlen(subjects[s]), patterns[p],
				strlen(patterns[p]));
	}
}

static uint64_t draw(uint64_t *random)
{
	*random = *random * 6364136223846793005u + 1442695040888963407u;
	return *random >> 33;
}

static void test_drawn_patterns(void **state)
{
	static const char letters[] = "ab(.)%[]^$*+-?1fbdw\0z";
	uint64_t random = 1;
	for (int i = 0; i < 200000; i++) {
		char s[12], p[12];
		const size_t s_length = draw(&random) % sizeof s,
			     p_length = draw(&random) % sizeof p;
		for (size_t n = 0; n < s_length; n++)
			s[n] = "ab1."[draw(&random) % 4];
		for (size_t n = 0; n < p_length; n++)
			p[n] = letters[draw(&random) % (sizeof letters - 1)];
		const bool plain = p_length == 0 || !memchr(p, ')', p_length);
		if (plain || memchr(p, '(', p_length)) /* find() takes a lone ')' as it is */
			compare(*state, s, s_length, p, p_length);
	}
}

static void test_work_is_counted(void **state)
{
	(void)state;
	char subject[401];
	memset(subject, 'a', 400);
	struct pattern pattern;
	assert_null(pattern_init(&pattern, ".-.-.-.-b", 9, true));
	pattern.subject = subject;
	pattern.subject_end = subject + 400;
	pattern.steps = 100000;
	assert_null(pattern_match(&pattern, subject));
	assert_int_equal(pattern.stop, PATTERN_TOO_LONG);
	/* What is simple takes about as many steps as there are characters. */
	assert_null(pattern_init(&pattern, "a*", 2, true));
	pattern.steps = 1000;
	assert_ptr_equal(pattern_match(&pattern, subject), subject + 400);
	assert_in_range(pattern.steps, 500, 600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_written_patterns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_drawn_patterns, set_up, tear_down),
		cmocka_unit_test(test_work_is_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
