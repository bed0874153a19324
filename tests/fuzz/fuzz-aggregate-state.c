/* What an aggregate remembers, from any bytes: read, or refused; what was read is written the same.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/state.h"

enum { FINGERPRINT = 0x1234567 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state state, again;
	struct ml_buffer out = {0}, second = {0};
	if (size < 4 || size > 1 << 20)
		return 0;
	/* With the right check sum, so that what is behind it is looked at. */
	uint8_t *bytes = malloc(size);
	if (!bytes)
		return 0;
	memcpy(bytes, data, size);
	uint32_t sum = 0x811C9DC5u;
	for (size_t i = 0; i < size - 4; i++)
		sum = (sum ^ bytes[i]) * 0x01000193u;
	for (size_t i = 0; i < 4; i++)
		bytes[size - 4 + i] = (uint8_t)(sum >> (8 * i));
	if (state_read(bytes, size, FINGERPRINT, &state, NULL) == 0) {
		state_write(&state, FINGERPRINT, &out);
		if (!out.data ||
			state_read((uint8_t *)out.data, out.length, FINGERPRINT, &again, NULL) < 0)
			abort();
		state_write(&again, FINGERPRINT, &second);
		if (!second.data || second.length != out.length ||
			memcmp(second.data, out.data, out.length) != 0)
			abort();
		const struct series_rules rules = {
			.length = {WINDOW_HOURS, 1}, .zone = ml_zone_utc(), .lateness = ML_HOUR};
		for (size_t i = 0; i < state.series.count; i++) {
			struct ml_decimal mean;
			(void)series_consumption(&state.series, &rules, &state.series.sums[i]);
			(void)series_mean(&state.series.sums[i], 3, &mean);
		}
		state_free(&state);
		state_free(&again);
	}
	ml_buffer_free(&out);
	ml_buffer_free(&second);
	free(bytes);
	return 0;
}
