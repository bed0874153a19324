/* The search for meters: those of one number, by manufacturer, medium and version.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A selection can fix each of them or leave it open, but no part of it: where the digits make a
 * tree, these are lists. So first comes what other meters of this bus have, and all values only
 * where that does not explain what was heard.
 */
#include "mbus/search_private.h"

#include <string.h>

enum {
	MANUFACTURER = 1,
	MEDIUM = 2,
	VERSION = 4,
	ALL = 7,

	LETTERS = 26,
	LETTER_BITS = 5,
	LETTERS_ALL = LETTERS * LETTERS * LETTERS,
	ANY_BYTE = 0xFF,
	ANY_MANUFACTURER = 0xFFFF,
	SEEN_MAX = 200,
};

enum tier {
	SEEN_MANUFACTURERS,
	SEEN_MEDIA,
	SEEN_VERSIONS,
	DOUBT, /* fewer were found than were heard: was it noise? */
	ALL_MEDIA,
	ALL_VERSIONS,
	ALL_MANUFACTURERS,
	TIERS,
};

/* Makers of meters, three letters each: tried where nothing else tells. */
static const char makers[] = "ABBABNACEACGACWADDAEGALGAMTAPAAPTAQMARFASPAUXAXIBARBEEBERBKE"
			     "BMTBSCBSEBTRBXCBYLBZRCENCLOCTIDFSDILDMEDWZDZGEAHEBZEDIEDMEEM"
			     "EFEEFNEFREGMEHLEITEKTELEELFELRELSELVEMCEMHEMOEMUENDENIENPENT"
			     "EONESOESYEUREWTFANFFDFINFISFLOFLSFMLFREGAVGECGEFGMCGMMGMTGOE"
			     "GRXGSPGTEGWFHAGHEGHELHERHIKHTSHYDHYGHZCICMIDEIMTINEINFINVISK"
			     "ISTITAITEITRITUITWITZIWKJANJMTKAMKHLKKEKNXKROKSTLASLECLGBLGD"
			     "LGZLHALIPLMLLSELSPLSZLUGLUNMADMEIMETMIDMIRMKSMMSMNSMOMMPSMRA"
			     "MTCMTIMTSMTXMWUNESNJGNMSNOSNZMNZRONRORMOWEPADPAFPIPPMGPOLPOZ"
			     "PRIPROPWBQDSRACRAMRAYRBMRELREMRIZRKERMGROSRSWSACSANSAPSBCSCH"
			     "SCTSCWSENSEOSGMSIESLBSLXSNRSOFSONSPLSPXSVMTCHTECTEETEXTHETIP"
			     "TLGTRCTRLTSOUAGUGIUTIVERVESVIPVPIVTKWEBWEHWEPWMOWTIWTRWZGWZT"
			     "XMXXTTYTEZAGZELZIVZPAZRIZRM";

static struct mbus_search_attribute *top(struct mbus_search *s)
{
	return &s->attributes[s->attribute_count - 1];
}

static void count(struct mbus_search_attribute *a, unsigned seen)
{
	a->seen = (uint8_t)(a->seen + seen > SEEN_MAX ? SEEN_MAX : a->seen + seen);
}

static bool is_tried(const uint8_t set[32], unsigned value)
{
	return set[value / 8] >> value % 8 & 1;
}

void mbus_search_group_address(const struct mbus_search *s, struct meter_identity *address)
{
	*address = s->attributes[s->attribute_count - 1].address;
}

/* ---- Lists ---- */

/* The meter at this place of those that are known and those that were found; false: none. */
static bool seen_at(const struct mbus_search *s, size_t place, struct meter_identity *identity)
{
	if (place < s->known_count) {
		*identity = s->known[place];
		return true;
	}
	place -= s->known_count;
	if (place >= s->found_count)
		return false;
	*identity = s->found[place].identity;
	return true;
}

static bool was_seen_before(const struct mbus_search *s, size_t place, uint16_t manufacturer)
{
	struct meter_identity other;
	for (size_t i = 0; i < place && seen_at(s, i, &other); i++) {
		if (other.manufacturer == manufacturer)
			return true;
	}
	return false;
}

/* The next manufacturer of those seen. */
static bool next_seen_manufacturer(const struct mbus_search *s, struct mbus_search_attribute *a)
{
	struct meter_identity identity;
	while (seen_at(s, a->next, &identity)) {
		const size_t place = a->next++;
		if (identity.manufacturer == ANY_MANUFACTURER ||
			was_seen_before(s, place, identity.manufacturer))
			continue;
		a->address.manufacturer = identity.manufacturer;
		return true;
	}
	return false;
}

static bool next_seen_byte(
	const struct mbus_search *s, struct mbus_search_attribute *a, unsigned attribute)
{
	struct meter_identity identity;
	uint8_t *tried = a->tried[attribute == VERSION];
	while (seen_at(s, a->next, &identity)) {
		a->next++;
		const uint8_t value = attribute == VERSION ? identity.version : identity.medium;
		if (value == ANY_BYTE || is_tried(tried, value))
			continue;
		tried[value / 8] |= (uint8_t)(1u << value % 8);
		*(attribute == VERSION ? &a->address.version : &a->address.medium) = value;
		return true;
	}
	return false;
}

static bool next_byte(struct mbus_search_attribute *a, unsigned attribute)
{
	const uint8_t *tried = a->tried[attribute == VERSION];
	while (a->next < ANY_BYTE && is_tried(tried, a->next))
		a->next++;
	if (a->next >= ANY_BYTE)
		return false;
	*(attribute == VERSION ? &a->address.version : &a->address.medium) = (uint8_t)a->next++;
	return true;
}

static uint16_t letters(unsigned first, unsigned second, unsigned third)
{
	return (uint16_t)(first << 2 * LETTER_BITS | second << LETTER_BITS | third);
}

static bool next_manufacturer(const struct mbus_search *s, struct mbus_search_attribute *a)
{
	const size_t table = sizeof makers / 3;
	const size_t end = table + (s->options.thorough ? LETTERS_ALL : 0);
	while (a->next < end) {
		const size_t i = a->next++;
		const size_t n = i < table ? 0 : i - table;
		const char *m = &makers[3 * (i < table ? i : 0)];
		const uint16_t code =
			i < table ? letters((unsigned)(m[0] - '@'), (unsigned)(m[1] - '@'),
					    (unsigned)(m[2] - '@'))
				  : letters((unsigned)(n / (LETTERS * LETTERS)) + 1,
					    (unsigned)(n / LETTERS % LETTERS) + 1,
					    (unsigned)(n % LETTERS) + 1);
		if (was_seen_before(s, s->known_count + s->found_count, code))
			continue;
		a->address.manufacturer = code;
		return true;
	}
	return false;
}

/* ---- What to do next ---- */

static unsigned attribute_of(enum tier tier)
{
	static const uint8_t attributes[TIERS] = {
		MANUFACTURER, MEDIUM, VERSION, 0, MEDIUM, VERSION, MANUFACTURER};
	return attributes[tier];
}

static void open_attribute(struct mbus_search_attribute *a, unsigned attribute)
{
	if (attribute & MANUFACTURER)
		a->address.manufacturer = ANY_MANUFACTURER;
	if (attribute & MEDIUM)
		a->address.medium = ANY_BYTE;
	if (attribute & VERSION)
		a->address.version = ANY_BYTE;
}

/* Puts the next value of the tier into the address. */
static bool next_value(struct mbus_search *s, struct mbus_search_attribute *a)
{
	switch ((enum tier)a->tier) {
	case SEEN_MANUFACTURERS:
		return next_seen_manufacturer(s, a);
	case SEEN_MEDIA:
		return next_seen_byte(s, a, MEDIUM);
	case SEEN_VERSIONS:
		return next_seen_byte(s, a, VERSION);
	case ALL_MEDIA:
		return next_byte(a, MEDIUM);
	case ALL_VERSIONS:
		return next_byte(a, VERSION);
	case ALL_MANUFACTURERS:
		return next_manufacturer(s, a);
	default:
		return false;
	}
}

static void push(
	struct mbus_search *s, struct meter_identity address, unsigned fixed, unsigned expected)
{
	struct mbus_search_attribute *a = &s->attributes[s->attribute_count++];
	memset(a, 0, sizeof *a);
	a->address = address;
	a->fixed = (uint8_t)fixed;
	a->expected = (uint8_t)expected;
}

/* Several answer there, and nothing is left by which they could be told apart. */
static void enter_many(struct mbus_search *s, struct meter_identity address)
{
	const struct mbus_search_found found = {
		.kind = MBUS_SEARCH_MANY,
		.mode = MBUS_SEARCH_SECONDARY,
		.identity = address,
	};
	mbus_search_enter(s, &found);
}

static void pop(struct mbus_search *s)
{
	struct mbus_search_attribute *a = top(s);
	open_attribute(a, ALL & ~(unsigned)a->fixed);
	if (a->seen < a->expected) {
		enter_many(s, a->address);
		a->seen = a->expected;
	}
	const unsigned seen = a->seen;
	s->attribute_count--;
	if (s->attribute_count > 0)
		count(top(s), seen);
	else
		s->group_next++;
}

/* Goes on to the next tier, or ends. */
static void next_tier(struct mbus_search *s)
{
	struct mbus_search_attribute *a = top(s);
	open_attribute(a, attribute_of((enum tier)a->tier) & ~(unsigned)a->fixed);
	a->tier++;
	a->next = 0;
	const bool enough = a->seen >= a->expected;
	/* Where three have one number, it is no chance but what meters are delivered with: others
	 * of other makers may have it too. */
	if (enough && a->tier == SEEN_MEDIA && a->fixed == 0 && a->seen > 2)
		a->tier = ALL_MANUFACTURERS;
	else if (enough || a->tier == TIERS)
		pop(s);
}

bool mbus_search_group_choose(struct mbus_search *s)
{
	for (;;) {
		if (s->attribute_count == 0) {
			if (s->group_next >= s->group_count)
				return false;
			const struct meter_identity address = {
				s->groups[s->group_next], ANY_MANUFACTURER, ANY_BYTE, ANY_BYTE};
			s->group_any = false;
			push(s, address, 0, s->group_expected[s->group_next]);
		}
		struct mbus_search_attribute *a = top(s);
		const unsigned attribute = attribute_of((enum tier)a->tier);
		if (a->tier == DOUBT && a->seen < a->expected && a->next == 0) {
			a->next = 1;
			s->doing = MBUS_SEARCH_DOUBT;
			return true;
		}
		if (attribute != 0 && !(a->fixed & attribute) && next_value(s, a)) {
			s->doing = MBUS_SEARCH_VALUE;
			return true;
		}
		next_tier(s);
	}
}

/* ---- What came ---- */

static void take(struct mbus_search *s, const struct mbus_search_answer *answer)
{
	/* One of the fixed structure answers whatever is fixed beside its number. */
	if (!answer->whole && s->group_any)
		return;
	s->group_any |= !answer->whole;
	(void)mbus_search_take(s, answer, MBUS_SEARCH_DIGITS);
	count(top(s), 1);
}

static void enter_unnamed(struct mbus_search *s)
{
	const struct mbus_search_found found = {
		.kind = MBUS_SEARCH_UNNAMED,
		.mode = MBUS_SEARCH_SECONDARY,
		.identity = top(s)->address,
	};
	mbus_search_enter(s, &found);
	count(top(s), 1);
}

static void doubt(struct mbus_search *s, const struct mbus_search_answer *answer)
{
	struct mbus_search_attribute *a = top(s);
	if (answer->outcome == MBUS_SEARCH_SEVERAL) {
		a->expected = (uint8_t)mbus_search_expected(s, answer);
		return;
	}
	s->noisy = true;
	if (answer->outcome == MBUS_SEARCH_ONE)
		take(s, answer);
	if (answer->outcome == MBUS_SEARCH_MUTE && a->seen == 0)
		enter_unnamed(s);
	a->expected = a->seen;
	pop(s);
}

static void value(struct mbus_search *s, const struct mbus_search_answer *answer)
{
	struct mbus_search_attribute *a = top(s);
	const unsigned fixed = a->fixed | attribute_of((enum tier)a->tier);
	if (answer->outcome == MBUS_SEARCH_ONE) {
		take(s, answer);
	} else if (answer->outcome == MBUS_SEARCH_MUTE) {
		enter_unnamed(s);
	} else if (answer->outcome == MBUS_SEARCH_SEVERAL && fixed == ALL) {
		enter_many(s, a->address);
		count(a, 2);
	} else if (answer->outcome == MBUS_SEARCH_SEVERAL) {
		push(s, a->address, fixed, mbus_search_expected(s, answer));
	}
}

void mbus_search_group_came(struct mbus_search *s, const struct mbus_search_answer *answer)
{
	const uint8_t doing = s->doing;
	s->doing = MBUS_SEARCH_NOTHING;
	if (doing == MBUS_SEARCH_DOUBT)
		doubt(s, answer);
	else
		value(s, answer);
}
