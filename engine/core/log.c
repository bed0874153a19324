/* The log: a ring of entries, sinks, and flood control.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <meterloom/log.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

/* A text that was logged less than a minute ago. */
struct flood {
	ml_time until; /* monotonic */
	uint32_t count;
	enum ml_log_level level; /* the highest of the copies */
	char origin[ML_LOG_ORIGIN_MAX];
	char text[ML_LOG_TEXT_MAX];
};

struct subscriber {
	int id;
	enum ml_log_level minimum;
	ml_log_sink sink;
	void *context;
};

struct ml_log {
	const struct ml_clock *clock;
	atomic_int minimum;
	atomic_uint_least64_t lost;
	pthread_mutex_t lock; /* all below; it tells when a sink calls back */
	uint64_t sequence;
	uint64_t skipped; /* numbers that no entry of this log has: those before its first */
	struct ml_log_entry **ring; /* owned; by sequence modulo keep */
	size_t keep;
	struct subscriber *subscribers;
	size_t subscriber_count;
	int last_id;
	ml_time due;                        /* no flood ends before */
	uint64_t hashes[ML_LOG_FLOODS];     /* of origin and text; 0: free */
	struct flood floods[ML_LOG_FLOODS]; /* in the places of the hashes */
};

struct ml_log *ml_log_new(const struct ml_clock *clock, size_t keep)
{
	struct ml_log *log = calloc(1, sizeof *log);
	if (!log)
		return NULL;
	log->clock = clock;
	log->keep = keep ? keep : ML_LOG_KEEP;
	log->due = ML_NEVER;
	atomic_init(&log->minimum, ML_LOG_INFO);
	atomic_init(&log->lost, 0);
	log->ring = calloc(log->keep, sizeof *log->ring);
	if (!log->ring)
		goto fail;
	pthread_mutexattr_t attributes;
	if (pthread_mutexattr_init(&attributes) != 0)
		goto fail;
	(void)pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
	const int result = pthread_mutex_init(&log->lock, &attributes);
	(void)pthread_mutexattr_destroy(&attributes);
	if (result != 0)
		goto fail;
	return log;
fail:
	free(log->ring);
	free(log);
	return NULL;
}

/* false: a sink calls the log that is calling it. */
static bool lock(struct ml_log *log)
{
	return pthread_mutex_lock(&log->lock) == 0;
}

static void unlock(struct ml_log *log)
{
	(void)pthread_mutex_unlock(&log->lock);
}

/* ---- Text ---- */

/* The end of the last whole character within `size` bytes. */
static size_t whole_end(const char *text, size_t size)
{
	size_t end = size;
	while (end > 0 && ((unsigned char)text[end] & 0xC0) == 0x80)
		end--;
	return end;
}

/* Makes one line of printable UTF-8 of it, in place. */
static void clean(char *text)
{
	const size_t length = strlen(text);
	unsigned char *const bytes = (unsigned char *)text;
	for (size_t at = 0; at < length;) {
		size_t bad;
		if (bytes[at] < 0x80) {
			if (bytes[at] == '\n' || bytes[at] == '\r' || bytes[at] == '\t')
				text[at] = ' ';
			else if (bytes[at] < 0x20 || bytes[at] == 0x7F)
				text[at] = '?';
			at++;
			continue;
		}
		const size_t whole = utf8_length(bytes + at, length - at, &bad);
		/* U+0080 to U+009F are control characters too. */
		const bool control = whole == 2 && bytes[at] == 0xC2 && bytes[at + 1] < 0xA0;
		const size_t take = whole ? whole : bad;
		if (!whole || control)
			memset(text + at, '?', take);
		at += take;
	}
}

static void copy_cut(char *out, size_t size, const char *text)
{
	size_t length = strlen(text);
	if (length >= size)
		length = whole_end(text, size - 1);
	memcpy(out, text, length);
	out[length] = '\0';
}

static void format_text(char *out, size_t size, const char *format, va_list args) ML_PRINTF(3, 0);

static void format_text(char *out, size_t size, const char *format, va_list args)
{
	const int length = vsnprintf(out, size, format, args);
	if (length < 0)
		(void)snprintf(out, size, "(a log text that cannot be formatted: %s)", format);
	else if ((size_t)length >= size) {
		/* The character that was cut, if one was, ends where its lead byte begins. */
		size_t end = size - 1;
		while (end > 0 && ((unsigned char)out[end - 1] & 0xC0) == 0x80)
			end--;
		size_t bad;
		if (end > 0 && (unsigned char)out[end - 1] >= 0xC0 &&
			utf8_length((unsigned char *)out + end - 1, size - end, &bad) == 0)
			out[end - 1] = '\0';
	}
	clean(out);
}

/* ---- Entries ---- */

/* Keeps an entry and tells it to the sinks. Under the lock. */
static void emit(struct ml_log *log, enum ml_log_level level, uint32_t suppressed,
	const char *origin, const char *text)
{
	const size_t origin_size = strlen(origin) + 1, text_size = strlen(text) + 1;
	struct ml_log_entry *entry = malloc(sizeof *entry + origin_size + text_size);
	if (!entry) {
		atomic_fetch_add(&log->lost, 1);
		return;
	}
	char *tail = (char *)(entry + 1);
	memcpy(tail, origin, origin_size);
	memcpy(tail + origin_size, text, text_size);
	*entry = (struct ml_log_entry){
		.sequence = ++log->sequence,
		.wall = ml_clock_wall(log->clock),
		.monotonic = ml_clock_monotonic(log->clock),
		.level = level,
		.suppressed = suppressed,
		.origin = tail,
		.text = tail + origin_size,
	};
	struct ml_log_entry **place = &log->ring[entry->sequence % log->keep];
	free(*place);
	*place = entry;
	for (size_t i = 0; i < log->subscriber_count; i++) {
		const struct subscriber *s = &log->subscribers[i];
		if (level >= s->minimum)
			s->sink(entry, s->context);
	}
}

/* ---- Flood control ---- */

/* FNV-1a, with the NUL so that origin and text stay apart. */
static uint64_t hash_on(uint64_t hash, const char *text)
{
	const size_t size = strlen(text) + 1;
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001B3);
	return hash;
}

static uint64_t hash_of(const char *origin, const char *text)
{
	const uint64_t hash = hash_on(hash_on(UINT64_C(0xCBF29CE484222325), origin), text);
	return hash ? hash : 1;
}

/* Ends a flood: tells how many copies were held back, if any were. */
static void end_flood(struct ml_log *log, size_t place)
{
	const struct flood *flood = &log->floods[place];
	log->hashes[place] = 0;
	if (flood->count == 0)
		return;
	char text[ML_LOG_TEXT_MAX + 64], cut[ML_LOG_TEXT_MAX];
	(void)snprintf(text, sizeof text, "held back %u %s of: %s", flood->count,
		flood->count == 1 ? "copy" : "copies", flood->text);
	copy_cut(cut, sizeof cut, text);
	emit(log, flood->level, flood->count, flood->origin, cut);
}

/* Ends the floods whose minute is over. */
static void end_due_floods(struct ml_log *log, ml_time now)
{
	if (now < log->due)
		return;
	log->due = ML_NEVER;
	for (size_t i = 0; i < ML_LOG_FLOODS; i++) {
		if (!log->hashes[i])
			continue;
		if (log->floods[i].until <= now)
			end_flood(log, i);
		else if (log->floods[i].until < log->due)
			log->due = log->floods[i].until;
	}
}

/* true: it is a copy, and was counted. Else a new minute begins. */
static bool is_flood(struct ml_log *log, enum ml_log_level level, const char *origin,
	const char *text, ml_time now)
{
	const uint64_t hash = hash_of(origin, text);
	size_t place = 0; /* a free one, else the one that ends first */
	for (size_t i = 0; i < ML_LOG_FLOODS; i++) {
		struct flood *flood = &log->floods[i];
		if (log->hashes[i] == hash && strcmp(flood->origin, origin) == 0 &&
			strcmp(flood->text, text) == 0) {
			flood->count += flood->count < UINT32_MAX;
			if (level > flood->level)
				flood->level = level;
			return true;
		}
		if (log->hashes[place] &&
			(!log->hashes[i] || flood->until < log->floods[place].until))
			place = i;
	}
	if (log->hashes[place])
		end_flood(log, place);
	log->hashes[place] = hash;
	struct flood *flood = &log->floods[place];
	flood->until = now + ML_LOG_FLOOD_TIME;
	flood->count = 0;
	flood->level = level;
	copy_cut(flood->origin, sizeof flood->origin, origin);
	copy_cut(flood->text, sizeof flood->text, text);
	if (flood->until < log->due)
		log->due = flood->until;
	return false;
}

ml_time ml_log_due(struct ml_log *log)
{
	ml_time due = ML_NEVER;
	if (!lock(log))
		return due;
	for (size_t i = 0; i < ML_LOG_FLOODS; i++) {
		if (log->hashes[i] && log->floods[i].count && log->floods[i].until < due)
			due = log->floods[i].until;
	}
	unlock(log);
	return due;
}

void ml_log_flush(struct ml_log *log)
{
	if (!lock(log))
		return;
	end_due_floods(log, ml_clock_monotonic(log->clock));
	unlock(log);
}

/* ---- What callers see ---- */

void ml_log_free(struct ml_log *log)
{
	if (!log)
		return;
	if (lock(log)) {
		for (size_t i = 0; i < ML_LOG_FLOODS; i++) {
			if (log->hashes[i])
				end_flood(log, i);
		}
		unlock(log);
	}
	(void)pthread_mutex_destroy(&log->lock);
	for (size_t i = 0; i < log->keep; i++)
		free(log->ring[i]);
	free(log->ring);
	free(log->subscribers);
	free(log);
}

void ml_log_set_minimum(struct ml_log *log, enum ml_log_level minimum)
{
	atomic_store_explicit(&log->minimum, (int)minimum, memory_order_relaxed);
}

bool ml_log_wants(const struct ml_log *log, enum ml_log_level level)
{
	return log && (int)level >= atomic_load_explicit(&log->minimum, memory_order_relaxed);
}

void ml_log_va(struct ml_log *log, enum ml_log_level level, const char *origin, const char *format,
	va_list args)
{
	if (!ml_log_wants(log, level))
		return;
	char text[ML_LOG_TEXT_MAX], from[ML_LOG_ORIGIN_MAX];
	format_text(text, sizeof text, format, args);
	copy_cut(from, sizeof from, origin ? origin : "");
	clean(from);
	if (!lock(log)) {
		atomic_fetch_add(&log->lost, 1);
		return;
	}
	const ml_time now = ml_clock_monotonic(log->clock);
	end_due_floods(log, now);
	if (!is_flood(log, level, from, text, now))
		emit(log, level, 0, from, text);
	unlock(log);
}

void ml_log(
	struct ml_log *log, enum ml_log_level level, const char *origin, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	ml_log_va(log, level, origin, format, args);
	va_end(args);
}

int ml_log_subscribe(struct ml_log *log, enum ml_log_level minimum, ml_log_sink sink, void *context)
{
	int result = -ENOMEM;
	if (!lock(log))
		return -EDEADLK;
	struct subscriber *grown =
		realloc(log->subscribers, (log->subscriber_count + 1) * sizeof *grown);
	if (grown) {
		result = ++log->last_id;
		log->subscribers = grown;
		grown[log->subscriber_count++] =
			(struct subscriber){result, minimum, sink, context};
	}
	unlock(log);
	return result;
}

void ml_log_unsubscribe(struct ml_log *log, int subscription)
{
	if (!lock(log))
		return;
	for (size_t i = 0; i < log->subscriber_count; i++) {
		if (log->subscribers[i].id != subscription)
			continue;
		log->subscriber_count--;
		memmove(&log->subscribers[i], &log->subscribers[i + 1],
			(log->subscriber_count - i) * sizeof *log->subscribers);
		break;
	}
	unlock(log);
}

uint64_t ml_log_list(struct ml_log *log, uint64_t sequence, enum ml_log_level minimum,
	ml_log_sink sink, void *context)
{
	if (!lock(log))
		return sequence;
	const uint64_t newest = log->sequence;
	const uint64_t oldest = newest > log->keep ? newest - log->keep : 0;
	const uint64_t before = oldest > log->skipped ? oldest : log->skipped;
	for (uint64_t s = (sequence > before ? sequence : before) + 1; s <= newest; s++) {
		const struct ml_log_entry *entry = log->ring[s % log->keep];
		if (entry->level >= minimum)
			sink(entry, context);
	}
	unlock(log);
	return newest;
}

/* Turns the ring by so many places: a rotation in place, by three reversals. */
static void reverse(struct ml_log_entry **ring, size_t from, size_t to)
{
	while (from + 1 < to) {
		struct ml_log_entry *entry = ring[from];
		ring[from++] = ring[--to];
		ring[to] = entry;
	}
}

void ml_log_skip(struct ml_log *log, uint64_t count)
{
	if (!lock(log))
		return;
	const size_t turn = (size_t)(count % log->keep);
	reverse(log->ring, 0, log->keep);
	reverse(log->ring, 0, turn);
	reverse(log->ring, turn, log->keep);
	for (size_t i = 0; i < log->keep; i++) {
		if (log->ring[i])
			log->ring[i]->sequence += count;
	}
	log->sequence += count;
	log->skipped += count;
	unlock(log);
}

uint64_t ml_log_lost(const struct ml_log *log)
{
	return atomic_load(&log->lost);
}
