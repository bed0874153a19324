/* Values of Lua as the text of reports.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef REPORT_LUA_TEXT_H
#define REPORT_LUA_TEXT_H

#include <lua.h>

#include <meterloom/json.h>

#include "meter/reading.h"

/* Appends a record's value with all its digits and the sign. */
void report_record_text(const struct meter_reading *reading, const struct meter_record *record,
	char decimal_sign, struct ml_buffer *out);

/* Appends the value at `index`: texts as they are, numbers and decimals with the sign, a record's
 * value with all its digits, nothing for nil. NULL, or what is wrong with it. Raises no error. */
const char *report_value_text(lua_State *L, int index, char decimal_sign, struct ml_buffer *out);

/* Appends the value at `index` as JSON: readings in their shape, tables with a first item as
 * arrays, other tables as objects with their keys in order. Raises an error where it is something
 * else. */
void report_value_json(lua_State *L, int index, struct ml_buffer *out);

#endif
