/* Snapshots of the meter list: read from the database, looked up by any thread, shown as JSON.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "meter/list_private.h"
#include "meter/readout.h"

struct snapshot {
	struct meter_snapshot shown; /* first: what others hold */
	atomic_uint refs;
	struct meter_point *points;
	struct meter_device *devices;
	uint32_t *by_key; /* places in `points`, in the order of keys */
	size_t device_count;
};

static struct snapshot *of(const struct meter_snapshot *shown)
{
	return (struct snapshot *)(void *)(uintptr_t)shown;
}

const struct meter_snapshot *meter_snapshot_retain(const struct meter_snapshot *snapshot)
{
	atomic_fetch_add_explicit(&of(snapshot)->refs, 1, memory_order_relaxed);
	return snapshot;
}

static void snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	free(snapshot->points);
	free(snapshot->devices);
	free(snapshot->by_key);
	free(snapshot);
}

void meter_snapshot_release(const struct meter_snapshot *shown)
{
	if (!shown)
		return;
	if (atomic_fetch_sub_explicit(&of(shown)->refs, 1, memory_order_acq_rel) == 1)
		snapshot_free(of(shown));
}

/* ---- Loading ---- */

static void column_text(sqlite3_stmt *row, int column, char *out, size_t size)
{
	const unsigned char *text = sqlite3_column_text(row, column);
	(void)snprintf(out, size, "%s", text ? (const char *)text : "");
}

static bool column_identity(sqlite3_stmt *row, int column, struct meter_identity *identity)
{
	if (sqlite3_column_bytes(row, column) != 8)
		return false;
	meter_identity_read(sqlite3_column_blob(row, column), identity);
	return true;
}

static void read_point(sqlite3_stmt *row, struct meter_point *point)
{
	struct meter_settings *s = &point->settings;
	point->key = (uint32_t)sqlite3_column_int64(row, 0);
	point->order = (uint32_t)sqlite3_column_int64(row, 1);
	point->since = sqlite3_column_int64(row, 2);
	column_text(row, 3, s->moid, sizeof s->moid);
	column_text(row, 4, s->bus, sizeof s->bus);
	s->baud = (uint32_t)sqlite3_column_int64(row, 5);
	char name[16];
	column_text(row, 6, name, sizeof name);
	(void)meter_mode_parse(name, &s->mode);
	s->has_primary = sqlite3_column_type(row, 7) != SQLITE_NULL;
	s->primary = (uint8_t)sqlite3_column_int(row, 7);
	s->has_secondary = column_identity(row, 8, &s->secondary);
	s->has_enhanced = column_identity(row, 9, &s->enhanced);
	column_text(row, 10, name, sizeof name);
	(void)meter_multi_parse(name, &s->multi);
	s->passive = sqlite3_column_int(row, 11) != 0;
	s->telegram_limit = (uint16_t)sqlite3_column_int(row, 12);
	s->multi_timeout = (uint16_t)sqlite3_column_int(row, 13);
	s->has_multi_retries = sqlite3_column_type(row, 14) != SQLITE_NULL;
	s->multi_retries = (uint8_t)sqlite3_column_int(row, 14);
	s->has_selection = sqlite3_column_type(row, 15) != SQLITE_NULL;
	s->telegram_selection = (uint8_t)sqlite3_column_int(row, 15);
}

static void read_device(sqlite3_stmt *row, struct meter_device *device)
{
	device->key = (uint32_t)sqlite3_column_int64(row, 0);
	device->point = (uint32_t)sqlite3_column_int64(row, 1);
	(void)column_identity(row, 2, &device->identity);
	device->from = sqlite3_column_int64(row, 3);
	device->to = sqlite3_column_type(row, 4) == SQLITE_NULL ? ML_NEVER
								: sqlite3_column_int64(row, 4);
}

/* Reads all rows of a statement into a growing array. */
static int read_all(sqlite3 *db, const char *sql, size_t size,
	void (*read)(sqlite3_stmt *row, void *item), void **ret_items, size_t *ret_count,
	struct ml_error *err)
{
	sqlite3_stmt *statement = NULL;
	char *items = NULL;
	size_t count = 0, capacity = 0;
	int step = SQLITE_OK;
	int result = 0;
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) {
		result = ml_database_error(err, db, "reading the meter list");
		goto out;
	}
	while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
		if (count == capacity) {
			capacity = capacity ? capacity * 2 : 64;
			char *grown = realloc(items, capacity * size);
			if (!grown) {
				result = ml_error_set(err, -ENOMEM, "out of memory");
				goto out;
			}
			items = grown;
		}
		memset(items + count * size, 0, size);
		read(statement, items + count * size);
		count++;
	}
	if (step != SQLITE_DONE) {
		result = ml_database_error(err, db, "reading the meter list");
		goto out;
	}
	*ret_items = items;
	*ret_count = count;
	items = NULL;
out:
	sqlite3_finalize(statement);
	free(items);
	return result;
}

static void read_point_item(sqlite3_stmt *row, void *item)
{
	read_point(row, item);
}

static void read_device_item(sqlite3_stmt *row, void *item)
{
	read_device(row, item);
}

static int compare_keys(const void *a, const void *b, void *user)
{
	const struct meter_point *points = user;
	const uint32_t first = points[*(const uint32_t *)a].key;
	const uint32_t second = points[*(const uint32_t *)b].key;
	return (first > second) - (first < second);
}

/* Both lists are in the order of points' keys here: `by_key` and the devices. */
static void join(struct snapshot *snapshot)
{
	size_t at = 0;
	for (size_t i = 0; i < snapshot->shown.point_count; i++) {
		struct meter_point *point = &snapshot->points[snapshot->by_key[i]];
		while (at < snapshot->device_count && snapshot->devices[at].point < point->key)
			at++;
		point->devices = at < snapshot->device_count ? snapshot->devices + at : NULL;
		while (at < snapshot->device_count && snapshot->devices[at].point == point->key) {
			if (snapshot->devices[at].to == ML_NEVER)
				point->device = &snapshot->devices[at];
			point->device_count++;
			at++;
		}
		if (!point->device_count)
			point->devices = NULL;
	}
}

int meter_snapshot_load(sqlite3 *db, uint64_t revision, const struct meter_snapshot **ret_snapshot,
	struct ml_error *err)
{
	int result = 0;
	void *items = NULL;
	struct snapshot *snapshot = calloc(1, sizeof *snapshot);
	if (!snapshot) {
		result = ml_error_set(err, -ENOMEM, "out of memory");
		goto out;
	}
	atomic_init(&snapshot->refs, 1);
	snapshot->shown.revision = revision;
	result = read_all(db,
		"SELECT key, position, since, moid, bus, baud, mode, primary_address, secondary, "
		"enhanced, multi, passive, telegram_limit, multi_timeout, multi_retries, "
		"telegram_selection FROM meter_point ORDER BY position, key",
		sizeof(struct meter_point), read_point_item, &items, &snapshot->shown.point_count,
		err);
	if (result < 0)
		goto out;
	snapshot->points = items;
	result = read_all(db,
		"SELECT key, point, identity, since, until FROM meter_device ORDER BY point, key",
		sizeof(struct meter_device), read_device_item, &items, &snapshot->device_count,
		err);
	if (result < 0)
		goto out;
	snapshot->devices = items;
	const size_t count = snapshot->shown.point_count;
	snapshot->by_key = calloc(count ? count : 1, sizeof *snapshot->by_key);
	if (!snapshot->by_key) {
		result = ml_error_set(err, -ENOMEM, "out of memory");
		goto out;
	}
	for (size_t i = 0; i < count; i++)
		snapshot->by_key[i] = (uint32_t)i;
	if (count)
		qsort_r(snapshot->by_key, count, sizeof *snapshot->by_key, compare_keys,
			snapshot->points);
	join(snapshot);
	snapshot->shown.points = snapshot->points;
	*ret_snapshot = &snapshot->shown;
	snapshot = NULL;
out:
	snapshot_free(snapshot);
	return result;
}

/* ---- Looking up ---- */

bool meter_keys_have(const uint32_t *keys, size_t count, uint32_t key)
{
	for (size_t i = 0; i < count; i++)
		if (keys[i] == key)
			return true;
	return false;
}

const struct meter_point *meter_snapshot_point(const struct meter_snapshot *shown, uint32_t key)
{
	const struct snapshot *snapshot = of(shown);
	size_t low = 0, high = shown->point_count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const struct meter_point *point = &snapshot->points[snapshot->by_key[middle]];
		if (point->key == key)
			return point;
		if (point->key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct meter_point *meter_snapshot_identity(
	const struct meter_snapshot *snapshot, struct meter_identity identity)
{
	const struct meter_point *addressed = NULL;
	for (size_t i = 0; i < snapshot->point_count; i++) {
		const struct meter_point *point = &snapshot->points[i];
		if (point->settings.passive)
			continue;
		if (point->device && meter_identity_equal(point->device->identity, identity))
			return point;
		if (!addressed && meter_point_selects(point, identity))
			addressed = point;
	}
	return addressed;
}

struct wanted {
	uint32_t key;
	const char *moid;
	size_t moid_length;
	struct meter_identity identity;
	bool by_key, by_identity;
};

enum meaning { BY_KEY, BY_MOID, BY_IDENTITY, MEANINGS };

static bool fits(const struct meter_point *point, enum meaning meaning, const struct wanted *wanted)
{
	switch (meaning) {
	case BY_KEY:
		return wanted->by_key && point->key == wanted->key;
	case BY_MOID:
		return strlen(point->settings.moid) == wanted->moid_length &&
		       memcmp(point->settings.moid, wanted->moid, wanted->moid_length) == 0;
	default:
		break;
	}
	if (!wanted->by_identity)
		return false;
	for (size_t i = 0; i < point->device_count; i++)
		if (meter_identity_matches(point->devices[i].identity, wanted->identity))
			return true;
	/* A point that was never read is known by the address it will be read at. */
	const struct meter_settings *s = &point->settings;
	return !point->device &&
	       ((s->has_secondary && meter_identity_matches(s->secondary, wanted->identity)) ||
		       (s->has_enhanced && meter_identity_matches(s->enhanced, wanted->identity)));
}

static void parse_wanted(const char *text, size_t length, struct wanted *wanted)
{
	*wanted = (struct wanted){.moid = text, .moid_length = length};
	if (length > 1 && length <= 10 && text[0] == '#') {
		wanted->by_key = true;
		for (size_t i = 1; i < length && wanted->by_key; i++) {
			wanted->by_key = text[i] >= '0' && text[i] <= '9';
			wanted->key = wanted->key * 10 + (uint32_t)(text[i] - '0');
		}
	}
	wanted->by_identity =
		length > 0 && meter_secondary_parse(text, length, &wanted->identity, NULL) == 0;
}

size_t meter_snapshot_find(const struct meter_snapshot *snapshot, const char *text, size_t length,
	const struct meter_point **found, size_t size)
{
	struct wanted wanted;
	size_t count = 0;
	if (!length)
		return 0;
	parse_wanted(text, length, &wanted);
	for (unsigned meaning = 0; meaning < MEANINGS && !count; meaning++) {
		for (size_t i = 0; i < snapshot->point_count; i++) {
			if (!fits(&snapshot->points[i], (enum meaning)meaning, &wanted))
				continue;
			if (count < size)
				found[count] = &snapshot->points[i];
			count++;
		}
	}
	return count;
}

/* "#3 (12345678.KAM.1B.04, \"Flat 3\")" */
static size_t write_candidate(const struct meter_point *point, char *out, size_t size)
{
	char identity[METER_SECONDARY_TEXT_MAX] = "never read";
	if (point->device)
		meter_secondary_format(point->device->identity, identity);
	const bool named = point->settings.moid[0] != '\0';
	const int length = snprintf(out, size, "#%u (%s%s%s%s)", point->key, identity,
		named ? ", \"" : "", named ? point->settings.moid : "", named ? "\"" : "");
	return length < 0 ? 0 : (size_t)length < size ? (size_t)length : size - 1;
}

int meter_snapshot_find_one(const struct meter_snapshot *snapshot, const char *text, size_t length,
	const struct meter_point **found, struct ml_error *err)
{
	const struct meter_point *points[METER_FOUND_MAX];
	const size_t count = meter_snapshot_find(snapshot, text, length, points, METER_FOUND_MAX);
	const int shown = (int)(length < 64 ? length : 64);
	if (count == 1) {
		*found = points[0];
		return 0;
	}
	if (count == 0)
		return ml_error_set(err, -ENOENT,
			"no meter \"%.*s\": expected a key (#12), a MOID, or an id (12345678, "
			"12345678.KAM) of the meter list",
			shown, text);
	char names[ML_ERROR_TEXT_MAX];
	size_t used = 0;
	names[0] = '\0';
	for (size_t i = 0; i < count && i < METER_FOUND_MAX && used + 1 < sizeof names; i++) {
		if (i)
			used += (size_t)snprintf(names + used, sizeof names - used, ", ");
		if (used + 1 < sizeof names)
			used += write_candidate(points[i], names + used, sizeof names - used);
	}
	return ml_error_set(err, -EEXIST, "\"%.*s\" is not unique, %zu meters fit: %s", shown, text,
		count, names);
}

/* ---- JSON ---- */

static void write_time(const char *key, ml_time time, struct ml_json_writer *w)
{
	char text[ML_TIME_TEXT_MAX];
	const size_t length = ml_time_format(time, text);
	ml_json_key(w, key);
	ml_json_string_n(w, text, length);
}

static void write_device(const struct meter_device *device, struct ml_json_writer *w)
{
	ml_json_begin_object(w);
	meter_identity_to_json(device->identity, w);
	write_time("from", device->from, w);
	if (device->to != ML_NEVER)
		write_time("to", device->to, w);
	ml_json_end_object(w);
}

static void write_address(
	const char *key, bool given, struct meter_identity address, struct ml_json_writer *w)
{
	char text[METER_SECONDARY_TEXT_MAX];
	if (!given)
		return;
	ml_json_key(w, key);
	ml_json_string_n(w, text, meter_secondary_format(address, text));
}

static void write_given(const char *key, bool given, unsigned value, struct ml_json_writer *w)
{
	if (!given)
		return;
	ml_json_key(w, key);
	ml_json_unsigned(w, value);
}

static void write_settings(const struct meter_settings *s, struct ml_json_writer *w)
{
	ml_json_key(w, "moid");
	ml_json_string(w, s->moid);
	ml_json_key(w, "state");
	ml_json_string(w, s->passive ? "passive" : "active");
	ml_json_key(w, "bus");
	ml_json_string(w, s->bus);
	ml_json_key(w, "mode");
	ml_json_string(w, meter_mode_name(s->mode));
	write_given("primary", s->has_primary, s->primary, w);
	write_address("secondary", s->has_secondary, s->secondary, w);
	write_address("enhanced", s->has_enhanced, s->enhanced, w);
	write_given("baud", s->baud > 0, s->baud, w);
	ml_json_key(w, "multi");
	ml_json_string(w, meter_multi_name(s->multi));
	write_given("telegram_limit", s->telegram_limit > 0, s->telegram_limit, w);
	write_given("multi_timeout", s->multi_timeout > 0, s->multi_timeout, w);
	write_given("multi_retries", s->has_multi_retries, s->multi_retries, w);
	write_given("telegram_selection", s->has_selection, s->telegram_selection, w);
}

void meter_point_to_json(const struct meter_point *point, const struct meter_readout *readout,
	struct ml_json_writer *w)
{
	ml_json_begin_object(w);
	ml_json_key(w, "point");
	ml_json_unsigned(w, point->key);
	ml_json_key(w, "order");
	ml_json_unsigned(w, point->order);
	write_time("since", point->since, w);
	write_settings(&point->settings, w);
	ml_json_key(w, "readout");
	meter_readout_to_json(readout, w);
	ml_json_key(w, "device");
	if (point->device)
		write_device(point->device, w);
	else
		ml_json_null(w);
	ml_json_key(w, "earlier_devices");
	ml_json_begin_array(w);
	for (size_t i = 0; i < point->device_count; i++)
		if (&point->devices[i] != point->device)
			write_device(&point->devices[i], w);
	ml_json_end_array(w);
	ml_json_end_object(w);
}
