/* Which blocks the packer takes next.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/block.h"
#include "store/packer.h"

struct plan {
	uint32_t *rows; /* of each device; keys are small numbers */
	size_t devices; /* places */
	size_t shown;   /* devices that have any */
	uint64_t all;
	uint64_t end; /* the last sequence of the blocks taken so far */
	unsigned blocks;
	bool full; /* no more may be taken */
};

/* How many rows the device has with these. */
static int count_device(
	struct plan *plan, int64_t device, uint32_t rows, uint32_t *ret_rows, struct ml_error *err)
{
	const size_t index = (size_t)device;
	if (index >= plan->devices) {
		const size_t size = index + 256;
		uint32_t *grown = realloc(plan->rows, size * sizeof *grown);
		if (!grown)
			return ml_error_set(err, -ENOMEM, "out of memory");
		memset(grown + plan->devices, 0, (size - plan->devices) * sizeof *grown);
		plan->rows = grown;
		plan->devices = size;
	}
	plan->shown += plan->rows[index] == 0;
	plan->rows[index] += rows;
	*ret_rows = plan->rows[index];
	return 0;
}

/* Counts a block's rows. One that has rows without their time is not taken, nor is what follows. */
static int take_block(struct plan *plan, sqlite3_stmt *counts, uint64_t number, uint64_t packed,
	struct ml_error *err)
{
	const int64_t values[] = {(int64_t)number, (int64_t)packed};
	uint32_t most = 0;
	int result = 0;
	int code = view_bind(counts, values, 2);
	while (code == SQLITE_OK && result == 0 && (code = sqlite3_step(counts)) == SQLITE_ROW) {
		uint32_t rows = 0;
		const uint32_t these = (uint32_t)sqlite3_column_int64(counts, 1);
		plan->full = plan->full || sqlite3_column_int(counts, 2);
		result = count_device(plan, sqlite3_column_int64(counts, 0), these, &rows, err);
		plan->all += these;
		most = rows > most ? rows : most;
		code = SQLITE_OK;
	}
	if (result == 0 && code != SQLITE_DONE)
		result = ml_error_set(err, -EIO, "counting the rows of block %llu failed",
			(unsigned long long)number);
	sqlite3_reset(counts);
	if (result < 0 || plan->full)
		return result;
	if (most > PACKER_DEVICE_ROWS && plan->blocks > 0) {
		plan->full = true;
		return 0;
	}
	plan->end = ((number + 1) << STORE_BLOCK_BITS) - 1;
	plan->full = ++plan->blocks >= PACKER_PASS_BLOCKS;
	return 0;
}

static bool is_old(ml_time written, ml_time wall, ml_time old)
{
	return written <= old || written > wall + ML_DAY;
}

static int take_blocks(struct plan *plan, sqlite3_stmt *blocks, sqlite3_stmt *counts,
	uint64_t packed, ml_time wall, ml_time old, bool *ret_due, struct ml_error *err)
{
	const int64_t first = (int64_t)((packed + 1) >> STORE_BLOCK_BITS);
	int result = 0;
	int code = view_bind(blocks, &first, 1);
	while (code == SQLITE_OK && result == 0 && !plan->full &&
		(code = sqlite3_step(blocks)) == SQLITE_ROW) {
		const ml_time written = sqlite3_column_int64(blocks, 1);
		if (!is_old(written, wall, old))
			break;
		*ret_due = *ret_due || is_old(written, wall, old - PACKER_PATIENCE);
		result = take_block(
			plan, counts, (uint64_t)sqlite3_column_int64(blocks, 0), packed, err);
		code = SQLITE_OK;
	}
	return code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW
		       ? result
		       : ml_error_set(err, -EIO, "reading the blocks that are to be packed failed");
}

/* The last block in a row that is old, and whether one of them waits for too long. */
static int find_old(struct store_packer *packer, sqlite3_stmt *blocks, ml_time wall, ml_time old,
	uint64_t *ret_last, bool *ret_due, struct ml_error *err)
{
	const int64_t first = (int64_t)((packer->view->state.packed + 1) >> STORE_BLOCK_BITS);
	unsigned count = 0;
	int code = view_bind(blocks, &first, 1);
	while (code == SQLITE_OK && count++ < PACKER_PASS_BLOCKS &&
		(code = sqlite3_step(blocks)) == SQLITE_ROW) {
		const ml_time written = sqlite3_column_int64(blocks, 1);
		if (!is_old(written, wall, old))
			break;
		*ret_last = (uint64_t)sqlite3_column_int64(blocks, 0);
		*ret_due = *ret_due || is_old(written, wall, old - PACKER_PATIENCE);
		code = SQLITE_OK;
	}
	sqlite3_reset(blocks);
	return code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW
		       ? 0
		       : view_error(packer->view, err);
}

int packer_plan(struct store_packer *packer, ml_time wall, ml_time old, uint64_t *ret_end,
	struct ml_error *err)
{
	sqlite3 *db = store_view_db(packer->view);
	sqlite3_stmt *blocks = NULL, *counts = NULL;
	const uint64_t packed = packer->view->state.packed;
	struct plan plan = {.end = 0};
	uint64_t last = 0;
	bool due = false;
	int result = 0;
	*ret_end = 0;
	if (sqlite3_prepare_v2(db,
		    "SELECT number, written FROM block WHERE number >= ? ORDER BY number", -1,
		    &blocks, NULL) != SQLITE_OK ||
		sqlite3_prepare_v2(db,
			"SELECT device, count(*), EXISTS (SELECT 1 FROM reading WHERE boot IS NOT "
			"NULL AND sequence >> 10 = ?1) FROM reading WHERE sequence >> 10 = ?1 AND "
			"sequence > ?2 GROUP BY device",
			-1, &counts, NULL) != SQLITE_OK)
		result = view_error(packer->view, err);
	if (result == 0)
		result = find_old(packer, blocks, wall, old, &last, &due, err);
	/* Rows are counted only when there are more than last time. */
	if (result == 0 && (due || last != packer->futile))
		result = take_blocks(&plan, blocks, counts, packed, wall, old, &due, err);
	if (result == 0 && plan.blocks &&
		(due || plan.full || plan.all >= (uint64_t)plan.shown * PACKER_PART_ROWS))
		*ret_end = plan.end;
	packer->futile = *ret_end ? 0 : last;
	sqlite3_finalize(blocks);
	sqlite3_finalize(counts);
	free(plan.rows);
	return result;
}
