/* `meterloom version`.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_CLI_TOOL_VERSION_H
#define ML_CLI_TOOL_VERSION_H

#include <meterloom/tool.h>

int tool_version(int argc, char **argv, const struct ml_family *const *families);

#endif
