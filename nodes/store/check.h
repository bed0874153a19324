/* Reads the whole of readings.db, slice by slice, to see whether it is whole.
 * SPDX-License-Identifier: Apache-2.0
 *
 * On the lane of those who read, with a connection of its own: some days after the start and then
 * from time to time by itself, in slices with pauses between; or by `store.check` at once. Each
 * slice is a short transaction of bounded work. What is found damaged is repaired by the writer.
 */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include <meterloom/command.h>
#include <meterloom/family.h>

/* The service. */
int store_check_start(struct ml_engine *engine, void **ret_service, struct ml_error *err);
void store_check_stop(void *service);

/* The command. */
void store_check_run(struct ml_job *job, void *params);

/* How far it is and what came of the last, as a JSON object. Any thread. */
void store_check_status(struct ml_engine *engine, struct ml_json_writer *w);

/* ---- Inside ---- */

enum store_check_kind {
	STORE_CHECK_ROWS,    /* reads all columns of a part of the rows */
	STORE_CHECK_READING, /* the index of the readings names as many as there are */
	STORE_CHECK_INDEX,   /* as many entries as rows */
	STORE_CHECK_SMALL,   /* what SQLite itself can tell of a small table */
};

struct store_check_stage {
	enum store_check_kind kind;
	char table[40], index[64];
};

enum { STORE_CHECK_STAGES_MAX = 64 };

/* check_stage.c: the stages of a database. */
int store_check_stages(
	sqlite3 *db, struct store_check_stage *stages, size_t *ret_count, struct ml_error *err);

/* One slice of a stage after the key `*place`; `*done` once it was the last. `*rows` are added to.
 * -EUCLEAN: damaged. */
int store_check_slice(sqlite3 *db, const struct store_check_stage *stage, int64_t *place,
	bool *done, uint64_t *rows, struct ml_error *err);

/* Which part of a stage is done, of 1000. */
unsigned store_check_part(sqlite3 *db, const struct store_check_stage *stage, int64_t place);

#endif
