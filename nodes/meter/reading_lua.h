/* Readings as Lua scripts see them: through accessors, in place, without a copy.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A script holds an object that names a slot of the host; the slot points at the reading. When the
 * host is done with the reading it moves the slot on, and an object that a script kept gives a
 * clear error from then on. A script that may change a reading changes a copy of its own, made at
 * the first change.
 *
 * The names of fields are those of a reading's JSON; docs/reference/lua.md lists them.
 */
#ifndef METER_READING_LUA_H
#define METER_READING_LUA_H

#include <meterloom/sandbox.h>

#include "meter/list.h"
#include "meter/reading.h"

enum { METER_LUA_SLOTS = 16 }; /* readings a script can hold at once: one and its copies */

struct meter_lua_view;

struct meter_lua_slot {
	const struct meter_reading *reading; /* what scripts read; NULL: none */
	struct meter_reading *work; /* owned: where changes are made; NULL: none made yet */
	size_t work_size;
	bool changed;        /* `reading` is `work` */
	uint32_t generation; /* objects of an earlier one are void */
	struct meter_lua_view *view;
};

/* Stays at its address as long as the sandbox lives. */
struct meter_lua_view {
	bool writable; /* set by the host */
	const struct meter_snapshot
		*snapshot; /* set by the host: places and names of meters; may be NULL */
	struct meter_lua_slot slots[METER_LUA_SLOTS]; /* [0] is the host's, the rest are copies */
	unsigned used;
};

/* Within a run: makes the types known. Once for each sandbox. */
void meter_lua_register(lua_State *L);

void meter_lua_view_init(struct meter_lua_view *view);
void meter_lua_view_free(struct meter_lua_view *view);

/* Slot 0 is `reading` (or nothing), and what scripts held before is void. */
void meter_lua_view_set(struct meter_lua_view *view, const struct meter_reading *reading);

/* Within a run: pushes the reading of slot 0. */
void meter_lua_push(lua_State *L, struct meter_lua_view *view);

/* The slot of the reading at `index`, or NULL where that is something else or is void. */
struct meter_lua_slot *meter_lua_to_slot(lua_State *L, int index);

/* The same; raises an error. */
const struct meter_reading *meter_lua_check(lua_State *L, int arg);

/* The record at `index` with its reading, or NULL where that is something else or is void. */
const struct meter_record *meter_lua_to_record(
	lua_State *L, int index, const struct meter_reading **ret_reading);

/* The record that is argument `arg`, with its reading; raises an error. */
const struct meter_record *meter_lua_check_record(
	lua_State *L, int arg, const struct meter_reading **ret_reading);

#endif
