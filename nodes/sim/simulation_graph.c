/* The graph of a gateway, led into a simulated world.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/list.h"
#include "sim/recording_list.h"
#include "sim/replay_stream.h"
#include "sim/simulation_private.h"

static const char *type_of(const json_t *node)
{
	const char *type = json_string_value(json_object_get(node, "type"));
	return type ? type : "";
}

static const char *id_of(const json_t *node)
{
	const char *id = json_string_value(json_object_get(node, "id"));
	return id ? id : "";
}

static const char *param(const json_t *node, const char *name)
{
	return json_string_value(json_object_get(json_object_get(node, "params"), name));
}

static const json_t *nodes_of(const struct sim_simulation *s)
{
	return json_object_get(s->tree, "nodes");
}

/* ---- Buses ---- */

static bool is_interface(const char *text)
{
	return strncmp(text, "serial:", 7) == 0 || strncmp(text, "tcp:", 4) == 0 ||
	       strncmp(text, "sim:", 4) == 0;
}

/* The file of an interface that plays back a recording, or NULL. */
static const char *recording_of(const char *interface)
{
	return interface && strncmp(interface, "sim:", 4) == 0 ? sim_replay_file(interface + 4)
							       : NULL;
}

/* The lines of a bus in the meter list, with its name. */
static void append_list(
	struct sim_simulation *s, const struct sim_line *line, unsigned baud, const char *bus)
{
	struct ml_buffer text = {0};
	const struct sim_list_part part = {line, baud, bus};
	sim_list_csv(&part, 1, SIM_MIXED, &text);
	/* One line of headings is enough. */
	const char *rows = text.data ? strstr(text.data, "\r\n") : NULL;
	if (rows && s->list.length > 0)
		ml_buffer_appendf(&s->list, "%s", rows + 2);
	else if (rows)
		ml_buffer_appendf(&s->list, "%s", text.data);
	ml_buffer_free(&text);
}

/* A recording is played back as it is; its meters are listed, but what they sent is not in the
 * ledger. */
static int map_replay(
	struct sim_simulation *s, const char *file, const char *bus, struct ml_error *err)
{
	struct ml_buffer part = {0};
	const int count = sim_recording_list(file, bus, false, &part, err);
	const char *rows = part.data;
	if (count >= 0 && s->list.length > 0)
		rows = strstr(rows, "\r\n") + 2;
	if (count >= 0)
		ml_buffer_appendf(&s->list, "%s", rows);
	if (count > 0)
		s->result.meters += (unsigned)count;
	s->result.buses += count >= 0;
	ml_buffer_free(&part);
	return count < 0 ? count : 0;
}

static int map_bus(
	struct sim_simulation *s, json_t *node, const char *interface, struct ml_error *err)
{
	struct sim_options options = SIM_OPTIONS_NONE;
	char text[64];
	const json_t *params = json_object_get(node, "params");
	const char *bus = param(node, "bus");
	const char *recording = recording_of(interface);
	if (recording)
		return map_replay(s, recording, bus, err);
	options.meters = s->options.meters;
	options.seed = s->options.seed + (uint64_t)s->result.buses;
	if (json_is_integer(json_object_get(params, "baud")))
		options.baud = (unsigned)json_integer_value(json_object_get(params, "baud"));
	if (strncmp(interface, "sim:", 4) == 0 &&
		(sim_options_parse(interface + 4, &options, err) < 0 ||
			sim_options_load(&options, err) < 0))
		return -EINVAL;
	const int number = sim_world_add_bus(s->world, &options);
	if (number < 0)
		return ml_error_set(err, number, "more than %d buses, or more than %d faults",
			SIM_BUSES_MAX, SIM_RULES_MAX);
	append_list(s, sim_bus_line(sim_world_bus(s->world, (unsigned)number)), options.baud,
		bus ? bus : "");
	(void)snprintf(text, sizeof text, "sim:bus=%d", number);
	s->result.buses++;
	s->result.meters += options.meters;
	return json_object_set_new(json_object_get(node, "params"), "interface", json_string(text));
}

int sim_graph_map(struct sim_simulation *s, struct ml_error *err)
{
	size_t i;
	json_t *node;
	json_error_t wrong;
	s->tree = json_loadb(s->options.graph, s->options.graph_length, 0, &wrong);
	if (!s->tree)
		return ml_error_set(err, -EINVAL, "%s", wrong.text);
	json_array_foreach(json_object_get(s->tree, "nodes"), i, node)
	{
		const char *interface = param(node, "interface");
		if (!interface || !is_interface(interface))
			continue;
		const int result = map_bus(s, node, interface, err);
		if (result < 0)
			return result;
	}
	s->graph = json_dumps(s->tree, JSON_REAL_PRECISION(15));
	return s->graph ? 0 : ml_error_set(err, -ENOMEM, "out of memory");
}

/* ---- What can be checked ---- */

static const json_t *find_node(const struct sim_simulation *s, const char *end)
{
	size_t i;
	const json_t *node;
	const size_t length = strcspn(end, ".");
	json_array_foreach(nodes_of(s), i, node)
	{
		if (strlen(id_of(node)) == length && memcmp(id_of(node), end, length) == 0)
			return node;
	}
	return NULL;
}

/* The node before this one on the way of the data; NULL: none, or several. */
static const json_t *before(const struct sim_simulation *s, const json_t *node)
{
	size_t i;
	const json_t *edge, *found = NULL;
	json_array_foreach(json_object_get(s->tree, "edges"), i, edge)
	{
		const char *from = json_string_value(json_object_get(edge, "from"));
		const char *to = json_string_value(json_object_get(edge, "to"));
		if (!from || !to || find_node(s, to) != node)
			continue;
		if (found)
			return NULL;
		found = find_node(s, from);
	}
	return found;
}

static bool leads_straight(const struct sim_simulation *s, const json_t *source)
{
	static const char *const way[] = {"decode", "store"};
	const json_t *at = source;
	for (size_t step = 0; step < 2; step++) {
		size_t i;
		const json_t *edge, *next = NULL;
		json_array_foreach(json_object_get(s->tree, "edges"), i, edge)
		{
			const char *from = json_string_value(json_object_get(edge, "from"));
			const char *to = json_string_value(json_object_get(edge, "to"));
			const json_t *there = to ? find_node(s, to) : NULL;
			if (from && there && find_node(s, from) == at &&
				strcmp(type_of(there), way[step]) == 0)
				next = there;
		}
		if (!next)
			return false;
		at = next;
	}
	return true;
}

bool sim_graph_plain(const struct sim_simulation *s)
{
	size_t i;
	const json_t *node;
	unsigned sources = 0;
	json_array_foreach(nodes_of(s), i, node)
	{
		if (strcmp(type_of(node), "mbus-source") == 0) {
			sources++;
			if (recording_of(param(node, "interface")) || !leads_straight(s, node))
				return false;
		} else if (strcmp(type_of(node), "aggregate") == 0 ||
			   strcmp(type_of(node), "lua-filter") == 0) {
			return false; /* makes readings of its own */
		}
	}
	return sources > 0;
}

bool sim_graph_reports_all(const struct sim_simulation *s, const char *url)
{
	size_t i;
	const json_t *node, *sink = NULL;
	json_array_foreach(nodes_of(s), i, node)
	{
		const char *here = param(node, "url");
		if (here && strcmp(here, url) == 0)
			sink = sink ? NULL : node;
	}
	const json_t *render = sink ? before(s, sink) : NULL;
	const char *template = render ? param(render, "template") : NULL;
	if (!template || (strcmp(template, "3101") != 0 && strcmp(template, "3115") != 0) ||
		json_object_get(json_object_get(render, "params"), "options"))
		return false;
	size_t e;
	const json_t *edge, *query = NULL;
	json_array_foreach(json_object_get(s->tree, "edges"), e, edge)
	{
		const char *from = json_string_value(json_object_get(edge, "from"));
		const char *to = json_string_value(json_object_get(edge, "to"));
		if (from && to && find_node(s, to) == render)
			query = find_node(s, from);
	}
	if (!query || strcmp(type_of(query), "store-query") != 0)
		return false;
	const char *period = param(query, "period");
	const char *interval = param(query, "interval");
	return (!period || strcmp(period, "auto") == 0) &&
	       (!interval || strcmp(interval, "all") == 0);
}
