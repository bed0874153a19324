/* Entering what was seen into the meter list, on the control lane or from another one.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/clock.h>
#include <meterloom/engine.h>
#include <meterloom/node.h>

#include "meter/list_private.h"
#include "meter/sighting.h"

enum { SEEN_MAX = METER_POINTS_MAX };

/* Without memory for it, a second sighting is not told as one. */
static void remember(struct meter_seen *seen, const struct meter_sighting *sighting)
{
	if (!sighting->search || !sighting->whole)
		return;
	const bool is_grown = (seen->count & (seen->count - 1)) == 0 && seen->count >= 64;
	if (seen->count < SEEN_MAX && (seen->count == 0 || is_grown)) {
		const size_t capacity = seen->count ? seen->count * 2 : 64;
		struct meter_sighting *items = realloc(seen->items, capacity * sizeof *seen->items);
		if (!items)
			return;
		seen->items = items;
	}
	if (seen->count < SEEN_MAX) {
		seen->items[seen->count++] = *sighting;
		return;
	}
	seen->items[seen->next] = *sighting;
	seen->next = (seen->next + 1) % SEEN_MAX;
}

static void raise(struct meter_list *list, const struct meter_snapshot *snapshot,
	const struct meter_sighting *sighting, const struct meter_verdict *verdict)
{
	char meter[METER_SECONDARY_TEXT_MAX], name[METER_POINT_NAME_MAX];
	const struct meter_point *point = meter_snapshot_point(snapshot, verdict->point);
	struct ml_engine *engine = meter_list_engine(list);
	if (!engine || verdict->again)
		return;
	meter_secondary_format(sighting->identity, meter);
	if (verdict->kind == METER_SIGHTING_DUPLICATE)
		ml_event_raise(engine, "meter-duplicate", "meter-list", "meter", meter, "how",
			verdict->text, NULL);
	if (verdict->kind != METER_SIGHTING_MOVED || !point)
		return;
	meter_point_name(point, name);
	ml_event_raise(engine, "meter-moved", "meter-list", "meter", meter, "point", name, "how",
		verdict->text, NULL);
}

static int add(
	struct meter_list *list, ml_time time, struct meter_verdict *verdict, struct ml_error *err)
{
	const int result = meter_list_add(list, &verdict->settings, time, &verdict->point, err);
	if (result < 0)
		return result;
	char text[METER_VERDICT_TEXT_MAX];
	(void)snprintf(
		text, sizeof text, "added as point #%u: %.200s", verdict->point, verdict->text);
	memcpy(verdict->text, text, sizeof text);
	return 0;
}

int meter_sighting_enter(struct meter_list *list, const struct meter_sighting *sighting,
	ml_time time, struct meter_verdict *verdict, struct ml_error *err)
{
	struct meter_seen *seen = meter_list_seen(list);
	const struct meter_snapshot *snapshot = meter_list_snapshot(list);
	int result = 0;
	meter_sighting_compare(snapshot, sighting, seen->items, seen->count, verdict);
	if (sighting->point && !meter_snapshot_point(snapshot, sighting->point)) {
		result = ml_error_set(
			err, -ENOENT, "point #%u was removed from the meter list", sighting->point);
		goto out;
	}
	remember(seen, sighting);
	if (verdict->kind == METER_SIGHTING_NEW)
		result = add(list, time, verdict, err);
	else if (verdict->kind != METER_SIGHTING_DUPLICATE)
		result = meter_list_change(list, verdict->point, &verdict->settings, err);
	if (result < 0)
		goto out;
	raise(list, snapshot, sighting, verdict);
	if (verdict->kind != METER_SIGHTING_DUPLICATE && sighting->whole) {
		/* Of an event on what it is, the list itself takes care. */
		meter_snapshot_release(snapshot);
		snapshot = meter_list_snapshot(list);
		meter_list_contact(list, snapshot, verdict->point, sighting->identity, time);
		meter_list_take_contacts(list);
	}
out:
	meter_snapshot_release(snapshot);
	return result;
}

/* ---- From another lane ---- */

struct meter_entry {
	struct meter_list *list;
	struct ml_engine *engine;
	struct ml_lane *lane;
	struct meter_sighting sighting;
	struct meter_verdict verdict;
	struct ml_error err;
	void (*done)(void *user, const struct meter_verdict *verdict, const struct ml_error *err);
	void *user;
	bool forgotten; /* its lane */
};

static void come_back(void *user)
{
	struct meter_entry *entry = user;
	if (!entry->forgotten)
		entry->done(entry->user, &entry->verdict, entry->err.code < 0 ? &entry->err : NULL);
	free(entry);
}

static void enter(void *user)
{
	struct meter_entry *entry = user;
	(void)meter_sighting_enter(entry->list, &entry->sighting,
		ml_clock_wall(ml_engine_clock(entry->engine)), &entry->verdict, &entry->err);
	/* A lane that has ended has nobody on it who waits. */
	if (ml_lane_post(entry->lane, come_back, entry) == -ECANCELED)
		free(entry);
}

struct meter_entry *meter_sighting_send(struct ml_engine *engine, struct ml_lane *lane,
	const struct meter_sighting *sighting,
	void (*done)(void *user, const struct meter_verdict *verdict, const struct ml_error *err),
	void *user)
{
	struct meter_list *list = meter_list(engine);
	struct meter_entry *entry = list ? calloc(1, sizeof *entry) : NULL;
	if (!entry)
		return NULL;
	*entry = (struct meter_entry){
		.list = list,
		.engine = engine,
		.lane = lane,
		.sighting = *sighting,
		.err = ML_ERROR_NONE,
		.done = done,
		.user = user,
	};
	if (ml_lane_post(ml_engine_lane(engine, "control"), enter, entry) < 0) {
		free(entry);
		return NULL;
	}
	return entry;
}

void meter_entry_forget(struct meter_entry *entry)
{
	entry->forgotten = true;
}
