/* Edges: a bounded ring between two ports, the rounds that pass along it, and what is measured on
 * it. SPDX-License-Identifier: Apache-2.0
 *
 * A round's begin or end is not an item of the ring: it is kept beside it with the position that it
 * stands at. So it is in order, takes no room, and is not dropped with the messages around it.
 * Where the consumer is so far behind that these marks fill their own small ring, an edge that
 * waits makes its producer wait; one that drops must not hold up its neighbours: it leaves out
 * whole rounds, begin and end together, and logs that.
 */
#ifndef ML_RUN_EDGE_H
#define ML_RUN_EDGE_H

#include <meterloom/message.h>

#include "core/ring.h"
#include "graph/graph.h"

enum {
	ML_EDGE_MARKS = 32, /* rounds' begins and ends on their way */
	ML_EDGE_OPEN = 8,   /* rounds that have begun and not ended */
	ML_ORIGINS_MAX = ML_GRAPH_ROUND_SOURCES_MAX,
};

struct ml_lane;

struct ml_mark {
	uint64_t position;
	struct ml_round round;
};

struct ml_edge {
	/* constant while lanes run */
	char *key; /* "bus.out>decode.in" */
	struct ml_ring *ring;
	struct ml_node *from; /* NULL: its producer is gone or unwired, and the rest drains */
	struct ml_node *to;
	unsigned from_port, to_port;
	enum ml_when_full when_full;
	bool optional, crosses;
	/* A bit for each source whose rounds come along here: of rounds that began since an apply,
	 * and of those before. */
	uint64_t origins[ML_ORIGINS_MAX / 64], origins_before[ML_ORIGINS_MAX / 64];
	uint32_t origins_since;
	bool in_graph; /* else it only drains, since the apply `left` */
	uint32_t left;

	/* producer's */
	struct ml_edge *dirty_next;
	bool dirty;
	uint64_t high_water;
	size_t wanted;               /* what producer_waits is for: so much room; 0: for a mark */
	uint64_t open[ML_EDGE_OPEN]; /* begun here: their ends have a place reserved; 0: free */

	/* shared */
	atomic_bool producer_waits; /* for room, or for room for a mark */
	atomic_ullong dropped;
	atomic_ullong high_water_shown;
	atomic_bool tapped;
	struct ml_mark marks[ML_EDGE_MARKS];
	_Atomic uint32_t marks_head, marks_tail;
	/* one message at a time is timed on its way through the ring */
	_Atomic uint64_t probe_position; /* 0: none; else its position + 1 */
	_Atomic int64_t probe_time;
	_Atomic int64_t age; /* how long the last one timed had waited, microseconds */

	/* control's */
	uint64_t shown_count;
	double rate;
};

int ml_edge_new(const struct ml_graph_edge *plan, struct ml_edge **ret_edge);
/* Frees it and lets go of what it holds as failed. The lanes of both ends are parked; `node` gives
 * the lane that counts and logs. */
void ml_edge_free(struct ml_edge *edge, struct ml_node *node);
/* Lets go of all messages as failed: `why` is logged with their number. */
void ml_edge_fail_all(struct ml_edge *edge, struct ml_node *node, const char *why);
/* A new ring with what the old one holds; `ring` was made with room for it (ml_edge_fit). */
void ml_edge_replace_ring(struct ml_edge *edge, struct ml_ring *ring);

/* Producer: by the edge's policy, where the ring is full; and the first message of a batch. */
bool ml_edge_make_room(struct ml_edge *edge, struct ml_node *from, struct ml_message *message);
void ml_edge_make_dirty(struct ml_edge *edge, struct ml_lane *lane);

/* Producer: puts one message, to be published with others at the end of the batch. */
static inline void ml_edge_put(struct ml_edge *edge, struct ml_node *from, struct ml_lane *lane,
	struct ml_message *message)
{
	struct ml_ring *ring = edge->ring;
	if (ring->filled - ring->seen_tail > ring->mask && !ml_edge_make_room(edge, from, message))
		return;
	ml_ring_put(ring, message);
	if (!edge->dirty)
		ml_edge_make_dirty(edge, lane);
}
size_t ml_edge_room(struct ml_edge *edge, size_t want);
/* Asks the consumer to tell when there is so much room (0: room for a mark). True: there is, after
 * all. */
bool ml_edge_wait(struct ml_edge *edge, size_t wanted);
bool ml_edge_has_wanted(struct ml_edge *edge);
void ml_edge_publish(struct ml_edge *edge);
/* There must be room for a mark. */
void ml_edge_mark(struct ml_edge *edge, const struct ml_round *round);
bool ml_edge_mark_room(struct ml_edge *edge);

/* Consumer: up to `max` messages, or none where a mark stands first (*ret_mark is set then, and
 * stays until ml_edge_pass_mark()). */
size_t ml_edge_take(struct ml_edge *edge, struct ml_message **messages, size_t max,
	const struct ml_mark **ret_mark);
void ml_edge_pass_mark(struct ml_edge *edge);
bool ml_edge_has_input(struct ml_edge *edge);

#endif
