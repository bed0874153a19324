/* The keeper of the log: takes lines and events, and writes them to log.db in groups.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "command/log_keeper.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <meterloom/family.h>
#include <meterloom/setting.h>
#include <meterloom/wall.h>

#include "command/events.h"
#include "command/log_queue.h"
#include "run/engine.h"

#define TRIM_EVERY ML_HOUR
#define MEMORY_BYTES ((int64_t)4 << 20) /* without a data directory */

struct ml_log_keeper {
	struct ml_engine *engine;
	struct ml_log *log;
	struct ml_clock *clock;
	struct ml_lane *lane;
	int subscription;
	char path[PATH_MAX]; /* "": in memory */

	struct ml_log_queue queue;

	/* the lane's */
	struct ml_timer timer, trim_timer;
	struct ml_log_database *db; /* NULL: cannot be used now */
	struct stat file;
	bool stopped; /* nothing more happens */
	bool troubled, lowered;
	bool uncertain;    /* rows of this start wait for their time */
	ml_time aside_at;  /* monotonic; when a damaged one was last moved aside */
	ml_time loss_told; /* monotonic; when losses were last told */
	ml_time max_age;
	int64_t max_bytes;
	struct ml_wall_watch *watch;
};

/* ---- Taking ---- */

static void arm(void *user)
{
	struct ml_log_keeper *keeper = user;
	const ml_time wanted = ml_log_queue_wanted(&keeper->queue);
	if (wanted == ML_NEVER || (keeper->troubled && ml_timer_running(&keeper->timer)))
		return;
	if (!ml_timer_running(&keeper->timer) || wanted < keeper->timer.due)
		ml_timer_start(&keeper->timer, wanted);
}

/* Under the log's lock, or that of events: it must not log. */
static void take(struct ml_log_keeper *keeper, enum ml_log_kind kind, const struct ml_log_row *row)
{
	if (ml_log_queue_take(&keeper->queue, kind, row, ml_clock_monotonic(keeper->clock)))
		(void)ml_lane_post(keeper->lane, arm, keeper);
}

static void take_line(const struct ml_log_entry *entry, void *context)
{
	struct ml_log_keeper *keeper = context;
	const struct ml_log_row row = {
		.number = entry->sequence,
		.time = entry->wall,
		.monotonic = entry->monotonic,
		.uncertain = !ml_wall_known(keeper->engine),
		.level = entry->level,
		.suppressed = entry->suppressed,
		.origin = entry->origin,
		.text = entry->text,
		.text_length = strlen(entry->text),
	};
	take(keeper, ML_LOG_LINES, &row);
}

void ml_log_keeper_event(struct ml_engine *engine, uint64_t id, ml_time time,
	enum ml_log_level severity, const char *code, const char *json, size_t length)
{
	struct ml_log_keeper *keeper = engine->log_keeper;
	if (!keeper)
		return;
	const struct ml_log_row row = {
		.number = id,
		.time = time,
		.monotonic = ml_clock_monotonic(keeper->clock),
		.uncertain = !ml_wall_known(engine),
		.level = severity,
		.origin = code,
		.text = json,
		.text_length = length,
	};
	take(keeper, ML_LOG_EVENTS, &row);
}

/* ---- The database ---- */

static void tell_trouble(struct ml_log_keeper *keeper, const struct ml_error *err)
{
	const bool before = keeper->troubled;
	keeper->troubled = err != NULL;
	if (err && !before)
		ml_event_raise(keeper->engine, "log-not-written", "log.db", "reason", err->text,
			(char *)NULL);
	if (!err && before)
		ml_event_raise(keeper->engine, "log-written", "log.db", (char *)NULL);
}

static void close_database(struct ml_log_keeper *keeper)
{
	ml_log_database_close(keeper->db);
	keeper->db = NULL;
}

static int open_file(struct ml_log_keeper *keeper, struct ml_error *err)
{
	const char *path = *keeper->path ? keeper->path : NULL;
	struct ml_log_extent extent;
	int r = ml_log_database_open(path, keeper->engine->no_sync, &keeper->db, err);
	if (r == 0)
		r = ml_log_database_extent(keeper->db, &extent, err);
	if (r < 0)
		close_database(keeper);
	else if (path)
		(void)stat(path, &keeper->file);
	return r;
}

/* A damaged database gives way to a new one; not again and again, as that would be another fault.
 */
static int begin_anew(struct ml_log_keeper *keeper, const struct ml_error *why)
{
	char aside[PATH_MAX + 16];
	struct ml_error err = ML_ERROR_NONE;
	const ml_time now = ml_clock_monotonic(keeper->clock);
	if (!*keeper->path || now - keeper->aside_at < ML_MINUTE)
		return -EUCLEAN;
	keeper->aside_at = now;
	close_database(keeper);
	int r = ml_log_database_move_aside(keeper->path, &err);
	if (r == 0)
		r = open_file(keeper, &err);
	if (r < 0)
		return r;
	(void)snprintf(aside, sizeof aside, "%s.damaged", keeper->path);
	ml_event_raise(keeper->engine, "log-database-damaged", "log.db", "reason", why->text,
		"file", aside, (char *)NULL);
	return 0;
}

static int open_database(struct ml_log_keeper *keeper, struct ml_error *err)
{
	struct ml_error why = ML_ERROR_NONE;
	if (keeper->db)
		return 0;
	int r = open_file(keeper, &why);
	if (r == -EUCLEAN)
		r = begin_anew(keeper, &why);
	if (r < 0 && err)
		*err = why;
	return r;
}

/* Somebody deleted or replaced the file: what is written would be in none. */
static void check_file(struct ml_log_keeper *keeper)
{
	struct stat now;
	if (!keeper->db || !*keeper->path)
		return;
	if (stat(keeper->path, &now) == 0 && now.st_ino == keeper->file.st_ino &&
		now.st_dev == keeper->file.st_dev)
		return;
	close_database(keeper);
	ml_log(keeper->log, ML_LOG_WARNING, "log",
		"log.db was deleted or replaced while the gateway runs; it is opened anew");
}

/* A statement failed: what can still be done with this database. */
static void give_up(struct ml_log_keeper *keeper, int r, const struct ml_error *err)
{
	if (r == -EUCLEAN && begin_anew(keeper, err) == 0)
		return;
	if (r != -ENOSPC && r != -EBUSY && r != -ENOMEM)
		close_database(keeper);
	tell_trouble(keeper, err);
}

/* ---- Writing ---- */

/* What was taken before the clock was known, and is written after. */
static void settle(struct ml_log_keeper *keeper, struct ml_log_row *row)
{
	if (!row->uncertain)
		return;
	row->uncertain = !ml_wall_known(keeper->engine);
	row->time = ml_wall_of(keeper->engine, row->monotonic);
}

static int write_items(
	struct ml_log_keeper *keeper, struct ml_log_item *first, struct ml_error *err)
{
	int r = open_database(keeper, err);
	if (r == 0)
		r = ml_log_database_begin(keeper->db, err);
	for (struct ml_log_item *item = first; r == 0 && item; item = item->next) {
		settle(keeper, &item->row);
		keeper->uncertain |= item->row.uncertain;
		r = ml_log_database_add(
			keeper->db, item->kind, &item->row, keeper->engine->epoch, err);
	}
	return r < 0 ? r : ml_log_database_commit(keeper->db, err);
}

/* At most once a minute, so that telling is no flood. */
static void tell_losses(struct ml_log_keeper *keeper)
{
	const ml_time now = ml_clock_monotonic(keeper->clock);
	const bool tell = now - keeper->loss_told >= ML_MINUTE;
	uint64_t lost, debug;
	if (!ml_log_queue_losses(&keeper->queue, tell, &lost, &debug))
		return;
	if (!tell) {
		ml_timer_start(&keeper->timer, keeper->loss_told + ML_MINUTE);
		return;
	}
	keeper->loss_told = now;
	ml_log(keeper->log, ML_LOG_WARNING, "log",
		"%llu lines (and %llu of level debug) are not in log.db: more came than is written "
		"to the disk",
		(unsigned long long)lost, (unsigned long long)debug);
}

static void write_queue(struct ml_log_keeper *keeper)
{
	struct ml_error err = ML_ERROR_NONE;
	struct ml_log_item *last = NULL;
	check_file(keeper);
	struct ml_log_item *first = ml_log_queue_all(&keeper->queue, &last);
	const int r = first ? write_items(keeper, first, &err) : 0;
	if (r == 0) {
		ml_log_items_free(first);
		if (first)
			tell_trouble(keeper, NULL);
		tell_losses(keeper);
		return;
	}
	ml_log_queue_put_back(&keeper->queue, first, last);
	give_up(keeper, r, &err);
	ml_timer_start(&keeper->timer,
		ml_clock_monotonic(keeper->clock) + (keeper->troubled ? ML_LOG_RETRY : 0));
}

static void timer_fired(struct ml_timer *timer)
{
	write_queue(timer->user);
}

/* ---- Settings, limits, clock ---- */

static int64_t setting_integer(struct ml_engine *engine, const char *name, int64_t preset)
{
	json_t *value = ml_setting_get(engine, name);
	const int64_t number = json_is_integer(value) ? json_integer_value(value) : preset;
	json_decref(value);
	return number;
}

/* What is to be kept must be logged: the log's own level is lowered for it, and raised after. */
static void read_settings(struct ml_log_keeper *keeper)
{
	struct ml_engine *engine = keeper->engine;
	json_t *value = ml_setting_get(engine, "log.keep");
	enum ml_log_level keep = ML_LOG_INFO;
	if (value)
		(void)ml_log_level_parse(json_string_value(value), &keep);
	json_decref(value);
	keeper->max_age = setting_integer(engine, "log.max_age", 31) * ML_DAY;
	keeper->max_bytes = setting_integer(engine, "log.max_size", 100) << 20;
	if (!*keeper->path && keeper->max_bytes > MEMORY_BYTES)
		keeper->max_bytes = MEMORY_BYTES;
	ml_log_queue_keep(&keeper->queue, keep);
	if (keep == ML_LOG_DEBUG && !ml_log_wants(keeper->log, ML_LOG_DEBUG)) {
		ml_log_set_minimum(keeper->log, ML_LOG_DEBUG);
		keeper->lowered = true;
	} else if (keep != ML_LOG_DEBUG && keeper->lowered) {
		ml_log_set_minimum(keeper->log, ML_LOG_INFO);
		keeper->lowered = false;
	}
}

static void trim(struct ml_log_keeper *keeper)
{
	struct ml_error err = ML_ERROR_NONE;
	if (!keeper->db)
		return;
	/* A clock that may be wrong makes nothing old. */
	const ml_time before = ml_wall_known(keeper->engine)
				       ? ml_clock_wall(keeper->clock) - keeper->max_age
				       : INT64_MIN;
	const int r = ml_log_database_trim(keeper->db, before, keeper->max_bytes, &err);
	if (r < 0)
		give_up(keeper, r, &err);
}

static void trim_fired(struct ml_timer *timer)
{
	struct ml_log_keeper *keeper = timer->user;
	trim(keeper);
	ml_timer_start(timer, ml_clock_monotonic(keeper->clock) + TRIM_EVERY);
}

static void refresh(void *user)
{
	struct ml_log_keeper *keeper = user;
	if (keeper->stopped)
		return;
	read_settings(keeper);
	write_queue(keeper);
	trim(keeper);
}

void ml_log_keeper_refresh(struct ml_engine *engine)
{
	struct ml_log_keeper *keeper = engine->log_keeper;
	if (keeper)
		(void)ml_lane_post(keeper->lane, refresh, keeper);
}

static void clock_known(void *user)
{
	struct ml_log_keeper *keeper = user;
	struct ml_error err = ML_ERROR_NONE;
	if (keeper->stopped)
		return;
	write_queue(keeper);
	if (!keeper->db || !keeper->uncertain)
		return;
	keeper->uncertain = false;
	const int r = ml_log_database_stamp(
		keeper->db, keeper->engine->epoch, ml_wall_of(keeper->engine, 0), &err);
	if (r < 0)
		give_up(keeper, r, &err);
}

/* ---- For commands ---- */

void ml_log_keeper_scan(struct ml_engine *engine, enum ml_log_kind kind, uint64_t below,
	bool (*tell)(const struct ml_log_row *row, void *user), void *user)
{
	struct ml_log_keeper *keeper = engine->log_keeper;
	struct ml_error err = ML_ERROR_NONE;
	if (!keeper || keeper->stopped)
		return;
	if (!keeper->troubled)
		write_queue(keeper);
	if (!keeper->db)
		return;
	const int r = ml_log_database_scan(keeper->db, kind, below, tell, user, &err);
	if (r < 0)
		give_up(keeper, r, &err);
}

int ml_log_keeper_wipe(struct ml_engine *engine, struct ml_error *err)
{
	struct ml_log_keeper *keeper = engine->log_keeper;
	if (!keeper)
		return 0;
	struct ml_log_item *last = NULL;
	ml_log_items_free(ml_log_queue_all(&keeper->queue, &last));
	const int r = open_database(keeper, err);
	return r < 0 ? r : ml_log_database_wipe(keeper->db, err);
}

/* ---- Life ---- */

static void ignore(const struct ml_log_entry *entry, void *context)
{
	(void)entry;
	(void)context;
}

uint64_t ml_log_newest(struct ml_log *log)
{
	return log ? ml_log_list(log, UINT64_MAX - 1, ML_LOG_ERROR, ignore, NULL) : 0;
}

/* Numbers go on where those in the database end. Returns the last line's that is not ours. */
static uint64_t go_on(struct ml_log_keeper *keeper)
{
	struct ml_log_extent extent = {0};
	const uint64_t begin = keeper->engine->log_begin;
	if (keeper->db && ml_log_database_extent(keeper->db, &extent, NULL) < 0)
		close_database(keeper);
	if (extent.newest)
		ml_wall_seen(keeper->engine, extent.newest);
	ml_events_skip(keeper->engine->events, extent.last_event);
	if (!keeper->log || extent.last_line <= begin)
		return begin;
	ml_log_skip(keeper->log, extent.last_line - begin);
	return extent.last_line;
}

static void start_on_lane(void *user)
{
	struct ml_log_keeper *keeper = user;
	if (keeper->stopped)
		return;
	keeper->watch = ml_wall_watch(keeper->engine, keeper->lane, clock_known, keeper);
	trim_fired(&keeper->trim_timer);
}

static void open_and_subscribe(struct ml_log_keeper *keeper)
{
	struct ml_error trouble = ML_ERROR_NONE;
	const int r = open_database(keeper, &trouble);
	const uint64_t begin = go_on(keeper);
	if (r < 0)
		tell_trouble(keeper, &trouble);
	if (!keeper->log)
		return;
	read_settings(keeper);
	/* A line that is logged between these two is taken twice, and is one row all the same. */
	keeper->subscription = ml_log_subscribe(keeper->log, ML_LOG_DEBUG, take_line, keeper);
	(void)ml_log_list(keeper->log, begin, ML_LOG_DEBUG, take_line, keeper);
}

int ml_log_keeper_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	struct ml_log_keeper *keeper = calloc(1, sizeof *keeper);
	if (!keeper)
		return ml_error_set(err, -ENOMEM, "out of memory");
	*ret_service = engine->log_keeper = keeper;
	keeper->engine = engine;
	keeper->log = ml_engine_log(engine);
	keeper->clock = ml_engine_clock(engine);
	keeper->subscription = -1;
	keeper->loss_told = keeper->aside_at = -ML_HOUR;
	ml_log_queue_init(&keeper->queue, ml_clock_monotonic(keeper->clock));
	keeper->lane = ml_engine_lane(engine, ML_LOG_LANE);
	if (!keeper->lane)
		return ml_error_set(err, -ENOMEM, "the lane 'log' cannot be made");
	ml_timer_init(&keeper->timer, keeper->lane, timer_fired, keeper);
	ml_timer_init(&keeper->trim_timer, keeper->lane, trim_fired, keeper);
	if (ml_engine_data(engine))
		(void)snprintf(
			keeper->path, sizeof keeper->path, "%s/log.db", ml_engine_data(engine));
	open_and_subscribe(keeper);
	(void)ml_lane_post(keeper->lane, start_on_lane, keeper);
	return 0;
}

void ml_log_keeper_stop(void *service)
{
	struct ml_log_keeper *keeper = service;
	if (keeper->subscription >= 0)
		ml_log_unsubscribe(keeper->log, keeper->subscription);
	write_queue(keeper);
	ml_log_queue_close(&keeper->queue);
	keeper->stopped = true;
	ml_wall_unwatch(keeper->watch);
	ml_timer_stop(&keeper->timer);
	ml_timer_stop(&keeper->trim_timer);
	close_database(keeper);
}

void ml_log_keeper_free(struct ml_engine *engine)
{
	struct ml_log_keeper *keeper = engine->log_keeper;
	if (!keeper)
		return;
	ml_log_queue_destroy(&keeper->queue);
	free(keeper);
	engine->log_keeper = NULL;
}
