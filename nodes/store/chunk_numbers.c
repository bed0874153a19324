/* A column of numbers: an expected value that follows what comes, and how far each is from it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A level and a slope follow the numbers. With the level at once and no slope that is "as the one
 * before", with the slope at once "as the step before"; slower, noise is averaged out. Where steps
 * are near multiples of a period (a schedule), the multiples are told apart from what is left over.
 *
 * An error is told as the length of its size in bits (one decision a bit, guessed from the errors
 * before), its sign, and the bits below the highest: the three upper ones guessed, the others not.
 */
#include <errno.h>
#include <stdlib.h>

#include "store/chunk_column.h"

enum {
	FRACTION = 8, /* bits of level and slope below one */
	CONTEXTS = 32,
	SIZES = 65, /* lengths in bits of a size: 0 to 64 */
	UPPER = 3,
};

/* ---- What is expected ---- */

struct expectation {
	uint64_t level, slope; /* in 1/256, modulo 2^64 */
	unsigned near, trend;
};

static uint64_t shifted(uint64_t value, unsigned by)
{
	return by ? (value >> by) | (value >> 63 ? ~(UINT64_MAX >> by) : 0) : value;
}

static uint64_t expected(const struct expectation *e)
{
	return shifted(e->level + e->slope + (1u << (FRACTION - 1)), FRACTION);
}

static void follow(struct expectation *e, uint64_t number)
{
	const uint64_t error = (number << FRACTION) - e->level - e->slope;
	e->level += e->slope + shifted(error, e->near);
	if (e->trend)
		e->slope += shifted(error, e->trend - 1);
}

/* ---- Errors and what they say of the next ---- */

struct history {
	uint64_t one, two; /* sizes of the last errors */
	uint64_t slow;     /* their mean, in 1/16 */
	unsigned run;      /* of errors that were none */
	unsigned figure;   /* the last three: 0 none, 1 of one upwards, 2 other; base 3 */
	unsigned sign;     /* of the last: 0 none, 1 positive, 2 negative */
};

static unsigned bit_length(uint64_t value)
{
	return value ? 64u - (unsigned)__builtin_clzll(value) : 0;
}

static unsigned context_of(const struct history *h, unsigned context)
{
	switch (context) {
	case CHUNK_LAST: {
		const unsigned length = bit_length(h->one + h->two);
		return length < CONTEXTS ? length : CONTEXTS - 1;
	}
	case CHUNK_SLOW: {
		const unsigned length = bit_length(h->slow);
		const unsigned half = length > 1 ? (unsigned)(h->slow >> (length - 2)) & 1 : 0;
		return 2 * length + half < CONTEXTS ? 2 * length + half : CONTEXTS - 1;
	}
	case CHUNK_RUN:
		return h->run;
	case CHUNK_FIGURE:
		return h->figure;
	default:
		return 0;
	}
}

static void remember(struct history *h, uint64_t size, unsigned sign)
{
	const uint64_t capped = size < UINT64_C(1) << 56 ? size : UINT64_C(1) << 56;
	h->two = h->one;
	h->one = capped;
	h->slow += shifted((capped << 4) - h->slow, 2);
	h->run = size ? 0 : h->run < CONTEXTS - 1 ? h->run + 1 : h->run;
	h->figure = h->figure % 9 * 3 + (!size ? 0 : size == 1 && sign == 1 ? 1 : 2);
	h->sign = sign;
}

/* ---- Models ---- */

struct models {
	chunk_model longer[CONTEXTS][SIZES]; /* whether the size has more bits than so many */
	chunk_model negative[3][4];
	chunk_model upper[SIZES][1 << UPPER];
};

static unsigned upper_bits(unsigned length)
{
	return length - 1 < UPPER ? length - 1 : UPPER;
}

static void put_error(struct chunk_writer *writer, struct models *models, struct history *h,
	unsigned context, uint64_t error)
{
	const bool negative = error >> 63;
	const uint64_t size = negative ? 0 - error : error;
	const unsigned length = bit_length(size);
	chunk_model *longer = models->longer[context_of(h, context)];
	for (unsigned i = 0; i < length; i++)
		chunk_put(writer, &longer[i], 1);
	if (length < SIZES - 1)
		chunk_put(writer, &longer[length], 0);
	if (length) {
		const unsigned upper = upper_bits(length);
		const unsigned rest = length - 1 - upper;
		unsigned node = 1;
		chunk_put(writer, &models->negative[h->sign][length < 4 ? length : 3], negative);
		for (unsigned i = 0; i < upper; i++) {
			const unsigned bit = (unsigned)(size >> (length - 2 - i)) & 1;
			chunk_put(writer, &models->upper[length][node], bit);
			node = node << 1 | bit;
		}
		chunk_put_plain(writer, size, rest);
	}
	remember(h, size, !size ? 0 : negative ? 2 : 1);
}

static uint64_t get_error(
	struct chunk_reader *reader, struct models *models, struct history *h, unsigned context)
{
	chunk_model *longer = models->longer[context_of(h, context)];
	unsigned length = 0;
	while (length < SIZES - 1 && chunk_get(reader, &longer[length]))
		length++;
	if (!length) {
		remember(h, 0, 0);
		return 0;
	}
	const unsigned upper = upper_bits(length);
	const unsigned negative =
		chunk_get(reader, &models->negative[h->sign][length < 4 ? length : 3]);
	unsigned node = 1;
	for (unsigned i = 0; i < upper; i++)
		node = node << 1 | chunk_get(reader, &models->upper[length][node]);
	const unsigned rest = length - 1 - upper;
	const uint64_t size = (uint64_t)node << rest | chunk_get_plain(reader, rest);
	remember(h, size, negative ? 2 : 1);
	return negative ? 0 - size : size;
}

/* ---- Columns ---- */

/* How many periods there are in a step, to the nearest. */
static uint64_t periods(uint64_t step, uint64_t period)
{
	const bool negative = step >> 63;
	const uint64_t size = negative ? 0 - step : step;
	const uint64_t count = size / period + (size % period > period / 2);
	return negative ? 0 - count : count;
}

struct column {
	struct expectation expectation;
	struct history history, step_history;
	uint64_t last, left; /* the number before; what it has beside multiples of the period */
	struct models *models, *step_models;
};

static bool column_start(struct column *column, const struct chunk_plan *plan)
{
	*column = (struct column){
		.expectation = {.near = plan->near, .trend = plan->trend},
		.last = plan->first,
	};
	column->models = calloc(plan->period ? 2 : 1, sizeof *column->models);
	if (!column->models)
		return false;
	if (plan->period)
		column->step_models = column->models + 1;
	return true;
}

void chunk_numbers_write(const uint64_t *numbers, size_t count, const struct chunk_plan *plan,
	struct chunk_bytes *out)
{
	struct chunk_writer writer;
	struct column column;
	if (!column_start(&column, plan)) {
		out->failed = true;
		return;
	}
	chunk_writer_start(&writer, out);
	for (size_t i = 1; i < count; i++) {
		uint64_t number = numbers[i] - plan->first;
		if (plan->period) {
			const uint64_t step = numbers[i] - column.last;
			const uint64_t whole = periods(step, plan->period);
			put_error(&writer, column.step_models, &column.step_history, CHUNK_LAST,
				whole - 1);
			column.last = numbers[i];
			column.left += step - whole * plan->period;
			number = column.left;
		}
		put_error(&writer, column.models, &column.history, plan->context,
			number - expected(&column.expectation));
		follow(&column.expectation, number);
	}
	chunk_writer_end(&writer);
	free(column.models);
}

int chunk_numbers_read(const uint8_t *at, size_t length, const struct chunk_plan *plan,
	uint64_t *numbers, size_t count)
{
	struct chunk_reader reader;
	struct column column;
	if (!column_start(&column, plan))
		return -ENOMEM;
	chunk_reader_start(&reader, at, at + length);
	if (count)
		numbers[0] = plan->first;
	for (size_t i = 1; i < count; i++) {
		uint64_t whole = 0;
		if (plan->period)
			whole = get_error(&reader, column.step_models, &column.step_history,
					CHUNK_LAST) +
				1;
		const uint64_t number =
			expected(&column.expectation) +
			get_error(&reader, column.models, &column.history, plan->context);
		follow(&column.expectation, number);
		if (plan->period) {
			column.last += whole * plan->period + number - column.left;
			column.left = number;
			numbers[i] = column.last;
		} else {
			numbers[i] = plan->first + number;
		}
	}
	free(column.models);
	return 0;
}

/* ---- The best plan ---- */

enum { TRIED = 3 };

/* About log2(2 size + 1), in 1/16: straight between powers of two. */
static uint64_t price(uint64_t error)
{
	const uint64_t size = error >> 63 ? 0 - error : error;
	if (size >> 62)
		return 64 << 4;
	const uint64_t value = 2 * size + 1;
	const unsigned length = bit_length(value);
	const uint64_t below = value - (UINT64_C(1) << (length - 1));
	return (uint64_t)(length - 1) << 4 |
	       (length > 5 ? below >> (length - 5) : below << (5 - length));
}

static uint64_t estimate(const uint64_t *numbers, size_t count, const struct chunk_plan *plan)
{
	struct expectation e = {.near = plan->near, .trend = plan->trend};
	uint64_t total = 0;
	for (size_t i = 1; i < count; i++) {
		const uint64_t number = numbers[i] - plan->first;
		total += price(number - expected(&e));
		follow(&e, number);
	}
	return total;
}

struct candidates {
	struct chunk_plan plans[TRIED];
	uint64_t prices[TRIED];
	size_t count;
};

/* Keeps the best, in their order. */
static void consider(struct candidates *best, const struct chunk_plan *plan, uint64_t total)
{
	size_t at = best->count;
	while (at > 0 && best->prices[at - 1] > total)
		at--;
	if (at == TRIED)
		return;
	if (best->count < TRIED)
		best->count++;
	for (size_t i = best->count - 1; i > at; i--) {
		best->plans[i] = best->plans[i - 1];
		best->prices[i] = best->prices[i - 1];
	}
	best->plans[at] = *plan;
	best->prices[at] = total;
}

/* Writes by each of the plans; the best becomes `plan` and its length is returned. */
static size_t try_all(const uint64_t *numbers, size_t count, const struct candidates *candidates,
	struct chunk_plan *plan, struct chunk_bytes *scratch)
{
	size_t least = SIZE_MAX;
	for (size_t i = 0; i < candidates->count; i++) {
		scratch->length = 0;
		chunk_numbers_write(numbers, count, &candidates->plans[i], scratch);
		if (scratch->length < least) {
			least = scratch->length;
			*plan = candidates->plans[i];
		}
	}
	return least;
}

/* The best way to follow `left`, which is the numbers themselves or what multiples of the plan's
 * period leave of them. */
static size_t best_way(const uint64_t *numbers, const uint64_t *left, size_t count,
	struct chunk_plan *plan, struct chunk_bytes *scratch)
{
	struct candidates best = {.count = 0};
	struct candidates contexts = {.count = 0};
	const struct chunk_plan start = *plan;
	for (unsigned near = 0; near <= CHUNK_NEAR_MAX; near++) {
		/* A slope that moves faster than its level swings. */
		for (unsigned trend = 0; trend <= CHUNK_TREND_MAX; trend++) {
			struct chunk_plan p = start;
			p.first = left[0];
			p.near = (uint8_t)near;
			p.trend = (uint8_t)trend;
			p.context = CHUNK_LAST;
			if (trend && trend - 1 < 2 * near)
				continue;
			const uint64_t total = estimate(left, count, &p);
			p.first = start.first;
			consider(&best, &p, total);
		}
	}
	size_t least = try_all(numbers, count, &best, plan, scratch);
	for (unsigned context = 0; context < CHUNK_CONTEXTS; context++) {
		struct chunk_plan p = *plan;
		p.context = (uint8_t)context;
		contexts.count = 1;
		contexts.plans[0] = p;
		const size_t length = try_all(numbers, count, &contexts, &p, scratch);
		if (length < least) {
			least = length;
			*plan = p;
		}
	}
	return least;
}

static int by_size(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* What most steps are near to a multiple of; 0: nothing. Leaves in `left` what multiples of it do
 * not tell. */
static uint64_t find_period(const uint64_t *numbers, size_t count, uint64_t *left)
{
	if (count < 8)
		return 0;
	for (size_t i = 1; i < count; i++)
		left[i - 1] = numbers[i] - numbers[i - 1];
	qsort(left, count - 1, sizeof *left, by_size);
	const uint64_t median = left[(count - 1) / 2];
	const uint64_t low = left[(count - 1) / 8], high = left[(count - 1) - (count - 1) / 8 - 1];
	if (median >> 48 || median < 16 || left[0] == left[count - 2] || low < median / 2 ||
		high > median + median / 2)
		return 0;
	uint64_t whole = 0;
	for (size_t i = 1; i < count; i++)
		whole += periods(numbers[i] - numbers[i - 1], median);
	const uint64_t way = numbers[count - 1] - numbers[0];
	if (!whole || whole >> 32 || way >> 63)
		return 0;
	const uint64_t period = (way + whole / 2) / whole;
	if (!period)
		return 0;
	left[0] = 0;
	for (size_t i = 1; i < count; i++) {
		const uint64_t step = numbers[i] - numbers[i - 1];
		left[i] = left[i - 1] + step - periods(step, period) * period;
	}
	return period;
}

int chunk_numbers_plan(const uint64_t *numbers, size_t count, struct chunk_plan *plan)
{
	struct chunk_bytes scratch = {0};
	uint64_t *left = malloc(count * sizeof *left);
	if (!left)
		return -ENOMEM;
	*plan = (struct chunk_plan){.first = numbers[0]};
	const size_t least = best_way(numbers, numbers, count, plan, &scratch);
	struct chunk_plan other = {
		.first = numbers[0],
		.period = find_period(numbers, count, left),
	};
	if (other.period && best_way(numbers, left, count, &other, &scratch) + 4 < least)
		*plan = other;
	const bool failed = scratch.failed;
	chunk_bytes_free(&scratch);
	free(left);
	return failed ? -ENOMEM : 0;
}
