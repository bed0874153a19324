/* Events: the catalogue and the last of what happened.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_COMMAND_EVENTS_H
#define ML_COMMAND_EVENTS_H

#include <meterloom/engine.h>
#include <meterloom/event.h>
#include <meterloom/json.h>

struct ml_events;
struct ml_family;

enum { ML_EVENTS_KEPT = 500 };

/* -EEXIST: two classes have one code. */
int ml_events_new(struct ml_engine *engine, const struct ml_family *const *families,
	struct ml_events **ret_events, struct ml_error *err);
void ml_events_free(struct ml_events *events); /* accepts NULL */

/* Implemented by the engine. Any thread. */
struct ml_events *ml_engine_events(struct ml_engine *engine);

/* Both write one array. Any thread. */
void ml_events_list(struct ml_events *events, size_t limit, struct ml_json_writer *w);
void ml_events_catalogue(struct ml_events *events, struct ml_json_writer *w);

#endif
