/* A stream: the rows of one device in the order of time, some ahead.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Rows of a device lie in several blocks and chunks, whose times may overlap: those that were read
 * late, those from before a clock was set. A filling takes from each that can hold one of the next
 * rows as many as it needs, sorts them and keeps the first. Where a block or chunk was not read to
 * its end, nothing is known behind its last row that was read: the horizon.
 */
#include "store/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/block.h"

enum { BYTES_MAX = 128 * 1024 }; /* of contents that one filling takes, about */

struct filling {
	const struct stream_scan *scan;
	const struct stream *stream;
	struct store_rows rows;
	bool has_horizon;
	struct store_place horizon; /* the last row that is sure to be one of the next */
	bool stopped;               /* something was not looked at: it lies behind */
};

static int compare_places(const struct store_place *a, const struct store_place *b)
{
	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

static struct store_place place_of(const struct store_row *row)
{
	return (struct store_place){.time = row->time, .sequence = row->sequence};
}

/* Whether a is before b in the scan's direction. */
static bool before(
	const struct stream_scan *scan, const struct store_place *a, const struct store_place *b)
{
	const int order = compare_places(a, b);
	return scan->backward ? order > 0 : order < 0;
}

static bool wanted(const struct stream_scan *scan, const struct store_row *row)
{
	return row->time >= scan->from && row->time <= scan->to && row->sequence >= scan->first &&
	       row->sequence <= scan->last && !row->boot && (row->shape || scan->failed);
}

static void set_horizon(struct filling *f, struct store_place place)
{
	if (!f->has_horizon || before(f->scan, &place, &f->horizon))
		f->horizon = place;
	f->has_horizon = true;
}

/* ---- Rows ---- */

static int64_t lowest_live(const struct filling *f)
{
	const struct view_state *state = &f->scan->view->state;
	uint64_t packed = state->packed;
	if (f->stream->device <= state->packing_device && state->packing > packed)
		packed = state->packing;
	return (int64_t)(f->scan->first > packed + 1 ? f->scan->first - 1 : packed);
}

static int take_block(struct filling *f, uint64_t number, struct ml_error *err)
{
	const struct stream_scan *scan = f->scan;
	const struct store_place *place = &f->stream->place;
	const int64_t low = lowest_live(f);
	const int64_t values[] = {(int64_t)number, f->stream->device, place->time,
		(int64_t)place->sequence, scan->backward ? scan->from : scan->to, low,
		(int64_t)scan->last, (int64_t)scan->ahead};
	size_t seen = 0;
	int result = 0;
	if ((int64_t)((number + 1) << STORE_BLOCK_BITS) <= low)
		return 0;
	sqlite3_stmt *statement = view_statement(
		scan->view, scan->backward ? VIEW_BLOCK_BACKWARD : VIEW_BLOCK_FORWARD, err);
	if (!statement)
		return view_error(scan->view, NULL);
	int code = view_bind(statement, values, 8);
	while (code == SQLITE_OK && result == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct store_row row;
		view_row(statement, &row);
		if (wanted(scan, &row))
			result = store_rows_add(&f->rows, &row, err);
		code = SQLITE_OK;
		if (++seen == scan->ahead || f->rows.used > BYTES_MAX) {
			set_horizon(f, place_of(&row));
			code = SQLITE_DONE;
		}
	}
	if (result == 0 && code != SQLITE_DONE)
		result = view_error(scan->view, err);
	sqlite3_reset(statement);
	return result;
}

/* Nothing of what begins (backward: ends) at this time can be one of the next rows. */
static bool behind_horizon(const struct filling *f, ml_time begin)
{
	if (!f->has_horizon)
		return false;
	return f->scan->backward ? begin < f->horizon.time : begin > f->horizon.time;
}

static bool before_place(const struct filling *f, ml_time end)
{
	return f->scan->backward ? end > f->stream->place.time : end < f->stream->place.time;
}

static int take_blocks(struct filling *f, struct ml_error *err)
{
	const struct stream_scan *scan = f->scan;
	const uint64_t last = scan->view->state.sequence >> STORE_BLOCK_BITS;
	int result = 0;
	uint64_t unknown = scan->unknown;
	if (unknown < scan->view->state.packed >> STORE_BLOCK_BITS)
		unknown = scan->view->state.packed >> STORE_BLOCK_BITS;
	for (uint64_t n = unknown; result == 0 && n <= last; n++)
		result = take_block(f, n, err);
	for (size_t i = 0; result == 0 && i < scan->block_count; i++) {
		const struct stream_block *block = &scan->blocks[i];
		if (behind_horizon(f, scan->backward ? block->last_time : block->first_time)) {
			f->stopped = true;
			break;
		}
		if (!before_place(f, scan->backward ? block->first_time : block->last_time))
			result = take_block(f, block->number, err);
	}
	return result;
}

/* ---- Chunks ---- */

/* The first row in the scan's direction that stands behind the place; rows are sorted by time. */
static size_t first_behind(const struct filling *f, const struct store_row *rows, size_t count)
{
	size_t low = 0, high = count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const struct store_place place = place_of(&rows[middle]);
		const int order = compare_places(&place, &f->stream->place);
		if (f->scan->backward ? order < 0 : order <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int take_chunk(struct filling *f, int64_t key, struct ml_error *err)
{
	const struct stream_scan *scan = f->scan;
	const struct store_row *rows = NULL;
	size_t count = 0, seen = 0;
	int result = view_chunk_rows(scan->view, key, f->stream->device, true, &rows, &count, err);
	if (result < 0)
		return result;
	size_t at = first_behind(f, rows, count);
	size_t left = scan->backward ? at : count - at;
	for (; result == 0 && left > 0; left--) {
		const struct store_row *row = scan->backward ? &rows[--at] : &rows[at++];
		if (scan->backward ? row->time < scan->from : row->time > scan->to)
			break;
		if (wanted(scan, row))
			result = store_rows_add(&f->rows, row, err);
		if (++seen == scan->ahead || f->rows.used > BYTES_MAX) {
			set_horizon(f, place_of(row));
			break;
		}
	}
	return result;
}

static int take_chunks(struct filling *f, struct ml_error *err)
{
	const struct stream_scan *scan = f->scan;
	const ml_time place = f->stream->place.time;
	const ml_time oldest = scan->backward || place < scan->from ? scan->from : place;
	const ml_time newest = !scan->backward || place > scan->to ? scan->to : place;
	const int64_t values[] = {f->stream->device, view_month(oldest), view_month(newest)};
	sqlite3_stmt *row = view_statement(
		scan->view, scan->backward ? VIEW_MONTHS_BACKWARD : VIEW_MONTHS_FORWARD, err);
	int result = 0;
	if (!row)
		return view_error(scan->view, NULL);
	int code = view_bind(row, values, 3);
	while (code == SQLITE_OK && result == 0 && (code = sqlite3_step(row)) == SQLITE_ROW) {
		const ml_time first = sqlite3_column_int64(row, 2);
		const ml_time last = sqlite3_column_int64(row, 3);
		code = SQLITE_OK;
		if (behind_horizon(f, scan->backward ? last : first)) {
			f->stopped = true;
			/* Months follow each other; chunks of one month may overlap. */
			const int64_t month = view_month(f->horizon.time);
			if (sqlite3_column_int64(row, 1) != month)
				code = SQLITE_DONE;
		} else if (!before_place(f, scan->backward ? first : last)) {
			result = take_chunk(f, sqlite3_column_int64(row, 0), err);
		}
	}
	if (result == 0 && code != SQLITE_DONE)
		result = view_error(scan->view, err);
	sqlite3_reset(row);
	return result;
}

/* ---- Putting together ---- */

static bool sorted(const struct filling *f)
{
	for (size_t i = 1; i < f->rows.count; i++) {
		const struct store_place first = place_of(&f->rows.items[i - 1]);
		const struct store_place second = place_of(&f->rows.items[i]);
		if (!before(f->scan, &first, &second))
			return false;
	}
	return true;
}

/* Hands over the rows up to the horizon. */
static void hand_over(struct filling *f, struct stream *stream)
{
	store_rows_settle(&f->rows);
	if (!sorted(f))
		qsort(f->rows.items, f->rows.count, sizeof *f->rows.items,
			f->scan->backward ? store_row_compare_backward : store_row_compare);
	size_t count = f->rows.count;
	while (f->has_horizon && count > 0) {
		const struct store_place place = place_of(&f->rows.items[count - 1]);
		if (!before(f->scan, &f->horizon, &place))
			break;
		count--;
	}
	stream->ended = !f->has_horizon && !f->stopped;
	if (f->has_horizon)
		stream->place = f->horizon;
	stream_free(stream);
	stream->rows = f->rows;
	stream->count = count;
	f->rows = (struct store_rows){0};
}

static int fill_once(const struct stream_scan *scan, struct stream *stream, struct ml_error *err)
{
	struct filling f = {.scan = scan, .stream = stream};
	int result = view_begin(scan->view, err);
	if (result < 0)
		return result;
	result = take_blocks(&f, err);
	if (result == 0 && !scan->unpacked)
		result = take_chunks(&f, err);
	view_end(scan->view);
	if (result == 0)
		hand_over(&f, stream);
	store_rows_free(&f.rows);
	return result;
}

int stream_fill(const struct stream_scan *scan, struct stream *stream, struct ml_error *err)
{
	while (stream->next == stream->count && !stream->ended) {
		const int result = fill_once(scan, stream, err);
		if (result < 0)
			return result;
	}
	return stream->next < stream->count;
}

void stream_free(struct stream *stream)
{
	store_rows_free(&stream->rows);
	stream->next = 0;
	stream->count = 0;
}
