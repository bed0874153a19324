/* The result of a simulation, for people and for programs.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_SIMULATION_TEXT_H
#define SIM_SIMULATION_TEXT_H

#include "sim/simulation.h"

/* `took`: real time. */
void sim_result_text(const struct sim_simulation_options *options, const struct sim_result *result,
	ml_time took, const char *graph, struct ml_buffer *out);
void sim_result_json(const struct sim_simulation_options *options, const struct sim_result *result,
	ml_time took, struct ml_buffer *out);

#endif
