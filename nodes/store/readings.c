/* The command meter.readings: the stored readings of a meter, page by page.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/readings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/clock.h>

#include "store/choose.h"

enum {
	LIMIT_MAX = 1000,
	/* Of those that are left out by their state a page looks at no more than this. */
	LOOKED_AT_MAX = 20000,
	/* A page ends there: results are limited to 16 MiB. */
	RESULT_BYTES_MAX = 8 << 20,
	KEPT_BYTES_MAX = 2 << 20, /* of readings, which as JSON are three times as large */
};

enum { STATE_ALL, STATE_READ, STATE_FAILED };

struct page {
	struct ml_engine *engine;
	struct store_view *view;
	const struct store_source *sources; /* all; the view's */
	size_t source_count;
	int64_t *chosen; /* devices; owned */
	size_t chosen_count;
	struct store_scan *scan;
	size_t limit;
	bool forward; /* from the oldest on */
	bool has_cursor;
	struct store_place cursor;
	uint8_t *kept; /* backward: the readings, one after the other; owned */
	size_t used, size;
	size_t *places; /* of them in `kept`; owned */
	size_t count, looked_at;
	struct store_place last; /* that was looked at */
	int state;
	bool values;
	bool more; /* beyond the page, in its direction */
};

static void write_cursor(
	struct ml_json_writer *w, const char *key, char direction, const struct store_place *place)
{
	ml_json_key(w, key);
	ml_json_stringf(w, "%c%" PRId64 ".%" PRIu64, direction, place->time, place->sequence);
}

/* ---- The page ---- */

/* Backward they come the newest first and are shown the oldest first: they are kept meanwhile. */
static int keep(struct page *page, const struct meter_reading *reading, struct ml_error *err)
{
	const size_t length = ((size_t)reading->size + 7) & ~(size_t)7;
	if (length > page->size - page->used) {
		const size_t size = (page->size + length) * 2;
		uint8_t *grown = realloc(page->kept, size);
		if (!grown)
			return ml_error_set(err, -ENOMEM, "out of memory");
		page->kept = grown;
		page->size = size;
	}
	(void)meter_reading_copy(page->kept + page->used, length, reading, NULL);
	page->places[page->count] = page->used;
	page->used += length;
	return 0;
}

/* How a readout went, without what it brought. */
static void write_outline(const struct meter_reading *reading, struct ml_json_writer *w)
{
	size_t length = 0;
	const char *error = meter_reading_error(reading, &length);
	ml_json_begin_object(w);
	if (reading->time != METER_TIME_UNKNOWN) {
		char text[ML_TIME_TEXT_MAX];
		ML_JSON_KEY(w, "time");
		ml_json_string_n(w, text, ml_time_format(reading->time, text));
	}
	ML_JSON_KEY(w, "trace");
	ml_json_unsigned(w, reading->trace);
	ML_JSON_KEY(w, "state");
	ml_json_string(w, reading->flags & METER_NOT_READ ? "failed" : "read");
	ML_JSON_KEY(w, "values");
	ml_json_unsigned(w, reading->record_count);
	if (error) {
		ML_JSON_KEY(w, "error");
		ml_json_string_n(w, error, length);
	}
	ml_json_end_object(w);
}

static void write_reading(
	const struct page *page, const struct meter_reading *reading, struct ml_json_writer *w)
{
	if (page->values)
		meter_reading_to_json(reading, w);
	else
		write_outline(reading, w);
}

static bool is_wanted(const struct page *page, const struct meter_reading *reading)
{
	const bool failed = (reading->flags & METER_NOT_READ) != 0;
	return page->state == STATE_ALL || failed == (page->state == STATE_FAILED);
}

static int take(struct page *page, const struct store_row *row, void *block,
	struct ml_json_writer *w, struct ml_error *err)
{
	const struct store_place place = {row->time, row->sequence};
	int result = store_view_reading(page->view, row, block, err);
	if (result == -EBADMSG)
		return 0; /* told */
	if (result < 0)
		return result;
	page->last = place;
	page->looked_at++;
	if (!is_wanted(page, block))
		return 0;
	if (page->forward)
		write_reading(page, block, w);
	else
		result = keep(page, block, err);
	page->count++;
	return result;
}

/* A page that grew too large ends before its limit. */
static bool full(const struct page *page, const struct ml_json_writer *w)
{
	return page->count == page->limit || page->looked_at == LOOKED_AT_MAX ||
	       w->out->length > RESULT_BYTES_MAX || page->used > KEPT_BYTES_MAX;
}

static int write_readings(struct page *page, struct ml_json_writer *w, struct ml_error *err)
{
	const struct store_row *row = NULL;
	void *block = malloc(STORE_BLOCK_MAX);
	if (!block)
		return ml_error_set(err, -ENOMEM, "out of memory");
	ml_json_key(w, "readings");
	ml_json_begin_array(w);
	int result;
	while ((result = store_scan_next(page->scan, &row, err)) > 0) {
		page->more = full(page, w);
		if (page->more)
			break;
		result = take(page, row, block, w, err);
		if (result < 0)
			break;
	}
	for (size_t i = page->forward ? 0 : page->count; i-- > 0;)
		write_reading(page, (const void *)(page->kept + page->places[i]), w);
	ml_json_end_array(w);
	free(block);
	return result < 0 ? result : 0;
}

/* "a" or "b" (after, before), time, point, sequence: as write_cursor() makes it. */
static int read_cursor(struct page *page, const char *text, struct ml_error *err)
{
	struct store_place place = {0};
	const char direction = text[0];
	char *point = NULL, *end = NULL;
	bool good = direction == 'a' || direction == 'b';
	errno = 0;
	if (good) {
		place.time = strtoll(text + 1, &point, 10);
		good = point > text + 1 && *point == '.';
	}
	if (good) {
		place.sequence = strtoull(point + 1, &end, 10);
		good = end > point + 1 && *end == '\0' && errno == 0;
	}
	if (!good)
		return ml_error_set_pointer(err, -EINVAL, "/cursor",
			"\"%.40s\" is no cursor: expected `next` or `earlier` of a result before",
			text);
	page->forward = direction == 'a';
	page->has_cursor = true;
	page->cursor = place;
	return 0;
}

static int begin_page(
	struct page *page, const struct store_readings_params *p, struct ml_error *err)
{
	struct store_scan_options options = STORE_SCAN_ALL;
	int result = store_query_view(page->engine, &page->view, err);
	if (result == 0)
		result = store_view_sources(page->view, &page->sources, &page->source_count, err);
	if (result < 0)
		return result;
	page->limit = (size_t)p->limit;
	page->state = p->state;
	page->values = p->values;
	page->chosen = calloc(page->source_count + 1, sizeof *page->chosen);
	page->places = calloc(page->limit, sizeof *page->places);
	if (!page->chosen || !page->places)
		return ml_error_set(err, -ENOMEM, "out of memory");
	page->forward = p->from != ML_TIME_NONE;
	if (p->cursor)
		result = read_cursor(page, p->cursor, err);
	if (result == 0)
		result = store_choose_meter(page->engine, page->sources, page->source_count,
			p->meter, page->chosen, &page->chosen_count, err);
	if (result < 0)
		return result;
	options.devices = page->chosen;
	options.device_count = page->chosen_count;
	options.backward = !page->forward;
	options.failed = true;
	options.from = p->from;
	options.to = p->to != ML_TIME_NONE ? p->to : INT64_MAX;
	options.behind = page->has_cursor ? &page->cursor : NULL;
	return store_scan_begin(page->view, &options, &page->scan, err);
}

void store_readings_run(struct ml_job *job, void *params)
{
	struct ml_json_writer *w = ml_job_result(job);
	struct ml_error err = ML_ERROR_NONE;
	struct page page = {.engine = ml_job_engine(job)};
	int result = begin_page(&page, params, &err);
	if (result == 0) {
		ml_json_begin_object(w);
		result = write_readings(&page, w, &err);
		if (page.more && page.looked_at)
			write_cursor(w, page.forward ? "next" : "earlier", page.forward ? 'a' : 'b',
				&page.last);
		ml_json_end_object(w);
	}
	if (result < 0)
		ml_job_fail(job, &err);
	else
		ml_job_succeed(job);
	store_scan_end(page.scan);
	free(page.chosen);
	free(page.places);
	free(page.kept);
}

static const struct ml_choice state_choices[] = {
	{"all", STATE_ALL, "All of them"},
	{"read", STATE_READ, "Those that were read"},
	{"failed", STATE_FAILED, "Readouts that failed"},
	{NULL, 0, NULL},
};

const struct ml_param store_readings_params[] = {
	{.name = "meter",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct store_readings_params, meter),
		.title = "Meter",
		.help = "Which: a key (#12), a MOID, an id (12345678), an id with its manufacturer "
			"(12345678.KAM).",
		.flags = ML_PARAM_REQUIRED},
	{.name = "from",
		.kind = ML_PARAM_TIME,
		.offset = offsetof(struct store_readings_params, from),
		.title = "From",
		.help = "The oldest time that is wanted. Left out: the newest readings are given.",
		.flags = ML_PARAM_NULLABLE},
	{.name = "to",
		.kind = ML_PARAM_TIME,
		.offset = offsetof(struct store_readings_params, to),
		.title = "To",
		.help = "The newest time that is wanted.",
		.flags = ML_PARAM_NULLABLE},
	{.name = "state",
		.kind = ML_PARAM_CHOICE,
		.offset = offsetof(struct store_readings_params, state),
		.title = "State",
		.help = "Only those that went so. A page may then hold fewer than `limit`, and "
			"yet end with a cursor.",
		.preset = "\"all\"",
		.choices = state_choices},
	{.name = "values",
		.kind = ML_PARAM_BOOL,
		.offset = offsetof(struct store_readings_params, values),
		.title = "With their values",
		.help = "false: only how each readout went: its time, `state` read or failed, how "
			"many `values` it brought, and the `error`.",
		.preset = "true"},
	{.name = "limit",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct store_readings_params, limit),
		.title = "Limit",
		.help = "How many readings to give at the most.",
		.preset = "100",
		.min = 1,
		.max = LIMIT_MAX},
	{.name = "cursor",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct store_readings_params, cursor),
		.title = "Cursor",
		.help = "`next` or `earlier` of a result before: goes on from there.",
		.flags = ML_PARAM_NULLABLE},
	{0},
};
