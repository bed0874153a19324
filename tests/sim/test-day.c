/* A simulated day (without METERLOOM_SOAK three hours of it) of each fault that the simulator
 * knows, and of all together: what is stored is what meters gave, each round reads each meter that
 * nothing disturbs, and the first round after a fault reads them all.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "meter/archive.h"
#include "sim/bus.h"
#include "sim/plan.h"
#include "sim/stay.h"

#include "count.h"

#define SLOT (15 * ML_MINUTE)
#define ROUND_MAX (4 * ML_MINUTE) /* a round is over by then, whatever happens */
#define STEP (2 * ML_SEC)

enum {
	METERS = 8, /* of as many models; one of them has two telegrams */
	SLOTS = 24 * 4,
	WHICH = 2, /* the meter that has the fault */
};

static const char graph[] =
	"{'meterloom': 1, 'nodes': ["
	"{'id': 'tick', 'type': 'cron-trigger', 'params': {'schedule': '*/15 * * * *'}},"
	"{'id': 'bus', 'type': 'mbus-source', 'params': {'interface': 'serial:/dev/x',"
	/* Longer than a meter that does not stop sending holds the line. */
	"'lost_line_wait': 120}},"
	"{'id': 'decode', 'type': 'decode'},"
	"{'id': 'store', 'type': 'store'},"
	"{'id': 'due', 'type': 'cron-trigger', 'params': {'schedule': '7 * * * *'}},"
	"{'id': 'unsent', 'type': 'store-query', 'params': {'destination': 'a'}},"
	"{'id': 'csv', 'type': 'template-render', 'params': {'template': '3101'}},"
	"{'id': 'sink', 'type': 'http-sink', 'params': {'url': 'http://a.example/'}}],"
	"'edges': [{'from': 'tick', 'to': 'bus'}, {'from': 'bus', 'to': 'decode'},"
	"{'from': 'decode', 'to': 'store'}, {'from': 'due', 'to': 'unsent.in'},"
	"{'from': 'unsent', 'to': 'csv'}, {'from': 'csv', 'to': 'sink'}]}";

/* Whom a fault may cost a readout. */
enum reach { NOBODY, ITSELF, THE_BUS };

static enum reach reach_of(enum sim_fault fault)
{
	switch (fault) {
	case SIM_METER_RESET:
	case SIM_METER_NO_NKE:
	case SIM_METER_NO_FCB:
	case SIM_LINE_NOISE:
	case SIM_LINE_ADDED_BYTE:
	case SIM_LINE_ECHO:
		return NOBODY;
	case SIM_METER_COLLIDING:
		return THE_BUS;
	default:
		break;
	}
	switch (sim_fault_info(fault)->whose) {
	case SIM_OF_METER:
		return ITSELF;
	case SIM_OF_LINE:
		return THE_BUS;
	default:
		return NOBODY;
	}
}

struct day {
	struct stay *stay;
	unsigned slots;
	bool excused[SLOTS][METERS]; /* something disturbed this meter in this round */
	unsigned read[SLOTS][METERS];
	uint32_t ids[METERS];
};

/* ---- What could be read ---- */

static void excuse(struct day *day, struct sim_plan *plan, unsigned slot, ml_time now)
{
	for (int f = 0; f < SIM_FAULTS; f++) {
		const enum reach reach = reach_of((enum sim_fault)f);
		if (reach == NOBODY || !(sim_plan_kinds(plan) >> f & 1))
			continue;
		const bool line = sim_fault_info((enum sim_fault)f)->whose == SIM_OF_LINE;
		for (size_t place = 0; place < (line ? 1 : METERS); place++) {
			if (!sim_plan_holds(plan, (enum sim_fault)f, place, now, NULL))
				continue;
			for (size_t m = 0; m < METERS; m++) {
				if (reach == THE_BUS || m == place)
					day->excused[slot][m] = true;
			}
		}
	}
}

/* A gateway that is started anew within a round does not go on with it. */
static void excuse_restart(struct day *day, struct sim_plan *plan, unsigned slot, ml_time in)
{
	const unsigned passed = sim_plan_passed(plan, SIM_RESTART, 0, slot * SLOT + in);
	for (size_t m = 0; m < METERS && passed > 0 && in > 0; m++)
		day->excused[slot][m] = true;
}

/* The same rules and seed have the same times as in the world. */
static void excuse_all(struct day *day)
{
	struct sim_plan *plan =
		sim_plan_new(&day->stay->options.faults, day->stay->options.seed, 0);
	assert_non_null(plan);
	for (unsigned slot = 0; slot < day->slots; slot++) {
		for (ml_time t = 0; t < ROUND_MAX; t += STEP) {
			excuse(day, plan, slot, slot * SLOT + t);
			excuse_restart(day, plan, slot, t);
		}
	}
	sim_plan_free(plan);
}

/* ---- What was read ---- */

static void count(void *context, const struct meter_reading *reading, uint64_t sequence)
{
	struct day *day = context;
	(void)sequence;
	const ml_time at = reading->time - day->stay->options.begin;
	const size_t slot = (size_t)(at / SLOT);
	for (size_t m = 0; m < METERS && at >= 0 && slot < day->slots; m++) {
		/* In the second of the round's begin and after. */
		if (reading->meter.id == day->ids[m] && at % SLOT < ROUND_MAX)
			day->read[slot][m]++;
	}
}

static void count_all(struct day *day)
{
	struct ml_engine *engine = sim_simulation_engine(day->stay->simulation);
	const struct meter_archive *archive = ml_service(engine, METER_ARCHIVE);
	struct ml_error err = ML_ERROR_NONE;
	uint64_t last = 0;
	assert_non_null(archive);
	assert_int_equal(archive->last(archive->user, &last, &err), 0);
	assert_int_equal(archive->walk(archive->user, 1, last, count, day, &err), 0);
}

/* Whether each meter was read in each round in which nothing kept it from that. */
static unsigned missed(const struct day *day, const char *name)
{
	unsigned missed = 0;
	unsigned due = 0;
	for (unsigned slot = 1; slot < day->slots; slot++) {
		for (size_t m = 0; m < METERS; m++) {
			due += !day->excused[slot][m];
			if (day->read[slot][m] > 0 || day->excused[slot][m])
				continue;
			missed++;
			print_message("%s: meter %zu was not read at %u:%02u\n", name, m + 1,
				slot / 4, slot % 4 * 15);
		}
	}
	assert_true(due > day->slots * METERS / 4);
	return missed;
}

/* ---- Days ---- */

static struct day *day_new(uint64_t seed)
{
	struct day *day = calloc(1, sizeof *day);
	assert_non_null(day);
	day->slots = test_count(24) * 4;
	day->stay = stay_new(graph, seed);
	day->stay->options.meters = METERS;
	day->stay->options.length = day->slots * SLOT;
	return day;
}

static void day_run(struct day *day, const char *name, bool clock_is_right)
{
	struct stay *stay = day->stay;
	stay_begin(stay);
	const struct sim_line *line =
		sim_bus_line(sim_world_bus(sim_simulation_world(stay->simulation), 1));
	for (size_t m = 0; m < METERS; m++)
		day->ids[m] = sim_line_meter(line, m)->identity.id;
	stay_run(stay);
	expect_nothing_lost(stay);
	excuse_all(day);
	count_all(day);
	if (clock_is_right)
		assert_int_equal(missed(day, name), 0);
}

static void day_free(struct day *day)
{
	stay_free(day->stay);
	free(day);
}

static struct sim_rule rule_of(enum sim_fault fault)
{
	const struct sim_fault_info *info = sim_fault_info(fault);
	return (struct sim_rule){
		.fault = (int)fault,
		.lasts = fault == SIM_RESTART || fault == SIM_METER_RESET ? 0 : 33 * ML_MINUTE,
		.by = info->usual_by            ? info->usual_by
		      : fault == SIM_CLOCK_JUMP ? ML_HOUR
						: 20 * ML_SEC,
		.which = info->whose == SIM_OF_METER ? WHICH : 0,
	};
}

static void a_day_of_each_fault(void **state)
{
	(void)state;
	for (int f = 0; f < SIM_FAULTS; f++) {
		struct day *day = day_new(6);
		struct sim_rule rule = rule_of((enum sim_fault)f);
		/* Every four hours, each time at another moment of a round. */
		for (unsigned i = 0; i < day->slots / 4; i += 4) {
			rule.at = (i + 1) * ML_HOUR + SLOT + 700 * ML_MSEC * i / 4 + 1;
			stay_add(day->stay, rule);
		}
		day_run(day, sim_fault_name((enum sim_fault)f), f != SIM_CLOCK_JUMP);
		assert_true(day->stay->result.faults[f] > 0);
		day_free(day);
	}
}

static void a_day_of_all_faults(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= test_count(20); seed++) {
		struct day *day = day_new(seed);
		for (int f = 0; f < SIM_FAULTS; f++) {
			struct sim_rule rule = rule_of((enum sim_fault)f);
			const bool meter = sim_fault_info((enum sim_fault)f)->whose == SIM_OF_METER;
			if (f == SIM_CLOCK_JUMP) /* the times of readings are looked at */
				continue;
			rule.which = 0;
			rule.every = meter ? 16 * ML_HOUR : 4 * ML_HOUR;
			rule.lasts = rule.lasts ? 10 * ML_MINUTE : 0;
			rule.share = 70;
			stay_add(day->stay, rule);
		}
		day_run(day, "all", true);
		assert_true(day->stay->result.failed > 0);
		day_free(day);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_day_of_each_fault),
		cmocka_unit_test(a_day_of_all_faults),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
