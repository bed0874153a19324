/* Scans: the streams of devices merged by time, one after the other, or all by sequence.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/gather.h"
#include "store/span.h"
#include "store/stream.h"

enum {
	AHEAD_MIN = 24,
	AHEAD_MAX = 256,
	AHEAD_ALL = 8192, /* rows of all devices, about */
};

struct store_scan {
	enum store_order order;
	struct stream_scan shared;
	struct stream *streams;
	size_t stream_count;
	size_t *heap; /* by time: places in `streams`, the next one first */
	size_t heap_count;
	size_t at;             /* by device: the stream that is read */
	bool given;            /* the head of the present stream was given */
	struct span_scan span; /* by sequence */
	bool few;              /* all rows stand in `gathered` */
	struct gathered gathered;
};

/* ---- The heap ---- */

static bool earlier(const struct store_scan *scan, size_t a, size_t b)
{
	const struct store_row *first = stream_head(&scan->streams[scan->heap[a]]);
	const struct store_row *second = stream_head(&scan->streams[scan->heap[b]]);
	const bool less = first->time != second->time ? first->time < second->time
						      : first->sequence < second->sequence;
	return less != scan->shared.backward;
}

static void sift(struct store_scan *scan, size_t slot)
{
	for (;;) {
		size_t child = 2 * slot + 1;
		if (child >= scan->heap_count)
			return;
		if (child + 1 < scan->heap_count && earlier(scan, child + 1, child))
			child++;
		if (!earlier(scan, child, slot))
			return;
		const size_t moved = scan->heap[slot];
		scan->heap[slot] = scan->heap[child];
		scan->heap[child] = moved;
		slot = child;
	}
}

static int fill_heap(struct store_scan *scan, struct ml_error *err)
{
	scan->heap = calloc(scan->stream_count + 1, sizeof *scan->heap);
	if (!scan->heap)
		return ml_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < scan->stream_count; i++) {
		const int result = stream_fill(&scan->shared, &scan->streams[i], err);
		if (result < 0)
			return result;
		if (result > 0)
			scan->heap[scan->heap_count++] = i;
	}
	for (size_t i = scan->heap_count / 2; i-- > 0;)
		sift(scan, i);
	return 0;
}

/* ---- Beginning ---- */

static int compare_begins(const void *a, const void *b)
{
	const struct stream_block *first = a, *second = b;
	return (first->first_time > second->first_time) - (first->first_time < second->first_time);
}

static int compare_ends(const void *a, const void *b)
{
	const struct stream_block *first = a, *second = b;
	return (first->last_time < second->last_time) - (first->last_time > second->last_time);
}

static int add_block(struct stream_scan *shared, size_t *capacity, struct stream_block block,
	struct ml_error *err)
{
	if (shared->block_count == *capacity) {
		*capacity = *capacity ? *capacity * 2 : 64;
		struct stream_block *grown =
			realloc(shared->blocks, *capacity * sizeof *shared->blocks);
		if (!grown)
			return ml_error_set(err, -ENOMEM, "out of memory");
		shared->blocks = grown;
	}
	shared->blocks[shared->block_count++] = block;
	return 0;
}

static int read_blocks(struct stream_scan *shared, struct ml_error *err)
{
	size_t capacity = 0;
	int result = 0;
	sqlite3_stmt *row = view_statement(shared->view, VIEW_BLOCKS, err);
	if (!row)
		return view_error(shared->view, NULL);
	int code = SQLITE_OK;
	while (code == SQLITE_OK && result == 0 && (code = sqlite3_step(row)) == SQLITE_ROW) {
		const struct stream_block block = {(uint64_t)sqlite3_column_int64(row, 0),
			sqlite3_column_int64(row, 1), sqlite3_column_int64(row, 2)};
		shared->unknown = block.number + 1;
		/* Those that the journal alone still needs are long packed. */
		if (block.number >= shared->view->state.packed >> STORE_BLOCK_BITS)
			result = add_block(shared, &capacity, block, err);
		code = SQLITE_OK;
	}
	if (result == 0 && code != SQLITE_DONE)
		result = view_error(shared->view, err);
	sqlite3_reset(row);
	if (shared->block_count)
		qsort(shared->blocks, shared->block_count, sizeof *shared->blocks,
			shared->backward ? compare_ends : compare_begins);
	return result;
}

static int make_streams(
	struct store_scan *scan, const struct store_scan_options *options, struct ml_error *err)
{
	const struct store_source *sources = NULL;
	size_t count = options->device_count;
	const int result =
		options->devices ? 0 : store_view_sources(scan->shared.view, &sources, &count, err);
	if (result < 0)
		return result;
	scan->streams = calloc(count + 1, sizeof *scan->streams);
	if (!scan->streams)
		return ml_error_set(err, -ENOMEM, "out of memory");
	struct store_place place = {.time = options->from};
	if (options->backward)
		place = (struct store_place){.time = options->to, .sequence = INT64_MAX};
	if (options->behind)
		place = *options->behind;
	for (size_t i = 0; i < count; i++)
		scan->streams[i] = (struct stream){
			.device = options->devices ? options->devices[i] : sources[i].key,
			.place = place};
	scan->stream_count = count;
	scan->shared.ahead = AHEAD_ALL / (scan->order == STORE_BY_DEVICE || !count ? 1 : count);
	if (scan->shared.ahead < AHEAD_MIN)
		scan->shared.ahead = AHEAD_MIN;
	if (scan->shared.ahead > AHEAD_MAX)
		scan->shared.ahead = AHEAD_MAX;
	return 0;
}

static int begin_streams(
	struct store_scan *scan, const struct store_scan_options *options, struct ml_error *err)
{
	scan->shared = (struct stream_scan){
		.view = scan->shared.view,
		.backward = options->backward,
		.failed = options->failed,
		.unpacked = options->unpacked,
		.from = options->from,
		.to = options->to,
		.first = options->first,
		.last = options->last,
	};
	int result = make_streams(scan, options, err);
	if (result < 0)
		return result;
	result = view_begin(scan->shared.view, err);
	if (result < 0)
		return result;
	result = read_blocks(&scan->shared, err);
	if (result == 0 && scan->order == STORE_BY_TIME)
		result = fill_heap(scan, err);
	view_end(scan->shared.view);
	return result;
}

/* `few`: whether it may be had by gathering. */
static int begin(struct store_view *view, const struct store_scan_options *options, bool few,
	struct store_scan **ret_scan, struct ml_error *err)
{
	struct store_scan *scan = calloc(1, sizeof *scan);
	if (!scan)
		return ml_error_set(err, -ENOMEM, "out of memory");
	scan->order = options->order;
	scan->shared.view = view;
	int result = 0;
	if (options->order == STORE_BY_SEQUENCE) {
		result = span_begin(&scan->span, view, options, err);
	} else {
		if (few)
			result = gather(view, options, &scan->gathered, err);
		scan->few = result > 0;
		if (result == 0)
			result = begin_streams(scan, options, err);
	}
	if (result < 0) {
		store_scan_end(scan);
		return result;
	}
	*ret_scan = scan;
	return 0;
}

int store_scan_begin(struct store_view *view, const struct store_scan_options *options,
	struct store_scan **ret_scan, struct ml_error *err)
{
	return begin(view, options, true, ret_scan, err);
}

void store_scan_end(struct store_scan *scan)
{
	if (!scan)
		return;
	for (size_t i = 0; i < scan->stream_count; i++)
		stream_free(&scan->streams[i]);
	span_end(&scan->span);
	store_rows_free(&scan->gathered.rows);
	free(scan->shared.blocks);
	free(scan->streams);
	free(scan->heap);
	free(scan);
}

/* ---- Going on ---- */

static int next_by_time(
	struct store_scan *scan, const struct store_row **ret_row, struct ml_error *err)
{
	if (scan->given) {
		struct stream *stream = &scan->streams[scan->heap[0]];
		stream->next++;
		const int result = stream_fill(&scan->shared, stream, err);
		if (result < 0)
			return result;
		if (result == 0)
			scan->heap[0] = scan->heap[--scan->heap_count];
		scan->given = false;
		sift(scan, 0);
	}
	if (scan->heap_count == 0)
		return 0;
	scan->given = true;
	*ret_row = stream_head(&scan->streams[scan->heap[0]]);
	return 1;
}

static int next_by_device(
	struct store_scan *scan, const struct store_row **ret_row, struct ml_error *err)
{
	for (; scan->at < scan->stream_count; scan->at++) {
		struct stream *stream = &scan->streams[scan->at];
		stream->next += scan->given;
		scan->given = false;
		const int result = stream_fill(&scan->shared, stream, err);
		if (result < 0)
			return result;
		if (result > 0) {
			scan->given = true;
			*ret_row = stream_head(stream);
			return 1;
		}
		stream_free(stream);
	}
	return 0;
}

int store_scan_next(struct store_scan *scan, const struct store_row **ret_row, struct ml_error *err)
{
	if (scan->few)
		return gathered_next(&scan->gathered, ret_row);
	switch (scan->order) {
	case STORE_BY_TIME:
		return next_by_time(scan, ret_row, err);
	case STORE_BY_DEVICE:
		return next_by_device(scan, ret_row, err);
	default:
		return span_next(&scan->span, ret_row, err);
	}
}

/* ---- The latest ---- */

int store_scan_latest(struct store_view *view, const struct store_scan_options *options,
	int (*each)(void *user, size_t index, const struct store_row *row, struct ml_error *err),
	void *user, struct ml_error *err)
{
	struct store_scan_options backward = *options;
	struct store_scan *scan = NULL;
	backward.order = STORE_BY_DEVICE;
	backward.backward = true;
	int result = begin(view, &backward, false, &scan, err);
	if (result < 0)
		return result;
	/* Where a readout failed, the row before it is looked at too. */
	scan->shared.ahead = options->failed ? 1 : 2;
	for (size_t i = 0; result == 0 && i < scan->stream_count; i++) {
		struct stream *stream = &scan->streams[i];
		result = stream_fill(&scan->shared, stream, err);
		if (result > 0)
			result = each(user, i, stream_head(stream), err);
		stream_free(stream);
	}
	store_scan_end(scan);
	return result;
}
