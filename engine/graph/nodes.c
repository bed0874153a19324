/* The nodes of a graph, but for their parameters' values.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/nearest.h>

#include "core/param_value.h"
#include "graph/check.h"

const struct ml_node_class *ml_node_class_find(
	const struct ml_family *const *families, const char *type)
{
	for (const struct ml_family *const *f = families; *f; f++) {
		const struct ml_node_class *const *c = (*f)->node_classes;
		for (; c && *c; c++) {
			if (strcmp((*c)->type, type) == 0)
				return *c;
		}
	}
	return NULL;
}

static void unknown_type(struct graph_check *check, const char *pointer, const char *type)
{
	char place[ML_ERROR_POINTER_MAX], word[PARAM_SHOWN_MAX];
	ml_json_pointer(place, sizeof place, pointer, "type");
	struct ml_nearest near;
	ml_nearest_begin(&near, type);
	for (const struct ml_family *const *f = check->families; *f; f++) {
		const struct ml_node_class *const *c = (*f)->node_classes;
		for (; c && *c; c++)
			ml_nearest_try(&near, (*c)->type);
	}
	if (ml_nearest_name(&near))
		ml_errors_addf(check->errors, -EINVAL, place,
			"there is no node type '%s'; did you mean '%s'?", param_shown(type, word),
			ml_nearest_name(&near));
	else
		ml_errors_addf(check->errors, -EINVAL, place,
			"there is no node type '%s'; `meterloom nodes` lists those that there are",
			param_shown(type, word));
}

/* The parameters as the class's version wants them; a new reference. */
static json_t *migrated(struct graph_check *check, const struct ml_graph_node *node,
	const json_t *object, json_t *params)
{
	const json_t *const version = json_object_get(object, "version");
	const unsigned newest = node->class->version;
	json_int_t given = 1;
	if (version) {
		given = json_integer_value(version);
		if (!json_is_integer(version) || given < 1 || given > newest) {
			char place[ML_ERROR_POINTER_MAX];
			ml_json_pointer(place, sizeof place, node->pointer, "version");
			ml_errors_addf(check->errors, -EINVAL, place,
				"version: expected 1 to %u, the newest version of '%s' that this "
				"program knows",
				newest, node->class->type);
			return json_incref(params);
		}
	}
	if (given == newest || !node->class->migrate)
		return json_incref(params);
	json_t *const copy = json_deep_copy(params);
	struct ml_error err = ML_ERROR_NONE;
	if (copy && node->class->migrate((unsigned)given, copy, &err) != 0) {
		ml_error_set(
			&err, -EINVAL, "version %d of the parameters cannot be used", (int)given);
		(void)snprintf(err.pointer, sizeof err.pointer, "%s/params", node->pointer);
		ml_errors_add(check->errors, &err);
	}
	check->no_memory |= !copy;
	return copy;
}

static void parse_params(
	struct graph_check *check, struct ml_graph_node *node, const json_t *object)
{
	json_t *params = json_object_get(object, "params");
	if (params && !json_is_object(params)) {
		graph_wrong(check, node->pointer, "params", params,
			"an object: {\"NAME\": VALUE, ...}");
		params = NULL;
	}
	json_t *const given = params ? json_incref(params) : json_object();
	if (given && node->class)
		node->params = migrated(check, node, object, given);
	else
		node->params = json_incref(given);
	json_decref(given);
	check->no_memory |= !node->params;
}

static void parse_id(struct graph_check *check, size_t index, const json_t *object)
{
	struct ml_graph_node *const node = &check->graph->nodes[index];
	const char *const id = graph_text(check, object, node->pointer, "id", true, GRAPH_NAME_MAX);
	node->id = id ? id : "";
	check->doubtful[index] = true; /* until it has a name that edges can find */
	if (!id || !graph_check_name(check, node->pointer, "id", id))
		return;
	const size_t first = ml_names_add(&check->ids, id, index, &check->no_memory);
	check->doubtful[index] = first != ML_NAMES_NONE;
	if (first != ML_NAMES_NONE) {
		char place[ML_ERROR_POINTER_MAX];
		ml_json_pointer(place, sizeof place, node->pointer, "id");
		ml_errors_addf(check->errors, -EINVAL, place,
			"the id '%s' is taken already by %s: each node has its own", id,
			check->graph->nodes[first].pointer);
	}
}

static void parse_node(struct graph_check *check, size_t index, const json_t *object)
{
	static const char *const keys[] = {
		"id", "type", "params", "lane", "version", "remark", NULL};
	struct ml_graph_node *const node = &check->graph->nodes[index];
	(void)snprintf(node->pointer, sizeof node->pointer, "/nodes/%zu", index);
	node->id = "";
	node->lane = "main";
	if (!json_is_object(object)) {
		ml_errors_addf(check->errors, -EINVAL, node->pointer,
			"found %s, expected a node: {\"id\": NAME, \"type\": TYPE, \"params\": "
			"{...}}",
			ml_json_found(object));
		node->params = json_object();
		check->no_memory |= !node->params;
		return;
	}
	graph_check_keys(check, object, node->pointer, keys);
	parse_id(check, index, object);
	const char *const type =
		graph_text(check, object, node->pointer, "type", true, GRAPH_NAME_MAX);
	if (type) {
		node->class = ml_node_class_find(check->families, type);
		if (!node->class)
			unknown_type(check, node->pointer, type);
		else if (node->class->lane)
			node->lane = node->class->lane;
	}
	const char *const lane =
		graph_text(check, object, node->pointer, "lane", false, GRAPH_NAME_MAX);
	if (lane && strcmp(lane, "control") == 0) {
		char place[ML_ERROR_POINTER_MAX];
		ml_json_pointer(place, sizeof place, node->pointer, "lane");
		ml_errors_addf(check->errors, -EINVAL, place,
			"lane: 'control' is the engine's own, expected another name");
	} else if (lane && graph_check_name(check, node->pointer, "lane", lane)) {
		node->lane = lane;
	}
	(void)graph_text(check, object, node->pointer, "remark", false, GRAPH_REMARK_MAX);
	parse_params(check, node, object);
}

void graph_parse_nodes(struct graph_check *check)
{
	struct ml_graph *const graph = check->graph;
	const json_t *const list = json_object_get(graph->root, "nodes");
	const size_t count = json_array_size(list);
	if (list && !json_is_array(list))
		graph_wrong(check, "", "nodes", list, "a list of nodes");
	if (count > ML_GRAPH_NODES_MAX) {
		ml_errors_addf(check->errors, -EINVAL, "/nodes",
			"found %zu nodes, expected at most %d", count, ML_GRAPH_NODES_MAX);
		return;
	}
	graph->nodes = calloc(count + 1, sizeof *graph->nodes);
	check->doubtful = calloc(count + 1, sizeof *check->doubtful);
	if (!graph->nodes || !check->doubtful || !ml_names_init(&check->ids, count)) {
		check->no_memory = true;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		graph->node_count++;
		parse_node(check, i, json_array_get(list, i));
	}
}
