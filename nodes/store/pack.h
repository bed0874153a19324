/* How a reading lies in the store: a shape that many readings share, and its values.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A shape is what a meter's telegram says of its records: function, storage, tariff, subunit, DIF
 * and VIF bytes, and the names of quantity and unit. It is stored once. The values of a reading are
 * exact mantissas, dates, texts and bytes, each as long as it must be. docs/explanation/storage.md
 * tells the format.
 *
 * Pure: nothing here knows a database or a clock; only shapes are allocated, and handed over.
 */
#ifndef STORE_PACK_H
#define STORE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/error.h>

#include "meter/reading.h"

enum {
	STORE_VALUES_MAX = 32 * 1024, /* bytes of one reading's values */
	STORE_SHAPE_MAX = 512 * 1024, /* bytes of a stored shape */
	STORE_BLOCK_MAX = 48 * 1024,  /* bytes of a block that holds any stored reading */
};

struct store_shape {
	struct meter_record *records; /* `count`; kind and exponent are the usual ones */
	size_t count;
	uint8_t *bytes; /* DIF and VIF bytes; records' offsets point here */
	size_t bytes_length;
	uint8_t *body; /* as it is stored */
	size_t body_length;
	size_t described; /* bytes of the body that tell shapes apart; the rest is what is usual */
	int64_t key;      /* the caller's */
	struct store_shape *next; /* the caller's */
	uint64_t hash;            /* the caller's */
};

/* The shape of a reading. -ENOMEM. */
int store_shape_new(
	const struct meter_reading *reading, struct store_shape **ret_shape, struct ml_error *err);

/* The shape that lies in `body` (copied). -EBADMSG: it is damaged. */
int store_shape_parse(
	const uint8_t *body, size_t length, struct store_shape **ret_shape, struct ml_error *err);

void store_shape_free(struct store_shape *shape); /* accepts NULL */

/* Whether the reading is of this shape. */
bool store_shape_fits(const struct store_shape *shape, const struct meter_reading *reading);

/* The same number for all readings of one shape, in this process. */
uint64_t store_shape_hash(const struct meter_reading *reading);

/* The same number for all bodies of one shape, for ever. */
uint64_t store_shape_stored_hash(const struct store_shape *shape);

/* Writes the values of a reading of that shape into a buffer of STORE_VALUES_MAX bytes. Returns the
 * length; 0: they do not fit. */
size_t store_values_write(const struct store_shape *shape, const struct meter_reading *reading,
	uint8_t out[STORE_VALUES_MAX]);

/* Makes the reading anew in a block of `size` bytes, aligned to eight (STORE_BLOCK_MAX holds
 * any). Time, trace, identity and point are the caller's to set. The
 * telegram itself is not here: the journal keeps it for a while. -EBADMSG: damaged; -ENOSPC. */
int store_values_read(const struct store_shape *shape, const uint8_t *values, size_t length,
	void *block, size_t size, struct ml_error *err);

/* The flags of the reading (METER_HAS_IDENTITY ...) without reading the rest. */
unsigned store_values_flags(const uint8_t *values, size_t length);

#endif
