/* Current values: which reading is newer, telegrams of several kinds, states, snapshots.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "count.h"
#include "mbus/application.h"
#include "meter/current_private.h"

#define T0 (1790000000 * ML_SEC)

struct rig {
	struct ml_clock *clock;
	struct meter_current *current;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof *rig);
	assert_non_null(rig);
	rig->clock = ml_clock_new_simulated(T0);
	rig->current = meter_current_new(rig->clock);
	assert_non_null(rig->current);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;
	meter_current_free(rig->current);
	ml_clock_free(rig->clock);
	free(rig);
	return 0;
}

/* ---- Giving ---- */

enum kind { VOLUME_AND_ENERGY, VOLUME, ENERGY, POWER };

static const struct meter_reading *make(
	enum kind kind, unsigned id, uint32_t point, ml_time time, uint32_t value)
{
	static _Alignas(8) uint8_t block[METER_READING_MAX];
	uint8_t bytes[25] = {0x72, 0, 0, 0, 0, 0x2D, 0x2C, 0x1B, 0x07, 0x2A, 0, 0, 0};
	size_t length = 13;
	static const uint8_t vifs[][2] = {{0x13, 0x06}, {0x13}, {0x06}, {0x2B}};
	for (size_t i = 1; i <= 4; i++, id /= 100)
		bytes[i] = (uint8_t)(id % 10 | id / 10 % 10 << 4);
	for (size_t i = 0; i < 2 && vifs[kind][i]; i++) {
		bytes[length++] = 0x04;
		bytes[length++] = vifs[kind][i];
		memcpy(bytes + length, &value, 4);
		length += 4;
	}
	assert_int_equal(meter_reading_init(block, sizeof block, bytes, length, NULL), 0);
	struct meter_reading *reading = (void *)block;
	mbus_decode_application(reading, 0, length, 0);
	assert_false(meter_reading_has_error(reading));
	reading->time = time;
	reading->point = point;
	return reading;
}

static void give(struct rig *rig, const struct meter_reading *reading, bool loaded)
{
	meter_current_take(rig->current, &reading, 1, loaded);
}

static void give_volume(struct rig *rig, ml_time time, uint32_t value)
{
	give(rig, make(VOLUME, 12345678, 1, time, value), false);
}

static void give_failed(struct rig *rig, uint32_t point, ml_time time, const char *reason)
{
	_Alignas(8) uint8_t block[1024];
	struct meter_reading *reading = (void *)block;
	assert_int_equal(meter_reading_init(block, sizeof block, NULL, 0, NULL), 0);
	reading->flags = METER_NOT_READ;
	reading->point = point;
	reading->time = time;
	meter_reading_set_error(reading, -1, "%s", reason);
	give(rig, reading, false);
}

/* ---- Asking ---- */

/* The values of the meter at a point as "volume=1 energy=2", in the order they are told. */
static void expect(struct rig *rig, uint32_t point, const char *expected)
{
	struct meter_current_value values[16];
	char text[256] = "";
	const struct meter_current_snapshot *snapshot = meter_current_snapshot(rig->current);
	assert_non_null(snapshot);
	const struct meter_current_meter *meter = meter_current_find(snapshot, point, NULL);
	const size_t count = meter ? meter_current_values(meter, values, 16) : 0;
	for (size_t i = 0; i < count; i++)
		(void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s=%lld",
			i ? " " : "", meter_quantity_name(values[i].record->quantity),
			(long long)values[i].record->mantissa);
	assert_string_equal(text, expected);
	meter_current_release(snapshot);
}

static struct meter_current_meter state_of(struct rig *rig, uint32_t point)
{
	const struct meter_current_snapshot *snapshot = meter_current_snapshot(rig->current);
	const struct meter_current_meter *meter = meter_current_find(snapshot, point, NULL);
	assert_non_null(meter);
	const struct meter_current_meter copy = *meter;
	meter_current_release(snapshot);
	return copy;
}

/* ---- Tests ---- */

static void the_last_value_is_shown(void **state)
{
	struct rig *rig = *state;
	expect(rig, 1, "");
	give_volume(rig, T0 - 10 * ML_SEC, 5);
	expect(rig, 1, "volume=5");
	give_volume(rig, T0, 6);
	expect(rig, 1, "volume=6");
}

static void an_older_reading_replaces_nothing(void **state)
{
	struct rig *rig = *state;
	give_volume(rig, T0 - ML_MINUTE, 7);
	give_volume(rig, T0 - ML_HOUR, 3);
	expect(rig, 1, "volume=7");
	assert_int_equal(state_of(rig, 1).read, T0 - ML_MINUTE);
	/* But a series that nothing newer has is shown. */
	give(rig, make(VOLUME_AND_ENERGY, 12345678, 1, T0 - ML_HOUR, 4), false);
	expect(rig, 1, "volume=7 energy=4");
}

static void a_clock_that_is_set_back_freezes_nothing(void **state)
{
	struct rig *rig = *state;
	const ml_time ahead = T0 + 365 * ML_DAY;
	ml_clock_set_wall(rig->clock, ahead);
	give_volume(rig, ahead, 1);
	give_failed(rig, 2, ahead, "no answer");
	ml_clock_set_wall(rig->clock, T0);
	give_volume(rig, T0, 2);
	expect(rig, 1, "volume=2");
	assert_int_equal(state_of(rig, 1).read, T0);
	give_volume(rig, T0 - ML_HOUR, 9);
	expect(rig, 1, "volume=2");
	give_failed(rig, 2, T0, "no answer");
	assert_int_equal(state_of(rig, 2).failed_since, T0);
	/* A board that wakes up in 1970 shows what it reads. */
	ml_clock_set_wall(rig->clock, 60 * ML_SEC);
	give_volume(rig, 59 * ML_SEC, 3);
	expect(rig, 1, "volume=3");
	ml_clock_set_wall(rig->clock, T0 + ML_HOUR);
	give_volume(rig, T0 + ML_HOUR, 4);
	expect(rig, 1, "volume=4");
}

static void telegrams_of_several_kinds_are_merged(void **state)
{
	struct rig *rig = *state;
	give(rig, make(VOLUME, 12345678, 1, T0 - 3 * ML_SEC, 1), false);
	give(rig, make(ENERGY, 12345678, 1, T0 - 2 * ML_SEC, 2), false);
	give(rig, make(POWER, 12345678, 1, T0 - ML_SEC, 3), false);
	expect(rig, 1, "power=3 energy=2 volume=1");
	give(rig, make(VOLUME, 12345678, 1, T0, 4), false);
	expect(rig, 1, "volume=4 power=3 energy=2");
	/* One that has all that two others have takes their place. */
	give(rig, make(VOLUME_AND_ENERGY, 12345678, 1, T0, 5), false);
	expect(rig, 1, "volume=5 energy=5 power=3");
	assert_int_equal(state_of(rig, 1).reading_count, 2);
}

static void another_device_begins_anew(void **state)
{
	struct rig *rig = *state;
	give(rig, make(VOLUME_AND_ENERGY, 11111111, 1, T0 - ML_MINUTE, 900), false);
	give(rig, make(VOLUME, 22222222, 1, T0, 1), false);
	expect(rig, 1, "volume=1");
	assert_int_equal(state_of(rig, 1).identity.id, 0x22222222);
	/* What comes late from the earlier one does not bring it back. */
	give(rig, make(VOLUME_AND_ENERGY, 11111111, 1, T0 - ML_SEC, 901), false);
	expect(rig, 1, "volume=1");
	assert_int_equal(state_of(rig, 1).identity.id, 0x22222222);
}

static void states_tell_since_when_and_why(void **state)
{
	struct rig *rig = *state;
	give_failed(rig, 1, T0 - 4 * ML_MINUTE, "no answer after 3 tries");
	struct meter_current_meter meter = state_of(rig, 1);
	assert_int_equal(meter.state, METER_CURRENT_FAILED);
	assert_int_equal(meter.read, METER_TIME_UNKNOWN);
	give_volume(rig, T0 - 3 * ML_MINUTE, 5);
	meter = state_of(rig, 1);
	assert_int_equal(meter.state, METER_CURRENT_READ);
	give_failed(rig, 1, T0 - 2 * ML_MINUTE, "no answer after 3 tries");
	give_failed(rig, 1, T0 - ML_MINUTE, "checksum");
	meter = state_of(rig, 1);
	assert_int_equal(meter.state, METER_CURRENT_FAILED);
	assert_int_equal(meter.read, T0 - 3 * ML_MINUTE);
	assert_int_equal(meter.failed_since, T0 - 2 * ML_MINUTE);
	assert_int_equal(meter.failed_last, T0 - ML_MINUTE);
	assert_int_equal(meter.failures, 2);
	assert_string_equal(meter.reason, "checksum");
	expect(rig, 1, "volume=5"); /* what was read stays, with its time */
	give_volume(rig, T0, 6);
	meter = state_of(rig, 1);
	assert_int_equal(meter.state, METER_CURRENT_READ);
	assert_int_equal(meter.failures, 0);
	assert_string_equal(meter.reason, "");
}

static void what_is_loaded_replaces_nothing_that_was_read(void **state)
{
	struct rig *rig = *state;
	ml_clock_set_wall(rig->clock, 60 * ML_SEC); /* a board without a clock of its own */
	give(rig, make(VOLUME, 12345678, 1, T0 - ML_HOUR, 1), true);
	expect(rig, 1, "volume=1");
	give_volume(rig, 50 * ML_SEC, 2);
	give(rig, make(VOLUME, 12345678, 1, T0, 3), true);
	expect(rig, 1, "volume=2");
	assert_int_equal(state_of(rig, 1).read, 50 * ML_SEC);
	give(rig, make(ENERGY, 12345678, 1, T0, 4), true);
	expect(rig, 1, "volume=2 energy=4");
}

static void a_meter_that_is_put_into_the_list_is_shown_once(void **state)
{
	struct rig *rig = *state;
	const struct meter_identity identity = {
		.id = 0x12345678, .manufacturer = 0x2C2D, .version = 0x1B, .medium = 7};
	give(rig, make(VOLUME, 12345678, 0, T0, 1), false);
	const struct meter_current_snapshot *heard = meter_current_snapshot(rig->current);
	assert_int_equal(heard->meter_count, 1);
	assert_non_null(meter_current_find(heard, 0, &identity));
	give(rig, make(VOLUME, 12345678, 5, T0, 2), false);
	const struct meter_current_snapshot *listed = meter_current_snapshot(rig->current);
	assert_int_equal(listed->meter_count, 1);
	assert_null(meter_current_find(listed, 0, &identity));
	assert_int_equal(listed->meters[0].point, 5);
	meter_current_release(listed);
	meter_current_release(heard);
}

static void a_snapshot_stays_as_it_is(void **state)
{
	struct rig *rig = *state;
	give_volume(rig, T0, 1);
	const struct meter_current_snapshot *first = meter_current_snapshot(rig->current);
	const struct meter_current_snapshot *same = meter_current_snapshot(rig->current);
	assert_ptr_equal(first, same); /* nothing changed: nothing is made */
	const uint64_t revision = meter_current_revision(rig->current);
	give_volume(rig, T0, 2);
	assert_int_not_equal(meter_current_revision(rig->current), revision);
	expect(rig, 1, "volume=2");
	assert_int_equal(meter_reading_record(first->meters[0].readings[0], 0)->mantissa, 1);
	meter_current_release(first);
	meter_current_release(same);
}

static void memory_is_bounded(void **state)
{
	struct rig *rig = *state;
	give_volume(rig, T0, 1);
	for (unsigned i = 0; i < METER_CURRENT_METERS_MAX + 100; i++)
		give(rig, make(VOLUME, i, 0, T0, i), false);
	const struct meter_current_snapshot *snapshot = meter_current_snapshot(rig->current);
	assert_int_equal(snapshot->meter_count, METER_CURRENT_METERS_MAX);
	/* Meters of the list stay, those that were heard longest ago went. */
	assert_non_null(meter_current_find(snapshot, 1, NULL));
	const struct meter_identity gone = {
		.id = 0x00000000, .manufacturer = 0x2C2D, .version = 0x1B, .medium = 7};
	struct meter_identity here = gone;
	here.id = 0x00008291;
	assert_null(meter_current_find(snapshot, 0, &gone));
	assert_non_null(meter_current_find(snapshot, 0, &here));
	meter_current_release(snapshot);
}

/* ---- Threads ---- */

struct shared {
	struct rig *rig;
	atomic_bool done;
};

/* All values of one telegram are of one moment, whatever is written meanwhile. */
static void *look(void *user)
{
	struct shared *shared = user;
	while (!atomic_load(&shared->done)) {
		const struct meter_current_snapshot *snapshot =
			meter_current_snapshot(shared->rig->current);
		for (size_t i = 0; i < snapshot->meter_count; i++) {
			const struct meter_reading *reading = snapshot->meters[i].readings[0];
			assert_int_equal(meter_reading_record(reading, 0)->mantissa,
				meter_reading_record(reading, 1)->mantissa);
		}
		meter_current_release(snapshot);
	}
	return NULL;
}

static void readers_never_see_half_a_reading(void **state)
{
	struct shared shared = {.rig = *state};
	pthread_t threads[2];
	atomic_init(&shared.done, false);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, look, &shared), 0);
	for (unsigned i = 0; i < test_count(200000); i++)
		give(shared.rig, make(VOLUME_AND_ENERGY, 1, 1 + i % 7, T0, i), false);
	atomic_store(&shared.done, true);
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

#define CURRENT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CURRENT_TEST(the_last_value_is_shown),
		CURRENT_TEST(an_older_reading_replaces_nothing),
		CURRENT_TEST(a_clock_that_is_set_back_freezes_nothing),
		CURRENT_TEST(telegrams_of_several_kinds_are_merged),
		CURRENT_TEST(another_device_begins_anew),
		CURRENT_TEST(states_tell_since_when_and_why),
		CURRENT_TEST(what_is_loaded_replaces_nothing_that_was_read),
		CURRENT_TEST(a_meter_that_is_put_into_the_list_is_shown_once),
		CURRENT_TEST(a_snapshot_stays_as_it_is),
		CURRENT_TEST(memory_is_bounded),
		CURRENT_TEST(readers_never_see_half_a_reading),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
