/* The node `aggregate`: what becomes of windows, and when it goes on.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aggregate/aggregate.h"
#include "meter/reading_message.h"

enum {
	BLOCK_MAX = 4096, /* bytes of a result */
	LOOK_EVERY = 60,  /* seconds: the wall clock may be set meanwhile */
	AGAIN_AFTER = 60, /* seconds after a result failed */
};

/* ---- Results ---- */

struct value {
	bool known;
	struct ml_decimal value;
};

struct result {
	struct value of[RESULTS];
	uint32_t count, missing, errors, late, absent, marks;
	uint64_t trace_first, trace_last;
	const char *unit;
	bool mixed; /* terms of different units */
};

static void add_known(struct result *result, enum aggregate_result kind, bool first, bool minus,
	bool known, struct ml_decimal value)
{
	struct value *sum = &result->of[kind];
	const struct ml_decimal zero = {.exponent = value.exponent};
	if (first && !minus) {
		*sum = (struct value){known, value};
		return;
	}
	if (first)
		*sum = (struct value){true, zero};
	sum->known = sum->known && known;
	if (sum->known && !(minus ? ml_decimal_subtract(sum->value, value, &sum->value)
				  : ml_decimal_add(sum->value, value, &sum->value))) {
		sum->known = false;
		result->marks |= MARK_OVERFLOW;
	}
}

static void add_sum(const struct aggregate *self, struct result *result,
	const struct aggregate_entry *entry, const struct sum *sum, bool first, bool minus)
{
	const struct series *series = &entry->state.series;
	struct ml_decimal mean = {0};
	const struct consumption consumption = series_consumption(series, &self->rules, sum);
	const bool has_mean = series_mean(sum, (unsigned)self->mean_digits, &mean);
	const bool any = sum->count > 0;
	add_known(result, RESULT_CONSUMPTION, first, minus, consumption.known, consumption.value);
	add_known(result, RESULT_MEAN, first, minus, has_mean, mean);
	add_known(result, RESULT_FIRST, first, minus, any, sum->first.value);
	add_known(result, RESULT_LAST, first, minus, any, sum->last.value);
	add_known(result, RESULT_MIN, first, minus, any, sum->min);
	add_known(result, RESULT_MAX, first, minus, any, sum->max);
	result->count += sum->count;
	result->missing += sum->missing;
	result->errors += sum->errors;
	result->late += sum->late;
	result->marks |= consumption.marks;
	if (sum->trace_first && (!result->trace_first || sum->trace_first < result->trace_first))
		result->trace_first = sum->trace_first;
	if (sum->trace_last > result->trace_last)
		result->trace_last = sum->trace_last;
	if (series->has_unit && result->unit && strcmp(result->unit, series->unit) != 0)
		result->mixed = true;
	if (series->has_unit && !result->unit)
		result->unit = series->unit;
}

/* The meter of a term; NULL: nothing came from it. */
static const struct aggregate_entry *entry_of(
	const struct aggregate *self, const struct aggregate_term *term)
{
	for (size_t i = 0; term->known && i < self->count; i++) {
		const struct state *state = &self->entries[i]->state;
		if (term->point ? state->point == term->point
				: !state->point &&
					  meter_identity_matches(state->identity, term->identity))
			return self->entries[i];
	}
	return NULL;
}

/* A sum of which a part is not known is not known. */
static void make_virtual(const struct aggregate *self, ml_time begin, struct result *result)
{
	const struct ml_decimal zero = {0};
	for (size_t i = 0; i < self->terms.count; i++) {
		const struct aggregate_entry *entry = entry_of(self, &self->term[i]);
		const struct sum *sum = entry ? series_sum(&entry->state.series, begin) : NULL;
		result->absent += !sum || !sum->count;
		if (sum) {
			add_sum(self, result, entry, sum, i == 0, self->term[i].minus);
			continue;
		}
		for (unsigned kind = 0; kind < RESULTS; kind++)
			add_known(result, (enum aggregate_result)kind, i == 0, false, false, zero);
	}
	for (unsigned kind = 0; result->mixed && kind < RESULTS; kind++)
		result->of[kind].known = false;
	if (result->mixed)
		result->marks |= MARK_UNIT;
}

static void make_result(const struct aggregate *self, const struct aggregate_entry *target,
	ml_time begin, struct result *result)
{
	*result = (struct result){0};
	if (target->state.virtual) {
		make_virtual(self, begin, result);
	} else {
		const struct sum *sum = series_sum(&target->state.series, begin);
		if (sum)
			add_sum(self, result, target, sum, true, false);
	}
	result->of[RESULT_COUNT] = (struct value){true, {.mantissa = result->count}};
}

static void mix(uint32_t *hash, uint64_t value)
{
	for (unsigned i = 0; i < 8; i++)
		*hash = (*hash ^ (uint8_t)(value >> (8 * i))) * 0x01000193u;
}

/* Tells whether there is anything else to be told than the last time. */
static uint32_t hash_of(const struct aggregate *self, const struct result *result)
{
	uint32_t hash = 0x811C9DC5u;
	for (size_t i = 0; i < self->wanted_count; i++) {
		const struct value *value = &result->of[self->wanted[i]];
		mix(&hash, self->wanted[i]);
		mix(&hash, value->known);
		mix(&hash, value->known ? (uint64_t)value->value.mantissa : 0);
		mix(&hash, value->known ? (uint64_t)(uint8_t)value->value.exponent : 0);
	}
	mix(&hash, result->missing);
	mix(&hash, result->errors);
	mix(&hash, result->late);
	mix(&hash, result->absent);
	mix(&hash, result->marks);
	return hash;
}

/* ---- Results as readings ---- */

struct builder {
	const struct aggregate *self;
	struct meter_reading *reading;
	char length[WINDOW_TEXT_MAX];
};

static struct meter_record *add(struct builder *b, const char *what, const char *unit)
{
	char name[AGGREGATE_NAME_MAX + 2 * WINDOW_TEXT_MAX + 16];
	const int length = snprintf(name, sizeof name, "%s %s %s", b->self->base, b->length, what);
	return meter_reading_add_custom(b->reading, name, (size_t)length, unit, strlen(unit));
}

static void add_text(struct builder *b, const char *what, const char *text)
{
	if (add(b, what, ""))
		(void)meter_reading_set_text(
			b->reading, b->reading->record_count - 1u, text, strlen(text));
}

static void add_value(struct builder *b, enum aggregate_result kind, const struct result *result)
{
	static const char *const names[] = {
		"consumption", "mean", "min", "max", "first", "last", "count"};
	const struct value *value = &result->of[kind];
	struct meter_record *record =
		add(b, names[kind], kind == RESULT_COUNT || !result->unit ? "" : result->unit);
	if (!record || !value->known)
		return;
	record->kind = METER_NUMBER;
	record->mantissa = value->value.mantissa;
	record->exponent = value->value.exponent;
}

static void put_word(char *text, size_t size, const char *word, uint32_t count)
{
	const size_t used = strlen(text);
	if (count)
		(void)snprintf(
			text + used, size - used, "%s%s %" PRIu32, used ? ", " : "", word, count);
}

static void add_marks(struct builder *b, const struct result *result, uint32_t corrections)
{
	static const struct {
		uint32_t mark;
		const char *word;
	} words[] = {{MARK_ROLLOVER, "rollover"}, {MARK_RESET, "reset"},
		{MARK_REPLACED, "replaced"}, {MARK_GAP, "gap"},
		{MARK_OVERFLOW | MARK_TOTAL, "overflow"}, {MARK_UNIT, "unit"}};
	char text[200] = "";
	put_word(text, sizeof text, "correction", corrections);
	put_word(text, sizeof text, "late", result->late);
	put_word(text, sizeof text, "missing", result->missing);
	put_word(text, sizeof text, "errors", result->errors);
	put_word(text, sizeof text, "absent", result->absent);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		const size_t used = strlen(text);
		if (result->marks & words[i].mark)
			(void)snprintf(text + used, sizeof text - used, "%s%s", used ? ", " : "",
				words[i].word);
	}
	if (text[0])
		add_text(b, "marks", text);
}

static void set_owner(
	const struct aggregate *self, const struct state *state, struct meter_reading *reading)
{
	reading->flags = METER_DERIVED;
	reading->point = state->virtual ? self->target_point : state->point;
	if (state->virtual ? self->target_has_identity : state->has_identity) {
		reading->meter = state->virtual ? self->target_identity : state->identity;
		reading->flags |= METER_HAS_IDENTITY;
		if (state->virtual || state->has_maker)
			reading->flags |= METER_HAS_MAKER;
	}
}

/* NULL: out of memory. */
static struct ml_message *make_message(const struct aggregate *self,
	const struct aggregate_entry *target, const struct told *item, const struct result *result)
{
	_Alignas(8) uint8_t block[BLOCK_MAX];
	struct builder b = {.self = self, .reading = (void *)block};
	char text[2 * ML_ZONE_TEXT_MAX];
	if (meter_reading_init(block, sizeof block, NULL, 0, NULL) < 0)
		return NULL;
	window_text(self->rules.length, b.length);
	b.reading->time = item->window.begin;
	set_owner(self, &target->state, b.reading);
	for (size_t i = 0; i < self->wanted_count; i++)
		add_value(&b, self->wanted[i], result);
	size_t length = ml_zone_format(self->zone, item->window.begin, text);
	text[length++] = '/';
	(void)ml_zone_format(self->zone, item->window.end, text + length);
	add_text(&b, "window", text);
	(void)snprintf(
		text, sizeof text, "%" PRIu64 "-%" PRIu64, result->trace_first, result->trace_last);
	if (result->trace_last)
		add_text(&b, "from", text);
	add_marks(&b, result, item->corrections + item->told);
	return meter_reading_message(self->drawer.node, b.reading, NULL);
}

/* ---- Telling ---- */

/* false: there is no room, or no memory. */
static bool tell(struct aggregate *self, struct aggregate_entry *target, struct told *item)
{
	struct ml_node *node = self->drawer.node;
	struct result result;
	make_result(self, target, item->window.begin, &result);
	const uint32_t hash = hash_of(self, &result);
	if (item->told && item->hash == hash) {
		item->due = ML_NEVER;
		return true;
	}
	if (target->state.virtual && !self->target_point)
		return true; /* who it is will be known one day */
	if (ml_room(node, AGGREGATE_OUT) == 0)
		return false;
	struct ml_message *message = make_message(self, target, item, &result);
	if (!message)
		return false;
	if (ml_ack_attach(node, message, ++self->flights) < 0) {
		ml_release(node, message);
		return false;
	}
	item->in_flight = self->flights;
	item->sending = hash;
	item->due = ML_NEVER;
	ml_emit(node, AGGREGATE_OUT, message);
	return true;
}

static void plan_item(struct aggregate *self, const struct aggregate_entry *target,
	struct told *item, ml_time now)
{
	struct result result;
	if (!item->told) {
		item->due = item->window.end + self->delay;
		return;
	}
	make_result(self, target, item->window.begin, &result);
	if (hash_of(self, &result) == item->hash)
		item->due = ML_NEVER;
	else if (item->due == ML_NEVER || item->due > now + self->delay)
		item->due = now + self->delay;
}

/* The windows in which something came. */
static void add_windows(
	struct aggregate *self, struct aggregate_entry *target, const struct series *series)
{
	for (size_t i = 0; i < series->count; i++) {
		const struct window window = series->sums[i].window;
		if (!told_find(&target->state.told, window.begin) &&
			!told_add(&target->state.told, window, window.end + self->delay))
			ml_node_log(self->drawer.node, ML_LOG_ERROR,
				"more than %d windows wait to be told: one will not be",
				STATE_TOLD_MAX);
	}
}

static void wake(struct aggregate *self)
{
	const ml_time now = aggregate_now(self);
	ml_time next = ML_NEVER;
	for (size_t i = 0; i <= self->count; i++) {
		const struct aggregate_entry *entry = i < self->count ? self->entries[i]
								      : self->virtual;
		for (size_t n = 0; entry && n < entry->state.told.count; n++) {
			const struct told *item = &entry->state.told.items[n];
			if (item->due < next)
				next = item->due;
			if (item->due == ML_NEVER && item->window.end + self->lateness < next)
				next = item->window.end + self->lateness;
		}
	}
	if (next == ML_NEVER)
		return;
	ml_time wait = next > now ? next - now : ML_SEC;
	wait = wait < LOOK_EVERY * ML_SEC ? wait : LOOK_EVERY * ML_SEC;
	const ml_time due = ml_node_now(self->drawer.node) + wait;
	if (!ml_timer_running(&self->timer) || due < self->timer.due)
		ml_timer_start(&self->timer, due);
}

void aggregate_review(struct aggregate *self, struct aggregate_entry *entry, bool all)
{
	const ml_time now = aggregate_now(self);
	if (entry->state.virtual) {
		for (size_t i = 0; i < self->count; i++)
			add_windows(self, entry, &self->entries[i]->state.series);
	} else {
		add_windows(self, entry, &entry->state.series);
	}
	for (size_t i = 0; i < entry->state.told.count; i++) {
		struct told *item = &entry->state.told.items[i];
		if ((all || item->told) && !item->in_flight)
			plan_item(self, entry, item, now);
	}
	aggregate_mark(self, entry);
	wake(self);
}

/* ---- Finishing ---- */

static size_t count_done(const struct aggregate *self, const struct told_list *list, ml_time until)
{
	size_t done = 0;
	(void)self;
	while (done < list->count && list->items[done].told && !list->items[done].in_flight &&
		list->items[done].due == ML_NEVER && list->items[done].window.end <= until)
		done++;
	return done;
}

static void finish_series(struct aggregate *self, struct aggregate_entry *entry, ml_time until)
{
	struct series *series = &entry->state.series;
	if (!series->count || series->sums[0].window.end > until)
		return;
	series_finish(series, until);
	aggregate_mark(self, entry);
}

/* What can no longer change and was told is forgotten, but for the counter's last value. */
static void finish(struct aggregate *self, struct aggregate_entry *target, ml_time now)
{
	struct told_list *list = &target->state.told;
	const size_t done = count_done(self, list, now - self->lateness);
	if (!done)
		return;
	const ml_time until = list->items[done - 1].window.end;
	told_drop(list, done);
	aggregate_mark(self, target);
	if (!target->state.virtual) {
		finish_series(self, target, until);
		return;
	}
	for (size_t i = 0; i < self->count; i++)
		finish_series(self, self->entries[i], until);
}

void aggregate_tell(struct aggregate *self)
{
	const ml_time now = aggregate_now(self);
	bool room = self->loaded;
	for (size_t i = 0; room && i <= self->count; i++) {
		struct aggregate_entry *entry = i < self->count ? self->entries[i] : self->virtual;
		if (!entry)
			continue;
		for (size_t n = 0; room && n < entry->state.told.count; n++) {
			struct told *item = &entry->state.told.items[n];
			if (item->due <= now && !item->in_flight)
				room = tell(self, entry, item);
		}
		finish(self, entry, now);
	}
	if (room)
		wake(self);
}

void aggregate_plan(struct aggregate *self)
{
	for (size_t i = 0; i <= self->count; i++) {
		struct aggregate_entry *entry = i < self->count ? self->entries[i] : self->virtual;
		for (size_t n = 0; entry && n < entry->state.told.count; n++)
			plan_item(self, entry, &entry->state.told.items[n], aggregate_now(self));
	}
	wake(self);
}

static void landed(
	struct aggregate *self, struct aggregate_entry *entry, struct told *item, bool delivered)
{
	const ml_time now = aggregate_now(self);
	item->in_flight = 0;
	if (!delivered) {
		item->due = now + AGAIN_AFTER * ML_SEC;
	} else {
		ml_node_count(
			self->drawer.node, item->told ? AGGREGATE_CORRECTED : AGGREGATE_TOLD, 1);
		item->corrections += item->told;
		item->told = true;
		item->hash = item->sending;
		plan_item(self, entry, item, now);
		aggregate_mark(self, entry);
	}
	wake(self);
}

void aggregate_acked(struct aggregate *self, uint64_t flight, bool delivered)
{
	for (size_t i = 0; i <= self->count; i++) {
		struct aggregate_entry *entry = i < self->count ? self->entries[i] : self->virtual;
		for (size_t n = 0; entry && n < entry->state.told.count; n++) {
			if (entry->state.told.items[n].in_flight != flight)
				continue;
			landed(self, entry, &entry->state.told.items[n], delivered);
			return;
		}
	}
}
