/* What a call into the Lua sandbox costs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/clock.h>
#include <meterloom/sandbox.h>

struct call {
	int ref;
	int64_t result;
};

static void call_filter(lua_State *L, void *user)
{
	struct call *call = user;
	lua_rawgeti(L, LUA_REGISTRYINDEX, call->ref);
	lua_pushinteger(L, 5);
	lua_call(L, 1, 1);
	call->result = lua_tointeger(L, -1);
}

static void call_with_table(lua_State *L, void *user)
{
	struct call *call = user;
	lua_rawgeti(L, LUA_REGISTRYINDEX, call->ref);
	lua_createtable(L, 0, 3);
	lua_pushinteger(L, 123456);
	lua_setfield(L, -2, "value");
	lua_pushliteral(L, "Wh");
	lua_setfield(L, -2, "unit");
	lua_pushinteger(L, 17);
	lua_setfield(L, -2, "id");
	lua_call(L, 1, 1);
	call->result = lua_tointeger(L, -1);
}

static void nothing(lua_State *L, void *user)
{
	(void)L;
	(void)user;
}

static void measure(struct ml_clock *clock, struct ml_sandbox *sb, const char *what,
	ml_sandbox_body body, struct call *call, int calls, int64_t limit)
{
	const ml_time begin = ml_clock_monotonic(clock);
	for (int i = 0; i < calls; i++) {
		if (ml_sandbox_run(sb, body, call, NULL) != 0)
			abort();
	}
	const ml_time took = ml_clock_monotonic(clock) - begin;
	char target[32] = "";
	if (limit)
		(void)snprintf(target, sizeof target, "   (limit %" PRId64 ")", limit);
	(void)printf("  %-44s %6.1f ns%s\n", what, (double)took * 1000 / calls, target);
}

int main(void)
{
	static const char script[] =
		"function empty(x) return x end\n"
		"function filter(t) if t.unit == 'Wh' then return t.value + t.id end return 0 end\n"
		"function loop() local n = 0 for i = 1, 1000 do n = n + i end return n end\n";
	struct ml_error err = ML_ERROR_NONE;
	struct ml_clock *clock = ml_clock_new_real();
	struct ml_sandbox *sb = ml_sandbox_new(&(struct ml_sandbox_options){.clock = clock}, &err);
	if (!clock || !sb ||
		ml_sandbox_load(sb, "bench.lua", script, sizeof script - 1, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	struct call empty = {0}, filter = {0}, loop = {0};
	if (ml_sandbox_function(sb, "empty", &empty.ref, &err) < 0 ||
		ml_sandbox_function(sb, "filter", &filter.ref, &err) < 0 ||
		ml_sandbox_function(sb, "loop", &loop.ref, &err) < 0)
		return 1;
	(void)printf("Lua sandbox, a run:\n");
	measure(clock, sb, "nothing at all", nothing, &empty, 2000000, 0);
	measure(clock, sb, "an empty function", call_filter, &empty, 2000000, 0);
	measure(clock, sb, "a filter over a small table", call_with_table, &filter, 2000000, 300);
	measure(clock, sb, "a loop of 1000 turns", call_filter, &loop, 100000, 0);
	(void)printf(
		"  %-44s %6zu KiB\n", "memory of a sandbox", ml_sandbox_usage(sb).memory / 1024);
	ml_sandbox_free(sb);
	ml_clock_free(clock);
	return 0;
}
