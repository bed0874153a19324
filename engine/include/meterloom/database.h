/* SQLite databases of a gateway, opened once a lane, with migrations that families declare.
 * SPDX-License-Identifier: Apache-2.0
 *
 * One writer a database: the lane "database" writes readings.db, the control lane writes
 * meterloom.db. Any lane may read through a connection of its own (WAL).
 */
#ifndef METERLOOM_DATABASE_H
#define METERLOOM_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>

#include <meterloom/error.h>

struct ml_engine;

/* A step of a database's schema. Steps of one family and database run in the order of `version`,
 * each in a transaction, once; the table ml_migration tells which have run. */
struct ml_migration {
	const char *database; /* "meterloom" or "readings"; NULL ends the table */
	unsigned version;     /* from 1, without gaps */
	const char *sql;      /* one or more statements */
};

/* Opens NAME.db of the engine's data directory: WAL, synchronous=FULL, foreign keys on, a busy
 * timeout; migrates it when `write`. Without a data directory (tests): a database in memory that
 * all connections of this engine share. -EIO and the like with SQLite's words; -EUCLEAN: it
 * is damaged; -ENOTSUP: it was made by a newer version. The caller closes it with sqlite3_close().
 * Any thread; a connection is used by one thread at a time. */
int ml_database_open(struct ml_engine *engine, const char *name, bool write, sqlite3 **ret_db,
	struct ml_error *err);

/* Turns a result code into an error with the connection's message. Returns the negative errno. */
int ml_database_error(struct ml_error *err, sqlite3 *db, const char *doing);

#endif
