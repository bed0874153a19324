/* Series of the store: their readouts, out of rows and chunks.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Of chunks only the columns of the series are read. Where they hold what is no number, all is read
 * row by row.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/database.h>

#include "store/chunk_content.h"
#include "store/damage.h"
#include "store/series_walk.h"

/* ---- One readout ---- */

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

int series_find_place(struct series_walk *w, int64_t key, struct ml_error *err)
{
	const struct store_shape *shape = NULL;
	if (w->place < w->place_count && w->places[w->place].shape == key)
		return 0;
	for (w->place = 0; w->place < w->place_count; w->place++)
		if (w->places[w->place].shape == key)
			return 0;
	/* More than that are forgotten and found anew. */
	if (w->place_count == SERIES_SHAPES_MAX)
		w->place_count = 0;
	w->place = w->place_count;
	int result = store_view_shape(w->view, key, &shape, err);
	if (result == 0)
		result = store_series_reading(shape, w->block, err);
	if (result < 0)
		return result;
	const size_t record = find_record(w->block, w->series);
	w->places[w->place_count++] = (struct series_place){
		.shape = key,
		.record = record < shape->count ? (int)record : -1,
		.exponent = record < shape->count ? shape->records[record].exponent : (int8_t)0,
	};
	return 0;
}

/* What is no number in its token, as a person reads it. */
static int read_text(struct series_walk *w, const struct store_row *row, int record,
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

static int read_value(struct series_walk *w, const struct store_row *row,
	const struct series_place *place, struct store_thin_readout *readout,
	char text[METER_VALUE_TEXT_MAX], struct ml_error *err)
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
static uint32_t find_source(const struct series_walk *w, int64_t device)
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

static uint32_t source_of(struct series_walk *w, int64_t device)
{
	if (!w->known || w->device != device)
		w->source = find_source(w, device);
	w->known = true;
	w->device = device;
	return w->source;
}

int series_give(struct series_walk *w, int64_t device, struct store_thin_readout *readout,
	struct ml_error *err)
{
	readout->source = source_of(w, device);
	if (store_thin_add(w->thin, readout) < 0)
		return ml_error_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int take_row(struct series_walk *w, const struct store_row *row, struct ml_error *err)
{
	char text[METER_VALUE_TEXT_MAX];
	struct store_thin_readout readout = {.time = row->time, .kind = STORE_THIN_FAILED};
	if (row->shape) {
		int result = series_find_place(w, row->shape, err);
		if (result < 0)
			return result;
		const struct series_place place = w->places[w->place];
		if (place.record < 0)
			return 0; /* another telegram of the meter */
		result = read_value(w, row, &place, &readout, text, err);
		if (result < 0)
			return result;
	}
	return series_give(w, row->device, &readout, err);
}

int series_take_row(struct series_walk *w, const struct store_row *row, struct ml_error *err)
{
	struct ml_error wrong = ML_ERROR_NONE;
	const int result = take_row(w, row, &wrong);
	if (result != -EBADMSG)
		return result < 0 ? ml_error_set(err, result, "%s", wrong.text) : 0;
	store_damage_reading(w->view, row, wrong.text);
	return 0;
}

/* ---- The two ways ---- */

static int begin_scan(
	struct series_walk *w, bool unpacked, struct store_scan **scan, struct ml_error *err)
{
	struct store_scan_options options = STORE_SCAN_ALL;
	options.devices = w->devices;
	options.device_count = w->device_count;
	options.failed = true;
	options.unpacked = unpacked;
	options.from = w->from;
	options.to = w->to;
	return store_scan_begin(w->view, &options, scan, err);
}

static int read_rows(struct series_walk *w, struct ml_error *err)
{
	struct store_scan *scan = NULL;
	const struct store_row *row = NULL;
	int result = begin_scan(w, false, &scan, err);
	while (result == 0 && (result = store_scan_next(scan, &row, err)) > 0)
		result = series_take_row(w, row, err);
	store_scan_end(scan);
	return result;
}

/* What is in chunks and what is not, merged by time. */
static int merge(struct series_walk *w, struct series_chunks *chunks, struct store_scan *scan,
	struct ml_error *err)
{
	const struct store_row *row = NULL;
	const struct series_readout *packed = NULL;
	int rows = store_scan_next(scan, &row, err);
	int readouts = rows < 0 ? rows : series_chunks_next(chunks, &packed, err);
	int result = readouts < 0 ? readouts : 0;
	while (result == 0 && (rows > 0 || readouts > 0)) {
		if (readouts > 0 && (rows == 0 || packed->time <= row->time)) {
			struct store_thin_readout readout = {.time = packed->time,
				.kind = (enum store_thin_kind)packed->kind,
				.number = packed->number};
			result = series_give(w, packed->device, &readout, err);
			if (result == 0)
				readouts = series_chunks_next(chunks, &packed, err);
		} else {
			result = series_take_row(w, row, err);
			if (result == 0)
				rows = store_scan_next(scan, &row, err);
		}
		if (result == 0 && (rows < 0 || readouts < 0))
			result = rows < 0 ? rows : readouts;
	}
	return result;
}

/* In one transaction, lest the packer moves rows into chunks between the two. */
static int read_columns(struct series_walk *w, struct ml_error *err)
{
	struct series_chunks chunks = {.walk = w};
	struct store_scan *scan = NULL;
	sqlite3 *db = store_view_db(w->view);
	if (sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		return ml_database_error(err, db, "reading readings.db");
	int result = series_chunks_begin(&chunks, w, err);
	if (result == 0)
		result = begin_scan(w, true, &scan, err);
	if (result == 0)
		result = merge(w, &chunks, scan, err);
	store_scan_end(scan);
	series_chunks_end(&chunks);
	(void)sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	return result;
}

int store_series_read(struct store_view *view, const int64_t *devices, size_t device_count,
	const struct store_series *series, ml_time from, ml_time to, struct store_thin *thin,
	struct ml_error *err)
{
	struct series_walk w = {
		.view = view,
		.series = series,
		.devices = devices,
		.device_count = device_count,
		.from = from,
		.to = to,
		.thin = thin,
		.places = calloc(SERIES_SHAPES_MAX, sizeof *w.places),
		.block = malloc(STORE_BLOCK_MAX),
	};
	int result = 0;
	if (!w.places || !w.block)
		result = ml_error_set(err, -ENOMEM, "out of memory");
	else
		result = read_columns(&w, err);
	if (result == -EAGAIN) {
		store_thin_clear(thin);
		w.known = false;
		result = read_rows(&w, err);
	}
	free(w.places);
	free(w.block);
	return result;
}
