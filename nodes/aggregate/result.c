/* The node `aggregate`: what becomes of a window, as numbers, as a reading and as JSON.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "aggregate/result.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "meter/reading_message.h"

enum {
	BLOCK_MAX = 4096, /* bytes of a result */
	MARKS_TEXT_MAX = 200,
};

const char *const aggregate_result_names[RESULTS] = {
	"consumption", "mean", "min", "max", "first", "last", "count"};

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

void result_make(const struct aggregate *self, const struct aggregate_entry *target, ml_time begin,
	struct result *result)
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

uint32_t result_hash(const struct aggregate *self, const struct result *result)
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
	const struct value *value = &result->of[kind];
	struct meter_record *record = add(b, aggregate_result_names[kind],
		kind == RESULT_COUNT || !result->unit ? "" : result->unit);
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

static void write_marks(const struct result *result, uint32_t corrections, char *text, size_t size)
{
	static const struct {
		uint32_t mark;
		const char *word;
	} words[] = {{MARK_ROLLOVER, "rollover"}, {MARK_RESET, "reset"},
		{MARK_REPLACED, "replaced"}, {MARK_GAP, "gap"},
		{MARK_OVERFLOW | MARK_TOTAL, "overflow"}, {MARK_UNIT, "unit"}};
	text[0] = '\0';
	put_word(text, size, "correction", corrections);
	put_word(text, size, "late", result->late);
	put_word(text, size, "missing", result->missing);
	put_word(text, size, "errors", result->errors);
	put_word(text, size, "absent", result->absent);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		const size_t used = strlen(text);
		if (result->marks & words[i].mark)
			(void)snprintf(
				text + used, size - used, "%s%s", used ? ", " : "", words[i].word);
	}
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

struct ml_message *result_message(const struct aggregate *self,
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
	char marks[MARKS_TEXT_MAX];
	write_marks(result, item->corrections + item->told, marks, sizeof marks);
	if (marks[0])
		add_text(&b, "marks", marks);
	return meter_reading_message(self->drawer.node, b.reading, NULL);
}

/* ---- Results as JSON ---- */

static void write_time(
	const struct aggregate *self, struct ml_json_writer *w, const char *key, ml_time time)
{
	char text[ML_ZONE_TEXT_MAX];
	ml_json_key(w, key);
	ml_json_string_n(w, text, ml_zone_format(self->zone, time, text));
}

void result_to_json(const struct aggregate *self, const struct aggregate_entry *target,
	const struct told *item, struct ml_json_writer *w)
{
	struct result result;
	char marks[MARKS_TEXT_MAX];
	result_make(self, target, item->window.begin, &result);
	ml_json_begin_object(w);
	write_time(self, w, "begin", item->window.begin);
	write_time(self, w, "end", item->window.end);
	ml_json_key(w, "told");
	ml_json_bool(w, item->told);
	for (size_t i = 0; i < self->wanted_count; i++) {
		const struct value *value = &result.of[self->wanted[i]];
		ml_json_key(w, aggregate_result_names[self->wanted[i]]);
		if (value->known)
			ml_json_decimal(w, value->value);
		else
			ml_json_null(w);
	}
	ml_json_key(w, "unit");
	ml_json_string(w, result.unit ? result.unit : "");
	write_marks(&result, item->corrections, marks, sizeof marks);
	ml_json_key(w, "marks");
	ml_json_string(w, marks);
	ml_json_end_object(w);
}
