/* Metrics as Prometheus reads them (text format 0.0.4).
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "http/server.h"

struct series {
	const char *section; /* of the result of metrics.get */
	const char *label;
	const char *member;
	const char *name, *type, *help;
};

static const struct series all_series[] = {
	{"nodes", "node", "received", "meterloom_node_received_total", "counter",
		"Messages that a node was handed."},
	{"nodes", "node", "emitted", "meterloom_node_emitted_total", "counter",
		"Messages that a node emitted."},
	{"nodes", "node", "failed", "meterloom_node_failed_total", "counter",
		"Messages that a node failed on."},
	{"nodes", "node", "dropped", "meterloom_node_dropped_total", "counter",
		"Messages that a node lost for want of room."},
	{"edges", "edge", "count", "meterloom_edge_messages_total", "counter",
		"Messages that went onto an edge."},
	{"edges", "edge", "dropped", "meterloom_edge_dropped_total", "counter",
		"Messages that an edge dropped."},
	{"edges", "edge", "depth", "meterloom_edge_depth", "gauge", "Messages waiting on an edge."},
	{"edges", "edge", "high_water", "meterloom_edge_high_water", "gauge",
		"The most messages that have waited on an edge."},
	{"edges", "edge", "capacity", "meterloom_edge_capacity", "gauge",
		"Messages that have room on an edge."},
	{"edges", "edge", "age", "meterloom_edge_age_seconds", "gauge",
		"How long the message taken last had waited."},
	{"lanes", "lane", "wakeups", "meterloom_lane_wakeups_total", "counter",
		"How often a sleeping lane was woken."},
	{"lanes", "lane", "turns", "meterloom_lane_turns_total", "counter",
		"Turns of a lane's loop."},
	{"lanes", "lane", "message_bytes", "meterloom_lane_message_bytes", "gauge",
		"Memory of the messages that a lane made."},
};

static void append_label(struct ml_buffer *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			ml_buffer_append(out, "\\", 1);
		if (*text == '\n')
			ml_buffer_append(out, "\\n", 2);
		else
			ml_buffer_append(out, text, 1);
	}
}

static void append_sample(struct ml_buffer *out, const char *name, const char *label,
	const char *value_of_label, const json_t *value)
{
	ml_buffer_appendf(out, "%s{%s=\"", name, label);
	append_label(out, value_of_label);
	if (json_is_integer(value))
		ml_buffer_appendf(out, "\"} %" JSON_INTEGER_FORMAT "\n", json_integer_value(value));
	else
		ml_buffer_appendf(out, "\"} %.17g\n", json_real_value(value));
}

static void append_series(struct ml_buffer *out, const json_t *metrics, const struct series *series)
{
	json_t *section = json_object_get(metrics, series->section);
	bool begun = false;
	const char *key;
	json_t *item;
	json_object_foreach(section, key, item)
	{
		const json_t *value = json_object_get(item, series->member);
		if (!json_is_number(value))
			continue;
		if (!begun)
			ml_buffer_appendf(out, "# HELP %s %s\n# TYPE %s %s\n", series->name,
				series->help, series->name, series->type);
		begun = true;
		append_sample(out, series->name, series->label, key, value);
	}
}

/* A node's own metric, under its name with all nodes that have it: the first of them writes it. */
static void append_own(struct ml_buffer *out, json_t *nodes, const char *first, const char *metric)
{
	char name[128];
	const char *key;
	json_t *node;
	bool told = first == NULL;
	(void)snprintf(name, sizeof name, "meterloom_own_%s", metric);
	json_object_foreach(nodes, key, node)
	{
		const json_t *value = json_object_get(json_object_get(node, "own"), metric);
		if (!json_is_number(value))
			continue;
		if (!told && strcmp(first, key) != 0)
			return;
		if (!told)
			ml_buffer_appendf(out, "# TYPE %s untyped\n", name);
		told = true;
		append_sample(out, name, "node", key, value);
	}
}

static void append_states(struct ml_buffer *out, json_t *nodes)
{
	const char *key;
	json_t *node;
	if (json_object_size(nodes) > 0)
		ml_buffer_appendf(out, "# HELP meterloom_node_up 1 where a node runs, 0 where it "
				       "waits or has a fault.\n"
				       "# TYPE meterloom_node_up gauge\n");
	json_object_foreach(nodes, key, node)
	{
		const char *state = json_string_value(json_object_get(node, "state"));
		ml_buffer_appendf(out, "meterloom_node_up{node=\"");
		append_label(out, key);
		ml_buffer_appendf(out, "\"} %d\n", state && strcmp(state, "running") == 0 ? 1 : 0);
	}
}

void http_prometheus(const json_t *metrics, struct ml_buffer *out)
{
	json_t *nodes = json_object_get(metrics, "nodes");
	for (size_t i = 0; i < sizeof all_series / sizeof *all_series; i++)
		append_series(out, metrics, &all_series[i]);
	append_states(out, nodes);
	const char *id, *metric;
	json_t *node, *value;
	json_object_foreach(nodes, id, node)
	{
		json_t *own = json_object_get(node, "own");
		json_object_foreach(own, metric, value)
		{
			append_own(out, nodes, id, metric);
		}
	}
}
