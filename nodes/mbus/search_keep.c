/* What is kept of searches.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/search_keep.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>
#include <meterloom/node.h>

#include "meter/list.h"

enum { COUNTS = 16, TEXT_MAX = 512 * 1024 };

struct kept {
	char bus[METER_BUS_MAX];
	char *state;  /* owned; NULL: none any more */
	bool changed; /* since it was written */
	struct kept *next;
};

struct mbus_searches {
	struct ml_engine *engine;
	sqlite3 *db; /* control lane */
	pthread_mutex_t lock;
	struct kept *kept; /* owned */
	bool posted;       /* the writing */
	struct {
		uint64_t search;
		uint32_t count;
	} counts[COUNTS];
	size_t next_count;
};

const struct ml_migration mbus_migrations[] = {
	{"meterloom", 1,
		"CREATE TABLE mbus_search ("
		"  bus TEXT PRIMARY KEY,"
		"  state TEXT NOT NULL" /* mbus/search_state.h */
		") WITHOUT ROWID"},
	{0},
};

struct mbus_searches *mbus_searches(struct ml_engine *engine)
{
	return ml_service(engine, MBUS_SEARCHES_SERVICE);
}

/* ---- With the lock held ---- */

static struct kept *find(struct mbus_searches *searches, const char *bus)
{
	for (struct kept *kept = searches->kept; kept; kept = kept->next) {
		if (strcmp(kept->bus, bus) == 0)
			return kept;
	}
	return NULL;
}

/* Takes the state. */
static struct kept *put(struct mbus_searches *searches, const char *bus, char *state)
{
	struct kept *kept = find(searches, bus);
	if (!kept) {
		kept = calloc(1, sizeof *kept);
		if (!kept) {
			free(state);
			return NULL;
		}
		(void)snprintf(kept->bus, sizeof kept->bus, "%s", bus);
		kept->next = searches->kept;
		searches->kept = kept;
	}
	free(kept->state);
	kept->state = state;
	return kept;
}

/* ---- The control lane ---- */

static bool write_one(sqlite3 *db, const char *bus, const char *state)
{
	sqlite3_stmt *statement = NULL;
	const char *sql = state ? "INSERT OR REPLACE INTO mbus_search (bus, state) VALUES (?1, ?2)"
				: "DELETE FROM mbus_search WHERE bus = ?1";
	const bool good = sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
			  sqlite3_bind_text(statement, 1, bus, -1, SQLITE_STATIC) == SQLITE_OK &&
			  (!state || sqlite3_bind_text(statement, 2, state, -1, SQLITE_STATIC) ==
					     SQLITE_OK) &&
			  sqlite3_step(statement) == SQLITE_DONE;
	(void)sqlite3_finalize(statement);
	return good;
}

/* A change to be written: the lock is not held while the card is busy. */
static bool next_change(struct mbus_searches *searches, char bus[METER_BUS_MAX], char **state)
{
	bool found = false;
	(void)pthread_mutex_lock(&searches->lock);
	for (struct kept *kept = searches->kept; kept && !found; kept = kept->next) {
		if (!kept->changed)
			continue;
		*state = kept->state ? strdup(kept->state) : NULL;
		if (kept->state && !*state)
			continue; /* with the next change */
		memcpy(bus, kept->bus, METER_BUS_MAX);
		kept->changed = false;
		found = true;
	}
	searches->posted = searches->posted && found;
	(void)pthread_mutex_unlock(&searches->lock);
	return found;
}

static void write_changes(void *user)
{
	struct mbus_searches *searches = user;
	char bus[METER_BUS_MAX];
	char *state = NULL;
	while (next_change(searches, bus, &state)) {
		if (!write_one(searches->db, bus, state)) {
			struct ml_error err = ML_ERROR_NONE;
			(void)ml_database_error(&err, searches->db, "keeping a search");
			ml_log(ml_engine_log(searches->engine), ML_LOG_WARNING, "search", "%s",
				err.text);
		}
		free(state);
	}
}

static int load(struct mbus_searches *searches, struct ml_error *err)
{
	sqlite3_stmt *row = NULL;
	int result = 0;
	int step = sqlite3_prepare_v2(
		searches->db, "SELECT bus, state FROM mbus_search", -1, &row, NULL);
	while (step == SQLITE_OK || step == SQLITE_ROW) {
		step = sqlite3_step(row);
		if (step != SQLITE_ROW)
			break;
		const char *bus = (const char *)sqlite3_column_text(row, 0);
		const char *text = (const char *)sqlite3_column_text(row, 1);
		char *state = text ? strdup(text) : NULL;
		if (!bus || !state || !put(searches, bus, state)) {
			result = ml_error_set(err, -ENOMEM, "out of memory");
			break;
		}
	}
	if (result == 0 && step != SQLITE_DONE)
		result = ml_database_error(err, searches->db, "reading the searches");
	(void)sqlite3_finalize(row);
	return result;
}

void mbus_searches_stop(void *service)
{
	struct mbus_searches *searches = service;
	write_changes(searches);
	for (struct kept *next, *kept = searches->kept; kept; kept = next) {
		next = kept->next;
		free(kept->state);
		free(kept);
	}
	(void)sqlite3_close(searches->db);
	(void)pthread_mutex_destroy(&searches->lock);
	free(searches);
}

int mbus_searches_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	struct mbus_searches *searches = calloc(1, sizeof *searches);
	if (!searches)
		return ml_error_set(err, -ENOMEM, "out of memory");
	searches->engine = engine;
	(void)pthread_mutex_init(&searches->lock, NULL);
	int result = ml_database_open(engine, "meterloom", true, &searches->db, err);
	if (result == 0)
		result = load(searches, err);
	if (result < 0) {
		mbus_searches_stop(searches);
		return result;
	}
	*ret_service = searches;
	return 0;
}

/* ---- Any thread ---- */

void mbus_searches_keep(
	struct mbus_searches *searches, const char *bus, const char *state, size_t length)
{
	bool post = false;
	if (!searches || length > TEXT_MAX)
		return;
	char *copy = state ? strndup(state, length) : NULL;
	if (state && !copy)
		return;
	(void)pthread_mutex_lock(&searches->lock);
	if (copy || find(searches, bus)) {
		struct kept *kept = put(searches, bus, copy);
		if (kept)
			kept->changed = true;
		post = kept && !searches->posted;
		searches->posted = searches->posted || post;
	}
	(void)pthread_mutex_unlock(&searches->lock);
	/* Where the lane ends already, it is written when the service does. */
	if (post)
		(void)ml_lane_post(
			ml_engine_lane(searches->engine, "control"), write_changes, searches);
}

char *mbus_searches_kept(struct mbus_searches *searches, const char *bus)
{
	if (!searches)
		return NULL;
	(void)pthread_mutex_lock(&searches->lock);
	const struct kept *kept = find(searches, bus);
	char *state = kept && kept->state ? strdup(kept->state) : NULL;
	(void)pthread_mutex_unlock(&searches->lock);
	return state;
}

uint32_t mbus_searches_count(struct mbus_searches *searches, uint64_t search, uint32_t add)
{
	uint32_t count = 0;
	if (!searches)
		return add;
	(void)pthread_mutex_lock(&searches->lock);
	size_t at = 0;
	while (at < COUNTS && searches->counts[at].search != search)
		at++;
	if (at == COUNTS) {
		at = searches->next_count++ % COUNTS;
		searches->counts[at].search = search;
		searches->counts[at].count = 0;
	}
	count = searches->counts[at].count += add;
	(void)pthread_mutex_unlock(&searches->lock);
	return count;
}
