/* Readings and chunks whose content is damaged, in pages that SQLite finds sound: they are left out
 * and told, and hold nothing up.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/family.h"
#include "store/way.h"

/* How often a text stands in the answer of a command that succeeds. */
static size_t count_in(struct kit *kit, const char *command, const char *params, const char *text)
{
	size_t count = 0;
	kit_call(kit, command, params);
	if (kit->code)
		fail_msg("%s %s: %s", command, params, kit->result);
	for (const char *at = kit->result; (at = strstr(at, text)); at += strlen(text))
		count++;
	return count;
}

static void expect_delivered(struct kit *kit, int64_t sequence)
{
	kit_run(kit, ML_MINUTE);
	assert_int_equal(kit_sql(kit, "readings", "SELECT sequence FROM cursor"), sequence);
	assert_int_equal(kit_sql(kit, "readings", "SELECT count(*) FROM outstanding"), 0);
}

static const char *const damages[] = {
	"UPDATE reading SET content = x'' WHERE sequence = 3",
	"UPDATE reading SET content = x'ffffffffffffffffffffffff' WHERE sequence = 3",
	"UPDATE reading SET content = zeroblob(40000) WHERE sequence = 3",
	"UPDATE reading SET content = substr(content, 1, 5) WHERE sequence = 3",
	"UPDATE reading SET shape = 4711 WHERE sequence = 3",
	"UPDATE reading SET device = 4711 WHERE sequence = 3",
};

static void a_damaged_reading_is_left_out_of_its_report(void **state)
{
	struct kit *kit = *state;
	for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
		memset(&receiver, 0, sizeof receiver);
		for (uint64_t n = 1; n <= 5; n++) {
			kit_give(kit, 12345678, 0, n, (int64_t)n);
			kit_run(kit, ML_MINUTE);
		}
		kit_run_sql(kit, "readings", damages[i]);
		kit_trigger(kit);
		expect_delivered(kit, 5);
		assert_int_equal(receiver.count, 1);
		/* A reading of an unknown meter is of none that a report knows. */
		const bool of_none = strstr(damages[i], "device") != NULL;
		const char *readings = "{'meter': '12345678'}";
		assert_int_equal(count_in(kit, "meter.readings", readings, "\"trace\":"), 4);
		assert_int_equal(count_in(kit, "meter.series", readings, "\"id\":"), 2);
		assert_in_range(
			count_in(kit, "series.values",
				"{'series': 'm123456782C2D1B07.000000000010'}", "\"value\":"),
			4, 5);
		/* Told once, however often it is met. */
		kit_call(kit, "report.resend",
			"{'destination': 'office', 'from': "
			"'2026-01-01T00:00:00Z'}");
		kit_run(kit, ML_MINUTE);
		assert_int_equal(
			count_in(kit, "event.list", "{}", "\"reading-damaged\""), of_none ? 0 : 1);
		if (!of_none) {
			assert_non_null(strstr(kit->result, "\"sequence\":\"3\""));
			assert_non_null(strstr(kit->result, "\"device\":\"12345678.KAM\""));
		}
		/* The next start has the others, and goes on. */
		kit = way_restart(state);
		kit_give(kit, 12345678, 0, 6, 6);
		kit_trigger(kit);
		expect_delivered(
			kit, kit_sql(kit, "readings", "SELECT max(sequence) FROM reading"));
		(void)way_teardown(state);
		(void)way_setup(state);
		kit = *state;
	}
}

/* What is damaged of a shape makes its readings unreadable, and holds up no new ones. */
static void a_damaged_shape_holds_nothing_up(void **state)
{
	struct kit *kit = *state;
	kit_give(kit, 12345678, 0, 1, 1);
	kit_run_sql(kit, "readings", "UPDATE shape SET body = substr(body, 1, length(body) - 1)");
	kit = way_restart(state);
	for (uint64_t n = 2; n <= 3; n++) {
		kit_give(kit, 12345678, 0, n, 1);
		kit_run(kit, ML_MINUTE);
	}
	kit_trigger(kit);
	expect_delivered(kit, kit_sql(kit, "readings", "SELECT max(sequence) FROM reading"));
	assert_int_equal(count_in(kit, "meter.readings", "{'meter': '12345678'}", "\"trace\":"), 2);
	assert_int_equal(count_in(kit, "event.list", "{}", "\"reading-damaged\""), 1);
}

static void a_damaged_chunk_is_left_out(void **state)
{
	struct kit *kit = *state;
	char data[64];
	for (unsigned id = 1; id <= 2; id++)
		kit_give_many(kit, id, 1 + 1000 * id, 1000);
	memcpy(data, kit->data, sizeof data);
	kit->keep_data = true;
	kit_free(kit);
	const struct kit_options options = {.data = data,
		.more = {&report_family, &receiver_family},
		.wall = (1790000000 + (ml_time)86400 * 30) * ML_SEC};
	*state = kit = kit_new_with(&options);
	way_apply_limit(kit, way_csv, 1000);
	kit_run(kit, 2 * ML_HOUR);
	assert_true(kit_sql(kit, "readings", "SELECT count(*) FROM chunk WHERE device = 1") > 0);
	kit_run_sql(kit, "readings",
		"UPDATE chunk SET body = substr(body, 1, length(body) / 2) WHERE device = 1;"
		"UPDATE store_state SET value = value + 1 WHERE name = 'chunks'");
	const size_t chunks =
		(size_t)kit_sql(kit, "readings", "SELECT count(*) FROM chunk WHERE device = 1");
	kit_trigger(kit);
	expect_delivered(kit, 2000);
	assert_true(receiver.count > 0);
	(void)count_in(kit, "meter.readings", "{'meter': '1'}", "\"trace\":");
	assert_int_equal(
		count_in(kit, "meter.readings", "{'meter': '2', 'limit': 1000}", "\"trace\":"),
		1000);
	(void)count_in(kit, "meter.series", "{'meter': '1'}", "\"id\":");
	assert_int_equal(count_in(kit, "event.list", "{}", "\"chunk-damaged\""), chunks);
	assert_non_null(strstr(kit->result, "\"device\":\"00000001.KAM\""));
	/* A repair leaves it behind: the next check finds nothing. */
	for (int i = 0; i < 2; i++) {
		kit_call(kit, "store.check", "{}");
		kit_run(kit, 2 * ML_HOUR);
		assert_int_equal(count_in(kit, "event.list", "{}", "\"store-salvaged\""), 1);
	}
	assert_int_equal(
		kit_sql(kit, "readings", "SELECT count(*) FROM chunk WHERE device = 1"), 0);
}

/* ---- Pages ---- */

enum { PAGE = 4096, READINGS = 400 };

/* Ends the gateway, wipes the page that a table begins with, and begins again. */
static struct kit *wipe(void **state, const char *table)
{
	static const char wiped[PAGE];
	struct kit *kit = *state;
	char data[64], text[128];
	memcpy(data, kit->data, sizeof data);
	(void)snprintf(
		text, sizeof text, "SELECT rootpage FROM sqlite_schema WHERE name = '%s'", table);
	const long root = (long)kit_sql(kit, "readings", text);
	kit->keep_data = true;
	kit_free(kit);
	(void)snprintf(text, sizeof text, "%s/readings.db", data);
	FILE *file = fopen(text, "r+b");
	assert_non_null(file);
	assert_int_equal(fseek(file, (root - 1) * PAGE, SEEK_SET), 0);
	assert_int_equal(fwrite(wiped, 1, PAGE, file), PAGE);
	assert_int_equal(fclose(file), 0);
	*state = kit = way_begin(data, NULL);
	return kit;
}

static void expect_whole(struct kit *kit, size_t salvaged)
{
	assert_int_equal(count_in(kit, "event.list", "{}", "\"store-salvaged\""), salvaged);
	assert_int_equal(
		kit_sql(kit, "readings", "SELECT count(*) FROM reading NOT INDEXED"), READINGS);
	assert_int_equal(
		count_in(kit, "meter.readings", "{'meter': '1', 'limit': 1000}", "\"trace\":"),
		READINGS);
}

static void damage_that_the_start_meets_is_repaired(void **state)
{
	struct kit *kit = *state;
	kit_give_many(kit, 1, 1, READINGS);
	kit = wipe(state, "reading");
	kit_run(kit, ML_MINUTE);
	expect_whole(kit, 1);
}

/* Nothing is written, and no check runs: who reads meets it. */
static void damage_that_a_reader_meets_is_repaired(void **state)
{
	struct kit *kit = *state;
	kit_give_many(kit, 1, 1, READINGS);
	kit = wipe(state, "shape");
	kit_call(kit, "meter.readings", "{'meter': '1'}");
	kit_run(kit, ML_MINUTE);
	expect_whole(kit, 1);
}

static void damage_that_a_report_meets_is_repaired(void **state)
{
	struct kit *kit = *state;
	kit_give_many(kit, 1, 1, READINGS);
	kit = wipe(state, "outstanding");
	kit_trigger(kit);
	kit_run(kit, ML_MINUTE);
	expect_whole(kit, 1);
	kit_trigger(kit);
	kit_run(kit, ML_MINUTE);
	assert_true(receiver.count > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_damaged_reading_is_left_out_of_its_report, way_setup, way_teardown),
		cmocka_unit_test_setup_teardown(
			a_damaged_shape_holds_nothing_up, way_setup, way_teardown),
		cmocka_unit_test_setup_teardown(
			a_damaged_chunk_is_left_out, way_setup, way_teardown),
		cmocka_unit_test_setup_teardown(
			damage_that_the_start_meets_is_repaired, way_setup, way_teardown),
		cmocka_unit_test_setup_teardown(
			damage_that_a_reader_meets_is_repaired, way_setup, way_teardown),
		cmocka_unit_test_setup_teardown(
			damage_that_a_report_meets_is_repaired, way_setup, way_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
