/* Readings back out of the database, one by one.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/reader.h"

#include <errno.h>
#include <stdlib.h>

#include <meterloom/database.h>

static const char doing[] = "reading readings.db";

int store_reader_open(struct store_reader *reader, sqlite3 *db, struct ml_error *err)
{
	*reader = (struct store_reader){.db = db};
	if (sqlite3_prepare_v3(db,
		    "SELECT time, trace, shape, content FROM reading WHERE sequence = ?", -1,
		    SQLITE_PREPARE_PERSISTENT, &reader->row, NULL) == SQLITE_OK &&
		sqlite3_prepare_v3(db, "SELECT body FROM shape WHERE key = ?", -1,
			SQLITE_PREPARE_PERSISTENT, &reader->shape, NULL) == SQLITE_OK)
		return 0;
	const int result = ml_database_error(err, db, doing);
	store_reader_close(reader);
	return result;
}

static void forget_shapes(struct store_reader *reader)
{
	for (size_t i = 0; i < STORE_READER_BUCKETS; i++) {
		while (reader->shapes[i]) {
			struct store_shape *shape = reader->shapes[i];
			reader->shapes[i] = shape->next;
			store_shape_free(shape);
		}
	}
	reader->shape_count = 0;
}

void store_reader_close(struct store_reader *reader)
{
	forget_shapes(reader);
	sqlite3_finalize(reader->row);
	sqlite3_finalize(reader->shape);
	*reader = (struct store_reader){0};
}

static int load_shape(struct store_reader *reader, int64_t key, struct store_shape **ret_shape,
	struct ml_error *err)
{
	int result;
	int code = sqlite3_bind_int64(reader->shape, 1, key);
	if (code == SQLITE_OK)
		code = sqlite3_step(reader->shape);
	if (code == SQLITE_ROW)
		result = store_shape_parse(sqlite3_column_blob(reader->shape, 0),
			(size_t)sqlite3_column_bytes(reader->shape, 0), ret_shape, err);
	else if (code == SQLITE_DONE)
		result = ml_error_set(
			err, -EBADMSG, "%s: shape %lld is missing", doing, (long long)key);
	else
		result = ml_database_error(err, reader->db, doing);
	sqlite3_reset(reader->shape);
	return result;
}

static int find_shape(struct store_reader *reader, int64_t key,
	const struct store_shape **ret_shape, struct ml_error *err)
{
	struct store_shape **bucket = &reader->shapes[(uint64_t)key % STORE_READER_BUCKETS];
	struct store_shape *shape = *bucket;
	while (shape && shape->key != key)
		shape = shape->next;
	if (!shape) {
		const int result = load_shape(reader, key, &shape, err);
		if (result < 0)
			return result;
		if (reader->shape_count >= STORE_READER_SHAPES_MAX)
			forget_shapes(reader);
		shape->key = key;
		shape->next = *bucket;
		*bucket = shape;
		reader->shape_count++;
	}
	*ret_shape = shape;
	return 0;
}

static int read_row(struct store_reader *reader, const struct store_source *source, void *block,
	struct ml_error *err)
{
	static const struct store_shape nothing = {.count = 0};
	const struct store_shape *shape = &nothing;
	int result = 0;
	if (sqlite3_column_type(reader->row, 2) != SQLITE_NULL)
		result = find_shape(reader, sqlite3_column_int64(reader->row, 2), &shape, err);
	if (result == 0)
		result = store_values_read(shape, sqlite3_column_blob(reader->row, 3),
			(size_t)sqlite3_column_bytes(reader->row, 3), block, STORE_BLOCK_MAX, err);
	if (result < 0)
		return result;
	struct meter_reading *reading = block;
	reading->time = sqlite3_column_int64(reader->row, 0);
	reading->trace = (uint64_t)sqlite3_column_int64(reader->row, 1);
	reading->point = source->point;
	reading->meter = source->identity;
	return 0;
}

int store_reader_get(struct store_reader *reader, uint64_t sequence,
	const struct store_source *source, void *block, struct ml_error *err)
{
	int result;
	int code = sqlite3_bind_int64(reader->row, 1, (int64_t)sequence);
	if (code == SQLITE_OK)
		code = sqlite3_step(reader->row);
	if (code == SQLITE_ROW)
		result = read_row(reader, source, block, err);
	else if (code == SQLITE_DONE)
		result = ml_error_set(err, -ENOENT, "%s: reading %llu is gone", doing,
			(unsigned long long)sequence);
	else
		result = ml_database_error(err, reader->db, doing);
	sqlite3_reset(reader->row);
	return result;
}

int store_sources_load(
	sqlite3 *db, struct store_source **ret_sources, size_t *ret_count, struct ml_error *err)
{
	sqlite3_stmt *row = NULL;
	struct store_source *sources = NULL;
	size_t count = 0, capacity = 0;
	int result = 0;
	int code = sqlite3_prepare_v2(
		db, "SELECT key, point, identity FROM device ORDER BY key", -1, &row, NULL);
	while (code == SQLITE_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
		if (count == capacity) {
			capacity = capacity ? capacity * 2 : 64;
			struct store_source *grown = realloc(sources, capacity * sizeof *grown);
			if (!grown) {
				result = ml_error_set(err, -ENOMEM, "out of memory");
				goto out;
			}
			sources = grown;
		}
		struct store_source *source = &sources[count++];
		*source = (struct store_source){
			.key = sqlite3_column_int64(row, 0),
			.point = (uint32_t)sqlite3_column_int64(row, 1),
			.has_identity = sqlite3_column_bytes(row, 2) == 8,
		};
		if (source->has_identity)
			meter_identity_read(sqlite3_column_blob(row, 2), &source->identity);
		code = SQLITE_OK;
	}
	if (code != SQLITE_DONE) {
		result = ml_database_error(err, db, doing);
		goto out;
	}
	*ret_sources = sources;
	*ret_count = count;
	sources = NULL;
out:
	sqlite3_finalize(row);
	free(sources);
	return result;
}
