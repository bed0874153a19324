/* The plan of an apply: what stays, what restarts, what comes and goes.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Everything that can fail happens while the plan is made: instances are prepared, rings and
 * wirings allocated, lanes started. The commit only exchanges pointers.
 */
#ifndef ML_RUN_PLAN_H
#define ML_RUN_PLAN_H

#include "run/runtime.h"

enum ml_plan_action { ML_PLAN_KEEP, ML_PLAN_CHANGE, ML_PLAN_ADD };

struct ml_plan_node {
	enum ml_plan_action action;
	struct ml_node *old;  /* KEEP, CHANGE */
	struct ml_node *node; /* that runs afterwards; KEEP: the same */
	bool rewired;         /* `wiring` takes the place of the node's own */
	bool optional;
	uint32_t origin;
	struct ml_wiring wiring;
};

struct ml_plan_edge {
	struct ml_edge *edge; /* that runs afterwards */
	bool added;
	struct ml_ring *ring; /* not NULL: a new capacity */
	bool touched;         /* anything of it changes: both its lanes stand still */
	uint64_t origins[ML_ORIGINS_MAX / 64];
};

struct ml_plan {
	struct ml_engine *engine;
	struct ml_runtime *runtime;
	struct ml_graph *graph;
	struct ml_plan_node *nodes; /* as graph->nodes */
	struct ml_plan_edge *edges; /* as graph->edges */
	/* By place in the runtime's arrays: stays (in whatever form) or goes. */
	bool *node_stays, *edge_stays;
	struct ml_node **next_nodes;
	struct ml_edge **next_edges;
	struct ml_node **next_draining;
	struct ml_edge **next_ending;
	size_t next_ending_count;
	struct ml_edge *
		*lane_edges[ML_LANES_MAX][2]; /* inlets and outlets, with room for all edges */
	bool affected[ML_LANES_MAX];
	bool committed;
};

int ml_plan_make(struct ml_engine *engine, struct ml_graph *graph, struct ml_plan *plan,
	struct ml_errors *errors);
/* Frees what was made and not taken over by a commit. */
void ml_plan_free(struct ml_plan *plan);
void ml_plan_commit(struct ml_plan *plan);

/* commit.c: which edges each of these lanes shares with others; `arrays` as in the plan. */
void ml_lanes_rewire(
	struct ml_engine *engine, const bool *affected, struct ml_edge **arrays[ML_LANES_MAX][2]);

#endif
