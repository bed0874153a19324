/* Commands on jobs and commands: job.list, job.show, job.cancel, command.list.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stddef.h>

#include "command/builtin.h"
#include "command/job.h"

struct job_params {
	int64_t job;
};

static const struct ml_param job_params[] = {
	{.name = "job",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct job_params, job),
		.title = "Job",
		.help = "The number of the job, as job.list tells it.",
		.min = 1,
		.max = INT64_MAX,
		.flags = ML_PARAM_REQUIRED},
	{0},
};

static void list_run(struct ml_job *job, void *params)
{
	(void)params;
	struct ml_commands *commands = ml_engine_commands(ml_job_engine(job));
	struct ml_json_writer *w = ml_job_result(job);
	ml_json_begin_array(w);
	(void)pthread_mutex_lock(&commands->lock);
	for (const struct ml_job *at = commands->last; at; at = at->prev) {
		if (!at->rejected && !at->quiet && at != job)
			ml_job_write(at, w);
	}
	(void)pthread_mutex_unlock(&commands->lock);
	ml_json_end_array(w);
	ml_job_succeed(job);
}

struct show_params {
	int64_t job, from;
};

static const struct ml_param show_params[] = {
	{.name = "job",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct show_params, job),
		.title = "Job",
		.help = "The number of the job, as job.list tells it.",
		.min = 1,
		.max = INT64_MAX,
		.flags = ML_PARAM_REQUIRED},
	{.name = "from",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct show_params, from),
		.title = "Rows from",
		.help = "Tells the rows after so many.",
		.preset = "0",
		.min = 0,
		.max = INT32_MAX},
	{0},
};

static void show_run(struct ml_job *job, void *params)
{
	const struct show_params *p = params;
	struct ml_commands *commands = ml_engine_commands(ml_job_engine(job));
	struct ml_error err = ML_ERROR_NONE;
	(void)pthread_mutex_lock(&commands->lock);
	const struct ml_job *found = ml_job_find(commands, (uint64_t)p->job);
	if (found && !found->rejected)
		ml_job_show(found, (size_t)p->from, ml_job_result(job));
	else
		(void)ml_error_set_pointer(&err, -ENOENT, "/job",
			"there is no job %lld; job.list tells those there are", (long long)p->job);
	(void)pthread_mutex_unlock(&commands->lock);
	if (err.code)
		ml_job_fail(job, &err);
	else
		ml_job_succeed(job);
}

static void cancel_run(struct ml_job *job, void *params)
{
	const struct job_params *p = params;
	struct ml_error err = ML_ERROR_NONE;
	if (ml_command_cancel(ml_job_engine(job), (uint64_t)p->job, &err) < 0)
		ml_job_fail(job, &err);
	else
		ml_job_succeed(job);
}

static void commands_run(struct ml_job *job, void *params)
{
	(void)params;
	struct ml_engine *engine = ml_job_engine(job);
	struct ml_json_writer *w = ml_job_result(job);
	static const struct ml_param none[] = {{0}};
	ml_json_begin_array(w);
	for (size_t i = 0; i < ml_command_count(engine); i++) {
		const struct ml_command *command = ml_command_at(engine, i);
		ml_json_begin_object(w);
		ml_json_key(w, "name");
		ml_json_string(w, command->name);
		ml_json_key(w, "title");
		ml_json_string(w, command->title);
		ml_json_key(w, "help");
		ml_json_string(w, command->help);
		ml_json_key(w, "role");
		ml_json_string(w, ml_role_name(command->role));
		ml_json_key(w, "params");
		ml_params_schema(command->params ? command->params : none, w);
		ml_json_end_object(w);
	}
	ml_json_end_array(w);
	ml_job_succeed(job);
}

const struct ml_command ml_job_commands[] = {
	{
		.name = "command.list",
		.title = "List commands",
		.help = "Lists all commands with their help, the role they need and the JSON "
			"Schema of "
			"their parameters.",
		.role = ML_ROLE_READ,
		.run = commands_run,
	},
	{
		.name = "job.cancel",
		.title = "Cancel a job",
		.help = "Asks a job that waits or runs to end. It ends soon, as cancelled.",
		.role = ML_ROLE_OPERATE,
		.params = job_params,
		.params_size = sizeof(struct job_params),
		.run = cancel_run,
	},
	{
		.name = "job.list",
		.title = "List jobs",
		.help = "Lists the jobs that wait or run and the last that have ended, the newest "
			"first.",
		.role = ML_ROLE_READ,
		.run = list_run,
	},
	{
		.name = "job.show",
		.title = "Show a job",
		.help = "Shows one job with its result, and as `items` the rows that it told until "
			"now, such as the meters that a search has found. What its caller has been "
			"told "
			"already is not kept.",
		.role = ML_ROLE_READ,
		.params = show_params,
		.params_size = sizeof(struct show_params),
		.run = show_run,
	},
	{0},
};
