/* What people ask of reports: tests, downloads, again, and what was delivered.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "store/outstanding.h"
#include "store/way.h"

/* ---- Tests and downloads ---- */

static void a_test_goes_to_the_receiver_and_moves_nothing(void **state)
{
	struct kit *kit = *state;
	kit_call(kit, "report.test", "{'destination': 'office'}");
	assert_int_equal(kit->code, -ENOENT);
	assert_non_null(strstr(kit->result, "no readings"));
	kit_give_many(kit, 1, 1, 5);
	kit_call(kit, "report.test", "{'destination': 'office'}");
	assert_int_equal(kit->code, 0);
	assert_non_null(strstr(kit->result, "\"receiver\":\"sim:test\""));
	assert_int_equal(receiver.count, 1);
	assert_int_equal(strncmp(receiver.received[0].name, "test-", 5), 0);
	assert_int_equal(way_kept(kit), 0);
	way_expect_number(kit, "sequence", 0);
	way_expect_number(kit, "behind.readings", 5);
	kit_trigger(kit);
	assert_int_equal(receiver.count, 2);
	assert_int_not_equal(strncmp(receiver.received[1].name, "test-", 5), 0);
	/* With nothing new: the newest. */
	kit_call(kit, "report.test", "{'destination': 'office'}");
	assert_int_equal(receiver.count, 3);
	receiver.answer = RECEIVER_FAILS;
	kit_call(kit, "report.test", "{'destination': 'office'}");
	assert_int_equal(kit->code, -EIO);
	assert_string_equal(kit->result, "sim:test: HTTP 503: not now");
	way_expect_text(kit, "state", "idle");
	kit_call(kit, "report.test", "{'destination': 'nobody'}");
	assert_int_equal(kit->code, -ENOENT);
}

/* The bytes of a document that a download named. */
static void fetch(struct kit *kit, char *bytes, size_t size)
{
	char params[128];
	json_t *result = json_loads(kit->result, 0, NULL);
	const json_t *first = json_array_get(json_object_get(result, "documents"), 0);
	(void)snprintf(params, sizeof params, "{'document': '%s'}",
		json_string_value(json_object_get(first, "document")));
	json_decref(result);
	kit_call(kit, "report.document", params);
	assert_int_equal(kit->code, 0);
	result = json_loads(kit->result, 0, NULL);
	FILE *file = fopen(json_string_value(json_object_get(result, "path")), "rb");
	assert_non_null(file);
	bytes[fread(bytes, 1, size - 1, file)] = '\0';
	(void)fclose(file);
	json_decref(result);
}

static void a_download_is_rendered_and_not_sent(void **state)
{
	struct kit *kit = *state;
	static char bytes[RECEIVED_BYTES_MAX + 1];
	kit_give_many(kit, 12345678, 1, 5);
	kit_call(kit, "report.download", "{'destination': 'office'}");
	assert_int_equal(kit->code, 0);
	fetch(kit, bytes, sizeof bytes);
	assert_non_null(strstr(bytes, "12345678"));
	assert_int_equal(receiver.count, 0);
	way_expect_number(kit, "sequence", 0);
	/* Another one takes its place. */
	const size_t one = way_kept(kit);
	kit_call(kit, "report.download", "{'destination': 'office'}");
	assert_int_equal(way_kept(kit), one);
	/* What is outstanding is given as it will be sent. */
	receiver.answer = RECEIVER_FAILS;
	kit_trigger(kit);
	way_apply(kit, way_json);
	kit_call(kit, "report.download", "{'destination': 'office'}");
	fetch(kit, bytes, sizeof bytes);
	assert_string_equal(bytes, receiver.received[0].bytes);
	receiver.answer = RECEIVER_TAKES;
	kit_trigger(kit);
	way_expect_same(0, 1);
	kit_call(kit, "report.document", "{'document': 'x'}");
	assert_int_equal(kit->code, -EINVAL);
	kit_call(kit, "report.document", "{'document': '0123456789abcdef0123456789abcdef.1'}");
	assert_int_equal(kit->code, -ENOENT);
}

/* ---- Again ---- */

static void a_stretch_of_time_is_sent_again_in_pieces(void **state)
{
	struct kit *kit = *state; /* limit 10 */
	char params[160], from[ML_TIME_TEXT_MAX], to[ML_TIME_TEXT_MAX];
	for (uint64_t i = 1; i <= 30; i++) {
		if (i == 3)
			(void)ml_time_format(kit_wall(kit), from);
		if (i == 28)
			(void)ml_time_format(kit_wall(kit), to);
		kit_give(kit, 1, 0, i, (int64_t)i);
		kit_give(kit, 2, 0, 100 + i, 1);
		kit_run(kit, ML_MINUTE);
	}
	kit_trigger(kit);
	assert_int_equal(receiver.count, 3);
	receiver.answer = RECEIVER_FAILS;
	kit_give(kit, 1, 0, 31, 1);
	kit_trigger(kit);
	(void)snprintf(params, sizeof params, "{'destination': 'office', 'from': '%s', 'to': '%s'}",
		from, to);
	kit_call(kit, "report.resend", params);
	assert_int_equal(kit->code, 0);
	assert_int_equal(receiver.count, 4); /* after what is outstanding */
	way_expect_text(kit, "resend.from", from);
	kit = way_restart(state);
	way_expect_text(kit, "resend.to", to);
	receiver.answer = RECEIVER_TAKES;
	kit_trigger(kit);
	/* The outstanding one, then 25 minutes of two meters in pieces of ten. */
	assert_int_equal(receiver.count, 8);
	way_expect_same(3, 4);
	assert_int_equal(json_typeof(way_listed(kit, "resend")), JSON_NULL);
	way_expect_number(kit, "sequence", 61);
	assert_int_equal(kit_sql(kit, "readings",
				 "SELECT count FROM delivery WHERE resend ORDER BY number LIMIT 1"),
		20);
	assert_int_equal(
		kit_sql(kit, "readings", "SELECT sum(count) FROM delivery WHERE resend"), 50);
	assert_int_equal(
		kit_sql(kit, "readings", "SELECT min(first) FROM delivery WHERE resend"), 5);
	for (size_t i = 6; i < 8; i++)
		assert_string_not_equal(receiver.received[i].name, receiver.received[5].name);
	kit_call(kit, "report.resend",
		"{'destination': 'office', 'from': '2027-01-01', 'to': '2026-01-01'}");
	assert_int_equal(kit->code, -EINVAL);
	/* The first moment of all is a time too, and not the same as none: nothing is before it. */
	kit_call(kit, "report.resend",
		"{'destination': 'office', 'from': '1970-01-01', 'to': '1970-01-01T00:00:00Z'}");
	assert_int_equal(kit->code, -EINVAL);
	assert_int_equal(json_typeof(way_listed(kit, "resend")), JSON_NULL);
}

/* Readings that lie in chunks by now, and those of the newest block that do not. */
static void what_is_packed_is_sent_again_as_it_was(void **state)
{
	enum { TIMES = 60, EACH = 40 };
	struct kit *kit = *state;
	way_apply_limit(kit, way_csv, 10000);
	for (uint64_t i = 0; i < TIMES; i++) {
		kit_give_many(kit, 1 + (unsigned)(i % 3), 1 + i * EACH, EACH);
		kit_run(kit, ML_MINUTE);
	}
	kit_trigger(kit);
	assert_int_equal(receiver.count, 1);
	kit_run(kit, 5 * ML_DAY);
	const int64_t packed = kit_sql(kit, "readings", "SELECT total(count) FROM chunk");
	assert_in_range(packed, 1024, TIMES * EACH - 1);
	assert_int_equal(
		kit_sql(kit, "readings", "SELECT count(*) FROM reading"), TIMES * EACH - packed);
	kit_call(kit, "report.resend", "{'destination': 'office', 'from': '2026-01-01'}");
	assert_int_equal(kit->code, 0);
	assert_int_equal(receiver.count, 2);
	assert_true(receiver.received[0].lines >= TIMES * EACH);
	assert_int_equal(receiver.received[1].lines, receiver.received[0].lines);
	assert_int_equal(receiver.received[1].hash, receiver.received[0].hash);
	/* A destination that has had nothing yet gets it all, too. */
	assert_int_equal(kit_sql(kit, "readings", "DELETE FROM cursor RETURNING 1"), 1);
	way_expect_number(kit, "behind.readings", TIMES * EACH);
	kit_trigger(kit);
	assert_int_equal(receiver.count, 3);
	assert_int_equal(receiver.received[2].hash, receiver.received[0].hash);
}

static void what_is_to_be_sent_again_can_be_taken_back(void **state)
{
	struct kit *kit = *state;
	kit_give_many(kit, 1, 1, 5);
	kit_run(kit, ML_MINUTE);
	kit_trigger(kit);
	receiver.answer = RECEIVER_FAILS;
	kit_call(kit, "report.resend", "{'destination': 'office', 'from': '2026-01-01'}");
	assert_int_equal(receiver.count, 2);
	kit_call(kit, "report.discard", "{'destination': 'office', 'resend': true}");
	assert_int_equal(kit->code, 0);
	receiver.answer = RECEIVER_TAKES;
	kit_trigger(kit);
	assert_int_equal(receiver.count, 2);
	way_expect_number(kit, "sequence", 5);
}

/* What is on its way cannot be given up; then nothing of the call is done. */
static void a_refused_discard_changes_nothing(void **state)
{
	struct kit *kit = *state;
	kit_give_many(kit, 1, 1, 5);
	kit_run(kit, ML_MINUTE);
	kit_trigger(kit);
	receiver.answer = RECEIVER_WAITS;
	kit_call(kit, "report.resend", "{'destination': 'office', 'from': '2026-01-01'}");
	assert_int_equal(receiver.count, 2);
	kit_call(kit, "report.discard", "{'destination': 'office', 'resend': true}");
	assert_int_equal(kit->code, -EBUSY);
	assert_int_equal(kit_sql(kit, "readings", "SELECT count(*) FROM resend"), 1);
	way_expect_text(kit, "state", "sending");
	/* Why it still is may be read here, and not only in the state of the sink. */
	way_expect_text(kit, "last.result", "failed");
	way_expect_text(kit, "last.reason", "sim:test: HTTP 503: not now");
}

static void a_name_that_nobody_knows_is_refused(void **state)
{
	struct kit *kit = *state;
	kit_give_many(kit, 1, 1, 5);
	kit_call(kit, "report.resend", "{'destination': 'ofice', 'from': '2026-01-01'}");
	assert_int_equal(kit->code, -ENOENT);
	kit_call(kit, "report.discard", "{'destination': 'ofice', 'resend': true}");
	assert_int_equal(kit->code, -ENOENT);
	kit_call(kit, "report.rebuild", "{'destination': 'ofice'}");
	assert_int_equal(kit->code, -ENOENT);
	assert_int_equal(kit_sql(kit, "readings", "SELECT count(*) FROM resend"), 0);
	kit_trigger(kit);
	/* Its node is gone, and the database still knows it. */
	kit_apply(kit, "{'meterloom': 1, 'nodes': [], 'edges': []}");
	kit_call(kit, "report.resend", "{'destination': 'office', 'from': '2026-01-01'}");
	assert_int_equal(kit->code, 0);
	assert_int_equal(kit_sql(kit, "readings", "SELECT count(*) FROM resend"), 1);
}

/* ---- History ---- */

struct found {
	size_t count;
	uint64_t first[4];
};

static bool find(void *user, const struct store_delivery *delivery)
{
	struct found *found = user;
	assert_true(found->count < 4);
	found->first[found->count++] = delivery->first;
	return true;
}

static void it_is_known_in_which_report_a_reading_went(void **state)
{
	struct kit *kit = *state;
	struct found found = {.count = 0};
	char path[128];
	sqlite3 *db = NULL;
	for (uint64_t i = 1; i <= 3; i++) {
		kit_give(kit, 1, 0, i, 1);
		kit_trigger(kit);
		kit_run(kit, ML_MINUTE);
	}
	kit_call(kit, "report.resend", "{'destination': 'office', 'from': '2026-01-01'}");
	const int64_t time =
		kit_sql(kit, "readings", "SELECT time FROM reading WHERE sequence = 2");
	const int64_t epoch = kit_sql(kit, "readings", "SELECT epoch FROM cursor");
	(void)snprintf(path, sizeof path, "%s/readings.db", kit->data);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(store_deliveries_of(db, (uint64_t)epoch, 2, time, find, &found, NULL), 0);
	assert_int_equal(found.count, 2);
	assert_int_equal(found.first[0], 2);
	assert_int_equal(found.first[1], 1); /* sent again, with the others */
	(void)sqlite3_close(db);
	kit_call(kit, "report.history", "{'destination': 'office', 'limit': 2}");
	json_t *result = json_loads(kit->result, 0, NULL);
	const json_t *newest = json_array_get(json_object_get(result, "deliveries"), 0);
	assert_int_equal(json_array_size(json_object_get(result, "deliveries")), 2);
	assert_true(json_is_true(json_object_get(newest, "resend")));
	assert_string_equal(json_string_value(json_object_get(newest, "result")), "delivered");
	const json_t *document = json_array_get(json_object_get(newest, "documents"), 0);
	assert_string_equal(
		json_string_value(json_object_get(document, "name")), receiver.received[3].name);
	json_decref(result);
}

static void the_history_is_bounded(void **state)
{
	struct kit *kit = *state;
	kit_give(kit, 1, 0, 1, 1);
	kit_trigger(kit);
	(void)kit_sql(kit, "readings",
		"INSERT INTO delivery SELECT NULL, destination, epoch, key, first, last, count, "
		"time_from, time_to, fixed, resend, spacing, due, time, delivered, reason, "
		"documents "
		"FROM delivery, (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
		"WHERE i < 1500) SELECT i FROM n) RETURNING 1");
	kit_give(kit, 1, 0, 2, 1);
	kit_trigger(kit);
	assert_int_equal(kit_sql(kit, "readings", "SELECT count(*) FROM delivery"), 1000);
	assert_int_equal(kit_sql(kit, "readings", "SELECT max(first) FROM delivery"), 2);
}

#define DELIVERY_TEST(name) cmocka_unit_test_setup_teardown(name, way_setup, way_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DELIVERY_TEST(a_test_goes_to_the_receiver_and_moves_nothing),
		DELIVERY_TEST(a_download_is_rendered_and_not_sent),
		DELIVERY_TEST(a_stretch_of_time_is_sent_again_in_pieces),
		DELIVERY_TEST(what_is_packed_is_sent_again_as_it_was),
		DELIVERY_TEST(what_is_to_be_sent_again_can_be_taken_back),
		DELIVERY_TEST(a_refused_discard_changes_nothing),
		DELIVERY_TEST(a_name_that_nobody_knows_is_refused),
		DELIVERY_TEST(it_is_known_in_which_report_a_reading_went),
		DELIVERY_TEST(the_history_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
