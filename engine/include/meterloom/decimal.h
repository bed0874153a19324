/* Exact decimal values: mantissa times a power of ten.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A meter value is never rounded through a double between the telegram and the report. All
 * functions here are pure and thread-safe.
 */
#ifndef METERLOOM_DECIMAL_H
#define METERLOOM_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/error.h>

struct ml_decimal {
	int64_t mantissa;
	int8_t exponent; /* power of ten, -128 to 127 */
};

enum {
	/* Longest text ml_decimal_format() makes, with the NUL: sign, 19 digits, point, 128 zeros.
	 */
	ML_DECIMAL_TEXT_MAX = 160,
};

/* Writes the value as a JSON number without an exponent where that takes at most 25 characters
 * (1230, 0.0123), else with one (1e40). Trailing zeros after the point are kept: 12.30 has been
 * measured to the hundredth. Returns the length; out has ML_DECIMAL_TEXT_MAX bytes and is
 * NUL-terminated. */
size_t ml_decimal_format(struct ml_decimal value, char *out);

/* Parses the whole of `text` (length bytes) by JSON's number grammar. -EINVAL: not a number
 * (err->at is the offset); -ERANGE: it has more digits than 63 bits hold, or its exponent is out of
 * range. */
int ml_decimal_parse(
	const char *text, size_t length, struct ml_decimal *value, struct ml_error *err);

/* -1, 0 or 1; exact for all values, whatever their exponents. */
int ml_decimal_compare(struct ml_decimal a, struct ml_decimal b);

/* Exact arithmetic. false: the exact result does not fit; *result is then untouched. */
bool ml_decimal_add(struct ml_decimal a, struct ml_decimal b, struct ml_decimal *result);
bool ml_decimal_subtract(struct ml_decimal a, struct ml_decimal b, struct ml_decimal *result);
bool ml_decimal_multiply(struct ml_decimal a, struct ml_decimal b, struct ml_decimal *result);

/* The value with the given exponent. Fewer digits: rounds half away from zero. false: it does not
 * fit; *result is then untouched. */
bool ml_decimal_rescale(struct ml_decimal value, int exponent, struct ml_decimal *result);

/* The same value with the shortest mantissa: 1200e-2 becomes 12e0, 0 has exponent 0. */
struct ml_decimal ml_decimal_normalize(struct ml_decimal value);

/* true and the integer where the value is one that fits 64 bits. */
bool ml_decimal_to_integer(struct ml_decimal value, int64_t *result);

/* The nearest double; for showing and for statistics, never on the way to a report. */
double ml_decimal_to_double(struct ml_decimal value);

#endif
