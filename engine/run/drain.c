/* Draining: a removed node deals with what it had been given, for a bounded time.
 * SPDX-License-Identifier: Apache-2.0
 *
 * While anything drains, the control lane looks every 20 ms. A node is at its end when nothing can
 * come any more, its inputs are empty, and it holds nothing, or when its time is over; an edge
 * without a producer is at its end when it is empty. What looks like an end is looked at once more
 * while the node's lane stands still.
 */
#include "run/plan.h"
#include "run/runtime.h"

enum { LOOK_EVERY = 20 }; /* ms */

static void remove_edge(struct ml_runtime *runtime, struct ml_edge *edge)
{
	for (size_t i = 0; i < runtime->ending_count; i++) {
		if (runtime->ending[i] == edge) {
			runtime->ending[i] = runtime->ending[--runtime->ending_count];
			return;
		}
	}
}

static void unwire_input(struct ml_node *node, const struct ml_edge *edge)
{
	struct ml_wiring *wiring = &node->wiring;
	for (size_t i = 0; i < wiring->input_count; i++) {
		if (wiring->inputs[i] == edge) {
			wiring->inputs[i] = wiring->inputs[--wiring->input_count];
			return;
		}
	}
}

/* The lanes of this node and of all its neighbours. */
static void find_neighbours(const struct ml_node *node, bool *affected)
{
	affected[node->lane->index] = true;
	for (size_t i = 0; i < node->wiring.input_count; i++) {
		if (node->wiring.inputs[i]->from)
			affected[node->wiring.inputs[i]->from->lane->index] = true;
	}
	for (unsigned port = 0; port < ML_PORTS_MAX; port++) {
		for (size_t i = 0; i < node->wiring.outputs[port].count; i++)
			affected[node->wiring.outputs[port].edges[i]->to->lane->index] = true;
	}
}

static void each_affected(
	struct ml_engine *engine, const bool *affected, void (*fn)(struct ml_lane *lane))
{
	for (size_t i = 0; i < atomic_load(&engine->lane_count); i++) {
		if (affected[i])
			fn(engine->lanes[i]);
	}
}

static void stop_one(void *user)
{
	ml_node_stop(user);
}

/* Its neighbours' lanes stand still. */
static void take_out(struct ml_engine *engine, size_t index, const bool *affected)
{
	struct ml_runtime *runtime = engine->runtime;
	struct ml_node *node = runtime->draining[index];
	ml_lane_parked_call(node->lane, stop_one, node);
	while (node->wiring.input_count) {
		struct ml_edge *edge = node->wiring.inputs[0];
		unwire_input(node, edge);
		if (edge->from)
			ml_node_unwire_output(edge->from, edge);
		remove_edge(runtime, edge);
		ml_edge_free(edge, node);
	}
	for (unsigned port = 0; port < ML_PORTS_MAX; port++) {
		for (size_t i = 0; i < node->wiring.outputs[port].count; i++)
			node->wiring.outputs[port].edges[i]->from = NULL;
	}
	runtime->draining[index] = runtime->draining[--runtime->draining_count];
	ml_lanes_rewire(engine, affected, NULL);
	for (size_t i = 0; i < runtime->ending_count; i++) {
		struct ml_edge *edge = runtime->ending[i];
		if (!edge->from && affected[edge->to->lane->index])
			ml_lane_ready(edge->to->lane, edge->to);
	}
	ml_node_free(node);
}

/* Nothing can come, and nothing is there that it has not yet dealt with. A node that asked for a
 * number of messages (ml_node_demand) and has not asked for others in their place still has them.
 */
static bool is_done(struct ml_node *node)
{
	for (size_t i = 0; i < node->wiring.input_count; i++) {
		struct ml_edge *edge = node->wiring.inputs[i];
		if (edge->from || ml_edge_has_input(edge))
			return false;
	}
	for (unsigned port = 0; port < ML_PORTS_MAX; port++) {
		if (node->demand[port] < node->demand_most[port])
			return false;
	}
	return !node->rounds.waiting_count;
}

/* False: it is not done after all. */
static bool end_node(struct ml_engine *engine, size_t index, bool at_once)
{
	struct ml_node *node = engine->runtime->draining[index];
	bool affected[ML_LANES_MAX] = {false};
	find_neighbours(node, affected);
	each_affected(engine, affected, ml_lane_park);
	const bool ends = at_once || is_done(node);
	if (ends)
		take_out(engine, index, affected);
	each_affected(engine, affected, ml_lane_unpark);
	if (ends)
		ml_resources_dispose(engine);
	return ends;
}

static void after_an_edge(void *user)
{
	struct ml_node *node = user;
	node->optional = ml_node_is_optional(node);
	ml_node_rounds_again(node);
}

static void end_edge(struct ml_engine *engine, struct ml_edge *edge)
{
	struct ml_node *node = edge->to;
	ml_lane_park(node->lane);
	unwire_input(node, edge);
	remove_edge(engine->runtime, edge);
	ml_edge_free(edge, node);
	ml_lane_parked_call(node->lane, after_an_edge, node);
	ml_lane_unpark(node->lane);
}

/* From afar, while its lane runs. */
static bool may_be_done(const struct ml_node *node)
{
	for (size_t i = 0; i < node->wiring.input_count; i++) {
		struct ml_edge *edge = node->wiring.inputs[i];
		if (edge->from || ml_edge_has_input(edge))
			return false;
	}
	return true;
}

static void look(struct ml_engine *engine)
{
	struct ml_runtime *runtime = engine->runtime;
	const ml_time now = ml_clock_monotonic(engine->clock);
	for (size_t i = 0; i < runtime->draining_count;) {
		const struct ml_node *node = runtime->draining[i];
		const bool late = now >= node->drain_until;
		if (!(late || may_be_done(node)) || !end_node(engine, i, late))
			i++;
	}
	for (size_t i = 0; i < runtime->ending_count;) {
		struct ml_edge *edge = runtime->ending[i];
		if (!edge->from && !edge->to->draining && !ml_edge_has_input(edge))
			end_edge(engine, edge);
		else
			i++;
	}
}

void ml_drain_look(struct ml_timer *timer)
{
	struct ml_engine *engine = timer->user;
	look(engine);
	ml_drain_begin(engine);
}

void ml_drain_begin(struct ml_engine *engine)
{
	struct ml_runtime *runtime = engine->runtime;
	if (!runtime->draining_count && !runtime->ending_count)
		return;
	ml_timer_start(
		&runtime->drain_timer, ml_clock_monotonic(engine->clock) + LOOK_EVERY * ML_MSEC);
}

void ml_drain_all(struct ml_engine *engine)
{
	struct ml_runtime *runtime = engine->runtime;
	while (runtime->draining_count)
		(void)end_node(engine, 0, true);
	while (runtime->ending_count)
		end_edge(engine, runtime->ending[0]);
}
