/* What a Lua filter over a reading costs, apart from the engine around it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/clock.h>
#include <meterloom/sandbox.h>

#include "mbus/application.h"
#include "meter/reading_lua.h"

static const struct {
	const char *what, *script;
} filters[] = {
	{"nothing", "function process(r) end"},
	{"the meter's medium", "function process(r) return r.meter.medium == 'heat' end"},
	{"a value found by its quantity",
		"function process(r) local e = r:find('energy') return e and e.value > 100 end"},
	{"all records", "function process(r) local n = 0 for _, e in ipairs(r.records) do n = n + "
			"e.storage end "
			"return n < 100 end"},
	{"a value changed",
		"function process(r) local e = r:find('energy') e.value = e.value + 1 end"},
};

struct call {
	struct meter_lua_view *view;
	int ref;
};

static void prepare(lua_State *L, void *user)
{
	(void)user;
	meter_lua_register(L);
}

static void call_process(lua_State *L, void *user)
{
	struct call *call = user;
	lua_rawgeti(L, LUA_REGISTRYINDEX, call->ref);
	meter_lua_push(L, call->view);
	lua_call(L, 1, 1);
}

static int measure(struct ml_clock *clock, const struct meter_reading *reading, size_t which)
{
	enum { CALLS = 1000000 };
	struct ml_error err = ML_ERROR_NONE;
	struct meter_lua_view view;
	struct call call = {.view = &view};
	meter_lua_view_init(&view);
	view.writable = true;
	struct ml_sandbox *sb = ml_sandbox_new(&(struct ml_sandbox_options){.clock = clock}, &err);
	if (!sb || ml_sandbox_run(sb, prepare, NULL, &err) < 0 ||
		ml_sandbox_load(sb, "bench.lua", filters[which].script,
			strlen(filters[which].script), &err) < 0 ||
		ml_sandbox_function(sb, "process", &call.ref, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	const ml_time begin = ml_clock_monotonic(clock);
	for (int i = 0; i < CALLS; i++) {
		meter_lua_view_set(&view, reading);
		if (ml_sandbox_run(sb, call_process, &call, NULL) != 0)
			abort();
	}
	const ml_time took = ml_clock_monotonic(clock) - begin;
	(void)printf("  %-44s %6.1f ns\n", filters[which].what, (double)took * 1000 / CALLS);
	ml_sandbox_free(sb);
	meter_lua_view_free(&view);
	return 0;
}

int main(void)
{
	/* Energy, its stored value, volume, a temperature, a date. */
	static const uint8_t telegram[] = {0x72, 0x78, 0x56, 0x34, 0x12, 0x2D, 0x2C, 0x1B, 0x04,
		0x2A, 0x00, 0x00, 0x00, 0x04, 0x06, 0xD2, 0x04, 0x00, 0x00, 0x44, 0x06, 0x64, 0x00,
		0x00, 0x00, 0x04, 0x13, 0x64, 0x00, 0x00, 0x00, 0x02, 0x5A, 0xC9, 0x00, 0x42, 0x6C,
		0x5F, 0x1C};
	static _Alignas(8) unsigned char block[METER_READING_MAX];
	struct ml_clock *clock = ml_clock_new_real();
	struct meter_reading *reading = (void *)block;
	if (!clock || meter_reading_init(block, sizeof block, telegram, sizeof telegram, NULL) < 0)
		return 1;
	mbus_decode_application(reading, 0, sizeof telegram, 0);
	(void)printf("Lua filter over a reading of %u records:\n", reading->record_count);
	int result = 0;
	for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
		result |= measure(clock, reading, i);
	ml_clock_free(clock);
	return result;
}
