/* Objects: values of C that scripts hold, told apart by a pointer to their type.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "internal.h"

#include <string.h>

/* Before the bytes of each object. */
union head {
	const struct ml_lua_type *type;
	int64_t align;
};

void ml_lua_register(lua_State *L, const struct ml_lua_type *type)
{
	lua_newtable(L);
	if (type->methods) {
		lua_newtable(L);
		luaL_setfuncs(L, type->methods, 0);
		lua_setfield(L, -2, "__index");
	}
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
