/* A decoded telegram: one block of memory that can be copied and sent about as it is.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Lay-out of the block, each part at a multiple of eight bytes:
 *
 *     struct meter_reading     who, when, how
 *     bytes                    the telegram as it came, then bytes that filters added
 *     struct meter_record[n]   offsets into the bytes, no pointers
 *     error text               error_length bytes, no NUL
 *
 * Nothing in it is a pointer, so a copy (meter_reading_copy) of `size` bytes is an equal reading,
 * which may be the payload of a message. It is memory of this process alone: what is stored is the
 * telegram.
 *
 * Thread-safety: a finished reading is read by any number of threads; building belongs to one.
 */
#ifndef METER_READING_H
#define METER_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/decimal.h>
#include <meterloom/error.h>
#include <meterloom/json.h>

#include "meter/identity.h"
#include "meter/quantity.h"

enum meter_function {
	METER_INSTANTANEOUS,
	METER_MAXIMUM,
	METER_MINIMUM,
	METER_ERROR_STATE, /* value during error state */
};

enum meter_kind {
	METER_NONE,      /* the meter says it has no value */
	METER_NUMBER,    /* mantissa and exponent */
	METER_DATE,      /* time.year, month, day */
	METER_DATE_TIME, /* and hour, minute, second where METER_TIME_SECONDS is set */
	METER_TIME,      /* time.hour, minute, second */
	METER_TEXT,      /* the bytes at data */
	METER_BYTES,     /* the bytes at data; JSON shows them as hex */
};

enum {
	METER_TIME_EVERY = 0xFF,   /* a field that stands for every day, month, hour or minute */
	METER_TIME_EVERY_YEAR = 0, /* and every year */

	METER_TIME_SECONDS = 1, /* flags of struct meter_time */
	METER_TIME_SUMMER = 2,  /* daylight saving time is on */
};

/* The meter's own local time, which names no zone. */
struct meter_time {
	uint16_t year; /* 1900 to 2299 */
	uint8_t month, day, hour, minute, second;
	uint8_t flags;
};

enum {                                /* flags of struct meter_record */
	METER_RECORD_REVERSED = 1,    /* METER_TEXT in ISO 8859-1, last character first */
	METER_RECORD_UNIT_LAST = 2,   /* plain text VIF: the text stands after the VIFEs */
	METER_RECORD_FILTER_MADE = 4, /* no part of the telegram: VIF is name NUL unit in UTF-8 */
	METER_RECORD_UTF8 = 8,        /* METER_TEXT is UTF-8 */
	METER_RECORD_MSB_FIRST = 16,  /* the telegram sends high bytes first (CI 76h) */
};

/* The VIF bytes (with VIFEs and plain text) follow the DIF bytes, the data follows them, except
 * that a plain text VIF of old meters has its text between VIFEs and data. */
struct meter_record {
	union {
		int64_t mantissa;
		struct meter_time time;
	};
	uint64_t modifiers; /* bits 1 << enum meter_modifier */
	uint64_t storage;   /* 41 bits */
	uint32_t tariff;    /* 20 bits */
	uint16_t subunit;   /* 10 bits */
	uint16_t offset;    /* of the first DIF in the bytes */
	uint16_t data_offset, data_length;
	uint8_t dif_length;
	uint8_t vif_length; /* with VIFEs and plain text; at most 255 */
	uint8_t kind;       /* enum meter_kind */
	uint8_t quantity;   /* enum meter_quantity */
	uint8_t of;         /* the base of a limit, duration ...; else METER_Q_UNKNOWN */
	uint8_t unit;       /* enum meter_unit */
	uint8_t per;        /* enum meter_per */
	uint8_t function;   /* enum meter_function */
	int8_t exponent;    /* power of ten */
	uint8_t flags;
	uint8_t scale_mask; /* bits of the true VIF that only scale */
	uint8_t ordinal;    /* counts records of one telegram that would be the same series */
};

_Static_assert(sizeof(struct meter_record) == 48, "records stay small: a telegram has up to 130");

enum meter_encryption { /* how the application data was protected */
	METER_PLAIN,
	METER_DECRYPTED,
	METER_NO_KEY,
	METER_WRONG_KEY,
	METER_BAD_MAC,
	METER_UNSUPPORTED,
};

enum {                          /* flags of struct meter_reading */
	METER_HAS_IDENTITY = 1, /* `meter` is known */
	METER_HAS_STATUS = 2,   /* access and status came with the telegram */
	METER_MORE_FOLLOWS = 4, /* the meter has more telegrams of this readout (DIF 1Fh) */
	METER_NOT_READ = 8,     /* a readout that failed: the error says why; maybe no telegram */
	METER_HAS_ADDRESS = 16, /* `address` is known */
	METER_HAS_MAKER = 32,   /* `meter` has manufacturer and version too */
	METER_DERIVED = 64,     /* made by the gateway of other readings; time is what it is of */
};

#define METER_TIME_UNKNOWN INT64_MIN

struct meter_reading {
	uint32_t size;     /* bytes in use, all parts */
	uint32_t capacity; /* of the block; as size in a copy */
	ml_time time;      /* when it was received; METER_TIME_UNKNOWN */
	uint64_t trace;    /* 0: none */
	struct meter_identity meter;
	int32_t error_at; /* byte offset in the telegram; -1: not known */
	uint16_t error_length;
	uint16_t telegram_length;
	uint16_t bytes_length; /* telegram and what filters added */
	uint16_t record_count;
	uint16_t configuration; /* signature, or configuration word; 0: none */
	uint8_t flags;
	uint8_t access;
	uint8_t status;
	uint8_t encryption_mode;
	uint8_t encryption; /* enum meter_encryption */
	uint8_t ci;
	uint8_t address; /* primary address, of the wired bus */
	uint32_t point;  /* key in the meter list (list.h) of whom was asked; 0: not known */
	uint32_t origin; /* by which way it came (origin.h); 0: not known */
};

enum {
	METER_BYTES_MAX = 16384, /* telegram and what filters add */
	METER_RECORDS_MAX = 512, /* of one reading */
	METER_ERROR_TEXT_MAX = 240,
	/* A block of this size holds any telegram of 255 bytes, with some room for filters. */
	METER_READING_MAX = 10240,
};

/* ---- Reading ---- */

static inline size_t meter_reading_bytes_size(const struct meter_reading *reading)
{
	return ((size_t)reading->bytes_length + 7) & ~(size_t)7;
}

static inline const uint8_t *meter_reading_bytes(const struct meter_reading *reading)
{
	return (const uint8_t *)(reading + 1);
}

static inline const struct meter_record *meter_reading_records(const struct meter_reading *reading)
{
	return (const struct meter_record *)(const void *)(meter_reading_bytes(reading) +
							   meter_reading_bytes_size(reading));
}

/* NULL: the index is past the last record. */
static inline const struct meter_record *meter_reading_record(
	const struct meter_reading *reading, size_t index)
{
	return index < reading->record_count ? meter_reading_records(reading) + index : NULL;
}

static inline struct ml_decimal meter_record_decimal(const struct meter_record *record)
{
	return (struct ml_decimal){.mantissa = record->mantissa, .exponent = record->exponent};
}

static inline bool meter_reading_has_error(const struct meter_reading *reading)
{
	return reading->error_length != 0;
}

/* The error's text (no NUL) and length; NULL: none. */
const char *meter_reading_error(const struct meter_reading *reading, size_t *length);

/* What a record is to be like; the members that are set in `with` count. A record whose meaning a
 * VIFE changed (a limit, a duration of an excess) is found only by its own quantity. */
struct meter_filter {
	unsigned with;
	unsigned quantity;
	unsigned function;
	uint64_t storage;
	uint32_t tariff;
	uint16_t subunit;
	uint64_t modifiers; /* exactly these */
};

enum { /* bits of meter_filter.with */
	METER_WITH_QUANTITY = 1,
	METER_WITH_FUNCTION = 2,
	METER_WITH_STORAGE = 4,
	METER_WITH_TARIFF = 8,
	METER_WITH_SUBUNIT = 16,
	METER_WITH_MODIFIERS = 32,
};

/* The index of the first record from `from` on that is so; record_count where there is none. */
size_t meter_reading_find(
	const struct meter_reading *reading, const struct meter_filter *filter, size_t from);

/* The name of what was measured: a quantity's name, or the text a filter gave. Not NUL-terminated
 * where it is a filter's; valid as long as the reading. */
const char *meter_record_name(
	const struct meter_reading *reading, const struct meter_record *record, size_t *length);

enum {
	METER_UNIT_TEXT_MAX = 96,   /* with the NUL */
	METER_VALUE_TEXT_MAX = 544, /* with the NUL: longer texts and bytes are cut */
	METER_TIME_TEXT_MAX = 32,
};

/* The unit in UTF-8 with a NUL; "" for none. Returns the length. */
size_t meter_record_unit(const struct meter_reading *reading, const struct meter_record *record,
	char out[METER_UNIT_TEXT_MAX]);

/* The value as a person reads it: 12.30, 2026-01-31T14:15, text in UTF-8, hex; "" for none. With a
 * NUL. Returns the length. */
size_t meter_record_text(const struct meter_reading *reading, const struct meter_record *record,
	char out[METER_VALUE_TEXT_MAX]);

/* A date or time of a record (kind METER_DATE, METER_DATE_TIME or METER_TIME), with a NUL. A star
 * stands for every year, month, day or hour: *-12-31, *-*-01, 2026-01-31T*:15. */
size_t meter_time_text(const struct meter_record *record, char out[METER_TIME_TEXT_MAX]);

const char *meter_function_name(unsigned function);     /* "instantaneous" ... */
const char *meter_encryption_name(unsigned encryption); /* "plain" ... */

/* The status byte in words: calls `word` for each. */
void meter_status_words(uint8_t status, void (*word)(void *user, const char *text), void *user);

/* The shape of a reading as JSON: one object. Times and traces that are not known are left out. */
void meter_reading_to_json(const struct meter_reading *reading, struct ml_json_writer *w);

/* One record of it as JSON: one object. */
void meter_record_to_json(const struct meter_reading *reading, const struct meter_record *record,
	struct ml_json_writer *w);

/* ---- Series ---- */

enum { METER_SERIES_KEY_MAX = 48 };

/* The stable key of the series a record belongs to, among those of its meter: function, storage,
 * tariff, subunit, VIF without its scale, VIFEs without theirs, ordinal. The same bytes in each
 * release; meant to be stored and compared. Returns the length. */
size_t meter_series_key(const struct meter_reading *reading, const struct meter_record *record,
	uint8_t out[METER_SERIES_KEY_MAX]);

/* A number that is the same for readings whose records mean the same, in the same order, whatever
 * their values are: for those who work out names of columns once. Only within this process. */
uint64_t meter_reading_shape(const struct meter_reading *reading);

/* ---- Building ---- */

/* Makes an empty reading of a telegram in a block of `size` bytes, which is aligned to eight.
 * -ENOSPC: the block is too small; -E2BIG: the telegram is longer than METER_BYTES_MAX. */
int meter_reading_init(
	void *block, size_t size, const uint8_t *telegram, size_t length, struct ml_error *err);

/* Adds a record that is all zero. NULL: there is no room, or an error was set before. */
static inline struct meter_record *meter_reading_add(struct meter_reading *reading)
{
	if (reading->error_length || reading->record_count == METER_RECORDS_MAX ||
		reading->capacity - reading->size < sizeof(struct meter_record))
		return NULL;
	struct meter_record *record =
		(struct meter_record *)(void *)((uint8_t *)reading + reading->size);
	*record = (struct meter_record){0};
	reading->size += (uint32_t)sizeof *record;
	reading->record_count++;
	return record;
}

/* Takes back the last record. */
void meter_reading_drop(struct meter_reading *reading);

/* Sets the error, once, after the last record; cut to the room there is. */
void meter_reading_set_error(struct meter_reading *reading, int32_t at, const char *format, ...)
	ML_PRINTF(3, 4);

/* Sets the record's ordinal by the records before it. Call it when its other members are set. */
void meter_reading_number(struct meter_reading *reading, struct meter_record *record);

/* Copies a reading into a block of `size` bytes: as large as the reading for a message, larger to
 * change it there. -ENOSPC: the block is too small. */
int meter_reading_copy(
	void *block, size_t size, const struct meter_reading *reading, struct ml_error *err);

/* Adds a record of a filter's own with name and unit (UTF-8, together at most 200 bytes); its
 * series is its name. Earlier pointers to records become void. NULL: there is no room, or it is too
 * long. */
struct meter_record *meter_reading_add_custom(struct meter_reading *reading, const char *name,
	size_t name_length, const char *unit, size_t unit_length);

/* Sets a record's value to text in UTF-8. Earlier pointers to records become void; `index` names
 * the record. false: there is no room. */
bool meter_reading_set_text(
	struct meter_reading *reading, size_t index, const char *text, size_t length);

#endif
