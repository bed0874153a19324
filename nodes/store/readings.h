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

/* A view that nobody else uses, kept from the last who did: opening one reads the schema. `opened`
 * is for giving it back. Any thread. */
int store_view_borrow(struct ml_engine *engine, struct store_view **ret_view, unsigned *opened,
	struct ml_error *err);
/* Accepts NULL. */
void store_view_give_back(struct ml_engine *engine, struct store_view *view, unsigned opened);

/* ---- meter.readings ---- */

struct store_readings_params {
	char *meter, *cursor;
	ml_time from, to;
	int64_t limit;
	int state;
	bool values;
};

extern const struct ml_param store_readings_params[];
void store_readings_run(struct ml_job *job, void *params);

#endif
