/* Differences between graphs: what a person sees before an apply, after a conflict and in a
 * revision. SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "classes.h"
#include "graph/difference.h"

#define NODES(bus, rest) \
	"{\"meterloom\": 1, \"nodes\": [{\"id\": \"bus\", \"type\": \"bus-source\"" bus "}," \
	"{\"id\": \"decode\", \"type\": \"decode\"}," \
	"{\"id\": \"store\", \"type\": \"store\"}" rest "]"
#define BUS ", \"params\": {\"interface\": \"x\", \"scale\": 0.10}"
#define EDGES \
	", \"edges\": [{\"from\": \"bus\", \"to\": \"decode\"}, {\"from\": \"decode\", \"to\": " \
	"\"store\"}]"
#define SAME "\"runs\":false"
#define NO_NODES \
	"\"nodes\":{\"added\":[],\"removed\":[],\"changed\":[],\"rewired\":[],\"moved\":[]," \
	"\"remarked\":[]}"
#define NO_EDGES "\"edges\":{\"added\":[],\"removed\":[],\"changed\":[]}"

static const char base[] = NODES(BUS, "") EDGES "}";

static void check(const char *from, const char *to, const char *expected)
{
	struct ml_difference difference;
	struct ml_error err = ML_ERROR_NONE;
	struct ml_buffer buffer = {0};
	struct ml_json_writer w;
	assert_int_equal(ml_difference_make(test_families, from, strlen(from), to, strlen(to),
				 &difference, &err),
		0);
	ml_json_writer_init(&w, &buffer);
	ml_difference_to_json(&difference, &w);
	assert_string_equal(buffer.data, expected);
	ml_buffer_free(&buffer);
	ml_difference_free(&difference);
}

static void nothing_differs(void **state)
{
	(void)state;
	static const char nothing[] = "{" SAME "," NO_NODES "," NO_EDGES ",\"graph\":[]}";
	check(base, base, nothing);
	/* What holds where it is left out, ports that are meant anyway, another order. */
	check(base,
		"{\"nodes\": [{\"id\": \"decode\", \"type\": \"decode\", \"params\": {}, "
		"\"version\": 1},"
		"{\"id\": \"store\", \"type\": \"store\"},"
		"{\"id\": \"bus\", \"type\": \"bus-source\" " BUS "}],"
		"\"edges\": [{\"from\": \"decode.out\", \"to\": \"store.in\", \"capacity\": 256,"
		"\"when_full\": \"wait\", \"optional\": false}, {\"from\": \"bus\", \"to\": "
		"\"decode.in\"}], \"meterloom\": 1}",
		nothing);
}

static void a_parameter_is_changed(void **state)
{
	(void)state;
	check(base,
		NODES(", \"lane\": \"line\", \"params\": {\"interface\": \"y\", \"scale\": 0.20,"
		      "\"baud\": 300}",
			"") EDGES "}",
		"{\"runs\":true,\"nodes\":{\"added\":[],\"removed\":[],\"changed\":[{\"id\":"
		"\"bus\","
		"\"values\":[{\"pointer\":\"/lane\",\"to\":\"line\"},"
		"{\"pointer\":\"/params/interface\",\"from\":\"x\",\"to\":\"y\"},"
		"{\"pointer\":\"/params/scale\",\"from\":0.10,\"to\":0.20},"
		"{\"pointer\":\"/params/baud\",\"to\":300}]}],"
		"\"rewired\":[],\"moved\":[],\"remarked\":[]}," NO_EDGES ",\"graph\":[]}");
}

static void nodes_and_edges_come_and_go(void **state)
{
	(void)state;
	static const char with_filter[] = NODES(
		BUS, ", {\"id\": \"f\", \"type\": \"filter\"}") ", \"edges\": ["
								"{\"from\": \"bus\", \"to\": "
								"\"decode\", \"when_full\": "
								"\"drop-oldest\"},"
								"{\"from\": \"decode\", \"to\": "
								"\"f\"}, {\"from\": \"f.out\", "
								"\"to\": \"store\"}]}";
	check(base, with_filter,
		"{\"runs\":true,\"nodes\":{\"added\":[\"f\"],\"removed\":[],\"changed\":[],"
		"\"rewired\":[\"decode\",\"store\"],\"moved\":[],\"remarked\":[]},"
		"\"edges\":{\"added\":[\"decode.out>f.in\",\"f.out>store.in\"],"
		"\"removed\":[\"decode.out>store.in\"],\"changed\":[{\"edge\":\"bus.out>decode."
		"in\","
		"\"values\":[{\"pointer\":\"/"
		"when_full\",\"to\":\"drop-oldest\"}]}]},\"graph\":[]}");
	check(with_filter, base,
		"{\"runs\":true,\"nodes\":{\"added\":[],\"removed\":[\"f\"],\"changed\":[],"
		"\"rewired\":[\"decode\",\"store\"],\"moved\":[],\"remarked\":[]},"
		"\"edges\":{\"added\":[\"decode.out>store.in\"],"
		"\"removed\":[\"decode.out>f.in\",\"f.out>store.in\"],"
		"\"changed\":[{\"edge\":\"bus.out>decode.in\","
		"\"values\":[{\"pointer\":\"/"
		"when_full\",\"from\":\"drop-oldest\"}]}]},\"graph\":[]}");
}

static void what_is_only_moved_or_remarked_does_not_run(void **state)
{
	(void)state;
	check(base,
		NODES(BUS ", \"remark\": \"north\"", "") EDGES
		", \"name\": \"Süd\", \"layout\": {\"decode\": [1, 2]}}",
		"{\"runs\":false,\"nodes\":{\"added\":[],\"removed\":[],\"changed\":[],\"rewired\":"
		"[],"
		"\"moved\":[\"decode\"],\"remarked\":[\"bus\"]}," NO_EDGES
		",\"graph\":[{\"pointer\":\"/name\",\"to\":\"Süd\"}]}");
}

static void a_graph_that_no_longer_checks_is_compared_too(void **state)
{
	(void)state;
	check("{\"nodes\": [{\"id\": \"a\", \"type\": \"gone\"}, 7, {\"id\": \"b\"}], \"edges\": "
	      "[{\"from\": \"a\", \"to\": \"b.in\"}, null]}",
		"{\"nodes\": [{\"id\": \"a\", \"type\": \"gone\"}, {\"id\": \"b\"}], \"edges\": "
		"[]}",
		"{\"runs\":true,\"nodes\":{\"added\":[],\"removed\":[\"\"],\"changed\":[],"
		"\"rewired\":[\"a\",\"b\"],\"moved\":[],\"remarked\":[]},"
		"\"edges\":{\"added\":[],\"removed\":[\"a>b.in\",\">\"],\"changed\":[]},\"graph\":["
		"]}");
}

static void long_values_are_not_shown(void **state)
{
	(void)state;
	static char text[8192];
	static const char head[] = "{\"nodes\": [{\"id\": \"a\", \"params\": {\"script\": \"";
	memset(text, 'x', sizeof text);
	memcpy(text, head, sizeof head - 1);
	strcpy(text + 6000, "\"}}]}");
	check(text, "{\"nodes\": [{\"id\": \"a\", \"params\": {\"script\": \"y\"}}]}",
		"{\"runs\":true,\"nodes\":{\"added\":[],\"removed\":[],\"changed\":[{\"id\":\"a\","
		"\"values\":[{\"pointer\":\"/params/script\",\"to\":\"y\"}]}],\"rewired\":[],"
		"\"moved\":[],\"remarked\":[]}," NO_EDGES ",\"graph\":[]}");
}

static void what_is_no_graph_is_an_error(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "[]", "{\"nodes\": ["};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct ml_difference difference;
		struct ml_error err = ML_ERROR_NONE;
		assert_int_equal(ml_difference_make(test_families, base, sizeof base - 1, texts[i],
					 strlen(texts[i]), &difference, &err),
			-EINVAL);
		assert_true(*err.text);
		assert_int_equal(difference.nodes.count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_differs),
		cmocka_unit_test(a_parameter_is_changed),
		cmocka_unit_test(nodes_and_edges_come_and_go),
		cmocka_unit_test(what_is_only_moved_or_remarked_does_not_run),
		cmocka_unit_test(a_graph_that_no_longer_checks_is_compared_too),
		cmocka_unit_test(long_values_are_not_shown),
		cmocka_unit_test(what_is_no_graph_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
