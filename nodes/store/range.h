/* Ranges of the store that are to be sent: planned.
 * SPDX-License-Identifier: Apache-2.0
 *
 * On the writer's connection, between its transactions.
 */
#ifndef STORE_RANGE_H
#define STORE_RANGE_H

#include <sqlite3.h>

#include <meterloom/message.h>

#include "meter/batch.h"

struct ml_engine;

struct store_range {
	uint64_t first, last; /* sequence numbers, both included */
	uint64_t count;       /* of readings that hold values, before they are thinned out */
	ml_time from, to;     /* wall; of a fixed period its bounds, `to` not included */
	ml_time spacing;      /* least time between two readings of a meter; 0: all are taken */
	bool fixed;           /* all of the period, sent before or not */
	bool more;            /* more follows at once */
	struct ml_trigger trigger;
};

/* What cannot be read is told to the engine and left out (scan.h).
 *
 * Plans the next one: all after the cursor, at most `limit` readouts of each meter. count 0: there
 * is nothing new. */
int store_range_plan(struct ml_engine *engine, sqlite3 *db, uint64_t epoch, const char *destination,
	uint64_t until, unsigned limit, ml_time spacing, struct store_range *range,
	struct ml_error *err);

/* The same for all after a sequence number. */
int store_range_plan_after(struct ml_engine *engine, sqlite3 *db, uint64_t after, uint64_t until,
	unsigned limit, ml_time spacing, struct store_range *range, struct ml_error *err);

/* Plans one of a fixed period, `to` not included. */
int store_range_plan_fixed(struct ml_engine *engine, sqlite3 *db, uint64_t until, ml_time from,
	ml_time to, struct store_range *range, struct ml_error *err);

/* Plans a piece of such a period: from its beginning on as much as has at most `limit` readouts of
 * each meter. */
int store_range_plan_piece(struct ml_engine *engine, sqlite3 *db, uint64_t until, ml_time from,
	ml_time to, unsigned limit, struct store_range *range, struct ml_error *err);

/* How many readings that hold values stand after a sequence number: exactly up to some ten
 * thousands in rows, else no fewer than there are. Numbers may be left out, so that they are
 * counted. */
int store_range_behind(
	sqlite3 *db, uint64_t after, uint64_t until, uint64_t *ret_count, struct ml_error *err);

/* How far a destination has got; 0: it has nothing. */
int store_cursor_load(sqlite3 *db, uint64_t epoch, const char *destination, uint64_t *sequence,
	struct ml_error *err);

#endif
