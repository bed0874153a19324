/* Decimals in scripts: exact values, mixed with integers and never with floats.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "internal.h"

#include <string.h>

static const struct ml_lua_type decimal_type;

enum { DIGITS_MAX = 100 }; /* after (or, negative, before) the point, of round and divide */

static int push(lua_State *L, struct ml_decimal value)
{
	*(struct ml_decimal *)ml_lua_object(L, &decimal_type, sizeof value) = value;
	return 1;
}

static struct ml_decimal check_self(lua_State *L)
{
	return *(struct ml_decimal *)ml_lua_check_object(L, 1, &decimal_type);
}

void ml_lua_push_decimal(lua_State *L, struct ml_decimal value)
{
	int64_t integer;
	if (ml_decimal_to_integer(value, &integer))
		lua_pushinteger(L, integer);
	else
		(void)push(L, value);
}

bool ml_lua_to_decimal(lua_State *L, int index, struct ml_decimal *value)
{
	if (lua_isinteger(L, index)) {
		*value = (struct ml_decimal){.mantissa = lua_tointeger(L, index)};
		return true;
	}
	const struct ml_decimal *object = ml_lua_to_object(L, index, &decimal_type);
	if (object)
		*value = *object;
	return object != NULL;
}

struct ml_decimal ml_lua_check_decimal(lua_State *L, int arg)
{
	struct ml_decimal value = {0};
	if (ml_lua_to_decimal(L, arg, &value))
		return value;
	if (lua_type(L, arg) == LUA_TNUMBER) {
		(void)luaL_argerror(L, arg,
			"a float is not exact; use an integer, decimal(\"0.1\"), or :divide() in "
			"place of /");
	}
	(void)luaL_typeerror(L, arg, "integer or decimal");
	return value;
}

static int decimal_new(lua_State *L)
{
	if (lua_type(L, 1) != LUA_TSTRING)
		return push(L, ml_lua_check_decimal(L, 1));
	size_t length;
	const char *text = lua_tolstring(L, 1, &length);
	struct ml_decimal value;
	struct ml_error err = ML_ERROR_NONE;
	if (ml_decimal_parse(text, length, &value, &err) < 0)
		return luaL_argerror(L, 1, lua_pushfstring(L, "%s", err.text));
	return push(L, value);
}

/* ---- Arithmetic ---- */

typedef bool (*operation)(struct ml_decimal a, struct ml_decimal b, struct ml_decimal *result);

static int calculate(lua_State *L, operation operate, const char *what)
{
	const struct ml_decimal a = ml_lua_check_decimal(L, 1), b = ml_lua_check_decimal(L, 2);
	struct ml_decimal result;
	if (!operate(a, b, &result))
		return luaL_error(
			L, "the exact %s has more digits than a decimal holds; round first", what);
	return push(L, result);
}

static int decimal_add(lua_State *L)
{
	return calculate(L, ml_decimal_add, "sum");
}

static int decimal_subtract(lua_State *L)
{
	return calculate(L, ml_decimal_subtract, "difference");
}

static int decimal_multiply(lua_State *L)
{
	return calculate(L, ml_decimal_multiply, "product");
}

static int decimal_negate(lua_State *L)
{
	struct ml_decimal result;
	if (!ml_decimal_subtract((struct ml_decimal){0}, check_self(L), &result))
		return luaL_error(L, "the negative has more digits than a decimal holds");
	return push(L, result);
}

static int decimal_no_operator(lua_State *L)
{
	return luaL_error(L, "decimals have no / // %% ^; use :divide(other, digits), which says "
			     "how many digits to keep");
}

static int decimal_equal(lua_State *L)
{
	lua_pushboolean(
		L, ml_decimal_compare(ml_lua_check_decimal(L, 1), ml_lua_check_decimal(L, 2)) == 0);
	return 1;
}

static int decimal_less(lua_State *L)
{
	lua_pushboolean(
		L, ml_decimal_compare(ml_lua_check_decimal(L, 1), ml_lua_check_decimal(L, 2)) < 0);
	return 1;
}

static int decimal_less_or_equal(lua_State *L)
{
	lua_pushboolean(
		L, ml_decimal_compare(ml_lua_check_decimal(L, 1), ml_lua_check_decimal(L, 2)) <= 0);
	return 1;
}

/* ---- Division ---- */

__extension__ typedef unsigned __int128 wide;

static const wide WIDE_MAX = (wide)1 << 126;

/* value * 10^power, or false where that is over WIDE_MAX. */
static bool scale(wide value, int power, wide *result)
{
	for (; power > 0 && value > 0; power--) {
		if (value > WIDE_MAX / 10)
			return false;
		value *= 10;
	}
	*result = value;
	return true;
}

static uint64_t magnitude(int64_t value)
{
	return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

/* a / b with `digits` after the point, half away from zero. false: it does not fit. */
static bool divide(struct ml_decimal a, struct ml_decimal b, int digits, struct ml_decimal *result)
{
	const int shift = a.exponent - b.exponent + digits;
	wide above, below, quotient = 0;
	/* The quotient fits 63 bits and the divisor 64: where the dividend does not fit, neither
	 * does it. */
	if (!scale(magnitude(a.mantissa), shift, &above))
		return false;
	/* Where the divisor does not fit, the quotient is less than a half of the last digit. */
	if (scale(magnitude(b.mantissa), -shift, &below))
		quotient = (above + below / 2) / below;
	if (quotient > INT64_MAX)
		return false;
	const int64_t mantissa = (int64_t)quotient;
	result->mantissa = (a.mantissa < 0) != (b.mantissa < 0) ? -mantissa : mantissa;
	result->exponent = (int8_t)-digits;
	return true;
}

static int check_digits(lua_State *L, int arg)
{
	const lua_Integer digits = luaL_checkinteger(L, arg);
	luaL_argcheck(L, digits >= -DIGITS_MAX && digits <= DIGITS_MAX, arg,
		"digits after the point: -100 to 100");
	return (int)digits;
}

static int decimal_divide(lua_State *L)
{
	const struct ml_decimal a = check_self(L), b = ml_lua_check_decimal(L, 2);
	const int digits = check_digits(L, 3);
	struct ml_decimal result;
	luaL_argcheck(L, b.mantissa != 0, 2, "division by zero");
	if (!divide(a, b, digits, &result))
		return luaL_error(
			L, "the quotient has more digits than a decimal holds; ask for fewer");
	return push(L, result);
}

static int decimal_round(lua_State *L)
{
	const struct ml_decimal value = check_self(L);
	struct ml_decimal result;
	if (!ml_decimal_rescale(value, -check_digits(L, 2), &result))
		return luaL_error(
			L, "the rounded value has more digits than a decimal holds; ask for fewer");
	return push(L, result);
}

/* ---- Other views ---- */

static int decimal_compare(lua_State *L)
{
	lua_pushinteger(L, ml_decimal_compare(check_self(L), ml_lua_check_decimal(L, 2)));
	return 1;
}

static int decimal_text(lua_State *L)
{
	char text[ML_DECIMAL_TEXT_MAX];
	const size_t length = ml_decimal_format(check_self(L), text);
	lua_pushlstring(L, text, length);
	return 1;
}

static int decimal_number(lua_State *L)
{
	lua_pushnumber(L, ml_decimal_to_double(check_self(L)));
	return 1;
}

static int decimal_integer(lua_State *L)
{
	int64_t integer;
	if (ml_decimal_to_integer(check_self(L), &integer))
		lua_pushinteger(L, integer);
	else
		luaL_pushfail(L);
	return 1;
}

static const luaL_Reg decimal_methods[] = {
	{"compare", decimal_compare}, /* -1, 0 or 1 */
	{"divide", decimal_divide},   /* other, digits after the point */
	{"integer", decimal_integer}, /* the same value as an integer, nil where it is none */
	{"number", decimal_number},   /* the nearest float */
	{"round", decimal_round},     /* digits after the point */
	{"text", decimal_text},
	{NULL, NULL},
};

static const luaL_Reg decimal_metamethods[] = {
	{"__add", decimal_add},
	{"__div", decimal_no_operator},
	{"__eq", decimal_equal},
	{"__idiv", decimal_no_operator},
	{"__le", decimal_less_or_equal},
	{"__lt", decimal_less},
	{"__mod", decimal_no_operator},
	{"__mul", decimal_multiply},
	{"__pow", decimal_no_operator},
	{"__sub", decimal_subtract},
	{"__tostring", decimal_text},
	{"__unm", decimal_negate},
	{NULL, NULL},
};

static const struct ml_lua_type decimal_type = {
	.name = "decimal",
	.methods = decimal_methods,
	.metamethods = decimal_metamethods,
};

void sandbox_open_decimal(lua_State *L)
{
	ml_lua_register(L, &decimal_type);
	lua_pushcfunction(L, decimal_new);
	lua_setglobal(L, "decimal");
}
