/* What waits to be written to log.db: bounded, and no faster than a card should be written.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any, it has a lock of its own; nothing in here logs or blocks.
 */
#ifndef ML_COMMAND_LOG_QUEUE_H
#define ML_COMMAND_LOG_QUEUE_H

#include <pthread.h>

#include "command/log_database.h"

enum {
	ML_LOG_QUEUE_MAX = 4096, /* entries; debug and info may fill half of it */
	ML_LOG_QUEUE_BYTES = 1 << 20,
	ML_LOG_CLASSES = 3,   /* debug; info; warnings and errors; of each: */
	ML_LOG_BURST = 20000, /* entries at a time, then */
	ML_LOG_RATE = 5,      /* a second */
};

/* How long an entry waits for others before it is written. */
#define ML_LOG_GATHER_INFO (30 * ML_SEC)
#define ML_LOG_GATHER_WARNING (5 * ML_SEC)
#define ML_LOG_GATHER_ERROR ML_SEC

struct ml_log_item {
	struct ml_log_item *next;
	enum ml_log_kind kind;
	struct ml_log_row row; /* its texts follow the struct */
	size_t bytes;
};

/* How many may still be taken: refilled with time. */
struct ml_log_budget {
	ml_time at;     /* monotonic */
	int64_t micros; /* an entry costs a million */
};

struct ml_log_queue {
	pthread_mutex_t lock;
	struct ml_log_item *first, *last;
	size_t count, bytes;
	struct ml_log_budget budgets[ML_LOG_CLASSES];
	enum ml_log_level keep; /* the lowest level of lines that is taken */
	ml_time wanted;         /* monotonic: when it wants to be written; ML_NEVER */
	bool closed;            /* nothing is taken any more */
	uint64_t lost, lost_debug;
};

void ml_log_queue_init(struct ml_log_queue *queue, ml_time now);
void ml_log_queue_destroy(struct ml_log_queue *queue);

/* Copies a row, or counts it as lost. true: it wants to be written earlier than it did before. */
bool ml_log_queue_take(struct ml_log_queue *queue, enum ml_log_kind kind,
	const struct ml_log_row *row, ml_time now);

/* Takes everything off it: a list that ends in *ret_last; NULL: there is nothing. */
struct ml_log_item *ml_log_queue_all(struct ml_log_queue *queue, struct ml_log_item **ret_last);
/* What could not be written is at its head again. */
void ml_log_queue_put_back(
	struct ml_log_queue *queue, struct ml_log_item *first, struct ml_log_item *last);
void ml_log_items_free(struct ml_log_item *first);

ml_time ml_log_queue_wanted(struct ml_log_queue *queue);
void ml_log_queue_keep(struct ml_log_queue *queue, enum ml_log_level level);
void ml_log_queue_close(struct ml_log_queue *queue);
/* What was lost; `forget`: it was told. */
bool ml_log_queue_losses(
	struct ml_log_queue *queue, bool forget, uint64_t *ret_lost, uint64_t *ret_debug);

#endif
