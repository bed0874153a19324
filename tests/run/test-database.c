/* Databases: brought to the current schema, whole or not at all; shared where they are in memory.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <meterloom/engine.h>
#include <meterloom/family.h>

static const struct ml_migration first_steps[] = {
	{"readings", 1, "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1)"}, {0}};

static const struct ml_migration second_steps[] = {
	{"readings", 1, "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1)"},
	{"meterloom", 1, "CREATE TABLE elsewhere (x INTEGER)"},
	{"readings", 2, "UPDATE a SET x = x + 10"}, {0}};

static const struct ml_migration broken_steps[] = {
	{"readings", 1, "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1)"},
	{"readings", 2, "UPDATE a SET x = x + 10; INSERT INTO nowhere VALUES (1)"}, {0}};

struct place {
	char data[64], key[96];
	struct ml_clock *clock;
	struct ml_log *log;
};

/* An engine with one family that has these steps. */
static struct ml_engine *engine_of(
	struct place *place, const struct ml_migration *steps, bool on_disk)
{
	static struct ml_family family = {
		.abi = ML_FAMILY_ABI, .size = sizeof(struct ml_family), .name = "a"};
	static const struct ml_family *const families[] = {&family, NULL};
	const struct ml_engine_options options = {
		.families = families,
		.clock = place->clock,
		.log = place->log,
		.data = on_disk ? place->data : NULL,
		.device_key = on_disk ? place->key : NULL,
	};
	struct ml_engine *engine = NULL;
	struct ml_error err = ML_ERROR_NONE;
	family.migrations = steps;
	if (ml_engine_new(&options, &engine, &err) != 0)
		fail_msg("%s", err.text);
	return engine;
}

/* The one number that a statement gives; INT_MIN: an error. */
static int number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	int found = INT32_MIN;
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
		sqlite3_step(statement) == SQLITE_ROW)
		found = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return found;
}

static int set_up(void **state)
{
	struct place *const place = calloc(1, sizeof *place);
	assert_non_null(place);
	(void)snprintf(place->data, sizeof place->data, "/tmp/meterloom-database-XXXXXX");
	assert_non_null(mkdtemp(place->data));
	(void)snprintf(place->key, sizeof place->key, "%s/key", place->data);
	place->clock = ml_clock_new_simulated(0);
	place->log = ml_log_new(place->clock, 0);
	*state = place;
	return 0;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info;
	(void)type;
	(void)walk;
	return remove(path);
}

static int tear_down(void **state)
{
	struct place *const place = *state;
	ml_log_free(place->log);
	ml_clock_free(place->clock);
	(void)nftw(place->data, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(place);
	return 0;
}

static void steps_run_once_and_in_order(void **state)
{
	struct place *const place = *state;
	sqlite3 *db = NULL;
	struct ml_engine *engine = engine_of(place, first_steps, true);
	assert_int_equal(ml_database_open(engine, "readings", true, &db, NULL), 0);
	assert_int_equal(number(db, "SELECT x FROM a"), 1);
	sqlite3_close(db);
	assert_int_equal(ml_database_open(engine, "readings", true, &db, NULL), 0);
	assert_int_equal(number(db, "SELECT count(*) FROM a"), 1);
	assert_int_equal(number(db, "PRAGMA synchronous"), 2);
	assert_int_equal(number(db, "PRAGMA foreign_keys"), 1);
	sqlite3_close(db);
	ml_engine_free(engine);

	engine = engine_of(place, second_steps, true);
	assert_int_equal(ml_database_open(engine, "readings", true, &db, NULL), 0);
	assert_int_equal(number(db, "SELECT x FROM a"), 11);
	assert_int_equal(number(db, "SELECT count(*) FROM elsewhere"), INT32_MIN);
	sqlite3_close(db);
	assert_int_equal(ml_database_open(engine, "meterloom", false, &db, NULL), 0);
	assert_int_equal(number(db, "SELECT count(*) FROM elsewhere"), 0);
	sqlite3_close(db);
	ml_engine_free(engine);
}

static void a_step_that_fails_leaves_the_old_schema(void **state)
{
	struct place *const place = *state;
	sqlite3 *db = NULL;
	struct ml_error err = ML_ERROR_NONE;
	struct ml_engine *engine = engine_of(place, first_steps, true);
	assert_int_equal(ml_database_open(engine, "readings", true, &db, NULL), 0);
	sqlite3_close(db);
	ml_engine_free(engine);
	engine = engine_of(place, broken_steps, true);
	assert_true(ml_database_open(engine, "readings", true, &db, &err) < 0);
	assert_null(db);
	assert_non_null(strstr(err.text, "step 2 of the schema of a"));
	assert_non_null(strstr(err.text, "nowhere"));
	ml_engine_free(engine);
	engine = engine_of(place, first_steps, true);
	assert_int_equal(ml_database_open(engine, "readings", true, &db, NULL), 0);
	assert_int_equal(number(db, "SELECT x FROM a"), 1);
	sqlite3_close(db);
	ml_engine_free(engine);
}

static void a_newer_database_is_refused(void **state)
{
	struct place *const place = *state;
	sqlite3 *db = NULL;
	struct ml_error err = ML_ERROR_NONE;
	struct ml_engine *engine = engine_of(place, second_steps, true);
	assert_int_equal(ml_database_open(engine, "readings", true, &db, NULL), 0);
	sqlite3_close(db);
	ml_engine_free(engine);

	engine = engine_of(place, NULL, true);
	/* A family that this program does not have is none of its business. */
	assert_int_equal(ml_database_open(engine, "readings", true, &db, NULL), 0);
	sqlite3_close(db);
	ml_engine_free(engine);

	static const struct ml_migration older[] = {
		{"readings", 1, "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1)"},
		{"meterloom", 1, "CREATE TABLE elsewhere (x INTEGER)"}, {0}};
	engine = engine_of(place, older, true);
	assert_int_equal(ml_database_open(engine, "readings", true, &db, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "made by a newer version"));
	ml_engine_free(engine);
}

static void a_file_that_is_no_database_is_told(void **state)
{
	struct place *const place = *state;
	sqlite3 *db = NULL;
	struct ml_error err = ML_ERROR_NONE;
	char path[128];
	struct ml_engine *const engine = engine_of(place, first_steps, true);
	assert_int_equal(ml_database_open(engine, "readings", false, &db, &err), -ENOENT);
	(void)snprintf(path, sizeof path, "%s/readings.db", place->data);
	FILE *const file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < 1000; i++)
		(void)fputs("no database ", file);
	assert_int_equal(fclose(file), 0);
	err = ML_ERROR_NONE;
	assert_int_equal(ml_database_open(engine, "readings", true, &db, &err), -EUCLEAN);
	assert_non_null(strstr(err.text, "opening readings.db"));
	assert_null(db);
	ml_engine_free(engine);
}

/* Without meterloom.db there is no gateway: it says what to do. */
static void a_damaged_meterloom_db_is_told_with_what_to_do(void **state)
{
	struct place *const place = *state;
	struct ml_error err = ML_ERROR_NONE;
	char path[128];
	ml_engine_free(engine_of(place, first_steps, true));
	(void)snprintf(path, sizeof path, "%s/meterloom.db", place->data);
	FILE *const file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < 1000; i++)
		(void)fputs("no database ", file);
	assert_int_equal(fclose(file), 0);
	const struct ml_engine_options options = {.clock = place->clock, .data = place->data};
	struct ml_engine *engine = NULL;
	assert_int_equal(ml_engine_new(&options, &engine, &err), -EUCLEAN);
	assert_non_null(strstr(err.text, "meterloom.db (graphs, settings, meters) is damaged"));
	assert_non_null(strstr(err.text, "put back a copy"));
	assert_non_null(strstr(err.text, "readings.db is not touched"));
}

static void in_memory_they_are_shared_within_one_engine(void **state)
{
	struct place *const place = *state;
	struct ml_engine *const one = engine_of(place, first_steps, false);
	struct ml_engine *const two = engine_of(place, first_steps, false);
	sqlite3 *writer = NULL, *reader = NULL, *other = NULL;
	assert_int_equal(ml_database_open(one, "readings", true, &writer, NULL), 0);
	assert_int_equal(ml_database_open(one, "readings", false, &reader, NULL), 0);
	assert_int_equal(ml_database_open(two, "readings", false, &other, NULL), 0);
	assert_int_equal(
		sqlite3_exec(writer, "INSERT INTO a VALUES (2)", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(number(reader, "SELECT count(*) FROM a"), 2);
	assert_int_equal(number(other, "SELECT count(*) FROM a"), 1);
	sqlite3_close(writer);
	sqlite3_close(reader);
	sqlite3_close(other);
	/* They live until the engine's end, not the last connection's. */
	assert_int_equal(ml_database_open(one, "readings", false, &reader, NULL), 0);
	assert_int_equal(number(reader, "SELECT count(*) FROM a"), 2);
	sqlite3_close(reader);
	ml_engine_free(one);
	ml_engine_free(two);
}

static void who_reads_cannot_write(void **state)
{
	struct place *const place = *state;
	struct ml_engine *const engine = engine_of(place, first_steps, false);
	sqlite3 *db = NULL;
	struct ml_error err = ML_ERROR_NONE;
	assert_int_equal(ml_database_open(engine, "readings", false, &db, NULL), 0);
	assert_int_not_equal(
		sqlite3_exec(db, "INSERT INTO a VALUES (2)", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(ml_database_error(&err, db, "keeping a value"), -EROFS);
	assert_non_null(strstr(err.text, "keeping a value: "));
	sqlite3_close(db);
	ml_engine_free(engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		EACH(steps_run_once_and_in_order),
		EACH(a_step_that_fails_leaves_the_old_schema),
		EACH(a_newer_database_is_refused),
		EACH(a_file_that_is_no_database_is_told),
		EACH(a_damaged_meterloom_db_is_told_with_what_to_do),
		EACH(in_memory_they_are_shared_within_one_engine),
		EACH(who_reads_cannot_write),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
