/* A year of heat meters.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "heat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mbus/application.h"

enum {
	BUSES = 4,
	STEP_MS = 15 * 60 * 1000,
	ANSWER_MS = 310, /* of a meter at 2400 baud, request and answer */
	REPEAT_MS = 650, /* a request that was not answered in time */
	REPEATS = 3,     /* of 10,000 requests */
	FAILURES = 2,    /* of 10,000 readouts, after three requests */
	BLOCK = METER_READING_MAX,
};
static const uint32_t failure_flag = UINT32_C(1) << 31; /* flag of a time */
static const int64_t year_2025 = INT64_C(1735689600000000);
static const double pi = 3.14159265358979323846;

struct heat {
	unsigned meters, steps;
	uint64_t seed;
	double *outside; /* °C, of each step */
	uint32_t *times; /* ms after the step's begin, of each step and meter */
	uint16_t *ranks; /* how many were stored before it in that step */
};

struct heat_meter {
	const struct heat *heat;
	unsigned number, step, resolution; /* of temperatures: so many a K */
	uint64_t random;
	struct store_shape *shape;
	double loss;                 /* kW/K */
	double tap;                  /* kW while water is tapped */
	double tapping;              /* steps that are left of it */
	double supply, back, unrest; /* slow deviations */
	double energy, volume, hours;
	unsigned access;
	_Alignas(8) uint8_t block[BLOCK];
};

/* ---- Chance ---- */

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9E3779B97F4A7C15u);
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

static double uniform(uint64_t *state)
{
	return (double)(next_random(state) >> 11) / 9007199254740992.0;
}

static double normal(uint64_t *state)
{
	const double u = 1 - uniform(state);
	return sqrt(-2 * log(u)) * cos(2 * pi * uniform(state));
}

/* ---- Weather and schedule ---- */

static void make_weather(struct heat *heat, uint64_t *random)
{
	double weather = 0;
	for (unsigned i = 0; i < heat->steps; i++) {
		const double day = i / 96.0;
		weather += -weather / (2 * 96) + normal(random) * 4 * sqrt(2.0 / (2 * 96));
		heat->outside[i] = 9.5 - 9.5 * cos(2 * pi * (day - 20) / 365) -
				   3.5 * cos(2 * pi * (day - 2.5 / 24)) + weather;
	}
}

struct place {
	uint32_t time;
	unsigned meter;
};

static int by_time(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	if ((x->time & ~failure_flag) != (y->time & ~failure_flag))
		return (x->time & ~failure_flag) < (y->time & ~failure_flag) ? -1 : 1;
	return x->meter < y->meter ? -1 : 1;
}

static void make_round(struct heat *heat, unsigned step, uint64_t *random)
{
	struct place places[HEAT_METERS];
	uint32_t *times = heat->times + (size_t)step * heat->meters;
	for (unsigned bus = 0; bus < BUSES; bus++) {
		double at = 40 + 5 * fabs(normal(random));
		for (unsigned m = bus; m < heat->meters; m += BUSES) {
			at += ANSWER_MS + (m * 37) % 90 + 1.5 * normal(random);
			if (next_random(random) % 10000 < REPEATS)
				at += REPEAT_MS;
			uint32_t failed = 0;
			if (next_random(random) % 10000 < FAILURES) {
				at += 2 * REPEAT_MS;
				failed = failure_flag;
			}
			times[m] = (uint32_t)at | failed;
			places[m] = (struct place){times[m], m};
		}
	}
	qsort(places, heat->meters, sizeof *places, by_time);
	for (unsigned i = 0; i < heat->meters; i++)
		heat->ranks[(size_t)step * heat->meters + places[i].meter] = (uint16_t)i;
}

struct heat *heat_new(unsigned meters, unsigned steps, uint64_t seed)
{
	struct heat *heat = calloc(1, sizeof *heat);
	if (!heat)
		abort();
	*heat = (struct heat){
		.meters = meters,
		.steps = steps,
		.seed = seed,
		.outside = calloc(steps, sizeof *heat->outside),
		.times = calloc((size_t)steps * meters, sizeof *heat->times),
		.ranks = calloc((size_t)steps * meters, sizeof *heat->ranks),
	};
	if (!heat->outside || !heat->times || !heat->ranks)
		abort();
	make_weather(heat, &seed);
	for (unsigned step = 0; step < steps; step++)
		make_round(heat, step, &seed);
	return heat;
}

void heat_free(struct heat *heat)
{
	free(heat->outside);
	free(heat->times);
	free(heat->ranks);
	free(heat);
}

int64_t heat_month(unsigned month)
{
	static const unsigned days[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
	return year_2025 + days[month] * INT64_C(86400000000);
}

/* ---- A meter ---- */

struct heat_meter *heat_meter_new(struct heat *heat, unsigned number, unsigned fine)
{
	uint8_t telegram[] = {0x72, 0x78, 0x56, 0x34, 0x12, 0x2D, 0x2C, 0x1B, 0x04, 0x2A, 0, 0, 0,
		0x04, 0x06, 0, 0, 0, 0, 0x04, 0x14, 0, 0, 0, 0, 0x02, 0x2D, 0, 0, 0x02, 0x3B, 0, 0,
		0x02, 0x5A, 0, 0, 0x02, 0x5E, 0, 0, 0x02, 0x62, 0, 0, 0x04, 0x26, 0, 0, 0, 0};
	struct heat_meter *meter = calloc(1, sizeof *meter);
	if (!meter)
		abort();
	meter->heat = heat;
	meter->number = number;
	meter->random = heat->seed ^ (number + 1) * UINT64_C(0xD1342543DE82EF95);
	meter->resolution = (number * 61) % 100 < fine ? 100 : 10;
	if (meter->resolution == 100)
		for (size_t at = 34; at <= 42; at += 4)
			telegram[at]--;
	(void)meter_reading_init(meter->block, BLOCK, telegram, sizeof telegram, NULL);
	mbus_decode_application((void *)meter->block, 0, sizeof telegram, 0);
	if (store_shape_new((void *)meter->block, &meter->shape, NULL) < 0)
		abort();
	meter->shape->key = 1;
	/* From a flat with 3 kW at frost to a block with 100 kW, most of them small. */
	meter->loss = 0.09 * exp(3.4 * pow(uniform(&meter->random), 1.6));
	meter->tap = 8 + 20 * meter->loss * uniform(&meter->random);
	meter->energy = 20000 * uniform(&meter->random);
	meter->volume = meter->energy / 40;
	meter->hours = 30000 * uniform(&meter->random);
	return meter;
}

void heat_meter_free(struct heat_meter *meter)
{
	store_shape_free(meter->shape);
	free(meter);
}

const struct store_shape *heat_meter_shape(const struct heat_meter *meter)
{
	return meter->shape;
}

/* Tapped water heats up through the same meter, morning and evening more often. */
static double tapped(struct heat_meter *meter)
{
	const double hour = meter->step % 96 / 4.0;
	const double often =
		0.01 + 0.12 * exp(-pow(hour - 7, 2) / 2) + 0.09 * exp(-pow(hour - 19.5, 2) / 5);
	if (meter->tapping <= 0 && uniform(&meter->random) < often)
		meter->tapping = 0.3 + 1.5 * uniform(&meter->random);
	const double part = meter->tapping > 1 ? 1 : meter->tapping > 0 ? meter->tapping : 0;
	meter->tapping -= 1;
	return meter->tap * part;
}

static void measure(struct heat_meter *meter, int64_t values[HEAT_VALUES])
{
	uint64_t *random = &meter->random;
	const double outside = meter->heat->outside[meter->step];
	const double cold = outside < 16 ? 16 - outside : 0;
	meter->supply += -meter->supply / 40 + 0.25 * normal(random);
	meter->back += -meter->back / 24 + 0.22 * normal(random);
	meter->unrest += -meter->unrest / 8 + 0.04 * normal(random);
	const double tap = tapped(meter);
	/* The mean of the quarter, which the counters add up. */
	const double mean = cold * meter->loss * fmax(0.2, 1 + meter->unrest) + tap;
	const double forward = 68 + 0.9 * cold + meter->supply + 0.12 * normal(random);
	const double back = 36 + 0.35 * cold + meter->back - (tap > 0 ? 4 : 0) +
			    (mean > 0 ? 0 : 6) + 0.12 * normal(random);
	const double mean_flow = mean / (1.163e-3 * (forward - back)); /* l/h */
	/* The moment of the readout, seen through valves that hunt. */
	const double flow = mean_flow * fmax(0, 1 + 0.06 * normal(random));
	meter->energy += mean / 4;
	meter->volume += mean_flow / 4000;
	meter->hours += 0.25;
	const double scale = meter->resolution;
	values[0] = (int64_t)meter->energy;
	values[1] = (int64_t)(meter->volume * 100);
	values[2] = llround(flow * 1.163e-3 * (forward - back) * 10);
	values[3] = llround(flow);
	values[4] = llround(forward * scale);
	values[5] = llround(back * scale);
	values[6] = llround((forward - back) * scale);
	values[7] = (int64_t)meter->hours;
}

static size_t write_reading(struct heat_meter *meter, const int64_t *values, uint8_t *content)
{
	static uint8_t out[STORE_VALUES_MAX];
	struct meter_reading *reading = (void *)meter->block;
	struct meter_record *records =
		(void *)((uint8_t *)(reading + 1) + meter_reading_bytes_size(reading));
	for (unsigned i = 0; i < HEAT_VALUES; i++)
		records[i].mantissa = values[i];
	reading->access = (uint8_t)++meter->access;
	const size_t length = store_values_write(meter->shape, reading, out);
	if (!length || length > HEAT_CONTENT_MAX)
		abort();
	memcpy(content, out, length);
	return length;
}

static size_t write_failure(struct heat_meter *meter, uint8_t *content)
{
	static const struct store_shape nothing = {.count = 0};
	static uint8_t out[STORE_VALUES_MAX];
	_Alignas(8) uint8_t block[1024];
	struct meter_reading *reading = (void *)block;
	(void)meter;
	(void)meter_reading_init(block, sizeof block, NULL, 0, NULL);
	reading->flags = METER_NOT_READ;
	meter_reading_set_error(reading, -1, "no answer to 3 requests");
	const size_t length = store_values_write(&nothing, reading, out);
	memcpy(content, out, length);
	return length;
}

_Bool heat_meter_next(
	struct heat_meter *meter, uint8_t content[HEAT_CONTENT_MAX], struct store_row *row)
{
	const struct heat *heat = meter->heat;
	if (meter->step == heat->steps)
		return 0;
	const size_t at = (size_t)meter->step * heat->meters + meter->number;
	int64_t values[HEAT_VALUES];
	measure(meter, values);
	*row = (struct store_row){
		.sequence = 1 + (uint64_t)meter->step * heat->meters + heat->ranks[at],
		.time = year_2025 +
			((int64_t)meter->step * STEP_MS + (heat->times[at] & ~failure_flag)) * 1000,
		.trace = (UINT64_C(7) << 40) + (uint64_t)meter->step * (heat->meters + 2) +
			 heat->ranks[at],
		.origin = 1 + meter->number % BUSES,
		.content = content,
	};
	if (heat->times[at] & failure_flag) {
		row->length = write_failure(meter, content);
	} else {
		row->length = write_reading(meter, values, content);
		row->shape = 1;
		/* The telegram has more in it than is kept: any bytes will do for its check. */
		row->check = (uint32_t)next_random(&meter->random);
	}
	meter->step++;
	return 1;
}
