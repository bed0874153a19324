/* Series of the store: which there are.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/series_walk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/database.h>
#include <meterloom/json.h>

enum { LOOKED_AT = 4096 }; /* rows, for one of a certain shape */

/* ---- Names ---- */

void store_series_id_format(const struct store_series_id *id, char out[STORE_SERIES_ID_MAX])
{
	const struct meter_identity *meter = &id->identity;
	int used;
	if (id->point)
		used = snprintf(out, STORE_SERIES_ID_MAX, "p%" PRIu32 ".", id->point);
	else
		used = snprintf(out, STORE_SERIES_ID_MAX, "m%08" PRIX32 "%04X%02X%02X.", meter->id,
			meter->manufacturer, meter->version, meter->medium);
	for (size_t i = 0; i < id->key_length; i++)
		used += snprintf(
			out + used, STORE_SERIES_ID_MAX - (size_t)used, "%02X", id->key[i]);
}

/* `digits` hex digits. false: there are fewer. */
static bool take_hex(const char **at, unsigned digits, uint64_t *value)
{
	*value = 0;
	for (unsigned i = 0; i < digits; i++, (*at)++) {
		const int digit = ml_hex_value(**at);
		if (digit < 0)
			return false;
		*value = *value << 4 | (uint64_t)digit;
	}
	return true;
}

static bool take_meter(const char **at, struct store_series_id *id)
{
	uint64_t value = 0;
	if (*(*at)++ == 'p') {
		for (; **at >= '0' && **at <= '9' && value <= UINT32_MAX; (*at)++)
			value = value * 10 + (uint64_t)(**at - '0');
		id->point = (uint32_t)value;
		return value > 0 && value <= UINT32_MAX;
	}
	if ((*at)[-1] != 'm' || !take_hex(at, 16, &value))
		return false;
	id->identity = (struct meter_identity){
		.id = (uint32_t)(value >> 32),
		.manufacturer = (uint16_t)(value >> 16),
		.version = (uint8_t)(value >> 8),
		.medium = (uint8_t)value,
	};
	return true;
}

int store_series_id_parse(const char *text, struct store_series_id *id, struct ml_error *err)
{
	const char *at = text;
	uint64_t byte = 0;
	memset(id, 0, sizeof *id);
	bool good = *at && take_meter(&at, id) && *at++ == '.';
	while (good && *at) {
		good = id->key_length < METER_SERIES_KEY_MAX && take_hex(&at, 2, &byte);
		if (good)
			id->key[id->key_length++] = (uint8_t)byte;
	}
	if (good && id->key_length)
		return 0;
	return ml_error_set_pointer(err, -EINVAL, "/series",
		"\"%.60s\" is no series: expected an `id` that meter.series gives", text);
}

/* ---- Shapes ---- */

int store_series_reading(const struct store_shape *shape, void *block, struct ml_error *err)
{
	const int result =
		meter_reading_init(block, STORE_BLOCK_MAX, shape->bytes, shape->bytes_length, err);
	for (size_t i = 0; result == 0 && i < shape->count; i++) {
		struct meter_record *record = meter_reading_add(block);
		if (!record)
			return ml_error_set(err, -EBADMSG, "a stored shape is damaged");
		*record = shape->records[i];
	}
	return result;
}

/* ---- The list ---- */

struct listing {
	struct store_view *view;
	struct store_series *series;
	size_t count, room;
	void *block;
};

static int add_series(
	struct listing *l, int64_t shape, unsigned record, ml_time first, ml_time last)
{
	struct store_series found = {
		.shape = shape, .record = record, .first = first, .last = last};
	const struct meter_reading *reading = l->block;
	found.key_length = (uint8_t)meter_series_key(
		reading, meter_reading_record(reading, record), found.key);
	for (size_t i = 0; i < l->count; i++) {
		struct store_series *known = &l->series[i];
		if (known->key_length != found.key_length ||
			memcmp(known->key, found.key, found.key_length) != 0)
			continue;
		if (last >= known->last) {
			known->shape = shape;
			known->record = record;
			known->last = last;
		}
		known->first = first < known->first ? first : known->first;
		return 0;
	}
	if (l->count == l->room) {
		const size_t room = l->room ? l->room * 2 : 32;
		struct store_series *grown = realloc(l->series, room * sizeof *grown);
		if (!grown)
			return -ENOMEM;
		l->series = grown;
		l->room = room;
	}
	l->series[l->count++] = found;
	return 0;
}

struct shape_times {
	int64_t device, shape;
	ml_time first, last;
};

static int load_shapes(struct store_view *view, int64_t device, struct shape_times *shapes,
	size_t *count, struct ml_error *err)
{
	sqlite3 *db = store_view_db(view);
	sqlite3_stmt *row = NULL;
	int code = sqlite3_prepare_v2(db,
		"SELECT shape, first_time, last_time FROM device_shape WHERE device = ? ORDER BY "
		"first_time, shape",
		-1, &row, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(row, 1, device);
	while (code == SQLITE_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
		if (*count < SERIES_SHAPES_MAX)
			shapes[(*count)++] = (struct shape_times){
				.device = device,
				.shape = sqlite3_column_int64(row, 0),
				.first = sqlite3_column_int64(row, 1),
				.last = sqlite3_column_int64(row, 2),
			};
		code = SQLITE_OK;
	}
	const int result =
		code == SQLITE_DONE ? 0 : ml_database_error(err, db, "reading readings.db");
	sqlite3_finalize(row);
	return result;
}

/* The first reading of a shape from `time` on, in one direction. 1: `*time` is its time; 0: it is
 * not among the next ones, or (`*none`) there are none at all. */
static int find_shown(struct store_view *view, const struct shape_times *shape, bool backward,
	ml_time *time, bool *none, struct ml_error *err)
{
	struct store_scan_options options = STORE_SCAN_ALL;
	struct store_scan *scan = NULL;
	const struct store_row *row = NULL;
	options.devices = &shape->device;
	options.device_count = 1;
	options.backward = backward;
	options.from = backward ? INT64_MIN : *time;
	options.to = backward ? *time : INT64_MAX;
	int result = store_scan_begin(view, &options, &scan, err);
	*none = true;
	for (unsigned i = 0; result == 0 && i < LOOKED_AT; i++) {
		result = store_scan_next(scan, &row, err);
		if (result <= 0)
			break;
		*none = false;
		result = row->shape == shape->shape;
		if (result)
			*time = row->time;
	}
	store_scan_end(scan);
	return result;
}

/* The times in the table are up to a day short, and what has expired is still in them. 0: nothing
 * is stored of the shape any more. */
static int correct_times(struct store_view *view, struct shape_times *shape, struct ml_error *err)
{
	ml_time first = shape->first - ML_DAY, last = shape->last + ML_DAY;
	bool none = false;
	int result = find_shown(view, shape, true, &last, &none, err);
	if (result < 0 || none)
		return result;
	if (result > 0)
		shape->last = last;
	result = find_shown(view, shape, false, &first, &none, err);
	if (result > 0)
		shape->first = first;
	return result < 0 ? result : !none && shape->first <= shape->last;
}

static int list_shapes(
	struct listing *l, struct shape_times *shapes, size_t count, struct ml_error *err)
{
	int result = 0;
	for (size_t i = 0; result == 0 && i < count; i++) {
		const struct store_shape *shape = NULL;
		result = correct_times(l->view, &shapes[i], err);
		if (result == 0)
			continue;
		if (result > 0)
			result = store_view_shape(l->view, shapes[i].shape, &shape, err);
		if (result == 0)
			result = store_series_reading(shape, l->block, err);
		if (result == -EBADMSG) {
			result = 0; /* none of its readings can be read: they tell */
			continue;
		}
		for (unsigned r = 0; result == 0 && r < shape->count; r++)
			if (add_series(l, shapes[i].shape, r, shapes[i].first, shapes[i].last) < 0)
				result = ml_error_set(err, -ENOMEM, "out of memory");
	}
	return result;
}

int store_series_list(struct store_view *view, const int64_t *devices, size_t device_count,
	struct store_series **ret_series, size_t *ret_count, struct ml_error *err)
{
	struct listing l = {.view = view, .block = malloc(STORE_BLOCK_MAX)};
	struct shape_times *shapes = calloc(SERIES_SHAPES_MAX, sizeof *shapes);
	size_t count = 0;
	int result = 0;
	if (!l.block || !shapes)
		result = ml_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; result == 0 && i < device_count; i++)
		result = load_shapes(view, devices[i], shapes, &count, err);
	if (result == 0)
		result = list_shapes(&l, shapes, count, err);
	free(l.block);
	free(shapes);
	if (result < 0) {
		free(l.series);
		return result;
	}
	*ret_series = l.series;
	*ret_count = l.count;
	return 0;
}
