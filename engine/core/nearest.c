/* The nearest name, by the number of letters to change (with neighbours swapped counted as one).
 * SPDX-License-Identifier: Apache-2.0
 */
#include <meterloom/nearest.h>

#include <string.h>

static char fold(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c == '_' ? '-' : c;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t rows[3][ML_NEAREST_LENGTH_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];
	for (size_t j = 0; j <= b_length; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			const char x = fold(a[i - 1]), y = fold(b[j - 1]);
			row[j] = least(least(last[j] + 1, row[j - 1] + 1), last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == fold(b[j - 2]) && fold(a[i - 2]) == y)
				row[j] = least(row[j], before[j - 2] + 1);
		}
		size_t *const spare = before;
		before = last;
		last = row;
		row = spare;
	}
	return last[b_length];
}

void ml_nearest_begin(struct ml_nearest *near, const char *wanted)
{
	*near = (struct ml_nearest){.wanted = wanted, .distance = ML_NEAREST_LENGTH_MAX};
}

void ml_nearest_try(struct ml_nearest *near, const char *name)
{
	const size_t wanted_length = strlen(near->wanted);
	const size_t length = strlen(name);
	if (wanted_length > ML_NEAREST_LENGTH_MAX || length > ML_NEAREST_LENGTH_MAX)
		return;
	const size_t found = distance(near->wanted, wanted_length, name, length);
	/* A third of the letters may be wrong, at least one, never all of them. */
	const size_t longer = wanted_length > length ? wanted_length : length;
	const size_t bound = longer < 4 ? 1 : longer / 3;
	if (found <= bound && found < longer && found < near->distance) {
		near->best = name;
		near->distance = found;
	}
}

const char *ml_nearest_name(const struct ml_nearest *near)
{
	return near->best;
}
