/* What holds for a graph as a whole: lanes, required inputs, no cycle, no store that waits for a
 * peer, one sink behind a query; and which edges are optional by what leads to them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each rule takes time in proportion to nodes and edges.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/check.h"

/* Edges by the node they leave or enter: those of node n are list[first[n]] to list[first[n + 1]].
 */
struct by_node {
	size_t *first, *list;
};

struct rules {
	struct graph_check *check;
	const struct ml_graph *graph;
	struct by_node out, in;
	size_t *order; /* nodes, each after all that lead to it; those of a cycle are missing */
	size_t ordered;
	size_t *number; /* scratch, one a node */
	size_t *stack;  /* scratch, one a node */
	bool *mark;     /* scratch, one a node */
};

static bool is(const struct ml_graph_node *node, unsigned flag)
{
	return node->class && (node->class->flags & flag);
}

/* ---- Edges by node ---- */

static bool sort_edges(const struct ml_graph *graph, bool out, struct by_node *sorted)
{
	sorted->first = calloc(graph->node_count + 2, sizeof *sorted->first);
	sorted->list = calloc(graph->edge_count + 1, sizeof *sorted->list);
	if (!sorted->first || !sorted->list)
		return false;
	size_t *const next = sorted->first + 1; /* moves on to be the begin of the node after */
	for (size_t i = 0; i < graph->edge_count; i++) {
		const size_t node = out ? graph->edges[i].from : graph->edges[i].to;
		if (node + 1 < graph->node_count)
			next[node + 1]++;
	}
	for (size_t n = 1; n < graph->node_count; n++)
		next[n] += next[n - 1];
	for (size_t i = 0; i < graph->edge_count; i++) {
		const size_t node = out ? graph->edges[i].from : graph->edges[i].to;
		sorted->list[next[node]++] = i;
	}
	return true;
}

/* ---- Order and cycles ---- */

/* Kahn: `number` counts the edges not yet followed into a node. */
static void find_order(struct rules *rules)
{
	const struct ml_graph *const graph = rules->graph;
	for (size_t n = 0; n < graph->node_count; n++) {
		rules->number[n] = rules->in.first[n + 1] - rules->in.first[n];
		if (rules->number[n] == 0)
			rules->order[rules->ordered++] = n;
	}
	for (size_t done = 0; done < rules->ordered; done++) {
		const size_t n = rules->order[done];
		for (size_t i = rules->out.first[n]; i < rules->out.first[n + 1]; i++) {
			const size_t to = graph->edges[rules->out.list[i]].to;
			if (--rules->number[to] == 0)
				rules->order[rules->ordered++] = to;
		}
	}
}

/* The nodes on the stack from the place `begin` on, and the first again. */
static void tell_cycle(struct rules *rules, size_t begin, size_t depth, size_t edge)
{
	char path[200] = "";
	size_t used = 0;
	for (size_t i = begin; i <= depth && used < sizeof path; i++) {
		const size_t node = rules->stack[i < depth ? i : begin];
		const int n = snprintf(path + used, sizeof path - used, "%s%s",
			i > begin ? " > " : "", rules->graph->nodes[node].id);
		used += n < 0 ? sizeof path : (size_t)n;
	}
	if (used >= sizeof path)
		memcpy(path + sizeof path - 4, "...", 4);
	ml_errors_addf(rules->check->errors, -EINVAL, rules->graph->edges[edge].pointer,
		"a cycle: %s; data must flow one way", path);
}

/* Walks on from `start` among the nodes without a place in the order. `number` is the place on the
 * stack from 1, or 0 for what is not on it; `mark` is set for what was walked through. */
static void find_cycles_from(struct rules *rules, size_t start, size_t *edge_at)
{
	size_t depth = 0;
	rules->stack[depth++] = start;
	rules->number[start] = depth;
	rules->mark[start] = true;
	edge_at[start] = rules->out.first[start];
	while (depth > 0) {
		const size_t n = rules->stack[depth - 1];
		if (edge_at[n] == rules->out.first[n + 1]) {
			rules->number[n] = 0;
			depth--;
			continue;
		}
		const size_t edge = rules->out.list[edge_at[n]++];
		const size_t to = rules->graph->edges[edge].to;
		if (rules->number[to] > 0) {
			tell_cycle(rules, rules->number[to] - 1, depth, edge);
		} else if (!rules->mark[to]) {
			rules->stack[depth++] = to;
			rules->number[to] = depth;
			rules->mark[to] = true;
			edge_at[to] = rules->out.first[to];
		}
	}
}

static void check_cycles(struct rules *rules)
{
	const size_t count = rules->graph->node_count;
	find_order(rules);
	if (rules->ordered == count)
		return;
	size_t *const edge_at = calloc(count, sizeof *edge_at);
	if (!edge_at) {
		rules->check->no_memory = true;
		return;
	}
	memset(rules->mark, 0, count * sizeof *rules->mark);
	for (size_t i = 0; i < rules->ordered; i++)
		rules->mark[rules->order[i]] = true;
	memset(rules->number, 0, count * sizeof *rules->number);
	for (size_t n = 0; n < count; n++) {
		if (!rules->mark[n])
			find_cycles_from(rules, n, edge_at);
	}
	free(edge_at);
}

/* ---- Required inputs ---- */

static void check_inputs(struct rules *rules)
{
	for (size_t n = 0; n < rules->graph->node_count; n++) {
		const struct ml_graph_node *const node = &rules->graph->nodes[n];
		if (!node->class || rules->check->doubtful[n])
			continue;
		for (unsigned p = 0; node->class->ports[p].name; p++) {
			const struct ml_port *const port = &node->class->ports[p];
			if (port->direction != ML_INPUT || !port->required)
				continue;
			size_t i = rules->in.first[n];
			while (i < rules->in.first[n + 1] &&
				rules->graph->edges[rules->in.list[i]].to_port != p)
				i++;
			if (i == rules->in.first[n + 1])
				ml_errors_addf(rules->check->errors, -EINVAL, node->pointer,
					"the input '%s' of '%s' must be wired: join a node that "
					"gives %s",
					port->name, node->id, port->type->name);
		}
	}
}

/* ---- Lanes ---- */

static void check_lanes(struct rules *rules)
{
	struct ml_names lanes;
	if (!ml_names_init(&lanes, 32)) {
		rules->check->no_memory = true;
		return;
	}
	for (size_t n = 0; n < rules->graph->node_count; n++) {
		const struct ml_graph_node *const node = &rules->graph->nodes[n];
		if (ml_names_add(&lanes, node->lane, n, &rules->check->no_memory) !=
				ML_NAMES_NONE ||
			lanes.count != ML_GRAPH_LANES_MAX + 1)
			continue;
		ml_errors_addf(rules->check->errors, -EINVAL, node->pointer,
			"the lane '%s' is one too many: each is a thread, and a graph has at most "
			"%d",
			node->lane, ML_GRAPH_LANES_MAX);
	}
	ml_names_free(&lanes);
}

/* ---- Rounds ---- */

static void check_round_sources(struct rules *rules)
{
	size_t count = 0;
	for (size_t n = 0; n < rules->graph->node_count; n++) {
		const struct ml_graph_node *const node = &rules->graph->nodes[n];
		if (!is(node, ML_NODE_ROUNDS) || ++count != ML_GRAPH_ROUND_SOURCES_MAX + 1)
			continue;
		ml_errors_addf(rules->check->errors, -EINVAL, node->pointer,
			"'%s' (%s) is one too many: a graph has at most %d nodes that begin rounds",
			node->id, node->class->type, ML_GRAPH_ROUND_SOURCES_MAX);
	}
}

/* ---- A dead peer must not stop a store ---- */

/* Marks each node from which a store can be reached, a store itself too. */
static void mark_before_stores(struct rules *rules)
{
	const struct ml_graph *const graph = rules->graph;
	size_t depth = 0;
	memset(rules->mark, 0, graph->node_count * sizeof *rules->mark);
	for (size_t n = 0; n < graph->node_count; n++) {
		if (is(&graph->nodes[n], ML_NODE_STORE)) {
			rules->mark[n] = true;
			rules->stack[depth++] = n;
		}
	}
	while (depth > 0) {
		const size_t n = rules->stack[--depth];
		for (size_t i = rules->in.first[n]; i < rules->in.first[n + 1]; i++) {
			const size_t from = graph->edges[rules->in.list[i]].from;
			if (!rules->mark[from]) {
				rules->mark[from] = true;
				rules->stack[depth++] = from;
			}
		}
	}
}

static void tell_wait(struct rules *rules, const struct ml_graph_edge *edge, size_t sink)
{
	const struct ml_graph_node *const nodes = rules->graph->nodes;
	ml_errors_addf(rules->check->errors, -EINVAL, edge->pointer,
		"a dead peer of '%s' would stop what '%s' gives to the store: put \"when_full\": "
		"\"drop-oldest\" here, or feed '%s' from what is stored",
		nodes[sink].id, nodes[edge->from].id, nodes[sink].id);
}

/* Back-pressure of a network sink goes back along `wait` edges, up to a source, which takes what
 * triggers it all the same. Where it comes to a node before a store, that edge is the error.
 * `number` is the sink a node waits for, from 1. */
static void check_waits(struct rules *rules)
{
	const struct ml_graph *const graph = rules->graph;
	mark_before_stores(rules);
	memset(rules->number, 0, graph->node_count * sizeof *rules->number);
	size_t depth = 0;
	for (size_t n = 0; n < graph->node_count; n++) {
		if (is(&graph->nodes[n], ML_NODE_NETWORK_SINK)) {
			rules->number[n] = n + 1;
			rules->stack[depth++] = n;
		}
	}
	while (depth > 0) {
		const size_t n = rules->stack[--depth];
		if (is(&graph->nodes[n], ML_NODE_SOURCE) || is(&graph->nodes[n], ML_NODE_QUERY))
			continue;
		for (size_t i = rules->in.first[n]; i < rules->in.first[n + 1]; i++) {
			const struct ml_graph_edge *const edge = &graph->edges[rules->in.list[i]];
			if (edge->when_full != ML_FULL_WAIT)
				continue;
			if (rules->mark[edge->from]) {
				tell_wait(rules, edge, rules->number[n] - 1);
			} else if (rules->number[edge->from] == 0) {
				rules->number[edge->from] = rules->number[n];
				rules->stack[depth++] = edge->from;
			}
		}
	}
}

/* ---- One sink behind what is for one destination ---- */

static bool is_sink(const struct ml_graph_node *node)
{
	return node->class && strcmp(node->class->category, "sink") == 0;
}

static void check_sinks_of(struct rules *rules, size_t start)
{
	const struct ml_graph *const graph = rules->graph;
	size_t depth = 0, first = ML_NAMES_NONE;
	rules->stack[depth++] = start;
	rules->number[start] = start + 1; /* walked through from this start */
	while (depth > 0) {
		const size_t n = rules->stack[--depth];
		if (is_sink(&graph->nodes[n])) {
			if (first != ML_NAMES_NONE)
				ml_errors_addf(rules->check->errors, -EINVAL,
					graph->nodes[n].pointer,
					"'%s' and '%s' both get what '%s' gives for one "
					"destination: "
					"give each its own",
					graph->nodes[first].id, graph->nodes[n].id,
					graph->nodes[start].id);
			first = n;
		}
		for (size_t i = rules->out.first[n]; i < rules->out.first[n + 1]; i++) {
			const size_t to = graph->edges[rules->out.list[i]].to;
			if (rules->number[to] != start + 1) {
				rules->number[to] = start + 1;
				rules->stack[depth++] = to;
			}
		}
	}
}

static void check_sinks(struct rules *rules)
{
	const struct ml_graph *const graph = rules->graph;
	memset(rules->number, 0, graph->node_count * sizeof *rules->number);
	for (size_t n = 0; n < graph->node_count; n++) {
		if (is(&graph->nodes[n], ML_NODE_ONE_SINK))
			check_sinks_of(rules, n);
	}
}

/* ---- Optional by what leads there ---- */

/* A node that only optional edges lead to gives nothing that must arrive; a source or a query gives
 * its own. */
static void spread_optional(struct rules *rules)
{
	struct ml_graph *const graph = rules->check->graph;
	for (size_t i = 0; i < rules->ordered; i++) {
		const size_t n = rules->order[i];
		const size_t begin = rules->in.first[n], end = rules->in.first[n + 1];
		bool optional =
			begin < end && !is(&graph->nodes[n], ML_NODE_SOURCE | ML_NODE_QUERY);
		for (size_t j = begin; optional && j < end; j++)
			optional = graph->edges[rules->in.list[j]].optional;
		for (size_t j = rules->out.first[n]; optional && j < rules->out.first[n + 1]; j++)
			graph->edges[rules->out.list[j]].optional = true;
	}
}

static bool prepare(struct rules *rules)
{
	const size_t count = rules->graph->node_count + 1;
	rules->order = calloc(count, sizeof *rules->order);
	rules->number = calloc(count, sizeof *rules->number);
	rules->stack = calloc(count, sizeof *rules->stack);
	rules->mark = calloc(count, sizeof *rules->mark);
	return rules->order && rules->number && rules->stack && rules->mark &&
	       sort_edges(rules->graph, true, &rules->out) &&
	       sort_edges(rules->graph, false, &rules->in);
}

void graph_check_rules(struct graph_check *check)
{
	struct rules rules = {.check = check, .graph = check->graph};
	if (!check->graph->nodes)
		return;
	if (prepare(&rules)) {
		check_inputs(&rules);
		check_lanes(&rules);
		check_round_sources(&rules);
		check_cycles(&rules);
		check_waits(&rules);
		check_sinks(&rules);
		spread_optional(&rules);
	} else {
		check->no_memory = true;
	}
	free(rules.out.first);
	free(rules.out.list);
	free(rules.in.first);
	free(rules.in.list);
	free(rules.order);
	free(rules.number);
	free(rules.stack);
	free(rules.mark);
}
