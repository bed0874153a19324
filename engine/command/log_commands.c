/* Commands on the log: log.list, log.level.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stddef.h>

#include <meterloom/engine.h>

#include "command/builtin.h"

struct list_params {
	int64_t after;
	int64_t limit;
	int level;
};

struct level_params {
	int level;
};

static const struct ml_choice levels[] = {
	{"debug", ML_LOG_DEBUG, NULL},
	{"info", ML_LOG_INFO, NULL},
	{"warning", ML_LOG_WARNING, NULL},
	{"error", ML_LOG_ERROR, NULL},
	{0},
};

enum { UNCHANGED = -1 };

static const struct ml_choice level_choices[] = {
	{"unchanged", UNCHANGED, "only tell the level that holds"},
	{"debug", ML_LOG_DEBUG, NULL},
	{"info", ML_LOG_INFO, NULL},
	{"warning", ML_LOG_WARNING, NULL},
	{"error", ML_LOG_ERROR, NULL},
	{0},
};

static const struct ml_param list_params[] = {
	{.name = "after",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct list_params, after),
		.title = "After",
		.help = "Only entries after this sequence number, the oldest of them first to be "
			"left out "
			"where there are more than the limit.",
		.preset = "0",
		.min = 0,
		.max = INT64_MAX},
	{.name = "limit",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct list_params, limit),
		.title = "Limit",
		.help = "The most entries to tell: the newest ones.",
		.preset = "100",
		.min = 1,
		.max = 10000},
	{.name = "level",
		.kind = ML_PARAM_CHOICE,
		.offset = offsetof(struct list_params, level),
		.title = "Level",
		.help = "Only entries of this level or a higher one.",
		.preset = "\"debug\"",
		.choices = levels},
	{0},
};

static const struct ml_param level_params[] = {
	{.name = "level",
		.kind = ML_PARAM_CHOICE,
		.offset = offsetof(struct level_params, level),
		.title = "Level",
		.help = "The lowest level that is logged from now on, until the next start.",
		.preset = "\"unchanged\"",
		.choices = level_choices},
	{0},
};

static void count_entry(const struct ml_log_entry *entry, void *context)
{
	size_t *count = context;
	(void)entry;
	++*count;
}

struct writing {
	struct ml_json_writer *w;
	size_t skip;
};

static void write_entry(const struct ml_log_entry *entry, void *context)
{
	struct writing *writing = context;
	if (writing->skip > 0)
		writing->skip--;
	else
		ml_log_write_json(entry, writing->w);
}

static void list_run(struct ml_job *job, void *params)
{
	const struct list_params *p = params;
	struct ml_log *log = ml_engine_log(ml_job_engine(job));
	struct writing writing = {.w = ml_job_result(job)};
	const enum ml_log_level level = (enum ml_log_level)p->level;
	size_t count = 0;
	ml_json_begin_array(writing.w);
	if (log) {
		(void)ml_log_list(log, (uint64_t)p->after, level, count_entry, &count);
		writing.skip = count > (size_t)p->limit ? count - (size_t)p->limit : 0;
		(void)ml_log_list(log, (uint64_t)p->after, level, write_entry, &writing);
	}
	ml_json_end_array(writing.w);
	ml_job_succeed(job);
}

static enum ml_log_level minimum(const struct ml_log *log)
{
	int level = ML_LOG_DEBUG;
	while (level < ML_LOG_ERROR && !ml_log_wants(log, (enum ml_log_level)level))
		level++;
	return (enum ml_log_level)level;
}

static void level_run(struct ml_job *job, void *params)
{
	const struct level_params *p = params;
	struct ml_log *log = ml_engine_log(ml_job_engine(job));
	if (p->level != UNCHANGED && log)
		ml_log_set_minimum(log, (enum ml_log_level)p->level);
	struct ml_json_writer *w = ml_job_result(job);
	ml_json_begin_object(w);
	ml_json_key(w, "level");
	ml_json_string(w, ml_log_level_name(minimum(log)));
	ml_json_end_object(w);
	ml_job_succeed(job);
}

const struct ml_command ml_log_commands[] = {
	{
		.name = "log.level",
		.title = "Set the level of the log",
		.help = "Sets the lowest level that is logged, and tells which one holds.",
		.role = ML_ROLE_CONFIGURE,
		.params = level_params,
		.params_size = sizeof(struct level_params),
		.run = level_run,
	},
	{
		.name = "log.list",
		.title = "List the log",
		.help = "Lists the last entries of the log, the oldest first.",
		.role = ML_ROLE_READ,
		.params = list_params,
		.params_size = sizeof(struct list_params),
		.run = list_run,
	},
	{0},
};
