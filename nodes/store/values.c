/* The values of a reading as a string of bytes.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A head, then a token for each record of the shape, then the error where there is one. A token is
 * a number: even, and half of it is the mantissa (zigzag) with the shape's exponent; or odd, and
 * says what follows.
 */
#include <errno.h>
#include <string.h>

#include "store/bytes.h"
#include "store/pack.h"

enum { /* bits of the head; the reading's own flags stand above them */
	HEAD_ENCRYPTION = 1,
	HEAD_CONFIGURATION = 2,
	HEAD_ERROR = 4,
	HEAD_BITS = 3,
};

enum token {          /* three bits above the odd one; what is above them belongs to the token */
	TOKEN_NONE,   /* no value */
	TOKEN_NUMBER, /* exponent (zigzag) above; the mantissa follows */
	TOKEN_DATE,   /* 1 above: eight raw bytes follow; else the packed time */
	TOKEN_DATE_TIME,
	TOKEN_TIME,
	TOKEN_TEXT,     /* length above; the bytes follow */
	TOKEN_BYTES,    /* the same */
	TOKEN_NONE_RAW, /* the same: bytes that are no value */
};

/* Flags are stored as numbers. */
_Static_assert(METER_HAS_IDENTITY == 1 && METER_HAS_STATUS == 2 && METER_MORE_FOLLOWS == 4 &&
		       METER_NOT_READ == 8 && METER_HAS_ADDRESS == 16 && METER_HAS_MAKER == 32 &&
		       METER_DERIVED == 64,
	"flags of readings are stored");
_Static_assert(METER_PLAIN == 0 && METER_DECRYPTED == 1 && METER_NO_KEY == 2 &&
		       METER_WRONG_KEY == 3 && METER_BAD_MAC == 4 && METER_UNSUPPORTED == 5,
	"how it was encrypted is stored");

/* ---- Writing ---- */

static void put_token(struct store_out *out, enum token token, uint64_t above)
{
	store_put(out, above << 4 | (uint64_t)token << 1 | 1);
}

static void put_number(struct store_out *out, const struct meter_record *record, int8_t usual)
{
	const uint64_t mantissa = store_zigzag(record->mantissa);
	if (record->exponent == usual && mantissa <= UINT64_MAX >> 1) {
		store_put(out, mantissa << 1);
	} else {
		put_token(out, TOKEN_NUMBER, store_zigzag(record->exponent));
		store_put(out, mantissa);
	}
}

/* The value that stands for "every" becomes the highest of so many bits. */
static bool pack_field(uint8_t value, unsigned bits, uint64_t *packed)
{
	const unsigned every = (1u << bits) - 1;
	if (value != METER_TIME_EVERY && value >= every)
		return false;
	*packed = *packed << bits | (value == METER_TIME_EVERY ? every : value);
	return true;
}

static uint8_t unpack_field(unsigned bits, uint64_t *packed)
{
	const unsigned every = (1u << bits) - 1;
	const unsigned value = (unsigned)*packed & every;
	*packed >>= bits;
	return value == every ? METER_TIME_EVERY : (uint8_t)value;
}

static bool pack_date(const struct meter_time *time, uint64_t *packed)
{
	*packed = time->year;
	return pack_field(time->month, 4, packed) && pack_field(time->day, 6, packed);
}

static bool pack_time(const struct meter_time *time, uint64_t *packed)
{
	*packed = time->flags;
	return pack_field(time->hour, 5, packed) && pack_field(time->minute, 6, packed) &&
	       pack_field(time->second, 6, packed);
}

static void put_time(struct store_out *out, enum token token, const struct meter_time *time)
{
	uint64_t date = 0, hours = 0;
	const bool fits = pack_date(time, &date) && pack_time(time, &hours) &&
			  (token != TOKEN_DATE || hours == 0) && (token != TOKEN_TIME || date == 0);
	put_token(out, token, !fits);
	if (!fits) {
		const uint8_t raw[] = {(uint8_t)time->year, (uint8_t)(time->year >> 8), time->month,
			time->day, time->hour, time->minute, time->second, time->flags};
		store_put_bytes(out, raw, sizeof raw);
		return;
	}
	if (token != TOKEN_TIME)
		store_put(out, date);
	if (token != TOKEN_DATE)
		store_put(out, hours);
}

static void put_data(struct store_out *out, enum token token, const struct meter_record *record,
	const uint8_t *bytes)
{
	put_token(out, token, record->data_length);
	store_put_bytes(out, bytes + record->data_offset, record->data_length);
}

static void put_value(struct store_out *out, const struct meter_record *record,
	const struct meter_record *usual, const uint8_t *bytes)
{
	switch (record->kind) {
	case METER_NUMBER:
		put_number(out, record, usual->exponent);
		break;
	case METER_DATE:
		put_time(out, TOKEN_DATE, &record->time);
		break;
	case METER_DATE_TIME:
		put_time(out, TOKEN_DATE_TIME, &record->time);
		break;
	case METER_TIME:
		put_time(out, TOKEN_TIME, &record->time);
		break;
	case METER_TEXT:
		put_data(out, TOKEN_TEXT, record, bytes);
		break;
	case METER_BYTES:
		put_data(out, TOKEN_BYTES, record, bytes);
		break;
	default:
		if (record->data_length)
			put_data(out, TOKEN_NONE_RAW, record, bytes);
		else
			put_token(out, TOKEN_NONE, 0);
	}
}

static void put_head(struct store_out *out, const struct meter_reading *reading)
{
	unsigned head = (unsigned)reading->flags << HEAD_BITS;
	if (reading->encryption || reading->encryption_mode)
		head |= HEAD_ENCRYPTION;
	if (reading->configuration)
		head |= HEAD_CONFIGURATION;
	if (reading->error_length)
		head |= HEAD_ERROR;
	store_put(out, head);
	store_put_byte(out, reading->ci);
	store_put_byte(out, reading->access);
	store_put_byte(out, reading->status);
	if (reading->flags & METER_HAS_ADDRESS)
		store_put_byte(out, reading->address);
	if (head & HEAD_ENCRYPTION) {
		store_put_byte(out, reading->encryption);
		store_put_byte(out, reading->encryption_mode);
	}
	if (head & HEAD_CONFIGURATION)
		store_put(out, reading->configuration);
}

size_t store_values_write(const struct store_shape *shape, const struct meter_reading *reading,
	uint8_t values[STORE_VALUES_MAX])
{
	const struct meter_record *records = meter_reading_records(reading);
	const uint8_t *bytes = meter_reading_bytes(reading);
	struct store_out out = {.at = values, .end = values + STORE_VALUES_MAX};
	put_head(&out, reading);
	for (size_t i = 0; i < reading->record_count; i++)
		put_value(&out, &records[i], &shape->records[i], bytes);
	if (reading->error_length) {
		size_t length = 0;
		const char *text = meter_reading_error(reading, &length);
		store_put(&out, store_zigzag(reading->error_at));
		store_put(&out, length);
		store_put_bytes(&out, text, length);
	}
	return out.full ? 0 : (size_t)(out.at - values);
}

/* ---- Reading ---- */

/* What is gathered before the block can be laid out: the bytes stand before the records. */
struct building {
	struct store_in in;
	uint8_t bytes[METER_BYTES_MAX];
	size_t bytes_length;
	struct meter_record records[METER_RECORDS_MAX];
};

static bool get_time(struct store_in *in, enum token token, bool raw, struct meter_time *time)
{
	if (raw) {
		const uint8_t *p = store_get_bytes(in, 8);
		if (p)
			*time = (struct meter_time){
				.year = (uint16_t)(p[0] | p[1] << 8),
				.month = p[2],
				.day = p[3],
				.hour = p[4],
				.minute = p[5],
				.second = p[6],
				.flags = p[7],
			};
		return p != NULL;
	}
	uint64_t packed = token == TOKEN_TIME ? 0 : store_get_below(in, 1 << 26);
	time->day = unpack_field(6, &packed);
	time->month = unpack_field(4, &packed);
	time->year = (uint16_t)packed;
	packed = token == TOKEN_DATE ? 0 : store_get_below(in, 1 << 25);
	time->second = unpack_field(6, &packed);
	time->minute = unpack_field(6, &packed);
	time->hour = unpack_field(5, &packed);
	time->flags = (uint8_t)packed;
	return !in->bad;
}

static bool get_data(struct building *b, struct meter_record *record, uint64_t length)
{
	if (length > METER_BYTES_MAX - b->bytes_length)
		return false;
	const uint8_t *data = store_get_bytes(&b->in, (size_t)length);
	if (!data)
		return false;
	record->data_offset = (uint16_t)b->bytes_length;
	record->data_length = (uint16_t)length;
	if (length)
		memcpy(b->bytes + b->bytes_length, data, (size_t)length);
	b->bytes_length += (size_t)length;
	return true;
}

static bool get_value(struct building *b, struct meter_record *record)
{
	static const uint8_t kinds[] = {METER_NONE, METER_NUMBER, METER_DATE, METER_DATE_TIME,
		METER_TIME, METER_TEXT, METER_BYTES, METER_NONE};
	const uint64_t token = store_get(&b->in);
	if (!(token & 1)) {
		record->kind = METER_NUMBER;
		record->mantissa = store_unzigzag(token >> 1);
		return !b->in.bad;
	}
	const enum token kind = (enum token)(token >> 1 & 7);
	const uint64_t above = token >> 4;
	record->kind = kinds[kind];
	switch (kind) {
	case TOKEN_NONE:
		return !b->in.bad;
	case TOKEN_NUMBER:
		record->exponent = (int8_t)store_unzigzag(above & 0xFF);
		record->mantissa = store_unzigzag(store_get(&b->in));
		return !b->in.bad && above <= 0xFF;
	case TOKEN_DATE:
	case TOKEN_DATE_TIME:
	case TOKEN_TIME:
		return get_time(&b->in, kind, above == 1, &record->time);
	default:
		return get_data(b, record, above);
	}
}

static void get_head(struct store_in *in, unsigned head, struct meter_reading *reading)
{
	reading->flags = (uint8_t)(head >> HEAD_BITS);
	reading->ci = store_get_byte(in);
	reading->access = store_get_byte(in);
	reading->status = store_get_byte(in);
	if (reading->flags & METER_HAS_ADDRESS)
		reading->address = store_get_byte(in);
	if (head & HEAD_ENCRYPTION) {
		reading->encryption = store_get_byte(in);
		reading->encryption_mode = store_get_byte(in);
	}
	if (head & HEAD_CONFIGURATION)
		reading->configuration = (uint16_t)store_get_below(in, 1 << 16);
}

static bool get_error(struct store_in *in, struct meter_reading *reading)
{
	const int64_t at = store_unzigzag(store_get_below(in, UINT64_C(1) << 32));
	const size_t length = (size_t)store_get_below(in, METER_ERROR_TEXT_MAX);
	const uint8_t *text = store_get_bytes(in, length);
	if (!text)
		return false;
	meter_reading_set_error(reading, (int32_t)at, "%.*s", (int)length, (const char *)text);
	return reading->error_length == length;
}

static int damaged(struct ml_error *err)
{
	return ml_error_set(err, -EBADMSG, "the values of a stored reading are damaged");
}

int store_values_read(const struct store_shape *shape, const uint8_t *values, size_t length,
	void *block, size_t size, struct ml_error *err)
{
	struct building b; /* some 40 KiB */
	struct meter_reading head = {0};
	b.in = (struct store_in){.at = values, .end = values + length};
	b.bytes_length = shape->bytes_length;
	if (shape->bytes_length)
		memcpy(b.bytes, shape->bytes, shape->bytes_length);
	const unsigned bits = (unsigned)store_get_below(&b.in, 1 << (8 + HEAD_BITS));
	get_head(&b.in, bits, &head);
	if (b.in.bad)
		return damaged(err);
	for (size_t i = 0; i < shape->count; i++) {
		b.records[i] = shape->records[i];
		b.records[i].data_offset =
			(uint16_t)(b.records[i].offset + b.records[i].dif_length +
				   b.records[i].vif_length);
		if (!get_value(&b, &b.records[i]))
			return damaged(err);
	}
	int result = meter_reading_init(block, size, b.bytes, b.bytes_length, err);
	if (result < 0)
		return result;
	struct meter_reading *reading = block;
	reading->telegram_length = 0;
	reading->flags = head.flags;
	reading->ci = head.ci;
	reading->access = head.access;
	reading->status = head.status;
	reading->address = head.address;
	reading->encryption = head.encryption;
	reading->encryption_mode = head.encryption_mode;
	reading->configuration = head.configuration;
	for (size_t i = 0; i < shape->count; i++) {
		struct meter_record *record = meter_reading_add(reading);
		if (!record)
			return ml_error_set(err, -ENOSPC,
				"a block of %zu bytes is too small for %zu records", size,
				shape->count);
		*record = b.records[i];
	}
	if (bits & HEAD_ERROR && !get_error(&b.in, reading))
		return damaged(err);
	return b.in.bad || b.in.at != b.in.end ? damaged(err) : 0;
}

unsigned store_values_flags(const uint8_t *values, size_t length)
{
	struct store_in in = {.at = values, .end = values + length};
	return (unsigned)store_get_below(&in, 1 << (8 + HEAD_BITS)) >> HEAD_BITS;
}
