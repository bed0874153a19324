/* Takes over what can be read of a damaged readings.db into a new one.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The damaged file is read page by page, with its write-ahead log laid over it, and not through
 * SQLite, which gives up at the first page that is wrong. First the tables are walked from their
 * roots; then the pages that nothing leads to any more are looked at one by one.
 */
#ifndef STORE_SALVAGE_H
#define STORE_SALVAGE_H

#include "store/health.h"

struct store_salvage {
	char file[128];     /* what the damaged one is called now */
	uint64_t readings;  /* taken over, those in chunks counted */
	uint64_t lost;      /* rows known to have been there that could not be read */
	uint64_t bad_pages; /* that could not be read */
};

/* Moves readings.db aside and puts a new one in its place. An interruption loses nothing: the next
 * start does it again. */
int store_salvage(struct store_health *health, struct store_salvage *salvage, struct ml_error *err);

#endif
