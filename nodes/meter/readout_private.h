/* What the files of the readouts share.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef METER_READOUT_PRIVATE_H
#define METER_READOUT_PRIVATE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include <meterloom/command.h>
#include <meterloom/family.h>

#include "meter/list.h"
#include "meter/readout.h"

/* A time that was stamped before the clock was known to be right is told from its moment. */
struct meter_readout_moment {
	ml_time wall;   /* ML_TIME_NONE: there is none */
	ml_time moment; /* monotonic, of this start; ML_TIME_NONE: `wall` is right */
};

struct meter_readout_recent {
	struct meter_readout_moment time;
	ml_time took;
	uint16_t telegrams, tries;
	uint8_t result;
	bool continuous;
};

struct meter_readout_entry {
	struct meter_readout shown; /* but for its times */
	struct meter_readout_moment tried, read, failed_since;
	bool changed;      /* since it was written down */
	bool kind_changed; /* not only its times */
	uint8_t recent_count, recent_next;
	struct meter_readout_recent recent[METER_READOUT_RECENT_MAX]; /* a ring */
};

struct meter_readouts {
	struct ml_engine *engine;
	struct meter_list *list;
	atomic_uint_fast64_t revision;
	pthread_mutex_t lock;                /* guards what follows; held for some instructions */
	struct meter_readout_entry *entries; /* in the order of points' keys; owned */
	size_t count, capacity;
	bool changed, kind_changed; /* any of them */
	bool posted;                /* the control lane will write */
	ml_time written;            /* monotonic: when all was written last */
	/* control lane */
	sqlite3 *db;
	bool troubled; /* the last writing failed, and that was told */
};

/* Times are written four times an hour: rounds of a quarter of an hour each, though one may be a
 * little shorter than another. */
#define METER_READOUT_WRITE_EVERY (14 * ML_MINUTE)

/* ---- readout.c; with the lock held ---- */

/* NULL: there is none. */
struct meter_readout_entry *meter_readouts_find(struct meter_readouts *readouts, uint32_t point);
/* The same, made where there is none; NULL: out of memory or room. */
struct meter_readout_entry *meter_readouts_add(struct meter_readouts *readouts, uint32_t point);
/* Any time, of this engine. */
ml_time meter_readouts_time(
	const struct meter_readouts *readouts, struct meter_readout_moment moment);

/* ---- readout_keep.c; the control lane ---- */

#define METER_READOUT_MIGRATION \
	"CREATE TABLE meter_readout (" \
	" point INTEGER PRIMARY KEY REFERENCES meter_point(key) ON DELETE CASCADE," \
	" result TEXT NOT NULL," /* of the last one */ \
	" telegrams INTEGER NOT NULL," \
	" tries INTEGER NOT NULL," \
	" failures INTEGER NOT NULL," \
	" took INTEGER NOT NULL," \
	" tried INTEGER NOT NULL," \
	" read INTEGER," \
	" failed_since INTEGER)"

int meter_readouts_load(struct meter_readouts *readouts, struct ml_error *err);
/* What changed in kind and, where it is time for that or `all`, what else changed. */
void meter_readouts_write(struct meter_readouts *readouts, bool all);

/* What the tables of the family hold. */
#define METER_READOUT_SERVICE "readouts"
int meter_readouts_start(struct ml_engine *engine, void **ret_service, struct ml_error *err);
void meter_readouts_stop(void *service);

/* ---- readout_command.c ---- */

struct meter_readout_params {
	char *meter;
};
extern const struct ml_param meter_readout_param_table[];
void meter_readout_run(struct ml_job *job, void *params);

#define METER_READOUT_COMMAND \
	{ \
		.name = "meter.readout", .title = "Readouts of a meter", \
		.help = "How the last tries to read a meter went: the point as `meter.list` " \
			"shows it, and in `recent` the last readouts since the start of the " \
			"gateway, the newest first: when each ended, its result and why it " \
			"failed, how many telegrams came, how often it was asked, how long it " \
			"took, and whether it was of the continuous readout. `meter.readings` " \
			"has all that was stored.", \
		.role = ML_ROLE_READ, .params = meter_readout_param_table, \
		.params_size = sizeof(struct meter_readout_params), .run = meter_readout_run \
	}

#endif
