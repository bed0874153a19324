/* Current values: what one meter's readings become.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "meter/current_private.h"

void meter_current_part_release(struct meter_current_part *part)
{
	if (part && atomic_fetch_sub_explicit(&part->refs, 1, memory_order_acq_rel) == 1)
		free(part);
}

/* ---- Kinds of telegrams ---- */

/* Kind of value and power of ten may change from telegram to telegram. */
static bool same_series(const struct meter_record *a, const struct meter_record *b)
{
	return a->modifiers == b->modifiers && a->storage == b->storage && a->tariff == b->tariff &&
	       a->subunit == b->subunit && a->dif_length == b->dif_length &&
	       a->vif_length == b->vif_length && a->quantity == b->quantity && a->of == b->of &&
	       a->unit == b->unit && a->per == b->per && a->function == b->function &&
	       a->flags == b->flags && a->scale_mask == b->scale_mask && a->ordinal == b->ordinal;
}

bool meter_current_same_kind(const struct meter_reading *a, const struct meter_reading *b)
{
	const struct meter_record *first = meter_reading_records(a);
	const struct meter_record *second = meter_reading_records(b);
	if (a->record_count != b->record_count)
		return false;
	for (size_t i = 0; i < a->record_count; i++) {
		if (!same_series(&first[i], &second[i]) ||
			memcmp(meter_reading_bytes(a) + first[i].offset,
				meter_reading_bytes(b) + second[i].offset,
				(size_t)first[i].dif_length + first[i].vif_length) != 0)
			return false;
	}
	return true;
}

/* ---- Which is newer ---- */

/* Whether what was read at `time` takes the place of what was read at `than`. What has no time was
 * read before the clock was known: now. */
static bool no_older(ml_time time, ml_time than, ml_time now)
{
	return time == METER_TIME_UNKNOWN || time >= than || than > now;
}

/* ---- The state ---- */

static void take_state(struct meter_current_place *place, const struct meter_reading *reading,
	bool loaded, ml_time now)
{
	struct meter_current_meter *shown = &place->shown;
	const bool failed = shown->state == METER_CURRENT_FAILED;
	const ml_time last = failed ? shown->failed_last : shown->read;
	const bool good = !meter_reading_has_error(reading) && !(reading->flags & METER_NOT_READ);
	/* The last good readout may be told after a failure that followed it. */
	if (good && failed && reading->time > shown->read && reading->time <= shown->failed_since)
		shown->read = reading->time;
	if (shown->state != METER_CURRENT_NEVER &&
		((loaded && place->live) || !no_older(reading->time, last, now)))
		return;
	place->live = !loaded;
	size_t length = 0;
	const char *error = meter_reading_error(reading, &length);
	if (good) {
		shown->state = METER_CURRENT_READ;
		shown->read = reading->time;
		shown->failures = 0;
		shown->reason[0] = '\0';
		return;
	}
	/* Of a clock that was set back meanwhile the later beginning would lie ahead. */
	if (!failed || shown->failed_since > reading->time)
		shown->failed_since = reading->time;
	shown->state = METER_CURRENT_FAILED;
	shown->failed_last = reading->time;
	shown->failures += shown->failures < UINT32_MAX;
	length = length < METER_ERROR_TEXT_MAX ? length : METER_ERROR_TEXT_MAX;
	if (error)
		memcpy(shown->reason, error, length);
	shown->reason[length] = '\0';
}

/* ---- The values ---- */

static void drop_part(
	struct meter_current *current, struct meter_current_place *place, size_t index)
{
	current->bytes -= place->parts[index]->size;
	meter_current_part_release(place->parts[index]);
	place->part_count--;
	memmove(place->parts + index, place->parts + index + 1,
		(place->part_count - index) * sizeof(struct meter_current_part *));
}

static void drop_parts(struct meter_current *current, struct meter_current_place *place)
{
	while (place->part_count)
		drop_part(current, place, place->part_count - 1);
}

/* Where the device at a point is another one, the values of the earlier one are no longer its.
 * false: the reading itself is of the earlier one. */
static bool take_identity(struct meter_current *current, struct meter_current_place *place,
	const struct meter_reading *reading, bool loaded, ml_time now)
{
	struct meter_current_meter *shown = &place->shown;
	if (!(reading->flags & METER_HAS_IDENTITY))
		return true;
	if (shown->has_identity && !meter_identity_equal(shown->identity, reading->meter)) {
		const struct meter_current_part *newest =
			place->part_count ? place->parts[0] : NULL;
		if (newest &&
			((loaded && newest->live) ||
				!no_older(reading->time, meter_current_reading(newest)->time, now)))
			return false;
		drop_parts(current, place);
	}
	shown->identity = reading->meter;
	shown->has_identity = true;
	shown->has_maker = (reading->flags & METER_HAS_MAKER) != 0;
	return true;
}

static struct meter_current_part *part_new(const struct meter_reading *reading)
{
	struct meter_current_part *part = malloc(sizeof *part + reading->size);
	if (!part)
		return NULL;
	atomic_init(&part->refs, 1);
	part->size = reading->size;
	return part;
}

/* Puts the reading into the part at `index`, which may be a snapshot's too. false: out of memory.
 */
static bool fill(struct meter_current *current, struct meter_current_place *place, size_t index,
	const struct meter_reading *reading)
{
	struct meter_current_part *part = place->parts[index];
	if (atomic_load_explicit(&part->refs, memory_order_acquire) != 1 ||
		part->size < reading->size) {
		struct meter_current_part *fresh = part_new(reading);
		if (!fresh)
			return false;
		current->bytes += fresh->size;
		current->bytes -= part->size;
		meter_current_part_release(part);
		place->parts[index] = fresh;
		part = fresh;
	}
	return meter_reading_copy(part->block, part->size, reading, NULL) == 0;
}

static bool holds_series(const struct meter_reading *reading, const uint8_t *key, size_t length)
{
	uint8_t other[METER_SERIES_KEY_MAX];
	for (size_t i = 0; i < reading->record_count; i++)
		if (meter_series_key(reading, meter_reading_record(reading, i), other) == length &&
			memcmp(other, key, length) == 0)
			return true;
	return false;
}

/* Whether newer parts hold all that the part at `index` does. */
static bool is_covered(const struct meter_current_place *place, size_t index)
{
	const struct meter_reading *reading = meter_current_reading(place->parts[index]);
	uint8_t key[METER_SERIES_KEY_MAX];
	for (size_t i = 0; i < reading->record_count; i++) {
		const size_t length =
			meter_series_key(reading, meter_reading_record(reading, i), key);
		bool found = false;
		for (size_t n = 0; n < index && !found; n++)
			found = holds_series(meter_current_reading(place->parts[n]), key, length);
		if (!found)
			return false;
	}
	return true;
}

/* A kind of telegram that this meter did not send before. */
static void add_kind(struct meter_current *current, struct meter_current_place *place,
	const struct meter_reading *reading, bool loaded, size_t index)
{
	if (place->part_count == METER_CURRENT_KINDS_MAX) {
		if (index == METER_CURRENT_KINDS_MAX)
			return; /* older than all */
		drop_part(current, place, place->part_count - 1);
	}
	struct meter_current_part *part = part_new(reading);
	if (!part)
		return;
	(void)meter_reading_copy(part->block, part->size, reading, NULL);
	part->live = !loaded;
	current->bytes += part->size;
	memmove(place->parts + index + 1, place->parts + index,
		(place->part_count - index) * sizeof(struct meter_current_part *));
	place->parts[index] = part;
	place->part_count++;
	for (size_t i = place->part_count; i-- > 1;)
		if (is_covered(place, i))
			drop_part(current, place, i);
}

/* Where a reading of that time belongs among the parts before `end`. */
static size_t rank(const struct meter_current_place *place, size_t end,
	const struct meter_reading *reading, bool loaded, ml_time now)
{
	size_t index = 0;
	while (index < end &&
		((loaded && place->parts[index]->live) ||
			!no_older(reading->time, meter_current_reading(place->parts[index])->time,
				now)))
		index++;
	return index;
}

static void take_values(struct meter_current *current, struct meter_current_place *place,
	const struct meter_reading *reading, bool loaded, ml_time now)
{
	for (size_t i = 0; i < place->part_count; i++) {
		struct meter_current_part *part = place->parts[i];
		if (!meter_current_same_kind(meter_current_reading(part), reading))
			continue;
		const size_t index = rank(place, i + 1, reading, loaded, now);
		if (index > i || !fill(current, place, i, reading))
			return;
		part = place->parts[i];
		part->live = !loaded;
		memmove(place->parts + index + 1, place->parts + index,
			(i - index) * sizeof(struct meter_current_part *));
		place->parts[index] = part;
		return;
	}
	add_kind(current, place, reading, loaded,
		rank(place, place->part_count, reading, loaded, now));
}

void meter_current_place_take(struct meter_current *current, struct meter_current_place *place,
	const struct meter_reading *reading, bool loaded, ml_time now)
{
	/* What is derived tells nothing of a readout, nor of who is there. */
	const bool derived = (reading->flags & METER_DERIVED) != 0;
	const bool read = !(reading->flags & METER_NOT_READ) && !derived;
	if (read && !take_identity(current, place, reading, loaded, now))
		return;
	if (!derived)
		take_state(place, reading, loaded, now);
	if (reading->record_count)
		take_values(current, place, reading, loaded, now);
}
