/* The node `store-query`: what a destination has not had, once delivered never again, in order,
 * whole. SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/fault.h"
#include "store/kit.h"

static int setup(void **state)
{
	struct kit *kit = kit_new(NULL);
	kit_apply(kit, kit_graph);
	*state = kit;
	return 0;
}

static int teardown(void **state)
{
	fault_set(FAULT_NONE);
	kit_free(*state);
	return 0;
}

/* kit_graph with other parameters of the query, and the store's rounds wired to it. */
static void apply_query(struct kit *kit, const char *params)
{
	char graph[2048];
	(void)snprintf(graph, sizeof graph,
		"{'meterloom': 1, 'nodes': [{'id': 'source', 'type': 't-source'}, {'id': 'store', "
		"'type': 'store'}, {'id': 'clock', 'type': 't-clock'}, {'id': 'query', 'type': "
		"'store-query', 'params': %s}, {'id': 'end', 'type': 't-end'}], 'edges': [{'from': "
		"'source', 'to': 'store', 'capacity': 16384}, {'from': 'store.round-stored', 'to': "
		"'query.after'}, {'from': 'clock', 'to': 'query.in'}, {'from': 'query', 'to': "
		"'end'}]}",
		params);
	kit_apply(kit, graph);
}

static void expect_batch(struct kit *kit, size_t index, uint64_t first, uint64_t last, size_t seen)
{
	if (kit->batch_count <= index)
		fail_msg(
			"there are %zu batches, wanted is number %zu", kit->batch_count, index + 1);
	assert_int_equal(kit->batches[index].first, first);
	assert_int_equal(kit->batches[index].last, last);
	assert_int_equal(kit->batches[index].seen, seen);
}

static void each_reading_is_sent_once_and_in_order(void **state)
{
	struct kit *kit = *state;
	kit_trigger(kit);
	assert_int_equal(kit->batch_count, 0); /* nothing new: no report */
	for (uint64_t i = 1; i <= 3; i++) {
		kit_give(kit, 1, 0, i, 1);
		kit_run(kit, ML_MINUTE);
	}
	kit_trigger(kit);
	assert_int_equal(kit->batch_count, 1);
	expect_batch(kit, 0, 1, 3, 3);
	assert_int_equal(kit->batches[0].count, 3);
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(kit->batches[0].traces[i], i + 1);
	kit_trigger(kit);
	assert_int_equal(kit->batch_count, 1);
	kit_give(kit, 1, 0, 4, 1);
	kit_trigger(kit);
	expect_batch(kit, 1, 4, 4, 1);
}

static void meters_are_merged_by_time_or_one_after_the_other(void **state)
{
	struct kit *kit = *state;
	uint64_t trace = 1;
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned id = 3; id >= 1; id--) {
			kit_give(kit, id, 0, trace++, 1);
			kit_run(kit, ML_SEC);
		}
	}
	kit_trigger(kit);
	expect_batch(kit, 0, 1, 9, 9);
	static const uint64_t by_meter[] = {1, 4, 7, 2, 5, 8, 3, 6, 9};
	for (size_t i = 0; i < 9; i++) {
		assert_int_equal(kit->batches[0].traces[i], i + 1);
		assert_int_equal(kit->batches[0].by_meter[i], by_meter[i]);
	}
}

static void meters_stand_in_the_order_of_the_list(void **state)
{
	struct kit *kit = *state;
	kit_call(kit, "meter.add", "{'mode': 'primary', 'primary': 1}");
	kit_call(kit, "meter.add", "{'mode': 'primary', 'primary': 2}");
	kit_give(kit, 1, 1, 11, 1);
	kit_give(kit, 2, 2, 12, 1);
	kit_give(kit, 3, 0, 13, 1); /* not of the list */
	kit_call(kit, "meter.change", "{'meter': '#2', 'order': 1}");
	kit_trigger(kit);
	assert_int_equal(kit->batches[0].by_meter[0], 12);
	assert_int_equal(kit->batches[0].by_meter[1], 11);
	assert_int_equal(kit->batches[0].by_meter[2], 13);
}

static void a_failed_batch_comes_again_the_same(void **state)
{
	struct kit *kit = *state;
	kit->mode = KIT_FAIL;
	kit_give_many(kit, 1, 1, 5);
	kit_trigger(kit);
	expect_batch(kit, 0, 1, 5, 5);
	kit_run(kit, ML_HOUR);
	assert_int_equal(kit->batch_count, 1); /* only triggers send it again */
	kit_give_many(kit, 1, 6, 3);
	kit_trigger(kit);
	expect_batch(kit, 1, 1, 5, 5);
	assert_int_equal(kit->batches[1].due, kit->batches[0].due);
	kit->mode = KIT_DELIVER;
	kit_trigger(kit);
	expect_batch(kit, 2, 1, 5, 5);
	kit_trigger(kit);
	expect_batch(kit, 3, 6, 8, 3);
}

static void one_is_outstanding_at_a_time(void **state)
{
	struct kit *kit = *state;
	kit->mode = KIT_HOLD;
	kit_give_many(kit, 1, 1, 5);
	kit_trigger(kit);
	kit_give_many(kit, 1, 6, 3);
	kit_trigger(kit);
	kit_trigger(kit);
	assert_int_equal(kit->batch_count, 1);
	/* Then the trigger that came meanwhile is served. */
	kit->mode = KIT_DELIVER;
	kit_let_go(kit);
	kit_run(kit, ML_SEC);
	expect_batch(kit, 1, 6, 8, 3);
	assert_int_equal(kit->batch_count, 2);
}

static void more_than_the_limit_follows_at_once(void **state)
{
	struct kit *kit = *state; /* limit 10 */
	for (unsigned i = 0; i < 25; i++) {
		kit_give_many(kit, 1, 100 + i, 1);
		if (i < 5)
			kit_give_many(kit, 2, 200 + i, 1);
	}
	kit_trigger(kit);
	assert_int_equal(kit->batch_count, 3);
	expect_batch(kit, 0, 1, 15, 15);
	assert_true(kit->batches[0].more);
	expect_batch(kit, 1, 16, 25, 10);
	assert_true(kit->batches[1].more);
	expect_batch(kit, 2, 26, 30, 5);
	assert_false(kit->batches[2].more);
}

static void failed_readouts_are_in_no_report(void **state)
{
	struct kit *kit = *state;
	kit_give_failed(kit, 1, 1);
	kit_trigger(kit);
	assert_int_equal(kit->batch_count, 0);
	assert_int_equal(kit_sql(kit, "readings", "SELECT sequence FROM cursor"), 1);
	kit_give(kit, 1, 0, 2, 1);
	kit_give_failed(kit, 1, 3);
	kit_trigger(kit);
	expect_batch(kit, 0, 2, 3, 1);
	assert_int_equal(kit->batches[0].count, 1);
}

static struct kit *restart(void **state)
{
	struct kit *kit = *state;
	char data[64];
	const enum kit_mode mode = kit->mode;
	memcpy(data, kit->data, sizeof data);
	kit->keep_data = true;
	kit_free(kit);
	kit = kit_new(data);
	kit->mode = mode;
	*state = kit;
	kit_apply(kit, kit_graph);
	return kit;
}

static void what_is_outstanding_survives_a_restart(void **state)
{
	struct kit *kit = *state;
	kit->mode = KIT_FAIL;
	kit_give_many(kit, 1, 1, 5);
	kit_trigger(kit);
	const uint64_t due = kit->batches[0].due;
	kit = restart(state);
	kit_give_many(kit, 1, 6, 2);
	kit->mode = KIT_DELIVER;
	kit_run(kit, ML_HOUR);
	assert_int_equal(kit->batch_count, 0);
	kit_trigger(kit);
	expect_batch(kit, 0, 1, 5, 5);
	assert_int_equal(kit->batches[0].due, due);
	/* What came meanwhile follows at once. */
	expect_batch(kit, 1, 6, 7, 2);
	kit = restart(state);
	kit_trigger(kit);
	assert_int_equal(kit->batch_count, 0);
}

static void two_destinations_do_not_touch_each_other(void **state)
{
	struct kit *kit = *state;
	kit_give_many(kit, 1, 1, 5);
	kit_trigger(kit);
	apply_query(kit, "{'destination': 'other'}");
	kit_trigger(kit);
	expect_batch(kit, 1, 1, 5, 5);
	kit_apply(kit, kit_graph);
	kit_trigger(kit);
	assert_int_equal(kit->batch_count, 2);
	kit_call(kit, "store.status", "{}");
	assert_non_null(strstr(kit->result, "\"destination\":\"head-end\",\"sequence\":5"));
	assert_non_null(strstr(kit->result, "\"destination\":\"other\",\"sequence\":5"));
}

static void delivered_but_not_written_down_is_not_sent_again(void **state)
{
	struct kit *kit = *state;
	kit->mode = KIT_HOLD;
	kit_give_many(kit, 1, 1, 5);
	kit_trigger(kit);
	fault_set(FAULT_FULL);
	kit_let_go(kit);
	kit->mode = KIT_DELIVER;
	kit_trigger(kit);
	assert_int_equal(kit->batch_count, 1);
	fault_set(FAULT_NONE);
	kit_run(kit, 5 * ML_SEC);
	assert_int_equal(kit->batch_count, 1);
	assert_int_equal(kit_sql(kit, "readings", "SELECT sequence FROM cursor"), 5);
	assert_int_equal(kit_sql(kit, "readings", "SELECT count(*) FROM outstanding"), 0);
}

static void nothing_is_sent_that_is_not_written_down(void **state)
{
	struct kit *kit = *state;
	kit_give_many(kit, 1, 1, 5);
	fault_set(FAULT_FULL);
	kit_trigger(kit);
	assert_int_equal(kit->batch_count, 0);
	fault_set(FAULT_NONE);
	kit_run(kit, 5 * ML_SEC); /* by itself: the trigger was not served yet */
	expect_batch(kit, 0, 1, 5, 5);
}

static void first_report_waits_for_the_first_round(void **state)
{
	struct kit *kit = *state;
	apply_query(kit, "{'wait_for': ['*'], 'max_wait': 600}");
	kit_give(kit, 1, 0, 1, 1);
	kit_trigger(kit);
	kit_run(kit, 10 * ML_SEC);
	assert_int_equal(kit->batch_count, 0);
	kit_round(kit, true);
	kit_give(kit, 1, 0, 2, 1);
	kit_run(kit, 10 * ML_SEC);
	assert_int_equal(kit->batch_count, 0);
	kit_round(kit, false);
	kit_run(kit, 2 * ML_SEC);
	assert_int_equal(kit->batch_count, 1);
	expect_batch(kit, 0, 1, 2, 2);
	/* Later ones wait only while a round runs. */
	kit_give(kit, 1, 0, 3, 1);
	kit_trigger(kit);
	kit_run(kit, 2 * ML_SEC);
	expect_batch(kit, 1, 3, 3, 1);
	kit_round(kit, true);
	kit_give(kit, 1, 0, 4, 1);
	kit_trigger(kit);
	kit_run(kit, ML_MINUTE);
	assert_int_equal(kit->batch_count, 2);
	kit_give(kit, 1, 0, 5, 1);
	kit_round(kit, false);
	kit_run(kit, 2 * ML_SEC);
	expect_batch(kit, 2, 4, 5, 2);
}

static void a_round_that_begins_with_the_trigger_is_waited_for(void **state)
{
	struct kit *kit = *state;
	apply_query(kit, "{'wait_for': ['*']}");
	kit_round(kit, true);
	kit_round(kit, false);
	kit_run(kit, ML_MINUTE);
	kit_trigger(kit);
	kit_round(kit, true); /* due at the same time, a moment later */
	kit_run(kit, ML_MINUTE);
	kit_give(kit, 1, 0, 1, 1);
	kit_round(kit, false);
	kit_run(kit, ML_MINUTE);
	expect_batch(kit, 0, 1, 1, 1);
}

static void the_wait_for_a_round_ends(void **state)
{
	struct kit *kit = *state;
	apply_query(kit, "{'wait_for': ['*'], 'max_wait': 60}");
	kit_give(kit, 1, 0, 1, 1);
	kit_trigger(kit);
	kit_run(kit, 59 * ML_SEC);
	assert_int_equal(kit->batch_count, 0);
	kit_run(kit, 2 * ML_SEC);
	expect_batch(kit, 0, 1, 1, 1);
}

static void a_preset_waits_for_the_readout_that_is_due_with_it(void **state)
{
	struct kit *kit = *state;
	apply_query(kit, "{}");
	/* Nothing is due together with it: it goes after a moment. */
	kit_give(kit, 1, 0, 1, 1);
	kit_trigger_as(kit, "preset");
	kit_run(kit, 2 * ML_SEC);
	expect_batch(kit, 0, 1, 1, 1);
	/* A readout of another time does not hold it up. */
	kit_give(kit, 1, 0, 2, 1);
	kit_round_of(kit, true, kit_wall(kit) - ML_MINUTE, "");
	kit_trigger_as(kit, "preset");
	kit_run(kit, 2 * ML_SEC);
	expect_batch(kit, 1, 2, 2, 1);
	kit_round(kit, false);
	/* One of the same time does, */
	const ml_time due = kit_wall(kit);
	kit_trigger_as(kit, "preset");
	kit_round_of(kit, true, due, "");
	kit_give(kit, 1, 0, 3, 1);
	kit_run(kit, ML_MINUTE);
	assert_int_equal(kit->batch_count, 2);
	kit_give(kit, 1, 0, 4, 1);
	kit_round(kit, false);
	kit_run(kit, 2 * ML_SEC);
	expect_batch(kit, 2, 3, 4, 2);
	/* but not for a cron pattern of one's own. */
	kit_give(kit, 1, 0, 5, 1);
	kit_round_of(kit, true, kit_wall(kit), "");
	kit_trigger(kit);
	expect_batch(kit, 3, 5, 5, 1);
	kit_round(kit, false);
}

static void only_rounds_that_are_named_are_waited_for(void **state)
{
	struct kit *kit = *state;
	apply_query(kit, "{'wait_for': ['north', 'source']}");
	kit_give(kit, 1, 0, 1, 1);
	kit_trigger(kit);
	/* By its node alone: the bus "north" was not read yet. */
	kit_round_of(kit, true, 0, "south");
	kit_round(kit, false);
	kit_run(kit, ML_MINUTE);
	assert_int_equal(kit->batch_count, 0);
	kit_round_of(kit, true, 0, "north");
	kit_round(kit, false);
	kit_run(kit, 2 * ML_SEC);
	assert_int_equal(kit->batch_count, 1);
	apply_query(kit, "{'wait_for': ['north']}");
	kit_round_of(kit, true, 0, "north");
	kit_round(kit, false);
	kit_give(kit, 1, 0, 2, 1);
	kit_round_of(kit, true, 0, "south");
	kit_trigger(kit);
	kit_run(kit, 2 * ML_SEC);
	assert_int_equal(kit->batch_count, 2);
	kit_round(kit, false);
}

static void parameters_of_version_1_are_understood(void **state)
{
	struct kit *kit = *state;
	apply_query(kit, "{'wait_for_round': true, 'max_wait': 60}");
	kit_give(kit, 1, 0, 1, 1);
	kit_trigger(kit);
	kit_run(kit, 30 * ML_SEC);
	assert_int_equal(kit->batch_count, 0);
	kit_run(kit, ML_MINUTE);
	assert_int_equal(kit->batch_count, 1);
	apply_query(kit, "{'wait_for_round': false}");
	kit_give(kit, 1, 0, 2, 1);
	kit_trigger(kit);
	assert_int_equal(kit->batch_count, 2);
}

static void fixed_period_is_sent_whatever_was_sent(void **state)
{
	struct kit *kit = *state;
	kit_give(kit, 1, 0, 1, 1);
	kit_run(kit, 2 * ML_HOUR);
	apply_query(kit, "{'period': 'fixed'}"); /* the trigger's hour */
	kit_give(kit, 1, 0, 2, 1);
	kit_run(kit, ML_MINUTE);
	kit_give(kit, 2, 0, 3, 1);
	kit_run(kit, ML_MINUTE);
	kit_trigger(kit);
	kit_trigger(kit);
	assert_int_equal(kit->batch_count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(kit->batches[i].seen, 2);
		assert_int_equal(kit->batches[i].traces[0], 2);
		assert_int_equal(kit->batches[i].traces[1], 3);
	}
	kit_run(kit, ML_HOUR);
	kit_trigger(kit);
	assert_int_equal(kit->batch_count, 2); /* nothing in this hour */
	apply_query(kit, "{'period': '1 d'}");
	kit_trigger(kit);
	assert_int_equal(kit->batches[2].seen, 3);
}

static void interval_thins_out_across_batches(void **state)
{
	struct kit *kit = *state;
	apply_query(kit, "{'interval': '1 h'}");
	/* To the beginning of an hour. */
	kit_run(kit, ML_HOUR - kit_wall(kit) % ML_HOUR);
	for (uint64_t i = 0; i < 10; i++) {
		kit_give(kit, 1, 0, 100 + i, 1);
		kit_run(kit, 15 * ML_MINUTE);
	}
	kit_trigger(kit); /* 0:00 to 2:15 */
	assert_int_equal(kit->batches[0].seen, 3);
	assert_int_equal(kit->batches[0].traces[0], 100);
	assert_int_equal(kit->batches[0].traces[1], 104);
	assert_int_equal(kit->batches[0].traces[2], 108);
	for (uint64_t i = 10; i < 14; i++) {
		kit_give(kit, 1, 0, 100 + i, 1);
		kit_run(kit, 15 * ML_MINUTE);
	}
	kit_trigger(kit); /* 2:30, 2:45 fall into an hour that was begun; 3:00 does not */
	assert_int_equal(kit->batches[1].seen, 1);
	assert_int_equal(kit->batches[1].traces[0], 112);
}

static void wrong_parameters_are_refused(void **state)
{
	struct kit *kit = *state;
	static const char *const wrong[] = {"{\"period\": \"sometimes\"}", "{\"interval\": \"5\"}",
		"{\"destination\": \"\"}", "{\"limit\": 0}"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		char graph[512];
		struct ml_errors errors = {0};
		(void)snprintf(graph, sizeof graph,
			"{\"meterloom\": 1, \"nodes\": [{\"id\": \"clock\", \"type\": "
			"\"t-clock\"}, "
			"{\"id\": \"q\", \"type\": \"store-query\", \"params\": %s}], \"edges\": "
			"[{\"from\": \"clock\", \"to\": \"q.in\"}]}",
			wrong[i]);
		assert_int_not_equal(
			ml_engine_check(kit->engine, graph, strlen(graph), &errors), 0);
		assert_int_equal(errors.count, 1);
		assert_non_null(strstr(errors.items[0].pointer, "/nodes/1/params/"));
		ml_errors_free(&errors);
	}
}

static void two_queries_of_one_destination_are_refused(void **state)
{
	struct kit *kit = *state;
	struct ml_errors errors = {0};
	static const char graph[] =
		"{\"meterloom\": 1, \"nodes\": [{\"id\": \"c\", \"type\": \"t-clock\"}, {\"id\": "
		"\"a\", \"type\": \"store-query\", \"params\": {\"destination\": \"x\"}}, {\"id\": "
		"\"b\", \"type\": \"store-query\", \"params\": {\"destination\": \"x\"}}], "
		"\"edges\": [{\"from\": \"c\", \"to\": \"a.in\"}, {\"from\": \"c\", \"to\": "
		"\"b.in\"}]}";
	assert_int_not_equal(ml_engine_check(kit->engine, graph, sizeof graph - 1, &errors), 0);
	assert_int_not_equal(errors.count, 0);
	ml_errors_free(&errors);
}

static void two_sinks_behind_one_query_are_refused(void **state)
{
	struct kit *kit = *state;
	struct ml_errors errors = {0};
	static const char graph[] =
		"{\"meterloom\": 1, \"nodes\": [{\"id\": \"c\", \"type\": \"t-clock\"}, {\"id\": "
		"\"a\", \"type\": \"store-query\"}, {\"id\": \"x\", \"type\": \"t-end\"}, "
		"{\"id\": \"y\", \"type\": \"t-end\"}], \"edges\": [{\"from\": \"c\", \"to\": "
		"\"a.in\"}, {\"from\": \"a\", \"to\": \"x\"}, {\"from\": \"a\", \"to\": "
		"\"y\"}]}";
	assert_int_not_equal(ml_engine_check(kit->engine, graph, sizeof graph - 1, &errors), 0);
	assert_non_null(strstr(errors.items[0].text, "one destination"));
	ml_errors_free(&errors);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(each_reading_is_sent_once_and_in_order),
		STORE_TEST(meters_are_merged_by_time_or_one_after_the_other),
		STORE_TEST(meters_stand_in_the_order_of_the_list),
		STORE_TEST(a_failed_batch_comes_again_the_same),
		STORE_TEST(one_is_outstanding_at_a_time),
		STORE_TEST(more_than_the_limit_follows_at_once),
		STORE_TEST(failed_readouts_are_in_no_report),
		STORE_TEST(what_is_outstanding_survives_a_restart),
		STORE_TEST(two_destinations_do_not_touch_each_other),
		STORE_TEST(delivered_but_not_written_down_is_not_sent_again),
		STORE_TEST(nothing_is_sent_that_is_not_written_down),
		STORE_TEST(first_report_waits_for_the_first_round),
		STORE_TEST(a_round_that_begins_with_the_trigger_is_waited_for),
		STORE_TEST(the_wait_for_a_round_ends),
		STORE_TEST(a_preset_waits_for_the_readout_that_is_due_with_it),
		STORE_TEST(only_rounds_that_are_named_are_waited_for),
		STORE_TEST(parameters_of_version_1_are_understood),
		STORE_TEST(fixed_period_is_sent_whatever_was_sent),
		STORE_TEST(interval_thins_out_across_batches),
		STORE_TEST(wrong_parameters_are_refused),
		STORE_TEST(two_queries_of_one_destination_are_refused),
		STORE_TEST(two_sinks_behind_one_query_are_refused),
	};
	fault_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
