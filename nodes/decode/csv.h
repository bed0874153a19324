/* Readings as CSV, a row a record.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef DECODE_CSV_H
#define DECODE_CSV_H

#include <meterloom/json.h>

#include "meter/reading.h"

void decode_csv_header(struct ml_buffer *out);

/* A row for each record, and one that has only an error where the reading has one. */
void decode_csv_reading(
	struct ml_buffer *out, unsigned long number, const struct meter_reading *reading);

/* A row for a line that is no telegram. */
void decode_csv_error(struct ml_buffer *out, unsigned long number, const struct ml_error *err);

#endif
