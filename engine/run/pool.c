/* Message pools.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run/pool.h"

#include <stdlib.h>
#include <string.h>

enum {
	CHUNK = 16 * 1024,
	SMALLEST = 64,
	AHEAD = 8, /* messages that are fetched before they are taken */
};

struct chunk {
	_Alignas(64) struct chunk *next;
};

void ml_pool_init(struct ml_pool *pool)
{
	*pool = (struct ml_pool){0};
	pthread_mutex_init(&pool->lock, NULL);
}

static uint32_t class_of(size_t size)
{
	uint32_t class = 0;
	while (((size_t)SMALLEST << class) < size)
		class ++;
	return class;
}

static void take_back(struct ml_pool *pool, struct ml_pool_class *class)
{
	if (!class->total)
		return;
	pthread_mutex_lock(&pool->lock);
	memcpy(class->free + class->free_count, class->returned,
		class->returned_count * sizeof(struct ml_message *));
	class->free_count += class->returned_count;
	class->returned_count = 0;
	pthread_mutex_unlock(&pool->lock);
}

/* Room in both arrays for `more` messages. */
static bool make_room(struct ml_pool *pool, struct ml_pool_class *class, size_t more)
{
	const size_t bytes = (class->total + more) * sizeof(struct ml_message *);
	struct ml_message **mine = realloc(class->free, bytes);
	if (!mine)
		return false;
	class->free = mine;
	pthread_mutex_lock(&pool->lock);
	struct ml_message **returned = realloc(class->returned, bytes);
	if (returned)
		class->returned = returned;
	pthread_mutex_unlock(&pool->lock);
	return returned != NULL;
}

static bool grow(struct ml_pool *pool, uint32_t size_class)
{
	struct ml_pool_class *class = &pool->classes[size_class];
	const size_t each = sizeof(struct ml_message) + ((size_t)SMALLEST << size_class);
	const size_t step = (each + 63) & ~(size_t)63;
	const size_t count = step * 2 > CHUNK ? 1 : CHUNK / step;
	const size_t bytes = sizeof(struct chunk) + count * step;
	if (!make_room(pool, class, count))
		return false;
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
		message->size_class = size_class;
		class->free[class->free_count++] = message;
	}
	class->total += count;
	return true;
}

struct ml_message *ml_pool_take(struct ml_pool *pool, size_t size)
{
	if (size > ML_MESSAGE_MAX)
		return NULL;
	const uint32_t size_class = class_of(size);
	struct ml_pool_class *class = &pool->classes[size_class];
	if (!class->free_count) {
		take_back(pool, class);
		if (!class->free_count && !grow(pool, size_class))
			return NULL;
	}
	struct ml_message *message = class->free[--class->free_count];
	if (class->free_count >= AHEAD)
		__builtin_prefetch(class->free[class->free_count - AHEAD], 1);
	return message;
}

void ml_returns_flush(struct ml_returns *returns)
{
	if (!returns->count)
		return;
	struct ml_pool *pool = returns->pool;
	struct ml_pool_class *class = &pool->classes[returns->size_class];
	pthread_mutex_lock(&pool->lock);
	memcpy(class->returned + class->returned_count, returns->messages,
		returns->count * sizeof(struct ml_message *));
	class->returned_count += returns->count;
	pthread_mutex_unlock(&pool->lock);
	returns->count = 0;
}

void ml_pool_give(struct ml_pool *own, struct ml_returns *returns, struct ml_message *message)
{
	struct ml_pool *pool = message->pool;
	const uint32_t size_class = message->size_class;
	if (pool == own) {
		struct ml_pool_class *class = &own->classes[size_class];
		class->free[class->free_count++] = message;
		return;
	}
	if (returns->count && (returns->pool != pool || returns->size_class != size_class ||
				      returns->count == ML_RETURNS_A_CHAIN))
		ml_returns_flush(returns);
	returns->pool = pool;
	returns->size_class = size_class;
	returns->messages[returns->count++] = message;
}

void ml_pool_free(struct ml_pool *pool)
{
	for (struct chunk *chunk = pool->chunks, *next; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	for (size_t i = 0; i < ML_POOL_CLASSES; i++) {
		free(pool->classes[i].free);
		free(pool->classes[i].returned);
	}
	pthread_mutex_destroy(&pool->lock);
}
