/* The node mbus-source: reads the wired meters of one bus when it is triggered.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <meterloom/command.h>

#include "mbus/family.h"
#include "mbus/source.h"
#include "meter/frame.h"

#define LOOK_EVERY (5 * ML_SEC)

/* ---- Parameters ---- */

static int check_baud(const json_t *value, struct ml_error *err)
{
	static const unsigned known[] = {300, 600, 1200, 2400, 4800, 9600, 19200, 38400};
	const json_int_t baud = json_integer_value(value);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (baud == (json_int_t)known[i])
			return 0;
	}
	return ml_error_set(err, -EINVAL,
		"%lld baud: expected 300, 600, 1200, 2400, 4800, 9600, 19200 or 38400",
		(long long)baud);
}

static const struct ml_choice parities[] = {
	{"even", ML_PARITY_EVEN, "what M-Bus meters use"},
	{"none", ML_PARITY_NONE, NULL},
	{"odd", ML_PARITY_ODD, NULL},
	{0},
};

static const struct ml_choice multis[] = {
	{"auto", 1, "while the meter says that more follow"},
	{"off", 0, "only the first"},
	{0},
};

#define FIELD(name) .offset = offsetof(struct mbus_source, name)
#define TIME_PARAM(param, field, label, text) \
	{ \
		.name = param, .kind = ML_PARAM_DURATION, FIELD(timing.field), .title = label, \
		.help = text, .unit = "ms", .preset = "0", .min = 0, .max = 60000, \
		.flags = ML_PARAM_ADVANCED \
	}
#define RETRIES_PARAM(param, field, label, text, standard) \
	{ \
		.name = param, .kind = ML_PARAM_INTEGER, FIELD(timing.field), .title = label, \
		.help = text, .preset = standard, .min = 0, .max = 20, .flags = ML_PARAM_ADVANCED \
	}

static const struct ml_param source_params[] = {
	{.name = "interface",
		.kind = ML_PARAM_STRING,
		FIELD(interface),
		.title = "Interface",
		.help = "Where the level converter is: serial:/dev/ttyUSB0, better by its stable "
			"name "
			"serial:/dev/serial/by-id/NAME; tcp:HOST:PORT for a converter in the "
			"network; "
			"sim:20 for 20 simulated meters.",
		.min = 1,
		.max = 200,
		.flags = ML_PARAM_REQUIRED},
	{.name = "bus",
		.kind = ML_PARAM_STRING,
		FIELD(bus),
		.title = "Bus",
		.help = "The name of this bus in the meter list; its meters are read. Empty: the "
			"default bus.",
		.preset = "\"\"",
		.max = METER_BUS_MAX - 1},
	{.name = "baud",
		.kind = ML_PARAM_INTEGER,
		FIELD(baud),
		.title = "Baud rate",
		.help = "Of all meters that the list gives no rate of their own.",
		.unit = "Bd",
		.preset = "2400",
		.min = 300,
		.max = 38400,
		.check = check_baud},
	{.name = "parity",
		.kind = ML_PARAM_CHOICE,
		FIELD(parity),
		.title = "Parity",
		.help = "Of a serial line, with 8 data bits and 1 stop bit.",
		.preset = "\"even\"",
		.choices = parities,
		.flags = ML_PARAM_ADVANCED},
	{.name = "multi_telegram",
		.kind = ML_PARAM_CHOICE,
		FIELD(multi),
		.title = "Telegrams after the first",
		.help = "Whether a meter's further telegrams are read; a meter of the list may say "
			"otherwise.",
		.preset = "\"auto\"",
		.choices = multis},
	{.name = "telegram_limit",
		.kind = ML_PARAM_INTEGER,
		FIELD(limit),
		.title = "Limit of telegrams",
		.help = "How many telegrams of one meter are read at most.",
		.preset = "16",
		.min = 1,
		.max = 1000,
		.flags = ML_PARAM_ADVANCED},
	TIME_PARAM("response_timeout", response, "Response timeout",
		"From the end of a request to the first byte of its answer. 0: by EN 13757-2 from "
		"the "
		"baud rate, 330 bit times + 50 ms and the first byte (192 ms at 2400 baud), and "
		"the "
		"latency."),
	RETRIES_PARAM("readout_retries", readout_retries, "Readout retries",
		"How often a request without a good answer is sent again.", "2"),
	RETRIES_PARAM("selection_retries", selection_retries, "Selection retries",
		"How often a selection by secondary address is sent again.", "2"),
	TIME_PARAM("initialization_idle_time", initialization, "Initialization idle time",
		"Rest after SND_NKE. 0: 11 bit times."),
	TIME_PARAM("collision_idle_time", collision, "Collision idle time",
		"Rest after a collision or a damaged answer. 0: 330 bit times + 50 ms and the "
		"latency, until every late answer has passed."),
	TIME_PARAM("request_idle_time", request, "Request idle time",
		"Rest between an answer and the next request. 0: 11 bit times."),
	TIME_PARAM("multi_response_timeout", multi_response, "Response timeout, later telegrams",
		"As the response timeout, for the telegrams after the first. 0: the same."),
	RETRIES_PARAM("multi_retries", multi_retries, "Retries, later telegrams",
		"As the readout retries, for the telegrams after the first.", "2"),
	{.name = "latency",
		.kind = ML_PARAM_DURATION,
		FIELD(timing.latency),
		.title = "Latency",
		.help = "What adapter and network may add to each answer; part of the times that "
			"follow from the baud rate.",
		.unit = "ms",
		.preset = "50",
		.min = 0,
		.max = 10000,
		.flags = ML_PARAM_ADVANCED},
	{0},
};

static const struct ml_port source_ports[] = {
	{.name = "in",
		.direction = ML_INPUT,
		.type = &ml_trigger_type,
		.help = "Each trigger starts a round over all active meters of this bus."},
	{.name = "out",
		.direction = ML_OUTPUT,
		.type = &meter_frame_type,
		.help = "The telegrams, and the failed readouts with their reason."},
	{0},
};

static const struct ml_metric source_metrics[] = {
	[MBUS_READ] = {"meters_read", false, "Readouts that succeeded."},
	[MBUS_FAILED] = {"meters_failed", false, "Readouts that failed."},
	[MBUS_TELEGRAMS] = {"telegrams", false, "Good telegrams."},
	[MBUS_UNDELIVERED] = {"undelivered", false, "Frames that were lost further on."},
	[MBUS_ROUNDS] = {"rounds", false, "Rounds that ended."},
	[MBUS_JOINED] = {"triggers_joined", false,
		"Triggers that came while a round ran or waited, and were made one with another."},
	[MBUS_REQUESTS] = {"requests", false, "Frames sent on the line."},
	[MBUS_RETRIES] = {"retries", false, "Of them, sent again."},
	[MBUS_BYTES_OUT] = {"bytes_sent", false, "Bytes sent."},
	[MBUS_BYTES_IN] = {"bytes_received", false, "Bytes received."},
	[MBUS_NOISE] = {"noise_bytes", false, "Bytes that belong to no frame."},
	[MBUS_METERS] = {"meters", true, "Active meters of this bus in the meter list."},
	[MBUS_ROUND_TIME] = {"round_milliseconds", true, "How long the last round took."},
	{0},
};

/* ---- Life ---- */

static int source_check(const void *self, struct ml_check *check, struct ml_error *err)
{
	const struct mbus_source *s = self;
	char name[METER_BUS_MAX + 8];
	const int r = ml_stream_check(ml_check_families(check), s->interface, err);
	if (r) {
		if (err)
			(void)snprintf(err->pointer, sizeof err->pointer, "/interface");
		return r;
	}
	(void)snprintf(name, sizeof name, "bus:%s", s->bus);
	ml_check_claim(check, "bus", name);
	ml_check_claim(check, "interface", s->interface);
	return 0;
}

static void on_timer(struct ml_timer *timer)
{
	struct mbus_source *s = timer->user;
	mbus_master_due(&s->master, ml_node_now(s->node));
	mbus_round_go_on(s);
}

/* The state tells how many meters there are: it follows the list also between rounds. */
static void on_look(struct ml_timer *timer)
{
	struct mbus_source *s = timer->user;
	const uint64_t revision = meter_list_revision(s->list);
	if (revision != s->looked_at && s->line_state == MBUS_LINE_OPEN) {
		s->looked_at = revision;
		mbus_line_show(s);
	}
	ml_timer_start(&s->look, ml_node_now(s->node) + LOOK_EVERY);
}

static void source_start(struct ml_node *node, void *self)
{
	struct mbus_source *s = self;
	s->node = node;
	s->list = meter_list(ml_node_engine(node));
	mbus_master_init(&s->master);
	ml_timer_init(&s->timer, ml_node_lane(node), on_timer, s);
	ml_timer_init(&s->look, ml_node_lane(node), on_look, s);
	mbus_line_start(s);
}

static void source_room(struct ml_node *node, void *self)
{
	struct mbus_source *s = self;
	(void)node;
	mbus_line_start(s);
	mbus_round_go_on(s);
}

static void source_stop(struct ml_node *node, void *self)
{
	struct mbus_source *s = self;
	(void)node;
	ml_timer_stop(&s->timer);
	ml_timer_stop(&s->look);
	mbus_line_stop(s);
	mbus_round_stop(s);
}

static void source_process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	struct mbus_source *s = self;
	(void)port;
	for (size_t i = 0; i < count; i++) {
		struct mbus_want want = {0};
		memcpy(&want.trigger, messages[i]->payload, sizeof want.trigger);
		const bool busy = s->in_round || s->want_count > 0;
		const bool alone = mbus_round_want(s, &want);
		if (busy) {
			ml_node_count(node, MBUS_JOINED, !alone);
			ml_node_log(node, ML_LOG_WARNING, "triggered while a round runs: %s",
				alone ? "one more follows it" : "one more follows it already");
		}
		ml_release(node, messages[i]);
	}
}

static void source_acked(struct ml_node *node, void *self, uint64_t cookie, bool delivered)
{
	(void)self;
	(void)cookie;
	/* What failed there was counted and logged there, with its reason. */
	if (!delivered)
		ml_node_count(node, MBUS_UNDELIVERED, 1);
}

/* ---- Read now ---- */

struct read_now {
	char *meter;
};

static const struct ml_param read_now_params[] = {
	{.name = "meter",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct read_now, meter),
		.title = "Meter",
		.help = "One meter of this bus, by its MOID, its number or #KEY. Empty: all.",
		.preset = "\"\"",
		.max = 100},
	{0},
};

static void read_now_cancelled(struct ml_job *job, void *user)
{
	mbus_round_cancel(user, job);
}

static int find_one(struct mbus_source *s, const char *text, uint32_t *key, struct ml_error *err)
{
	const struct meter_snapshot *snapshot = meter_list_snapshot(s->list);
	const struct meter_point *point = NULL;
	int result = meter_snapshot_find_one(snapshot, text, strlen(text), &point, err);
	if (result == 0 && strcmp(point->settings.bus, s->bus) != 0)
		result = ml_error_set(err, -EINVAL, "the meter %s is on another bus: \"%s\"", text,
			point->settings.bus);
	if (result == 0)
		*key = point->key;
	meter_snapshot_release(snapshot);
	return result;
}

static void read_now(struct ml_node *node, void *self, struct ml_job *job, void *params)
{
	struct mbus_source *s = self;
	const struct read_now *p = params;
	struct mbus_want want = {.job = job};
	struct ml_error err = ML_ERROR_NONE;
	(void)node;
	if (!s->list)
		ml_error_set(&err, -ENOENT, "this gateway keeps no meter list");
	else if (p->meter && p->meter[0])
		(void)find_one(s, p->meter, &want.point, &err);
	if (err.code == 0 && s->want_count == MBUS_WANTS_MAX)
		ml_error_set(
			&err, -EBUSY, "%d rounds wait already: try again later", MBUS_WANTS_MAX);
	if (err.code != 0) {
		ml_job_fail(job, &err);
		return;
	}
	ml_job_on_cancel(job, read_now_cancelled, s);
	(void)mbus_round_want(s, &want);
}

static const struct ml_action source_actions[] = {
	{.name = "read-now",
		.title = "Read now",
		.help = "Reads all meters of this bus, or one, also a passive one. The result "
			"tells how "
			"many were read and how many failed.",
		.params = read_now_params,
		.params_size = sizeof(struct read_now),
		.run = read_now},
	{0},
};

const struct ml_node_class mbus_source_class = {
	.type = "mbus-source",
	.version = 1,
	.title = "Wired M-Bus",
	.help = "Reads the meters of one wired bus (EN 13757-2), by primary or secondary address, "
		"over "
		"a serial line or TCP. Each trigger starts a round over all active meters that the "
		"meter list has on this bus. A trigger that comes while a round runs makes one "
		"more "
		"round after it. Failed readouts go out too, with their reason.",
	.category = "source",
	.params = source_params,
	.ports = source_ports,
	.actions = source_actions,
	.metrics = source_metrics,
	.size = sizeof(struct mbus_source),
	.flags = ML_NODE_SOURCE | ML_NODE_ROUNDS,
	.check = source_check,
	.start = source_start,
	.process = source_process,
	.room = source_room,
	.acked = source_acked,
	.stop = source_stop,
};
