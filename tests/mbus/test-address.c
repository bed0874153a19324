/* Giving meters primary addresses on the simulated clock: it holds where the meter answers, and no
 * two meters ever get one address. SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <meterloom/command.h>

#include "mbus/rig.h"

static const struct sim_options six = {.meters = 6, .seed = 5, .baud = 2400};

static int setup(void **state)
{
	struct rig *rig = rig_new(true);
	*state = rig;
	rig_line(rig, &six);
	rig_graph(rig, "'interface':'rig:line'");
	return 0;
}

static int teardown(void **state)
{
	rig_free(*state);
	return 0;
}

static json_t *set(struct rig *rig, const char *meter, unsigned address)
{
	char params[200];
	(void)snprintf(params, sizeof params,
		"{'node':'bus','action':'set-address','params':{'meter':'%s','address':%u}}", meter,
		address);
	return rig_call(rig, "node.action", params, ML_MINUTE);
}

static void expect_set(struct rig *rig, const char *meter, unsigned address, const char *result)
{
	json_t *json = set(rig, meter, address);
	const char *text = json_string_value(json_object_get(json, "result"));
	if (!text || strcmp(text, result) != 0)
		fail_msg("%s", json_dumps(json, 0));
	assert_int_equal(json_integer_value(json_object_get(json, "primary")), address);
	json_decref(json);
}

static void expect_error(struct rig *rig, const char *meter, unsigned address, const char *error)
{
	json_t *json = set(rig, meter, address);
	const char *text = json_string_value(json_object_get(json, "error"));
	if (!text || !strstr(text, error))
		fail_msg("%s", json_dumps(json, 0));
	json_decref(json);
}

/* Lists the first meters by their secondary addresses: "flat 0" and so on. */
static void list_secondary(struct rig *rig, size_t count)
{
	rig_list(rig, &six, count, METER_MODE_SECONDARY);
}

static void expect_listed(struct rig *rig, size_t place, unsigned mode, unsigned primary)
{
	const struct meter_snapshot *snapshot = meter_list_snapshot(rig->list);
	assert_true(place < snapshot->point_count);
	const struct meter_settings *settings = &snapshot->points[place].settings;
	assert_int_equal(settings->mode, mode);
	assert_true(settings->has_primary);
	assert_int_equal(settings->primary, primary);
	meter_snapshot_release(snapshot);
}

static void the_meter_has_it_and_the_list_knows(void **state)
{
	struct rig *rig = *state;
	list_secondary(rig, 6);
	for (size_t i = 0; i < 6; i++) {
		char name[16];
		(void)snprintf(name, sizeof name, "flat %zu", i);
		expect_set(rig, name, (unsigned)(100 + i), "known");
		assert_int_equal(sim_line_meter(rig->line, i)->primary, 100 + i);
		expect_listed(rig, i, METER_MODE_SECONDARY, (unsigned)(100 + i));
	}
	expect_set(rig, "flat 2", 110, "moved");
	expect_listed(rig, 2, METER_MODE_SECONDARY, 110);
	/* Once more is no error. */
	expect_set(rig, "flat 2", 110, "known");
	/* They are read as before. */
	rig_trigger(rig);
	rig_pass(rig, ML_MINUTE);
	assert_int_equal(rig->ends[0].read, 6);
}

static void a_point_read_by_its_primary_address_follows(void **state)
{
	struct rig *rig = *state;
	rig_list(rig, &six, 2, METER_MODE_PRIMARY);
	/* Nobody knows its number yet. */
	expect_error(rig, "flat 0", 77, "read it once, or give its number");
	rig_trigger(rig);
	rig_pass(rig, ML_MINUTE);
	expect_set(rig, "flat 0", 77, "moved");
	expect_listed(rig, 0, METER_MODE_PRIMARY, 77);
	rig_trigger(rig);
	rig_pass(rig, ML_MINUTE);
	assert_int_equal(rig->ends[1].read, 2);
}

static void a_meter_that_is_not_listed_is_entered(void **state)
{
	struct rig *rig = *state;
	char address[METER_SECONDARY_TEXT_MAX];
	const struct sim_meter *meter = sim_line_meter(rig->line, 3);
	assert_false(meter->fixed);
	meter_secondary_format(meter->identity, address);
	expect_set(rig, address, 200, "new");
	expect_listed(rig, 0, METER_MODE_PRIMARY, 200);
	assert_int_equal(meter->primary, 200);
}

static void an_address_that_somebody_has_is_refused(void **state)
{
	struct rig *rig = *state;
	list_secondary(rig, 2);
	/* On the bus, though not in the list. */
	expect_error(rig, "flat 0", 4, "answers at primary address 4 already: choose another");
	/* In the list, though not on the bus. */
	struct meter_settings settings = {
		.mode = METER_MODE_PRIMARY, .moid = "cellar", .has_primary = true, .primary = 90};
	uint32_t key = 0;
	assert_int_equal(meter_list_add(rig->list, &settings, 0, &key, NULL), 0);
	const size_t written = rig->written;
	expect_error(rig, "flat 0", 90, "is that of point #3 (\"cellar\") of this bus");
	assert_int_equal(rig->written, written);
	/* Two at once there: what they garble is somebody, too. */
	sim_line_change_meter(rig->line, 4)->primary = 60;
	sim_line_change_meter(rig->line, 5)->primary = 60;
	expect_error(rig, "flat 0", 60, "answers at primary address 60 already");
	assert_int_equal(sim_line_meter(rig->line, 0)->primary, 1);
}

static void what_cannot_be_is_told(void **state)
{
	struct rig *rig = *state;
	list_secondary(rig, 1);
	expect_error(rig, "flat 0", 251, "250");
	expect_error(rig, "99999999", 9, "it did not answer: look at its wiring");
	expect_error(rig, "nobody", 9, "no meter \"nobody\"");
	struct meter_settings settings = {.mode = METER_MODE_ESECONDARY,
		.moid = "radio",
		.has_enhanced = true,
		.enhanced = {.id = 0x12345678}};
	uint32_t key = 0;
	assert_int_equal(meter_list_add(rig->list, &settings, 0, &key, NULL), 0);
	expect_error(rig, "radio", 9, "wireless");
}

/* A meter that hears all and does nothing, or one that takes another address than it was told. */
static void ignore(void *user, size_t meter, uint8_t *bytes, size_t *length, ml_time *later)
{
	struct rig *rig = user;
	(void)bytes;
	(void)length;
	(void)later;
	sim_line_change_meter(rig->line, meter)->primary = (uint8_t)(meter + 1);
}

static void a_meter_that_only_acknowledges_is_told(void **state)
{
	struct rig *rig = *state;
	list_secondary(rig, 1);
	const struct sim_line_watch watch = {.user = rig, .answers = ignore};
	sim_line_watch(rig->line, &watch);
	expect_error(rig, "flat 0", 99, "acknowledged, but nobody answers at primary address 99");
}

/* ---- Cancelled at any moment ---- */

struct outcome {
	bool done;
	int code;
};

static void on_done(void *user, const struct ml_outcome *outcome)
{
	struct outcome *told = user;
	told->done = true;
	told->code = outcome->code;
}

static void it_can_be_cancelled_at_any_moment(void **state)
{
	struct rig *rig = *state;
	unsigned cancelled = 0;
	list_secondary(rig, 1);
	for (ml_time moment = 0; moment < 3 * ML_SEC; moment += 40 * ML_MSEC) {
		struct outcome told = {0};
		json_t *params = json_pack("{s:s, s:s, s:{s:s, s:i}}", "node", "bus", "action",
			"set-address", "params", "meter", "flat 0", "address",
			(int)(100 + moment / (40 * ML_MSEC)));
		const struct ml_call call = {
			.command = "node.action",
			.params = params,
			.role = ML_ROLE_ADMIN,
			.done = on_done,
			.user_data = &told,
			.lane = ml_engine_lane(rig->engine, "control"),
		};
		const uint64_t job = ml_command_call(rig->engine, &call);
		json_decref(params);
		rig_pass(rig, moment);
		if (!told.done) {
			(void)ml_command_cancel(rig->engine, job, NULL);
			rig_pass(rig, 100 * ML_MSEC);
			assert_true(told.done);
			assert_true(told.code == -ECANCELED || told.code == 0);
			cancelled += told.code == -ECANCELED;
		}
		assert_true(told.code <= 0);
	}
	assert_true(cancelled > 10);
	/* The bus is free again. */
	expect_set(rig, "flat 0", 250, "moved");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(the_meter_has_it_and_the_list_knows),
		TEST(a_point_read_by_its_primary_address_follows),
		TEST(a_meter_that_is_not_listed_is_entered),
		TEST(an_address_that_somebody_has_is_refused),
		TEST(what_cannot_be_is_told),
		TEST(a_meter_that_only_acknowledges_is_told),
		TEST(it_can_be_cancelled_at_any_moment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
