/* The data codings of EN 13757-3 annex A: decimal digits, floating point, dates and times.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/value.h"

#include <math.h>
#include <string.h>

void mbus_value_bcd(uint64_t bits, size_t length, struct meter_record *record)
{
	const unsigned top = (unsigned)(8 * length - 4);
	const bool negative = bits >> top == 0xF;
	if (negative)
		bits &= (UINT64_C(1) << top) - 1;
	/* A digit is over nine where its bit 3 and one of bits 2 and 1 are set. */
	if (bits & (bits << 1 | bits << 2) & UINT64_C(0x8888888888888888)) {
		record->kind = METER_NONE;
		return;
	}
	/* Digits to pairs, fours, eights and sixteen at a time. */
	uint64_t v = (bits & UINT64_C(0x0F0F0F0F0F0F0F0F)) +
		     10 * (bits >> 4 & UINT64_C(0x0F0F0F0F0F0F0F0F));
	v = (v & UINT64_C(0x00FF00FF00FF00FF)) + 100 * (v >> 8 & UINT64_C(0x00FF00FF00FF00FF));
	v = (v & UINT64_C(0x0000FFFF0000FFFF)) + 10000 * (v >> 16 & UINT64_C(0x0000FFFF0000FFFF));
	v = (v & UINT64_C(0xFFFFFFFF)) + 100000000 * (v >> 32);
	record->mantissa = negative ? -(int64_t)v : (int64_t)v;
	record->kind = METER_NUMBER;
}

static double power_of_ten(int exponent)
{
	static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10,
		1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	double power = 1;
	for (; exponent > 22; exponent -= 22)
		power *= 1e22;
	return power * powers[exponent];
}

/* value * 10^exponent; a few last bits of the 53 may be wrong, of which a float needs 24. */
static double scaled(double value, int exponent)
{
	return exponent >= 0 ? value * power_of_ten(exponent) : value / power_of_ten(-exponent);
}

/* The shortest of six to nine digits that lies surely nearer to the float than half its step. Nine
 * always do. */
static void shortest(double value, double half_step, struct meter_record *record)
{
	int exponent = (int)floor(log10(value)) - 5;
	int64_t mantissa = 0;
	for (int digits = 6; digits <= 9; digits++, exponent--) {
		mantissa = (int64_t)(scaled(value, -exponent) + 0.5);
		const double back = scaled((double)mantissa, exponent);
		if (digits == 9 || fabs(back - value) < half_step * 0.999999)
			break;
	}
	while (mantissa % 10 == 0) {
		mantissa /= 10;
		exponent++;
	}
	record->mantissa = mantissa;
	record->exponent = (int8_t)exponent;
}

void mbus_value_real(uint32_t bits, struct meter_record *record)
{
	float number;
	memcpy(&number, &bits, sizeof number);
	if ((bits & 0x7F800000) == 0x7F800000) {
		record->kind = METER_NONE;
		return;
	}
	record->kind = METER_NUMBER;
	const float size = fabsf(number);
	if (size < 16777216.0f && size == (float)(int32_t)size) {
		record->mantissa = (int32_t)number;
		return;
	}
	const int binary_exponent = (int)(bits >> 23 & 0xFF);
	shortest(size, ldexp(0.5, (binary_exponent ? binary_exponent : 1) - 150), record);
	if (number < 0)
		record->mantissa = -record->mantissa;
}

static bool is_leap(unsigned year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Sets the date. 0 as day and 15 as month stand for every one, 127 as year of the century too.
 * false: there is no such day. */
static bool set_date(struct meter_time *t, const uint8_t *day_month, unsigned century)
{
	static const uint8_t days[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	const unsigned day = day_month[0] & 0x1F;
	const unsigned month = day_month[1] & 0x0F;
	const unsigned year = (unsigned)(day_month[0] >> 5 | (day_month[1] & 0xF0) >> 1);
	if (year == 127)
		t->year = METER_TIME_EVERY_YEAR;
	else if (year > 99)
		return false;
	else if (century == 0)
		t->year = (uint16_t)(year > 80 ? 1900 + year : 2000 + year);
	else
		t->year = (uint16_t)(1900 + 100 * century + year);
	t->month = (uint8_t)(month == 15 ? METER_TIME_EVERY : month);
	t->day = (uint8_t)(day == 0 ? METER_TIME_EVERY : day);
	if (month == 0 || (month > 12 && month != 15))
		return false;
	if (month <= 12 && day > days[month])
		return false;
	return !(month == 2 && day == 29 && t->year && !is_leap(t->year));
}

/* false: there is no such time. */
static bool set_time(struct meter_time *t, unsigned hour, unsigned minute, unsigned second)
{
	t->hour = (uint8_t)(hour == 31 ? METER_TIME_EVERY : hour);
	t->minute = (uint8_t)(minute == 63 ? METER_TIME_EVERY : minute);
	t->second = (uint8_t)(second == 63 ? METER_TIME_EVERY : second);
	return (hour < 24 || hour == 31) && (minute < 60 || minute == 63) &&
	       (second < 60 || second == 63);
}

bool mbus_value_time(const uint8_t *b, size_t length, struct meter_record *record)
{
	struct meter_time t = {0};
	bool valid = false;
	switch (length) {
	case 2: /* type G */
		record->kind = METER_DATE;
		valid = (b[0] & b[1]) != 0xFF && set_date(&t, b, 0);
		break;
	case 3: /* type J */
		record->kind = METER_TIME;
		t.flags = METER_TIME_SECONDS;
		valid = (b[0] & b[1] & b[2]) != 0xFF &&
			set_time(&t, b[2] & 0x1F, b[1] & 0x3F, b[0] & 0x3F);
		break;
	case 4: /* type F */
		record->kind = METER_DATE_TIME;
		t.flags = b[1] & 0x80 ? METER_TIME_SUMMER : 0;
		valid = !(b[0] & 0x80) && set_time(&t, b[1] & 0x1F, b[0] & 0x3F, 0) &&
			set_date(&t, b + 2, b[1] >> 5 & 3);
		break;
	case 6: /* type I; its day and month 0 mean that they are not given */
		record->kind = METER_DATE_TIME;
		t.flags = (uint8_t)(METER_TIME_SECONDS | (b[0] & 0x40 ? METER_TIME_SUMMER : 0));
		valid = !(b[1] & 0x80) && (b[3] & 0x1F) != 0 &&
			set_time(&t, b[2] & 0x1F, b[1] & 0x3F, b[0] & 0x3F) &&
			set_date(&t, b + 3, 0);
		break;
	default:
		return false;
	}
	if (valid)
		record->time = t;
	else
		record->kind = METER_NONE;
	return true;
}
