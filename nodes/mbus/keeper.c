/* The recordings that a gateway keeps: writing them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include <meterloom/engine.h>
#include <meterloom/files.h>
#include <meterloom/node.h>

enum {
	PATH_SIZE = 4096,
	WAITING_MAX = 4 * 1024 * 1024, /* bytes that the disk has not taken yet */
	NAMES_MAX = 1000,              /* that are looked at */
};

struct mbus_keeper {
	struct ml_engine *engine;
	struct ml_lane *lane, *disk;
	void (*done)(void *user, const struct mbus_kept *kept); /* NULL: nobody waits */
	void *user;
	_Atomic size_t waiting;
	atomic_bool failed;
	bool ended;
	struct mbus_kept kept; /* the disk's until it is done, but the name */
	/* the disk's */
	int fd; /* -1: none */
};

struct piece {
	struct mbus_keeper *keeper;
	size_t length;
	char text[];
};

/* ---- On the lane "files" ---- */

static void folder_of(struct ml_engine *engine, char out[PATH_SIZE])
{
	(void)snprintf(out, PATH_SIZE, "%s/" MBUS_KEEPER_FOLDER, ml_engine_data(engine));
}

static void fail(struct mbus_keeper *k, int code, const char *what)
{
	if (k->kept.err.code != 0)
		return;
	if (k->kept.size > 0)
		ml_error_set(&k->kept.err, code,
			"the recording %s %s: %s; its first %llu bytes are kept", k->kept.name,
			what, strerror(-code), (unsigned long long)k->kept.size);
	else
		ml_error_set(&k->kept.err, code, "the recording %s %s: %s", k->kept.name, what,
			strerror(-code));
	atomic_store(&k->failed, true);
}

struct names {
	char items[NAMES_MAX][MBUS_KEPT_NAME_MAX];
	size_t count;
};

/* "20260131-141500.250-bus.txt": other files are not ours. */
static bool is_recording(const char *name)
{
	static const char pattern[] = "########-######.###-";
	for (size_t i = 0; pattern[i]; i++) {
		const bool digit = name[i] >= '0' && name[i] <= '9';
		if (pattern[i] == '#' ? !digit : name[i] != pattern[i])
			return false;
	}
	return strlen(name) < MBUS_KEPT_NAME_MAX;
}

static void add_name(void *context, const char *name, bool folder)
{
	struct names *names = context;
	if (folder || !is_recording(name) || names->count == NAMES_MAX)
		return;
	(void)snprintf(names->items[names->count++], MBUS_KEPT_NAME_MAX, "%s", name);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

bool mbus_keeper_writes(const struct ml_files *files, const char *path)
{
	const int fd = files->open(files->user, path, O_RDONLY, 0);
	if (fd < 0)
		return false;
	const bool locked = flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	(void)files->close(files->user, fd);
	return locked;
}

/* Their names begin with their times. One that is still being written stays. */
static void remove_oldest(const struct ml_files *files, const char *folder)
{
	char path[PATH_SIZE + MBUS_KEPT_NAME_MAX];
	struct names *names = calloc(1, sizeof *names);
	if (!names)
		return;
	if (files->list(files->user, folder, add_name, names) == 0)
		qsort(names->items, names->count, sizeof names->items[0], by_name);
	for (size_t i = 0; i + MBUS_KEPT_MAX <= names->count; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, names->items[i]);
		if (!mbus_keeper_writes(files, path))
			(void)files->remove(files->user, path);
	}
	free(names);
}

static void on_begin(void *user)
{
	struct mbus_keeper *k = user;
	const struct ml_files *files = ml_engine_files(k->engine);
	char folder[PATH_SIZE];
	char path[PATH_SIZE + MBUS_KEPT_NAME_MAX];
	folder_of(k->engine, folder);
	struct ml_error err = ML_ERROR_NONE;
	if (ml_files_make_folders(files, folder, 0750, &err) < 0) {
		k->kept.err = err;
		atomic_store(&k->failed, true);
		return;
	}
	remove_oldest(files, folder);
	(void)snprintf(path, sizeof path, "%s/%s", folder, k->kept.name);
	k->fd = files->open(files->user, path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, 0640);
	if (k->fd < 0) {
		fail(k, k->fd, "cannot be begun");
		return;
	}
	/* So that others see that it is being written. */
	(void)flock(k->fd, LOCK_EX | LOCK_NB);
	(void)files->sync_folder(files->user, folder);
}

static void on_piece(void *user)
{
	struct piece *piece = user;
	struct mbus_keeper *k = piece->keeper;
	const struct ml_files *files = ml_engine_files(k->engine);
	size_t written = 0;
	while (k->fd >= 0 && k->kept.err.code == 0 && written < piece->length) {
		const int64_t n = files->write(
			files->user, k->fd, piece->text + written, piece->length - written);
		if (n <= 0) {
			fail(k, n < 0 ? (int)n : -ENOSPC, "cannot go on");
			break;
		}
		written += (size_t)n;
		k->kept.size += (uint64_t)n;
	}
	atomic_fetch_sub(&k->waiting, piece->length);
	free(piece);
}

static void on_done(void *user)
{
	struct mbus_keeper *k = user;
	if (k->done)
		k->done(k->user, &k->kept);
	free(k);
}

static void on_end(void *user)
{
	struct mbus_keeper *k = user;
	const struct ml_files *files = ml_engine_files(k->engine);
	if (k->fd >= 0) {
		const int result = files->sync(files->user, k->fd);
		if (result < 0)
			fail(k, result, "cannot be brought to the disk");
		(void)files->close(files->user, k->fd);
	}
	if (ml_lane_post(k->lane, on_done, k) < 0)
		free(k); /* nobody is there any more */
}

/* ---- On the lane of who records ---- */

static void make_name(struct mbus_keeper *k, const char *who, ml_time wall)
{
	char time[ML_TIME_TEXT_MAX];
	char *name = k->kept.name;
	size_t length = 0;
	ml_time_format(wall, time);
	/* 20260131-141500.250-bus.txt: none that a file system would not take. */
	for (const char *c = time; *c && *c != 'Z'; c++) {
		if (*c == 'T')
			name[length++] = '-';
		else if ((*c >= '0' && *c <= '9') || *c == '.')
			name[length++] = *c;
	}
	name[length++] = '-';
	for (; *who && length < MBUS_KEPT_NAME_MAX - 8; who++) {
		const bool plain = (*who >= 'a' && *who <= 'z') || (*who >= 'A' && *who <= 'Z') ||
				   (*who >= '0' && *who <= '9') || *who == '-' || *who == '_';
		name[length++] = plain ? *who : '_';
	}
	(void)snprintf(name + length, MBUS_KEPT_NAME_MAX - length, ".txt");
}

int mbus_keeper_new(struct ml_engine *engine, struct ml_lane *lane, const char *who, ml_time wall,
	void (*done)(void *user, const struct mbus_kept *kept), void *user,
	struct mbus_keeper **ret_keeper, struct ml_error *err)
{
	*ret_keeper = NULL;
	if (!ml_engine_data(engine))
		return ml_error_set(err, -ENOENT,
			"this gateway has no data directory to keep a recording in: start it with "
			"--data DIR");
	struct mbus_keeper *k = calloc(1, sizeof *k);
	struct ml_lane *disk = ml_engine_lane(engine, "files");
	if (!k || !disk) {
		free(k);
		return ml_error_set(err, -ENOMEM, "out of memory");
	}
	k->engine = engine;
	k->lane = lane;
	k->disk = disk;
	k->done = done;
	k->user = user;
	k->fd = -1;
	k->kept.err = ML_ERROR_NONE;
	make_name(k, who, wall);
	const int result = ml_lane_post(disk, on_begin, k);
	if (result < 0) {
		free(k);
		return ml_error_set(err, result, "the gateway is ending");
	}
	*ret_keeper = k;
	return 0;
}

const char *mbus_keeper_name(const struct mbus_keeper *k)
{
	return k->kept.name;
}

bool mbus_keeper_put(struct mbus_keeper *k, const char *text, size_t length)
{
	if (atomic_load(&k->failed) || atomic_load(&k->waiting) + length > WAITING_MAX)
		return false;
	struct piece *piece = malloc(sizeof *piece + length);
	if (!piece)
		return false;
	piece->keeper = k;
	piece->length = length;
	memcpy(piece->text, text, length);
	atomic_fetch_add(&k->waiting, length);
	if (ml_lane_post(k->disk, on_piece, piece) < 0) {
		free(piece);
		return false;
	}
	return true;
}

void mbus_keeper_end(struct mbus_keeper *k)
{
	k->ended = true;
	/* The lane has ended: what was put before was written there. */
	if (ml_lane_post(k->disk, on_end, k) < 0)
		on_end(k);
}

void mbus_keeper_leave(struct mbus_keeper *k)
{
	k->done = NULL;
	if (!k->ended)
		mbus_keeper_end(k);
}
