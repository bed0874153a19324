/* A batch of telegrams for tests: what a store would answer, from a table.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_REPORT_BATCH_KIT_H
#define TESTS_REPORT_BATCH_KIT_H

#include <errno.h>

#include "meter/batch.h"
#include "telegram.h"

struct kit_row {
	const char *hex;  /* NULL: the end */
	const char *time; /* of the reading */
	uint32_t point;
	const char *failed; /* why it could not be read; NULL: it was */
};

struct kit_cursor {
	const struct kit_row *rows;
	size_t next;
	size_t order[64], count;
	struct telegram telegrams[3]; /* the page is small on purpose */
};

/* Set by a test: the page with this number fails. */
static int kit_fail_page = -1;
static int kit_open_cursors;

static inline int kit_open(const struct meter_batch *batch, enum meter_batch_order order,
	void **ret_cursor, struct ml_error *err)
{
	struct kit_cursor *cursor = calloc(1, sizeof *cursor);
	(void)err;
	assert_non_null(cursor);
	cursor->rows = batch->handle;
	for (size_t i = 0; cursor->rows[i].hex; i++)
		cursor->order[cursor->count++] = i;
	for (size_t i = 1; order == METER_BATCH_BY_METER && i < cursor->count; i++) {
		for (size_t j = i; j > 0 && cursor->rows[cursor->order[j]].point <
						    cursor->rows[cursor->order[j - 1]].point;
			j--) {
			const size_t swap = cursor->order[j];
			cursor->order[j] = cursor->order[j - 1];
			cursor->order[j - 1] = swap;
		}
	}
	kit_open_cursors++;
	*ret_cursor = cursor;
	return 0;
}

static inline int kit_page(
	void *user, struct meter_batch_item *items, size_t size, struct ml_error *err)
{
	struct kit_cursor *cursor = user;
	int count = 0;
	if (kit_fail_page >= 0 && kit_fail_page-- == 0)
		return ml_error_set(err, -EIO, "readings.db: disk I/O error");
	while (count < 3 && (size_t)count < size && cursor->next < cursor->count) {
		const size_t index = cursor->order[cursor->next++];
		const struct kit_row *row = &cursor->rows[index];
		struct meter_reading *reading = (void *)cursor->telegrams[count].block;
		(void)decode_hex(&cursor->telegrams[count], row->hex);
		assert_true(ml_time_parse(row->time, strlen(row->time), &reading->time));
		reading->point = row->point;
		if (row->failed) {
			reading->flags |= METER_NOT_READ;
			meter_reading_set_error(reading, -1, "%s", row->failed);
		}
		items[count++] =
			(struct meter_batch_item){.sequence = index + 1, .reading = reading};
	}
	return count;
}

static inline void kit_close(void *cursor)
{
	kit_open_cursors--;
	free(cursor);
}

static const struct meter_batch_class kit_batch_class = {
	.open = kit_open, .page = kit_page, .close = kit_close};

static inline struct meter_batch kit_batch(const struct kit_row *rows)
{
	struct meter_batch batch = {.class = &kit_batch_class,
		.handle = (void *)(uintptr_t)rows,
		.destination = "head-end",
		.first = 101};
	while (rows[batch.count].hex)
		batch.count++;
	batch.last = 100 + batch.count;
	(void)snprintf(batch.trigger.kind, sizeof batch.trigger.kind, "cron");
	batch.trigger.due = INT64_C(1769868000000000); /* 2026-01-31T14:00:00Z */
	batch.trigger.next = batch.trigger.due + ML_DAY;
	batch.trigger.period = ML_DAY;
	return batch;
}

/* Three heat meters' readings of two meters, a water meter, and a failed readout. */
#define KIT_HEAT "72 78563412 2D2C 1B 04 2A 00 0000 0406D2040000 025AC900"
#define KIT_MORE_HEAT "72 78563412 2D2C 1B 04 2B 10 0000 0406D3040000 025ACA00"
#define KIT_WATER "72 11223344 2D2C 01 07 05 00 0000 041364000000 441364000000"

#endif
