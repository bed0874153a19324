/* Good graphs: what the check hands on, how long it takes, and that it leaves nothing behind.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <meterloom/json.h>

#include "classes.h"
#include "graph/graph.h"

static struct ml_graph *parse(const char *text)
{
	struct ml_errors errors = {0};
	struct ml_graph *graph = NULL;
	const int result =
		ml_graph_parse(test_families, text, strlen(text), NULL, NULL, &graph, &errors);
	for (size_t i = 0; i < errors.count; i++)
		print_error("%s: %s\n", errors.items[i].pointer, errors.items[i].text);
	assert_int_equal(result, 0);
	assert_int_equal(errors.count, 0);
	ml_errors_free(&errors);
	return graph;
}

/* A gateway: what is read is stored, and what is stored is sent. */
static const char gateway[] =
	"{\"meterloom\": 1, \"name\": \"Substation 7\", \"remark\": \"r\", \"nodes\": ["
	"{\"id\": \"minute\", \"type\": \"cron\", \"params\": {\"schedule\": \"* * * * *\"}},"
	"{\"id\": \"bus\", \"type\": \"bus-source\", \"lane\": \"line_1\", \"params\": "
	"{\"interface\": \"x\", \"scale\": 0.10}},"
	"{\"id\": \"decode\", \"type\": \"decode\", \"remark\": \"all\"},"
	"{\"id\": \"store\", \"type\": \"store\"},"
	"{\"id\": \"unsent\", \"type\": \"query\"},"
	"{\"id\": \"csv\", \"type\": \"render\"},"
	"{\"id\": \"peer\", \"type\": \"http-sink\"},"
	"{\"id\": \"live\", \"type\": \"push\"}],"
	"\"edges\": ["
	"{\"from\": \"minute\", \"to\": \"bus\"},"
	"{\"from\": \"bus\", \"to\": \"decode\", \"capacity\": 1000},"
	"{\"from\": \"decode\", \"to\": \"store.in\", \"when_full\": \"wait\"},"
	"{\"from\": \"store\", \"to\": \"unsent\"},"
	"{\"from\": \"unsent.out\", \"to\": \"csv\"},"
	"{\"from\": \"csv\", \"to\": \"peer\"},"
	"{\"from\": \"decode\", \"to\": \"live\", \"when_full\": \"drop-oldest\", \"optional\": "
	"true}],"
	"\"layout\": {\"bus\": [1, -2.5]}}";

static void a_graph_is_made_out(void **state)
{
	(void)state;
	struct ml_graph *const graph = parse(gateway);
	assert_string_equal(graph->name, "Substation 7");
	assert_int_equal(graph->node_count, 8);
	assert_int_equal(graph->edge_count, 7);
	assert_string_equal(graph->nodes[1].id, "bus");
	assert_string_equal(graph->nodes[1].class->type, "bus-source");
	assert_string_equal(graph->nodes[1].lane, "line_1");
	assert_string_equal(graph->nodes[1].pointer, "/nodes/1");
	assert_string_equal(graph->nodes[2].lane, "main");
	assert_string_equal(graph->nodes[3].lane, "database");
	assert_true(json_is_object(graph->nodes[3].params));
	const struct ml_graph_edge *const edge = &graph->edges[1];
	assert_int_equal(edge->from, 1);
	assert_int_equal(edge->to, 2);
	assert_string_equal(edge->key, "bus.out>decode.in");
	assert_int_equal(edge->capacity, 1024); /* the power of two that holds 1000 */
	assert_int_equal(graph->edges[0].capacity, ML_EDGE_CAPACITY);
	assert_int_equal(edge->when_full, ML_FULL_WAIT);
	assert_int_equal(graph->edges[6].when_full, ML_FULL_DROP_OLDEST);
	assert_true(graph->edges[6].optional);
	assert_false(graph->edges[2].optional);
	assert_string_equal(graph->text, gateway);
	ml_graph_free(graph);
}

static void port_that_must_be_named_is_never_meant_otherwise(void **state)
{
	(void)state;
	struct ml_graph *const graph = parse(
		"{\"meterloom\": 1, \"nodes\": ["
		"{\"id\": \"bus\", \"type\": \"bus-source\", \"params\": {\"interface\": "
		"\"serial:x\"}},"
		"{\"id\": \"a\", \"type\": \"decode\"}, {\"id\": \"b\", \"type\": "
		"\"decode\"}],"
		"\"edges\": [{\"from\": \"bus\", \"to\": \"a\"}, {\"from\": \"bus.live\", \"to\": "
		"\"b\"}]}");
	assert_string_equal(graph->edges[0].key, "bus.out>a.in");
	assert_string_equal(graph->edges[1].key, "bus.live>b.in");
	ml_graph_free(graph);
}

static void an_empty_graph_is_good(void **state)
{
	(void)state;
	struct ml_graph *const graph = parse("{\"meterloom\": 1}");
	assert_int_equal(graph->node_count, 0);
	assert_string_equal(graph->name, "");
	ml_graph_free(graph);
	ml_graph_free(NULL);
}

static void parameters_keep_their_digits(void **state)
{
	(void)state;
	struct ml_graph *const graph = parse(
		"{\"meterloom\": 1, \"nodes\": [{\"id\": \"a\", \"type\": \"decode\"},"
		"{\"params\": {\"scale\": 1234567890.123456789, \"interface\": \"x\"}, \"id\": "
		"\"b\", \"type\": \"bus-source\"}], \"edges\": [{\"from\": \"b\", \"to\": "
		"\"a\"}]}");
	struct test_bus bus;
	struct ml_errors errors = {0};
	assert_int_equal(ml_graph_node_params(graph, 1, NULL, NULL, &bus, &errors), 0);
	assert_int_equal(bus.scale.mantissa, 1234567890123456789);
	assert_int_equal(bus.scale.exponent, -9);
	assert_int_equal(bus.baud, 2400);
	ml_params_free(graph->nodes[1].class->params, &bus);
	ml_graph_free(graph);
}

static void old_parameters_are_migrated(void **state)
{
	(void)state;
	/* Without a version they are of the first one, whatever program reads them. */
	static const struct {
		const char *node;
		int64_t seconds;
	} cases[] = {
		{"{\"id\": \"a\", \"type\": \"aged\", \"params\": {\"interval_s\": 5}}", 5},
		{"{\"id\": \"a\", \"type\": \"aged\", \"version\": 1, \"params\": {\"interval_s\": "
		 "7}}",
			7},
		{"{\"id\": \"a\", \"type\": \"aged\", \"version\": 3, \"params\": {\"interval\": "
		 "9}}",
			9},
		{"{\"id\": \"a\", \"type\": \"aged\"}", 60},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[256];
		(void)snprintf(
			text, sizeof text, "{\"meterloom\": 1, \"nodes\": [%s]}", cases[i].node);
		struct ml_graph *const graph = parse(text);
		struct test_aged aged;
		struct ml_errors errors = {0};
		assert_int_equal(ml_graph_node_params(graph, 0, NULL, NULL, &aged, &errors), 0);
		assert_int_equal(aged.interval, cases[i].seconds * ML_SEC);
		ml_graph_free(graph);
	}
}

static void what_follows_optional_edges_alone_is_optional(void **state)
{
	(void)state;
	struct ml_graph *const graph = parse(
		"{\"meterloom\": 1, \"nodes\": ["
		"{\"id\": \"bus\", \"type\": \"bus-source\", \"params\": {\"interface\": \"x\"}},"
		"{\"id\": \"decode\", \"type\": \"decode\"},"
		"{\"id\": \"a\", \"type\": \"filter\"}, {\"id\": \"b\", \"type\": \"filter\"},"
		"{\"id\": \"c\", \"type\": \"filter\"}, {\"id\": \"d\", \"type\": \"filter\"}],"
		"\"edges\": [{\"from\": \"bus\", \"to\": \"decode\"},"
		"{\"from\": \"a.out\", \"to\": \"b\"},"
		"{\"from\": \"decode\", \"to\": \"a\", \"optional\": true},"
		"{\"from\": \"b.out\", \"to\": \"d\"},"
		"{\"from\": \"decode\", \"to\": \"c\"},"
		"{\"from\": \"c.out\", \"to\": \"d\"}]}");
	static const bool optional[] = {false, true, true, true, false, false};
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(graph->edges[i].optional, optional[i]);
	ml_graph_free(graph);
}

static void a_sink_may_wait_for_what_is_stored(void **state)
{
	(void)state;
	/* gateway has such a path; so has a trigger that starts both the bus and the report. */
	struct ml_graph *const graph = parse(
		"{\"meterloom\": 1, \"nodes\": ["
		"{\"id\": \"minute\", \"type\": \"cron\", \"params\": {\"schedule\": \"*\"}},"
		"{\"id\": \"bus\", \"type\": \"bus-source\", \"params\": {\"interface\": \"x\"}},"
		"{\"id\": \"decode\", \"type\": \"decode\"}, {\"id\": \"store\", \"type\": "
		"\"store\"},"
		"{\"id\": \"q\", \"type\": \"query\"}, {\"id\": \"r\", \"type\": \"render\"},"
		"{\"id\": \"peer\", \"type\": \"http-sink\"},"
		"{\"id\": \"q2\", \"type\": \"query\"}, {\"id\": \"r2\", \"type\": \"render\"},"
		"{\"id\": \"file\", \"type\": \"file-sink\"}],"
		"\"edges\": [{\"from\": \"minute\", \"to\": \"bus\"}, {\"from\": \"bus\", \"to\": "
		"\"decode\"}, {\"from\": \"decode\", \"to\": \"store\"},"
		"{\"from\": \"minute\", \"to\": \"q\"}, {\"from\": \"q\", \"to\": \"r\"},"
		"{\"from\": \"r\", \"to\": \"peer\"},"
		"{\"from\": \"minute\", \"to\": \"q2\"}, {\"from\": \"q2\", \"to\": \"r2\"},"
		"{\"from\": \"r2\", \"to\": \"file\"}]}");
	ml_graph_free(graph);
}

static void big_graph(struct ml_buffer *text, bool good)
{
	ml_buffer_appendf(text, "{\"meterloom\": 1, \"nodes\": [\n");
	for (int i = 0; i < ML_GRAPH_NODES_MAX; i++)
		ml_buffer_appendf(text,
			"%s{\"id\": \"node-%d\", \"type\": \"%s\", \"params\": {\"interval\": "
			"%d.5}, \"version\": 3}",
			i ? ",\n" : "", i, good || i % 2 ? "aged" : "agde", i);
	ml_buffer_appendf(text, "], \"edges\": [\n");
	for (int i = 1; i < ML_GRAPH_NODES_MAX; i++)
		ml_buffer_appendf(text, "%s{\"from\": \"node-%d\", \"to\": \"nod%s-%d\"}",
			i > 1 ? ",\n" : "", i - 1, good ? "e" : "", i);
	ml_buffer_appendf(text, "]}\n");
	assert_false(text->failed);
}

/* The time itself is measured by the benchmark; here the largest graphs must only come to an end in
 * the time of a test, which walks that grow with the square would not. */
static void the_largest_graphs_are_checked(void **state)
{
	(void)state;
	for (int good = 0; good < 2; good++) {
		struct ml_buffer text = {0};
		struct ml_errors errors = {0};
		struct ml_graph *graph = NULL;
		big_graph(&text, good);
		const int result = ml_graph_parse(
			test_families, text.data, text.length, NULL, NULL, &graph, &errors);
		assert_int_equal(result, good ? 0 : -EINVAL);
		if (good) {
			struct test_aged aged;
			assert_int_equal(
				ml_graph_node_params(graph, 1999, NULL, NULL, &aged, &errors), 0);
			assert_int_equal(aged.interval, 1999 * ML_SEC + 500 * ML_MSEC);
		} else {
			assert_int_equal(errors.count, ML_ERRORS_MAX);
			assert_int_equal(errors.count + errors.more, 1000 + 1999);
			assert_int_equal(errors.items[0].line, 2);
		}
		ml_graph_free(graph);
		ml_errors_free(&errors);
		ml_buffer_free(&text);
	}
}

static void more_nodes_than_allowed_are_refused(void **state)
{
	(void)state;
	struct ml_buffer text = {0};
	struct ml_errors errors = {0};
	struct ml_graph *graph = NULL;
	ml_buffer_appendf(&text, "{\"meterloom\": 1, \"nodes\": [1");
	for (int i = 0; i < ML_GRAPH_NODES_MAX; i++)
		ml_buffer_appendf(&text, ",1");
	ml_buffer_appendf(&text, "], \"edges\": [1");
	for (int i = 0; i < ML_GRAPH_EDGES_MAX; i++)
		ml_buffer_appendf(&text, ",1");
	ml_buffer_appendf(&text, "]}");
	assert_int_equal(
		ml_graph_parse(test_families, text.data, text.length, NULL, NULL, &graph, &errors),
		-EINVAL);
	assert_int_equal(errors.count, 2);
	assert_string_equal(errors.items[0].text, "found 2001 nodes, expected at most 2000");
	assert_string_equal(errors.items[1].text, "found 8001 edges, expected at most 8000");
	ml_errors_free(&errors);
	ml_buffer_free(&text);
}

static const json_t *no_setting(void *user, const char *setting)
{
	(void)user;
	(void)setting;
	return NULL;
}

/* ---- Out of memory at every allocation ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);

static long allocations_left = -1; /* -1: no end */

static bool may_allocate(void)
{
	if (allocations_left < 0)
		return true;
	return allocations_left > 0 && allocations_left-- > 0;
}

void *__wrap_malloc(size_t size)
{
	return may_allocate() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return may_allocate() ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *memory, size_t size)
{
	return may_allocate() ? __real_realloc(memory, size) : NULL;
}

char *__wrap_strdup(const char *text)
{
	return may_allocate() ? __real_strdup(text) : NULL;
}

static void *limited_malloc(size_t size)
{
	return may_allocate() ? __real_malloc(size) : NULL;
}

static void nothing_is_left_behind_when_memory_ends(void **state)
{
	(void)state;
	json_set_alloc_funcs(limited_malloc, free);
	int result = -ENOMEM;
	long tries = 0;
	for (; result != 0; tries++) {
		assert_true(tries < 2000);
		struct ml_errors errors = {0};
		struct ml_graph *graph = NULL;
		allocations_left = tries;
		result = ml_graph_parse(test_families, gateway, sizeof gateway - 1, no_setting,
			NULL, &graph, &errors);
		allocations_left = -1;
		assert_true(result == 0 || result == -ENOMEM || result == -EINVAL);
		assert_true(result == 0 ? graph != NULL : graph == NULL);
		assert_true(result == 0 || errors.count + errors.more > 0);
		ml_graph_free(graph);
		ml_errors_free(&errors);
	}
	assert_true(tries > 100);
	json_set_alloc_funcs(malloc, free);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_graph_is_made_out),
		cmocka_unit_test(port_that_must_be_named_is_never_meant_otherwise),
		cmocka_unit_test(an_empty_graph_is_good),
		cmocka_unit_test(parameters_keep_their_digits),
		cmocka_unit_test(old_parameters_are_migrated),
		cmocka_unit_test(what_follows_optional_edges_alone_is_optional),
		cmocka_unit_test(a_sink_may_wait_for_what_is_stored),
		cmocka_unit_test(the_largest_graphs_are_checked),
		cmocka_unit_test(more_nodes_than_allowed_are_refused),
		cmocka_unit_test(nothing_is_left_behind_when_memory_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
