/* A call of meter.search, and what it tells while it runs.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_MBUS_SEARCH_WATCH_H
#define TESTS_MBUS_SEARCH_WATCH_H

#include "mbus/rig.h"

enum { SEARCH_ROWS_MAX = 400 };

/* A call of meter.search and what it tells. */
struct search_watch {
	struct rig *rig;
	uint64_t job;
	bool done;
	int code;
	json_t *result; /* or the detail of a failure */
	json_t *rows[SEARCH_ROWS_MAX];
	size_t row_count;
	uint64_t progress;
	char text[200]; /* of the progress */
	ml_time began, took;
};

/* Calls it with these parameters (JSON members, ' for "). */
void search_call(struct rig *rig, const char *params, struct search_watch *w);
/* Lets time go on until its end. */
void search_wait(struct search_watch *w, ml_time within);
void search_let_go(struct search_watch *w);

/* A member of the result. */
unsigned search_number(const struct search_watch *w, const char *key);
/* A member of a row; "" where there is none. */
const char *search_text(const json_t *row, const char *key);
/* Rows of this meter; result NULL: any. */
size_t search_rows(
	const struct search_watch *w, struct meter_identity identity, const char *result);

#endif
