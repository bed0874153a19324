/* Revisions: what was applied is kept, told, taken back, and run again after a restart.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include <meterloom/command.h>
#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "graph/revisions.h"
#include "run/change.h"
#include "run/engine.h"

/* ---- A node that can be wrong in two ways ---- */

struct plain {
	int64_t n;
};

static int plain_prepare(struct ml_node *node, void *self, struct ml_error *err)
{
	const struct plain *const plain = self;
	(void)node;
	return plain->n == 13 ? ml_error_set_pointer(err, -EIO, "/n", "13 cannot be prepared") : 0;
}

static const struct ml_param plain_params[] = {{.name = "n",
						       .kind = ML_PARAM_INTEGER,
						       .offset = offsetof(struct plain, n),
						       .title = "N",
						       .preset = "0"},
	{0}};

/* A later version of the program has no such class. */
static const struct ml_node_class plain_class = {
	.type = "plain",
	.version = 1,
	.title = "Plain",
	.category = "source",
	.params = plain_params,
	.ports = (const struct ml_port[]){{0}},
	.size = sizeof(struct plain),
	.flags = ML_NODE_SOURCE,
	.prepare = plain_prepare,
};

static const struct ml_node_class *const classes[] = {&plain_class, NULL};
static const struct ml_family family = {.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "a",
	.node_classes = classes};
static const struct ml_family *const families[] = {&family, NULL};
static const struct ml_family *const no_families[] = {NULL};

/* ---- A gateway that can be started again ---- */

struct gateway {
	char data[64];
	struct ml_clock *clock;
	struct ml_log *log;
	struct ml_engine *engine;
};

static void start(struct gateway *gateway, const struct ml_family *const *with)
{
	const struct ml_engine_options options = {
		.families = with,
		.clock = gateway->clock,
		.log = gateway->log,
		.data = gateway->data,
		.device_key = NULL,
	};
	struct ml_error err = ML_ERROR_NONE;
	const int result = ml_engine_new(&options, &gateway->engine, &err);
	if (result != 0)
		print_error("%s\n", err.text);
	assert_int_equal(result, 0);
}

static void stop(struct gateway *gateway)
{
	ml_engine_free(gateway->engine);
	gateway->engine = NULL;
}

static int set_up(void **state)
{
	struct gateway *const gateway = calloc(1, sizeof *gateway);
	assert_non_null(gateway);
	(void)snprintf(gateway->data, sizeof gateway->data, "/tmp/meterloom-revisions-XXXXXX");
	assert_non_null(mkdtemp(gateway->data));
	(void)setenv("XDG_CONFIG_HOME", gateway->data, 1); /* the device key lies there */
	gateway->clock = ml_clock_new_simulated(1769868900 * ML_SEC);
	gateway->log = ml_log_new(gateway->clock, 0);
	start(gateway, families);
	*state = gateway;
	return 0;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info;
	(void)type;
	(void)walk;
	return remove(path);
}

static int tear_down(void **state)
{
	struct gateway *const gateway = *state;
	stop(gateway);
	ml_log_free(gateway->log);
	ml_clock_free(gateway->clock);
	(void)nftw(gateway->data, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(gateway);
	return 0;
}

static const char *graph_of(int n)
{
	static char text[128];
	(void)snprintf(text, sizeof text,
		"{\"meterloom\": 1, \"nodes\": [{\"id\": \"a\", \"type\": \"plain\", \"params\": "
		"{\"n\": %d}}]}",
		n);
	return text;
}

static int change_to(struct gateway *gateway, const char *text, int64_t base, int64_t *revision)
{
	struct ml_errors errors = {0};
	const struct ml_change change = {.graph = text,
		.length = strlen(text),
		.base = base,
		.author = "anna",
		.remark = "why not"};
	const int result = ml_engine_change(gateway->engine, &change, revision, &errors);
	assert_true(result == 0 ? errors.count == 0 : errors.count > 0);
	ml_errors_free(&errors);
	return result;
}

static void assert_runs(struct gateway *gateway, int64_t revision, const char *text)
{
	size_t length = 0;
	int64_t number = 0;
	const char *const graph = ml_engine_graph(gateway->engine, &length, &number);
	assert_int_equal(number, revision);
	assert_int_equal(length, strlen(text));
	assert_memory_equal(graph, text, length);
}

static void what_was_applied_is_told(void **state)
{
	struct gateway *const gateway = *state;
	int64_t revision = -1;
	assert_int_equal(change_to(gateway, graph_of(1), 0, &revision), 0);
	assert_int_equal(revision, 1);
	ml_clock_advance(gateway->clock, ML_MINUTE);
	assert_int_equal(change_to(gateway, graph_of(2), 1, &revision), 0);
	assert_int_equal(revision, 2);
	assert_runs(gateway, 2, graph_of(2));

	struct ml_buffer buffer = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &buffer);
	assert_int_equal(ml_revisions_to_json(gateway->engine->revisions, 0, 10, &w, NULL), 0);
	assert_string_equal(buffer.data,
		"[{\"revision\":2,\"time\":\"2026-01-31T14:16:00.000Z\",\"author\":\"anna\","
		"\"remark\":\"why not\",\"running\":true,\"difference\":{\"runs\":true,\"nodes\":"
		"{\"added\":[],\"removed\":[],\"changed\":[{\"id\":\"a\",\"values\":[{\"pointer\":"
		"\"/params/"
		"n\",\"from\":1,\"to\":2}]}],\"rewired\":[],\"moved\":[],\"remarked\":[]},"
		"\"edges\":{\"added\":[],\"removed\":[],\"changed\":[]},\"graph\":[]}},"
		"{\"revision\":1,\"time\":\"2026-01-31T14:15:00.000Z\",\"author\":\"anna\","
		"\"remark\":\"why not\",\"running\":false,\"difference\":{\"runs\":true,\"nodes\":"
		"{\"added\":[\"a\"],\"removed\":[],\"changed\":[],\"rewired\":[],\"moved\":[],"
		"\"remarked\":[]},\"edges\":{\"added\":[],\"removed\":[],\"changed\":[]},\"graph\":"
		"[]}}]");
	ml_buffer_clear(&buffer);
	ml_json_writer_init(&w, &buffer);
	assert_int_equal(ml_revisions_to_json(gateway->engine->revisions, 2, 10, &w, NULL), 0);
	assert_non_null(strstr(buffer.data, "[{\"revision\":1,"));
	ml_buffer_free(&buffer);
}

static void what_is_refused_changes_nothing(void **state)
{
	struct gateway *const gateway = *state;
	int64_t revision = -1;
	assert_int_equal(change_to(gateway, graph_of(1), ML_CHANGE_ANY, &revision), 0);
	assert_int_equal(change_to(gateway, "{\"nodes\": 1}", 1, &revision), -EINVAL);
	assert_int_equal(revision, 1);
	assert_int_equal(change_to(gateway, graph_of(13), 1, &revision), -EIO);
	assert_int_equal(change_to(gateway, graph_of(2), 0, &revision), -ESTALE);
	assert_int_equal(change_to(gateway, graph_of(2), 7, &revision), -ESTALE);
	assert_runs(gateway, 1, graph_of(1));
	assert_int_equal(ml_revisions_newest(gateway->engine->revisions, 0, NULL), 1);
	/* The same text is applied anew and is no other revision. */
	assert_int_equal(change_to(gateway, graph_of(1), 1, &revision), 0);
	assert_int_equal(revision, 1);
	assert_int_equal(change_to(gateway, graph_of(2), 1, &revision), 0);
	assert_int_equal(revision, 2);
}

static void one_goes_back(void **state)
{
	struct gateway *const gateway = *state;
	struct ml_errors errors = {0};
	int64_t revision = 0;
	assert_int_equal(change_to(gateway, graph_of(1), 0, &revision), 0);
	assert_int_equal(change_to(gateway, graph_of(2), 1, &revision), 0);
	assert_int_equal(ml_engine_roll_back(gateway->engine, 1, 2, "bert", &revision, &errors), 0);
	assert_int_equal(revision, 3);
	assert_runs(gateway, 3, graph_of(1));
	struct ml_revision kept;
	assert_int_equal(ml_revisions_get(gateway->engine->revisions, 3, &kept, NULL), 0);
	assert_string_equal(kept.author, "bert");
	assert_string_equal(kept.remark, "Back to revision 1");
	ml_revision_free(&kept);
	assert_int_equal(
		ml_engine_roll_back(gateway->engine, 9, 3, "bert", &revision, &errors), -ENOENT);
	assert_string_equal(errors.items[0].text, "there is no revision 9");
	assert_int_equal(
		ml_engine_roll_back(gateway->engine, 2, 2, "bert", &revision, &errors), -ESTALE);
	assert_runs(gateway, 3, graph_of(1));
	ml_errors_free(&errors);
}

static void a_restart_runs_the_newest(void **state)
{
	struct gateway *const gateway = *state;
	struct ml_errors errors = {0};
	int64_t revision = 0;
	assert_int_equal(change_to(gateway, graph_of(1), 0, &revision), 0);
	assert_int_equal(change_to(gateway, graph_of(2), 1, &revision), 0);
	stop(gateway);
	start(gateway, families);
	assert_int_equal(ml_engine_boot(gateway->engine, NULL, 0, NULL, &errors), 0);
	assert_runs(gateway, 2, graph_of(2));
}

static void a_restart_passes_over_what_does_not_check(void **state)
{
	struct gateway *const gateway = *state;
	struct ml_errors errors = {0};
	int64_t revision = 0;
	assert_int_equal(
		change_to(gateway, "{\"meterloom\": 1, \"name\": \"x\"}", 0, &revision), 0);
	assert_int_equal(change_to(gateway, graph_of(1), 1, &revision), 0);
	stop(gateway);
	start(gateway, no_families);
	assert_int_equal(ml_engine_boot(gateway->engine, NULL, 0, NULL, &errors), 0);
	assert_runs(gateway, 1, "{\"meterloom\": 1, \"name\": \"x\"}");
	/* A change is made from the one that runs. */
	assert_int_equal(
		change_to(gateway, "{\"meterloom\": 1, \"name\": \"y\"}", 1, &revision), 0);
	assert_int_equal(revision, 3);
}

static void without_a_revision_nothing_runs(void **state)
{
	struct gateway *const gateway = *state;
	struct ml_errors errors = {0};
	assert_int_equal(ml_engine_boot(gateway->engine, NULL, 0, NULL, &errors), 0);
	assert_runs(gateway, 0, "{\"meterloom\": 1, \"nodes\": [], \"edges\": []}\n");
	assert_int_equal(errors.count, 0);
}

static void a_graph_given_at_the_start_is_taken_once(void **state)
{
	struct gateway *const gateway = *state;
	struct ml_errors errors = {0};
	int64_t revision = 0;
	char given[128];
	(void)snprintf(given, sizeof given, "%s", graph_of(1));
	assert_int_equal(
		ml_engine_boot(gateway->engine, given, strlen(given), "demo.json", &errors), 0);
	assert_runs(gateway, 1, given);
	assert_int_equal(change_to(gateway, graph_of(2), 1, &revision), 0);
	stop(gateway);
	/* What was changed since goes on … */
	start(gateway, families);
	assert_int_equal(
		ml_engine_boot(gateway->engine, given, strlen(given), "demo.json", &errors), 0);
	assert_runs(gateway, 2, graph_of(2));
	stop(gateway);
	/* … until another graph is given. */
	start(gateway, families);
	(void)snprintf(given, sizeof given, "%s", graph_of(3));
	assert_int_equal(
		ml_engine_boot(gateway->engine, given, strlen(given), "demo.json", &errors), 0);
	assert_runs(gateway, 3, given);
	assert_int_equal(ml_engine_boot(gateway->engine, "{", 1, "demo.json", &errors), -EINVAL);
	assert_true(errors.count > 0);
	assert_runs(gateway, 3, given);
	ml_errors_free(&errors);
}

static void an_unconfirmed_revision_is_not_run(void **state)
{
	struct gateway *const gateway = *state;
	struct ml_errors errors = {0};
	int64_t revision = 0;
	assert_int_equal(change_to(gateway, graph_of(1), 0, &revision), 0);
	/* As a crash between writing down and confirming leaves it. */
	assert_int_equal(ml_revisions_add(gateway->engine->revisions, "x", "", graph_of(2),
				 strlen(graph_of(2)), &revision, NULL),
		0);
	struct ml_revision kept;
	assert_int_equal(
		ml_revisions_get(gateway->engine->revisions, revision, &kept, NULL), -ENOENT);
	stop(gateway);
	start(gateway, families);
	assert_int_equal(ml_engine_boot(gateway->engine, NULL, 0, NULL, &errors), 0);
	assert_runs(gateway, 1, graph_of(1));
	assert_int_equal(change_to(gateway, graph_of(3), 1, &revision), 0);
	assert_int_equal(revision, 2);
}

static void old_revisions_are_deleted_but_for_the_one_that_runs(void **state)
{
	struct gateway *const gateway = *state;
	int64_t revision = 0;
	assert_int_equal(change_to(gateway, graph_of(1), 0, &revision), 0);
	/* As if the first ones were large. */
	sqlite3 *db = NULL;
	assert_int_equal(ml_database_open(gateway->engine, "meterloom", true, &db, NULL), 0);
	assert_int_equal(
		sqlite3_exec(db, "UPDATE ml_revision SET bytes = 70000000", NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(change_to(gateway, graph_of(2), 1, &revision), 0);
	struct ml_revision kept;
	assert_int_equal(ml_revisions_get(gateway->engine->revisions, 1, &kept, NULL), -ENOENT);
	assert_int_equal(
		sqlite3_exec(db, "UPDATE ml_revision SET bytes = 70000000", NULL, NULL, NULL),
		SQLITE_OK);
	struct ml_error err = ML_ERROR_NONE;
	assert_int_equal(ml_revisions_confirm(gateway->engine->revisions, 2, &err), 0);
	assert_int_equal(ml_revisions_get(gateway->engine->revisions, 2, &kept, NULL), 0);
	ml_revision_free(&kept);
	sqlite3_close(db);
}

/* ---- Commands ---- */

struct answer {
	int code;
	char *result, *detail, *error;
};

static void done(void *user, const struct ml_outcome *outcome)
{
	struct answer *const answer = user;
	answer->code = outcome->code;
	answer->result = strndup(outcome->result, outcome->result_length);
	answer->detail = outcome->detail ? strdup(outcome->detail) : NULL;
	answer->error = outcome->error_count > 0 ? strdup(outcome->errors[0].text) : NULL;
}

/* Calls a command with parameters written as JSON; `expected` is what the result is. */
static void call(struct gateway *gateway, const char *command, const char *params, int code,
	const char *expected, const char *detail)
{
	struct answer answer = {.code = 1};
	json_t *const object = json_loads(params, 0, NULL);
	assert_non_null(object);
	const struct ml_call request = {
		.command = command,
		.params = object,
		.text = params,
		.length = strlen(params),
		.user = "carla",
		.role = ML_ROLE_ADMIN,
		.done = done,
		.user_data = &answer,
		.lane = ml_engine_lane(gateway->engine, "control"),
	};
	assert_true(ml_command_call(gateway->engine, &request) > 0);
	ml_engine_simulate(gateway->engine, 0);
	if (answer.code != code)
		print_error("%s: %s\n", command, answer.error ? answer.error : "");
	assert_int_equal(answer.code, code);
	if (expected)
		assert_string_equal(code == 0 ? answer.result : answer.error, expected);
	if (detail)
		assert_string_equal(answer.detail, detail);
	json_decref(object);
	free(answer.result);
	free(answer.detail);
	free(answer.error);
}

static void commands_do_it_all(void **state)
{
	struct gateway *const gateway = *state;
	call(gateway, "graph.get", "{}", 0,
		"{\"revision\":0,\"graph\":{\"meterloom\": 1, \"nodes\": [], \"edges\": []}}",
		NULL);
	call(gateway, "graph.apply",
		"{\"graph\": {\"meterloom\": 1,  \"layout\": {}}, \"base\": 0, \"remark\": "
		"\"first\"}",
		0, "{\"revision\":1}", NULL);
	/* The text is kept as it was given. */
	call(gateway, "graph.get", "{}", 0,
		"{\"revision\":1,\"graph\":{\"meterloom\": 1,  \"layout\": {}}}", NULL);
	call(gateway, "graph.apply",
		"{\"text\": \"{\\\"meterloom\\\": 1, \\\"name\\\": \\\"x\\\"}\"}", 0,
		"{\"revision\":2}", NULL);
	call(gateway, "graph.apply", "{\"graph\": {\"meterloom\": 1}, \"base\": 1}", -ESTALE,
		"the graph was changed meanwhile: revision 2 runs, this was made from 1",
		"{\"revision\":2,\"difference\":{\"runs\":false,\"nodes\":{\"added\":[],"
		"\"removed\":[],"
		"\"changed\":[],\"rewired\":[],\"moved\":[],\"remarked\":[]},\"edges\":{\"added\":["
		"],"
		"\"removed\":[],\"changed\":[]},\"graph\":[{\"pointer\":\"/"
		"name\",\"to\":\"x\"}]}}");
	call(gateway, "graph.apply", "{\"graph\": {\"meterloom\": 2}}", -EINVAL,
		"meterloom: found version 2 of the format, this program knows 1", NULL);
	call(gateway, "graph.apply", "{}", -EINVAL, "expected a graph as either `graph` or `text`",
		NULL);
	call(gateway, "graph.check", "{\"graph\": {\"meterloom\": 1, \"name\": \"y\"}}", 0,
		"{\"revision\":2,\"difference\":{\"runs\":false,\"nodes\":{\"added\":[],"
		"\"removed\":[],"
		"\"changed\":[],\"rewired\":[],\"moved\":[],\"remarked\":[]},\"edges\":{\"added\":["
		"],"
		"\"removed\":[],\"changed\":[]},\"graph\":[{\"pointer\":\"/name\",\"from\":\"x\","
		"\"to\":\"y\"}]}}",
		NULL);
	call(gateway, "graph.check", "{\"graph\": []}", -EINVAL, NULL, NULL);
	call(gateway, "graph.difference", "{\"from\": 1, \"to\": 2}", 0, NULL, NULL);
	call(gateway, "graph.difference", "{\"from\": 0}", 0, NULL, NULL);
	call(gateway, "graph.difference", "{\"from\": 5}", -ENOENT, "there is no revision 5", NULL);
	call(gateway, "graph.format", "{\"graph\": {\"meterloom\":1,\"layout\":{\"a\":[1.50,2]}}}",
		0,
		"{\"text\":\"{\\n  \\\"meterloom\\\": 1,\\n  \\\"layout\\\": {\\\"a\\\": [1.50, "
		"2]}\\n}\\n\"}",
		NULL);
	call(gateway, "revision.show", "{\"revision\": 3}", -ENOENT, NULL, NULL);
	call(gateway, "revision.show", "{\"revision\": 1}", 0, NULL, NULL);
	call(gateway, "revision.list", "{\"limit\": 1}", 0, NULL, NULL);
	call(gateway, "revision.apply", "{\"revision\": 1, \"base\": 2}", 0, "{\"revision\":3}",
		NULL);
	call(gateway, "revision.apply", "{\"revision\": 2, \"base\": 2}", -ESTALE, NULL, NULL);
	assert_runs(gateway, 3, "{\"meterloom\": 1,  \"layout\": {}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		EACH(what_was_applied_is_told),
		EACH(what_is_refused_changes_nothing),
		EACH(one_goes_back),
		EACH(a_restart_runs_the_newest),
		EACH(a_restart_passes_over_what_does_not_check),
		EACH(without_a_revision_nothing_runs),
		EACH(a_graph_given_at_the_start_is_taken_once),
		EACH(an_unconfirmed_revision_is_not_run),
		EACH(old_revisions_are_deleted_but_for_the_one_that_runs),
		EACH(commands_do_it_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
