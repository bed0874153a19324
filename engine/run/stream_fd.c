/* Streams over a file descriptor: one poll handle on the lane's loop, one queue of bytes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run/stream_fd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <meterloom/engine.h>

enum {
	READ_SIZE = 4096,
	READS_MAX = 8, /* in one turn of the loop, so that a flood leaves time for others */
	OUT_FIRST = 512,
};

static void later(struct ml_timer *timer);
static void push(struct stream_fd *s);
static void on_poll(uv_poll_t *handle, int status, int events);

void stream_fd_init(struct stream_fd *s, struct ml_lane *lane, const char *name,
	const struct ml_stream_events *events, void *user)
{
	s->head.events = events;
	s->head.user = user;
	s->lane = lane;
	s->fd = -1;
	s->error = ML_ERROR_NONE;
	(void)snprintf(s->name, sizeof s->name, "%s", name);
	ml_timer_init(&s->later, lane, later, s);
}

void stream_fd_unref(struct stream_fd *s)
{
	s->pending--;
	if (s->released && s->pending == 0) {
		free(s->out);
		free(s);
	}
}

static void soon(struct stream_fd *s)
{
	if (!s->closed)
		ml_timer_start(&s->later, ml_lane_now(s->lane));
}

static void on_poll_closed(uv_handle_t *handle)
{
	stream_fd_unref(handle->data);
}

int stream_fd_watch(struct stream_fd *s, int events)
{
	int result = uv_poll_init(ml_lane_loop(s->lane), &s->poll, s->fd);
	if (result < 0)
		return result;
	s->poll.data = s;
	s->polling = true;
	s->pending++;
	result = uv_poll_start(&s->poll, events, on_poll);
	if (result < 0)
		stream_fd_unwatch(s, NULL);
	return result;
}

void stream_fd_unwatch(struct stream_fd *s, uv_close_cb next)
{
	if (s->polling) {
		s->polling = false;
		(void)uv_poll_stop(&s->poll);
		uv_close((uv_handle_t *)&s->poll, next ? next : on_poll_closed);
	}
	if (s->fd >= 0) {
		if (s->leave)
			s->leave(s);
		(void)close(s->fd);
		s->fd = -1;
	}
}

void stream_fd_opened(struct stream_fd *s)
{
	s->opened = true;
	s->ready = NULL;
	soon(s);
}

void stream_fd_error(struct stream_fd *s, const struct ml_error *err)
{
	if (s->error.code != 0)
		return;
	s->error = *err;
	s->opened = false;
	stream_fd_unwatch(s, NULL);
	soon(s);
}

void stream_fd_fail(struct stream_fd *s, int code, const char *format, ...)
{
	struct ml_error err = ML_ERROR_NONE;
	char text[ML_ERROR_TEXT_MAX];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	ml_error_set(&err, code, "%s", text);
	stream_fd_error(s, &err);
}

/* ---- Telling ---- */

/* How much of the queue may be sent now. */
static size_t sendable(const struct stream_fd *s)
{
	return s->held ? s->before_hold : s->out_length;
}

static void tell_drained(struct stream_fd *s)
{
	const ml_time remaining = s->remaining ? s->remaining(s) : 0;
	if (remaining > 0) {
		ml_timer_start(&s->later, ml_lane_now(s->lane) + remaining);
		return;
	}
	const bool held = s->held;
	s->draining = s->out_length > 0;
	s->held = false;
	if (s->idle)
		s->idle(s);
	if (held && s->draining && s->opened) {
		push(s);
		return;
	}
	if (!s->error.code && s->head.events->drained)
		s->head.events->drained(s->head.user);
}

static void later(struct ml_timer *timer)
{
	struct stream_fd *s = timer->user;
	if (s->closed)
		return;
	if (s->error.code != 0) {
		if (!s->told_failed) {
			/* Closing in the callback may free the stream. */
			const struct ml_error err = s->error;
			s->told_failed = true;
			s->head.events->failed(s->head.user, &err);
		}
		return;
	}
	if (s->opened && !s->told_opened) {
		s->told_opened = true;
		if (s->head.events->opened)
			s->head.events->opened(s->head.user);
		if (s->closed || !s->draining)
			return;
	}
	if (s->draining && sendable(s) == 0)
		tell_drained(s);
}

/* ---- Bytes ---- */

static void lost(struct stream_fd *s, int code)
{
	if (code == 0 && !s->device)
		stream_fd_fail(s, -EPIPE, "%s was closed by the other side", s->name);
	else if (code == 0 || code == -EIO || code == -ENXIO || code == -ENODEV)
		stream_fd_fail(
			s, -ENODEV, "%s was lost: it was unplugged or switched off", s->name);
	else
		stream_fd_fail(s, code, "%s was lost: %s", s->name, strerror(-code));
}

/* Writes what the system takes. */
static void push(struct stream_fd *s)
{
	while (sendable(s) > 0) {
		const ssize_t n = write(s->fd, s->out + s->out_begin, sendable(s));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0) {
			lost(s, -errno);
			return;
		}
		s->out_begin += (size_t)n;
		s->out_length -= (size_t)n;
		s->before_hold -= s->held ? (size_t)n : 0;
	}
	if (s->out_length == 0)
		s->out_begin = 0;
	const int events = UV_READABLE | (sendable(s) > 0 ? UV_WRITABLE : 0);
	const int result = uv_poll_start(&s->poll, events, on_poll);
	if (result < 0)
		lost(s, result);
	else if (sendable(s) == 0 && s->draining)
		soon(s);
}

static void pull(struct stream_fd *s)
{
	uint8_t bytes[READ_SIZE];
	for (int i = 0; i < READS_MAX && s->opened && !s->closed; i++) {
		const ssize_t n = read(s->fd, bytes, sizeof bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0) {
			lost(s, n < 0 ? -errno : 0);
			return;
		}
		if (s->receive)
			s->receive(s, bytes, (size_t)n);
		else
			s->head.events->received(s->head.user, bytes, (size_t)n);
		if ((size_t)n < sizeof bytes)
			return;
	}
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
	struct stream_fd *s = handle->data;
	if (s->closed || s->error.code != 0)
		return;
	if (s->ready) {
		s->ready(s, status);
		return;
	}
	if (!s->told_opened)
		return;
	if (status < 0 && status != UV_EBADF) {
		lost(s, status);
		return;
	}
	/* A descriptor that hung up gives EBADF here: reading tells why. */
	if ((events & UV_READABLE) || status < 0)
		pull(s);
	if ((events & UV_WRITABLE) && s->opened && !s->closed)
		push(s);
}

static int make_room(struct stream_fd *s, size_t length)
{
	if (s->out_begin + s->out_length + length <= s->out_capacity)
		return 0;
	if (s->out_length > 0)
		memmove(s->out, s->out + s->out_begin, s->out_length);
	s->out_begin = 0;
	size_t capacity = s->out_capacity ? s->out_capacity : OUT_FIRST;
	while (capacity < s->out_length + length)
		capacity *= 2;
	if (capacity == s->out_capacity)
		return 0;
	uint8_t *out = realloc(s->out, capacity);
	if (!out)
		return -ENOMEM;
	s->out = out;
	s->out_capacity = capacity;
	return 0;
}

int stream_fd_write(struct ml_stream *stream, const uint8_t *bytes, size_t length)
{
	struct stream_fd *s = (struct stream_fd *)stream;
	if (!s->told_opened || s->error.code != 0)
		return -ENOTCONN;
	if (length > STREAM_OUT_MAX - s->out_length)
		return -ENOBUFS;
	const int result = make_room(s, length);
	if (result < 0)
		return result;
	memcpy(s->out + s->out_begin + s->out_length, bytes, length);
	s->out_length += length;
	s->draining = true;
	push(s);
	return 0;
}

void stream_fd_hold(struct stream_fd *s)
{
	s->held = true;
	s->before_hold = s->out_length;
	s->draining = true;
}

bool stream_fd_busy(struct stream_fd *s)
{
	return s->out_length > 0 || (s->remaining && s->remaining(s) > 0);
}

void stream_fd_discard(struct ml_stream *stream)
{
	struct stream_fd *s = (struct stream_fd *)stream;
	if (!s->opened)
		return;
	s->out_begin = s->out_length = s->before_hold = 0;
	if (s->flush)
		s->flush(s);
	if (s->draining)
		push(s);
}

void stream_fd_close(struct ml_stream *stream)
{
	struct stream_fd *s = (struct stream_fd *)stream;
	s->closed = true;
	ml_timer_stop(&s->later);
	s->pending++;
	stream_fd_unwatch(s, NULL);
	s->released = true;
	stream_fd_unref(s);
}
