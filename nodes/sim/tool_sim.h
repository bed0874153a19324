/* `meterloom sim`.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_TOOL_SIM_H
#define SIM_TOOL_SIM_H

struct ml_family;

int sim_tool_main(int argc, char **argv, const struct ml_family *const *families);

#endif
