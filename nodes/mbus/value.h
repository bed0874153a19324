/* The data codings of EN 13757-3 annex A: bytes in, values out.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each function sets kind and value of a record (mantissa and exponent, or time) and knows nothing
 * of VIFs. Bytes are given low byte first. A coding's own "invalid" gives METER_NONE.
 */
#ifndef MBUS_VALUE_H
#define MBUS_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "meter/reading.h"

/* One to eight bytes. */
static inline uint64_t mbus_load(const uint8_t *p, size_t length)
{
	uint64_t value = 0;
	switch (length) {
	case 8:
		value |= (uint64_t)p[7] << 56 | (uint64_t)p[6] << 48;
		/* fall through */
	case 6:
		value |= (uint64_t)p[5] << 40 | (uint64_t)p[4] << 32;
		/* fall through */
	case 4:
		return value | (uint64_t)p[3] << 24 | (uint64_t)p[2] << 16 | (uint64_t)p[1] << 8 |
		       p[0];
	case 3:
		return (uint64_t)p[2] << 16 | (uint64_t)p[1] << 8 | p[0];
	case 2:
		return (uint64_t)p[1] << 8 | p[0];
	case 1:
		return p[0];
	default:
		while (length > 0)
			value = value << 8 | p[--length];
		return value;
	}
}

/* Type B. The most negative number means invalid. */
static inline void mbus_value_signed(uint64_t bits, size_t length, struct meter_record *record)
{
	const unsigned unused = (unsigned)(64 - 8 * length);
	const int64_t value = (int64_t)(bits << unused) >> unused;
	record->mantissa = value;
	record->kind = bits << unused == UINT64_C(1) << 63 ? METER_NONE : METER_NUMBER;
}

/* Type A, up to 16 digits: F as first digit is a minus sign, A to F elsewhere mean invalid. */
void mbus_value_bcd(uint64_t bits, size_t length, struct meter_record *record);

/* Type H, IEEE 754: the shortest decimal that is nearest to no other number of its kind. Not a
 * number and infinite mean invalid. */
void mbus_value_real(uint32_t bits, struct meter_record *record);

/* Types G (2 bytes), J (3), F (4) and I (6). false: there is none of this length. */
bool mbus_value_time(const uint8_t *bytes, size_t length, struct meter_record *record);

#endif
