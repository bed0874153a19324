/* `meterloom check`: every error of a graph at once.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/tool_check.h"
#include "graph/graph.h"

static const char usage[] =
	"Usage: meterloom check [--json] GRAPH.json...\n"
	"\n"
	"Checks graphs without running them; `-` is standard input. Prints every error as\n"
	"FILE:LINE:COLUMN: /json/pointer: text. Ends with 0 where all are good, 1 where one is\n"
	"not, 2 for wrong usage.\n"
	"\n"
	"  --json  print one JSON object a file: {\"file\", \"good\", \"errors\": [...]}\n";

struct check {
	const struct ml_family *const *families;
	json_t *defaults;
	bool json;
};

static int print_json(const char *path, const struct ml_errors *errors)
{
	struct ml_buffer buffer = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &buffer);
	ml_json_begin_object(&w);
	ml_json_key(&w, "file");
	ml_json_string(&w, path);
	ml_json_key(&w, "good");
	ml_json_bool(&w, errors->count == 0 && errors->more == 0);
	ml_json_key(&w, "errors");
	cli_write_errors(errors, &w);
	ml_json_key(&w, "more");
	ml_json_unsigned(&w, errors->more);
	ml_json_end_object(&w);
	ml_buffer_append(&buffer, "\n", 1);
	return cli_print_buffer(&buffer, "check");
}

static int check_file(const struct check *check, const char *path)
{
	struct ml_buffer text = {0};
	struct ml_errors errors = {0};
	struct ml_error err = ML_ERROR_NONE;
	struct ml_graph *graph = NULL;
	int result = ml_tool_read_file(path, ML_GRAPH_BYTES_MAX, &text, &err);
	if (result != 0) {
		(void)fprintf(stderr, "meterloom check: %s\n", err.text);
		ml_buffer_free(&text);
		return 1;
	}
	result = ml_graph_parse(check->families, text.data, text.length, cli_inherit,
		check->defaults, &graph, &errors);
	if (check->json)
		(void)print_json(path, &errors);
	else if (result != 0)
		ml_tool_print_errors(stdout, path, &errors);
	else
		(void)printf("%s: good: %zu nodes, %zu edges\n", path, graph->node_count,
			graph->edge_count);
	ml_graph_free(graph);
	ml_errors_free(&errors);
	ml_buffer_free(&text);
	return result != 0;
}

int tool_check(int argc, char **argv, const struct ml_family *const *families)
{
	struct check check = {.families = families};
	int files = 0, code = 0;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			(void)fputs(usage, stdout);
			return 0;
		}
		if (strcmp(argv[i], "--json") == 0) {
			check.json = true;
		} else if (argv[i][0] == '-' && argv[i][1]) {
			(void)fprintf(stderr, "meterloom check: there is no option '%s'\n%s",
				argv[i], usage);
			return 2;
		} else {
			files++;
		}
	}
	if (files == 0) {
		(void)fputs(usage, stderr);
		return 2;
	}
	check.defaults = cli_setting_defaults(families);
	if (!check.defaults) {
		(void)fputs("meterloom check: out of memory\n", stderr);
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") != 0)
			code |= check_file(&check, argv[i]);
	}
	json_decref(check.defaults);
	return code;
}
