/* Events: the catalogue and what happened.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_COMMAND_EVENTS_H
#define ML_COMMAND_EVENTS_H

#include <meterloom/engine.h>
#include <meterloom/event.h>
#include <meterloom/json.h>

struct ml_events;
struct ml_family;

enum { ML_EVENTS_KEPT = 500, ML_EVENT_ARGUMENTS_MAX = 8, ML_EVENT_ARGUMENT_MAX = 256 };

/* -EEXIST: two classes have one code. */
int ml_events_new(struct ml_engine *engine, const struct ml_family *const *families,
	struct ml_events **ret_events, struct ml_error *err);
void ml_events_free(struct ml_events *events); /* accepts NULL */

/* Implemented by the engine. Any thread. */
struct ml_events *ml_engine_events(struct ml_engine *engine);

/* Raises the numbers of events by `count`: they go on where those of an earlier start ended. Before
 * any was raised. */
void ml_events_skip(struct ml_events *events, uint64_t count);

struct ml_event_filter {
	size_t limit;               /* the newest so many */
	enum ml_log_level severity; /* at least */
	const char *code;           /* NULL: all */
	uint64_t before;            /* only lower numbers */
	ml_time from, to;           /* wall */
};

/* Writes one array, the newest first: {"id", "time", "code", "severity", "place", "text", "advice",
 * "arguments"}, those of earlier starts too, and "uncertain" where the clock was not known to be
 * right. On the lane "log". */
void ml_events_list(
	struct ml_events *events, const struct ml_event_filter *filter, struct ml_json_writer *w);
/* Writes one array of {"code", "severity", "text", "advice"}, in the order of codes. Any thread. */
void ml_events_catalogue(const struct ml_events *events, struct ml_json_writer *w);

#endif
