/* Commands on the graph: graph.*
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "command/builtin.h"
#include "command/registry.h"
#include "graph/difference.h"
#include "graph/revisions.h"
#include "run/change.h"
#include "run/engine.h"

struct graph_params {
	char *text;
	json_t *graph;
	int64_t base;
	char *remark;
};

struct difference_params {
	int64_t from, to;
};

#define GRAPH_OR_TEXT \
	{.name = "graph", \
		.kind = ML_PARAM_JSON, \
		.offset = offsetof(struct graph_params, graph), \
		.title = "Graph", \
		.help = "The graph. Give this or `text`.", \
		.flags = ML_PARAM_NULLABLE}, \
	{ \
		.name = "text", .kind = ML_PARAM_TEXT, \
		.offset = offsetof(struct graph_params, text), .title = "Text", \
		.help = "The graph as JSON text, which is kept as it is; lines and columns of " \
			"errors count in it.", \
		.max = ML_GRAPH_BYTES_MAX, .flags = ML_PARAM_NULLABLE \
	}

static const struct ml_param graph_params[] = {GRAPH_OR_TEXT, {0}};

static const struct ml_param apply_params[] = {
	GRAPH_OR_TEXT,
	{.name = "base",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct graph_params, base),
		.title = "Base",
		.help = "The revision that the graph was made from. When another one runs "
			"meanwhile, nothing is changed and the difference is told. Left out: "
			"takes the place of any.",
		.preset = "-1",
		.min = ML_CHANGE_ANY,
		.max = INT64_MAX},
	{.name = "remark",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct graph_params, remark),
		.title = "Remark",
		.help = "What was changed and why.",
		.max = ML_REVISION_REMARK_MAX,
		.flags = ML_PARAM_NULLABLE},
	{0},
};

static const struct ml_param difference_params[] = {
	{.name = "from",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct difference_params, from),
		.title = "From",
		.help = "A revision; 0: the empty graph.",
		.min = 0,
		.max = INT64_MAX,
		.flags = ML_PARAM_REQUIRED},
	{.name = "to",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct difference_params, to),
		.title = "To",
		.help = "A revision; left out: the one that runs.",
		.preset = "-1",
		.min = -1,
		.max = INT64_MAX},
	{0},
};

/* The text of the graph that was given; NULL: the job was failed. */
static const char *given(struct ml_job *job, const struct graph_params *p, size_t *length)
{
	const char *text = p->text;
	*length = text ? strlen(text) : 0;
	if (!text && p->graph)
		text = ml_job_param_text(job, "graph", length);
	if (text && !(p->text && p->graph))
		return text;
	struct ml_error err = ML_ERROR_NONE;
	ml_error_set(&err, -EINVAL, "expected a graph as either `graph` or `text`");
	ml_job_fail(job, &err);
	return NULL;
}

static void finish(struct ml_job *job, int result, const struct ml_error *err)
{
	if (result != 0)
		ml_job_fail(job, err);
	else
		ml_job_succeed(job);
}

static void get_run(struct ml_job *job, void *params)
{
	(void)params;
	size_t length = 0;
	int64_t revision = 0;
	const char *const graph = ml_engine_graph(ml_job_engine(job), &length, &revision);
	struct ml_json_writer *const w = ml_job_result(job);
	ml_json_begin_object(w);
	ml_json_key(w, "revision");
	ml_json_integer(w, revision);
	ml_json_key(w, "graph");
	while (length > 0 && strchr(" \t\r\n", graph[length - 1]))
		length--;
	ml_json_raw(w, graph, length);
	ml_json_end_object(w);
	ml_job_succeed(job);
}

static void check_run(struct ml_job *job, void *params)
{
	struct ml_engine *const engine = ml_job_engine(job);
	struct ml_errors errors = {0};
	size_t length = 0;
	const char *const text = given(job, params, &length);
	if (!text)
		return;
	if (ml_engine_check(engine, text, length, &errors) != 0) {
		ml_job_fail_all(job, &errors);
		ml_errors_free(&errors);
		return;
	}
	size_t running_length = 0;
	int64_t revision = 0;
	const char *const running = ml_engine_graph(engine, &running_length, &revision);
	struct ml_json_writer *const w = ml_job_result(job);
	struct ml_error err = ML_ERROR_NONE;
	ml_json_begin_object(w);
	ml_json_key(w, "revision");
	ml_json_integer(w, revision);
	ml_json_key(w, "difference");
	const int result = ml_difference_write(
		engine->families, running, running_length, text, length, w, &err);
	if (result != 0)
		ml_json_null(w);
	ml_json_end_object(w);
	finish(job, result, &err);
}

/* The errors of a change; with what lies between the base and what runs where it is stale. */
static void fail_change(
	struct ml_job *job, int result, int64_t base, const struct ml_errors *errors)
{
	struct ml_revisions *const revisions = ml_job_engine(job)->revisions;
	const int64_t running = ml_revisions_running(revisions);
	struct ml_buffer buffer = {0};
	struct ml_json_writer difference;
	ml_json_writer_init(&difference, &buffer);
	if (result == -ESTALE) {
		struct ml_json_writer *const w = ml_job_detail(job);
		ml_json_begin_object(w);
		ml_json_key(w, "revision");
		ml_json_integer(w, running);
		ml_json_key(w, "difference");
		/* The base may be deleted, or never have been. */
		if (ml_revisions_difference(revisions, base, running, &difference, NULL) == 0 &&
			!buffer.failed)
			ml_json_raw(w, buffer.data, buffer.length);
		else
			ml_json_null(w);
		ml_json_end_object(w);
	}
	ml_buffer_free(&buffer);
	ml_job_fail_all(job, errors);
}

static void succeed_with(struct ml_job *job, int64_t revision)
{
	struct ml_json_writer *const w = ml_job_result(job);
	ml_json_begin_object(w);
	ml_json_key(w, "revision");
	ml_json_integer(w, revision);
	ml_json_end_object(w);
	ml_job_succeed(job);
}

static void apply_run(struct ml_job *job, void *params)
{
	const struct graph_params *const p = params;
	struct ml_errors errors = {0};
	int64_t revision = 0;
	size_t length = 0;
	const char *const text = given(job, p, &length);
	if (!text)
		return;
	const struct ml_change change = {
		.graph = text,
		.length = length,
		.base = p->base,
		.author = ml_job_user(job),
		.remark = p->remark,
	};
	const int result = ml_engine_change(ml_job_engine(job), &change, &revision, &errors);
	if (result != 0)
		fail_change(job, result, p->base, &errors);
	else
		succeed_with(job, revision);
	ml_errors_free(&errors);
}

static void difference_run(struct ml_job *job, void *params)
{
	const struct difference_params *const p = params;
	struct ml_revisions *const revisions = ml_job_engine(job)->revisions;
	struct ml_error err = ML_ERROR_NONE;
	const int64_t to = p->to < 0 ? ml_revisions_running(revisions) : p->to;
	finish(job, ml_revisions_difference(revisions, p->from, to, ml_job_result(job), &err),
		&err);
}

static void format_run(struct ml_job *job, void *params)
{
	struct ml_buffer buffer = {0};
	struct ml_error err = ML_ERROR_NONE;
	size_t length = 0;
	const char *const text = given(job, params, &length);
	if (!text)
		return;
	const int result = ml_json_format(text, length, &buffer, &err);
	if (result == 0) {
		struct ml_json_writer *const w = ml_job_result(job);
		ml_json_begin_object(w);
		ml_json_key(w, "text");
		ml_json_string_n(w, buffer.data, buffer.length);
		ml_json_end_object(w);
	}
	finish(job, result, &err);
	ml_buffer_free(&buffer);
}

/* ---- revision.* ---- */

struct revision_params {
	int64_t revision;
	int64_t base;
};

struct list_params {
	int64_t before, limit;
};

#define REVISION \
	{ \
		.name = "revision", .kind = ML_PARAM_INTEGER, \
		.offset = offsetof(struct revision_params, revision), .title = "Revision", \
		.help = "The number of the revision.", .min = 1, .max = INT64_MAX, \
		.flags = ML_PARAM_REQUIRED \
	}

static const struct ml_param revision_params[] = {REVISION, {0}};

static const struct ml_param roll_back_params[] = {
	REVISION,
	{.name = "base",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct revision_params, base),
		.title = "Base",
		.help = "The revision that is thought to run. When another one does, nothing is "
			"changed. Left out: takes the place of any.",
		.preset = "-1",
		.min = ML_CHANGE_ANY,
		.max = INT64_MAX},
	{0},
};

static const struct ml_param list_params[] = {
	{.name = "before",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct list_params, before),
		.title = "Before",
		.help = "Only revisions before this one: the next page.",
		.preset = "0",
		.min = 0,
		.max = INT64_MAX},
	{.name = "limit",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct list_params, limit),
		.title = "Limit",
		.help = "The most revisions to tell.",
		.preset = "50",
		.min = 1,
		.max = ML_REVISIONS_KEPT},
	{0},
};

static void list_run(struct ml_job *job, void *params)
{
	const struct list_params *const p = params;
	struct ml_error err = ML_ERROR_NONE;
	finish(job,
		ml_revisions_to_json(ml_job_engine(job)->revisions, p->before, (size_t)p->limit,
			ml_job_result(job), &err),
		&err);
}

static void show_run(struct ml_job *job, void *params)
{
	const struct revision_params *const p = params;
	struct ml_revisions *const revisions = ml_job_engine(job)->revisions;
	struct ml_revision revision;
	struct ml_error err = ML_ERROR_NONE;
	const int result = ml_revisions_get(revisions, p->revision, &revision, &err);
	if (result == 0)
		ml_revision_to_json(revisions, &revision, ml_job_result(job));
	ml_revision_free(&revision);
	finish(job, result, &err);
}

static void roll_back_run(struct ml_job *job, void *params)
{
	const struct revision_params *const p = params;
	struct ml_errors errors = {0};
	int64_t number = 0;
	const int result = ml_engine_roll_back(
		ml_job_engine(job), p->revision, p->base, ml_job_user(job), &number, &errors);
	if (result != 0)
		fail_change(job, result, p->base, &errors);
	else
		succeed_with(job, number);
	ml_errors_free(&errors);
}

const struct ml_command ml_graph_commands[] = {
	{
		.name = "graph.apply",
		.title = "Apply a graph",
		.help = "Checks a graph and lets it take the place of the one that runs: whole, or "
			"nothing changes and every error is told. Gives the number of the new "
			"revision.",
		.role = ML_ROLE_CONFIGURE,
		.params = apply_params,
		.params_size = sizeof(struct graph_params),
		.run = apply_run,
	},
	{
		.name = "graph.check",
		.title = "Check a graph",
		.help = "Checks a graph without changing anything. Gives the revision that runs "
			"and "
			"what the graph would change in it.",
		.role = ML_ROLE_READ,
		.params = graph_params,
		.params_size = sizeof(struct graph_params),
		.run = check_run,
	},
	{
		.name = "graph.difference",
		.title = "Compare revisions",
		.help = "Tells what lies between two revisions: nodes added, removed, changed, "
			"rewired and moved, and the edges.",
		.role = ML_ROLE_READ,
		.params = difference_params,
		.params_size = sizeof(struct difference_params),
		.run = difference_run,
	},
	{
		.name = "graph.format",
		.title = "Format a graph",
		.help = "Gives the graph as text in the one format in which its files are kept.",
		.role = ML_ROLE_READ,
		.params = graph_params,
		.params_size = sizeof(struct graph_params),
		.run = format_run,
	},
	{
		.name = "graph.get",
		.title = "Get the graph",
		.help = "Gives the graph that runs and its revision (0: it is none).",
		.role = ML_ROLE_READ,
		.run = get_run,
	},
	{
		.name = "revision.apply",
		.title = "Go back to a revision",
		.help = "Applies the graph of a revision once more, as the newest one. Gives its "
			"number.",
		.role = ML_ROLE_CONFIGURE,
		.params = roll_back_params,
		.params_size = sizeof(struct revision_params),
		.run = roll_back_run,
	},
	{
		.name = "revision.list",
		.title = "List revisions",
		.help = "Lists the revisions of the graph, the newest first: number, time, author, "
			"remark and difference.",
		.role = ML_ROLE_READ,
		.params = list_params,
		.params_size = sizeof(struct list_params),
		.run = list_run,
	},
	{
		.name = "revision.show",
		.title = "Show a revision",
		.help = "Gives one revision with its graph.",
		.role = ML_ROLE_READ,
		.params = revision_params,
		.params_size = sizeof(struct revision_params),
		.run = show_run,
	},
	{0},
};
