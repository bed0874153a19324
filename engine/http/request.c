/* A request: its guard, its body, and its answer on the way out.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <meterloom/setting.h>

#include "http/guard.h"
#include "http/rpc.h"
#include "http/server.h"

enum { SMALL_BODY = 64 * 1024 }; /* always taken, whatever others send at the time */

/* ---- Headers ---- */

const char *http_header(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

struct counting {
	const char *name;
	size_t count;
};

static enum MHD_Result count_header(
	void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct counting *counting = cls;
	(void)kind;
	(void)value;
	counting->count += strcasecmp(key, counting->name) == 0;
	return MHD_YES;
}

static size_t header_count(const struct http_request *request, const char *name)
{
	struct counting counting = {.name = name};
	(void)MHD_get_connection_values(
		request->connection, MHD_HEADER_KIND, count_header, &counting);
	return counting.count;
}

/* ---- Guard ---- */

static bool is_safe(const struct http_request *request)
{
	return strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
}

/* A browser says where a page comes from that asks. Programs say nothing and are let through: they
 * run on this machine. */
static bool guard(struct http_request *request)
{
	const char *host = http_header(request, "Host");
	const char *origin = http_header(request, "Origin");
	const char *site = http_header(request, "Sec-Fetch-Site");
	if (header_count(request, "Host") != 1 || !http_host_is_loopback(host)) {
		http_reply_problem(request, 403,
			"the Host header names another machine: expected 127.0.0.1, [::1] or "
			"localhost");
		return false;
	}
	const bool foreign =
		site && strcasecmp(site, "same-origin") != 0 && strcasecmp(site, "none") != 0;
	if ((origin && !http_origin_is_ours(origin, host)) || (foreign && !is_safe(request))) {
		http_reply_problem(
			request, 403, "the request comes from a web page of another origin");
		return false;
	}
	return true;
}

/* ---- Body ---- */

/* Whether the head says something about a body that we take. */
static bool check_head(struct http_request *request)
{
	const char *length_text = http_header(request, "Content-Length");
	if (http_header(request, "Transfer-Encoding")) {
		http_reply_problem(request, 411,
			"send the body with a Content-Length, not in chunks: at most %zu bytes are "
			"taken",
			request->http->limits.body);
		return false;
	}
	if (!length_text)
		return true;
	errno = 0;
	const unsigned long long length = strtoull(length_text, NULL, 10);
	if (header_count(request, "Content-Length") != 1 ||
		strspn(length_text, "0123456789") != strlen(length_text)) {
		http_reply_problem(request, 400, "the Content-Length is not one number");
		return false;
	}
	if (errno == ERANGE || length > request->http->limits.body) {
		http_reply_problem(request, 413, "the body has %s bytes: at most %zu are taken",
			length_text, request->http->limits.body);
		return false;
	}
	if (length > 0 && !http_route_takes_body(request->route)) {
		http_reply_problem(request, 400, "no body is expected here");
		return false;
	}
	if (length > 0 && !http_type_is_json(http_header(request, "Content-Type"))) {
		http_reply_problem(request, 415, "expected Content-Type: application/json");
		return false;
	}
	return true;
}

static void take_body(struct http_request *request, const char *bytes, size_t length)
{
	struct ml_http *http = request->http;
	if (request->body_refused)
		return;
	const bool small = request->body.length + length <= SMALL_BODY;
	if (!small && http->body_bytes + length > http->limits.bodies) {
		request->body_refused = true;
		return;
	}
	const size_t before = request->body.length;
	ml_buffer_append(&request->body, bytes, length);
	http->body_bytes += request->body.length - before;
	request->body_refused = request->body.failed;
}

static void free_body(struct http_request *request)
{
	request->http->body_bytes -= request->body.length;
	if (request->body.data)
		ml_wipe(request->body.data, request->body.length); /* it may hold a secret */
	ml_buffer_free(&request->body);
}

/* ---- Life ---- */

static struct http_request *request_new(struct ml_http *http, struct MHD_Connection *connection,
	const char *url, const char *method)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct http_request *request = calloc(1, sizeof *request);
	if (!request || !info || !info->socket_context) {
		free(request);
		return NULL;
	}
	request->http = http;
	request->link = info->socket_context;
	request->connection = connection;
	request->method = method;
	request->path = strdup(url);
	request->body.limit = http->limits.body;
	if (!request->path) {
		free(request);
		return NULL;
	}
	request->next = http->requests;
	if (request->next)
		request->next->prev = request;
	http->requests = request;
	return request;
}

static void request_free(struct http_request *request)
{
	struct ml_http *http = request->http;
	*(request->prev ? &request->prev->next : &http->requests) = request->next;
	if (request->next)
		request->next->prev = request->prev;
	if (request->job)
		ml_command_forget(http->engine, request->job);
	free_body(request);
	http->reply_bytes -= request->reply_counted;
	ml_buffer_free(&request->reply);
	if (request->has_file)
		(void)close(request->file);
	http_rpc_free(request->rpc);
	http_pages_free(request->pages);
	free(request->argument);
	free(request->path);
	free(request);
}

void http_completed(void *cls, struct MHD_Connection *connection, void **request_cls,
	enum MHD_RequestTerminationCode code)
{
	struct http_request *request = *request_cls;
	(void)cls;
	(void)connection;
	(void)code;
	if (!request)
		return;
	http_phase(request->link, HTTP_IDLE);
	request_free(request);
	*request_cls = NULL;
}

void http_suspend(struct http_request *request)
{
	request->suspended = true;
	http_phase(request->link, HTTP_WORKING);
	MHD_suspend_connection(request->connection);
}

void http_resume(struct http_request *request)
{
	if (!request->suspended)
		return;
	request->suspended = false;
	MHD_resume_connection(request->connection);
	http_turn(request->http);
}

void http_abandon(struct ml_http *http)
{
	for (struct http_request *request = http->requests; request; request = request->next) {
		if (request->job)
			ml_command_forget(http->engine, request->job);
		request->job = 0;
		http_rpc_free(request->rpc);
		request->rpc = NULL;
		if (request->pages && request->answered)
			http_pages_abandon(request->pages);
		if (!request->suspended || request->stream)
			continue;
		http_reply_problem(request, 503, "the gateway ends");
		http_resume(request);
	}
}

/* ---- Answer ---- */

static void add_headers(const struct http_request *request, struct MHD_Response *response)
{
	(void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	(void)MHD_add_response_header(response, "X-Frame-Options", "DENY");
	(void)MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	if (request->type)
		(void)MHD_add_response_header(response, "Content-Type", request->type);
	bool cached = false;
	for (size_t i = 0; i < request->header_count; i++) {
		cached |= strcmp(request->headers[i].name, "Cache-Control") == 0;
		(void)MHD_add_response_header(
			response, request->headers[i].name, request->headers[i].value);
	}
	if (!cached)
		(void)MHD_add_response_header(response, "Cache-Control", "no-store");
}

/* The response closes the file. */
static struct MHD_Response *http_file_response(struct http_request *request)
{
	struct MHD_Response *response =
		MHD_create_response_from_fd64(request->file_size, request->file);
	if (response)
		request->has_file = false;
	return response;
}

static enum MHD_Result send_answer(struct http_request *request)
{
	struct MHD_Response *response = NULL;
	if (request->stream)
		response = http_stream_response(request);
	else if (request->has_file)
		response = http_file_response(request);
	else if (request->pages && request->status == 200)
		response = http_pages_response(request);
	else if (request->fixed)
		response = MHD_create_response_from_buffer(request->fixed_length,
			(void *)(uintptr_t)request->fixed, MHD_RESPMEM_PERSISTENT);
	else
		response = MHD_create_response_from_buffer(
			request->reply.length, request->reply.data, MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	add_headers(request, response);
	http_phase(request->link, request->stream ? HTTP_STREAMING : HTTP_SENDING);
	const enum MHD_Result result =
		MHD_queue_response(request->connection, (unsigned)request->status, response);
	MHD_destroy_response(response);
	return result;
}

/* The first call: the head is there. An answer at this point is sent without reading the body. */
static enum MHD_Result begin(struct http_request *request)
{
	http_phase(request->link, HTTP_READING);
	if (guard(request)) {
		http_route_find(request);
		if (!request->answered)
			(void)check_head(request);
	}
	return request->answered ? send_answer(request) : MHD_YES;
}

enum MHD_Result http_access(void *cls, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size,
	void **request_cls)
{
	struct http_request *request = *request_cls;
	(void)version;
	if (!request) {
		request = request_new(cls, connection, url, method);
		*request_cls = request;
		return request ? begin(request) : MHD_NO;
	}
	if (*upload_size > 0) {
		take_body(request, upload, *upload_size);
		*upload_size = 0;
		return MHD_YES;
	}
	if (!request->dispatched) {
		request->dispatched = true;
		if (request->body_refused) {
			http_reply_header(request, "Retry-After", "5");
			http_reply_problem(
				request, 503, "too much is being sent at once: try again later");
		} else {
			http_dispatch(request);
		}
		free_body(request);
	}
	return request->answered ? send_answer(request) : MHD_YES;
}
