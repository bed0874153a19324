/* What the files of the Lua view of a reading share.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef METER_READING_LUA_PRIVATE_H
#define METER_READING_LUA_PRIVATE_H

#include "meter/reading_lua.h"

/* An object of a script: a reading, its meter, its list of records, or one record. */
struct view_object {
	struct meter_lua_slot *slot;
	uint32_t generation;
	uint32_t record; /* of a record: its place, from 0 */
};

extern const struct ml_lua_type meter_lua_record_type;
extern const struct ml_lua_type meter_lua_records_type;

/* The slot of an object, or an error where it has moved on. */
struct meter_lua_slot *view_slot(lua_State *L, const struct view_object *object);

void view_push(
	lua_State *L, const struct ml_lua_type *type, struct meter_lua_slot *slot, uint32_t record);

/* The slot's own copy, to be changed; made where there is none. Raises an error where scripts must
 * not change it. */
struct meter_reading *view_change(lua_State *L, struct meter_lua_slot *slot);

/* Twice the room of a copy that is full. Raises an error where it is as large as may be. */
struct meter_reading *view_grow(lua_State *L, struct meter_lua_slot *slot);

/* Sets the value of a record to that at index `value`. */
void view_set_value(lua_State *L, struct meter_lua_slot *slot, size_t record, int value);

void view_push_hex(lua_State *L, const uint8_t *bytes, size_t length);

#endif
