/* A database of the first version, brought to the present one while the power is cut: it is the one
 * or the other, and no reading is lost. SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "count.h"
#include "store/child.h"
#include "store/cut.h"
#include "store/kit.h"
#include "store/writer.h"

enum { READINGS = 3000 };

static void run_sql(sqlite3 *db, const char *sql)
{
	char *text = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
		fail_msg("%s: %s", sql, text);
}

/* As the first version wrote it: its step of the schema, and its columns. */
static void write_old(const char *data)
{
	static const char *const rest[] = {"readings.db-wal", "readings.db-shm", "readings.mark"};
	char path[128], old[128], attach[192];
	sqlite3 *db = NULL;
	(void)snprintf(path, sizeof path, "%s/readings.db", data);
	(void)snprintf(old, sizeof old, "%s/old.db", data);
	(void)snprintf(attach, sizeof attach, "ATTACH '%s' AS new", path);
	assert_int_equal(sqlite3_open(old, &db), SQLITE_OK);
	run_sql(db, "PRAGMA journal_mode = WAL");
	run_sql(db, "CREATE TABLE ml_migration (family TEXT NOT NULL, version INTEGER NOT NULL, "
		    "PRIMARY KEY (family, version)) WITHOUT ROWID;"
		    "INSERT INTO ml_migration VALUES ('store', 1)");
	assert_int_equal(store_migrations[0].version, 1);
	run_sql(db, store_migrations[0].sql);
	run_sql(db, attach);
	run_sql(db, "DELETE FROM store_state;"
		    "INSERT INTO store_state SELECT name, value FROM new.store_state WHERE name IN "
		    "('epoch', 'sequence');"
		    "INSERT INTO device SELECT key, point, identity FROM new.device;"
		    "INSERT INTO shape SELECT key, hash, body FROM new.shape;"
		    "INSERT INTO frame SELECT key, time, trace, device, bytes FROM new.frame;"
		    "INSERT INTO reading SELECT sequence, device, time, trace, sequence, shape, "
		    "content FROM new.reading;"
		    "DETACH new");
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(rename(old, path), 0);
	for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", data, rest[i]);
		(void)unlink(path);
	}
}

struct run {
	const char *data;
	uint64_t seed;
};

static void start_and_cut(void *user, int tell_to)
{
	const struct run *run = user;
	struct life life = {.random = run->seed * 6364136223846793005u + 1};
	(void)tell_to;
	cut_install(run->data, run->seed);
	cut_power_in(1 + life_random(&life, 700));
	const struct kit_options options = {
		.data = run->data, .files = &cut_files, .may_fail = true};
	if (kit_new_with(&options))
		cut_power_now();
	_exit(1);
}

static void cut_while_it_is_brought_to_this_version(void **state)
{
	(void)state;
	for (unsigned i = 0; i < test_count(100); i++) {
		char data[64];
		struct tale tale = {0};
		struct kit *kit = kit_new(NULL);
		kit->keep_data = true;
		kit_apply(kit, kit_graph);
		kit_give_many(kit, 1 + i, 1, READINGS);
		memcpy(data, kit->data, sizeof data);
		kit_free(kit);
		write_old(data);
		struct run run = {.data = data};
		for (unsigned cut = 0; cut < 3; cut++) {
			run.seed = 1 + i * 10 + cut;
			const int status = child_run(start_and_cut, &run, &tale);
			assert_true(WIFEXITED(status));
			assert_int_equal(WEXITSTATUS(status), CUT_EXIT);
		}
		kit = kit_new(data);
		kit_apply(kit, kit_graph);
		assert_int_equal(
			kit_sql(kit, "readings",
				"SELECT count(DISTINCT trace) FROM reading WHERE device = 1"),
			READINGS);
		kit_call(kit, "store.check", "{}");
		assert_non_null(strstr(kit->result, "\"whole\":true"));
		kit_give(kit, 1, 0, 99999, 1);
		assert_int_equal(kit->delivered, 1);
		kit_free(kit);
		child_remove(data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_while_it_is_brought_to_this_version)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
