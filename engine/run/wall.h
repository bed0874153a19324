/* The engine's side of the wall clock: made before the services, looked at on the control lane.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_RUN_WALL_H
#define ML_RUN_WALL_H

#include <meterloom/error.h>
#include <meterloom/json.h>
#include <meterloom/wall.h>

struct ml_wall;

/* After the databases, before the services: sets engine->wall, also on failure. */
int ml_wall_new(struct ml_engine *engine, struct ml_error *err);
void ml_wall_free(struct ml_engine *engine); /* accepts an engine without one */

/* The service "wall". */
int ml_wall_start(struct ml_engine *engine, void **ret_service, struct ml_error *err);
void ml_wall_stop(void *service);

/* Control lane. Looks at the clock at once. */
void ml_wall_look(struct ml_engine *engine);
/* A person says that the clock is right. */
void ml_wall_confirm(struct ml_engine *engine);
/* {"time", "known", "synchronised", "newest"} */
void ml_wall_write(struct ml_engine *engine, struct ml_json_writer *w);

#endif
