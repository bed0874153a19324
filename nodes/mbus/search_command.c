/* The command `meter.search`.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/search_command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mbus/fleet.h"
#include "mbus/search_keep.h"
#include "mbus/source.h"

static const struct ml_choice interfaces[] = {
	{"both", MBUS_SEARCH_ANY, "all buses"},
	{"serial", MBUS_SEARCH_SERIAL, "those that are not in the network"},
	{"tcp", MBUS_SEARCH_TCP, "those behind a converter in the network"},
	{0},
};

const struct ml_param mbus_search_call_params[] = {
	MBUS_SEARCH_ROWS(offsetof(struct mbus_search_call, search)),
	{.name = "buses",
		.kind = ML_PARAM_STRINGS,
		.offset = offsetof(struct mbus_search_call, buses),
		.title = "Buses",
		.help = "Names of buses; \"\" is the default bus. Empty list: all.",
		.preset = "[]",
		.min = 0,
		.max = MBUS_BUSES_MAX},
	{.name = "interfaces",
		.kind = ML_PARAM_CHOICE,
		.offset = offsetof(struct mbus_search_call, interfaces),
		.title = "Interfaces",
		.help = "Which of these buses, by their interface.",
		.preset = "\"both\"",
		.choices = interfaces},
	{0},
};

/* ---- Checks ---- */

int mbus_search_check_modes(const json_t *value, struct ml_error *err)
{
	const size_t count = json_array_size(value);
	for (size_t i = 0; i < count; i++) {
		const char *mode = json_string_value(json_array_get(value, i));
		if (strcmp(mode, "primary") != 0 && strcmp(mode, "secondary") != 0)
			return ml_error_set(err, -EINVAL,
				"\"%s\" is no mode of a search: expected \"primary\" or "
				"\"secondary\"",
				mode);
		if (i > 0 && json_equal(json_array_get(value, 0), json_array_get(value, i)))
			return ml_error_set(err, -EINVAL, "\"%s\" is there twice", mode);
	}
	return 0;
}

int mbus_search_check_bauds(const json_t *value, struct ml_error *err)
{
	const size_t count = json_array_size(value);
	for (size_t i = 0; i < count; i++) {
		const int result = mbus_baud_check(json_array_get(value, i), err);
		if (result < 0)
			return result;
		for (size_t k = 0; k < i; k++) {
			if (json_equal(json_array_get(value, k), json_array_get(value, i)))
				return ml_error_set(err, -EINVAL, "%d baud is there twice",
					(int)json_integer_value(json_array_get(value, i)));
		}
	}
	return 0;
}

/* ---- Buses ---- */

static bool is_named(const struct ml_strings *names, const char *bus)
{
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->items[i], bus) == 0)
			return true;
	}
	return names->count == 0;
}

static bool fits(const struct mbus_search_call *call, const struct mbus_bus *bus)
{
	const bool network = strncmp(bus->interface, "tcp:", 4) == 0;
	return is_named(&call->buses, bus->bus) &&
	       (call->interfaces == MBUS_SEARCH_ANY ||
		       network == (call->interfaces == MBUS_SEARCH_TCP));
}

static bool can_resume(struct ml_job *job, const char *bus)
{
	char *state = mbus_searches_kept(mbus_searches(ml_job_engine(job)), bus);
	free(state);
	return state != NULL;
}

/* A name that no running node has is a mistake. */
static int check_names(const struct mbus_search_call *call, const struct mbus_bus *buses,
	size_t count, struct ml_error *err)
{
	for (size_t i = 0; i < call->buses.count; i++) {
		bool found = false;
		for (size_t k = 0; k < count; k++)
			found = found || strcmp(buses[k].bus, call->buses.items[i]) == 0;
		if (!found)
			return ml_error_set(err, -ENOENT, "no node mbus-source reads a bus \"%s\"",
				call->buses.items[i]);
	}
	return 0;
}

/* ---- Parameters of each ---- */

static json_t *action_params(const struct mbus_search_params *p, uint64_t number)
{
	json_t *modes = json_array(), *bauds = json_array();
	for (size_t i = 0; i < p->modes.count; i++)
		(void)json_array_append_new(modes, json_string(p->modes.items[i]));
	for (size_t i = 0; i < p->bauds.count; i++)
		(void)json_array_append_new(bauds, json_integer(p->bauds.items[i]));
	return json_pack("{s:o, s:o, s:I, s:b, s:b, s:I, s:I, s:b, s:b, s:I}", "modes", modes,
		"bauds", bauds, "wanted", (json_int_t)p->wanted, "install", p->install, "resume",
		p->resume, "first_address", (json_int_t)p->first, "last_address",
		(json_int_t)p->last, "hex", p->hex, "thorough", p->thorough, "number",
		(json_int_t)number);
}

static size_t choose(struct ml_job *job, const struct mbus_search_call *call,
	const struct mbus_bus *buses, size_t count, struct mbus_fleet_part *parts)
{
	size_t chosen = 0;
	for (size_t i = 0; i < count; i++) {
		if (!fits(call, &buses[i]) ||
			(call->search.resume && !can_resume(job, buses[i].bus)))
			continue;
		parts[chosen++] = (struct mbus_fleet_part){
			.bus = buses[i],
			.params = action_params(&call->search, ml_job_id(job)),
		};
	}
	return chosen;
}

void mbus_search_run(struct ml_job *job, void *params)
{
	const struct mbus_search_call *call = params;
	struct mbus_bus *buses = calloc(MBUS_BUSES_MAX, sizeof *buses);
	struct mbus_fleet_part *parts = calloc(MBUS_BUSES_MAX, sizeof *parts);
	struct ml_error err = ML_ERROR_NONE;
	if (!buses || !parts) {
		ml_error_set(&err, -ENOMEM, "out of memory");
		goto out;
	}
	const size_t count = mbus_buses_list(mbus_buses(ml_job_engine(job)), buses, MBUS_BUSES_MAX);
	if (count == 0)
		ml_error_set(&err, -ENOENT,
			"no node mbus-source is running: add one to the graph for each bus");
	if (err.code != 0 || check_names(call, buses, count, &err) < 0)
		goto out;
	const size_t chosen = choose(job, call, buses, count, parts);
	if (chosen == 0) {
		ml_error_set(&err, -ENOENT,
			call->search.resume ? "no search of these buses was broken off: begin one "
					      "without resume"
					    : "no bus has such an interface");
		goto out;
	}
	const struct mbus_fleet_plan plan = {.job = job, .action = "search"};
	mbus_fleet_run(&plan, parts, chosen);
out:
	if (err.code != 0)
		ml_job_fail(job, &err);
	free(parts);
	free(buses);
}
