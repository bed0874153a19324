/* The search of a source, on a line where answers garble each other as they do on a real one.
 * SPDX-License-Identifier: Apache-2.0
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

#include "count.h"
#include "mbus/rig.h"
#include "mbus/search_plan.h"

enum { ROWS_MAX = 400 };

/* A call of meter.search and what it tells. */
struct watched {
	struct rig *rig;
	uint64_t job;
	bool done;
	int code;
	json_t *result; /* or the detail of a failure */
	json_t *rows[ROWS_MAX];
	size_t row_count;
	uint64_t progress;
	ml_time began, took;
};

static void on_done(void *user, const struct ml_outcome *outcome)
{
	struct watched *w = user;
	w->done = true;
	w->code = outcome->code;
	w->took = ml_clock_monotonic(w->rig->clock) - w->began;
	const char *text = outcome->code == 0 ? outcome->result : outcome->detail;
	w->result = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
}

static void on_row(void *user, const char *json, size_t length)
{
	struct watched *w = user;
	assert_true(w->row_count < ROWS_MAX);
	w->rows[w->row_count] = json_loadb(json, length, 0, NULL);
	assert_non_null(w->rows[w->row_count]);
	w->row_count++;
}

static void on_progress(void *user, uint64_t done, uint64_t total, const char *text)
{
	struct watched *w = user;
	(void)text;
	assert_true(done >= w->progress && done <= total);
	w->progress = done;
}

static void call(struct rig *rig, const char *params, struct watched *w)
{
	char text[300];
	const int length = snprintf(text, sizeof text, "{%s}", params);
	for (int i = 0; i < length; i++)
		text[i] = text[i] == '\'' ? '"' : text[i];
	json_t *json = json_loads(text, 0, NULL);
	assert_non_null(json);
	memset(w, 0, sizeof *w);
	w->rig = rig;
	w->began = ml_clock_monotonic(rig->clock);
	const struct ml_call search = {
		.command = "meter.search",
		.params = json,
		.role = ML_ROLE_ADMIN,
		.done = on_done,
		.user_data = w,
		.lane = ml_engine_lane(rig->engine, "control"),
		.row = on_row,
		.progress = on_progress,
	};
	w->job = ml_command_call(rig->engine, &search);
	assert_true(w->job != 0);
	json_decref(json);
}

static void wait_for(struct watched *w, ml_time within)
{
	for (ml_time passed = 0; !w->done && passed < within; passed += ML_SEC)
		rig_pass(w->rig, ML_SEC);
	assert_true(w->done);
}

static void let_go(struct watched *w)
{
	for (size_t i = 0; i < w->row_count; i++)
		json_decref(w->rows[i]);
	json_decref(w->result);
	memset(w, 0, sizeof *w);
}

static unsigned number(const struct watched *w, const char *key)
{
	const json_t *value = json_object_get(w->result, key);
	assert_true(json_is_integer(value));
	return (unsigned)json_integer_value(value);
}

static const char *text_of(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));
	return text ? text : "";
}

/* Rows of this meter. */
static size_t rows_of(const struct watched *w, struct meter_identity identity, const char *result)
{
	char secondary[METER_SECONDARY_TEXT_MAX];
	size_t count = 0;
	(void)meter_secondary_format(identity, secondary);
	for (size_t i = 0; i < w->row_count; i++)
		count += strcmp(text_of(w->rows[i], "secondary"), secondary) == 0 &&
			 (!result || strcmp(text_of(w->rows[i], "result"), result) == 0);
	return count;
}

static size_t points(struct rig *rig)
{
	const struct meter_snapshot *snapshot = meter_list_snapshot(rig->list);
	const size_t count = snapshot->point_count;
	meter_snapshot_release(snapshot);
	return count;
}

static uint64_t plan_of(struct rig *rig)
{
	uint32_t numbers[250];
	const size_t count = sim_line_meter_count(rig->line);
	for (size_t i = 0; i < count; i++)
		numbers[i] = sim_line_meter(rig->line, i)->identity.id;
	return search_plan_probes(numbers, count, 10);
}

static struct rig *begin(const struct sim_options *options, const char *params)
{
	struct rig *rig = rig_new(true);
	rig_line(rig, options);
	rig_graph(rig, params);
	rig_pass(rig, ML_SEC);
	return rig;
}

/* Numbers that are spread as badly as chance does it. */
static void draw_numbers(struct rig *rig, uint64_t seed)
{
	for (size_t i = 0; i < sim_line_meter_count(rig->line); i++) {
		struct sim_meter *meter = sim_line_change_meter(rig->line, i);
		uint32_t number = (uint32_t)(sim_hash(seed, i) % 100000000), id = 0;
		for (unsigned d = 0; d < 8; d++, number /= 10)
			id |= (number % 10) << (4 * d);
		meter->identity.id = id;
		meter_identity_write(meter->identity, meter->secondary);
	}
}

static void change_identity(struct rig *rig, size_t index, struct meter_identity identity)
{
	struct sim_meter *meter = sim_line_change_meter(rig->line, index);
	meter->identity = identity;
	meter->fixed = false;
	meter_identity_write(identity, meter->secondary);
}

static void each_is_told_once(const struct watched *w, struct rig *rig, const char *result)
{
	for (size_t i = 0; i < sim_line_meter_count(rig->line); i++) {
		const struct sim_meter *meter = sim_line_meter(rig->line, i);
		if (rows_of(w, meter->identity, result) != 1)
			fail_msg("meter %zu: %zu rows", i, rows_of(w, meter->identity, result));
	}
}

/* ---- Tests ---- */

static void all_of_250_are_found_and_installed(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= test_count(20); seed++) {
		struct watched w;
		const struct sim_options options = {.meters = 250, .seed = seed, .baud = 2400};
		struct rig *rig = begin(&options, "'interface':'rig:line'");
		draw_numbers(rig, seed);
		call(rig, "", &w);
		wait_for(&w, 3 * ML_HOUR);
		assert_int_equal(w.code, 0);
		assert_int_equal(number(&w, "found"), 250);
		assert_int_equal(number(&w, "new"), 250);
		assert_int_equal(w.row_count, 250);
		assert_int_equal(points(rig), 250);
		each_is_told_once(&w, rig, "new");
		if (number(&w, "probes") * 10 > plan_of(rig) * 11)
			fail_msg("%u probes, the plain tree has %u", number(&w, "probes"),
				(unsigned)plan_of(rig));
		let_go(&w);
		/* What is known is told so. */
		call(rig, "'wanted':30", &w);
		wait_for(&w, ML_HOUR);
		assert_int_equal(number(&w, "known"), 30);
		assert_int_equal(points(rig), 250);
		let_go(&w);
		rig_free(rig);
	}
}

/* All meters answer at quite the same time: each E5h sounds like one. */
static void collisions_that_sound_like_one_are_split(void **state)
{
	(void)state;
	struct watched w;
	const struct sim_options options = {.meters = 60, .seed = 2, .baud = 2400, .delay = 11};
	struct rig *rig = begin(&options, "'interface':'rig:line'");
	draw_numbers(rig, 7);
	call(rig, "", &w);
	wait_for(&w, 3 * ML_HOUR);
	assert_int_equal(w.code, 0);
	assert_int_equal(number(&w, "new"), 60);
	each_is_told_once(&w, rig, "new");
	assert_true(number(&w, "probes") * 10 <= plan_of(rig) * 11);
	let_go(&w);
	rig_free(rig);
}

static void equal_numbers_are_told_apart(void **state)
{
	(void)state;
	struct watched w;
	const struct sim_options options = {.meters = 60, .seed = 3, .baud = 2400};
	struct rig *rig = begin(&options, "'interface':'rig:line'");
	struct meter_identity identity = {0x44556677, 0x2C2D, 27, 4};
	for (unsigned i = 0; i < 4; i++) {
		change_identity(rig, i, identity);
		identity.manufacturer = i == 0 ? 0x32A7 : 0x2C2D;
		identity.version = i == 1 ? 28 : 27;
		identity.medium = i == 2 ? 7 : 4;
	}
	call(rig, "'install':false", &w);
	wait_for(&w, 3 * ML_HOUR);
	assert_int_equal(w.code, 0);
	assert_int_equal(number(&w, "new"), 60);
	assert_int_equal(number(&w, "unclear"), 0);
	each_is_told_once(&w, rig, "new");
	assert_int_equal(points(rig), 0);
	let_go(&w);
	rig_free(rig);
}

/* Two of a series whose answers fall on each other bit by bit, so that only one is heard: their
 * numbers betray it. */
static void twins_of_a_series_do_not_hide_each_other(void **state)
{
	(void)state;
	struct watched w;
	const struct sim_options options = {.meters = 6, .seed = 3, .baud = 2400, .delay = 11};
	struct rig *rig = begin(&options, "'interface':'rig:line'");
	const struct sim_meter first = *sim_line_meter(rig->line, 0);
	static const uint32_t ids[] = {0x61230010, 0x61230012, 0x61230030, 0x61230440};
	for (size_t i = 0; i < 4; i++) {
		struct sim_meter *meter = sim_line_change_meter(rig->line, i);
		*meter = first;
		meter->identity.id = ids[i];
		meter_identity_write(meter->identity, meter->secondary);
	}
	call(rig, "", &w);
	wait_for(&w, 3 * ML_HOUR);
	assert_int_equal(w.code, 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(rows_of(&w, sim_line_meter(rig->line, i)->identity, NULL), 1);
	let_go(&w);
	rig_free(rig);
}

static void noise_loses_no_meter(void **state)
{
	(void)state;
	struct watched w;
	const struct sim_options options = {.meters = 80, .seed = 5, .baud = 2400};
	for (uint64_t seed = 0; seed < test_count(20); seed++) {
		struct rig *rig = begin(&options, "'interface':'rig:line'");
		draw_numbers(rig, seed);
		call(rig, "", &w);
		for (uint64_t i = 0; !w.done && i < 5000; i++) {
			const uint64_t noise = sim_hash(seed, i);
			rig_disturb(rig, (const uint8_t *)&noise, noise % 5, ML_MSEC);
			rig_pass(rig, (ml_time)(500 + noise % 4000) * ML_MSEC);
		}
		assert_true(w.done);
		assert_int_equal(w.code, 0);
		each_is_told_once(&w, rig, "new");
		assert_int_equal(number(&w, "unclear"), 0);
		let_go(&w);
		rig_free(rig);
	}
}

/* A round in the middle is done at once, and the search goes on. */
static void rounds_go_on_beside_it(void **state)
{
	(void)state;
	struct watched w;
	const struct sim_options options = {.meters = 40, .seed = 5, .baud = 2400};
	struct rig *rig = rig_new(true);
	rig_line(rig, &options);
	rig_list(rig, &options, 10, METER_MODE_SECONDARY);
	rig_graph(rig, "'interface':'rig:line'");
	rig_pass(rig, ML_SEC);
	call(rig, "'install':false", &w);
	size_t rounds = 0;
	for (; !w.done && rounds < 100; rounds++) {
		rig_pass(rig, 3 * ML_SEC);
		rig_trigger(rig);
		const size_t before = rig->end_count;
		rig_pass(rig, 20 * ML_SEC);
		assert_int_equal(rig->end_count, before + 1);
		assert_int_equal(rig->ends[before].read, 10);
	}
	assert_true(w.done && rounds > 3);
	assert_int_equal(w.code, 0);
	assert_int_equal(number(&w, "found"), 40);
	assert_int_equal(number(&w, "known"), 10);
	assert_int_equal(number(&w, "new"), 30);
	each_is_told_once(&w, rig, NULL);
	let_go(&w);
	rig_free(rig);
}

static void it_is_cancelled_and_resumed(void **state)
{
	(void)state;
	struct watched w;
	const struct sim_options options = {.meters = 60, .seed = 6, .baud = 2400};
	struct rig *rig = begin(&options, "'interface':'rig:line'");
	size_t told = 0;
	unsigned parts = 0;
	call(rig, "'resume':true", &w);
	wait_for(&w, ML_MINUTE);
	assert_int_equal(w.code, -ENOENT);
	let_go(&w);
	call(rig, "", &w);
	for (;; parts++) {
		rig_pass(rig, 12 * ML_SEC);
		if (w.done)
			break;
		assert_int_equal(ml_command_cancel(rig->engine, w.job, NULL), 0);
		wait_for(&w, ML_MINUTE);
		assert_int_equal(w.code, -ECANCELED);
		const json_t *bus = json_array_get(json_object_get(w.result, "buses"), 0);
		assert_true(
			json_is_true(json_object_get(json_object_get(bus, "detail"), "resumable")));
		assert_true(w.row_count >= told);
		told = w.row_count;
		let_go(&w);
		call(rig, "'resume':true", &w);
		assert_true(parts < 100);
	}
	assert_true(parts > 2);
	assert_int_equal(w.code, 0);
	assert_int_equal(number(&w, "found"), 60);
	each_is_told_once(&w, rig, NULL);
	/* It was done once, not from the beginning each time. */
	if (number(&w, "probes") * 10 > plan_of(rig) * 11)
		fail_msg("%u probes", number(&w, "probes"));
	let_go(&w);
	rig_free(rig);
}

static void line_that_is_lost_is_waited_for(void **state)
{
	(void)state;
	struct watched w;
	const struct sim_options options = {.meters = 40, .seed = 6, .baud = 2400};
	struct rig *rig = begin(&options, "'interface':'rig:line'");
	call(rig, "", &w);
	for (unsigned i = 0; i < 8; i++) {
		rig_pass(rig, 7 * ML_SEC + 300 * ML_MSEC * (ml_time)i);
		rig_fail_line(rig, true);
		rig_pass(rig, 2 * ML_MINUTE);
		assert_false(w.done);
		rig_fail_line(rig, false);
	}
	wait_for(&w, ML_HOUR);
	assert_int_equal(w.code, 0);
	assert_int_equal(number(&w, "found"), 40);
	each_is_told_once(&w, rig, "new");
	let_go(&w);
	rig_free(rig);
}

/* The graph changes under a search: what was found is not lost. */
static void node_that_restarts_breaks_it_off(void **state)
{
	(void)state;
	struct watched w;
	const struct sim_options options = {.meters = 60, .seed = 8, .baud = 2400};
	struct rig *rig = begin(&options, "'interface':'rig:line'");
	call(rig, "", &w);
	rig_pass(rig, 60 * ML_SEC);
	rig_graph(rig, "'interface':'rig:line','latency':51");
	wait_for(&w, ML_MINUTE);
	assert_int_equal(w.code, -ENODEV);
	let_go(&w);
	rig_pass(rig, ML_SEC);
	call(rig, "'resume':true", &w);
	wait_for(&w, ML_HOUR);
	assert_int_equal(w.code, 0);
	assert_int_equal(number(&w, "found"), 60);
	each_is_told_once(&w, rig, NULL);
	let_go(&w);
	rig_free(rig);
}

static void primary_addresses_and_their_conflicts(void **state)
{
	(void)state;
	struct watched w;
	const struct sim_options options = {.meters = 20, .seed = 9, .baud = 2400};
	struct rig *rig = begin(&options, "'interface':'rig:line'");
	sim_line_change_meter(rig->line, 4)->primary = 11; /* as meter 10 has */
	call(rig, "'modes':['primary','secondary'],'last_address':30", &w);
	wait_for(&w, ML_HOUR);
	assert_int_equal(w.code, 0);
	assert_int_equal(number(&w, "found"), 20);
	assert_int_equal(number(&w, "unclear"), 1);
	for (size_t i = 0; i < w.row_count; i++) {
		const json_t *row = w.rows[i];
		const bool shared = json_integer_value(json_object_get(row, "primary")) == 11;
		const bool conflict = strcmp(text_of(row, "result"), "several") == 0;
		assert_int_equal(
			strcmp(text_of(row, "mode"), "secondary") == 0, shared && !conflict);
		assert_true(!conflict || shared);
	}
	let_go(&w);
	rig_free(rig);
}

static void several_rates_list_nobody_twice(void **state)
{
	(void)state;
	struct watched w;
	const struct sim_options options = {
		.meters = 30, .seed = 10, .baud = 2400, .odd_baud = 300};
	struct rig *rig = begin(&options, "'interface':'rig:line'");
	call(rig, "'bauds':[300,2400]", &w);
	wait_for(&w, 3 * ML_HOUR);
	assert_int_equal(w.code, 0);
	assert_int_equal(number(&w, "found"), 30);
	for (size_t i = 0; i < 30; i++) {
		const struct sim_meter *meter = sim_line_meter(rig->line, i);
		assert_int_equal(rows_of(&w, meter->identity, "new"), 1);
	}
	let_go(&w);
	rig_free(rig);
}

static void what_makes_no_sense_is_refused(void **state)
{
	(void)state;
	static const char *const calls[] = {"'modes':['tertiary']", "'bauds':[2401]",
		"'bauds':[300,300]", "'buses':['nowhere']", "'interfaces':'tcp'",
		"'first_address':9,'last_address':8", "'modes':['primary','primary']"};
	const struct sim_options options = {.meters = 1, .seed = 9, .baud = 2400};
	struct rig *rig = begin(&options, "'interface':'rig:line'");
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		struct watched w;
		call(rig, calls[i], &w);
		wait_for(&w, ML_MINUTE);
		assert_true(w.code < 0);
		let_go(&w);
	}
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_250_are_found_and_installed),
		cmocka_unit_test(collisions_that_sound_like_one_are_split),
		cmocka_unit_test(equal_numbers_are_told_apart),
		cmocka_unit_test(twins_of_a_series_do_not_hide_each_other),
		cmocka_unit_test(noise_loses_no_meter),
		cmocka_unit_test(rounds_go_on_beside_it),
		cmocka_unit_test(it_is_cancelled_and_resumed),
		cmocka_unit_test(line_that_is_lost_is_waited_for),
		cmocka_unit_test(node_that_restarts_breaks_it_off),
		cmocka_unit_test(primary_addresses_and_their_conflicts),
		cmocka_unit_test(several_rates_list_nobody_twice),
		cmocka_unit_test(what_makes_no_sense_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
