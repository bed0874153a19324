/* Frames of EN 13757-2: built, and found among noise.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/link.h"

#include <string.h>

enum {
	START_SHORT = 0x10,
	START_LONG = 0x68,
	STOP = 0x16,
	LONG_HEAD = 4,

	AT_CI = 6,
	AT_DATA = 7, /* after CI */

	CI_VARIABLE = 0x72, /* long header */
	CI_FIXED = 0x73,
	CI_VARIABLE_SHORT = 0x7A,
	CI_VARIABLE_NONE = 0x78,
	HEADER_LONG = 12,
	HEADER_SHORT = 4,

	DIF_FILLER = 0x2F,
	DIF_MANUFACTURER = 0x0F,
	DIF_MORE_FOLLOWS = 0x1F,
	DATA_VARIABLE = 0x0D,
	DATA_SPECIAL = 0x0F,
	EXTENSION = 0x80,
	VIF_TEXT = 0x7C,
};

static uint8_t sum(const uint8_t *bytes, size_t length)
{
	unsigned total = 0;
	for (size_t i = 0; i < length; i++)
		total += bytes[i];
	return (uint8_t)(total & 0xFF);
}

size_t mbus_link_short(uint8_t out[MBUS_SHORT_LENGTH], uint8_t control, uint8_t address)
{
	out[0] = START_SHORT;
	out[1] = control;
	out[2] = address;
	out[3] = sum(out + 1, 2);
	out[4] = STOP;
	return MBUS_SHORT_LENGTH;
}

size_t mbus_link_long(uint8_t *out, const uint8_t *body, size_t length)
{
	out[0] = out[3] = START_LONG;
	out[1] = out[2] = (uint8_t)length;
	memmove(out + LONG_HEAD, body, length);
	out[LONG_HEAD + length] = sum(out + LONG_HEAD, length);
	out[LONG_HEAD + length + 1] = STOP;
	return LONG_HEAD + length + 2;
}

size_t mbus_link_select(uint8_t out[MBUS_SELECT_LENGTH], const uint8_t address[8])
{
	uint8_t body[11] = {MBUS_C_SND_UD, MBUS_ADDRESS_SELECTED, MBUS_CI_SELECT};
	memcpy(body + 3, address, 8);
	return mbus_link_long(out, body, sizeof body);
}

/* ---- Finding ---- */

/* What stands at the beginning of `bytes`; *length is that of the whole frame where it is known. */
static enum mbus_scan look(const uint8_t *bytes, size_t have, size_t *length)
{
	*length = 1;
	if (bytes[0] == START_SHORT) {
		*length = MBUS_SHORT_LENGTH;
		if (have < MBUS_SHORT_LENGTH)
			return MBUS_SCAN_PARTIAL;
		return bytes[4] == STOP && bytes[3] == sum(bytes + 1, 2) ? MBUS_SCAN_SHORT
									 : MBUS_SCAN_DAMAGED;
	}
	if (bytes[0] != START_LONG)
		return MBUS_SCAN_NONE;
	if ((have > 1 && bytes[1] < 3) || (have > 2 && bytes[2] != bytes[1]) ||
		(have > 3 && bytes[3] != START_LONG))
		return MBUS_SCAN_NONE;
	if (have < LONG_HEAD)
		return MBUS_SCAN_PARTIAL;
	const size_t body = bytes[1];
	*length = LONG_HEAD + body + 2;
	if (have < *length)
		return MBUS_SCAN_PARTIAL;
	const bool good =
		bytes[*length - 1] == STOP && bytes[*length - 2] == sum(bytes + LONG_HEAD, body);
	return good ? MBUS_SCAN_LONG : MBUS_SCAN_DAMAGED;
}

enum mbus_scan mbus_link_scan(
	const uint8_t *bytes, size_t length, bool complete, bool ack, struct mbus_found *found)
{
	enum mbus_scan best = MBUS_SCAN_NONE;
	*found = (struct mbus_found){.begin = 0, .length = length};
	for (size_t i = 0; i < length; i++) {
		size_t size = 1;
		enum mbus_scan here = look(bytes + i, length - i, &size);
		if (ack && bytes[i] == MBUS_ACK)
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
		if (here == MBUS_SCAN_PARTIAL && size > MBUS_SHORT_LENGTH)
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

/* Skips the record at `at`; returns the place after it, `end` where it does not end before. */
static size_t skip_record(const uint8_t *bytes, size_t at, size_t end)
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
	if (length < AT_DATA + 2 || frame[0] != START_LONG)
		return false;
	const size_t end = length - 2;
	size_t at = AT_DATA;
	switch (frame[AT_CI]) {
	case CI_VARIABLE:
		at += HEADER_LONG;
		break;
	case CI_VARIABLE_SHORT:
		at += HEADER_SHORT;
		break;
	case CI_VARIABLE_NONE:
		break;
	default:
		return false;
	}
	while (at < end) {
		const uint8_t dif = frame[at];
		if (dif == DIF_FILLER)
			at++;
		else if ((dif & 0x0F) == DATA_SPECIAL)
			return dif == DIF_MORE_FOLLOWS;
		else
			at = skip_record(frame, at, end);
	}
	return false;
}
