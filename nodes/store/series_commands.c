/* The commands meter.series and series.values: what charts are made of.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/clock.h>

#include "store/choose.h"
#include "store/readings.h"
#include "store/series.h"

enum { POINTS_MAX = 10000 };

/* Devices of a meter or a series. */
struct chosen {
	struct store_view *view;
	int64_t *devices; /* owned */
	size_t count;
};

static int begin(struct ml_engine *engine, struct chosen *chosen,
	const struct store_source **sources, size_t *count, struct ml_error *err)
{
	int result = store_query_view(engine, &chosen->view, err);
	if (result == 0)
		result = store_view_sources(chosen->view, sources, count, err);
	if (result < 0)
		return result;
	chosen->devices = calloc(*count + 1, sizeof *chosen->devices);
	return chosen->devices ? 0 : ml_error_set(err, -ENOMEM, "out of memory");
}

/* ---- A series as JSON ---- */

static void write_time(struct ml_json_writer *w, const char *key, ml_time time)
{
	char text[ML_TIME_TEXT_MAX];
	ml_json_key(w, key);
	ml_json_string_n(w, text, ml_time_format(time, text));
}

static const char *kind_name(unsigned kind)
{
	switch (kind) {
	case METER_NUMBER:
		return "number";
	case METER_DATE:
		return "date";
	case METER_DATE_TIME:
		return "date-time";
	case METER_TIME:
		return "time";
	case METER_TEXT:
		return "text";
	case METER_BYTES:
		return "bytes";
	default:
		return "none";
	}
}

static void write_kind(struct ml_json_writer *w, const struct meter_record *record)
{
	ml_json_key(w, "kind");
	ml_json_string(w, kind_name(record->kind));
	ml_json_key(w, "function");
	ml_json_string(w, meter_function_name(record->function));
	ml_json_key(w, "storage");
	ml_json_unsigned(w, record->storage);
	ml_json_key(w, "tariff");
	ml_json_unsigned(w, record->tariff);
	ml_json_key(w, "subunit");
	ml_json_unsigned(w, record->subunit);
	if (record->ordinal) {
		ml_json_key(w, "ordinal");
		ml_json_unsigned(w, record->ordinal);
	}
	if (!record->modifiers)
		return;
	ml_json_key(w, "modifiers");
	ml_json_begin_array(w);
	for (unsigned i = 0; record->modifiers >> i; i++)
		if (record->modifiers >> i & 1)
			ml_json_string(w, meter_modifier_name(i));
	ml_json_end_array(w);
}

/* `reading`: of its shape. */
static void write_series(struct ml_json_writer *w, const struct store_series_id *of,
	const struct store_series *series, const struct meter_reading *reading)
{
	const struct meter_record *record = meter_reading_record(reading, series->record);
	struct store_series_id id = *of;
	char text[STORE_SERIES_ID_MAX];
	char unit[METER_UNIT_TEXT_MAX];
	size_t length = 0;
	id.key_length = series->key_length;
	memcpy(id.key, series->key, series->key_length);
	store_series_id_format(&id, text);
	ml_json_begin_object(w);
	ml_json_key(w, "id");
	ml_json_string(w, text);
	const char *name = meter_record_name(reading, record, &length);
	ml_json_key(w, "quantity");
	ml_json_string_n(w, name, length);
	if (record->of) {
		ml_json_key(w, "of");
		ml_json_string(w, meter_quantity_name(record->of));
	}
	ml_json_key(w, "unit");
	ml_json_string_n(w, unit, meter_record_unit(reading, record, unit));
	write_kind(w, record);
	write_time(w, "first", series->first);
	write_time(w, "last", series->last);
	ml_json_end_object(w);
}

static int make_reading(struct store_view *view, const struct store_series *series, void *block,
	struct ml_error *err)
{
	const struct store_shape *shape = NULL;
	const int result = store_view_shape(view, series->shape, &shape, err);
	return result < 0 ? result : store_series_reading(shape, block, err);
}

/* ---- meter.series ---- */

/* By what the series of a meter are known: its point, or its identity. */
static int choose_meter(struct ml_engine *engine, const char *text, struct chosen *chosen,
	struct store_series_id *id, struct ml_error *err)
{
	const struct store_source *sources = NULL;
	const struct meter_point *point = NULL;
	struct meter_list *list = meter_list(engine);
	size_t count = 0;
	int result = begin(engine, chosen, &sources, &count, err);
	if (result == 0)
		result = store_choose_meter(
			engine, sources, count, text, chosen->devices, &chosen->count, err);
	if (result < 0)
		return result;
	const struct meter_snapshot *snapshot = list ? meter_list_snapshot(list) : NULL;
	if (snapshot && meter_snapshot_find_one(snapshot, text, strlen(text), &point, NULL) == 0)
		id->point = point->key;
	meter_snapshot_release(snapshot);
	for (size_t i = 0; i < count && chosen->count; i++)
		if (sources[i].key == chosen->devices[0])
			id->identity = sources[i].identity;
	return 0;
}

static int write_list(struct chosen *chosen, const struct store_series_id *id,
	struct ml_json_writer *w, struct ml_error *err)
{
	struct store_series *series = NULL;
	size_t count = 0;
	void *block = malloc(STORE_BLOCK_MAX);
	if (!block)
		return ml_error_set(err, -ENOMEM, "out of memory");
	int result = store_series_list(
		chosen->view, chosen->devices, chosen->count, &series, &count, err);
	ml_json_begin_object(w);
	ml_json_key(w, "series");
	ml_json_begin_array(w);
	for (size_t i = 0; result == 0 && i < count; i++) {
		result = make_reading(chosen->view, &series[i], block, err);
		if (result == 0)
			write_series(w, id, &series[i], block);
	}
	ml_json_end_array(w);
	ml_json_end_object(w);
	free(series);
	free(block);
	return result;
}

static void end_job(struct ml_job *job, int result, const struct ml_error *err)
{
	if (result < 0)
		ml_job_fail(job, err);
	else
		ml_job_succeed(job);
}

void store_series_run(struct ml_job *job, void *params)
{
	const struct store_series_params *p = params;
	struct ml_error err = ML_ERROR_NONE;
	struct chosen chosen = {.count = 0};
	struct store_series_id id = {.point = 0};
	int result = choose_meter(ml_job_engine(job), p->meter, &chosen, &id, &err);
	if (result == 0)
		result = write_list(&chosen, &id, ml_job_result(job), &err);
	free(chosen.devices);
	end_job(job, result, &err);
}

const struct ml_param store_series_params[] = {
	{.name = "meter",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct store_series_params, meter),
		.title = "Meter",
		.help = "Which: a key (#12), a MOID, an id (12345678), an id with its manufacturer "
			"(12345678.KAM).",
		.flags = ML_PARAM_REQUIRED},
	{0},
};

/* ---- series.values ---- */

struct answer {
	struct chosen chosen;
	struct store_series_id id;
	struct store_series *list, series; /* owned; the one that is asked for */
	size_t list_count;
	ml_time from, to;
	struct store_thin *thin;
	void *block;
};

static int choose_series(
	struct ml_engine *engine, const char *text, struct answer *a, struct ml_error *err)
{
	const struct store_source *sources = NULL;
	size_t count = 0;
	int result = store_series_id_parse(text, &a->id, err);
	if (result == 0)
		result = begin(engine, &a->chosen, &sources, &count, err);
	if (result < 0)
		return result;
	a->chosen.count = a->id.point ? store_choose_point(meter_list(engine), sources, count,
						a->id.point, a->chosen.devices)
				      : store_choose_identity(
						sources, count, a->id.identity, a->chosen.devices);
	result = store_series_list(
		a->chosen.view, a->chosen.devices, a->chosen.count, &a->list, &a->list_count, err);
	if (result < 0)
		return result;
	for (size_t i = 0; i < a->list_count; i++) {
		a->series = a->list[i];
		if (a->series.key_length == a->id.key_length &&
			memcmp(a->series.key, a->id.key, a->id.key_length) == 0)
			return 0;
	}
	return ml_error_set(err, -ENOENT,
		"nothing is stored of the series \"%.60s\": meter.series tells which there are",
		text);
}

/* The time of the last readout, also of one that failed. */
static int find_newest(const struct chosen *chosen, ml_time *time, struct ml_error *err)
{
	struct store_scan_options options = STORE_SCAN_ALL;
	struct store_scan *scan = NULL;
	const struct store_row *row = NULL;
	options.devices = chosen->devices;
	options.device_count = chosen->count;
	options.backward = true;
	options.failed = true;
	int result = store_scan_begin(chosen->view, &options, &scan, err);
	if (result == 0)
		result = store_scan_next(scan, &row, err);
	if (result > 0)
		*time = row->time;
	store_scan_end(scan);
	return result < 0 ? result : 0;
}

/* From the series' first value to whatever came last, unless it is told. */
static int choose_times(struct answer *a, const struct store_values_params *p, struct ml_error *err)
{
	a->from = p->from != ML_TIME_NONE ? p->from : a->series.first;
	a->to = p->to;
	if (p->to != ML_TIME_NONE && p->to < p->from)
		return ml_error_set_pointer(
			err, -EINVAL, "/to", "`to` is earlier than `from`: expected a later time");
	if (p->to != ML_TIME_NONE)
		return 0;
	a->to = a->series.last;
	return find_newest(&a->chosen, &a->to, err);
}

static void write_gaps(struct ml_json_writer *w, const struct store_thin_point *point)
{
	if (point->texts) {
		ml_json_key(w, "texts");
		ml_json_unsigned(w, point->texts);
	}
	if (point->nones) {
		ml_json_key(w, "none");
		ml_json_unsigned(w, point->nones);
	}
	if (point->failures) {
		ml_json_key(w, "failed");
		ml_json_unsigned(w, point->failures);
	}
}

static void write_number(struct ml_json_writer *w, const char *key,
	const struct store_thin_point *point, struct ml_decimal number)
{
	ml_json_key(w, key);
	if (point->numbers)
		ml_json_decimal(w, number);
	else
		ml_json_null(w);
}

static void write_bucket(struct ml_json_writer *w, const struct store_thin_point *point)
{
	write_time(w, "from", point->from);
	write_time(w, "to", point->to);
	ml_json_key(w, "count");
	ml_json_unsigned(w, point->numbers);
	write_number(w, "min", point, point->min);
	write_number(w, "max", point, point->max);
	write_number(w, "first", point, point->first);
	write_number(w, "last", point, point->last);
	write_gaps(w, point);
}

static void write_single(struct ml_json_writer *w, const struct store_thin_point *point)
{
	write_time(w, "time", point->from);
	ml_json_key(w, "value");
	if (point->numbers)
		ml_json_decimal(w, point->first);
	else
		ml_json_string(w, point->text);
	if (point->nones || point->failures) {
		ml_json_key(w, "gap");
		ml_json_string(w, point->failures ? "failed" : "none");
	}
}

/* The devices in their turn, each with what came from it. */
static void write_devices(struct answer *a, struct ml_json_writer *w,
	const struct store_thin_point *points, size_t count)
{
	ml_json_key(w, "devices");
	ml_json_begin_array(w);
	for (size_t i = 0; i < count;) {
		const uint32_t source = points[i].source;
		const struct store_source *of =
			store_view_source(a->chosen.view, a->chosen.devices[source]);
		const ml_time first = points[i].from;
		char text[METER_SECONDARY_TEXT_MAX];
		uint64_t values = 0;
		for (; i < count && points[i].source == source; i++)
			values += points[i].numbers + points[i].texts;
		ml_json_begin_object(w);
		ml_json_key(w, "meter");
		if (of && of->has_identity)
			ml_json_string_n(w, text, meter_secondary_format(of->identity, text));
		else
			ml_json_null(w);
		write_time(w, "first", first);
		write_time(w, "last", points[i - 1].to);
		ml_json_key(w, "values");
		ml_json_unsigned(w, values);
		ml_json_end_object(w);
	}
	ml_json_end_array(w);
}

static void write_points(struct answer *a, struct ml_json_writer *w)
{
	bool thinned = false;
	size_t count = 0;
	size_t device = 0;
	const struct store_thin_point *points = store_thin_points(a->thin, &count, &thinned);
	ml_json_key(w, "thinned");
	ml_json_bool(w, thinned);
	write_devices(a, w, points, count);
	ml_json_key(w, "points");
	ml_json_begin_array(w);
	for (size_t i = 0; i < count; i++) {
		device += i && points[i].source != points[i - 1].source;
		ml_json_begin_object(w);
		if (thinned)
			write_bucket(w, &points[i]);
		else
			write_single(w, &points[i]);
		if (device) {
			ml_json_key(w, "device");
			ml_json_unsigned(w, device);
		}
		ml_json_end_object(w);
	}
	ml_json_end_array(w);
}

static int answer(struct ml_engine *engine, const struct store_values_params *p, struct answer *a,
	struct ml_json_writer *w, struct ml_error *err)
{
	int result = choose_series(engine, p->series, a, err);
	if (result == 0)
		result = choose_times(a, p, err);
	if (result < 0)
		return result;
	a->thin = store_thin_new(a->from, a->to, (size_t)p->points);
	a->block = malloc(STORE_BLOCK_MAX);
	if (!a->thin || !a->block)
		return ml_error_set(err, -ENOMEM, "out of memory");
	result = store_series_read(a->chosen.view, a->chosen.devices, a->chosen.count, &a->series,
		a->from, a->to, a->thin, err);
	if (result == 0)
		result = make_reading(a->chosen.view, &a->series, a->block, err);
	if (result < 0)
		return result;
	ml_json_begin_object(w);
	ml_json_key(w, "series");
	write_series(w, &a->id, &a->series, a->block);
	write_time(w, "from", a->from);
	write_time(w, "to", a->to);
	write_points(a, w);
	ml_json_end_object(w);
	return 0;
}

void store_values_run(struct ml_job *job, void *params)
{
	struct ml_error err = ML_ERROR_NONE;
	struct answer a = {.list = NULL};
	const int result = answer(ml_job_engine(job), params, &a, ml_job_result(job), &err);
	free(a.chosen.devices);
	free(a.list);
	free(a.block);
	store_thin_free(a.thin);
	end_job(job, result, &err);
}

const struct ml_param store_values_params[] = {
	{.name = "series",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct store_values_params, series),
		.title = "Series",
		.help = "Which: an `id` that meter.series gives.",
		.flags = ML_PARAM_REQUIRED},
	{.name = "from",
		.kind = ML_PARAM_TIME,
		.offset = offsetof(struct store_values_params, from),
		.title = "From",
		.help = "The oldest time that is wanted. Left out: that of the first value.",
		.flags = ML_PARAM_NULLABLE},
	{.name = "to",
		.kind = ML_PARAM_TIME,
		.offset = offsetof(struct store_values_params, to),
		.title = "To",
		.help = "The newest time that is wanted. Left out: that of the last readout.",
		.flags = ML_PARAM_NULLABLE},
	{.name = "points",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct store_values_params, points),
		.title = "Points",
		.help = "How many points to give at the most. Where there are more readouts, those "
			"of equal spans of time are told together.",
		.preset = "1000",
		.min = 1,
		.max = POINTS_MAX},
	{0},
};
