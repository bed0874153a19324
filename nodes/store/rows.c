/* A list of rows with copies of their contents.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int make_room(struct store_rows *rows, size_t length, struct ml_error *err)
{
	if (rows->count == rows->capacity) {
		const size_t capacity = rows->capacity ? rows->capacity * 2 : 32;
		struct store_row *items = realloc(rows->items, capacity * sizeof *items);
		if (items)
			rows->items = items;
		size_t *offsets = items ? realloc(rows->offsets, capacity * sizeof *offsets) : NULL;
		if (!offsets)
			return ml_error_set(err, -ENOMEM, "out of memory");
		rows->offsets = offsets;
		rows->capacity = capacity;
	}
	if (length > rows->size - rows->used) {
		const size_t size = (rows->size + length) * 2;
		uint8_t *bytes = realloc(rows->bytes, size);
		if (!bytes)
			return ml_error_set(err, -ENOMEM, "out of memory");
		rows->bytes = bytes;
		rows->size = size;
	}
	return 0;
}

int store_rows_add(struct store_rows *rows, const struct store_row *row, struct ml_error *err)
{
	const int result = make_room(rows, row->length, err);
	if (result < 0)
		return result;
	if (row->length)
		memcpy(rows->bytes + rows->used, row->content, row->length);
	rows->offsets[rows->count] = rows->used;
	rows->items[rows->count] = *row;
	rows->items[rows->count++].content = NULL;
	rows->used += row->length;
	return 0;
}

void store_rows_settle(struct store_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		rows->items[i].content = rows->bytes ? rows->bytes + rows->offsets[i] : NULL;
}

void store_rows_clear(struct store_rows *rows)
{
	rows->count = 0;
	rows->used = 0;
}

void store_rows_free(struct store_rows *rows)
{
	free(rows->items);
	free(rows->offsets);
	free(rows->bytes);
	*rows = (struct store_rows){0};
}

int store_row_compare(const void *a, const void *b)
{
	const struct store_row *first = a, *second = b;
	if (first->time != second->time)
		return first->time < second->time ? -1 : 1;
	return (first->sequence > second->sequence) - (first->sequence < second->sequence);
}

int store_row_compare_backward(const void *a, const void *b)
{
	return store_row_compare(b, a);
}
