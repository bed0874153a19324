/* The search for meters on a wired bus: which address is tried next, by what came of those before.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure: no clock, no I/O, no memory but its own struct. Whoever has a line asks for the next probe,
 * does it (mbus/search_probe.h) and tells what came:
 *
 *     while (mbus_search_next(s, &probe)) {
 *             ... select or address the meter, listen, ask it who it is ...
 *             mbus_search_came(s, &answer);
 *     }
 *
 * A primary search goes through the addresses. A secondary one walks the tree of the digits of the
 * number from the first to the last: where several answer, one digit more is fixed. Numbers that
 * several meters have are told apart by manufacturer, medium and version afterwards, and then
 * meters that another may have hidden are looked behind (docs/explanation/bus.md).
 */
#ifndef MBUS_SEARCH_H
#define MBUS_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "meter/identity.h"

enum {
	MBUS_SEARCH_FOUND_MAX = 2048,
	MBUS_SEARCH_RATES_MAX = 8,
	MBUS_SEARCH_MODES = 2,
	MBUS_SEARCH_DIGITS = 8,
	MBUS_SEARCH_GROUPS_MAX = 64,
	MBUS_SEARCH_KNOWN_MAX = 512,
	MBUS_SEARCH_PROGRESS = 10000, /* of the whole search */
};

enum mbus_search_mode { MBUS_SEARCH_PRIMARY, MBUS_SEARCH_SECONDARY };

struct mbus_search_options {
	uint8_t modes[MBUS_SEARCH_MODES]; /* enum mbus_search_mode, in the order they are tried */
	uint8_t mode_count;
	uint32_t rates[MBUS_SEARCH_RATES_MAX];
	uint8_t rate_count;
	uint8_t first, last; /* of the primary addresses */
	bool hex;            /* numbers may hold digits A to E */
	bool thorough;       /* trusts nothing that was heard once, whatever it costs */
	uint8_t retries;     /* of a probe that nobody answers, on a line that is disturbed */
	uint32_t wanted;     /* meters; 0: all there are */
};

struct mbus_search_probe {
	bool secondary;
	uint8_t primary;
	uint8_t address[8]; /* secondary: as in a selection */
	uint32_t baud;
	bool again;   /* this address was probed just now */
	bool careful; /* the line is disturbed: what sounds like several may be noise */
};

enum mbus_search_outcome {
	MBUS_SEARCH_SILENT,  /* nothing was heard */
	MBUS_SEARCH_NOISE,   /* something was, but nobody is there */
	MBUS_SEARCH_ONE,     /* one good telegram, as if of one meter */
	MBUS_SEARCH_SEVERAL, /* they garble each other */
	MBUS_SEARCH_MUTE,    /* acknowledged, and no telegram that tells an identity */
};

struct mbus_search_answer {
	enum mbus_search_outcome outcome;
	uint8_t repeats; /* of the selection within this probe */
	uint8_t heard;   /* bytes of acknowledgements: no meter sends more than one */
	/* of MBUS_SEARCH_ONE */
	struct meter_identity identity;
	bool whole;      /* false: the fixed structure, of which only the number is an address */
	bool disturbed;  /* more was heard than the acknowledgement and the telegram */
	uint8_t primary; /* in the telegram */
};

enum mbus_search_kind {
	MBUS_SEARCH_METER,
	MBUS_SEARCH_UNNAMED, /* somebody answers at this address without telling an identity */
	MBUS_SEARCH_MANY,    /* several answer at this address and cannot be told apart by it */
	MBUS_SEARCH_FOREIGN, /* a meter that answers selections of others, too */
};

struct mbus_search_found {
	struct meter_identity identity; /* UNNAMED, MANY of a secondary search: what was selected */
	uint32_t baud;                  /* at which it answered first */
	uint8_t kind;                   /* enum mbus_search_kind */
	uint8_t mode;                   /* enum mbus_search_mode */
	uint8_t primary;                /* that answered, or that its telegram tells */
	uint8_t depth;                  /* digits that were fixed when it was found */
	uint8_t stage;                  /* in which it answered last */
	bool whole;                     /* as in the answer */
	bool hider;                     /* its good telegram hid others */
	bool twin; /* another with the same identity answers at another primary address */
};

enum mbus_search_end {
	MBUS_SEARCH_GOES_ON,
	MBUS_SEARCH_COMPLETE,
	MBUS_SEARCH_ENOUGH,    /* as many as were wanted */
	MBUS_SEARCH_DISTURBED, /* something answers whatever is selected */
	MBUS_SEARCH_FULL,      /* more than MBUS_SEARCH_FOUND_MAX */
};

/* How far the digits of a number are fixed, one of these a digit. */
struct mbus_search_split {
	uint8_t round;     /* private */
	uint8_t expected;  /* meters, at least, by what was heard of all */
	uint8_t seen;      /* so far, of them; stays at 255 */
	uint16_t answered; /* digits */
};

/* How far manufacturer, medium and version are. */
struct mbus_search_attribute {
	uint8_t fixed;    /* a set of attributes */
	uint8_t tier;     /* private */
	uint8_t expected; /* as above */
	uint8_t seen;
	uint32_t next; /* place in the tier */
	struct meter_identity address;
	uint8_t tried[2][32]; /* versions, media: sets */
};

struct mbus_search {
	struct mbus_search_options options;
	struct mbus_search_found found[MBUS_SEARCH_FOUND_MAX]; /* in the order they were found */
	size_t found_count;
	uint32_t meters; /* of them, those of kind METER */
	enum mbus_search_end end;
	uint64_t probes;  /* so far */
	uint64_t repeats; /* of them: of an address that was probed just before */
	bool noisy;       /* the line was disturbed */
	/* private */
	uint8_t stage; /* modes times rates */
	uint8_t phase;
	uint8_t doing;     /* what the next probe is for */
	uint8_t tries;     /* of it, before */
	uint8_t comparing; /* what is compared was for */
	uint32_t place;    /* in the phase */
	uint8_t digits[MBUS_SEARCH_DIGITS];
	struct mbus_search_split splits[MBUS_SEARCH_DIGITS];
	uint8_t split_count, base; /* the first split is of this digit */
	struct mbus_search_attribute attributes[4];
	uint8_t attribute_count;
	uint32_t groups[MBUS_SEARCH_GROUPS_MAX]; /* numbers that several have */
	uint8_t group_expected[MBUS_SEARCH_GROUPS_MAX];
	uint32_t group_count, group_next;
	bool looked;      /* behind meters, in this stage */
	uint32_t unnamed; /* in this stage */
	bool group_any;   /* one of the fixed structure was counted in this group */
	uint32_t root;    /* what answered when nothing was fixed, from 1; 0: not one alone */
	uint8_t aside;    /* the digit in which another is looked for behind a meter */
	uint8_t aside_value;
	uint8_t habit;                  /* how often what disturbed an answer was no other meter */
	struct mbus_search_answer held; /* a disturbed answer, while it is compared */
	struct meter_identity known[MBUS_SEARCH_KNOWN_MAX];
	size_t known_count;
	uint32_t progress;
};

/* false: the options make no sense. */
bool mbus_search_init(struct mbus_search *s, const struct mbus_search_options *options);

/* A meter that may be on the bus: its manufacturer, medium and version are tried first where
 * several have one number. */
void mbus_search_know(struct mbus_search *s, struct meter_identity identity);

/* What to try next; false: the search is over, see `end`. The same until something came. */
bool mbus_search_next(struct mbus_search *s, struct mbus_search_probe *probe);
void mbus_search_came(struct mbus_search *s, const struct mbus_search_answer *answer);

/* Of MBUS_SEARCH_PROGRESS; never goes back. */
uint32_t mbus_search_progress(const struct mbus_search *s);

#endif
