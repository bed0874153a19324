/* Delivery: what is sent is written down, rendered once, sent again as it is, and people can mend
 * what is refused. SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
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

#include "store/way.h"

/* ---- The same bytes ---- */

static void what_is_sent_again_is_the_same_whatever_changed(void **state)
{
	struct kit *kit = *state;
	receiver.answer = RECEIVER_FAILS;
	kit_give_many(kit, 12345678, 1, 5);
	kit_trigger(kit);
	assert_int_equal(receiver.count, 1);
	assert_true(way_kept(kit) > 0);
	kit_run(kit, ML_HOUR);
	kit_trigger(kit);
	kit_call(kit, "setting.set", "{'name': 'report.separator', 'value': 'tab'}");
	kit_call(kit, "setting.set", "{'name': 'gateway.name', 'value': 'Another'}");
	way_apply(kit, "{'template': '3101', 'line_end': 'lf', 'charset': 'ISO-8859-1'}");
	kit_trigger(kit);
	kit = way_restart(state);
	way_apply(kit, way_json);
	kit_give_many(kit, 12345678, 6, 2);
	kit_trigger(kit);
	receiver.answer = RECEIVER_TAKES;
	kit_trigger(kit);
	for (size_t i = 1; i < 5; i++)
		way_expect_same(0, i);
	/* Delivered: its folder is gone, and what came meanwhile follows by the new template. */
	assert_int_equal(receiver.count, 6);
	assert_non_null(strstr(receiver.received[5].name, ".json"));
	assert_true(way_holds(5, "12345678"));
	assert_int_equal(way_kept(kit), 0);
	assert_int_equal(kit_sql(kit, "readings", "SELECT sequence FROM cursor"), 7);
}

static void leftovers_go_at_the_start_and_what_is_outstanding_stays(void **state)
{
	struct kit *kit = *state;
	char path[256], command[700];
	receiver.answer = RECEIVER_FAILS;
	kit_give_many(kit, 1, 1, 5);
	kit_trigger(kit);
	const size_t before = way_kept(kit);
	(void)snprintf(path, sizeof path, "%s/outbox", kit->data);
	(void)snprintf(command, sizeof command,
		"mkdir -p %s/0123456789abcdef0123456789abcdef/render %s/junk && "
		"echo x >%s/0123456789abcdef0123456789abcdef/render/a && echo x >%s/file",
		path, path, path, path);
	assert_int_equal(system(command), 0);
	assert_true(way_kept(kit) > before);
	kit = way_restart(state);
	assert_int_equal(way_kept(kit), before);
	kit_trigger(kit);
	way_expect_same(0, 1);
}

static void a_damaged_document_is_rendered_anew(void **state)
{
	struct kit *kit = *state;
	receiver.answer = RECEIVER_FAILS;
	kit_give_many(kit, 1, 1, 5);
	kit_trigger(kit);
	FILE *file = fopen(receiver.received[0].path, "r+b");
	assert_non_null(file);
	assert_int_equal(fputc('X', file), 'X');
	(void)fclose(file);
	kit_trigger(kit);
	way_expect_same(0, 1);
	assert_int_equal(truncate(receiver.received[1].path, 3), 0);
	kit_trigger(kit);
	way_expect_same(0, 2);
}

/* ---- A full disk ---- */

static int room = -1; /* writes until it is full; negative: there is always room */

static int64_t full_write(void *user, int fd, const void *bytes, size_t length)
{
	(void)user;
	if (room == 0)
		return -ENOSPC;
	room -= room > 0;
	return write(fd, bytes, length);
}

static int full_make(void *user, const char *path, unsigned mode)
{
	(void)user;
	if (room == 0)
		return -ENOSPC;
	room -= room > 0;
	return mkdir(path, (mode_t)mode) < 0 ? -errno : 0;
}

static int full_sync(void *user, int fd)
{
	(void)user;
	(void)fd;
	if (room == 0)
		return -ENOSPC;
	room -= room > 0;
	return 0;
}

static void a_full_disk_leaves_nothing_half(void **state)
{
	static struct ml_files files; /* outlives the engine */
	struct kit *kit = *state;
	files = ml_files_system;
	files.write = full_write;
	files.make_folder = full_make;
	files.sync = full_sync;
	kit_free(kit);
	kit = way_begin(NULL, &files);
	*state = kit;
	kit_give_many(kit, 1, 1, 5);
	size_t tries = 0;
	for (int steps = 0; receiver.count == 0; steps++) {
		assert_in_range(steps, 0, 20);
		room = steps;
		kit_trigger(kit);
		room = -1;
		if (receiver.count == 0) {
			tries++;
			assert_true(way_kept(kit) <= 1); /* the key's folder, empty */
			way_expect_text(kit, "state", "waiting");
			assert_non_null(strstr(json_string_value(way_listed(kit, "last.reason")),
				"No space left"));
		}
	}
	assert_true(tries >= 4); /* folders, document, manifest, and their syncs */
	assert_int_equal(way_kept(kit), 0);
	way_expect_number(kit, "sequence", 5);
}

/* ---- Refused ---- */

static void what_is_refused_waits_for_a_person(void **state)
{
	struct kit *kit = *state;
	receiver.answer = RECEIVER_REFUSES;
	kit_give_many(kit, 1, 1, 5);
	kit_trigger(kit);
	receiver.answer = RECEIVER_TAKES;
	kit_give_many(kit, 1, 6, 2);
	kit_run(kit, ML_HOUR);
	kit_trigger(kit);
	kit = way_restart(state);
	kit_trigger(kit);
	assert_int_equal(receiver.count, 1);
	way_expect_text(kit, "state", "refused");
	way_expect_text(kit, "last.result", "refused");
	way_expect_text(kit, "last.reason", "sim:test: HTTP 400: what is this?");
	way_expect_number(kit, "outstanding.readings", 5);
	way_expect_number(kit, "outstanding.failed", 1);
	way_expect_number(kit, "behind.readings", 7);
	way_expect_text(kit, "outstanding.documents.0.name", receiver.received[0].name);
	way_apply(kit, way_json);
	kit_call(kit, "report.rebuild", "{'destination': 'office'}");
	assert_int_equal(kit->code, 0);
	kit_settle(kit);
	/* Rendered anew, under another key; what came meanwhile follows. */
	assert_int_equal(receiver.count, 3);
	assert_non_null(strstr(receiver.received[1].name, ".json"));
	assert_string_not_equal(receiver.received[0].key, receiver.received[1].key);
	way_expect_text(kit, "state", "idle");
	way_expect_text(kit, "last.result", "delivered");
	way_expect_number(kit, "behind.readings", 0);
	assert_int_equal(way_kept(kit), 0);
	kit_call(kit, "report.rebuild", "{'destination': 'office'}");
	assert_int_equal(kit->code, -ENOENT);
}

static void a_report_can_be_given_up(void **state)
{
	struct kit *kit = *state;
	receiver.answer = RECEIVER_REFUSES;
	kit_give_many(kit, 1, 1, 5);
	kit_trigger(kit);
	kit_call(kit, "report.discard", "{'destination': 'office'}");
	assert_int_equal(kit->code, 0);
	assert_int_equal(way_kept(kit), 0);
	way_expect_text(kit, "state", "idle");
	way_expect_text(kit, "last.result", "discarded");
	way_expect_number(kit, "sequence", 5);
	kit_call(kit, "event.list", "{}");
	assert_non_null(strstr(kit->result, "delivery-stopped"));
	assert_non_null(strstr(kit->result, "5 readings from"));
	receiver.answer = RECEIVER_TAKES;
	kit_give_many(kit, 1, 6, 2);
	kit_trigger(kit);
	assert_int_equal(receiver.count, 2);
	way_expect_number(kit, "sequence", 7);
	kit_call(kit, "report.discard", "{'destination': 'office'}");
	assert_int_equal(kit->code, -ENOENT);
}

/* ---- Two destinations ---- */

static void one_that_is_away_does_not_touch_the_other(void **state)
{
	struct kit *kit = *state;
	kit_apply(kit,
		"{'meterloom': 1, 'nodes': [{'id': 'source', 'type': 't-source'}, {'id': 'store', "
		"'type': 'store'}, {'id': 'clock', 'type': 't-clock'}, {'id': 'qa', 'type': "
		"'store-query', 'params': {'destination': 'a'}}, {'id': 'qb', 'type': "
		"'store-query', "
		"'params': {'destination': 'b'}}, {'id': 'ra', 'type': 'template-render', "
		"'params': "
		"{'template': '3101'}}, {'id': 'rb', 'type': 'template-render', 'params': "
		"{'template': '3101'}}, {'id': 'ea', 'type': 't-receiver'}, {'id': 'eb', 'type': "
		"'t-receiver'}], 'edges': [{'from': 'source', 'to': 'store'}, {'from': 'clock', "
		"'to': 'qa.in'}, {'from': 'clock', 'to': 'qb.in'}, {'from': 'qa', 'to': 'ra'}, "
		"{'from': 'qb', 'to': 'rb'}, {'from': 'ra', 'to': 'ea'}, {'from': 'rb', 'to': "
		"'eb'}]}");
	(void)snprintf(receiver.away, sizeof receiver.away, "ea");
	for (uint64_t i = 1; i <= 5; i++) {
		kit_give(kit, 1, 0, i, 1);
		kit_trigger(kit);
		kit_run(kit, ML_HOUR);
	}
	size_t to_b = 0, to_a = 0;
	for (size_t i = 0; i < receiver.count; i++) {
		to_b += strcmp(receiver.received[i].node, "eb") == 0;
		to_a += strcmp(receiver.received[i].node, "ea") == 0;
	}
	assert_int_equal(to_b, 5);
	assert_int_equal(to_a, 5);
	assert_int_equal(
		kit_sql(kit, "readings", "SELECT sequence FROM cursor WHERE destination = 'b'"), 5);
	assert_int_equal(
		kit_sql(kit, "readings", "SELECT count(*) FROM cursor WHERE destination = 'a'"), 0);
	receiver.away[0] = '\0';
	kit_trigger(kit);
	/* The first again, then all the others in one. */
	assert_int_equal(receiver.count, 12);
	assert_int_equal(
		kit_sql(kit, "readings", "SELECT sequence FROM cursor WHERE destination = 'a'"), 5);
}

static void two_nodes_for_one_destination_send_nothing(void **state)
{
	struct kit *kit = *state;
	kit_give_many(kit, 1, 1, 5);
	kit_apply(kit,
		"{'meterloom': 1, 'nodes': [{'id': 'clock', 'type': 't-clock'}, {'id': 'office', "
		"'type': 'store-query'}, {'id': 'query', 'type': 'store-query', 'params': "
		"{'destination': 'office'}}, {'id': 'ra', 'type': 'template-render', 'params': "
		"{'template': '3101'}}, {'id': 'rb', 'type': 'template-render', 'params': "
		"{'template': '3101'}}, {'id': 'ea', 'type': 't-receiver'}, {'id': 'eb', 'type': "
		"'t-receiver'}], 'edges': [{'from': 'clock', 'to': 'office.in'}, {'from': 'clock', "
		"'to': 'query.in'}, {'from': 'office', 'to': 'ra'}, {'from': 'query', 'to': 'rb'}, "
		"{'from': 'ra', 'to': 'ea'}, {'from': 'rb', 'to': 'eb'}]}");
	kit_trigger(kit);
	kit_run(kit, ML_MINUTE);
	assert_int_equal(receiver.count, 0);
	kit_call(kit, "node.list", "{}");
	assert_non_null(strstr(kit->result, "is for the destination"));
	way_apply(kit, way_csv);
	kit_trigger(kit);
	assert_int_equal(receiver.count, 1);
}

static void a_destination_without_a_node_can_be_looked_after_too(void **state)
{
	struct kit *kit = *state;
	receiver.answer = RECEIVER_REFUSES;
	kit_give_many(kit, 1, 1, 5);
	kit_trigger(kit);
	kit_apply(kit, "{'meterloom': 1, 'nodes': [], 'edges': []}");
	assert_int_equal(json_typeof(way_listed(kit, "node")), JSON_NULL);
	way_expect_text(kit, "state", "refused");
	kit_call(kit, "report.rebuild", "{'destination': 'office'}");
	assert_int_equal(kit->code, 0);
	way_expect_text(kit, "state", "waiting");
	kit_call(kit, "report.test", "{'destination': 'office'}");
	assert_int_equal(kit->code, -ENOENT);
	kit_call(kit, "report.discard", "{'destination': 'office'}");
	assert_int_equal(kit->code, 0);
	way_expect_number(kit, "sequence", 5);
	assert_int_equal(way_kept(kit), 0);
}

#define DELIVERY_TEST(name) cmocka_unit_test_setup_teardown(name, way_setup, way_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DELIVERY_TEST(what_is_sent_again_is_the_same_whatever_changed),
		DELIVERY_TEST(leftovers_go_at_the_start_and_what_is_outstanding_stays),
		DELIVERY_TEST(a_damaged_document_is_rendered_anew),
		DELIVERY_TEST(a_full_disk_leaves_nothing_half),
		DELIVERY_TEST(what_is_refused_waits_for_a_person),
		DELIVERY_TEST(a_report_can_be_given_up),
		DELIVERY_TEST(one_that_is_away_does_not_touch_the_other),
		DELIVERY_TEST(two_nodes_for_one_destination_send_nothing),
		DELIVERY_TEST(a_destination_without_a_node_can_be_looked_after_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
