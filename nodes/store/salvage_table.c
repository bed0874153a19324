/* The tables of a new readings.db, and rows of a damaged one on their way into them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/salvage_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/database.h>

static const char doing[] = "reading the tables of the new readings.db";

static enum store_field_kind declared(const char *type)
{
	if (!type || strncmp(type, "INT", 3) == 0)
		return STORE_FIELD_INTEGER;
	if (strcmp(type, "TEXT") == 0)
		return STORE_FIELD_TEXT;
	return strcmp(type, "REAL") == 0 ? STORE_FIELD_REAL : STORE_FIELD_BLOB;
}

/* Without a rowid a row begins with the columns of its key. */
static void sort_columns(struct store_salvage_table *table)
{
	struct store_salvage_column sorted[STORE_FIELDS_MAX] = {0};
	unsigned count = 0;
	for (unsigned key = 1; key <= table->count; key++)
		for (unsigned i = 0; i < table->count; i++)
			if (table->columns[i].key == key)
				sorted[count++] = table->columns[i];
	for (unsigned i = 0; i < table->count; i++)
		if (!table->columns[i].key)
			sorted[count++] = table->columns[i];
	memcpy(table->columns, sorted, count * sizeof *sorted);
}

static int load_columns(sqlite3 *db, struct store_salvage_table *table, struct ml_error *err)
{
	sqlite3_stmt *row = NULL;
	char sql[120];
	int code, result = 0;
	table->rowid_column = -1;
	(void)snprintf(sql, sizeof sql,
		"SELECT name, upper(type), \"notnull\", pk, dflt_value IS NOT NULL FROM "
		"pragma_table_info('%s')",
		table->name);
	code = sqlite3_prepare_v2(db, sql, -1, &row, NULL);
	while (code == SQLITE_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
		code = SQLITE_OK;
		if (table->count == STORE_FIELDS_MAX)
			continue;
		struct store_salvage_column *column = &table->columns[table->count];
		(void)snprintf(column->name, sizeof column->name, "%s",
			(const char *)sqlite3_column_text(row, 0));
		column->kind = declared((const char *)sqlite3_column_text(row, 1));
		column->not_null = sqlite3_column_int(row, 2) != 0;
		column->has_default = sqlite3_column_int(row, 4) != 0;
		column->key = (unsigned)sqlite3_column_int(row, 3);
		if (column->key == 1 && column->kind == STORE_FIELD_INTEGER && table->with_rowid)
			table->rowid_column = (int)table->count;
		table->count++;
	}
	if (code != SQLITE_DONE)
		result = ml_database_error(err, db, doing);
	sqlite3_finalize(row);
	if (!table->with_rowid)
		sort_columns(table);
	return result;
}

int store_salvage_tables(sqlite3 *db, struct store_salvage_table **ret_tables, size_t *ret_count,
	struct ml_error *err)
{
	sqlite3_stmt *row = NULL;
	struct store_salvage_table *tables = NULL;
	size_t count = 0;
	int result = 0;
	int code = sqlite3_prepare_v2(db,
		"SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' "
		"AND name NOT LIKE 'sqlite_%'",
		-1, &row, NULL);
	while (code == SQLITE_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
		struct store_salvage_table *grown = realloc(tables, (count + 1) * sizeof *tables);
		if (!grown) {
			result = ml_error_set(err, -ENOMEM, "out of memory");
			goto out;
		}
		tables = grown;
		struct store_salvage_table *table = &tables[count];
		memset(table, 0, sizeof *table);
		(void)snprintf(table->name, sizeof table->name, "%s",
			(const char *)sqlite3_column_text(row, 0));
		table->with_rowid = sqlite3_column_int(row, 1) == 0;
		count++;
		result = load_columns(db, table, err);
		if (result < 0)
			goto out;
		code = SQLITE_OK;
	}
	if (code != SQLITE_DONE)
		result = ml_database_error(err, db, doing);
out:
	sqlite3_finalize(row);
	if (result < 0) {
		store_salvage_tables_free(tables, count);
		return result;
	}
	*ret_tables = tables;
	*ret_count = count;
	return 0;
}

void store_salvage_tables_free(struct store_salvage_table *tables, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sqlite3_finalize(tables[i].insert);
	free(tables);
}

static bool field_fits(
	const struct store_salvage_table *table, unsigned index, const struct store_field *field)
{
	const struct store_salvage_column *column = &table->columns[index];
	if ((int)index == table->rowid_column)
		return field->kind == STORE_FIELD_NULL;
	if (field->kind == STORE_FIELD_NULL)
		return !column->not_null;
	/* Whole numbers are kept as such in a column of any kind of number. */
	return field->kind == column->kind ||
	       (field->kind == STORE_FIELD_INTEGER && column->kind == STORE_FIELD_REAL);
}

bool store_salvage_fits(
	const struct store_salvage_table *table, const struct store_cell *cell, bool exactly)
{
	if (cell->has_rowid != table->with_rowid || cell->count > table->count ||
		(exactly && cell->count < table->count))
		return false;
	for (unsigned i = 0; i < cell->count; i++)
		if (!field_fits(table, i, &cell->fields[i]))
			return false;
	for (unsigned i = cell->count; i < table->count; i++)
		if (table->columns[i].not_null && !table->columns[i].has_default)
			return false;
	return true;
}

/* What is known of the state is better than what a new database begins with. */
static bool prepare(sqlite3 *db, struct store_salvage_table *table, unsigned count)
{
	char sql[2048];
	size_t length;
	if (table->insert && table->insert_count == count)
		return true;
	sqlite3_finalize(table->insert);
	table->insert = NULL;
	length = (size_t)snprintf(sql, sizeof sql, "INSERT OR IGNORE INTO \"%s\" (", table->name);
	for (unsigned i = 0; i < count && length < sizeof sql; i++)
		length += (size_t)snprintf(sql + length, sizeof sql - length, "%s\"%s\"",
			i ? ", " : "", table->columns[i].name);
	for (unsigned i = 0; i < count && length < sizeof sql; i++)
		length += (size_t)snprintf(
			sql + length, sizeof sql - length, "%s", i ? ", ?" : ") VALUES (?");
	if (length + 2 > sizeof sql)
		return false;
	memcpy(sql + length, ")", 2);
	table->insert_count = count;
	return sqlite3_prepare_v2(db, sql, -1, &table->insert, NULL) == SQLITE_OK;
}

static int bind(sqlite3_stmt *statement, int place, const struct store_field *field)
{
	switch (field->kind) {
	case STORE_FIELD_INTEGER:
		return sqlite3_bind_int64(statement, place, field->integer);
	case STORE_FIELD_REAL:
		return sqlite3_bind_double(statement, place, field->real);
	case STORE_FIELD_TEXT:
		return sqlite3_bind_text(statement, place, (const char *)field->bytes,
			(int)field->length, SQLITE_STATIC);
	case STORE_FIELD_BLOB:
		return sqlite3_bind_blob(
			statement, place, field->bytes, (int)field->length, SQLITE_STATIC);
	default:
		return sqlite3_bind_null(statement, place);
	}
}

bool store_salvage_insert(
	sqlite3 *db, struct store_salvage_table *table, const struct store_cell *cell)
{
	if (!prepare(db, table, cell->count))
		return false;
	int code = SQLITE_OK;
	for (unsigned i = 0; code == SQLITE_OK && i < cell->count; i++)
		code = (int)i == table->rowid_column
			       ? sqlite3_bind_int64(table->insert, (int)i + 1, cell->rowid)
			       : bind(table->insert, (int)i + 1, &cell->fields[i]);
	if (code == SQLITE_OK)
		code = sqlite3_step(table->insert);
	sqlite3_reset(table->insert);
	if (code == SQLITE_DONE)
		table->taken += (uint64_t)sqlite3_changes(db);
	return code == SQLITE_DONE;
}
