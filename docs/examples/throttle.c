/* The node `throttle`: passes on at most one reading of a meter in a given time. An example.
 * SPDX-License-Identifier: Apache-2.0
 *
 * docs/how-to/write-a-node.md walks through this file; tests/example/test-throttle.c tests it.
 *
 * A node is one file: what it is told (parameters), what it is joined to (ports), what it counts
 * (metrics), what a person can ask of it (actions), what it does, and at the end the class that
 * says all of this to the engine.
 */
#include "throttle.h"

#include <errno.h>
#include <stdlib.h>

/* Only public headers of the engine, one's own files, and nodes/meter/ for what a reading is. */
#include <meterloom/command.h>
#include <meterloom/node.h>

#include "meter/reading_message.h"

/* Ports and metrics are named by their places in their tables below. */
enum { PORT_IN, PORT_OUT };
enum { METRIC_PASSED, METRIC_HELD_BACK, METRIC_METERS };

/* Memory is bounded: so many meters are remembered. A power of two, see find(). */
enum { METERS_MAX = 4096 };

struct slot {
	struct meter_identity meter;
	bool used;
	ml_time passed; /* monotonic time at which its last reading went on */
};

/* An instance. The engine allocates it, zeroed, and fills in the parameters. A node lives on one
 * lane, so that nothing in it needs a lock. */
struct throttle {
	ml_time interval; /* a parameter */
	struct slot *slots;
	unsigned count; /* of slots in use */
};

/* ---- What it does ---- */

/* The slot of a meter, in use or free for it; NULL: all are taken by others. */
static struct slot *find(const struct throttle *self, struct meter_identity meter)
{
	const uint32_t hash = (meter.id ^ (uint32_t)meter.manufacturer << 16) * 2654435761U;
	for (uint32_t i = 0; i < METERS_MAX; i++) {
		struct slot *slot = &self->slots[(hash + i) & (METERS_MAX - 1)];
		if (!slot->used || meter_identity_equal(slot->meter, meter))
			return slot;
	}
	return NULL;
}

/* Whether the reading goes on. */
static bool due(struct ml_node *node, struct throttle *self, const struct meter_reading *reading)
{
	/* What failed, or names no meter, is for those behind this node to judge: nothing is lost
	 * in silence. */
	if (reading->flags & METER_NOT_READ || !(reading->flags & METER_HAS_IDENTITY))
		return true;
	struct slot *slot = find(self, reading->meter);
	if (!slot)
		return true;
	/* Time is an input: the engine's, never the system's, so that tests can simulate it. This
	 * is monotonic time, which nobody sets; ml_node_wall() is that of calendars. */
	const ml_time now = ml_node_now(node);
	if (slot->used && now - slot->passed < self->interval)
		return false;
	if (!slot->used) {
		slot->used = true;
		slot->meter = reading->meter;
		ml_node_gauge(node, METRIC_METERS, ++self->count);
		/* What a person should know is a state, shown on the page beside the node. */
		if (self->count == METERS_MAX)
			ml_node_state(node, ML_STATE_RUNNING,
				"%d meters are remembered; those of others all go on", METERS_MAX);
	}
	slot->passed = now;
	return true;
}

/* Called with a batch of messages of one input, on the node's lane, and only when there is room for
 * all that they may put out (`most` in the ports). It must not block. Each message is given away
 * exactly once: emitted, released (done with it), or failed. */
static void throttle_process(struct ml_node *node, void *user, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	struct throttle *self = user;
	(void)port; /* there is one input */
	for (size_t i = 0; i < count; i++) {
		if (due(node, self, meter_reading(messages[i]))) {
			ml_node_count(node, METRIC_PASSED, 1);
			ml_emit(node, PORT_OUT, messages[i]);
		} else {
			/* Held back on purpose: its ack is delivered, the source need not send it
			 * again. ml_fail() would say that it is lost. */
			ml_node_count(node, METRIC_HELD_BACK, 1);
			ml_release(node, messages[i]);
		}
	}
}

/* What a person can ask of it. An action is a job, which ends with a result or an error. */
static void run_forget(struct ml_node *node, void *user, struct ml_job *job, void *params)
{
	struct throttle *self = user;
	(void)params; /* it has none */
	for (size_t i = 0; i < METERS_MAX; i++)
		self->slots[i] = (struct slot){.used = false};
	self->count = 0;
	ml_node_gauge(node, METRIC_METERS, 0);
	ml_node_state(node, ML_STATE_RUNNING, NULL);
	ml_job_succeed(job);
}

/* ---- Its life ---- */

/* Before the new graph takes effect, while the old one still runs. It may fail: then nothing
 * changes. What it makes is freed in destroy, also after a failure. */
static int throttle_prepare(struct ml_node *node, void *user, struct ml_error *err)
{
	struct throttle *self = user;
	(void)node;
	self->slots = calloc(METERS_MAX, sizeof *self->slots);
	return self->slots ? 0 : ml_error_set(err, -ENOMEM, "out of memory");
}

static void throttle_destroy(void *user)
{
	const struct throttle *self = user;
	free(self->slots);
}

/* ---- What it declares ---- */

/* From this table come the check of a graph with located errors, the JSON Schema, the form of the
 * editor, and the reference. `offset` is the field that the engine fills in. */
static const struct ml_param params[] = {
	{.name = "interval",
		.kind = ML_PARAM_DURATION,
		.offset = offsetof(struct throttle, interval),
		.title = "Interval",
		.help = "At most one reading of a meter goes on in this time. Make it a little "
			"shorter than the schedule that it is to fit.",
		.unit = "s",
		.preset = "900",
		.min = 1,
		.max = 86400},
	{0},
};

/* An edge joins ports of one type of message. */
static const struct ml_port ports[] = {
	[PORT_IN] = {.name = "in",
		.direction = ML_INPUT,
		.type = &meter_reading_type,
		.required = true, /* the check of a graph says so where it is not wired */
		.help = "Readings."},
	[PORT_OUT] = {.name = "out",
		.direction = ML_OUTPUT,
		.type = &meter_reading_type,
		.most = 1, /* for each message that comes in */
		.help = "At most one reading of each meter in the interval."},
	{0},
};

static const struct ml_metric metrics[] = {
	[METRIC_PASSED] = {.name = "passed", .help = "Readings that went on."},
	[METRIC_HELD_BACK] = {.name = "held_back", .help = "Readings that came too soon."},
	[METRIC_METERS] = {.name = "meters", .gauge = true, .help = "Meters that are remembered."},
	{0},
};

static const struct ml_action actions[] = {
	{.name = "forget",
		.title = "Forget",
		.help = "Lets the next reading of each meter through.",
		.run = run_forget},
	{0},
};

const struct ml_node_class throttle_class = {
	.type = "throttle",
	.version = 1, /* of the parameters; migrate() brings older ones to a later version */
	.title = "Throttle readings",
	.help = "Passes on at most one reading of each meter in a given time. Failed readouts go "
		"on.",
	.category = "process",
	.params = params,
	.ports = ports,
	.actions = actions,
	.metrics = metrics,
	.size = sizeof(struct throttle),
	.prepare = throttle_prepare,
	.process = throttle_process,
	.destroy = throttle_destroy,
};

/* A family hands classes to the engine. nodes/families.c has those of the program. */
static const struct ml_node_class *const classes[] = {&throttle_class, NULL};

const struct ml_family example_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "example",
	.node_classes = classes,
};
