/* The node `lua-filter`: a script changes, drops, splits or annotates readings.
 * SPDX-License-Identifier: Apache-2.0
 *
 * For each reading the script's function process(reading) is called. What it returns goes on:
 *
 *     nothing, nil, true   the reading, with what the script changed in it
 *     false                nothing: it is dropped on purpose, and its ack is delivered
 *     one or more readings those, in their order (also as one table): reading:copy() makes them
 *
 * The script sees the reading in place through accessors. Variables keep their values from message
 * to message, until the node is started again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/command.h>
#include <meterloom/engine.h>
#include <meterloom/node.h>
#include <meterloom/sandbox.h>
#include <meterloom/script.h>

#include "lua/family.h"
#include "meter/reading_lua.h"
#include "meter/reading_message.h"

enum { PORT_IN, PORT_OUT };
enum { COUNT_CHANGED, COUNT_DROPPED, COUNT_ADDED, COUNT_OVERRUNS, GAUGE_MEMORY };
enum { EMITS_MAX = METER_LUA_SLOTS };

struct lua_filter {
	/* parameters */
	char *script, *file;
	int64_t memory; /* KiB */
	int64_t instructions;
	ml_time time;
	int64_t trip_after;

	struct ml_node *node;
	struct ml_sandbox *sandbox;
	int process; /* the script's function, a reference of Lua's registry */
	struct meter_lua_view view;
	struct meter_list *list; /* may be NULL */
	const struct meter_snapshot *snapshot;

	/* of the message at hand */
	unsigned results[EMITS_MAX]; /* slots, in the order of their going on */
	unsigned result_count;
};

/* ---- The script ---- */

static void print(void *user, const char *text, size_t length)
{
	const struct lua_filter *self = user;
	(void)length;
	ml_node_log(self->node, ML_LOG_INFO, "%s", text);
}

static void add_result(lua_State *L, struct lua_filter *self, int index)
{
	const struct meter_lua_slot *slot = meter_lua_to_slot(L, index);
	if (!slot || slot->view != &self->view) {
		(void)luaL_error(L,
			"process() returns a reading, several of them, false (drop it) or nothing, "
			"but "
			"not a %s",
			luaL_typename(L, index));
		return;
	}
	if (self->result_count == EMITS_MAX)
		(void)luaL_error(L, "process() returns more than %d readings", EMITS_MAX);
	self->results[self->result_count++] = (unsigned)(slot - self->view.slots);
}

static void call_process(lua_State *L, void *user)
{
	struct lua_filter *self = user;
	self->result_count = 0;
	(void)lua_rawgeti(L, LUA_REGISTRYINDEX, self->process);
	meter_lua_push(L, &self->view);
	lua_call(L, 1, LUA_MULTRET);
	const int count = lua_gettop(L);
	if (count == 0 || lua_isnil(L, 1) || (lua_isboolean(L, 1) && lua_toboolean(L, 1))) {
		self->results[self->result_count++] = 0;
	} else if (lua_istable(L, 1)) {
		const lua_Integer length = (lua_Integer)lua_rawlen(L, 1);
		for (lua_Integer i = 1; i <= length; i++) {
			lua_rawgeti(L, 1, i);
			add_result(L, self, -1);
			lua_pop(L, 1);
		}
	} else if (!lua_isboolean(L, 1)) {
		for (int i = 1; i <= count; i++)
			add_result(L, self, i);
	}
}

/* ---- Messages ---- */

static void pass_on(struct lua_filter *self, struct ml_message *message)
{
	struct ml_node *node = self->node;
	const struct meter_lua_slot *slots = self->view.slots;
	if (self->result_count == 1 && self->results[0] == 0 && !slots[0].changed) {
		ml_emit(node, PORT_OUT, message);
		return;
	}
	if (self->result_count == 0)
		ml_node_count(node, COUNT_DROPPED, 1);
	else
		ml_node_count(node, COUNT_ADDED, (int64_t)self->result_count - 1);
	for (unsigned i = 0; i < self->result_count; i++) {
		const struct meter_lua_slot *slot = &slots[self->results[i]];
		struct ml_message *out =
			slot->changed ? meter_reading_message(node, slot->reading, message)
				      : ml_retain(message);
		if (!out) {
			ml_fail(node, message, "there is no memory for a reading");
			return;
		}
		if (slot->changed)
			ml_node_count(node, COUNT_CHANGED, 1);
		ml_emit(node, PORT_OUT, out);
	}
	ml_release(node, message);
}

static void filter_one(struct lua_filter *self, struct ml_message *message)
{
	struct ml_error err = ML_ERROR_NONE;
	const bool tripped = ml_sandbox_tripped(self->sandbox);
	meter_lua_view_set(&self->view, meter_reading(message));
	const int result = ml_sandbox_run(self->sandbox, call_process, self, &err);
	if (result == 0) {
		pass_on(self, message);
	} else {
		if (result == -ETIMEDOUT || result == -ENOMEM)
			ml_node_count(self->node, COUNT_OVERRUNS, 1);
		ml_fail(self->node, message, "%s", err.text);
		if (!tripped && ml_sandbox_tripped(self->sandbox)) {
			ml_node_state(self->node, ML_STATE_FAULT,
				"stopped after %" PRId64 " overruns in a row; the last: %s",
				self->trip_after, err.text);
		}
	}
	meter_lua_view_set(&self->view, NULL);
}

static void filter_process(struct ml_node *node, void *user, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	struct lua_filter *self = user;
	(void)port;
	if (self->list &&
		(!self->snapshot || meter_list_revision(self->list) != self->snapshot->revision)) {
		meter_snapshot_release(self->snapshot);
		self->snapshot = meter_list_snapshot(self->list);
		self->view.snapshot = self->snapshot;
	}
	for (size_t i = 0; i < count; i++)
		filter_one(self, messages[i]);
	ml_node_gauge(node, GAUGE_MEMORY, (int64_t)ml_sandbox_usage(self->sandbox).memory);
}

/* ---- Life ---- */

static void register_types(lua_State *L, void *user)
{
	(void)user;
	meter_lua_register(L);
}

/* The same in each run of a graph: FNV-1a of the node's name. */
static uint64_t seed_of(const char *id)
{
	uint64_t seed = 0xCBF29CE484222325u;
	for (; *id; id++)
		seed = (seed ^ (unsigned char)*id) * 0x100000001B3u;
	return seed;
}

static int load(struct lua_filter *self, const char *name, const char *text, size_t length,
	struct ml_error *err)
{
	const struct ml_sandbox_options options = {
		.memory = (size_t)self->memory * 1024,
		.instructions = self->instructions,
		.time = self->time,
		.trip_after = (unsigned)self->trip_after,
		.seed = seed_of(ml_node_id(self->node)),
		.clock = ml_engine_clock(ml_node_engine(self->node)),
		.print = print,
		.user = self,
	};
	self->sandbox = ml_sandbox_new(&options, err);
	if (!self->sandbox)
		return -ENOMEM;
	int result = ml_sandbox_run(self->sandbox, register_types, NULL, err);
	if (result == 0)
		result = ml_sandbox_load(self->sandbox, name, text, length, err);
	if (result == 0)
		result = ml_sandbox_function(self->sandbox, "process", &self->process, err);
	return result;
}

static int filter_check(const void *user, struct ml_check *check, struct ml_error *err)
{
	const struct lua_filter *self = user;
	(void)check;
	if (self->script && self->file)
		return ml_error_set_pointer(
			err, -EINVAL, "/file", "give a script or a file, not both");
	if (!self->script && !self->file)
		return ml_error_set(
			err, -EINVAL, "give a script, or the name of a file of lua-scripts/");
	return 0;
}

static int filter_prepare(struct ml_node *node, void *user, struct ml_error *err)
{
	struct lua_filter *self = user;
	struct ml_engine *engine = ml_node_engine(node);
	int result;
	self->node = node;
	self->list = meter_list(engine);
	meter_lua_view_init(&self->view);
	self->view.writable = true;
	if (self->script) {
		result = load(self, ml_node_id(node), self->script, strlen(self->script), err);
	} else {
		char *text = NULL;
		size_t length;
		result = ml_script_read(engine, "lua-scripts", lua_shipped_scripts, self->file,
			&text, &length, err);
		if (result == 0)
			result = load(self, self->file, text, length, err);
		free(text);
	}
	if (result < 0 && err) {
		(void)snprintf(
			err->pointer, sizeof err->pointer, self->script ? "/script" : "/file");
		err->line = 0; /* a place in the script is none in the graph */
	}
	return result;
}

static void filter_stop(struct ml_node *node, void *user)
{
	struct lua_filter *self = user;
	(void)node;
	meter_snapshot_release(self->snapshot);
	self->snapshot = self->view.snapshot = NULL;
}

static void filter_destroy(void *user)
{
	struct lua_filter *self = user;
	ml_sandbox_free(self->sandbox);
	meter_lua_view_free(&self->view);
}

static void run_reset(struct ml_node *node, void *user, struct ml_job *job, void *params)
{
	struct lua_filter *self = user;
	(void)params;
	ml_sandbox_reset(self->sandbox);
	ml_node_state(node, ML_STATE_RUNNING, NULL);
	ml_job_succeed(job);
}

/* ---- Class ---- */

#define FIELD(name) offsetof(struct lua_filter, name)

static const struct ml_param params[] = {
	{.name = "script",
		.kind = ML_PARAM_SCRIPT,
		.offset = FIELD(script),
		.title = "Script",
		.help = "Lua with a function process(reading). This or a file is given.",
		.flags = ML_PARAM_NULLABLE,
		.check = ml_script_check_param},
	{.name = "file",
		.kind = ML_PARAM_STRING,
		.offset = FIELD(file),
		.title = "Script file",
		.help = "Name, without .lua, of a file in lua-scripts/ of the data directory, or "
			"of a "
			"script that ships with the program.",
		.flags = ML_PARAM_NULLABLE,
		.min = 1,
		.max = 64},
	{.name = "memory",
		.kind = ML_PARAM_INTEGER,
		.offset = FIELD(memory),
		.title = "Memory",
		.help = "What the script may hold.",
		.unit = "KiB",
		.preset = "4096",
		.min = 256,
		.max = 65536,
		.flags = ML_PARAM_ADVANCED},
	{.name = "instructions",
		.kind = ML_PARAM_INTEGER,
		.offset = FIELD(instructions),
		.title = "Instructions",
		.help = "What a call of process() may take.",
		.preset = "1000000",
		.min = 1000,
		.max = 1000000000,
		.flags = ML_PARAM_ADVANCED},
	{.name = "time",
		.kind = ML_PARAM_DURATION,
		.offset = FIELD(time),
		.title = "Time",
		.help = "What a call of process() may take on the clock; the other nodes of the "
			"lane "
			"wait for it.",
		.unit = "ms",
		.preset = "100",
		.min = 1,
		.max = 60000,
		.flags = ML_PARAM_ADVANCED},
	{.name = "trip_after",
		.kind = ML_PARAM_INTEGER,
		.offset = FIELD(trip_after),
		.title = "Overruns until it stops",
		.help = "After so many calls in a row that went over a limit the script is not "
			"called "
			"any more: all messages fail until the node is reset or changed.",
		.preset = "3",
		.min = 1,
		.max = 1000,
		.flags = ML_PARAM_ADVANCED},
	{.name = NULL},
};

static const struct ml_port ports[] = {
	{.name = "in",
		.direction = ML_INPUT,
		.type = &meter_reading_type,
		.required = true,
		.help = "Readings to look at."},
	{.name = "out",
		.direction = ML_OUTPUT,
		.type = &meter_reading_type,
		.most = EMITS_MAX,
		.help = "What the script lets through."},
	{.name = NULL},
};

static const struct ml_action actions[] = {
	{.name = "reset",
		.title = "Reset",
		.help = "Calls the script again after it was stopped for overrunning its limits.",
		.run = run_reset},
	{.name = NULL},
};

static const struct ml_metric metrics[] = {
	[COUNT_CHANGED] = {.name = "changed", .help = "Readings that the script changed or made."},
	[COUNT_DROPPED] = {.name = "dropped", .help = "Readings that the script dropped."},
	[COUNT_ADDED] = {.name = "added", .help = "Readings that went on beyond one for each."},
	[COUNT_OVERRUNS] = {.name = "overruns", .help = "Calls that went over a limit."},
	[GAUGE_MEMORY] = {.name = "memory", .gauge = true, .help = "Bytes that the script holds."},
	[GAUGE_MEMORY + 1] = {.name = NULL},
};

const struct ml_node_class lua_filter_class = {
	.type = "lua-filter",
	.version = 1,
	.title = "Lua filter",
	.help = "Calls a Lua script for each reading. The script may change, drop, split or "
		"annotate "
		"it, and keep values from one reading to the next. It runs in a sandbox with "
		"limits "
		"on memory, instructions and time. docs/reference/lua.md tells what it sees.",
	.category = "process",
	.params = params,
	.ports = ports,
	.actions = actions,
	.metrics = metrics,
	.size = sizeof(struct lua_filter),
	.check = filter_check,
	.prepare = filter_prepare,
	.process = filter_process,
	.stop = filter_stop,
	.destroy = filter_destroy,
};
