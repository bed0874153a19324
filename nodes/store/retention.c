/* Retention: what goes because it is too old, or because there would be too much.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/retention.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <meterloom/event.h>
#include <meterloom/wall.h>

#include "store/query_node.h"
#include "store/range.h"
#include "store/upkeep.h"
#include "store/writer.h"

static const char doing[] = "letting go of old readings";

enum {
	CHUNKS_A_STEP = 32,
	FRAME_BYTES = 24, /* that a telegram takes beside its bytes, about */
};

#define AGE_EVERY ML_HOUR
#define TOLD_EVERY ML_DAY

/* A statement with numbers. */
static int run(struct store_writer *writer, struct ml_error *err, const char *sql, int count, ...)
{
	sqlite3_stmt *statement = NULL;
	int result = 0;
	va_list values;
	int code = sqlite3_prepare_v2(writer->db, sql, -1, &statement, NULL);
	va_start(values, count);
	for (int i = 1; code == SQLITE_OK && i <= count; i++)
		code = sqlite3_bind_int64(statement, i, va_arg(values, int64_t));
	va_end(values);
	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code != SQLITE_DONE && code != SQLITE_ROW)
		result = ml_database_error(err, writer->db, doing);
	sqlite3_finalize(statement);
	return result;
}

/* One number; 0 where there is none. */
static int read_number(
	struct store_writer *writer, const char *sql, int64_t *ret_value, struct ml_error *err)
{
	sqlite3_stmt *row = NULL;
	int result = 0;
	*ret_value = 0;
	int code = sqlite3_prepare_v2(writer->db, sql, -1, &row, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(row);
	if (code == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(row, 0);
	else if (code != SQLITE_DONE)
		result = ml_database_error(err, writer->db, doing);
	sqlite3_finalize(row);
	return result;
}

static int begin(struct store_writer *writer, struct ml_error *err)
{
	return run(writer, err, "BEGIN IMMEDIATE", 0);
}

static int end(struct store_writer *writer, int result, struct ml_error *err)
{
	if (result >= 0) {
		const int committed = run(writer, err, "COMMIT", 0);
		result = committed < 0 ? committed : result;
	}
	if (!sqlite3_get_autocommit(writer->db))
		(void)sqlite3_exec(writer->db, "ROLLBACK", NULL, NULL, NULL);
	return result;
}

/* ---- The time by which ages are told ---- */

/* A clock that jumps ahead by a year must not delete a year: the time moves on by two days a day at
 * the most. */
static int move_trusted(
	struct store_retention *r, struct store_writer *writer, ml_time wall, struct ml_error *err)
{
	const ml_time now = ml_clock_monotonic(ml_engine_clock(writer->engine));
	int result = 0;
	if (!r->loaded) {
		result = read_number(writer, "SELECT value FROM store_state WHERE name = 'trusted'",
			&r->trusted, err);
		if (result < 0)
			return result;
		r->written = r->trusted;
		r->trusted = r->trusted ? r->trusted : wall;
		r->loaded = true;
		r->looked = now;
	}
	const ml_time furthest = r->trusted + 2 * (now - r->looked);
	if (wall > r->trusted)
		r->trusted = wall < furthest ? wall : furthest;
	r->looked = now;
	if (r->trusted - r->written < AGE_EVERY)
		return 0;
	result = run(writer, err,
		"INSERT OR REPLACE INTO store_state (name, value) VALUES ('trusted', ?)", 1,
		r->trusted);
	if (result == 0)
		r->written = r->trusted;
	return result;
}

/* ---- Destinations ---- */

/* The last sequence that all destinations of the running graph have had. */
static int had_by_all(struct store_writer *writer, uint64_t *ret_sequence, struct ml_error *err)
{
	*ret_sequence = INT64_MAX;
	for (const struct store_query *q = writer->queries; q; q = q->next) {
		uint64_t cursor = 0;
		if (q->fixed)
			continue;
		const int result =
			store_cursor_load(writer->db, writer->epoch, q->destination, &cursor, err);
		if (result < 0)
			return result;
		if (cursor < *ret_sequence)
			*ret_sequence = cursor;
	}
	return 0;
}

static void add_missed(struct store_retention *r, const char *destination, uint64_t readings)
{
	for (size_t i = 0; i < r->missed_count; i++) {
		if (strcmp(r->missed[i].destination, destination) == 0) {
			r->missed[i].readings += readings;
			return;
		}
	}
	if (r->missed_count == RETENTION_MISSED_MAX)
		return;
	struct retention_missed *missed = &r->missed[r->missed_count++];
	(void)snprintf(missed->destination, sizeof missed->destination, "%s", destination);
	missed->readings = readings;
}

/* Readings of these sequences go: whom of the running graph do they fail? Spread evenly, about. */
static void count_missed(struct store_retention *r, struct store_writer *writer, uint64_t first,
	uint64_t last, uint64_t count)
{
	for (const struct store_query *q = writer->queries; q; q = q->next) {
		uint64_t cursor = 0;
		if (q->fixed || store_cursor_load(writer->db, writer->epoch, q->destination,
					&cursor, NULL) < 0)
			continue;
		if (cursor < first)
			add_missed(r, q->destination, count);
		else if (cursor < last)
			add_missed(r, q->destination,
				count * (last - cursor) / (last - first + 1) + 1);
	}
}

/* ---- The journal ---- */

/* Lets go of the telegrams of its oldest block. 1: there were some. */
static int drop_journal(struct store_writer *writer, int64_t block, struct ml_error *err)
{
	const int64_t last = ((block + 1) << STORE_BLOCK_BITS) - 1;
	int result = begin(writer, err);
	if (result == 0)
		result = run(writer, err, "DELETE FROM frame WHERE key <= ?", 1, last);
	if (result == 0)
		result = run(
			writer, err, "UPDATE block SET journal = 0 WHERE number <= ?", 1, block);
	/* Blocks whose rows are packed are of no more use. */
	if (result == 0)
		result = run(writer, err,
			"DELETE FROM block WHERE journal = 0 AND number < (SELECT (value + 1) >> "
			"10 "
			"FROM store_state WHERE name = 'packed') AND number <= ?",
			1, block);
	result = end(writer, result, err);
	return result < 0 ? result : 1;
}

static void tell_journal(struct store_retention *r, struct store_writer *writer, int64_t size)
{
	char text[32];
	if (r->journal_short)
		return;
	r->journal_short = true;
	(void)snprintf(text, sizeof text, "%lld", (long long)size);
	ml_event_raise(writer->engine, "store-journal-full", "readings.db", "size", text, NULL);
}

/* The oldest block with telegrams that is full; false: there is none. */
static int oldest_journal(struct store_writer *writer, int64_t *ret_block, ml_time *ret_written,
	int64_t *ret_bytes, struct ml_error *err)
{
	int64_t key = 0;
	int result = read_number(writer, "SELECT min(key) FROM frame", &key, err);
	*ret_block = key >> STORE_BLOCK_BITS;
	*ret_bytes = 0;
	if (result < 0 || key == 0 || (uint64_t)*ret_block == writer->committed >> STORE_BLOCK_BITS)
		return result;
	char sql[160];
	(void)snprintf(sql, sizeof sql, "SELECT written FROM block WHERE number >= %lld LIMIT 1",
		(long long)*ret_block);
	result = read_number(writer, sql, ret_written, err);
	if (result == 0)
		result = read_number(writer,
			"SELECT sum(journal) + count(*) * 1024 * 24 FROM block WHERE journal > 0",
			ret_bytes, err);
	return result < 0 ? result : 1;
}

static int step_journal(
	struct store_retention *r, struct store_writer *writer, ml_time wall, struct ml_error *err)
{
	const int64_t days = store_setting(writer->engine, "store.journal_days");
	const int64_t size = store_setting(writer->engine, "store.journal_size");
	int64_t block = 0, bytes = 0;
	ml_time written = 0;
	const int result = oldest_journal(writer, &block, &written, &bytes, err);
	if (result <= 0)
		return result;
	if (bytes > size << 20) {
		if (days)
			tell_journal(r, writer, size);
		return drop_journal(writer, block, err);
	}
	const ml_time now = r->trusted < wall ? r->trusted : wall;
	return written < now - days * ML_DAY ? drop_journal(writer, block, err) : 0;
}

/* ---- Chunks ---- */

struct gone {
	int64_t keys[CHUNKS_A_STEP];
	size_t count;
	uint64_t readings;
};

/* Chunks that may go, by a statement that gives key, count, first and last sequence. */
static int choose(struct store_retention *r, struct store_writer *writer, sqlite3_stmt *row,
	bool undelivered, struct gone *gone, struct ml_error *err)
{
	int code;
	while ((code = sqlite3_step(row)) == SQLITE_ROW && gone->count < CHUNKS_A_STEP) {
		const uint64_t count = (uint64_t)sqlite3_column_int64(row, 1);
		gone->keys[gone->count++] = sqlite3_column_int64(row, 0);
		gone->readings += count;
		if (undelivered)
			count_missed(r, writer, (uint64_t)sqlite3_column_int64(row, 2),
				(uint64_t)sqlite3_column_int64(row, 3), count);
	}
	return code == SQLITE_ROW || code == SQLITE_DONE
		       ? 0
		       : ml_database_error(err, writer->db, doing);
}

static int remove_chunks(struct store_writer *writer, const struct gone *gone, struct ml_error *err)
{
	int result = begin(writer, err);
	for (size_t i = 0; result == 0 && i < gone->count; i++)
		result = run(writer, err, "DELETE FROM chunk WHERE key = ?", 1, gone->keys[i]);
	if (result == 0)
		result = run(writer, err,
			"UPDATE store_state SET value = value + 1 WHERE name = 'chunks'", 0);
	return end(writer, result, err);
}

static int step_age(
	struct store_retention *r, struct store_writer *writer, ml_time wall, struct ml_error *err)
{
	const ml_time monotonic = ml_clock_monotonic(ml_engine_clock(writer->engine));
	const int64_t days = store_setting(writer->engine, "store.keep_days");
	const ml_time now = r->trusted < wall ? r->trusted : wall;
	struct gone gone = {.count = 0};
	sqlite3_stmt *row = NULL;
	uint64_t had = 0;
	if (r->looked_age && monotonic < r->looked_age + AGE_EVERY)
		return 0;
	int result = had_by_all(writer, &had, err);
	if (result < 0)
		return result;
	if (sqlite3_prepare_v2(writer->db,
		    "SELECT key, count, first_sequence, last_sequence FROM chunk INDEXED BY "
		    "chunk_device WHERE last_time < ? AND last_sequence <= ?",
		    -1, &row, NULL) != SQLITE_OK ||
		sqlite3_bind_int64(row, 1, now - days * ML_DAY) != SQLITE_OK ||
		sqlite3_bind_int64(row, 2, (int64_t)had) != SQLITE_OK)
		result = ml_database_error(err, writer->db, doing);
	else
		result = choose(r, writer, row, false, &gone, err);
	sqlite3_finalize(row);
	if (result == 0 && gone.count)
		result = remove_chunks(writer, &gone, err);
	if (result == 0 && !gone.count)
		r->looked_age = monotonic ? monotonic : 1;
	r->expired += result == 0 ? gone.readings : 0;
	return result < 0 ? result : gone.count > 0;
}

/* ---- Size ---- */

static int used_bytes(struct store_writer *writer, int64_t *ret_bytes, struct ml_error *err)
{
	int64_t pages = 0, unused = 0, size = 0;
	int result = read_number(writer, "PRAGMA page_count", &pages, err);
	if (result == 0)
		result = read_number(writer, "PRAGMA freelist_count", &unused, err);
	if (result == 0)
		result = read_number(writer, "PRAGMA page_size", &size, err);
	*ret_bytes = (pages - unused) * size;
	return result;
}

static int drop_oldest_chunks(
	struct store_retention *r, struct store_writer *writer, struct ml_error *err)
{
	struct gone gone = {.count = 0};
	sqlite3_stmt *row = NULL;
	int result = 0;
	if (sqlite3_prepare_v2(writer->db,
		    "SELECT key, count, first_sequence, last_sequence FROM chunk ORDER BY "
		    "last_sequence LIMIT 32",
		    -1, &row, NULL) != SQLITE_OK)
		result = ml_database_error(err, writer->db, doing);
	else
		result = choose(r, writer, row, true, &gone, err);
	sqlite3_finalize(row);
	if (result == 0 && gone.count)
		result = remove_chunks(writer, &gone, err);
	r->dropped += result == 0 ? gone.readings : 0;
	return result < 0 ? result : gone.count > 0;
}

/* The rows of the oldest block count as packed, without a chunk: the packer deletes them. */
static int drop_oldest_rows(
	struct store_retention *r, struct store_writer *writer, struct ml_error *err)
{
	int64_t packed = 0, packing = 0, block = 0, rows = 0;
	char sql[160];
	int result = read_number(
		writer, "SELECT value FROM store_state WHERE name = 'packed'", &packed, err);
	if (result == 0)
		result = read_number(writer, "SELECT value FROM store_state WHERE name = 'packing'",
			&packing, err);
	(void)snprintf(sql, sizeof sql, "SELECT min(number) FROM block WHERE number >= %lld",
		(long long)((packed + 1) >> STORE_BLOCK_BITS));
	if (result == 0)
		result = read_number(writer, sql, &block, err);
	/* A pass that runs comes to its end first. */
	if (result < 0 || packing > packed || (block == 0 && packed >= 1023))
		return result;
	const int64_t last = ((block + 1) << STORE_BLOCK_BITS) - 1;
	if ((uint64_t)last >= writer->committed >> STORE_BLOCK_BITS << STORE_BLOCK_BITS)
		return 0;
	(void)snprintf(sql, sizeof sql,
		"SELECT count(*) FROM reading WHERE sequence > %lld AND sequence <= %lld",
		(long long)packed, (long long)last);
	result = read_number(writer, sql, &rows, err);
	if (result < 0)
		return result;
	count_missed(r, writer, (uint64_t)packed + 1, (uint64_t)last, (uint64_t)rows);
	r->dropped += (uint64_t)rows;
	result = run(writer, err,
		"UPDATE store_state SET value = ?1 WHERE name IN ('packed', 'packing')", 1, last);
	return result < 0 ? result : 1;
}

static int step_size(struct store_retention *r, struct store_writer *writer, struct ml_error *err)
{
	const int64_t limit = store_setting(writer->engine, "store.size") << 20;
	int64_t used = 0, block = 0, bytes = 0;
	ml_time written;
	if (!limit)
		return 0;
	int result = used_bytes(writer, &used, err);
	if (result < 0 || used <= limit)
		return result;
	result = oldest_journal(writer, &block, &written, &bytes, err);
	if (result > 0)
		return drop_journal(writer, block, err);
	if (result == 0)
		result = drop_oldest_chunks(r, writer, err);
	return result == 0 ? drop_oldest_rows(r, writer, err) : result;
}

/* ---- Telling ---- */

static void tell(struct store_retention *r, struct store_writer *writer)
{
	const ml_time now = ml_clock_monotonic(ml_engine_clock(writer->engine));
	char readings[32], limit[32];
	if (r->dropped) {
		(void)snprintf(readings, sizeof readings, "%llu", (unsigned long long)r->dropped);
		(void)snprintf(limit, sizeof limit, "%lld",
			(long long)store_setting(writer->engine, "store.size"));
		ml_event_raise(writer->engine, "store-size", "readings.db", "readings", readings,
			"size", limit, NULL);
		r->dropped = 0;
	}
	for (size_t i = 0; i < r->missed_count; i++) {
		(void)snprintf(readings, sizeof readings, "%llu",
			(unsigned long long)r->missed[i].readings);
		ml_event_raise(writer->engine, "store-undelivered", "readings.db", "readings",
			readings, "destination", r->missed[i].destination, NULL);
	}
	r->missed_count = 0;
	if (r->expired && (!r->told || now >= r->told + TOLD_EVERY)) {
		(void)snprintf(readings, sizeof readings, "%llu", (unsigned long long)r->expired);
		(void)snprintf(limit, sizeof limit, "%lld",
			(long long)store_setting(writer->engine, "store.keep_days"));
		ml_event_raise(writer->engine, "store-expired", "readings.db", "readings", readings,
			"days", limit, NULL);
		r->expired = 0;
		r->told = now ? now : 1;
	}
}

int store_retention_step(
	struct store_retention *r, struct store_writer *writer, struct ml_error *err)
{
	const ml_time wall = ml_clock_wall(ml_engine_clock(writer->engine));
	int result = 0;
	/* While nobody knows what time it is, nothing is too old. */
	if (ml_wall_known(writer->engine)) {
		result = move_trusted(r, writer, wall, err);
		if (result == 0)
			result = step_age(r, writer, wall, err);
		if (result == 0)
			result = step_journal(r, writer, wall, err);
	}
	if (result == 0)
		result = step_size(r, writer, err);
	if (result == 0)
		tell(r, writer);
	return result;
}
