/* What nodes keep beside the readings: named bytes, written in the same transactions.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The keeper is the writer of readings.db. A node opens a drawer of its own, which is known by the
 * node's id, and tells the keeper when it holds something new. With the next commit, together with
 * the readings of that moment, the keeper asks the drawer for what is to be written and, once it
 * is on the disk, tells it so. Where the disk fails the same is asked for again later. So a node
 * may hold the ack of a message until what it made of it has been written.
 *
 * The node lives on the lane "database", and all of this is on it.
 */
#ifndef METER_KEEP_H
#define METER_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/error.h>
#include <meterloom/family.h>

#include "meter/reading.h"

struct ml_engine;
struct ml_node;
struct meter_keeping;

enum { METER_KEEP_NAME_MAX = 64 }; /* bytes of a name */

#define METER_KEEP_LANE "database"

/* Embedded in the node's instance. */
struct meter_drawer {
	struct ml_node *node;
	/* Within a transaction: writes with meter_keeping_put() all that has changed since
	 * `written` was told. An error undoes the transaction. */
	int (*write)(
		struct meter_drawer *drawer, struct meter_keeping *keeping, struct ml_error *err);
	/* What `write` wrote is on the disk. */
	void (*written)(struct meter_drawer *drawer);
	/* Whether it can be written now. `err` tells why not; NULL: it can again. */
	void (*trouble)(struct meter_drawer *drawer, const struct ml_error *err);
	/* the keeper's */
	bool waiting, asked;
	struct meter_drawer *next;
};

/* Written by the keeper. */
struct meter_keep {
	/* -EINVAL: the graph puts the node on another lane. In prepare. */
	int (*check)(const struct ml_node *node, struct ml_error *err);
	/* In start and stop. What the drawer still has is written when it is closed, or not. */
	void (*open)(struct ml_engine *engine, struct meter_drawer *drawer);
	void (*close)(struct ml_engine *engine, struct meter_drawer *drawer);
	/* There is something to be written, soon. */
	void (*changed)(struct ml_engine *engine, struct meter_drawer *drawer);
	/* All that is kept of the node, in the order of names. Ends with what `each` returns unless
	 * that is 0. */
	int (*load)(struct ml_engine *engine, const char *node,
		int (*each)(void *user, const void *name, size_t name_length, const void *bytes,
			size_t length),
		void *user, struct ml_error *err);
	/* Within `write`. `bytes` NULL: it is kept no longer. */
	int (*put)(struct meter_keeping *keeping, const void *name, size_t name_length,
		const void *bytes, size_t length, struct ml_error *err);
	/* Stored readings of a point (0: of an identity outside of the list) from a wall time on,
	 * in the order of time, readouts that failed too. Ends with what `each` returns unless that
	 * is 0. */
	int (*readings)(struct ml_engine *engine, uint32_t point,
		const struct meter_identity *identity, ml_time from,
		int (*each)(void *user, const struct meter_reading *reading), void *user,
		struct ml_error *err);
};

#define METER_KEEP_SERVICE "kept"

/* NULL: this engine keeps nothing. Any thread. */
static inline const struct meter_keep *meter_keep(struct ml_engine *engine)
{
	return ml_service(engine, METER_KEEP_SERVICE);
}

#endif
