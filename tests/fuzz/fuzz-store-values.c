/* Any bytes as a stored shape and the values of a reading: refused, or a reading within its block
 * that can be packed again. The first byte says how much of the rest is the shape.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "store/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static _Alignas(8) uint8_t block[STORE_BLOCK_MAX];
	static uint8_t values[STORE_VALUES_MAX];
	struct store_shape *shape = NULL;
	if (size < 2)
		return 0;
	const size_t described = (size_t)(data[0] | data[1] << 8) % (size - 1);
	if (store_shape_parse(data + 2, described > size - 2 ? size - 2 : described, &shape, NULL) <
		0)
		return 0;
	const uint8_t *rest = data + 2 + shape->body_length;
	const size_t length = size - 2 - shape->body_length;
	if (store_values_read(shape, rest, length, block, sizeof block, NULL) == 0) {
		struct ml_buffer out = {.limit = 1 << 20};
		struct ml_json_writer w;
		ml_json_writer_init(&w, &out);
		meter_reading_to_json((void *)block, &w);
		ml_buffer_free(&out);
		if (!store_values_write(shape, (void *)block, values))
			abort();
	}
	store_shape_free(shape);
	return 0;
}
