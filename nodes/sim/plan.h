/* Rules of faults at many places: whether one holds somewhere now, and whom it hits.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Places (meters, lines, head-ends) are counted from 0. Times are monotonic and never go back
 * between calls. The same rules, seed and calls give the same answers.
 */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/fault.h"

struct sim_plan;

/* `begin`: from when on the rules' times count. NULL: out of memory. */
struct sim_plan *sim_plan_new(const struct sim_faults *faults, uint64_t seed, ml_time begin);
void sim_plan_free(struct sim_plan *plan); /* accepts NULL */

/* One more rule, whose times count from `now`. -E2BIG. */
int sim_plan_add(
	struct sim_plan *plan, const struct sim_rule *rule, ml_time now, struct ml_error *err);
/* Nothing goes wrong any more. */
void sim_plan_heal(struct sim_plan *plan);

const struct sim_faults *sim_plan_faults(const struct sim_plan *plan);

/* Which faults the rules are about at all: 1 << fault. */
uint64_t sim_plan_kinds(const struct sim_plan *plan);

/* The rule by which the fault is there now at this place, and hits this time; NULL: none. */
const struct sim_rule *sim_plan_hit(
	struct sim_plan *plan, enum sim_fault fault, size_t place, ml_time now);
/* The rule by which it is there, whomever it hits; *change (may be NULL): when that changes, or
 * ML_NEVER. */
const struct sim_rule *sim_plan_holds(
	struct sim_plan *plan, enum sim_fault fault, size_t place, ml_time now, ml_time *change);
/* How often it came and went at a place since the last call. */
unsigned sim_plan_passed(struct sim_plan *plan, enum sim_fault fault, size_t place, ml_time now);

/* By how much a clock is wrong, as SIM_CLOCK_JUMP has it. */
ml_time sim_plan_clock_error(struct sim_plan *plan, ml_time now);

/* How often a fault began, by now. */
uint64_t sim_plan_count(const struct sim_plan *plan, enum sim_fault fault, ml_time now);

/* A number by the seed. */
uint64_t sim_plan_draw(struct sim_plan *plan);

#endif
