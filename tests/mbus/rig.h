/* An engine with a bus, a meter list and somebody who writes down what comes from it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_MBUS_RIG_H
#define TESTS_MBUS_RIG_H

#include <jansson.h>

#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "meter/frame.h"
#include "meter/list.h"
#include "sim/line.h"

#include "mbus/master.h"

enum { RIG_FRAMES_MAX = 4000, RIG_ROUNDS_MAX = 2000 };

struct rig_frame {
	struct {
		uint64_t point, round;
		unsigned telegram, tries, length, result, flags;
		char bus[METER_FRAME_BUS_MAX], interface[METER_FRAME_INTERFACE_MAX];
	} head;
	ml_time time;
	uint64_t trace;
	uint8_t bytes[MBUS_FRAME_MAX];
};

struct rig {
	struct ml_clock *clock;
	struct ml_log *log;
	struct ml_engine *engine;
	struct meter_list *list;
	uint32_t points[256]; /* keys of the meters that were listed */
	size_t point_count;
	struct rig_frame frames[RIG_FRAMES_MAX];
	size_t frame_count;
	struct ml_round begins[RIG_ROUNDS_MAX], ends[RIG_ROUNDS_MAX];
	_Atomic size_t begin_count, end_count; /* also looked at from the control lane */
	bool refuse;                           /* the taker fails what it gets */
	bool stuck;                            /* it takes nothing */
	struct ml_node *prod, *taker;
};

/* Simulated (wall time begins in 2026) or on the real clock; Fails the test on an error. */
struct rig *rig_new(bool simulated);
void rig_free(struct rig *rig);

/* Lists the first `count` virtual meters of a bus: those of even number by their primary address,
 * the others by their secondary one, or all as `mode` says where it is not negative. */
void rig_list(struct rig *rig, const struct sim_options *options, size_t count, int mode);

/* "prod" > mbus-source "bus" with these parameters (JSON members, ' for ") > "taker". */
void rig_graph(struct rig *rig, const char *params);

/* Triggers a round. */
void rig_trigger(struct rig *rig);

/* What is measured on the node "bus": state, text, own figures. Freed with json_decref(). */
json_t *rig_bus(struct rig *rig);

/* Simulated: lets time go on. */
void rig_pass(struct rig *rig, ml_time time);

/* Real clock: runs until the condition holds. */
void rig_until(struct rig *rig, bool (*condition)(struct rig *rig, void *user), void *user);

#endif
