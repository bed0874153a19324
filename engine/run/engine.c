/* The engine: made from its parts, run, and taken down again.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <meterloom/files.h>

#include "command/events.h"
#include "command/feeds.h"
#include "command/log_keeper.h"
#include "command/metrics_feed.h"
#include "command/registry.h"
#include "command/seal.h"
#include "command/settings.h"
#include "graph/revisions.h"
#include "run/database.h"
#include "run/families.h"
#include "run/lane.h"
#include "run/runtime.h"
#include "run/settings.h"
#include "run/tap.h"
#include "run/wall.h"

enum {
	TRACE_BITS = 33, /* of the counter below the epoch: 53 bits together, exact in a double */
	EPOCH_BITS = 20,
};

const struct ml_family *const *ml_engine_families(struct ml_engine *engine)
{
	return engine->families;
}

/* ---- Services ---- */

static size_t count_services(struct ml_engine *engine)
{
	size_t count = 0;
	for (size_t i = 0; engine->families[i]; i++) {
		const struct ml_service_class *class = engine->families[i]->services;
		for (; class && class->name; class ++)
			count++;
	}
	return count;
}

static int start_services(struct ml_engine *engine, struct ml_error *err)
{
	const size_t count = count_services(engine);
	engine->services = calloc(count + 1, sizeof *engine->services);
	engine->service_classes = calloc(count + 1, sizeof(struct ml_service_class *));
	if (!engine->services || !engine->service_classes)
		return ml_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; engine->families[i]; i++) {
		const struct ml_service_class *class = engine->families[i]->services;
		for (; class && class->name; class ++) {
			const size_t n = engine->service_count;
			engine->service_classes[n] = class;
			const int r = class->start(engine, &engine->services[n], err);
			if (r) {
				ml_error_prefix(err, "service %s", class->name);
				return r;
			}
			engine->service_count++;
		}
	}
	return 0;
}

static void stop_services(struct ml_engine *engine)
{
	while (engine->service_count) {
		const size_t n = --engine->service_count;
		engine->service_classes[n]->stop(engine->services[n]);
	}
	free(engine->services);
	free(engine->service_classes);
}

void *ml_service(struct ml_engine *engine, const char *name)
{
	const size_t count = engine->service_count;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(engine->service_classes[i]->name, name) == 0)
			return engine->services[i];
	}
	return NULL;
}

/* ---- Lanes ---- */

static struct ml_lane *find_lane(struct ml_engine *engine, const char *name)
{
	const size_t count = atomic_load(&engine->lane_count);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(engine->lanes[i]->name, name) == 0)
			return engine->lanes[i];
	}
	return NULL;
}

/* One that an earlier graph had named and on which no node lives any more. */
static struct ml_lane *take_idle_lane(struct ml_engine *engine, const char *name)
{
	const size_t count = atomic_load(&engine->lane_count);
	for (size_t i = 0; i < count; i++) {
		struct ml_lane *lane = engine->lanes[i];
		if (!atomic_load(&lane->lasts) && lane->nodes == 0)
			return ml_lane_rename(lane, name) == 0 ? lane : NULL;
	}
	return NULL;
}

static struct ml_lane *make_lane(struct ml_engine *engine, const char *name)
{
	struct ml_lane *lane = NULL;
	const size_t count = atomic_load(&engine->lane_count);
	if (count == ML_LANES_MAX || ml_lane_new(engine, name, count, count > 0, &lane))
		return NULL;
	engine->lanes[count] = lane;
	atomic_store(&engine->lane_count, count + 1);
	return lane;
}

struct ml_lane *ml_engine_lane(struct ml_engine *engine, const char *name)
{
	pthread_mutex_lock(&engine->lanes_lock);
	struct ml_lane *lane = find_lane(engine, name);
	if (!lane)
		lane = make_lane(engine, name);
	if (lane)
		atomic_store(&lane->lasts, true);
	pthread_mutex_unlock(&engine->lanes_lock);
	return lane;
}

struct ml_lane *ml_engine_lane_enter(struct ml_engine *engine, const char *name)
{
	pthread_mutex_lock(&engine->lanes_lock);
	struct ml_lane *lane = find_lane(engine, name);
	if (!lane)
		lane = take_idle_lane(engine, name);
	if (!lane)
		lane = make_lane(engine, name);
	if (lane)
		lane->nodes++;
	pthread_mutex_unlock(&engine->lanes_lock);
	return lane;
}

void ml_engine_lane_leave(struct ml_lane *lane)
{
	pthread_mutex_lock(&lane->engine->lanes_lock);
	lane->nodes--;
	pthread_mutex_unlock(&lane->engine->lanes_lock);
}

struct uv_loop_s *ml_lane_loop(const struct ml_lane *lane)
{
	return lane->has_loop ? (struct uv_loop_s *)(uintptr_t)&lane->loop : NULL;
}

struct ml_engine *ml_lane_engine(const struct ml_lane *lane)
{
	return lane->engine;
}

ml_time ml_lane_now(const struct ml_lane *lane)
{
	return ml_clock_monotonic(lane->engine->clock);
}

/* ---- Epoch: counts the starts, and what used up the numbers of one ---- */

static int count_start(struct ml_engine *engine, uint64_t *ret_epoch, struct ml_error *err)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	int r = ml_database_open(engine, "meterloom", true, &db, err);
	if (r)
		return r;
	if (sqlite3_prepare_v2(db,
		    "INSERT INTO ml_start(id, epoch) VALUES(1, 1) "
		    "ON CONFLICT(id) DO UPDATE SET epoch = epoch + 1 RETURNING epoch",
		    -1, &statement, NULL) != SQLITE_OK ||
		sqlite3_step(statement) != SQLITE_ROW) {
		r = ml_database_error(err, db, "count this start");
		goto out;
	}
	*ret_epoch = (uint64_t)sqlite3_column_int64(statement, 0);
	if (sqlite3_step(statement) != SQLITE_DONE)
		r = ml_database_error(err, db, "count this start");
out:
	(void)sqlite3_finalize(statement);
	(void)sqlite3_close(db);
	return r;
}

static void count_another(void *user)
{
	struct ml_engine *engine = user;
	uint64_t epoch;
	struct ml_error err = ML_ERROR_NONE;
	if (count_start(engine, &epoch, &err))
		ml_log(engine->log, ML_LOG_ERROR, "engine",
			"after the next start traces may be given a second time: %s", err.text);
}

/* The numbers of this epoch end here: those of the next one follow, and the next start must not
 * begin with them. */
uint64_t ml_engine_traces(struct ml_engine *engine, uint64_t count)
{
	const uint64_t first =
		atomic_fetch_add_explicit(&engine->next_trace, count, memory_order_relaxed);
	if (first >> TRACE_BITS != (first + count) >> TRACE_BITS)
		(void)ml_lane_post(engine->control, count_another, engine);
	return first;
}

static int make_data_directory(struct ml_engine *engine, const char *path, struct ml_error *err)
{
	if (!path)
		return 0;
	engine->data = strdup(path);
	if (!engine->data)
		return ml_error_set(err, -ENOMEM, "out of memory");
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return 0;
	const int r = -errno;
	return ml_error_set(err, r, "data directory %s cannot be made: %s", path, strerror(-r));
}

/* ---- The log ---- */

/* Copies that flood control held back are told by the next entry; where none comes, here. */
static void flush_log(struct ml_timer *timer)
{
	struct ml_engine *engine = timer->user;
	ml_log_flush(engine->log);
	ml_timer_start(timer, ml_clock_monotonic(engine->clock) + ML_LOG_FLOOD_TIME);
}

static void watch_log(struct ml_engine *engine)
{
	ml_timer_init(&engine->log_timer, engine->control, flush_log, engine);
	if (engine->log)
		ml_timer_start(
			&engine->log_timer, ml_clock_monotonic(engine->clock) + ML_LOG_FLOOD_TIME);
}

/* ---- Life ---- */

static void taps_changed(void *user)
{
	ml_taps_changed(user);
	ml_metrics_feed_changed(user);
}

static int make_parts(
	struct ml_engine *engine, const struct ml_engine_options *options, struct ml_error *err)
{
	int r = ml_families_gather(options->families, &engine->family_table, err);
	engine->families = engine->family_table;
	if (r)
		return r;
	r = make_data_directory(engine, options->data, err);
	if (r)
		return r;
	engine->control = ml_engine_lane(engine, "control");
	if (!engine->control || ml_runtime_new(engine, &engine->runtime))
		return ml_error_set(err, -ENOMEM, "the control lane cannot be made");
	watch_log(engine);
	r = ml_databases_start(engine, err);
	if (!r)
		r = count_start(engine, &engine->epoch, err);
	if (!r)
		r = ml_wall_new(engine, err);
	if (r)
		return r;
	const uint64_t epoch = engine->epoch & (((uint64_t)1 << EPOCH_BITS) - 1);
	atomic_store(&engine->next_trace, (epoch << TRACE_BITS) + 1);
	r = ml_settings_new(engine, engine->families, options->device_key, &engine->settings, err);
	if (!r)
		r = ml_revisions_new(engine, &engine->revisions, err);
	if (!r)
		r = ml_events_new(engine, engine->families, &engine->events, err);
	if (!r)
		r = ml_feeds_new(engine, taps_changed, engine, &engine->feeds, err);
	if (!r)
		r = ml_commands_new(engine, engine->families, &engine->commands, err);
	return r ? r : start_services(engine, err);
}

int ml_engine_new(const struct ml_engine_options *options, struct ml_engine **ret_engine,
	struct ml_error *err)
{
	*ret_engine = NULL;
	struct ml_engine *engine = calloc(1, sizeof *engine);
	if (!engine)
		return ml_error_set(err, -ENOMEM, "out of memory");
	engine->clock = options->clock;
	engine->log = options->log;
	engine->log_begin = ml_log_newest(options->log);
	engine->seed = options->seed;
	engine->no_sync = options->no_sync;
	engine->files = options->files     ? options->files
			: options->no_sync ? &ml_files_unsynced
					   : &ml_files_system;
	pthread_mutex_init(&engine->lanes_lock, NULL);
	const int r = make_parts(engine, options, err);
	if (r) {
		ml_engine_free(engine);
		return r;
	}
	*ret_engine = engine;
	return 0;
}

/* Runs what lanes without a thread still have to do, so that all acks are told and all messages
 * come back to their pools. */
static void settle(struct ml_engine *engine)
{
	bool worked = true;
	for (int turns = 0; worked && turns < 1000; turns++) {
		worked = false;
		for (size_t i = 0; i < atomic_load(&engine->lane_count); i++)
			worked |= ml_lane_turn(engine->lanes[i]);
	}
}

void ml_engine_free(struct ml_engine *engine)
{
	if (!engine)
		return;
	if (engine->runtime) {
		ml_runtime_stop(engine);
		for (size_t i = 0; i < atomic_load(&engine->lane_count); i++) {
			if (engine->lanes[i]->has_thread)
				ml_lane_quit(engine->lanes[i]);
		}
		for (size_t i = 0; i < atomic_load(&engine->lane_count); i++)
			ml_lane_join(engine->lanes[i]);
		settle(engine);
	}
	stop_services(engine);
	if (engine->runtime)
		settle(engine);
	for (size_t i = 0; i < atomic_load(&engine->lane_count); i++)
		ml_lane_close(engine->lanes[i]);
	ml_commands_free(engine->commands);
	ml_feeds_free(engine->feeds);
	for (size_t i = atomic_load(&engine->lane_count); i-- > 0;)
		ml_lane_free(engine->lanes[i]);
	ml_log_keeper_free(engine);
	ml_wall_free(engine);
	ml_events_free(engine->events);
	ml_settings_free(engine->settings);
	ml_revisions_free(engine->revisions);
	ml_databases_stop(engine);
	ml_runtime_free(engine->runtime);
	pthread_mutex_destroy(&engine->lanes_lock);
	free(engine->family_table);
	free(engine->data);
	free(engine);
}

void ml_engine_run(struct ml_engine *engine)
{
	ml_lane_run(engine->control);
}

void ml_engine_quit(struct ml_engine *engine)
{
	ml_lane_quit(engine->control);
}

static bool turn_all(struct ml_engine *engine)
{
	bool worked = false;
	for (size_t i = 0; i < atomic_load(&engine->lane_count); i++)
		worked |= ml_lane_turn(engine->lanes[i]);
	return worked;
}

static bool anything_left(struct ml_engine *engine)
{
	for (size_t i = 0; i < atomic_load(&engine->lane_count); i++) {
		const struct ml_lane *lane = engine->lanes[i];
		if (lane->ready_first || lane->dirty || lane->acks_out ||
			atomic_load(&lane->acks_in) || atomic_load(&lane->posted))
			return true;
	}
	return false;
}

void ml_engine_simulate(struct ml_engine *engine, ml_time until)
{
	for (;;) {
		while (turn_all(engine) || anything_left(engine))
			;
		ml_time due = ML_NEVER;
		for (size_t i = 0; i < atomic_load(&engine->lane_count); i++) {
			const ml_time here = ml_lane_due(engine->lanes[i]);
			due = here < due ? here : due;
		}
		if (due > ml_clock_monotonic(engine->clock) && (until == 0 || due > until)) {
			if (until > ml_clock_monotonic(engine->clock))
				ml_clock_advance(engine->clock, until);
			return;
		}
		if (due > ml_clock_monotonic(engine->clock))
			ml_clock_advance(engine->clock, due);
	}
}

/* ---- Parts ---- */

struct ml_clock *ml_engine_clock(struct ml_engine *engine)
{
	return engine->clock;
}

struct ml_log *ml_engine_log(struct ml_engine *engine)
{
	return engine->log;
}

const struct ml_files *ml_engine_files(struct ml_engine *engine)
{
	return engine->files;
}

const char *ml_engine_data(struct ml_engine *engine)
{
	return engine->data;
}

uint64_t ml_engine_epoch(struct ml_engine *engine)
{
	return engine->epoch;
}

/* A good mixer of 64 bits (splitmix64). */
static uint64_t mix(uint64_t value)
{
	value += 0x9E3779B97F4A7C15u;
	value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
	value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
	return value ^ (value >> 31);
}

int ml_engine_random(struct ml_engine *engine, void *out, size_t size, struct ml_error *err)
{
	if (!ml_clock_is_simulated(engine->clock))
		return ml_random(out, size, err);
	unsigned char *at = out;
	while (size > 0) {
		const uint64_t value = mix(mix(mix(engine->seed) + engine->epoch) +
					   atomic_fetch_add(&engine->random_next, 1));
		const size_t part = size < sizeof value ? size : sizeof value;
		memcpy(at, &value, part);
		at += part;
		size -= part;
	}
	return 0;
}

struct ml_commands *ml_engine_commands(struct ml_engine *engine)
{
	return engine->commands;
}

struct ml_events *ml_engine_events(struct ml_engine *engine)
{
	return engine->events;
}

struct ml_feeds *ml_engine_feeds(struct ml_engine *engine)
{
	return engine->feeds;
}

struct ml_settings *ml_engine_settings(struct ml_engine *engine)
{
	return engine->settings;
}

const json_t *ml_engine_inherit(void *user, const char *setting)
{
	struct ml_engine *engine = user;
	return engine->settings ? ml_setting_inherit(engine, setting) : NULL;
}
