/* Series of the store: which there are, and their readouts.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/series.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/database.h>

#include "store/chunk_content.h"

enum { SHAPES_MAX = 1024 }; /* of the devices of one point */

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
		const char c = **at;
		if (c >= '0' && c <= '9')
			*value = *value << 4 | (uint64_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			*value = *value << 4 | (uint64_t)((c | 0x20) - 'a' + 10);
		else
			return false;
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

/* The record of a shape that is of the series; shape->count: none. */
static size_t find_record(const struct meter_reading *reading, const struct store_series *series)
{
	uint8_t key[METER_SERIES_KEY_MAX];
	const struct meter_record *records = meter_reading_records(reading);
	size_t i = 0;
	for (; i < reading->record_count; i++) {
		const size_t length = meter_series_key(reading, &records[i], key);
		if (length == series->key_length && memcmp(key, series->key, length) == 0)
			break;
	}
	return i;
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
		if (*count < SHAPES_MAX)
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

/* The times in the table are up to a day behind: what came since is looked at. */
static int catch_up(struct store_view *view, struct shape_times *shape, struct ml_error *err)
{
	struct store_scan_options options = STORE_SCAN_ALL;
	struct store_scan *scan = NULL;
	const struct store_row *row = NULL;
	const ml_time last = shape->last;
	options.devices = &shape->device;
	options.device_count = 1;
	options.backward = true;
	options.from = last + 1;
	options.to = last + ML_DAY;
	int result = store_scan_begin(view, &options, &scan, err);
	while (result == 0 && (result = store_scan_next(scan, &row, err)) > 0) {
		result = 0;
		if (row->shape == shape->shape) {
			shape->last = row->time;
			break;
		}
	}
	store_scan_end(scan);
	return result;
}

static int list_shapes(
	struct listing *l, struct shape_times *shapes, size_t count, struct ml_error *err)
{
	int result = 0;
	for (size_t i = 0; result == 0 && i < count; i++) {
		const struct store_shape *shape = NULL;
		result = catch_up(l->view, &shapes[i], err);
		if (result == 0)
			result = store_view_shape(l->view, shapes[i].shape, &shape, err);
		if (result == 0)
			result = store_series_reading(shape, l->block, err);
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
	struct shape_times *shapes = calloc(SHAPES_MAX, sizeof *shapes);
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

/* ---- Values ---- */

struct place {
	int64_t shape;
	int record; /* -1: it does not have the series */
	int8_t exponent;
};

struct walk {
	struct store_view *view;
	const struct store_series *series;
	const int64_t *devices;
	size_t device_count;
	struct store_thin *thin;
	bool known; /* `source` is of the device of the row before */
	int64_t device;
	uint32_t source;
	struct place *places; /* owned */
	size_t place_count, place;
	void *block;
};

/* Where the series is in the readings of a shape. */
static int find_place(struct walk *w, int64_t key, struct ml_error *err)
{
	const struct store_shape *shape = NULL;
	if (w->place < w->place_count && w->places[w->place].shape == key)
		return 0;
	for (w->place = 0; w->place < w->place_count; w->place++)
		if (w->places[w->place].shape == key)
			return 0;
	/* More than that are forgotten and found anew. */
	if (w->place_count == SHAPES_MAX)
		w->place_count = 0;
	w->place = w->place_count;
	int result = store_view_shape(w->view, key, &shape, err);
	if (result == 0)
		result = store_series_reading(shape, w->block, err);
	if (result < 0)
		return result;
	const size_t record = find_record(w->block, w->series);
	w->places[w->place_count++] = (struct place){
		.shape = key,
		.record = record < shape->count ? (int)record : -1,
		.exponent = record < shape->count ? shape->records[record].exponent : (int8_t)0,
	};
	return 0;
}

/* What is no number in its token, as a person reads it. */
static int read_text(struct walk *w, const struct store_row *row, int record,
	struct store_thin_readout *readout, char text[METER_VALUE_TEXT_MAX], struct ml_error *err)
{
	readout->kind = STORE_THIN_TEXT;
	readout->text = "";
	if (!store_thin_wants_text(w->thin))
		return 0;
	const int result = store_view_reading(w->view, row, w->block, err);
	if (result < 0)
		return result;
	const struct meter_reading *reading = w->block;
	const struct meter_record *value = meter_reading_record(reading, (size_t)record);
	if (value->kind == METER_NUMBER) {
		readout->kind = STORE_THIN_NUMBER;
		readout->number = meter_record_decimal(value);
	} else if (value->kind == METER_NONE) {
		readout->kind = STORE_THIN_NONE;
	} else {
		(void)meter_record_text(reading, value, text);
		readout->text = text;
	}
	return 0;
}

static int read_value(struct walk *w, const struct store_row *row, const struct place *place,
	struct store_thin_readout *readout, char text[METER_VALUE_TEXT_MAX], struct ml_error *err)
{
	struct store_in in = {.at = row->content, .end = row->content + row->length};
	struct chunk_head head;
	struct chunk_token token = {.class = CHUNK_IS_OTHER};
	bool good = chunk_head_take(&in, &head);
	for (int i = 0; good && i <= place->record; i++)
		good = chunk_token_take(&in, &token);
	if (good && token.class == CHUNK_IS_NONE) {
		readout->kind = STORE_THIN_NONE;
		return 0;
	}
	if (good && (token.class == CHUNK_IS_NUMBER || token.class == CHUNK_IS_SCALED)) {
		readout->kind = STORE_THIN_NUMBER;
		readout->number.mantissa = (int64_t)token.value;
		readout->number.exponent = token.class == CHUNK_IS_NUMBER
						   ? place->exponent
						   : (int8_t)store_unzigzag(token.extra);
		return 0;
	}
	return read_text(w, row, place->record, readout, text, err);
}

/* The first of those that are the same meter: it may have been read before it was in the list. What
 * tells no identity (a readout that failed) is of the meter that was there before it, or else of
 * the first that there is. */
static uint32_t find_source(const struct walk *w, int64_t device)
{
	const struct store_source *source = store_view_source(w->view, device);
	const bool has_identity = source && source->has_identity;
	const struct meter_identity identity =
		has_identity ? source->identity : (struct meter_identity){0};
	if (!has_identity && w->known)
		return w->source;
	for (size_t i = 0; i < w->device_count; i++) {
		const struct store_source *other = store_view_source(w->view, w->devices[i]);
		if (other && other->has_identity &&
			(!has_identity || meter_identity_equal(other->identity, identity)))
			return (uint32_t)i;
	}
	return 0;
}

static uint32_t source_of(struct walk *w, int64_t device)
{
	if (!w->known || w->device != device)
		w->source = find_source(w, device);
	w->known = true;
	w->device = device;
	return w->source;
}

static int take(struct walk *w, const struct store_row *row, struct ml_error *err)
{
	char text[METER_VALUE_TEXT_MAX];
	struct store_thin_readout readout = {
		.time = row->time,
		.kind = STORE_THIN_FAILED,
		.source = source_of(w, row->device),
	};
	if (row->shape) {
		int result = find_place(w, row->shape, err);
		const struct place place = w->places[w->place];
		if (result == 0 && place.record < 0)
			return 0; /* another telegram of the meter */
		if (result == 0)
			result = read_value(w, row, &place, &readout, text, err);
		if (result < 0)
			return result;
	}
	if (store_thin_add(w->thin, &readout) < 0)
		return ml_error_set(err, -ENOMEM, "out of memory");
	return 0;
}

int store_series_read(struct store_view *view, const int64_t *devices, size_t device_count,
	const struct store_series *series, ml_time from, ml_time to, struct store_thin *thin,
	struct ml_error *err)
{
	struct store_scan_options options = STORE_SCAN_ALL;
	struct walk w = {
		.view = view,
		.series = series,
		.devices = devices,
		.device_count = device_count,
		.thin = thin,
		.places = calloc(SHAPES_MAX, sizeof *w.places),
		.block = malloc(STORE_BLOCK_MAX),
	};
	struct store_scan *scan = NULL;
	const struct store_row *row = NULL;
	int result = 0;
	if (!w.places || !w.block)
		result = ml_error_set(err, -ENOMEM, "out of memory");
	options.devices = devices;
	options.device_count = device_count;
	options.failed = true;
	options.from = from;
	options.to = to;
	if (result == 0)
		result = store_scan_begin(view, &options, &scan, err);
	while (result == 0 && (result = store_scan_next(scan, &row, err)) > 0)
		result = take(&w, row, err);
	store_scan_end(scan);
	free(w.places);
	free(w.block);
	return result;
}
