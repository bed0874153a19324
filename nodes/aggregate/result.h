/* The node `aggregate`: what becomes of a window.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AGGREGATE_RESULT_H
#define AGGREGATE_RESULT_H

#include "aggregate/aggregate.h"

struct value {
	bool known;
	struct ml_decimal value;
};

struct result {
	struct value of[RESULTS];
	uint32_t count, missing, errors, late, absent, marks;
	uint64_t trace_first, trace_last;
	const char *unit;
	bool mixed; /* terms of different units */
};

/* Of a meter, or of the virtual meter; `begin` is the window's. */
void result_make(const struct aggregate *self, const struct aggregate_entry *target, ml_time begin,
	struct result *result);

/* Another one where there is anything else to be told. */
uint32_t result_hash(const struct aggregate *self, const struct result *result);

/* The result as a reading. NULL: out of memory. */
struct ml_message *result_message(const struct aggregate *self,
	const struct aggregate_entry *target, const struct told *item, const struct result *result);

/* What is known of a window now. */
void result_to_json(const struct aggregate *self, const struct aggregate_entry *target,
	const struct told *item, struct ml_json_writer *w);

#endif
