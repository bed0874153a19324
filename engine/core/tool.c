/* What all tools do with files and errors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <meterloom/tool.h>

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

enum { WRONG_USAGE = 2 };

int ml_tool_read_file(const char *path, size_t max, struct ml_buffer *out, struct ml_error *err)
{
	const bool standard = strcmp(path, "-") == 0;
	FILE *const file = standard ? stdin : fopen(path, "rb");
	if (!file)
		return ml_error_set(err, -errno, "%s: %s", path, strerror(errno));
	int result = 0;
	char block[16384];
	size_t length;
	ml_buffer_append(out, "", 0);
	while (result == 0 && (length = fread(block, 1, sizeof block, file)) > 0) {
		if (out->length + length > max)
			result = ml_error_set(err, -EFBIG, "%s: larger than %zu bytes", path, max);
		else
			ml_buffer_append(out, block, length);
	}
	if (result == 0 && ferror(file))
		result = ml_error_set(err, -EIO, "%s: %s", path, strerror(errno));
	if (result == 0 && out->failed)
		result = ml_error_set(err, -ENOMEM, "out of memory");
	if (!standard)
		(void)fclose(file);
	return result;
}

int ml_tool_complain(const char *tool, const char *format, ...)
{
	va_list args;
	(void)fprintf(stderr, "meterloom %s: ", tool);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	return WRONG_USAGE;
}

void ml_tool_print_errors(FILE *out, const char *file, const struct ml_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++) {
		const struct ml_error *const err = &errors->items[i];
		(void)fputs(file, out);
		if (err->line > 0)
			(void)fprintf(out, ":%d:%d", err->line, err->column);
		(void)fprintf(
			out, ": %s%s%s\n", err->pointer, *err->pointer ? ": " : "", err->text);
	}
	if (errors->more > 0)
		(void)fprintf(out, "%s: %zu more errors\n", file, errors->more);
}
