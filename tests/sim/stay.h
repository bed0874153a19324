/* A stay of a gateway in a simulated world, for tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_SIM_STAY_H
#define TESTS_SIM_STAY_H

#include "sim/simulation.h"

struct stay {
	char folder[64], data[96];
	char *graph;
	struct sim_simulation_options options;
	struct sim_simulation *simulation;
	struct sim_result result;
};

/* A day with five meters and no faults; graph: JSON with ' for ". */
struct stay *stay_new(const char *graph, uint64_t seed);
void stay_begin(struct stay *stay);
/* To the end, and counts. */
void stay_run(struct stay *stay);
void stay_free(struct stay *stay);
void stay_add(struct stay *stay, struct sim_rule rule);

/* All that was to be checked could be, and is right. */
void expect_nothing_lost(const struct stay *stay);

#endif
