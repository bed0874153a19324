/* All that a gateway has stored, in the order of its storing: for those who check or carry away the
 * whole. SPDX-License-Identifier: Apache-2.0
 *
 * The service "archive" of the family that stores is a struct meter_archive.
 */
#ifndef METER_ARCHIVE_H
#define METER_ARCHIVE_H

#include <stdint.h>

#include <meterloom/error.h>

#include "meter/reading.h"

#define METER_ARCHIVE "archive"

struct meter_archive {
	void *user;
	/* The sequence number of the last reading that was committed; 0: there is none. */
	int (*last)(void *user, uint64_t *sequence, struct ml_error *err);
	/* Calls `each` for the readings from `first` to `last`, both included, that hold values, in
	 * the order of their storing; they stay until it returns. */
	int (*walk)(void *user, uint64_t first, uint64_t last,
		void (*each)(void *context, const struct meter_reading *reading, uint64_t sequence),
		void *context, struct ml_error *err);
};

#endif
