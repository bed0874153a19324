/* What storing costs: telegrams of eight values from memory through decode and a Lua filter into
 * the database, each acknowledged after its commit; beside it the bare inserts of rows of that
 * size. SPDX-License-Identifier: Apache-2.0
 *
 * Usage: bench-store [DIRECTORY]: the files are made in a new directory there (default /tmp).
 */
#include <dirent.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <meterloom/command.h>
#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "decode/family.h"
#include "lua/family.h"
#include "mbus/application.h"
#include "meter/family.h"
#include "meter/frame.h"
#include "meter/reading_message.h"
#include "store/family.h"
#include "store/pack.h"
#include "store/writer.h"

enum { READINGS = 600000, METERS = 256, AT_ONCE = 1024 };

struct bench {
	uint64_t given, delivered;
	struct ml_node *node;
	struct ml_timer timer;
	struct ml_engine *engine; /* to be ended when all is acknowledged; NULL: not */
	_Alignas(8) uint8_t block[METER_READING_MAX];
};

static struct bench *current;

/* ---- A source of telegrams ---- */

enum { TELEGRAM = 59 };

/* A heat meter: energy, volume, power, flow, two temperatures, on time, and last month's energy. */
static void make(uint8_t bytes[TELEGRAM], uint64_t number)
{
	static const uint8_t telegram[] = {0x68, TELEGRAM - 4, TELEGRAM - 4, 0x68, 0x08, 0x05, 0x72,
		0x78, 0x56, 0x34, 0x12, 0x2D, 0x2C, 0x1B, 0x04, 0x2A, 0, 0, 0, 0x04, 0x06, 1, 2, 3,
		0, 0x04, 0x14, 4, 5, 6, 0, 0x02, 0x2D, 7, 8, 0x02, 0x3B, 9, 1, 0x02, 0x59, 2, 3,
		0x02, 0x5D, 4, 5, 0x04, 0x22, 6, 7, 0, 0, 0x44, 0x06, 8, 9, 1, 0};
	const uint64_t meter = number % METERS, round = number / METERS;
	_Static_assert(sizeof telegram == TELEGRAM, "as long as it says");
	memcpy(bytes, telegram, sizeof telegram);
	bytes[7] = (uint8_t)(meter % 10 | meter / 10 % 10 << 4);
	bytes[8] = (uint8_t)(meter / 100);
	bytes[21] = (uint8_t)round;
	bytes[22] = (uint8_t)(round >> 8);
	bytes[27] = (uint8_t)(round >> 1);
	bytes[33] = (uint8_t)(number * 7);
	bytes[41] = (uint8_t)(number * 3);
}

static void finish(uint8_t frame[TELEGRAM + 2])
{
	uint8_t sum = 0;
	for (size_t i = 4; i < TELEGRAM; i++)
		sum = (uint8_t)(sum + frame[i]);
	frame[TELEGRAM] = sum;
	frame[TELEGRAM + 1] = 0x16;
}

static void emit(struct ml_timer *timer)
{
	struct bench *bench = timer->user;
	for (size_t room = ml_room(bench->node, 0), i = 0;
		i < AT_ONCE && i < room && bench->given < READINGS; i++) {
		uint8_t bytes[TELEGRAM + 2];
		struct meter_frame *frame;
		make(bytes, bench->given);
		finish(bytes);
		struct ml_message *message =
			meter_frame_new(bench->node, bytes, sizeof bytes, NULL, &frame);
		if (!message || ml_ack_attach(bench->node, message, 0) < 0)
			abort();
		frame->flags = METER_FRAME_LAST;
		bench->given++;
		ml_emit(bench->node, 0, message);
	}
	if (bench->given < READINGS && ml_room(bench->node, 0))
		ml_timer_start(timer, ml_node_now(bench->node));
}

static void start(struct ml_node *node, void *self)
{
	(void)self;
	current->node = node;
	ml_timer_init(&current->timer, ml_node_lane(node), emit, current);
	ml_timer_start(&current->timer, ml_node_now(node));
}

static void room(struct ml_node *node, void *self)
{
	(void)node;
	(void)self;
	if (current->given < READINGS)
		emit(&current->timer);
}

static void acked(struct ml_node *node, void *self, uint64_t cookie, bool delivered)
{
	(void)node;
	(void)self;
	(void)cookie;
	current->delivered += delivered;
	if (!delivered)
		abort();
	if (current->delivered == READINGS && current->engine)
		ml_engine_quit(current->engine);
}

static void stop(struct ml_node *node, void *self)
{
	(void)node;
	(void)self;
	ml_timer_stop(&current->timer);
}

static const struct ml_port ports[] = {
	{.name = "out", .direction = ML_OUTPUT, .type = &meter_frame_type, .help = "Telegrams."},
	{0}};

static const struct ml_node_class source_class = {
	.type = "b-source",
	.version = 1,
	.title = "Source",
	.help = "Telegrams from memory.",
	.category = "source",
	.ports = ports,
	.size = 1,
	.flags = ML_NODE_SOURCE,
	.start = start,
	.room = room,
	.acked = acked,
	.stop = stop,
};

static const struct ml_node_class *const classes[] = {&source_class, NULL};
static const struct ml_family bench_family = {.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "bench",
	.node_classes = classes};

/* ---- Measuring ---- */

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

static void measure_values(struct ml_clock *clock, struct bench *bench)
{
	static uint8_t values[STORE_VALUES_MAX];
	struct store_shape *shape = NULL;
	uint8_t telegram[TELEGRAM];
	size_t bytes = 0;
	make(telegram, 1);
	(void)meter_reading_init(
		bench->block, sizeof bench->block, telegram + 6, sizeof telegram - 6, NULL);
	mbus_decode_application((void *)bench->block, 0, sizeof telegram - 6, 0);
	if (store_shape_new((void *)bench->block, &shape, NULL) < 0)
		abort();
	const ml_time begin = ml_clock_monotonic(clock);
	for (int i = 0; i < 2000000; i++) {
		if (!store_shape_fits(shape, (void *)bench->block))
			abort();
		bytes += store_values_write(shape, (void *)bench->block, values);
	}
	const ml_time took = ml_clock_monotonic(clock) - begin;
	(void)printf("  a reading's values into bytes: %.0f ns, %.1f bytes\n",
		(double)took / 2e6 * 1e3, (double)bytes / 2e6);
	store_shape_free(shape);
}

static const char *make_data(const char *parent, char path[256])
{
	(void)snprintf(path, 256, "%s/bench-store-XXXXXX", parent);
	if (!mkdtemp(path)) {
		perror(path);
		exit(1);
	}
	return path;
}

static double processor_seconds(void)
{
	struct timespec spent;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
	return (double)spent.tv_sec + (double)spent.tv_nsec / 1e9;
}

static int64_t one_number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *row = NULL;
	if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) != SQLITE_OK ||
		sqlite3_step(row) != SQLITE_ROW)
		abort();
	const int64_t value = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	return value;
}

static void print_size(const char *data)
{
	char path[512];
	sqlite3 *db = NULL;
	(void)snprintf(path, sizeof path, "%s/readings.db", data);
	if (sqlite3_open(path, &db) != SQLITE_OK)
		abort();
	(void)printf("    %.1f bytes a reading on the disk, content %.1f, %lld shapes\n",
		(double)(one_number(db, "PRAGMA page_count") * one_number(db, "PRAGMA page_size")) /
			(double)one_number(db, "SELECT count(*) FROM reading"),
		(double)one_number(db, "SELECT sum(length(content)) FROM reading") / READINGS,
		(long long)one_number(db, "SELECT count(*) FROM shape"));
	sqlite3_close(db);
}

static void keep_no_journal(struct ml_engine *engine)
{
	static const char params[] = "{\"name\": \"store.journal_days\", \"value\": 0}";
	json_t *object = json_loads(params, 0, NULL);
	const struct ml_call call = {.command = "setting.set",
		.params = object,
		.text = params,
		.length = sizeof params - 1,
		.role = ML_ROLE_ADMIN,
		.lane = ml_engine_lane(engine, "control")};
	if (!ml_command_call(engine, &call))
		abort();
	json_decref(object);
}

/* Ten years of 512 meters each quarter of an hour, as they lie in chunks: as many, as large, and in
 * as many devices. What is in them does not matter to who writes. */
static void fill_years(const char *data)
{
	char path[512];
	sqlite3 *db = NULL;
	(void)snprintf(path, sizeof path, "%s/readings.db", data);
	if (sqlite3_open(path, &db) != SQLITE_OK ||
		sqlite3_exec(db,
			"PRAGMA synchronous = OFF; BEGIN; WITH RECURSIVE months(m) AS (VALUES (0) "
			"UNION "
			"ALL SELECT m + 1 FROM months WHERE m < 119), devices(d) AS (VALUES (1) "
			"UNION "
			"ALL SELECT d + 1 FROM devices WHERE d < 512) INSERT INTO chunk (device, "
			"month, "
			"first_sequence, last_sequence, first_time, last_time, min_trace, "
			"max_trace, "
			"count, body) SELECT 1000 + d, 24192 + m, -180000000 + m * 1500000 + d, "
			"-180000000 + (m + 1) * 1500000 - d, m * 2592000000000, (m + 1) * "
			"2592000000000, m * 1500000, (m + 1) * 1500000, 2920, randomblob(26000) "
			"FROM "
			"months, devices; WITH RECURSIVE devices(d) AS (VALUES (1) UNION ALL "
			"SELECT d "
			"+ 1 FROM devices WHERE d < 512) INSERT INTO device SELECT 1000 + d, 1000 "
			"+ d, "
			"x'' FROM devices; COMMIT; PRAGMA wal_checkpoint(TRUNCATE)",
			NULL, NULL, NULL) != SQLITE_OK) {
		(void)fprintf(stderr, "%s\n", sqlite3_errmsg(db));
		exit(1);
	}
	(void)printf("    %.0f MB in %lld chunks before\n",
		(double)one_number(db, "PRAGMA page_count") *
			(double)one_number(db, "PRAGMA page_size") / 1e6,
		(long long)one_number(db, "SELECT count(*) FROM chunk"));
	sqlite3_close(db);
}

/* With the simulated clock all is done on this thread; with the real one on two lanes, as in a
 * gateway. Commits are real in both. */
static double measure_engine(
	const char *parent, bool simulated, bool journal, bool years, unsigned limit)
{
	static const struct ml_family *const families[] = {
		&meter_family, &decode_family, &lua_family, &store_family, &bench_family, NULL};
	static const char graph[] =
		"{\"meterloom\": 1, \"nodes\": [{\"id\": \"source\", \"type\": \"b-source\"}, "
		"{\"id\": \"decode\", \"type\": \"decode\"}, "
		"{\"id\": \"lua\", \"type\": \"lua-filter\", \"params\": {\"script\": \"function "
		"process(r) local m = r.meter return m and m.medium ~= 'electricity' end\"}}, "
		"{\"id\": \"store\", \"type\": \"store\"}], \"edges\": [{\"from\": \"source\", "
		"\"to\": \"decode\", \"capacity\": 1024}, {\"from\": \"decode\", \"to\": \"lua\", "
		"\"capacity\": 1024}, {\"from\": \"lua\", \"to\": \"store\", \"capacity\": 8192}]}";
	char data[256];
	struct bench bench = {.given = 0};
	struct ml_clock *real = ml_clock_new_real();
	struct ml_clock *clock =
		simulated ? ml_clock_new_simulated(1790000000 * ML_SEC) : ml_clock_new_real();
	struct ml_log *log = ml_log_new(clock, 0);
	struct ml_engine *engine = NULL;
	struct ml_errors errors = {0};
	struct ml_error err = ML_ERROR_NONE;
	const struct ml_engine_options options = {
		.families = families, .clock = clock, .log = log, .data = make_data(parent, data)};
	current = &bench;
	if (ml_engine_new(&options, &engine, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	if (!journal)
		keep_no_journal(engine);
	if (years)
		fill_years(data);
	bench.engine = simulated ? NULL : engine;
	const ml_time begin = ml_clock_monotonic(real);
	const double spent = processor_seconds();
	if (ml_engine_apply(engine, graph, sizeof graph - 1, &errors) < 0) {
		(void)fprintf(stderr, "%s: %s\n", errors.items[0].pointer, errors.items[0].text);
		exit(1);
	}
	while (simulated && bench.delivered < READINGS)
		ml_engine_simulate(engine, ml_clock_monotonic(clock) + ML_SEC);
	if (!simulated)
		ml_engine_run(engine);
	const double took = (double)(ml_clock_monotonic(real) - begin) / 1e6;
	const double cost = (processor_seconds() - spent) / READINGS;
	(void)printf("  %-28s %-16s %8.0f readings/s (goal %u), %.2f us of a processor each\n",
		simulated ? "all on one thread" : "on two lanes",
		journal ? "with the journal" : "without journal", READINGS / took, limit,
		cost * 1e6);
	if (store_writer(engine)->sequence != READINGS)
		abort();
	ml_engine_free(engine);
	if (!years)
		print_size(data);
	ml_log_free(log);
	ml_clock_free(clock);
	ml_clock_free(real);
	ml_errors_free(&errors);
	remove_files(data);
	return cost;
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
	(void)printf("  bare inserts of such rows, telegrams too: %.0f readings/s\n",
		(double)READINGS / ((double)took / 1e6));
	sqlite3_finalize(reading);
	sqlite3_finalize(frame);
	sqlite3_close(db);
}

int main(int argc, char **argv)
{
	static struct bench bench;
	char data[256];
	const char *parent = argc > 1 ? argv[1] : "/tmp";
	struct ml_clock *clock = ml_clock_new_real();
	if (!clock)
		return 1;
	(void)printf("Telegrams of 8 values from memory, decode, Lua filter, store with its index, "
		     "acknowledged after a synced commit:\n");
	measure_engine(parent, true, false, false, 150000);
	const double empty = measure_engine(parent, true, true, false, 100000);
	measure_engine(parent, false, false, false, 150000);
	measure_engine(parent, false, true, false, 100000);
	(void)printf("The same with ten years of 512 meters in the database:\n");
	const double full = measure_engine(parent, true, true, true, 100000);
	(void)printf("    a telegram costs %+.0f %% of a processor more (limit 20 %%)\n",
		(full / empty - 1) * 100);
	(void)printf("Beside it:\n");
	measure_values(clock, &bench);
	measure_bare(clock, make_data(parent, data));
	remove_files(data);
	ml_clock_free(clock);
	return 0;
}
