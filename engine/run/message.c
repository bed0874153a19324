/* Messages and their acks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/engine.h"
#include "run/node.h"
#include "run/tap.h"

/* Held by each message that shares it; told when the last of them is let go of. Belongs to the lane
 * of the source; others hand it back through acks_in. */
struct ml_ack {
	struct ml_node *node;
	uint64_t cookie;
	atomic_uint holds;
	atomic_bool failed;
	struct ml_ack *next;
};

enum { ACKS_IN_CHUNK = 64 };

struct ack_chunk {
	struct ack_chunk *next;
	struct ml_ack acks[ACKS_IN_CHUNK];
};

static struct ml_ack *ack_take(struct ml_lane *lane)
{
	if (!lane->acks_free) {
		struct ack_chunk *chunk = malloc(sizeof *chunk);
		if (!chunk)
			return NULL;
		chunk->next = lane->ack_chunks;
		lane->ack_chunks = chunk;
		for (size_t i = 0; i < ACKS_IN_CHUNK; i++) {
			chunk->acks[i].next = lane->acks_free;
			lane->acks_free = &chunk->acks[i];
		}
	}
	struct ml_ack *ack = lane->acks_free;
	lane->acks_free = ack->next;
	return ack;
}

int ml_ack_attach(struct ml_node *node, struct ml_message *message, uint64_t cookie)
{
	if (message->ack)
		return -EEXIST;
	struct ml_ack *ack = ack_take(node->lane);
	if (!ack)
		return -ENOMEM;
	ack->node = node;
	ack->cookie = cookie;
	atomic_init(&ack->holds, 1);
	atomic_init(&ack->failed, false);
	message->ack = ack;
	node->acks++;
	return 0;
}

static void ack_let_go(struct ml_lane *lane, struct ml_ack *ack)
{
	if (atomic_load_explicit(&ack->holds, memory_order_acquire) != 1 &&
		atomic_fetch_sub_explicit(&ack->holds, 1, memory_order_acq_rel) != 1)
		return;
	/* Told at the end of the turn, never from within the call that let go. */
	ack->next = lane->acks_out;
	lane->acks_out = ack;
}

static void tell(struct ml_lane *lane, struct ml_ack *ack)
{
	struct ml_node *node = ack->node;
	const uint64_t cookie = ack->cookie;
	const bool delivered = !atomic_load_explicit(&ack->failed, memory_order_relaxed);
	ack->next = lane->acks_free;
	lane->acks_free = ack;
	ml_node_acked(node, cookie, delivered);
}

/* Lists grow at their front: told in the order in which they ended. */
static struct ml_ack *reversed(struct ml_ack *list)
{
	struct ml_ack *result = NULL;
	while (list) {
		struct ml_ack *next = list->next;
		list->next = result;
		result = list;
		list = next;
	}
	return result;
}

void ml_ack_flush(struct ml_lane *lane)
{
	while (lane->acks_out) {
		struct ml_ack *list = reversed(lane->acks_out);
		lane->acks_out = NULL;
		while (list) {
			struct ml_ack *ack = list;
			struct ml_lane *target = ack->node->lane;
			list = ack->next;
			if (target == lane) {
				tell(lane, ack);
				continue;
			}
			ack->next = atomic_load_explicit(&target->acks_in, memory_order_relaxed);
			while (!atomic_compare_exchange_weak_explicit(&target->acks_in, &ack->next,
				ack, memory_order_release, memory_order_relaxed))
				;
			ml_lane_wake(target);
		}
	}
}

void ml_ack_tell(struct ml_lane *lane)
{
	if (!atomic_load_explicit(&lane->acks_in, memory_order_relaxed))
		return;
	struct ml_ack *list =
		reversed(atomic_exchange_explicit(&lane->acks_in, NULL, memory_order_acquire));
	while (list) {
		struct ml_ack *ack = list;
		list = ack->next;
		tell(lane, ack);
	}
}

void ml_ack_drop_all(struct ml_lane *lane)
{
	for (struct ack_chunk *chunk = lane->ack_chunks, *next; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	lane->ack_chunks = NULL;
	lane->acks_free = lane->acks_out = NULL;
}

struct ml_message *ml_message_new(struct ml_node *node, const struct ml_message_type *type,
	size_t size, const struct ml_message *parent)
{
	struct ml_message *message = ml_pool_take(&node->lane->pool, size);
	if (!message)
		return NULL;
	message->type = type;
	message->size = (uint32_t)size;
	atomic_init(&message->refs, 1);
	if (parent) {
		message->time = parent->time;
		message->trace = parent->trace;
		message->ack = parent->ack;
		if (message->ack)
			atomic_fetch_add_explicit(&message->ack->holds, 1, memory_order_relaxed);
	} else {
		message->time = ml_lane_wall(node->lane);
		message->trace = ml_lane_trace(node->lane);
		message->ack = NULL;
	}
	return message;
}

struct ml_message *ml_retain(struct ml_message *message)
{
	atomic_fetch_add_explicit(&message->refs, 1, memory_order_relaxed);
	return message;
}

struct ml_message *ml_message_own(struct ml_node *node, struct ml_message *message)
{
	if (atomic_load_explicit(&message->refs, memory_order_acquire) == 1)
		return message;
	assert(!message->type->destroy);
	struct ml_message *copy = ml_message_new(node, message->type, message->size, message);
	if (!copy)
		return NULL;
	memcpy(copy->payload, message->payload, message->size);
	ml_release(node, message);
	return copy;
}

void ml_message_let_go(struct ml_node *node, struct ml_message *message, bool failed)
{
	if (failed && message->ack)
		atomic_store_explicit(&message->ack->failed, true, memory_order_relaxed);
	if (atomic_load_explicit(&message->refs, memory_order_acquire) != 1 &&
		atomic_fetch_sub_explicit(&message->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (message->type->destroy)
		message->type->destroy(message->payload);
	if (message->ack)
		ack_let_go(node->lane, message->ack);
	ml_pool_give(&node->lane->pool, &node->lane->returns, message);
}

void ml_release(struct ml_node *node, struct ml_message *message)
{
	if (message)
		ml_message_let_go(node, message, false);
}

void ml_fail(struct ml_node *node, struct ml_message *message, const char *format, ...)
{
	char text[ML_ERROR_TEXT_MAX];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	atomic_fetch_add_explicit(&node->failed, 1, memory_order_relaxed);
	ml_log(node->engine->log, ML_LOG_WARNING, node->id, "%s", text);
	ml_message_let_go(node, message, !node->optional);
}

static void trigger_to_json(const struct ml_message *message, struct ml_json_writer *w)
{
	const struct ml_trigger *trigger = (const void *)message->payload;
	char text[ML_TIME_TEXT_MAX];
	ml_json_begin_object(w);
	ml_json_key(w, "trace");
	ml_json_unsigned(w, message->trace);
	ml_json_key(w, "kind");
	ml_json_string(w, trigger->kind);
	ml_json_key(w, "due");
	ml_json_string_n(w, text, ml_time_format(trigger->due, text));
	ml_json_key(w, "next");
	if (trigger->next == ML_NEVER)
		ml_json_null(w);
	else
		ml_json_string_n(w, text, ml_time_format(trigger->next, text));
	if (trigger->round) {
		ml_json_key(w, "round");
		ml_json_unsigned(w, trigger->round);
	}
	ml_json_end_object(w);
}

const struct ml_message_type ml_trigger_type = {
	.name = "trigger",
	.help = "Do it now: carries when it was due, when the next one is, and why it came.",
	.to_json = trigger_to_json,
};
