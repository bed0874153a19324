/* The file layer: what must survive a power cut is written through one table of functions.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The table is the system's unless the engine's options bring another, as tests do that cut the
 * power between any two calls. Of an open file only what was synced is relied on, and of a folder
 * only the names that were there when it was synced.
 *
 * All functions give 0, or what their comment says, or a negative errno. Any thread.
 */
#ifndef METERLOOM_FILES_H
#define METERLOOM_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/error.h>
#include <meterloom/json.h>

struct ml_engine;

struct ml_files {
	void *user; /* the first argument of each */
	/* Flags as of open(2); the descriptor is closed on exec and no link is followed at the end
	 * of the path. Gives a descriptor. */
	int (*open)(void *user, const char *path, int flags, unsigned mode);
	/* Give how many bytes, at least one but for the end of the file. */
	int64_t (*read)(void *user, int fd, void *bytes, size_t size);
	int64_t (*write)(void *user, int fd, const void *bytes, size_t length);
	int (*sync)(void *user, int fd);
	int (*close)(void *user, int fd); /* the descriptor is gone, whatever it gives */
	/* A file or a folder. -EEXIST: not `replace`, and there is one of that name. */
	int (*rename)(void *user, const char *from, const char *to, bool replace);
	int (*remove)(void *user, const char *path); /* a file */
	int (*make_folder)(void *user, const char *path, unsigned mode);
	int (*remove_folder)(void *user, const char *path); /* an empty one */
	int (*sync_folder)(void *user, const char *path);
	/* All names but "." and "..", in no order. */
	int (*list)(void *user, const char *path,
		void (*each)(void *context, const char *name, bool folder), void *context);
};

extern const struct ml_files ml_files_system;
extern const struct ml_files ml_files_unsynced; /* the same, but syncs do nothing */

/* The table of an engine. */
const struct ml_files *ml_engine_files(struct ml_engine *engine);

/* ---- What is made of these ---- */

/* Writes all of it. */
int ml_files_write_all(const struct ml_files *files, int fd, const void *bytes, size_t length);

/* A new file with these bytes, synced; its folder is not. -EEXIST: there is one. On another error
 * nothing is left of it. */
int ml_files_write_new(const struct ml_files *files, const char *path, unsigned mode,
	const void *bytes, size_t length, struct ml_error *err);

/* Appends a file of at most `max` bytes to a buffer. -ENOENT without setting `err`: there is none;
 * -EFBIG. */
int ml_files_read(const struct ml_files *files, const char *path, size_t max, struct ml_buffer *out,
	struct ml_error *err);

/* Makes the folder and those above it that are missing, and syncs each in which one was made. */
int ml_files_make_folders(
	const struct ml_files *files, const char *path, unsigned mode, struct ml_error *err);

/* Removes a folder with all that is in it, eight folders deep at the most. 0 also where there is
 * none. */
int ml_files_remove_tree(const struct ml_files *files, const char *path);

#endif
