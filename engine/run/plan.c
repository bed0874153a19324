/* Planning an apply.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/settings.h"

/* ---- What stays ---- */

struct by_name {
	const char *name;
	size_t index;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct by_name *)a)->name, ((const struct by_name *)b)->name);
}

static const struct by_name *look_up(const struct by_name *table, size_t count, const char *name)
{
	const struct by_name key = {.name = name};
	return count ? bsearch(&key, table, count, sizeof *table, compare_names) : NULL;
}

/* The settings that this node's parameters take, by name. NULL: out of memory. */
static json_t *inherited(struct ml_engine *engine, const struct ml_graph_node *node)
{
	json_t *values = json_object();
	for (const struct ml_param *p = node->class->params; values && p && p->name; p++) {
		if (!(p->flags & ML_PARAM_INHERIT) || json_object_get(node->params, p->name))
			continue;
		const json_t *value = ml_engine_inherit(engine, p->setting);
		json_t *copy = value ? json_deep_copy(value) : json_null();
		if (json_object_set_new(values, p->setting, copy)) {
			json_decref(values);
			return NULL;
		}
	}
	return values;
}

static bool same(const struct ml_node *old, const struct ml_graph_node *before,
	const struct ml_graph_node *after, const json_t *settings)
{
	return strcmp(old->lane->name, after->lane) == 0 &&
	       json_equal(before->params, after->params) && json_equal(old->inherited, settings);
}

static int match_nodes(struct ml_plan *plan, struct ml_errors *errors)
{
	const struct ml_runtime *runtime = plan->runtime;
	struct by_name *table = calloc(runtime->node_count + 1, sizeof *table);
	int r = table ? 0 : -ENOMEM;
	if (r)
		goto out;
	for (size_t i = 0; i < runtime->node_count; i++) {
		table[i] = (struct by_name){runtime->nodes[i]->id, i};
		runtime->nodes[i]->place = SIZE_MAX;
	}
	qsort(table, runtime->node_count, sizeof *table, compare_names);
	for (size_t i = 0; i < plan->graph->node_count; i++) {
		const struct ml_graph_node *wanted = &plan->graph->nodes[i];
		struct ml_plan_node *node = &plan->nodes[i];
		const struct by_name *found = look_up(table, runtime->node_count, wanted->id);
		json_t *settings = inherited(plan->engine, wanted);
		if (!settings) {
			r = -ENOMEM;
			goto out;
		}
		node->action = ML_PLAN_ADD;
		/* One of another class under the same id is another node: the old one goes. */
		if (found && runtime->nodes[found->index]->class == wanted->class) {
			plan->node_stays[found->index] = true;
			node->old = runtime->nodes[found->index];
			node->old->place = i;
			node->action = same(node->old, &runtime->graph->nodes[found->index], wanted,
					       settings)
					       ? ML_PLAN_KEEP
					       : ML_PLAN_CHANGE;
		}
		if (node->action == ML_PLAN_KEEP) {
			node->node = node->old;
			json_decref(settings);
			continue;
		}
		r = ml_node_new(plan->engine, plan->graph, wanted, &node->node, errors);
		if (r) {
			json_decref(settings);
			goto out;
		}
		node->node->inherited = settings;
	}
out:
	free(table);
	return r;
}

static int match_edges(struct ml_plan *plan)
{
	const struct ml_runtime *runtime = plan->runtime;
	struct by_name *table = calloc(runtime->edge_count + 1, sizeof *table);
	int r = table ? 0 : -ENOMEM;
	if (r)
		goto out;
	for (size_t i = 0; i < runtime->edge_count; i++)
		table[i] = (struct by_name){runtime->edges[i]->key, i};
	qsort(table, runtime->edge_count, sizeof *table, compare_names);
	for (size_t i = 0; i < plan->graph->edge_count && !r; i++) {
		const struct ml_graph_edge *wanted = &plan->graph->edges[i];
		struct ml_plan_edge *edge = &plan->edges[i];
		const struct by_name *found = look_up(table, runtime->edge_count, wanted->key);
		struct ml_edge *old = found ? runtime->edges[found->index] : NULL;
		if (old && old->from && old->from->place == wanted->from &&
			old->to->place == wanted->to) {
			edge->edge = old;
			plan->edge_stays[found->index] = true;
			if (edge->edge->ring->mask + 1 != wanted->capacity) {
				edge->ring = ml_ring_new(wanted->capacity, 0);
				r = edge->ring ? 0 : -ENOMEM;
			}
		} else {
			edge->added = true;
			r = ml_edge_new(wanted, &edge->edge);
		}
	}
out:
	free(table);
	return r;
}

/* ---- Rounds and optional branches ---- */

/* Each source of rounds has a number, which stays with it. The check has seen that there are
 * enough. */
static void choose_origins(struct ml_plan *plan)
{
	uint64_t taken[ML_ORIGINS_MAX / 64] = {0};
	uint32_t next = 0;
	for (size_t i = 0; i < plan->graph->node_count; i++) {
		struct ml_plan_node *node = &plan->nodes[i];
		if (!node->old || !(node->old->class->flags & ML_NODE_ROUNDS))
			continue;
		node->origin = node->old->origin;
		taken[node->origin / 64] |= (uint64_t)1 << (node->origin % 64);
	}
	for (size_t i = 0; i < plan->graph->node_count; i++) {
		struct ml_plan_node *node = &plan->nodes[i];
		if (node->old || !(plan->graph->nodes[i].class->flags & ML_NODE_ROUNDS))
			continue;
		while (taken[next / 64] >> (next % 64) & 1)
			next++;
		node->origin = next++;
	}
}

/* Follows the rounds of one source along the edges. Each node is entered once. */
static void spread(struct ml_plan *plan, size_t source, size_t *stack, bool *entered,
	const size_t *first_edge, const size_t *next_edge)
{
	const uint32_t origin = plan->nodes[source].origin;
	size_t depth = 0;
	stack[depth++] = source;
	entered[source] = true;
	while (depth) {
		const size_t at = stack[--depth];
		for (size_t e = first_edge[at]; e != SIZE_MAX; e = next_edge[e]) {
			plan->edges[e].origins[origin / 64] |= (uint64_t)1 << (origin % 64);
			const size_t to = plan->graph->edges[e].to;
			if (entered[to] || plan->graph->nodes[to].class->flags &
						   (ML_NODE_ROUNDS | ML_NODE_QUERY))
				continue;
			entered[to] = true;
			stack[depth++] = to;
		}
	}
}

static int spread_rounds(struct ml_plan *plan)
{
	const struct ml_graph *graph = plan->graph;
	size_t *first = malloc((graph->node_count + 1) * sizeof *first);
	size_t *next = malloc((graph->edge_count + 1) * sizeof *next);
	size_t *stack = malloc((graph->node_count + 1) * sizeof *stack);
	bool *entered = calloc(graph->node_count + 1, sizeof *entered);
	int r = first && next && stack && entered ? 0 : -ENOMEM;
	if (r)
		goto out;
	for (size_t i = 0; i < graph->node_count; i++)
		first[i] = SIZE_MAX;
	for (size_t e = 0; e < graph->edge_count; e++) {
		next[e] = first[graph->edges[e].from];
		first[graph->edges[e].from] = e;
	}
	for (size_t i = 0; i < graph->node_count; i++) {
		if (!(graph->nodes[i].class->flags & ML_NODE_ROUNDS))
			continue;
		memset(entered, 0, graph->node_count * sizeof *entered);
		spread(plan, i, stack, entered, first, next);
	}
out:
	free(first);
	free(next);
	free(stack);
	free(entered);
	return r;
}

/* Only to know which lanes are affected: the commit looks at the wiring itself, in which old edges
 * may still drain (ml_node_is_optional()). */
static void find_optional(struct ml_plan *plan)
{
	const struct ml_graph *graph = plan->graph;
	for (size_t e = 0; e < graph->edge_count; e++) {
		const size_t to = graph->edges[e].to;
		plan->nodes[to].optional = !(graph->nodes[to].class->flags & ML_NODE_OWN_ACKS);
	}
	for (size_t e = 0; e < graph->edge_count; e++) {
		if (!graph->edges[e].optional)
			plan->nodes[graph->edges[e].to].optional = false;
	}
}

/* ---- Wiring ---- */

/* Kept nodes whose edges change, and all new ones, get a new wiring. */
static void find_rewired(struct ml_plan *plan)
{
	const struct ml_graph *graph = plan->graph;
	for (size_t i = 0; i < graph->node_count; i++)
		plan->nodes[i].rewired = plan->nodes[i].action != ML_PLAN_KEEP;
	for (size_t e = 0; e < graph->edge_count; e++) {
		if (!plan->edges[e].added)
			continue;
		plan->nodes[graph->edges[e].from].rewired = true;
		plan->nodes[graph->edges[e].to].rewired = true;
	}
	for (size_t e = 0; e < plan->runtime->edge_count; e++) {
		const struct ml_edge *edge = plan->runtime->edges[e];
		if (plan->edge_stays[e])
			continue;
		if (edge->from && edge->from->place != SIZE_MAX)
			plan->nodes[edge->from->place].rewired = true;
		if (edge->to->place != SIZE_MAX)
			plan->nodes[edge->to->place].rewired = true;
	}
}

static int append(struct ml_edge ***list, size_t *count, struct ml_edge *edge)
{
	/* Grows by doubling at powers of two. */
	if ((*count & (*count - 1)) == 0) {
		struct ml_edge **grown = realloc(*list, (*count ? *count * 2 : 1) * sizeof **list);
		if (!grown)
			return -ENOMEM;
		*list = grown;
	}
	(*list)[(*count)++] = edge;
	return 0;
}

static int wire(struct ml_plan *plan)
{
	const struct ml_graph *graph = plan->graph;
	int r = 0;
	for (size_t e = 0; e < graph->edge_count && !r; e++) {
		const struct ml_graph_edge *wanted = &graph->edges[e];
		struct ml_plan_node *from = &plan->nodes[wanted->from],
				    *to = &plan->nodes[wanted->to];
		struct ml_edge *edge = plan->edges[e].edge;
		if (from->rewired) {
			struct ml_wires *wires = &from->wiring.outputs[wanted->from_port];
			r = append(&wires->edges, &wires->count, edge);
		}
		if (to->rewired && !r)
			r = append(&to->wiring.inputs, &to->wiring.input_count, edge);
	}
	/* What still drains into a node that stays, and what begins to: from a node that goes. */
	for (size_t i = 0; i < graph->node_count && !r; i++) {
		struct ml_plan_node *node = &plan->nodes[i];
		for (size_t k = 0;
			node->rewired && node->old && !r && k < node->old->wiring.input_count;
			k++) {
			struct ml_edge *edge = node->old->wiring.inputs[k];
			if (!edge->in_graph)
				r = append(&node->wiring.inputs, &node->wiring.input_count, edge);
		}
	}
	return r;
}

/* Edges that go with one of their ends drain; those cut between two nodes that stay are given up.
 */
static int wire_draining(struct ml_plan *plan)
{
	const struct ml_runtime *runtime = plan->runtime;
	size_t count = 0;
	for (size_t e = 0; e < runtime->ending_count; e++) {
		struct ml_edge *edge = runtime->ending[e];
		if (edge->to->place != SIZE_MAX || !ml_node_stops_at_once(edge->to))
			plan->next_ending[count++] = edge;
	}
	for (size_t e = 0; e < runtime->edge_count; e++) {
		struct ml_edge *edge = runtime->edges[e];
		if (plan->edge_stays[e])
			continue;
		const bool from_stays = edge->from && edge->from->place != SIZE_MAX;
		const size_t to = edge->to->place;
		if (from_stays && to != SIZE_MAX)
			continue;
		if (to == SIZE_MAX && ml_node_stops_at_once(edge->to))
			continue;
		plan->next_ending[count++] = edge;
		if (to == SIZE_MAX)
			continue;
		struct ml_wiring *wiring = &plan->nodes[to].wiring;
		const int r = append(&wiring->inputs, &wiring->input_count, edge);
		if (r)
			return r;
	}
	plan->next_ending_count = count;
	return 0;
}

/* ---- Which lanes must stand still ---- */

static void affect(struct ml_plan *plan, const struct ml_node *node)
{
	if (node)
		plan->affected[node->lane->index] = true;
}

static void affect_ends(struct ml_plan *plan, const struct ml_edge *edge)
{
	affect(plan, edge->from);
	affect(plan, edge->to);
}

static void find_affected(struct ml_plan *plan)
{
	const struct ml_graph *graph = plan->graph;
	const struct ml_runtime *runtime = plan->runtime;
	for (size_t i = 0; i < graph->node_count; i++) {
		const struct ml_plan_node *node = &plan->nodes[i];
		if (node->rewired || node->node->optional != node->optional) {
			affect(plan, node->old);
			affect(plan, node->node);
		}
	}
	for (size_t e = 0; e < graph->edge_count; e++) {
		struct ml_plan_edge *edge = &plan->edges[e];
		const struct ml_graph_edge *wanted = &graph->edges[e];
		edge->touched =
			edge->added || edge->ring || edge->edge->when_full != wanted->when_full ||
			edge->edge->optional != wanted->optional ||
			memcmp(edge->edge->origins, edge->origins, sizeof edge->origins) != 0 ||
			plan->nodes[wanted->from].action != ML_PLAN_KEEP ||
			plan->nodes[wanted->to].action != ML_PLAN_KEEP;
		if (!edge->touched)
			continue;
		affect(plan, plan->nodes[wanted->from].node);
		affect(plan, plan->nodes[wanted->to].node);
		affect_ends(plan, edge->edge);
	}
	for (size_t e = 0; e < runtime->edge_count; e++) {
		if (!plan->edge_stays[e])
			affect_ends(plan, runtime->edges[e]);
	}
	for (size_t e = 0; e < runtime->ending_count; e++)
		affect_ends(plan, runtime->ending[e]);
	for (size_t i = 0; i < runtime->node_count; i++) {
		if (!plan->node_stays[i])
			affect(plan, runtime->nodes[i]);
	}
}

/* ---- All of it ---- */

static int allocate(struct ml_plan *plan)
{
	const struct ml_graph *graph = plan->graph;
	const struct ml_runtime *runtime = plan->runtime;
	const size_t edges = graph->edge_count + runtime->edge_count + runtime->ending_count + 1;
	plan->nodes = calloc(graph->node_count + 1, sizeof *plan->nodes);
	plan->edges = calloc(graph->edge_count + 1, sizeof *plan->edges);
	plan->node_stays = calloc(runtime->node_count + 1, sizeof *plan->node_stays);
	plan->edge_stays = calloc(runtime->edge_count + 1, sizeof *plan->edge_stays);
	plan->next_nodes = calloc(graph->node_count + 1, sizeof(struct ml_node *));
	plan->next_edges = calloc(graph->edge_count + 1, sizeof(struct ml_edge *));
	plan->next_draining =
		calloc(runtime->node_count + runtime->draining_count + 1, sizeof(struct ml_node *));
	plan->next_ending = calloc(edges, sizeof(struct ml_edge *));
	return plan->nodes && plan->edges && plan->node_stays && plan->edge_stays &&
			       plan->next_nodes && plan->next_edges && plan->next_draining &&
			       plan->next_ending
		       ? 0
		       : -ENOMEM;
}

static int allocate_lanes(struct ml_plan *plan)
{
	const struct ml_runtime *runtime = plan->runtime;
	const size_t edges =
		plan->graph->edge_count + runtime->edge_count + runtime->ending_count + 1;
	for (size_t i = 0; i < atomic_load(&plan->engine->lane_count); i++) {
		for (int k = 0; plan->affected[i] && k < 2; k++) {
			plan->lane_edges[i][k] = calloc(edges, sizeof(struct ml_edge *));
			if (!plan->lane_edges[i][k])
				return -ENOMEM;
		}
	}
	return 0;
}

int ml_plan_make(struct ml_engine *engine, struct ml_graph *graph, struct ml_plan *plan,
	struct ml_errors *errors)
{
	*plan = (struct ml_plan){.engine = engine, .runtime = engine->runtime, .graph = graph};
	int r = allocate(plan);
	if (!r)
		r = match_nodes(plan, errors);
	if (!r)
		r = match_edges(plan);
	if (!r) {
		choose_origins(plan);
		r = spread_rounds(plan);
	}
	if (!r) {
		find_optional(plan);
		find_rewired(plan);
		r = wire(plan);
	}
	if (!r)
		r = wire_draining(plan);
	if (!r) {
		find_affected(plan);
		r = allocate_lanes(plan);
	}
	if (r && errors->count == 0)
		ml_errors_addf(errors, r, "", "the graph could not be prepared: %s", strerror(-r));
	return r;
}

void ml_plan_free(struct ml_plan *plan)
{
	for (size_t i = 0; plan->nodes && i < plan->graph->node_count; i++) {
		if (plan->nodes[i].action != ML_PLAN_KEEP && !plan->committed)
			ml_node_free(plan->nodes[i].node);
		ml_wiring_free(&plan->nodes[i].wiring);
	}
	for (size_t e = 0; plan->edges && e < plan->graph->edge_count; e++) {
		if (plan->edges[e].added && plan->edges[e].edge && !plan->committed)
			ml_edge_free(plan->edges[e].edge, NULL);
		free(plan->edges[e].ring);
	}
	for (size_t i = 0; i < ML_LANES_MAX; i++) {
		free(plan->lane_edges[i][0]);
		free(plan->lane_edges[i][1]);
	}
	free(plan->nodes);
	free(plan->edges);
	free(plan->node_stays);
	free(plan->edge_stays);
	free(plan->next_nodes);
	free(plan->next_edges);
	free(plan->next_draining);
	free(plan->next_ending);
	if (!plan->committed)
		ml_graph_free(plan->graph);
	*plan = (struct ml_plan){0};
}
