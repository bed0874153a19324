/* Fuzzes the decoder: from a frame, and from the CI field on, to readings as JSON, text and keys.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mbus/application.h"
#include "meter/reading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Compact JSON is written another way than pretty one: both say the same. */
static void check_json(const struct meter_reading *reading)
{
	static struct ml_buffer texts[2];
	static struct ml_buffer formatted[2];
	for (int i = 0; i < 2; i++) {
		struct ml_json_writer w;
		ml_buffer_clear(&texts[i]);
		ml_buffer_clear(&formatted[i]);
		ml_json_writer_init(&w, &texts[i]);
		w.pretty = i == 1;
		meter_reading_to_json(reading, &w);
		if (texts[i].failed ||
			ml_json_format(texts[i].data, texts[i].length, &formatted[i], NULL) != 0)
			abort();
	}
	if (formatted[0].length != formatted[1].length ||
		memcmp(formatted[0].data, formatted[1].data, formatted[0].length) != 0)
		abort();
}

static void use(const struct meter_reading *reading)
{
	for (size_t i = 0; i < reading->record_count; i++) {
		const struct meter_record *record = meter_reading_record(reading, i);
		char text[METER_VALUE_TEXT_MAX];
		char unit[METER_UNIT_TEXT_MAX];
		uint8_t key[METER_SERIES_KEY_MAX];
		if (meter_record_text(reading, record, text) != strlen(text) ||
			meter_record_unit(reading, record, unit) != strlen(unit) ||
			meter_series_key(reading, record, key) > METER_SERIES_KEY_MAX)
			abort();
		/* All of a record lies in the telegram. */
		if ((size_t)record->data_offset + record->data_length > reading->telegram_length ||
			(size_t)record->offset + record->dif_length + record->vif_length >
				reading->telegram_length)
			abort();
	}
	if (reading->size > reading->capacity)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static _Alignas(8) uint8_t block[32 * 1024];
	struct meter_reading *reading = (void *)block;
	if (mbus_decode_frame(block, sizeof block, data, size, 0, NULL) == 0)
		use(reading);
	/* Once with room for all, once with little; what is shown as JSON is a telegram's size. */
	for (size_t room = sizeof block; room >= 1024; room /= 8) {
		if (meter_reading_init(block, room, data, size, NULL) < 0)
			continue;
		mbus_decode_application(reading, 0, size, 0);
		use(reading);
		if (room < sizeof block && size <= 256)
			check_json(reading);
	}
	return 0;
}
