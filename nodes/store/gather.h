/* Scans of few rows: all of them at once, sorted in memory. Private to scan.h's files.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_GATHER_H
#define STORE_GATHER_H

#include "store/rows.h"
#include "store/view.h"

struct gathered {
	struct store_rows rows; /* in the scan's order */
	size_t next;
};

/* Reads what the options ask for by its sequence numbers and sorts it. 1: it is all here; 0: that
 * would be too much, or cannot be had this way (nothing is kept); else an error. */
int gather(struct store_view *view, const struct store_scan_options *options,
	struct gathered *ret_gathered, struct ml_error *err);

int gathered_next(struct gathered *gathered, const struct store_row **ret_row);

#endif
