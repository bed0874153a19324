/* Readings in Lua: whose, when and how.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meter/reading_lua_private.h"

#include <stdlib.h>
#include <string.h>

#include <meterloom/message.h>

static const struct ml_lua_type reading_type, meter_type;

enum { ROOM_FIRST = 2048 }; /* bytes for what a script adds, at first */

/* ---- Slots ---- */

void meter_lua_view_init(struct meter_lua_view *view)
{
	*view = (struct meter_lua_view){.used = 1};
	for (size_t i = 0; i < METER_LUA_SLOTS; i++)
		view->slots[i].view = view;
}

void meter_lua_view_free(struct meter_lua_view *view)
{
	for (size_t i = 0; i < METER_LUA_SLOTS; i++) {
		free(view->slots[i].work);
		view->slots[i].work = NULL;
		view->slots[i].reading = NULL;
	}
}

void meter_lua_view_set(struct meter_lua_view *view, const struct meter_reading *reading)
{
	for (unsigned i = 0; i < view->used; i++) {
		struct meter_lua_slot *slot = &view->slots[i];
		slot->reading = NULL;
		slot->changed = false;
		slot->generation++;
	}
	view->slots[0].reading = reading;
	view->used = 1;
}

struct meter_lua_slot *view_slot(lua_State *L, const struct view_object *object)
{
	if (!object->slot->reading || object->slot->generation != object->generation)
		(void)luaL_error(
			L, "this reading has been passed on; keep its values, not the reading");
	return object->slot;
}

void view_push(
	lua_State *L, const struct ml_lua_type *type, struct meter_lua_slot *slot, uint32_t record)
{
	struct view_object *object = ml_lua_object(L, type, sizeof *object);
	*object = (struct view_object){slot, slot->generation, record};
}

void meter_lua_push(lua_State *L, struct meter_lua_view *view)
{
	view_push(L, &reading_type, &view->slots[0], 0);
}

struct meter_lua_slot *meter_lua_to_slot(lua_State *L, int index)
{
	const struct view_object *object = ml_lua_to_object(L, index, &reading_type);
	if (!object || !object->slot->reading || object->slot->generation != object->generation)
		return NULL;
	return object->slot;
}

static struct meter_lua_slot *check_slot(lua_State *L)
{
	return view_slot(L, ml_lua_check_object(L, 1, &reading_type));
}

const struct meter_reading *meter_lua_check(lua_State *L, int arg)
{
	return view_slot(L, ml_lua_check_object(L, arg, &reading_type))->reading;
}

const struct meter_record *meter_lua_to_record(
	lua_State *L, int index, const struct meter_reading **ret_reading)
{
	const struct view_object *object = ml_lua_to_object(L, index, &meter_lua_record_type);
	if (!object || !object->slot->reading || object->slot->generation != object->generation)
		return NULL;
	*ret_reading = object->slot->reading;
	return meter_reading_record(*ret_reading, object->record);
}

const struct meter_record *meter_lua_check_record(
	lua_State *L, int arg, const struct meter_reading **ret_reading)
{
	const struct view_object *object = ml_lua_check_object(L, arg, &meter_lua_record_type);
	const struct meter_reading *reading = view_slot(L, object)->reading;
	const struct meter_record *record = meter_reading_record(reading, object->record);
	if (!record)
		(void)luaL_error(L, "this record has been removed");
	*ret_reading = reading;
	return record;
}

static bool make_room(struct meter_lua_slot *slot, size_t size)
{
	if (size > ML_MESSAGE_MAX)
		return false;
	if (size <= slot->work_size)
		return true;
	struct meter_reading *work = realloc(slot->work, size);
	if (!work)
		return false;
	if (slot->changed)
		slot->reading = work;
	slot->work = work;
	slot->work_size = size;
	work->capacity = (uint32_t)size;
	return true;
}

static bool copy_into(struct meter_lua_slot *slot, const struct meter_reading *reading)
{
	const size_t room = reading->size + ROOM_FIRST;
	if (!make_room(slot, room < ML_MESSAGE_MAX ? room : ML_MESSAGE_MAX))
		return false;
	if (meter_reading_copy(slot->work, slot->work_size, reading, NULL) < 0)
		return false;
	slot->reading = slot->work;
	slot->changed = true;
	return true;
}

struct meter_reading *view_change(lua_State *L, struct meter_lua_slot *slot)
{
	if (!slot->view->writable)
		(void)luaL_error(L, "a reading cannot be changed here");
	if (!slot->changed && !copy_into(slot, slot->reading))
		(void)luaL_error(L, "there is no memory for a changed reading");
	ml_lua_charge(L, 10 + slot->work->size / 64);
	return slot->work;
}

struct meter_reading *view_grow(lua_State *L, struct meter_lua_slot *slot)
{
	const size_t size =
		slot->work_size < ML_MESSAGE_MAX / 2 ? 2 * slot->work_size : ML_MESSAGE_MAX;
	if (slot->work_size == ML_MESSAGE_MAX || !make_room(slot, size))
		(void)luaL_error(L, "the reading has no room for more");
	return slot->work;
}

/* ---- Fields ---- */

static const struct meter_reading *reading_of(lua_State *L, const void *object)
{
	return view_slot(L, object)->reading;
}

static void get_time(lua_State *L, void *object)
{
	const struct meter_reading *reading = reading_of(L, object);
	char text[ML_TIME_TEXT_MAX];
	if (reading->time == METER_TIME_UNKNOWN)
		lua_pushnil(L);
	else
		lua_pushlstring(L, text, ml_time_format(reading->time, text));
}

static void get_unix(lua_State *L, void *object)
{
	const struct meter_reading *reading = reading_of(L, object);
	if (reading->time == METER_TIME_UNKNOWN)
		lua_pushnil(L);
	else
		lua_pushinteger(L, reading->time / ML_SEC - (reading->time % ML_SEC < 0));
}

static void get_trace(lua_State *L, void *object)
{
	lua_pushinteger(L, (lua_Integer)reading_of(L, object)->trace);
}

static void get_meter(lua_State *L, void *object)
{
	struct meter_lua_slot *slot = view_slot(L, object);
	if (slot->reading->flags & METER_HAS_IDENTITY)
		view_push(L, &meter_type, slot, 0);
	else
		lua_pushnil(L);
}

static void get_records(lua_State *L, void *object)
{
	view_push(L, &meter_lua_records_type, view_slot(L, object), 0);
}

static void get_access(lua_State *L, void *object)
{
	const struct meter_reading *reading = reading_of(L, object);
	if (reading->flags & METER_HAS_STATUS)
		lua_pushinteger(L, reading->access);
	else
		lua_pushnil(L);
}

static void get_status_code(lua_State *L, void *object)
{
	const struct meter_reading *reading = reading_of(L, object);
	if (reading->flags & METER_HAS_STATUS)
		lua_pushinteger(L, reading->status);
	else
		lua_pushnil(L);
}

static void add_word(void *user, const char *text)
{
	lua_State *L = user;
	lua_pushstring(L, text);
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

static void get_status(lua_State *L, void *object)
{
	const struct meter_reading *reading = reading_of(L, object);
	lua_newtable(L);
	if (reading->flags & METER_HAS_STATUS)
		meter_status_words(reading->status, add_word, L);
}

static void get_encryption(lua_State *L, void *object)
{
	const struct meter_reading *reading = reading_of(L, object);
	lua_createtable(L, 0, 2);
	lua_pushinteger(L, reading->encryption_mode);
	lua_setfield(L, -2, "mode");
	lua_pushstring(L, meter_encryption_name(reading->encryption));
	lua_setfield(L, -2, "result");
}

static void get_configuration(lua_State *L, void *object)
{
	lua_pushinteger(L, reading_of(L, object)->configuration);
}

static void get_address(lua_State *L, void *object)
{
	const struct meter_reading *reading = reading_of(L, object);
	if (reading->flags & METER_HAS_ADDRESS)
		lua_pushinteger(L, reading->address);
	else
		lua_pushnil(L);
}

static void get_error(lua_State *L, void *object)
{
	const struct meter_reading *reading = reading_of(L, object);
	size_t length;
	const char *text = meter_reading_error(reading, &length);
	if (!text) {
		lua_pushnil(L);
		return;
	}
	lua_createtable(L, 0, 2);
	lua_pushlstring(L, text, length);
	lua_setfield(L, -2, "text");
	if (reading->error_at >= 0) {
		lua_pushinteger(L, reading->error_at);
		lua_setfield(L, -2, "at");
	}
}

static void get_failed(lua_State *L, void *object)
{
	lua_pushboolean(L, (reading_of(L, object)->flags & METER_NOT_READ) != 0);
}

static void get_more_follows(lua_State *L, void *object)
{
	lua_pushboolean(L, (reading_of(L, object)->flags & METER_MORE_FOLLOWS) != 0);
}

static void get_telegram(lua_State *L, void *object)
{
	const struct meter_reading *reading = reading_of(L, object);
	view_push_hex(L, meter_reading_bytes(reading), reading->telegram_length);
}

static const struct meter_point *point_of(lua_State *L, const void *object)
{
	const struct meter_lua_slot *slot = view_slot(L, object);
	const struct meter_snapshot *snapshot = slot->view->snapshot;
	if (!snapshot || slot->reading->point == 0)
		return NULL;
	return meter_snapshot_point(snapshot, slot->reading->point);
}

static void get_point(lua_State *L, void *object)
{
	const uint32_t point = reading_of(L, object)->point;
	if (point)
		lua_pushinteger(L, point);
	else
		lua_pushnil(L);
}

static void get_shape(lua_State *L, void *object)
{
	lua_pushinteger(L, (lua_Integer)meter_reading_shape(reading_of(L, object)));
}

static void get_moid(lua_State *L, void *object)
{
	const struct meter_point *point = point_of(L, object);
	if (point && point->settings.moid[0])
		lua_pushstring(L, point->settings.moid);
	else
		lua_pushnil(L);
}

static void get_position(lua_State *L, void *object)
{
	const struct meter_point *point = point_of(L, object);
	if (point)
		lua_pushinteger(L, point->order);
	else
		lua_pushnil(L);
}

static const struct ml_lua_field reading_fields[] = {
	{"access", get_access, NULL},
	{"address", get_address, NULL},
	{"configuration", get_configuration, NULL},
	{"encryption", get_encryption, NULL},
	{"error", get_error, NULL},
	{"failed", get_failed, NULL},
	{"meter", get_meter, NULL},
	{"moid", get_moid, NULL},
	{"more_follows", get_more_follows, NULL},
	{"point", get_point, NULL},
	{"position", get_position, NULL},
	{"records", get_records, NULL},
	{"shape", get_shape, NULL},
	{"status", get_status, NULL},
	{"status_code", get_status_code, NULL},
	{"telegram", get_telegram, NULL},
	{"time", get_time, NULL},
	{"trace", get_trace, NULL},
	{"unix", get_unix, NULL},
	{NULL, NULL, NULL},
};

/* ---- Its meter ---- */

static void get_id(lua_State *L, void *object)
{
	char text[METER_ID_TEXT_MAX];
	meter_id_format(reading_of(L, object)->meter.id, text);
	lua_pushstring(L, text);
}

static void get_manufacturer(lua_State *L, void *object)
{
	const struct meter_reading *reading = reading_of(L, object);
	char text[METER_MANUFACTURER_TEXT_MAX];
	if (!(reading->flags & METER_HAS_MAKER)) {
		lua_pushnil(L);
		return;
	}
	meter_manufacturer_format(reading->meter.manufacturer, text);
	lua_pushstring(L, text);
}

static void get_version(lua_State *L, void *object)
{
	const struct meter_reading *reading = reading_of(L, object);
	if (reading->flags & METER_HAS_MAKER)
		lua_pushinteger(L, reading->meter.version);
	else
		lua_pushnil(L);
}

static void get_medium(lua_State *L, void *object)
{
	lua_pushstring(L, meter_medium_name(reading_of(L, object)->meter.medium));
}

static void get_medium_code(lua_State *L, void *object)
{
	lua_pushinteger(L, reading_of(L, object)->meter.medium);
}

static const struct ml_lua_field meter_fields[] = {
	{"id", get_id, NULL},
	{"manufacturer", get_manufacturer, NULL},
	{"medium", get_medium, NULL},
	{"medium_code", get_medium_code, NULL},
	{"version", get_version, NULL},
	{NULL, NULL, NULL},
};

static const struct ml_lua_type meter_type = {.name = "meter", .fields = meter_fields};

/* ---- Methods ---- */

/* The integer field `name` of the table at 2; false: it is not there. */
static bool integer_field(lua_State *L, const char *name, lua_Integer most, lua_Integer *value)
{
	lua_getfield(L, 2, name);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		return false;
	}
	int is_integer;
	*value = lua_tointegerx(L, -1, &is_integer);
	if (!is_integer || *value < 0 || *value > most)
		(void)luaL_error(L, "find: '%s' is an integer from 0 on", name);
	lua_pop(L, 1);
	return true;
}

static void filter_quantity(lua_State *L, struct meter_filter *filter, int index)
{
	size_t length;
	const char *text = luaL_tolstring(L, index, &length);
	if (!meter_quantity_parse(text, length, &filter->quantity))
		(void)luaL_error(L, "find: no quantity is called '%s'", text);
	filter->with |= METER_WITH_QUANTITY;
	lua_pop(L, 1);
}

static unsigned parse_function(lua_State *L, const char *text)
{
	for (unsigned i = METER_INSTANTANEOUS; i <= METER_ERROR_STATE; i++) {
		if (strcmp(text, meter_function_name(i)) == 0)
			return i;
	}
	return (unsigned)luaL_error(
		L, "'%s' is no function: instantaneous, maximum, minimum or error", text);
}

static void filter_table(lua_State *L, struct meter_filter *filter)
{
	lua_Integer value;
	lua_getfield(L, 2, "quantity");
	if (!lua_isnil(L, -1))
		filter_quantity(L, filter, -1);
	lua_pop(L, 1);
	lua_getfield(L, 2, "func");
	if (!lua_isnil(L, -1)) {
		filter->function = parse_function(L, luaL_tolstring(L, -1, NULL));
		filter->with |= METER_WITH_FUNCTION;
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	if (integer_field(L, "storage", INT64_MAX, &value)) {
		filter->storage = (uint64_t)value;
		filter->with |= METER_WITH_STORAGE;
	}
	if (integer_field(L, "tariff", UINT32_MAX, &value)) {
		filter->tariff = (uint32_t)value;
		filter->with |= METER_WITH_TARIFF;
	}
	if (integer_field(L, "subunit", UINT16_MAX, &value)) {
		filter->subunit = (uint16_t)value;
		filter->with |= METER_WITH_SUBUNIT;
	}
}

/* reading:find("energy"), reading:find{quantity=, func=, storage=, tariff=, subunit=} [, from]: the
 * first record that is so, or nil. */
static int reading_find(lua_State *L)
{
	struct meter_lua_slot *slot = check_slot(L);
	struct meter_filter filter = {.with = 0};
	if (lua_type(L, 2) == LUA_TSTRING) {
		filter_quantity(L, &filter, 2);
	} else {
		luaL_checktype(L, 2, LUA_TTABLE);
		filter_table(L, &filter);
	}
	const lua_Integer from = luaL_optinteger(L, 3, 1);
	luaL_argcheck(L, from > 0, 3, "records count from 1");
	ml_lua_charge(L, slot->reading->record_count / 4);
	const size_t found = from > slot->reading->record_count
				     ? slot->reading->record_count
				     : meter_reading_find(slot->reading, &filter, (size_t)from - 1);
	if (found < slot->reading->record_count)
		view_push(L, &meter_lua_record_type, slot, (uint32_t)found);
	else
		luaL_pushfail(L);
	return 1;
}

/* reading:copy(): another reading of the same content, for splitting. */
static int reading_copy(lua_State *L)
{
	struct meter_lua_slot *slot = check_slot(L);
	struct meter_lua_view *view = slot->view;
	if (!view->writable)
		return luaL_error(L, "a reading cannot be copied here");
	if (view->used == METER_LUA_SLOTS)
		return luaL_error(L, "more than %d copies of one reading", METER_LUA_SLOTS - 1);
	struct meter_lua_slot *copy = &view->slots[view->used];
	if (!copy_into(copy, slot->reading))
		return luaL_error(L, "there is no memory for a copy of the reading");
	view->used++;
	ml_lua_charge(L, 10 + copy->work->size / 64);
	view_push(L, &reading_type, copy, 0);
	return 1;
}

/* A text field of the table at 2, "" where it is not there. Stays on the stack. */
static const char *text_field(lua_State *L, const char *name, size_t *length)
{
	lua_getfield(L, 2, name);
	*length = 0;
	if (lua_isnil(L, -1))
		return "";
	if (lua_type(L, -1) != LUA_TSTRING)
		(void)luaL_error(L, "add: '%s' is a text", name);
	return lua_tolstring(L, -1, length);
}

/* reading:add{quantity=, unit=, value=}: a record of the script's own. */
static int reading_add(lua_State *L)
{
	struct meter_lua_slot *slot = check_slot(L);
	size_t name_length, unit_length;
	luaL_checktype(L, 2, LUA_TTABLE);
	const char *name = text_field(L, "quantity", &name_length);
	const char *unit = text_field(L, "unit", &unit_length);
	luaL_argcheck(L, name_length > 0, 2, "quantity: a name for the new record is needed");
	luaL_argcheck(L, name_length + unit_length <= 200, 2,
		"quantity and unit are too long (200 bytes)");
	luaL_argcheck(L, slot->reading->record_count < METER_RECORDS_MAX, 2, "the reading is full");
	struct meter_reading *reading = view_change(L, slot);
	while (!meter_reading_add_custom(reading, name, name_length, unit, unit_length))
		reading = view_grow(L, slot);
	const size_t index = reading->record_count - 1u;
	lua_getfield(L, 2, "value");
	view_set_value(L, slot, index, lua_gettop(L));
	view_push(L, &meter_lua_record_type, slot, (uint32_t)index);
	return 1;
}

/* reading:remove(n): those after it move up. */
static int reading_remove(lua_State *L)
{
	struct meter_lua_slot *slot = check_slot(L);
	const lua_Integer n = luaL_checkinteger(L, 2);
	luaL_argcheck(L, n >= 1 && n <= slot->reading->record_count, 2, "there is no such record");
	struct meter_reading *reading = view_change(L, slot);
	char *at = (char *)reading + ((const char *)meter_reading_record(reading, (size_t)n - 1) -
					     (const char *)reading);
	const size_t size = sizeof(struct meter_record);
	memmove(at, at + size, reading->size - (size_t)(at + size - (char *)reading));
	reading->record_count--;
	reading->size -= (uint32_t)size;
	return 0;
}

static int reading_tostring(lua_State *L)
{
	const struct meter_reading *reading = meter_lua_check(L, 1);
	char id[METER_ID_TEXT_MAX], manufacturer[METER_MANUFACTURER_TEXT_MAX];
	if (!(reading->flags & METER_HAS_IDENTITY)) {
		lua_pushliteral(L, "reading");
		return 1;
	}
	meter_id_format(reading->meter.id, id);
	meter_manufacturer_format(reading->meter.manufacturer, manufacturer);
	if (reading->flags & METER_HAS_MAKER)
		lua_pushfstring(L, "reading of %s.%s", id, manufacturer);
	else
		lua_pushfstring(L, "reading of %s", id);
	return 1;
}

static const luaL_Reg reading_methods[] = {
	{"add", reading_add},
	{"copy", reading_copy},
	{"find", reading_find},
	{"remove", reading_remove},
	{NULL, NULL},
};

static const luaL_Reg reading_metamethods[] = {{"__tostring", reading_tostring}, {NULL, NULL}};

static const struct ml_lua_type reading_type = {
	.name = "reading",
	.methods = reading_methods,
	.metamethods = reading_metamethods,
	.fields = reading_fields,
};

void meter_lua_register(lua_State *L)
{
	ml_lua_register(L, &reading_type);
	ml_lua_register(L, &meter_type);
	ml_lua_register(L, &meter_lua_records_type);
	ml_lua_register(L, &meter_lua_record_type);
}
