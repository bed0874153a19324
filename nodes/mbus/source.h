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

#include "mbus/errand.h"
#include "mbus/master.h"
#include "meter/list.h"

struct meter_readouts;
struct mbus_record;
struct ml_job;
struct search_run;

enum { MBUS_PORT_IN, MBUS_PORT_OUT, MBUS_PORT_CONTINUOUS };

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
	MBUS_BROKEN,
	MBUS_SILENT,
	MBUS_PASSES,
	MBUS_METERS,
	MBUS_ROUND_TIME,
};

enum mbus_line_state {
	MBUS_LINE_CLOSED,  /* not ours yet, or given up */
	MBUS_LINE_OPENING, /* `opened` or `failed` is to come */
	MBUS_LINE_OPEN,
	MBUS_LINE_LOST, /* tried again by the timer */
};

enum mbus_application { MBUS_APPLICATION_NEVER, MBUS_APPLICATION_FIRST, MBUS_APPLICATION_ALWAYS };

/* What is remembered of a point between rounds; over a restart by its readouts. */
struct mbus_memory {
	uint32_t point;
	unsigned failures;    /* in a row */
	unsigned passes_left; /* of the continuous readout, until it is tried again */
	bool read;            /* once at least */
	bool endless;         /* when asked last it did not stop sending */
	struct mbus_peer peer;
};

enum { MBUS_DEAD_AFTER = 3 }; /* failures in a row */

/* A way through meters of the bus: a round, or a pass of the continuous readout. */
struct mbus_tour {
	const struct meter_snapshot *snapshot; /* NULL: there is none */
	uint32_t *order;                       /* places in the snapshot; owned */
	size_t count, next;
	size_t firsts; /* what stands behind them is tried for the second time */
	size_t lasts;  /* so many at the end did not stop sending */
};

/* Why a round is wanted. */
struct mbus_want {
	struct ml_trigger trigger; /* kind "" : not by a trigger */
	struct ml_job *job;        /* NULL: nobody waits for its end */
	uint32_t *points;          /* only these; owned; NULL: all of the bus */
	size_t point_count;
};

enum { MBUS_WANTS_MAX = 8 };

/* What was told of rounds. */
struct mbus_told {
	char names[200]; /* of the first that failed in this round */
	unsigned named;  /* how many failed, also those that found no room */
	unsigned rounds; /* since the last event, with this one */
	bool any;        /* there was an event */
	bool complete;   /* in that all were read */
	bool changes;    /* there was one that was otherwise than the one before it */
	ml_time at, changed_at;
};

/* What rests while a few meters are read between two of a round. */
struct mbus_interlude {
	bool on;
	bool had; /* one, since the round read a meter: so that it gets on */
	struct mbus_tour tour;
	struct mbus_want want;
	struct ml_round round;
	bool cancelled;
	unsigned put_back;
};

struct mbus_source {
	/* parameters */
	char *interface;
	char *bus;
	int64_t baud;
	int parity;
	int multi;
	int64_t limit;
	int application;
	int64_t application_code; /* -1: none */
	bool continuous;
	ml_time continuous_pause;
	ml_time patience; /* with a line that was lost within a round */
	int short_signal; /* see source_line.c; 0: it is not shown */
	struct {
		ml_time response, initialization, collision, request, multi_response, latency;
		int64_t readout_retries, selection_retries, multi_retries;
	} timing;

	struct ml_node *node;
	struct meter_list *list;
	struct meter_readouts *readouts; /* may be NULL */
	uint32_t origin;                 /* of its telegrams */

	/* the line */
	struct ml_stream *stream;
	enum mbus_line_state line_state;
	bool claimed;
	struct ml_line line;
	ml_time retry_wait;
	struct ml_timer retry;
	bool told_lost; /* bus-lost was raised and not yet taken back */
	char why_lost[ML_ERROR_TEXT_MAX];
	ml_time lost_since; /* ML_NEVER: it was not open before */
	char *stable;       /* the address under which an adapter comes back; owned, may be NULL */
	bool shorted, silent;       /* as was told last */
	struct mbus_record *record; /* who writes down what goes over it; NULL: nobody */

	/* the master */
	struct mbus_master master;
	struct mbus_tally counted; /* what of its tally is in the metrics */
	struct ml_timer timer;

	/* who uses the line */
	struct mbus_tour tour;           /* of the round, or else of the continuous readout */
	const struct meter_point *point; /* that is read now; NULL: none */
	ml_time point_since;             /* monotonic */
	unsigned point_values;           /* in its telegrams so far, for a job that waits */
	unsigned put_back;               /* how often, since the line was lost under it */
	struct mbus_errand *errand;      /* to whom the line is lent */
	struct mbus_errand *errands;     /* that wait for it */
	struct search_run *search;       /* of the bus; NULL: none */

	/* the round */
	bool in_round;
	uint64_t rounds_ended;
	struct mbus_want want; /* of this round */
	struct mbus_want wants[MBUS_WANTS_MAX];
	size_t want_count;
	struct ml_round round;
	bool cancelled;
	struct mbus_told told;
	struct mbus_interlude interlude;

	/* the continuous readout */
	ml_time pass_at;    /* when the next pass begins */
	uint32_t continued; /* the point after which it goes on; 0: from the first */
	unsigned pass_read; /* in this pass */

	struct mbus_memory *memories; /* in the order of their points; owned */
	size_t memory_count, memory_capacity;
	struct ml_timer look; /* at the list, while it holds nothing for this bus */
	uint64_t looked_at;   /* revision */
};

/* source_params.c */
extern const struct ml_param mbus_source_params[];

/* source_line.c */
void mbus_line_start(struct mbus_source *s);
void mbus_line_stop(struct mbus_source *s);
/* Tries now, if it is waiting to try. */
void mbus_line_hurry(struct mbus_source *s);
/* Open, or lost for too long to be waited for. */
bool mbus_line_settled(const struct mbus_source *s);
/* Sends; false: the line is lost. */
bool mbus_line_send(struct mbus_source *s, const uint8_t *bytes, size_t length);
void mbus_line_set_baud(struct mbus_source *s, unsigned baud);
/* Looks whether the converter tells of a short circuit. */
void mbus_line_look(struct mbus_source *s);
void mbus_line_show(struct mbus_source *s);

/* adapter.c */
/* The name in `folder` (/dev/serial/by-id) that is a link to the device of a serial address, as an
 * address of its own. false: there is none, or the address is that name already. */
bool mbus_adapter_stable(const char *folder, const char *address, char *stable, size_t size);

/* source_tour.c */
/* What is remembered of a point; it is made where there is nothing yet. NULL: out of memory. */
struct mbus_memory *mbus_memory_of(struct mbus_source *s, uint32_t point);
/* The active points of the bus in the order in which they are read, or, where `only` is not NULL,
 * those. -ENOMEM. */
int mbus_tour_begin(struct mbus_source *s, const uint32_t *only, size_t only_count);
/* Puts a meter that failed for the first time to the end; one that does not stop sending behind all
 * others. */
void mbus_tour_try_again(struct mbus_source *s, size_t place, bool endless);
void mbus_tour_end(struct mbus_source *s);
/* How many active points of the list are on this bus. */
size_t mbus_tour_points(const struct mbus_source *s, const struct meter_snapshot *snapshot);

/* source_meter.c */
/* The timing of this bus at a rate, and nothing else. */
void mbus_source_request(const struct mbus_source *s, unsigned baud, struct mbus_request *request);
/* How a point is asked, but for what is asked of it. baud 0: as the list says. */
void mbus_meter_request(struct mbus_source *s, const struct meter_point *point, unsigned baud,
	struct mbus_request *request);
/* Begins with the next meter of the tour. */
void mbus_meter_begin(struct mbus_source *s);
void mbus_meter_step(struct mbus_source *s, const struct mbus_step *step);
/* The port of what is read now. */
unsigned mbus_meter_port(const struct mbus_source *s);

/* source_tell.c */
void mbus_tell_address(const struct meter_point *point, struct meter_frame *frame);
/* A meter failed all tries of a round, after it had been read; or is back after many such rounds.
 */
void mbus_tell_failure(struct mbus_source *s, enum meter_frame_result result);
void mbus_tell_return(struct mbus_source *s, unsigned failures);
/* A good telegram of the meter that is read now; the end of its readout, with so many of them. */
void mbus_tell_telegram(struct mbus_source *s, const struct mbus_step *step);
void mbus_tell_readout(struct mbus_source *s, const struct mbus_step *step, unsigned telegrams);
void mbus_tell_round_begins(struct mbus_source *s);
void mbus_tell_round(struct mbus_source *s, ml_time took);
/* Ends the job that waits for the round, if any. */
void mbus_tell_job(struct mbus_source *s, ml_time took);

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

/* source_continuous.c */
/* One thing; false: nothing can be done before *when. */
bool mbus_continuous_go_on(struct mbus_source *s, ml_time *when);

/* source_action.c */
extern const struct ml_action mbus_source_actions[];

/* source_record.c */
/* Records for so long, or until so many bytes of text are written. */
void mbus_record_begin(struct mbus_source *s, struct ml_job *job, ml_time length, uint64_t room);
void mbus_record_stop(struct mbus_source *s);
/* Only where s->record is set: */
void mbus_record_bytes(
	struct mbus_source *s, bool sent, const uint8_t *bytes, size_t length, bool damaged);
void mbus_record_baud(struct mbus_source *s, unsigned baud);
void mbus_record_line(struct mbus_source *s, bool open, const char *why);

/* source_baud.c */
void mbus_baud_set(struct mbus_source *s, struct ml_job *job, uint32_t point, unsigned baud);
int mbus_baud_check(const json_t *value, struct ml_error *err);

#endif
