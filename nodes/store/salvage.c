/* Takes over what can be read of a damaged readings.db into a new one.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/salvage.h"
#include "store/chunk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <meterloom/database.h>
#include <meterloom/files.h>

#include "store/pages_file.h"
#include "store/salvage_table.h"

static const char doing[] = "taking over what can be read of readings.db";

enum { ROOTS_MAX = 64 };

struct root {
	char name[40];
	char table[40]; /* an index is of */
	bool index;
	uint32_t page;
};

struct taker {
	struct store_health *health;
	struct store_pages_file file;
	struct store_walk walk;
	struct root roots[ROOTS_MAX];
	size_t root_count;
	struct store_steps steps;
	sqlite3 *db; /* the new one */
	struct store_salvage_table *tables;
	size_t table_count;
	struct store_salvage_table *into; /* NULL: the walked tree is none */
	sqlite3_stmt *list;               /* notes a row that an index knows of */
	bool list_chunks;                 /* of chunks, else of readings */
	uint64_t refused;                 /* rows that fit nowhere */
	bool full;                        /* the new one cannot be written */
};

/* ---- What there was ---- */

static bool text_is(const struct store_field *field, const char *text)
{
	return field->kind == STORE_FIELD_TEXT && field->length == strlen(text) &&
	       memcmp(field->bytes, text, field->length) == 0;
}

static void copy_text(const struct store_field *field, char *out, size_t size)
{
	const size_t length = field->length < size - 1 ? field->length : size - 1;
	if (length)
		memcpy(out, field->bytes, length);
	out[length] = '\0';
}

/* A row of sqlite_schema: type, name, table, root, words. */
static void on_schema(void *user, const struct store_cell *cell, bool orphan)
{
	struct taker *taker = user;
	const struct store_field *fields = cell->fields;
	const bool index = text_is(&fields[0], "index");
	(void)orphan;
	if (cell->count != 5 || (!index && !text_is(&fields[0], "table")) ||
		fields[1].kind != STORE_FIELD_TEXT || fields[3].kind != STORE_FIELD_INTEGER ||
		fields[3].integer < 2 || fields[3].integer > taker->file.pages.count ||
		taker->root_count == ROOTS_MAX)
		return;
	struct root *root = &taker->roots[taker->root_count++];
	copy_text(&fields[1], root->name, sizeof root->name);
	root->index = index;
	copy_text(&fields[2], root->table, sizeof root->table);
	root->page = (uint32_t)fields[3].integer;
}

/* A row of ml_migration: family, version. */
static void on_migration(void *user, const struct store_cell *cell, bool orphan)
{
	struct taker *taker = user;
	char family[32];
	(void)orphan;
	if (cell->count != 2 || cell->fields[0].kind != STORE_FIELD_TEXT ||
		cell->fields[1].kind != STORE_FIELD_INTEGER)
		return;
	copy_text(&cell->fields[0], family, sizeof family);
	const unsigned version = (unsigned)cell->fields[1].integer;
	size_t i = 0;
	while (i < taker->steps.count && strcmp(taker->steps.of[i].family, family) != 0)
		i++;
	if (i == sizeof taker->steps.of / sizeof *taker->steps.of)
		return;
	if (i == taker->steps.count) {
		(void)snprintf(taker->steps.of[i].family, sizeof family, "%s", family);
		taker->steps.count++;
	}
	if (version > taker->steps.of[i].version)
		taker->steps.of[i].version = version;
}

static int look(struct taker *taker, struct ml_error *err)
{
	char path[STORE_PATH_MAX];
	if (!store_health_path(taker->health, "readings.db", path))
		return ml_error_set(err, -ENAMETOOLONG, "the data directory's path is too long");
	const int result = store_pages_open(&taker->file, path, err);
	if (result < 0)
		return result;
	taker->walk.user = taker;
	if (!store_walk_init(&taker->walk, &taker->file.pages))
		return ml_error_set(err, -ENOMEM, "out of memory");
	taker->walk.cell = on_schema;
	if (taker->file.pages.count)
		store_walk_tree(&taker->walk, 1);
	taker->walk.cell = on_migration;
	for (size_t i = 0; i < taker->root_count; i++)
		if (strcmp(taker->roots[i].name, "ml_migration") == 0)
			store_walk_tree(&taker->walk, taker->roots[i].page);
	return 0;
}

/* ---- The new one ---- */

static int execute(struct taker *taker, const char *sql, struct ml_error *err)
{
	if (sqlite3_exec(taker->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return ml_database_error(err, taker->db, doing);
	return 0;
}

/* Rows that the steps put in are those of a database that begins. */
static int empty_tables(struct taker *taker, struct ml_error *err)
{
	char sql[80];
	int result = 0;
	for (size_t i = 0; result == 0 && i < taker->table_count; i++) {
		if (strcmp(taker->tables[i].name, "ml_migration") == 0)
			continue;
		(void)snprintf(sql, sizeof sql, "DELETE FROM \"%s\"", taker->tables[i].name);
		result = execute(taker, sql, err);
	}
	return result;
}

static int make_new(struct taker *taker, const char *part, struct ml_error *err)
{
	const struct ml_files *files = ml_engine_files(taker->health->engine);
	char journal[STORE_PATH_MAX];
	(void)files->remove(files->user, part);
	if (snprintf(journal, sizeof journal, "%s-journal", part) < (int)sizeof journal)
		(void)files->remove(files->user, journal);
	const int fd = files->open(files->user, part, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return ml_error_set(err, fd, "%s: %s: %s", doing, part, strerror(-fd));
	(void)files->close(files->user, fd);
	if (sqlite3_open_v2(part, &taker->db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
		    NULL) != SQLITE_OK)
		return ml_database_error(err, taker->db, doing);
	int result = execute(taker, "BEGIN", err);
	if (result == 0)
		result = store_schema_make(
			taker->health, taker->db, taker->steps.count ? &taker->steps : NULL, err);
	if (result == 0)
		result = store_salvage_tables(taker->db, &taker->tables, &taker->table_count, err);
	if (result == 0)
		result = empty_tables(taker, err);
	if (result == 0)
		result = execute(taker,
			"CREATE TEMP TABLE listed (chunk INTEGER, key INTEGER, PRIMARY KEY (chunk, "
			"key)) "
			"WITHOUT ROWID",
			err);
	if (result == 0 &&
		sqlite3_prepare_v2(taker->db, "INSERT OR IGNORE INTO listed VALUES (?, ?)", -1,
			&taker->list, NULL) != SQLITE_OK)
		result = ml_database_error(err, taker->db, doing);
	return result;
}

/* ---- Taking over ---- */

/* Keys are told from shapes by their length: both are rows of a key, a number and a blob. */
static bool could_be(const struct store_salvage_table *table, const struct store_cell *cell)
{
	if (strcmp(table->name, "device") == 0)
		return cell->fields[2].length <= 8;
	if (strcmp(table->name, "shape") == 0)
		return cell->fields[2].length > 8;
	/* Rows of numbers alone may as well be of an index. */
	return table->with_rowid || table->columns[0].kind == STORE_FIELD_TEXT;
}

static struct store_salvage_table *table_for(struct taker *taker, const struct store_cell *cell)
{
	struct store_salvage_table *found = NULL;
	for (size_t i = 0; i < taker->table_count; i++) {
		struct store_salvage_table *table = &taker->tables[i];
		if (!store_salvage_fits(table, cell, true) || !could_be(table, cell))
			continue;
		if (found)
			return NULL;
		found = table;
	}
	return found;
}

/* What cannot be opened is of no use to anyone, and would be found damaged again by each check. */
static bool is_of_use(const struct store_salvage_table *table, const struct store_cell *cell)
{
	for (unsigned i = 0; strcmp(table->name, "chunk") == 0 && i < cell->count; i++) {
		struct store_chunk *chunk = NULL;
		if (cell->fields[i].kind != STORE_FIELD_BLOB)
			continue;
		const int result = store_chunk_open(
			cell->fields[i].bytes, cell->fields[i].length, &chunk, NULL);
		store_chunk_close(chunk);
		if (result == -EBADMSG)
			return false;
	}
	return true;
}

static void on_row(void *user, const struct store_cell *cell, bool orphan)
{
	struct taker *taker = user;
	struct store_salvage_table *table = orphan ? table_for(taker, cell) : taker->into;
	if (!table || taker->full)
		return;
	if ((!orphan && !store_salvage_fits(table, cell, false)) || !is_of_use(table, cell)) {
		taker->refused++;
		return;
	}
	if (store_salvage_insert(taker->db, table, cell))
		return;
	const int code = sqlite3_extended_errcode(taker->db) & 0xFF;
	if (code == SQLITE_CONSTRAINT)
		taker->refused++;
	else
		taker->full = true;
}

/* The last column of an index row is the rowid. */
static void on_index(void *user, const struct store_cell *cell, bool orphan)
{
	struct taker *taker = user;
	const struct store_field *last = &cell->fields[cell->count - 1];
	(void)orphan;
	if (last->kind != STORE_FIELD_INTEGER ||
		sqlite3_bind_int(taker->list, 1, taker->list_chunks) != SQLITE_OK ||
		sqlite3_bind_int64(taker->list, 2, last->integer) != SQLITE_OK)
		return;
	(void)sqlite3_step(taker->list);
	sqlite3_reset(taker->list);
}

/* Indexes of devices and shapes hold all that their tables do: two columns and the key. */
static void on_copy(void *user, const struct store_cell *cell, bool orphan)
{
	struct store_cell row = {.has_rowid = true, .count = 3};
	if (cell->count != 3 || cell->fields[2].kind != STORE_FIELD_INTEGER)
		return;
	row.rowid = cell->fields[2].integer;
	row.fields[1] = cell->fields[0];
	row.fields[2] = cell->fields[1];
	on_row(user, &row, orphan);
}

static struct store_salvage_table *table_of(struct taker *taker, const char *name)
{
	for (size_t i = 0; i < taker->table_count; i++)
		if (strcmp(taker->tables[i].name, name) == 0)
			return &taker->tables[i];
	return NULL;
}

static void walk_root(struct taker *taker, const struct root *root)
{
	const char *table = root->index ? root->table : root->name;
	taker->into = table_of(taker, table);
	taker->walk.cell = taker->into ? on_row : NULL;
	taker->list_chunks = strcmp(table, "chunk") == 0;
	if (root->index && (taker->list_chunks || strcmp(table, "reading") == 0))
		taker->walk.cell = on_index;
	else if (root->index && (strcmp(table, "device") == 0 || strcmp(table, "shape") == 0))
		taker->walk.cell = on_copy;
	else if (root->index)
		taker->walk.cell = NULL;
	store_walk_tree(&taker->walk, root->page);
}

static int take_over(struct taker *taker, struct ml_error *err)
{
	/* The walk of the schema again would meet only pages it knows. */
	for (size_t i = 0; i < taker->root_count; i++)
		if (!taker->roots[i].index && strcmp(taker->roots[i].name, "ml_migration") != 0)
			walk_root(taker, &taker->roots[i]);
	for (size_t i = 0; i < taker->root_count; i++)
		if (taker->roots[i].index)
			walk_root(taker, &taker->roots[i]);
	store_walk_free_list(&taker->walk, taker->file.free_list);
	taker->walk.cell = on_row;
	store_walk_orphans(&taker->walk);
	if (taker->full)
		return ml_database_error(err, taker->db, doing);
	return 0;
}

/* ---- Making it fit together ---- */

static int64_t number(struct taker *taker, const char *sql)
{
	sqlite3_stmt *row = NULL;
	int64_t value = 0;
	if (sqlite3_prepare_v2(taker->db, sql, -1, &row, NULL) == SQLITE_OK &&
		sqlite3_step(row) == SQLITE_ROW)
		value = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	return value;
}

static bool has_table(struct taker *taker, const char *name)
{
	return table_of(taker, name) != NULL;
}

/* What reads readings relies on these. */
static int drop_what_hangs(struct taker *taker, struct ml_error *err)
{
	static const char rows[] =
		"DELETE FROM reading WHERE device NOT IN (SELECT key FROM device) OR (shape IS NOT "
		"NULL AND shape NOT IN (SELECT key FROM shape))";
	static const char packed[] =
		/* Rows that were packed already, from pages that were free. */
		"DELETE FROM reading WHERE sequence <= (SELECT value FROM store_state WHERE name = "
		"'packed') AND EXISTS (SELECT 1 FROM chunk WHERE chunk.device = reading.device AND "
		"sequence BETWEEN first_sequence AND last_sequence);"
		"DELETE FROM chunk WHERE device NOT IN (SELECT key FROM device);"
		"INSERT OR IGNORE INTO device_shape SELECT device, shape, min(time), max(time) "
		"FROM "
		"reading WHERE shape IS NOT NULL GROUP BY 1, 2";
	int result = execute(taker, rows, err);
	if (result == 0 && has_table(taker, "chunk"))
		result = execute(taker, packed, err);
	return result;
}

/* Where they were lost, epoch and generation are those of the file beside it; else the epoch is a
 * new one, as of a new database. */
static int settle_state(struct taker *taker, struct ml_error *err)
{
	struct store_mark mark = {0};
	char sql[512];
	const bool chunks = has_table(taker, "chunk");
	(void)store_mark_read(ml_engine_files(taker->health->engine),
		ml_engine_data(taker->health->engine), &mark, NULL);
	(void)snprintf(sql, sizeof sql,
		"INSERT OR IGNORE INTO store_state VALUES ('sequence', 0), ('epoch', CASE WHEN "
		"%" PRIu64 " THEN %" PRIu64 " ELSE abs(random() %% 9007199254740991) + 1 END), "
		"('generation', %" PRIu64 ");"
		"UPDATE store_state SET value = max(value, %" PRIu64
		", (SELECT ifnull(max(sequence), 0) FROM reading)%s) WHERE name = 'sequence'",
		mark.epoch, mark.epoch, mark.generation, mark.clean ? mark.ceiling : mark.committed,
		chunks ? ", (SELECT ifnull(max(last_sequence), 0) FROM chunk)" : "");
	int result = execute(taker, sql, err);
	if (result == 0 && chunks)
		result = execute(taker,
			"INSERT OR IGNORE INTO store_state VALUES ('packed', 0), ('packing', 0), "
			"('packing_device', 0)",
			err);
	return result;
}

static int finish(struct taker *taker, struct store_salvage *salvage, struct ml_error *err)
{
	int result = settle_state(taker, err);
	const int64_t before = number(taker, "SELECT count(*) FROM reading");
	if (result == 0)
		result = drop_what_hangs(taker, err);
	if (result < 0)
		return result;
	const int64_t rows = number(taker, "SELECT count(*) FROM reading");
	const bool chunks = has_table(taker, "chunk");
	const int64_t listed = number(taker,
		chunks ? "SELECT count(*) FROM listed WHERE CASE chunk WHEN 0 THEN key NOT IN "
			 "(SELECT sequence FROM reading) ELSE key NOT IN (SELECT key FROM chunk) "
			 "END"
		       : "SELECT count(*) FROM listed WHERE key NOT IN (SELECT sequence FROM "
			 "reading)");
	const uint64_t dropped = before > rows ? (uint64_t)(before - rows) : 0;
	const uint64_t unread = taker->walk.bad_cells + taker->refused + dropped;
	salvage->readings = (uint64_t)rows;
	if (chunks)
		salvage->readings += (uint64_t)number(taker, "SELECT total(count) FROM chunk");
	salvage->lost = (uint64_t)listed > unread ? (uint64_t)listed : unread;
	salvage->bad_pages = taker->walk.bad_pages;
	return execute(taker, "COMMIT", err);
}

static void let_go(struct taker *taker)
{
	sqlite3_finalize(taker->list);
	store_salvage_tables_free(taker->tables, taker->table_count);
	sqlite3_close(taker->db);
	taker->list = NULL;
	taker->tables = NULL;
	taker->table_count = 0;
	taker->db = NULL;
}

int store_salvage(struct store_health *health, struct store_salvage *salvage, struct ml_error *err)
{
	char part[STORE_PATH_MAX], name[STORE_PATH_MAX];
	struct taker *taker = calloc(1, sizeof *taker);
	if (!taker)
		return ml_error_set(err, -ENOMEM, "out of memory");
	taker->health = health;
	taker->file.file = -1;
	taker->file.log = -1;
	int result = look(taker, err);
	if (result == 0 && !store_health_path(health, "readings.db.part", part))
		result = ml_error_set(err, -ENAMETOOLONG, "the data directory's path is too long");
	if (result == 0)
		result = make_new(taker, part, err);
	if (result == 0)
		result = take_over(taker, err);
	if (result == 0)
		result = finish(taker, salvage, err);
	let_go(taker);
	/* From here to the end there is no readings.db, but a whole one that waits beside. */
	if (result == 0)
		result = store_health_move_aside(health, "damaged", name, err);
	if (result == 0)
		result = store_health_put_in_place(health, err);
	if (result == 0)
		(void)snprintf(salvage->file, sizeof salvage->file, "%.127s", name);
	store_walk_free(&taker->walk);
	store_pages_close(&taker->file);
	free(taker);
	return result;
}
