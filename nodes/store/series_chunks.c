/* The readouts of a series that lie in chunks.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Chunks whose times overlap (parts of a month, meters that changed places, clocks that were set)
 * are read together and sorted.
 */
#include <errno.h>
#include <stdlib.h>

#include "store/chunk.h"
#include "store/series_walk.h"
#include "store/view.h"

enum { TOGETHER_MAX = 1 << 19 }; /* readouts; more are looked at row by row */

/* ---- Which chunks ---- */

static int add_chunk(struct series_chunks *chunks, size_t *room, struct series_chunk chunk)
{
	if (chunks->count == *room) {
		const size_t more = *room ? *room * 2 : 32;
		struct series_chunk *grown = realloc(chunks->items, more * sizeof *grown);
		if (!grown)
			return -ENOMEM;
		chunks->items = grown;
		*room = more;
	}
	chunks->items[chunks->count++] = chunk;
	return 0;
}

static int by_begin(const void *a, const void *b)
{
	const struct series_chunk *x = a, *y = b;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (x->key > y->key) - (x->key < y->key);
}

static int list_chunks(struct series_chunks *chunks, sqlite3_stmt *row, int64_t device,
	size_t *room, struct ml_error *err)
{
	const struct series_walk *w = chunks->walk;
	int result = 0;
	int code = sqlite3_bind_int64(row, 1, device);
	while (code == SQLITE_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
		const struct series_chunk chunk = {
			.key = sqlite3_column_int64(row, 0),
			.device = device,
			.first = sqlite3_column_int64(row, 1),
			.last = sqlite3_column_int64(row, 2),
			.count = (uint64_t)sqlite3_column_int64(row, 3),
		};
		if (chunk.first <= w->to && chunk.last >= w->from)
			result = add_chunk(chunks, room, chunk);
		code = result < 0 ? SQLITE_DONE : SQLITE_OK;
	}
	if (result < 0)
		ml_error_set(err, result, "out of memory");
	else if (code != SQLITE_DONE)
		result = view_error(w->view, err);
	sqlite3_reset(row);
	return result;
}

int series_chunks_begin(
	struct series_chunks *chunks, struct series_walk *walk, struct ml_error *err)
{
	sqlite3 *db = store_view_db(walk->view);
	sqlite3_stmt *row = NULL;
	size_t room = 0;
	int result = 0;
	*chunks = (struct series_chunks){.walk = walk};
	if (sqlite3_prepare_v2(db,
		    "SELECT key, first_time, last_time, count FROM chunk WHERE device = ? ORDER "
		    "BY month, first_time",
		    -1, &row, NULL) != SQLITE_OK)
		return view_error(walk->view, err);
	for (size_t i = 0; result == 0 && i < walk->device_count; i++)
		result = list_chunks(chunks, row, walk->devices[i], &room, err);
	sqlite3_finalize(row);
	if (chunks->count)
		qsort(chunks->items, chunks->count, sizeof *chunks->items, by_begin);
	return result;
}

void series_chunks_end(struct series_chunks *chunks)
{
	free(chunks->items);
	free(chunks->readouts);
	*chunks = (struct series_chunks){.walk = chunks->walk};
}

/* ---- Their readouts ---- */

static bool make_room(struct series_chunks *chunks, size_t count)
{
	if (count <= chunks->room)
		return true;
	struct series_readout *grown = realloc(chunks->readouts, count * sizeof *grown);
	if (!grown)
		return false;
	chunks->readouts = grown;
	chunks->room = count;
	return true;
}

static void add_readout(struct series_chunks *chunks, const struct series_readout *readout)
{
	const struct series_walk *w = chunks->walk;
	if (readout->time >= w->from && readout->time <= w->to)
		chunks->readouts[chunks->readout_count++] = *readout;
}

static int add_failures(struct series_chunks *chunks, struct store_chunk *chunk, size_t shape,
	size_t rows, int64_t device, struct ml_error *err)
{
	int64_t *times = malloc(rows * sizeof *times);
	if (!times)
		return ml_error_set(err, -ENOMEM, "out of memory");
	const int result = store_chunk_times(chunk, shape, times, err);
	for (size_t i = 0; result == 0 && i < rows; i++)
		add_readout(chunks,
			&(const struct series_readout){
				.time = times[i], .device = device, .kind = STORE_THIN_FAILED});
	free(times);
	return result;
}

static int add_values(struct series_chunks *chunks, struct store_chunk *chunk, size_t shape,
	size_t rows, int64_t device, struct ml_error *err)
{
	const struct series_walk *w = chunks->walk;
	const struct series_place *place = &w->places[w->place];
	struct store_chunk_value *values = malloc(rows * sizeof *values);
	if (!values)
		return ml_error_set(err, -ENOMEM, "out of memory");
	int result = store_chunk_series(chunk, shape, (unsigned)place->record, values, err);
	for (size_t i = 0; result == 0 && i < rows; i++) {
		const struct store_chunk_value *value = &values[i];
		struct series_readout readout = {.time = value->time,
			.device = device,
			.kind = STORE_THIN_NUMBER,
			.number = {.mantissa = value->mantissa, .exponent = value->exponent}};
		if (value->kind == STORE_CHUNK_OTHER)
			result = -EAGAIN;
		else if (value->kind == STORE_CHUNK_NONE)
			readout.kind = STORE_THIN_NONE;
		else if (value->kind == STORE_CHUNK_NUMBER)
			readout.number.exponent = place->exponent;
		add_readout(chunks, &readout);
	}
	free(values);
	return result;
}

static int add_shape(struct series_chunks *chunks, struct store_chunk *chunk, size_t index,
	int64_t device, struct ml_error *err)
{
	struct series_walk *w = chunks->walk;
	size_t count = 0;
	const struct store_chunk_shape shape = store_chunk_shapes(chunk, &count)[index];
	if (!shape.shape)
		return add_failures(chunks, chunk, index, shape.rows, device, err);
	const int result = series_find_place(w, shape.shape, err);
	if (result < 0)
		return result;
	const int record = w->places[w->place].record;
	if (record < 0)
		return 0;
	if (record >= shape.records)
		return -EAGAIN;
	return add_values(chunks, chunk, index, shape.rows, device, err);
}

static int read_body(struct series_chunks *chunks, const struct series_chunk *item,
	const uint8_t *body, size_t length, struct ml_error *err)
{
	struct store_chunk *chunk = NULL;
	struct ml_error wrong = ML_ERROR_NONE;
	const size_t before = chunks->readout_count;
	size_t shapes = 0;
	int result = store_chunk_open(body, length, &chunk, &wrong);
	if (result == -EBADMSG)
		return view_chunk_damaged(
			chunks->walk->view, item->key, item->device, result, &wrong);
	if (result < 0)
		return ml_error_set(err, result, "%s", wrong.text);
	(void)store_chunk_shapes(chunk, &shapes);
	if (!make_room(chunks, chunks->readout_count + store_chunk_count(chunk)))
		result = ml_error_set(&wrong, -ENOMEM, "out of memory");
	for (size_t s = 0; result == 0 && s < shapes; s++)
		result = add_shape(chunks, chunk, s, item->device, &wrong);
	store_chunk_close(chunk);
	if (result == -EBADMSG) {
		chunks->readout_count = before;
		result = view_chunk_damaged(
			chunks->walk->view, item->key, item->device, result, &wrong);
	}
	return result < 0 ? ml_error_set(err, result, "%s", wrong.text) : 0;
}

static int read_chunk(
	struct series_chunks *chunks, const struct series_chunk *item, struct ml_error *err)
{
	sqlite3 *db = store_view_db(chunks->walk->view);
	sqlite3_stmt *row = NULL;
	int result;
	if (sqlite3_prepare_v2(db, "SELECT body FROM chunk WHERE key = ?", -1, &row, NULL) ==
			SQLITE_OK &&
		sqlite3_bind_int64(row, 1, item->key) == SQLITE_OK &&
		sqlite3_step(row) == SQLITE_ROW)
		result = read_body(chunks, item, sqlite3_column_blob(row, 0),
			(size_t)sqlite3_column_bytes(row, 0), err);
	else
		result = view_error(chunks->walk->view, err);
	sqlite3_finalize(row);
	return result;
}

static int by_time(const void *a, const void *b)
{
	const struct series_readout *x = a, *y = b;
	return (x->time > y->time) - (x->time < y->time);
}

static void sort(struct series_chunks *chunks)
{
	for (size_t i = 1; i < chunks->readout_count; i++)
		if (chunks->readouts[i].time < chunks->readouts[i - 1].time) {
			qsort(chunks->readouts, chunks->readout_count, sizeof *chunks->readouts,
				by_time);
			return;
		}
}

/* All chunks from the next one on that overlap. */
static int read_together(struct series_chunks *chunks, struct ml_error *err)
{
	ml_time end = chunks->items[chunks->next].last;
	uint64_t count = 0;
	int result = 0;
	chunks->readout = 0;
	chunks->readout_count = 0;
	while (result == 0 && chunks->next < chunks->count &&
		chunks->items[chunks->next].first <= end) {
		const struct series_chunk *item = &chunks->items[chunks->next++];
		count += item->count;
		end = item->last > end ? item->last : end;
		result = count > TOGETHER_MAX ? -EAGAIN : read_chunk(chunks, item, err);
	}
	sort(chunks);
	return result;
}

int series_chunks_next(struct series_chunks *chunks, const struct series_readout **ret_readout,
	struct ml_error *err)
{
	while (chunks->readout == chunks->readout_count) {
		if (chunks->next == chunks->count)
			return 0;
		const int result = read_together(chunks, err);
		if (result < 0)
			return result;
	}
	*ret_readout = &chunks->readouts[chunks->readout++];
	return 1;
}
