/* A disk whose power is cut: a file layer under SQLite and under files.h that keeps what was
 * written apart from what was synced, for one folder. SPDX-License-Identifier: Apache-2.0
 *
 * The files always hold what was written last, as with a page cache. When the power is cut, of
 * the sectors of 512 bytes that were not synced some are put back as they were (so that pages are
 * torn), files that grew are long, short or between, and of the names that were made, moved or
 * removed since their folder was synced the last few are undone. Then the process ends at once. So
 * it is run in a child.
 *
 * It also fails writes for want of room. For one thread, as simulated engines have it.
 */
#ifndef TESTS_STORE_CUT_H
#define TESTS_STORE_CUT_H

#include <meterloom/files.h>

enum { CUT_EXIT = 42 }; /* how the process ends when the power is cut */

/* Once in a process: `folder` is an absolute path, and there is room beside it for another of its
 * name with "-grave" behind. Becomes SQLite's default. */
void cut_install(const char *folder, uint64_t seed);

extern const struct ml_files cut_files;

/* The power is cut at the operation of this number, from now; 0: never. */
void cut_power_in(uint64_t operations);
/* At this sync, before anything of it is done: all that it was to make sure of may be there. */
void cut_power_at_sync(uint64_t syncs);
void cut_power_now(void) __attribute__((noreturn));

/* From the write of this number on (1: the next), so many find no room. 0, 0: there is room. */
void cut_no_room(uint64_t first, uint64_t count);

/* No write is allowed, as after a remount. */
void cut_read_only(bool read_only);

uint64_t cut_operations(void); /* so far */
uint64_t cut_writes(void);     /* those that no room can fail */

/* ---- Between the files of this ---- */

struct cut_file;

/* What is known of a file by its path; NULL: it is not of the folder. */
struct cut_file *cut_file(const char *path);
/* Before bytes are written or a file is cut short: keeps what is there. `read` gives bytes that lie
 * there now, zeros beyond the end. */
typedef void (*cut_reader)(void *from, void *bytes, size_t length, int64_t at);
void cut_before_write(struct cut_file *file, int64_t at, int64_t length, int64_t size,
	cut_reader reader, void *from);
void cut_synced(struct cut_file *file);
void cut_folder_synced(const char *path);
void cut_folder_of_synced(const char *path); /* of this file */

void cut_made(const char *path, bool folder);
void cut_removing(const char *path, bool folder);    /* before */
void cut_renaming(const char *from, const char *to); /* before */

/* Counts an operation; does not come back where the power fails. 0, or -ENOSPC or -EROFS. */
int cut_operation(bool writes);

#endif
