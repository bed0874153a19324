/* What current values cost: taking readings in, and giving all values of 512 meters out.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/command.h>
#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "mbus/application.h"
#include "meter/current.h"
#include "meter/family.h"

enum { METERS = 512, COMMIT = 4096, COMMITS = 500, ASKS = 200, CALLS = 50 };

static uint8_t *blocks[METERS];

/* A heat meter of eight values. */
static void make(unsigned number)
{
	static const uint8_t telegram[] = {0x72, 0x78, 0x56, 0x34, 0x12, 0x2D, 0x2C, 0x1B, 0x04,
		0x2A, 0, 0, 0, 0x04, 0x06, 1, 2, 3, 0, 0x04, 0x14, 4, 5, 6, 0, 0x02, 0x2D, 7, 8,
		0x02, 0x3B, 9, 1, 0x02, 0x59, 2, 3, 0x02, 0x5D, 4, 5, 0x04, 0x22, 6, 7, 0, 0, 0x44,
		0x06, 8, 9, 1, 0};
	static _Alignas(8) uint8_t block[METER_READING_MAX];
	uint8_t bytes[sizeof telegram];
	memcpy(bytes, telegram, sizeof bytes);
	bytes[1] = (uint8_t)(number % 10 | number / 10 % 10 << 4);
	bytes[2] = (uint8_t)(number / 100 % 10);
	(void)meter_reading_init(block, sizeof block, bytes, sizeof bytes, NULL);
	struct meter_reading *reading = (void *)block;
	mbus_decode_application(reading, 0, sizeof bytes, 0);
	reading->time = 1;
	blocks[number] = malloc(reading->size);
	if (!blocks[number])
		abort();
	(void)meter_reading_copy(blocks[number], reading->size, reading, NULL);
}

/* As after commits, while now and then somebody asks. */
static void measure_taking(struct ml_clock *clock, struct meter_current *current)
{
	static const struct meter_reading *readings[COMMIT];
	for (unsigned i = 0; i < COMMIT; i++)
		readings[i] = (const void *)blocks[i % METERS];
	const ml_time begin = ml_clock_monotonic(clock);
	for (unsigned i = 0; i < COMMITS; i++) {
		for (unsigned n = 0; n < COMMIT; n += 128)
			meter_current_take(current, readings + n, 128, false);
		if (i % 10 == 0)
			meter_current_release(meter_current_snapshot(current));
	}
	const ml_time took = ml_clock_monotonic(clock) - begin;
	(void)printf("take a reading of 8 values: %.0f ns (at 150000/s: %.1f %% of a processor)\n",
		(double)took * 1e3 / (COMMITS * COMMIT),
		(double)took * 150000.0 / ((double)COMMITS * COMMIT) / 1e4);
}

static void measure_asking(struct ml_clock *clock, struct meter_current *current)
{
	static struct meter_current_value values[64];
	const struct meter_reading *reading = (const void *)blocks[0];
	ml_time worst = 0, all = 0;
	size_t count = 0;
	for (unsigned i = 0; i < ASKS; i++) {
		meter_current_take(current, &reading, 1, false);
		const ml_time begin = ml_clock_monotonic(clock);
		const struct meter_current_snapshot *snapshot = meter_current_snapshot(current);
		for (size_t m = 0; m < snapshot->meter_count; m++)
			count += meter_current_values(&snapshot->meters[m], values, 64);
		meter_current_release(snapshot);
		const ml_time took = ml_clock_monotonic(clock) - begin;
		all += took;
		worst = took > worst ? took : worst;
	}
	if (count != (size_t)ASKS * METERS * 8)
		abort();
	(void)printf("the latest value of all series of 512 meters (4096): %.2f ms, worst of %d "
		     "%.2f ms (limit 5 ms)\n",
		(double)all / ASKS / 1e3, ASKS, (double)worst / 1e3);
}

static size_t answered;

static void told(void *user, const struct ml_outcome *outcome)
{
	(void)user;
	answered = outcome->result_length;
}

static void measure_command(struct ml_clock *clock, struct ml_engine *engine)
{
	const struct ml_call call = {.command = "meter.current",
		.done = told,
		.lane = ml_engine_lane(engine, "control")};
	const ml_time begin = ml_clock_monotonic(clock);
	for (unsigned i = 0; i < CALLS; i++) {
		(void)ml_command_call(engine, &call);
		ml_engine_simulate(engine, 0);
	}
	const ml_time took = ml_clock_monotonic(clock) - begin;
	(void)printf("the same by meter.current, as %zu KiB of JSON: %.2f ms\n", answered / 1024,
		(double)took / CALLS / 1e3);
}

int main(void)
{
	static const struct ml_family *const families[] = {&meter_family, NULL};
	struct ml_clock *clock = ml_clock_new_real();
	struct ml_clock *simulated = ml_clock_new_simulated(1790000000 * ML_SEC);
	struct ml_engine *engine = NULL;
	const struct ml_engine_options options = {
		.families = families, .clock = simulated, .log = ml_log_new(simulated, 0)};
	if (!clock || !simulated || ml_engine_new(&options, &engine, NULL) < 0)
		return 1;
	for (unsigned i = 0; i < METERS; i++)
		make(i);
	measure_taking(clock, meter_current(engine));
	measure_asking(clock, meter_current(engine));
	measure_command(clock, engine);
	ml_engine_free(engine);
	ml_log_free(options.log);
	ml_clock_free(simulated);
	ml_clock_free(clock);
	for (unsigned i = 0; i < METERS; i++)
		free(blocks[i]);
	return 0;
}
