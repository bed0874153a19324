/* The engine's own struct: what the storeys of one engine share.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_RUN_ENGINE_H
#define ML_RUN_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>

#include <meterloom/engine.h>
#include <meterloom/family.h>

#include <meterloom/node.h>

#include "graph/graph.h"

struct ml_commands;   /* command/registry.h */
struct ml_settings;   /* command/settings.h */
struct ml_feeds;      /* command/feeds.h */
struct ml_events;     /* command/events.h */
struct ml_log_keeper; /* command/log_keeper.h */
struct ml_revisions;  /* graph/revisions.h */
struct ml_resource;
struct ml_runtime; /* run/runtime.h */
struct ml_wall;    /* run/wall.h */

enum { ML_LANES_MAX = 32 };

struct ml_engine {
	const struct ml_family *const *families; /* the built-in one first */
	const struct ml_family **family_table;   /* what `families` points to; owned */
	struct ml_clock *clock;
	struct ml_log *log;
	char *data;
	const struct ml_files *files;
	uint64_t epoch;
	uint64_t seed;             /* of random numbers in simulated time */
	atomic_ullong random_next; /* how many of them were drawn */
	bool no_sync;
	struct ml_wall *wall;
	struct ml_log_keeper *log_keeper;
	uint64_t log_begin; /* the number of the last line before this engine was made */

	struct ml_settings *settings;
	struct ml_events *events;
	struct ml_feeds *feeds;
	struct ml_commands *commands;
	struct ml_revisions *revisions;

	pthread_mutex_t lanes_lock; /* for making lanes; lanes[i] is written before lane_count */
	struct ml_lane *lanes[ML_LANES_MAX];
	atomic_size_t lane_count;
	struct ml_lane *control; /* lanes[0] */
	struct ml_timer log_timer;

	void **services; /* started ones, in the order of the families' tables */
	const struct ml_service_class **service_classes;
	/* Lanes of services that run already may ask for others. */
	_Atomic size_t service_count;

	atomic_ullong next_trace;   /* blocks of these are handed to lanes */
	struct ml_runtime *runtime; /* nodes and edges that run; control lane */
	sqlite3 *memory[2]; /* without a data directory: keeps the shared in-memory databases alive
			     */
};

/* The first of so many numbers for traces. Any thread. */
uint64_t ml_engine_traces(struct ml_engine *engine, uint64_t count);

/* Control thread: the lane of that name, for a node; one that no node of a graph lives on any more
 * gets a new name rather than that another thread is made. NULL: out of memory or threads. */
struct ml_lane *ml_engine_lane_enter(struct ml_engine *engine, const char *name);
void ml_engine_lane_leave(struct ml_lane *lane);

#endif
