/* What goes wrong in a simulated world, and when: rules of faults, and their times by a seed.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure: no clock, no I/O. The same rules, seed and times give the same answers.
 */
#ifndef SIM_FAULT_H
#define SIM_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/error.h>

enum sim_fault {
	/* of a meter */
	SIM_METER_SILENT,
	SIM_METER_SLOW,
	SIM_METER_CORRUPT,
	SIM_METER_RESET,
	/* of a line */
	SIM_LINE_BROKEN,
	SIM_LINE_NOISE,
	/* of a head-end */
	SIM_HEAD_END_DOWN,
	SIM_HEAD_END_SILENT,
	SIM_HEAD_END_SLOW,
	SIM_HEAD_END_ERROR,
	SIM_HEAD_END_BUSY,
	SIM_HEAD_END_REFUSING,
	SIM_HEAD_END_LOSES_ANSWER,
	/* of the gateway */
	SIM_CLOCK_JUMP,
	SIM_RESTART,
	SIM_FAULTS,
};

enum { SIM_RULES_MAX = 64 };

struct sim_rule {
	int fault;     /* enum sim_fault */
	int64_t every; /* mean time between two begins; 0: once, at `at` */
	ml_time at;    /* from the beginning of the simulation */
	ml_time lasts; /* mean; exactly so where it happens once */
	ml_time by;    /* how late, how far the clock jumps, what Retry-After says */
	int64_t share; /* per cent of the answers that it hits while it lasts */
	int64_t which; /* number of the meter, line or head-end, from 1; 0: each */
};

struct sim_faults {
	struct sim_rule rules[SIM_RULES_MAX];
	size_t count;
};

const char *sim_fault_name(enum sim_fault fault); /* "meter-silent" */

/* What happens where nobody says what: a bit of everything that may pass by itself. */
void sim_faults_default(struct sim_faults *faults);

/* Reads {"faults": [{"fault": "meter-silent", "per_day": 0.5, "lasts": 20}, ...]}: all that is
 * wrong with its place. 0, -EINVAL or -ENOMEM. */
int sim_faults_parse(
	const char *text, size_t length, struct sim_faults *faults, struct ml_errors *errors);

/* ---- Their times ---- */

/* One rule at one place. */
struct sim_episode {
	uint64_t seed;
	uint64_t number; /* of this episode; 0: not begun to count */
	ml_time begin, end;
};

void sim_episode_init(struct sim_episode *episode, uint64_t seed, size_t rule, uint64_t place);

/* Whether the rule holds at `now`, which never goes back between calls. What began and ended since
 * the last call counts as passed. */
bool sim_episode_holds(struct sim_episode *episode, const struct sim_rule *rule, ml_time now);

/* When it begins next, where it does not hold, or ends; ML_NEVER. After sim_episode_holds(). */
ml_time sim_episode_change(const struct sim_episode *episode, ml_time now);

#endif
