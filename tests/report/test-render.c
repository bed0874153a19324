/* The node template-render in an engine on simulated time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <meterloom/command.h>
#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "batch_kit.h"
#include "meter/document.h"
#include "report/family.h"

enum { SEEN_MAX = 64 };

struct shared {
	const struct kit_row *rows; /* of each batch */
	size_t batches;             /* to emit, one a second */
	size_t emitted, delivered, failed;
	struct meter_document seen[SEEN_MAX];
	char first_bytes[SEEN_MAX][256];
	size_t count;
	bool stuck, refuse; /* keeps what it takes; fails it */
	struct ml_message *kept[SEEN_MAX];
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
	if (shared->emitted == shared->batches)
		return;
	shared->emitted++;
	struct ml_message *message =
		ml_message_new(self->node, &meter_batch_type, sizeof(struct meter_batch), NULL);
	assert_non_null(message);
	const struct meter_batch batch = kit_batch(shared->rows);
	memcpy(message->payload, &batch, sizeof batch);
	assert_int_equal(ml_ack_attach(self->node, message, shared->emitted), 0);
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
	for (size_t i = 0; i < count; i++) {
		assert_true(shared->count < SEEN_MAX);
		const struct meter_document *document = meter_document(messages[i]);
		FILE *file = fopen(document->path, "r");
		assert_non_null(file);
		(void)fread(shared->first_bytes[shared->count], 1, 255, file);
		(void)fclose(file);
		shared->kept[shared->count] = shared->stuck ? messages[i] : NULL;
		shared->seen[shared->count++] = *document;
		if (shared->refuse)
			ml_fail(node, messages[i], "refused");
		else if (!shared->stuck)
			ml_release(node, messages[i]);
	}
	if (shared->stuck)
		ml_node_demand(node, port, 0);
}

static void sink_stop(struct ml_node *node, void *user)
{
	struct shared *shared = ((struct end_node *)user)->shared;
	for (size_t i = 0; i < shared->count; i++) {
		if (shared->kept[i])
			ml_release(node, shared->kept[i]);
		shared->kept[i] = NULL;
	}
}

static const struct ml_port source_ports[] = {
	{.name = "out", .direction = ML_OUTPUT, .type = &meter_batch_type, .help = "Batches."},
	{0}};
static const struct ml_port sink_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &meter_document_type, .help = "Documents."},
	{0}};

static const struct ml_node_class source_class = {
	.type = "t-source",
	.version = 1,
	.title = "Source",
	.help = "Emits batches.",
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
	.help = "Looks at documents.",
	.category = "sink",
	.ports = sink_ports,
	.size = sizeof(struct end_node),
	.prepare = end_prepare,
	.process = sink_process,
	.stop = sink_stop,
};

static const struct ml_node_class *const classes[] = {&source_class, &sink_class, NULL};
static const struct ml_message_type *const types[] = {
	&meter_batch_type, &meter_document_type, NULL};
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

static const struct kit_row rows[] = {
	{KIT_HEAT, "2026-01-31T12:00:00Z", 2, NULL},
	{KIT_WATER, "2026-01-31T12:00:05Z", 1, NULL},
	{NULL, NULL, 0, NULL},
};
static const struct kit_row no_rows[] = {{NULL, NULL, 0, NULL}};

static int set_up(void **state)
{
	static const struct ml_family *const families[] = {&report_family, &test_family, NULL};
	struct fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	(void)snprintf(f->data, sizeof f->data, "/tmp/test-render-XXXXXX");
	assert_non_null(mkdtemp(f->data));
	char path[128];
	(void)snprintf(path, sizeof path, "%s/documents", f->data);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof path, "%s/documents/left-over", f->data);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	(void)fclose(file);
	f->clock = ml_clock_new_simulated(INT64_C(1769868000000000));
	f->log = ml_log_new(f->clock, 0);
	struct ml_error err = ML_ERROR_NONE;
	const struct ml_engine_options options = {
		.families = families, .clock = f->clock, .log = f->log, .data = f->data};
	if (ml_engine_new(&options, &f->engine, &err) != 0)
		fail_msg("engine: %s", err.text);
	f->shared = ml_service(f->engine, "shared");
	f->shared->rows = rows;
	*state = f;
	return 0;
}

static size_t files_of(const struct fixture *f)
{
	char path[128];
	(void)snprintf(path, sizeof path, "%s/documents", f->data);
	size_t count = 0;
	DIR *directory = opendir(path);
	assert_non_null(directory);
	for (const struct dirent *entry; (entry = readdir(directory));)
		count += entry->d_name[0] != '.';
	(void)closedir(directory);
	return count;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[128];
	ml_engine_free(f->engine);
	ml_log_free(f->log);
	ml_clock_free(f->clock);
	assert_int_equal(files_of(f), 0);
	(void)snprintf(command, sizeof command, "rm -rf '%s'", f->data);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static int apply(struct fixture *f, const char *params, unsigned capacity, struct ml_errors *errors)
{
	char graph[4096];
	const int length = snprintf(graph, sizeof graph,
		"{\"meterloom\": 1, \"nodes\": [{\"id\": \"a\", \"type\": \"t-source\"}, "
		"{\"id\": \"r\", \"type\": \"template-render\", \"params\": {%s}}, "
		"{\"id\": \"z\", \"type\": \"t-sink\"}], \"edges\": [{\"from\": \"a\", \"to\": "
		"\"r\"}, "
		"{\"from\": \"r\", \"to\": \"z\", \"capacity\": %u}]}",
		params, capacity);
	return ml_engine_apply(f->engine, graph, (size_t)length, errors);
}

static void run(struct fixture *f, const char *params, size_t batches)
{
	struct ml_errors errors = {0};
	f->shared->batches = batches;
	if (apply(f, params, 64, &errors) != 0)
		fail_msg("%s: %s", errors.items[0].pointer, errors.items[0].text);
	ml_engine_simulate(f->engine, ml_clock_monotonic(f->clock) + 20 * ML_SEC);
}

static void expect_counts(const struct fixture *f, size_t seen, size_t delivered, size_t failed)
{
	assert_int_equal(f->shared->count, seen);
	assert_int_equal(f->shared->delivered, delivered);
	assert_int_equal(f->shared->failed, failed);
}

static void test_renders_and_is_done_when_the_document_is(void **state)
{
	struct fixture *f = *state;
	run(f, "\"template\": \"3101\"", 2);
	expect_counts(f, 2, 2, 0);
	assert_string_equal(
		f->shared->seen[0].name, "gateway_valuereport_20260131140000_3101-101.csv");
	assert_string_equal(f->shared->seen[0].key, f->shared->seen[1].key); /* the same report */
	assert_int_equal(f->shared->seen[0].next, INT64_C(1769868000000000) + ML_DAY);
	assert_memory_equal(f->shared->first_bytes[0], "serial-number;", 14);
	assert_non_null(strstr(f->shared->first_bytes[0], "\r\n"));
	assert_int_equal(files_of(f), 0); /* removed with the message */
}

static void test_a_failed_document_fails_the_batch(void **state)
{
	struct fixture *f = *state;
	f->shared->refuse = true;
	run(f, "\"template\": \"3115\", \"options\": {\"one_file_per_meter\": true}", 1);
	expect_counts(f, 2, 0, 1);
}

static void test_waits_for_room(void **state)
{
	struct fixture *f = *state;
	struct ml_errors errors = {0};
	f->shared->batches = 5;
	f->shared->stuck = true;
	assert_int_equal(
		apply(f, "\"template\": \"3115\", \"options\": {\"one_file_per_meter\": true}", 2,
			&errors),
		0);
	ml_engine_simulate(f->engine, ml_clock_monotonic(f->clock) + 20 * ML_SEC);
	assert_true(f->shared->count < 10);
	assert_int_equal(f->shared->delivered, 0);
	assert_true(files_of(f) <= 8); /* one batch at a time is rendered */
	/* What waits at the end is not lost in silence: it counts as failed. */
	const char *nothing = "{\"meterloom\": 1, \"nodes\": [], \"edges\": []}";
	assert_int_equal(ml_engine_apply(f->engine, nothing, strlen(nothing), &errors), 0);
	ml_engine_simulate(f->engine, ml_clock_monotonic(f->clock) + 100 * ML_SEC);
	assert_int_equal(files_of(f), 0);
}

static void test_nothing_new_makes_no_report(void **state)
{
	struct fixture *f = *state;
	f->shared->rows = no_rows;
	run(f, "\"template\": \"3101\"", 1);
	expect_counts(f, 0, 1, 0);
}

static void test_nothing_new_may_make_one(void **state)
{
	struct fixture *f = *state;
	f->shared->rows = no_rows;
	run(f, "\"template\": \"3101\", \"empty\": true", 1);
	expect_counts(f, 1, 1, 0);
}

static void test_locale_of_the_node(void **state)
{
	struct fixture *f = *state;
	run(f,
		"\"template\": \"3101\", \"separator\": \"comma\", \"line_end\": \"lf\", "
		"\"charset\": \"ISO-8859-1\"",
		1);
	assert_memory_equal(f->shared->first_bytes[0], "serial-number,", 14);
	assert_null(strchr(f->shared->first_bytes[0], '\r'));
	assert_string_equal(f->shared->seen[0].charset, "ISO-8859-1");
}

/* Writes the template "mine" with this body of render(). */
static void write_template(const struct fixture *f, const char *body)
{
	char path[128];
	(void)snprintf(path, sizeof path, "%s/templates", f->data);
	assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
	(void)snprintf(path, sizeof path, "%s/templates/mine.lua", f->data);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fprintf(file, "template = {}\nfunction render(batch, out)\n%s end", body) > 0);
	assert_int_equal(fclose(file), 0);
}

static void test_a_template_of_the_user(void **state)
{
	struct fixture *f = *state;
	write_template(f, "out:document{name = 'mine.txt'}:write('hello from ', gateway.name)");
	run(f, "\"template\": \"mine\"", 1);
	assert_string_equal(f->shared->seen[0].name, "mine.txt");
	assert_string_equal(f->shared->first_bytes[0], "hello from Meterloom");
}

static void told(void *user, const struct ml_outcome *outcome)
{
	*(int *)user = outcome->code;
}

static int reload(struct fixture *f)
{
	int code = 1;
	json_t *params = json_pack("{s:s, s:s}", "node", "r", "action", "reload");
	const struct ml_call call = {.command = "node.action",
		.params = params,
		.role = ML_ROLE_ADMIN,
		.done = told,
		.user_data = &code,
		.lane = ml_engine_lane(f->engine, "control")};
	assert_true(ml_command_call(f->engine, &call) > 0);
	ml_engine_simulate(f->engine, 0);
	json_decref(params);
	return code;
}

static void test_a_changed_template_is_taken_up_when_asked(void **state)
{
	struct fixture *f = *state;
	write_template(f, "out:document{name = 'one.txt'}");
	run(f, "\"template\": \"mine\"", 60); /* one a second */
	write_template(f, "oops(");
	assert_true(reload(f) < 0); /* the one before stays in use */
	ml_engine_simulate(f->engine, ml_clock_monotonic(f->clock) + 5 * ML_SEC);
	assert_string_equal(f->shared->seen[f->shared->count - 1].name, "one.txt");
	assert_int_equal(f->shared->failed, 0);
	write_template(f, "out:document{name = 'two.txt'}");
	assert_int_equal(reload(f), 0);
	ml_engine_simulate(f->engine, ml_clock_monotonic(f->clock) + 5 * ML_SEC);
	assert_string_equal(f->shared->seen[f->shared->count - 1].name, "two.txt");
}

static void test_a_store_that_fails(void **state)
{
	struct fixture *f = *state;
	kit_fail_page = 0;
	run(f, "\"template\": \"3101\"", 2);
	kit_fail_page = -1;
	expect_counts(f, 1, 1, 1); /* the second one went well */
}

static void refused(struct fixture *f, const char *params, const char *pointer, const char *part)
{
	struct ml_errors errors = {0};
	assert_true(apply(f, params, 8, &errors) < 0);
	if (strcmp(errors.items[0].pointer, pointer) != 0 || !strstr(errors.items[0].text, part))
		fail_msg("%s\n  gave: %s: %s", params, errors.items[0].pointer,
			errors.items[0].text);
	ml_errors_free(&errors);
}

static void test_wrong_parameters(void **state)
{
	struct fixture *f = *state;
	refused(f, "", "/nodes/1/params/template", "missing");
	refused(f, "\"template\": \"3151\"", "/nodes/1/params/template",
		"there is no '3151' in templates");
	refused(f, "\"template\": \"3101\", \"options\": {\"dat\": \"x\"}",
		"/nodes/1/params/options/dat", "is 'date' meant?");
	refused(f, "\"template\": \"3101\", \"options\": {\"failed\": 1}",
		"/nodes/1/params/options/failed", "expected true or false");
	refused(f, "\"template\": \"3101\", \"options\": []", "/nodes/1/params/options",
		"expected an object");
}

int main(void)
{
#define RENDER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		RENDER_TEST(test_renders_and_is_done_when_the_document_is),
		RENDER_TEST(test_a_failed_document_fails_the_batch),
		RENDER_TEST(test_waits_for_room),
		RENDER_TEST(test_nothing_new_makes_no_report),
		RENDER_TEST(test_nothing_new_may_make_one),
		RENDER_TEST(test_locale_of_the_node),
		RENDER_TEST(test_a_template_of_the_user),
		RENDER_TEST(test_a_changed_template_is_taken_up_when_asked),
		RENDER_TEST(test_a_store_that_fails),
		RENDER_TEST(test_wrong_parameters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
