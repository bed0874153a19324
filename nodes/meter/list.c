/* The meter list: changes on the control lane, contacts from any, and the service itself.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The database is the truth: each change is committed, then the whole list is read anew into a
 * snapshot, which takes a few milliseconds for thousands of points and happens seldom.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>
#include <meterloom/node.h>

#include "meter/current_private.h"
#include "meter/list_private.h"
#include "meter/origin.h"
#include "meter/readout_private.h"

const struct ml_migration meter_list_migrations[] = {
	{"meterloom", 1,
		"CREATE TABLE meter_point ("
		" key INTEGER PRIMARY KEY AUTOINCREMENT,"
		" position INTEGER NOT NULL," /* in the order of installation, from 1 */
		" since INTEGER NOT NULL,"
		" moid TEXT NOT NULL,"
		" bus TEXT NOT NULL,"
		" baud INTEGER NOT NULL," /* 0: the bus's */
		" mode TEXT NOT NULL,"
		" primary_address INTEGER,"
		" secondary BLOB,"
		" enhanced BLOB,"
		" multi TEXT NOT NULL,"
		" passive INTEGER NOT NULL);"
		"CREATE TABLE meter_device ("
		" key INTEGER PRIMARY KEY AUTOINCREMENT,"
		" point INTEGER NOT NULL REFERENCES meter_point(key) ON DELETE CASCADE,"
		" identity BLOB NOT NULL,"
		" since INTEGER NOT NULL,"
		" until INTEGER);" /* NULL: it is there */
		"CREATE INDEX meter_device_point ON meter_device(point)"},
	{"meterloom", 2, METER_READOUT_MIGRATION},
	/* NULL: as the bus. */
	{"meterloom", 3,
		"ALTER TABLE meter_point ADD COLUMN telegram_limit INTEGER;"
		"ALTER TABLE meter_point ADD COLUMN multi_timeout INTEGER;" /* ms */
		"ALTER TABLE meter_point ADD COLUMN multi_retries INTEGER;"
		"ALTER TABLE meter_point ADD COLUMN telegram_selection INTEGER"},
	{NULL, 0, NULL},
};

const struct ml_event_class meter_list_events[] = {
	{"meter-found", ML_LOG_INFO, "Meter {meter} answered for the first time at point {point}",
		"Nothing is to be done: its identity is in the meter list now."},
	{"meter-replaced", ML_LOG_WARNING,
		"Meter {meter} answers at point {point} where {earlier} was before",
		"If the meter was exchanged, nothing is to be done: its readings are kept apart. "
		"If "
		"not, "
		"two meters have one address, or the wiring was changed."},
	{"meter-moved", ML_LOG_INFO, "Meter {meter} of point {point} {how}",
		"Nothing is to be done: the meter list follows it."},
	{"meter-duplicate", ML_LOG_WARNING, "Meter {meter}: {how}",
		"The meter list was left as it is. Look which of the two is right, and correct or "
		"remove the other."},
	{NULL, ML_LOG_DEBUG, NULL, NULL},
};

enum { CONTACTS_MAX = 1024 };

struct contact {
	uint32_t point;
	struct meter_identity identity;
	ml_time time;
};

struct meter_list {
	struct ml_engine *engine; /* NULL in tests of the list alone */
	sqlite3 *db;              /* control lane */
	struct meter_seen seen;   /* control lane */
	atomic_uint_fast64_t revision;
	pthread_mutex_t lock; /* guards what follows; held for some instructions */
	const struct meter_snapshot *snapshot;
	struct contact *contacts; /* owned; room for CONTACTS_MAX */
	size_t contact_count;
	bool posted; /* the control lane will take the contacts */
};

/* ---- Any thread ---- */

struct meter_list *meter_list(struct ml_engine *engine)
{
	return ml_service(engine, meter_list_services[0].name);
}

const struct meter_snapshot *meter_list_snapshot(struct meter_list *list)
{
	pthread_mutex_lock(&list->lock);
	const struct meter_snapshot *snapshot = meter_snapshot_retain(list->snapshot);
	pthread_mutex_unlock(&list->lock);
	return snapshot;
}

uint64_t meter_list_revision(const struct meter_list *list)
{
	return atomic_load_explicit(&list->revision, memory_order_acquire);
}

struct ml_engine *meter_list_engine(struct meter_list *list)
{
	return list->engine;
}

struct meter_seen *meter_list_seen(struct meter_list *list)
{
	return &list->seen;
}

static void take_contacts(void *user)
{
	meter_list_take_contacts(user);
}

/* Puts it into the queue unless it is there already. What does not fit comes again: the meter is
 * read again. Returns whether the control lane must be told. */
static bool queue_contact(struct meter_list *list, const struct contact *contact)
{
	bool wake = false;
	pthread_mutex_lock(&list->lock);
	for (size_t i = 0; i < list->contact_count; i++)
		if (list->contacts[i].point == contact->point &&
			meter_identity_equal(list->contacts[i].identity, contact->identity))
			goto out;
	if (list->contact_count < CONTACTS_MAX) {
		list->contacts[list->contact_count++] = *contact;
		wake = !list->posted;
		list->posted = true;
	}
out:
	pthread_mutex_unlock(&list->lock);
	return wake;
}

void meter_list_contact(struct meter_list *list, const struct meter_snapshot *snapshot,
	uint32_t point, struct meter_identity identity, ml_time time)
{
	const struct meter_point *known = meter_snapshot_point(snapshot, point);
	if (!known || (known->device && meter_identity_equal(known->device->identity, identity)))
		return;
	const struct contact contact = {.point = point, .identity = identity, .time = time};
	if (!queue_contact(list, &contact) || !list->engine)
		return;
	if (ml_lane_post(ml_engine_lane(list->engine, "control"), take_contacts, list) < 0) {
		pthread_mutex_lock(&list->lock);
		list->posted = false;
		pthread_mutex_unlock(&list->lock);
	}
}

/* ---- Writing ---- */

static int run(struct meter_list *list, const char *sql, struct ml_error *err)
{
	if (sqlite3_exec(list->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return ml_database_error(err, list->db, "writing the meter list");
	return 0;
}

/* One statement with integers bound. */
static int run_with(struct meter_list *list, const char *sql, const int64_t *values, int count,
	struct ml_error *err)
{
	sqlite3_stmt *statement = NULL;
	int result = 0;
	bool ok = sqlite3_prepare_v2(list->db, sql, -1, &statement, NULL) == SQLITE_OK;
	for (int i = 0; ok && i < count; i++)
		ok = sqlite3_bind_int64(statement, i + 1, values[i]) == SQLITE_OK;
	if (!ok || sqlite3_step(statement) != SQLITE_DONE)
		result = ml_database_error(err, list->db, "writing the meter list");
	sqlite3_finalize(statement);
	return result;
}

static int reload(struct meter_list *list, struct ml_error *err)
{
	const struct meter_snapshot *fresh = NULL;
	const uint64_t revision = meter_list_revision(list) + 1;
	const int result = meter_snapshot_load(list->db, revision, &fresh, err);
	if (result < 0)
		return result;
	pthread_mutex_lock(&list->lock);
	const struct meter_snapshot *old = list->snapshot;
	list->snapshot = fresh;
	pthread_mutex_unlock(&list->lock);
	atomic_store_explicit(&list->revision, revision, memory_order_release);
	meter_snapshot_release(old);
	return 0;
}

int meter_list_begin(struct meter_list *list, struct ml_error *err)
{
	return run(list, "BEGIN IMMEDIATE", err);
}

int meter_list_end(struct meter_list *list, bool keep, struct ml_error *err)
{
	int result = keep ? run(list, "COMMIT", err) : 0;
	if (!keep || result < 0) {
		(void)sqlite3_exec(list->db, "ROLLBACK", NULL, NULL, NULL);
		return result;
	}
	return reload(list, err);
}

static bool bind_address(
	sqlite3_stmt *statement, int place, bool given, struct meter_identity address)
{
	uint8_t bytes[8];
	meter_identity_write(address, bytes);
	return (given ? sqlite3_bind_blob(statement, place, bytes, sizeof bytes, SQLITE_TRANSIENT)
		      : sqlite3_bind_null(statement, place)) == SQLITE_OK;
}

static bool bind_number(sqlite3_stmt *statement, int place, bool given, int64_t value)
{
	return (given ? sqlite3_bind_int64(statement, place, value)
		      : sqlite3_bind_null(statement, place)) == SQLITE_OK;
}

enum { SETTINGS_COLUMNS = 13 };

/* Binds the settings to the places 1 to 13. */
static bool bind_settings(sqlite3_stmt *statement, const struct meter_settings *s)
{
	return sqlite3_bind_text(statement, 1, s->moid, -1, SQLITE_STATIC) == SQLITE_OK &&
	       sqlite3_bind_text(statement, 2, s->bus, -1, SQLITE_STATIC) == SQLITE_OK &&
	       sqlite3_bind_int64(statement, 3, s->baud) == SQLITE_OK &&
	       sqlite3_bind_text(statement, 4, meter_mode_name(s->mode), -1, SQLITE_STATIC) ==
		       SQLITE_OK &&
	       bind_number(statement, 5, s->has_primary, s->primary) &&
	       bind_address(statement, 6, s->has_secondary, s->secondary) &&
	       bind_address(statement, 7, s->has_enhanced, s->enhanced) &&
	       sqlite3_bind_text(statement, 8, meter_multi_name(s->multi), -1, SQLITE_STATIC) ==
		       SQLITE_OK &&
	       sqlite3_bind_int(statement, 9, s->passive) == SQLITE_OK &&
	       bind_number(statement, 10, s->telegram_limit > 0, s->telegram_limit) &&
	       bind_number(statement, 11, s->multi_timeout > 0, s->multi_timeout) &&
	       bind_number(statement, 12, s->has_multi_retries, s->multi_retries) &&
	       bind_number(statement, 13, s->has_selection, s->telegram_selection);
}

static int write_settings(struct meter_list *list, const char *sql,
	const struct meter_settings *settings, int64_t last, struct ml_error *err)
{
	sqlite3_stmt *statement = NULL;
	int result = 0;
	if (sqlite3_prepare_v2(list->db, sql, -1, &statement, NULL) != SQLITE_OK ||
		!bind_settings(statement, settings) ||
		sqlite3_bind_int64(statement, SETTINGS_COLUMNS + 1, last) != SQLITE_OK ||
		sqlite3_step(statement) != SQLITE_DONE)
		result = ml_database_error(err, list->db, "writing the meter list");
	sqlite3_finalize(statement);
	return result;
}

int meter_list_insert(struct meter_list *list, const struct meter_settings *settings, ml_time time,
	uint32_t *ret_key, struct ml_error *err)
{
	const int result = write_settings(list,
		"INSERT INTO meter_point (moid, bus, baud, mode, primary_address, secondary, "
		"enhanced, multi, passive, telegram_limit, multi_timeout, multi_retries, "
		"telegram_selection, since, position) "
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
		"(SELECT coalesce(max(position), 0) + 1 FROM meter_point))",
		settings, time, err);
	if (result == 0)
		*ret_key = (uint32_t)sqlite3_last_insert_rowid(list->db);
	return result;
}

int meter_list_update(struct meter_list *list, uint32_t key, const struct meter_settings *settings,
	struct ml_error *err)
{
	return write_settings(list,
		"UPDATE meter_point SET moid = ?, bus = ?, baud = ?, mode = ?, primary_address = "
		"?, secondary = ?, enhanced = ?, multi = ?, passive = ?, "
		"telegram_limit = ?, multi_timeout = ?, multi_retries = ?, telegram_selection = ? "
		"WHERE key = ?",
		settings, key, err);
}

/* ---- Changes, one at a time ---- */

/* Two active points with one address would both read the one meter. */
static int check_free(struct meter_list *list, const struct meter_settings *settings,
	uint32_t except, struct ml_error *err)
{
	const struct meter_snapshot *snapshot = list->snapshot;
	int result = meter_settings_check(settings, err);
	for (size_t i = 0; result == 0 && !settings->passive && i < snapshot->point_count; i++) {
		const struct meter_point *other = &snapshot->points[i];
		if (other->key == except || other->settings.passive ||
			!meter_settings_same_address(&other->settings, settings))
			continue;
		char address[METER_ADDRESS_WORDS_MAX];
		meter_settings_address(settings, address);
		result = ml_error_set(err, -EEXIST,
			"%s is that of point #%u%s%s%s already: change that one, or make it "
			"passive",
			address, other->key, other->settings.moid[0] ? " (\"" : "",
			other->settings.moid, other->settings.moid[0] ? "\")" : "");
	}
	return result;
}

int meter_list_add(struct meter_list *list, const struct meter_settings *settings, ml_time time,
	uint32_t *ret_key, struct ml_error *err)
{
	int result = check_free(list, settings, 0, err);
	if (result == 0 && list->snapshot->point_count >= METER_POINTS_MAX)
		result = ml_error_set(err, -ENOSPC, "the meter list is full: it takes %d points",
			METER_POINTS_MAX);
	if (result == 0)
		result = meter_list_begin(list, err);
	if (result < 0)
		return result;
	result = meter_list_insert(list, settings, time, ret_key, err);
	const int end = meter_list_end(list, result == 0, err);
	return result < 0 ? result : end;
}

static int no_point(uint32_t key, struct ml_error *err)
{
	return ml_error_set(err, -ENOENT, "there is no point #%u in the meter list", key);
}

int meter_list_change(struct meter_list *list, uint32_t key, const struct meter_settings *settings,
	struct ml_error *err)
{
	const struct meter_point *point = meter_snapshot_point(list->snapshot, key);
	if (!point)
		return no_point(key, err);
	if (meter_settings_equal(&point->settings, settings))
		return 0;
	int result = check_free(list, settings, key, err);
	if (result == 0)
		result = meter_list_begin(list, err);
	if (result < 0)
		return result;
	result = meter_list_update(list, key, settings, err);
	const int end = meter_list_end(list, result == 0, err);
	return result < 0 ? result : end;
}

int meter_list_remove(struct meter_list *list, uint32_t key, struct ml_error *err)
{
	const struct meter_point *point = meter_snapshot_point(list->snapshot, key);
	if (!point)
		return no_point(key, err);
	const int64_t values[] = {key, point->order};
	int result = meter_list_begin(list, err);
	if (result < 0)
		return result;
	result = run_with(list, "DELETE FROM meter_device WHERE point = ?", values, 1, err);
	if (result == 0)
		result = run_with(list, "DELETE FROM meter_point WHERE key = ?", values, 1, err);
	if (result == 0)
		result = run_with(list,
			"UPDATE meter_point SET position = position - 1 WHERE position > ?",
			values + 1, 1, err);
	const int end = meter_list_end(list, result == 0, err);
	return result < 0 ? result : end;
}

int meter_list_move(struct meter_list *list, uint32_t key, uint32_t order, struct ml_error *err)
{
	const struct meter_point *point = meter_snapshot_point(list->snapshot, key);
	if (!point)
		return no_point(key, err);
	if (order < 1 || order > list->snapshot->point_count)
		return ml_error_set(err, -EINVAL, "order %u: expected 1 to %zu", order,
			list->snapshot->point_count);
	if (order == point->order)
		return 0;
	const int64_t from = point->order, to = order;
	const int64_t shift[] = {from < to ? -1 : 1, from < to ? from : to, from < to ? to : from};
	const int64_t place[] = {to, key};
	int result = meter_list_begin(list, err);
	if (result < 0)
		return result;
	result = run_with(list,
		"UPDATE meter_point SET position = position + ? WHERE position BETWEEN ? AND ?",
		shift, 3, err);
	if (result == 0)
		result = run_with(
			list, "UPDATE meter_point SET position = ? WHERE key = ?", place, 2, err);
	const int end = meter_list_end(list, result == 0, err);
	return result < 0 ? result : end;
}

/* ---- Contacts ---- */

/* Somebody listed one meter twice, by two of its addresses. */
static void raise_duplicate(struct meter_list *list, const struct meter_snapshot *snapshot,
	const struct meter_point *point, struct meter_identity identity)
{
	for (size_t i = 0; i < snapshot->point_count; i++) {
		const struct meter_point *other = &snapshot->points[i];
		char here[METER_POINT_NAME_MAX], there[METER_POINT_NAME_MAX],
			how[2 * METER_POINT_NAME_MAX + 80];
		char now[METER_SECONDARY_TEXT_MAX];
		if (other->key == point->key || other->settings.passive || !other->device ||
			!meter_identity_equal(other->device->identity, identity))
			continue;
		meter_point_name(other, there);
		meter_point_name(point, here);
		meter_secondary_format(identity, now);
		(void)snprintf(how, sizeof how,
			"points %s and %s are both this meter: remove one, or make it passive",
			there, here);
		ml_event_raise(list->engine, "meter-duplicate", "meter-list", "meter", now, "how",
			how, NULL);
		return;
	}
}

static void raise_contact(
	struct meter_list *list, const struct meter_point *point, struct meter_identity identity)
{
	char name[METER_POINT_NAME_MAX], now[METER_SECONDARY_TEXT_MAX];
	char before[METER_SECONDARY_TEXT_MAX];
	meter_point_name(point, name);
	meter_secondary_format(identity, now);
	if (point->device) {
		meter_secondary_format(point->device->identity, before);
		ml_event_raise(list->engine, "meter-replaced", "meter-list", "meter", now, "point",
			name, "earlier", before, NULL);
	} else {
		ml_event_raise(list->engine, "meter-found", "meter-list", "meter", now, "point",
			name, NULL);
	}
}

/* Ends what was at the point and begins what is. */
static int write_contact(struct meter_list *list, const struct meter_point *point,
	const struct contact *contact, struct ml_error *err)
{
	const int64_t until[] = {contact->time, point->key};
	const int64_t kept[] = {point->key, METER_DEVICES_MAX - 1};
	int result = run_with(list,
		"UPDATE meter_device SET until = max(?, since) WHERE point = ? AND until IS NULL",
		until, 2, err);
	if (result == 0)
		result = run_with(list,
			"DELETE FROM meter_device WHERE point = ?1 AND key NOT IN (SELECT key FROM "
			"meter_device WHERE point = ?1 ORDER BY key DESC LIMIT ?2)",
			kept, 2, err);
	if (result < 0)
		return result;
	sqlite3_stmt *statement = NULL;
	uint8_t bytes[8];
	meter_identity_write(contact->identity, bytes);
	if (sqlite3_prepare_v2(list->db,
		    "INSERT INTO meter_device (point, identity, since) VALUES (?, ?, ?)", -1,
		    &statement, NULL) != SQLITE_OK ||
		sqlite3_bind_int64(statement, 1, point->key) != SQLITE_OK ||
		sqlite3_bind_blob(statement, 2, bytes, sizeof bytes, SQLITE_STATIC) != SQLITE_OK ||
		sqlite3_bind_int64(statement, 3, contact->time) != SQLITE_OK ||
		sqlite3_step(statement) != SQLITE_DONE)
		result = ml_database_error(err, list->db, "writing the meter list");
	sqlite3_finalize(statement);
	return result;
}

/* One transaction for each: they are few, and a meter that cannot be written down (a full disk) is
 * told again when it is read again. */
static void take_contact(struct meter_list *list, const struct contact *contact)
{
	const struct meter_point *point = meter_snapshot_point(list->snapshot, contact->point);
	if (!point ||
		(point->device && meter_identity_equal(point->device->identity, contact->identity)))
		return;
	if (meter_list_begin(list, NULL) < 0)
		return;
	const bool keep = write_contact(list, point, contact, NULL) == 0;
	const struct meter_snapshot *before = meter_list_snapshot(list);
	if (meter_list_end(list, keep, NULL) == 0 && keep && list->engine) {
		raise_contact(list, point, contact->identity);
		if (!point->settings.passive)
			raise_duplicate(list, before, point, contact->identity);
	}
	meter_snapshot_release(before);
}

void meter_list_take_contacts(struct meter_list *list)
{
	for (;;) {
		pthread_mutex_lock(&list->lock);
		const bool some = list->contact_count > 0;
		struct contact first = {0};
		if (some)
			first = list->contacts[0];
		else
			list->posted = false;
		pthread_mutex_unlock(&list->lock);
		if (!some)
			return;
		take_contact(list, &first);
		/* It stays in the queue until the list shows it, so that it is not told twice. */
		pthread_mutex_lock(&list->lock);
		list->contact_count--;
		memmove(list->contacts, list->contacts + 1,
			list->contact_count * sizeof *list->contacts);
		pthread_mutex_unlock(&list->lock);
	}
}

/* ---- The service ---- */

int meter_list_open(
	sqlite3 *db, struct ml_engine *engine, struct meter_list **ret_list, struct ml_error *err)
{
	struct meter_list *list = calloc(1, sizeof *list);
	struct contact *contacts = calloc(CONTACTS_MAX, sizeof *contacts);
	if (!list || !contacts) {
		free(list);
		free(contacts);
		sqlite3_close(db);
		return ml_error_set(err, -ENOMEM, "out of memory");
	}
	list->engine = engine;
	list->db = db;
	list->contacts = contacts;
	atomic_init(&list->revision, 0);
	pthread_mutex_init(&list->lock, NULL);
	const int result = reload(list, err);
	if (result < 0) {
		meter_list_close(list);
		return result;
	}
	*ret_list = list;
	return 0;
}

void meter_list_close(struct meter_list *list)
{
	if (!list)
		return;
	meter_snapshot_release(list->snapshot);
	sqlite3_close(list->db);
	pthread_mutex_destroy(&list->lock);
	free(list->contacts);
	free(list->seen.items);
	free(list);
}

static int service_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	sqlite3 *db = NULL;
	struct meter_list *list = NULL;
	int result = ml_database_open(engine, "meterloom", true, &db, err);
	if (result == 0)
		result = meter_list_open(db, engine, &list, err);
	*ret_service = list;
	return result;
}

static void service_stop(void *service)
{
	meter_list_close(service);
}

const struct ml_service_class meter_list_services[] = {
	{.name = "meter-list", .start = service_start, .stop = service_stop},
	{.name = METER_ORIGIN_SERVICE, .start = meter_origin_start, .stop = meter_origin_stop},
	{.name = METER_CURRENT_SERVICE, .start = meter_current_start, .stop = meter_current_stop},
	{.name = METER_READOUT_SERVICE, .start = meter_readouts_start, .stop = meter_readouts_stop},
	{0},
};
