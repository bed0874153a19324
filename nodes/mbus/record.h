/* Data records of EN 13757-3: DIF, VIF and data, turned into the records of a reading.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Knows nothing of links and headers: wired and wireless telegrams are decoded alike. Pure, and
 * without allocation.
 */
#ifndef MBUS_RECORD_H
#define MBUS_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "meter/reading.h"

enum {                      /* flags */
	MBUS_MSB_FIRST = 1, /* numbers are sent high byte first (CI 76h, 55h) */
	MBUS_COMMAND = 2,   /* from the master: VIFEs 00h to 0Fh are actions, not errors */
};

/* Decodes the reading's bytes from `begin` up to `end` and adds their records. Where the data is
 * wrong the records before it stay, and the reading's error says where and why. */
void mbus_decode_records(struct meter_reading *reading, size_t begin, size_t end, unsigned flags);

#endif
