/* One probe of a search on the line: who is there at this address?
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure, as the master is: what happens is told to it, and what it wants done is asked of it after
 * each. A probe is one selection (or SND_NKE to a primary address) with what follows from it:
 *
 *     one E5h alone        REQ_UD2, to hear who it is
 *     several E5h          several; nothing more is asked
 *     E5h and more         REQ_UD2 all the same, until it is known what that means on this line
 *     no E5h, but bytes    SND_NKE to all that are selected: silence means that it was noise
 *
 * Other than a readout it listens on, until the latest moment at which anybody may begin to
 * answer: a second meter must not be covered by the next request.
 */
#ifndef MBUS_SEARCH_PROBE_H
#define MBUS_SEARCH_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>

#include "mbus/frame.h"
#include "mbus/master.h"
#include "mbus/search.h"

enum { MBUS_PROBE_BUFFER = 640 };

enum mbus_probe_step {
	MBUS_PROBE_WAIT, /* until mbus_probe_when(), or until something is heard */
	MBUS_PROBE_SEND,
	MBUS_PROBE_OVER, /* `answer` holds */
};

/* How often a kind of answer meant what; for as long as the line is the same. */
struct mbus_probe_sense {
	uint8_t one, several;
};

/* To be zeroed once for a line. */
struct mbus_probe {
	struct mbus_search_answer answer;
	/* private */
	struct mbus_search_probe what;
	struct mbus_timing timing; /* derived */
	uint8_t phase, state;
	uint8_t requests;   /* sent in this probe */
	bool contacted;     /* once at least, in vain */
	bool disturbed;     /* something was heard beside the acknowledgement */
	bool over;          /* and not yet told */
	ml_time when;       /* ML_NEVER: nothing is due */
	ml_time deadline;   /* until then anybody may begin to answer */
	ml_time give_up;    /* whatever is heard */
	ml_time rest_until; /* nothing is sent before */
	ml_time quiet_by;   /* a line that never rests is not waited for any longer */
	struct mbus_probe_sense beside, after; /* an E5h with more; a clean one, and then garbage */
	uint8_t out[MBUS_FRAME_MAX];
	size_t out_length;
	size_t in_length;
	uint8_t in[MBUS_PROBE_BUFFER];
	bool broken[MBUS_PROBE_BUFFER]; /* bytes with a parity or framing error */
};

void mbus_probe_begin(struct mbus_probe *p, const struct mbus_search_probe *what,
	const struct mbus_timing *timing, ml_time now);
void mbus_probe_received(
	struct mbus_probe *p, const uint8_t *bytes, size_t length, bool damaged, ml_time now);
enum mbus_probe_step mbus_probe_next(
	struct mbus_probe *p, ml_time now, const uint8_t **bytes, size_t *length);
ml_time mbus_probe_when(const struct mbus_probe *p);

#endif
