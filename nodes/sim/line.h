/* A line with virtual meters on it: bytes of a master in, bytes of the meters out, at the times
 * they would have on a real one, and as they would garble each other there.
 * SPDX-License-Identifier: Apache-2.0
 *
 * No clock, no I/O: the times are told to it. Monotonic times rule the line, wall times the meters.
 * The same options and the same calls give the same bytes.
 */
#ifndef SIM_LINE_H
#define SIM_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/error.h>

#include "sim/fault.h"
#include "sim/meter.h"
#include "sim/wire.h"

enum {
	SIM_METERS_MAX = 10000,
	SIM_ANSWER_MAX = 1024, /* a faulty meter may send more than a frame holds */
	SIM_NAME_MAX = 32,     /* bytes, with the NUL */
	SIM_PATH_MAX = 200,
};

struct sim_options {
	unsigned meters;
	uint64_t seed;
	unsigned baud;     /* of the meters, and of the master until it is told otherwise */
	unsigned odd_baud; /* of every other meter; 0: as the others */
	unsigned delay;    /* bit times before each answer; 0: each meter's own */
	unsigned gap;      /* bit times of rest after each byte of an answer */
	bool autobaud;     /* the meters follow the master's rate */
	bool echo;         /* the master hears what it sends */
	bool fast;         /* no time passes on the line */
	unsigned bus;      /* of the simulated world that the engine is in, from 1; 0: its own */
	char name[SIM_NAME_MAX];        /* of the bus; "": none */
	char faults_file[SIM_PATH_MAX]; /* sim_options_load() reads it; "": none */
	struct sim_faults faults;       /* of this bus, which whoever has it in his hands obeys */
};

/* Who watches a line, and makes it worse than it is. Each may be NULL. */
struct sim_line_watch {
	void *user;
	/* A meter is about to send an answer: it may be changed in its place (up to
	 * SIM_ANSWER_MAX bytes), come so much later, or not at all (length 0). */
	void (*answers)(void *user, size_t meter, uint8_t *bytes, size_t *length, ml_time *later);
	/* The answer of a meter alone has come to the master whole, as answers() left it. */
	void (*came)(void *user, size_t meter, const uint8_t *bytes, size_t length);
};

/* Who has the line in his hands: its faults. Each may be NULL. */
struct sim_line_hand {
	void *user;
	/* A meter is about to hear a frame. */
	void (*asked)(void *user, struct sim_meter *meter, size_t index);
	/* The time of sim_line_act_at() has come; it is told anew for the next. */
	void (*acts)(void *user, ml_time now, ml_time wall);
};

#define SIM_OPTIONS_NONE ((struct sim_options){.meters = 20, .seed = 1, .baud = 2400})

/* Reads "20" or "meters=20&seed=7&baud=2400&odd_baud=300&delay=11&gap=2&autobaud=1&echo=1&fast=1
 * &name=east&fault=meter-silent,which=3&faults=FILE". -EINVAL, err->at is the offset. */
int sim_options_parse(const char *text, struct sim_options *options, struct ml_error *err);

/* Adds the faults of faults_file, if it names one. -EINVAL: a fault is wrong, its place is in the
 * text. */
int sim_options_load(struct sim_options *options, struct ml_error *err);

struct sim_line;

/* NULL: out of memory. */
struct sim_line *sim_line_new(const struct sim_options *options);
void sim_line_free(struct sim_line *line); /* accepts NULL */

size_t sim_line_meter_count(const struct sim_line *line);
const struct sim_meter *sim_line_meter(const struct sim_line *line, size_t index);

/* The same for whoever changes meters while they are on the line: a test, a fault. */
struct sim_meter *sim_line_change_meter(struct sim_line *line, size_t index);

/* It speaks and hears at another rate; 0: at the master's. false: out of memory. */
bool sim_line_set_meter_baud(struct sim_line *line, size_t index, unsigned baud);

void sim_line_watch(struct sim_line *line, const struct sim_line_watch *watch); /* copied */

void sim_line_handle(struct sim_line *line, const struct sim_line_hand *hand); /* copied */
/* ML_NEVER: nothing is to be done. At first 0 where there is a hand that acts. */
void sim_line_act_at(struct sim_line *line, ml_time when);
/* The time that the line was told last. */
ml_time sim_line_now(const struct sim_line *line);

/* How the master sends and hears from now on. */
void sim_line_set_rate(struct sim_line *line, struct sim_rate rate);

/* An open line (nothing goes through), and one with a short circuit (nothing goes through, and the
 * converter knows it). */
void sim_line_set_cut(struct sim_line *line, bool cut);
void sim_line_set_short(struct sim_line *line, bool shorted);
bool sim_line_is_short(const struct sim_line *line);
/* Whether the master hears what it sends. */
void sim_line_set_echo(struct sim_line *line, bool echo);

/* Somebody sends out of turn: noise, a babbling meter. At most SIM_ANSWER_MAX bytes; false: out of
 * memory. Not before what was taken already. */
bool sim_line_disturb(struct sim_line *line, const uint8_t *bytes, size_t length,
	struct sim_rate rate, ml_time begin);

/* The master began to send these bytes at `now`, or as soon as what it sent before has left. */
void sim_line_received(struct sim_line *line, const uint8_t *bytes, size_t length, ml_time now);

/* How a meter sends. */
struct sim_rate sim_line_rate(const struct sim_line *line, const struct sim_meter *meter);

/* When all that the master sent has left its end. */
ml_time sim_line_drained(const struct sim_line *line);

/* When there is something to do: ML_NEVER for nothing. */
ml_time sim_line_when(const struct sim_line *line);

/* What has come from the meters up to `now` and was not yet taken; 0: nothing. `wall` is the
 * meters' time. To be called at sim_line_when(). */
size_t sim_line_take(struct sim_line *line, ml_time now, ml_time wall, const uint8_t **bytes);

/* The same, but no further than a change between good bytes and those with a parity or framing
 * error: to be called until it gives 0. */
size_t sim_line_take_run(
	struct sim_line *line, ml_time now, ml_time wall, const uint8_t **bytes, bool *damaged);

/* Forgets what is on its way in both directions. */
void sim_line_discard(struct sim_line *line);

#endif
