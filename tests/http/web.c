/* A gateway that serves HTTP on a port of loopback, and a client that says exactly what it is told.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "web.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- The family ---- */

struct any_params {
	int64_t number;
	char *text;
	json_t *tree;
};

static const struct ml_param echo_params[] = {
	{.name = "number",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct any_params, number),
		.title = "Number",
		.help = "A number.",
		.preset = "7",
		.max = 100},
	{.name = "text",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct any_params, text),
		.title = "Text",
		.help = "A text.",
		.preset = "\"\"",
		.max = 100},
	{0},
};

static void echo_run(struct ml_job *job, void *params)
{
	const struct any_params *p = params;
	struct ml_json_writer *w = ml_job_result(job);
	ml_json_begin_object(w);
	ml_json_key(w, "number");
	ml_json_integer(w, p->number);
	ml_json_key(w, "text");
	ml_json_string(w, p->text);
	ml_json_end_object(w);
	ml_job_succeed(job);
}

struct reading_params {
	char *meter;
	ml_time from, to;
	int64_t limit;
};

static const struct ml_param reading_params[] = {
	{.name = "meter",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct reading_params, meter),
		.title = "Meter",
		.help = "A meter.",
		.max = 100,
		.flags = ML_PARAM_REQUIRED},
	{.name = "from",
		.kind = ML_PARAM_TIME,
		.offset = offsetof(struct reading_params, from),
		.title = "From",
		.help = "From.",
		.flags = ML_PARAM_NULLABLE},
	{.name = "to",
		.kind = ML_PARAM_TIME,
		.offset = offsetof(struct reading_params, to),
		.title = "To",
		.help = "To.",
		.flags = ML_PARAM_NULLABLE},
	{.name = "limit",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct reading_params, limit),
		.title = "Limit",
		.help = "Limit.",
		.preset = "10",
		.min = 1,
		.max = 1000},
	{0},
};

static void write_seconds(struct ml_json_writer *w, ml_time time)
{
	if (time == ML_TIME_NONE)
		ml_json_null(w);
	else
		ml_json_integer(w, time / ML_SEC);
}

static void readings_run(struct ml_job *job, void *params)
{
	const struct reading_params *p = params;
	struct ml_json_writer *w = ml_job_result(job);
	ml_json_begin_array(w);
	ml_json_string(w, p->meter);
	write_seconds(w, p->from);
	write_seconds(w, p->to);
	ml_json_integer(w, p->limit);
	ml_json_end_array(w);
	ml_job_succeed(job);
}

/* Jobs that wait. Tests run one after the other: one list is enough. */
static pthread_mutex_t wait_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wait_begun = PTHREAD_COND_INITIALIZER;
static struct ml_job *waiting[16];
static size_t waiting_count;

static void wait_run(struct ml_job *job, void *params)
{
	(void)params;
	(void)pthread_mutex_lock(&wait_lock);
	waiting[waiting_count++] = job;
	(void)pthread_cond_broadcast(&wait_begun);
	(void)pthread_mutex_unlock(&wait_lock);
}

void web_let_go(void)
{
	(void)pthread_mutex_lock(&wait_lock);
	while (waiting_count == 0)
		(void)pthread_cond_wait(&wait_begun, &wait_lock);
	while (waiting_count > 0)
		ml_job_succeed(waiting[--waiting_count]);
	(void)pthread_mutex_unlock(&wait_lock);
}

struct document_params {
	char *document;
};

static const struct ml_param document_params[] = {
	{.name = "document",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct document_params, document),
		.title = "Document",
		.help = "A path, with ':' for '/'.",
		.flags = ML_PARAM_REQUIRED},
	{0},
};

/* The file is said to have six bytes. */
static void document_run(struct ml_job *job, void *params)
{
	char *path = ((struct document_params *)params)->document;
	struct ml_json_writer *w = ml_job_result(job);
	for (char *p = path; *p; p++)
		*p = *p == ':' ? '/' : *p;
	ml_json_begin_object(w);
	ml_json_key(w, "name");
	ml_json_string(w, "report.csv");
	ml_json_key(w, "type");
	ml_json_string(w, "text/csv; charset=UTF-8");
	ml_json_key(w, "size");
	ml_json_integer(w, 6);
	ml_json_key(w, "path");
	ml_json_string(w, path);
	ml_json_end_object(w);
	ml_job_succeed(job);
}

static const struct ml_command commands[] = {
	{.name = "test.echo",
		.title = "Echo",
		.help = "Gives its parameters.",
		.role = ML_ROLE_READ,
		.params = echo_params,
		.params_size = sizeof(struct any_params),
		.run = echo_run},
	{.name = "test.wait",
		.title = "Wait",
		.help = "Waits.",
		.role = ML_ROLE_OPERATE,
		.run = wait_run},
	{.name = "meter.readings",
		.title = "Readings",
		.help = "Gives its parameters.",
		.role = ML_ROLE_READ,
		.params = reading_params,
		.params_size = sizeof(struct reading_params),
		.run = readings_run},
	{.name = "report.document",
		.title = "Document",
		.help = "Tells of a file whose path is given.",
		.role = ML_ROLE_READ,
		.params = document_params,
		.params_size = sizeof(struct document_params),
		.run = document_run},
	{0},
};

static const struct ml_port no_ports[] = {{0}};

static const struct ml_node_class test_node = {
	.type = "test-node",
	.version = 1,
	.title = "Test",
	.help = "Does nothing.",
	.category = "process",
	.ports = no_ports,
	.size = sizeof(int),
};

static const struct ml_node_class *const classes[] = {&test_node, NULL};

const struct ml_family web_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "test",
	.commands = commands,
	.node_classes = classes,
};

/* ---- The gateway ---- */

static void *run_engine(void *engine)
{
	ml_engine_run(engine);
	return NULL;
}

struct web *web_new(const struct ml_http_limits *limits, const struct ml_asset *assets)
{
	static const struct ml_family *const families[] = {&web_family, NULL};
	struct web *web = calloc(1, sizeof *web);
	assert_non_null(web);
	web->clock = ml_clock_new_real();
	assert_non_null(web->clock);
	web->log = ml_log_new(web->clock, 0);
	const struct ml_engine_options engine = {
		.families = families, .clock = web->clock, .log = web->log};
	struct ml_error err = ML_ERROR_NONE;
	if (ml_engine_new(&engine, &web->engine, &err) < 0)
		fail_msg("engine: %s", err.text);
	struct ml_http_options http = {
		.engine = web->engine, .listen = "127.0.0.1:0", .assets = assets};
	if (limits)
		http.limits = *limits;
	if (ml_http_start(&http, &web->http, &err) < 0)
		fail_msg("http: %s", err.text);
	web->port = atoi(strrchr(ml_http_url(web->http), ':') + 1);
	assert_int_equal(pthread_create(&web->thread, NULL, run_engine, web->engine), 0);
	return web;
}

void web_stop_http(struct web *web)
{
	ml_engine_quit(web->engine);
	assert_int_equal(pthread_join(web->thread, NULL), 0);
	ml_http_stop(web->http);
	web->http = NULL;
}

void web_free(struct web *web)
{
	if (web->http)
		web_stop_http(web);
	ml_engine_free(web->engine);
	ml_log_free(web->log);
	ml_clock_free(web->clock);
	waiting_count = 0;
	free(web);
}

/* ---- The client ---- */

int web_connect(const struct web *web)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)web->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const struct timeval patience = {.tv_sec = 30};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

void web_say(int fd, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	va_start(args, format);
	const int length = vasprintf(&text, format, args);
	va_end(args);
	assert_true(length >= 0);
	/* The server may have hung up already: what it answered is what counts. */
	(void)send(fd, text, (size_t)length, MSG_NOSIGNAL);
	free(text);
}

static size_t hear(int fd, struct ml_buffer *text)
{
	char block[4096];
	const ssize_t got = recv(fd, block, sizeof block, 0);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		fail_msg("no answer within 30 s; so far: %s", text->data ? text->data : "");
	if (got > 0)
		ml_buffer_append(text, block, (size_t)got);
	return got > 0 ? (size_t)got : 0;
}

struct answer web_hear(int fd)
{
	/* Byte by byte to the end of the head: what follows belongs to the next answer. */
	struct answer answer = {0};
	struct ml_buffer head = {0}, body = {0};
	char c;
	while (!head.data || !strstr(head.data, "\r\n\r\n")) {
		const ssize_t got = recv(fd, &c, 1, 0);
		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			fail_msg("no answer within 30 s");
		if (got <= 0)
			break;
		ml_buffer_append(&head, &c, 1);
	}
	if (head.data)
		(void)sscanf(head.data, "HTTP/1.1 %d", &answer.status);
	const char *length_text = head.data ? strcasestr(head.data, "\r\nContent-Length:") : NULL;
	size_t left = length_text ? (size_t)atol(length_text + 17) : SIZE_MAX;
	while (left > 0) {
		char block[4096];
		const ssize_t got = recv(fd, block, left < sizeof block ? left : sizeof block, 0);
		if (got <= 0)
			break;
		ml_buffer_append(&body, block, (size_t)got);
		left -= left == SIZE_MAX ? 0 : (size_t)got;
	}
	ml_buffer_append(&body, "", 0);
	answer.head = head.data ? head.data : strdup("");
	answer.body = body.data ? body.data : strdup("");
	answer.length = body.length;
	return answer;
}

char *web_hear_until(int fd, const char *part)
{
	struct ml_buffer text = {0};
	while (!text.data || !strstr(text.data, part)) {
		if (hear(fd, &text) == 0)
			fail_msg("the connection ended before '%s' came: %s", part,
				text.data ? text.data : "");
	}
	return text.data;
}

bool web_is_closed(int fd)
{
	struct ml_buffer text = {0};
	while (hear(fd, &text) > 0)
		;
	ml_buffer_free(&text);
	return true;
}

struct answer web_ask(const struct web *web, const char *method, const char *path,
	const char *headers, const char *body)
{
	const int fd = web_connect(web);
	web_say(fd, "%s %s HTTP/1.1\r\nConnection: close\r\n%s", method, path,
		headers ? headers : "");
	if (!headers || !strcasestr(headers, "Host:"))
		web_say(fd, "Host: 127.0.0.1:%d\r\n", web->port);
	if (body && (!headers || !strcasestr(headers, "Content-Type:")))
		web_say(fd, "Content-Type: application/json\r\n");
	if (body)
		web_say(fd, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
	else
		web_say(fd, "\r\n");
	struct answer answer = {0};
	if (strcmp(method, "HEAD") == 0) {
		answer.head = web_hear_until(fd, "\r\n\r\n");
		answer.body = strdup("");
		(void)sscanf(answer.head, "HTTP/1.1 %d", &answer.status);
		assert_true(web_is_closed(fd));
	} else {
		answer = web_hear(fd);
	}
	(void)close(fd);
	return answer;
}

void answer_free(struct answer *answer)
{
	free(answer->head);
	free(answer->body);
	*answer = (struct answer){0};
}

void assert_has(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("'%s' is not in: %s", part, text ? text : "nothing");
}
