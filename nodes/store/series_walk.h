/* The readouts of a series, on their way to be thinned. Private to the files of series.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_SERIES_WALK_H
#define STORE_SERIES_WALK_H

#include "store/series.h"

enum { SERIES_SHAPES_MAX = 1024 }; /* of the devices of one point */

/* Where the series is in the readings of a shape. */
struct series_place {
	int64_t shape;
	int record; /* -1: it does not have the series */
	int8_t exponent;
};

struct series_walk {
	struct store_view *view;
	const struct store_series *series;
	const int64_t *devices;
	size_t device_count;
	ml_time from, to; /* both included */
	struct store_thin *thin;
	bool known; /* `source` is of the device of the readout before */
	int64_t device;
	uint32_t source;
	struct series_place *places;
	size_t place_count, place;
	void *block;
};

/* Sets w->place. */
int series_find_place(struct series_walk *w, int64_t shape, struct ml_error *err);

/* Hands over a readout but for its source, which is that of the device. */
int series_give(struct series_walk *w, int64_t device, struct store_thin_readout *readout,
	struct ml_error *err);

/* Hands over what a row says. */
int series_take_row(struct series_walk *w, const struct store_row *row, struct ml_error *err);

/* ---- What lies in chunks: only the columns of the series are read ---- */

/* A readout out of a chunk. */
struct series_readout {
	ml_time time;
	int64_t device;
	struct ml_decimal number;
	uint8_t kind; /* enum store_thin_kind; never a text */
};

struct series_chunk {
	int64_t key, device;
	ml_time first, last;
	uint64_t count;
};

struct series_chunks {
	struct series_walk *walk;
	struct series_chunk *items; /* by the time they begin */
	size_t count, next;
	struct series_readout *readouts; /* of those whose times overlap, in the order of time */
	size_t readout_count, readout, room;
};

/* Within one transaction of the view, up to the end. */
int series_chunks_begin(
	struct series_chunks *chunks, struct series_walk *walk, struct ml_error *err);

/* The next one, valid until the next call. 1: here it is; 0: there is none any more; -EAGAIN: they
 * hold what has to be looked at row by row. */
int series_chunks_next(struct series_chunks *chunks, const struct series_readout **ret_readout,
	struct ml_error *err);

void series_chunks_end(struct series_chunks *chunks);

#endif
