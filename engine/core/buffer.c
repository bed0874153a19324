/* Bytes that grow up to a limit.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <meterloom/json.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256 };

char *ml_buffer_grow(struct ml_buffer *buffer, size_t length)
{
	if (buffer->failed)
		return NULL;
	const size_t limit = buffer->limit ? buffer->limit : ML_BUFFER_LIMIT;
	if (buffer->length > limit || length > limit - buffer->length) {
		buffer->failed = true;
		return NULL;
	}
	const size_t need = buffer->length + length + 1;
	size_t capacity = buffer->capacity > limit / 2 ? limit + 1 : buffer->capacity * 2;
	if (capacity < FIRST_CAPACITY)
		capacity = FIRST_CAPACITY;
	if (capacity < need)
		capacity = need;
	if (capacity - 1 > limit)
		capacity = limit + 1;
	char *data = realloc(buffer->data, capacity);
	if (!data) {
		buffer->failed = true;
		return NULL;
	}
	if (!buffer->data)
		data[0] = '\0';
	buffer->data = data;
	buffer->capacity = capacity;
	return data + buffer->length;
}

void ml_buffer_append(struct ml_buffer *buffer, const void *data, size_t length)
{
	char *out = ml_buffer_reserve(buffer, length);
	if (!out)
		return;
	if (length)
		memcpy(out, data, length);
	out[length] = '\0';
	buffer->length += length;
}

void ml_buffer_appendf(struct ml_buffer *buffer, const char *format, ...)
{
	char *out = ml_buffer_reserve(buffer, 0);
	if (!out)
		return;
	for (int round = 0; round < 2; round++) {
		const size_t room = buffer->capacity - buffer->length;
		va_list args;
		va_start(args, format);
		const int length = vsnprintf(out, room, format, args);
		va_end(args);
		if (length >= 0 && (size_t)length < room) {
			buffer->length += (size_t)length;
			return;
		}
		*out = '\0';
		if (length < 0) {
			buffer->failed = true;
			return;
		}
		out = ml_buffer_reserve(buffer, (size_t)length);
		if (!out)
			return;
	}
}

void ml_buffer_clear(struct ml_buffer *buffer)
{
	buffer->length = 0;
	buffer->failed = false;
	if (buffer->data)
		buffer->data[0] = '\0';
}

void ml_buffer_free(struct ml_buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct ml_buffer){.limit = buffer->limit};
}
