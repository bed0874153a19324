/* `meterloom schema`: the JSON Schema of a graph, with all types of nodes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/tool_schema.h"

#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "graph/graph.h"

static const char usage[] =
	"Usage: meterloom schema\n"
	"\n"
	"Prints the JSON Schema (2020-12) of a graph, with the parameters of all types of nodes:\n"
	"for editors that complete and check while one types.\n";

static const struct ml_param no_params[] = {{0}};

static void member(struct ml_json_writer *w, const char *key, const char *text)
{
	ml_json_key(w, key);
	ml_json_string(w, text);
}

static void write_required(struct ml_json_writer *w, const char *a, const char *b)
{
	ml_json_key(w, "required");
	ml_json_begin_array(w);
	ml_json_string(w, a);
	if (b)
		ml_json_string(w, b);
	ml_json_end_array(w);
	ml_json_key(w, "additionalProperties");
	ml_json_bool(w, false);
}

static void write_typed(struct ml_json_writer *w, const char *key, const char *type)
{
	ml_json_key(w, key);
	ml_json_begin_object(w);
	member(w, "type", type);
	ml_json_end_object(w);
}

static void write_name(struct ml_json_writer *w, const char *key)
{
	ml_json_key(w, key);
	ml_json_begin_object(w);
	member(w, "type", "string");
	ml_json_key(w, "pattern");
	ml_json_stringf(w, "^[A-Za-z0-9_][A-Za-z0-9_-]{0,%d}$", ML_NODE_ID_MAX - 1);
	ml_json_end_object(w);
}

static void write_class(struct ml_json_writer *w, const struct ml_node_class *class)
{
	ml_json_begin_object(w);
	member(w, "title", class->title);
	if (class->help)
		member(w, "description", class->help);
	member(w, "type", "object");
	ml_json_key(w, "properties");
	ml_json_begin_object(w);
	write_name(w, "id");
	ml_json_key(w, "type");
	ml_json_begin_object(w);
	member(w, "const", class->type);
	ml_json_end_object(w);
	ml_json_key(w, "params");
	ml_params_schema(class->params ? class->params : no_params, w);
	write_name(w, "lane");
	ml_json_key(w, "version");
	ml_json_begin_object(w);
	member(w, "type", "integer");
	ml_json_key(w, "minimum");
	ml_json_integer(w, 1);
	ml_json_key(w, "maximum");
	ml_json_unsigned(w, class->version);
	ml_json_end_object(w);
	write_typed(w, "remark", "string");
	ml_json_end_object(w);
	write_required(w, "id", "type");
	ml_json_end_object(w);
}

static void write_nodes(struct ml_json_writer *w, const struct ml_family *const *families)
{
	ml_json_key(w, "nodes");
	ml_json_begin_object(w);
	member(w, "type", "array");
	ml_json_key(w, "maxItems");
	ml_json_integer(w, ML_GRAPH_NODES_MAX);
	ml_json_key(w, "items");
	ml_json_begin_object(w);
	ml_json_key(w, "oneOf");
	ml_json_begin_array(w);
	for (; *families; families++) {
		const struct ml_node_class *const *classes = (*families)->node_classes;
		for (; classes && *classes; classes++)
			write_class(w, *classes);
	}
	ml_json_end_array(w);
	ml_json_end_object(w);
	ml_json_end_object(w);
}

static void write_edges(struct ml_json_writer *w)
{
	static const char *const policies[] = {"wait", "drop-newest", "drop-oldest"};
	ml_json_key(w, "edges");
	ml_json_begin_object(w);
	member(w, "type", "array");
	ml_json_key(w, "maxItems");
	ml_json_integer(w, ML_GRAPH_EDGES_MAX);
	ml_json_key(w, "items");
	ml_json_begin_object(w);
	member(w, "type", "object");
	ml_json_key(w, "properties");
	ml_json_begin_object(w);
	write_typed(w, "from", "string");
	write_typed(w, "to", "string");
	ml_json_key(w, "capacity");
	ml_json_begin_object(w);
	member(w, "type", "integer");
	ml_json_key(w, "minimum");
	ml_json_integer(w, 1);
	ml_json_key(w, "maximum");
	ml_json_integer(w, ML_EDGE_CAPACITY_MAX);
	ml_json_key(w, "default");
	ml_json_integer(w, ML_EDGE_CAPACITY);
	ml_json_end_object(w);
	ml_json_key(w, "when_full");
	ml_json_begin_object(w);
	ml_json_key(w, "enum");
	ml_json_begin_array(w);
	for (size_t i = 0; i < sizeof policies / sizeof *policies; i++)
		ml_json_string(w, policies[i]);
	ml_json_end_array(w);
	member(w, "default", policies[0]);
	ml_json_end_object(w);
	write_typed(w, "optional", "boolean");
	ml_json_end_object(w);
	write_required(w, "from", "to");
	ml_json_end_object(w);
	ml_json_end_object(w);
}

static void write_layout(struct ml_json_writer *w)
{
	ml_json_key(w, "layout");
	ml_json_begin_object(w);
	member(w, "type", "object");
	ml_json_key(w, "additionalProperties");
	ml_json_begin_object(w);
	member(w, "type", "array");
	ml_json_key(w, "items");
	ml_json_begin_object(w);
	member(w, "type", "number");
	ml_json_end_object(w);
	ml_json_key(w, "minItems");
	ml_json_integer(w, 2);
	ml_json_key(w, "maxItems");
	ml_json_integer(w, 2);
	ml_json_end_object(w);
	ml_json_end_object(w);
}

int tool_schema(int argc, char **argv, const struct ml_family *const *families)
{
	if (argc > 1) {
		const bool help = strcmp(argv[1], "--help") == 0;
		(void)fputs(usage, help ? stdout : stderr);
		return help ? 0 : 2;
	}
	struct ml_buffer buffer = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &buffer);
	w.pretty = true;
	ml_json_begin_object(&w);
	member(&w, "$schema", "https://json-schema.org/draft/2020-12/schema");
	member(&w, "title", "A graph of Meterloom");
	member(&w, "type", "object");
	ml_json_key(&w, "properties");
	ml_json_begin_object(&w);
	ml_json_key(&w, "meterloom");
	ml_json_begin_object(&w);
	ml_json_key(&w, "const");
	ml_json_integer(&w, 1);
	ml_json_end_object(&w);
	write_typed(&w, "name", "string");
	write_nodes(&w, families);
	write_edges(&w);
	write_layout(&w);
	write_typed(&w, "remark", "string");
	ml_json_end_object(&w);
	write_required(&w, "meterloom", NULL);
	ml_json_end_object(&w);
	ml_buffer_append(&buffer, "\n", 1);
	return cli_print_buffer(&buffer, "schema");
}
