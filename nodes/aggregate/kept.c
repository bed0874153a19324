/* The node `aggregate`: what it keeps, and the acks that wait for that.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include "aggregate/aggregate.h"

enum { CATCH_UP_AT_ONCE = 8 }; /* meters */

static struct aggregate *of_drawer(struct meter_drawer *drawer)
{
	return (struct aggregate *)(void *)((char *)drawer - offsetof(struct aggregate, drawer));
}

static int load_one(
	void *user, const void *name, size_t name_length, const void *bytes, size_t length)
{
	struct aggregate *self = user;
	struct ml_error err = ML_ERROR_NONE;
	struct state state;
	(void)name;
	(void)name_length;
	const int result = state_read(bytes, length, self->fingerprint, &state, &err);
	if (result == -ENOMEM)
		return result;
	if (result == 0 && state.virtual == (self->terms.count > 0) && state.virtual &&
		self->virtual) {
		state_free(&self->virtual->state);
		self->virtual->state = state;
		return 0;
	}
	if (result == 0 && !state.virtual)
		return aggregate_add(self, &state, NULL);
	if (result == 0)
		state_free(&state);
	else
		ml_node_log(self->drawer.node, result == -ESTALE ? ML_LOG_INFO : ML_LOG_WARNING,
			"what was summed up before begins anew: %s", err.text);
	return 0;
}

/* In steps, so that others come to their turn. */
static void catch_up(struct ml_timer *timer)
{
	struct aggregate *self = timer->user;
	struct ml_error err = ML_ERROR_NONE;
	for (size_t i = 0; i < CATCH_UP_AT_ONCE && self->caught_up < self->count; i++) {
		if (aggregate_catch_up(self, self->entries[self->caught_up], &err) < 0) {
			ml_node_log(self->drawer.node, ML_LOG_WARNING,
				"what was stored and not counted before the start is not counted: "
				"%s",
				err.text);
			return;
		}
		self->caught_up++;
	}
	if (self->caught_up < self->count)
		ml_timer_start(timer, ml_node_now(self->drawer.node));
}

/* Nothing is taken before what was kept is there. */
static void load(struct aggregate *self)
{
	struct ml_node *node = self->drawer.node;
	struct ml_error err = ML_ERROR_NONE;
	if (self->loaded)
		return;
	int result = 0;
	if (self->terms.count && !self->virtual) {
		struct state state = {.virtual = true};
		result = aggregate_add(self, &state, NULL);
	}
	if (result == 0)
		result = self->keep->load(
			ml_node_engine(node), ml_node_id(node), load_one, self, &err);
	if (result < 0) {
		ml_node_state(node, ML_STATE_FAULT, "what was summed up cannot be read: %s",
			err.code ? err.text : "out of memory");
		return;
	}
	self->loaded = true;
	ml_node_state(node, ML_STATE_RUNNING, NULL);
	aggregate_resolve(self);
	aggregate_plan(self);
	if (self->catch_up && self->count)
		ml_timer_start(&self->catching, ml_node_now(node));
	ml_node_demand(node, AGGREGATE_IN, AGGREGATE_HELD_MAX);
}

static int write_one(struct aggregate *self, struct aggregate_entry *entry,
	struct meter_keeping *keeping, struct ml_buffer *buffer, struct ml_error *err)
{
	uint8_t name[METER_KEEP_NAME_MAX];
	if (!entry || !entry->dirty)
		return 0;
	ml_buffer_clear(buffer);
	state_write(&entry->state, self->fingerprint, buffer);
	if (buffer->failed)
		return ml_error_set(err, -ENOMEM, "out of memory");
	const size_t length = aggregate_key(&entry->state, name);
	return self->keep->put(keeping, name, length, buffer->data, buffer->length, err);
}

static int write_all(
	struct meter_drawer *drawer, struct meter_keeping *keeping, struct ml_error *err)
{
	struct aggregate *self = of_drawer(drawer);
	struct ml_buffer buffer = {0};
	int result = write_one(self, self->virtual, keeping, &buffer, err);
	for (size_t i = 0; result == 0 && i < self->count; i++)
		result = write_one(self, self->entries[i], keeping, &buffer, err);
	ml_buffer_free(&buffer);
	return result;
}

static void written(struct meter_drawer *drawer)
{
	struct aggregate *self = of_drawer(drawer);
	for (size_t i = 0; i < self->count; i++)
		self->entries[i]->dirty = false;
	if (self->virtual)
		self->virtual->dirty = false;
	for (size_t i = 0; i < self->held_count; i++)
		ml_release(drawer->node, self->held[i]);
	self->held_count = 0;
	ml_node_demand(drawer->node, AGGREGATE_IN, AGGREGATE_HELD_MAX);
}

static void trouble(struct meter_drawer *drawer, const struct ml_error *err)
{
	struct aggregate *self = of_drawer(drawer);
	self->troubled = err != NULL;
	if (err) {
		ml_node_state(drawer->node, ML_STATE_FAULT, "%s; %zu readings wait", err->text,
			self->held_count);
		return;
	}
	ml_node_state(drawer->node, ML_STATE_RUNNING, NULL);
	load(self);
}

void aggregate_open(struct aggregate *self)
{
	struct ml_node *node = self->drawer.node;
	self->drawer.write = write_all;
	self->drawer.written = written;
	self->drawer.trouble = trouble;
	ml_timer_init(&self->catching, ml_node_lane(node), catch_up, self);
	self->keep->open(ml_node_engine(node), &self->drawer);
	load(self);
}

void aggregate_close(struct aggregate *self)
{
	struct ml_node *node = self->drawer.node;
	ml_timer_stop(&self->catching);
	self->keep->close(ml_node_engine(node), &self->drawer);
	for (size_t i = 0; i < self->held_count; i++)
		ml_fail(node, self->held[i],
			"not counted: what it was counted into cannot be written");
	self->held_count = 0;
}
