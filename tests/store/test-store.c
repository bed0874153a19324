/* The node `store`: what is acknowledged is on the disk, rounds keep their place, a full disk is no
 * end. SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/fault.h"
#include "store/kit.h"
#include "store/writer.h"

static int setup(void **state)
{
	struct kit *kit = kit_new(NULL);
	kit_apply(kit, kit_graph);
	*state = kit;
	return 0;
}

static int teardown(void **state)
{
	fault_set(FAULT_NONE);
	kit_free(*state);
	return 0;
}

static void stored_then_delivered_and_passed_on(void **state)
{
	struct kit *kit = *state;
	kit_give(kit, 12345678, 0, 11, 1000);
	kit_give(kit, 12345679, 0, 12, 1001);
	assert_int_equal(kit->delivered, 2);
	assert_int_equal(kit->seen, 2);
	assert_int_equal(kit->traces[0], 11);
	assert_int_equal(kit->traces[1], 12);
	assert_int_equal(kit_sql(kit, "readings", "SELECT count(*) FROM reading"), 2);
	assert_int_equal(
		kit_sql(kit, "readings", "SELECT trace FROM reading ORDER BY sequence"), 11);
	/* The telegram is in the journal, and the reading names it. */
	assert_int_equal(kit_sql(kit, "readings",
				 "SELECT length(bytes) FROM reading JOIN frame ON frame.key = "
				 "reading.sequence WHERE reading.trace = 12 AND frame.trace = 12"),
		25);
	assert_int_equal(
		kit_sql(kit, "readings",
			"SELECT count(*) FROM reading JOIN origin ON origin.key = origin "
			"WHERE node = 'bus' AND bus = 'roof' AND interface = 'sim:line' AND "
			"receiver = ''"),
		2);
	assert_int_equal(kit_sql(kit, "readings", "SELECT count(*) FROM origin"), 1);
	assert_int_equal(kit_sql(kit, "readings", "SELECT count(*) FROM shape"), 1);
	assert_int_equal(kit_sql(kit, "readings", "SELECT count(*) FROM device"), 2);
}

/* In a running gateway, by itself; all that reads finds it as before. */
static void old_readings_are_packed(void **state)
{
	struct kit *kit = *state;
	for (unsigned day = 0; day < 12; day++) {
		kit_give_many(kit, 12345678, 1000 * (day + 1), 300);
		kit_run(kit, ML_DAY);
	}
	assert_int_equal(kit->delivered, 3600);
	assert_true(kit_sql(kit, "readings", "SELECT sum(count) FROM chunk") >= 2047);
	assert_int_equal(kit_sql(kit, "readings",
				 "SELECT (SELECT sum(count) FROM chunk) + (SELECT count(*) FROM "
				 "reading)"),
		3600);
	kit_call(kit, "store.status", "{}");
	assert_non_null(strstr(kit->result, "\"packing\":{\"running\":false"));
	kit_call(kit, "meter.readings",
		"{'meter': '12345678', 'limit': 1000, 'from': "
		"'2020-01-01T00:00:00Z'}");
	assert_int_equal(kit->code, 0);
	assert_non_null(strstr(kit->result, "\"trace\":1000,"));
	assert_non_null(strstr(kit->result, "\"trace\":4099,"));
	assert_non_null(strstr(kit->result, "\"next\""));
	/* Nothing was delivered yet: the first batch begins with the oldest. */
	kit->mode = KIT_FAIL;
	kit_trigger(kit);
	assert_true(kit->batch_count > 0);
	assert_int_equal(kit->batches[0].first, 1);
	assert_int_equal(kit->batches[0].traces[0], 1000);
	assert_int_equal(kit->batches[0].seen, kit->batches[0].count);
	/* Rows are counted, not the numbers that they may have: some were given to none. */
	kit_run_sql(kit, "readings",
		"DELETE FROM reading WHERE sequence = (SELECT max(sequence) - 1 FROM reading)");
	char rows[64];
	(void)snprintf(rows, sizeof rows, "\"rows\":%lld,",
		(long long)kit_sql(kit, "readings", "SELECT count(*) FROM reading"));
	kit_call(kit, "store.status", "{}");
	assert_non_null(strstr(kit->result, rows));
}

/* A database of the first release is brought up with all that is in it. */
static void an_older_database_is_kept(void **state)
{
	struct kit *kit = *state;
	char sql[1024];
	kit_give(kit, 12345678, 0, 11, 1000);
	kit_give_failed(kit, 7, 12);
	struct kit *older = kit_new(NULL);
	struct kit file = {.data = ""};
	(void)snprintf(file.data, sizeof file.data, "%s", older->data);
	older->keep_data = true;
	kit_free(older);
	(void)snprintf(sql, sizeof sql, "%s/readings.db", file.data);
	(void)remove(sql);
	kit_run_sql(&file, "readings", store_migrations[0].sql);
	(void)snprintf(sql, sizeof sql,
		"ATTACH '%s/readings.db' AS new; INSERT INTO device SELECT * FROM new.device; "
		"INSERT "
		"INTO shape SELECT * FROM new.shape; INSERT INTO frame SELECT key, time, trace, "
		"device, bytes FROM new.frame; INSERT INTO reading SELECT sequence, device, time + "
		"123, trace, sequence, shape, content FROM new.reading; UPDATE store_state SET "
		"value "
		"= 2 WHERE name = 'sequence'; CREATE TABLE ml_migration (family TEXT, version "
		"INTEGER, PRIMARY KEY (family, version)); INSERT INTO ml_migration VALUES "
		"('store', "
		"1)",
		kit->data);
	kit_run_sql(&file, "readings", sql);
	kit_free(kit);
	kit = kit_new(file.data);
	*state = kit;
	kit_apply(kit, kit_graph);
	assert_int_equal(kit_sql(kit, "readings", "SELECT count(*) FROM reading"), 2);
	assert_int_equal(kit_sql(kit, "readings", "SELECT sum(time % 1000) FROM reading"), 0);
	assert_int_equal(kit_sql(kit, "readings", "SELECT count(*) FROM device_shape"), 1);
	kit_call(kit, "meter.readings", "{'meter': '12345678'}");
	assert_non_null(strstr(kit->result, "\"trace\":11,"));
	kit_give(kit, 12345678, 0, 13, 1001);
	assert_int_equal(kit_sql(kit, "readings", "SELECT max(sequence) >= 3 FROM reading"), 1);
}

/* While a round runs, its readings wait for others; its end ends the waiting. */
static void a_round_is_written_together(void **state)
{
	struct kit *kit = *state;
	kit_round(kit, true);
	kit_give(kit, 12345678, 0, 11, 1000);
	kit_run(kit, 6 * ML_SEC);
	kit_give(kit, 12345679, 0, 12, 1001);
	kit_run(kit, 3 * ML_SEC);
	assert_int_equal(kit->delivered, 0);
	kit_run(kit, 2 * ML_SEC);
	assert_int_equal(kit->delivered, 2);
	kit_give(kit, 12345680, 0, 13, 1002);
	assert_int_equal(kit->delivered, 2);
	kit_round(kit, false);
	assert_int_equal(kit->delivered, 3);
	kit_give(kit, 12345681, 0, 14, 1003);
	assert_int_equal(kit->delivered, 4);
	/* The setting rules the next round. */
	kit_call(kit, "setting.set", "{'name': 'store.round_commit', 'value': 0}");
	assert_int_equal(kit->code, 0);
	kit_round(kit, true);
	kit_give(kit, 12345681, 0, 15, 1003);
	assert_int_equal(kit->delivered, 5);
	kit_round(kit, false);
}

static void failed_readouts_are_kept(void **state)
{
	struct kit *kit = *state;
	kit_give_failed(kit, 7, 5);
	assert_int_equal(kit->delivered, 1);
	assert_int_equal(kit_sql(kit, "readings",
				 "SELECT count(*) FROM reading JOIN device ON device.key = device "
				 "WHERE point = 7 AND shape IS NULL AND crc IS NULL"),
		1);
	assert_int_equal(kit_sql(kit, "readings", "SELECT count(*) FROM frame"), 0);
}

static void sequences_go_on_after_a_restart(void **state)
{
	struct kit *kit = *state;
	kit_give_many(kit, 1, 100, 10);
	kit->keep_data = true;
	char data[64];
	memcpy(data, kit->data, sizeof data);
	kit_free(kit);
	kit = kit_new(data);
	*state = kit;
	kit_apply(kit, kit_graph);
	kit_give(kit, 1, 0, 200, 1);
	assert_int_equal(
		kit_sql(kit, "readings", "SELECT sequence FROM reading WHERE trace = 200"), 11);
	assert_int_equal(kit_sql(kit, "readings", "SELECT count(*) FROM shape"), 1);
	assert_int_equal(kit_sql(kit, "readings", "SELECT count(*) FROM device"), 1);
}

static void many_are_few_commits(void **state)
{
	struct kit *kit = *state;
	kit_give_many(kit, 1, 1, 10000);
	kit_settle(kit);
	assert_int_equal(kit->delivered, 10000);
	assert_int_equal(kit->seen, 10000);
	for (uint64_t i = 0; i < KIT_SEEN_MAX; i++)
		assert_int_equal(kit->traces[i], i + 1);
	kit_call(kit, "store.status", "{}");
	const char *commits = strstr(kit->result, "\"commits\":");
	assert_non_null(commits);
	assert_in_range(strtoul(commits + 10, NULL, 10), 1, 20);
}

static void round_ends_after_its_readings_are_stored(void **state)
{
	struct kit *kit = *state;
	kit_round(kit, true);
	kit_give(kit, 1, 0, 1, 1);
	kit_give(kit, 2, 0, 2, 1);
	assert_int_equal(kit->begins, 1);
	assert_int_equal(kit->told, 0);
	fault_set(FAULT_FULL);
	kit_give(kit, 3, 0, 3, 1);
	kit_round(kit, false);
	/* One of its readings is not on the disk: nobody is told. */
	assert_int_equal(kit->ends, 0);
	assert_int_equal(kit->told, 0);
	fault_set(FAULT_NONE);
	kit_run(kit, 3 * ML_SEC);
	assert_int_equal(kit->ends, 1);
	assert_int_equal(kit->seen_at_end, 3);
	assert_int_equal(kit->told, 1);
	/* A round without readings passes too. */
	kit_round(kit, true);
	kit_round(kit, false);
	assert_int_equal(kit->ends, 2);
	assert_int_equal(kit->told, 2);
}

static void check_recovers(struct kit *kit, enum fault fault)
{
	kit_give(kit, 1, 0, 1, 1);
	const uint64_t before = kit->delivered;
	fault_set(fault);
	kit_give_many(kit, 2, 10, 100);
	kit_give(kit, 3, 0, 500, 1);
	assert_int_equal(kit->delivered, before);
	kit_call(kit, "store.status", "{}");
	assert_null(strstr(kit->result, "\"error\":null"));
	assert_non_null(strstr(kit->result, "\"waiting\":101"));
	/* Other commands go on, and readings are still read. */
	kit_call(kit, "meter.list", "{}");
	assert_int_equal(kit->code, 0);
	struct ml_buffer out = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &out);
	ml_engine_metrics(kit->engine, &w);
	assert_non_null(strstr(out.data, " readings wait"));
	ml_buffer_free(&out);
	kit_run(kit, ML_MINUTE);
	assert_int_equal(kit->delivered, before);
	assert_int_equal(kit->failed, 0);
	fault_set(FAULT_NONE);
	kit_run(kit, 3 * ML_SEC);
	assert_int_equal(kit->delivered, before + 101);
	assert_int_equal(kit->failed, 0);
	assert_int_equal(
		kit_sql(kit, "readings", "SELECT count(DISTINCT trace) FROM reading"), 102);
	assert_int_equal(kit_sql(kit, "readings", "SELECT count(*) FROM reading"), 102);
	assert_int_equal(kit_sql(kit, "readings", "SELECT max(sequence) FROM reading"), 102);
	kit_call(kit, "store.status", "{}");
	assert_non_null(strstr(kit->result, "\"error\":null"));
}

static void full_disk_keeps_all_and_recovers(void **state)
{
	check_recovers(*state, FAULT_FULL);
}

static void read_only_disk_keeps_all_and_recovers(void **state)
{
	check_recovers(*state, FAULT_READ_ONLY);
}

static void failing_sync_acknowledges_nothing(void **state)
{
	check_recovers(*state, FAULT_SYNC);
}

static void database_that_cannot_be_opened_is_no_end(void **state)
{
	struct kit *kit = *state;
	kit_free(kit);
	fault_set(FAULT_OPEN);
	kit = kit_new(NULL);
	*state = kit;
	kit_apply(kit, kit_graph);
	kit_give(kit, 1, 0, 1, 1);
	assert_int_equal(kit->delivered, 0);
	kit_call(kit, "store.status", "{}");
	assert_non_null(strstr(kit->result, "\"open\":false"));
	fault_set(FAULT_NONE);
	kit_run(kit, 3 * ML_SEC);
	assert_int_equal(kit->delivered, 1);
}

static void bounded_while_nothing_can_be_written(void **state)
{
	struct kit *kit = *state;
	fault_set(FAULT_FULL);
	kit_give_many(kit, 2, 1, 16000);
	kit_run(kit, ML_MINUTE);
	kit_call(kit, "store.status", "{}");
	const char *waiting = strstr(kit->result, "\"waiting\":");
	assert_in_range(strtoul(waiting + 10, NULL, 10), 4096, 8192);
	fault_set(FAULT_NONE);
	kit_run(kit, 3 * ML_SEC);
	assert_int_equal(kit->delivered, 16000);
	assert_int_equal(kit->failed, 0);
	assert_int_equal(
		kit_sql(kit, "readings", "SELECT count(DISTINCT trace) FROM reading"), 16000);
}

static void stopping_writes_what_is_left(void **state)
{
	struct kit *kit = *state;
	fault_set(FAULT_FULL);
	kit_give_many(kit, 2, 1, 10);
	assert_int_equal(kit->delivered, 0);
	fault_set(FAULT_NONE);
	kit_apply(kit, "{'meterloom': 1, 'nodes': [], 'edges': []}");
	kit_run(kit, 10 * ML_SEC);
	assert_int_equal(kit_sql(kit, "readings", "SELECT count(*) FROM reading"), 10);
}

static void what_cannot_be_written_at_the_stop_fails(void **state)
{
	struct kit *kit = *state;
	fault_set(FAULT_FULL);
	kit_give_many(kit, 2, 1, 10);
	/* Only the store goes: the source stays to be told. */
	kit_apply(kit, "{'meterloom': 1, 'nodes': [{'id': 'source', 'type': 't-source'}], 'edges': "
		       "[]}");
	kit_run(kit, 10 * ML_SEC);
	assert_int_equal(kit->failed, 10);
	assert_int_equal(kit->delivered, 0);
}

static void slow_consumer_holds_the_store_up_but_loses_nothing(void **state)
{
	struct kit *kit = *state;
	kit->sink_stuck = true;
	kit_apply(kit, "{'meterloom': 1, 'nodes': [{'id': 'source', 'type': 't-source'}, {'id': "
		       "'store2', 'type': 'store'}, {'id': 'sink2', 'type': 't-sink'}], 'edges': "
		       "[{'from': 'source', 'to': 'store2'}, {'from': 'store2.out', 'to': 'sink2', "
		       "'capacity': 16}]}");
	kit_run(kit, 10 * ML_SEC);
	kit_give_many(kit, 2, 1, 100);
	assert_int_equal(kit_sql(kit, "readings", "SELECT count(*) FROM reading"), 100);
	assert_int_equal(kit->delivered, 0);
	assert_int_equal(kit->failed, 0);
}

static void another_lane_is_refused(void **state)
{
	struct kit *kit = *state;
	struct ml_errors errors = {0};
	static const char graph[] =
		"{\"meterloom\": 1, \"nodes\": [{\"id\": \"source\", \"type\": \"t-source\"}, "
		"{\"id\": \"s\", \"type\": \"store\", \"lane\": \"main\"}], \"edges\": "
		"[{\"from\": \"source\", \"to\": \"s\"}]}";
	assert_int_not_equal(ml_engine_apply(kit->engine, graph, sizeof graph - 1, &errors), 0);
	assert_non_null(strstr(errors.items[0].text, "lane \"database\""));
	ml_errors_free(&errors);
}

/* Branches share messages; each store links those that it holds. */
static void two_stores_behind_one_source_do_not_mix(void **state)
{
	struct kit *kit = *state;
	kit_apply(kit,
		"{'meterloom': 1, 'nodes': [{'id': 'source', 'type': 't-source'},"
		" {'id': 'store', 'type': 'store'}, {'id': 'values', 'type': 'current-values'},"
		" {'id': 'other', 'type': 'store'}],"
		" 'edges': [{'from': 'source', 'to': 'store', 'capacity': 4096},"
		" {'from': 'source', 'to': 'values', 'capacity': 4096},"
		" {'from': 'values', 'to': 'other', 'capacity': 16}]}");
	kit_give_many(kit, 12345678, 1, 100);
	kit_run(kit, ML_MINUTE);
	assert_int_equal(kit->delivered, 100);
	assert_int_equal(kit_sql(kit, "readings", "SELECT count(*) FROM reading"), 200);
	assert_int_equal(kit_sql(kit, "readings",
				 "SELECT count(*) FROM (SELECT trace FROM reading GROUP BY trace "
				 "HAVING count(*) = 2)"),
		100);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(stored_then_delivered_and_passed_on),
		STORE_TEST(old_readings_are_packed),
		STORE_TEST(an_older_database_is_kept),
		STORE_TEST(a_round_is_written_together),
		STORE_TEST(failed_readouts_are_kept),
		STORE_TEST(sequences_go_on_after_a_restart),
		STORE_TEST(many_are_few_commits),
		STORE_TEST(round_ends_after_its_readings_are_stored),
		STORE_TEST(full_disk_keeps_all_and_recovers),
		STORE_TEST(read_only_disk_keeps_all_and_recovers),
		STORE_TEST(failing_sync_acknowledges_nothing),
		STORE_TEST(database_that_cannot_be_opened_is_no_end),
		STORE_TEST(bounded_while_nothing_can_be_written),
		STORE_TEST(stopping_writes_what_is_left),
		STORE_TEST(what_cannot_be_written_at_the_stop_fails),
		STORE_TEST(slow_consumer_holds_the_store_up_but_loses_nothing),
		STORE_TEST(another_lane_is_refused),
		STORE_TEST(two_stores_behind_one_source_do_not_mix),
	};
	fault_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
