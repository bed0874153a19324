/* Devices and shapes by their keys in readings.db, kept in memory.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Belongs to one thread, as its connection does. What is made anew becomes part of the open
 * transaction: after a rollback everything is forgotten.
 */
#ifndef STORE_INTERN_H
#define STORE_INTERN_H

#include <sqlite3.h>

#include "store/pack.h"

enum {
	/* Beyond these the memory is emptied and filled anew: a bound, not a limit of the store. */
	STORE_DEVICES_CACHED = 8192,
	STORE_SHAPES_CACHED = 2048,
	STORE_SHAPE_BUCKETS = 512,
};

/* That a device shows a shape is on the disk, give or take a day, for this range of time. */
struct store_shown {
	int64_t shape; /* 0: none */
	ml_time from, to;
};

enum { STORE_SHOWN_MAX = 4 }; /* a device that shows more is written down more often */

struct store_device {
	int64_t key; /* 0: an empty place of the table */
	uint32_t point;
	bool has_identity;
	struct meter_identity identity;
	struct store_shape *shape; /* of its last reading */
	struct store_shown shown[STORE_SHOWN_MAX];
	unsigned next_shown;
};

struct store_interner {
	sqlite3 *db; /* not owned */
	sqlite3_stmt *find_device, *add_device, *find_shape, *add_shape, *add_shown;
	struct store_device *devices; /* open addressing; a power of two places */
	size_t device_places, device_count;
	struct store_shape *shapes[STORE_SHAPE_BUCKETS];
	size_t shape_count;
};

int store_interner_open(struct store_interner *interner, sqlite3 *db, struct ml_error *err);
void store_interner_close(struct store_interner *interner);
void store_interner_forget(struct store_interner *interner);

/* Finds or makes it; that the device shows the shape is noted in device_shape. The pointers hold
 * until the next call of any of these. */
int store_intern_device(struct store_interner *interner, const struct meter_reading *reading,
	struct store_device **ret_device, struct ml_error *err);
int store_intern_shape(struct store_interner *interner, struct store_device *device,
	const struct meter_reading *reading, ml_time time, const struct store_shape **ret_shape,
	struct ml_error *err);

#endif
