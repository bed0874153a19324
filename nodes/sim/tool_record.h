/* `meterloom record`.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_TOOL_RECORD_H
#define SIM_TOOL_RECORD_H

struct ml_family;

int sim_tool_record(int argc, char **argv, const struct ml_family *const *families);

#endif
