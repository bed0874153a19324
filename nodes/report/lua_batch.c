/* The batch as a template sees it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/template_private.h"

struct batch_object {
	uint32_t generation;
};

static const struct ml_lua_type batch_type;

void report_push_batch(lua_State *L)
{
	const struct report_template *t = report_template_of(L);
	struct batch_object *object = ml_lua_object(L, &batch_type, sizeof *object);
	object->generation = t->generation;
}

static const struct meter_batch *batch_of(lua_State *L, const void *object)
{
	return report_check_job(L, ((const struct batch_object *)object)->generation)->job->batch;
}

/* ---- Fields ---- */

static void get_count(lua_State *L, void *object)
{
	lua_pushinteger(L, (lua_Integer)batch_of(L, object)->count);
}

static void get_destination(lua_State *L, void *object)
{
	lua_pushstring(L, batch_of(L, object)->destination);
}

static void push_time(lua_State *L, ml_time time)
{
	lua_pushinteger(L, time / ML_SEC - (time % ML_SEC < 0));
}

static void get_due(lua_State *L, void *object)
{
	push_time(L, batch_of(L, object)->trigger.due);
}

static void get_first(lua_State *L, void *object)
{
	lua_pushinteger(L, (lua_Integer)batch_of(L, object)->first);
}

static void get_from(lua_State *L, void *object)
{
	push_time(L, batch_of(L, object)->from);
}

static void get_last(lua_State *L, void *object)
{
	lua_pushinteger(L, (lua_Integer)batch_of(L, object)->last);
}

static void get_test(lua_State *L, void *object)
{
	lua_pushboolean(L, batch_of(L, object)->test);
}

static void get_to(lua_State *L, void *object)
{
	push_time(L, batch_of(L, object)->to);
}

static void get_trigger(lua_State *L, void *object)
{
	lua_pushstring(L, batch_of(L, object)->trigger.kind);
}

static const struct ml_lua_field batch_fields[] = {
	{"count", get_count, NULL},
	{"destination", get_destination, NULL},
	{"due", get_due, NULL},
	{"first", get_first, NULL},
	{"from", get_from, NULL},
	{"last", get_last, NULL},
	{"test", get_test, NULL},
	{"to", get_to, NULL},
	{"trigger", get_trigger, NULL},
	{NULL, NULL, NULL},
};

/* ---- Its readings ---- */

void report_close_batch(struct report_template *t)
{
	if (t->cursor)
		t->job->batch->class->close(t->cursor);
	t->cursor = NULL;
	t->item_count = t->item_next = 0;
}

/* Upvalue: the generation of the cursor it goes along. */
static int next_reading(lua_State *L)
{
	struct report_template *t = report_template_of(L);
	if (!t->cursor || t->cursor_generation != (uint32_t)lua_tointeger(L, lua_upvalueindex(1)))
		return luaL_error(L, "batch:readings() was called again, or this report is done");
	if (t->item_next == t->item_count) {
		meter_lua_view_set(&t->view, NULL);
		const int count =
			t->job->batch->class->page(t->cursor, t->items, REPORT_PAGE, &t->failure);
		if (count < 0) {
			report_close_batch(t);
			return report_raise(L, t);
		}
		/* What a template may take is for a page: the batch bounds the rest. */
		ml_lua_renew(L);
		t->item_count = (size_t)count;
		t->item_next = 0;
		if (count == 0) {
			report_close_batch(t);
			lua_pushnil(L);
			return 1;
		}
	}
	meter_lua_view_set(&t->view, t->items[t->item_next++].reading);
	meter_lua_push(L, &t->view);
	return 1;
}

/* for reading in batch:readings("time" or "meter") do */
static int batch_readings(lua_State *L)
{
	static const char *const orders[] = {"time", "meter", NULL};
	const struct batch_object *object = ml_lua_check_object(L, 1, &batch_type);
	struct report_template *t = report_check_job(L, object->generation);
	const int order = luaL_checkoption(L, 2, "time", orders);
	report_close_batch(t);
	if (meter_batch_open(
		    t->job->batch, (enum meter_batch_order)order, &t->cursor, &t->failure) < 0) {
		t->cursor = NULL;
		return report_raise(L, t);
	}
	lua_pushinteger(L, ++t->cursor_generation);
	lua_pushcclosure(L, next_reading, 1);
	return 1;
}

static const luaL_Reg batch_methods[] = {{"readings", batch_readings}, {NULL, NULL}};

static const struct ml_lua_type batch_type = {
	.name = "batch",
	.methods = batch_methods,
	.fields = batch_fields,
};

void report_open_batch(lua_State *L)
{
	ml_lua_register(L, &batch_type);
}
