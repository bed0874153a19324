/* Virtual meters: what they answer to whom, and values that move on with time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mbus/application.h"
#include "mbus/link.h"
#include "meter/reading.h"
#include "sim/line.h"

#define SPRING ((ml_time)1775000000 * ML_SEC)

/* What the meter answers to these bytes. */
static size_t ask(struct sim_meter *meter, const uint8_t *bytes, size_t length, uint8_t *out)
{
	struct mbus_frame frame;
	assert_int_equal(mbus_frame_check(bytes, length, &frame, NULL), MBUS_CHECK_OK);
	return sim_meter_answer(meter, &frame, SPRING, out);
}

static size_t request(struct sim_meter *meter, uint8_t address, bool fcb, uint8_t *out)
{
	uint8_t bytes[MBUS_FRAME_MAX];
	return ask(meter, bytes, mbus_build_req_ud2(bytes, address, fcb), out);
}

static size_t reset(struct sim_meter *meter, uint8_t address)
{
	uint8_t bytes[MBUS_FRAME_MAX];
	uint8_t out[MBUS_FRAME_MAX];
	return ask(meter, bytes, mbus_build_snd_nke(bytes, address), out);
}

static size_t choose(struct sim_meter *meter, const uint8_t address[8])
{
	uint8_t bytes[MBUS_FRAME_MAX];
	uint8_t out[MBUS_FRAME_MAX];
	return ask(meter, bytes, mbus_build_select(bytes, address, NULL), out);
}

static void each_meter_answers_to_its_addresses_alone(void **state)
{
	(void)state;
	uint8_t out[MBUS_FRAME_MAX];
	static const uint8_t any[8] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
	for (unsigned i = 0; i < 2 * (unsigned)sim_model_count; i++) {
		struct sim_meter meter;
		sim_meter_init(&meter, 1, i);
		assert_int_equal(reset(&meter, meter.primary), 1);
		assert_int_equal(reset(&meter, 254), 1);
		assert_int_equal(reset(&meter, 255), 0);
		assert_int_equal(reset(&meter, (uint8_t)(meter.primary + 1)), 0);
		assert_true(request(&meter, meter.primary, true, out) > 20);
		assert_int_equal(request(&meter, 253, true, out), 0);
		assert_int_equal(choose(&meter, meter.secondary), 1);
		assert_true(request(&meter, 253, true, out) > 20);
		uint8_t other[8];
		memcpy(other, meter.secondary, 8);
		other[0] ^= 1;
		assert_int_equal(choose(&meter, other), 0);
		assert_int_equal(request(&meter, 253, true, out), 0);
		assert_int_equal(choose(&meter, any), 1);
		assert_int_equal(reset(&meter, 253), 1);
		assert_int_equal(request(&meter, 253, true, out), 0);
	}
}

static void answers_are_good_telegrams_of_the_meter(void **state)
{
	(void)state;
	for (unsigned i = 0; i < (unsigned)sim_model_count; i++) {
		struct sim_meter meter;
		uint8_t out[MBUS_FRAME_MAX];
		sim_meter_init(&meter, 5, i);
		for (unsigned n = 0; n < meter.model->count; n++) {
			const size_t length = sim_meter_telegram(&meter, n, SPRING, out);
			uint8_t identity[8];
			bool whole = false;
			struct mbus_frame frame;
			assert_int_equal(
				mbus_frame_check(out, length, &frame, NULL), MBUS_CHECK_OK);
			assert_int_equal(frame.address, meter.primary);
			assert_true(mbus_link_identity(out, length, identity, &whole));
			assert_true(mbus_link_matches(identity, whole, meter.secondary));
			assert_int_equal(
				mbus_link_more_follows(out, length), n + 1 < meter.model->count);
		}
	}
}

static void count_bit_repeats_or_goes_on(void **state)
{
	(void)state;
	struct sim_meter meter;
	uint8_t first[MBUS_FRAME_MAX];
	uint8_t out[MBUS_FRAME_MAX];
	unsigned index = 0;
	do
		sim_meter_init(&meter, 1, index++);
	while (meter.model->count < 2);
	reset(&meter, meter.primary);
	const size_t length = request(&meter, meter.primary, true, first);
	assert_true(mbus_link_more_follows(first, length));
	/* The same bit: the same telegram, byte for byte. */
	assert_int_equal(request(&meter, meter.primary, true, out), length);
	assert_memory_equal(out, first, length);
	/* The other bit: the next one. */
	const size_t next = request(&meter, meter.primary, false, out);
	assert_true(next != length || memcmp(out, first, length) != 0);
	assert_false(mbus_link_more_follows(out, next));
	reset(&meter, meter.primary);
	assert_int_equal(request(&meter, meter.primary, true, out), length);
}

static void primary_address_can_be_set(void **state)
{
	(void)state;
	struct sim_meter meter;
	uint8_t bytes[MBUS_FRAME_MAX];
	uint8_t out[MBUS_FRAME_MAX];
	sim_meter_init(&meter, 1, 0);
	assert_int_equal(
		ask(&meter, bytes, mbus_build_set_address(bytes, meter.primary, 77), out), 1);
	assert_int_equal(meter.primary, 77);
	assert_true(request(&meter, 77, true, out) > 20);
}

/* EN 13757-3: 0C 78 and the fabrication number behind the address, with wildcards too. */
static void enhanced_selection_asks_for_the_fabrication_number(void **state)
{
	(void)state;
	static const uint8_t any[8] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
	uint8_t bytes[MBUS_FRAME_MAX];
	uint8_t out[MBUS_FRAME_MAX];
	unsigned know = 0;
	for (unsigned i = 0; i < (unsigned)sim_model_count; i++) {
		struct sim_meter meter;
		uint8_t number[4];
		sim_meter_init(&meter, 5, i);
		know += meter.fabricated;
		memcpy(number, meter.secondary, 4);
		assert_int_equal(ask(&meter, bytes, mbus_build_select(bytes, any, number), out),
			meter.fabricated ? 1 : 0);
		assert_int_equal(meter.selected, meter.fabricated);
		number[1] |= 0x0F;
		number[3] = 0xFF;
		assert_int_equal(ask(&meter, bytes, mbus_build_select(bytes, any, number), out),
			meter.fabricated ? 1 : 0);
		number[0] ^= 0x01;
		assert_int_equal(ask(&meter, bytes, mbus_build_select(bytes, any, number), out), 0);
		assert_false(meter.selected);
		/* The number that it tells is the one. */
		const size_t length = sim_meter_telegram(&meter, 0, SPRING, out);
		bool told = false;
		for (size_t at = 19; meter.fabricated && at + 6 < length; at++)
			told = told || (out[at] == 0x0C && out[at + 1] == 0x78 &&
					       memcmp(out + at + 2, meter.secondary, 4) == 0);
		assert_int_equal(told, meter.fabricated);
	}
	assert_true(know > 2 && know < sim_model_count);
}

static void requests_without_a_valid_count_bit_leave_it_alone(void **state)
{
	(void)state;
	struct sim_meter meter;
	uint8_t bytes[MBUS_FRAME_MAX];
	uint8_t first[MBUS_FRAME_MAX];
	uint8_t out[MBUS_FRAME_MAX];
	sim_meter_init(&meter, 1, 0);
	const size_t length = request(&meter, 1, true, first);
	/* FCV 0: a new telegram each time. */
	for (int i = 0; i < 2; i++) {
		const size_t n = mbus_build_short(bytes, 0x4B | (i ? MBUS_FCB : 0), 1);
		assert_int_equal(ask(&meter, bytes, n, out), length);
		assert_memory_not_equal(out, first, length);
	}
	/* The bit still is what it was. */
	memcpy(first, out, length);
	assert_int_equal(request(&meter, 1, true, out), length);
	assert_memory_equal(out, first, length);
}

static void alarms_are_asked_for_and_there_are_none(void **state)
{
	(void)state;
	struct sim_meter meter;
	uint8_t bytes[MBUS_FRAME_MAX];
	uint8_t out[MBUS_FRAME_MAX];
	sim_meter_init(&meter, 1, 0);
	assert_int_equal(ask(&meter, bytes, mbus_build_short(bytes, 0x7A, 1), out), 1);
	assert_int_equal(out[0], 0xE5);
}

static void application_reset_begins_with_the_first_telegram(void **state)
{
	(void)state;
	struct sim_meter meter;
	uint8_t bytes[MBUS_FRAME_MAX];
	uint8_t first[MBUS_FRAME_MAX];
	uint8_t out[MBUS_FRAME_MAX];
	unsigned index = 0;
	do
		sim_meter_init(&meter, 1, index++);
	while (meter.model->count < 2);
	const size_t length = request(&meter, meter.primary, true, first);
	(void)request(&meter, meter.primary, false, out);
	assert_int_equal(
		ask(&meter, bytes, mbus_build_application_reset(bytes, meter.primary, -1), out), 1);
	assert_int_equal(request(&meter, meter.primary, true, out), length);
	assert_true(mbus_link_more_follows(out, length));
}

static void numbers_are_unlike(void **state)
{
	(void)state;
	enum { METERS = 2000 };
	static uint32_t ids[METERS];
	for (uint64_t seed = 0; seed < 5; seed++) {
		for (unsigned i = 0; i < METERS; i++) {
			struct sim_meter meter;
			sim_meter_init(&meter, seed, i);
			ids[i] = meter.identity.id;
			for (unsigned digit = 0; digit < 32; digit += 4)
				assert_true((ids[i] >> digit & 0xF) <= 9);
			for (unsigned j = 0; j < i; j++) {
				if (ids[j] == ids[i])
					fail_msg("%u and %u are both %08X", j, i, ids[i]);
			}
		}
	}
}

/* The first volume or energy of a telegram. */
static bool counter(const uint8_t *bytes, size_t length, struct ml_decimal *value)
{
	static _Alignas(8) uint8_t block[METER_READING_MAX];
	assert_int_equal(mbus_decode_frame(block, sizeof block, bytes, length, 0, NULL), 0);
	const struct meter_reading *reading = (const struct meter_reading *)(const void *)block;
	for (size_t i = 0; i < reading->record_count; i++) {
		const struct meter_record *record = meter_reading_record(reading, i);
		if (record->kind == METER_NUMBER && record->storage == 0 &&
			record->function == METER_INSTANTANEOUS &&
			(record->quantity == METER_Q_ENERGY ||
				record->quantity == METER_Q_VOLUME)) {
			*value = meter_record_decimal(record);
			return true;
		}
	}
	return false;
}

static void counters_only_grow_and_always_the_same_way(void **state)
{
	(void)state;
	unsigned growing = 0;
	for (unsigned i = 0; i < (unsigned)sim_model_count; i++) {
		struct sim_meter meter;
		struct ml_decimal before = {0};
		bool grew = false;
		sim_meter_init(&meter, 1, i);
		for (int hour = 0; hour < 48; hour++) {
			uint8_t bytes[MBUS_FRAME_MAX];
			uint8_t again[MBUS_FRAME_MAX];
			struct ml_decimal value;
			const ml_time wall = SPRING + hour * ML_HOUR;
			const size_t length = sim_meter_telegram(&meter, 0, wall, bytes);
			assert_int_equal(sim_meter_telegram(&meter, 0, wall, again), length);
			assert_memory_equal(bytes, again, length);
			if (!counter(bytes, length, &value))
				break;
			if (hour > 0) {
				assert_true(ml_decimal_compare(value, before) >= 0);
				grew = grew || ml_decimal_compare(value, before) > 0;
			}
			before = value;
		}
		growing += grew;
	}
	/* All but the one that measures temperature. */
	assert_int_equal(growing, sim_model_count - 1);
}

/* ---- The line ---- */

static void line_takes_its_time(void **state)
{
	(void)state;
	const struct sim_options options = {.meters = 3, .seed = 1, .baud = 2400, .delay = 11};
	struct sim_line *line = sim_line_new(&options);
	uint8_t bytes[MBUS_FRAME_MAX];
	const uint8_t *out = NULL;
	assert_int_equal(sim_line_when(line), ML_NEVER);
	sim_line_received(line, bytes, mbus_build_snd_nke(bytes, 2), ML_SEC);
	const ml_time byte = 11 * ML_SEC / 2400;
	assert_in_range(sim_line_drained(line), ML_SEC + 5 * byte, ML_SEC + 5 * byte + 5);
	/* Five bytes out, eleven bit times of rest, one byte in. */
	ml_time now = sim_line_when(line);
	assert_int_equal(sim_line_take(line, now, SPRING, &out), 0);
	now = sim_line_when(line);
	assert_in_range(now, ML_SEC + 7 * byte, ML_SEC + 7 * byte + 10);
	assert_int_equal(sim_line_take(line, now - 1, SPRING, &out), 0);
	assert_int_equal(sim_line_take(line, now, SPRING, &out), 1);
	assert_int_equal(out[0], 0xE5);
	assert_int_equal(sim_line_when(line), ML_NEVER);
	sim_line_free(line);
}

static void meters_that_speak_at_once_garble_each_other(void **state)
{
	(void)state;
	const struct sim_options options = {.meters = 3, .seed = 1, .baud = 2400, .fast = true};
	struct sim_line *line = sim_line_new(&options);
	uint8_t bytes[MBUS_FRAME_MAX];
	const uint8_t *out = NULL;
	struct mbus_frame frame;
	sim_line_received(line, bytes, mbus_build_req_ud2(bytes, 254, true), 0);
	const size_t length = sim_line_take(line, 0, SPRING, &out);
	assert_true(length > 20);
	assert_int_not_equal(mbus_frame_check(out, length, &frame, NULL), MBUS_CHECK_OK);
	sim_line_free(line);
}

static void line_hears_through_noise(void **state)
{
	(void)state;
	const struct sim_options options = {.meters = 1, .seed = 1, .baud = 2400, .fast = true};
	struct sim_line *line = sim_line_new(&options);
	uint8_t bytes[MBUS_FRAME_MAX] = {0xFF, 0x68};
	const uint8_t *out = NULL;
	const size_t length = 2 + mbus_build_snd_nke(bytes + 2, 1);
	for (size_t i = 0; i < length; i++)
		sim_line_received(line, bytes + i, 1, (ml_time)i);
	assert_int_equal(sim_line_take(line, ML_SEC, SPRING, &out), 1);
	/* Half a request and a long silence do not spoil the next. */
	sim_line_received(line, bytes + 2, 3, 2 * ML_SEC);
	sim_line_received(line, bytes + 2, 5, 4 * ML_SEC);
	assert_int_equal(sim_line_take(line, 4 * ML_SEC, SPRING, &out), 1);
	sim_line_free(line);
}

static void options_are_read(void **state)
{
	(void)state;
	struct sim_options o = SIM_OPTIONS_NONE;
	assert_int_equal(sim_options_parse("", &o, NULL), 0);
	assert_int_equal(o.meters, 20);
	assert_int_equal(sim_options_parse("250", &o, NULL), 0);
	assert_int_equal(o.meters, 250);
	assert_int_equal(
		sim_options_parse(
			"meters=3&seed=18446744073709551615&baud=300&delay=11&fast=1", &o, NULL),
		0);
	assert_int_equal(o.meters, 3);
	assert_true(o.seed == UINT64_MAX);
	assert_int_equal(o.baud, 300);
	assert_int_equal(o.delay, 11);
	assert_true(o.fast);
	assert_int_equal(
		sim_options_parse("odd_baud=2400&gap=2&autobaud=1&echo=1&fast=0", &o, NULL), 0);
	assert_int_equal(o.odd_baud, 2400);
	assert_int_equal(o.gap, 2);
	assert_true(o.autobaud && o.echo && !o.fast);
	static const char *const bad[] = {"x", "0", "10001", "meters=", "meters=-1", "colour=1",
		"baud=299", "20&", "20x", "fast=2", "&", "=5"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct ml_error err = ML_ERROR_NONE;
		if (sim_options_parse(bad[i], &o, &err) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_non_null(strstr(err.text, "expected"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_meter_answers_to_its_addresses_alone),
		cmocka_unit_test(answers_are_good_telegrams_of_the_meter),
		cmocka_unit_test(count_bit_repeats_or_goes_on),
		cmocka_unit_test(primary_address_can_be_set),
		cmocka_unit_test(enhanced_selection_asks_for_the_fabrication_number),
		cmocka_unit_test(requests_without_a_valid_count_bit_leave_it_alone),
		cmocka_unit_test(alarms_are_asked_for_and_there_are_none),
		cmocka_unit_test(application_reset_begins_with_the_first_telegram),
		cmocka_unit_test(numbers_are_unlike),
		cmocka_unit_test(counters_only_grow_and_always_the_same_way),
		cmocka_unit_test(line_takes_its_time),
		cmocka_unit_test(meters_that_speak_at_once_garble_each_other),
		cmocka_unit_test(line_hears_through_noise),
		cmocka_unit_test(options_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
