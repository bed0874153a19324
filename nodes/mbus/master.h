/* The master of a wired bus (EN 13757-2), one meter at a time, as a state machine: it reads a
 * meter, tells it something, or only asks whether it is there.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure: it has no clock and does no I/O. What happens is told to it (a request, bytes that came, a
 * moment that is due), and what it wants done is asked of it after each:
 *
 *     mbus_master_read(m, &request, now);            or _received(), _sent(), _due()
 *     while (mbus_master_next(m, now, &step)) ...    send bytes, take a telegram, note a failure
 *     run the timer at mbus_master_when(m)
 *
 * A step may be left for later (no room downstream): the line rests meanwhile. Times are in
 * microseconds of any clock that only goes forward.
 */
#ifndef MBUS_MASTER_H
#define MBUS_MASTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>

#include "mbus/link.h"
#include "meter/frame.h"

/* The six settings of a bus, and those of the telegrams after the first. A time that is 0 follows
 * from the baud rate by EN 13757-2 (mbus_timing_derive). */
struct mbus_timing {
	ml_time response;       /* from the end of a request to the first byte of its answer */
	ml_time initialization; /* rest after SND_NKE */
	ml_time collision;      /* rest after a collision or a damaged answer */
	ml_time request;        /* rest between an answer and the next request */
	ml_time multi_response; /* as response, for the telegrams after the first */
	ml_time latency;        /* what adapter and network add to each answer */
	unsigned readout_retries;
	unsigned selection_retries;
	unsigned multi_retries;
	/* derived: a silence that ends a frame */
	ml_time gap;
};

/* Fills in what is 0:
 * response         330 bit times + 50 ms (the slave's longest) + 11 (its first byte) + latency
 * multi_response   as response
 * initialization   11 bit times
 * request          11 bit times
 * collision        330 bit times + 50 ms + latency: until every late answer has passed
 * gap              33 bit times + 20 ms + latency */
void mbus_timing_derive(struct mbus_timing *timing, unsigned baud);

/* What the master remembers of a meter between readouts; zero at first contact. */
struct mbus_peer {
	bool known; /* initialized, and its frame count bit is `fcb` next */
	bool fcb;
};

enum { MBUS_COMMAND_MAX = 32 };

struct mbus_request {
	bool secondary;
	uint8_t primary;    /* 0 to 250, or 254 */
	uint8_t address[8]; /* secondary: as in a selection, wildcards allowed */
	unsigned baud;
	/* At most so many in a readout; 1: only the first. 0: none is asked for; the command, or
	 * else the contact alone (SND_NKE or the selection), is all. */
	unsigned telegrams;
	/* Data sent to the meter before (SND_UD): an application reset, another baud rate. */
	bool has_command;
	bool command_optional; /* a meter that does not acknowledge it is read all the same */
	uint8_t command_ci;
	uint8_t command[MBUS_COMMAND_MAX];
	size_t command_length;
	bool quick; /* a meter that is silent at first contact is not asked any further */
	/* How long somebody who holds the line is waited for before the first frame; 0: not beyond
	 * the longest telegram. */
	ml_time patience;
	struct mbus_timing timing; /* derived */
	struct mbus_peer peer;
};

enum mbus_step_kind {
	MBUS_STEP_SEND,     /* bytes to send now */
	MBUS_STEP_TELEGRAM, /* a good telegram */
	MBUS_STEP_DONE,     /* all that was asked for without a readout was acknowledged */
	MBUS_STEP_FAILED,   /* the readout failed; bytes of the damaged answer, if any */
};

struct mbus_step {
	enum mbus_step_kind kind;
	const uint8_t *bytes; /* valid until the next call with this master */
	size_t length;
	enum meter_frame_result result; /* of MBUS_STEP_FAILED */
	unsigned telegram;              /* number, from 0 */
	unsigned tries;                 /* of this telegram, from 1 */
	bool last;                      /* the readout is over */
	bool limited;                   /* the meter had more telegrams */
	bool endless; /* failed: on a quiet line it began to send, and did not stop */
};

/* What was noticed, for the figures of a bus; only grows. */
struct mbus_tally {
	uint64_t requests; /* frames sent */
	uint64_t retries;  /* of them: sent again */
	uint64_t bytes_out, bytes_in;
	uint64_t noise;   /* bytes that belong to no frame */
	uint64_t broken;  /* bytes with a parity or framing error */
	uint64_t damaged; /* answers with a wrong checksum */
	uint64_t stale;   /* answers to another or an earlier request */
	uint64_t echoes;  /* own frames heard */
};

enum mbus_master_state {
	MBUS_IDLE,    /* no readout */
	MBUS_SENDING, /* a frame is ready to be sent */
	MBUS_WAITING, /* for an answer */
	MBUS_RESTING, /* until the next frame may be sent */
	MBUS_TELLING, /* a telegram or a failure is ready to be taken */
};

/* What is sent, and what is waited for. */
enum mbus_master_phase {
	MBUS_RESET,    /* SND_NKE to a primary address */
	MBUS_DESELECT, /* SND_NKE to all that are selected */
	MBUS_SELECT,
	MBUS_COMMAND,
	MBUS_REQUEST,
};

enum { MBUS_MASTER_BUFFER = 640 };

struct mbus_master {
	struct mbus_tally tally;
	/* private */
	struct mbus_request request;
	enum mbus_master_state state;
	enum mbus_master_phase phase;
	ml_time when;        /* ML_NEVER: nothing is due */
	ml_time deadline;    /* of the answer's first byte */
	ml_time give_up;     /* of the whole answer, whatever else is heard */
	ml_time rest_until;  /* nothing is sent before */
	ml_time quiet_by;    /* a line that never rests is not waited for any longer */
	ml_time sound_since; /* when what is heard on the line began */
	ml_time sound_last;  /* when something was last heard */
	ml_time good_last;   /* when a good frame was */
	unsigned attempt;    /* of RESET or of this telegram's REQUEST, from 0 */
	unsigned tries;      /* of this telegram, with those of its selection, from 1 */
	unsigned selections; /* tried, of this SELECT */
	unsigned number;     /* of the telegram that is asked for */
	bool resend;         /* what is sent next was sent before */
	bool last_try;       /* the meter did not answer SND_NKE: one request and no more */
	bool over;           /* what is told ends the readout */
	bool fresh;          /* nothing was sent yet */
	bool held;           /* what was sent first went out while somebody spoke */
	bool endless;
	bool limited;
	bool commanded;                    /* the command was acknowledged, or is left out */
	bool repeated;                     /* answers of this attempt that were not taken */
	enum meter_frame_result result;    /* of the attempts so far */
	enum meter_frame_result cancelled; /* METER_FRAME_OK: not */
	enum mbus_step_kind telling;
	uint8_t out[MBUS_FRAME_MAX];
	size_t out_length;
	uint8_t in[MBUS_MASTER_BUFFER];
	size_t in_length;
	size_t in_clean;    /* before this place is a byte with an error: no frame begins there */
	size_t in_broken;   /* bytes with an error in this attempt */
	size_t echo_length; /* of the own frame that comes back, still to come */
	bool echo_known;    /* whether there is one was seen */
	uint8_t answer[MBUS_FRAME_MAX]; /* the telegram, or what a failure shows */
	size_t answer_length;
	uint8_t before[MBUS_FRAME_MAX]; /* the telegram before, to know a repetition */
	size_t before_length;
};

void mbus_master_init(struct mbus_master *m);

/* Begins a readout; only while it is idle. */
void mbus_master_read(struct mbus_master *m, const struct mbus_request *request, ml_time now);

/* Gives the readout up: it ends with MBUS_STEP_FAILED and this result. Without one: nothing. */
void mbus_master_cancel(struct mbus_master *m, enum meter_frame_result result);

void mbus_master_received(struct mbus_master *m, const uint8_t *bytes, size_t length, ml_time now);
/* Bytes came with a parity or framing error: two sent at once, or the line is disturbed. */
void mbus_master_damaged(struct mbus_master *m, const uint8_t *bytes, size_t length, ml_time now);
/* All bytes of the last MBUS_STEP_SEND have left. Optional: without it the time on the line is
 * computed from the baud rate. */
void mbus_master_sent(struct mbus_master *m, ml_time now);
/* To be called at mbus_master_when() or later; harmless before. */
void mbus_master_due(struct mbus_master *m, ml_time now);

ml_time mbus_master_when(const struct mbus_master *m); /* ML_NEVER: nothing is due */
bool mbus_master_next(struct mbus_master *m, ml_time now, struct mbus_step *step);
bool mbus_master_idle(const struct mbus_master *m);
/* The next step is a telegram or an end, not bytes to send. */
bool mbus_master_telling(const struct mbus_master *m);

/* After the end of a readout: what to remember of the meter. */
struct mbus_peer mbus_master_peer(const struct mbus_master *m);

/* How long `length` bytes take on the line: 11 bits each. */
ml_time mbus_line_time(unsigned baud, size_t length);

#endif
