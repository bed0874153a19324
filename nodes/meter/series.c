/* The key of a series: what identifies a value of a meter from telegram to telegram.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The bytes, all numbers as LEB128:
 *
 *     function (0 to 3; 80h for a filter's own record, then its name follows at once)
 *     storage, tariff, subunit, ordinal
 *     VIF without extension and scale bits (FBh and FDh stay before the true VIF they lead to)
 *     VIFEs without extension bits, but those that only scale (70h-77h, 7Dh); durations without
 *     their unit; after VIF or VIFE 7Fh (manufacturer) everything as it is
 *     00h FFh and the text of a plain text VIF
 *
 * Where it would be longer than METER_SERIES_KEY_MAX it ends with a 64-bit FNV-1a hash of it all.
 */
#include <string.h>

#include "meter/reading.h"

enum { LONG_KEY_MAX = 320 };

static size_t put_number(uint8_t *out, uint64_t value)
{
	size_t length = 0;
	while (value >= 0x80) {
		out[length++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	out[length++] = (uint8_t)value;
	return length;
}

/* The VIFEs from `at` to `end`. */
static size_t put_vifes(const uint8_t *vif, size_t at, size_t end, uint8_t *out)
{
	size_t used = 0;
	bool as_is = (vif[0] & 0x7F) == 0x7F;
	for (; at < end; at++) {
		const uint8_t vife = vif[at] & 0x7F;
		if (as_is) {
			out[used++] = vife;
		} else if (vife == 0x7C && at + 1 < end) {
			out[used++] = vife;
			out[used++] = vif[++at] & 0x7F;
		} else if (vife >= 0x50 && vife <= 0x67) {
			out[used++] = vife & 0x7C;
		} else if ((vife & 0x78) != 0x70 && vife != 0x7D) {
			out[used++] = vife;
			as_is = vife == 0x7F;
		}
	}
	return used;
}

static size_t put_plain_text(const uint8_t *vif, const struct meter_record *record, uint8_t *out)
{
	const size_t end = record->vif_length;
	size_t vifes = 1;
	size_t vifes_end = end;
	size_t text = 1;
	if (record->flags & METER_RECORD_UNIT_LAST) {
		while (text < end && vif[text - 1] & 0x80)
			text++;
		vifes_end = text;
	} else if (end > 1) {
		vifes = 2u + vif[1];
	}
	size_t used = 0;
	out[used++] = vif[0] & 0x7F;
	if (vifes < vifes_end)
		used += put_vifes(vif, vifes, vifes_end, out + used);
	out[used++] = 0x00;
	out[used++] = 0xFF;
	if (text < end) {
		size_t length = vif[text];
		if (length > end - text - 1)
			length = end - text - 1;
		memcpy(out + used, vif + text + 1, length);
		used += length;
	}
	return used;
}

static size_t put_vif(
	const struct meter_reading *reading, const struct meter_record *record, uint8_t *out)
{
	const uint8_t *vif = meter_reading_bytes(reading) + record->offset + record->dif_length;
	size_t length = record->vif_length;
	size_t used = 0;
	size_t at = 0;
	if (length == 0)
		return 0;
	if ((vif[0] & 0x7F) == 0x7C)
		return put_plain_text(vif, record, out);
	/* FBh, FDh and FDh FDh lead to another table. */
	while ((vif[at] == 0xFB || vif[at] == 0xFD || vif[at] == 0xEF) && at + 1 < length)
		out[used++] = vif[at++];
	out[used++] = (uint8_t)(vif[at] & 0x7F & ~record->scale_mask);
	return used + put_vifes(vif, at + 1, length, out + used);
}

static uint64_t hash(const uint8_t *bytes, size_t length)
{
	uint64_t h = 0xCBF29CE484222325u;
	for (size_t i = 0; i < length; i++)
		h = (h ^ bytes[i]) * 0x100000001B3u;
	return h;
}

size_t meter_series_key(const struct meter_reading *reading, const struct meter_record *record,
	uint8_t out[METER_SERIES_KEY_MAX])
{
	uint8_t key[LONG_KEY_MAX];
	size_t used = 0;
	if (record->flags & METER_RECORD_FILTER_MADE) {
		size_t length;
		const char *name = meter_record_name(reading, record, &length);
		key[used++] = 0x80;
		memcpy(key + used, name, length);
		used += length;
	} else {
		key[used++] = record->function;
		used += put_number(key + used, record->storage);
		used += put_number(key + used, record->tariff);
		used += put_number(key + used, record->subunit);
		used += put_number(key + used, record->ordinal);
		used += put_vif(reading, record, key + used);
	}
	if (used > METER_SERIES_KEY_MAX) {
		const uint64_t h = hash(key, used);
		for (unsigned i = 0; i < 8; i++)
			key[METER_SERIES_KEY_MAX - 8 + i] = (uint8_t)(h >> (8 * i));
		used = METER_SERIES_KEY_MAX;
	}
	memcpy(out, key, used);
	return used;
}

/* Cheap: most records differ in one of these. */
static bool may_be_same(const struct meter_record *a, const struct meter_record *b)
{
	return a->storage == b->storage && a->quantity == b->quantity && a->tariff == b->tariff &&
	       a->subunit == b->subunit && a->function == b->function && a->of == b->of &&
	       a->modifiers == b->modifiers && a->unit == b->unit && a->per == b->per;
}

void meter_reading_number(struct meter_reading *reading, struct meter_record *record)
{
	uint8_t key[LONG_KEY_MAX];
	uint8_t other[LONG_KEY_MAX];
	const struct meter_record *first = meter_reading_records(reading);
	size_t length = 0;
	/* The nearest one before has counted all that came before it. */
	for (const struct meter_record *r = record; r-- > first;) {
		if (!may_be_same(r, record))
			continue;
		if (length == 0)
			length = put_vif(reading, record, key);
		if (put_vif(reading, r, other) == length && memcmp(key, other, length) == 0) {
			record->ordinal = (uint8_t)(r->ordinal < 255 ? r->ordinal + 1 : 255);
			return;
		}
	}
	record->ordinal = 0;
}

/* ---- Shapes ---- */

static uint64_t stir(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
	return hash ^ (hash >> 29);
}

uint64_t meter_reading_shape(const struct meter_reading *reading)
{
	const uint8_t *bytes = meter_reading_bytes(reading);
	uint64_t hash = reading->record_count;
	for (size_t i = 0; i < reading->record_count; i++) {
		const struct meter_record *r = meter_reading_records(reading) + i;
		hash = stir(hash, (uint64_t)r->quantity << 40 | (uint64_t)r->of << 32 |
					  (uint64_t)r->unit << 24 | (uint64_t)r->per << 16 |
					  (uint64_t)r->function << 8 | r->flags);
		hash = stir(
			hash, (uint64_t)r->subunit << 40 ^ (uint64_t)r->tariff << 8 ^ r->ordinal);
		hash = stir(stir(hash, r->storage), r->modifiers);
		/* Names and units that stand in the telegram, or come from a filter. */
		for (size_t b = 0; b < (size_t)r->dif_length + r->vif_length; b++)
			hash = stir(hash, bytes[r->offset + b]);
	}
	return hash;
}
