/* A lane's messages: size classes of slabs that are kept and used again.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Only the lane takes from its pool. What ends on another lane is gathered there and handed back
 * many at a time. Free messages are kept as arrays of pointers, not as a list through them: a
 * message that comes from another processor is not touched until it is used, and by then it has
 * been fetched ahead. Memory is bounded by what the rings can hold and nodes keep; it is not given
 * back.
 */
#ifndef ML_RUN_POOL_H
#define ML_RUN_POOL_H

#include <pthread.h>

#include <meterloom/message.h>

enum {
	ML_POOL_CLASSES = 11,     /* payloads of 64 bytes to 64 KiB */
	ML_RETURNS_A_CHAIN = 128, /* handed back at once */
};

/* One size class. Both arrays have room for all messages that were ever made of it. */
struct ml_pool_class {
	struct ml_message **free; /* the lane's own */
	size_t free_count;
	struct ml_message **returned; /* by other lanes, under the pool's lock */
	size_t returned_count;
	size_t total;
};

struct ml_pool {
	struct ml_pool_class classes[ML_POOL_CLASSES];
	pthread_mutex_t lock;
	void *chunks;        /* a list */
	atomic_ullong bytes; /* of all chunks */
};

/* Messages of one class of one other pool, gathered. */
struct ml_returns {
	struct ml_pool *pool;
	uint32_t size_class;
	uint32_t count;
	struct ml_message *messages[ML_RETURNS_A_CHAIN];
};

void ml_pool_init(struct ml_pool *pool);
struct ml_message *ml_pool_take(struct ml_pool *pool, size_t size);
/* `own`: the pool of the lane that this runs on. */
void ml_pool_give(struct ml_pool *own, struct ml_returns *returns, struct ml_message *message);
void ml_returns_flush(struct ml_returns *returns);
void ml_pool_free(struct ml_pool *pool);

#endif
