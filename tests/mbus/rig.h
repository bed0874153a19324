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
	/* the line "rig:line" */
	struct sim_line *line;
	struct rig_stream *stream; /* open now; NULL: none */
	void *stream_user;         /* who opened it last */
	bool line_fails;
	unsigned opens, rate_changes;
	const uint8_t *heard; /* waits to be told as it is; NULL: nothing */
	size_t heard_length;
	bool heard_broken;
	size_t written;
	/* frames from the port `continuous`, which are not among the others */
	bool continuous; /* wires it; to be set before rig_graph() */
	size_t continuous_count;
	struct rig_frame continuous_last;
	/* readings of a node decode, beside the frames */
	bool decode; /* wires it; to be set before rig_graph() */
	size_t reading_count;
};

struct rig *rig_of_engine(struct ml_engine *engine);
extern const struct ml_stream_scheme rig_schemes[];

/* Makes the meters of "rig:line". */
void rig_line(struct rig *rig, const struct sim_options *options);
/* Pulls the adapter, or puts it back. */
void rig_fail_line(struct rig *rig, bool fails);
/* Somebody speaks out of turn, so much later. */
void rig_disturb(struct rig *rig, const uint8_t *bytes, size_t length, ml_time in);

/* The adapter hands on these bytes, which stay where they are until time goes on: no meter sent
 * them. `broken`: with parity errors. */
void rig_hear(struct rig *rig, const uint8_t *bytes, size_t length, bool broken);

/* Runs an action of the node "bus"; its outcome is awaited for at most so long, and must be a
 * result of `expected` as JSON or, where that is NULL, an error. */
void rig_act(struct rig *rig, const char *action, const char *params, ml_time within,
	const char *expected);

/* How often an event was raised. */
size_t rig_events(struct rig *rig, const char *code);

/* Calls a command with parameters as JSON (' for ") and awaits its result for at most so long; an
 * error is {"error": TEXT}. Freed with json_decref(). */
json_t *rig_call(struct rig *rig, const char *command, const char *params, ml_time within);

/* Simulated (wall time begins in 2026) or on the real clock; Fails the test on an error. */
struct rig *rig_new(bool simulated);
/* The same on a data directory, with the simulated clock at `wall`. */
struct rig *rig_new_at(const char *data, ml_time wall);
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
