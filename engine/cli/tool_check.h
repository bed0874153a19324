/* `meterloom check`.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_CLI_TOOL_CHECK_H
#define ML_CLI_TOOL_CHECK_H

#include <meterloom/tool.h>

int tool_check(int argc, char **argv, const struct ml_family *const *families);

#endif
