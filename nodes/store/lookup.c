/* One by one: rows into readings, and what is found by its number.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/database.h>

#include "store/block.h"
#include "store/damage.h"
#include "store/view.h"

static const char doing[] = "reading readings.db";

void view_row(sqlite3_stmt *statement, struct store_row *row)
{
	*row = (struct store_row){
		.sequence = (uint64_t)sqlite3_column_int64(statement, 0),
		.device = sqlite3_column_int64(statement, 1),
		.time = sqlite3_column_int64(statement, 2),
		.trace = (uint64_t)sqlite3_column_int64(statement, 3),
		.boot = sqlite3_column_int64(statement, 4),
		.origin = (uint32_t)sqlite3_column_int64(statement, 5),
		.check = (uint32_t)sqlite3_column_int64(statement, 6),
		.shape = sqlite3_column_int64(statement, 7),
		.content = sqlite3_column_blob(statement, 8),
		.length = (size_t)sqlite3_column_bytes(statement, 8),
	};
}

static int make_reading(
	struct store_view *view, const struct store_row *row, void *block, struct ml_error *err)
{
	static const struct store_shape nothing = {.count = 0};
	const struct store_shape *shape = &nothing;
	const struct store_source *source = store_view_source(view, row->device);
	int result = 0;
	if (!source)
		return ml_error_set(
			err, -EBADMSG, "%s: device %lld is missing", doing, (long long)row->device);
	if (row->shape)
		result = store_view_shape(view, row->shape, &shape, err);
	if (result == 0)
		result = store_values_read(
			shape, row->content, row->length, block, STORE_BLOCK_MAX, err);
	if (result < 0)
		return result;
	struct meter_reading *reading = block;
	reading->time = row->boot ? METER_TIME_UNKNOWN : row->time;
	reading->trace = row->trace;
	reading->point = source->point;
	reading->meter = source->identity;
	return 0;
}

int store_view_reading(
	struct store_view *view, const struct store_row *row, void *block, struct ml_error *err)
{
	struct ml_error wrong = ML_ERROR_NONE;
	int result = make_reading(view, row, block, &wrong);
	/* The block holds any that was stored. */
	if (result == -ENOSPC)
		result = -EBADMSG;
	if (result == -EBADMSG && view->engine)
		store_damage_reading(view, row, wrong.text);
	return result < 0 ? ml_error_set(err, result, "%s", wrong.text) : 0;
}

/* ---- By sequence ---- */

static int keep(struct store_view *view, const uint8_t *bytes, size_t length, struct ml_error *err)
{
	if (length > view->bytes_size) {
		uint8_t *grown = realloc(view->bytes, length);
		if (!grown)
			return ml_error_set(err, -ENOMEM, "out of memory");
		view->bytes = grown;
		view->bytes_size = length;
	}
	if (length)
		memcpy(view->bytes, bytes, length);
	return 0;
}

static int found(struct store_view *view, struct store_row *row, struct ml_error *err)
{
	const int result = keep(view, row->content, row->length, err);
	row->content = view->bytes;
	return result < 0 ? result : 1;
}

/* The row in a chunk. 1: here it is; 0: there is none. */
static int find_in_chunk(struct store_view *view, int64_t key, int64_t device, uint64_t sequence,
	struct store_row *ret_row, struct ml_error *err)
{
	const struct store_row *rows = NULL;
	size_t count = 0, at = 0;
	int result = view_chunk_rows(view, key, device, false, &rows, &count, err);
	while (result == 0 && at < count && rows[at].sequence != sequence)
		at++;
	if (result < 0 || at == count)
		return result;
	result = view_chunk_rows(view, key, device, true, &rows, &count, err);
	if (result < 0 || at >= count)
		return result;
	*ret_row = rows[at];
	return found(view, ret_row, err);
}

static int find_in_chunks(
	struct store_view *view, uint64_t sequence, struct store_row *ret_row, struct ml_error *err)
{
	const int64_t range[] = {(int64_t)sequence, (int64_t)sequence};
	sqlite3_stmt *row = view_statement(view, VIEW_SPANS, err);
	int result = 0;
	if (!row)
		return view_error(view, NULL);
	int code = view_bind(row, range, 2);
	while (code == SQLITE_OK && result == 0 && (code = sqlite3_step(row)) == SQLITE_ROW) {
		result = find_in_chunk(view, sqlite3_column_int64(row, 0),
			sqlite3_column_int64(row, 1), sequence, ret_row, err);
		code = SQLITE_OK;
	}
	if (result == 0 && code != SQLITE_DONE)
		result = view_error(view, err);
	sqlite3_reset(row);
	return result;
}

int store_view_find(
	struct store_view *view, uint64_t sequence, struct store_row *ret_row, struct ml_error *err)
{
	const int64_t key = (int64_t)sequence;
	int result = view_begin(view, err);
	if (result < 0)
		return result;
	sqlite3_stmt *row = view_statement(view, VIEW_FIND, err);
	int code = row ? view_bind(row, &key, 1) : SQLITE_ERROR;
	if (code == SQLITE_OK)
		code = sqlite3_step(row);
	if (code == SQLITE_ROW) {
		view_row(row, ret_row);
		result = found(view, ret_row, err);
	} else if (code == SQLITE_DONE) {
		result = find_in_chunks(view, sequence, ret_row, err);
	} else {
		result = view_error(view, err);
	}
	sqlite3_reset(row);
	view_end(view);
	if (result == 0)
		result = ml_error_set(err, -ENOENT, "%s: reading %llu is gone", doing,
			(unsigned long long)sequence);
	return result < 0 ? result : 0;
}

/* ---- By trace ---- */

struct trace_search {
	struct store_view *view;
	uint64_t trace;
	int (*each)(void *user, const struct store_row *row, struct ml_error *err);
	void *user;
};

static int trace_in_range(
	const struct trace_search *search, uint64_t first, uint64_t last, struct ml_error *err)
{
	const int64_t values[] = {(int64_t)first, (int64_t)last, (int64_t)search->trace};
	sqlite3_stmt *statement = view_statement(search->view, VIEW_TRACE_ROWS, err);
	int result = 0;
	if (!statement)
		return view_error(search->view, NULL);
	int code = view_bind(statement, values, 3);
	while (code == SQLITE_OK && result == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct store_row row;
		view_row(statement, &row);
		if (view_live(&search->view->state, row.sequence, row.device))
			result = search->each(search->user, &row, err);
		code = SQLITE_OK;
	}
	if (result == 0 && code != SQLITE_DONE)
		result = view_error(search->view, err);
	sqlite3_reset(statement);
	return result;
}

static int trace_in_chunk(
	const struct trace_search *search, int64_t key, int64_t device, struct ml_error *err)
{
	const struct store_row *rows = NULL;
	size_t count = 0;
	bool any = false;
	int result = view_chunk_rows(search->view, key, device, false, &rows, &count, err);
	for (size_t i = 0; result == 0 && !any && i < count; i++)
		any = rows[i].trace == search->trace;
	if (result < 0 || !any)
		return result;
	result = view_chunk_rows(search->view, key, device, true, &rows, &count, err);
	for (size_t i = 0; result == 0 && i < count; i++)
		if (rows[i].trace == search->trace)
			result = search->each(search->user, &rows[i], err);
	return result;
}

/* Blocks or chunks whose traces may be it. */
static int trace_in_all(
	const struct trace_search *search, enum view_statement which, struct ml_error *err)
{
	const int64_t trace = (int64_t)search->trace;
	sqlite3_stmt *row = view_statement(search->view, which, err);
	int result = 0;
	if (!row)
		return view_error(search->view, NULL);
	int code = view_bind(row, &trace, 1);
	while (code == SQLITE_OK && result == 0 && (code = sqlite3_step(row)) == SQLITE_ROW) {
		const int64_t key = sqlite3_column_int64(row, 0);
		const uint64_t begin = (uint64_t)key << STORE_BLOCK_BITS;
		if (which == VIEW_TRACE_CHUNKS)
			result = trace_in_chunk(search, key, sqlite3_column_int64(row, 1), err);
		else if (begin >> STORE_BLOCK_BITS !=
			 search->view->state.sequence >> STORE_BLOCK_BITS)
			result = trace_in_range(
				search, begin, begin + (1u << STORE_BLOCK_BITS) - 1, err);
		code = SQLITE_OK;
	}
	if (result == 0 && code != SQLITE_DONE)
		result = view_error(search->view, err);
	sqlite3_reset(row);
	return result;
}

int store_view_trace(struct store_view *view, uint64_t trace,
	int (*each)(void *user, const struct store_row *row, struct ml_error *err), void *user,
	struct ml_error *err)
{
	const struct trace_search search = {view, trace, each, user};
	int result = view_begin(view, err);
	if (result < 0)
		return result;
	result = trace_in_all(&search, VIEW_TRACE_CHUNKS, err);
	if (result == 0)
		result = trace_in_all(&search, VIEW_TRACE_BLOCKS, err);
	/* The block that is not full yet is not written down. */
	if (result == 0)
		result = trace_in_range(&search,
			view->state.sequence >> STORE_BLOCK_BITS << STORE_BLOCK_BITS, INT64_MAX,
			err);
	view_end(view);
	return result;
}

int store_view_telegram(struct store_view *view, const struct store_row *row,
	const uint8_t **ret_bytes, size_t *ret_length, struct ml_error *err)
{
	const int64_t key = (int64_t)row->sequence;
	sqlite3_stmt *frame = view_statement(view, VIEW_TELEGRAM, err);
	int result = -ENOENT;
	if (!frame)
		return view_error(view, NULL);
	int code = view_bind(frame, &key, 1);
	if (code == SQLITE_OK)
		code = sqlite3_step(frame);
	if (code == SQLITE_ROW && (uint64_t)sqlite3_column_int64(frame, 0) == row->trace) {
		*ret_length = (size_t)sqlite3_column_bytes(frame, 1);
		result = keep(view, sqlite3_column_blob(frame, 1), *ret_length, err);
		*ret_bytes = view->bytes;
	} else if (code == SQLITE_ROW || code == SQLITE_DONE) {
		result = ml_error_set(err, -ENOENT,
			"the telegram of reading %llu is not in the journal",
			(unsigned long long)row->sequence);
	} else {
		result = view_error(view, err);
	}
	sqlite3_reset(frame);
	return result;
}

int store_view_origin(struct store_view *view, uint32_t key, struct meter_origin *ret_origin,
	struct ml_error *err)
{
	const int64_t number = key;
	sqlite3_stmt *row = view_statement(view, VIEW_ORIGIN, err);
	int result = 0;
	if (!row)
		return view_error(view, NULL);
	int code = view_bind(row, &number, 1);
	if (code == SQLITE_OK)
		code = sqlite3_step(row);
	if (code == SQLITE_ROW) {
		char *const texts[] = {ret_origin->node, ret_origin->bus, ret_origin->interface,
			ret_origin->receiver};
		for (int i = 0; i < 4; i++)
			(void)snprintf(texts[i], METER_ORIGIN_TEXT_MAX, "%s",
				(const char *)sqlite3_column_text(row, i));
	} else if (code == SQLITE_DONE) {
		result = ml_error_set(err, -ENOENT, "origin %u is not known", (unsigned)key);
	} else {
		result = view_error(view, err);
	}
	sqlite3_reset(row);
	return result;
}
