/* Rows of all devices in the order of sequence, a window of sequence numbers at a time.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Chunks of many devices hold sequences that are mixed with each other. A window is taken from all
 * of them, and from the table of rows, and sorted.
 */
#include "store/span.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	WINDOW_ROWS = 1024,     /* sequence numbers, where all are rows */
	WINDOW_CHUNKS = 16384,  /* where they come from chunks: each is read once a window */
	BYTES_MAX = 512 * 1024, /* of contents, about: a window of rows ends there */
};

/* ---- Keeping ---- */

static int compare_devices(const void *a, const void *b)
{
	const int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;
	return (first > second) - (first < second);
}

static bool has_device(const struct span_scan *scan, int64_t device)
{
	return !scan->devices ||
	       bsearch(&device, scan->devices, scan->device_count, sizeof device, compare_devices);
}

static bool wanted(const struct span_scan *scan, const struct store_row *row)
{
	if (row->boot ? !scan->timeless : row->time < scan->from || row->time > scan->to)
		return false;
	return (row->shape || scan->failed) && has_device(scan, row->device);
}

/* ---- A window ---- */

/* Rows of the table, from `first` to `last`; where they are all of the window, the far end comes
 * nearer when it is full. */
static int take_rows(
	struct span_scan *scan, uint64_t *first, uint64_t *last, bool all, struct ml_error *err)
{
	const int64_t range[] = {(int64_t)*first - 1, (int64_t)*last};
	sqlite3_stmt *statement = view_statement(
		scan->view, scan->backward ? VIEW_ROWS_BACKWARD : VIEW_ROWS_FORWARD, err);
	int result = 0;
	if (!statement)
		return view_error(scan->view, NULL);
	int code = view_bind(statement, range, 2);
	while (code == SQLITE_OK && result == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct store_row row;
		view_row(statement, &row);
		if (view_live(&scan->view->state, row.sequence, row.device) && wanted(scan, &row))
			result = store_rows_add(&scan->rows, &row, err);
		code = SQLITE_OK;
		if (all && (scan->rows.count >= WINDOW_ROWS || scan->rows.used > BYTES_MAX)) {
			*(scan->backward ? first : last) = row.sequence;
			code = SQLITE_DONE;
		}
	}
	if (result == 0 && code != SQLITE_DONE)
		result = view_error(scan->view, err);
	sqlite3_reset(statement);
	return result;
}

static int take_chunk(struct span_scan *scan, int64_t key, int64_t device, uint64_t first,
	uint64_t last, struct ml_error *err)
{
	const struct store_row *rows = NULL;
	size_t count = 0;
	int result = view_chunk_rows(scan->view, key, device, true, &rows, &count, err);
	for (size_t i = 0; result == 0 && i < count; i++)
		if (rows[i].sequence >= first && rows[i].sequence <= last && wanted(scan, &rows[i]))
			result = store_rows_add(&scan->rows, &rows[i], err);
	return result;
}

static int take_chunks(struct span_scan *scan, uint64_t first, uint64_t last, struct ml_error *err)
{
	const int64_t range[] = {(int64_t)first, (int64_t)last};
	sqlite3_stmt *row = view_statement(scan->view, VIEW_SPANS, err);
	int result = 0;
	if (!row)
		return view_error(scan->view, NULL);
	int code = view_bind(row, range, 2);
	while (code == SQLITE_OK && result == 0 && (code = sqlite3_step(row)) == SQLITE_ROW) {
		if (has_device(scan, sqlite3_column_int64(row, 1)))
			result = take_chunk(scan, sqlite3_column_int64(row, 0),
				sqlite3_column_int64(row, 1), first, last, err);
		code = SQLITE_OK;
	}
	if (result == 0 && code != SQLITE_DONE)
		result = view_error(scan->view, err);
	sqlite3_reset(row);
	return result;
}

/* Where the next chunk's sequences begin, from `at` on in the scan's direction; 0: there is none.
 */
static int next_in_chunks(
	struct span_scan *scan, uint64_t at, uint64_t *ret_next, struct ml_error *err)
{
	const int64_t value = (int64_t)at;
	sqlite3_stmt *row =
		view_statement(scan->view, scan->backward ? VIEW_LAST_SPAN : VIEW_NEXT_SPAN, err);
	int result = 0;
	if (!row)
		return view_error(scan->view, NULL);
	if (view_bind(row, &value, 1) != SQLITE_OK || sqlite3_step(row) != SQLITE_ROW)
		result = view_error(scan->view, err);
	else
		*ret_next = (uint64_t)sqlite3_column_int64(row, 0);
	sqlite3_reset(row);
	return result;
}

static int compare_forward(const void *a, const void *b)
{
	const struct store_row *first = a, *second = b;
	return (first->sequence > second->sequence) - (first->sequence < second->sequence);
}

static int compare_backward(const void *a, const void *b)
{
	return compare_forward(b, a);
}

static void order(struct span_scan *scan)
{
	store_rows_settle(&scan->rows);
	if (scan->rows.count)
		qsort(scan->rows.items, scan->rows.count, sizeof *scan->rows.items,
			scan->backward ? compare_backward : compare_forward);
}

/* Up to here some rows are in chunks. */
static uint64_t chunks_end(const struct span_scan *scan)
{
	const struct view_state *state = &scan->view->state;
	return state->packing > state->packed ? state->packing : state->packed;
}

static int fill_from_rows(struct span_scan *scan, struct ml_error *err)
{
	uint64_t first = scan->first, last = scan->last;
	if (first <= chunks_end(scan))
		first = chunks_end(scan) + 1;
	const int result = take_rows(scan, &first, &last, true, err);
	if (scan->backward)
		scan->last = first - 1;
	else
		scan->first = last + 1;
	return result;
}

static int fill_from_both(
	struct span_scan *scan, uint64_t first, uint64_t last, struct ml_error *err)
{
	const uint64_t packed = scan->view->state.packed;
	uint64_t row_first = first > packed ? first : packed + 1;
	uint64_t row_last = last;
	int result = 0;
	if (row_first <= row_last)
		result = take_rows(scan, &row_first, &row_last, false, err);
	return result < 0 ? result : take_chunks(scan, first, last, err);
}

static int fill_forward(struct span_scan *scan, struct ml_error *err)
{
	const uint64_t packed = scan->view->state.packed, end = chunks_end(scan);
	uint64_t last = scan->first + WINDOW_CHUNKS - 1, next = 0;
	if (scan->first > end)
		return fill_from_rows(scan, err);
	last = last < scan->last ? last : scan->last;
	last = last < end ? last : end;
	int result = fill_from_both(scan, scan->first, last, err);
	scan->first = last + 1;
	if (result < 0 || scan->rows.count || last >= packed)
		return result;
	/* Far behind there may be gaps: what is too old went. */
	result = next_in_chunks(scan, last + 1, &next, err);
	if (!next || next > packed)
		next = packed + 1;
	if (next > scan->first)
		scan->first = next;
	return result;
}

static int fill_backward(struct span_scan *scan, struct ml_error *err)
{
	const uint64_t end = chunks_end(scan);
	uint64_t first = scan->first, next = 0;
	if (scan->last > end)
		return fill_from_rows(scan, err);
	if (scan->last - first >= WINDOW_CHUNKS)
		first = scan->last - WINDOW_CHUNKS + 1;
	int result = fill_from_both(scan, first, scan->last, err);
	scan->last = first - 1;
	if (result < 0 || scan->rows.count || scan->last > scan->view->state.packed)
		return result;
	result = next_in_chunks(scan, scan->last, &next, err);
	scan->last = next;
	return result;
}

static int fill(struct span_scan *scan, struct ml_error *err)
{
	scan->next = 0;
	store_rows_clear(&scan->rows);
	int result = view_begin(scan->view, err);
	if (result < 0)
		return result;
	if (scan->last > scan->view->state.sequence)
		scan->last = scan->view->state.sequence;
	if (scan->first <= scan->last)
		result = scan->backward ? fill_backward(scan, err) : fill_forward(scan, err);
	view_end(scan->view);
	order(scan);
	return result;
}

/* ---- Told from outside ---- */

int span_begin(struct span_scan *scan, struct store_view *view,
	const struct store_scan_options *options, struct ml_error *err)
{
	*scan = (struct span_scan){
		.view = view,
		.backward = options->backward,
		.failed = options->failed,
		.timeless = options->timeless,
		.from = options->from,
		.to = options->to,
		.first = options->first ? options->first : 1,
		.last = options->last,
		.device_count = options->device_count,
	};
	if (options->behind && options->backward && scan->last >= options->behind->sequence)
		scan->last = options->behind->sequence - 1;
	if (options->behind && !options->backward && scan->first <= options->behind->sequence)
		scan->first = options->behind->sequence + 1;
	if (!options->devices)
		return 0;
	const size_t size = options->device_count * sizeof *scan->devices;
	scan->devices = malloc(size + 1);
	if (!scan->devices)
		return ml_error_set(err, -ENOMEM, "out of memory");
	if (size)
		memcpy(scan->devices, options->devices, size);
	qsort(scan->devices, scan->device_count, sizeof *scan->devices, compare_devices);
	return 0;
}

int span_next(struct span_scan *scan, const struct store_row **ret_row, struct ml_error *err)
{
	while (scan->next == scan->rows.count) {
		if (scan->first > scan->last)
			return 0;
		const int result = fill(scan, err);
		if (result < 0)
			return result;
	}
	*ret_row = &scan->rows.items[scan->next++];
	return 1;
}

void span_end(struct span_scan *scan)
{
	free(scan->devices);
	store_rows_free(&scan->rows);
}
