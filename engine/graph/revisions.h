/* Revisions: every graph that was applied, with author, time, remark and difference.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Kept in meterloom.db. All of it on the control lane.
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
	ML_REVISIONS_KEPT = 1000, /* older ones are deleted */
	ML_REVISION_AUTHOR_MAX = 64,
	ML_REVISION_REMARK_MAX = 1000,
};

struct ml_revision {
	int64_t number; /* from 1 */
	ml_time time;   /* wall */
	const char *author, *remark;
	const char *graph; /* the JSON text as it was given, NUL-terminated */
	size_t length;
	const char
		*difference; /* to the one before it, JSON as ml_difference_to_json() writes it */
};

int ml_revisions_new(
	struct ml_engine *engine, struct ml_revisions **ret_revisions, struct ml_error *err);
void ml_revisions_free(struct ml_revisions *revisions); /* accepts NULL */

/* The number of the newest; 0: there is none. */
int64_t ml_revisions_newest(const struct ml_revisions *revisions);

/* Calls `got` with a revision (valid during the call). -ENOENT: there is none of that number. */
int ml_revisions_get(struct ml_revisions *revisions, int64_t number,
	void (*got)(void *user, const struct ml_revision *revision), void *user,
	struct ml_error *err);

/* The newest of those before `before` (0: of all); the graph's text is left out (NULL). */
int ml_revisions_list(struct ml_revisions *revisions, int64_t before, size_t limit,
	void (*got)(void *user, const struct ml_revision *revision), void *user,
	struct ml_error *err);

/* Keeps a graph as the newest revision. Time, number and difference are filled in. */
int ml_revisions_add(struct ml_revisions *revisions, const char *author, const char *remark,
	const char *graph, size_t length, int64_t *ret_number, struct ml_error *err);

#endif
