/* What is kept of searches: where each that was broken off can go on, one a bus, in meterloom.db;
 * and how many meters the buses of one search have found together.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The service "mbus-searches". All functions are for any thread.
 */
#ifndef MBUS_SEARCH_KEEP_H
#define MBUS_SEARCH_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/database.h>
#include <meterloom/family.h>

struct ml_engine;
struct mbus_searches;

struct mbus_searches *mbus_searches(struct ml_engine *engine); /* NULL: this engine has none */

/* Keeps a search (mbus_search_save()) of a bus in the place of the one before; NULL: none. */
void mbus_searches_keep(
	struct mbus_searches *searches, const char *bus, const char *state, size_t length);

/* A copy to be freed; NULL: there is none, or no memory. */
char *mbus_searches_kept(struct mbus_searches *searches, const char *bus);

/* Adds to what the search of this number has found, and tells how many there are then. */
uint32_t mbus_searches_count(struct mbus_searches *searches, uint64_t search, uint32_t add);

#define MBUS_SEARCHES_SERVICE "mbus-searches"
int mbus_searches_start(struct ml_engine *engine, void **ret_service, struct ml_error *err);
void mbus_searches_stop(void *service);

extern const struct ml_migration mbus_migrations[];

#endif
