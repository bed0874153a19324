/* Taps: messages of an edge as JSON on a feed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run/tap.h"

#include <meterloom/feed.h>
#include <stdio.h>

#include "run/runtime.h"

enum {
	SHOWN_A_BATCH = 8, /* a watcher wants to see what moves, not to get all of it */
	TOPIC_MAX = 300,
};

static void topic_of(const struct ml_edge *edge, char *topic)
{
	(void)snprintf(topic, TOPIC_MAX, "tap:%s", edge->key);
}

void ml_tap_show(struct ml_edge *edge, uint64_t from)
{
	struct ml_engine *engine = edge->to->engine;
	struct ml_ring *ring = edge->ring;
	struct ml_buffer text = {.limit = 256 * 1024};
	char topic[TOPIC_MAX];
	topic_of(edge, topic);
	const uint64_t end = ring->filled;
	const uint64_t last = end - from > SHOWN_A_BATCH ? from + SHOWN_A_BATCH : end;
	for (uint64_t at = from; at < last; at++) {
		const struct ml_message *message =
			atomic_load_explicit(&ring->slots[at & ring->mask], memory_order_relaxed);
		struct ml_json_writer w;
		ml_buffer_clear(&text);
		ml_json_writer_init(&w, &text);
		ml_json_begin_object(&w);
		ml_json_key(&w, "edge");
		ml_json_string(&w, edge->key);
		ml_json_key(&w, "type");
		ml_json_string(&w, message->type->name);
		ml_json_key(&w, "position");
		ml_json_unsigned(&w, at);
		ml_json_key(&w, "message");
		message->type->to_json(message, &w);
		ml_json_end_object(&w);
		if (!text.failed)
			ml_feed_publish(engine, topic, text.data, text.length);
	}
	ml_buffer_free(&text);
}

void ml_taps_look(struct ml_engine *engine)
{
	struct ml_runtime *runtime = engine->runtime;
	char topic[TOPIC_MAX];
	for (size_t e = 0; e < runtime->edge_count; e++) {
		topic_of(runtime->edges[e], topic);
		atomic_store(&runtime->edges[e]->tapped, ml_feed_wanted(engine, topic));
	}
}

static void look(void *user)
{
	ml_taps_look(user);
}

void ml_taps_changed(struct ml_engine *engine)
{
	(void)ml_lane_post(engine->control, look, engine);
}
