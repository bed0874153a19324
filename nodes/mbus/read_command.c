/* The command `meter.read`.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The action `read-now` on each bus that has meters to be read, as one job.
 */
#include "mbus/read_command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>

#include "mbus/fleet.h"
#include "meter/list.h"
#include "meter/readout.h"

enum { UNSERVED_MAX = 32, NAMES_MAX = 160 };

const struct ml_param mbus_read_param_table[] = {
	{.name = "meter",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct mbus_read_params, meter),
		.title = "Meter",
		.help = "Only this one, also where it is passive: a key (#12), a MOID, an id "
			"(12345678), an id with its manufacturer (12345678.KAM). Left out: all "
			"active ones.",
		.min = 1,
		.max = 100,
		.flags = ML_PARAM_NULLABLE},
	{.name = "bus",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct mbus_read_params, bus),
		.title = "Bus",
		.help = "Only those of this bus; empty: of the default bus. Left out: of all.",
		.max = METER_BUS_MAX - 1,
		.flags = ML_PARAM_NULLABLE},
	{.name = "state",
		.kind = ML_PARAM_CHOICE,
		.offset = offsetof(struct mbus_read_params, state),
		.title = "State",
		.help = "Only those whose last readout went so.",
		.preset = "\"all\"",
		.choices = meter_readout_choices},
	{0},
};

struct unserved {
	char bus[METER_BUS_MAX];
	unsigned meters;
};

/* What is to be read, bus by bus. */
struct plan {
	struct ml_clock *clock;
	ml_time begin;
	struct mbus_fleet_part *parts; /* owned */
	size_t count;
	size_t meters; /* on all of them */
	/* Buses that no running node reads; what finds no room is counted with the last. */
	struct unserved unserved[UNSERVED_MAX];
	size_t unserved_count;
};

/* ---- What is to be read ---- */

static void add_unserved(struct plan *plan, const char *bus)
{
	size_t i = 0;
	while (i < plan->unserved_count && strcmp(plan->unserved[i].bus, bus) != 0)
		i++;
	if (i == UNSERVED_MAX)
		i--;
	if (i == plan->unserved_count) {
		(void)snprintf(plan->unserved[i].bus, sizeof plan->unserved[i].bus, "%s", bus);
		plan->unserved_count++;
	}
	plan->unserved[i].meters++;
}

static struct mbus_fleet_part *part_of(struct plan *plan, const char *bus)
{
	for (size_t i = 0; i < plan->count; i++)
		if (strcmp(plan->parts[i].bus.bus, bus) == 0)
			return &plan->parts[i];
	return NULL;
}

static int add(struct plan *plan, const struct meter_point *point, struct ml_error *err)
{
	struct mbus_fleet_part *part = part_of(plan, point->settings.bus);
	if (!part) {
		add_unserved(plan, point->settings.bus);
		return 0;
	}
	json_t *points = json_object_get(part->params, "points");
	if (json_array_append_new(points, json_integer(point->key)) < 0)
		return ml_error_set(err, -ENOMEM, "out of memory");
	plan->meters++;
	return 0;
}

static bool is_wanted(const struct mbus_read_params *p, struct meter_readouts *readouts,
	const struct meter_point *point)
{
	struct meter_readout readout;
	if (point->settings.passive || (p->bus && strcmp(point->settings.bus, p->bus) != 0))
		return false;
	if (p->state == METER_READOUT_ANY)
		return true;
	meter_readouts_get(readouts, point->key, &readout);
	return readout.state == p->state;
}

static int collect(struct plan *plan, const struct mbus_read_params *p, struct ml_engine *engine,
	struct ml_error *err)
{
	const struct meter_snapshot *list = meter_list_snapshot(meter_list(engine));
	const struct meter_point *one = NULL;
	int result = 0;
	if (p->meter) {
		result = meter_snapshot_find_one(list, p->meter, strlen(p->meter), &one, err);
		if (result == 0)
			result = add(plan, one, err);
	}
	for (size_t i = 0; !p->meter && result == 0 && i < list->point_count; i++)
		if (is_wanted(p, meter_readouts(engine), &list->points[i]))
			result = add(plan, &list->points[i], err);
	meter_snapshot_release(list);
	return result;
}

/* Those without a meter to be read are left out. Where all of a bus are to be read it is a round as
 * any other. */
static void tidy(struct plan *plan, const struct mbus_read_params *p)
{
	size_t kept = 0;
	for (size_t i = 0; i < plan->count; i++) {
		struct mbus_fleet_part *part = &plan->parts[i];
		if (json_array_size(json_object_get(part->params, "points")) == 0) {
			json_decref(part->params);
			continue;
		}
		if (!p->meter && p->state == METER_READOUT_ANY)
			(void)json_object_clear(part->params);
		plan->parts[kept++] = *part;
	}
	plan->count = kept;
}

static int list_buses(struct plan *plan, struct ml_engine *engine, struct ml_error *err)
{
	struct mbus_bus *buses = calloc(MBUS_BUSES_MAX, sizeof *buses);
	struct mbus_buses *service = mbus_buses(engine);
	int result = 0;
	plan->parts = calloc(MBUS_BUSES_MAX, sizeof *plan->parts);
	if (!buses || !plan->parts) {
		result = ml_error_set(err, -ENOMEM, "out of memory");
		goto out;
	}
	const size_t count = service ? mbus_buses_list(service, buses, MBUS_BUSES_MAX) : 0;
	for (size_t i = 0; i < count; i++) {
		plan->parts[i].bus = buses[i];
		plan->parts[i].params = json_pack("{s:[]}", "points");
		plan->count++;
		if (!plan->parts[i].params) {
			result = ml_error_set(err, -ENOMEM, "out of memory");
			goto out;
		}
	}
out:
	free(buses);
	return result;
}

static int check(const struct plan *plan, const struct mbus_read_params *p, struct ml_error *err)
{
	char names[NAMES_MAX] = "";
	size_t used = 0;
	/* None in this state is an answer. */
	if (plan->meters > 0 || (plan->unserved_count == 0 && p->state != METER_READOUT_ANY))
		return 0;
	if (plan->unserved_count == 0)
		return ml_error_set(err, -ENOENT,
			"there is no active meter%s to read: add, import or search some",
			p->bus ? " on this bus" : "");
	for (size_t i = 0; i < plan->unserved_count && used < sizeof names; i++)
		used += (size_t)snprintf(names + used, sizeof names - used, "%s\"%s\"",
			i ? ", " : "", plan->unserved[i].bus);
	return ml_error_set(err, -ENOENT,
		"no running node reads the bus %s: apply a graph with an mbus-source of that `bus`",
		names);
}

/* ---- The job ---- */

static void finish(
	struct ml_json_writer *w, const struct mbus_fleet_part *parts, size_t count, void *user)
{
	const struct plan *plan = user;
	const ml_time took = ml_clock_monotonic(plan->clock) - plan->begin;
	static const char *const sums[] = {"meters", "read", "failed"};
	(void)parts;
	for (size_t i = 0; count == 0 && i < sizeof sums / sizeof *sums; i++) {
		ml_json_key(w, sums[i]);
		ml_json_unsigned(w, 0);
	}
	ml_json_key(w, "seconds");
	ml_json_decimal(w, (struct ml_decimal){.mantissa = took / ML_MSEC, .exponent = -3});
	ml_json_key(w, "unserved");
	ml_json_begin_array(w);
	for (size_t i = 0; i < plan->unserved_count; i++) {
		ml_json_begin_object(w);
		ml_json_key(w, "bus");
		ml_json_string(w, plan->unserved[i].bus);
		ml_json_key(w, "meters");
		ml_json_unsigned(w, plan->unserved[i].meters);
		ml_json_end_object(w);
	}
	ml_json_end_array(w);
}

static void release(void *user)
{
	struct plan *plan = user;
	free(plan->parts);
	free(plan);
}

void mbus_read_run(struct ml_job *job, void *params)
{
	const struct mbus_read_params *p = params;
	struct ml_engine *engine = ml_job_engine(job);
	struct ml_error err = ML_ERROR_NONE;
	struct plan *plan = calloc(1, sizeof *plan);
	int result = plan ? 0 : ml_error_set(&err, -ENOMEM, "out of memory");
	if (result == 0) {
		plan->clock = ml_engine_clock(engine);
		plan->begin = ml_clock_monotonic(plan->clock);
		result = list_buses(plan, engine, &err);
	}
	if (result == 0)
		result = collect(plan, p, engine, &err);
	if (result == 0)
		result = check(plan, p, &err);
	if (result < 0) {
		for (size_t i = 0; plan && i < plan->count; i++)
			json_decref(plan->parts[i].params);
		if (plan)
			release(plan);
		ml_job_fail(job, &err);
		return;
	}
	tidy(plan, p);
	const struct mbus_fleet_plan fleet = {.job = job,
		.action = "read-now",
		.finish = finish,
		.release = release,
		.user = plan};
	mbus_fleet_run(&fleet, plan->parts, plan->count);
}
