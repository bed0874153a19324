/* Thinning: readouts of one series into at most so many points.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Which of the two it will be, single readouts or buckets, is known only at the end: both are kept
 * until there are more readouts than points.
 */
#include "store/thin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 64 };

struct points {
	struct store_thin_point *items;
	size_t count, room;
};

struct store_thin {
	ml_time from, to;
	size_t limit;
	bool thinned; /* there were more readouts than points */
	struct points singles, buckets;
	size_t changes; /* of the source */
	uint64_t slot;  /* of the last bucket */
};

struct store_thin *store_thin_new(ml_time from, ml_time to, size_t points)
{
	struct store_thin *thin = calloc(1, sizeof *thin);
	if (!thin)
		return NULL;
	thin->from = from;
	thin->to = to > from ? to : from;
	thin->limit = points ? points : 1;
	return thin;
}

static void points_free(struct points *points)
{
	for (size_t i = 0; i < points->count; i++)
		free(points->items[i].text);
	free(points->items);
	*points = (struct points){0};
}

void store_thin_free(struct store_thin *thin)
{
	if (!thin)
		return;
	points_free(&thin->singles);
	points_free(&thin->buckets);
	free(thin);
}

void store_thin_clear(struct store_thin *thin)
{
	points_free(&thin->singles);
	points_free(&thin->buckets);
	thin->thinned = false;
	thin->changes = 0;
	thin->slot = 0;
}

static struct store_thin_point *append(struct points *points)
{
	if (points->count == points->room) {
		const size_t room = points->room ? points->room * 2 : FIRST_ROOM;
		struct store_thin_point *grown = realloc(points->items, room * sizeof *grown);
		if (!grown)
			return NULL;
		points->items = grown;
		points->room = room;
	}
	struct store_thin_point *point = &points->items[points->count++];
	memset(point, 0, sizeof *point);
	return point;
}

/* Most numbers of a series have one exponent. */
static int compare(struct ml_decimal a, struct ml_decimal b)
{
	if (a.exponent == b.exponent)
		return (a.mantissa > b.mantissa) - (a.mantissa < b.mantissa);
	return ml_decimal_compare(a, b);
}

static void count_number(struct store_thin_point *point, struct ml_decimal number)
{
	if (!point->numbers++) {
		point->first = number;
		point->min = number;
		point->max = number;
	}
	if (compare(number, point->min) < 0)
		point->min = number;
	if (compare(number, point->max) > 0)
		point->max = number;
	point->last = number;
}

static void count(struct store_thin_point *point, const struct store_thin_readout *readout)
{
	if (!point->numbers && !point->texts && !point->nones && !point->failures)
		point->from = readout->time;
	point->to = readout->time;
	point->source = readout->source;
	switch (readout->kind) {
	case STORE_THIN_NUMBER:
		count_number(point, readout->number);
		break;
	case STORE_THIN_TEXT:
		point->texts++;
		break;
	case STORE_THIN_NONE:
		point->nones++;
		break;
	default:
		point->failures++;
	}
}

/* Which of the spans the time is in, the first being 0. */
static uint64_t slot_of(const struct store_thin *thin, ml_time time)
{
	const uint64_t whole = (uint64_t)thin->to - (uint64_t)thin->from + 1;
	const uint64_t width = whole / thin->limit + (whole % thin->limit != 0);
	if (time <= thin->from)
		return 0;
	const uint64_t slot = ((uint64_t)time - (uint64_t)thin->from) / (width ? width : 1);
	return slot < thin->limit ? slot : thin->limit - 1;
}

static int add_to_bucket(struct store_thin *thin, const struct store_thin_readout *readout)
{
	struct points *buckets = &thin->buckets;
	struct store_thin_point *last = buckets->count ? &buckets->items[buckets->count - 1] : NULL;
	const uint64_t slot = slot_of(thin, readout->time);
	/* Two meters that answer as one do not make buckets without end. */
	const bool changed = last && last->source != readout->source && thin->changes < thin->limit;
	if (!last || slot > thin->slot || changed) {
		thin->changes += changed;
		thin->slot = slot;
		last = append(buckets);
	}
	if (!last)
		return -ENOMEM;
	count(last, readout);
	return 0;
}

static int add_single(struct store_thin *thin, const struct store_thin_readout *readout)
{
	struct store_thin_point *point = append(&thin->singles);
	if (!point)
		return -ENOMEM;
	count(point, readout);
	if (readout->kind == STORE_THIN_TEXT) {
		point->text = strndup(readout->text, STORE_THIN_TEXT_MAX - 1);
		if (!point->text)
			return -ENOMEM;
	}
	return 0;
}

int store_thin_add(struct store_thin *thin, const struct store_thin_readout *readout)
{
	if (!thin->thinned && thin->singles.count == thin->limit) {
		thin->thinned = true;
		points_free(&thin->singles);
	}
	int result = 0;
	if (!thin->thinned)
		result = add_single(thin, readout);
	return result < 0 ? result : add_to_bucket(thin, readout);
}

bool store_thin_wants_text(const struct store_thin *thin)
{
	return !thin->thinned && thin->singles.count < thin->limit;
}

const struct store_thin_point *store_thin_points(
	const struct store_thin *thin, size_t *ret_count, bool *thinned)
{
	const struct points *points = thin->thinned ? &thin->buckets : &thin->singles;
	*ret_count = points->count;
	*thinned = thin->thinned;
	return points->items;
}
