/* Days and dates of the Gregorian calendar, by arithmetic alone.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The year is taken to begin in March, so that the leap day is its last, and 400 years to be one
 * era.
 */
#ifndef METERLOOM_CORE_CIVIL_H
#define METERLOOM_CORE_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

struct civil_date {
	int64_t year;
	int month, day; /* from 1 */
};

/* Days since 1970-01-01; month 1 to 12, any day. */
static inline int64_t civil_days(int64_t year, int month, int64_t day)
{
	year -= month <= 2;
	const int64_t era = (year >= 0 ? year : year - 399) / 400;
	const int64_t year_of_era = year - era * 400;
	const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	const int64_t day_of_era =
		year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * 146097 + day_of_era - 719468;
}

static inline struct civil_date civil_from_days(int64_t days)
{
	days += 719468;
	const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	const int64_t day_of_era = days - era * 146097;
	const int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	const int64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	const int month_from_march = (int)((5 * day_of_year + 2) / 153);
	const int month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
	return (struct civil_date){
		.year = year_of_era + era * 400 + (month <= 2),
		.month = month,
		.day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
	};
}

static inline bool civil_is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static inline int civil_month_days(int64_t year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return days[month - 1] + (month == 2 && civil_is_leap(year) ? 1 : 0);
}

/* Division that rounds down. */
static inline int64_t civil_floor(int64_t value, int64_t divisor)
{
	return value / divisor - (value % divisor < 0 ? 1 : 0);
}

#endif
