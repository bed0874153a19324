/* Frames of EN 13757-2: the link layer of the wired bus.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure: no clock, no I/O, no allocation.
 */
#ifndef MBUS_FRAME_H
#define MBUS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MBUS_FRAME_MAX = 261, /* 68 L L 68, L bytes, checksum, 16 */
	MBUS_DATA_MAX = 252,  /* after the CI field */

	MBUS_ADDRESS_NEW = 0,         /* as delivered */
	MBUS_ADDRESS_LAST = 250,      /* the last that a meter may have */
	MBUS_ADDRESS_SELECTED = 253,  /* the meter that a selection chose */
	MBUS_ADDRESS_TEST = 254,      /* all, and all answer */
	MBUS_ADDRESS_BROADCAST = 255, /* all, and none answers */
};

enum mbus_control {
	MBUS_SND_NKE = 0x40,
	MBUS_SND_UD = 0x53,
	MBUS_REQ_UD1 = 0x5A,
	MBUS_REQ_UD2 = 0x5B,
	MBUS_RSP_UD = 0x08,
	MBUS_FCB = 0x20, /* frame count bit, of what the master sends */
	MBUS_FCV = 0x10, /* it counts */
	MBUS_ACD = 0x20, /* of an answer: the meter has alarm data */
	MBUS_DFC = 0x10, /* of an answer: it can take no more */
};

enum mbus_frame_kind {
	MBUS_FRAME_ACK = 1, /* E5h */
	MBUS_FRAME_SHORT,   /* 10h */
	MBUS_FRAME_LONG,    /* 68h; a control frame is one without data */
};

struct mbus_frame {
	enum mbus_frame_kind kind;
	uint8_t control;
	uint8_t address;
	uint8_t ci;
	const uint8_t *bytes; /* the whole frame, from start to stop byte */
	size_t length;
	const uint8_t *data; /* after the CI field */
	size_t data_length;
};

enum mbus_check {
	MBUS_CHECK_OK,
	MBUS_CHECK_MORE,     /* right so far; more bytes are needed */
	MBUS_CHECK_START,    /* the first byte starts no frame */
	MBUS_CHECK_LENGTH,   /* the length bytes differ, or are under 3 */
	MBUS_CHECK_SECOND,   /* the second start byte is not 68h */
	MBUS_CHECK_CHECKSUM, /* wrong */
	MBUS_CHECK_STOP,     /* the last byte is not 16h */
};

/* Looks at the frame that begins at bytes[0]; *frame is set when it is whole and right. *at, which
 * may be NULL, is the offset of what is wrong. */
enum mbus_check mbus_frame_check(
	const uint8_t *bytes, size_t length, struct mbus_frame *frame, size_t *at);

/* What a wrong check means, for people; "" for OK. */
const char *mbus_check_text(enum mbus_check check);

/* ---- Parser of a byte stream ---- */

/* Finds frames in what comes from a line, in pieces of any size, and takes up again after garbage:
 * the first byte of what is no frame is dropped, and the rest is looked at anew. */
struct mbus_parser {
	uint8_t bytes[MBUS_FRAME_MAX];
	size_t used;
	size_t done;              /* bytes of the frame that was given last */
	uint64_t junk;            /* bytes dropped since mbus_parser_init() */
	enum mbus_check last_bad; /* why bytes were dropped last; OK: never */
};

void mbus_parser_init(struct mbus_parser *parser);

/* Takes bytes up to the end of a frame. Returns how many it took; frame->kind is 0 where no frame
 * was ended, and all were taken then. The frame's bytes are the parser's and stay until the next
 * call. */
size_t mbus_parser_feed(
	struct mbus_parser *parser, const uint8_t *bytes, size_t length, struct mbus_frame *frame);

/* true: half a frame has come. */
bool mbus_parser_pending(const struct mbus_parser *parser);

/* Drops what came of a frame that will not be ended (the line was silent for too long); returns how
 * many bytes that were. They count as junk. */
size_t mbus_parser_reset(struct mbus_parser *parser);

/* ---- Frames to send: each returns the length; out has MBUS_FRAME_MAX bytes ---- */

size_t mbus_build_ack(uint8_t *out);
size_t mbus_build_short(uint8_t *out, uint8_t control, uint8_t address);
/* 0: more than MBUS_DATA_MAX bytes of data. */
size_t mbus_build_long(uint8_t *out, uint8_t control, uint8_t address, uint8_t ci,
	const uint8_t *data, size_t length);

size_t mbus_build_snd_nke(uint8_t *out, uint8_t address);
size_t mbus_build_req_ud1(uint8_t *out, uint8_t address, bool fcb); /* alarm data */
size_t mbus_build_req_ud2(uint8_t *out, uint8_t address, bool fcb); /* readings */

/* Selects a meter by its secondary address (id, manufacturer, version, medium, low bytes first; F
 * digits and FFh bytes stand for any). With `fabrication` (four bytes of eight digits, or NULL) its
 * enhanced form, which tells apart meters of the same address. */
size_t mbus_build_select(uint8_t *out, const uint8_t secondary[8], const uint8_t fabrication[4]);

/* Application reset; with a sub code (kind of data wanted, -1: none) an application select. */
size_t mbus_build_application_reset(uint8_t *out, uint8_t address, int subcode);

/* Tells a meter its baud rate: 300, 600, 1200, 2400, 4800, 9600, 19200 or 38400. 0: there is no CI
 * for it. */
size_t mbus_build_set_baud(uint8_t *out, uint8_t address, unsigned baud);

/* Tells the meter its primary address. */
size_t mbus_build_set_address(uint8_t *out, uint8_t address, uint8_t new_address);

#endif
