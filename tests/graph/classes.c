/* Node classes for the tests of graphs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void to_json(const struct ml_message *message, struct ml_json_writer *w)
{
	(void)message;
	ml_json_null(w);
}

#define TYPE(type) \
	static const struct ml_message_type type##_type = { \
		.name = #type, .help = "For tests.", .to_json = to_json}
TYPE(trigger);
TYPE(frame);
TYPE(reading);
TYPE(batch);
TYPE(document);

#define IN(port, message, must) \
	{ \
		.name = (port), .direction = ML_INPUT, .type = &message##_type, .required = (must) \
	}
#define OUT_MANY(port, message, number) \
	{ \
		.name = (port), .direction = ML_OUTPUT, .type = &message##_type, .most = (number) \
	}
#define OUT(port, message) OUT_MANY(port, message, 1)

/* ---- cron ---- */

struct cron {
	char *schedule;
};

/* Five fields of digits and stars. */
static int check_schedule(const json_t *value, struct ml_error *err)
{
	const char *const text = json_string_value(value);
	const size_t good = strspn(text, "0123456789*/ ");
	if (text[good])
		return ml_error_set_at(err, -EINVAL, (long long)good,
			"'%c' is not expected in a schedule", text[good]);
	return 0;
}

static const struct ml_node_class cron = {
	.type = "cron",
	.version = 1,
	.title = "Schedule",
	.category = "trigger",
	.params = (const struct ml_param[]){{.name = "schedule",
						    .kind = ML_PARAM_STRING,
						    .title = "Schedule",
						    .flags = ML_PARAM_REQUIRED,
						    .check = check_schedule},
		{0}},
	.ports = (const struct ml_port[]){OUT("out", trigger), {0}},
	.size = sizeof(struct cron),
	.flags = ML_NODE_SOURCE,
};

/* ---- bus-source ---- */

static int check_bus(const void *self, struct ml_check *check, struct ml_error *err)
{
	const struct test_bus *const bus = self;
	char name[128];
	(void)snprintf(name, sizeof name, "the interface %s", bus->interface);
	ml_check_claim(check, "interface", name);
	if (bus->baud > 38400 && bus->parity == 2)
		return ml_error_set_pointer(
			err, -EINVAL, "/parity", "parity: expected 'none' above 38400 Bd");
	return 0;
}

static const struct ml_choice parities[] = {{"none", 1, NULL}, {"even", 2, NULL}, {0}};

#define AT(member) offsetof(struct test_bus, member)
static const struct ml_param bus_params[] = {
	{.name = "interface",
		.kind = ML_PARAM_STRING,
		.offset = AT(interface),
		.title = "Interface",
		.flags = ML_PARAM_REQUIRED},
	{.name = "baud",
		.kind = ML_PARAM_INTEGER,
		.offset = AT(baud),
		.title = "Baud rate",
		.unit = "Bd",
		.preset = "2400",
		.min = 300,
		.max = 115200},
	{.name = "parity",
		.kind = ML_PARAM_CHOICE,
		.offset = AT(parity),
		.title = "Parity",
		.preset = "\"even\"",
		.choices = parities},
	{.name = "scale",
		.kind = ML_PARAM_DECIMAL,
		.offset = AT(scale),
		.title = "Scale",
		.preset = "1"},
	{.name = "password", .kind = ML_PARAM_SECRET, .offset = AT(password), .title = "Password"},
	{0},
};

static const struct ml_node_class bus = {
	.type = "bus-source",
	.version = 1,
	.title = "Bus",
	.category = "source",
	.params = bus_params,
	.ports = (const struct ml_port[]){IN("trigger", trigger, false), OUT("out", frame),
		{.name = "live", .direction = ML_OUTPUT, .type = &frame_type, .by_name = true},
		{0}},
	.size = sizeof(struct test_bus),
	.flags = ML_NODE_SOURCE | ML_NODE_ROUNDS,
	.check = check_bus,
};

/* ---- aged: of version 3 ---- */

static int migrate_aged(unsigned from, json_t *params, struct ml_error *err)
{
	if (from == 2)
		return ml_error_set(err, -EINVAL, "version 2 was never released");
	json_t *const seconds = json_object_get(params, "interval_s");
	if (seconds)
		json_object_set(params, "interval", seconds);
	json_object_del(params, "interval_s");
	return 0;
}

static const struct ml_node_class aged = {
	.type = "aged",
	.version = 3,
	.title = "Aged",
	.category = "process",
	.params = (const struct ml_param[]){{.name = "interval",
						    .kind = ML_PARAM_DURATION,
						    .offset = offsetof(struct test_aged, interval),
						    .title = "Interval",
						    .unit = "s",
						    .preset = "60"},
		{0}},
	.ports = (const struct ml_port[]){IN("in", reading, false), OUT("out", reading), {0}},
	.size = sizeof(struct test_aged),
	.migrate = migrate_aged,
};

/* ---- those without parameters ---- */

static const struct ml_node_class decode = {
	.type = "decode",
	.version = 1,
	.title = "Decode",
	.category = "process",
	.ports = (const struct ml_port[]){IN("in", frame, true), OUT("out", reading),
		OUT("failed", frame), {0}},
};

static const struct ml_node_class filter = {
	.type = "filter",
	.version = 1,
	.title = "Filter",
	.category = "process",
	.ports = (const struct ml_port[]){IN("in", reading, true), OUT_MANY("out", reading, 16),
		OUT("dropped", reading), {0}},
};

static const struct ml_node_class store = {
	.type = "store",
	.version = 1,
	.title = "Store",
	.category = "store",
	.ports = (const struct ml_port[]){IN("in", reading, true), OUT("round-stored", trigger),
		{0}},
	.lane = "database",
	.flags = ML_NODE_STORE,
};

static const struct ml_node_class query = {
	.type = "query",
	.version = 1,
	.title = "Query",
	.category = "store",
	.ports = (const struct ml_port[]){IN("trigger", trigger, true), OUT("out", batch), {0}},
	.flags = ML_NODE_SOURCE | ML_NODE_ONE_SINK,
};

static const struct ml_node_class render = {
	.type = "render",
	.version = 1,
	.title = "Render",
	.category = "report",
	.ports = (const struct ml_port[]){IN("in", batch, true), OUT("out", document), {0}},
};

static const struct ml_node_class http_sink = {
	.type = "http-sink",
	.version = 1,
	.title = "HTTP",
	.category = "sink",
	.ports = (const struct ml_port[]){IN("in", document, true), {0}},
	.flags = ML_NODE_NETWORK_SINK,
};

static const struct ml_node_class file_sink = {
	.type = "file-sink",
	.version = 1,
	.title = "File",
	.category = "sink",
	.ports = (const struct ml_port[]){IN("in", document, true), {0}},
};

static const struct ml_node_class push = {
	.type = "push",
	.version = 1,
	.title = "Push",
	.category = "sink",
	.ports = (const struct ml_port[]){IN("in", reading, true), {0}},
	.flags = ML_NODE_NETWORK_SINK,
};

static const struct ml_node_class *const classes[] = {&cron, &bus, &aged, &decode, &filter, &store,
	&query, &render, &http_sink, &file_sink, &push, NULL};

static const struct ml_family family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "test",
	.node_classes = classes,
};

const struct ml_family *const test_families[] = {&family, NULL};
