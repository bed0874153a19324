/* Fuzzes the canonical format and the places of values: formatting twice is formatting once, the
 * meaning stays, and a pointer leads to the same value before and after.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The input is a JSON pointer, a line feed and a text.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <meterloom/json.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LOAD = JSON_DECODE_ANY | JSON_ALLOW_NUL };

static void check_format(const char *text, size_t size, struct ml_buffer *once)
{
	struct ml_buffer twice = {0};
	struct ml_error err = ML_ERROR_NONE;
	if (ml_json_format(once->data, once->length, &twice, &err) != 0 ||
		twice.length != once->length || memcmp(twice.data, once->data, once->length) != 0)
		abort();
	ml_buffer_free(&twice);
	json_t *before = json_loadb(text, size, LOAD, NULL);
	json_t *after = json_loadb(once->data, once->length, LOAD, NULL);
	if ((before != NULL) != (after != NULL) || (before && !json_equal(before, after)))
		abort();
	json_decref(before);
	json_decref(after);
}

static void check_place(const char *text, size_t size, const char *pointer)
{
	struct ml_json_place place;
	if (ml_json_locate(text, size, pointer, &place) != 0)
		return;
	if (place.key_begin > place.begin || place.begin >= place.end || place.end > size ||
		place.line < 1 || place.column < 1)
		abort();
	/* What was found is a value: it formats alone. */
	struct ml_buffer value = {0};
	if (ml_json_format(text + place.begin, place.end - place.begin, &value, NULL) != 0)
		abort();
	ml_buffer_free(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
	if (!line)
		return 0;
	const size_t pointer_length = (size_t)(line - data);
	char *pointer = strndup((const char *)data, pointer_length);
	if (!pointer)
		abort();
	const char *text = (const char *)line + 1;
	size -= pointer_length + 1;
	struct ml_buffer out = {0};
	struct ml_error err = ML_ERROR_NONE;
	if (ml_json_format(text, size, &out, &err) == 0)
		check_format(text, size, &out);
	else if (err.code == 0 || err.line < 1)
		abort();
	check_place(text, size, pointer);
	struct ml_error lost = ML_ERROR_NONE;
	ml_error_set_pointer(&lost, -1, pointer, "lost");
	ml_json_locate_error(text, size, &lost);
	ml_buffer_free(&out);
	free(pointer);
	return 0;
}
