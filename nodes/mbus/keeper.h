/* The recordings that a gateway keeps, in files/recordings/ of its data directory.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who records is on its own lane and never waits for the disk; the lane "files" writes.
 */
#ifndef MBUS_KEEPER_H
#define MBUS_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/error.h>

struct ml_engine;
struct ml_files;
struct ml_lane;

#define MBUS_KEEPER_FOLDER "files/recordings"

enum {
	MBUS_KEPT_NAME_MAX = 96,
	MBUS_KEPT_MAX = 10, /* a new one removes the oldest, but those still being written */
};

struct mbus_kept {
	char name[MBUS_KEPT_NAME_MAX];
	uint64_t size;
	struct ml_error err; /* why not all of it could be kept; code 0: all was */
};

struct mbus_keeper;

/* Begins a file that is named by the time and `who`. -ENOENT: there is no data directory. What the
 * disk refuses comes later. `done` is called once on `lane`, after mbus_keeper_end(). */
int mbus_keeper_new(struct ml_engine *engine, struct ml_lane *lane, const char *who, ml_time wall,
	void (*done)(void *user, const struct mbus_kept *kept), void *user,
	struct mbus_keeper **ret_keeper, struct ml_error *err);

/* All on `lane`. */
const char *mbus_keeper_name(const struct mbus_keeper *keeper);
/* Appends a copy. false: the disk has refused something, or is too slow: it is to be ended. */
bool mbus_keeper_put(struct mbus_keeper *keeper, const char *text, size_t length);
void mbus_keeper_end(struct mbus_keeper *keeper);
/* Ends it where that was not done, and `done` is not called. */
void mbus_keeper_leave(struct mbus_keeper *keeper);

/* Whether a file is a recording that is being written. Blocks on the disk. */
bool mbus_keeper_writes(const struct ml_files *files, const char *path);

#endif
