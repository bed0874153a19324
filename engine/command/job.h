/* A job: one call of a command, from its first check to the last who asked for its result.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who touches what: the fields under "lane" belong to the job's lane, those under "lock" are
 * guarded by the registry's lock. A job lives while somebody holds it: the list, a posted call, its
 * delivery.
 */
#ifndef ML_COMMAND_JOB_H
#define ML_COMMAND_JOB_H

#include <pthread.h>
#include <stdbool.h>

#include "command/registry.h"

enum ml_job_state {
	ML_JOB_QUEUED,
	ML_JOB_RUNNING,
	ML_JOB_SUCCEEDED,
	ML_JOB_FAILED,
	ML_JOB_CANCELLED
};

enum { ML_JOB_NAME_MAX = 80, ML_JOB_USER_MAX = 64, ML_JOB_PROGRESS_MAX = 160 };

/* Parameters of one table that the job owns. */
struct ml_job_params {
	const struct ml_param *table;
	void *fields; /* owned */
	size_t size;
	char **texts; /* owned; of the table's parameters of kind JSON, by place in the table */
	size_t count;
};

struct ml_job {
	/* constant once it is listed */
	struct ml_commands *commands;
	const struct ml_command *command; /* NULL: there is none of that name */
	uint64_t id;
	char name[ML_JOB_NAME_MAX];
	char user[ML_JOB_USER_MAX];
	ml_time created; /* wall */
	bool rejected;   /* never ran: job.list does not tell it */
	/* Its caller waits, and it only reads or is a part of another job: neither published nor
	 * kept nor listed. */
	bool quiet;

	/* lane; constant once it has ended */
	struct ml_job_params params, action_params;
	struct ml_buffer result, detail;
	struct ml_json_writer result_writer, detail_writer;
	bool has_detail;
	struct ml_buffer row; /* that is being written */
	struct ml_json_writer row_writer;

	/* lock */
	struct ml_job *prev, *next;
	unsigned holders;
	unsigned runners; /* within its functions now: its parameters must stay */
	struct ml_lane *lane;
	enum ml_job_state state;
	ml_time started, ended; /* wall; 0: not yet */
	struct ml_errors errors;
	uint64_t progress_done, progress_total;
	char progress_text[ML_JOB_PROGRESS_MAX];
	ml_time told;        /* monotonic: when progress was last published */
	ml_time told_caller; /* the same to the caller */
	struct ml_buffer rows;
	size_t *row_ends; /* in `rows`; owned */
	size_t row_count, row_capacity;
	uint64_t rows_lost;
	bool cancel_asked, result_dropped;
	void (*cancel)(struct ml_job *job, void *user);
	void *cancel_user;
	struct ml_lane *cancel_lane;
	void (*done)(void *user_data, const struct ml_outcome *outcome);
	void *done_user;
	struct ml_lane *done_lane;
	void (*tell_progress)(void *user_data, uint64_t done, uint64_t total, const char *text);
	void (*tell_row)(void *user_data, const char *json, size_t length);
};

struct ml_commands {
	struct ml_engine *engine;
	ml_time started, started_monotonic; /* with the engine */
	const struct ml_command **table;    /* sorted by name; owned */
	size_t count;
	pthread_mutex_t lock;
	uint64_t last_id;
	struct ml_job *first, *last; /* oldest first: ended ones and active ones */
	size_t active, ended;
	size_t result_bytes; /* kept of ended jobs */
};

/* job.c */
struct ml_job *ml_job_new(struct ml_commands *commands, const struct ml_call *call);
void ml_job_free(struct ml_job *job);
void ml_job_start(struct ml_job *job);                            /* posts it to its lane */
void ml_job_reject(struct ml_job *job, struct ml_errors *errors); /* takes the errors over */
void ml_job_release(struct ml_job *job);                          /* by who held it */
/* With the lock held. */
void ml_job_write(const struct ml_job *job, struct ml_json_writer *w);
/* The same with its result, and its rows after so many. */
void ml_job_show(const struct ml_job *job, size_t from, struct ml_json_writer *w);
struct ml_job *ml_job_find(struct ml_commands *commands, uint64_t id);

/* job_tell.c */
void ml_job_publish(struct ml_job *job);
/* With the lock held: the rows after so many. */
void ml_job_write_rows(const struct ml_job *job, size_t from, struct ml_json_writer *w);
size_t ml_job_drop_rows(struct ml_job *job); /* returns how many bytes they were */

/* job_params.c */
int ml_job_params_fill(struct ml_job_params *params, const struct ml_param *table, size_t size,
	const struct ml_call *call, struct ml_errors *errors);
void ml_job_params_free(struct ml_job_params *params);
/* Whatever a check said of a parameter, it is the parameter that is wrong: -EINVAL. */
void ml_errors_are_params(struct ml_errors *errors);

/* Writes what went wrong as one JSON array of {"pointer", "text", "line", "column", "at"}. */
void ml_errors_write(const struct ml_error *errors, size_t count, struct ml_json_writer *w);

#endif
