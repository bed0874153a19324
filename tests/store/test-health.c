/* readings.db deleted, replaced, put back from a copy or missing: nothing acknowledged is lost, no
 * number is given twice, and an event says what happened. SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/kit.h"
#include "store/mark.h"

static int setup(void **state)
{
	struct kit *kit = kit_new(NULL);
	kit_apply(kit, kit_graph);
	*state = kit;
	return 0;
}

static int teardown(void **state)
{
	kit_free(*state);
	return 0;
}

static const char *path_of(const struct kit *kit, const char *name)
{
	static char paths[4][160];
	static unsigned next;
	char *path = paths[next++ % 4];
	(void)snprintf(path, sizeof paths[0], "%s/%s", kit->data, name);
	return path;
}

static void copy(const char *from, const char *to)
{
	char buffer[4096];
	FILE *in = fopen(from, "rb");
	FILE *out = fopen(to, "wb");
	size_t length;
	assert_non_null(in);
	assert_non_null(out);
	while ((length = fread(buffer, 1, sizeof buffer, in)) > 0)
		assert_int_equal(fwrite(buffer, 1, length, out), length);
	assert_int_equal(fclose(in), 0);
	assert_int_equal(fclose(out), 0);
}

/* The gateway ends as asked, and begins again with the same directory. */
static struct kit *stop(struct kit *kit, char data[64])
{
	memcpy(data, kit->data, 64);
	kit->keep_data = true;
	kit_free(kit);
	return NULL;
}

static struct kit *restart(void **state, const char *data)
{
	struct kit *kit = kit_new(data);
	*state = kit;
	kit_apply(kit, kit_graph);
	return kit;
}

/* By this start and those before. */
static int events_told(struct kit *kit, const char *code)
{
	char wanted[64];
	int found = 0;
	(void)snprintf(wanted, sizeof wanted, "\"code\":\"%s\"", code);
	kit_call(kit, "event.list", "{}");
	assert_int_equal(kit->code, 0);
	for (const char *at = kit->result; (at = strstr(at, wanted)); at++)
		found++;
	return found;
}

static bool event_told(struct kit *kit, const char *code)
{
	return events_told(kit, code) > 0;
}

static int64_t sequence_of(struct kit *kit, unsigned trace)
{
	char sql[80];
	(void)snprintf(sql, sizeof sql, "SELECT sequence FROM reading WHERE trace = %u", trace);
	return kit_sql(kit, "readings", sql);
}

static int64_t count(struct kit *kit)
{
	return kit_sql(kit, "readings", "SELECT count(*) FROM reading");
}

static void no_event_in_an_ordinary_life(void **state)
{
	struct kit *kit = *state;
	char data[64];
	kit_give_many(kit, 1, 1, 3000);
	stop(kit, data);
	kit = restart(state, data);
	kit_give(kit, 1, 0, 5000, 1);
	assert_int_equal(sequence_of(kit, 5000), 3001);
	kit_call(kit, "event.list", "{}");
	assert_null(strstr(kit->result, "\"store-"));
}

static void deleted_under_the_gateway_is_written_anew(void **state)
{
	struct kit *kit = *state;
	char data[64];
	kit_give_many(kit, 1, 1, 100);
	assert_int_equal(unlink(path_of(kit, "readings.db")), 0);
	kit_give(kit, 1, 0, 200, 1);
	assert_int_equal(kit->delivered, 101);
	assert_int_equal(count(kit), 101);
	assert_true(event_told(kit, "store-copied-back"));
	/* It goes on, also with its companions gone, and after a restart. */
	assert_int_equal(unlink(path_of(kit, "readings.db")), 0);
	assert_int_equal(unlink(path_of(kit, "readings.db-wal")), 0);
	(void)unlink(path_of(kit, "readings.db-shm"));
	kit_give(kit, 1, 0, 201, 1);
	assert_int_equal(unlink(path_of(kit, "readings.db-wal")), 0);
	kit_give(kit, 1, 0, 202, 1);
	assert_int_equal(count(kit), 103);
	/* The last thing that happens is the deletion. */
	assert_int_equal(unlink(path_of(kit, "readings.db")), 0);
	stop(kit, data);
	kit = restart(state, data);
	assert_int_equal(count(kit), 103);
	kit_give(kit, 1, 0, 203, 1);
	assert_int_equal(sequence_of(kit, 203), 104);
	assert_false(event_told(kit, "store-missing"));
}

static void replaced_under_the_gateway_is_set_aside(void **state)
{
	struct kit *kit = *state;
	kit_give_many(kit, 1, 1, 100);
	copy(path_of(kit, "readings.db"), path_of(kit, "yesterday"));
	kit_give_many(kit, 2, 101, 100);
	assert_int_equal(rename(path_of(kit, "yesterday"), path_of(kit, "readings.db")), 0);
	kit_give(kit, 1, 0, 300, 1);
	assert_int_equal(kit->delivered, 201);
	assert_int_equal(count(kit), 201);
	assert_true(event_told(kit, "store-copied-back"));
	kit_call(kit, "meter.readings", "{'meter': '00000001', 'limit': 1000}");
	assert_int_equal(kit->code, 0);
	assert_non_null(strstr(kit->result, "\"trace\":300"));
}

static void put_back_from_a_copy_gives_no_number_twice(void **state)
{
	struct kit *kit = *state;
	char data[64];
	kit_give_many(kit, 1, 1, 100);
	stop(kit, data);
	kit = restart(state, data);
	stop(kit, data);
	char from[96], to[96];
	(void)snprintf(from, sizeof from, "%s/readings.db", data);
	(void)snprintf(to, sizeof to, "%s/yesterday", data);
	copy(from, to);
	kit = restart(state, data);
	kit_give_many(kit, 1, 1000, 5000);
	stop(kit, data);
	assert_int_equal(rename(to, from), 0);
	kit = restart(state, data);
	kit_give(kit, 1, 0, 9000, 1);
	assert_int_equal(sequence_of(kit, 9000), 5101);
	assert_int_equal(count(kit), 101);
	assert_true(event_told(kit, "store-restored"));
	/* From then on it is the right one. */
	stop(kit, data);
	kit = restart(state, data);
	assert_int_equal(events_told(kit, "store-restored"), 1);
	kit_give(kit, 1, 0, 9001, 1);
	assert_int_equal(sequence_of(kit, 9001), 5102);
}

/* What a copy of the files of a running gateway is: one that was killed. */
static void number_after_a_crash(const struct kit *running, bool old_database, int64_t least)
{
	static const char *const names[] = {
		"readings.db", "readings.db-wal", "readings.mark", "meterloom.db"};
	struct kit *other = kit_new(NULL);
	char data[64], to[96];
	stop(other, data);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		(void)snprintf(to, sizeof to, "%s/%s", data, names[i]);
		copy(path_of(running, names[i]), to);
	}
	if (old_database) {
		(void)snprintf(to, sizeof to, "%s/readings.db", data);
		copy(path_of(running, "yesterday.db"), to);
		(void)snprintf(to, sizeof to, "%s/readings.db-wal", data);
		copy(path_of(running, "yesterday.db-wal"), to);
	}
	other = kit_new(data);
	kit_apply(other, kit_graph);
	kit_give(other, 1, 0, 99999, 1);
	assert_in_range(sequence_of(other, 99999), least, least + 100000);
	assert_int_equal(event_told(other, "store-restored"), old_database);
	kit_free(other);
}

static void after_a_crash_no_number_is_given_twice(void **state)
{
	struct kit *kit = *state;
	kit_give_many(kit, 1, 1, 100);
	copy(path_of(kit, "readings.db"), path_of(kit, "yesterday.db"));
	copy(path_of(kit, "readings.db-wal"), path_of(kit, "yesterday.db-wal"));
	number_after_a_crash(kit, false, 101);
	/* The copy was made and put back within one life of the program. */
	for (unsigned i = 0; i < 20; i++)
		kit_give_many(kit, 1, 1000 * (i + 1), 1000);
	number_after_a_crash(kit, false, 20101);
	number_after_a_crash(kit, true, 20101);
}

/* After a crash numbers go on above the ceiling; a stop before the first of them was given must not
 * make the database look older than it is. */
static void a_stop_without_a_reading_after_a_crash_is_nothing_to_tell(void **state)
{
	static const char *const names[] = {
		"readings.db", "readings.db-wal", "readings.mark", "meterloom.db"};
	struct kit *kit = *state;
	struct kit *other = kit_new(NULL);
	char data[64], to[96];
	kit_give_many(kit, 1, 1, 100);
	stop(other, data);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		(void)snprintf(to, sizeof to, "%s/%s", data, names[i]);
		copy(path_of(kit, names[i]), to);
	}
	for (int i = 0; i < 2; i++) {
		other = kit_new(data);
		kit_apply(other, kit_graph);
		assert_false(event_told(other, "store-restored"));
		stop(other, data);
	}
	other = kit_new(data);
	kit_apply(other, kit_graph);
	kit_give(other, 1, 0, 9000, 1);
	assert_int_equal(sequence_of(other, 9000), 1024);
	assert_false(event_told(other, "store-restored"));
	kit_free(other);
}

static void missing_at_the_start_is_told(void **state)
{
	struct kit *kit = *state;
	char data[64], path[96];
	kit_give_many(kit, 1, 1, 100);
	stop(kit, data);
	(void)snprintf(path, sizeof path, "%s/readings.db", data);
	assert_int_equal(unlink(path), 0);
	kit = restart(state, data);
	assert_true(event_told(kit, "store-missing"));
	kit_give(kit, 1, 0, 200, 1);
	assert_int_equal(sequence_of(kit, 200), 101);
	assert_int_equal(count(kit), 1);
}

static void another_database_is_told(void **state)
{
	struct kit *kit = *state;
	struct kit *other = kit_new(NULL);
	char data[64], theirs[64], from[96], to[96];
	kit_apply(other, kit_graph);
	kit_give_many(other, 1, 1, 10);
	kit_give_many(kit, 1, 1, 100);
	stop(kit, data);
	stop(other, theirs);
	(void)snprintf(from, sizeof from, "%s/readings.db", theirs);
	(void)snprintf(to, sizeof to, "%s/readings.db", data);
	copy(from, to);
	kit_free(kit_new(theirs));
	kit = restart(state, data);
	assert_true(event_told(kit, "store-exchanged"));
	kit_give(kit, 1, 0, 200, 1);
	assert_int_equal(sequence_of(kit, 200), 101);
	assert_int_equal(count(kit), 11);
}

static void one_of_a_newer_version_is_refused_and_left_alone(void **state)
{
	struct kit *kit = *state;
	char data[64];
	kit_give_many(kit, 1, 1, 10);
	stop(kit, data);
	kit = kit_new(data);
	kit_sql(kit, "readings", "SELECT 1");
	char path[96];
	sqlite3 *db = NULL;
	(void)snprintf(path, sizeof path, "%s/readings.db", data);
	stop(kit, data);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "INSERT INTO ml_migration VALUES ('store', 9999)", NULL,
				 NULL, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	kit = restart(state, data);
	kit_give(kit, 1, 0, 200, 1);
	assert_int_equal(kit->delivered, 0);
	kit_call(kit, "store.status", "{}");
	assert_non_null(strstr(kit->result, "made by a newer version"));
	assert_int_equal(count(kit), 10);
}

static void the_file_beside_it_may_be_lost_or_spoilt(void **state)
{
	struct kit *kit = *state;
	char data[64], path[96];
	kit_give_many(kit, 1, 1, 100);
	stop(kit, data);
	(void)snprintf(path, sizeof path, "%s/readings.mark", data);
	FILE *file = fopen(path, "r+");
	assert_non_null(file);
	(void)fputs("meterloom readings 1\nepoch 7", file);
	assert_int_equal(fclose(file), 0);
	kit = restart(state, data);
	kit_give(kit, 1, 0, 200, 1);
	assert_int_equal(sequence_of(kit, 200), 101);
	stop(kit, data);
	assert_int_equal(unlink(path), 0);
	kit = restart(state, data);
	kit_give(kit, 1, 0, 201, 1);
	assert_int_equal(sequence_of(kit, 201), 102);
	struct store_mark mark;
	assert_int_equal(store_mark_read(&ml_files_system, kit->data, &mark, NULL), 1);
	assert_false(mark.clean);
	assert_true(mark.ceiling >= 102);
}

static void check_reads_all_while_the_gateway_goes_on(void **state)
{
	struct kit *kit = *state;
	for (unsigned i = 0; i < 30; i++)
		kit_give_many(kit, 1 + i % 5, 1 + i * 100, 100);
	kit_call(kit, "setting.set", "{'name': 'store.check_days', 'value': 1}");
	assert_int_equal(kit->code, 0);
	kit_call(kit, "store.check", "{}");
	assert_int_equal(kit->code, 0);
	assert_non_null(strstr(kit->result, "\"whole\":true"));
	const char *rows = strstr(kit->result, "\"rows\":");
	assert_true(rows && strtoul(rows + 7, NULL, 10) >= 6000); /* readings and telegrams */
	assert_true(event_told(kit, "store-checked"));
	kit_call(kit, "store.status", "{}");
	assert_non_null(strstr(kit->result, "\"running\":false"));
	/* By itself, in slices, while readings come in. */
	kit_run(kit, ML_DAY + 2 * ML_SEC);
	kit_call(kit, "store.status", "{}");
	assert_non_null(strstr(kit->result, "\"percent\":"));
	kit_give(kit, 1, 0, 9000, 1);
	assert_int_equal(kit->delivered, 3001);
	kit_run(kit, ML_HOUR);
	kit_call(kit, "store.status", "{}");
	assert_non_null(strstr(kit->result, "\"running\":false"));
	assert_non_null(strstr(kit->result, "\"found\":null"));
}

#define HEALTH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HEALTH_TEST(no_event_in_an_ordinary_life),
		HEALTH_TEST(deleted_under_the_gateway_is_written_anew),
		HEALTH_TEST(replaced_under_the_gateway_is_set_aside),
		HEALTH_TEST(put_back_from_a_copy_gives_no_number_twice),
		HEALTH_TEST(after_a_crash_no_number_is_given_twice),
		HEALTH_TEST(a_stop_without_a_reading_after_a_crash_is_nothing_to_tell),
		HEALTH_TEST(missing_at_the_start_is_told),
		HEALTH_TEST(another_database_is_told),
		HEALTH_TEST(one_of_a_newer_version_is_refused_and_left_alone),
		HEALTH_TEST(check_reads_all_while_the_gateway_goes_on),
		HEALTH_TEST(the_file_beside_it_may_be_lost_or_spoilt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
