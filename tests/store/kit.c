/* An engine with a store, and nodes around it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/kit.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <meterloom/command.h>

#include "mbus/application.h"
#include "meter/family.h"
#include "meter/origin.h"
#include "store/family.h"

const char kit_graph[] =
	"{'meterloom': 1, 'nodes': ["
	" {'id': 'source', 'type': 't-source'}, {'id': 'store', 'type': 'store'},"
	" {'id': 'sink', 'type': 't-sink'}, {'id': 'told', 'type': 't-told'},"
	" {'id': 'clock', 'type': 't-clock'},"
	" {'id': 'query', 'type': 'store-query', 'params': {'destination': 'head-end', 'limit': "
	"10}},"
	" {'id': 'end', 'type': 't-end'}],"
	" 'edges': [{'from': 'source', 'to': 'store', 'capacity': 16384},"
	" {'from': 'store.out', 'to': 'sink'},"
	" {'from': 'store.round-stored', 'to': 'told'}, {'from': 'clock', 'to': 'query.in'},"
	" {'from': 'query', 'to': 'end'}]}";

/* ---- How nodes find their kit ---- */

static int service_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	(void)engine;
	*ret_service = calloc(1, sizeof(struct kit *));
	return *ret_service ? 0 : ml_error_set(err, -ENOMEM, "out of memory");
}

static const struct ml_service_class services[] = {{"kit", service_start, free}, {0}};

struct kit *kit_of_engine(struct ml_engine *engine)
{
	struct kit **slot = ml_service(engine, "kit");
	return *slot;
}

static struct kit *kit_of(struct ml_node *node)
{
	return kit_of_engine(ml_node_engine(node));
}

/* ---- Nodes ---- */

static void source_start(struct ml_node *node, void *self)
{
	(void)self;
	kit_of(node)->source = node;
}

static void source_acked(struct ml_node *node, void *self, uint64_t cookie, bool delivered)
{
	struct kit *kit = kit_of(node);
	(void)self;
	kit->delivered += delivered;
	kit->failed += !delivered;
	if (delivered && kit->on_delivered)
		kit->on_delivered(kit, cookie);
}

static void source_stop(struct ml_node *node, void *self)
{
	(void)self;
	if (kit_of(node)->source == node)
		kit_of(node)->source = NULL;
}

static const struct ml_port source_ports[] = {
	{.name = "out", .direction = ML_OUTPUT, .type = &meter_reading_type, .help = "Readings."},
	{0}};

static const struct ml_node_class source_class = {
	.type = "t-source",
	.version = 1,
	.title = "Source",
	.help = "Readings.",
	.category = "source",
	.ports = source_ports,
	.size = 1,
	.flags = ML_NODE_SOURCE | ML_NODE_ROUNDS,
	.start = source_start,
	.acked = source_acked,
	.stop = source_stop,
};

static void sink_start(struct ml_node *node, void *self)
{
	(void)self;
	if (kit_of(node)->sink_stuck)
		ml_node_demand(node, 0, 0);
}

static void sink_process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	struct kit *kit = kit_of(node);
	(void)self;
	(void)port;
	for (size_t i = 0; i < count; i++) {
		if (kit->seen < KIT_SEEN_MAX)
			kit->traces[kit->seen] = messages[i]->trace;
		kit->seen++;
		ml_release(node, messages[i]);
	}
}

static void sink_round(struct ml_node *node, void *self, const struct ml_round *round)
{
	struct kit *kit = kit_of(node);
	(void)self;
	if (round->phase == ML_ROUND_BEGIN) {
		kit->begins++;
	} else {
		kit->ends++;
		kit->seen_at_end = kit->seen;
	}
}

static const struct ml_port sink_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &meter_reading_type, .help = "Readings."},
	{0}};

static const struct ml_node_class sink_class = {
	.type = "t-sink",
	.version = 1,
	.title = "Sink",
	.help = "Counts.",
	.category = "sink",
	.ports = sink_ports,
	.size = 1,
	.start = sink_start,
	.process = sink_process,
	.round = sink_round,
};

static void told_process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	(void)self;
	(void)port;
	for (size_t i = 0; i < count; i++) {
		const struct ml_trigger *trigger = (const void *)messages[i]->payload;
		assert_string_equal(trigger->kind, "round-stored");
		kit_of(node)->told++;
		ml_release(node, messages[i]);
	}
}

static const struct ml_port told_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &ml_trigger_type, .help = "Triggers."}, {0}};

static const struct ml_node_class told_class = {
	.type = "t-told",
	.version = 1,
	.title = "Told",
	.help = "Counts triggers.",
	.category = "sink",
	.ports = told_ports,
	.size = 1,
	.process = told_process,
};

static void clock_start(struct ml_node *node, void *self)
{
	(void)self;
	kit_of(node)->clock_node = node;
}

static const struct ml_port clock_ports[] = {
	{.name = "out", .direction = ML_OUTPUT, .type = &ml_trigger_type, .help = "Triggers."},
	{0}};

static const struct ml_node_class clock_class = {
	.type = "t-clock",
	.version = 1,
	.title = "Clock",
	.help = "Triggers.",
	.category = "trigger",
	.ports = clock_ports,
	.size = 1,
	.flags = ML_NODE_SOURCE,
	.start = clock_start,
};

static size_t read_pages(
	const struct meter_batch *batch, enum meter_batch_order order, uint64_t *traces)
{
	struct meter_batch_item items[7];
	void *cursor = NULL;
	size_t seen = 0;
	int count;
	assert_int_equal(meter_batch_open(batch, order, &cursor, NULL), 0);
	while ((count = batch->class->page(cursor, items, 7, NULL)) > 0) {
		for (int i = 0; i < count; i++) {
			assert_in_range(items[i].sequence, 1, UINT32_MAX);
			if (seen < 1024)
				traces[seen] = items[i].reading->trace;
			seen++;
		}
	}
	assert_int_equal(count, 0);
	batch->class->close(cursor);
	return seen;
}

static void end_start(struct ml_node *node, void *self)
{
	(void)self;
	kit_of(node)->end_node = node;
}

static void end_process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	struct kit *kit = kit_of(node);
	(void)self;
	(void)port;
	for (size_t i = 0; i < count; i++) {
		const struct meter_batch *batch = meter_batch(messages[i]);
		struct kit_batch *record = &kit->batches[kit->batch_count++];
		assert_true(kit->batch_count < KIT_BATCHES_MAX);
		*record = (struct kit_batch){.first = batch->first,
			.last = batch->last,
			.count = batch->count,
			.due = (uint64_t)batch->trigger.due,
			.more = batch->more};
		record->seen = read_pages(batch, METER_BATCH_BY_TIME, record->traces);
		assert_int_equal(
			read_pages(batch, METER_BATCH_BY_METER, record->by_meter), record->seen);
		if (kit->mode == KIT_DELIVER)
			ml_release(node, messages[i]);
		else if (kit->mode == KIT_FAIL)
			ml_fail(node, messages[i], "the head-end is away");
		else
			kit->held = messages[i];
	}
}

static void end_stop(struct ml_node *node, void *self)
{
	struct kit *kit = kit_of(node);
	(void)self;
	ml_release(node, kit->held);
	kit->held = NULL;
}

static const struct ml_port end_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &meter_batch_type, .help = "Batches."}, {0}};

static const struct ml_node_class end_class = {
	.type = "t-end",
	.version = 1,
	.title = "End",
	.help = "Takes batches.",
	.category = "sink",
	.ports = end_ports,
	.size = 1,
	.start = end_start,
	.process = end_process,
	.stop = end_stop,
};

static const struct ml_node_class *const classes[] = {
	&source_class, &sink_class, &told_class, &clock_class, &end_class, NULL};

const struct ml_family kit_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "kit",
	.node_classes = classes,
	.services = services,
};

/* ---- The engine ---- */

struct kit *kit_new_with(const struct kit_options *wanted)
{
	struct kit *kit = calloc(1, sizeof *kit);
	struct ml_error err = ML_ERROR_NONE;
	size_t count = 0;
	assert_non_null(kit);
	kit->families[count++] = &meter_family;
	kit->families[count++] = &store_family;
	kit->families[count++] = &store_delivery_family;
	kit->families[count++] = &kit_family;
	for (size_t i = 0; i < 3 && wanted->more[i]; i++)
		kit->families[count++] = wanted->more[i];
	if (wanted->data) {
		(void)snprintf(kit->data, sizeof kit->data, "%s", wanted->data);
	} else {
		(void)snprintf(kit->data, sizeof kit->data, "/tmp/meterloom-store-XXXXXX");
		assert_non_null(mkdtemp(kit->data));
	}
	kit->clock = ml_clock_new_simulated(wanted->wall ? wanted->wall : 1790000000 * ML_SEC);
	/* It may begin before what was seen, and is right all the same. */
	ml_clock_set_synchronised(kit->clock, !wanted->lonely);
	kit->log = ml_log_new(kit->clock, 0);
	const struct ml_engine_options options = {.families = kit->families,
		.clock = kit->clock,
		.log = kit->log,
		.data = kit->data,
		.files = wanted->files,
		.seed = wanted->seed};
	if (ml_engine_new(&options, &kit->engine, &err) < 0) {
		if (!wanted->may_fail)
			fail_msg("%s", err.text);
		kit->keep_data = true;
		kit_free(kit);
		return NULL;
	}
	struct kit **slot = ml_service(kit->engine, "kit");
	*slot = kit;
	return kit;
}

struct kit *kit_new(const char *data)
{
	const struct kit_options options = {.data = data};
	return kit_new_with(&options);
}

static void remove_directory(const char *path)
{
	DIR *directory = opendir(path);
	if (!directory)
		return;
	for (struct dirent *entry; (entry = readdir(directory));) {
		char name[512];
		if (entry->d_name[0] == '.' &&
			(entry->d_name[1] == '\0' || entry->d_name[1] == '.'))
			continue;
		(void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		if (unlink(name) < 0)
			remove_directory(name);
	}
	(void)closedir(directory);
	(void)rmdir(path);
}

void kit_free(struct kit *kit)
{
	ml_engine_free(kit->engine);
	ml_log_free(kit->log);
	ml_clock_free(kit->clock);
	if (!kit->keep_data)
		remove_directory(kit->data);
	free(kit->result);
	free(kit);
}

static char *quoted(const char *text)
{
	char *copy = strdup(text);
	assert_non_null(copy);
	for (char *p = copy; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	return copy;
}

void kit_apply(struct kit *kit, const char *graph)
{
	struct ml_errors errors = {0};
	char *text = quoted(graph);
	if (ml_engine_apply(kit->engine, text, strlen(text), &errors) != 0)
		fail_msg("%s: %s", errors.items[0].pointer, errors.items[0].text);
	ml_errors_free(&errors);
	free(text);
	kit_settle(kit);
}

void kit_settle(struct kit *kit)
{
	ml_engine_simulate(kit->engine, 0);
}

void kit_run(struct kit *kit, ml_time duration)
{
	ml_engine_simulate(kit->engine, ml_clock_monotonic(kit->clock) + duration);
}

ml_time kit_wall(struct kit *kit)
{
	return ml_clock_wall(kit->clock);
}

/* ---- Giving ---- */

struct gift {
	struct kit *kit;
	unsigned id;
	uint32_t point;
	uint64_t trace;
	int64_t value;
	ml_time time; /* 0: now */
	size_t count;
	bool failed, round, begin;
	ml_time due;
	const char *text;
};

static void on_lane(
	struct kit *kit, struct ml_node *node, void (*fn)(void *user), struct gift *gift)
{
	gift->kit = kit;
	assert_non_null(node);
	assert_int_equal(ml_lane_post(ml_node_lane(node), fn, gift), 0);
	kit_settle(kit);
}

/* A telegram of the id, eight decimal digits: volume and energy. */
static void make_reading(const struct gift *gift, uint64_t trace, void *block, size_t size)
{
	struct meter_reading *reading = block;
	uint8_t bytes[] = {0x72, 0, 0, 0, 0, 0x2D, 0x2C, 0x1B, 0x07, 0x2A, 0, 0, 0, 0x04, 0x13, 0,
		0, 0, 0, 0x04, 0x06, 1, 0, 0, 0};
	unsigned id = gift->id;
	for (size_t i = 1; i <= 4; i++, id /= 100)
		bytes[i] = (uint8_t)(id % 10 | id / 10 % 10 << 4);
	const uint32_t value = (uint32_t)gift->value;
	memcpy(bytes + 15, &value, 4);
	assert_int_equal(meter_reading_init(block, size, bytes, sizeof bytes, NULL), 0);
	mbus_decode_application(reading, 0, sizeof bytes, 0);
	assert_false(meter_reading_has_error(reading));
	reading->trace = trace;
	reading->point = gift->point;
	if (gift->time)
		reading->time = gift->time;
	reading->origin = meter_origin_number(gift->kit->engine, "bus", "roof", "sim:line", NULL);
}

static void give(void *user)
{
	const struct gift *gift = user;
	struct ml_node *node = gift->kit->source;
	static _Alignas(8) uint8_t block[METER_READING_MAX];
	for (size_t i = 0; i < gift->count; i++) {
		struct meter_reading *reading = (void *)block;
		if (gift->failed) {
			assert_int_equal(meter_reading_init(block, sizeof block, NULL, 0, NULL), 0);
			reading->flags = METER_NOT_READ;
			reading->point = gift->point;
			reading->trace = gift->trace;
			meter_reading_set_error(reading, -1, "no answer after 3 tries");
		} else {
			make_reading(gift, gift->trace + i, block, sizeof block);
		}
		struct ml_message *message = meter_reading_message(node, reading, NULL);
		assert_non_null(message);
		assert_int_equal(ml_ack_attach(node, message, gift->trace + i), 0);
		ml_emit(node, 0, message);
	}
}

void kit_give(struct kit *kit, unsigned id, uint32_t point, uint64_t trace, int64_t value)
{
	struct gift gift = {.id = id, .point = point, .trace = trace, .value = value, .count = 1};
	on_lane(kit, kit->source, give, &gift);
}

void kit_give_at(
	struct kit *kit, unsigned id, uint32_t point, uint64_t trace, int64_t value, ml_time time)
{
	struct gift gift = {
		.id = id, .point = point, .trace = trace, .value = value, .time = time, .count = 1};
	on_lane(kit, kit->source, give, &gift);
}

void kit_give_failed(struct kit *kit, uint32_t point, uint64_t trace)
{
	struct gift gift = {.point = point, .trace = trace, .count = 1, .failed = true};
	on_lane(kit, kit->source, give, &gift);
}

void kit_give_many(struct kit *kit, unsigned id, uint64_t trace, size_t count)
{
	struct gift gift = {.id = id, .trace = trace, .count = count, .value = 7};
	on_lane(kit, kit->source, give, &gift);
}

static void give_round(void *user)
{
	const struct gift *gift = user;
	static struct ml_round round;
	if (gift->begin) {
		round = (struct ml_round){.meters = 1, .due = gift->due};
		(void)snprintf(round.bus, sizeof round.bus, "%s", gift->text ? gift->text : "");
		ml_round_begin(gift->kit->source, &round);
	} else {
		ml_round_end(gift->kit->source, &round);
	}
}

void kit_round(struct kit *kit, bool begin)
{
	struct gift gift = {.begin = begin};
	on_lane(kit, kit->source, give_round, &gift);
}

void kit_round_of(struct kit *kit, bool begin, ml_time due, const char *bus)
{
	struct gift gift = {.begin = begin, .due = due, .text = bus};
	on_lane(kit, kit->source, give_round, &gift);
}

static void give_trigger(void *user)
{
	const struct gift *gift = user;
	struct ml_node *node = gift->kit->clock_node;
	struct ml_message *message =
		ml_message_new(node, &ml_trigger_type, sizeof(struct ml_trigger), NULL);
	assert_non_null(message);
	struct ml_trigger *trigger = (struct ml_trigger *)(void *)message->payload;
	*trigger = (struct ml_trigger){
		.due = ml_node_wall(node), .next = ml_node_wall(node) + ML_HOUR, .period = ML_HOUR};
	(void)snprintf(trigger->kind, sizeof trigger->kind, "%s", gift->text);
	ml_emit(node, 0, message);
}

void kit_trigger_as(struct kit *kit, const char *kind)
{
	struct gift gift = {.text = kind};
	on_lane(kit, kit->clock_node, give_trigger, &gift);
}

void kit_trigger(struct kit *kit)
{
	kit_trigger_as(kit, "cron");
}

static void let_go(void *user)
{
	struct kit *kit = ((const struct gift *)user)->kit;
	ml_release(kit->end_node, kit->held);
	kit->held = NULL;
}

void kit_let_go(struct kit *kit)
{
	struct gift gift = {0};
	assert_non_null(kit->held);
	on_lane(kit, kit->end_node, let_go, &gift);
}

/* ---- Asking ---- */

static void called(void *user, const struct ml_outcome *outcome)
{
	struct kit *kit = user;
	free(kit->result);
	kit->code = outcome->code;
	kit->result = strdup(outcome->code ? outcome->errors[0].text : outcome->result);
}

void kit_call(struct kit *kit, const char *command, const char *params)
{
	char *text = quoted(params);
	json_error_t error;
	json_t *object = json_loads(text, 0, &error);
	if (!object)
		fail_msg("%s: %s", text, error.text);
	free(kit->result);
	kit->result = NULL;
	const struct ml_call call = {.command = command,
		.params = object,
		.text = text,
		.length = strlen(text),
		.role = ML_ROLE_ADMIN,
		.done = called,
		.user_data = kit,
		.lane = ml_engine_lane(kit->engine, "control")};
	assert_int_not_equal(ml_command_call(kit->engine, &call), 0);
	kit_settle(kit);
	assert_non_null(kit->result);
	json_decref(object);
	free(text);
}

int64_t kit_sql(struct kit *kit, const char *database, const char *sql)
{
	char path[128];
	sqlite3 *db = NULL;
	sqlite3_stmt *row = NULL;
	(void)snprintf(path, sizeof path, "%s/%s.db", kit->data, database);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(row) != SQLITE_ROW)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	const int64_t value = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	sqlite3_close(db);
	return value;
}

void kit_run_sql(struct kit *kit, const char *database, const char *sql)
{
	char path[128];
	char *message = NULL;
	sqlite3 *db = NULL;
	(void)snprintf(path, sizeof path, "%s/%s.db", kit->data, database);
	assert_int_equal(
		sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL),
		SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
	sqlite3_close(db);
}
