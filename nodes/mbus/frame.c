/* Frames of EN 13757-2: checking, finding in a stream, building.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/frame.h"

#include <string.h>

enum { ACK = 0xE5, START_SHORT = 0x10, START_LONG = 0x68, STOP = 0x16, SHORT_SIZE = 5 };

static uint8_t checksum(const uint8_t *bytes, size_t length)
{
	unsigned sum = 0;
	for (size_t i = 0; i < length; i++)
		sum += bytes[i];
	return (uint8_t)sum;
}

static enum mbus_check check_short(
	const uint8_t *bytes, size_t length, struct mbus_frame *frame, size_t *at)
{
	if (length < SHORT_SIZE)
		return MBUS_CHECK_MORE;
	*at = 3;
	if (checksum(bytes + 1, 2) != bytes[3])
		return MBUS_CHECK_CHECKSUM;
	*at = 4;
	if (bytes[4] != STOP)
		return MBUS_CHECK_STOP;
	*frame = (struct mbus_frame){
		.kind = MBUS_FRAME_SHORT,
		.control = bytes[1],
		.address = bytes[2],
		.bytes = bytes,
		.length = SHORT_SIZE,
	};
	return MBUS_CHECK_OK;
}

static enum mbus_check check_long(
	const uint8_t *bytes, size_t length, struct mbus_frame *frame, size_t *at)
{
	*at = 1;
	if (length > 1 && bytes[1] < 3)
		return MBUS_CHECK_LENGTH;
	*at = 2;
	if (length > 2 && bytes[2] != bytes[1])
		return MBUS_CHECK_LENGTH;
	*at = 3;
	if (length > 3 && bytes[3] != START_LONG)
		return MBUS_CHECK_SECOND;
	if (length < 4)
		return MBUS_CHECK_MORE;
	const size_t size = bytes[1];
	if (length < size + 6)
		return MBUS_CHECK_MORE;
	*at = 4 + size;
	if (checksum(bytes + 4, size) != bytes[4 + size])
		return MBUS_CHECK_CHECKSUM;
	*at = 5 + size;
	if (bytes[5 + size] != STOP)
		return MBUS_CHECK_STOP;
	*frame = (struct mbus_frame){
		.kind = MBUS_FRAME_LONG,
		.control = bytes[4],
		.address = bytes[5],
		.ci = bytes[6],
		.bytes = bytes,
		.length = size + 6,
		.data = bytes + 7,
		.data_length = size - 3,
	};
	return MBUS_CHECK_OK;
}

enum mbus_check mbus_frame_check(
	const uint8_t *bytes, size_t length, struct mbus_frame *frame, size_t *at)
{
	size_t ignored;
	if (!at)
		at = &ignored;
	*at = length;
	if (length == 0)
		return MBUS_CHECK_MORE;
	enum mbus_check check = MBUS_CHECK_START;
	if (bytes[0] == START_LONG) {
		check = check_long(bytes, length, frame, at);
	} else if (bytes[0] == START_SHORT) {
		check = check_short(bytes, length, frame, at);
	} else if (bytes[0] == ACK) {
		*frame = (struct mbus_frame){.kind = MBUS_FRAME_ACK, .bytes = bytes, .length = 1};
		check = MBUS_CHECK_OK;
	}
	if (check == MBUS_CHECK_START)
		*at = 0;
	else if (check == MBUS_CHECK_MORE)
		*at = length;
	return check;
}

const char *mbus_check_text(enum mbus_check check)
{
	static const char *const texts[] = {
		[MBUS_CHECK_OK] = "",
		[MBUS_CHECK_MORE] = "the frame ends too early",
		[MBUS_CHECK_START] = "no frame starts like this; expected 68h, 10h or E5h",
		[MBUS_CHECK_LENGTH] = "the two length bytes must be equal and at least 3",
		[MBUS_CHECK_SECOND] = "the length bytes must be followed by 68h",
		[MBUS_CHECK_CHECKSUM] = "the checksum is wrong",
		[MBUS_CHECK_STOP] = "the frame must end with 16h",
	};
	return (unsigned)check < sizeof texts / sizeof texts[0] ? texts[check] : "";
}

/* ---- Parser ---- */

void mbus_parser_init(struct mbus_parser *parser)
{
	*parser = (struct mbus_parser){0};
}

static void drop(struct mbus_parser *parser, size_t count)
{
	parser->used -= count;
	memmove(parser->bytes, parser->bytes + count, parser->used);
}

/* How many more bytes the frame in the buffer needs at least. */
static size_t missing(const struct mbus_parser *parser)
{
	const uint8_t *b = parser->bytes;
	if (parser->used == 0)
		return 1;
	if (b[0] == START_SHORT)
		return SHORT_SIZE - parser->used;
	return parser->used < 4 ? 1 : (size_t)b[1] + 6 - parser->used;
}

/* Throws away what can be no frame. true: a whole one stands at the start of the buffer. */
static bool find(struct mbus_parser *parser, struct mbus_frame *frame)
{
	while (parser->used) {
		const enum mbus_check check =
			mbus_frame_check(parser->bytes, parser->used, frame, NULL);
		if (check == MBUS_CHECK_OK)
			return true;
		if (check == MBUS_CHECK_MORE)
			return false;
		parser->last_bad = check;
		parser->junk++;
		drop(parser, 1);
	}
	return false;
}

size_t mbus_parser_feed(
	struct mbus_parser *parser, const uint8_t *bytes, size_t length, struct mbus_frame *frame)
{
	size_t taken = 0;
	*frame = (struct mbus_frame){0};
	drop(parser, parser->done);
	parser->done = 0;
	while (!find(parser, frame)) {
		if (taken == length)
			return taken;
		size_t count = missing(parser);
		if (count > length - taken)
			count = length - taken;
		memcpy(parser->bytes + parser->used, bytes + taken, count);
		parser->used += count;
		taken += count;
	}
	parser->done = frame->length;
	return taken;
}

bool mbus_parser_pending(const struct mbus_parser *parser)
{
	return parser->used > parser->done;
}

size_t mbus_parser_reset(struct mbus_parser *parser)
{
	const size_t dropped = parser->used - parser->done;
	parser->junk += dropped;
	if (dropped)
		parser->last_bad = MBUS_CHECK_MORE;
	parser->used = 0;
	parser->done = 0;
	return dropped;
}

/* ---- Builders ---- */

size_t mbus_build_ack(uint8_t *out)
{
	out[0] = ACK;
	return 1;
}

size_t mbus_build_short(uint8_t *out, uint8_t control, uint8_t address)
{
	out[0] = START_SHORT;
	out[1] = control;
	out[2] = address;
	out[3] = checksum(out + 1, 2);
	out[4] = STOP;
	return SHORT_SIZE;
}

size_t mbus_build_long(uint8_t *out, uint8_t control, uint8_t address, uint8_t ci,
	const uint8_t *data, size_t length)
{
	if (length > MBUS_DATA_MAX)
		return 0;
	out[0] = out[3] = START_LONG;
	out[1] = out[2] = (uint8_t)(length + 3);
	out[4] = control;
	out[5] = address;
	out[6] = ci;
	if (length)
		memcpy(out + 7, data, length);
	out[length + 7] = checksum(out + 4, length + 3);
	out[length + 8] = STOP;
	return length + 9;
}

size_t mbus_build_snd_nke(uint8_t *out, uint8_t address)
{
	return mbus_build_short(out, MBUS_SND_NKE, address);
}

size_t mbus_build_req_ud1(uint8_t *out, uint8_t address, bool fcb)
{
	return mbus_build_short(out, (uint8_t)(MBUS_REQ_UD1 | (fcb ? MBUS_FCB : 0)), address);
}

size_t mbus_build_req_ud2(uint8_t *out, uint8_t address, bool fcb)
{
	return mbus_build_short(out, (uint8_t)(MBUS_REQ_UD2 | (fcb ? MBUS_FCB : 0)), address);
}

size_t mbus_build_select(uint8_t *out, const uint8_t secondary[8], const uint8_t fabrication[4])
{
	uint8_t data[14];
	size_t length = 8;
	memcpy(data, secondary, 8);
	if (fabrication) {
		data[length++] = 0x0C; /* eight digits */
		data[length++] = 0x78; /* fabrication number */
		memcpy(data + length, fabrication, 4);
		length += 4;
	}
	return mbus_build_long(out, MBUS_SND_UD, MBUS_ADDRESS_SELECTED, 0x52, data, length);
}

size_t mbus_build_application_reset(uint8_t *out, uint8_t address, int subcode)
{
	const uint8_t code = (uint8_t)subcode;
	return mbus_build_long(out, MBUS_SND_UD, address, 0x50, &code, subcode < 0 ? 0 : 1);
}

size_t mbus_build_set_baud(uint8_t *out, uint8_t address, unsigned baud)
{
	static const unsigned bauds[] = {300, 600, 1200, 2400, 4800, 9600, 19200, 38400};
	for (unsigned i = 0; i < sizeof bauds / sizeof bauds[0]; i++) {
		if (bauds[i] == baud)
			return mbus_build_long(
				out, MBUS_SND_UD, address, (uint8_t)(0xB8 + i), NULL, 0);
	}
	return 0;
}

size_t mbus_build_set_address(uint8_t *out, uint8_t address, uint8_t new_address)
{
	const uint8_t data[] = {0x01, 0x7A, new_address}; /* 8 bits, VIF bus address */
	return mbus_build_long(out, MBUS_SND_UD, address, 0x51, data, sizeof data);
}
