/* Exact decimal values: text, comparison and arithmetic in 64 bits, portable to 32-bit machines.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <meterloom/decimal.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "digits.h"

enum { PLAIN_MAX = 25, EXPONENT_CAP = 1000000 };

/* A value as sign and magnitude, which has room for the steps between. */
struct parts {
	bool negative;
	uint64_t magnitude;
	int exponent;
};

static struct parts take_apart(struct ml_decimal value)
{
	return (struct parts){
		.negative = value.mantissa < 0,
		.magnitude = value.mantissa < 0 ? 0u - (uint64_t)value.mantissa
						: (uint64_t)value.mantissa,
		.exponent = value.exponent,
	};
}

static bool fits(const struct parts *p)
{
	return p->magnitude <= (uint64_t)INT64_MAX + (p->negative ? 1u : 0u);
}

static bool scale_up(uint64_t *magnitude, unsigned powers)
{
	if (*magnitude == 0 || powers == 0)
		return true;
	if (powers > 19)
		return false;
	const uint64_t factor = digits_power(powers);
	if (*magnitude > UINT64_MAX / factor)
		return false;
	*magnitude *= factor;
	return true;
}

/* Puts sign, magnitude and any exponent into a decimal, moving zeros between mantissa and exponent
 * where one of them does not fit. */
static bool put_together(struct parts p, struct ml_decimal *result)
{
	if (p.magnitude == 0) {
		const int exponent = p.exponent > INT8_MAX ? 0 : p.exponent;
		*result =
			(struct ml_decimal){0, (int8_t)(exponent < INT8_MIN ? INT8_MIN : exponent)};
		return true;
	}
	while ((!fits(&p) || p.exponent < INT8_MIN) && p.magnitude % 10 == 0) {
		p.magnitude /= 10;
		p.exponent++;
	}
	if (p.exponent > INT8_MAX) {
		const int down = p.exponent - INT8_MAX;
		if (down > 19 || !scale_up(&p.magnitude, (unsigned)down))
			return false;
		p.exponent = INT8_MAX;
	}
	if (!fits(&p) || p.exponent < INT8_MIN)
		return false;
	result->mantissa = (int64_t)(p.negative ? 0u - p.magnitude : p.magnitude);
	result->exponent = (int8_t)p.exponent;
	return true;
}

/* ---- Text ---- */

size_t ml_decimal_format(struct ml_decimal value, char *out)
{
	const struct parts p = take_apart(value);
	const unsigned digits = digits_count(p.magnitude);
	const unsigned sign = p.negative ? 1u : 0u;
	char *at = out;
	if (p.negative)
		*at++ = '-';
	if (p.exponent == 0 || (p.exponent > 0 && p.magnitude == 0)) {
		digits_write(at, p.magnitude, digits);
		at += digits;
	} else if (p.exponent > 0 && sign + digits + (unsigned)p.exponent <= PLAIN_MAX) {
		digits_write(at, p.magnitude, digits);
		memset(at + digits, '0', (size_t)p.exponent);
		at += digits + (unsigned)p.exponent;
	} else if (p.exponent < 0 && -p.exponent < (int)digits) {
		const unsigned after = (unsigned)-p.exponent;
		const uint64_t divisor = digits_power(after);
		digits_write(at, p.magnitude / divisor, digits - after);
		at += digits - after;
		*at++ = '.';
		digits_write(at, p.magnitude % divisor, after);
		at += after;
	} else if (p.exponent < 0 && sign + 2 + (unsigned)-p.exponent <= PLAIN_MAX) {
		const unsigned zeros = (unsigned)-p.exponent - digits;
		memset(at, '0', 2 + zeros);
		at[1] = '.';
		at += 2 + zeros;
		digits_write(at, p.magnitude, digits);
		at += digits;
	} else {
		digits_write(at, p.magnitude, digits);
		at += digits;
		*at++ = 'e';
		at += digits_write_signed(at, p.exponent);
	}
	*at = '\0';
	return (size_t)(at - out);
}

struct scan {
	const char *text;
	size_t length, at;
	struct parts parts;
	bool lost; /* a zero did not fit: only zeros may follow */
	bool too_long;
};

static bool is_digit(const struct scan *s)
{
	return s->at < s->length && s->text[s->at] >= '0' && s->text[s->at] <= '9';
}

/* One or more digits of the mantissa; false where there is none. */
static bool scan_digits(struct scan *s, bool after_point)
{
	const size_t begin = s->at;
	for (; is_digit(s); s->at++) {
		const uint64_t digit = (uint64_t)(s->text[s->at] - '0');
		const uint64_t limit = (uint64_t)INT64_MAX + 1u;
		struct parts *p = &s->parts;
		if (!s->lost && p->magnitude <= (limit - digit) / 10) {
			p->magnitude = p->magnitude * 10 + digit;
			p->exponent -= after_point;
		} else {
			s->lost = true;
			s->too_long |= digit != 0;
			p->exponent += !after_point;
		}
		if (abs(p->exponent) > EXPONENT_CAP)
			s->too_long = true;
	}
	return s->at > begin;
}

static bool scan_exponent(struct scan *s)
{
	bool negative = false;
	if (s->at < s->length && (s->text[s->at] == '+' || s->text[s->at] == '-'))
		negative = s->text[s->at++] == '-';
	const size_t begin = s->at;
	int exponent = 0;
	for (; is_digit(s); s->at++) {
		if (exponent < EXPONENT_CAP)
			exponent = exponent * 10 + (s->text[s->at] - '0');
	}
	s->parts.exponent += negative ? -exponent : exponent;
	return s->at > begin;
}

/* The grammar of RFC 8259; false: s->at is where the text leaves it. */
static bool scan_number(struct scan *s)
{
	if (s->at < s->length && s->text[s->at] == '-') {
		s->parts.negative = true;
		s->at++;
	}
	if (s->at < s->length && s->text[s->at] == '0')
		s->at++;
	else if (!scan_digits(s, false))
		return false;
	if (s->at < s->length && s->text[s->at] == '.') {
		s->at++;
		if (!scan_digits(s, true))
			return false;
	}
	if (s->at < s->length && (s->text[s->at] == 'e' || s->text[s->at] == 'E')) {
		s->at++;
		if (!scan_exponent(s))
			return false;
	}
	return s->at == s->length;
}

int ml_decimal_parse(
	const char *text, size_t length, struct ml_decimal *value, struct ml_error *err)
{
	struct scan s = {.text = text, .length = length};
	if (!scan_number(&s))
		return ml_error_set_at(err, -EINVAL, (long long)s.at,
			"not a number: expected one like 12, -0.5 or 1e3");
	if (s.parts.magnitude == 0)
		s.parts.negative = false;
	if (s.too_long || !put_together(s.parts, value))
		return ml_error_set(err, -ERANGE,
			"the number is too long or too large: expected at most 18 digits and an "
			"exponent from -128 to 127");
	return 0;
}

/* ---- Comparison and arithmetic ---- */

static int compare_magnitudes(struct parts a, struct parts b)
{
	if (a.magnitude == 0 || b.magnitude == 0)
		return (a.magnitude != 0) - (b.magnitude != 0);
	const int digits_a = (int)digits_count(a.magnitude),
		  digits_b = (int)digits_count(b.magnitude);
	const int high_a = digits_a + a.exponent, high_b = digits_b + b.exponent;
	if (high_a != high_b)
		return high_a < high_b ? -1 : 1;
	/* With the leading digits at one place, the shorter has room for the zeros it lacks. */
	if (digits_a < digits_b)
		a.magnitude *= digits_power((unsigned)(digits_b - digits_a));
	else
		b.magnitude *= digits_power((unsigned)(digits_a - digits_b));
	return (a.magnitude > b.magnitude) - (a.magnitude < b.magnitude);
}

int ml_decimal_compare(struct ml_decimal a, struct ml_decimal b)
{
	const int sign_a = (a.mantissa > 0) - (a.mantissa < 0);
	const int sign_b = (b.mantissa > 0) - (b.mantissa < 0);
	if (sign_a != sign_b)
		return sign_a < sign_b ? -1 : 1;
	return sign_a * compare_magnitudes(take_apart(a), take_apart(b));
}

/* a + b where both have the same exponent. */
static bool add_aligned(struct parts a, struct parts b, struct ml_decimal *result)
{
	struct parts sum = a;
	if (a.negative == b.negative) {
		if (a.magnitude > UINT64_MAX - b.magnitude)
			return false;
		sum.magnitude = a.magnitude + b.magnitude;
	} else if (a.magnitude >= b.magnitude) {
		sum.magnitude = a.magnitude - b.magnitude;
	} else {
		sum.magnitude = b.magnitude - a.magnitude;
		sum.negative = b.negative;
	}
	return put_together(sum, result);
}

static bool add_parts(struct parts a, struct parts b, struct ml_decimal *result)
{
	if (a.exponent < b.exponent) {
		const struct parts swap = a;
		a = b;
		b = swap;
	}
	/* Keep the finer exponent where it fits, else drop zeros of the finer value as needed. */
	for (;;) {
		uint64_t scaled = a.magnitude;
		if (scale_up(&scaled, (unsigned)(a.exponent - b.exponent))) {
			struct parts aligned = a;
			aligned.magnitude = scaled;
			aligned.exponent = b.exponent;
			if (add_aligned(aligned, b, result))
				return true;
		}
		if (b.exponent >= a.exponent || b.magnitude % 10 != 0)
			return false;
		b.magnitude /= 10;
		b.exponent++;
	}
}

bool ml_decimal_add(struct ml_decimal a, struct ml_decimal b, struct ml_decimal *result)
{
	return add_parts(take_apart(a), take_apart(b), result);
}

bool ml_decimal_subtract(struct ml_decimal a, struct ml_decimal b, struct ml_decimal *result)
{
	struct parts minus_b = take_apart(b);
	minus_b.negative = !minus_b.negative;
	return add_parts(take_apart(a), minus_b, result);
}

/* Takes a factor of ten out of a product without making it. */
static bool drop_ten(uint64_t *a, uint64_t *b)
{
	static const uint64_t shares[][2] = {{10, 1}, {1, 10}, {2, 5}, {5, 2}};
	for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
		if (*a % shares[i][0] == 0 && *b % shares[i][1] == 0) {
			*a /= shares[i][0];
			*b /= shares[i][1];
			return true;
		}
	}
	return false;
}

bool ml_decimal_multiply(struct ml_decimal a, struct ml_decimal b, struct ml_decimal *result)
{
	struct parts x = take_apart(a), y = take_apart(b);
	struct parts product = {
		.negative = x.negative != y.negative && x.magnitude && y.magnitude,
		.exponent = x.exponent + y.exponent,
	};
	const uint64_t limit = (uint64_t)INT64_MAX + (product.negative ? 1u : 0u);
	while (x.magnitude != 0 && y.magnitude > limit / x.magnitude) {
		if (!drop_ten(&x.magnitude, &y.magnitude))
			return false;
		product.exponent++;
	}
	product.magnitude = x.magnitude * y.magnitude;
	return put_together(product, result);
}

bool ml_decimal_rescale(struct ml_decimal value, int exponent, struct ml_decimal *result)
{
	if (exponent < INT8_MIN || exponent > INT8_MAX)
		return false;
	struct parts p = take_apart(value);
	const int down = exponent - p.exponent;
	if (down <= 0) {
		if (!scale_up(&p.magnitude, (unsigned)-down))
			return false;
	} else if (down > 19) {
		p.magnitude = 0;
	} else {
		const uint64_t divisor = digits_power((unsigned)down);
		const uint64_t rest = p.magnitude % divisor;
		p.magnitude = p.magnitude / divisor + (rest >= divisor - rest ? 1u : 0u);
	}
	if (!fits(&p))
		return false;
	result->mantissa = (int64_t)(p.negative ? 0u - p.magnitude : p.magnitude);
	result->exponent = (int8_t)exponent;
	return true;
}

struct ml_decimal ml_decimal_normalize(struct ml_decimal value)
{
	if (value.mantissa == 0)
		return (struct ml_decimal){0, 0};
	while (value.mantissa % 10 == 0 && value.exponent < INT8_MAX) {
		value.mantissa /= 10;
		value.exponent++;
	}
	return value;
}

bool ml_decimal_to_integer(struct ml_decimal value, int64_t *result)
{
	struct ml_decimal integer;
	if (value.exponent < 0) {
		value = ml_decimal_normalize(value);
		if (value.exponent < 0)
			return false;
	}
	if (!ml_decimal_rescale(value, 0, &integer))
		return false;
	*result = integer.mantissa;
	return true;
}

double ml_decimal_to_double(struct ml_decimal value)
{
	static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10,
		1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	const int64_t exact = (int64_t)1 << 53;
	if (value.mantissa >= -exact && value.mantissa <= exact && abs(value.exponent) <= 22) {
		const double mantissa = (double)value.mantissa;
		return value.exponent < 0 ? mantissa / powers[-value.exponent]
					  : mantissa * powers[value.exponent];
	}
	/* No point in the text, so that no locale can misread it. */
	char text[ML_DECIMAL_TEXT_MAX];
	unsigned length = digits_write_signed(text, value.mantissa);
	text[length++] = 'e';
	length += digits_write_signed(text + length, value.exponent);
	text[length] = '\0';
	return strtod(text, NULL);
}
