/* The node lua-filter in an engine on simulated time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "lua/family.h"
#include "meter/reading_message.h"
#include "telegram.h"

enum { SEEN_MAX = 256 };

/* What the nodes of an engine share: telegrams to emit, what came out, what the acks said. */
struct shared {
	const char *const *telegrams; /* hex, ended by NULL; emitted in turn, once a second */
	size_t next;
	char seen[SEEN_MAX][2048]; /* as JSON */
	uint64_t traces[SEEN_MAX];
	size_t count, delivered, failed;
};

static int shared_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	(void)engine;
	(void)err;
	*ret_service = calloc(1, sizeof(struct shared));
	return *ret_service ? 0 : -ENOMEM;
}

struct end_node {
	struct shared *shared;
	struct ml_node *node;
	struct ml_timer timer;
};

static int end_prepare(struct ml_node *node, void *user, struct ml_error *err)
{
	struct end_node *self = user;
	(void)err;
	self->node = node;
	self->shared = ml_service(ml_node_engine(node), "shared");
	return 0;
}

static void emit_next(struct ml_timer *timer)
{
	struct end_node *self = timer->user;
	struct shared *shared = self->shared;
	if (!shared->telegrams || !shared->telegrams[shared->next])
		return;
	struct telegram t;
	const struct meter_reading *reading = decode_hex(&t, shared->telegrams[shared->next++]);
	struct ml_message *message = meter_reading_message(self->node, reading, NULL);
	assert_non_null(message);
	assert_int_equal(ml_ack_attach(self->node, message, shared->next), 0);
	ml_emit(self->node, 0, message);
	ml_timer_start(timer, ml_node_now(self->node) + ML_SEC);
}

static void source_start(struct ml_node *node, void *user)
{
	struct end_node *self = user;
	ml_timer_init(&self->timer, ml_node_lane(node), emit_next, self);
	ml_timer_start(&self->timer, ml_node_now(node) + ML_SEC);
}

static void source_acked(struct ml_node *node, void *user, uint64_t cookie, bool delivered)
{
	struct shared *shared = ((struct end_node *)user)->shared;
	(void)node;
	(void)cookie;
	*(delivered ? &shared->delivered : &shared->failed) += 1;
}

static void sink_process(struct ml_node *node, void *user, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	struct shared *shared = ((struct end_node *)user)->shared;
	(void)port;
	for (size_t i = 0; i < count; i++) {
		struct ml_buffer out = {0};
		struct ml_json_writer w;
		ml_json_writer_init(&w, &out);
		messages[i]->type->to_json(messages[i], &w);
		assert_true(shared->count < SEEN_MAX);
		shared->traces[shared->count] = messages[i]->trace;
		(void)snprintf(
			shared->seen[shared->count++], sizeof shared->seen[0], "%s", out.data);
		ml_buffer_free(&out);
		ml_release(node, messages[i]);
	}
}

static const struct ml_port source_ports[] = {
	{.name = "out", .direction = ML_OUTPUT, .type = &meter_reading_type, .help = "Readings."},
	{0}};
static const struct ml_port sink_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &meter_reading_type, .help = "Readings."},
	{0}};

static const struct ml_node_class source_class = {
	.type = "t-source",
	.version = 1,
	.title = "Source",
	.help = "Emits readings.",
	.category = "source",
	.flags = ML_NODE_SOURCE,
	.ports = source_ports,
	.size = sizeof(struct end_node),
	.prepare = end_prepare,
	.start = source_start,
	.acked = source_acked,
};

static const struct ml_node_class sink_class = {
	.type = "t-sink",
	.version = 1,
	.title = "Sink",
	.help = "Keeps readings.",
	.category = "sink",
	.ports = sink_ports,
	.size = sizeof(struct end_node),
	.prepare = end_prepare,
	.process = sink_process,
};

static const struct ml_node_class *const classes[] = {&source_class, &sink_class, NULL};
static const struct ml_message_type *const types[] = {&meter_reading_type, NULL};
static const struct ml_service_class services[] = {{"shared", shared_start, free}, {0}};
static const struct ml_family test_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "test",
	.message_types = types,
	.node_classes = classes,
	.services = services,
};

struct fixture {
	struct ml_clock *clock;
	struct ml_log *log;
	struct ml_engine *engine;
	struct shared *shared;
	char data[64];
};

static int set_up(void **state)
{
	static const struct ml_family *const families[] = {&lua_family, &test_family, NULL};
	struct fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	(void)snprintf(f->data, sizeof f->data, "/tmp/test-lua-filter-XXXXXX");
	assert_non_null(mkdtemp(f->data));
	f->clock = ml_clock_new_simulated(INT64_C(1769868900000000));
	f->log = ml_log_new(f->clock, 0);
	struct ml_error err = ML_ERROR_NONE;
	const struct ml_engine_options options = {
		.families = families, .clock = f->clock, .log = f->log, .data = f->data};
	if (ml_engine_new(&options, &f->engine, &err) != 0)
		fail_msg("engine: %s", err.text);
	f->shared = ml_service(f->engine, "shared");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[128];
	ml_engine_free(f->engine);
	ml_log_free(f->log);
	ml_clock_free(f->clock);
	(void)snprintf(command, sizeof command, "rm -rf '%s'", f->data);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* Applies source -> filter -> sink. `params` is JSON without the braces. */
static int apply(struct fixture *f, const char *params, struct ml_errors *errors)
{
	char graph[8192];
	const int length = snprintf(graph, sizeof graph,
		"{\"meterloom\": 1, \"nodes\": [{\"id\": \"a\", \"type\": \"t-source\"}, "
		"{\"id\": \"filter\", \"type\": \"lua-filter\", \"params\": {%s}}, "
		"{\"id\": \"z\", \"type\": \"t-sink\"}], \"edges\": ["
		"{\"from\": \"a\", \"to\": \"filter\"}, {\"from\": \"filter\", \"to\": \"z\"}]}",
		params);
	assert_true(length > 0 && (size_t)length < sizeof graph);
	return ml_engine_apply(f->engine, graph, (size_t)length, errors);
}

static const char heat[] = "72 78563412 2D2C 1B 04 2A 00 0000 0406D2040000 025AC900";
static const char more_heat[] = "72 78563412 2D2C 1B 04 2B 00 0000 0406D3040000 025AC900";
static const char water[] = "72 11223344 2D2C 01 07 05 00 0000 041364000000";

/* Runs the telegrams through a script. */
static void run(struct fixture *f, const char *params, const char *const *telegrams)
{
	struct ml_errors errors = {0};
	f->shared->telegrams = telegrams;
	if (apply(f, params, &errors) != 0)
		fail_msg("%s: %s", errors.items[0].pointer, errors.items[0].text);
	ml_engine_simulate(f->engine, ml_clock_monotonic(f->clock) + 100 * ML_SEC);
}

static void expect_part(const struct fixture *f, size_t index, const char *part)
{
	assert_true(index < f->shared->count);
	if (!strstr(f->shared->seen[index], part))
		fail_msg("%s\n  is not in %s", part, f->shared->seen[index]);
}

static void expect_counts(const struct fixture *f, size_t seen, size_t delivered, size_t failed)
{
	assert_int_equal(f->shared->count, seen);
	assert_int_equal(f->shared->delivered, delivered);
	assert_int_equal(f->shared->failed, failed);
}

static void test_passes_on(void **state)
{
	const char *const telegrams[] = {heat, water, heat, NULL};
	run(*state,
		"\"script\": \"local n = 0 function process(reading) n = n + 1\\n"
		"if n == 1 then return end if n == 2 then return true end return reading end\"",
		telegrams);
	expect_counts(*state, 3, 3, 0);
	expect_part(*state, 0, "\"value\":1234000,");
	expect_part(*state, 1, "\"value\":0.100,");
}

static void test_drops_on_purpose(void **state)
{
	const char *const telegrams[] = {heat, water, heat, NULL};
	run(*state, "\"script\": \"function process(r) return r.meter.medium == 'heat' end\"",
		telegrams);
	expect_counts(*state, 2, 3, 0);
	expect_part(*state, 1, "12345678");
}

static void test_changes(void **state)
{
	const char *const telegrams[] = {heat, NULL};
	run(*state,
		"\"script\": \"function process(r) local e = r:find('energy') e.value = e.value + "
		"1\\n"
		"r:add{quantity = 'building', value = 'Nord'} end\"",
		telegrams);
	expect_counts(*state, 1, 1, 0);
	expect_part(*state, 0, "\"value\":1234001,");
	expect_part(*state, 0, "\"building\"");
	expect_part(*state, 0, "\"value\":\"Nord\"");
	expect_part(*state, 0, "\"value\":20.1,");
}

static void test_splits(void **state)
{
	const char *const telegrams[] = {heat, NULL};
	run(*state,
		"\"script\": \"function process(r) local t = r:copy() r:remove(2) t:remove(1)\\n"
		"return r, t end\"",
		telegrams);
	expect_counts(*state, 2, 1, 0); /* one ack for all parts */
	expect_part(*state, 0, "\"energy\"");
	expect_part(*state, 1, "\"flow-temperature\"");
	assert_null(strstr(((struct fixture *)*state)->shared->seen[0], "flow-temperature"));
	const struct shared *shared = ((struct fixture *)*state)->shared;
	assert_int_equal(shared->traces[0], shared->traces[1]);
}

static void test_gives_a_list(void **state)
{
	const char *const telegrams[] = {heat, water, NULL};
	run(*state,
		"\"script\": \"function process(r) if r.meter.medium == 'heat' then return {} "
		"end\\n"
		"return {r, r, r:copy()} end\"",
		telegrams);
	expect_counts(*state, 3, 2, 0);
	expect_part(*state, 2, "44332211");
}

static void test_keeps_state_between_messages(void **state)
{
	const char *const telegrams[] = {heat, more_heat, more_heat, water, NULL};
	run(*state, "\"file\": \"changed-only\"", telegrams);
	expect_counts(*state, 3, 4, 0);
	expect_part(*state, 1, "\"value\":1235000,");
	expect_part(*state, 2, "44332211");
}

static void test_shipped_energy_in_kwh(void **state)
{
	const char *const telegrams[] = {heat, NULL};
	run(*state, "\"file\": \"energy-kwh\"", telegrams);
	expect_counts(*state, 1, 1, 0);
	expect_part(*state, 0, "\"quantity\":\"energy-kwh\",\"unit\":\"kWh\",\"value\":1234.000");
}

static void test_reads_files_of_the_data_directory(void **state)
{
	struct fixture *f = *state;
	const char *const telegrams[] = {heat, NULL};
	char path[128];
	(void)snprintf(path, sizeof path, "%s/lua-scripts", f->data);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(
		path, sizeof path, "%s/lua-scripts/energy-kwh.lua", f->data); /* its own rules */
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs("function process(r) return false end", file) >= 0);
	assert_int_equal(fclose(file), 0);
	run(f, "\"file\": \"energy-kwh\"", telegrams);
	expect_counts(f, 0, 1, 0);
}

static void test_an_error_fails_the_message_and_the_rest_goes_on(void **state)
{
	const char *const telegrams[] = {heat, water, heat, NULL};
	run(*state,
		"\"script\": \"function process(r) if r.meter.medium ~= 'heat' then return 5 end "
		"end\"",
		telegrams);
	expect_counts(*state, 2, 2, 1);
}

static void test_a_script_that_loops_trips_and_is_reset_by_a_change(void **state)
{
	struct fixture *f = *state;
	const char *const telegrams[] = {heat, water, heat, water, heat, heat, NULL};
	f->shared->telegrams = telegrams;
	struct ml_errors errors = {0};
	assert_int_equal(apply(f,
				 "\"trip_after\": 2, \"instructions\": 10000, "
				 "\"script\": \"function process(r) while true do end end\"",
				 &errors),
		0);
	ml_engine_simulate(f->engine, ml_clock_monotonic(f->clock) + 4500 * ML_MSEC);
	expect_counts(f, 0, 0, 4);
	struct ml_buffer out = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &out);
	ml_engine_metrics(f->engine, &w);
	assert_non_null(
		strstr(out.data, "stopped after 2 overruns in a row; the last: filter:1: ran for "
				 "more than 10000 instructions"));
	assert_non_null(strstr(out.data, "\"overruns\":2"));
	ml_buffer_free(&out);
	assert_int_equal(apply(f, "\"script\": \"function process(r) end\"", &errors), 0);
	ml_engine_simulate(f->engine, ml_clock_monotonic(f->clock) + 10 * ML_SEC);
	expect_counts(f, 2, 2, 4);
}

static void refused(struct fixture *f, const char *params, const char *pointer, const char *part)
{
	struct ml_errors errors = {0};
	assert_true(apply(f, params, &errors) < 0);
	assert_true(errors.count > 0);
	if (strcmp(errors.items[0].pointer, pointer) != 0 || !strstr(errors.items[0].text, part))
		fail_msg("%s\n  gave: %s: %s", params, errors.items[0].pointer,
			errors.items[0].text);
	ml_errors_free(&errors);
}

static void test_bad_scripts_are_refused(void **state)
{
	struct fixture *f = *state;
	refused(f, "\"script\": \"x =\"", "/nodes/1/params/script",
		"script:1: unexpected symbol near <eof>");
	refused(f, "\"script\": \"\\n\\nerror('no')\"", "/nodes/1/params/script", "filter:3: no");
	refused(f, "\"script\": \"x = 1\"", "/nodes/1/params/script",
		"filter: has no function process()");
	refused(f, "\"script\": \"while true do end\"", "/nodes/1/params/script",
		"filter:1: ran for more");
	refused(f, "\"file\": \"enrgy-kwh\"", "/nodes/1/params/file", "is 'energy-kwh' meant?");
	refused(f, "\"file\": \"../secret\"", "/nodes/1/params/file", "is no name of a script");
	refused(f, "\"file\": \"a\", \"script\": \"x = 1\"", "/nodes/1/params/file", "not both");
	refused(f, "", "/nodes/1/params", "give a script, or the name of a file");
}

int main(void)
{
#define FILTER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		FILTER_TEST(test_passes_on),
		FILTER_TEST(test_drops_on_purpose),
		FILTER_TEST(test_changes),
		FILTER_TEST(test_splits),
		FILTER_TEST(test_gives_a_list),
		FILTER_TEST(test_keeps_state_between_messages),
		FILTER_TEST(test_shipped_energy_in_kwh),
		FILTER_TEST(test_reads_files_of_the_data_directory),
		FILTER_TEST(test_an_error_fails_the_message_and_the_rest_goes_on),
		FILTER_TEST(test_a_script_that_loops_trips_and_is_reset_by_a_change),
		FILTER_TEST(test_bad_scripts_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
