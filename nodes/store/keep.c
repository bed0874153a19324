/* What nodes keep beside the readings.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/keep.h"

#include <errno.h>
#include <stdlib.h>

#include <meterloom/database.h>
#include <meterloom/node.h>

#include "store/nodes.h"
#include "store/scan.h"
#include "store/writer.h"

static const char writing[] = "writing what nodes keep";
static const char reading[] = "reading what nodes keep";

/* ---- Drawers ---- */

void store_keep_add(struct store_keep *keep, struct meter_drawer *drawer)
{
	drawer->waiting = false;
	drawer->asked = false;
	drawer->next = keep->drawers;
	keep->drawers = drawer;
}

void store_keep_remove(struct store_keep *keep, struct meter_drawer *drawer)
{
	for (struct meter_drawer **at = &keep->drawers; *at; at = &(*at)->next) {
		if (*at == drawer) {
			*at = drawer->next;
			keep->waiting -= drawer->waiting;
			return;
		}
	}
}

void store_keep_changed(struct store_keep *keep, struct meter_drawer *drawer)
{
	keep->waiting += !drawer->waiting;
	drawer->waiting = true;
}

/* ---- Writing ---- */

struct meter_keeping {
	struct store_keep *keep;
	sqlite3 *db;
	const char *node;
};

static int prepare(struct store_keep *keep, sqlite3 *db, struct ml_error *err)
{
	if (keep->put && keep->remove)
		return 0;
	if (sqlite3_prepare_v3(db,
		    "INSERT INTO kept (node, name, content) VALUES (?, ?, ?) ON CONFLICT (node, "
		    "name) DO UPDATE SET content = excluded.content",
		    -1, SQLITE_PREPARE_PERSISTENT, &keep->put, NULL) != SQLITE_OK ||
		sqlite3_prepare_v3(db, "DELETE FROM kept WHERE node = ? AND name = ?", -1,
			SQLITE_PREPARE_PERSISTENT, &keep->remove, NULL) != SQLITE_OK)
		return ml_database_error(err, db, writing);
	return 0;
}

static int put(struct meter_keeping *keeping, const void *name, size_t name_length,
	const void *bytes, size_t length, struct ml_error *err)
{
	sqlite3_stmt *statement = bytes ? keeping->keep->put : keeping->keep->remove;
	int result = 0;
	if (name_length > METER_KEEP_NAME_MAX || length > INT32_MAX)
		return ml_error_set(err, -E2BIG, "%s: a name or a content is too long", writing);
	if (sqlite3_bind_text(statement, 1, keeping->node, -1, SQLITE_STATIC) != SQLITE_OK ||
		sqlite3_bind_blob(statement, 2, name, (int)name_length, SQLITE_STATIC) !=
			SQLITE_OK ||
		(bytes && sqlite3_bind_blob(statement, 3, bytes, (int)length, SQLITE_STATIC) !=
				  SQLITE_OK) ||
		sqlite3_step(statement) != SQLITE_DONE)
		result = ml_database_error(err, keeping->db, writing);
	(void)sqlite3_reset(statement);
	(void)sqlite3_clear_bindings(statement);
	return result;
}

int store_keep_write(struct store_keep *keep, sqlite3 *db, struct ml_error *err)
{
	int result = keep->waiting ? prepare(keep, db, err) : 0;
	for (struct meter_drawer *d = keep->drawers; result == 0 && d; d = d->next) {
		struct meter_keeping keeping = {
			.keep = keep, .db = db, .node = ml_node_id(d->node)};
		d->asked = d->waiting;
		if (d->waiting)
			result = d->write(d, &keeping, err);
	}
	return result;
}

void store_keep_written(struct store_keep *keep)
{
	for (struct meter_drawer *d = keep->drawers; d; d = d->next) {
		if (!d->asked)
			continue;
		keep->waiting -= d->waiting;
		d->waiting = false;
		d->asked = false;
		d->written(d);
	}
}

void store_keep_trouble(struct store_keep *keep, const struct ml_error *err)
{
	for (struct meter_drawer *d = keep->drawers; d; d = d->next)
		d->trouble(d, err);
}

void store_keep_close(struct store_keep *keep)
{
	sqlite3_finalize(keep->put);
	sqlite3_finalize(keep->remove);
	keep->put = NULL;
	keep->remove = NULL;
}

/* ---- Reading ---- */

static int load(struct ml_engine *engine, const char *node,
	int (*each)(
		void *user, const void *name, size_t name_length, const void *bytes, size_t length),
	void *user, struct ml_error *err)
{
	struct store_writer *writer = store_writer(engine);
	sqlite3_stmt *row = NULL;
	int result = store_writer_ready(writer, err);
	if (result < 0)
		return result;
	int code = sqlite3_prepare_v2(writer->db,
		"SELECT name, content FROM kept WHERE node = ? ORDER BY name", -1, &row, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_bind_text(row, 1, node, -1, SQLITE_STATIC);
	while (code == SQLITE_OK && result == 0) {
		code = sqlite3_step(row);
		if (code != SQLITE_ROW)
			break;
		result = each(user, sqlite3_column_blob(row, 0),
			(size_t)sqlite3_column_bytes(row, 0), sqlite3_column_blob(row, 1),
			(size_t)sqlite3_column_bytes(row, 1));
		code = SQLITE_OK;
	}
	if (code != SQLITE_OK && code != SQLITE_DONE)
		result = ml_database_error(err, writer->db, reading);
	sqlite3_finalize(row);
	return result;
}

static bool is_of(
	const struct store_source *source, uint32_t point, const struct meter_identity *identity)
{
	if (point)
		return source->point == point;
	return source->point == 0 && source->has_identity &&
	       meter_identity_equal(source->identity, *identity);
}

struct pick {
	int64_t *devices; /* owned */
	size_t count;
};

static int pick_devices(struct store_view *view, uint32_t point,
	const struct meter_identity *identity, struct pick *pick, struct ml_error *err)
{
	const struct store_source *sources = NULL;
	size_t count = 0;
	int result = store_view_sources(view, &sources, &count, err);
	if (result < 0 || count == 0)
		return result;
	pick->devices = malloc(count * sizeof *pick->devices);
	if (!pick->devices)
		return ml_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		if (is_of(&sources[i], point, identity))
			pick->devices[pick->count++] = sources[i].key;
	return 0;
}

static int walk(struct store_view *view, const struct pick *pick, ml_time from,
	int (*each)(void *user, const struct meter_reading *reading), void *user,
	struct ml_error *err)
{
	struct store_scan_options options = STORE_SCAN_ALL;
	struct store_scan *scan = NULL;
	const struct store_row *row = NULL;
	int result = 0;
	void *block = malloc(STORE_BLOCK_MAX);
	if (!block)
		return ml_error_set(err, -ENOMEM, "out of memory");
	options.devices = pick->devices;
	options.device_count = pick->count;
	options.order = STORE_BY_TIME;
	options.failed = true;
	options.from = from;
	result = store_scan_begin(view, &options, &scan, err);
	while (result == 0) {
		result = store_scan_next(scan, &row, err);
		if (result <= 0)
			break;
		result = store_view_reading(view, row, block, err);
		if (result == 0)
			result = each(user, block);
		else if (result == -EBADMSG)
			result = 0; /* told */
	}
	store_scan_end(scan);
	free(block);
	return result;
}

static int readings(struct ml_engine *engine, uint32_t point, const struct meter_identity *identity,
	ml_time from, int (*each)(void *user, const struct meter_reading *reading), void *user,
	struct ml_error *err)
{
	struct store_writer *writer = store_writer(engine);
	struct store_view *view = NULL;
	struct pick pick = {0};
	int result = store_writer_ready(writer, err);
	if (result == 0)
		result = store_view_on(engine, writer->db, &view, err);
	if (result == 0)
		result = pick_devices(view, point, identity, &pick, err);
	if (result == 0 && pick.count)
		result = walk(view, &pick, from, each, user, err);
	store_view_close(view);
	free(pick.devices);
	return result;
}

/* ---- The service ---- */

static void open_drawer(struct ml_engine *engine, struct meter_drawer *drawer)
{
	store_writer_open_drawer(store_writer(engine), drawer);
}

static void close_drawer(struct ml_engine *engine, struct meter_drawer *drawer)
{
	store_writer_close_drawer(store_writer(engine), drawer);
}

static void changed(struct ml_engine *engine, struct meter_drawer *drawer)
{
	store_writer_drawer_changed(store_writer(engine), drawer);
}

static const struct meter_keep store_keep = {
	.check = store_check_lane,
	.open = open_drawer,
	.close = close_drawer,
	.changed = changed,
	.load = load,
	.put = put,
	.readings = readings,
};

/* It is the readings' service that holds all; this one shows it to other families. */
int store_keep_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	(void)engine;
	(void)err;
	*ret_service = (void *)(uintptr_t)&store_keep;
	return 0;
}

void store_keep_stop(void *service)
{
	(void)service;
}
