/* log.db: lines of the log and events on disk, bounded in size and age.
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is here only reads and writes; when, and what becomes of failures, is log_keeper.c's. One
 * thread at a time.
 */
#ifndef ML_COMMAND_LOG_DATABASE_H
#define ML_COMMAND_LOG_DATABASE_H

#include <meterloom/error.h>
#include <meterloom/log.h>

struct ml_log_database;

/* A line of the log, or an event; which have numbers of their own. */
struct ml_log_row {
	uint64_t number;
	ml_time time;      /* wall */
	ml_time monotonic; /* where `uncertain` */
	bool uncertain;    /* the clock was not known to be right */
	enum ml_log_level level;
	uint32_t suppressed; /* of a line */
	const char *origin;  /* of an event its code */
	const char *text;    /* of an event its JSON */
	size_t text_length;
};

enum ml_log_kind { ML_LOG_LINES, ML_LOG_EVENTS };

/* Opens PATH, made if missing; NULL: in memory. -EUCLEAN: it is damaged, or of a newer version, and
 * must be moved aside; -ENOSPC, -EROFS and the like: it cannot be used now. `no_sync`: for
 * simulations. */
int ml_log_database_open(
	const char *path, bool no_sync, struct ml_log_database **ret_db, struct ml_error *err);
void ml_log_database_close(struct ml_log_database *db); /* accepts NULL */

/* Renames a database that is not open, and what belongs to it, to PATH.damaged, in the place of an
 * older one. */
int ml_log_database_move_aside(const char *path, struct ml_error *err);

/* What is there: the highest numbers, and the newest time that is right (0: none). */
struct ml_log_extent {
	uint64_t last_line, last_event;
	ml_time newest;
};
int ml_log_database_extent(
	struct ml_log_database *db, struct ml_log_extent *ret_extent, struct ml_error *err);

/* Within a transaction of the caller's: begin, add …, commit. A failed add or commit has rolled
 * back. `start` counts the starts of the gateway. */
int ml_log_database_begin(struct ml_log_database *db, struct ml_error *err);
int ml_log_database_add(struct ml_log_database *db, enum ml_log_kind kind,
	const struct ml_log_row *row, uint64_t start, struct ml_error *err);
int ml_log_database_commit(struct ml_log_database *db, struct ml_error *err);

/* Rows of this start whose time was not known get it: monotonic time and `offset`. */
int ml_log_database_stamp(
	struct ml_log_database *db, uint64_t start, ml_time offset, struct ml_error *err);

/* Deletes the oldest: what is older than `before`, but no more than a day's worth at a time, since
 * the clock may be wrong; and what takes the file over `bytes`. */
int ml_log_database_trim(
	struct ml_log_database *db, ml_time before, int64_t bytes, struct ml_error *err);

/* Deletes everything, so that nothing of it can be found in the file. */
int ml_log_database_wipe(struct ml_log_database *db, struct ml_error *err);

/* Tells rows with numbers below `number`, the newest first, until `tell` says false. */
int ml_log_database_scan(struct ml_log_database *db, enum ml_log_kind kind, uint64_t number,
	bool (*tell)(const struct ml_log_row *row, void *user), void *user, struct ml_error *err);

#endif
