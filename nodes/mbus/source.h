/* The node mbus-source, for its own files.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MBUS_SOURCE_H
#define MBUS_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/node.h>
#include <meterloom/stream.h>

#include "mbus/master.h"
#include "meter/list.h"

struct ml_job;

enum { MBUS_PORT_IN, MBUS_PORT_OUT };

enum { /* metrics */
	MBUS_READ,
	MBUS_FAILED,
	MBUS_TELEGRAMS,
	MBUS_UNDELIVERED,
	MBUS_ROUNDS,
	MBUS_JOINED,
	MBUS_REQUESTS,
	MBUS_RETRIES,
	MBUS_BYTES_OUT,
	MBUS_BYTES_IN,
	MBUS_NOISE,
	MBUS_METERS,
	MBUS_ROUND_TIME,
};

enum mbus_line_state {
	MBUS_LINE_CLOSED,  /* not ours yet, or given up */
	MBUS_LINE_OPENING, /* `opened` or `failed` is to come */
	MBUS_LINE_OPEN,
	MBUS_LINE_LOST, /* tried again by the timer */
};

/* What is remembered of a point between rounds. */
struct mbus_memory {
	uint32_t point;
	unsigned failures; /* in a row */
	struct mbus_peer peer;
};

/* Why a round is wanted. */
struct mbus_want {
	struct ml_trigger trigger; /* kind "" : not by a trigger */
	struct ml_job *job;        /* NULL: nobody waits for its end */
	uint32_t point;            /* only this one; 0: all of the bus */
};

enum { MBUS_WANTS_MAX = 8 };

struct mbus_source {
	/* parameters */
	char *interface;
	char *bus;
	int64_t baud;
	int parity;
	int multi;
	int64_t limit;
	struct {
		ml_time response, initialization, collision, request, multi_response, latency;
		int64_t readout_retries, selection_retries, multi_retries;
	} timing;

	struct ml_node *node;
	struct meter_list *list;

	/* the line */
	struct ml_stream *stream;
	enum mbus_line_state line_state;
	bool claimed;
	struct ml_line line;
	ml_time retry_wait;
	struct ml_timer retry;
	bool told_lost; /* bus-lost was raised and not yet taken back */
	char why_lost[ML_ERROR_TEXT_MAX];

	/* the master */
	struct mbus_master master;
	struct mbus_tally counted; /* what of its tally is in the metrics */
	struct ml_timer timer;

	/* the round */
	bool in_round;
	struct mbus_want want; /* of this round */
	struct mbus_want wants[MBUS_WANTS_MAX];
	size_t want_count;
	struct ml_round round;
	const struct meter_snapshot *snapshot;
	uint32_t *order; /* places in the snapshot; owned */
	size_t order_count, order_next;
	bool cancelled;
	const struct meter_point *point; /* that is read now; NULL: none */
	struct mbus_memory *memories;    /* in the order of their points; owned */
	size_t memory_count, memory_capacity;
	struct ml_timer look; /* at the list, while it holds nothing for this bus */
	uint64_t looked_at;   /* revision */
};

/* source_line.c */
void mbus_line_start(struct mbus_source *s);
void mbus_line_stop(struct mbus_source *s);
/* Tries now, if it is waiting to try. */
void mbus_line_hurry(struct mbus_source *s);
/* Sends; false: the line is lost. */
bool mbus_line_send(struct mbus_source *s, const uint8_t *bytes, size_t length);
void mbus_line_set_baud(struct mbus_source *s, unsigned baud);
void mbus_line_show(struct mbus_source *s);

/* source_round.c */
/* Does all that can be done now: never from within `process`. */
void mbus_round_go_on(struct mbus_source *s);
/* Soon, from within anything. */
void mbus_round_soon(struct mbus_source *s);
/* false: too many wait already. */
bool mbus_round_want(struct mbus_source *s, const struct mbus_want *want);
void mbus_round_lost(struct mbus_source *s); /* the line went away */
void mbus_round_stop(struct mbus_source *s);
void mbus_round_cancel(struct mbus_source *s, struct ml_job *job);
/* How many active points of the list are on this bus. */
size_t mbus_round_points(struct mbus_source *s, const struct meter_snapshot *snapshot);

#endif
