/* Upkeep: what the writer does between commits: packing, and letting go of what is too old.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_UPKEEP_H
#define STORE_UPKEEP_H

#include <meterloom/engine.h>
#include <meterloom/node.h>

#include "store/packer.h"
#include "store/retention.h"

/* How often it is looked whether there is something to do, and the least time between two steps;
 * after each it rests for twenty times as long as it took. */
#define STORE_UPKEEP_LOOK (10 * ML_MINUTE)
#define STORE_UPKEEP_REST (50 * ML_MSEC)
enum { STORE_UPKEEP_SHARE = 20 };

struct store_writer;

struct store_upkeep {
	struct store_writer *writer; /* NULL: never started */
	struct ml_timer timer;
	struct store_packer packer; /* its view NULL: not open */
	struct store_retention retention;
	struct ml_error error; /* of the last step; code 0: it went well */
};

/* On the lane "database", while there is a door. */
void store_upkeep_start(struct store_upkeep *upkeep, struct store_writer *writer);
void store_upkeep_stop(struct store_upkeep *upkeep);

/* The database is about to be closed. */
void store_upkeep_close(struct store_upkeep *upkeep);

/* The number of a setting, in the setting's own unit. Any thread. */
int64_t store_setting(struct ml_engine *engine, const char *name);

#endif
