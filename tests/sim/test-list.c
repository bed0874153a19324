/* The meter list of virtual meters: a gateway takes it as it is.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <meterloom/command.h>
#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "meter/family.h"
#include "meter/list.h"
#include "sim/list.h"

static void on_done(void *user, const struct ml_outcome *outcome)
{
	bool *done = user;
	if (outcome->code < 0)
		fail_msg("%s", outcome->errors[0].text);
	*done = true;
}

static void import(struct ml_engine *engine, const char *csv)
{
	bool done = false;
	json_t *params = json_pack("{s:s}", "csv", csv);
	assert_non_null(params);
	const struct ml_call call = {
		.command = "meter.import",
		.params = params,
		.role = ML_ROLE_ADMIN,
		.done = on_done,
		.user_data = &done,
		.lane = ml_engine_lane(engine, "control"),
	};
	assert_true(ml_command_call(engine, &call) != 0);
	ml_engine_simulate(engine, 0);
	assert_true(done);
	json_decref(params);
}

static void gateway_imports_the_list(void **state)
{
	(void)state;
	static const struct ml_family *const families[] = {&meter_family, NULL};
	const struct sim_options options = {.meters = 42, .seed = 9, .baud = 2400, .odd_baud = 300};
	struct sim_line *line = sim_line_new(&options);
	for (int how = SIM_MIXED; how <= SIM_SECONDARY; how++) {
		struct ml_clock *clock = ml_clock_new_simulated(0);
		struct ml_log *log = ml_log_new(clock, 0);
		struct ml_engine *engine = NULL;
		struct ml_buffer csv = {0};
		const struct ml_engine_options o = {
			.families = families, .clock = clock, .log = log};
		assert_int_equal(ml_engine_new(&o, &engine, NULL), 0);
		sim_list_csv(
			&(struct sim_list_part){line, 2400, ""}, 1, (enum sim_addressing)how, &csv);
		import(engine, csv.data);
		ml_buffer_free(&csv);
		const struct meter_snapshot *snapshot = meter_list_snapshot(meter_list(engine));
		assert_int_equal(snapshot->point_count, 42);
		for (size_t i = 0; i < 42; i++) {
			const struct meter_settings *s = &snapshot->points[i].settings;
			const struct sim_meter *meter = sim_line_meter(line, i);
			assert_true(meter_identity_equal(s->secondary, meter->identity));
			assert_int_equal(s->primary, meter->primary);
			assert_int_equal(s->baud, i % 2 == 0 ? 2400 : 300);
			assert_false(s->passive);
			const bool primary = how == SIM_PRIMARY || (how == SIM_MIXED && i % 2 == 0);
			assert_int_equal(
				s->mode, primary ? METER_MODE_PRIMARY : METER_MODE_SECONDARY);
		}
		meter_snapshot_release(snapshot);
		ml_engine_free(engine);
		ml_log_free(log);
		ml_clock_free(clock);
	}
	sim_line_free(line);
}

static void json_names_the_source_of_each_telegram(void **state)
{
	(void)state;
	const struct sim_options options = {.meters = 21, .seed = 1, .baud = 2400};
	struct sim_line *line = sim_line_new(&options);
	struct ml_buffer text = {0};
	sim_list_json(&(struct sim_list_part){line, 2400, ""}, 1, SIM_MIXED, &text);
	json_t *root = json_loadb(text.data, text.length, 0, NULL);
	const json_t *meters = json_object_get(root, "meters");
	assert_int_equal(json_array_size(meters), 21);
	for (size_t i = 0; i < 21; i++) {
		const char *source = json_string_value(
			json_object_get(json_array_get(meters, i), "telegrams_from"));
		assert_non_null(source);
		assert_true(strstr(source, "libmbus/") || strstr(source, "mbus4j/"));
	}
	json_decref(root);
	ml_buffer_free(&text);
	sim_line_free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gateway_imports_the_list),
		cmocka_unit_test(json_names_the_source_of_each_telegram),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
