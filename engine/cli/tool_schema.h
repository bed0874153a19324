/* `meterloom schema`.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_CLI_TOOL_SCHEMA_H
#define ML_CLI_TOOL_SCHEMA_H

#include <meterloom/tool.h>

int tool_schema(int argc, char **argv, const struct ml_family *const *families);

#endif
