/* The node `throttle` in an engine on simulated time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "telegram.h"

#include <meterloom/command.h>
#include <meterloom/engine.h>

#include "meter/family.h"
#include "meter/reading_message.h"
#include "throttle.h"

/* Emits a reading of each of two meters, and one that failed, every ten seconds. */
struct source {
	struct ml_node *node;
	struct ml_timer timer;
};

struct seen {
	unsigned of_meter[2], failed;
	unsigned delivered;
};

static int seen_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	(void)engine;
	(void)err;
	*ret_service = calloc(1, sizeof(struct seen));
	return *ret_service ? 0 : -1;
}

static struct seen *seen_of(struct ml_node *node)
{
	return ml_service(ml_node_engine(node), "seen");
}

static void emit(struct ml_node *node, uint32_t id, uint8_t flags)
{
	_Alignas(8) uint8_t block[METER_READING_MAX];
	struct meter_reading *reading = (void *)block;
	assert_int_equal(meter_reading_init(block, sizeof block, NULL, 0, NULL), 0);
	reading->meter.id = id;
	reading->flags = flags;
	struct ml_message *message = meter_reading_message(node, reading, NULL);
	assert_non_null(message);
	assert_int_equal(ml_ack_attach(node, message, 0), 0);
	ml_emit(node, 0, message);
}

static void emit_all(struct ml_timer *timer)
{
	struct source *self = timer->user;
	emit(self->node, 0, METER_HAS_IDENTITY);
	emit(self->node, 1, METER_HAS_IDENTITY);
	emit(self->node, 0, METER_NOT_READ);
	ml_timer_start(timer, ml_node_now(self->node) + 10 * ML_SEC);
}

static void source_start(struct ml_node *node, void *user)
{
	struct source *self = user;
	self->node = node;
	ml_timer_init(&self->timer, ml_node_lane(node), emit_all, self);
	ml_timer_start(&self->timer, ml_node_now(node));
}

static void source_acked(struct ml_node *node, void *user, uint64_t cookie, bool delivered)
{
	(void)user;
	(void)cookie;
	seen_of(node)->delivered += delivered;
}

static void sink_process(struct ml_node *node, void *user, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	(void)user;
	(void)port;
	for (size_t i = 0; i < count; i++) {
		const struct meter_reading *reading = meter_reading(messages[i]);
		if (reading->flags & METER_NOT_READ)
			seen_of(node)->failed++;
		else
			seen_of(node)->of_meter[reading->meter.id]++;
		ml_release(node, messages[i]);
	}
}

static const struct ml_port source_ports[] = {
	{.name = "out", .direction = ML_OUTPUT, .type = &meter_reading_type, .help = "Readings."},
	{0},
};
static const struct ml_port sink_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &meter_reading_type, .help = "Readings."},
	{0},
};
static const struct ml_node_class source_class = {
	.type = "t-source",
	.version = 1,
	.title = "Source",
	.help = "Emits readings.",
	.category = "source",
	.ports = source_ports,
	.size = sizeof(struct source),
	.flags = ML_NODE_SOURCE,
	.start = source_start,
	.acked = source_acked,
};
static const struct ml_node_class sink_class = {
	.type = "t-sink",
	.version = 1,
	.title = "Sink",
	.help = "Counts readings.",
	.category = "sink",
	.ports = sink_ports,
	.size = sizeof(struct source),
	.process = sink_process,
};
static const struct ml_node_class *const classes[] = {&source_class, &sink_class, NULL};
static const struct ml_service_class services[] = {{"seen", seen_start, free}, {0}};
static const struct ml_family test_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "test",
	.node_classes = classes,
	.services = services,
};

struct fixture {
	struct ml_clock *clock;
	struct ml_log *log;
	struct ml_engine *engine;
	const struct seen *seen;
};

static int set_up(void **state)
{
	static const struct ml_family *const families[] = {
		&meter_family, &example_family, &test_family, NULL};
	struct fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	f->clock = ml_clock_new_simulated(0);
	f->log = ml_log_new(f->clock, 0);
	struct ml_error err = ML_ERROR_NONE;
	const struct ml_engine_options options = {
		.families = families, .clock = f->clock, .log = f->log};
	if (ml_engine_new(&options, &f->engine, &err) != 0)
		fail_msg("engine: %s", err.text);
	f->seen = ml_service(f->engine, "seen");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	ml_engine_free(f->engine);
	ml_log_free(f->log);
	ml_clock_free(f->clock);
	free(f);
	return 0;
}

static int apply(struct fixture *f, const char *interval, struct ml_errors *errors)
{
	char graph[512];
	const int length = snprintf(graph, sizeof graph,
		"{\"meterloom\": 1, \"nodes\": [{\"id\": \"a\", \"type\": \"t-source\"}, "
		"{\"id\": \"t\", \"type\": \"throttle\", \"params\": {\"interval\": %s}}, "
		"{\"id\": \"z\", \"type\": \"t-sink\"}], \"edges\": [{\"from\": \"a\", \"to\": "
		"\"t\"}, {\"from\": \"t\", \"to\": \"z\"}]}",
		interval);
	return ml_engine_apply(f->engine, graph, (size_t)length, errors);
}

static void run_for(struct fixture *f, ml_time time)
{
	ml_engine_simulate(f->engine, ml_clock_monotonic(f->clock) + time);
}

static void one_reading_of_each_meter_in_the_interval(void **state)
{
	struct fixture *f = *state;
	struct ml_errors errors = {0};
	assert_int_equal(apply(f, "60", &errors), 0);
	run_for(f, 59 * ML_SEC); /* at 0, 10, 20 ... 50 s */
	assert_int_equal(f->seen->of_meter[0], 1);
	assert_int_equal(f->seen->of_meter[1], 1);
	assert_int_equal(f->seen->failed, 6); /* always go on */
	run_for(f, ML_HOUR);
	assert_in_range(f->seen->of_meter[0], 60, 61);
	/* What was held back counts as delivered. */
	assert_int_equal(f->seen->delivered, 3 * f->seen->failed);
}

static void told(void *user, const struct ml_outcome *outcome)
{
	*(int *)user = outcome->code;
}

static void it_forgets_when_asked(void **state)
{
	struct fixture *f = *state;
	struct ml_errors errors = {0};
	int code = 1;
	assert_int_equal(apply(f, "3600", &errors), 0);
	run_for(f, 15 * ML_SEC);
	assert_int_equal(f->seen->of_meter[0], 1);
	json_t *params = json_pack("{s:s, s:s}", "node", "t", "action", "forget");
	const struct ml_call call = {.command = "node.action",
		.params = params,
		.role = ML_ROLE_OPERATE,
		.done = told,
		.user_data = &code,
		.lane = ml_engine_lane(f->engine, "control")};
	assert_true(ml_command_call(f->engine, &call) > 0);
	run_for(f, 10 * ML_SEC);
	json_decref(params);
	assert_int_equal(code, 0);
	assert_int_equal(f->seen->of_meter[0], 2);
}

static void a_wrong_interval_is_told_with_its_place(void **state)
{
	struct fixture *f = *state;
	struct ml_errors errors = {0};
	assert_true(apply(f, "0", &errors) < 0);
	assert_string_equal(errors.items[0].pointer, "/nodes/1/params/interval");
	ml_errors_free(&errors);
}

int main(void)
{
#define THROTTLE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		THROTTLE_TEST(one_reading_of_each_meter_in_the_interval),
		THROTTLE_TEST(it_forgets_when_asked),
		THROTTLE_TEST(a_wrong_interval_is_told_with_its_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
