/* Revisions: every graph that was applied, with author, time, remark and difference.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Kept in meterloom.db. A revision is written down before its graph is applied and confirmed after:
 * one that a crash left unconfirmed is not run at the next start. All of it on the control lane.
 */
#ifndef ML_GRAPH_REVISIONS_H
#define ML_GRAPH_REVISIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/database.h>
#include <meterloom/error.h>
#include <meterloom/json.h>

struct ml_revisions;

/* The schema; run before those of the families. */
extern const struct ml_migration ml_graph_migrations[];

enum {
	/* Older ones are deleted beyond these, but for the one that runs. */
	ML_REVISIONS_KEPT = 1000,
	ML_REVISIONS_BYTES = 64 << 20,

	ML_REVISION_AUTHOR_MAX = 64, /* bytes; longer ones are cut */
	ML_REVISION_REMARK_MAX = 1000,
};

struct ml_revision {
	int64_t number; /* from 1 */
	ml_time time;   /* wall */
	char *author, *remark;
	char *graph; /* the JSON text as it was given */
	size_t length;
	char *difference; /* to the one before it, as ml_difference_to_json() writes it */
};

int ml_revisions_new(
	struct ml_engine *engine, struct ml_revisions **ret_revisions, struct ml_error *err);
void ml_revisions_free(struct ml_revisions *revisions); /* accepts NULL */

/* The one whose graph runs; 0: none. */
int64_t ml_revisions_running(const struct ml_revisions *revisions);
void ml_revisions_set_running(struct ml_revisions *revisions, int64_t number);

/* The newest confirmed one before `before` (0: of all) by `author` (NULL: by anyone); 0: none. */
int64_t ml_revisions_newest(struct ml_revisions *revisions, int64_t before, const char *author);

/* -ENOENT: there is none of that number. */
int ml_revisions_get(struct ml_revisions *revisions, int64_t number, struct ml_revision *revision,
	struct ml_error *err);
void ml_revision_free(struct ml_revision *revision);

/* Writes one object, or a list of the newest before `before` (0: of all) without their graphs:
 * {"revision": 3, "time": "…", "author": "…", "remark": "…", "running": true, "difference": {…},
 * "graph": {…}} */
void ml_revision_to_json(const struct ml_revisions *revisions, const struct ml_revision *revision,
	struct ml_json_writer *w);
int ml_revisions_to_json(struct ml_revisions *revisions, int64_t before, size_t limit,
	struct ml_json_writer *w, struct ml_error *err);

/* What lies between two revisions; from 0: the empty graph. */
int ml_revisions_difference(struct ml_revisions *revisions, int64_t from, int64_t to,
	struct ml_json_writer *w, struct ml_error *err);

/* Writes a graph down as the newest revision; its difference is to the one that runs. */
int ml_revisions_add(struct ml_revisions *revisions, const char *author, const char *remark,
	const char *graph, size_t length, int64_t *ret_number, struct ml_error *err);
/* Its graph runs now: it counts, and old ones are deleted. */
int ml_revisions_confirm(struct ml_revisions *revisions, int64_t number, struct ml_error *err);
/* Its graph could not be applied: it was never there. */
void ml_revisions_drop(struct ml_revisions *revisions, int64_t number);

#endif
