/* log.db: lines of the log and events on disk, bounded in size and age.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A table each, by number, so that the oldest are the first pages of a tree and new ones its last:
 * a commit writes one or two pages, and deleting from the front gives pages back for the next.
 * Without a sync per commit: a power cut may lose the last lines, never the file.
 */
#include "command/log_database.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <meterloom/database.h>

enum {
	VERSION = 1,
	JOURNAL_BYTES = 4 << 20,
	BUSY_MS = 2000,      /* where somebody looks into it with a tool */
	VACUUM_PAGES = 2000, /* given back to the file system at a time */
	EVENTS_PART = 4,     /* events may fill the fourth part; so many bytes each at least: */
	EVENT_BYTES = 300,
};

struct ml_log_database {
	sqlite3 *sqlite;
	sqlite3_stmt *add[2];
};

static const char *const tables[] = {[ML_LOG_LINES] = "line", [ML_LOG_EVENTS] = "event"};

/* monotonic and start: NULL where the time is right. */
#define TABLE(name) \
	"CREATE TABLE " name "(number INTEGER PRIMARY KEY, time INTEGER NOT NULL," \
	" monotonic INTEGER, start INTEGER, level INTEGER NOT NULL, suppressed INTEGER NOT NULL," \
	" origin TEXT NOT NULL, text TEXT NOT NULL);"

static int fail(struct ml_log_database *db, struct ml_error *err, const char *doing)
{
	/* What a query of ours finds missing was taken out by somebody else. */
	const int code = db->sqlite ? sqlite3_extended_errcode(db->sqlite) : SQLITE_NOMEM;
	int r = ml_database_error(err, db->sqlite, doing);
	if (code == SQLITE_ERROR || code == SQLITE_MISMATCH || code == SQLITE_IOERR_SHORT_READ)
		r = -EUCLEAN;
	if (db->sqlite && !sqlite3_get_autocommit(db->sqlite))
		(void)sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

static int run(struct ml_log_database *db, const char *sql, const char *doing, struct ml_error *err)
{
	if (sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) != SQLITE_OK)
		return fail(db, err, doing);
	return 0;
}

/* The one number that a query gives; 0 where it gives none, or NULL. */
static int ask(struct ml_log_database *db, const char *sql, int64_t *ret, struct ml_error *err)
{
	sqlite3_stmt *statement = NULL;
	int r = 0;
	*ret = 0;
	int code = sqlite3_prepare_v2(db->sqlite, sql, -1, &statement, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*ret = sqlite3_column_int64(statement, 0);
	else if (code != SQLITE_DONE)
		r = fail(db, err, "reading log.db");
	(void)sqlite3_finalize(statement);
	return r;
}

/* ---- Life ---- */

static int set_up(struct ml_log_database *db, bool no_sync, struct ml_error *err)
{
	static const char doing[] = "opening log.db";
	int64_t version = 0;
	/* auto_vacuum counts only before the first table. */
	int r = run(db,
		"PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; "
		"PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY",
		doing, err);
	if (r == 0 && no_sync)
		r = run(db, "PRAGMA synchronous = OFF", doing, err);
	char limit[64];
	(void)snprintf(limit, sizeof limit, "PRAGMA journal_size_limit = %d", JOURNAL_BYTES);
	if (r == 0)
		r = run(db, limit, doing, err);
	if (r == 0)
		r = ask(db, "PRAGMA user_version", &version, err);
	if (r == 0 && version > VERSION)
		return ml_error_set(err, -EUCLEAN,
			"log.db is of version %lld, known is %d: a newer program made it",
			(long long)version, VERSION);
	if (r == 0 && version == 0)
		r = run(db,
			"BEGIN IMMEDIATE;" TABLE("line")
				TABLE("event") "PRAGMA user_version = 1; COMMIT",
			doing, err);
	return r;
}

static int prepare(struct ml_log_database *db, struct ml_error *err)
{
	for (int kind = 0; kind < 2; kind++) {
		char sql[160];
		(void)snprintf(sql, sizeof sql,
			"INSERT OR REPLACE INTO %s(number, time, monotonic, start, level, "
			"suppressed, origin, text) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
			tables[kind]);
		if (sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT,
			    &db->add[kind], NULL) != SQLITE_OK)
			return fail(db, err, "opening log.db");
	}
	return 0;
}

int ml_log_database_open(
	const char *path, bool no_sync, struct ml_log_database **ret_db, struct ml_error *err)
{
	struct ml_log_database *db = calloc(1, sizeof *db);
	*ret_db = NULL;
	if (!db)
		return ml_error_set(err, -ENOMEM, "out of memory");
	/* For its owner alone; SQLite gives its journals the same mode. */
	const int fd = path ? open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
	if (fd >= 0)
		(void)close(fd);
	int r = 0;
	if (sqlite3_open_v2(path ? path : ":memory:", &db->sqlite,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
			    SQLITE_OPEN_EXRESCODE,
		    NULL) != SQLITE_OK)
		r = fail(db, err, "opening log.db");
	if (r == 0) {
		(void)sqlite3_busy_timeout(db->sqlite, BUSY_MS);
		r = set_up(db, no_sync, err);
	}
	if (r == 0)
		r = prepare(db, err);
	if (r < 0) {
		ml_log_database_close(db);
		return r;
	}
	*ret_db = db;
	return 0;
}

void ml_log_database_close(struct ml_log_database *db)
{
	if (!db)
		return;
	for (int kind = 0; kind < 2; kind++)
		(void)sqlite3_finalize(db->add[kind]);
	(void)sqlite3_close(db->sqlite);
	free(db);
}

int ml_log_database_move_aside(const char *path, struct ml_error *err)
{
	static const char *const parts[] = {"-wal", "-shm", ""};
	char from[PATH_MAX + 16], to[PATH_MAX + 32];
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		(void)snprintf(from, sizeof from, "%s%s", path, parts[i]);
		(void)snprintf(to, sizeof to, "%s.damaged%s", path, parts[i]);
		(void)unlink(to);
		if (rename(from, to) < 0 && errno != ENOENT) {
			const int r = -errno;
			return ml_error_set(
				err, r, "%s cannot be moved to %s: %s", from, to, strerror(-r));
		}
	}
	return 0;
}

int ml_log_database_extent(
	struct ml_log_database *db, struct ml_log_extent *ret_extent, struct ml_error *err)
{
	int64_t line = 0, event = 0, newest = 0;
	int r = ask(db, "SELECT max(number) FROM line", &line, err);
	if (r == 0)
		r = ask(db, "SELECT max(number) FROM event", &event, err);
	if (r == 0)
		r = ask(db,
			"SELECT time FROM line WHERE monotonic IS NULL ORDER BY number DESC "
			"LIMIT 1",
			&newest, err);
	*ret_extent = (struct ml_log_extent){(uint64_t)line, (uint64_t)event, newest};
	return r;
}

/* ---- Writing ---- */

static const char writing[] = "writing log.db";

int ml_log_database_begin(struct ml_log_database *db, struct ml_error *err)
{
	return run(db, "BEGIN IMMEDIATE", writing, err);
}

int ml_log_database_add(struct ml_log_database *db, enum ml_log_kind kind,
	const struct ml_log_row *row, uint64_t start, struct ml_error *err)
{
	sqlite3_stmt *s = db->add[kind];
	int code = sqlite3_bind_int64(s, 1, (int64_t)row->number);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(s, 2, row->time);
	if (code == SQLITE_OK)
		code = row->uncertain ? sqlite3_bind_int64(s, 3, row->monotonic)
				      : sqlite3_bind_null(s, 3);
	if (code == SQLITE_OK)
		code = row->uncertain ? sqlite3_bind_int64(s, 4, (int64_t)start)
				      : sqlite3_bind_null(s, 4);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int(s, 5, (int)row->level);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(s, 6, row->suppressed);
	if (code == SQLITE_OK)
		code = sqlite3_bind_text(s, 7, row->origin, -1, SQLITE_STATIC);
	if (code == SQLITE_OK)
		code = sqlite3_bind_text(s, 8, row->text, (int)row->text_length, SQLITE_STATIC);
	if (code == SQLITE_OK)
		code = sqlite3_step(s);
	const int r = code == SQLITE_DONE ? 0 : fail(db, err, writing);
	(void)sqlite3_reset(s);
	return r;
}

int ml_log_database_commit(struct ml_log_database *db, struct ml_error *err)
{
	return run(db, "COMMIT", writing, err);
}

int ml_log_database_stamp(
	struct ml_log_database *db, uint64_t start, ml_time offset, struct ml_error *err)
{
	int r = ml_log_database_begin(db, err);
	for (int kind = 0; r == 0 && kind < 2; kind++) {
		char sql[160];
		(void)snprintf(sql, sizeof sql,
			"UPDATE %s SET time = monotonic + %lld, monotonic = NULL, start = NULL "
			"WHERE start = %lld",
			tables[kind], (long long)offset, (long long)start);
		r = run(db, sql, writing, err);
	}
	return r < 0 ? r : ml_log_database_commit(db, err);
}

/* ---- Limits ---- */

/* Rows from the front that are old, until one is not: numbers, not times, are in order. */
static int trim_age(
	struct ml_log_database *db, enum ml_log_kind kind, ml_time before, struct ml_error *err)
{
	char sql[256];
	int64_t oldest = 0, first_kept = 0;
	(void)snprintf(
		sql, sizeof sql, "SELECT time FROM %s ORDER BY number LIMIT 1", tables[kind]);
	int r = ask(db, sql, &oldest, err);
	if (r < 0 || oldest == 0 || oldest >= before)
		return r;
	if (before > oldest + ML_DAY)
		before = oldest + ML_DAY;
	(void)snprintf(sql, sizeof sql,
		"SELECT number FROM %s WHERE time >= %lld ORDER BY number LIMIT 1", tables[kind],
		(long long)before);
	r = ask(db, sql, &first_kept, err);
	if (r < 0)
		return r;
	/* Where all are older, the newest stays, so that numbers go on. */
	(void)snprintf(sql, sizeof sql,
		"DELETE FROM %s WHERE number < coalesce(nullif(%lld, 0), (SELECT max(number) FROM "
		"%s))",
		tables[kind], (long long)first_kept, tables[kind]);
	return run(db, sql, writing, err);
}

/* What the rows take, without free pages, and what the file takes. */
static int measure(
	struct ml_log_database *db, int64_t *ret_used, int64_t *ret_file, struct ml_error *err)
{
	int64_t page = 0, pages = 0, unused = 0;
	int r = ask(db, "PRAGMA page_size", &page, err);
	if (r == 0)
		r = ask(db, "PRAGMA page_count", &pages, err);
	if (r == 0)
		r = ask(db, "PRAGMA freelist_count", &unused, err);
	*ret_file = pages * page;
	*ret_used = (pages - unused) * page;
	return r;
}

/* Deletes a part of the rows, from the oldest: each twentieth, by the numbers. */
static int trim_part(struct ml_log_database *db, enum ml_log_kind kind, struct ml_error *err)
{
	char sql[256];
	(void)snprintf(sql, sizeof sql,
		"DELETE FROM %s WHERE number < (SELECT min(number) + (max(number) - min(number)) / "
		"20 + 1 FROM %s) AND number < (SELECT max(number) FROM %s)",
		tables[kind], tables[kind], tables[kind]);
	return run(db, sql, writing, err);
}

static int trim_events(struct ml_log_database *db, int64_t bytes, struct ml_error *err)
{
	char sql[200];
	(void)snprintf(sql, sizeof sql,
		"DELETE FROM event WHERE number <= (SELECT max(number) FROM event) - %lld",
		(long long)(bytes / EVENTS_PART / EVENT_BYTES));
	return run(db, sql, writing, err);
}

static int trim_size(struct ml_log_database *db, int64_t bytes, struct ml_error *err)
{
	int64_t used = 0, file = 0;
	int r = measure(db, &used, &file, err);
	if (r == 0 && used > bytes)
		r = trim_events(db, bytes, err);
	/* Numbers have gaps: a part of them may be little of the rows, so it is looked again. */
	for (int turn = 0; r == 0 && used > bytes && turn < 200; turn++) {
		r = trim_part(db, ML_LOG_LINES, err);
		if (r == 0)
			r = measure(db, &used, &file, err);
	}
	for (int turn = 0; r == 0 && used > bytes && turn < 200; turn++) {
		r = trim_part(db, ML_LOG_EVENTS, err);
		if (r == 0)
			r = measure(db, &used, &file, err);
	}
	/* Only after the limit was lowered: else free pages are used again. */
	if (r == 0 && file > bytes + bytes / 10) {
		char sql[64];
		(void)snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%d)", VACUUM_PAGES);
		r = run(db, sql, writing, err);
	}
	return r;
}

int ml_log_database_trim(
	struct ml_log_database *db, ml_time before, int64_t bytes, struct ml_error *err)
{
	int r = trim_age(db, ML_LOG_LINES, before, err);
	if (r == 0)
		r = trim_age(db, ML_LOG_EVENTS, before, err);
	return r == 0 ? trim_size(db, bytes, err) : r;
}

int ml_log_database_wipe(struct ml_log_database *db, struct ml_error *err)
{
	int r = run(
		db, "PRAGMA secure_delete = ON; DELETE FROM line; DELETE FROM event", writing, err);
	if (r == 0)
		r = run(db, "PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)", writing,
			err);
	if (r == 0)
		r = run(db, "PRAGMA secure_delete = OFF", writing, err);
	return r;
}

/* ---- Reading ---- */

static const char *text_at(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);
	return text ? text : "";
}

int ml_log_database_scan(struct ml_log_database *db, enum ml_log_kind kind, uint64_t number,
	bool (*tell)(const struct ml_log_row *row, void *user), void *user, struct ml_error *err)
{
	char sql[256];
	sqlite3_stmt *s = NULL;
	(void)snprintf(sql, sizeof sql,
		"SELECT number, time, monotonic, level, suppressed, origin, text FROM %s WHERE "
		"number < ? ORDER BY number DESC",
		tables[kind]);
	const uint64_t below = number < INT64_MAX ? number : INT64_MAX;
	int code = sqlite3_prepare_v2(db->sqlite, sql, -1, &s, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(s, 1, (int64_t)below);
	bool more = true;
	while (more && (code == SQLITE_OK || code == SQLITE_ROW)) {
		code = sqlite3_step(s);
		if (code != SQLITE_ROW)
			break;
		const struct ml_log_row row = {
			.number = (uint64_t)sqlite3_column_int64(s, 0),
			.time = sqlite3_column_int64(s, 1),
			.monotonic = sqlite3_column_int64(s, 2),
			.uncertain = sqlite3_column_type(s, 2) != SQLITE_NULL,
			.level = (enum ml_log_level)sqlite3_column_int(s, 3),
			.suppressed = (uint32_t)sqlite3_column_int64(s, 4),
			.origin = text_at(s, 5),
			.text = text_at(s, 6),
			.text_length = (size_t)sqlite3_column_bytes(s, 6),
		};
		more = tell(&row, user);
	}
	const int r =
		code == SQLITE_ROW || code == SQLITE_DONE ? 0 : fail(db, err, "reading log.db");
	(void)sqlite3_finalize(s);
	return r;
}
