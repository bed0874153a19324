/* Delivery: what is sent is written down, rendered once, sent again as it is, and people can mend
 * what is refused. SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
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

#include <meterloom/files.h>

#include "report/family.h"
#include "store/kit.h"
#include "store/outstanding.h"
#include "store/receiver.h"

/* The way to one receiver, behind the source and the store; `render` are parameters of the node
 * "render". */
static void apply(struct kit *kit, const char *render)
{
	char graph[2048];
	(void)snprintf(graph, sizeof graph,
		"{'meterloom': 1, 'nodes': [{'id': 'source', 'type': 't-source'}, {'id': 'store', "
		"'type': 'store'}, {'id': 'clock', 'type': 't-clock'}, {'id': 'query', 'type': "
		"'store-query', 'params': {'destination': 'office', 'limit': 10}}, {'id': "
		"'render', "
		"'type': 'template-render', 'params': %s}, {'id': 'end', 'type': 't-receiver'}], "
		"'edges': [{'from': 'source', 'to': 'store', 'capacity': 16384}, {'from': 'clock', "
		"'to': 'query.in'}, {'from': 'query', 'to': 'render'}, {'from': 'render', 'to': "
		"'end'}]}",
		render);
	kit_apply(kit, graph);
}

static const char csv[] = "{'template': '3101'}";
static const char json[] = "{'template': 'json'}";

static struct kit *begin(const char *data, const struct ml_files *files)
{
	const struct kit_options options = {
		.data = data, .files = files, .more = {&report_family, &receiver_family}};
	struct kit *kit = kit_new_with(&options);
	apply(kit, csv);
	return kit;
}

static int setup(void **state)
{
	memset(&receiver, 0, sizeof receiver);
	*state = begin(NULL, NULL);
	return 0;
}

static int teardown(void **state)
{
	kit_free(*state);
	return 0;
}

static struct kit *restart(void **state)
{
	struct kit *kit = *state;
	char data[64];
	memcpy(data, kit->data, sizeof data);
	kit->keep_data = true;
	kit_free(kit);
	kit = begin(data, NULL);
	*state = kit;
	return kit;
}

/* ---- Looking ---- */

/* How many files and folders lie in the outbox, at any depth. */
static size_t count_below(const char *path)
{
	size_t count = 0;
	DIR *directory = opendir(path);
	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		char name[600];
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(name, sizeof name, "%.300s/%.255s", path, entry->d_name);
		count += 1 + count_below(name);
	}
	if (directory)
		(void)closedir(directory);
	return count;
}

static size_t kept(struct kit *kit)
{
	char path[128];
	(void)snprintf(path, sizeof path, "%s/outbox", kit->data);
	return count_below(path);
}

/* A value of the one destination in report.list, by its path: "outstanding.documents.0.name". */
static const json_t *listed(struct kit *kit, const char *path)
{
	static json_t *list;
	char text[128];
	kit_call(kit, "report.list", "{}");
	assert_int_equal(kit->code, 0);
	json_decref(list);
	list = json_loads(kit->result, 0, NULL);
	const json_t *at = json_array_get(json_object_get(list, "destinations"), 0);
	(void)snprintf(text, sizeof text, "%s", path);
	for (char *save, *part = strtok_r(text, ".", &save); part;
		part = strtok_r(NULL, ".", &save))
		at = json_is_array(at) ? json_array_get(at, strtoul(part, NULL, 10))
				       : json_object_get(at, part);
	return at;
}

static void expect_text(struct kit *kit, const char *path, const char *text)
{
	const json_t *value = listed(kit, path);
	assert_true(json_is_string(value));
	assert_string_equal(json_string_value(value), text);
}

static void expect_number(struct kit *kit, const char *path, json_int_t number)
{
	const json_t *value = listed(kit, path);
	assert_true(json_is_integer(value));
	assert_int_equal(json_integer_value(value), number);
}

static void expect_same(size_t first, size_t second)
{
	const struct received *a = &receiver.received[first], *b = &receiver.received[second];
	assert_true(receiver.count > first && receiver.count > second);
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->key, b->key);
	assert_int_equal(a->size, b->size);
	assert_memory_equal(a->bytes, b->bytes, a->size);
}

static bool holds(size_t index, const char *text)
{
	return memmem(receiver.received[index].bytes, receiver.received[index].size, text,
		       strlen(text)) != NULL;
}

/* ---- The same bytes ---- */

static void what_is_sent_again_is_the_same_whatever_changed(void **state)
{
	struct kit *kit = *state;
	receiver.answer = RECEIVER_FAILS;
	kit_give_many(kit, 12345678, 1, 5);
	kit_trigger(kit);
	assert_int_equal(receiver.count, 1);
	assert_true(kept(kit) > 0);
	kit_run(kit, ML_HOUR);
	kit_trigger(kit);
	kit_call(kit, "setting.set", "{'name': 'report.separator', 'value': 'tab'}");
	kit_call(kit, "setting.set", "{'name': 'gateway.name', 'value': 'Another'}");
	apply(kit, "{'template': '3101', 'line_end': 'lf', 'charset': 'ISO-8859-1'}");
	kit_trigger(kit);
	kit = restart(state);
	apply(kit, json);
	kit_give_many(kit, 12345678, 6, 2);
	kit_trigger(kit);
	receiver.answer = RECEIVER_TAKES;
	kit_trigger(kit);
	for (size_t i = 1; i < 5; i++)
		expect_same(0, i);
	/* Delivered: its folder is gone, and what came meanwhile follows by the new template. */
	assert_int_equal(receiver.count, 6);
	assert_non_null(strstr(receiver.received[5].name, ".json"));
	assert_true(holds(5, "12345678"));
	assert_int_equal(kept(kit), 0);
	assert_int_equal(kit_sql(kit, "readings", "SELECT sequence FROM cursor"), 7);
}

static void leftovers_go_at_the_start_and_what_is_outstanding_stays(void **state)
{
	struct kit *kit = *state;
	char path[256], command[700];
	receiver.answer = RECEIVER_FAILS;
	kit_give_many(kit, 1, 1, 5);
	kit_trigger(kit);
	const size_t before = kept(kit);
	(void)snprintf(path, sizeof path, "%s/outbox", kit->data);
	(void)snprintf(command, sizeof command,
		"mkdir -p %s/0123456789abcdef0123456789abcdef/render %s/junk && "
		"echo x >%s/0123456789abcdef0123456789abcdef/render/a && echo x >%s/file",
		path, path, path, path);
	assert_int_equal(system(command), 0);
	assert_true(kept(kit) > before);
	kit = restart(state);
	assert_int_equal(kept(kit), before);
	kit_trigger(kit);
	expect_same(0, 1);
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
	expect_same(0, 1);
	assert_int_equal(truncate(receiver.received[1].path, 3), 0);
	kit_trigger(kit);
	expect_same(0, 2);
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
	kit = begin(NULL, &files);
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
			assert_true(kept(kit) <= 1); /* the key's folder, empty */
			expect_text(kit, "state", "waiting");
			assert_non_null(strstr(
				json_string_value(listed(kit, "last.reason")), "No space left"));
		}
	}
	assert_true(tries >= 4); /* folders, document, manifest, and their syncs */
	assert_int_equal(kept(kit), 0);
	expect_number(kit, "sequence", 5);
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
	kit = restart(state);
	kit_trigger(kit);
	assert_int_equal(receiver.count, 1);
	expect_text(kit, "state", "refused");
	expect_text(kit, "last.result", "refused");
	expect_text(kit, "last.reason", "sim:test: HTTP 400: what is this?");
	expect_number(kit, "outstanding.readings", 5);
	expect_number(kit, "outstanding.failed", 1);
	expect_number(kit, "behind.readings", 7);
	expect_text(kit, "outstanding.documents.0.name", receiver.received[0].name);
	apply(kit, json);
	kit_call(kit, "report.rebuild", "{'destination': 'office'}");
	assert_int_equal(kit->code, 0);
	kit_settle(kit);
	/* Rendered anew, under another key; what came meanwhile follows. */
	assert_int_equal(receiver.count, 3);
	assert_non_null(strstr(receiver.received[1].name, ".json"));
	assert_string_not_equal(receiver.received[0].key, receiver.received[1].key);
	expect_text(kit, "state", "idle");
	expect_text(kit, "last.result", "delivered");
	expect_number(kit, "behind.readings", 0);
	assert_int_equal(kept(kit), 0);
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
	assert_int_equal(kept(kit), 0);
	expect_text(kit, "state", "idle");
	expect_text(kit, "last.result", "discarded");
	expect_number(kit, "sequence", 5);
	kit_call(kit, "event.list", "{}");
	assert_non_null(strstr(kit->result, "delivery-stopped"));
	assert_non_null(strstr(kit->result, "5 readings from"));
	receiver.answer = RECEIVER_TAKES;
	kit_give_many(kit, 1, 6, 2);
	kit_trigger(kit);
	assert_int_equal(receiver.count, 2);
	expect_number(kit, "sequence", 7);
	kit_call(kit, "report.discard", "{'destination': 'office'}");
	assert_int_equal(kit->code, -ENOENT);
}

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
	assert_int_equal(kept(kit), 0);
	expect_number(kit, "sequence", 0);
	expect_number(kit, "behind.readings", 5);
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
	expect_text(kit, "state", "idle");
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
	expect_number(kit, "sequence", 0);
	/* Another one takes its place. */
	const size_t one = kept(kit);
	kit_call(kit, "report.download", "{'destination': 'office'}");
	assert_int_equal(kept(kit), one);
	/* What is outstanding is given as it will be sent. */
	receiver.answer = RECEIVER_FAILS;
	kit_trigger(kit);
	apply(kit, json);
	kit_call(kit, "report.download", "{'destination': 'office'}");
	fetch(kit, bytes, sizeof bytes);
	assert_string_equal(bytes, receiver.received[0].bytes);
	receiver.answer = RECEIVER_TAKES;
	kit_trigger(kit);
	expect_same(0, 1);
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
	expect_text(kit, "resend.from", from);
	kit = restart(state);
	expect_text(kit, "resend.to", to);
	receiver.answer = RECEIVER_TAKES;
	kit_trigger(kit);
	/* The outstanding one, then 25 minutes of two meters in pieces of ten. */
	assert_int_equal(receiver.count, 8);
	expect_same(3, 4);
	assert_int_equal(json_typeof(listed(kit, "resend")), JSON_NULL);
	expect_number(kit, "sequence", 61);
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
	expect_number(kit, "sequence", 5);
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

#define DELIVERY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DELIVERY_TEST(what_is_sent_again_is_the_same_whatever_changed),
		DELIVERY_TEST(leftovers_go_at_the_start_and_what_is_outstanding_stays),
		DELIVERY_TEST(a_damaged_document_is_rendered_anew),
		DELIVERY_TEST(a_full_disk_leaves_nothing_half),
		DELIVERY_TEST(what_is_refused_waits_for_a_person),
		DELIVERY_TEST(a_report_can_be_given_up),
		DELIVERY_TEST(a_test_goes_to_the_receiver_and_moves_nothing),
		DELIVERY_TEST(a_download_is_rendered_and_not_sent),
		DELIVERY_TEST(a_stretch_of_time_is_sent_again_in_pieces),
		DELIVERY_TEST(what_is_to_be_sent_again_can_be_taken_back),
		DELIVERY_TEST(one_that_is_away_does_not_touch_the_other),
		DELIVERY_TEST(it_is_known_in_which_report_a_reading_went),
		DELIVERY_TEST(the_history_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
