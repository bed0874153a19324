/* The search for meters: the tree of the digits of a number.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/search_private.h"

enum {
	ROUND_DIGITS, /* one after the other */
	ROUND_DOUBT,  /* fewer were found than were heard: was it noise? */
	ROUND_AGAIN,  /* it was not: those that were silent, and all values of a digit */
	ROUND_OPEN,   /* nobody: the digit is F, which only a selection that leaves it open finds */
	HEX_END = 15,
	SEEN_MAX = 255,
};

static struct mbus_search_split *top(struct mbus_search *s)
{
	return &s->splits[s->split_count - 1];
}

/* The place of the digit that the last split is about. */
static unsigned top_place(const struct mbus_search *s)
{
	return (unsigned)s->base + s->split_count - 1u;
}

static void count(struct mbus_search_split *split, unsigned seen)
{
	split->seen =
		(uint8_t)(seen > (unsigned)SEEN_MAX - split->seen ? SEEN_MAX : split->seen + seen);
}

void mbus_search_tree_begin(struct mbus_search *s)
{
	s->phase = MBUS_SEARCH_TREE;
	s->doing = MBUS_SEARCH_ROOT;
}

void mbus_search_split(struct mbus_search *s, unsigned depth, unsigned expected)
{
	if (s->split_count == 0)
		s->base = (uint8_t)depth;
	s->splits[s->split_count++] = (struct mbus_search_split){.expected = (uint8_t)expected};
	s->digits[depth] = 0;
}

/* The last split is done. */
static void pop(struct mbus_search *s)
{
	const struct mbus_search_split done = *top(s);
	s->split_count--;
	if (s->split_count == 0) {
		/* One that seemed to be alone on the bus was heard above all others. */
		if (s->phase == MBUS_SEARCH_TREE && s->root > 0 && done.seen > 1)
			s->found[s->root - 1].hider = true;
		return;
	}
	struct mbus_search_split *parent = top(s);
	count(parent, done.seen);
	s->digits[top_place(s)]++;
}

static void add_group(struct mbus_search *s, uint32_t number, unsigned expected)
{
	if (s->group_count == MBUS_SEARCH_GROUPS_MAX) {
		s->end = MBUS_SEARCH_DISTURBED;
		return;
	}
	s->group_expected[s->group_count] = (uint8_t)expected;
	s->groups[s->group_count++] = number;
}

static void add_unnamed(struct mbus_search *s, uint32_t number)
{
	const struct mbus_search_found found = {
		.kind = MBUS_SEARCH_UNNAMED,
		.mode = MBUS_SEARCH_SECONDARY,
		.identity = {number, 0xFFFF, 0xFF, 0xFF},
	};
	mbus_search_enter(s, &found);
}

unsigned mbus_search_tree_take(
	struct mbus_search *s, const struct mbus_search_answer *answer, unsigned depth)
{
	const bool several = answer->outcome == MBUS_SEARCH_SEVERAL;
	const uint32_t number = mbus_search_number(s->digits, depth);
	const unsigned expected = mbus_search_expected(s, answer);
	if (answer->outcome == MBUS_SEARCH_ONE) {
		(void)mbus_search_take(s, answer, depth);
		return 1;
	}
	if (!several && answer->outcome != MBUS_SEARCH_MUTE)
		return 0;
	if (depth < MBUS_SEARCH_DIGITS) {
		mbus_search_split(s, depth, expected);
		return 0;
	}
	if (several)
		add_group(s, number, expected);
	else
		add_unnamed(s, number);
	return expected;
}

/* ---- What to do next ---- */

/* Something was heard here that nobody found explains. */
static bool go_on_open(struct mbus_search *s)
{
	struct mbus_search_split *split = top(s);
	const unsigned place = top_place(s);
	if (split->seen > 0 || place + 1 == MBUS_SEARCH_DIGITS || split->round == ROUND_OPEN)
		return false;
	split->round = ROUND_OPEN;
	s->digits[place] = MBUS_SEARCH_OPEN;
	mbus_search_split(s, place + 1, split->expected);
	return true;
}

bool mbus_search_tree_choose(struct mbus_search *s)
{
	while (s->split_count > 0) {
		struct mbus_search_split *split = top(s);
		uint8_t *digit = &s->digits[top_place(s)];
		if (split->round == ROUND_AGAIN) {
			while (*digit < HEX_END && (split->answered >> *digit & 1))
				(*digit)++;
		}
		const uint8_t end = split->round == ROUND_DIGITS  ? mbus_search_digit_end(s)
				    : split->round == ROUND_AGAIN ? HEX_END
								  : 0;
		if (*digit < end) {
			s->doing = MBUS_SEARCH_CHILD;
			return true;
		}
		if (split->round == ROUND_DIGITS && split->seen < split->expected) {
			split->round = ROUND_DOUBT;
			s->doing = MBUS_SEARCH_DOUBT;
			return true;
		}
		if (split->round != ROUND_AGAIN || !go_on_open(s))
			pop(s);
	}
	return false;
}

/* ---- What came ---- */

/* All that is selected once more. */
static void doubt(struct mbus_search *s, const struct mbus_search_answer *answer)
{
	struct mbus_search_split *split = top(s);
	const unsigned expected = mbus_search_expected(s, answer);
	if (expected > split->seen && answer->outcome != MBUS_SEARCH_ONE) {
		split->expected = (uint8_t)expected;
		split->round = ROUND_AGAIN;
		s->digits[top_place(s)] = 0;
		return;
	}
	s->noisy = true;
	if (answer->outcome == MBUS_SEARCH_ONE) {
		(void)mbus_search_take(s, answer, top_place(s));
		split->seen = split->seen > 0 ? split->seen : 1;
	}
	pop(s);
}

static void child(struct mbus_search *s, const struct mbus_search_answer *answer)
{
	struct mbus_search_split *split = top(s);
	const unsigned splits = s->split_count;
	uint8_t *digit = &s->digits[top_place(s)];
	if (answer->outcome != MBUS_SEARCH_SILENT && answer->outcome != MBUS_SEARCH_NOISE)
		split->answered |= (uint16_t)(1u << *digit);
	count(split, mbus_search_tree_take(s, answer, top_place(s) + 1));
	if (s->split_count == splits)
		(*digit)++;
}

/* Nothing is fixed. However it sounds, the first digit is split: one strong meter may be heard
 * above all others, and some meters do not answer to this. */
static void root(struct mbus_search *s, const struct mbus_search_answer *answer)
{
	if (answer->outcome == MBUS_SEARCH_ONE)
		s->root = mbus_search_take(s, answer, 1);
	mbus_search_split(s, 0, mbus_search_expected(s, answer));
}

void mbus_search_tree_came(struct mbus_search *s, const struct mbus_search_answer *answer)
{
	const uint8_t doing = s->doing;
	s->doing = MBUS_SEARCH_NOTHING;
	if (doing == MBUS_SEARCH_ROOT)
		root(s, answer);
	else if (doing == MBUS_SEARCH_DOUBT)
		doubt(s, answer);
	else
		child(s, answer);
}

uint32_t mbus_search_tree_share(const struct mbus_search *s)
{
	const uint64_t all = UINT64_C(10000000000), millionth = 10000;
	const uint8_t base = mbus_search_digit_end(s);
	uint64_t unit = all, share = 0;
	for (unsigned i = 0; i < s->split_count; i++) {
		/* What is tried once more stays at the end of its own. */
		const bool more = s->splits[i].round != ROUND_DIGITS || s->digits[i] >= base;
		unit /= base;
		share += unit * (more ? base - 1u : s->digits[i]);
		if (more)
			break;
	}
	return (uint32_t)(share / millionth);
}
