/* A simulated bus: a line with its meters, what goes wrong with them, and what people do to it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * No clock, no I/O; whoever moves bytes and time drives its line (sim/line.h). Faults happen by a
 * plan: the bus's own, or one that several buses of a world share.
 */
#ifndef SIM_BUS_H
#define SIM_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/line.h"
#include "sim/plan.h"

struct sim_bus;

/* What befell an answer. */
struct sim_harm {
	bool silenced;    /* nothing of it leaves */
	bool damaged;     /* it is no good frame any more */
	bool late;        /* by a fault */
	bool perhaps;     /* whole, but the master need not take it */
	bool out_of_turn; /* nobody asked for it */
};

/* Who keeps books. Each may be NULL. */
struct sim_bus_watch {
	void *user;
	/* An answer of a meter leaves as `bytes`, whatever became of its own `answer`. */
	void (*leaves)(void *user, size_t meter, const struct sim_harm *harm, const uint8_t *answer,
		size_t answer_length, const uint8_t *bytes, size_t length);
	/* As of struct sim_line_watch. */
	void (*came)(void *user, size_t meter, const uint8_t *bytes, size_t length);
};

/* Numbers of its places in a plan that it shares. */
struct sim_bus_place {
	struct sim_plan *plan; /* kept; NULL: one of its own, by the options' faults */
	size_t first_meter;    /* from 0 */
	size_t line;           /* from 0 */
};

/* `place` NULL: it is alone. `now`: when its faults begin to count. NULL: out of memory. */
struct sim_bus *sim_bus_new(
	const struct sim_options *options, const struct sim_bus_place *place, ml_time now);
void sim_bus_free(struct sim_bus *bus); /* accepts NULL */

struct sim_line *sim_bus_line(const struct sim_bus *bus);
struct sim_plan *sim_bus_plan(const struct sim_bus *bus);
void sim_bus_watch(struct sim_bus *bus, const struct sim_bus_watch *watch); /* copied */

/* Whether its interface is gone; *change (may be NULL): when that changes by itself, or ML_NEVER.
 */
bool sim_bus_broken(struct sim_bus *bus, ml_time now, ml_time *change);

/* ---- By hand. Whoever drives the line looks at sim_line_when() afterwards ---- */

enum sim_state { SIM_STATE_BROKEN, SIM_STATE_CUT, SIM_STATE_SHORT, SIM_STATE_ECHO, SIM_STATES };

void sim_bus_set(struct sim_bus *bus, enum sim_state state, bool on, ml_time now);
/* By hand or by a fault. */
bool sim_bus_is(struct sim_bus *bus, enum sim_state state, ml_time now);

/* One more fault, whose times count from now. -E2BIG. */
int sim_bus_add_fault(
	struct sim_bus *bus, const struct sim_rule *rule, ml_time now, struct ml_error *err);
/* No more faults by a plan; what was done by hand stays. */
void sim_bus_heal(struct sim_bus *bus, ml_time now);

#endif
