/* Virtual meters: addressing, frame count bit, and counters that move on with time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/meter.h"

#include <string.h>

#include <meterloom/json.h>

#include "mbus/link.h"

enum {
	AT_ADDRESS = 5,
	AT_CI = 6,
	AT_ID = 7,
	AT_ACCESS = 15,
	AT_ACCESS_FIXED = 11,
	AT_RECORDS = 19,
	CI_VARIABLE = 0x72,
	CI_FIXED = 0x73,
	CI_RESET = 0x50,
	CI_DATA = 0x51,
	CI_SELECT = 0x52,
	CI_BAUD = 0xB8, /* 300, and so on up to 38400 */
	CI_BAUD_LAST = 0xBF,
	BAUD_MIN = 300,

	DIF_FILLER = 0x2F,
	DIF_BCD8 = 0x0C,
	VIF_FABRICATION = 0x78,
	DIF_MANUFACTURER = 0x0F,
	DIF_MORE_FOLLOWS = 0x1F,
	DATA_SPECIAL = 0x0F,

	PRIMARY_MAX = 250,
	ID_BITS = 32,
	RATE_MIN = 40, /* counts an hour */
	RATE_SPAN = 800,
	DELAY_MIN = 11,
	DELAY_SPAN = 56,
	YEAR_2000 = 2000,
};

/* How long a meter waits at a new rate to be spoken to (EN 13757-2: two to ten minutes). */
#define BAUD_TRIAL (2 * ML_MINUTE)

/* Counters stand at the telegram's own values at this moment, and go on from there. */
#define START ((ml_time)1767225600 * ML_SEC) /* 2026-01-01T00:00:00Z */

uint64_t sim_hash(uint64_t a, uint64_t b)
{
	uint64_t z = a * 0x9E3779B97F4A7C15u + b + 0x9E3779B97F4A7C15u;
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

static size_t unhex(const char *text, uint8_t *out)
{
	size_t length = 0;
	for (; text[0] && text[1] && length < MBUS_FRAME_MAX; text += 2)
		out[length++] = (uint8_t)(ml_hex_value(text[0]) << 4 | ml_hex_value(text[1]));
	return length;
}

static uint64_t to_bcd(uint64_t value, unsigned digits)
{
	uint64_t bcd = 0;
	for (unsigned i = 0; i < digits; i++, value /= 10)
		bcd |= (value % 10) << (4 * i);
	return bcd;
}

/* false: a digit is none. */
static bool from_bcd(uint64_t bcd, unsigned digits, uint64_t *value)
{
	*value = 0;
	for (unsigned i = digits; i-- > 0;) {
		const uint64_t digit = bcd >> (4 * i) & 0xF;
		if (digit > 9)
			return false;
		*value = *value * 10 + digit;
	}
	return true;
}

static uint64_t load(const uint8_t *bytes, size_t length)
{
	uint64_t value = 0;
	while (length-- > 0)
		value = value << 8 | bytes[length];
	return value;
}

static void save(uint8_t *bytes, size_t length, uint64_t value)
{
	for (size_t i = 0; i < length; i++, value >>= 8)
		bytes[i] = (uint8_t)(value & 0xFF);
}

void sim_meter_init(struct sim_meter *meter, uint64_t seed, unsigned index)
{
	uint8_t frame[MBUS_FRAME_MAX];
	memset(meter, 0, sizeof *meter);
	meter->model = &sim_models[index % sim_model_count];
	meter->seed = sim_hash(seed, index);
	const size_t length = unhex(meter->model->telegrams[0], frame);
	meter->fixed = frame[AT_CI] == CI_FIXED;
	for (size_t at = AT_RECORDS; frame[AT_CI] == CI_VARIABLE && at + 2 < length;
		at = mbus_link_next_record(frame, at, length - 2)) {
		meter->fabricated = meter->fabricated ||
				    (frame[at] == DIF_BCD8 && frame[at + 1] == VIF_FABRICATION);
		if ((frame[at] & 0x0F) == DATA_SPECIAL && frame[at] != DIF_FILLER)
			break;
	}
	/* Unlike numbers: every bus steps through all of eight digits from a start of its own. */
	const uint64_t number =
		(sim_hash(seed, ~(uint64_t)0) + index * UINT64_C(61803401)) % 99999989;
	save(meter->secondary, 4, to_bcd(number, 8));
	if (meter->fixed)
		memset(meter->secondary + 4, 0xFF, 4);
	else
		memcpy(meter->secondary + 4, frame + AT_ID + 4, 4);
	meter_identity_read(meter->secondary, &meter->identity);
	meter->primary = (uint8_t)(index < PRIMARY_MAX ? index + 1 : 0);
	meter->delay = (uint8_t)(DELAY_MIN + meter->seed % DELAY_SPAN);
	meter->access = (uint8_t)(meter->seed >> 8);
}

void sim_meter_reset(struct sim_meter *meter, ml_time wall)
{
	meter->was_reset = true;
	meter->reset = wall;
}

void sim_meter_unplug(struct sim_meter *meter, bool unplugged)
{
	meter->unplugged = unplugged;
	meter->selected = meter->fcb_known = meter->begun = false;
	meter->telegram = 0;
}

void sim_meter_secondary(const struct sim_meter *meter, uint8_t out[8])
{
	memcpy(out, meter->secondary, 8);
	if (meter->quirks & SIM_QUIRK_SWAPPED)
		save(out, 4, to_bcd(sim_hash(meter->seed, 1) % 99999989, 8));
}

/* ---- Values that move on ---- */

/* Type F of EN 13757-3, four bytes. */
static uint64_t date_time(ml_time wall)
{
	char text[ML_TIME_TEXT_MAX];
	unsigned field[5] = {0};
	static const uint8_t begin[5] = {0, 5, 8, 11, 14}; /* 2026-01-31T14:15 */
	static const uint8_t digits[5] = {4, 2, 2, 2, 2};
	ml_time_format(wall, text);
	for (size_t i = 0; i < 5; i++) {
		for (size_t d = 0; d < digits[i]; d++)
			field[i] = field[i] * 10 + (unsigned)(text[begin[i] + d] - '0');
	}
	const unsigned year = (field[0] - YEAR_2000) % 100;
	return (uint64_t)field[4] | (uint64_t)field[3] << 8 | (uint64_t)(field[2] & 31) << 16 |
	       (uint64_t)(year & 7) << 21 | (uint64_t)field[1] << 24 | (uint64_t)(year >> 3) << 28;
}

/* By how much the counter at `offset` has grown. Operating times (VIF 20h to 27h) run with the
 * clock. */
static uint64_t growth(const struct sim_meter *meter, uint8_t vif, size_t offset, ml_time wall)
{
	static const ml_time units[4] = {ML_SEC, ML_MINUTE, ML_HOUR, ML_DAY};
	const ml_time start = meter->was_reset ? meter->reset : START;
	if (wall <= start)
		return 0;
	if (vif >= 0x20)
		return (uint64_t)((wall - start) / units[vif & 3]);
	const uint64_t rate = RATE_MIN + sim_hash(meter->seed, offset) % RATE_SPAN;
	const uint64_t hours = (uint64_t)((wall - start) / ML_HOUR);
	const uint64_t rest = (uint64_t)((wall - start) % ML_HOUR);
	return hours * rate + rest * rate / (uint64_t)ML_HOUR;
}

/* A record of storage 0 without DIFEs and VIFEs: `dif` and `vif` are all there is before the data.
 */
static void move_on(const struct sim_meter *meter, uint8_t dif, uint8_t vif, uint8_t *data,
	size_t length, size_t offset, ml_time wall)
{
	const bool bcd = (dif & 0x0F) >= 0x09;
	const unsigned digits = (unsigned)length * 2;
	uint64_t value = load(data, length);
	if (vif == VIF_FABRICATION && bcd && length == 4) {
		uint8_t secondary[8];
		sim_meter_secondary(meter, secondary);
		memcpy(data, secondary, 4);
		return;
	}
	if (vif == 0x6D && length == 4 && !bcd) {
		save(data, length, date_time(wall));
		return;
	}
	if (vif > 0x27)
		return;
	const uint64_t grown = growth(meter, vif, offset, wall);
	if (!bcd) {
		const unsigned bits = (unsigned)length * 8 - 1;
		const bool negative = value >> bits; /* no counter */
		value = meter->was_reset ? 0 : value;
		if (!negative)
			save(data, length, (value + grown) & ((UINT64_C(1) << bits) - 1));
	} else if (from_bcd(value, digits, &value)) {
		value = meter->was_reset ? 0 : value;
		save(data, length, to_bcd(value + grown, digits));
	}
}

/* The length of data by the data field, 0 for what is no plain number. */
static size_t number_length(uint8_t dif)
{
	static const uint8_t lengths[16] = {0, 1, 2, 3, 4, 0, 6, 0, 0, 1, 2, 3, 4, 0, 6, 0};
	return lengths[dif & 0x0F];
}

/* Whether the record at `at`, whose data begins at `data`, is an instantaneous value of storage 0,
 * of whatever tariff, that no VIFE made something else; *vif is the place of its VIF. */
static bool is_present_value(const uint8_t *frame, size_t at, size_t data, size_t *vif)
{
	if (frame[at] & 0x70) /* function, low bit of the storage number */
		return false;
	size_t i = at;
	while (i < data && (frame[i] & 0x80)) {
		if (frame[++i] & 0x0F) /* more bits of it */
			return false;
	}
	*vif = ++i;
	if (i >= data)
		return false;
	for (; frame[i] & 0x80; i++) {
		const uint8_t vife = frame[i + 1] & 0x7F;
		if (i + 1 >= data || (vife >= 0x40 && vife < 0x70))
			return false;
	}
	return i + 1 == data;
}

/* `last`: what a real meter would tell next is not known here, so that nothing more may follow. */
static void move_records(
	const struct sim_meter *meter, uint8_t *frame, size_t length, bool last, ml_time wall)
{
	const size_t end = length - 2;
	size_t at = AT_RECORDS;
	while (at < end) {
		const uint8_t dif = frame[at];
		if (dif == DIF_FILLER) {
			at++;
			continue;
		}
		if ((dif & 0x0F) == DATA_SPECIAL) {
			if (dif == DIF_MORE_FOLLOWS && last)
				frame[at] = DIF_MANUFACTURER;
			return;
		}
		const size_t next = mbus_link_next_record(frame, at, end);
		const size_t data = number_length(dif);
		size_t vif = 0;
		if (data > 0 && next <= end && is_present_value(frame, at, next - data, &vif))
			move_on(meter, dif, frame[vif] & 0x7F, frame + next - data, data, at, wall);
		at = next;
	}
}

/* The fixed structure: two counters of four bytes after access, status and units. */
static void move_fixed(const struct sim_meter *meter, uint8_t *frame, size_t length, ml_time wall)
{
	const size_t first = AT_ID + 8;
	if (length < first + 8 + 2)
		return;
	const bool binary = frame[AT_ID + 5] & 0x01;
	for (size_t i = 0; i < 2; i++) {
		uint8_t *data = frame + first + 4 * i;
		move_on(meter, binary ? 0x04 : 0x0C, 0x13, data, 4, first + 4 * i, wall);
	}
}

size_t sim_meter_telegram(
	const struct sim_meter *meter, unsigned number, ml_time wall, uint8_t *out)
{
	uint8_t frame[MBUS_FRAME_MAX];
	uint8_t secondary[8];
	const size_t place = number % meter->model->count;
	const bool last = place + 1 == meter->model->count;
	const size_t length = unhex(meter->model->telegrams[place], frame);
	sim_meter_secondary(meter, secondary);
	memcpy(frame + AT_ID, secondary, meter->fixed ? 4 : 8);
	frame[meter->fixed ? AT_ACCESS_FIXED : AT_ACCESS] = meter->access;
	if (meter->fixed)
		move_fixed(meter, frame, length, wall);
	else if (frame[AT_CI] == CI_VARIABLE)
		move_records(meter, frame, length, last, wall);
	return mbus_build_long(
		out, frame[4], meter->primary, frame[AT_CI], frame + AT_ID, length - AT_ID - 2);
}

/* ---- The slave ---- */

static size_t reset(struct sim_meter *meter)
{
	meter->fcb_known = meter->begun = false;
	meter->telegram = 0;
	return 0;
}

/* The enhanced selection (EN 13757-3) has a fabrication number behind the address. */
static bool fits(const struct sim_meter *meter, const struct mbus_frame *frame)
{
	uint8_t secondary[8];
	const uint8_t *fabrication = frame->data + 8;
	sim_meter_secondary(meter, secondary);
	if (frame->data_length != 8 && frame->data_length != 14)
		return false;
	if (frame->data_length == 14 &&
		(!meter->fabricated || fabrication[0] != DIF_BCD8 ||
			fabrication[1] != VIF_FABRICATION ||
			!mbus_link_matches(secondary, false, fabrication + 2)))
		return false;
	return mbus_link_matches(secondary, !meter->fixed, frame->data);
}

static size_t select_or_not(struct sim_meter *meter, const struct mbus_frame *frame, uint8_t *out)
{
	const bool meant = fits(meter, frame);
	meter->selected = meant || (meter->quirks & SIM_QUIRK_COLLIDING);
	meter->misled = meter->selected && !meant;
	meter->chiming = meter->misled;
	if (!meter->selected)
		return 0;
	(void)reset(meter);
	return mbus_build_ack(out);
}

/* Whether this is what came before, sent once more; the next is waited for then. */
static bool is_repeated(struct sim_meter *meter, const struct mbus_frame *frame)
{
	const bool fcb = (frame->control & MBUS_FCB) != 0;
	if (!(frame->control & MBUS_FCV))
		return false; /* the bit says nothing */
	const bool again = meter->fcb_known && fcb == meter->fcb;
	meter->fcb_known = true;
	meter->fcb = fcb;
	return again && !(meter->quirks & SIM_QUIRK_NO_FCB);
}

static void obey(struct sim_meter *meter, const struct mbus_frame *frame, ml_time wall)
{
	if (frame->ci == CI_RESET) {
		meter->begun = false;
		meter->telegram = 0;
	}
	/* 01 7A: a new primary address. */
	if (frame->ci == CI_DATA && frame->data_length == 3 && frame->data[0] == 0x01 &&
		frame->data[1] == 0x7A && frame->data[2] <= PRIMARY_MAX)
		meter->primary = frame->data[2];
	if (frame->ci >= CI_BAUD && frame->ci <= CI_BAUD_LAST && meter->baud != 0) {
		meter->next_baud = (unsigned)BAUD_MIN << (frame->ci - CI_BAUD);
		meter->old_baud = meter->baud;
		meter->old_baud_at = wall + BAUD_TRIAL;
	}
}

static size_t take_data(
	struct sim_meter *meter, const struct mbus_frame *frame, ml_time wall, uint8_t *out)
{
	if (!is_repeated(meter, frame))
		obey(meter, frame, wall);
	return mbus_build_ack(out);
}

bool sim_meter_settle(struct sim_meter *meter, ml_time wall)
{
	if (meter->next_baud) {
		meter->baud = meter->next_baud;
		meter->next_baud = 0;
		return true;
	}
	if (meter->old_baud && wall >= meter->old_baud_at) {
		meter->baud = meter->old_baud;
		meter->old_baud = 0;
		return true;
	}
	return false;
}

static size_t send_telegram(
	struct sim_meter *meter, const struct mbus_frame *frame, ml_time wall, uint8_t *out)
{
	const bool stuck = meter->quirks & SIM_QUIRK_STUCK;
	const bool again = is_repeated(meter, frame) || (stuck && meter->time != 0);
	meter->repeating = again && (meter->begun || stuck);
	if (!meter->repeating) {
		meter->telegram =
			meter->begun ? (meter->telegram + 1) % (unsigned)meter->model->count : 0;
		meter->time = wall;
		meter->access++;
	}
	meter->begun = true;
	return sim_meter_telegram(meter, meter->telegram, meter->time, out);
}

size_t sim_meter_answer(
	struct sim_meter *meter, const struct mbus_frame *frame, ml_time wall, uint8_t *out)
{
	const uint8_t control = frame->control & (uint8_t) ~(MBUS_FCB | MBUS_FCV);
	const uint8_t address = frame->address;
	const bool all = address == MBUS_ADDRESS_BROADCAST;
	const bool meant = address == MBUS_ADDRESS_TEST || address == meter->primary ||
			   (address == MBUS_ADDRESS_SELECTED && meter->selected);
	const bool asked = meant || (!all && (meter->quirks & SIM_QUIRK_COLLIDING));
	/* It stays selected also when nothing is wrong with it any more. */
	meter->chiming = !meant || (address == MBUS_ADDRESS_SELECTED && meter->misled);
	if (meant)
		meter->old_baud = 0; /* spoken to at its new rate: it holds */
	if (frame->kind == MBUS_FRAME_LONG) {
		if (control != (MBUS_SND_UD & 0xCF))
			return 0;
		if (address == MBUS_ADDRESS_SELECTED && frame->ci == CI_SELECT)
			return select_or_not(meter, frame, out);
		if (!asked && !all)
			return 0;
		/* One that only chimes in does not obey. */
		const size_t length =
			meant || all ? take_data(meter, frame, wall, out) : mbus_build_ack(out);
		return all ? 0 : length;
	}
	if (frame->kind != MBUS_FRAME_SHORT || (!asked && !all))
		return 0;
	if (control == MBUS_SND_NKE) {
		if (meter->quirks & SIM_QUIRK_NO_NKE)
			return 0;
		(void)reset(meter);
		if (address == MBUS_ADDRESS_SELECTED || all)
			meter->selected = false;
		return all ? 0 : mbus_build_ack(out);
	}
	if (all)
		return 0;
	if (control == (MBUS_REQ_UD2 & 0xCF))
		return send_telegram(meter, frame, wall, out);
	if (control == (MBUS_REQ_UD1 & 0xCF))
		return mbus_build_ack(out);
	return 0;
}
