/* Commands and jobs: every call is told once, jobs end once, are bounded, tell progress, can be
 * cancelled.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <meterloom/feed.h>

#include "command/registry.h"
#include "desk.h"

/* ---- Commands of the tests ---- */

struct echo_params {
	int64_t number;
	char *text;
	json_t *tree;
};

static const struct ml_param echo_params[] = {
	{.name = "number",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct echo_params, number),
		.title = "Number",
		.help = "A number.",
		.preset = "7",
		.min = 0,
		.max = 100},
	{.name = "text",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct echo_params, text),
		.title = "Text",
		.help = "A text.",
		.flags = ML_PARAM_REQUIRED},
	{.name = "tree",
		.kind = ML_PARAM_JSON,
		.offset = offsetof(struct echo_params, tree),
		.title = "Tree",
		.help = "Anything.",
		.flags = ML_PARAM_NULLABLE},
	{0},
};

static void echo_run(struct ml_job *job, void *params)
{
	const struct echo_params *p = params;
	struct ml_json_writer *w = ml_job_result(job);
	size_t length = 0;
	const char *tree = ml_job_param_text(job, "tree", &length);
	ml_json_begin_object(w);
	ml_json_key(w, "number");
	ml_json_integer(w, p->number);
	ml_json_key(w, "text");
	ml_json_string(w, p->text);
	ml_json_key(w, "user");
	ml_json_string(w, ml_job_user(job));
	if (tree) {
		ml_json_key(w, "tree");
		ml_json_raw(w, tree, length);
	}
	ml_json_end_object(w);
	ml_job_succeed(job);
	/* Its parameters stay until it returns. */
	assert_true(strlen(p->text) > 0);
}

static void fail_run(struct ml_job *job, void *params)
{
	(void)params;
	struct ml_errors errors = {0};
	ml_json_string(ml_job_result(job), "half of a result");
	ml_json_integer(ml_job_detail(job), 42);
	ml_errors_addf(&errors, -ESTALE, "/a", "first");
	ml_errors_addf(&errors, -EINVAL, "/b", "second");
	ml_job_fail_all(job, &errors);
	ml_errors_free(&errors);
}

/* Waits until it is cancelled, or ended by the test. */
static struct ml_job *waiting;

static void on_cancel(struct ml_job *job, void *user)
{
	struct ml_error err = ML_ERROR_NONE;
	assert_ptr_equal(user, &waiting);
	waiting = NULL;
	(void)ml_error_set(&err, -ECANCELED, "stopped by somebody");
	ml_job_fail(job, &err);
}

static void wait_run(struct ml_job *job, void *params)
{
	(void)params;
	waiting = job;
	ml_job_on_cancel(job, on_cancel, &waiting);
}

static void stubborn_run(struct ml_job *job, void *params)
{
	(void)params;
	waiting = job;
}

static void large_run(struct ml_job *job, void *params)
{
	(void)params;
	struct ml_json_writer *w = ml_job_result(job);
	char *text = malloc(1 << 20);
	assert_non_null(text);
	memset(text, 'x', 1 << 20);
	ml_json_begin_array(w);
	for (int i = 0; i < 20; i++)
		ml_json_string_n(w, text, 1 << 20);
	ml_json_end_array(w);
	free(text);
	ml_job_succeed(job);
}

static const struct ml_command commands[] = {
	{.name = "test.wait",
		.title = "Wait",
		.help = "Waits.",
		.role = ML_ROLE_OPERATE,
		.run = wait_run},
	{.name = "test.echo",
		.title = "Echo",
		.help = "Says it again.",
		.role = ML_ROLE_READ,
		.params = echo_params,
		.params_size = sizeof(struct echo_params),
		.run = echo_run},
	{.name = "test.fail",
		.title = "Fail",
		.help = "Fails.",
		.role = ML_ROLE_READ,
		.run = fail_run},
	{.name = "test.stubborn",
		.title = "Stubborn",
		.help = "Cannot be cancelled.",
		.role = ML_ROLE_READ,
		.lane = "elsewhere",
		.run = stubborn_run},
	{.name = "test.large",
		.title = "Large",
		.help = "Has too large a result.",
		.role = ML_ROLE_READ,
		.run = large_run},
	{0},
};

static const struct ml_family family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "test",
	.commands = commands,
};

static const struct ml_family *const families[] = {&family, NULL};

static int set_up(void **state)
{
	waiting = NULL;
	*state = desk_new(families);
	return 0;
}

static int tear_down(void **state)
{
	desk_free(*state);
	return 0;
}

static const char *job_params(uint64_t job, char params[40])
{
	(void)snprintf(params, 40, "{'job': %llu}", (unsigned long long)job);
	return params;
}

/* ---- Tests ---- */

static void a_command_gets_its_parameters_and_gives_its_result(void **state)
{
	struct desk *desk = *state;
	assert_int_equal(desk_call(desk, "test.echo", "{'text': 'hello', 'tree': [1.50, 2e3]}"), 0);
	assert_string_equal(desk->result,
		"{\"number\":7,\"text\":\"hello\",\"user\":\"tester\",\"tree\":[1.50, 2e3]}");
}

static void all_wrong_parameters_are_told_at_once(void **state)
{
	struct desk *desk = *state;
	assert_int_equal(desk_call(desk, "test.echo", "{'number': 101, 'txt': 'hello'}"), -EINVAL);
	assert_string_equal(desk->result, "null");
	assert_has(desk->errors, "\"pointer\":\"/number\"");
	assert_has(desk->errors, "\"pointer\":\"/txt\"");
	assert_int_equal(desk_call(desk, "test.echo", "[1]"), -EINVAL);
}

static void an_unknown_command_is_told_as_such(void **state)
{
	struct desk *desk = *state;
	assert_int_equal(desk_call(desk, "test.eco", NULL), -ENOENT);
	assert_has(desk->errors, "test.eco");
	assert_int_equal(desk_call(desk, "job.list", NULL), 0);
	assert_string_equal(desk->result, "[]");
}

static void a_role_that_is_too_low_is_refused(void **state)
{
	struct desk *desk = *state;
	(void)desk_begin(desk, ML_ROLE_READ, "test.wait", NULL);
	desk_settle(desk);
	assert_int_equal(desk->code, -EACCES);
	assert_null(waiting);
	(void)desk_begin(desk, ML_ROLE_OPERATE, "test.wait", NULL);
	desk_settle(desk);
	assert_non_null(waiting);
	ml_job_succeed(waiting);
	desk_settle(desk);
	assert_int_equal(desk->told, 1);
}

static void a_failure_tells_all_errors_and_the_detail_and_no_half_result(void **state)
{
	struct desk *desk = *state;
	assert_int_equal(desk_call(desk, "test.fail", NULL), -ESTALE);
	assert_string_equal(desk->result, "null");
	assert_string_equal(desk->detail, "42");
	assert_has(desk->errors, "first");
	assert_has(desk->errors, "second");
}

static void a_result_that_is_too_large_is_an_error(void **state)
{
	struct desk *desk = *state;
	assert_int_equal(desk_call(desk, "test.large", NULL), -E2BIG);
	assert_has(desk->errors, "16 MiB");
}

static void a_running_job_is_listed_and_cancelled(void **state)
{
	struct desk *desk = *state;
	char params[40];
	const uint64_t job = desk_begin(desk, ML_ROLE_ADMIN, "test.wait", NULL);
	desk_settle(desk);
	assert_int_equal(desk->told, 0);
	ml_job_progress(waiting, 3, 10, "three of ten");
	assert_int_equal(desk_call(desk, "job.list", NULL), 0);
	assert_has(desk->result, "\"state\":\"running\"");
	assert_has(desk->result, "\"cancellable\":true");
	assert_has(
		desk->result, "\"progress\":{\"done\":3,\"total\":10,\"text\":\"three of ten\"}");
	(void)desk_begin(desk, ML_ROLE_ADMIN, "job.cancel", job_params(job, params));
	desk_settle(desk);
	assert_int_equal(desk->told, 2); /* the cancel, and the job that it ended */
	assert_null(waiting);
	assert_int_equal(desk_call(desk, "job.show", params), 0);
	assert_has(desk->result, "\"state\":\"cancelled\"");
	assert_has(desk->result, "stopped by somebody");
	assert_int_equal(desk_call(desk, "job.cancel", params), -EALREADY);
	assert_int_equal(desk_call(desk, "job.cancel", "{'job': 999}"), -ENOENT);
}

static void a_job_that_has_not_begun_can_be_cancelled(void **state)
{
	struct desk *desk = *state;
	char params[40];
	const uint64_t job = desk_begin(desk, ML_ROLE_ADMIN, "test.stubborn", NULL);
	/* The control lane turns before the other one. */
	(void)desk_begin(desk, ML_ROLE_ADMIN, "job.cancel", job_params(job, params));
	desk_settle(desk);
	assert_int_equal(desk->told, 2);
	assert_null(waiting);
}

static void a_job_that_cannot_be_cancelled_says_so(void **state)
{
	struct desk *desk = *state;
	char params[40];
	const uint64_t job = desk_begin(desk, ML_ROLE_ADMIN, "test.stubborn", NULL);
	desk_settle(desk);
	assert_non_null(waiting);
	assert_int_equal(desk_call(desk, "job.cancel", job_params(job, params)), -ENOTSUP);
	ml_job_succeed(waiting);
	desk_settle(desk);
}

static void who_forgets_a_job_is_not_told(void **state)
{
	struct desk *desk = *state;
	const uint64_t job = desk_begin(desk, ML_ROLE_ADMIN, "test.wait", NULL);
	desk_settle(desk);
	ml_command_forget(desk->engine, job);
	ml_job_succeed(waiting);
	desk_settle(desk);
	assert_int_equal(desk->told, 0);
	const uint64_t wrong = desk_begin(desk, ML_ROLE_ADMIN, "no.such", NULL);
	ml_command_forget(desk->engine, wrong);
	desk_settle(desk);
	assert_int_equal(desk->told, 0);
}

static void results_nobody_was_told_are_kept(void **state)
{
	struct desk *desk = *state;
	char params[40];
	const struct ml_call call = {.command = "engine.status", .role = ML_ROLE_READ};
	const uint64_t job = ml_command_call(desk->engine, &call);
	desk_settle(desk);
	assert_int_equal(desk_call(desk, "job.show", job_params(job, params)), 0);
	assert_has(desk->result, "\"state\":\"succeeded\"");
	assert_has(desk->result, "\"epoch\":1");
}

static void the_list_of_jobs_is_bounded(void **state)
{
	struct desk *desk = *state;
	const struct ml_call call = {.command = "engine.status", .role = ML_ROLE_READ};
	for (int i = 0; i < 3 * ML_JOBS_ENDED_MAX; i++)
		assert_int_not_equal(ml_command_call(desk->engine, &call), 0);
	desk_settle(desk);
	assert_int_equal(desk_call(desk, "job.list", NULL), 0);
	json_t *list = json_loads(desk->result, 0, NULL);
	assert_int_equal(json_array_size(list), ML_JOBS_ENDED_MAX);
	/* The newest first. */
	const json_int_t first = json_integer_value(json_object_get(json_array_get(list, 0), "id"));
	assert_int_equal(first, 3 * ML_JOBS_ENDED_MAX);
	json_decref(list);
}

static void too_many_jobs_are_refused(void **state)
{
	struct desk *desk = *state;
	const struct ml_call call = {.command = "engine.status", .role = ML_ROLE_READ};
	for (int i = 0; i < ML_JOBS_ACTIVE_MAX; i++)
		assert_int_not_equal(ml_command_call(desk->engine, &call), 0);
	(void)desk_begin(desk, ML_ROLE_ADMIN, "engine.status", NULL);
	desk_settle(desk);
	assert_int_equal(desk->code, -EAGAIN);
	assert_int_equal(desk_call(desk, "engine.status", NULL), 0);
}

static void on_wake(void *user)
{
	++*(int *)user;
}

static void jobs_are_told_on_their_feed_and_progress_is_held_back(void **state)
{
	struct desk *desk = *state;
	int wakes = 0, count = 0;
	struct ml_feed *feed = ml_feed_subscribe(
		desk->engine, "job", 100, ml_engine_lane(desk->engine, "control"), on_wake, &wakes);
	assert_non_null(feed);
	(void)desk_begin(desk, ML_ROLE_ADMIN, "test.wait", NULL);
	desk_settle(desk);
	assert_true(wakes > 0);
	for (int i = 0; i < 1000; i++) {
		ml_clock_advance(desk->clock, ml_clock_monotonic(desk->clock) + ML_MSEC);
		ml_job_progress(waiting, (uint64_t)i, 1000, NULL);
	}
	ml_job_succeed(waiting);
	desk_settle(desk);
	struct ml_feed_item item;
	char last[400] = "";
	while (ml_feed_take(feed, &item)) {
		assert_string_equal(item.topic, "job");
		assert_int_equal(item.lost, 0);
		(void)snprintf(last, sizeof last, "%s", item.json);
		free(item.json);
		count++;
	}
	/* queued, running, four in a second, succeeded */
	assert_in_range(count, 6, 8);
	assert_has(last, "\"state\":\"succeeded\"");
	ml_feed_unsubscribe(feed);
}

/* ---- Rows ---- */

static void tell_row(const char *text)
{
	ml_json_string(ml_job_row(waiting), text);
	ml_job_row_end(waiting);
}

static void rows_are_shown_while_the_job_runs_and_afterwards(void **state)
{
	struct desk *desk = *state;
	char params[60];
	const struct ml_call call = {.command = "test.wait", .role = ML_ROLE_OPERATE};
	const unsigned long long job = ml_command_call(desk->engine, &call);
	desk_settle(desk);
	tell_row("first");
	tell_row("second");
	(void)snprintf(params, sizeof params, "{'job': %llu, 'from': 1}", job);
	assert_int_equal(desk_call(desk, "job.show", params), 0);
	assert_has(desk->result, "\"rows\":2");
	assert_has(desk->result, "\"items\":[\"second\"]");
	ml_job_succeed(waiting);
	desk_settle(desk);
	(void)snprintf(params, sizeof params, "{'job': %llu}", job);
	assert_int_equal(desk_call(desk, "job.show", params), 0);
	assert_has(desk->result, "\"items\":[\"first\",\"second\"]");
	(void)snprintf(params, sizeof params, "{'job': %llu, 'from': 5}", job);
	assert_int_equal(desk_call(desk, "job.show", params), 0);
	assert_has(desk->result, "\"items\":[]");
}

static void rows_are_bounded_and_those_lost_are_counted(void **state)
{
	struct desk *desk = *state;
	char params[60];
	const struct ml_call call = {.command = "test.wait", .role = ML_ROLE_OPERATE};
	const unsigned long long job = ml_command_call(desk->engine, &call);
	desk_settle(desk);
	for (int i = 0; i < ML_JOB_ROWS_MAX + 3; i++)
		tell_row("x");
	ml_job_succeed(waiting);
	desk_settle(desk);
	(void)snprintf(params, sizeof params, "{'job': %llu, 'from': %d}", job, ML_JOB_ROWS_MAX);
	assert_int_equal(desk_call(desk, "job.show", params), 0);
	assert_has(desk->result, "\"rows\":20000,\"rows_lost\":3");
}

struct listener {
	struct desk *desk;
	char heard[200];
	bool done;
};

static void on_progress(void *user, uint64_t done, uint64_t total, const char *text)
{
	struct listener *listener = user;
	const size_t used = strlen(listener->heard);
	assert_false(listener->done);
	(void)snprintf(listener->heard + used, sizeof listener->heard - used, "%u/%u %s; ",
		(unsigned)done, (unsigned)total, text);
}

static void on_row(void *user, const char *json, size_t length)
{
	struct listener *listener = user;
	const size_t used = strlen(listener->heard);
	assert_false(listener->done);
	assert_int_equal(strlen(json), length);
	(void)snprintf(listener->heard + used, sizeof listener->heard - used, "%s; ", json);
}

static void on_done(void *user, const struct ml_outcome *outcome)
{
	struct listener *listener = user;
	assert_int_equal(outcome->code, -ECANCELED);
	listener->done = true;
}

static void the_caller_hears_progress_and_rows_and_can_cancel(void **state)
{
	struct desk *desk = *state;
	struct listener listener = {.desk = desk};
	struct ml_error err = ML_ERROR_NONE;
	const struct ml_call call = {.command = "test.wait",
		.role = ML_ROLE_OPERATE,
		.done = on_done,
		.user_data = &listener,
		.lane = ml_engine_lane(desk->engine, "control"),
		.progress = on_progress,
		.row = on_row};
	const uint64_t job = ml_command_call(desk->engine, &call);
	desk_settle(desk);
	ml_job_progress(waiting, 1, 4, "searching");
	tell_row("a meter");
	/* Rows hold no progress back. */
	ml_engine_simulate(
		desk->engine, ml_clock_monotonic(ml_engine_clock(desk->engine)) + ML_SEC);
	tell_row("another");
	ml_job_progress(waiting, 2, 4, NULL);
	assert_int_equal(ml_command_cancel(desk->engine, job, &err), 0);
	desk_settle(desk);
	assert_true(listener.done);
	assert_string_equal(
		listener.heard, "1/4 searching; \"a meter\"; \"another\"; 2/4 searching; ");
	assert_int_equal(ml_command_cancel(desk->engine, job, &err), -EALREADY);
}

/* Who follows the list by its feed would never hear that it ended. */
static void what_only_reads_for_a_caller_that_waits_is_not_listed(void **state)
{
	struct desk *desk = *state;
	(void)desk_begin(desk, ML_ROLE_ADMIN, "test.stubborn", NULL);
	desk_settle(desk);
	assert_non_null(waiting);
	assert_int_equal(desk_call(desk, "job.list", NULL), 0);
	assert_string_equal(desk->result, "[]");
	ml_job_succeed(waiting);
	desk_settle(desk);
}

static void a_part_of_another_job_is_not_listed_but_can_be_cancelled(void **state)
{
	struct desk *desk = *state;
	struct listener listener = {.desk = desk};
	struct ml_error err = ML_ERROR_NONE;
	const struct ml_call call = {.command = "test.wait",
		.role = ML_ROLE_OPERATE,
		.done = on_done,
		.user_data = &listener,
		.lane = ml_engine_lane(desk->engine, "control"),
		.part = true};
	const uint64_t job = ml_command_call(desk->engine, &call);
	desk_settle(desk);
	assert_int_equal(desk_call(desk, "job.list", NULL), 0);
	assert_string_equal(desk->result, "[]");
	assert_int_equal(ml_command_cancel(desk->engine, job, &err), 0);
	desk_settle(desk);
	assert_true(listener.done);
	assert_int_equal(desk_call(desk, "job.list", NULL), 0);
	assert_string_equal(desk->result, "[]");
}

static void commands_are_listed_by_name_with_their_schema(void **state)
{
	struct desk *desk = *state;
	assert_int_equal(desk_call(desk, "command.list", NULL), 0);
	json_t *list = json_loads(desk->result, 0, NULL);
	const char *before = "";
	bool found = false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *command = json_array_get(list, i);
		const char *name = json_string_value(json_object_get(command, "name"));
		assert_true(strcmp(before, name) < 0);
		assert_true(strlen(json_string_value(json_object_get(command, "help"))) > 0);
		before = name;
		if (strcmp(name, "test.echo") != 0)
			continue;
		found = true;
		assert_string_equal(json_string_value(json_object_get(command, "role")), "read");
		assert_non_null(json_object_get(
			json_object_get(json_object_get(command, "params"), "properties"),
			"number"));
	}
	assert_true(found);
	json_decref(list);
}

static void two_commands_of_one_name_are_refused(void **state)
{
	(void)state;
	static const struct ml_family other = {
		.abi = ML_FAMILY_ABI,
		.size = sizeof(struct ml_family),
		.name = "other",
		.commands = commands,
	};
	static const struct ml_family *const both[] = {&family, &other, NULL};
	struct ml_commands *made = NULL;
	struct ml_error err = ML_ERROR_NONE;
	assert_int_equal(ml_commands_new(NULL, both, &made, &err), -EEXIST);
	assert_null(made);
	assert_has(err.text, "test.");
	static const struct ml_command bad[] = {{.name = "Bad Name"}, {0}};
	static const struct ml_family third = {.name = "third", .commands = bad};
	static const struct ml_family *const badly[] = {&third, NULL};
	err = ML_ERROR_NONE;
	assert_int_equal(ml_commands_new(NULL, badly, &made, &err), -EINVAL);
	assert_has(err.text, "Bad Name");
}

int main(void)
{
#define DESK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		DESK(a_command_gets_its_parameters_and_gives_its_result),
		DESK(all_wrong_parameters_are_told_at_once),
		DESK(an_unknown_command_is_told_as_such),
		DESK(a_role_that_is_too_low_is_refused),
		DESK(a_failure_tells_all_errors_and_the_detail_and_no_half_result),
		DESK(a_result_that_is_too_large_is_an_error),
		DESK(a_running_job_is_listed_and_cancelled),
		DESK(a_job_that_has_not_begun_can_be_cancelled),
		DESK(a_job_that_cannot_be_cancelled_says_so),
		DESK(who_forgets_a_job_is_not_told),
		DESK(results_nobody_was_told_are_kept),
		DESK(the_list_of_jobs_is_bounded),
		DESK(too_many_jobs_are_refused),
		DESK(jobs_are_told_on_their_feed_and_progress_is_held_back),
		DESK(rows_are_shown_while_the_job_runs_and_afterwards),
		DESK(rows_are_bounded_and_those_lost_are_counted),
		DESK(the_caller_hears_progress_and_rows_and_can_cancel),
		DESK(what_only_reads_for_a_caller_that_waits_is_not_listed),
		DESK(a_part_of_another_job_is_not_listed_but_can_be_cancelled),
		DESK(commands_are_listed_by_name_with_their_schema),
		cmocka_unit_test(two_commands_of_one_name_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
