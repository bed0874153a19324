/* Any text as the file beside readings.db: refused, or what is written again the same.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "store/mark.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store_mark mark;
	char text[STORE_MARK_TEXT_MAX];
	if (store_mark_parse((const char *)data, size, &mark, NULL) < 0)
		return 0;
	if ((size_t)store_mark_format(&mark, text) != size || memcmp(text, data, size) != 0)
		abort();
	return 0;
}
