/* What is known of one series of one meter.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "aggregate/series.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 18 };

void series_free(struct series *series)
{
	free(series->sums);
	series->sums = NULL;
	series->count = 0;
	series->capacity = 0;
}

/* ---- Advances of the counter ---- */

struct advance {
	bool known;
	struct ml_decimal value;
	uint32_t marks;
};

static int64_t power_of_ten(unsigned exponent)
{
	int64_t power = 1;
	while (exponent--)
		power *= 10;
	return power;
}

/* From its upper tenth into its lowest: over the highest value. Anything else is a reset. */
static bool is_rollover(
	const struct series_value *from, const struct series_value *to, unsigned digits)
{
	if (!digits || digits > DIGITS_MAX || from->value.exponent != to->value.exponent)
		return false;
	const int64_t tenth = power_of_ten(digits - 1);
	return from->value.mantissa >= 9 * tenth && from->value.mantissa < 10 * tenth &&
	       to->value.mantissa >= 0 && to->value.mantissa < tenth;
}

static struct advance advance_between(
	const struct series_value *from, const struct series_value *to, unsigned digits)
{
	struct advance advance = {.known = true};
	if (!digits)
		digits = from->digits == to->digits ? from->digits : 0;
	if (from->device != to->device)
		return (struct advance){.marks = MARK_REPLACED};
	if (ml_decimal_compare(to->value, from->value) >= 0) {
		advance.known = ml_decimal_subtract(to->value, from->value, &advance.value);
		advance.marks = advance.known ? 0 : MARK_OVERFLOW;
	} else if (is_rollover(from, to, digits)) {
		advance.value.mantissa =
			10 * power_of_ten(digits - 1) - from->value.mantissa + to->value.mantissa;
		advance.value.exponent = to->value.exponent;
		advance.marks = MARK_ROLLOVER;
	} else {
		advance = (struct advance){.marks = MARK_RESET};
	}
	return advance;
}

/* ---- Sums ---- */

static size_t place_of(const struct series *series, ml_time begin)
{
	size_t low = 0, high = series->count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (series->sums[middle].window.begin < begin)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct sum *series_sum(const struct series *series, ml_time begin)
{
	const size_t index = place_of(series, begin);
	if (index < series->count && series->sums[index].window.begin == begin)
		return &series->sums[index];
	return NULL;
}

/* Finds or makes it. NULL: too many, or out of memory. */
static struct sum *sum_for(struct series *series, struct window window)
{
	const size_t index = place_of(series, window.begin);
	if (index < series->count && series->sums[index].window.begin == window.begin)
		return &series->sums[index];
	if (series->count == SERIES_SUMS_MAX)
		return NULL;
	if (series->count == series->capacity) {
		const size_t capacity = series->capacity ? series->capacity * 2 : 4;
		struct sum *grown = realloc(series->sums, capacity * sizeof *grown);
		if (!grown)
			return NULL;
		series->sums = grown;
		series->capacity = capacity;
	}
	memmove(series->sums + index + 1, series->sums + index,
		(series->count - index) * sizeof *series->sums);
	series->sums[index] = (struct sum){.window = window};
	series->count++;
	return &series->sums[index];
}

/* The last value before the window at `index`. NULL: none is known. */
static const struct series_value *value_before(const struct series *series, size_t index)
{
	while (index-- > 0)
		if (series->sums[index].count)
			return &series->sums[index].last;
	return series->has_base ? &series->base : NULL;
}

static void add_inner(struct sum *sum, const struct advance *advance)
{
	sum->marks |= advance->marks;
	if (!advance->known)
		return;
	if (ml_decimal_add(sum->inner, advance->value, &sum->inner))
		sum->steps++;
	else
		sum->marks |= MARK_OVERFLOW;
}

static void add_trace(struct sum *sum, uint64_t trace)
{
	if (!sum->trace_first || trace < sum->trace_first)
		sum->trace_first = trace;
	if (trace > sum->trace_last)
		sum->trace_last = trace;
}

/* What a value has become in its window. */
enum place { PLACE_INSIDE, PLACE_FIRST, PLACE_LAST, PLACE_ONLY };

/* A value between the first and the last one changes nothing of what lies between these. Where the
 * advance up to the first is told and done with (`fixed`), an earlier value adds nothing to it. */
static enum place add_value(
	struct sum *sum, const struct series_value *value, unsigned digits, bool fixed)
{
	add_trace(sum, value->trace);
	if (!sum->count++) {
		sum->total = sum->min = sum->max = value->value;
		sum->first = sum->last = *value;
		return PLACE_ONLY;
	}
	if (!ml_decimal_add(sum->total, value->value, &sum->total))
		sum->marks |= MARK_TOTAL;
	if (ml_decimal_compare(value->value, sum->min) < 0)
		sum->min = value->value;
	if (ml_decimal_compare(value->value, sum->max) > 0)
		sum->max = value->value;
	if (value->time >= sum->last.time) {
		const struct advance advance = advance_between(&sum->last, value, digits);
		add_inner(sum, &advance);
		sum->last = *value;
		return PLACE_LAST;
	}
	if (value->time >= sum->first.time)
		return PLACE_INSIDE;
	const struct advance advance = advance_between(value, &sum->first, digits);
	if (!fixed)
		add_inner(sum, &advance);
	sum->first = *value;
	return fixed ? PLACE_INSIDE : PLACE_FIRST;
}

/* ---- Borders ---- */

static bool is_done(const struct series *series, const struct series_rules *rules,
	const struct window *window, ml_time now)
{
	return window->end <= series->finished || window->end + rules->lateness <= now;
}

/* Where the advance up to the first value of a window is counted: in this one, or in the one right
 * before it, which is made where nothing came in it. */
static void settle(
	struct series *series, const struct series_rules *rules, ml_time begin, ml_time now)
{
	const size_t index = place_of(series, begin);
	struct sum *sum = &series->sums[index];
	const struct series_value *before = value_before(series, index);
	if (!sum->count || !before)
		return;
	const struct window previous = window_at(rules->length, rules->zone, begin - 1);
	const ml_time since = before->time > previous.begin ? before->time : previous.begin;
	sum->border = BORDER_OWN;
	if (sum->first.time - begin > begin - since || is_done(series, rules, &previous, now))
		return;
	if (sum_for(series, previous))
		series->sums[place_of(series, begin)].border = BORDER_BEFORE;
}

/* The last value of a window is another one: so is the advance to the next value. */
static void settle_next(
	struct series *series, const struct series_rules *rules, ml_time begin, ml_time now)
{
	for (size_t i = place_of(series, begin) + 1; i < series->count; i++) {
		if (series->sums[i].count) {
			settle(series, rules, series->sums[i].window.begin, now);
			return;
		}
	}
}

static void add_advance(struct consumption *consumption, const struct advance *advance)
{
	consumption->marks |= advance->marks;
	if (!advance->known)
		return;
	if (!consumption->known)
		consumption->value = advance->value;
	else if (!ml_decimal_add(consumption->value, advance->value, &consumption->value))
		consumption->marks |= MARK_OVERFLOW;
	consumption->known = true;
}

static void add_border(struct consumption *consumption, const struct series_rules *rules,
	const struct series_value *from, const struct series_value *to, const struct window *window)
{
	struct advance advance = advance_between(from, to, rules->digits);
	const ml_time before = from->time < window->begin ? window->begin - from->time : 0;
	const ml_time after = to->time > window->end ? to->time - window->end : 0;
	if (advance.known && before + after >= (window->end - window->begin) / 2)
		advance.marks |= MARK_GAP;
	add_advance(consumption, &advance);
}

struct consumption series_consumption(
	const struct series *series, const struct series_rules *rules, const struct sum *sum)
{
	struct consumption consumption = {.marks = sum->marks};
	const size_t index = (size_t)(sum - series->sums);
	const struct series_value *before = value_before(series, index);
	if (sum->steps) {
		consumption.known = true;
		consumption.value = sum->inner;
	}
	if (sum->count && before && sum->border == BORDER_OWN)
		add_border(&consumption, rules, before, &sum->first, &sum->window);
	size_t next = index + 1;
	while (next < series->count && !series->sums[next].count)
		next++;
	/* The next value's advance counts here where this is the window right before it. */
	if (next < series->count && series->sums[next].border == BORDER_BEFORE &&
		series->sums[next].window.begin == sum->window.end) {
		const struct series_value *from = sum->count ? &sum->last : before;
		if (from)
			add_border(
				&consumption, rules, from, &series->sums[next].first, &sum->window);
	}
	if (consumption.marks & MARK_OVERFLOW)
		consumption.known = false;
	return consumption;
}

bool series_mean(const struct sum *sum, unsigned digits, struct ml_decimal *mean)
{
	struct ml_decimal total = sum->total;
	if (!sum->count || sum->marks & MARK_TOTAL)
		return false;
	/* As many more digits as asked for, or as fit. */
	while (digits > 0 && ml_decimal_rescale(total, total.exponent - 1, &total))
		digits--;
	const int64_t count = (int64_t)sum->count;
	const int64_t rest = total.mantissa % count;
	mean->exponent = total.exponent;
	mean->mantissa = total.mantissa / count;
	if ((rest < 0 ? -rest : rest) >= count - (rest < 0 ? -rest : rest))
		mean->mantissa += rest < 0 ? -1 : 1;
	return true;
}

/* ---- Counting ---- */

static bool was_counted(const struct series *series, ml_time time, uint64_t trace)
{
	for (size_t i = 0; i < series->counted_count; i++)
		if (series->counted[i].trace == trace && series->counted[i].time == time)
			return true;
	return false;
}

static void remember(struct series *series, ml_time time, uint64_t trace)
{
	if (series->counted_count == SERIES_COUNTED_MAX) {
		if (series->counted[0].time > series->forgotten)
			series->forgotten = series->counted[0].time;
		series->counted_count--;
		memmove(series->counted, series->counted + 1,
			series->counted_count * sizeof *series->counted);
	}
	series->counted[series->counted_count++] = (struct counted){time, trace};
}

ml_time series_uncounted(const struct series *series)
{
	ml_time oldest = INT64_MAX;
	if (series->forgotten)
		return series->forgotten + 1;
	for (size_t i = 0; i < series->counted_count; i++)
		if (series->counted[i].time < oldest)
			oldest = series->counted[i].time;
	return oldest;
}

/* The clock was set back behind what is done with already: those times come anew. */
static void begin_anew(struct series *series, ml_time now)
{
	if (now >= series->finished)
		return;
	series->finished = now;
	series->forgotten = series->forgotten > now ? now : series->forgotten;
	if (series->has_base && series->base.time > now)
		series->has_base = false;
}

static struct sum *open_window(struct series *series, const struct series_rules *rules,
	ml_time time, uint64_t trace, ml_time now, enum series_answer *answer)
{
	if (was_counted(series, time, trace)) {
		*answer = SERIES_REPEATED;
		return NULL;
	}
	if (time < -SERIES_TIME_MAX || time > SERIES_TIME_MAX) {
		*answer = SERIES_TOO_LATE;
		return NULL;
	}
	begin_anew(series, now);
	const struct window window = window_at(rules->length, rules->zone, time);
	if (window.end <= series->finished || window.end + rules->lateness <= now) {
		*answer = SERIES_TOO_LATE;
		return NULL;
	}
	struct sum *sum = sum_for(series, window);
	*answer = sum ? SERIES_COUNTED : SERIES_FULL;
	return sum;
}

enum series_answer series_count(struct series *series, const struct series_rules *rules,
	const struct series_value *value, const char *unit, ml_time now,
	bool (*told)(void *user, ml_time begin), void *user)
{
	enum series_answer answer;
	struct sum *sum = open_window(series, rules, value->time, value->trace, now, &answer);
	if (!sum)
		return answer;
	remember(series, value->time, value->trace);
	if (!series->has_unit)
		(void)snprintf(series->unit, sizeof series->unit, "%s", unit);
	series->has_unit = true;
	if (strcmp(series->unit, unit) != 0) {
		sum->errors++;
		sum->marks |= MARK_UNIT;
		add_trace(sum, value->trace);
		return SERIES_COUNTED;
	}
	const ml_time begin = sum->window.begin;
	const struct window previous = window_at(rules->length, rules->zone, begin - 1);
	const bool fixed = sum->border == BORDER_BEFORE && is_done(series, rules, &previous, now);
	if (told && told(user, begin))
		sum->late++;
	const enum place place = add_value(sum, value, rules->digits, fixed);
	if (place == PLACE_FIRST || place == PLACE_ONLY)
		settle(series, rules, begin, now);
	if (place == PLACE_LAST || place == PLACE_ONLY)
		settle_next(series, rules, begin, now);
	return SERIES_COUNTED;
}

enum series_answer series_trouble(struct series *series, const struct series_rules *rules,
	enum series_trouble trouble, ml_time time, uint64_t trace, ml_time now)
{
	enum series_answer answer;
	struct sum *sum = open_window(series, rules, time, trace, now, &answer);
	if (!sum)
		return answer;
	remember(series, time, trace);
	add_trace(sum, trace);
	if (trouble == SERIES_MISSING)
		sum->missing++;
	else
		sum->errors++;
	return SERIES_COUNTED;
}

void series_finish(struct series *series, ml_time until)
{
	size_t done = 0;
	while (done < series->count && series->sums[done].window.end <= until) {
		if (series->sums[done].count) {
			series->base = series->sums[done].last;
			series->has_base = true;
		}
		done++;
	}
	if (until > series->finished)
		series->finished = until;
	series->count -= done;
	memmove(series->sums, series->sums + done, series->count * sizeof *series->sums);
}
