/* The sandbox: its limits, its runs and its errors.
 * SPDX-License-Identifier: Apache-2.0
 *
 * With any count hook set Lua's interpreter looks aside at each instruction (about a tenth of its
 * time); how many instructions lie between two calls of the hook was measured to make no difference
 * from 100 up, so the period is short. One state and one pcall serve all runs: a run of nothing
 * costs 25 ns.
 *
 * An overrun is raised as a Lua error that no pcall() of a script keeps: ours raises it again.
 * Until the stack is unwound each further instruction raises it too, so that no handler on the way
 * gains time.
 */
#include "internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	HOOK_PERIOD = 1000,    /* instructions between two looks at the budget */
	CLOCK_PERIOD = 10000,  /* instructions between two looks at the clock */
	ALLOCATED_A_STEP = 64, /* bytes that count as one instruction */
	HANDLER = 1,           /* place of the message handler at the bottom of the stack */
};

/* ---- Memory ---- */

static void *plain_allocate(void *user, void *block, size_t old_size, size_t size)
{
	(void)user;
	(void)old_size;
	if (size == 0) {
		free(block);
		return NULL;
	}
	return realloc(block, size);
}

static void *allocate(void *user, void *block, size_t old_size, size_t size)
{
	struct ml_sandbox *sb = user;
	const size_t old =
		block ? old_size : 0; /* Lua tells the kind of a new block in its place */
	if (size > old) {
		const size_t more = size - old;
		if (sb->usage.memory > sb->memory_limit ||
			more > sb->memory_limit - sb->usage.memory) {
			/* Lua now collects all garbage and asks again: that work counts, too. */
			sb->budget -= (int64_t)(sb->memory_limit / (size_t)ALLOCATED_A_STEP);
			sb->memory_refused = true;
			return NULL;
		}
		sb->budget -= (int64_t)(more / ALLOCATED_A_STEP);
	}
	void *result = sb->allocate(sb->allocate_user, block, old_size, size);
	if (!result && size > 0)
		return NULL;
	sb->usage.memory = sb->usage.memory - old + size;
	if (sb->usage.memory > sb->usage.memory_most)
		sb->usage.memory_most = sb->usage.memory;
	return result;
}

/* ---- Limits ---- */

/* Keeps the script's place that is being run. Allocates nothing. */
static void note_place(lua_State *L)
{
	struct ml_sandbox *sb = sandbox_of(L);
	lua_Debug at;
	for (int level = 0; lua_getstack(L, level, &at); level++) {
		if (lua_getinfo(L, "Sl", &at) && at.currentline > 0) {
			(void)snprintf(sb->source, sizeof sb->source, "%s", at.short_src);
			sb->line = at.currentline;
			return;
		}
	}
}

static void on_count(lua_State *L, lua_Debug *at)
{
	(void)at;
	const struct ml_sandbox *sb = sandbox_of(L);
	if (sb->overrun != OVERRUN_NONE)
		(void)sandbox_overrun(L, sb->overrun);
	ml_lua_charge(L, HOOK_PERIOD);
}

int sandbox_overrun(lua_State *L, enum overrun overrun)
{
	struct ml_sandbox *sb = sandbox_of(L);
	if (sb->overrun == OVERRUN_NONE) {
		sb->overrun = overrun;
		if (overrun != OVERRUN_MEMORY)
			note_place(L);
	}
	lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
	lua_pushnil(L); /* whose text is made from sb->overrun; a string might need memory */
	return lua_error(L);
}

static void look_at_clock(lua_State *L, struct ml_sandbox *sb)
{
	sb->look = sb->budget - CLOCK_PERIOD;
	if (!sb->clock)
		return;
	const ml_time now = ml_clock_monotonic(sb->clock);
	if (sb->deadline == 0)
		sb->deadline = now + sb->time;
	else if (now > sb->deadline)
		(void)sandbox_overrun(L, OVERRUN_TIME);
}

void ml_lua_charge(lua_State *L, int64_t instructions)
{
	struct ml_sandbox *sb = sandbox_of(L);
	if (instructions >= sb->budget) {
		sb->budget = 0;
		(void)sandbox_overrun(L, OVERRUN_INSTRUCTIONS);
	}
	sb->budget -= instructions;
	if (sb->budget < sb->look)
		look_at_clock(L, sb);
}

void ml_lua_renew(lua_State *L)
{
	struct ml_sandbox *sb = sandbox_of(L);
	sb->usage.instructions += sb->instructions - sb->budget;
	sb->budget = sb->instructions;
	sb->look = sb->budget;
	sb->deadline = 0;
}

void *ml_lua_user(lua_State *L)
{
	return sandbox_of(L)->user;
}

/* ---- Runs ---- */

/* Called where an error is raised, before the stack is unwound. Keeps the error as it is. */
static int on_error(lua_State *L)
{
	const struct ml_sandbox *sb = sandbox_of(L);
	if (sb->overrun == OVERRUN_NONE)
		note_place(L);
	return 1;
}

static int run_body(lua_State *L)
{
	const struct ml_sandbox *sb = sandbox_of(L);
	sb->body(L, sb->body_user);
	return 0;
}

/* The line of a text that begins with "NAME:LINE: ", as Lua writes it; 0: it does not. *rest is
 * what follows. */
static int line_of_text(const char *name, const char *text, const char **rest)
{
	const size_t length = strlen(name);
	*rest = text;
	if (length == 0 || strncmp(text, name, length) != 0 || text[length] != ':')
		return 0;
	char *end = NULL;
	const long line = strtol(text + length + 1, &end, 10);
	if (end == text + length + 1 || strncmp(end, ": ", 2) != 0 || line <= 0 || line > 1 << 30)
		return 0;
	*rest = end + 2;
	return (int)line;
}

static int overrun_error(const struct ml_sandbox *sb, struct ml_error *err)
{
	switch (sb->overrun) {
	case OVERRUN_INSTRUCTIONS:
		return ml_error_set(err, -ETIMEDOUT,
			"ran for more than %" PRId64 " instructions, the limit of one run",
			sb->instructions);
	case OVERRUN_TIME:
		return ml_error_set(err, -ETIMEDOUT,
			"ran for longer than %" PRId64 " ms, the limit of one run",
			sb->time / ML_MSEC);
	case OVERRUN_MEMORY:
	case OVERRUN_NONE:
		break;
	}
	if (sb->memory_refused)
		return ml_error_set(err, -ENOMEM, "needs more memory than the %zu KiB it may have",
			sb->memory_limit / 1024);
	return ml_error_set(err, -ENOMEM, "the system is out of memory");
}

static void place_error(const struct ml_sandbox *sb, struct ml_error *err, int line)
{
	if (!err)
		return;
	if (line > 0)
		ml_error_prefix(err, "%s:%d", sb->line > 0 ? sb->source : sb->script, line);
	else if (sb->script[0])
		ml_error_prefix(err, "%s", sb->script);
	err->line = line;
}

/* Makes *err from what lua_pcall() left on the stack, and counts. */
static int run_failed(struct ml_sandbox *sb, int status, struct ml_error *err)
{
	lua_State *L = sb->L;
	struct ml_error own = ML_ERROR_NONE;
	int code;
	if (status == LUA_ERRMEM && sb->overrun == OVERRUN_NONE)
		sb->overrun = OVERRUN_MEMORY;
	if (sb->overrun != OVERRUN_NONE) {
		code = overrun_error(sb, &own);
		place_error(sb, &own, sb->line);
		sb->usage.overruns++;
		if (++sb->streak >= sb->trip_after)
			sb->tripped = true;
	} else {
		const bool is_text =
			lua_type(L, -1) == LUA_TSTRING; /* a number would be converted: memory */
		const char *text = is_text ? lua_tostring(L, -1)
					   : "error() was called with a value that is no text";
		const char *name = sb->line > 0 ? sb->source : sb->script;
		const char *rest;
		const int line = line_of_text(name, text, &rest);
		code = ml_error_set(&own, -EINVAL, "%s", rest);
		place_error(sb, &own, line > 0 ? line : sb->line);
		sb->usage.errors++;
		sb->streak = 0;
	}
	lua_settop(L, HANDLER);
	if (err && err->code == 0)
		*err = own;
	return code;
}

int ml_sandbox_run(struct ml_sandbox *sb, ml_sandbox_body body, void *user, struct ml_error *err)
{
	assert(!sb->running);
	if (sb->tripped) {
		return ml_error_set(err, -ECANCELED,
			"%s: stopped after %u runs in a row that went over the limits; change it, "
			"or reset it",
			sb->script, sb->streak);
	}
	lua_State *L = sb->L;
	sb->budget = sb->look = sb->instructions;
	sb->deadline = 0;
	sb->overrun = OVERRUN_NONE;
	sb->memory_refused = false;
	sb->line = 0;
	sb->usage.runs++;
	sb->usage.instructions = 0;
	sb->body = body;
	sb->body_user = user;
	sb->running = true;
	lua_sethook(L, on_count, LUA_MASKCOUNT, HOOK_PERIOD);
	lua_pushcfunction(L, run_body);
	const int status = lua_pcall(L, 0, 0, HANDLER);
	sb->running = false;
	sb->usage.instructions += sb->instructions - sb->budget;
	if (status != LUA_OK || sb->overrun != OVERRUN_NONE)
		return run_failed(sb, status, err);
	sb->streak = 0;
	return 0;
}

/* ---- Scripts ---- */

struct script {
	const char *text;
	size_t length;
};

static void load_script(lua_State *L, void *user)
{
	const struct script *script = user;
	const struct ml_sandbox *sb = sandbox_of(L);
	char chunk[sizeof sb->script + 1];
	(void)snprintf(chunk, sizeof chunk, "=%s", sb->script);
	if (luaL_loadbufferx(L, script->text, script->length, chunk, "t") != LUA_OK)
		(void)lua_error(L);
	lua_call(L, 0, 0);
}

int ml_sandbox_load(struct ml_sandbox *sb, const char *name, const char *text, size_t length,
	struct ml_error *err)
{
	(void)snprintf(sb->script, sizeof sb->script, "%s", name);
	if (length > ML_SANDBOX_SCRIPT_MAX) {
		return ml_error_set(err, -E2BIG, "%s: has %zu bytes; a script may have %d",
			sb->script, length, ML_SANDBOX_SCRIPT_MAX);
	}
	if (length > 0 && text[0] == LUA_SIGNATURE[0])
		return ml_error_set(
			err, -EINVAL, "%s: is compiled Lua; a script is given as text", sb->script);
	struct script script = {text, length};
	return ml_sandbox_run(sb, load_script, &script, err);
}

struct lookup {
	const char *name;
	int ref;
};

static void find_function(lua_State *L, void *user)
{
	struct lookup *lookup = user;
	lua_pushglobaltable(L);
	lua_pushstring(L, lookup->name);
	lua_rawget(L, -2);
	lookup->ref = lua_isfunction(L, -1) ? luaL_ref(L, LUA_REGISTRYINDEX) : LUA_NOREF;
}

int ml_sandbox_function(struct ml_sandbox *sb, const char *name, int *ref, struct ml_error *err)
{
	struct lookup lookup = {.name = name};
	const int result = ml_sandbox_run(sb, find_function, &lookup, err);
	if (result < 0)
		return result;
	if (lookup.ref == LUA_NOREF)
		return ml_error_set(err, -ENOENT, "%s: has no function %s()", sb->script, name);
	*ref = lookup.ref;
	return 0;
}

/* ---- Life ---- */

static void open_libraries(lua_State *L, void *user)
{
	const uint64_t *seed = user;
	sandbox_open_base(L);
	sandbox_open_string(L);
	sandbox_open_table(L);
	sandbox_open_math(L, *seed);
	sandbox_open_utf8(L);
	sandbox_open_decimal(L);
}

static void set_options(struct ml_sandbox *sb, const struct ml_sandbox_options *options)
{
	sb->memory_limit = options->memory ? options->memory : (size_t)4 << 20;
	if (sb->memory_limit < ML_SANDBOX_MEMORY_MIN)
		sb->memory_limit = ML_SANDBOX_MEMORY_MIN;
	sb->instructions = options->instructions > 0 ? options->instructions : 10000000;
	sb->time = options->time > 0 ? options->time : 2 * ML_SEC;
	sb->trip_after = options->trip_after ? options->trip_after : 3;
	sb->clock =
		options->clock && !ml_clock_is_simulated(options->clock) ? options->clock : NULL;
	sb->print = options->print;
	sb->user = options->user;
	sb->allocate = options->allocate ? options->allocate : plain_allocate;
	sb->allocate_user = options->allocate_user;
}

struct ml_sandbox *ml_sandbox_new(const struct ml_sandbox_options *options, struct ml_error *err)
{
	struct ml_sandbox *sb = calloc(1, sizeof *sb);
	if (!sb)
		goto failed;
	set_options(sb, options);
	sb->L = lua_newstate(allocate, sb);
	if (!sb->L)
		goto failed;
	*(struct ml_sandbox **)lua_getextraspace(sb->L) = sb;
	lua_pushcfunction(sb->L, on_error);
	assert(lua_gettop(sb->L) == HANDLER);

	/* The script's limits are not meant for this. */
	uint64_t seed = options->seed;
	const int64_t instructions = sb->instructions;
	sb->instructions = INT64_MAX / 2;
	const int result = ml_sandbox_run(sb, open_libraries, &seed, err);
	sb->instructions = instructions;
	sb->usage.runs = sb->usage.errors = sb->usage.overruns = 0;
	sb->streak = 0;
	sb->tripped = false;
	if (result == 0)
		return sb;
failed:
	ml_sandbox_free(sb);
	(void)ml_error_set(err, -ENOMEM, "the system is out of memory");
	return NULL;
}

void ml_sandbox_free(struct ml_sandbox *sb)
{
	if (!sb)
		return;
	if (sb->L)
		lua_close(sb->L);
	free(sb);
}

bool ml_sandbox_tripped(const struct ml_sandbox *sb)
{
	return sb->tripped;
}

void ml_sandbox_reset(struct ml_sandbox *sb)
{
	sb->tripped = false;
	sb->streak = 0;
}

struct ml_sandbox_usage ml_sandbox_usage(const struct ml_sandbox *sb)
{
	return sb->usage;
}
