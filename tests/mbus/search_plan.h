/* What a search has to be measured against: the plain prefix tree of the numbers on a bus.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_MBUS_SEARCH_PLAN_H
#define TESTS_MBUS_SEARCH_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

static inline int search_plan_order(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a;
	const uint32_t y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

/* Each prefix that at least two numbers begin with is asked for all its digits, beginning with
 * none: `base` probes each. An oracle tells none, one and several apart. Sorts the numbers. */
static inline uint64_t search_plan_probes(uint32_t *numbers, size_t count, unsigned base)
{
	uint64_t probes = base;
	qsort(numbers, count, sizeof *numbers, search_plan_order);
	for (unsigned digits = 1; digits < 8; digits++) {
		const unsigned shift = 4 * (8 - digits);
		for (size_t i = 1; i < count; i++) {
			const uint32_t prefix = numbers[i] >> shift;
			const bool again = i >= 2 && numbers[i - 2] >> shift == prefix;
			if (numbers[i - 1] >> shift == prefix && !again)
				probes += base;
		}
	}
	return probes;
}

#endif
