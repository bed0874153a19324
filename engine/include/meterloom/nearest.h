/* The nearest name: "did you mean" for unknown keys, choices, types and commands.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     struct ml_nearest near;
 *     ml_nearest_begin(&near, "bood");
 *     for each known name: ml_nearest_try(&near, name);
 *     ml_nearest_name(&near)  ->  "baud"
 *
 * Case, '-' and '_' do not count. No allocation; thread-safe.
 */
#ifndef METERLOOM_NEAREST_H
#define METERLOOM_NEAREST_H

#include <stddef.h>

enum { ML_NEAREST_LENGTH_MAX = 64 }; /* longer names are near to nothing */

struct ml_nearest {
	const char *wanted; /* must stay as long as the struct is used */
	const char *best;   /* private */
	size_t distance;    /* private */
};

void ml_nearest_begin(struct ml_nearest *near, const char *wanted);
void ml_nearest_try(struct ml_nearest *near, const char *name);

/* The first of the nearest names, or NULL where none is near enough to be meant. */
const char *ml_nearest_name(const struct ml_nearest *near);

#endif
