/* Readouts: the table of how the last ones of each point went.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meter/readout_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>
#include <meterloom/node.h>
#include <meterloom/wall.h>

#include "meter/frame.h"

static const struct meter_readout_moment NO_MOMENT = {ML_TIME_NONE, ML_TIME_NONE};

const struct ml_choice meter_readout_choices[] = {
	{"all", METER_READOUT_ANY, "All of them"},
	{"never", METER_READOUT_NEVER, "Those that nobody tried to read yet"},
	{"read", METER_READOUT_READ, "Those whose last readout was good"},
	{"failed", METER_READOUT_FAILED, "Those whose last readout failed"},
	{NULL, 0, NULL},
};

struct meter_readouts *meter_readouts(struct ml_engine *engine)
{
	return ml_service(engine, METER_READOUT_SERVICE);
}

uint64_t meter_readouts_revision(const struct meter_readouts *readouts)
{
	return atomic_load_explicit(&readouts->revision, memory_order_acquire);
}

const char *meter_readout_state_name(unsigned state)
{
	static const char *const names[] = {"never", "read", "failed"};
	return state < METER_READOUT_STATES ? names[state] : "unknown";
}

const char *meter_readout_text(unsigned result)
{
	switch (result) {
	case METER_FRAME_OK:
		return "it was read";
	case METER_FRAME_TIMEOUT:
		return "it did not answer";
	case METER_FRAME_CHECKSUM:
		return "its answer had a wrong checksum";
	case METER_FRAME_MALFORMED:
		return "what came was no telegram";
	case METER_FRAME_COLLISION:
		return "several meters answered at once, or the line is disturbed";
	case METER_FRAME_WRONG_METER:
		return "another meter answered";
	case METER_FRAME_REPEATED:
		return "it sent the same telegram again instead of the next";
	case METER_FRAME_REFUSED:
		return "it has no data";
	case METER_FRAME_NO_BUS:
		return "the interface is lost";
	default:
		return "the readout was given up";
	}
}

/* ---- The table; with the lock held ---- */

static size_t place_of(const struct meter_readouts *readouts, uint32_t point)
{
	size_t low = 0;
	for (size_t high = readouts->count; low < high;) {
		const size_t middle = low + (high - low) / 2;
		if (readouts->entries[middle].shown.point < point)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct meter_readout_entry *meter_readouts_find(struct meter_readouts *readouts, uint32_t point)
{
	const size_t place = place_of(readouts, point);
	const bool found = place < readouts->count && readouts->entries[place].shown.point == point;
	return found ? &readouts->entries[place] : NULL;
}

static bool grow(struct meter_readouts *readouts)
{
	const size_t capacity = readouts->capacity ? readouts->capacity * 2 : 32;
	struct meter_readout_entry *entries =
		realloc(readouts->entries, capacity * sizeof *entries);
	if (!entries)
		return false;
	readouts->entries = entries;
	readouts->capacity = capacity;
	return true;
}

struct meter_readout_entry *meter_readouts_add(struct meter_readouts *readouts, uint32_t point)
{
	struct meter_readout_entry *found = meter_readouts_find(readouts, point);
	if (found)
		return found;
	/* Points that were removed have their room until the next writing. */
	if (readouts->count == 2 * (size_t)METER_POINTS_MAX ||
		(readouts->count == readouts->capacity && !grow(readouts)))
		return NULL;
	const size_t place = place_of(readouts, point);
	struct meter_readout_entry *entry = &readouts->entries[place];
	memmove(entry + 1, entry, (readouts->count - place) * sizeof *entry);
	*entry = (struct meter_readout_entry){.shown = {.point = point},
		.tried = NO_MOMENT,
		.read = NO_MOMENT,
		.failed_since = NO_MOMENT};
	readouts->count++;
	return entry;
}

/* ---- Times ---- */

static struct meter_readout_moment stamp(const struct meter_readouts *readouts, ml_time wall)
{
	struct meter_readout_moment stamp = {wall, ML_TIME_NONE};
	ml_time monotonic = 0;
	if (!ml_wall_settle(readouts->engine, &stamp.wall, &monotonic))
		stamp.moment = monotonic;
	return stamp;
}

ml_time meter_readouts_time(
	const struct meter_readouts *readouts, struct meter_readout_moment moment)
{
	return moment.moment == ML_TIME_NONE ? moment.wall
					     : ml_wall_of(readouts->engine, moment.moment);
}

static ml_time now(const struct meter_readouts *readouts)
{
	return ml_clock_monotonic(ml_engine_clock(readouts->engine));
}

/* ---- Telling ---- */

static void remember(struct meter_readout_entry *entry, const struct meter_readout_end *end,
	struct meter_readout_moment time)
{
	entry->recent[entry->recent_next] = (struct meter_readout_recent){
		.time = time,
		.took = end->took,
		.telegrams = end->telegrams,
		.tries = end->tries,
		.result = end->result,
		.continuous = end->continuous,
	};
	entry->recent_next = (uint8_t)((entry->recent_next + 1) % METER_READOUT_RECENT_MAX);
	if (entry->recent_count < METER_READOUT_RECENT_MAX)
		entry->recent_count++;
}

static void take(struct meter_readout_entry *entry, const struct meter_readout_end *end,
	struct meter_readout_moment time)
{
	struct meter_readout *shown = &entry->shown;
	const bool good = end->result == METER_FRAME_OK;
	const uint8_t state = good ? METER_READOUT_READ : METER_READOUT_FAILED;
	entry->changed = true;
	if (shown->state != state || shown->result != end->result)
		entry->kind_changed = true;
	if (good) {
		shown->failures = 0;
		shown->telegrams = end->telegrams;
		entry->read = time;
		entry->failed_since = NO_MOMENT;
	} else {
		if (shown->failures == 0)
			entry->failed_since = time;
		shown->failures += shown->failures < UINT32_MAX;
	}
	shown->state = state;
	shown->result = end->result;
	shown->tries = end->tries;
	shown->took = end->took;
	entry->tried = time;
	remember(entry, end, time);
}

static void write_on_control(void *user)
{
	meter_readouts_write(user, false);
}

/* With the lock held: whether it is to be written now, and nobody does yet. */
static bool is_due(struct meter_readouts *readouts, bool kinds)
{
	const bool due =
		!readouts->posted &&
		((kinds && readouts->kind_changed) ||
			(readouts->changed &&
				now(readouts) >= readouts->written + METER_READOUT_WRITE_EVERY));
	readouts->posted = readouts->posted || due;
	return due;
}

static void post(struct meter_readouts *readouts)
{
	if (ml_lane_post(ml_engine_lane(readouts->engine, "control"), write_on_control, readouts) ==
		0)
		return;
	pthread_mutex_lock(&readouts->lock);
	readouts->posted = false;
	pthread_mutex_unlock(&readouts->lock);
}

void meter_readouts_tell(struct meter_readouts *readouts, const struct meter_readout_end *end)
{
	/* Whom somebody gave up is as it was. */
	if (!readouts || end->result == METER_FRAME_CANCELLED)
		return;
	const struct meter_readout_moment time = stamp(readouts, end->time);
	bool due = false;
	pthread_mutex_lock(&readouts->lock);
	struct meter_readout_entry *entry = meter_readouts_add(readouts, end->point);
	if (entry) {
		take(entry, end, time);
		readouts->changed = true;
		readouts->kind_changed = readouts->kind_changed || entry->kind_changed;
		/* A continuous readout has no end at which it could be written. */
		due = end->continuous && is_due(readouts, false);
	}
	pthread_mutex_unlock(&readouts->lock);
	atomic_fetch_add_explicit(&readouts->revision, 1, memory_order_release);
	if (due)
		post(readouts);
}

void meter_readouts_settle(struct meter_readouts *readouts)
{
	if (!readouts)
		return;
	pthread_mutex_lock(&readouts->lock);
	const bool due = is_due(readouts, true);
	pthread_mutex_unlock(&readouts->lock);
	if (due)
		post(readouts);
}

/* ---- Asking ---- */

void meter_readouts_get(
	struct meter_readouts *readouts, uint32_t point, struct meter_readout *readout)
{
	struct meter_readout_moment tried = NO_MOMENT, read = NO_MOMENT, failed_since = NO_MOMENT;
	*readout = (struct meter_readout){.point = point};
	if (readouts) {
		pthread_mutex_lock(&readouts->lock);
		const struct meter_readout_entry *entry = meter_readouts_find(readouts, point);
		if (entry) {
			*readout = entry->shown;
			tried = entry->tried;
			read = entry->read;
			failed_since = entry->failed_since;
		}
		pthread_mutex_unlock(&readouts->lock);
	}
	readout->tried = meter_readouts_time(readouts, tried);
	readout->read = meter_readouts_time(readouts, read);
	readout->failed_since = meter_readouts_time(readouts, failed_since);
}

size_t meter_readouts_recent(struct meter_readouts *readouts, uint32_t point,
	struct meter_readout_end *ends, size_t size)
{
	struct meter_readout_recent recent[METER_READOUT_RECENT_MAX];
	size_t count = 0;
	if (!readouts)
		return 0;
	pthread_mutex_lock(&readouts->lock);
	const struct meter_readout_entry *entry = meter_readouts_find(readouts, point);
	for (; entry && count < entry->recent_count && count < size; count++) {
		const size_t back = METER_READOUT_RECENT_MAX - 1 - count;
		recent[count] =
			entry->recent[(entry->recent_next + back) % METER_READOUT_RECENT_MAX];
	}
	pthread_mutex_unlock(&readouts->lock);
	for (size_t i = 0; i < count; i++)
		ends[i] = (struct meter_readout_end){
			.point = point,
			.result = recent[i].result,
			.continuous = recent[i].continuous,
			.telegrams = recent[i].telegrams,
			.tries = recent[i].tries,
			.time = meter_readouts_time(readouts, recent[i].time),
			.took = recent[i].took,
		};
	return count;
}

static void write_time(struct ml_json_writer *w, const char *key, ml_time time)
{
	char text[ML_TIME_TEXT_MAX];
	if (time == ML_TIME_NONE)
		return;
	ml_json_key(w, key);
	ml_json_string_n(w, text, ml_time_format(time, text));
}

void meter_readout_to_json(const struct meter_readout *readout, struct ml_json_writer *w)
{
	ml_json_begin_object(w);
	ML_JSON_KEY(w, "state");
	ml_json_string(w, meter_readout_state_name(readout->state));
	if (readout->state == METER_READOUT_FAILED) {
		ML_JSON_KEY(w, "reason");
		ml_json_string(w, meter_frame_result_name(readout->result));
		ML_JSON_KEY(w, "text");
		ml_json_string(w, meter_readout_text(readout->result));
	}
	write_time(w, "tried", readout->tried);
	write_time(w, "read", readout->read);
	write_time(w, "failed_since", readout->failed_since);
	ML_JSON_KEY(w, "failures");
	ml_json_unsigned(w, readout->failures);
	if (readout->state != METER_READOUT_NEVER) {
		ML_JSON_KEY(w, "telegrams");
		ml_json_unsigned(w, readout->telegrams);
		ML_JSON_KEY(w, "tries");
		ml_json_unsigned(w, readout->tries);
		ML_JSON_KEY(w, "seconds");
		ml_json_decimal(w,
			(struct ml_decimal){.mantissa = readout->took / ML_MSEC, .exponent = -3});
	}
	ml_json_end_object(w);
}

/* ---- The service ---- */

int meter_readouts_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	struct meter_readouts *readouts = calloc(1, sizeof *readouts);
	int result;
	if (!readouts)
		return ml_error_set(err, -ENOMEM, "out of memory");
	readouts->engine = engine;
	readouts->list = meter_list(engine);
	readouts->written = now(readouts);
	atomic_init(&readouts->revision, 0);
	pthread_mutex_init(&readouts->lock, NULL);
	*ret_service = readouts;
	result = ml_database_open(engine, "meterloom", true, &readouts->db, err);
	if (result == 0)
		result = meter_readouts_load(readouts, err);
	if (result < 0) {
		*ret_service = NULL;
		sqlite3_close(readouts->db);
		readouts->db = NULL;
		pthread_mutex_destroy(&readouts->lock);
		free(readouts->entries);
		free(readouts);
	}
	return result;
}

void meter_readouts_stop(void *service)
{
	struct meter_readouts *readouts = service;
	meter_readouts_write(readouts, true);
	sqlite3_close(readouts->db);
	pthread_mutex_destroy(&readouts->lock);
	free(readouts->entries);
	free(readouts);
}
