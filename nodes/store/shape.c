/* Shapes: what the readings of one kind of telegram have in common.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/bytes.h"
#include "store/pack.h"

enum { VERSION = 1, NAME_MAX_LENGTH = 64 };

/* These are stored as numbers. */
_Static_assert(METER_INSTANTANEOUS == 0 && METER_MAXIMUM == 1 && METER_MINIMUM == 2 &&
		       METER_ERROR_STATE == 3,
	"functions are stored");
_Static_assert(
	METER_RECORD_REVERSED == 1 && METER_RECORD_UNIT_LAST == 2 && METER_RECORD_FILTER_MADE == 4,
	"flags of records are stored");
_Static_assert(METER_NONE == 0 && METER_NUMBER == 1 && METER_DATE == 2 && METER_DATE_TIME == 3 &&
		       METER_TIME == 4 && METER_TEXT == 5 && METER_BYTES == 6,
	"kinds are stored");

/* The numbers of quantities, units and modifiers change from release to release; their names are
 * what is stored. A unit whose text is the record's own is told by this. */
static const char custom_unit[] = "?";

static const char *unit_name(unsigned unit)
{
	return unit == METER_U_CUSTOM ? custom_unit : meter_unit_name(unit);
}

static unsigned find_name(const char *(*name)(unsigned number), unsigned count, const uint8_t *text,
	size_t length, unsigned otherwise)
{
	for (unsigned i = 0; i < count; i++) {
		const char *known = name(i);
		if (strlen(known) == length && memcmp(known, text, length) == 0)
			return i;
	}
	return otherwise;
}

static void put_name(struct store_out *out, const char *name)
{
	const size_t length = strlen(name);
	store_put(out, length);
	store_put_bytes(out, name, length);
}

static unsigned get_name(struct store_in *in, const char *(*name)(unsigned number), unsigned count,
	unsigned otherwise)
{
	const size_t length = (size_t)store_get_below(in, NAME_MAX_LENGTH);
	const uint8_t *text = store_get_bytes(in, length);
	return text ? find_name(name, count, text, length, otherwise) : otherwise;
}

/* ---- Writing ---- */

static void put_record(
	struct store_out *out, const struct meter_record *record, const uint8_t *bytes)
{
	store_put(out, record->function);
	store_put(out, record->storage);
	store_put(out, record->tariff);
	store_put(out, record->subunit);
	store_put(out, record->ordinal);
	store_put(out, record->flags);
	store_put(out, record->scale_mask);
	put_name(out, meter_quantity_name(record->quantity));
	put_name(out, record->of ? meter_quantity_name(record->of) : "");
	put_name(out, unit_name(record->unit));
	put_name(out, meter_per_name(record->per));
	unsigned count = 0;
	for (unsigned i = 0; i < METER_MODIFIERS; i++)
		count += (unsigned)(record->modifiers >> i & 1);
	store_put(out, count);
	for (unsigned i = 0; i < METER_MODIFIERS; i++)
		if (record->modifiers >> i & 1)
			put_name(out, meter_modifier_name(i));
	store_put(out, record->dif_length);
	store_put(out, record->vif_length);
	store_put_bytes(
		out, bytes + record->offset, (size_t)record->dif_length + record->vif_length);
}

static size_t put_shape(const struct meter_reading *reading, uint8_t *buffer, size_t *ret_described)
{
	const struct meter_record *records = meter_reading_records(reading);
	struct store_out out = {.at = buffer, .end = buffer + STORE_SHAPE_MAX};
	store_put(&out, VERSION);
	store_put(&out, reading->record_count);
	for (size_t i = 0; i < reading->record_count; i++)
		put_record(&out, &records[i], meter_reading_bytes(reading));
	*ret_described = (size_t)(out.at - buffer);
	for (size_t i = 0; i < reading->record_count; i++) {
		store_put(&out, records[i].kind);
		store_put(&out, store_zigzag(records[i].exponent));
	}
	return out.full ? 0 : (size_t)(out.at - buffer);
}

int store_shape_new(
	const struct meter_reading *reading, struct store_shape **ret_shape, struct ml_error *err)
{
	size_t described = 0;
	int result;
	uint8_t *buffer = malloc(STORE_SHAPE_MAX);
	if (!buffer)
		return ml_error_set(err, -ENOMEM, "out of memory");
	const size_t length = put_shape(reading, buffer, &described);
	result = length ? store_shape_parse(buffer, length, ret_shape, err)
			: ml_error_set(err, -E2BIG, "a reading of %u records is too large to store",
				  reading->record_count);
	free(buffer);
	return result;
}

/* ---- Reading ---- */

static void get_record(struct store_in *in, struct meter_record *record)
{
	record->function = (uint8_t)store_get_below(in, 4);
	record->storage = store_get(in);
	record->tariff = (uint32_t)store_get_below(in, UINT64_C(1) << 32);
	record->subunit = (uint16_t)store_get_below(in, 1 << 16);
	record->ordinal = (uint8_t)store_get_below(in, 1 << 8);
	record->flags = (uint8_t)store_get_below(in, 1 << 8);
	record->scale_mask = (uint8_t)store_get_below(in, 1 << 8);
	record->quantity =
		(uint8_t)get_name(in, meter_quantity_name, METER_QUANTITIES, METER_Q_UNKNOWN);
	record->of = (uint8_t)get_name(in, meter_quantity_name, METER_QUANTITIES, METER_Q_UNKNOWN);
	record->unit = (uint8_t)get_name(in, unit_name, METER_UNITS, METER_U_NONE);
	record->per = (uint8_t)get_name(in, meter_per_name, METER_PERS, METER_PER_NONE);
	for (size_t left = (size_t)store_get_below(in, 65); left > 0 && !in->bad; left--) {
		const unsigned modifier =
			get_name(in, meter_modifier_name, METER_MODIFIERS, METER_MODIFIERS);
		if (modifier < METER_MODIFIERS)
			record->modifiers |= UINT64_C(1) << modifier;
	}
	record->dif_length = (uint8_t)store_get_below(in, 1 << 8);
	record->vif_length = (uint8_t)store_get_below(in, 1 << 8);
}

/* The DIF and VIF bytes of a record; records that follow each other with the same share them. */
static bool get_description(struct store_in *in, struct store_shape *shape, size_t index)
{
	struct meter_record *record = &shape->records[index];
	const size_t length = (size_t)record->dif_length + record->vif_length;
	const uint8_t *bytes = store_get_bytes(in, length);
	if (!bytes)
		return false;
	if (index > 0) {
		const struct meter_record *before = record - 1;
		if (before->dif_length == record->dif_length &&
			before->vif_length == record->vif_length &&
			memcmp(shape->bytes + before->offset, bytes, length) == 0) {
			record->offset = before->offset;
			return true;
		}
	}
	if (shape->bytes_length + length > METER_BYTES_MAX)
		return false;
	record->offset = (uint16_t)shape->bytes_length;
	if (length)
		memcpy(shape->bytes + shape->bytes_length, bytes, length);
	shape->bytes_length += length;
	return true;
}

static bool get_shape(struct store_in *in, struct store_shape *shape)
{
	for (size_t i = 0; i < shape->count; i++) {
		get_record(in, &shape->records[i]);
		if (in->bad || !get_description(in, shape, i))
			return false;
	}
	shape->described = shape->body_length - (size_t)(in->end - in->at);
	for (size_t i = 0; i < shape->count; i++) {
		shape->records[i].kind = (uint8_t)store_get_below(in, METER_BYTES + 1);
		shape->records[i].exponent = (int8_t)store_unzigzag(store_get_below(in, 256));
	}
	return !in->bad && in->at == in->end;
}

int store_shape_parse(
	const uint8_t *body, size_t length, struct store_shape **ret_shape, struct ml_error *err)
{
	struct store_in in = {.at = body, .end = body + length};
	const uint64_t version = store_get(&in);
	const size_t count = (size_t)store_get_below(&in, METER_RECORDS_MAX + 1);
	if (in.bad || version != VERSION)
		return ml_error_set(
			err, -EBADMSG, "a stored shape is damaged or of another version");
	struct store_shape *shape = calloc(1, sizeof *shape);
	if (!shape)
		return ml_error_set(err, -ENOMEM, "out of memory");
	shape->count = count;
	shape->body_length = length;
	shape->records = calloc(count ? count : 1, sizeof *shape->records);
	shape->bytes = malloc(length); /* they stand in the body */
	shape->body = malloc(length);
	int result = 0;
	if (!shape->records || !shape->bytes || !shape->body) {
		result = ml_error_set(err, -ENOMEM, "out of memory");
	} else if (!get_shape(&in, shape)) {
		result = ml_error_set(err, -EBADMSG, "a stored shape is damaged");
	} else {
		memcpy(shape->body, body, length);
		*ret_shape = shape;
		shape = NULL;
	}
	store_shape_free(shape);
	return result;
}

void store_shape_free(struct store_shape *shape)
{
	if (!shape)
		return;
	free(shape->records);
	free(shape->bytes);
	free(shape->body);
	free(shape);
}

/* ---- Telling apart ---- */

static bool same_description(const struct meter_record *a, const struct meter_record *b)
{
	return a->modifiers == b->modifiers && a->storage == b->storage && a->tariff == b->tariff &&
	       a->subunit == b->subunit && a->dif_length == b->dif_length &&
	       a->vif_length == b->vif_length && a->quantity == b->quantity && a->of == b->of &&
	       a->unit == b->unit && a->per == b->per && a->function == b->function &&
	       a->flags == b->flags && a->scale_mask == b->scale_mask && a->ordinal == b->ordinal;
}

bool store_shape_fits(const struct store_shape *shape, const struct meter_reading *reading)
{
	const struct meter_record *records = meter_reading_records(reading);
	const uint8_t *bytes = meter_reading_bytes(reading);
	if (shape->count != reading->record_count)
		return false;
	for (size_t i = 0; i < shape->count; i++) {
		const struct meter_record *known = &shape->records[i];
		if (!same_description(known, &records[i]) ||
			memcmp(shape->bytes + known->offset, bytes + records[i].offset,
				(size_t)known->dif_length + known->vif_length) != 0)
			return false;
	}
	return true;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9E3779B97F4A7C15);
	return hash ^ hash >> 29;
}

uint64_t store_shape_hash(const struct meter_reading *reading)
{
	const struct meter_record *records = meter_reading_records(reading);
	const uint8_t *bytes = meter_reading_bytes(reading);
	uint64_t hash = reading->record_count;
	for (size_t i = 0; i < reading->record_count; i++) {
		const struct meter_record *r = &records[i];
		hash = mix(hash, r->storage << 20 ^ (uint64_t)r->tariff << 4 ^ r->function);
		hash = mix(hash, (uint64_t)r->subunit << 40 ^ (uint64_t)r->ordinal << 32 ^
					 (uint64_t)r->quantity << 24 ^ (uint64_t)r->unit << 16 ^
					 (uint64_t)r->dif_length << 8 ^ r->vif_length);
		const size_t length = (size_t)r->dif_length + r->vif_length;
		for (size_t at = 0; at < length; at += 8) {
			uint64_t word = 0;
			memcpy(&word, bytes + r->offset + at, length - at < 8 ? length - at : 8);
			hash = mix(hash, word);
		}
	}
	return hash;
}

uint64_t store_shape_stored_hash(const struct store_shape *shape)
{
	uint64_t hash = UINT64_C(0xCBF29CE484222325); /* FNV-1a */
	for (size_t i = 0; i < shape->described; i++)
		hash = (hash ^ shape->body[i]) * UINT64_C(0x100000001B3);
	return hash;
}
