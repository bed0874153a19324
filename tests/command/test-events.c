/* Events, feeds and what a person asks of nodes.
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

#include <meterloom/event.h>
#include <meterloom/feed.h>

#include "command/events.h"
#include "command/feeds.h"
#include "desk.h"

static const struct ml_event_class classes[] = {
	{"meter-silent", ML_LOG_WARNING, "Meter {meter} has not answered for {time}; {meter} {x}",
		"Look at its cable."},
	{"all-well", ML_LOG_INFO, "All is well", "Nothing is to be done."},
	{0},
};

/* ---- A node with actions ---- */

struct bell {
	int64_t rung;
};

struct ring_params {
	int64_t times;
};

static const struct ml_param ring_params[] = {
	{.name = "times",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct ring_params, times),
		.title = "Times",
		.help = "How often.",
		.preset = "1",
		.min = 1,
		.max = 5},
	{0},
};

static void ring(struct ml_node *node, void *self, struct ml_job *job, void *params)
{
	struct bell *bell = self;
	const struct ring_params *p = params;
	bell->rung += p->times;
	ml_json_begin_object(ml_job_result(job));
	ml_json_key(ml_job_result(job), "node");
	ml_json_string(ml_job_result(job), ml_node_id(node));
	ml_json_key(ml_job_result(job), "rung");
	ml_json_integer(ml_job_result(job), bell->rung);
	ml_json_end_object(ml_job_result(job));
	ml_job_succeed(job);
}

static const struct ml_action actions[] = {
	{.name = "ring",
		.title = "Ring",
		.help = "Rings.",
		.params = ring_params,
		.params_size = sizeof(struct ring_params),
		.run = ring},
	{0},
};

static const struct ml_port no_ports[] = {{0}};

static const struct ml_node_class bell_class = {
	.type = "test-bell",
	.version = 1,
	.title = "Bell",
	.help = "Rings.",
	.category = "process",
	.ports = no_ports,
	.actions = actions,
	.size = sizeof(struct bell),
	.lane = "tower",
};

static const struct ml_node_class *const node_classes[] = {&bell_class, NULL};

static const struct ml_family family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "test",
	.events = classes,
	.node_classes = node_classes,
};

static const struct ml_family *const families[] = {&family, NULL};

static int set_up(void **state)
{
	*state = desk_new(families);
	return 0;
}

static int tear_down(void **state)
{
	desk_free(*state);
	return 0;
}

static void on_wake(void *user)
{
	++*(int *)user;
}

static struct ml_feed *watch(struct desk *desk, const char *topics, size_t depth, int *wakes)
{
	struct ml_feed *feed = ml_feed_subscribe(desk->engine, topics, depth,
		ml_engine_lane(desk->engine, "control"), on_wake, wakes);
	assert_non_null(feed);
	return feed;
}

/* ---- Events ---- */

static void an_event_is_logged_published_and_listed_with_its_arguments(void **state)
{
	struct desk *desk = *state;
	int wakes = 0;
	struct ml_feed *feed = watch(desk, "event", 10, &wakes);
	ml_event_raise(desk->engine, "meter-silent", "bus", "meter", "12345678", "time", "2 h",
		(char *)NULL);
	struct ml_feed_item item;
	assert_true(ml_feed_take(feed, &item));
	static const char expected[] =
		"{\"id\":1,\"time\":\"2026-01-31T14:15:00.000Z\",\"code\":\"meter-silent\","
		"\"severity\":\"warning\",\"place\":\"bus\",\"text\":\"Meter 12345678 has not "
		"answered "
		"for 2 h; 12345678 {x}\",\"advice\":\"Look at its "
		"cable.\",\"arguments\":{\"meter\":"
		"\"12345678\",\"time\":\"2 h\"}}";
	assert_string_equal(item.json, expected);
	free(item.json);
	ml_feed_unsubscribe(feed);
	assert_int_equal(desk_call(desk, "event.list", NULL), 0);
	assert_has(desk->result, expected);
	assert_int_equal(desk_call(desk, "log.list", NULL), 0);
	assert_has(desk->result, "\"origin\":\"bus\",\"text\":\"Meter 12345678 has not answered");
}

static void events_are_filtered_and_bounded_the_newest_first(void **state)
{
	struct desk *desk = *state;
	for (int i = 0; i < ML_EVENTS_KEPT + 7; i++)
		ml_event_raise(desk->engine, i % 2 ? "meter-silent" : "all-well", "bus", "meter",
			"1", (char *)NULL);
	assert_int_equal(desk_call(desk, "event.list", "{'limit': 500}"), 0);
	json_t *list = json_loads(desk->result, 0, NULL);
	assert_int_equal(json_array_size(list), ML_EVENTS_KEPT);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "id")),
		ML_EVENTS_KEPT + 7);
	json_decref(list);
	assert_int_equal(desk_call(desk, "event.list", "{'severity': 'warning', 'limit': 3}"), 0);
	list = json_loads(desk->result, 0, NULL);
	assert_int_equal(json_array_size(list), 3);
	json_decref(list);
	assert_null(strstr(desk->result, "all-well"));
	assert_int_equal(desk_call(desk, "event.list", "{'code': 'all-well'}"), 0);
	assert_null(strstr(desk->result, "meter-silent"));
}

static void what_is_in_no_catalogue_is_an_error_in_the_log(void **state)
{
	struct desk *desk = *state;
	ml_event_raise(desk->engine, "meter-slient", "bus", (char *)NULL);
	assert_int_equal(desk_call(desk, "event.list", NULL), 0);
	assert_string_equal(desk->result, "[]");
	assert_int_equal(desk_call(desk, "log.list", "{'level': 'error'}"), 0);
	assert_has(desk->result, "meter-slient");
	assert_int_equal(desk_call(desk, "event.catalogue", NULL), 0);
	assert_has(desk->result, "\"code\":\"meter-silent\",\"severity\":\"warning\"");
}

/* ---- Feeds ---- */

static void a_feed_gets_its_topics_and_is_woken_once(void **state)
{
	struct desk *desk = *state;
	int wakes = 0;
	assert_false(ml_feed_wanted(desk->engine, "tap:a.out>b.in"));
	struct ml_feed *feed = watch(desk, "graph,tap:a.out>b.in", 10, &wakes);
	assert_true(ml_feed_wanted(desk->engine, "tap:a.out>b.in"));
	assert_false(ml_feed_wanted(desk->engine, "tap:a.out>b"));
	ml_feed_publish(desk->engine, "tap:a.out>b.in", "1", 1);
	ml_feed_publish(desk->engine, "graph", "2", 1);
	ml_feed_publish(desk->engine, "job", "3", 1);
	assert_int_equal(wakes, 0); /* on its lane, not from within */
	desk_settle(desk);
	assert_int_equal(wakes, 1);
	struct ml_feed_item item;
	assert_true(ml_feed_take(feed, &item));
	assert_string_equal(item.topic, "tap:a.out>b.in");
	free(item.json);
	assert_true(ml_feed_take(feed, &item));
	assert_string_equal(item.json, "2");
	free(item.json);
	assert_false(ml_feed_take(feed, &item));
	ml_feed_publish(desk->engine, "graph", "4", 1);
	desk_settle(desk);
	assert_int_equal(wakes, 2);
	/* A wake that is on its way does no harm to who leaves. */
	ml_feed_publish(desk->engine, "graph", "5", 1);
	while (ml_feed_take(feed, &item))
		free(item.json);
	ml_feed_publish(desk->engine, "graph", "6", 1);
	ml_feed_unsubscribe(feed);
	desk_settle(desk);
	assert_int_equal(wakes, 2);
	assert_false(ml_feed_wanted(desk->engine, "graph"));
}

static void what_does_not_fit_is_counted(void **state)
{
	struct desk *desk = *state;
	int wakes = 0;
	struct ml_feed *feed = watch(desk, "graph", 4, &wakes);
	for (int i = 0; i < 10; i++)
		ml_feed_publish(desk->engine, "graph", "1", 1);
	struct ml_feed_item item;
	for (int i = 0; i < 4; i++) {
		assert_true(ml_feed_take(feed, &item));
		assert_int_equal(item.lost, 0);
		free(item.json);
	}
	assert_false(ml_feed_take(feed, &item));
	ml_feed_publish(desk->engine, "graph", "2", 1);
	assert_true(ml_feed_take(feed, &item));
	assert_int_equal(item.lost, 6);
	free(item.json);
	/* Bytes are bounded too. */
	char *large = malloc(ML_FEED_BYTES_MAX);
	assert_non_null(large);
	memset(large, ' ', ML_FEED_BYTES_MAX);
	ml_feed_publish(desk->engine, "graph", large, ML_FEED_BYTES_MAX);
	ml_feed_publish(desk->engine, "graph", "3", 1);
	free(large);
	assert_true(ml_feed_take(feed, &item));
	assert_int_equal(item.length, ML_FEED_BYTES_MAX);
	free(item.json);
	assert_false(ml_feed_take(feed, &item));
	ml_feed_unsubscribe(feed);
	desk_settle(desk);
}

static void metrics_are_published_only_while_watched(void **state)
{
	struct desk *desk = *state;
	int wakes = 0;
	struct ml_feed *feed = watch(desk, "metrics", 100, &wakes);
	const ml_time begin = ml_clock_monotonic(desk->clock);
	ml_engine_simulate(desk->engine, begin + 5 * ML_SEC + ML_MSEC);
	struct ml_feed_item item;
	int count = 0;
	while (ml_feed_take(feed, &item)) {
		assert_has(item.json, "\"lanes\"");
		free(item.json);
		count++;
	}
	assert_int_equal(count, 6); /* at once, and each second */
	ml_feed_unsubscribe(feed);
	feed = watch(desk, "graph", 100, &wakes);
	ml_engine_simulate(desk->engine, begin + 20 * ML_SEC);
	assert_false(ml_feed_take(feed, &item));
	ml_feed_unsubscribe(feed);
	feed = watch(desk, "metrics", 100, &wakes);
	ml_engine_simulate(desk->engine, begin + 21 * ML_SEC + ML_MSEC);
	for (count = 0; ml_feed_take(feed, &item); count++)
		free(item.json);
	assert_int_equal(count, 2);
	ml_feed_unsubscribe(feed);
	desk_settle(desk);
}

/* ---- Nodes ---- */

static void a_node_is_asked_for_an_action_with_its_parameters(void **state)
{
	struct desk *desk = *state;
	assert_int_equal(
		desk_call(desk, "graph.apply",
			"{'graph': {'meterloom': 1, 'edges': [], 'nodes': [{'id': 'bell', 'type': "
			"'test-bell'}]}}"),
		0);
	assert_int_equal(desk_call(desk, "node.action", "{'node': 'bell', 'action': 'ring'}"), 0);
	assert_string_equal(desk->result, "{\"node\":\"bell\",\"rung\":1}");
	assert_int_equal(desk_call(desk, "node.action",
				 "{'node': 'bell', 'action': 'ring', 'params': {'times': 3}}"),
		0);
	assert_string_equal(desk->result, "{\"node\":\"bell\",\"rung\":4}");
	assert_int_equal(
		desk_call(desk, "node.action",
			"{'node': 'bell', 'action': 'ring', 'params': {'times': 9, 'x': 1}}"),
		-EINVAL);
	assert_has(desk->errors, "/params/times");
	assert_has(desk->errors, "/params/x");
	assert_int_equal(
		desk_call(desk, "node.action", "{'node': 'bell', 'action': 'sing'}"), -ENOENT);
	assert_has(desk->errors, "it has ring");
	assert_int_equal(
		desk_call(desk, "node.action", "{'node': 'bel', 'action': 'ring'}"), -ENOENT);
	assert_has(desk->errors, "did you mean 'bell'?");
	assert_int_equal(desk_call(desk, "node.list", NULL), 0);
	assert_has(desk->result, "\"id\":\"bell\",\"type\":\"test-bell\",\"lane\":\"tower\"");
	assert_has(desk->result, "\"actions\":[\"ring\"]");
	assert_int_equal(desk_call(desk, "node.types", NULL), 0);
	assert_has(desk->result, "\"type\":\"test-bell\"");
}

static void the_log_is_listed_from_a_number_on(void **state)
{
	struct desk *desk = *state;
	for (int i = 0; i < 5; i++)
		ml_log(desk->log, ML_LOG_INFO, "test", "line %d", i);
	assert_int_equal(desk_call(desk, "log.list", "{'limit': 2}"), 0);
	assert_null(strstr(desk->result, "line 2"));
	assert_has(desk->result, "line 3");
	assert_has(desk->result, "line 4");
	json_t *list = json_loads(desk->result, 0, NULL);
	char params[40];
	(void)snprintf(params, sizeof params, "{'after': %lld}",
		(long long)json_integer_value(
			json_object_get(json_array_get(list, 1), "sequence")));
	json_decref(list);
	assert_int_equal(desk_call(desk, "log.list", params), 0);
	assert_null(strstr(desk->result, "line 3"));
	assert_has(desk->result, "line 4");
	assert_int_equal(desk_call(desk, "log.level", NULL), 0);
	assert_string_equal(desk->result, "{\"level\":\"info\"}");
	assert_int_equal(desk_call(desk, "log.level", "{'level': 'error'}"), 0);
	ml_log(desk->log, ML_LOG_INFO, "test", "not kept");
	assert_int_equal(desk_call(desk, "log.list", NULL), 0);
	assert_null(strstr(desk->result, "not kept"));
}

int main(void)
{
#define DESK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		DESK(an_event_is_logged_published_and_listed_with_its_arguments),
		DESK(events_are_filtered_and_bounded_the_newest_first),
		DESK(what_is_in_no_catalogue_is_an_error_in_the_log),
		DESK(a_feed_gets_its_topics_and_is_woken_once),
		DESK(what_does_not_fit_is_counted),
		DESK(metrics_are_published_only_while_watched),
		DESK(a_node_is_asked_for_an_action_with_its_parameters),
		DESK(the_log_is_listed_from_a_number_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
