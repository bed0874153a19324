/* The transport and application layer of EN 13757-3 and -7: from the CI field to a reading.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/application.h"

#include <string.h>

#include "mbus/fixed.h"
#include "mbus/frame.h"
#include "mbus/record.h"
#include "mbus/value.h"

enum header { NO_HEADER, SHORT_HEADER = 4, LONG_HEADER = 12 };

enum content {
	UNKNOWN,     /* an error */
	RECORDS,     /* data records */
	FIXED,       /* fixed data */
	COUNTERPART, /* records without their DIFs and VIFs (compact), or the other way (format) */
	ERROR_CODE,  /* application error */
	ALARM,
	SELECTION,    /* a secondary address */
	NOTHING,      /* a command or answer that carries no values */
	MANUFACTURER, /* bytes of the maker */
};

struct ci {
	uint8_t content; /* enum content */
	uint8_t header;  /* enum header */
	uint8_t flags;   /* for mbus_decode_records() */
};

/* clang-format off */
static const struct ci cis[256] = {
	[0x50] = {NOTHING, NO_HEADER, 0},     /* application reset or select */
	[0x51] = {RECORDS, NO_HEADER, MBUS_COMMAND},
	[0x52] = {SELECTION, NO_HEADER, 0},
	[0x53] = {NOTHING, LONG_HEADER, 0},   /* application reset or select */
	[0x54] = {NOTHING, NO_HEADER, 0},     /* which application is selected? */
	[0x55] = {RECORDS, NO_HEADER, MBUS_COMMAND | MBUS_MSB_FIRST},
	[0x56] = {SELECTION, NO_HEADER, MBUS_MSB_FIRST},
	[0x5A] = {RECORDS, SHORT_HEADER, MBUS_COMMAND},
	[0x5B] = {RECORDS, LONG_HEADER, MBUS_COMMAND},
	[0x5C] = {NOTHING, NO_HEADER, 0},     /* synchronize action */
	[0x66] = {NOTHING, NO_HEADER, 0},     /* which application is selected */
	[0x67] = {NOTHING, SHORT_HEADER, 0},
	[0x68] = {NOTHING, LONG_HEADER, 0},
	[0x69] = {COUNTERPART, NO_HEADER, 0},
	[0x6A] = {COUNTERPART, SHORT_HEADER, 0},
	[0x6B] = {COUNTERPART, LONG_HEADER, 0},
	[0x6C] = {NOTHING, LONG_HEADER, 0},   /* set time */
	[0x6D] = {NOTHING, LONG_HEADER, 0},   /* change time */
	[0x6E] = {ERROR_CODE, SHORT_HEADER, 0},
	[0x6F] = {ERROR_CODE, LONG_HEADER, 0},
	[0x70] = {ERROR_CODE, NO_HEADER, 0},
	[0x71] = {ALARM, NO_HEADER, 0},
	[0x72] = {RECORDS, LONG_HEADER, 0},
	[0x73] = {FIXED, NO_HEADER, 0},
	[0x74] = {ALARM, SHORT_HEADER, 0},
	[0x75] = {ALARM, LONG_HEADER, 0},
	[0x76] = {RECORDS, LONG_HEADER, MBUS_MSB_FIRST},
	[0x77] = {FIXED, NO_HEADER, MBUS_MSB_FIRST},
	[0x78] = {RECORDS, NO_HEADER, 0},
	[0x79] = {COUNTERPART, NO_HEADER, 0},
	[0x7A] = {RECORDS, SHORT_HEADER, 0},
	[0x7B] = {COUNTERPART, SHORT_HEADER, 0},
	[0x80] = {NOTHING, LONG_HEADER, 0},   /* transport layer alone */
	[0x8A] = {NOTHING, SHORT_HEADER, 0},
	[0x8B] = {NOTHING, LONG_HEADER, 0},
	[0xA0] = {MANUFACTURER, NO_HEADER, 0}, [0xA1] = {MANUFACTURER, NO_HEADER, 0},
	[0xA2] = {MANUFACTURER, NO_HEADER, 0}, [0xA3] = {MANUFACTURER, NO_HEADER, 0},
	[0xA4] = {MANUFACTURER, NO_HEADER, 0}, [0xA5] = {MANUFACTURER, NO_HEADER, 0},
	[0xA6] = {MANUFACTURER, NO_HEADER, 0}, [0xA7] = {MANUFACTURER, NO_HEADER, 0},
	[0xA8] = {MANUFACTURER, NO_HEADER, 0}, [0xA9] = {MANUFACTURER, NO_HEADER, 0},
	[0xAA] = {MANUFACTURER, NO_HEADER, 0}, [0xAB] = {MANUFACTURER, NO_HEADER, 0},
	[0xAC] = {MANUFACTURER, NO_HEADER, 0}, [0xAD] = {MANUFACTURER, NO_HEADER, 0},
	[0xAE] = {MANUFACTURER, NO_HEADER, 0}, [0xAF] = {MANUFACTURER, NO_HEADER, 0},
	[0xB0] = {MANUFACTURER, NO_HEADER, 0}, [0xB1] = {MANUFACTURER, NO_HEADER, 0},
	[0xB2] = {MANUFACTURER, NO_HEADER, 0}, [0xB3] = {MANUFACTURER, NO_HEADER, 0},
	[0xB4] = {MANUFACTURER, NO_HEADER, 0}, [0xB5] = {MANUFACTURER, NO_HEADER, 0},
	[0xB6] = {MANUFACTURER, NO_HEADER, 0}, [0xB7] = {MANUFACTURER, NO_HEADER, 0},
	[0xB8] = {NOTHING, NO_HEADER, 0}, [0xB9] = {NOTHING, NO_HEADER, 0}, /* set baud rate */
	[0xBA] = {NOTHING, NO_HEADER, 0}, [0xBB] = {NOTHING, NO_HEADER, 0},
	[0xBC] = {NOTHING, NO_HEADER, 0}, [0xBD] = {NOTHING, NO_HEADER, 0},
	[0xBE] = {NOTHING, NO_HEADER, 0}, [0xBF] = {NOTHING, NO_HEADER, 0},
};
/* clang-format on */

size_t mbus_header_length(uint8_t ci)
{
	return cis[ci].header;
}

const char *mbus_application_error(uint8_t code)
{
	static const char *const texts[] = {
		"unspecified",
		"CI field not implemented",
		"buffer too long, data was cut",
		"too many records",
		"premature end of a record",
		"more than 10 DIFEs",
		"more than 10 VIFEs",
		"reserved",
		"application too busy",
		"too many readouts",
	};
	return code < sizeof texts / sizeof texts[0] ? texts[code] : "code of the maker";
}

/* ---- Header ---- */

static void read_identity(struct meter_reading *reading, const uint8_t *p, bool msb_first)
{
	uint8_t low_first[8];
	memcpy(low_first, p, 8);
	if (msb_first) {
		for (int i = 0; i < 4; i++)
			low_first[i] = p[3 - i];
		low_first[4] = p[5];
		low_first[5] = p[4];
	}
	meter_identity_read(low_first, &reading->meter);
	reading->flags |= METER_HAS_IDENTITY | METER_HAS_MAKER;
}

static bool read_header(
	struct meter_reading *reading, size_t *at, size_t end, enum header header, bool msb_first)
{
	if (header == NO_HEADER)
		return true;
	const uint8_t *p = meter_reading_bytes(reading) + *at;
	if (end - *at < (size_t)header) {
		meter_reading_set_error(reading, (int32_t)*at,
			"the header after CI %02Xh takes %d bytes, %zu are left", reading->ci,
			(int)header, end - *at);
		return false;
	}
	if (header == LONG_HEADER) {
		read_identity(reading, p, msb_first);
		p += 8;
	}
	reading->access = p[0];
	reading->status = p[1];
	reading->configuration = (uint16_t)(msb_first ? p[2] << 8 | p[3] : p[3] << 8 | p[2]);
	reading->flags |= METER_HAS_STATUS;
	*at += (size_t)header;
	return true;
}

/* ---- Security ---- */

struct protection {
	uint8_t mode;
	size_t extra;     /* bytes of the header's extension */
	size_t encrypted; /* bytes that would be encrypted; 0: none */
};

/* What the configuration word says, if it is one and not the signature of an old meter. */
static struct protection read_protection(uint16_t word, size_t left)
{
	struct protection p = {.mode = word >> 8 & 0x1F};
	switch (p.mode) {
	case 0:
		break;
	case 2: /* DES */
	case 3:
		p.encrypted = word & 0xFF;
		break;
	case 7:
	case 13:
		p.extra = 1;
		/* fall through */
	case 5:
		p.encrypted = (size_t)(word >> 4 & 0xF) * 16;
		if (p.mode == 13)
			p.encrypted = left > 1 ? left - 1 : 0;
		break;
	default:
		p.encrypted = left;
	}
	return p;
}

/* Whether the bytes are sound records that the standard knows. Leaves the reading as it was. */
static bool is_plain(struct meter_reading *reading, size_t at, size_t end, unsigned flags)
{
	struct meter_reading before = *reading;
	mbus_decode_records(reading, at, end, flags);
	bool plain = !meter_reading_has_error(reading);
	const struct meter_record *records = meter_reading_records(reading);
	for (size_t i = before.record_count; plain && i < reading->record_count; i++)
		plain = records[i].quantity != METER_Q_UNKNOWN;
	*reading = before;
	return plain;
}

/* Decodes records that may be encrypted. Old wired meters have a signature where newer ones have
 * the configuration word, and many telegrams are kept decrypted: so the data is looked at, too. */
static void decode_protected(
	struct meter_reading *reading, size_t at, size_t end, const struct ci *ci, unsigned flags)
{
	const uint8_t *bytes = meter_reading_bytes(reading);
	const struct protection p = read_protection(reading->configuration, end - at);
	const size_t data = at + p.extra;
	if (p.mode == 0) {
		mbus_decode_records(reading, at, end, ci->flags);
		return;
	}
	if (data + 2 <= end && bytes[data] == 0x2F && bytes[data + 1] == 0x2F) {
		reading->encryption_mode = p.mode;
		mbus_decode_records(reading, data, end, ci->flags);
		return;
	}
	if (p.encrypted == 0 || p.encrypted > end - at || is_plain(reading, at, end, ci->flags)) {
		mbus_decode_records(reading, at, end, ci->flags);
		return;
	}
	reading->encryption_mode = p.mode;
	/* What follows the encrypted blocks is plain. */
	if (data + p.encrypted < end)
		mbus_decode_records(reading, data + p.encrypted, end, ci->flags);
	if (flags & MBUS_KEY_GIVEN) {
		reading->encryption = METER_UNSUPPORTED;
		meter_reading_set_error(reading, (int32_t)data,
			"the data is encrypted (security mode %u), which cannot be decrypted yet",
			p.mode);
	} else {
		reading->encryption = METER_NO_KEY;
		meter_reading_set_error(reading, (int32_t)data,
			"the data is encrypted (security mode %u) and there is no key", p.mode);
	}
}

/* ---- Contents ---- */

static void decode_error_code(struct meter_reading *reading, size_t at, size_t end)
{
	const uint8_t code = at < end ? meter_reading_bytes(reading)[at] : 0;
	meter_reading_set_error(reading, (int32_t)at,
		"the meter reports an application error: %s (code %u)",
		mbus_application_error(code), code);
}

static void add_bytes(struct meter_reading *reading, size_t at, size_t end, uint8_t quantity)
{
	struct meter_record *record = at < end ? meter_reading_add(reading) : NULL;
	if (!record)
		return;
	record->quantity = quantity;
	record->kind = METER_BYTES;
	record->offset = (uint16_t)at;
	record->data_offset = (uint16_t)at;
	record->data_length = (uint16_t)(end - at);
	if (quantity == METER_Q_ALARM && end - at == 1) {
		record->kind = METER_NUMBER;
		record->mantissa = meter_reading_bytes(reading)[at];
	}
}

static void decode_selection(
	struct meter_reading *reading, size_t at, size_t end, const struct ci *ci)
{
	if (end - at < 8) {
		meter_reading_set_error(reading, (int32_t)at,
			"a selection has 8 bytes of secondary address; here are %zu", end - at);
		return;
	}
	read_identity(
		reading, meter_reading_bytes(reading) + at, (ci->flags & MBUS_MSB_FIRST) != 0);
	mbus_decode_records(reading, at + 8, end, ci->flags | MBUS_COMMAND);
}

void mbus_decode_application(
	struct meter_reading *reading, size_t begin, size_t end, unsigned flags)
{
	if (begin >= end) {
		meter_reading_set_error(reading, (int32_t)begin, "the CI field is missing");
		return;
	}
	reading->ci = meter_reading_bytes(reading)[begin];
	const struct ci *ci = &cis[reading->ci];
	const bool msb_first = (ci->flags & MBUS_MSB_FIRST) != 0;
	size_t at = begin + 1;
	if (!read_header(reading, &at, end, ci->header, msb_first))
		return;
	switch ((enum content)ci->content) {
	case RECORDS:
		decode_protected(reading, at, end, ci, flags);
		break;
	case FIXED:
		mbus_decode_fixed(reading, at, end, msb_first);
		break;
	case COUNTERPART:
		meter_reading_set_error(reading, (int32_t)begin,
			"CI %02Xh: half of a compact telegram, which cannot be decoded yet",
			reading->ci);
		break;
	case ERROR_CODE:
		decode_error_code(reading, at, end);
		break;
	case ALARM:
		add_bytes(reading, at, end, METER_Q_ALARM);
		break;
	case SELECTION:
		decode_selection(reading, at, end, ci);
		break;
	case MANUFACTURER:
		add_bytes(reading, at, end, METER_Q_MANUFACTURER_DATA);
		break;
	case NOTHING:
		break;
	case UNKNOWN:
	default:
		meter_reading_set_error(reading, (int32_t)begin,
			"CI %02Xh is none that a meter's readings come with", reading->ci);
	}
}

int mbus_decode_frame(void *block, size_t size, const uint8_t *telegram, size_t length,
	unsigned flags, struct ml_error *err)
{
	struct meter_reading *reading = block;
	struct mbus_frame frame;
	size_t at;
	const int status = meter_reading_init(block, size, telegram, length, err);
	if (status < 0)
		return status;
	const enum mbus_check check = mbus_frame_check(telegram, length, &frame, &at);
	if (check != MBUS_CHECK_OK) {
		meter_reading_set_error(reading, (int32_t)at, "%s", mbus_check_text(check));
		return 0;
	}
	if (frame.kind != MBUS_FRAME_ACK) {
		reading->address = frame.address;
		reading->flags |= METER_HAS_ADDRESS;
	}
	if (frame.kind == MBUS_FRAME_LONG)
		mbus_decode_application(reading, 6, 7 + frame.data_length, flags);
	if (frame.length < length)
		meter_reading_set_error(reading, (int32_t)frame.length,
			"%zu bytes follow the end of the frame", length - frame.length);
	return 0;
}
