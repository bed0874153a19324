/* Devices and shapes by their keys in readings.db, kept in memory.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/intern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/database.h>

static const char doing[] = "writing readings.db";

int store_interner_open(struct store_interner *interner, sqlite3 *db, struct ml_error *err)
{
	*interner = (struct store_interner){.db = db};
	const struct {
		sqlite3_stmt **statement;
		const char *sql;
	} statements[] = {
		{&interner->find_device, "SELECT key FROM device WHERE point = ? AND identity = ?"},
		{&interner->add_device, "INSERT INTO device (point, identity) VALUES (?, ?)"},
		{&interner->find_shape, "SELECT key, body FROM shape WHERE hash = ?"},
		{&interner->add_shape, "INSERT INTO shape (hash, body) VALUES (?, ?)"},
		{&interner->add_shown, "INSERT INTO device_shape (device, shape, first_time, "
				       "last_time) VALUES (?1, ?2, "
				       "?3, ?3) ON CONFLICT DO UPDATE SET first_time = "
				       "min(first_time, ?3), last_time = "
				       "max(last_time, ?3)"},
	};
	for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
		if (sqlite3_prepare_v3(db, statements[i].sql, -1, SQLITE_PREPARE_PERSISTENT,
			    statements[i].statement, NULL) != SQLITE_OK) {
			const int result = ml_database_error(err, db, doing);
			store_interner_close(interner);
			return result;
		}
	}
	return 0;
}

void store_interner_close(struct store_interner *interner)
{
	store_interner_forget(interner);
	sqlite3_finalize(interner->find_device);
	sqlite3_finalize(interner->add_device);
	sqlite3_finalize(interner->find_shape);
	sqlite3_finalize(interner->add_shape);
	sqlite3_finalize(interner->add_shown);
	*interner = (struct store_interner){0};
}

static void forget_shapes(struct store_interner *interner)
{
	for (size_t i = 0; i < STORE_SHAPE_BUCKETS; i++) {
		while (interner->shapes[i]) {
			struct store_shape *shape = interner->shapes[i];
			interner->shapes[i] = shape->next;
			store_shape_free(shape);
		}
	}
	interner->shape_count = 0;
	for (size_t i = 0; i < interner->device_places; i++)
		interner->devices[i].shape = NULL;
}

void store_interner_forget(struct store_interner *interner)
{
	forget_shapes(interner);
	free(interner->devices);
	interner->devices = NULL;
	interner->device_places = 0;
	interner->device_count = 0;
}

/* ---- Devices ---- */

static struct store_device *place_of(
	const struct store_interner *interner, const struct store_device *wanted)
{
	const uint64_t mixed = (((uint64_t)wanted->point << 32 | wanted->identity.id) ^
				       (uint64_t)wanted->identity.manufacturer << 40 ^
				       (uint64_t)wanted->identity.version << 56) *
			       UINT64_C(0x9E3779B97F4A7C15);
	size_t at = (size_t)(mixed >> 32) & (interner->device_places - 1);
	for (;;) {
		struct store_device *place = &interner->devices[at];
		if (place->key == 0 ||
			(place->point == wanted->point &&
				place->has_identity == wanted->has_identity &&
				meter_identity_equal(place->identity, wanted->identity)))
			return place;
		at = (at + 1) & (interner->device_places - 1);
	}
}

/* At most half of the places are taken. */
static int make_room(struct store_interner *interner, struct ml_error *err)
{
	if (interner->device_count >= STORE_DEVICES_CACHED)
		store_interner_forget(interner);
	if (interner->device_count * 2 < interner->device_places)
		return 0;
	struct store_interner larger = *interner;
	larger.device_places = interner->device_places ? interner->device_places * 2 : 64;
	larger.devices = calloc(larger.device_places, sizeof *larger.devices);
	if (!larger.devices)
		return ml_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < interner->device_places; i++)
		if (interner->devices[i].key)
			*place_of(&larger, &interner->devices[i]) = interner->devices[i];
	free(interner->devices);
	interner->devices = larger.devices;
	interner->device_places = larger.device_places;
	return 0;
}

/* Binds point and identity, and takes one step. */
static int step_device(
	sqlite3_stmt *statement, const struct store_device *device, const uint8_t identity[8])
{
	int code = sqlite3_bind_int64(statement, 1, device->point);
	if (code == SQLITE_OK)
		code = device->has_identity
			       ? sqlite3_bind_blob(statement, 2, identity, 8, SQLITE_STATIC)
			       : sqlite3_bind_zeroblob(statement, 2, 0);
	return code == SQLITE_OK ? sqlite3_step(statement) : code;
}

static int load_device(
	struct store_interner *interner, struct store_device *device, struct ml_error *err)
{
	uint8_t identity[8];
	int result = 0;
	meter_identity_write(device->identity, identity);
	int code = step_device(interner->find_device, device, identity);
	if (code == SQLITE_ROW) {
		device->key = sqlite3_column_int64(interner->find_device, 0);
	} else if (code == SQLITE_DONE) {
		code = step_device(interner->add_device, device, identity);
		if (code == SQLITE_DONE)
			device->key = sqlite3_last_insert_rowid(interner->db);
	}
	if (!device->key)
		result = ml_database_error(err, interner->db, doing);
	sqlite3_reset(interner->find_device);
	sqlite3_reset(interner->add_device);
	return result;
}

int store_intern_device(struct store_interner *interner, const struct meter_reading *reading,
	struct store_device **ret_device, struct ml_error *err)
{
	struct store_device wanted = {.point = reading->point};
	if (reading->flags & METER_HAS_IDENTITY) {
		wanted.has_identity = true;
		wanted.identity = reading->meter;
	}
	int result = make_room(interner, err);
	if (result < 0)
		return result;
	struct store_device *place = place_of(interner, &wanted);
	if (!place->key) {
		result = load_device(interner, &wanted, err);
		if (result < 0)
			return result;
		*place = wanted;
		interner->device_count++;
	}
	*ret_device = place;
	return 0;
}

/* ---- Shapes ---- */

static bool same_body(const struct store_shape *shape, const void *body, size_t length)
{
	return length >= shape->described && memcmp(body, shape->body, shape->described) == 0;
}

/* The stored shape in place of the one just made: its usual exponents are what the values of all
 * others were written with. */
static int take_stored(sqlite3_stmt *row, struct store_shape **shape, struct ml_error *err)
{
	struct store_shape *stored = NULL;
	const int result = store_shape_parse(
		sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1), &stored, err);
	if (result < 0)
		return result;
	stored->key = sqlite3_column_int64(row, 0);
	store_shape_free(*shape);
	*shape = stored;
	return 0;
}

static int load_shape(
	struct store_interner *interner, struct store_shape **shape, struct ml_error *err)
{
	const int64_t hash = (int64_t)store_shape_stored_hash(*shape);
	int result = 0;
	int code = sqlite3_bind_int64(interner->find_shape, 1, hash);
	if (code == SQLITE_OK)
		code = sqlite3_step(interner->find_shape);
	for (; code == SQLITE_ROW && result == 0 && !(*shape)->key;
		code = sqlite3_step(interner->find_shape)) {
		if (same_body(*shape, sqlite3_column_blob(interner->find_shape, 1),
			    (size_t)sqlite3_column_bytes(interner->find_shape, 1)))
			result = take_stored(interner->find_shape, shape, err);
		/* One that is damaged does not hold up what comes: it is stored anew. */
		if (result == -EBADMSG)
			result = 0;
	}
	if (code == SQLITE_DONE && result == 0 && !(*shape)->key) {
		code = sqlite3_bind_int64(interner->add_shape, 1, hash);
		if (code == SQLITE_OK)
			code = sqlite3_bind_blob(interner->add_shape, 2, (*shape)->body,
				(int)(*shape)->body_length, SQLITE_STATIC);
		if (code == SQLITE_OK)
			code = sqlite3_step(interner->add_shape);
		if (code == SQLITE_DONE)
			(*shape)->key = sqlite3_last_insert_rowid(interner->db);
	}
	if (result == 0 && !(*shape)->key)
		result = ml_database_error(err, interner->db, doing);
	sqlite3_reset(interner->find_shape);
	sqlite3_reset(interner->add_shape);
	sqlite3_clear_bindings(interner->add_shape);
	return result;
}

static struct store_shape *find_cached(
	const struct store_interner *interner, uint64_t hash, const struct meter_reading *reading)
{
	struct store_shape *shape = interner->shapes[hash % STORE_SHAPE_BUCKETS];
	while (shape && (shape->hash != hash || !store_shape_fits(shape, reading)))
		shape = shape->next;
	return shape;
}

/* ---- Which shapes a device shows ---- */

static struct store_shown *find_shown(struct store_device *device, int64_t shape)
{
	for (unsigned i = 0; i < STORE_SHOWN_MAX; i++)
		if (device->shown[i].shape == shape)
			return &device->shown[i];
	return NULL;
}

static int note_shown(struct store_interner *interner, struct store_device *device, int64_t shape,
	ml_time time, struct ml_error *err)
{
	struct store_shown *shown = find_shown(device, shape);
	sqlite3_stmt *statement = interner->add_shown;
	int result = 0;
	if (shown && time >= shown->from - ML_DAY && time <= shown->to + ML_DAY)
		return 0;
	if (sqlite3_bind_int64(statement, 1, device->key) != SQLITE_OK ||
		sqlite3_bind_int64(statement, 2, shape) != SQLITE_OK ||
		sqlite3_bind_int64(statement, 3, time) != SQLITE_OK ||
		sqlite3_step(statement) != SQLITE_DONE)
		result = ml_database_error(err, interner->db, doing);
	sqlite3_reset(statement);
	if (!shown) {
		shown = &device->shown[device->next_shown++ % STORE_SHOWN_MAX];
		*shown = (struct store_shown){.shape = shape, .from = time, .to = time};
	}
	shown->from = time < shown->from ? time : shown->from;
	shown->to = time > shown->to ? time : shown->to;
	return result;
}

static int find_or_add_shape(struct store_interner *interner, const struct meter_reading *reading,
	struct store_shape **ret_shape, struct ml_error *err)
{
	const uint64_t hash = store_shape_hash(reading);
	struct store_shape *shape = find_cached(interner, hash, reading);
	if (!shape) {
		int result = store_shape_new(reading, &shape, err);
		if (result == 0)
			result = load_shape(interner, &shape, err);
		if (result < 0) {
			store_shape_free(shape);
			return result;
		}
		if (interner->shape_count >= STORE_SHAPES_CACHED)
			forget_shapes(interner);
		struct store_shape **bucket = &interner->shapes[hash % STORE_SHAPE_BUCKETS];
		shape->hash = hash;
		shape->next = *bucket;
		*bucket = shape;
		interner->shape_count++;
	}
	*ret_shape = shape;
	return 0;
}

int store_intern_shape(struct store_interner *interner, struct store_device *device,
	const struct meter_reading *reading, ml_time time, const struct store_shape **ret_shape,
	struct ml_error *err)
{
	if (!device->shape || !store_shape_fits(device->shape, reading)) {
		const int result = find_or_add_shape(interner, reading, &device->shape, err);
		if (result < 0)
			return result;
	}
	*ret_shape = device->shape;
	return note_shown(interner, device, device->shape->key, time, err);
}
