/* What is measured, as JSON.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "run/runtime.h"

static const char *const state_names[] = {
	[ML_STATE_STOPPED] = "stopped",
	[ML_STATE_RUNNING] = "running",
	[ML_STATE_WAITING] = "waiting",
	[ML_STATE_FAULT] = "fault",
};

static void number(struct ml_json_writer *w, const char *key, uint64_t value)
{
	ml_json_key(w, key);
	ml_json_unsigned(w, value);
}

static void time_text(struct ml_json_writer *w, const char *key, ml_time wall)
{
	char text[ML_TIME_TEXT_MAX];
	ml_json_key(w, key);
	ml_json_string_n(w, text, ml_time_format(wall, text));
}

static void write_node(
	struct ml_runtime *runtime, const struct ml_node *node, struct ml_json_writer *w)
{
	char text[sizeof node->state_text];
	pthread_mutex_lock(&runtime->state_lock);
	const enum ml_state state = node->state;
	const ml_time since = node->state_since;
	memcpy(text, node->state_text, sizeof text);
	pthread_mutex_unlock(&runtime->state_lock);
	ml_json_begin_object(w);
	ml_json_key(w, "type");
	ml_json_string(w, node->class->type);
	ml_json_key(w, "lane");
	ml_json_string(w, node->lane->name);
	ml_json_key(w, "state");
	ml_json_string(w, state_names[state]);
	if (text[0]) {
		ml_json_key(w, "text");
		ml_json_string(w, text);
	}
	time_text(w, "since", since);
	number(w, "received", atomic_load_explicit(&node->received, memory_order_relaxed));
	number(w, "emitted", atomic_load_explicit(&node->emitted, memory_order_relaxed));
	number(w, "failed", atomic_load_explicit(&node->failed, memory_order_relaxed));
	number(w, "dropped", atomic_load_explicit(&node->dropped, memory_order_relaxed));
	if (node->class->metrics && node->class->metrics[0].name) {
		ml_json_key(w, "own");
		ml_json_begin_object(w);
		for (size_t i = 0; node->class->metrics[i].name; i++) {
			ml_json_key(w, node->class->metrics[i].name);
			ml_json_integer(
				w, atomic_load_explicit(&node->metrics[i], memory_order_relaxed));
		}
		ml_json_end_object(w);
	}
	ml_json_end_object(w);
}

/* Rates are reckoned over the time since the call before the last, at least a second. */
static void reckon_rates(struct ml_engine *engine)
{
	struct ml_runtime *runtime = engine->runtime;
	const ml_time now = ml_clock_monotonic(engine->clock);
	const ml_time passed = now - runtime->rates_at;
	if (passed < ML_SEC)
		return;
	runtime->rates_at = now;
	for (size_t e = 0; e < runtime->edge_count; e++) {
		struct ml_edge *edge = runtime->edges[e];
		const uint64_t count =
			atomic_load_explicit(&edge->ring->head, memory_order_relaxed);
		edge->rate = (double)(count - edge->shown_count) * (double)ML_SEC / (double)passed;
		edge->shown_count = count;
	}
}

/* How long the last message that was timed had waited, or how long the one that is timed now has
 * waited so far: the age grows where nothing moves. */
static ml_time age_of(const struct ml_edge *edge, ml_time now)
{
	const ml_time age = atomic_load_explicit(&edge->age, memory_order_relaxed);
	if (!atomic_load_explicit(&edge->probe_position, memory_order_acquire))
		return age;
	const ml_time so_far = now - atomic_load_explicit(&edge->probe_time, memory_order_relaxed);
	return so_far > age ? so_far : age;
}

static void write_edge(const struct ml_edge *edge, ml_time now, struct ml_json_writer *w)
{
	ml_json_begin_object(w);
	number(w, "capacity", edge->ring->mask + 1);
	number(w, "depth", ml_ring_depth(edge->ring));
	number(w, "high_water",
		atomic_load_explicit(&edge->high_water_shown, memory_order_relaxed));
	number(w, "count", atomic_load_explicit(&edge->ring->head, memory_order_relaxed));
	ml_json_key(w, "rate");
	ml_json_double(w, edge->rate);
	ml_json_key(w, "age");
	ml_json_double(w, (double)age_of(edge, now) / (double)ML_SEC);
	number(w, "dropped", atomic_load_explicit(&edge->dropped, memory_order_relaxed));
	ml_json_end_object(w);
}

static void write_lane(const struct ml_lane *lane, struct ml_json_writer *w)
{
	ml_json_begin_object(w);
	number(w, "wakeups", atomic_load_explicit(&lane->wakeups, memory_order_relaxed));
	number(w, "turns", atomic_load_explicit(&lane->turns, memory_order_relaxed));
	number(w, "message_bytes", atomic_load_explicit(&lane->pool.bytes, memory_order_relaxed));
	ml_json_end_object(w);
}

void ml_engine_metrics(struct ml_engine *engine, struct ml_json_writer *w)
{
	struct ml_runtime *runtime = engine->runtime;
	const ml_time now = ml_clock_monotonic(engine->clock);
	reckon_rates(engine);
	ml_json_begin_object(w);
	time_text(w, "time", ml_clock_wall(engine->clock));
	ml_json_key(w, "nodes");
	ml_json_begin_object(w);
	for (size_t i = 0; i < runtime->node_count; i++) {
		ml_json_key(w, runtime->nodes[i]->id);
		write_node(runtime, runtime->nodes[i], w);
	}
	ml_json_end_object(w);
	ml_json_key(w, "edges");
	ml_json_begin_object(w);
	for (size_t e = 0; e < runtime->edge_count; e++) {
		ml_json_key(w, runtime->edges[e]->key);
		write_edge(runtime->edges[e], now, w);
	}
	ml_json_end_object(w);
	ml_json_key(w, "lanes");
	ml_json_begin_object(w);
	for (size_t i = 0; i < atomic_load(&engine->lane_count); i++) {
		const struct ml_lane *lane = engine->lanes[i];
		if (!atomic_load(&lane->lasts) && !lane->nodes)
			continue;
		ml_json_key(w, lane->name);
		write_lane(lane, w);
	}
	ml_json_end_object(w);
	ml_json_end_object(w);
}
