/* Families: gathered into one table, and checked before anything of them is used.
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is checked here is what the engine relies on without looking again: a family that is wrong
 * is a mistake of its author, told at the first start.
 */
#include "run/families.h"

#include <stdlib.h>
#include <string.h>

#include "graph/graph.h"
#include "run/builtin.h"
#include "run/node.h"

/* "tap:" and two ids and port names make the topic of a feed. */
enum { PORT_NAME_MAX = 20 };

static int check_port(
	const struct ml_node_class *class, const struct ml_port *port, struct ml_error *err)
{
	if (strlen(port->name) > PORT_NAME_MAX)
		return ml_error_set(err, -EINVAL,
			"%s: the port '%s' has a name of more than %d bytes", class->type,
			port->name, PORT_NAME_MAX);
	if (!port->type || !port->type->name || !port->type->to_json)
		return ml_error_set(err, -EINVAL,
			"%s: the port '%s' needs a message type with a name and to_json",
			class->type, port->name);
	if (port->direction == ML_INPUT && !class->process)
		return ml_error_set(err, -EINVAL, "%s has the input '%s', but no process()",
			class->type, port->name);
	if (port->most > ML_EDGE_CAPACITY)
		return ml_error_set(err, -EINVAL,
			"%s: '%s' may give %u messages for one, expected at most %d", class->type,
			port->name, port->most, ML_EDGE_CAPACITY);
	return 0;
}

static int check_class(const struct ml_node_class *class, struct ml_error *err)
{
	size_t ports = 0, metrics = 0;
	for (; class->ports && class->ports[ports].name; ports++) {
		const int r = check_port(class, &class->ports[ports], err);
		if (r)
			return r;
	}
	while (class->metrics && class->metrics[metrics].name)
		metrics++;
	if (ports > ML_PORTS_MAX || metrics > ML_METRICS_MAX)
		return ml_error_set(err, -EINVAL,
			"%s has %zu ports and %zu metrics, expected at most %d and %d", class->type,
			ports, metrics, ML_PORTS_MAX, ML_METRICS_MAX);
	return 0;
}

static int check_family(
	const struct ml_family *const *before, const struct ml_family *family, struct ml_error *err)
{
	if (family->abi != ML_FAMILY_ABI || family->size < sizeof *family)
		return ml_error_set(err, -EINVAL,
			"family %s was built for ABI %u, this engine has %d: build it anew",
			family->name, family->abi, ML_FAMILY_ABI);
	const struct ml_node_class *const *class = family->node_classes;
	for (; class && *class; class ++) {
		const struct ml_node_class *other = ml_node_class_find(before, (*class)->type);
		int r = 0;
		if (other && other != *class)
			r = ml_error_set(err, -EEXIST,
				"the node type '%s' is declared twice: two families have it",
				(*class)->type);
		else
			r = check_class(*class, err);
		if (r) {
			ml_error_prefix(err, "family %s", family->name);
			return r;
		}
	}
	return 0;
}

int ml_families_gather(const struct ml_family *const *families, const struct ml_family ***ret_table,
	struct ml_error *err)
{
	size_t count = 0;
	while (families && families[count])
		count++;
	const struct ml_family **table = calloc(count + 2, sizeof *table);
	*ret_table = table;
	if (!table)
		return ml_error_set(err, -ENOMEM, "out of memory");
	table[0] = &ml_builtin_family;
	int r = 0;
	for (size_t i = 0; i < count && !r; i++) {
		r = check_family(table, families[i], err);
		table[i + 1] = families[i];
	}
	return r;
}
