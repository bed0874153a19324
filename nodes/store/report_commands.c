/* The commands about reports: what is on its way, and what a person may do about it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * On the lane "database", where the nodes `store-query` live. A destination has its place in the
 * database whether a node for it runs or not.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/event.h>

#include "store/report_commands.h"

/* ---- Who is asked ---- */

int report_find_subject(struct ml_job *job, const char *destination, struct report_subject *subject,
	struct ml_error *err)
{
	*subject =
		(struct report_subject){.engine = ml_job_engine(job), .destination = destination};
	subject->writer = store_writer(subject->engine);
	subject->outbox = store_outbox(subject->engine);
	int result = store_writer_ready(subject->writer, err);
	if (result == 0)
		result = store_outbox_tidy(subject->outbox, subject->writer->db, err);
	if (result < 0)
		return result;
	subject->query = store_query_find(subject->writer, destination);
	result = store_outstanding_load(
		subject->writer->db, subject->writer->epoch, destination, &subject->out, err);
	subject->has = result > 0;
	return result < 0 ? result : 0;
}

static int find_query(struct report_subject *subject, struct ml_error *err)
{
	if (subject->query)
		return 0;
	return ml_error_set(err, -ENOENT,
		"no node store-query of the running graph is for \"%.60s\": report.list tells "
		"which destinations there are",
		subject->destination);
}

/* A node for it may be in another graph: then it is in the database. */
static int find_known(struct report_subject *subject, struct ml_error *err)
{
	const int known = subject->query ? 1
					 : store_destination_known(
						   subject->writer->db, subject->destination, err);
	if (known)
		return known < 0 ? known : 0;
	return ml_error_set(err, -ENOENT,
		"there is no destination \"%.60s\": report.list tells which there are",
		subject->destination);
}

static int find_outstanding(struct report_subject *subject, struct ml_error *err)
{
	if (!subject->has) {
		const int result = find_known(subject, err);
		return result < 0
			       ? result
			       : ml_error_set(err, -ENOENT, "nothing is outstanding for \"%.60s\"",
					 subject->destination);
	}
	if (subject->query && (subject->query->in_flight || subject->query->unwritten))
		return ml_error_set(err, -EBUSY,
			"the report for \"%.60s\" is on its way: wait for its end, or, where its "
			"sink waits for a retry, end that with the sink's action `let-go`",
			subject->destination);
	return 0;
}

void report_write_time(struct ml_json_writer *w, const char *key, ml_time time)
{
	char text[ML_TIME_TEXT_MAX];
	ml_json_key(w, key);
	ml_json_string_n(w, text, ml_time_format(time, text));
}

void report_write_unsigned(struct ml_json_writer *w, const char *key, uint64_t value)
{
	ml_json_key(w, key);
	ml_json_unsigned(w, value);
}

/* ---- report.test, report.download, report.document ---- */

struct destination_params {
	char *destination;
};

static void run_extra(struct ml_job *job, const char *name, enum meter_delivery_purpose purpose)
{
	struct report_subject subject;
	struct ml_error err = ML_ERROR_NONE;
	int result = report_find_subject(job, name, &subject, &err);
	if (result == 0)
		result = find_query(&subject, &err);
	if (result < 0)
		ml_job_fail(job, &err);
	else
		query_extra_begin(subject.query, job, purpose);
}

static void run_test(struct ml_job *job, void *params)
{
	run_extra(job, ((struct destination_params *)params)->destination, METER_DELIVERY_TEST);
}

static void run_download(struct ml_job *job, void *params)
{
	run_extra(job, ((struct destination_params *)params)->destination, METER_DELIVERY_RENDER);
}

struct document_params {
	char *document;
};

static void run_document(struct ml_job *job, void *params)
{
	const struct document_params *p = params;
	struct ml_json_writer *w = ml_job_result(job);
	struct ml_error err = ML_ERROR_NONE;
	struct meter_document *document = calloc(1, sizeof *document);
	char type[METER_DOCUMENT_TYPE_MAX + METER_DOCUMENT_CHARSET_MAX + 16];
	int result = document ? store_outbox_document(store_outbox(ml_job_engine(job)), p->document,
					document, &err)
			      : ml_error_set(&err, -ENOMEM, "out of memory");
	if (result < 0) {
		ml_job_fail(job, &err);
		free(document);
		return;
	}
	(void)meter_document_content_type(document, type);
	ml_json_begin_object(w);
	ml_json_key(w, "name");
	ml_json_string(w, document->name);
	ml_json_key(w, "type");
	ml_json_string(w, type);
	report_write_unsigned(w, "size", document->size);
	ml_json_key(w, "sha256");
	ml_json_hex(w, document->hash, sizeof document->hash);
	ml_json_key(w, "path");
	ml_json_string(w, document->path);
	ml_json_end_object(w);
	ml_job_succeed(job);
	free(document);
}

/* ---- report.rebuild ---- */

static int rebuild(struct report_subject *subject, struct ml_error *err)
{
	struct store_outstanding *out = &subject->out;
	char before[METER_DELIVERY_KEY_MAX];
	memcpy(before, out->key, sizeof before);
	int result = store_outbox_draw(subject->outbox, out->key, err);
	out->refused = false;
	out->tries = 0;
	out->reason[0] = '\0';
	if (result == 0)
		result = store_outstanding_save(subject->writer->db, subject->writer->epoch,
			subject->destination, out, err);
	if (result == 0)
		store_outbox_remove(subject->outbox, before);
	return result;
}

static void run_rebuild(struct ml_job *job, void *params)
{
	const struct destination_params *p = params;
	struct ml_json_writer *w = ml_job_result(job);
	struct report_subject subject;
	struct ml_error err = ML_ERROR_NONE;
	int result = report_find_subject(job, p->destination, &subject, &err);
	if (result == 0)
		result = find_outstanding(&subject, &err);
	if (result == 0)
		result = rebuild(&subject, &err);
	if (result < 0) {
		ml_job_fail(job, &err);
		return;
	}
	ml_json_begin_object(w);
	ml_json_key(w, "destination");
	ml_json_string(w, p->destination);
	report_write_unsigned(w, "readings", subject.out.range.count);
	ml_json_key(w, "key");
	ml_json_string(w, subject.out.key);
	ml_json_key(w, "sent");
	ml_json_bool(w, subject.query != NULL);
	ml_json_end_object(w);
	ml_job_succeed(job);
	if (subject.query)
		query_replace(subject.query, &subject.out, true);
}

/* ---- report.discard ---- */

struct discard_params {
	char *destination;
	bool resend;
};

static int discard(struct ml_job *job, struct report_subject *subject, struct ml_error *err)
{
	const struct store_range *range = &subject->out.range;
	char reason[METER_DELIVERY_REASON_MAX], count[24];
	char from[ML_TIME_TEXT_MAX], to[ML_TIME_TEXT_MAX];
	const char *user = ml_job_user(job)[0] ? ml_job_user(job) : "a command";
	(void)snprintf(reason, sizeof reason, "given up by %.60s%s%.150s", user,
		subject->out.reason[0] ? "; " : "", subject->out.reason);
	const struct store_ending ending = {.result = METER_DELIVERY_UNKNOWN,
		.time = ml_clock_wall(ml_engine_clock(subject->engine)),
		.reason = reason};
	const int result = store_outstanding_end(subject->writer->db, subject->writer->epoch,
		subject->destination, &subject->out, &ending, err);
	if (result < 0)
		return result;
	store_outbox_remove(subject->outbox, subject->out.key);
	(void)snprintf(count, sizeof count, "%" PRIu64, range->count);
	(void)ml_time_format(range->from, from);
	(void)ml_time_format(range->to, to);
	ml_event_raise(subject->engine, "delivery-discarded",
		subject->query ? ml_node_id(subject->query->node) : subject->destination,
		"readings", count, "from", from, "to", to, "destination", subject->destination,
		"user", user, NULL);
	return 0;
}

static void run_discard(struct ml_job *job, void *params)
{
	const struct discard_params *p = params;
	struct ml_json_writer *w = ml_job_result(job);
	struct report_subject subject;
	struct ml_error err = ML_ERROR_NONE;
	int resends = 0;
	int result = report_find_subject(job, p->destination, &subject, &err);
	/* A refusal changes nothing: what is on its way is looked for first. */
	if (result == 0 && (subject.has || !p->resend))
		result = find_outstanding(&subject, &err);
	if (result == 0 && p->resend)
		resends = store_resend_drop(
			subject.writer->db, subject.writer->epoch, p->destination, &err);
	if (resends < 0)
		result = resends;
	if (result == 0 && !subject.has && !resends)
		result = find_outstanding(&subject, &err);
	if (result == 0 && subject.has)
		result = discard(job, &subject, &err);
	if (result < 0) {
		ml_job_fail(job, &err);
		return;
	}
	ml_json_begin_object(w);
	ml_json_key(w, "destination");
	ml_json_string(w, p->destination);
	report_write_unsigned(w, "readings", subject.has ? subject.out.range.count : 0);
	report_write_unsigned(w, "resends", (uint64_t)resends);
	ml_json_end_object(w);
	ml_job_succeed(job);
	if (subject.query && subject.has)
		query_replace(subject.query, NULL, false);
}

/* ---- report.resend ---- */

struct resend_params {
	char *destination;
	ml_time from, to;
};

static void run_resend(struct ml_job *job, void *params)
{
	const struct resend_params *p = params;
	struct ml_json_writer *w = ml_job_result(job);
	struct report_subject subject;
	struct ml_error err = ML_ERROR_NONE;
	int result = report_find_subject(job, p->destination, &subject, &err);
	const ml_time now = ml_clock_wall(ml_engine_clock(ml_job_engine(job)));
	const ml_time to = p->to != ML_TIME_NONE ? p->to : now;
	const struct store_resend resend = {.from = p->from,
		.to = to,
		.until = subject.writer ? subject.writer->sequence : 0,
		.asked = now};
	if (result == 0)
		result = find_known(&subject, &err);
	if (result == 0 && resend.from >= resend.to)
		result = ml_error_set_pointer(&err, -EINVAL, "/from", "expected a time before %s",
			p->to != ML_TIME_NONE ? "`to`" : "now");
	if (result == 0)
		result = store_resend_add(
			subject.writer->db, subject.writer->epoch, p->destination, &resend, &err);
	if (result < 0) {
		ml_job_fail(job, &err);
		return;
	}
	ml_json_begin_object(w);
	ml_json_key(w, "destination");
	ml_json_string(w, p->destination);
	report_write_time(w, "from", resend.from);
	report_write_time(w, "to", resend.to);
	ml_json_key(w, "running");
	ml_json_bool(w, subject.query != NULL);
	ml_json_end_object(w);
	ml_job_succeed(job);
	if (subject.query)
		query_go_on(subject.query);
}

/* ---- Tables ---- */

#define DESTINATION(type) \
	{ \
		.name = "destination", .kind = ML_PARAM_STRING, \
		.offset = offsetof(type, destination), .title = "Destination", \
		.help = "Its name, as report.list tells it.", .min = 1, \
		.max = METER_DESTINATION_MAX - 1, .flags = ML_PARAM_REQUIRED \
	}

static const struct ml_param destination_params[] = {
	DESTINATION(struct destination_params),
	{0},
};

static const struct ml_param history_params[] = {
	{.name = "destination",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct report_history_params, destination),
		.title = "Destination",
		.help = "Its name, as report.list tells it. Left out: all.",
		.max = METER_DESTINATION_MAX - 1,
		.flags = ML_PARAM_NULLABLE},
	{.name = "limit",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct report_history_params, limit),
		.title = "Limit",
		.help = "How many deliveries to give at the most.",
		.preset = "100",
		.min = 1,
		.max = STORE_HISTORY_MAX},
	{0},
};

static const struct ml_param document_params[] = {
	{.name = "document",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct document_params, document),
		.title = "Document",
		.help = "Its name in the API, as report.list and report.download tell it.",
		.max = STORE_OUTBOX_DOCUMENT_MAX,
		.flags = ML_PARAM_REQUIRED},
	{0},
};

static const struct ml_param discard_params[] = {
	DESTINATION(struct discard_params),
	{.name = "resend",
		.kind = ML_PARAM_BOOL,
		.offset = offsetof(struct discard_params, resend),
		.title = "What is sent again, too",
		.help = "Also gives up what report.resend asked for and was not sent yet.",
		.preset = "false"},
	{0},
};

static const struct ml_param resend_params[] = {
	DESTINATION(struct resend_params),
	{.name = "from",
		.kind = ML_PARAM_TIME,
		.offset = offsetof(struct resend_params, from),
		.title = "From",
		.help = "The oldest time that is wanted.",
		.flags = ML_PARAM_REQUIRED},
	{.name = "to",
		.kind = ML_PARAM_TIME,
		.offset = offsetof(struct resend_params, to),
		.title = "To",
		.help = "The time before which readings are wanted. Left out: now.",
		.flags = ML_PARAM_NULLABLE},
	{0},
};

const struct ml_command store_report_commands[] = {
	{.name = "report.list",
		.title = "Reports and their state",
		.help = "Each destination of the running graph and of the database: its `state` "
			"(idle, "
			"sending, waiting for the next trigger, refused), how the last try ended, "
			"the sequence number it has got to and how far `behind` it is, what is "
			"`outstanding` with its documents, and what is to be sent again.",
		.role = ML_ROLE_READ,
		.lane = STORE_LANE,
		.run = report_run_list},
	{.name = "report.history",
		.title = "Deliveries",
		.help = "What was delivered or given up, the newest first: the range of readings, "
			"the "
			"documents, when and how. The last 1,000 of each destination are "
			"remembered.",
		.role = ML_ROLE_READ,
		.lane = STORE_LANE,
		.params = history_params,
		.params_size = sizeof(struct report_history_params),
		.run = report_run_history},
	{.name = "report.test",
		.title = "Send a test report",
		.help = "Renders what would be sent next, or the newest readings where nothing is "
			"new, "
			"and sends it once, marked as a test: the file's name begins with `test-`. "
			"Nothing of it counts as sent. Ends when the receiver has taken it, or "
			"fails "
			"with its reason.",
		.role = ML_ROLE_OPERATE,
		.lane = STORE_LANE,
		.params = destination_params,
		.params_size = sizeof(struct destination_params),
		.run = run_test},
	{.name = "report.download",
		.title = "Render a report without sending it",
		.help = "Renders what would be sent next, or the newest readings where nothing is "
			"new; "
			"what is outstanding is given as it will be sent. Each of the `documents` "
			"can "
			"be fetched from /api/v1/documents/DOCUMENT until the next download, or, "
			"if "
			"it is outstanding, until it is delivered.",
		.role = ML_ROLE_OPERATE,
		.lane = STORE_LANE,
		.params = destination_params,
		.params_size = sizeof(struct destination_params),
		.run = run_download},
	{.name = "report.document",
		.title = "A rendered document",
		.help = "Name, type, size, hash and place of a document that is outstanding or was "
			"rendered for a download. GET /api/v1/documents/DOCUMENT gives its bytes.",
		.role = ML_ROLE_READ,
		.lane = STORE_LANE,
		.params = document_params,
		.params_size = sizeof(struct document_params),
		.run = run_document},
	{.name = "report.rebuild",
		.title = "Render anew and send",
		.help = "What is outstanding gets a new key, is rendered anew by the template and "
			"the "
			"settings as they are now, and is sent at once. For a report that was "
			"refused.",
		.role = ML_ROLE_OPERATE,
		.lane = STORE_LANE,
		.params = destination_params,
		.params_size = sizeof(struct destination_params),
		.run = run_rebuild},
	{.name = "report.discard",
		.title = "Give a report up",
		.help = "What is outstanding is not sent any more: the destination moves past it. "
			"Its "
			"readings stay in the store. An event tells what was given up.",
		.role = ML_ROLE_OPERATE,
		.lane = STORE_LANE,
		.params = discard_params,
		.params_size = sizeof(struct discard_params),
		.run = run_discard},
	{.name = "report.resend",
		.title = "Send again",
		.help = "All readings from a time to another are sent again, after what is "
			"outstanding, "
			"in reports of at most `limit` readouts of each meter. It is remembered "
			"over a "
			"restart, and changes nothing of what counts as sent.",
		.role = ML_ROLE_OPERATE,
		.lane = STORE_LANE,
		.params = resend_params,
		.params_size = sizeof(struct resend_params),
		.run = run_resend},
	{0},
};
