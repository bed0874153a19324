/* Revisions of the graph, kept in meterloom.db.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "graph/revisions.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>

#include "graph/difference.h"

struct ml_revisions {
	struct ml_engine *engine;
	sqlite3 *db;
	int64_t running;
};

static const char empty_graph[] = "{\"meterloom\": 1}";

const struct ml_migration ml_graph_migrations[] = {
	{"meterloom", 1,
		"CREATE TABLE ml_revision ("
		"number INTEGER PRIMARY KEY,"
		"confirmed INTEGER NOT NULL DEFAULT 0,"
		"time INTEGER NOT NULL," /* wall, microseconds */
		"author TEXT NOT NULL,"
		"remark TEXT NOT NULL,"
		"bytes INTEGER NOT NULL," /* of the graph */
		"difference TEXT NOT NULL,"
		"graph TEXT NOT NULL)"},
	{0},
};

int ml_revisions_new(
	struct ml_engine *engine, struct ml_revisions **ret_revisions, struct ml_error *err)
{
	struct ml_revisions *const revisions = calloc(1, sizeof *revisions);
	*ret_revisions = NULL;
	if (!revisions)
		return ml_error_set(err, -ENOMEM, "out of memory");
	revisions->engine = engine;
	int result = ml_database_open(engine, "meterloom", true, &revisions->db, err);
	/* What a crash left behind. */
	if (result == 0 &&
		sqlite3_exec(revisions->db, "DELETE FROM ml_revision WHERE confirmed = 0", NULL,
			NULL, NULL) != SQLITE_OK)
		result = ml_database_error(err, revisions->db, "opening the revisions");
	if (result != 0) {
		ml_revisions_free(revisions);
		return result;
	}
	*ret_revisions = revisions;
	return 0;
}

void ml_revisions_free(struct ml_revisions *revisions)
{
	if (!revisions)
		return;
	sqlite3_close(revisions->db);
	free(revisions);
}

int64_t ml_revisions_running(const struct ml_revisions *revisions)
{
	return revisions->running;
}

void ml_revisions_set_running(struct ml_revisions *revisions, int64_t number)
{
	revisions->running = number;
}

/* ---- Reading ---- */

int64_t ml_revisions_newest(struct ml_revisions *revisions, int64_t before, const char *author)
{
	sqlite3_stmt *statement = NULL;
	int64_t number = 0;
	static const char sql[] = "SELECT max(number) FROM ml_revision WHERE confirmed = 1 "
				  "AND (?1 = 0 OR number < ?1) AND (?2 IS NULL OR author = ?2)";
	if (sqlite3_prepare_v2(revisions->db, sql, -1, &statement, NULL) == SQLITE_OK) {
		sqlite3_bind_int64(statement, 1, before);
		sqlite3_bind_text(statement, 2, author, -1, SQLITE_STATIC);
		if (sqlite3_step(statement) == SQLITE_ROW)
			number = sqlite3_column_int64(statement, 0);
	}
	sqlite3_finalize(statement);
	return number;
}

static char *column(sqlite3_stmt *statement, int index)
{
	const unsigned char *const text = sqlite3_column_text(statement, index);
	return text ? strdup((const char *)text) : NULL;
}

/* From: number, time, author, remark, difference, graph (NULL where it is not asked for). */
static int take_row(sqlite3_stmt *statement, struct ml_revision *revision, struct ml_error *err)
{
	*revision = (struct ml_revision){
		.number = sqlite3_column_int64(statement, 0),
		.time = sqlite3_column_int64(statement, 1),
		.author = column(statement, 2),
		.remark = column(statement, 3),
		.difference = column(statement, 4),
		.graph = column(statement, 5),
	};
	const bool has_graph = sqlite3_column_type(statement, 5) != SQLITE_NULL;
	if (!revision->author || !revision->remark || !revision->difference ||
		(has_graph && !revision->graph)) {
		ml_revision_free(revision);
		return ml_error_set(err, -ENOMEM, "out of memory");
	}
	revision->length = revision->graph ? strlen(revision->graph) : 0;
	return 0;
}

int ml_revisions_get(struct ml_revisions *revisions, int64_t number, struct ml_revision *revision,
	struct ml_error *err)
{
	sqlite3_stmt *statement = NULL;
	static const char sql[] = "SELECT number, time, author, remark, difference, graph "
				  "FROM ml_revision WHERE confirmed = 1 AND number = ?";
	int result = 0, step = SQLITE_ERROR;
	*revision = (struct ml_revision){0};
	if (sqlite3_prepare_v2(revisions->db, sql, -1, &statement, NULL) == SQLITE_OK) {
		sqlite3_bind_int64(statement, 1, number);
		step = sqlite3_step(statement);
	}
	if (step == SQLITE_ROW)
		result = take_row(statement, revision, err);
	else if (step == SQLITE_DONE)
		result = ml_error_set(err, -ENOENT, "there is no revision %" PRId64, number);
	else
		result = ml_database_error(err, revisions->db, "reading a revision");
	sqlite3_finalize(statement);
	return result;
}

void ml_revision_free(struct ml_revision *revision)
{
	free(revision->author);
	free(revision->remark);
	free(revision->graph);
	free(revision->difference);
	*revision = (struct ml_revision){0};
}

void ml_revision_to_json(const struct ml_revisions *revisions, const struct ml_revision *revision,
	struct ml_json_writer *w)
{
	char time[ML_TIME_TEXT_MAX];
	(void)ml_time_format(revision->time, time);
	ml_json_begin_object(w);
	ml_json_key(w, "revision");
	ml_json_integer(w, revision->number);
	ml_json_key(w, "time");
	ml_json_string(w, time);
	ml_json_key(w, "author");
	ml_json_string(w, revision->author);
	ml_json_key(w, "remark");
	ml_json_string(w, revision->remark);
	ml_json_key(w, "running");
	ml_json_bool(w, revision->number == revisions->running);
	ml_json_key(w, "difference");
	ml_json_raw(w, revision->difference, strlen(revision->difference));
	if (revision->graph) {
		ml_json_key(w, "graph");
		ml_json_raw(w, revision->graph, revision->length);
	}
	ml_json_end_object(w);
}

int ml_revisions_to_json(struct ml_revisions *revisions, int64_t before, size_t limit,
	struct ml_json_writer *w, struct ml_error *err)
{
	sqlite3_stmt *statement = NULL;
	static const char sql[] =
		"SELECT number, time, author, remark, difference, NULL FROM ml_revision "
		"WHERE confirmed = 1 AND (?1 = 0 OR number < ?1) ORDER BY number DESC LIMIT ?2";
	if (sqlite3_prepare_v2(revisions->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return ml_database_error(err, revisions->db, "listing the revisions");
	sqlite3_bind_int64(statement, 1, before);
	sqlite3_bind_int64(statement, 2, (int64_t)limit);
	int result = 0, step = SQLITE_DONE;
	ml_json_begin_array(w);
	while (result == 0 && (step = sqlite3_step(statement)) == SQLITE_ROW) {
		struct ml_revision revision;
		result = take_row(statement, &revision, err);
		if (result == 0)
			ml_revision_to_json(revisions, &revision, w);
		ml_revision_free(&revision);
	}
	ml_json_end_array(w);
	if (result == 0 && step != SQLITE_DONE)
		result = ml_database_error(err, revisions->db, "listing the revisions");
	sqlite3_finalize(statement);
	return result;
}

/* ---- Differences ---- */

static int get_or_empty(struct ml_revisions *revisions, int64_t number,
	struct ml_revision *revision, struct ml_error *err)
{
	if (number != 0)
		return ml_revisions_get(revisions, number, revision, err);
	*revision = (struct ml_revision){
		.graph = strdup(empty_graph), .length = sizeof empty_graph - 1};
	return revision->graph ? 0 : ml_error_set(err, -ENOMEM, "out of memory");
}

int ml_revisions_difference(struct ml_revisions *revisions, int64_t from, int64_t to,
	struct ml_json_writer *w, struct ml_error *err)
{
	struct ml_revision before = {0}, after = {0};
	int result = get_or_empty(revisions, from, &before, err);
	if (result == 0)
		result = get_or_empty(revisions, to, &after, err);
	if (result == 0)
		result = ml_difference_write(ml_engine_families(revisions->engine), before.graph,
			before.length, after.graph, after.length, w, err);
	ml_revision_free(&before);
	ml_revision_free(&after);
	return result;
}

/* ---- Writing ---- */

/* Bytes of a text that is cut at a UTF-8 border. */
static int cut(const char *text, size_t max)
{
	size_t length = strlen(text);
	if (length > max) {
		length = max;
		while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
			length--;
	}
	return (int)length;
}

static int insert(struct ml_revisions *revisions, const struct ml_revision *revision,
	const struct ml_buffer *difference, int64_t *ret_number, struct ml_error *err)
{
	sqlite3_stmt *statement = NULL;
	static const char sql[] =
		"INSERT INTO ml_revision (time, author, remark, bytes, difference, graph) "
		"VALUES (?, ?, ?, ?, ?, ?)";
	int step = SQLITE_ERROR;
	if (sqlite3_prepare_v2(revisions->db, sql, -1, &statement, NULL) == SQLITE_OK) {
		sqlite3_bind_int64(statement, 1, revision->time);
		sqlite3_bind_text(statement, 2, revision->author,
			cut(revision->author, ML_REVISION_AUTHOR_MAX), SQLITE_STATIC);
		sqlite3_bind_text(statement, 3, revision->remark,
			cut(revision->remark, ML_REVISION_REMARK_MAX), SQLITE_STATIC);
		sqlite3_bind_int64(statement, 4, (int64_t)revision->length);
		sqlite3_bind_text(
			statement, 5, difference->data, (int)difference->length, SQLITE_STATIC);
		sqlite3_bind_text(
			statement, 6, revision->graph, (int)revision->length, SQLITE_STATIC);
		step = sqlite3_step(statement);
	}
	int result = 0;
	if (step != SQLITE_DONE)
		result = ml_database_error(err, revisions->db, "keeping the graph as a revision");
	*ret_number = sqlite3_last_insert_rowid(revisions->db);
	sqlite3_finalize(statement);
	return result;
}

int ml_revisions_add(struct ml_revisions *revisions, const char *author, const char *remark,
	const char *graph, size_t length, int64_t *ret_number, struct ml_error *err)
{
	struct ml_revision before = {0};
	struct ml_buffer buffer = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &buffer);
	int result = get_or_empty(revisions, revisions->running, &before, err);
	if (result == 0)
		result = ml_difference_write(ml_engine_families(revisions->engine), before.graph,
			before.length, graph, length, &w, err);
	if (result == 0 && buffer.failed)
		result = ml_error_set(err, -ENOMEM, "out of memory");
	const struct ml_revision revision = {
		.time = ml_clock_wall(ml_engine_clock(revisions->engine)),
		.author = (char *)(uintptr_t)author,
		.remark = (char *)(uintptr_t)remark,
		.graph = (char *)(uintptr_t)graph,
		.length = length,
	};
	if (result == 0)
		result = insert(revisions, &revision, &buffer, ret_number, err);
	ml_buffer_free(&buffer);
	ml_revision_free(&before);
	return result;
}

static int run_with_number(
	struct ml_revisions *revisions, const char *sql, int64_t number, struct ml_error *err)
{
	sqlite3_stmt *statement = NULL;
	int step = SQLITE_ERROR, result = 0;
	if (sqlite3_prepare_v2(revisions->db, sql, -1, &statement, NULL) == SQLITE_OK) {
		sqlite3_bind_int64(statement, 1, number);
		step = sqlite3_step(statement);
	}
	if (step != SQLITE_DONE)
		result = ml_database_error(err, revisions->db, "changing the revisions");
	sqlite3_finalize(statement);
	return result;
}

int ml_revisions_confirm(struct ml_revisions *revisions, int64_t number, struct ml_error *err)
{
	const int result = run_with_number(
		revisions, "UPDATE ml_revision SET confirmed = 1 WHERE number = ?", number, err);
	if (result != 0)
		return result;
	revisions->running = number;
	_Static_assert(ML_REVISIONS_KEPT == 1000 && ML_REVISIONS_BYTES == 67108864,
		"what the statement says");
	/* What cannot be tidied up now will be the next time. */
	(void)run_with_number(revisions,
		"DELETE FROM ml_revision WHERE number <> ?1 AND number IN (SELECT number FROM ("
		"SELECT number, sum(bytes) OVER newer AS total, row_number() OVER newer AS place "
		"FROM ml_revision WINDOW newer AS (ORDER BY number DESC)) "
		"WHERE place > 1000 OR total > 67108864)",
		number, NULL);
	return 0;
}

void ml_revisions_drop(struct ml_revisions *revisions, int64_t number)
{
	(void)run_with_number(revisions, "DELETE FROM ml_revision WHERE number = ?", number, NULL);
}
