/* A parsed graph: what the check hands to the apply.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Immutable once parsed. Thread-safe to read.
 */
#ifndef ML_GRAPH_GRAPH_H
#define ML_GRAPH_GRAPH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include <meterloom/engine.h>
#include <meterloom/family.h>
#include <meterloom/node.h>

enum ml_when_full { ML_FULL_WAIT, ML_FULL_DROP_NEWEST, ML_FULL_DROP_OLDEST };

enum {
	ML_EDGE_CAPACITY = 256,         /* messages, where the graph says none */
	ML_EDGE_CAPACITY_MAX = 1 << 20, /* rounded up to a power of two */
	ML_GRAPH_NODES_MAX = 2000,
	ML_GRAPH_EDGES_MAX = 8000,
	ML_GRAPH_LANES_MAX = 24, /* that a graph may name, with those its classes ask for */
	ML_GRAPH_ROUND_SOURCES_MAX = 256, /* nodes that begin rounds */
	ML_GRAPH_BYTES_MAX = 16 << 20,
	ML_NODE_ID_MAX = 32, /* bytes; letters, digits, '-' and '_' */
};

struct ml_graph_node {
	const char *id;
	const struct ml_node_class *class;
	json_t *params; /* an object, migrated to the class's version; owned */
	const char
		*lane; /* the one it lives on: the graph's choice, else the class's, else "main" */
	char pointer[32]; /* "/nodes/3" */
	/* private: params in the text of the graph, where it has numbers with decimals; else NULL
	 */
	const char *params_text;
	size_t params_length;
};

struct ml_graph_edge {
	size_t from, to;             /* places in `nodes` */
	unsigned from_port, to_port; /* places in the classes' port tables */
	size_t capacity;             /* a power of two */
	enum ml_when_full when_full;
	bool optional; /* set in the graph, or by following only optional edges */
	char *key;     /* "bus.out>decode.in": its identity */
	char pointer[32];
};

struct ml_graph {
	char *name;
	struct ml_graph_node *nodes;
	size_t node_count;
	struct ml_graph_edge *edges;
	size_t edge_count;
	char *text; /* as it was given; the text of decimals is looked up there */
	size_t length;
	json_t *root; /* private */
};

/* Parses and checks all that can be known without running it: JSON, keys, ids, types, parameters
 * (the class's own check and claims too), ports, edges, cycles, the `wait` rule between a store and
 * a network sink, one sink a query. Every error found is added, with pointer, line and column.
 * `families` is ended by NULL; `inherit` as in param.h, may be NULL. 0 and *ret_graph, or -EINVAL,
 * or -ENOMEM. */
int ml_graph_parse(const struct ml_family *const *families, const char *text, size_t length,
	ml_param_inherit_fn inherit, void *inherit_user, struct ml_graph **ret_graph,
	struct ml_errors *errors);

void ml_graph_free(struct ml_graph *graph); /* accepts NULL */

/* The parameters of a node into an instance of its class, as ml_params_parse() does. */
int ml_graph_node_params(const struct ml_graph *graph, size_t node, ml_param_inherit_fn inherit,
	void *inherit_user, void *self, struct ml_errors *errors);

/* NULL: there is none. */
const struct ml_node_class *ml_node_class_find(
	const struct ml_family *const *families, const char *type);

#endif
