/* Commands on the log: log.list, log.export, log.level.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <meterloom/engine.h>
#include <meterloom/wall.h>

#include "command/builtin.h"
#include "command/log_keeper.h"

struct list_params {
	int64_t after, before;
	int64_t limit;
	int level;
	ml_time from, to;
	char *origin, *text;
};

struct level_params {
	int level;
};

static const struct ml_choice levels[] = {
	{"debug", ML_LOG_DEBUG, NULL},
	{"info", ML_LOG_INFO, NULL},
	{"warning", ML_LOG_WARNING, NULL},
	{"error", ML_LOG_ERROR, NULL},
	{0},
};

enum { UNCHANGED = -1 };

static const struct ml_choice level_choices[] = {
	{"unchanged", UNCHANGED, "only tell the level that holds"},
	{"debug", ML_LOG_DEBUG, NULL},
	{"info", ML_LOG_INFO, NULL},
	{"warning", ML_LOG_WARNING, NULL},
	{"error", ML_LOG_ERROR, NULL},
	{0},
};

static const struct ml_param list_params[] = {
	{.name = "before",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct list_params, before),
		.title = "Before",
		.help = "Only entries with a lower sequence number than this: the next page after "
			"the last entry of one. 0: from the newest on.",
		.preset = "0",
		.min = 0,
		.max = INT64_MAX},
	{.name = "after",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct list_params, after),
		.title = "After",
		.help = "Only entries with a higher sequence number than this: those that came "
			"since.",
		.preset = "0",
		.min = 0,
		.max = INT64_MAX},
	{.name = "limit",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct list_params, limit),
		.title = "Limit",
		.help = "The most entries to tell: the newest ones.",
		.preset = "100",
		.min = 1,
		.max = 10000},
	{.name = "level",
		.kind = ML_PARAM_CHOICE,
		.offset = offsetof(struct list_params, level),
		.title = "Level",
		.help = "Only entries of this level or a higher one.",
		.preset = "\"debug\"",
		.choices = levels},
	{.name = "from",
		.kind = ML_PARAM_TIME,
		.offset = offsetof(struct list_params, from),
		.title = "From",
		.help = "Only entries of this time or a later one.",
		.flags = ML_PARAM_NULLABLE},
	{.name = "to",
		.kind = ML_PARAM_TIME,
		.offset = offsetof(struct list_params, to),
		.title = "To",
		.help = "Only entries of this time or an earlier one.",
		.flags = ML_PARAM_NULLABLE},
	{.name = "origin",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct list_params, origin),
		.title = "Origin",
		.help = "Only entries of this origin: the id of a node, or a part of the gateway.",
		.max = ML_LOG_ORIGIN_MAX - 1,
		.flags = ML_PARAM_NULLABLE},
	{.name = "text",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct list_params, text),
		.title = "Text",
		.help = "Only entries with this in their text; large and small letters are the "
			"same.",
		.max = ML_LOG_TEXT_MAX - 1,
		.flags = ML_PARAM_NULLABLE},
	{0},
};

static const struct ml_param level_params[] = {
	{.name = "level",
		.kind = ML_PARAM_CHOICE,
		.offset = offsetof(struct level_params, level),
		.title = "Level",
		.help = "The lowest level that is logged from now on, until the next start.",
		.preset = "\"unchanged\"",
		.choices = level_choices},
	{0},
};

/* ---- Listing ---- */

struct listing {
	struct ml_engine *engine;
	const struct list_params *params;
	void (*write)(struct listing *list, const struct ml_log_entry *entry);
	struct ml_json_writer *w;
	struct ml_buffer *csv;
	struct ml_buffer ring; /* of memory's entries: struct kept_entry, one after the other */
	size_t left;
	uint64_t below; /* numbers that were not looked at yet */
	uint64_t last;  /* the last that was written */
};

/* An entry of memory: under the log's lock it is copied, after that it is written. */
struct kept_entry {
	struct ml_log_entry entry;
	char origin[ML_LOG_ORIGIN_MAX];
	char text[ML_LOG_TEXT_MAX];
};

static bool fits(const struct list_params *p, const struct ml_log_entry *entry)
{
	if (entry->sequence <= (uint64_t)p->after || (int)entry->level < p->level)
		return false;
	if (p->before && entry->sequence >= (uint64_t)p->before)
		return false;
	if (entry->wall < p->from || (p->to != ML_TIME_NONE && entry->wall > p->to))
		return false;
	if (p->origin && strcmp(entry->origin, p->origin) != 0)
		return false;
	return !p->text || strcasestr(entry->text, p->text);
}

static void copy_entry(const struct ml_log_entry *entry, void *context)
{
	struct listing *list = context;
	struct kept_entry kept = {.entry = *entry};
	if (entry->sequence < list->below)
		list->below = entry->sequence;
	kept.entry.uncertain = !ml_wall_settle(list->engine, &kept.entry.wall, NULL);
	if (!fits(list->params, &kept.entry))
		return;
	(void)snprintf(kept.origin, sizeof kept.origin, "%s", entry->origin);
	(void)snprintf(kept.text, sizeof kept.text, "%s", entry->text);
	ml_buffer_append(&list->ring, (const char *)&kept, sizeof kept);
}

static void write_ring(struct listing *list)
{
	const size_t count = list->ring.failed ? 0 : list->ring.length / sizeof(struct kept_entry);
	for (size_t i = count; i > 0 && list->left > 0; i--) {
		struct kept_entry kept;
		memcpy(&kept, list->ring.data + (i - 1) * sizeof kept, sizeof kept);
		kept.entry.origin = kept.origin;
		kept.entry.text = kept.text;
		list->last = kept.entry.sequence;
		list->write(list, &kept.entry);
		list->left--;
	}
}

static bool write_row(const struct ml_log_row *row, void *user)
{
	struct listing *list = user;
	const struct ml_log_entry entry = {
		.sequence = row->number,
		.wall = row->time,
		.level = row->level,
		.suppressed = row->suppressed,
		.uncertain = row->uncertain,
		.origin = row->origin,
		.text = row->text,
	};
	if (row->number <= (uint64_t)list->params->after)
		return false;
	if (fits(list->params, &entry)) {
		list->last = entry.sequence;
		list->write(list, &entry);
		list->left--;
	}
	return list->left > 0;
}

/* The newest first: what is in memory, which is all of late, then what is in log.db. */
static void list_log(struct listing *list)
{
	struct ml_log *log = ml_engine_log(list->engine);
	list->left = (size_t)list->params->limit;
	list->below = list->params->before ? (uint64_t)list->params->before : INT64_MAX;
	if (!log)
		return;
	(void)ml_log_list(log, 0, ML_LOG_DEBUG, copy_entry, list);
	write_ring(list);
	ml_buffer_free(&list->ring);
	if (list->left > 0)
		ml_log_keeper_scan(list->engine, ML_LOG_LINES, list->below, write_row, list);
}

static void write_json(struct listing *list, const struct ml_log_entry *entry)
{
	ml_log_write_json(entry, list->w);
}

static void list_run(struct ml_job *job, void *params)
{
	struct listing list = {
		.engine = ml_job_engine(job),
		.params = params,
		.write = write_json,
		.w = ml_job_result(job),
	};
	ml_json_begin_array(list.w);
	list_log(&list);
	ml_json_end_array(list.w);
	ml_job_succeed(job);
}

/* ---- Export: RFC 4180 ---- */

static void write_quoted(struct ml_buffer *out, const char *text)
{
	ml_buffer_append(out, "\"", 1);
	while (*text) {
		const size_t plain = strcspn(text, "\"");
		ml_buffer_append(out, text, plain);
		text += plain;
		if (*text) {
			ml_buffer_append(out, "\"\"", 2);
			text++;
		}
	}
	ml_buffer_append(out, "\"", 1);
}

static void write_csv(struct listing *list, const struct ml_log_entry *entry)
{
	char time[ML_TIME_TEXT_MAX];
	(void)ml_time_format(entry->wall, time);
	ml_buffer_appendf(list->csv, "%llu,%s,%s,%s,", (unsigned long long)entry->sequence, time,
		entry->uncertain ? "yes" : "no", ml_log_level_name(entry->level));
	write_quoted(list->csv, entry->origin);
	ml_buffer_append(list->csv, ",", 1);
	write_quoted(list->csv, entry->text);
	ml_buffer_append(list->csv, "\r\n", 2);
}

static void export_run(struct ml_job *job, void *params)
{
	static const char head[] = "sequence,time,uncertain,severity,origin,text\r\n";
	const struct list_params *p = params;
	struct ml_buffer csv = {0};
	struct listing list = {
		.engine = ml_job_engine(job), .params = p, .write = write_csv, .csv = &csv};
	if (!p->before)
		ml_buffer_append(&csv, head, sizeof head - 1);
	list_log(&list);
	if (csv.failed) {
		struct ml_error err = ML_ERROR_NONE;
		ml_error_set(&err, -ENOMEM, "out of memory");
		ml_job_fail(job, &err);
		ml_buffer_free(&csv);
		return;
	}
	struct ml_json_writer *w = ml_job_result(job);
	ml_json_begin_object(w);
	ml_json_key(w, "text");
	ml_json_string_n(w, csv.data ? csv.data : "", csv.length);
	ml_json_key(w, "next");
	if (list.left == 0)
		ml_json_unsigned(w, list.last);
	else
		ml_json_null(w);
	ml_json_end_object(w);
	ml_buffer_free(&csv);
	ml_job_succeed(job);
}

/* ---- The level ---- */

static enum ml_log_level minimum(const struct ml_log *log)
{
	int level = ML_LOG_DEBUG;
	while (level < ML_LOG_ERROR && !ml_log_wants(log, (enum ml_log_level)level))
		level++;
	return (enum ml_log_level)level;
}

static void level_run(struct ml_job *job, void *params)
{
	const struct level_params *p = params;
	struct ml_log *log = ml_engine_log(ml_job_engine(job));
	if (p->level != UNCHANGED && log)
		ml_log_set_minimum(log, (enum ml_log_level)p->level);
	struct ml_json_writer *w = ml_job_result(job);
	ml_json_begin_object(w);
	ml_json_key(w, "level");
	ml_json_string(w, ml_log_level_name(minimum(log)));
	ml_json_end_object(w);
	ml_job_succeed(job);
}

const struct ml_command ml_log_commands[] = {
	{
		.name = "log.export",
		.title = "Export the log",
		.help = "Gives a part of the log as CSV text (RFC 4180), the newest lines first, "
			"with a head where `before` is not given, and what to give as `before` for "
			"the next part (null: this was the last). GET /api/v1/log.csv gives all "
			"parts "
			"as one file.",
		.role = ML_ROLE_READ,
		.lane = ML_LOG_LANE,
		.params = list_params,
		.params_size = sizeof(struct list_params),
		.run = export_run,
	},
	{
		.name = "log.level",
		.title = "Set the level of the log",
		.help = "Sets the lowest level that is logged, and tells which one holds.",
		.role = ML_ROLE_CONFIGURE,
		.params = level_params,
		.params_size = sizeof(struct level_params),
		.run = level_run,
	},
	{
		.name = "log.list",
		.title = "List the log",
		.help = "Lists entries of the log, the newest first: the last ones, and before "
			"them "
			"those that log.db holds, of earlier starts too.",
		.role = ML_ROLE_READ,
		.lane = ML_LOG_LANE,
		.params = list_params,
		.params_size = sizeof(struct list_params),
		.run = list_run,
	},
	{0},
};
