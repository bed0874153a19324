/* Rounds: a begin and an end for each, once, behind all inputs, whatever happens to the graph.
 * SPDX-License-Identifier: Apache-2.0
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
#include "run/kit.h"

/* One round over two ways, of which one is slow; then the source goes. */
static void a_removed_source_ends_its_round_behind_the_slow_way(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	static const char nodes[] = "{'id':'fast','type':'t-pass'},{'id':'slow','type':'t-slow'},"
				    "{'id':'c','type':'t-sink'}";
	static const char edges[] = "{'from':'fast','to':'c'},{'from':'slow','to':'c'}";
	kit_apply(kit,
		"{'meterloom':1,'name':'t','nodes':[%s,{'id':'a','type':'t-source','params':"
		"{'count':50,'batch':50,'rounds':true,'open':true}}],"
		"'edges':[%s,{'from':'a','to':'fast'},{'from':'a','to':'slow'}]}",
		nodes, edges);
	ml_engine_simulate(kit->engine, 20 * ML_MSEC);
	struct kit_record *sink = kit_record(kit, "c");
	assert_int_equal(sink->begins, 1);
	kit_apply(kit, "{'meterloom':1,'name':'t','nodes':[%s],'edges':[%s]}", nodes, edges);
	ml_engine_simulate(kit->engine, 40 * ML_MSEC);
	assert_int_equal(sink->ends, 0);
	ml_engine_simulate(kit->engine, 10 * ML_SEC);
	assert_int_equal(sink->begins, 1);
	assert_int_equal(sink->ends, 1);
	assert_int_equal(sink->at_end, 100);
	assert_int_equal(sink->wrong, 0);
	kit_free(kit);
}

static void an_edge_cut_in_the_middle_of_a_round_ends_it(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	static const char graph[] =
		"{'meterloom':1,'name':'t','nodes':[{'id':'a','type':'t-source','params':"
		"{'batch':1,'every':1,'rounds':true,'open':true}},"
		"{'id':'b','type':'t-pass'},{'id':'c','type':'t-sink'},{'id':'d','type':'t-sink'}],"
		"'edges':[{'from':'b','to':'c'}%s%s]}";
	kit_apply(kit, graph, ",{'from':'a','to':'b'}", ",{'from':'a','to':'c'}");
	ml_engine_simulate(kit->engine, 20 * ML_MSEC);
	struct kit_record *sink = kit_record(kit, "c");
	kit_apply(kit, graph, "", ",{'from':'a','to':'c'}");
	ml_engine_simulate(kit->engine, 40 * ML_MSEC);
	/* What came over b has ended; a goes on. */
	assert_int_equal(sink->begins, 1);
	assert_int_equal(sink->ends, 0);
	kit_apply(kit, graph, "", "");
	ml_engine_simulate(kit->engine, 60 * ML_MSEC);
	assert_int_equal(sink->begins, 1);
	assert_int_equal(sink->ends, 1);
	assert_int_equal(sink->wrong, 0);
	kit_free(kit);
}

/* A way that is added while a round is under way carries the next one, and nobody waits for it. */
static void an_edge_added_in_the_middle_of_a_round_carries_the_next(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	static const char graph[] =
		"{'meterloom':1,'name':'t','nodes':["
		"{'id':'a','type':'t-source','params':{'batch':20,'every':100,'rounds':true,"
		"'count':%d}},"
		"{'id':'b','type':'t-slow'},{'id':'c','type':'t-sink'},{'id':'p','type':'t-pass'},"
		"{'id':'d','type':'t-sink'}],"
		"'edges':[{'from':'a','to':'b'},{'from':'b','to':'c'}%s]}";
	kit_apply(kit, graph, 1000, "");
	ml_engine_simulate(kit->engine, 310 * ML_MSEC);
	struct kit_record *c = kit_record(kit, "c"), *d = kit_record(kit, "d");
	kit_apply(kit, graph, 1000,
		",{'from':'a','to':'p'},{'from':'p','to':'c'},"
		"{'from':'b','to':'d'}");
	ml_engine_simulate(kit->engine, 5000 * ML_MSEC);
	assert_int_equal(c->begins, 50);
	assert_int_equal(c->ends, 50);
	assert_true(d->begins >= 46);
	assert_int_equal(d->begins, d->ends);
	assert_int_equal(c->wrong + d->wrong, 0);
	kit_free(kit);
}

static void nodes_restart_in_the_middle_of_rounds(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	for (int i = 0; i < 40; i++) {
		kit_apply(kit,
			"{'meterloom':1,'name':'t','nodes':["
			"{'id':'a','type':'t-source','params':{'batch':20,'every':%d,"
			"'rounds':true}},"
			"{'id':'b','type':'t-slow','params':{'fail_every':%d}},"
			"{'id':'p','type':'t-pass','lane':'%s','params':{'drop_every':%d}},"
			"{'id':'c','type':'t-sink','params':{'delay':%d}}],"
			"'edges':[{'from':'a','to':'b','capacity':32},"
			"{'from':'a','to':'p','capacity':32},"
			"{'from':'p','to':'c','capacity':32},{'from':'b','to':'c','capacity':32}]}",
			40 + i % 5 / 4, 1000 + i % 2, i % 3 ? "main" : "two", 1000 + i % 3 / 2,
			1 + i % 4 / 3);
		ml_engine_simulate(kit->engine, i * 53 * ML_MSEC);
	}
	kit_apply(kit, "{'meterloom':1,'name':'t','nodes':["
		       "{'id':'c','type':'t-sink'}],'edges':[]}");
	ml_engine_simulate(kit->engine, 20 * ML_SEC);
	struct kit_record *sink = kit_record(kit, "c");
	assert_true(sink->begins >= 30);
	assert_int_equal(sink->begins, sink->ends);
	assert_int_equal(sink->wrong, 0);
	kit_free(kit);
}

/* A hundred buses before one store, all in the middle of a round. */
static void many_rounds_are_under_way_at_once(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	char *nodes = NULL, *edges = NULL;
	size_t length;
	FILE *node_text = open_memstream(&nodes, &length);
	FILE *edge_text = open_memstream(&edges, &length);
	for (int i = 0; i < 100; i++) {
		(void)fprintf(node_text,
			",{'id':'s%d','type':'t-source','params':{'batch':1,'count':30,'every':10,"
			"'rounds':true,'open':true}},{'id':'p%d','type':'t-pass'}",
			i, i);
		(void)fprintf(edge_text,
			",{'from':'s%d','to':'p%d'},{'from':'p%d','to':'m'},"
			"{'from':'s%d','to':'m'}",
			i, i, i, i);
	}
	(void)fclose(node_text);
	(void)fclose(edge_text);
	kit_apply(kit,
		"{'meterloom':1,'name':'t','nodes':[{'id':'m','type':'t-pass'},"
		"{'id':'c','type':'t-sink'}%s],'edges':[{'from':'m','to':'c'}%s]}",
		nodes, edges);
	ml_engine_simulate(kit->engine, ML_SEC);
	struct kit_record *sink = kit_record(kit, "c");
	assert_int_equal(sink->begins, 100);
	assert_int_equal(sink->open_count, 100);
	kit_apply(kit, "{'meterloom':1,'name':'t','nodes':[{'id':'m','type':'t-pass'},"
		       "{'id':'c','type':'t-sink'}],'edges':[{'from':'m','to':'c'}]}");
	ml_engine_simulate(kit->engine, 10 * ML_SEC);
	assert_int_equal(sink->ends, 100);
	assert_int_equal(sink->wrong, 0);
	assert_int_equal(sink->count, 6000);
	free(nodes);
	free(edges);
	kit_free(kit);
}

/* Replacing all sources of rounds by others needs no more numbers than there are. */
static void sources_of_rounds_are_replaced(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	for (int k = 0; k < 3; k++) {
		char *text = NULL;
		size_t length;
		FILE *out = open_memstream(&text, &length);
		(void)fprintf(out, "{'meterloom':1,'name':'t','nodes':[{'id':'c','type':'t-sink'}");
		for (int i = 0; i < 200; i++)
			(void)fprintf(out,
				",{'id':'s%d-%d','type':'t-source','params':{'count':1,'rounds':"
				"true}}",
				k, i);
		(void)fprintf(out, "],'edges':[{'from':'s%d-0','to':'c'}", k);
		for (int i = 1; i < 200; i++)
			(void)fprintf(out, ",{'from':'s%d-%d','to':'c'}", k, i);
		(void)fprintf(out, "]}");
		(void)fclose(out);
		kit_apply(kit, "%s", text);
		free(text);
		ml_engine_simulate(kit->engine, (k + 1) * ML_SEC);
		assert_int_equal(kit_record(kit, "c")->ends, (k + 1) * 200);
	}
	assert_int_equal(kit_record(kit, "c")->wrong, 0);
	kit_free(kit);
}

/* ---- Random graphs ---- */

struct random {
	uint64_t state;
};

static unsigned draw(struct random *random, unsigned below)
{
	random->state = random->state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((random->state >> 33) % below);
}

enum { SOURCES = 3, MIDDLES = 5, SINKS = 2 };

/* Sources and middles come, go and change; edges too. The sinks last, and are only changed. */
static void random_graph(FILE *out, struct random *random)
{
	static const char *const policies[] = {"wait", "wait", "drop-newest", "drop-oldest"};
	static const char *const lanes[] = {"main", "two", "three"};
	static const char *const kinds[] = {"t-pass", "t-slow"};
	bool there[SOURCES + MIDDLES + SINKS];
	(void)fprintf(out, "{'meterloom':1,'name':'t','nodes':[");
	for (unsigned i = 0; i < SOURCES + MIDDLES + SINKS; i++) {
		there[i] = i >= SOURCES + MIDDLES || draw(random, 4);
		if (!there[i])
			continue;
		if (i < SOURCES)
			(void)fprintf(out,
				"{'id':'n%u','type':'t-source','params':{'batch':%u,'every':%u,"
				"'acks':true,'rounds':true,'open':%s},'lane':'%s'},",
				i, 1 + draw(random, 20), 5 + draw(random, 2),
				draw(random, 4) ? "false" : "true", lanes[draw(random, 3)]);
		else if (i < SOURCES + MIDDLES)
			(void)fprintf(out,
				"{'id':'n%u','type':'%s','params':{'drop_every':%u},'lane':'%s'},",
				i, kinds[i % 2], 2 + draw(random, 2), lanes[draw(random, 3)]);
		else
			(void)fprintf(out,
				"{'id':'n%u','type':'t-sink','params':{'delay':%u},'lane':'%s'}%s",
				i, 1 + draw(random, 2), lanes[draw(random, 3)],
				i + 1 < SOURCES + MIDDLES + SINKS ? "," : "");
	}
	(void)fprintf(out, "],'edges':[");
	const char *comma = "";
	for (unsigned to = SOURCES; to < SOURCES + MIDDLES + SINKS; to++) {
		for (unsigned from = 0; from < to && from < SOURCES + MIDDLES; from++) {
			if (!there[from] || !there[to] || draw(random, 3))
				continue;
			(void)fprintf(out,
				"%s{'from':'n%u','to':'n%u','capacity':%u,'when_full':'%s'}", comma,
				from, to, 4u << draw(random, 4), policies[draw(random, 4)]);
			comma = ",";
		}
	}
	(void)fprintf(out, "]}");
}

static void apply_random(struct kit *kit, struct random *random)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	assert_non_null(out);
	random_graph(out, random);
	(void)fclose(out);
	kit_apply(kit, "%s", text);
	free(text);
}

static const char only_sinks[] =
	"{'meterloom':1,'name':'t','nodes':["
	"{'id':'n8','type':'t-sink'},{'id':'n9','type':'t-sink'}],'edges':[]}";

static void check_sinks(struct kit *kit, unsigned least)
{
	for (int i = 8; i < 10; i++) {
		char id[16];
		(void)snprintf(id, sizeof id, "n%d", i);
		const struct kit_record *sink = kit_record(kit, id);
		assert_int_equal(sink->wrong, 0);
		assert_int_equal(sink->open_count, 0);
		assert_int_equal(sink->begins, sink->ends);
		assert_true(sink->begins > least);
	}
}

static void rounds_keep_their_ends_in_random_graphs(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	struct random random = {.state = 20260131};
	const unsigned count = test_count(5000);
	for (unsigned i = 0; i < count; i++) {
		apply_random(kit, &random);
		ml_engine_simulate(
			kit->engine, ml_clock_monotonic(kit->clock) + draw(&random, 20) * ML_MSEC);
	}
	kit_apply(kit, only_sinks);
	ml_engine_simulate(kit->engine, ml_clock_monotonic(kit->clock) + 20 * ML_SEC);
	check_sinks(kit, count / 2);
	kit_free(kit);
}

struct wait {
	ml_time until;
	bool quiet; /* all rounds have ended too */
};

static bool is_over(struct kit *kit, void *user)
{
	const struct wait *wait = user;
	if (ml_clock_monotonic(kit->clock) < wait->until)
		return false;
	return !wait->quiet ||
	       !(kit_record(kit, "n8")->open_count || kit_record(kit, "n9")->open_count);
}

static void between_running_lanes_too(void **state)
{
	(void)state;
	struct kit *kit = kit_new(false);
	struct random random = {.state = 7};
	const unsigned count = test_count(1000);
	for (unsigned i = 0; i < count; i++) {
		apply_random(kit, &random);
		struct wait wait = {
			.until = ml_clock_monotonic(kit->clock) + draw(&random, 20) * ML_MSEC};
		kit_until(kit, is_over, &wait);
	}
	kit_apply(kit, only_sinks);
	/* Nodes that cannot drain are given up after five seconds. */
	struct wait wait = {.quiet = true};
	kit_until(kit, is_over, &wait);
	check_sinks(kit, count / 20);
	kit_free(kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_removed_source_ends_its_round_behind_the_slow_way),
		cmocka_unit_test(an_edge_cut_in_the_middle_of_a_round_ends_it),
		cmocka_unit_test(an_edge_added_in_the_middle_of_a_round_carries_the_next),
		cmocka_unit_test(nodes_restart_in_the_middle_of_rounds),
		cmocka_unit_test(many_rounds_are_under_way_at_once),
		cmocka_unit_test(sources_of_rounds_are_replaced),
		cmocka_unit_test(rounds_keep_their_ends_in_random_graphs),
		cmocka_unit_test(between_running_lanes_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
