/* Scans of few rows: all of them at once, sorted in memory.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A report of the last minutes takes few rows of each of many devices, which lie side by side in
 * the order of sequence: to read them so and to sort them is many times cheaper than to look for
 * those of each device.
 */
#include "store/gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/span.h"

enum { SPAN_MAX = 4096, BYTES_MAX = 1024 * 1024 };

struct place {
	int64_t device;
	size_t place; /* in the order of the options */
};

static int compare_places(const void *a, const void *b)
{
	const int64_t first = ((const struct place *)a)->device;
	const int64_t second = ((const struct place *)b)->device;
	return (first > second) - (first < second);
}

/* `device` is a place in the order of devices here. */
static int compare_devices(const void *a, const void *b)
{
	const struct store_row *first = a, *second = b;
	if (first->device != second->device)
		return first->device < second->device ? -1 : 1;
	return store_row_compare(a, b);
}

static int compare_devices_backward(const void *a, const void *b)
{
	const struct store_row *first = a, *second = b;
	if (first->device != second->device)
		return first->device < second->device ? -1 : 1;
	return store_row_compare(b, a);
}

/* 1: all is here; 0: it is too much. */
static int read_all(struct store_view *view, const struct store_scan_options *options,
	struct gathered *g, struct ml_error *err)
{
	struct store_scan_options by_sequence = *options;
	struct span_scan span = {0};
	const struct store_row *row = NULL;
	by_sequence.order = STORE_BY_SEQUENCE;
	by_sequence.backward = false;
	int result = span_begin(&span, view, &by_sequence, err);
	while (result == 0 && g->rows.used <= BYTES_MAX &&
		(result = span_next(&span, &row, err)) > 0)
		result = store_rows_add(&g->rows, row, err);
	span_end(&span);
	if (result < 0)
		return result;
	return g->rows.used <= BYTES_MAX;
}

static int sort_by_device(
	struct gathered *g, const struct store_scan_options *options, struct ml_error *err)
{
	struct place *places = calloc(options->device_count + 1, sizeof *places);
	if (!places)
		return ml_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < options->device_count; i++)
		places[i] = (struct place){options->devices[i], i};
	qsort(places, options->device_count, sizeof *places, compare_places);
	for (size_t i = 0; i < g->rows.count; i++) {
		const struct place wanted = {.device = g->rows.items[i].device};
		const struct place *place = bsearch(
			&wanted, places, options->device_count, sizeof *places, compare_places);
		g->rows.items[i].device = place ? (int64_t)place->place : 0;
	}
	qsort(g->rows.items, g->rows.count, sizeof *g->rows.items,
		options->backward ? compare_devices_backward : compare_devices);
	for (size_t i = 0; i < g->rows.count; i++)
		g->rows.items[i].device = options->devices[g->rows.items[i].device];
	free(places);
	return 0;
}

int gather(struct store_view *view, const struct store_scan_options *options,
	struct gathered *ret_gathered, struct ml_error *err)
{
	struct gathered *g = ret_gathered;
	if (options->unpacked || options->behind || options->last < options->first ||
		options->last - options->first >= SPAN_MAX ||
		(options->order == STORE_BY_DEVICE && !options->devices))
		return 0;
	*g = (struct gathered){0};
	int result = read_all(view, options, g, err);
	if (result <= 0)
		goto out;
	store_rows_settle(&g->rows);
	if (g->rows.count && options->order == STORE_BY_DEVICE) {
		result = sort_by_device(g, options, err);
		if (result < 0)
			goto out;
	} else if (g->rows.count) {
		qsort(g->rows.items, g->rows.count, sizeof *g->rows.items,
			options->backward ? store_row_compare_backward : store_row_compare);
	}
	return 1;
out:
	store_rows_free(&g->rows);
	return result;
}

int gathered_next(struct gathered *gathered, const struct store_row **ret_row)
{
	if (gathered->next == gathered->rows.count)
		return 0;
	*ret_row = &gathered->rows.items[gathered->next++];
	return 1;
}
