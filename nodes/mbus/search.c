/* The search for meters: modes and rates, primary addresses, and what was found.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/search.h"

#include <string.h>

#include "mbus/frame.h"
#include "mbus/link.h"
#include "mbus/search_private.h"

enum {
	HABIT_KNOWN = 3, /* comparisons that agree make a habit of the line */
	DIGIT_BITS = 4,
	UNNAMED_MAX = 64,  /* more of these in one stage, and it is the line that speaks */
	TREE_SHARE = 92,   /* per cent of the progress */
	GROUPS_SHARE = 96, /* up to the end of these */
	MILLION = 1000000,
	ANY_BYTE = 0xFF,
	ANY_MANUFACTURER = 0xFFFF,
};

bool mbus_search_init(struct mbus_search *s, const struct mbus_search_options *options)
{
	memset(s, 0, sizeof *s);
	s->options = *options;
	bool good = options->mode_count > 0 && options->mode_count <= MBUS_SEARCH_MODES &&
		    options->rate_count > 0 && options->rate_count <= MBUS_SEARCH_RATES_MAX &&
		    options->first <= options->last && options->last <= MBUS_ADDRESS_LAST;
	for (size_t i = 0; good && i < options->mode_count; i++)
		good = options->modes[i] <= MBUS_SEARCH_SECONDARY;
	for (size_t i = 0; good && i < options->rate_count; i++)
		good = options->rates[i] > 0;
	s->stage = UINT8_MAX; /* the next is the first */
	s->noisy = options->thorough;
	return good;
}

void mbus_search_know(struct mbus_search *s, struct meter_identity identity)
{
	if (s->known_count < MBUS_SEARCH_KNOWN_MAX)
		s->known[s->known_count++] = identity;
}

/* ---- Numbers ---- */

uint32_t mbus_search_number(const uint8_t *digits, unsigned count)
{
	uint32_t number = 0;
	for (unsigned i = 0; i < MBUS_SEARCH_DIGITS; i++)
		number = number << DIGIT_BITS | (i < count ? digits[i] : MBUS_SEARCH_OPEN);
	return number;
}

unsigned mbus_search_digit(uint32_t number, unsigned place)
{
	return number >> DIGIT_BITS * (MBUS_SEARCH_DIGITS - 1 - place) & 0xF;
}

uint8_t mbus_search_digit_end(const struct mbus_search *s)
{
	return s->options.hex ? MBUS_SEARCH_OPEN : 10;
}

unsigned mbus_search_expected(const struct mbus_search *s, const struct mbus_search_answer *answer)
{
	switch (answer->outcome) {
	case MBUS_SEARCH_SEVERAL:
		/* Noise, and a line that adds bytes of its own, would count. */
		return s->habit == 0 && answer->heard > 2 ? answer->heard : 2;
	case MBUS_SEARCH_ONE:
	case MBUS_SEARCH_MUTE:
		return 1;
	default:
		return 0;
	}
}

/* ---- What was found ---- */

static bool is_same(const struct mbus_search_found *a, const struct mbus_search_found *b)
{
	const bool both_primary = a->mode == MBUS_SEARCH_PRIMARY && b->mode == MBUS_SEARCH_PRIMARY;
	if (a->kind != b->kind)
		return false;
	if (a->kind == MBUS_SEARCH_METER || a->kind == MBUS_SEARCH_FOREIGN)
		return meter_identity_equal(a->identity, b->identity) &&
		       (!both_primary || a->primary == b->primary);
	if (a->mode != b->mode)
		return false;
	return both_primary ? a->primary == b->primary
			    : meter_identity_equal(a->identity, b->identity);
}

/* Its place, from 1; 0: it is not there, and there is no room. */
static uint32_t enter(struct mbus_search *s, const struct mbus_search_found *found)
{
	bool twin = false;
	for (size_t i = 0; i < s->found_count; i++) {
		struct mbus_search_found *other = &s->found[i];
		if (is_same(other, found)) {
			other->stage = s->stage;
			other->depth = found->depth;
			return (uint32_t)i + 1;
		}
		if (found->kind == MBUS_SEARCH_METER && other->kind == MBUS_SEARCH_METER &&
			meter_identity_equal(other->identity, found->identity))
			twin = other->twin = true;
	}
	if (s->found_count == MBUS_SEARCH_FOUND_MAX) {
		s->end = MBUS_SEARCH_FULL;
		return 0;
	}
	struct mbus_search_found *entry = &s->found[s->found_count++];
	*entry = *found;
	entry->stage = s->stage;
	entry->twin = twin;
	s->meters += found->kind == MBUS_SEARCH_METER;
	if (s->options.wanted > 0 && s->meters >= s->options.wanted)
		s->end = MBUS_SEARCH_ENOUGH;
	return (uint32_t)s->found_count;
}

void mbus_search_enter(struct mbus_search *s, const struct mbus_search_found *found)
{
	struct mbus_search_found entry = *found;
	entry.baud = s->options.rates[s->stage % s->options.rate_count];
	(void)enter(s, &entry);
	if (found->kind == MBUS_SEARCH_UNNAMED && found->mode == MBUS_SEARCH_SECONDARY &&
		++s->unnamed > UNNAMED_MAX)
		s->end = MBUS_SEARCH_DISTURBED;
}

static uint8_t stage_mode(const struct mbus_search *s)
{
	return s->options.modes[s->stage / s->options.rate_count];
}

uint32_t mbus_search_take(
	struct mbus_search *s, const struct mbus_search_answer *answer, unsigned depth)
{
	const struct mbus_search_found found = {
		.identity = answer->identity,
		.baud = s->options.rates[s->stage % s->options.rate_count],
		.kind = MBUS_SEARCH_METER,
		.mode = stage_mode(s),
		.primary = answer->primary,
		.depth = (uint8_t)depth,
		.whole = answer->whole,
	};
	return enter(s, &found);
}

/* ---- Primary addresses ---- */

static bool addresses_choose(struct mbus_search *s)
{
	if (s->place > s->options.last)
		return false;
	s->doing = MBUS_SEARCH_ADDRESS;
	return true;
}

static void addresses_came(struct mbus_search *s, const struct mbus_search_answer *answer)
{
	struct mbus_search_found found = {
		.kind = MBUS_SEARCH_UNNAMED,
		.mode = MBUS_SEARCH_PRIMARY,
		.primary = (uint8_t)s->place,
	};
	struct mbus_search_answer one = *answer;
	one.primary = (uint8_t)s->place;
	if (answer->outcome == MBUS_SEARCH_ONE)
		(void)mbus_search_take(s, &one, 0);
	if (answer->outcome == MBUS_SEARCH_SEVERAL)
		found.kind = MBUS_SEARCH_MANY;
	if (answer->outcome == MBUS_SEARCH_SEVERAL || answer->outcome == MBUS_SEARCH_MUTE)
		mbus_search_enter(s, &found);
	s->place++;
}

/* ---- Stages and phases ---- */

static unsigned stages(const struct mbus_search *s)
{
	return (unsigned)s->options.mode_count * s->options.rate_count;
}

static void next_stage(struct mbus_search *s)
{
	s->stage++; /* from UINT8_MAX to 0 */
	s->doing = MBUS_SEARCH_NOTHING;
	s->split_count = s->attribute_count = 0;
	s->place = s->unnamed = s->group_count = s->group_next = s->root = 0;
	s->looked = false;
	if (s->stage >= stages(s)) {
		s->end = MBUS_SEARCH_COMPLETE;
	} else if (stage_mode(s) == MBUS_SEARCH_PRIMARY) {
		s->phase = MBUS_SEARCH_ADDRESSES;
		s->place = s->options.first;
	} else {
		mbus_search_tree_begin(s);
	}
}

static void next_phase(struct mbus_search *s)
{
	s->place = 0;
	s->split_count = 0;
	if (s->phase == MBUS_SEARCH_TREE) {
		s->phase = MBUS_SEARCH_GROUPS;
	} else if (s->phase == MBUS_SEARCH_GROUPS && !s->looked) {
		s->phase = MBUS_SEARCH_BEHIND;
		s->looked = true;
		s->aside = UINT8_MAX; /* nobody is looked behind yet */
	} else if (s->phase == MBUS_SEARCH_BEHIND && s->group_next < s->group_count) {
		s->phase = MBUS_SEARCH_GROUPS; /* found behind others */
	} else {
		next_stage(s);
	}
}

static bool choose(struct mbus_search *s)
{
	switch (s->phase) {
	case MBUS_SEARCH_ADDRESSES:
		return addresses_choose(s);
	case MBUS_SEARCH_TREE:
		return mbus_search_tree_choose(s);
	case MBUS_SEARCH_GROUPS:
		return mbus_search_group_choose(s);
	default:
		return mbus_search_behind_choose(s);
	}
}

/* What the secondary probe selects. */
static void selected(const struct mbus_search *s, struct meter_identity *address)
{
	const unsigned depth = (unsigned)s->base + s->split_count;
	*address = (struct meter_identity){UINT32_MAX, ANY_MANUFACTURER, ANY_BYTE, ANY_BYTE};
	switch (s->doing) {
	case MBUS_SEARCH_CHILD:
		address->id = mbus_search_number(s->digits, depth);
		break;
	case MBUS_SEARCH_ASIDE:
		address->id = mbus_search_number(s->digits, s->aside + 1u);
		break;
	case MBUS_SEARCH_COMPARE:
		*address = s->held.identity;
		break;
	case MBUS_SEARCH_VALUE:
		mbus_search_group_address(s, address);
		break;
	case MBUS_SEARCH_DOUBT:
		if (s->phase == MBUS_SEARCH_GROUPS)
			mbus_search_group_address(s, address);
		else
			address->id = mbus_search_number(s->digits, depth - 1);
		break;
	default:
		break;
	}
}

/* ---- Progress ---- */

/* Of this stage, in millionths. */
static uint64_t share(const struct mbus_search *s)
{
	const uint64_t all = MILLION;
	const uint64_t tree = all * TREE_SHARE / 100;
	const uint64_t groups = all * GROUPS_SHARE / 100;
	switch (s->phase) {
	case MBUS_SEARCH_ADDRESSES:
		return all * (s->place - s->options.first) /
		       ((uint64_t)s->options.last - s->options.first + 1);
	case MBUS_SEARCH_TREE:
		return tree * mbus_search_tree_share(s) / all;
	case MBUS_SEARCH_GROUPS:
		if (s->looked)
			return all;
		return tree + (groups - tree) * s->group_next / (s->group_count + 1);
	default:
		return groups + (all - groups) * s->place / (s->found_count + 1);
	}
}

uint32_t mbus_search_progress(const struct mbus_search *s)
{
	return s->progress;
}

static void tell_progress(struct mbus_search *s)
{
	const uint64_t done = (uint64_t)s->stage * MILLION + share(s);
	uint64_t progress = done * MBUS_SEARCH_PROGRESS / (stages(s) * (uint64_t)MILLION);
	if (s->end == MBUS_SEARCH_COMPLETE || s->end == MBUS_SEARCH_ENOUGH)
		progress = MBUS_SEARCH_PROGRESS;
	if (progress > s->progress)
		s->progress = (uint32_t)progress;
}

/* ---- What comes next ---- */

bool mbus_search_next(struct mbus_search *s, struct mbus_search_probe *probe)
{
	if (s->stage == UINT8_MAX)
		next_stage(s);
	while (s->end == MBUS_SEARCH_GOES_ON && s->doing == MBUS_SEARCH_NOTHING) {
		if (!choose(s))
			next_phase(s);
	}
	tell_progress(s);
	if (s->end != MBUS_SEARCH_GOES_ON)
		return false;
	*probe = (struct mbus_search_probe){
		.secondary = s->doing != MBUS_SEARCH_ADDRESS,
		.baud = s->options.rates[s->stage % s->options.rate_count],
		.again = s->tries > 0,
		.careful = s->noisy || s->habit > 0,
	};
	if (probe->secondary) {
		struct meter_identity address;
		selected(s, &address);
		meter_identity_write(address, probe->address);
	} else {
		probe->primary = (uint8_t)s->place;
	}
	return true;
}

/* ---- What came ---- */

/* Whether the same is tried once more. */
static bool try_again(struct mbus_search *s, const struct mbus_search_answer *answer)
{
	unsigned retries = 0;
	if (answer->outcome == MBUS_SEARCH_NOISE)
		s->noisy = true;
	if (answer->outcome == MBUS_SEARCH_NOISE)
		retries = s->options.retries;
	/* Most of the tree is silent: on a disturbed line once more is worth its time. */
	if (answer->outcome == MBUS_SEARCH_SILENT && s->noisy)
		retries = s->options.thorough || s->options.retries < 1 ? s->options.retries : 1;
	/* Noise, or something that is always there? */
	if (answer->outcome == MBUS_SEARCH_ONE && answer->disturbed && s->habit < HABIT_KNOWN &&
		s->doing != MBUS_SEARCH_COMPARE)
		retries = 1;
	if (answer->outcome == MBUS_SEARCH_ONE && !answer->disturbed && s->tries > 0)
		s->noisy = true;
	if (s->tries >= retries)
		return false;
	s->tries++;
	return true;
}

/* A meter that was not selected is no answer. */
static bool is_foreign(struct mbus_search *s, const struct mbus_search_answer *answer)
{
	uint8_t identity[8], address[8];
	struct meter_identity wanted;
	if (answer->outcome != MBUS_SEARCH_ONE || s->doing == MBUS_SEARCH_ADDRESS)
		return false;
	selected(s, &wanted);
	meter_identity_write(wanted, address);
	meter_identity_write(answer->identity, identity);
	if (mbus_link_matches(identity, answer->whole, address))
		return false;
	const struct mbus_search_found found = {
		.kind = MBUS_SEARCH_FOREIGN,
		.mode = MBUS_SEARCH_SECONDARY,
		.identity = answer->identity,
		.whole = answer->whole,
		.primary = answer->primary,
	};
	mbus_search_enter(s, &found);
	return true;
}

/* A meter that seems to be alone but for something that was heard beside it: selected by all that
 * it is, it must sound the same, or the rest was somebody else. */
static bool compare(struct mbus_search *s, struct mbus_search_answer *answer)
{
	if (s->doing == MBUS_SEARCH_COMPARE) {
		const bool same = answer->outcome == MBUS_SEARCH_ONE &&
				  meter_identity_equal(answer->identity, s->held.identity);
		const bool habit = same && answer->disturbed;
		s->doing = s->comparing;
		*answer = s->held;
		if (habit && s->habit < HABIT_KNOWN)
			s->habit++;
		else if (!habit)
			s->habit = 0;
		if (!habit)
			answer->outcome = MBUS_SEARCH_SEVERAL;
		return false;
	}
	if (answer->outcome != MBUS_SEARCH_ONE || !answer->disturbed || s->habit >= HABIT_KNOWN ||
		s->doing == MBUS_SEARCH_ADDRESS)
		return false;
	s->held = *answer;
	s->comparing = s->doing;
	s->doing = MBUS_SEARCH_COMPARE;
	return true;
}

void mbus_search_came(struct mbus_search *s, const struct mbus_search_answer *came)
{
	static const struct mbus_search_answer silent = {.outcome = MBUS_SEARCH_SILENT};
	struct mbus_search_answer answer = *came;
	if (s->end != MBUS_SEARCH_GOES_ON || s->doing == MBUS_SEARCH_NOTHING)
		return;
	s->probes += 1u + answer.repeats;
	s->repeats += (s->tries > 0 ? 1u : 0u) + answer.repeats;
	if (is_foreign(s, &answer))
		answer = silent;
	else if (try_again(s, &answer))
		return;
	s->tries = 0;
	if (compare(s, &answer))
		return;
	switch (s->phase) {
	case MBUS_SEARCH_ADDRESSES:
		addresses_came(s, &answer);
		s->doing = MBUS_SEARCH_NOTHING;
		break;
	case MBUS_SEARCH_TREE:
		mbus_search_tree_came(s, &answer);
		break;
	case MBUS_SEARCH_GROUPS:
		mbus_search_group_came(s, &answer);
		break;
	default:
		mbus_search_behind_came(s, &answer);
		break;
	}
}
