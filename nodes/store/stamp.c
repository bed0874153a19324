/* Readings that came before the clock was known to be right.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/stamp.h"

#include <stdio.h>

#include <meterloom/database.h>
#include <meterloom/engine.h>
#include <meterloom/event.h>

#include "store/block.h"

static const char doing[] = "giving readings their time";

/* Readings of one start that have no wall time yet. */
struct boot {
	int64_t number;
	int64_t first, last; /* sequences */
	int64_t count;
	ml_time begin, end; /* monotonic */
};

static ml_time whole_milliseconds(ml_time time)
{
	const ml_time rest = time % ML_MSEC;
	return time - rest - (rest < 0 ? ML_MSEC : 0);
}

void store_stamp_row(struct store_stamper *stamper, ml_time *time, struct store_row *row)
{
	ml_time moment = 0;
	const bool known = !stamper || ml_wall_settle(stamper->engine, time, &moment);
	row->boot = known ? 0 : (int64_t)ml_engine_epoch(stamper->engine);
	*time = whole_milliseconds(*time);
	row->time = known ? *time : whole_milliseconds(moment);
	if (!known)
		stamper->due = true;
}

bool store_stamp_waits(const struct store_stamper *stamper)
{
	return stamper->due || !ml_wall_known(stamper->engine);
}

/* ---- Statements ---- */

/* The numbers of the first row; 0: there is none. */
static int ask(sqlite3 *db, const char *sql, const int64_t *values, int value_count, int64_t *out,
	int out_count, struct ml_error *err)
{
	sqlite3_stmt *statement = NULL;
	int result = 0;
	int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
	for (int i = 0; code == SQLITE_OK && i < value_count; i++)
		code = sqlite3_bind_int64(statement, i + 1, values[i]);
	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		for (int i = 0; i < out_count; i++)
			out[i] = sqlite3_column_int64(statement, i);
		result = 1;
	} else if (code != SQLITE_DONE) {
		result = ml_database_error(err, db, doing);
	}
	(void)sqlite3_finalize(statement);
	return result;
}

/* The oldest start of which there are any. 0: none. */
static int find_boot(sqlite3 *db, struct boot *boot, struct ml_error *err)
{
	int64_t out[6];
	const int result = ask(db,
		"SELECT boot, min(sequence), max(sequence), count(*), min(time), max(time) FROM "
		"reading WHERE boot IS NOT NULL GROUP BY boot ORDER BY boot LIMIT 1",
		NULL, 0, out, 6, err);
	if (result == 1)
		*boot = (struct boot){out[0], out[1], out[2], out[3], out[4], out[5]};
	return result;
}

/* The time of what was read before; the release of the program, where nothing was. */
static int find_before(sqlite3 *db, int64_t sequence, ml_time *time, struct ml_error *err)
{
	int64_t row = 0, chunk = 0;
	int result = ask(db,
		"SELECT time FROM reading WHERE sequence < ? AND boot IS NULL ORDER BY sequence "
		"DESC LIMIT 1",
		&sequence, 1, &row, 1, err);
	if (result == 0)
		result = ask(db, "SELECT coalesce(max(last_time), 0) FROM chunk", NULL, 0, &chunk,
			1, err);
	*time = row > chunk ? row : chunk;
	if (*time < ML_WALL_RELEASE)
		*time = ML_WALL_RELEASE;
	return result < 0 ? result : 0;
}

/* Adds `offset` to the times of a start's readings, and to all that is known of these. */
static int move(
	sqlite3 *db, const struct boot *boot, ml_time offset, ml_time wall, struct ml_error *err)
{
	static const struct {
		const char *sql;
		int count;
	} steps[] = {
		{"UPDATE reading SET time = time + ?2 WHERE boot = ?1", 2},
		{"UPDATE frame SET time = (SELECT time FROM reading WHERE sequence = key) WHERE "
		 "key "
		 "IN (SELECT sequence FROM reading WHERE boot = ?1)",
			1},
		{"INSERT INTO device_shape (device, shape, first_time, last_time) SELECT device, "
		 "shape, min(time), max(time) FROM reading WHERE boot = ?1 AND shape IS NOT NULL "
		 "GROUP BY 1, 2 ON CONFLICT DO UPDATE SET first_time = min(first_time, "
		 "excluded.first_time), last_time = max(last_time, excluded.last_time)",
			1},
		{"UPDATE reading SET boot = NULL WHERE boot = ?1", 1},
		{"UPDATE block SET written = ?1, first_time = (SELECT min(time) FROM reading WHERE "
		 "sequence >> 10 = number AND boot IS NULL), last_time = (SELECT max(time) FROM "
		 "reading WHERE sequence >> 10 = number AND boot IS NULL) WHERE number BETWEEN ?2 "
		 "AND ?3 AND EXISTS (SELECT 1 FROM reading WHERE sequence >> 10 = number)",
			3},
	};
	int result = 0;
	_Static_assert(STORE_BLOCK_BITS == 10, "as in the statements");
	for (size_t i = 0; result >= 0 && i < sizeof steps / sizeof *steps; i++) {
		const int64_t of_boot[] = {boot->number, offset};
		const int64_t of_blocks[] = {
			wall, boot->first >> STORE_BLOCK_BITS, boot->last >> STORE_BLOCK_BITS};
		result = ask(db, steps[i].sql, steps[i].count == 3 ? of_blocks : of_boot,
			steps[i].count, NULL, 0, err);
	}
	return result < 0 ? result : 0;
}

static int note_guess(sqlite3 *db, const struct boot *boot, struct ml_error *err)
{
	const int64_t values[] = {boot->first, boot->last, boot->number};
	const int result =
		ask(db, "INSERT OR REPLACE INTO guessed (first, last, boot) VALUES (?, ?, ?)",
			values, 3, NULL, 0, err);
	return result < 0 ? result : 0;
}

/* ---- Stamping ---- */

enum { TOLD_MAX = 8 };

struct told {
	bool guessed;
	struct boot boot; /* with wall times */
};

static int stamp_boot(struct store_stamper *stamper, sqlite3 *db, struct boot *boot,
	struct told *told, struct ml_error *err)
{
	struct ml_engine *engine = stamper->engine;
	const ml_time start = ml_wall_of(engine, 0);
	const ml_time now = ml_wall_of(engine, ml_clock_monotonic(ml_engine_clock(engine)));
	ml_time offset = start;
	int result = 0;
	told->guessed = boot->number != (int64_t)ml_engine_epoch(engine);
	if (told->guessed) {
		result = find_before(db, boot->first, &offset, err);
		/* Not later than this start: that came after. */
		if (offset + boot->end > start)
			offset = start - boot->end;
		if (result == 0)
			result = note_guess(db, boot, err);
	}
	offset = whole_milliseconds(offset);
	if (result == 0)
		result = move(db, boot, offset, now, err);
	boot->begin += offset;
	boot->end += offset;
	told->boot = *boot;
	return result;
}

static void tell(const struct store_stamper *stamper, const struct told *told)
{
	char count[24], from[ML_TIME_TEXT_MAX], to[ML_TIME_TEXT_MAX];
	(void)snprintf(count, sizeof count, "%lld", (long long)told->boot.count);
	(void)ml_time_format(told->boot.begin, from);
	(void)ml_time_format(told->boot.end, to);
	ml_event_raise(stamper->engine,
		told->guessed ? "readings-time-guessed" : "readings-stamped", "readings.db",
		"count", count, "from", from, "to", to, NULL);
}

int store_stamp_all(struct store_stamper *stamper, sqlite3 *db, struct ml_error *err)
{
	struct told told[TOLD_MAX];
	struct boot boot;
	int count = 0;
	if (!stamper->due || !ml_wall_known(stamper->engine))
		return 0;
	int result = find_boot(db, &boot, err);
	if (result == 0)
		stamper->due = false;
	if (result <= 0)
		return result;
	result = ask(db, "BEGIN IMMEDIATE", NULL, 0, NULL, 0, err);
	while (result >= 0 && (result = find_boot(db, &boot, err)) > 0) {
		struct told this;
		result = stamp_boot(stamper, db, &boot, &this, err);
		if (result == 0 && count < TOLD_MAX)
			told[count++] = this;
	}
	if (result >= 0)
		result = ask(db, "COMMIT", NULL, 0, NULL, 0, err);
	if (result < 0) {
		if (!sqlite3_get_autocommit(db))
			(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
		return result;
	}
	stamper->due = false;
	for (int i = 0; i < count; i++)
		tell(stamper, &told[i]);
	return 1;
}

/* ---- For those who read ---- */

int store_stamp_guessed(sqlite3 *db, uint64_t sequence, bool *ret_guessed, struct ml_error *err)
{
	const int64_t value = (int64_t)sequence;
	int64_t found = 0;
	const int result = ask(db, "SELECT 1 FROM guessed WHERE first <= ?1 AND last >= ?1", &value,
		1, &found, 1, err);
	*ret_guessed = result == 1;
	return result < 0 ? result : 0;
}
