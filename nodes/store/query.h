/* What the node `store-query` is told: periods and intervals as text.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_QUERY_H
#define STORE_QUERY_H

#include <meterloom/clock.h>
#include <meterloom/error.h>

/* "15 min", "1 h", "1 d", "30 s": a whole number and a unit, the blank may be left out. -EINVAL. */
int store_duration_parse(const char *text, ml_time *duration, struct ml_error *err);

#endif
