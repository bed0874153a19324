/* mbus-source: the continuous readout, which reads all meters as often as the bus allows while no
 * round wants the line.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "mbus/source.h"

#define NOTHING_THERE (5 * ML_SEC)

/* Leaves out the dead, each for so many passes as it failed often. */
static void leave_out_dead(struct mbus_source *s)
{
	struct mbus_tour *tour = &s->tour;
	size_t count = 0;
	for (size_t i = 0; i < tour->count; i++) {
		const uint32_t key = tour->snapshot->points[tour->order[i]].key;
		struct mbus_memory *memory = mbus_memory_of(s, key);
		if (memory && memory->passes_left > 0)
			memory->passes_left--;
		else
			tour->order[count++] = tour->order[i];
	}
	tour->count = tour->firsts = count;
}

/* Goes on behind the meter at which a round came between. */
static void skip_to(struct mbus_source *s, uint32_t point)
{
	struct mbus_tour *tour = &s->tour;
	for (size_t i = 0; point && i + 1 < tour->count; i++) {
		if (tour->snapshot->points[tour->order[i]].key == point)
			tour->next = i + 1;
	}
}

static bool begin_pass(struct mbus_source *s)
{
	if (mbus_tour_begin(s, NULL, 0) < 0) {
		mbus_tour_end(s);
		return false;
	}
	if (s->continued == 0)
		leave_out_dead(s);
	skip_to(s, s->continued);
	s->continued = 0;
	s->pass_read = 0;
	return s->tour.count > 0;
}

static void end_pass(struct mbus_source *s, ml_time pause)
{
	s->pass_at = ml_node_now(s->node) + pause;
	s->continued = 0;
	mbus_tour_end(s);
}

bool mbus_continuous_go_on(struct mbus_source *s, ml_time *when)
{
	if (!s->continuous || !s->list || s->line_state != MBUS_LINE_OPEN ||
		!ml_port_wired(s->node, MBUS_PORT_CONTINUOUS))
		return false;
	if (ml_node_now(s->node) < s->pass_at) {
		*when = s->pass_at;
		return false;
	}
	if (!s->tour.snapshot && !begin_pass(s)) {
		end_pass(s, NOTHING_THERE);
		return true;
	}
	if (s->tour.next == s->tour.count) {
		ml_node_count(s->node, MBUS_PASSES, 1);
		end_pass(s, s->pass_read > 0 ? s->continuous_pause : NOTHING_THERE);
		return true;
	}
	mbus_meter_begin(s);
	s->continued = s->point ? s->point->key : s->continued;
	return true;
}
