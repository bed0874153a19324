/* Retention: what goes by age and by size, whom it fails, and what is kept whatever its age.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "store/kit.h"

static int setup(void **state)
{
	struct kit *kit = kit_new(NULL);
	kit_apply(kit, "{'meterloom': 1, 'nodes': [{'id': 'source', 'type': 't-source'}, {'id': "
		       "'store', 'type': 'store'}, {'id': 'clock', 'type': 't-clock'}, {'id': "
		       "'query', 'type': 'store-query', 'params': {'destination': 'head-end', "
		       "'limit': 1000}}, {'id': 'end', 'type': 't-end'}], 'edges': [{'from': "
		       "'source', 'to': 'store', 'capacity': 16384}, {'from': 'clock', 'to': "
		       "'query.in'}, {'from': 'query', 'to': 'end'}]}");
	*state = kit;
	return 0;
}

static int teardown(void **state)
{
	kit_free(*state);
	return 0;
}

static void set(struct kit *kit, const char *name, int value)
{
	char params[128];
	(void)snprintf(params, sizeof params, "{'name': '%s', 'value': %d}", name, value);
	kit_call(kit, "setting.set", params);
	if (kit->code)
		fail_msg("%s: %s", params, kit->result);
}

/* So many readings a day, for so many days. */
static void live(struct kit *kit, unsigned days, unsigned readings, uint64_t *trace)
{
	for (unsigned day = 0; day < days; day++) {
		kit_give_many(kit, 12345678, *trace, readings);
		*trace += readings;
		kit_run(kit, ML_DAY);
	}
}

static bool told(struct kit *kit, const char *code)
{
	char wanted[64];
	(void)snprintf(wanted, sizeof wanted, "\"%s\"", code);
	kit_call(kit, "event.list", "{}");
	return strstr(kit->result, wanted) != NULL;
}

static int64_t number(struct kit *kit, const char *sql)
{
	return kit_sql(kit, "readings", sql);
}

static const char stored[] =
	"SELECT (SELECT total(count) FROM chunk) + (SELECT count(*) FROM reading WHERE sequence > "
	"(SELECT value FROM store_state WHERE name = 'packed'))";

static void telegrams_go_after_their_days(void **state)
{
	struct kit *kit = *state;
	uint64_t trace = 1000;
	set(kit, "store.journal_days", 5);
	live(kit, 20, 300, &trace);
	/* The last five days, and a block that began before. */
	const int64_t frames = number(kit, "SELECT count(*) FROM frame");
	assert_in_range(frames, 5 * 300, 9 * 300);
	assert_int_equal(number(kit, "SELECT max(key) FROM frame"), trace - 1000);
	assert_int_equal(number(kit, stored), trace - 1000);
	set(kit, "store.journal_days", 0);
	live(kit, 1, 300, &trace);
	assert_int_equal(number(kit, "SELECT count(*) FROM frame WHERE key > 6000"), 0);
	assert_false(told(kit, "store-journal-full"));
}

static void telegrams_go_beyond_their_size(void **state)
{
	struct kit *kit = *state;
	uint64_t trace = 1000;
	set(kit, "store.journal_size", 1);
	live(kit, 8, 4000, &trace);
	assert_in_range(number(kit, "SELECT sum(length(bytes)) + count(*) * 24 FROM frame"),
		1 << 19, (1 << 20) + 2048 * 60);
	assert_true(told(kit, "store-journal-full"));
}

/* Readings beyond their age go in months, but not while somebody waits for them. */
static void readings_go_after_their_days(void **state)
{
	struct kit *kit = *state;
	uint64_t trace = 1000;
	set(kit, "store.keep_days", 20);
	live(kit, 50, 150, &trace);
	assert_int_equal(number(kit, "SELECT min(first_sequence) FROM chunk"), 1);
	assert_false(told(kit, "store-expired"));
	/* The destination gets them all, the oldest first. */
	kit_trigger(kit);
	kit_settle(kit);
	assert_int_equal(number(kit, "SELECT sequence FROM cursor"), trace - 1000);
	kit_run(kit, 2 * ML_HOUR);
	assert_true(number(kit, "SELECT min(first_sequence) FROM chunk") > 1);
	/* What is left is not older than the age and the rest of its month. */
	char sql[160];
	(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM chunk WHERE last_time < %lld",
		(long long)(kit_wall(kit) - 20 * ML_DAY));
	assert_int_equal(number(kit, sql), 0);
	assert_true(number(kit, stored) >= 20 * 150);
	assert_true(told(kit, "store-expired"));
	assert_false(told(kit, "store-undelivered"));
}

static void the_oldest_go_beyond_the_size(void **state)
{
	struct kit *kit = *state;
	uint64_t trace = 1000;
	set(kit, "store.size", 1);
	set(kit, "store.journal_size", 1);
	live(kit, 5, 9000, &trace);
	kit_run(kit, ML_DAY);
	assert_true(number(kit, "SELECT (SELECT page_count FROM pragma_page_count) - (SELECT "
				"freelist_count FROM pragma_freelist_count)") *
			    4096 <=
		    (1 << 20) + 1024 * 200);
	assert_true(number(kit, "SELECT count(*) FROM reading") > 0);
	assert_true(told(kit, "store-size"));
	assert_true(told(kit, "store-undelivered"));
	assert_non_null(strstr(kit->result, "head-end"));
}

/* A day with a clock that is a year ahead costs a day of what is kept, and not a year. */
static void a_clock_that_jumps_deletes_little(void **state)
{
	struct kit *kit = *state;
	uint64_t trace = 1000;
	set(kit, "store.keep_days", 30);
	set(kit, "store.pack_after", 0);
	live(kit, 45, 150, &trace);
	kit_trigger(kit);
	kit_run(kit, 2 * ML_HOUR);
	assert_true(number(kit, stored) < 45 * 150);
	ml_clock_set_wall(kit->clock, kit_wall(kit) + 365 * ML_DAY);
	live(kit, 1, 150, &trace);
	ml_clock_set_wall(kit->clock, kit_wall(kit) - 365 * ML_DAY);
	live(kit, 1, 150, &trace);
	assert_true(number(kit, stored) >= 27 * 150);
}

#define RETENTION_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RETENTION_TEST(telegrams_go_after_their_days),
		RETENTION_TEST(telegrams_go_beyond_their_size),
		RETENTION_TEST(readings_go_after_their_days),
		RETENTION_TEST(the_oldest_go_beyond_the_size),
		RETENTION_TEST(a_clock_that_jumps_deletes_little),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
