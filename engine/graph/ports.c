/* Which ports an edge joins; a port may be left out where only one fits.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/nearest.h>

#include "core/param_value.h"
#include "graph/check.h"

enum { LIST_MAX = 160 };

static const char *direction_name(enum ml_port_direction direction)
{
	return direction == ML_INPUT ? "input" : "output";
}

/* Appends to a list of names separated by commas. */
static void append(char list[LIST_MAX], const char *name)
{
	const size_t used = strlen(list);
	(void)snprintf(list + used, LIST_MAX - used, "%s%s", used ? ", " : "", name);
}

static void list_ports(
	const struct ml_node_class *class, enum ml_port_direction direction, char list[LIST_MAX])
{
	list[0] = '\0';
	for (const struct ml_port *p = class->ports; p->name; p++) {
		if (p->direction == direction)
			append(list, p->name);
	}
}

static bool is_port(const struct ml_port *port, enum ml_port_direction direction, const char *name)
{
	return port->direction == direction &&
	       (*name ? strcmp(port->name, name) == 0 : !port->by_name);
}

struct fit {
	size_t count;
	unsigned from, to; /* of the first */
};

/* All pairs of ports that the names allow and whose types are the same. */
static struct fit find_fits(const struct ml_node_class *from, const char *from_name,
	const struct ml_node_class *to, const char *to_name)
{
	struct fit fit = {0};
	for (unsigned i = 0; from->ports[i].name; i++) {
		if (!is_port(&from->ports[i], ML_OUTPUT, from_name))
			continue;
		for (unsigned j = 0; to->ports[j].name; j++) {
			if (!is_port(&to->ports[j], ML_INPUT, to_name) ||
				to->ports[j].type != from->ports[i].type)
				continue;
			if (fit.count++ == 0) {
				fit.from = i;
				fit.to = j;
			}
		}
	}
	return fit;
}

bool graph_find_ports(const struct ml_node_class *from, const char *from_name,
	const struct ml_node_class *to, const char *to_name, unsigned *from_port, unsigned *to_port)
{
	const struct fit fit = find_fits(from, from_name, to, to_name);
	*from_port = fit.from;
	*to_port = fit.to;
	return fit.count == 1;
}

static void unknown_port(
	struct graph_check *check, const struct graph_end *end, enum ml_port_direction direction)
{
	const struct ml_graph_node *const node = &check->graph->nodes[end->node];
	struct ml_nearest near;
	ml_nearest_begin(&near, end->port);
	for (const struct ml_port *p = node->class->ports; p->name; p++) {
		if (p->direction == direction)
			ml_nearest_try(&near, p->name);
		if (p->direction == direction || strcmp(p->name, end->port) != 0)
			continue;
		ml_errors_addf(check->errors, -EINVAL, end->pointer,
			"'%s.%s' is an %s, expected an %s", node->id, p->name,
			direction_name(p->direction), direction_name(direction));
		return;
	}
	char word[PARAM_SHOWN_MAX], list[LIST_MAX];
	(void)param_shown(end->port, word);
	list_ports(node->class, direction, list);
	if (!*list)
		ml_errors_addf(check->errors, -EINVAL, end->pointer, "'%s' (%s) has no %s at all",
			node->id, node->class->type, direction_name(direction));
	else if (ml_nearest_name(&near))
		ml_errors_addf(check->errors, -EINVAL, end->pointer,
			"'%s' (%s) has no %s '%s'; did you mean '%s'?", node->id, node->class->type,
			direction_name(direction), word, ml_nearest_name(&near));
	else
		ml_errors_addf(check->errors, -EINVAL, end->pointer,
			"'%s' (%s) has no %s '%s', expected one of: %s", node->id,
			node->class->type, direction_name(direction), word, list);
}

static bool known_port(
	struct graph_check *check, const struct graph_end *end, enum ml_port_direction direction)
{
	const struct ml_port *p = check->graph->nodes[end->node].class->ports;
	while (p->name && !is_port(p, direction, end->port))
		p++;
	if (!p->name)
		unknown_port(check, end, direction);
	return p->name != NULL;
}

/* The types of the ports that were meant: "frame", or "frame or trigger". */
static void list_types(const struct ml_node_class *class, enum ml_port_direction direction,
	const char *name, char list[LIST_MAX])
{
	list[0] = '\0';
	for (const struct ml_port *p = class->ports; p->name; p++) {
		if (is_port(p, direction, name) && !strstr(list, p->type->name)) {
			if (list[0])
				strncat(list, " or ", LIST_MAX - strlen(list) - 1);
			strncat(list, p->type->name, LIST_MAX - strlen(list) - 1);
		}
	}
}

static bool has_port(const struct ml_node_class *class, enum ml_port_direction direction,
	const struct ml_node_class *like, enum ml_port_direction like_direction,
	const char *like_name)
{
	for (const struct ml_port *p = class->ports; p->name; p++) {
		for (const struct ml_port *q = like->ports; q->name; q++) {
			if (p->direction == direction && is_port(q, like_direction, like_name) &&
				p->type == q->type)
				return true;
		}
	}
	return false;
}

/* A class that could stand between two that do not fit; NULL: there is none. */
static const char *find_between(const struct graph_check *check, const struct ml_node_class *from,
	const char *from_name, const struct ml_node_class *to, const char *to_name)
{
	for (const struct ml_family *const *f = check->families; *f; f++) {
		const struct ml_node_class *const *c = (*f)->node_classes;
		for (; c && *c; c++) {
			if (has_port(*c, ML_INPUT, from, ML_OUTPUT, from_name) &&
				has_port(*c, ML_OUTPUT, to, ML_INPUT, to_name))
				return (*c)->type;
		}
	}
	return NULL;
}

static void no_fit(
	struct graph_check *check, const struct graph_end *from, const struct graph_end *to)
{
	const struct ml_graph_node *const a = &check->graph->nodes[from->node];
	const struct ml_graph_node *const b = &check->graph->nodes[to->node];
	char out[LIST_MAX], in[LIST_MAX];
	list_types(a->class, ML_OUTPUT, from->port, out);
	list_types(b->class, ML_INPUT, to->port, in);
	const char *const between = find_between(check, a->class, from->port, b->class, to->port);
	char hint[96] = "";
	if (between)
		(void)snprintf(hint, sizeof hint, "; put a node '%s' between them", between);
	ml_errors_addf(check->errors, -EINVAL, to->pointer,
		"'%s%s%s' gives %s, but '%s%s%s' takes %s%s", a->id, *from->port ? "." : "",
		from->port, out, b->id, *to->port ? "." : "", to->port, in, hint);
}

/* Names an example for each end whose port was left out though several fit. */
static void many_fits(
	struct graph_check *check, const struct graph_end *from, const struct graph_end *to)
{
	const struct ml_graph_node *const a = &check->graph->nodes[from->node];
	const struct ml_graph_node *const b = &check->graph->nodes[to->node];
	char list[LIST_MAX] = "";
	const struct graph_end *end = from;
	for (const struct ml_port *p = a->class->ports; !*from->port && p->name; p++) {
		if (p->direction == ML_OUTPUT &&
			find_fits(a->class, p->name, b->class, to->port).count > 0)
			append(list, p->name);
	}
	if (!strchr(list, ',')) { /* the choice is among the inputs */
		end = to;
		list[0] = '\0';
		for (const struct ml_port *p = b->class->ports; p->name; p++) {
			if (p->direction == ML_INPUT &&
				find_fits(a->class, from->port, b->class, p->name).count > 0)
				append(list, p->name);
		}
	}
	ml_errors_addf(check->errors, -EINVAL, end->pointer,
		"several ports of '%s' fit: write '%s.PORT' with one of: %s",
		check->graph->nodes[end->node].id, check->graph->nodes[end->node].id, list);
}

bool graph_check_ports(struct graph_check *check, const struct graph_end *from,
	const struct graph_end *to, unsigned *from_port, unsigned *to_port)
{
	const bool from_known = known_port(check, from, ML_OUTPUT);
	if (!known_port(check, to, ML_INPUT) || !from_known)
		return false;
	const struct fit fit = find_fits(check->graph->nodes[from->node].class, from->port,
		check->graph->nodes[to->node].class, to->port);
	*from_port = fit.from;
	*to_port = fit.to;
	if (fit.count == 0)
		no_fit(check, from, to);
	else if (fit.count > 1)
		many_fits(check, from, to);
	return fit.count == 1;
}

char *graph_edge_key(const char *from, const char *from_port, const char *to, const char *to_port)
{
	const size_t size =
		strlen(from) + strlen(from_port) + strlen(to) + strlen(to_port) + sizeof ".>.";
	char *const key = malloc(size);
	if (key)
		(void)snprintf(key, size, "%s.%s>%s.%s", from, from_port, to, to_port);
	return key;
}
