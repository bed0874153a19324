/* Commands on the engine as a whole: engine.status, metrics.get.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include <string.h>

#include <meterloom/setting.h>

#include "command/builtin.h"
#include "command/job.h"
#include "graph/revisions.h"
#include "run/runtime.h"

static void write_setting(
	struct ml_json_writer *w, struct ml_engine *engine, const char *key, const char *name)
{
	json_t *value = ml_setting_get(engine, name);
	ml_json_key(w, key);
	ml_json_string(w, json_string_value(value));
	json_decref(value);
}

static void write_time(struct ml_json_writer *w, const char *key, ml_time time)
{
	char text[ML_TIME_TEXT_MAX];
	ml_json_key(w, key);
	ml_json_string_n(w, text, ml_time_format(time, text));
}

static void write_node_states(struct ml_json_writer *w, struct ml_engine *engine)
{
	static const char *const names[] = {
		[ML_STATE_STOPPED] = "stopped",
		[ML_STATE_RUNNING] = "running",
		[ML_STATE_WAITING] = "waiting",
		[ML_STATE_FAULT] = "fault",
	};
	struct ml_runtime *runtime = engine->runtime;
	size_t counts[4] = {0};
	(void)pthread_mutex_lock(&runtime->state_lock);
	for (size_t i = 0; i < runtime->node_count; i++)
		counts[runtime->nodes[i]->state]++;
	(void)pthread_mutex_unlock(&runtime->state_lock);
	ml_json_key(w, "nodes");
	ml_json_begin_object(w);
	for (size_t i = 0; i < 4; i++) {
		ml_json_key(w, names[i]);
		ml_json_unsigned(w, counts[i]);
	}
	ml_json_end_object(w);
}

static void status_run(struct ml_job *job, void *params)
{
	(void)params;
	struct ml_engine *engine = ml_job_engine(job);
	struct ml_json_writer *w = ml_job_result(job);
	const struct ml_commands *commands = engine->commands;
	ml_json_begin_object(w);
	ml_json_key(w, "version");
	ml_json_string(w, METERLOOM_VERSION);
	write_setting(w, engine, "serial", "gateway.serial");
	write_setting(w, engine, "name", "gateway.name");
	write_setting(w, engine, "contact", "gateway.contact");
	write_time(w, "time", ml_clock_wall(ml_engine_clock(engine)));
	write_time(w, "started", commands->started);
	ml_json_key(w, "uptime");
	ml_json_integer(
		w, (ml_clock_monotonic(ml_engine_clock(engine)) - commands->started_monotonic) /
			   ML_SEC);
	ml_json_key(w, "epoch");
	ml_json_unsigned(w, ml_engine_epoch(engine));
	ml_json_key(w, "revision");
	ml_json_integer(w, ml_revisions_running(engine->revisions));
	write_node_states(w, engine);
	ml_json_end_object(w);
	ml_job_succeed(job);
}

static void metrics_run(struct ml_job *job, void *params)
{
	(void)params;
	ml_engine_metrics(ml_job_engine(job), ml_job_result(job));
	ml_job_succeed(job);
}

const struct ml_command ml_engine_commands_table[] = {
	{
		.name = "engine.status",
		.title = "Show the state of the gateway",
		.help = "Gives version, identity, time, uptime in seconds, how often this data "
			"directory "
			"was started (epoch), the revision that runs, and how many nodes are in "
			"which "
			"state.",
		.role = ML_ROLE_READ,
		.run = status_run,
	},
	{
		.name = "metrics.get",
		.title = "Get the metrics",
		.help = "Gives what is measured on each node, edge and lane.",
		.role = ML_ROLE_READ,
		.run = metrics_run,
	},
	{0},
};
