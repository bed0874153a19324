/* What templates have for text: numbers and dates by locale, quoting, the gateway's identity.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/lua_text.h"

#include <stdio.h>
#include <string.h>

#include "report/template_private.h"

/* ---- Values ---- */

void report_record_text(const struct meter_reading *reading, const struct meter_record *record,
	char decimal_sign, struct ml_buffer *out)
{
	char text[METER_VALUE_TEXT_MAX];
	const size_t length = meter_record_text(reading, record, text);
	if (record->kind == METER_NUMBER)
		report_number(out, decimal_sign, text, length);
	else
		ml_buffer_append(out, text, length);
}

const char *report_value_text(lua_State *L, int index, char decimal_sign, struct ml_buffer *out)
{
	char text[METER_VALUE_TEXT_MAX];
	const struct meter_reading *reading;
	const struct meter_record *record;
	struct ml_decimal decimal;
	size_t length;
	switch (lua_type(L, index)) {
	case LUA_TNIL:
		return NULL;
	case LUA_TSTRING: {
		const char *string = lua_tolstring(L, index, &length);
		ml_buffer_append(out, string, length);
		return NULL;
	}
	case LUA_TNUMBER:
		if (lua_isinteger(L, index))
			length = (size_t)snprintf(
				text, sizeof text, LUA_INTEGER_FMT, lua_tointeger(L, index));
		else
			length = (size_t)snprintf(
				text, sizeof text, "%.14g", lua_tonumber(L, index));
		report_number(out, decimal_sign, text, length);
		return NULL;
	default:
		break;
	}
	if (ml_lua_to_decimal(L, index, &decimal)) {
		report_number(out, decimal_sign, text, ml_decimal_format(decimal, text));
		return NULL;
	}
	record = meter_lua_to_record(L, index, &reading);
	if (!record)
		return "a value is a text, a number, a decimal, a record or nil";
	report_record_text(reading, record, decimal_sign, out);
	return NULL;
}

/* ---- JSON ---- */

static void write_value(lua_State *L, int index, struct ml_json_writer *w, int depth);

static void write_table(lua_State *L, int index, struct ml_json_writer *w, int depth)
{
	index = lua_absindex(L, index);
	luaL_checkstack(L, 4, "too deep");
	const bool is_array = lua_rawgeti(L, index, 1) != LUA_TNIL;
	lua_pop(L, 1);
	if (is_array) {
		ml_json_begin_array(w);
		const lua_Integer count = (lua_Integer)lua_rawlen(L, index);
		for (lua_Integer i = 1; i <= count; i++) {
			lua_rawgeti(L, index, i);
			write_value(L, -1, w, depth);
			lua_pop(L, 1);
		}
		ml_json_end_array(w);
		return;
	}
	ml_json_begin_object(w);
	ml_lua_keys(L, index);
	const lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
	for (lua_Integer i = 1; i <= count; i++) {
		size_t length;
		if (lua_rawgeti(L, -1, i) != LUA_TSTRING)
			(void)luaL_error(L, "json: the key of an object is a text, not a %s",
				luaL_typename(L, -1));
		const char *key = lua_tolstring(L, -1, &length);
		ml_json_key_n(w, key, length);
		(void)lua_rawget(L, index);
		write_value(L, -1, w, depth);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	ml_json_end_object(w);
}

static void write_object(lua_State *L, int index, struct ml_json_writer *w)
{
	struct ml_decimal decimal;
	const struct meter_reading *reading;
	const struct meter_lua_slot *slot = meter_lua_to_slot(L, index);
	if (slot) {
		meter_reading_to_json(slot->reading, w);
		return;
	}
	if (ml_lua_to_decimal(L, index, &decimal)) {
		ml_json_decimal(w, decimal);
		return;
	}
	const struct meter_record *record = meter_lua_to_record(L, index, &reading);
	char text[METER_VALUE_TEXT_MAX];
	if (!record)
		(void)luaL_error(L, "json: a %s has no JSON", luaL_typename(L, index));
	else if (record->kind == METER_NUMBER)
		ml_json_decimal(w, meter_record_decimal(record));
	else if (record->kind == METER_NONE)
		ml_json_null(w);
	else
		ml_json_string_n(w, text, meter_record_text(reading, record, text));
}

static void write_value(lua_State *L, int index, struct ml_json_writer *w, int depth)
{
	enum { DEPTH_MAX = 32 };
	size_t length;
	const char *text;
	ml_lua_charge(L, 3);
	switch (lua_type(L, index)) {
	case LUA_TNIL:
		ml_json_null(w);
		break;
	case LUA_TBOOLEAN:
		ml_json_bool(w, lua_toboolean(L, index));
		break;
	case LUA_TNUMBER:
		if (lua_isinteger(L, index))
			ml_json_integer(w, lua_tointeger(L, index));
		else
			ml_json_double(w, lua_tonumber(L, index));
		break;
	case LUA_TSTRING:
		text = lua_tolstring(L, index, &length);
		ml_lua_charge(L, (int64_t)length / 16);
		ml_json_string_n(w, text, length);
		break;
	case LUA_TTABLE:
		if (depth == DEPTH_MAX)
			(void)luaL_error(
				L, "json: tables within tables, more than %d deep", DEPTH_MAX);
		write_table(L, index, w, depth + 1);
		break;
	default:
		write_object(L, index, w);
	}
}

void report_value_json(lua_State *L, int index, struct ml_buffer *out)
{
	struct ml_json_writer w;
	ml_json_writer_init(&w, out);
	write_value(L, index, &w, 0);
}

/* ---- text ---- */

/* text.number(value): by the locale. */
static int text_number(lua_State *L)
{
	struct report_template *t = report_template_of(L);
	luaL_checkany(L, 1);
	ml_buffer_clear(&t->scratch);
	const char *wrong = report_value_text(L, 1, t->locale.decimal_sign, &t->scratch);
	if (wrong)
		return luaL_argerror(L, 1, wrong);
	return report_push_scratch(L, t);
}

/* text.date(unix, pattern): in the zone and language of the gateway; "" for nil. */
static int text_date(lua_State *L)
{
	struct report_template *t = report_template_of(L);
	size_t length;
	const char *pattern = luaL_optlstring(L, 2, "YYYY-MM-DD hh:mm:ss", &length);
	if (!t->job)
		return luaL_error(L, "text.date is there while a report is rendered");
	if (lua_isnoneornil(L, 1)) {
		lua_pushliteral(L, "");
		return 1;
	}
	const lua_Integer seconds = luaL_checkinteger(L, 1);
	luaL_argcheck(
		L, seconds > -100000000000 && seconds < 1000000000000, 1, "no time of this age");
	const ml_time time = seconds * ML_SEC;
	const struct ml_civil date = ml_zone_to_civil(t->job->gateway.zone, time);
	ml_lua_charge(L, 20 + (int64_t)length);
	ml_buffer_clear(&t->scratch);
	report_date(&t->scratch, &date, ml_zone_offset(t->job->gateway.zone, time),
		t->locale.language, t->locale.first_day, pattern, length);
	return report_push_scratch(L, t);
}

static int quoted(
	lua_State *L, void (*quote)(struct ml_buffer *out, const char *text, size_t length))
{
	struct report_template *t = report_template_of(L);
	size_t length;
	const char *text = luaL_checklstring(L, 1, &length);
	ml_lua_charge(L, (int64_t)length / 8);
	ml_buffer_clear(&t->scratch);
	quote(&t->scratch, text, length);
	return report_push_scratch(L, t);
}

/* text.xml(text): for an element or an attribute. */
static int text_xml(lua_State *L)
{
	return quoted(L, report_xml_text);
}

/* text.file(text): a part of a file name. */
static int text_file(lua_State *L)
{
	return quoted(L, report_file_name);
}

/* text.csv(value): one field, quoted where it has to be. */
static int text_csv(lua_State *L)
{
	struct report_template *t = report_template_of(L);
	size_t length;
	const char *text = luaL_checklstring(L, 1, &length);
	ml_lua_charge(L, (int64_t)length / 8);
	ml_buffer_clear(&t->scratch);
	report_csv_field(&t->scratch, t->locale.separator, text, length);
	return report_push_scratch(L, t);
}

/* text.json(value) */
static int text_json(lua_State *L)
{
	struct report_template *t = report_template_of(L);
	luaL_checkany(L, 1);
	ml_buffer_clear(&t->scratch);
	report_value_json(L, 1, &t->scratch);
	return report_push_scratch(L, t);
}

static const luaL_Reg text_functions[] = {
	{"csv", text_csv},
	{"date", text_date},
	{"file", text_file},
	{"json", text_json},
	{"number", text_number},
	{"xml", text_xml},
	{NULL, NULL},
};

/* ---- gateway ---- */

static const struct report_gateway *gateway_of(lua_State *L)
{
	const struct report_template *t = report_template_of(L);
	if (!t->job)
		(void)luaL_error(L, "the gateway is known while a report is rendered");
	return &t->job->gateway;
}

static void get_serial(lua_State *L, void *object)
{
	(void)object;
	lua_pushstring(L, gateway_of(L)->serial);
}

static void get_name(lua_State *L, void *object)
{
	(void)object;
	lua_pushstring(L, gateway_of(L)->name);
}

static void get_contact(lua_State *L, void *object)
{
	(void)object;
	lua_pushstring(L, gateway_of(L)->contact);
}

static void get_zone(lua_State *L, void *object)
{
	(void)object;
	lua_pushstring(L, ml_zone_name(gateway_of(L)->zone));
}

static const struct ml_lua_field gateway_fields[] = {
	{"contact", get_contact, NULL},
	{"name", get_name, NULL},
	{"serial", get_serial, NULL},
	{"zone", get_zone, NULL},
	{NULL, NULL, NULL},
};

static const struct ml_lua_type gateway_type = {.name = "gateway", .fields = gateway_fields};

static void set_text(lua_State *L, const char *name, const char *text, size_t length)
{
	lua_pushlstring(L, text, length);
	lua_setfield(L, -2, name);
}

void report_open_text(lua_State *L)
{
	const struct report_template *t = report_template_of(L);
	luaL_newlib(L, text_functions);
	lua_setglobal(L, "text");
	ml_lua_register(L, &gateway_type);
	(void)ml_lua_object(L, &gateway_type, 0);
	lua_setglobal(L, "gateway");
	lua_newtable(L);
	const char *charset = report_charset_name(t->locale.charset);
	set_text(L, "charset", charset, strlen(charset));
	set_text(L, "decimal_sign", &t->locale.decimal_sign, 1);
	set_text(L, "language", t->locale.language == REPORT_FRENCH ? "fr" : "en", 2);
	set_text(L, "separator", &t->locale.separator, 1);
	lua_setglobal(L, "locale");
}
