/* All that a gateway has stored, in the order of its storing: for those who check or carry away the
 * whole. SPDX-License-Identifier: Apache-2.0
 *
 * The service "archive" of the family that stores is a struct meter_archive.
 */
#ifndef METER_ARCHIVE_H
#define METER_ARCHIVE_H

#include "meter/batch.h"

#define METER_ARCHIVE "archive"

struct meter_archive {
	void *user;
	/* The sequence number of the last reading that was committed; 0: there is none. */
	int (*last)(void *user, uint64_t *sequence, struct ml_error *err);
	/* Makes a batch of the readings from `first` to `last`, both included, also of readouts
	 * that failed. The caller releases it: batch->class->release(batch->handle). */
	int (*read)(void *user, uint64_t first, uint64_t last, struct meter_batch *batch,
		struct ml_error *err);
};

#endif
