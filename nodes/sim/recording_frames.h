/* What a recording says, frame by frame: for people, and for whoever looks for meters in it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure: no clock, no I/O, no allocation.
 */
#ifndef SIM_RECORDING_FRAMES_H
#define SIM_RECORDING_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mbus/frame.h"
#include "mbus/recording.h"

enum sim_item_kind {
	SIM_ITEM_FRAME,   /* a good one */
	SIM_ITEM_DAMAGED, /* a whole one with a wrong checksum or stop byte */
	SIM_ITEM_NOISE,   /* bytes that are no frame, or half of one */
	SIM_ITEM_SILENCE, /* nothing answered the master's frame before */
	SIM_ITEM_STATE,   /* of the interface: `event` */
};

struct sim_item {
	enum sim_item_kind kind;
	bool from_master;
	bool echo;         /* the line's: the master's own frame once more */
	ml_time time;      /* of the first byte; a silence's begin */
	ml_time after;     /* the line's: since the master's frame went out; a silence's length */
	bool has_question; /* `after` is known */
	unsigned repeat;   /* the master's: how often it was sent before without an answer */
	size_t bad;        /* bytes with a parity or framing error */
	const uint8_t *bytes;
	size_t length;
	struct mbus_frame frame;           /* FRAME */
	const struct mbus_recorded *event; /* STATE */
	const struct mbus_frame *question; /* the line's: what it answers; NULL: unknown */
};

enum { SIM_SIDE_MAX = 1024 };

/* What came from one side and is no whole frame yet. */
struct sim_side {
	uint8_t bytes[SIM_SIDE_MAX];
	bool bad[SIM_SIDE_MAX];
	size_t length;
	ml_time begin, last; /* of its first and last byte */
};

struct sim_frames {
	void *user;
	void (*item)(void *user, const struct sim_item *item);
	/* private */
	struct sim_side sides[2];
	uint8_t asked[MBUS_FRAME_MAX]; /* the master's last frame */
	struct mbus_frame question;
	ml_time asked_at;
	bool has_question;
	bool heard;    /* anything since */
	bool answered; /* a good frame since */
	unsigned repeat;
};

void sim_frames_init(struct sim_frames *frames, void *user,
	void (*item)(void *user, const struct sim_item *item));
void sim_frames_event(struct sim_frames *frames, const struct mbus_recorded *event);
/* There is no more: what is half is told as it is. */
void sim_frames_end(struct sim_frames *frames);

enum { SIM_ITEM_TEXT_MAX = 320 };

/* "REQ_UD2 to 5, FCB 1", "12345678.KAM.1B.04 answers …", in one line of English. Returns the
 * length. */
size_t sim_item_text(const struct sim_item *item, char out[SIM_ITEM_TEXT_MAX]);
/* "SND_NKE", "REQ_UD2", "RSP_UD", "E5h" …; "" where it is no frame. */
const char *sim_item_name(const struct sim_item *item);

#endif
