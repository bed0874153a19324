/* A chunk in the making. Private to the files that write chunks.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_CHUNK_PACKER_H
#define STORE_CHUNK_PACKER_H

#include "store/chunk.h"
#include "store/chunk_content.h"

/* What a column may be linked to. */
struct chunk_linkable {
	const uint64_t *numbers; /* NULL: it cannot be linked to */
};

/* The rows of one shape. */
struct chunk_rows {
	int64_t shape;
	unsigned records;
	uint32_t *rows; /* their indices, within the packer's */
	size_t count;
	size_t split; /* how many contents are taken apart */
};

struct store_chunk_packer {
	unsigned check_bytes;
	struct chunk_bytes head, data, columns;
	struct chunk_bytes alone, linked; /* a column in the making, in two ways */
	struct chunk_rows *streams;       /* room for as many as rows */
	size_t stream_count;
	size_t room;         /* rows that the following have room for */
	uint32_t *order;     /* the stream of each row */
	uint32_t *rows;      /* indices, stream by stream */
	struct store_in *at; /* where each row of a stream is, those taken apart */
	struct chunk_head *heads;
	struct chunk_token *tokens;
	uint64_t *numbers;
	uint64_t *left; /* of them, less what other columns say */
	struct chunk_text *texts;
	uint64_t *kept; /* of a shape: the numbers of each record that can be linked to */
	size_t kept_room;
	struct chunk_linkable *linkables; /* of each record */
};

/* How a column follows from others. */
struct chunk_link {
	bool record;   /* of a record: a and b are known by number; else from the sequence */
	unsigned a, b; /* records: a - b, or a + b */
	bool sum;
};

/* Whether all numbers are the same. */
bool chunk_all_equal(const uint64_t *numbers, size_t count);

/* Puts the first `count` of the packer's numbers as a column. 0: they are all zero, and it is none.
 * With a link, what is left then stands in packer->left; the shorter way is taken, and `*linked`
 * tells which. */
int chunk_put_numbers(struct store_chunk_packer *packer, size_t count,
	const struct chunk_link *link, bool *linked);

/* The same of checks, and of its texts. */
int chunk_put_checks(struct store_chunk_packer *packer, size_t count);
int chunk_put_texts(struct store_chunk_packer *packer, size_t count);

/* Looks for two records before `record` that its numbers follow from: the total of two tariffs, the
 * difference of two temperatures. Then packer->left is what they leave of them. */
bool chunk_find_link(
	struct store_chunk_packer *packer, unsigned record, size_t count, struct chunk_link *link);

#endif
