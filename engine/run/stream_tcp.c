/* TCP connections to converters: one attempt after the other over all addresses of a host.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <meterloom/engine.h>

#include "run/stream_fd.h"
#include "run/stream_schemes.h"

#define CONNECT_TIMEOUT (10 * ML_SEC) /* for all addresses together */

enum {
	HOST_MAX = 112,
	PORT_MAX = 6,
	KEEPALIVE_IDLE = 30,     /* s */
	KEEPALIVE_INTERVAL = 10, /* s */
	KEEPALIVE_COUNT = 3,
	USER_TIMEOUT = 30 * 1000, /* ms without an answer to what was written */
};

struct tcp {
	struct stream_fd base;
	uv_getaddrinfo_t lookup;
	struct ml_timer deadline;
	struct addrinfo *addresses; /* owned */
	const struct addrinfo *next;
	int last_error; /* of the last attempt, negative errno */
};

/* Splits HOST:PORT or [IPV6]:PORT. */
static int split(const char *rest, char host[HOST_MAX], char port[PORT_MAX], struct ml_error *err)
{
	const char *begin = rest;
	const char *colon = strrchr(rest, ':');
	const char *end = colon;
	if (rest[0] == '[') {
		begin++;
		end = strchr(rest, ']');
		if (end && end + 1 != colon)
			end = NULL;
	} else if (colon && memchr(rest, ':', (size_t)(colon - rest))) {
		end = NULL;
	}
	char *rest_of_port = NULL;
	const long number = colon ? strtol(colon + 1, &rest_of_port, 10) : 0;
	if (!end || end == begin || (size_t)(end - begin) >= HOST_MAX || number < 1 ||
		number > 65535 || *rest_of_port != '\0' || colon[1] < '0' || colon[1] > '9')
		return ml_error_set(err, -EINVAL,
			"tcp:%.60s: expected a host and a port from 1 to 65535, as in "
			"tcp:192.0.2.7:10001 or tcp:[2001:db8::7]:10001",
			rest);
	memcpy(host, begin, (size_t)(end - begin));
	host[end - begin] = '\0';
	(void)snprintf(port, PORT_MAX, "%u", (unsigned)number & 0xFFFFu);
	return 0;
}

static int tcp_check(const char *rest, struct ml_error *err)
{
	char host[HOST_MAX];
	char port[PORT_MAX];
	return split(rest, host, port, err);
}

static void set_option(int fd, int level, int option, int value)
{
	(void)setsockopt(fd, level, option, &value, sizeof value);
}

static void forget_addresses(struct tcp *tcp)
{
	if (tcp->addresses)
		uv_freeaddrinfo(tcp->addresses);
	tcp->addresses = NULL;
	tcp->next = NULL;
}

static void attempt(struct tcp *tcp);

static void on_attempt_closed(uv_handle_t *handle)
{
	struct stream_fd *s = handle->data;
	if (!s->closed && !s->error.code)
		attempt((struct tcp *)s);
	stream_fd_unref(s);
}

static void tcp_ready(struct stream_fd *s, int status)
{
	struct tcp *tcp = (struct tcp *)s;
	int code = 0;
	socklen_t size = sizeof code;
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
		code = errno;
	if (code == 0 && status < 0)
		code = -status;
	if (code != 0) {
		tcp->last_error = -code;
		stream_fd_unwatch(s, on_attempt_closed);
		return;
	}
	set_option(s->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(s->fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(s->fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE);
	set_option(s->fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL);
	set_option(s->fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
	set_option(s->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT);
	ml_timer_stop(&tcp->deadline);
	forget_addresses(tcp);
	if (uv_poll_start(&s->poll, UV_READABLE, s->poll.poll_cb) < 0)
		stream_fd_fail(s, -EIO, "%s cannot be waited for", s->name);
	else
		stream_fd_opened(s);
}

static bool try_one(struct tcp *tcp, const struct addrinfo *address)
{
	struct stream_fd *s = &tcp->base;
	s->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0) {
		tcp->last_error = -errno;
		return false;
	}
	if (connect(s->fd, address->ai_addr, address->ai_addrlen) < 0 && errno != EINPROGRESS) {
		tcp->last_error = -errno;
	} else {
		s->ready = tcp_ready;
		const int result = stream_fd_watch(s, UV_WRITABLE);
		if (result == 0)
			return true;
		tcp->last_error = result;
	}
	(void)close(s->fd);
	s->fd = -1;
	return false;
}

static void give_up(struct tcp *tcp, int code, const char *why)
{
	ml_timer_stop(&tcp->deadline);
	forget_addresses(tcp);
	stream_fd_fail(&tcp->base, code, "tcp:%s cannot be reached: %s", tcp->base.name, why);
}

static void attempt(struct tcp *tcp)
{
	while (tcp->next) {
		const struct addrinfo *address = tcp->next;
		tcp->next = address->ai_next;
		if (try_one(tcp, address))
			return;
	}
	const int code = tcp->last_error ? tcp->last_error : -EHOSTUNREACH;
	give_up(tcp, code, strerror(-code));
}

static void on_lookup(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
	struct tcp *tcp = request->data;
	struct stream_fd *s = &tcp->base;
	tcp->addresses = addresses;
	if (s->closed || s->error.code != 0) {
		forget_addresses(tcp);
	} else if (status < 0) {
		give_up(tcp, -EHOSTUNREACH, uv_strerror(status));
	} else {
		tcp->next = addresses;
		attempt(tcp);
	}
	stream_fd_unref(s);
}

static void on_deadline(struct ml_timer *timer)
{
	give_up(timer->user, -ETIMEDOUT, "no answer within 10 s");
}

static void tcp_flush(struct stream_fd *s)
{
	char bytes[1024];
	while (recv(s->fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
		;
}

static void tcp_close(struct ml_stream *stream)
{
	struct tcp *tcp = (struct tcp *)stream;
	ml_timer_stop(&tcp->deadline);
	forget_addresses(tcp);
	stream_fd_close(stream);
}

static const struct ml_stream_ops tcp_ops = {
	.write = stream_fd_write,
	.discard = stream_fd_discard,
	.close = tcp_close,
};

static int tcp_open(struct ml_engine *engine, struct ml_lane *lane, const char *rest,
	const struct ml_line *line, const struct ml_stream_events *events, void *user,
	struct ml_stream **ret_stream, struct ml_error *err)
{
	char host[HOST_MAX];
	char port[PORT_MAX];
	(void)engine;
	(void)line;
	if (!ml_lane_loop(lane))
		return ml_error_set(err, -ENOTSUP,
			"tcp:%s: a simulated gateway has no network, only what is inside it", rest);
	int result = split(rest, host, port, err);
	if (result < 0)
		return result;
	struct tcp *tcp = calloc(1, sizeof *tcp);
	if (!tcp)
		return ml_error_set(err, -ENOMEM, "out of memory");
	struct stream_fd *s = &tcp->base;
	stream_fd_init(s, lane, rest, events, user);
	s->head.ops = &tcp_ops;
	s->flush = tcp_flush;
	ml_timer_init(&tcp->deadline, lane, on_deadline, tcp);
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	tcp->lookup.data = tcp;
	result = uv_getaddrinfo(ml_lane_loop(lane), &tcp->lookup, on_lookup, host, port, &hints);
	if (result < 0) {
		free(tcp);
		return ml_error_set(err, result, "tcp:%s: %s", rest, uv_strerror(result));
	}
	s->pending++;
	ml_timer_start(&tcp->deadline, ml_lane_now(lane) + CONNECT_TIMEOUT);
	*ret_stream = &s->head;
	return 0;
}

const struct ml_stream_scheme ml_stream_tcp = {
	.name = "tcp",
	.help = "HOST:PORT",
	.check = tcp_check,
	.open = tcp_open,
};
