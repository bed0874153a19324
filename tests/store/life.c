/* A gateway's life, told as it happens: the child's side.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/life.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <meterloom/files.h>

#include "meter/delivery.h"
#include "meter/document.h"
#include "report/family.h"
#include "store/life_tale.h"

const char life_batches[] =
	"{'meterloom': 1, 'nodes': ["
	" {'id': 'source', 'type': 't-source'}, {'id': 'store', 'type': 'store'},"
	" {'id': 'clock', 'type': 't-clock'},"
	" {'id': 'query', 'type': 'store-query', 'params': {'destination': 'head-end', 'limit': "
	"20}},"
	" {'id': 'head', 'type': 't-head-batch'}],"
	" 'edges': [{'from': 'source', 'to': 'store', 'capacity': 16384},"
	" {'from': 'clock', 'to': 'query.in'}, {'from': 'query', 'to': 'head'}]}";

const char life_documents[] =
	"{'meterloom': 1, 'nodes': ["
	" {'id': 'source', 'type': 't-source'}, {'id': 'store', 'type': 'store'},"
	" {'id': 'clock', 'type': 't-clock'},"
	" {'id': 'query', 'type': 'store-query', 'params': {'destination': 'head-end', 'limit': "
	"20}},"
	" {'id': 'render', 'type': 'template-render', 'params': {'template': 'json'}},"
	" {'id': 'head', 'type': 't-head'}],"
	" 'edges': [{'from': 'source', 'to': 'store', 'capacity': 16384},"
	" {'from': 'clock', 'to': 'query.in'}, {'from': 'query', 'to': 'render'},"
	" {'from': 'render', 'to': 'head'}]}";

uint64_t life_random(struct life *life, uint64_t below)
{
	life->random ^= life->random << 13;
	life->random ^= life->random >> 7;
	life->random ^= life->random << 17;
	return life->random % below;
}

/* ---- Telling ---- */

static void tell(struct life *life, const struct tale_word *word, const uint64_t *traces)
{
	const size_t length = word->count * sizeof *traces;
	if (write(life->tell_to, word, sizeof *word) != (ssize_t)sizeof *word ||
		(traces && write(life->tell_to, traces, length) != (ssize_t)length))
		_exit(3);
}

static uint64_t hash(uint64_t hash, const void *bytes, size_t length)
{
	const uint8_t *p = bytes;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ p[i]) * 1099511628211u;
	return hash;
}

static struct life *current; /* the one of this process */

static void acknowledged(struct kit *kit, uint64_t trace)
{
	(void)kit;
	tell(current, &(struct tale_word){.kind = TALE_ACKNOWLEDGED, .count = 1}, &trace);
}

/* ---- The head-end ---- */

struct traces {
	uint64_t *items;
	size_t count, capacity;
};

static void add_trace(struct traces *traces, uint64_t trace)
{
	if (traces->count == traces->capacity) {
		traces->capacity = traces->capacity ? traces->capacity * 2 : 256;
		traces->items = realloc(traces->items, traces->capacity * sizeof trace);
		assert_non_null(traces->items);
	}
	traces->items[traces->count++] = trace;
}

static struct ml_message *held;
static struct ml_node *holder;

static void let_go(void *user)
{
	(void)user;
	ml_release(holder, held);
	held = NULL;
}

/* It got the report: what it makes of it is its own affair, and the network's. */
static void decide(struct ml_node *node, struct ml_message *message, bool got)
{
	const uint64_t luck = current->faithful ? 0 : life_random(current, 10);
	if (!got || luck >= 8) {
		ml_fail(node, message, "the head-end is away");
	} else if (luck == 7 && !held) {
		held = message;
		holder = node;
	} else {
		ml_release(node, message);
	}
}

static bool gets(void)
{
	return current->faithful || life_random(current, 10) != 0;
}

static void head_batch_process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	(void)self;
	(void)port;
	for (size_t i = 0; i < count; i++) {
		const struct meter_batch *batch = meter_batch(messages[i]);
		struct meter_batch_item items[50];
		struct traces traces = {0};
		void *cursor = NULL;
		int found = -1;
		const bool got = gets();
		if (got && meter_batch_open(batch, METER_BATCH_BY_TIME, &cursor, NULL) == 0) {
			while ((found = batch->class->page(cursor, items, 50, NULL)) > 0)
				for (int n = 0; n < found; n++)
					add_trace(&traces, items[n].reading->trace);
			batch->class->close(cursor);
		}
		if (found == 0) {
			const uint64_t range[] = {batch->first, batch->last};
			tell(current,
				&(struct tale_word){.kind = TALE_GOT,
					.count = traces.count,
					.key = hash(14695981039346656037u, range, sizeof range),
					.hash = hash(1, traces.items,
						traces.count * sizeof *traces.items)},
				traces.items);
		}
		free(traces.items);
		decide(node, messages[i], found == 0);
	}
}

static void find_traces(const char *text, struct traces *traces)
{
	static const char key[] = "\"trace\":";
	while ((text = strstr(text, key))) {
		text += sizeof key - 1;
		add_trace(traces, strtoull(text, NULL, 10));
	}
}

static bool take_document(const struct meter_document *document)
{
	struct ml_buffer text = {0};
	struct traces traces = {0};
	const int result = ml_files_read(&ml_files_system, document->path, 64 << 20, &text, NULL);
	if (result == 0) {
		ml_buffer_append(&text, "", 1);
		find_traces(text.data, &traces);
		const char *key = meter_delivery_key(document->delivery);
		tell(current,
			&(struct tale_word){.kind = TALE_GOT,
				.count = traces.count,
				.key = hash(14695981039346656037u, key, strlen(key)),
				.hash = hash(1, text.data, text.length)},
			traces.items);
	}
	ml_buffer_free(&text);
	free(traces.items);
	return result == 0;
}

static void head_process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	(void)self;
	(void)port;
	for (size_t i = 0; i < count; i++)
		decide(node, messages[i], gets() && take_document(meter_document(messages[i])));
}

static void head_stop(struct ml_node *node, void *self)
{
	(void)self;
	if (held && holder == node)
		let_go(NULL);
}

static const struct ml_port batch_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &meter_batch_type, .help = "Batches."}, {0}};
static const struct ml_port document_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &meter_document_type, .help = "Documents."},
	{0}};

static const struct ml_node_class head_batch_class = {
	.type = "t-head-batch",
	.version = 1,
	.title = "Head-end",
	.help = "Takes batches.",
	.category = "sink",
	.ports = batch_ports,
	.size = 1,
	.process = head_batch_process,
	.stop = head_stop,
};

static const struct ml_node_class head_class = {
	.type = "t-head",
	.version = 1,
	.title = "Head-end",
	.help = "Takes documents.",
	.category = "sink",
	.ports = document_ports,
	.size = 1,
	.process = head_process,
	.stop = head_stop,
};

static const struct ml_node_class *const classes[] = {&head_batch_class, &head_class, NULL};

const struct ml_family life_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "life",
	.node_classes = classes,
};

/* ---- Living ---- */

bool life_begin(struct life *life, const char *data, const struct ml_files *files, unsigned run,
	const char *graph)
{
	const struct kit_options options = {.data = data,
		.files = files,
		.more = {&report_family, &life_family},
		.wall = (1790000000 + (ml_time)run * 86400 * 10) * ML_SEC,
		.seed = life->random,
		.may_fail = files != &ml_files_system};
	current = life;
	life->kit = kit_new_with(&options);
	if (!life->kit)
		return false;
	life->kit->keep_data = true;
	life->kit->on_delivered = acknowledged;
	kit_apply(life->kit, graph);
	return true;
}

static void give(struct life *life)
{
	const size_t count = 1 + life_random(life, 60);
	const bool round = life_random(life, 3) == 0;
	if (round)
		kit_round(life->kit, true);
	for (size_t left = count; left;) {
		const size_t part = 1 + life_random(life, left);
		kit_give_many(life->kit, 1 + (unsigned)life_random(life, 7), life->trace, part);
		life->trace += part;
		left -= part;
	}
	if (round)
		kit_round(life->kit, false);
}

static void release_held(struct life *life)
{
	if (held)
		assert_int_equal(ml_lane_post(ml_node_lane(holder), let_go, NULL), 0);
	kit_settle(life->kit);
}

void life_live(struct life *life, unsigned steps)
{
	/* What is some days old is packed then. */
	if (life_random(life, 2))
		kit_run(life->kit, 11 * ML_MINUTE);
	for (unsigned i = 0; i < steps; i++) {
		switch (life_random(life, 8)) {
		default:
			give(life);
			break;
		case 4:
		case 5:
			kit_trigger(life->kit);
			break;
		case 6:
			kit_run(life->kit,
				(ml_time)life_random(life, life->longest ? life->longest : 3600) *
					ML_SEC);
			break;
		case 7:
			release_held(life);
			break;
		}
	}
}

static void tell_stored(struct life *life, unsigned id)
{
	char params[160];
	char cursor[64] = "";
	do {
		struct traces traces = {0};
		(void)snprintf(params, sizeof params,
			"{'meter': '%08u', 'from': '2000-01-01T00:00:00Z', 'limit': 1000%s%s%s}",
			id, cursor[0] ? ", 'cursor': '" : "", cursor, cursor[0] ? "'" : "");
		kit_call(life->kit, "meter.readings", params);
		if (life->kit->code == -ENOENT)
			return;
		if (life->kit->code)
			fail_msg("meter.readings: %s", life->kit->result);
		find_traces(life->kit->result, &traces);
		tell(life, &(struct tale_word){.kind = TALE_STORED, .count = traces.count},
			traces.items);
		free(traces.items);
		const char *next = strstr(life->kit->result, "\"next\":\"");
		cursor[0] = '\0';
		if (next)
			(void)sscanf(next + 8, "%63[^\"]", cursor);
	} while (cursor[0]);
}

void life_tell_number(struct life *life, uint64_t number)
{
	tell(life, &(struct tale_word){.kind = TALE_NUMBER, .key = number}, NULL);
}

void life_finish(struct life *life)
{
	life->faithful = true;
	release_held(life);
	for (unsigned i = 0; i < 3; i++) {
		kit_trigger(life->kit);
		kit_run(life->kit, ML_HOUR);
	}
	for (unsigned id = 1; id <= 7; id++)
		tell_stored(life, id);
	life_tell_number(
		life, (uint64_t)kit_sql(life->kit, "readings", "SELECT total(count) FROM chunk"));
	tell(life, &(struct tale_word){.kind = TALE_FINISHED}, NULL);
}

void life_end(struct life *life)
{
	kit_free(life->kit);
	life->kit = NULL;
}
