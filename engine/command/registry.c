/* The registry: all commands by name, and how a call becomes a job.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "command/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/family.h>

#include "command/job.h"

static int by_name(const void *a, const void *b)
{
	const struct ml_command *const *left = a, *const *right = b;
	return strcmp((*left)->name, (*right)->name);
}

/* "group.verb", "group.point.verb": words of small letters, digits and dashes. */
static bool name_is_good(const char *name)
{
	bool dot = false, word = false;
	if (strlen(name) >= ML_JOB_NAME_MAX)
		return false;
	for (const char *c = name; *c; c++) {
		if (*c == '.') {
			if (!word)
				return false;
			dot = true;
			word = false;
		} else if ((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '-') {
			word = true;
		} else {
			return false;
		}
	}
	return dot && word;
}

static size_t count_table(const struct ml_command *table)
{
	size_t count = 0;
	while (table && table[count].name)
		count++;
	return count;
}

static void add_table(struct ml_commands *commands, const struct ml_command *table)
{
	for (; table && table->name; table++)
		commands->table[commands->count++] = table;
}

static int gather(struct ml_commands *commands, const struct ml_family *const *families)
{
	size_t count = 0;
	for (size_t i = 0; ml_builtin_commands[i]; i++)
		count += count_table(ml_builtin_commands[i]);
	for (size_t i = 0; families && families[i]; i++)
		count += count_table(families[i]->commands);
	commands->table = calloc(count + 1, sizeof(struct ml_command *));
	if (!commands->table)
		return -ENOMEM;
	for (size_t i = 0; ml_builtin_commands[i]; i++)
		add_table(commands, ml_builtin_commands[i]);
	for (size_t i = 0; families && families[i]; i++)
		add_table(commands, families[i]->commands);
	qsort(commands->table, commands->count, sizeof(struct ml_command *), by_name);
	return 0;
}

static int check_names(const struct ml_commands *commands, struct ml_error *err)
{
	for (size_t i = 0; i < commands->count; i++) {
		const char *name = commands->table[i]->name;
		if (!name_is_good(name))
			return ml_error_set(err, -EINVAL,
				"command '%s': expected group.verb in small letters, digits and "
				"dashes",
				name);
		if (i > 0 && strcmp(commands->table[i - 1]->name, name) == 0)
			return ml_error_set(err, -EEXIST,
				"command '%s' is declared twice: two families have it", name);
	}
	return 0;
}

int ml_commands_new(struct ml_engine *engine, const struct ml_family *const *families,
	struct ml_commands **ret_commands, struct ml_error *err)
{
	*ret_commands = NULL;
	struct ml_commands *commands = calloc(1, sizeof *commands);
	if (!commands)
		return ml_error_set(err, -ENOMEM, "out of memory");
	commands->engine = engine;
	(void)pthread_mutex_init(&commands->lock, NULL);
	if (engine) {
		commands->started = ml_clock_wall(ml_engine_clock(engine));
		commands->started_monotonic = ml_clock_monotonic(ml_engine_clock(engine));
	}
	int r = gather(commands, families);
	if (r < 0)
		(void)ml_error_set(err, r, "out of memory");
	else
		r = check_names(commands, err);
	if (r < 0) {
		ml_commands_free(commands);
		return r;
	}
	*ret_commands = commands;
	return 0;
}

void ml_commands_free(struct ml_commands *commands)
{
	if (!commands)
		return;
	for (struct ml_job *job = commands->first, *next; job; job = next) {
		next = job->next;
		ml_job_free(job);
	}
	(void)pthread_mutex_destroy(&commands->lock);
	free(commands->table);
	free(commands);
}

static const struct ml_command *find(const struct ml_commands *commands, const char *name)
{
	const struct ml_command key = {.name = name}, *key_at = &key;
	const struct ml_command *const *found = bsearch(
		&key_at, commands->table, commands->count, sizeof(struct ml_command *), by_name);
	return found ? *found : NULL;
}

const struct ml_command *ml_command_find(struct ml_engine *engine, const char *name)
{
	return find(ml_engine_commands(engine), name);
}

size_t ml_command_count(struct ml_engine *engine)
{
	return ml_engine_commands(engine)->count;
}

const struct ml_command *ml_command_at(struct ml_engine *engine, size_t index)
{
	const struct ml_commands *commands = ml_engine_commands(engine);
	return index < commands->count ? commands->table[index] : NULL;
}

const char *ml_role_name(enum ml_role role)
{
	static const char *const names[] = {"read", "operate", "configure", "admin"};
	return names[role];
}

static void check_call(const struct ml_command *command, const struct ml_call *call,
	struct ml_job_params *params, struct ml_errors *errors)
{
	if (!command)
		ml_errors_addf(errors, -ENOENT, "",
			"there is no command '%s'; command.list tells those there are",
			call->command);
	else if (call->role < command->role)
		ml_errors_addf(errors, -EACCES, "", "%s needs the role '%s', the caller has '%s'",
			command->name, ml_role_name(command->role), ml_role_name(call->role));
	else if (call->params && !json_is_object(call->params))
		ml_errors_addf(errors, -EINVAL, "",
			"the parameters of %s: expected a JSON object, {\"name\": value, ...}",
			command->name);
	else
		(void)ml_job_params_fill(
			params, command->params, command->params_size, call, errors);
}

int ml_command_check(struct ml_engine *engine, const struct ml_call *call, struct ml_errors *errors)
{
	struct ml_job_params params = {0};
	check_call(find(ml_engine_commands(engine), call->command), call, &params, errors);
	ml_job_params_free(&params);
	if (errors->count)
		return errors->items[0].code;
	return errors->more ? -ENOMEM : 0;
}

uint64_t ml_command_call(struct ml_engine *engine, const struct ml_call *call)
{
	struct ml_commands *commands = ml_engine_commands(engine);
	struct ml_job *job = ml_job_new(commands, call);
	if (!job)
		return 0;
	job->command = find(commands, call->command);
	const bool reads = job->command && job->command->role == ML_ROLE_READ;
	job->quiet = call->done && (reads || call->part);
	struct ml_errors errors = {0};
	check_call(job->command, call, &job->params, &errors);
	if (errors.count == 0 && errors.more == 0) {
		const char *name = job->command->lane ? job->command->lane : "control";
		job->lane = ml_engine_lane(engine, name);
		if (!job->lane)
			ml_errors_addf(&errors, -ENOMEM, "", "the lane '%s' cannot be made", name);
	}

	(void)pthread_mutex_lock(&commands->lock);
	const uint64_t id = job->id = ++commands->last_id;
	const bool full = commands->active >= ML_JOBS_ACTIVE_MAX;
	(void)pthread_mutex_unlock(&commands->lock);
	if (full)
		ml_errors_addf(&errors, -EAGAIN, "",
			"%d jobs are waiting or running, which is the most there may be; try again "
			"later",
			ML_JOBS_ACTIVE_MAX);
	if (errors.count || errors.more)
		ml_job_reject(job, &errors);
	else
		ml_job_start(job);
	return id;
}
