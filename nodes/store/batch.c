/* Batches: readings of a range, page by page, on whatever lane they are rendered.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A cursor is a scan of its own connection. Memory is that of a page and of the rows that the scan
 * keeps ahead.
 */
#include "store/batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "meter/list.h"
#include "store/readings.h"
#include "store/scan.h"

enum { PAGE_BYTES = 256 * 1024 };

struct handle {
	struct ml_engine *engine;
	struct store_range range;
};

/* A device of the batch: its place in the order of meters, and where its spacing stands. */
struct member {
	int64_t device;
	uint32_t rank;
	bool has_bucket;
	int64_t bucket; /* of the spacing that the last reading fell into */
};

struct cursor {
	struct ml_engine *engine;
	struct store_range range;
	struct store_view *view;
	unsigned opened; /* for giving the view back */
	bool failed;     /* it is not to be used again */
	struct store_scan *scan;
	struct member *members; /* in the order of their devices' keys */
	size_t member_count;
	const struct store_row *row; /* did not fit into the page before; NULL */
	uint8_t *page;               /* readings of the page, one after the other */
	size_t page_used;
	void *block;
};

/* ---- Spacing ---- */

static int compare_members(const void *a, const void *b)
{
	const struct member *first = a, *second = b;
	return (first->device > second->device) - (first->device < second->device);
}

static struct member *find_member(const struct cursor *cursor, int64_t device)
{
	const struct member wanted = {.device = device};
	return bsearch(
		&wanted, cursor->members, cursor->member_count, sizeof wanted, compare_members);
}

static int take_bucket(void *user, size_t index, const struct store_row *row, struct ml_error *err)
{
	struct cursor *cursor = user;
	(void)err;
	cursor->members[index].has_bucket = true;
	cursor->members[index].bucket = row->time / cursor->range.spacing;
	return 0;
}

/* Where the spacing stands before the first reading of the range. */
static int find_buckets(struct cursor *cursor, const int64_t *devices, struct ml_error *err)
{
	struct store_scan_options options = STORE_SCAN_ALL;
	if (!cursor->range.spacing)
		return 0;
	options.devices = devices;
	options.device_count = cursor->member_count;
	options.to = cursor->range.from - 1;
	options.last = cursor->range.last;
	return store_scan_latest(cursor->view, &options, take_bucket, cursor, err);
}

/* Whether a row belongs to the batch: of its range, and the first in its stretch of time. */
static bool wanted(const struct cursor *cursor, const struct store_row *row)
{
	bool spaced = true;
	struct member *member = cursor->range.spacing ? find_member(cursor, row->device) : NULL;
	if (member) {
		const int64_t bucket = row->time / cursor->range.spacing;
		spaced = !member->has_bucket || member->bucket != bucket;
		member->has_bucket = true;
		member->bucket = bucket;
	}
	return spaced && (cursor->range.fixed || row->sequence >= cursor->range.first);
}

/* ---- Opening ---- */

static int compare_ranks(const void *a, const void *b)
{
	const struct member *first = a, *second = b;
	if (first->rank != second->rank)
		return first->rank < second->rank ? -1 : 1;
	return compare_members(a, b);
}

static int load_members(struct cursor *cursor, struct ml_engine *engine, struct ml_error *err)
{
	struct meter_list *list = meter_list(engine);
	const struct store_source *sources = NULL;
	size_t count = 0;
	const int result = store_view_sources(cursor->view, &sources, &count, err);
	if (result < 0)
		return result;
	cursor->members = calloc(count + 1, sizeof *cursor->members);
	if (!cursor->members)
		return ml_error_set(err, -ENOMEM, "out of memory");
	const struct meter_snapshot *snapshot = list ? meter_list_snapshot(list) : NULL;
	for (size_t i = 0; i < count; i++) {
		const struct meter_point *point =
			snapshot ? meter_snapshot_point(snapshot, sources[i].point) : NULL;
		cursor->members[i] = (struct member){
			.device = sources[i].key, .rank = point ? point->order : UINT32_MAX};
	}
	cursor->member_count = count;
	meter_snapshot_release(snapshot);
	return 0;
}

static int begin_scan(struct cursor *cursor, enum meter_batch_order order, struct ml_error *err)
{
	const struct store_range *range = &cursor->range;
	struct store_scan_options options = STORE_SCAN_ALL;
	const size_t count = cursor->member_count;
	int64_t *devices = calloc(count + 1, sizeof *devices);
	if (!devices)
		return ml_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		devices[i] = cursor->members[i].device;
	int result = find_buckets(cursor, devices, err);
	if (result < 0)
		goto out;
	if (order == METER_BATCH_BY_METER) {
		qsort(cursor->members, count, sizeof *cursor->members, compare_ranks);
		for (size_t i = 0; i < count; i++)
			devices[i] = cursor->members[i].device;
		qsort(cursor->members, count, sizeof *cursor->members, compare_members);
		options.order = STORE_BY_DEVICE;
	}
	options.devices = devices;
	options.device_count = count;
	options.from = range->from;
	options.to = range->fixed ? range->to - 1 : range->to;
	/* With a spacing, what was sent before the range decides what is sent of it. */
	options.first = range->fixed || range->spacing ? 0 : range->first;
	options.last = range->last;
	result = store_scan_begin(cursor->view, &options, &cursor->scan, err);
out:
	free(devices);
	return result;
}

static void batch_close(void *user)
{
	struct cursor *cursor = user;
	if (!cursor)
		return;
	store_scan_end(cursor->scan);
	if (cursor->failed)
		store_view_close(cursor->view);
	else
		store_view_give_back(cursor->engine, cursor->view, cursor->opened);
	free(cursor->members);
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
	cursor->engine = handle->engine;
	cursor->range = handle->range;
	cursor->page = malloc(PAGE_BYTES);
	cursor->block = malloc(STORE_BLOCK_MAX);
	int result =
		cursor->page && cursor->block ? 0 : ml_error_set(err, -ENOMEM, "out of memory");
	if (result == 0)
		result = store_view_borrow(handle->engine, &cursor->view, &cursor->opened, err);
	if (result == 0)
		result = load_members(cursor, handle->engine, err);
	if (result == 0)
		result = begin_scan(cursor, order, err);
	if (result < 0) {
		cursor->failed = true;
		batch_close(cursor);
		return result;
	}
	*ret_cursor = cursor;
	return 0;
}

/* ---- Pages ---- */

/* The next row of the batch. 1: here it is; 0: there is none any more. */
static int next_row(struct cursor *cursor, const struct store_row **ret_row, struct ml_error *err)
{
	*ret_row = cursor->row;
	cursor->row = NULL;
	int result = *ret_row ? 1 : 0;
	while (result == 0) {
		result = store_scan_next(cursor->scan, ret_row, err);
		if (result <= 0)
			return result;
		result = wanted(cursor, *ret_row);
	}
	return result;
}

static int batch_page(void *user, struct meter_batch_item *items, size_t size, struct ml_error *err)
{
	struct cursor *cursor = user;
	size_t count = 0;
	cursor->page_used = 0;
	while (count < size) {
		const struct store_row *row = NULL;
		int result = next_row(cursor, &row, err);
		if (result > 0)
			result = store_view_reading(cursor->view, row, cursor->block, err);
		else if (result == 0)
			break;
		if (result == -EBADMSG)
			continue; /* told; it must not hold up the others */
		if (result < 0) {
			cursor->failed = true;
			return result;
		}
		const struct meter_reading *reading = cursor->block;
		const size_t length = ((size_t)reading->size + 7) & ~(size_t)7;
		if (length > PAGE_BYTES - cursor->page_used) {
			cursor->row = row;
			break;
		}
		void *kept = cursor->page + cursor->page_used;
		(void)meter_reading_copy(kept, length, reading, NULL);
		items[count++] =
			(struct meter_batch_item){.sequence = row->sequence, .reading = kept};
		cursor->page_used += length;
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
