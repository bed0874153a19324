/* Answers: results, and texts about what is wrong (RFC 9457).
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "command/job.h"
#include "http/server.h"

static const char problem_type[] = "application/problem+json";

int http_status_of(int code)
{
	switch (-code) {
	case 0:
		return 200;
	case ENOENT:
		return 404;
	case EACCES:
	case EPERM:
		return 403;
	case EEXIST:
	case ESTALE:
	case EBUSY:
	case EALREADY:
	case ECANCELED:
		return 409;
	case EINVAL:
	case ERANGE:
	case EBADMSG:
	case ENOTSUP:
	case E2BIG:
		return 422;
	case ETIMEDOUT:
		return 504;
	case EAGAIN:
	case ENOMEM:
		return 503;
	case ENOSPC:
		return 507;
	default:
		return 500;
	}
}

const char *http_code_name(int code)
{
	static const struct {
		int code;
		const char *name;
	} names[] = {{-ENOENT, "ENOENT"}, {-EACCES, "EACCES"}, {-EPERM, "EPERM"},
		{-EEXIST, "EEXIST"}, {-ESTALE, "ESTALE"}, {-EBUSY, "EBUSY"},
		{-EALREADY, "EALREADY"}, {-ECANCELED, "ECANCELED"}, {-EINVAL, "EINVAL"},
		{-ERANGE, "ERANGE"}, {-EBADMSG, "EBADMSG"}, {-ENOTSUP, "ENOTSUP"},
		{-E2BIG, "E2BIG"}, {-ETIMEDOUT, "ETIMEDOUT"}, {-EAGAIN, "EAGAIN"},
		{-ENOMEM, "ENOMEM"}, {-ENOSPC, "ENOSPC"}};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (names[i].code == code)
			return names[i].name;
	}
	return "EIO";
}

static const char *title_of(int status)
{
	static const struct {
		int status;
		const char *title;
	} titles[] = {{400, "Bad Request"}, {403, "Forbidden"}, {404, "Not Found"},
		{405, "Method Not Allowed"}, {409, "Conflict"}, {411, "Length Required"},
		{413, "Content Too Large"}, {415, "Unsupported Media Type"},
		{422, "Unprocessable Content"}, {428, "Precondition Required"},
		{503, "Service Unavailable"}, {504, "Gateway Timeout"},
		{507, "Insufficient Storage"}};
	for (size_t i = 0; i < sizeof titles / sizeof *titles; i++) {
		if (titles[i].status == status)
			return titles[i].title;
	}
	return "Internal Server Error";
}

void http_reply_header(struct http_request *request, const char *name, const char *format, ...)
{
	if (request->header_count == HTTP_HEADERS_MAX)
		return;
	va_list args;
	va_start(args, format);
	request->headers[request->header_count].name = name;
	(void)vsnprintf(request->headers[request->header_count].value,
		sizeof request->headers[0].value, format, args);
	va_end(args);
	request->header_count++;
}

static void settle(struct http_request *request, int status, const char *type)
{
	request->answered = true;
	request->status = status;
	request->type = type;
}

void http_reply_empty(struct http_request *request, int status)
{
	if (!request->answered)
		settle(request, status, NULL);
}

void http_reply_text(struct http_request *request, int status, const char *type, const char *text)
{
	if (request->answered)
		return;
	settle(request, status, type);
	request->fixed = text;
	request->fixed_length = strlen(text);
}

void http_reply_buffer(
	struct http_request *request, int status, const char *type, struct ml_buffer *buffer)
{
	struct ml_http *http = request->http;
	if (request->answered || buffer->failed ||
		http->reply_bytes + buffer->length > http->limits.replies) {
		ml_buffer_free(buffer);
		http_reply_text(request, 503, "text/plain; charset=utf-8",
			"The gateway has no memory for this answer now: ask for less, or later.\n");
		return;
	}
	settle(request, status, type);
	request->reply = *buffer;
	*buffer = (struct ml_buffer){0};
	request->reply_counted = request->reply.length;
	http->reply_bytes += request->reply_counted;
}

static void write_problem(struct ml_json_writer *w, int status, const char *detail)
{
	ml_json_begin_object(w);
	ml_json_key(w, "title");
	ml_json_string(w, title_of(status));
	ml_json_key(w, "status");
	ml_json_integer(w, status);
	ml_json_key(w, "detail");
	ml_json_string(w, detail);
}

void http_reply_problem(struct http_request *request, int status, const char *format, ...)
{
	char text[512];
	struct ml_buffer buffer = {0};
	struct ml_json_writer w;
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	ml_json_writer_init(&w, &buffer);
	write_problem(&w, status, text);
	ml_json_end_object(&w);
	http_reply_buffer(request, status, problem_type, &buffer);
}

static void reply_failure(struct http_request *request, const struct ml_outcome *outcome)
{
	struct ml_buffer buffer = {0};
	struct ml_json_writer w;
	const int status = http_status_of(outcome->code);
	ml_json_writer_init(&w, &buffer);
	write_problem(
		&w, status, outcome->error_count ? outcome->errors[0].text : "the command failed");
	ml_json_key(&w, "code");
	ml_json_string(&w, http_code_name(outcome->code));
	ml_json_key(&w, "errors");
	ml_errors_write(outcome->errors, outcome->error_count, &w);
	if (outcome->more_errors) {
		ml_json_key(&w, "more_errors");
		ml_json_unsigned(&w, outcome->more_errors);
	}
	if (outcome->detail) {
		ml_json_key(&w, "data");
		ml_json_raw(&w, outcome->detail, strlen(outcome->detail));
	}
	ml_json_end_object(&w);
	if (status == 503)
		http_reply_header(request, "Retry-After", "5");
	http_reply_buffer(request, status, problem_type, &buffer);
}

void http_reply_outcome(struct http_request *request, const struct ml_outcome *outcome)
{
	if (outcome->code != 0) {
		reply_failure(request, outcome);
		return;
	}
	struct ml_buffer buffer = {0};
	ml_buffer_append(&buffer, outcome->result, outcome->result_length);
	ml_buffer_append(&buffer, "\n", 1);
	http_reply_buffer(request, 200, "application/json", &buffer);
}
