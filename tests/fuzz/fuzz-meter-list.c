/* Any bytes as a meter list file, taken into a list: what is exported of it is imported again
 * without a change, and into an empty list it makes the same points.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "meter/list_file.h"
#include "meter/list_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static struct meter_list *open_list(void)
{
	sqlite3 *db = NULL;
	struct meter_list *list = NULL;
	must(sqlite3_open(":memory:", &db) == SQLITE_OK);
	for (const struct ml_migration *m = meter_list_migrations; m->sql; m++)
		must(sqlite3_exec(db, m->sql, NULL, NULL, NULL) == SQLITE_OK);
	must(meter_list_open(db, NULL, &list, NULL) == 0);
	return list;
}

static void compare(struct meter_list *a, struct meter_list *b)
{
	const struct meter_snapshot *first = meter_list_snapshot(a);
	const struct meter_snapshot *second = meter_list_snapshot(b);
	must(first->point_count == second->point_count);
	for (size_t i = 0; i < first->point_count; i++)
		must(meter_settings_equal(&first->points[i].settings, &second->points[i].settings));
	meter_snapshot_release(first);
	meter_snapshot_release(second);
}

static void check_row(void *user, const struct meter_import_row *row)
{
	const bool refused = row->outcome == METER_IMPORT_REFUSED;
	unsigned *line = user;
	must(row->line > *line && refused == (row->text != NULL));
	must(refused ? row->point == 0 : row->point > 0);
	*line = row->line;
}

static void check_export(struct meter_list *list, char delimiter)
{
	struct ml_buffer csv = {0};
	struct meter_import done;
	struct meter_list *copy = open_list();
	const struct meter_import_options options = {.time = 2};
	const struct meter_snapshot *snapshot = meter_list_snapshot(list);
	const size_t count = snapshot->point_count;
	meter_list_export(snapshot, delimiter, &csv);
	meter_snapshot_release(snapshot);
	must(meter_list_import(list, csv.data, csv.length, &options, &done, NULL) == 0);
	must(done.applied && done.counts[METER_IMPORT_UNCHANGED] == count);
	must(meter_list_import(copy, csv.data, csv.length, &options, &done, NULL) == 0);
	must(done.applied && done.counts[METER_IMPORT_ADDED] == count);
	compare(list, copy);
	meter_list_close(copy);
	ml_buffer_free(&csv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct meter_import done;
	unsigned line = 0;
	const struct meter_import_options options = {
		.partial = true, .time = 1, .row = check_row, .user = &line};
	struct meter_list *list = open_list();
	if (meter_list_import(list, (const char *)data, size, &options, &done, NULL) == 0) {
		check_export(list, ';');
		check_export(list, ',');
	}
	meter_list_close(list);
	return 0;
}
