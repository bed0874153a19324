/* A lane's messages: size classes of slabs that are kept and used again.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Only the lane takes from its pool. What ends on another lane is gathered there and handed back as
 * one chain. Memory is bounded by what the rings can hold and nodes keep; it is not given back.
 */
#ifndef ML_RUN_POOL_H
#define ML_RUN_POOL_H

#include <meterloom/message.h>

enum { ML_POOL_CLASSES = 11 }; /* payloads of 64 bytes to 64 KiB */

struct ml_pool {
	struct ml_message *free[ML_POOL_CLASSES];
	void *chunks; /* a list */
	_Atomic(struct ml_message *) returned;
	atomic_ullong bytes; /* of all chunks */
};

/* Messages of one other pool, gathered. */
struct ml_returns {
	struct ml_pool *pool;
	struct ml_message *first, *last;
	unsigned count;
};

struct ml_message *ml_pool_take(struct ml_pool *pool, size_t size);
/* `own`: the pool of the lane that this runs on. */
void ml_pool_give(struct ml_pool *own, struct ml_returns *returns, struct ml_message *message);
void ml_returns_flush(struct ml_returns *returns);
void ml_pool_free(struct ml_pool *pool);

#endif
