/* Waiting for a job of a running gateway.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/watch.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <meterloom/clock.h>

enum { LINE_MAX_COLUMNS = 78 };
enum { REAL_DIGITS = 15 }; /* a double gives back any decimal of so many */

static const ml_time pause_first = 20 * ML_MSEC, pause_most = 400 * ML_MSEC;

/* A signal handler has nothing else to write to. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

struct watch {
	struct cli_client *client;
	json_int_t job;
	size_t rows;         /* told */
	bool terminal, line; /* a line of progress stands there */
	bool asked;          /* to end */
	char last[160];
};

/* ---- What is told ---- */

static void clear_line(struct watch *w)
{
	if (w->line)
		(void)fputs("\r\033[K", stderr);
	w->line = false;
}

static void print_row(struct watch *w, const json_t *row)
{
	char *text =
		json_dumps(row, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(REAL_DIGITS));
	clear_line(w);
	(void)fprintf(stderr, "%s\n", text ? text : "");
	free(text);
}

static void print_progress(struct watch *w, const json_t *job)
{
	const json_t *progress = json_object_get(job, "progress");
	const char *text = json_string_value(json_object_get(progress, "text"));
	const json_int_t done = json_integer_value(json_object_get(progress, "done"));
	const json_int_t total = json_integer_value(json_object_get(progress, "total"));
	char line[160];
	if (!progress)
		return;
	if (total > 0)
		(void)snprintf(line, sizeof line, "%3d %%  %.120s",
			(int)(100 * (done < total ? done : total) / total), text ? text : "");
	else
		(void)snprintf(line, sizeof line, "%.120s", text ? text : "");
	if (strcmp(line, w->last) == 0)
		return;
	memcpy(w->last, line, sizeof line);
	clear_line(w);
	(void)fprintf(stderr, w->terminal ? "%.*s" : "%.*s\n", LINE_MAX_COLUMNS, line);
	(void)fflush(stderr);
	w->line = w->terminal;
}

static void print_news(struct watch *w, const json_t *job)
{
	size_t i;
	json_t *row;
	json_array_foreach(json_object_get(job, "items"), i, row)
	{
		print_row(w, row);
		w->rows++;
	}
	print_progress(w, job);
}

/* ---- Waiting ---- */

static void ask_to_end(struct watch *w)
{
	char path[64];
	struct ml_buffer answer = {0};
	(void)snprintf(path, sizeof path, "jobs/%lld", (long long)w->job);
	clear_line(w);
	const long status = cli_client_ask(w->client, "DELETE", path, NULL, false, &answer);
	(void)fprintf(stderr, "%s\n",
		status >= 200 && status < 300 ? "cancelling ..."
					      : "this job cannot be cancelled: waiting for its end "
						"(Ctrl-C again leaves it alone)");
	ml_buffer_free(&answer);
	w->asked = true;
	(void)signal(SIGINT, SIG_DFL);
}

/* The job's own member as it was sent, since numbers are exact only as texts. */
static bool take_member(struct ml_buffer *answer, const char *pointer)
{
	struct ml_json_place place;
	if (ml_json_locate(answer->data, answer->length, pointer, &place) < 0)
		return false;
	const size_t length = place.end - place.begin;
	memmove(answer->data, answer->data + place.begin, length);
	answer->data[length] = '\0';
	answer->length = length;
	return true;
}

/* Looks at the job once. false: it goes on. */
static bool look(struct watch *w, struct ml_buffer *answer, enum cli_watched *ret_watched)
{
	char path[96];
	(void)snprintf(path, sizeof path, "jobs/%lld?from=%zu", (long long)w->job, w->rows);
	ml_buffer_clear(answer);
	const long status = cli_client_ask(w->client, "GET", path, NULL, false, answer);
	json_t *job = status == 200 ? json_loadb(answer->data, answer->length, 0, NULL) : NULL;
	const char *state = json_string_value(json_object_get(job, "state"));
	bool ended = true;
	if (!state) {
		*ret_watched = status == 0 ? CLI_WATCHED_LOST : CLI_WATCHED_PROBLEM;
	} else {
		print_news(w, job);
		ended = strcmp(state, "queued") != 0 && strcmp(state, "running") != 0;
		*ret_watched = strcmp(state, "succeeded") == 0 && take_member(answer, "/result")
				       ? CLI_WATCHED_RESULT
				       : CLI_WATCHED_PROBLEM;
	}
	json_decref(job);
	return ended;
}

enum cli_watched cli_watch(struct cli_client *client, struct ml_buffer *answer)
{
	struct watch w = {.client = client, .terminal = isatty(STDERR_FILENO) == 1};
	enum cli_watched watched = CLI_WATCHED_PROBLEM;
	json_t *started = json_loadb(answer->data, answer->length, 0, NULL);
	w.job = json_integer_value(json_object_get(started, "job"));
	json_decref(started);
	struct sigaction before, action = {.sa_handler = on_interrupt};
	(void)sigaction(SIGINT, &action, &before);
	for (ml_time pause = pause_first; !look(&w, answer, &watched);
		pause = pause < pause_most ? 2 * pause : pause_most) {
		ml_clock_rest(pause);
		if (interrupted && !w.asked)
			ask_to_end(&w);
	}
	clear_line(&w);
	(void)sigaction(SIGINT, &before, NULL);
	return watched;
}
