/* Room and back-pressure: who waits is told, and waits for no more than it must.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "run/kit.h"

/* Room for a part of what one message gives is none: the node waits for the rest, and goes on. */
static void room_for_a_part_is_waited_for(void **state)
{
	(void)state;
	for (int capacity = 4; capacity <= 16; capacity *= 2) {
		struct kit *kit = kit_new(true);
		kit_apply(kit,
			"{'meterloom':1,'name':'t','nodes':["
			"{'id':'a','type':'t-source','params':{'count':100}},"
			"{'id':'b','type':'t-triple'},"
			"{'id':'c','type':'t-sink','params':{'one_by_one':true}}],"
			"'edges':[{'from':'a','to':'b','capacity':8},"
			"{'from':'b','to':'c','capacity':%d}]}",
			capacity);
		ml_engine_simulate(kit->engine, 10 * ML_SEC);
		assert_int_equal(kit_record(kit, "c")->count, 300);
		assert_int_equal(kit_record(kit, "c")->gaps + kit_record(kit, "c")->repeats, 0);
		kit_free(kit);
	}
}

static bool has_300(struct kit *kit, void *user)
{
	(void)user;
	return kit_record(kit, "c")->count == 300;
}

static void between_lanes_too(void **state)
{
	(void)state;
	struct kit *kit = kit_new(false);
	kit_apply(kit, "{'meterloom':1,'name':'t','nodes':["
		       "{'id':'a','type':'t-source','lane':'two','params':{'count':100}},"
		       "{'id':'b','type':'t-triple'},"
		       "{'id':'c','type':'t-sink','lane':'three','params':{'one_by_one':true}}],"
		       "'edges':[{'from':'a','to':'b','capacity':8},"
		       "{'from':'b','to':'c','capacity':4}]}");
	kit_until(kit, has_300, NULL);
	assert_int_equal(kit_record(kit, "c")->gaps + kit_record(kit, "c")->repeats, 0);
	kit_free(kit);
}

static unsigned long long turns_of(struct kit *kit, const char *lane)
{
	struct ml_buffer text = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &text);
	ml_engine_metrics(kit->engine, &w);
	char name[32];
	(void)snprintf(name, sizeof name, "\"%s\":{\"wakeups\"", lane);
	const char *at = strstr(text.data, name);
	assert_non_null(at);
	at = strstr(at, "\"turns\":");
	const unsigned long long turns = strtoull(at + 8, NULL, 10);
	ml_buffer_free(&text);
	return turns;
}

struct later {
	ml_time until;
};

static bool is_later(struct kit *kit, void *user)
{
	return ml_clock_monotonic(kit->clock) >= ((struct later *)user)->until;
}

/* Too little room is no reason to look again and again: the lane sleeps until there is enough. */
static void who_waits_for_room_sleeps(void **state)
{
	(void)state;
	struct kit *kit = kit_new(false);
	kit_apply(kit, "{'meterloom':1,'name':'t','nodes':["
		       "{'id':'a','type':'t-source','params':{'count':100}},"
		       "{'id':'b','type':'t-triple'},"
		       "{'id':'c','type':'t-sink','lane':'three','params':{'stuck':true}}],"
		       "'edges':[{'from':'a','to':'b','capacity':8},"
		       "{'from':'b','to':'c','capacity':8}]}");
	struct later later = {ml_clock_monotonic(kit->clock) + 50 * ML_MSEC};
	kit_until(kit, is_later, &later);
	const unsigned long long before = turns_of(kit, "main");
	later.until += 200 * ML_MSEC;
	kit_until(kit, is_later, &later);
	assert_true(turns_of(kit, "main") - before < 100);
	kit_free(kit);
}

static void one_full_output_holds_back_no_other(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	kit_apply(kit,
		"{'meterloom':1,'name':'t','nodes':["
		"{'id':'a','type':'t-two'},"
		"{'id':'b','type':'t-sink','params':{'stuck':true}},{'id':'c','type':'t-sink'}],"
		"'edges':[{'from':'a.a','to':'b','capacity':8},"
		"{'from':'a.b','to':'c','capacity':8}]}");
	ml_engine_simulate(kit->engine, ML_SEC);
	assert_int_equal(kit_record(kit, "c")->count, 1000);
	kit_free(kit);
}

/* What triggers a query is taken though what it gives has no room, from another lane too. */
static void back_pressure_ends_at_a_query(void **state)
{
	(void)state;
	static const char *const lanes[] = {"main", "two"};
	for (int i = 0; i < 2; i++) {
		struct kit *kit = kit_new(true);
		kit_apply(kit,
			"{'meterloom':1,'name':'t','nodes':["
			"{'id':'q','type':'t-query'},"
			"{'id':'a','type':'t-source','lane':'%s','params':{'count':100,'batch':1,"
			"'every':1,'rounds':true,'acks':true}},"
			"{'id':'c','type':'t-sink','params':{'stuck':true}}],"
			"'edges':[{'from':'a','to':'q','capacity':8},"
			"{'from':'q','to':'c','capacity':8}]}",
			lanes[i]);
		ml_engine_simulate(kit->engine, ML_SEC);
		assert_int_equal(kit_record(kit, "q")->count, 100);
		assert_int_equal(kit_record(kit, "q")->ends, 100);
		assert_int_equal(kit_record(kit, "a")->delivered, 100);
		kit_free(kit);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(room_for_a_part_is_waited_for),
		cmocka_unit_test(between_lanes_too),
		cmocka_unit_test(who_waits_for_room_sleeps),
		cmocka_unit_test(one_full_output_holds_back_no_other),
		cmocka_unit_test(back_pressure_ends_at_a_query),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
