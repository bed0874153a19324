/* The one writer of readings.db.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <meterloom/clock.h>
#include <meterloom/event.h>
#include <meterloom/family.h>
#include <meterloom/setting.h>

#include "meter/reading_message.h"

static const char doing[] = "writing readings.db";

struct store_writer *store_writer(struct ml_engine *engine)
{
	return ml_service(engine, "readings");
}

/* ---- Opening ---- */

static void close_database(struct store_writer *writer)
{
	store_inserter_close(&writer->inserter);
	store_keep_close(&writer->keep);
	store_upkeep_close(&writer->upkeep);
	sqlite3_close(writer->db);
	writer->db = NULL;
}

static int read_state(sqlite3 *db, const char *name, uint64_t *value, struct ml_error *err)
{
	sqlite3_stmt *statement = NULL;
	int result = 0;
	if (sqlite3_prepare_v2(db, "SELECT value FROM store_state WHERE name = ?", -1, &statement,
		    NULL) == SQLITE_OK &&
		sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC) == SQLITE_OK &&
		sqlite3_step(statement) == SQLITE_ROW)
		*value = (uint64_t)sqlite3_column_int64(statement, 0);
	else
		result = ml_database_error(err, db, "reading the state of readings.db");
	sqlite3_finalize(statement);
	return result;
}

/* Where this writer had the same file open before and finds more in it than it knows of, a commit
 * that was said to have failed (its sync did) has taken effect after all. It cannot be relied on:
 * it is undone by the next one, which writes the same readings again. */
static int read_progress(struct store_writer *writer, struct ml_error *err)
{
	uint64_t epoch = 0, sequence = 0;
	int result = read_state(writer->db, "epoch", &epoch, err);
	if (result == 0)
		result = read_state(writer->db, "sequence", &sequence, err);
	if (result < 0)
		return result;
	if (writer->epoch) {
		writer->undo = epoch == writer->epoch && sequence > writer->committed;
		writer->epoch = epoch;
		return 0;
	}
	writer->committed = sequence;
	result = store_health_begin(&writer->health, writer->db, epoch, &sequence, err);
	if (result < 0)
		return result;
	writer->sequence = sequence;
	writer->epoch = epoch;
	return 0;
}

int store_writer_ready(struct store_writer *writer, struct ml_error *err)
{
	if (writer->db)
		return 0;
	struct ml_error wrong = ML_ERROR_NONE;
	int result = store_health_open(&writer->health, &writer->db, err);
	if (result < 0)
		return result;
	result = read_progress(writer, &wrong);
	if (result == 0)
		result = store_inserter_open(
			&writer->inserter, writer->db, writer->committed, &wrong);
	writer->stamper.due = true;
	if (result == 0) {
		atomic_fetch_add(&writer->opened, 1);
		return 0;
	}
	close_database(writer);
	/* The next try repairs it: nothing could ever be written to it as it is. */
	if (result == -EUCLEAN)
		store_health_damaged(&writer->health, wrong.text);
	return ml_error_set(err, result, "%s", wrong.text);
}

/* ---- Writing ---- */

static int execute(struct store_writer *writer, const char *sql, struct ml_error *err)
{
	if (sqlite3_exec(writer->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return ml_database_error(err, writer->db, doing);
	return 0;
}

/* A reading that cannot be written whatever the disk is like must not hold up the others. */
static void refuse(struct store_writer *writer, struct store_door *door, struct ml_message *before,
	struct ml_message *message, const struct ml_error *err)
{
	if (before)
		before->next = message->next;
	else
		door->first = message->next;
	if (door->last == message)
		door->last = before;
	door->count--;
	writer->waiting--;
	ml_fail(door->node, message, "%s", err->text);
}

static int write_door(struct store_writer *writer, struct store_door *door, struct ml_error *err)
{
	struct ml_message *before = NULL;
	struct ml_message *message = door->first;
	while (message) {
		struct ml_message *next = message->next;
		struct ml_error wrong = ML_ERROR_NONE;
		const int result =
			store_inserter_add(&writer->inserter, meter_reading(message), &wrong);
		if (result == 0) {
			before = message;
		} else if (result == -E2BIG) {
			refuse(writer, door, before, message, &wrong);
		} else {
			if (err)
				*err = wrong;
			return result;
		}
		message = next;
	}
	return 0;
}

static int undo_uncertain(struct store_writer *writer, struct ml_error *err)
{
	char sql[224];
	if (!writer->undo)
		return 0;
	(void)snprintf(sql, sizeof sql,
		"DELETE FROM reading WHERE sequence > %llu; DELETE FROM frame WHERE key > %llu; "
		"DELETE FROM block WHERE number >= %llu",
		(unsigned long long)writer->sequence, (unsigned long long)writer->sequence,
		(unsigned long long)writer->sequence >> STORE_BLOCK_BITS);
	return execute(writer, sql, err);
}

/* While the file is gone, the open connection holds all there is: it is not closed before that is
 * written anew. */
static int keep_file(struct store_writer *writer, struct ml_error *err)
{
	int result = store_writer_ready(writer, err);
	if (result < 0 || store_health_look(&writer->health, writer->db, NULL) == 0)
		return result;
	result = store_health_copy_back(&writer->health, writer->db, err);
	if (result < 0)
		return result;
	close_database(writer);
	return store_writer_ready(writer, err);
}

/* What came before the clock was right. */
static int stamp(struct store_writer *writer, struct ml_error *err)
{
	int result = store_stamp_all(&writer->stamper, writer->db, err);
	if (result > 0)
		result = store_block_load(
			&writer->inserter.block, writer->db, writer->committed, err);
	return result;
}

bool store_writer_waits_for_clock(struct store_writer *writer)
{
	if (!store_stamp_waits(&writer->stamper))
		return false;
	if (ml_wall_known(writer->engine) && store_writer_ready(writer, NULL) == 0)
		(void)stamp(writer, NULL);
	return store_stamp_waits(&writer->stamper);
}

static int write_all(struct store_writer *writer, struct ml_error *err)
{
	int result = keep_file(writer, err);
	if (result == 0)
		result = stamp(writer, err);
	if (result == -EUCLEAN && writer->db) {
		store_health_damaged(&writer->health, err ? err->text : doing);
		close_database(writer);
	}
	if (result < 0)
		return result;
	result = execute(writer, "BEGIN IMMEDIATE", err);
	if (result < 0)
		return result;
	writer->inserter.journal = store_setting(writer->engine, "store.journal_days") > 0;
	store_inserter_begin(&writer->inserter, writer->sequence,
		ml_wall_of(writer->engine, ml_lane_now(writer->lane)));
	result = undo_uncertain(writer, err);
	for (struct store_door *door = writer->doors; result == 0 && door; door = door->next)
		result = write_door(writer, door, err);
	if (result == 0)
		result = store_keep_write(&writer->keep, writer->db, err);
	if (result == 0)
		result = store_health_reserve(
			&writer->health, writer->committed, writer->inserter.sequence, err);
	/* Without a reading the number stays where it is: after a crash numbers go on in another
	 * block, and that of the last reading is written down with the first of those. */
	const bool any = writer->inserter.sequence != writer->sequence;
	if (result == 0 && any)
		result = store_inserter_end(&writer->inserter, err);
	if (result == 0)
		result = execute(writer, "COMMIT", err);
	if (result == 0) {
		writer->sequence = writer->inserter.sequence;
		if (any)
			writer->committed = writer->sequence;
		writer->undo = false;
		return 0;
	}
	if (!sqlite3_get_autocommit(writer->db))
		(void)sqlite3_exec(writer->db, "ROLLBACK", NULL, NULL, NULL);
	store_inserter_undo(&writer->inserter);
	if (result == -EUCLEAN)
		store_health_damaged(&writer->health, err ? err->text : doing);
	/* After these a new connection may do better; a full disk is no fault of this one. */
	if (result != -ENOSPC && result != -EBUSY && result != -ENOMEM)
		close_database(writer);
	return result;
}

static void tell_trouble(struct store_writer *writer, const struct ml_error *err)
{
	const bool before = writer->troubled;
	writer->troubled = err != NULL;
	if (err) {
		writer->failures++;
		writer->trouble = *err;
	}
	for (struct store_door *door = writer->doors; door; door = door->next)
		door->trouble(door, err);
	store_keep_trouble(&writer->keep, err);
	if (err && !before)
		ml_event_raise(
			writer->engine, "store-failed", "readings.db", "reason", err->text, NULL);
	if (!err && before)
		ml_event_raise(writer->engine, "store-recovered", "readings.db", NULL);
}

static void start_timer(struct store_writer *writer, ml_time due)
{
	ml_timer_start(&writer->timer, due);
	writer->timer_runs = true;
}

static void write_now(struct store_writer *writer)
{
	struct ml_error err = ML_ERROR_NONE;
	if (writer->timer_runs)
		ml_timer_stop(&writer->timer);
	writer->timer_runs = false;
	if (!writer->waiting && !writer->keep.waiting && !writer->troubled)
		return;
	if (write_all(writer, &err) < 0) {
		tell_trouble(writer, &err);
		start_timer(writer, ml_lane_now(writer->lane) + STORE_RETRY_TIME);
		return;
	}
	writer->commits++;
	writer->last_commit = ml_lane_now(writer->lane);
	writer->last_commit_wall = ml_clock_wall(ml_engine_clock(writer->engine));
	writer->waiting = 0;
	for (struct store_door *door = writer->doors; door; door = door->next)
		door->written(door);
	store_keep_written(&writer->keep);
	if (writer->troubled)
		tell_trouble(writer, NULL);
}

void store_writer_repair(struct store_writer *writer, const char *damage)
{
	struct ml_error err = ML_ERROR_NONE;
	store_health_damaged(&writer->health, damage);
	close_database(writer);
	if (store_writer_ready(writer, &err) < 0 && writer->doors) {
		tell_trouble(writer, &err);
		start_timer(writer, ml_lane_now(writer->lane) + STORE_RETRY_TIME);
	}
}

static void timer_fired(struct ml_timer *timer)
{
	struct store_writer *writer = timer->user;
	writer->timer_runs = false;
	write_now(writer);
}

/* A failure is tried again with the next commit. */
static void clock_known(void *user)
{
	struct store_writer *writer = user;
	if (!writer->troubled)
		(void)store_writer_waits_for_clock(writer);
}

static void use_lane(struct store_writer *writer, const struct ml_node *node)
{
	if (writer->lane)
		return;
	writer->lane = ml_node_lane(node);
	ml_timer_init(&writer->timer, writer->lane, timer_fired, writer);
	writer->stamper.watch = ml_wall_watch(writer->engine, writer->lane, clock_known, writer);
}

/* The database is there, or will be tried again. */
static void try_database(struct store_writer *writer)
{
	struct ml_error err = ML_ERROR_NONE;
	if (writer->troubled || store_writer_ready(writer, &err) == 0)
		return;
	tell_trouble(writer, &err);
	start_timer(writer, ml_lane_now(writer->lane) + STORE_RETRY_TIME);
}

static void stop_unused(struct store_writer *writer)
{
	if (writer->doors || writer->keep.drawers || !writer->timer_runs)
		return;
	ml_timer_stop(&writer->timer);
	writer->timer_runs = false;
	writer->troubled = false;
}

void store_writer_open_door(struct store_writer *writer, struct store_door *door)
{
	use_lane(writer, door->node);
	if (!writer->doors)
		store_upkeep_start(&writer->upkeep, writer);
	door->next = writer->doors;
	writer->doors = door;
	if (writer->troubled)
		door->trouble(door, &writer->trouble);
	try_database(writer);
}

void store_writer_close_door(struct store_writer *writer, struct store_door *door)
{
	if (door->count)
		write_now(writer);
	writer->waiting -= door->count;
	for (struct store_door **at = &writer->doors; *at; at = &(*at)->next) {
		if (*at == door) {
			*at = door->next;
			break;
		}
	}
	if (!writer->doors)
		store_upkeep_stop(&writer->upkeep);
	stop_unused(writer);
}

static bool simulated(const struct store_writer *writer)
{
	return ml_clock_is_simulated(ml_engine_clock(writer->engine));
}

/* When what is gathered now is written at the latest; `rounds`: while a round runs. */
static ml_time write_due(const struct store_writer *writer, bool rounds)
{
	const ml_time now = ml_lane_now(writer->lane);
	if (rounds)
		return now + writer->round_commit;
	return simulated(writer) ? now : now + STORE_GATHER_TIME;
}

static void write_by(struct store_writer *writer, ml_time due)
{
	if (!writer->timer_runs || due < writer->timer.due)
		start_timer(writer, due);
}

void store_writer_give(
	struct store_writer *writer, struct store_door *door, struct ml_message *message)
{
	message->next = NULL;
	if (door->last)
		door->last->next = message;
	else
		door->first = message;
	door->last = message;
	door->count++;
	writer->waiting++;
	if (writer->troubled)
		return;
	if (writer->waiting >= STORE_GATHER_MAX)
		write_now(writer);
	else if (!writer->timer_runs || !door->rounds)
		write_by(writer, write_due(writer, door->rounds != 0));
}

void store_writer_open_drawer(struct store_writer *writer, struct meter_drawer *drawer)
{
	use_lane(writer, drawer->node);
	store_keep_add(&writer->keep, drawer);
	if (writer->troubled)
		drawer->trouble(drawer, &writer->trouble);
	try_database(writer);
}

void store_writer_close_drawer(struct store_writer *writer, struct meter_drawer *drawer)
{
	if (drawer->waiting)
		write_now(writer);
	store_keep_remove(&writer->keep, drawer);
	stop_unused(writer);
}

void store_writer_drawer_changed(struct store_writer *writer, struct meter_drawer *drawer)
{
	bool rounds = false;
	for (const struct store_door *door = writer->doors; door; door = door->next)
		rounds = rounds || door->rounds;
	store_keep_changed(&writer->keep, drawer);
	if (!writer->troubled)
		write_by(writer, write_due(writer, rounds));
}

void store_writer_round(struct store_writer *writer, struct store_door *door, bool begins)
{
	const ml_time now = ml_lane_now(writer->lane);
	const ml_time soonest = writer->commits ? writer->last_commit + STORE_GATHER_TIME : now;
	if (begins) {
		writer->round_commit = store_setting(writer->engine, "store.round_commit") * ML_SEC;
		door->rounds++;
		return;
	}
	door->rounds -= door->rounds > 0;
	if (!writer->waiting || writer->troubled)
		return;
	write_by(writer, simulated(writer) || soonest < now ? now : soonest);
}

/* ---- The service ---- */

int store_writer_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	struct store_writer *writer = calloc(1, sizeof *writer);
	if (!writer)
		return ml_error_set(err, -ENOMEM, "out of memory");
	writer->engine = engine;
	writer->health.engine = engine;
	writer->last_commit_wall = ML_NEVER;
	writer->inserter.engine = engine;
	writer->inserter.stamper = &writer->stamper;
	writer->stamper.engine = engine;
	/* A database that cannot be opened is the nodes' trouble, not the gateway's end: the page
	 * must come up to say so. */
	(void)store_writer_ready(writer, NULL);
	writer->health.may_repair = true;
	*ret_service = writer;
	return 0;
}

void store_writer_stop(void *service)
{
	struct store_writer *writer = service;
	ml_wall_unwatch(writer->stamper.watch);
	const bool was_open = writer->db && keep_file(writer, NULL) == 0;
	close_database(writer);
	if (was_open)
		store_health_end(&writer->health, writer->committed, writer->sequence);
	free(writer);
}
