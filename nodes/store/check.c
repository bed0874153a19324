/* Reads the whole of readings.db, slice by slice, to see whether it is whole.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/check.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/database.h>
#include <meterloom/event.h>
#include <meterloom/setting.h>

#include "store/readings.h"
#include "store/writer.h"

static const char place_name[] = "readings.db";

/* By itself it takes a small part of one core and of the disk. */
#define FIRST_AFTER ML_HOUR
#define PAUSE (500 * ML_MSEC)
#define TRY_AGAIN_AFTER ML_HOUR

/* What others may ask, under its lock. */
struct told {
	bool running;
	uint64_t done, total;  /* thousandths of stages */
	ml_time ended;         /* wall; ML_NEVER: none has */
	uint64_t rows;         /* that were read by the last that ended */
	struct ml_error wrong; /* what it found */
};

struct check {
	struct ml_engine *engine;
	struct ml_lane *lane;
	struct ml_timer timer;
	pthread_mutex_t lock;
	struct told told;

	bool running;
	struct ml_job *job; /* NULL: it runs by itself */
	bool cancelled;
	sqlite3 *db;
	unsigned file; /* which one it is */
	struct store_check_stage stages[STORE_CHECK_STAGES_MAX];
	size_t count, stage;
	int64_t place;
	uint64_t rows;
};

static const char service_name[] = "readings-check";

static void tell(struct check *check, const struct told *told)
{
	pthread_mutex_lock(&check->lock);
	check->told = *told;
	pthread_mutex_unlock(&check->lock);
}

/* ---- Its end ---- */

static ml_time interval_of(const struct check *check)
{
	json_t *days = ml_setting_get(check->engine, "store.check_days");
	const ml_time interval = (ml_time)json_integer_value(days) * ML_DAY;
	json_decref(days);
	return interval;
}

static void wait_for(struct check *check, ml_time time)
{
	ml_timer_start(&check->timer, ml_lane_now(check->lane) + time);
}

/* On the lane of the writer. */
static void repair(void *user)
{
	struct check *check = user;
	struct store_writer *writer = store_writer(check->engine);
	char text[ML_ERROR_TEXT_MAX];
	pthread_mutex_lock(&check->lock);
	memcpy(text, check->told.wrong.text, sizeof text);
	pthread_mutex_unlock(&check->lock);
	store_writer_repair(writer, text);
}

static void end_job(struct check *check, const struct ml_error *wrong)
{
	struct ml_job *job = check->job;
	struct ml_error err = *wrong;
	check->job = NULL;
	if (!job)
		return;
	if (wrong->code && wrong->code != -EUCLEAN) {
		ml_job_fail(job, &err);
		return;
	}
	struct ml_json_writer *w = ml_job_result(job);
	ml_json_begin_object(w);
	ml_json_key(w, "whole");
	ml_json_bool(w, wrong->code == 0);
	ml_json_key(w, "found");
	ml_json_string(w, wrong->code ? wrong->text : NULL);
	ml_json_key(w, "rows");
	ml_json_unsigned(w, check->rows);
	ml_json_end_object(w);
	ml_job_succeed(job);
}

/* wrong->code 0: it is whole; -EUCLEAN: it is not; else the check itself failed. */
static void end(struct check *check, const struct ml_error *wrong)
{
	const bool checked = wrong->code == 0 || wrong->code == -EUCLEAN;
	struct told told = check->told;
	char rows[24];
	sqlite3_close(check->db);
	check->db = NULL;
	check->running = false;
	told.running = false;
	if (checked) {
		told.ended = ml_clock_wall(ml_engine_clock(check->engine));
		told.rows = check->rows;
		told.wrong = *wrong;
	}
	tell(check, &told);
	(void)snprintf(rows, sizeof rows, "%" PRIu64, check->rows);
	if (wrong->code == 0)
		ml_event_raise(check->engine, "store-checked", place_name, "rows", rows, NULL);
	else if (checked)
		ml_event_raise(
			check->engine, "store-damaged", place_name, "found", wrong->text, NULL);
	if (wrong->code == -EUCLEAN)
		(void)ml_lane_post(ml_engine_lane(check->engine, STORE_LANE), repair, check);
	end_job(check, wrong);
	const ml_time interval = interval_of(check);
	if (interval)
		wait_for(check, checked ? interval : TRY_AGAIN_AFTER);
}

/* ---- Its slices ---- */

static int open_database(struct check *check, struct ml_error *err)
{
	const struct store_writer *writer = store_writer(check->engine);
	const unsigned file = atomic_load(&writer->health.files);
	/* Another one since: from the beginning. */
	if (check->db && check->file == file)
		return 0;
	sqlite3_close(check->db);
	check->db = NULL;
	check->stage = 0;
	check->place = INT64_MIN;
	check->rows = 0;
	check->file = file;
	const int result = ml_database_open(check->engine, "readings", false, &check->db, err);
	return result < 0 ? result
			  : store_check_stages(check->db, check->stages, &check->count, err);
}

static int next_slice(struct check *check, struct ml_error *err)
{
	bool done = true;
	int result = open_database(check, err);
	if (result == 0 && check->stage < check->count)
		result = store_check_slice(check->db, &check->stages[check->stage], &check->place,
			&done, &check->rows, err);
	if (result == -EBUSY)
		return 0; /* the writer has the file to itself for a moment */
	if (result == 0 && done) {
		check->stage++;
		check->place = INT64_MIN;
	}
	return result;
}

static void tell_progress(struct check *check)
{
	struct told told = check->told;
	const bool last = check->stage >= check->count;
	told.running = true;
	told.total = check->count * 1000;
	told.done = check->stage * 1000;
	if (!last)
		told.done +=
			store_check_part(check->db, &check->stages[check->stage], check->place);
	tell(check, &told);
	if (check->job)
		ml_job_progress(check->job, told.done, told.total,
			last ? NULL : check->stages[check->stage].table);
}

static void work(struct check *check)
{
	struct ml_error err = ML_ERROR_NONE;
	if (check->cancelled)
		(void)ml_error_set(&err, -ECANCELED, "cancelled");
	else if (next_slice(check, &err) == 0)
		err.code = 0;
	if (err.code || check->stage >= check->count) {
		end(check, &err);
		return;
	}
	tell_progress(check);
	wait_for(check, check->job ? 0 : PAUSE);
}

static void begin(struct check *check, struct ml_job *job)
{
	sqlite3_close(check->db);
	check->db = NULL;
	check->job = job;
	check->cancelled = false;
	check->running = true;
	work(check);
}

static void timer_fired(struct ml_timer *timer)
{
	struct check *check = timer->user;
	if (check->running)
		work(check);
	else
		begin(check, NULL);
}

/* ---- store.check ---- */

static void cancel(struct ml_job *job, void *user)
{
	struct check *check = user;
	(void)job;
	check->cancelled = true;
	wait_for(check, 0);
}

void store_check_run(struct ml_job *job, void *params)
{
	struct check *check = ml_service(ml_job_engine(job), service_name);
	struct ml_error err = ML_ERROR_NONE;
	(void)params;
	if (check->job) {
		(void)ml_error_set(&err, -EBUSY, "a check runs already: see job.list");
		ml_job_fail(job, &err);
		return;
	}
	ml_job_on_cancel(job, cancel, check);
	begin(check, job);
}

void store_check_status(struct ml_engine *engine, struct ml_json_writer *w)
{
	struct check *check = ml_service(engine, service_name);
	char text[ML_TIME_TEXT_MAX];
	if (!check) {
		ml_json_null(w);
		return;
	}
	pthread_mutex_lock(&check->lock);
	const struct told told = check->told;
	pthread_mutex_unlock(&check->lock);
	ml_json_begin_object(w);
	ml_json_key(w, "running");
	ml_json_bool(w, told.running);
	if (told.running) {
		ml_json_key(w, "percent");
		ml_json_unsigned(w, told.total ? told.done * 100 / told.total : 0);
	}
	ml_json_key(w, "last");
	if (told.ended == ML_NEVER)
		ml_json_null(w);
	else
		ml_json_string_n(w, text, ml_time_format(told.ended, text));
	if (told.ended != ML_NEVER) {
		ml_json_key(w, "rows");
		ml_json_unsigned(w, told.rows);
		ml_json_key(w, "found");
		ml_json_string(w, told.wrong.code ? told.wrong.text : NULL);
	}
	ml_json_end_object(w);
}

/* ---- The service ---- */

static void start_waiting(void *user)
{
	struct check *check = user;
	if (interval_of(check) && !check->running)
		wait_for(check, FIRST_AFTER);
}

int store_check_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	struct check *check = calloc(1, sizeof *check);
	if (!check)
		return ml_error_set(err, -ENOMEM, "out of memory");
	check->engine = engine;
	check->lane = ml_engine_lane(engine, STORE_QUERY_LANE);
	check->told.ended = ML_NEVER;
	(void)pthread_mutex_init(&check->lock, NULL);
	*ret_service = check;
	if (!check->lane) {
		store_check_stop(check);
		return ml_error_set(err, -ENOMEM,
			"the lane \"" STORE_QUERY_LANE "\" cannot be "
			"made");
	}
	ml_timer_init(&check->timer, check->lane, timer_fired, check);
	(void)ml_lane_post(check->lane, start_waiting, check);
	return 0;
}

void store_check_stop(void *service)
{
	struct check *check = service;
	struct ml_error err = ML_ERROR_NONE;
	if (check->lane)
		ml_timer_stop(&check->timer);
	(void)ml_error_set(&err, -ECANCELED, "the gateway ends");
	if (check->job)
		ml_job_fail(check->job, &err);
	sqlite3_close(check->db);
	(void)pthread_mutex_destroy(&check->lock);
	free(check);
}
