/* A line with virtual meters on it: bytes of a master in, bytes of the meters out, at the times
 * they would have on a real one. SPDX-License-Identifier: Apache-2.0
 *
 * No clock, no I/O: the times are told to it. Monotonic times rule the line, wall times the meters.
 */
#ifndef SIM_LINE_H
#define SIM_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/error.h>

#include "sim/meter.h"

enum { SIM_METERS_MAX = 10000 };

struct sim_options {
	unsigned meters;
	uint64_t seed;
	unsigned baud;  /* of the line */
	unsigned delay; /* bit times before each answer; 0: each meter's own */
	bool fast;      /* no time passes on the line */
};

#define SIM_OPTIONS_NONE ((struct sim_options){.meters = 20, .seed = 1, .baud = 2400})

/* Reads "20" or "meters=20&seed=7&baud=2400&delay=11&fast=1". -EINVAL, err->at is the offset. */
int sim_options_parse(const char *text, struct sim_options *options, struct ml_error *err);

struct sim_line;

/* NULL: out of memory. */
struct sim_line *sim_line_new(const struct sim_options *options);
void sim_line_free(struct sim_line *line); /* accepts NULL */

size_t sim_line_meter_count(const struct sim_line *line);
const struct sim_meter *sim_line_meter(const struct sim_line *line, size_t index);

void sim_line_set_baud(struct sim_line *line, unsigned baud);

/* The master began to send these bytes at `now`, or as soon as what it sent before has left. */
void sim_line_received(struct sim_line *line, const uint8_t *bytes, size_t length, ml_time now);

/* When all that the master sent has left its end. */
ml_time sim_line_drained(const struct sim_line *line);

/* When there is something to do: ML_NEVER for nothing. */
ml_time sim_line_when(const struct sim_line *line);

/* What has come from the meters up to `now` and was not yet taken; 0: nothing. `wall` is the
 * meters' time. To be called at sim_line_when(). */
size_t sim_line_take(struct sim_line *line, ml_time now, ml_time wall, const uint8_t **bytes);

/* Forgets what is on its way in both directions. */
void sim_line_discard(struct sim_line *line);

#endif
