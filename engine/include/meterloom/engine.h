/* The engine: for programs that embed it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * No process globals: several engines with different clocks and data directories may live in one
 * process. The thread that calls ml_engine_run() is the engine's control lane.
 */
#ifndef METERLOOM_ENGINE_H
#define METERLOOM_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/error.h>
#include <meterloom/json.h>
#include <meterloom/log.h>

struct ml_engine;
struct ml_family;
struct ml_files;
struct ml_lane;

struct ml_engine_options {
	const struct ml_family *const *families; /* ended by NULL; kept, not copied */
	struct ml_clock *clock;                  /* not owned; must outlive the engine */
	struct ml_log *log;                      /* not owned */
	const char *data;       /* data directory, made if missing; NULL: nothing is kept */
	const char *device_key; /* file of the device key (made with mode 0600 if missing); NULL:
				 * the default of docs/, or with data NULL a key that lives as long
				 * as the engine */
	/* Simulated clock: what ml_engine_random() gives follows from it, and from how often this
	 * data directory was started. */
	uint64_t seed;
	/* Commits do not wait for the disk: for a simulation, whose data directory need not outlive
	 * a power cut. */
	bool no_sync;
	/* NULL: the system's, without its syncs where `no_sync`. Must outlive the engine. */
	const struct ml_files *files;
};

/* Makes an engine and starts the services. On failure *ret_engine is NULL. */
int ml_engine_new(const struct ml_engine_options *options, struct ml_engine **ret_engine,
	struct ml_error *err);

/* Stops all nodes and services; all lanes end. Not from within a callback. Accepts NULL. */
void ml_engine_free(struct ml_engine *engine);

struct ml_clock *ml_engine_clock(struct ml_engine *engine);
struct ml_log *ml_engine_log(struct ml_engine *engine);
const char *ml_engine_data(struct ml_engine *engine); /* NULL: none */
const struct ml_family *const *ml_engine_families(struct ml_engine *engine);
uint64_t ml_engine_epoch(struct ml_engine *engine); /* counts the starts of this data directory */

/* Random bytes: the system's; in a simulated engine those that follow from its seed, so that the
 * same seed is the same run. For keys and waits, not for what encrypts. -EIO. Any thread. */
int ml_engine_random(struct ml_engine *engine, void *out, size_t size, struct ml_error *err);

/* A lane by name; made, with a thread of its own, when it is asked for the first time. "control" is
 * the one of ml_engine_run(). NULL: out of memory or threads. Any thread. */
struct ml_lane *ml_engine_lane(struct ml_engine *engine, const char *name);
struct uv_loop_s *ml_lane_loop(const struct ml_lane *lane); /* NULL in a simulated engine */
struct ml_engine *ml_lane_engine(const struct ml_lane *lane);
ml_time ml_lane_now(const struct ml_lane *lane); /* monotonic; on the lane */

/* Real clock: runs the control lane until ml_engine_quit(). */
void ml_engine_run(struct ml_engine *engine);
void ml_engine_quit(struct ml_engine *engine); /* any thread, and from a signal handler */

/* Simulated clock: runs everything on this thread until the monotonic time `until`, or, with
 * `until` 0, until nothing more can happen without time moving on. */
void ml_engine_simulate(struct ml_engine *engine, ml_time until);

/* ---- Graphs; on the control lane (or its thread while it does not run) ---- */

/* Checks and applies a graph given as JSON text: it takes effect whole, or nothing changes and
 * `errors` tells all that is wrong. -EINVAL: the graph; another code: a prepare failed. */
int ml_engine_apply(
	struct ml_engine *engine, const char *json, size_t length, struct ml_errors *errors);

/* Bad JSON, unknown types, wrong parameters … without changing anything. Any thread. */
int ml_engine_check(
	struct ml_engine *engine, const char *json, size_t length, struct ml_errors *errors);

/* What is measured on each node and edge, as JSON: {"time":…, "nodes":{ID:{…}},
 * "edges":{"A.out>B.in":{…}}, "lanes":{…}}. Control lane. */
void ml_engine_metrics(struct ml_engine *engine, struct ml_json_writer *w);

#endif
