/* Current values in a gateway: fed after the commit or by their own node, told by `meter.current`.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
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

static int setup(void **state)
{
	*state = kit_new(NULL);
	return 0;
}

static int teardown(void **state)
{
	fault_set(FAULT_NONE);
	kit_free(*state);
	return 0;
}

static void expect_part(struct kit *kit, const char *params, const char *part)
{
	kit_call(kit, "meter.current", params);
	assert_int_equal(kit->code, 0);
	if (!strstr(kit->result, part))
		fail_msg("%s is not in %s", part, kit->result);
}

static void the_store_feeds_them(void **state)
{
	struct kit *kit = *state;
	kit_apply(kit, kit_graph);
	kit_give(kit, 12345678, 0, 81723, 54321);
	kit_call(kit, "meter.current", "{}");
	assert_string_equal(kit->result,
		"{\"meters\":[{\"meter\":{\"id\":\"12345678\",\"manufacturer\":\"KAM\",\"version\":"
		"27,\"medium\":\"water\",\"medium_code\":7},\"state\":\"read\",\"read\":"
		"\"2026-09-21T14:13:20.000Z\",\"values\":[{\"series\":\"000000000010\",\"time\":"
		"\"2026-09-21T14:13:20.000Z\",\"trace\":81723,\"quantity\":\"volume\",\"unit\":"
		"\"m³\",\"value\":54.321,\"function\":\"instantaneous\",\"storage\":0,\"tariff\":0,"
		"\"subunit\":0,\"dif\":\"04\",\"vif\":\"13\"},{\"series\":\"000000000000\","
		"\"time\":\"2026-09-21T14:13:20.000Z\",\"trace\":81723,\"quantity\":\"energy\","
		"\"unit\":\"Wh\",\"value\":1000,\"function\":\"instantaneous\",\"storage\":0,"
		"\"tariff\":0,\"subunit\":0,\"dif\":\"04\",\"vif\":\"06\"}]}],\"total\":1}");
}

static void their_own_node_feeds_them_without_a_store(void **state)
{
	struct kit *kit = *state;
	kit_apply(kit,
		"{'meterloom': 1, 'nodes': [{'id': 'source', 'type': 't-source'},"
		" {'id': 'values', 'type': 'current-values'}, {'id': 'sink', 'type': 't-sink'}],"
		" 'edges': [{'from': 'source', 'to': 'values', 'capacity': 1024},"
		" {'from': 'values', 'to': 'sink'}]}");
	kit_give_many(kit, 12345678, 1, 300);
	kit_give(kit, 12345678, 0, 301, 99);
	expect_part(kit, "{'meter': '12345678'}", "\"trace\":301,\"quantity\":\"volume\"");
	assert_int_equal(kit->seen, 301);
	assert_int_equal(kit->delivered, 301);
}

static void a_value_is_shown_only_once_it_is_on_the_disk(void **state)
{
	struct kit *kit = *state;
	kit_apply(kit, kit_graph);
	kit_give(kit, 12345678, 0, 1, 5);
	fault_set(FAULT_FULL);
	kit_give(kit, 12345678, 0, 2, 6);
	expect_part(kit, "{}", "\"trace\":1,\"quantity\":\"volume\"");
	fault_set(FAULT_NONE);
	kit_run(kit, 5 * ML_SEC);
	expect_part(kit, "{}", "\"trace\":2,\"quantity\":\"volume\"");
}

static void points_are_told_in_their_order_with_their_states(void **state)
{
	struct kit *kit = *state;
	kit_apply(kit, kit_graph);
	kit_call(kit, "meter.add", "{'mode': 'primary', 'primary': 1, 'moid': 'A'}");
	kit_call(kit, "meter.add", "{'mode': 'primary', 'primary': 2, 'moid': 'B'}");
	kit_call(kit, "meter.add", "{'mode': 'primary', 'primary': 3, 'moid': 'C', 'order': 1}");
	kit_give(kit, 11111111, 1, 1, 5);
	kit_give_failed(kit, 2, 2);
	kit_give(kit, 99999999, 0, 3, 5);
	expect_part(kit, "{}",
		"{\"meters\":[{\"point\":3,\"moid\":\"C\",\"meter\":null,\"state\":\"never\","
		"\"values\":[]},{\"point\":1,\"moid\":\"A\",\"meter\":{\"id\":\"11111111\"");
	expect_part(kit, "{'meter': 'B'}",
		"{\"meters\":[{\"point\":2,\"moid\":\"B\",\"meter\":null,\"state\":\"failed\","
		"\"failed_since\":\"2026-09-21T14:13:20.000Z\",\"failed_last\":"
		"\"2026-09-21T14:13:20.000Z\",\"failures\":1,\"reason\":\"no answer after 3 "
		"tries\",\"values\":[]}],\"total\":1}");
	expect_part(kit, "{'meter': '99999999.KAM'}", "\"total\":1");
	expect_part(kit, "{}", "\"total\":4");
	expect_part(kit, "{'heard': false}", "\"total\":3");
	expect_part(kit, "{'state': 'never'}", "{\"meters\":[{\"point\":3,");
	expect_part(kit, "{'state': 'read'}", "\"total\":2");
	expect_part(kit, "{'offset': 1, 'limit': 1}", "{\"meters\":[{\"point\":1,");
	expect_part(kit, "{'offset': 1, 'limit': 1}", "\"total\":4");
	kit_call(kit, "meter.current", "{'meter': '55555555'}");
	assert_int_equal(kit->code, -ENOENT);
}

/* After a start: from the database, with all kinds of telegrams, states and devices. */
static void they_come_back_after_a_start(void **state)
{
	struct kit *kit = *state;
	kit_apply(kit, kit_graph);
	kit_call(kit, "meter.add", "{'mode': 'primary', 'primary': 1, 'moid': 'A'}");
	kit_call(kit, "meter.add", "{'mode': 'primary', 'primary': 2, 'moid': 'B'}");
	for (uint64_t i = 0; i < 50; i++) {
		kit_give(kit, i < 30 ? 11111111 : 22222222, 1, 1 + i, (int64_t)i);
		kit_run(kit, ML_MINUTE);
	}
	kit_give(kit, 33333333, 2, 100, 7);
	for (uint64_t i = 0; i < 40; i++) {
		kit_run(kit, ML_MINUTE);
		kit_give_failed(kit, 2, 101 + i);
	}
	for (unsigned i = 0; i < 30; i++)
		kit_give(kit, 44000000 + i, 0, 200 + i, 5);
	kit_call(kit, "meter.current", "{}");
	char *before = strdup(kit->result);
	char data[64];
	(void)snprintf(data, sizeof data, "%s", kit->data);
	kit->keep_data = true;
	const struct kit_options options = {.data = data, .wall = kit_wall(kit)};
	kit_free(kit);
	*state = kit = kit_new_with(&options);
	kit_settle(kit);
	kit_call(kit, "meter.current", "{}");
	/* How long it fails is known as far back as was looked. */
	char *cut = strstr(before, "\"failed_since\"");
	char *cut_now = strstr(kit->result, "\"failed_since\"");
	assert_non_null(cut);
	assert_non_null(cut_now);
	assert_int_equal(cut - before, cut_now - kit->result);
	assert_memory_equal(before, kit->result, (size_t)(cut - before));
	cut = strstr(before, "\"reason\"");
	cut_now = strstr(kit->result, "\"reason\"");
	assert_string_equal(cut, cut_now);
	free(before);
}

#define CURRENT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CURRENT_TEST(the_store_feeds_them),
		CURRENT_TEST(their_own_node_feeds_them_without_a_store),
		CURRENT_TEST(a_value_is_shown_only_once_it_is_on_the_disk),
		CURRENT_TEST(points_are_told_in_their_order_with_their_states),
		CURRENT_TEST(they_come_back_after_a_start),
	};
	fault_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
