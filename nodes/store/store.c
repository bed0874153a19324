/* The node `store`: readings go into the database, and on once they are there.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A reading stays in a list until the commit that holds it; then it goes on by `out`, where there
 * is room, or is let go of as delivered. Rounds keep their place among the readings.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "meter/current.h"
#include "meter/list.h"
#include "meter/reading_message.h"
#include "store/nodes.h"
#include "store/writer.h"

enum { PORT_IN, PORT_OUT, PORT_ROUND_STORED };
enum { METRIC_STORED, METRIC_WAITING };
enum {
	HELD_MAX = 2 * STORE_GATHER_MAX, /* readings; beyond, the edge waits */
	TOLD_AT_ONCE = 128,
};

struct mark {
	struct ml_round round;
	uint64_t after; /* so many readings were taken before it */
	struct mark *next;
};

struct store {
	struct store_door door; /* readings to be written */
	struct store_writer *writer;
	struct meter_list *list;               /* NULL: this engine has none */
	struct meter_current *current;         /* NULL: this engine has none */
	const struct meter_snapshot *snapshot; /* as fresh as the last commit */
	struct ml_message *first, *last;       /* written, to be passed on */
	size_t held;                           /* readings taken and not yet let go of */
	uint64_t taken, passed;                /* readings, since the start */
	struct mark *marks, **marks_end;
	bool troubled;
};

static struct store *of_door(struct store_door *door)
{
	return (struct store *)(void *)((char *)door - offsetof(struct store, door));
}

/* ---- Going on ---- */

static void pass_readings(struct store *store, uint64_t until)
{
	struct ml_node *node = store->door.node;
	size_t room = 0;
	while (store->first && store->passed < until) {
		/* Asked again at 0: only then is it told when there is room. */
		if (room == 0 && (room = ml_room(node, PORT_OUT)) == 0)
			return;
		struct ml_message *message = store->first;
		store->first = message->next;
		if (!store->first)
			store->last = NULL;
		message->next = NULL;
		store->passed++;
		store->held--;
		ml_emit(node, PORT_OUT, message);
		if (room != SIZE_MAX)
			room--;
	}
}

/* The round's end, and the word for whoever waits for it. false: there is no room yet. */
static bool pass_mark(struct store *store, const struct mark *mark)
{
	struct ml_node *node = store->door.node;
	if (mark->round.phase == ML_ROUND_END && ml_port_wired(node, PORT_ROUND_STORED)) {
		if (ml_room(node, PORT_ROUND_STORED) == 0)
			return false;
		struct ml_message *message =
			ml_message_new(node, &ml_trigger_type, sizeof(struct ml_trigger), NULL);
		if (message) {
			struct ml_trigger *trigger = (struct ml_trigger *)(void *)message->payload;
			*trigger = (struct ml_trigger){.kind = "round-stored",
				.due = mark->round.due,
				.next = ML_NEVER,
				.round = mark->round.id};
			ml_emit(node, PORT_ROUND_STORED, message);
		} else {
			ml_node_log(node, ML_LOG_ERROR,
				"out of memory: nobody was told that round "
				"%llu is stored",
				(unsigned long long)mark->round.id);
		}
	}
	ml_round_forward(node, &mark->round);
	return true;
}

static void go_on(struct store *store)
{
	for (;;) {
		struct mark *mark = store->marks;
		pass_readings(store, mark ? mark->after : UINT64_MAX);
		if (!mark || store->passed < mark->after || !pass_mark(store, mark))
			break;
		store->marks = mark->next;
		if (!store->marks)
			store->marks_end = &store->marks;
		free(mark);
	}
	ml_node_gauge(store->door.node, METRIC_WAITING, (int64_t)store->held);
	ml_node_demand(
		store->door.node, PORT_IN, store->held < HELD_MAX ? HELD_MAX - store->held : 0);
}

/* ---- Told by the writer ---- */

/* Who answered: what is new to the meter list becomes part of it. */
static void tell_contact(struct store *store, const struct meter_reading *reading)
{
	if (!store->list || !reading->point || !(reading->flags & METER_HAS_IDENTITY) ||
		reading->flags & METER_NOT_READ)
		return;
	if (!store->snapshot || store->snapshot->revision != meter_list_revision(store->list)) {
		meter_snapshot_release(store->snapshot);
		store->snapshot = meter_list_snapshot(store->list);
	}
	meter_list_contact(
		store->list, store->snapshot, reading->point, reading->meter, reading->time);
}

static void tell_current(struct store *store, const struct ml_message *message)
{
	const struct meter_reading *readings[TOLD_AT_ONCE];
	while (store->current && message) {
		size_t count = 0;
		for (; message && count < TOLD_AT_ONCE; message = message->next)
			readings[count++] = meter_reading(message);
		meter_current_take(store->current, readings, count, false);
	}
}

static void written(struct store_door *door)
{
	struct store *store = of_door(door);
	if (!door->count)
		return;
	for (const struct ml_message *m = door->first; m; m = m->next)
		tell_contact(store, meter_reading(m));
	tell_current(store, door->first);
	ml_node_count(door->node, METRIC_STORED, (int64_t)door->count);
	if (store->last)
		store->last->next = door->first;
	else
		store->first = door->first;
	store->last = door->last;
	door->first = NULL;
	door->last = NULL;
	door->count = 0;
	go_on(store);
}

static void trouble(struct store_door *door, const struct ml_error *err)
{
	struct store *store = of_door(door);
	store->troubled = err != NULL;
	if (err)
		ml_node_state(door->node, ML_STATE_FAULT, "%s; %zu readings wait", err->text,
			door->count);
	else
		ml_node_state(door->node, ML_STATE_RUNNING, NULL);
}

/* ---- Told by the engine ---- */

static int prepare(struct ml_node *node, void *self, struct ml_error *err)
{
	struct store *store = self;
	store->writer = store_writer(ml_node_engine(node));
	store->list = meter_list(ml_node_engine(node));
	store->current = meter_current(ml_node_engine(node));
	if (!store->writer)
		return ml_error_set(err, -ENOTSUP, "this engine has no service \"readings\"");
	return store_check_lane(node, err);
}

static void start(struct ml_node *node, void *self)
{
	struct store *store = self;
	store->marks_end = &store->marks;
	store->door.node = node;
	store->door.written = written;
	store->door.trouble = trouble;
	ml_node_demand(node, PORT_IN, HELD_MAX);
	store_writer_open_door(store->writer, &store->door);
	if (!store->troubled)
		ml_node_state(node, ML_STATE_RUNNING, NULL);
}

static void process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	struct store *store = self;
	(void)port;
	for (size_t i = 0; i < count; i++) {
		struct ml_message *message = ml_message_own(node, messages[i]);
		if (!message) {
			ml_fail(node, messages[i], "not stored: out of memory");
			continue;
		}
		store->held++;
		store->taken++;
		store_writer_give(store->writer, &store->door, message);
	}
}

static void on_round(struct ml_node *node, void *self, const struct ml_round *round)
{
	struct store *store = self;
	struct mark *mark = malloc(sizeof *mark);
	store_writer_round(store->writer, &store->door, round->phase == ML_ROUND_BEGIN);
	if (!mark) {
		ml_node_log(
			node, ML_LOG_ERROR, "out of memory: a round goes on before it is stored");
		ml_round_forward(node, round);
		return;
	}
	*mark = (struct mark){.round = *round, .after = store->taken};
	*store->marks_end = mark;
	store->marks_end = &mark->next;
	if (store->passed == store->taken)
		go_on(store);
}

static void room(struct ml_node *node, void *self)
{
	(void)node;
	go_on(self);
}

/* Lets go of a list of messages; returns how many. */
static size_t let_go(struct ml_node *node, struct ml_message *message, const char *failed)
{
	size_t count = 0;
	while (message) {
		struct ml_message *next = message->next;
		if (failed)
			ml_fail(node, message, "not stored: %s", failed);
		else
			ml_release(node, message);
		message = next;
		count++;
	}
	return count;
}

/* What could not be written is failed: its source knows and may read it again. */
static void stop(struct ml_node *node, void *self)
{
	struct store *store = self;
	store_writer_close_door(store->writer, &store->door);
	let_go(node, store->door.first, store->writer->trouble.text);
	const size_t left = let_go(node, store->first, NULL);
	if (left)
		ml_node_log(node, ML_LOG_WARNING,
			"%zu readings are stored but were not passed on: there was no room behind "
			"\"out\"",
			left);
	while (store->marks) {
		struct mark *mark = store->marks;
		store->marks = mark->next;
		ml_round_forward(node, &mark->round);
		free(mark);
	}
	meter_snapshot_release(store->snapshot);
	store->snapshot = NULL;
}

static const struct ml_port ports[] = {
	{.name = "in",
		.direction = ML_INPUT,
		.type = &meter_reading_type,
		.required = true,
		.help = "Readings to be kept, also those of readouts that failed."},
	{.name = "out",
		.direction = ML_OUTPUT,
		.type = &meter_reading_type,
		.help = "The same readings, once they are on the disk."},
	{.name = "round-stored",
		.direction = ML_OUTPUT,
		.type = &ml_trigger_type,
		.help = "A trigger once all readings of a round are on the disk: for reports that "
			"wait for a readout."},
	{0},
};

static const struct ml_metric metrics[] = {
	{"stored", false, "Readings written to the disk."},
	{"waiting", true, "Readings that are not yet written or not yet passed on."},
	{0},
};

const struct ml_node_class store_class = {
	.type = "store",
	.version = 1,
	.title = "Store",
	.help = "Keeps every reading, with its telegram, in the gateway's database. Readings are "
		"written together: four times a second, while a round runs every ten seconds "
		"(setting store.round_commit), and at its end at once. They are acknowledged only "
		"after they are on the disk. When the disk is full or cannot be written, the node "
		"says so, takes no "
		"more, and goes on by itself when it can.",
	.category = "store",
	.ports = ports,
	.metrics = metrics,
	.size = sizeof(struct store),
	.lane = STORE_LANE,
	.flags = ML_NODE_STORE | ML_NODE_HOLDS_ROUNDS,
	.prepare = prepare,
	.start = start,
	.process = process,
	.round = on_round,
	.room = room,
	.stop = stop,
};
