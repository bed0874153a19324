/* Fuzzes TZif files: whatever is in them, civil time leads back to the time it came from.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/zone.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_time(const struct ml_zone *zone, ml_time time)
{
	char text[ML_ZONE_TEXT_MAX];
	if (ml_zone_format(zone, time, text) >= sizeof text)
		abort();
	const struct ml_zone_state state = ml_zone_state(zone, time);
	if (strlen(state.abbreviation) > ML_ZONE_FILE_MAX)
		abort();
	const struct ml_civil civil = ml_zone_to_civil(zone, time);
	ml_time first, second;
	const enum ml_zone_answer answer = ml_zone_from_civil(zone, &civil, &first, &second);
	if (answer == ML_ZONE_GAP || first > time || second < time ||
		(answer == ML_ZONE_ONCE) != (first == second))
		abort();
	const ml_time next = ml_zone_next_change(zone, time);
	if (next <= time)
		abort();
	if (next != ML_NEVER && (ml_zone_offset(zone, next - 1) != state.offset ||
					ml_zone_offset(zone, next) == state.offset))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ml_zone *zone;
	struct ml_error err = ML_ERROR_NONE;
	if (ml_zone_parse("fuzz", data, size, &zone, &err) != 0) {
		if (err.code == 0)
			abort();
		return 0;
	}
	/* Times around the transitions and far beyond them. */
	ml_time time = -4000 * (ml_time)1000000 * ML_SEC;
	for (int i = 0; i < 8; i++) {
		check_time(zone, time);
		const ml_time next = ml_zone_next_change(zone, time);
		if (next == ML_NEVER)
			break;
		check_time(zone, next);
		check_time(zone, next - 1);
		time = next + 15 * (ml_time)365 * ML_DAY;
	}
	check_time(zone, 0);
	check_time(zone, INT64_C(1769868900000000));
	check_time(zone, INT64_C(32503680000000000));
	ml_zone_free(zone);
	return 0;
}
