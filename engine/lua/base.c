/* The base, math and utf8 libraries as scripts see them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "internal.h"

#include <lualib.h>
#include <stdlib.h>
#include <string.h>

void sandbox_keep(lua_State *L, const char *const *names)
{
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		lua_pop(L, 1);
		bool keep = false;
		for (size_t i = 0; names[i] && !keep; i++)
			keep = lua_type(L, -1) == LUA_TSTRING &&
			       strcmp(names[i], lua_tostring(L, -1)) == 0;
		if (!keep) {
			lua_pushvalue(L, -1);
			lua_pushnil(L);
			lua_rawset(L, -4);
		}
	}
}

static int metered(lua_State *L)
{
	size_t work = 0;
	for (int i = lua_gettop(L); i > 0; i--) {
		if (lua_type(L, i) == LUA_TSTRING)
			work += lua_rawlen(L, i);
	}
	if (work >= 16)
		ml_lua_charge(L, (int64_t)(work / 16));
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

void sandbox_set_metered(lua_State *L, const char *name, lua_CFunction function)
{
	lua_pushcfunction(L, function);
	lua_pushcclosure(L, metered, 1);
	lua_setfield(L, -2, name);
}

/* ---- Text ---- */

const char *sandbox_text(lua_State *L, int index, size_t *length)
{
	index = lua_absindex(L, index);
	if (luaL_callmeta(L, index, "__tostring")) {
		if (!lua_isstring(L, -1))
			(void)luaL_error(L, "'__tostring' must return a string");
		return lua_tolstring(L, -1, length);
	}
	switch (lua_type(L, index)) {
	case LUA_TNIL:
	case LUA_TBOOLEAN:
	case LUA_TNUMBER:
	case LUA_TSTRING:
		return luaL_tolstring(L, index, length);
	default:
		/* Lua would show the address: different in each run, and not a script's business.
		 */
		if (luaL_getmetafield(L, index, "__name") != LUA_TSTRING)
			lua_pushstring(L, luaL_typename(L, index));
		return lua_tolstring(L, -1, length);
	}
}

static int base_tostring(lua_State *L)
{
	luaL_checkany(L, 1);
	(void)sandbox_text(L, 1, NULL);
	return 1;
}

static int base_print(lua_State *L)
{
	const struct ml_sandbox *sb = sandbox_of(L);
	char line[ML_SANDBOX_PRINT_MAX + 1];
	size_t used = 0;
	const int count = lua_gettop(L);
	bool cut = false;
	for (int i = 1; i <= count && !cut; i++) {
		size_t length;
		const char *text = sandbox_text(L, i, &length);
		if (i > 1 && used < sizeof line - 1)
			line[used++] = '\t';
		cut = length > sizeof line - 1 - used;
		if (cut) {
			length = sizeof line - 1 - used;
			while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
				length--; /* cut between two characters */
		}
		memcpy(line + used, text, length);
		used += length;
		lua_pop(L, 1);
	}
	line[used] = '\0';
	ml_lua_charge(L, 20 + (int64_t)used / 16);
	if (sb->print)
		sb->print(sb->user, line, used);
	return 0;
}

/* ---- Errors ---- */

static int base_pcall(lua_State *L)
{
	luaL_checkany(L, 1);
	lua_pushboolean(L, 1);
	lua_insert(L, 1);
	const int status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
	struct ml_sandbox *sb = sandbox_of(L);
	if (sb->overrun != OVERRUN_NONE)
		return sandbox_overrun(L, sb->overrun);
	if (status == LUA_ERRMEM)
		return sandbox_overrun(L, OVERRUN_MEMORY);
	if (status != LUA_OK) {
		lua_pushboolean(L, 0);
		lua_replace(L, 1);
	}
	return lua_gettop(L);
}

/* ---- Tables ---- */

static int base_setmetatable(lua_State *L)
{
	static const char *const refused[] = {"__gc", "__close"};
	luaL_checktype(L, 1, LUA_TTABLE);
	if (lua_type(L, 2) != LUA_TNIL)
		luaL_checktype(L, 2, LUA_TTABLE);
	if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
		return luaL_error(L, "cannot change a protected metatable");
	for (size_t i = 0; i < 2 && lua_istable(L, 2); i++) {
		lua_pushstring(L, refused[i]);
		if (lua_rawget(L, 2) != LUA_TNIL)
			return luaL_error(L, "a metatable here cannot have %s", refused[i]);
		lua_pop(L, 1);
	}
	lua_settop(L, 2);
	lua_setmetatable(L, 1);
	return 1;
}

/* A key of a table that pairs() puts in order. */
struct key {
	int rank;          /* numbers, texts, booleans, the rest */
	lua_Integer place; /* in the list of keys, from 1 */
	bool is_integer;
	lua_Integer integer; /* or the boolean */
	lua_Number number;
	const char *text;
	size_t length;
};

static int compare_numbers(const struct key *a, const struct key *b)
{
	if (a->is_integer && b->is_integer)
		return (a->integer > b->integer) - (a->integer < b->integer);
	return (a->number > b->number) - (a->number < b->number);
}

static int compare_keys(const void *first, const void *second)
{
	const struct key *a = first, *b = second;
	int order = a->rank - b->rank;
	if (order == 0 && a->rank == 0) {
		order = compare_numbers(a, b);
	} else if (order == 0 && a->rank == 1) {
		order = memcmp(a->text, b->text, a->length < b->length ? a->length : b->length);
		if (order == 0)
			order = (a->length > b->length) - (a->length < b->length);
	} else if (order == 0 && a->rank == 2) {
		order = (int)(a->integer - b->integer);
	}
	return order ? order : (a->place > b->place) - (a->place < b->place);
}

static void describe_key(lua_State *L, int index, struct key *key)
{
	switch (lua_type(L, index)) {
	case LUA_TNUMBER:
		key->rank = 0;
		key->is_integer = lua_isinteger(L, index);
		key->integer = key->is_integer ? lua_tointeger(L, index) : 0;
		key->number = lua_tonumber(L, index);
		break;
	case LUA_TSTRING:
		key->rank = 1;
		key->text = lua_tolstring(L, index, &key->length);
		break;
	case LUA_TBOOLEAN:
		key->rank = 2;
		key->integer = lua_toboolean(L, index);
		break;
	default:
		key->rank = 3;
	}
}

void ml_lua_keys(lua_State *L, int index)
{
	const int table = lua_absindex(L, index);
	luaL_checkstack(L, 6, "too many values");
	lua_newtable(L);
	const int list = lua_gettop(L);
	lua_Integer count = 0;
	bool in_order = true;
	lua_pushnil(L);
	while (lua_next(L, table)) {
		lua_pop(L, 1);
		ml_lua_charge(L, 1);
		count++;
		in_order = in_order && lua_isinteger(L, -1) && lua_tointeger(L, -1) == count;
		lua_pushvalue(L, -1);
		lua_rawseti(L, list, count);
	}
	if (in_order) /* 1, 2, 3 … */
		return;
	ml_lua_charge(L, count * 4);
	struct key *keys = lua_newuserdatauv(L, (size_t)count * sizeof *keys, 0);
	memset(keys, 0, (size_t)count * sizeof *keys);
	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(L, list, i);
		keys[i - 1].place = i;
		describe_key(L, -1, &keys[i - 1]);
		lua_pop(L, 1);
	}
	qsort(keys, (size_t)count, sizeof *keys, compare_keys);
	lua_createtable(L, (int)count, 0);
	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(L, list, keys[i - 1].place);
		lua_rawseti(L, -2, i);
	}
	lua_replace(L, list);
	lua_settop(L, list);
}

/* Upvalues: the list of keys, the place in it. */
static int pairs_next(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_Integer place = lua_tointeger(L, lua_upvalueindex(2));
	for (;;) {
		if (lua_rawgeti(L, lua_upvalueindex(1), ++place) == LUA_TNIL)
			return 1;
		lua_pushvalue(L, -1);
		if (lua_rawget(L, 1) != LUA_TNIL)
			break;
		lua_pop(L, 2); /* taken out meanwhile */
		ml_lua_charge(L, 1);
	}
	lua_pushinteger(L, place);
	lua_replace(L, lua_upvalueindex(2));
	return 2;
}

static int base_pairs(lua_State *L)
{
	luaL_checkany(L, 1);
	if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
		lua_pushvalue(L, 1);
		lua_call(L, 1, 3);
		return 3;
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	ml_lua_keys(L, 1);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, pairs_next, 2);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

/* ---- Libraries ---- */

void sandbox_open_base(lua_State *L)
{
	static const char *const kept[] = {"_G", "_VERSION", "assert", "error", "getmetatable",
		"ipairs", "next", "rawequal", "rawget", "rawlen", "rawset", "select", "type", NULL};
	static const luaL_Reg ours[] = {
		{"pairs", base_pairs},
		{"pcall", base_pcall},
		{"print", base_print},
		{"setmetatable", base_setmetatable},
		{"tostring", base_tostring},
		{NULL, NULL},
	};
	luaL_requiref(L, LUA_GNAME, luaopen_base, 1);
	lua_getfield(L, -1, "tonumber");
	const lua_CFunction number = lua_tocfunction(L, -1);
	lua_pop(L, 1);
	sandbox_keep(L, kept);
	luaL_setfuncs(L, ours, 0);
	sandbox_set_metered(L, "tonumber", number);
	lua_pop(L, 1);
}

void sandbox_open_math(lua_State *L, uint64_t seed)
{
	/* Not randomseed: without an argument it asks for the time. */
	static const char *const kept[] = {"abs", "acos", "asin", "atan", "ceil", "cos", "deg",
		"exp", "floor", "fmod", "huge", "log", "max", "maxinteger", "min", "mininteger",
		"modf", "pi", "rad", "random", "sin", "sqrt", "tan", "tointeger", "type", "ult",
		NULL};
	luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 1);
	lua_getfield(L, -1, "randomseed");
	lua_pushinteger(L, (lua_Integer)seed);
	lua_call(L, 1, 0);
	sandbox_keep(L, kept);
	lua_pop(L, 1);
}

void sandbox_open_utf8(lua_State *L)
{
	static const char *const kept[] = {
		"char", "charpattern", "codepoint", "codes", "len", "offset", NULL};
	static const char *const metered_names[] = {"codepoint", "len", "offset", NULL};
	luaL_requiref(L, LUA_UTF8LIBNAME, luaopen_utf8, 1);
	sandbox_keep(L, kept);
	for (size_t i = 0; metered_names[i]; i++) {
		lua_getfield(L, -1, metered_names[i]);
		const lua_CFunction function = lua_tocfunction(L, -1);
		lua_pop(L, 1);
		sandbox_set_metered(L, metered_names[i], function);
	}
	lua_pop(L, 1);
}
