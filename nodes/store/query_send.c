/* Sending: a range is written down, sent, sent again as it is, and written off.
 * SPDX-License-Identifier: Apache-2.0
 *
 * One is outstanding at a time: while it is, triggers only send it again. What a person has asked
 * to be sent again (resend) goes in the gaps, piece by piece.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <meterloom/event.h>

#include "store/batch.h"
#include "store/damage.h"
#include "store/query_node.h"

/* ---- State ---- */

void query_trouble(struct store_query *query, const struct ml_error *err)
{
	struct ml_engine *engine = query->writer->engine;
	if (err->code == -EUCLEAN)
		store_damage_found(engine, store_damage_file(engine), err->text);
	ml_node_state(query->node, ML_STATE_FAULT, "%s", err->text);
	ml_timer_start(&query->timer, ml_node_now(query->node) + STORE_RETRY_TIME);
}

void query_show_state(struct store_query *query)
{
	const struct store_outstanding *out = &query->out;
	ml_node_gauge(query->node, QUERY_OUTSTANDING, query->has ? (int64_t)out->range.count : 0);
	if (query->has && out->refused)
		ml_node_state(query->node, ML_STATE_FAULT,
			"the report for \"%s\" was refused: %s; report.rebuild sends it anew, "
			"report.discard gives it up",
			query->destination, out->reason);
	else if (query->has && !query->in_flight)
		ml_node_state(query->node, ML_STATE_WAITING,
			"%llu readings for \"%s\" wait to be sent again by the next trigger%s%s",
			(unsigned long long)out->range.count, query->destination,
			out->reason[0] ? ": " : "", out->reason);
	else
		ml_node_state(query->node, ML_STATE_RUNNING, NULL);
}

/* ---- Messages ---- */

struct ml_message *query_message(struct store_query *query, const struct store_range *range,
	struct meter_delivery *delivery, uint64_t cookie)
{
	struct ml_node *node = query->node;
	struct ml_message *message =
		ml_message_new(node, &meter_batch_type, sizeof(struct meter_batch), NULL);
	if (!message)
		return NULL;
	struct meter_batch *batch = (struct meter_batch *)(void *)message->payload;
	*batch = (struct meter_batch){.class = &store_batch_class};
	if (store_batch_init(batch, ml_node_engine(node), query->destination, range) < 0 ||
		ml_ack_attach(node, message, cookie) < 0) {
		ml_release(node, message);
		return NULL;
	}
	batch->delivery = meter_delivery_retain(delivery);
	batch->test = meter_delivery_purpose(delivery) == METER_DELIVERY_TEST;
	return message;
}

static void emit(struct store_query *query)
{
	struct ml_node *node = query->node;
	query->emit_wanted = ml_room(node, QUERY_OUT) == 0;
	if (query->emit_wanted)
		return;
	query->delivery = store_outbox_delivery(
		query->outbox, query->destination, query->out.key, METER_DELIVERY_REPORT);
	struct ml_message *message = query->delivery ? query_message(query, &query->out.range,
							       query->delivery, QUERY_COOKIE_REPORT)
						     : NULL;
	if (!message) {
		meter_delivery_release(query->delivery);
		query->delivery = NULL;
		ml_node_log(
			node, ML_LOG_ERROR, "out of memory: the batch waits for the next trigger");
		return;
	}
	/* Due as it was first asked for, so that it is the same report; what comes next is news. */
	struct meter_batch *batch = (struct meter_batch *)(void *)message->payload;
	batch->trigger.next = query->trigger.next;
	batch->trigger.period = query->trigger.period;
	query->in_flight = true;
	ml_node_count(node, QUERY_BATCHES, 1);
	ml_emit(node, QUERY_OUT, message);
	query_show_state(query);
}

void query_room(struct store_query *query)
{
	if (query->emit_wanted)
		emit(query);
}

/* ---- What is next ---- */

/* What a fixed period is. false: the schedule does not tell. */
static bool find_period(const struct store_query *query, ml_time *from, ml_time *to)
{
	const ml_time length = query->length ? query->length : query->trigger.period;
	*to = query->trigger.due;
	*from = *to - length;
	return length > 0;
}

int query_plan(struct store_query *query, struct store_range *range, struct ml_error *err)
{
	struct store_writer *writer = query->writer;
	ml_time from, to;
	int result;
	if (!query->fixed)
		result = store_range_plan(writer->engine, writer->db, writer->epoch,
			query->destination, writer->sequence, (unsigned)query->params.limit,
			query->spacing, range, err);
	else if (find_period(query, &from, &to))
		result = store_range_plan_fixed(
			writer->engine, writer->db, writer->sequence, from, to, range, err);
	else
		result = ml_error_set(err, -EINVAL,
			"the trigger has no period: set `period` to a length such as \"1 d\"");
	range->trigger = query->trigger;
	range->spacing = query->spacing;
	return result;
}

/* The next piece of what is to be sent again; those without a reading are passed over. */
static int plan_resend(struct store_query *query, struct ml_error *err)
{
	struct store_writer *writer = query->writer;
	struct store_range *range = &query->out.range;
	struct store_resend resend;
	int result;
	while ((result = store_resend_next(
			writer->db, writer->epoch, query->destination, &resend, err)) > 0) {
		result = store_range_plan_piece(writer->engine, writer->db, resend.until,
			resend.from, resend.to, (unsigned)query->params.limit, range, err);
		if (result < 0 || range->count)
			break;
		result = store_resend_advance(writer->db, resend.key, resend.to, err);
		if (result < 0)
			break;
	}
	if (result < 0 || !range->count)
		return result;
	query->out.resend = resend.key;
	range->spacing = query->spacing;
	/* Its own hour in file names; pieces of one resend do not share it with each other. */
	range->trigger = (struct ml_trigger){.kind = "resend",
		.due = resend.asked + (ml_time)resend.pieces * ML_SEC,
		.next = ML_NEVER,
		.period = query->trigger.period};
	return 0;
}

/* Plans and writes down the next range. 0: there is nothing. */
static int next_range(struct store_query *query, struct ml_error *err)
{
	struct store_writer *writer = query->writer;
	struct store_range *range = &query->out.range;
	int result = 0;
	query->out = (struct store_outstanding){.range = {.count = 0}};
	if (query->asked || (query->more && !query->fixed)) {
		result = query_plan(query, range, err);
		/* Only readouts that failed: they are in no report. */
		if (result == 0 && !range->count && !range->fixed && range->last >= range->first)
			result = store_cursor_move(
				writer->db, writer->epoch, query->destination, range->last, err);
	}
	if (result == 0 && !range->count)
		result = plan_resend(query, err);
	if (result < 0 || !range->count)
		return result;
	result = store_outbox_draw(query->outbox, query->out.key, err);
	if (result == 0)
		result = store_outstanding_save(
			writer->db, writer->epoch, query->destination, &query->out, err);
	query->has = result == 0;
	return result;
}

/* Two nodes for one destination would send the same range twice. Where one has its name by its id,
 * the check of the graph does not see it. */
static int check_alone(const struct store_query *query, struct ml_error *err)
{
	for (const struct store_query *q = query->writer->queries; q; q = q->next) {
		if (q != query && strcmp(q->destination, query->destination) == 0)
			return ml_error_set(err, -EBUSY,
				"the node \"%s\" is for the destination \"%s\" too: give each its "
				"own",
				ml_node_id(q->node), query->destination);
	}
	return 0;
}

int query_load(struct store_query *query, struct ml_error *err)
{
	int result = check_alone(query, err);
	if (result == 0)
		result = store_writer_ready(query->writer, err);
	if (result == 0)
		result = store_outbox_tidy(query->outbox, query->writer->db, err);
	if (result < 0 || (query->loaded && query->epoch == query->writer->epoch))
		return result;
	query->epoch = query->writer->epoch;
	result = store_outstanding_load(
		query->writer->db, query->writer->epoch, query->destination, &query->out, err);
	query->has = result > 0;
	query->loaded = result >= 0;
	return result < 0 ? result : 0;
}

static void send_next(struct store_query *query)
{
	struct ml_error err = ML_ERROR_NONE;
	int result = query_load(query, &err);
	if (result == 0 && query->has)
		query->missed = query->missed || query->asked;
	else if (result == 0)
		result = next_range(query, &err);
	if (result == -EINVAL) {
		query->asked = false;
		ml_node_state(query->node, ML_STATE_FAULT, "%s", err.text);
		return;
	}
	if (result < 0) {
		query_trouble(query, &err);
		return;
	}
	query->asked = false;
	query->more = false;
	query->again = false;
	if (query->has && !query->out.refused)
		emit(query);
	else
		query_show_state(query);
}

void query_consider(struct store_query *query)
{
	if (query->unwritten || query->unsaved || query->in_flight || query->emit_wanted)
		return;
	if (query->more || (query->again && !query->asked)) {
		send_next(query);
		return;
	}
	if (!query->asked)
		return;
	if (query_waits_for_clock(query)) {
		ml_node_state(query->node, ML_STATE_WAITING,
			"waits until the clock is known to be right: see clock.show");
		ml_timer_start(&query->timer, ml_node_now(query->node) + QUERY_CLOCK_TIME);
		return;
	}
	const ml_time until = query_wait_until(query);
	if (!until) {
		send_next(query);
		return;
	}
	if (query_waits_for_round(query))
		ml_node_state(query->node, ML_STATE_RUNNING, "waits for a round to be stored");
	ml_timer_start(&query->timer, until);
}

/* ---- How it ended ---- */

static bool has_resend(struct store_query *query)
{
	struct store_resend resend;
	return store_resend_next(query->writer->db, query->writer->epoch, query->destination,
		       &resend, NULL) > 0;
}

static void delivered(struct store_query *query)
{
	struct store_writer *writer = query->writer;
	struct ml_error err = ML_ERROR_NONE;
	struct ml_buffer documents = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &documents);
	meter_delivery_documents(query->delivery, &w);
	const struct store_ending ending = {.result = METER_DELIVERY_DELIVERED,
		.time = query->delivered_at,
		.reason = "",
		.documents = documents.failed ? NULL : documents.data};
	int result = store_writer_ready(writer, &err);
	/* Of another database: there it is not outstanding. */
	if (result == 0 && query->epoch == writer->epoch)
		result = store_outstanding_end(
			writer->db, writer->epoch, query->destination, &query->out, &ending, &err);
	ml_buffer_free(&documents);
	query->unwritten = result < 0;
	if (result < 0) {
		query_trouble(query, &err);
		return;
	}
	store_outbox_remove(query->outbox, query->out.key);
	meter_delivery_release(query->delivery);
	query->delivery = NULL;
	ml_node_count(query->node, QUERY_DELIVERED, (int64_t)query->out.range.count);
	query->has = false;
	/* What gathered while it was on its way follows at once; so does what a person asked for.
	 */
	query->asked = query->asked || (query->missed && query->trigger.kind[0]);
	query->more = query->out.range.more && !query->out.resend;
	query->again = has_resend(query);
	query->missed = false;
	query_show_state(query);
	query_consider(query);
}

static void save_failure(struct store_query *query)
{
	struct store_writer *writer = query->writer;
	struct ml_error err = ML_ERROR_NONE;
	int result = store_writer_ready(writer, &err);
	if (result == 0 && query->epoch == writer->epoch)
		result = store_outstanding_save(
			writer->db, writer->epoch, query->destination, &query->out, &err);
	query->unsaved = result < 0;
	if (result < 0)
		query_trouble(query, &err);
	else
		query_show_state(query);
}

static void failed(struct store_query *query)
{
	struct store_outstanding *out = &query->out;
	struct meter_delivery_outcome outcome;
	meter_delivery_outcome(query->delivery, &outcome);
	meter_delivery_release(query->delivery);
	query->delivery = NULL;
	out->tries++;
	out->tried = ml_node_wall(query->node);
	out->refused = outcome.result == METER_DELIVERY_REFUSED;
	if (outcome.receiver[0])
		(void)snprintf(out->reason, sizeof out->reason, "%.100s: %.150s", outcome.receiver,
			outcome.reason);
	else
		(void)snprintf(out->reason, sizeof out->reason, "%s",
			outcome.result ? outcome.reason
				       : "it was given up before it was delivered");
	if (out->refused)
		ml_event_raise(ml_node_engine(query->node), "delivery-stopped",
			ml_node_id(query->node), "destination", query->destination, "reason",
			out->reason, NULL);
	save_failure(query);
	query_consider(query);
}

void query_acked(struct store_query *query, bool ok)
{
	query->in_flight = false;
	query->delivered_at = ml_node_wall(query->node);
	if (ok)
		delivered(query);
	else
		failed(query);
}

void query_timer_fired(struct ml_timer *timer)
{
	struct store_query *query = timer->user;
	struct ml_error err = ML_ERROR_NONE;
	if (!query->loaded) {
		/* As at the start, once it is possible. */
		if (query_load(query, &err) < 0) {
			query_trouble(query, &err);
			return;
		}
		query_show_state(query);
		query_go_on(query);
		return;
	}
	if (query->unwritten)
		delivered(query);
	else if (query->unsaved)
		save_failure(query);
	query_consider(query);
}

/* ---- Told by commands ---- */

void query_go_on(struct store_query *query)
{
	query->again = !query->has && has_resend(query);
	query_consider(query);
}

void query_replace(
	struct store_query *query, const struct store_outstanding *outstanding, bool send)
{
	query->has = outstanding != NULL;
	query->loaded = true;
	query->epoch = query->writer->epoch;
	query->unsaved = false;
	query->emit_wanted = false;
	query->missed = query->missed && query->has;
	if (outstanding)
		query->out = *outstanding;
	query_show_state(query);
	query->more = query->more || send;
	if (outstanding)
		query_consider(query);
	else
		query_go_on(query);
}
