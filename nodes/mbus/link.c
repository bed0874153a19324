/* Frames of EN 13757-2 found among noise, and what answers say.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/link.h"

#include <string.h>

#include "mbus/application.h"
#include "meter/reading.h"

enum {
	START_SHORT = 0x10,
	START_LONG = 0x68,
	ACK = 0xE5,
	SHORT_LENGTH = 5,
	LONG_HEAD = 4,

	AT_CI = 6,
	AT_DATA = 7, /* after CI */

	CI_VARIABLE = 0x72, /* long header */
	CI_FIXED = 0x73,

	DATA_VARIABLE = 0x0D,
	EXTENSION = 0x80,
	VIF_TEXT = 0x7C,
};

/* ---- Finding ---- */

/* What stands at the beginning of `bytes`; *length is that of the whole frame where it is known. */
static enum mbus_scan look(const uint8_t *bytes, size_t have, size_t *length)
{
	struct mbus_frame frame;
	*length = 1;
	if (bytes[0] != START_SHORT && bytes[0] != START_LONG)
		return MBUS_SCAN_NONE;
	const enum mbus_check check = mbus_frame_check(bytes, have, &frame, NULL);
	if (bytes[0] == START_SHORT)
		*length = SHORT_LENGTH;
	else if (have >= LONG_HEAD)
		*length = LONG_HEAD + (size_t)bytes[1] + 2;
	switch (check) {
	case MBUS_CHECK_OK:
		return frame.kind == MBUS_FRAME_SHORT ? MBUS_SCAN_SHORT : MBUS_SCAN_LONG;
	case MBUS_CHECK_MORE:
		return MBUS_SCAN_PARTIAL;
	case MBUS_CHECK_CHECKSUM:
	case MBUS_CHECK_STOP:
		return MBUS_SCAN_DAMAGED;
	default:
		return MBUS_SCAN_NONE;
	}
}

enum mbus_scan mbus_link_scan(
	const uint8_t *bytes, size_t length, bool complete, bool ack, struct mbus_found *found)
{
	enum mbus_scan best = MBUS_SCAN_NONE;
	*found = (struct mbus_found){.begin = 0, .length = length};
	for (size_t i = 0; i < length; i++) {
		size_t size = 1;
		enum mbus_scan here = look(bytes + i, length - i, &size);
		if (ack && bytes[i] == ACK)
			here = MBUS_SCAN_ACK;
		if (here == MBUS_SCAN_PARTIAL && complete)
			here = MBUS_SCAN_NONE;
		if (here == MBUS_SCAN_NONE)
			continue;
		/* A damaged short frame is most often a 10h within something else. */
		if (here == MBUS_SCAN_DAMAGED && bytes[i] == START_SHORT)
			continue;
		if (here >= MBUS_SCAN_ACK) {
			*found = (struct mbus_found){.begin = i, .length = size};
			return here;
		}
		if (best == MBUS_SCAN_NONE) {
			best = here;
			*found = (struct mbus_found){.begin = i, .length = size};
		}
		/* What a frame that is still coming holds is not looked at: its bytes are its own.
		 */
		if (here == MBUS_SCAN_PARTIAL && size > SHORT_LENGTH)
			break;
	}
	return best;
}

/* ---- Responses ---- */

bool mbus_link_identity(const uint8_t *frame, size_t length, uint8_t identity[8], bool *whole)
{
	if (length < AT_DATA + 8 + 2 || frame[0] != START_LONG)
		return false;
	if (frame[AT_CI] == CI_VARIABLE) {
		memcpy(identity, frame + AT_DATA, 8);
		*whole = true;
		return true;
	}
	if (frame[AT_CI] == CI_FIXED) {
		memcpy(identity, frame + AT_DATA, 4);
		memset(identity + 4, 0xFF, 4);
		*whole = false;
		return true;
	}
	return false;
}

static bool digit_fits(unsigned digit, unsigned wanted)
{
	return wanted == 0xF || digit == wanted;
}

bool mbus_link_matches(const uint8_t identity[8], bool whole, const uint8_t address[8])
{
	for (size_t i = 0; i < 4; i++) {
		if (!digit_fits(identity[i] >> 4, address[i] >> 4) ||
			!digit_fits(identity[i] & 0xFu, address[i] & 0xFu))
			return false;
	}
	if (!whole)
		return true;
	const bool any_manufacturer = address[4] == 0xFF && address[5] == 0xFF;
	if (!any_manufacturer && (identity[4] != address[4] || identity[5] != address[5]))
		return false;
	return (address[6] == 0xFF || identity[6] == address[6]) &&
	       (address[7] == 0xFF || identity[7] == address[7]);
}

/* Bytes of data after a variable length byte. */
static size_t variable_length(uint8_t lvar)
{
	if (lvar <= 0xBF)
		return lvar;
	if (lvar <= 0xCF)
		return lvar - 0xC0u;
	if (lvar <= 0xDF)
		return lvar - 0xD0u;
	if (lvar <= 0xEF)
		return lvar - 0xE0u;
	if (lvar <= 0xF4)
		return 4u * (lvar - 0xECu);
	return lvar == 0xF5 ? 48 : lvar == 0xF6 ? 64 : 0;
}

size_t mbus_link_next_record(const uint8_t *bytes, size_t at, size_t end)
{
	static const uint8_t lengths[16] = {0, 1, 2, 3, 4, 4, 6, 8, 0, 1, 2, 3, 4, 0, 6, 0};
	const uint8_t dif = bytes[at];
	while (at < end && (bytes[at++] & EXTENSION))
		;
	if (at >= end)
		return end;
	const bool text = (bytes[at] & 0x7F) == VIF_TEXT;
	bool extended = (bytes[at++] & EXTENSION) != 0;
	if (text && at < end)
		at += 1u + bytes[at];
	while (extended && at < end)
		extended = (bytes[at++] & EXTENSION) != 0;
	if ((dif & 0x0F) == DATA_VARIABLE && at < end)
		at += 1 + variable_length(bytes[at]);
	else
		at += lengths[dif & 0x0F];
	return at < end ? at : end;
}

bool mbus_link_more_follows(const uint8_t *frame, size_t length)
{
	_Alignas(8) uint8_t block[METER_READING_MAX];
	const struct meter_reading *reading = (const void *)block;
	return mbus_decode_frame(block, sizeof block, frame, length, 0, NULL) == 0 &&
	       (reading->flags & METER_MORE_FOLLOWS);
}
