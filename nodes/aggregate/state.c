/* What an aggregate remembers, as bytes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "aggregate/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1 };

enum { /* flags of a state */
	FLAG_VIRTUAL = 1,
	FLAG_IDENTITY = 2,
	FLAG_MAKER = 4,
	FLAG_UNIT = 8,
	FLAG_BASE = 16,
	FLAGS_ALL = 31,
};

void state_free(struct state *state)
{
	series_free(&state->series);
	free(state->told.items);
	state->told = (struct told_list){0};
}

/* ---- What was told ---- */

static size_t told_place(const struct told_list *list, ml_time begin)
{
	size_t index = 0;
	while (index < list->count && list->items[index].window.begin < begin)
		index++;
	return index;
}

struct told *told_find(const struct told_list *list, ml_time begin)
{
	const size_t index = told_place(list, begin);
	return index < list->count && list->items[index].window.begin == begin ? &list->items[index]
									       : NULL;
}

struct told *told_add(struct told_list *list, struct window window, ml_time due)
{
	struct told *known = told_find(list, window.begin);
	if (known)
		return known;
	if (list->count == STATE_TOLD_MAX)
		return NULL;
	if (list->count == list->capacity) {
		const size_t capacity = list->capacity ? list->capacity * 2 : 4;
		struct told *grown = realloc(list->items, capacity * sizeof *grown);
		if (!grown)
			return NULL;
		list->items = grown;
		list->capacity = capacity;
	}
	const size_t index = told_place(list, window.begin);
	memmove(list->items + index + 1, list->items + index,
		(list->count - index) * sizeof *list->items);
	list->items[index] = (struct told){.window = window, .due = due};
	list->count++;
	return &list->items[index];
}

void told_drop(struct told_list *list, size_t count)
{
	list->count -= count;
	memmove(list->items, list->items + count, list->count * sizeof *list->items);
}

/* ---- Numbers ---- */

static uint32_t check_sum(const uint8_t *bytes, size_t length)
{
	uint32_t hash = 0x811C9DC5u;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * 0x01000193u;
	return hash;
}

static void put(struct ml_buffer *out, uint64_t value)
{
	uint8_t bytes[10];
	size_t length = 0;
	while (value >= 0x80) {
		bytes[length++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	bytes[length++] = (uint8_t)value;
	ml_buffer_append(out, bytes, length);
}

static void put_signed(struct ml_buffer *out, int64_t value)
{
	put(out, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

struct in {
	const uint8_t *at, *end;
	bool bad; /* something was missing or wrong: what is read from then on is 0 */
};

static uint64_t get(struct in *in)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 64 && in->at < in->end && !in->bad; shift += 7) {
		const uint8_t byte = *in->at++;
		value |= (uint64_t)(byte & 0x7F) << shift;
		if (!(byte & 0x80))
			return value;
	}
	in->bad = true;
	return 0;
}

static uint64_t get_below(struct in *in, uint64_t limit)
{
	const uint64_t value = get(in);
	in->bad = in->bad || value >= limit;
	return in->bad ? 0 : value;
}

static uint32_t get32(struct in *in)
{
	return (uint32_t)get_below(in, (uint64_t)1 << 32);
}

static int64_t get_signed(struct in *in)
{
	const uint64_t value = get(in);
	return (int64_t)((value >> 1) ^ (value & 1 ? UINT64_MAX : 0));
}

/* ---- Values, windows, sums ---- */

static void put_decimal(struct ml_buffer *out, struct ml_decimal value)
{
	put_signed(out, value.mantissa);
	put_signed(out, value.exponent);
}

static struct ml_decimal get_decimal(struct in *in)
{
	struct ml_decimal value = {.mantissa = get_signed(in)};
	const int64_t exponent = get_signed(in);
	in->bad = in->bad || exponent < -128 || exponent > 127;
	value.exponent = in->bad ? 0 : (int8_t)exponent;
	return value;
}

/* Numbers that lie near another one are short as what they differ by; differences wrap around. */
static void put_near(struct ml_buffer *out, uint64_t value, uint64_t other)
{
	put_signed(out, (int64_t)(value - other));
}

static uint64_t get_near(struct in *in, uint64_t other)
{
	return (uint64_t)get_signed(in) + other;
}

static void put_value(
	struct ml_buffer *out, const struct series_value *value, ml_time time, uint64_t trace)
{
	put_near(out, (uint64_t)value->time, (uint64_t)time);
	put_near(out, value->trace, trace);
	put_decimal(out, value->value);
	put(out, value->device);
	put(out, value->digits);
}

static struct series_value get_value(struct in *in, ml_time time, uint64_t trace)
{
	struct series_value value = {.time = (ml_time)get_near(in, (uint64_t)time)};
	in->bad = in->bad || value.time < -SERIES_TIME_MAX || value.time > SERIES_TIME_MAX;
	value.trace = get_near(in, trace);
	value.value = get_decimal(in);
	value.device = get32(in);
	value.digits = (uint8_t)get_below(in, 19);
	return value;
}

static void put_window(struct ml_buffer *out, struct window window)
{
	put_signed(out, window.begin);
	put(out, (uint64_t)window.end - (uint64_t)window.begin);
}

/* Windows stand in their order; the one before ends at `*after`. */
static struct window get_window(struct in *in, ml_time *after)
{
	struct window window = {.begin = get_signed(in)};
	const uint64_t length = get(in);
	in->bad = in->bad || window.begin < *after || length == 0 ||
		  length > (uint64_t)(366 * ML_DAY) || window.begin < -SERIES_TIME_MAX ||
		  window.begin > SERIES_TIME_MAX;
	if (in->bad)
		return (struct window){0, 1};
	window.end = window.begin + (ml_time)length;
	*after = window.end;
	return window;
}

static void put_sum(struct ml_buffer *out, const struct sum *sum)
{
	put_window(out, sum->window);
	put(out, sum->count);
	put(out, sum->missing);
	put(out, sum->errors);
	put(out, sum->late);
	put(out, sum->marks);
	put(out, sum->steps);
	put(out, sum->border);
	put(out, sum->trace_first);
	put_near(out, sum->trace_last, sum->trace_first);
	if (!sum->count)
		return;
	put_decimal(out, sum->total);
	put_decimal(out, sum->min);
	put_decimal(out, sum->max);
	put_decimal(out, sum->inner);
	put_value(out, &sum->first, sum->window.begin, sum->trace_first);
	put_value(out, &sum->last, sum->window.begin, sum->trace_first);
}

static bool within(const struct window *window, const struct series_value *value)
{
	return value->time >= window->begin && value->time < window->end;
}

static void get_sum(struct in *in, struct sum *sum, ml_time *after)
{
	sum->window = get_window(in, after);
	sum->count = get32(in);
	sum->missing = get32(in);
	sum->errors = get32(in);
	sum->late = get32(in);
	sum->marks = (uint32_t)get_below(in, 2 * MARK_TOTAL);
	sum->steps = get32(in);
	sum->border = (uint8_t)get_below(in, BORDER_BEFORE + 1);
	sum->trace_first = get(in);
	sum->trace_last = get_near(in, sum->trace_first);
	if (!sum->count)
		return;
	sum->total = get_decimal(in);
	sum->min = get_decimal(in);
	sum->max = get_decimal(in);
	sum->inner = get_decimal(in);
	sum->first = get_value(in, sum->window.begin, sum->trace_first);
	sum->last = get_value(in, sum->window.begin, sum->trace_first);
	in->bad = in->bad || !within(&sum->window, &sum->first) ||
		  !within(&sum->window, &sum->last) || sum->first.time > sum->last.time;
}

/* ---- Series ---- */

static void put_series(struct ml_buffer *out, const struct series *series)
{
	const size_t unit = strlen(series->unit);
	put(out, unit);
	ml_buffer_append(out, series->unit, unit);
	if (series->has_base)
		put_value(out, &series->base, 0, 0);
	put_signed(out, series->finished);
	put_signed(out, series->forgotten);
	put(out, series->count);
	for (size_t i = 0; i < series->count; i++)
		put_sum(out, &series->sums[i]);
	put(out, series->counted_count);
	struct counted before = {0};
	for (size_t i = 0; i < series->counted_count; i++) {
		put_near(out, (uint64_t)series->counted[i].time, (uint64_t)before.time);
		put_near(out, series->counted[i].trace, before.trace);
		before = series->counted[i];
	}
}

static int get_series(struct in *in, struct series *series)
{
	ml_time after = INT64_MIN;
	const size_t unit = (size_t)get_below(in, SERIES_UNIT_MAX);
	if (unit > (size_t)(in->end - in->at))
		in->bad = true;
	if (in->bad)
		return -EBADMSG;
	memcpy(series->unit, in->at, unit);
	in->bad = memchr(series->unit, '\0', unit) != NULL;
	in->at += unit;
	if (series->has_base)
		series->base = get_value(in, 0, 0);
	series->finished = get_signed(in);
	series->forgotten = get_signed(in);
	in->bad = in->bad || series->forgotten > SERIES_TIME_MAX;
	const size_t count = (size_t)get_below(in, SERIES_SUMS_MAX + 1);
	if (in->bad)
		return -EBADMSG;
	series->sums = calloc(count ? count : 1, sizeof *series->sums);
	if (!series->sums)
		return -ENOMEM;
	series->capacity = count ? count : 1;
	series->count = count;
	for (size_t i = 0; i < count && !in->bad; i++)
		get_sum(in, &series->sums[i], &after);
	series->counted_count = (size_t)get_below(in, SERIES_COUNTED_MAX + 1);
	struct counted before = {0};
	for (size_t i = 0; i < series->counted_count; i++) {
		before.time = (ml_time)get_near(in, (uint64_t)before.time);
		before.trace = get_near(in, before.trace);
		series->counted[i] = before;
	}
	return in->bad ? -EBADMSG : 0;
}

/* ---- States ---- */

void state_write(const struct state *state, uint64_t fingerprint, struct ml_buffer *out)
{
	uint8_t identity[8];
	const size_t begin = out->length;
	put(out, VERSION);
	put(out, fingerprint);
	put(out, (state->virtual ? FLAG_VIRTUAL : 0u) | (state->has_identity ? FLAG_IDENTITY : 0u) |
			 (state->has_maker ? FLAG_MAKER : 0u) |
			 (state->series.has_unit ? FLAG_UNIT : 0u) |
			 (state->series.has_base ? FLAG_BASE : 0u));
	put(out, state->point);
	meter_identity_write(state->identity, identity);
	ml_buffer_append(out, identity, sizeof identity);
	put(out, state->device);
	put_series(out, &state->series);
	put(out, state->told.count);
	for (size_t i = 0; i < state->told.count; i++) {
		const struct told *told = &state->told.items[i];
		put_window(out, told->window);
		put(out, told->told);
		put(out, told->hash);
		put(out, told->corrections);
	}
	if (out->failed)
		return;
	const uint32_t sum = check_sum((const uint8_t *)out->data + begin, out->length - begin);
	const uint8_t bytes[4] = {
		(uint8_t)sum, (uint8_t)(sum >> 8), (uint8_t)(sum >> 16), (uint8_t)(sum >> 24)};
	ml_buffer_append(out, bytes, sizeof bytes);
}

static int get_told(struct in *in, struct told_list *list)
{
	ml_time after = INT64_MIN;
	const size_t count = (size_t)get_below(in, STATE_TOLD_MAX + 1);
	for (size_t i = 0; i < count && !in->bad; i++) {
		const struct window window = get_window(in, &after);
		struct told *told = in->bad ? NULL : told_add(list, window, ML_NEVER);
		if (in->bad)
			break;
		if (!told)
			return -ENOMEM;
		told->told = get_below(in, 2) != 0;
		told->hash = get32(in);
		told->corrections = get32(in);
	}
	return in->bad ? -EBADMSG : 0;
}

static int get_content(struct in *in, uint64_t fingerprint, struct state *state)
{
	if (get(in) != VERSION || get(in) != fingerprint)
		return in->bad ? -EBADMSG : -ESTALE;
	const unsigned flags = (unsigned)get_below(in, FLAGS_ALL + 1);
	state->virtual = (flags & FLAG_VIRTUAL) != 0;
	state->has_identity = (flags & FLAG_IDENTITY) != 0;
	state->has_maker = (flags & FLAG_MAKER) != 0;
	state->series.has_unit = (flags & FLAG_UNIT) != 0;
	state->series.has_base = (flags & FLAG_BASE) != 0;
	state->point = get32(in);
	if (in->bad || in->end - in->at < 8)
		return -EBADMSG;
	meter_identity_read(in->at, &state->identity);
	in->at += 8;
	state->device = get32(in);
	const int result = get_series(in, &state->series);
	return result < 0 ? result : get_told(in, &state->told);
}

int state_read(const uint8_t *bytes, size_t length, uint64_t fingerprint, struct state *state,
	struct ml_error *err)
{
	*state = (struct state){0};
	if (length < 4)
		return ml_error_set(err, -EBADMSG, "what was kept is damaged");
	const uint8_t *sum = bytes + length - 4;
	struct in in = {.at = bytes, .end = sum};
	int result = -EBADMSG;
	if (check_sum(bytes, length - 4) ==
		((uint32_t)sum[0] | (uint32_t)sum[1] << 8 | (uint32_t)sum[2] << 16 |
			(uint32_t)sum[3] << 24))
		result = get_content(&in, fingerprint, state);
	if (result == 0 && in.at != in.end)
		result = -EBADMSG;
	if (result == 0)
		return 0;
	state_free(state);
	*state = (struct state){0};
	if (result == -ENOMEM)
		return ml_error_set(err, result, "out of memory");
	return ml_error_set(err, result,
		result == -ESTALE ? "it was counted by other rules" : "what was kept is damaged");
}
