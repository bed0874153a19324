/* The demonstration for a month (without METERLOOM_SOAK three days and fewer meters): meters, line
 * and head-end fail at random, the gateway is started anew now and then, and its clock jumps.
 * Nothing is lost, and the same seed is the same bytes. SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "count.h"
#include "sim/stay.h"

static char *read_demo(void)
{
	FILE *file = fopen(DEMO_GRAPH, "re");
	char *text = calloc(1, 65536);
	assert_non_null(file);
	assert_non_null(text);
	assert_true(fread(text, 1, 65535, file) > 0);
	(void)fclose(file);
	return text;
}

static struct stay *live(const char *graph, uint64_t seed, ml_time begin)
{
	struct stay *stay = stay_new(graph, seed);
	const unsigned days = test_count(30);
	stay->options.length = (ml_time)days * ML_DAY;
	stay->options.meters = days == 30 ? 20 : 2;
	stay->options.begin = begin;
	stay->options.zone = "Europe/Paris";
	sim_faults_default(&stay->options.faults);
	stay_add(stay, (struct sim_rule){.fault = SIM_HEAD_END_REFUSING,
			       .every = 2 * ML_DAY,
			       .lasts = 20 * ML_MINUTE});
	stay_add(stay, (struct sim_rule){.fault = SIM_CLOCK_JUMP,
			       .at = 29 * ML_HOUR,
			       .lasts = 90 * ML_MINUTE,
			       .by = 365 * ML_DAY});
	stay_add(stay, (struct sim_rule){.fault = SIM_CLOCK_JUMP,
			       .at = 40 * ML_HOUR,
			       .lasts = 10 * ML_MINUTE,
			       .by = -5 * ML_MINUTE});
	/* It starts while its clock is in 1970, and that while it is a year ahead. */
	stay_add(stay,
		(struct sim_rule){.fault = SIM_CLOCK_JUMP, .lasts = 20 * ML_MINUTE, .by = -begin});
	stay_add(stay, (struct sim_rule){.fault = SIM_RESTART, .at = 30 * ML_HOUR});
	stay_run(stay);
	expect_nothing_lost(stay);
	return stay;
}

static void demo_lives_through_it_and_the_same_seed_is_the_same_bytes(void **state)
{
	(void)state;
	char *graph = read_demo();
	/* 2026-03-28 and, with full counts, 2026-10-24: each with a night of daylight saving. */
	struct stay *first = live(graph, 1, INT64_C(1774656000) * ML_SEC);
	struct stay *second = live(graph, 1, INT64_C(1774656000) * ML_SEC);
	const struct sim_result *r = &first->result;
	assert_string_equal(r->documents, second->result.documents);
	assert_string_equal(r->readings, second->result.readings);
	assert_true(r->failed > 0 && r->restarts > 0);
	assert_true(r->head_end[0].failed > 0);
	stay_free(first);
	stay_free(second);
	if (test_count(30) == 30)
		stay_free(live(graph, 2, INT64_C(1792800000) * ML_SEC));
	free(graph);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(demo_lives_through_it_and_the_same_seed_is_the_same_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
