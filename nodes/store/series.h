/* Series of the store: one value of a meter through time, over all devices of its point.
 * SPDX-License-Identifier: Apache-2.0
 *
 * On the lane "query".
 */
#ifndef STORE_SERIES_H
#define STORE_SERIES_H

#include <meterloom/command.h>

#include "meter/list.h"
#include "meter/reading.h"
#include "store/scan.h"
#include "store/thin.h"

/* ---- Which series ---- */

enum { STORE_SERIES_ID_MAX = 128 }; /* as text, with the NUL */

/* A series is known by its point, or by the meter's identity where it has none, and its key. */
struct store_series_id {
	uint32_t point; /* 0: none */
	struct meter_identity identity;
	uint8_t key_length;
	uint8_t key[METER_SERIES_KEY_MAX];
};

/* "p12.0000000006", "m123456782C2D1B04.0000000006": safe in an address, the same for ever. */
void store_series_id_format(const struct store_series_id *id, char out[STORE_SERIES_ID_MAX]);
int store_series_id_parse(const char *text, struct store_series_id *id, struct ml_error *err);

/* ---- What there is ---- */

/* A series that a meter has. */
struct store_series {
	uint8_t key_length;
	uint8_t key[METER_SERIES_KEY_MAX];
	int64_t shape; /* the newest that has it, and its record there */
	unsigned record;
	ml_time first, last;
};

/* All series of some devices, in the order of their telegrams. The caller frees the array. */
int store_series_list(struct store_view *view, const int64_t *devices, size_t device_count,
	struct store_series **ret_series, size_t *ret_count, struct ml_error *err);

/* Makes of a shape a reading without values, in a block of STORE_BLOCK_MAX bytes. */
int store_series_reading(const struct store_shape *shape, void *block, struct ml_error *err);

/* ---- Its values ---- */

/* Gives all readouts of a series from `from` to `to` (both included) to `thin`. Their `source` is
 * the place of the device in `devices`. */
int store_series_read(struct store_view *view, const int64_t *devices, size_t device_count,
	const struct store_series *series, ml_time from, ml_time to, struct store_thin *thin,
	struct ml_error *err);

/* ---- Commands ---- */

struct store_series_params {
	char *meter;
};

struct store_values_params {
	char *series;
	ml_time from, to;
	int64_t points;
};

extern const struct ml_param store_series_params[];
extern const struct ml_param store_values_params[];
void store_series_run(struct ml_job *job, void *params);
void store_values_run(struct ml_job *job, void *params);

#endif
