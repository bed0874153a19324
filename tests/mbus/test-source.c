/* The node mbus-source over virtual meters on the simulated clock.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mbus/rig.h"

static int set_up(void **state)
{
	*state = rig_new(true);
	return 0;
}

static int tear_down(void **state)
{
	rig_free(*state);
	return 0;
}

static json_int_t figure(struct rig *rig, const char *name)
{
	json_t *bus = rig_bus(rig);
	const json_t *value = json_object_get(json_object_get(bus, "own"), name);
	assert_non_null(value);
	const json_int_t result = json_integer_value(value);
	json_decref(bus);
	return result;
}

static void expect_state(struct rig *rig, const char *state, const char *part)
{
	json_t *bus = rig_bus(rig);
	const char *text = json_string_value(json_object_get(bus, "text"));
	assert_string_equal(json_string_value(json_object_get(bus, "state")), state);
	assert_non_null(text);
	if (!strstr(text, part))
		fail_msg("'%s' does not hold '%s'", text, part);
	json_decref(bus);
}

static void all_meters_are_read_in_one_round(void **state)
{
	struct rig *rig = *state;
	const struct sim_options options = SIM_OPTIONS_NONE;
	rig_list(rig, &options, 20, -1);
	rig_graph(rig, "'interface':'sim:20'");
	rig_trigger(rig);
	rig_pass(rig, ML_MINUTE);
	assert_int_equal(rig->begin_count, 1);
	assert_int_equal(rig->end_count, 1);
	assert_int_equal(rig->begins[0].meters, 20);
	assert_int_equal(rig->ends[0].read, 20);
	assert_int_equal(rig->ends[0].failed, 0);
	assert_int_equal(rig->begins[0].id, rig->ends[0].id);
	/* One of them sends two telegrams. */
	assert_int_equal(rig->frame_count, 21);
	uint64_t before = 0;
	unsigned last = 0;
	for (size_t i = 0; i < rig->frame_count; i++) {
		const struct rig_frame *frame = &rig->frames[i];
		struct mbus_frame whole;
		assert_int_equal(frame->head.result, METER_FRAME_OK);
		assert_int_equal(frame->head.round, rig->begins[0].id);
		assert_string_equal(frame->head.interface, "sim:20");
		assert_int_equal(frame->head.tries, 1);
		assert_int_equal(mbus_frame_check(frame->bytes, frame->head.length, &whole, NULL),
			MBUS_CHECK_OK);
		assert_true(frame->trace != 0 && frame->trace != before);
		before = frame->trace;
		last += frame->head.flags & METER_FRAME_LAST;
	}
	assert_int_equal(last, 20);
	assert_int_equal(figure(rig, "meters_read"), 20);
	assert_int_equal(figure(rig, "noise_bytes"), 0);
	assert_int_equal(figure(rig, "retries"), 0);
	assert_int_equal(figure(rig, "meters"), 20);
	expect_state(rig, "running", "20 meters");
}

static void contacts_reach_the_meter_list(void **state)
{
	struct rig *rig = *state;
	const struct sim_options options = SIM_OPTIONS_NONE;
	struct sim_line *line = sim_line_new(&options);
	rig_list(rig, &options, 6, METER_MODE_PRIMARY);
	rig_graph(rig, "'interface':'sim:20'");
	rig_trigger(rig);
	rig_pass(rig, ML_MINUTE);
	const struct meter_snapshot *snapshot = meter_list_snapshot(rig->list);
	for (size_t i = 0; i < 6; i++) {
		const struct meter_point *point = meter_snapshot_point(snapshot, rig->points[i]);
		assert_non_null(point->device);
		assert_true(meter_identity_equal(
			point->device->identity, sim_line_meter(line, i)->identity));
	}
	meter_snapshot_release(snapshot);
	sim_line_free(line);
}

static void dead_meters_fail_last_and_are_told(void **state)
{
	struct rig *rig = *state;
	const struct sim_options listed = {.meters = 8, .seed = 1, .baud = 2400};
	rig_list(rig, &listed, 8, -1);
	/* Only five of them are on the bus. */
	rig_graph(rig, "'interface':'sim:5'");
	for (int round = 0; round < 3; round++) {
		rig->frame_count = 0;
		rig_trigger(rig);
		rig_pass(rig, ML_MINUTE);
		assert_int_equal(rig->end_count, round + 1);
		assert_int_equal(rig->ends[round].read, 5);
		assert_int_equal(rig->ends[round].failed, 3);
		assert_int_equal(rig->frame_count, 8);
		for (size_t i = 0; i < 8; i++) {
			assert_int_equal(rig->frames[i].head.result,
				i < 5 ? METER_FRAME_OK : METER_FRAME_TIMEOUT);
			assert_true(rig->frames[i].head.flags & METER_FRAME_LAST);
		}
	}
	assert_int_equal(figure(rig, "meters_failed"), 9);
}

static void triggers_during_a_round_are_one_more(void **state)
{
	struct rig *rig = *state;
	const struct sim_options options = SIM_OPTIONS_NONE;
	rig_list(rig, &options, 10, -1);
	rig_graph(rig, "'interface':'sim:10'");
	rig_trigger(rig);
	rig_pass(rig, ML_SEC);
	assert_int_equal(rig->begin_count, 1);
	assert_int_equal(rig->end_count, 0);
	for (int i = 0; i < 5; i++)
		rig_trigger(rig);
	rig_pass(rig, ML_MINUTE);
	assert_int_equal(rig->end_count, 2);
	assert_int_equal(rig->ends[1].read, 10);
	assert_int_equal(figure(rig, "triggers_joined"), 4);
}

static void only_active_meters_of_the_bus_are_read(void **state)
{
	struct rig *rig = *state;
	const struct sim_options options = SIM_OPTIONS_NONE;
	rig_list(rig, &options, 5, -1);
	const struct meter_snapshot *snapshot = meter_list_snapshot(rig->list);
	struct meter_settings settings = meter_snapshot_point(snapshot, rig->points[1])->settings;
	settings.passive = true;
	assert_int_equal(meter_list_change(rig->list, rig->points[1], &settings, NULL), 0);
	settings = meter_snapshot_point(snapshot, rig->points[3])->settings;
	(void)snprintf(settings.bus, sizeof settings.bus, "cellar");
	assert_int_equal(meter_list_change(rig->list, rig->points[3], &settings, NULL), 0);
	meter_snapshot_release(snapshot);
	rig_graph(rig, "'interface':'sim:20'");
	rig_trigger(rig);
	rig_pass(rig, ML_MINUTE);
	assert_int_equal(rig->ends[0].meters, 3);
	rig_graph(rig, "'interface':'sim:20','bus':'cellar'");
	rig_trigger(rig);
	rig_pass(rig, ML_MINUTE);
	assert_int_equal(rig->ends[1].meters, 1);
	assert_int_equal(rig->ends[1].read, 1);
	assert_int_equal(rig->frames[rig->frame_count - 1].head.point, rig->points[3]);
	assert_string_equal(rig->frames[rig->frame_count - 1].head.bus, "cellar");
}

static void empty_bus_says_so_and_its_rounds_are_empty(void **state)
{
	struct rig *rig = *state;
	rig_graph(rig, "'interface':'sim:1','bus':'attic'");
	rig_pass(rig, ML_SEC);
	expect_state(rig, "waiting", "no active meter on the bus \"attic\"");
	rig_trigger(rig);
	rig_pass(rig, ML_SEC);
	assert_int_equal(rig->end_count, 1);
	assert_int_equal(rig->ends[0].meters, 0);
	/* It notices a meter that is added. */
	struct meter_settings settings = {
		.mode = METER_MODE_PRIMARY, .primary = 1, .has_primary = true, .bus = "attic"};
	uint32_t key = 0;
	assert_int_equal(meter_list_add(rig->list, &settings, 0, &key, NULL), 0);
	rig_pass(rig, ML_MINUTE);
	expect_state(rig, "running", "1 meter");
}

static void interface_that_cannot_be_had_is_a_state(void **state)
{
	struct rig *rig = *state;
	const struct sim_options options = SIM_OPTIONS_NONE;
	rig_list(rig, &options, 3, -1);
	rig_graph(rig, "'interface':'serial:/dev/ttyUSB0'");
	rig_pass(rig, ML_SEC);
	expect_state(rig, "waiting", "a simulated gateway has no serial lines");
	/* Its meters fail with the reason, and the round ends. */
	rig_trigger(rig);
	rig_pass(rig, ML_MINUTE);
	assert_int_equal(rig->end_count, 1);
	assert_int_equal(rig->ends[0].failed, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(rig->frames[i].head.result, METER_FRAME_NO_BUS);
}

static void full_wire_stops_the_line_and_loses_nothing(void **state)
{
	struct rig *rig = *state;
	const struct sim_options options = SIM_OPTIONS_NONE;
	rig->stuck = true;
	rig_list(rig, &options, 20, -1);
	rig_graph(rig, "'interface':'sim:20'");
	rig_trigger(rig);
	rig_pass(rig, ML_HOUR);
	assert_int_equal(rig->frame_count, 0);
	assert_int_equal(rig->end_count, 0);
	ml_node_demand(rig->taker, 0, SIZE_MAX);
	rig_pass(rig, ML_MINUTE);
	assert_int_equal(rig->frame_count, 21);
	assert_int_equal(rig->ends[0].read, 20);
	assert_int_equal(rig->ends[0].failed, 0);
}

static void what_is_refused_further_on_is_counted(void **state)
{
	struct rig *rig = *state;
	const struct sim_options options = SIM_OPTIONS_NONE;
	rig->refuse = true;
	rig_list(rig, &options, 4, -1);
	rig_graph(rig, "'interface':'sim:4'");
	rig_trigger(rig);
	rig_pass(rig, ML_MINUTE);
	assert_int_equal(figure(rig, "undelivered"), 4);
}

static void same_seed_gives_the_same_bytes(void **state)
{
	(void)state;
	struct rig *rigs[2];
	for (int i = 0; i < 2; i++) {
		const struct sim_options options = {.meters = 12, .seed = 7, .baud = 2400};
		rigs[i] = rig_new(true);
		rig_list(rigs[i], &options, 12, -1);
		rig_graph(rigs[i], "'interface':'sim:meters=12&seed=7'");
		for (int round = 0; round < 5; round++) {
			rig_trigger(rigs[i]);
			rig_pass(rigs[i], ML_MINUTE);
		}
	}
	assert_int_equal(rigs[0]->frame_count, 65);
	assert_int_equal(rigs[1]->frame_count, 65);
	for (size_t i = 0; i < 65; i++)
		assert_memory_equal(
			&rigs[0]->frames[i], &rigs[1]->frames[i], sizeof(struct rig_frame));
	rig_free(rigs[0]);
	rig_free(rigs[1]);
}

static void line_is_used_as_fast_as_it_allows(void **state)
{
	struct rig *rig = *state;
	/* As many as have primary addresses, each with the shortest delay. */
	const struct sim_options options = {.meters = 250, .seed = 3, .baud = 2400};
	rig_list(rig, &options, 250, METER_MODE_SECONDARY);
	rig_graph(rig, "'interface':'sim:meters=250&seed=3&delay=11'");
	rig_trigger(rig);
	rig_pass(rig, 10 * ML_MINUTE);
	assert_int_equal(rig->ends[0].read, 250);
	ml_time least = 0;
	for (size_t i = 0; i < rig->frame_count; i++) {
		/* request, delay, answer; and before the first a selection and its E5h */
		least += mbus_line_time(2400, 5 + 1 + (size_t)rig->frames[i].head.length);
		if (rig->frames[i].head.telegram == 0)
			least += mbus_line_time(2400, 17 + 1 + 1);
	}
	const ml_time took = rig->ends[0].time - rig->begins[0].time;
	print_message("250 meters: %.2f s, the shortest possible %.2f s\n", (double)took / 1e6,
		(double)least / 1e6);
	assert_true(took * 98 < least * 100);
}

static void limit_and_one_telegram_only(void **state)
{
	struct rig *rig = *state;
	const struct sim_options options = SIM_OPTIONS_NONE;
	rig_list(rig, &options, 20, -1);
	rig_graph(rig, "'interface':'sim:20','multi_telegram':'off'");
	for (int i = 0; i < 2; i++) {
		rig_trigger(rig);
		rig_pass(rig, ML_MINUTE);
	}
	assert_int_equal(rig->frame_count, 40);
	unsigned limited = 0;
	for (size_t i = 0; i < 40; i++)
		limited += (rig->frames[i].head.flags & METER_FRAME_LIMIT) != 0;
	assert_int_equal(limited, 2);
}

static void meter_of_another_rate_is_read_at_its_own(void **state)
{
	struct rig *rig = *state;
	const struct sim_options options = SIM_OPTIONS_NONE;
	rig_list(rig, &options, 2, METER_MODE_PRIMARY);
	const struct meter_snapshot *snapshot = meter_list_snapshot(rig->list);
	struct meter_settings settings = meter_snapshot_point(snapshot, rig->points[1])->settings;
	meter_snapshot_release(snapshot);
	settings.baud = 300;
	assert_int_equal(meter_list_change(rig->list, rig->points[1], &settings, NULL), 0);
	rig_graph(rig, "'interface':'sim:meters=2&odd_baud=300'");
	rig_trigger(rig);
	rig_pass(rig, ML_MINUTE);
	assert_int_equal(rig->ends[0].read, 2);
	const ml_time second = rig->frames[1].time - rig->frames[0].time;
	assert_true(second > mbus_line_time(300, rig->frames[1].head.length));
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(all_meters_are_read_in_one_round),
		WITH_RIG(contacts_reach_the_meter_list),
		WITH_RIG(dead_meters_fail_last_and_are_told),
		WITH_RIG(triggers_during_a_round_are_one_more),
		WITH_RIG(only_active_meters_of_the_bus_are_read),
		WITH_RIG(empty_bus_says_so_and_its_rounds_are_empty),
		WITH_RIG(interface_that_cannot_be_had_is_a_state),
		WITH_RIG(full_wire_stops_the_line_and_loses_nothing),
		WITH_RIG(what_is_refused_further_on_is_counted),
		cmocka_unit_test(same_seed_gives_the_same_bytes),
		WITH_RIG(line_is_used_as_fast_as_it_allows),
		WITH_RIG(limit_and_one_telegram_only),
		WITH_RIG(meter_of_another_rate_is_read_at_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
