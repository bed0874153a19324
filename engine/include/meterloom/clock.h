/* Time is an input: the engine's clock, real or simulated.
 * SPDX-License-Identifier: Apache-2.0
 *
 * One time type: ml_time, microseconds. Wall time counts from 1970-01-01T00:00:00Z without leap
 * seconds; monotonic time from the start of the clock. Timers run on monotonic time; wall time
 * stamps. No code but engine/core/clock.c asks the system for the time or sleeps.
 */
#ifndef METERLOOM_CLOCK_H
#define METERLOOM_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t ml_time; /* microseconds */

#define ML_MSEC ((ml_time)1000)
#define ML_SEC (1000 * ML_MSEC)
#define ML_MINUTE (60 * ML_SEC)
#define ML_HOUR (60 * ML_MINUTE)
#define ML_DAY (24 * ML_HOUR)
#define ML_NEVER INT64_MAX
#define ML_TIME_NONE INT64_MIN /* no time is given: 0 is one */

struct ml_clock;

/* The system's clock. NULL: out of memory. Thread-safe. */
struct ml_clock *ml_clock_new_real(void);

/* A clock that stands still until it is moved; wall time begins at `wall`. Read and moved by one
 * thread. */
struct ml_clock *ml_clock_new_simulated(ml_time wall);

void ml_clock_free(struct ml_clock *clock); /* accepts NULL */

bool ml_clock_is_simulated(const struct ml_clock *clock);
ml_time ml_clock_monotonic(const struct ml_clock *clock);
ml_time ml_clock_wall(const struct ml_clock *clock);

/* Simulated only: moves monotonic and wall time on to `monotonic` (never back). */
void ml_clock_advance(struct ml_clock *clock, ml_time monotonic);

/* Simulated only: sets the wall time, as an operator or a time server does (a clock jump). */
void ml_clock_set_wall(struct ml_clock *clock, ml_time wall);

/* Whether a time server has set the wall clock and keeps it right, as the kernel tells. A simulated
 * clock: what ml_clock_set_synchronised() said last, at first no. */
bool ml_clock_is_synchronised(const struct ml_clock *clock);
void ml_clock_set_synchronised(struct ml_clock *clock, bool synchronised); /* simulated only */

/* Lets the calling thread rest for a while, or until a signal: for a tool that waits for another
 * process. Whatever lives in an engine has timers instead. */
void ml_clock_rest(ml_time length);

enum { ML_TIME_TEXT_MAX = 32 };

/* "2026-01-31T14:15:00.000Z". Returns the length; out has ML_TIME_TEXT_MAX bytes. Times outside the
 * years 0000 to 9999 are clamped to them. */
size_t ml_time_format(ml_time wall, char *out);

/* Reads "2026-01-31T14:15:00Z", with or without a fraction, with Z or ±hh:mm; a date alone is its
 * midnight UTC. false: it is neither. */
bool ml_time_parse(const char *text, size_t length, ml_time *wall);

#endif
