/* A stream: the rows of one device in the order of time, some ahead. Private to scan.h's files.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_STREAM_H
#define STORE_STREAM_H

#include "store/rows.h"
#include "store/view.h"

/* A block that was full when the scan began, or that was not: then of any time. */
struct stream_block {
	uint64_t number;
	ml_time first_time, last_time;
};

/* What all streams of a scan share. */
struct stream_scan {
	struct store_view *view;
	bool backward, failed, unpacked;
	ml_time from, to;
	uint64_t first, last;
	size_t ahead; /* so many rows a stream */
	/* Sorted by the time they begin (forward) or end (backward). */
	struct stream_block *blocks;
	size_t block_count;
	uint64_t unknown; /* all blocks from this number on are of any time */
};

struct stream {
	int64_t device;
	struct store_place place; /* all up to it was looked at */
	struct store_rows rows;   /* ahead, in the scan's order */
	size_t next, count;       /* of them; those behind `count` are read again */
	bool ended;               /* nothing is behind the rows */
};

/* Looks ahead where no row is left. 1: there is one; 0: the stream is at its end. */
int stream_fill(const struct stream_scan *scan, struct stream *stream, struct ml_error *err);

static inline const struct store_row *stream_head(const struct stream *stream)
{
	return &stream->rows.items[stream->next];
}

void stream_free(struct stream *stream); /* what it owns */

#endif
