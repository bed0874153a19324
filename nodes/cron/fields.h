/* The five fields of a cron pattern: names, bounds.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CRON_FIELDS_H
#define CRON_FIELDS_H

#include "cron/cron.h"

struct cron_bounds {
	const char *name;
	const char *expected;     /* what a value of it looks like */
	const char *const *names; /* of the values from first on, three letters each; NULL: none */
	uint8_t first, last;
};

extern const struct cron_bounds cron_bounds[CRON_FIELDS];

uint64_t cron_hash(uint64_t hash, uint64_t value);

#endif
