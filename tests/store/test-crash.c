/* Killed in the middle of writing, again and again: what was acknowledged is there, once.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/kit.h"

enum { KILLS = 15, BATCH = 37 };

static int report_to;

static void tell(struct kit *kit, uint64_t trace)
{
	(void)kit;
	if (write(report_to, &trace, sizeof trace) != sizeof trace)
		_exit(1);
}

/* The child: writes until it is killed, and tells what was acknowledged. */
static void write_for_ever(const char *data, uint64_t trace)
{
	struct kit *kit = kit_new(data);
	kit->on_delivered = tell;
	kit_apply(kit, kit_graph);
	for (;;) {
		kit_give_many(kit, 1 + (unsigned)(trace % 50), trace, BATCH);
		trace += BATCH;
		kit_run(kit, ML_MINUTE);
	}
}

/* Kills the child after it told so many acknowledgements; returns how many it told in all. */
static size_t run_and_kill(const char *data, uint64_t first, size_t after, uint64_t *acknowledged)
{
	int ends[2];
	size_t count = 0;
	uint64_t trace;
	assert_int_equal(pipe(ends), 0);
	const pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)close(ends[0]);
		report_to = ends[1];
		write_for_ever(data, first);
		_exit(1);
	}
	(void)close(ends[1]);
	while (read(ends[0], &trace, sizeof trace) == sizeof trace) {
		acknowledged[count++] = trace;
		if (count == after)
			assert_int_equal(kill(child, SIGKILL), 0);
		assert_true(count < 200000);
	}
	(void)close(ends[0]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	return count;
}

static void check_all(const char *data, const uint64_t *acknowledged, size_t count)
{
	char path[128];
	sqlite3 *db = NULL;
	sqlite3_stmt *row = NULL;
	(void)snprintf(path, sizeof path, "%s/readings.db", data);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM reading WHERE trace = ?", -1,
				 &row, NULL),
		SQLITE_OK);
	/* Few enough rows that a look at each is cheap with this. */
	assert_int_equal(
		sqlite3_exec(db, "CREATE INDEX IF NOT EXISTS t ON reading(trace)", 0, 0, 0), 0);
	for (size_t i = 0; i < count; i++) {
		sqlite3_reset(row);
		sqlite3_bind_int64(row, 1, (int64_t)acknowledged[i]);
		assert_int_equal(sqlite3_step(row), SQLITE_ROW);
		assert_int_equal(sqlite3_column_int64(row, 0), 1);
	}
	sqlite3_finalize(row);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &row, NULL), 0);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(row, 0), "ok");
	sqlite3_finalize(row);
	sqlite3_close(db);
}

static void killed_at_any_moment_keeps_what_was_acknowledged(void **state)
{
	(void)state;
	struct kit *kit = kit_new(NULL);
	char data[64];
	memcpy(data, kit->data, sizeof data);
	kit->keep_data = true;
	kit_free(kit);
	uint64_t *acknowledged = calloc(400000, sizeof *acknowledged);
	size_t count = 0;
	assert_non_null(acknowledged);
	for (unsigned i = 0; i < KILLS; i++) {
		const size_t after = 1 + (i * 7919) % 300;
		count += run_and_kill(data, i * 1000000 + 1, after, acknowledged + count);
		check_all(data, acknowledged, count);
	}
	assert_true(count >= KILLS);
	/* It opens as ever, and goes on. */
	kit = kit_new(data);
	kit_apply(kit, kit_graph);
	kit_give(kit, 1, 0, 999999999, 1);
	assert_int_equal(kit->delivered, 1);
	free(acknowledged);
	kit_free(kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_at_any_moment_keeps_what_was_acknowledged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
