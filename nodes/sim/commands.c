/* The commands sim.*: what people do to the simulated buses of a gateway.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>

#include "sim/buses.h"
#include "sim/list.h"
#include "sim/order.h"
#include "sim/services.h"

struct params {
	char *bus, *fault;
	int64_t meter, primary, baud;
	int line;
	bool reset;
};

#define BUS_ROW \
	{ \
		.name = "bus", .kind = ML_PARAM_STRING, .offset = offsetof(struct params, bus), \
		.title = "Bus", \
		.help = "The name of a simulated bus, or its interface (sim:20). Left out: the " \
			"only one.", \
		.preset = "\"\"" \
	}

#define METER_ROW \
	{ \
		.name = "meter", .kind = ML_PARAM_INTEGER, \
		.offset = offsetof(struct params, meter), .title = "Meter", \
		.help = "Its number on the bus, from 1, as sim.list tells it.", .min = 1, \
		.max = SIM_METERS_MAX, .flags = ML_PARAM_REQUIRED \
	}

static const struct ml_param bus_params[] = {BUS_ROW, {0}};
static const struct ml_param meter_params[] = {BUS_ROW, METER_ROW, {0}};

/* By the words of sim/order.h. */
static const struct ml_choice line_choices[] = {
	{"cut", 0, "The cable is cut"},
	{"join", 1, "It is joined again"},
	{"short", 2, "A short circuit"},
	{"unshort", 3, "It is gone"},
	{"break", 4, "The interface fails, and cannot be opened"},
	{"mend", 5, "It can be opened again"},
	{"echo", 6, "The gateway hears what it sends"},
	{"unecho", 7, "It does not any more"},
	{NULL, 0, NULL},
};

static const struct ml_param line_params[] = {BUS_ROW,
	{.name = "line",
		.kind = ML_PARAM_CHOICE,
		.offset = offsetof(struct params, line),
		.title = "What happens to the line",
		.help = "What is broken, or mended: it stays so until the next command.",
		.choices = line_choices,
		.flags = ML_PARAM_REQUIRED},
	{0}};

enum { UNCHANGED = -1 };

static const struct ml_param change_params[] = {BUS_ROW, METER_ROW,
	{.name = "primary",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct params, primary),
		.title = "Primary address",
		.help = "0 to 250; -1 leaves it.",
		.preset = "-1",
		.min = UNCHANGED,
		.max = 250},
	{.name = "baud",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct params, baud),
		.title = "Baud rate",
		.help = "300 to 115200; 0 follows the gateway, -1 leaves it.",
		.unit = "Bd",
		.preset = "-1",
		.min = UNCHANGED,
		.max = 115200},
	{.name = "reset",
		.kind = ML_PARAM_BOOL,
		.offset = offsetof(struct params, reset),
		.title = "Counters begin again at 0",
		.help = "As in a meter that was exchanged for one of the same number.",
		.preset = "false"},
	{0}};

static int check_fault(const json_t *value, struct ml_error *err)
{
	struct sim_rule rule;
	return sim_rule_parse(json_string_value(value), json_string_length(value), &rule, err);
}

static const struct ml_param fault_params[] = {BUS_ROW,
	{.name = "fault",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct params, fault),
		.title = "Fault",
		.help = "As it is typed: meter-silent which=3 lasts=60s. Its times count from now.",
		.flags = ML_PARAM_REQUIRED,
		.check = check_fault},
	{0}};

/* ---- Changes ---- */

static ml_time now_of(struct ml_job *job)
{
	return ml_clock_monotonic(ml_engine_clock(ml_job_engine(job)));
}

static struct sim_held *find(struct ml_job *job, const struct params *p, struct ml_error *err)
{
	struct sim_buses *buses = sim_buses(ml_job_engine(job));
	return buses ? sim_buses_find(buses, p->bus, err) : NULL;
}

/* Gives all of them to the bus, or none. */
static void give(
	struct ml_job *job, const struct params *p, const struct sim_order *orders, size_t count)
{
	struct ml_error err = ML_ERROR_NONE;
	struct sim_held *held = find(job, p, &err);
	const ml_time wall = ml_clock_wall(ml_engine_clock(ml_job_engine(job)));
	int result = held ? 0 : -ENOENT;
	if (held) {
		struct sim_bus *bus = sim_held_lock(held);
		for (size_t i = 0; result == 0 && i < count; i++)
			result = sim_order_do(bus, &orders[i], now_of(job), wall, &err);
		sim_held_unlock(held);
		sim_held_touch(held);
	}
	if (result < 0) {
		ml_job_fail(job, &err);
		return;
	}
	struct ml_json_writer *w = ml_job_result(job);
	ml_json_begin_object(w);
	ML_JSON_KEY(w, "bus");
	ml_json_string(w, sim_held_name(held));
	ml_json_end_object(w);
	ml_job_succeed(job);
}

static void give_one(struct ml_job *job, const struct params *p, enum sim_order_kind kind)
{
	const struct sim_order order = {.kind = kind, .meter = (unsigned)p->meter};
	give(job, p, &order, 1);
}

static void run_unplug(struct ml_job *job, void *params)
{
	give_one(job, params, SIM_ORDER_UNPLUG);
}

static void run_plug(struct ml_job *job, void *params)
{
	give_one(job, params, SIM_ORDER_PLUG);
}

static void run_heal(struct ml_job *job, void *params)
{
	give_one(job, params, SIM_ORDER_HEAL);
}

static void run_line(struct ml_job *job, void *params)
{
	const struct params *p = params;
	struct sim_order order;
	struct ml_error err = ML_ERROR_NONE;
	if (sim_order_parse(line_choices[p->line].name, &order, &err) < 0)
		ml_job_fail(job, &err);
	else
		give(job, p, &order, 1);
}

static void run_fault(struct ml_job *job, void *params)
{
	const struct params *p = params;
	struct sim_order order = {.kind = SIM_ORDER_FAULT};
	struct ml_error err = ML_ERROR_NONE;
	if (sim_rule_parse(p->fault, strlen(p->fault), &order.rule, &err) < 0)
		ml_job_fail(job, &err);
	else
		give(job, p, &order, 1);
}

static void run_change(struct ml_job *job, void *params)
{
	const struct params *p = params;
	struct sim_order orders[3];
	struct ml_error err = ML_ERROR_NONE;
	const unsigned meter = (unsigned)p->meter;
	size_t count = 0;
	if (p->baud > 0 && p->baud < 300) {
		ml_error_set_pointer(&err, -EINVAL, "/baud", "baud %lld: expected 300 to 115200",
			(long long)p->baud);
		ml_job_fail(job, &err);
		return;
	}
	if (p->primary != UNCHANGED)
		orders[count++] = (struct sim_order){
			.kind = SIM_ORDER_ADDRESS, .meter = meter, .value = (unsigned)p->primary};
	if (p->baud != UNCHANGED)
		orders[count++] = (struct sim_order){
			.kind = SIM_ORDER_BAUD, .meter = meter, .value = (unsigned)p->baud};
	if (p->reset)
		orders[count++] = (struct sim_order){.kind = SIM_ORDER_RESET, .meter = meter};
	give(job, p, orders, count);
}

/* ---- What there is ---- */

static void write_bus(struct ml_json_writer *w, struct sim_held *held, ml_time now)
{
	struct ml_buffer text = {0};
	ml_json_begin_object(w);
	ML_JSON_KEY(w, "bus");
	ml_json_string(w, sim_held_name(held));
	ML_JSON_KEY(w, "interface");
	ml_json_string(w, sim_held_interface(held));
	ML_JSON_KEY(w, "open");
	ml_json_bool(w, sim_held_is_open(held));
	struct sim_bus *bus = sim_held_lock(held);
	sim_bus_state_text(bus, now, &text);
	ML_JSON_KEY(w, "line");
	ml_json_string(w, text.length > 0 ? text.data : "good");
	const struct sim_faults *faults = sim_plan_faults(sim_bus_plan(bus));
	ML_JSON_KEY(w, "faults");
	ml_json_begin_array(w);
	for (size_t i = 0; i < faults->count; i++) {
		text.length = 0;
		sim_rule_text(&faults->rules[i], &text);
		ml_json_string_n(w, text.data ? text.data : "", text.length);
	}
	ml_json_end_array(w);
	ML_JSON_KEY(w, "meters");
	sim_list_meters(sim_bus_line(bus), w);
	sim_held_unlock(held);
	ml_json_end_object(w);
	ml_buffer_free(&text);
}

static void run_list(struct ml_job *job, void *params)
{
	const struct params *p = params;
	struct ml_error err = ML_ERROR_NONE;
	struct sim_buses *buses = sim_buses(ml_job_engine(job));
	struct sim_held *only = p->bus[0] ? find(job, p, &err) : NULL;
	if (p->bus[0] && !only) {
		ml_job_fail(job, &err);
		return;
	}
	struct ml_json_writer *w = ml_job_result(job);
	ml_json_begin_object(w);
	ML_JSON_KEY(w, "buses");
	ml_json_begin_array(w);
	for (size_t i = 0; i < sim_buses_count(buses); i++) {
		struct sim_held *held = sim_buses_at(buses, i);
		if (!only || held == only)
			write_bus(w, held, now_of(job));
	}
	ml_json_end_array(w);
	ml_json_end_object(w);
	ml_job_succeed(job);
}

const struct ml_command sim_commands[] = {
	{.name = "sim.list",
		.title = "List the simulated buses",
		.help = "The buses behind interfaces sim:..., with what was done to them: \"line\" "
			"is good, or what is wrong with it; \"faults\" as they are typed; "
			"\"meters\" by their numbers.",
		.role = ML_ROLE_READ,
		.params = bus_params,
		.params_size = sizeof(struct params),
		.run = run_list},
	{.name = "sim.unplug",
		.title = "Unplug a simulated meter",
		.help = "It is taken off its line until sim.plug.",
		.role = ML_ROLE_OPERATE,
		.params = meter_params,
		.params_size = sizeof(struct params),
		.run = run_unplug},
	{.name = "sim.plug",
		.title = "Plug a simulated meter in again",
		.help = "It is put back on its line.",
		.role = ML_ROLE_OPERATE,
		.params = meter_params,
		.params_size = sizeof(struct params),
		.run = run_plug},
	{.name = "sim.change",
		.title = "Change a simulated meter",
		.help = "Its primary address, its baud rate, or its counters.",
		.role = ML_ROLE_OPERATE,
		.params = change_params,
		.params_size = sizeof(struct params),
		.run = run_change},
	{.name = "sim.line",
		.title = "Do something to a simulated line",
		.help = "Cuts its cable, breaks its interface, and makes it good again.",
		.role = ML_ROLE_OPERATE,
		.params = line_params,
		.params_size = sizeof(struct params),
		.run = run_line},
	{.name = "sim.fault",
		.title = "Let a simulated bus have a fault",
		.help = "One more, by the rules of docs/how-to/simulate.md.",
		.role = ML_ROLE_OPERATE,
		.params = fault_params,
		.params_size = sizeof(struct params),
		.run = run_fault},
	{.name = "sim.heal",
		.title = "End the faults of a simulated bus",
		.help = "What was done by hand stays: meters that are unplugged, the line.",
		.role = ML_ROLE_OPERATE,
		.params = bus_params,
		.params_size = sizeof(struct params),
		.run = run_heal},
	{0},
};
