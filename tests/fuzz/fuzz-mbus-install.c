/* Installing meters and giving them addresses with hostile ones on the bus: whatever they answer,
 * however the line breaks, and whoever cancels or changes the list meanwhile, each job ends, with a
 * row for each of its meters where it succeeded, and the bus is free afterwards.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Input: pieces of three bytes: how long until the next, what happens, and one for it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/command.h>

#include "mbus/rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { METERS = 5, HOSTILE = 3, PIECES_MAX = 60, JOBS_MAX = 12, EDITS_MAX = 16 };

enum what { EDIT, CUT, RENUMBER, LATE, LOSE, TRIGGER, INSTALL, ADDRESS, CANCEL, REMOVE, WHATS };

struct job {
	uint64_t number;
	bool install, done;
	int code;
	size_t rows;
	json_int_t meters;
};

struct world {
	struct rig *rig;
	struct {
		uint8_t what, with;
	} edits[EDITS_MAX]; /* that wait for an answer */
	size_t edit_count;
	struct job jobs[JOBS_MAX];
	size_t job_count;
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* ---- Answers ---- */

static void reseal(uint8_t *bytes, size_t length)
{
	uint8_t sum = 0;
	for (size_t i = 4; i + 2 < length; i++)
		sum = (uint8_t)(sum + bytes[i]);
	bytes[length - 2] = sum;
}

static void answers(void *user, size_t meter, uint8_t *bytes, size_t *length, ml_time *later)
{
	struct world *world = user;
	for (size_t i = 0; meter < HOSTILE && i < world->edit_count; i++) {
		const uint8_t with = world->edits[i].with;
		if (world->edits[i].what == EDIT && *length > 0) {
			bytes[with % *length] ^= (uint8_t)(with | 1);
		} else if (world->edits[i].what == CUT) {
			*length = with % (*length + 1);
		} else if (world->edits[i].what == LATE) {
			*later += with * 4 * ML_MSEC;
		} else if (*length > 20) {
			/* Another address, number, version or structure, well sealed. */
			bytes[5 + with % 10] ^= (uint8_t)(with >> 4 | 1);
			reseal(bytes, *length);
		}
	}
	if (meter < HOSTILE)
		world->edit_count = 0;
}

/* ---- Jobs ---- */

static void on_row(void *user, const char *json, size_t length)
{
	struct job *job = user;
	json_t *row = json_loadb(json, length, 0, NULL);
	require(json_is_string(json_object_get(row, "result")));
	require(json_string_length(json_object_get(row, "text")) > 0);
	json_decref(row);
	job->rows++;
}

static void on_done(void *user, const struct ml_outcome *outcome)
{
	struct job *job = user;
	json_t *result = outcome->code == 0
				 ? json_loadb(outcome->result, outcome->result_length, 0, NULL)
				 : NULL;
	require(!job->done && (outcome->code == 0) == (result != NULL));
	require(outcome->code == 0 || outcome->errors[0].text[0] != '\0');
	job->done = true;
	job->code = outcome->code;
	job->meters = json_integer_value(json_object_get(result, "meters"));
	json_decref(result);
}

static void start(struct world *world, const char *command, json_t *params)
{
	if (world->job_count == JOBS_MAX) {
		json_decref(params);
		return;
	}
	struct job *job = &world->jobs[world->job_count++];
	job->install = strcmp(command, "meter.install") == 0;
	const struct ml_call call = {
		.command = command,
		.params = params,
		.role = ML_ROLE_ADMIN,
		.done = on_done,
		.row = on_row,
		.user_data = job,
		.lane = ml_engine_lane(world->rig->engine, "control"),
	};
	job->number = ml_command_call(world->rig->engine, &call);
	require(job->number != 0);
	json_decref(params);
}

static void start_install(struct world *world, uint8_t with)
{
	json_t *params = json_object();
	if (with & 1)
		(void)json_object_set_new(params, "bauds", json_pack("[i,i]", 300, 2400));
	if (with & 2)
		(void)json_object_set_new(
			params, "meters", json_pack("[s,s,s]", "flat 0", "flat 3", "flat 4"));
	start(world, "meter.install", params);
}

static void start_address(struct world *world, uint8_t with)
{
	char meter[16];
	(void)snprintf(meter, sizeof meter, "flat %d", with % METERS);
	start(world, "node.action",
		json_pack("{s:s, s:s, s:{s:s, s:i}}", "node", "bus", "action", "set-address",
			"params", "meter", meter, "address", 1 + with / METERS));
}

/* ---- The input ---- */

static void piece(struct world *world, unsigned what, uint8_t with)
{
	struct rig *rig = world->rig;
	switch ((enum what)what) {
	case EDIT:
	case CUT:
	case RENUMBER:
	case LATE:
		if (world->edit_count < EDITS_MAX) {
			world->edits[world->edit_count].what = (uint8_t)what;
			world->edits[world->edit_count++].with = with;
		}
		return;
	case LOSE:
		rig_fail_line(rig, !rig->line_fails);
		return;
	case TRIGGER:
		rig_trigger(rig);
		return;
	case INSTALL:
		start_install(world, with);
		return;
	case ADDRESS:
		start_address(world, with);
		return;
	case CANCEL:
		if (world->job_count > 0)
			(void)ml_command_cancel(
				rig->engine, world->jobs[with % world->job_count].number, NULL);
		return;
	case REMOVE:
		if (with % 4 == 0)
			(void)meter_list_remove(rig->list, rig->points[with / 4 % METERS], NULL);
		return;
	case WHATS:
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sim_options options = {.meters = METERS, .seed = 3, .baud = 2400};
	struct world world = {.rig = rig_new(true)};
	struct rig *rig = world.rig;
	rig_line(rig, &options);
	sim_line_watch(rig->line, &(struct sim_line_watch){.user = &world, .answers = answers});
	rig_list(rig, &options, METERS, size > 0 && data[0] & 1 ? -1 : METER_MODE_SECONDARY);
	rig_graph(rig, "'interface':'rig:line','readout_retries':1,'lost_line_wait':5");
	rig_pass(rig, ML_SEC);
	for (size_t at = 0; at + 2 < size && at / 3 < PIECES_MAX; at += 3) {
		piece(&world, data[at + 1] % WHATS, data[at + 2]);
		rig_pass(rig, (ml_time)data[at] * 4 * ML_MSEC);
		rig->frame_count = 0;
		rig->begin_count = 0;
		rig->end_count = 0;
	}
	rig_fail_line(rig, false);
	start_install(&world, 0);
	for (unsigned i = 0; i < 30; i++) {
		rig_pass(rig, ML_MINUTE);
		rig->frame_count = 0;
		rig->begin_count = 0;
		rig->end_count = 0;
	}
	for (size_t i = 0; i < world.job_count; i++) {
		const struct job *job = &world.jobs[i];
		require(job->done);
		require(!job->install || job->code < 0 || job->rows == (size_t)job->meters);
	}
	rig_free(rig);
	return 0;
}
