/* Readings into rows: the statements of the writer, within a transaction that is its caller's.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_INSERT_H
#define STORE_INSERT_H

#include <sqlite3.h>

#include "meter/origin.h"
#include "store/block.h"
#include "store/intern.h"
#include "store/stamp.h"

struct store_inserter {
	sqlite3 *db;                   /* not owned; NULL: not open */
	struct store_stamper *stamper; /* not owned; NULL: all times are right */
	sqlite3_stmt *add_reading, *add_frame, *add_block, *set_sequence;
	sqlite3_stmt *find_origin, *add_origin;
	struct store_interner interner;
	struct ml_engine *engine; /* knows the names of origins; NULL: none is kept */
	uint32_t origins[METER_ORIGINS_MAX + 1]; /* their keys here; 0: not looked up yet */
	struct store_block block;
	struct store_block block_before; /* as it was when the transaction began */
	uint64_t sequence;               /* the last one given */
	bool journal;                    /* whether telegrams are kept */
	bool has_frame;                  /* a telegram was written */
	uint64_t frame_trace;            /* the trace of the last one */
	ml_time wall;                    /* of the transaction */
	uint8_t values[STORE_VALUES_MAX];
};

/* `sequence`: the last one that is relied on. */
int store_inserter_open(
	struct store_inserter *inserter, sqlite3 *db, uint64_t sequence, struct ml_error *err);
void store_inserter_close(struct store_inserter *inserter);

/* A transaction has begun: sequences are given after this one. */
void store_inserter_begin(struct store_inserter *inserter, uint64_t sequence, ml_time wall);

/* -E2BIG: it cannot be stored whatever the disk is like; nothing was written of it. */
int store_inserter_add(
	struct store_inserter *inserter, const struct meter_reading *reading, struct ml_error *err);

/* Writes down the last sequence: the transaction can be committed. */
int store_inserter_end(struct store_inserter *inserter, struct ml_error *err);

/* The transaction was rolled back. */
void store_inserter_undo(struct store_inserter *inserter);

#endif
