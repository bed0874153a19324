/* The engine's own subcommands, in the order of the help.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/tools.h"

#include "cli/tool_version.h"

const struct ml_tool ml_engine_tools[] = {
	{"version", "", "print the version", tool_version},
	{0},
};
