/* A virtual meter: the slave's side of EN 13757-2, with a real telegram as its answer.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure: no clock, no I/O, no allocation. The same seed, number and time give the same bytes.
 */
#ifndef SIM_METER_H
#define SIM_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>

#include "mbus/frame.h"
#include "meter/identity.h"
#include "sim/model.h"

/* What is wrong with it. */
enum {
	SIM_QUIRK_COLLIDING = 1 << 0, /* answers also when another is asked or selected */
	SIM_QUIRK_STUCK = 1 << 1,     /* sends the telegram before once more */
	SIM_QUIRK_NO_NKE = 1 << 2,    /* does not know SND_NKE */
	SIM_QUIRK_NO_FCB = 1 << 3,    /* ignores the frame count bit */
	SIM_QUIRK_SWAPPED = 1 << 4,   /* is another one, with another number */
};

struct sim_meter {
	const struct sim_model *model;
	uint64_t seed; /* of this meter */
	struct meter_identity identity;
	uint8_t secondary[8]; /* as on the bus */
	bool fixed;           /* the old fixed structure: only its number is an address */
	bool fabricated;      /* it tells a fabrication number, which is its number */
	uint8_t primary;      /* 0: not configured */
	uint8_t delay;        /* between a request and its answer, in bit times: 11 to 66 */
	unsigned baud;        /* 0: it follows the master */
	/* what the protocol changes */
	uint8_t access;
	bool selected;
	bool misled;  /* selected by what was meant for another */
	bool chiming; /* so was its last answer given */
	bool fcb_known, fcb;
	bool begun;           /* a telegram was sent since the last reset */
	unsigned telegram;    /* that was sent last */
	ml_time time;         /* of the values that were sent last, to repeat them */
	ml_time speaks_until; /* on the line; its line's matter */
	/* A new rate holds from the acknowledgement on, and only for good once the meter is spoken
	 * to at it: else the old one comes back. */
	unsigned next_baud, old_baud; /* 0: none */
	ml_time old_baud_at;
	bool repeating;  /* what was sent last was sent before */
	bool was_reset;  /* its counters began again at 0 */
	ml_time reset;   /* then */
	unsigned quirks; /* SIM_QUIRK_* */
	bool unplugged;
};

/* Makes meter `index` (from 0) of a bus. */
void sim_meter_init(struct sim_meter *meter, uint64_t seed, unsigned index);

/* What the meter answers to a master's frame at the wall time `wall`: the length of what was put
 * into out (MBUS_FRAME_MAX bytes), 0 where it is silent. */
size_t sim_meter_answer(
	struct sim_meter *meter, const struct mbus_frame *frame, ml_time wall, uint8_t *out);

/* Takes up a rate that it was told, or goes back to the old one. true: `baud` changed. */
bool sim_meter_settle(struct sim_meter *meter, ml_time wall);

/* Its counters begin again at 0, as in a meter that was exchanged for one of the same number. */
void sim_meter_reset(struct sim_meter *meter, ml_time wall);

/* Telegram `number` with the values of the wall time. For tests and lists. */
size_t sim_meter_telegram(
	const struct sim_meter *meter, unsigned number, ml_time wall, uint8_t *out);

/* It is taken off the line, or put back on it: what it remembered of the protocol is gone then. */
void sim_meter_unplug(struct sim_meter *meter, bool unplugged);

/* The eight bytes of its secondary address, as it is now. */
void sim_meter_secondary(const struct sim_meter *meter, uint8_t out[8]);

/* A good mixer of 64 bits. */
uint64_t sim_hash(uint64_t a, uint64_t b);

#endif
