/* What a whole path costs on one lane: telegrams from memory -> decode -> Lua filter -> nothing.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Usage: bench-pipeline FILE, with one JSON object a line that has a telegram as "hex".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "decode/decode.h"
#include "lua/family.h"
#include "meter/frame.h"
#include "meter/reading_message.h"

enum { TELEGRAMS_MAX = 1024, MESSAGES = 1000000, AT_ONCE = 256 };

struct telegram {
	uint8_t bytes[261];
	size_t length;
};

static struct telegram telegrams[TELEGRAMS_MAX];
static size_t count;

static void add(const char *hex)
{
	struct telegram *t = &telegrams[count];
	if (strlen(hex) > 2 * sizeof t->bytes || count == TELEGRAMS_MAX)
		return;
	for (; hex[0] && hex[1]; hex += 2) {
		const char digits[] = {hex[0], hex[1], '\0'};
		t->bytes[t->length++] = (uint8_t)strtoul(digits, NULL, 16);
	}
	count++;
}

static bool load(const char *path)
{
	static char line[32 * 1024];
	FILE *file = fopen(path, "r");
	if (!file) {
		perror(path);
		return false;
	}
	while (fgets(line, sizeof line, file)) {
		json_t *row = json_loads(line, 0, NULL);
		const char *hex = json_string_value(json_object_get(row, "hex"));
		if (hex)
			add(hex);
		json_decref(row);
	}
	(void)fclose(file);
	return count > 0;
}

/* ---- Nodes ---- */

struct end_node {
	struct ml_node *node;
	struct ml_timer timer;
	size_t done;
};

static size_t arrived;

static void emit(struct ml_timer *timer)
{
	struct end_node *self = timer->user;
	size_t room = ml_room(self->node, 0);
	for (room = room < AT_ONCE ? room : AT_ONCE; room && self->done < MESSAGES; room--) {
		const struct telegram *t = &telegrams[self->done++ % count];
		struct meter_frame *frame;
		struct ml_message *message =
			meter_frame_new(self->node, t->bytes, t->length, NULL, &frame);
		if (!message)
			abort();
		ml_emit(self->node, 0, message);
	}
	if (self->done < MESSAGES && ml_room(self->node, 0))
		ml_timer_start(timer, 0);
}

static void source_start(struct ml_node *node, void *user)
{
	struct end_node *self = user;
	self->node = node;
	ml_timer_init(&self->timer, ml_node_lane(node), emit, self);
	ml_timer_start(&self->timer, 0);
}

static void source_room(struct ml_node *node, void *user)
{
	(void)node;
	emit(&((struct end_node *)user)->timer);
}

static void sink_process(struct ml_node *node, void *user, unsigned port,
	struct ml_message *const *messages, size_t n)
{
	(void)user;
	(void)port;
	for (size_t i = 0; i < n; i++)
		ml_release(node, messages[i]);
	arrived += n;
}

static const struct ml_port source_ports[] = {
	{.name = "out", .direction = ML_OUTPUT, .type = &meter_frame_type, .help = "Telegrams."},
	{0}};
static const struct ml_port sink_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &meter_reading_type, .help = "Readings."},
	{0}};

static const struct ml_node_class source_class = {
	.type = "b-source",
	.version = 1,
	.title = "Source",
	.help = "Telegrams from memory.",
	.category = "source",
	.flags = ML_NODE_SOURCE,
	.ports = source_ports,
	.size = sizeof(struct end_node),
	.start = source_start,
	.room = source_room,
};

static const struct ml_node_class sink_class = {
	.type = "b-sink",
	.version = 1,
	.title = "Sink",
	.help = "Nothing.",
	.category = "sink",
	.ports = sink_ports,
	.size = sizeof(struct end_node),
	.process = sink_process,
};

static const struct ml_message_type *const types[] = {&meter_frame_type, &meter_reading_type, NULL};
static const struct ml_node_class *const classes[] = {
	&source_class, &sink_class, &decode_class, NULL};
static const struct ml_family bench_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "bench",
	.message_types = types,
	.node_classes = classes,
};

/* ---- Measuring ---- */

static int measure(struct ml_clock *watch, const char *what, const char *nodes, const char *edges,
	unsigned limit)
{
	static const struct ml_family *const families[] = {&lua_family, &bench_family, NULL};
	char graph[2048];
	struct ml_engine *engine = NULL;
	struct ml_error err = ML_ERROR_NONE;
	struct ml_errors errors = {0};
	struct ml_clock *clock = ml_clock_new_simulated(0);
	struct ml_log *log = ml_log_new(clock, 0);
	const struct ml_engine_options options = {.families = families, .clock = clock, .log = log};
	int result = 1;
	arrived = 0;
	const int length = snprintf(graph, sizeof graph,
		"{\"meterloom\": 1, \"nodes\": [{\"id\": \"source\", \"type\": \"b-source\"}, %s, "
		"{\"id\": \"sink\", \"type\": \"b-sink\"}], \"edges\": [%s]}",
		nodes, edges);
	if (ml_engine_new(&options, &engine, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		goto out;
	}
	if (ml_engine_apply(engine, graph, (size_t)length, &errors) < 0) {
		(void)fprintf(stderr, "%s: %s\n", errors.items[0].pointer, errors.items[0].text);
		goto out;
	}
	const ml_time begin = ml_clock_monotonic(watch);
	ml_engine_simulate(engine, 0);
	const ml_time took = ml_clock_monotonic(watch) - begin;
	(void)printf("  %-48s %9.0f telegrams/s", what, (double)MESSAGES * 1e6 / (double)took);
	if (limit)
		(void)printf("   (limit %u; Fluent Bit 311000, Node-RED 25500)", limit);
	(void)printf("%s\n", arrived == 0 ? "   NOTHING ARRIVED" : "");
	result = arrived == 0;
out:
	ml_errors_free(&errors);
	ml_engine_free(engine);
	ml_log_free(log);
	ml_clock_free(clock);
	return result;
}

int main(int argc, char **argv)
{
	struct ml_clock *watch = ml_clock_new_real();
	if (argc != 2 || !watch || !load(argv[1])) {
		(void)fprintf(stderr, "usage: %s FILE\n", argv[0]);
		return 2;
	}
	(void)printf("From memory to nothing on one lane (%zu telegrams over and over):\n", count);
	int result = measure(watch, "decode", "{\"id\": \"decode\", \"type\": \"decode\"}",
		"{\"from\": \"source\", \"to\": \"decode\"}, {\"from\": \"decode\", \"to\": "
		"\"sink\"}",
		0);
	result |= measure(watch, "decode, Lua filter by medium",
		"{\"id\": \"decode\", \"type\": \"decode\"}, {\"id\": \"lua\", \"type\": "
		"\"lua-filter\", "
		"\"params\": {\"script\": \"function process(r) local m = r.meter "
		"return m and m.medium ~= 'electricity' end\"}}",
		"{\"from\": \"source\", \"to\": \"decode\"}, {\"from\": \"decode\", \"to\": "
		"\"lua\"}, "
		"{\"from\": \"lua\", \"to\": \"sink\"}",
		600000);
	result |= measure(watch, "decode, Lua filter that changes a value",
		"{\"id\": \"decode\", \"type\": \"decode\"}, {\"id\": \"lua\", \"type\": "
		"\"lua-filter\", "
		"\"params\": {\"script\": \"function process(r) local e = r:find('energy') "
		"if e and e.kind == 'number' then e.value = e.value + 1 end end\"}}",
		"{\"from\": \"source\", \"to\": \"decode\"}, {\"from\": \"decode\", \"to\": "
		"\"lua\"}, "
		"{\"from\": \"lua\", \"to\": \"sink\"}",
		0);
	ml_clock_free(watch);
	return result;
}
