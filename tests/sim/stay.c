/* A stay of a gateway in a simulated world, for tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/stay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

extern const struct ml_family *const ml_families[];

struct stay *stay_new(const char *graph, uint64_t seed)
{
	struct stay *stay = calloc(1, sizeof *stay);
	assert_non_null(stay);
	(void)snprintf(stay->folder, sizeof stay->folder, "/tmp/meterloom-test-XXXXXX");
	assert_non_null(mkdtemp(stay->folder));
	(void)snprintf(stay->data, sizeof stay->data, "%s/data", stay->folder);
	stay->graph = strdup(graph);
	for (char *c = stay->graph; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	stay->options = (struct sim_simulation_options){
		.families = ml_families,
		.graph = stay->graph,
		.graph_length = strlen(stay->graph),
		.data = stay->data,
		.begin = INT64_C(1769904000) * ML_SEC,
		.length = ML_DAY,
		.seed = seed,
		.meters = 5,
	};
	return stay;
}

void stay_begin(struct stay *stay)
{
	struct ml_errors errors = {0};
	if (sim_simulation_new(&stay->options, &stay->simulation, &errors) < 0)
		fail_msg("%s: %s", errors.items[0].pointer, errors.items[0].text);
}

void stay_run(struct stay *stay)
{
	struct ml_error err = ML_ERROR_NONE;
	if (!stay->simulation)
		stay_begin(stay);
	if (sim_simulation_run(stay->simulation, stay->options.length, &err) < 0 ||
		sim_simulation_finish(stay->simulation, &stay->result, &err) < 0)
		fail_msg("%s", err.text);
}

void stay_free(struct stay *stay)
{
	char command[128];
	sim_simulation_free(stay->simulation);
	(void)snprintf(command, sizeof command, "rm -rf %s", stay->folder);
	assert_int_equal(system(command), 0);
	free(stay->graph);
	free(stay);
}

void expect_nothing_lost(const struct stay *stay)
{
	const struct sim_result *r = &stay->result;
	assert_true(r->store_checked);
	assert_int_equal(r->head_ends, 1);
	assert_true(r->head_end[0].checked);
	assert_true(r->account.stored > 0 && r->head_end[0].delivery.rows > 0);
	if (r->lost)
		fail_msg("stored %llu: %llu lost, %llu invented; reported %llu: %llu lost, %llu "
			 "invented, %llu out of order, %llu changed\n%s",
			(unsigned long long)r->account.stored, (unsigned long long)r->account.lost,
			(unsigned long long)r->account.invented,
			(unsigned long long)r->head_end[0].delivery.rows,
			(unsigned long long)r->head_end[0].delivery.lost,
			(unsigned long long)r->head_end[0].delivery.invented,
			(unsigned long long)r->head_end[0].delivery.out_of_order,
			(unsigned long long)r->head_end[0].delivery.changed, r->examples);
}

void stay_add(struct stay *stay, struct sim_rule rule)
{
	assert_true(stay->options.faults.count < SIM_RULES_MAX);
	stay->options.faults.rules[stay->options.faults.count++] = rule;
}
