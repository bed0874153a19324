/* Records of a reading in Lua.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meter/reading_lua_private.h"

#include <string.h>

void view_push_hex(lua_State *L, const uint8_t *bytes, size_t length)
{
	static const char digits[] = "0123456789ABCDEF";
	luaL_Buffer out;
	char *to = luaL_buffinitsize(L, &out, 2 * length);
	for (size_t i = 0; i < length; i++) {
		*to++ = digits[bytes[i] >> 4];
		*to++ = digits[bytes[i] & 0xF];
	}
	luaL_pushresultsize(&out, 2 * length);
}

/* ---- One record ---- */

static const struct meter_record *record_of(
	lua_State *L, const struct view_object *object, const struct meter_reading **reading)
{
	*reading = view_slot(L, object)->reading;
	const struct meter_record *record = meter_reading_record(*reading, object->record);
	if (!record)
		(void)luaL_error(L, "this record has been removed");
	return record;
}

static void get_quantity(lua_State *L, void *object)
{
	const struct meter_reading *reading;
	const struct meter_record *record = record_of(L, object, &reading);
	size_t length;
	const char *name = meter_record_name(reading, record, &length);
	lua_pushlstring(L, name, length);
}

static void get_of(lua_State *L, void *object)
{
	const struct meter_reading *reading;
	const struct meter_record *record = record_of(L, object, &reading);
	if (record->of != METER_Q_UNKNOWN)
		lua_pushstring(L, meter_quantity_name(record->of));
	else
		lua_pushnil(L);
}

static void get_unit(lua_State *L, void *object)
{
	const struct meter_reading *reading;
	const struct meter_record *record = record_of(L, object, &reading);
	char text[METER_UNIT_TEXT_MAX];
	lua_pushlstring(L, text, meter_record_unit(reading, record, text));
}

static void push_text(
	lua_State *L, const struct meter_reading *reading, const struct meter_record *record)
{
	char text[METER_VALUE_TEXT_MAX];
	if (record->kind == METER_BYTES) /* which that would cut */
		view_push_hex(
			L, meter_reading_bytes(reading) + record->data_offset, record->data_length);
	else
		lua_pushlstring(L, text, meter_record_text(reading, record, text));
}

static void get_text(lua_State *L, void *object)
{
	const struct meter_reading *reading;
	const struct meter_record *record = record_of(L, object, &reading);
	push_text(L, reading, record);
}

static void get_value(lua_State *L, void *object)
{
	const struct meter_reading *reading;
	const struct meter_record *record = record_of(L, object, &reading);
	if (record->kind == METER_NONE)
		lua_pushnil(L);
	else if (record->kind == METER_NUMBER)
		ml_lua_push_decimal(L, meter_record_decimal(record));
	else
		push_text(L, reading, record);
}

void view_set_value(lua_State *L, struct meter_lua_slot *slot, size_t index, int value)
{
	struct ml_decimal number = {0};
	size_t length = 0;
	const char *text = NULL;
	const int type = lua_type(L, value);
	if (type == LUA_TSTRING) {
		text = lua_tolstring(L, value, &length);
		if (length > METER_VALUE_TEXT_MAX - 1)
			(void)luaL_error(L, "a text of %d bytes; a value has at most %d",
				(int)length, METER_VALUE_TEXT_MAX - 1);
	} else if (type == LUA_TNUMBER && !lua_isinteger(L, value)) {
		(void)luaL_error(L,
			"a value cannot be a float, which is not exact (7/2 gives one); "
			"use decimal(\"0.1\"), :divide() or :round()");
	} else if (type != LUA_TNIL && !ml_lua_to_decimal(L, value, &number)) {
		(void)luaL_error(L, "a value is an integer, a decimal, a text or nil, not a %s",
			luaL_typename(L, value));
	}
	struct meter_reading *reading = view_change(L, slot);
	if (index >= reading->record_count)
		(void)luaL_error(L, "this record has been removed");
	if (text) {
		while (!meter_reading_set_text(reading, index, text, length))
			reading = view_grow(L, slot);
		return;
	}
	struct meter_record *records =
		(struct meter_record *)(void *)((char *)(reading + 1) +
						meter_reading_bytes_size(reading));
	records[index].kind = type == LUA_TNIL ? METER_NONE : METER_NUMBER;
	records[index].mantissa = number.mantissa;
	records[index].exponent = number.exponent;
}

static void set_value(lua_State *L, void *object)
{
	const struct view_object *record = object;
	view_set_value(L, view_slot(L, record), record->record, 3);
}

static void get_kind(lua_State *L, void *object)
{
	static const char *const names[] = {
		"none", "number", "date", "date-time", "time", "text", "bytes"};
	const struct meter_reading *reading;
	const struct meter_record *record = record_of(L, object, &reading);
	lua_pushstring(
		L, record->kind < sizeof names / sizeof *names ? names[record->kind] : "none");
}

static void get_function(lua_State *L, void *object)
{
	const struct meter_reading *reading;
	lua_pushstring(L, meter_function_name(record_of(L, object, &reading)->function));
}

static void get_storage(lua_State *L, void *object)
{
	const struct meter_reading *reading;
	lua_pushinteger(L, (lua_Integer)record_of(L, object, &reading)->storage);
}

static void get_tariff(lua_State *L, void *object)
{
	const struct meter_reading *reading;
	lua_pushinteger(L, record_of(L, object, &reading)->tariff);
}

static void get_subunit(lua_State *L, void *object)
{
	const struct meter_reading *reading;
	lua_pushinteger(L, record_of(L, object, &reading)->subunit);
}

static void get_ordinal(lua_State *L, void *object)
{
	const struct meter_reading *reading;
	lua_pushinteger(L, record_of(L, object, &reading)->ordinal);
}

static void get_dif(lua_State *L, void *object)
{
	const struct meter_reading *reading;
	const struct meter_record *record = record_of(L, object, &reading);
	view_push_hex(L, meter_reading_bytes(reading) + record->offset, record->dif_length);
}

static void get_vif(lua_State *L, void *object)
{
	const struct meter_reading *reading;
	const struct meter_record *record = record_of(L, object, &reading);
	if (record->flags & METER_RECORD_FILTER_MADE)
		lua_pushliteral(L, "");
	else
		view_push_hex(L, meter_reading_bytes(reading) + record->offset + record->dif_length,
			record->vif_length);
}

static void get_modifiers(lua_State *L, void *object)
{
	const struct meter_reading *reading;
	const struct meter_record *record = record_of(L, object, &reading);
	lua_newtable(L);
	lua_Integer count = 0;
	for (unsigned i = 0; i < METER_MODIFIERS; i++) {
		if (record->modifiers >> i & 1) {
			lua_pushstring(L, meter_modifier_name(i));
			lua_rawseti(L, -2, ++count);
		}
	}
}

/* Two records of one series have the same text here. */
static void get_series(lua_State *L, void *object)
{
	const struct meter_reading *reading;
	const struct meter_record *record = record_of(L, object, &reading);
	uint8_t key[METER_SERIES_KEY_MAX];
	const size_t length = meter_series_key(reading, record, key);
	view_push_hex(L, key, length);
}

static const struct ml_lua_field record_fields[] = {
	{"dif", get_dif, NULL},
	{"func", get_function, NULL}, /* `function` is a word of Lua */
	{"function", get_function, NULL},
	{"kind", get_kind, NULL},
	{"modifiers", get_modifiers, NULL},
	{"of", get_of, NULL},
	{"ordinal", get_ordinal, NULL},
	{"quantity", get_quantity, NULL},
	{"series", get_series, NULL},
	{"storage", get_storage, NULL},
	{"subunit", get_subunit, NULL},
	{"tariff", get_tariff, NULL},
	{"text", get_text, NULL},
	{"unit", get_unit, NULL},
	{"value", get_value, set_value},
	{"vif", get_vif, NULL},
	{NULL, NULL, NULL},
};

static int record_tostring(lua_State *L)
{
	const struct meter_reading *reading;
	const struct meter_record *record = meter_lua_check_record(L, 1, &reading);
	char value[METER_VALUE_TEXT_MAX], unit[METER_UNIT_TEXT_MAX];
	size_t length;
	const char *name = meter_record_name(reading, record, &length);
	lua_pushlstring(L, name, length);
	(void)meter_record_text(reading, record, value);
	(void)meter_record_unit(reading, record, unit);
	lua_pushfstring(L, unit[0] ? " %s %s" : " %s", value, unit);
	lua_concat(L, 2);
	return 1;
}

static const luaL_Reg record_metamethods[] = {{"__tostring", record_tostring}, {NULL, NULL}};

const struct ml_lua_type meter_lua_record_type = {
	.name = "record",
	.metamethods = record_metamethods,
	.fields = record_fields,
};

/* ---- The list of records ---- */

static void get_item(lua_State *L, void *object, lua_Integer n)
{
	struct meter_lua_slot *slot = view_slot(L, object);
	if (n >= 1 && n <= slot->reading->record_count)
		view_push(L, &meter_lua_record_type, slot, (uint32_t)n - 1);
	else
		lua_pushnil(L);
}

static int records_length(lua_State *L)
{
	const struct view_object *object = ml_lua_check_object(L, 1, &meter_lua_records_type);
	lua_pushinteger(L, view_slot(L, object)->reading->record_count);
	return 1;
}

static const luaL_Reg records_metamethods[] = {{"__len", records_length}, {NULL, NULL}};

const struct ml_lua_type meter_lua_records_type = {
	.name = "records",
	.metamethods = records_metamethods,
	.item = get_item,
};
