/* The commands of the recordings that a gateway keeps; the family's table names them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MBUS_KEEPER_COMMANDS_H
#define MBUS_KEEPER_COMMANDS_H

#include <stdint.h>

#include <meterloom/command.h>

struct mbus_recording_wanted {
	char *name;
	int64_t from; /* recording.show */
};

extern const struct ml_param mbus_recording_show_params[];
extern const struct ml_param mbus_recording_remove_params[];

void mbus_recording_list(struct ml_job *job, void *params);
void mbus_recording_show(struct ml_job *job, void *params);
void mbus_recording_remove(struct ml_job *job, void *params);

#endif
