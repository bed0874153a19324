/* Current values: the table of meters, and how readings come into it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Which of two readings of a meter is newer is told by their times. But a time that lies ahead of
 * the clock cannot be right: the clock was set back since, and whatever comes now is newer. So an
 * old reading that comes late replaces nothing, and no value stays for ever because it was stamped
 * by a wrong clock. Traces would not do: each lane has numbers of its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>

#include "meter/current_private.h"

enum { BUCKETS = 2 * METER_CURRENT_METERS_MAX };

struct who {
	uint32_t point; /* 0: `identity` alone */
	struct meter_identity identity;
};

struct meter_current *meter_current(struct ml_engine *engine)
{
	return ml_service(engine, METER_CURRENT_SERVICE);
}

uint64_t meter_current_revision(const struct meter_current *current)
{
	return atomic_load_explicit(&current->revision, memory_order_acquire);
}

const char *meter_current_state_name(unsigned state)
{
	static const char *const names[] = {"never", "read", "failed"};
	return state < sizeof names / sizeof *names ? names[state] : "unknown";
}

/* ---- The table ---- */

static int64_t identity_number(struct meter_identity identity)
{
	return (int64_t)((uint64_t)identity.id << 32 | (uint64_t)identity.manufacturer << 16 |
			 (uint64_t)identity.version << 8 | identity.medium);
}

/* Of a place at a point the identity tells nothing: it may change. */
static struct who who_of(const struct meter_current_place *place)
{
	struct who who = {.point = place->shown.point};
	if (!who.point)
		who.identity = place->shown.identity;
	return who;
}

static int compare(struct who a, struct who b)
{
	if (a.point != b.point)
		return a.point < b.point ? -1 : 1;
	const uint64_t first = (uint64_t)identity_number(a.identity);
	const uint64_t second = (uint64_t)identity_number(b.identity);
	return (first > second) - (first < second);
}

static size_t bucket_of(struct who who)
{
	uint64_t hash = (uint64_t)identity_number(who.identity) ^ (uint64_t)who.point << 20;
	hash *= UINT64_C(0x9E3779B97F4A7C15);
	return (size_t)(hash >> 40) % BUCKETS;
}

static struct meter_current_place *find(const struct meter_current *current, struct who who)
{
	for (size_t i = bucket_of(who); current->buckets[i]; i = (i + 1) % BUCKETS) {
		struct meter_current_place *place = current->places[current->buckets[i] - 1];
		if (compare(who_of(place), who) == 0)
			return place;
	}
	return NULL;
}

/* The order of places has changed: seldom, when a meter is heard for the first time or goes. */
static void hash_anew(struct meter_current *current)
{
	memset(current->buckets, 0, BUCKETS * sizeof *current->buckets);
	for (size_t i = 0; i < current->place_count; i++) {
		size_t bucket = bucket_of(who_of(current->places[i]));
		while (current->buckets[bucket])
			bucket = (bucket + 1) % BUCKETS;
		current->buckets[bucket] = (uint32_t)(i + 1);
	}
}

static void place_free(struct meter_current *current, struct meter_current_place *place)
{
	for (size_t i = 0; i < place->part_count; i++) {
		current->bytes -= place->parts[i]->size;
		meter_current_part_release(place->parts[i]);
	}
	free(place);
}

static void remove_at(struct meter_current *current, size_t index)
{
	place_free(current, current->places[index]);
	current->place_count--;
	memmove(current->places + index, current->places + index + 1,
		(current->place_count - index) * sizeof(struct meter_current_place *));
	hash_anew(current);
}

static void remove_place(struct meter_current *current, const struct meter_current_place *place)
{
	for (size_t i = 0; i < current->place_count; i++) {
		if (current->places[i] == place) {
			remove_at(current, i);
			return;
		}
	}
}

/* Of those that are full the one goes that was heard longest ago: first of the meters that are not
 * of the list. `keep` stays. */
static bool remove_oldest(struct meter_current *current, const struct meter_current_place *keep)
{
	struct meter_current_place *oldest = NULL;
	for (size_t i = 0; i < current->place_count; i++) {
		struct meter_current_place *place = current->places[i];
		if (place == keep)
			continue;
		const bool foreign = place->shown.point == 0;
		if (!oldest || foreign > (oldest->shown.point == 0) ||
			(foreign == (oldest->shown.point == 0) && place->touched < oldest->touched))
			oldest = place;
	}
	if (oldest)
		remove_place(current, oldest);
	return oldest != NULL;
}

static bool grow(struct meter_current *current)
{
	const size_t capacity = current->place_capacity ? current->place_capacity * 2 : 64;
	struct meter_current_place **grown =
		realloc((void *)current->places, capacity * sizeof(struct meter_current_place *));
	if (!grown)
		return false;
	current->places = grown;
	current->place_capacity = capacity;
	return true;
}

/* NULL: out of memory. */
static struct meter_current_place *add(struct meter_current *current, struct who who)
{
	if (current->place_count == METER_CURRENT_METERS_MAX)
		(void)remove_oldest(current, NULL);
	if (current->place_count == current->place_capacity && !grow(current))
		return NULL;
	struct meter_current_place *place = calloc(1, sizeof *place);
	if (!place)
		return NULL;
	place->shown.point = who.point;
	place->shown.identity = who.identity;
	place->shown.has_identity = who.point == 0;
	place->shown.read = METER_TIME_UNKNOWN;
	size_t low = 0, high = current->place_count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (compare(who_of(current->places[middle]), who) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	memmove(current->places + low + 1, current->places + low,
		(current->place_count - low) * sizeof(struct meter_current_place *));
	current->places[low] = place;
	current->place_count++;
	hash_anew(current);
	return place;
}

/* ---- Taking ---- */

/* A meter that was heard before it was put into the list is shown once. */
static void forget_heard(struct meter_current *current, struct meter_identity identity)
{
	const struct meter_current_place *heard = find(current, (struct who){.identity = identity});
	if (heard)
		remove_place(current, heard);
}

static void take(struct meter_current *current, const struct meter_reading *reading, bool loaded,
	ml_time now)
{
	const bool has_identity = (reading->flags & METER_HAS_IDENTITY) != 0;
	struct who who = {.point = reading->point};
	if (!who.point && has_identity)
		who.identity = reading->meter;
	if (!who.point && !has_identity)
		return; /* nobody knows whose it is */
	struct meter_current_place *place = find(current, who);
	if (!place)
		place = add(current, who);
	if (!place)
		return;
	if (who.point && has_identity && !(reading->flags & METER_NOT_READ) &&
		!meter_identity_equal(place->shown.identity, reading->meter))
		forget_heard(current, reading->meter);
	place->touched = ++current->takes;
	meter_current_place_take(current, place, reading, loaded, now);
	while (current->bytes > METER_CURRENT_BYTES_MAX && remove_oldest(current, place))
		;
}

void meter_current_take(struct meter_current *current, const struct meter_reading *const *readings,
	size_t count, bool loaded)
{
	const ml_time now = ml_clock_wall(current->clock);
	if (!count)
		return;
	pthread_mutex_lock(&current->lock);
	for (size_t i = 0; i < count; i++)
		take(current, readings[i], loaded, now);
	pthread_mutex_unlock(&current->lock);
	atomic_fetch_add_explicit(&current->revision, 1, memory_order_release);
}

/* ---- The service ---- */

struct meter_current *meter_current_new(struct ml_clock *clock)
{
	struct meter_current *current = calloc(1, sizeof *current);
	if (!current)
		return NULL;
	current->buckets = calloc(BUCKETS, sizeof *current->buckets);
	if (!current->buckets) {
		free(current);
		return NULL;
	}
	current->clock = clock;
	pthread_mutex_init(&current->lock, NULL);
	return current;
}

void meter_current_free(struct meter_current *current)
{
	if (!current)
		return;
	meter_current_release(current->snapshot);
	for (size_t i = 0; i < current->place_count; i++)
		place_free(current, current->places[i]);
	pthread_mutex_destroy(&current->lock);
	free((void *)current->places);
	free(current->buckets);
	free(current);
}

int meter_current_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	*ret_service = meter_current_new(ml_engine_clock(engine));
	return *ret_service ? 0 : ml_error_set(err, -ENOMEM, "out of memory");
}

void meter_current_stop(void *service)
{
	meter_current_free(service);
}
