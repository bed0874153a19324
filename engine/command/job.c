/* The life of a job: queued, run on its lane, ended once, told, kept for a while.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "command/job.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/node.h>

static void lock(const struct ml_job *job)
{
	(void)pthread_mutex_lock(&job->commands->lock);
}

static void unlock(const struct ml_job *job)
{
	(void)pthread_mutex_unlock(&job->commands->lock);
}

static ml_time wall(const struct ml_job *job)
{
	return ml_clock_wall(ml_engine_clock(job->commands->engine));
}

struct ml_job *ml_job_new(struct ml_commands *commands, const struct ml_call *call)
{
	struct ml_job *job = calloc(1, sizeof *job);
	if (!job)
		return NULL;
	job->commands = commands;
	job->created = wall(job);
	(void)snprintf(job->name, sizeof job->name, "%s", call->command);
	(void)snprintf(job->user, sizeof job->user, "%s", call->user ? call->user : "");
	job->result.limit = ML_JOB_RESULT_MAX;
	job->detail.limit = ML_JOB_RESULT_MAX;
	job->row.limit = ML_JOB_ROWS_BYTES_MAX;
	ml_json_writer_init(&job->result_writer, &job->result);
	ml_json_writer_init(&job->detail_writer, &job->detail);
	job->done = call->done;
	job->done_user = call->user_data;
	job->done_lane = call->lane;
	job->tell_progress = call->progress;
	job->tell_row = call->row;
	return job;
}

void ml_job_free(struct ml_job *job)
{
	ml_job_params_free(&job->params);
	ml_job_params_free(&job->action_params);
	ml_buffer_free(&job->result);
	ml_buffer_free(&job->detail);
	(void)ml_job_drop_rows(job);
	ml_errors_free(&job->errors);
	free(job);
}

/* ---- The list; with the lock held ---- */

static void append(struct ml_job *job)
{
	struct ml_commands *commands = job->commands;
	job->prev = commands->last;
	job->next = NULL;
	if (commands->last)
		commands->last->next = job;
	else
		commands->first = job;
	commands->last = job;
	job->holders++;
}

static bool let_go(struct ml_job *job)
{
	assert(job->holders > 0);
	return --job->holders == 0;
}

static void detach(struct ml_job *job)
{
	struct ml_commands *commands = job->commands;
	*(job->prev ? &job->prev->next : &commands->first) = job->next;
	*(job->next ? &job->next->prev : &commands->last) = job->prev;
	job->prev = job->next = NULL;
}

/* What never ran is listed only until its caller has been told. The caller holds it too. */
static void unlist_rejected(struct ml_job *job)
{
	if (!job->rejected)
		return;
	detach(job);
	job->holders--;
}

static bool is_listed(const struct ml_job *job)
{
	return job->prev || job->commands->first == job;
}

static bool has_ended(const struct ml_job *job)
{
	return job->state >= ML_JOB_SUCCEEDED;
}

static size_t kept_bytes(const struct ml_job *job)
{
	return job->result.length + job->detail.length + job->rows.length;
}

static void drop_result(struct ml_job *job)
{
	if (!job->result.data && !job->detail.data && !job->row_count)
		return;
	if (!job->rejected)
		job->commands->result_bytes -= kept_bytes(job);
	(void)ml_job_drop_rows(job);
	ml_buffer_free(&job->result);
	ml_buffer_free(&job->detail);
	job->result_dropped = true;
	job->has_detail = false;
}

/* Keeps the last ended jobs, and of their results as many bytes as are allowed, the newest in any
 * case. */
static void trim(struct ml_commands *commands, const struct ml_job *newest)
{
	for (struct ml_job *job = commands->first, *next; job; job = next) {
		next = job->next;
		if (!has_ended(job) || job == newest || job->holders > 1)
			continue;
		if (commands->result_bytes > ML_JOBS_RESULTS_MAX)
			drop_result(job);
		if (commands->ended <= ML_JOBS_ENDED_MAX)
			continue;
		drop_result(job);
		detach(job);
		commands->ended--;
		if (let_go(job))
			ml_job_free(job);
	}
}

/* ---- Telling ---- */

void ml_errors_write(const struct ml_error *errors, size_t count, struct ml_json_writer *w)
{
	ml_json_begin_array(w);
	for (size_t i = 0; i < count; i++) {
		ml_json_begin_object(w);
		ml_json_key(w, "pointer");
		ml_json_string(w, errors[i].pointer);
		ml_json_key(w, "text");
		ml_json_string(w, errors[i].text);
		if (errors[i].line > 0) {
			ml_json_key(w, "line");
			ml_json_integer(w, errors[i].line);
			ml_json_key(w, "column");
			ml_json_integer(w, errors[i].column);
		}
		if (errors[i].at >= 0) {
			ml_json_key(w, "at");
			ml_json_integer(w, errors[i].at);
		}
		ml_json_end_object(w);
	}
	ml_json_end_array(w);
}

static void write_time(struct ml_json_writer *w, const char *key, ml_time time)
{
	char text[ML_TIME_TEXT_MAX];
	if (time == 0)
		return;
	ml_json_key(w, key);
	ml_json_string_n(w, text, ml_time_format(time, text));
}

static void write_progress(const struct ml_job *job, struct ml_json_writer *w)
{
	if (!job->progress_done && !job->progress_total && !job->progress_text[0])
		return;
	ml_json_key(w, "progress");
	ml_json_begin_object(w);
	ml_json_key(w, "done");
	ml_json_unsigned(w, job->progress_done);
	ml_json_key(w, "total");
	if (job->progress_total)
		ml_json_unsigned(w, job->progress_total);
	else
		ml_json_null(w);
	ml_json_key(w, "text");
	ml_json_string(w, job->progress_text);
	ml_json_end_object(w);
}

static void write_result(const struct ml_job *job, struct ml_json_writer *w)
{
	ml_json_key(w, "result");
	if (job->state == ML_JOB_SUCCEEDED && job->result.length && !job->result_dropped)
		ml_json_raw(w, job->result.data, job->result.length);
	else
		ml_json_null(w);
	if (job->result_dropped) {
		ml_json_key(w, "result_dropped");
		ml_json_bool(w, true);
	}
	if (job->has_detail) {
		ml_json_key(w, "detail");
		ml_json_raw(w, job->detail.data, job->detail.length);
	}
}

static void write_job(const struct ml_job *job, struct ml_json_writer *w)
{
	static const char *const states[] = {
		"queued", "running", "succeeded", "failed", "cancelled"};
	ml_json_begin_object(w);
	ml_json_key(w, "id");
	ml_json_unsigned(w, job->id);
	ml_json_key(w, "command");
	ml_json_string(w, job->name);
	ml_json_key(w, "user");
	ml_json_string(w, job->user);
	ml_json_key(w, "state");
	ml_json_string(w, states[job->state]);
	write_time(w, "created", job->created);
	write_time(w, "started", job->started);
	write_time(w, "ended", job->ended);
	if (!has_ended(job)) {
		ml_json_key(w, "cancellable");
		ml_json_bool(w, job->state == ML_JOB_QUEUED || job->cancel);
	}
	write_progress(job, w);
	if (job->row_count || job->rows_lost) {
		ml_json_key(w, "rows");
		ml_json_unsigned(w, job->row_count);
	}
	if (job->rows_lost) {
		ml_json_key(w, "rows_lost");
		ml_json_unsigned(w, job->rows_lost);
	}
	if (job->errors.count) {
		ml_json_key(w, "errors");
		ml_errors_write(job->errors.items, job->errors.count, w);
	}
}

void ml_job_write(const struct ml_job *job, struct ml_json_writer *w)
{
	write_job(job, w);
	ml_json_end_object(w);
}

void ml_job_show(const struct ml_job *job, size_t from, struct ml_json_writer *w)
{
	write_job(job, w);
	if (job->row_count > 0) {
		ml_json_key(w, "items");
		ml_job_write_rows(job, from, w);
	}
	if (has_ended(job))
		write_result(job, w);
	ml_json_end_object(w);
}

void ml_job_release(struct ml_job *job)
{
	lock(job);
	const bool last = let_go(job);
	unlock(job);
	if (last)
		ml_job_free(job);
}

static void tell(struct ml_job *job, void (*done)(void *, const struct ml_outcome *), void *user)
{
	const bool good = job->state == ML_JOB_SUCCEEDED;
	const bool written = good && job->result.length;
	const int failure = job->errors.count ? job->errors.items[0].code : -ENOMEM;
	const struct ml_outcome outcome = {
		.job = job->id,
		.code = good ? 0 : failure,
		.result = written ? job->result.data : "null",
		.result_length = written ? job->result.length : 4,
		.errors = job->errors.items,
		.error_count = job->errors.count,
		.more_errors = job->errors.more,
		.detail = job->has_detail ? job->detail.data : NULL,
	};
	done(user, &outcome);
}

/* On the lane of the caller. */
static void deliver(void *user)
{
	struct ml_job *job = user;
	lock(job);
	void (*done)(void *, const struct ml_outcome *) = job->done;
	unlock(job);
	if (done)
		tell(job, done, job->done_user);
	lock(job);
	job->done = NULL;
	if (done)
		drop_result(job); /* it was told: nobody comes for it again */
	unlist_rejected(job);
	if (job->quiet && !job->rejected && is_listed(job)) {
		detach(job);
		job->commands->ended--;
		job->holders--;
	}
	unlock(job);
	ml_job_release(job);
}

/* ---- Ends ---- */

static void free_params(struct ml_job *job)
{
	ml_job_params_free(&job->params);
	ml_job_params_free(&job->action_params);
}

/* Takes the errors over. Only the first end counts. */
static void end(struct ml_job *job, enum ml_job_state state, struct ml_errors *errors)
{
	struct ml_commands *commands = job->commands;
	lock(job);
	if (has_ended(job)) {
		unlock(job);
		ml_errors_free(errors);
		assert(false && "a job ends once");
		return;
	}
	if (state != ML_JOB_SUCCEEDED)
		ml_buffer_free(&job->result);
	job->state = state;
	job->ended = wall(job);
	job->errors = *errors;
	*errors = (struct ml_errors){0};
	job->cancel = NULL;
	const bool done = job->done;
	if (done)
		job->holders++;
	job->holders++; /* while we publish */
	const bool idle = job->runners == 0;
	if (!job->rejected) {
		commands->active--;
		commands->ended++;
		commands->result_bytes += kept_bytes(job);
		trim(commands, job);
	}
	unlock(job);
	if (idle)
		free_params(job);
	if (!job->rejected)
		ml_job_publish(job);
	if (done && ml_lane_post(job->done_lane, deliver, job) < 0)
		ml_job_release(job);
	if (job->rejected && !done) {
		lock(job);
		unlist_rejected(job);
		unlock(job);
	}
	ml_job_release(job);
}

void ml_job_reject(struct ml_job *job, struct ml_errors *errors)
{
	lock(job);
	job->rejected = true;
	append(job);
	unlock(job);
	end(job, ML_JOB_FAILED, errors);
}

void ml_job_succeed(struct ml_job *job)
{
	struct ml_errors errors = {0};
	assert(job->result_writer.depth == 0);
	if (job->result.failed) {
		ml_errors_addf(&errors, -E2BIG, "",
			"the result of %s is larger than %d MiB, or memory is out; ask for less at "
			"a time",
			job->name, ML_JOB_RESULT_MAX >> 20);
		end(job, ML_JOB_FAILED, &errors);
		return;
	}
	end(job, ML_JOB_SUCCEEDED, &errors);
}

void ml_job_fail(struct ml_job *job, const struct ml_error *err)
{
	struct ml_errors errors = {0};
	ml_errors_add(&errors, err);
	end(job, err->code == -ECANCELED ? ML_JOB_CANCELLED : ML_JOB_FAILED, &errors);
}

void ml_job_fail_all(struct ml_job *job, const struct ml_errors *list)
{
	struct ml_errors errors = {.more = list->more};
	for (size_t i = 0; i < list->count; i++)
		ml_errors_add(&errors, &list->items[i]);
	end(job, ML_JOB_FAILED, &errors);
}

static void fail_because(struct ml_job *job, int code, const char *text)
{
	struct ml_error err = ML_ERROR_NONE;
	(void)ml_error_set(&err, code, "%s", text);
	ml_job_fail(job, &err);
}

/* ---- Running ---- */

/* Within the functions of a job its parameters stay, even where it ends there. */
static void enter(struct ml_job *job)
{
	lock(job);
	job->runners++;
	unlock(job);
}

static void leave(struct ml_job *job)
{
	lock(job);
	const bool last = --job->runners == 0 && has_ended(job);
	unlock(job);
	if (last)
		free_params(job);
	ml_job_release(job);
}

static void run(void *user)
{
	struct ml_job *job = user;
	enter(job);
	lock(job);
	const bool cancelled = job->cancel_asked;
	if (!cancelled) {
		job->state = ML_JOB_RUNNING;
		job->started = wall(job);
	}
	unlock(job);
	if (cancelled) {
		fail_because(job, -ECANCELED, "cancelled before it began");
	} else {
		ml_job_publish(job);
		job->command->run(job, job->params.fields);
	}
	leave(job);
}

void ml_job_start(struct ml_job *job)
{
	lock(job);
	append(job);
	job->commands->active++;
	job->holders++;
	unlock(job);
	ml_job_publish(job);
	const int r = ml_lane_post(job->lane, run, job);
	if (r < 0) {
		fail_because(job, r, "the lane of this command has ended");
		ml_job_release(job);
	}
}

void ml_job_set_lane(struct ml_job *job, struct ml_lane *lane)
{
	lock(job);
	job->lane = lane;
	job->cancel = NULL;
	unlock(job);
}

/* ---- For those who run it ---- */

struct ml_engine *ml_job_engine(const struct ml_job *job)
{
	return job->commands->engine;
}

uint64_t ml_job_id(const struct ml_job *job)
{
	return job->id;
}

const char *ml_job_user(const struct ml_job *job)
{
	return job->user;
}

struct ml_json_writer *ml_job_result(struct ml_job *job)
{
	return &job->result_writer;
}

struct ml_json_writer *ml_job_detail(struct ml_job *job)
{
	job->has_detail = true;
	return &job->detail_writer;
}

/* ---- Cancelling ---- */

/* On the lane that was the job's when this was posted. Where it has moved meanwhile, it is told
 * when it says there how it is cancelled. */
static void call_cancel(void *user)
{
	struct ml_job *job = user;
	enter(job);
	lock(job);
	const bool here = !has_ended(job) && job->lane == job->cancel_lane;
	void (*cancel)(struct ml_job *, void *) = here ? job->cancel : NULL;
	void *cancel_user = job->cancel_user;
	unlock(job);
	if (cancel)
		cancel(job, cancel_user);
	leave(job);
}

static void post_cancel(struct ml_job *job, struct ml_lane *lane)
{
	if (ml_lane_post(lane, call_cancel, job) < 0)
		ml_job_release(job);
}

void ml_job_on_cancel(
	struct ml_job *job, void (*cancel)(struct ml_job *job, void *user), void *user)
{
	lock(job);
	job->cancel = cancel;
	job->cancel_user = user;
	const bool asked = cancel && job->cancel_asked;
	struct ml_lane *lane = job->cancel_lane = job->lane;
	job->holders += asked;
	unlock(job);
	if (asked)
		post_cancel(job, lane);
}

struct ml_job *ml_job_find(struct ml_commands *commands, uint64_t id)
{
	struct ml_job *job = commands->last;
	while (job && job->id != id)
		job = job->prev;
	return job;
}

int ml_command_cancel(struct ml_engine *engine, uint64_t id, struct ml_error *err)
{
	struct ml_commands *commands = ml_engine_commands(engine);
	int r = 0;
	(void)pthread_mutex_lock(&commands->lock);
	struct ml_job *job = ml_job_find(commands, id);
	struct ml_lane *lane = NULL;
	if (!job || job->rejected) {
		r = ml_error_set(err, -ENOENT,
			"there is no job %llu; job.list tells those there are",
			(unsigned long long)id);
	} else if (has_ended(job)) {
		r = ml_error_set(err, -EALREADY, "job %llu (%s) has ended", (unsigned long long)id,
			job->name);
	} else if (job->state == ML_JOB_RUNNING && !job->cancel) {
		r = ml_error_set(err, -ENOTSUP,
			"job %llu (%s) cannot be cancelled: let it come to its end",
			(unsigned long long)id, job->name);
	} else {
		job->cancel_asked = true;
		if (job->state == ML_JOB_RUNNING) {
			lane = job->cancel_lane = job->lane;
			job->holders++;
		}
	}
	(void)pthread_mutex_unlock(&commands->lock);
	if (lane)
		post_cancel(job, lane);
	return r;
}

void ml_command_forget(struct ml_engine *engine, uint64_t id)
{
	struct ml_commands *commands = ml_engine_commands(engine);
	(void)pthread_mutex_lock(&commands->lock);
	struct ml_job *job = ml_job_find(commands, id);
	if (job)
		job->done = NULL;
	(void)pthread_mutex_unlock(&commands->lock);
}
