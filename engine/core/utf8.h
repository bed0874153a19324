/* UTF-8, one character at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef METERLOOM_CORE_UTF8_H
#define METERLOOM_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What must follow a lead byte: how many bytes, and the range of the first of them (it excludes
 * overlong forms, surrogates and what lies beyond U+10FFFF). false: not a lead byte. */
struct utf8_lead {
	uint8_t more, low, high;
};

static inline bool utf8_lead(unsigned char byte, struct utf8_lead *lead)
{
	*lead = (struct utf8_lead){0, 0x80, 0xBF};
	if (byte < 0xC2 || byte > 0xF4)
		return false;
	lead->more = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
	if (byte == 0xE0)
		lead->low = 0xA0;
	else if (byte == 0xED)
		lead->high = 0x9F;
	else if (byte == 0xF0)
		lead->low = 0x90;
	else if (byte == 0xF4)
		lead->high = 0x8F;
	return true;
}

/* The length of the whole character at `text` (not ASCII), or 0; *bad is then how many bytes to
 * give up together. */
static inline size_t utf8_length(const unsigned char *text, size_t length, size_t *bad)
{
	struct utf8_lead lead;
	*bad = 1;
	if (!utf8_lead(text[0], &lead))
		return 0;
	for (size_t i = 1; i <= lead.more; i++) {
		if (i >= length || text[i] < lead.low || text[i] > lead.high) {
			*bad = i;
			return 0;
		}
		lead.low = 0x80;
		lead.high = 0xBF;
	}
	return (size_t)lead.more + 1;
}

/* Writes a code point (not a surrogate, at most U+10FFFF). Returns its length, 1 to 4. */
static inline size_t utf8_write(char *out, uint32_t code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xC0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xE0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3F));
		out[2] = (char)(0x80 | (code & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3F));
	out[2] = (char)(0x80 | (code >> 6 & 0x3F));
	out[3] = (char)(0x80 | (code & 0x3F));
	return 4;
}

/* ---- Eight bytes of a JSON string at once ---- */

#define UTF8_ALL(byte) (UINT64_C(0x0101010101010101) * (uint64_t)(byte))

/* Not 0 where one of the bytes is a quote, a backslash, a control character or not ASCII. */
static inline uint64_t utf8_special(uint64_t bytes)
{
	const uint64_t quote = (bytes ^ UTF8_ALL('"')) - UTF8_ALL(1);
	const uint64_t backslash = (bytes ^ UTF8_ALL('\\')) - UTF8_ALL(1);
	const uint64_t control = bytes - UTF8_ALL(0x20);
	return (quote | backslash | control | bytes) & UTF8_ALL(0x80);
}

static inline bool utf8_plain(unsigned char byte)
{
	return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

#endif
