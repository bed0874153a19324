/* What storing costs: readings of eight values from memory into the database, with journal and
 * index, each acknowledged after its commit; beside it the bare inserts of rows of that size.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Usage: bench-store [DIRECTORY]: the files are made in a new directory there (default /tmp).
 */
#include <dirent.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "mbus/application.h"
#include "meter/family.h"
#include "meter/reading_message.h"
#include "store/family.h"
#include "store/pack.h"

enum { READINGS = 200000, METERS = 256, BATCH = 4096 };

struct bench {
	uint64_t given, delivered;
	struct ml_node *node;
	struct ml_timer timer;
	_Alignas(8) uint8_t block[METER_READING_MAX];
};

static struct bench *current;

/* ---- A source of readings ---- */

/* A heat meter: energy, volume, power, flow, two temperatures, on time, and last month's energy. */
static void make(struct bench *bench, uint64_t number)
{
	static const uint8_t telegram[] = {0x72, 0x78, 0x56, 0x34, 0x12, 0x2D, 0x2C, 0x1B, 0x04,
		0x2A, 0, 0, 0, 0x04, 0x06, 1, 2, 3, 0, 0x04, 0x14, 4, 5, 6, 0, 0x02, 0x2D, 7, 8,
		0x02, 0x3B, 9, 1, 0x02, 0x59, 2, 3, 0x02, 0x5D, 4, 5, 0x04, 0x22, 6, 7, 0, 0, 0x44,
		0x06, 8, 9, 1, 0};
	uint8_t bytes[sizeof telegram];
	memcpy(bytes, telegram, sizeof bytes);
	bytes[1] = (uint8_t)(number % 10 | number / 10 % 10 << 4);
	bytes[2] = (uint8_t)(number / 100 % 3);
	bytes[15] = (uint8_t)number;
	bytes[21] = (uint8_t)(number >> 3);
	bytes[27] = (uint8_t)(number >> 5);
	(void)meter_reading_init(bench->block, sizeof bench->block, bytes, sizeof bytes, NULL);
	mbus_decode_application((void *)bench->block, 0, sizeof bytes, 0);
}

static void emit(struct ml_timer *timer)
{
	struct bench *bench = timer->user;
	for (size_t room = ml_room(bench->node, 0), i = 0;
		i < BATCH && i < room && bench->given < READINGS; i++) {
		make(bench, bench->given % METERS);
		struct ml_message *message =
			meter_reading_message(bench->node, (void *)bench->block, NULL);
		if (!message || ml_ack_attach(bench->node, message, 0) < 0)
			abort();
		bench->given++;
		ml_emit(bench->node, 0, message);
	}
	if (bench->given < READINGS)
		ml_timer_start(timer, ml_node_now(bench->node) + ML_MSEC);
}

static void start(struct ml_node *node, void *self)
{
	(void)self;
	current->node = node;
	ml_timer_init(&current->timer, ml_node_lane(node), emit, current);
	ml_timer_start(&current->timer, ml_node_now(node));
}

static void acked(struct ml_node *node, void *self, uint64_t cookie, bool delivered)
{
	(void)node;
	(void)self;
	(void)cookie;
	current->delivered += delivered;
}

static void stop(struct ml_node *node, void *self)
{
	(void)node;
	(void)self;
	ml_timer_stop(&current->timer);
}

static const struct ml_port ports[] = {
	{.name = "out", .direction = ML_OUTPUT, .type = &meter_reading_type, .help = "Readings."},
	{0}};

static const struct ml_node_class source_class = {
	.type = "b-source",
	.version = 1,
	.title = "Source",
	.help = "Readings from memory.",
	.category = "source",
	.ports = ports,
	.size = 1,
	.flags = ML_NODE_SOURCE,
	.start = start,
	.acked = acked,
	.stop = stop,
};

static const struct ml_node_class *const classes[] = {&source_class, NULL};
static const struct ml_family bench_family = {.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "bench",
	.node_classes = classes};

/* ---- Measuring ---- */

static void measure_packing(struct ml_clock *clock, struct bench *bench)
{
	static uint8_t values[STORE_VALUES_MAX];
	struct store_shape *shape = NULL;
	size_t bytes = 0;
	make(bench, 1);
	if (store_shape_new((void *)bench->block, &shape, NULL) < 0)
		abort();
	const ml_time begin = ml_clock_monotonic(clock);
	for (int i = 0; i < 2000000; i++) {
		if (!store_shape_fits(shape, (void *)bench->block))
			abort();
		bytes += store_values_write(shape, (void *)bench->block, values);
	}
	const ml_time took = ml_clock_monotonic(clock) - begin;
	(void)printf("pack a reading: %.0f ns, %.1f bytes\n", (double)took / 2e6 * 1e3,
		(double)bytes / 2e6);
	store_shape_free(shape);
}

/* The simulated clock runs everything on this thread, with real commits. */
static void measure_engine(struct ml_clock *real, struct bench *bench, const char *data)
{
	static const struct ml_family *const families[] = {
		&meter_family, &store_family, &bench_family, NULL};
	static const char graph[] =
		"{\"meterloom\": 1, \"nodes\": [{\"id\": \"source\", \"type\": \"b-source\"}, "
		"{\"id\": \"store\", \"type\": \"store\"}], \"edges\": [{\"from\": \"source\", "
		"\"to\": \"store\", \"capacity\": 8192}]}";
	struct ml_clock *clock = ml_clock_new_simulated(1790000000 * ML_SEC);
	struct ml_log *log = ml_log_new(clock, 0);
	struct ml_engine *engine = NULL;
	struct ml_errors errors = {0};
	const struct ml_engine_options options = {
		.families = families, .clock = clock, .log = log, .data = data};
	if (ml_engine_new(&options, &engine, NULL) < 0)
		abort();
	const ml_time begin = ml_clock_monotonic(real);
	if (ml_engine_apply(engine, graph, sizeof graph - 1, &errors) < 0)
		abort();
	while (bench->delivered < READINGS)
		ml_engine_simulate(engine, ml_clock_monotonic(clock) + ML_SEC);
	const ml_time took = ml_clock_monotonic(real) - begin;
	(void)printf("decode, store, commit, acknowledge: %.0f readings/s (goal of the store: "
		     "100000 with the journal)\n",
		(double)READINGS / ((double)took / 1e6));
	ml_engine_free(engine);
	ml_log_free(log);
	ml_clock_free(clock);
	ml_errors_free(&errors);
}

static void measure_bare(struct ml_clock *clock, const char *data)
{
	char path[512];
	sqlite3 *db = NULL;
	sqlite3_stmt *reading = NULL, *frame = NULL;
	static const uint8_t blob[64];
	(void)snprintf(path, sizeof path, "%s/bare.db", data);
	if (sqlite3_open(path, &db) != SQLITE_OK ||
		sqlite3_exec(db,
			"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE r (s "
			"INTEGER PRIMARY KEY, d INTEGER, t INTEGER, c INTEGER, f INTEGER, h "
			"INTEGER, b BLOB); CREATE INDEX i ON r(d, t); CREATE TABLE f (k INTEGER "
			"PRIMARY KEY, t INTEGER, c INTEGER, d INTEGER, b BLOB)",
			NULL, NULL, NULL) != SQLITE_OK ||
		sqlite3_prepare_v2(db, "INSERT INTO r VALUES (?, ?, ?, ?, ?, 1, ?)", -1, &reading,
			NULL) != SQLITE_OK ||
		sqlite3_prepare_v2(db, "INSERT INTO f VALUES (?, ?, ?, ?, ?)", -1, &frame, NULL) !=
			SQLITE_OK)
		abort();
	const ml_time begin = ml_clock_monotonic(clock);
	for (int i = 0; i < READINGS; i++) {
		if (i % 4096 == 0)
			sqlite3_exec(db, i ? "COMMIT; BEGIN" : "BEGIN", NULL, NULL, NULL);
		const int64_t time = 1790000000000000 + (int64_t)i * 1000;
		sqlite3_bind_int64(frame, 1, i + 1);
		sqlite3_bind_int64(frame, 2, time);
		sqlite3_bind_int64(frame, 3, ((int64_t)1 << 33) + i);
		sqlite3_bind_int64(frame, 4, i % METERS);
		sqlite3_bind_blob(frame, 5, blob, 53, SQLITE_STATIC);
		sqlite3_step(frame);
		sqlite3_reset(frame);
		sqlite3_bind_int64(reading, 1, i + 1);
		sqlite3_bind_int64(reading, 2, i % METERS);
		sqlite3_bind_int64(reading, 3, time);
		sqlite3_bind_int64(reading, 4, ((int64_t)1 << 33) + i);
		sqlite3_bind_int64(reading, 5, i + 1);
		sqlite3_bind_blob(reading, 6, blob, 27, SQLITE_STATIC);
		sqlite3_step(reading);
		sqlite3_reset(reading);
	}
	sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	const ml_time took = ml_clock_monotonic(clock) - begin;
	(void)printf("bare inserts of such rows: %.0f readings/s\n",
		(double)READINGS / ((double)took / 1e6));
	sqlite3_finalize(reading);
	sqlite3_finalize(frame);
	sqlite3_close(db);
}

static void remove_files(const char *data)
{
	DIR *directory = opendir(data);
	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		char path[1024];
		(void)snprintf(path, sizeof path, "%s/%s", data, entry->d_name);
		(void)unlink(path);
	}
	if (directory)
		(void)closedir(directory);
	(void)rmdir(data);
}

int main(int argc, char **argv)
{
	static struct bench bench;
	char data[256];
	struct ml_clock *clock = ml_clock_new_real();
	(void)snprintf(data, sizeof data, "%s/bench-store-XXXXXX", argc > 1 ? argv[1] : "/tmp");
	if (!clock || !mkdtemp(data)) {
		perror(data);
		return 1;
	}
	current = &bench;
	measure_packing(clock, &bench);
	measure_engine(clock, &bench, data);
	measure_bare(clock, data);
	remove_files(data);
	ml_clock_free(clock);
	return 0;
}
