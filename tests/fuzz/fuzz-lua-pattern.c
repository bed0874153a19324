/* Lua patterns: any pattern over any subject ends within its steps and stays within its bytes.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Input: one byte, the length of the pattern; the pattern; the subject.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lua/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS = 20000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	const char *text = (const char *)data + 1;
	const size_t length = data[0] < size - 1 ? data[0] : size - 1;
	struct pattern pattern;
	if (pattern_init(&pattern, text, length, true))
		return 0;
	pattern.subject = text + length;
	pattern.subject_end = (const char *)data + size;
	pattern.steps = STEPS;
	for (const char *at = pattern.subject; at <= pattern.subject_end; at++) {
		const char *end = pattern_match(&pattern, at);
		if (pattern.stop == PATTERN_TOO_LONG)
			break;
		if (!end)
			continue;
		if (end < at || end > pattern.subject_end)
			abort();
		for (unsigned i = 0; i < pattern.captures_count; i++) {
			const struct pattern_capture *capture = &pattern.captures[i];
			if (capture->begin < at || capture->end < capture->begin ||
				capture->end > end)
				abort();
		}
	}
	return 0;
}
