/* The buses of `meterloom sim`.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/recording_list.h"
#include "sim/tool_sim_private.h"

struct sim_tool_bus *sim_tool_add_bus(struct sim_tool *t)
{
	if (t->bus_count > SIM_TOOL_BUSES_MAX)
		return NULL;
	struct sim_tool_bus *bus = &t->buses[t->bus_count];
	/* All begin as what stands before the first. */
	bus->options = t->buses[0].options;
	bus->options.seed += t->bus_count - 1;
	(void)snprintf(bus->options.name, sizeof bus->options.name, "bus%zu", t->bus_count);
	t->bus_count++;
	return bus;
}

struct sim_tool_bus *sim_tool_buses(struct sim_tool *t, size_t *count)
{
	*count = t->bus_count > 1 ? t->bus_count - 1 : 1;
	return t->bus_count > 1 ? t->buses + 1 : t->buses;
}

/* ---- After the arguments ---- */

/* Where the first is found, counted up. */
static int settle_place(const struct sim_tool *t, struct sim_tool_bus *bus, size_t index)
{
	const struct sim_tool_bus *first = &t->buses[0];
	if (bus == first || bus->pty || bus->tcp)
		return 0;
	bus->pty = first->pty;
	if (first->link[0] && snprintf(bus->link, sizeof bus->link, "%s%zu", first->link,
				      index + 1) >= (int)sizeof bus->link)
		return sim_complain("--link %s: the path is too long", first->link);
	bus->tcp = first->tcp;
	memcpy(bus->host, first->host, sizeof bus->host);
	if (first->number && first->number + index > UINT16_MAX)
		return sim_complain("--tcp %u: the ports of all buses end at 65535", first->number);
	bus->number = first->number ? (uint16_t)(first->number + index) : 0;
	return 0;
}

static int check_name(struct sim_tool_bus *buses, size_t index)
{
	const char *name = buses[index].options.name;
	for (size_t i = 0; i < index; i++) {
		if (strcmp(buses[i].options.name, name) == 0)
			return sim_complain("two buses have the name '%s'", name);
	}
	return 0;
}

/* Files may have rules for a head-end and a gateway too, which `meterloom simulate` has. */
static int check_numbers(const struct sim_tool *t, size_t count, unsigned meters)
{
	struct ml_error err = ML_ERROR_NONE;
	for (size_t i = 0; i < t->faults.count; i++) {
		const struct sim_rule *rule = &t->faults.rules[i];
		const enum sim_whose whose = sim_fault_info((enum sim_fault)rule->fault)->whose;
		if ((whose == SIM_OF_METER || whose == SIM_OF_LINE) &&
			sim_rule_check(rule, (unsigned)count, meters, &err) < 0)
			return sim_complain("%s", err.text);
	}
	return 0;
}

int sim_tool_settle_buses(struct sim_tool *t)
{
	size_t count = 0;
	unsigned before = 0;
	int result = 0;
	for (unsigned i = 0; i < t->copies; i++) {
		if (!sim_tool_add_bus(t))
			return sim_complain("more than %d buses", SIM_TOOL_BUSES_MAX);
	}
	struct sim_tool_bus *buses = sim_tool_buses(t, &count);
	if (t->replay && t->bus_count > 1)
		return sim_complain("--replay plays one bus: --bus and --buses exclude it");
	for (size_t i = 0; result == 0 && i < count; i++) {
		struct ml_error err = ML_ERROR_NONE;
		struct sim_options *o = &buses[i].options;
		result = settle_place(t, &buses[i], i);
		if (result == 0)
			result = check_name(buses, i);
		if (result == 0 && !buses[i].pty && !buses[i].tcp && !t->list && !t->list_faults &&
			!t->head_end)
			buses[i].pty = true;
		if (result == 0 && (sim_options_load(o, &err) < 0 ||
					   sim_faults_of_bus(&t->faults, (unsigned)i + 1, before,
						   o->meters, &o->faults, &err) < 0))
			result = sim_complain("%s", err.text);
		before += o->meters;
	}
	return result != 0 ? result : check_numbers(t, count, before);
}

/* ---- Lists ---- */

/* How many meters were listed; negative: an error, which was told. */
static int make_list(struct sim_tool *t, struct ml_buffer *out)
{
	struct sim_list_part parts[SIM_TOOL_BUSES_MAX];
	struct sim_line *lines[SIM_TOOL_BUSES_MAX] = {0};
	size_t count = 0;
	int meters = 0;
	struct sim_tool_bus *buses = sim_tool_buses(t, &count);
	if (t->replay) {
		struct ml_error err = ML_ERROR_NONE;
		const char *name = buses->options.name;
		meters = sim_recording_list(
			t->replay, name[0] ? name : NULL, t->list_json, out, &err);
		if (meters < 0)
			(void)sim_complain("%s", err.text);
		return meters;
	}
	for (size_t i = 0; meters >= 0 && i < count; i++) {
		const struct sim_options *o = &buses[i].options;
		lines[i] = sim_line_new(o);
		parts[i] = (struct sim_list_part){lines[i], o->baud, o->name};
		meters = lines[i] ? meters + (int)o->meters : -ENOMEM;
	}
	if (meters < 0)
		(void)sim_complain("out of memory");
	else if (t->list_json)
		sim_list_json(parts, count, t->addressing, out);
	else
		sim_list_csv(parts, count, t->addressing, out);
	for (size_t i = 0; i < count; i++)
		sim_line_free(lines[i]);
	return meters;
}

int sim_tool_write_list(struct sim_tool *t)
{
	struct ml_buffer out = {0};
	const bool terminal = strcmp(t->list, "-") == 0;
	const int count = make_list(t, &out);
	int result = 1;
	if (count < 0)
		goto out;
	FILE *file = terminal ? stdout : fopen(t->list, "wb");
	bool good = file && !out.failed && fwrite(out.data, 1, out.length, file) == out.length;
	if (file && !terminal)
		good = fclose(file) == 0 && good;
	if (good)
		result = 0;
	else
		(void)sim_complain("%s cannot be written: %s", t->list, strerror(errno));
	if (good && !terminal)
		(void)printf("%d meters listed in %s\n", count, t->list);
out:
	ml_buffer_free(&out);
	return result;
}

/* ---- Running ---- */

static void say(const struct sim_tool *t, const struct sim_tool_bus *bus, int which)
{
	const struct sim_options *o = &bus->options;
	const char *address = sim_port_address(bus->ports[which]);
	if (t->replay)
		(void)printf("%s at %s: %zu frames of its master are known\n", t->replay, address,
			sim_replay_questions(bus->replays[which]));
	else
		(void)printf("%s%s%u meters at %s, %u baud%s\n", o->name, o->name[0] ? ": " : "",
			o->meters, address, o->baud, o->fast ? ", without its delays" : "");
}

static int start_one(struct sim_tool *t, struct sim_tool_bus *b, int which, struct ml_error *err)
{
	struct ml_lane *lane = ml_engine_lane(t->engine, "control");
	const char *link = b->link[0] ? b->link : NULL;
	struct sim_port **port = &b->ports[which];
	struct sim_replay **replay = &b->replays[which];
	int result = t->replay ? sim_replay_open(t->replay, replay, err) : 0;
	if (result < 0)
		return result;
	if (which == 0)
		result = *replay ? sim_port_replay_pty(lane, *replay, link, port, err)
				 : sim_port_pty(lane, &b->options, link, port, err);
	else
		result = *replay ? sim_port_replay_tcp(lane, *replay, b->host, b->number, port, err)
				 : sim_port_tcp(lane, &b->options, b->host, b->number, port, err);
	if (result == 0)
		say(t, b, which);
	return result;
}

int sim_tool_start_buses(struct sim_tool *t, struct ml_error *err)
{
	size_t count = 0;
	int result = 0;
	struct sim_tool_bus *buses = sim_tool_buses(t, &count);
	for (size_t i = 0; result == 0 && i < count; i++) {
		result = buses[i].pty ? start_one(t, &buses[i], 0, err) : 0;
		if (result == 0 && buses[i].tcp)
			result = start_one(t, &buses[i], 1, err);
	}
	return result;
}

void sim_tool_close_buses(struct sim_tool *t)
{
	for (size_t i = 0; i < t->bus_count; i++) {
		sim_port_close(t->buses[i].ports[0]);
		sim_port_close(t->buses[i].ports[1]);
	}
}

void sim_tool_free_buses(struct sim_tool *t)
{
	for (size_t i = 0; i < t->bus_count; i++) {
		sim_replay_free(t->buses[i].replays[0]);
		sim_replay_free(t->buses[i].replays[1]);
	}
	free(t->buses);
}
