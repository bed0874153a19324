/* The node `store-query`: what a destination has not had yet, as batches.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A range is written down before it is sent and moves the cursor when it was delivered. One is
 * outstanding at a time: while it is, triggers only send it again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/nodes.h"
#include "store/query_node.h"

struct store_query *store_query_find(const struct store_writer *writer, const char *destination)
{
	struct store_query *query = writer->queries;
	while (query && strcmp(query->destination, destination) != 0)
		query = query->next;
	return query;
}

/* ---- Told by the engine ---- */

static void process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	struct store_query *query = self;
	for (size_t i = 0; i < count; i++) {
		const struct ml_trigger *trigger =
			(const struct ml_trigger *)(const void *)messages[i]->payload;
		if (port == QUERY_IN) {
			query->asked = true;
			query->trigger = *trigger;
			query_wait_begin(query);
		} else {
			query_wait_stored(query, trigger->round);
		}
		ml_release(node, messages[i]);
	}
	query_consider(query);
}

static void on_round(struct ml_node *node, void *self, const struct ml_round *round)
{
	struct store_query *query = self;
	(void)node;
	query_wait_round(query, round);
	query_consider(query);
}

static void room(struct ml_node *node, void *self)
{
	(void)node;
	query_room(self);
}

static void acked(struct ml_node *node, void *self, uint64_t cookie, bool ok)
{
	(void)node;
	if (cookie == QUERY_COOKIE_EXTRA)
		query_extra_acked(self, ok);
	else
		query_acked(self, ok);
}

static int prepare(struct ml_node *node, void *self, struct ml_error *err)
{
	struct store_query *query = self;
	const struct query_params *params = &query->params;
	const char *name = params->destination ? params->destination : ml_node_id(node);
	query->writer = store_writer(ml_node_engine(node));
	query->outbox = store_outbox(ml_node_engine(node));
	if (!query->writer || !query->outbox)
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
	struct store_query *query = self;
	struct ml_error err = ML_ERROR_NONE;
	query->node = node;
	query->next = query->writer->queries;
	query->writer->queries = query;
	ml_timer_init(&query->timer, ml_node_lane(node), query_timer_fired, query);
	if (query_load(query, &err) < 0) {
		query_trouble(query, &err);
		return;
	}
	query_show_state(query);
	/* What a person had asked for goes on by itself; what is outstanding waits for a trigger.
	 */
	query_go_on(query);
}

static void stop(struct ml_node *node, void *self)
{
	struct store_query *query = self;
	(void)node;
	query_extra_stop(query);
	meter_delivery_release(query->delivery);
	query->delivery = NULL;
	for (struct store_query **at = &query->writer->queries; *at; at = &(*at)->next) {
		if (*at == query) {
			*at = query->next;
			break;
		}
	}
}

static int check(const void *self, struct ml_check *check, struct ml_error *err)
{
	const struct query_params *params = self;
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

/* Version 1 had a bool: whether it waits for any round. */
static int migrate(unsigned from, json_t *params, struct ml_error *err)
{
	(void)from;
	const bool wait = json_is_true(json_object_get(params, "wait_for_round"));
	const bool given = json_is_boolean(json_object_get(params, "wait_for_round"));
	if (given)
		(void)json_object_del(params, "wait_for_round");
	if (wait && !json_object_get(params, "wait_for") &&
		json_object_set_new(params, "wait_for", json_pack("[s]", "*")) < 0)
		return ml_error_set(err, -ENOMEM, "out of memory");
	return 0;
}

static const struct ml_param params_table[] = {
	{.name = "destination",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct query_params, destination),
		.title = "Destination",
		.help = "The name under which it is remembered what was sent. It survives renames "
			"of nodes; another name begins anew with all that is in the store. Left "
			"out: the node's id.",
		.min = 1,
		.max = METER_DESTINATION_MAX - 1,
		.flags = ML_PARAM_NULLABLE},
	{.name = "period",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct query_params, period),
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
		.offset = offsetof(struct query_params, interval),
		.title = "Interval",
		.help = "\"all\": every reading. A length such as \"1 h\": of each meter the first "
			"reading of each such stretch of time.",
		.preset = "\"all\"",
		.max = 32,
		.check = check_interval},
	{.name = "wait_for",
		.kind = ML_PARAM_STRINGS,
		.offset = offsetof(struct query_params, wait_for),
		.title = "Wait for readouts",
		.help = "The buses, or the ids of the nodes that read them, whose rounds a trigger "
			"waits for while they run, and after the start for the first of each; "
			"\"*\" "
			"is any. Left out: a report by a preset schedule waits for the rounds that "
			"are due at the same time, one by a cron pattern waits for none. Wire "
			"`round-stored` of the store to `after`.",
		.max = QUERY_WAIT_FOR_MAX,
		.flags = ML_PARAM_NULLABLE},
	{.name = "max_wait",
		.kind = ML_PARAM_DURATION,
		.offset = offsetof(struct query_params, max_wait),
		.title = "Longest wait",
		.help = "After this time it goes without the rounds.",
		.unit = "s",
		.preset = "900",
		.min = 1,
		.max = 86400},
	{.name = "limit",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct query_params, limit),
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
	.version = 2,
	.title = "Query of the store",
	.help = "Gives what a destination has not had yet, as a batch for a template. What was "
		"sent is remembered for each destination and moves on only when it was delivered: "
		"what fails is sent again, the same bytes, by the next trigger. What the receiver "
		"refuses for good waits for report.rebuild or report.discard.",
	.category = "report",
	.params = params_table,
	.ports = ports,
	.metrics = metrics,
	.size = sizeof(struct store_query),
	.lane = STORE_LANE,
	.flags = ML_NODE_QUERY | ML_NODE_ONE_SINK,
	.check = check,
	.prepare = prepare,
	.start = start,
	.process = process,
	.round = on_round,
	.room = room,
	.acked = acked,
	.stop = stop,
	.migrate = migrate,
};
