/* Records as compact JSON, the fast way.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef METER_RECORD_JSON_H
#define METER_RECORD_JSON_H

#include "meter/reading.h"

enum { METER_RECORD_JSON_MAX = 1024 };

/* Writes the record as one JSON object without blanks, from parts that are made when compiling.
 * Returns its length; 0: it holds what has to be looked at character by character (text, or names
 * that are not of the tables), or is too long. */
size_t meter_record_json(const struct meter_reading *reading, const struct meter_record *record,
	char out[METER_RECORD_JSON_MAX]);

#endif
