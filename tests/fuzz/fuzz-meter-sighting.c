/* Any order of points and sightings: there are never more points for one meter than before, what a
 * person typed stays, a duplicate changes nothing, and what was entered is known from then on.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "meter/list_private.h"
#include "meter/sighting.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 40, POINTS_MAX = 64 };

struct input {
	const uint8_t *data;
	size_t size, at;
};

static unsigned pick(struct input *in, unsigned count)
{
	return in->at < in->size ? in->data[in->at++] % count : 0;
}

/* Few of each, so that they meet. */
static struct meter_identity pick_identity(struct input *in, bool open)
{
	static const uint32_t ids[] = {0x12345678, 0x12345679, 0x00000001, 0x1234567F};
	struct meter_identity identity = {
		.id = ids[pick(in, open ? 4 : 3)],
		.manufacturer = (uint16_t)(0x2C2D + pick(in, 2)),
		.version = (uint8_t)pick(in, 2),
		.medium = 4,
	};
	if (open && pick(in, 2)) {
		identity.manufacturer = METER_ANY_MANUFACTURER;
		identity.version = METER_ANY_VERSION;
		identity.medium = METER_ANY_MEDIUM;
	}
	return identity;
}

static void pick_bus(struct input *in, char bus[METER_BUS_MAX])
{
	(void)snprintf(bus, METER_BUS_MAX, "%s", pick(in, 2) ? "roof" : "");
}

static void add_point(struct meter_list *list, struct input *in)
{
	struct meter_settings settings = {.mode = (uint8_t)pick(in, 3)};
	uint32_t key = 0;
	pick_bus(in, settings.bus);
	(void)snprintf(settings.moid, sizeof settings.moid, "%zu", in->at);
	settings.baud = pick(in, 2) ? 300 : 0;
	settings.passive = pick(in, 4) == 0;
	settings.has_primary = pick(in, 2);
	settings.primary = settings.has_primary ? (uint8_t)pick(in, 4) : 0;
	settings.has_secondary = pick(in, 2);
	if (settings.has_secondary)
		settings.secondary = pick_identity(in, true);
	settings.has_enhanced = pick(in, 4) == 0;
	if (settings.has_enhanced)
		settings.enhanced = pick_identity(in, true);
	(void)meter_list_add(list, &settings, 1, &key, NULL);
}

static struct meter_sighting pick_sighting(struct input *in)
{
	struct meter_sighting s = {
		.identity = pick_identity(in, false),
		.whole = pick(in, 8) != 0,
		.baud = pick(in, 4) ? 2400 : 300,
		.bus_baud = 2400,
		.mode = (uint8_t)pick(in, 3),
		.has_primary = true,
		.primary = (uint8_t)pick(in, 5),
		.search = pick(in, 3),
	};
	pick_bus(in, s.bus);
	if (s.primary == 4)
		s.primary = 253;
	if (s.mode == METER_MODE_PRIMARY && s.primary == 253)
		s.primary = 3;
	if (s.mode != METER_MODE_PRIMARY)
		s.selection = s.identity;
	return s;
}

static size_t active_with(const struct meter_snapshot *snapshot, struct meter_identity identity)
{
	size_t count = 0;
	for (size_t i = 0; i < snapshot->point_count; i++) {
		const struct meter_point *point = &snapshot->points[i];
		count += !point->settings.passive && point->device &&
			 meter_identity_equal(point->device->identity, identity);
	}
	return count;
}

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_typed(const struct meter_snapshot *before, const struct meter_snapshot *after)
{
	for (size_t i = 0; i < before->point_count; i++) {
		const struct meter_settings *was = &before->points[i].settings;
		const struct meter_point *point =
			meter_snapshot_point(after, before->points[i].key);
		must(point != NULL);
		const struct meter_settings *is = &point->settings;
		must(strcmp(was->moid, is->moid) == 0 && was->passive == is->passive &&
			was->multi == is->multi);
		must(was->mode == is->mode || strcmp(was->bus, is->bus) != 0);
		must(!was->has_primary || is->has_primary);
		must(!was->has_enhanced || meter_identity_equal(was->enhanced, is->enhanced));
	}
}

static void enter(struct meter_list *list, const struct meter_sighting *s)
{
	struct meter_verdict verdict, again;
	const struct meter_snapshot *before = meter_list_snapshot(list);
	const int result = meter_sighting_enter(list, s, 2, &verdict, NULL);
	const struct meter_snapshot *after = meter_list_snapshot(list);
	must(verdict.text[0] != '\0' && strlen(verdict.text) < sizeof verdict.text - 1);
	check_typed(before, after);
	must(after->point_count ==
		before->point_count + (result == 0 && verdict.kind == METER_SIGHTING_NEW));
	if (verdict.kind == METER_SIGHTING_DUPLICATE || result < 0)
		must(after->revision == before->revision);
	if (s->whole) {
		const size_t had = active_with(before, s->identity);
		must(active_with(after, s->identity) <= (had > 1 ? had : 1));
	}
	if (result == 0 && meter_sighting_enter(list, s, 3, &again, NULL) == 0) {
		const uint64_t revision = meter_list_revision(list);
		must(again.kind == METER_SIGHTING_KNOWN || again.kind == METER_SIGHTING_DUPLICATE);
		must(revision == after->revision);
		if (verdict.kind != METER_SIGHTING_DUPLICATE && s->whole)
			must(again.kind == METER_SIGHTING_KNOWN && again.point == verdict.point);
	}
	meter_snapshot_release(before);
	meter_snapshot_release(after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.data = data, .size = size};
	sqlite3 *db = NULL;
	struct meter_list *list = NULL;
	must(sqlite3_open(":memory:", &db) == SQLITE_OK);
	for (const struct ml_migration *m = meter_list_migrations; m->sql; m++)
		must(sqlite3_exec(db, m->sql, NULL, NULL, NULL) == SQLITE_OK);
	must(meter_list_open(db, NULL, &list, NULL) == 0);
	for (unsigned i = 0; i < STEPS_MAX && in.at < in.size; i++) {
		if (pick(&in, 3) == 0) {
			add_point(list, &in);
			continue;
		}
		struct meter_sighting s = pick_sighting(&in);
		/* Asked at the address of a point, or found without one. */
		const struct meter_snapshot *snapshot = meter_list_snapshot(list);
		if (snapshot->point_count && pick(&in, 4) == 0) {
			const struct meter_point *point =
				&snapshot->points[pick(&in, (unsigned)snapshot->point_count)];
			memcpy(s.bus, point->settings.bus, sizeof s.bus);
			s.point = point->key;
		}
		meter_snapshot_release(snapshot);
		enter(list, &s);
	}
	meter_list_close(list);
	return 0;
}
