/* Names, units and values of records as text.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "meter/reading.h"

const char *meter_function_name(unsigned function)
{
	static const char *const names[] = {"instantaneous", "maximum", "minimum", "error"};
	return function < 4 ? names[function] : "unknown";
}

const char *meter_encryption_name(unsigned encryption)
{
	static const char *const names[] = {
		"plain", "decrypted", "no-key", "wrong-key", "bad-mac", "unsupported"};
	return encryption < 6 ? names[encryption] : "unsupported";
}

void meter_status_words(uint8_t status, void (*word)(void *user, const char *text), void *user)
{
	static const char *const low[] = {NULL, "busy", "application-error", "abnormal-condition"};
	static const char *const bits[] = {"power-low", "permanent-error", "temporary-error",
		"manufacturer-bit-5", "manufacturer-bit-6", "manufacturer-bit-7"};
	if (status & 3)
		word(user, low[status & 3]);
	for (unsigned i = 0; i < 6; i++) {
		if (status & 4u << i)
			word(user, bits[i]);
	}
}

/* ISO 8859-1 to UTF-8, control characters to question marks; cut before what does not fit. */
static size_t latin1(const uint8_t *bytes, size_t length, bool reversed, char *out, size_t size)
{
	size_t used = 0;
	for (size_t i = 0; i < length; i++) {
		const uint8_t c = bytes[reversed ? length - 1 - i : i];
		if (used + 3 > size)
			break;
		if (c < 0x20 || (c >= 0x7F && c < 0xA0)) {
			out[used++] = '?';
		} else if (c < 0x80) {
			out[used++] = (char)c;
		} else {
			out[used++] = (char)(0xC0 | c >> 6);
			out[used++] = (char)(0x80 | (c & 0x3F));
		}
	}
	out[used] = '\0';
	return used;
}

static size_t hex(const uint8_t *bytes, size_t length, char *out, size_t size)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t used = 0;
	for (size_t i = 0; i < length && used + 3 <= size; i++) {
		out[used++] = digits[bytes[i] >> 4];
		out[used++] = digits[bytes[i] & 0xF];
	}
	out[used] = '\0';
	return used;
}

static size_t copy(const void *text, size_t length, char *out, size_t size)
{
	if (length > size - 1) {
		length = size - 1;
		while (length && ((const unsigned char *)text)[length] >> 6 == 2)
			length--;
	}
	memcpy(out, text, length);
	out[length] = '\0';
	return length;
}

const char *meter_record_name(
	const struct meter_reading *reading, const struct meter_record *record, size_t *length)
{
	const char *name;
	if (record->flags & METER_RECORD_FILTER_MADE) {
		name = (const char *)meter_reading_bytes(reading) + record->offset;
		*length = strnlen(name, record->vif_length);
	} else {
		name = meter_quantity_name(record->quantity);
		*length = strlen(name);
	}
	return name;
}

/* The text of a plain text VIF. */
static const uint8_t *vif_text(
	const struct meter_reading *reading, const struct meter_record *record, size_t *length)
{
	const uint8_t *vif = meter_reading_bytes(reading) + record->offset + record->dif_length;
	size_t at = 1;
	if (record->flags & METER_RECORD_UNIT_LAST) {
		while (at < record->vif_length && vif[at - 1] & 0x80)
			at++;
	}
	*length = at < record->vif_length ? vif[at] : 0;
	if (at + 1 + *length > record->vif_length)
		*length = 0;
	return vif + at + 1;
}

static size_t custom_unit(const struct meter_reading *reading, const struct meter_record *record,
	char *out, size_t size)
{
	size_t length;
	if (record->flags & METER_RECORD_FILTER_MADE) {
		const char *name = meter_record_name(reading, record, &length);
		if (length + 1 > record->vif_length)
			return copy("", 0, out, size);
		return copy(name + length + 1, record->vif_length - length - 1, out, size);
	}
	const uint8_t *text = vif_text(reading, record, &length);
	return latin1(text, length, !(record->flags & METER_RECORD_MSB_FIRST), out, size);
}

size_t meter_record_unit(const struct meter_reading *reading, const struct meter_record *record,
	char out[METER_UNIT_TEXT_MAX])
{
	size_t used;
	if (record->unit == METER_U_CUSTOM) {
		used = custom_unit(reading, record, out, METER_UNIT_TEXT_MAX);
	} else {
		const char *unit = meter_unit_name(record->unit);
		used = copy(unit, strlen(unit), out, METER_UNIT_TEXT_MAX);
	}
	if (record->per) {
		const char *per = meter_per_name(record->per);
		if (used == 0 && per[0] == '/')
			out[used++] = '1';
		used += copy(per, strlen(per), out + used, METER_UNIT_TEXT_MAX - used);
	}
	return used;
}

static char *two(char *out, unsigned value)
{
	if (value == METER_TIME_EVERY) {
		*out++ = '*';
	} else {
		*out++ = (char)('0' + value / 10 % 10);
		*out++ = (char)('0' + value % 10);
	}
	return out;
}

size_t meter_time_text(const struct meter_record *record, char out[METER_TIME_TEXT_MAX])
{
	const struct meter_time *t = &record->time;
	char *p = out;
	if (record->kind != METER_TIME) {
		if (t->year == METER_TIME_EVERY_YEAR) {
			*p++ = '*';
		} else {
			p = two(p, t->year / 100u);
			p = two(p, t->year % 100u);
		}
		*p++ = '-';
		p = two(p, t->month);
		*p++ = '-';
		p = two(p, t->day);
	}
	if (record->kind == METER_DATE_TIME)
		*p++ = 'T';
	if (record->kind != METER_DATE) {
		p = two(p, t->hour);
		*p++ = ':';
		p = two(p, t->minute);
		if (t->flags & METER_TIME_SECONDS) {
			*p++ = ':';
			p = two(p, t->second);
		}
	}
	*p = '\0';
	return (size_t)(p - out);
}

size_t meter_record_text(const struct meter_reading *reading, const struct meter_record *record,
	char out[METER_VALUE_TEXT_MAX])
{
	const uint8_t *data = meter_reading_bytes(reading) + record->data_offset;
	switch (record->kind) {
	case METER_NUMBER:
		return ml_decimal_format(meter_record_decimal(record), out);
	case METER_DATE:
	case METER_DATE_TIME:
	case METER_TIME:
		return meter_time_text(record, out);
	case METER_TEXT:
		if (record->flags & METER_RECORD_UTF8)
			return copy(data, record->data_length, out, METER_VALUE_TEXT_MAX);
		return latin1(data, record->data_length, record->flags & METER_RECORD_REVERSED, out,
			METER_VALUE_TEXT_MAX);
	case METER_BYTES:
		return hex(data, record->data_length, out, METER_VALUE_TEXT_MAX);
	default:
		out[0] = '\0';
		return 0;
	}
}
