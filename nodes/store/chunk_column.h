/* One column of a chunk: numbers or texts, each told by how far it is from what was expected.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_CHUNK_COLUMN_H
#define STORE_CHUNK_COLUMN_H

#include "store/chunk_coder.h"

/* How a column of numbers is expected to go on. Differences are taken modulo 2^64, so that any
 * numbers come back exactly; what fits them is small. */
struct chunk_plan {
	uint64_t first;  /* the first number */
	uint64_t period; /* the steps are near multiples of it; 0: none */
	uint8_t near;    /* the expected level moves by 1/2^near of each error */
	uint8_t trend;   /* and its slope by 1/2^(trend-1); 0: it has none */
	uint8_t context; /* enum chunk_context */
};

enum chunk_context {  /* what the size of an error is guessed from */
	CHUNK_BLIND,  /* nothing */
	CHUNK_LAST,   /* the two before */
	CHUNK_SLOW,   /* their mean over some time */
	CHUNK_RUN,    /* how many there have been without any */
	CHUNK_FIGURE, /* the three before, where small */
	CHUNK_CONTEXTS,
};

enum { CHUNK_NEAR_MAX = 5, CHUNK_TREND_MAX = 8 };

/* Finds the plan that makes `numbers` (at least one) shortest, by trial. -ENOMEM. */
int chunk_numbers_plan(const uint64_t *numbers, size_t count, struct chunk_plan *plan);

void chunk_numbers_write(const uint64_t *numbers, size_t count, const struct chunk_plan *plan,
	struct chunk_bytes *out);

/* Any bytes give some numbers. -ENOMEM. */
int chunk_numbers_read(const uint8_t *at, size_t length, const struct chunk_plan *plan,
	uint64_t *numbers, size_t count);

struct chunk_text {
	const uint8_t *at;
	uint32_t length;
};

void chunk_texts_write(const struct chunk_text *texts, size_t count, struct chunk_bytes *out);

/* Appends the texts to `bytes`, one behind the other and together at most `limit` bytes, and tells
 * their lengths. -EBADMSG, -ENOMEM. */
int chunk_texts_read(const uint8_t *at, size_t length, struct chunk_bytes *bytes, size_t limit,
	uint32_t *lengths, size_t count);

#endif
