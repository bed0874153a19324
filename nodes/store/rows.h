/* A list of rows with copies of their contents. Private to the files that read and pack.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Contents lie in one buffer that grows, so rows point to theirs only after store_rows_settle().
 * A list that is all zeroes is empty.
 */
#ifndef STORE_ROWS_H
#define STORE_ROWS_H

#include <meterloom/error.h>

#include "store/row.h"

struct store_rows {
	struct store_row *items;
	size_t count, capacity;
	size_t *offsets; /* of the contents in `bytes` */
	uint8_t *bytes;
	size_t used, size;
};

/* Keeps a copy. -ENOMEM. */
int store_rows_add(struct store_rows *rows, const struct store_row *row, struct ml_error *err);

/* Lets the rows point to their contents; before they are put into another order. */
void store_rows_settle(struct store_rows *rows);

/* Empties it and keeps its memory. */
void store_rows_clear(struct store_rows *rows);

void store_rows_free(struct store_rows *rows); /* and empties it */

/* For qsort(): by time, those of one time by sequence. */
int store_row_compare(const void *a, const void *b);
int store_row_compare_backward(const void *a, const void *b);

#endif
