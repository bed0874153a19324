/* The node `store-query`: what a destination has not had yet, as batches.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A range is written down before it is sent and moves the cursor when it was delivered. One is
 * outstanding at a time: while it is, triggers only send it again.
 */
#include "store/query.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/batch.h"
#include "store/nodes.h"
#include "store/writer.h"

enum { PORT_IN, PORT_AFTER, PORT_OUT };
enum { METRIC_BATCHES, METRIC_DELIVERED, METRIC_OUTSTANDING };
enum { ROUNDS_MAX = 32 };

/* A round that is due together with a report begins a moment after its trigger came. */
#define SETTLE_TIME ML_SEC

struct params {
	char *destination, *period, *interval;
	bool wait_for_round;
	ml_time max_wait;
	int64_t limit;
};

struct query {
	struct params params; /* first: the table's offsets */
	struct ml_node *node;
	struct store_writer *writer;
	char destination[METER_DESTINATION_MAX];
	bool fixed;
	ml_time length;  /* of a fixed period; 0: the schedule's */
	ml_time spacing; /* between readings; 0: all */

	bool asked;                       /* a trigger is yet to be served */
	struct ml_trigger trigger;        /* the newest */
	ml_time settle_until, wait_until; /* monotonic */
	uint64_t rounds[ROUNDS_MAX];      /* that run now */
	size_t round_count;
	bool stored; /* a round was stored since the start */

	bool loaded;    /* it is known what is outstanding */
	bool has_range; /* outstanding, on the disk */
	struct store_range range;
	bool emit_wanted; /* there was no room */
	bool in_flight;   /* sent, and not yet acknowledged */
	bool unwritten;   /* delivered, but the cursor could not be moved yet */
	bool more;        /* the next follows without a trigger */
	struct ml_timer timer;
};

static void consider(struct query *query);

/* ---- Trouble ---- */

static void in_trouble(struct query *query, const struct ml_error *err)
{
	ml_node_state(query->node, ML_STATE_FAULT, "%s", err->text);
	ml_timer_start(&query->timer, ml_node_now(query->node) + STORE_RETRY_TIME);
}

static void show_state(struct query *query)
{
	ml_node_gauge(query->node, METRIC_OUTSTANDING,
		query->has_range ? (int64_t)query->range.count : 0);
	if (query->has_range && !query->in_flight)
		ml_node_state(query->node, ML_STATE_WAITING,
			"%llu readings for \"%s\" wait to be sent again by the next trigger",
			(unsigned long long)query->range.count, query->destination);
	else
		ml_node_state(query->node, ML_STATE_RUNNING, NULL);
}

/* ---- Sending ---- */

static void emit(struct query *query)
{
	struct ml_node *node = query->node;
	query->emit_wanted = ml_room(node, PORT_OUT) == 0;
	if (query->emit_wanted)
		return;
	struct ml_message *message =
		ml_message_new(node, &meter_batch_type, sizeof(struct meter_batch), NULL);
	if (!message)
		goto failed;
	struct meter_batch *batch = (struct meter_batch *)(void *)message->payload;
	*batch = (struct meter_batch){.class = &store_batch_class};
	if (store_batch_init(batch, ml_node_engine(node), query->destination, &query->range) < 0 ||
		ml_ack_attach(node, message, 0) < 0) {
		ml_release(node, message);
		goto failed;
	}
	/* Due as it was first asked for, so that it is the same report; what comes next is news. */
	batch->trigger.next = query->trigger.next;
	batch->trigger.period = query->trigger.period;
	query->in_flight = true;
	ml_node_count(node, METRIC_BATCHES, 1);
	ml_emit(node, PORT_OUT, message);
	show_state(query);
	return;
failed:
	ml_node_log(node, ML_LOG_ERROR, "out of memory: the batch waits for the next trigger");
}

/* What a fixed period is. false: the schedule does not tell. */
static bool find_period(const struct query *query, ml_time *from, ml_time *to)
{
	const ml_time length = query->length ? query->length : query->trigger.period;
	*to = query->trigger.due;
	*from = *to - length;
	return length > 0;
}

static int plan(struct query *query, struct ml_error *err)
{
	struct store_writer *writer = query->writer;
	struct store_range *range = &query->range;
	ml_time from, to;
	int result;
	if (!query->fixed)
		result = store_range_plan(writer->db, writer->epoch, query->destination,
			writer->sequence, (unsigned)query->params.limit, query->spacing, range,
			err);
	else if (find_period(query, &from, &to))
		result = store_range_plan_fixed(writer->db, writer->sequence, from, to, range, err);
	else
		result = ml_error_set(err, -EINVAL,
			"the trigger has no period: set `period` to a length such as \"1 d\"");
	range->trigger = query->trigger;
	range->spacing = query->spacing;
	return result;
}

/* Plans and writes down the next range. 0: there is nothing new. */
static int next_range(struct query *query, struct ml_error *err)
{
	struct store_writer *writer = query->writer;
	int result = plan(query, err);
	if (result < 0)
		return result;
	if (query->range.count) {
		result = store_range_save(
			writer->db, writer->epoch, query->destination, &query->range, err);
		query->has_range = result == 0;
		return result < 0 ? result : 1;
	}
	/* Only readouts that failed: they are in no report. */
	if (!query->range.fixed && query->range.last >= query->range.first)
		result = store_range_delivered(
			writer->db, writer->epoch, query->destination, &query->range, err);
	return result;
}

static int load(struct query *query, struct ml_error *err)
{
	int result = store_writer_ready(query->writer, err);
	if (result < 0 || query->loaded)
		return result;
	result = store_range_load(
		query->writer->db, query->writer->epoch, query->destination, &query->range, err);
	query->has_range = result > 0;
	query->loaded = result >= 0;
	return result < 0 ? result : 0;
}

static void send_next(struct query *query)
{
	struct ml_error err = ML_ERROR_NONE;
	int result = load(query, &err);
	if (result == 0 && !query->has_range)
		result = next_range(query, &err);
	if (result == -EINVAL) {
		query->asked = false;
		ml_node_state(query->node, ML_STATE_FAULT, "%s", err.text);
		return;
	}
	if (result < 0) {
		in_trouble(query, &err);
		return;
	}
	query->asked = false;
	query->more = false;
	if (query->has_range)
		emit(query);
	else
		show_state(query);
}

/* ---- Waiting for a round ---- */

/* When it may go: 0 now, else the monotonic time to look again. */
static ml_time wait_until(const struct query *query)
{
	const ml_time now = ml_node_now(query->node);
	if (!query->params.wait_for_round || strcmp(query->trigger.kind, "round-stored") == 0 ||
		now >= query->wait_until)
		return 0;
	if (query->round_count || !query->stored)
		return query->wait_until;
	return now < query->settle_until ? query->settle_until : 0;
}

static void consider(struct query *query)
{
	if (query->unwritten || query->in_flight || query->emit_wanted)
		return;
	if (query->more) {
		send_next(query);
		return;
	}
	if (!query->asked)
		return;
	const ml_time until = wait_until(query);
	if (!until) {
		send_next(query);
		return;
	}
	if (query->round_count || !query->stored)
		ml_node_state(query->node, ML_STATE_RUNNING, "waits for a round to be stored");
	ml_timer_start(&query->timer, until);
}

static void delivered(struct query *query)
{
	struct store_writer *writer = query->writer;
	struct ml_error err = ML_ERROR_NONE;
	int result = store_writer_ready(writer, &err);
	if (result == 0)
		result = store_range_delivered(
			writer->db, writer->epoch, query->destination, &query->range, &err);
	query->unwritten = result < 0;
	if (result < 0) {
		in_trouble(query, &err);
		return;
	}
	ml_node_count(query->node, METRIC_DELIVERED, (int64_t)query->range.count);
	query->has_range = false;
	query->more = query->range.more;
	show_state(query);
	consider(query);
}

static void timer_fired(struct ml_timer *timer)
{
	struct query *query = timer->user;
	if (query->unwritten)
		delivered(query);
	else
		consider(query);
}

/* ---- Told by the engine ---- */

static void forget_round(struct query *query, uint64_t id)
{
	for (size_t i = 0; i < query->round_count; i++) {
		if (query->rounds[i] == id) {
			query->rounds[i] = query->rounds[--query->round_count];
			return;
		}
	}
}

static void process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	struct query *query = self;
	for (size_t i = 0; i < count; i++) {
		const struct ml_trigger *trigger =
			(const struct ml_trigger *)(const void *)messages[i]->payload;
		if (port == PORT_IN) {
			query->asked = true;
			query->trigger = *trigger;
			query->settle_until = ml_node_now(node) + SETTLE_TIME;
			query->wait_until = ml_node_now(node) + query->params.max_wait;
		} else {
			query->stored = true;
			forget_round(query, trigger->round);
		}
		ml_release(node, messages[i]);
	}
	consider(query);
}

static void on_round(struct ml_node *node, void *self, const struct ml_round *round)
{
	struct query *query = self;
	(void)node;
	forget_round(query, round->id);
	if (round->phase == ML_ROUND_END)
		query->stored = true;
	else if (query->round_count < ROUNDS_MAX)
		query->rounds[query->round_count++] = round->id;
	consider(query);
}

static void room(struct ml_node *node, void *self)
{
	struct query *query = self;
	(void)node;
	if (query->emit_wanted)
		emit(query);
}

static void acked(struct ml_node *node, void *self, uint64_t cookie, bool ok)
{
	struct query *query = self;
	(void)node;
	(void)cookie;
	query->in_flight = false;
	if (ok) {
		delivered(query);
		return;
	}
	show_state(query);
	consider(query);
}

static int prepare(struct ml_node *node, void *self, struct ml_error *err)
{
	struct query *query = self;
	const struct params *params = &query->params;
	const char *name = params->destination ? params->destination : ml_node_id(node);
	query->writer = store_writer(ml_node_engine(node));
	if (!query->writer)
		return ml_error_set(err, -ENOTSUP, "this engine has no service \"readings\"");
	if (strlen(name) >= sizeof query->destination)
		return ml_error_set(err, -EINVAL, "the destination's name is longer than %d bytes",
			METER_DESTINATION_MAX - 1);
	(void)snprintf(query->destination, sizeof query->destination, "%s", name);
	query->fixed = strcmp(params->period, "auto") != 0;
	if (query->fixed && strcmp(params->period, "fixed") != 0 &&
		store_duration_parse(params->period, &query->length, err) < 0)
		return -EINVAL;
	if (strcmp(params->interval, "all") != 0 &&
		store_duration_parse(params->interval, &query->spacing, err) < 0)
		return -EINVAL;
	return store_check_lane(node, err);
}

static void start(struct ml_node *node, void *self)
{
	struct query *query = self;
	struct ml_error err = ML_ERROR_NONE;
	query->node = node;
	ml_timer_init(&query->timer, ml_node_lane(node), timer_fired, query);
	if (load(query, &err) < 0)
		ml_node_state(node, ML_STATE_FAULT, "%s", err.text);
	else
		show_state(query);
}

static int check(const void *self, struct ml_check *check, struct ml_error *err)
{
	const struct params *params = self;
	char claim[METER_DESTINATION_MAX + 16];
	(void)err;
	if (params->destination) {
		(void)snprintf(claim, sizeof claim, "destination:%s", params->destination);
		ml_check_claim(check, "destination", claim);
	}
	return 0;
}

static int check_duration(
	const json_t *value, const char *first, const char *second, struct ml_error *err)
{
	ml_time duration;
	const char *text = json_string_value(value);
	if (!text || strcmp(text, first) == 0 || (second && strcmp(text, second) == 0))
		return 0;
	if (store_duration_parse(text, &duration, NULL) == 0)
		return 0;
	return ml_error_set(err, -EINVAL,
		"\"%.40s\": expected \"%s\"%s%s%s or a length of time such as \"15 min\" or "
		"\"1 d\"",
		text, first, second ? ", \"" : "", second ? second : "", second ? "\"" : "");
}

static int check_period(const json_t *value, struct ml_error *err)
{
	return check_duration(value, "auto", "fixed", err);
}

static int check_interval(const json_t *value, struct ml_error *err)
{
	return check_duration(value, "all", NULL, err);
}

static const struct ml_param params_table[] = {
	{.name = "destination",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct params, destination),
		.title = "Destination",
		.help = "The name under which it is remembered what was sent. It survives renames "
			"of nodes; another name begins anew with all that is in the store. Left "
			"out: the node's id.",
		.min = 1,
		.max = METER_DESTINATION_MAX - 1,
		.flags = ML_PARAM_NULLABLE},
	{.name = "period",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct params, period),
		.title = "Period",
		.help = "\"auto\": all readings that were not yet delivered, oldest first. "
			"\"fixed\": all of the schedule's period before the trigger, sent before "
			"or "
			"not. A length such as \"1 d\": all of so much time before the trigger.",
		.preset = "\"auto\"",
		.max = 32,
		.check = check_period},
	{.name = "interval",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct params, interval),
		.title = "Interval",
		.help = "\"all\": every reading. A length such as \"1 h\": of each meter the first "
			"reading of each such stretch of time.",
		.preset = "\"all\"",
		.max = 32,
		.check = check_interval},
	{.name = "wait_for_round",
		.kind = ML_PARAM_BOOL,
		.offset = offsetof(struct params, wait_for_round),
		.title = "Wait for the readout",
		.help = "Whether a trigger waits while a round is running, and after the start for "
			"the first one. Wire `round-stored` of the store to `after`.",
		.preset = "false"},
	{.name = "max_wait",
		.kind = ML_PARAM_DURATION,
		.offset = offsetof(struct params, max_wait),
		.title = "Longest wait",
		.help = "After this time it goes without the round.",
		.unit = "s",
		.preset = "900",
		.min = 1,
		.max = 86400},
	{.name = "limit",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct params, limit),
		.title = "Readouts a meter",
		.help = "At most so many readouts of each meter are in one batch; what is left "
			"follows at once in the next. Does not hold for fixed periods.",
		.preset = "180",
		.min = 1,
		.max = 10000,
		.flags = ML_PARAM_ADVANCED},
	{0},
};

static const struct ml_port ports[] = {
	{.name = "in",
		.direction = ML_INPUT,
		.type = &ml_trigger_type,
		.required = true,
		.help = "When to send."},
	{.name = "after",
		.direction = ML_INPUT,
		.type = &ml_trigger_type,
		.help = "That rounds are stored, from `round-stored` of the store."},
	{.name = "out",
		.direction = ML_OUTPUT,
		.type = &meter_batch_type,
		.help = "What is to be sent. Its acknowledgement tells whether it was delivered."},
	{0},
};

static const struct ml_metric metrics[] = {
	{"batches", false, "Batches sent, also again."},
	{"delivered", false, "Readings that were delivered."},
	{"outstanding", true, "Readings that were sent and are not yet delivered."},
	{0},
};

const struct ml_node_class store_query_class = {
	.type = "store-query",
	.version = 1,
	.title = "Query of the store",
	.help = "Gives what a destination has not had yet, as a batch for a template. What was "
		"sent is remembered for each destination and moves on only when it was delivered: "
		"what fails is sent again, the same readings, by the next trigger.",
	.category = "report",
	.params = params_table,
	.ports = ports,
	.metrics = metrics,
	.size = sizeof(struct query),
	.lane = STORE_LANE,
	.flags = ML_NODE_QUERY | ML_NODE_ONE_SINK,
	.check = check,
	.prepare = prepare,
	.start = start,
	.process = process,
	.round = on_round,
	.room = room,
	.acked = acked,
};
