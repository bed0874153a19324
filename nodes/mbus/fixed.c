/* The fixed data structure (CI 73h, 77h) of old meters: two counters.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Sixteen bytes: id (4), access number, status, medium and units (2), counter 1 (4), counter 2 (4).
 */
#include "mbus/fixed.h"

#include "mbus/value.h"

enum {
	FIXED_SIZE = 16,
	STATUS_BINARY = 1, /* else the counters are decimal digits */
	STATUS_STORED = 2, /* values of a fixed date, else actual ones */
	UNIT_HISTORIC = 0x3E,
};

struct unit {
	uint8_t first, last; /* codes; each next one is ten times the one before */
	uint8_t quantity, unit;
	int8_t exponent;
};

static const struct unit units[] = {
	{0x02, 0x0A, METER_Q_ENERGY, METER_U_WH, 0},
	{0x0B, 0x13, METER_Q_ENERGY, METER_U_J, 3},
	{0x14, 0x1C, METER_Q_POWER, METER_U_W, 0},
	{0x1D, 0x25, METER_Q_POWER, METER_U_J_PER_H, 3},
	{0x26, 0x2E, METER_Q_VOLUME, METER_U_M3, -6},
	{0x2F, 0x37, METER_Q_VOLUME_FLOW, METER_U_M3_PER_H, -6},
	{0x38, 0x38, METER_Q_EXTERNAL_TEMPERATURE, METER_U_CELSIUS, -3},
	{0x39, 0x39, METER_Q_HCA, METER_U_HCA, 0},
	{0x3F, 0x3F, METER_Q_NO_VIF, METER_U_NONE, 0},
};

/* Codes without a unit of measurement (time and date in digits, reserved ones) have no row. */
static const struct unit *find_unit(uint8_t code)
{
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (code >= units[i].first && code <= units[i].last)
			return &units[i];
	}
	return NULL;
}

static uint8_t medium_of(uint8_t low, uint8_t high)
{
	/* The device types of EN 13757-7; the second half stands for "mode 2" of the first. */
	static const uint8_t media[] = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x0F,
		0x03, 0x04, 0x06, 0x07, 0x08, 0x0F};
	return media[low >> 6 | (high >> 6) << 2];
}

static void add_counter(struct meter_reading *reading, size_t at, uint8_t code, uint64_t storage,
	uint8_t status, bool msb_first)
{
	struct meter_record *record = meter_reading_add(reading);
	if (!record)
		return;
	const uint8_t *p = meter_reading_bytes(reading) + at;
	const uint8_t low_first[4] = {p[msb_first ? 3 : 0], p[msb_first ? 2 : 1],
		p[msb_first ? 1 : 2], p[msb_first ? 0 : 3]};
	const struct unit *unit = find_unit(code);
	record->offset = (uint16_t)at;
	record->data_offset = (uint16_t)at;
	record->data_length = 4;
	record->storage = storage;
	if (status & STATUS_BINARY) {
		record->mantissa = (int64_t)mbus_load(low_first, 4);
		record->kind = METER_NUMBER;
	} else {
		mbus_value_bcd(mbus_load(low_first, 4), 4, record);
	}
	if (unit) {
		record->quantity = unit->quantity;
		record->unit = unit->unit;
		record->exponent = (int8_t)(unit->exponent + code - unit->first);
	} else if (record->kind == METER_NUMBER) {
		record->kind = METER_BYTES;
	}
	meter_reading_number(reading, record);
}

void mbus_decode_fixed(struct meter_reading *reading, size_t begin, size_t end, bool msb_first)
{
	if (end - begin != FIXED_SIZE) {
		meter_reading_set_error(reading, (int32_t)begin,
			"fixed data has 16 bytes after its CI field; here are %zu", end - begin);
		return;
	}
	const uint8_t *p = meter_reading_bytes(reading) + begin;
	const uint8_t id[4] = {p[msb_first ? 3 : 0], p[msb_first ? 2 : 1], p[msb_first ? 1 : 2],
		p[msb_first ? 0 : 3]};
	const uint8_t status = p[5];
	const uint8_t first = p[msb_first ? 7 : 6];
	const uint8_t second = p[msb_first ? 6 : 7];
	reading->meter.id = (uint32_t)mbus_load(id, 4);
	reading->meter.medium = medium_of(first, second);
	reading->access = p[4];
	reading->status = status & 0xFC;
	reading->flags |= METER_HAS_IDENTITY | METER_HAS_STATUS;
	const uint64_t storage = status & STATUS_STORED ? 1 : 0;
	uint8_t code = second & 0x3F;
	add_counter(reading, begin + 8, first & 0x3F, storage, status, msb_first);
	if (code == UNIT_HISTORIC)
		add_counter(reading, begin + 12, first & 0x3F, 1, status, msb_first);
	else
		add_counter(reading, begin + 12, code, storage, status, msb_first);
}
