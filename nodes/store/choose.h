/* Whose readings are meant: from what a person gives to devices of the store.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_CHOOSE_H
#define STORE_CHOOSE_H

#include "meter/list.h"
#include "store/scan.h"

/* By a key, MOID or id. The keys go into `devices`, which has room for all sources. -ENOENT;
 * -EEXIST: it is not unique. */
int store_choose_meter(struct ml_engine *engine, const struct store_source *sources, size_t count,
	const char *text, int64_t *devices, size_t *ret_count, struct ml_error *err);

/* Those of a point, and of its meters from before they were in the list. `list` may be NULL.
 * Returns how many. */
size_t store_choose_point(struct meter_list *list, const struct store_source *sources, size_t count,
	uint32_t point, int64_t *devices);

/* Those of a meter by its whole identity, wherever it was. */
size_t store_choose_identity(const struct store_source *sources, size_t count,
	struct meter_identity identity, int64_t *devices);

#endif
