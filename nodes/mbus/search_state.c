/* A search as text: {"search": 1, "modes": [1], "rates": [2400], ..., "found": [[...], ...]}.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/search_state.h"

#include <errno.h>
#include <jansson.h>

#include "mbus/search_private.h"

enum {
	FORMAT = 1,
	FLAG_WHOLE = 1 << 0,
	FLAG_HIDER = 1 << 1,
	FLAG_TWIN = 1 << 2,
	DIGIT_MAX = MBUS_SEARCH_OPEN + 1, /* of a split that is done */
	SPLIT_FIELDS = 4,
	FOUND_FIELDS = 11,
	ROUND_DOUBT = 1,
	ROUND_LAST = 3,
	NOT_BEGUN = UINT8_MAX,
};

/* ---- Writing ---- */

static void number(struct ml_json_writer *w, const char *key, uint64_t value)
{
	ml_json_key(w, key);
	ml_json_unsigned(w, value);
}

static void boolean(struct ml_json_writer *w, const char *key, bool value)
{
	ml_json_key(w, key);
	ml_json_bool(w, value);
}

static void numbers(struct ml_json_writer *w, const uint64_t *values, size_t count)
{
	ml_json_begin_array(w);
	for (size_t i = 0; i < count; i++)
		ml_json_unsigned(w, values[i]);
	ml_json_end_array(w);
}

static void save_options(const struct mbus_search_options *o, struct ml_json_writer *w)
{
	ml_json_key(w, "modes");
	ml_json_begin_array(w);
	for (size_t i = 0; i < o->mode_count; i++)
		ml_json_unsigned(w, o->modes[i]);
	ml_json_end_array(w);
	ml_json_key(w, "rates");
	ml_json_begin_array(w);
	for (size_t i = 0; i < o->rate_count; i++)
		ml_json_unsigned(w, o->rates[i]);
	ml_json_end_array(w);
	number(w, "first", o->first);
	number(w, "last", o->last);
	boolean(w, "hex", o->hex);
	boolean(w, "thorough", o->thorough);
	number(w, "retries", o->retries);
	number(w, "wanted", o->wanted);
}

static void save_place(const struct mbus_search *s, struct ml_json_writer *w)
{
	number(w, "stage", s->stage);
	number(w, "phase", s->phase);
	number(w, "place", s->place);
	number(w, "base", s->base);
	ml_json_key(w, "digits");
	ml_json_begin_array(w);
	for (size_t i = 0; i < MBUS_SEARCH_DIGITS; i++)
		ml_json_unsigned(w, s->digits[i]);
	ml_json_end_array(w);
	ml_json_key(w, "splits");
	ml_json_begin_array(w);
	for (size_t i = 0; i < s->split_count; i++) {
		const struct mbus_search_split *split = &s->splits[i];
		const uint64_t fields[SPLIT_FIELDS] = {
			split->round, split->expected, split->seen, split->answered};
		numbers(w, fields, SPLIT_FIELDS);
	}
	ml_json_end_array(w);
	ml_json_key(w, "groups");
	ml_json_begin_array(w);
	for (size_t i = 0; i < s->group_count; i++) {
		const uint64_t fields[] = {s->groups[i], s->group_expected[i]};
		numbers(w, fields, 2);
	}
	ml_json_end_array(w);
	number(w, "group", s->group_next);
	boolean(w, "looked", s->looked);
	number(w, "root", s->root);
	number(w, "aside", s->aside);
	number(w, "value", s->aside_value);
}

static void save_found(const struct mbus_search_found *f, struct ml_json_writer *w)
{
	const uint64_t flags = (f->whole ? FLAG_WHOLE : 0u) | (f->hider ? FLAG_HIDER : 0u) |
			       (f->twin ? FLAG_TWIN : 0u);
	const uint64_t fields[FOUND_FIELDS] = {f->identity.id, f->identity.manufacturer,
		f->identity.version, f->identity.medium, f->baud, f->kind, f->mode, f->primary,
		f->depth, f->stage, flags};
	numbers(w, fields, FOUND_FIELDS);
}

void mbus_search_save(const struct mbus_search *s, struct ml_json_writer *w)
{
	ml_json_begin_object(w);
	number(w, "search", FORMAT);
	save_options(&s->options, w);
	save_place(s, w);
	number(w, "probes", s->probes);
	number(w, "repeats", s->repeats);
	number(w, "progress", s->progress);
	number(w, "unnamed", s->unnamed);
	number(w, "habit", s->habit);
	boolean(w, "noisy", s->noisy);
	ml_json_key(w, "found");
	ml_json_begin_array(w);
	for (size_t i = 0; i < s->found_count; i++)
		save_found(&s->found[i], w);
	ml_json_end_array(w);
	ml_json_end_object(w);
}

/* ---- Reading ---- */

struct load {
	const json_t *from;
	bool good;
};

static uint64_t checked(struct load *load, const json_t *value, uint64_t max)
{
	const json_int_t i = json_integer_value(value);
	if (json_is_integer(value) && i >= 0 && (uint64_t)i <= max)
		return (uint64_t)i;
	load->good = false;
	return 0;
}

static uint64_t member(struct load *load, const char *key, uint64_t max)
{
	return checked(load, json_object_get(load->from, key), max);
}

static bool truth(struct load *load, const char *key)
{
	const json_t *value = json_object_get(load->from, key);
	load->good = load->good && json_is_boolean(value);
	return json_is_true(value);
}

/* A list of at most `max` items; NULL: it is none. */
static const json_t *list(struct load *load, const char *key, size_t max)
{
	const json_t *value = json_object_get(load->from, key);
	if (json_is_array(value) && json_array_size(value) <= max)
		return value;
	load->good = false;
	return NULL;
}

static void load_options(struct load *load, struct mbus_search_options *o)
{
	const json_t *modes = list(load, "modes", MBUS_SEARCH_MODES);
	const json_t *rates = list(load, "rates", MBUS_SEARCH_RATES_MAX);
	*o = (struct mbus_search_options){
		.mode_count = (uint8_t)json_array_size(modes),
		.rate_count = (uint8_t)json_array_size(rates),
		.first = (uint8_t)member(load, "first", UINT8_MAX),
		.last = (uint8_t)member(load, "last", UINT8_MAX),
		.hex = truth(load, "hex"),
		.thorough = truth(load, "thorough"),
		.retries = (uint8_t)member(load, "retries", UINT8_MAX),
		.wanted = (uint32_t)member(load, "wanted", UINT32_MAX),
	};
	for (size_t i = 0; i < o->mode_count; i++)
		o->modes[i] =
			(uint8_t)checked(load, json_array_get(modes, i), MBUS_SEARCH_SECONDARY);
	for (size_t i = 0; i < o->rate_count; i++)
		o->rates[i] = (uint32_t)checked(load, json_array_get(rates, i), 1000000);
}

static void load_split(struct load *load, const json_t *from, struct mbus_search_split *split)
{
	const uint64_t round = checked(load, json_array_get(from, 0), ROUND_LAST);
	split->expected = (uint8_t)checked(load, json_array_get(from, 1), UINT8_MAX);
	split->seen = (uint8_t)checked(load, json_array_get(from, 2), UINT8_MAX);
	split->answered = (uint16_t)checked(load, json_array_get(from, 3), UINT16_MAX);
	/* A doubt is raised anew. */
	split->round = (uint8_t)(round == ROUND_DOUBT ? 0 : round);
}

static void load_tree(struct load *load, struct mbus_search *s)
{
	const json_t *digits = list(load, "digits", MBUS_SEARCH_DIGITS);
	s->base = (uint8_t)member(load, "base", MBUS_SEARCH_DIGITS - 1);
	const json_t *splits = list(load, "splits", MBUS_SEARCH_DIGITS - (size_t)s->base);
	s->split_count = (uint8_t)json_array_size(splits);
	for (size_t i = 0; i < MBUS_SEARCH_DIGITS; i++) {
		const bool last = i + 1 >= (size_t)s->base + s->split_count;
		s->digits[i] = (uint8_t)checked(
			load, json_array_get(digits, i), last ? DIGIT_MAX : MBUS_SEARCH_OPEN);
	}
	for (size_t i = 0; i < s->split_count; i++)
		load_split(load, json_array_get(splits, i), &s->splits[i]);
}

static void load_place(struct load *load, struct mbus_search *s)
{
	const unsigned stages = (unsigned)s->options.mode_count * s->options.rate_count;
	const uint64_t stage = member(load, "stage", NOT_BEGUN);
	s->stage = (uint8_t)stage;
	load->good = load->good && (stage < stages || stage == NOT_BEGUN);
	s->phase = (uint8_t)member(load, "phase", MBUS_SEARCH_BEHIND);
	s->place = (uint32_t)member(load, "place", MBUS_SEARCH_FOUND_MAX);
	load_tree(load, s);
	const json_t *groups = list(load, "groups", MBUS_SEARCH_GROUPS_MAX);
	s->group_count = (uint32_t)json_array_size(groups);
	for (size_t i = 0; i < s->group_count; i++) {
		const json_t *group = json_array_get(groups, i);
		s->groups[i] = (uint32_t)checked(load, json_array_get(group, 0), UINT32_MAX);
		s->group_expected[i] = (uint8_t)checked(load, json_array_get(group, 1), UINT8_MAX);
	}
	s->group_next = (uint32_t)member(load, "group", s->group_count);
	s->looked = truth(load, "looked");
	s->aside = (uint8_t)member(load, "aside", UINT8_MAX);
	s->aside_value = (uint8_t)member(load, "value", DIGIT_MAX);
	/* Nothing is split yet: the first probe of the tree is to come. */
	if (stage != NOT_BEGUN && s->phase == MBUS_SEARCH_TREE && s->split_count == 0)
		s->doing = MBUS_SEARCH_ROOT;
}

static void load_found(struct load *load, const json_t *from, struct mbus_search_found *f)
{
	static const uint64_t max[FOUND_FIELDS] = {UINT32_MAX, UINT16_MAX, UINT8_MAX, UINT8_MAX,
		1000000, MBUS_SEARCH_FOREIGN, MBUS_SEARCH_SECONDARY, UINT8_MAX, MBUS_SEARCH_DIGITS,
		UINT8_MAX, FLAG_WHOLE | FLAG_HIDER | FLAG_TWIN};
	uint64_t v[FOUND_FIELDS];
	for (size_t i = 0; i < FOUND_FIELDS; i++)
		v[i] = checked(load, json_array_get(from, i), max[i]);
	*f = (struct mbus_search_found){
		.identity = {(uint32_t)v[0], (uint16_t)v[1], (uint8_t)v[2], (uint8_t)v[3]},
		.baud = (uint32_t)v[4],
		.kind = (uint8_t)v[5],
		.mode = (uint8_t)v[6],
		.primary = (uint8_t)v[7],
		.depth = (uint8_t)v[8],
		.stage = (uint8_t)v[9],
		.whole = v[10] & FLAG_WHOLE,
		.hider = v[10] & FLAG_HIDER,
		.twin = v[10] & FLAG_TWIN,
	};
}

static void load_all(struct load *load, struct mbus_search *s)
{
	struct mbus_search_options options;
	(void)member(load, "search", FORMAT);
	load_options(load, &options);
	load->good = mbus_search_init(s, &options) && load->good;
	load_place(load, s);
	s->probes = member(load, "probes", INT64_MAX);
	s->repeats = member(load, "repeats", INT64_MAX);
	s->progress = (uint32_t)member(load, "progress", MBUS_SEARCH_PROGRESS);
	s->unnamed = (uint32_t)member(load, "unnamed", UINT32_MAX);
	s->habit = (uint8_t)member(load, "habit", UINT8_MAX);
	s->noisy = truth(load, "noisy");
	const json_t *found = list(load, "found", MBUS_SEARCH_FOUND_MAX);
	s->found_count = json_array_size(found);
	for (size_t i = 0; i < s->found_count; i++) {
		load_found(load, json_array_get(found, i), &s->found[i]);
		s->meters += s->found[i].kind == MBUS_SEARCH_METER;
	}
	s->root = (uint32_t)member(load, "root", s->found_count);
}

int mbus_search_load(struct mbus_search *s, const char *text, size_t length, struct ml_error *err)
{
	json_t *tree = json_loadb(text, length, 0, NULL);
	struct load load = {.from = tree, .good = json_is_object(tree)};
	if (load.good)
		load_all(&load, s);
	json_decref(tree);
	if (load.good)
		return 0;
	return ml_error_set(err, -EINVAL,
		"the search that was kept cannot be read: begin a new one without resume");
}
