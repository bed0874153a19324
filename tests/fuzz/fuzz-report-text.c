/* Text of reports: any bytes give text that is well formed for where it goes.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Input: one byte that chooses character set, separator and language; the text.
 */
#include <stdlib.h>
#include <string.h>

#include "report/text.h"
#include "report/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static bool is_utf8(const struct ml_buffer *text)
{
	for (size_t at = 0; at < text->length;) {
		uint32_t code;
		at += report_utf8_next(text->data + at, text->length - at, &code);
		if (code == REPORT_UTF8_WRONG)
			return false;
	}
	return true;
}

/* A field read back by RFC 4180 is what was written. */
static void check_csv(const struct ml_buffer *out, char separator, const char *text, size_t length)
{
	const char *at = out->data;
	const char *end = at + out->length;
	if (out->length == 0 || *at != '"') {
		require(out->length == length && (length == 0 || memcmp(at, text, length) == 0));
		require(length == 0 ||
			(!memchr(at, separator, length) && !memchr(at, '\n', length)));
		return;
	}
	require(end - at >= 2 && end[-1] == '"');
	end--;
	for (at++; at < end; at++, text++, length--) {
		require(length > 0 && *at == *text);
		if (*at == '"')
			require(++at < end && *at == '"');
	}
	require(length == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	const char *text = (const char *)data + 1;
	const size_t length = size - 1;
	const enum report_charset charset = data[0] % 3;
	const char separator = ";,\t"[data[0] / 3 % 3];
	struct ml_buffer out = {0};

	(void)report_encode(&out, charset, text, length);
	require(charset != REPORT_UTF_8 || is_utf8(&out));
	ml_buffer_clear(&out);

	report_csv_field(&out, separator, text, length);
	check_csv(&out, separator, text, length);
	ml_buffer_clear(&out);

	report_xml_text(&out, text, length);
	require(is_utf8(&out));
	require(out.length == 0 ||
		(!memchr(out.data, '<', out.length) && !memchr(out.data, '"', out.length)));
	ml_buffer_clear(&out);

	report_file_name(&out, text, length);
	require(out.length == 0 || (out.data[0] != '.' && !memchr(out.data, '/', out.length)));
	ml_buffer_clear(&out);

	const struct ml_civil date = {
		.year = 1999 + data[0], .month = 1 + data[0] % 12, .day = 1 + data[0] % 28};
	report_date(&out, &date, (data[0] - 128) * 600,
		data[0] % 2 ? REPORT_FRENCH : REPORT_ENGLISH, data[0] % 7, text, length);
	ml_buffer_free(&out);
	return 0;
}
