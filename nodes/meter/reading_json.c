/* A reading as JSON: the shape of `meterloom decode`, taps, REST and MQTT.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "meter/reading.h"
#include "meter/record_json.h"

static void write_string(struct ml_json_writer *w, const char *key, const char *text)
{
	ml_json_key(w, key);
	ml_json_string(w, text);
}

static void write_unsigned(struct ml_json_writer *w, const char *key, uint64_t value)
{
	ml_json_key(w, key);
	ml_json_unsigned(w, value);
}

static void write_value(struct ml_json_writer *w, const struct meter_reading *reading,
	const struct meter_record *record)
{
	char text[METER_TIME_TEXT_MAX];
	ml_json_key(w, "value");
	switch (record->kind) {
	case METER_NUMBER:
		ml_json_decimal(w, meter_record_decimal(record));
		break;
	case METER_DATE:
	case METER_DATE_TIME:
	case METER_TIME:
		ml_json_string_n(w, text, meter_time_text(record, text));
		break;
	case METER_TEXT: {
		char long_text[METER_VALUE_TEXT_MAX];
		ml_json_string_n(w, long_text, meter_record_text(reading, record, long_text));
		break;
	}
	case METER_BYTES:
		ml_json_hex(
			w, meter_reading_bytes(reading) + record->data_offset, record->data_length);
		break;
	default:
		ml_json_null(w);
	}
}

static void write_modifiers(struct ml_json_writer *w, uint64_t modifiers)
{
	ml_json_key(w, "modifiers");
	ml_json_begin_array(w);
	for (unsigned i = 0; modifiers; i++, modifiers >>= 1) {
		if (modifiers & 1)
			ml_json_string(w, meter_modifier_name(i));
	}
	ml_json_end_array(w);
}

static void write_unit(struct ml_json_writer *w, const struct meter_reading *reading,
	const struct meter_record *record)
{
	ml_json_key(w, "unit");
	if (record->unit != METER_U_CUSTOM && record->per == METER_PER_NONE) {
		ml_json_string(w, meter_unit_name(record->unit));
	} else {
		char unit[METER_UNIT_TEXT_MAX];
		ml_json_string_n(w, unit, meter_record_unit(reading, record, unit));
	}
}

void meter_record_to_json(const struct meter_reading *reading, const struct meter_record *record,
	struct ml_json_writer *w)
{
	const uint8_t *bytes = meter_reading_bytes(reading);
	char simple[METER_RECORD_JSON_MAX];
	size_t length = w->pretty ? 0 : meter_record_json(reading, record, simple);
	if (length) {
		ml_json_raw(w, simple, length);
		return;
	}
	const char *name = meter_record_name(reading, record, &length);
	ml_json_begin_object(w);
	ml_json_key(w, "quantity");
	ml_json_string_n(w, name, length);
	if (record->of)
		write_string(w, "of", meter_quantity_name(record->of));
	write_unit(w, reading, record);
	write_value(w, reading, record);
	if (record->kind == METER_NONE && record->data_length) {
		ml_json_key(w, "raw");
		ml_json_hex(w, bytes + record->data_offset, record->data_length);
	}
	write_string(w, "function", meter_function_name(record->function));
	write_unsigned(w, "storage", record->storage);
	write_unsigned(w, "tariff", record->tariff);
	write_unsigned(w, "subunit", record->subunit);
	if (record->ordinal)
		write_unsigned(w, "ordinal", record->ordinal);
	if (record->modifiers)
		write_modifiers(w, record->modifiers);
	if (!(record->flags & METER_RECORD_FILTER_MADE)) {
		ml_json_key(w, "dif");
		ml_json_hex(w, bytes + record->offset, record->dif_length);
		ml_json_key(w, "vif");
		ml_json_hex(w, bytes + record->offset + record->dif_length, record->vif_length);
	}
	ml_json_end_object(w);
}

static void write_meter(struct ml_json_writer *w, const struct meter_reading *reading)
{
	ml_json_key(w, "meter");
	if (!(reading->flags & METER_HAS_IDENTITY)) {
		ml_json_null(w);
		return;
	}
	const struct meter_identity *meter = &reading->meter;
	char text[METER_ID_TEXT_MAX];
	ml_json_begin_object(w);
	meter_id_format(meter->id, text);
	write_string(w, "id", text);
	if (reading->flags & METER_HAS_MAKER) {
		meter_manufacturer_format(meter->manufacturer, text);
		write_string(w, "manufacturer", text);
		write_unsigned(w, "version", meter->version);
	}
	write_string(w, "medium", meter_medium_name(meter->medium));
	write_unsigned(w, "medium_code", meter->medium);
	ml_json_end_object(w);
}

static void write_word(void *user, const char *text)
{
	ml_json_string(user, text);
}

static void write_status(struct ml_json_writer *w, const struct meter_reading *reading)
{
	if (!(reading->flags & METER_HAS_STATUS))
		return;
	write_unsigned(w, "access", reading->access);
	ml_json_key(w, "status");
	ml_json_begin_array(w);
	meter_status_words(reading->status, write_word, w);
	ml_json_end_array(w);
}

static void write_head(struct ml_json_writer *w, const struct meter_reading *reading)
{
	if (reading->time != METER_TIME_UNKNOWN) {
		char text[ML_TIME_TEXT_MAX];
		ml_json_key(w, "time");
		ml_json_string_n(w, text, ml_time_format(reading->time, text));
	}
	if (reading->trace)
		write_unsigned(w, "trace", reading->trace);
	if (reading->flags & METER_HAS_ADDRESS)
		write_unsigned(w, "address", reading->address);
	write_meter(w, reading);
	write_status(w, reading);
	ml_json_key(w, "encryption");
	ml_json_begin_object(w);
	write_unsigned(w, "mode", reading->encryption_mode);
	write_string(w, "result", meter_encryption_name(reading->encryption));
	ml_json_end_object(w);
	if (reading->flags & METER_DERIVED) {
		ml_json_key(w, "derived");
		ml_json_bool(w, true);
	}
	if (reading->flags & METER_MORE_FOLLOWS) {
		ml_json_key(w, "more_follows");
		ml_json_bool(w, true);
	}
}

void meter_reading_to_json(const struct meter_reading *reading, struct ml_json_writer *w)
{
	const struct meter_record *records = meter_reading_records(reading);
	size_t length;
	const char *error = meter_reading_error(reading, &length);
	ml_json_begin_object(w);
	write_head(w, reading);
	ml_json_key(w, "records");
	ml_json_begin_array(w);
	for (size_t i = 0; i < reading->record_count; i++)
		meter_record_to_json(reading, &records[i], w);
	ml_json_end_array(w);
	if (error) {
		ml_json_key(w, "error");
		ml_json_begin_object(w);
		ml_json_key(w, "at");
		if (reading->error_at >= 0)
			ml_json_integer(w, reading->error_at);
		else
			ml_json_null(w);
		ml_json_key(w, "text");
		ml_json_string_n(w, error, length);
		ml_json_end_object(w);
	}
	ml_json_end_object(w);
}
