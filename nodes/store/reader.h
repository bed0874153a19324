/* Readings back out of the database, one by one.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A reader belongs to one thread, as its connection does.
 */
#ifndef STORE_READER_H
#define STORE_READER_H

#include <sqlite3.h>

#include "store/pack.h"

enum {
	STORE_READER_BUCKETS = 64,
	STORE_READER_SHAPES_MAX = 512, /* kept; beyond, the memory is emptied and filled anew */
};

/* Who gave readings. */
struct store_source {
	int64_t key;
	uint32_t point; /* 0: not of the meter list */
	bool has_identity;
	struct meter_identity identity;
};

struct store_reader {
	sqlite3 *db; /* not owned */
	sqlite3_stmt *row, *shape;
	struct store_shape *shapes[STORE_READER_BUCKETS];
	size_t shape_count;
};

int store_reader_open(struct store_reader *reader, sqlite3 *db, struct ml_error *err);
void store_reader_close(struct store_reader *reader);

/* Makes the reading of a sequence number in a block of STORE_BLOCK_MAX bytes, aligned to eight.
 * -ENOENT: it is gone. */
int store_reader_get(struct store_reader *reader, uint64_t sequence,
	const struct store_source *source, void *block, struct ml_error *err);

/* All sources in the order of their keys. The caller frees the array. */
int store_sources_load(
	sqlite3 *db, struct store_source **ret_sources, size_t *ret_count, struct ml_error *err);

#endif
