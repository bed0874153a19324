/* The health of readings.db: is it there, is it ours, is it whole, and what is done where it is
 * not. SPDX-License-Identifier: Apache-2.0
 *
 * Part of the writer (writer.h), on its lane.
 */
#ifndef STORE_HEALTH_H
#define STORE_HEALTH_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <meterloom/engine.h>

#include "store/mark.h"

struct store_health {
	struct ml_engine *engine;
	struct store_mark mark; /* as it stands in its file */
	bool begun;             /* this process had the database open before */
	bool may_repair;        /* which may take minutes: not while the gateway starts */
	bool repair;            /* it turned out damaged: the next opening salvages what is left */
	char damage[160];       /* what was found */
	dev_t device;           /* of the write-ahead log that is open; inode 0: none yet */
	ino_t inode;
	atomic_uint files; /* that took the place of another; any thread */
};

/* Opens readings.db, in place of ml_database_open(), after a look at whether it is whole. A damaged
 * one is moved aside and what can be read of it is taken over; where it may not be repaired yet, it
 * is left alone, and -EUCLEAN is returned. */
int store_health_open(struct store_health *health, sqlite3 **ret_db, struct ml_error *err);

/* After it was opened for the first time in this process: notes the start, and notices a database
 * that is older than it should be or another one. `*sequence`, the last number given by what the
 * database says, is raised to what was given in truth. */
int store_health_begin(struct store_health *health, sqlite3 *db, uint64_t epoch, uint64_t *sequence,
	struct ml_error *err);

/* Before a transaction. -ESTALE: readings.db was deleted or replaced by another file under the
 * gateway: close what was prepared on `db`, call store_health_copy_back(), close `db` and open
 * again. */
int store_health_look(struct store_health *health, sqlite3 *db, struct ml_error *err);

/* Writes what the open connection still holds to readings.db anew. */
int store_health_copy_back(struct store_health *health, sqlite3 *db, struct ml_error *err);

/* Before the commit that gives the numbers up to `sequence`; `committed` is on the disk. */
int store_health_reserve(
	struct store_health *health, uint64_t committed, uint64_t sequence, struct ml_error *err);

/* SQLite said that the database is damaged, or a check found so. */
void store_health_damaged(struct store_health *health, const char *damage);

/* At the stop of the process: the last sequence that is on the disk, and the last one given (after
 * a crash the higher one, until the first reading). */
void store_health_end(struct store_health *health, uint64_t committed, uint64_t sequence);

/* ---- Inside ---- */

/* NAME of the data directory. false: the path is too long. */
enum { STORE_PATH_MAX = 4096 };
bool store_health_path(const struct store_health *health, const char *name, char *path);

/* Moves readings.db and its write-ahead log aside, to readings.db.WHY-TIME. `name` (STORE_PATH_MAX
 * bytes) is what it is called then. */
int store_health_move_aside(
	struct store_health *health, const char *why, char *name, struct ml_error *err);

/* Makes readings.db.part, which is whole and synced, readings.db. */
int store_health_put_in_place(struct store_health *health, struct ml_error *err);

/* health_schema.c: whether tables and indexes are those of the steps that have run. -EUCLEAN: no.
 */
int store_health_schema(struct store_health *health, sqlite3 *db, struct ml_error *err);

/* Which steps of the schema had run. */
struct store_steps {
	struct {
		char family[32];
		unsigned version;
	} of[16];
	size_t count; /* 0: not known */
};

/* Runs these steps on an empty database; all of them where they are not known. */
int store_schema_make(struct store_health *health, sqlite3 *db, const struct store_steps *steps,
	struct ml_error *err);

#endif
