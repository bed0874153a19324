/* Tests and downloads: what would be sent, without that it counts.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Both render a batch of their own under a key of their own. A test goes on to the receiver, once;
 * a download ends where it is rendered, and stays until the next one or the node's end.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/query_node.h"

enum { NEWEST = 100 }; /* readings, where nothing is new */

/* ---- Which readings ---- */

/* What would be sent next: what is outstanding, else what a trigger would take. */
static int find_next(struct store_query *query, struct store_range *range, struct ml_error *err)
{
	if (query->has) {
		*range = query->out.range;
		return 0;
	}
	struct ml_trigger trigger = query->trigger;
	trigger.due = ml_node_wall(query->node);
	const struct ml_trigger before = query->trigger;
	query->trigger = trigger;
	int result = query->fixed && !query->length && !trigger.period
			     ? 0
			     : query_plan(query, range, err);
	query->trigger = before;
	return result;
}

static int find_range(struct store_query *query, struct store_range *range, struct ml_error *err)
{
	struct store_writer *writer = query->writer;
	*range = (struct store_range){.count = 0};
	int result = find_next(query, range, err);
	if (result == 0 && !range->count) {
		const uint64_t after = writer->sequence > NEWEST ? writer->sequence - NEWEST : 0;
		result = store_range_plan_after(writer->engine, writer->db, after, writer->sequence,
			(unsigned)query->params.limit, query->spacing, range, err);
	}
	if (result == 0 && !range->count)
		result = ml_error_set(err, -ENOENT, "there are no readings to report yet");
	range->more = false;
	return result;
}

/* ---- Begin ---- */

static int begin(struct store_query *query, struct query_extra *extra, struct ml_error *err)
{
	int result = query_load(query, err);
	if (result == 0)
		result = find_range(query, &extra->range, err);
	if (result == 0)
		result = store_outbox_draw(query->outbox, extra->key, err);
	if (result < 0)
		return result;
	if (ml_room(query->node, QUERY_OUT) == 0)
		return ml_error_set(err, -EBUSY,
			"what \"%s\" is wired to is still busy: try again in a moment",
			ml_node_id(query->node));
	extra->delivery = store_outbox_delivery(
		query->outbox, query->destination, extra->key, extra->purpose);
	struct ml_message *message = extra->delivery ? query_message(query, &extra->range,
							       extra->delivery, QUERY_COOKIE_EXTRA)
						     : NULL;
	if (!message) {
		meter_delivery_release(extra->delivery);
		return ml_error_set(err, -ENOMEM, "out of memory");
	}
	struct meter_batch *batch = (struct meter_batch *)(void *)message->payload;
	(void)snprintf(batch->trigger.kind, sizeof batch->trigger.kind, "%s",
		extra->purpose == METER_DELIVERY_TEST ? "test" : "download");
	if (!query->has)
		batch->trigger.due = ml_node_wall(query->node);
	batch->trigger.next = ML_NEVER;
	query->extra = *extra;
	ml_emit(query->node, QUERY_OUT, message);
	return 0;
}

/* What is outstanding and rendered is downloaded as it lies there. */
static bool give_rendered(struct store_query *query, struct ml_job *job)
{
	struct ml_json_writer *w = ml_job_result(job);
	struct ml_buffer documents = {0};
	struct ml_json_writer list;
	if (!query->has)
		return false;
	ml_json_writer_init(&list, &documents);
	store_outbox_list(query->outbox, query->out.key, &list);
	const bool rendered = documents.length > 2 && !documents.failed;
	if (rendered) {
		ml_json_begin_object(w);
		ml_json_key(w, "destination");
		ml_json_string(w, query->destination);
		ml_json_key(w, "readings");
		ml_json_unsigned(w, query->out.range.count);
		ml_json_key(w, "documents");
		ml_json_raw(w, documents.data, documents.length);
		ml_json_end_object(w);
	}
	ml_buffer_free(&documents);
	return rendered;
}

void query_extra_begin(
	struct store_query *query, struct ml_job *job, enum meter_delivery_purpose purpose)
{
	struct query_extra extra = {.job = job, .purpose = purpose};
	struct ml_error err = ML_ERROR_NONE;
	int result = query_load(query, &err);
	if (result == 0 && purpose == METER_DELIVERY_RENDER && give_rendered(query, job)) {
		ml_job_succeed(job);
		return;
	}
	if (result == 0 && query->extra.job)
		result = ml_error_set(&err, -EBUSY, "a test or a download of \"%s\" runs already",
			query->destination);
	if (result == 0 && query->in_flight)
		result = ml_error_set(&err, -EBUSY,
			"a report for \"%s\" is on its way: the sink's action `retry` sends it "
			"now, or wait for its end",
			query->destination);
	if (result == 0)
		result = begin(query, &extra, &err);
	if (result < 0)
		ml_job_fail(job, &err);
}

/* ---- End ---- */

static void succeed(struct store_query *query, const struct query_extra *extra)
{
	struct ml_json_writer *w = ml_job_result(extra->job);
	struct meter_delivery_outcome outcome;
	meter_delivery_outcome(extra->delivery, &outcome);
	ml_json_begin_object(w);
	ml_json_key(w, "destination");
	ml_json_string(w, query->destination);
	ml_json_key(w, "readings");
	ml_json_unsigned(w, extra->range.count);
	if (extra->purpose == METER_DELIVERY_TEST) {
		ml_json_key(w, "receiver");
		ml_json_string(w, outcome.receiver[0] ? outcome.receiver : NULL);
	}
	ml_json_key(w, "documents");
	if (extra->purpose == METER_DELIVERY_TEST)
		meter_delivery_documents(extra->delivery, w);
	else
		store_outbox_list(query->outbox, extra->key, w);
	ml_json_end_object(w);
	ml_job_succeed(extra->job);
}

static void fail(const struct query_extra *extra)
{
	struct meter_delivery_outcome outcome;
	struct ml_error err = ML_ERROR_NONE;
	meter_delivery_outcome(extra->delivery, &outcome);
	const char *reason = outcome.result > METER_DELIVERY_DELIVERED
				     ? outcome.reason
				     : "it was given up before its end";
	if (outcome.receiver[0])
		ml_error_set(&err, -EIO, "%.100s: %s", outcome.receiver, reason);
	else
		ml_error_set(&err, -EIO, "%s", reason);
	ml_job_fail(extra->job, &err);
}

static void forget_download(struct store_query *query)
{
	if (query->download[0])
		store_outbox_remove(query->outbox, query->download);
	query->download[0] = '\0';
}

void query_extra_acked(struct store_query *query, bool ok)
{
	struct query_extra extra = query->extra;
	query->extra = (struct query_extra){.job = NULL};
	if (ok)
		succeed(query, &extra);
	else
		fail(&extra);
	if (ok && extra.purpose == METER_DELIVERY_RENDER) {
		forget_download(query);
		memcpy(query->download, extra.key, sizeof query->download);
	} else {
		store_outbox_remove(query->outbox, extra.key);
	}
	meter_delivery_release(extra.delivery);
}

void query_extra_stop(struct store_query *query)
{
	if (query->extra.job) {
		struct ml_error err = ML_ERROR_NONE;
		ml_error_set(
			&err, -ECANCELED, "the node \"%s\" was stopped", ml_node_id(query->node));
		ml_job_fail(query->extra.job, &err);
		store_outbox_remove(query->outbox, query->extra.key);
		meter_delivery_release(query->extra.delivery);
	}
	query->extra = (struct query_extra){.job = NULL};
	forget_download(query);
}
