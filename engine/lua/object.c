/* Objects: values of C that scripts hold, told apart by a pointer to their type.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "internal.h"

#include <string.h>

#include <meterloom/nearest.h>

/* Before the bytes of each object. */
union head {
	const struct ml_lua_type *type;
	int64_t align;
};

static const struct ml_lua_type *check_any(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TUSERDATA);
	return ((const union head *)lua_touserdata(L, 1))->type;
}

static int no_such_name(lua_State *L, const struct ml_lua_type *type)
{
	if (lua_type(L, 2) != LUA_TSTRING)
		return luaL_error(L, "%s has nothing at a %s", type->name, luaL_typename(L, 2));
	const char *wanted = lua_tostring(L, 2);
	struct ml_nearest near;
	ml_nearest_begin(&near, wanted);
	for (const struct ml_lua_field *f = type->fields; f && f->name; f++)
		ml_nearest_try(&near, f->name);
	for (const luaL_Reg *m = type->methods; m && m->name; m++)
		ml_nearest_try(&near, m->name);
	const char *nearest = ml_nearest_name(&near);
	if (nearest)
		return luaL_error(L, "%s has no '%s'; is '%s' meant?", type->name, wanted, nearest);
	return luaL_error(L, "%s has no '%s'", type->name, wanted);
}

/* Upvalue: a table of names, where a field is its place in the type's table and a method itself. */
static int object_index(lua_State *L)
{
	const struct ml_lua_type *type = check_any(L);
	union head *head = lua_touserdata(L, 1);
	if (type->item && lua_isinteger(L, 2)) {
		type->item(L, head + 1, lua_tointeger(L, 2));
		return 1;
	}
	lua_pushvalue(L, 2);
	switch (lua_rawget(L, lua_upvalueindex(1))) {
	case LUA_TNUMBER:
		type->fields[lua_tointeger(L, -1)].get(L, head + 1);
		return 1;
	case LUA_TFUNCTION:
		return 1;
	default:
		return no_such_name(L, type);
	}
}

static int object_newindex(lua_State *L)
{
	const struct ml_lua_type *type = check_any(L);
	union head *head = lua_touserdata(L, 1);
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNUMBER) {
		if (lua_isnil(L, -1))
			return no_such_name(L, type);
		return luaL_error(
			L, "'%s' of %s cannot be changed", luaL_tolstring(L, 2, NULL), type->name);
	}
	const struct ml_lua_field *field = &type->fields[lua_tointeger(L, -1)];
	if (!field->set)
		return luaL_error(L, "'%s' of %s cannot be changed", field->name, type->name);
	lua_settop(L, 3);
	field->set(L, head + 1);
	return 0;
}

void ml_lua_register(lua_State *L, const struct ml_lua_type *type)
{
	lua_newtable(L);
	lua_newtable(L);
	if (type->methods)
		luaL_setfuncs(L, type->methods, 0);
	for (lua_Integer i = 0; type->fields && type->fields[i].name; i++) {
		lua_pushinteger(L, i);
		lua_setfield(L, -2, type->fields[i].name);
	}
	lua_pushvalue(L, -1);
	lua_pushcclosure(L, object_newindex, 1);
	lua_setfield(L, -3, "__newindex");
	lua_pushcclosure(L, object_index, 1);
	lua_setfield(L, -2, "__index");
	if (type->metamethods)
		luaL_setfuncs(L, type->metamethods, 0);
	lua_pushstring(L, type->name);
	lua_setfield(L, -2, "__name");
	lua_pushboolean(L, 0); /* what getmetatable() gives; setmetatable() takes tables only */
	lua_setfield(L, -2, "__metatable");
	lua_rawsetp(L, LUA_REGISTRYINDEX, type);
}

void *ml_lua_object(lua_State *L, const struct ml_lua_type *type, size_t size)
{
	union head *head = lua_newuserdatauv(L, sizeof *head + size, 0);
	head->type = type;
	memset(head + 1, 0, size);
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, type) != LUA_TTABLE)
		(void)luaL_error(L, "the type %s is not known to this sandbox", type->name);
	lua_setmetatable(L, -2);
	return head + 1;
}

void *ml_lua_to_object(lua_State *L, int index, const struct ml_lua_type *type)
{
	if (lua_type(L, index) != LUA_TUSERDATA)
		return NULL;
	union head *head = lua_touserdata(L, index);
	return head->type == type ? head + 1 : NULL;
}

void *ml_lua_check_object(lua_State *L, int arg, const struct ml_lua_type *type)
{
	void *object = ml_lua_to_object(L, arg, type);
	if (!object)
		(void)luaL_typeerror(L, arg, type->name);
	return object;
}
