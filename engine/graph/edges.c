/* The edges of a graph.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/nearest.h>

#include "core/param_value.h"
#include "graph/check.h"

enum { GUESSES_MAX = 20 }; /* errors with a guess from all ids: a guess looks at each of them */

void graph_unknown_node(struct graph_check *check, const char *pointer, const char *id)
{
	char word[PARAM_SHOWN_MAX];
	(void)param_shown(id, word);
	struct ml_nearest near;
	ml_nearest_begin(&near, id);
	for (size_t i = 0; check->errors->count < GUESSES_MAX && i < check->graph->node_count; i++)
		ml_nearest_try(&near, check->graph->nodes[i].id);
	if (ml_nearest_name(&near))
		ml_errors_addf(check->errors, -EINVAL, pointer,
			"there is no node '%s'; did you mean '%s'?", word, ml_nearest_name(&near));
	else
		ml_errors_addf(check->errors, -EINVAL, pointer, "there is no node '%s'", word);
}

/* "node" or "node.port". */
static bool parse_end(struct graph_check *check, const json_t *object, const char *edge,
	const char *key, char pointer[ML_ERROR_POINTER_MAX], struct graph_end *end)
{
	ml_json_pointer(pointer, ML_ERROR_POINTER_MAX, edge, key);
	end->pointer = pointer;
	const char *const text = graph_text(check, object, edge, key, true, GRAPH_NAME_MAX);
	if (!text)
		return false;
	const size_t length = strcspn(text, ".");
	end->port = text[length] == '.' ? text + length + 1 : "";
	end->node = ml_names_find(&check->ids, text, length);
	if (end->node == ML_NAMES_NONE) {
		char id[GRAPH_NAME_MAX + 1];
		memcpy(id, text, length);
		id[length] = '\0';
		graph_unknown_node(check, pointer, id);
		return false;
	}
	return true;
}

static void parse_capacity(
	struct graph_check *check, const json_t *object, struct ml_graph_edge *edge)
{
	const json_t *const value = json_object_get(object, "capacity");
	edge->capacity = ML_EDGE_CAPACITY;
	if (!value)
		return;
	const json_int_t capacity = json_integer_value(value);
	if (!json_is_integer(value) || capacity < 1 || capacity > ML_EDGE_CAPACITY_MAX) {
		char place[ML_ERROR_POINTER_MAX];
		ml_json_pointer(place, sizeof place, edge->pointer, "capacity");
		ml_errors_addf(check->errors, -EINVAL, place,
			"capacity: expected a number of messages, 1 to %d", ML_EDGE_CAPACITY_MAX);
		return;
	}
	for (edge->capacity = 1; edge->capacity < (size_t)capacity;)
		edge->capacity *= 2;
}

/* An edge that waits must have room for all that one message may give, or its producer would wait
 * for ever. Sources and queries ask how much room there is. */
static void check_capacity(struct graph_check *check, const struct ml_graph_edge *edge)
{
	const struct ml_graph_node *const from = &check->graph->nodes[edge->from];
	const size_t most = from->class->ports[edge->from_port].most;
	if (edge->when_full != ML_FULL_WAIT || most <= edge->capacity ||
		from->class->flags & (ML_NODE_SOURCE | ML_NODE_QUERY))
		return;
	char place[ML_ERROR_POINTER_MAX];
	ml_json_pointer(place, sizeof place, edge->pointer, "capacity");
	ml_errors_addf(check->errors, -EINVAL, place,
		"capacity: found %zu, but '%s' may give %zu messages for one: expected %zu or more",
		edge->capacity, from->id, most, most);
}

static void parse_when_full(
	struct graph_check *check, const json_t *object, struct ml_graph_edge *edge)
{
	static const struct ml_choice choices[] = {
		{"wait", ML_FULL_WAIT, NULL},
		{"drop-newest", ML_FULL_DROP_NEWEST, NULL},
		{"drop-oldest", ML_FULL_DROP_OLDEST, NULL},
		{0},
	};
	static const struct ml_param table[] = {
		{.name = "when_full", .kind = ML_PARAM_CHOICE, .choices = choices}, {0}};
	const json_t *const value = json_object_get(object, "when_full");
	if (!value)
		return;
	char place[ML_ERROR_POINTER_MAX];
	ml_json_pointer(place, sizeof place, edge->pointer, "when_full");
	const struct ml_params_source source = {.pointer = place};
	if (ml_param_check(table, value, &source, check->errors) != 0)
		return;
	for (const struct ml_choice *c = choices; c->name; c++) {
		if (strcmp(c->name, json_string_value(value)) == 0)
			edge->when_full = (enum ml_when_full)c->value;
	}
}

/* Fills in the edge; false: which ports it joins could not be made out. */
static bool parse_edge(struct graph_check *check, const json_t *object, struct ml_graph_edge *edge)
{
	static const char *const keys[] = {"from", "to", "capacity", "when_full", "optional", NULL};
	if (!json_is_object(object)) {
		ml_errors_addf(check->errors, -EINVAL, edge->pointer,
			"found %s, expected an edge: {\"from\": NODE, \"to\": NODE}",
			ml_json_found(object));
		return false;
	}
	graph_check_keys(check, object, edge->pointer, keys);
	parse_capacity(check, object, edge);
	parse_when_full(check, object, edge);
	const json_t *const optional = json_object_get(object, "optional");
	if (optional && !json_is_boolean(optional))
		graph_wrong(check, edge->pointer, "optional", optional, "true or false");
	edge->optional = json_is_true(optional);

	char from_pointer[ML_ERROR_POINTER_MAX], to_pointer[ML_ERROR_POINTER_MAX];
	struct graph_end from = {.node = ML_NAMES_NONE}, to = {.node = ML_NAMES_NONE};
	const struct ml_graph_node *const nodes = check->graph->nodes;
	const bool from_known =
		parse_end(check, object, edge->pointer, "from", from_pointer, &from);
	const bool to_known = parse_end(check, object, edge->pointer, "to", to_pointer, &to);
	const bool known = from_known && to_known && nodes[from.node].class &&
			   nodes[to.node].class &&
			   graph_check_ports(check, &from, &to, &edge->from_port, &edge->to_port);
	if (!known) {
		if (from_known)
			check->doubtful[from.node] = true;
		if (to_known)
			check->doubtful[to.node] = true;
		return false;
	}
	edge->from = from.node;
	edge->to = to.node;
	check_capacity(check, edge);
	edge->key = graph_edge_key(nodes[from.node].id,
		nodes[from.node].class->ports[edge->from_port].name, nodes[to.node].id,
		nodes[to.node].class->ports[edge->to_port].name);
	check->no_memory |= !edge->key;
	return edge->key != NULL;
}

void graph_parse_edges(struct graph_check *check)
{
	struct ml_graph *const graph = check->graph;
	const json_t *const list = json_object_get(graph->root, "edges");
	const size_t count = json_array_size(list);
	struct ml_names keys = {0};
	if (list && !json_is_array(list))
		graph_wrong(check, "", "edges", list, "a list of edges");
	if (count > ML_GRAPH_EDGES_MAX) {
		ml_errors_addf(check->errors, -EINVAL, "/edges",
			"found %zu edges, expected at most %d", count, ML_GRAPH_EDGES_MAX);
		return;
	}
	graph->edges = calloc(count + 1, sizeof *graph->edges);
	if (!graph->edges || !graph->nodes || !ml_names_init(&keys, count)) {
		check->no_memory |= !graph->edges || graph->nodes;
		return;
	}
	for (size_t i = 0; i < count && !check->no_memory; i++) {
		struct ml_graph_edge *const edge = &graph->edges[graph->edge_count];
		*edge = (struct ml_graph_edge){0};
		(void)snprintf(edge->pointer, sizeof edge->pointer, "/edges/%zu", i);
		if (!parse_edge(check, json_array_get(list, i), edge))
			continue;
		const size_t first =
			ml_names_add(&keys, edge->key, graph->edge_count, &check->no_memory);
		if (first != ML_NAMES_NONE)
			ml_errors_addf(check->errors, -EINVAL, edge->pointer,
				"these two ports are joined already by %s",
				graph->edges[first].pointer);
		graph->edge_count++;
	}
	ml_names_free(&keys);
}
