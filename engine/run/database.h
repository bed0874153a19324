/* The engine's side of its databases.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_RUN_DATABASE_H
#define ML_RUN_DATABASE_H

#include <meterloom/database.h>

/* Without a data directory: makes the databases in memory, which live until the stop. With one:
 * does nothing. Before anything opens a database; the engine's families must be known. */
int ml_databases_start(struct ml_engine *engine, struct ml_error *err);

/* After the last connection was closed. */
void ml_databases_stop(struct ml_engine *engine);

#endif
