/* Message pools.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run/pool.h"

#include <stdlib.h>

enum { CHUNK = 16 * 1024, SMALLEST = 64 };

struct chunk {
	_Alignas(64) struct chunk *next;
};

static uint32_t class_of(size_t size)
{
	uint32_t class = 0;
	while (((size_t)SMALLEST << class) < size)
		class ++;
	return class;
}

static void take_back(struct ml_pool *pool)
{
	struct ml_message *list =
		atomic_exchange_explicit(&pool->returned, NULL, memory_order_acquire);
	while (list) {
		struct ml_message *next = list->next;
		list->next = pool->free[list->size_class];
		pool->free[list->size_class] = list;
		list = next;
	}
}

static bool grow(struct ml_pool *pool, uint32_t class)
{
	const size_t each = sizeof(struct ml_message) + ((size_t)SMALLEST << class);
	const size_t step = (each + 63) & ~(size_t)63;
	const size_t count = step * 2 > CHUNK ? 1 : CHUNK / step;
	const size_t bytes = sizeof(struct chunk) + count * step;
	struct chunk *chunk = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
	if (!chunk)
		return false;
	chunk->next = pool->chunks;
	pool->chunks = chunk;
	atomic_fetch_add_explicit(&pool->bytes, bytes, memory_order_relaxed);
	char *at = (char *)(chunk + 1);
	for (size_t i = 0; i < count; i++, at += step) {
		struct ml_message *message = (struct ml_message *)(void *)at;
		message->pool = pool;
		message->size_class = class;
		message->next = pool->free[class];
		pool->free[class] = message;
	}
	return true;
}

struct ml_message *ml_pool_take(struct ml_pool *pool, size_t size)
{
	if (size > ML_MESSAGE_MAX)
		return NULL;
	const uint32_t class = class_of(size);
	if (!pool->free[class]) {
		take_back(pool);
		if (!pool->free[class] && !grow(pool, class))
			return NULL;
	}
	struct ml_message *message = pool->free[class];
	pool->free[class] = message->next;
	return message;
}

void ml_returns_flush(struct ml_returns *returns)
{
	if (!returns->count)
		return;
	struct ml_message *old =
		atomic_load_explicit(&returns->pool->returned, memory_order_relaxed);
	do {
		returns->last->next = old;
	} while (!atomic_compare_exchange_weak_explicit(&returns->pool->returned, &old,
		returns->first, memory_order_release, memory_order_relaxed));
	*returns = (struct ml_returns){0};
}

void ml_pool_give(struct ml_pool *own, struct ml_returns *returns, struct ml_message *message)
{
	struct ml_pool *pool = message->pool;
	if (pool == own) {
		message->next = pool->free[message->size_class];
		pool->free[message->size_class] = message;
		return;
	}
	if (returns->pool != pool)
		ml_returns_flush(returns);
	if (!returns->count) {
		returns->pool = pool;
		returns->last = message;
	}
	message->next = returns->first;
	returns->first = message;
	if (++returns->count >= 64)
		ml_returns_flush(returns);
}

void ml_pool_free(struct ml_pool *pool)
{
	for (struct chunk *chunk = pool->chunks, *next; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	*pool = (struct ml_pool){0};
}
