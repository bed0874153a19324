/* One upload at a time to a receiver within the process, by the lane's timers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/http_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/family.h>
#include <meterloom/setting.h>

#include "meter/receiver.h"

enum phase { CONNECTING, SENDING, ANSWERING };
enum { COPIES_MAX = 7 };

struct http_inside {
	struct ml_node *node;
	void (*done)(void *user, const struct http_answer *answer);
	void *user;
	const struct meter_receivers *receivers; /* NULL: there are none */
	struct ml_timer timer;
	bool busy;
	enum phase phase;
	bool in_time; /* the phase ends before its timeout */
	ml_time began, send_timeout, answer_timeout;
	struct meter_upload upload;
	struct meter_fate fate;
	char *copies[COPIES_MAX]; /* the upload's texts; owned */
	size_t copy_count;
};

static void clear(struct http_inside *inside)
{
	ml_timer_stop(&inside->timer);
	for (size_t i = 0; i < inside->copy_count; i++) {
		ml_wipe(inside->copies[i], strlen(inside->copies[i]));
		free(inside->copies[i]);
	}
	inside->copy_count = 0;
	inside->busy = false;
}

static void finish(struct http_inside *inside, struct http_answer *answer)
{
	answer->took = ml_node_now(inside->node) - inside->began;
	clear(inside);
	inside->done(inside->user, answer);
}

static void fail(struct http_inside *inside, const char *reason)
{
	struct http_answer answer = {.result = HTTP_FAILED};
	(void)snprintf(answer.reason, sizeof answer.reason, "%s", reason);
	finish(inside, &answer);
}

static void enter(struct http_inside *inside, enum phase phase, ml_time takes, ml_time timeout)
{
	const ml_time now = ml_node_now(inside->node);
	inside->phase = phase;
	inside->in_time = takes != ML_NEVER && (timeout < 0 || takes <= timeout);
	if (inside->in_time)
		ml_timer_start(&inside->timer, now + takes);
	else if (timeout >= 0)
		ml_timer_start(&inside->timer, now + timeout);
}

static void answered(struct http_inside *inside)
{
	const struct meter_fate *fate = &inside->fate;
	struct http_answer answer = {
		.result = http_judge(fate->status),
		.status = fate->status,
		.retry_after = (ml_time)fate->retry_after * ML_SEC,
	};
	(void)snprintf(answer.reason, sizeof answer.reason, "HTTP %d%s%s", fate->status,
		fate->text[0] ? ": " : "", fate->text);
	finish(inside, &answer);
}

static void fire(struct ml_timer *timer)
{
	struct http_inside *inside = timer->user;
	if (!inside->in_time) {
		fail(inside, http_waits(inside->phase));
		return;
	}
	switch (inside->phase) {
	case CONNECTING:
		if (inside->fate.refused)
			fail(inside, "could not connect: connection refused");
		else
			enter(inside, SENDING, inside->fate.send, inside->send_timeout);
		return;
	case SENDING:
		inside->receivers->received(
			inside->receivers->user, &inside->upload, &inside->fate);
		enter(inside, ANSWERING, inside->fate.answer, inside->answer_timeout);
		return;
	case ANSWERING:
	default:
		if (inside->fate.closed)
			fail(inside, "the connection was closed before an answer came");
		else
			answered(inside);
		return;
	}
}

/* false: out of memory. */
static bool copy(struct http_inside *inside, const char *text, const char **ret_copy)
{
	*ret_copy = NULL;
	if (!text)
		return true;
	char *made = strdup(text);
	if (!made)
		return false;
	inside->copies[inside->copy_count++] = made;
	*ret_copy = made;
	return true;
}

int http_inside_send(
	struct http_inside *inside, const struct http_request *request, struct ml_error *err)
{
	struct meter_upload *upload = &inside->upload;
	if (inside->busy)
		return ml_error_set(err, -EBUSY, "a report is being sent");
	if (!inside->receivers)
		return ml_error_set(err, -ENOTSUP,
			"this gateway has no head-end within: expected http or https");
	inside->busy = true;
	inside->began = ml_node_now(inside->node);
	inside->send_timeout = request->send_timeout;
	inside->answer_timeout = request->answer_timeout;
	*upload = (struct meter_upload){.size = request->size};
	if (!copy(inside, request->url, &upload->url) ||
		!copy(inside, request->path, &upload->path) ||
		!copy(inside, request->content_type, &upload->content_type) ||
		!copy(inside, request->filename, &upload->filename) ||
		!copy(inside, request->key, &upload->key) ||
		!copy(inside, request->user, &upload->user) ||
		!copy(inside, request->password, &upload->password)) {
		clear(inside);
		return ml_error_set(err, -ENOMEM, "out of memory");
	}
	inside->fate = (struct meter_fate){0};
	inside->receivers->begin(inside->receivers->user, upload, &inside->fate);
	enter(inside, CONNECTING, inside->fate.connect, request->connect_timeout);
	return 0;
}

void http_inside_cancel(struct http_inside *inside)
{
	clear(inside);
}

bool http_inside_is(const char *url)
{
	return strncmp(url, "sim:", 4) == 0;
}

struct http_inside *http_inside_new(struct ml_node *node,
	void (*done)(void *user, const struct http_answer *answer), void *user)
{
	struct http_inside *inside = calloc(1, sizeof *inside);
	if (!inside)
		return NULL;
	inside->node = node;
	inside->done = done;
	inside->user = user;
	inside->receivers = ml_service(ml_node_engine(node), METER_RECEIVERS);
	ml_timer_init(&inside->timer, ml_node_lane(node), fire, inside);
	return inside;
}

void http_inside_free(struct http_inside *inside)
{
	if (!inside)
		return;
	clear(inside);
	free(inside);
}
