/* The whole way from a source of readings to a receiver of documents.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/way.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/family.h"

/* The way to one receiver, behind the source and the store; `render` are parameters of the node
 * "render". */
void way_apply_limit(struct kit *kit, const char *render, unsigned limit)
{
	char graph[2048];
	(void)snprintf(graph, sizeof graph,
		"{'meterloom': 1, 'nodes': [{'id': 'source', 'type': 't-source'}, {'id': 'store', "
		"'type': 'store'}, {'id': 'clock', 'type': 't-clock'}, {'id': 'query', 'type': "
		"'store-query', 'params': {'destination': 'office', 'limit': %u}}, {'id': "
		"'render', "
		"'type': 'template-render', 'params': %s}, {'id': 'end', 'type': 't-receiver'}], "
		"'edges': [{'from': 'source', 'to': 'store', 'capacity': 16384}, {'from': 'clock', "
		"'to': 'query.in'}, {'from': 'query', 'to': 'render'}, {'from': 'render', 'to': "
		"'end'}]}",
		limit, render);
	kit_apply(kit, graph);
}

void way_apply(struct kit *kit, const char *render)
{
	way_apply_limit(kit, render, 10);
}

const char way_csv[] = "{'template': '3101'}";
const char way_json[] = "{'template': 'json'}";

struct kit *way_begin(const char *data, const struct ml_files *files)
{
	const struct kit_options options = {
		.data = data, .files = files, .more = {&report_family, &receiver_family}};
	struct kit *kit = kit_new_with(&options);
	way_apply(kit, way_csv);
	return kit;
}

int way_setup(void **state)
{
	memset(&receiver, 0, sizeof receiver);
	*state = way_begin(NULL, NULL);
	return 0;
}

int way_teardown(void **state)
{
	kit_free(*state);
	return 0;
}

struct kit *way_restart(void **state)
{
	struct kit *kit = *state;
	char data[64];
	memcpy(data, kit->data, sizeof data);
	kit->keep_data = true;
	kit_free(kit);
	kit = way_begin(data, NULL);
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

size_t way_kept(struct kit *kit)
{
	char path[128];
	(void)snprintf(path, sizeof path, "%s/outbox", kit->data);
	return count_below(path);
}

/* A value of the one destination in report.list, by its path: "outstanding.documents.0.name". */
const json_t *way_listed(struct kit *kit, const char *path)
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

void way_expect_text(struct kit *kit, const char *path, const char *text)
{
	const json_t *value = way_listed(kit, path);
	assert_true(json_is_string(value));
	assert_string_equal(json_string_value(value), text);
}

void way_expect_number(struct kit *kit, const char *path, json_int_t number)
{
	const json_t *value = way_listed(kit, path);
	assert_true(json_is_integer(value));
	assert_int_equal(json_integer_value(value), number);
}

void way_expect_same(size_t first, size_t second)
{
	const struct received *a = &receiver.received[first], *b = &receiver.received[second];
	assert_true(receiver.count > first && receiver.count > second);
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->key, b->key);
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->hash, b->hash);
}

bool way_holds(size_t index, const char *text)
{
	return memmem(receiver.received[index].bytes, sizeof receiver.received[index].bytes, text,
		       strlen(text)) != NULL;
}
