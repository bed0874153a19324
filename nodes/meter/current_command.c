/* The command `meter.current`.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>

#include "meter/current_private.h"
#include "meter/list.h"
#include "meter/record_json.h"

enum {
	ANY_STATE = -1,
	RESULT_BYTES_MAX = 8 << 20, /* a page ends there: results are limited to 16 MiB */
	VALUES_MAX = METER_RECORDS_MAX * METER_CURRENT_KINDS_MAX,
};

static const struct ml_choice state_choices[] = {
	{"all", ANY_STATE, "All of them"},
	{"never", METER_CURRENT_NEVER, "Those that were never read"},
	{"read", METER_CURRENT_READ, "Those whose last readout was good"},
	{"failed", METER_CURRENT_FAILED, "Those whose last readout failed"},
	{NULL, 0, NULL},
};

const struct ml_param meter_current_param_table[] = {
	{.name = "meter",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct meter_current_params, meter),
		.title = "Meter",
		.help = "Only this one: a key (#12), a MOID, an id (12345678), an id with its "
			"manufacturer (12345678.KAM). Left out: all.",
		.flags = ML_PARAM_NULLABLE},
	{.name = "state",
		.kind = ML_PARAM_CHOICE,
		.offset = offsetof(struct meter_current_params, state),
		.title = "State",
		.help = "Only those whose last readout went so.",
		.preset = "\"all\"",
		.choices = state_choices},
	{.name = "heard",
		.kind = ML_PARAM_BOOL,
		.offset = offsetof(struct meter_current_params, heard),
		.title = "Meters outside of the list too",
		.help = "Whether meters are shown that gave readings but are not in the meter "
			"list.",
		.preset = "true"},
	{.name = "offset",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct meter_current_params, offset),
		.title = "Offset",
		.help = "How many to leave out at the beginning.",
		.preset = "0",
		.min = 0,
		.max = METER_CURRENT_METERS_MAX + METER_POINTS_MAX},
	{.name = "limit",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct meter_current_params, limit),
		.title = "Limit",
		.help = "How many to show at the most. A page of very large telegrams may end "
			"earlier: what `meters` holds is what was shown.",
		.preset = "1000",
		.min = 1,
		.max = METER_CURRENT_METERS_MAX + METER_POINTS_MAX},
	{0},
};

struct page {
	const struct meter_current_params *params;
	const struct meter_snapshot *list;
	const struct meter_current_snapshot *current;
	struct meter_current_value *values; /* room for VALUES_MAX */
	struct ml_buffer text, record;      /* kept from value to value */
	struct ml_json_writer *w;
	int64_t skip, left;
	uint64_t total;
};

static void write_time(struct ml_json_writer *w, const char *key, ml_time time)
{
	char text[ML_TIME_TEXT_MAX];
	if (time == METER_TIME_UNKNOWN)
		return;
	ml_json_key(w, key);
	ml_json_string_n(w, text, ml_time_format(time, text));
}

/* ---- Values ---- */

struct stamp { /* what all values of one telegram have in common, written once for them */
	const struct meter_reading *reading;
	char text[ML_TIME_TEXT_MAX + 48];
	int length;
};

static void set_stamp(struct stamp *stamp, const struct meter_reading *reading)
{
	char time[ML_TIME_TEXT_MAX];
	if (stamp->reading == reading)
		return;
	stamp->reading = reading;
	if (reading->time == METER_TIME_UNKNOWN) {
		stamp->length = snprintf(
			stamp->text, sizeof stamp->text, "\"trace\":%" PRIu64 ",", reading->trace);
		return;
	}
	(void)ml_time_format(reading->time, time);
	stamp->length = snprintf(stamp->text, sizeof stamp->text,
		"\"time\":\"%s\",\"trace\":%" PRIu64 ",", time, reading->trace);
}

/* A value is what a reading's record is, with its series, time and trace before. */
static void write_value(
	struct page *page, const struct meter_current_value *value, struct stamp *stamp)
{
	static const char digits[] = "0123456789abcdef";
	char key[2 * METER_SERIES_KEY_MAX];
	char fast[METER_RECORD_JSON_MAX];
	const char *record = fast;
	struct ml_buffer *text = &page->text;
	size_t length = meter_record_json(value->reading, value->record, fast);
	if (!length) {
		struct ml_json_writer inner;
		ml_buffer_clear(&page->record);
		ml_json_writer_init(&inner, &page->record);
		meter_record_to_json(value->reading, value->record, &inner);
		record = page->record.data;
		length = page->record.failed ? 0 : page->record.length;
	}
	if (length < 2)
		return;
	for (size_t i = 0; i < value->key_length; i++) {
		key[2 * i] = digits[value->key[i] >> 4];
		key[2 * i + 1] = digits[value->key[i] & 15];
	}
	set_stamp(stamp, value->reading);
	ml_buffer_clear(text);
	ml_buffer_append(text, "{\"series\":\"", 11);
	ml_buffer_append(text, key, 2 * (size_t)value->key_length);
	ml_buffer_append(text, "\",", 2);
	ml_buffer_append(text, stamp->text, (size_t)stamp->length);
	ml_buffer_append(text, record + 1, length - 1);
	if (!text->failed)
		ml_json_raw(page->w, text->data, text->length);
}

static void write_values(struct page *page, const struct meter_current_meter *meter)
{
	struct stamp stamp = {0};
	const size_t count = meter ? meter_current_values(meter, page->values, VALUES_MAX) : 0;
	ml_json_key(page->w, "values");
	ml_json_begin_array(page->w);
	for (size_t i = 0; i < count; i++)
		write_value(page, &page->values[i], &stamp);
	ml_json_end_array(page->w);
}

/* ---- Meters ---- */

static void write_identity(struct ml_json_writer *w, const struct meter_current_meter *meter)
{
	char text[METER_ID_TEXT_MAX];
	ml_json_key(w, "meter");
	if (!meter || !meter->has_identity) {
		ml_json_null(w);
		return;
	}
	ml_json_begin_object(w);
	meter_id_format(meter->identity.id, text);
	ml_json_key(w, "id");
	ml_json_string(w, text);
	if (meter->has_maker) {
		meter_manufacturer_format(meter->identity.manufacturer, text);
		ml_json_key(w, "manufacturer");
		ml_json_string(w, text);
		ml_json_key(w, "version");
		ml_json_unsigned(w, meter->identity.version);
	}
	ml_json_key(w, "medium");
	ml_json_string(w, meter_medium_name(meter->identity.medium));
	ml_json_key(w, "medium_code");
	ml_json_unsigned(w, meter->identity.medium);
	ml_json_end_object(w);
}

static void write_state(struct ml_json_writer *w, const struct meter_current_meter *meter)
{
	const enum meter_current_state state = meter ? meter->state : METER_CURRENT_NEVER;
	ml_json_key(w, "state");
	ml_json_string(w, meter_current_state_name(state));
	if (!meter)
		return;
	write_time(w, "read", meter->read);
	if (state != METER_CURRENT_FAILED)
		return;
	write_time(w, "failed_since", meter->failed_since);
	write_time(w, "failed_last", meter->failed_last);
	ml_json_key(w, "failures");
	ml_json_unsigned(w, meter->failures);
	ml_json_key(w, "reason");
	ml_json_string(w, meter->reason);
}

/* `point` NULL: it is not of the list; `meter` NULL: nothing came from it. */
static void show(
	struct page *page, const struct meter_point *point, const struct meter_current_meter *meter)
{
	const int state = meter ? (int)meter->state : METER_CURRENT_NEVER;
	struct ml_json_writer *w = page->w;
	if (page->params->state != ANY_STATE && page->params->state != state)
		return;
	page->total++;
	if (page->skip > 0) {
		page->skip--;
		return;
	}
	if (page->left <= 0)
		return;
	page->left = w->out->length < RESULT_BYTES_MAX ? page->left - 1 : 0;
	ml_json_begin_object(w);
	if (point) {
		ml_json_key(w, "point");
		ml_json_unsigned(w, point->key);
		ml_json_key(w, "moid");
		ml_json_string(w, point->settings.moid);
	}
	write_identity(w, meter);
	write_state(w, meter);
	write_values(page, meter);
	ml_json_end_object(w);
}

static void show_all(struct page *page)
{
	for (size_t i = 0; i < page->list->point_count; i++) {
		const struct meter_point *point = &page->list->points[i];
		show(page, point, meter_current_find(page->current, point->key, NULL));
	}
	for (size_t i = 0; page->params->heard && i < page->current->meter_count; i++)
		if (page->current->meters[i].point == 0)
			show(page, NULL, &page->current->meters[i]);
}

/* A meter that is not in the list, by its id. */
static int show_heard(struct page *page, const char *text, struct ml_error *err)
{
	struct meter_identity address;
	const struct meter_current_meter *found = NULL;
	if (meter_secondary_parse(text, strlen(text), &address, NULL) < 0)
		return -ENOENT;
	for (size_t i = 0; i < page->current->meter_count; i++) {
		const struct meter_current_meter *meter = &page->current->meters[i];
		if (meter->point || !meter_identity_matches(meter->identity, address))
			continue;
		if (found)
			return ml_error_set(err, -EEXIST,
				"several meters outside of the list fit \"%.40s\": expected the id "
				"with its manufacturer, version and medium (12345678.KAM.1B.04)",
				text);
		found = meter;
	}
	if (!found)
		return -ENOENT;
	show(page, NULL, found);
	return 0;
}

static int show_one(struct page *page, const char *text, struct ml_error *err)
{
	const struct meter_point *point = NULL;
	struct ml_error unknown = ML_ERROR_NONE;
	int result = meter_snapshot_find_one(page->list, text, strlen(text), &point, &unknown);
	if (result == 0)
		show(page, point, meter_current_find(page->current, point->key, NULL));
	else if (result == -ENOENT)
		result = show_heard(page, text, err);
	if (result < 0 && err->code == 0)
		*err = unknown;
	return result;
}

static int write_page(struct page *page, struct ml_error *err)
{
	int result = 0;
	ml_json_begin_object(page->w);
	ml_json_key(page->w, "meters");
	ml_json_begin_array(page->w);
	if (page->params->meter)
		result = show_one(page, page->params->meter, err);
	else
		show_all(page);
	ml_json_end_array(page->w);
	ml_json_key(page->w, "total");
	ml_json_unsigned(page->w, page->total);
	ml_json_end_object(page->w);
	return result;
}

void meter_current_run(struct ml_job *job, void *params)
{
	const struct meter_current_params *p = params;
	struct ml_error err = ML_ERROR_NONE;
	struct page page = {.params = p,
		.list = meter_list_snapshot(meter_list(ml_job_engine(job))),
		.current = meter_current_snapshot(meter_current(ml_job_engine(job))),
		.values = malloc(VALUES_MAX * sizeof(struct meter_current_value)),
		.w = ml_job_result(job),
		.skip = p->offset,
		.left = p->limit};
	int result;
	if (page.current && page.values)
		result = write_page(&page, &err);
	else
		result = ml_error_set(&err, -ENOMEM, "out of memory");
	ml_buffer_free(&page.text);
	ml_buffer_free(&page.record);
	free(page.values);
	meter_current_release(page.current);
	meter_snapshot_release(page.list);
	if (result < 0)
		ml_job_fail(job, &err);
	else
		ml_job_succeed(job);
}
