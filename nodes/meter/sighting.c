/* What a meter that answered is to the meter list: the comparison.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meter/sighting.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "meter/list_private.h"

static const char *const kind_names[] = {"new", "known", "moved", "replaced", "duplicate"};

const char *meter_sighting_kind_name(enum meter_sighting_kind kind)
{
	return (size_t)kind < sizeof kind_names / sizeof *kind_names ? kind_names[kind] : "unknown";
}

/* ---- Words ---- */

enum { PLACE_MAX = METER_ADDRESS_WORDS_MAX + 24 };

__attribute__((format(printf, 2, 3))) static void tell(
	struct meter_verdict *verdict, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(verdict->text, sizeof verdict->text, format, args);
	va_end(args);
}

/* ---- Places ---- */

/* Between these a meter was given the address; 0 is as delivered, and what stands in an answer
 * beyond them (253) says nothing. */
static bool is_given(const struct meter_sighting *s)
{
	return s->has_primary && s->primary >= 1 && s->primary <= 250;
}

/* Asked at it, or told in a way that can be trusted. */
static bool knows_primary(const struct meter_sighting *s)
{
	return s->mode == METER_MODE_PRIMARY ? s->has_primary : is_given(s);
}

static void place_of_sighting(const struct meter_sighting *s, char place[PLACE_MAX])
{
	struct meter_settings at = {
		.mode = knows_primary(s) ? METER_MODE_PRIMARY : METER_MODE_SECONDARY,
		.primary = s->primary,
		.has_secondary = true,
		.secondary = s->selection,
	};
	memcpy(at.bus, s->bus, sizeof at.bus);
	meter_settings_address(&at, place);
}

static bool same_bus(const struct meter_point *point, const struct meter_sighting *s)
{
	return strcmp(point->settings.bus, s->bus) == 0;
}

static bool same_identity(const struct meter_point *point, const struct meter_sighting *s)
{
	return point->device && meter_identity_equal(point->device->identity, s->identity);
}

/* Of one search: whether the two cannot be one meter. */
static bool elsewhere(const struct meter_sighting *a, const struct meter_sighting *b)
{
	return strcmp(a->bus, b->bus) != 0 ||
	       (knows_primary(a) && knows_primary(b) && a->primary != b->primary);
}

static bool all_digits(struct meter_identity address)
{
	for (unsigned shift = 0; shift < 32; shift += 4)
		if ((address.id >> shift & 0xF) == 0xF)
			return false;
	return true;
}

/* ---- Who has this identity, and who is at this address ---- */

/* How strongly a point that is not passive claims to be a meter. */
enum claim {
	CLAIM_NONE,
	CLAIM_WEAK,   /* never read: by its number on another bus, or with digits left open */
	CLAIM_STRONG, /* never read: by its number on this bus; or read, and it was this one */
};

static enum claim claim_of(const struct meter_point *point, const struct meter_sighting *s)
{
	const struct meter_settings *settings = &point->settings;
	if (point->device)
		return same_identity(point, s) ? CLAIM_STRONG : CLAIM_NONE;
	/* Also one that is asked by its primary address may be given its number. */
	const struct meter_identity *typed =
		settings->mode == METER_MODE_ESECONDARY && settings->has_enhanced
			? &settings->enhanced
		: settings->has_secondary ? &settings->secondary
					  : NULL;
	if (!typed || !meter_identity_matches(s->identity, *typed))
		return CLAIM_NONE;
	return same_bus(point, s) && all_digits(*typed) ? CLAIM_STRONG : CLAIM_WEAK;
}

struct claims {
	enum claim strength;
	const struct meter_point *first, *second; /* of that strength; active ones before passive */
};

static struct claims find_claims(
	const struct meter_snapshot *snapshot, const struct meter_sighting *s, bool passive)
{
	struct claims claims = {CLAIM_NONE, NULL, NULL};
	for (size_t i = 0; i < snapshot->point_count; i++) {
		const struct meter_point *point = &snapshot->points[i];
		const enum claim claim = claim_of(point, s);
		if (point->settings.passive != passive || claim == CLAIM_NONE ||
			claim < claims.strength)
			continue;
		if (claim > claims.strength)
			claims = (struct claims){claim, point, NULL};
		else if (!claims.second)
			claims.second = point;
	}
	return claims;
}

/* Whether an earlier sighting is of the search of `s`, and of this identity. */
static bool saw(const struct meter_sighting *earlier, const struct meter_sighting *s,
	struct meter_identity identity)
{
	return earlier->search == s->search && earlier->whole &&
	       meter_identity_equal(earlier->identity, identity);
}

static bool was_seen(const struct meter_sighting *s, const struct meter_sighting *seen,
	size_t count, struct meter_identity identity)
{
	for (size_t i = 0; s->search && i < count; i++)
		if (saw(&seen[i], s, identity))
			return true;
	return false;
}

/* Whether the meter answered where this point is asked. */
static bool is_at(const struct meter_point *point, const struct meter_sighting *s,
	const struct meter_sighting *seen, size_t seen_count)
{
	const struct meter_settings *settings = &point->settings;
	if (!same_bus(point, s))
		return false;
	if (settings->mode == METER_MODE_PRIMARY) {
		if (!settings->has_primary || !s->has_primary || settings->primary != s->primary)
			return false;
		if (s->mode == METER_MODE_PRIMARY)
			return true;
		/* Several that are selected may have one primary address. */
		return is_given(s) &&
		       !(point->device && was_seen(s, seen, seen_count, point->device->identity));
	}
	if (s->mode == METER_MODE_PRIMARY || !meter_point_selects(point, s->identity))
		return false;
	/* Of the fixed structure nothing else is known, and no device is entered. */
	if (!s->whole)
		return true;
	if (!point->device)
		return false;
	/* The number stays when a meter gets a new firmware; another manufacturer is another meter
	 * that happens to have the number. */
	const struct meter_identity was = point->device->identity;
	return was.id == s->identity.id && was.manufacturer == s->identity.manufacturer &&
	       !was_seen(s, seen, seen_count, was);
}

/* Of several the one that says most: active; never read, so that it is this meter if any; or read,
 * and it was this one. */
static int rank(const struct meter_point *point, const struct meter_sighting *s)
{
	return (point->settings.passive ? 0 : 4) + (!point->device                   ? 2
							   : same_identity(point, s) ? 1
										     : 0);
}

static const struct meter_point *find_at(const struct meter_snapshot *snapshot,
	const struct meter_sighting *s, const struct meter_sighting *seen, size_t seen_count)
{
	const struct meter_point *best = NULL;
	if (s->point)
		return meter_snapshot_point(snapshot, s->point);
	for (size_t i = 0; i < snapshot->point_count; i++) {
		const struct meter_point *point = &snapshot->points[i];
		if (is_at(point, s, seen, seen_count) && (!best || rank(point, s) > rank(best, s)))
			best = point;
	}
	return best;
}

/* An active point on this bus whose address selects this meter too, though it is another. */
static const struct meter_point *find_ambiguous(
	const struct meter_snapshot *snapshot, const struct meter_sighting *s)
{
	for (size_t i = 0; i < snapshot->point_count; i++) {
		const struct meter_point *point = &snapshot->points[i];
		if (!point->settings.passive && same_bus(point, s) && point->device &&
			!same_identity(point, s) && meter_point_selects(point, s->identity))
			return point;
	}
	return NULL;
}

/* ---- What a point is to be ---- */

/* The rate as the list holds it. */
static uint32_t listed_rate(const struct meter_sighting *s)
{
	return s->baud == s->bus_baud ? 0 : s->baud;
}

static bool other_rate(const struct meter_settings *settings, const struct meter_sighting *s)
{
	return s->baud && s->baud != (settings->baud ? settings->baud : s->bus_baud);
}

/* Puts where it answered over the settings of the point that has it. Returns whether it moved; what
 * was blank until now is filled in without being told. */
static bool follow(struct meter_settings *settings, const struct meter_sighting *s)
{
	const bool bus = strcmp(settings->bus, s->bus) != 0;
	const bool by_primary = s->mode == METER_MODE_PRIMARY;
	bool moved = bus;
	if (bus)
		memcpy(settings->bus, s->bus, sizeof settings->bus);
	if (other_rate(settings, s)) {
		settings->baud = listed_rate(s);
		moved = true;
	}
	if (knows_primary(s)) {
		moved |= settings->has_primary && settings->primary != s->primary;
		settings->has_primary = true;
		settings->primary = s->primary;
	} else if (!by_primary && bus && settings->mode == METER_MODE_PRIMARY) {
		/* It cannot be asked at its old address there. */
		settings->mode = s->mode;
		settings->has_secondary = true;
		settings->secondary = s->selection;
	}
	return moved;
}

static void settings_of_new(const struct meter_sighting *s, struct meter_settings *settings)
{
	*settings = (struct meter_settings){
		.baud = listed_rate(s),
		.mode = s->mode,
		.has_primary = knows_primary(s),
	};
	memcpy(settings->bus, s->bus, sizeof settings->bus);
	if (settings->has_primary)
		settings->primary = s->primary;
	settings->has_secondary = s->whole || s->mode != METER_MODE_PRIMARY;
	if (settings->has_secondary)
		settings->secondary = s->mode == METER_MODE_PRIMARY ? s->identity : s->selection;
	if (s->mode == METER_MODE_ESECONDARY) {
		settings->has_enhanced = true;
		settings->enhanced = s->selection;
	}
}

/* ---- Verdicts ---- */

/* As `describe_move` says it: the rates only where they differ. */
static void place_with_rate(
	const struct meter_settings *settings, uint32_t baud, bool rate, char place[PLACE_MAX])
{
	char address[METER_ADDRESS_WORDS_MAX];
	meter_settings_address(settings, address);
	if (rate)
		(void)snprintf(place, PLACE_MAX, "%s with %u baud", address, baud);
	else
		(void)snprintf(place, PLACE_MAX, "%s", address);
}

static void describe_move(const struct meter_settings *before, const struct meter_settings *after,
	const struct meter_sighting *s, struct meter_verdict *verdict)
{
	char from[PLACE_MAX], to[PLACE_MAX], number[56] = "";
	const bool rate = before->baud != after->baud;
	place_with_rate(before, before->baud ? before->baud : s->bus_baud, rate, from);
	place_with_rate(after, s->baud, rate, to);
	/* One that is selected keeps its address when its primary one changes. */
	if (after->mode != METER_MODE_PRIMARY && before->has_primary &&
		before->primary != after->primary)
		(void)snprintf(number, sizeof number, "its primary address was %u and is %u",
			before->primary, after->primary);
	if (strcmp(from, to) == 0)
		tell(verdict, "%s", number);
	else
		tell(verdict, "was at %s, answers at %s%s%s", from, to, number[0] ? ", " : "",
			number);
}

static void is_new(const struct meter_snapshot *snapshot, const struct meter_sighting *s,
	struct meter_verdict *verdict)
{
	char name[METER_POINT_NAME_MAX];
	const struct meter_point *other = s->whole ? find_ambiguous(snapshot, s) : NULL;
	verdict->kind = METER_SIGHTING_NEW;
	settings_of_new(s, &verdict->settings);
	if (!other) {
		tell(verdict, "not in the list until now");
		return;
	}
	verdict->other = other->key;
	meter_point_name(other, name);
	tell(verdict,
		"not in the list until now; the address of point %s selects it too: give that "
		"point its manufacturer, version and medium",
		name);
}

/* The point has it, or had none, and no other point claims it. */
static void is_known(const struct meter_point *point, const struct meter_sighting *s,
	struct meter_verdict *verdict)
{
	const bool unread = s->whole && !point->device;
	const struct meter_identity typed = point->settings.secondary;
	verdict->point = point->key;
	verdict->settings = point->settings;
	verdict->first = unread;
	verdict->kind = follow(&verdict->settings, s) ? METER_SIGHTING_MOVED : METER_SIGHTING_KNOWN;
	if (unread && point->settings.mode == METER_MODE_PRIMARY && point->settings.has_secondary &&
		!meter_identity_matches(s->identity, typed)) {
		char expected[METER_SECONDARY_TEXT_MAX];
		meter_secondary_format(typed, expected);
		verdict->kind = METER_SIGHTING_REPLACED;
		tell(verdict,
			"the list says that %s is there: if the meter was exchanged, correct its "
			"secondary address in the list; if not, the wiring or the addresses are "
			"mixed up",
			expected);
	} else if (verdict->kind == METER_SIGHTING_MOVED) {
		describe_move(&point->settings, &verdict->settings, s, verdict);
	} else {
		tell(verdict, "%s%s",
			verdict->again ? "seen in this search already"
			: unread       ? "answered for the first time"
				       : "as the list has it",
			point->settings.passive ? "; it is passive: it is not read" : "");
	}
}

static void is_replaced(const struct meter_point *point, const struct meter_sighting *s,
	struct meter_verdict *verdict)
{
	char before[METER_SECONDARY_TEXT_MAX];
	const struct meter_identity was = point->device->identity;
	verdict->kind = METER_SIGHTING_REPLACED;
	verdict->point = point->key;
	verdict->settings = point->settings;
	(void)follow(&verdict->settings, s);
	/* The number of the old one was filled in, not needed to reach it. */
	if (point->settings.mode == METER_MODE_PRIMARY && point->settings.has_secondary &&
		meter_identity_equal(point->settings.secondary, was))
		verdict->settings.secondary = s->identity;
	meter_secondary_format(was, before);
	tell(verdict, "%s was there before%s", before,
		point->settings.passive ? "; the point is passive: it is not read" : "");
}

/* A person must decide between two points, which are named. */
static void is_disputed(const struct meter_point *point, const struct meter_point *other,
	struct meter_verdict *verdict, char name[METER_POINT_NAME_MAX],
	char other_name[METER_POINT_NAME_MAX])
{
	meter_point_name(point, name);
	meter_point_name(other, other_name);
	verdict->kind = METER_SIGHTING_DUPLICATE;
	verdict->point = point->key;
	verdict->other = other->key;
	verdict->settings = point->settings;
}

static void claimed_twice(
	const struct meter_point *a, const struct meter_point *b, struct meter_verdict *verdict)
{
	char first[METER_POINT_NAME_MAX], second[METER_POINT_NAME_MAX];
	is_disputed(a, b, verdict, first, second);
	tell(verdict, "points %s and %s are both this meter: remove one, or make it passive", first,
		second);
}

static void at_anothers_place(const struct meter_point *point, const struct meter_point *owner,
	struct meter_verdict *verdict)
{
	char here[METER_POINT_NAME_MAX], there[METER_POINT_NAME_MAX];
	is_disputed(point, owner, verdict, here, there);
	tell(verdict,
		"the meter of point %s answers at the address of point %s: look for exchanged "
		"addresses, then correct one of the points or make it passive",
		there, here);
}

/* Whether it answered in this search before: at another place it is a duplicate. */
static bool seen_elsewhere(const struct meter_sighting *s, const struct meter_sighting *seen,
	size_t count, struct meter_verdict *verdict)
{
	for (size_t i = 0; s->search && i < count; i++) {
		if (!saw(&seen[i], s, s->identity))
			continue;
		verdict->again = true;
		if (!elsewhere(&seen[i], s))
			continue;
		char here[PLACE_MAX], there[PLACE_MAX];
		place_of_sighting(s, here);
		place_of_sighting(&seen[i], there);
		verdict->kind = METER_SIGHTING_DUPLICATE;
		verdict->again = false;
		settings_of_new(s, &verdict->settings);
		tell(verdict,
			"answers at %s and at %s: two meters have one identity, or one bus is "
			"wired to two interfaces",
			there, here);
		return true;
	}
	return false;
}

void meter_sighting_compare(const struct meter_snapshot *snapshot,
	const struct meter_sighting *sighting, const struct meter_sighting *seen, size_t seen_count,
	struct meter_verdict *verdict)
{
	const struct meter_sighting *s = sighting;
	*verdict = (struct meter_verdict){0};
	const struct meter_point *at = find_at(snapshot, s, seen, seen_count);
	if (!s->whole) {
		if (at)
			is_known(at, s, verdict);
		else
			is_new(snapshot, s, verdict);
		return;
	}
	if (seen_elsewhere(s, seen, seen_count, verdict)) {
		if (at) {
			verdict->point = at->key;
			verdict->settings = at->settings;
		}
		return;
	}
	struct claims claims = find_claims(snapshot, s, false);
	if (claims.second) {
		claimed_twice(claims.first, claims.second, verdict);
		return;
	}
	/* A passive point is one that was given up: it has the meter only where no other has. */
	if (!claims.first && (!at || (at->settings.passive && !s->point)))
		claims = find_claims(snapshot, s, true);
	if (at && at->settings.passive && !s->point && claims.first)
		at = NULL;
	const struct meter_point *owner = claims.first;
	/* Where it was selected, its primary address may be that of another meter as well. */
	if (at && owner && !s->point && s->mode != METER_MODE_PRIMARY && at->device &&
		!same_identity(at, s))
		at = NULL;
	if (at && owner && owner != at)
		at_anothers_place(at, owner, verdict);
	else if (at && at->device && !same_identity(at, s))
		is_replaced(at, s, verdict);
	else if (at || owner)
		is_known(at ? at : owner, s, verdict);
	else
		is_new(snapshot, s, verdict);
}

void meter_verdict_to_json(const struct meter_verdict *verdict, struct ml_json_writer *w)
{
	ml_json_key(w, "result");
	ml_json_string(w, meter_sighting_kind_name(verdict->kind));
	if (verdict->point) {
		ml_json_key(w, "point");
		ml_json_unsigned(w, verdict->point);
	}
	if (verdict->other) {
		ml_json_key(w, "other");
		ml_json_unsigned(w, verdict->other);
	}
	ml_json_key(w, "text");
	ml_json_string(w, verdict->text);
}
