/* Commands and jobs: every operation on a gateway is one command in one registry; the browser,
 * REST, JSON-RPC, the console and scripts are faces of it. SPDX-License-Identifier: Apache-2.0
 *
 * A call makes a job, which runs on the command's lane and ends once: with a result or an error.
 * Jobs report progress, can be cancelled and stay listed for a while after their end (`job.list`).
 */
#ifndef METERLOOM_COMMAND_H
#define METERLOOM_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <meterloom/error.h>
#include <meterloom/json.h>
#include <meterloom/param.h>

struct ml_engine;
struct ml_job;
struct ml_lane;

/* Each role may do what those before it may. */
enum ml_role { ML_ROLE_READ, ML_ROLE_OPERATE, ML_ROLE_CONFIGURE, ML_ROLE_ADMIN };

struct ml_command {
	const char *name;  /* "meter.install": group, point, verb; NULL ends the table */
	const char *title; /* English, short */
	const char *help;  /* English, sentences; says what the result holds */
	enum ml_role role;
	const char *lane;              /* where `run` is called; NULL: "control" */
	const struct ml_param *params; /* may be NULL */
	size_t params_size;
	/* On its lane. `params` is the filled struct, freed after the job's end. Must end the job,
	 * now or later, with ml_job_succeed() or ml_job_fail() or ml_job_fail_all(). */
	void (*run)(struct ml_job *job, void *params);
};

/* ---- For those who run a job; on the job's lane ---- */

struct ml_engine *ml_job_engine(const struct ml_job *job); /* any thread */
uint64_t ml_job_id(const struct ml_job *job);              /* any thread */
const char *ml_job_user(const struct ml_job *job);         /* who called: a name, "" unknown */

/* The writer of the result: exactly one JSON value is written before ml_job_succeed(); none at all
 * is the same as null. Results are limited to 16 MiB. */
struct ml_json_writer *ml_job_result(struct ml_job *job);
void ml_job_succeed(struct ml_job *job);
void ml_job_fail(struct ml_job *job, const struct ml_error *err);
/* Fails with several errors (a graph's); the list is copied. */
void ml_job_fail_all(struct ml_job *job, const struct ml_errors *errors);
/* -ESTALE failures and the like may carry a JSON detail: written here before ml_job_fail(). */
struct ml_json_writer *ml_job_detail(struct ml_job *job);

/* total 0: not known. Text NULL: unchanged. Told to whoever watches, at most four times a second.
 */
void ml_job_progress(struct ml_job *job, uint64_t done, uint64_t total, const char *text);
/* A row of what the job has found so far, such as a meter: exactly one JSON value is written, then
 * ml_job_row_end() makes it known to whoever watches (`job.show` tells them all). Kept as long as
 * the result; at most 20,000 of 4 MiB together, what is more is only counted. */
struct ml_json_writer *ml_job_row(struct ml_job *job);
void ml_job_row_end(struct ml_job *job);
/* Called on the job's lane when somebody cancels it; the job then ends soon, with -ECANCELED. A job
 * that sets none cannot be cancelled. */
void ml_job_on_cancel(
	struct ml_job *job, void (*cancel)(struct ml_job *job, void *user), void *user);

/* ---- For faces ---- */

struct ml_outcome {
	uint64_t job;
	int code;           /* 0, or the negative errno of the first error */
	const char *result; /* JSON text, of result_length bytes; "null" after a failure */
	size_t result_length;
	const struct ml_error *errors; /* error_count of them */
	size_t error_count, more_errors;
	const char *detail; /* JSON text or NULL */
};

struct ml_call {
	const char *command;
	const json_t *params; /* borrowed during the call; NULL: {} */
	const char *text; /* the document params came from, for decimals and places; may be NULL */
	size_t length;
	const char *user;  /* copied; NULL: "" */
	enum ml_role role; /* of the caller */
	/* Told once, on `lane`, with the outcome (valid during the call). May be NULL: nobody
	 * waits. Also errors found before the job began (unknown command: -ENOENT, wrong
	 * parameters: -EINVAL, role: -EACCES) come this way, never from within ml_command_call().
	 */
	void (*done)(void *user_data, const struct ml_outcome *outcome);
	void *user_data;
	struct ml_lane *lane; /* where `done` runs */
	/* What the job tells while it runs, on the same lane, before `done`. Progress is told at
	 * most four times a second; a row is one JSON value and a NUL, valid during the call. Each
	 * may be NULL; neither is called where `done` is NULL. */
	void (*progress)(void *user_data, uint64_t done, uint64_t total, const char *text);
	void (*row)(void *user_data, const char *json, size_t length);
	/* The caller is a job itself, of which this one is a part: only that is listed and told to
	 * who watches. Not without `done`. */
	bool part;
};

/* Any thread. Returns the job's number, or 0 where memory is out (then `done` is not called). */
uint64_t ml_command_call(struct ml_engine *engine, const struct ml_call *call);

/* Whoever waited does so no longer: `done` of this job will not be called. On the call's lane. */
void ml_command_forget(struct ml_engine *engine, uint64_t job);

/* Asks a job to end; `done` tells when it has. -ENOENT: there is none; -EALREADY: it has ended;
 * -ENOTSUP: it cannot be cancelled. Any thread. */
int ml_command_cancel(struct ml_engine *engine, uint64_t job, struct ml_error *err);

/* Walks the registry in the order of names. Any thread, once the engine is made. */
const struct ml_command *ml_command_find(struct ml_engine *engine, const char *name);
size_t ml_command_count(struct ml_engine *engine);
const struct ml_command *ml_command_at(struct ml_engine *engine, size_t index);

#endif
