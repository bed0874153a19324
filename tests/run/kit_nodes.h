/* What the nodes of the tests of engine/run share.
 * SPDX-License-Identifier: Apache-2.0
 *
 *   kit_nodes.c  the ordinary ones
 *   kit_odd.c    those that make one thing hard for the engine
 */
#ifndef TESTS_RUN_KIT_NODES_H
#define TESTS_RUN_KIT_NODES_H

#include <meterloom/node.h>

#include "run/kit.h"

struct kit_number {
	uint64_t value;
};

extern const struct ml_message_type kit_number_type;

extern const struct ml_node_class kit_source_class, kit_pass_class, kit_sink_class,
	kit_holder_class;
extern const struct ml_node_class kit_triple_class, kit_slow_class, kit_timers_class,
	kit_keeper_class, kit_two_class, kit_query_class;

struct kit *kit_of(struct ml_node *node);
int kit_prepare(struct ml_node *node, struct kit_record **record);

static inline void kit_add(atomic_uint_fast64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static inline uint64_t kit_value(const struct ml_message *message)
{
	return ((const struct kit_number *)(const void *)message->payload)->value;
}

/* The test fails where there is no memory. */
struct ml_message *kit_number(
	struct ml_node *node, uint64_t value, const struct ml_message *parent);

#endif
