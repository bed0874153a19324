/* What an aggregate remembers: read back as it was written, and never from what is damaged.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregate/state.h"

enum { FINGERPRINT = 0x1234567 };
#define T0 (1790000000 / 3600 * 3600 * ML_SEC)

static void make(struct state *state)
{
	const struct series_rules rules = {
		.length = {WINDOW_HOURS, 1}, .zone = ml_zone_utc(), .lateness = ML_DAY};
	*state = (struct state){.point = 7,
		.has_identity = true,
		.has_maker = true,
		.identity = {.id = 0x12345678, .manufacturer = 0x2C2D, .version = 27, .medium = 4},
		.device = 0xDEADBEEF};
	for (int i = 0; i < 20; i++) {
		const struct series_value value = {.time = T0 + i * 15 * ML_MINUTE,
			.trace = (uint64_t)(1000 + i) << 33,
			.value = {.mantissa = INT64_MAX / 1000 + i, .exponent = -3},
			.device = state->device,
			.digits = 18};
		assert_int_equal(
			series_count(&state->series, &rules, &value, "Wh", value.time, NULL, NULL),
			SERIES_COUNTED);
	}
	assert_int_equal(series_trouble(&state->series, &rules, SERIES_MISSING, T0 + 6 * ML_HOUR, 5,
				 T0 + 6 * ML_HOUR),
		SERIES_COUNTED);
	series_finish(&state->series, T0 + ML_HOUR);
	for (int i = 1; i < 5; i++) {
		struct told *told = told_add(&state->told,
			(struct window){T0 + i * ML_HOUR, T0 + (i + 1) * ML_HOUR}, ML_NEVER);
		assert_non_null(told);
		told->told = i < 4;
		told->hash = 0x80000000u + (uint32_t)i;
		told->corrections = (uint32_t)i;
	}
}

static void what_was_kept_comes_back(void **unused)
{
	struct state state, again;
	struct ml_buffer out = {0}, second = {0};
	(void)unused;
	make(&state);
	state_write(&state, FINGERPRINT, &out);
	assert_false(out.failed);
	assert_int_equal(state_read((uint8_t *)out.data, out.length, FINGERPRINT, &again, NULL), 0);
	assert_int_equal(again.point, 7);
	assert_true(meter_identity_equal(again.identity, state.identity));
	assert_string_equal(again.series.unit, "Wh");
	assert_int_equal(again.series.count, state.series.count);
	assert_int_equal(again.series.base.trace, state.series.base.trace);
	assert_int_equal(again.series.base.value.mantissa, state.series.base.value.mantissa);
	assert_int_equal(again.told.count, 4);
	assert_int_equal(again.told.items[2].hash, 0x80000003u);
	state_write(&again, FINGERPRINT, &second);
	assert_int_equal(second.length, out.length);
	assert_memory_equal(second.data, out.data, out.length);
	/* Small enough to be written again and again. */
	assert_in_range(out.length, 100, 1500);
	ml_buffer_free(&out);
	ml_buffer_free(&second);
	state_free(&state);
	state_free(&again);
}

static void what_was_counted_by_other_rules_is_of_no_use(void **unused)
{
	struct state state, again;
	struct ml_buffer out = {0};
	(void)unused;
	make(&state);
	state_write(&state, FINGERPRINT, &out);
	assert_int_equal(state_read((uint8_t *)out.data, out.length, FINGERPRINT + 1, &again, NULL),
		-ESTALE);
	assert_int_equal(again.series.count, 0);
	ml_buffer_free(&out);
	state_free(&state);
}

static void what_is_damaged_is_noticed(void **unused)
{
	struct state state, again;
	struct ml_buffer out = {0};
	(void)unused;
	make(&state);
	state_write(&state, FINGERPRINT, &out);
	for (size_t i = 0; i < out.length; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			out.data[i] = (char)(out.data[i] ^ (char)(1 << bit));
			assert_int_equal(state_read((uint8_t *)out.data, out.length, FINGERPRINT,
						 &again, NULL),
				-EBADMSG);
			out.data[i] = (char)(out.data[i] ^ (char)(1 << bit));
		}
		/* Half of it, in a block of its own so that a step too far is seen. */
		uint8_t *part = malloc(i ? i : 1);
		assert_non_null(part);
		memcpy(part, out.data, i);
		assert_int_equal(state_read(part, i, FINGERPRINT, &again, NULL), -EBADMSG);
		free(part);
	}
	ml_buffer_free(&out);
	state_free(&state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_kept_comes_back),
		cmocka_unit_test(what_was_counted_by_other_rules_is_of_no_use),
		cmocka_unit_test(what_is_damaged_is_noticed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
