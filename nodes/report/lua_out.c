/* The output as a template sees it: documents, rows, JSON.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/template_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/lua_text.h"

enum { COLUMNS_MAX = 10000 };

struct out_object {
	uint32_t generation;
};

struct document_object {
	uint32_t generation;
	uint32_t index;
};

static const struct ml_lua_type out_type, document_type;

void report_push_out(lua_State *L)
{
	const struct report_template *t = report_template_of(L);
	struct out_object *object = ml_lua_object(L, &out_type, sizeof *object);
	object->generation = t->generation;
}

/* ---- out ---- */

static const char *field_or(lua_State *L, const char *name, const char *preset)
{
	lua_getfield(L, 2, name);
	if (lua_isnil(L, -1) && preset)
		return preset;
	if (lua_type(L, -1) != LUA_TSTRING)
		(void)luaL_error(L, "out:document: '%s' is a text", name);
	return lua_tostring(L, -1);
}

static struct report_output *add_output(struct report_documents *documents)
{
	if (documents->count == documents->capacity) {
		const size_t capacity = documents->capacity ? 2 * documents->capacity : 8;
		void *items = realloc(documents->items, capacity * sizeof(struct report_output *));
		if (!items)
			return NULL;
		documents->items = items;
		documents->capacity = capacity;
	}
	struct report_output *output = calloc(1, sizeof *output);
	if (output)
		output->fd = -1;
	return output;
}

/* A name is what the receiver sees: it must lead to no other folder. */
static void check_name(lua_State *L, const char *name)
{
	struct ml_buffer clean = {0};
	report_file_name(&clean, name, strlen(name));
	const bool same = clean.data && strcmp(clean.data, name) == 0;
	ml_buffer_free(&clean);
	if (!same) {
		(void)luaL_error(L,
			"out:document: '%s' is no file name (letters, digits, '.', '-', '_'); "
			"out:name() and "
			"text.file() make one",
			name);
	}
}

/* out:document{name=, type=, charset=} */
static int out_document(lua_State *L)
{
	const struct out_object *object = ml_lua_check_object(L, 1, &out_type);
	struct report_template *t = report_check_job(L, object->generation);
	luaL_checktype(L, 2, LUA_TTABLE);
	const char *name = field_or(L, "name", NULL);
	const char *type = field_or(L, "type", "text/plain");
	const char *charset_name = field_or(L, "charset", report_charset_name(t->locale.charset));
	enum report_charset charset;
	check_name(L, name);
	if (!report_charset_parse(charset_name, &charset)) {
		return luaL_error(L,
			"out:document: '%s' is none of UTF-8, ISO-8859-1 and Windows-1252",
			charset_name);
	}
	if (t->documents->count == REPORT_DOCUMENTS_MAX)
		return luaL_error(L, "more than %d documents in one report", REPORT_DOCUMENTS_MAX);
	if (t->open == REPORT_OPEN_MAX) {
		return luaL_error(L, "more than %d documents open; end each with document:close()",
			REPORT_OPEN_MAX);
	}
	struct document_object *document = ml_lua_object(L, &document_type, sizeof *document);
	document->generation = t->generation;
	document->index = (uint32_t)t->documents->count;
	ml_lua_charge(L, 1000);
	char path[METER_DOCUMENT_PATH_MAX];
	(void)snprintf(path, sizeof path, "%s/%s-%zu", t->job->folder, t->job->prefix,
		t->documents->count);
	struct report_output *output = add_output(t->documents);
	if (!output)
		return luaL_error(L, "the system is out of memory");
	t->documents->items[t->documents->count++] = output;
	char marked[METER_DOCUMENT_NAME_MAX];
	(void)snprintf(marked, sizeof marked, "%s%s", t->job->batch->test ? "test-" : "", name);
	const struct report_output_options options = {.files = t->job->files,
		.path = path,
		.name = marked,
		.type = type,
		.charset = charset,
		.delivery = t->job->batch->delivery};
	if (strlen(name) + sizeof "test-" > sizeof marked)
		return luaL_error(L, "out:document: the name has more than %d bytes",
			(int)(sizeof marked - sizeof "test-"));
	if (report_output_open(output, &options, &t->failure) < 0)
		return report_raise(L, t);
	t->open++;
	return 1;
}

static void add_part(struct ml_buffer *name, const char *text)
{
	if (name->length > 0)
		ml_buffer_append(name, "_", 1);
	report_file_name(name, text, strlen(text));
}

/* out:name("valuereport", "csv" [, meter]): <serial>_<type>[_<meter>]_<time>_<id>.csv, where the
 * time is the scheduled one and the id names the template and the first reading. */
static int out_name(lua_State *L)
{
	const struct out_object *object = ml_lua_check_object(L, 1, &out_type);
	struct report_template *t = report_check_job(L, object->generation);
	const char *kind = luaL_checkstring(L, 2);
	const char *extension = luaL_checkstring(L, 3);
	const char *meter = luaL_optstring(L, 4, NULL);
	const struct meter_batch *batch = t->job->batch;
	const struct ml_civil due = ml_zone_to_civil(t->job->gateway.zone, batch->trigger.due);
	char text[96];
	struct ml_buffer *name = &t->scratch;
	ml_buffer_clear(name);
	add_part(name, t->job->gateway.serial[0] ? t->job->gateway.serial : "gateway");
	add_part(name, kind);
	if (meter)
		add_part(name, meter);
	(void)snprintf(text, sizeof text, "%04d%02d%02d%02d%02d%02d", due.year, due.month, due.day,
		due.hour, due.minute, due.second);
	add_part(name, text);
	(void)snprintf(text, sizeof text, "%s-%llu", t->name, (unsigned long long)batch->first);
	add_part(name, text);
	ml_buffer_append(name, ".", 1);
	report_file_name(name, extension, strlen(extension));
	return report_push_scratch(L, t);
}

static const luaL_Reg out_methods[] = {
	{"document", out_document}, {"name", out_name}, {NULL, NULL}};

static const struct ml_lua_type out_type = {.name = "out", .methods = out_methods};

/* ---- document ---- */

static struct report_output *check_output(lua_State *L, struct report_template **ret_template)
{
	const struct document_object *object = ml_lua_check_object(L, 1, &document_type);
	*ret_template = report_check_job(L, object->generation);
	struct report_output *output = (*ret_template)->documents->items[object->index];
	if (output->fd < 0)
		(void)luaL_error(L, "document %s: is closed", output->document.name);
	return output;
}

static int write_out(lua_State *L, struct report_template *t, struct report_output *output,
	const char *text, size_t length)
{
	ml_lua_charge(L, 2 + (int64_t)length / 8);
	if (report_output_write(output, text, length, &t->failure) < 0)
		return report_raise(L, t);
	return 0;
}

static int write_scratch(lua_State *L, struct report_template *t, struct report_output *output)
{
	const bool failed = t->scratch.failed;
	if (failed)
		ml_buffer_free(&t->scratch);
	else
		(void)write_out(
			L, t, output, t->scratch.data ? t->scratch.data : "", t->scratch.length);
	ml_buffer_clear(&t->scratch);
	return failed ? luaL_error(L, "the system is out of memory") : 0;
}

/* document:write(text, …): as it is. */
static int document_write(lua_State *L)
{
	struct report_template *t;
	struct report_output *output = check_output(L, &t);
	const int count = lua_gettop(L);
	for (int i = 2; i <= count; i++) {
		size_t length;
		const char *text = luaL_checklstring(L, i, &length);
		(void)write_out(L, t, output, text, length);
	}
	return 0;
}

/* document:line(text, …): and a line end. */
static int document_line(lua_State *L)
{
	struct report_template *t;
	struct report_output *output = check_output(L, &t);
	(void)document_write(L);
	return write_out(L, t, output, t->locale.line_end, strlen(t->locale.line_end));
}

/* What is in t->field, as a field of the row. */
static void flush_field(struct report_template *t)
{
	struct ml_buffer *value = &t->field;
	if (value->data)
		report_csv_field(&t->scratch, t->locale.separator, value->data, value->length);
	if (!value->failed)
		return;
	t->scratch.failed = true;
	ml_buffer_free(value);
}

static void add_separators(struct report_template *t, size_t count)
{
	char *at = ml_buffer_reserve(&t->scratch, count);
	if (!at)
		return;
	memset(at, t->locale.separator, count);
	at[count] = '\0';
	t->scratch.length += count;
}

static void add_field(lua_State *L, struct report_template *t, int index)
{
	ml_buffer_clear(&t->field);
	const char *wrong = report_value_text(L, index, t->locale.decimal_sign, &t->field);
	if (wrong)
		(void)luaL_error(L, "document:row: %s", wrong);
	flush_field(t);
}

/* The fields of the table at 2; how many. */
static lua_Integer add_table(lua_State *L, struct report_template *t)
{
	lua_Integer fields = (lua_Integer)lua_rawlen(L, 2);
	size_t separators = 0;
	lua_getfield(L, 2, "n");
	if (lua_isinteger(L, -1))
		fields = lua_tointeger(L, -1);
	lua_pop(L, 1);
	for (lua_Integer i = 1; i <= fields; i++) {
		ml_lua_charge(L, 3);
		/* Most are nil, in a report on many kinds of meters. */
		if (lua_rawgeti(L, 2, i) != LUA_TNIL) {
			add_separators(t, separators);
			separators = 0;
			add_field(L, t, -1);
		}
		separators += i < fields;
		lua_pop(L, 1);
	}
	add_separators(t, separators);
	return fields;
}

/* Which record stands in which column, by the table at 4. */
static void place_records(
	lua_State *L, struct report_template *t, const struct meter_reading *reading, size_t count)
{
	if (count > t->column_count) {
		uint16_t *columns = realloc(t->columns, count * sizeof *columns);
		if (!columns)
			(void)luaL_error(L, "the system is out of memory");
		t->columns = columns;
		t->column_count = count;
	}
	memset(t->columns, 0, count * sizeof *t->columns);
	for (lua_Integer i = 1; i <= reading->record_count; i++) {
		(void)lua_rawgeti(L, 4, i);
		const lua_Integer place = lua_tointeger(L, -1);
		lua_pop(L, 1);
		if (place < 0 || place > (lua_Integer)count)
			(void)luaL_error(L, "document:row: record %d stands in column %d of %d",
				(int)i, (int)place, (int)count);
		if (place > 0)
			t->columns[place - 1] = (uint16_t)i;
	}
}

/* document:row(fields, reading, places, count): after these, `count` columns; record i of the
 * reading stands in column places[i]. */
static void add_records(lua_State *L, struct report_template *t, bool first)
{
	const struct meter_reading *reading = meter_lua_check(L, 3);
	const lua_Integer count = luaL_checkinteger(L, 5);
	size_t separators = 0;
	luaL_checktype(L, 4, LUA_TTABLE);
	luaL_argcheck(L, count >= 0 && count <= COLUMNS_MAX, 5, "too many columns");
	ml_lua_charge(L, 3 * (count + reading->record_count));
	place_records(L, t, reading, (size_t)count);
	for (size_t i = 0; i < (size_t)count; i++) {
		separators += i > 0 || !first;
		if (!t->columns[i])
			continue;
		add_separators(t, separators);
		separators = 0;
		ml_buffer_clear(&t->field);
		report_record_text(reading, meter_reading_record(reading, t->columns[i] - 1u),
			t->locale.decimal_sign, &t->field);
		flush_field(t);
	}
	add_separators(t, separators);
}

/* document:row(value, …) or document:row{value, …, n = count}: one record of CSV. */
static int document_row(lua_State *L)
{
	struct report_template *t;
	struct report_output *output = check_output(L, &t);
	const int count = lua_gettop(L);
	ml_buffer_clear(&t->scratch);
	if (count >= 2 && lua_istable(L, 2) && (count == 2 || count == 5)) {
		const lua_Integer fields = add_table(L, t);
		if (count == 5)
			add_records(L, t, fields <= 0);
	} else {
		for (int i = 2; i <= count; i++) {
			add_separators(t, i > 2);
			add_field(L, t, i);
		}
	}
	ml_buffer_append(&t->scratch, t->locale.line_end, strlen(t->locale.line_end));
	return write_scratch(L, t, output);
}

/* document:json(value): a reading in its JSON shape, or any other value as JSON. */
static int document_json(lua_State *L)
{
	struct report_template *t;
	struct report_output *output = check_output(L, &t);
	luaL_checkany(L, 2);
	ml_buffer_clear(&t->scratch);
	report_value_json(L, 2, &t->scratch);
	return write_scratch(L, t, output);
}

/* document:close(): nothing more will be written to it. */
static int document_close(lua_State *L)
{
	struct report_template *t;
	struct report_output *output = check_output(L, &t);
	t->open--;
	if (report_output_close(output, &t->failure) < 0)
		return report_raise(L, t);
	return 0;
}

static const luaL_Reg document_methods[] = {
	{"close", document_close},
	{"json", document_json},
	{"line", document_line},
	{"row", document_row},
	{"write", document_write},
	{NULL, NULL},
};

static const struct ml_lua_type document_type = {.name = "document", .methods = document_methods};

void report_open_out(lua_State *L)
{
	ml_lua_register(L, &out_type);
	ml_lua_register(L, &document_type);
}
