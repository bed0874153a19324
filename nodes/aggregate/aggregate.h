/* What the files of the node `aggregate` share.
 * SPDX-License-Identifier: Apache-2.0
 *
 * aggregate.c is the node and its parameters, count.c what happens to readings that come in,
 * result.c what becomes of windows, tell.c when it goes on.
 */
#ifndef AGGREGATE_AGGREGATE_H
#define AGGREGATE_AGGREGATE_H

#include <meterloom/node.h>

#include "aggregate/state.h"
#include "meter/keep.h"
#include "meter/list.h"
#include "meter/reading.h"

enum { AGGREGATE_IN, AGGREGATE_OUT };

enum {
	AGGREGATE_COUNTED,
	AGGREGATE_REPEATED,
	AGGREGATE_TOO_LATE,
	AGGREGATE_LOST,
	AGGREGATE_TIMELESS,
	AGGREGATE_TOLD,
	AGGREGATE_CORRECTED,
	AGGREGATE_METERS,
};

enum {
	AGGREGATE_METERS_MAX = 8192,
	AGGREGATE_TERMS_MAX = 64,
	AGGREGATE_HELD_MAX = 8192, /* readings whose ack waits; beyond, the edge waits */
	AGGREGATE_NAME_MAX = 96,
};

enum aggregate_result {
	RESULT_CONSUMPTION,
	RESULT_MEAN,
	RESULT_MIN,
	RESULT_MAX,
	RESULT_FIRST,
	RESULT_LAST,
	RESULT_COUNT,
	RESULTS,
};

extern const char *const aggregate_result_names[RESULTS];

/* A meter, or the virtual meter. */
struct aggregate_entry {
	struct state state;
	bool dirty; /* it differs from what is kept */
};

/* One meter of a virtual meter. */
struct aggregate_term {
	bool minus, known;
	uint32_t point;                 /* 0: `identity` alone */
	struct meter_identity identity; /* may have wildcards */
};

struct aggregate {
	/* parameters */
	char *window, *time_zone, *quantity, *name, *meter;
	ml_time delay, lateness;
	int function;
	int64_t storage, tariff, subunit, rollover_digits, mean_digits;
	struct ml_strings results, terms;
	bool catch_up;

	struct meter_drawer drawer;
	const struct meter_keep *keep;
	struct ml_zone *zone;
	struct series_rules rules;
	struct meter_filter filter;
	uint64_t fingerprint;
	enum aggregate_result wanted[RESULTS];
	size_t wanted_count;
	char base[AGGREGATE_NAME_MAX]; /* what the names of results begin with */

	struct meter_list *list;               /* NULL: this engine has none */
	const struct meter_snapshot *snapshot; /* of the list; NULL: none yet */
	struct aggregate_term term[AGGREGATE_TERMS_MAX];
	uint32_t target_point; /* of the virtual meter; 0: not in the list */
	bool target_has_identity;
	struct meter_identity target_identity;

	struct aggregate_entry **entries; /* in the order of their keys; owned */
	size_t count, capacity;
	struct aggregate_entry *virtual; /* NULL: each meter by itself */
	bool loaded, troubled;
	struct ml_message **held; /* their ack waits for what is kept; room for HELD_MAX; owned */
	size_t held_count;
	uint64_t flights;
	struct ml_timer timer;
	struct ml_timer catching;
	size_t caught_up; /* entries that have been */
};

static inline ml_time aggregate_now(const struct aggregate *self)
{
	return ml_node_wall(self->drawer.node);
}

/* ---- count.c ---- */

/* Counts a reading where it is of a meter and series of this node. */
void aggregate_count(struct aggregate *self, const struct meter_reading *reading);

/* Counts what the store holds of a meter and was not counted. */
int aggregate_catch_up(
	struct aggregate *self, const struct aggregate_entry *entry, struct ml_error *err);

/* Looks up the meters of a virtual meter where the list has changed. */
void aggregate_resolve(struct aggregate *self);

/* Puts what was kept into the table; takes over the parts of *state. -ENOMEM. */
int aggregate_add(struct aggregate *self, struct state *state, struct aggregate_entry **ret_entry);

void aggregate_mark(struct aggregate *self, struct aggregate_entry *entry);

/* The name of an entry in what is kept. Returns its length. */
size_t aggregate_key(const struct state *state, uint8_t out[METER_KEEP_NAME_MAX]);

/* ---- kept.c ---- */

/* Reads what was kept, now or as soon as that can be done, and takes readings from then on. */
void aggregate_open(struct aggregate *self);

/* Writes what is new, or fails the readings that it came from. */
void aggregate_close(struct aggregate *self);

/* ---- tell.c ---- */

/* Something came to `entry`: windows that are new, or whose results have changed, are to be told.
 */
void aggregate_review(struct aggregate *self, struct aggregate_entry *entry, bool all);

/* Tells what is due, as far as there is room, and finishes windows after their lateness. */
void aggregate_tell(struct aggregate *self);

/* After a start: nothing is on its way. */
void aggregate_plan(struct aggregate *self);

void aggregate_acked(struct aggregate *self, uint64_t flight, bool delivered);

#endif
