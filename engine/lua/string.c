/* The string library as scripts see it: patterns of our own matcher, and all work charged.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "internal.h"
#include "pattern.h"

#include <lualib.h>
#include <string.h>

enum { BYTES_A_STEP = 16 };

/* ---- Patterns ---- */

/* A place in a string as scripts count it (from 1, negative from the end) as an offset from 0; may
 * lie outside. */
static lua_Integer offset_of(lua_Integer place, size_t length)
{
	if (place > 0)
		return place - 1;
	if (place == 0)
		return 0;
	return place < -(lua_Integer)length ? 0 : (lua_Integer)length + place;
}

static void begin_pattern(lua_State *L, struct pattern *pattern, const char *subject, size_t length,
	int pattern_arg, bool anchors)
{
	size_t pattern_length;
	const char *text = luaL_checklstring(L, pattern_arg, &pattern_length);
	ml_lua_charge(L, 10 + (int64_t)pattern_length / BYTES_A_STEP);
	const char *wrong = pattern_init(pattern, text, pattern_length, anchors);
	if (wrong)
		(void)luaL_argerror(L, pattern_arg, wrong);
	pattern->subject = subject;
	pattern->subject_end = subject + length;
}

/* One try at one place; the work comes off the budget. */
static const char *try_match(lua_State *L, struct pattern *pattern, const char *at)
{
	const int64_t budget = sandbox_of(L)->budget;
	pattern->steps = budget;
	const char *end = pattern_match(pattern, at);
	ml_lua_charge(L, budget - pattern->steps); /* all of it and more after PATTERN_TOO_LONG */
	if (pattern->stop == PATTERN_TOO_DEEP)
		(void)luaL_error(
			L, "pattern too complex (more than %d repetitions)", PATTERN_DEPTH_MAX);
	return end;
}

/* The first match at or after *at, which is moved to its begin. */
static const char *search(lua_State *L, struct pattern *pattern, const char **at)
{
	for (;;) {
		const char *end = try_match(L, pattern, *at);
		if (end || pattern->anchored || *at == pattern->subject_end)
			return end;
		(*at)++;
	}
}

static void push_capture(lua_State *L, const struct pattern *pattern, unsigned index)
{
	const struct pattern_capture *capture = &pattern->captures[index];
	if (capture->is_position)
		lua_pushinteger(L, capture->begin - pattern->subject + 1);
	else
		lua_pushlstring(L, capture->begin, (size_t)(capture->end - capture->begin));
}

/* All captures, or the whole match where there are none. Returns how many. */
static int push_captures(
	lua_State *L, const struct pattern *pattern, const char *begin, const char *end)
{
	luaL_checkstack(L, PATTERN_CAPTURES_MAX + 1, "too many captures");
	if (pattern->captures_count == 0) {
		lua_pushlstring(L, begin, (size_t)(end - begin));
		return 1;
	}
	for (unsigned i = 0; i < pattern->captures_count; i++)
		push_capture(L, pattern, i);
	return (int)pattern->captures_count;
}

static bool is_plain(const char *text, size_t length)
{
	static const char special[] = "^$*+?.([%-";
	for (size_t i = 0; i < length; i++) {
		if (memchr(special, text[i], sizeof special - 1))
			return false;
	}
	return true;
}

static int find_plain(lua_State *L, const char *subject, size_t length, size_t from)
{
	size_t wanted_length;
	const char *wanted = lua_tolstring(L, 2, &wanted_length);
	ml_lua_charge(L, (int64_t)(length - from + wanted_length) / BYTES_A_STEP);
	const char *found = memmem(subject + from, length - from, wanted, wanted_length);
	if (!found) {
		luaL_pushfail(L);
		return 1;
	}
	lua_pushinteger(L, found - subject + 1);
	lua_pushinteger(L, found - subject + (lua_Integer)wanted_length);
	return 2;
}

static int find_or_match(lua_State *L, bool find)
{
	size_t length, pattern_length;
	const char *subject = luaL_checklstring(L, 1, &length);
	const char *text = luaL_checklstring(L, 2, &pattern_length);
	const lua_Integer from = offset_of(luaL_optinteger(L, 3, 1), length);
	if (from > (lua_Integer)length) {
		luaL_pushfail(L);
		return 1;
	}
	ml_lua_charge(L, (int64_t)pattern_length / BYTES_A_STEP);
	if (find && (lua_toboolean(L, 4) || is_plain(text, pattern_length)))
		return find_plain(L, subject, length, (size_t)from);
	struct pattern pattern;
	begin_pattern(L, &pattern, subject, length, 2, true);
	const char *at = subject + from;
	const char *end = search(L, &pattern, &at);
	if (!end) {
		luaL_pushfail(L);
		return 1;
	}
	if (!find)
		return push_captures(L, &pattern, at, end);
	lua_pushinteger(L, at - subject + 1);
	lua_pushinteger(L, end - subject);
	return 2 + (pattern.captures_count ? push_captures(L, &pattern, at, end) : 0);
}

static int string_find(lua_State *L)
{
	return find_or_match(L, true);
}

static int string_match(lua_State *L)
{
	return find_or_match(L, false);
}

/* Upvalues: subject, pattern, offset to go on from, offset where the last match ended (-1: none).
 */
static int gmatch_next(lua_State *L)
{
	size_t length;
	lua_settop(L, 0);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_pushvalue(L, lua_upvalueindex(2));
	const char *subject = lua_tolstring(L, 1, &length);
	const lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
	struct pattern pattern;
	begin_pattern(L, &pattern, subject, length, 2, false);
	const char *at = subject + lua_tointeger(L, lua_upvalueindex(3));
	while (at <= pattern.subject_end) {
		const char *end = search(L, &pattern, &at);
		if (!end)
			break;
		if (end - subject == last) { /* empty, where the last one ended */
			at++;
			continue;
		}
		lua_pushinteger(L, end - subject);
		lua_copy(L, -1, lua_upvalueindex(3));
		lua_replace(L, lua_upvalueindex(4));
		return push_captures(L, &pattern, at, end);
	}
	lua_pushinteger(L, (lua_Integer)length + 1);
	lua_replace(L, lua_upvalueindex(3));
	return 0;
}

static int string_gmatch(lua_State *L)
{
	size_t length;
	const char *subject = luaL_checklstring(L, 1, &length);
	struct pattern pattern;
	begin_pattern(L, &pattern, subject, length, 2, false); /* a wrong pattern is told here */
	lua_Integer from = offset_of(luaL_optinteger(L, 3, 1), length);
	if (from > (lua_Integer)length)
		from = (lua_Integer)length + 1;
	lua_settop(L, 2);
	lua_pushinteger(L, from);
	lua_pushinteger(L, -1);
	lua_pushcclosure(L, gmatch_next, 4);
	return 1;
}

/* Adds the replacement text of gsub with its "%0" to "%9" and "%%". */
static void add_text(lua_State *L, luaL_Buffer *out, const struct pattern *pattern,
	const char *begin, const char *end)
{
	size_t length;
	const char *text = lua_tolstring(L, 3, &length);
	ml_lua_charge(L, 1 + (int64_t)length / BYTES_A_STEP);
	for (size_t i = 0; i < length; i++) {
		if (text[i] != '%') {
			luaL_addchar(out, text[i]);
			continue;
		}
		const char what = ++i < length ? text[i] : '\0';
		const unsigned index = (unsigned)(what - '1');
		if (what == '%') {
			luaL_addchar(out, '%');
		} else if (what == '0' || (what == '1' && pattern->captures_count == 0)) {
			luaL_addlstring(out, begin, (size_t)(end - begin));
		} else if (what >= '1' && what <= '9' && index < pattern->captures_count) {
			push_capture(L, pattern, index);
			(void)luaL_tolstring(L, -1, NULL);
			lua_remove(L, -2);
			luaL_addvalue(out);
		} else if (what >= '1' && what <= '9') {
			(void)luaL_error(
				L, "invalid capture index %%%d in replacement string", what - '0');
		} else {
			(void)luaL_error(L, "invalid use of '%%' in replacement string");
		}
	}
}

/* Adds what takes the place of one match. Returns whether that is something else. */
static bool add_replacement(lua_State *L, luaL_Buffer *out, const struct pattern *pattern,
	const char *begin, const char *end)
{
	switch (lua_type(L, 3)) {
	case LUA_TFUNCTION:
		lua_pushvalue(L, 3);
		lua_call(L, push_captures(L, pattern, begin, end), 1);
		break;
	case LUA_TTABLE:
		if (pattern->captures_count)
			push_capture(L, pattern, 0);
		else
			lua_pushlstring(L, begin, (size_t)(end - begin));
		lua_gettable(L, 3);
		break;
	default:
		add_text(L, out, pattern, begin, end);
		return true;
	}
	if (!lua_toboolean(L, -1)) {
		lua_pop(L, 1);
		luaL_addlstring(out, begin, (size_t)(end - begin));
		return false;
	}
	if (!lua_isstring(L, -1))
		(void)luaL_error(L,
			"invalid replacement value (a %s; a string or number is needed)",
			luaL_typename(L, -1));
	luaL_addvalue(out);
	return true;
}

static int string_gsub(lua_State *L)
{
	size_t length;
	const char *subject = luaL_checklstring(L, 1, &length);
	const int kind = lua_type(L, 3);
	const lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)length + 1);
	luaL_argexpected(L,
		kind == LUA_TNUMBER || kind == LUA_TSTRING || kind == LUA_TFUNCTION ||
			kind == LUA_TTABLE,
		3, "string/function/table");
	struct pattern pattern;
	begin_pattern(L, &pattern, subject, length, 2, true);
	lua_Integer count = 0;
	bool changed = false;
	const char *at = subject, *last = NULL;
	luaL_Buffer out;
	luaL_buffinit(L, &out);
	while (count < most) {
		const char *end = try_match(L, &pattern, at);
		if (end && end != last) {
			count++;
			changed = add_replacement(L, &out, &pattern, at, end) || changed;
			at = last = end;
		} else if (at < pattern.subject_end) {
			luaL_addchar(&out, *at++);
		} else {
			break;
		}
		if (pattern.anchored)
			break;
	}
	if (!changed) {
		lua_pushvalue(L, 1);
	} else {
		luaL_addlstring(&out, at, (size_t)(pattern.subject_end - at));
		luaL_pushresult(&out);
	}
	lua_pushinteger(L, count);
	return 2;
}

/* ---- rep and format ---- */

static int string_rep(lua_State *L)
{
	size_t length, separator_length;
	const char *text = luaL_checklstring(L, 1, &length);
	const lua_Integer count = luaL_checkinteger(L, 2);
	const char *separator = luaL_optlstring(L, 3, "", &separator_length);
	if (count <= 0 || length + separator_length == 0) {
		lua_pushliteral(L, "");
		return 1;
	}
	const size_t limit = sandbox_of(L)->memory_limit;
	if ((uint64_t)count > limit / (length + separator_length))
		return luaL_error(L, "resulting string too large");
	const size_t total = (size_t)count * (length + separator_length) - separator_length;
	ml_lua_charge(L, (int64_t)total / BYTES_A_STEP + count / 4);
	luaL_Buffer out;
	char *to = luaL_buffinitsize(L, &out, total);
	for (lua_Integer i = 0; i < count; i++) {
		memcpy(to, text, length);
		to += length;
		if (i + 1 < count) {
			memcpy(to, separator, separator_length);
			to += separator_length;
		}
	}
	luaL_pushresultsize(&out, total);
	return 1;
}

/* Upvalue: Lua's own string.format. Values that have no text of their own are given one without an
 * address first. */
static int string_format(lua_State *L)
{
	size_t length;
	const char *format = luaL_checklstring(L, 1, &length);
	const int count = lua_gettop(L);
	ml_lua_charge(L, 5 + (int64_t)length / BYTES_A_STEP);
	int arg = 1;
	for (size_t i = 0; i < length; i++) {
		if (format[i] != '%' || ++i >= length || format[i] == '%')
			continue;
		while (i < length && strchr("-+ #0123456789.", format[i]) && format[i])
			i++;
		if (i < length && format[i] == 'p')
			return luaL_error(L, "'%%p' would show an address and is not there");
		if (++arg > count || i >= length || format[i] != 's')
			continue;
		const int type = lua_type(L, arg);
		if (type != LUA_TSTRING && type != LUA_TNUMBER) {
			(void)sandbox_text(L, arg, NULL);
			lua_replace(L, arg);
			lua_settop(L, count);
		}
	}
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* ---- Library ---- */

static lua_CFunction function_of(lua_State *L, const char *name)
{
	lua_getfield(L, -1, name);
	const lua_CFunction function = lua_tocfunction(L, -1);
	lua_pop(L, 1);
	return function;
}

void sandbox_open_string(lua_State *L)
{
	static const char *const kept[] = {"byte", "char", "format", "len", "lower", "pack",
		"packsize", "reverse", "sub", "unpack", "upper", NULL};
	static const char *const metered[] = {"byte", "pack", "packsize", "unpack", NULL};
	static const luaL_Reg ours[] = {
		{"find", string_find},
		{"gmatch", string_gmatch},
		{"gsub", string_gsub},
		{"match", string_match},
		{"rep", string_rep},
		{NULL, NULL},
	};
	luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 1);
	sandbox_keep(L, kept);
	for (size_t i = 0; metered[i]; i++)
		sandbox_set_metered(L, metered[i], function_of(L, metered[i]));
	lua_pushcfunction(L, function_of(L, "format"));
	lua_pushcclosure(L, string_format, 1);
	lua_setfield(L, -2, "format");
	luaL_setfuncs(L, ours, 0);
	lua_pop(L, 1);

	lua_pushliteral(L, "");
	if (lua_getmetatable(L, -1)) {
		lua_pushboolean(L, 0);
		lua_setfield(L, -2, "__metatable");
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}
