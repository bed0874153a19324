/* Batches: the store's side of meter/batch.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_BATCH_H
#define STORE_BATCH_H

#include "meter/batch.h"
#include "store/range.h"

struct ml_engine;

extern const struct meter_batch_class store_batch_class;

/* A batch of a range, which the message's release frees. `batch` is a message's payload. -ENOMEM.
 */
int store_batch_init(struct meter_batch *batch, struct ml_engine *engine, const char *destination,
	const struct store_range *range);

#endif
