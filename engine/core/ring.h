/* A bounded ring of pointers between one producer and one consumer.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Positions count from 0 and never wrap (64 bits), so that `head - tail` is the depth and `head` is
 * how many were ever put in. The producer fills slots first and publishes many at once. Each side
 * keeps a copy of the other's position on its own cache line and looks at the real one only when
 * its copy does not suffice.
 *
 * In a ring that drops its oldest, the producer also takes from the tail (ml_ring_evict), and both
 * ends move the tail by compare-and-swap: a consumer whose swap fails has read slots that are no
 * longer its own and reads again. Slots are atomics, since the producer may overwrite one that is
 * being read then.
 */
#ifndef ML_CORE_RING_H
#define ML_CORE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { ML_CACHE_LINE = 64 };

struct ml_ring {
	/* the producer's line */
	_Alignas(ML_CACHE_LINE) _Atomic uint64_t head; /* published */
	uint64_t filled;                               /* put, perhaps not yet published */
	uint64_t seen_tail;
	/* the consumer's line */
	_Alignas(ML_CACHE_LINE) _Atomic uint64_t tail;
	uint64_t seen_head;
	/* constant */
	_Alignas(ML_CACHE_LINE) uint64_t mask;
	_Atomic(void *) slots[];
};

/* capacity: a power of two. NULL: out of memory. */
static inline struct ml_ring *ml_ring_new(size_t capacity, uint64_t position)
{
	const size_t bytes = sizeof(struct ml_ring) + capacity * sizeof(_Atomic(void *));
	struct ml_ring *ring = aligned_alloc(
		ML_CACHE_LINE, (bytes + ML_CACHE_LINE - 1) / ML_CACHE_LINE * ML_CACHE_LINE);
	if (!ring)
		return NULL;
	atomic_init(&ring->head, position);
	atomic_init(&ring->tail, position);
	ring->filled = ring->seen_tail = ring->seen_head = position;
	ring->mask = capacity - 1;
	return ring;
}

/* ---- Producer ---- */

/* Room for at least `want`, or as much as there is. */
static inline size_t ml_ring_room(struct ml_ring *ring, size_t want)
{
	size_t room = (size_t)(ring->mask + 1 - (ring->filled - ring->seen_tail));
	if (room < want) {
		ring->seen_tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
		room = (size_t)(ring->mask + 1 - (ring->filled - ring->seen_tail));
	}
	return room;
}

/* There must be room. */
static inline void ml_ring_put(struct ml_ring *ring, void *item)
{
	atomic_store_explicit(&ring->slots[ring->filled & ring->mask], item, memory_order_relaxed);
	ring->filled++;
}

/* There must be room for all. */
static inline void ml_ring_put_all(struct ml_ring *ring, void *const *items, size_t count)
{
	const uint64_t filled = ring->filled;
	for (size_t i = 0; i < count; i++)
		atomic_store_explicit(
			&ring->slots[(filled + i) & ring->mask], items[i], memory_order_relaxed);
	ring->filled = filled + count;
}

static inline void ml_ring_publish(struct ml_ring *ring)
{
	atomic_store_explicit(&ring->head, ring->filled, memory_order_release);
}

/* Takes the oldest published item, to make room. NULL: the consumer was quicker. */
static inline void *ml_ring_evict(struct ml_ring *ring)
{
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
	if (tail == atomic_load_explicit(&ring->head, memory_order_relaxed))
		return NULL;
	void *item = atomic_load_explicit(&ring->slots[tail & ring->mask], memory_order_relaxed);
	if (!atomic_compare_exchange_strong_explicit(
		    &ring->tail, &tail, tail + 1, memory_order_acq_rel, memory_order_acquire))
		return NULL;
	ring->seen_tail = tail + 1;
	return item;
}

/* ---- Consumer ---- */

/* Published and not yet taken, at least `want` or as many as there are. */
static inline size_t ml_ring_ready(struct ml_ring *ring, size_t want)
{
	const uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	if ((int64_t)(ring->seen_head - tail) < (int64_t)want)
		ring->seen_head = atomic_load_explicit(&ring->head, memory_order_acquire);
	return (size_t)(ring->seen_head - tail);
}

/* Takes up to `count` items, which must be ready. Only where the producer never evicts. */
static inline void ml_ring_take(struct ml_ring *ring, void **items, size_t count)
{
	const uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	for (size_t i = 0; i < count; i++)
		items[i] = atomic_load_explicit(
			&ring->slots[(tail + i) & ring->mask], memory_order_relaxed);
	atomic_store_explicit(&ring->tail, tail + count, memory_order_release);
}

/* The same beside a producer that evicts. Returns how many were taken: fewer when it was quicker.
 * Never takes what lies at or behind position `end`. */
static inline size_t ml_ring_take_shared(
	struct ml_ring *ring, void **items, size_t count, uint64_t end)
{
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
	for (;;) {
		ring->seen_head = atomic_load_explicit(&ring->head, memory_order_acquire);
		const uint64_t limit = end < ring->seen_head ? end : ring->seen_head;
		if (tail >= limit)
			return 0;
		size_t n = (size_t)(limit - tail);
		if (n > count)
			n = count;
		for (size_t i = 0; i < n; i++)
			items[i] = atomic_load_explicit(
				&ring->slots[(tail + i) & ring->mask], memory_order_relaxed);
		if (atomic_compare_exchange_weak_explicit(&ring->tail, &tail, tail + n,
			    memory_order_acq_rel, memory_order_acquire))
			return n;
	}
}

/* ---- Either, also a third party: a moment's picture ---- */

static inline size_t ml_ring_depth(const struct ml_ring *ring)
{
	const uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
	const uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
	return (int64_t)(head - tail) > 0 ? (size_t)(head - tail) : 0;
}

#endif
