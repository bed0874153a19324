/* The options a template declares: checked and filled with their defaults.
 * SPDX-License-Identifier: Apache-2.0
 *
 * template.options is a list of tables {name=, kind=, title=, help=, default=, min=, max=,
 * choices={…}} with the kinds bool, integer, decimal, string and choice.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <meterloom/nearest.h>

#include "report/template_private.h"

enum { OPTIONS_MAX = 64 };

static const char *const kinds[] = {"bool", "integer", "decimal", "string", "choice", NULL};
enum kind { KIND_BOOL, KIND_INTEGER, KIND_DECIMAL, KIND_STRING, KIND_CHOICE };

/* A text of the declaration on top; NULL: it has none. Stays on the stack. */
static const char *declared(lua_State *L, int row, const char *name)
{
	lua_getfield(L, row, name);
	if (lua_isnil(L, -1))
		return NULL;
	if (lua_type(L, -1) != LUA_TSTRING)
		(void)luaL_error(L, "template.options: '%s' is a text", name);
	return lua_tostring(L, -1);
}

static enum kind kind_of(lua_State *L, int row, const char *name)
{
	const char *kind = declared(L, row, "kind");
	for (int i = 0; kind && kinds[i]; i++) {
		if (strcmp(kind, kinds[i]) == 0)
			return (enum kind)i;
	}
	return (enum kind)luaL_error(L,
		"template.options: '%s' has a kind of bool, integer, decimal, string or choice",
		name);
}

/* The user's value is wrong: the error names the option. */
static void wrong_value(lua_State *L, struct report_template *t, const char *name, const char *what)
{
	struct ml_error *err = &t->failure;
	*err = ML_ERROR_NONE;
	err->code = -EINVAL;
	(void)snprintf(err->pointer, sizeof err->pointer, "/%s", name);
	(void)luaL_error(L, "option %s: %s", name, what);
}

static void push_value(lua_State *L, struct report_template *t, const char *name, enum kind kind,
	const json_t *value)
{
	char text[32];
	struct ml_decimal decimal;
	switch (kind) {
	case KIND_BOOL:
		if (!json_is_boolean(value))
			wrong_value(L, t, name, "expected true or false");
		lua_pushboolean(L, json_is_true(value));
		break;
	case KIND_INTEGER:
		if (!json_is_integer(value))
			wrong_value(L, t, name, "expected a whole number");
		lua_pushinteger(L, json_integer_value(value));
		break;
	case KIND_DECIMAL: /* jansson keeps a double: 15 digits of it are what was written */
		if (!json_is_number(value))
			wrong_value(L, t, name, "expected a number");
		(void)snprintf(text, sizeof text, "%.15g", json_number_value(value));
		if (json_is_integer(value))
			lua_pushinteger(L, json_integer_value(value));
		else if (ml_decimal_parse(text, strlen(text), &decimal, NULL) == 0)
			ml_lua_push_decimal(L, decimal);
		else
			wrong_value(L, t, name, "expected a number of at most 15 digits");
		break;
	case KIND_STRING:
	case KIND_CHOICE:
		if (!json_is_string(value))
			wrong_value(L, t, name, "expected a text");
		lua_pushlstring(L, json_string_value(value), json_string_length(value));
		break;
	}
}

/* The value on top is within min and max, or among the choices, of the declaration at `row`. */
static void check_value(
	lua_State *L, struct report_template *t, int row, const char *name, enum kind kind)
{
	const int value = lua_gettop(L);
	if (kind == KIND_CHOICE) {
		bool found = false;
		lua_getfield(L, row, "choices");
		luaL_checktype(L, -1, LUA_TTABLE);
		const lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
		for (lua_Integer i = 1; i <= count && !found; i++) {
			lua_rawgeti(L, value + 1, i);
			found = lua_rawequal(L, -1, value);
			lua_pop(L, 1);
		}
		if (!found) {
			luaL_Buffer list;
			luaL_buffinit(L, &list);
			luaL_addstring(&list, "expected one of");
			for (lua_Integer i = 1; i <= count; i++) {
				luaL_addstring(&list, i > 1 ? ", " : " ");
				lua_rawgeti(L, value + 1, i);
				luaL_addvalue(&list);
			}
			luaL_pushresult(&list);
			wrong_value(L, t, name, lua_tostring(L, -1));
		}
	}
	if (kind == KIND_INTEGER || kind == KIND_DECIMAL) {
		lua_getfield(L, row, "min");
		if (!lua_isnil(L, -1) && lua_compare(L, value, -1, LUA_OPLT))
			wrong_value(L, t, name,
				lua_pushfstring(
					L, "expected at least %s", luaL_tolstring(L, -1, NULL)));
		lua_getfield(L, row, "max");
		if (!lua_isnil(L, -1) && lua_compare(L, -1, value, LUA_OPLT))
			wrong_value(L, t, name,
				lua_pushfstring(
					L, "expected at most %s", luaL_tolstring(L, -1, NULL)));
	}
	lua_settop(L, value);
}

/* Each value given must have been declared. */
static void check_names(
	lua_State *L, struct report_template *t, int declarations, const json_t *values)
{
	const lua_Integer count = (lua_Integer)lua_rawlen(L, declarations);
	const char *given;
	json_t *value;
	json_object_foreach((json_t *)values, given, value)
	{
		struct ml_nearest near;
		bool known = false;
		const int top = lua_gettop(L);
		luaL_checkstack(L, (int)count * 2 + 4, "too many options");
		ml_nearest_begin(&near, given);
		for (lua_Integer i = 1; i <= count && !known; i++) {
			lua_rawgeti(L, declarations, i);
			const char *name = declared(L, lua_gettop(L), "name");
			known = strcmp(name, given) == 0;
			ml_nearest_try(&near, name);
		}
		if (!known) {
			const char *nearest = ml_nearest_name(&near);
			wrong_value(L, t, given,
				nearest ? lua_pushfstring(
						  L, "no such option; is '%s' meant?", nearest)
					: "no such option");
		}
		lua_settop(L, top);
	}
}

void report_push_options(lua_State *L, struct report_template *t, const json_t *values)
{
	lua_getfield(L, -1, "options");
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_newtable(L);
	}
	luaL_checktype(L, -1, LUA_TTABLE);
	const int declarations = lua_gettop(L);
	const lua_Integer count = (lua_Integer)lua_rawlen(L, declarations);
	if (count > OPTIONS_MAX)
		(void)luaL_error(L, "template.options: more than %d", OPTIONS_MAX);
	lua_newtable(L);
	const int result = declarations + 1;
	for (lua_Integer i = 1; i <= count; i++) {
		if (lua_rawgeti(L, declarations, i) != LUA_TTABLE)
			(void)luaL_error(L, "template.options: item %d is no table", (int)i);
		const int row = lua_gettop(L);
		const char *name = declared(L, row, "name");
		if (!name)
			(void)luaL_error(L, "template.options: item %d has no name", (int)i);
		const enum kind kind = kind_of(L, row, name);
		const json_t *value = json_object_get(values, name);
		if (value) {
			push_value(L, t, name, kind, value);
			check_value(L, t, row, name, kind);
		} else {
			lua_getfield(L, row, "default");
		}
		lua_setfield(L, result, name);
		lua_settop(L, result);
	}
	check_names(L, t, declarations, values);
}
