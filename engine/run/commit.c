/* The commit of an apply: pointers are exchanged while the lanes concerned stand still.
 * SPDX-License-Identifier: Apache-2.0
 *
 *   1. lanes park                          (control thread)
 *   2. old instances stop                  (each on its own lane)
 *   3. edges and wirings are exchanged     (control thread, alone)
 *   4. new instances start                 (each on its own lane)
 *   5. lanes go on
 *
 * A node that was removed stops at once if it is a source; else it drains (drain.c).
 */
#include <stdlib.h>
#include <string.h>

#include "run/plan.h"

enum { DRAIN_TIME = 5 }; /* seconds until what a removed node has not yet dealt with is given up */

struct lane_work {
	struct ml_plan *plan;
	struct ml_lane *lane;
};

static void stop_on_lane(void *user)
{
	const struct lane_work *work = user;
	struct ml_plan *plan = work->plan;
	for (size_t i = 0; i < plan->graph->node_count; i++) {
		const struct ml_plan_node *node = &plan->nodes[i];
		if (node->action == ML_PLAN_CHANGE && node->old->lane == work->lane)
			ml_node_stop(node->old);
	}
	for (size_t i = 0; i < plan->runtime->node_count; i++) {
		struct ml_node *node = plan->runtime->nodes[i];
		if (!plan->node_stays[i] && node->lane == work->lane && ml_node_stops_at_once(node))
			ml_node_stop(node);
	}
}

static void start_on_lane(void *user)
{
	const struct lane_work *work = user;
	struct ml_plan *plan = work->plan;
	for (size_t i = 0; i < plan->graph->node_count; i++) {
		struct ml_plan_node *node = &plan->nodes[i];
		if (node->node->lane != work->lane)
			continue;
		if (node->action != ML_PLAN_KEEP)
			ml_node_start(node->node);
		else
			ml_lane_ready(work->lane, node->node);
		ml_node_rounds_again(node->node);
	}
	/* What came to them from another lane just before it stood still is not looked for there
	 * any more: an edge without a producer crosses nothing. */
	for (size_t i = 0; i < plan->runtime->draining_count; i++) {
		if (plan->runtime->draining[i]->lane == work->lane)
			ml_lane_ready(work->lane, plan->runtime->draining[i]);
	}
	ml_lane_flush(work->lane);
}

static void on_affected_lanes(struct ml_plan *plan, void (*fn)(void *user))
{
	const size_t count = atomic_load(&plan->engine->lane_count);
	for (size_t i = 0; i < count; i++) {
		struct lane_work work = {.plan = plan, .lane = plan->engine->lanes[i]};
		if (plan->affected[i])
			ml_lane_parked_call(work.lane, fn, &work);
	}
}

/* What a restarted node goes on with. */
static void inherit_state(struct ml_node *node, struct ml_node *old)
{
	node->rounds = old->rounds;
	old->rounds = (struct ml_rounds){0};
	atomic_store(&node->received, atomic_load(&old->received));
	atomic_store(&node->emitted, atomic_load(&old->emitted));
	atomic_store(&node->failed, atomic_load(&old->failed));
	atomic_store(&node->dropped, atomic_load(&old->dropped));
	for (size_t i = 0; node->class == old->class && i < ML_METRICS_MAX; i++)
		atomic_store(&node->metrics[i], atomic_load(&old->metrics[i]));
}

static void exchange_origins(struct ml_edge *edge, const uint64_t *origins, uint32_t applies)
{
	if (memcmp(edge->origins, origins, sizeof edge->origins) == 0)
		return;
	memcpy(edge->origins_before, edge->origins, sizeof edge->origins);
	memcpy(edge->origins, origins, sizeof edge->origins);
	edge->origins_since = applies;
}

static void exchange_edges(struct ml_plan *plan)
{
	const struct ml_graph *graph = plan->graph;
	const uint32_t applies = atomic_fetch_add(&plan->runtime->applies, 1) + 1;
	for (size_t e = 0; e < graph->edge_count; e++) {
		const struct ml_graph_edge *wanted = &graph->edges[e];
		struct ml_plan_edge *planned = &plan->edges[e];
		struct ml_edge *edge = planned->edge;
		plan->next_edges[e] = edge;
		struct ml_node *from = plan->nodes[wanted->from].node,
			       *to = plan->nodes[wanted->to].node;
		if (!planned->touched)
			continue;
		edge->from = from;
		edge->to = to;
		edge->crosses = from->lane != to->lane;
		edge->when_full = wanted->when_full;
		edge->optional = wanted->optional;
		edge->in_graph = true;
		exchange_origins(edge, planned->origins, applies);
		/* Where more waits than the smaller ring could hold, the old one stays until the
		 * next apply. */
		if (planned->ring && ml_ring_depth(edge->ring) <= planned->ring->mask + 1) {
			ml_edge_replace_ring(edge, planned->ring);
			planned->ring = NULL;
		}
	}
}

/* The consumer restarts, perhaps on another lane, while a producer still drains into it. */
static void turn_to(struct ml_edge *edge, struct ml_node *to)
{
	edge->to = to;
	edge->crosses = edge->from && edge->from->lane != to->lane;
}

/* An edge to a removed node that has stopped already. */
static bool give_up_at_once(struct ml_edge *edge)
{
	if (edge->to->place != SIZE_MAX || !ml_node_stops_at_once(edge->to))
		return false;
	if (edge->from && edge->from->place == SIZE_MAX)
		ml_node_unwire_output(edge->from, edge);
	ml_edge_free(edge, edge->to);
	return true;
}

/* Edges that went: between two nodes that stay they are given up; else they drain. */
static void detach_edges(struct ml_plan *plan)
{
	struct ml_runtime *runtime = plan->runtime;
	for (size_t e = 0; e < runtime->edge_count; e++) {
		struct ml_edge *edge = runtime->edges[e];
		if (plan->edge_stays[e])
			continue;
		const size_t from = edge->from ? edge->from->place : SIZE_MAX;
		const size_t to = edge->to->place;
		edge->in_graph = false;
		edge->left = atomic_load(&runtime->applies);
		if (from != SIZE_MAX && to != SIZE_MAX) {
			ml_edge_free(edge, plan->nodes[to].node);
			continue;
		}
		if (give_up_at_once(edge))
			continue;
		if (from != SIZE_MAX || !edge->from->running)
			edge->from = NULL;
		if (to != SIZE_MAX)
			turn_to(edge, plan->nodes[to].node);
	}
	for (size_t e = 0; e < runtime->ending_count; e++) {
		struct ml_edge *edge = runtime->ending[e];
		if (!give_up_at_once(edge) && edge->to->place != SIZE_MAX)
			turn_to(edge, plan->nodes[edge->to->place].node);
	}
}

static void exchange_nodes(struct ml_plan *plan)
{
	for (size_t i = 0; i < plan->graph->node_count; i++) {
		struct ml_plan_node *planned = &plan->nodes[i];
		struct ml_node *node = planned->node;
		plan->next_nodes[i] = node;
		if (planned->rewired) {
			ml_wiring_free(&node->wiring);
			node->wiring = planned->wiring;
			planned->wiring = (struct ml_wiring){0};
		}
		if (plan->affected[node->lane->index])
			node->optional = ml_node_is_optional(node);
		/* One that stays keeps its number; its lane may be running. */
		if (planned->action != ML_PLAN_KEEP)
			node->origin = planned->origin;
		if (planned->action == ML_PLAN_CHANGE)
			inherit_state(node, planned->old);
	}
}

/* Old instances go; removed ones that are no sources are left to drain. */
static size_t part_with_old_nodes(struct ml_plan *plan)
{
	struct ml_runtime *runtime = plan->runtime;
	size_t draining = 0;
	for (size_t i = 0; i < runtime->draining_count; i++)
		plan->next_draining[draining++] = runtime->draining[i];
	for (size_t i = 0; i < runtime->node_count; i++) {
		struct ml_node *node = runtime->nodes[i];
		if (plan->node_stays[i])
			continue;
		if (!node->running) {
			ml_node_free(node);
			continue;
		}
		node->draining = true;
		node->drain_until = ml_clock_monotonic(plan->engine->clock) + DRAIN_TIME * ML_SEC;
		plan->next_draining[draining++] = node;
	}
	for (size_t i = 0; i < plan->graph->node_count; i++) {
		if (plan->nodes[i].action == ML_PLAN_CHANGE)
			ml_node_free(plan->nodes[i].old);
	}
	return draining;
}

static void take_over(struct ml_plan *plan, size_t draining_count)
{
	struct ml_runtime *runtime = plan->runtime;
	free(runtime->nodes);
	free(runtime->edges);
	free(runtime->draining);
	free(runtime->ending);
	ml_graph_free(runtime->graph);
	runtime->graph = plan->graph;
	runtime->nodes = plan->next_nodes;
	runtime->node_count = plan->graph->node_count;
	runtime->edges = plan->next_edges;
	runtime->edge_count = plan->graph->edge_count;
	runtime->draining = plan->next_draining;
	runtime->draining_count = draining_count;
	runtime->ending = plan->next_ending;
	runtime->ending_count = plan->next_ending_count;
	plan->next_nodes = NULL;
	plan->next_edges = NULL;
	plan->next_draining = NULL;
	plan->next_ending = NULL;
	plan->committed = true;
}

static void share(struct ml_engine *engine, const bool *affected, struct ml_edge *edge)
{
	if (!edge->from || !edge->crosses)
		return;
	struct ml_lane *to = edge->to->lane, *from = edge->from->lane;
	if (affected[to->index])
		to->inlets[to->inlet_count++] = edge;
	if (affected[from->index])
		from->outlets[from->outlet_count++] = edge;
	(void)engine;
}

/* An edge whose producer is gone is still looked at by its consumer's lane: it is simply ready. */
void ml_lanes_rewire(
	struct ml_engine *engine, const bool *affected, struct ml_edge **arrays[ML_LANES_MAX][2])
{
	const size_t count = atomic_load(&engine->lane_count);
	for (size_t i = 0; i < count; i++) {
		struct ml_lane *lane = engine->lanes[i];
		if (!affected[i])
			continue;
		if (arrays) {
			free(lane->inlets);
			free(lane->outlets);
			lane->inlets = arrays[i][0];
			lane->outlets = arrays[i][1];
			arrays[i][0] = arrays[i][1] = NULL;
		}
		lane->inlet_count = lane->outlet_count = 0;
	}
	struct ml_runtime *runtime = engine->runtime;
	for (size_t e = 0; e < runtime->edge_count; e++)
		share(engine, affected, runtime->edges[e]);
	for (size_t e = 0; e < runtime->ending_count; e++)
		share(engine, affected, runtime->ending[e]);
}

static void park(struct ml_plan *plan, void (*fn)(struct ml_lane *lane))
{
	const size_t count = atomic_load(&plan->engine->lane_count);
	for (size_t i = 0; i < count; i++) {
		if (plan->affected[i])
			fn(plan->engine->lanes[i]);
	}
}

void ml_plan_commit(struct ml_plan *plan)
{
	park(plan, ml_lane_park);
	on_affected_lanes(plan, stop_on_lane);
	exchange_edges(plan);
	detach_edges(plan);
	exchange_nodes(plan);
	const size_t draining = part_with_old_nodes(plan);
	take_over(plan, draining);
	ml_lanes_rewire(plan->engine, plan->affected, plan->lane_edges);
	on_affected_lanes(plan, start_on_lane);
	park(plan, ml_lane_unpark);
	ml_resources_dispose(plan->engine);
}
