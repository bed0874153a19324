/* What a meter that answered is to the meter list: new, known, moved, replaced or a duplicate.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A sighting is one answer of a meter: who it is, and how it was reached. Compared with the list it
 * is one of five things, and entering it does what follows from that:
 *
 *     new        no point has this meter, and none is at its address: a point is added with all
 *                that is known of it
 *     known      a point has it where it answered; one that was never read gets its identity
 *     moved      a point has it, but at another bus, primary address or rate: these are changed
 *     replaced   another meter is at the address of a point: a new device begins at the point
 *     duplicate  the same identity answered at two places in one search, or two points claim it:
 *                nothing is changed, a person must decide
 *
 * There are never two points for one meter, and what a person typed (the MOID, the state, how it is
 * addressed) is never changed.
 */
#ifndef METER_SIGHTING_H
#define METER_SIGHTING_H

#include "meter/list.h"

struct ml_engine;
struct ml_lane;

struct meter_sighting {
	struct meter_identity identity;
	bool whole; /* the identity is; else (the fixed data structure) it is compared by its
		     * address alone */
	char bus[METER_BUS_MAX];
	uint32_t baud;     /* at which it answered */
	uint32_t bus_baud; /* of the bus, for points without a rate of their own */
	uint8_t mode;      /* enum meter_mode: how it was asked */
	bool has_primary;  /* asked at it; or told in its answer, where it was selected */
	uint8_t primary;
	struct meter_identity selection; /* but for METER_MODE_PRIMARY: by which it was selected */
	uint32_t point;  /* whose address was asked; 0: it was found without one (a search) */
	uint64_t search; /* the same number for all that is found in one search, over all its
			  * buses: the number of its job; 0: it is seen by itself */
};

enum meter_sighting_kind {
	METER_SIGHTING_NEW,
	METER_SIGHTING_KNOWN,
	METER_SIGHTING_MOVED,
	METER_SIGHTING_REPLACED,
	METER_SIGHTING_DUPLICATE,
};

enum { METER_VERDICT_TEXT_MAX = 320 };

struct meter_verdict {
	enum meter_sighting_kind kind;
	uint32_t
		point; /* that has it, or would be asked for; of a new one: 0 until it is entered */
	uint32_t other;                 /* another point that the text names; 0: none */
	bool first;                     /* of a known one: it answered for the first time */
	bool again;                     /* it was seen in this search already, at the same place */
	struct meter_settings settings; /* of the point as they are to be */
	char text[METER_VERDICT_TEXT_MAX]; /* what was found and, where there is something, what to
					    * do: for people */
};

/* "new", "known", "moved", "replaced", "duplicate". */
const char *meter_sighting_kind_name(enum meter_sighting_kind kind);

/* Compares. `seen` are the sightings of the same search until now. Pure. */
void meter_sighting_compare(const struct meter_snapshot *snapshot,
	const struct meter_sighting *sighting, const struct meter_sighting *seen, size_t seen_count,
	struct meter_verdict *verdict);

/* Compares and does what follows from it; an error: the list could not be written, or is full. The
 * list itself remembers what was seen in a search. The control lane. */
int meter_sighting_enter(struct meter_list *list, const struct meter_sighting *sighting,
	ml_time time, struct meter_verdict *verdict, struct ml_error *err);

/* Writes `"result": "moved", "point": 12, "text": "..."` into an object that was begun. */
void meter_verdict_to_json(const struct meter_verdict *verdict, struct ml_json_writer *w);

/* ---- From another lane ---- */

/* One that is on its way to the list and back. */
struct meter_entry;

/* Has a sighting (copied) entered on the control lane; `done` is then called on `lane`, never from
 * within this: `err` is NULL, or says why the list took nothing, and the verdict holds all the
 * same. NULL: out of memory, or the engine ends; `done` is not called. On `lane`. */
struct meter_entry *meter_sighting_send(struct ml_engine *engine, struct ml_lane *lane,
	const struct meter_sighting *sighting,
	void (*done)(void *user, const struct meter_verdict *verdict, const struct ml_error *err),
	void *user);

/* Whoever sent it waits no longer: `done` will not be called. It is entered all the same. On its
 * lane; not after `done`. */
void meter_entry_forget(struct meter_entry *entry);

#endif
