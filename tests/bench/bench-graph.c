/* What a graph costs: parsed and checked whole, and compared with another, beside jansson's mere
 * parsing. SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <meterloom/clock.h>
#include <meterloom/family.h>

#include "graph/difference.h"
#include "graph/graph.h"

enum { TURNS = 20 };

extern const struct ml_family *const ml_families[];

/* Readers with a decoder and a store each, and five schedules, since a graph may have more nodes
 * than nodes that begin rounds; as long as a graph may be. */
static void write_graph(struct ml_buffer *out, int nodes, int baud)
{
	ml_buffer_appendf(out, "{\"meterloom\": 1, \"nodes\": [");
	for (int i = 0; i < nodes; i += 8) {
		ml_buffer_appendf(out,
			"%s\n{\"id\": \"bus-%d\", \"type\": \"mbus-source\", \"params\": "
			"{\"interface\": \"tcp:10.0.%d.%d:10001\", \"bus\": \"b%d\", "
			"\"baud\": %d}}",
			i ? "," : "", i, i / 8 / 200, i / 8 % 200, i, baud);
		ml_buffer_appendf(out,
			",\n{\"id\": \"decode-%d\", \"type\": \"decode\"}"
			",\n{\"id\": \"store-%d\", \"type\": \"store\"}",
			i, i);
		for (int at = i; at < i + 5; at++)
			ml_buffer_appendf(out,
				",\n{\"id\": \"at-%d\", \"type\": \"cron-trigger\", \"params\": "
				"{\"schedule\": \"*/15 * * * *\"}}",
				at);
	}
	ml_buffer_appendf(out, "], \"edges\": [");
	for (int i = 0; i < nodes; i += 8) {
		ml_buffer_appendf(out,
			"%s\n{\"from\": \"bus-%d\", \"to\": \"decode-%d\", \"capacity\": 512},"
			"\n{\"from\": \"decode-%d\", \"to\": \"store-%d\", \"when_full\": "
			"\"wait\"}",
			i ? "," : "", i, i, i, i);
		for (int at = i; at < i + 5; at++)
			ml_buffer_appendf(
				out, ",\n{\"from\": \"at-%d\", \"to\": \"bus-%d\"}", at, i);
	}
	ml_buffer_appendf(out, "]}\n");
}

static double parse(const struct ml_clock *clock, const struct ml_buffer *text)
{
	const ml_time begin = ml_clock_monotonic(clock);
	for (int i = 0; i < TURNS; i++) {
		struct ml_errors errors = {0};
		struct ml_graph *graph = NULL;
		if (ml_graph_parse(ml_families, text->data, text->length, NULL, NULL, &graph,
			    &errors) != 0) {
			(void)fprintf(
				stderr, "%s: %s\n", errors.items[0].pointer, errors.items[0].text);
			exit(1);
		}
		ml_graph_free(graph);
	}
	return (double)(ml_clock_monotonic(clock) - begin) / (double)ML_MSEC / TURNS;
}

static double parse_json(const struct ml_clock *clock, const struct ml_buffer *text)
{
	const ml_time begin = ml_clock_monotonic(clock);
	for (int i = 0; i < TURNS; i++)
		json_decref(json_loadb(text->data, text->length, 0, NULL));
	return (double)(ml_clock_monotonic(clock) - begin) / (double)ML_MSEC / TURNS;
}

static double compare(
	const struct ml_clock *clock, const struct ml_buffer *from, const struct ml_buffer *to)
{
	const ml_time begin = ml_clock_monotonic(clock);
	for (int i = 0; i < TURNS; i++) {
		struct ml_difference difference;
		if (ml_difference_make(ml_families, from->data, from->length, to->data, to->length,
			    &difference, NULL) != 0)
			exit(1);
		ml_difference_free(&difference);
	}
	return (double)(ml_clock_monotonic(clock) - begin) / (double)ML_MSEC / TURNS;
}

int main(void)
{
	struct ml_clock *const clock = ml_clock_new_real();
	static const int sizes[] = {200, ML_GRAPH_NODES_MAX};
	for (size_t i = 0; i < 2; i++) {
		struct ml_buffer text = {0}, other = {0};
		write_graph(&text, sizes[i], 2400);
		write_graph(&other, sizes[i], 300);
		(void)printf(
			"%4d nodes, %zu bytes: parse and check %.2f ms (limit at 2000: 20 ms), "
			"difference %.2f ms; jansson only parses in %.2f ms\n",
			sizes[i], text.length, parse(clock, &text), compare(clock, &text, &other),
			parse_json(clock, &text));
		ml_buffer_free(&text);
		ml_buffer_free(&other);
	}
	ml_clock_free(clock);
	return 0;
}
