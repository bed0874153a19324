/* What a recording says, printed frame by frame.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_RECORDING_PRINT_H
#define SIM_RECORDING_PRINT_H

#include <stdio.h>

#include <meterloom/json.h>

#include "sim/recording_frames.h"

struct sim_print {
	FILE *out;
	bool json; /* an object a line */
	struct mbus_recording_head head;
	/* private */
	struct sim_frames frames;
	struct ml_buffer line;
	ml_time day;   /* of the last that was printed */
	ml_time until; /* the time of the last event */
	uint64_t asked, answered, silent, damaged, noise, bad;
};

void sim_print_begin(
	struct sim_print *print, FILE *out, bool json, const struct mbus_recording_head *head);
void sim_print_event(struct sim_print *print, const struct mbus_recorded *event);
/* With `summary` the last line tells how often what was. */
void sim_print_end(struct sim_print *print, bool summary);

/* `meterloom record --show`: an exit code. Errors go to stderr behind `name`. */
int sim_print_file(const char *name, const char *path, bool json);

#endif
