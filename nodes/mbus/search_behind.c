/* The search for meters: looking behind those that may hide another.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Two meters that answer at quite the same time sound like one where every 0 of the one falls on a
 * 0 of the other: a line is 0 as soon as one sends it. That takes telegrams that are nearly equal,
 * as those of meters of one series are, and a hidden number whose digits have all bits of the one
 * that was heard. So behind a meter of a series only these are looked for. Behind one that was
 * proven to be heard above others, any.
 */
#include "mbus/search_private.h"

enum {
	SERIES_BITS = 12, /* the digits in which numbers of one series may differ */
	NOBODY = 0xFF,
	HEX_END = 15,
};

static bool is_of_series(const struct mbus_search *s, const struct mbus_search_found *found)
{
	for (size_t i = 0; i < s->found_count; i++) {
		const struct mbus_search_found *other = &s->found[i];
		if (other != found && other->kind == MBUS_SEARCH_METER &&
			other->identity.id != found->identity.id &&
			other->identity.id >> SERIES_BITS == found->identity.id >> SERIES_BITS &&
			other->identity.manufacturer == found->identity.manufacturer &&
			other->identity.version == found->identity.version &&
			other->identity.medium == found->identity.medium)
			return true;
	}
	return false;
}

static bool may_hide(const struct mbus_search *s, const struct mbus_search_found *found)
{
	return found->kind == MBUS_SEARCH_METER && found->stage == s->stage &&
	       found->depth < MBUS_SEARCH_DIGITS &&
	       (s->options.thorough || found->hider || is_of_series(s, found));
}

/* The next value at this digit, from `value` on; NOBODY: none is left. */
static uint8_t next_value(
	const struct mbus_search *s, const struct mbus_search_found *found, unsigned value)
{
	const unsigned own = mbus_search_digit(found->identity.id, s->aside);
	const unsigned end = mbus_search_digit_end(s);
	const bool any = s->options.thorough || found->hider;
	for (; value < end; value++) {
		if (value != own && (any || (value & own) == own))
			return (uint8_t)value;
	}
	return NOBODY;
}

bool mbus_search_behind_choose(struct mbus_search *s)
{
	if (s->split_count > 0 && mbus_search_tree_choose(s))
		return true;
	for (; s->place < s->found_count; s->place++, s->aside = NOBODY) {
		const struct mbus_search_found *found = &s->found[s->place];
		if (s->aside == NOBODY) {
			if (!may_hide(s, found))
				continue;
			s->aside = found->depth;
			s->aside_value = 0;
		}
		for (; s->aside < MBUS_SEARCH_DIGITS; s->aside++, s->aside_value = 0) {
			const uint8_t value = next_value(s, found, s->aside_value);
			if (value == NOBODY)
				continue;
			for (unsigned i = 0; i < s->aside; i++)
				s->digits[i] = (uint8_t)mbus_search_digit(found->identity.id, i);
			s->aside_value = s->digits[s->aside] = value;
			s->doing = MBUS_SEARCH_ASIDE;
			return true;
		}
	}
	return false;
}

void mbus_search_behind_came(struct mbus_search *s, const struct mbus_search_answer *answer)
{
	if (s->doing != MBUS_SEARCH_ASIDE) {
		mbus_search_tree_came(s, answer);
		return;
	}
	s->doing = MBUS_SEARCH_NOTHING;
	(void)mbus_search_tree_take(s, answer, s->aside + 1u);
	s->aside_value++;
}
