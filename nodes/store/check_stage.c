/* Slices of the check of readings.db.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <meterloom/database.h>

#include "store/block.h"
#include "store/check.h"
#include "store/chunk.h"

enum {
	SLICE_ROWS = 500,
	SLICE_BYTES = 256 << 10,
	SLICE_BLOCKS = 4,
};

static const char doing[] = "checking readings.db";

static void add(struct store_check_stage *stages, size_t *count, enum store_check_kind kind,
	const char *table, const char *index)
{
	if (*count == STORE_CHECK_STAGES_MAX)
		return;
	struct store_check_stage *stage = &stages[(*count)++];
	stage->kind = kind;
	(void)snprintf(stage->table, sizeof stage->table, "%s", table);
	(void)snprintf(stage->index, sizeof stage->index, "%s", index ? index : "");
}

int store_check_stages(
	sqlite3 *db, struct store_check_stage *stages, size_t *ret_count, struct ml_error *err)
{
	/* A table without rowid or with a constraint of uniqueness is small here. */
	static const char sql[] =
		"SELECT 0, name, NULL, wr OR EXISTS (SELECT 1 FROM sqlite_schema AS i WHERE "
		"i.tbl_name = l.name AND i.type = 'index' AND i.sql IS NULL) FROM "
		"pragma_table_list AS l WHERE schema = 'main' AND type = 'table' AND (name NOT "
		"LIKE 'sqlite_%' OR name = 'sqlite_sequence') UNION ALL SELECT 1, tbl_name, name, "
		"0 FROM sqlite_schema WHERE type = "
		"'index' AND sql IS NOT NULL ORDER BY 1, 2";
	sqlite3_stmt *row = NULL;
	int result = 0;
	int code = sqlite3_prepare_v2(db, sql, -1, &row, NULL);
	*ret_count = 0;
	while (code == SQLITE_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
		const char *table = (const char *)sqlite3_column_text(row, 1);
		const char *index = (const char *)sqlite3_column_text(row, 2);
		enum store_check_kind kind = STORE_CHECK_ROWS;
		if (index)
			kind = strcmp(index, "reading_block") == 0 ? STORE_CHECK_READING
								   : STORE_CHECK_INDEX;
		else if (sqlite3_column_int(row, 3))
			kind = STORE_CHECK_SMALL;
		add(stages, ret_count, kind, table, index);
		code = SQLITE_OK;
	}
	if (code != SQLITE_DONE)
		result = ml_database_error(err, db, doing);
	sqlite3_finalize(row);
	return result;
}

/* Looks at each value, so that it is read from all its pages; those of chunks tell by themselves
 * whether they are whole. Returns the bytes, or -EUCLEAN. */
static int look_at_row(
	const struct store_check_stage *stage, sqlite3_stmt *row, struct ml_error *err)
{
	int bytes = 0;
	struct store_chunk *chunk = NULL;
	for (int i = 0; i < sqlite3_column_count(row); i++) {
		if (sqlite3_column_type(row, i) != SQLITE_BLOB)
			continue;
		const void *blob = sqlite3_column_blob(row, i);
		const int length = sqlite3_column_bytes(row, i);
		bytes += length;
		if (strcmp(stage->table, "chunk") != 0 || !blob)
			continue;
		struct ml_error wrong = ML_ERROR_NONE;
		const int result = store_chunk_open(blob, (size_t)length, &chunk, &wrong);
		store_chunk_close(chunk);
		if (result == -EBADMSG)
			return ml_error_set(err, -EUCLEAN, "chunk %lld: %s",
				(long long)sqlite3_column_int64(row, 0), wrong.text);
	}
	return bytes;
}

static int rows_slice(sqlite3 *db, const struct store_check_stage *stage, int64_t *place,
	bool *done, uint64_t *rows, struct ml_error *err)
{
	char sql[128];
	sqlite3_stmt *row = NULL;
	int result = 0, bytes = 0, count = 0;
	(void)snprintf(sql, sizeof sql,
		"SELECT rowid, * FROM \"%s\" WHERE rowid > ? ORDER BY rowid LIMIT %d", stage->table,
		SLICE_ROWS);
	int code = sqlite3_prepare_v2(db, sql, -1, &row, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(row, 1, *place);
	while (code == SQLITE_OK && bytes < SLICE_BYTES &&
		(code = sqlite3_step(row)) == SQLITE_ROW) {
		result = look_at_row(stage, row, err);
		if (result < 0)
			goto out;
		bytes += result;
		count++;
		*place = sqlite3_column_int64(row, 0);
		code = SQLITE_OK;
	}
	result = 0;
	if (code != SQLITE_OK && code != SQLITE_DONE)
		result = ml_database_error(err, db, doing);
	*rows += (uint64_t)count;
	*done = code == SQLITE_DONE && count < SLICE_ROWS;
out:
	sqlite3_finalize(row);
	return result;
}

/* Two numbers of one moment. 1: there are any. */
static int two_numbers(
	sqlite3 *db, const char *sql, int64_t place, int64_t numbers[3], struct ml_error *err)
{
	sqlite3_stmt *row = NULL;
	int result = 0;
	int code = sqlite3_prepare_v2(db, sql, -1, &row, NULL);
	if (code == SQLITE_OK && sqlite3_bind_parameter_count(row) > 0)
		code = sqlite3_bind_int64(row, 1, place);
	if (code == SQLITE_OK)
		code = sqlite3_step(row);
	if (code == SQLITE_ROW) {
		result = sqlite3_column_type(row, 0) != SQLITE_NULL;
		for (int i = 0; i < 3 && i < sqlite3_column_count(row); i++)
			numbers[i] = sqlite3_column_int64(row, i);
	} else if (code != SQLITE_DONE) {
		result = ml_database_error(err, db, doing);
	}
	sqlite3_finalize(row);
	return result;
}

static int compare(
	const struct store_check_stage *stage, const int64_t numbers[3], struct ml_error *err)
{
	if (numbers[0] == numbers[1])
		return 0;
	return ml_error_set(err, -EUCLEAN, "the index \"%s\" names %lld rows, but there are %lld",
		stage->index, (long long)numbers[1], (long long)numbers[0]);
}

/* Some blocks from the next one that has readings. */
static int reading_slice(sqlite3 *db, const struct store_check_stage *stage, int64_t *place,
	bool *done, struct ml_error *err)
{
	char sql[512];
	int64_t numbers[3] = {0};
	(void)snprintf(sql, sizeof sql,
		"WITH b(f, l) AS (SELECT min(sequence) >> %d, (min(sequence) >> %d) + %d FROM "
		"reading NOT INDEXED WHERE sequence > ?) SELECT (SELECT count(*) FROM reading NOT "
		"INDEXED WHERE sequence >= f << %d AND sequence < l << %d), (SELECT count(*) FROM "
		"reading INDEXED BY reading_block WHERE sequence >> %d >= f AND sequence >> %d < "
		"l), (l << %d) - 1 FROM b WHERE f IS NOT NULL",
		STORE_BLOCK_BITS, STORE_BLOCK_BITS, SLICE_BLOCKS, STORE_BLOCK_BITS,
		STORE_BLOCK_BITS, STORE_BLOCK_BITS, STORE_BLOCK_BITS, STORE_BLOCK_BITS);
	const int result = two_numbers(db, sql, *place, numbers, err);
	*done = result == 0;
	if (result <= 0)
		return result;
	*place = numbers[2];
	return compare(stage, numbers, err);
}

/* The condition of a partial index, with its "WHERE"; "": it is of all rows. */
static int condition_of(sqlite3 *db, const char *index, char out[128], struct ml_error *err)
{
	sqlite3_stmt *row = NULL;
	int result = 0;
	int code = sqlite3_prepare_v2(db,
		"SELECT substr(sql, instr(upper(sql), ' WHERE ')) FROM sqlite_schema WHERE name = "
		"?1 AND instr(upper(sql), ' WHERE ') > 0",
		-1, &row, NULL);
	out[0] = '\0';
	if (code == SQLITE_OK)
		code = sqlite3_bind_text(row, 1, index, -1, SQLITE_STATIC);
	if (code == SQLITE_OK)
		code = sqlite3_step(row);
	if (code == SQLITE_ROW)
		(void)snprintf(out, 128, "%s", (const char *)sqlite3_column_text(row, 0));
	else if (code != SQLITE_DONE)
		result = ml_database_error(err, db, doing);
	sqlite3_finalize(row);
	return result;
}

static int index_slice(sqlite3 *db, const struct store_check_stage *stage, struct ml_error *err)
{
	char sql[640], condition[128];
	int64_t numbers[3] = {0};
	int result = condition_of(db, stage->index, condition, err);
	if (result < 0)
		return result;
	(void)snprintf(sql, sizeof sql,
		"SELECT (SELECT count(*) FROM \"%s\" NOT INDEXED%s), (SELECT count(*) FROM \"%s\" "
		"INDEXED BY \"%s\"%s)",
		stage->table, condition, stage->table, stage->index, condition);
	result = two_numbers(db, sql, 0, numbers, err);
	return result < 0 ? result : compare(stage, numbers, err);
}

static int small_slice(sqlite3 *db, const struct store_check_stage *stage, struct ml_error *err)
{
	char sql[80];
	sqlite3_stmt *row = NULL;
	int result = 0;
	(void)snprintf(sql, sizeof sql, "PRAGMA integrity_check('%s')", stage->table);
	int code = sqlite3_prepare_v2(db, sql, -1, &row, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(row);
	if (code != SQLITE_ROW)
		result = ml_database_error(err, db, doing);
	else if (strcmp((const char *)sqlite3_column_text(row, 0), "ok") != 0)
		result = ml_error_set(err, -EUCLEAN, "table \"%s\": %s", stage->table,
			(const char *)sqlite3_column_text(row, 0));
	sqlite3_finalize(row);
	return result;
}

int store_check_slice(sqlite3 *db, const struct store_check_stage *stage, int64_t *place,
	bool *done, uint64_t *rows, struct ml_error *err)
{
	*done = true;
	switch (stage->kind) {
	case STORE_CHECK_ROWS:
		return rows_slice(db, stage, place, done, rows, err);
	case STORE_CHECK_READING:
		return reading_slice(db, stage, place, done, err);
	case STORE_CHECK_INDEX:
		return index_slice(db, stage, err);
	default:
		return small_slice(db, stage, err);
	}
}

unsigned store_check_part(sqlite3 *db, const struct store_check_stage *stage, int64_t place)
{
	char sql[120];
	int64_t range[3] = {0};
	if (stage->kind != STORE_CHECK_ROWS && stage->kind != STORE_CHECK_READING)
		return 0;
	(void)snprintf(sql, sizeof sql,
		"SELECT (SELECT min(rowid) FROM \"%s\"), (SELECT max(rowid) FROM \"%s\")",
		stage->table, stage->table);
	if (two_numbers(db, sql, 0, range, NULL) <= 0 || place <= range[0] || range[1] <= range[0])
		return 0;
	const double part = (double)(place - range[0]) / (double)(range[1] - range[0]);
	return part >= 1 ? 999 : (unsigned)(part * 1000);
}
