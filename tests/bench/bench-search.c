/* The search: how many probes it takes against the plain prefix tree of the numbers, and how long.
 * SPDX-License-Identifier: Apache-2.0
 *
 * On the simulated bus, line and clock: always the same figures.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <meterloom/command.h>

#include "mbus/rig.h"
#include "mbus/search_plan.h"

enum { METERS = 250, SEEDS = 10, DIGITS = 8, NOISE_BYTES = 4 };

struct run {
	/* what */
	unsigned baud, delay;
	bool hex, twins, noise;
	uint64_t seed;
	/* what came of it */
	unsigned found, probes, repeats;
	uint64_t plan;
	ml_time took;
	bool done;
	struct rig *rig;
	ml_time began;
};

static void on_done(void *user, const struct ml_outcome *outcome)
{
	struct run *run = user;
	json_t *result = json_loads(outcome->result, JSON_DECODE_ANY, NULL);
	run->done = true;
	run->took = ml_clock_monotonic(run->rig->clock) - run->began;
	run->found = (unsigned)json_integer_value(json_object_get(result, "found"));
	run->probes = (unsigned)json_integer_value(json_object_get(result, "probes"));
	run->repeats = (unsigned)json_integer_value(json_object_get(result, "repeats"));
	json_decref(result);
}

static void draw_numbers(struct run *run)
{
	uint32_t numbers[METERS];
	for (size_t i = 0; i < METERS; i++) {
		struct sim_meter *meter = sim_line_change_meter(run->rig->line, i);
		uint64_t chance = sim_hash(run->seed, i);
		uint32_t id = 0;
		for (unsigned d = 0; d < DIGITS; d++, chance /= 15)
			id = id << 4 | (uint32_t)(chance % (run->hex ? 15 : 10));
		meter->identity.id = id;
		if (run->twins && i % 50 == 49) {
			/* The number of the one before, and of another maker. */
			const struct sim_meter *other = sim_line_meter(run->rig->line, i - 1);
			meter->identity.id = other->identity.id;
		}
		meter_identity_write(meter->identity, meter->secondary);
		numbers[i] = meter->identity.id;
	}
	run->plan = search_plan_probes(numbers, METERS, run->hex ? 16 : 10);
}

static void search(struct run *run)
{
	const struct sim_options options = {
		.meters = METERS, .seed = run->seed, .baud = run->baud, .delay = run->delay};
	char params[100];
	struct rig *rig = run->rig = rig_new(true);
	rig_line(rig, &options);
	draw_numbers(run);
	(void)snprintf(params, sizeof params, "'interface':'rig:line','baud':%u", run->baud);
	rig_graph(rig, params);
	rig_pass(rig, ML_SEC);
	json_t *how = json_pack("{s:b}", "hex", run->hex);
	const struct ml_call call = {
		.command = "meter.search",
		.params = how,
		.role = ML_ROLE_ADMIN,
		.done = on_done,
		.user_data = run,
		.lane = ml_engine_lane(rig->engine, "control"),
	};
	run->began = ml_clock_monotonic(rig->clock);
	run->done = false;
	assert_true(ml_command_call(rig->engine, &call) != 0);
	for (uint64_t i = 0; !run->done; i++) {
		const uint64_t chance = sim_hash(run->seed, ~i);
		if (run->noise)
			rig_disturb(rig, (const uint8_t *)&chance, 1 + chance % NOISE_BYTES, 0);
		rig_pass(rig, (ml_time)(500 + chance % 4000) * ML_MSEC);
	}
	json_decref(how);
	rig_free(rig);
}

/* Over all seeds; `limit`: per cent of the plain tree, 0 for none. */
static bool measure(const char *what, struct run run, unsigned limit)
{
	uint64_t probes = 0, plan = 0, worst = 0;
	ml_time took = 0;
	bool good = true;
	for (run.seed = 1; run.seed <= SEEDS; run.seed++) {
		search(&run);
		const uint64_t share = run.probes * UINT64_C(10000) / run.plan;
		probes += run.probes;
		plan += run.plan;
		took += run.took;
		worst = share > worst ? share : worst;
		good = good && run.found == METERS;
	}
	printf("%-44s %5u baud: %5u probes, plain tree %5u: %6.1f %%, at most %6.1f %%", what,
		run.baud, (unsigned)(probes / SEEDS), (unsigned)(plan / SEEDS),
		100.0 * (double)probes / (double)plan, (double)worst / 100);
	if (limit)
		printf(" (limit %u)", limit);
	printf("; %.0f s%s\n", (double)(took / SEEDS) / ML_SEC, good ? "" : "; SOME WERE MISSED");
	return good && (limit == 0 || worst <= limit * UINT64_C(100));
}

int main(void)
{
	enum { LIMIT = 110 };
	bool good = true;
	printf("250 meters of random numbers, the mean of %d buses:\n", SEEDS);
	good = measure("8 digits 0 to 9", (struct run){.baud = 2400}, LIMIT) && good;
	good = measure("", (struct run){.baud = 300}, LIMIT) && good;
	good = measure("", (struct run){.baud = 9600}, LIMIT) && good;
	good = measure("8 digits 0 to E", (struct run){.baud = 2400, .hex = true}, LIMIT) && good;
	good = measure("5 pairs of one number, of other makers",
		       (struct run){.baud = 2400, .twins = true}, LIMIT) &&
	       good;
	good = measure("all answer at the same time", (struct run){.baud = 2400, .delay = 11},
		       LIMIT) &&
	       good;
	good = measure("1 to 4 bytes of noise every 2.5 s",
		       (struct run){.baud = 2400, .noise = true}, 0) &&
	       good;
	return good ? 0 : 1;
}
