/* What the tests of the codecs share: bytes from hex, readings from bytes.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_NODES_TELEGRAM_H
#define TESTS_NODES_TELEGRAM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mbus/application.h"
#include "meter/reading.h"

enum { TELEGRAM_MAX = 1024 };

struct telegram {
	uint8_t bytes[TELEGRAM_MAX];
	size_t length;
	_Alignas(8) uint8_t block[2 * METER_READING_MAX];
};

static inline size_t from_hex(const char *text, uint8_t *bytes, size_t size)
{
	size_t length = 0;
	for (; text[0] && text[1]; text += 2) {
		if (text[0] == ' ') {
			text--;
			continue;
		}
		const char digits[] = {text[0], text[1], '\0'};
		assert_true(length < size);
		bytes[length++] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return length;
}

/* Decodes a frame (68...), or data from the CI field on. */
static inline const struct meter_reading *decode_hex(struct telegram *t, const char *text)
{
	struct meter_reading *reading = (void *)t->block;
	t->length = from_hex(text, t->bytes, sizeof t->bytes);
	if (t->bytes[0] == 0x68 || t->bytes[0] == 0x10 || t->bytes[0] < 0x50 ||
		t->bytes[0] == 0xE5) {
		assert_int_equal(
			mbus_decode_frame(t->block, sizeof t->block, t->bytes, t->length, 0, NULL),
			0);
	} else {
		assert_int_equal(
			meter_reading_init(t->block, sizeof t->block, t->bytes, t->length, NULL),
			0);
		mbus_decode_application(reading, 0, t->length, 0);
	}
	return reading;
}

/* Asserts name, unit and value of a record. */
static inline void assert_record(const struct meter_reading *reading, size_t index,
	const char *name, const char *unit, const char *value)
{
	char text[METER_VALUE_TEXT_MAX];
	size_t length;
	const struct meter_record *record = meter_reading_record(reading, index);
	assert_non_null(record);
	const char *found = meter_record_name(reading, record, &length);
	assert_int_equal(length, strlen(name));
	assert_memory_equal(found, name, length);
	meter_record_unit(reading, record, text);
	assert_string_equal(text, unit);
	meter_record_text(reading, record, text);
	assert_string_equal(text, value);
}

#endif
