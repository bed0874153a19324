/* The node `aggregate`: readings that come in, and whose they are.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/wall.h>

#include "aggregate/aggregate.h"

/* ---- The table ---- */

static uint64_t identity_number(struct meter_identity identity)
{
	return (uint64_t)identity.id << 32 | (uint64_t)identity.manufacturer << 16 |
	       (uint64_t)identity.version << 8 | identity.medium;
}

/* The identity of a meter at a point may change. */
static int compare(uint32_t point, struct meter_identity identity, const struct state *state)
{
	if (point != state->point)
		return point < state->point ? -1 : 1;
	if (point)
		return 0;
	const uint64_t a = identity_number(identity);
	const uint64_t b = identity_number(state->identity);
	return (a > b) - (a < b);
}

static size_t place_of(const struct aggregate *self, uint32_t point, struct meter_identity identity)
{
	size_t low = 0, high = self->count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (compare(point, identity, &self->entries[middle]->state) > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct aggregate_entry *find(
	const struct aggregate *self, uint32_t point, struct meter_identity identity)
{
	const size_t index = place_of(self, point, identity);
	if (index < self->count && compare(point, identity, &self->entries[index]->state) == 0)
		return self->entries[index];
	return NULL;
}

static bool grow(struct aggregate *self)
{
	const size_t capacity = self->capacity ? self->capacity * 2 : 16;
	struct aggregate_entry **grown =
		realloc((void *)self->entries, capacity * sizeof(struct aggregate_entry *));
	if (!grown)
		return false;
	self->entries = grown;
	self->capacity = capacity;
	return true;
}

int aggregate_add(struct aggregate *self, struct state *state, struct aggregate_entry **ret_entry)
{
	struct aggregate_entry *entry = NULL;
	if (self->count < AGGREGATE_METERS_MAX && (self->count < self->capacity || grow(self)))
		entry = calloc(1, sizeof *entry);
	if (!entry) {
		state_free(state);
		return -ENOMEM;
	}
	entry->state = *state;
	if (state->virtual) {
		self->virtual = entry;
	} else {
		const size_t index = place_of(self, state->point, state->identity);
		memmove(self->entries + index + 1, self->entries + index,
			(self->count - index) * sizeof(struct aggregate_entry *));
		self->entries[index] = entry;
		self->count++;
	}
	ml_node_gauge(self->drawer.node, AGGREGATE_METERS, (int64_t)self->count);
	if (ret_entry)
		*ret_entry = entry;
	return 0;
}

void aggregate_mark(struct aggregate *self, struct aggregate_entry *entry)
{
	entry->dirty = true;
	self->keep->changed(ml_node_engine(self->drawer.node), &self->drawer);
}

size_t aggregate_key(const struct state *state, uint8_t out[METER_KEEP_NAME_MAX])
{
	if (state->virtual) {
		out[0] = 'v';
		return 1;
	}
	if (state->point) {
		out[0] = 'p';
		for (unsigned i = 0; i < 4; i++)
			out[1 + i] = (uint8_t)(state->point >> (24 - 8 * i));
		return 5;
	}
	out[0] = 'i';
	meter_identity_write(state->identity, out + 1);
	return 9;
}

/* ---- Virtual meters ---- */

static void resolve_term(struct aggregate *self, const char *text, struct aggregate_term *term)
{
	const struct meter_point *point = NULL;
	*term = (struct aggregate_term){.minus = text[0] == '-'};
	text += text[0] == '+' || text[0] == '-';
	if (self->snapshot &&
		meter_snapshot_find_one(self->snapshot, text, strlen(text), &point, NULL) == 0) {
		term->known = true;
		term->point = point->key;
	} else {
		term->known = meter_secondary_parse(text, strlen(text), &term->identity, NULL) == 0;
	}
}

static void resolve_target(struct aggregate *self)
{
	const struct meter_point *point = NULL;
	struct ml_error err = ML_ERROR_NONE;
	self->target_point = 0;
	self->target_has_identity = false;
	if (!self->snapshot || meter_snapshot_find_one(self->snapshot, self->meter,
				       strlen(self->meter), &point, &err) < 0) {
		ml_node_state(self->drawer.node, ML_STATE_WAITING,
			"the virtual meter is not in the list, add it as a passive point: %s",
			self->snapshot ? err.text : "there is no meter list yet");
		return;
	}
	self->target_point = point->key;
	self->target_identity = (struct meter_identity){0};
	const struct meter_settings *s = &point->settings;
	if (point->device) {
		self->target_identity = point->device->identity;
		self->target_has_identity = true;
	} else if (s->has_secondary && s->secondary.manufacturer != METER_ANY_MANUFACTURER &&
		   s->secondary.version != METER_ANY_VERSION &&
		   s->secondary.medium != METER_ANY_MEDIUM) {
		self->target_identity = s->secondary;
		self->target_has_identity = true;
	}
	if (!self->troubled)
		ml_node_state(self->drawer.node, ML_STATE_RUNNING, NULL);
}

void aggregate_resolve(struct aggregate *self)
{
	if (!self->list || !self->terms.count ||
		(self->snapshot && self->snapshot->revision == meter_list_revision(self->list)))
		return;
	meter_snapshot_release(self->snapshot);
	self->snapshot = meter_list_snapshot(self->list);
	for (size_t i = 0; i < self->terms.count; i++)
		resolve_term(self, self->terms.items[i], &self->term[i]);
	resolve_target(self);
}

static bool is_wanted(const struct aggregate *self, const struct meter_reading *reading)
{
	if (!self->terms.count)
		return true;
	for (size_t i = 0; i < self->terms.count; i++) {
		const struct aggregate_term *term = &self->term[i];
		if (!term->known)
			continue;
		if (term->point ? reading->point == term->point
				: !reading->point &&
					  meter_identity_matches(reading->meter, term->identity))
			return true;
	}
	return false;
}

/* ---- Counting ---- */

/* How many digits the counter has, as far as its coding tells: BCD of 2 to 12 digits. */
static uint8_t digits_of(const struct meter_reading *reading, const struct meter_record *record)
{
	static const uint8_t digits[16] = {[0x9] = 2, [0xA] = 4, [0xB] = 6, [0xC] = 8, [0xE] = 12};
	if (!record->dif_length || record->flags & METER_RECORD_FILTER_MADE)
		return 0;
	return digits[meter_reading_bytes(reading)[record->offset] & 0x0F];
}

static uint32_t device_of(const struct meter_reading *reading, const struct state *state)
{
	uint8_t bytes[8];
	uint32_t hash = 0x811C9DC5u;
	if (!(reading->flags & METER_HAS_IDENTITY))
		return state->device;
	meter_identity_write(reading->meter, bytes);
	for (unsigned i = 0; i < 8; i++)
		hash = (hash ^ bytes[i]) * 0x01000193u;
	return hash;
}

/* Stored times are of whole milliseconds: so the same reading is known again. */
static ml_time whole_milliseconds(ml_time time)
{
	const ml_time rest = time % ML_MSEC;
	return time - (rest < 0 ? rest + ML_MSEC : rest);
}

static bool told(void *user, ml_time begin)
{
	const struct told *item = told_find(user, begin);
	return item && item->told;
}

/* Counts it in the entry. `plain`: it only continues a window that was not told. */
static enum series_answer count_value(struct aggregate *self, struct aggregate_entry *entry,
	const struct meter_reading *reading, const struct meter_record *record, bool *plain)
{
	struct state *state = &entry->state;
	struct told_list *list = self->virtual ? &self->virtual->state.told : &state->told;
	char unit[METER_UNIT_TEXT_MAX];
	const struct series_value value = {.time = whole_milliseconds(reading->time),
		.trace = reading->trace,
		.value = meter_record_decimal(record),
		.device = device_of(reading, state),
		.digits = digits_of(reading, record)};
	(void)meter_record_unit(reading, record, unit);
	const enum series_answer answer = series_count(
		&state->series, &self->rules, &value, unit, aggregate_now(self), told, list);
	if (answer != SERIES_COUNTED)
		return answer;
	const struct sum *last = &state->series.sums[state->series.count - 1];
	*plain = value.time >= last->window.begin && last->count > 1 &&
		 !told(list, last->window.begin);
	if (reading->flags & METER_HAS_IDENTITY && last->last.trace == value.trace) {
		state->identity = reading->meter;
		state->has_identity = true;
		state->has_maker = (reading->flags & METER_HAS_MAKER) != 0;
		state->device = value.device;
	}
	return SERIES_COUNTED;
}

static enum series_answer count_in(struct aggregate *self, struct aggregate_entry *entry,
	const struct meter_reading *reading, const struct meter_record *record, bool *plain)
{
	if (record && record->kind == METER_NUMBER)
		return count_value(self, entry, reading, record, plain);
	*plain = false;
	const bool missing = (reading->flags & METER_NOT_READ) != 0;
	return series_trouble(&entry->state.series, &self->rules,
		missing ? SERIES_MISSING : SERIES_ERROR, whole_milliseconds(reading->time),
		reading->trace, aggregate_now(self));
}

static struct aggregate_entry *entry_for(
	struct aggregate *self, const struct meter_reading *reading, bool make)
{
	struct aggregate_entry *entry = find(self, reading->point, reading->meter);
	if (entry || !make)
		return entry;
	struct state state = {.point = reading->point,
		.identity = reading->meter,
		.has_identity = (reading->flags & METER_HAS_IDENTITY) != 0};
	if (aggregate_add(self, &state, &entry) < 0) {
		ml_node_count(self->drawer.node, AGGREGATE_LOST, 1);
		ml_node_log(self->drawer.node, ML_LOG_ERROR,
			"out of memory, or more than %d meters: a reading is not counted",
			AGGREGATE_METERS_MAX);
	}
	return entry;
}

static void tell_answer(struct aggregate *self, enum series_answer answer)
{
	static const unsigned metrics[] = {[SERIES_COUNTED] = AGGREGATE_COUNTED,
		[SERIES_REPEATED] = AGGREGATE_REPEATED,
		[SERIES_TOO_LATE] = AGGREGATE_TOO_LATE,
		[SERIES_FULL] = AGGREGATE_LOST};
	ml_node_count(self->drawer.node, metrics[answer], 1);
	if (answer == SERIES_TOO_LATE)
		ml_node_log(self->drawer.node, ML_LOG_WARNING,
			"a reading came later than `lateness` after the end of its window: it is "
			"not counted");
	if (answer == SERIES_FULL)
		ml_node_log(self->drawer.node, ML_LOG_ERROR,
			"a meter has %d windows that are not done with: a reading is not counted",
			SERIES_SUMS_MAX);
}

void aggregate_count(struct aggregate *self, const struct meter_reading *reading)
{
	const bool has_identity = (reading->flags & METER_HAS_IDENTITY) != 0;
	if (reading->flags & METER_DERIVED || (!reading->point && !has_identity) ||
		!is_wanted(self, reading))
		return;
	/* What was read by a clock that is not known to be right belongs to no window yet. */
	if (reading->time == METER_TIME_UNKNOWN ||
		!ml_wall_known(ml_node_engine(self->drawer.node))) {
		ml_node_count(self->drawer.node, AGGREGATE_TIMELESS, 1);
		return;
	}
	const struct meter_record *record =
		meter_reading_record(reading, meter_reading_find(reading, &self->filter, 0));
	/* Another kind of telegram of this meter says nothing about this series. */
	if (!record && !meter_reading_has_error(reading))
		return;
	struct aggregate_entry *entry =
		entry_for(self, reading, record && record->kind == METER_NUMBER);
	if (!entry)
		return;
	bool plain = false;
	const enum series_answer answer = reading->time == METER_TIME_UNKNOWN
						  ? SERIES_TOO_LATE
						  : count_in(self, entry, reading, record, &plain);
	tell_answer(self, answer);
	if (answer != SERIES_COUNTED)
		return;
	aggregate_mark(self, entry);
	if (!plain)
		aggregate_review(self, self->virtual ? self->virtual : entry, false);
}

static int count_stored(void *user, const struct meter_reading *reading)
{
	aggregate_count(user, reading);
	return 0;
}

int aggregate_catch_up(
	struct aggregate *self, const struct aggregate_entry *entry, struct ml_error *err)
{
	const struct state *state = &entry->state;
	const ml_time from = series_uncounted(&state->series);
	const struct meter_identity identity = state->identity;
	if (from == INT64_MAX)
		return 0;
	return self->keep->readings(ml_node_engine(self->drawer.node), state->point, &identity,
		from, count_stored, self, err);
}
