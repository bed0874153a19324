/* One HTTP upload at a time, by libcurl on a lane's loop.
 * SPDX-License-Identifier: Apache-2.0
 *
 * libcurl tells which sockets it waits for (libuv polls them) and when it wants to be called (a
 * timer of the lane). A transfer goes through three phases, each with a timeout of its own:
 * connecting until the first byte of the file is asked for, sending until the last one was taken,
 * and the answer. Redirects are followed here and not by libcurl, so that no other host gets the
 * report, or the password, unless that is wanted.
 */
#include "report/http_transfer.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uv.h>

#include <meterloom/setting.h>

#include "report/http_inside.h"

enum phase { CONNECTING, SENDING, ANSWERING };

struct http_client {
	struct ml_node *node;
	void (*done)(void *user, const struct http_answer *answer);
	void *user;
	uv_loop_t *loop;
	CURLM *multi; /* NULL: simulated time, there is no network */
	struct http_inside *inside;
	struct ml_timer curl_timer; /* when libcurl wants to be called */
	struct ml_timer phase_timer;
	struct ml_timer done_timer; /* `done` is called from here, never from within a call */

	CURL *easy; /* NULL: idle */
	struct curl_slist *headers;
	FILE *file;
	uint64_t size, sent;
	char *url, *user_name, *password;
	bool other_hosts;
	unsigned redirects;
	enum phase phase;
	bool timed_out;
	ml_time send_timeout, answer_timeout, began;
	char error[CURL_ERROR_SIZE];
	char body[HTTP_REASON_MAX]; /* the beginning of the answer */
	size_t body_length, body_total;
	struct http_answer answer;
};

struct watch {
	uv_poll_t poll; /* first: freed by its close callback */
	struct http_client *client;
	curl_socket_t socket;
};

/* ---- libcurl on the loop ---- */

static void reap(struct http_client *client);

static void act(struct http_client *client, curl_socket_t socket, int events)
{
	int running = 0;
	(void)curl_multi_socket_action(client->multi, socket, events, &running);
	reap(client);
}

static void watch_ready(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = (struct watch *)poll;
	/* libcurl takes an error that it is told of as such, without a reason and without another
	 * try. Reading and writing tell it the reason (mostly a reset), and where a connection kept
	 * open was closed meanwhile it sends on a new one. */
	if (status < 0)
		events = UV_READABLE | UV_WRITABLE;
	int flags = events & UV_READABLE ? CURL_CSELECT_IN : 0;
	flags |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
	act(watch->client, watch->socket, flags);
}

static void watch_closed(uv_handle_t *handle)
{
	free(handle);
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *user, void *socket_user)
{
	(void)easy;
	struct http_client *client = user;
	struct watch *watch = socket_user;
	if (what == CURL_POLL_REMOVE) {
		if (watch) {
			(void)curl_multi_assign(client->multi, socket, NULL);
			(void)uv_poll_stop(&watch->poll);
			uv_close((uv_handle_t *)&watch->poll, watch_closed);
		}
		return 0;
	}
	if (!watch) {
		watch = calloc(1, sizeof *watch);
		if (!watch)
			return -1;
		watch->client = client;
		watch->socket = socket;
		if (uv_poll_init_socket(client->loop, &watch->poll, socket) != 0) {
			free(watch);
			return -1;
		}
		(void)curl_multi_assign(client->multi, socket, watch);
	}
	int events = what & CURL_POLL_IN ? UV_READABLE : 0;
	events |= what & CURL_POLL_OUT ? UV_WRITABLE : 0;
	return uv_poll_start(&watch->poll, events, watch_ready) == 0 ? 0 : -1;
}

static int on_timer(CURLM *multi, long timeout, void *user)
{
	(void)multi;
	struct http_client *client = user;
	if (timeout < 0)
		ml_timer_stop(&client->curl_timer);
	else
		ml_timer_start(&client->curl_timer, ml_node_now(client->node) + timeout * ML_MSEC);
	return 0;
}

static void curl_timer_fire(struct ml_timer *timer)
{
	act(timer->user, CURL_SOCKET_TIMEOUT, 0);
}

/* ---- Phases ---- */

static void enter(struct http_client *client, enum phase phase)
{
	client->phase = phase;
	const ml_time timeout = phase == SENDING     ? client->send_timeout
				: phase == ANSWERING ? client->answer_timeout
						     : -1;
	if (timeout < 0)
		ml_timer_stop(&client->phase_timer); /* libcurl itself ends the connecting */
	else
		ml_timer_start(&client->phase_timer, ml_node_now(client->node) + timeout);
}

static size_t on_read(char *buffer, size_t size, size_t count, void *user)
{
	struct http_client *client = user;
	if (client->phase == CONNECTING)
		enter(client, SENDING);
	const size_t length = fread(buffer, 1, size * count, client->file);
	if (ferror(client->file))
		return CURL_READFUNC_ABORT;
	client->sent += length;
	if (client->sent >= client->size)
		enter(client, ANSWERING);
	return length;
}

/* libcurl begins again where a connection kept open turns out to be closed. */
static int on_seek(void *user, curl_off_t offset, int origin)
{
	struct http_client *client = user;
	if (fseeko(client->file, offset, origin) != 0)
		return CURL_SEEKFUNC_FAIL;
	client->sent = (uint64_t)ftello(client->file);
	enter(client, SENDING);
	return CURL_SEEKFUNC_OK;
}

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
	struct http_client *client = user;
	const size_t length = size * count;
	const size_t room = sizeof client->body - 1 - client->body_length;
	const size_t taken = length < room ? length : room;
	memcpy(client->body + client->body_length, data, taken);
	client->body_length += taken;
	client->body_total += length;
	return client->body_total > HTTP_BODY_MAX ? 0 : length;
}

/* ---- The end of a transfer ---- */

/* The answer's beginning as one line of plain text. */
static void tidy(char *text)
{
	char *to = text;
	for (const char *from = text; *from; from++) {
		const unsigned char c = (unsigned char)*from;
		const char plain = c < 0x20 || c == 0x7F ? ' ' : *from;
		if (plain != ' ' || (to > text && to[-1] != ' '))
			*to++ = plain;
	}
	while (to > text && to[-1] == ' ')
		to--;
	*to = '\0';
}

static void clear(struct http_client *client)
{
	ml_timer_stop(&client->phase_timer);
	if (client->easy) {
		(void)curl_multi_remove_handle(client->multi, client->easy);
		curl_easy_cleanup(client->easy);
		client->easy = NULL;
	}
	curl_slist_free_all(client->headers);
	client->headers = NULL;
	if (client->file)
		(void)fclose(client->file);
	client->file = NULL;
	free(client->url);
	free(client->user_name);
	if (client->password) {
		ml_wipe(client->password, strlen(client->password));
		free(client->password);
	}
	client->url = client->user_name = client->password = NULL;
}

static void done_fire(struct ml_timer *timer)
{
	struct http_client *client = timer->user;
	const struct http_answer answer = client->answer;
	client->done(client->user, &answer);
}

static void finish(struct http_client *client, enum http_result result)
{
	client->answer.result = result;
	client->answer.took = ml_node_now(client->node) - client->began;
	clear(client);
	ml_timer_start(&client->done_timer, ml_node_now(client->node));
}

const char *http_waits(unsigned phase)
{
	static const char *const waits[] = {
		[CONNECTING] = "could not connect in time",
		[SENDING] = "the report could not be sent in time",
		[ANSWERING] = "no answer came in time",
	};
	return waits[phase];
}

enum http_result http_judge(long status)
{
	if (status >= 200 && status < 300)
		return HTTP_DELIVERED;
	if (status == 408 || status == 429 || status >= 500 || status < 200)
		return HTTP_FAILED;
	return HTTP_REFUSED;
}

static void judge_failure(struct http_client *client, CURLcode code)
{
	struct http_answer *answer = &client->answer;
	if (client->timed_out || code == CURLE_OPERATION_TIMEDOUT)
		(void)snprintf(
			answer->reason, sizeof answer->reason, "%s", http_waits(client->phase));
	else
		(void)snprintf(answer->reason, sizeof answer->reason, "%s",
			client->error[0] ? client->error : curl_easy_strerror(code));
	tidy(answer->reason);
	finish(client, HTTP_FAILED);
}

static void judge_status(struct http_client *client, long status)
{
	struct http_answer *answer = &client->answer;
	answer->status = (int)status;
	client->body[client->body_length] = '\0';
	tidy(client->body);
	(void)snprintf(answer->reason, sizeof answer->reason, "HTTP %ld%s%s", status,
		client->body[0] ? ": " : "", client->body);
	curl_off_t after = 0;
	if (curl_easy_getinfo(client->easy, CURLINFO_RETRY_AFTER, &after) == CURLE_OK && after > 0)
		answer->retry_after = (after < 86400 ? after : 86400) * ML_SEC;
	finish(client, http_judge(status));
}

/* Whether both URLs lead to the same host and port by the same scheme. */
static bool same_origin(const char *a, const char *b)
{
	static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
	CURLU *first = curl_url();
	CURLU *second = curl_url();
	bool same = first && second && curl_url_set(first, CURLUPART_URL, a, 0) == CURLUE_OK &&
		    curl_url_set(second, CURLUPART_URL, b, 0) == CURLUE_OK;
	for (size_t i = 0; same && i < sizeof parts / sizeof *parts; i++) {
		char *x = NULL;
		char *y = NULL;
		same = curl_url_get(first, parts[i], &x, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		       curl_url_get(second, parts[i], &y, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		       strcasecmp(x, y) == 0;
		curl_free(x);
		curl_free(y);
	}
	curl_url_cleanup(first);
	curl_url_cleanup(second);
	return same;
}

static bool send_again(struct http_client *client)
{
	(void)curl_multi_remove_handle(client->multi, client->easy);
	client->sent = 0;
	client->body_length = client->body_total = 0;
	client->error[0] = '\0';
	enter(client, client->size ? CONNECTING : ANSWERING);
	return fseeko(client->file, 0, SEEK_SET) == 0 &&
	       curl_multi_add_handle(client->multi, client->easy) == CURLM_OK;
}

/* The server closed a connection kept open in the moment in which it was used. libcurl goes on with
 * a new one by itself where it reads that, but not where it is still sending. */
static bool was_closed_meanwhile(struct http_client *client, CURLcode code, long status)
{
	long connects = 1;
	(void)curl_easy_getinfo(client->easy, CURLINFO_NUM_CONNECTS, &connects);
	return code == CURLE_SEND_ERROR && status == 0 && connects == 0 && !client->timed_out &&
	       curl_easy_setopt(client->easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK;
}

/* Sends the report to where a redirect points; false: the redirect is not followed, with the
 * reason. */
static bool follow(struct http_client *client, long status)
{
	char *to = NULL;
	(void)curl_easy_getinfo(client->easy, CURLINFO_REDIRECT_URL, &to);
	struct http_answer *answer = &client->answer;
	answer->status = (int)status;
	char shown[160];
	http_url_public(to ? to : "", shown, sizeof shown);
	const bool same = to && same_origin(client->url, to);
	const bool downgrade = to && strncasecmp(client->url, "https:", 6) == 0 &&
			       strncasecmp(to, "https:", 6) != 0;
	if (!to || status == 303 || http_url_check(to, NULL) != 0)
		(void)snprintf(answer->reason, sizeof answer->reason,
			"HTTP %ld: a redirect that a report cannot follow", status);
	else if (downgrade)
		(void)snprintf(answer->reason, sizeof answer->reason,
			"HTTP %ld redirects to %s, which is not encrypted", status, shown);
	else if (!same && !client->other_hosts)
		(void)snprintf(answer->reason, sizeof answer->reason,
			"HTTP %ld redirects to another host, %s: set that as the url, or allow it "
			"with "
			"'other_hosts'",
			status, shown);
	else if (client->redirects++ >= HTTP_REDIRECTS_MAX)
		(void)snprintf(answer->reason, sizeof answer->reason,
			"more than %d redirects, the last one to %s", HTTP_REDIRECTS_MAX, shown);
	else {
		char *url = strdup(to);
		if (!url)
			return false;
		if (!same) { /* what was meant for one host is not shown to another, now or later */
			curl_easy_setopt(client->easy, CURLOPT_USERNAME, NULL);
			curl_easy_setopt(client->easy, CURLOPT_PASSWORD, NULL);
		}
		free(client->url);
		client->url = url;
		return curl_easy_setopt(client->easy, CURLOPT_URL, url) == CURLE_OK &&
		       send_again(client);
	}
	return false;
}

static void reap(struct http_client *client)
{
	int left = 0;
	CURLMsg *message = NULL;
	while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
		if (message->msg != CURLMSG_DONE || message->easy_handle != client->easy)
			continue;
		const CURLcode code = message->data.result;
		long status = 0;
		(void)curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status);
		/* An answer that was cut off, or that came before all was sent, is an answer. */
		const bool cut = client->body_total > HTTP_BODY_MAX;
		if (was_closed_meanwhile(client, code, status) && send_again(client))
			return;
		if ((code != CURLE_OK && !cut && status < 400) || status == 0)
			judge_failure(client, code);
		else if (status >= 300 && status < 400 && status != 304) {
			if (!follow(client, status))
				finish(client, HTTP_REFUSED);
		} else
			judge_status(client, status);
		return;
	}
}

static void phase_fire(struct ml_timer *timer)
{
	struct http_client *client = timer->user;
	client->timed_out = true;
	judge_failure(client, CURLE_OPERATION_TIMEDOUT);
}

/* ---- The beginning of a transfer ---- */

static int add_header(struct http_client *client, const char *name, const char *value)
{
	char line[512];
	const int length = snprintf(line, sizeof line, "%s: %s", name, value);
	for (char *c = line; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7F)
			*c = '_'; /* no header within a header */
	}
	if (length < 0 || (size_t)length >= sizeof line)
		return -ENOBUFS;
	struct curl_slist *list = curl_slist_append(client->headers, line);
	if (!list)
		return -ENOMEM;
	client->headers = list;
	return 0;
}

static int set_headers(struct http_client *client, const struct http_request *request)
{
	int r = add_header(client, "Content-Type", request->content_type);
	if (r == 0)
		r = add_header(client, "filename", request->filename);
	if (r == 0)
		r = add_header(client, "Idempotency-Key", request->key);
	if (r == 0 && request->test)
		r = add_header(client, "Report-Test", "true");
	if (r == 0) { /* no waiting for "100 Continue", which small servers do not send */
		struct curl_slist *list = curl_slist_append(client->headers, "Expect:");
		r = list ? 0 : -ENOMEM;
		client->headers = list ? list : client->headers;
	}
	return r;
}

static int set_up(struct http_client *client, const struct http_request *request)
{
	CURL *easy = client->easy;
	bool ok = true;
#define SET(option, value) (ok = curl_easy_setopt(easy, option, value) == CURLE_OK && ok)
	SET(CURLOPT_URL, client->url);
#if LIBCURL_VERSION_NUM >= 0x075500
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
	SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->size);
	SET(CURLOPT_READFUNCTION, on_read);
	SET(CURLOPT_READDATA, client);
	SET(CURLOPT_SEEKFUNCTION, on_seek);
	SET(CURLOPT_SEEKDATA, client);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, client);
	SET(CURLOPT_HTTPHEADER, client->headers);
	SET(CURLOPT_USERAGENT, "Meterloom");
	SET(CURLOPT_ERRORBUFFER, client->error);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, request->proxy ? request->proxy : "");
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* 0 is libcurl's own default of 300 s: "none" is said by a very long one. */
	SET(CURLOPT_CONNECTTIMEOUT_MS, request->connect_timeout < 0
					       ? 0x7FFFFFFFL
					       : (long)(request->connect_timeout / ML_MSEC));
#if LIBCURL_VERSION_NUM >= 0x075700
	SET(CURLOPT_QUICK_EXIT, 1L); /* giving up does not wait for a slow name server */
#endif
	if (request->ca_file)
		SET(CURLOPT_CAINFO, request->ca_file);
	if (client->user_name) {
		SET(CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
		SET(CURLOPT_USERNAME, client->user_name);
		SET(CURLOPT_PASSWORD, client->password);
	}
#undef SET
	return ok ? 0 : -ENOMEM;
}

int http_client_send(
	struct http_client *client, const struct http_request *request, struct ml_error *err)
{
	if (!client->multi || http_inside_is(request->url))
		return http_inside_send(client->inside, request, err);
	if (client->easy)
		return ml_error_set(err, -EBUSY, "a report is being sent");
	client->file = fopen(request->path, "rbe");
	if (!client->file)
		return ml_error_set(
			err, -errno, "the report's file %s: %s", request->path, strerror(errno));
	client->size = request->size;
	client->sent = 0;
	client->redirects = 0;
	client->timed_out = false;
	client->error[0] = '\0';
	client->body_length = client->body_total = 0;
	client->answer = (struct http_answer){0};
	client->send_timeout = request->send_timeout;
	client->answer_timeout = request->answer_timeout;
	client->other_hosts = request->other_hosts;
	client->began = ml_node_now(client->node);
	client->url = strdup(request->url);
	if (request->user) {
		client->user_name = strdup(request->user);
		client->password = strdup(request->password ? request->password : "");
	}
	client->easy = curl_easy_init();
	int r = client->easy && client->url &&
				(!request->user || (client->user_name && client->password))
			? set_headers(client, request)
			: -ENOMEM;
	if (r == 0)
		r = set_up(client, request);
	if (r == 0) {
		enter(client, request->size ? CONNECTING : ANSWERING);
		r = curl_multi_add_handle(client->multi, client->easy) == CURLM_OK ? 0 : -ENOMEM;
	}
	if (r != 0) {
		clear(client);
		return ml_error_set(err, r,
			r == -ENOBUFS ? "a header of the report is too long" : "out of memory");
	}
	return 0;
}

void http_client_cancel(struct http_client *client)
{
	http_inside_cancel(client->inside);
	if (!client->multi)
		return;
	ml_timer_stop(&client->done_timer);
	clear(client);
}

int http_client_new(struct ml_node *node,
	void (*done)(void *user, const struct http_answer *answer), void *user,
	struct http_client **ret_client, struct ml_error *err)
{
	*ret_client = NULL;
	struct http_client *client = calloc(1, sizeof *client);
	if (!client)
		return ml_error_set(err, -ENOMEM, "out of memory");
	client->node = node;
	client->done = done;
	client->user = user;
	client->loop = ml_node_loop(node);
	client->inside = http_inside_new(node, done, user);
	client->multi = client->loop ? curl_multi_init() : NULL;
	if (!client->inside || (client->loop && !client->multi)) {
		http_inside_free(client->inside);
		free(client);
		return ml_error_set(err, -ENOMEM, "out of memory");
	}
	*ret_client = client;
	if (!client->multi)
		return 0;
	ml_timer_init(&client->curl_timer, ml_node_lane(node), curl_timer_fire, client);
	ml_timer_init(&client->phase_timer, ml_node_lane(node), phase_fire, client);
	ml_timer_init(&client->done_timer, ml_node_lane(node), done_fire, client);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, 1L);
	return 0;
}

void http_client_free(struct http_client *client)
{
	if (!client)
		return;
	http_client_cancel(client);
	http_inside_free(client->inside);
	if (client->multi) {
		(void)curl_multi_cleanup(client->multi);
		ml_timer_stop(&client->curl_timer);
	}
	free(client);
}
