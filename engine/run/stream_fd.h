/* What the streams over a file descriptor share: waiting, queueing, telling, closing.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A scheme's struct begins with a struct stream_fd, is allocated with calloc() and freed by this
 * part once its handles are closed. All on the stream's lane.
 */
#ifndef ML_RUN_STREAM_FD_H
#define ML_RUN_STREAM_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include <meterloom/node.h>
#include <meterloom/stream.h>

enum {
	STREAM_OUT_MAX = 64 * 1024, /* bytes queued and not yet taken by the system */
	STREAM_NAME_MAX = 128,
};

struct stream_fd {
	struct ml_stream head;
	struct ml_lane *lane;
	uv_poll_t poll;
	struct ml_timer later; /* what must not be told from within a call */
	int fd;                /* -1: none */
	bool device;           /* a tty: an end of its bytes means that it is gone */
	bool polling;          /* `poll` is a live handle */
	bool opened, told_opened;
	bool draining;         /* written since `drained` was last told */
	bool closed;           /* by the user: nothing is told any more */
	bool released;         /* the memory goes once `pending` is 0 */
	unsigned pending;      /* handles and requests that still refer to this memory */
	struct ml_error error; /* set: failed, to be told or told */
	bool told_failed;
	uint8_t *out; /* queued bytes; owned */
	size_t out_begin, out_length, out_capacity;
	bool held;                  /* what was queued later waits for `idle` ... */
	size_t before_hold;         /* ... after so many bytes of the queue */
	char name[STREAM_NAME_MAX]; /* for errors */

	/* Time until all that the system took may have left the device; 0: it has. NULL: unknown,
	 * 0. */
	ml_time (*remaining)(struct stream_fd *s);
	/* All has left: a moment for what waited for it. May be NULL. */
	void (*idle)(struct stream_fd *s);
	/* Throws away what the system holds in both directions. */
	void (*flush)(struct stream_fd *s);
	/* Just before the descriptor is closed; may be NULL. */
	void (*leave)(struct stream_fd *s);
	/* What was read, instead of telling it as it is; may be NULL. */
	void (*receive)(struct stream_fd *s, uint8_t *bytes, size_t length);
	/* Called instead of reading and writing while it is set (a connection that is being made).
	 */
	void (*ready)(struct stream_fd *s, int status);
};

void stream_fd_init(struct stream_fd *s, struct ml_lane *lane, const char *name,
	const struct ml_stream_events *events, void *user);

/* Waits for `events` of the descriptor s->fd with the stream's functions. Negative errno. */
int stream_fd_watch(struct stream_fd *s, int events);
/* Stops waiting and closes the descriptor; another may be watched from within `next`, which is
 * called later (NULL: none). */
void stream_fd_unwatch(struct stream_fd *s, uv_close_cb next);

/* The stream is usable: told soon. */
void stream_fd_opened(struct stream_fd *s);
/* The stream is gone: told soon, once. */
void stream_fd_fail(struct stream_fd *s, int code, const char *format, ...) ML_PRINTF(3, 4);
void stream_fd_error(struct stream_fd *s, const struct ml_error *err);

/* What is queued from now on is sent only after `idle` was called. */
void stream_fd_hold(struct stream_fd *s);

bool stream_fd_busy(struct stream_fd *s); /* something is queued or leaving */

/* The operations, for a scheme's table. */
int stream_fd_write(struct ml_stream *stream, const uint8_t *bytes, size_t length);
void stream_fd_discard(struct ml_stream *stream);
void stream_fd_close(struct ml_stream *stream);

/* Lets go of one of `pending`; frees the memory when it was the last. */
void stream_fd_unref(struct stream_fd *s);

#endif
