/* UTF-8 to the character sets of reports.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/text.h"

#include <string.h>
#include <strings.h>

#include "report/utf8.h"

static const char *const names[] = {
	[REPORT_UTF_8] = "UTF-8",
	[REPORT_ISO_8859_1] = "ISO-8859-1",
	[REPORT_WINDOWS_1252] = "Windows-1252",
};

const char *report_charset_name(enum report_charset charset)
{
	return names[charset];
}

bool report_charset_parse(const char *name, enum report_charset *charset)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcasecmp(name, names[i]) == 0) {
			*charset = (enum report_charset)i;
			return true;
		}
	}
	return false;
}

/* 80h to 9Fh of Windows-1252; 0: not assigned. */
static const uint16_t windows_1252[32] = {0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
	0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017D, 0, 0, 0x2018, 0x2019, 0x201C, 0x201D,
	0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0, 0x017E, 0x0178};

/* What comes close. Sorted by code. */
static const struct {
	uint16_t code;
	char text[6];
} close_to[] = {
	{0x0100, "A"},
	{0x0101, "a"},
	{0x0102, "A"},
	{0x0103, "a"},
	{0x0104, "A"},
	{0x0105, "a"},
	{0x0106, "C"},
	{0x0107, "c"},
	{0x010C, "C"},
	{0x010D, "c"},
	{0x010E, "D"},
	{0x010F, "d"},
	{0x0110, "D"},
	{0x0111, "d"},
	{0x0112, "E"},
	{0x0113, "e"},
	{0x0118, "E"},
	{0x0119, "e"},
	{0x011A, "E"},
	{0x011B, "e"},
	{0x011E, "G"},
	{0x011F, "g"},
	{0x0130, "I"},
	{0x0131, "i"},
	{0x0139, "L"},
	{0x013A, "l"},
	{0x013D, "L"},
	{0x013E, "l"},
	{0x0141, "L"},
	{0x0142, "l"},
	{0x0143, "N"},
	{0x0144, "n"},
	{0x0147, "N"},
	{0x0148, "n"},
	{0x0150, "O"},
	{0x0151, "o"},
	{0x0152, "OE"},
	{0x0153, "oe"},
	{0x0154, "R"},
	{0x0155, "r"},
	{0x0158, "R"},
	{0x0159, "r"},
	{0x015A, "S"},
	{0x015B, "s"},
	{0x015E, "S"},
	{0x015F, "s"},
	{0x0160, "S"},
	{0x0161, "s"},
	{0x0164, "T"},
	{0x0165, "t"},
	{0x016E, "U"},
	{0x016F, "u"},
	{0x0170, "U"},
	{0x0171, "u"},
	{0x0178, "Y"},
	{0x0179, "Z"},
	{0x017A, "z"},
	{0x017B, "Z"},
	{0x017C, "z"},
	{0x017D, "Z"},
	{0x017E, "z"},
	{0x0192, "f"},
	{0x0218, "S"},
	{0x0219, "s"},
	{0x021A, "T"},
	{0x021B, "t"},
	{0x02C6, "^"},
	{0x02DC, "~"},
	{0x03A9, "Ohm"},
	{0x03BC, "u"},
	{0x2002, " "},
	{0x2003, " "},
	{0x2009, " "},
	{0x2010, "-"},
	{0x2011, "-"},
	{0x2012, "-"},
	{0x2013, "-"},
	{0x2014, "-"},
	{0x2018, "'"},
	{0x2019, "'"},
	{0x201A, ","},
	{0x201C, "\""},
	{0x201D, "\""},
	{0x201E, "\""},
	{0x2022, "*"},
	{0x2026, "..."},
	{0x202F, " "},
	{0x2030, "o/oo"},
	{0x2039, "<"},
	{0x203A, ">"},
	{0x20AC, "EUR"},
	{0x2103, "C"},
	{0x2122, "TM"},
	{0x2126, "Ohm"},
	{0x2212, "-"},
	{0x2260, "!="},
	{0x2264, "<="},
	{0x2265, ">="},
};

static const char *closest(uint32_t code)
{
	size_t low = 0, high = sizeof close_to / sizeof *close_to;
	while (low < high) {
		const size_t middle = (low + high) / 2;
		if (close_to[middle].code == code)
			return close_to[middle].text;
		if (close_to[middle].code < code)
			low = middle + 1;
		else
			high = middle;
	}
	return "?";
}

/* The one byte of a character, 0 where it has none (NUL itself aside). */
static unsigned char single_byte(enum report_charset charset, uint32_t code)
{
	if (code < 0x80 || (code >= 0xA0 && code <= 0xFF))
		return (unsigned char)code;
	if (charset != REPORT_WINDOWS_1252)
		return code >= 0x80 && code < 0xA0 ? (unsigned char)code : 0;
	for (unsigned i = 0; i < 32; i++) {
		if (windows_1252[i] == code && code != 0)
			return (unsigned char)(0x80 + i);
	}
	return 0;
}

static size_t to_utf8(struct ml_buffer *out, const char *text, size_t length)
{
	size_t replaced = 0;
	while (length > 0) {
		uint32_t code;
		const size_t used = report_utf8_next(text, length, &code);
		if (code == REPORT_UTF8_WRONG) {
			ml_buffer_append(out, "\xEF\xBF\xBD", 3);
			replaced++;
		} else {
			ml_buffer_append(out, text, used);
		}
		text += used;
		length -= used;
	}
	return replaced;
}

size_t report_encode(
	struct ml_buffer *out, enum report_charset charset, const char *text, size_t length)
{
	size_t replaced = 0;
	if (charset == REPORT_UTF_8)
		return to_utf8(out, text, length);
	while (length > 0) {
		size_t plain = 0;
		while (plain < length && (unsigned char)text[plain] < 0x80)
			plain++;
		ml_buffer_append(out, text, plain);
		text += plain;
		length -= plain;
		if (length == 0)
			break;
		uint32_t code;
		const size_t used = report_utf8_next(text, length, &code);
		const char byte =
			(char)(code == REPORT_UTF8_WRONG ? 0 : single_byte(charset, code));
		if (byte) {
			ml_buffer_append(out, &byte, 1);
		} else {
			const char *instead = closest(code);
			ml_buffer_append(out, instead, strlen(instead));
			replaced++;
		}
		text += used;
		length -= used;
	}
	return replaced;
}
