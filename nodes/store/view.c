/* A view: one connection that reads, with what it remembers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/database.h>
#include <meterloom/zone.h>

#include "store/damage.h"

static const char doing[] = "reading readings.db";

static const char *const statements[VIEW_STATEMENTS] = {
	[VIEW_STATE] = "SELECT name, value FROM store_state",
	[VIEW_FIND] = "SELECT " VIEW_ROW " FROM reading WHERE sequence = ?",
	[VIEW_SHAPE] = "SELECT body FROM shape WHERE key = ?",
	[VIEW_BLOCKS] = "SELECT number, first_time, last_time FROM block ORDER BY number",
	[VIEW_BLOCK_FORWARD] =
		"SELECT " VIEW_ROW " FROM reading WHERE sequence >> 10 = ?1 AND device = ?2 AND "
		"(time, sequence) > (?3, ?4) AND time <= ?5 AND sequence > ?6 AND sequence <= ?7 "
		"ORDER BY time, sequence LIMIT ?8",
	[VIEW_BLOCK_BACKWARD] =
		"SELECT " VIEW_ROW " FROM reading WHERE sequence >> 10 = ?1 AND device = ?2 AND "
		"(time, sequence) < (?3, ?4) AND time >= ?5 AND sequence > ?6 AND sequence <= ?7 "
		"ORDER BY time DESC, sequence DESC LIMIT ?8",
	[VIEW_ROWS_FORWARD] = "SELECT " VIEW_ROW " FROM reading WHERE sequence > ?1 AND sequence "
			      "<= ?2 ORDER BY sequence",
	[VIEW_ROWS_BACKWARD] = "SELECT " VIEW_ROW " FROM reading WHERE sequence > ?1 AND sequence "
			       "<= ?2 ORDER BY sequence DESC",
	[VIEW_BEGIN] = "BEGIN",
	[VIEW_COMMIT] = "COMMIT",
	[VIEW_MONTHS_FORWARD] =
		"SELECT key, month, first_time, last_time FROM chunk WHERE device = "
		"?1 AND month >= ?2 AND month <= ?3 ORDER BY month, first_time",
	[VIEW_MONTHS_BACKWARD] =
		"SELECT key, month, first_time, last_time FROM chunk WHERE device "
		"= ?1 AND month >= ?2 AND month <= ?3 ORDER BY month DESC, last_time DESC",
	[VIEW_SPANS] = "SELECT key, device, first_sequence, last_sequence FROM chunk WHERE "
		       "last_sequence >= ?1 AND first_sequence <= ?2",
	[VIEW_NEXT_SPAN] = "SELECT min(first_sequence) FROM chunk WHERE last_sequence >= ?1",
	[VIEW_LAST_SPAN] = "SELECT max(min(last_sequence, ?1)) FROM chunk WHERE first_sequence <= "
			   "?1",
	[VIEW_TRACE_BLOCKS] = "SELECT number FROM block WHERE min_trace <= ?1 AND max_trace >= ?1",
	[VIEW_TRACE_ROWS] = "SELECT " VIEW_ROW " FROM reading WHERE sequence >= ?1 AND sequence <= "
			    "?2 AND trace = ?3 ORDER BY sequence",
	[VIEW_TRACE_CHUNKS] = "SELECT key, device FROM chunk WHERE min_trace <= ?1 AND max_trace "
			      ">= ?1",
	[VIEW_BODY] = "SELECT body FROM chunk WHERE key = ?",
	[VIEW_TELEGRAM] = "SELECT trace, bytes FROM frame WHERE key <= ? ORDER BY key DESC LIMIT 1",
	[VIEW_ORIGIN] = "SELECT node, bus, interface, receiver FROM origin WHERE key = ?",
};

int view_error(const struct store_view *view, struct ml_error *err)
{
	struct ml_error wrong = ML_ERROR_NONE;
	const int result = ml_database_error(&wrong, view->db, doing);
	if (result == -EUCLEAN && view->engine)
		store_damage_found(view->engine, view->file, wrong.text);
	return ml_error_set(err, result, "%s", wrong.text);
}

sqlite3_stmt *view_statement(
	struct store_view *view, enum view_statement which, struct ml_error *err)
{
	sqlite3_stmt **statement = &view->statements[which];
	if (!*statement && sqlite3_prepare_v3(view->db, statements[which], -1,
				   SQLITE_PREPARE_PERSISTENT, statement, NULL) != SQLITE_OK)
		(void)view_error(view, err);
	return *statement;
}

int view_bind(sqlite3_stmt *statement, const int64_t *values, int count)
{
	int code = SQLITE_OK;
	for (int i = 0; code == SQLITE_OK && i < count; i++)
		code = sqlite3_bind_int64(statement, i + 1, values[i]);
	return code;
}

int64_t view_month(ml_time time)
{
	const struct ml_civil civil = ml_civil_from_time(time);
	return (int64_t)civil.year * 12 + civil.month - 1;
}

/* ---- Opening ---- */

int store_view_on(
	struct ml_engine *engine, sqlite3 *db, struct store_view **ret_view, struct ml_error *err)
{
	struct store_view *view = calloc(1, sizeof *view);
	if (!view)
		return ml_error_set(err, -ENOMEM, "out of memory");
	view->engine = engine;
	view->file = engine ? store_damage_file(engine) : 0;
	view->db = db;
	*ret_view = view;
	return 0;
}

int store_view_open(struct ml_engine *engine, struct store_view **ret_view, struct ml_error *err)
{
	sqlite3 *db = NULL;
	const unsigned file = store_damage_file(engine);
	int result = ml_database_open(engine, "readings", false, &db, err);
	if (result < 0)
		return result;
	result = store_view_on(engine, db, ret_view, err);
	if (result < 0) {
		sqlite3_close(db);
		return result;
	}
	(*ret_view)->owned = true;
	(*ret_view)->file = file;
	return result;
}

static void forget_chunk(struct view_chunk *kept)
{
	store_chunk_close(kept->chunk);
	free(kept->body);
	*kept = (struct view_chunk){0};
}

static void forget_chunks(struct store_view *view)
{
	for (size_t i = 0; i < VIEW_CHUNKS; i++)
		forget_chunk(&view->chunks[i]);
}

static void forget_shapes(struct store_view *view)
{
	for (size_t i = 0; i < VIEW_BUCKETS; i++) {
		while (view->shapes[i]) {
			struct store_shape *shape = view->shapes[i];
			view->shapes[i] = shape->next;
			store_shape_free(shape);
		}
	}
	view->shape_count = 0;
}

void store_view_close(struct store_view *view)
{
	if (!view)
		return;
	forget_chunks(view);
	forget_shapes(view);
	for (size_t i = 0; i < VIEW_STATEMENTS; i++)
		sqlite3_finalize(view->statements[i]);
	free(view->sources);
	free(view->bytes);
	if (view->owned)
		sqlite3_close(view->db);
	free(view);
}

sqlite3 *store_view_db(const struct store_view *view)
{
	return view->db;
}

/* ---- One moment ---- */

static void take_state(struct view_state *state, const char *name, int64_t value)
{
	if (strcmp(name, "sequence") == 0)
		state->sequence = (uint64_t)value;
	else if (strcmp(name, "packed") == 0)
		state->packed = (uint64_t)value;
	else if (strcmp(name, "packing") == 0)
		state->packing = (uint64_t)value;
	else if (strcmp(name, "packing_device") == 0)
		state->packing_device = value;
	else if (strcmp(name, "chunks") == 0)
		state->chunks = value;
}

static int read_state(struct store_view *view, struct ml_error *err)
{
	sqlite3_stmt *row = view_statement(view, VIEW_STATE, err);
	struct view_state state = {0};
	int code = SQLITE_ERROR, result = 0;
	if (!row)
		return view_error(view, NULL);
	while ((code = sqlite3_step(row)) == SQLITE_ROW)
		take_state(&state, (const char *)sqlite3_column_text(row, 0),
			sqlite3_column_int64(row, 1));
	if (code != SQLITE_DONE)
		result = view_error(view, err);
	sqlite3_reset(row);
	/* The keys of chunks that went may be those of others now. */
	if (state.chunks != view->state.chunks)
		forget_chunks(view);
	view->state = state;
	return result;
}

/* A statement without parameters and rows. */
static int run(struct store_view *view, enum view_statement which, struct ml_error *err)
{
	sqlite3_stmt *statement = view_statement(view, which, err);
	if (!statement)
		return view_error(view, NULL);
	const int result = sqlite3_step(statement) == SQLITE_DONE ? 0 : view_error(view, err);
	sqlite3_reset(statement);
	return result;
}

int view_begin(struct store_view *view, struct ml_error *err)
{
	if (view->begun++)
		return 0;
	int result = 0;
	if (sqlite3_get_autocommit(view->db)) {
		result = run(view, VIEW_BEGIN, err);
		view->own_transaction = result == 0;
	}
	if (result == 0)
		result = read_state(view, err);
	if (result < 0)
		view_end(view);
	return result;
}

void view_end(struct store_view *view)
{
	if (--view->begun)
		return;
	if (view->own_transaction)
		(void)run(view, VIEW_COMMIT, NULL);
	view->own_transaction = false;
}

/* ---- Sources and shapes ---- */

static int load_sources(struct store_view *view, struct ml_error *err)
{
	sqlite3_stmt *row = NULL;
	struct store_source *sources = NULL;
	size_t count = 0, capacity = 0;
	int result = 0;
	int code = sqlite3_prepare_v2(
		view->db, "SELECT key, point, identity FROM device ORDER BY key", -1, &row, NULL);
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
		result = view_error(view, err);
		goto out;
	}
	free(view->sources);
	view->sources = sources;
	view->source_count = count;
	sources = NULL;
out:
	sqlite3_finalize(row);
	free(sources);
	return result;
}

int store_view_sources(struct store_view *view, const struct store_source **ret_sources,
	size_t *ret_count, struct ml_error *err)
{
	const int result = load_sources(view, err);
	*ret_sources = view->sources;
	*ret_count = view->source_count;
	return result;
}

static const struct store_source *find_source(const struct store_view *view, int64_t device)
{
	size_t low = 0, high = view->source_count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (view->sources[middle].key < device)
			low = middle + 1;
		else
			high = middle;
	}
	return low < view->source_count && view->sources[low].key == device ? &view->sources[low]
									    : NULL;
}

const struct store_source *store_view_source(struct store_view *view, int64_t device)
{
	const struct store_source *source = find_source(view, device);
	if (!source && load_sources(view, NULL) == 0)
		source = find_source(view, device);
	return source;
}

static int load_shape(
	struct store_view *view, int64_t key, struct store_shape **ret_shape, struct ml_error *err)
{
	sqlite3_stmt *row = view_statement(view, VIEW_SHAPE, err);
	int result;
	if (!row)
		return view_error(view, NULL);
	int code = view_bind(row, &key, 1);
	if (code == SQLITE_OK)
		code = sqlite3_step(row);
	if (code == SQLITE_ROW)
		result = store_shape_parse(sqlite3_column_blob(row, 0),
			(size_t)sqlite3_column_bytes(row, 0), ret_shape, err);
	else if (code == SQLITE_DONE)
		result = ml_error_set(
			err, -EBADMSG, "%s: shape %lld is missing", doing, (long long)key);
	else
		result = view_error(view, err);
	sqlite3_reset(row);
	return result;
}

int store_view_shape(struct store_view *view, int64_t key, const struct store_shape **ret_shape,
	struct ml_error *err)
{
	struct store_shape **bucket = &view->shapes[(uint64_t)key % VIEW_BUCKETS];
	struct store_shape *shape = *bucket;
	while (shape && shape->key != key)
		shape = shape->next;
	if (!shape) {
		const int result = load_shape(view, key, &shape, err);
		if (result < 0)
			return result;
		if (view->shape_count >= VIEW_SHAPES_MAX)
			forget_shapes(view);
		shape->key = key;
		shape->next = *bucket;
		*bucket = shape;
		view->shape_count++;
	}
	*ret_shape = shape;
	return 0;
}

/* ---- Chunks ---- */

static int load_chunk(
	struct store_view *view, int64_t key, struct view_chunk *kept, struct ml_error *err)
{
	sqlite3_stmt *row = view_statement(view, VIEW_BODY, err);
	int result;
	if (!row)
		return view_error(view, NULL);
	int code = view_bind(row, &key, 1);
	if (code == SQLITE_OK)
		code = sqlite3_step(row);
	if (code == SQLITE_ROW) {
		const size_t length = (size_t)sqlite3_column_bytes(row, 0);
		kept->body = malloc(length ? length : 1);
		if (kept->body && length)
			memcpy(kept->body, sqlite3_column_blob(row, 0), length);
		result = kept->body ? store_chunk_open(kept->body, length, &kept->chunk, err)
				    : ml_error_set(err, -ENOMEM, "out of memory");
	} else if (code == SQLITE_DONE) {
		result =
			ml_error_set(err, -ENOENT, "%s: chunk %lld is gone", doing, (long long)key);
	} else {
		result = view_error(view, err);
	}
	sqlite3_reset(row);
	if (result == 0)
		kept->key = key;
	else
		forget_chunk(kept);
	return result;
}

/* The one that is kept, or a place for it. */
static struct view_chunk *chunk_place(struct store_view *view, int64_t key)
{
	struct view_chunk *oldest = &view->chunks[0];
	for (size_t i = 0; i < VIEW_CHUNKS; i++) {
		struct view_chunk *kept = &view->chunks[i];
		if (kept->key == key)
			return kept;
		if (kept->used < oldest->used)
			oldest = kept;
	}
	forget_chunk(oldest);
	return oldest;
}

static int chunk_rows(struct store_view *view, int64_t key, int64_t device, bool content,
	const struct store_row **ret_rows, size_t *ret_count, struct ml_error *err)
{
	struct view_chunk *kept = chunk_place(view, key);
	int result = kept->key ? 0 : load_chunk(view, key, kept, err);
	if (result == 0 && (!kept->rows || (content && !kept->content))) {
		result = store_chunk_rows(kept->chunk, device, content, &kept->rows, err);
		if (result < 0)
			forget_chunk(kept);
	}
	if (result < 0)
		return result;
	kept->content = kept->content || content;
	kept->count = store_chunk_count(kept->chunk);
	kept->used = ++view->uses;
	*ret_rows = kept->rows;
	*ret_count = kept->count;
	return 0;
}

int view_chunk_damaged(struct store_view *view, int64_t key, int64_t device, int result,
	const struct ml_error *wrong)
{
	if (!view->engine)
		return result;
	store_damage_chunk(view, key, device, wrong->text);
	return 0;
}

int view_chunk_rows(struct store_view *view, int64_t key, int64_t device, bool content,
	const struct store_row **ret_rows, size_t *ret_count, struct ml_error *err)
{
	struct ml_error wrong = ML_ERROR_NONE;
	int result = chunk_rows(view, key, device, content, ret_rows, ret_count, &wrong);
	if (result == 0)
		return 0;
	*ret_rows = NULL;
	*ret_count = 0;
	if (result == -EBADMSG)
		result = view_chunk_damaged(view, key, device, result, &wrong);
	return result < 0 ? ml_error_set(err, result, "%s", wrong.text) : 0;
}
