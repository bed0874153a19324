/* Timers of a lane: a binary heap by due time, and by order of starting where that is equal.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>

#include "run/lane.h"

static bool before(const struct ml_timer *a, const struct ml_timer *b)
{
	return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void place(struct ml_lane *lane, size_t slot, struct ml_timer *timer)
{
	lane->heap[slot] = timer;
	timer->slot = slot;
}

static void sift_up(struct ml_lane *lane, size_t slot)
{
	struct ml_timer *timer = lane->heap[slot];
	for (; slot > 1 && before(timer, lane->heap[slot / 2]); slot /= 2)
		place(lane, slot, lane->heap[slot / 2]);
	place(lane, slot, timer);
}

static void sift_down(struct ml_lane *lane, size_t slot)
{
	struct ml_timer *timer = lane->heap[slot];
	for (;;) {
		size_t child = slot * 2;
		if (child > lane->heap_count)
			break;
		if (child < lane->heap_count && before(lane->heap[child + 1], lane->heap[child]))
			child++;
		if (!before(lane->heap[child], timer))
			break;
		place(lane, slot, lane->heap[child]);
		slot = child;
	}
	place(lane, slot, timer);
}

void ml_timer_init(struct ml_timer *timer, struct ml_lane *lane,
	void (*fire)(struct ml_timer *timer), void *user)
{
	*timer = (struct ml_timer){.fire = fire, .user = user, .lane = lane};
}

/* A lane has few timers, each a pointer here: a program without memory for one more cannot go on.
 */
static void ensure(struct ml_lane *lane)
{
	if (lane->heap_count + 2 < lane->heap_capacity)
		return;
	const size_t capacity = lane->heap_capacity * 2 + 64;
	struct ml_timer **heap = realloc(lane->heap, capacity * sizeof(*heap));
	if (!heap)
		abort();
	lane->heap = heap;
	lane->heap_capacity = capacity;
}

void ml_timer_start(struct ml_timer *timer, ml_time due)
{
	struct ml_lane *lane = timer->lane;
	ml_timer_stop(timer);
	ensure(lane);
	timer->due = due;
	timer->order = lane->timer_order++;
	place(lane, ++lane->heap_count, timer);
	sift_up(lane, lane->heap_count);
}

void ml_timer_stop(struct ml_timer *timer)
{
	struct ml_lane *lane = timer->lane;
	const size_t slot = timer->slot;
	if (!slot)
		return;
	assert(lane->heap[slot] == timer);
	struct ml_timer *last = lane->heap[lane->heap_count--];
	timer->slot = 0;
	if (last == timer)
		return;
	place(lane, slot, last);
	sift_up(lane, slot);
	sift_down(lane, last->slot);
}

ml_time ml_lane_due(const struct ml_lane *lane)
{
	return lane->heap_count ? lane->heap[1]->due : ML_NEVER;
}

void ml_lane_fire_timers(struct ml_lane *lane)
{
	/* Those started meanwhile for now wait for the next turn, so that a turn ends. */
	const uint64_t order = lane->timer_order;
	while (lane->heap_count && lane->heap[1]->due <= lane->now &&
		lane->heap[1]->order < order) {
		struct ml_timer *timer = lane->heap[1];
		ml_timer_stop(timer);
		timer->fire(timer);
	}
}

void ml_lane_stop_timers(struct ml_lane *lane, const void *from, const void *to)
{
	for (size_t slot = 1; slot <= lane->heap_count;) {
		struct ml_timer *timer = lane->heap[slot];
		const char *at = (const char *)timer;
		if (at >= (const char *)from && at < (const char *)to)
			ml_timer_stop(timer);
		else
			slot++;
	}
}
