/* The search for meters, for its own files.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MBUS_SEARCH_PRIVATE_H
#define MBUS_SEARCH_PRIVATE_H

#include "mbus/search.h"

enum mbus_search_phase {
	MBUS_SEARCH_ADDRESSES, /* of a primary search */
	MBUS_SEARCH_TREE,
	MBUS_SEARCH_GROUPS, /* numbers that several have */
	MBUS_SEARCH_BEHIND, /* meters that may hide another */
};

enum mbus_search_doing {
	MBUS_SEARCH_NOTHING, /* the next is to be chosen */
	MBUS_SEARCH_ROOT,    /* all that is selected by no digit */
	MBUS_SEARCH_CHILD,   /* the digit of the last split */
	MBUS_SEARCH_DOUBT,   /* once more what was split */
	MBUS_SEARCH_COMPARE, /* a meter alone whose answer was disturbed */
	MBUS_SEARCH_VALUE,   /* of an attribute */
	MBUS_SEARCH_ASIDE,   /* what a meter could hide */
	MBUS_SEARCH_ADDRESS, /* primary */
};

enum { MBUS_SEARCH_OPEN = 0xF }; /* as a digit */

/* The number selected by the first `count` of these digits. */
uint32_t mbus_search_number(const uint8_t *digits, unsigned count);
unsigned mbus_search_digit(uint32_t number, unsigned place); /* from 0, the first */
uint8_t mbus_search_digit_end(const struct mbus_search *s);  /* 10 or 15 */

/* Enters what was found, unless it is there already. */
void mbus_search_enter(struct mbus_search *s, const struct mbus_search_found *found);
/* Enters the meter that answered when `depth` digits were fixed; its place, from 1. 0: none. */
uint32_t mbus_search_take(
	struct mbus_search *s, const struct mbus_search_answer *answer, unsigned depth);

/* At least so many answered. */
unsigned mbus_search_expected(const struct mbus_search *s, const struct mbus_search_answer *answer);

/* search_tree.c */
void mbus_search_tree_begin(struct mbus_search *s);
/* Splits what the first `depth` digits select. */
void mbus_search_split(struct mbus_search *s, unsigned depth, unsigned expected);
/* Chooses what to do next; false: the tree is done. */
bool mbus_search_tree_choose(struct mbus_search *s);
void mbus_search_tree_came(struct mbus_search *s, const struct mbus_search_answer *answer);
/* What answered at the first `depth` digits of `digits`: enters, splits or defers it. Returns how
 * many meters that counts for. */
unsigned mbus_search_tree_take(
	struct mbus_search *s, const struct mbus_search_answer *answer, unsigned depth);
/* Of 1000000. */
uint32_t mbus_search_tree_share(const struct mbus_search *s);

/* search_group.c */
bool mbus_search_group_choose(struct mbus_search *s);
void mbus_search_group_came(struct mbus_search *s, const struct mbus_search_answer *answer);
void mbus_search_group_address(const struct mbus_search *s, struct meter_identity *address);

/* search_behind.c */
bool mbus_search_behind_choose(struct mbus_search *s);
void mbus_search_behind_came(struct mbus_search *s, const struct mbus_search_answer *answer);

#endif
