/* mbus-source: whose turn it is.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mbus/source.h"
#include "meter/frame.h"
#include "meter/readout.h"

/* A node that starts anew knows by the readouts before whom it was in vain to ask. */
static struct mbus_memory remembered(struct mbus_source *s, uint32_t point)
{
	struct meter_readout readout;
	meter_readouts_get(s->readouts, point, &readout);
	const bool its_fault =
		readout.state == METER_READOUT_FAILED && readout.result != METER_FRAME_NO_BUS;
	return (struct mbus_memory){.point = point,
		.failures = its_fault ? readout.failures : 0,
		.read = readout.read != ML_TIME_NONE};
}

struct mbus_memory *mbus_memory_of(struct mbus_source *s, uint32_t point)
{
	size_t low = 0;
	for (size_t high = s->memory_count; low < high;) {
		const size_t middle = low + (high - low) / 2;
		if (s->memories[middle].point < point)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < s->memory_count && s->memories[low].point == point)
		return &s->memories[low];
	if (s->memory_count == s->memory_capacity) {
		const size_t capacity = s->memory_capacity ? s->memory_capacity * 2 : 32;
		struct mbus_memory *memories = realloc(s->memories, capacity * sizeof *memories);
		if (!memories)
			return NULL;
		s->memories = memories;
		s->memory_capacity = capacity;
	}
	memmove(s->memories + low + 1, s->memories + low,
		(s->memory_count - low) * sizeof *s->memories);
	s->memories[low] = remembered(s, point);
	s->memory_count++;
	return &s->memories[low];
}

static bool is_ours(const struct mbus_source *s, const struct meter_point *point)
{
	return !point->settings.passive && strcmp(point->settings.bus, s->bus) == 0;
}

size_t mbus_tour_points(const struct mbus_source *s, const struct meter_snapshot *snapshot)
{
	size_t count = 0;
	for (size_t i = 0; i < snapshot->point_count; i++)
		count += is_ours(s, &snapshot->points[i]);
	return count;
}

/* What comes first is read first: the living before those that failed, those that do not stop
 * sending after all, and of each those of one rate together; else as in the list. */
struct place {
	uint32_t index;
	uint32_t baud;
	bool failed, endless;
};

static int compare(const void *a, const void *b)
{
	const struct place *x = a;
	const struct place *y = b;
	if (x->endless != y->endless)
		return x->endless ? 1 : -1;
	if (x->failed != y->failed)
		return x->failed ? 1 : -1;
	if (x->baud != y->baud)
		return x->baud > y->baud ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

static size_t collect(
	struct mbus_source *s, const uint32_t *only, size_t only_count, struct place *places)
{
	size_t count = 0;
	for (size_t i = 0; i < s->tour.snapshot->point_count; i++) {
		const struct meter_point *point = &s->tour.snapshot->points[i];
		if (only ? !meter_keys_have(only, only_count, point->key) : !is_ours(s, point))
			continue;
		const struct mbus_memory *memory = mbus_memory_of(s, point->key);
		places[count++] = (struct place){
			.index = (uint32_t)i,
			.baud = point->settings.baud ? point->settings.baud : (uint32_t)s->baud,
			.failed = memory && memory->failures > 0,
			.endless = memory && memory->endless,
		};
	}
	return count;
}

int mbus_tour_begin(struct mbus_source *s, const uint32_t *only, size_t only_count)
{
	struct mbus_tour *tour = &s->tour;
	mbus_tour_end(s);
	tour->snapshot = meter_list_snapshot(s->list);
	const size_t most = tour->snapshot->point_count + 1;
	struct place *places = calloc(most, sizeof *places);
	/* Each may come twice. */
	tour->order = calloc(2 * most, sizeof *tour->order);
	if (!places || !tour->order) {
		free(places);
		return -ENOMEM;
	}
	tour->count = tour->firsts = collect(s, only, only_count, places);
	qsort(places, tour->count, sizeof *places, compare);
	for (size_t i = 0; i < tour->count; i++)
		tour->order[i] = places[i].index;
	free(places);
	return 0;
}

void mbus_tour_try_again(struct mbus_source *s, size_t place, bool endless)
{
	struct mbus_tour *tour = &s->tour;
	const uint32_t index = tour->order[place];
	tour->lasts =
		tour->lasts < tour->count - tour->next ? tour->lasts : tour->count - tour->next;
	uint32_t *at = tour->order + tour->count - (endless ? 0 : tour->lasts);
	memmove(at + 1, at, (endless ? 0 : tour->lasts) * sizeof *at);
	*at = index;
	tour->lasts += endless;
	tour->count++;
}

void mbus_tour_end(struct mbus_source *s)
{
	if (s->tour.snapshot)
		meter_snapshot_release(s->tour.snapshot);
	free(s->tour.order);
	s->tour = (struct mbus_tour){0};
}
