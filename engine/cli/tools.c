/* The engine's own subcommands, in the order of the help.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/tools.h"

#include "cli/tool_call.h"
#include "cli/tool_check.h"
#include "cli/tool_nodes.h"
#include "cli/tool_run.h"
#include "cli/tool_schema.h"
#include "cli/tool_version.h"

const struct ml_tool ml_engine_tools[] = {
	{"run", "[OPTIONS] [GRAPH.json]", "run the gateway", tool_run},
	{"call", "[OPTIONS] [NAME [JSON]]", "call a command of a running gateway", tool_call},
	{"check", "[--json] GRAPH.json...", "tell every error of a graph", tool_check},
	{"nodes", "[TYPE]", "list and explain the types of nodes", tool_nodes},
	{"schema", "", "print the JSON Schema of a graph", tool_schema},
	{"version", "", "print the version", tool_version},
	{0},
};
