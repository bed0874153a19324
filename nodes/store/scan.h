/* Reading back: stored readings in order, over rows and chunks alike.
 * SPDX-License-Identifier: Apache-2.0
 *
 * All that reads stored readings goes through here. A *view* is one connection with its statements,
 * known shapes and sources; a *scan* walks the readings of some sources in the order of time or of
 * sequence, forwards or backwards. A scan keeps some rows ahead of each source, and between two
 * calls no statement and no transaction is open: it never holds up the writer, however slowly it
 * is read, and readings that are packed meanwhile are found where they then are. What is stored
 * after a scan began may or may not be seen by it: bound it by `last` where that matters.
 *
 * A view belongs to one thread at a time.
 */
#ifndef STORE_SCAN_H
#define STORE_SCAN_H

#include <sqlite3.h>
#include <stdbool.h>

#include <meterloom/error.h>

#include "meter/origin.h"
#include "store/pack.h"
#include "store/row.h"

struct ml_engine;
struct store_view;
struct store_scan;

/* Who gave readings. */
struct store_source {
	int64_t key;    /* store_row.device */
	uint32_t point; /* 0: not of the meter list */
	bool has_identity;
	struct meter_identity identity;
};

/* ---- Views ---- */

/* With a connection of its own that only reads. */
int store_view_open(struct ml_engine *engine, struct store_view **ret_view, struct ml_error *err);

/* On a connection that stays the caller's (the writer's, between its transactions). `engine` NULL:
 * a chunk that is damaged ends what reads it with -EBADMSG; else it is told, and passed over. */
int store_view_on(
	struct ml_engine *engine, sqlite3 *db, struct store_view **ret_view, struct ml_error *err);

void store_view_close(struct store_view *view); /* accepts NULL */

sqlite3 *store_view_db(const struct store_view *view);

/* All sources in the order of their keys, as of now. The view's; valid until the next call. */
int store_view_sources(struct store_view *view, const struct store_source **ret_sources,
	size_t *ret_count, struct ml_error *err);

/* NULL: there is none of that key. Of those last loaded, and loads anew what it does not know. */
const struct store_source *store_view_source(struct store_view *view, int64_t device);

/* A shape by its key. The view's; valid until the next call. */
int store_view_shape(struct store_view *view, int64_t key, const struct store_shape **ret_shape,
	struct ml_error *err);

/* Makes the reading of a row in a block of STORE_BLOCK_MAX bytes, aligned to eight: with time,
 * trace, point and identity, without its telegram. -EBADMSG: it is damaged, which is told: others
 * are read all the same. */
int store_view_reading(
	struct store_view *view, const struct store_row *row, void *block, struct ml_error *err);

/* The row of a sequence number. Its content is the view's, valid until the next call. -ENOENT: it
 * is not there or not any more. */
int store_view_find(struct store_view *view, uint64_t sequence, struct store_row *ret_row,
	struct ml_error *err);

/* Calls `each` for all rows of a trace; what it returns ends the search unless it is 0. */
int store_view_trace(struct store_view *view, uint64_t trace,
	int (*each)(void *user, const struct store_row *row, struct ml_error *err), void *user,
	struct ml_error *err);

/* The telegram a row came from, while the journal has it; -ENOENT: it has not, or there was none.
 * The bytes are the view's, valid until the next call. */
int store_view_telegram(struct store_view *view, const struct store_row *row,
	const uint8_t **ret_bytes, size_t *ret_length, struct ml_error *err);

/* The names of an origin (store_row.origin). -ENOENT. */
int store_view_origin(struct store_view *view, uint32_t key, struct meter_origin *ret_origin,
	struct ml_error *err);

/* ---- Scans ---- */

enum store_order {
	STORE_BY_TIME,
	STORE_BY_DEVICE, /* one device after the other as they are given, each by time */
	STORE_BY_SEQUENCE,
};

struct store_place {
	ml_time time;
	uint64_t sequence; /* among those of one time */
};

struct store_scan_options {
	const int64_t *devices; /* copied; NULL: all that there are when the scan begins */
	size_t device_count;
	enum store_order order;
	bool backward;        /* by device: each of them, not their order */
	bool failed;          /* also what holds no values: readouts that failed */
	bool timeless;        /* also what has no wall time yet; by sequence only */
	bool unpacked;        /* only what is in no chunk; not by sequence */
	ml_time from, to;     /* both included */
	uint64_t first, last; /* sequence numbers, both included */
	/* Only what stands behind this place in the scan's direction; by sequence, only its
	 * sequence counts. NULL: from the beginning. */
	const struct store_place *behind;
};

/* All of everything, oldest first. */
#define STORE_SCAN_ALL \
	{ \
		.from = INT64_MIN, .to = INT64_MAX, .first = 0, .last = INT64_MAX \
	}

int store_scan_begin(struct store_view *view, const struct store_scan_options *options,
	struct store_scan **ret_scan, struct ml_error *err);

/* The next row, valid until the next call. 1: here it is; 0: there is none any more. */
int store_scan_next(
	struct store_scan *scan, const struct store_row **ret_row, struct ml_error *err);

void store_scan_end(struct store_scan *scan); /* accepts NULL */

/* The newest row by time of each device of the options, in their order; `each` is not called for
 * those that have none. What it returns ends it unless that is 0. Order and direction do not count.
 */
int store_scan_latest(struct store_view *view, const struct store_scan_options *options,
	int (*each)(void *user, size_t index, const struct store_row *row, struct ml_error *err),
	void *user, struct ml_error *err);

#endif
