/* What a loaded time zone is made of: shared by zone.c and zone_file.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef METERLOOM_CORE_ZONE_DATA_H
#define METERLOOM_CORE_ZONE_DATA_H

#include <meterloom/zone.h>

struct zone_type {
	int32_t offset; /* seconds east of UTC */
	bool daylight;
	uint16_t abbreviation; /* offset in the zone's texts */
};

enum zone_day { ZONE_DAY_JULIAN, ZONE_DAY_OF_YEAR, ZONE_DAY_OF_WEEK };

/* A day of the year and a time on it, which may lie up to a week beside it. */
struct zone_rule {
	enum zone_day kind;
	int day; /* JULIAN: 1 to 365, 29 February is not counted; OF_YEAR: 0 to 365; OF_WEEK: 0 to 6
		  */
	int week, month; /* OF_WEEK: 1 to 5 (the last), 1 to 12 */
	int32_t time;    /* seconds after midnight */
};

/* The rules for the years after the last transition. */
struct zone_footer {
	bool present, changes; /* changes: there is daylight-saving time */
	struct zone_type standard, daylight;
	struct zone_rule begin, end;
};

struct ml_zone {
	char name[ML_ZONE_NAME_MAX];
	size_t count;                  /* of transitions */
	const int64_t *times;          /* seconds since 1970, ascending */
	const uint8_t *type_of;        /* what holds from each of them on */
	const struct zone_type *types; /* the first one holds before all transitions */
	const char *texts;
	struct zone_footer footer;
};

/* Reads the TZ string `text`. Its names are put into `texts` (with room for 2 * length + 2 more
 * bytes at *used). -EBADMSG: it is not one. */
int zone_read_footer(
	const char *text, size_t length, struct zone_footer *footer, char *texts, size_t *used);

#endif
