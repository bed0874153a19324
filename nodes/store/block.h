/* Blocks: what the writer notes of each 1024 sequence numbers once they are full.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_BLOCK_H
#define STORE_BLOCK_H

#include <sqlite3.h>

#include <meterloom/clock.h>
#include <meterloom/error.h>

#include "store/row.h"

enum { STORE_BLOCK_BITS = 10 }; /* as in the index reading_block */

/* The one that is being filled. */
struct store_block {
	uint64_t number;
	ml_time first_time, last_time;
	uint64_t min_trace, max_trace;
	uint64_t journal; /* bytes of its telegrams */
	bool any;
};

/* What of the block of `sequence` is on the disk up to it. */
int store_block_load(
	struct store_block *block, sqlite3 *db, uint64_t sequence, struct ml_error *err);

/* Counts a row that is written; `telegram`: bytes that go into the journal with it. */
void store_block_add(struct store_block *block, const struct store_row *row, size_t telegram);

/* Writes down a block that is full, by INSERT INTO block as store_block_insert has it. */
extern const char store_block_insert[];
int store_block_write(const struct store_block *block, sqlite3_stmt *insert, ml_time wall);

#endif
