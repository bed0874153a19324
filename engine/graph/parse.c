/* A graph from JSON text: the whole of it, and the places of all errors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/check.h"
#include "graph/places.h"

static void parse_layout(struct graph_check *check)
{
	json_t *const layout = json_object_get(check->graph->root, "layout");
	if (layout && !json_is_object(layout))
		graph_wrong(check, "", "layout", layout, "an object: {\"NODE\": [X, Y], ...}");
	const char *key = NULL;
	json_t *place = NULL;
	json_object_foreach(layout, key, place)
	{
		char pointer[ML_ERROR_POINTER_MAX];
		ml_json_pointer(pointer, sizeof pointer, "/layout", key);
		if (ml_names_find(&check->ids, key, strlen(key)) == ML_NAMES_NONE)
			graph_unknown_node(check, pointer, key);
		else if (json_array_size(place) != 2 || !json_is_number(json_array_get(place, 0)) ||
			 !json_is_number(json_array_get(place, 1)))
			ml_errors_addf(check->errors, -EINVAL, pointer,
				"expected the place of the node in the picture: [X, Y]");
	}
}

static void parse_root(struct graph_check *check)
{
	static const char *const keys[] = {
		"meterloom", "name", "nodes", "edges", "layout", "remark", NULL};
	struct ml_graph *const graph = check->graph;
	if (!json_is_object(graph->root)) {
		ml_errors_addf(check->errors, -EINVAL, "",
			"found %s, expected a graph: {\"meterloom\": 1, \"nodes\": [...], "
			"\"edges\": [...]}",
			ml_json_found(graph->root));
		return;
	}
	graph_check_keys(check, graph->root, "", keys);
	const json_t *const version = json_object_get(graph->root, "meterloom");
	if (!json_is_integer(version))
		graph_wrong(check, "", "meterloom", version, "1, the version of the format");
	else if (json_integer_value(version) != 1)
		ml_errors_addf(check->errors, -EINVAL, "/meterloom",
			"meterloom: found version %lld of the format, this program knows 1",
			(long long)json_integer_value(version));
	const char *const name = graph_text(check, graph->root, "", "name", false, GRAPH_NAME_MAX);
	graph->name = strdup(name ? name : "");
	check->no_memory |= !graph->name;
	(void)graph_text(check, graph->root, "", "remark", false, GRAPH_REMARK_MAX);
	graph_parse_nodes(check);
	if (!check->no_memory)
		graph_parse_edges(check);
	if (!check->no_memory)
		parse_layout(check);
}

/* Our own reader names the place of a mistake better; the other one knows duplicate keys. */
static void syntax_error(
	const struct ml_graph *graph, const json_error_t *error, struct ml_errors *errors)
{
	struct ml_error err = ML_ERROR_NONE;
	struct ml_json_reader *const r = ml_json_reader_new(ML_GRAPH_BYTES_MAX);
	if (r) {
		ml_json_reader_feed(r, graph->text, graph->length);
		ml_json_reader_finish(r);
		enum ml_json_event event = ml_json_reader_next(r);
		while (event > 0 && event != ML_JSON_END)
			event = ml_json_reader_next(r);
		if (event == ML_JSON_ERROR)
			err = *ml_json_reader_error(r);
		ml_json_reader_free(r);
	}
	if (err.code != 0 && err.at >= 0 && (size_t)err.at <= graph->length) {
		err.line = 1;
		const char *begin = graph->text;
		for (const char *feed; (feed = memchr(begin, '\n',
						(size_t)err.at - (size_t)(begin - graph->text)));
			begin = feed + 1)
			err.line++;
		err.column = (int)(graph->text + err.at - begin) + 1;
	} else {
		err = ML_ERROR_NONE;
		ml_error_set(&err, -EINVAL, "%s", error->text);
		err.line = error->line > 0 ? error->line : 0;
		err.column = error->column > 0 ? error->column : 0;
	}
	ml_error_prefix(&err, "not JSON");
	ml_errors_add(errors, &err);
}

static bool has_reals(const json_t *params)
{
	const char *key = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)params, key, value)
	{
		if (json_is_real(value))
			return true;
	}
	return false;
}

/* Finds the text of the parameters with decimals, for which the text is walked through once. */
static void find_params(struct graph_check *check)
{
	struct ml_graph *const graph = check->graph;
	struct ml_places places = {0};
	for (size_t i = 0; i < graph->node_count && !check->no_memory; i++) {
		struct ml_graph_node *const node = &graph->nodes[i];
		if (!has_reals(node->params))
			continue;
		if (!places.text)
			check->no_memory = ml_places_scan(&places, graph->text, graph->length) != 0;
		char pointer[sizeof node->pointer + sizeof "/params"];
		(void)snprintf(pointer, sizeof pointer, "%s/params", node->pointer);
		if (!ml_places_find(&places, pointer, &node->params_text, &node->params_length))
			node->params_text = NULL;
	}
	ml_places_free(&places);
}

/* By line and column, so that a person can work through the file; equal ones stay in their order.
 */
static void sort_errors(struct ml_errors *errors, size_t first)
{
	for (size_t i = first + 1; i < errors->count; i++) {
		const struct ml_error err = errors->items[i];
		size_t j = i;
		for (; j > first && (errors->items[j - 1].line > err.line ||
					    (errors->items[j - 1].line == err.line &&
						    errors->items[j - 1].column > err.column));
			j--)
			errors->items[j] = errors->items[j - 1];
		errors->items[j] = err;
	}
}

static void locate_errors(const struct ml_graph *graph, struct ml_errors *errors, size_t first)
{
	struct ml_places places;
	if (ml_places_scan(&places, graph->text, graph->length) == 0) {
		for (size_t i = first; i < errors->count; i++)
			ml_places_locate(&places, &errors->items[i]);
		ml_places_free(&places);
	}
	sort_errors(errors, first);
}

static int parse(struct graph_check *check)
{
	struct ml_graph *const graph = check->graph;
	const size_t first = check->errors->count, more = check->errors->more;
	json_error_t error;
	graph->root = json_loadb(
		graph->text, graph->length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!graph->root) {
		if (json_error_code(&error) == json_error_out_of_memory)
			return -ENOMEM;
		syntax_error(graph, &error, check->errors);
		return -EINVAL;
	}
	parse_root(check);
	if (!check->no_memory)
		find_params(check);
	if (!check->no_memory)
		graph_check_params(check);
	if (!check->no_memory)
		graph_check_rules(check);
	if (check->no_memory)
		return -ENOMEM;
	if (check->errors->count == first && check->errors->more == more)
		return 0;
	locate_errors(graph, check->errors, first);
	return -EINVAL;
}

int ml_graph_parse(const struct ml_family *const *families, const char *text, size_t length,
	ml_param_inherit_fn inherit, void *inherit_user, struct ml_graph **ret_graph,
	struct ml_errors *errors)
{
	*ret_graph = NULL;
	if (length > ML_GRAPH_BYTES_MAX) {
		ml_errors_addf(errors, -EINVAL, "", "the graph has %zu bytes, expected at most %d",
			length, ML_GRAPH_BYTES_MAX);
		return -EINVAL;
	}
	struct ml_graph *const graph = calloc(1, sizeof *graph);
	struct graph_check check = {
		.families = families,
		.graph = graph,
		.errors = errors,
		.inherit = inherit,
		.inherit_user = inherit_user,
	};
	int result = -ENOMEM;
	if (graph)
		graph->text = malloc(length + 1);
	if (graph && graph->text) {
		memcpy(graph->text, text, length);
		graph->text[length] = '\0';
		graph->length = length;
		result = parse(&check);
	}
	ml_names_free(&check.ids);
	free(check.doubtful);
	if (result == 0) {
		*ret_graph = graph;
		return 0;
	}
	if (result == -ENOMEM)
		ml_errors_addf(errors, -ENOMEM, "", "out of memory");
	ml_graph_free(graph);
	return result;
}

void ml_graph_free(struct ml_graph *graph)
{
	if (!graph)
		return;
	for (size_t i = 0; i < graph->node_count; i++)
		json_decref(graph->nodes[i].params);
	for (size_t i = 0; i < graph->edge_count; i++)
		free(graph->edges[i].key);
	free(graph->nodes);
	free(graph->edges);
	free(graph->name);
	free(graph->text);
	json_decref(graph->root);
	free(graph);
}
