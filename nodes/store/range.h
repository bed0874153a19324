/* What is on its way to a destination: ranges of the store, planned, persisted, delivered.
 * SPDX-License-Identifier: Apache-2.0
 *
 * On the writer's connection, between its transactions.
 */
#ifndef STORE_RANGE_H
#define STORE_RANGE_H

#include <sqlite3.h>

#include <meterloom/message.h>

#include "meter/batch.h"

struct store_range {
	uint64_t first, last; /* sequence numbers, both included */
	uint64_t count;       /* of readings that hold values, before they are thinned out */
	ml_time from, to;     /* wall; of a fixed period its bounds, `to` not included */
	ml_time spacing;      /* least time between two readings of a meter; 0: all are taken */
	bool fixed;           /* all of the period, sent before or not */
	bool more;            /* more follows at once */
	struct ml_trigger trigger;
};

/* The range that is outstanding for a destination. 1: there is one; 0: none; else an error. */
int store_range_load(sqlite3 *db, uint64_t epoch, const char *destination,
	struct store_range *range, struct ml_error *err);

/* Plans the next one: all after the cursor, at most `limit` readouts of each meter. count 0: there
 * is nothing new. */
int store_range_plan(sqlite3 *db, uint64_t epoch, const char *destination, uint64_t until,
	unsigned limit, ml_time spacing, struct store_range *range, struct ml_error *err);

/* Plans one of a fixed period. */
int store_range_plan_fixed(sqlite3 *db, uint64_t until, ml_time from, ml_time to,
	struct store_range *range, struct ml_error *err);

/* Writes it down before it is sent. */
int store_range_save(sqlite3 *db, uint64_t epoch, const char *destination,
	const struct store_range *range, struct ml_error *err);

/* It was delivered: the cursor moves, and it is outstanding no longer, both at once. */
int store_range_delivered(sqlite3 *db, uint64_t epoch, const char *destination,
	const struct store_range *range, struct ml_error *err);

/* How far a destination has got; 0: it has nothing. */
int store_cursor_load(sqlite3 *db, uint64_t epoch, const char *destination, uint64_t *sequence,
	struct ml_error *err);

#endif
