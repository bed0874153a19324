/* What those who read find damaged: told once, and mended where it is the file.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A reading or a chunk whose content does not decode is left out, with an event; the others go on.
 * Where SQLite says that the file is damaged, the writer repairs it (store/health.h). Any thread.
 */
#ifndef STORE_DAMAGE_H
#define STORE_DAMAGE_H

#include <meterloom/engine.h>

#include "store/scan.h"

#define STORE_DAMAGE_SERVICE "readings-damage"

/* At most so often what readers meet has the file repaired: each time the damaged one is kept. */
#define STORE_DAMAGE_REST ML_HOUR

int store_damage_start(struct ml_engine *engine, void **ret_service, struct ml_error *err);
void store_damage_stop(void *service);

/* Nothing where the view has nobody to tell. */
void store_damage_reading(struct store_view *view, const struct store_row *row, const char *reason);
void store_damage_chunk(struct store_view *view, int64_t key, int64_t device, const char *reason);

/* Which readings.db is there now: before it is opened. */
unsigned store_damage_file(struct ml_engine *engine);

/* SQLite said that this one is damaged. Where it still is the one, it is repaired in a moment. */
void store_damage_found(struct ml_engine *engine, unsigned file, const char *found);

#endif
