/* Any bytes as the pages of a database: its rows are found without SQLite, and nothing is read
 * beyond what is there. The first byte chooses the size of a page.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "store/pages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
	uint32_t page;
	uint64_t sum;
};

static bool read_page(void *user, uint32_t number, uint8_t *page)
{
	const struct input *input = user;
	const size_t at = (size_t)(number - 1) * input->page;
	if (at + input->page > input->size)
		return false;
	memcpy(page, input->data + at, input->page);
	return true;
}

static void on_cell(void *user, const struct store_cell *cell, bool orphan)
{
	struct input *input = user;
	input->sum += orphan;
	for (unsigned i = 0; i < cell->count; i++) {
		const struct store_field *field = &cell->fields[i];
		input->sum += (uint64_t)field->integer;
		for (size_t b = 0; b < field->length; b++)
			input->sum += field->bytes[b];
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t sizes[] = {512, 1024, 4096};
	if (size < 1)
		return 0;
	struct input input = {.data = data + 1, .size = size - 1, .page = sizes[data[0] % 3]};
	const struct store_pages pages = {.size = input.page,
		.usable = input.page - data[0] / 3 % 4 * 8,
		.count = (uint32_t)(input.size / input.page) + 1,
		.read = read_page,
		.user = &input};
	struct store_walk walk = {.cell = on_cell, .user = &input};
	if (!store_walk_init(&walk, &pages))
		abort();
	store_walk_tree(&walk, 1);
	store_walk_tree(&walk, 2);
	if (input.size > 36)
		store_walk_free_list(&walk, input.data[35]);
	store_walk_orphans(&walk);
	store_walk_free(&walk);
	return 0;
}
