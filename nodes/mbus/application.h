/* The transport and application layer of EN 13757-3 and -7: from the CI field to a reading.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure, and without allocation. Bad data is no error of the call: the reading then holds the
 * records before it, and says where and why it ends.
 */
#ifndef MBUS_APPLICATION_H
#define MBUS_APPLICATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/error.h>

#include "meter/reading.h"

enum { /* flags */
	MBUS_KEY_GIVEN =
		4, /* there is a key for the meter: only changes what is told of encryption */
};

/* Decodes the reading's bytes from the CI field at `begin` up to `end`. */
void mbus_decode_application(
	struct meter_reading *reading, size_t begin, size_t end, unsigned flags);

/* Makes a reading of a whole wired frame (68h ... 16h, 10h ... 16h or E5h) in a block of `size`
 * bytes, which is aligned to eight. A frame that is none gives a reading with an error and no
 * records. -ENOSPC, -E2BIG: as meter_reading_init(). */
int mbus_decode_frame(void *block, size_t size, const uint8_t *telegram, size_t length,
	unsigned flags, struct ml_error *err);

/* Bytes of the header that follows this CI field: 0, 4 or 12. */
size_t mbus_header_length(uint8_t ci);

/* What a meter says with an application error (CI 70h). */
const char *mbus_application_error(uint8_t code);

#endif
