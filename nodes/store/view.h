/* A view: one connection that reads, with what it remembers. Private to scan.h's files.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_VIEW_H
#define STORE_VIEW_H

#include "store/chunk.h"
#include "store/scan.h"

enum {
	VIEW_BUCKETS = 64,
	VIEW_SHAPES_MAX = 512, /* kept; beyond, the memory is emptied and filled anew */
	VIEW_CHUNKS = 8,       /* kept open */
};

/* How far packing has got, and writing: of one moment. */
struct view_state {
	uint64_t sequence; /* the last that was given */
	uint64_t packed, packing;
	int64_t packing_device;
	int64_t chunks;
};

struct view_chunk {
	int64_t key; /* 0: free */
	uint64_t used;
	uint8_t *body;
	struct store_chunk *chunk;
	const struct store_row *rows;
	size_t count;
	bool content;
};

enum view_statement {
	VIEW_BEGIN,
	VIEW_COMMIT,
	VIEW_STATE,
	VIEW_FIND,           /* a row by its sequence */
	VIEW_SHAPE,          /* a shape by its key */
	VIEW_BLOCKS,         /* all that are full */
	VIEW_BLOCK_FORWARD,  /* rows of a device in a block, by time */
	VIEW_BLOCK_BACKWARD, /* the same, the newest first */
	VIEW_ROWS_FORWARD,   /* rows by sequence */
	VIEW_ROWS_BACKWARD,
	VIEW_MONTHS_FORWARD, /* chunks of a device by month */
	VIEW_MONTHS_BACKWARD,
	VIEW_SPANS,     /* chunks that hold sequences of a range */
	VIEW_NEXT_SPAN, /* where the next chunk begins, by sequence */
	VIEW_LAST_SPAN, /* where the last one before ends */
	VIEW_TRACE_BLOCKS,
	VIEW_TRACE_ROWS,
	VIEW_TRACE_CHUNKS,
	VIEW_BODY, /* of a chunk */
	VIEW_TELEGRAM,
	VIEW_ORIGIN,
	VIEW_STATEMENTS
};

struct store_view {
	struct ml_engine *engine; /* who is told what is damaged; NULL: nobody */
	unsigned file;            /* which one is read (store_health.files) */
	sqlite3 *db;
	bool owned;
	unsigned begun;       /* calls of view_begin() without their view_end() */
	bool own_transaction; /* begun by the first of them */
	sqlite3_stmt *statements[VIEW_STATEMENTS];
	struct view_state state;
	struct store_shape *shapes[VIEW_BUCKETS];
	size_t shape_count;
	struct store_source *sources;
	size_t source_count;
	struct view_chunk chunks[VIEW_CHUNKS];
	uint64_t uses;
	uint8_t *bytes; /* of the last row that was found */
	size_t bytes_size;
};

/* What is read until view_end() is of one moment, whose state is in view->state. Calls nest: what
 * is begun within another is of the same moment. Where it fails there is nothing to end. */
int view_begin(struct store_view *view, struct ml_error *err);
void view_end(struct store_view *view);

/* Prepared when it is asked for first. NULL: an error. */
sqlite3_stmt *view_statement(
	struct store_view *view, enum view_statement which, struct ml_error *err);

int view_error(const struct store_view *view, struct ml_error *err);

/* Binds numbers from the first place on. */
int view_bind(sqlite3_stmt *statement, const int64_t *values, int count);

/* The columns of VIEW_FIND and the like: sequence, device, time, trace, boot, origin, crc, shape,
 * content; the content is SQLite's. */
#define VIEW_ROW "sequence, device, time, trace, boot, origin, crc, shape, content"
void view_row(sqlite3_stmt *statement, struct store_row *row);

/* Whether the row at that sequence counts: it is not (or not yet) in a chunk. */
static inline bool view_live(const struct view_state *state, uint64_t sequence, int64_t device)
{
	return sequence > state->packed &&
	       (sequence > state->packing || device > state->packing_device);
}

/* Rows of a chunk, in the order of time, kept for a while: valid until view_end(). None of one that
 * is damaged, where there is somebody to tell. */
int view_chunk_rows(struct store_view *view, int64_t key, int64_t device, bool content,
	const struct store_row **ret_rows, size_t *ret_count, struct ml_error *err);

/* Tells that a chunk is damaged. 0; `result` where there is nobody to tell. */
int view_chunk_damaged(struct store_view *view, int64_t key, int64_t device, int result,
	const struct ml_error *wrong);

/* The month of a time: year * 12 + month - 1, in UTC. */
int64_t view_month(ml_time time);

#endif
