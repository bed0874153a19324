/* Current values: the last value of each series of each meter, with its time, and how the last
 * readout went.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any thread reads them through a snapshot: immutable, counted by reference, made only when
 * somebody asks and something has changed. `store` feeds them after each commit, the node
 * `current-values` without a store, and after a start what the database holds.
 *
 * A meter is a point of the meter list or, outside of it, an identity. It may send several kinds of
 * telegrams: the last of each kind is kept, and of a series that several of them hold the newest
 * value is shown. Which reading is newer is told by docs/explanation/current-values.md.
 */
#ifndef METER_CURRENT_H
#define METER_CURRENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/error.h>

#include "meter/reading.h"

struct ml_engine;
struct meter_current;

enum {
	METER_CURRENT_METERS_MAX = 8192,
	METER_CURRENT_KINDS_MAX = 16, /* of telegrams of one meter; the oldest goes */
	METER_CURRENT_BYTES_MAX = 64 << 20,
};

enum meter_current_state {
	METER_CURRENT_NEVER,  /* it was never read */
	METER_CURRENT_READ,   /* the last readout was good */
	METER_CURRENT_FAILED, /* the last readout failed, or could not be decoded to its end */
};

struct meter_current_meter {
	uint32_t point; /* key in the meter list; 0: not of the list */
	bool has_identity, has_maker;
	struct meter_identity identity; /* of the device that answered last */
	enum meter_current_state state;
	ml_time read;         /* of the last good readout; METER_TIME_UNKNOWN: none */
	ml_time failed_since; /* of the first failure after that; both only where it failed */
	ml_time failed_last;
	uint32_t failures; /* since then */
	char reason[METER_ERROR_TEXT_MAX + 1];
	/* The last of each kind of telegram, newest first. */
	const struct meter_reading *const *readings;
	size_t reading_count;
};

struct meter_current_snapshot {
	uint64_t revision;
	const struct meter_current_meter *meters; /* by point, then by identity */
	size_t meter_count;
};

/* A value of a meter. It points into the snapshot. */
struct meter_current_value {
	const struct meter_reading *reading; /* it came with: time and trace */
	const struct meter_record *record;
	uint8_t key_length;
	uint8_t key[METER_SERIES_KEY_MAX]; /* of its series */
};

/* The current values of an engine. NULL: this engine has none. Any thread, as all that follows. */
struct meter_current *meter_current(struct ml_engine *engine);

/* Takes readings in the order they came. `loaded`: they come from the database, and replace nothing
 * that was read since the start. */
void meter_current_take(struct meter_current *current, const struct meter_reading *const *readings,
	size_t count, bool loaded);

/* Counts the changes, for a price of one load. */
uint64_t meter_current_revision(const struct meter_current *current);

/* NULL: out of memory. Let go of it with meter_current_release(). */
const struct meter_current_snapshot *meter_current_snapshot(struct meter_current *current);
void meter_current_release(const struct meter_current_snapshot *snapshot); /* accepts NULL */

/* The meter at a point, or with `point` 0 one outside of the list by its identity. NULL: nothing
 * came from it. */
const struct meter_current_meter *meter_current_find(const struct meter_current_snapshot *snapshot,
	uint32_t point, const struct meter_identity *identity);

/* The last value of each series, each once. Puts up to `size` into `values` and returns how many
 * there are; METER_RECORDS_MAX * METER_CURRENT_KINDS_MAX are always enough. */
size_t meter_current_values(
	const struct meter_current_meter *meter, struct meter_current_value *values, size_t size);

/* "never", "read", "failed". */
const char *meter_current_state_name(unsigned state);

#endif
