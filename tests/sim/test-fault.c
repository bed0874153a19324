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
	expect_error("{\"faults\": [{\"fault\": \"line-broken\", \"per_day\": 2}]}", 1, "/faults/0",
		"\"lasts\"");
	expect_error("{\"faults\": [{\"fault\": \"line-broken\", \"lasts\": \"90x\"}]}", 1,
		"/faults/0/lasts", "90s");
	expect_error("{\"faults\": [{\"fault\": \"line-broken\", \"lasts\": [1]}]}", 1,
		"/faults/0/lasts", "a list");
	expect_error("{\"faults\": [\n\"line-broken\"]}", 2, "/faults/0", "an object");
	expect_error("{\"faults\": [{\"fault\": \"line-broken\", \"by\": 1}]}", 1, "/faults/0",
		"means nothing");
	expect_error("{\"faults\": [{\"fault\": \"head-end-busy\", \"lasts\": 1}]}", 1, "/faults/0",
		"\"by\"");
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

static void expect_wrong(const char *text, long long at, const char *part)
{
	struct sim_rule rule;
	struct ml_error err = ML_ERROR_NONE;
	if (sim_rule_parse(text, strlen(text), &rule, &err) == 0)
		fail_msg("'%s' is taken", text);
	if (err.at != at || !strstr(err.text, part))
		fail_msg("'%s': %lld: %s", text, err.at, err.text);
}

static void a_rule_can_be_typed(void **state)
{
	(void)state;
	static const char *const same[] = {"meter-slow which=3 every=10min lasts=90s by=200ms",
		"every=600s,which=3,lasts=1.5,fault=meter-slow,by=0.2",
		" meter-slow ,per_day=144  by=0.2s lasts=1.5min which=3"};
	struct sim_rule rule;
	for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
		assert_int_equal(sim_rule_parse(same[i], strlen(same[i]), &rule, NULL), 0);
		assert_int_equal(rule.fault, SIM_METER_SLOW);
		assert_true(rule.every == 10 * ML_MINUTE && rule.lasts == 90 * ML_SEC);
		assert_true(rule.by == 200 * ML_MSEC);
		assert_int_equal(rule.which, 3);
		assert_int_equal(rule.share, 100);
	}
	/* Without more it is there from the beginning to the end. */
	assert_int_equal(sim_rule_parse("meter-silent", 12, &rule, NULL), 0);
	assert_true(rule.every == 0 && rule.at == 0 && rule.lasts == ML_NEVER);
	expect_wrong("", 0, "expected \"fault\"");
	expect_wrong("meter-slient", 0, "meter-silent");
	expect_wrong("meter-silent whch=3", 13, "which");
	expect_wrong("meter-silent which=3 which=4", 21, "twice");
	expect_wrong("meter-silent which=x", 13, "which=x");
	expect_wrong("meter-silent at=1 every=2", 0, "either");
	expect_wrong("meter-reset", 0, "when it happens");
}

static void rules_are_split_by_bus(void **state)
{
	(void)state;
	static const char text[] =
		"{\"faults\": [{\"fault\": \"meter-silent\", \"which\": 12},"
		"{\"fault\": \"meter-slow\"}, {\"fault\": \"line-cut\", \"which\": 2},"
		"{\"fault\": \"restart\", \"at\": 1}]}";
	struct sim_faults faults;
	struct sim_faults own = {0};
	struct ml_errors errors = {0};
	assert_int_equal(sim_faults_parse(text, strlen(text), &faults, &errors), 0);
	/* Ten meters on the first bus, five on the second. */
	assert_int_equal(sim_faults_of_bus(&faults, 1, 0, 10, &own, NULL), 0);
	assert_int_equal(own.count, 1);
	assert_int_equal(own.rules[0].fault, SIM_METER_SLOW);
	own.count = 0;
	assert_int_equal(sim_faults_of_bus(&faults, 2, 10, 5, &own, NULL), 0);
	assert_int_equal(own.count, 3);
	assert_int_equal(own.rules[0].which, 2);
	assert_int_equal(own.rules[1].which, 0);
	assert_int_equal(own.rules[2].which, 1);
}

static void every_fault_is_named_and_explained(void **state)
{
	(void)state;
	for (int i = 0; i < SIM_FAULTS; i++) {
		const struct sim_fault_info *info = sim_fault_info((enum sim_fault)i);
		char text[64];
		struct sim_rule rule;
		assert_non_null(info->name);
		assert_true(strlen(info->help) > 5);
		(void)snprintf(text, sizeof text, "%s at=1h by=1s", info->name);
		if (sim_rule_parse(text, strlen(text) - (info->by ? 0 : 6), &rule, NULL) < 0)
			fail_msg("%s", text);
		assert_int_equal(rule.fault, i);
	}
}

/* The page of the simulation lists all of them, each as it is explained here. */
static void documentation_lists_every_fault(void **state)
{
	(void)state;
	static char page[65536];
	FILE *file = fopen(PAGE, "re");
	assert_non_null(file);
	page[fread(page, 1, sizeof page - 1, file)] = '\0';
	(void)fclose(file);
	for (int i = 0; i < SIM_FAULTS; i++) {
		const struct sim_fault_info *info = sim_fault_info((enum sim_fault)i);
		char row[512];
		(void)snprintf(row, sizeof row, "\n| `%s` | %s |\n", info->name, info->help);
		if (!strstr(page, row))
			fail_msg("%s lacks the row%s", PAGE, row);
	}
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
		cmocka_unit_test(a_rule_can_be_typed),
		cmocka_unit_test(rules_are_split_by_bus),
		cmocka_unit_test(every_fault_is_named_and_explained),
		cmocka_unit_test(documentation_lists_every_fault),
		cmocka_unit_test(faults_come_as_often_and_as_long_as_they_are_to),
		cmocka_unit_test(what_happens_once_happens_then),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
