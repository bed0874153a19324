/* What an aggregate remembers, as bytes.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Version, fingerprint, content, and a check sum at the end. Numbers are LEB128. The fingerprint is
 * that of the node's parameters: what was counted by other rules is of no use. Pure.
 */
#ifndef AGGREGATE_STATE_H
#define AGGREGATE_STATE_H

#include <meterloom/error.h>
#include <meterloom/json.h>

#include "aggregate/series.h"
#include "meter/identity.h"

/* What was told of a window. */
struct told {
	struct window window;
	bool told;
	uint32_t hash;        /* of the result that was told last */
	uint32_t corrections; /* that were told */
	/* not kept */
	ml_time due;        /* wall time at which it is to be told; ML_NEVER: nothing is */
	uint64_t in_flight; /* number of the message that is on its way; 0: none */
	uint32_t sending;   /* hash of that message */
};

struct told_list {
	struct told *items; /* in the order of time; owned */
	size_t count, capacity;
};

/* A meter, or the virtual meter of a node (`virtual`, without a series). */
struct state {
	bool virtual, has_identity;
	uint32_t point;                 /* 0: known by its identity */
	struct meter_identity identity; /* of the device that gave the last value */
	uint32_t device;                /* of the last value */
	bool has_maker;
	struct series series;
	struct told_list told;
};

enum { STATE_TOLD_MAX = 2 * SERIES_SUMS_MAX };

void state_free(struct state *state); /* of its parts */

/* Appends to `out`. */
void state_write(const struct state *state, uint64_t fingerprint, struct ml_buffer *out);

/* -EBADMSG: damaged; -ESTALE: of another version or other parameters. *state is then empty. */
int state_read(const uint8_t *bytes, size_t length, uint64_t fingerprint, struct state *state,
	struct ml_error *err);

/* What was told of the window that begins then; NULL: it is not there. */
struct told *told_find(const struct told_list *list, ml_time begin);

/* Finds or makes it, to be told at `due`. NULL: too many, or out of memory. */
struct told *told_add(struct told_list *list, struct window window, ml_time due);

/* Takes out the oldest `count`. */
void told_drop(struct told_list *list, size_t count);

#endif
