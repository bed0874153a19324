/* A node as the engine sees it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_RUN_NODE_H
#define ML_RUN_NODE_H

#include <meterloom/node.h>

#include "run/edge.h"
#include "run/lane.h"

enum {
	ML_BATCH = 32,              /* messages handed to `process` at once */
	ML_PORTS_MAX = 16,          /* of a class */
	ML_METRICS_MAX = 16,        /* of a class */
	ML_NODE_ROUNDS_OPEN = 16,   /* rounds a node may have seen in part */
	ML_NODE_ROUNDS_WAITING = 8, /* begins and ends that wait for room on an output */
};

/* The edges of one port. */
struct ml_wires {
	struct ml_edge **edges;
	size_t count;
};

/* What a node is wired to: replaced as a whole by an apply. */
struct ml_wiring {
	struct ml_wires outputs[ML_PORTS_MAX];
	struct ml_edge **inputs;
	size_t input_count;
};

struct ml_round_seen {
	uint64_t id;
	enum ml_round_phase phase;
	uint32_t origin;
	unsigned times; /* on so many inputs */
	struct ml_round round;
};

struct ml_node {
	const struct ml_node_class *class;
	struct ml_engine *engine;
	struct ml_lane *lane;
	char *id;
	void *self;
	struct ml_wiring wiring;
	size_t demand[ML_PORTS_MAX];
	unsigned
		emits; /* the most that one message of an input may put on one output; 0: nothing */

	/* lane's */
	struct ml_node *ready_next;
	bool queued, running, blocked, optional;
	size_t next_input;
	struct ml_edge *current; /* that `process` is called for */
	struct ml_round_seen rounds[ML_NODE_ROUNDS_OPEN];
	size_t round_count;
	struct ml_round round_open; /* of a source; id 0: none */
	struct ml_round waiting[ML_NODE_ROUNDS_WAITING];
	size_t waiting_count;
	size_t acks;     /* not yet told; a stopped node is kept for them */
	uint32_t origin; /* bit number of a source of rounds */
	bool room_wanted;

	/* shown; text and state under the runtime's lock */
	enum ml_state state;
	char state_text[160];
	ml_time state_since; /* wall */
	atomic_ullong received, emitted, failed, dropped;
	_Atomic int64_t metrics[ML_METRICS_MAX];

	/* control's */
	size_t place;      /* while an apply is planned: in the new graph, or SIZE_MAX */
	json_t *inherited; /* settings that parameters took: name and value */
	bool draining;
	ml_time drain_until;
	bool idle_once;
	bool doomed; /* stopped; freed with its last ack */
};

int ml_node_new(struct ml_engine *engine, const struct ml_graph *graph,
	const struct ml_graph_node *plan, struct ml_node **ret_node, struct ml_errors *errors);
/* After `stop`: destroys the instance. The struct stays while acks are open. */
void ml_node_free(struct ml_node *node);
void ml_wiring_free(struct ml_wiring *wiring);
void ml_node_unwire_output(struct ml_node *node, const struct ml_edge *edge);

/* A removed node of this kind does not drain: what comes in only tells it to do something. */
static inline bool ml_node_stops_at_once(const struct ml_node *node)
{
	return node->class->flags & (ML_NODE_SOURCE | ML_NODE_QUERY) ||
	       node->wiring.input_count == 0;
}

/* On its lane, or while it is parked. */
void ml_node_start(struct ml_node *node);
void ml_node_stop(struct ml_node *node);
void ml_node_run(struct ml_node *node);
/* An ack of this node is told. Frees a stopped node with its last one. */
void ml_node_acked(struct ml_node *node, uint64_t cookie, bool delivered);

/* round.c */
/* A mark came on one input: true where it was dealt with, false where the outputs have no room for
 * it. */
bool ml_node_round(struct ml_node *node, const struct ml_edge *edge, const struct ml_round *round);
/* After the wiring changed: rounds that are complete now. */
void ml_node_rounds_again(struct ml_node *node);
void ml_node_rounds_flush(struct ml_node *node);
/* A source that stops ends its round. */
void ml_node_round_close(struct ml_node *node);

/* message.c */
/* Lets go of one reference; failed: the ack fails with it. */
void ml_message_let_go(struct ml_node *node, struct ml_message *message, bool failed);
void ml_ack_tell(struct ml_lane *lane);     /* those that came from other lanes */
void ml_ack_flush(struct ml_lane *lane);    /* hands those of other lanes over */
void ml_ack_drop_all(struct ml_lane *lane); /* when the lane ends */

#endif
