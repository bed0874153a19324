/* `meterloom simulate`.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_TOOL_SIMULATE_H
#define SIM_TOOL_SIMULATE_H

struct ml_family;

int sim_tool_simulate(int argc, char **argv, const struct ml_family *const *families);

#endif
