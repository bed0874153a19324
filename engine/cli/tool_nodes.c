/* `meterloom nodes`: the types of nodes, and what each is.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/tool_nodes.h"

#include <stdio.h>
#include <string.h>

#include <meterloom/nearest.h>

#include "cli/cli.h"
#include "cli/describe.h"
#include "command/builtin.h"
#include "graph/graph.h"

static const char usage[] =
	"Usage: meterloom nodes [TYPE]\n"
	"       meterloom nodes --json | --markdown\n"
	"\n"
	"Lists the types of nodes; with a type, explains it.\n"
	"\n"
	"  --json      all types with their ports, actions and the JSON Schema of their "
	"parameters\n"
	"  --markdown  the reference of nodes, messages, commands, settings and events\n";

/* Below the usual 80: a full line would run into the next one where a terminal breaks it, too. */
enum { WIDTH = 79 };

static void print_line(void *user, const struct ml_node_class *class)
{
	(void)user;
	(void)printf("  %-20s %s\n", class->type, class->title);
}

static void list(const struct ml_family *const *families)
{
	for (const struct describe_category *c = describe_categories; c->name; c++) {
		(void)printf("%s\n", c->title);
		describe_classes(families, c->name, print_line, NULL);
	}
	describe_classes(families, NULL, print_line, NULL);
	(void)puts("\n`meterloom nodes TYPE` explains one.");
}

/* Words, broken to lines that begin with `indent` spaces, the first one with `first`. */
static void print_hanging(const char *text, int first, int indent)
{
	int column = -1; /* nothing is printed yet */
	while (text && *text) {
		const int length = (int)strcspn(text, " \n");
		if (length > 0) {
			const bool fits = column >= 0 && column + 1 + length <= WIDTH;
			const int margin = column < 0 ? first : indent;
			if (!fits)
				(void)printf("%s%*s", column < 0 ? "" : "\n", margin, "");
			(void)printf("%s%.*s", fits ? " " : "", length, text);
			column = (fits ? column + 1 : margin) + length;
		}
		text += length;
		text += *text != '\0';
	}
	(void)putchar('\n');
}

static void print_text(const char *text, int indent)
{
	print_hanging(text, indent, indent);
}

static void print_params(const struct ml_param *params, int indent)
{
	char kind[DESCRIBE_MAX], preset[DESCRIBE_MAX], head[2 * DESCRIBE_MAX + 128];
	for (; params && params->name; params++) {
		(void)snprintf(head, sizeof head, "%s: %s; default: %s", params->name,
			describe_kind(params, kind), describe_default(params, preset));
		print_hanging(head, indent, indent + 2);
		print_text(params->help ? params->help : params->title, indent + 4);
	}
}

static void explain(const struct ml_node_class *class)
{
	(void)printf("%s: %s (version %u)\n\n", class->type, class->title, class->version);
	print_text(class->help, 0);
	(void)puts("\nPorts");
	for (const struct ml_port *p = class->ports; p->name; p++) {
		(void)printf("  %s: %s%s, %s\n", p->name, p->direction == ML_INPUT ? "in" : "out",
			p->required ? " (must be wired)" : "", p->type->name);
		if (p->help)
			print_text(p->help, 6);
	}
	if (class->params && class->params->name)
		(void)puts("\nParameters");
	print_params(class->params, 2);
	if (class->actions && class->actions->name)
		(void)puts("\nActions");
	for (const struct ml_action *a = class->actions; a && a->name; a++) {
		(void)printf("  %s: %s\n", a->name, a->title);
		print_text(a->help, 6);
		print_params(a->params, 6);
	}
}

static int explain_type(const struct ml_family *const *families, const char *type)
{
	const struct ml_node_class *const class = ml_node_class_find(families, type);
	if (class) {
		explain(class);
		return 0;
	}
	struct ml_nearest near;
	ml_nearest_begin(&near, type);
	for (; *families; families++) {
		const struct ml_node_class *const *c = (*families)->node_classes;
		for (; c && *c; c++)
			ml_nearest_try(&near, (*c)->type);
	}
	const char *const name = ml_nearest_name(&near);
	(void)fprintf(stderr, "meterloom nodes: there is no node type '%s'%s%s%s\n", type,
		name ? "; did you mean '" : "; `meterloom nodes` lists those that there are",
		name ? name : "", name ? "'?" : "");
	return 1;
}

static int print_markdown(const struct ml_family *const *families)
{
	struct ml_buffer buffer = {0};
	reference_write(families, &buffer);
	return cli_print_buffer(&buffer, "nodes");
}

static int print_json(const struct ml_family *const *families)
{
	struct ml_buffer buffer = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &buffer);
	w.pretty = true;
	ml_node_types_to_json(families, &w);
	ml_buffer_append(&buffer, "\n", 1);
	return cli_print_buffer(&buffer, "nodes");
}

int tool_nodes(int argc, char **argv, const struct ml_family *const *families)
{
	if (argc == 1) {
		list(families);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		(void)fputs(usage, stdout);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--json") == 0)
		return print_json(families);
	if (argc == 2 && strcmp(argv[1], "--markdown") == 0)
		return print_markdown(families);
	if (argc == 2 && argv[1][0] != '-')
		return explain_type(families, argv[1]);
	(void)fputs(usage, stderr);
	return 2;
}
