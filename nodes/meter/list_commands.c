/* The commands of the meter list.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>

#include "meter/current_private.h"
#include "meter/list_file.h"
#include "meter/list_private.h"
#include "meter/readout_private.h"

enum { UNCHANGED = -1 };

static const struct ml_choice mode_choices[] = {
	{"auto", UNCHANGED,
		"By the secondary, the enhanced or the primary address, the first given"},
	{"primary", METER_MODE_PRIMARY, "By primary address"},
	{"secondary", METER_MODE_SECONDARY, "By secondary address"},
	{"esecondary", METER_MODE_ESECONDARY,
		"By enhanced secondary address, of a wireless meter behind a receiver"},
	{NULL, 0, NULL},
};

static const struct ml_choice state_choices[] = {
	{"active", 0, "It is read"},
	{"passive", 1, "It is kept in the list and not read"},
	{NULL, 0, NULL},
};

static const struct ml_choice multi_choices[] = {
	{"bus", METER_MULTI_DEFAULT, "As the bus does"},
	{"off", METER_MULTI_OFF, "One telegram"},
	{"auto", METER_MULTI_AUTO, "All telegrams that the meter says there are"},
	{NULL, 0, NULL},
};

static const struct ml_choice change_mode_choices[] = {
	{"unchanged", UNCHANGED, NULL},
	{"primary", METER_MODE_PRIMARY, NULL},
	{"secondary", METER_MODE_SECONDARY, NULL},
	{"esecondary", METER_MODE_ESECONDARY, NULL},
	{NULL, 0, NULL},
};

static const struct ml_choice change_state_choices[] = {
	{"unchanged", UNCHANGED, NULL},
	{"active", 0, NULL},
	{"passive", 1, NULL},
	{NULL, 0, NULL},
};

static const struct ml_choice change_multi_choices[] = {
	{"unchanged", UNCHANGED, NULL},
	{"bus", METER_MULTI_DEFAULT, NULL},
	{"off", METER_MULTI_OFF, NULL},
	{"auto", METER_MULTI_AUTO, NULL},
	{NULL, 0, NULL},
};

static struct meter_list *list_of(const struct ml_job *job)
{
	return meter_list(ml_job_engine(job));
}

static ml_time wall(const struct ml_job *job)
{
	return ml_clock_wall(ml_engine_clock(ml_job_engine(job)));
}

/* ---- meter.add and meter.change ---- */

struct point_params {
	char *meter; /* of change */
	char *moid, *bus, *secondary, *enhanced;
	int mode, state, multi;
	int64_t primary, baud, order;
	int64_t telegram_limit, multi_timeout, multi_retries, telegram_selection;
};

#define POINT_PARAM(field, kind_, title_, ...) \
	{ \
		.name = #field, .kind = ML_PARAM_##kind_, \
		.offset = offsetof(struct point_params, field), .title = (title_), __VA_ARGS__ \
	}

#define MOID_HELP "A name for the function or the place; need not be unique."
#define BUS_HELP "The bus it is on, as a source names it; empty: the default bus."
#define SECONDARY_HELP \
	"8 digits, or 12345678.KAM.1B.04 (manufacturer, version, medium; * is any), or the 16 " \
	"hex " \
	"digits of all 8 bytes."

#define LIMIT_HELP "How many telegrams are read at most."
#define TIMEOUT_HELP "From a request to its answer, for the telegrams after the first."
#define RETRIES_HELP "How often a request for a telegram after the first is sent again."
#define SELECTION_HELP \
	"The sub code of an application reset before each readout, by which some meters choose " \
	"what they send (EN 13757-3)."

/* What a meter may have otherwise than its bus. */
#define BUS_PARAM(field, title_, help_, preset_, min_, max_, unit_) \
	POINT_PARAM(field, INTEGER, title_, .help = (help_), .preset = (preset_), .min = (min_), \
		.max = (max_), .unit = (unit_), .flags = ML_PARAM_ADVANCED)

enum { AS_BUS = -1, NOT_CHANGED = -2 };

static const struct ml_param add_params[] = {
	POINT_PARAM(moid, STRING, "MOID", .help = MOID_HELP, .preset = "\"\"",
		.max = METER_MOID_MAX - 1),
	POINT_PARAM(
		bus, STRING, "Bus", .help = BUS_HELP, .preset = "\"\"", .max = METER_BUS_MAX - 1),
	POINT_PARAM(mode, CHOICE, "Addressing mode", .help = "How it is addressed.",
		.preset = "\"auto\"", .choices = mode_choices),
	POINT_PARAM(primary, INTEGER, "Primary address",
		.help = "0 to 255; -1: none. Meters live at 1 to 250, 0 is not configured.",
		.preset = "-1", .min = -1, .max = 255),
	POINT_PARAM(
		secondary, STRING, "Secondary address", .help = SECONDARY_HELP, .preset = "\"\""),
	POINT_PARAM(enhanced, STRING, "Enhanced address",
		.help = "As the secondary address, of a wireless meter behind a receiver.",
		.preset = "\"\""),
	POINT_PARAM(baud, INTEGER, "Baud rate", .help = "0: as the bus.", .unit = "Bd",
		.preset = "0", .min = 0, .max = 38400),
	POINT_PARAM(multi, CHOICE, "Multi-telegram",
		.help = "Whether telegrams after the first are read.", .preset = "\"bus\"",
		.choices = multi_choices),
	BUS_PARAM(telegram_limit, "Limit of telegrams", LIMIT_HELP " 0: as the bus.", "0", 0,
		METER_TELEGRAMS_MAX, NULL),
	BUS_PARAM(multi_timeout, "Response timeout, later telegrams",
		TIMEOUT_HELP " 0: as the bus.", "0", 0, METER_TIMEOUT_MAX, "ms"),
	BUS_PARAM(multi_retries, "Retries, later telegrams", RETRIES_HELP " -1: as the bus.", "-1",
		AS_BUS, METER_RETRIES_MAX, NULL),
	BUS_PARAM(telegram_selection, "Telegram selection", SELECTION_HELP " -1: as the bus.", "-1",
		AS_BUS, 255, NULL),
	POINT_PARAM(state, CHOICE, "State", .help = "Passive ones are not read.",
		.preset = "\"active\"", .choices = state_choices),
	POINT_PARAM(order, INTEGER, "Order", .help = "Its place in the list, from 1; 0: the last.",
		.preset = "0", .min = 0, .max = METER_POINTS_MAX),
	{0},
};

static const struct ml_param change_params[] = {
	POINT_PARAM(meter, STRING, "Meter",
		.help = "Which: a key (#12), a MOID, an id (12345678), an id with its manufacturer "
			"(12345678.KAM).",
		.flags = ML_PARAM_REQUIRED),
	POINT_PARAM(moid, STRING, "MOID", .help = MOID_HELP " Left out: unchanged.",
		.max = METER_MOID_MAX - 1, .flags = ML_PARAM_NULLABLE),
	POINT_PARAM(bus, STRING, "Bus", .help = BUS_HELP " Left out: unchanged.",
		.max = METER_BUS_MAX - 1, .flags = ML_PARAM_NULLABLE),
	POINT_PARAM(mode, CHOICE, "Addressing mode", .help = "How it is addressed.",
		.preset = "\"unchanged\"", .choices = change_mode_choices),
	POINT_PARAM(primary, INTEGER, "Primary address", .help = "0 to 255; -1: unchanged.",
		.preset = "-1", .min = -1, .max = 255),
	POINT_PARAM(secondary, STRING, "Secondary address",
		.help = SECONDARY_HELP " Empty: none. Left out: unchanged.",
		.flags = ML_PARAM_NULLABLE),
	POINT_PARAM(enhanced, STRING, "Enhanced address",
		.help = "As the secondary address. Empty: none. Left out: unchanged.",
		.flags = ML_PARAM_NULLABLE),
	POINT_PARAM(baud, INTEGER, "Baud rate", .help = "0: as the bus; -1: unchanged.",
		.unit = "Bd", .preset = "-1", .min = -1, .max = 38400),
	POINT_PARAM(multi, CHOICE, "Multi-telegram",
		.help = "Whether telegrams after the first are read.", .preset = "\"unchanged\"",
		.choices = change_multi_choices),
	BUS_PARAM(telegram_limit, "Limit of telegrams", LIMIT_HELP " 0: as the bus; -1: unchanged.",
		"-1", -1, METER_TELEGRAMS_MAX, NULL),
	BUS_PARAM(multi_timeout, "Response timeout, later telegrams",
		TIMEOUT_HELP " 0: as the bus; -1: unchanged.", "-1", -1, METER_TIMEOUT_MAX, "ms"),
	BUS_PARAM(multi_retries, "Retries, later telegrams",
		RETRIES_HELP " -1: as the bus; -2: unchanged.", "-2", NOT_CHANGED,
		METER_RETRIES_MAX, NULL),
	BUS_PARAM(telegram_selection, "Telegram selection",
		SELECTION_HELP " -1: as the bus; -2: unchanged.", "-2", NOT_CHANGED, 255, NULL),
	POINT_PARAM(state, CHOICE, "State", .help = "Passive ones are not read.",
		.preset = "\"unchanged\"", .choices = change_state_choices),
	POINT_PARAM(order, INTEGER, "Order", .help = "Its place in the list, from 1; 0: unchanged.",
		.preset = "0", .min = 0, .max = METER_POINTS_MAX),
	{0},
};

static int set_address(const char *text, const char *name, bool *given,
	struct meter_identity *address, struct ml_error *err)
{
	if (!text)
		return 0;
	*given = text[0] != '\0';
	*address = (struct meter_identity){0};
	if (*given && meter_secondary_parse(text, strlen(text), address, err) < 0) {
		ml_error_prefix(err, "%s", name);
		return -EINVAL;
	}
	return 0;
}

/* 0: as the bus; -1: unchanged. */
static void set_or_bus(int64_t given, uint16_t *value)
{
	if (given >= 0)
		*value = (uint16_t)given;
}

/* From 0; -1: as the bus; -2: unchanged. */
static void set_or_none(int64_t given, bool *has, uint8_t *value)
{
	if (given == NOT_CHANGED)
		return;
	*has = given >= 0;
	*value = (uint8_t)(*has ? given : 0);
}

/* Puts what was given over the settings. */
static int apply_params(
	const struct point_params *p, struct meter_settings *s, struct ml_error *err)
{
	if ((p->moid && meter_text_set(s->moid, sizeof s->moid, "moid", p->moid, err) < 0) ||
		(p->bus && meter_text_set(s->bus, sizeof s->bus, "bus", p->bus, err) < 0) ||
		set_address(p->secondary, "secondary", &s->has_secondary, &s->secondary, err) < 0 ||
		set_address(p->enhanced, "enhanced", &s->has_enhanced, &s->enhanced, err) < 0)
		return -EINVAL;
	if (p->primary >= 0) {
		s->primary = (uint8_t)p->primary;
		s->has_primary = true;
	}
	if (p->mode != UNCHANGED)
		s->mode = (uint8_t)p->mode;
	if (p->multi != UNCHANGED)
		s->multi = (uint8_t)p->multi;
	if (p->state != UNCHANGED)
		s->passive = p->state != 0;
	if (p->baud >= 0)
		s->baud = (uint32_t)p->baud;
	set_or_bus(p->telegram_limit, &s->telegram_limit);
	set_or_bus(p->multi_timeout, &s->multi_timeout);
	set_or_none(p->multi_retries, &s->has_multi_retries, &s->multi_retries);
	set_or_none(p->telegram_selection, &s->has_selection, &s->telegram_selection);
	return 0;
}

/* The result of what changed one point: the point as it is now. */
static void succeed_with(struct ml_job *job, uint32_t key)
{
	const struct meter_snapshot *snapshot = meter_list_snapshot(list_of(job));
	const struct meter_point *point = meter_snapshot_point(snapshot, key);
	struct meter_readout readout;
	meter_readouts_get(meter_readouts(ml_job_engine(job)), key, &readout);
	if (point)
		meter_point_to_json(point, &readout, ml_job_result(job));
	meter_snapshot_release(snapshot);
	ml_job_succeed(job);
}

/* Checks the place before anything is done, so that a wrong one leaves all as it was. */
static int check_order(int64_t order, size_t count, struct ml_error *err)
{
	if (order < 0 || (uint64_t)order > count)
		return ml_error_set_pointer(err, -EINVAL, "/order", "order %lld: expected 1 to %zu",
			(long long)order, count);
	return 0;
}

static void run_add(struct ml_job *job, void *params)
{
	const struct point_params *p = params;
	struct meter_list *list = list_of(job);
	struct meter_settings settings = {0};
	struct ml_error err = ML_ERROR_NONE;
	uint32_t key = 0;
	const struct meter_snapshot *snapshot = meter_list_snapshot(list);
	int result = check_order(p->order, snapshot->point_count + 1, &err);
	meter_snapshot_release(snapshot);
	if (result == 0)
		result = apply_params(p, &settings, &err);
	if (p->mode == UNCHANGED)
		settings.mode = meter_settings_natural_mode(&settings);
	if (result == 0)
		result = meter_list_add(list, &settings, wall(job), &key, &err);
	if (result == 0 && p->order > 0)
		result = meter_list_move(list, key, (uint32_t)p->order, &err);
	if (result < 0)
		ml_job_fail(job, &err);
	else
		succeed_with(job, key);
}

static int find_key(const struct ml_job *job, const char *text, struct meter_point *ret_point,
	struct ml_error *err)
{
	const struct meter_snapshot *snapshot = meter_list_snapshot(list_of(job));
	const struct meter_point *point = NULL;
	const int result = meter_snapshot_find_one(snapshot, text, strlen(text), &point, err);
	if (result == 0) {
		*ret_point = *point;
		ret_point->devices = NULL;
		ret_point->device = NULL;
	}
	meter_snapshot_release(snapshot);
	return result;
}

static void run_change(struct ml_job *job, void *params)
{
	const struct point_params *p = params;
	struct meter_list *list = list_of(job);
	struct meter_point point;
	struct ml_error err = ML_ERROR_NONE;
	int result = find_key(job, p->meter, &point, &err);
	const struct meter_snapshot *snapshot = meter_list_snapshot(list);
	if (result == 0)
		result = check_order(p->order, snapshot->point_count, &err);
	meter_snapshot_release(snapshot);
	if (result == 0)
		result = apply_params(p, &point.settings, &err);
	if (result == 0)
		result = meter_list_change(list, point.key, &point.settings, &err);
	if (result == 0 && p->order > 0)
		result = meter_list_move(list, point.key, (uint32_t)p->order, &err);
	if (result < 0)
		ml_job_fail(job, &err);
	else
		succeed_with(job, point.key);
}

/* ---- meter.remove ---- */

struct remove_params {
	char *meter;
};

static const struct ml_param remove_params[] = {
	{.name = "meter",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct remove_params, meter),
		.title = "Meter",
		.help = "Which: a key (#12), a MOID, an id (12345678), an id with its manufacturer "
			"(12345678.KAM).",
		.flags = ML_PARAM_REQUIRED},
	{0},
};

static void run_remove(struct ml_job *job, void *params)
{
	const struct remove_params *p = params;
	struct meter_point point;
	struct ml_error err = ML_ERROR_NONE;
	int result = find_key(job, p->meter, &point, &err);
	if (result == 0)
		result = meter_list_remove(list_of(job), point.key, &err);
	if (result < 0) {
		ml_job_fail(job, &err);
		return;
	}
	struct ml_json_writer *w = ml_job_result(job);
	ml_json_begin_object(w);
	ml_json_key(w, "removed");
	ml_json_unsigned(w, point.key);
	ml_json_end_object(w);
	ml_job_succeed(job);
}

/* ---- meter.import and meter.export ---- */

struct import_params {
	struct meter_file_params file;
	bool partial, dry_run;
};

static const struct ml_param import_params[] = {
	METER_FILE_PARAMS(struct import_params, file),
	{.name = "partial",
		.kind = ML_PARAM_BOOL,
		.offset = offsetof(struct import_params, partial),
		.title = "Take what is right",
		.help = "Takes the other rows where some are refused. Else nothing is changed "
			"then.",
		.preset = "false"},
	{.name = "dry_run",
		.kind = ML_PARAM_BOOL,
		.offset = offsetof(struct import_params, dry_run),
		.title = "Only look",
		.help = "Says what would happen and changes nothing.",
		.preset = "false"},
	{0},
};

struct told_rows {
	struct ml_json_writer *w;
	struct meter_import done;
	bool begun;
};

/* What goes before the rows. */
static void begin_rows(struct told_rows *told)
{
	struct ml_json_writer *w = told->w;
	if (told->begun)
		return;
	told->begun = true;
	ml_json_begin_object(w);
	ml_json_key(w, "applied");
	ml_json_bool(w, told->done.applied);
	for (unsigned i = 0; i < METER_IMPORT_OUTCOMES; i++) {
		ml_json_key(w, meter_import_outcome_name((enum meter_import_outcome)i));
		ml_json_unsigned(w, told->done.counts[i]);
	}
	ml_json_key(w, "rows");
	ml_json_begin_array(w);
}

static void write_import_row(void *user, const struct meter_import_row *row)
{
	struct told_rows *told = user;
	struct ml_json_writer *w = told->w;
	char address[METER_ADDRESS_WORDS_MAX];
	const bool done = told->done.applied || row->outcome == METER_IMPORT_UNCHANGED;
	begin_rows(told);
	ml_json_begin_object(w);
	ml_json_key(w, "line");
	ml_json_unsigned(w, row->line);
	ml_json_key(w, "result");
	ml_json_string(w, meter_import_outcome_name(row->outcome));
	ml_json_key(w, "text");
	if (row->text) {
		ml_json_string(w, row->text);
	} else {
		meter_settings_address(row->settings, address);
		ml_json_stringf(w, "%s%s", address, done ? "" : " (not done)");
	}
	if (row->point) {
		ml_json_key(w, "point");
		ml_json_unsigned(w, row->point);
	}
	ml_json_end_object(w);
}

static void run_import(struct ml_job *job, void *params)
{
	struct import_params *p = params;
	struct ml_error err = ML_ERROR_NONE;
	struct told_rows told = {.w = ml_job_result(job)};
	const struct meter_import_options options = {
		.partial = p->partial,
		.dry_run = p->dry_run,
		.time = wall(job),
		.row = write_import_row,
		.user = &told,
	};
	const char *bytes = NULL;
	size_t length = 0;
	int result = meter_file_bytes(&p->file, &bytes, &length, &err);
	if (result == 0)
		result = meter_list_import(list_of(job), bytes, length, &options, &told.done, &err);
	if (result < 0) {
		ml_job_fail(job, &err);
		return;
	}
	begin_rows(&told);
	ml_json_end_array(told.w);
	ml_json_end_object(told.w);
	ml_job_succeed(job);
}

struct export_params {
	int delimiter;
};

static const struct ml_choice delimiter_choices[] = {
	{"comma", ',', NULL},
	{"semicolon", ';', NULL},
	{NULL, 0, NULL},
};

static const struct ml_param export_params[] = {
	{.name = "delimiter",
		.kind = ML_PARAM_CHOICE,
		.offset = offsetof(struct export_params, delimiter),
		.title = "Delimiter",
		.help = "What stands between fields; spreadsheets of countries with a decimal "
			"comma "
			"want the semicolon.",
		.preset = "\"semicolon\"",
		.choices = delimiter_choices},
	{0},
};

static void run_export(struct ml_job *job, void *params)
{
	const struct export_params *p = params;
	struct ml_buffer out = {0};
	const struct meter_snapshot *snapshot = meter_list_snapshot(list_of(job));
	meter_list_export(snapshot, (char)p->delimiter, &out);
	if (out.failed) {
		struct ml_error err = ML_ERROR_NONE;
		ml_error_set(&err, -ENOMEM, "out of memory");
		ml_job_fail(job, &err);
	} else {
		struct ml_json_writer *w = ml_job_result(job);
		ml_json_begin_object(w);
		ml_json_key(w, "meters");
		ml_json_unsigned(w, snapshot->point_count);
		ml_json_key(w, "csv");
		ml_json_string_n(w, out.data, out.length);
		ml_json_end_object(w);
		ml_job_succeed(job);
	}
	meter_snapshot_release(snapshot);
	ml_buffer_free(&out);
}

const struct ml_command meter_list_commands[] = {
	METER_LIST_COMMAND,
	{.name = "meter.add",
		.title = "Add a meter",
		.help = "Adds a point at the end of the meter list. Its identity is filled in when "
			"it is read for the first time. The result is the point.",
		.role = ML_ROLE_CONFIGURE,
		.params = add_params,
		.params_size = sizeof(struct point_params),
		.run = run_add},
	{.name = "meter.change",
		.title = "Change a meter",
		.help = "Changes what is given of a point's settings. The result is the point.",
		.role = ML_ROLE_CONFIGURE,
		.params = change_params,
		.params_size = sizeof(struct point_params),
		.run = run_change},
	{.name = "meter.remove",
		.title = "Remove a meter",
		.help = "Takes a point out of the meter list. Its readings stay in the store.",
		.role = ML_ROLE_CONFIGURE,
		.params = remove_params,
		.params_size = sizeof(struct remove_params),
		.run = run_remove},
	{.name = "meter.import",
		.title = "Import a meter list",
		.help = "Takes a CSV file into the meter list. The result tells for each row its "
			"line and whether it was added, changed, unchanged or refused and why; "
			"`applied` is false where nothing was changed because a row was refused.",
		.role = ML_ROLE_CONFIGURE,
		.params = import_params,
		.params_size = sizeof(struct import_params),
		.run = run_import},
	{.name = "meter.export",
		.title = "Export the meter list",
		.help = "The meter list as a CSV file that `meter.import` and spreadsheets take: "
			"the result holds its text in `csv`.",
		.role = ML_ROLE_READ,
		.params = export_params,
		.params_size = sizeof(struct export_params),
		.run = run_export},
	METER_CURRENT_COMMAND,
	METER_READOUT_COMMAND,
	{0},
};
