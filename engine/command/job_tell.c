/* What a job tells while it runs: progress and rows, to whoever watches and to its caller.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include <meterloom/feed.h>
#include <meterloom/node.h>

#include "command/job.h"

static const ml_time progress_gap = 250 * ML_MSEC;

static void lock(const struct ml_job *job)
{
	(void)pthread_mutex_lock(&job->commands->lock);
}

static void unlock(const struct ml_job *job)
{
	(void)pthread_mutex_unlock(&job->commands->lock);
}

void ml_job_publish(struct ml_job *job)
{
	struct ml_engine *engine = job->commands->engine;
	if (job->quiet || !ml_feed_wanted(engine, "job"))
		return;
	struct ml_buffer text = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &text);
	lock(job);
	ml_job_write(job, &w);
	unlock(job);
	if (!text.failed)
		ml_feed_publish(engine, "job", text.data, text.length);
	ml_buffer_free(&text);
}

/* ---- To the caller ---- */

/* One thing that is on its way to the caller's lane. */
struct news {
	struct ml_job *job; /* held */
	bool row;
	uint64_t done, total;
	size_t length;
	char text[]; /* of a row, or beside the progress */
};

static void deliver(void *user)
{
	struct news *news = user;
	struct ml_job *job = news->job;
	lock(job);
	void (*progress)(void *, uint64_t, uint64_t, const char *) = job->tell_progress;
	void (*row)(void *, const char *, size_t) = job->tell_row;
	/* Whoever forgot the job hears nothing more. */
	const bool wanted = job->done != NULL;
	unlock(job);
	if (wanted && news->row && row)
		row(job->done_user, news->text, news->length);
	else if (wanted && !news->row && progress)
		progress(job->done_user, news->done, news->total, news->text);
	ml_job_release(job);
	free(news);
}

/* With the lock held. */
static struct news *make_news(struct ml_job *job, bool row, const char *text, size_t length)
{
	const bool wanted = row ? job->tell_row != NULL : job->tell_progress != NULL;
	if (!wanted || !job->done)
		return NULL;
	struct news *news = malloc(sizeof *news + length + 1);
	if (!news)
		return NULL;
	*news = (struct news){.job = job,
		.row = row,
		.done = job->progress_done,
		.total = job->progress_total,
		.length = length};
	memcpy(news->text, text, length);
	news->text[length] = '\0';
	job->holders++;
	return news;
}

static void post(struct ml_job *job, struct news *news)
{
	if (!news || ml_lane_post(job->done_lane, deliver, news) == 0)
		return;
	free(news);
	ml_job_release(job);
}

/* ---- Progress ---- */

void ml_job_progress(struct ml_job *job, uint64_t done, uint64_t total, const char *text)
{
	const ml_time now = ml_clock_monotonic(ml_engine_clock(job->commands->engine));
	struct news *news = NULL;
	lock(job);
	job->progress_done = done;
	job->progress_total = total;
	if (text)
		(void)snprintf(job->progress_text, sizeof job->progress_text, "%s", text);
	const bool due = job->told == 0 || now - job->told >= progress_gap;
	if (due)
		job->told = now;
	/* A row is published with the progress as it was: that is not yet told to the caller. */
	if (job->told_caller == 0 || now - job->told_caller >= progress_gap) {
		job->told_caller = now;
		news = make_news(job, false, job->progress_text, strlen(job->progress_text));
	}
	unlock(job);
	post(job, news);
	if (due)
		ml_job_publish(job);
}

/* ---- Rows ---- */

struct ml_json_writer *ml_job_row(struct ml_job *job)
{
	ml_buffer_clear(&job->row);
	ml_json_writer_init(&job->row_writer, &job->row);
	return &job->row_writer;
}

/* With the lock held. false: there is no room for it, or memory is out. */
static bool keep_row(struct ml_job *job)
{
	if (job->row.failed || job->row_count == ML_JOB_ROWS_MAX ||
		job->rows.length + job->row.length > ML_JOB_ROWS_BYTES_MAX)
		return false;
	if (job->row_count == job->row_capacity) {
		const size_t capacity = job->row_capacity ? 2 * job->row_capacity : 16;
		size_t *ends = realloc(job->row_ends, capacity * sizeof *ends);
		if (!ends)
			return false;
		job->row_ends = ends;
		job->row_capacity = capacity;
	}
	ml_buffer_append(&job->rows, job->row.data, job->row.length);
	if (job->rows.failed)
		return false;
	job->row_ends[job->row_count++] = job->rows.length;
	return true;
}

void ml_job_row_end(struct ml_job *job)
{
	const ml_time now = ml_clock_monotonic(ml_engine_clock(job->commands->engine));
	lock(job);
	if (!keep_row(job))
		job->rows_lost++;
	struct news *news =
		job->row.failed ? NULL : make_news(job, true, job->row.data, job->row.length);
	const bool due = job->told == 0 || now - job->told >= progress_gap;
	if (due)
		job->told = now;
	unlock(job);
	post(job, news);
	if (due)
		ml_job_publish(job);
}

void ml_job_write_rows(const struct ml_job *job, size_t from, struct ml_json_writer *w)
{
	ml_json_begin_array(w);
	for (size_t i = from; i < job->row_count; i++) {
		const size_t begin = i ? job->row_ends[i - 1] : 0;
		ml_json_raw(w, job->rows.data + begin, job->row_ends[i] - begin);
	}
	ml_json_end_array(w);
}

size_t ml_job_drop_rows(struct ml_job *job)
{
	const size_t length = job->rows.length;
	ml_buffer_free(&job->row);
	ml_buffer_free(&job->rows);
	free(job->row_ends);
	job->row_ends = NULL;
	job->row_count = job->row_capacity = 0;
	return length;
}
