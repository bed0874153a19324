/* What a value takes on disk: a year of heat meters every quarter of an hour in chunks of a month,
 * in a table of SQLite, all counted; and what packing and reading them costs.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Usage: bench-chunk [METERS [FINE [CHECK]]]: only so many of the 256 meters are packed; of 100
 * meters FINE show temperatures in 0.01 K and not in 0.1 K; CHECK bytes of a check are kept.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "heat.h"
#include "store/chunk.h"

enum { MONTHS = 12, ROWS = 31 * 96, PARTS = 160 };

struct part {
	const char *name;
	unsigned record;
	uint64_t bytes;
};

struct bench {
	unsigned meters, fine, check_bytes;
	struct heat *heat;
	struct store_chunk_packer *packer;
	sqlite3 *db;
	sqlite3_stmt *insert;
	uint8_t (*contents)[HEAT_CONTENT_MAX];
	struct store_row *rows;
	uint64_t readings, values, bytes, content_bytes;
	double packing, reading, series;
	struct part parts[PARTS];
	unsigned part_count;
};

static double now(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void check(int ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "bench-chunk: %s failed\n", what);
	exit(1);
}

static int records(void *user, int64_t shape)
{
	(void)user;
	(void)shape;
	return HEAT_VALUES;
}

static void add_part(void *user, const char *name, unsigned record, size_t bytes)
{
	struct bench *b = user;
	unsigned i = 0;
	while (i < b->part_count &&
		(strcmp(b->parts[i].name, name) != 0 || b->parts[i].record != record))
		i++;
	if (i == b->part_count) {
		check(i < PARTS, "counting");
		b->parts[b->part_count++] = (struct part){name, record, 0};
	}
	b->parts[i].bytes += bytes;
}

/* All comes back as it was, and one series alone. */
static void read_back(struct bench *b, const uint8_t *blob, size_t length, size_t count)
{
	static struct store_chunk_value values[ROWS];
	struct store_chunk *chunk = NULL;
	const struct store_row *rows = NULL;
	size_t shapes = 0;
	double start = now();
	check(store_chunk_open(blob, length, &chunk, NULL) == 0, "opening");
	(void)store_chunk_shapes(chunk, &shapes);
	check(store_chunk_series(chunk, 0, 4, values, NULL) == 0, "reading a series");
	b->series += now() - start;
	start = now();
	check(store_chunk_rows(chunk, 1, true, &rows, NULL) == 0, "reading");
	b->reading += now() - start;
	for (size_t i = 0; i < count; i++)
		check(rows[i].sequence == b->rows[i].sequence && rows[i].time == b->rows[i].time &&
				rows[i].trace == b->rows[i].trace &&
				rows[i].length == b->rows[i].length &&
				memcmp(rows[i].content, b->rows[i].content, rows[i].length) == 0,
			"comparing");
	store_chunk_parts(chunk, add_part, b);
	store_chunk_close(chunk);
}

static void pack(struct bench *b, unsigned meter, size_t count)
{
	const uint8_t *blob = NULL;
	size_t length = 0;
	const double start = now();
	check(store_chunk_pack(b->packer, b->rows, count, records, NULL, &blob, &length, NULL) == 0,
		"packing");
	b->packing += now() - start;
	b->readings += count;
	b->bytes += length;
	for (size_t i = 0; i < count; i++) {
		b->values += b->rows[i].shape ? HEAT_VALUES : 0;
		b->content_bytes += b->rows[i].length;
	}
	const struct store_row *first = &b->rows[0], *last = &b->rows[count - 1];
	const int64_t columns[] = {meter + 1, 2025 * 12, (int64_t)first->sequence,
		(int64_t)last->sequence, first->time, last->time, (int64_t)first->trace,
		(int64_t)last->trace, (int64_t)count};
	for (int i = 0; i < 9; i++)
		(void)sqlite3_bind_int64(b->insert, i + 1, columns[i]);
	(void)sqlite3_bind_blob(b->insert, 10, blob, (int)length, SQLITE_STATIC);
	check(sqlite3_step(b->insert) == SQLITE_DONE, "storing");
	(void)sqlite3_reset(b->insert);
	read_back(b, blob, length, count);
}

static void open_database(struct bench *b, const char *path)
{
	check(sqlite3_open(path, &b->db) == SQLITE_OK &&
			sqlite3_exec(b->db,
				"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
				"CREATE TABLE chunk (key INTEGER PRIMARY KEY, device INTEGER, "
				"month "
				"INTEGER, first_sequence INTEGER, last_sequence INTEGER, "
				"first_time "
				"INTEGER, last_time INTEGER, min_trace INTEGER, max_trace INTEGER, "
				"count INTEGER, body BLOB);"
				"CREATE INDEX chunk_device ON chunk(device, month, first_time, "
				"last_time);"
				"CREATE INDEX chunk_sequence ON chunk(last_sequence, "
				"first_sequence, "
				"min_trace, max_trace); BEGIN",
				NULL, NULL, NULL) == SQLITE_OK &&
			sqlite3_prepare_v2(b->db,
				"INSERT INTO chunk (device, month, first_sequence, last_sequence, "
				"first_time, last_time, min_trace, max_trace, count, body) VALUES "
				"(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
				-1, &b->insert, NULL) == SQLITE_OK,
		"making a database");
}

/* As they would be packed: month by month, meter by meter. */
static void run_all(struct bench *b)
{
	struct heat_meter **meters = calloc(b->meters, sizeof *meters);
	struct store_row *pending = calloc(b->meters, sizeof *pending);
	uint8_t(*contents)[HEAT_CONTENT_MAX] = calloc(b->meters, sizeof *contents);
	check(meters && pending && contents, "memory");
	for (unsigned m = 0; m < b->meters; m++) {
		meters[m] = heat_meter_new(b->heat, m * HEAT_METERS / b->meters, b->fine);
		check(heat_meter_next(meters[m], contents[m], &pending[m]), "a first reading");
	}
	for (unsigned month = 0; month < MONTHS; month++) {
		for (unsigned m = 0; m < b->meters; m++) {
			size_t count = 0;
			bool more = pending[m].content != NULL;
			while (more && pending[m].time < heat_month(month + 1)) {
				b->rows[count] = pending[m];
				memcpy(b->contents[count], contents[m], HEAT_CONTENT_MAX);
				b->rows[count].content = b->contents[count];
				count++;
				more = heat_meter_next(meters[m], contents[m], &pending[m]);
			}
			if (!more)
				pending[m].content = NULL;
			pack(b, m, count);
		}
	}
	for (unsigned m = 0; m < b->meters; m++)
		heat_meter_free(meters[m]);
	free(meters);
	free(pending);
	free(contents);
}

static void print_parts(const struct bench *b)
{
	static const char *const names[] = {
		"energy", "volume", "power", "flow", "forward", "return", "difference", "hours"};
	for (unsigned i = 0; i < b->part_count; i++)
		if (b->parts[i].bytes) {
			const bool record = strcmp(b->parts[i].name, "number") == 0;
			(void)printf("  %-14s %7.3f bits a reading\n",
				record ? names[b->parts[i].record] : b->parts[i].name,
				8.0 * (double)b->parts[i].bytes / (double)b->readings);
		}
}

static void run(struct bench *b, const char *path)
{
	struct stat status;
	b->packer = store_chunk_packer_new(b->check_bytes);
	check(b->packer != NULL, "memory");
	(void)unlink(path);
	open_database(b, path);
	run_all(b);
	(void)sqlite3_finalize(b->insert);
	check(sqlite3_exec(b->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK, "storing");
	(void)sqlite3_close(b->db);
	check(stat(path, &status) == 0, "looking at the file");
	const double file = (double)status.st_size, values = (double)b->values;
	const double chunks = (double)b->meters * MONTHS;
	(void)printf("%u meters, %u of 100 in 0.01 K, a check of %u bytes: %llu readings, "
		     "%llu values\n",
		b->meters, b->fine, b->check_bytes, (unsigned long long)b->readings,
		(unsigned long long)b->values);
	(void)printf("  rows' contents %.3f, chunks %.3f, file %.3f bytes a value; limit 1.1\n",
		(double)b->content_bytes / values, (double)b->bytes / values, file / values);
	(void)printf("  4.49 million readings of 8 values: %.1f MB; limit 45\n",
		file / (double)b->readings * 4.49);
	(void)printf("  a chunk of a month: packed in %.1f ms, read in %.2f ms; a series of a "
		     "year (12 chunks): %.2f ms; limit 20\n",
		b->packing / chunks * 1e3, b->reading / chunks * 1e3, b->series / b->meters * 1e3);
	print_parts(b);
	store_chunk_packer_free(b->packer);
	(void)unlink(path);
}

int main(int argc, char **argv)
{
	const unsigned meters = argc > 1 ? (unsigned)atoi(argv[1]) : HEAT_METERS;
	const unsigned fine = argc > 2 ? (unsigned)atoi(argv[2]) : 25;
	char folder[] = "/tmp/bench-chunk-XXXXXX";
	char path[64];
	check(mkdtemp(folder) != NULL, "making a folder");
	(void)snprintf(path, sizeof path, "%s/chunks.db", folder);
	struct heat *heat = heat_new(HEAT_METERS, HEAT_STEPS, 1);
	uint8_t(*contents)[HEAT_CONTENT_MAX] = calloc(ROWS, sizeof *contents);
	struct store_row *rows = calloc(ROWS, sizeof *rows);
	check(contents && rows, "memory");
	struct bench b = {
		.meters = meters,
		.fine = fine,
		.check_bytes = argc > 3 ? (unsigned)atoi(argv[3]) : STORE_CHUNK_CHECK_BYTES,
		.heat = heat,
		.contents = contents,
		.rows = rows,
	};
	run(&b, path);
	heat_free(heat);
	free(contents);
	free(rows);
	(void)rmdir(folder);
	return 0;
}
