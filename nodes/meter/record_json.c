/* Records as compact JSON, the fast way.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meter/record_json.h"

#include <string.h>

struct part {
	const char *text;
	size_t length;
};

#define PART(text) \
	{ \
		text, sizeof(text) - 1 \
	}

static const struct part quantities[] = {
#define X(name, text) PART("{\"quantity\":\"" text "\""),
	METER_QUANTITY_LIST(X)
#undef X
};

static const struct part units[] = {
#define X(name, text) PART(",\"unit\":\"" text "\",\"value\":"),
	METER_UNIT_LIST(X)
#undef X
};

static const struct part functions[] = {
	PART(",\"function\":\"instantaneous\",\"storage\":"),
	PART(",\"function\":\"maximum\",\"storage\":"),
	PART(",\"function\":\"minimum\",\"storage\":"),
	PART(",\"function\":\"error\",\"storage\":"),
};

/* With a constant text the copy has a known length. */
#define PUT(at, text) (memcpy(at, text, sizeof(text) - 1), (at) + sizeof(text) - 1)

static inline char *put_part(char *at, const struct part *part)
{
	memcpy(at, part->text, part->length);
	return at + part->length;
}

static inline char *put_text(char *at, const char *text)
{
	const size_t length = strlen(text);
	memcpy(at, text, length);
	return at + length;
}

static inline char *put_hex(char *at, const uint8_t *bytes, size_t length)
{
	static const char digits[] = "0123456789ABCDEF";
	for (size_t i = 0; i < length; i++) {
		*at++ = digits[bytes[i] >> 4];
		*at++ = digits[bytes[i] & 0xF];
	}
	return at;
}

static char *put_number(char *at, uint64_t value)
{
	char digits[20];
	unsigned count = 0;
	do {
		digits[count++] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	while (count)
		*at++ = digits[--count];
	return at;
}

static char *put_value(
	char *at, const struct meter_reading *reading, const struct meter_record *record)
{
	const uint8_t *data = meter_reading_bytes(reading) + record->data_offset;
	switch (record->kind) {
	case METER_NUMBER:
		return at + ml_decimal_format(meter_record_decimal(record), at);
	case METER_DATE:
	case METER_DATE_TIME:
	case METER_TIME:
		*at++ = '"';
		at += meter_time_text(record, at);
		*at++ = '"';
		return at;
	case METER_BYTES:
		*at++ = '"';
		at = put_hex(at, data, record->data_length);
		*at++ = '"';
		return at;
	default:
		at = PUT(at, "null");
		if (record->data_length) {
			at = PUT(at, ",\"raw\":\"");
			at = put_hex(at, data, record->data_length);
			*at++ = '"';
		}
		return at;
	}
}

static char *put_modifiers(char *at, uint64_t modifiers)
{
	at = PUT(at, ",\"modifiers\":[");
	for (unsigned i = 0; modifiers; i++, modifiers >>= 1) {
		if (modifiers & 1) {
			*at++ = '"';
			at = put_text(at, meter_modifier_name(i));
			at = PUT(at, "\",");
		}
	}
	at[-1] = ']';
	return at;
}

/* Function, storage, tariff and subunit; zero is what nearly all are. */
static char *put_numbers(char *at, const struct meter_record *record)
{
	at = put_part(at, &functions[record->function & 3]);
	if (record->storage == 0 && record->tariff == 0 && record->subunit == 0) {
		at = PUT(at, "0,\"tariff\":0,\"subunit\":0");
	} else {
		at = put_number(at, record->storage);
		at = PUT(at, ",\"tariff\":");
		at = put_number(at, record->tariff);
		at = PUT(at, ",\"subunit\":");
		at = put_number(at, record->subunit);
	}
	if (record->ordinal) {
		at = PUT(at, ",\"ordinal\":");
		at = put_number(at, record->ordinal);
	}
	return at;
}

/* What the parts of constant length, a number, a time and eight modifiers take at most is under 600
 * bytes; the rest is data and VIF in hex. */
static bool is_simple(const struct meter_record *record)
{
	return record->kind != METER_TEXT && record->unit != METER_U_CUSTOM &&
	       record->per == METER_PER_NONE && !(record->flags & METER_RECORD_FILTER_MADE) &&
	       record->quantity < METER_QUANTITIES && record->unit < METER_UNITS &&
	       record->data_length + record->vif_length <= 100 &&
	       __builtin_popcountll(record->modifiers) <= 4;
}

size_t meter_record_json(const struct meter_reading *reading, const struct meter_record *record,
	char out[METER_RECORD_JSON_MAX])
{
	char *at = out;
	if (!is_simple(record))
		return 0;
	const uint8_t *dif = meter_reading_bytes(reading) + record->offset;
	at = put_part(at, &quantities[record->quantity]);
	if (record->of) {
		at = PUT(at, ",\"of\":\"");
		at = put_text(at, meter_quantity_name(record->of));
		*at++ = '"';
	}
	at = put_part(at, &units[record->unit]);
	at = put_value(at, reading, record);
	at = put_numbers(at, record);
	if (record->modifiers)
		at = put_modifiers(at, record->modifiers);
	at = PUT(at, ",\"dif\":\"");
	at = put_hex(at, dif, record->dif_length);
	at = PUT(at, "\",\"vif\":\"");
	at = put_hex(at, dif + record->dif_length, record->vif_length);
	at = PUT(at, "\"}");
	return (size_t)(at - out);
}
