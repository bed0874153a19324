/* How soon a chart is there: one series of a year of quarter-hours among 250 meters, thinned to
 * 1000 points by series.values, warm and with the file out of the page cache.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The meters' year lies in chunks, as after packing. 25 different meters are made, each for ten
 * devices, since making them takes longer than all that is measured.
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <meterloom/command.h>
#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "heat.h"
#include "meter/family.h"
#include "store/chunk.h"
#include "store/family.h"
#include "store/series.h"

enum { MADE = 25, EACH = 10, MONTHS = 12, ROWS = 31 * 96, ASKS = 20, COLD = 5 };

struct bench {
	char folder[64], path[80];
	sqlite3 *db;
	sqlite3_stmt *chunk;
	struct store_row rows[ROWS];
	uint8_t contents[ROWS][HEAT_CONTENT_MAX];
	char series[STORE_SERIES_ID_MAX];
	struct ml_clock *clock;
	struct ml_log *log;
	char result[160];
	size_t length;
};

static void check(int ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "bench-series: %s failed\n", what);
	exit(1);
}

static double now(clockid_t clock)
{
	struct timespec t;
	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- The database ---- */

static struct ml_engine *start(struct bench *b)
{
	static const struct ml_family *const families[] = {&meter_family, &store_family, NULL};
	const struct ml_engine_options options = {
		.families = families, .clock = b->clock, .log = b->log, .data = b->folder};
	struct ml_engine *engine = NULL;
	check(ml_engine_new(&options, &engine, NULL) == 0, "starting");
	return engine;
}

static void insert(struct bench *b, const char *sql, const int64_t *values, int count,
	const void *blob, size_t length)
{
	sqlite3_stmt *row = NULL;
	check(sqlite3_prepare_v2(b->db, sql, -1, &row, NULL) == SQLITE_OK, sql);
	for (int i = 0; i < count; i++)
		(void)sqlite3_bind_int64(row, i + 1, values[i]);
	if (blob)
		(void)sqlite3_bind_blob(row, count + 1, blob, (int)length, SQLITE_STATIC);
	check(sqlite3_step(row) == SQLITE_DONE, sql);
	(void)sqlite3_finalize(row);
}

static struct meter_identity identity_of(int64_t device)
{
	return (struct meter_identity){(uint32_t)device, 0x2C2D, 27, 4};
}

static int records(void *user, int64_t shape)
{
	(void)user;
	(void)shape;
	return HEAT_VALUES;
}

static void add_devices(struct bench *b, unsigned made, const struct store_shape *shape)
{
	const int64_t shape_row[] = {made + 1, (int64_t)store_shape_stored_hash(shape)};
	insert(b, "INSERT INTO shape (key, hash, body) VALUES (?, ?, ?)", shape_row, 2, shape->body,
		shape->body_length);
	for (int64_t device = made + 1; device <= MADE * EACH; device += MADE) {
		uint8_t bytes[8];
		const int64_t device_row[] = {device, 0};
		const int64_t times[] = {device, made + 1, heat_month(0), heat_month(12) - 1};
		meter_identity_write(identity_of(device), bytes);
		insert(b, "INSERT INTO device (key, point, identity) VALUES (?, ?, ?)", device_row,
			2, bytes, sizeof bytes);
		insert(b,
			"INSERT INTO device_shape (device, shape, first_time, last_time) VALUES "
			"(?, ?, ?, ?)",
			times, 4, NULL, 0);
	}
}

static void add_month(struct bench *b, unsigned made, unsigned month, size_t count,
	struct store_chunk_packer *packer)
{
	const struct store_row *first = &b->rows[0], *last = &b->rows[count - 1];
	const uint8_t *blob = NULL;
	size_t length = 0;
	check(store_chunk_pack(packer, b->rows, count, records, NULL, &blob, &length, NULL) == 0,
		"packing");
	for (int64_t device = made + 1; device <= MADE * EACH; device += MADE) {
		const int64_t row[] = {device, 2025 * 12 + month, (int64_t)first->sequence,
			(int64_t)last->sequence, first->time, last->time, (int64_t)first->trace,
			(int64_t)last->trace, (int64_t)count};
		insert(b,
			"INSERT INTO chunk (device, month, first_sequence, last_sequence, "
			"first_time, last_time, min_trace, max_trace, count, body) VALUES (?, ?, "
			"?, ?, ?, ?, ?, ?, ?, ?)",
			row, 9, blob, length);
	}
}

/* Month by month, as they would be packed. */
static void fill(struct bench *b)
{
	static struct heat_meter *meters[MADE];
	static struct store_row pending[MADE];
	static uint8_t contents[MADE][HEAT_CONTENT_MAX];
	struct store_chunk_packer *packer = store_chunk_packer_new(STORE_CHUNK_CHECK_BYTES);
	struct heat *heat = heat_new(HEAT_METERS, HEAT_STEPS, 1);
	check(packer && sqlite3_open(b->path, &b->db) == SQLITE_OK, "opening");
	check(sqlite3_exec(b->db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK, "beginning");
	for (unsigned m = 0; m < MADE; m++) {
		meters[m] = heat_meter_new(heat, m * EACH, 25);
		add_devices(b, m, heat_meter_shape(meters[m]));
		check(heat_meter_next(meters[m], contents[m], &pending[m]), "reading");
	}
	for (unsigned month = 0; month < MONTHS; month++) {
		for (unsigned m = 0; m < MADE; m++) {
			size_t count = 0;
			bool more = true;
			while (more && pending[m].time < heat_month(month + 1)) {
				memcpy(b->contents[count], contents[m], HEAT_CONTENT_MAX);
				b->rows[count] = pending[m];
				b->rows[count].shape = pending[m].shape ? m + 1 : 0;
				b->rows[count].content = b->contents[count];
				count++;
				more = heat_meter_next(meters[m], contents[m], &pending[m]);
			}
			add_month(b, m, month, count, packer);
		}
	}
	check(sqlite3_exec(b->db, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) ==
			SQLITE_OK,
		"ending");
	(void)sqlite3_close(b->db);
	for (unsigned m = 0; m < MADE; m++)
		heat_meter_free(meters[m]);
	heat_free(heat);
	store_chunk_packer_free(packer);
}

/* ---- Asking ---- */

static void told(void *user, const struct ml_outcome *outcome)
{
	struct bench *b = user;
	check(outcome->code == 0, outcome->code ? outcome->errors[0].text : "");
	b->length = outcome->result_length;
	(void)snprintf(
		b->result, sizeof b->result, "%.*s", (int)outcome->result_length, outcome->result);
}

static double ask(struct bench *b, struct ml_engine *engine, clockid_t clock)
{
	json_t *params = json_pack("{s:s, s:i}", "series", b->series, "points", 1000);
	const struct ml_call call = {.command = "series.values",
		.params = params,
		.done = told,
		.user_data = b,
		.lane = ml_engine_lane(engine, "control")};
	const double begin = now(clock);
	b->length = 0;
	check(ml_command_call(engine, &call) != 0, "calling");
	while (!b->length)
		ml_engine_simulate(engine, 0);
	const double took = now(clock) - begin;
	json_decref(params);
	return took;
}

/* A series of a device: its records have the same keys as those of any other. */
static void choose(struct bench *b, int64_t device)
{
	struct store_series_id id = {
		.identity = identity_of(device), .key_length = 6, .key = {0, 0, 0, 0, 0, 0x58}};
	store_series_id_format(&id, b->series);
}

static void drop_cache(const struct bench *b)
{
	const int file = open(b->path, O_RDONLY | O_CLOEXEC);
	check(file >= 0 && fsync(file) == 0 && posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0,
		"dropping the cache");
	(void)close(file);
}

static void measure(struct bench *b)
{
	double warm = 0, worst = 0, processor = 0, cold = 0;
	struct ml_engine *engine = start(b);
	for (int64_t device = 1; device <= ASKS; device++) {
		choose(b, device);
		(void)ask(b, engine, CLOCK_MONOTONIC);
		const double took = ask(b, engine, CLOCK_MONOTONIC);
		warm += took / ASKS;
		worst = took > worst ? took : worst;
		processor += ask(b, engine, CLOCK_PROCESS_CPUTIME_ID) / ASKS;
	}
	ml_engine_free(engine);
	(void)printf("warm: %.1f ms, worst of %d %.1f ms; of a processor %.1f ms; limit 100 ms; "
		     "%zu KiB of JSON\n",
		warm, ASKS, worst, processor, b->length / 1024);
	worst = 0;
	for (int64_t device = 100; device < 100 + COLD; device++) {
		/* Its connection to read with is opened by the first question. What it looks at
		 * by itself after a start (the whole file is checked) is not of this. */
		engine = start(b);
		ml_engine_simulate(engine, 0);
		choose(b, device);
		drop_cache(b);
		const double took = ask(b, engine, CLOCK_MONOTONIC);
		cold += took / COLD;
		worst = took > worst ? took : worst;
		ml_engine_free(engine);
	}
	(void)printf("cold: %.1f ms, worst of %d %.1f ms; limit 300 ms\n", cold, COLD, worst);
}

static void clean(const struct bench *b)
{
	char command[128];
	(void)snprintf(command, sizeof command, "rm -rf '%s'", b->folder);
	check(system(command) == 0, "cleaning");
}

int main(void)
{
	static struct bench b = {.folder = "/tmp/bench-series-XXXXXX"};
	struct stat status;
	check(mkdtemp(b.folder) != NULL, "making a folder");
	(void)snprintf(b.path, sizeof b.path, "%s/readings.db", b.folder);
	b.clock = ml_clock_new_simulated(heat_month(12));
	b.log = ml_log_new(b.clock, 0);
	check(b.clock && b.log, "memory");
	ml_engine_free(start(&b)); /* makes the tables */
	fill(&b);
	check(stat(b.path, &status) == 0, "looking at the file");
	(void)printf("250 meters, a year of quarter-hours, 8 values: %.1f MB\n",
		(double)status.st_size / 1e6);
	measure(&b);
	(void)printf("%.120s...\n", b.result);
	ml_log_free(b.log);
	ml_clock_free(b.clock);
	clean(&b);
	return 0;
}
