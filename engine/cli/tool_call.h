/* `meterloom call`.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_CLI_TOOL_CALL_H
#define ML_CLI_TOOL_CALL_H

struct ml_family;

int tool_call(int argc, char **argv, const struct ml_family *const *families);

#endif
