/* Faults: read from a file with located errors, and at the same times for the same seed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/fault.h"

static void expect_error(const char *text, int line, const char *pointer, const char *part)
{
	struct sim_faults faults;
	struct ml_errors errors = {0};
	assert_true(sim_faults_parse(text, strlen(text), &faults, &errors) < 0);
	assert_true(errors.count > 0);
	const struct ml_error *err = &errors.items[0];
	if (err->line != line || strcmp(err->pointer, pointer) != 0 || !strstr(err->text, part))
		fail_msg("%d: %s: %s", err->line, err->pointer, err->text);
	ml_errors_free(&errors);
}

static void wrong_files_are_told_with_their_place(void **state)
{
	(void)state;
	expect_error("{\"faults\": [", 1, "", "");
	expect_error("[]", 1, "", "expected {\"faults\"");
	expect_error("{\"faults\": [],\n\"more\": 1}", 1, "", "and nothing else");
	expect_error("{\"faults\": [\n{\"fault\": \"meter-slient\", \"per_day\": 1}]}", 2,
		"/faults/0/fault", "meter-silent");
	expect_error(
		"{\"faults\": [\n{\"fault\": \"restart\"}]}", 2, "/faults/0", "either \"per_day\"");
	expect_error("{\"faults\": [\n\n{\"fault\": \"restart\", \"per_day\": 1, \"at\": 2}]}", 3,
		"/faults/0", "either \"per_day\"");
	expect_error("{\"faults\": [{\"fault\": \"line-broken\", \"at\": 2}]}", 1, "/faults/0",
		"\"lasts\"");
	expect_error(
		"{\"faults\": [{\"fault\": \"clock-jump\", \"at\": 2}]}", 1, "/faults/0", "\"by\"");
	expect_error("{\"faults\": [{\"fault\": \"meter-slow\", \"at\": 2, \"lasts\": 1, \"by\": "
		     "-1}]}",
		1, "/faults/0", "only a clock");
	expect_error("{\"faults\": [{\"fault\": \"restart\", \"per_day\": 0}]}", 1,
		"/faults/0/per_day", "0.0001 or more");
	expect_error("{\"faults\": [{\"fault\": \"restart\", \"per_day\": 1e-100}]}", 1,
		"/faults/0/per_day", "0.0001 or more");
	expect_error("{\"faults\": [{\"fault\": \"restart\", \"at\": 1, \"share\": 101}]}", 1,
		"/faults/0/share", "100");
	expect_error("{\"faults\": [{\"fault\": \"restart\", \"at\": 1, \"how\": 1}]}", 1,
		"/faults/0/how", "");
}

static void a_file_says_what_and_when(void **state)
{
	(void)state;
	static const char text[] =
		"{\"faults\": ["
		"{\"fault\": \"meter-corrupt\", \"per_day\": 0.5, \"lasts\": 20, \"share\": 30},"
		"{\"fault\": \"clock-jump\", \"at\": 12, \"lasts\": 10, \"by\": -3600}]}";
	struct sim_faults faults;
	struct ml_errors errors = {0};
	assert_int_equal(sim_faults_parse(text, strlen(text), &faults, &errors), 0);
	assert_int_equal(faults.count, 2);
	assert_int_equal(faults.rules[0].fault, SIM_METER_CORRUPT);
	assert_true(faults.rules[0].every == 2 * ML_DAY);
	assert_true(faults.rules[0].lasts == 20 * ML_MINUTE);
	assert_int_equal(faults.rules[0].share, 30);
	assert_true(faults.rules[1].every == 0);
	assert_true(faults.rules[1].at == 12 * ML_HOUR);
	assert_true(faults.rules[1].by == -ML_HOUR);
}

/* The begins and ends within a year, by looking each minute. */
static unsigned live(uint64_t seed, const struct sim_rule *rule, ml_time *held, uint64_t *sum)
{
	struct sim_episode episode;
	bool before = false;
	unsigned begins = 0;
	sim_episode_init(&episode, seed, 0, 0);
	*held = 0;
	*sum = 0;
	for (ml_time now = 0; now < 365 * ML_DAY; now += ML_MINUTE) {
		const bool holds = sim_episode_holds(&episode, rule, now);
		const ml_time change = sim_episode_change(&episode, now);
		assert_true(change > now);
		begins += holds && !before;
		*held += holds ? ML_MINUTE : 0;
		*sum = *sum * 31 + holds;
		before = holds;
	}
	return begins;
}

static void faults_come_as_often_and_as_long_as_they_are_to(void **state)
{
	(void)state;
	const struct sim_rule rule = {.every = 2 * ML_DAY, .lasts = 60 * ML_MINUTE};
	ml_time held, again;
	uint64_t one, two;
	const unsigned begins = live(7, &rule, &held, &one);
	assert_in_range(begins, 140, 220); /* 365 days / (2 days and an hour) */
	assert_in_range(held / ML_HOUR, begins * 8 / 10, begins * 12 / 10);
	assert_int_equal(live(7, &rule, &again, &two), begins);
	assert_true(one == two);
	(void)live(8, &rule, &again, &two);
	assert_true(one != two);
}

static void what_happens_once_happens_then(void **state)
{
	(void)state;
	const struct sim_rule rule = {.at = ML_DAY, .lasts = ML_HOUR};
	struct sim_episode episode;
	sim_episode_init(&episode, 1, 0, 0);
	assert_false(sim_episode_holds(&episode, &rule, ML_DAY - 1));
	assert_true(sim_episode_change(&episode, ML_DAY - 1) == ML_DAY);
	assert_true(sim_episode_holds(&episode, &rule, ML_DAY));
	assert_true(sim_episode_change(&episode, ML_DAY) == ML_DAY + ML_HOUR);
	assert_false(sim_episode_holds(&episode, &rule, ML_DAY + ML_HOUR));
	assert_true(sim_episode_change(&episode, ML_DAY + ML_HOUR) == ML_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_files_are_told_with_their_place),
		cmocka_unit_test(a_file_says_what_and_when),
		cmocka_unit_test(faults_come_as_often_and_as_long_as_they_are_to),
		cmocka_unit_test(what_happens_once_happens_then),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
