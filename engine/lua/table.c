/* The table library as scripts see it: each element touched is charged.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Written anew since a loop within a C function is not seen by the count hook, and __len or __index
 * of a script can make such a loop as long as it likes.
 */
#include "internal.h"

#include <limits.h>
#include <lualib.h>

/* Checks that argument 1 is a table (or has what stands for one) and gives its length. */
static lua_Integer table_length(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	return luaL_len(L, 1);
}

static int table_insert(lua_State *L)
{
	const lua_Integer length = table_length(L);
	if (length == LUA_MAXINTEGER)
		return luaL_error(L, "the table is too long to insert into");
	lua_Integer place = length + 1;
	switch (lua_gettop(L)) {
	case 2:
		break;
	case 3:
		place = luaL_checkinteger(L, 2);
		luaL_argcheck(L, (lua_Unsigned)place - 1u < (lua_Unsigned)length + 1u, 2,
			"position out of bounds");
		ml_lua_charge(L, length + 1 - place);
		for (lua_Integer i = length + 1; i > place; i--) {
			lua_geti(L, 1, i - 1);
			lua_seti(L, 1, i);
		}
		break;
	default:
		return luaL_error(L, "wrong number of arguments to 'insert'");
	}
	lua_seti(L, 1, place);
	return 0;
}

static int table_remove(lua_State *L)
{
	const lua_Integer length = table_length(L);
	const lua_Integer place = luaL_optinteger(L, 2, length);
	if (lua_gettop(L) > 1 && place != length) {
		luaL_argcheck(L, (lua_Unsigned)place - 1u <= (lua_Unsigned)length, 2,
			"position out of bounds");
	}
	lua_geti(L, 1, place);
	if (place < length)
		ml_lua_charge(L, length - place);
	lua_Integer i = place;
	for (; i < length; i++) {
		lua_geti(L, 1, i + 1);
		lua_seti(L, 1, i);
	}
	lua_pushnil(L);
	lua_seti(L, 1, i);
	return 1;
}

static int table_move(lua_State *L)
{
	const lua_Integer first = luaL_checkinteger(L, 2);
	const lua_Integer last = luaL_checkinteger(L, 3);
	const lua_Integer to = luaL_checkinteger(L, 4);
	const int target = lua_isnoneornil(L, 5) ? 1 : 5;
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checktype(L, target, LUA_TTABLE);
	if (last >= first) {
		luaL_argcheck(L, first > 0 || last < LUA_MAXINTEGER + first, 3,
			"too many elements to move");
		const lua_Integer count = last - first + 1;
		luaL_argcheck(L, to <= LUA_MAXINTEGER - count + 1, 4, "destination wrap around");
		ml_lua_charge(L, count);
		const bool upwards =
			to > last || to <= first || (target != 1 && !lua_rawequal(L, 1, target));
		for (lua_Integer n = 0; n < count; n++) {
			const lua_Integer i = upwards ? n : count - 1 - n;
			lua_geti(L, 1, first + i);
			lua_seti(L, target, to + i);
		}
	}
	lua_pushvalue(L, target);
	return 1;
}

static int table_concat(lua_State *L)
{
	size_t separator_length;
	lua_Integer last = table_length(L);
	const char *separator = luaL_optlstring(L, 2, "", &separator_length);
	lua_Integer i = luaL_optinteger(L, 3, 1);
	last = luaL_optinteger(L, 4, last);
	luaL_Buffer out;
	luaL_buffinit(L, &out);
	for (; i <= last; i++) {
		ml_lua_charge(L, 1);
		lua_geti(L, 1, i);
		if (!lua_isstring(L, -1)) {
			return luaL_error(L,
				"invalid value (a %s at index %I) in table for 'concat'",
				luaL_typename(L, -1), (LUAI_UACINT)i);
		}
		luaL_addvalue(&out);
		if (i == last)
			break; /* it may be the largest integer */
		luaL_addlstring(&out, separator, separator_length);
	}
	luaL_pushresult(&out);
	return 1;
}

static int table_unpack(lua_State *L)
{
	const lua_Integer first = luaL_optinteger(L, 2, 1);
	const lua_Integer last = lua_isnoneornil(L, 3) ? luaL_len(L, 1) : luaL_checkinteger(L, 3);
	if (first > last)
		return 0;
	const lua_Unsigned count = (lua_Unsigned)last - (lua_Unsigned)first;
	if (count >= INT_MAX || !lua_checkstack(L, (int)count + 1))
		return luaL_error(L, "too many results to unpack");
	ml_lua_charge(L, (int64_t)count + 1);
	for (lua_Unsigned i = 0; i <= count; i++)
		lua_geti(L, 1, (lua_Integer)((lua_Unsigned)first + i));
	return (int)count + 1;
}

/* ---- sort ---- */

enum { TABLE = 1, LESS, FROM, TO };

/* Is the value on top less than the one below it? Both stay. */
static bool is_less(lua_State *L)
{
	if (!lua_isnil(L, LESS)) {
		ml_lua_charge(L, 2);
		lua_pushvalue(L, LESS);
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -4);
		lua_call(L, 2, 1);
		const bool result = lua_toboolean(L, -1);
		lua_pop(L, 1);
		return result;
	}
	int64_t work = 3;
	if (lua_type(L, -1) == LUA_TSTRING && lua_type(L, -2) == LUA_TSTRING) {
		const size_t a = lua_rawlen(L, -1), b = lua_rawlen(L, -2);
		work += (int64_t)((a < b ? a : b) / 16);
	}
	ml_lua_charge(L, work);
	return lua_compare(L, -1, -2, LUA_OPLT);
}

/* Merges the sorted runs [begin, middle) and [middle, end) of the list at FROM into that at TO. */
static void merge(lua_State *L, lua_Integer begin, lua_Integer middle, lua_Integer end)
{
	lua_Integer left = begin, right = middle;
	for (lua_Integer out = begin; out < end; out++) {
		bool take_left = right >= end;
		if (left < middle && right < end) {
			lua_rawgeti(L, FROM, left);
			lua_rawgeti(L, FROM, right);
			take_left = !is_less(L); /* equal ones keep their order */
			lua_pop(L, 2);
		}
		lua_rawgeti(L, FROM, take_left ? left++ : right++);
		lua_rawseti(L, TO, out);
		ml_lua_charge(L, 1);
	}
}

/* A stable merge sort on a copy: when the comparison fails, the table is as it was. */
static int table_sort(lua_State *L)
{
	const lua_Integer length = table_length(L);
	if (length < 2)
		return 0;
	luaL_argcheck(L, length < INT_MAX, 1, "array too big");
	if (!lua_isnoneornil(L, LESS))
		luaL_checktype(L, LESS, LUA_TFUNCTION);
	lua_settop(L, LESS);
	ml_lua_charge(L, length);
	lua_createtable(L, 0, 0);
	lua_createtable(L, 0, 0);
	for (lua_Integer i = 1; i <= length; i++) {
		lua_geti(L, TABLE, i);
		if (lua_isnil(L, -1))
			return luaL_error(
				L, "cannot sort: there is nothing at index %I", (LUAI_UACINT)i);
		lua_rawseti(L, FROM, i);
	}
	for (lua_Integer width = 1; width < length; width *= 2) {
		for (lua_Integer begin = 1; begin <= length; begin += 2 * width) {
			const lua_Integer middle =
				begin + width < length + 1 ? begin + width : length + 1;
			const lua_Integer end =
				begin + 2 * width < length + 1 ? begin + 2 * width : length + 1;
			merge(L, begin, middle, end);
		}
		lua_insert(L, FROM); /* TO becomes FROM */
	}
	for (lua_Integer i = 1; i <= length; i++) {
		lua_rawgeti(L, FROM, i);
		lua_seti(L, TABLE, i);
	}
	return 0;
}

void sandbox_open_table(lua_State *L)
{
	static const char *const kept[] = {"pack", NULL};
	static const luaL_Reg ours[] = {
		{"concat", table_concat},
		{"insert", table_insert},
		{"move", table_move},
		{"remove", table_remove},
		{"sort", table_sort},
		{"unpack", table_unpack},
		{NULL, NULL},
	};
	luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 1);
	sandbox_keep(L, kept);
	luaL_setfuncs(L, ours, 0);
	lua_pop(L, 1);
}
