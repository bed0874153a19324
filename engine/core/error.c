/* Errors as values: set once, with a place.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <meterloom/error.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Cuts a text that filled its buffer back to the last whole UTF-8 character. */
static void trim_utf8(char *text, size_t size)
{
	size_t end = strlen(text);
	if (end + 1 < size)
		return;
	size_t start = end;
	while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
		start--;
	if (start == 0)
		return;
	const unsigned char lead = (unsigned char)text[start - 1];
	const size_t need = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
	if (end - start < need)
		text[start - 1] = '\0';
}

static void set_va(struct ml_error *err, int code, const char *format, va_list args)
{
	err->code = code;
	err->at = -1;
	(void)vsnprintf(err->text, sizeof err->text, format, args);
	trim_utf8(err->text, sizeof err->text);
}

static bool may_set(const struct ml_error *err)
{
	return err && err->code == 0;
}

int ml_error_set(struct ml_error *err, int code, const char *format, ...)
{
	if (may_set(err)) {
		va_list args;
		va_start(args, format);
		set_va(err, code, format, args);
		va_end(args);
	}
	return code;
}

int ml_error_set_at(struct ml_error *err, int code, long long at, const char *format, ...)
{
	if (may_set(err)) {
		va_list args;
		va_start(args, format);
		set_va(err, code, format, args);
		va_end(args);
		err->at = at;
	}
	return code;
}

int ml_error_set_pointer(
	struct ml_error *err, int code, const char *pointer, const char *format, ...)
{
	if (may_set(err)) {
		va_list args;
		va_start(args, format);
		set_va(err, code, format, args);
		va_end(args);
		(void)snprintf(err->pointer, sizeof err->pointer, "%s", pointer);
	}
	return code;
}

void ml_error_prefix(struct ml_error *err, const char *format, ...)
{
	if (!err || err->code == 0)
		return;
	char text[ML_ERROR_TEXT_MAX];
	va_list args;
	va_start(args, format);
	const int used = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (used < 0 || (size_t)used >= sizeof text)
		return;
	(void)snprintf(text + used, sizeof text - (size_t)used, ": %s", err->text);
	memcpy(err->text, text, sizeof text);
	trim_utf8(err->text, sizeof err->text);
}

void ml_errors_add(struct ml_errors *list, const struct ml_error *err)
{
	if (list->count >= ML_ERRORS_MAX) {
		list->more++;
		return;
	}
	if (list->count == list->capacity) {
		const size_t capacity = list->capacity ? list->capacity * 2 : 8;
		struct ml_error *items = realloc(list->items, capacity * sizeof *items);
		if (!items) {
			list->more++;
			return;
		}
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->count++] = *err;
}

void ml_errors_addf(struct ml_errors *list, int code, const char *pointer, const char *format, ...)
{
	struct ml_error err = ML_ERROR_NONE;
	va_list args;
	va_start(args, format);
	set_va(&err, code, format, args);
	va_end(args);
	(void)snprintf(err.pointer, sizeof err.pointer, "%s", pointer);
	ml_errors_add(list, &err);
}

void ml_errors_free(struct ml_errors *list)
{
	free(list->items);
	*list = (struct ml_errors){0};
}
