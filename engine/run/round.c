/* Rounds: in band, past filters, on once they came on all inputs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "run/engine.h"
#include "run/node.h"

static bool carries(const struct ml_edge *edge, uint32_t origin)
{
	return edge->origins[origin / 64] >> (origin % 64) & 1;
}

static unsigned expected(const struct ml_node *node, uint32_t origin)
{
	unsigned count = 0;
	for (size_t i = 0; i < node->wiring.input_count; i++)
		count += carries(node->wiring.inputs[i], origin);
	return count;
}

/* Room for one more mark on every output edge; those without are asked to tell. */
static bool room_for_mark(struct ml_node *node)
{
	bool room = true;
	for (unsigned port = 0; port < ML_PORTS_MAX; port++) {
		const struct ml_wires *wires = &node->wiring.outputs[port];
		for (size_t i = 0; i < wires->count; i++) {
			struct ml_edge *edge = wires->edges[i];
			if (ml_edge_mark_room(edge))
				continue;
			atomic_store(&edge->producer_waits, true);
			atomic_thread_fence(memory_order_seq_cst);
			room = room && ml_edge_mark_room(edge);
		}
	}
	return room;
}

static void mark_all(struct ml_node *node, const struct ml_round *round)
{
	for (unsigned port = 0; port < ML_PORTS_MAX; port++) {
		const struct ml_wires *wires = &node->wiring.outputs[port];
		for (size_t i = 0; i < wires->count; i++)
			ml_edge_mark(wires->edges[i], round);
	}
}

static void pass_on(struct ml_node *node, const struct ml_round *round)
{
	if (!node->waiting_count && room_for_mark(node)) {
		mark_all(node, round);
		return;
	}
	if (node->waiting_count == ML_NODE_ROUNDS_WAITING) {
		ml_log(node->engine->log, ML_LOG_ERROR, node->id,
			"a round was lost: more than %d begins and ends wait for room",
			ML_NODE_ROUNDS_WAITING);
		return;
	}
	node->waiting[node->waiting_count++] = *round;
	node->blocked = true;
}

void ml_node_rounds_flush(struct ml_node *node)
{
	size_t done = 0;
	while (done < node->waiting_count && room_for_mark(node))
		mark_all(node, &node->waiting[done++]);
	node->waiting_count -= done;
	memmove(node->waiting, node->waiting + done, node->waiting_count * sizeof node->waiting[0]);
	node->blocked = node->blocked || node->waiting_count > 0;
}

static void deliver(struct ml_node *node, const struct ml_round *round)
{
	if (node->class->round)
		node->class->round(node, node->self, round);
	if (!(node->class->flags & (ML_NODE_HOLDS_ROUNDS | ML_NODE_QUERY)))
		pass_on(node, round);
}

static void forget(struct ml_node *node, size_t index)
{
	node->round_count--;
	memmove(&node->rounds[index], &node->rounds[index + 1],
		(node->round_count - index) * sizeof node->rounds[0]);
}

static struct ml_round_seen *seen(struct ml_node *node, const struct ml_round *round)
{
	for (size_t i = 0; i < node->round_count; i++) {
		if (node->rounds[i].id == round->id && node->rounds[i].phase == round->phase)
			return &node->rounds[i];
	}
	/* A graph that changed while a round was on its way may leave one that never becomes whole.
	 */
	if (node->round_count == ML_NODE_ROUNDS_OPEN)
		forget(node, 0);
	struct ml_round_seen *entry = &node->rounds[node->round_count++];
	*entry = (struct ml_round_seen){
		.id = round->id, .phase = round->phase, .origin = round->origin, .round = *round};
	return entry;
}

bool ml_node_round(struct ml_node *node, const struct ml_edge *edge, const struct ml_round *round)
{
	(void)edge;
	if (node->class->flags & ML_NODE_ROUNDS)
		return true;
	if (node->waiting_count + 2 > ML_NODE_ROUNDS_WAITING || !room_for_mark(node))
		return false;
	struct ml_round_seen *entry = seen(node, round);
	entry->times++;
	if (entry->times < expected(node, round->origin))
		return true;
	const struct ml_round whole = entry->round;
	forget(node, (size_t)(entry - node->rounds));
	deliver(node, &whole);
	return true;
}

void ml_node_rounds_again(struct ml_node *node)
{
	for (size_t i = 0; i < node->round_count;) {
		const struct ml_round_seen entry = node->rounds[i];
		if (entry.times < expected(node, entry.origin)) {
			i++;
			continue;
		}
		forget(node, i);
		deliver(node, &entry.round);
	}
}

void ml_round_begin(struct ml_node *node, struct ml_round *round)
{
	round->id = ml_lane_trace(node->lane);
	round->origin = node->origin;
	round->phase = ML_ROUND_BEGIN;
	round->time = ml_node_wall(node);
	if (!round->due)
		round->due = round->time;
	node->round_open = *round;
	pass_on(node, round);
}

void ml_round_end(struct ml_node *node, struct ml_round *round)
{
	round->phase = ML_ROUND_END;
	round->time = ml_node_wall(node);
	node->round_open.id = 0;
	pass_on(node, round);
}

void ml_node_round_close(struct ml_node *node)
{
	if (!node->round_open.id)
		return;
	struct ml_round round = node->round_open;
	ml_round_end(node, &round);
}

void ml_round_forward(struct ml_node *node, const struct ml_round *round)
{
	pass_on(node, round);
}
