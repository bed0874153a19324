/* Fuzzes the explanation of telegrams: sound JSON whose parts hold every byte once.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "decode/explain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ml_buffer text = {0};
	struct ml_json_writer w;
	size_t at = 0, i;
	json_t *part;
	ml_json_writer_init(&w, &text);
	decode_explain(data, size, &w);
	json_t *parts = json_loadb(text.data, text.length,
		JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
	if (!json_is_array(parts))
		abort();
	json_array_foreach(parts, i, part)
	{
		const char *bytes = json_string_value(json_object_get(part, "bytes"));
		if ((size_t)json_number_value(json_object_get(part, "at")) != at || !*bytes)
			abort();
		at += strlen(bytes) / 2;
	}
	if (at != size)
		abort();
	json_decref(parts);
	ml_buffer_free(&text);
	return 0;
}
