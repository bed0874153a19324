/* SQLite databases: opened once a user, brought to the current schema step by step.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run/database.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "command/settings.h"
#include "graph/revisions.h"
#include "run/engine.h"

enum { BUSY_TIMEOUT_MS = 10000, PATH_LENGTH_MAX = 4096 };

static const char *const database_names[] = {"meterloom", "readings"};

static int errno_of(int code)
{
	switch (code & 0xFF) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_CANTOPEN:
		return -ENOENT;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	default:
		return -EIO;
	}
}

int ml_database_error(struct ml_error *err, sqlite3 *db, const char *doing)
{
	const int code = db ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
	const int result = errno_of(code);
	return ml_error_set(err, result ? result : -EIO, "%s: %s", doing,
		db ? sqlite3_errmsg(db) : "out of memory");
}

static int execute(sqlite3 *db, const char *sql, const char *doing, struct ml_error *err)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return ml_database_error(err, db, doing);
	return 0;
}

/* The last step of a family that has run; 0: none. */
static int last_step(sqlite3 *db, const char *family, int *last, struct ml_error *err)
{
	sqlite3_stmt *statement = NULL;
	static const char sql[] = "SELECT max(version) FROM ml_migration WHERE family = ?";
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		return ml_database_error(err, db, "reading the schema's version");
	int result = 0;
	sqlite3_bind_text(statement, 1, family, -1, SQLITE_STATIC);
	if (sqlite3_step(statement) == SQLITE_ROW)
		*last = sqlite3_column_int(statement, 0);
	else
		result = ml_database_error(err, db, "reading the schema's version");
	sqlite3_finalize(statement);
	return result;
}

static int run_step(
	sqlite3 *db, const char *family, const struct ml_migration *step, struct ml_error *err)
{
	char doing[96];
	(void)snprintf(doing, sizeof doing, "step %u of the schema of %s", step->version, family);
	int result = execute(db, step->sql, doing, err);
	if (result != 0)
		return result;
	sqlite3_stmt *statement = NULL;
	static const char sql[] = "INSERT INTO ml_migration (family, version) VALUES (?, ?)";
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK) {
		sqlite3_bind_text(statement, 1, family, -1, SQLITE_STATIC);
		sqlite3_bind_int64(statement, 2, step->version);
		sqlite3_step(statement);
	}
	if (sqlite3_finalize(statement) != SQLITE_OK || !statement)
		result = ml_database_error(err, db, doing);
	return result;
}

static int migrate_family(sqlite3 *db, const char *database, const char *family,
	const struct ml_migration *steps, struct ml_error *err)
{
	if (!steps)
		return 0;
	int last = 0;
	int result = last_step(db, family, &last, err);
	unsigned newest = 0;
	for (const struct ml_migration *step = steps; result == 0 && step->database; step++) {
		if (strcmp(step->database, database) != 0)
			continue;
		newest = step->version;
		if (step->version > (unsigned)last)
			result = run_step(db, family, step, err);
	}
	if (result == 0 && (unsigned)last > newest)
		result = ml_error_set(err, -ENOTSUP,
			"%s.db was made by a newer version of this program (%s: step %d, known are "
			"%u); "
			"install that version, or start with another data directory",
			database, family, last, newest);
	return result;
}

/* All steps in one transaction: a database is never left between two versions. */
static int migrate(
	struct ml_engine *engine, sqlite3 *db, const char *database, struct ml_error *err)
{
	int result = execute(db, "BEGIN IMMEDIATE", "changing the schema", err);
	if (result != 0)
		return result;
	result = execute(db,
		"CREATE TABLE IF NOT EXISTS ml_migration ("
		"family TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (family, version)"
		") WITHOUT ROWID",
		"changing the schema", err);
	if (result == 0)
		result = migrate_family(
			db, database, "engine.settings", ml_settings_migrations, err);
	if (result == 0)
		result = migrate_family(db, database, "engine.graph", ml_graph_migrations, err);
	const struct ml_family *const *families = ml_engine_families(engine);
	for (; result == 0 && *families; families++)
		result = migrate_family(
			db, database, (*families)->name, (*families)->migrations, err);
	if (result == 0)
		result = execute(db, "COMMIT", "changing the schema", err);
	if (result != 0)
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return result;
}

static int path_of(struct ml_engine *engine, const char *name, char path[PATH_LENGTH_MAX],
	struct ml_error *err)
{
	const char *const data = ml_engine_data(engine);
	/* The memdb file system shares what has one name within the process and locks as files do.
	 */
	const int length = data ? snprintf(path, PATH_LENGTH_MAX, "%s/%s.db", data, name)
				: snprintf(path, PATH_LENGTH_MAX, "file:/%p/%s.db?vfs=memdb",
					  (void *)engine, name);
	if (length < 0 || length >= PATH_LENGTH_MAX)
		return ml_error_set(
			err, -ENAMETOOLONG, "the path of the data directory is too long");
	return 0;
}

/* A new database is for its owner alone; SQLite gives its journals the same mode. One that is there
 * is not touched: closing it here would release the locks of this process on it. */
static void make_private(const char *path)
{
	const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		(void)close(fd);
}

static int open_file(struct ml_engine *engine, const char *name, int flags, sqlite3 **ret_db,
	struct ml_error *err)
{
	char path[PATH_LENGTH_MAX];
	int result = path_of(engine, name, path, err);
	if (result != 0)
		return result;
	if (!ml_engine_data(engine))
		flags |= SQLITE_OPEN_URI;
	else if (flags & SQLITE_OPEN_CREATE)
		make_private(path);
	flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	if (sqlite3_open_v2(path, ret_db, flags, NULL) != SQLITE_OK) {
		char doing[PATH_LENGTH_MAX + 16];
		(void)snprintf(doing, sizeof doing, "opening %s", path);
		result = ml_database_error(err, *ret_db, doing);
		sqlite3_close(*ret_db);
		*ret_db = NULL;
		return result;
	}
	sqlite3_busy_timeout(*ret_db, BUSY_TIMEOUT_MS);
	return 0;
}

/* Without this one the gateway does not begin: what a person can do is said at once. */
static int advise(struct ml_engine *engine, const char *name, int result, struct ml_error *wrong,
	struct ml_error *err)
{
	if (result == -EUCLEAN && strcmp(name, "meterloom") == 0 && ml_engine_data(engine))
		return ml_error_set(err, result,
			"meterloom.db (graphs, settings, meters) is damaged (%.60s): put back a "
			"copy of it, without a meterloom.db-wal beside; or move both away and "
			"begin anew. readings.db is not touched",
			wrong->text);
	return ml_error_set(err, result, "%s", wrong->text);
}

static int open_and_migrate(struct ml_engine *engine, const char *name, bool write,
	sqlite3 **ret_db, struct ml_error *err)
{
	sqlite3 *db = NULL;
	*ret_db = NULL;
	int result = open_file(engine, name, write ? SQLITE_OPEN_CREATE : 0, &db, err);
	if (result != 0)
		return result;
	char doing[64];
	(void)snprintf(doing, sizeof doing, "opening %s.db", name);
	result = execute(db,
		"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON",
		doing, err);
	if (result == 0 && engine->no_sync)
		result = execute(db, "PRAGMA synchronous = OFF", doing, err);
	if (result == 0)
		result = write ? migrate(engine, db, name, err)
			       : execute(db, "PRAGMA query_only = ON", doing, err);
	if (result != 0) {
		sqlite3_close(db);
		return result;
	}
	*ret_db = db;
	return 0;
}

int ml_database_open(struct ml_engine *engine, const char *name, bool write, sqlite3 **ret_db,
	struct ml_error *err)
{
	struct ml_error wrong = ML_ERROR_NONE;
	const int result = open_and_migrate(engine, name, write, ret_db, &wrong);
	return result < 0 ? advise(engine, name, result, &wrong, err) : 0;
}

int ml_databases_start(struct ml_engine *engine, struct ml_error *err)
{
	const size_t count = sizeof database_names / sizeof *database_names;
	_Static_assert(sizeof database_names / sizeof *database_names ==
			       sizeof engine->memory / sizeof *engine->memory,
		"one connection keeps each database alive");
	int result = 0;
	for (size_t i = 0; result == 0 && !ml_engine_data(engine) && i < count; i++)
		result = ml_database_open(engine, database_names[i], true, &engine->memory[i], err);
	if (result != 0)
		ml_databases_stop(engine);
	return result;
}

void ml_databases_stop(struct ml_engine *engine)
{
	for (size_t i = 0; i < sizeof engine->memory / sizeof *engine->memory; i++) {
		sqlite3_close(engine->memory[i]);
		engine->memory[i] = NULL;
	}
}
