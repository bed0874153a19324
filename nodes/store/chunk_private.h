/* A chunk that is open: where its columns lie.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_CHUNK_PRIVATE_H
#define STORE_CHUNK_PRIVATE_H

#include "store/chunk.h"
#include "store/chunk_content.h"
#include "store/chunk_format.h"

/* Where a column lies and how it is coded. */
struct chunk_part {
	bool there;   /* else all is zero or empty */
	uint8_t form; /* enum chunk_form */
	uint8_t width;
	bool linked;   /* less what others say: of a trace its sequence, of a record: */
	uint16_t a, b; /* a - b, or a + b */
	bool sum;
	struct chunk_plan plan; /* `first` is the number of a constant */
	const uint8_t *at;
	size_t length;
};

struct chunk_stream {
	struct chunk_part fields[CHUNK_FIELDS];
	struct chunk_part *records; /* CHUNK_RECORD_FIELDS of each */
};

struct store_chunk {
	size_t count;
	int64_t unit;                     /* µs */
	struct store_chunk_shape *shapes; /* `stream_count`, as the streams */
	struct chunk_stream *streams;
	size_t stream_count;
	struct chunk_part order; /* the stream of each row */
	size_t head_length, blob_length;
	struct store_row *rows; /* NULL: not yet read */
	bool has_content;       /* they are with content */
	struct chunk_bytes content;
};

/* Says that it is damaged, or that memory ran out; returns `result`. */
int chunk_fail(int result, struct ml_error *err);

#endif
