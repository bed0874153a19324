/* The fixed data structure (CI 73h, 77h) of old meters: two counters.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MBUS_FIXED_H
#define MBUS_FIXED_H

#include <stdbool.h>
#include <stddef.h>

#include "meter/reading.h"

/* Decodes the reading's bytes after the CI field. */
void mbus_decode_fixed(struct meter_reading *reading, size_t begin, size_t end, bool msb_first);

#endif
