/* Byte streams to the outside world: serial lines, TCP, and in-process ones for the simulated
 * clock. SPDX-License-Identifier: Apache-2.0
 *
 * An address is SCHEME:REST: "serial:/dev/ttyUSB0", "tcp:host:port", "sim:NAME". Families may add
 * schemes (struct ml_family). All calls and callbacks are on the lane of the stream. No callback
 * comes from within a call.
 */
#ifndef METERLOOM_STREAM_H
#define METERLOOM_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/error.h>

struct ml_engine;
struct ml_family;
struct ml_lane;
struct ml_stream;

enum ml_parity { ML_PARITY_NONE, ML_PARITY_EVEN, ML_PARITY_ODD };

struct ml_line {
	unsigned baud; /* 300 to 115200; ignored by tcp */
	enum ml_parity parity;
	unsigned data_bits; /* 7 or 8 */
	unsigned stop_bits; /* 1 or 2 */
};

/* Lines of a serial interface beside the data. */
enum {
	ML_SIGNAL_CTS = 1 << 0,
	ML_SIGNAL_DSR = 1 << 1,
	ML_SIGNAL_DCD = 1 << 2,
	ML_SIGNAL_RI = 1 << 3,
};

struct ml_stream_events {
	void (*opened)(void *user); /* usable now */
	void (*received)(void *user, const uint8_t *bytes, size_t length);
	/* Bytes that came with a parity or framing error, or a break. NULL: `received` is told
	 * zeros in their place. A TCP converter does not tell. */
	void (*damaged)(void *user, const uint8_t *bytes, size_t length);
	void (*drained)(void *user); /* all that was written has left, as far as can be known */
	/* The stream is gone or could not be opened; only ml_stream_close() may follow. */
	void (*failed)(void *user, const struct ml_error *err);
};

struct ml_stream_ops {
	int (*write)(struct ml_stream *stream, const uint8_t *bytes, size_t length);
	int (*set_line)(struct ml_stream *stream, const struct ml_line *line);
	void (*discard)(struct ml_stream *stream);
	void (*close)(struct ml_stream *stream);
	int (*signals)(struct ml_stream *stream, unsigned *set); /* may be NULL */
};

/* The head of every stream; a scheme's own struct begins with it. */
struct ml_stream {
	const struct ml_stream_ops *ops;
	const struct ml_stream_events *events;
	void *user;
};

struct ml_stream_scheme {
	const char *name; /* "serial"; NULL ends the table */
	const char *help; /* the form of REST: "/dev/DEVICE" */
	/* Checks REST without opening anything. Any thread. */
	int (*check)(const char *rest, struct ml_error *err);
	/* Begins to open; the end comes as `opened` or `failed`. */
	int (*open)(struct ml_engine *engine, struct ml_lane *lane, const char *rest,
		const struct ml_line *line, const struct ml_stream_events *events, void *user,
		struct ml_stream **ret_stream, struct ml_error *err);
};

/* -EINVAL with what was expected: unknown scheme (those known are listed), wrong form. `families`
 * is ended by NULL, as a class's `check` gets it from ml_check_families(); NULL: only the built-in
 * schemes are known. Any thread. */
int ml_stream_check(
	const struct ml_family *const *families, const char *address, struct ml_error *err);

int ml_stream_open(struct ml_engine *engine, struct ml_lane *lane, const char *address,
	const struct ml_line *line, const struct ml_stream_events *events, void *user,
	struct ml_stream **ret_stream, struct ml_error *err);

/* Queues all bytes (copied), at most 64 KiB outstanding: -ENOBUFS. */
int ml_stream_write(struct ml_stream *stream, const uint8_t *bytes, size_t length);
/* After all that is queued has left. -ENOTSUP where the stream has no line. */
int ml_stream_set_line(struct ml_stream *stream, const struct ml_line *line);
/* Which of ML_SIGNAL_* are set now. -ENOTSUP where the stream has none. */
int ml_stream_signals(struct ml_stream *stream, unsigned *set);
/* Throws away what was received and not yet told, and what is queued. */
void ml_stream_discard(struct ml_stream *stream);
void ml_stream_close(struct ml_stream *stream); /* no callback comes after; accepts NULL */

#endif
