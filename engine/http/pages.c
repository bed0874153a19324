/* Files that are too long for one answer: a command gives them part by part, the client reads.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The command's result is {"text": …, "next": …}; `next` is what its parameter `before` takes for
 * the next part, null at the end. One part at a time is in memory: the next one is asked for when
 * the client has read the last. A failure on the way cuts the connection, so that nobody takes a
 * part for the whole.
 */
#include <stdlib.h>
#include <string.h>

#include "http/route.h"

enum { ROWS_A_PART = 2000, BLOCK = 32768 };

struct http_pages {
	struct http_request *request;
	const char *command;
	json_t *params; /* owned */
	int64_t left;   /* rows that may still come; 0: all have been asked for */
	struct ml_buffer part;
	size_t sent;
	bool asleep, failed;
};

void http_pages_free(struct http_pages *pages)
{
	if (!pages)
		return;
	json_decref(pages->params);
	ml_buffer_free(&pages->part);
	free(pages);
}

static void wake(struct http_pages *pages)
{
	if (!pages->asleep)
		return;
	pages->asleep = false;
	MHD_resume_connection(pages->request->connection);
	http_turn(pages->request->http);
}

void http_pages_abandon(struct http_pages *pages)
{
	pages->failed = true;
	wake(pages);
}

/* ---- Parts ---- */

static bool take_part(struct http_pages *pages, const struct ml_outcome *outcome)
{
	json_t *result = json_loadb(outcome->result, outcome->result_length, 0, NULL);
	const json_t *text = json_object_get(result, "text");
	const json_t *next = json_object_get(result, "next");
	const bool good = json_is_string(text);
	ml_buffer_clear(&pages->part);
	pages->sent = 0;
	if (good)
		ml_buffer_append(&pages->part, json_string_value(text), json_string_length(text));
	const int64_t rows = json_integer_value(json_object_get(pages->params, "limit"));
	pages->left = json_is_integer(next) ? pages->left - rows : 0;
	if (pages->left > 0 &&
		json_object_set(pages->params, "before", (json_t *)(uintptr_t)next) < 0)
		pages->failed = true;
	json_decref(result);
	return good && !pages->part.failed;
}

static void on_outcome(void *user, const struct ml_outcome *outcome);

static bool ask_part(struct http_pages *pages)
{
	struct http_request *request = pages->request;
	const int64_t rows = pages->left < ROWS_A_PART ? pages->left : ROWS_A_PART;
	if (json_object_set_new(pages->params, "limit", json_integer(rows)) < 0)
		return false;
	const struct ml_call call = {
		.command = pages->command,
		.params = pages->params,
		.user = "local",
		.role = ML_ROLE_ADMIN,
		.done = on_outcome,
		.user_data = pages,
		.lane = request->http->lane,
	};
	request->job = ml_command_call(request->http->engine, &call);
	return request->job != 0;
}

static void on_outcome(void *user, const struct ml_outcome *outcome)
{
	struct http_pages *pages = user;
	struct http_request *request = pages->request;
	request->job = 0;
	const bool first = !request->answered;
	if (outcome->code != 0 || !take_part(pages, outcome))
		pages->failed = true;
	if (!first) {
		wake(pages);
		return;
	}
	if (outcome->code != 0) {
		http_reply_outcome(request, outcome);
	} else if (pages->failed) {
		http_reply_problem(request, 503, "out of memory");
	} else {
		request->answered = true;
		request->status = 200;
		request->type = "text/csv; charset=utf-8; header=present";
		http_reply_header(request, "Content-Disposition", "attachment; filename=\"%s\"",
			strrchr(request->path, '/') + 1);
	}
	http_resume(request);
}

/* ---- Sending ---- */

static ssize_t on_read(void *cls, uint64_t position, char *out, size_t most)
{
	struct http_pages *pages = cls;
	(void)position;
	size_t length = pages->part.length - pages->sent;
	if (pages->failed)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (length == 0 && pages->left <= 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (length == 0) {
		if (!pages->request->job && !ask_part(pages))
			return MHD_CONTENT_READER_END_WITH_ERROR;
		http_phase(
			pages->request->link, HTTP_SENDING); /* it gets on: its time begins anew */
		pages->asleep = true;
		MHD_suspend_connection(pages->request->connection);
		return 0;
	}
	if (length > most)
		length = most;
	memcpy(out, pages->part.data + pages->sent, length);
	pages->sent += length;
	return (ssize_t)length;
}

struct MHD_Response *http_pages_response(struct http_request *request)
{
	return MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, BLOCK, on_read, request->pages, NULL);
}

void http_pages_begin(struct http_request *request, const char *command, json_t *params)
{
	struct http_pages *pages = calloc(1, sizeof *pages);
	const json_t *limit = json_object_get(params, "limit");
	if (!pages) {
		http_reply_problem(request, 503, "out of memory");
		return;
	}
	request->pages = pages;
	pages->request = request;
	pages->command = command;
	pages->params = json_incref(params);
	pages->left = json_is_integer(limit) ? json_integer_value(limit) : INT64_MAX;
	if (limit && pages->left <= 0)
		http_reply_problem(request, 422, "limit: expected a number from 1 on");
	else if (!ask_part(pages))
		http_reply_problem(request, 503, "out of memory");
	else
		http_suspend(request);
}
