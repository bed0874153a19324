/* What waits to be written to log.db: bounded, and no faster than a card should be written.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "command/log_queue.h"

#include <stdlib.h>
#include <string.h>

#define COST INT64_C(1000000)
#define FULL (ML_LOG_BURST * COST)

void ml_log_queue_init(struct ml_log_queue *queue, ml_time now)
{
	*queue = (struct ml_log_queue){.keep = ML_LOG_INFO, .wanted = ML_NEVER};
	for (size_t i = 0; i < ML_LOG_CLASSES; i++)
		queue->budgets[i] = (struct ml_log_budget){.at = now, .micros = FULL};
	(void)pthread_mutex_init(&queue->lock, NULL);
}

void ml_log_items_free(struct ml_log_item *first)
{
	while (first) {
		struct ml_log_item *next = first->next;
		free(first);
		first = next;
	}
}

void ml_log_queue_destroy(struct ml_log_queue *queue)
{
	ml_log_items_free(queue->first);
	(void)pthread_mutex_destroy(&queue->lock);
}

static bool spend(struct ml_log_budget *budget, ml_time now)
{
	const ml_time passed = now - budget->at;
	budget->at = now;
	if (passed >= FULL / ML_LOG_RATE || budget->micros + passed * ML_LOG_RATE > FULL)
		budget->micros = FULL;
	else
		budget->micros += passed * ML_LOG_RATE;
	if (budget->micros < COST)
		return false;
	budget->micros -= COST;
	return true;
}

static ml_time patience(enum ml_log_level level)
{
	if (level >= ML_LOG_ERROR)
		return ML_LOG_GATHER_ERROR;
	return level == ML_LOG_WARNING ? ML_LOG_GATHER_WARNING : ML_LOG_GATHER_INFO;
}

/* With the lock held: whether there is room and leave for it. */
static bool may_take(struct ml_log_queue *queue, enum ml_log_level level, size_t bytes, ml_time now)
{
	const size_t share = level > ML_LOG_INFO ? 1 : 2;
	const size_t class = level > ML_LOG_INFO ? 2 : (size_t)level;
	return queue->count < ML_LOG_QUEUE_MAX / share &&
	       queue->bytes + bytes <= ML_LOG_QUEUE_BYTES / share &&
	       spend(&queue->budgets[class], now);
}

static struct ml_log_item *item_new(
	enum ml_log_kind kind, const struct ml_log_row *row, size_t origin, size_t bytes)
{
	struct ml_log_item *item = malloc(bytes);
	if (!item)
		return NULL;
	char *tail = (char *)(item + 1);
	memcpy(tail, row->origin, origin);
	memcpy(tail + origin, row->text, row->text_length);
	tail[origin + row->text_length] = '\0';
	*item = (struct ml_log_item){.kind = kind, .row = *row, .bytes = bytes};
	item->row.origin = tail;
	item->row.text = tail + origin;
	return item;
}

/* With the lock held. */
static bool append(struct ml_log_queue *queue, struct ml_log_item *item, ml_time now)
{
	ml_time wanted = now + patience(item->row.level);
	if (queue->last)
		queue->last->next = item;
	else
		queue->first = item;
	queue->last = item;
	queue->count++;
	queue->bytes += item->bytes;
	if (queue->count == ML_LOG_QUEUE_MAX / 4)
		wanted = now; /* this may be a flood */
	if (wanted >= queue->wanted)
		return false;
	queue->wanted = wanted;
	return true;
}

bool ml_log_queue_take(struct ml_log_queue *queue, enum ml_log_kind kind,
	const struct ml_log_row *row, ml_time now)
{
	const size_t origin = strlen(row->origin) + 1;
	const size_t bytes = sizeof(struct ml_log_item) + origin + row->text_length + 1;
	bool earlier = false;
	(void)pthread_mutex_lock(&queue->lock);
	if (!queue->closed && (kind == ML_LOG_EVENTS || row->level >= queue->keep)) {
		struct ml_log_item *item = NULL;
		if (may_take(queue, row->level, bytes, now))
			item = item_new(kind, row, origin, bytes);
		if (item)
			earlier = append(queue, item, now);
		else if (row->level == ML_LOG_DEBUG)
			queue->lost_debug++;
		else
			queue->lost++;
	}
	(void)pthread_mutex_unlock(&queue->lock);
	return earlier;
}

struct ml_log_item *ml_log_queue_all(struct ml_log_queue *queue, struct ml_log_item **ret_last)
{
	(void)pthread_mutex_lock(&queue->lock);
	struct ml_log_item *first = queue->first;
	*ret_last = queue->last;
	queue->first = queue->last = NULL;
	queue->count = queue->bytes = 0;
	queue->wanted = ML_NEVER;
	(void)pthread_mutex_unlock(&queue->lock);
	return first;
}

void ml_log_queue_put_back(
	struct ml_log_queue *queue, struct ml_log_item *first, struct ml_log_item *last)
{
	size_t count = 1, bytes = last->bytes;
	for (const struct ml_log_item *item = first; item != last; item = item->next) {
		count++;
		bytes += item->bytes;
	}
	(void)pthread_mutex_lock(&queue->lock);
	last->next = queue->first;
	if (!queue->first)
		queue->last = last;
	queue->first = first;
	queue->count += count;
	queue->bytes += bytes;
	(void)pthread_mutex_unlock(&queue->lock);
}

ml_time ml_log_queue_wanted(struct ml_log_queue *queue)
{
	(void)pthread_mutex_lock(&queue->lock);
	const ml_time wanted = queue->closed ? ML_NEVER : queue->wanted;
	(void)pthread_mutex_unlock(&queue->lock);
	return wanted;
}

void ml_log_queue_keep(struct ml_log_queue *queue, enum ml_log_level level)
{
	(void)pthread_mutex_lock(&queue->lock);
	queue->keep = level;
	(void)pthread_mutex_unlock(&queue->lock);
}

void ml_log_queue_close(struct ml_log_queue *queue)
{
	(void)pthread_mutex_lock(&queue->lock);
	queue->closed = true;
	(void)pthread_mutex_unlock(&queue->lock);
}

bool ml_log_queue_losses(
	struct ml_log_queue *queue, bool forget, uint64_t *ret_lost, uint64_t *ret_debug)
{
	(void)pthread_mutex_lock(&queue->lock);
	*ret_lost = queue->lost;
	*ret_debug = queue->lost_debug;
	if (forget)
		queue->lost = queue->lost_debug = 0;
	(void)pthread_mutex_unlock(&queue->lock);
	return *ret_lost || *ret_debug;
}
