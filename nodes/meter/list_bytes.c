/* The bytes of a meter list file as a command gets them: text, or base64.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <string.h>

#include "meter/list_file.h"

static int base64_digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* In place. Line breaks are passed over. */
static int decode_base64(char *text, size_t *ret_length, struct ml_error *err)
{
	size_t used = 0;
	unsigned bits = 0, count = 0;
	const char *p = text;
	for (; *p && *p != '='; p++) {
		if (*p == '\n' || *p == '\r')
			continue;
		const int digit = base64_digit(*p);
		if (digit < 0)
			return ml_error_set_pointer(err, -EINVAL, "/base64",
				"byte %zu is no base64 digit", (size_t)(p - text));
		bits = (bits << 6 | (unsigned)digit) & 0xFFFFFF;
		if (++count % 4 != 1)
			text[used++] = (char)(bits >> (6 - 2 * ((count - 1) % 4)) & 0xFF);
	}
	if (count % 4 == 1)
		return ml_error_set_pointer(
			err, -EINVAL, "/base64", "the base64 is cut off in the middle");
	*ret_length = used;
	return 0;
}

int meter_file_bytes(
	struct meter_file_params *params, const char **bytes, size_t *length, struct ml_error *err)
{
	if ((params->csv != NULL) == (params->base64 != NULL))
		return ml_error_set(err, -EINVAL, "expected either `csv` or `base64`");
	*bytes = params->csv ? params->csv : params->base64;
	*length = params->csv ? strlen(params->csv) : 0;
	return params->csv ? 0 : decode_base64(params->base64, length, err);
}
