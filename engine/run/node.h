/* A node as the engine sees it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_RUN_NODE_H
#define ML_RUN_NODE_H

#include <meterloom/node.h>

#include "run/edge.h"
#include "run/lane.h"
#include "run/round.h"

enum {
	ML_BATCH = 32,       /* messages handed to `process` at once */
	ML_PORTS_MAX = 16,   /* of a class */
	ML_METRICS_MAX = 16, /* of a class */
};

/* Classes that attach acks of their own: what triggers them does not decide whether what they give
 * must arrive. */
#define ML_NODE_OWN_ACKS (ML_NODE_SOURCE | ML_NODE_QUERY)

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

struct ml_node {
	const struct ml_node_class *class;
	struct ml_engine *engine;
	struct ml_lane *lane;
	char *id;
	void *self;
	struct ml_wiring wiring;
	size_t demand[ML_PORTS_MAX];      /* how many more messages `process` may get */
	size_t demand_most[ML_PORTS_MAX]; /* the most that was asked for at once; 0: not limited */
	unsigned
		emits; /* the most that one message of an input may put on one output; 0: nothing */

	/* lane's */
	struct ml_node *ready_next;
	bool queued, running, optional;
	bool blocked;         /* an input, or a begin or end of a round, waits for room behind */
	uint32_t room_wanted; /* a bit for each output that the node found without room */
	size_t next_input;
	struct ml_rounds rounds;
	size_t acks;     /* not yet told; a stopped node is kept for them */
	uint32_t origin; /* bit number of a source of rounds */

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
	bool prepared; /* `prepare` was called */
	bool doomed;   /* stopped; freed with its last ack */
	bool finishes; /* at the engine's end: deals with what came from a source before it stops */
};

int ml_node_new(struct ml_engine *engine, const struct ml_graph *graph,
	const struct ml_graph_node *plan, struct ml_node **ret_node, struct ml_errors *errors);
/* After `stop`: destroys the instance. The struct stays while acks are open. */
void ml_node_free(struct ml_node *node);
void ml_wiring_free(struct ml_wiring *wiring);
/* There are inputs, all of them are optional, also those that still drain, and it makes nothing of
 * its own. */
bool ml_node_is_optional(const struct ml_node *node);
void ml_node_unwire_output(struct ml_node *node, const struct ml_edge *edge);

/* A removed node of this kind does not drain: what comes in only tells it to do something. */
static inline bool ml_node_stops_at_once(const struct ml_node *node)
{
	return node->class->flags & ML_NODE_OWN_ACKS || node->wiring.input_count == 0;
}

/* On its lane, or while it is parked. */
void ml_node_start(struct ml_node *node);
void ml_node_stop(struct ml_node *node);
void ml_node_run(struct ml_node *node);
/* An ack of this node is told. Frees a stopped node with its last one. */
void ml_node_acked(struct ml_node *node, uint64_t cookie, bool delivered);

/* message.c */
/* Lets go of one reference; failed: the ack fails with it. */
void ml_message_let_go(struct ml_node *node, struct ml_message *message, bool failed);
void ml_ack_tell(struct ml_lane *lane);     /* those that came from other lanes */
void ml_ack_flush(struct ml_lane *lane);    /* hands those of other lanes over */
void ml_ack_drop_all(struct ml_lane *lane); /* when the lane ends */

#endif
