/* Integers to decimal digits, for the decimal and the JSON writer.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef METERLOOM_CORE_DIGITS_H
#define METERLOOM_CORE_DIGITS_H

#include <stdint.h>
#include <string.h>

enum { DIGITS_MAX = 20 };

static inline uint64_t digits_power(unsigned n) /* 0 to 19 */
{
	static const uint64_t powers[] = {1u, 10u, 100u, 1000u, 10000u, 100000u, 1000000u,
		10000000u, 100000000u, 1000000000u, 10000000000u, 100000000000u, 1000000000000u,
		10000000000000u, 100000000000000u, 1000000000000000u, 10000000000000000u,
		100000000000000000u, 1000000000000000000u, 10000000000000000000u};
	return powers[n];
}

/* How many digits `value` has; 1 for 0. */
static inline unsigned digits_count(uint64_t value)
{
	/* 1233/4096 is just under log10(2). */
	const unsigned bits = 64u - (unsigned)__builtin_clzll(value | 1u);
	const unsigned guess = (bits * 1233u) >> 12;
	return guess + 1u - (value < digits_power(guess) && guess > 0 ? 1u : 0u);
}

/* Writes exactly `count` digits, leading zeros too. */
static inline void digits_write(char *out, uint64_t value, unsigned count)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930"
				    "31323334353637383940414243444546474849505152535455565758596061"
				    "62636465666768697071727374757677787980818283848586878889909192"
				    "93949596979899";
	while (count >= 2) {
		count -= 2;
		memcpy(out + count, pairs + 2 * (value % 100u), 2);
		value /= 100u;
	}
	if (count)
		*out = (char)('0' + value % 10u);
}

/* Writes a signed integer without a NUL. Returns its length, at most DIGITS_MAX. */
static inline unsigned digits_write_signed(char *out, int64_t value)
{
	const uint64_t magnitude = value < 0 ? 0u - (uint64_t)value : (uint64_t)value;
	const unsigned sign = value < 0 ? 1u : 0u;
	const unsigned count = digits_count(magnitude);
	if (sign)
		*out = '-';
	digits_write(out + sign, magnitude, count);
	return sign + count;
}

#endif
