/* Whether the tables and indexes of readings.db are those that its migrations make.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The same steps are run in memory, and what both then hold is compared. What somebody added (an
 * index of his own) is left alone.
 */
#include "store/health.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <meterloom/database.h>
#include <meterloom/family.h>

static const char doing[] = "checking the schema of readings.db";

/* How far the steps of a family had got; all of them where it is not known. */
static unsigned limit_of(const struct store_steps *steps, const char *family)
{
	for (size_t i = 0; steps && i < steps->count; i++)
		if (strcmp(steps->of[i].family, family) == 0)
			return steps->of[i].version;
	return steps && steps->count ? 0 : UINT32_MAX;
}

static int run_step(
	sqlite3 *db, const char *family, const struct ml_migration *step, struct ml_error *err)
{
	char sql[160];
	if (sqlite3_exec(db, step->sql, NULL, NULL, NULL) != SQLITE_OK)
		return ml_database_error(err, db, doing);
	(void)snprintf(sql, sizeof sql, "INSERT INTO ml_migration VALUES ('%.64s', %u)", family,
		step->version);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return ml_database_error(err, db, doing);
	return 0;
}

int store_schema_make(struct store_health *health, sqlite3 *db, const struct store_steps *steps,
	struct ml_error *err)
{
	const struct ml_family *const *families = ml_engine_families(health->engine);
	if (sqlite3_exec(db,
		    "CREATE TABLE ml_migration (family TEXT NOT NULL, version INTEGER NOT NULL, "
		    "PRIMARY KEY (family, version)) WITHOUT ROWID",
		    NULL, NULL, NULL) != SQLITE_OK)
		return ml_database_error(err, db, doing);
	for (; families && *families; families++) {
		const struct ml_migration *step = (*families)->migrations;
		const unsigned limit = limit_of(steps, (*families)->name);
		unsigned newest = 0;
		for (; step && step->database; step++) {
			if (strcmp(step->database, "readings") != 0 || step->version > limit)
				continue;
			const int result = run_step(db, (*families)->name, step, err);
			if (result < 0)
				return result;
			newest = step->version;
		}
		if (limit != UINT32_MAX && limit > newest)
			return ml_error_set(err, -ENOTSUP,
				"readings.db is damaged and was made by a newer version of this "
				"program: install that version");
	}
	return 0;
}

/* Each object of the model, with its words. */
static int compare(sqlite3 *model, sqlite3 *db, struct ml_error *err)
{
	sqlite3_stmt *wanted = NULL, *found = NULL;
	int result = 0;
	if (sqlite3_prepare_v2(model,
		    "SELECT type, name, sql FROM sqlite_schema WHERE name <> 'ml_migration'", -1,
		    &wanted, NULL) != SQLITE_OK) {
		result = ml_database_error(err, model, doing);
		goto out;
	}
	if (sqlite3_prepare_v2(db,
		    "SELECT 1 FROM sqlite_schema WHERE type = ? AND name = ? AND sql IS ?", -1,
		    &found, NULL) != SQLITE_OK) {
		result = ml_database_error(err, db, doing);
		goto out;
	}
	while (result == 0 && sqlite3_step(wanted) == SQLITE_ROW) {
		for (int i = 0; i < 3; i++)
			(void)sqlite3_bind_value(found, i + 1, sqlite3_column_value(wanted, i));
		const int code = sqlite3_step(found);
		if (code == SQLITE_DONE)
			result = ml_error_set(err, -EUCLEAN,
				"readings.db lacks the %s \"%s\" as this version makes it",
				(const char *)sqlite3_column_text(wanted, 0),
				(const char *)sqlite3_column_text(wanted, 1));
		else if (code != SQLITE_ROW)
			result = ml_database_error(err, db, doing);
		sqlite3_reset(found);
	}
out:
	sqlite3_finalize(wanted);
	sqlite3_finalize(found);
	return result;
}

int store_health_schema(struct store_health *health, sqlite3 *db, struct ml_error *err)
{
	sqlite3 *model = NULL;
	int result;
	if (sqlite3_open(":memory:", &model) != SQLITE_OK)
		result = ml_database_error(err, model, doing);
	else
		result = store_schema_make(health, model, NULL, err);
	if (result == 0)
		result = compare(model, db, err);
	sqlite3_close(model);
	return result;
}
