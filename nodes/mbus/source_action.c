/* mbus-source: what a person can ask of it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/command.h>

#include "mbus/install.h"
#include "mbus/search_run.h"
#include "mbus/source.h"
#include "mbus/source_address.h"

/* ---- Read now ---- */

struct read_now {
	char *meter;
	struct ml_integers points;
};

static const struct ml_param read_now_params[] = {
	{.name = "meter",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct read_now, meter),
		.title = "Meter",
		.help = "One meter of this bus, by its MOID, its number or #KEY. Empty: all.",
		.preset = "\"\"",
		.max = 100},
	{.name = "points",
		.kind = ML_PARAM_INTEGERS,
		.offset = offsetof(struct read_now, points),
		.title = "Meters",
		.help = "In place of `meter`: several meters of this bus, by their keys. Left out: "
			"all.",
		.min = 1,
		.max = METER_POINTS_MAX,
		.flags = ML_PARAM_NULLABLE | ML_PARAM_ADVANCED},
	{0},
};

static void read_now_cancelled(struct ml_job *job, void *user)
{
	mbus_round_cancel(user, job);
}

static int check_bus(const struct mbus_source *s, const struct meter_point *point, const char *name,
	struct ml_error *err)
{
	if (strcmp(point->settings.bus, s->bus) != 0)
		return ml_error_set(err, -EINVAL, "the meter %s is on another bus: \"%s\"", name,
			point->settings.bus);
	return 0;
}

static int find_one(struct mbus_source *s, const char *text, uint32_t *key, struct ml_error *err)
{
	const struct meter_snapshot *snapshot = meter_list_snapshot(s->list);
	const struct meter_point *point = NULL;
	int result = meter_snapshot_find_one(snapshot, text, strlen(text), &point, err);
	if (result == 0)
		result = check_bus(s, point, text, err);
	if (result == 0)
		*key = point->key;
	meter_snapshot_release(snapshot);
	return result;
}

static int check_point(struct mbus_source *s, const struct meter_snapshot *snapshot, int64_t key,
	struct ml_error *err)
{
	char name[24];
	const struct meter_point *point =
		key > 0 && key <= UINT32_MAX ? meter_snapshot_point(snapshot, (uint32_t)key) : NULL;
	(void)snprintf(name, sizeof name, "#%lld", (long long)key);
	if (!point)
		return ml_error_set_pointer(
			err, -ENOENT, "/points", "no meter %s in the meter list", name);
	return check_bus(s, point, name, err);
}

/* Which points are to be read, as an array of the round's own; none given: all. */
static int take_points(struct mbus_source *s, const struct read_now *p, struct mbus_want *want,
	struct ml_error *err)
{
	const bool one = p->meter && p->meter[0];
	const size_t count = one ? 1 : p->points.count;
	int result = 0;
	if (one && p->points.count > 0)
		return ml_error_set(err, -EINVAL, "expected either `meter` or `points`");
	if (count == 0)
		return 0;
	want->points = calloc(count, sizeof *want->points);
	if (!want->points)
		return ml_error_set(err, -ENOMEM, "out of memory");
	want->point_count = count;
	if (one)
		return find_one(s, p->meter, &want->points[0], err);
	const struct meter_snapshot *snapshot = meter_list_snapshot(s->list);
	for (size_t i = 0; result == 0 && i < count; i++) {
		result = check_point(s, snapshot, p->points.items[i], err);
		want->points[i] = (uint32_t)p->points.items[i];
	}
	meter_snapshot_release(snapshot);
	return result;
}

static void read_now(struct ml_node *node, void *self, struct ml_job *job, void *params)
{
	struct mbus_source *s = self;
	struct mbus_want want = {.job = job};
	struct ml_error err = ML_ERROR_NONE;
	(void)node;
	if (!s->list)
		ml_error_set(&err, -ENOENT, "this gateway keeps no meter list");
	else
		(void)take_points(s, params, &want, &err);
	if (err.code == 0 && s->want_count == MBUS_WANTS_MAX)
		ml_error_set(
			&err, -EBUSY, "%d rounds wait already: try again later", MBUS_WANTS_MAX);
	if (err.code != 0) {
		free(want.points);
		ml_job_fail(job, &err);
		return;
	}
	ml_job_on_cancel(job, read_now_cancelled, s);
	(void)mbus_round_want(s, &want);
}

/* ---- Set the baud rate ---- */

struct set_baud {
	char *meter;
	int64_t baud;
};

static const struct ml_param set_baud_params[] = {
	{.name = "meter",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct set_baud, meter),
		.title = "Meter",
		.help = "One meter of this bus, by its MOID, its number or #KEY.",
		.min = 1,
		.max = 100,
		.flags = ML_PARAM_REQUIRED},
	{.name = "baud",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct set_baud, baud),
		.title = "Baud rate",
		.help = "The new rate.",
		.unit = "Bd",
		.min = 300,
		.max = 38400,
		.check = mbus_baud_check,
		.flags = ML_PARAM_REQUIRED},
	{0},
};

static void set_baud(struct ml_node *node, void *self, struct ml_job *job, void *params)
{
	struct mbus_source *s = self;
	const struct set_baud *p = params;
	struct ml_error err = ML_ERROR_NONE;
	uint32_t point = 0;
	(void)node;
	if (!s->list)
		ml_error_set(&err, -ENOENT, "this gateway keeps no meter list");
	else
		(void)find_one(s, p->meter, &point, &err);
	if (err.code != 0)
		ml_job_fail(job, &err);
	else
		mbus_baud_set(s, job, point, (unsigned)p->baud);
}

/* ---- Record ---- */

struct record {
	ml_time length;
	int64_t size;
};

static const struct ml_param record_params[] = {
	{.name = "seconds",
		.kind = ML_PARAM_DURATION,
		.offset = offsetof(struct record, length),
		.title = "Duration",
		.help = "How long is recorded; who cancels the job ends it earlier and keeps what "
			"was recorded.",
		.unit = "s",
		.preset = "300",
		.min = 1,
		.max = 604800},
	{.name = "megabytes",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct record, size),
		.title = "Size",
		.help = "How large the file may become: a byte of the line takes three to seven.",
		.unit = "MB",
		.preset = "8",
		.min = 1,
		.max = 64},
	{0},
};

static void record(struct ml_node *node, void *self, struct ml_job *job, void *params)
{
	const struct record *p = params;
	(void)node;
	mbus_record_begin(self, job, p->length, (uint64_t)p->size * 1000000);
}

/* ---- Search ---- */

static const struct ml_param search_params[] = {
	MBUS_SEARCH_ROWS(0),
	{.name = "number",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct mbus_search_params, number),
		.title = "Number",
		.help = "Of a search over several buses that this one is a part of: they end "
			"together when as many meters are found as are wanted. 0: it is alone.",
		.preset = "0",
		.min = 0,
		.max = INT64_MAX,
		.flags = ML_PARAM_ADVANCED},
	{0},
};

static void search(struct ml_node *node, void *self, struct ml_job *job, void *params)
{
	(void)node;
	mbus_search_action(self, job, params);
}

const struct ml_action mbus_source_actions[] = {
	{.name = "read-now",
		.title = "Read now",
		.help = "Reads all active meters of this bus, or some, also passive ones. A row "
			"for each tells how it went: `result` read or failed, with `reason` and "
			"`text`, how many telegrams and values came, and how long it took. The "
			"result tells how many were read and how many failed.",
		.params = read_now_params,
		.params_size = sizeof(struct read_now),
		.run = read_now},
	{.name = "set-baud",
		.title = "Set the baud rate of a meter",
		.help = "Tells a meter another rate (CI B8h to BFh), makes sure that it answers at "
			"it, "
			"and enters the rate in the meter list. A meter that cannot be reached at "
			"its "
			"new rate goes back to the old one by itself within ten minutes.",
		.params = set_baud_params,
		.params_size = sizeof(struct set_baud),
		.run = set_baud},
	{.name = "record",
		.title = "Record the line",
		.help = "Writes all that goes over the line, with its times, into a file in "
			"files/recordings of the data directory, while rounds go on. The result "
			"names the file; recording.show gives it, `meterloom record --show` "
			"explains it and `meterloom sim --replay` plays it back. The ten newest "
			"are kept.",
		.params = record_params,
		.params_size = sizeof(struct record),
		.run = record},
	{.name = "search",
		.title = "Search for meters",
		.help = "Looks for meters on this bus. Each is told as a row as soon as it is "
			"found. `meter.search` does the same on several buses, and says what rows "
			"and result hold. Rounds go on beside it.",
		.params = search_params,
		.params_size = sizeof(struct mbus_search_params),
		.run = search},
	{.name = "install",
		.title = "Install meters",
		.help = "Contacts meters of the list one after the other, records the identity of "
			"each and tells what it is to the list: ok, moved, replaced, duplicate or "
			"failed, as rows of the job. Rounds go first in between. The command "
			"meter.install does this on all buses.",
		.params = mbus_install_params,
		.params_size = sizeof(struct mbus_install_params),
		.run = mbus_install},
	{.name = "set-address",
		.title = "Set the primary address of a meter",
		.help = "Selects a meter by its secondary address, gives it a primary one (CI 51h "
			"with 01 7A), makes sure that it answers there, and enters it in the list. "
			"An address that another point of this bus has, or at which a meter "
			"answers, is refused. How the meter is addressed in the list stays as it "
			"is.",
		.params = mbus_address_params,
		.params_size = sizeof(struct mbus_address_params),
		.run = mbus_address_set},
	{0},
};
