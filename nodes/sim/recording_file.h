/* Recordings from files.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_RECORDING_FILE_H
#define SIM_RECORDING_FILE_H

#include "mbus/recording.h"

struct sim_recording_reading {
	void *user;
	/* One event after the other; other than 0 ends the reading with that. May be NULL. */
	int (*event)(void *user, const struct mbus_recording_head *head,
		const struct mbus_recorded *event);
	struct mbus_recording_head head; /* given back */
	bool cut;                        /* given back: the last line was cut off */
};

/* Reads a file, or where `path` is "-" the standard input. Blocks on the disk. Errors name FILE,
 * line and column; -EINVAL: it is no recording. */
int sim_recording_read(
	const char *path, struct sim_recording_reading *reading, struct ml_error *err);

#endif
