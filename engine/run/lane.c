/* Lanes: turning, sleeping, waking, parking.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run/lane.h"

#include <assert.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/engine.h"
#include "run/node.h"

enum {
	RUNS_A_TURN = 64,  /* nodes run before timers, posts and other lanes have their turn */
	TURNS_A_POLL = 16, /* turns before the event loop is asked, while there is work */
	TRACES_A_BLOCK = 1024,
	LOOK_ABOUT = 50, /* microseconds */
	SOON = 100,
	EAGER = 4,
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
	__asm__ volatile("yield");
#endif
}

/* ---- Ready nodes ---- */

void ml_lane_ready(struct ml_lane *lane, struct ml_node *node)
{
	/* One that has stopped may still be the end of an edge until the apply is over. */
	if (node->queued || !node->running)
		return;
	node->queued = true;
	node->ready_next = NULL;
	if (lane->ready_last)
		lane->ready_last->ready_next = node;
	else
		lane->ready_first = node;
	lane->ready_last = node;
}

void ml_lane_unready(struct ml_lane *lane, struct ml_node *node)
{
	struct ml_node *last = NULL;
	for (struct ml_node **at = &lane->ready_first; *at;) {
		if (*at == node) {
			*at = node->ready_next;
			continue;
		}
		last = *at;
		at = &(*at)->ready_next;
	}
	lane->ready_last = last;
	node->queued = false;
}

static struct ml_node *next_ready(struct ml_lane *lane)
{
	struct ml_node *node = lane->ready_first;
	if (!node)
		return NULL;
	lane->ready_first = node->ready_next;
	if (!lane->ready_first)
		lane->ready_last = NULL;
	node->queued = false;
	return node;
}

/* ---- Handing over ---- */

static void publish_dirty(struct ml_lane *lane)
{
	while (lane->dirty) {
		struct ml_edge *edge = lane->dirty;
		lane->dirty = edge->dirty_next;
		edge->dirty = false;
		ml_edge_publish(edge);
		if (edge->crosses)
			ml_lane_wake(edge->to->lane);
		else
			ml_lane_ready(lane, edge->to);
	}
}

void ml_lane_flush(struct ml_lane *lane)
{
	/* A node that is told of an ack may emit. */
	do {
		publish_dirty(lane);
		ml_ack_flush(lane);
	} while (lane->dirty);
}

void ml_lane_wake(struct ml_lane *lane)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(&lane->sleeping, memory_order_relaxed))
		return;
	if (!atomic_exchange(&lane->sleeping, false))
		return;
	atomic_fetch_add_explicit(&lane->wakeups, 1, memory_order_relaxed);
	if (lane->has_loop)
		(void)uv_async_send(&lane->wake);
}

int ml_lane_post(struct ml_lane *lane, void (*fn)(void *user), void *user)
{
	struct ml_post *post = malloc(sizeof *post);
	if (!post)
		return -ENOMEM;
	*post = (struct ml_post){.fn = fn, .user = user};
	pthread_mutex_lock(&lane->posts_lock);
	if (lane->closed) {
		pthread_mutex_unlock(&lane->posts_lock);
		free(post);
		return -ECANCELED;
	}
	if (lane->posts_last)
		lane->posts_last->next = post;
	else
		lane->posts = post;
	lane->posts_last = post;
	atomic_store_explicit(&lane->posted, true, memory_order_release);
	pthread_mutex_unlock(&lane->posts_lock);
	ml_lane_wake(lane);
	return 0;
}

static bool run_posts(struct ml_lane *lane)
{
	if (!atomic_load_explicit(&lane->posted, memory_order_acquire))
		return false;
	pthread_mutex_lock(&lane->posts_lock);
	struct ml_post *list = lane->posts;
	lane->posts = lane->posts_last = NULL;
	atomic_store_explicit(&lane->posted, false, memory_order_relaxed);
	pthread_mutex_unlock(&lane->posts_lock);
	while (list) {
		struct ml_post *post = list;
		list = post->next;
		post->fn(post->user);
		free(post);
	}
	return true;
}

uint64_t ml_lane_trace(struct ml_lane *lane)
{
	if (lane->trace_next == lane->trace_end) {
		lane->trace_next = ml_engine_traces(lane->engine, TRACES_A_BLOCK);
		lane->trace_end = lane->trace_next + TRACES_A_BLOCK;
	}
	return lane->trace_next++;
}

ml_time ml_lane_wall(struct ml_lane *lane)
{
	if (!lane->wall_known) {
		lane->wall = ml_clock_wall(lane->engine->clock);
		lane->wall_known = true;
	}
	return lane->wall;
}

/* ---- A turn ---- */

/* Nodes that other lanes gave something, or gave room. */
static bool look_across(struct ml_lane *lane)
{
	bool found = false;
	for (size_t i = 0; i < lane->inlet_count; i++) {
		struct ml_edge *edge = lane->inlets[i];
		if (edge->to && !edge->to->queued && !edge->to->blocked &&
			edge->to->demand[edge->to_port] && ml_edge_has_input(edge)) {
			ml_lane_ready(lane, edge->to);
			found = true;
		}
	}
	for (size_t i = 0; i < lane->outlet_count; i++) {
		struct ml_edge *edge = lane->outlets[i];
		if (!edge->from || edge->from->queued ||
			!atomic_load_explicit(&edge->producer_waits, memory_order_relaxed) ||
			!ml_edge_has_wanted(edge))
			continue;
		atomic_store_explicit(&edge->producer_waits, false, memory_order_relaxed);
		ml_lane_ready(lane, edge->from);
		found = true;
	}
	return found;
}

bool ml_lane_turn(struct ml_lane *lane)
{
	bool worked = false;
	lane->now = ml_clock_monotonic(lane->engine->clock);
	lane->wall_known = false;
	atomic_fetch_add_explicit(&lane->turns, 1, memory_order_relaxed);
	if (ml_lane_due(lane) <= lane->now) {
		ml_lane_fire_timers(lane);
		worked = true;
	}
	worked |= run_posts(lane);
	ml_ack_tell(lane);
	ml_lane_flush(lane);
	worked |= look_across(lane);
	for (int i = 0; i < RUNS_A_TURN; i++) {
		struct ml_node *node = next_ready(lane);
		if (!node)
			break;
		ml_node_run(node);
		ml_lane_flush(lane);
		worked = true;
	}
	ml_returns_flush(&lane->returns);
	return worked || lane->ready_first;
}

bool ml_lane_finish(struct ml_lane *lane)
{
	bool worked = false;
	lane->now = ml_clock_monotonic(lane->engine->clock);
	lane->wall_known = false;
	ml_lane_flush(lane);
	(void)look_across(lane);
	for (int i = 0; i < RUNS_A_TURN; i++) {
		struct ml_node *node = next_ready(lane);
		if (!node)
			break;
		if (!node->finishes)
			continue;
		ml_node_run(node);
		ml_lane_flush(lane);
		worked = true;
	}
	return worked || lane->ready_first;
}

static bool must_stay_awake(struct ml_lane *lane)
{
	return lane->ready_first || lane->dirty || lane->acks_out || atomic_load(&lane->posted) ||
	       atomic_load(&lane->quit) || atomic_load(&lane->park) ||
	       atomic_load(&lane->acks_in) || look_across(lane);
}

/* Due timers are run before the loop polls: without the stop it would then wait for ever. */
static void alarm_rings(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

/* A lane that another one works with would be woken again at once, which costs both of them a
 * thousand times what a message does. So one that was woken soon after it fell asleep looks about
 * for a moment before it sleeps again, until that was in vain often enough. */
static bool look_about(struct ml_lane *lane)
{
	if (!lane->eager)
		return false;
	const ml_time end = ml_clock_monotonic(lane->engine->clock) + LOOK_ABOUT;
	do {
		for (int i = 0; i < 32; i++) {
			if (must_stay_awake(lane)) {
				lane->eager = EAGER;
				return true;
			}
			relax();
		}
		/* The other may be waiting for this very processor. */
		(void)sched_yield();
	} while (ml_clock_monotonic(lane->engine->clock) < end);
	lane->eager--;
	return false;
}

static void sleep_until_due(struct ml_lane *lane)
{
	if (look_about(lane))
		return;
	atomic_store(&lane->sleeping, true);
	atomic_thread_fence(memory_order_seq_cst);
	if (must_stay_awake(lane)) {
		atomic_store(&lane->sleeping, false);
		return;
	}
	const ml_time due = ml_lane_due(lane);
	if (due != ML_NEVER) {
		const ml_time now = ml_clock_monotonic(lane->engine->clock);
		const uint64_t wait =
			due <= now ? 0 : (uint64_t)((due - now + ML_MSEC - 1) / ML_MSEC);
		uv_update_time(&lane->loop);
		(void)uv_timer_start(&lane->alarm, alarm_rings, wait, 0);
	}
	lane->wall_known = false;
	const ml_time asleep = ml_clock_monotonic(lane->engine->clock);
	(void)uv_run(&lane->loop, UV_RUN_ONCE);
	const bool woken_by_other = !atomic_exchange(&lane->sleeping, false);
	if (woken_by_other && lane->may_spin &&
		ml_clock_monotonic(lane->engine->clock) - asleep < SOON)
		lane->eager = EAGER;
	(void)uv_timer_stop(&lane->alarm);
}

/* ---- Parking ---- */

static void parked(struct ml_lane *lane)
{
	ml_lane_flush(lane);
	pthread_mutex_lock(&lane->park_lock);
	lane->parked = true;
	pthread_cond_broadcast(&lane->park_cond);
	while (atomic_load(&lane->park)) {
		if (lane->park_job) {
			void (*job)(void *user) = lane->park_job;
			pthread_mutex_unlock(&lane->park_lock);
			job(lane->park_user);
			pthread_mutex_lock(&lane->park_lock);
			lane->park_job = NULL;
			pthread_cond_broadcast(&lane->park_cond);
			continue;
		}
		pthread_cond_wait(&lane->park_cond, &lane->park_lock);
	}
	lane->parked = false;
	pthread_cond_broadcast(&lane->park_cond);
	pthread_mutex_unlock(&lane->park_lock);
}

void ml_lane_park(struct ml_lane *lane)
{
	if (!lane->has_thread) {
		/* It stands still now: on this thread. */
		ml_lane_flush(lane);
		return;
	}
	atomic_store(&lane->park, true);
	ml_lane_wake(lane);
	pthread_mutex_lock(&lane->park_lock);
	while (!lane->parked)
		pthread_cond_wait(&lane->park_cond, &lane->park_lock);
	pthread_mutex_unlock(&lane->park_lock);
}

void ml_lane_parked_call(struct ml_lane *lane, void (*fn)(void *user), void *user)
{
	if (!lane->has_thread) {
		fn(user);
		return;
	}
	pthread_mutex_lock(&lane->park_lock);
	lane->park_user = user;
	lane->park_job = fn;
	pthread_cond_broadcast(&lane->park_cond);
	while (lane->park_job)
		pthread_cond_wait(&lane->park_cond, &lane->park_lock);
	pthread_mutex_unlock(&lane->park_lock);
}

void ml_lane_unpark(struct ml_lane *lane)
{
	if (!lane->has_thread)
		return;
	pthread_mutex_lock(&lane->park_lock);
	atomic_store(&lane->park, false);
	pthread_cond_broadcast(&lane->park_cond);
	while (lane->parked)
		pthread_cond_wait(&lane->park_cond, &lane->park_lock);
	pthread_mutex_unlock(&lane->park_lock);
}

/* ---- Life ---- */

void ml_lane_run(struct ml_lane *lane)
{
	unsigned turns = 0;
	while (!atomic_load_explicit(&lane->quit, memory_order_relaxed)) {
		if (atomic_load_explicit(&lane->park, memory_order_relaxed))
			parked(lane);
		if (!ml_lane_turn(lane)) {
			turns = 0;
			sleep_until_due(lane);
		} else if (++turns == TURNS_A_POLL) {
			turns = 0;
			(void)uv_run(&lane->loop, UV_RUN_NOWAIT);
		}
	}
	atomic_store(&lane->quit, false);
}

/* The kernel shows 15 characters. */
static void name_thread(struct ml_lane *lane)
{
	char name[16];
	(void)snprintf(name, sizeof name, "ml-%.12s", lane->name);
	(void)pthread_setname_np(lane->thread, name);
}

static void *thread_main(void *user)
{
	ml_lane_run(user);
	return NULL;
}

static void woken(uv_async_t *async)
{
	(void)async;
}

static int start_loop(struct ml_lane *lane)
{
	int r = uv_loop_init(&lane->loop);
	if (r)
		return r;
	r = uv_async_init(&lane->loop, &lane->wake, woken);
	if (r) {
		(void)uv_loop_close(&lane->loop);
		return r;
	}
	(void)uv_timer_init(&lane->loop, &lane->alarm);
	lane->has_loop = true;
	lane->may_spin = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	return 0;
}

int ml_lane_new(struct ml_engine *engine, const char *name, size_t index, bool thread,
	struct ml_lane **ret_lane)
{
	struct ml_lane *lane = calloc(1, sizeof *lane);
	if (!lane)
		return -ENOMEM;
	lane->engine = engine;
	lane->index = index;
	lane->now = ml_clock_monotonic(engine->clock);
	ml_pool_init(&lane->pool);
	pthread_mutex_init(&lane->posts_lock, NULL);
	pthread_mutex_init(&lane->park_lock, NULL);
	pthread_cond_init(&lane->park_cond, NULL);
	int r = -ENOMEM;
	lane->name = strdup(name);
	if (!lane->name)
		goto fail;
	if (!ml_clock_is_simulated(engine->clock)) {
		r = start_loop(lane);
		if (r)
			goto fail;
		if (thread) {
			r = -pthread_create(&lane->thread, NULL, thread_main, lane);
			if (r)
				goto fail;
			lane->has_thread = true;
			name_thread(lane);
		}
	}
	*ret_lane = lane;
	return 0;
fail:
	ml_lane_free(lane);
	return r;
}

int ml_lane_rename(struct ml_lane *lane, const char *name)
{
	char *copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	free(lane->name);
	lane->name = copy;
	if (lane->has_thread)
		name_thread(lane);
	return 0;
}

void ml_lane_quit(struct ml_lane *lane)
{
	atomic_store(&lane->quit, true);
	/* Also from a signal handler, where only this is safe: the loop turns once more for
	 * nothing. */
	if (lane->has_loop)
		(void)uv_async_send(&lane->wake);
}

void ml_lane_join(struct ml_lane *lane)
{
	if (!lane->has_thread)
		return;
	(void)pthread_join(lane->thread, NULL);
	lane->has_thread = false;
}

static void close_handle(uv_handle_t *handle, void *user)
{
	(void)user;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void ml_lane_close(struct ml_lane *lane)
{
	assert(!lane->has_thread);
	pthread_mutex_lock(&lane->posts_lock);
	lane->closed = true;
	pthread_mutex_unlock(&lane->posts_lock);
	(void)run_posts(lane);
	if (lane->has_loop) {
		uv_walk(&lane->loop, close_handle, NULL);
		while (uv_run(&lane->loop, UV_RUN_NOWAIT))
			;
		(void)uv_loop_close(&lane->loop);
		lane->has_loop = false;
	}
	ml_lane_flush(lane);
	ml_returns_flush(&lane->returns);
}

void ml_lane_free(struct ml_lane *lane)
{
	if (!lane)
		return;
	if (!lane->closed)
		ml_lane_close(lane);
	ml_ack_drop_all(lane);
	free(lane->inlets);
	free(lane->outlets);
	free(lane->name);
	pthread_cond_destroy(&lane->park_cond);
	pthread_mutex_destroy(&lane->park_lock);
	pthread_mutex_destroy(&lane->posts_lock);
	ml_pool_free(&lane->pool);
	free(lane);
}
