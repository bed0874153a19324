/* Readouts: how the last tries to read each point went, for people, lists and servers.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Whoever reads meters (a node of any family) tells when a readout of a point ends; any thread may
 * ask. Current values tell how old a value is, and know of a failure only once it went through
 * `decode` and a store; this is told by the one that asked the meter, at once, and for every point.
 *
 * States and times are kept in meterloom.db: what changed in kind (read, failed, why) at the end of
 * a round, mere times four times an hour, and all of it at an orderly end. So a kill or a power cut
 * loses no more than the kind of the round that ran, and a quarter of an hour of times.
 */
#ifndef METER_READOUT_H
#define METER_READOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/json.h>
#include <meterloom/param.h>

struct meter_readouts;
struct ml_engine;

enum meter_readout_state {
	METER_READOUT_NEVER,  /* nobody tried */
	METER_READOUT_READ,   /* the last try was good */
	METER_READOUT_FAILED, /* the last try failed */
	METER_READOUT_STATES,
};

/* Which of the meters a person wants, as a parameter: one of the states, or this. */
enum { METER_READOUT_ANY = -1 };
extern const struct ml_choice meter_readout_choices[];

enum { METER_READOUT_RECENT_MAX = 16 }; /* of a point, since the start */

/* A readout that ended. */
struct meter_readout_end {
	uint32_t point;     /* key in the meter list */
	uint8_t result;     /* enum meter_frame_result */
	bool continuous;    /* of no round */
	uint16_t telegrams; /* good ones */
	uint16_t tries;     /* of the last request */
	ml_time time;       /* wall, as the clock stamped it */
	ml_time took;       /* from its first byte on the line */
};

/* Times are wall times as far as they are known; ML_TIME_NONE: there is none. */
struct meter_readout {
	uint32_t point;
	uint8_t state;        /* enum meter_readout_state */
	uint8_t result;       /* enum meter_frame_result, of the last try */
	uint16_t telegrams;   /* of the last good one */
	uint16_t tries;       /* of the last one */
	uint32_t failures;    /* in a row */
	ml_time tried;        /* the last end, good or not */
	ml_time read;         /* the last good end */
	ml_time failed_since; /* the first of the failures in a row */
	ml_time took;         /* the last one */
};

/* The readouts of an engine. NULL: this engine has none. Any thread, as all that follows. */
struct meter_readouts *meter_readouts(struct ml_engine *engine);

/* Allocates nothing but for a point that is told of for the first time. */
void meter_readouts_tell(struct meter_readouts *readouts, const struct meter_readout_end *end);

/* A round ended, or something like it: what was told is worth writing down. */
void meter_readouts_settle(struct meter_readouts *readouts);

/* Counts what was told, for a price of one load. */
uint64_t meter_readouts_revision(const struct meter_readouts *readouts);

/* How the point is; one of which nothing was told is METER_READOUT_NEVER. */
void meter_readouts_get(
	struct meter_readouts *readouts, uint32_t point, struct meter_readout *readout);

/* The last ends of a point since the start, the newest first. Returns how many; `size` of
 * METER_READOUT_RECENT_MAX is enough. */
size_t meter_readouts_recent(struct meter_readouts *readouts, uint32_t point,
	struct meter_readout_end *ends, size_t size);

/* "never", "read", "failed". */
const char *meter_readout_state_name(unsigned state);

/* Why a readout failed, for people: "it did not answer". `result` is enum meter_frame_result. */
const char *meter_readout_text(unsigned result);

/* {"state": …, "reason": …, "text": …, "tried": …, "read": …, "failures": …}: one object. */
void meter_readout_to_json(const struct meter_readout *readout, struct ml_json_writer *w);

#endif
