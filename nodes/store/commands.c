/* The command store.status: how the store is.
 * SPDX-License-Identifier: Apache-2.0
 *
 * On the lane "database", on the writer's connection between its transactions.
 */
#include "store/commands.h"

#include "store/check.h"
#include "store/outstanding.h"
#include "store/readings.h"
#include "store/series.h"
#include "store/trace.h"
#include "store/writer.h"

/* ---- store.status ---- */

static int64_t one_number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *row = NULL;
	int64_t value = 0;
	if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) == SQLITE_OK &&
		sqlite3_step(row) == SQLITE_ROW)
		value = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	return value;
}

static void write_destination(
	const struct store_writer *writer, const char *name, struct ml_json_writer *w)
{
	struct store_outstanding out;
	uint64_t sequence = 0;
	ml_json_begin_object(w);
	ml_json_key(w, "destination");
	ml_json_string(w, name);
	if (store_cursor_load(writer->db, writer->epoch, name, &sequence, NULL) == 0) {
		ml_json_key(w, "sequence");
		ml_json_unsigned(w, sequence);
		ml_json_key(w, "behind");
		uint64_t behind = 0;
		(void)store_range_behind(writer->db, sequence, writer->sequence, &behind, NULL);
		ml_json_unsigned(w, behind);
	}
	if (store_outstanding_load(writer->db, writer->epoch, name, &out, NULL) > 0) {
		ml_json_key(w, "outstanding");
		ml_json_begin_object(w);
		ml_json_key(w, "first");
		ml_json_unsigned(w, out.range.first);
		ml_json_key(w, "last");
		ml_json_unsigned(w, out.range.last);
		ml_json_key(w, "readings");
		ml_json_unsigned(w, out.range.count);
		ml_json_end_object(w);
	}
	ml_json_end_object(w);
}

static void write_destinations(const struct store_writer *writer, struct ml_json_writer *w)
{
	sqlite3_stmt *row = NULL;
	ml_json_key(w, "destinations");
	ml_json_begin_array(w);
	if (sqlite3_prepare_v2(writer->db,
		    "SELECT destination FROM cursor UNION SELECT destination FROM outstanding "
		    "ORDER BY destination",
		    -1, &row, NULL) == SQLITE_OK)
		while (sqlite3_step(row) == SQLITE_ROW)
			write_destination(writer, (const char *)sqlite3_column_text(row, 0), w);
	sqlite3_finalize(row);
	ml_json_end_array(w);
}

static void write_packing(const struct store_writer *writer, struct ml_json_writer *w)
{
	const struct store_packer *packer = &writer->upkeep.packer;
	const int64_t packed =
		one_number(writer->db, "SELECT value FROM store_state WHERE name = 'packed'");
	const int64_t packing =
		one_number(writer->db, "SELECT value FROM store_state WHERE name = 'packing'");
	ml_json_key(w, "packing");
	ml_json_begin_object(w);
	ml_json_key(w, "running");
	ml_json_bool(w, packing > packed);
	ml_json_key(w, "sequence");
	ml_json_integer(w, packed);
	ml_json_key(w, "rows");
	ml_json_integer(w, one_number(writer->db, "SELECT count(*) FROM reading"));
	ml_json_key(w, "chunks");
	ml_json_integer(w, one_number(writer->db, "SELECT count(*) FROM chunk"));
	ml_json_key(w, "packed");
	ml_json_unsigned(w, packer->packed);
	ml_json_key(w, "merged");
	ml_json_unsigned(w, packer->merged);
	ml_json_key(w, "failed");
	ml_json_string(w, writer->upkeep.error.code ? writer->upkeep.error.text : NULL);
	ml_json_end_object(w);
}

static void run_status(struct ml_job *job, void *params)
{
	struct store_writer *writer = store_writer(ml_job_engine(job));
	struct ml_json_writer *w = ml_job_result(job);
	struct ml_error err = ML_ERROR_NONE;
	(void)params;
	const bool open = store_writer_ready(writer, &err) == 0;
	ml_json_begin_object(w);
	ml_json_key(w, "open");
	ml_json_bool(w, open);
	ml_json_key(w, "error");
	ml_json_string(w, writer->troubled ? writer->trouble.text : open ? NULL : err.text);
	ml_json_key(w, "waiting");
	ml_json_unsigned(w, writer->waiting);
	ml_json_key(w, "commits");
	ml_json_unsigned(w, writer->commits);
	ml_json_key(w, "failures");
	ml_json_unsigned(w, writer->failures);
	ml_json_key(w, "last_commit");
	if (writer->last_commit_wall == ML_NEVER) {
		ml_json_null(w);
	} else {
		char text[ML_TIME_TEXT_MAX];
		ml_json_string_n(w, text, ml_time_format(writer->last_commit_wall, text));
	}
	if (open) {
		ml_json_key(w, "epoch");
		ml_json_unsigned(w, writer->epoch);
		ml_json_key(w, "sequence");
		ml_json_unsigned(w, writer->sequence);
		ml_json_key(w, "bytes");
		ml_json_integer(w, one_number(writer->db, "PRAGMA page_count") *
					   one_number(writer->db, "PRAGMA page_size"));
		ml_json_key(w, "devices");
		ml_json_integer(w, one_number(writer->db, "SELECT count(*) FROM device"));
		ml_json_key(w, "shapes");
		ml_json_integer(w, one_number(writer->db, "SELECT count(*) FROM shape"));
		write_packing(writer, w);
		write_destinations(writer, w);
	}
	ml_json_key(w, "check");
	store_check_status(ml_job_engine(job), w);
	ml_json_end_object(w);
	ml_job_succeed(job);
}

const struct ml_command store_commands[] = {
	{.name = "meter.readings",
		.title = "Readings of a meter",
		.help = "The stored readings of a meter, the newest last, each as `decode` shows "
			"it, also readouts that failed. Without `from` the newest ones are given, "
			"and `earlier` is the cursor to those before them; with it, the oldest "
			"from there on, and `next` is the cursor to those after them.",
		.role = ML_ROLE_READ,
		.lane = STORE_QUERY_LANE,
		.params = store_readings_params,
		.params_size = sizeof(struct store_readings_params),
		.run = store_readings_run},
	{.name = "meter.series",
		.title = "Series of a meter",
		.help = "Which series are stored of a meter, over all devices that were at its "
			"point: what each is, its first and last time, and its `id`, which stays "
			"the same and is what series.values wants.",
		.role = ML_ROLE_READ,
		.lane = STORE_QUERY_LANE,
		.params = store_series_params,
		.params_size = sizeof(struct store_series_params),
		.run = store_series_run},
	{.name = "series.values",
		.title = "Values of a series",
		.help = "What a chart needs: the values of a series with their times, in order. "
			"Where there are more than `points`, they are thinned: for each of equal "
			"spans of time from the first to the last readout in it, how many values, "
			"the smallest, the largest, the first and the last, all exact. A readout "
			"without a value is told as a gap: \"failed\", or \"none\" where the meter "
			"said it had none. `devices` are the meters that the values come from, in "
			"their turn.",
		.role = ML_ROLE_READ,
		.lane = STORE_QUERY_LANE,
		.params = store_values_params,
		.params_size = sizeof(struct store_values_params),
		.run = store_values_run},
	{.name = "store.status",
		.title = "State of the store",
		.help = "Whether readings can be written, how many wait, how large the database "
			"is, how far packing has got (sequence; rows that are not in chunks; "
			"chunks; "
			"since the start readings packed and parts merged), and how far each "
			"destination has got.",
		.role = ML_ROLE_READ,
		.lane = STORE_LANE,
		.run = run_status},
	{.name = "store.check",
		.title = "Check the store",
		.help = "Reads all of readings.db, to see whether it is whole; it goes on being "
			"written meanwhile. The result holds `whole`, `rows` that were read, and "
			"what was `found`: a damaged file is then set aside, and what can be read "
			"of it is taken over.",
		.role = ML_ROLE_OPERATE,
		.lane = STORE_QUERY_LANE,
		.run = store_check_run},
	{.name = "trace.show",
		.title = "Trace a value",
		.help = "From a value to the bytes of its telegram, explained one by one, and from "
			"a telegram to all that became of it: its readings, the reports they went "
			"or are to go in, and what `aggregate` made of them. By the number of the "
			"trace, or by a meter and the time that a report shows. When the journal "
			"has the telegram no more, its origin and check sum (CRC-32) are left.",
		.role = ML_ROLE_READ,
		.lane = STORE_QUERY_LANE,
		.params = store_trace_params,
		.params_size = sizeof(struct store_trace_params),
		.run = store_trace_run},
	{0},
};
