/* The packer: rows of old blocks into chunks, a small step at a time.
 * SPDX-License-Identifier: Apache-2.0
 *
 * On the writer's connection, between its transactions. Each step is a transaction of its own; how
 * far it has got stands in the database, so that it can be killed anywhere and goes on from there.
 */
#ifndef STORE_PACKER_H
#define STORE_PACKER_H

#include "store/chunk.h"
#include "store/rows.h"
#include "store/view.h"

enum {
	PACKER_CHUNK_ROWS = 4096,  /* at the most in one chunk */
	PACKER_DEVICE_ROWS = 8192, /* of one device in one pass, unless one block has more */
	PACKER_PASS_BLOCKS = 128,
	PACKER_PART_ROWS = 256, /* of each device, for which a pass begins */
};
/* Whatever there is, a pass begins when a block waits for so much longer than it must. */
#define PACKER_PATIENCE (7 * ML_DAY)

struct store_packer {
	struct store_view *view;
	struct store_chunk_packer *codec;
	struct store_rows rows; /* of the present step */
	uint64_t futile;        /* the last old block when a pass was not worth it */
	/* since it was opened */
	uint64_t packed, chunks, merged; /* readings; chunks written; parts that were merged */
};

int store_packer_open(struct store_packer *packer, sqlite3 *db, struct ml_error *err);
void store_packer_close(struct store_packer *packer);

/* One step. `old`: blocks that were full before this wall time may be packed. 1: there is more to
 * do; 0: there is not. */
int store_packer_step(struct store_packer *packer, ml_time wall, ml_time old, struct ml_error *err);

/* ---- Private to the packer's files ---- */

/* Where a pass may end that begins now: the last sequence of it; 0: it is not worth it. */
int packer_plan(struct store_packer *packer, ml_time wall, ml_time old, uint64_t *ret_end,
	struct ml_error *err);

#endif
