/* One action of mbus-source on several buses side by side, as one job.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The job's progress is the sum of its parts' and tells what each told last (or, where that is too
 * much, how many of the buses are done), their rows are its rows, and who cancels it cancels them
 * all. All on the control lane, where the job's command runs.
 */
#ifndef MBUS_FLEET_H
#define MBUS_FLEET_H

#include <jansson.h>
#include <stddef.h>

#include <meterloom/command.h>

#include "mbus/buses.h"

struct mbus_fleet_part {
	struct mbus_bus bus;
	json_t *params; /* of the action; owned by the fleet from mbus_fleet_run() on; NULL: none */
	/* What became of it, for `finish`. */
	int code;         /* 0, or the negative errno of the first error */
	json_t *result;   /* NULL: it failed */
	json_t *detail;   /* of a failure; NULL: none */
	const char *text; /* of the first error */
};

struct mbus_fleet_plan {
	struct ml_job *job;
	const char *action;
	/* Writes members of the result, after those that the fleet writes; may be NULL. */
	void (*finish)(struct ml_json_writer *w, const struct mbus_fleet_part *parts, size_t count,
		void *user);
	/* After the job's end; may be NULL. */
	void (*release)(void *user);
	void *user;
};

/* Runs the action on the buses of `parts` (copied) and ends the job: with the sums of all integer
 * members of the parts' results and `"buses": [{"bus", "node", "result"}, or with "error" and what
 * the part told beside it as "detail"]`. Where all parts failed the job fails with all their
 * errors; where it was cancelled it ends as cancelled. Both then have the same object as detail.
 * No part at all is a result without buses. */
void mbus_fleet_run(
	const struct mbus_fleet_plan *plan, const struct mbus_fleet_part *parts, size_t count);

#endif
