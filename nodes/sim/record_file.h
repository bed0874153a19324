/* A recording that is being written to a file.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_RECORD_FILE_H
#define SIM_RECORD_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/error.h>

enum { SIM_RECORD_GATHER = 64 * 1024 };

struct sim_record_file {
	const char *path; /* for errors */
	int fd;           /* -1: none */
	bool regular;     /* it can be cut to its last whole line */
	uint64_t written; /* bytes that the system took, in whole lines */
	size_t length;    /* of `text` */
	char text[SIM_RECORD_GATHER];
};

/* A new file, or the standard output where `path` is "-". -EEXIST: there is one of that name. */
int sim_record_open(struct sim_record_file *file, const char *path, struct ml_error *err);
/* Appends one line. */
int sim_record_put(
	struct sim_record_file *file, const char *line, size_t length, struct ml_error *err);
/* Hands to the system what was gathered. On an error the file ends with its last whole line. */
int sim_record_flush(struct sim_record_file *file, struct ml_error *err);
/* Flushes, and waits for the disk. */
int sim_record_close(struct sim_record_file *file, struct ml_error *err);

#endif
