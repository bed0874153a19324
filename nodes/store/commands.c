/* The commands of the store: readings of a meter, and how the store is.
 * SPDX-License-Identifier: Apache-2.0
 *
 * On the lane "database", on the writer's connection between its transactions.
 */
#include "store/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "meter/list.h"
#include "store/range.h"
#include "store/reader.h"
#include "store/writer.h"

static const char doing[] = "reading readings.db";

enum {
	LIMIT_MAX = 1000,
	RESULT_BYTES_MAX = 8 << 20, /* a page ends there: results are limited to 16 MiB */
};

/* ---- meter.readings ---- */

struct readings_params {
	char *meter, *cursor;
	ml_time from, to;
	int64_t limit;
};

/* A place between readings: of one time in the order they were stored. */
struct place {
	ml_time time;
	uint64_t sequence;
};

struct found {
	struct place place;
	size_t source; /* in the page's sources */
};

struct page {
	struct store_writer *writer;
	struct store_source *sources; /* all; owned */
	size_t source_count;
	bool *chosen;        /* of each; owned */
	struct found *found; /* owned */
	size_t count, capacity;
	size_t limit;
	bool forward;          /* from the oldest on */
	struct place from, to; /* both excluded */
	bool more;             /* beyond the page, in its direction */
};

/* Readings of the point, and those of its meters from before they were in the list. */
static size_t choose_point(struct page *page, const struct meter_point *point)
{
	size_t count = 0;
	for (size_t i = 0; i < page->source_count; i++) {
		const struct store_source *source = &page->sources[i];
		page->chosen[i] = source->point == point->key;
		for (size_t d = 0; !source->point && d < point->device_count; d++)
			page->chosen[i] =
				page->chosen[i] ||
				(source->has_identity && meter_identity_equal(source->identity,
								 point->devices[d].identity));
		count += page->chosen[i];
	}
	return count;
}

static void append_candidate(char *names, size_t size, struct meter_identity identity)
{
	const size_t used = strlen(names);
	char text[METER_SECONDARY_TEXT_MAX];
	meter_secondary_format(identity, text);
	(void)snprintf(names + used, size - used, "%s%s", used ? ", " : "", text);
}

/* A meter that is not in the list, by its id. */
static int choose_identity(struct page *page, const char *text, struct ml_error *err)
{
	struct meter_identity address;
	const struct meter_identity *first = NULL;
	char names[160] = "";
	bool several = false;
	if (meter_secondary_parse(text, strlen(text), &address, NULL) < 0)
		return -ENOENT;
	for (size_t i = 0; i < page->source_count; i++) {
		const struct store_source *source = &page->sources[i];
		if (!source->has_identity || !meter_identity_matches(source->identity, address))
			continue;
		page->chosen[i] = true;
		if (!first || !meter_identity_equal(*first, source->identity))
			append_candidate(names, sizeof names, source->identity);
		several = several || (first && !meter_identity_equal(*first, source->identity));
		first = first ? first : &source->identity;
	}
	if (several)
		return ml_error_set(
			err, -EEXIST, "\"%.40s\" is not unique in the store: %s", text, names);
	return first ? 0 : -ENOENT;
}

static int choose(struct page *page, const char *text, struct ml_error *err)
{
	struct meter_list *list = meter_list(page->writer->engine);
	const struct meter_snapshot *snapshot = list ? meter_list_snapshot(list) : NULL;
	const struct meter_point *point = NULL;
	struct ml_error unknown = ML_ERROR_NONE;
	int result =
		snapshot ? meter_snapshot_find_one(snapshot, text, strlen(text), &point, &unknown)
			 : -ENOENT;
	if (result == 0)
		choose_point(page, point);
	else if (result == -ENOENT)
		result = choose_identity(page, text, err);
	if (result < 0 && err->code == 0)
		*err = unknown;
	if (result < 0 && err->code == 0)
		ml_error_set(err, result, "no readings of a meter \"%.40s\"", text);
	meter_snapshot_release(snapshot);
	return result;
}

static int add_found(struct page *page, const struct found *found, struct ml_error *err)
{
	if (page->count == page->capacity) {
		const size_t capacity = page->capacity ? page->capacity * 2 : 128;
		struct found *grown = realloc(page->found, capacity * sizeof *grown);
		if (!grown)
			return ml_error_set(err, -ENOMEM, "out of memory");
		page->found = grown;
		page->capacity = capacity;
	}
	page->found[page->count++] = *found;
	return 0;
}

static int bind_places(sqlite3_stmt *row, const struct page *page, size_t source)
{
	const int64_t values[] = {page->sources[source].key, page->from.time,
		(int64_t)page->from.sequence, page->to.time, (int64_t)page->to.sequence,
		(int64_t)page->limit + 1};
	int code = SQLITE_OK;
	for (int i = 0; code == SQLITE_OK && i < (int)(sizeof values / sizeof *values); i++)
		code = sqlite3_bind_int64(row, i + 1, values[i]);
	return code;
}

/* The keys of all sources, each up to one more than the limit. */
static int look_up(struct page *page, struct ml_error *err)
{
	sqlite3 *db = page->writer->db;
	sqlite3_stmt *row = NULL;
	int result = 0;
	if (sqlite3_prepare_v2(db,
		    page->forward ? "SELECT time, sequence FROM reading WHERE device = ?1 AND "
				    "(time, sequence) > (?2, ?3) AND (time, sequence) < (?4, ?5) "
				    "ORDER BY time, sequence LIMIT ?6"
				  : "SELECT time, sequence FROM reading WHERE device = ?1 AND "
				    "(time, sequence) > (?2, ?3) AND (time, sequence) < (?4, ?5) "
				    "ORDER BY time DESC, sequence DESC LIMIT ?6",
		    -1, &row, NULL) != SQLITE_OK)
		return ml_database_error(err, db, doing);
	for (size_t i = 0; result == 0 && i < page->source_count; i++) {
		if (!page->chosen[i])
			continue;
		int code = bind_places(row, page, i);
		while (code == SQLITE_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
			const struct found found = {
				.place = {.time = sqlite3_column_int64(row, 0),
					.sequence = (uint64_t)sqlite3_column_int64(row, 1)},
				.source = i};
			result = add_found(page, &found, err);
			code = result < 0 ? SQLITE_DONE : SQLITE_OK;
		}
		if (code != SQLITE_DONE)
			result = ml_database_error(err, db, doing);
		sqlite3_reset(row);
	}
	sqlite3_finalize(row);
	return result;
}

static int compare_found(const void *a, const void *b)
{
	const struct place *first = &((const struct found *)a)->place;
	const struct place *second = &((const struct found *)b)->place;
	if (first->time != second->time)
		return first->time < second->time ? -1 : 1;
	return (first->sequence > second->sequence) - (first->sequence < second->sequence);
}

/* Sorts, and keeps the limit: the oldest where it goes forward, else the newest. */
static void cut(struct page *page)
{
	if (page->count)
		qsort(page->found, page->count, sizeof *page->found, compare_found);
	page->more = page->count > page->limit;
	if (!page->more)
		return;
	if (!page->forward)
		memmove(page->found, page->found + page->count - page->limit,
			page->limit * sizeof *page->found);
	page->count = page->limit;
}

static void write_cursor(
	struct ml_json_writer *w, const char *key, char direction, const struct place *place)
{
	ml_json_key(w, key);
	ml_json_stringf(w, "%c%" PRId64 ".%" PRIu64, direction, place->time, place->sequence);
}

static int write_readings(struct page *page, struct ml_json_writer *w, struct ml_error *err)
{
	struct store_reader reader;
	void *block = malloc(STORE_BLOCK_MAX);
	if (!block)
		return ml_error_set(err, -ENOMEM, "out of memory");
	int result = store_reader_open(&reader, page->writer->db, err);
	if (result < 0)
		goto out;
	ml_json_key(w, "readings");
	ml_json_begin_array(w);
	for (size_t i = 0; result == 0 && i < page->count; i++) {
		/* A page that grew too large ends here; only forward, as the rest follows it. */
		if (w->out->length > RESULT_BYTES_MAX) {
			page->count = i;
			page->more = true;
			page->forward = true;
			break;
		}
		result = store_reader_get(&reader, page->found[i].place.sequence,
			&page->sources[page->found[i].source], block, err);
		if (result == 0)
			meter_reading_to_json(block, w);
	}
	ml_json_end_array(w);
	store_reader_close(&reader);
out:
	free(block);
	return result;
}

/* "a" or "b" (after, before), time, point, sequence: as write_cursor() makes it. */
static int read_cursor(struct page *page, const char *text, struct ml_error *err)
{
	struct place place = {0};
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
	if (page->forward)
		page->from = place;
	else
		page->to = place;
	return 0;
}

static int fill_page(struct page *page, const struct readings_params *p, struct ml_error *err)
{
	int result = store_writer_ready(page->writer, err);
	if (result == 0)
		result = store_sources_load(
			page->writer->db, &page->sources, &page->source_count, err);
	if (result < 0)
		return result;
	page->chosen = calloc(page->source_count + 1, sizeof *page->chosen);
	if (!page->chosen)
		return ml_error_set(err, -ENOMEM, "out of memory");
	page->limit = (size_t)p->limit;
	page->forward = p->from != 0;
	page->from = (struct place){.time = p->from ? p->from : INT64_MIN};
	page->to = (struct place){.time = p->to ? p->to : INT64_MAX, .sequence = INT64_MAX};
	if (p->cursor)
		result = read_cursor(page, p->cursor, err);
	if (result == 0)
		result = choose(page, p->meter, err);
	if (result == 0)
		result = look_up(page, err);
	if (result == 0)
		cut(page);
	return result;
}

static void run_readings(struct ml_job *job, void *params)
{
	const struct readings_params *p = params;
	struct ml_json_writer *w = ml_job_result(job);
	struct ml_error err = ML_ERROR_NONE;
	struct page page = {.writer = store_writer(ml_job_engine(job))};
	int result = fill_page(&page, p, &err);
	if (result == 0) {
		const bool backward = page.more && !page.forward;
		ml_json_begin_object(w);
		result = write_readings(&page, w, &err);
		if (page.more && page.forward && page.count)
			write_cursor(w, "next", 'a', &page.found[page.count - 1].place);
		if (backward && page.count)
			write_cursor(w, "earlier", 'b', &page.found[0].place);
		ml_json_end_object(w);
	}
	if (result < 0)
		ml_job_fail(job, &err);
	else
		ml_job_succeed(job);
	free(page.sources);
	free(page.chosen);
	free(page.found);
}

static const struct ml_param readings_params[] = {
	{.name = "meter",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct readings_params, meter),
		.title = "Meter",
		.help = "Which: a key (#12), a MOID, an id (12345678), an id with its manufacturer "
			"(12345678.KAM).",
		.flags = ML_PARAM_REQUIRED},
	{.name = "from",
		.kind = ML_PARAM_TIME,
		.offset = offsetof(struct readings_params, from),
		.title = "From",
		.help = "The oldest time that is wanted. Left out: the newest readings are given.",
		.flags = ML_PARAM_NULLABLE},
	{.name = "to",
		.kind = ML_PARAM_TIME,
		.offset = offsetof(struct readings_params, to),
		.title = "To",
		.help = "The newest time that is wanted.",
		.flags = ML_PARAM_NULLABLE},
	{.name = "limit",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct readings_params, limit),
		.title = "Limit",
		.help = "How many readings to give at the most.",
		.preset = "100",
		.min = 1,
		.max = LIMIT_MAX},
	{.name = "cursor",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct readings_params, cursor),
		.title = "Cursor",
		.help = "`next` or `earlier` of a result before: goes on from there.",
		.flags = ML_PARAM_NULLABLE},
	{0},
};

/* ---- store.status ---- */

static int64_t one_number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *row = NULL;
	int64_t value = 0;
	if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) == SQLITE_OK &&
		sqlite3_step(row) == SQLITE_ROW)
		value = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	return value;
}

static void write_destination(
	const struct store_writer *writer, const char *name, struct ml_json_writer *w)
{
	struct store_range range;
	uint64_t sequence = 0;
	ml_json_begin_object(w);
	ml_json_key(w, "destination");
	ml_json_string(w, name);
	if (store_cursor_load(writer->db, writer->epoch, name, &sequence, NULL) == 0) {
		ml_json_key(w, "sequence");
		ml_json_unsigned(w, sequence);
		ml_json_key(w, "behind");
		ml_json_unsigned(w, writer->sequence > sequence ? writer->sequence - sequence : 0);
	}
	if (store_range_load(writer->db, writer->epoch, name, &range, NULL) > 0) {
		ml_json_key(w, "outstanding");
		ml_json_begin_object(w);
		ml_json_key(w, "first");
		ml_json_unsigned(w, range.first);
		ml_json_key(w, "last");
		ml_json_unsigned(w, range.last);
		ml_json_key(w, "readings");
		ml_json_unsigned(w, range.count);
		ml_json_end_object(w);
	}
	ml_json_end_object(w);
}

static void write_destinations(const struct store_writer *writer, struct ml_json_writer *w)
{
	sqlite3_stmt *row = NULL;
	ml_json_key(w, "destinations");
	ml_json_begin_array(w);
	if (sqlite3_prepare_v2(writer->db,
		    "SELECT destination FROM cursor UNION SELECT destination FROM outstanding "
		    "ORDER BY destination",
		    -1, &row, NULL) == SQLITE_OK)
		while (sqlite3_step(row) == SQLITE_ROW)
			write_destination(writer, (const char *)sqlite3_column_text(row, 0), w);
	sqlite3_finalize(row);
	ml_json_end_array(w);
}

static void run_status(struct ml_job *job, void *params)
{
	struct store_writer *writer = store_writer(ml_job_engine(job));
	struct ml_json_writer *w = ml_job_result(job);
	struct ml_error err = ML_ERROR_NONE;
	(void)params;
	const bool open = store_writer_ready(writer, &err) == 0;
	ml_json_begin_object(w);
	ml_json_key(w, "open");
	ml_json_bool(w, open);
	ml_json_key(w, "error");
	ml_json_string(w, writer->troubled ? writer->trouble.text : open ? NULL : err.text);
	ml_json_key(w, "waiting");
	ml_json_unsigned(w, writer->waiting);
	ml_json_key(w, "commits");
	ml_json_unsigned(w, writer->commits);
	ml_json_key(w, "failures");
	ml_json_unsigned(w, writer->failures);
	ml_json_key(w, "last_commit");
	if (writer->last_commit_wall == ML_NEVER) {
		ml_json_null(w);
	} else {
		char text[ML_TIME_TEXT_MAX];
		ml_json_string_n(w, text, ml_time_format(writer->last_commit_wall, text));
	}
	if (open) {
		ml_json_key(w, "epoch");
		ml_json_unsigned(w, writer->epoch);
		ml_json_key(w, "sequence");
		ml_json_unsigned(w, writer->sequence);
		ml_json_key(w, "bytes");
		ml_json_integer(w, one_number(writer->db, "PRAGMA page_count") *
					   one_number(writer->db, "PRAGMA page_size"));
		ml_json_key(w, "devices");
		ml_json_integer(w, one_number(writer->db, "SELECT count(*) FROM device"));
		ml_json_key(w, "shapes");
		ml_json_integer(w, one_number(writer->db, "SELECT count(*) FROM shape"));
		write_destinations(writer, w);
	}
	ml_json_end_object(w);
	ml_job_succeed(job);
}

const struct ml_command store_commands[] = {
	{.name = "meter.readings",
		.title = "Readings of a meter",
		.help = "The stored readings of a meter, the newest last, each as `decode` shows "
			"it, also readouts that failed. Without `from` the newest ones are given, "
			"and `earlier` is the cursor to those before them; with it, the oldest "
			"from there on, and `next` is the cursor to those after them.",
		.role = ML_ROLE_READ,
		.lane = STORE_LANE,
		.params = readings_params,
		.params_size = sizeof(struct readings_params),
		.run = run_readings},
	{.name = "store.status",
		.title = "State of the store",
		.help = "Whether readings can be written, how many wait, how large the database "
			"is, and how far each destination has got.",
		.role = ML_ROLE_READ,
		.lane = STORE_LANE,
		.run = run_status},
	{0},
};
