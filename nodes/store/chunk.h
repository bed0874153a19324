/* Many readings of one device as one blob, by columns: exact, and a series readable alone.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Rows go in as they lie in the table `reading` and come out as they went in, byte for byte, in the
 * same order. docs/explanation/chunks.md tells the format.
 *
 * Pure: nothing here knows a database or a clock. A packer and an open chunk own their memory,
 * which the limits below bound; each belongs to one thread.
 */
#ifndef STORE_CHUNK_H
#define STORE_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/error.h>

#include "store/row.h"

enum {
	STORE_CHUNK_ROWS_MAX = 32768,
	STORE_CHUNK_SHAPES_MAX = 256,
	STORE_CHUNK_TOKENS_MAX = 1 << 20,   /* records of all rows */
	STORE_CHUNK_CONTENT_MAX = 16 << 20, /* bytes of all contents */
	STORE_CHUNK_BLOB_MAX = 40 << 20,    /* bytes of a blob that is looked at */
	STORE_CHUNK_CHECK_BYTES = 4,        /* of a reading's check, where nothing else is said */
};

/* ---- Packing ---- */

struct store_chunk_packer;

/* A packer is used for many chunks. `check_bytes` (0 to 4): how many of a check's bytes are kept,
 * the lowest; the others come back as zero. NULL: out of memory. */
struct store_chunk_packer *store_chunk_packer_new(unsigned check_bytes);
void store_chunk_packer_free(struct store_chunk_packer *packer); /* accepts NULL */

/* How many records a shape has; negative: not known (its rows are packed all the same, but no
 * series of it can be read alone). Asked once for each shape of a chunk but 0, which has none. */
typedef int store_chunk_records(void *user, int64_t shape);

/* Packs at least one row; their device is not kept. The blob is the packer's, until its next call.
 * -E2BIG: more than one chunk holds, pack fewer rows at once; -EINVAL: a row has a boot; -ENOMEM.
 */
int store_chunk_pack(struct store_chunk_packer *packer, const struct store_row *rows, size_t count,
	store_chunk_records *records, void *user, const uint8_t **ret_blob, size_t *ret_length,
	struct ml_error *err);

/* ---- Reading ---- */

struct store_chunk;

/* The rows of one shape. */
struct store_chunk_shape {
	int64_t shape;
	uint32_t rows;
	uint16_t records;
};

/* Looks at a blob, which stays the caller's and must outlive the chunk. Every bit of it is under a
 * checksum. -EBADMSG: it is damaged; -ENOMEM. */
int store_chunk_open(
	const uint8_t *blob, size_t length, struct store_chunk **ret_chunk, struct ml_error *err);
void store_chunk_close(struct store_chunk *chunk); /* accepts NULL */

size_t store_chunk_count(const struct store_chunk *chunk); /* rows */

const struct store_chunk_shape *store_chunk_shapes(const struct store_chunk *chunk, size_t *count);

/* Reads all rows (of `device`, which a chunk does not know); with `content` false all but that
 * (NULL, length 0), which takes a third of the time. They are the chunk's, as long as it is open;
 * the first call with content reads anew what an earlier one without it had left out. -EBADMSG,
 * -ENOMEM. */
int store_chunk_rows(struct store_chunk *chunk, int64_t device, bool content,
	const struct store_row **ret_rows, struct ml_error *err);

enum store_chunk_kind {
	STORE_CHUNK_NONE,   /* the meter said it had no value */
	STORE_CHUNK_NUMBER, /* mantissa; the exponent is the shape's for this record */
	STORE_CHUNK_SCALED, /* mantissa and exponent */
	STORE_CHUNK_OTHER,  /* a date, a time, a text or bytes, or a content that is no token: look
			       at the row */
};

struct store_chunk_value {
	int64_t time; /* µs */
	int64_t mantissa;
	int8_t exponent;
	uint8_t kind; /* enum store_chunk_kind */
};

/* Reads the times of all rows of one shape (index into store_chunk_shapes()): `times` has room for
 * them. -EBADMSG, -ENOMEM. */
int store_chunk_times(
	struct store_chunk *chunk, size_t shape, int64_t *times, struct ml_error *err);

/* Reads one record of all rows of one shape, and nothing else.
 * `values` has room for the rows of the shape. -EBADMSG, -ENOMEM. */
int store_chunk_series(struct store_chunk *chunk, size_t shape, unsigned record,
	struct store_chunk_value *values, struct ml_error *err);

/* What the parts of a blob take, for benches and tests: calls `part` for each column. */
void store_chunk_parts(const struct store_chunk *chunk,
	void (*part)(void *user, const char *name, unsigned record, size_t bytes), void *user);

#endif
