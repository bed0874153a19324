/* Scripts of commands.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/script.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>
#include <meterloom/command.h>

#include "cli/cli.h"

enum { NAME_MAX_BYTES = 64 };

struct call {
	struct ml_engine *engine;
	struct ml_error *err;
	int code;
};

static void done(void *user, const struct ml_outcome *outcome)
{
	struct call *call = user;
	call->code = outcome->code;
	if (outcome->code && outcome->error_count)
		(void)ml_error_set(call->err, outcome->code, "%s%s%s", outcome->errors[0].pointer,
			outcome->errors[0].pointer[0] ? ": " : "", outcome->errors[0].text);
	ml_engine_quit(call->engine);
}

static int call_and_wait(struct ml_engine *engine, const char *name, const json_t *params,
	const char *text, size_t length, struct ml_error *err)
{
	struct call call = {.engine = engine, .err = err};
	const struct ml_call what = {
		.command = name,
		.params = params,
		.text = text,
		.length = length,
		.user = "script",
		.role = ML_ROLE_ADMIN,
		.done = done,
		.user_data = &call,
		.lane = ml_engine_lane(engine, "control"),
	};
	if (ml_command_call(engine, &what) == 0)
		return ml_error_set(err, -ENOMEM, "out of memory");
	ml_engine_run(engine);
	return call.code;
}

static int run_line(struct ml_engine *engine, const char *line, size_t length, struct ml_error *err)
{
	char name[NAME_MAX_BYTES];
	const size_t name_length = strcspn(line, " \t\r\n");
	if (name_length >= sizeof name)
		return ml_error_set(
			err, -EINVAL, "expected the name of a command, then its parameters");
	memcpy(name, line, name_length);
	name[name_length] = '\0';
	const char *rest = line + name_length;
	const size_t rest_length = length - name_length;
	json_t *params = NULL;
	if (strspn(rest, " \t\r") < rest_length) {
		json_error_t wrong;
		params = json_loadb(rest, rest_length, JSON_REJECT_DUPLICATES, &wrong);
		if (!params)
			return ml_error_set(err, -EINVAL, "the parameters of %s: %s at byte %d",
				name, wrong.text, wrong.position);
	}
	const int r = call_and_wait(engine, name, params, rest, rest_length, err);
	json_decref(params);
	return r;
}

int cli_run_script(struct ml_engine *engine, const char *path, struct ml_error *err)
{
	struct ml_buffer text = {0};
	int r = ml_tool_read_file(path, CLI_SCRIPT_BYTES_MAX, &text, err);
	int number = 0;
	for (char *line = text.data; r == 0 && line && *line;) {
		const size_t length = strcspn(line, "\n");
		char *next = line + length + (line[length] == '\n');
		line[length] = '\0';
		number++;
		if (line[0] != '#' && line[strspn(line, " \t\r")] != '\0') {
			r = run_line(engine, line, length, err);
			if (r)
				ml_error_prefix(err, "%s:%d", path, number);
		}
		line = next;
	}
	ml_buffer_free(&text);
	return r;
}
