/* Tests for nodes/store/scan.h and packer.h: what is read back is what was stored, in each order,
 * whatever of it is packed meanwhile.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The writer's own statements put readings into a database; a list in memory says what must come
 * back after each step of the packer.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "count.h"
#include "mbus/application.h"
#include "store/insert.h"
#include "store/kit.h"
#include "store/packer.h"
#include "store/scan.h"

enum { DEVICES = 7, MODEL_MAX = 40000 };

/* What was stored. */
struct stored {
	uint64_t sequence, trace;
	int64_t device;
	ml_time time;
	int64_t value; /* -1: a readout that failed */
};

struct bed {
	struct kit *kit;
	sqlite3 *db;
	struct store_inserter inserter;
	struct store_packer packer;
	struct store_view *view;
	struct stored *model;
	size_t count;
	uint64_t sequence;
	uint32_t random;
	_Alignas(8) uint8_t block[STORE_BLOCK_MAX];
};

static uint32_t draw(struct bed *bed, uint32_t below)
{
	bed->random = bed->random * 1664525u + 1013904223u;
	return (bed->random >> 8) % below;
}

/* ---- Storing ---- */

static void make(struct bed *bed, unsigned id, ml_time time, uint64_t trace, int64_t value)
{
	uint8_t telegram[] = {0x72, 0, 0, 0, 0, 0x2D, 0x2C, 0x1B, 0x04, 0x2A, 0, 0, 0, 0x04, 0x06,
		0, 0, 0, 0, 0x02, 0x2D, 7, 8, 0x01, 0xFD, 0x17, 0};
	telegram[1] = (uint8_t)(id % 10 | id / 10 % 10 << 4);
	for (unsigned i = 0; i < 4; i++)
		telegram[15 + i] = (uint8_t)((uint64_t)value >> (8 * i));
	/* Some meters leave out the last record: another shape. */
	const size_t length = sizeof telegram - (id % 3 == 0 ? 4 : 0);
	assert_int_equal(
		meter_reading_init(bed->block, sizeof bed->block, telegram, length, NULL), 0);
	struct meter_reading *reading = (void *)bed->block;
	if (value < 0) {
		reading->telegram_length = 0;
		reading->flags |= METER_NOT_READ | METER_HAS_IDENTITY;
		meter_reading_set_error(reading, -1, "no answer");
	} else {
		mbus_decode_application(reading, 0, length, 0);
	}
	reading->meter = (struct meter_identity){.id = id};
	reading->time = time;
	reading->trace = trace;
}

static int64_t device_of(struct bed *bed, unsigned id)
{
	struct store_device *device = NULL;
	const struct meter_reading *reading = (const void *)bed->block;
	(void)id;
	assert_int_equal(store_intern_device(&bed->inserter.interner, reading, &device, NULL), 0);
	return device->key;
}

static void sql(struct bed *bed, const char *text)
{
	char *message = NULL;
	if (sqlite3_exec(bed->db, text, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", text, message);
}

static int64_t number(struct bed *bed, const char *text)
{
	sqlite3_stmt *row = NULL;
	assert_int_equal(sqlite3_prepare_v2(bed->db, text, -1, &row, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	const int64_t value = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	return value;
}

static void begin(struct bed *bed, ml_time wall)
{
	sql(bed, "BEGIN IMMEDIATE");
	store_inserter_begin(&bed->inserter, bed->sequence, wall);
}

static void give(struct bed *bed, unsigned id, ml_time time, int64_t value)
{
	const uint64_t trace = 1000 + bed->count;
	struct ml_error err = ML_ERROR_NONE;
	assert_true(bed->count < MODEL_MAX);
	make(bed, id, time, trace, value);
	if (store_inserter_add(&bed->inserter, (const void *)bed->block, &err) < 0)
		fail_msg("%s", err.text);
	bed->model[bed->count++] = (struct stored){.sequence = bed->inserter.sequence,
		.trace = trace,
		.device = device_of(bed, id),
		.time = time - time % ML_MSEC,
		.value = value};
}

static void commit(struct bed *bed)
{
	assert_int_equal(store_inserter_end(&bed->inserter, NULL), 0);
	sql(bed, "COMMIT");
	bed->sequence = bed->inserter.sequence;
}

/* Some months of quarter-hours, with late readings, failed ones and a clock that was ahead. */
static void fill(struct bed *bed, size_t rounds, ml_time from)
{
	for (size_t round = 0; round < rounds; round++) {
		ml_time now = from + (ml_time)round * 15 * ML_MINUTE;
		begin(bed, now);
		for (unsigned id = 1; id <= DEVICES; id++) {
			ml_time time = now + id * 777 * ML_MSEC;
			if (draw(bed, 50) == 0)
				time -= (ml_time)draw(bed, 40) * ML_DAY;
			if (round % 500 == 77)
				time += 365 * ML_DAY;
			if (id == DEVICES && round % 96)
				continue;
			give(bed, id, time,
				draw(bed, 40) == 0 ? -1 : (int64_t)(round * 10 + draw(bed, 10)));
		}
		commit(bed);
	}
}

/* ---- Comparing ---- */

static int by_time(const void *a, const void *b)
{
	const struct stored *x = a, *y = b;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

static int by_device(const void *a, const void *b)
{
	const struct stored *x = a, *y = b;
	return x->device != y->device ? (x->device > y->device) - (x->device < y->device)
				      : by_time(a, b);
}

static int by_sequence(const void *a, const void *b)
{
	const struct stored *x = a, *y = b;
	return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

static bool among(const struct store_scan_options *options, int64_t device)
{
	for (size_t i = 0; i < options->device_count; i++)
		if (options->devices[i] == device)
			return true;
	return !options->devices;
}

static bool expected(const struct store_scan_options *o, const struct stored *s)
{
	if (s->time < o->from || s->time > o->to || s->sequence < o->first ||
		s->sequence > o->last || (s->value < 0 && !o->failed) || !among(o, s->device))
		return false;
	if (!o->behind)
		return true;
	const struct stored place = {.time = o->behind->time, .sequence = o->behind->sequence};
	const int order =
		o->order == STORE_BY_SEQUENCE ? by_sequence(s, &place) : by_time(s, &place);
	return o->backward ? order < 0 : order > 0;
}

static void check_row(struct bed *bed, const struct store_row *row, const struct stored *s)
{
	assert_int_equal(row->sequence, s->sequence);
	assert_int_equal(row->device, s->device);
	assert_int_equal(row->time, s->time);
	assert_int_equal(row->trace, s->trace);
	assert_int_equal(row->shape == 0, s->value < 0);
	assert_int_equal(row->check == 0, s->value < 0);
	assert_int_equal(store_view_reading(bed->view, row, bed->block, NULL), 0);
	const struct meter_reading *reading = (const void *)bed->block;
	assert_int_equal(reading->time, s->time);
	if (s->value >= 0)
		assert_int_equal(meter_reading_record(reading, 0)->mantissa, s->value);
	else
		assert_true(meter_reading_has_error(reading));
}

/* The scan gives exactly what the list has. Takes at most `most` of it. */
static void compare(struct bed *bed, const struct store_scan_options *options, size_t most)
{
	struct stored *list = calloc(bed->count + 1, sizeof *list);
	struct store_scan *scan = NULL;
	const struct store_row *row = NULL;
	struct ml_error err = ML_ERROR_NONE;
	size_t count = 0, i = 0;
	assert_non_null(list);
	for (size_t k = 0; k < bed->count; k++)
		if (expected(options, &bed->model[k]))
			list[count++] = bed->model[k];
	qsort(list, count, sizeof *list,
		options->order == STORE_BY_TIME     ? by_time
		: options->order == STORE_BY_DEVICE ? by_device
						    : by_sequence);
	if (store_scan_begin(bed->view, options, &scan, &err) < 0)
		fail_msg("%s", err.text);
	for (; i < most; i++) {
		const int result = store_scan_next(scan, &row, &err);
		if (result < 0)
			fail_msg("%s", err.text);
		if (result == 0)
			break;
		assert_true(i < count);
		check_row(bed, row, &list[options->backward ? count - 1 - i : i]);
	}
	assert_int_equal(i, count < most ? count : most);
	store_scan_end(scan);
	free(list);
}

static struct store_scan_options draw_options(struct bed *bed, int64_t devices[DEVICES])
{
	struct store_scan_options o = STORE_SCAN_ALL;
	const ml_time first = bed->model[0].time - 50 * ML_DAY;
	const uint32_t days = 500;
	o.order = draw(bed, 2) ? STORE_BY_TIME : STORE_BY_SEQUENCE;
	o.backward = draw(bed, 2);
	o.failed = draw(bed, 2);
	if (draw(bed, 2)) {
		o.devices = devices;
		for (int64_t device = 1; device <= DEVICES; device++)
			if (draw(bed, 3) == 0)
				devices[o.device_count++] = device;
	}
	if (draw(bed, 2)) {
		o.from = first + (ml_time)draw(bed, days) * ML_DAY;
		o.to = o.from + (ml_time)draw(bed, days) * 6 * ML_HOUR;
	}
	if (draw(bed, 3) == 0) {
		o.first = draw(bed, (uint32_t)bed->count);
		o.last = o.first + draw(bed, 3000);
	}
	return o;
}

static void compare_some(struct bed *bed, unsigned times)
{
	int64_t devices[DEVICES];
	for (unsigned i = 0; i < times; i++) {
		struct store_scan_options o = draw_options(bed, devices);
		struct store_place place;
		if (draw(bed, 3) == 0) {
			const struct stored *s = &bed->model[draw(bed, (uint32_t)bed->count)];
			place = (struct store_place){s->time, s->sequence};
			o.behind = &place;
		}
		compare(bed, &o, draw(bed, 2) ? SIZE_MAX : 300);
	}
}

static void compare_all(struct bed *bed)
{
	struct store_scan_options o = STORE_SCAN_ALL;
	o.failed = true;
	compare(bed, &o, SIZE_MAX);
	o.order = STORE_BY_SEQUENCE;
	compare(bed, &o, SIZE_MAX);
	o.backward = true;
	compare(bed, &o, SIZE_MAX);
	o.order = STORE_BY_TIME;
	compare(bed, &o, SIZE_MAX);
	o.backward = false;
	o.order = STORE_BY_DEVICE;
	compare(bed, &o, SIZE_MAX);
}

struct hits {
	struct bed *bed;
	const struct stored *wanted;
	size_t count;
};

static int count_hit(void *user, const struct store_row *row, struct ml_error *err)
{
	struct hits *hits = user;
	(void)err;
	check_row(hits->bed, row, hits->wanted);
	hits->count++;
	return 0;
}

/* By sequence and by trace. */
static void find_some(struct bed *bed, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		const struct stored *s = &bed->model[draw(bed, (uint32_t)bed->count)];
		struct hits hits = {bed, s, 0};
		struct store_row row;
		assert_int_equal(store_view_find(bed->view, s->sequence, &row, NULL), 0);
		check_row(bed, &row, s);
		assert_int_equal(store_view_trace(bed->view, s->trace, count_hit, &hits, NULL), 0);
		assert_int_equal(hits.count, 1);
	}
	struct store_row row;
	assert_int_equal(store_view_find(bed->view, bed->sequence + 1, &row, NULL), -ENOENT);
}

struct newest {
	struct bed *bed;
	const struct stored *of[DEVICES];
	size_t seen;
};

static int check_newest(void *user, size_t index, const struct store_row *row, struct ml_error *err)
{
	struct newest *newest = user;
	(void)err;
	assert_non_null(newest->of[index]);
	check_row(newest->bed, row, newest->of[index]);
	newest->seen++;
	return 0;
}

static void compare_latest(struct bed *bed)
{
	struct newest newest = {.bed = bed};
	int64_t devices[DEVICES];
	struct store_scan_options o = STORE_SCAN_ALL;
	for (size_t i = 0; i < DEVICES; i++)
		devices[i] = (int64_t)i + 1;
	for (size_t i = 0; i < bed->count; i++) {
		const struct stored *s = &bed->model[i];
		const struct stored **slot = &newest.of[s->device - 1];
		if (s->value >= 0 && (!*slot || by_time(s, *slot) > 0))
			*slot = s;
	}
	o.devices = devices;
	o.device_count = DEVICES;
	assert_int_equal(store_scan_latest(bed->view, &o, check_newest, &newest, NULL), 0);
	assert_int_equal(newest.seen, DEVICES);
}

/* ---- The bed ---- */

static void open_packer(struct bed *bed)
{
	store_packer_close(&bed->packer);
	assert_int_equal(store_packer_open(&bed->packer, bed->db, NULL), 0);
}

static int setup(void **state)
{
	struct bed *bed = calloc(1, sizeof *bed);
	bed->kit = kit_new(NULL);
	bed->model = calloc(MODEL_MAX, sizeof *bed->model);
	assert_int_equal(ml_database_open(bed->kit->engine, "readings", true, &bed->db, NULL), 0);
	sql(bed, "PRAGMA synchronous = OFF");
	bed->inserter.journal = true;
	assert_int_equal(store_inserter_open(&bed->inserter, bed->db, 0, NULL), 0);
	assert_int_equal(store_view_open(bed->kit->engine, &bed->view, NULL), 0);
	open_packer(bed);
	bed->random = 7;
	*state = bed;
	return 0;
}

static int teardown(void **state)
{
	struct bed *bed = *state;
	store_view_close(bed->view);
	store_packer_close(&bed->packer);
	store_inserter_close(&bed->inserter);
	sqlite3_close(bed->db);
	kit_free(bed->kit);
	free(bed->model);
	free(bed);
	return 0;
}

static const ml_time start = INT64_C(1790000000) * ML_SEC;

/* All steps up to that time; after each `look` is called. */
static void pack_all(struct bed *bed, ml_time wall, void (*look)(struct bed *bed))
{
	struct ml_error err = ML_ERROR_NONE;
	int result;
	while ((result = store_packer_step(&bed->packer, wall, wall - 2 * ML_DAY, &err)) > 0) {
		if (look)
			look(bed);
	}
	if (result < 0)
		fail_msg("%s", err.text);
}

/* ---- Tests ---- */

static void rows_come_back(void **state)
{
	struct bed *bed = *state;
	fill(bed, 400, start);
	compare_all(bed);
	compare_some(bed, test_count(200));
	find_some(bed, 20);
	compare_latest(bed);
}

/* Each step may be the last one before somebody reads, or before the gateway is killed. */
static void look_after_step(struct bed *bed)
{
	compare_some(bed, 1);
	if (draw(bed, 10) == 0) {
		find_some(bed, 2);
		compare_latest(bed);
	}
	if (draw(bed, 5) == 0)
		open_packer(bed);
}

static void packed_readings_come_back(void **state)
{
	struct bed *bed = *state;
	for (unsigned part = 0; part < 4; part++) {
		const ml_time from = start + part * 11 * ML_DAY;
		fill(bed, 11 * 96, from);
		pack_all(bed, from + 11 * ML_DAY, look_after_step);
	}
	/* Once all is older than a week, all full blocks are packed and their rows are gone. */
	pack_all(bed, start + 60 * ML_DAY, look_after_step);
	assert_int_equal(number(bed, "SELECT count(*) FROM reading"),
		bed->sequence - (bed->sequence >> 10 << 10) + 1);
	assert_int_equal(number(bed, "SELECT sum(count) FROM chunk") +
				 number(bed, "SELECT count(*) FROM reading"),
		bed->count);
	compare_all(bed);
	compare_some(bed, test_count(300));
	find_some(bed, 50);
	compare_latest(bed);
}

/* A month of quarter-hours ends as one chunk a device. */
static void parts_are_merged(void **state)
{
	struct bed *bed = *state;
	const ml_time month = INT64_C(1790812800) * ML_SEC; /* 2026-10-01 */
	for (unsigned day = 0; day < 45; day++) {
		for (unsigned round = 0; round < 96; round++) {
			const ml_time now = month + day * ML_DAY + round * 15 * ML_MINUTE;
			begin(bed, now);
			for (unsigned id = 1; id <= 4; id++)
				give(bed, id, now, day);
			commit(bed);
		}
		pack_all(bed, month + (day + 1) * ML_DAY, NULL);
	}
	assert_int_equal(number(bed, "SELECT count(*) FROM chunk WHERE month = 2026 * 12 + 9"), 4);
	assert_int_equal(number(bed, "SELECT sum(count) FROM chunk WHERE month = 2026 * 12 + 9"),
		4 * 31 * 96);
	compare_all(bed);
}

/* A scan that began before goes on while rows become chunks under it. */
static void scans_go_on_while_it_packs(void **state)
{
	struct bed *bed = *state;
	static const enum store_order orders[] = {
		STORE_BY_TIME, STORE_BY_DEVICE, STORE_BY_SEQUENCE};
	struct store_scan *scans[6] = {NULL};
	size_t seen[6] = {0};
	size_t values = 0;
	fill(bed, 800, start);
	for (size_t i = 0; i < bed->count; i++)
		values += bed->model[i].value >= 0;
	for (size_t i = 0; i < 6; i++) {
		struct store_scan_options o = STORE_SCAN_ALL;
		o.order = orders[i % 3];
		o.backward = i >= 3;
		assert_int_equal(store_scan_begin(bed->view, &o, &scans[i], NULL), 0);
	}
	bool more = true;
	while (more) {
		more = store_packer_step(
			       &bed->packer, start + 100 * ML_DAY, start + 90 * ML_DAY, NULL) > 0;
		for (size_t i = 0; i < 6; i++) {
			const struct store_row *row = NULL;
			for (size_t n = 0; n < 60; n++) {
				const int result = store_scan_next(scans[i], &row, NULL);
				assert_true(result >= 0);
				seen[i] += (size_t)result;
				more = more || result > 0;
			}
		}
	}
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(seen[i], values);
		store_scan_end(scans[i]);
	}
	assert_true(bed->packer.packed > 4000);
}

/* What has no time yet is neither packed nor shown in a range, and holds up what follows it. */
static void timeless_rows_wait(void **state)
{
	struct bed *bed = *state;
	struct store_scan_options o = STORE_SCAN_ALL;
	const struct store_row *row = NULL;
	struct store_scan *scan = NULL;
	size_t seen = 0;
	fill(bed, 800, start);
	sql(bed, "UPDATE reading SET boot = 5, time = 12000 WHERE sequence = 1500");
	pack_all(bed, start + 100 * ML_DAY, NULL);
	assert_int_equal(number(bed, "SELECT min(sequence) FROM reading"), 1024);
	o.order = STORE_BY_SEQUENCE;
	o.timeless = true;
	o.failed = true;
	o.first = 1490;
	o.last = 1510;
	assert_int_equal(store_scan_begin(bed->view, &o, &scan, NULL), 0);
	while (store_scan_next(scan, &row, NULL) > 0) {
		assert_int_equal(row->boot, row->sequence == 1500 ? 5 : 0);
		seen++;
	}
	assert_int_equal(seen, 21);
	store_scan_end(scan);
	sql(bed, "UPDATE reading SET boot = NULL WHERE sequence = 1500");
	pack_all(bed, start + 100 * ML_DAY, NULL);
	assert_true(number(bed, "SELECT min(sequence) FROM reading") > 2048);
}

#define SCAN_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCAN_TEST(rows_come_back),
		SCAN_TEST(packed_readings_come_back),
		SCAN_TEST(parts_are_merged),
		SCAN_TEST(scans_go_on_while_it_packs),
		SCAN_TEST(timeless_rows_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
