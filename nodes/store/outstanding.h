/* What is on its way to a destination, what is to be sent again, and what was delivered: written
 * down. SPDX-License-Identifier: Apache-2.0
 *
 * On the writer's connection, between its transactions; what only reads may have one of its own.
 */
#ifndef STORE_OUTSTANDING_H
#define STORE_OUTSTANDING_H

#include "meter/delivery.h"
#include "store/range.h"

enum { STORE_HISTORY_MAX = 1000 }; /* deliveries that are remembered, of each destination */

struct store_outstanding {
	struct store_range range;
	char key[METER_DELIVERY_KEY_MAX]; /* of its folder in the outbox */
	bool refused;                     /* waits for a person */
	int64_t resend;                   /* the piece of a resend with this key; 0: it is none */
	unsigned tries;                   /* that failed */
	ml_time tried;                    /* wall; of the last of these */
	char reason[METER_DELIVERY_REASON_MAX];
};

/* 1: there is one; 0: none; else an error. */
int store_outstanding_load(sqlite3 *db, uint64_t epoch, const char *destination,
	struct store_outstanding *outstanding, struct ml_error *err);

/* Writes it down: before it is sent first, after a try, and with a new key. */
int store_outstanding_save(sqlite3 *db, uint64_t epoch, const char *destination,
	const struct store_outstanding *outstanding, struct ml_error *err);

/* How it ended. */
struct store_ending {
	enum meter_delivery_result result; /* DELIVERED, or UNKNOWN: it was given up */
	ml_time time;
	const char *reason;    /* "": none */
	const char *documents; /* JSON; NULL: none */
};

/* It was delivered or given up: the cursor moves (or the resend goes on), it is outstanding no
 * longer, and the history has it, all at once. */
int store_outstanding_end(sqlite3 *db, uint64_t epoch, const char *destination,
	const struct store_outstanding *outstanding, const struct store_ending *ending,
	struct ml_error *err);

/* The cursor alone: what is passed is in no report. */
int store_cursor_move(sqlite3 *db, uint64_t epoch, const char *destination, uint64_t sequence,
	struct ml_error *err);

/* Calls `each` for the keys of all that is outstanding. */
int store_outstanding_keys(
	sqlite3 *db, void (*each)(void *user, const char *key), void *user, struct ml_error *err);

/* ---- To be sent again: a stretch of time, in pieces ---- */

struct store_resend {
	int64_t key;
	ml_time from, to; /* what is left of it; `to` not included */
	uint64_t until;   /* readings that came later do not belong to it */
	ml_time asked;    /* wall */
	unsigned pieces;  /* sent */
};

int store_resend_add(sqlite3 *db, uint64_t epoch, const char *destination,
	const struct store_resend *resend, struct ml_error *err);
/* The oldest. 1: there is one; 0: none. */
int store_resend_next(sqlite3 *db, uint64_t epoch, const char *destination,
	struct store_resend *resend, struct ml_error *err);
/* What is left begins there; at its end it goes. */
int store_resend_advance(sqlite3 *db, int64_t key, ml_time from, struct ml_error *err);
/* 1: the database knows the destination; 0: nothing was ever sent or asked for under this name. */
int store_destination_known(sqlite3 *db, const char *destination, struct ml_error *err);
/* All of a destination. Gives how many there were. */
int store_resend_drop(sqlite3 *db, uint64_t epoch, const char *destination, struct ml_error *err);

/* ---- What was delivered ---- */

struct store_delivery {
	int64_t number;
	const char *destination, *key, *reason, *documents; /* documents: JSON */
	uint64_t first, last, count;
	ml_time from, to, spacing, due, time;
	bool fixed;     /* of the sequence range only what lies in the period */
	bool resend;    /* asked for again */
	bool delivered; /* false: given up */
};

/* The newest first. `each` gives false to end. destination NULL: all. */
int store_deliveries(sqlite3 *db, const char *destination, size_t limit,
	bool (*each)(void *user, const struct store_delivery *delivery), void *user,
	struct ml_error *err);

/* In which a reading went, or would have gone, the oldest first; where the report takes only some
 * of a meter's readings (`spacing`), it may have been left out. */
int store_deliveries_of(sqlite3 *db, uint64_t epoch, uint64_t sequence, ml_time time,
	bool (*each)(void *user, const struct store_delivery *delivery), void *user,
	struct ml_error *err);

#endif
