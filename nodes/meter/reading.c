/* The block of a reading: building it and finding records in it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meter/reading.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(struct meter_reading) % 8 == 0, "the bytes after the header are aligned");

static uint8_t *bytes_of(struct meter_reading *reading)
{
	return (uint8_t *)(reading + 1);
}

static struct meter_record *records_of(struct meter_reading *reading)
{
	return (struct meter_record *)(void *)(bytes_of(reading) +
					       meter_reading_bytes_size(reading));
}

int meter_reading_init(
	void *block, size_t size, const uint8_t *telegram, size_t length, struct ml_error *err)
{
	struct meter_reading *reading = block;
	const size_t used = sizeof *reading + ((length + 7) & ~(size_t)7);
	if (length > METER_BYTES_MAX)
		return ml_error_set(err, -E2BIG,
			"a telegram of %zu bytes; at most %d can be decoded", length,
			METER_BYTES_MAX);
	if (used > size)
		return ml_error_set(err, -ENOSPC,
			"a block of %zu bytes for a reading that needs %zu", size, used);
	*reading = (struct meter_reading){
		.size = (uint32_t)used,
		.capacity = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size,
		.time = METER_TIME_UNKNOWN,
		.error_at = -1,
		.telegram_length = (uint16_t)length,
		.bytes_length = (uint16_t)length,
	};
	if (length)
		memcpy(bytes_of(reading), telegram, length);
	/* What pads the bytes is zero, so that equal readings are equal blocks. */
	memset(bytes_of(reading) + length, 0, used - sizeof *reading - length);
	return 0;
}

void meter_reading_drop(struct meter_reading *reading)
{
	if (reading->error_length || reading->record_count == 0)
		return;
	reading->record_count--;
	reading->size -= (uint32_t)sizeof(struct meter_record);
}

void meter_reading_set_error(struct meter_reading *reading, int32_t at, const char *format, ...)
{
	char text[METER_ERROR_TEXT_MAX];
	if (reading->error_length)
		return;
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	size_t length = strlen(text);
	/* An error must never get lost for want of room: the last records make some. */
	while (reading->capacity - reading->size < ((length + 7) & ~(size_t)7)) {
		if (reading->record_count == 0) {
			length = reading->capacity - reading->size;
			break;
		}
		meter_reading_drop(reading);
	}
	if (length == 0)
		return;
	memcpy((uint8_t *)reading + reading->size, text, length);
	reading->error_length = (uint16_t)length;
	reading->error_at = at;
	reading->size += (uint32_t)length;
}

const char *meter_reading_error(const struct meter_reading *reading, size_t *length)
{
	*length = reading->error_length;
	if (!reading->error_length)
		return NULL;
	return (const char *)(meter_reading_records(reading) + reading->record_count);
}

static bool fits(const struct meter_record *record, const struct meter_filter *filter)
{
	const unsigned with = filter->with;
	return (!(with & METER_WITH_QUANTITY) || record->quantity == filter->quantity) &&
	       (!(with & METER_WITH_FUNCTION) || record->function == filter->function) &&
	       (!(with & METER_WITH_STORAGE) || record->storage == filter->storage) &&
	       (!(with & METER_WITH_TARIFF) || record->tariff == filter->tariff) &&
	       (!(with & METER_WITH_SUBUNIT) || record->subunit == filter->subunit) &&
	       (!(with & METER_WITH_MODIFIERS) || record->modifiers == filter->modifiers);
}

size_t meter_reading_find(
	const struct meter_reading *reading, const struct meter_filter *filter, size_t from)
{
	const struct meter_record *records = meter_reading_records(reading);
	for (size_t i = from; i < reading->record_count; i++) {
		if (fits(&records[i], filter))
			return i;
	}
	return reading->record_count;
}

int meter_reading_copy(
	void *block, size_t size, const struct meter_reading *reading, struct ml_error *err)
{
	if (reading->size > size)
		return ml_error_set(err, -ENOSPC,
			"a block of %zu bytes for a reading that needs %u", size, reading->size);
	memcpy(block, reading, reading->size);
	((struct meter_reading *)block)->capacity = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size;
	return 0;
}

/* Appends bytes after the telegram's and moves what follows. Returns their offset, -1: no room. */
static int append_bytes(struct meter_reading *reading, const void *data, size_t length)
{
	const size_t old_size = meter_reading_bytes_size(reading);
	const size_t offset = reading->bytes_length;
	if (length > METER_BYTES_MAX - offset)
		return -1;
	const size_t new_size = (offset + length + 7) & ~(size_t)7;
	const size_t growth = new_size - old_size;
	if (reading->capacity - reading->size < growth)
		return -1;
	uint8_t *bytes = bytes_of(reading);
	memmove(bytes + new_size, bytes + old_size, reading->size - sizeof *reading - old_size);
	memcpy(bytes + offset, data, length);
	memset(bytes + offset + length, 0, new_size - offset - length);
	reading->bytes_length = (uint16_t)(offset + length);
	reading->size += (uint32_t)growth;
	return (int)offset;
}

/* Inserts a record before the error's text. */
static struct meter_record *insert_record(struct meter_reading *reading)
{
	if (reading->record_count == METER_RECORDS_MAX ||
		reading->capacity - reading->size < sizeof(struct meter_record))
		return NULL;
	struct meter_record *record = records_of(reading) + reading->record_count;
	memmove(record + 1, record, reading->error_length);
	*record = (struct meter_record){0};
	reading->record_count++;
	reading->size += (uint32_t)sizeof *record;
	return record;
}

struct meter_record *meter_reading_add_custom(struct meter_reading *reading, const char *name,
	size_t name_length, const char *unit, size_t unit_length)
{
	char names[201];
	if (name_length == 0 || name_length > 200 || unit_length > 200 - name_length)
		return NULL;
	memcpy(names, name, name_length);
	names[name_length] = '\0';
	if (unit_length)
		memcpy(names + name_length + 1, unit, unit_length);
	const size_t length = name_length + 1 + unit_length;
	if (!insert_record(reading))
		return NULL;
	const int offset = append_bytes(reading, names, length);
	if (offset < 0) {
		/* The record stands before the error's text: take it out again. */
		struct meter_record *last = records_of(reading) + reading->record_count - 1;
		memmove(last, last + 1, reading->error_length);
		reading->record_count--;
		reading->size -= (uint32_t)sizeof *last;
		return NULL;
	}
	struct meter_record *record = records_of(reading) + reading->record_count - 1;
	record->offset = (uint16_t)offset;
	record->data_offset = (uint16_t)(offset + (int)length);
	record->vif_length = (uint8_t)length;
	record->quantity = METER_Q_CUSTOM;
	record->unit = METER_U_CUSTOM;
	record->flags = METER_RECORD_FILTER_MADE;
	return record;
}

bool meter_reading_set_text(
	struct meter_reading *reading, size_t index, const char *text, size_t length)
{
	if (index >= reading->record_count || length > UINT16_MAX)
		return false;
	const int offset = append_bytes(reading, text, length);
	if (offset < 0)
		return false;
	struct meter_record *record = records_of(reading) + index;
	record->kind = METER_TEXT;
	record->flags &= (uint8_t)~METER_RECORD_REVERSED;
	record->flags |= METER_RECORD_UTF8;
	record->data_offset = (uint16_t)offset;
	record->data_length = (uint16_t)length;
	return true;
}
