/* A damaged readings.db is set aside, and what can be read of it is taken over.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "count.h"
#include "store/child.h"
#include "store/cut.h"
#include "store/kit.h"

enum { PAGE = 4096, READINGS = 4000 };

/* What all tests damage a copy of: the files of a gateway that was killed, its log unmerged in
 * part, and of one that ended as asked. */
static struct {
	char killed[64], ended[64];
} made;

static void copy(const char *from, const char *to, const char *name)
{
	char path[128], buffer[65536];
	size_t length;
	(void)snprintf(path, sizeof path, "%s/%s", from, name);
	FILE *in = fopen(path, "rb");
	if (!in)
		return;
	(void)snprintf(path, sizeof path, "%s/%s", to, name);
	FILE *out = fopen(path, "wb");
	assert_non_null(out);
	while ((length = fread(buffer, 1, sizeof buffer, in)) > 0)
		assert_int_equal(fwrite(buffer, 1, length, out), length);
	assert_int_equal(fclose(in), 0);
	assert_int_equal(fclose(out), 0);
}

static void copy_all(const char *from, const char *to)
{
	static const char *const names[] = {
		"readings.db", "readings.db-wal", "readings.mark", "meterloom.db"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		copy(from, to, names[i]);
}

static int make(void **state)
{
	(void)state;
	struct kit *kit = kit_new(NULL);
	kit_apply(kit, kit_graph);
	for (unsigned i = 0; i < READINGS; i += 100)
		kit_give_many(kit, 1 + i / 100 % 40, 1 + i, 100);
	/* Some of it was delivered, and some is on its way. */
	kit->mode = KIT_HOLD;
	kit_trigger(kit);
	kit_let_go(kit);
	kit_settle(kit);
	assert_non_null(kit->held);
	child_folder(made.killed);
	copy_all(kit->data, made.killed);
	memcpy(made.ended, kit->data, sizeof made.ended);
	kit->keep_data = true;
	kit_free(kit);
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	if (made.killed[0])
		child_remove(made.killed);
	if (made.ended[0])
		child_remove(made.ended);
	return 0;
}

static long size_of(const char *data, const char *name)
{
	char path[128];
	struct stat status;
	(void)snprintf(path, sizeof path, "%s/%s", data, name);
	return stat(path, &status) == 0 ? (long)status.st_size : -1;
}

static void overwrite(const char *data, long at, const void *bytes, size_t length)
{
	char path[128];
	(void)snprintf(path, sizeof path, "%s/readings.db", data);
	FILE *file = fopen(path, "r+b");
	assert_non_null(file);
	assert_int_equal(fseek(file, at, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

/* A number that follows a text in the events; -1: it is not there. */
static long told(struct kit *kit, const char *before)
{
	kit_call(kit, "event.list", "{}");
	const char *event = strstr(kit->result, "\"store-salvaged\"");
	const char *at = event ? strstr(event, before) : NULL;
	return at ? strtol(at + strlen(before), NULL, 10) : -1;
}

struct found {
	int64_t readings, delivered, outstanding;
	long lost, pages; /* as the event has it; -1: there was none */
};

/* Events are kept: those of an earlier start would be taken for this one's. */
static void forget_events(const char *data)
{
	static const char *const names[] = {"log.db", "log.db-wal", "log.db-shm"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char path[128];
		(void)snprintf(path, sizeof path, "%s/%s", data, names[i]);
		(void)unlink(path);
	}
}

/* The gateway begins with the directory and goes on: what it has then. */
static struct found begin(const char *data)
{
	struct found found;
	forget_events(data);
	struct kit *kit = kit_new(data);
	kit->keep_data = true;
	kit->mode = KIT_HOLD;
	kit_apply(kit, kit_graph);
	found.lost = told(kit, "\"lost\":\"");
	found.pages = told(kit, "\"pages\":\"");
	found.readings = kit_sql(kit, "readings", "SELECT count(*) FROM reading");
	if (found.lost >= 0)
		assert_int_equal(told(kit, "\"readings\":\""), found.readings);
	found.delivered = kit_sql(kit, "readings", "SELECT total(sequence) FROM cursor");
	found.outstanding = kit_sql(kit, "readings", "SELECT count(*) FROM outstanding");
	kit_give(kit, 1, 0, 9999999, 1);
	assert_int_equal(kit->delivered, 1);
	/* No number is given twice, whatever was lost. */
	assert_true(kit_sql(kit, "readings", "SELECT sequence FROM reading WHERE trace = 9999999") >
		    READINGS);
	assert_int_equal(
		kit_sql(kit, "readings",
			"SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"),
		1);
	/* What is left can be read and sent. */
	kit_call(kit, "meter.readings", "{'meter': '00000001', 'limit': 1000}");
	assert_int_equal(kit->code, 0);
	kit_trigger(kit);
	kit_run(kit, ML_MINUTE);
	assert_non_null(kit->held);
	kit_free(kit);
	return found;
}

static void header_that_is_gone_costs_nothing(void **state)
{
	static const uint8_t zeros[100];
	const char *const from[] = {made.ended, made.killed};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char data[64];
		child_folder(data);
		copy_all(from[i], data);
		const struct found whole = begin(data);
		child_remove(data);
		assert_int_equal(whole.lost, -1);
		child_folder(data);
		copy_all(from[i], data);
		overwrite(data, 0, zeros, sizeof zeros);
		const struct found found = begin(data);
		assert_int_equal(found.lost, 0);
		assert_int_equal(found.readings, READINGS);
		assert_int_equal(found.delivered, whole.delivered);
		assert_int_equal(found.outstanding, whole.outstanding);
		/* From then on it is whole. */
		assert_int_equal(begin(data).lost, -1);
		child_remove(data);
	}
}

/* Packed readings: the header and one page of the chunks are gone. */
static void chunks_are_taken_over(void **state)
{
	(void)state;
	static const uint8_t zeros[100];
	char data[64], wiped[PAGE] = {0};
	child_folder(data);
	copy_all(made.ended, data);
	const struct kit_options options = {
		.data = data, .wall = (1790000000 + (ml_time)86400 * 30) * ML_SEC};
	struct kit *kit = kit_new_with(&options);
	kit->keep_data = true;
	kit_apply(kit, kit_graph);
	/* Blocks that are not much are packed when they have waited for long. */
	kit_run(kit, 2 * ML_HOUR);
	static const char in_chunks[] = "SELECT total(count) FROM chunk";
	static const char all[] =
		"SELECT (SELECT count(*) FROM reading) + (SELECT total(count) FROM chunk)";
	const int64_t packed = kit_sql(kit, "readings", in_chunks);
	const int64_t chunks = kit_sql(kit, "readings", "SELECT count(*) FROM chunk");
	assert_in_range(packed, READINGS / 5, READINGS);
	assert_int_equal(kit_sql(kit, "readings", all), READINGS);
	kit_free(kit);
	overwrite(data, 0, zeros, sizeof zeros);
	forget_events(data);
	kit = kit_new_with(&options);
	kit->keep_data = true;
	kit_apply(kit, kit_graph);
	assert_int_equal(told(kit, "\"lost\":\""), 0);
	assert_int_equal(told(kit, "\"readings\":\""), READINGS);
	assert_int_equal(kit_sql(kit, "readings", in_chunks), packed);
	assert_int_equal(kit_sql(kit, "readings", all), READINGS);
	kit_free(kit);
	/* With the root of a tree goes the way to its rows, not they themselves; but the few chunks
	 * there are here are all on that page. */
	static const char *const tables[] = {"reading", "chunk"};
	for (size_t i = 0; i < 2; i++) {
		char sql[96];
		(void)snprintf(sql, sizeof sql,
			"SELECT rootpage FROM sqlite_schema WHERE name = '%s'", tables[i]);
		kit = kit_new_with(&options);
		kit->keep_data = true;
		const int64_t root = kit_sql(kit, "readings", sql);
		kit_free(kit);
		overwrite(data, (long)(root - 1) * PAGE, wiped, sizeof wiped);
		forget_events(data);
		kit = kit_new_with(&options);
		kit->keep_data = true;
		kit_apply(kit, kit_graph);
		kit_call(kit, "store.check", "{}");
		kit_run(kit, ML_MINUTE);
		const int64_t left = i == 0 ? READINGS : READINGS - packed;
		assert_int_equal(told(kit, "\"readings\":\""), left);
		assert_int_equal(kit_sql(kit, "readings", all), left);
		assert_int_equal(told(kit, "\"lost\":\""), i == 0 ? 0 : chunks);
		kit_call(kit, "meter.readings", "{'meter': '00000040', 'limit': 1000}");
		assert_int_equal(kit->code, 0);
		kit_call(kit, "store.check", "{}");
		assert_non_null(strstr(kit->result, "\"whole\":true"));
		kit_free(kit);
	}
	child_remove(data);
}

static void missing_index_is_made_again(void **state)
{
	(void)state;
	char data[64], path[128];
	sqlite3 *db = NULL;
	child_folder(data);
	copy_all(made.ended, data);
	(void)snprintf(path, sizeof path, "%s/readings.db", data);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DROP INDEX reading_block", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	const struct found found = begin(data);
	assert_int_equal(found.lost, 0);
	assert_int_equal(found.readings, READINGS);
	child_remove(data);
}

/* Pages overwritten by nothing or by anything: the rows of other pages are there, and the event
 * tells how many are not. */
static void pages_that_are_gone_cost_their_rows(void **state)
{
	(void)state;
	const unsigned times = test_count(200);
	unsigned salvaged = 0;
	srandom(7);
	for (unsigned i = 0; i < times; i++) {
		char data[64];
		uint8_t junk[PAGE];
		child_folder(data);
		copy_all(i % 2 ? made.ended : made.killed, data);
		const long pages = size_of(data, "readings.db") / PAGE;
		const long page = i == 0 ? 0 : random() % pages;
		for (size_t b = 0; b < sizeof junk; b++)
			junk[b] = (uint8_t)(i % 3 ? random() : 0);
		overwrite(data, page * PAGE, junk, sizeof junk);
		/* A gateway that meets the damage only later repairs it then. */
		struct kit *kit = kit_new(data);
		kit->keep_data = true;
		kit_apply(kit, kit_graph);
		kit_call(kit, "store.check", "{}");
		kit_run(kit, ML_MINUTE);
		const int64_t readings = kit_sql(kit, "readings", "SELECT count(*) FROM reading");
		const long lost = told(kit, "\"lost\":\"");
		if (lost >= 0) {
			salvaged++;
			assert_true(readings > READINGS - 400);
			assert_true(lost >= READINGS - readings);
			assert_true(lost <= READINGS - readings + 400);
		} else {
			assert_int_equal(readings, READINGS);
		}
		kit_free(kit);
		assert_int_equal(begin(data).lost, -1);
		child_remove(data);
	}
	assert_true(salvaged >= times / 4);
}

/* It may be a card that gives an error now and is read again later. */
static void what_cannot_be_read_is_left_alone(void **state)
{
	(void)state;
	char data[64], path[128];
	child_folder(data);
	(void)snprintf(path, sizeof path, "%s/readings.db", data);
	assert_int_equal(mkdir(path, 0700), 0);
	struct kit *kit = kit_new(data);
	kit->keep_data = true;
	kit_apply(kit, kit_graph);
	kit_call(kit, "event.list", "{}");
	assert_null(strstr(kit->result, "store-salvaged"));
	kit_call(kit, "store.status", "{}");
	assert_non_null(strstr(kit->result, "cannot be read"));
	assert_int_equal(rmdir(path), 0);
	kit_give(kit, 1, 0, 1, 1);
	kit_run(kit, 10 * ML_SEC);
	assert_int_equal(kit->delivered, 1);
	kit_free(kit);
	child_remove(data);
}

static void anything_may_lie_there(void **state)
{
	(void)state;
	static const char *const kinds[] = {"junk", "cut", "empty", "short"};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		char data[64], path[128];
		child_folder(data);
		copy_all(made.ended, data);
		(void)snprintf(path, sizeof path, "%s/readings.db", data);
		if (i == 0) {
			for (long at = 0; at < size_of(data, "readings.db"); at += PAGE) {
				uint8_t junk[PAGE];
				for (size_t b = 0; b < sizeof junk; b++)
					junk[b] = (uint8_t)random();
				overwrite(data, at, junk, sizeof junk);
			}
		} else {
			const long size = size_of(data, "readings.db");
			assert_int_equal(truncate(path, i == 1 ? size / 2 : i == 2 ? 0 : 60), 0);
		}
		struct kit *kit = kit_new(data);
		kit->keep_data = true;
		kit_apply(kit, kit_graph);
		kit_give(kit, 1, 0, 9999999, 1);
		kit_run(kit, 10 * ML_SEC);
		assert_int_equal(kit->delivered, 1);
		/* What the gateway took over itself was not put back by somebody. */
		kit_call(kit, "event.list", "{}");
		assert_null(strstr(kit->result, "store-restored"));
		assert_true(
			kit_sql(kit, "readings",
				"SELECT sequence FROM reading WHERE trace = 9999999") > READINGS);
		const int64_t readings = kit_sql(kit, "readings", "SELECT count(*) FROM reading");
		if (i == 1)
			assert_in_range(readings, READINGS / 10, READINGS);
		else
			assert_int_equal(readings, 1);
		kit_free(kit);
		child_remove(data);
	}
}

static void repair(void *user, int tell_to)
{
	const char *data = *(char **)user;
	(void)tell_to;
	cut_install(data, (uint64_t)random());
	cut_power_in(1 + (uint64_t)random() % 400);
	const struct kit_options options = {.data = data, .files = &cut_files, .may_fail = true};
	struct kit *kit = kit_new_with(&options);
	if (kit)
		kit_apply(kit, kit_graph);
	cut_power_now();
}

static void interrupted_repair_begins_again(void **state)
{
	(void)state;
	static const uint8_t zeros[100];
	srandom(11);
	for (unsigned i = 0; i < test_count(100); i++) {
		char data[64];
		char *folder = data;
		struct tale tale = {0};
		child_folder(data);
		copy_all(i % 2 ? made.ended : made.killed, data);
		overwrite(data, 0, zeros, sizeof zeros);
		for (unsigned cut = 0; cut < 3; cut++) {
			(void)random();
			const int status = child_run(repair, &folder, &tale);
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) == CUT_EXIT);
		}
		assert_int_equal(begin(data).readings, READINGS);
		child_remove(data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_that_is_gone_costs_nothing),
		cmocka_unit_test(chunks_are_taken_over),
		cmocka_unit_test(missing_index_is_made_again),
		cmocka_unit_test(pages_that_are_gone_cost_their_rows),
		cmocka_unit_test(what_cannot_be_read_is_left_alone),
		cmocka_unit_test(anything_may_lie_there),
		cmocka_unit_test(interrupted_repair_begins_again),
	};
	return cmocka_run_group_tests(tests, make, unmake);
}
