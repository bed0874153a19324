/* Data records of EN 13757-3: DIF, VIF and data.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/record.h"

#include <string.h>

#include "mbus/value.h"
#include "mbus/vif.h"

enum { DIFES_MAX = 10, VIFES_MAX = 10 };

/* Bytes of the data fields; 0Dh has its length in its first byte. */
static const uint8_t data_lengths[16] = {0, 1, 2, 3, 4, 4, 6, 8, 0, 1, 2, 3, 4, 0, 6, 0};

/* What DIF, VIF and VIFEs say about the data of one record. */
struct shape {
	uint8_t data_field; /* low four bits of the DIF */
	uint8_t coding;     /* enum mbus_coding */
	uint8_t factor;     /* enum mbus_factor */
	uint8_t vifes;      /* how many were read; the code after FBh or FDh counts as one */
	bool no_value;      /* a VIFE says why there is none */
	bool has_offset;
	int8_t offset_exponent;
	int16_t exponent;   /* of the VIF */
	int16_t correction; /* of the VIFEs */
};

struct decoder {
	struct meter_reading *reading;
	struct meter_record *record;
	const uint8_t *bytes;
	size_t at, end;
	unsigned flags;
	uint64_t seen[4]; /* a filter of what records may be repeated series */
	struct shape shape;
};

static bool fail(struct decoder *d, size_t at, const char *what)
{
	meter_reading_drop(d->reading);
	meter_reading_set_error(
		d->reading, (int32_t)at, "record %u: %s", d->reading->record_count + 1u, what);
	return false;
}

/* ---- DIF ---- */

static bool read_dif(struct decoder *d)
{
	struct meter_record *record = d->record;
	const size_t begin = d->at;
	uint8_t byte = d->bytes[d->at++];
	record->offset = (uint16_t)begin;
	record->function = byte >> 4 & 3;
	record->storage = byte >> 6 & 1;
	d->shape.data_field = byte & 0xF;
	unsigned count = 0;
	while (byte & 0x80) {
		if (count == DIFES_MAX)
			return fail(d, begin, "more than 10 DIFEs");
		if (d->at == d->end)
			return fail(d, begin, "the telegram ends within its DIFEs");
		byte = d->bytes[d->at++];
		record->storage |= (uint64_t)(byte & 0xF) << (1 + 4 * count);
		record->tariff |= (uint32_t)(byte >> 4 & 3) << (2 * count);
		record->subunit |= (uint16_t)((byte >> 6 & 1) << count);
		count++;
	}
	record->dif_length = (uint8_t)(d->at - begin);
	return true;
}

/* ---- VIF ---- */

static void use_vif(struct decoder *d, const struct mbus_vif *vif)
{
	struct meter_record *record = d->record;
	record->quantity = vif->quantity;
	record->unit = vif->unit;
	record->scale_mask = vif->scale_mask;
	d->shape.coding = vif->coding;
	d->shape.factor = vif->factor;
	d->shape.exponent = vif->exponent;
}

static void replace_meaning(
	struct decoder *d, uint8_t quantity, uint8_t unit, uint8_t coding, uint8_t factor)
{
	struct meter_record *record = d->record;
	if (record->of == METER_Q_UNKNOWN)
		record->of = record->quantity;
	record->quantity = quantity;
	record->unit = unit;
	d->shape.coding = coding;
	d->shape.factor = factor;
	d->shape.exponent = 0;
}

static void use_vife(struct decoder *d, const struct mbus_vife *vife)
{
	struct meter_record *record = d->record;
	switch (vife->what) {
	case MBUS_VIFE_MODIFIER:
		record->modifiers |= UINT64_C(1) << vife->value;
		break;
	case MBUS_VIFE_ERROR:
		record->modifiers |= UINT64_C(1) << vife->value;
		d->shape.no_value = true;
		break;
	case MBUS_VIFE_PER:
		record->per = vife->value;
		d->shape.correction = (int16_t)(d->shape.correction + vife->exponent);
		break;
	case MBUS_VIFE_SCALE:
		d->shape.correction = (int16_t)(d->shape.correction + vife->exponent);
		break;
	case MBUS_VIFE_OFFSET:
		record->modifiers |= UINT64_C(1) << vife->value;
		d->shape.has_offset = true;
		d->shape.offset_exponent = vife->exponent;
		break;
	case MBUS_VIFE_LIMIT:
		if (record->of == METER_Q_UNKNOWN)
			record->of = record->quantity;
		record->quantity = vife->value;
		break;
	case MBUS_VIFE_COUNT:
		replace_meaning(d, vife->value, METER_U_NONE, MBUS_UNSIGNED, MBUS_FACTOR_NONE);
		break;
	case MBUS_VIFE_TIME:
		replace_meaning(d, vife->value, METER_U_NONE, MBUS_POINT_IN_TIME, MBUS_FACTOR_NONE);
		break;
	case MBUS_VIFE_DURATION:
		replace_meaning(d, vife->value, METER_U_S, MBUS_UNSIGNED, vife->factor);
		break;
	default:
		break;
	}
}

/* Reads VIFEs from d->at on; there is at least one. */
static bool read_vifes(struct decoder *d, bool manufacturer)
{
	bool extension = false;
	uint8_t byte;
	do {
		if (d->shape.vifes++ == VIFES_MAX)
			return fail(d, d->record->offset, "more than 10 VIFEs");
		if (d->at == d->end)
			return fail(d, d->record->offset, "the telegram ends within its VIFEs");
		byte = d->bytes[d->at++];
		const uint8_t code = byte & 0x7F;
		if (manufacturer)
			continue;
		const struct mbus_vife *vife =
			extension ? &mbus_vife_fc[code] : &mbus_vife_table[code];
		if (extension && vife->what == MBUS_VIFE_NOTHING)
			d->record->modifiers |= UINT64_C(1) << METER_M_RESERVED;
		else if (!extension && code < 0x10 && d->flags & MBUS_COMMAND)
			d->record->modifiers |= UINT64_C(1) << METER_M_ACTION;
		else if (!extension && code == 0x1C && data_lengths[d->shape.data_field])
			/* With data it is what 1Dh is today: an older edition had it here. */
			d->record->modifiers |= UINT64_C(1) << METER_M_STANDARD_CONTENT;
		else
			use_vife(d, vife);
		extension = vife->what == MBUS_VIFE_EXTENSION;
		if (vife->what == MBUS_VIFE_MANUFACTURER) {
			d->record->modifiers |= UINT64_C(1) << METER_M_MANUFACTURER;
			manufacturer = true;
		}
	} while (byte & 0x80);
	return true;
}

/* true: `length` bytes at `at` are there and can be the text of a unit. */
static bool is_text(const struct decoder *d, size_t at, size_t length)
{
	if (length > d->end - at)
		return false;
	for (size_t i = at; i < at + length; i++) {
		const uint8_t c = d->bytes[i];
		if (c < 0x20 || (c >= 0x7F && c < 0xA0))
			return false;
	}
	return true;
}

/* VIF 7Ch or FCh. The standard puts the text after the VIFEs, most meters before them: after FCh it
 * is taken where it looks like text. */
static bool read_plain_text(struct decoder *d, bool extended)
{
	const size_t vif = d->at - 1;
	const char *const too_long =
		"the text of its plain text VIF does not fit into the telegram";
	if (d->at == d->end)
		return fail(d, vif, "the telegram ends within its plain text VIF");
	size_t length = d->bytes[d->at];
	const bool text_first = !extended || (length < 0x80 && is_text(d, d->at + 1, length));
	if (text_first) {
		if (length >= d->end - d->at)
			return fail(d, vif, too_long);
		d->at += 1 + length;
	}
	if (extended && !read_vifes(d, false))
		return false;
	if (!text_first) {
		d->record->flags |= METER_RECORD_UNIT_LAST;
		if (d->at == d->end || d->bytes[d->at] >= d->end - d->at)
			return fail(d, vif, too_long);
		d->at += 1u + d->bytes[d->at];
	}
	if (d->at - vif > UINT8_MAX)
		return fail(d, vif, "the text of its plain text VIF is longer than 240 bytes");
	return true;
}

/* The code after FBh, FDh or EFh. */
static bool read_extension(struct decoder *d, uint8_t table)
{
	static const struct mbus_vif reserved = {.quantity = METER_Q_UNKNOWN};
	const char *const ends = "the telegram ends within its VIF";
	if (d->at == d->end)
		return fail(d, d->record->offset, ends);
	uint8_t byte = d->bytes[d->at++];
	d->shape.vifes = 1;
	const struct mbus_vif *vif = &reserved;
	if (table == 0xFB) {
		vif = &mbus_vif_fb[byte & 0x7F];
	} else if (table == 0xFD && byte == 0xFD) {
		if (d->at == d->end)
			return fail(d, d->record->offset, ends);
		byte = d->bytes[d->at++];
		d->shape.vifes = 2;
		vif = &mbus_vif_fd_fd[byte & 0x7F];
	} else if (table == 0xFD) {
		vif = &mbus_vif_fd[byte & 0x7F];
	}
	use_vif(d, vif);
	return !(byte & 0x80) || read_vifes(d, false);
}

static bool read_vif(struct decoder *d)
{
	const size_t begin = d->at;
	if (d->at == d->end)
		return fail(d, d->record->offset, "the telegram ends before its VIF");
	const uint8_t byte = d->bytes[d->at++];
	if (byte < 0x7C) {
		use_vif(d, &mbus_vif_primary[byte]);
		d->record->vif_length = 1;
		return true;
	}
	bool ok = true;
	if (byte == 0xFB || byte == 0xFD || byte == 0xEF) {
		ok = read_extension(d, byte);
	} else {
		use_vif(d, &mbus_vif_primary[byte & 0x7F]);
		if ((byte & 0x7F) == 0x7C)
			ok = read_plain_text(d, byte & 0x80);
		else if (byte & 0x80)
			ok = read_vifes(d, byte == 0xFF);
	}
	/* A record that failed is gone. */
	if (ok)
		d->record->vif_length = (uint8_t)(d->at - begin);
	return ok;
}

/* ---- Data ---- */

/* Applies factor and power of ten. What does not fit 64 bits stays as bytes. */
static void scale(struct decoder *d)
{
	struct meter_record *record = d->record;
	const struct mbus_scale *factor = &mbus_factors[d->shape.factor];
	const int exponent =
		record->exponent + d->shape.exponent + d->shape.correction + factor->exponent;
	if (__builtin_mul_overflow(
		    record->mantissa, (int64_t)factor->mantissa, &record->mantissa) ||
		exponent > INT8_MAX || exponent < INT8_MIN) {
		record->kind = METER_BYTES;
		return;
	}
	record->exponent = (int8_t)exponent;
	if (d->shape.has_offset) {
		const struct ml_decimal offset = {1, d->shape.offset_exponent};
		struct ml_decimal sum;
		if (ml_decimal_add(meter_record_decimal(record), offset, &sum)) {
			record->mantissa = sum.mantissa;
			record->exponent = sum.exponent;
		} else {
			record->kind = METER_BYTES;
		}
	}
}

static void set_point_in_time(struct decoder *d, const uint8_t *data, size_t length)
{
	struct meter_record *record = d->record;
	if (d->shape.data_field > 7 || d->shape.data_field == 5 ||
		!mbus_value_time(data, length, record)) {
		record->kind = METER_BYTES;
		return;
	}
	if (record->quantity != METER_Q_DATE && record->quantity != METER_Q_DATE_TIME)
		return;
	if (record->kind == METER_DATE)
		record->quantity = METER_Q_DATE;
	else if (record->kind == METER_DATE_TIME)
		record->quantity = METER_Q_DATE_TIME;
	else if (record->kind == METER_TIME)
		record->quantity = METER_Q_TIME;
}

/* Data of a fixed length, low byte first. */
static void set_fixed(struct decoder *d, const uint8_t *data, size_t length)
{
	struct meter_record *record = d->record;
	const uint8_t field = d->shape.data_field;
	if (length == 0)
		return;
	if (d->shape.coding == MBUS_POINT_IN_TIME) {
		set_point_in_time(d, data, length);
		return;
	}
	if (d->shape.coding == MBUS_RAW) {
		record->kind = METER_BYTES;
		return;
	}
	const uint64_t bits = mbus_load(data, length);
	if (field == 5) {
		mbus_value_real((uint32_t)bits, record);
	} else if (field > 8) {
		mbus_value_bcd(bits, length, record);
	} else if (d->shape.coding == MBUS_SIGNED) {
		mbus_value_signed(bits, length, record);
	} else {
		record->mantissa = (int64_t)bits;
		record->kind = bits > INT64_MAX ? METER_BYTES : METER_NUMBER;
	}
	if (record->kind == METER_NUMBER)
		scale(d);
}

/* Many values in one record, as they came: a profile's bytes are no text. */
#define PROFILES \
	(UINT64_C(1) << METER_M_COMPACT_PROFILE | UINT64_C(1) << METER_M_INVERSE_PROFILE | \
		UINT64_C(1) << METER_M_REGISTER_PROFILE)

/* Text without the zeros that pad it; bytes where it is none. */
static void set_text(struct decoder *d)
{
	struct meter_record *record = d->record;
	size_t at = record->data_offset;
	size_t length = record->data_length;
	record->kind = METER_BYTES;
	if (d->shape.coding == MBUS_RAW || d->shape.coding == MBUS_POINT_IN_TIME ||
		record->modifiers & PROFILES)
		return;
	while (length && d->bytes[at + length - 1] == 0)
		length--;
	while (length && d->bytes[at] == 0) {
		at++;
		length--;
	}
	if (!is_text(d, at, length))
		return;
	record->kind = METER_TEXT;
	record->data_offset = (uint16_t)at;
	record->data_length = (uint16_t)length;
	if (!(d->flags & MBUS_MSB_FIRST))
		record->flags |= METER_RECORD_REVERSED;
}

static void copy_low_first(const struct decoder *d, size_t at, size_t length, uint8_t *out)
{
	for (size_t i = 0; i < length; i++)
		out[i] = d->bytes[d->flags & MBUS_MSB_FIRST ? at + length - 1 - i : at + i];
}

/* How many bytes follow a first byte of variable length; -1: it is reserved. */
static int variable_length(uint8_t first)
{
	if (first < 0xC0)
		return first;
	if (first < 0xF0)
		return first & 0xF;
	if (first < 0xF5)
		return 4 * (first - 0xEC);
	return first == 0xF5 ? 48 : first == 0xF6 ? 64 : -1;
}

/* Decimal digits of a variable length, up to 18. */
static void set_variable_bcd(struct decoder *d, size_t length, bool negative)
{
	struct meter_record *record = d->record;
	struct meter_record high = {0};
	uint8_t low_first[9] = {0};
	copy_low_first(d, record->data_offset, length, low_first);
	if (length == 9) {
		mbus_value_bcd(low_first[8], 1, &high);
		if (high.kind == METER_NONE)
			return;
		length = 8;
	}
	mbus_value_bcd(mbus_load(low_first, length), length, record);
	if (record->kind == METER_NONE)
		return;
	record->mantissa += high.mantissa * INT64_C(10000000000000000);
	if (negative)
		record->mantissa = -record->mantissa;
}

static void set_variable(struct decoder *d, uint8_t first)
{
	struct meter_record *record = d->record;
	const size_t length = record->data_length;
	if (first < 0xC0) {
		set_text(d);
		return;
	}
	if (length == 0)
		return;
	if (length > 9 || (length == 9 && first >= 0xE0) || d->shape.coding == MBUS_RAW ||
		d->shape.coding == MBUS_POINT_IN_TIME) {
		record->kind = METER_BYTES;
		return;
	}
	if (first < 0xE0) {
		set_variable_bcd(d, length, first >= 0xD0);
	} else {
		uint8_t low_first[8];
		copy_low_first(d, record->data_offset, length, low_first);
		mbus_value_signed(mbus_load(low_first, length), length, record);
	}
	if (record->kind == METER_NUMBER)
		scale(d);
}

static bool too_short(struct decoder *d, size_t need)
{
	const size_t left = d->end - d->at;
	const uint16_t offset = d->record->offset;
	meter_reading_drop(d->reading);
	meter_reading_set_error(d->reading, (int32_t)d->at,
		"record %u at byte %u: its data takes %zu byte%s, %zu are left",
		d->reading->record_count + 1u, offset, need, need == 1 ? "" : "s", left);
	return false;
}

static bool read_variable(struct decoder *d)
{
	struct meter_record *record = d->record;
	if (d->at == d->end)
		return too_short(d, 1);
	const uint8_t first = d->bytes[d->at];
	const int length = variable_length(first);
	if (length < 0)
		return fail(
			d, d->at, "its variable length begins with a reserved code (F7h to FFh)");
	d->at++;
	if ((size_t)length > d->end - d->at)
		return too_short(d, (size_t)length);
	record->data_offset = (uint16_t)d->at;
	record->data_length = (uint16_t)length;
	d->at += (size_t)length;
	set_variable(d, first);
	return true;
}

static bool read_data(struct decoder *d)
{
	struct meter_record *record = d->record;
	if (d->shape.data_field == 0xD)
		return read_variable(d);
	const size_t length = data_lengths[d->shape.data_field];
	if (length > d->end - d->at)
		return too_short(d, length);
	record->data_offset = (uint16_t)d->at;
	record->data_length = (uint16_t)length;
	if (d->flags & MBUS_MSB_FIRST) {
		uint8_t low_first[8];
		copy_low_first(d, d->at, length, low_first);
		set_fixed(d, low_first, length);
	} else {
		set_fixed(d, d->bytes + d->at, length);
	}
	d->at += length;
	return true;
}

/* ---- Records ---- */

/* Most telegrams hold no series twice: only where the filter has seen one that may be the same are
 * the records compared. */
static void number_record(struct decoder *d)
{
	const struct meter_record *r = d->record;
	uint64_t h = (uint64_t)r->quantity << 56 ^ (uint64_t)r->of << 48 ^ (uint64_t)r->unit << 40 ^
		     (uint64_t)r->per << 36 ^ (uint64_t)r->function << 34 ^
		     (uint64_t)r->tariff << 16 ^ (uint64_t)r->subunit << 8 ^ r->storage ^
		     r->modifiers << 20;
	h *= UINT64_C(0x9E3779B97F4A7C15);
	uint64_t *word = &d->seen[h >> 62];
	const uint64_t bit = UINT64_C(1) << (h >> 56 & 63);
	if (*word & bit)
		meter_reading_number(d->reading, d->record);
	*word |= bit;
}

static bool decode_record(struct decoder *d)
{
	const size_t begin = d->at;
	d->record = meter_reading_add(d->reading);
	if (!d->record) {
		meter_reading_set_error(d->reading, (int32_t)begin,
			"there is room for %u records, and the telegram has more",
			d->reading->record_count);
		return false;
	}
	d->shape = (struct shape){0};
	if (!read_dif(d) || !read_vif(d) || !read_data(d))
		return false;
	if (d->shape.no_value)
		d->record->kind = METER_NONE;
	if (d->flags & MBUS_MSB_FIRST)
		d->record->flags |= METER_RECORD_MSB_FIRST;
	number_record(d);
	return true;
}

/* DIF 0Fh or 1Fh: all that follows is the maker's own. */
static bool read_manufacturer_data(struct decoder *d, uint8_t dif)
{
	d->record = meter_reading_add(d->reading);
	if (!d->record)
		return false;
	d->record->offset = (uint16_t)d->at;
	d->record->dif_length = 1;
	d->record->quantity = METER_Q_MANUFACTURER_DATA;
	d->record->kind = METER_BYTES;
	d->record->data_offset = (uint16_t)(d->at + 1);
	d->record->data_length = (uint16_t)(d->end - d->at - 1);
	if (dif == 0x1F)
		d->reading->flags |= METER_MORE_FOLLOWS;
	d->at = d->end;
	return true;
}

/* DIF 7Fh: a master asks for everything. */
static bool read_global_request(struct decoder *d)
{
	d->record = meter_reading_add(d->reading);
	if (!d->record)
		return false;
	d->record->offset = (uint16_t)d->at;
	d->record->dif_length = 1;
	d->record->quantity = METER_Q_ANY;
	d->record->data_offset = (uint16_t)++d->at;
	return true;
}

static bool decode_special(struct decoder *d, uint8_t dif)
{
	bool room = true;
	if (dif == 0x2F) {
		d->at++;
	} else if (dif == 0x0F || dif == 0x1F) {
		room = read_manufacturer_data(d, dif);
	} else if (dif == 0x7F) {
		room = read_global_request(d);
	} else {
		meter_reading_set_error(d->reading, (int32_t)d->at,
			"record %u: DIF %02Xh is reserved", d->reading->record_count + 1u, dif);
		return false;
	}
	if (!room)
		meter_reading_set_error(d->reading, (int32_t)d->at,
			"there is room for %u records, and the telegram has more",
			d->reading->record_count);
	return room;
}

void mbus_decode_records(struct meter_reading *reading, size_t begin, size_t end, unsigned flags)
{
	struct decoder d = {
		.reading = reading,
		.bytes = meter_reading_bytes(reading),
		.at = begin,
		.end = end,
		.flags = flags,
	};
	bool ok = true;
	while (ok && d.at < d.end) {
		const uint8_t dif = d.bytes[d.at];
		ok = (dif & 0xF) == 0xF ? decode_special(&d, dif) : decode_record(&d);
	}
}
