/* What nodes keep beside the readings: the store's side of meter/keep.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 * On the lane "database".
 */
#ifndef STORE_KEEP_H
#define STORE_KEEP_H

#include <sqlite3.h>

#include "meter/keep.h"

struct store_keep {
	struct meter_drawer *drawers;
	size_t waiting; /* drawers that have something new */
	sqlite3_stmt *put, *remove;
};

void store_keep_add(struct store_keep *keep, struct meter_drawer *drawer);
void store_keep_remove(struct store_keep *keep, struct meter_drawer *drawer);
void store_keep_changed(struct store_keep *keep, struct meter_drawer *drawer);

/* Within the writer's transaction. */
int store_keep_write(struct store_keep *keep, sqlite3 *db, struct ml_error *err);
/* It was committed. */
void store_keep_written(struct store_keep *keep);
void store_keep_trouble(struct store_keep *keep, const struct ml_error *err);

/* Before the connection is closed. */
void store_keep_close(struct store_keep *keep);

/* The service. */
int store_keep_start(struct ml_engine *engine, void **ret_service, struct ml_error *err);
void store_keep_stop(void *service);

#endif
