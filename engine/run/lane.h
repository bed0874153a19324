/* Lanes: a thread with an event loop, the nodes that live on it, their timers and messages.
 * SPDX-License-Identifier: Apache-2.0
 *
 * In a simulated engine a lane has neither thread nor loop: ml_engine_simulate() steps all of them
 * in their order.
 *
 * How a lane sleeps: it sets `sleeping`, then looks once more at everything that another lane could
 * have given it; who gives it something first publishes that, then looks at `sleeping`. A full
 * fence on both sides makes sure that at least one of them sees the other.
 */
#ifndef ML_RUN_LANE_H
#define ML_RUN_LANE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include <meterloom/engine.h>
#include <meterloom/node.h>

#include "run/pool.h"

struct ml_edge;

struct ml_post {
	void (*fn)(void *user);
	void *user;
	struct ml_post *next;
};

struct ml_lane {
	struct ml_engine *engine;
	char *name;
	size_t index;
	size_t nodes;      /* that live here, also those that only drain; under the engine's lock */
	atomic_bool lasts; /* others than nodes know it, too */

	/* its own thread's */
	uv_loop_t loop;
	uv_async_t wake;
	uv_timer_t alarm;
	struct ml_node *ready_first, *ready_last; /* nodes to run */
	struct ml_edge *dirty;                    /* edges with messages not yet published */
	struct ml_edge **inlets;                  /* edges from other lanes to nodes here */
	size_t inlet_count;
	struct ml_edge **outlets; /* edges from nodes here to other lanes */
	size_t outlet_count;
	struct ml_timer *timers; /* a heap: the first one due */
	uint64_t timer_order;
	ml_time now;     /* monotonic, of the last turn */
	ml_time wall;    /* that new messages are stamped with, where `wall_known` */
	bool wall_known; /* read once a turn, and anew after each sleep */
	struct ml_pool pool;
	struct ml_returns returns; /* messages of other lanes' pools, on their way back */
	struct ml_ack *acks_free, *acks_out;
	void *ack_chunks;
	uint64_t trace_next, trace_end;
	unsigned eager; /* how often it may still look before it sleeps; see lane.c */
	bool may_spin;  /* there is another processor */

	/* shared */
	_Atomic(struct ml_ack *) acks_in;
	atomic_bool sleeping;
	atomic_bool quit;
	atomic_ullong wakeups, turns;
	pthread_mutex_t posts_lock;
	struct ml_post *posts, *posts_last;
	atomic_bool posted;
	bool closed; /* nothing more can be posted */

	/* parking: the control thread stops a lane between two batches */
	pthread_mutex_t park_lock;
	pthread_cond_t park_cond;
	atomic_bool park;
	bool parked;
	void (*park_job)(void *user);
	void *park_user;

	pthread_t thread;
	bool has_loop, has_thread;
};

int ml_lane_new(struct ml_engine *engine, const char *name, size_t index, bool thread,
	struct ml_lane **ret_lane);
/* Under the engine's lock, on the control thread: no node lives on it. -ENOMEM. */
int ml_lane_rename(struct ml_lane *lane, const char *name);
/* Its thread must have ended. Runs what was posted, and takes no more. */
void ml_lane_close(struct ml_lane *lane);
/* After all lanes were closed. What is left of its messages is freed with it. */
void ml_lane_free(struct ml_lane *lane);
void ml_lane_quit(struct ml_lane *lane); /* any thread */
void ml_lane_join(struct ml_lane *lane);

/* Runs until ml_lane_quit(). */
void ml_lane_run(struct ml_lane *lane);
/* One turn without waiting: true where something was done. */
bool ml_lane_turn(struct ml_lane *lane);
/* While it stands still: the nodes that finish what is on the edges (struct ml_node) run once more.
 * true: there may be more. */
bool ml_lane_finish(struct ml_lane *lane);
/* When its next timer is due; ML_NEVER. */
ml_time ml_lane_due(const struct ml_lane *lane);

/* Any thread: makes sure that the lane takes another turn. */
void ml_lane_wake(struct ml_lane *lane);

/* Control thread: stops the lane between two turns; runs functions on it meanwhile; lets it go on.
 */
void ml_lane_park(struct ml_lane *lane);
void ml_lane_parked_call(struct ml_lane *lane, void (*fn)(void *user), void *user);
void ml_lane_unpark(struct ml_lane *lane);

/* On the lane (or while it is parked). */
void ml_lane_ready(struct ml_lane *lane, struct ml_node *node);
void ml_lane_unready(struct ml_lane *lane, struct ml_node *node);
void ml_lane_flush(struct ml_lane *lane);
uint64_t ml_lane_trace(struct ml_lane *lane);
ml_time ml_lane_wall(struct ml_lane *lane);

/* timer.c */
void ml_lane_fire_timers(struct ml_lane *lane);
/* Stops the timers that lie in this memory: those embedded in an instance. */
void ml_lane_stop_timers(struct ml_lane *lane, const void *from, const void *to);

#endif
