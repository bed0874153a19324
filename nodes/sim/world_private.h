/* The simulated world, for its own files.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_WORLD_PRIVATE_H
#define SIM_WORLD_PRIVATE_H

#include <mbedtls/sha256.h>

#include "sim/bus.h"
#include "sim/world.h"

/* An answer of a meter that may be on its way. */
struct sim_answer {
	uint64_t hash; /* of its bytes, as they left the meter */
	bool came;
	bool damaged, late;
	bool data;      /* it is a telegram */
	bool repeating; /* that was sent before */
	bool perhaps;   /* it need not be taken */
	size_t length;  /* without these */
	uint8_t bytes[MBUS_FRAME_MAX];
};

enum { SIM_ANSWERS_KEPT = 4 };

struct sim_world_bus {
	struct sim_world *world;
	struct sim_bus *bus;        /* owned */
	unsigned number;            /* from 1 */
	struct sim_answer *answers; /* SIM_ANSWERS_KEPT a meter, the newest first; owned */
};

struct sim_head_end {
	char url[SIM_URL_MAX];
	uint64_t uploads, failed;
};

struct sim_world {
	const struct ml_clock *clock;
	ml_time wall;                               /* of the world when it began */
	struct sim_plan *plan;                      /* owned; of all its places */
	ml_time last_answer;                        /* monotonic */
	struct sim_world_bus *buses[SIM_BUSES_MAX]; /* owned */
	unsigned bus_count;
	size_t meter_count;
	struct sim_head_end head_ends[SIM_LEDGER_HEAD_ENDS_MAX];
	unsigned head_end_count;
	mbedtls_sha256_context digest;
	char *keep;
	struct sim_ledger *ledger; /* owned */
	void *block;               /* where telegrams are decoded; owned */
	char *text;                /* a document; owned */
	size_t text_size;
};

/* The rule by which the fault is there now at this place (from 0), and hits this time; NULL: none.
 */
const struct sim_rule *sim_world_hit(struct sim_world *world, enum sim_fault fault, size_t place);
uint64_t sim_world_draw(struct sim_world *world);

/* ---- world_head_end.c ---- */

void sim_head_end_begin(void *user, const struct meter_upload *upload, struct meter_fate *fate);
void sim_head_end_received(
	void *user, const struct meter_upload *upload, const struct meter_fate *fate);

#endif
