/* Rows of all devices in the order of sequence. Private to scan.h's files.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_SPAN_H
#define STORE_SPAN_H

#include "store/block.h"
#include "store/rows.h"
#include "store/view.h"

struct span_scan {
	struct store_view *view;
	bool backward, failed, timeless;
	ml_time from, to;
	uint64_t first, last; /* what is still to be looked at, both included */
	int64_t *devices;     /* sorted; NULL: all */
	size_t device_count;
	struct store_rows rows; /* of the present window, in the scan's order */
	size_t next;
};

int span_begin(struct span_scan *scan, struct store_view *view,
	const struct store_scan_options *options, struct ml_error *err);
int span_next(struct span_scan *scan, const struct store_row **ret_row, struct ml_error *err);
void span_end(struct span_scan *scan);

#endif
