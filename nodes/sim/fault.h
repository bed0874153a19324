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
	SIM_METER_SILENT,
	SIM_METER_SLOW,
	SIM_METER_CORRUPT,
	SIM_METER_CHECKSUM,
	SIM_METER_CUT,
	SIM_METER_ENDLESS,
	SIM_METER_BABBLING,
	SIM_METER_COLLIDING,
	SIM_METER_STUCK,
	SIM_METER_NO_NKE,
	SIM_METER_NO_FCB,
	SIM_METER_SWAPPED,
	SIM_METER_RESET,
	SIM_LINE_BROKEN,
	SIM_LINE_CUT,
	SIM_LINE_SHORT,
	SIM_LINE_NOISE,
	SIM_LINE_ADDED_BYTE,
	SIM_LINE_DROPPED_BYTES,
	SIM_LINE_ECHO,
	SIM_HEAD_END_DOWN,
	SIM_HEAD_END_SILENT,
	SIM_HEAD_END_SLOW,
	SIM_HEAD_END_ERROR,
	SIM_HEAD_END_BUSY,
	SIM_HEAD_END_REFUSING,
	SIM_HEAD_END_LOSES_ANSWER,
	SIM_CLOCK_JUMP,
	SIM_RESTART,
	SIM_FAULTS,
};

/* Whose faults they are. */
enum sim_whose { SIM_OF_METER, SIM_OF_LINE, SIM_OF_HEAD_END, SIM_OF_GATEWAY };

struct sim_fault_info {
	const char *name; /* "meter-silent" */
	enum sim_whose whose;
	const char *help; /* what happens */
	const char *by;   /* what `by` says; NULL: nothing */
	ml_time usual_by; /* where `by` is left out; 0: it must be given */
	bool instant;     /* it has no length, or need not have one */
};

const struct sim_fault_info *sim_fault_info(enum sim_fault fault);
const char *sim_fault_name(enum sim_fault fault);

enum { SIM_RULES_MAX = 64 };

struct sim_rule {
	int fault;            /* enum sim_fault */
	int64_t every;        /* mean time between two begins; 0: once, at `at` */
	ml_time at;           /* from the beginning of the simulation */
	ml_time lasts;        /* mean; exactly so where it happens once; ML_NEVER: to the end */
	ml_time by;           /* how late, how far the clock jumps, what Retry-After says */
	int64_t share;        /* per cent of the answers that it hits while it lasts */
	int64_t which;        /* number of the meter, line or head-end, from 1; 0: each */
	int64_t first, count; /* each of so many after the first ones; count 0: all there are */
};

struct sim_faults {
	struct sim_rule rules[SIM_RULES_MAX];
	size_t count;
};

/* What happens where nobody says what: a bit of everything that may pass by itself. */
void sim_faults_default(struct sim_faults *faults);

/* Reads {"faults": [{"fault": "meter-silent", "per_day": 0.5, "lasts": "90s"}, ...]}: all that is
 * wrong with its place. 0, -EINVAL or -ENOMEM. */
int sim_faults_parse(
	const char *text, size_t length, struct sim_faults *faults, struct ml_errors *errors);

/* Reads one rule as it is typed: "meter-silent", "meter-slow which=3 by=2s every=10min lasts=60s".
 * Blanks or commas stand between its parts. -EINVAL, err->at is the offset. */
int sim_rule_parse(const char *text, size_t length, struct sim_rule *rule, struct ml_error *err);

/* Reads "90s", "1.5h", "200ms", 0 or more; a number alone is in `unit`. `name` is what errors call
 * it. */
int sim_time_parse(
	const char *name, const char *text, ml_time unit, ml_time *time, struct ml_error *err);

/* -EINVAL: nothing of a bus with so many meters, or of so many buses, is what the rule is about. */
int sim_rule_check(
	const struct sim_rule *rule, unsigned buses, unsigned meters, struct ml_error *err);

/* Adds a rule. -E2BIG: there are too many. */
int sim_faults_add(struct sim_faults *faults, const struct sim_rule *rule, struct ml_error *err);

/* The rules that are about bus `number` (from 1) and its meters, which come after `before` others:
 * appended to `own` with numbers that begin at 1 on this bus. -E2BIG: there are too many. */
int sim_faults_of_bus(const struct sim_faults *faults, unsigned number, unsigned before,
	unsigned meters, struct sim_faults *own, struct ml_error *err);

/* One member of a rule as text; sim_draft_finish() once all are set. */
struct sim_draft {
	struct sim_rule rule;
	unsigned given; /* which members */
};
int sim_draft_set(
	struct sim_draft *draft, const char *name, const char *value, struct ml_error *err);
int sim_draft_finish(struct sim_draft *draft, struct ml_error *err);

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
