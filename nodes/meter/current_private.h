/* What the files of the current values share.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef METER_CURRENT_PRIVATE_H
#define METER_CURRENT_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include <meterloom/command.h>
#include <meterloom/family.h>

#include "meter/current.h"

/* A reading, counted by reference: the table holds one, each snapshot another. It is changed in
 * place only while the table's is the only one. */
struct meter_current_part {
	atomic_uint refs;
	uint32_t size; /* of the block */
	bool live;     /* it came since the start, not from the database */
	_Alignas(8) uint8_t block[];
};

static inline const struct meter_reading *meter_current_reading(
	const struct meter_current_part *part)
{
	return (const struct meter_reading *)(const void *)part->block;
}

struct meter_current_place {
	struct meter_current_meter shown; /* readings and reading_count are the snapshot's */
	bool live;                        /* the state is of a readout since the start */
	uint64_t touched;                 /* counts takes: who was heard last */
	size_t part_count;
	struct meter_current_part *parts[METER_CURRENT_KINDS_MAX]; /* newest first */
};

struct meter_current {
	struct ml_clock *clock;
	atomic_uint_fast64_t revision;
	pthread_mutex_t lock;                /* guards what follows */
	struct meter_current_place **places; /* by point, then by identity; owned */
	size_t place_count, place_capacity;
	uint32_t *buckets; /* places by hash: index + 1; twice as many as METERS_MAX */
	size_t bytes;      /* of all parts */
	uint64_t takes;
	const struct meter_current_snapshot *snapshot; /* the last one made, or NULL */
};

/* What the tables of the family hold of the current values. */
#define METER_CURRENT_SERVICE "current-values"
int meter_current_start(struct ml_engine *engine, void **ret_service, struct ml_error *err);
void meter_current_stop(void *service);
extern const struct ml_node_class meter_current_values_class;

struct meter_current_params {
	char *meter;
	int state;
	bool heard;
	int64_t offset, limit;
};
extern const struct ml_param meter_current_param_table[];
void meter_current_run(struct ml_job *job, void *params);

#define METER_CURRENT_COMMAND \
	{ \
		.name = "meter.current", .title = "Current values", \
		.help = "The last value of each series of the meters, with its time, and how " \
			"their " \
			"last readout went: `never`, `read` or `failed`, since when and why. " \
			"First " \
			"the points of the meter list in their order, then meters that were only " \
			"heard. The result holds `meters` and how many there are in `total`.", \
		.role = ML_ROLE_READ, .params = meter_current_param_table, \
		.params_size = sizeof(struct meter_current_params), .run = meter_current_run \
	}

/* Current values without an engine. NULL: out of memory. */
struct meter_current *meter_current_new(struct ml_clock *clock);
void meter_current_free(struct meter_current *current); /* accepts NULL */

/* Whether two readings are of one kind of telegram: the same series in the same order. */
bool meter_current_same_kind(const struct meter_reading *a, const struct meter_reading *b);

/* Puts a reading into the parts of its place, where it is no older than what is there. */
void meter_current_place_take(struct meter_current *current, struct meter_current_place *place,
	const struct meter_reading *reading, bool loaded, ml_time now);

void meter_current_part_release(struct meter_current_part *part);

#endif
