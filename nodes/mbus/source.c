/* The node mbus-source: reads the wired meters of one bus when it is triggered.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "mbus/buses.h"
#include "mbus/family.h"
#include "mbus/search_run.h"
#include "mbus/source.h"
#include "meter/frame.h"
#include "meter/origin.h"
#include "meter/readout.h"

#define LOOK_EVERY (5 * ML_SEC)

static const struct ml_port source_ports[] = {
	{.name = "in",
		.direction = ML_INPUT,
		.type = &ml_trigger_type,
		.help = "Each trigger starts a round over all active meters of this bus."},
	{.name = "out",
		.direction = ML_OUTPUT,
		.type = &meter_frame_type,
		.help = "The telegrams, and the failed readouts with their reason."},
	{.name = "continuous",
		.direction = ML_OUTPUT,
		.type = &meter_frame_type,
		.by_name = true,
		.help = "The same of the continuous readout: for current values, not for a store."},
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
	[MBUS_BROKEN] = {"broken_bytes", false, "Bytes with a parity or framing error."},
	[MBUS_SILENT] = {"silent_meters", true, "Meters that failed three times or more in a row."},
	[MBUS_PASSES] = {"continuous_passes", false, "Passes of the continuous readout."},
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
	mbus_line_look(s);
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
	s->readouts = meter_readouts(ml_node_engine(node));
	s->origin = meter_origin_number(
		ml_node_engine(node), ml_node_id(node), s->bus, s->interface, NULL);
	mbus_master_init(&s->master);
	ml_timer_init(&s->timer, ml_node_lane(node), on_timer, s);
	ml_timer_init(&s->look, ml_node_lane(node), on_look, s);
	mbus_buses_join(
		mbus_buses(ml_node_engine(node)), s, ml_node_id(node), s->bus, s->interface);
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
	mbus_buses_leave(mbus_buses(ml_node_engine(node)), s);
	ml_timer_stop(&s->timer);
	ml_timer_stop(&s->look);
	mbus_line_stop(s);
	mbus_record_stop(s);
	mbus_round_stop(s);
	mbus_search_stop(s);
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

const struct ml_node_class mbus_source_class = {
	.type = "mbus-source",
	.version = 1,
	.title = "Wired M-Bus",
	.help = "Reads the meters of one wired bus (EN 13757-2), by primary or secondary address, "
		"over "
		"a serial line or TCP. Each trigger starts a round over all active meters that the "
		"meter list has on this bus. A trigger that comes while a round runs makes one "
		"more "
		"round after it. Failed readouts go out too, with their reason. A meter that fails "
		"is "
		"tried once more after all others; one that failed three rounds in a row is tried "
		"last and once only until it answers again.",
	.category = "source",
	.params = mbus_source_params,
	.ports = source_ports,
	.actions = mbus_source_actions,
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
