/* `meterloom run`.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_CLI_TOOL_RUN_H
#define ML_CLI_TOOL_RUN_H

struct ml_family;

int tool_run(int argc, char **argv, const struct ml_family *const *families);

#endif
