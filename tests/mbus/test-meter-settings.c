/* What a meter of the list may have otherwise than its bus, on the simulated clock: how many
 * telegrams, how they are waited for, which are chosen. SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mbus/rig.h"

static const struct sim_options twenty = {.meters = 20, .seed = 5, .baud = 2400};

static int setup(void **state)
{
	struct rig *rig = rig_new(true);
	*state = rig;
	rig_line(rig, &twenty);
	rig_graph(rig, "'interface':'rig:line'");
	return 0;
}

static int teardown(void **state)
{
	rig_free(*state);
	return 0;
}

/* Lists one meter that has several telegrams, by its primary address. */
static const struct sim_meter *list_one(struct rig *rig, struct meter_settings *settings)
{
	for (size_t i = 0; i < 20; i++) {
		const struct sim_meter *meter = sim_line_meter(rig->line, i);
		struct ml_error err = ML_ERROR_NONE;
		if (meter->model->count < 2)
			continue;
		settings->mode = METER_MODE_PRIMARY;
		settings->has_primary = true;
		settings->primary = meter->primary;
		if (meter_list_add(rig->list, settings, 0, &rig->points[0], &err) < 0)
			fail_msg("%s", err.text);
		return meter;
	}
	fail_msg("no meter has several telegrams");
	return NULL;
}

static void change(struct rig *rig, const struct meter_settings *settings)
{
	struct ml_error err = ML_ERROR_NONE;
	if (meter_list_change(rig->list, rig->points[0], settings, &err) < 0)
		fail_msg("%s", err.text);
}

/* A round; returns how many bytes the master sent. */
static size_t read_round(struct rig *rig)
{
	const size_t before = rig->written, rounds = rig->end_count;
	rig->frame_count = 0;
	rig_trigger(rig);
	rig_pass(rig, ML_MINUTE);
	assert_int_equal(rig->end_count, rounds + 1);
	return rig->written - before;
}

static void its_own_limit_of_telegrams_holds(void **state)
{
	struct rig *rig = *state;
	struct meter_settings settings = {0};
	const struct sim_meter *meter = list_one(rig, &settings);
	(void)read_round(rig);
	assert_int_equal(rig->frame_count, meter->model->count);
	settings.telegram_limit = 1;
	change(rig, &settings);
	(void)read_round(rig);
	assert_int_equal(rig->frame_count, 1);
	assert_true(rig->frames[0].head.flags & METER_FRAME_LIMIT);
	/* It says nothing where there is one anyhow. */
	settings.telegram_limit = 0;
	settings.multi = METER_MULTI_OFF;
	change(rig, &settings);
	(void)read_round(rig);
	assert_int_equal(rig->frame_count, 1);
}

static void its_own_selection_is_told_before_each_readout(void **state)
{
	struct rig *rig = *state;
	struct meter_settings settings = {
		.multi = METER_MULTI_OFF, .has_selection = true, .telegram_selection = 0x20};
	(void)list_one(rig, &settings);
	const size_t with = read_round(rig);
	assert_int_equal(rig->frame_count, 1);
	settings.has_selection = false;
	settings.telegram_selection = 0;
	change(rig, &settings);
	assert_int_equal(read_round(rig), with - 10);
}

/* Says nothing after its first telegram. */
static void first_only(void *user, size_t meter, uint8_t *bytes, size_t *length, ml_time *later)
{
	struct rig *rig = user;
	(void)bytes;
	(void)later;
	if (*length > 1 && sim_line_meter(rig->line, meter)->telegram > 0)
		*length = 0;
}

static ml_time round_took(const struct rig *rig)
{
	return rig->frames[rig->frame_count - 1].time - rig->begins[rig->end_count - 1].time;
}

static void its_own_retries_and_times_hold(void **state)
{
	struct rig *rig = *state;
	struct meter_settings settings = {.has_multi_retries = true, .multi_retries = 0};
	(void)list_one(rig, &settings);
	const struct sim_line_watch watch = {.user = rig, .answers = first_only};
	sim_line_watch(rig->line, &watch);
	const size_t none = read_round(rig);
	const ml_time quick = round_took(rig);
	settings.multi_retries = 4;
	change(rig, &settings);
	assert_int_equal(read_round(rig), none + 4 * 5);
	settings.multi_retries = 0;
	settings.multi_timeout = 5000;
	change(rig, &settings);
	assert_int_equal(read_round(rig), none);
	assert_in_range(round_took(rig) - quick, 4 * ML_SEC, 5 * ML_SEC);
}

/* By the commands, as people set them. */
static void commands_set_and_take_back(void **state)
{
	struct rig *rig = *state;
	json_t *point = rig_call(rig, "meter.add",
		"{'mode':'primary','primary':3,'moid':'x','telegram_limit':4,'multi_timeout':700,"
		"'multi_retries':0,'telegram_selection':16}",
		ML_SEC);
	static const char *const names[] = {
		"telegram_limit", "multi_timeout", "multi_retries", "telegram_selection"};
	static const json_int_t values[] = {4, 700, 0, 16};
	for (size_t i = 0; i < 4; i++) {
		const json_t *value = json_object_get(point, names[i]);
		assert_true(json_is_integer(value));
		assert_int_equal(json_integer_value(value), values[i]);
	}
	json_decref(point);
	point = rig_call(rig, "meter.change", "{'meter':'x','moid':'y'}", ML_SEC);
	assert_int_equal(json_integer_value(json_object_get(point, "multi_timeout")), 700);
	assert_true(json_is_integer(json_object_get(point, "multi_retries")));
	json_decref(point);
	point = rig_call(rig, "meter.change",
		"{'meter':'y','telegram_limit':0,'multi_timeout':0,'multi_retries':-1,"
		"'telegram_selection':-1}",
		ML_SEC);
	for (size_t i = 0; i < 4; i++)
		assert_null(json_object_get(point, names[i]));
	json_decref(point);
	point = rig_call(rig, "meter.change", "{'meter':'y','telegram_limit':1001}", ML_SEC);
	assert_non_null(json_object_get(point, "error"));
	json_decref(point);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(its_own_limit_of_telegrams_holds),
		TEST(its_own_selection_is_told_before_each_readout),
		TEST(its_own_retries_and_times_hold),
		TEST(commands_set_and_take_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
