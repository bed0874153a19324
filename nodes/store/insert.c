/* Readings into rows.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/insert.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include <meterloom/database.h>

static const char doing[] = "writing readings.db";

int store_inserter_open(
	struct store_inserter *inserter, sqlite3 *db, uint64_t sequence, struct ml_error *err)
{
	const struct {
		sqlite3_stmt **statement;
		const char *sql;
	} statements[] = {
		{&inserter->add_reading, "INSERT INTO reading (sequence, device, time, trace, crc, "
					 "shape, content, origin, boot) "
					 "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		{&inserter->add_frame, "INSERT INTO frame (key, time, trace, device, bytes, "
				       "origin) VALUES (?, ?, ?, ?, "
				       "?, ?)"},
		{&inserter->add_block, store_block_insert},
		{&inserter->set_sequence,
			"UPDATE store_state SET value = ? WHERE name = 'sequence'"},
		{&inserter->find_origin, "SELECT key FROM origin WHERE node = ? AND bus = ? AND "
					 "interface = ? AND receiver = ?"},
		{&inserter->add_origin,
			"INSERT INTO origin (node, bus, interface, receiver) VALUES "
			"(?, ?, ?, ?)"},
	};
	inserter->db = db;
	memset(inserter->origins, 0, sizeof inserter->origins);
	int result = store_interner_open(&inserter->interner, db, err);
	for (size_t i = 0; result == 0 && i < sizeof statements / sizeof *statements; i++)
		if (sqlite3_prepare_v3(db, statements[i].sql, -1, SQLITE_PREPARE_PERSISTENT,
			    statements[i].statement, NULL) != SQLITE_OK)
			result = ml_database_error(err, db, doing);
	if (result == 0)
		result = store_block_load(&inserter->block, db, sequence, err);
	if (result < 0)
		store_inserter_close(inserter);
	return result;
}

void store_inserter_close(struct store_inserter *inserter)
{
	if (!inserter->db)
		return;
	store_interner_close(&inserter->interner);
	sqlite3_finalize(inserter->add_reading);
	sqlite3_finalize(inserter->add_frame);
	sqlite3_finalize(inserter->add_block);
	sqlite3_finalize(inserter->set_sequence);
	sqlite3_finalize(inserter->find_origin);
	sqlite3_finalize(inserter->add_origin);
	inserter->find_origin = NULL;
	inserter->add_origin = NULL;
	inserter->add_reading = NULL;
	inserter->add_frame = NULL;
	inserter->add_block = NULL;
	inserter->set_sequence = NULL;
	inserter->db = NULL;
}

void store_inserter_begin(struct store_inserter *inserter, uint64_t sequence, ml_time wall)
{
	inserter->sequence = sequence;
	inserter->wall = wall;
	inserter->has_frame = false;
	inserter->block_before = inserter->block;
}

void store_inserter_undo(struct store_inserter *inserter)
{
	inserter->block = inserter->block_before;
	memset(inserter->origins, 0, sizeof inserter->origins);
	store_interner_forget(&inserter->interner);
}

/* ---- Origins ---- */

/* Binds the names, and takes one step. */
static int step_origin(sqlite3_stmt *statement, const struct meter_origin *origin)
{
	const char *const texts[] = {
		origin->node, origin->bus, origin->interface, origin->receiver};
	int code = SQLITE_OK;
	for (int i = 0; code == SQLITE_OK && i < 4; i++)
		code = sqlite3_bind_text(statement, i + 1, texts[i], -1, SQLITE_STATIC);
	return code == SQLITE_OK ? sqlite3_step(statement) : code;
}

/* The key of an origin; it is found or made when it is first met. */
static int find_origin(
	struct store_inserter *inserter, uint32_t number, uint32_t *ret_key, struct ml_error *err)
{
	struct meter_origin origin;
	int result = 0;
	*ret_key = number <= METER_ORIGINS_MAX ? inserter->origins[number] : 0;
	if (*ret_key || number == 0 || number > METER_ORIGINS_MAX || !inserter->engine ||
		meter_origin_names(inserter->engine, number, &origin) < 0)
		return 0;
	int code = step_origin(inserter->find_origin, &origin);
	if (code == SQLITE_ROW) {
		*ret_key = (uint32_t)sqlite3_column_int64(inserter->find_origin, 0);
	} else if (code == SQLITE_DONE) {
		code = step_origin(inserter->add_origin, &origin);
		if (code == SQLITE_DONE)
			*ret_key = (uint32_t)sqlite3_last_insert_rowid(inserter->db);
	}
	if (!*ret_key)
		result = ml_database_error(err, inserter->db, doing);
	sqlite3_reset(inserter->find_origin);
	sqlite3_reset(inserter->add_origin);
	inserter->origins[number] = *ret_key;
	return result;
}

/* ---- A reading ---- */

static int bind_optional(sqlite3_stmt *statement, int place, int64_t value)
{
	return value ? sqlite3_bind_int64(statement, place, value)
		     : sqlite3_bind_null(statement, place);
}

/* The telegram, once, also where filters made several readings of it. */
static int write_frame(struct store_inserter *inserter, const struct meter_reading *reading,
	const struct store_row *row, struct ml_error *err)
{
	sqlite3_stmt *statement = inserter->add_frame;
	int code = sqlite3_bind_int64(statement, 1, (int64_t)row->sequence);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(statement, 2, row->time);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(statement, 3, (int64_t)row->trace);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(statement, 4, row->device);
	if (code == SQLITE_OK)
		code = sqlite3_bind_blob(statement, 5, meter_reading_bytes(reading),
			reading->telegram_length, SQLITE_STATIC);
	if (code == SQLITE_OK)
		code = bind_optional(statement, 6, row->origin);
	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	const int result = code == SQLITE_DONE ? 0 : ml_database_error(err, inserter->db, doing);
	sqlite3_reset(statement);
	inserter->has_frame = true;
	inserter->frame_trace = row->trace;
	return result;
}

static int write_row(
	struct store_inserter *inserter, const struct store_row *row, struct ml_error *err)
{
	sqlite3_stmt *statement = inserter->add_reading;
	int code = sqlite3_bind_int64(statement, 1, (int64_t)row->sequence);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(statement, 2, row->device);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(statement, 3, row->time);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(statement, 4, (int64_t)row->trace);
	if (code == SQLITE_OK)
		code = bind_optional(statement, 5, row->check);
	if (code == SQLITE_OK)
		code = bind_optional(statement, 6, row->shape);
	if (code == SQLITE_OK)
		code = sqlite3_bind_blob(
			statement, 7, row->content, (int)row->length, SQLITE_STATIC);
	if (code == SQLITE_OK)
		code = bind_optional(statement, 8, row->origin);
	if (code == SQLITE_OK)
		code = bind_optional(statement, 9, row->boot);
	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	const int result = code == SQLITE_DONE ? 0 : ml_database_error(err, inserter->db, doing);
	sqlite3_reset(statement);
	return result;
}

/* The first of the next block is about to be written. */
static int next_block(struct store_inserter *inserter, uint64_t number, struct ml_error *err)
{
	if (inserter->block.any && store_block_write(&inserter->block, inserter->add_block,
					   inserter->wall) != SQLITE_DONE)
		return ml_database_error(err, inserter->db, doing);
	inserter->block = (struct store_block){.number = number};
	return 0;
}

int store_inserter_add(
	struct store_inserter *inserter, const struct meter_reading *reading, struct ml_error *err)
{
	static const struct store_shape nothing = {.count = 0};
	struct store_device *device = NULL;
	const struct store_shape *shape = &nothing;
	struct store_row row = {
		.sequence = inserter->sequence + 1,
		.trace = reading->trace,
		.content = inserter->values,
	};
	/* What names no time came now. */
	ml_time time = reading->time == METER_TIME_UNKNOWN ? inserter->wall : reading->time;
	store_stamp_row(inserter->stamper, &time, &row);
	int result = store_intern_device(&inserter->interner, reading, &device, err);
	if (result == 0 && reading->record_count)
		result =
			store_intern_shape(&inserter->interner, device, reading, time, &shape, err);
	if (result == 0)
		result = find_origin(inserter, reading->origin, &row.origin, err);
	if (result < 0)
		return result;
	row.device = device->key;
	row.shape = shape->key;
	row.length = store_values_write(shape, reading, inserter->values);
	if (!row.length)
		return ml_error_set(err, -E2BIG, "a reading's values take more than %d bytes",
			STORE_VALUES_MAX);
	size_t telegram = 0;
	if (reading->telegram_length) {
		row.check =
			(uint32_t)crc32(0, meter_reading_bytes(reading), reading->telegram_length);
		if (inserter->journal &&
			!(inserter->has_frame && inserter->frame_trace == row.trace))
			telegram = reading->telegram_length;
	}
	if (row.sequence >> STORE_BLOCK_BITS != inserter->block.number)
		result = next_block(inserter, row.sequence >> STORE_BLOCK_BITS, err);
	if (result == 0 && telegram)
		result = write_frame(inserter, reading, &row, err);
	if (result == 0)
		result = write_row(inserter, &row, err);
	if (result == 0) {
		store_block_add(&inserter->block, &row, telegram);
		inserter->sequence = row.sequence;
	}
	return result;
}

int store_inserter_end(struct store_inserter *inserter, struct ml_error *err)
{
	int result = 0;
	if (sqlite3_bind_int64(inserter->set_sequence, 1, (int64_t)inserter->sequence) !=
			SQLITE_OK ||
		sqlite3_step(inserter->set_sequence) != SQLITE_DONE)
		result = ml_database_error(err, inserter->db, doing);
	sqlite3_reset(inserter->set_sequence);
	return result;
}
