/* The node mbus-source when the bus misbehaves: noise, dead meters, collisions, wrong rates, lines
 * that break, on the simulated clock.
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

#include "count.h"

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

static const struct sim_options ten = {.meters = 10, .seed = 1, .baud = 2400};

static void start(struct rig *rig, const struct sim_options *options, int mode, const char *more)
{
	char params[300];
	(void)snprintf(params, sizeof params, "'interface':'rig:line'%s", more);
	rig_line(rig, options);
	rig_list(rig, options, options->meters, mode);
	rig_graph(rig, params);
	rig_pass(rig, ML_MSEC);
}

static const struct ml_round *round_within(struct rig *rig, ml_time time)
{
	const size_t count = rig->end_count;
	rig_trigger(rig);
	rig_pass(rig, time);
	assert_int_equal(rig->end_count, count + 1);
	return &rig->ends[count];
}

static ml_time took(const struct rig *rig, size_t round)
{
	return rig->ends[round].time - rig->begins[round].time;
}

/* ---- Meters ---- */

static void meter_that_is_disturbed_gets_another_chance_after_all_others(void **state)
{
	struct rig *rig = *state;
	start(rig, &ten, METER_MODE_PRIMARY, ",'multi_telegram':'off','readout_retries':0");
	assert_int_equal(round_within(rig, ML_MINUTE)->read, 10);
	rig->frame_count = 0;
	/* A burst over the answer of the first. */
	static const uint8_t burst[60];
	rig_trigger(rig);
	rig_disturb(rig, burst, sizeof burst, 200 * ML_MSEC);
	rig_pass(rig, ML_MINUTE);
	assert_int_equal(rig->ends[1].read, 10);
	assert_int_equal(rig->ends[1].failed, 0);
	assert_int_equal(rig->frame_count, 10);
	assert_int_equal(rig->frames[9].head.point, rig->points[0]);
	assert_int_equal(rig_events(rig, "readout-failed"), 0);
}

static void dead_meter_is_asked_once_and_comes_back_by_itself(void **state)
{
	struct rig *rig = *state;
	start(rig, &ten, METER_MODE_PRIMARY, ",'multi_telegram':'off'");
	assert_int_equal(round_within(rig, ML_MINUTE)->read, 10);
	sim_line_change_meter(rig->line, 4)->primary = 99;
	size_t sent[8];
	for (int i = 0; i < 8; i++) {
		const size_t before = rig->written;
		const struct ml_round *round = round_within(rig, ML_MINUTE);
		assert_int_equal(round->read, 9);
		assert_int_equal(round->failed, 1);
		sent[i] = rig->written - before;
		assert_int_equal(rig->frames[rig->frame_count - 1].head.point, rig->points[4]);
	}
	/* The others take 5 bytes each, and one that has more telegrams a reset. */
	const size_t others = 9 * 5 + 5;
	assert_true(sent[0] > others + 4 * 5);
	for (int i = 3; i < 8; i++)
		assert_int_equal(sent[i], others + 5);
	assert_int_equal(rig_events(rig, "readout-failed"), 1);
	sim_line_change_meter(rig->line, 4)->primary = 5;
	assert_int_equal(round_within(rig, ML_MINUTE)->read, 10);
	assert_int_equal(rig_events(rig, "meter-back"), 1);
	rig->frame_count = 0;
	assert_int_equal(round_within(rig, ML_MINUTE)->read, 10);
	assert_int_equal(rig->frames[4].head.point, rig->points[4]);
}

static void dead_meters_cost_their_timeouts_and_no_more(void **state)
{
	struct rig *rig = *state;
	struct sim_options listed = ten;
	listed.meters = 14;
	rig_line(rig, &ten);
	rig_list(rig, &listed, 14, METER_MODE_SECONDARY);
	rig_graph(rig, "'interface':'rig:line','multi_telegram':'off','latency':0");
	for (int i = 0; i < 6; i++)
		assert_int_equal(round_within(rig, ML_MINUTE)->read, 10);
	/* Three selections each in the first rounds, then one. */
	struct mbus_timing t = {0};
	mbus_timing_derive(&t, 2400);
	const ml_time one = mbus_line_time(2400, 17) + t.response + t.request;
	const ml_time more = took(rig, 1) - took(rig, 5);
	assert_in_range(more, 4 * 2 * one - 200 * ML_MSEC, 4 * 2 * one + 200 * ML_MSEC);
}

static void two_meters_at_one_address_are_a_collision(void **state)
{
	struct rig *rig = *state;
	start(rig, &ten, METER_MODE_PRIMARY, "");
	sim_line_change_meter(rig->line, 7)->primary = 2;
	assert_int_equal(round_within(rig, ML_MINUTE)->read, 8);
	unsigned collisions = 0;
	for (size_t i = 0; i < rig->frame_count; i++)
		collisions += rig->frames[i].head.point == rig->points[1] &&
			      rig->frames[i].head.result == METER_FRAME_COLLISION;
	assert_int_equal(collisions, 1);
}

static void meter_of_another_rate_is_silent_and_the_others_are_read(void **state)
{
	struct rig *rig = *state;
	struct sim_options options = ten;
	options.odd_baud = 300;
	start(rig, &options, METER_MODE_PRIMARY, "");
	assert_int_equal(round_within(rig, ML_MINUTE)->read, 5);
	for (size_t i = 0; i < 10; i++) {
		const struct meter_snapshot *snapshot = meter_list_snapshot(rig->list);
		struct meter_settings settings =
			meter_snapshot_point(snapshot, rig->points[i])->settings;
		meter_snapshot_release(snapshot);
		settings.baud = i % 2 ? 300 : 2400;
		assert_int_equal(meter_list_change(rig->list, rig->points[i], &settings, NULL), 0);
	}
	assert_int_equal(round_within(rig, 2 * ML_MINUTE)->read, 10);
	/* From now on those of one rate come together. */
	const unsigned changes = rig->rate_changes;
	assert_int_equal(round_within(rig, 2 * ML_MINUTE)->read, 10);
	assert_in_range(rig->rate_changes - changes, 1, 2);
}

static void wireless_meter_behind_a_receiver_has_its_own_address(void **state)
{
	struct rig *rig = *state;
	rig_line(rig, &ten);
	struct meter_settings settings = {
		.mode = METER_MODE_ESECONDARY, .has_secondary = true, .has_enhanced = true};
	/* What is printed on it, and under what the receiver has it. */
	settings.secondary = sim_line_meter(rig->line, 0)->identity;
	settings.secondary.id ^= 0x11;
	settings.enhanced = sim_line_meter(rig->line, 0)->identity;
	uint32_t key = 0;
	assert_int_equal(meter_list_add(rig->list, &settings, 0, &key, NULL), 0);
	rig_graph(rig, "'interface':'rig:line'");
	assert_int_equal(round_within(rig, ML_MINUTE)->read, 1);
}

static void next_request_goes_out_while_nothing_has_room(void **state)
{
	struct rig *rig = *state;
	rig->stuck = true;
	start(rig, &ten, METER_MODE_PRIMARY, ",'multi_telegram':'off'");
	rig_trigger(rig);
	rig_pass(rig, ML_HOUR);
	/* Four wait on the wire, and the fifth was asked all the same: ten bytes each. */
	assert_int_equal(rig->frame_count, 0);
	assert_int_equal(rig->written, 5 * 10);
	ml_node_demand(rig->taker, 0, SIZE_MAX);
	rig_pass(rig, ML_MINUTE);
	assert_int_equal(rig->ends[0].read, 10);
	assert_int_equal(rig->frame_count, 10);
}

/* ---- The line ---- */

/* What each meter sent: the last two, since a repeated one may come late. */
struct sent {
	uint8_t bytes[10][2][SIM_ANSWER_MAX];
	size_t length[10][2];
};

static void write_down(void *user, size_t meter, uint8_t *bytes, size_t *length, ml_time *later)
{
	struct sent *sent = user;
	(void)later;
	if (*length == 1)
		return;
	memcpy(sent->bytes[meter][0], sent->bytes[meter][1], SIM_ANSWER_MAX);
	sent->length[meter][0] = sent->length[meter][1];
	memcpy(sent->bytes[meter][1], bytes, *length);
	sent->length[meter][1] = *length;
}

static bool was_sent(const struct sent *sent, size_t meter, const struct rig_frame *frame)
{
	for (size_t i = 0; i < 2; i++) {
		if (sent->length[meter][i] == frame->head.length &&
			memcmp(sent->bytes[meter][i], frame->bytes, frame->head.length) == 0)
			return true;
	}
	return false;
}

static void no_wrong_telegram_comes_through_noise(void **state)
{
	struct rig *rig = *state;
	static struct sent sent;
	unsigned failed = 0;
	uint64_t n = 0;
	start(rig, &ten, METER_MODE_PRIMARY, ",'multi_telegram':'off'");
	sim_line_watch(rig->line, &(struct sim_line_watch){&sent, write_down, NULL});
	for (unsigned i = 0; i < test_count(1000); i++) {
		rig->frame_count = 0;
		rig->begin_count = 0;
		rig->end_count = 0;
		rig_trigger(rig);
		/* Bursts of up to 40 bytes, a third of the time. */
		while (rig->end_count == 0) {
			uint8_t burst[40];
			for (size_t b = 0; b < sizeof burst; b++)
				burst[b] = (uint8_t)sim_hash(n, b);
			rig_disturb(rig, burst, 1 + sim_hash(n, 100) % sizeof burst,
				(ml_time)(sim_hash(n, 101) % 300) * ML_MSEC);
			n++;
			rig_pass(rig, 300 * ML_MSEC);
		}
		failed += rig->ends[0].failed;
		assert_int_equal(rig->ends[0].read + rig->ends[0].failed, 10);
		for (size_t f = 0; f < rig->frame_count; f++) {
			const struct rig_frame *frame = &rig->frames[f];
			if (frame->head.result == METER_FRAME_OK)
				assert_true(
					was_sent(&sent, frame->head.point - rig->points[0], frame));
		}
		rig_pass(rig, ML_MINUTE);
		/* As soon as it is quiet all are read. */
		if (i % 10 == 9) {
			rig->end_count = 0;
			assert_int_equal(round_within(rig, 2 * ML_MINUTE)->read, 10);
		}
	}
	/* It was noise indeed. */
	assert_true(failed > 0);
}

static void echo_changes_nothing(void **state)
{
	(void)state;
	ml_time times[2];
	for (int echo = 0; echo < 2; echo++) {
		struct rig *rig = rig_new(true);
		struct sim_options options = ten;
		options.delay = 15;
		options.echo = echo;
		start(rig, &options, METER_MODE_SECONDARY, "");
		assert_int_equal(round_within(rig, ML_MINUTE)->read, 10);
		times[echo] = took(rig, 0);
		rig_free(rig);
	}
	assert_int_equal(times[0], times[1]);
}

static void rests_within_answers_do_no_harm(void **state)
{
	struct rig *rig = *state;
	struct sim_options options = ten;
	options.gap = 22;
	start(rig, &options, METER_MODE_SECONDARY, "");
	assert_int_equal(round_within(rig, 5 * ML_MINUTE)->read, 10);
	assert_int_equal(rig->ends[0].failed, 0);
}

static void adding_answer(void *user, size_t meter, uint8_t *bytes, size_t *length, ml_time *later)
{
	(void)meter;
	(void)later;
	if (*(bool *)user) {
		bytes[(*length)++] = 0x00; /* behind */
	} else {
		memmove(bytes + 1, bytes, *length);
		bytes[0] = 0xFF; /* in front */
		(*length)++;
	}
}

static void converter_that_adds_a_byte_is_borne(void **state)
{
	struct rig *rig = *state;
	bool behind = false;
	start(rig, &ten, METER_MODE_SECONDARY, "");
	sim_line_watch(rig->line, &(struct sim_line_watch){&behind, adding_answer, NULL});
	for (int i = 0; i < 2; i++) {
		assert_int_equal(round_within(rig, ML_MINUTE)->read, 10);
		behind = true;
	}
	for (size_t i = 0; i < rig->frame_count; i++)
		assert_int_equal(rig->frames[i].head.tries, 1);
}

static void late_answer(void *user, size_t meter, uint8_t *bytes, size_t *length, ml_time *later)
{
	const size_t *whose = user;
	(void)bytes;
	(void)length;
	*later = meter == *whose ? 400 * ML_MSEC : 0;
}

static void late_meter_does_not_spoil_the_next(void **state)
{
	struct rig *rig = *state;
	size_t whose = 3;
	start(rig, &ten, METER_MODE_PRIMARY, ",'multi_telegram':'off'");
	sim_line_watch(rig->line, &(struct sim_line_watch){&whose, late_answer, NULL});
	for (int i = 0; i < 6; i++) {
		const struct ml_round *round = round_within(rig, ML_MINUTE);
		assert_true(round->read >= 9);
	}
	for (size_t i = 0; i < rig->frame_count; i++) {
		const struct rig_frame *frame = &rig->frames[i];
		if (frame->head.result != METER_FRAME_OK)
			continue;
		/* Whatever was taken is of the meter that was asked. */
		const size_t index = (size_t)(frame->head.point - rig->points[0]);
		assert_int_equal(frame->bytes[5], sim_line_meter(rig->line, index)->primary);
	}
}

static void babbling_answer(
	void *user, size_t meter, uint8_t *bytes, size_t *length, ml_time *later)
{
	(void)later;
	if (meter != *(size_t *)user)
		return;
	memset(bytes, 0x68, SIM_ANSWER_MAX);
	*length = SIM_ANSWER_MAX;
}

static void babbling_meter_does_not_stop_the_others(void **state)
{
	struct rig *rig = *state;
	size_t whose = 0;
	start(rig, &ten, METER_MODE_PRIMARY, ",'multi_telegram':'off'");
	assert_int_equal(round_within(rig, ML_MINUTE)->read, 10);
	sim_line_watch(rig->line, &(struct sim_line_watch){&whose, babbling_answer, NULL});
	for (int i = 0; i < 5; i++)
		assert_int_equal(round_within(rig, 5 * ML_MINUTE)->read, 9);
	sim_line_watch(rig->line, &(struct sim_line_watch){0});
	assert_int_equal(round_within(rig, 5 * ML_MINUTE)->read, 10);
}

static void open_line_is_silent_and_comes_back(void **state)
{
	struct rig *rig = *state;
	start(rig, &ten, METER_MODE_PRIMARY, "");
	assert_int_equal(round_within(rig, ML_MINUTE)->read, 10);
	sim_line_set_cut(rig->line, true);
	for (int i = 0; i < 3; i++)
		assert_int_equal(round_within(rig, 5 * ML_MINUTE)->read, 0);
	assert_int_equal(rig_events(rig, "bus-silent"), 1);
	expect_state(rig, "waiting", "none of 10 meters answers");
	sim_line_set_cut(rig->line, false);
	assert_int_equal(round_within(rig, 5 * ML_MINUTE)->read, 10);
	assert_int_equal(rig_events(rig, "bus-answers"), 1);
	expect_state(rig, "running", "10 meters");
}

static void short_circuit_is_shown_where_the_converter_tells(void **state)
{
	(void)state;
	static const char *const told[] = {"dcd", "no-dsr", "none"};
	for (int i = 0; i < 3; i++) {
		struct rig *rig = rig_new(true);
		char params[60];
		(void)snprintf(params, sizeof params, ",'short_circuit_signal':'%s'", told[i]);
		start(rig, &ten, METER_MODE_PRIMARY, params);
		rig_pass(rig, 10 * ML_SEC);
		/* DSR is never set here: a converter that is not as it was said to be. */
		assert_int_equal(rig_events(rig, "bus-short"), i == 1);
		sim_line_set_short(rig->line, true);
		rig_pass(rig, 10 * ML_SEC);
		assert_int_equal(rig_events(rig, "bus-short"), i < 2);
		if (i == 0)
			expect_state(rig, "waiting", "short circuit");
		sim_line_set_short(rig->line, false);
		rig_pass(rig, 10 * ML_SEC);
		assert_int_equal(rig_events(rig, "bus-short-over"), i == 0);
		rig_free(rig);
	}
}

static void line_that_is_lost_for_a_moment_loses_no_meter(void **state)
{
	struct rig *rig = *state;
	start(rig, &ten, METER_MODE_PRIMARY, "");
	for (unsigned i = 0; i < 40; i++) {
		rig_trigger(rig);
		rig_pass(rig, i * 130 * ML_MSEC);
		rig_fail_line(rig, true);
		rig_pass(rig, (i % 5) * ML_SEC + 500 * ML_MSEC);
		rig_fail_line(rig, false);
		rig_pass(rig, 2 * ML_MINUTE);
		assert_int_equal(rig->end_count, i + 1);
		assert_int_equal(rig->ends[i].read, 10);
	}
	assert_int_equal(rig_events(rig, "readout-failed"), 0);
}

static void line_that_stays_lost_fails_the_rest_and_is_tried_ever_less_often(void **state)
{
	struct rig *rig = *state;
	start(rig, &ten, METER_MODE_PRIMARY, "");
	rig_trigger(rig);
	rig_pass(rig, 2 * ML_SEC);
	rig_fail_line(rig, true);
	rig_pass(rig, 25 * ML_SEC);
	assert_int_equal(rig->end_count, 0);
	rig_pass(rig, 10 * ML_SEC);
	assert_int_equal(rig->end_count, 1);
	assert_true(rig->ends[0].read > 0 && rig->ends[0].failed > 0);
	assert_int_equal(rig->ends[0].read + rig->ends[0].failed, 10);
	assert_int_equal(rig->frames[rig->frame_count - 1].head.result, METER_FRAME_NO_BUS);
	assert_int_equal(rig_events(rig, "bus-lost"), 1);
	assert_int_equal(rig_events(rig, "readout-failed"), 0);
	const unsigned opens = rig->opens;
	rig_pass(rig, ML_HOUR);
	assert_in_range(rig->opens - opens, 55, 62);
	rig_fail_line(rig, false);
	rig_pass(rig, 61 * ML_SEC);
	expect_state(rig, "running", "10 meters");
	assert_int_equal(rig_events(rig, "bus-back"), 1);
	assert_int_equal(round_within(rig, ML_MINUTE)->read, 10);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(meter_that_is_disturbed_gets_another_chance_after_all_others),
		WITH_RIG(dead_meter_is_asked_once_and_comes_back_by_itself),
		WITH_RIG(dead_meters_cost_their_timeouts_and_no_more),
		WITH_RIG(two_meters_at_one_address_are_a_collision),
		WITH_RIG(meter_of_another_rate_is_silent_and_the_others_are_read),
		WITH_RIG(wireless_meter_behind_a_receiver_has_its_own_address),
		WITH_RIG(next_request_goes_out_while_nothing_has_room),
		WITH_RIG(no_wrong_telegram_comes_through_noise),
		cmocka_unit_test(echo_changes_nothing),
		WITH_RIG(rests_within_answers_do_no_harm),
		WITH_RIG(converter_that_adds_a_byte_is_borne),
		WITH_RIG(late_meter_does_not_spoil_the_next),
		WITH_RIG(babbling_meter_does_not_stop_the_others),
		WITH_RIG(open_line_is_silent_and_comes_back),
		cmocka_unit_test(short_circuit_is_shown_where_the_converter_tells),
		WITH_RIG(line_that_is_lost_for_a_moment_loses_no_meter),
		WITH_RIG(line_that_stays_lost_fails_the_rest_and_is_tried_ever_less_often),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
