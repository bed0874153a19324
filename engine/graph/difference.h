/* What lies between two graphs: for people, revisions and conflicts.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Works on the texts, so that a graph that no longer checks can be compared too.
 */
#ifndef ML_GRAPH_DIFFERENCE_H
#define ML_GRAPH_DIFFERENCE_H

#include <stdbool.h>
#include <stddef.h>

#include <meterloom/error.h>
#include <meterloom/family.h>
#include <meterloom/json.h>

enum { /* bits */
	ML_CHANGE_ADDED = 1 << 0,
	ML_CHANGE_REMOVED = 1 << 1,
	ML_CHANGE_CHANGED = 1 << 2, /* what the node or edge is: `values` tells */
	ML_CHANGE_REWIRED = 1 << 3, /* nodes: an edge of it came or went */
	ML_CHANGE_MOVED = 1 << 4,   /* nodes: its place in the picture; changes nothing that runs */
	ML_CHANGE_REMARKED = 1 << 5, /* nodes: its remark; the same */
};

struct ml_difference_value {
	char *pointer;   /* within the node, edge or graph: "/params/baud"; owned */
	char *from, *to; /* JSON texts; NULL: not there, or too long to show; owned */
};

struct ml_difference_item {
	char *name;       /* a node's id, or an edge's two ports: "bus.out>decode.in"; owned */
	unsigned changes; /* bits */
	struct ml_difference_value *values; /* owned */
	size_t value_count;
};

struct ml_difference_items {
	struct ml_difference_item *items; /* owned */
	size_t count, capacity;
};

struct ml_difference {
	bool runs; /* something that runs changes: not only places and remarks */
	struct ml_difference_items nodes, edges;
	struct ml_difference_item graph; /* /name and /remark; no name of its own */
};

enum { ML_DIFFERENCE_VALUE_MAX = 4096 }; /* bytes of a value's text that is shown */

/* `families` say which port is meant where an edge names none; what they do not know is compared as
 * it is written. -EINVAL: a text is not the JSON of a graph; -ENOMEM. */
int ml_difference_make(const struct ml_family *const *families, const char *from,
	size_t from_length, const char *to, size_t to_length, struct ml_difference *difference,
	struct ml_error *err);
void ml_difference_free(struct ml_difference *difference);
void ml_difference_free_values(struct ml_difference_item *item);

/* {"runs": true,
 *  "nodes": {"added": [ID], "removed": [ID], "changed": [{"id": ID, "values": [
 *      {"pointer": "/params/baud", "from": 2400, "to": 300}]}], "rewired": [ID], "moved": [ID],
 *      "remarked": [ID]},
 *  "edges": {"added": [EDGE], "removed": [EDGE], "changed": [{"edge": EDGE, "values": [...]}]},
 *  "graph": [{"pointer": "/name", "from": ..., "to": ...}]} */
void ml_difference_to_json(const struct ml_difference *difference, struct ml_json_writer *w);

/* Makes and writes it; after an error nothing is written. */
int ml_difference_write(const struct ml_family *const *families, const char *from,
	size_t from_length, const char *to, size_t to_length, struct ml_json_writer *w,
	struct ml_error *err);

#endif
