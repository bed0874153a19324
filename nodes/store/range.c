/* Ranges of the store that are to be sent: planned.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/range.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/database.h>

#include "store/pack.h"

static const char doing[] = "reading what is to be sent";

static int prepare(sqlite3 *db, const char *sql, const char *destination, uint64_t epoch,
	sqlite3_stmt **ret_statement, struct ml_error *err)
{
	if (sqlite3_prepare_v2(db, sql, -1, ret_statement, NULL) != SQLITE_OK ||
		sqlite3_bind_text(*ret_statement, 1, destination, -1, SQLITE_STATIC) != SQLITE_OK ||
		sqlite3_bind_int64(*ret_statement, 2, (int64_t)epoch) != SQLITE_OK) {
		sqlite3_finalize(*ret_statement);
		*ret_statement = NULL;
		return ml_database_error(err, db, doing);
	}
	return 0;
}

static int finish(sqlite3 *db, sqlite3_stmt *statement, int code, struct ml_error *err)
{
	const int result =
		code == SQLITE_ROW || code == SQLITE_DONE ? 0 : ml_database_error(err, db, doing);
	sqlite3_finalize(statement);
	return result;
}

int store_cursor_load(sqlite3 *db, uint64_t epoch, const char *destination, uint64_t *sequence,
	struct ml_error *err)
{
	sqlite3_stmt *row = NULL;
	int result = prepare(db, "SELECT sequence FROM cursor WHERE destination = ? AND epoch = ?",
		destination, epoch, &row, err);
	if (result < 0)
		return result;
	const int code = sqlite3_step(row);
	*sequence = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(row, 0) : 0;
	return finish(db, row, code, err);
}

/* ---- Planning ---- */

/* How many readouts of each device a range has; devices' keys are small numbers. */
struct counts {
	uint16_t *of_device;
	size_t size;
};

static uint16_t *count_of(struct counts *counts, int64_t device, struct ml_error *err)
{
	const size_t index = (size_t)device;
	if (index >= counts->size) {
		const size_t size = index + 256;
		uint16_t *grown = realloc(counts->of_device, size * sizeof *grown);
		if (!grown) {
			ml_error_set(err, -ENOMEM, "out of memory");
			return NULL;
		}
		memset(grown + counts->size, 0, (size - counts->size) * sizeof *grown);
		counts->of_device = grown;
		counts->size = size;
	}
	return &counts->of_device[index];
}

/* Takes the reading of a row into the range. 1: it does not belong there, the limit is reached. */
static int take(sqlite3_stmt *row, struct counts *counts, unsigned limit, struct store_range *range,
	struct ml_error *err)
{
	const uint64_t sequence = (uint64_t)sqlite3_column_int64(row, 0);
	if (sqlite3_column_type(row, 3) == SQLITE_NULL) {
		range->last = sequence;
		return 0;
	}
	uint16_t *count = count_of(counts, sqlite3_column_int64(row, 1), err);
	if (!count)
		return -ENOMEM;
	if (*count >= limit)
		return 1;
	/* The telegrams of one readout count once: with the last. */
	const unsigned flags = store_values_flags(
		sqlite3_column_blob(row, 4), (size_t)sqlite3_column_bytes(row, 4));
	*count = (uint16_t)(*count + !(flags & METER_MORE_FOLLOWS));
	const ml_time time = sqlite3_column_int64(row, 2);
	if (range->count == 0) {
		range->from = time;
		range->to = time;
	}
	range->from = time < range->from ? time : range->from;
	range->to = time > range->to ? time : range->to;
	range->last = sequence;
	range->count++;
	return 0;
}

int store_range_plan_after(sqlite3 *db, uint64_t after, uint64_t until, unsigned limit,
	ml_time spacing, struct store_range *range, struct ml_error *err)
{
	sqlite3_stmt *row = NULL;
	struct counts counts = {0};
	int result = 0;
	*range = (struct store_range){.first = after + 1, .last = after, .spacing = spacing};
	if (sqlite3_prepare_v2(db,
		    "SELECT sequence, device, time, shape, content FROM reading WHERE sequence > ? "
		    "AND sequence <= ? ORDER BY sequence",
		    -1, &row, NULL) != SQLITE_OK ||
		sqlite3_bind_int64(row, 1, (int64_t)after) != SQLITE_OK ||
		sqlite3_bind_int64(row, 2, (int64_t)until) != SQLITE_OK) {
		sqlite3_finalize(row);
		return ml_database_error(err, db, doing);
	}
	int code;
	while (result == 0 && (code = sqlite3_step(row)) != SQLITE_DONE)
		result = code == SQLITE_ROW ? take(row, &counts, limit, range, err)
					    : ml_database_error(err, db, doing);
	range->more = result == 1;
	sqlite3_finalize(row);
	free(counts.of_device);
	return result < 0 ? result : 0;
}

int store_range_plan(sqlite3 *db, uint64_t epoch, const char *destination, uint64_t until,
	unsigned limit, ml_time spacing, struct store_range *range, struct ml_error *err)
{
	uint64_t sent = 0;
	const int result = store_cursor_load(db, epoch, destination, &sent, err);
	return result < 0 ? result
			  : store_range_plan_after(db, sent, until, limit, spacing, range, err);
}

/* Where a piece ends: at the first reading of a meter that has its number of readouts already. */
static int find_end(sqlite3 *db, uint64_t until, ml_time from, ml_time *to, unsigned limit,
	struct ml_error *err)
{
	sqlite3_stmt *row = NULL;
	struct counts counts = {0};
	struct store_range piece = {.count = 0};
	int result = 0, code;
	if (sqlite3_prepare_v2(db,
		    "SELECT sequence, device, time, shape, content FROM reading WHERE time >= ? "
		    "AND "
		    "time < ? AND sequence <= ? AND shape IS NOT NULL ORDER BY time, sequence",
		    -1, &row, NULL) != SQLITE_OK ||
		sqlite3_bind_int64(row, 1, from) != SQLITE_OK ||
		sqlite3_bind_int64(row, 2, *to) != SQLITE_OK ||
		sqlite3_bind_int64(row, 3, (int64_t)until) != SQLITE_OK) {
		sqlite3_finalize(row);
		return ml_database_error(err, db, doing);
	}
	while (result == 0 && (code = sqlite3_step(row)) != SQLITE_DONE) {
		result = code == SQLITE_ROW ? take(row, &counts, limit, &piece, err)
					    : ml_database_error(err, db, doing);
		if (result == 1)
			*to = sqlite3_column_int64(row, 2);
	}
	sqlite3_finalize(row);
	free(counts.of_device);
	return result < 0 ? result : 0;
}

int store_range_plan_piece(sqlite3 *db, uint64_t until, ml_time from, ml_time to, unsigned limit,
	struct store_range *range, struct ml_error *err)
{
	ml_time end = to;
	int result = find_end(db, until, from, &end, limit, err);
	if (result < 0)
		return result;
	/* More than the limit at one moment go together: each piece brings it on. */
	result = store_range_plan_fixed(db, until, from, end > from ? end : from + 1, range, err);
	range->more = range->to < to;
	return result;
}

int store_range_plan_fixed(sqlite3 *db, uint64_t until, ml_time from, ml_time to,
	struct store_range *range, struct ml_error *err)
{
	sqlite3_stmt *row = NULL;
	*range = (struct store_range){.from = from, .to = to, .fixed = true};
	/* Device by device, so that the index serves. */
	if (sqlite3_prepare_v2(db,
		    "SELECT count(*), min(sequence), max(sequence) FROM device CROSS JOIN reading "
		    "ON reading.device = device.key AND time >= ? AND time < ? WHERE sequence <= ? "
		    "AND shape IS NOT NULL",
		    -1, &row, NULL) != SQLITE_OK ||
		sqlite3_bind_int64(row, 1, from) != SQLITE_OK ||
		sqlite3_bind_int64(row, 2, to) != SQLITE_OK ||
		sqlite3_bind_int64(row, 3, (int64_t)until) != SQLITE_OK) {
		sqlite3_finalize(row);
		return ml_database_error(err, db, doing);
	}
	const int code = sqlite3_step(row);
	if (code == SQLITE_ROW) {
		range->count = (uint64_t)sqlite3_column_int64(row, 0);
		range->first = (uint64_t)sqlite3_column_int64(row, 1);
		range->last = (uint64_t)sqlite3_column_int64(row, 2);
	}
	return finish(db, row, code, err);
}

int store_range_behind(
	sqlite3 *db, uint64_t after, uint64_t until, uint64_t *ret_count, struct ml_error *err)
{
	enum { COUNTED_MAX = 50000 };
	sqlite3_stmt *row = NULL;
	*ret_count = 0;
	if (until <= after)
		return 0;
	if (sqlite3_prepare_v2(db,
		    "SELECT (SELECT count(*) FROM (SELECT 1 FROM reading WHERE sequence > ?1 AND "
		    "shape IS NOT NULL LIMIT ?2)), (SELECT total(count) FROM chunk WHERE "
		    "last_sequence > ?1)",
		    -1, &row, NULL) != SQLITE_OK ||
		sqlite3_bind_int64(row, 1, (int64_t)after) != SQLITE_OK ||
		sqlite3_bind_int64(row, 2, COUNTED_MAX) != SQLITE_OK) {
		sqlite3_finalize(row);
		return ml_database_error(err, db, doing);
	}
	const int code = sqlite3_step(row);
	if (code == SQLITE_ROW) {
		const uint64_t rows = (uint64_t)sqlite3_column_int64(row, 0);
		const uint64_t packed = (uint64_t)sqlite3_column_int64(row, 1);
		*ret_count = rows + packed;
		if (rows == COUNTED_MAX || *ret_count > until - after)
			*ret_count = until - after;
	}
	return finish(db, row, code, err);
}
