/* report.list and report.history: how far each destination has got, and what it was given.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/report_commands.h"

enum { DESTINATIONS_MAX = 1000 };

/* ---- report.list ---- */

/* The time of the oldest reading after a sequence number; false: there is none. */
static bool find_oldest(sqlite3 *db, uint64_t after, ml_time *time)
{
	sqlite3_stmt *row = NULL;
	bool found = false;
	if (sqlite3_prepare_v2(db,
		    "SELECT min(time) FROM (SELECT * FROM (SELECT time FROM reading WHERE sequence "
		    "> "
		    "?1 AND boot IS NULL ORDER BY sequence LIMIT 1) UNION ALL SELECT "
		    "min(first_time) "
		    "FROM chunk WHERE last_sequence > ?1)",
		    -1, &row, NULL) == SQLITE_OK &&
		sqlite3_bind_int64(row, 1, (int64_t)after) == SQLITE_OK &&
		sqlite3_step(row) == SQLITE_ROW && sqlite3_column_type(row, 0) != SQLITE_NULL) {
		*time = sqlite3_column_int64(row, 0);
		found = true;
	}
	sqlite3_finalize(row);
	return found;
}

static void write_behind(const struct report_subject *subject, struct ml_json_writer *w)
{
	const struct store_writer *writer = subject->writer;
	uint64_t sent = 0, behind = 0;
	ml_time oldest;
	(void)store_cursor_load(writer->db, writer->epoch, subject->destination, &sent, NULL);
	report_write_unsigned(w, "sequence", sent);
	if (subject->query && subject->query->fixed)
		return;
	ml_json_key(w, "behind");
	ml_json_begin_object(w);
	(void)store_range_behind(writer->db, sent, writer->sequence, &behind, NULL);
	report_write_unsigned(w, "readings", behind);
	if (behind && find_oldest(writer->db, sent, &oldest)) {
		const ml_time age = ml_clock_wall(ml_engine_clock(subject->engine)) - oldest;
		report_write_time(w, "since", oldest);
		ml_json_key(w, "seconds");
		ml_json_integer(w, age > 0 ? age / ML_SEC : 0);
	}
	ml_json_end_object(w);
}

static void write_outstanding(const struct report_subject *subject, struct ml_json_writer *w)
{
	const struct store_outstanding *out = &subject->out;
	ml_json_key(w, "outstanding");
	if (!subject->has) {
		ml_json_null(w);
		return;
	}
	ml_json_begin_object(w);
	report_write_unsigned(w, "first", out->range.first);
	report_write_unsigned(w, "last", out->range.last);
	report_write_unsigned(w, "readings", out->range.count);
	report_write_time(w, "from", out->range.from);
	report_write_time(w, "to", out->range.to);
	report_write_time(w, "due", out->range.trigger.due);
	ml_json_key(w, "fixed");
	ml_json_bool(w, out->range.fixed);
	ml_json_key(w, "resend");
	ml_json_bool(w, out->resend != 0);
	report_write_unsigned(w, "failed", out->tries);
	ml_json_key(w, "key");
	ml_json_string(w, out->key);
	ml_json_key(w, "documents");
	store_outbox_list(subject->outbox, out->key, w);
	ml_json_end_object(w);
}

static const char *state_of(const struct report_subject *subject)
{
	if (subject->has && subject->out.refused)
		return "refused";
	if (subject->query && (subject->query->in_flight || subject->query->unwritten))
		return "sending";
	return subject->has ? "waiting" : "idle";
}

static bool write_last(void *user, const struct store_delivery *delivery)
{
	struct ml_json_writer *w = user;
	ml_json_string(w, delivery->delivered ? "delivered" : "discarded");
	report_write_time(w, "time", delivery->time);
	report_write_unsigned(w, "readings", delivery->count);
	ml_json_key(w, "reason");
	ml_json_string(w, delivery->reason[0] ? delivery->reason : NULL);
	ml_json_key(w, "documents");
	ml_json_raw(w, delivery->documents, strlen(delivery->documents));
	return false;
}

struct last {
	struct ml_json_writer *w;
	bool found;
};

static bool take_last(void *user, const struct store_delivery *delivery)
{
	struct last *last = user;
	ml_json_key(last->w, "result");
	last->found = true;
	return write_last(last->w, delivery);
}

/* While the sink waits for a retry of its own, which may take hours, nothing is written down yet:
 * what it told of its tries so far. */
static bool write_tries(const struct report_subject *subject, struct ml_json_writer *w)
{
	struct meter_delivery_outcome outcome;
	char reason[METER_DELIVERY_RECEIVER_MAX + METER_DELIVERY_REASON_MAX + 2];
	if (!subject->has || !subject->query || !subject->query->in_flight ||
		!subject->query->delivery)
		return false;
	meter_delivery_outcome(subject->query->delivery, &outcome);
	if (outcome.result != METER_DELIVERY_FAILED)
		return false;
	(void)snprintf(reason, sizeof reason, "%s%s%s", outcome.receiver,
		outcome.receiver[0] ? ": " : "", outcome.reason);
	ml_json_key(w, "result");
	ml_json_string(w, "failed");
	report_write_unsigned(w, "tries", outcome.tries);
	report_write_unsigned(w, "readings", subject->out.range.count);
	ml_json_key(w, "reason");
	ml_json_string(w, reason);
	return true;
}

/* How the last try ended. */
static void write_result(const struct report_subject *subject, struct ml_json_writer *w)
{
	const struct store_outstanding *out = &subject->out;
	struct last last = {.w = w};
	ml_json_key(w, "last");
	ml_json_begin_object(w);
	if (write_tries(subject, w)) {
		/* the newest there is */
	} else if (subject->has && out->tries) {
		ml_json_key(w, "result");
		ml_json_string(w, out->refused ? "refused" : "failed");
		report_write_time(w, "time", out->tried);
		report_write_unsigned(w, "readings", out->range.count);
		ml_json_key(w, "reason");
		ml_json_string(w, out->reason);
	} else {
		(void)store_deliveries(
			subject->writer->db, subject->destination, 1, take_last, &last, NULL);
		if (!last.found) {
			ml_json_key(w, "result");
			ml_json_null(w);
		}
	}
	ml_json_end_object(w);
}

static void write_resend(const struct report_subject *subject, struct ml_json_writer *w)
{
	struct store_resend resend;
	ml_json_key(w, "resend");
	if (store_resend_next(subject->writer->db, subject->writer->epoch, subject->destination,
		    &resend, NULL) > 0) {
		ml_json_begin_object(w);
		report_write_time(w, "from", resend.from);
		report_write_time(w, "to", resend.to);
		report_write_time(w, "asked", resend.asked);
		report_write_unsigned(w, "pieces", resend.pieces);
		ml_json_end_object(w);
	} else {
		ml_json_null(w);
	}
}

static int write_destination(
	struct ml_job *job, const char *destination, struct ml_json_writer *w, struct ml_error *err)
{
	struct report_subject subject;
	const int result = report_find_subject(job, destination, &subject, err);
	if (result < 0)
		return result;
	ml_json_begin_object(w);
	ml_json_key(w, "destination");
	ml_json_string(w, destination);
	ml_json_key(w, "node");
	ml_json_string(w, subject.query ? ml_node_id(subject.query->node) : NULL);
	ml_json_key(w, "state");
	ml_json_string(w, state_of(&subject));
	write_result(&subject, w);
	write_behind(&subject, w);
	write_outstanding(&subject, w);
	write_resend(&subject, w);
	ml_json_end_object(w);
	return 0;
}

struct destinations {
	char (*names)[METER_DESTINATION_MAX];
	size_t count;
};

static void add_destination(struct destinations *all, const char *name)
{
	for (size_t i = 0; i < all->count; i++)
		if (strcmp(all->names[i], name) == 0)
			return;
	if (all->count < DESTINATIONS_MAX)
		(void)snprintf(all->names[all->count++], METER_DESTINATION_MAX, "%s", name);
}

static int compare_destinations(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int gather(struct ml_job *job, struct destinations *all, struct ml_error *err)
{
	struct store_writer *writer = store_writer(ml_job_engine(job));
	sqlite3_stmt *row = NULL;
	int result = store_writer_ready(writer, err);
	if (result < 0)
		return result;
	int code = sqlite3_prepare_v2(writer->db,
		"SELECT destination FROM cursor UNION SELECT destination FROM outstanding UNION "
		"SELECT destination FROM resend UNION SELECT destination FROM delivery",
		-1, &row, NULL);
	while (code == SQLITE_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
		add_destination(all, (const char *)sqlite3_column_text(row, 0));
		code = SQLITE_OK;
	}
	if (code != SQLITE_DONE)
		result = ml_database_error(err, writer->db, "reading readings.db");
	sqlite3_finalize(row);
	for (const struct store_query *q = writer->queries; q; q = q->next)
		add_destination(all, q->destination);
	if (all->count)
		qsort(all->names, all->count, sizeof *all->names, compare_destinations);
	return result;
}

void report_run_list(struct ml_job *job, void *params)
{
	struct ml_json_writer *w = ml_job_result(job);
	struct ml_error err = ML_ERROR_NONE;
	struct destinations all = {.names = calloc(DESTINATIONS_MAX, METER_DESTINATION_MAX)};
	(void)params;
	int result =
		all.names ? gather(job, &all, &err) : ml_error_set(&err, -ENOMEM, "out of memory");
	if (result == 0) {
		ml_json_begin_object(w);
		ml_json_key(w, "destinations");
		ml_json_begin_array(w);
		for (size_t i = 0; result == 0 && i < all.count; i++)
			result = write_destination(job, all.names[i], w, &err);
		ml_json_end_array(w);
		ml_json_end_object(w);
	}
	free(all.names);
	if (result < 0)
		ml_job_fail(job, &err);
	else
		ml_job_succeed(job);
}

/* ---- report.history ---- */

static bool write_delivery(void *user, const struct store_delivery *delivery)
{
	struct ml_json_writer *w = user;
	ml_json_begin_object(w);
	ml_json_key(w, "destination");
	ml_json_string(w, delivery->destination);
	ml_json_key(w, "result");
	(void)write_last(w, delivery);
	report_write_unsigned(w, "first", delivery->first);
	report_write_unsigned(w, "last", delivery->last);
	report_write_time(w, "from", delivery->from);
	report_write_time(w, "to", delivery->to);
	report_write_time(w, "due", delivery->due);
	ml_json_key(w, "resend");
	ml_json_bool(w, delivery->resend);
	ml_json_key(w, "key");
	ml_json_string(w, delivery->key);
	ml_json_end_object(w);
	return w->out->length < ((size_t)8 << 20); /* results are limited to 16 MiB */
}

void report_run_history(struct ml_job *job, void *params)
{
	const struct report_history_params *p = params;
	struct store_writer *writer = store_writer(ml_job_engine(job));
	struct ml_json_writer *w = ml_job_result(job);
	struct ml_error err = ML_ERROR_NONE;
	int result = store_writer_ready(writer, &err);
	if (result == 0) {
		ml_json_begin_object(w);
		ml_json_key(w, "deliveries");
		ml_json_begin_array(w);
		result = store_deliveries(
			writer->db, p->destination, (size_t)p->limit, write_delivery, w, &err);
		ml_json_end_array(w);
		ml_json_end_object(w);
	}
	if (result < 0)
		ml_job_fail(job, &err);
	else
		ml_job_succeed(job);
}
