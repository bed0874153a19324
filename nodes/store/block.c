/* Blocks: what the writer notes of each 1024 sequence numbers once they are full.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/block.h"

#include <meterloom/database.h>

const char store_block_insert[] =
	"INSERT OR REPLACE INTO block (number, first_time, last_time, min_trace, max_trace, "
	"written, journal) VALUES (?, ?, ?, ?, ?, ?, ?)";

int store_block_load(
	struct store_block *block, sqlite3 *db, uint64_t sequence, struct ml_error *err)
{
	sqlite3_stmt *row = NULL;
	int result = 0;
	*block = (struct store_block){.number = sequence >> STORE_BLOCK_BITS};
	const int64_t begin = (int64_t)(block->number << STORE_BLOCK_BITS);
	if (sqlite3_prepare_v2(db,
		    "SELECT count(*), min(time) FILTER (WHERE boot IS NULL), max(time) FILTER "
		    "(WHERE boot IS NULL), min(trace), max(trace), (SELECT "
		    "total(length(bytes)) FROM frame WHERE key BETWEEN ?1 AND ?2) FROM reading "
		    "WHERE sequence BETWEEN ?1 AND ?2",
		    -1, &row, NULL) != SQLITE_OK ||
		sqlite3_bind_int64(row, 1, begin) != SQLITE_OK ||
		sqlite3_bind_int64(row, 2, (int64_t)sequence) != SQLITE_OK ||
		sqlite3_step(row) != SQLITE_ROW) {
		result = ml_database_error(err, db, "reading the last block of readings.db");
	} else if (sqlite3_column_int64(row, 0) > 0) {
		block->any = true;
		block->first_time = sqlite3_column_int64(row, 1);
		block->last_time = sqlite3_column_int64(row, 2);
		block->min_trace = (uint64_t)sqlite3_column_int64(row, 3);
		block->max_trace = (uint64_t)sqlite3_column_int64(row, 4);
		block->journal = (uint64_t)sqlite3_column_int64(row, 5);
	}
	sqlite3_finalize(row);
	return result;
}

void store_block_add(struct store_block *block, const struct store_row *row, size_t telegram)
{
	/* What has no wall time yet is found by none; it is counted when it has. */
	if (!row->boot && (!block->any || row->time < block->first_time))
		block->first_time = row->time;
	if (!row->boot && (!block->any || row->time > block->last_time))
		block->last_time = row->time;
	if (!block->any || row->trace < block->min_trace)
		block->min_trace = row->trace;
	if (!block->any || row->trace > block->max_trace)
		block->max_trace = row->trace;
	block->journal += telegram;
	block->any = true;
}

int store_block_write(const struct store_block *block, sqlite3_stmt *insert, ml_time wall)
{
	const int64_t values[] = {(int64_t)block->number, block->first_time, block->last_time,
		(int64_t)block->min_trace, (int64_t)block->max_trace, wall,
		(int64_t)block->journal};
	int code = SQLITE_OK;
	for (int i = 0; code == SQLITE_OK && i < (int)(sizeof values / sizeof *values); i++)
		code = sqlite3_bind_int64(insert, i + 1, values[i]);
	if (code == SQLITE_OK)
		code = sqlite3_step(insert);
	sqlite3_reset(insert);
	return code;
}
