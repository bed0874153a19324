/* The registry of commands and the jobs that their calls make.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Made with the engine and freed after its lanes have ended. What is declared here is for the
 * engine itself; families and faces use <meterloom/command.h>.
 */
#ifndef ML_COMMAND_REGISTRY_H
#define ML_COMMAND_REGISTRY_H

#include <stddef.h>

#include <meterloom/command.h>
#include <meterloom/engine.h>

struct ml_commands;
struct ml_family;

enum {
	ML_JOBS_ACTIVE_MAX = 1000, /* queued or running; calls beyond end with -EAGAIN */
	ML_JOBS_ENDED_MAX = 100,   /* kept after their end */
	ML_JOB_RESULT_MAX = 16 << 20,
	ML_JOB_ROWS_MAX = 20000,
	ML_JOB_ROWS_BYTES_MAX = 4 << 20,
	ML_JOBS_RESULTS_MAX =
		4 << 20, /* results kept of ended jobs, in bytes; the newest is always kept */
};

/* Gathers the engine's own commands and those of the families (ended by NULL). -EEXIST: two have
 * one name; -EINVAL: a name is not in the form group.verb. Nothing is called before
 * ml_engine_run(). */
int ml_commands_new(struct ml_engine *engine, const struct ml_family *const *families,
	struct ml_commands **ret_commands, struct ml_error *err);

/* After all lanes have ended; jobs that have not ended are dropped without a word. Accepts NULL. */
void ml_commands_free(struct ml_commands *commands);

/* Implemented by the engine. Any thread. */
struct ml_commands *ml_engine_commands(struct ml_engine *engine);

/* Finds what would be wrong with a call without making a job: 0, or the code of the first error. */
int ml_command_check(
	struct ml_engine *engine, const struct ml_call *call, struct ml_errors *errors);

/* From now on the job belongs to another lane: it is cancelled and ended there. On the job's lane,
 * while the other one is parked or has not yet heard of the job. */
void ml_job_set_lane(struct ml_job *job, struct ml_lane *lane);

/* Memory that the job frees after its end, wiped, with what the table says it holds: the parameters
 * of a node's action. NULL: out of memory. On the job's lane. */
void *ml_job_params(struct ml_job *job, const struct ml_param *table, size_t size);

/* The text of a parameter of kind JSON as the caller gave it, numbers and all; NULL where it was
 * not given. Valid until the job's end. */
const char *ml_job_param_text(const struct ml_job *job, const char *name, size_t *length);

const char *ml_role_name(enum ml_role role); /* "configure" */

/* The tables of the engine's own commands, ended by NULL. In builtin.c. */
extern const struct ml_command *const ml_builtin_commands[];

#endif
