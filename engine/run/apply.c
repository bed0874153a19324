/* Applying a graph: check, plan, commit.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "run/plan.h"
#include "run/settings.h"
#include "run/tap.h"

int ml_runtime_apply(struct ml_engine *engine, struct ml_graph *graph, struct ml_errors *errors)
{
	struct ml_plan plan;
	const int r = ml_plan_make(engine, graph, &plan, errors);
	if (!r) {
		ml_plan_commit(&plan);
		ml_taps_look(engine);
		ml_drain_begin(engine);
	}
	ml_plan_free(&plan);
	return r;
}

int ml_engine_check(
	struct ml_engine *engine, const char *json, size_t length, struct ml_errors *errors)
{
	struct ml_graph *graph = NULL;
	const int r = ml_graph_parse(
		engine->families, json, length, ml_engine_inherit, engine, &graph, errors);
	ml_graph_free(graph);
	return r;
}

int ml_engine_apply(
	struct ml_engine *engine, const char *json, size_t length, struct ml_errors *errors)
{
	struct ml_graph *graph = NULL;
	const int r = ml_graph_parse(
		engine->families, json, length, ml_engine_inherit, engine, &graph, errors);
	return r ? r : ml_runtime_apply(engine, graph, errors);
}
