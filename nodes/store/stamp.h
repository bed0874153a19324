/* Readings that came before the clock was known to be right: kept by boot and monotonic time, and
 * given their wall time when it is.
 * SPDX-License-Identifier: Apache-2.0
 *
 * All at once, in one transaction. Those of an earlier start whose clock never became right follow
 * what was read before that start, as closely as monotonic time allows; the table `guessed` tells
 * which these are.
 */
#ifndef STORE_STAMP_H
#define STORE_STAMP_H

#include <sqlite3.h>
#include <stdbool.h>

#include <meterloom/error.h>
#include <meterloom/wall.h>

#include "store/row.h"

struct store_stamper {
	struct ml_engine *engine;
	struct ml_wall_watch *watch;
	bool due; /* there may be readings without a wall time */
};

/* The time of a reading that is about to be written: *time, when it was stamped, becomes its wall
 * time; while the clock is not known to be right the best guess, and row->time and row->boot say
 * its monotonic time instead. */
void store_stamp_row(struct store_stamper *stamper, ml_time *time, struct store_row *row);

/* Gives all readings of the database their time, where the clock is known by now. 1: it did; 0:
 * there was nothing to do. Not within a transaction. */
int store_stamp_all(struct store_stamper *stamper, sqlite3 *db, struct ml_error *err);

/* Whether reports must still wait: the clock is not known, or readings have yet to get their time.
 */
bool store_stamp_waits(const struct store_stamper *stamper);

/* Whether the time of a reading was given by rule. */
int store_stamp_guessed(sqlite3 *db, uint64_t sequence, bool *ret_guessed, struct ml_error *err);

#endif
