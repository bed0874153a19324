/* Applying graphs: what stays, restarts, drains, and what is refused. And rounds, which pass
 * through. SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "run/kit.h"

static void untouched_nodes_go_on_and_changed_ones_restart(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	static const char graph[] = "{'meterloom':1,'name':'t','nodes':["
				    "{'id':'a','type':'t-source','params':{'batch':10,'every':1}},"
				    "{'id':'b','type':'t-pass','params':{'drop_every':%d}},"
				    "{'id':'c','type':'t-sink'},{'id':'x','type':'t-pass'}],"
				    "'edges':[{'from':'a','to':'b'},{'from':'b','to':'c'}]}";
	kit_apply(kit, graph, 0);
	ml_engine_simulate(kit->engine, 100 * ML_MSEC);
	kit_apply(kit, graph, 5);
	ml_engine_simulate(kit->engine, 200 * ML_MSEC);
	kit_apply(kit, graph, 5);
	assert_int_equal(kit_record(kit, "a")->starts, 1);
	assert_int_equal(kit_record(kit, "c")->starts, 1);
	assert_int_equal(kit_record(kit, "x")->starts, 1);
	assert_int_equal(kit_record(kit, "b")->starts, 2);
	assert_int_equal(kit_record(kit, "b")->stops, 1);
	assert_true(kit_record(kit, "c")->gaps > 0);
	kit_free(kit);
}

static void what_an_edge_holds_survives_a_restart_of_either_end(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	static const char graph[] =
		"{'meterloom':1,'name':'t','nodes':["
		"{'id':'a','type':'t-source','params':{'count':40,'batch':%d,'acks':true}},"
		"{'id':'c','type':'t-sink','params':{'stuck':%s}}],"
		"'edges':[{'from':'a','to':'c','capacity':%d}]}";
	kit_apply(kit, graph, 50, "true", 64);
	ml_engine_simulate(kit->engine, ML_SEC);
	assert_int_equal(kit_record(kit, "c")->count, 0);
	kit_apply(kit, graph, 51, "true", 64);
	kit_apply(kit, graph, 51, "true", 256);
	kit_apply(kit, graph, 51, "true", 16);
	kit_apply(kit, graph, 51, "false", 64);
	ml_engine_simulate(kit->engine, 2 * ML_SEC);
	assert_int_equal(kit_record(kit, "c")->count, 40);
	assert_int_equal(kit_record(kit, "c")->gaps + kit_record(kit, "c")->repeats, 0);
	kit_free(kit);
}

static void a_removed_node_drains_into_what_stays(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	kit_apply(kit,
		"{'meterloom':1,'name':'t','nodes':["
		"{'id':'a','type':'t-source','params':{'count':200,'batch':200,'acks':true}},"
		"{'id':'b','type':'t-sink','params':{'one_by_one':true,'delay':5}},"
		"{'id':'p','type':'t-pass'},{'id':'c','type':'t-sink','params':{'one_by_one':true,'"
		"delay':5}}],"
		"'edges':[{'from':'a','to':'p','capacity':256},{'from':'p','to':'c','capacity':16},"
		"{'from':'a','to':'b','capacity':256}]}");
	ml_engine_simulate(kit->engine, 20 * ML_MSEC);
	assert_true(kit_record(kit, "c")->count < 10);
	kit_apply(kit,
		"{'meterloom':1,'name':'t','nodes':["
		"{'id':'c','type':'t-sink','params':{'one_by_one':true,'delay':5}}],'edges':[]}");
	ml_engine_simulate(kit->engine, 20 * ML_SEC);
	assert_int_equal(kit_record(kit, "c")->count, 200);
	assert_int_equal(kit_record(kit, "c")->gaps, 0);
	assert_int_equal(kit_record(kit, "b")->stops, 1);
	assert_int_equal(kit_record(kit, "p")->stops, 1);
	assert_int_equal(kit_record(kit, "c")->stops, 0);
	kit_free(kit);
}

static void a_removed_node_that_cannot_drain_is_given_up(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	kit_apply(kit,
		"{'meterloom':1,'name':'t','nodes':["
		"{'id':'a','type':'t-source','params':{'count':100,'batch':100,'acks':true}},"
		"{'id':'b','type':'t-sink','params':{'stuck':true}}],"
		"'edges':[{'from':'a','to':'b','capacity':256}]}");
	ml_engine_simulate(kit->engine, 20 * ML_MSEC);
	kit_apply(kit, "{'meterloom':1,'name':'t','nodes':["
		       "{'id':'a','type':'t-source','params':{'count':100,'batch':100,'acks':true}}"
		       "],'edges':[]}");
	ml_engine_simulate(kit->engine, ML_SEC);
	assert_int_equal(kit_record(kit, "b")->stops, 0);
	ml_engine_simulate(kit->engine, 10 * ML_SEC);
	assert_int_equal(kit_record(kit, "b")->stops, 1);
	assert_int_equal(kit_record(kit, "a")->failed, 100);
	assert_int_equal(kit_record(kit, "a")->starts, 1);
	kit_free(kit);
}

static void an_edge_cut_between_nodes_that_stay_fails_what_it_holds(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	static const char graph[] =
		"{'meterloom':1,'name':'t','nodes':["
		"{'id':'a','type':'t-source','params':{'count':50,'batch':50,'acks':true}},"
		"{'id':'b','type':'t-sink','params':{'stuck':true}}],'edges':[%s]}";
	kit_apply(kit, graph, "{'from':'a','to':'b'}");
	ml_engine_simulate(kit->engine, ML_SEC);
	kit_apply(kit, graph, "");
	ml_engine_simulate(kit->engine, 2 * ML_SEC);
	assert_int_equal(kit_record(kit, "a")->failed, 50);
	assert_int_equal(kit_record(kit, "b")->starts, 1);
	kit_free(kit);
}

static int apply_code(struct kit *kit, const char *graph, struct ml_errors *errors)
{
	char *text = strdup(graph);
	assert_non_null(text);
	for (char *at = text; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	const int r = ml_engine_apply(kit->engine, text, strlen(text), errors);
	free(text);
	return r;
}

static void a_graph_that_cannot_be_prepared_changes_nothing(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	kit_apply(kit, "{'meterloom':1,'name':'t','nodes':["
		       "{'id':'a','type':'t-source','params':{'batch':1,'every':1}},{'id':'c','"
		       "type':'t-sink'}],"
		       "'edges':[{'from':'a','to':'c'}]}");
	ml_engine_simulate(kit->engine, 50 * ML_MSEC);
	struct ml_errors errors = {0};
	const int r = apply_code(kit,
		"{'meterloom':1,'name':'t','nodes':["
		"{'id':'a','type':'t-source','params':{'batch':2,'every':1}},{'id':'n','type':'t-"
		"pass'},"
		"{'id':'b','type':'t-pass','params':{'note':'refuse'}},{'id':'c','type':'t-sink'}],"
		"'edges':[{'from':'a','to':'b'},{'from':'b','to':'c'}]}",
		&errors);
	assert_int_equal(r, -EIO);
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.items[0].pointer, "/nodes/2");
	assert_string_equal(errors.items[0].text, "refused, as it was asked to");
	ml_errors_free(&errors);
	ml_engine_simulate(kit->engine, 100 * ML_MSEC);
	assert_in_range(kit_record(kit, "c")->count, 100, 102);
	assert_int_equal(kit_record(kit, "a")->starts, 1);
	kit_free(kit);
}

static void a_resource_is_handed_to_the_next_instance(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	static const char graph[] =
		"{'meterloom':1,'name':'t','nodes':["
		"{'id':'h','type':'t-holder','params':{'generation':%d}}],'edges':[]}";
	for (int i = 1; i <= 5; i++) {
		kit_apply(kit, graph, i);
		assert_int_equal(kit_record(kit, "h")->last, i);
	}
	kit_apply(kit, "{'meterloom':1,'name':'t','nodes':["
		       "{'id':'other','type':'t-holder'}],'edges':[]}");
	assert_int_equal(kit_record(kit, "other")->last, 1);
	assert_int_equal(kit_record(kit, "other")->failed, 0);
	kit_free(kit);
}

static void a_round_ends_behind_all_of_its_messages(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	/* Two ways of different length, and one of another source that must not be waited for. */
	kit_apply(kit,
		"{'meterloom':1,'name':'t','nodes':["
		"{'id':'a','type':'t-source','params':{'count':20,'batch':20,'rounds':true,'acks':"
		"true}},"
		"{'id':'b','type':'t-pass','params':{'drop_every':1}},{'id':'b2','type':'t-pass'},"
		"{'id':'other','type':'t-source','params':{'count':1}},"
		"{'id':'c','type':'t-sink'}],"
		"'edges':[{'from':'a','to':'b'},{'from':'b','to':'b2'},{'from':'b2','to':'c'},"
		"{'from':'a','to':'c','capacity':4},{'from':'other','to':'c'}]}");
	ml_engine_simulate(kit->engine, ML_SEC);
	struct kit_record *sink = kit_record(kit, "c");
	assert_int_equal(sink->begins, 5);
	assert_int_equal(sink->ends, 5);
	assert_int_equal(sink->count, 21);
	assert_true(sink->at_end >= 20);
	kit_free(kit);
}

static void rounds_are_never_dropped(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	kit_apply(kit, "{'meterloom':1,'name':'t','nodes':["
		       "{'id':'a','type':'t-source','params':{'count':40,'batch':20,'rounds':true,'"
		       "blind':true}},"
		       "{'id':'c','type':'t-sink','params':{'one_by_one':true}}],"
		       "'edges':[{'from':'a','to':'c','capacity':4,'when_full':'drop-oldest'}]}");
	ml_engine_simulate(kit->engine, 5 * ML_SEC);
	struct kit_record *sink = kit_record(kit, "c");
	assert_int_equal(sink->begins, 2);
	assert_int_equal(sink->ends, 2);
	assert_true(sink->count < 40);
	kit_free(kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(untouched_nodes_go_on_and_changed_ones_restart),
		cmocka_unit_test(what_an_edge_holds_survives_a_restart_of_either_end),
		cmocka_unit_test(a_removed_node_drains_into_what_stays),
		cmocka_unit_test(a_removed_node_that_cannot_drain_is_given_up),
		cmocka_unit_test(an_edge_cut_between_nodes_that_stay_fails_what_it_holds),
		cmocka_unit_test(a_graph_that_cannot_be_prepared_changes_nothing),
		cmocka_unit_test(a_resource_is_handed_to_the_next_instance),
		cmocka_unit_test(a_round_ends_behind_all_of_its_messages),
		cmocka_unit_test(rounds_are_never_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
