/* What people do to a simulated bus while it runs: "unplug 3", "cut", "fault meter-slow which=2".
 * SPDX-License-Identifier: Apache-2.0
 *
 * The lines that `meterloom sim` reads, and the commands sim.* of a gateway, are these orders.
 */
#ifndef SIM_ORDER_H
#define SIM_ORDER_H

#include <meterloom/json.h>

#include "sim/bus.h"

enum sim_order_kind {
	SIM_ORDER_NONE, /* an empty line, or a comment */
	SIM_ORDER_UNPLUG,
	SIM_ORDER_PLUG,
	SIM_ORDER_BAUD,    /* of a meter: `value`; 0: it follows the master */
	SIM_ORDER_ADDRESS, /* its primary address: `value` */
	SIM_ORDER_RESET,   /* its counters begin again at 0 */
	SIM_ORDER_STATE,   /* of the line: `state`, `on` */
	SIM_ORDER_FAULT,   /* one more: `rule` */
	SIM_ORDER_HEAL,
	SIM_ORDER_FAULTS, /* which there are */
	SIM_ORDER_LIST,   /* the meters */
	SIM_ORDER_WAIT,   /* before the next line: `wait` */
	SIM_ORDER_HELP,
	SIM_ORDER_QUIT,
};

struct sim_order {
	enum sim_order_kind kind;
	unsigned meter; /* from 1 */
	unsigned value;
	enum sim_state state;
	bool on;
	struct sim_rule rule;
	ml_time wait;
	char bus[SIM_NAME_MAX]; /* "": the only one */
};

/* Reads a line. -EINVAL: what was expected. */
int sim_order_parse(const char *text, struct sim_order *order, struct ml_error *err);

/* What can be typed, a line each. */
extern const char sim_order_help[];

/* Does it to a bus; what is only told changes nothing. -ENOENT: there is no such meter. */
int sim_order_do(struct sim_bus *bus, const struct sim_order *order, ml_time now, ml_time wall,
	struct ml_error *err);

/* "unplugged", "cut", …: the state of a line in words, "" where nothing is wrong. */
void sim_bus_state_text(struct sim_bus *bus, ml_time now, struct ml_buffer *out);

/* A rule as it is typed. */
void sim_rule_text(const struct sim_rule *rule, struct ml_buffer *out);

#endif
