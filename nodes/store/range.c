/* Ranges of the store that are to be sent: planned.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/range.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/database.h>

#include "store/scan.h"

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

enum taken { TAKEN, FULL };

/* Takes a row into the range, or tells that its meter has as many readouts as there may be. */
static int take(const struct store_row *row, struct counts *counts, unsigned limit,
	struct store_range *range, struct ml_error *err)
{
	if (!row->shape) {
		range->last = row->sequence > range->last ? row->sequence : range->last;
		return TAKEN;
	}
	uint16_t *count = count_of(counts, row->device, err);
	if (!count)
		return -ENOMEM;
	if (*count >= limit)
		return FULL;
	/* The telegrams of one readout count once: with the last. */
	const unsigned flags = store_values_flags(row->content, row->length);
	*count = (uint16_t)(*count + !(flags & METER_MORE_FOLLOWS));
	if (range->count == 0) {
		range->from = row->time;
		range->to = row->time;
	}
	range->from = row->time < range->from ? row->time : range->from;
	range->to = row->time > range->to ? row->time : range->to;
	range->last = row->sequence > range->last ? row->sequence : range->last;
	range->count++;
	return TAKEN;
}

int store_range_plan_after(struct ml_engine *engine, sqlite3 *db, uint64_t after, uint64_t until,
	unsigned limit, ml_time spacing, struct store_range *range, struct ml_error *err)
{
	struct store_scan_options options = STORE_SCAN_ALL;
	struct store_view *view = NULL;
	struct store_scan *scan = NULL;
	const struct store_row *row = NULL;
	struct counts counts = {0};
	options.order = STORE_BY_SEQUENCE;
	options.failed = true;
	options.timeless = true;
	options.first = after + 1;
	options.last = until;
	*range = (struct store_range){.first = after + 1, .last = after, .spacing = spacing};
	int result = store_view_on(engine, db, &view, err);
	if (result == 0)
		result = store_scan_begin(view, &options, &scan, err);
	/* What has no time yet goes when it has, and what came after it with it: in order. */
	while (result == 0 && (result = store_scan_next(scan, &row, err)) > 0 && !row->boot) {
		result = take(row, &counts, limit, range, err);
		range->more = result == FULL;
	}
	store_scan_end(scan);
	store_view_close(view);
	free(counts.of_device);
	return result < 0 ? result : 0;
}

int store_range_plan(struct ml_engine *engine, sqlite3 *db, uint64_t epoch, const char *destination,
	uint64_t until, unsigned limit, ml_time spacing, struct store_range *range,
	struct ml_error *err)
{
	uint64_t sent = 0;
	const int result = store_cursor_load(db, epoch, destination, &sent, err);
	return result < 0 ? result
			  : store_range_plan_after(
				    engine, db, sent, until, limit, spacing, range, err);
}

/* Readings of a period in the order of time, up to the first of a meter that has its number of
 * readouts already: there *ret_end is, else it is `to`. The bounds of the range are the period's.
 */
static int plan_period(struct ml_engine *engine, sqlite3 *db, uint64_t until, ml_time from,
	ml_time to, unsigned limit, struct store_range *range, ml_time *ret_end,
	struct ml_error *err)
{
	struct store_scan_options options = STORE_SCAN_ALL;
	struct store_view *view = NULL;
	struct store_scan *scan = NULL;
	const struct store_row *row = NULL;
	struct counts counts = {0};
	uint64_t first = UINT64_MAX;
	options.from = from;
	options.to = to - 1;
	options.last = until;
	*range = (struct store_range){.fixed = true};
	*ret_end = to;
	int result = store_view_on(engine, db, &view, err);
	if (result == 0)
		result = store_scan_begin(view, &options, &scan, err);
	while (result == 0 && (result = store_scan_next(scan, &row, err)) > 0) {
		result = take(row, &counts, limit, range, err);
		if (result == FULL)
			*ret_end = row->time;
		else
			first = row->sequence < first ? row->sequence : first;
	}
	store_scan_end(scan);
	store_view_close(view);
	free(counts.of_device);
	range->first = range->count ? first : 0;
	range->from = from;
	range->to = to;
	return result < 0 ? result : 0;
}

int store_range_plan_fixed(struct ml_engine *engine, sqlite3 *db, uint64_t until, ml_time from,
	ml_time to, struct store_range *range, struct ml_error *err)
{
	ml_time end;
	return plan_period(engine, db, until, from, to, UINT_MAX, range, &end, err);
}

int store_range_plan_piece(struct ml_engine *engine, sqlite3 *db, uint64_t until, ml_time from,
	ml_time to, unsigned limit, struct store_range *range, struct ml_error *err)
{
	ml_time end;
	int result = plan_period(engine, db, until, from, to, limit, range, &end, err);
	if (result < 0 || end == to)
		return result;
	/* Those of that moment that were taken go with the next piece, or with this one where it is
	 * its only moment: each brings it on. */
	result = store_range_plan_fixed(
		engine, db, until, from, end > from ? end : from + 1, range, err);
	range->more = range->to < to;
	return result;
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
