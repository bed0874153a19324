/* Is the wall clock right: what the engine knows of it, and since when.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Between two settings of the clock wall time is monotonic time and an offset: that is an era. The
 * engine remembers the last ones, so that a time that was stamped in one can be told from those of
 * the others and be put right.
 */
#include "run/wall.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/command.h>
#include <meterloom/database.h>
#include <meterloom/event.h>
#include <meterloom/setting.h>

#include "run/engine.h"

enum { ERAS_MAX = 8 };

#define JUMP (30 * ML_SEC) /* of a clock that is known to be right: more than a correction */
#define CHANGE ML_SEC      /* of one that is not */
#define LOOK_SOON ML_SEC   /* while it is not known to be right */
#define LOOK_LATER (20 * ML_SEC)
#define KEEP_EVERY ML_HOUR
/* A leap of more than a day is not taken for seen until it has lasted for a day: a clock that was a
 * year ahead for an hour must not make all later starts doubt a right one. */
#define LEAP ML_DAY
#define LEAP_LASTS ML_DAY

struct era {
	ml_time offset;     /* wall time less monotonic time */
	ml_time begin, end; /* monotonic; the last one's end is the last look */
};

struct ml_wall_watch {
	struct ml_wall *wall;
	struct ml_wall_watch *next;
	struct ml_lane *lane;
	void (*known)(void *user);
	void *user;
	bool posted, closed;
};

struct ml_wall {
	struct ml_engine *engine;
	struct ml_timer timer;
	atomic_bool known;
	atomic_llong known_from; /* wall: times from here on are right as they are */

	pthread_mutex_t lock;
	struct era eras[ERAS_MAX]; /* the last one is now */
	size_t era_count;
	ml_time floor;       /* the newest time seen by earlier starts, or the release */
	ml_time newest;      /* the newest time seen */
	ml_time leapt_until; /* monotonic: until then `newest` goes on as it was; 0: no leap */
	bool confirmed;      /* by a person */
	struct ml_wall_watch *watches;

	/* control lane */
	sqlite3 *db; /* meterloom.db */
	bool looked;
	ml_time kept_at; /* monotonic */
};

static void time_text(ml_time time, char text[ML_TIME_TEXT_MAX])
{
	(void)ml_time_format(time, text);
}

/* ---- What is kept ---- */

/* A failure costs no more than that a stale clock may be believed after the next start. */
static void keep(struct ml_wall *wall)
{
	struct ml_error err = ML_ERROR_NONE;
	sqlite3_stmt *statement = NULL;
	(void)pthread_mutex_lock(&wall->lock);
	const ml_time newest = wall->newest;
	(void)pthread_mutex_unlock(&wall->lock);
	wall->kept_at = ml_clock_monotonic(wall->engine->clock);
	if (sqlite3_prepare_v2(wall->db, "INSERT OR REPLACE INTO ml_clock(id, newest) VALUES(1, ?)",
		    -1, &statement, NULL) != SQLITE_OK ||
		sqlite3_bind_int64(statement, 1, newest) != SQLITE_OK ||
		sqlite3_step(statement) != SQLITE_DONE) {
		(void)ml_database_error(&err, wall->db, "keeping the newest time seen");
		ml_log(wall->engine->log, ML_LOG_WARNING, "clock", "%s", err.text);
	}
	(void)sqlite3_finalize(statement);
}

static int load(struct ml_wall *wall, struct ml_error *err)
{
	sqlite3_stmt *statement = NULL;
	int r = ml_database_open(wall->engine, "meterloom", true, &wall->db, err);
	if (r < 0)
		return r;
	if (sqlite3_prepare_v2(wall->db, "SELECT newest FROM ml_clock", -1, &statement, NULL) !=
		SQLITE_OK)
		r = ml_database_error(err, wall->db, "reading the newest time seen");
	else if (sqlite3_step(statement) == SQLITE_ROW)
		wall->newest = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	return r;
}

/* ---- Reckoning; with the lock held ---- */

static struct era *current(struct ml_wall *wall)
{
	return &wall->eras[wall->era_count - 1];
}

/* The best guess of a moment's wall time while the clock is not known to be right. */
static ml_time guess(const struct ml_wall *wall, ml_time monotonic)
{
	const ml_time least = wall->floor + monotonic;
	const ml_time shown =
		wall->era_count ? monotonic + wall->eras[wall->era_count - 1].offset : least;
	return shown > least ? shown : least;
}

/* The era that stamped a time; `below`: only those before the given number. NULL: none did. */
static const struct era *era_of(const struct ml_wall *wall, ml_time time, size_t below)
{
	for (size_t i = below; i-- > 0;) {
		const struct era *era = &wall->eras[i];
		const ml_time moment = time - era->offset;
		const ml_time end = i + 1 == wall->era_count ? ML_NEVER - ML_SEC : era->end;
		if (moment >= era->begin - ML_SEC && moment <= end + ML_SEC)
			return era;
	}
	return NULL;
}

bool ml_wall_known(struct ml_engine *engine)
{
	return engine->wall && atomic_load_explicit(&engine->wall->known, memory_order_acquire);
}

static bool settle(struct ml_wall *wall, bool known, ml_time *time, ml_time *ret_monotonic)
{
	const struct ml_clock *clock = wall->engine->clock;
	const ml_time now = ml_clock_monotonic(clock);
	const struct era *era = era_of(
		wall, *time, known && wall->era_count ? wall->era_count - 1 : wall->era_count);
	ml_time moment = era ? *time - era->offset : *time - (ml_clock_wall(clock) - now);
	if (known) {
		if (era)
			*time = moment + current(wall)->offset;
		return true;
	}
	if (moment > now)
		moment = now;
	*time = guess(wall, moment);
	if (ret_monotonic)
		*ret_monotonic = moment;
	return false;
}

bool ml_wall_settle(struct ml_engine *engine, ml_time *time, ml_time *ret_monotonic)
{
	struct ml_wall *wall = engine->wall;
	bool known = ml_wall_known(engine);
	if (known && *time >= atomic_load_explicit(&wall->known_from, memory_order_relaxed))
		return true;
	(void)pthread_mutex_lock(&wall->lock);
	known = ml_wall_known(engine);
	const bool right = settle(wall, known, time, ret_monotonic);
	(void)pthread_mutex_unlock(&wall->lock);
	return right;
}

ml_time ml_wall_of(struct ml_engine *engine, ml_time monotonic)
{
	struct ml_wall *wall = engine->wall;
	const struct ml_clock *clock = engine->clock;
	if (ml_wall_known(engine))
		return monotonic + ml_clock_wall(clock) - ml_clock_monotonic(clock);
	(void)pthread_mutex_lock(&wall->lock);
	const ml_time time = guess(wall, monotonic);
	(void)pthread_mutex_unlock(&wall->lock);
	return time;
}

void ml_wall_seen(struct ml_engine *engine, ml_time time)
{
	struct ml_wall *wall = engine->wall;
	(void)pthread_mutex_lock(&wall->lock);
	const bool credible =
		wall->newest == ML_WALL_RELEASE || time - wall->newest <= 2 * KEEP_EVERY;
	if (!wall->looked && time > wall->newest && credible)
		wall->newest = wall->floor = time;
	(void)pthread_mutex_unlock(&wall->lock);
}

/* ---- Watches ---- */

static void call_watch(void *user)
{
	struct ml_wall_watch *watch = user;
	struct ml_wall *wall = watch->wall;
	(void)pthread_mutex_lock(&wall->lock);
	const bool closed = watch->closed;
	watch->posted = false;
	(void)pthread_mutex_unlock(&wall->lock);
	if (closed)
		free(watch);
	else
		watch->known(watch->user);
}

/* With the lock held. */
static void post_watch(struct ml_wall_watch *watch)
{
	watch->posted = true;
	if (ml_lane_post(watch->lane, call_watch, watch) < 0)
		watch->posted = false;
}

struct ml_wall_watch *ml_wall_watch(
	struct ml_engine *engine, struct ml_lane *lane, void (*known)(void *user), void *user)
{
	struct ml_wall *wall = engine->wall;
	struct ml_wall_watch *watch = calloc(1, sizeof *watch);
	if (!watch)
		return NULL;
	*watch = (struct ml_wall_watch){.wall = wall, .lane = lane, .known = known, .user = user};
	(void)pthread_mutex_lock(&wall->lock);
	watch->next = wall->watches;
	wall->watches = watch;
	if (atomic_load(&wall->known))
		post_watch(watch);
	(void)pthread_mutex_unlock(&wall->lock);
	return watch;
}

void ml_wall_unwatch(struct ml_wall_watch *watch)
{
	if (!watch)
		return;
	struct ml_wall *wall = watch->wall;
	(void)pthread_mutex_lock(&wall->lock);
	struct ml_wall_watch **at = &wall->watches;
	while (*at != watch)
		at = &(*at)->next;
	*at = watch->next;
	watch->closed = true;
	const bool posted = watch->posted;
	(void)pthread_mutex_unlock(&wall->lock);
	if (!posted)
		free(watch);
}

/* ---- Looking ---- */

static bool is_right(struct ml_wall *wall, ml_time time)
{
	json_t *trust = ml_setting_get(wall->engine, "gateway.clock_trust");
	const char *word = json_string_value(trust);
	const bool strict = word && strcmp(word, "synchronised") == 0;
	json_decref(trust);
	if (wall->confirmed)
		return true;
	if (!strict && time > wall->floor && time > ML_WALL_RELEASE)
		return true;
	return time > ML_WALL_RELEASE && ml_clock_is_synchronised(wall->engine->clock);
}

/* With the lock held: the clock was set since the last look. */
static void begin_era(struct ml_wall *wall, ml_time offset, ml_time now)
{
	const ml_time begin = wall->era_count ? current(wall)->end : 0;
	if (wall->era_count == ERAS_MAX) {
		memmove(wall->eras, wall->eras + 1, (ERAS_MAX - 1) * sizeof *wall->eras);
		wall->era_count--;
	}
	wall->eras[wall->era_count++] = (struct era){.offset = offset, .begin = begin, .end = now};
}

static void become_known(struct ml_wall *wall, ml_time time)
{
	char text[ML_TIME_TEXT_MAX];
	(void)pthread_mutex_lock(&wall->lock);
	const struct era *era = current(wall);
	atomic_store(&wall->known_from, era->begin + era->offset);
	atomic_store_explicit(&wall->known, true, memory_order_release);
	if (wall->newest > ML_WALL_RELEASE && time - wall->newest > LEAP &&
		!ml_clock_is_synchronised(wall->engine->clock))
		wall->leapt_until = era->end + LEAP_LASTS;
	else
		wall->newest = time;
	for (struct ml_wall_watch *watch = wall->watches; watch; watch = watch->next)
		post_watch(watch);
	(void)pthread_mutex_unlock(&wall->lock);
	time_text(time, text);
	if (wall->looked)
		ml_event_raise(wall->engine, "clock-known", "clock", "time", text, NULL);
	keep(wall);
}

static void tell_unknown(struct ml_wall *wall, ml_time time)
{
	char text[ML_TIME_TEXT_MAX], newest[ML_TIME_TEXT_MAX];
	time_text(time, text);
	time_text(wall->floor, newest);
	ml_event_raise(
		wall->engine, "clock-unknown", "clock", "time", text, "newest", newest, NULL);
}

static void tell_jump(struct ml_wall *wall, ml_time from, ml_time to)
{
	char before[ML_TIME_TEXT_MAX], after[ML_TIME_TEXT_MAX], by[32];
	time_text(from, before);
	time_text(to, after);
	(void)snprintf(by, sizeof by, "%+lld", (long long)((to - from) / ML_SEC));
	ml_event_raise(wall->engine, "clock-jumped", "clock", "from", before, "to", after,
		"seconds", by, NULL);
}

/* Moves the newest time seen on; with the lock held. `moved`: by what the clock was set, `gone`:
 * the monotonic time since the last look. */
static void see(struct ml_wall *wall, ml_time time, ml_time moved, ml_time now, ml_time gone)
{
	if (moved < 0) {
		/* Who set it back knew better than the clock did. */
		wall->newest = time;
		wall->leapt_until = 0;
		return;
	}
	if (moved > LEAP)
		wall->leapt_until = now + LEAP_LASTS;
	if (now < wall->leapt_until) {
		wall->newest += gone;
		return;
	}
	wall->leapt_until = 0;
	if (time > wall->newest)
		wall->newest = time;
}

/* Notes the clock as it goes now. true: it was set since the last look; *from is what it would
 * show. */
static bool note(struct ml_wall *wall, ml_time time, ml_time now, ml_time *from)
{
	const bool known = atomic_load(&wall->known);
	const ml_time offset = time - now;
	(void)pthread_mutex_lock(&wall->lock);
	const ml_time before = wall->era_count ? current(wall)->offset : offset;
	const ml_time moved = offset > before ? offset - before : before - offset;
	const bool set = moved >= (known ? JUMP : CHANGE);
	const ml_time last = wall->era_count ? current(wall)->end : now;
	if (set || !wall->era_count)
		begin_era(wall, offset, now);
	current(wall)->offset = offset;
	current(wall)->end = now;
	if (known)
		see(wall, time, set ? offset - before : 0, now, now - last);
	(void)pthread_mutex_unlock(&wall->lock);
	*from = now + before;
	return set;
}

void ml_wall_look(struct ml_engine *engine)
{
	struct ml_wall *wall = engine->wall;
	const ml_time now = ml_clock_monotonic(engine->clock);
	const ml_time time = ml_clock_wall(engine->clock);
	const bool known = atomic_load(&wall->known);
	ml_time from;
	const bool set = note(wall, time, now, &from);
	if (known && set) {
		tell_jump(wall, from, time);
		keep(wall);
	} else if (known && now - wall->kept_at >= KEEP_EVERY) {
		keep(wall);
	} else if (!known && is_right(wall, time)) {
		become_known(wall, time);
	} else if (!known && !wall->looked) {
		tell_unknown(wall, time);
	}
	wall->looked = true;
	ml_timer_start(&wall->timer, now + (ml_wall_known(engine) ? LOOK_LATER : LOOK_SOON));
}

static void timer_fired(struct ml_timer *timer)
{
	struct ml_wall *wall = timer->user;
	ml_wall_look(wall->engine);
}

void ml_wall_confirm(struct ml_engine *engine)
{
	engine->wall->confirmed = true;
	ml_wall_look(engine);
}

void ml_wall_write(struct ml_engine *engine, struct ml_json_writer *w)
{
	struct ml_wall *wall = engine->wall;
	char text[ML_TIME_TEXT_MAX];
	(void)pthread_mutex_lock(&wall->lock);
	const ml_time newest = wall->newest;
	(void)pthread_mutex_unlock(&wall->lock);
	ml_json_begin_object(w);
	ml_json_key(w, "time");
	ml_json_string_n(w, text, ml_time_format(ml_clock_wall(engine->clock), text));
	ml_json_key(w, "known");
	ml_json_bool(w, ml_wall_known(engine));
	ml_json_key(w, "synchronised");
	ml_json_bool(w, ml_clock_is_synchronised(engine->clock));
	ml_json_key(w, "newest");
	ml_json_string_n(w, text, ml_time_format(newest, text));
	ml_json_end_object(w);
}

/* ---- Life ---- */

int ml_wall_new(struct ml_engine *engine, struct ml_error *err)
{
	struct ml_wall *wall = calloc(1, sizeof *wall);
	if (!wall)
		return ml_error_set(err, -ENOMEM, "out of memory");
	wall->engine = engine;
	wall->newest = ML_WALL_RELEASE;
	(void)pthread_mutex_init(&wall->lock, NULL);
	engine->wall = wall;
	const int r = load(wall, err);
	wall->floor = wall->newest;
	return r;
}

void ml_wall_free(struct ml_engine *engine)
{
	struct ml_wall *wall = engine->wall;
	if (!wall)
		return;
	while (wall->watches) {
		struct ml_wall_watch *watch = wall->watches;
		wall->watches = watch->next;
		free(watch);
	}
	(void)sqlite3_close(wall->db);
	(void)pthread_mutex_destroy(&wall->lock);
	free(wall);
	engine->wall = NULL;
}

int ml_wall_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	struct ml_wall *wall = engine->wall;
	(void)err;
	*ret_service = wall;
	ml_timer_init(&wall->timer, engine->control, timer_fired, wall);
	ml_wall_look(engine);
	return 0;
}

void ml_wall_stop(void *service)
{
	struct ml_wall *wall = service;
	ml_timer_stop(&wall->timer);
	if (!atomic_load(&wall->known))
		return;
	const ml_time now = ml_clock_monotonic(wall->engine->clock);
	ml_time from;
	(void)note(wall, ml_clock_wall(wall->engine->clock), now, &from);
	keep(wall);
}
