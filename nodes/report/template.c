/* Report templates: loading and rendering.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/template_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The address by which a sandbox's registry keeps its template. */
static const char template_key;

struct report_template *report_template_of(lua_State *L)
{
	(void)lua_rawgetp(L, LUA_REGISTRYINDEX, &template_key);
	struct report_template *t = lua_touserdata(L, -1);
	lua_pop(L, 1);
	return t;
}

int report_raise(lua_State *L, struct report_template *t)
{
	return luaL_error(L, "%s", t->failure.text);
}

int report_push_scratch(lua_State *L, struct report_template *t)
{
	if (t->scratch.failed) {
		ml_buffer_free(&t->scratch);
		return luaL_error(L, "the system is out of memory");
	}
	lua_pushlstring(L, t->scratch.data ? t->scratch.data : "", t->scratch.length);
	ml_buffer_clear(&t->scratch);
	return 1;
}

struct report_template *report_check_job(lua_State *L, uint32_t generation)
{
	struct report_template *t = report_template_of(L);
	if (!t->job || t->generation != generation)
		(void)luaL_error(L, "this belongs to a report that has been rendered before");
	return t;
}

/* ---- Loading ---- */

static void prepare(lua_State *L, void *user)
{
	lua_pushlightuserdata(L, user);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &template_key);
	meter_lua_register(L);
	report_open_batch(L);
	report_open_out(L);
	report_open_text(L);
}

struct options_call {
	struct report_template *t;
	const json_t *values;
};

static void take_options(lua_State *L, void *user)
{
	const struct options_call *call = user;
	if (lua_getglobal(L, "template") != LUA_TTABLE)
		(void)luaL_error(
			L, "a template sets the global table 'template' (title, help, options)");
	report_push_options(L, call->t, call->values);
	call->t->options = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* A failure that a file or an option caused has its own code and place. */
static int settle(struct report_template *t, int result, struct ml_error *err)
{
	if (result < 0 && t->failure.code < 0 && err) {
		if (t->failure.code != -EINVAL)
			result = err->code = t->failure.code;
		memcpy(err->pointer, t->failure.pointer, sizeof err->pointer);
	}
	return result;
}

int report_template_new(const struct report_options *options, struct report_template **ret_template,
	struct ml_error *err)
{
	*ret_template = NULL;
	struct report_template *t = calloc(1, sizeof *t);
	if (!t)
		return ml_error_set(err, -ENOMEM, "the system is out of memory");
	(void)snprintf(t->name, sizeof t->name, "%s", options->name);
	t->locale = options->locale;
	t->failure = ML_ERROR_NONE;
	meter_lua_view_init(&t->view);
	const struct ml_sandbox_options sandbox = {
		.memory = options->memory,
		.instructions = options->instructions,
		.time = options->time,
		.trip_after = options->trip_after,
		.clock = options->clock,
		.print = options->print,
		.user = options->user,
	};
	struct ml_error own = ML_ERROR_NONE;
	struct options_call call = {t, options->values};
	int result = -ENOMEM;
	t->sandbox = ml_sandbox_new(&sandbox, &own);
	if (t->sandbox)
		result = ml_sandbox_run(t->sandbox, prepare, t, &own);
	if (result == 0)
		result = ml_sandbox_load(
			t->sandbox, options->name, options->text, options->length, &own);
	if (result == 0)
		result = ml_sandbox_function(t->sandbox, "render", &t->render, &own);
	if (result == 0)
		result = settle(t, ml_sandbox_run(t->sandbox, take_options, &call, &own), &own);
	if (result < 0) {
		report_template_free(t);
		if (err && err->code == 0)
			*err = own;
		return result;
	}
	*ret_template = t;
	return 0;
}

void report_template_free(struct report_template *t)
{
	if (!t)
		return;
	ml_sandbox_free(t->sandbox);
	meter_lua_view_free(&t->view);
	ml_buffer_free(&t->scratch);
	ml_buffer_free(&t->field);
	free(t->columns);
	free(t);
}

bool report_template_tripped(const struct report_template *t)
{
	return ml_sandbox_tripped(t->sandbox);
}

void report_template_reset(struct report_template *t)
{
	ml_sandbox_reset(t->sandbox);
}

/* ---- Rendering ---- */

static void call_render(lua_State *L, void *user)
{
	const struct report_template *t = user;
	(void)lua_rawgeti(L, LUA_REGISTRYINDEX, t->render);
	report_push_batch(L);
	report_push_out(L);
	(void)lua_rawgeti(L, LUA_REGISTRYINDEX, t->options);
	lua_call(L, 3, 0);
}

static int close_all(struct report_documents *documents, struct ml_error *err)
{
	for (size_t i = 0; i < documents->count; i++) {
		const int result = report_output_close(documents->items[i], err);
		if (result < 0)
			return result;
	}
	return 0;
}

static void set_times(const struct report_documents *documents, const struct ml_trigger *trigger)
{
	for (size_t i = 0; i < documents->count; i++) {
		struct meter_document *document = &documents->items[i]->document;
		document->due = trigger->due;
		document->next = trigger->next;
		document->period = trigger->period;
	}
}

int report_template_render(struct report_template *t, const struct report_job *job,
	struct report_documents *documents, struct ml_error *err)
{
	struct ml_error own = ML_ERROR_NONE;
	*documents = (struct report_documents){.items = NULL};
	t->job = job;
	t->generation++;
	t->documents = documents;
	t->open = 0;
	t->failure = ML_ERROR_NONE;
	t->view.snapshot = job->snapshot;
	int result = settle(t, ml_sandbox_run(t->sandbox, call_render, t, &own), &own);
	report_close_batch(t);
	meter_lua_view_set(&t->view, NULL);
	t->view.snapshot = NULL;
	t->documents = NULL;
	t->job = NULL;
	if (result == 0)
		result = close_all(documents, &own);
	if (result < 0) {
		report_documents_discard(documents);
		if (err && err->code == 0)
			*err = own;
		return result;
	}
	set_times(documents, &job->batch->trigger);
	return 0;
}

void report_documents_discard(struct report_documents *documents)
{
	for (size_t i = 0; i < documents->count; i++) {
		report_output_discard(documents->items[i]);
		free(documents->items[i]);
	}
	free(documents->items);
	*documents = (struct report_documents){.items = NULL};
}
