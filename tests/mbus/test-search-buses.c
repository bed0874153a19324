/* Searches over several buses, over a restart, and on lines with habits.
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
#include <unistd.h>

#include <cmocka.h>

#include <meterloom/command.h>

#include "mbus/family.h"
#include "mbus/rig.h"
#include "mbus/search_keep.h"
#include "mbus/search_watch.h"
#include "meter/family.h"

/* Two simulated buses beside each other. */
static struct rig *begin_two(void)
{
	static const char graph[] =
		"{\"meterloom\":1,\"nodes\":["
		"{\"id\":\"go\",\"type\":\"prod\"},"
		"{\"id\":\"north\",\"type\":\"mbus-source\",\"params\":{\"bus\":\"north\","
		"\"interface\":\"sim:meters=30&seed=1\"}},"
		"{\"id\":\"south\",\"type\":\"mbus-source\",\"params\":{\"bus\":\"south\","
		"\"interface\":\"sim:meters=20&seed=2\"}},"
		"{\"id\":\"taker\",\"type\":\"taker\"}],"
		"\"edges\":[{\"from\":\"go\",\"to\":\"north\"},{\"from\":\"go\",\"to\":\"south\"},"
		"{\"from\":\"north\",\"to\":\"taker\"},{\"from\":\"south\",\"to\":\"taker\"}]}";
	struct ml_errors errors = {0};
	struct rig *rig = rig_new(true);
	if (ml_engine_apply(rig->engine, graph, sizeof graph - 1, &errors) < 0)
		fail_msg("%s", errors.items[0].text);
	rig_pass(rig, ML_SEC);
	return rig;
}

static size_t rows_on(const struct search_watch *w, const char *bus)
{
	size_t count = 0;
	for (size_t i = 0; i < w->row_count; i++)
		count += strcmp(search_text(w->rows[i], "bus"), bus) == 0;
	return count;
}

static void several_buses_are_searched_side_by_side(void **state)
{
	(void)state;
	struct search_watch w;
	struct rig *rig = begin_two();
	search_call(rig, "", &w);
	search_wait(&w, ML_HOUR);
	assert_int_equal(w.code, 0);
	assert_int_equal(search_number(&w, "new"), 50);
	assert_int_equal(rows_on(&w, "north"), 30);
	assert_int_equal(rows_on(&w, "south"), 20);
	search_let_go(&w);
	search_call(rig, "'buses':['south'],'interfaces':'serial'", &w);
	search_wait(&w, ML_HOUR);
	assert_int_equal(search_number(&w, "known"), 20);
	assert_int_equal(rows_on(&w, "north"), 0);
	search_let_go(&w);
	rig_free(rig);
}

/* The number in the progress of this bus; -1: none is told. */
static int told_of(const struct search_watch *w, const char *bus)
{
	const char *at = strstr(w->text, bus);
	unsigned baud = 0, found = 0;
	return at && sscanf(at + strlen(bus), ": secondary, %u Bd: %u found", &baud, &found) == 2
		       ? (int)found
		       : -1;
}

static void progress_tells_of_each_bus(void **state)
{
	(void)state;
	struct search_watch w;
	struct rig *rig = begin_two();
	search_call(rig, "", &w);
	for (int i = 0; i < 60 && (told_of(&w, "north") < 1 || told_of(&w, "south") < 1); i++)
		rig_pass(rig, ML_SEC);
	assert_in_range(told_of(&w, "north"), 1, rows_on(&w, "north"));
	assert_in_range(told_of(&w, "south"), 1, rows_on(&w, "south"));
	while (!w.done && !strstr(w.text, "done"))
		rig_pass(rig, ML_SEC);
	/* The smaller one ends first. */
	assert_false(w.done);
	assert_non_null(strstr(w.text, "; south: done"));
	assert_true(told_of(&w, "north") > 0);
	search_wait(&w, ML_HOUR);
	search_let_go(&w);
	rig_free(rig);
}

/* Where there is no room for all texts none is told as that of all. */
static void progress_of_many_buses_counts_them(void **state)
{
	(void)state;
	enum { BUSES = 8 };
	char graph[BUSES * 300] = "{\"meterloom\":1,\"nodes\":[{\"id\":\"go\",\"type\":\"prod\"}";
	size_t length = strlen(graph);
	struct search_watch w;
	struct ml_errors errors = {0};
	struct rig *rig = rig_new(true);
	for (unsigned i = 1; i <= BUSES; i++)
		length += (size_t)snprintf(graph + length, sizeof graph - length,
			",{\"id\":\"b%u\",\"type\":\"mbus-source\",\"params\":{\"bus\":"
			"\"staircase %u\",\"interface\":\"sim:meters=%u&seed=%u\"}}",
			i, i, i, i);
	length += (size_t)snprintf(graph + length, sizeof graph - length, "],\"edges\":[]}");
	if (ml_engine_apply(rig->engine, graph, length, &errors) < 0)
		fail_msg("%s", errors.items[0].text);
	rig_pass(rig, ML_SEC);
	search_call(rig, "", &w);
	unsigned done = 0, counted = 0;
	while (!w.done) {
		unsigned now = 0, all = 0;
		rig_pass(rig, ML_SEC);
		if (sscanf(w.text, "%u of %u buses done", &now, &all) != 2)
			continue;
		assert_int_equal(all, BUSES);
		assert_in_range(now, done, BUSES - 1);
		counted += now > done;
		done = now;
	}
	assert_true(counted > 0);
	assert_int_equal(search_number(&w, "new"), BUSES * (BUSES + 1) / 2);
	search_let_go(&w);
	rig_free(rig);
}

/* As many as are wanted are counted over all buses. */
static void wanted_ones_are_counted_together(void **state)
{
	(void)state;
	struct search_watch w;
	struct rig *rig = begin_two();
	search_call(rig, "'wanted':12", &w);
	search_wait(&w, ML_HOUR);
	assert_int_equal(w.code, 0);
	assert_in_range(search_number(&w, "found"), 12, 13);
	assert_true(rows_on(&w, "north") > 0 && rows_on(&w, "south") > 0);
	search_let_go(&w);
	rig_free(rig);
}

/* Cancelled on two buses, of which one was done already: only the other goes on. */
static void only_what_was_broken_off_is_resumed(void **state)
{
	(void)state;
	struct search_watch w;
	struct rig *rig = begin_two();
	search_call(rig, "'buses':['south']", &w);
	search_wait(&w, ML_HOUR);
	search_let_go(&w);
	search_call(rig, "'buses':['north']", &w);
	rig_pass(rig, 20 * ML_SEC);
	assert_int_equal(ml_command_cancel(rig->engine, w.job, NULL), 0);
	search_wait(&w, ML_MINUTE);
	assert_int_equal(w.code, -ECANCELED);
	search_let_go(&w);
	search_call(rig, "'resume':true", &w);
	search_wait(&w, ML_HOUR);
	assert_int_equal(w.code, 0);
	assert_int_equal(search_number(&w, "found"), 30);
	assert_int_equal(rows_on(&w, "south"), 0);
	search_let_go(&w);
	/* Then there is nothing to go on with. */
	search_call(rig, "'resume':true", &w);
	search_wait(&w, ML_MINUTE);
	assert_int_equal(w.code, -ENOENT);
	search_let_go(&w);
	rig_free(rig);
}

/* ---- Over a restart ---- */

static struct ml_engine *engine_on(const char *folder, struct ml_clock *clock, struct ml_log *log)
{
	static const struct ml_family *const families[] = {&meter_family, &mbus_family, NULL};
	const struct ml_engine_options options = {
		.families = families, .clock = clock, .log = log, .data = folder};
	struct ml_engine *engine = NULL;
	struct ml_error err = ML_ERROR_NONE;
	if (ml_engine_new(&options, &engine, &err) < 0)
		fail_msg("%s", err.text);
	return engine;
}

static void what_is_kept_outlives_a_restart(void **state)
{
	(void)state;
	char folder[] = "/tmp/meterloom-search-XXXXXX", command[80];
	assert_non_null(mkdtemp(folder));
	struct ml_clock *clock = ml_clock_new_simulated(0);
	struct ml_log *log = ml_log_new(clock, 0);
	struct ml_engine *engine = engine_on(folder, clock, log);
	mbus_searches_keep(mbus_searches(engine), "", "{\"a\":1}", 7);
	mbus_searches_keep(mbus_searches(engine), "north", "{\"b\":2}", 7);
	ml_engine_simulate(engine, ml_clock_monotonic(clock) + ML_SEC);
	mbus_searches_keep(mbus_searches(engine), "", "{\"a\":3}", 7);
	mbus_searches_keep(mbus_searches(engine), "north", NULL, 0);
	ml_engine_free(engine);
	engine = engine_on(folder, clock, log);
	char *kept = mbus_searches_kept(mbus_searches(engine), "");
	assert_non_null(kept);
	assert_string_equal(kept, "{\"a\":3}");
	free(kept);
	assert_null(mbus_searches_kept(mbus_searches(engine), "north"));
	ml_engine_free(engine);
	ml_log_free(log);
	ml_clock_free(clock);
	(void)snprintf(command, sizeof command, "rm -r %s", folder);
	assert_int_equal(system(command), 0);
}

/* ---- Lines with habits ---- */

enum { LATE_BITS = 300 };

/* As late as the standard lets a meter be. */
static void answers_late(void *user, size_t meter, uint8_t *bytes, size_t *length, ml_time *later)
{
	(void)user;
	(void)bytes;
	(void)length;
	if (meter % 2 == 0)
		*later = 50 * ML_MSEC + mbus_line_time(2400, LATE_BITS / 11) - 30 * ML_MSEC;
}

/* Every answer has a byte more, as some converters hand it on. */
static void adds_a_byte(void *user, size_t meter, uint8_t *bytes, size_t *length, ml_time *later)
{
	(void)user;
	(void)meter;
	(void)later;
	bytes[(*length)++] = 0xFF;
}

/* Where one speaks, nobody else can be heard: each E5h of the others is cut off. */
static void all_are_found(const struct sim_options *options, const struct sim_line_watch *watch)
{
	struct search_watch w;
	struct rig *rig = rig_new(true);
	rig_line(rig, options);
	if (watch)
		sim_line_watch(rig->line, watch);
	rig_graph(rig, "'interface':'rig:line'");
	rig_pass(rig, ML_SEC);
	search_call(rig, "", &w);
	search_wait(&w, 3 * ML_HOUR);
	assert_int_equal(w.code, 0);
	for (size_t i = 0; i < options->meters; i++)
		assert_int_equal(search_rows(&w, sim_line_meter(rig->line, i)->identity, "new"), 1);
	assert_int_equal(search_number(&w, "unclear"), 0);
	search_let_go(&w);
	rig_free(rig);
}

static void late_ones_are_waited_for(void **state)
{
	(void)state;
	const struct sim_options options = {.meters = 50, .seed = 4, .baud = 2400};
	all_are_found(&options, &(struct sim_line_watch){NULL, answers_late, NULL});
}

static void converter_that_adds_a_byte_does_no_harm(void **state)
{
	(void)state;
	const struct sim_options options = {.meters = 50, .seed = 5, .baud = 2400};
	all_are_found(&options, &(struct sim_line_watch){NULL, adds_a_byte, NULL});
}

static void converter_that_echoes_does_no_harm(void **state)
{
	(void)state;
	const struct sim_options options = {.meters = 50, .seed = 6, .baud = 2400, .echo = true};
	all_are_found(&options, NULL);
}

static void rests_within_answers_do_no_harm(void **state)
{
	(void)state;
	const struct sim_options options = {.meters = 50, .seed = 7, .baud = 2400, .gap = 11};
	all_are_found(&options, NULL);
}

/* Somebody who never stops: the search says so instead of walking a tree without end. */
static void babble_ends_it(void **state)
{
	(void)state;
	static const uint8_t noise[] = {0x11, 0x92, 0x33, 0xE5, 0x05, 0x76, 0x07, 0x18};
	struct search_watch w;
	const struct sim_options options = {.meters = 5, .seed = 9, .baud = 2400};
	struct rig *rig = rig_new(true);
	rig_line(rig, &options);
	rig_graph(rig, "'interface':'rig:line'");
	rig_pass(rig, ML_SEC);
	search_call(rig, "", &w);
	for (unsigned i = 0; !w.done && i < 40000; i++) {
		rig_disturb(rig, noise, sizeof noise, 0);
		rig_pass(rig, 50 * ML_MSEC);
	}
	assert_true(w.done);
	assert_int_equal(w.code, -EIO);
	search_let_go(&w);
	rig_free(rig);
}

/* One that had enough goes on from there when more are wanted. */
static void enough_is_gone_on_from(void **state)
{
	(void)state;
	struct search_watch w;
	struct rig *rig = begin_two();
	search_call(rig, "'buses':['north'],'wanted':9", &w);
	search_wait(&w, ML_HOUR);
	assert_int_equal(search_number(&w, "found"), 9);
	const unsigned probes = search_number(&w, "probes");
	search_let_go(&w);
	search_call(rig, "'resume':true", &w);
	search_wait(&w, ML_HOUR);
	assert_int_equal(w.code, 0);
	assert_int_equal(search_number(&w, "found"), 30);
	assert_int_equal(search_number(&w, "known"), 9);
	assert_int_equal(w.row_count, 30);
	assert_true(search_number(&w, "probes") > probes);
	search_let_go(&w);
	rig_free(rig);
}

static void neighbours_of_one_series_are_found(void **state)
{
	(void)state;
	struct search_watch w;
	const struct sim_options options = {.meters = 60, .seed = 8, .baud = 2400};
	struct rig *rig = rig_new(true);
	rig_line(rig, &options);
	for (unsigned i = 0; i < options.meters; i++) {
		struct sim_meter *meter = sim_line_change_meter(rig->line, i);
		meter->identity.id = 0x71004000 + ((i / 10) << 4) + i % 10;
		meter_identity_write(meter->identity, meter->secondary);
	}
	rig_graph(rig, "'interface':'rig:line'");
	rig_pass(rig, ML_SEC);
	search_call(rig, "", &w);
	search_wait(&w, ML_HOUR);
	assert_int_equal(w.code, 0);
	assert_int_equal(search_number(&w, "new"), 60);
	assert_true(search_number(&w, "probes") < 250);
	search_let_go(&w);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_buses_are_searched_side_by_side),
		cmocka_unit_test(progress_tells_of_each_bus),
		cmocka_unit_test(progress_of_many_buses_counts_them),
		cmocka_unit_test(wanted_ones_are_counted_together),
		cmocka_unit_test(only_what_was_broken_off_is_resumed),
		cmocka_unit_test(what_is_kept_outlives_a_restart),
		cmocka_unit_test(late_ones_are_waited_for),
		cmocka_unit_test(converter_that_adds_a_byte_does_no_harm),
		cmocka_unit_test(converter_that_echoes_does_no_harm),
		cmocka_unit_test(rests_within_answers_do_no_harm),
		cmocka_unit_test(enough_is_gone_on_from),
		cmocka_unit_test(babble_ends_it),
		cmocka_unit_test(neighbours_of_one_series_are_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
