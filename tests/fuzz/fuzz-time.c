/* Fuzzes times as text: what is read is written and read again as the same.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/clock.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[ML_TIME_TEXT_MAX];
	ml_time time, again;
	if (ml_time_parse((const char *)data, size, &time)) {
		const size_t length = ml_time_format(time, text);
		if (length >= sizeof text || !ml_time_parse(text, length, &again))
			abort();
		/* The text has milliseconds; an offset may lead out of its years. */
		const ml_time lost = time - again;
		if ((lost < 0 || lost >= ML_MSEC) && (lost < -ML_DAY || lost > ML_DAY))
			abort();
	}
	if (size >= sizeof time) {
		memcpy(&time, data, sizeof time);
		const size_t length = ml_time_format(time, text);
		if (!ml_time_parse(text, length, &again))
			abort();
	}
	return 0;
}
