/* The log: levels, origins, sinks, a ring of the last entries, and flood control.
 * SPDX-License-Identifier: Apache-2.0
 *
 * One entry is one line of text from one origin: the id of a node, or the name of a module
 * ("engine", "http"). Control characters and bytes that are not UTF-8 become '?', line breaks
 * become spaces, so that no telegram can write on a terminal. Secrets (keys, passwords, tokens)
 * never go into the log: name them, never print them.
 *
 * Flood control: an entry with the origin and the text of one that was logged less than a minute
 * ago is only counted; when the minute is over, one line tells the count, and the next copy is
 * logged and begins a new minute. Time comes from the given clock alone.
 *
 * Thread-safety: all functions but ml_log_free() may be called from any thread. Sinks are called
 * one at a time, under the log's lock and in the order of the entries: they must not block for long
 * and must not use this log; an entry that a sink tries to log is counted as lost.
 */
#ifndef METERLOOM_LOG_H
#define METERLOOM_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/error.h>
#include <meterloom/json.h>

enum ml_log_level { ML_LOG_DEBUG, ML_LOG_INFO, ML_LOG_WARNING, ML_LOG_ERROR };

enum {
	ML_LOG_ORIGIN_MAX = 64, /* bytes, with the NUL; longer ones are cut at a UTF-8 border */
	ML_LOG_TEXT_MAX = 512,  /* the same */
	ML_LOG_KEEP = 500,      /* entries of the ring, unless said otherwise */
	ML_LOG_FLOODS = 128,    /* texts that flood control knows at a time; the oldest gives way */
};

#define ML_LOG_FLOOD_TIME ML_MINUTE

struct ml_log;

struct ml_log_entry {
	uint64_t sequence; /* from 1, without gaps but for lost entries */
	ml_time wall;
	ml_time monotonic;
	enum ml_log_level level;
	uint32_t suppressed; /* not 0: the line that tells how many copies were held back */
	bool uncertain;      /* the clock was not known to be right; a log itself leaves it false */
	const char *origin;
	const char *text;
};

/* Called with each entry; the entry is valid until it returns. */
typedef void (*ml_log_sink)(const struct ml_log_entry *entry, void *context);

/* A log that keeps the last `keep` entries (0: ML_LOG_KEEP). Its lowest level is ML_LOG_INFO. The
 * clock must outlive it. NULL: out of memory. */
struct ml_log *ml_log_new(const struct ml_clock *clock, size_t keep);

/* Tells the counts that flood control still holds, then frees. Accepts NULL. */
void ml_log_free(struct ml_log *log);

/* Entries below `minimum` are neither kept nor told. */
void ml_log_set_minimum(struct ml_log *log, enum ml_log_level minimum);
bool ml_log_wants(const struct ml_log *log, enum ml_log_level level); /* false for NULL */

/* Logs one line. Does nothing where `log` is NULL. */
void ml_log(struct ml_log *log, enum ml_log_level level, const char *origin, const char *format,
	...) ML_PRINTF(4, 5);
void ml_log_va(struct ml_log *log, enum ml_log_level level, const char *origin, const char *format,
	va_list args) ML_PRINTF(4, 0);

/* Calls `sink` with all entries from `minimum` up that come from now on. Returns the subscription,
 * or a negative errno: -ENOMEM. */
int ml_log_subscribe(
	struct ml_log *log, enum ml_log_level minimum, ml_log_sink sink, void *context);

/* When it returns, the sink is not running and will not be called again. */
void ml_log_unsubscribe(struct ml_log *log, int subscription);

/* Calls `sink` with the kept entries after `sequence` (0: from the first), oldest first. Returns
 * the sequence of the newest entry: give it the next time to get what came in between. */
uint64_t ml_log_list(struct ml_log *log, uint64_t sequence, enum ml_log_level minimum,
	ml_log_sink sink, void *context);

/* Raises the numbers of all entries by `count`, and so those to come: they go on where those of an
 * earlier start ended. The numbers are those that ml_log_list() gives from then on. */
void ml_log_skip(struct ml_log *log, uint64_t count);

/* Entries that got lost: no memory, or logged by a sink. */
uint64_t ml_log_lost(const struct ml_log *log);

/* Monotonic time at which a count of flood control is due, ML_NEVER where none is. Counts that are
 * due are told by ml_log_flush(), by the next entry of any origin, and when the log is freed: who
 * has a loop calls ml_log_flush() at that time. */
ml_time ml_log_due(struct ml_log *log);
void ml_log_flush(struct ml_log *log);

/* "debug", "info", "warning" or "error". */
const char *ml_log_level_name(enum ml_log_level level);
bool ml_log_level_parse(const char *name, enum ml_log_level *level);

/* {"sequence": 7, "time": "…", "level": "warning", "origin": "bus", "text": "…"}, and where they
 * apply "suppressed": 3 and "uncertain": true. */
void ml_log_write_json(const struct ml_log_entry *entry, struct ml_json_writer *w);

/* ---- A sink for terminals and files: one line an entry, one write a line ---- */

struct ml_zone;

struct ml_log_terminal {
	int fd;
	bool colour;                /* escape sequences by level */
	const struct ml_zone *zone; /* of the times; NULL: UTC */
};

/* `2026-01-31 14:15:00.000 warning bus: no answer`. The context is a struct ml_log_terminal. */
void ml_log_to_terminal(const struct ml_log_entry *entry, void *context);

#endif
