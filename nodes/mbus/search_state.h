/* A search as text, to go on with it another day.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MBUS_SEARCH_STATE_H
#define MBUS_SEARCH_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include <meterloom/error.h>
#include <meterloom/json.h>

#include "mbus/search.h"

/* Writes where the search is, between two probes: one JSON object. */
void mbus_search_save(const struct mbus_search *s, struct ml_json_writer *w);

/* Goes on with a search that was saved; what was being compared, and a number that several have,
 * begins anew. What the list knows is to be told again. -EINVAL: that is none; *s is not to be used
 * then. */
int mbus_search_load(struct mbus_search *s, const char *text, size_t length, struct ml_error *err);

#endif
