/* Fuzzes decimals: what is read is written back equal, and the arithmetic obeys its laws.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The input is one number or two, with a blank between them.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/decimal.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static bool read_back(const char *text, size_t length, struct ml_decimal *value)
{
	struct ml_error err = ML_ERROR_NONE;
	if (ml_decimal_parse(text, length, value, &err) != 0) {
		require(err.code < 0 && err.at <= (long long)length);
		return false;
	}
	char written[ML_DECIMAL_TEXT_MAX];
	const size_t written_length = ml_decimal_format(*value, written);
	require(strlen(written) == written_length);
	struct ml_decimal again;
	require(ml_decimal_parse(written, written_length, &again, NULL) == 0);
	require(ml_decimal_compare(*value, again) == 0);
	const struct ml_decimal shortest = ml_decimal_normalize(*value);
	require(ml_decimal_compare(*value, shortest) == 0);
	/* The C library reads the same number. */
	char *copy = strndup(text, length);
	require(copy != NULL);
	const double exact = strtod(copy, NULL), ours = ml_decimal_to_double(*value);
	require(!(exact < ours) && !(exact > ours));
	free(copy);
	int64_t integer;
	if (ml_decimal_to_integer(*value, &integer))
		require(ml_decimal_compare(*value, (struct ml_decimal){integer, 0}) == 0);
	return true;
}

static void check_laws(struct ml_decimal a, struct ml_decimal b)
{
	struct ml_decimal sum, other, back;
	require(ml_decimal_compare(a, b) == -ml_decimal_compare(b, a));
	const bool added = ml_decimal_add(a, b, &sum);
	require(added == ml_decimal_add(b, a, &other));
	if (added) {
		require(ml_decimal_compare(sum, other) == 0);
		require(ml_decimal_compare(sum, b) == (a.mantissa > 0) - (a.mantissa < 0));
		require(ml_decimal_subtract(sum, b, &back));
		require(ml_decimal_compare(back, a) == 0);
	}
	const bool multiplied = ml_decimal_multiply(a, b, &sum);
	require(multiplied == ml_decimal_multiply(b, a, &other));
	if (multiplied) {
		require(ml_decimal_compare(sum, other) == 0);
		const double expected = ml_decimal_to_double(a) * ml_decimal_to_double(b);
		const double product = ml_decimal_to_double(sum);
		require(fabs(product - expected) <= fabs(product) * 1e-14);
	}
	if (ml_decimal_rescale(a, b.exponent, &back)) {
		require(back.exponent == b.exponent);
		require(a.exponent < b.exponent || ml_decimal_compare(back, a) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *blank = size ? memchr(text, ' ', size) : NULL;
	const size_t first = blank ? (size_t)(blank - text) : size;
	struct ml_decimal a, b;
	const bool read_a = read_back(text, first, &a);
	if (blank && read_back(blank + 1, size - first - 1, &b) && read_a)
		check_laws(a, b);
	return 0;
}
