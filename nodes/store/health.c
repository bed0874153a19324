/* The health of readings.db: is it there, is it ours, is it whole, and what is done where it is
 * not. SPDX-License-Identifier: Apache-2.0
 */
#include "store/health.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <meterloom/database.h>
#include <meterloom/event.h>
#include <meterloom/files.h>
#include <meterloom/log.h>

#include "store/salvage.h"

static const char place[] = "readings.db";

/* Numbers are reserved in blocks, so that the file beside the database is seldom written: the more
 * come at once the more. A start after a crash begins with the next block. */
enum { BLOCK = 1024, AHEAD = 16 };

static const struct ml_files *files_of(const struct store_health *health)
{
	return ml_engine_files(health->engine);
}

bool store_health_path(const struct store_health *health, const char *name, char *path)
{
	const char *data = ml_engine_data(health->engine);
	return data && snprintf(path, STORE_PATH_MAX, "%s/%s", data, name) < STORE_PATH_MAX;
}

/* ---- Looking at the file ---- */

static off_t size_of(const struct store_health *health, const char *name)
{
	char path[STORE_PATH_MAX];
	struct stat status;
	if (!store_health_path(health, name, path) || stat(path, &status) < 0)
		return -1;
	return status.st_size;
}

/* The first bytes of the file, before anything of this process has it open. 0: they are those of a
 * database. */
static int check_header(const struct store_health *health, struct ml_error *err)
{
	static const char magic[16] = "SQLite format 3";
	uint8_t head[100];
	char path[STORE_PATH_MAX];
	if (!store_health_path(health, "readings.db", path))
		return 0;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0; /* missing, or SQLite will tell */
	const ssize_t length = read(fd, head, sizeof head);
	const int reason = errno;
	(void)close(fd);
	/* What cannot be read now, on a worn card or in a folder of this name, is not damaged. */
	if (length < 0)
		return ml_error_set(err, -reason, "%s cannot be read: %s", path, strerror(reason));
	if (length == 0)
		return 0;
	if (length < (ssize_t)sizeof head)
		return ml_error_set(err, -EUCLEAN, "readings.db is only %zd bytes long", length);
	if (memcmp(head, magic, sizeof magic) != 0)
		return ml_error_set(err, -EUCLEAN, "readings.db does not begin as a database does");
	const unsigned page = (unsigned)head[16] << 8 | head[17];
	if (page != 1 && (page < 512 || (page & (page - 1)) != 0))
		return ml_error_set(err, -EUCLEAN, "readings.db has pages of %u bytes", page);
	if (head[21] != 64 || head[22] != 32 || head[23] != 32)
		return ml_error_set(err, -EUCLEAN, "readings.db has a damaged header");
	return 0;
}

/* ---- Moving aside ---- */

static void time_text(const struct store_health *health, char text[ML_TIME_TEXT_MAX])
{
	char whole[ML_TIME_TEXT_MAX];
	size_t at = 0;
	(void)ml_time_format(ml_clock_wall(ml_engine_clock(health->engine)), whole);
	for (const char *p = whole; *p && *p != '.'; p++)
		if (*p != '-' && *p != ':')
			text[at++] = *p;
	text[at++] = 'Z';
	text[at] = '\0';
}

/* `extra` is that of a companion: "-wal". It is no error where it is missing. */
static int rename_one(const struct store_health *health, const char *name, const char *extra)
{
	char from[STORE_PATH_MAX], to[STORE_PATH_MAX], base[STORE_PATH_MAX];
	(void)snprintf(base, sizeof base, "readings.db%s", extra);
	if (!store_health_path(health, base, from))
		return -ENAMETOOLONG;
	if (snprintf(base, sizeof base, "%s%s", name, extra) >= (int)sizeof base ||
		!store_health_path(health, base, to))
		return -ENAMETOOLONG;
	const struct ml_files *files = files_of(health);
	const int result = files->rename(files->user, from, to, true);
	return result == -ENOENT ? 0 : result;
}

static int sync_folder(const struct store_health *health)
{
	const struct ml_files *files = files_of(health);
	return files->sync_folder(files->user, ml_engine_data(health->engine));
}

int store_health_put_in_place(struct store_health *health, struct ml_error *err)
{
	const struct ml_files *files = files_of(health);
	char part[STORE_PATH_MAX], path[STORE_PATH_MAX];
	if (!store_health_path(health, "readings.db.part", part) ||
		!store_health_path(health, "readings.db", path))
		return ml_error_set(err, -ENAMETOOLONG, "the data directory's path is too long");
	int result = files->rename(files->user, part, path, true);
	if (result == 0)
		result = sync_folder(health);
	atomic_fetch_add(&health->files, 1);
	return result < 0 ? ml_error_set(err, result, "renaming %s: %s", part, strerror(-result))
			  : 0;
}

/* It is no error where it is not there. */
static int remove_one(const struct store_health *health, const char *name)
{
	const struct ml_files *files = files_of(health);
	char path[STORE_PATH_MAX];
	if (!store_health_path(health, name, path))
		return -ENAMETOOLONG;
	const int result = files->remove(files->user, path);
	return result == -ENOENT ? 0 : result;
}

int store_health_move_aside(
	struct store_health *health, const char *why, char *name, struct ml_error *err)
{
	char when[ML_TIME_TEXT_MAX];
	time_text(health, when);
	(void)snprintf(name, STORE_PATH_MAX, "readings.db.%s-%s", why, when);
	for (unsigned i = 2; size_of(health, name) >= 0 && i < 1000; i++)
		(void)snprintf(name, STORE_PATH_MAX, "readings.db.%s-%s-%u", why, when, i);
	/* The database first: where the power fails between the two, the log is an orphan (tidy()),
	 * and never a damaged database without the log that holds half of it. */
	int result = rename_one(health, name, "");
	if (result == 0)
		result = rename_one(health, name, "-wal");
	if (result == 0)
		result = remove_one(health, "readings.db-shm");
	if (result == 0)
		result = sync_folder(health);
	return result < 0 ? ml_error_set(err, result, "readings.db cannot be moved aside: %s",
				    strerror(-result))
			  : 0;
}

/* Where there is no database: a log without one would be taken for the log of the new one; and a
 * copy that was whole (its own journal is gone) but not yet in its place is put there. */
static int tidy(struct store_health *health, struct ml_error *err)
{
	char name[STORE_PATH_MAX];
	int result = 0;
	if (size_of(health, "readings.db") > 0)
		return 0;
	if (size_of(health, "readings.db-wal") > 0)
		result = store_health_move_aside(health, "lost", name, err);
	if (result < 0 || size_of(health, "readings.db.part") <= 0 ||
		size_of(health, "readings.db.part-journal") >= 0)
		return result;
	return store_health_put_in_place(health, err);
}

/* ---- Opening ---- */

static void note_file(struct store_health *health)
{
	char path[STORE_PATH_MAX];
	struct stat status;
	health->inode = 0;
	if (!store_health_path(health, "readings.db-wal", path) || stat(path, &status) < 0)
		return;
	health->device = status.st_dev;
	health->inode = status.st_ino;
}

static int open_whole(struct store_health *health, sqlite3 **ret_db, struct ml_error *err)
{
	int result = ml_database_open(health->engine, "readings", true, ret_db, err);
	if (result < 0)
		return result;
	/* Once is enough: while a disk fails, this is tried again and again. */
	if (!health->begun)
		result = store_health_schema(health, *ret_db, err);
	if (result < 0) {
		sqlite3_close(*ret_db);
		*ret_db = NULL;
	}
	return result;
}

static void tell_salvage(
	struct store_health *health, const char *reason, const struct store_salvage *salvage)
{
	char readings[24], lost[24], pages[24];
	(void)snprintf(readings, sizeof readings, "%" PRIu64, salvage->readings);
	(void)snprintf(lost, sizeof lost, "%" PRIu64, salvage->lost);
	(void)snprintf(pages, sizeof pages, "%" PRIu64, salvage->bad_pages);
	ml_event_raise(health->engine, "store-salvaged", place, "reason", reason, "file",
		salvage->file, "readings", readings, "lost", lost, "pages", pages, NULL);
}

static int repair(struct store_health *health, const char *reason, struct ml_error *err)
{
	struct store_salvage salvage = {0};
	ml_log(ml_engine_log(health->engine), ML_LOG_WARNING, "readings",
		"readings.db is damaged (%s): it is moved aside, and what can be read is taken "
		"over; "
		"this may take minutes",
		reason);
	const int result = store_salvage(health, &salvage, err);
	if (result == 0) {
		health->repair = false;
		tell_salvage(health, reason, &salvage);
	}
	return result;
}

int store_health_open(struct store_health *health, sqlite3 **ret_db, struct ml_error *err)
{
	struct ml_error wrong = ML_ERROR_NONE;
	int result = 0;
	*ret_db = NULL;
	if (!ml_engine_data(health->engine))
		return ml_database_open(health->engine, "readings", true, ret_db, err);
	if (health->repair)
		result = ml_error_set(&wrong, -EUCLEAN, "%s", health->damage);
	if (result == 0 && !health->begun)
		result = tidy(health, &wrong);
	if (result == 0 && !health->begun)
		result = check_header(health, &wrong);
	if (result == 0)
		result = open_whole(health, ret_db, &wrong);
	if (result == -EUCLEAN && health->may_repair) {
		char reason[ML_ERROR_TEXT_MAX];
		(void)snprintf(reason, sizeof reason, "%s", wrong.text);
		wrong = ML_ERROR_NONE;
		result = repair(health, reason, &wrong);
		if (result == 0)
			result = open_whole(health, ret_db, &wrong);
	}
	if (result < 0)
		return ml_error_set(err, result, "%s", wrong.text);
	note_file(health);
	return 0;
}

void store_health_damaged(struct store_health *health, const char *damage)
{
	health->repair = ml_engine_data(health->engine) != NULL;
	(void)snprintf(health->damage, sizeof health->damage, "%s", damage);
}

/* ---- Which database it is ---- */

static int read_number(sqlite3 *db, const char *sql, uint64_t *value, struct ml_error *err)
{
	sqlite3_stmt *row = NULL;
	int result = 0;
	int code = sqlite3_prepare_v2(db, sql, -1, &row, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(row);
	if (code == SQLITE_ROW)
		*value = (uint64_t)sqlite3_column_int64(row, 0);
	else if (code != SQLITE_DONE)
		result = ml_database_error(err, db, "reading the state of readings.db");
	sqlite3_finalize(row);
	return result;
}

static void tell_numbers(const struct store_health *health, const char *code, uint64_t found,
	uint64_t expected, uint64_t next)
{
	char numbers[3][24];
	(void)snprintf(numbers[0], sizeof numbers[0], "%" PRIu64, found);
	(void)snprintf(numbers[1], sizeof numbers[1], "%" PRIu64, expected);
	(void)snprintf(numbers[2], sizeof numbers[2], "%" PRIu64, next);
	ml_event_raise(health->engine, code, place, "found", numbers[0], "expected", numbers[1],
		"next", numbers[2], NULL);
}

/* Compares the database with the file beside it; the first number that is free is above both. */
static void compare(const struct store_health *health, const struct store_mark *mark,
	uint64_t epoch, uint64_t generation, uint64_t *sequence)
{
	const uint64_t found = *sequence;
	const bool same = mark->epoch == epoch;
	const bool behind = found < mark->committed;
	if (found < mark->ceiling)
		*sequence = mark->ceiling;
	if (same && (generation < mark->generation || behind))
		tell_numbers(health, "store-restored", found, mark->committed, *sequence + 1);
	else if (!same && generation == 0 && found == 0)
		tell_numbers(health, "store-missing", found, mark->ceiling, *sequence + 1);
	else if (!same)
		tell_numbers(health, "store-exchanged", found, mark->ceiling, *sequence + 1);
}

static int count_start(sqlite3 *db, uint64_t generation, struct ml_error *err)
{
	char sql[128];
	(void)snprintf(sql, sizeof sql,
		"INSERT OR REPLACE INTO store_state (name, value) VALUES ('generation', %" PRIu64
		")",
		generation);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return ml_database_error(err, db, "writing readings.db");
	return 0;
}

int store_health_begin(struct store_health *health, sqlite3 *db, uint64_t epoch, uint64_t *sequence,
	struct ml_error *err)
{
	const char *data = ml_engine_data(health->engine);
	struct store_mark old;
	struct ml_error wrong = ML_ERROR_NONE;
	uint64_t generation = 0;
	if (!data || health->begun)
		return 0;
	int result = store_mark_read(files_of(health), data, &old, &wrong);
	if (result < 0 && result != -EBADMSG)
		return ml_error_set(err, result, "%s", wrong.text);
	if (result == -EBADMSG)
		ml_log(ml_engine_log(health->engine), ML_LOG_WARNING, "readings", "%s", wrong.text);
	const bool known = result == 1;
	result = read_number(
		db, "SELECT value FROM store_state WHERE name = 'generation'", &generation, err);
	if (result < 0)
		return result;
	/* The database first: one that is a start ahead of the file was interrupted here. */
	const uint64_t next = (generation > old.generation ? generation : old.generation) + 1;
	result = count_start(db, next, err);
	if (result < 0)
		return result;
	const uint64_t found = *sequence;
	uint64_t first = found;
	if (known)
		compare(health, &old, epoch, generation, &first);
	const struct store_mark mark = {.epoch = epoch,
		.generation = next,
		.committed = found,
		.ceiling = (first + 1) | (BLOCK - 1)};
	result = store_mark_write(files_of(health), data, &mark, err);
	if (result < 0)
		return result;
	*sequence = first;
	health->mark = mark;
	health->begun = true;
	note_file(health);
	return 0;
}

int store_health_reserve(
	struct store_health *health, uint64_t committed, uint64_t sequence, struct ml_error *err)
{
	if (!health->begun || sequence <= health->mark.ceiling)
		return 0;
	struct store_mark mark = health->mark;
	mark.committed = committed;
	mark.ceiling = (sequence + AHEAD * (sequence - committed)) | (BLOCK - 1);
	const int result =
		store_mark_write(files_of(health), ml_engine_data(health->engine), &mark, err);
	if (result == 0)
		health->mark = mark;
	return result;
}

void store_health_end(struct store_health *health, uint64_t committed, uint64_t sequence)
{
	struct ml_error err = ML_ERROR_NONE;
	if (!health->begun)
		return;
	health->mark.committed = committed;
	health->mark.ceiling = sequence;
	health->mark.clean = true;
	if (store_mark_write(
		    files_of(health), ml_engine_data(health->engine), &health->mark, &err) < 0)
		ml_log(ml_engine_log(health->engine), ML_LOG_WARNING, "readings", "%s", err.text);
}

/* ---- Under a running gateway ---- */

int store_health_look(struct store_health *health, sqlite3 *db, struct ml_error *err)
{
	char path[STORE_PATH_MAX];
	struct stat status;
	int moved = 0;
	if (!ml_engine_data(health->engine))
		return 0;
	(void)sqlite3_file_control(db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	if (!moved && health->inode && store_health_path(health, "readings.db-wal", path))
		moved = stat(path, &status) < 0 || status.st_ino != health->inode ||
			status.st_dev != health->device;
	if (!moved) {
		if (!health->inode)
			note_file(health);
		return 0;
	}
	return ml_error_set(err, -ESTALE, "readings.db was deleted or replaced");
}

static int copy_to(sqlite3 *db, const char *path, struct ml_error *err)
{
	static const char doing[] = "copying readings.db back";
	sqlite3 *copy = NULL;
	int result = 0;
	(void)unlink(path);
	const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return ml_error_set(err, -errno, "%s: %s: %s", doing, path, strerror(errno));
	(void)close(fd);
	if (sqlite3_open_v2(path, &copy,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
		    NULL) != SQLITE_OK) {
		result = ml_database_error(err, copy, doing);
		goto out;
	}
	sqlite3_backup *backup = sqlite3_backup_init(copy, "main", db, "main");
	if (backup)
		(void)sqlite3_backup_step(backup, -1);
	if (!backup || sqlite3_backup_finish(backup) != SQLITE_OK)
		result = ml_database_error(err, copy, doing);
out:
	if (sqlite3_close(copy) != SQLITE_OK && result == 0)
		result = ml_error_set(err, -EIO, "%s: it cannot be closed", doing);
	return result;
}

/* A log at its place that is ours is in the copy. That of another database goes with that, since a
 * database must never meet the log of another; and nobody may share the index of the old log. */
static int clear_place(struct store_health *health, sqlite3 *db, struct ml_error *err)
{
	char path[STORE_PATH_MAX], name[STORE_PATH_MAX];
	struct stat status;
	int moved = 0;
	if (!store_health_path(health, "readings.db-wal", path))
		return -ENAMETOOLONG;
	if (stat(path, &status) == 0 && status.st_ino == health->inode &&
		status.st_dev == health->device)
		(void)remove_one(health, "readings.db-wal");
	(void)sqlite3_file_control(db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	if (moved || stat(path, &status) == 0)
		return store_health_move_aside(health, "replaced", name, err);
	return remove_one(health, "readings.db-shm");
}

int store_health_copy_back(struct store_health *health, sqlite3 *db, struct ml_error *err)
{
	char part[STORE_PATH_MAX];
	if (!store_health_path(health, "readings.db.part", part))
		return ml_error_set(err, -ENAMETOOLONG, "the data directory's path is too long");
	int result = copy_to(db, part, err);
	if (result == 0)
		result = clear_place(health, db, err);
	if (result == 0)
		result = store_health_put_in_place(health, err);
	if (result == 0)
		ml_event_raise(health->engine, "store-copied-back", place, NULL);
	return result;
}
