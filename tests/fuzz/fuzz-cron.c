/* Fuzzes cron patterns: what is taken also has runs that go forward, the same each time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "cron/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cron cron;
	struct ml_error err = ML_ERROR_NONE;
	if (cron_parse((const char *)data, size, &cron, &err) != 0) {
		if (err.code == 0 || err.text[0] == '\0' || err.at < 0 || err.at > (long long)size)
			abort();
		return 0;
	}
	const struct cron_place place = {.seed = 1};
	ml_time after = INT64_C(1769868900) * ML_SEC; /* 2026-01-31T14:15:00Z */
	for (int i = 0; i < 4; i++) {
		const ml_time run = cron_next(&cron, &place, after);
		if (run <= after || cron_next(&cron, &place, after) != run)
			abort();
		if (run == ML_NEVER)
			break;
		/* A moment before it, it is still the next. */
		if (run % ML_MINUTE != 0 || cron_next(&cron, &place, run - 1) != run)
			abort();
		after = run;
	}
	return 0;
}
