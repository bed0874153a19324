/* The runtime's life: begins empty, ends with all nodes stopped.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run/runtime.h"

#include <stdlib.h>
#include <string.h>

int ml_runtime_new(struct ml_engine *engine, struct ml_runtime **ret_runtime)
{
	struct ml_runtime *runtime = calloc(1, sizeof *runtime);
	if (!runtime)
		return -ENOMEM;
	pthread_mutex_init(&runtime->state_lock, NULL);
	pthread_mutex_init(&runtime->resource_lock, NULL);
	ml_timer_init(&runtime->drain_timer, engine->control, ml_drain_look, engine);
	*ret_runtime = runtime;
	return 0;
}

struct ml_node *ml_runtime_find(struct ml_engine *engine, const char *id)
{
	struct ml_runtime *runtime = engine->runtime;
	for (size_t i = 0; i < runtime->node_count; i++) {
		if (strcmp(runtime->nodes[i]->id, id) == 0)
			return runtime->nodes[i];
	}
	return NULL;
}

struct stop_work {
	struct ml_runtime *runtime;
	struct ml_lane *lane;
};

static void stop_on_lane(void *user)
{
	const struct stop_work *work = user;
	/* In the order of the graph. */
	for (size_t i = 0; i < work->runtime->node_count; i++) {
		if (work->runtime->nodes[i]->lane == work->lane)
			ml_node_stop(work->runtime->nodes[i]);
	}
}

/* ---- The end ---- */

enum { FINISH_TURNS = 1000 };
static const ml_time finish_within = ML_SEC;

/* What a source has read goes on to whoever keeps it: all that comes from sources, but what is
 * behind a query can be asked for again. */
static void find_finishing(struct ml_runtime *runtime)
{
	bool more = true;
	for (size_t i = 0; i < runtime->node_count; i++)
		runtime->nodes[i]->finishes = false;
	while (more) {
		more = false;
		for (size_t e = 0; e < runtime->edge_count; e++) {
			const struct ml_node *from = runtime->edges[e]->from;
			struct ml_node *to = runtime->edges[e]->to;
			const bool begins = to->class->flags & (ML_NODE_SOURCE | ML_NODE_QUERY);
			if (!from || to->finishes || begins ||
				!(from->finishes || from->class->flags & ML_NODE_SOURCE))
				continue;
			to->finishes = more = true;
		}
	}
}

struct finish_work {
	struct ml_lane *lane;
	bool worked;
};

static void finish_on_lane(void *user)
{
	struct finish_work *work = user;
	work->worked = ml_lane_finish(work->lane);
}

/* All lanes are parked: nothing comes from outside any more. */
static void finish(struct ml_engine *engine, size_t lanes)
{
	const ml_time end = ml_clock_monotonic(engine->clock) + finish_within;
	bool worked = true;
	find_finishing(engine->runtime);
	for (int turn = 0; worked && turn < FINISH_TURNS && ml_clock_monotonic(engine->clock) < end;
		turn++) {
		worked = false;
		for (size_t i = 0; i < lanes; i++) {
			struct finish_work work = {.lane = engine->lanes[i]};
			ml_lane_parked_call(engine->lanes[i], finish_on_lane, &work);
			worked |= work.worked;
		}
	}
}

void ml_runtime_stop(struct ml_engine *engine)
{
	struct ml_runtime *runtime = engine->runtime;
	const size_t lanes = atomic_load(&engine->lane_count);
	ml_timer_stop(&runtime->drain_timer);
	ml_drain_all(engine);
	for (size_t i = 0; i < lanes; i++)
		ml_lane_park(engine->lanes[i]);
	finish(engine, lanes);
	for (size_t i = 0; i < lanes; i++) {
		struct stop_work work = {runtime, engine->lanes[i]};
		ml_lane_parked_call(engine->lanes[i], stop_on_lane, &work);
		engine->lanes[i]->inlet_count = engine->lanes[i]->outlet_count = 0;
	}
	for (size_t e = 0; e < runtime->edge_count; e++)
		ml_edge_free(runtime->edges[e], runtime->edges[e]->to);
	for (size_t i = 0; i < runtime->node_count; i++)
		ml_node_free(runtime->nodes[i]);
	runtime->edge_count = runtime->node_count = 0;
	ml_resources_dispose(engine);
	for (size_t i = 0; i < lanes; i++)
		ml_lane_unpark(engine->lanes[i]);
}

void ml_runtime_free(struct ml_runtime *runtime)
{
	if (!runtime)
		return;
	free(runtime->nodes);
	free(runtime->edges);
	free(runtime->draining);
	free(runtime->ending);
	ml_graph_free(runtime->graph);
	pthread_mutex_destroy(&runtime->state_lock);
	pthread_mutex_destroy(&runtime->resource_lock);
	free(runtime);
}
