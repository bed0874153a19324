/* The check of a graph: what its steps share.
 * SPDX-License-Identifier: Apache-2.0
 *
 *   parse.c    the whole, and the places of errors
 *   members.c  keys, texts and names
 *   nodes.c    nodes
 *   edges.c    edges
 *   ports.c    which ports an edge joins
 *   params.c   the parameters of each node, the class's own check, claims
 *   rules.c    what holds for the graph as a whole: cycles, required inputs, waits, sinks
 */
#ifndef ML_GRAPH_CHECK_H
#define ML_GRAPH_CHECK_H

#include "graph/graph.h"
#include "graph/names.h"

struct graph_check {
	const struct ml_family *const *families;
	struct ml_graph *graph; /* edges: only those that could be made out */
	struct ml_errors *errors;
	ml_param_inherit_fn inherit;
	void *inherit_user;
	struct ml_names ids; /* of nodes: place in `nodes` */
	bool *doubtful;      /* for each node: its name or an edge of it could not be made out */
	bool no_memory;
};

enum { GRAPH_NAME_MAX = 200, GRAPH_REMARK_MAX = 4096 };

/* Adds an error for each key that is not in `known` (ended by NULL). */
void graph_check_keys(struct graph_check *check, const json_t *object, const char *pointer,
	const char *const *known);

/* Adds "found X, expected Y", or that it is missing (value NULL). */
void graph_wrong(struct graph_check *check, const char *pointer, const char *key,
	const json_t *value, const char *expected);

/* A text; NULL: it is missing, or an error was added. */
const char *graph_text(struct graph_check *check, const json_t *object, const char *pointer,
	const char *key, bool required, size_t max);

/* A name that may be part of others: of a node or a lane. */
bool graph_check_name(
	struct graph_check *check, const char *pointer, const char *key, const char *name);

void graph_unknown_node(struct graph_check *check, const char *pointer, const char *id);

void graph_parse_nodes(struct graph_check *check);
void graph_parse_edges(struct graph_check *check);
void graph_check_params(struct graph_check *check);
void graph_check_rules(struct graph_check *check);

/* What an edge names: a node, and a port or "" where it was left out. */
struct graph_end {
	size_t node;
	const char *port;
	const char *pointer; /* "/edges/3/from" */
};

/* The ports of an edge; false: an error was added. Both classes are known. */
bool graph_check_ports(struct graph_check *check, const struct graph_end *from,
	const struct graph_end *to, unsigned *from_port, unsigned *to_port);

/* The same without errors. */
bool graph_find_ports(const struct ml_node_class *from, const char *from_name,
	const struct ml_node_class *to, const char *to_name, unsigned *from_port,
	unsigned *to_port);

/* "bus.out>decode.in"; owned by the caller, NULL: out of memory. */
char *graph_edge_key(const char *from, const char *from_port, const char *to, const char *to_port);

#endif
