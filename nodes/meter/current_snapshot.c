/* Current values: snapshots, and the values of a meter merged out of its kinds of telegrams.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "meter/current_private.h"

/* One allocation: this, the meters, the pointers to readings, and the parts they are of. */
struct snapshot {
	struct meter_current_snapshot shown; /* first: what others hold */
	atomic_uint refs;
	struct meter_current_part **parts; /* one reference each */
	size_t part_count;
};

static struct snapshot *of(const struct meter_current_snapshot *shown)
{
	return (struct snapshot *)(void *)(uintptr_t)shown;
}

void meter_current_release(const struct meter_current_snapshot *shown)
{
	struct snapshot *snapshot = of(shown);
	if (!snapshot || atomic_fetch_sub_explicit(&snapshot->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < snapshot->part_count; i++)
		meter_current_part_release(snapshot->parts[i]);
	free(snapshot);
}

/* Under the lock. */
static struct snapshot *make(const struct meter_current *current)
{
	size_t parts = 0;
	for (size_t i = 0; i < current->place_count; i++)
		parts += current->places[i]->part_count;
	const size_t meters = current->place_count * sizeof(struct meter_current_meter);
	char *memory = malloc(sizeof(struct snapshot) + meters + 2 * parts * sizeof(void *));
	if (!memory)
		return NULL;
	struct snapshot *snapshot = (struct snapshot *)(void *)memory;
	struct meter_current_meter *meter = (void *)(memory + sizeof *snapshot);
	const struct meter_reading **readings = (void *)(memory + sizeof *snapshot + meters);
	snapshot->parts = (void *)(memory + sizeof *snapshot + meters + parts * sizeof(void *));
	snapshot->part_count = parts;
	snapshot->shown = (struct meter_current_snapshot){.meters = meter,
		.meter_count = current->place_count,
		.revision = meter_current_revision(current)};
	atomic_init(&snapshot->refs, 1);
	struct meter_current_part **part = snapshot->parts;
	for (size_t i = 0; i < current->place_count; i++, meter++) {
		const struct meter_current_place *place = current->places[i];
		*meter = place->shown;
		meter->readings = readings;
		meter->reading_count = place->part_count;
		for (size_t n = 0; n < place->part_count; n++) {
			atomic_fetch_add_explicit(&place->parts[n]->refs, 1, memory_order_relaxed);
			*part++ = place->parts[n];
			*readings++ = meter_current_reading(place->parts[n]);
		}
	}
	return snapshot;
}

const struct meter_current_snapshot *meter_current_snapshot(struct meter_current *current)
{
	const struct meter_current_snapshot *old = NULL;
	pthread_mutex_lock(&current->lock);
	const struct meter_current_snapshot *shown = current->snapshot;
	if (!shown || shown->revision != meter_current_revision(current)) {
		struct snapshot *snapshot = make(current);
		old = shown;
		shown = snapshot ? &snapshot->shown : NULL;
		current->snapshot = shown;
	}
	if (shown)
		atomic_fetch_add_explicit(&of(shown)->refs, 1, memory_order_relaxed);
	pthread_mutex_unlock(&current->lock);
	meter_current_release(old);
	return shown;
}

const struct meter_current_meter *meter_current_find(const struct meter_current_snapshot *snapshot,
	uint32_t point, const struct meter_identity *identity)
{
	size_t low = 0, high = snapshot->meter_count;
	while (low < high && point) {
		const size_t middle = low + (high - low) / 2;
		const struct meter_current_meter *meter = &snapshot->meters[middle];
		if (meter->point == point)
			return meter;
		if (meter->point < point)
			low = middle + 1;
		else
			high = middle;
	}
	/* Those that are not of the list stand first. */
	for (size_t i = 0; !point && i < high && snapshot->meters[i].point == 0; i++)
		if (meter_identity_equal(snapshot->meters[i].identity, *identity))
			return &snapshot->meters[i];
	return NULL;
}

/* ---- Values ---- */

static bool is_known(const struct meter_current_value *values, size_t count,
	const struct meter_current_value *value)
{
	for (size_t i = 0; i < count; i++)
		if (values[i].key_length == value->key_length &&
			memcmp(values[i].key, value->key, value->key_length) == 0)
			return true;
	return false;
}

size_t meter_current_values(
	const struct meter_current_meter *meter, struct meter_current_value *values, size_t size)
{
	size_t count = 0, kept = 0;
	for (size_t n = 0; n < meter->reading_count; n++) {
		const struct meter_reading *reading = meter->readings[n];
		const size_t before = kept; /* within one telegram no series comes twice */
		for (size_t i = 0; i < reading->record_count; i++) {
			struct meter_current_value value = {
				.reading = reading, .record = meter_reading_record(reading, i)};
			value.key_length =
				(uint8_t)meter_series_key(reading, value.record, value.key);
			if (is_known(values, before, &value))
				continue;
			if (kept < size)
				values[kept++] = value;
			count++;
		}
	}
	return count;
}
