/* A year of heat meters: what 256 of them would say every quarter of an hour.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Houses that lose heat to the weather of a temperate year, tap hot water morning and evening, and
 * are fed by a district heating network; their meters count what flows through. Eight values:
 * energy in kWh, volume in 0.01 m³, power in 0.1 kW, flow in l/h, forward and return temperature
 * and their difference in 0.1 or 0.01 K, and operating hours.
 *
 * The meters hang on four buses that are read at the same time, each meter after the other: a
 * reading's time moves with all answers before it, and its sequence with how far the other buses
 * are. Some requests are repeated, and some readouts fail. All follows from a seed.
 */
#ifndef TESTS_HEAT_H
#define TESTS_HEAT_H

#include <stdint.h>

#include "store/pack.h"
#include "store/row.h"

enum {
	HEAT_METERS = 256,
	HEAT_STEPS = 365 * 96, /* quarters of an hour of the year 2025 */
	HEAT_VALUES = 8,
	HEAT_CONTENT_MAX = 64,
};

struct heat;
struct heat_meter;

/* `meters` of at most HEAT_METERS. */
struct heat *heat_new(unsigned meters, unsigned steps, uint64_t seed);
void heat_free(struct heat *heat);

/* Meters 0, 1, ... in turn show temperatures in `fine` of 100 cases in 0.01 K, else in 0.1 K. */
struct heat_meter *heat_meter_new(struct heat *heat, unsigned number, unsigned fine);
void heat_meter_free(struct heat_meter *meter);

/* The shape of its readings; the meter's. Key 1. */
const struct store_shape *heat_meter_shape(const struct heat_meter *meter);

/* The next reading. The content lies in `content`. false: the year is over. */
_Bool heat_meter_next(
	struct heat_meter *meter, uint8_t content[HEAT_CONTENT_MAX], struct store_row *row);

/* First µs of a month (0 to 12) of that year. */
int64_t heat_month(unsigned month);

#endif
