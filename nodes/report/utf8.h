/* One character of UTF-8 after the other.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef REPORT_UTF8_H
#define REPORT_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define REPORT_UTF8_WRONG UINT32_MAX

/* The first character of text (length > 0) and how many bytes it has; for bytes that are no UTF-8
 * REPORT_UTF8_WRONG and 1. */
static inline size_t report_utf8_next(const char *text, size_t length, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char first = (unsigned char)text[0];
	const size_t size = first < 0x80    ? 1
			    : first < 0xC2  ? 0
			    : first < 0xE0  ? 2
			    : first < 0xF0  ? 3
			    : first <= 0xF4 ? 4
					    : 0;
	*code = REPORT_UTF8_WRONG;
	if (size == 0 || size > length)
		return 1;
	uint32_t value = size == 1 ? first : first & (0xFFu >> (size + 1));
	for (size_t i = 1; i < size; i++) {
		const unsigned char next = (unsigned char)text[i];
		if ((next & 0xC0) != 0x80)
			return 1;
		value = value << 6 | (next & 0x3Fu);
	}
	if (value < least[size] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
		return 1;
	*code = value;
	return size;
}

#endif
