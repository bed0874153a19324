/* Removed nodes and what they hold: they end in order, and soon; resources and lanes are free
 * again. SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "run/kit.h"

/* The last message is not on any edge: the node has it in its hands. */
static void a_removed_node_finishes_what_it_holds(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	static const char source[] =
		"{'id':'a','type':'t-source','params':{'count':3,'acks':true}}";
	kit_apply(kit,
		"{'meterloom':1,'name':'t','nodes':[%s,{'id':'c','type':'t-sink','params':"
		"{'one_by_one':true,'delay':500}}],'edges':[{'from':'a','to':'c'}]}",
		source);
	ml_engine_simulate(kit->engine, 100 * ML_MSEC);
	kit_apply(kit, "{'meterloom':1,'name':'t','nodes':[%s],'edges':[]}", source);
	ml_engine_simulate(kit->engine, 1490 * ML_MSEC);
	assert_int_equal(kit_record(kit, "c")->stops, 0);
	ml_engine_simulate(kit->engine, 1530 * ML_MSEC);
	assert_int_equal(kit_record(kit, "c")->stops, 1);
	assert_int_equal(kit_record(kit, "a")->delivered, 3);
	assert_int_equal(kit_record(kit, "a")->failed, 0);
	kit_free(kit);
}

/* Over several lanes, and each is removed with all it had been given. */
static void a_chain_over_lanes_drains_from_its_begin(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	kit_apply(kit,
		"{'meterloom':1,'name':'t','nodes':["
		"{'id':'c','type':'t-sink','lane':'three','params':{'one_by_one':true,"
		"'delay':2}},{'id':'p','type':'t-slow'},{'id':'b','type':'t-pass','lane':'two'},"
		"{'id':'a','type':'t-source','params':{'count':400,'batch':400}}],"
		"'edges':[{'from':'a','to':'b','capacity':512},"
		"{'from':'b','to':'p','capacity':8},{'from':'p','to':'c','capacity':8}]}");
	ml_engine_simulate(kit->engine, 50 * ML_MSEC);
	kit_apply(kit, "{'meterloom':1,'name':'t','nodes':[],'edges':[]}");
	ml_engine_simulate(kit->engine, 900 * ML_MSEC);
	assert_int_equal(kit_record(kit, "c")->count, 400);
	assert_int_equal(kit_record(kit, "c")->gaps, 0);
	assert_int_equal(kit_record(kit, "c")->stops, 1);
	kit_free(kit);
}

/* What one that drained had open is closed when it ends, not at the next apply. */
static void what_a_drained_node_leaves_is_disposed_of(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	static const char source[] = "{'id':'a','type':'t-source','params':{'count':3}}";
	kit_apply(kit,
		"{'meterloom':1,'name':'t','nodes':[%s,{'id':'h','type':'t-holder'}],"
		"'edges':[{'from':'a','to':'h'}]}",
		source);
	ml_engine_simulate(kit->engine, 100 * ML_MSEC);
	kit_apply(kit,
		"{'meterloom':1,'name':'t','nodes':[%s,{'id':'next','type':'t-holder'}],"
		"'edges':[]}",
		source);
	/* The new one waits for the one that drains. */
	assert_int_equal(kit_record(kit, "next")->failed, 1);
	assert_int_equal(kit_record(kit, "next")->last, 0);
	ml_engine_simulate(kit->engine, 150 * ML_MSEC);
	assert_int_equal(kit_record(kit, "h")->stops, 1);
	assert_int_equal(kit_record(kit, "h")->disposed, 1);
	ml_engine_simulate(kit->engine, 300 * ML_MSEC);
	assert_int_equal(kit_record(kit, "next")->last, 1);
	kit_free(kit);
}

static void two_nodes_exchange_their_resources(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	static const char graph[] =
		"{'meterloom':1,'name':'t','nodes':["
		"{'id':'g','type':'t-holder','params':{'resource':'tty:%c'}},"
		"{'id':'h','type':'t-holder','params':{'resource':'tty:%c'}}],'edges':[]}";
	for (int i = 1; i <= 6; i++) {
		kit_apply(kit, graph, i % 2 ? 'a' : 'b', i % 2 ? 'b' : 'a');
		assert_int_equal(kit_record(kit, "g")->last, 1);
		assert_int_equal(kit_record(kit, "h")->last, 1);
		assert_int_equal(kit_record(kit, "g")->failed, 0);
		assert_int_equal(kit_record(kit, "g")->disposed, i - 1);
	}
	kit_free(kit);
}

/* As many names as there may ever be, but only as many threads as are needed. */
static void lanes_are_used_again(void **state)
{
	(void)state;
	for (int simulated = 0; simulated < 2; simulated++) {
		struct kit *kit = kit_new(simulated);
		for (int i = 0; i < 200; i++)
			kit_apply(kit,
				"{'meterloom':1,'name':'t','nodes':["
				"{'id':'a','type':'t-source','params':{'count':9},'lane':'one-%d'},"
				"{'id':'c','type':'t-sink','lane':'two-%d'}],"
				"'edges':[{'from':'a','to':'c'}]}",
				i, i);
		struct ml_buffer text = {0};
		struct ml_json_writer w;
		ml_json_writer_init(&w, &text);
		ml_engine_metrics(kit->engine, &w);
		assert_non_null(strstr(text.data, "\"one-199\":{\"wakeups\""));
		assert_non_null(strstr(text.data, "\"two-199\":{\"wakeups\""));
		assert_null(strstr(text.data, "\"one-198\":{\"wakeups\""));
		ml_buffer_free(&text);
		/* Who asks for one by name keeps it. */
		struct ml_lane *mine = ml_engine_lane(kit->engine, "mine");
		kit_apply(kit,
			"{'meterloom':1,'name':'t','nodes':[{'id':'c','type':'t-sink','lane':"
			"'other'}],'edges':[]}");
		assert_ptr_equal(ml_engine_lane(kit->engine, "mine"), mine);
		kit_free(kit);
	}
}

static void a_node_that_drains_keeps_its_lane(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	kit_apply(kit, "{'meterloom':1,'name':'t','nodes':["
		       "{'id':'c','type':'t-sink','lane':'one','params':{'one_by_one':true,"
		       "'delay':100}},"
		       "{'id':'a','type':'t-source','params':{'count':10}}],"
		       "'edges':[{'from':'a','to':'c'}]}");
	ml_engine_simulate(kit->engine, 10 * ML_MSEC);
	kit_apply(kit, "{'meterloom':1,'name':'t','nodes':[{'id':'d','type':'t-sink','lane':'two'},"
		       "{'id':'e','type':'t-sink','lane':'one'}],'edges':[]}");
	struct ml_lane *one = ml_engine_lane(kit->engine, "one");
	assert_ptr_not_equal(one, ml_engine_lane(kit->engine, "two"));
	ml_engine_simulate(kit->engine, 2 * ML_SEC);
	assert_int_equal(kit_record(kit, "c")->count, 10);
	kit_free(kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_removed_node_finishes_what_it_holds),
		cmocka_unit_test(a_chain_over_lanes_drains_from_its_begin),
		cmocka_unit_test(what_a_drained_node_leaves_is_disposed_of),
		cmocka_unit_test(two_nodes_exchange_their_resources),
		cmocka_unit_test(lanes_are_used_again),
		cmocka_unit_test(a_node_that_drains_keeps_its_lane),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
