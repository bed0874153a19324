/* Nodes: making, running, and what they may ask.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/runtime.h"
#include "run/settings.h"

/* ---- Making ---- */

static int fill(struct ml_node *node, const struct ml_graph *graph,
	const struct ml_graph_node *plan, struct ml_errors *errors)
{
	char pointer[64];
	(void)snprintf(pointer, sizeof pointer, "%s/params", plan->pointer);
	const struct ml_params_source source = {
		.pointer = pointer,
		.text = graph->text,
		.length = graph->length,
		.inherit = ml_engine_inherit,
		.inherit_user = node->engine,
	};
	return node->class->params ? ml_params_parse(node->class->params, plan->params, &source,
					     node->self, errors)
				   : 0;
}

/* Sources and queries take what triggers them at once: what has no room behind them is theirs to
 * keep, so that it holds back nobody before them. */
static unsigned emits(const struct ml_node_class *class)
{
	unsigned most = 0;
	if (class->flags & ML_NODE_OWN_ACKS)
		return 0;
	for (const struct ml_port *port = class->ports; port && port->name; port++) {
		if (port->direction == ML_OUTPUT && port->most > most)
			most = port->most;
	}
	return most;
}

int ml_node_new(struct ml_engine *engine, const struct ml_graph *graph,
	const struct ml_graph_node *plan, struct ml_node **ret_node, struct ml_errors *errors)
{
	int r = -ENOMEM;
	struct ml_node *node = calloc(1, sizeof *node);
	if (!node)
		return r;
	node->class = plan->class;
	node->engine = engine;
	node->state = ML_STATE_STOPPED;
	node->emits = emits(node->class);
	for (size_t i = 0; i < ML_PORTS_MAX; i++)
		node->demand[i] = SIZE_MAX;
	node->id = strdup(plan->id);
	node->self = calloc(1, node->class->size ? node->class->size : 1);
	node->lane = ml_engine_lane_enter(engine, plan->lane);
	if (!node->lane)
		ml_errors_addf(errors, r, plan->pointer,
			"the lane '%s' cannot be made: out of memory or threads", plan->lane);
	if (!node->id || !node->self || !node->lane)
		goto fail;
	r = fill(node, graph, plan, errors);
	if (r)
		goto fail;
	node->prepared = true;
	if (node->class->prepare) {
		struct ml_error err = ML_ERROR_NONE;
		r = node->class->prepare(node, node->self, &err);
		if (r) {
			if (!err.code)
				(void)ml_error_set(
					&err, r, "it could not be prepared: %s", strerror(-r));
			char inside[ML_ERROR_POINTER_MAX];
			memcpy(inside, err.pointer, sizeof inside);
			(void)snprintf(err.pointer, sizeof err.pointer, "%s%s%s", plan->pointer,
				inside[0] ? "/params" : "", inside);
			ml_errors_add(errors, &err);
			goto fail;
		}
	}
	*ret_node = node;
	return 0;
fail:
	ml_node_free(node);
	return r;
}

void ml_wiring_free(struct ml_wiring *wiring)
{
	for (size_t i = 0; i < ML_PORTS_MAX; i++)
		free(wiring->outputs[i].edges);
	free(wiring->inputs);
	*wiring = (struct ml_wiring){0};
}

bool ml_node_is_optional(const struct ml_node *node)
{
	for (size_t i = 0; i < node->wiring.input_count; i++) {
		if (!node->wiring.inputs[i]->optional)
			return false;
	}
	return node->wiring.input_count > 0 && !(node->class->flags & ML_NODE_OWN_ACKS);
}

void ml_node_unwire_output(struct ml_node *node, const struct ml_edge *edge)
{
	struct ml_wires *wires = &node->wiring.outputs[edge->from_port];
	for (size_t i = 0; i < wires->count; i++) {
		if (wires->edges[i] == edge) {
			wires->edges[i] = wires->edges[--wires->count];
			return;
		}
	}
}

void ml_node_free(struct ml_node *node)
{
	if (!node)
		return;
	if (node->prepared && node->class->destroy)
		node->class->destroy(node->self);
	if (node->self && node->class->params)
		ml_params_free(node->class->params, node->self);
	free(node->self);
	node->self = NULL;
	json_decref(node->inherited);
	ml_wiring_free(&node->wiring);
	ml_rounds_free(&node->rounds);
	if (node->lane)
		ml_engine_lane_leave(node->lane);
	if (node->acks) {
		node->doomed = true;
		return;
	}
	free(node->id);
	free(node);
}

void ml_node_acked(struct ml_node *node, uint64_t cookie, bool delivered)
{
	node->acks--;
	if (node->running && node->class->acked)
		node->class->acked(node, node->self, cookie, delivered);
	if (node->doomed && !node->acks) {
		free(node->id);
		free(node);
	}
}

/* ---- Starting and stopping ---- */

void ml_node_start(struct ml_node *node)
{
	node->running = true;
	ml_node_state(node, ML_STATE_RUNNING, NULL);
	if (node->class->start)
		node->class->start(node, node->self);
	ml_lane_ready(node->lane, node);
}

void ml_node_stop(struct ml_node *node)
{
	if (node->class->stop)
		node->class->stop(node, node->self);
	ml_node_round_close(node);
	ml_lane_stop_timers(node->lane, node->self, (char *)node->self + node->class->size);
	/* From here on it is told nothing more: not even acks of what it let go of just now. */
	node->running = false;
	ml_lane_flush(node->lane);
	ml_lane_unready(node->lane, node);
	ml_resources_let_go(node);
	ml_node_state(node, ML_STATE_STOPPED, NULL);
}

/* ---- Running ---- */

/* Room on all edges of an output. Those with less than `least` are asked to tell. */
static size_t port_room(struct ml_node *node, unsigned port, size_t least, size_t want)
{
	size_t room = SIZE_MAX;
	const struct ml_wires *wires = &node->wiring.outputs[port];
	for (size_t i = 0; i < wires->count; i++) {
		size_t here = ml_edge_room(wires->edges[i], want);
		if (here < least && ml_edge_wait(wires->edges[i], least))
			here = ml_edge_room(wires->edges[i], want);
		if (here < room)
			room = here;
	}
	return room;
}

/* How many messages may be processed by the room on all outputs. */
static size_t process_room(struct ml_node *node)
{
	size_t room = ML_BATCH;
	unsigned index = 0;
	for (const struct ml_port *port = node->class->ports; port->name; port++, index++) {
		if (port->direction != ML_OUTPUT || !port->most ||
			!node->wiring.outputs[index].count)
			continue;
		const size_t here =
			port_room(node, index, port->most, room * port->most) / port->most;
		if (here < room)
			room = here;
	}
	return room;
}

/* Not before half of the ring is free: a producer that is woken for each slot does no batches. */
static void tell_producer(struct ml_edge *edge, bool mark)
{
	if (edge->crosses)
		atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(&edge->producer_waits, memory_order_relaxed) || !edge->from)
		return;
	if (!mark && ml_ring_depth(edge->ring) > edge->ring->mask / 2)
		return;
	if (edge->crosses) {
		ml_lane_wake(edge->from->lane);
		return;
	}
	atomic_store_explicit(&edge->producer_waits, false, memory_order_relaxed);
	ml_lane_ready(edge->from->lane, edge->from);
}

enum outcome { NOTHING, DONE, BLOCKED };

static enum outcome run_input(struct ml_node *node, struct ml_edge *edge)
{
	size_t max = node->demand[edge->to_port];
	if (max == 0)
		return NOTHING;
	if (max > ML_BATCH)
		max = ML_BATCH;
	if (node->emits) {
		const size_t room = process_room(node);
		if (room == 0)
			return BLOCKED;
		if (room < max)
			max = room;
	}
	struct ml_message *messages[ML_BATCH];
	const struct ml_mark *mark;
	const size_t count = ml_edge_take(edge, messages, max, &mark);
	if (mark) {
		if (!ml_node_round(node, edge, &mark->round))
			return BLOCKED;
		ml_edge_pass_mark(edge);
		tell_producer(edge, true);
		return DONE;
	}
	if (count == 0)
		return NOTHING;
	if (node->demand[edge->to_port] != SIZE_MAX)
		node->demand[edge->to_port] -= count;
	atomic_store_explicit(&node->received,
		atomic_load_explicit(&node->received, memory_order_relaxed) + count,
		memory_order_relaxed);
	node->class->process(node, node->self, edge->to_port, messages, count);
	tell_producer(edge, false);
	return DONE;
}

/* Outputs that the node found without room, and that have some again. */
static void tell_room(struct ml_node *node)
{
	uint32_t came = 0;
	for (unsigned port = 0; port < ML_PORTS_MAX; port++) {
		const uint32_t bit = (uint32_t)1 << port;
		if (node->room_wanted & bit && port_room(node, port, 1, 1))
			came |= bit;
	}
	node->room_wanted &= ~came;
	if (came && node->class->room)
		node->class->room(node, node->self);
}

void ml_node_run(struct ml_node *node)
{
	if (!node->running)
		return;
	node->blocked = false;
	if (node->rounds.waiting_count)
		ml_node_rounds_flush(node);
	if (node->room_wanted && !node->rounds.waiting_count)
		tell_room(node);
	bool done = false;
	const size_t count = node->wiring.input_count;
	for (size_t i = 0; i < count; i++) {
		struct ml_edge *edge = node->wiring.inputs[(node->next_input + i) % count];
		const enum outcome outcome = run_input(node, edge);
		if (outcome == BLOCKED)
			node->blocked = true;
		done = done || outcome == DONE;
	}
	if (count > 1)
		node->next_input = (node->next_input + 1) % count;
	/* What did not come in this batch comes in the next, after the others had their turn. */
	if (done)
		ml_lane_ready(node->lane, node);
}

/* ---- What a node may ask ---- */

const char *ml_node_id(const struct ml_node *node)
{
	return node->id;
}

struct ml_engine *ml_node_engine(const struct ml_node *node)
{
	return node->engine;
}

struct ml_lane *ml_node_lane(const struct ml_node *node)
{
	return node->lane;
}

struct uv_loop_s *ml_node_loop(const struct ml_node *node)
{
	return ml_lane_loop(node->lane);
}

ml_time ml_node_now(const struct ml_node *node)
{
	return ml_clock_monotonic(node->engine->clock);
}

ml_time ml_node_wall(const struct ml_node *node)
{
	return ml_clock_wall(node->engine->clock);
}

static void count_emitted(struct ml_node *node, size_t count)
{
	atomic_store_explicit(&node->emitted,
		atomic_load_explicit(&node->emitted, memory_order_relaxed) + count,
		memory_order_relaxed);
}

/* To several edges, to none, or to one that is full or has its first message of a batch. */
static __attribute__((noinline)) void emit_slowly(
	struct ml_node *node, const struct ml_wires *wires, struct ml_message *message)
{
	if (wires->count == 0) {
		ml_message_let_go(node, message, false);
		return;
	}
	if (wires->count > 1)
		atomic_fetch_add_explicit(
			&message->refs, (unsigned)(wires->count - 1), memory_order_relaxed);
	for (size_t i = 0; i < wires->count; i++)
		ml_edge_put(wires->edges[i], node, node->lane, message);
}

void ml_emit(struct ml_node *node, unsigned port, struct ml_message *message)
{
	const struct ml_wires *wires = &node->wiring.outputs[port];
	count_emitted(node, 1);
	if (wires->count == 1) {
		struct ml_edge *edge = wires->edges[0];
		struct ml_ring *ring = edge->ring;
		if (edge->dirty && ring->filled - ring->seen_tail <= ring->mask) {
			ml_ring_put(ring, message);
			return;
		}
	}
	emit_slowly(node, wires, message);
}

void ml_emit_all(
	struct ml_node *node, unsigned port, struct ml_message *const *messages, size_t count)
{
	const struct ml_wires *wires = &node->wiring.outputs[port];
	count_emitted(node, count);
	size_t done = 0;
	if (wires->count == 1 && count) {
		struct ml_edge *edge = wires->edges[0];
		done = ml_ring_room(edge->ring, count);
		done = done < count ? done : count;
		ml_ring_put_all(edge->ring, (void *const *)messages, done);
		if (!edge->dirty && done)
			ml_edge_make_dirty(edge, node->lane);
	}
	for (; done < count; done++)
		emit_slowly(node, wires, messages[done]);
}

size_t ml_room(struct ml_node *node, unsigned port)
{
	const size_t room = node->rounds.waiting_count ? 0 : port_room(node, port, 1, ML_BATCH);
	if (room == 0)
		node->room_wanted |= (uint32_t)1 << port;
	return room;
}

bool ml_port_wired(const struct ml_node *node, unsigned port)
{
	if (node->wiring.outputs[port].count)
		return true;
	for (size_t i = 0; i < node->wiring.input_count; i++) {
		if (node->wiring.inputs[i]->to_port == port)
			return true;
	}
	return false;
}

void ml_node_demand(struct ml_node *node, unsigned port, size_t messages)
{
	node->demand[port] = messages;
	if (messages > node->demand_most[port])
		node->demand_most[port] = messages;
	if (messages)
		ml_lane_ready(node->lane, node);
}

void ml_node_state(struct ml_node *node, enum ml_state state, const char *format, ...)
{
	char text[sizeof node->state_text] = "";
	if (format) {
		va_list args;
		va_start(args, format);
		(void)vsnprintf(text, sizeof text, format, args);
		va_end(args);
	}
	struct ml_runtime *runtime = node->engine->runtime;
	pthread_mutex_lock(&runtime->state_lock);
	const enum ml_state old = node->state;
	const bool same_text = strcmp(text, node->state_text) == 0;
	node->state = state;
	memcpy(node->state_text, text, sizeof text);
	if (old != state)
		node->state_since = ml_clock_wall(node->engine->clock);
	pthread_mutex_unlock(&runtime->state_lock);
	if (state == ML_STATE_FAULT && (old != state || !same_text))
		ml_log(node->engine->log, ML_LOG_ERROR, node->id, "%s", text);
	else if (state == ML_STATE_WAITING && (old != state || !same_text))
		ml_log(node->engine->log, ML_LOG_WARNING, node->id, "waiting: %s", text);
	else if (state == ML_STATE_RUNNING && (old == ML_STATE_FAULT || old == ML_STATE_WAITING))
		ml_log(node->engine->log, ML_LOG_INFO, node->id, "goes on");
}

void ml_node_log(struct ml_node *node, enum ml_log_level level, const char *format, ...)
{
	char text[ML_ERROR_TEXT_MAX * 2];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	ml_log(node->engine->log, level, node->id, "%s", text);
}

void ml_node_count(struct ml_node *node, unsigned metric, int64_t add)
{
	atomic_fetch_add_explicit(&node->metrics[metric], add, memory_order_relaxed);
}

void ml_node_gauge(struct ml_node *node, unsigned metric, int64_t value)
{
	atomic_store_explicit(&node->metrics[metric], value, memory_order_relaxed);
}
