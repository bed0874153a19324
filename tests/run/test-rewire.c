/* A thousand random rewires under full load: what lasted loses and repeats nothing.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Three paths last: on one lane, over three lanes, and one whose ends are rewired all the time.
 * Around them nodes come, go, change and move between lanes, and hang on the lasting nodes by edges
 * that drop.
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

enum { EXTRAS = 8, LANES = 3 };

struct random {
	uint64_t state;
};

static unsigned draw(struct random *random, unsigned below)
{
	random->state = random->state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((random->state >> 33) % below);
}

static const char *const lane_names[LANES] = {"main", "two", "three"};

static const char stable_nodes[] =
	"{'id':'a1','type':'t-source','params':{'batch':50,'acks':true}},"
	"{'id':'b1','type':'t-pass'},{'id':'c1','type':'t-sink'},"
	"{'id':'a2','type':'t-source','params':{'batch':50,'acks':true}},"
	"{'id':'b2','type':'t-pass','lane':'two'},{'id':'c2','type':'t-sink','lane':'three'},"
	"{'id':'a3','type':'t-source','lane':'two','params':{'batch':20,'acks':true,'rounds':true}}"
	","
	"{'id':'b3','type':'t-pass'},{'id':'c3','type':'t-sink'}";

static const char stable_edges[] =
	"{'from':'a1','to':'b1'},{'from':'b1','to':'c1','capacity':64},"
	"{'from':'a2','to':'b2','capacity':128},{'from':'b2','to':'c2'},"
	"{'from':'a3','to':'b3','capacity':%d},{'from':'b3','to':'c3','capacity':%d}";

enum extra { GONE, PASS, SINK, SOURCE };

struct graph_text {
	char text[16384];
	size_t length;
};

static void append(struct graph_text *graph, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void append(struct graph_text *graph, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	const int n = vsnprintf(
		graph->text + graph->length, sizeof graph->text - graph->length, format, args);
	va_end(args);
	assert_true(n >= 0 && (size_t)n < sizeof graph->text - graph->length);
	graph->length += (size_t)n;
}

static void extra_node(struct graph_text *graph, struct random *random, unsigned i, enum extra kind)
{
	const char *lane = lane_names[draw(random, LANES)];
	if (kind == PASS)
		append(graph,
			",{'id':'x%u','type':'t-pass','lane':'%s','params':{'fail_every':%u}}", i,
			lane, draw(random, 3));
	else if (kind == SINK)
		append(graph,
			",{'id':'x%u','type':'t-sink','lane':'%s','params':{'one_by_one':%s,'stuck'"
			":%s}}",
			i, lane, draw(random, 2) ? "true" : "false",
			draw(random, 4) ? "false" : "true");
	else if (kind == SOURCE)
		append(graph,
			",{'id':'x%u','type':'t-source','lane':'%s','params':{'acks':true,'rounds':"
			"%s}}",
			i, lane, draw(random, 2) ? "true" : "false");
}

static void random_graph(struct graph_text *graph, struct random *random)
{
	static const char *const stable[] = {"a1", "b1", "a2", "b2", "a3", "b3"};
	static const char *const policies[] = {"drop-newest", "drop-oldest"};
	enum extra kinds[EXTRAS];
	graph->length = 0;
	append(graph, "{'meterloom':1,'name':'t','nodes':[%s", stable_nodes);
	for (unsigned i = 0; i < EXTRAS; i++) {
		kinds[i] = (enum extra)draw(random, 4);
		extra_node(graph, random, i, kinds[i]);
	}
	append(graph, "],'edges':[");
	append(graph, stable_edges, 16 << draw(random, 4), 16 << draw(random, 4));
	for (unsigned i = 0; i < EXTRAS; i++) {
		if (kinds[i] == GONE || kinds[i] == SOURCE)
			continue;
		if (draw(random, 3))
			append(graph,
				",{'from':'%s','to':'x%u','capacity':16,'when_full':'%s','optional'"
				":true}",
				stable[draw(random, 6)], i, policies[draw(random, 2)]);
		for (unsigned k = 0; k < i; k++) {
			if ((kinds[k] == PASS || kinds[k] == SOURCE) && draw(random, 3) == 0)
				append(graph,
					",{'from':'x%u','to':'x%u','capacity':%u,'when_full':'%s',"
					"'optional':true}",
					k, i, 16u << draw(random, 3),
					draw(random, 3) ? "wait" : "drop-newest");
		}
	}
	append(graph, "]}");
}

struct progress {
	uint64_t want[3];
};

static const char *const sinks[] = {"c1", "c2", "c3"};

static bool moved_on(struct kit *kit, void *user)
{
	const struct progress *progress = user;
	for (int i = 0; i < 3; i++) {
		if (kit_record(kit, sinks[i])->count < progress->want[i])
			return false;
	}
	return true;
}

static void a_thousand_random_rewires(void **state)
{
	(void)state;
	struct kit *kit = kit_new(false);
	struct random random = {.state = 20260131};
	struct graph_text *graph = malloc(sizeof *graph);
	assert_non_null(graph);
	const unsigned count = test_count(1000);
	for (unsigned i = 0; i < count; i++) {
		random_graph(graph, &random);
		kit_apply(kit, "%s", graph->text);
		struct progress progress;
		for (int k = 0; k < 3; k++)
			progress.want[k] = kit_record(kit, sinks[k])->count + draw(&random, 200);
		kit_until(kit, moved_on, &progress);
	}
	for (int k = 0; k < 3; k++) {
		const struct kit_record *sink = kit_record(kit, sinks[k]);
		assert_int_equal(sink->gaps, 0);
		assert_int_equal(sink->repeats, 0);
		assert_int_equal(sink->starts, 1);
	}
	assert_int_equal(kit_record(kit, "a1")->failed, 0);
	assert_int_equal(kit_record(kit, "a2")->failed, 0);
	assert_int_equal(kit_record(kit, "a3")->failed, 0);
	free(graph);
	kit_free(kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_thousand_random_rewires)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
