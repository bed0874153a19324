/* The meter list over restarts and new versions, and through its file: what was set stays as it is.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "meter/list_file.h"
#include "meter/list_private.h"

struct place {
	char folder[32], path[64];
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof *place);
	assert_non_null(place);
	(void)snprintf(place->folder, sizeof place->folder, "/tmp/meter-list-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	(void)snprintf(place->path, sizeof place->path, "%s/list.db", place->folder);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;
	(void)unlink(place->path);
	(void)rmdir(place->folder);
	free(place);
	return 0;
}

static sqlite3 *open_database(const struct place *place)
{
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
	return db;
}

/* Runs the steps of the schema from one version to another. */
static void migrate(sqlite3 *db, unsigned from, unsigned to)
{
	for (const struct ml_migration *m = meter_list_migrations; m->sql; m++)
		if (m->version >= from && m->version <= to)
			assert_int_equal(sqlite3_exec(db, m->sql, NULL, NULL, NULL), SQLITE_OK);
}

static struct meter_list *open_list(sqlite3 *db)
{
	struct meter_list *list = NULL;
	struct ml_error err = ML_ERROR_NONE;
	if (meter_list_open(db, NULL, &list, &err) < 0)
		fail_msg("%s", err.text);
	return list;
}

/* All that can be set. */
static struct meter_settings everything(void)
{
	return (struct meter_settings){
		.moid = "Flat 3; \"left\"",
		.bus = "cellar",
		.baud = 300,
		.secondary = {.id = 0x12345678,
			.manufacturer = METER_ANY_MANUFACTURER,
			.version = 0x1B,
			.medium = METER_ANY_MEDIUM},
		.enhanced = {.id = 0x87654321, .manufacturer = 0x2C2D, .version = 1, .medium = 7},
		.mode = METER_MODE_ESECONDARY,
		.primary = 250,
		.multi = METER_MULTI_AUTO,
		.telegram_limit = METER_TELEGRAMS_MAX,
		.multi_timeout = METER_TIMEOUT_MAX,
		.multi_retries = 0,
		.telegram_selection = 255,
		.has_multi_retries = true,
		.has_selection = true,
		.has_primary = true,
		.has_secondary = true,
		.has_enhanced = true,
		.passive = true,
	};
}

static void expect_settings(
	struct meter_list *list, size_t i, const struct meter_settings *expected)
{
	const struct meter_snapshot *snapshot = meter_list_snapshot(list);
	assert_true(i < snapshot->point_count);
	assert_true(meter_settings_equal(&snapshot->points[i].settings, expected));
	meter_snapshot_release(snapshot);
}

static void all_settings_are_there_after_a_restart(void **state)
{
	const struct meter_settings all = everything();
	const struct meter_settings none = {
		.mode = METER_MODE_PRIMARY, .has_primary = true, .primary = 0};
	uint32_t key = 0;
	sqlite3 *db = open_database(*state);
	migrate(db, 1, 99);
	struct meter_list *list = open_list(db);
	assert_int_equal(meter_list_add(list, &all, 1000, &key, NULL), 0);
	assert_int_equal(meter_list_add(list, &none, 1000, &key, NULL), 0);
	meter_list_close(list);
	list = open_list(open_database(*state));
	expect_settings(list, 0, &all);
	expect_settings(list, 1, &none);
	assert_int_equal(meter_list_change(list, 2, &all, NULL), 0);
	assert_int_equal(meter_list_change(list, 1, &none, NULL), 0);
	meter_list_close(list);
	list = open_list(open_database(*state));
	expect_settings(list, 0, &none);
	expect_settings(list, 1, &all);
	meter_list_close(list);
}

static void a_list_of_an_earlier_version_is_taken_over(void **state)
{
	sqlite3 *db = open_database(*state);
	migrate(db, 1, 2);
	assert_int_equal(sqlite3_exec(db,
				 "INSERT INTO meter_point (position, since, moid, bus, baud, mode, "
				 "primary_address, multi, passive) "
				 "VALUES (1, 5, 'old', '', 300, 'primary', 7, 'auto', 0)",
				 NULL, NULL, NULL),
		SQLITE_OK);
	migrate(db, 3, 99);
	struct meter_list *list = open_list(db);
	const struct meter_settings expected = {.moid = "old",
		.baud = 300,
		.mode = METER_MODE_PRIMARY,
		.has_primary = true,
		.primary = 7,
		.multi = METER_MULTI_AUTO};
	expect_settings(list, 0, &expected);
	meter_list_close(list);
}

/* What is exported is imported again without a change, and into an empty list it makes the same
 * points. */
static void an_export_is_imported_without_a_change(void **state)
{
	sqlite3 *db = open_database(*state);
	sqlite3 *other_db = NULL;
	uint32_t key = 0;
	migrate(db, 1, 99);
	struct meter_list *list = open_list(db);
	struct meter_settings settings[] = {everything(),
		{.moid = "=1+2", .mode = METER_MODE_PRIMARY, .has_primary = true, .primary = 255},
		{.mode = METER_MODE_PRIMARY,
			.has_primary = true,
			.has_secondary = true,
			.secondary = {0x00000001, 0x2C2D, 2, 4},
			.baud = 38400},
		{.moid = "K\xC3\xBC"
			 "che\xE2\x82\xAC",
			.mode = METER_MODE_SECONDARY,
			.has_secondary = true,
			.secondary = {0x1234FFFF, METER_ANY_MANUFACTURER, METER_ANY_VERSION,
				METER_ANY_MEDIUM}}};
	enum { COUNT = sizeof settings / sizeof *settings };
	/* What the file does not hold (multi-telegram) stays as it is in the list, and is that of
	 * the bus in another. */
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(meter_list_add(list, &settings[i], 1000, &key, NULL), 0);
	assert_int_equal(sqlite3_open(":memory:", &other_db), SQLITE_OK);
	migrate(other_db, 1, 99);
	struct meter_list *other = open_list(other_db);
	for (unsigned i = 0; i < 2; i++) {
		struct ml_buffer csv = {0};
		struct meter_import done;
		struct ml_error err = ML_ERROR_NONE;
		const struct meter_import_options options = {.time = 2000};
		const struct meter_snapshot *snapshot = meter_list_snapshot(list);
		meter_list_export(snapshot, i ? ',' : ';', &csv);
		meter_snapshot_release(snapshot);
		if (meter_list_import(list, csv.data, csv.length, &options, &done, &err) < 0)
			fail_msg("%s", err.text);
		assert_true(done.applied);
		assert_int_equal(done.counts[METER_IMPORT_UNCHANGED], COUNT);
		assert_int_equal(
			meter_list_import(other, csv.data, csv.length, &options, &done, &err), 0);
		assert_int_equal(
			done.counts[i ? METER_IMPORT_UNCHANGED : METER_IMPORT_ADDED], COUNT);
		ml_buffer_free(&csv);
	}
	for (size_t i = 0; i < COUNT; i++) {
		expect_settings(list, i, &settings[i]);
		struct meter_settings listed = settings[i];
		listed.multi = METER_MULTI_DEFAULT;
		listed.telegram_limit = listed.multi_timeout = 0;
		listed.multi_retries = listed.telegram_selection = 0;
		listed.has_multi_retries = listed.has_selection = false;
		expect_settings(other, i, &listed);
	}
	meter_list_close(list);
	meter_list_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(all_settings_are_there_after_a_restart),
		TEST(a_list_of_an_earlier_version_is_taken_over),
		TEST(an_export_is_imported_without_a_change),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
