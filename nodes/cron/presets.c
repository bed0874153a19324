/* Schedules by name.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "cron/cron.h"

const struct cron_preset cron_presets[] = {
	{"every-minute", "every minute", "* * * * *"},
	{"every-5-min", "every 5 minutes", "*/5 * * * *"},
	{"every-10-min", "every 10 minutes", "*/10 * * * *"},
	{"every-15-min", "every quarter of an hour", "*/15 * * * *"},
	{"every-30-min", "every half hour", "*/30 * * * *"},
	{"hourly", "every hour", "0 * * * *"},
	{"every-2-hours", "every 2 hours", "0 */2 * * *"},
	{"every-4-hours", "every 4 hours", "0 */4 * * *"},
	{"every-6-hours", "every 6 hours", "0 */6 * * *"},
	{"every-12-hours", "at midnight and noon", "0 */12 * * *"},
	{"daily", "every day at midnight", "0 0 * * *"},
	{"weekly", "every Monday at midnight", "0 0 * * mon"},
	{"monthly", "on the first of every month at midnight", "0 0 1 * *"},
	{NULL, NULL, NULL},
};

const struct cron_preset *cron_preset_find(const char *name, size_t length)
{
	for (const struct cron_preset *preset = cron_presets; preset->name; preset++) {
		if (strlen(preset->name) == length && memcmp(preset->name, name, length) == 0)
			return preset;
	}
	return NULL;
}
