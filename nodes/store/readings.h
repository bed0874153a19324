/* Commands that read the store: on a lane of their own, so that they never hold up the writer.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_READINGS_H
#define STORE_READINGS_H

#include <meterloom/command.h>

#define STORE_QUERY_LANE "query"

struct store_view;

/* The view of the lane "query", which reads through a connection of its own. On that lane. */
int store_query_view(struct ml_engine *engine, struct store_view **ret_view, struct ml_error *err);

/* ---- meter.readings ---- */

struct store_readings_params {
	char *meter, *cursor;
	ml_time from, to;
	int64_t limit;
};

extern const struct ml_param store_readings_params[];
void store_readings_run(struct ml_job *job, void *params);

#endif
