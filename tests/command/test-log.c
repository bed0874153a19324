/* The log on disk: kept over starts, bounded, filtered, exported, and never in anybody's way.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <meterloom/event.h>
#include <meterloom/wall.h>

#include "command/log_keeper.h"
#include "command/log_queue.h"
#include "desk.h"

#define NOON (1769868900 * ML_SEC) /* 2026-01-31T14:15:00Z */

static const struct ml_event_class classes[] = {
	{"meter-silent", ML_LOG_WARNING, "Meter {meter} is silent", "Look at its cable."},
	{"all-well", ML_LOG_INFO, "All is well", "Nothing is to be done."},
	{0},
};

static const struct ml_family family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "test",
	.events = classes,
};

static const struct ml_family *const families[] = {&family, NULL};

static int set_up(void **state)
{
	*state = desk_new(families);
	return 0;
}

static int tear_down(void **state)
{
	desk_free(*state);
	return 0;
}

static void restart_at(struct desk *desk, ml_time wall)
{
	desk->wall = wall;
	desk_restart(desk);
}

static void pass(struct desk *desk, ml_time time)
{
	ml_engine_simulate(desk->engine, ml_clock_monotonic(desk->clock) + time);
}

static json_t *call_list(struct desk *desk, const char *command, const char *params)
{
	assert_int_equal(desk_call(desk, command, params), 0);
	json_t *list = json_loads(desk->result, 0, NULL);
	assert_true(json_is_array(list));
	return list;
}

static size_t count(struct desk *desk, const char *command, const char *params)
{
	json_t *list = call_list(desk, command, params);
	const size_t size = json_array_size(list);
	json_decref(list);
	return size;
}

static json_int_t member(const json_t *list, size_t index, const char *name)
{
	return json_integer_value(json_object_get(json_array_get(list, index), name));
}

/* A number that the database itself gives. */
static int64_t ask(struct desk *desk, const char *sql)
{
	char path[160];
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	(void)snprintf(path, sizeof path, "%s/log.db", desk->data);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	const int64_t number = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	(void)sqlite3_close(db);
	return number;
}

static void set(struct desk *desk, const char *name, const char *value)
{
	char params[120];
	(void)snprintf(params, sizeof params, "{'name': '%s', 'value': %s}", name, value);
	assert_int_equal(desk_call(desk, "setting.set", params), 0);
}

/* ---- Kept ---- */

static void lines_and_events_outlive_the_gateway_and_their_numbers_go_on(void **state)
{
	struct desk *desk = *state;
	for (int i = 0; i < 700; i++) /* more than memory holds */
		ml_log(desk->log, ML_LOG_INFO, "bus", "line %d", i);
	ml_event_raise(desk->engine, "meter-silent", "bus", "meter", "17", (char *)NULL);
	json_t *list = call_list(desk, "log.list", "{'limit': 1}");
	const json_int_t last = member(list, 0, "sequence");
	json_decref(list);
	restart_at(desk, NOON + ML_HOUR);
	ml_log(desk->log, ML_LOG_INFO, "bus", "after the start");
	list = call_list(desk, "log.list", "{'limit': 10000, 'origin': 'bus'}");
	assert_int_equal(json_array_size(list), 702);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "text")),
		"after the start");
	assert_true(member(list, 0, "sequence") > last);
	for (size_t i = 1; i < json_array_size(list); i++)
		assert_true(member(list, i, "sequence") < member(list, i - 1, "sequence"));
	json_decref(list);
	ml_event_raise(desk->engine, "all-well", "bus", (char *)NULL);
	list = call_list(desk, "event.list", NULL);
	assert_int_equal(json_array_size(list), 2);
	assert_int_equal(member(list, 0, "id"), 2);
	assert_int_equal(member(list, 1, "id"), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "time")),
		"2026-01-31T14:15:00.000Z");
	json_decref(list);
}

static void the_log_is_filtered_and_paged(void **state)
{
	struct desk *desk = *state;
	for (int i = 0; i < 1000; i++) {
		ml_log(desk->log, i % 10 ? ML_LOG_INFO : ML_LOG_ERROR, i % 2 ? "bus" : "store",
			"Line %d of the test", i);
		pass(desk, ML_SEC);
	}
	assert_int_equal(count(desk, "log.list", "{'limit': 9999, 'level': 'error'}"), 100);
	assert_int_equal(count(desk, "log.list", "{'limit': 9999, 'origin': 'bus'}"), 500);
	assert_int_equal(count(desk, "log.list", "{'text': 'line 77 OF'}"), 1);
	assert_int_equal(count(desk, "log.list", "{'text': 'of the test', 'limit': 9999}"), 1000);
	assert_int_equal(count(desk, "log.list",
				 "{'from': '2026-01-31T14:16:00Z', 'to': '2026-01-31T14:16:59Z', "
				 "'origin': 'bus'}"),
		30);
	/* The first moment of all is a time too. */
	assert_int_equal(count(desk, "log.list", "{'to': '1970-01-01'}"), 0);
	assert_int_equal(
		count(desk, "log.list", "{'from': '1970-01-01', 'text': 'Line 9 of the test'}"), 1);
	ml_event_raise(desk->engine, "meter-silent", "bus", "meter", "17", (char *)NULL);
	assert_int_equal(count(desk, "event.list", "{'to': '1970-01-01T00:00:00Z'}"), 0);
	assert_int_equal(count(desk, "event.list", "{'from': '1970-01-01T00:00:00Z'}"), 1);
	/* Page by page: everything once, from memory and from the disk. */
	char params[80] = "{'limit': 7, 'origin': 'store'}";
	size_t seen = 0;
	for (int next = 998;; seen++) {
		json_t *list = call_list(desk, "log.list", params);
		const size_t size = json_array_size(list);
		for (size_t i = 0; i < size; i++, next -= 2) {
			char text[32];
			(void)snprintf(text, sizeof text, "Line %d of the test", next);
			assert_string_equal(
				json_string_value(json_object_get(json_array_get(list, i), "text")),
				text);
		}
		const json_int_t last = size ? member(list, size - 1, "sequence") : 0;
		json_decref(list);
		if (size == 0) {
			assert_int_equal(next, -2);
			break;
		}
		(void)snprintf(params, sizeof params,
			"{'limit': 7, 'origin': 'store', 'before': %lld}", (long long)last);
	}
	assert_int_equal(seen, (500 + 6) / 7);
}

static void the_export_is_csv_in_parts(void **state)
{
	struct desk *desk = *state;
	ml_log(desk->log, ML_LOG_INFO, "a,b", "first");
	ml_log(desk->log, ML_LOG_ERROR, "bus", "says \"no\", and\nmore");
	assert_int_equal(desk_call(desk, "log.export", "{'limit': 1}"), 0);
	json_t *part = json_loads(desk->result, 0, NULL);
	char expected[200];
	const json_int_t next = json_integer_value(json_object_get(part, "next"));
	(void)snprintf(expected, sizeof expected,
		"sequence,time,uncertain,severity,origin,text\r\n"
		"%lld,2026-01-31T14:15:00.000Z,no,error,\"bus\",\"says \"\"no\"\", and more\"\r\n",
		(long long)next);
	assert_string_equal(json_string_value(json_object_get(part, "text")), expected);
	json_decref(part);
	(void)snprintf(expected, sizeof expected, "{'before': %lld}", (long long)next);
	assert_int_equal(desk_call(desk, "log.export", expected), 0);
	part = json_loads(desk->result, 0, NULL);
	assert_true(json_is_null(json_object_get(part, "next")));
	assert_has(
		json_string_value(json_object_get(part, "text")), ",no,info,\"a,b\",\"first\"\r\n");
	assert_null(strstr(json_string_value(json_object_get(part, "text")), "sequence"));
	json_decref(part);
}

/* ---- Severity ---- */

static void debug_is_kept_where_that_is_set_and_not_else(void **state)
{
	struct desk *desk = *state;
	assert_int_equal(desk_call(desk, "log.level", "{'level': 'debug'}"), 0);
	ml_log(desk->log, ML_LOG_DEBUG, "test", "debug one");
	assert_int_equal(count(desk, "log.list", "{'text': 'debug one'}"), 1); /* of memory */
	pass(desk, ML_MINUTE);
	assert_int_equal(ask(desk, "SELECT count(*) FROM line WHERE text = 'debug one'"), 0);
	assert_int_equal(desk_call(desk, "log.level", "{'level': 'info'}"), 0);
	set(desk, "log.keep", "'debug'");
	ml_log(desk->log, ML_LOG_DEBUG, "test", "debug two");
	pass(desk, ML_MINUTE);
	assert_int_equal(ask(desk, "SELECT count(*) FROM line WHERE text = 'debug two'"), 1);
	restart_at(desk, NOON + ML_HOUR); /* it still holds */
	ml_log(desk->log, ML_LOG_DEBUG, "test", "debug three");
	pass(desk, ML_MINUTE);
	assert_int_equal(ask(desk, "SELECT count(*) FROM line WHERE text = 'debug three'"), 1);
	set(desk, "log.keep", "'warning'");
	ml_log(desk->log, ML_LOG_DEBUG, "test", "debug four");
	ml_log(desk->log, ML_LOG_INFO, "test", "info four");
	ml_log(desk->log, ML_LOG_WARNING, "test", "warning four");
	pass(desk, ML_MINUTE);
	assert_int_equal(ask(desk, "SELECT count(*) FROM line WHERE text LIKE '%four'"), 1);
	assert_int_equal(count(desk, "log.list", "{'text': 'debug four'}"), 0);
}

/* ---- Limits ---- */

static void the_oldest_goes_while_running_by_age(void **state)
{
	struct desk *desk = *state;
	set(desk, "log.max_age", "3");
	for (int hour = 0; hour < 24 * 8; hour++) {
		ml_log(desk->log, ML_LOG_INFO, "test", "hour %d", hour);
		ml_event_raise(desk->engine, "all-well", "test", (char *)NULL);
		pass(desk, ML_HOUR);
	}
	assert_int_equal(ask(desk, "SELECT count(*) FROM line WHERE text = 'hour 100'"), 0);
	assert_int_equal(ask(desk, "SELECT count(*) FROM line WHERE text = 'hour 125'"), 1);
	const int64_t lines = ask(desk, "SELECT count(*) FROM line WHERE text LIKE 'hour %'");
	assert_in_range(lines, 70, 76);
	assert_in_range(ask(desk, "SELECT count(*) FROM event WHERE origin = 'all-well'"), 70, 76);
}

static void a_clock_that_jumps_ahead_makes_little_old(void **state)
{
	struct desk *desk = *state;
	for (int day = 0; day < 6; day++) {
		ml_log(desk->log, ML_LOG_INFO, "test", "day %d", day);
		pass(desk, ML_DAY);
	}
	ml_clock_set_wall(desk->clock, ml_clock_wall(desk->clock) + 365 * ML_DAY);
	pass(desk, 2 * ML_HOUR);
	ml_clock_set_wall(desk->clock, ml_clock_wall(desk->clock) - 365 * ML_DAY);
	pass(desk, 12 * ML_HOUR);
	assert_in_range(ask(desk, "SELECT count(*) FROM line WHERE text LIKE 'day %'"), 2, 5);
}

static void the_file_stays_within_its_size(void **state)
{
	struct desk *desk = *state;
	char path[160], text[400];
	struct stat file;
	set(desk, "log.max_size", "1");
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	for (int i = 0; i < 9000; i++) {
		ml_log(desk->log, ML_LOG_INFO, "test", "%d %s", i, text);
		if (i % 500 == 0)
			pass(desk, ML_HOUR);
	}
	pass(desk, ML_HOUR);
	(void)snprintf(path, sizeof path, "%s/log.db", desk->data);
	assert_in_range(ask(desk, "PRAGMA page_count"), 128, 256 + 64);
	assert_int_equal(ask(desk, "SELECT count(*) FROM line WHERE text LIKE '8999 %'"), 1);
	assert_int_equal(ask(desk, "SELECT count(*) FROM line WHERE text LIKE '1000 %'"), 0);
	/* A limit that is lowered gives room back; nobody's newest lines are lost for it. */
	set(desk, "log.max_size", "20");
	for (int i = 0; i < 9000; i++) {
		ml_log(desk->log, ML_LOG_INFO, "test", "again %d %s", i, text);
		if (i % 500 == 0)
			pass(desk, ML_HOUR);
	}
	pass(desk, ML_HOUR);
	assert_in_range(ask(desk, "PRAGMA page_count"), 800, 20 << 8);
	set(desk, "log.max_size", "1");
	pass(desk, 10 * ML_HOUR);
	assert_int_equal(ask(desk, "SELECT count(*) FROM line WHERE text LIKE 'again 8999 %'"), 1);
	desk_restart(desk); /* the write-ahead log is folded in */
	assert_int_equal(stat(path, &file), 0);
	assert_in_range(file.st_size, 300 << 10, (1 << 20) + (300 << 10));
}

static void a_flood_is_cut_counted_and_told(void **state)
{
	struct desk *desk = *state;
	set(desk, "log.keep", "'debug'");
	pass(desk, ML_MINUTE);
	const int64_t before = ask(desk, "SELECT count(*) FROM line");
	for (int second = 0; second < 60; second++) {
		for (int i = 0; i < 1000; i++)
			ml_log(desk->log, ML_LOG_DEBUG, "flood", "%d of %d", i, second);
		ml_log(desk->log, ML_LOG_WARNING, "test", "in the flood %d", second);
		pass(desk, ML_SEC);
	}
	pass(desk, 2 * ML_MINUTE);
	const int64_t kept = ask(desk, "SELECT count(*) FROM line") - before;
	assert_in_range(kept, ML_LOG_BURST / 2, ML_LOG_BURST + 60 * ML_LOG_RATE + 100);
	/* Nothing of worth is lost for it, and the loss is told. */
	assert_int_equal(
		ask(desk, "SELECT count(*) FROM line WHERE text LIKE 'in the flood %'"), 60);
	json_t *list = call_list(desk, "log.list",
		"{'origin': 'log', 'text': 'of level debug) are not in log.db', 'limit': 100}");
	assert_true(json_array_size(list) >= 1 && json_array_size(list) <= 3);
	long long told = 0, lines, debug;
	for (size_t i = 0; i < json_array_size(list); i++) {
		assert_int_equal(
			sscanf(json_string_value(json_object_get(json_array_get(list, i), "text")),
				"%lld lines (and %lld of", &lines, &debug),
			2);
		told += debug;
	}
	json_decref(list);
	const int64_t debugs = ask(desk, "SELECT count(*) FROM line WHERE origin = 'flood'");
	assert_int_equal(debugs + told, 60000);
}

static void lines_are_written_in_groups(void **state)
{
	struct desk *desk = *state;
	pass(desk, ML_MINUTE);
	const int64_t before = ask(desk, "SELECT count(*) FROM line");
	for (int i = 0; i < 20; i++) {
		ml_log(desk->log, ML_LOG_INFO, "test", "line %d", i);
		pass(desk, ML_SEC);
	}
	assert_int_equal(ask(desk, "SELECT count(*) FROM line"), before);
	ml_log(desk->log, ML_LOG_ERROR, "test", "an error does not wait long");
	pass(desk, 2 * ML_SEC);
	assert_int_equal(ask(desk, "SELECT count(*) FROM line"), before + 21);
}

/* ---- What befalls it ---- */

static void damage(struct desk *desk, const char *name, const char *bytes)
{
	char path[160];
	(void)snprintf(path, sizeof path, "%s/%s", desk->data, name);
	FILE *file = fopen(path, "r+");
	assert_non_null(file);
	(void)fwrite(bytes, 1, strlen(bytes), file);
	assert_int_equal(fclose(file), 0);
}

static bool exists(struct desk *desk, const char *name)
{
	char path[160];
	(void)snprintf(path, sizeof path, "%s/%s", desk->data, name);
	return access(path, F_OK) == 0;
}

static void damage_head(struct desk *desk)
{
	damage(desk, "log.db", "this is no database at all");
}

static void damage_pages(struct desk *desk)
{
	char bytes[300], path[160];
	(void)snprintf(path, sizeof path, "%s/log.db", desk->data);
	const int fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	memset(bytes, 0xA5, sizeof bytes);
	for (off_t at = 4096; at < 400000; at += (off_t)sizeof bytes)
		assert_true(pwrite(fd, bytes, sizeof bytes, at) > 0);
	(void)close(fd);
}

static void a_damaged_one_is_moved_aside_and_a_new_one_begun(void **state)
{
	struct desk *desk = *state;
	ml_log(desk->log, ML_LOG_INFO, "test", "before");
	desk->between = damage_head;
	desk_restart(desk);
	assert_true(exists(desk, "log.db.damaged"));
	ml_log(desk->log, ML_LOG_INFO, "test", "after");
	assert_int_equal(count(desk, "log.list", "{'text': 'after'}"), 1);
	assert_int_equal(count(desk, "event.list", "{'code': 'log-database-damaged'}"), 1);
	assert_has(desk->result, "log.db.damaged");
	desk_restart(desk);
	assert_int_equal(count(desk, "event.list", "{'code': 'log-database-damaged'}"), 1);
	assert_int_equal(count(desk, "log.list", "{'text': 'after'}"), 1);
}

static void damage_found_while_running_is_the_same(void **state)
{
	struct desk *desk = *state;
	char text[300];
	memset(text, 'y', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	for (int i = 0; i < 3000; i++) {
		ml_log(desk->log, ML_LOG_INFO, "test", "%d %s", i, text);
		if (i % 500 == 0)
			pass(desk, ML_HOUR);
	}
	desk->between = damage_pages; /* but for the first */
	desk_restart(desk);
	pass(desk, 2 * ML_HOUR);
	(void)count(desk, "log.list", "{'limit': 10000}");
	pass(desk, 2 * ML_MINUTE);
	ml_log(desk->log, ML_LOG_INFO, "test", "goes on");
	pass(desk, ML_HOUR);
	assert_true(exists(desk, "log.db.damaged"));
	assert_int_equal(ask(desk, "SELECT count(*) FROM line WHERE text = 'goes on'"), 1);
	assert_true(count(desk, "event.list", "{'code': 'log-database-damaged'}") >= 1);
}

static void one_of_a_newer_version_is_moved_aside_too(void **state)
{
	struct desk *desk = *state;
	char path[160];
	sqlite3 *db = NULL;
	(void)snprintf(path, sizeof path, "%s/log.db", desk->data);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 9", NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
	desk_restart(desk);
	assert_true(exists(desk, "log.db.damaged"));
	assert_int_equal(count(desk, "event.list", "{'code': 'log-database-damaged'}"), 1);
	assert_has(desk->result, "a newer program made it");
}

static void a_disk_that_takes_no_more_stops_nothing_but_the_log(void **state)
{
	struct desk *desk = *state;
	struct rlimit before, now;
	char text[300];
	memset(text, 'z', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	pass(desk, ML_MINUTE);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	now = before;
	now.rlim_cur = 100 << 10;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
	for (int i = 0; i < 6000; i++) {
		ml_log(desk->log, ML_LOG_WARNING, "test", "%d %s", i, text);
		if (i % 100 == 0)
			pass(desk, ML_SEC);
	}
	pass(desk, ML_MINUTE);
	assert_int_equal(count(desk, "event.list", "{'code': 'log-not-written'}"), 1);
	/* What is in memory is told all the same. */
	assert_int_equal(count(desk, "log.list", "{'text': '5999 zzz'}"), 1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	pass(desk, 3 * ML_MINUTE);
	assert_int_equal(count(desk, "event.list", "{'code': 'log-written'}"), 1);
	assert_int_equal(
		count(desk, "log.list", "{'origin': 'log', 'text': 'are not in log.db'}"), 1);
	ml_log(desk->log, ML_LOG_INFO, "test", "goes on");
	pass(desk, ML_MINUTE);
	assert_int_equal(ask(desk, "SELECT count(*) FROM line WHERE text = 'goes on'"), 1);
}

static void a_wipe_leaves_nothing_in_the_file(void **state)
{
	struct desk *desk = *state;
	struct ml_error err = ML_ERROR_NONE;
	char command[200];
	for (int i = 0; i < 1000; i++)
		ml_log(desk->log, ML_LOG_INFO, "test", "private matter %d", i);
	pass(desk, ML_MINUTE);
	assert_int_equal(ask(desk, "SELECT count(*) FROM line WHERE origin = 'test'"), 1000);
	assert_int_equal(ml_log_keeper_wipe(desk->engine, &err), 0);
	assert_int_equal(ask(desk, "SELECT count(*) FROM line"), 0);
	(void)snprintf(
		command, sizeof command, "! grep -aq 'private matter' %s/log.db*", desk->data);
	assert_int_equal(system(command), 0);
}

/* ---- Clocks ---- */

static void lines_of_an_unknown_time_get_it_when_the_clock_is_set(void **state)
{
	struct desk *desk = *state;
	restart_at(desk, 60 * ML_SEC);
	ml_log(desk->log, ML_LOG_INFO, "test", "early");
	ml_event_raise(desk->engine, "all-well", "test", (char *)NULL);
	pass(desk, ML_HOUR);
	json_t *list = call_list(desk, "log.list", "{'text': 'early'}");
	assert_true(json_is_true(json_object_get(json_array_get(list, 0), "uncertain")));
	json_decref(list);
	assert_int_equal(count(desk, "event.list", "{'code': 'all-well'}"), 1);
	assert_has(desk->result, "\"uncertain\":true");
	ml_clock_set_wall(desk->clock, NOON + ML_DAY);
	pass(desk, ML_MINUTE);
	assert_int_equal(ask(desk, "SELECT time / 1000000 FROM line WHERE text = 'early'"),
		(NOON + ML_DAY - ML_HOUR) / ML_SEC);
	assert_int_equal(ask(desk, "SELECT time / 1000000 FROM event WHERE origin = 'all-well'"),
		(NOON + ML_DAY - ML_HOUR) / ML_SEC);
	static const char expected[] = "\"time\":\"2026-02-01T13:15:00.000Z\"";
	for (int turn = 0; turn < 2; turn++) { /* from memory, then from the disk */
		assert_int_equal(count(desk, "log.list", "{'text': 'early'}"), 1);
		assert_has(desk->result, expected);
		assert_null(strstr(desk->result, "uncertain"));
		assert_int_equal(count(desk, "event.list", "{'code': 'all-well'}"), 1);
		assert_has(desk->result, expected);
		assert_null(strstr(desk->result, "uncertain"));
		restart_at(desk, NOON + 2 * ML_DAY);
	}
}

static void lines_of_a_start_without_a_clock_follow_what_was_before(void **state)
{
	struct desk *desk = *state;
	pass(desk, ML_HOUR);
	restart_at(desk, 0);
	pass(desk, ML_MINUTE);
	ml_log(desk->log, ML_LOG_INFO, "test", "nobody knows when");
	restart_at(desk, NOON + ML_DAY);
	json_t *list = call_list(desk, "log.list", "{'text': 'nobody knows'}");
	assert_int_equal(json_array_size(list), 1);
	assert_true(json_is_true(json_object_get(json_array_get(list, 0), "uncertain")));
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "time")),
		"2026-01-31T15:16:00.000Z");
	json_decref(list);
	assert_true(ml_wall_known(desk->engine));
}

static void a_deleted_one_is_begun_anew(void **state)
{
	struct desk *desk = *state;
	char path[160];
	pass(desk, ML_MINUTE);
	(void)snprintf(path, sizeof path, "%s/log.db", desk->data);
	assert_int_equal(unlink(path), 0);
	ml_log(desk->log, ML_LOG_INFO, "test", "after the deletion");
	pass(desk, 2 * ML_MINUTE);
	assert_int_equal(
		ask(desk, "SELECT count(*) FROM line WHERE text = 'after the deletion'"), 1);
	assert_int_equal(count(desk, "log.list", "{'text': 'was deleted or replaced'}"), 1);
}

int main(void)
{
#define DESK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		DESK(lines_and_events_outlive_the_gateway_and_their_numbers_go_on),
		DESK(the_log_is_filtered_and_paged),
		DESK(the_export_is_csv_in_parts),
		DESK(debug_is_kept_where_that_is_set_and_not_else),
		DESK(the_oldest_goes_while_running_by_age),
		DESK(a_clock_that_jumps_ahead_makes_little_old),
		DESK(the_file_stays_within_its_size),
		DESK(a_flood_is_cut_counted_and_told),
		DESK(lines_are_written_in_groups),
		DESK(a_damaged_one_is_moved_aside_and_a_new_one_begun),
		DESK(damage_found_while_running_is_the_same),
		DESK(one_of_a_newer_version_is_moved_aside_too),
		DESK(a_deleted_one_is_begun_anew),
		DESK(a_disk_that_takes_no_more_stops_nothing_but_the_log),
		DESK(a_wipe_leaves_nothing_in_the_file),
		DESK(lines_of_an_unknown_time_get_it_when_the_clock_is_set),
		DESK(lines_of_a_start_without_a_clock_follow_what_was_before),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
