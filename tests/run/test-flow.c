/* Messages along edges: order, back-pressure, the three policies, acks, lanes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "run/kit.h"

static void each_arrives_once_in_order(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	kit_apply(kit,
		"{'meterloom':1,'name':'t','nodes':["
		"{'id':'a','type':'t-source','params':{'count':10000,'acks':true,'batch':100}},"
		"{'id':'b','type':'t-pass'},{'id':'c','type':'t-sink'}],"
		"'edges':[{'from':'a','to':'b','capacity':64},{'from':'b','to':'c','capacity':16}]"
		"}");
	ml_engine_simulate(kit->engine, ML_SEC);
	struct kit_record *sink = kit_record(kit, "c"), *source = kit_record(kit, "a");
	assert_int_equal(sink->count, 10000);
	assert_int_equal(sink->gaps + sink->repeats, 0);
	assert_int_equal(source->delivered, 10000);
	assert_int_equal(source->failed, 0);
	kit_free(kit);
}

static void a_slow_sink_holds_the_source_back(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	kit_apply(kit, "{'meterloom':1,'name':'t','nodes':["
		       "{'id':'a','type':'t-source','params':{'count':300,'acks':true}},"
		       "{'id':'c','type':'t-sink','params':{'one_by_one':true,'delay':10}}],"
		       "'edges':[{'from':'a','to':'c','capacity':16}]}");
	ml_engine_simulate(kit->engine, 100 * ML_MSEC);
	struct kit_record *sink = kit_record(kit, "c"), *source = kit_record(kit, "a");
	assert_in_range(sink->count, 9, 12);
	assert_in_range(source->count, 16, 32);
	ml_engine_simulate(kit->engine, 10 * ML_SEC);
	assert_int_equal(sink->count, 300);
	assert_int_equal(sink->gaps + sink->repeats, 0);
	assert_int_equal(source->delivered, 300);
	kit_free(kit);
}

static void a_full_edge_drops_by_its_policy(const char *policy, uint64_t first, uint64_t last)
{
	struct kit *kit = kit_new(true);
	kit_apply(kit,
		"{'meterloom':1,'name':'t','nodes':["
		"{'id':'a','type':'t-source','params':{'count':100,'batch':100,'acks':true,'blind':"
		"true}},"
		"{'id':'c','type':'t-sink','params':{'one_by_one':true,'delay':1}}],"
		"'edges':[{'from':'a','to':'c','capacity':16,'when_full':'%s'}]}",
		policy);
	ml_engine_simulate(kit->engine, 10 * ML_SEC);
	struct kit_record *sink = kit_record(kit, "c"), *source = kit_record(kit, "a");
	assert_int_equal(sink->count, 16);
	assert_int_equal(sink->last, last);
	assert_int_equal(sink->gaps, first > 1 ? 1 : 0);
	assert_int_equal(sink->repeats, 0);
	assert_int_equal(source->delivered, 16);
	assert_int_equal(source->failed, 84);
	struct ml_buffer text = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &text);
	ml_engine_metrics(kit->engine, &w);
	assert_non_null(strstr(text.data, "\"dropped\":84"));
	assert_non_null(strstr(text.data, "\"high_water\":16"));
	ml_buffer_free(&text);
	kit_free(kit);
}

static void the_policies_drop_what_they_say(void **state)
{
	(void)state;
	a_full_edge_drops_by_its_policy("drop-newest", 1, 16);
	a_full_edge_drops_by_its_policy("drop-oldest", 85, 100);
	a_full_edge_drops_by_its_policy("wait", 1, 16);
}

static void an_ack_fails_if_any_branch_does(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	kit_apply(kit,
		"{'meterloom':1,'name':'t','nodes':["
		"{'id':'a','type':'t-source','params':{'count':100,'acks':true}},"
		"{'id':'b','type':'t-pass','params':{'fail_every':10}},"
		"{'id':'p','type':'t-pass','params':{'drop_every':3}},"
		"{'id':'o','type':'t-pass','params':{'fail_every':1}},"
		"{'id':'c','type':'t-sink'},{'id':'d','type':'t-sink'},{'id':'e','type':'t-sink'}],"
		"'edges':[{'from':'a','to':'b'},{'from':'b','to':'c'},{'from':'a','to':'p'},"
		"{'from':'p','to':'d'},{'from':'a','to':'o','optional':true},{'from':'o','to':'e'}]"
		"}");
	ml_engine_simulate(kit->engine, ML_SEC);
	struct kit_record *source = kit_record(kit, "a");
	assert_int_equal(source->failed, 10);
	assert_int_equal(source->delivered, 90);
	assert_int_equal(kit_record(kit, "c")->count, 90);
	assert_int_equal(kit_record(kit, "d")->count, 67);
	assert_int_equal(kit_record(kit, "e")->count, 0);
	kit_free(kit);
}

static bool all_there(struct kit *kit, void *user)
{
	const uint64_t *want = user;
	const struct kit_record *source = kit_record(kit, "a");
	return source->delivered + source->failed == *want && kit_record(kit, "c")->count == *want;
}

static void lanes_hand_over_in_order(void **state)
{
	(void)state;
	struct kit *kit = kit_new(false);
	uint64_t count = 200000;
	kit_apply(kit,
		"{'meterloom':1,'name':'t','nodes':["
		"{'id':'a','type':'t-source','params':{'count':%d,'acks':true,'batch':200}},"
		"{'id':'b','type':'t-pass','lane':'two'},{'id':'b2','type':'t-pass','lane':'two'},"
		"{'id':'c','type':'t-sink','lane':'three'}],"
		"'edges':[{'from':'a','to':'b','capacity':256},{'from':'b','to':'b2'},{'from':'b2',"
		"'to':'c',"
		"'capacity':32}]}",
		(int)count);
	kit_until(kit, all_there, &count);
	struct kit_record *sink = kit_record(kit, "c");
	assert_int_equal(sink->gaps + sink->repeats, 0);
	assert_int_equal(kit_record(kit, "a")->failed, 0);
	kit_free(kit);
}

static bool all_told(struct kit *kit, void *user)
{
	(void)user;
	const struct kit_record *source = kit_record(kit, "a");
	return source->delivered + source->failed == 100000;
}

static void drop_oldest_between_lanes_keeps_order(void **state)
{
	(void)state;
	struct kit *kit = kit_new(false);
	kit_apply(kit, "{'meterloom':1,'name':'t','nodes':["
		       "{'id':'a','type':'t-source','params':{'count':100000,'acks':true,'batch':"
		       "200,'blind':true}},"
		       "{'id':'c','type':'t-sink','lane':'two'}],"
		       "'edges':[{'from':'a','to':'c','capacity':32,'when_full':'drop-oldest'}]}");
	kit_until(kit, all_told, NULL);
	struct kit_record *sink = kit_record(kit, "c"), *source = kit_record(kit, "a");
	assert_int_equal(sink->repeats, 0);
	assert_int_equal(sink->last, 100000);
	assert_int_equal(sink->count, source->delivered);
	kit_free(kit);
}

static void two_engines_know_nothing_of_each_other(void **state)
{
	(void)state;
	struct kit *one = kit_new(true), *two = kit_new(true);
	static const char graph[] = "{'meterloom':1,'name':'t','nodes':[{'id':'a','type':'t-source'"
				    ",'params':{'count':%d,'every':10}},"
				    "{'id':'c','type':'t-sink'}],'edges':[{'from':'a','to':'c'}]}";
	kit_apply(one, graph, 64);
	kit_apply(two, graph, 6400);
	ml_engine_simulate(one->engine, ML_HOUR);
	ml_engine_simulate(two->engine, 15 * ML_MSEC);
	assert_int_equal(kit_record(one, "c")->count, 64);
	assert_int_equal(kit_record(two, "c")->count, 64);
	assert_true(ml_clock_monotonic(one->clock) > ml_clock_monotonic(two->clock));
	kit_free(one);
	ml_engine_simulate(two->engine, ML_HOUR);
	assert_int_equal(kit_record(two, "c")->count, 6400);
	kit_free(two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_arrives_once_in_order),
		cmocka_unit_test(a_slow_sink_holds_the_source_back),
		cmocka_unit_test(the_policies_drop_what_they_say),
		cmocka_unit_test(an_ack_fails_if_any_branch_does),
		cmocka_unit_test(lanes_hand_over_in_order),
		cmocka_unit_test(drop_oldest_between_lanes_keeps_order),
		cmocka_unit_test(two_engines_know_nothing_of_each_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
