/* meter.install: a file or a choice of points, contacted on all buses that they are on.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>

#include "mbus/fleet.h"
#include "mbus/install.h"
#include "meter/list_file.h"

const struct ml_param mbus_install_command_params[] = {
	METER_FILE_PARAMS(struct mbus_install_command_params, file),
	{.name = "partial",
		.kind = ML_PARAM_BOOL,
		.offset = offsetof(struct mbus_install_command_params, partial),
		.title = "Take what is right",
		.help = "Takes the other rows of the file where some are refused. Else nothing is "
			"changed and nobody contacted then.",
		.preset = "false"},
	{.name = "meters",
		.kind = ML_PARAM_STRINGS,
		.offset = offsetof(struct mbus_install_command_params, meters),
		.title = "Meters",
		.help = "In place of a file: meters of the list, each by a key (#12), a MOID, an "
			"id "
			"(12345678), an id with its manufacturer (12345678.KAM). With neither: all "
			"active ones whose meter has never answered.",
		.preset = "[]",
		.max = METER_POINTS_MAX},
	{.name = "bauds",
		.kind = ML_PARAM_INTEGERS,
		.offset = offsetof(struct mbus_install_command_params, bauds),
		.title = "Other baud rates",
		.help = "Tried with a meter that does not answer at its own rate or, without one, "
			"at that of its bus. Each lengthens the wait for meters that are not "
			"there.",
		.preset = "[]",
		.max = MBUS_INSTALL_BAUDS_MAX,
		.check = mbus_install_check_bauds},
	{0},
};

struct part {
	struct mbus_bus bus;
	json_t *points, *lines; /* owned until the fleet runs */
};

/* What is gathered before the buses begin. */
struct gathering {
	struct ml_job *job;
	const struct mbus_install_command_params *params;
	struct part *parts; /* owned; room for MBUS_BUSES_MAX */
	size_t part_count;
	char missing[METER_BUS_MAX]; /* a bus that no source reads */
	bool out_of_memory;
	/* what the result tells */
	bool from_file;
	struct meter_import import;
	unsigned passive, without_bus;
};

/* ---- Rows that no bus tells of ---- */

static void tell_row(struct gathering *g, unsigned line, uint32_t point,
	const struct meter_settings *settings, const char *result, const char *text)
{
	char address[METER_ADDRESS_WORDS_MAX];
	struct ml_json_writer *w = ml_job_row(g->job);
	ml_json_begin_object(w);
	if (line) {
		ml_json_key(w, "line");
		ml_json_unsigned(w, line);
	}
	if (point) {
		meter_settings_address(settings, address);
		ml_json_key(w, "point");
		ml_json_unsigned(w, point);
		ml_json_key(w, "moid");
		ml_json_string(w, settings->moid);
		ml_json_key(w, "address");
		ml_json_string(w, address);
	}
	ml_json_key(w, "result");
	ml_json_string(w, result);
	ml_json_key(w, "text");
	ml_json_string(w, text);
	ml_json_end_object(w);
	ml_job_row_end(g->job);
}

/* ---- Which meters, bus by bus ---- */

static struct part *part_of(struct gathering *g, const char *bus)
{
	struct part *part = NULL;
	for (size_t i = 0; i < g->part_count; i++)
		if (strcmp(g->parts[i].bus.bus, bus) == 0)
			return &g->parts[i];
	part = &g->parts[g->part_count];
	if (g->part_count == MBUS_BUSES_MAX ||
		!mbus_buses_find(mbus_buses(ml_job_engine(g->job)), bus, &part->bus))
		return NULL;
	part->points = json_array();
	part->lines = json_array();
	g->part_count++;
	return part;
}

static void add(
	struct gathering *g, unsigned line, uint32_t point, const struct meter_settings *settings)
{
	struct part *part = part_of(g, settings->bus);
	if (!part) {
		char text[160];
		(void)snprintf(text, sizeof text,
			"no source reads the bus \"%s\": name this bus in a node mbus-source of "
			"the graph, or correct the bus of the meter",
			settings->bus);
		tell_row(g, line, point, settings, "failed", text);
		g->without_bus++;
		memcpy(g->missing, settings->bus, sizeof g->missing);
		return;
	}
	if (json_array_append_new(part->points, json_integer(point)) < 0 ||
		json_array_append_new(part->lines, json_integer(line)) < 0)
		g->out_of_memory = true;
}

static void add_row(void *user, const struct meter_import_row *row)
{
	struct gathering *g = user;
	if (row->outcome == METER_IMPORT_REFUSED) {
		tell_row(g, row->line, 0, NULL, "refused", row->text);
	} else if (g->import.applied && row->settings->passive) {
		tell_row(g, row->line, row->point, row->settings, "passive",
			"in the list; it is passive and was not contacted");
		g->passive++;
	} else if (g->import.applied) {
		add(g, row->line, row->point, row->settings);
	}
}

static int gather_file(struct gathering *g, struct ml_error *err)
{
	struct ml_engine *engine = ml_job_engine(g->job);
	struct meter_file_params file = g->params->file;
	const struct meter_import_options options = {
		.partial = g->params->partial,
		.time = ml_clock_wall(ml_engine_clock(engine)),
		.row = add_row,
		.user = g,
	};
	const char *bytes = NULL;
	size_t length = 0;
	int result = meter_file_bytes(&file, &bytes, &length, err);
	if (result == 0)
		result = meter_list_import(
			meter_list(engine), bytes, length, &options, &g->import, err);
	if (result == 0 && !g->import.applied)
		result = ml_error_set(err, -EINVAL,
			"%u rows of the file are refused: nothing was changed and nobody "
			"contacted; correct them, or take the others with `partial`",
			g->import.counts[METER_IMPORT_REFUSED]);
	return result;
}

static int gather_named(
	struct gathering *g, const struct meter_snapshot *snapshot, struct ml_error *err)
{
	uint32_t *keys = calloc(g->params->meters.count, sizeof *keys);
	size_t count = 0;
	int result = keys ? 0 : ml_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; result == 0 && i < g->params->meters.count; i++) {
		const char *name = g->params->meters.items[i];
		const struct meter_point *point = NULL;
		result = meter_snapshot_find_one(snapshot, name, strlen(name), &point, err);
		if (result < 0) {
			if (err)
				(void)snprintf(err->pointer, sizeof err->pointer, "/meters/%zu", i);
		} else if (!meter_keys_have(keys, count, point->key)) {
			keys[count++] = point->key;
			add(g, 0, point->key, &point->settings);
		}
	}
	free(keys);
	return result;
}

static int gather(struct gathering *g, struct ml_error *err)
{
	struct meter_list *list = meter_list(ml_job_engine(g->job));
	const struct mbus_install_command_params *p = g->params;
	int result = 0;
	if (!list)
		return ml_error_set(err, -ENOENT, "this gateway keeps no meter list");
	g->from_file = p->file.csv || p->file.base64;
	if (g->from_file && p->meters.count)
		return ml_error_set(err, -EINVAL, "expected either a file or `meters`");
	if (g->from_file)
		return gather_file(g, err);
	const struct meter_snapshot *snapshot = meter_list_snapshot(list);
	if (p->meters.count)
		result = gather_named(g, snapshot, err);
	for (size_t i = 0; !p->meters.count && i < snapshot->point_count; i++) {
		const struct meter_point *point = &snapshot->points[i];
		if (!point->settings.passive && !point->device)
			add(g, 0, point->key, &point->settings);
	}
	meter_snapshot_release(snapshot);
	return result;
}

/* ---- Running ---- */

static void finish(
	struct ml_json_writer *w, const struct mbus_fleet_part *parts, size_t count, void *user)
{
	const struct gathering *g = user;
	(void)parts;
	if (count == 0)
		mbus_install_write_nobody(w);
	ml_json_key(w, "without_bus");
	ml_json_unsigned(w, g->without_bus);
	if (!g->from_file)
		return;
	for (unsigned i = 0; i < METER_IMPORT_OUTCOMES; i++) {
		ml_json_key(w, meter_import_outcome_name((enum meter_import_outcome)i));
		ml_json_unsigned(w, g->import.counts[i]);
	}
	ml_json_key(w, "passive");
	ml_json_unsigned(w, g->passive);
}

static void release(void *user)
{
	struct gathering *g = user;
	for (size_t i = 0; i < g->part_count; i++) {
		json_decref(g->parts[i].points);
		json_decref(g->parts[i].lines);
	}
	free(g->parts);
	free(g);
}

static json_t *bauds_of(const struct gathering *g)
{
	json_t *bauds = json_array();
	for (size_t i = 0; i < g->params->bauds.count; i++)
		(void)json_array_append_new(bauds, json_integer(g->params->bauds.items[i]));
	return bauds;
}

/* Hands `g` over. */
static void run_fleet(struct gathering *g, struct mbus_fleet_part *parts)
{
	const struct mbus_fleet_plan plan = {
		.job = g->job,
		.action = "install",
		.finish = finish,
		.release = release,
		.user = g,
	};
	const size_t count = g->part_count;
	for (size_t i = 0; i < count; i++)
		parts[i] = (struct mbus_fleet_part){
			.bus = g->parts[i].bus,
			.params = json_pack("{s:O, s:O, s:o}", "points", g->parts[i].points,
				"lines", g->parts[i].lines, "bauds", bauds_of(g)),
		};
	mbus_fleet_run(&plan, parts, count);
}

void mbus_install_command(struct ml_job *job, void *params)
{
	struct ml_error err = ML_ERROR_NONE;
	struct gathering *g = calloc(1, sizeof *g);
	struct mbus_fleet_part *parts = calloc(MBUS_BUSES_MAX, sizeof *parts);
	if (g) {
		g->job = job;
		g->params = params;
		g->parts = calloc(MBUS_BUSES_MAX + 1, sizeof *g->parts);
	}
	if (!g || !parts || !g->parts)
		ml_error_set(&err, -ENOMEM, "out of memory");
	else if (gather(g, &err) == 0 && g->out_of_memory)
		ml_error_set(&err, -ENOMEM, "out of memory");
	else if (err.code == 0 && g->part_count == 0 && g->without_bus > 0)
		ml_error_set(&err, -ENODEV,
			"no source reads the bus \"%s\": name this bus in a node mbus-source of "
			"the graph, or correct the bus of the meters",
			g->missing);
	if (err.code < 0) {
		ml_job_fail(job, &err);
		if (g)
			release(g);
	} else {
		run_fleet(g, parts);
	}
	free(parts);
}
