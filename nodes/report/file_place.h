/* Puts a copy of a file into a folder: whole or not at all, and safe once it is there.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Blocks on the disk. Pure but for the file layer it is given.
 */
#ifndef REPORT_FILE_PLACE_H
#define REPORT_FILE_PLACE_H

#include <stddef.h>
#include <stdint.h>

#include <meterloom/error.h>
#include <meterloom/files.h>

enum file_collision {
	FILE_NUMBER,  /* NAME-2.csv, NAME-3.csv … */
	FILE_REPLACE, /* the new one takes its place */
	FILE_REFUSE,  /* an error */
};

enum { FILE_NAME_MAX = 256 };

struct file_job {
	const struct ml_files *files;
	const char *folder; /* absolute; made where it is missing */
	const char *source; /* the file to copy */
	uint64_t size;      /* that it must have */
	const char *name;   /* wanted in the folder */
	const char *tag;    /* of who writes: no two at a time have the same in one folder */
	enum file_collision collision;
};

/* Copies, syncs the copy, gives it its name at once, and syncs the folder. A file of that name with
 * the very same bytes is this one, delivered before: nothing is done. The name it has is put into
 * `out`, of FILE_NAME_MAX bytes. On an error (-ENOSPC, -EACCES, -EEXIST …) nothing is left behind.
 */
int file_place(const struct file_job *job, char *out, struct ml_error *err);

#endif
