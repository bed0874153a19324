/* What a node knows of the rounds that pass through it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A round's begin and end travel along each edge in order with the messages. A node tells a begin
 * once it came on all inputs that lead back to the round's source, and an end once it came on all
 * inputs on which the begin had come. So each begin is followed by one end, also where edges come
 * and go while the round is under way.
 *
 * Which inputs lead back to a source is worked out when a graph is applied (the edge's `origins`).
 * A round belongs to the graph under which it began: an edge keeps what it carried before its last
 * change too, and a round older than that is judged by it.
 */
#ifndef ML_RUN_ROUND_H
#define ML_RUN_ROUND_H

#include <meterloom/message.h>

struct ml_edge;
struct ml_node;

/* A round's begin, and then perhaps its end, on one input. */
struct ml_round_arrival {
	const struct ml_edge *edge;
	uint64_t id;
	bool ended;
};

struct ml_round_open {
	struct ml_round begin, end; /* end.id 0: it has not come on any input */
	bool begun;                 /* its begin was told */
};

struct ml_rounds {
	struct ml_round_open *open; /* in the order in which they first came */
	size_t open_count, open_capacity;
	struct ml_round_arrival *arrivals;
	size_t arrival_count, arrival_capacity;
	/* Begins and ends that wait for room on an output. */
	struct ml_round *waiting;
	size_t waiting_count, waiting_capacity;
	uint64_t own; /* a source's own round that is under way; 0: none */
	struct ml_round own_begin;
};

enum {
	/* Bounds what a node remembers where rounds never become whole. */
	ML_ROUNDS_OPEN_MAX = 1024,
	/* A source that begins rounds without asking for room: later ones are left out. */
	ML_ROUNDS_WAITING_MAX = 64,
};

void ml_rounds_free(struct ml_rounds *rounds);

/* A mark came on one input: true where it was dealt with, false where the outputs have no room for
 * it. */
bool ml_node_round(struct ml_node *node, const struct ml_edge *edge, const struct ml_round *round);
/* After the wiring changed: rounds that are complete now. */
void ml_node_rounds_again(struct ml_node *node);
/* Passes on what waits, as far as there is room. */
void ml_node_rounds_flush(struct ml_node *node);
/* A source that stops ends its round. */
void ml_node_round_close(struct ml_node *node);

#endif
