/* The nodes that most tests of engine/run are made of: a source, one that passes on, a sink, and
 * one that holds a resource. SPDX-License-Identifier: Apache-2.0
 */
#include "run/kit_nodes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void number_to_json(const struct ml_message *message, struct ml_json_writer *w)
{
	const struct kit_number *number = (const void *)message->payload;
	ml_json_begin_object(w);
	ml_json_key(w, "number");
	ml_json_unsigned(w, number->value);
	ml_json_end_object(w);
}

const struct ml_message_type kit_number_type = {
	.name = "number", .help = "A number.", .to_json = number_to_json};

/* ---- source: emits numbers, as many as there is room for ---- */

struct source {
	int64_t count, batch;
	bool acks, rounds, open, blind;
	ml_time every;
	struct ml_timer timer;
	struct kit_record *record;
	struct ml_node *node;
	bool round_open;
};

static const struct ml_param source_params[] = {
	{.name = "count",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct source, count),
		.title = "Count",
		.help = "How many; 0: no end.",
		.preset = "0"},
	{.name = "batch",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct source, batch),
		.title = "Batch",
		.help = "How many at a time.",
		.preset = "32",
		.min = 1,
		.max = 1000},
	{.name = "every",
		.kind = ML_PARAM_DURATION,
		.offset = offsetof(struct source, every),
		.title = "Every",
		.help = "Between batches.",
		.unit = "ms",
		.preset = "0"},
	{.name = "acks",
		.kind = ML_PARAM_BOOL,
		.offset = offsetof(struct source, acks),
		.title = "Acks",
		.help = "Attach acks.",
		.preset = "false"},
	{.name = "rounds",
		.kind = ML_PARAM_BOOL,
		.offset = offsetof(struct source, rounds),
		.title = "Rounds",
		.help = "A round a batch.",
		.preset = "false"},
	{.name = "open",
		.kind = ML_PARAM_BOOL,
		.offset = offsetof(struct source, open),
		.title = "Open",
		.help = "One round for all it gives, and never its end.",
		.preset = "false"},
	{.name = "blind",
		.kind = ML_PARAM_BOOL,
		.offset = offsetof(struct source, blind),
		.title = "Blind",
		.help = "Emit whether there is room or not.",
		.preset = "false"},
	{0},
};

static const struct ml_port source_ports[] = {
	{.name = "out", .direction = ML_OUTPUT, .type = &kit_number_type, .help = "Numbers."}, {0}};

int kit_prepare(struct ml_node *node, struct kit_record **record)
{
	*record = kit_record(kit_of(node), ml_node_id(node));
	return 0;
}

static int source_prepare(struct ml_node *node, void *self, struct ml_error *err)
{
	(void)err;
	struct source *source = self;
	source->node = node;
	return kit_prepare(node, &source->record);
}

static void source_emit(struct source *source)
{
	const uint64_t before = atomic_load(&source->record->count);
	uint64_t n = (uint64_t)source->batch;
	if (source->count && (uint64_t)source->count - before < n)
		n = (uint64_t)source->count - before;
	if (!n)
		return;
	const size_t room = ml_room(source->node, 0);
	if (!source->blind && room < n)
		n = room;
	struct ml_round round = {.meters = (uint32_t)n};
	if (source->rounds && n && !(source->open && source->round_open))
		ml_round_begin(source->node, &round);
	source->round_open = true;
	for (uint64_t i = 0; i < n; i++) {
		struct ml_message *message = ml_message_new(
			source->node, &kit_number_type, sizeof(struct kit_number), NULL);
		assert_non_null(message);
		((struct kit_number *)(void *)message->payload)->value = before + i + 1;
		if (source->acks)
			assert_int_equal(ml_ack_attach(source->node, message, before + i + 1), 0);
		ml_emit(source->node, 0, message);
	}
	if (source->rounds && n && !source->open)
		ml_round_end(source->node, &round);
	kit_add(&source->record->count, n);
	if (n)
		ml_timer_start(&source->timer, ml_node_now(source->node) + source->every);
}

static void source_fire(struct ml_timer *timer)
{
	source_emit(timer->user);
}

static void source_start(struct ml_node *node, void *self)
{
	struct source *source = self;
	kit_add(&source->record->starts, 1);
	ml_timer_init(&source->timer, ml_node_lane(node), source_fire, source);
	ml_timer_start(&source->timer, ml_node_now(node));
}

static void source_room(struct ml_node *node, void *self)
{
	struct source *source = self;
	ml_timer_start(&source->timer, ml_node_now(node));
}

static void source_acked(struct ml_node *node, void *self, uint64_t cookie, bool delivered)
{
	(void)node;
	(void)cookie;
	struct source *source = self;
	kit_add(delivered ? &source->record->delivered : &source->record->failed, 1);
}

static void source_stop(struct ml_node *node, void *self)
{
	(void)node;
	kit_add(&((struct source *)self)->record->stops, 1);
}

const struct ml_node_class kit_source_class = {
	.type = "t-source",
	.version = 1,
	.title = "Source",
	.help = "Numbers.",
	.category = "source",
	.params = source_params,
	.ports = source_ports,
	.size = sizeof(struct source),
	.flags = ML_NODE_SOURCE | ML_NODE_ROUNDS,
	.prepare = source_prepare,
	.start = source_start,
	.room = source_room,
	.acked = source_acked,
	.stop = source_stop,
};

/* ---- pass: hands on what it gets; fails or drops some ---- */

struct pass {
	int64_t fail_every, drop_every;
	struct kit_record *record;
	char *refuse;
};

static const struct ml_param pass_params[] = {
	{.name = "fail_every",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct pass, fail_every),
		.title = "Fail",
		.help = "Fail numbers that this divides.",
		.preset = "0"},
	{.name = "drop_every",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct pass, drop_every),
		.title = "Drop",
		.help = "Drop numbers that this divides, on purpose.",
		.preset = "0"},
	{.name = "note",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct pass, refuse),
		.title = "Note",
		.help = "'refuse': cannot be prepared.",
		.preset = "\"\""},
	{0},
};

static const struct ml_port pass_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &kit_number_type, .help = "Numbers."},
	{.name = "out",
		.direction = ML_OUTPUT,
		.type = &kit_number_type,
		.most = 1,
		.help = "The same."},
	{0}};

static int pass_prepare(struct ml_node *node, void *self, struct ml_error *err)
{
	struct pass *pass = self;
	if (strcmp(pass->refuse, "refuse") == 0)
		return ml_error_set(err, -EIO, "refused, as it was asked to");
	return kit_prepare(node, &pass->record);
}

static void pass_start(struct ml_node *node, void *self)
{
	(void)node;
	kit_add(&((struct pass *)self)->record->starts, 1);
}

static void pass_stop(struct ml_node *node, void *self)
{
	(void)node;
	kit_add(&((struct pass *)self)->record->stops, 1);
}

static void pass_process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	(void)port;
	struct pass *pass = self;
	kit_add(&pass->record->count, count);
	for (size_t i = 0; i < count; i++) {
		const uint64_t value = ((struct kit_number *)(void *)messages[i]->payload)->value;
		if (pass->fail_every && value % (uint64_t)pass->fail_every == 0)
			ml_fail(node, messages[i], "a number could not be passed");
		else if (pass->drop_every && value % (uint64_t)pass->drop_every == 0)
			ml_release(node, messages[i]);
		else
			ml_emit(node, 1, messages[i]);
	}
}

const struct ml_node_class kit_pass_class = {
	.type = "t-pass",
	.version = 1,
	.title = "Pass",
	.help = "Passes on.",
	.category = "process",
	.params = pass_params,
	.ports = pass_ports,
	.size = sizeof(struct pass),
	.prepare = pass_prepare,
	.start = pass_start,
	.process = pass_process,
	.stop = pass_stop,
};

/* ---- sink: counts, checks the order; may take one at a time and be slow ---- */

struct sink {
	bool one_by_one, stuck;
	ml_time delay;
	struct ml_timer timer;
	struct ml_message *held;
	struct ml_node *node;
	struct kit_record *record;
};

static const struct ml_param sink_params[] = {
	{.name = "one_by_one",
		.kind = ML_PARAM_BOOL,
		.offset = offsetof(struct sink, one_by_one),
		.title = "One by one",
		.help = "Holds one at a time.",
		.preset = "false"},
	{.name = "delay",
		.kind = ML_PARAM_DURATION,
		.offset = offsetof(struct sink, delay),
		.title = "Delay",
		.help = "How long it holds one.",
		.unit = "ms",
		.preset = "1"},
	{.name = "stuck",
		.kind = ML_PARAM_BOOL,
		.offset = offsetof(struct sink, stuck),
		.title = "Stuck",
		.help = "Takes nothing.",
		.preset = "false"},
	{0},
};

static const struct ml_port sink_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &kit_number_type, .help = "Numbers."}, {0}};

static void sink_taken(struct sink *sink, const struct ml_message *message)
{
	struct kit_record *record = sink->record;
	const uint64_t value = ((const struct kit_number *)(const void *)message->payload)->value;
	const uint64_t last = atomic_load_explicit(&record->last, memory_order_relaxed);
	if (value <= last)
		kit_add(&record->repeats, 1);
	else if (value != last + 1)
		kit_add(&record->gaps, 1);
	atomic_store_explicit(&record->last, value, memory_order_relaxed);
	kit_add(&record->count, 1);
}

static void sink_fire(struct ml_timer *timer)
{
	struct sink *sink = timer->user;
	ml_release(sink->node, sink->held);
	sink->held = NULL;
	ml_node_demand(sink->node, 0, 1);
}

static int sink_prepare(struct ml_node *node, void *self, struct ml_error *err)
{
	(void)err;
	struct sink *sink = self;
	sink->node = node;
	return kit_prepare(node, &sink->record);
}

static void sink_start(struct ml_node *node, void *self)
{
	struct sink *sink = self;
	kit_add(&sink->record->starts, 1);
	ml_timer_init(&sink->timer, ml_node_lane(node), sink_fire, sink);
	if (sink->one_by_one)
		ml_node_demand(node, 0, 1);
	if (sink->stuck)
		ml_node_demand(node, 0, 0);
}

static void sink_process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	(void)port;
	struct sink *sink = self;
	for (size_t i = 0; i < count; i++)
		sink_taken(sink, messages[i]);
	if (sink->one_by_one) {
		assert_int_equal(count, 1);
		assert_null(sink->held);
		sink->held = messages[0];
		ml_timer_start(&sink->timer, ml_node_now(node) + sink->delay);
		return;
	}
	for (size_t i = 0; i < count; i++)
		ml_release(node, messages[i]);
}

/* Each begin comes once, and one end after it. */
static void check_round(struct kit_record *record, const struct ml_round *round)
{
	(void)pthread_mutex_lock(&record->lock);
	size_t count = atomic_load(&record->open_count), i = 0;
	while (i < count && record->open[i] != round->id)
		i++;
	if ((i < count) != (round->phase == ML_ROUND_END) || count == KIT_ROUNDS_MAX)
		kit_add(&record->wrong, 1);
	else if (round->phase == ML_ROUND_BEGIN)
		record->open[count++] = round->id;
	else
		record->open[i] = record->open[--count];
	atomic_store(&record->open_count, count);
	(void)pthread_mutex_unlock(&record->lock);
}

static void sink_round(struct ml_node *node, void *self, const struct ml_round *round)
{
	(void)node;
	struct sink *sink = self;
	check_round(sink->record, round);
	kit_add(round->phase == ML_ROUND_BEGIN ? &sink->record->begins : &sink->record->ends, 1);
	if (round->phase == ML_ROUND_END)
		atomic_store(&sink->record->at_end, atomic_load(&sink->record->count));
}

static void sink_stop(struct ml_node *node, void *self)
{
	struct sink *sink = self;
	kit_add(&sink->record->stops, 1);
	if (sink->held)
		ml_fail(node, sink->held, "stopped while it held a number");
	sink->held = NULL;
}

const struct ml_node_class kit_sink_class = {
	.type = "t-sink",
	.version = 1,
	.title = "Sink",
	.help = "Counts.",
	.category = "sink",
	.params = sink_params,
	.ports = sink_ports,
	.size = sizeof(struct sink),
	.prepare = sink_prepare,
	.start = sink_start,
	.process = sink_process,
	.round = sink_round,
	.stop = sink_stop,
};

/* ---- holder: claims a resource, opens it, and hands it to its next instance ---- */

/* What only one can have open. */
struct thing {
	uint64_t instances; /* how many had it */
	atomic_int *open;
	struct kit_record *record;
};

struct holder {
	char *resource;
	int64_t generation;
	struct ml_node *node;
	struct kit_record *record;
	struct thing *thing;
	struct ml_timer again;
};

static const struct ml_param holder_params[] = {
	{.name = "resource",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct holder, resource),
		.title = "Resource",
		.help = "What it claims.",
		.preset = "\"tty:a\""},
	{.name = "generation",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct holder, generation),
		.title = "Generation",
		.help = "Any number.",
		.preset = "0"},
	{0},
};

static int holder_check(const void *self, struct ml_check *check, struct ml_error *err)
{
	(void)err;
	ml_check_claim(check, "resource", ((const struct holder *)self)->resource);
	return 0;
}

static int holder_prepare(struct ml_node *node, void *self, struct ml_error *err)
{
	(void)err;
	((struct holder *)self)->node = node;
	return kit_prepare(node, &((struct holder *)self)->record);
}

static struct thing *open_thing(struct holder *holder)
{
	const char *name = holder->resource;
	struct thing *thing = calloc(1, sizeof *thing);
	assert_non_null(thing);
	thing->record = holder->record;
	thing->open = &kit_of(holder->node)->open[(unsigned char)name[strlen(name) - 1]];
	assert_int_equal(atomic_fetch_add(thing->open, 1), 0);
	return thing;
}

static void close_thing(void *value)
{
	struct thing *thing = value;
	atomic_fetch_sub(thing->open, 1);
	kit_add(&thing->record->disposed, 1);
	free(thing);
}

static void holder_try(struct holder *holder)
{
	if (ml_resource_claim(holder->node, holder->resource)) {
		ml_node_state(
			holder->node, ML_STATE_WAITING, "%s is held by another", holder->resource);
		kit_add(&holder->record->failed, 1);
		ml_timer_start(&holder->again, ml_node_now(holder->node) + 100 * ML_MSEC);
		return;
	}
	holder->thing = ml_resource_take(holder->node, holder->resource);
	if (!holder->thing)
		holder->thing = open_thing(holder);
	holder->thing->instances++;
	atomic_store(&holder->record->last, holder->thing->instances);
	ml_node_state(holder->node, ML_STATE_RUNNING, NULL);
}

static void holder_again(struct ml_timer *timer)
{
	holder_try(timer->user);
}

static void holder_start(struct ml_node *node, void *self)
{
	struct holder *holder = self;
	kit_add(&holder->record->starts, 1);
	ml_timer_init(&holder->again, ml_node_lane(node), holder_again, holder);
	holder_try(holder);
}

static void holder_process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	(void)port;
	kit_add(&((struct holder *)self)->record->count, count);
	for (size_t i = 0; i < count; i++)
		ml_release(node, messages[i]);
}

static void holder_stop(struct ml_node *node, void *self)
{
	struct holder *holder = self;
	kit_add(&holder->record->stops, 1);
	if (holder->thing)
		ml_resource_leave(node, holder->resource, holder->thing, close_thing);
}

static const struct ml_port holder_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &kit_number_type, .help = "Numbers."}, {0}};

const struct ml_node_class kit_holder_class = {
	.type = "t-holder",
	.version = 1,
	.title = "Holder",
	.help = "Holds.",
	.category = "sink",
	.params = holder_params,
	.ports = holder_ports,
	.size = sizeof(struct holder),
	.check = holder_check,
	.prepare = holder_prepare,
	.start = holder_start,
	.process = holder_process,
	.stop = holder_stop,
};
