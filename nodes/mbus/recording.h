/* Recordings of what goes over the interface of a bus: a text, one event a line.
 * SPDX-License-Identifier: Apache-2.0
 *
 * docs/reference/recording.md tells the format. Pure: no clock, no I/O, no allocation. A recording
 * is written as it comes, and one that was cut off is readable up to its last whole line.
 */
#ifndef MBUS_RECORDING_H
#define MBUS_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <meterloom/clock.h>
#include <meterloom/error.h>

enum {
	MBUS_RECORDING_VERSION = 1,
	MBUS_RECORDED_BYTES_MAX = 256, /* of one event */
	MBUS_RECORDED_TEXT_MAX = 256,  /* with the NUL */
	MBUS_RECORDING_LINE_MAX = 32 + MBUS_RECORDED_BYTES_MAX * 4,
	MBUS_RECORDING_HEAD_MAX = 1024,
};

struct mbus_recording_head {
	char interface[MBUS_RECORDED_TEXT_MAX]; /* "serial:/dev/ttyUSB0" */
	unsigned baud;                          /* at the beginning */
	ml_time begins;                         /* wall time */
	char program[MBUS_RECORDED_TEXT_MAX];   /* "Meterloom 0.1.0" */
};

enum mbus_recorded_kind {
	MBUS_RECORDED_NOTHING,
	MBUS_RECORDED_MASTER, /* bytes that went out on the line */
	MBUS_RECORDED_LINE,   /* bytes that came from the line */
	MBUS_RECORDED_OPENED, /* the interface */
	MBUS_RECORDED_LOST,   /* the interface; `text`: why */
	MBUS_RECORDED_BAUD,   /* the rate from now on */
	MBUS_RECORDED_ENDED,  /* the recording; `text`: why */
};

struct mbus_recorded {
	ml_time time; /* since the beginning */
	enum mbus_recorded_kind kind;
	size_t length;
	uint8_t bytes[MBUS_RECORDED_BYTES_MAX];
	bool bad[MBUS_RECORDED_BYTES_MAX]; /* came with a parity or framing error */
	unsigned baud;
	char text[MBUS_RECORDED_TEXT_MAX];
};

/* ---- Writing: each gives the length of what it put into `out`, a NUL behind it not counted ----
 */

/* `out` has MBUS_RECORDING_HEAD_MAX bytes. */
size_t mbus_recording_put_head(char *out, const struct mbus_recording_head *head);
/* At most MBUS_RECORDED_BYTES_MAX bytes; `out` has MBUS_RECORDING_LINE_MAX, as below. */
size_t mbus_recording_put_bytes(char *out, ml_time time, enum mbus_recorded_kind kind,
	const uint8_t *bytes, size_t length, bool bad);
size_t mbus_recording_put_baud(char *out, ml_time time, unsigned baud);
/* OPENED, LOST and ENDED; `text` may be NULL. */
size_t mbus_recording_put_state(
	char *out, ml_time time, enum mbus_recorded_kind kind, const char *text);

/* ---- Reading ---- */

struct mbus_recording_reader {
	struct mbus_recording_head head; /* whole once the first event was read */
	int line;                        /* number of the last that was read */
	bool cut;                        /* after mbus_recording_end(): the last line was cut off */
	/* private */
	bool begun, has_baud, has_begins, in_events, over;
	ml_time last;
	size_t used;
	char text[MBUS_RECORDING_LINE_MAX];
};

void mbus_recording_reader_init(struct mbus_recording_reader *reader);

/* Takes text up to the end of a line with an event, and gives how much; event->kind is NOTHING
 * where all was taken and no event came to its end. -EINVAL: err->line and column tell where. */
ssize_t mbus_recording_feed(struct mbus_recording_reader *reader, const char *text, size_t length,
	struct mbus_recorded *event, struct ml_error *err);

/* There is no more text. -EINVAL: it ended before its first event could be read. */
int mbus_recording_end(struct mbus_recording_reader *reader, struct ml_error *err);

#endif
