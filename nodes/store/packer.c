/* The packer: rows of old blocks into chunks.
 * SPDX-License-Identifier: Apache-2.0
 *
 * docs/explanation/storage.md tells what a pass is and why.
 */
#include "store/packer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/database.h>

#include "store/block.h"

static const char doing[] = "packing readings.db";

enum { EMPTY_DEVICES = 64 }; /* so many that have nothing are passed over in one step */

int store_packer_open(struct store_packer *packer, sqlite3 *db, struct ml_error *err)
{
	*packer = (struct store_packer){0};
	packer->codec = store_chunk_packer_new(STORE_CHUNK_CHECK_BYTES);
	int result = packer->codec ? store_view_on(NULL, db, &packer->view, err)
				   : ml_error_set(err, -ENOMEM, "out of memory");
	if (result < 0)
		store_packer_close(packer);
	return result;
}

void store_packer_close(struct store_packer *packer)
{
	store_chunk_packer_free(packer->codec);
	store_view_close(packer->view);
	store_rows_free(&packer->rows);
	*packer = (struct store_packer){0};
}

/* ---- Rows ---- */

/* The rows of a device in the stretch of the pass. */
static int gather_rows(struct store_packer *packer, int64_t device, struct ml_error *err)
{
	const struct view_state *state = &packer->view->state;
	sqlite3_stmt *statement = view_statement(packer->view, VIEW_BLOCK_FORWARD, err);
	int result = 0;
	if (!statement)
		return view_error(packer->view, NULL);
	for (uint64_t block = (state->packed + 1) >> STORE_BLOCK_BITS;
		result == 0 && block <= state->packing >> STORE_BLOCK_BITS; block++) {
		const int64_t values[] = {(int64_t)block, device, INT64_MIN, 0, INT64_MAX,
			(int64_t)state->packed, (int64_t)state->packing, -1};
		int code = view_bind(statement, values, 8);
		while (code == SQLITE_OK && result == 0 &&
			(code = sqlite3_step(statement)) == SQLITE_ROW) {
			struct store_row row;
			view_row(statement, &row);
			result = store_rows_add(&packer->rows, &row, err);
			code = SQLITE_OK;
		}
		if (result == 0 && code != SQLITE_DONE)
			result = view_error(packer->view, err);
		sqlite3_reset(statement);
	}
	return result;
}

/* ---- Chunks ---- */

static int count_records(void *user, int64_t shape)
{
	const struct store_shape *known = NULL;
	if (store_view_shape(user, shape, &known, NULL) < 0)
		return -1;
	return (int)known->count;
}

struct bounds {
	uint64_t first_sequence, last_sequence, min_trace, max_trace;
};

static struct bounds find_bounds(const struct store_row *rows, size_t count)
{
	struct bounds b = {rows->sequence, rows->sequence, rows->trace, rows->trace};
	for (size_t i = 1; i < count; i++) {
		const struct store_row *row = &rows[i];
		b.first_sequence =
			row->sequence < b.first_sequence ? row->sequence : b.first_sequence;
		b.last_sequence = row->sequence > b.last_sequence ? row->sequence : b.last_sequence;
		b.min_trace = row->trace < b.min_trace ? row->trace : b.min_trace;
		b.max_trace = row->trace > b.max_trace ? row->trace : b.max_trace;
	}
	return b;
}

static int insert_chunk(struct store_packer *packer, const struct store_row *rows, size_t count,
	const uint8_t *blob, size_t length, struct ml_error *err)
{
	sqlite3 *db = store_view_db(packer->view);
	sqlite3_stmt *insert = NULL;
	const struct bounds bounds = find_bounds(rows, count);
	const int64_t values[] = {rows->device, view_month(rows->time),
		(int64_t)bounds.first_sequence, (int64_t)bounds.last_sequence, rows->time,
		rows[count - 1].time, (int64_t)bounds.min_trace, (int64_t)bounds.max_trace,
		(int64_t)count};
	int result = 0;
	if (sqlite3_prepare_v2(db,
		    "INSERT INTO chunk (device, month, first_sequence, last_sequence, first_time, "
		    "last_time, min_trace, max_trace, count, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, "
		    "?, ?)",
		    -1, &insert, NULL) != SQLITE_OK ||
		view_bind(insert, values, 9) != SQLITE_OK ||
		sqlite3_bind_blob64(insert, 10, blob, length, SQLITE_STATIC) != SQLITE_OK ||
		sqlite3_step(insert) != SQLITE_DONE)
		result = ml_database_error(err, db, doing);
	sqlite3_finalize(insert);
	packer->chunks++;
	return result;
}

/* Writes rows of one month; halves them where they are more than a chunk holds. */
static int write_rows(struct store_packer *packer, const struct store_row *rows, size_t count,
	struct ml_error *err)
{
	const uint8_t *blob = NULL;
	size_t length = 0;
	int result = store_chunk_pack(
		packer->codec, rows, count, count_records, packer->view, &blob, &length, err);
	if (result == -E2BIG && count > 1) {
		result = write_rows(packer, rows, count / 2, err);
		if (result == 0)
			result = write_rows(packer, rows + count / 2, count - count / 2, err);
		return result;
	}
	return result < 0 ? result : insert_chunk(packer, rows, count, blob, length, err);
}

/* Writes the kept rows, month by month. */
static int write_months(struct store_packer *packer, struct ml_error *err)
{
	int result = 0;
	struct store_rows *all = &packer->rows;
	store_rows_settle(all);
	if (all->count)
		qsort(all->items, all->count, sizeof *all->items, store_row_compare);
	for (size_t begin = 0, end; result == 0 && begin < all->count; begin = end) {
		const int64_t month = view_month(all->items[begin].time);
		for (end = begin + 1; end < all->count && end - begin < PACKER_CHUNK_ROWS &&
				      view_month(all->items[end].time) == month;)
			end++;
		result = write_rows(packer, all->items + begin, end - begin, err);
	}
	return result;
}

/* ---- Merging the parts of a month ---- */

static int keep_part(struct store_packer *packer, int64_t key, int64_t device, struct ml_error *err)
{
	const struct store_row *rows = NULL;
	size_t count = 0;
	int result = view_chunk_rows(packer->view, key, device, true, &rows, &count, err);
	for (size_t i = 0; result == 0 && i < count; i++)
		result = store_rows_add(&packer->rows, &rows[i], err);
	return result;
}

static int execute(struct store_packer *packer, struct ml_error *err, const char *format, ...)
	ML_PRINTF(3, 4);

static int execute(struct store_packer *packer, struct ml_error *err, const char *format, ...)
{
	char sql[256];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(sql, sizeof sql, format, arguments);
	va_end(arguments);
	if (sqlite3_exec(store_view_db(packer->view), sql, NULL, NULL, NULL) != SQLITE_OK)
		return ml_database_error(err, store_view_db(packer->view), doing);
	return 0;
}

/* Parts of a month that are not full go into one. A damaged one stays as it is, and they with it.
 */
static int merge_month(
	struct store_packer *packer, int64_t device, int64_t month, struct ml_error *err)
{
	sqlite3 *db = store_view_db(packer->view);
	sqlite3_stmt *row = NULL;
	const int64_t values[] = {device, month, PACKER_CHUNK_ROWS * 3 / 4};
	uint64_t parts = 0;
	int result = 0;
	store_rows_clear(&packer->rows);
	int code = sqlite3_prepare_v2(db,
		"SELECT key FROM chunk WHERE device = ? AND month = ? AND count < ?", -1, &row,
		NULL);
	if (code == SQLITE_OK)
		code = view_bind(row, values, 3);
	while (code == SQLITE_OK && result == 0 && (code = sqlite3_step(row)) == SQLITE_ROW) {
		result = keep_part(packer, sqlite3_column_int64(row, 0), device, err);
		parts++;
		code = SQLITE_OK;
	}
	if (result == 0 && code != SQLITE_DONE)
		result = ml_database_error(err, db, doing);
	sqlite3_finalize(row);
	if (result == -EBADMSG)
		return 0;
	if (result == 0)
		result = execute(packer, err,
			"DELETE FROM chunk WHERE device = %lld AND month = %lld AND count < %d",
			(long long)device, (long long)month, PACKER_CHUNK_ROWS * 3 / 4);
	if (result == 0)
		result = write_months(packer, err);
	packer->merged += parts;
	return result;
}

/* A month before the device's newest whose parts are worth to be merged: four, or as much beside
 * the largest as a quarter of it. */
static int find_mergeable(
	struct store_packer *packer, int64_t device, int64_t *ret_month, struct ml_error *err)
{
	static const char sql[] = "SELECT month FROM chunk WHERE device = ?1 AND month < (SELECT "
				  "max(month) FROM chunk "
				  "WHERE device = ?1) AND count < ?2 GROUP BY month HAVING "
				  "count(*) >= 4 OR (sum(count) - "
				  "max(count)) * 4 >= max(count) ORDER BY month DESC LIMIT 1";
	const int64_t values[] = {device, PACKER_CHUNK_ROWS * 3 / 4};
	sqlite3 *db = store_view_db(packer->view);
	sqlite3_stmt *row = NULL;
	int result = 0;
	int code = sqlite3_prepare_v2(db, sql, -1, &row, NULL);
	if (code == SQLITE_OK)
		code = view_bind(row, values, 2);
	if (code == SQLITE_OK)
		code = sqlite3_step(row);
	if (code == SQLITE_ROW) {
		*ret_month = sqlite3_column_int64(row, 0);
		result = 1;
	} else if (code != SQLITE_DONE) {
		result = ml_database_error(err, db, doing);
	}
	sqlite3_finalize(row);
	return result;
}

/* ---- Steps ---- */

static int set_progress(struct store_packer *packer, uint64_t packed, uint64_t packing,
	int64_t device, struct ml_error *err)
{
	return execute(packer, err,
		"UPDATE store_state SET value = CASE name WHEN 'packed' THEN %lld WHEN 'packing' "
		"THEN "
		"%lld WHEN 'chunks' THEN value + 1 ELSE %lld END WHERE name IN ('packed', "
		"'packing', "
		"'chunks', 'packing_device')",
		(long long)packed, (long long)packing, (long long)device);
}

/* The next device after this one; 0: there is none. */
static int next_device(struct store_packer *packer, int64_t *device, struct ml_error *err)
{
	sqlite3 *db = store_view_db(packer->view);
	sqlite3_stmt *row = NULL;
	int result = 0;
	if (sqlite3_prepare_v2(db, "SELECT min(key) FROM device WHERE key > ?", -1, &row, NULL) !=
			SQLITE_OK ||
		view_bind(row, device, 1) != SQLITE_OK || sqlite3_step(row) != SQLITE_ROW)
		result = ml_database_error(err, db, doing);
	else
		*device = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	return result;
}

/* A month's parts are merged when the first reading of the next month is packed. */
static int pack_device(struct store_packer *packer, int64_t device, struct ml_error *err)
{
	int64_t month = 0;
	int result = write_months(packer, err);
	if (result == 0)
		result = find_mergeable(packer, device, &month, err);
	if (result > 0)
		result = merge_month(packer, device, month, err);
	return result;
}

static int step_pass(struct store_packer *packer, struct ml_error *err)
{
	const struct view_state state = packer->view->state;
	int64_t device = state.packing_device;
	int result = 0;
	store_rows_clear(&packer->rows);
	for (unsigned i = 0; result == 0 && packer->rows.count == 0 && i < EMPTY_DEVICES; i++) {
		result = next_device(packer, &device, err);
		if (result == 0 && device == 0) {
			/* All are done: from now on the rows may go. */
			return set_progress(packer, state.packing, state.packing, 0, err);
		}
		if (result == 0)
			result = gather_rows(packer, device, err);
	}
	const size_t count = packer->rows.count;
	if (result == 0 && count)
		result = pack_device(packer, device, err);
	packer->packed += count;
	if (result == 0)
		result = set_progress(packer, state.packed, state.packing, device, err);
	return result;
}

/* Deletes packed rows, as many as lie in one block. 1: there were some. */
static int step_delete(struct store_packer *packer, struct ml_error *err)
{
	sqlite3 *db = store_view_db(packer->view);
	const uint64_t packed = packer->view->state.packed;
	sqlite3_stmt *row = NULL;
	int64_t first = 0;
	int result = 0;
	if (sqlite3_prepare_v2(db, "SELECT min(sequence) FROM reading", -1, &row, NULL) !=
			SQLITE_OK ||
		sqlite3_step(row) != SQLITE_ROW)
		result = ml_database_error(err, db, doing);
	else
		first = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	if (result < 0 || first == 0 || (uint64_t)first > packed)
		return result;
	uint64_t last = (uint64_t)first | ((1u << STORE_BLOCK_BITS) - 1);
	last = last < packed ? last : packed;
	/* A block is of use as long as it has rows, or telegrams in the journal. */
	result = execute(packer, err,
		"DELETE FROM reading WHERE sequence <= %llu; DELETE FROM block WHERE number < %llu "
		"AND "
		"journal = 0",
		(unsigned long long)last, (unsigned long long)(last + 1) >> STORE_BLOCK_BITS);
	return result < 0 ? result : 1;
}

static int step_begin(struct store_packer *packer, ml_time wall, ml_time old, struct ml_error *err)
{
	uint64_t end = 0;
	int result = packer_plan(packer, wall, old, &end, err);
	if (result < 0 || end == 0)
		return result;
	result = set_progress(packer, packer->view->state.packed, end, 0, err);
	return result < 0 ? result : 1;
}

static int step(struct store_packer *packer, ml_time wall, ml_time old, struct ml_error *err)
{
	/* For the state alone: what is read later in this transaction sees what it wrote. */
	int result = view_begin(packer->view, err);
	if (result < 0)
		return result;
	view_end(packer->view);
	if (packer->view->state.packing > packer->view->state.packed) {
		result = step_pass(packer, err);
		return result < 0 ? result : 1;
	}
	result = step_delete(packer, err);
	return result != 0 ? result : step_begin(packer, wall, old, err);
}

int store_packer_step(struct store_packer *packer, ml_time wall, ml_time old, struct ml_error *err)
{
	int result = execute(packer, err, "BEGIN IMMEDIATE");
	if (result < 0)
		return result;
	result = step(packer, wall, old, err);
	const int committed = result < 0 ? result : execute(packer, err, "COMMIT");
	if (committed < 0) {
		if (!sqlite3_get_autocommit(store_view_db(packer->view)))
			(void)sqlite3_exec(
				store_view_db(packer->view), "ROLLBACK", NULL, NULL, NULL);
		result = committed;
	}
	return result;
}
