/* Timers of a lane: a pairing heap by due time, and by order of starting where that is equal.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The heap is made of the timers themselves: starting one takes no memory and cannot fail. Each
 * timer has a list of children that are due later; `link` points to what points to it, so that it
 * can be taken out wherever it is. Starting is one comparison, taking the first one out melds its
 * children in pairs, which is logarithmic in the long run.
 */
#include <assert.h>

#include "run/lane.h"

static bool before(const struct ml_timer *a, const struct ml_timer *b)
{
	return a->due != b->due ? a->due < b->due : a->order < b->order;
}

/* Two heaps become one. Either may be NULL. */
static struct ml_timer *meld(struct ml_timer *a, struct ml_timer *b)
{
	if (!a || !b)
		return a ? a : b;
	if (before(b, a)) {
		struct ml_timer *first = b;
		b = a;
		a = first;
	}
	b->next = a->child;
	if (b->next)
		b->next->link = &b->next;
	a->child = b;
	b->link = &a->child;
	return a;
}

/* Children whose parent is gone: melded two by two, then all of these. */
static struct ml_timer *meld_children(struct ml_timer *child)
{
	struct ml_timer *pairs = NULL, *heap = NULL;
	while (child) {
		struct ml_timer *a = child, *b = child->next;
		child = b ? b->next : NULL;
		a->next = NULL;
		if (b)
			b->next = NULL;
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs) {
		struct ml_timer *next = pairs->next;
		pairs->next = NULL;
		heap = meld(heap, pairs);
		pairs = next;
	}
	return heap;
}

static void set_first(struct ml_lane *lane, struct ml_timer *heap)
{
	lane->timers = heap;
	if (heap)
		heap->link = &lane->timers;
}

void ml_timer_init(struct ml_timer *timer, struct ml_lane *lane,
	void (*fire)(struct ml_timer *timer), void *user)
{
	*timer = (struct ml_timer){.fire = fire, .user = user, .lane = lane};
}

void ml_timer_start(struct ml_timer *timer, ml_time due)
{
	struct ml_lane *lane = timer->lane;
	ml_timer_stop(timer);
	timer->due = due;
	timer->order = lane->timer_order++;
	set_first(lane, meld(lane->timers, timer));
}

void ml_timer_stop(struct ml_timer *timer)
{
	struct ml_lane *lane = timer->lane;
	if (!timer->link)
		return;
	assert(*timer->link == timer);
	*timer->link = timer->next;
	if (timer->next)
		timer->next->link = timer->link;
	struct ml_timer *children = meld_children(timer->child);
	timer->child = timer->next = NULL;
	timer->link = NULL;
	set_first(lane, meld(lane->timers, children));
}

ml_time ml_lane_due(const struct ml_lane *lane)
{
	return lane->timers ? lane->timers->due : ML_NEVER;
}

void ml_lane_fire_timers(struct ml_lane *lane)
{
	/* Those started meanwhile for now wait for the next turn, so that a turn ends. */
	const uint64_t order = lane->timer_order;
	while (lane->timers && lane->timers->due <= lane->now && lane->timers->order < order) {
		struct ml_timer *timer = lane->timers;
		ml_timer_stop(timer);
		timer->fire(timer);
	}
}

/* Takes the whole heap apart into a list: the children of each are appended at its end. */
static struct ml_timer *take_apart(struct ml_timer *heap)
{
	struct ml_timer *last = heap;
	for (struct ml_timer *timer = heap; timer; timer = timer->next) {
		last->next = timer->child;
		timer->child = NULL;
		while (last->next)
			last = last->next;
	}
	return heap;
}

void ml_lane_stop_timers(struct ml_lane *lane, const void *from, const void *to)
{
	struct ml_timer *list = take_apart(lane->timers), *heap = NULL;
	while (list) {
		struct ml_timer *timer = list;
		const char *at = (const char *)timer;
		list = timer->next;
		timer->next = NULL;
		timer->link = NULL;
		if (at < (const char *)from || at >= (const char *)to)
			heap = meld(heap, timer);
	}
	set_first(lane, heap);
}
