/* When a failed delivery is tried again.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Retries are laid out by how often the report comes, and all end before the next one is due: there
 * is no use in an old report that delays a new one, whose values it will go with anyway. Pure.
 */
#ifndef REPORT_RETRY_H
#define REPORT_RETRY_H

#include <stdbool.h>

#include <meterloom/clock.h>

struct report_retry_plan {
	unsigned count; /* retries after the first try */
	ml_time gap;    /* from the end of one to the start of the next */
};

/* By the shortest gap of the schedule: up to 15 min one at once; up to 1 h two, 300 s apart; up to
 * 23 h three, 500 s apart; else six, 3600 s apart. */
struct report_retry_plan report_retry_adaptive(ml_time period);

/* Whether, and at what time, the retry after `done` of them is to start, for a try that ended at
 * `now`. `after` is what the receiver asked for (Retry-After; 0: nothing); `next` is when the next
 * report is due (0 or ML_NEVER: not known). All wall times. */
bool report_retry_at(const struct report_retry_plan *plan, unsigned done, ml_time now,
	ml_time after, ml_time next, ml_time *ret_at);

#endif
