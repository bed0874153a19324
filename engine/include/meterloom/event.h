/* Events: what happened that a person or a head-end may want to know. Declared in a catalogue.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef METERLOOM_EVENT_H
#define METERLOOM_EVENT_H

#include <meterloom/error.h>
#include <meterloom/log.h>

struct ml_engine;
struct ml_node;

struct ml_event_class {
	const char *code; /* "readout-failed": kebab-case; NULL ends the table */
	enum ml_log_level severity;
	const char
		*text; /* English, with {name} for each argument: "Meter {meter} did not answer" */
	const char *advice; /* English: what to do */
};

/* Raises an event: it is logged, published on the feed "event", and kept for `event.list`. `place`
 * is a node's id or a part of the gateway. Arguments: name, text pairs (char *), ended by NULL. Any
 * thread. The code must be in a catalogue. */
void ml_event_raise(struct ml_engine *engine, const char *code, const char *place, ...)
	__attribute__((sentinel));

#endif
