/* The server: the library on a lane's loop, connections with deadlines, a bound on everything.
 * SPDX-License-Identifier: Apache-2.0
 *
 * libmicrohttpd has an epoll descriptor, which libuv polls: one thread serves all connections. What
 * a connection may take in time is our own business: the library knows only silence, and a client
 * that sends a byte now and then is never silent. A connection that is overdue is shut down for
 * both directions, and the library then finds it closed.
 */
#include "http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/guard.h"

enum { CONNECTION_MEMORY = 16 * 1024, SILENCE_SECONDS = 120 };

/* ---- Connections ---- */

static void link_append(struct http_link *link)
{
	struct ml_http *http = link->http;
	link->next = NULL;
	link->prev = http->last;
	*(http->last ? &http->last->next : &http->first) = link;
	http->last = link;
}

static void link_remove(struct http_link *link)
{
	struct ml_http *http = link->http;
	*(link->prev ? &link->prev->next : &http->first) = link->next;
	*(link->next ? &link->next->prev : &http->last) = link->prev;
}

void http_phase(struct http_link *link, enum http_phase phase)
{
	const struct ml_http_limits *limits = &link->http->limits;
	const ml_time now = ml_lane_now(link->http->lane);
	link_remove(link);
	link->phase = phase;
	link->deadline = ML_NEVER;
	if (phase == HTTP_IDLE)
		link->deadline = now + limits->idle_time;
	else if (phase == HTTP_READING || phase == HTTP_SENDING)
		link->deadline = now + limits->request_time;
	link_append(link);
}

static void link_shut(struct http_link *link)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(link->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	link->shut = true;
	if (info)
		(void)shutdown(info->connect_fd, SHUT_RDWR);
}

/* When it gets full, the one goes that has been silent or slow for the longest time. */
static void make_room(struct ml_http *http)
{
	if (http->link_count <= http->limits.connections - http->limits.connections / 4)
		return;
	struct http_link *link = http->first;
	while (link && (link->shut || link->phase > HTTP_READING))
		link = link->next;
	if (link)
		link_shut(link);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
	enum MHD_ConnectionNotificationCode code)
{
	struct ml_http *http = cls;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		struct http_link *link = calloc(1, sizeof *link);
		*context = link;
		if (!link)
			return;
		link->http = http;
		link->connection = connection;
		link_append(link);
		http->link_count++;
		http_phase(link, HTTP_IDLE);
		make_room(http);
	} else if (*context) {
		struct http_link *link = *context;
		link_remove(link);
		http->link_count--;
		free(link);
		*context = NULL;
	}
}

static void on_sweep(struct ml_timer *timer)
{
	struct ml_http *http = timer->user;
	const ml_time now = ml_lane_now(http->lane);
	for (struct http_link *link = http->first; link; link = link->next) {
		if (link->deadline <= now && !link->shut)
			link_shut(link);
	}
	ml_timer_start(timer, now + http->limits.idle_time / 10);
	http_turn(http);
}

static void on_beat(struct ml_timer *timer)
{
	struct ml_http *http = timer->user;
	http_streams_beat(http);
	ml_timer_start(timer, ml_lane_now(http->lane) + http->limits.heartbeat);
}

/* ---- The library's turns ---- */

static void run(struct ml_http *http)
{
	if (!http->running)
		return;
	(void)MHD_run(http->daemon);
	MHD_UNSIGNED_LONG_LONG milliseconds = 0;
	if (MHD_get_timeout(http->daemon, &milliseconds) == MHD_YES)
		ml_timer_start(
			&http->turn, ml_lane_now(http->lane) + (ml_time)milliseconds * ML_MSEC);
	else
		ml_timer_stop(&http->turn);
}

static void on_turn(struct ml_timer *timer)
{
	run(timer->user);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run(poll->data);
}

void http_turn(struct ml_http *http)
{
	if (http->running)
		ml_timer_start(&http->turn, ml_lane_now(http->lane));
}

/* ---- Start ---- */

static void set_limits(struct ml_http_limits *limits)
{
	if (!limits->connections)
		limits->connections = 512;
	if (!limits->streams)
		limits->streams = 32;
	if (!limits->body)
		limits->body = (size_t)8 << 20;
	if (!limits->bodies)
		limits->bodies = (size_t)32 << 20;
	if (!limits->replies)
		limits->replies = (size_t)64 << 20;
	if (!limits->idle_time)
		limits->idle_time = 30 * ML_SEC;
	if (!limits->request_time)
		limits->request_time = 60 * ML_SEC;
	if (!limits->heartbeat)
		limits->heartbeat = 15 * ML_SEC;
}

static void set_url(struct ml_http *http, const struct sockaddr_storage *address)
{
	char host[INET6_ADDRSTRLEN] = "";
	if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
		(void)inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host);
		(void)snprintf(http->url, sizeof http->url, "http://[%s]:%u", host,
			(unsigned)ntohs(six->sin6_port));
	} else {
		const struct sockaddr_in *four = (const struct sockaddr_in *)address;
		(void)inet_ntop(AF_INET, &four->sin_addr, host, sizeof host);
		(void)snprintf(http->url, sizeof http->url, "http://%s:%u", host,
			(unsigned)ntohs(four->sin_port));
	}
}

static int open_listener(struct ml_http *http, const char *listen_on, struct ml_error *err)
{
	struct sockaddr_storage address;
	socklen_t size = 0;
	int r = http_listen_parse(listen_on, &address, &size, err);
	if (r < 0)
		return r;
	const int one = 1;
	http->listener = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (http->listener < 0)
		return ml_error_set(err, -errno, "no socket: %s", strerror(errno));
	(void)setsockopt(http->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(http->listener, (struct sockaddr *)&address, size) < 0 ||
		listen(http->listener, SOMAXCONN) < 0) {
		r = -errno;
		return ml_error_set(err, r, "cannot listen on %s: %s%s", listen_on, strerror(-r),
			r == -EADDRINUSE ? "; another gateway may run there: choose another port"
					 : "");
	}
	size = sizeof address;
	if (getsockname(http->listener, (struct sockaddr *)&address, &size) < 0)
		return ml_error_set(err, -errno, "the port is not known: %s", strerror(errno));
	set_url(http, &address);
	return 0;
}

static void on_library_log(void *cls, const char *format, va_list args)
{
	struct ml_http *http = cls;
	ml_log_va(ml_engine_log(http->engine), ML_LOG_DEBUG, "http", format, args);
}

/* A '/' that is escaped belongs to a name, and is none between names: so escapes stay until the
 * address has been taken apart. */
static size_t leave_escapes(void *cls, struct MHD_Connection *connection, char *text)
{
	(void)cls;
	(void)connection;
	return strlen(text);
}

static int start_daemon(struct ml_http *http, struct ml_error *err)
{
	http->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_TURBO, 0,
		NULL, NULL, http_access, http, MHD_OPTION_EXTERNAL_LOGGER, on_library_log, http,
		MHD_OPTION_LISTEN_SOCKET, http->listener, MHD_OPTION_NOTIFY_COMPLETED,
		http_completed, http, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)http->limits.connections,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_SECONDS,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK, leave_escapes, NULL,
		MHD_OPTION_END);
	if (!http->daemon)
		return ml_error_set(
			err, -EIO, "the HTTP server cannot be started: %s", strerror(errno));
	http->listener = -1; /* the library's from now on */
	return 0;
}

struct meeting {
	struct ml_http *http;
	uv_sem_t done;
	struct ml_error err;
};

static void start_on_lane(void *user)
{
	struct meeting *meeting = user;
	struct ml_http *http = meeting->http;
	int r = start_daemon(http, &meeting->err);
	if (r < 0)
		goto finish;
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	http->poll = calloc(1, sizeof *http->poll);
	if (!info || !http->poll ||
		uv_poll_init(ml_lane_loop(http->lane), http->poll, info->epoll_fd) != 0) {
		free(http->poll);
		http->poll = NULL;
		(void)ml_error_set(
			&meeting->err, -ENOMEM, "the HTTP server cannot be put on its lane");
		MHD_stop_daemon(http->daemon);
		goto finish;
	}
	http->poll->data = http;
	(void)uv_poll_start(http->poll, UV_READABLE, on_poll);
	http->running = true;
	ml_timer_init(&http->turn, http->lane, on_turn, http);
	ml_timer_init(&http->sweep, http->lane, on_sweep, http);
	ml_timer_init(&http->beat, http->lane, on_beat, http);
	on_sweep(&http->sweep);
	on_beat(&http->beat);
finish:
	uv_sem_post(&meeting->done);
}

/* Runs a function on the lane and waits for it. */
static int meet(struct ml_http *http, void (*fn)(void *user), struct ml_error *err)
{
	struct meeting meeting = {.http = http, .err = ML_ERROR_NONE};
	if (uv_sem_init(&meeting.done, 0) != 0)
		return ml_error_set(err, -ENOMEM, "out of memory");
	const int r = ml_lane_post(http->lane, fn, &meeting);
	if (r == 0)
		uv_sem_wait(&meeting.done);
	uv_sem_destroy(&meeting.done);
	if (r < 0)
		return ml_error_set(err, r, "the lane of the HTTP server has ended");
	if (meeting.err.code && err)
		*err = meeting.err;
	return meeting.err.code;
}

int ml_http_start(
	const struct ml_http_options *options, struct ml_http **ret_http, struct ml_error *err)
{
	*ret_http = NULL;
	struct ml_http *http = calloc(1, sizeof *http);
	if (!http)
		return ml_error_set(err, -ENOMEM, "out of memory");
	http->engine = options->engine;
	http->assets = options->assets;
	http->limits = options->limits;
	http->listener = -1;
	set_limits(&http->limits);
	int r = open_listener(http, options->listen, err);
	if (r < 0)
		goto fail;
	http->lane = ml_engine_lane(options->engine, "http");
	if (!http->lane || !ml_lane_loop(http->lane)) {
		r = ml_error_set(err, -ENOTSUP,
			"HTTP needs a lane with a loop, which a simulated engine does not have");
		goto fail;
	}
	r = meet(http, start_on_lane, err);
	if (r < 0)
		goto fail;
	*ret_http = http;
	return 0;
fail:
	if (http->listener >= 0)
		(void)close(http->listener);
	free(http);
	return r;
}

/* ---- Stop ---- */

static void on_poll_closed(uv_handle_t *handle)
{
	free(handle);
}

static void stop_on_lane(void *user)
{
	struct meeting *meeting = user;
	struct ml_http *http = meeting->http;
	http->stopping = true;
	(void)uv_poll_stop(http->poll);
	http_abandon(http);
	http_streams_end(http);
	(void)MHD_run(http->daemon);
	MHD_stop_daemon(http->daemon);
	http->running = false;
	ml_timer_stop(&http->turn);
	ml_timer_stop(&http->sweep);
	ml_timer_stop(&http->beat);
	uv_close((uv_handle_t *)http->poll, on_poll_closed);
	uv_sem_post(&meeting->done);
}

void ml_http_stop(struct ml_http *http)
{
	if (!http)
		return;
	(void)meet(http, stop_on_lane, NULL);
	free(http);
}

const char *ml_http_url(const struct ml_http *http)
{
	return http->url;
}
