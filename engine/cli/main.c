/* The program: finds the subcommand and runs it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include <meterloom/family.h>

#include "cli/tools.h"

static const struct ml_tool *find_in(const struct ml_tool *tools, const char *name)
{
	for (const struct ml_tool *tool = tools; tool && tool->name; tool++) {
		if (strcmp(tool->name, name) == 0)
			return tool;
	}
	return NULL;
}

static const struct ml_tool *find(const char *name)
{
	const struct ml_tool *tool = find_in(ml_engine_tools, name);
	for (size_t i = 0; !tool && ml_families[i]; i++)
		tool = find_in(ml_families[i]->tools, name);
	return tool;
}

static void list(FILE *out, const struct ml_tool *tools)
{
	for (const struct ml_tool *tool = tools; tool && tool->name; tool++)
		(void)fprintf(out, "  %-10s %s\n", tool->name, tool->summary);
}

static void usage(FILE *out)
{
	(void)fputs("Usage: meterloom COMMAND [ARGUMENTS]\n\nCommands:\n", out);
	list(out, ml_engine_tools);
	for (size_t i = 0; ml_families[i]; i++)
		list(out, ml_families[i]->tools);
	(void)fputs("\n`meterloom COMMAND --help` explains a command.\n", out);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return 2;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		usage(stdout);
		return 0;
	}
	const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
	const struct ml_tool *tool = find(name);
	if (!tool) {
		(void)fprintf(stderr,
			"meterloom: there is no command '%s'; `meterloom --help` lists them\n",
			name);
		return 2;
	}
	return tool->run(argc - 1, argv + 1, ml_families);
}
