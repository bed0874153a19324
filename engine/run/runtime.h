/* What runs: the nodes and edges of the applied graph, and those that drain.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Owned by the control thread; lanes see only their own nodes and edges, and those change only
 * while the lanes concerned are parked.
 */
#ifndef ML_RUN_RUNTIME_H
#define ML_RUN_RUNTIME_H

#include <pthread.h>

#include "run/engine.h"
#include "run/node.h"

struct ml_runtime {
	struct ml_graph *graph; /* that runs; NULL: none was applied */
	struct ml_node **nodes; /* in the order of the graph */
	size_t node_count;
	struct ml_edge **edges; /* in the order of the graph */
	size_t edge_count;

	/* Removed, and not yet at their end. */
	struct ml_node **draining;
	size_t draining_count;
	struct ml_edge **ending; /* edges of which an end is draining or gone */
	size_t ending_count;
	struct ml_timer drain_timer;

	_Atomic uint32_t applies;   /* graphs applied; read by sources that begin rounds */
	pthread_mutex_t state_lock; /* nodes' state and text */
	pthread_mutex_t resource_lock;
	struct ml_resource *resources;
	ml_time rates_at; /* monotonic; when the edges' rates were last reckoned */
};

int ml_runtime_new(struct ml_engine *engine, struct ml_runtime **ret_runtime);
/* Stops and frees all nodes and edges; the lanes still run. */
void ml_runtime_stop(struct ml_engine *engine);
void ml_runtime_free(struct ml_runtime *runtime); /* accepts NULL */

struct ml_node *ml_runtime_find(struct ml_engine *engine, const char *id); /* control */

/* apply.c: the checked graph takes the place of the one that runs. Takes it over. */
int ml_runtime_apply(struct ml_engine *engine, struct ml_graph *graph, struct ml_errors *errors);

/* drain.c */
void ml_drain_begin(struct ml_engine *engine);
void ml_drain_all(struct ml_engine *engine); /* at once, by giving up what is left */
void ml_drain_look(struct ml_timer *timer);

/* resource.c */
void ml_resources_let_go(struct ml_node *node);
void ml_resources_dispose(struct ml_engine *engine);

#endif
