/* When a report waits for a readout.
 * SPDX-License-Identifier: Apache-2.0
 *
 * With `wait_for`, a trigger waits while a round of one of these names runs, and after the start
 * for the first of each. Without it, a report by preset waits for the rounds that are due at the
 * very same time, and for nothing else: who writes a cron pattern says when. Either way a trigger
 * waits a moment first, since a round that is due together with it begins after it came.
 */
#include <string.h>

#include "store/query_node.h"

#define SETTLE_TIME ML_SEC

static const char all_names[] = "*";

/* The names of wait_for that mean this round. */
static uint32_t names_of(const struct store_query *query, const struct ml_round *round)
{
	const struct ml_strings *names = &query->params.wait_for;
	uint32_t bits = 0;
	for (size_t i = 0; i < names->count && i < QUERY_WAIT_FOR_MAX; i++) {
		const char *name = names->items[i];
		if (strcmp(name, all_names) == 0 || strcmp(name, round->source) == 0 ||
			(round->bus[0] && strcmp(name, round->bus) == 0))
			bits |= (uint32_t)1 << i;
	}
	return bits;
}

static uint32_t forget(struct store_query *query, uint64_t id)
{
	for (size_t i = 0; i < query->round_count; i++) {
		if (query->rounds[i].id == id) {
			const uint32_t names = query->rounds[i].names;
			query->rounds[i] = query->rounds[--query->round_count];
			return names;
		}
	}
	return 0;
}

void query_wait_round(struct store_query *query, const struct ml_round *round)
{
	const uint32_t names = names_of(query, round);
	(void)forget(query, round->id);
	if (round->phase == ML_ROUND_END)
		query->stored |= names;
	else if (query->round_count < QUERY_ROUNDS_MAX)
		query->rounds[query->round_count++] =
			(struct query_round){.id = round->id, .due = round->due, .names = names};
}

void query_wait_stored(struct store_query *query, uint64_t round)
{
	query->stored |= forget(query, round);
}

void query_wait_begin(struct store_query *query)
{
	const ml_time now = ml_node_now(query->node);
	query->settle_until = now + SETTLE_TIME;
	query->wait_until = now + query->params.max_wait;
}

bool query_waits_for_clock(struct store_query *query)
{
	struct ml_trigger *trigger = &query->trigger;
	ml_time due = trigger->due;
	if (store_writer_waits_for_clock(query->writer))
		return true;
	if (!ml_wall_settle(ml_node_engine(query->node), &due, NULL) || due == trigger->due)
		return false;
	if (trigger->next != ML_NEVER)
		trigger->next += due - trigger->due;
	trigger->due = due;
	return false;
}

bool query_waits_for_round(const struct store_query *query)
{
	const size_t count = query->params.wait_for.count;
	const uint32_t all = count < 32 ? ((uint32_t)1 << count) - 1 : UINT32_MAX;
	if (count && (query->stored & all) != all)
		return true;
	for (size_t i = 0; i < query->round_count; i++) {
		const struct query_round *round = &query->rounds[i];
		if (count ? round->names != 0 : round->due == query->trigger.due)
			return true;
	}
	return false;
}

ml_time query_wait_until(const struct store_query *query)
{
	const ml_time now = ml_node_now(query->node);
	const char *kind = query->trigger.kind;
	if (strcmp(kind, "round-stored") == 0 || !ml_port_wired(query->node, QUERY_AFTER) ||
		(!query->params.wait_for.count && strcmp(kind, "preset") != 0) ||
		now >= query->wait_until)
		return 0;
	if (query_waits_for_round(query))
		return query->wait_until;
	return now < query->settle_until ? query->settle_until : 0;
}
