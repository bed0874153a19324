/* Edges: putting, taking, dropping by policy.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run/edge.h"

#include <stdlib.h>
#include <string.h>

#include "run/engine.h"
#include "run/node.h"
#include "run/tap.h"

int ml_edge_new(const struct ml_graph_edge *plan, struct ml_edge **ret_edge)
{
	struct ml_edge *edge = calloc(1, sizeof *edge);
	if (!edge)
		return -ENOMEM;
	edge->key = strdup(plan->key);
	edge->ring = ml_ring_new(plan->capacity, 0);
	if (!edge->key || !edge->ring) {
		free(edge->key);
		free(edge->ring);
		free(edge);
		return -ENOMEM;
	}
	edge->from_port = plan->from_port;
	edge->to_port = plan->to_port;
	edge->when_full = plan->when_full;
	edge->optional = plan->optional;
	*ret_edge = edge;
	return 0;
}

void ml_edge_fail_all(struct ml_edge *edge, struct ml_node *node, const char *why)
{
	size_t lost = 0;
	void *items[ML_BATCH];
	ml_ring_publish(edge->ring);
	for (;;) {
		const size_t n = ml_ring_take_shared(edge->ring, items, ML_BATCH, UINT64_MAX);
		if (!n)
			break;
		for (size_t i = 0; i < n; i++)
			ml_message_let_go(node, items[i], !edge->optional);
		lost += n;
	}
	atomic_store(&edge->marks_tail, atomic_load(&edge->marks_head));
	if (lost == 0)
		return;
	atomic_fetch_add_explicit(&edge->dropped, lost, memory_order_relaxed);
	ml_log(node->engine->log, ML_LOG_WARNING, node->id, "%zu messages on %s were given up: %s",
		lost, edge->key, why);
}

void ml_edge_free(struct ml_edge *edge, struct ml_node *node)
{
	if (node)
		ml_edge_fail_all(edge, node, "the edge was removed");
	free(edge->ring);
	free(edge->key);
	free(edge);
}

void ml_edge_replace_ring(struct ml_edge *edge, struct ml_ring *ring)
{
	struct ml_ring *old = edge->ring;
	const uint64_t tail = atomic_load(&old->tail), head = old->filled;
	atomic_store(&ring->tail, tail);
	ring->seen_tail = ring->filled = tail;
	for (uint64_t at = tail; at < head; at++)
		ml_ring_put(ring, atomic_load(&old->slots[at & old->mask]));
	ml_ring_publish(ring);
	ring->seen_head = head;
	edge->ring = ring;
	free(old);
}

static void dropped(struct ml_edge *edge, struct ml_node *from, struct ml_message *message)
{
	atomic_fetch_add_explicit(&edge->dropped, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&from->dropped, 1, memory_order_relaxed);
	ml_log(from->engine->log, ML_LOG_WARNING, edge->key,
		"a message was dropped: the edge is full");
	ml_message_let_go(from, message, !edge->optional);
}

void ml_edge_make_dirty(struct ml_edge *edge, struct ml_lane *lane)
{
	edge->dirty = true;
	edge->dirty_next = lane->dirty;
	lane->dirty = edge;
}

/* The ring is full. false: the message was dropped. */
bool ml_edge_make_room(struct ml_edge *edge, struct ml_node *from, struct ml_message *message)
{
	struct ml_ring *ring = edge->ring;
	if (ml_ring_room(ring, 1))
		return true;
	if (edge->when_full == ML_FULL_DROP_OLDEST) {
		ml_edge_publish(edge);
		struct ml_message *oldest = ml_ring_evict(ring);
		if (oldest)
			dropped(edge, from, oldest);
		if (ml_ring_room(ring, 1))
			return true;
	}
	dropped(edge, from, message);
	return false;
}

size_t ml_edge_room(struct ml_edge *edge, size_t want)
{
	if (!ml_edge_mark_room(edge))
		return 0;
	return edge->when_full == ML_FULL_WAIT ? ml_ring_room(edge->ring, want) : SIZE_MAX;
}

bool ml_edge_has_wanted(struct ml_edge *edge)
{
	return edge->wanted ? ml_edge_room(edge, edge->wanted) >= edge->wanted
			    : ml_edge_mark_room(edge);
}

/* The consumer makes room first and looks at the flag afterwards; here it is the other way round.
 * So one of the two sees the other (tell_producer() in node.c). */
bool ml_edge_wait(struct ml_edge *edge, size_t wanted)
{
	edge->wanted = wanted;
	atomic_store(&edge->producer_waits, true);
	atomic_thread_fence(memory_order_seq_cst);
	return ml_edge_has_wanted(edge);
}

/* One message at a time is timed: when it is put, and when it is taken. */
static void arm_probe(struct ml_edge *edge, ml_time now)
{
	if (atomic_load_explicit(&edge->probe_position, memory_order_relaxed))
		return;
	atomic_store_explicit(&edge->probe_time, now, memory_order_relaxed);
	atomic_store_explicit(&edge->probe_position, edge->ring->filled, memory_order_release);
}

void ml_edge_publish(struct ml_edge *edge)
{
	struct ml_ring *ring = edge->ring;
	const uint64_t before = atomic_load_explicit(&ring->head, memory_order_relaxed);
	if (before == ring->filled)
		return;
	if (atomic_load_explicit(&edge->tapped, memory_order_relaxed))
		ml_tap_show(edge, before);
	if (edge->from)
		arm_probe(edge, edge->from->lane->now);
	ml_ring_publish(ring);
	/* seen_tail may be old: look again only where that would be a new high water. */
	if (ring->filled - ring->seen_tail > edge->high_water) {
		ring->seen_tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
		if (ring->filled - ring->seen_tail > edge->high_water) {
			edge->high_water = ring->filled - ring->seen_tail;
			atomic_store_explicit(
				&edge->high_water_shown, edge->high_water, memory_order_relaxed);
		}
	}
}

static uint32_t marks_used(const struct ml_edge *edge)
{
	const uint32_t head = atomic_load_explicit(&edge->marks_head, memory_order_relaxed);
	const uint32_t tail = atomic_load_explicit(&edge->marks_tail, memory_order_acquire);
	return head - tail;
}

bool ml_edge_mark_room(struct ml_edge *edge)
{
	return edge->when_full != ML_FULL_WAIT || marks_used(edge) < ML_EDGE_MARKS;
}

/* On an edge that drops: a begin is taken where there is room for its end too, an end where its
 * begin was taken. */
static bool takes_mark(struct ml_edge *edge, const struct ml_round *round)
{
	uint32_t reserved = 0;
	uint64_t *slot = NULL;
	for (size_t i = 0; i < ML_EDGE_OPEN; i++) {
		reserved += edge->open[i] != 0;
		if (edge->open[i] == (round->phase == ML_ROUND_BEGIN ? 0 : round->id))
			slot = &edge->open[i];
	}
	if (!slot)
		return false;
	if (round->phase == ML_ROUND_END) {
		*slot = 0;
		return true;
	}
	if (marks_used(edge) + reserved + 2 > ML_EDGE_MARKS)
		return false;
	*slot = round->id;
	return true;
}

void ml_edge_mark(struct ml_edge *edge, const struct ml_round *round)
{
	const bool takes = takes_mark(edge, round);
	if (edge->when_full != ML_FULL_WAIT && !takes) {
		if (round->phase == ML_ROUND_BEGIN)
			ml_log(edge->to->engine->log, ML_LOG_WARNING, edge->key,
				"a round is left out: its consumer is %d behind",
				ML_EDGE_MARKS / 2);
		return;
	}
	ml_edge_publish(edge);
	const uint32_t head = atomic_load_explicit(&edge->marks_head, memory_order_relaxed);
	edge->marks[head % ML_EDGE_MARKS] =
		(struct ml_mark){.position = edge->ring->filled, .round = *round};
	atomic_store_explicit(&edge->marks_head, head + 1, memory_order_release);
	if (!edge->dirty)
		ml_edge_make_dirty(edge, edge->from->lane);
}

/* The ring's head must have been read before: a mark was put before the messages behind it were
 * published, so who sees those sees the mark. */
static const struct ml_mark *first_mark(struct ml_edge *edge)
{
	const uint32_t tail = atomic_load_explicit(&edge->marks_tail, memory_order_relaxed);
	const uint32_t head = atomic_load_explicit(&edge->marks_head, memory_order_acquire);
	return head == tail ? NULL : &edge->marks[tail % ML_EDGE_MARKS];
}

static void check_probe(struct ml_edge *edge, uint64_t tail)
{
	const uint64_t position = atomic_load_explicit(&edge->probe_position, memory_order_acquire);
	if (!position || tail < position)
		return;
	const ml_time put = atomic_load_explicit(&edge->probe_time, memory_order_relaxed);
	/* A lane knows the time of its turn's begin: it may lie before what was put meanwhile. */
	const ml_time waited = edge->to->lane->now - put;
	atomic_store_explicit(&edge->age, waited > 0 ? waited : 0, memory_order_relaxed);
	atomic_store_explicit(&edge->probe_position, 0, memory_order_release);
}

size_t ml_edge_take(struct ml_edge *edge, struct ml_message **messages, size_t max,
	const struct ml_mark **ret_mark)
{
	struct ml_ring *ring = edge->ring;
	*ret_mark = NULL;
	size_t ready = ml_ring_ready(ring, max);
	const uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
	const struct ml_mark *mark = first_mark(edge);
	if (mark && (int64_t)(mark->position - tail) <= 0) {
		*ret_mark = mark;
		return 0;
	}
	size_t n;
	if (edge->when_full == ML_FULL_DROP_OLDEST) {
		n = ml_ring_take_shared(
			ring, (void **)messages, max, mark ? mark->position : ring->seen_head);
	} else {
		n = ready < max ? ready : max;
		if (mark && n > mark->position - tail)
			n = (size_t)(mark->position - tail);
		if (n)
			ml_ring_take(ring, (void **)messages, n);
	}
	/* What another processor wrote is fetched all at once, not one by one as it is looked at.
	 */
	for (size_t i = 0; edge->crosses && i < n; i++)
		__builtin_prefetch(messages[i], 1);
	if (n)
		check_probe(edge, atomic_load_explicit(&ring->tail, memory_order_relaxed));
	return n;
}

void ml_edge_pass_mark(struct ml_edge *edge)
{
	const uint32_t tail = atomic_load_explicit(&edge->marks_tail, memory_order_relaxed);
	atomic_store_explicit(&edge->marks_tail, tail + 1, memory_order_release);
}

bool ml_edge_has_input(struct ml_edge *edge)
{
	return ml_ring_depth(edge->ring) > 0 || first_mark(edge) != NULL;
}
