/* Readings as CSV (RFC 4180), a row a record.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "decode/csv.h"

#include <stdio.h>
#include <string.h>

static void put(struct ml_buffer *out, const char *text, size_t length)
{
	ml_buffer_append(out, text, length);
}

static void put_field(struct ml_buffer *out, const char *text, size_t length)
{
	const bool quote = memchr(text, ',', length) || memchr(text, '"', length) ||
			   memchr(text, '\n', length) || memchr(text, '\r', length);
	if (!quote) {
		put(out, text, length);
		return;
	}
	put(out, "\"", 1);
	for (size_t i = 0; i < length; i++)
		put(out, text[i] == '"' ? "\"\"" : text + i, text[i] == '"' ? 2 : 1);
	put(out, "\"", 1);
}

static void put_text(struct ml_buffer *out, const char *text)
{
	put_field(out, text, strlen(text));
}

static void put_hex(struct ml_buffer *out, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		ml_buffer_appendf(out, "%02X", bytes[i]);
}

struct words {
	struct ml_buffer *out;
	bool more;
};

static void put_word(void *user, const char *text)
{
	struct words *words = user;
	if (words->more)
		put(words->out, " ", 1);
	words->more = true;
	put(words->out, text, strlen(text));
}

void decode_csv_header(struct ml_buffer *out)
{
	put_text(out, "telegram");
	put(out, ",", 1);
	static const char columns[] =
		"id,manufacturer,version,medium,access,status,quantity,of,unit,value,function,"
		"storage,tariff,subunit,modifiers,dif,vif,error\r\n";
	put(out, columns, sizeof columns - 1);
}

static void put_meter(
	struct ml_buffer *out, unsigned long number, const struct meter_reading *reading)
{
	char id[METER_ID_TEXT_MAX] = "";
	char maker[METER_MANUFACTURER_TEXT_MAX] = "";
	const bool known = reading->flags & METER_HAS_IDENTITY;
	const bool maker_known = reading->flags & METER_HAS_MAKER;
	if (known)
		meter_id_format(reading->meter.id, id);
	if (maker_known)
		meter_manufacturer_format(reading->meter.manufacturer, maker);
	ml_buffer_appendf(out, "%lu,%s,%s,", number, id, maker);
	if (maker_known)
		ml_buffer_appendf(out, "%u", reading->meter.version);
	ml_buffer_appendf(out, ",%s,", known ? meter_medium_name(reading->meter.medium) : "");
	if (reading->flags & METER_HAS_STATUS)
		ml_buffer_appendf(out, "%u", reading->access);
	put(out, ",", 1);
	struct words words = {.out = out};
	meter_status_words(reading->status, put_word, &words);
}

static void put_record(struct ml_buffer *out, const struct meter_reading *reading,
	const struct meter_record *record)
{
	const uint8_t *bytes = meter_reading_bytes(reading) + record->offset;
	char text[METER_VALUE_TEXT_MAX];
	char unit[METER_UNIT_TEXT_MAX];
	size_t length;
	const char *name = meter_record_name(reading, record, &length);
	put(out, ",", 1);
	put_field(out, name, length);
	ml_buffer_appendf(out, ",%s,", record->of ? meter_quantity_name(record->of) : "");
	length = meter_record_unit(reading, record, unit);
	put_field(out, unit, length);
	put(out, ",", 1);
	length = meter_record_text(reading, record, text);
	put_field(out, text, length);
	ml_buffer_appendf(out, ",%s,%llu,%u,%u,", meter_function_name(record->function),
		(unsigned long long)record->storage, record->tariff, record->subunit);
	struct words words = {.out = out};
	for (unsigned i = 0; i < METER_MODIFIERS; i++) {
		if (record->modifiers >> i & 1)
			put_word(&words, meter_modifier_name(i));
	}
	put(out, ",", 1);
	put_hex(out, bytes, record->dif_length);
	put(out, ",", 1);
	put_hex(out, bytes + record->dif_length, record->vif_length);
	put(out, ",\r\n", 3);
}

static void put_error(struct ml_buffer *out, long long at, const char *text, size_t length)
{
	char place[32] = "";
	struct ml_buffer whole = {0};
	if (at >= 0)
		(void)snprintf(place, sizeof place, "byte %lld: ", at);
	ml_buffer_append(&whole, place, strlen(place));
	ml_buffer_append(&whole, text, length);
	put(out, ",,,,,,,,,,,,", 12);
	if (whole.data)
		put_field(out, whole.data, whole.length);
	put(out, "\r\n", 2);
	ml_buffer_free(&whole);
}

void decode_csv_reading(
	struct ml_buffer *out, unsigned long number, const struct meter_reading *reading)
{
	const struct meter_record *records = meter_reading_records(reading);
	size_t length;
	const char *error = meter_reading_error(reading, &length);
	for (size_t i = 0; i < reading->record_count; i++) {
		put_meter(out, number, reading);
		put_record(out, reading, &records[i]);
	}
	if (error) {
		put_meter(out, number, reading);
		put_error(out, reading->error_at, error, length);
	}
}

void decode_csv_error(struct ml_buffer *out, unsigned long number, const struct ml_error *err)
{
	ml_buffer_appendf(out, "%lu,,,,,,", number);
	put_error(out, err->at, err->text, strlen(err->text));
}
