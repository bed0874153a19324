/* The parameters of a graph's nodes: their tables, the classes' own checks, and claims.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/check.h"

struct claim {
	char *name;  /* owned */
	char *param; /* owned */
	size_t node;
	bool told; /* that another node wants the same */
};

struct ml_check {
	struct graph_check *check;
	size_t node;
	struct claim *claims; /* owned */
	size_t count, capacity;
	struct ml_names names; /* of claims: place in `claims` */
};

int ml_graph_node_params(const struct ml_graph *graph, size_t node, ml_param_inherit_fn inherit,
	void *inherit_user, void *self, struct ml_errors *errors)
{
	const struct ml_graph_node *const of = &graph->nodes[node];
	char pointer[sizeof of->pointer + sizeof "/params"];
	(void)snprintf(pointer, sizeof pointer, "%s/params", of->pointer);
	const struct ml_params_source source = {
		.pointer = pointer,
		.text = of->params_text,
		.length = of->params_length,
		.base = pointer,
		.inherit = inherit,
		.inherit_user = inherit_user,
	};
	return ml_params_parse(of->class->params, of->params, &source, self, errors);
}

static void claimed_twice(struct ml_check *check, const struct claim *claim, const char *other)
{
	char params[ML_ERROR_POINTER_MAX], pointer[ML_ERROR_POINTER_MAX];
	const struct ml_graph_node *const node = &check->check->graph->nodes[claim->node];
	(void)snprintf(params, sizeof params, "%s/params", node->pointer);
	ml_json_pointer(pointer, sizeof pointer, params, claim->param);
	ml_errors_addf(check->check->errors, -EINVAL, pointer,
		"%s: '%s' wants %s alone, and so does '%s'; give them different ones", claim->param,
		node->id, claim->name, other);
}

static struct claim *new_claim(struct ml_check *check)
{
	if (check->count == check->capacity) {
		const size_t capacity = check->capacity ? check->capacity * 2 : 32;
		struct claim *const claims = realloc(check->claims, capacity * sizeof *claims);
		if (!claims)
			return NULL;
		check->claims = claims;
		check->capacity = capacity;
	}
	return &check->claims[check->count];
}

void ml_check_claim(struct ml_check *check, const char *param, const char *name)
{
	bool *const no_memory = &check->check->no_memory;
	struct claim *const claim = new_claim(check);
	if (!claim) {
		*no_memory = true;
		return;
	}
	*claim = (struct claim){.name = strdup(name), .param = strdup(param), .node = check->node};
	check->count++;
	if (!claim->name || !claim->param) {
		*no_memory = true;
		return;
	}
	const size_t at = ml_names_add(&check->names, claim->name, check->count - 1, no_memory);
	if (at == ML_NAMES_NONE || check->claims[at].node == check->node)
		return;
	struct claim *const first = &check->claims[at];
	const struct ml_graph_node *const nodes = check->check->graph->nodes;
	if (!first->told)
		claimed_twice(check, first, nodes[check->node].id);
	first->told = true;
	claimed_twice(check, claim, nodes[first->node].id);
}

const struct ml_family *const *ml_check_families(const struct ml_check *check)
{
	return check->check->families;
}

static void check_node(struct ml_check *check, const struct ml_node_class *class, void *self)
{
	struct graph_check *const graph = check->check;
	const struct ml_graph_node *const node = &graph->graph->nodes[check->node];
	const int result = ml_graph_node_params(graph->graph, check->node, graph->inherit,
		graph->inherit_user, self, graph->errors);
	if (result != 0) {
		graph->no_memory |= result == -ENOMEM;
		return;
	}
	struct ml_error err = ML_ERROR_NONE;
	if (class->check && class->check(self, check, &err) != 0) {
		char pointer[ML_ERROR_POINTER_MAX];
		ml_error_set(&err, -EINVAL, "these parameters do not go together");
		(void)snprintf(
			pointer, sizeof pointer, "%s/params%.128s", node->pointer, err.pointer);
		memcpy(err.pointer, pointer, sizeof err.pointer);
		ml_errors_add(graph->errors, &err);
	}
	ml_params_free(class->params, self);
}

void graph_check_params(struct graph_check *graph)
{
	struct ml_check check = {.check = graph};
	if (!ml_names_init(&check.names, 32)) {
		graph->no_memory = true;
		return;
	}
	for (; check.node < graph->graph->node_count && !graph->no_memory; check.node++) {
		const struct ml_node_class *const class = graph->graph->nodes[check.node].class;
		if (!class)
			continue;
		void *const self = calloc(1, class->size ? class->size : 1);
		if (self)
			check_node(&check, class, self);
		else
			graph->no_memory = true;
		free(self);
	}
	for (size_t i = 0; i < check.count; i++) {
		free(check.claims[i].name);
		free(check.claims[i].param);
	}
	free(check.claims);
	ml_names_free(&check.names);
}
