/* The link layer of EN 13757-2 as the two ends of a line see it: frames to send, and frames found
 * in a stream of bytes that may hold noise, echoes and halves. SPDX-License-Identifier: Apache-2.0
 *
 * Pure: no clock, no I/O, no memory of its own. Thread-safe.
 */
#ifndef MBUS_LINK_H
#define MBUS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mbus/frame.h"

enum mbus_scan {
	MBUS_SCAN_NONE,    /* nothing that could be or become a frame; noise, or nothing at all */
	MBUS_SCAN_PARTIAL, /* the beginning of a frame */
	MBUS_SCAN_DAMAGED, /* a whole frame with a wrong checksum or stop byte, and nothing better
			    */
	MBUS_SCAN_ACK,     /* E5h at `begin` */
	MBUS_SCAN_SHORT,   /* a good short frame */
	MBUS_SCAN_LONG,    /* a good long (or control) frame */
};

struct mbus_found {
	size_t begin, length; /* of the frame; of the damaged or partial one's place */
};

/* Looks for the first good frame. `complete`: no more bytes will follow these, so that a beginning
 * without an end is noise. `ack`: a single E5h outside of a frame counts as one. */
enum mbus_scan mbus_link_scan(
	const uint8_t *bytes, size_t length, bool complete, bool ack, struct mbus_found *found);

/* The identity in a response's header (long frame, CI 72h or 73h): eight bytes as in a secondary
 * address. `whole` is false for the fixed structure (CI 73h), where only the number is known.
 * false: the frame has none. */
bool mbus_link_identity(const uint8_t *frame, size_t length, uint8_t identity[8], bool *whole);

/* Whether a meter with this identity is selected by the address: digits F of the number, FFFFh as
 * manufacturer, FFh as version and medium fit any. Not whole: the number alone is compared. */
bool mbus_link_matches(const uint8_t identity[8], bool whole, const uint8_t address[8]);

/* Whether a response says that more telegrams follow (DIF 1Fh after the last record). */
bool mbus_link_more_follows(const uint8_t *frame, size_t length);

/* The place after the record whose DIF is at `at`; `end` where it does not end before. */
size_t mbus_link_next_record(const uint8_t *bytes, size_t at, size_t end);

#endif
