/* A simulated world around a gateway: buses with meters, head-ends, and what goes wrong with them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * It lives outside the engine, so that a gateway can end and start again in it; sim_world_enter()
 * puts an engine into it. Streams "sim:bus=1" then lead to its buses, and all reports to its
 * head-ends. All on the one thread of a simulated engine.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "meter/receiver.h"
#include "sim/bus.h"
#include "sim/fault.h"
#include "sim/ledger.h"
#include "sim/line.h"

enum { SIM_BUSES_MAX = 64, SIM_URL_MAX = 200, SIM_DIGEST_SIZE = 32 };

struct sim_world;

struct sim_world_options {
	const struct ml_clock *clock; /* simulated; kept */
	uint64_t seed;
	struct sim_faults faults;   /* copied */
	const struct ml_zone *zone; /* kept: of the times in reports */
	const char *keep;           /* a folder for the documents that come; NULL: none are kept */
};

/* -ENOMEM. */
int sim_world_new(const struct sim_world_options *options, struct sim_world **ret_world);
void sim_world_free(struct sim_world *world); /* accepts NULL */

/* Adds a bus; its number, from 1, or -ENOMEM, -E2BIG. */
int sim_world_add_bus(struct sim_world *world, const struct sim_options *options);
struct sim_bus *sim_world_bus(struct sim_world *world, unsigned bus); /* NULL: there is none */

/* The engine's streams and reports lead into this world from now on, until it ends. */
void sim_world_enter(struct sim_world *world, struct ml_engine *engine);

/* Nothing goes wrong any more. */
void sim_world_heal(struct sim_world *world);

/* The meters' own clocks: they go on whatever becomes of the gateway's. */
ml_time sim_world_wall(const struct sim_world *world);

/* By how much the gateway's clock is wrong now. */
ml_time sim_world_clock_error(struct sim_world *world);

/* Whether no meter has answered for so long. */
bool sim_world_quiet(const struct sim_world *world, ml_time length);

/* When a fault of the gateway (a restart, a jump of its clock) begins or ends next; ML_NEVER. */
ml_time sim_world_change(struct sim_world *world, enum sim_fault fault);
/* How often it was to be restarted since the last call. */
unsigned sim_world_restarts(struct sim_world *world);

/* How often a fault began, by now. */
uint64_t sim_world_fault_count(const struct sim_world *world, enum sim_fault fault);

/* Books what was on its way to the end. Before the ledger compares. */
void sim_world_close_books(struct sim_world *world);
struct sim_ledger *sim_world_ledger(struct sim_world *world);

unsigned sim_world_head_end_count(const struct sim_world *world);
const char *sim_world_head_end_url(const struct sim_world *world, unsigned head_end);
/* Uploads that began, and those that were refused, failed, or got lost on the way. */
uint64_t sim_world_uploads(const struct sim_world *world, unsigned head_end, uint64_t *failed);
/* Over the names and bytes of all documents, in the order of their coming. */
void sim_world_digest(struct sim_world *world, uint8_t digest[SIM_DIGEST_SIZE]);

/* ---- For streams ---- */

/* The world that an engine is in; NULL: none. */
struct sim_world *sim_world_of(struct ml_engine *engine);

#endif
