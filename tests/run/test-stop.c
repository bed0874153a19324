/* Stopping: what a node is no longer told, and what others still get from it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <meterloom/node.h>

#include "count.h"
#include "run/kit.h"

static const char nothing[] = "{'meterloom':1,'name':'t','nodes':[],'edges':[]}";

/* Those that stay go on; those of the stopped instance, whose memory is freed, never fire. */
static void timers_end_with_their_node(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	for (int i = 0; i < 20; i++) {
		kit_apply(kit, "{'meterloom':1,'name':'t','nodes':["
			       "{'id':'x','type':'t-timers'},{'id':'y','type':'t-timers'}],"
			       "'edges':[]}");
		ml_engine_simulate(kit->engine, (i * 400 + 200) * ML_MSEC);
		const uint64_t y = kit_record(kit, "y")->count;
		assert_true(kit_record(kit, "x")->count >= 64 * 15);
		kit_apply(kit, "{'meterloom':1,'name':'t','nodes':["
			       "{'id':'x','type':'t-timers'}],'edges':[]}");
		const uint64_t x = kit_record(kit, "x")->count;
		ml_engine_simulate(kit->engine, (i * 400 + 400) * ML_MSEC);
		assert_int_equal(kit_record(kit, "y")->count, y);
		assert_in_range(kit_record(kit, "x")->count - x, 64 * 19, 64 * 21);
	}
	kit_free(kit);
}

static void no_ack_is_told_after_stop(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	kit_apply(kit, "{'meterloom':1,'name':'t','nodes':[{'id':'k','type':'t-keeper'}],"
		       "'edges':[]}");
	kit_apply(kit, nothing);
	ml_engine_simulate(kit->engine, ML_SEC);
	assert_int_equal(kit_record(kit, "k")->stops, 1);
	assert_int_equal(kit_record(kit, "k")->delivered + kit_record(kit, "k")->repeats, 0);
	kit_free(kit);
}

/* Both ends restart, the consumer first: what the producer gives in `stop` waits for the new one.
 */
static void what_is_given_in_stop_arrives(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	static const char graph[] =
		"{'meterloom':1,'name':'t','nodes':["
		"{'id':'c','type':'t-sink','params':{'delay':%d}},"
		"{'id':'a','type':'t-source','params':{'count':%d,'every':1,'batch':1,"
		"'open':true,'rounds':true}}],"
		"'edges':[{'from':'a','to':'c'}]}";
	for (int i = 1; i <= 10; i++) {
		kit_apply(kit, graph, i, 1000 + i);
		ml_engine_simulate(kit->engine, i * 100 * ML_MSEC);
		assert_int_equal(kit_record(kit, "c")->begins, i);
		assert_int_equal(kit_record(kit, "c")->ends, i - 1);
	}
	kit_apply(kit, nothing);
	ml_engine_simulate(kit->engine, 10 * ML_SEC);
	assert_int_equal(kit_record(kit, "c")->ends, 10);
	kit_free(kit);
}

/* ---- A graph applied just after a message came from another lane ---- */

struct late {
	struct kit *kit;
	struct ml_timer timer;
	bool again;
};

/* Fires a second time at the same moment: then the other lanes have had their turn. */
static void late_fire(struct ml_timer *timer)
{
	struct late *late = timer->user;
	if (!late->again) {
		late->again = true;
		ml_timer_start(timer, ml_clock_monotonic(late->kit->clock));
		return;
	}
	kit_apply(late->kit, nothing);
}

static void a_removed_node_takes_what_had_just_come(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	kit_apply(kit,
		"{'meterloom':1,'name':'t','nodes':["
		"{'id':'c','type':'t-sink'},"
		"{'id':'a','type':'t-source','lane':'two','params':{'count':100,'every':100}}"
		"],'edges':[{'from':'a','to':'c'}]}");
	struct late late = {.kit = kit};
	ml_timer_init(&late.timer, ml_engine_lane(kit->engine, "control"), late_fire, &late);
	ml_timer_start(&late.timer, 100 * ML_MSEC);
	ml_engine_simulate(kit->engine, 20 * ML_SEC);
	assert_int_equal(kit_record(kit, "a")->count, 64);
	assert_int_equal(kit_record(kit, "c")->count, 64);
	assert_int_equal(kit_record(kit, "c")->stops, 1);
	kit_free(kit);
}

static bool has_many(struct kit *kit, void *user)
{
	(void)user;
	return atomic_load(&kit_record(kit, "b")->count) >= 500;
}

/* Whatever is on the edges between lanes in that moment; the lanes that are made first are the
 * first to stand still. */
static void what_a_source_gave_arrives_before_the_engine_ends(void **state)
{
	(void)state;
	for (unsigned i = 0; i < test_count(200); i++) {
		struct kit *kit = kit_new(false);
		kit_apply(kit, "{'meterloom':1,'name':'t','nodes':["
			       "{'id':'b','type':'t-sink','lane':'one'},"
			       "{'id':'p','type':'t-pass','lane':'two'},"
			       "{'id':'a','type':'t-source','params':{'batch':7},'lane':'three'}],"
			       "'edges':[{'from':'a','to':'p'},{'from':'p','to':'b'}]}");
		kit_until(kit, has_many, NULL);
		ml_engine_free(kit->engine);
		kit->engine = NULL;
		assert_int_equal(kit_record(kit, "a")->count, kit_record(kit, "b")->count);
		assert_int_equal(kit_record(kit, "b")->gaps, 0);
		kit_free(kit);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_end_with_their_node),
		cmocka_unit_test(no_ack_is_told_after_stop),
		cmocka_unit_test(what_is_given_in_stop_arrives),
		cmocka_unit_test(what_a_source_gave_arrives_before_the_engine_ends),
		cmocka_unit_test(a_removed_node_takes_what_had_just_come),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
