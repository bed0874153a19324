/* The message `frame`: the bytes of one telegram with where, whom and how it was read; or that a
 * readout failed, and why.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The message's own time is the wall time at which the telegram's last byte came. A readout of one
 * meter is one or more frames with the telegram numbers 0, 1, 2 ...; the last has METER_FRAME_LAST.
 * A failed readout ends with a frame whose result is not METER_FRAME_OK: telegrams of the same
 * readout that came before it are good and were sent before it. A readout that was broken off and
 * begins anew within a round begins with number 0 again.
 *
 * Thread-safety: a frame is immutable once emitted; all functions are pure.
 */
#ifndef METER_FRAME_H
#define METER_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/message.h>

enum meter_link {
	METER_LINK_WIRED,    /* EN 13757-2: from the start byte to the stop byte */
	METER_LINK_WIRELESS, /* EN 13757-4: L field first, block checks removed */
};

enum meter_addressing {
	METER_ADDRESS_NONE,      /* heard, not asked */
	METER_ADDRESS_PRIMARY,   /* `primary` */
	METER_ADDRESS_SECONDARY, /* `secondary`, as it was selected */
};

#define METER_FRAME_RESULT_LIST(X) \
	X(OK, "ok")               /* the bytes are one whole, checked telegram */ \
	X(TIMEOUT, "timeout")     /* no answer to any try */ \
	X(CHECKSUM, "checksum")   /* an answer with a wrong checksum; its bytes are here */ \
	X(MALFORMED, "malformed") /* bytes that are no telegram, or half of one; they are here */ \
	X(COLLISION, "collision") /* several answered at once: framing errors, a broken E5h */ \
	X(WRONG_METER, "wrong-meter") /* another meter answered; its telegram is here */ \
	X(REPEATED, "repeated")   /* the meter sent the telegram before once more, not the next */ \
	X(REFUSED, "refused")     /* the meter answered E5h: it has no data */ \
	X(NO_BUS, "no-bus")       /* the interface was lost or could not be opened */ \
	X(CANCELLED, "cancelled") /* the readout was given up */

enum meter_frame_result {
#define X(name, text) METER_FRAME_##name,
	METER_FRAME_RESULT_LIST(X)
#undef X
		METER_FRAME_RESULTS,
};

enum {                              /* flags */
	METER_FRAME_LAST = 1,       /* the last of this readout of this meter */
	METER_FRAME_HAS_SIGNAL = 2, /* `signal` is known */
	METER_FRAME_LIMIT = 4, /* more telegrams would follow; the limit of the readout ended it */
};

enum {
	METER_FRAME_BUS_MAX = 32,       /* with the NUL; longer names are cut */
	METER_FRAME_INTERFACE_MAX = 64, /* with the NUL; longer names are cut */
	METER_FRAME_BYTES_MAX = 16 * 1024,
};

struct meter_frame {
	uint64_t point;       /* surrogate key in the meter list; 0: not known */
	uint64_t round;       /* the round it was read in; 0: none */
	uint8_t secondary[8]; /* with METER_ADDRESS_SECONDARY: as sent in a selection, low bytes
				 first */
	uint32_t origin;      /* by which way it came (origin.h); 0: not known */
	uint16_t telegram;    /* number within the readout, from 0 */
	uint16_t tries;       /* how often it was asked for, from 1 */
	uint16_t length;      /* of `bytes` */
	int16_t signal;       /* dBm at the receiver */
	uint8_t link;         /* enum meter_link */
	uint8_t addressing;   /* enum meter_addressing */
	uint8_t primary;      /* address that was asked: 0 to 250, 253 after a selection */
	uint8_t result;       /* enum meter_frame_result */
	uint8_t flags;
	char bus[METER_FRAME_BUS_MAX];             /* of the meter list; "" is the default one */
	char interface[METER_FRAME_INTERFACE_MAX]; /* adapter or receiver: "serial:/dev/ttyUSB0" */
	uint8_t bytes[];
};

/* Declared by the family "meter". The payload is a struct meter_frame with its bytes. */
extern const struct ml_message_type meter_frame_type;

static inline const struct meter_frame *meter_frame(const struct ml_message *message)
{
	return (const struct meter_frame *)(const void *)message->payload;
}

/* Makes a frame message with the bytes copied and the rest zero: a wired, good frame that the
 * caller fills up before it emits. NULL: out of memory, or longer than METER_FRAME_BYTES_MAX. */
struct ml_message *meter_frame_new(struct ml_node *node, const uint8_t *bytes, size_t length,
	const struct ml_message *parent, struct meter_frame **ret_frame);

/* "ok", "timeout" ...; never NULL. */
const char *meter_frame_result_name(unsigned result);

enum { METER_ADDRESS_TEXT_MAX = 32 };

/* The address that was asked, for people: "5", "12345678.KAM.1B.04" (FF and FFFF: any), "" for
 * none. Returns the length. */
size_t meter_frame_address(const struct meter_frame *frame, char out[METER_ADDRESS_TEXT_MAX]);

#endif
