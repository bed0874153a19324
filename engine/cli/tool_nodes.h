/* `meterloom nodes`.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_CLI_TOOL_NODES_H
#define ML_CLI_TOOL_NODES_H

#include <meterloom/tool.h>

int tool_nodes(int argc, char **argv, const struct ml_family *const *families);

#endif
