/* An engine at a desk: commands are called and their outcomes looked at.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "command/job.h"

static void engine_start(struct desk *desk)
{
	desk->clock = ml_clock_new_simulated(desk->wall);
	assert_non_null(desk->clock);
	desk->log = ml_log_new(desk->clock, 0);
	const struct ml_engine_options options = {
		.families = desk->families,
		.clock = desk->clock,
		.log = desk->log,
		.data = desk->data,
		.device_key = desk->key,
	};
	struct ml_error err = ML_ERROR_NONE;
	if (ml_engine_new(&options, &desk->engine, &err) < 0)
		fail_msg("engine: %s", err.text);
}

static void engine_end(struct desk *desk)
{
	ml_engine_free(desk->engine);
	ml_log_free(desk->log);
	ml_clock_free(desk->clock);
}

struct desk *desk_new(const struct ml_family *const *families)
{
	struct desk *desk = calloc(1, sizeof *desk);
	assert_non_null(desk);
	(void)snprintf(desk->folder, sizeof desk->folder, "/tmp/meterloom-test-XXXXXX");
	assert_non_null(mkdtemp(desk->folder));
	(void)snprintf(desk->data, sizeof desk->data, "%s/data", desk->folder);
	(void)snprintf(desk->key, sizeof desk->key, "%s/state/device.key", desk->folder);
	desk->families = families;
	desk->wall = 1769868900 * ML_SEC; /* 2026-01-31T14:15:00Z */
	engine_start(desk);
	return desk;
}

static void forget_outcome(struct desk *desk)
{
	free(desk->result);
	free(desk->detail);
	free(desk->errors);
	desk->result = desk->detail = desk->errors = NULL;
	desk->told = 0;
	desk->code = 1;
}

void desk_free(struct desk *desk)
{
	char command[160];
	engine_end(desk);
	forget_outcome(desk);
	(void)snprintf(command, sizeof command, "rm -rf %s", desk->folder);
	assert_int_equal(system(command), 0);
	free(desk);
}

void desk_restart(struct desk *desk)
{
	engine_end(desk);
	if (desk->between)
		desk->between(desk);
	desk->between = NULL;
	engine_start(desk);
}

static void on_done(void *user, const struct ml_outcome *outcome)
{
	struct desk *desk = user;
	struct ml_buffer errors = {0};
	struct ml_json_writer w;
	const int told = desk->told + 1;
	forget_outcome(desk);
	desk->told = told;
	desk->code = outcome->code;
	desk->result = strndup(outcome->result, outcome->result_length);
	desk->detail = outcome->detail ? strdup(outcome->detail) : NULL;
	ml_json_writer_init(&w, &errors);
	ml_errors_write(outcome->errors, outcome->error_count, &w);
	desk->errors = errors.data;
}

uint64_t desk_begin(struct desk *desk, enum ml_role role, const char *command, const char *params)
{
	char *text = strdup(params ? params : "{}");
	assert_non_null(text);
	for (char *c = text; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	json_error_t error;
	json_t *tree = json_loads(text, JSON_DECODE_ANY, &error);
	if (!tree)
		fail_msg("%s: %s", text, error.text);
	const struct ml_call call = {
		.command = command,
		.params = tree,
		.text = text,
		.length = strlen(text),
		.user = "tester",
		.role = role,
		.done = on_done,
		.user_data = desk,
		.lane = ml_engine_lane(desk->engine, "control"),
	};
	forget_outcome(desk);
	const uint64_t job = ml_command_call(desk->engine, &call);
	assert_int_not_equal(job, 0);
	assert_int_equal(desk->told, 0); /* never from within */
	json_decref(tree);
	free(text);
	return job;
}

void desk_settle(struct desk *desk)
{
	ml_engine_simulate(desk->engine, 0);
}

int desk_call(struct desk *desk, const char *command, const char *params)
{
	(void)desk_begin(desk, ML_ROLE_ADMIN, command, params);
	desk_settle(desk);
	assert_int_equal(desk->told, 1);
	return desk->code;
}

void assert_has(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("'%s' is not in: %s", part, text ? text : "nothing");
}
