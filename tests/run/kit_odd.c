/* Nodes that make one thing hard for the engine.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run/kit_nodes.h"

#include <errno.h>

/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct ml_message *kit_number(struct ml_node *node, uint64_t value, const struct ml_message *parent)
{
	struct ml_message *message =
		ml_message_new(node, &kit_number_type, sizeof(struct kit_number), parent);
	assert_non_null(message);
	((struct kit_number *)(void *)message->payload)->value = value;
	return message;
}

/* What the nodes without parameters have in common. */
struct odd {
	struct ml_node *node;
	struct kit_record *record;
};

static int odd_prepare(struct ml_node *node, void *self, struct ml_error *err)
{
	(void)err;
	struct odd *odd = self;
	odd->node = node;
	return kit_prepare(node, &odd->record);
}

static void odd_start(struct ml_node *node, void *self)
{
	(void)node;
	kit_add(&((struct odd *)self)->record->starts, 1);
}

static void odd_stop(struct ml_node *node, void *self)
{
	(void)node;
	kit_add(&((struct odd *)self)->record->stops, 1);
}

/* ---- triple: three numbers for one ---- */

static const struct ml_port triple_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &kit_number_type, .help = "Numbers."},
	{.name = "out",
		.direction = ML_OUTPUT,
		.type = &kit_number_type,
		.most = 3,
		.help = "3n-2, 3n-1, 3n."},
	{0}};

static void triple_process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	(void)port;
	kit_add(&((struct odd *)self)->record->count, count);
	for (size_t i = 0; i < count; i++) {
		const uint64_t value = kit_value(messages[i]);
		for (uint64_t k = 2; k <= 2; k--)
			ml_emit(node, 1, kit_number(node, value * 3 - k, messages[i]));
		ml_release(node, messages[i]);
	}
}

const struct ml_node_class kit_triple_class = {
	.type = "t-triple",
	.version = 1,
	.title = "Triple",
	.help = "Three for one.",
	.category = "process",
	.ports = triple_ports,
	.size = sizeof(struct odd),
	.prepare = odd_prepare,
	.start = odd_start,
	.process = triple_process,
	.stop = odd_stop,
};

/* ---- slow: hands on one number a millisecond; fails or drops some ---- */

struct slow {
	struct odd odd;
	int64_t drop_every, fail_every;
	struct ml_message *held;
	struct ml_timer timer;
};

static const struct ml_param slow_params[] = {
	{.name = "drop_every",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct slow, drop_every),
		.title = "Drop",
		.help = "Drop numbers that this divides, on purpose.",
		.preset = "0"},
	{.name = "fail_every",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct slow, fail_every),
		.title = "Fail",
		.help = "Fail numbers that this divides.",
		.preset = "0"},
	{0},
};

static const struct ml_port slow_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &kit_number_type, .help = "Numbers."},
	{.name = "out", .direction = ML_OUTPUT, .type = &kit_number_type, .help = "The same."},
	{0}};

static void slow_go_on(struct slow *slow)
{
	struct ml_node *node = slow->odd.node;
	const uint64_t value = kit_value(slow->held);
	if (slow->fail_every && value % (uint64_t)slow->fail_every == 0)
		ml_fail(node, slow->held, "a number could not be passed");
	else if (slow->drop_every && value % (uint64_t)slow->drop_every == 0)
		ml_release(node, slow->held);
	else if (ml_room(node, 1))
		ml_emit(node, 1, slow->held);
	else
		return;
	slow->held = NULL;
	ml_node_demand(node, 0, 1);
}

static void slow_fire(struct ml_timer *timer)
{
	slow_go_on(timer->user);
}

static void slow_room(struct ml_node *node, void *self)
{
	(void)node;
	struct slow *slow = self;
	if (slow->held)
		slow_go_on(slow);
}

static void slow_start(struct ml_node *node, void *self)
{
	struct slow *slow = self;
	odd_start(node, self);
	ml_timer_init(&slow->timer, ml_node_lane(node), slow_fire, slow);
	ml_node_demand(node, 0, 1);
}

static void slow_process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	(void)port;
	struct slow *slow = self;
	assert_int_equal(count, 1);
	assert_null(slow->held);
	kit_add(&slow->odd.record->count, 1);
	slow->held = messages[0];
	ml_timer_start(&slow->timer, ml_node_now(node) + ML_MSEC);
}

static void slow_stop(struct ml_node *node, void *self)
{
	struct slow *slow = self;
	odd_stop(node, self);
	if (slow->held)
		ml_fail(node, slow->held, "stopped while it held a number");
	slow->held = NULL;
}

const struct ml_node_class kit_slow_class = {
	.type = "t-slow",
	.version = 1,
	.title = "Slow",
	.help = "One a millisecond.",
	.category = "process",
	.params = slow_params,
	.ports = slow_ports,
	.size = sizeof(struct slow),
	.prepare = odd_prepare,
	.start = slow_start,
	.process = slow_process,
	.room = slow_room,
	.stop = slow_stop,
};

/* ---- timers: many timers that it never stops ---- */

enum { TIMERS = 64 };

struct timers {
	struct odd odd;
	struct ml_timer timers[TIMERS];
};

static const struct ml_port no_ports[] = {{0}};

static void timers_fire(struct ml_timer *timer)
{
	struct timers *timers = timer->user;
	kit_add(&timers->odd.record->count, 1);
	ml_timer_start(timer, ml_node_now(timers->odd.node) + 10 * ML_MSEC);
}

static void timers_start(struct ml_node *node, void *self)
{
	struct timers *timers = self;
	kit_add(&timers->odd.record->starts, 1);
	uint64_t random = 7 + atomic_load(&timers->odd.record->starts);
	for (int i = 0; i < TIMERS; i++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		ml_timer_init(&timers->timers[i], ml_node_lane(node), timers_fire, timers);
		ml_timer_start(&timers->timers[i],
			ml_node_now(node) + (ml_time)(random >> 40) % (50 * ML_MSEC));
	}
}

const struct ml_node_class kit_timers_class = {
	.type = "t-timers",
	.version = 1,
	.title = "Timers",
	.help = "Many timers.",
	.category = "source",
	.ports = no_ports,
	.size = sizeof(struct timers),
	.flags = ML_NODE_SOURCE,
	.prepare = odd_prepare,
	.start = timers_start,
	.stop = odd_stop,
};

/* ---- keeper: holds a message with an ack until it is stopped ---- */

struct keeper {
	struct odd odd;
	struct ml_message *held;
	bool stopped;
};

static const struct ml_port out_ports[] = {
	{.name = "out", .direction = ML_OUTPUT, .type = &kit_number_type, .help = "Nothing."}, {0}};

static void keeper_start(struct ml_node *node, void *self)
{
	struct keeper *keeper = self;
	kit_add(&keeper->odd.record->starts, 1);
	keeper->held = kit_number(node, 1, NULL);
	assert_int_equal(ml_ack_attach(node, keeper->held, 1), 0);
	/* A message has one ack, and keeps it. */
	assert_int_equal(ml_ack_attach(node, keeper->held, 2), -EEXIST);
}

static void keeper_acked(struct ml_node *node, void *self, uint64_t cookie, bool delivered)
{
	(void)node;
	(void)delivered;
	struct keeper *keeper = self;
	assert_int_equal(cookie, 1);
	kit_add(keeper->stopped ? &keeper->odd.record->repeats : &keeper->odd.record->delivered, 1);
}

static void keeper_stop(struct ml_node *node, void *self)
{
	struct keeper *keeper = self;
	keeper->stopped = true;
	ml_emit(node, 0, keeper->held);
	kit_add(&keeper->odd.record->stops, 1);
}

const struct ml_node_class kit_keeper_class = {
	.type = "t-keeper",
	.version = 1,
	.title = "Keeper",
	.help = "Keeps a message until it is stopped.",
	.category = "source",
	.ports = out_ports,
	.size = sizeof(struct keeper),
	.flags = ML_NODE_SOURCE,
	.prepare = odd_prepare,
	.start = keeper_start,
	.acked = keeper_acked,
	.stop = keeper_stop,
};

/* ---- two: numbers on two outputs, on each as fast as there is room ---- */

struct two {
	struct odd odd;
	uint64_t sent[2];
};

static const struct ml_port two_ports[] = {
	{.name = "a", .direction = ML_OUTPUT, .type = &kit_number_type, .help = "Numbers."},
	{.name = "b", .direction = ML_OUTPUT, .type = &kit_number_type, .help = "Numbers."}, {0}};

static void two_room(struct ml_node *node, void *self)
{
	struct two *two = self;
	for (unsigned port = 0; port < 2; port++) {
		while (two->sent[port] < 1000 && ml_room(node, port))
			ml_emit(node, port, kit_number(node, ++two->sent[port], NULL));
	}
}

static void two_start(struct ml_node *node, void *self)
{
	odd_start(node, self);
	two_room(node, self);
}

const struct ml_node_class kit_two_class = {
	.type = "t-two",
	.version = 1,
	.title = "Two",
	.help = "Two outputs.",
	.category = "source",
	.ports = two_ports,
	.size = sizeof(struct two),
	.flags = ML_NODE_SOURCE,
	.prepare = odd_prepare,
	.start = two_start,
	.room = two_room,
	.stop = odd_stop,
};

/* ---- query: for each trigger a number of its own, with an ack of its own ---- */

struct query {
	struct odd odd;
	uint64_t wanted, sent;
};

static const struct ml_port query_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &kit_number_type, .help = "Triggers."},
	{.name = "out",
		.direction = ML_OUTPUT,
		.type = &kit_number_type,
		.most = 1,
		.help = "Numbers."},
	{0}};

static void query_room(struct ml_node *node, void *self)
{
	struct query *query = self;
	while (query->sent < query->wanted && ml_room(node, 1)) {
		struct ml_message *message = kit_number(node, ++query->sent, NULL);
		assert_int_equal(ml_ack_attach(node, message, query->sent), 0);
		ml_emit(node, 1, message);
	}
}

static void query_process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	(void)port;
	struct query *query = self;
	kit_add(&query->odd.record->count, count);
	query->wanted += count;
	for (size_t i = 0; i < count; i++)
		ml_release(node, messages[i]);
	query_room(node, self);
}

static void query_acked(struct ml_node *node, void *self, uint64_t cookie, bool delivered)
{
	(void)node;
	(void)cookie;
	struct query *query = self;
	kit_add(delivered ? &query->odd.record->delivered : &query->odd.record->failed, 1);
}

static void query_round(struct ml_node *node, void *self, const struct ml_round *round)
{
	(void)node;
	struct query *query = self;
	kit_add(round->phase == ML_ROUND_BEGIN ? &query->odd.record->begins
					       : &query->odd.record->ends,
		1);
}

const struct ml_node_class kit_query_class = {
	.type = "t-query",
	.version = 1,
	.title = "Query",
	.help = "Gives its own.",
	.category = "report",
	.ports = query_ports,
	.size = sizeof(struct query),
	.flags = ML_NODE_QUERY,
	.prepare = odd_prepare,
	.start = odd_start,
	.process = query_process,
	.round = query_round,
	.room = query_room,
	.acked = query_acked,
	.stop = odd_stop,
};
