/* What the store writes to the card: 256 meters each quarter of an hour at the pace of a bus at
 * 2400 baud, for days of the simulated clock, through a file layer that counts.
 * SPDX-License-Identifier: Apache-2.0
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
#include "store/writer.h"

enum { METERS = 256, DAYS = 24, WARM = 12 };
/* A request of 5 bytes, an answer of 61 and the meter's thinking, at 2400 baud with 11 bits each.
 */
#define PACE (360 * ML_MSEC)

/* ---- Counting ---- */

static struct {
	sqlite3_vfs vfs;
	sqlite3_vfs *under;
	uint64_t log, database, syncs;
} counting;

struct file {
	sqlite3_file base;
	bool log;
	sqlite3_io_methods methods;
	const sqlite3_io_methods *under_methods;
	/* the file of the layer below follows */
};

static sqlite3_file *under(sqlite3_file *file)
{
	return (sqlite3_file *)(void *)((struct file *)(void *)file + 1);
}

#define PASS(name, parameters, arguments) \
	static int pass_##name parameters \
	{ \
		return under(f)->pMethods->name arguments; \
	}
PASS(xRead, (sqlite3_file * f, void *b, int n, sqlite3_int64 o), (under(f), b, n, o))
PASS(xTruncate, (sqlite3_file * f, sqlite3_int64 n), (under(f), n))
PASS(xFileSize, (sqlite3_file * f, sqlite3_int64 *n), (under(f), n))
PASS(xLock, (sqlite3_file * f, int l), (under(f), l))
PASS(xUnlock, (sqlite3_file * f, int l), (under(f), l))
PASS(xCheckReservedLock, (sqlite3_file * f, int *l), (under(f), l))
PASS(xFileControl, (sqlite3_file * f, int o, void *p), (under(f), o, p))
PASS(xShmMap, (sqlite3_file * f, int r, int s, int e, void volatile **p), (under(f), r, s, e, p))
PASS(xShmLock, (sqlite3_file * f, int o, int n, int g), (under(f), o, n, g))
PASS(xShmUnmap, (sqlite3_file * f, int d), (under(f), d))
PASS(xClose, (sqlite3_file * f), (under(f)))

static int pass_sector(sqlite3_file *f)
{
	return under(f)->pMethods->xSectorSize(under(f));
}

static int pass_device(sqlite3_file *f)
{
	return under(f)->pMethods->xDeviceCharacteristics(under(f));
}

static void pass_barrier(sqlite3_file *f)
{
	under(f)->pMethods->xShmBarrier(under(f));
}

static int count_write(sqlite3_file *f, const void *bytes, int length, sqlite3_int64 at)
{
	*(((struct file *)(void *)f)->log ? &counting.log : &counting.database) += (uint64_t)length;
	return under(f)->pMethods->xWrite(under(f), bytes, length, at);
}

/* It is counted and left out, so that days go by in seconds. */
static int count_sync(sqlite3_file *f, int flags)
{
	(void)f;
	(void)flags;
	counting.syncs++;
	return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = pass_xClose,
	.xRead = pass_xRead,
	.xWrite = count_write,
	.xTruncate = pass_xTruncate,
	.xSync = count_sync,
	.xFileSize = pass_xFileSize,
	.xLock = pass_xLock,
	.xUnlock = pass_xUnlock,
	.xCheckReservedLock = pass_xCheckReservedLock,
	.xFileControl = pass_xFileControl,
	.xSectorSize = pass_sector,
	.xDeviceCharacteristics = pass_device,
	.xShmMap = pass_xShmMap,
	.xShmLock = pass_xShmLock,
	.xShmBarrier = pass_barrier,
	.xShmUnmap = pass_xShmUnmap,
};

static int count_open(
	sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
	struct file *f = (struct file *)(void *)file;
	(void)vfs;
	memset(f, 0, sizeof *f);
	f->log = flags & SQLITE_OPEN_WAL;
	const int code = counting.under->xOpen(counting.under, name, under(file), flags, ret_flags);
	file->pMethods = code == SQLITE_OK ? &methods : NULL;
	return code;
}

static void install(void)
{
	counting.under = sqlite3_vfs_find(NULL);
	counting.vfs = *counting.under;
	counting.vfs.zName = "counting";
	counting.vfs.szOsFile += (int)sizeof(struct file);
	counting.vfs.xOpen = count_open;
	if (sqlite3_vfs_register(&counting.vfs, 1) != SQLITE_OK)
		abort();
}

/* ---- A bus ---- */

struct bus {
	struct ml_node *node;
	struct ml_timer timer;
	struct ml_round round;
	unsigned next; /* meter of the round */
	uint64_t rounds;
	uint32_t energy[METERS], volume[METERS], random;
	_Alignas(8) uint8_t block[METER_READING_MAX];
};

static struct bus bus;

static uint32_t draw(uint32_t below)
{
	bus.random = bus.random * 1664525u + 1013904223u;
	return (bus.random >> 8) % below;
}

static void put(uint8_t *at, uint32_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

/* A heat meter in a house: counters that creep, temperatures and powers that wander. */
static void make(unsigned meter)
{
	uint8_t t[] = {0x72, 0, 0, 0, 0, 0x2D, 0x2C, 0x1B, 0x04, 0, 0, 0, 0, 0x04, 0x06, 0, 0, 0, 0,
		0x04, 0x14, 0, 0, 0, 0, 0x02, 0x2D, 0, 0, 0x02, 0x3B, 0, 0, 0x02, 0x59, 0, 0, 0x02,
		0x5D, 0, 0, 0x04, 0x22, 0, 0, 0, 0, 0x44, 0x06, 8, 9, 1, 0};
	put(t + 1, meter / 100 << 8 | (meter / 10 % 10 << 4 | meter % 10), 4);
	t[9] = (uint8_t)bus.rounds;
	bus.energy[meter] += draw(3);
	bus.volume[meter] += draw(20);
	put(t + 15, 10000 * meter + bus.energy[meter], 4);
	put(t + 21, 70000 * meter + bus.volume[meter], 4);
	put(t + 27, 40 + draw(30), 2);
	put(t + 31, 200 + draw(100), 2);
	put(t + 35, 6500 + draw(300), 2);
	put(t + 39, 4000 + draw(300), 2);
	put(t + 43, (uint32_t)(bus.rounds / 4), 4);
	(void)meter_reading_init(bus.block, sizeof bus.block, t, sizeof t, NULL);
	mbus_decode_application((void *)bus.block, 0, sizeof t, 0);
}

static void tick(struct ml_timer *timer)
{
	const ml_time now = ml_node_now(bus.node);
	if (bus.next == 0) {
		bus.round =
			(struct ml_round){.phase = ML_ROUND_BEGIN, .due = ml_node_wall(bus.node)};
		ml_round_begin(bus.node, &bus.round);
	}
	make(bus.next);
	struct meter_reading *reading = (void *)bus.block;
	reading->time = ml_node_wall(bus.node);
	struct ml_message *message = meter_reading_message(bus.node, reading, NULL);
	if (!message)
		abort();
	ml_emit(bus.node, 0, message);
	if (++bus.next < METERS) {
		ml_timer_start(timer, now + PACE);
		return;
	}
	bus.next = 0;
	bus.rounds++;
	ml_round_end(bus.node, &bus.round);
	ml_timer_start(timer, now - (METERS - 1) * PACE + 15 * ML_MINUTE);
}

static void start(struct ml_node *node, void *self)
{
	(void)self;
	bus.node = node;
	ml_timer_init(&bus.timer, ml_node_lane(node), tick, &bus);
	ml_timer_start(&bus.timer, ml_node_now(node));
}

static void stop(struct ml_node *node, void *self)
{
	(void)node;
	(void)self;
	ml_timer_stop(&bus.timer);
}

static const struct ml_port ports[] = {
	{.name = "out", .direction = ML_OUTPUT, .type = &meter_reading_type, .help = "Readings."},
	{0}};

static const struct ml_node_class bus_class = {
	.type = "b-bus",
	.version = 1,
	.title = "Bus",
	.help = "Readings at the pace of a bus.",
	.category = "source",
	.ports = ports,
	.size = 1,
	.flags = ML_NODE_SOURCE | ML_NODE_ROUNDS,
	.start = start,
	.stop = stop,
};

static const struct ml_node_class *const classes[] = {&bus_class, NULL};
static const struct ml_family bench_family = {.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "bench",
	.node_classes = classes};

/* ---- Measuring ---- */

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

static sqlite3 *look(const char *data)
{
	char path[512];
	sqlite3 *db = NULL;
	(void)snprintf(path, sizeof path, "%s/readings.db", data);
	if (sqlite3_open(path, &db) != SQLITE_OK)
		abort();
	return db;
}

static double size_of(const char *data)
{
	sqlite3 *db = look(data);
	const double bytes = (double)one_number(db, "PRAGMA page_count") *
			     (double)one_number(db, "PRAGMA page_size");
	sqlite3_close(db);
	return bytes;
}

/* stored: what the readings of a day take as they are first stored, rows with index, telegrams. */
static void report(const char *data, double stored, uint64_t log, uint64_t database, uint64_t syncs)
{
	sqlite3 *db = look(data);
	const double days = DAYS - WARM, mega = 1e6;
	const double rows = (double)one_number(db, "SELECT count(*) FROM reading");
	const double frames = (double)one_number(db, "SELECT count(*) FROM frame");
	const double chunks = (double)one_number(db, "SELECT total(length(body)) FROM chunk");
	const double packed = (double)one_number(db, "SELECT total(count) FROM chunk");
	const double all = size_of(data);
	const double written = (double)(log + database) / days;
	(void)printf("  written a day: %.1f MB (log %.1f, database %.1f) in %.0f commits and "
		     "checkpoints synced\n",
		written / mega, (double)log / days / mega, (double)database / days / mega,
		(double)syncs / days);
	(void)printf("  stored: %.0f readings in chunks of %.1f bytes each, %.0f rows, %.0f "
		     "telegrams, %.1f MB in all\n",
		packed, packed > 0 ? chunks / packed : 0, rows, frames, all / mega);
	(void)printf("  a day's readings as rows with index and telegrams: %.1f MB; written: %.1f "
		     "times as much (limit 20)\n",
		stored / mega, written / stored);
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

int main(void)
{
	static const struct ml_family *const families[] = {
		&meter_family, &store_family, &bench_family, NULL};
	static const char graph[] =
		"{\"meterloom\": 1, \"nodes\": [{\"id\": \"bus\", \"type\": \"b-bus\"}, {\"id\": "
		"\"store\", \"type\": \"store\"}], \"edges\": [{\"from\": \"bus\", \"to\": "
		"\"store\"}]}";
	char data[] = "/tmp/bench-card-XXXXXX";
	struct ml_clock *clock = ml_clock_new_simulated(1790812800 * ML_SEC);
	struct ml_log *log = ml_log_new(clock, 0);
	struct ml_engine *engine = NULL;
	struct ml_errors errors = {0};
	install();
	if (!mkdtemp(data))
		return 1;
	const struct ml_engine_options options = {
		.families = families, .clock = clock, .log = log, .data = data};
	if (ml_engine_new(&options, &engine, NULL) < 0 ||
		ml_engine_apply(engine, graph, sizeof graph - 1, &errors) < 0)
		return 1;
	const ml_time begin = ml_clock_monotonic(clock);
	const double empty = size_of(data);
	ml_engine_simulate(engine, begin + ML_DAY);
	const double stored = size_of(data) - empty;
	ml_engine_simulate(engine, begin + WARM * ML_DAY);
	const uint64_t before_log = counting.log, before = counting.database,
		       syncs = counting.syncs;
	ml_engine_simulate(engine, begin + DAYS * ML_DAY);
	(void)printf("%d meters each 15 minutes at 2400 baud, days %d to %d, packing included:\n",
		METERS, WARM, DAYS);
	const uint64_t log_bytes = counting.log - before_log;
	const uint64_t bytes = counting.database - before;
	const uint64_t synced = counting.syncs - syncs;
	ml_engine_free(engine);
	report(data, stored, log_bytes, bytes, synced);
	ml_log_free(log);
	ml_clock_free(clock);
	ml_errors_free(&errors);
	remove_files(data);
	return 0;
}
