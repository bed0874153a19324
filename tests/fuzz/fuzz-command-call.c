/* The body of a request as parameters of a command: the first line is the command's name.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each call must be told exactly once, with a result that is JSON or with an error.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/command.h>

#include "gateway.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_done(void *user, const struct ml_outcome *outcome)
{
	++*(int *)user;
	json_t *result = json_loadb(outcome->result, outcome->result_length, JSON_DECODE_ANY, NULL);
	if (!result || (outcome->code != 0 && outcome->error_count == 0))
		abort();
	json_decref(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[64];
	const uint8_t *line_end = size ? memchr(data, '\n', size) : NULL;
	if (!line_end || (size_t)(line_end - data) >= sizeof name)
		return 0;
	memcpy(name, data, (size_t)(line_end - data));
	name[line_end - data] = '\0';
	const char *text = (const char *)line_end + 1;
	const size_t length = size - (size_t)(line_end + 1 - data);
	json_t *params = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
	if (!params)
		return 0;
	struct ml_engine *engine = gateway();
	int told = 0;
	const struct ml_call call = {
		.command = name,
		.params = params,
		.text = text,
		.length = length,
		.role = ML_ROLE_ADMIN,
		.done = on_done,
		.user_data = &told,
		.lane = ml_engine_lane(engine, "control"),
	};
	if (ml_command_call(engine, &call) == 0)
		abort();
	json_decref(params);
	ml_engine_simulate(engine, 0);
	if (told != 1)
		abort();
	return 0;
}
