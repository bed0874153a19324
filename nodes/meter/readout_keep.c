/* Readouts: how they outlive a restart.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A row a point, on the control lane, as all of meterloom.db. What is lost by a power cut is told
 * anew by the next round: so few and small transactions are worth more than the last minute.
 */
#include "meter/readout_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>

#include "meter/frame.h"

/* ---- Loading ---- */

static uint8_t result_of(const char *name)
{
	for (unsigned i = 0; name && i < METER_FRAME_RESULTS; i++)
		if (strcmp(meter_frame_result_name(i), name) == 0)
			return (uint8_t)i;
	return METER_FRAME_CANCELLED;
}

static struct meter_readout_moment column_time(sqlite3_stmt *row, int column)
{
	const bool none = sqlite3_column_type(row, column) == SQLITE_NULL;
	return (struct meter_readout_moment){
		none ? ML_TIME_NONE : sqlite3_column_int64(row, column), ML_TIME_NONE};
}

static void load_row(sqlite3_stmt *row, struct meter_readout_entry *entry)
{
	struct meter_readout *shown = &entry->shown;
	shown->result = result_of((const char *)sqlite3_column_text(row, 1));
	shown->state = shown->result == METER_FRAME_OK ? METER_READOUT_READ : METER_READOUT_FAILED;
	shown->telegrams = (uint16_t)sqlite3_column_int(row, 2);
	shown->tries = (uint16_t)sqlite3_column_int(row, 3);
	shown->failures = (uint32_t)sqlite3_column_int64(row, 4);
	shown->took = sqlite3_column_int64(row, 5);
	entry->tried = column_time(row, 6);
	entry->read = column_time(row, 7);
	entry->failed_since = column_time(row, 8);
}

int meter_readouts_load(struct meter_readouts *readouts, struct ml_error *err)
{
	sqlite3_stmt *row = NULL;
	int result = 0, step = SQLITE_OK;
	if (sqlite3_prepare_v2(readouts->db,
		    "SELECT point, result, telegrams, tries, failures, took, tried, read, "
		    "failed_since FROM meter_readout ORDER BY point",
		    -1, &row, NULL) != SQLITE_OK) {
		result = ml_database_error(err, readouts->db, "reading the states of readouts");
		goto out;
	}
	while ((step = sqlite3_step(row)) == SQLITE_ROW) {
		struct meter_readout_entry *entry =
			meter_readouts_add(readouts, (uint32_t)sqlite3_column_int64(row, 0));
		if (!entry) {
			result = ml_error_set(err, -ENOMEM, "out of memory");
			goto out;
		}
		load_row(row, entry);
	}
	if (step != SQLITE_DONE)
		result = ml_database_error(err, readouts->db, "reading the states of readouts");
out:
	sqlite3_finalize(row);
	return result;
}

/* ---- Writing ---- */

/* With the lock held: those whose points are gone go too. */
static void prune(struct meter_readouts *readouts, const struct meter_snapshot *list)
{
	size_t kept = 0;
	for (size_t i = 0; i < readouts->count; i++) {
		const struct meter_readout_entry *entry = &readouts->entries[i];
		if (!meter_snapshot_point(list, entry->shown.point))
			continue;
		if (kept != i)
			readouts->entries[kept] = *entry;
		kept++;
	}
	readouts->count = kept;
}

/* With the lock held: what is to be written, with its times. NULL and *ret_count > 0: out of
 * memory, and nothing changed. */
static struct meter_readout *collect(struct meter_readouts *readouts, bool all, size_t *ret_count)
{
	size_t count = 0;
	for (size_t i = 0; i < readouts->count; i++) {
		const struct meter_readout_entry *entry = &readouts->entries[i];
		count += entry->kind_changed || (all && entry->changed);
	}
	struct meter_readout *rows = count ? calloc(count, sizeof *rows) : NULL;
	*ret_count = count;
	if (!rows)
		return NULL;
	count = 0;
	for (size_t i = 0; i < readouts->count; i++) {
		struct meter_readout_entry *entry = &readouts->entries[i];
		if (!entry->kind_changed && !(all && entry->changed))
			continue;
		entry->changed = entry->kind_changed = false;
		struct meter_readout *row = &rows[count++];
		*row = entry->shown;
		row->tried = meter_readouts_time(readouts, entry->tried);
		row->read = meter_readouts_time(readouts, entry->read);
		row->failed_since = meter_readouts_time(readouts, entry->failed_since);
	}
	return rows;
}

static bool bind_time(sqlite3_stmt *statement, int place, ml_time time)
{
	return (time == ML_TIME_NONE ? sqlite3_bind_null(statement, place)
				     : sqlite3_bind_int64(statement, place, time)) == SQLITE_OK;
}

static bool write_row(sqlite3_stmt *statement, const struct meter_readout *row)
{
	const char *result = meter_frame_result_name(row->result);
	const bool done = sqlite3_bind_int64(statement, 1, row->point) == SQLITE_OK &&
			  sqlite3_bind_text(statement, 2, result, -1, SQLITE_STATIC) == SQLITE_OK &&
			  sqlite3_bind_int64(statement, 3, row->telegrams) == SQLITE_OK &&
			  sqlite3_bind_int64(statement, 4, row->tries) == SQLITE_OK &&
			  sqlite3_bind_int64(statement, 5, row->failures) == SQLITE_OK &&
			  sqlite3_bind_int64(statement, 6, row->took) == SQLITE_OK &&
			  bind_time(statement, 7, row->tried) &&
			  bind_time(statement, 8, row->read) &&
			  bind_time(statement, 9, row->failed_since) &&
			  sqlite3_step(statement) == SQLITE_DONE;
	(void)sqlite3_reset(statement);
	return done;
}

static int write_rows(
	sqlite3 *db, const struct meter_readout *rows, size_t count, struct ml_error *err)
{
	sqlite3_stmt *statement = NULL;
	int result = 0;
	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return ml_database_error(err, db, "writing the states of readouts");
	bool good = sqlite3_prepare_v2(db,
			    "INSERT OR REPLACE INTO meter_readout (point, result, telegrams, "
			    "tries, failures, took, tried, read, failed_since) "
			    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			    -1, &statement, NULL) == SQLITE_OK;
	for (size_t i = 0; good && i < count; i++)
		good = write_row(statement, &rows[i]);
	if (!good)
		result = ml_database_error(err, db, "writing the states of readouts");
	sqlite3_finalize(statement);
	if (result == 0 && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		result = ml_database_error(err, db, "writing the states of readouts");
	if (result < 0)
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return result;
}

/* They are written with the next round. */
static void put_back(
	struct meter_readouts *readouts, const struct meter_readout *rows, size_t count)
{
	pthread_mutex_lock(&readouts->lock);
	for (size_t i = 0; i < count; i++) {
		struct meter_readout_entry *entry = meter_readouts_find(readouts, rows[i].point);
		if (entry)
			entry->changed = entry->kind_changed = true;
	}
	readouts->changed = readouts->kind_changed = true;
	pthread_mutex_unlock(&readouts->lock);
}

static void write_down(
	struct meter_readouts *readouts, const struct meter_readout *rows, size_t count)
{
	struct ml_error err = ML_ERROR_NONE;
	const bool failed = write_rows(readouts->db, rows, count, &err) < 0;
	if (failed)
		put_back(readouts, rows, count);
	if (failed && !readouts->troubled)
		ml_log(ml_engine_log(readouts->engine), ML_LOG_WARNING, "readouts", "%s", err.text);
	readouts->troubled = failed;
}

void meter_readouts_write(struct meter_readouts *readouts, bool all)
{
	const ml_time time = ml_clock_monotonic(ml_engine_clock(readouts->engine));
	const struct meter_snapshot *list = meter_list_snapshot(readouts->list);
	size_t count = 0;
	pthread_mutex_lock(&readouts->lock);
	all = all || time >= readouts->written + METER_READOUT_WRITE_EVERY;
	readouts->posted = false;
	prune(readouts, list);
	struct meter_readout *rows = collect(readouts, all, &count);
	if (rows || count == 0) {
		readouts->kind_changed = false;
		readouts->changed = readouts->changed && !all;
		if (all)
			readouts->written = time;
	}
	pthread_mutex_unlock(&readouts->lock);
	meter_snapshot_release(list);
	if (rows)
		write_down(readouts, rows, count);
	free(rows);
}
