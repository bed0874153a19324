/* Retention: what goes because it is too old, or because there would be too much.
 * SPDX-License-Identifier: Apache-2.0
 *
 * On the writer's connection, between its transactions, a small step at a time.
 * docs/explanation/storage.md tells the rules.
 */
#ifndef STORE_RETENTION_H
#define STORE_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/error.h>

#include "meter/batch.h"

enum { RETENTION_MISSED_MAX = 8 };

struct store_writer;

/* A destination that had not had all of what went. */
struct retention_missed {
	char destination[METER_DESTINATION_MAX];
	uint64_t readings;
};

struct store_retention {
	bool loaded;
	ml_time trusted; /* wall: the time by which ages are told; no more than two days a day on */
	ml_time written; /* as it is on the disk */
	ml_time looked;  /* monotonic: when `trusted` was moved */
	ml_time looked_age;        /* monotonic: when chunks were looked through; 0: not yet */
	uint64_t expired, dropped; /* readings that went by age and by size, not yet told */
	ml_time told;              /* monotonic: when it was told last that some expired */
	struct retention_missed missed[RETENTION_MISSED_MAX];
	size_t missed_count;
	bool journal_short; /* it was told that the journal is limited by its size */
};

/* One step. 1: there is more to do; 0: there is not. */
int store_retention_step(
	struct store_retention *retention, struct store_writer *writer, struct ml_error *err);

#endif
