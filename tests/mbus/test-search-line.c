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
#include "mbus/search_watch.h"

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

static void each_is_told_once(const struct search_watch *w, struct rig *rig, const char *result)
{
	for (size_t i = 0; i < sim_line_meter_count(rig->line); i++) {
		const struct sim_meter *meter = sim_line_meter(rig->line, i);
		if (search_rows(w, meter->identity, result) != 1)
			fail_msg("meter %zu: %zu rows", i, search_rows(w, meter->identity, result));
	}
}

/* ---- Tests ---- */

static void all_of_250_are_found_and_installed(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= test_count(20); seed++) {
		struct search_watch w;
		const struct sim_options options = {.meters = 250, .seed = seed, .baud = 2400};
		struct rig *rig = begin(&options, "'interface':'rig:line'");
		draw_numbers(rig, seed);
		search_call(rig, "", &w);
		search_wait(&w, 3 * ML_HOUR);
		assert_int_equal(w.code, 0);
		assert_int_equal(search_number(&w, "found"), 250);
		assert_int_equal(search_number(&w, "new"), 250);
		assert_int_equal(w.row_count, 250);
		assert_int_equal(points(rig), 250);
		each_is_told_once(&w, rig, "new");
		if (search_number(&w, "probes") * 10 > plan_of(rig) * 11)
			fail_msg("%u probes, the plain tree has %u", search_number(&w, "probes"),
				(unsigned)plan_of(rig));
		search_let_go(&w);
		/* What is known is told so. */
		search_call(rig, "'wanted':30", &w);
		search_wait(&w, ML_HOUR);
		assert_int_equal(search_number(&w, "known"), 30);
		assert_int_equal(points(rig), 250);
		search_let_go(&w);
		rig_free(rig);
	}
}

/* All meters answer at quite the same time: each E5h sounds like one. */
static void collisions_that_sound_like_one_are_split(void **state)
{
	(void)state;
	struct search_watch w;
	const struct sim_options options = {.meters = 60, .seed = 2, .baud = 2400, .delay = 11};
	struct rig *rig = begin(&options, "'interface':'rig:line'");
	draw_numbers(rig, 7);
	search_call(rig, "", &w);
	search_wait(&w, 3 * ML_HOUR);
	assert_int_equal(w.code, 0);
	assert_int_equal(search_number(&w, "new"), 60);
	each_is_told_once(&w, rig, "new");
	assert_true(search_number(&w, "probes") * 10 <= plan_of(rig) * 11);
	search_let_go(&w);
	rig_free(rig);
}

static void equal_numbers_are_told_apart(void **state)
{
	(void)state;
	struct search_watch w;
	const struct sim_options options = {.meters = 60, .seed = 3, .baud = 2400};
	struct rig *rig = begin(&options, "'interface':'rig:line'");
	struct meter_identity identity = {0x44556677, 0x2C2D, 27, 4};
	for (unsigned i = 0; i < 4; i++) {
		change_identity(rig, i, identity);
		identity.manufacturer = i == 0 ? 0x32A7 : 0x2C2D;
		identity.version = i == 1 ? 28 : 27;
		identity.medium = i == 2 ? 7 : 4;
	}
	search_call(rig, "'install':false", &w);
	search_wait(&w, 3 * ML_HOUR);
	assert_int_equal(w.code, 0);
	assert_int_equal(search_number(&w, "new"), 60);
	assert_int_equal(search_number(&w, "unclear"), 0);
	each_is_told_once(&w, rig, "new");
	assert_int_equal(points(rig), 0);
	search_let_go(&w);
	rig_free(rig);
}

/* Pairs of a series whose answers fall on each other bit by bit, so that of some only one is heard,
 * whole and good: a neighbour of the series betrays them. */
static void twins_of_a_series_do_not_hide_each_other(void **state)
{
	(void)state;
	static const uint8_t last[][2] = {{0, 1}, {0, 2}, {0, 4}, {0, 8}, {1, 3}, {2, 6}, {8, 9}};
	struct search_watch w;
	const struct sim_options options = {.meters = 120, .seed = 3, .baud = 2400, .delay = 11};
	struct rig *rig = begin(&options, "'interface':'rig:line'");
	const struct sim_meter first = *sim_line_meter(rig->line, 0);
	for (uint32_t i = 0; i < options.meters; i++) {
		struct sim_meter *meter = sim_line_change_meter(rig->line, i);
		const uint32_t series = i / 3;
		const uint8_t *digits = last[series % 7];
		*meter = first;
		meter->identity.id = (series % 10) << 28 | (series / 10) << 24 | 0x55 << 12 |
				     (i % 3 == 2 ? 0x730u : 0x010u + digits[i % 3]);
		meter_identity_write(meter->identity, meter->secondary);
	}
	search_call(rig, "", &w);
	search_wait(&w, 3 * ML_HOUR);
	assert_int_equal(w.code, 0);
	assert_int_equal(search_number(&w, "found"), options.meters);
	each_is_told_once(&w, rig, NULL);
	search_let_go(&w);
	rig_free(rig);
}

static void noise_loses_no_meter(void **state)
{
	(void)state;
	struct search_watch w;
	const struct sim_options options = {.meters = 80, .seed = 5, .baud = 2400};
	for (uint64_t seed = 0; seed < test_count(20); seed++) {
		struct rig *rig = begin(&options, "'interface':'rig:line'");
		draw_numbers(rig, seed);
		search_call(rig, "", &w);
		for (uint64_t i = 0; !w.done && i < 5000; i++) {
			const uint64_t noise = sim_hash(seed, i);
			rig_disturb(rig, (const uint8_t *)&noise, noise % 5, ML_MSEC);
			rig_pass(rig, (ml_time)(500 + noise % 4000) * ML_MSEC);
		}
		assert_true(w.done);
		assert_int_equal(w.code, 0);
		each_is_told_once(&w, rig, "new");
		assert_int_equal(search_number(&w, "unclear"), 0);
		search_let_go(&w);
		rig_free(rig);
	}
}

/* A round in the middle is done at once, and the search goes on. */
static void rounds_go_on_beside_it(void **state)
{
	(void)state;
	struct search_watch w;
	const struct sim_options options = {.meters = 40, .seed = 5, .baud = 2400};
	struct rig *rig = rig_new(true);
	rig_line(rig, &options);
	rig_list(rig, &options, 10, METER_MODE_SECONDARY);
	rig_graph(rig, "'interface':'rig:line'");
	rig_pass(rig, ML_SEC);
	search_call(rig, "'install':false", &w);
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
	assert_int_equal(search_number(&w, "found"), 40);
	assert_int_equal(search_number(&w, "known"), 10);
	assert_int_equal(search_number(&w, "new"), 30);
	each_is_told_once(&w, rig, NULL);
	search_let_go(&w);
	rig_free(rig);
}

static void it_is_cancelled_and_resumed(void **state)
{
	(void)state;
	struct search_watch w;
	const struct sim_options options = {.meters = 60, .seed = 6, .baud = 2400};
	struct rig *rig = begin(&options, "'interface':'rig:line'");
	size_t told = 0;
	unsigned parts = 0;
	search_call(rig, "'resume':true", &w);
	search_wait(&w, ML_MINUTE);
	assert_int_equal(w.code, -ENOENT);
	search_let_go(&w);
	search_call(rig, "", &w);
	for (;; parts++) {
		rig_pass(rig, 12 * ML_SEC);
		if (w.done)
			break;
		assert_int_equal(ml_command_cancel(rig->engine, w.job, NULL), 0);
		search_wait(&w, ML_MINUTE);
		assert_int_equal(w.code, -ECANCELED);
		const json_t *bus = json_array_get(json_object_get(w.result, "buses"), 0);
		assert_true(
			json_is_true(json_object_get(json_object_get(bus, "detail"), "resumable")));
		assert_true(w.row_count >= told);
		told = w.row_count;
		search_let_go(&w);
		search_call(rig, "'resume':true", &w);
		assert_true(parts < 100);
	}
	assert_true(parts > 2);
	assert_int_equal(w.code, 0);
	assert_int_equal(search_number(&w, "found"), 60);
	each_is_told_once(&w, rig, NULL);
	/* It was done once, not from the beginning each time. */
	if (search_number(&w, "probes") * 10 > plan_of(rig) * 11)
		fail_msg("%u probes", search_number(&w, "probes"));
	search_let_go(&w);
	rig_free(rig);
}

static void line_that_is_lost_is_waited_for(void **state)
{
	(void)state;
	struct search_watch w;
	const struct sim_options options = {.meters = 40, .seed = 6, .baud = 2400};
	struct rig *rig = begin(&options, "'interface':'rig:line'");
	search_call(rig, "", &w);
	for (unsigned i = 0; i < 8; i++) {
		rig_pass(rig, 7 * ML_SEC + 300 * ML_MSEC * (ml_time)i);
		rig_fail_line(rig, true);
		rig_pass(rig, 2 * ML_MINUTE);
		assert_false(w.done);
		rig_fail_line(rig, false);
	}
	search_wait(&w, ML_HOUR);
	assert_int_equal(w.code, 0);
	assert_int_equal(search_number(&w, "found"), 40);
	each_is_told_once(&w, rig, "new");
	search_let_go(&w);
	rig_free(rig);
}

static void it_is_cancelled_while_the_line_goes_away(void **state)
{
	(void)state;
	struct search_watch w;
	const struct sim_options options = {.meters = 20, .seed = 6, .baud = 2400};
	struct rig *rig = begin(&options, "'interface':'rig:line'");
	for (unsigned i = 0; i < 20; i++) {
		search_call(rig, "", &w);
		rig_pass(rig, 2 * ML_SEC + 37 * ML_MSEC * (ml_time)i);
		assert_int_equal(ml_command_cancel(rig->engine, w.job, NULL), 0);
		if (i % 2 == 0)
			rig_pass(rig, ML_MSEC);
		rig_fail_line(rig, true);
		search_wait(&w, ML_MINUTE);
		assert_int_equal(w.code, -ECANCELED);
		search_let_go(&w);
		rig_fail_line(rig, false);
		rig_pass(rig, 2 * ML_MINUTE);
	}
	rig_free(rig);
}

/* The graph changes under a search: what was found is not lost. */
static void node_that_restarts_breaks_it_off(void **state)
{
	(void)state;
	struct search_watch w;
	const struct sim_options options = {.meters = 60, .seed = 8, .baud = 2400};
	struct rig *rig = begin(&options, "'interface':'rig:line'");
	search_call(rig, "", &w);
	rig_pass(rig, 60 * ML_SEC);
	rig_graph(rig, "'interface':'rig:line','latency':51");
	search_wait(&w, ML_MINUTE);
	assert_int_equal(w.code, -ENODEV);
	search_let_go(&w);
	rig_pass(rig, ML_SEC);
	search_call(rig, "'resume':true", &w);
	search_wait(&w, ML_HOUR);
	assert_int_equal(w.code, 0);
	assert_int_equal(search_number(&w, "found"), 60);
	each_is_told_once(&w, rig, NULL);
	search_let_go(&w);
	rig_free(rig);
}

static void primary_addresses_and_their_conflicts(void **state)
{
	(void)state;
	struct search_watch w;
	const struct sim_options options = {.meters = 20, .seed = 9, .baud = 2400};
	struct rig *rig = begin(&options, "'interface':'rig:line'");
	sim_line_change_meter(rig->line, 4)->primary = 11; /* as meter 10 has */
	search_call(rig, "'modes':['primary','secondary'],'last_address':30", &w);
	search_wait(&w, ML_HOUR);
	assert_int_equal(w.code, 0);
	assert_int_equal(search_number(&w, "found"), 20);
	assert_int_equal(search_number(&w, "unclear"), 1);
	for (size_t i = 0; i < w.row_count; i++) {
		const json_t *row = w.rows[i];
		const bool shared = json_integer_value(json_object_get(row, "primary")) == 11;
		const bool conflict = strcmp(search_text(row, "result"), "several") == 0;
		assert_int_equal(
			strcmp(search_text(row, "mode"), "secondary") == 0, shared && !conflict);
		assert_true(!conflict || shared);
	}
	search_let_go(&w);
	rig_free(rig);
}

static void several_rates_list_nobody_twice(void **state)
{
	(void)state;
	struct search_watch w;
	const struct sim_options options = {
		.meters = 30, .seed = 10, .baud = 2400, .odd_baud = 300};
	struct rig *rig = begin(&options, "'interface':'rig:line'");
	search_call(rig, "'bauds':[300,2400]", &w);
	search_wait(&w, 3 * ML_HOUR);
	assert_int_equal(w.code, 0);
	assert_int_equal(search_number(&w, "found"), 30);
	for (size_t i = 0; i < 30; i++) {
		const struct sim_meter *meter = sim_line_meter(rig->line, i);
		assert_int_equal(search_rows(&w, meter->identity, "new"), 1);
	}
	search_let_go(&w);
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
		struct search_watch w;
		search_call(rig, calls[i], &w);
		search_wait(&w, ML_MINUTE);
		assert_true(w.code < 0);
		search_let_go(&w);
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
		cmocka_unit_test(it_is_cancelled_while_the_line_goes_away),
		cmocka_unit_test(line_that_is_lost_is_waited_for),
		cmocka_unit_test(node_that_restarts_breaks_it_off),
		cmocka_unit_test(primary_addresses_and_their_conflicts),
		cmocka_unit_test(several_rates_list_nobody_twice),
		cmocka_unit_test(what_makes_no_sense_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
