/* Engines: two beside each other, each with its clock and data; the same day twice; taps; the end
 * in every state. SPDX-License-Identifier: Apache-2.0
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

#include <meterloom/feed.h>
#include <meterloom/node.h>

#include "run/kit.h"

/* ---- The same day twice ---- */

static const char day_graph[] =
	"{'meterloom':1,'name':'t','nodes':["
	"{'id':'a','type':'t-source','params':{'batch':40,'every':60000,'rounds':true,'acks':true}}"
	","
	"{'id':'a2','type':'t-source','lane':'two','params':{'batch':9,'every':45000,'blind':true}}"
	","
	"{'id':'b','type':'t-pass','lane':'two','params':{'fail_every':%d}},"
	"{'id':'p','type':'t-slow'},"
	"{'id':'c','type':'t-sink','lane':'three','params':{'one_by_one':true,'delay':700}}],"
	"'edges':[{'from':'a','to':'b','capacity':16},{'from':'a','to':'p','capacity':16},"
	"{'from':'b','to':'c','capacity':8},{'from':'p','to':'c','capacity':4},"
	"{'from':'a2','to':'c','capacity':4,'when_full':'drop-oldest'}]}";

static void write_entry(const struct ml_log_entry *entry, void *context)
{
	ml_buffer_appendf(context, "%lld %d %s: %s\n", (long long)entry->wall, entry->level,
		entry->origin, entry->text);
}

static char *live_a_day(void)
{
	struct kit *kit = kit_new(true);
	struct ml_buffer text = {0};
	struct ml_json_writer w;
	const int log = ml_log_subscribe(kit->log, ML_LOG_DEBUG, write_entry, &text);
	assert_true(log >= 0);
	for (int hour = 0; hour < 24; hour++) {
		kit_apply(kit, day_graph, 7 + hour % 5);
		ml_engine_simulate(kit->engine, (hour + 1) * ML_HOUR);
	}
	ml_log_unsubscribe(kit->log, log);
	ml_json_writer_init(&w, &text);
	ml_engine_metrics(kit->engine, &w);
	kit_free(kit);
	assert_true(text.length > 10000);
	return text.data;
}

static void a_simulated_day_is_the_same_each_time(void **state)
{
	(void)state;
	char *one = live_a_day(), *two = live_a_day();
	assert_string_equal(one, two);
	free(one);
	free(two);
}

/* ---- Two engines ---- */

static struct kit *kit_with_data(bool simulated, const char *folder, const char *name)
{
	char data[128], key[128];
	(void)snprintf(data, sizeof data, "%s/%s", folder, name);
	(void)snprintf(key, sizeof key, "%s/%s.key", folder, name);
	return kit_new_with(simulated, data, key);
}

static bool has_64(struct kit *kit, void *user)
{
	(void)user;
	return kit_record(kit, "c")->count == 64;
}

static void two_engines_with_their_own_clocks_and_data(void **state)
{
	(void)state;
	static const char graph[] = "{'meterloom':1,'name':'t','nodes':[{'id':'a','type':'t-source'"
				    ",'params':{'count':64,'batch':1,'every':%d}},"
				    "{'id':'c','type':'t-sink'}],'edges':[{'from':'a','to':'c'}]}";
	char folder[] = "/tmp/meterloom-test-XXXXXX", path[128];
	assert_non_null(mkdtemp(folder));
	struct kit *real = kit_with_data(false, folder, "real");
	struct kit *sim = kit_with_data(true, folder, "sim");
	kit_apply(real, graph, 1);
	kit_apply(sim, graph, 3600000);
	ml_engine_simulate(sim->engine, 3 * ML_DAY);
	kit_until(real, has_64, NULL);
	assert_int_equal(kit_record(sim, "c")->count, 64);
	assert_true(ml_clock_monotonic(real->clock) < ML_HOUR);
	assert_int_equal(ml_clock_monotonic(sim->clock), 3 * ML_DAY);
	kit_free(real);
	/* The other lives on; the one that ended counts its next start by itself. */
	real = kit_with_data(false, folder, "real");
	assert_int_equal(ml_engine_epoch(real->engine), 2);
	assert_int_equal(ml_engine_epoch(sim->engine), 1);
	kit_free(real);
	ml_engine_simulate(sim->engine, 4 * ML_DAY);
	kit_free(sim);
	static const char *const names[] = {"real", "sim"};
	for (int i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof path, "%s/%s/meterloom.db", folder, names[i]);
		struct stat info;
		assert_int_equal(stat(path, &info), 0);
	}
	(void)snprintf(path, sizeof path, "rm -r %s", folder);
	assert_int_equal(system(path), 0);
}

/* ---- Taps ---- */

static const char tap_topic[] =
	"tap:a-node-with-the-longest-name-000.out>b-node-with-the-longest-name-000.in";

static void woken(void *user)
{
	++*(int *)user;
}

static size_t take_all(struct ml_feed *feed)
{
	struct ml_feed_item item;
	size_t count = 0;
	while (ml_feed_take(feed, &item)) {
		assert_string_equal(item.topic, tap_topic);
		assert_non_null(strstr(item.json, "\"message\":{\"number\":"));
		free(item.json);
		count++;
	}
	return count;
}

static void a_tap_comes_and_goes_without_an_apply_and_survives_one(void **state)
{
	(void)state;
	struct kit *kit = kit_new(true);
	static const char graph[] =
		"{'meterloom':1,'name':'t','nodes':["
		"{'id':'a-node-with-the-longest-name-000','type':'t-source','params':"
		"{'batch':%d,'every':100}},"
		"{'id':'b-node-with-the-longest-name-000','type':'t-sink'},"
		"{'id':'other','type':'t-sink'}],"
		"'edges':[{'from':'a-node-with-the-longest-name-000','to':'other'}%s]}";
	static const char edge[] = ",{'from':'a-node-with-the-longest-name-000',"
				   "'to':'b-node-with-the-longest-name-000'}";
	int wakes = 0;
	kit_apply(kit, graph, 4, edge);
	ml_engine_simulate(kit->engine, 50 * ML_MSEC);
	struct ml_feed *feed = ml_feed_subscribe(
		kit->engine, tap_topic, 100, ml_engine_lane(kit->engine, "control"), woken, &wakes);
	assert_non_null(feed);
	ml_engine_simulate(kit->engine, 150 * ML_MSEC);
	assert_int_equal(take_all(feed), 4);
	assert_int_equal(wakes, 1);
	/* Both ends restart; then the edge goes, and comes again as another one. */
	kit_apply(kit, graph, 3, edge);
	ml_engine_simulate(kit->engine, 160 * ML_MSEC);
	assert_int_equal(take_all(feed), 3);
	kit_apply(kit, graph, 3, "");
	ml_engine_simulate(kit->engine, 350 * ML_MSEC);
	assert_int_equal(take_all(feed), 0);
	kit_apply(kit, graph, 20, edge);
	ml_engine_simulate(kit->engine, 360 * ML_MSEC);
	assert_int_equal(take_all(feed), 8);
	ml_feed_unsubscribe(feed);
	ml_engine_simulate(kit->engine, 5 * ML_SEC);
	kit_free(kit);
}

/* ---- The end, in every state ---- */

static void posted(void *user)
{
	++*(int *)user;
}

struct again {
	struct ml_lane *lane;
	int count, refused;
};

static void posts_again(void *user)
{
	struct again *again = user;
	if (++again->count < 5000 && ml_lane_post(again->lane, posts_again, again) == -ECANCELED)
		again->refused++;
}

static void an_engine_ends_in_every_state(void **state)
{
	(void)state;
	for (int simulated = 0; simulated < 2; simulated++) {
		kit_free(kit_new(simulated));
		struct kit *kit = kit_new(simulated);
		static const char graph[] =
			"{'meterloom':1,'name':'t','nodes':["
			"{'id':'a','type':'t-source','params':{'acks':true,'rounds':true}},"
			"{'id':'b','type':'t-pass','lane':'two'},%s"
			"{'id':'k','type':'t-keeper'},{'id':'k2','type':'t-keeper'}],"
			"'edges':[{'from':'a','to':'b'}%s,{'from':'k','to':'b'}]}";
		kit_apply(kit, graph,
			"{'id':'c','type':'t-sink','lane':'three','params':{'stuck':true}},",
			",{'from':'b','to':'c'}");
		if (simulated)
			ml_engine_simulate(kit->engine, ML_SEC);
		/* The stuck sink drains, acks are open, posts wait. */
		kit_apply(kit, graph, "", "");
		int count = 0;
		struct ml_lane *lane = ml_engine_lane(kit->engine, "two");
		for (int i = 0; i < 1000; i++)
			assert_int_equal(ml_lane_post(lane, posted, &count), 0);
		struct again again = {.lane = ml_engine_lane(kit->engine, "control")};
		assert_int_equal(ml_lane_post(again.lane, posts_again, &again), 0);
		kit_free(kit);
		assert_int_equal(count, 1000);
		assert_true(again.refused == 1 || again.count == 5000);
	}
}

/* ---- Random numbers ---- */

static void draw(bool simulated, uint64_t seed, unsigned char out[20])
{
	struct ml_clock *clock = simulated ? ml_clock_new_simulated(0) : ml_clock_new_real();
	struct ml_log *log = ml_log_new(clock, 0);
	static const struct ml_family *const families[] = {NULL};
	const struct ml_engine_options options = {
		.families = families, .clock = clock, .log = log, .seed = seed};
	struct ml_engine *engine = NULL;
	assert_int_equal(ml_engine_new(&options, &engine, NULL), 0);
	assert_int_equal(ml_engine_random(engine, out, 7, NULL), 0);
	assert_int_equal(ml_engine_random(engine, out + 7, 13, NULL), 0);
	ml_engine_free(engine);
	ml_log_free(log);
	ml_clock_free(clock);
}

static void random_numbers_follow_from_the_seed_in_simulated_time_alone(void **state)
{
	(void)state;
	unsigned char one[20], two[20];
	draw(true, 7, one);
	draw(true, 7, two);
	assert_memory_equal(one, two, sizeof one);
	assert_memory_not_equal(one, one + 7, 7);
	draw(true, 8, two);
	assert_memory_not_equal(one, two, sizeof one);
	draw(false, 7, one);
	draw(false, 7, two);
	assert_memory_not_equal(one, two, sizeof one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_simulated_day_is_the_same_each_time),
		cmocka_unit_test(two_engines_with_their_own_clocks_and_data),
		cmocka_unit_test(a_tap_comes_and_goes_without_an_apply_and_survives_one),
		cmocka_unit_test(an_engine_ends_in_every_state),
		cmocka_unit_test(random_numbers_follow_from_the_seed_in_simulated_time_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
