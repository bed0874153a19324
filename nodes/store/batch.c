/* Batches: readings of a range, page by page, on whatever lane they are rendered.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each meter is a stream in the order of time, of which only some keys are looked up ahead; by
 * time, the streams are merged through a heap. So memory is that of a page and of some keys a
 * meter, and no statement stays open between two pages: the writer is never held up.
 */
#include "store/batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/database.h>

#include "meter/list.h"
#include "store/reader.h"

enum { AHEAD = 16, PAGE_BYTES = 256 * 1024 };

struct handle {
	struct ml_engine *engine;
	struct store_range range;
};

struct key {
	ml_time time;
	uint64_t sequence;
};

struct stream {
	struct store_source source;
	uint32_t rank; /* place in the order of meters */
	struct key ahead[AHEAD];
	unsigned at, count;
	struct key last; /* the last that was looked up */
	bool ended;
	bool has_bucket;
	int64_t bucket; /* of the spacing that the last one fell into */
};

struct cursor {
	struct store_range range;
	enum meter_batch_order order;
	sqlite3 *db;
	sqlite3_stmt *keys, *before;
	struct store_reader reader;
	struct stream *streams;
	size_t stream_count;
	uint32_t *heap; /* places in `streams`; by meter: all in their order */
	size_t heap_count;
	size_t heap_at; /* by meter: the one that is read */
	uint8_t *page;  /* readings of the page, one after the other */
	size_t page_used;
	void *block;
};

static const char doing[] = "reading a batch";

/* ---- Streams ---- */

/* Where the spacing stands before the first reading of the range. */
static int find_bucket(struct cursor *cursor, struct stream *stream, struct ml_error *err)
{
	sqlite3_stmt *row = cursor->before;
	int result = 0;
	if (!cursor->range.spacing)
		return 0;
	if (sqlite3_bind_int64(row, 1, stream->source.key) != SQLITE_OK ||
		sqlite3_bind_int64(row, 2, cursor->range.from) != SQLITE_OK ||
		sqlite3_bind_int64(row, 3, (int64_t)cursor->range.last) != SQLITE_OK)
		return ml_database_error(err, cursor->db, doing);
	const int code = sqlite3_step(row);
	if (code == SQLITE_ROW) {
		stream->has_bucket = true;
		stream->bucket = sqlite3_column_int64(row, 0) / cursor->range.spacing;
	} else if (code != SQLITE_DONE) {
		result = ml_database_error(err, cursor->db, doing);
	}
	sqlite3_reset(row);
	return result;
}

/* Whether a reading belongs to the batch: of its range, and the first in its stretch of time. */
static bool wanted(struct cursor *cursor, struct stream *stream, const struct key *key)
{
	bool spaced = true;
	if (cursor->range.spacing) {
		const int64_t bucket = key->time / cursor->range.spacing;
		spaced = !stream->has_bucket || stream->bucket != bucket;
		stream->has_bucket = true;
		stream->bucket = bucket;
	}
	return spaced && (cursor->range.fixed || key->sequence >= cursor->range.first);
}

static int bind_keys(struct cursor *cursor, const struct stream *stream)
{
	const struct store_range *range = &cursor->range;
	const int64_t values[] = {stream->source.key, stream->last.time,
		(int64_t)stream->last.sequence, range->fixed ? range->to - 1 : range->to,
		(int64_t)range->last};
	for (int i = 0; i < (int)(sizeof values / sizeof *values); i++) {
		const int code = sqlite3_bind_int64(cursor->keys, i + 1, values[i]);
		if (code != SQLITE_OK)
			return code;
	}
	return SQLITE_OK;
}

/* Looks further ahead, until there is at least one or the stream is at its end. */
static int look_ahead(struct cursor *cursor, struct stream *stream, struct ml_error *err)
{
	stream->at = 0;
	stream->count = 0;
	while (!stream->count && !stream->ended) {
		unsigned seen = 0;
		int code = bind_keys(cursor, stream);
		if (code == SQLITE_OK)
			while ((code = sqlite3_step(cursor->keys)) == SQLITE_ROW) {
				stream->last =
					(struct key){.time = sqlite3_column_int64(cursor->keys, 0),
						.sequence = (uint64_t)sqlite3_column_int64(
							cursor->keys, 1)};
				seen++;
				if (wanted(cursor, stream, &stream->last))
					stream->ahead[stream->count++] = stream->last;
			}
		if (code != SQLITE_DONE) {
			sqlite3_reset(cursor->keys);
			return ml_database_error(err, cursor->db, doing);
		}
		sqlite3_reset(cursor->keys);
		stream->ended = seen < AHEAD;
	}
	return 0;
}

/* ---- The heap of streams by their next reading ---- */

static const struct key *head(const struct cursor *cursor, size_t slot)
{
	const struct stream *stream = &cursor->streams[cursor->heap[slot]];
	return &stream->ahead[stream->at];
}

static bool earlier(const struct cursor *cursor, size_t a, size_t b)
{
	const struct key *first = head(cursor, a);
	const struct key *second = head(cursor, b);
	return first->time != second->time ? first->time < second->time
					   : first->sequence < second->sequence;
}

static void sift(struct cursor *cursor, size_t slot)
{
	for (;;) {
		size_t child = 2 * slot + 1;
		if (child >= cursor->heap_count)
			return;
		if (child + 1 < cursor->heap_count && earlier(cursor, child + 1, child))
			child++;
		if (!earlier(cursor, child, slot))
			return;
		const uint32_t moved = cursor->heap[slot];
		cursor->heap[slot] = cursor->heap[child];
		cursor->heap[child] = moved;
		slot = child;
	}
}

/* The stream whose reading is next; NULL: none has any more. */
static struct stream *next_stream(struct cursor *cursor)
{
	if (cursor->order == METER_BATCH_BY_TIME)
		return cursor->heap_count ? &cursor->streams[cursor->heap[0]] : NULL;
	while (cursor->heap_at < cursor->heap_count) {
		struct stream *stream = &cursor->streams[cursor->heap[cursor->heap_at]];
		if (stream->at < stream->count)
			return stream;
		cursor->heap_at++;
	}
	return NULL;
}

/* The stream's reading was taken. */
static int advance(struct cursor *cursor, struct stream *stream, struct ml_error *err)
{
	int result = 0;
	if (++stream->at == stream->count)
		result = look_ahead(cursor, stream, err);
	if (result < 0 || cursor->order != METER_BATCH_BY_TIME)
		return result;
	if (stream->at == stream->count)
		cursor->heap[0] = cursor->heap[--cursor->heap_count];
	sift(cursor, 0);
	return 0;
}

/* ---- Opening ---- */

static int prepare_all(struct cursor *cursor, struct ml_error *err)
{
	if (sqlite3_prepare_v2(cursor->db,
		    "SELECT time, sequence FROM reading WHERE device = ?1 AND (time, sequence) > "
		    "(?2, ?3) AND time <= ?4 AND sequence <= ?5 AND shape IS NOT NULL ORDER BY "
		    "time, sequence LIMIT 16",
		    -1, &cursor->keys, NULL) != SQLITE_OK ||
		sqlite3_prepare_v2(cursor->db,
			"SELECT time FROM reading WHERE device = ? AND time < ? AND sequence <= ? "
			"AND shape IS NOT NULL ORDER BY time DESC LIMIT 1",
			-1, &cursor->before, NULL) != SQLITE_OK)
		return ml_database_error(err, cursor->db, doing);
	return store_reader_open(&cursor->reader, cursor->db, err);
}

static void rank_streams(struct cursor *cursor, struct ml_engine *engine)
{
	struct meter_list *list = meter_list(engine);
	const struct meter_snapshot *snapshot = list ? meter_list_snapshot(list) : NULL;
	for (size_t i = 0; i < cursor->stream_count; i++) {
		struct stream *stream = &cursor->streams[i];
		const struct meter_point *point =
			snapshot ? meter_snapshot_point(snapshot, stream->source.point) : NULL;
		stream->rank = point ? point->order : UINT32_MAX;
	}
	meter_snapshot_release(snapshot);
}

static int compare_streams(const void *a, const void *b)
{
	const struct stream *first = a, *second = b;
	if (first->rank != second->rank)
		return first->rank < second->rank ? -1 : 1;
	return (first->source.key > second->source.key) - (first->source.key < second->source.key);
}

static int open_streams(struct cursor *cursor, struct ml_engine *engine, struct ml_error *err)
{
	struct store_source *sources = NULL;
	size_t count = 0;
	int result = store_sources_load(cursor->db, &sources, &count, err);
	if (result < 0)
		return result;
	cursor->streams = calloc(count ? count : 1, sizeof *cursor->streams);
	cursor->heap = calloc(count ? count : 1, sizeof *cursor->heap);
	if (!cursor->streams || !cursor->heap)
		result = ml_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; result == 0 && i < count; i++) {
		struct stream *stream = &cursor->streams[cursor->stream_count];
		*stream =
			(struct stream){.source = sources[i], .last = {.time = cursor->range.from}};
		result = find_bucket(cursor, stream, err);
		if (result == 0)
			result = look_ahead(cursor, stream, err);
		cursor->stream_count += stream->count > 0;
	}
	free(sources);
	if (result < 0)
		return result;
	rank_streams(cursor, engine);
	qsort(cursor->streams, cursor->stream_count, sizeof *cursor->streams, compare_streams);
	for (size_t i = 0; i < cursor->stream_count; i++)
		cursor->heap[i] = (uint32_t)i;
	cursor->heap_count = cursor->stream_count;
	for (size_t i = cursor->heap_count / 2; cursor->order == METER_BATCH_BY_TIME && i-- > 0;)
		sift(cursor, i);
	return 0;
}

static void batch_close(void *user)
{
	struct cursor *cursor = user;
	if (!cursor)
		return;
	store_reader_close(&cursor->reader);
	sqlite3_finalize(cursor->keys);
	sqlite3_finalize(cursor->before);
	sqlite3_close(cursor->db);
	free(cursor->streams);
	free(cursor->heap);
	free(cursor->page);
	free(cursor->block);
	free(cursor);
}

static int batch_open(const struct meter_batch *batch, enum meter_batch_order order,
	void **ret_cursor, struct ml_error *err)
{
	const struct handle *handle = batch->handle;
	struct cursor *cursor = calloc(1, sizeof *cursor);
	if (!cursor)
		return ml_error_set(err, -ENOMEM, "out of memory");
	cursor->range = handle->range;
	cursor->order = order;
	cursor->page = malloc(PAGE_BYTES);
	cursor->block = malloc(STORE_BLOCK_MAX);
	int result =
		cursor->page && cursor->block ? 0 : ml_error_set(err, -ENOMEM, "out of memory");
	if (result == 0)
		result = ml_database_open(handle->engine, "readings", false, &cursor->db, err);
	if (result == 0)
		result = prepare_all(cursor, err);
	if (result == 0)
		result = open_streams(cursor, handle->engine, err);
	if (result < 0) {
		batch_close(cursor);
		return result;
	}
	*ret_cursor = cursor;
	return 0;
}

/* ---- Pages ---- */

static int batch_page(void *user, struct meter_batch_item *items, size_t size, struct ml_error *err)
{
	struct cursor *cursor = user;
	struct stream *stream;
	size_t count = 0;
	cursor->page_used = 0;
	while (count < size && (stream = next_stream(cursor)) != NULL) {
		const uint64_t sequence = stream->ahead[stream->at].sequence;
		int result = store_reader_get(
			&cursor->reader, sequence, &stream->source, cursor->block, err);
		if (result < 0)
			return result;
		const struct meter_reading *reading = cursor->block;
		const size_t length = ((size_t)reading->size + 7) & ~(size_t)7;
		if (length > PAGE_BYTES - cursor->page_used)
			break;
		void *kept = cursor->page + cursor->page_used;
		(void)meter_reading_copy(kept, length, reading, NULL);
		items[count++] = (struct meter_batch_item){.sequence = sequence, .reading = kept};
		cursor->page_used += length;
		result = advance(cursor, stream, err);
		if (result < 0)
			return result;
	}
	return (int)count;
}

const struct meter_batch_class store_batch_class = {
	.open = batch_open,
	.page = batch_page,
	.close = batch_close,
	.release = free,
};

int store_batch_init(struct meter_batch *batch, struct ml_engine *engine, const char *destination,
	const struct store_range *range)
{
	struct handle *handle = calloc(1, sizeof *handle);
	if (!handle)
		return -ENOMEM;
	*handle = (struct handle){.engine = engine, .range = *range};
	*batch = (struct meter_batch){
		.class = &store_batch_class,
		.handle = handle,
		.first = range->first,
		.last = range->last,
		.count = range->count,
		.from = range->from,
		.to = range->to,
		.trigger = range->trigger,
		.more = range->more,
	};
	(void)snprintf(batch->destination, sizeof batch->destination, "%s", destination);
	return 0;
}
