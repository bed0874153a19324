/* When a failed delivery is tried again.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/retry.h"

#include <stddef.h>

struct report_retry_plan report_retry_adaptive(ml_time period)
{
	static const struct {
		ml_time period;
		struct report_retry_plan plan;
	} rows[] = {
		{15 * ML_MINUTE, {1, 0}},
		{ML_HOUR, {2, 300 * ML_SEC}},
		{23 * ML_HOUR, {3, 500 * ML_SEC}},
		{ML_NEVER, {6, 3600 * ML_SEC}},
	};
	size_t i = 0;
	while (period > rows[i].period)
		i++;
	return rows[i].plan;
}

bool report_retry_at(const struct report_retry_plan *plan, unsigned done, ml_time now,
	ml_time after, ml_time next, ml_time *ret_at)
{
	if (done >= plan->count)
		return false;
	const ml_time at = now + (after > plan->gap ? after : plan->gap);
	if (next > 0 && next != ML_NEVER && at >= next)
		return false;
	*ret_at = at;
	return true;
}
