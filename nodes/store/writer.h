/* The one writer of readings.db: the service "readings". Nodes `store` are doors to it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Lives on the lane "database". Readings are gathered and written in one transaction, 250 ms after
 * the first, when enough has gathered or when a round ends; nothing is open between two of them.
 * Where that fails (a full disk, a file system that became read-only), everything gathered is kept
 * and tried again: nothing that is acknowledged is lost, and nothing is acknowledged that is not on
 * the disk.
 */
#ifndef STORE_WRITER_H
#define STORE_WRITER_H

#include <stdatomic.h>

#include <meterloom/database.h>
#include <meterloom/engine.h>
#include <meterloom/family.h>
#include <meterloom/node.h>

#include "store/health.h"
#include "store/insert.h"
#include "store/keep.h"
#include "store/stamp.h"
#include "store/upkeep.h"

enum {
	STORE_GATHER_MAX = 4096, /* readings; as many are written at once */
};
#define STORE_GATHER_TIME (250 * ML_MSEC)
#define STORE_RETRY_TIME (2 * ML_SEC)

#define STORE_LANE "database"

extern const struct ml_migration store_migrations[];
extern const struct ml_service_class store_services[];
extern const struct ml_setting store_settings[];

struct store_query; /* store/query_node.h */

/* What a node hands in. Embedded in its instance. */
struct store_door {
	struct ml_node *node;
	struct ml_message *first, *last; /* readings to be written, in their order */
	size_t count;
	/* The first `count` of them are on the disk; takes them off the list. */
	void (*written)(struct store_door *door);
	/* Whether it can be written now. `err` tells why not; NULL: it can again. */
	void (*trouble)(struct store_door *door, const struct ml_error *err);
	/* private */
	unsigned rounds; /* that run */
	struct store_door *next;
};

struct store_writer {
	struct ml_engine *engine;
	struct ml_lane *lane; /* set when the first door opens */
	sqlite3 *db;          /* NULL: it could not be opened yet */
	struct store_health health;
	struct store_inserter inserter;
	struct store_stamper stamper;
	struct store_keep keep;
	struct store_door *doors;
	atomic_uint opened; /* how often the database was; any thread */
	size_t waiting;     /* readings of all doors */
	struct ml_timer timer;
	bool timer_runs;
	ml_time round_commit;
	bool troubled;
	struct ml_error trouble;
	bool undo; /* the file holds more than `sequence`: a commit that cannot be relied on */
	uint64_t epoch;
	uint64_t sequence;  /* the last one given; after a crash some before it are nobody's */
	uint64_t committed; /* of the last reading on the disk */
	struct store_upkeep upkeep;
	ml_time last_commit;      /* monotonic */
	ml_time last_commit_wall; /* ML_NEVER: none yet */
	uint64_t commits, failures;
	struct store_query *queries; /* nodes that run */
};

/* The service. */
int store_writer_start(struct ml_engine *engine, void **ret_service, struct ml_error *err);
void store_writer_stop(void *service);

/* The writer of an engine. NULL: it has none. */
struct store_writer *store_writer(struct ml_engine *engine);

/* All that follows: on the lane "database". */

/* Whether reports must wait: the clock is not known to be right, or readings that came before it
 * was have yet to get their time. Gives it to them where that can be done now. */
bool store_writer_waits_for_clock(struct store_writer *writer);

/* Opens the database where that was not yet possible. */
int store_writer_ready(struct store_writer *writer, struct ml_error *err);

/* The file was found damaged: it is set aside, and what can be read of it is taken over. */
void store_writer_repair(struct store_writer *writer, const char *damage);

void store_writer_open_door(struct store_writer *writer, struct store_door *door);
/* What the door still holds is written, or stays with it where that fails. */
void store_writer_close_door(struct store_writer *writer, struct store_door *door);

/* Takes over the reference. */
void store_writer_give(
	struct store_writer *writer, struct store_door *door, struct ml_message *message);

/* A round begins or ends at the door. While one runs, what is given there may wait for up to the
 * setting store.round_commit, since a page that is written for each reading wears out the card; at
 * its end all is written at once, but no more than four times a second. */
void store_writer_round(struct store_writer *writer, struct store_door *door, bool begins);

/* The same for what nodes keep beside the readings (meter/keep.h). */
void store_writer_open_drawer(struct store_writer *writer, struct meter_drawer *drawer);
void store_writer_close_drawer(struct store_writer *writer, struct meter_drawer *drawer);
void store_writer_drawer_changed(struct store_writer *writer, struct meter_drawer *drawer);

#endif
