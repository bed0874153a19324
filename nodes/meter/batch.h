/* The message `batch`: readings to be reported, as a handle that is read page by page.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A batch is what a store answers to a query: it names the readings (a destination and a range of
 * sequence numbers) and never holds them. Who renders it opens a cursor, as often as it likes and
 * in the order it needs, on its own lane. What the batch names does not change while it lives:
 * readings that come in later belong to the next one.
 *
 * The ack of the message tells the store whether the readings were delivered.
 */
#ifndef METER_BATCH_H
#define METER_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/message.h>

#include "meter/reading.h"

struct meter_batch;
struct meter_delivery; /* meter/delivery.h */

enum meter_batch_order {
	METER_BATCH_BY_TIME,  /* oldest first; of one time in the order they were stored */
	METER_BATCH_BY_METER, /* meter by meter in the order of the list, each oldest first */
};

struct meter_batch_item {
	uint64_t sequence; /* number in the store */
	const struct meter_reading
		*reading; /* decoded; its `point` names the place in the meter list */
};

/* Written by the store. A cursor belongs to the thread that opened it; cursors on different threads
 * may be open at the same time. */
struct meter_batch_class {
	int (*open)(const struct meter_batch *batch, enum meter_batch_order order,
		void **ret_cursor, struct ml_error *err);
	/* The next page: up to `size` items, whose readings stay until the next call on this
	 * cursor. Returns how many; 0 after the last; a negative errno. */
	int (*page)(
		void *cursor, struct meter_batch_item *items, size_t size, struct ml_error *err);
	void (*close)(void *cursor);
	/* The message was let go of by all: frees the handle. Any lane. May be NULL. */
	void (*release)(void *handle);
};

enum { METER_DESTINATION_MAX = 64 }; /* bytes, with the NUL */

struct meter_batch {
	const struct meter_batch_class *class;
	void *handle;                            /* the store's own */
	char destination[METER_DESTINATION_MAX]; /* whose "sent" it is about */
	uint64_t first, last;                    /* sequence numbers, both included */
	uint64_t count;                          /* of readings; 0: there was nothing new */
	ml_time from, to;                /* wall time of the oldest and the newest reading */
	struct ml_trigger trigger;       /* what asked for it; `due` stands in file names */
	bool test;                       /* nothing of it will count as sent */
	bool more;                       /* another batch follows at once */
	struct meter_delivery *delivery; /* a reference; NULL: not a store's, nothing is kept */
};

/* Declared by the family "meter". The payload is a struct meter_batch. */
extern const struct ml_message_type meter_batch_type;

static inline const struct meter_batch *meter_batch(const struct ml_message *message)
{
	return (const struct meter_batch *)(const void *)message->payload;
}

static inline int meter_batch_open(const struct meter_batch *batch, enum meter_batch_order order,
	void **ret_cursor, struct ml_error *err)
{
	return batch->class->open(batch, order, ret_cursor, err);
}

#endif
