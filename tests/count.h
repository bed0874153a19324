/* How often a test repeats: a tenth of the full count, or all of it with METERLOOM_SOAK=1.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_COUNT_H
#define TESTS_COUNT_H

#include <stdlib.h>

static inline unsigned test_count(unsigned full)
{
	const char *soak = getenv("METERLOOM_SOAK");
	return soak && soak[0] == '1' ? full : (full + 9) / 10;
}

#endif
