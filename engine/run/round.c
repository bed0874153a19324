/* Rounds: in band, past filters, on once they came on all inputs concerned (round.h).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run/round.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/runtime.h"

/* ---- Which edges a round goes along ---- */

/* The round began before that apply. Their numbers wrap around; what is compared is never far
 * apart. */
static bool began_before(const struct ml_round *round, uint32_t applied)
{
	return (int32_t)(round->applied - applied) < 0;
}

static bool carries(const struct ml_edge *edge, const struct ml_round *round)
{
	if (!edge->in_graph && !began_before(round, edge->left))
		return false;
	const uint64_t *origins =
		began_before(round, edge->origins_since) ? edge->origins_before : edge->origins;
	return origins[round->origin / 64] >> (round->origin % 64) & 1;
}

/* ---- What came ---- */

/* Room for one more item. */
static bool grow(void **items, size_t count, size_t *capacity, size_t size)
{
	if (count < *capacity)
		return true;
	const size_t wanted = *capacity ? *capacity * 2 : 4;
	void *grown = realloc(*items, wanted * size);
	if (!grown)
		return false;
	*items = grown;
	*capacity = wanted;
	return true;
}

static struct ml_round_arrival *find_arrival(
	struct ml_rounds *rounds, const struct ml_edge *edge, uint64_t id)
{
	for (size_t i = 0; i < rounds->arrival_count; i++) {
		if (rounds->arrivals[i].id == id && rounds->arrivals[i].edge == edge)
			return &rounds->arrivals[i];
	}
	return NULL;
}

static bool add_arrival(struct ml_rounds *rounds, const struct ml_edge *edge, uint64_t id)
{
	if (find_arrival(rounds, edge, id))
		return true;
	void *items = rounds->arrivals;
	if (!grow(&items, rounds->arrival_count, &rounds->arrival_capacity,
		    sizeof *rounds->arrivals))
		return false;
	rounds->arrivals = items;
	rounds->arrivals[rounds->arrival_count++] =
		(struct ml_round_arrival){.edge = edge, .id = id};
	return true;
}

static struct ml_round_open *find_open(struct ml_rounds *rounds, uint64_t id)
{
	for (size_t i = 0; i < rounds->open_count; i++) {
		if (rounds->open[i].begin.id == id)
			return &rounds->open[i];
	}
	return NULL;
}

static struct ml_round_open *add_open(struct ml_rounds *rounds, const struct ml_round *round)
{
	struct ml_round_open *open = find_open(rounds, round->id);
	if (open)
		return open;
	void *items = rounds->open;
	if (!grow(&items, rounds->open_count, &rounds->open_capacity, sizeof *rounds->open))
		return NULL;
	rounds->open = items;
	open = &rounds->open[rounds->open_count++];
	*open = (struct ml_round_open){.begin = *round};
	return open;
}

static void forget_arrivals(struct ml_rounds *rounds, uint64_t id)
{
	size_t kept = 0;
	for (size_t i = 0; i < rounds->arrival_count; i++) {
		if (rounds->arrivals[i].id != id)
			rounds->arrivals[kept++] = rounds->arrivals[i];
	}
	rounds->arrival_count = kept;
}

static void forget(struct ml_rounds *rounds, uint64_t id)
{
	struct ml_round_open *open = find_open(rounds, id);
	const size_t behind = (size_t)(rounds->open + rounds->open_count - open) - 1;
	memmove(open, open + 1, behind * sizeof *open);
	rounds->open_count--;
	forget_arrivals(rounds, id);
}

void ml_rounds_free(struct ml_rounds *rounds)
{
	free(rounds->open);
	free(rounds->arrivals);
	free(rounds->waiting);
	*rounds = (struct ml_rounds){0};
}

/* ---- Passing on ---- */

/* Room for one more mark on every output edge; those without are asked to tell. */
static bool room_for_mark(struct ml_node *node)
{
	bool room = true;
	for (unsigned port = 0; port < ML_PORTS_MAX; port++) {
		const struct ml_wires *wires = &node->wiring.outputs[port];
		for (size_t i = 0; i < wires->count; i++) {
			struct ml_edge *edge = wires->edges[i];
			if (!ml_edge_mark_room(edge))
				room = ml_edge_wait(edge, 0) && room;
		}
	}
	return room;
}

static void mark_all(struct ml_node *node, const struct ml_round *round)
{
	for (unsigned port = 0; port < ML_PORTS_MAX; port++) {
		const struct ml_wires *wires = &node->wiring.outputs[port];
		for (size_t i = 0; i < wires->count; i++) {
			if (carries(wires->edges[i], round))
				ml_edge_mark(wires->edges[i], round);
		}
	}
}

static void pass_on(struct ml_node *node, const struct ml_round *round)
{
	struct ml_rounds *rounds = &node->rounds;
	if (!rounds->waiting_count && room_for_mark(node)) {
		mark_all(node, round);
		return;
	}
	void *items = rounds->waiting;
	if (!grow(&items, rounds->waiting_count, &rounds->waiting_capacity,
		    sizeof *rounds->waiting)) {
		ml_log(node->engine->log, ML_LOG_ERROR, node->id,
			"out of memory: the %s of a round was lost",
			round->phase == ML_ROUND_BEGIN ? "begin" : "end");
		return;
	}
	rounds->waiting = items;
	rounds->waiting[rounds->waiting_count++] = *round;
	node->blocked = true;
}

void ml_node_rounds_flush(struct ml_node *node)
{
	struct ml_rounds *rounds = &node->rounds;
	size_t done = 0;
	while (done < rounds->waiting_count && room_for_mark(node))
		mark_all(node, &rounds->waiting[done++]);
	rounds->waiting_count -= done;
	memmove(rounds->waiting, rounds->waiting + done,
		rounds->waiting_count * sizeof *rounds->waiting);
	node->blocked = node->blocked || rounds->waiting_count > 0;
}

static void tell(struct ml_node *node, const struct ml_round *round)
{
	if (node->class->round)
		node->class->round(node, node->self, round);
	if (!(node->class->flags & (ML_NODE_HOLDS_ROUNDS | ML_NODE_QUERY)))
		pass_on(node, round);
}

/* ---- Becoming whole ---- */

static bool begin_is_whole(struct ml_node *node, const struct ml_round *round)
{
	for (size_t i = 0; i < node->wiring.input_count; i++) {
		const struct ml_edge *edge = node->wiring.inputs[i];
		if (carries(edge, round) && !find_arrival(&node->rounds, edge, round->id))
			return false;
	}
	return true;
}

static void tell_begin(struct ml_node *node, struct ml_round_open *open)
{
	const struct ml_round begin = open->begin;
	open->begun = true;
	tell(node, &begin);
}

/* True: the end came wherever the begin had come; the round is over. */
static bool tell_end(struct ml_node *node, struct ml_round_open *open)
{
	struct ml_rounds *rounds = &node->rounds;
	if (!open->begun)
		return false;
	for (size_t i = 0; i < rounds->arrival_count; i++) {
		if (rounds->arrivals[i].id == open->begin.id && !rounds->arrivals[i].ended)
			return false;
	}
	struct ml_round end = open->end;
	if (!end.id) {
		/* Every input that it came on is gone: nobody else will end it. */
		end = open->begin;
		end.phase = ML_ROUND_END;
		end.time = ml_node_wall(node);
	}
	forget(rounds, end.id);
	tell(node, &end);
	return true;
}

/* A source has one round at a time, and each edge keeps order: where a later one is whole, what is
 * missing of an earlier one will not come any more (an edge that drops may leave out a round). */
static void tell_earlier(struct ml_node *node, uint64_t id, uint32_t origin)
{
	struct ml_rounds *rounds = &node->rounds;
	for (size_t i = 0; i < rounds->open_count && rounds->open[i].begin.id != id;) {
		struct ml_round_open *open = &rounds->open[i];
		if (open->begin.origin == origin && !open->begun) {
			tell_begin(node, open);
			if (tell_end(node, open))
				continue;
		}
		i++;
	}
}

static void look(struct ml_node *node, uint64_t id)
{
	struct ml_round_open *open = find_open(&node->rounds, id);
	if (!open->begun && begin_is_whole(node, &open->begin)) {
		tell_earlier(node, id, open->begin.origin);
		open = find_open(&node->rounds, id);
		tell_begin(node, open);
	}
	(void)tell_end(node, open);
}

static void begin_came(
	struct ml_node *node, const struct ml_edge *edge, const struct ml_round *round)
{
	struct ml_rounds *rounds = &node->rounds;
	if (rounds->open_count < ML_ROUNDS_OPEN_MAX && add_open(rounds, round) &&
		add_arrival(rounds, edge, round->id)) {
		look(node, round->id);
		return;
	}
	ml_log(node->engine->log, ML_LOG_ERROR, node->id,
		"a round was left out: there is no memory for more than the %zu under way",
		rounds->open_count);
}

static void end_came(struct ml_node *node, const struct ml_edge *edge, const struct ml_round *round)
{
	struct ml_rounds *rounds = &node->rounds;
	struct ml_round_arrival *arrival = find_arrival(rounds, edge, round->id);
	if (!arrival)
		return;
	arrival->ended = true;
	find_open(rounds, round->id)->end = *round;
	look(node, round->id);
}

bool ml_node_round(struct ml_node *node, const struct ml_edge *edge, const struct ml_round *round)
{
	if (node->class->flags & ML_NODE_ROUNDS)
		return true;
	const bool goes_on = !(node->class->flags & ML_NODE_QUERY);
	if (goes_on && (node->rounds.waiting_count || !room_for_mark(node)))
		return false;
	if (round->phase == ML_ROUND_BEGIN)
		begin_came(node, edge, round);
	else
		end_came(node, edge, round);
	return true;
}

static bool is_input(const struct ml_node *node, const struct ml_edge *edge)
{
	for (size_t i = 0; i < node->wiring.input_count; i++) {
		if (node->wiring.inputs[i] == edge)
			return true;
	}
	return false;
}

static bool came_anywhere(const struct ml_rounds *rounds, uint64_t id)
{
	for (size_t i = 0; i < rounds->arrival_count; i++) {
		if (rounds->arrivals[i].id == id)
			return true;
	}
	return false;
}

void ml_node_rounds_again(struct ml_node *node)
{
	struct ml_rounds *rounds = &node->rounds;
	size_t kept = 0;
	for (size_t i = 0; i < rounds->arrival_count; i++) {
		if (is_input(node, rounds->arrivals[i].edge))
			rounds->arrivals[kept++] = rounds->arrivals[i];
	}
	rounds->arrival_count = kept;
	for (size_t i = 0; i < rounds->open_count;) {
		const struct ml_round_open *open = &rounds->open[i];
		const size_t count = rounds->open_count;
		const uint64_t id = open->begin.id;
		if (open->begun || came_anywhere(rounds, id))
			look(node, id);
		else
			forget(rounds, id);
		/* Telling one may forget it and others. */
		i = rounds->open_count == count ? i + 1 : 0;
	}
}

/* ---- What a node may ask ---- */

void ml_round_begin(struct ml_node *node, struct ml_round *round)
{
	struct ml_rounds *rounds = &node->rounds;
	round->id = ml_lane_trace(node->lane);
	round->origin = node->origin;
	(void)snprintf(round->source, sizeof round->source, "%s", node->id);
	round->applied =
		atomic_load_explicit(&node->engine->runtime->applies, memory_order_relaxed);
	round->phase = ML_ROUND_BEGIN;
	round->time = ml_node_wall(node);
	if (!round->due)
		round->due = round->time;
	ml_node_round_close(node);
	if (rounds->waiting_count >= ML_ROUNDS_WAITING_MAX) {
		ml_log(node->engine->log, ML_LOG_ERROR, node->id,
			"a round was left out: %zu begins and ends wait for room already",
			rounds->waiting_count);
		return;
	}
	rounds->own = round->id;
	rounds->own_begin = *round;
	pass_on(node, round);
}

void ml_round_end(struct ml_node *node, struct ml_round *round)
{
	round->phase = ML_ROUND_END;
	round->time = ml_node_wall(node);
	if (node->rounds.own != round->id)
		return;
	node->rounds.own = 0;
	pass_on(node, round);
}

void ml_node_round_close(struct ml_node *node)
{
	if (!node->rounds.own)
		return;
	struct ml_round round = node->rounds.own_begin;
	ml_round_end(node, &round);
}

void ml_round_forward(struct ml_node *node, const struct ml_round *round)
{
	pass_on(node, round);
}
