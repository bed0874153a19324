/* The tables of a new readings.db, and rows of a damaged one on their way into them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_SALVAGE_TABLE_H
#define STORE_SALVAGE_TABLE_H

#include <sqlite3.h>

#include <meterloom/error.h>

#include "store/pages.h"

struct store_salvage_column {
	char name[40];
	enum store_field_kind kind; /* as declared */
	bool not_null, has_default;
	unsigned key; /* its place in the primary key, from 1; 0: none */
};

struct store_salvage_table {
	char name[40];
	bool with_rowid;
	int rowid_column; /* that stands for it; -1: none */
	unsigned count;
	struct store_salvage_column columns[STORE_FIELDS_MAX]; /* as they lie in a row */
	sqlite3_stmt *insert;
	unsigned insert_count; /* columns that it names */
	uint64_t taken;
};

/* All tables of the database. The caller frees them with store_salvage_tables_free(). */
int store_salvage_tables(sqlite3 *db, struct store_salvage_table **ret_tables, size_t *ret_count,
	struct ml_error *err);
void store_salvage_tables_free(struct store_salvage_table *tables, size_t count);

/* Whether a row could be one of this table. `exactly`: with all columns. */
bool store_salvage_fits(
	const struct store_salvage_table *table, const struct store_cell *cell, bool exactly);

/* Writes it, unless one with its key is there. false: it cannot be written. */
bool store_salvage_insert(
	sqlite3 *db, struct store_salvage_table *table, const struct store_cell *cell);

#endif
