/* The head-end's HTTP server, on its lane's loop.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include <meterloom/engine.h>

#include "sim/head_end_private.h"

enum { IDLE_TIMEOUT = 60 /* s */, PATH_SIZE = 4096 };

struct head_end_request {
	struct head_end_request *next; /* of the delayed ones */
	struct MHD_Connection *connection;
	struct ml_buffer body;
	bool post, too_long, asked, answered;
	struct head_end_step step;
	ml_time due; /* of a delayed answer; 0: not delayed */
	struct head_end_report report;
};

static void run(struct head_end *h);

/* ---- Reports ---- */

static void copy_header(struct MHD_Connection *connection, const char *name, char *out)
{
	const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
	(void)snprintf(out, HEAD_END_NAME_MAX, "%s", value ? value : "");
}

/* A name that may be a file's. */
static void clean_name(const char *name, char *out, size_t size)
{
	size_t length = 0;
	for (; *name && length + 1 < size; name++) {
		const bool fine = (*name >= '0' && *name <= '9') ||
				  (*name >= 'A' && *name <= 'Z') ||
				  (*name >= 'a' && *name <= 'z') || *name == '_' || *name == '-' ||
				  (*name == '.' && length > 0);
		out[length++] = fine ? *name : '_';
	}
	out[length] = '\0';
}

static void write_file(struct head_end *h, const struct head_end_report *report)
{
	char name[HEAD_END_NAME_MAX];
	char path[PATH_SIZE];
	char part[PATH_SIZE];
	clean_name(report->filename[0] ? report->filename : "report", name, sizeof name);
	(void)snprintf(path, sizeof path, "%s/%06llu-%s", h->directory,
		(unsigned long long)report->number, name);
	const int length = snprintf(part, sizeof part, "%s.part", path);
	if (length < 0 || (size_t)length >= sizeof part)
		return;
	FILE *file = fopen(part, "wb");
	bool good = file && fwrite(report->body, 1, report->length, file) == report->length;
	if (file)
		good = fclose(file) == 0 && good;
	if (!good || rename(part, path) < 0) {
		ml_log(ml_engine_log(h->engine), ML_LOG_ERROR, "head-end",
			"%s cannot be written: %s", path, strerror(errno));
		(void)unlink(part);
	}
}

static bool is_accepted(unsigned status)
{
	return status >= 200 && status < 300;
}

/* The report came and its answer is decided. */
static void settle(struct head_end *h, struct head_end_request *request)
{
	struct head_end_report *report = &request->report;
	report->time = ml_clock_wall(h->clock);
	report->status = request->step.status;
	report->length = request->body.length;
	report->body = request->body.data ? request->body.data : calloc(1, 1);
	request->body = (struct ml_buffer){0};
	if (!report->body)
		return;
	pthread_mutex_lock(&h->lock);
	report->repeated = is_accepted(report->status) && head_end_knows(h, report->key);
	head_end_keep(h, report);
	pthread_mutex_unlock(&h->lock);
	/* Only this thread drops reports: the body stays while it is here. */
	if (h->directory && is_accepted(report->status) && !report->repeated)
		write_file(h, report);
	if (h->received)
		h->received(h->user_data, report);
}

/* ---- Answers ---- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
	void *bytes, size_t length, enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(length, bytes, mode);
	if (!response)
		return MHD_NO;
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	(void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	const enum MHD_Result result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_text(
	struct MHD_Connection *connection, unsigned status, const char *text)
{
	return answer(connection, status, "text/plain; charset=utf-8", (void *)(uintptr_t)text,
		strlen(text), MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result answer_buffer(
	struct MHD_Connection *connection, const char *type, struct ml_buffer *buffer)
{
	if (buffer->failed || !buffer->data) {
		ml_buffer_free(buffer);
		return answer_text(connection, 500, "out of memory\n");
	}
	return answer(connection, 200, type, buffer->data, buffer->length, MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result answer_report(
	struct head_end *h, struct MHD_Connection *connection, const char *number)
{
	char *end = NULL;
	struct head_end_report copy;
	const unsigned long long n = strtoull(number, &end, 10);
	if (end == number || *end != '\0' || !head_end_get(h, n, &copy))
		return answer_text(connection, 404, "there is no such report, or no longer\n");
	/* As plain text: what comes from a stranger is not run by a browser. */
	return answer(connection, 200, "text/plain", copy.body, copy.length, MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result answer_get(
	struct head_end *h, struct MHD_Connection *connection, const char *url)
{
	struct ml_buffer buffer = {0};
	const bool page = strcmp(url, "/") == 0;
	if (page || strcmp(url, "/reports") == 0) {
		pthread_mutex_lock(&h->lock);
		if (page)
			head_end_page(h, &buffer);
		else
			head_end_list(h, &buffer);
		pthread_mutex_unlock(&h->lock);
		return answer_buffer(connection,
			page ? "text/html; charset=utf-8" : "application/json", &buffer);
	}
	if (strncmp(url, "/reports/", 9) == 0)
		return answer_report(h, connection, url + 9);
	return answer_text(connection, 404, "reports are listed at / and at /reports\n");
}

static enum MHD_Result answer_step(
	struct MHD_Connection *connection, const struct head_end_step *step)
{
	char retry[16];
	static const char accepted[] = "accepted\n";
	static const char refused[] = "not now\n";
	const char *text = is_accepted(step->status) ? accepted : refused;
	if (step->status == HEAD_END_CLOSED)
		return MHD_NO;
	struct MHD_Response *response = MHD_create_response_from_buffer(
		strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	if (step->retry_after > 0) {
		(void)snprintf(retry, sizeof retry, "%u", step->retry_after);
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, retry);
	}
	if (step->status == 401)
		(void)MHD_add_response_header(
			response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Basic realm=\"head-end\"");
	const enum MHD_Result result = MHD_queue_response(connection, step->status, response);
	MHD_destroy_response(response);
	return result;
}

/* ---- Requests ---- */

static bool may_enter(struct head_end *h, struct MHD_Connection *connection)
{
	if (!h->user)
		return true;
	char *password = NULL;
	char *user = MHD_basic_auth_get_username_password(connection, &password);
	const bool right = user && password && strcmp(user, h->user) == 0 &&
			   strcmp(password, h->password ? h->password : "") == 0;
	if (user)
		MHD_free(user);
	if (password)
		MHD_free(password);
	return right;
}

static struct head_end_step decide(struct head_end *h, struct head_end_request *request)
{
	if (!may_enter(h, request->connection))
		return (struct head_end_step){.status = 401, .times = 1};
	if (request->too_long)
		return (struct head_end_step){.status = 413, .times = 1};
	pthread_mutex_lock(&h->lock);
	const struct head_end_step step = head_end_script_next(&h->script);
	pthread_mutex_unlock(&h->lock);
	return step;
}

static void delay(struct head_end *h, struct head_end_request *request)
{
	request->due = ml_clock_monotonic(h->clock) + request->step.delay;
	request->next = h->delayed;
	h->delayed = request;
	MHD_suspend_connection(request->connection);
}

static enum MHD_Result take_post(
	struct head_end *h, struct head_end_request *request, const char *bytes, size_t *length)
{
	if (*length > 0) {
		if (request->body.length + *length > HEAD_END_BODY_MAX)
			request->too_long = true;
		if (request->too_long)
			ml_buffer_free(&request->body);
		else
			ml_buffer_append(&request->body, bytes, *length);
		*length = 0;
		return MHD_YES;
	}
	if (!request->asked) {
		request->asked = true;
		request->step = decide(h, request);
		if (request->step.delay > 0) {
			delay(h, request);
			return MHD_YES;
		}
	}
	if (request->due > 0 && ml_clock_monotonic(h->clock) < request->due)
		return MHD_YES;
	if (!request->answered) {
		request->answered = true;
		settle(h, request);
	}
	return answer_step(request->connection, &request->step);
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *bytes, size_t *length, void **context)
{
	struct head_end *h = user;
	struct head_end_request *request = *context;
	(void)version;
	if (!request) {
		request = calloc(1, sizeof *request);
		if (!request)
			return MHD_NO;
		*context = request;
		request->connection = connection;
		request->post = strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0;
		(void)snprintf(request->report.path, sizeof request->report.path, "%s", url);
		copy_header(connection, "filename", request->report.filename);
		copy_header(connection, "Idempotency-Key", request->report.key);
		copy_header(connection, "Content-Type", request->report.type);
		return MHD_YES;
	}
	if (request->post)
		return take_post(h, request, bytes, length);
	if (strcmp(method, "GET") == 0)
		return answer_get(h, connection, url);
	return answer_text(connection, 405, "GET or POST is expected\n");
}

static void on_completed(void *user, struct MHD_Connection *connection, void **context,
	enum MHD_RequestTerminationCode code)
{
	struct head_end *h = user;
	struct head_end_request *request = *context;
	(void)connection;
	(void)code;
	if (!request)
		return;
	for (struct head_end_request **at = &h->delayed; *at; at = &(*at)->next) {
		if (*at == request) {
			*at = request->next;
			break;
		}
	}
	ml_buffer_free(&request->body);
	free(request);
	*context = NULL;
}

/* ---- The loop ---- */

/* Lets those go on whose time has come; when is the next one's. */
static ml_time wake_delayed(struct head_end *h)
{
	const ml_time now = ml_clock_monotonic(h->clock);
	ml_time next = ML_NEVER;
	for (struct head_end_request **at = &h->delayed; *at;) {
		struct head_end_request *request = *at;
		if (request->due > now) {
			next = request->due < next ? request->due : next;
			at = &request->next;
			continue;
		}
		*at = request->next;
		MHD_resume_connection(request->connection);
	}
	return next;
}

static void run(struct head_end *h)
{
	MHD_UNSIGNED_LONG_LONG timeout = 0;
	ml_time next = wake_delayed(h);
	(void)MHD_run(h->daemon);
	/* A delay that has just begun. */
	for (const struct head_end_request *at = h->delayed; at; at = at->next)
		next = at->due < next ? at->due : next;
	const ml_time now = ml_lane_now(h->lane);
	if (MHD_get_timeout(h->daemon, &timeout) == MHD_YES && timeout < 3600 * 1000 &&
		now + (ml_time)timeout * ML_MSEC < next)
		next = now + (ml_time)timeout * ML_MSEC;
	if (next == ML_NEVER)
		ml_timer_stop(&h->timer);
	else
		ml_timer_start(&h->timer, next);
}

static void on_timer(struct ml_timer *timer)
{
	run(timer->user);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
	(void)status;
	(void)events;
	run(handle->data);
}

static void on_poll_closed(uv_handle_t *handle)
{
	free(handle);
}

static int listen_address(const char *address, uint16_t port, struct sockaddr_storage *at)
{
	memset(at, 0, sizeof *at);
	struct sockaddr_in *v4 = (struct sockaddr_in *)at;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)at;
	if (uv_ip4_addr(address, port, v4) == 0)
		return 0;
	return uv_ip6_addr(address, port, v6) == 0 ? MHD_USE_IPv6 : -EINVAL;
}

int head_end_open(struct head_end *h, const char *address, uint16_t port, struct ml_error *err)
{
	struct sockaddr_storage at;
	const int v6 = listen_address(address, port, &at);
	if (v6 < 0)
		return ml_error_set(
			err, -EINVAL, "'%s' is no address: expected 127.0.0.1 or such", address);
	ml_timer_init(&h->timer, h->lane, on_timer, h);
	h->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (unsigned)v6, port,
		NULL, NULL, on_request, h, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&at,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)IDLE_TIMEOUT, MHD_OPTION_END);
	if (!h->daemon)
		return ml_error_set(err, -EADDRINUSE,
			"%s:%u cannot be listened on: is another program there already?", address,
			port);
	h->port = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
	const int epoll = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	h->poll = calloc(1, sizeof *h->poll);
	if (!h->poll || uv_poll_init(ml_lane_loop(h->lane), h->poll, epoll) < 0) {
		free(h->poll);
		h->poll = NULL;
		MHD_stop_daemon(h->daemon);
		return ml_error_set(err, -ENOMEM, "out of memory");
	}
	h->poll->data = h;
	(void)uv_poll_start(h->poll, UV_READABLE, on_poll);
	run(h);
	return 0;
}

void head_end_close(struct head_end *h)
{
	ml_timer_stop(&h->timer);
	(void)uv_poll_stop(h->poll);
	uv_close((uv_handle_t *)h->poll, on_poll_closed);
	/* A server may not stop while a connection rests. */
	while (h->delayed) {
		struct head_end_request *request = h->delayed;
		h->delayed = request->next;
		MHD_resume_connection(request->connection);
	}
	MHD_stop_daemon(h->daemon);
}
