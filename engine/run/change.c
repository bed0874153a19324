/* Changing the graph: check, keep as a revision, apply.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run/change.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/feed.h>

#include "graph/revisions.h"
#include "run/runtime.h"
#include "run/settings.h"

static const char file_author[] = "file"; /* of graphs given at a start */

static const char *text_or_empty(const char *text)
{
	return text ? text : "";
}

/* Who watches the graph is told of the revision; its graph is asked for apart. */
static void publish(struct ml_engine *engine, int64_t number)
{
	struct ml_revision revision;
	struct ml_buffer buffer = {0};
	struct ml_json_writer w;
	if (!ml_feed_wanted(engine, "graph") ||
		ml_revisions_get(engine->revisions, number, &revision, NULL) != 0)
		return;
	free(revision.graph);
	revision.graph = NULL;
	ml_json_writer_init(&w, &buffer);
	ml_revision_to_json(engine->revisions, &revision, &w);
	if (!buffer.failed)
		ml_feed_publish(engine, "graph", buffer.data, buffer.length);
	ml_buffer_free(&buffer);
	ml_revision_free(&revision);
}

const char *ml_engine_graph(struct ml_engine *engine, size_t *length, int64_t *revision)
{
	static const char none[] = "{\"meterloom\": 1, \"nodes\": [], \"edges\": []}\n";
	const struct ml_graph *const graph = engine->runtime->graph;
	*revision = ml_revisions_running(engine->revisions);
	*length = graph ? graph->length : sizeof none - 1;
	return graph ? graph->text : none;
}

/* The graph is good: keeps it, applies it, and confirms it. */
static int keep_and_apply(struct ml_engine *engine, const struct ml_change *change,
	struct ml_graph *graph, int64_t *ret_revision, struct ml_errors *errors)
{
	struct ml_error err = ML_ERROR_NONE;
	int64_t number = 0;
	int result = ml_revisions_add(engine->revisions, text_or_empty(change->author),
		text_or_empty(change->remark), change->graph, change->length, &number, &err);
	if (result != 0) {
		ml_graph_free(graph);
		ml_errors_add(errors, &err);
		return result;
	}
	result = ml_runtime_apply(engine, graph, errors);
	if (result != 0) {
		ml_revisions_drop(engine->revisions, number);
		return result;
	}
	*ret_revision = number;
	if (ml_revisions_confirm(engine->revisions, number, &err) != 0) {
		/* It runs; after a restart the one before it would. */
		ml_revisions_set_running(engine->revisions, number);
		ml_log(engine->log, ML_LOG_ERROR, "graph",
			"revision %" PRId64 " runs, but is not kept for the next start: %s", number,
			err.text);
	}
	ml_log(engine->log, ML_LOG_INFO, "graph",
		"revision %" PRId64 " runs%s%s: %zu nodes, %zu edges", number,
		*text_or_empty(change->author) ? " by " : "", text_or_empty(change->author),
		engine->runtime->node_count, engine->runtime->edge_count);
	publish(engine, number);
	return 0;
}

/* The text is that of the revision that runs. */
static bool is_running(struct ml_engine *engine, const struct ml_change *change)
{
	const struct ml_graph *const graph = engine->runtime->graph;
	return graph && ml_revisions_running(engine->revisions) != 0 &&
	       graph->length == change->length &&
	       memcmp(graph->text, change->graph, change->length) == 0;
}

int ml_engine_change(struct ml_engine *engine, const struct ml_change *change,
	int64_t *ret_revision, struct ml_errors *errors)
{
	const int64_t running = ml_revisions_running(engine->revisions);
	struct ml_graph *graph = NULL;
	*ret_revision = running;
	if (change->base != ML_CHANGE_ANY && change->base != running) {
		ml_errors_addf(errors, -ESTALE, "",
			"the graph was changed meanwhile: revision %" PRId64
			" runs, this was made from %" PRId64,
			running, change->base);
		return -ESTALE;
	}
	const int result = ml_graph_parse(engine->families, change->graph, change->length,
		ml_engine_inherit, engine, &graph, errors);
	if (result != 0)
		return result;
	if (is_running(engine, change))
		return ml_runtime_apply(engine, graph, errors);
	return keep_and_apply(engine, change, graph, ret_revision, errors);
}

int ml_engine_roll_back(struct ml_engine *engine, int64_t revision, int64_t base,
	const char *author, int64_t *ret_revision, struct ml_errors *errors)
{
	struct ml_revision old;
	struct ml_error err = ML_ERROR_NONE;
	int result = ml_revisions_get(engine->revisions, revision, &old, &err);
	*ret_revision = ml_revisions_running(engine->revisions);
	if (result != 0) {
		ml_errors_add(errors, &err);
		return result;
	}
	char remark[64];
	(void)snprintf(remark, sizeof remark, "Back to revision %" PRId64, revision);
	const struct ml_change change = {
		.graph = old.graph,
		.length = old.length,
		.base = base,
		.author = author,
		.remark = remark,
	};
	result = ml_engine_change(engine, &change, ret_revision, errors);
	ml_revision_free(&old);
	return result;
}

int ml_engine_refresh(struct ml_engine *engine, struct ml_errors *errors)
{
	const struct ml_graph *const running = engine->runtime->graph;
	return running ? ml_engine_apply(engine, running->text, running->length, errors) : 0;
}

/* ---- At the start ---- */

static int run_revision(struct ml_engine *engine, int64_t number, struct ml_errors *errors)
{
	struct ml_revision revision;
	struct ml_error err = ML_ERROR_NONE;
	int result = ml_revisions_get(engine->revisions, number, &revision, &err);
	if (result != 0) {
		ml_errors_add(errors, &err);
		return result;
	}
	result = ml_engine_apply(engine, revision.graph, revision.length, errors);
	ml_revision_free(&revision);
	return result;
}

static void run_newest(struct ml_engine *engine)
{
	int64_t number = ml_revisions_newest(engine->revisions, 0, NULL);
	for (; number != 0; number = ml_revisions_newest(engine->revisions, number, NULL)) {
		struct ml_errors errors = {0};
		const int result = run_revision(engine, number, &errors);
		if (result == 0) {
			ml_revisions_set_running(engine->revisions, number);
			ml_log(engine->log, ML_LOG_INFO, "graph", "revision %" PRId64 " runs",
				number);
			return;
		}
		for (size_t i = 0; i < errors.count && i < 10; i++)
			ml_log(engine->log, ML_LOG_ERROR, "graph",
				"revision %" PRId64 " cannot be run: %s: %s", number,
				errors.items[i].pointer, errors.items[i].text);
		ml_errors_free(&errors);
	}
	ml_log(engine->log, ML_LOG_WARNING, "graph", "no graph runs: apply one");
}

/* Whether the graph that is given is the one that was given last. */
static bool was_given(struct ml_engine *engine, const char *graph, size_t length)
{
	const int64_t number = ml_revisions_newest(engine->revisions, 0, file_author);
	struct ml_revision revision;
	if (number == 0 || ml_revisions_get(engine->revisions, number, &revision, NULL) != 0)
		return false;
	const bool same = revision.length == length && memcmp(revision.graph, graph, length) == 0;
	ml_revision_free(&revision);
	return same;
}

int ml_engine_boot(struct ml_engine *engine, const char *graph, size_t length, const char *name,
	struct ml_errors *errors)
{
	if (!graph || was_given(engine, graph, length)) {
		run_newest(engine);
		return 0;
	}
	const struct ml_change change = {
		.graph = graph,
		.length = length,
		.base = ML_CHANGE_ANY,
		.author = file_author,
		.remark = name,
	};
	int64_t number = 0;
	return ml_engine_change(engine, &change, &number, errors);
}
