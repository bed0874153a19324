/* The command trace.show: from a value to the bytes of its telegram, and from a telegram to all
 * that became of it. SPDX-License-Identifier: Apache-2.0
 */
#include "store/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/database.h>

#include "meter/explain.h"
#include "store/choose.h"
#include "store/outstanding.h"
#include "store/readings.h"
#include "store/stamp.h"
#include "store/writer.h"

enum {
	ROWS_MAX = 64,      /* readings that filters made of one telegram */
	DERIVED_MAX = 200,  /* results that are told */
	LOOKED_MAX = 50000, /* rows that are looked at for these */
	DERIVED_DAYS = 400, /* the longest window, and a bit */
};

struct trace {
	struct ml_engine *engine;
	struct store_view *view;
	struct ml_json_writer *w;
	uint64_t number;
	uint64_t sequences[ROWS_MAX];
	size_t count;
	bool more;                   /* readings than these */
	struct meter_reading *block; /* STORE_BLOCK_MAX bytes */
	struct meter_reading *other; /* the same, for results */
	uint64_t epoch;
	/* while deliveries are written */
	uint64_t sequence;
};

static void write_time(struct ml_json_writer *w, const char *key, ml_time time)
{
	char text[ML_TIME_TEXT_MAX];
	ml_json_key(w, key);
	ml_json_string_n(w, text, ml_time_format(time, text));
}

static void write_text(struct ml_json_writer *w, const char *key, const char *text)
{
	ml_json_key(w, key);
	ml_json_string(w, text);
}

/* ---- Which ---- */

static int note(void *user, const struct store_row *row, struct ml_error *err)
{
	struct trace *trace = user;
	(void)err;
	if (trace->count < ROWS_MAX)
		trace->sequences[trace->count++] = row->sequence;
	else
		trace->more = true;
	return 0;
}

static int find_by_number(struct trace *trace, struct ml_error *err)
{
	const int result = store_view_trace(trace->view, trace->number, note, trace, err);
	if (result == 0 && !trace->count)
		return ml_error_set_pointer(err, -ENOENT, "/trace",
			"no stored reading has the trace %" PRIu64
			": it was never stored, or is older than what is kept",
			trace->number);
	return result;
}

/* The reading of a meter at a second, as a report shows it. */
static int find_by_time(struct trace *trace, const char *meter, ml_time time, struct ml_error *err)
{
	struct store_scan_options options = STORE_SCAN_ALL;
	const struct store_source *sources = NULL;
	const struct store_row *row = NULL;
	struct store_scan *scan = NULL;
	size_t count = 0, chosen = 0;
	int result = store_view_sources(trace->view, &sources, &count, err);
	int64_t *devices = result == 0 ? calloc(count + 1, sizeof *devices) : NULL;
	if (result == 0 && !devices)
		result = ml_error_set(err, -ENOMEM, "out of memory");
	if (result == 0)
		result = store_choose_meter(
			trace->engine, sources, count, meter, devices, &chosen, err);
	options.devices = devices;
	options.device_count = chosen;
	options.failed = true;
	options.from = time - time % ML_SEC;
	options.to = options.from + ML_SEC - 1;
	/* An exact millisecond means that one. */
	if (time % ML_SEC)
		options.from = options.to = time;
	if (result == 0)
		result = store_scan_begin(trace->view, &options, &scan, err);
	if (result == 0)
		result = store_scan_next(scan, &row, err);
	if (result > 0)
		trace->number = row->trace;
	else if (result == 0)
		result = ml_error_set_pointer(err, -ENOENT, "/time",
			"this meter has no reading at that time; meter.readings tells those it "
			"has");
	store_scan_end(scan);
	free(devices);
	return result < 0 ? result : find_by_number(trace, err);
}

/* ---- Where it came from ---- */

static int write_origin(struct trace *trace, uint32_t key, struct ml_error *err)
{
	sqlite3 *db = store_view_db(trace->view);
	sqlite3_stmt *row = NULL;
	int result = 0;
	ml_json_key(trace->w, "origin");
	int code = sqlite3_prepare_v2(db,
		"SELECT node, bus, interface, receiver FROM origin WHERE key = ?", -1, &row, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(row, 1, key);
	if (code == SQLITE_OK)
		code = sqlite3_step(row);
	if (code == SQLITE_ROW) {
		static const char *const names[] = {"node", "bus", "interface", "receiver"};
		ml_json_begin_object(trace->w);
		for (int i = 0; i < 4; i++) {
			const char *text = (const char *)sqlite3_column_text(row, i);
			if (text && *text)
				write_text(trace->w, names[i], text);
		}
		ml_json_end_object(trace->w);
	} else {
		ml_json_null(trace->w);
		if (code != SQLITE_DONE)
			result = ml_database_error(err, db, "reading an origin");
	}
	(void)sqlite3_finalize(row);
	return result;
}

/* ---- Where it went ---- */

static bool write_delivery(void *user, const struct store_delivery *delivery)
{
	struct trace *trace = user;
	struct ml_json_writer *w = trace->w;
	ml_json_begin_object(w);
	write_text(w, "destination", delivery->destination);
	write_text(w, "state", delivery->delivered ? "delivered" : "given-up");
	write_time(w, "time", delivery->time);
	write_time(w, "due", delivery->due);
	write_text(w, "key", delivery->key);
	if (delivery->resend) {
		ml_json_key(w, "resend");
		ml_json_bool(w, true);
	}
	if (delivery->reason[0])
		write_text(w, "reason", delivery->reason);
	/* The report takes only some readings of a stretch of time: it may be none of them. */
	if (delivery->spacing) {
		ml_json_key(w, "interval");
		ml_json_integer(w, delivery->spacing / ML_SEC);
	}
	ml_json_key(w, "documents");
	if (delivery->documents && delivery->documents[0])
		ml_json_raw(w, delivery->documents, strlen(delivery->documents));
	else
		ml_json_null(w);
	ml_json_end_object(w);
	return true;
}

static void write_waiting(struct trace *trace, const char *destination, uint64_t sent)
{
	struct store_outstanding out;
	if (sent >= trace->sequence)
		return;
	const int has = store_outstanding_load(
		store_view_db(trace->view), trace->epoch, destination, &out, NULL);
	const bool in =
		has > 0 && trace->sequence >= out.range.first && trace->sequence <= out.range.last;
	ml_json_begin_object(trace->w);
	write_text(trace->w, "destination", destination);
	write_text(trace->w, "state", in ? (out.refused ? "refused" : "outstanding") : "waiting");
	if (in && out.reason[0])
		write_text(trace->w, "reason", out.reason);
	ml_json_end_object(trace->w);
}

/* Destinations that have yet to get it: those that have had something, or are about to. */
static int write_pending(struct trace *trace, struct ml_error *err)
{
	sqlite3 *db = store_view_db(trace->view);
	sqlite3_stmt *row = NULL;
	int code = sqlite3_prepare_v2(db,
		"SELECT destination, max(sequence) FROM (SELECT destination, sequence FROM cursor "
		"WHERE epoch = ?1 UNION ALL SELECT destination, 0 FROM outstanding WHERE epoch = "
		"?1) GROUP BY 1",
		-1, &row, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(row, 1, (int64_t)trace->epoch);
	while (code == SQLITE_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
		write_waiting(trace, (const char *)sqlite3_column_text(row, 0),
			(uint64_t)sqlite3_column_int64(row, 1));
		code = SQLITE_OK;
	}
	const int result =
		code == SQLITE_DONE ? 0 : ml_database_error(err, db, "reading the destinations");
	(void)sqlite3_finalize(row);
	return result;
}

static int write_reports(struct trace *trace, const struct store_row *row, struct ml_error *err)
{
	int result = 0;
	ml_json_key(trace->w, "reports");
	ml_json_begin_array(trace->w);
	trace->sequence = row->sequence;
	/* What failed, and what has no time yet, is in none. */
	if (row->shape && !row->boot) {
		result = store_deliveries_of(store_view_db(trace->view), trace->epoch,
			row->sequence, row->time, write_delivery, trace, err);
		if (result == 0)
			result = write_pending(trace, err);
	}
	ml_json_end_array(trace->w);
	return result;
}

/* ---- What was made of it ---- */

/* The first and the last trace that a result was made of. false: it does not say. */
static bool made_of(const struct meter_reading *result, uint64_t *first, uint64_t *last)
{
	char text[METER_VALUE_TEXT_MAX];
	for (size_t i = 0; i < result->record_count; i++) {
		const struct meter_record *record = meter_reading_record(result, i);
		size_t length = 0;
		const char *name = meter_record_name(result, record, &length);
		/* "volume 1 h from" */
		if (record->kind != METER_TEXT || length < 5 ||
			memcmp(name + length - 5, " from", 5) != 0)
			continue;
		(void)meter_record_text(result, record, text);
		char *middle = NULL, *end = NULL;
		errno = 0;
		*first = strtoull(text, &middle, 10);
		if (middle == text || *middle != '-')
			return false;
		*last = strtoull(middle + 1, &end, 10);
		return end > middle + 1 && *end == '\0' && errno == 0;
	}
	return false;
}

static bool is_derived(const struct store_row *row)
{
	return row->shape && (store_values_flags(row->content, row->length) & METER_DERIVED);
}

struct latest {
	int64_t *devices; /* in: all; out: those that give results */
	size_t count;
	int64_t own;
	const int64_t *all;
};

static int keep_derived(void *user, size_t index, const struct store_row *row, struct ml_error *err)
{
	struct latest *latest = user;
	(void)err;
	if (latest->all[index] != latest->own && is_derived(row))
		latest->devices[latest->count++] = latest->all[index];
	return 0;
}

/* The meter itself, and those that have nothing but results: virtual meters. */
static int choose_derived(struct trace *trace, int64_t own, int64_t **ret_devices,
	size_t *ret_count, struct ml_error *err)
{
	struct store_scan_options options = STORE_SCAN_ALL;
	const struct store_source *sources = NULL;
	size_t count = 0;
	int result = store_view_sources(trace->view, &sources, &count, err);
	if (result < 0)
		return result;
	int64_t *all = calloc(count + 1, sizeof *all);
	int64_t *devices = calloc(count + 1, sizeof *devices);
	struct latest latest = {.devices = devices, .own = own, .all = all};
	if (!all || !devices)
		result = ml_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; result == 0 && i < count; i++)
		all[i] = sources[i].key;
	options.devices = all;
	options.device_count = count;
	if (result == 0)
		result = store_scan_latest(trace->view, &options, keep_derived, &latest, err);
	if (result == 0)
		devices[latest.count++] = own;
	free(all);
	if (result < 0) {
		free(devices);
		return result;
	}
	*ret_devices = devices;
	*ret_count = latest.count;
	return 0;
}

static int write_result(struct trace *trace, const struct store_row *row, int64_t own, bool *told,
	struct ml_error *err)
{
	uint64_t first = 0, last = 0;
	*told = false;
	if (!is_derived(row))
		return 0;
	const int result = store_view_reading(trace->view, row, trace->other, err);
	if (result == -EBADMSG)
		return 0; /* told */
	if (result < 0)
		return result;
	if (!made_of(trace->other, &first, &last) || trace->number < first || trace->number > last)
		return 0;
	*told = true;
	ml_json_begin_object(trace->w);
	/* A virtual meter names the first and the last of all its meters. */
	ml_json_key(trace->w, "certain");
	ml_json_bool(trace->w, row->device == own);
	ml_json_key(trace->w, "reading");
	meter_reading_to_json(trace->other, trace->w);
	ml_json_end_object(trace->w);
	return 0;
}

/* Results whose window the reading is in: a window begins before what it holds. */
static int write_results(struct trace *trace, const struct store_row *row, struct ml_error *err)
{
	struct store_scan_options options = STORE_SCAN_ALL;
	const struct store_row *next = NULL;
	struct store_scan *scan = NULL;
	int64_t *devices = NULL;
	const int64_t own = row->device;
	size_t count = 0, looked = 0, results = 0;
	ml_json_key(trace->w, "results");
	ml_json_begin_array(trace->w);
	int result = row->boot ? 0 : choose_derived(trace, own, &devices, &count, err);
	options.devices = devices;
	options.device_count = count;
	options.backward = true;
	options.from = row->time - DERIVED_DAYS * ML_DAY;
	options.to = row->time;
	if (result == 0 && devices)
		result = store_scan_begin(trace->view, &options, &scan, err);
	while (result == 0 && scan && looked++ < LOOKED_MAX && results < DERIVED_MAX &&
		(result = store_scan_next(scan, &next, err)) > 0) {
		bool told;
		result = write_result(trace, next, own, &told, err);
		results += told;
	}
	store_scan_end(scan);
	free(devices);
	ml_json_end_array(trace->w);
	return result < 0 ? result : 0;
}

/* ---- One reading, and its telegram ---- */

static int write_telegram(struct trace *trace, const struct store_row *row, struct ml_error *err)
{
	const struct meter_explainer *explainer = ml_service(trace->engine, METER_EXPLAINER);
	struct ml_json_writer *w = trace->w;
	const uint8_t *bytes = NULL;
	size_t length = 0;
	const int result = store_view_telegram(trace->view, row, &bytes, &length, err);
	ml_json_key(w, "telegram");
	if (result < 0) {
		ml_json_null(w);
		return result == -ENOENT ? 0 : result;
	}
	ml_json_begin_object(w);
	ml_json_key(w, "bytes");
	ml_json_hex(w, bytes, length);
	ml_json_key(w, "parts");
	if (explainer)
		explainer->explain(bytes, length, w);
	else
		ml_json_null(w);
	ml_json_end_object(w);
	return 0;
}

static int write_row(struct trace *trace, const struct store_row *row, struct ml_error *err)
{
	struct ml_json_writer *w = trace->w;
	bool guessed = false;
	uint64_t first = 0, last = 0;
	int result = store_stamp_guessed(store_view_db(trace->view), row->sequence, &guessed, err);
	if (result == 0)
		result = store_view_reading(trace->view, row, trace->block, err);
	if (result < 0)
		return result;
	ml_json_begin_object(w);
	ml_json_key(w, "sequence");
	ml_json_unsigned(w, row->sequence);
	write_text(w, "clock", row->boot ? "not known yet" : guessed ? "guessed" : "right");
	ml_json_key(w, "check");
	if (row->check)
		ml_json_stringf(w, "%08" PRIX32, row->check);
	else
		ml_json_null(w);
	ml_json_key(w, "reading");
	meter_reading_to_json(trace->block, w);
	if (made_of(trace->block, &first, &last)) {
		ml_json_key(w, "made_of");
		ml_json_begin_object(w);
		ml_json_key(w, "first");
		ml_json_unsigned(w, first);
		ml_json_key(w, "last");
		ml_json_unsigned(w, last);
		ml_json_end_object(w);
	}
	result = write_origin(trace, row->origin, err);
	if (result == 0)
		result = write_reports(trace, row, err);
	if (result == 0)
		result = write_results(trace, row, err);
	ml_json_end_object(w);
	return result;
}

/* Its content is the view's only until something else is looked up: a copy is kept. */
static int find_row(struct trace *trace, uint64_t sequence, struct store_row *row,
	uint8_t **ret_content, struct ml_error *err)
{
	const int result = store_view_find(trace->view, sequence, row, err);
	*ret_content = NULL;
	if (result < 0)
		return result;
	*ret_content = malloc(row->length + 1);
	if (!*ret_content)
		return ml_error_set(err, -ENOMEM, "out of memory");
	if (row->length)
		memcpy(*ret_content, row->content, row->length);
	row->content = *ret_content;
	return 0;
}

static int write_trace(struct trace *trace, struct ml_error *err)
{
	struct ml_json_writer *w = trace->w;
	int result = 0;
	ml_json_begin_object(w);
	ml_json_key(w, "trace");
	ml_json_unsigned(w, trace->number);
	for (size_t i = 0; result == 0 && i < trace->count; i++) {
		struct store_row row;
		uint8_t *content = NULL;
		result = find_row(trace, trace->sequences[i], &row, &content, err);
		if (result == 0 && i == 0) {
			result = write_telegram(trace, &row, err);
			ml_json_key(w, "readings");
			ml_json_begin_array(w);
		}
		if (result == 0)
			result = write_row(trace, &row, err);
		free(content);
	}
	if (result == 0) {
		ml_json_end_array(w);
		ml_json_key(w, "more");
		ml_json_bool(w, trace->more);
		ml_json_end_object(w);
	}
	return result;
}

/* ---- The command ---- */

static int load_epoch(struct trace *trace, struct ml_error *err)
{
	sqlite3 *db = store_view_db(trace->view);
	sqlite3_stmt *row = NULL;
	int result = 0;
	if (sqlite3_prepare_v2(db, "SELECT value FROM store_state WHERE name = 'epoch'", -1, &row,
		    NULL) == SQLITE_OK &&
		sqlite3_step(row) == SQLITE_ROW)
		trace->epoch = (uint64_t)sqlite3_column_int64(row, 0);
	else
		result = ml_database_error(err, db, "reading the state of readings.db");
	(void)sqlite3_finalize(row);
	return result;
}

static int find(struct trace *trace, const struct store_trace_params *p, struct ml_error *err)
{
	if ((p->trace != 0) == (p->meter != NULL) ||
		(p->meter != NULL) != (p->time != ML_TIME_NONE))
		return ml_error_set(
			err, -EINVAL, "give the number of a trace, or a meter and a time");
	trace->number = (uint64_t)p->trace;
	return p->meter ? find_by_time(trace, p->meter, p->time, err) : find_by_number(trace, err);
}

void store_trace_run(struct ml_job *job, void *params)
{
	struct ml_error err = ML_ERROR_NONE;
	struct trace trace = {.engine = ml_job_engine(job), .w = ml_job_result(job)};
	trace.block = malloc(STORE_BLOCK_MAX);
	trace.other = malloc(STORE_BLOCK_MAX);
	int result = 0;
	if (!trace.block || !trace.other)
		result = ml_error_set(&err, -ENOMEM, "out of memory");
	if (result == 0)
		result = store_query_view(trace.engine, &trace.view, &err);
	if (result == 0)
		result = load_epoch(&trace, &err);
	if (result == 0)
		result = find(&trace, params, &err);
	if (result == 0)
		result = write_trace(&trace, &err);
	if (result < 0)
		ml_job_fail(job, &err);
	else
		ml_job_succeed(job);
	free(trace.block);
	free(trace.other);
}

const struct ml_param store_trace_params[] = {
	{.name = "trace",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct store_trace_params, trace),
		.title = "Trace",
		.help = "The number of the trace, as a reading has it. Give this, or `meter` and "
			"`time`.",
		.preset = "0",
		.min = 0,
		.max = INT64_MAX},
	{.name = "meter",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct store_trace_params, meter),
		.title = "Meter",
		.help = "Which: a key (#12), a MOID, an id (12345678), an id with its manufacturer "
			"(12345678.KAM).",
		.flags = ML_PARAM_NULLABLE},
	{.name = "time",
		.kind = ML_PARAM_TIME,
		.offset = offsetof(struct store_trace_params, time),
		.title = "Time",
		.help = "When the meter was read, as a report says: the first reading of that "
			"second, or that of an exact millisecond.",
		.flags = ML_PARAM_NULLABLE},
	{0},
};
