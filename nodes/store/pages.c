/* The pages of an SQLite file, read without SQLite: what is left of a damaged one.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/pages.h"

#include <stdlib.h>
#include <string.h>

enum { INTERIOR_INDEX = 2, INTERIOR_TABLE = 5, LEAF_INDEX = 10, LEAF_TABLE = 13 };

static uint32_t be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t be32(const uint8_t *p)
{
	return be16(p) << 16 | be16(p + 2);
}

/* Of at most nine bytes. false: it goes beyond the end. */
static bool take_varint(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
	const uint8_t *p = *at;
	*value = 0;
	for (int i = 0; p < end; i++) {
		const uint8_t byte = *p++;
		if (i == 8) {
			*value = *value << 8 | byte;
			*at = p;
			return true;
		}
		*value = *value << 7 | (byte & 0x7F);
		if (!(byte & 0x80)) {
			*at = p;
			return true;
		}
	}
	return false;
}

bool store_walk_init(struct store_walk *walk, const struct store_pages *pages)
{
	walk->pages = pages;
	walk->seen = calloc(1, (size_t)pages->count / 8 + 1);
	walk->payload_size = 65536;
	walk->payload = malloc(walk->payload_size);
	return walk->seen && walk->payload;
}

void store_walk_free(struct store_walk *walk)
{
	free(walk->seen);
	free(walk->payload);
	walk->seen = NULL;
	walk->payload = NULL;
}

static bool was_seen(const struct store_walk *walk, uint32_t number)
{
	return walk->seen[number / 8] >> number % 8 & 1;
}

/* Takes a page that was not met before. */
static bool take_page(struct store_walk *walk, uint32_t number, uint8_t *page)
{
	if (number < 1 || number > walk->pages->count || was_seen(walk, number))
		return false;
	walk->seen[number / 8] |= (uint8_t)(1 << number % 8);
	return walk->pages->read(walk->pages->user, number, page);
}

/* ---- A row ---- */

static size_t length_of(uint64_t type)
{
	static const uint8_t lengths[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0};
	if (type < 10)
		return lengths[type];
	return type < 12 ? SIZE_MAX : (size_t)((type - 12) / 2);
}

static void read_field(struct store_field *field, uint64_t type, const uint8_t *p, size_t length)
{
	*field = (struct store_field){.kind = STORE_FIELD_NULL};
	if (type >= 12) {
		field->kind = type % 2 ? STORE_FIELD_TEXT : STORE_FIELD_BLOB;
		field->bytes = p;
		field->length = length;
		return;
	}
	if (type == 0)
		return;
	uint64_t value = length && p[0] & 0x80 ? UINT64_MAX : 0;
	for (size_t i = 0; i < length; i++)
		value = value << 8 | p[i];
	if (type == 7) {
		field->kind = STORE_FIELD_REAL;
		memcpy(&field->real, &value, sizeof value);
		return;
	}
	field->kind = STORE_FIELD_INTEGER;
	field->integer = type == 8 ? 0 : type == 9 ? 1 : (int64_t)value;
}

static bool read_record(struct store_cell *cell, const uint8_t *payload, size_t length)
{
	const uint8_t *at = payload;
	const uint8_t *const end = payload + length;
	uint64_t head;
	if (!take_varint(&at, end, &head) || head > length || head < (size_t)(at - payload))
		return false;
	const uint8_t *const head_end = payload + head;
	const uint8_t *body = head_end;
	cell->count = 0;
	while (at < head_end) {
		uint64_t type;
		if (cell->count == STORE_FIELDS_MAX || !take_varint(&at, head_end, &type))
			return false;
		const size_t size = length_of(type);
		if (size > (size_t)(end - body))
			return false;
		read_field(&cell->fields[cell->count++], type, body, size);
		body += size;
	}
	return cell->count > 0 && body == end;
}

/* So much of a payload is on the page itself. */
static size_t local_length(const struct store_pages *pages, uint64_t length, bool table)
{
	const uint64_t usable = pages->usable;
	const uint64_t most = table ? usable - 35 : (usable - 12) * 64 / 255 - 23;
	const uint64_t least = (usable - 12) * 32 / 255 - 23;
	if (length <= most)
		return (size_t)length;
	const uint64_t some = least + (length - least) % (usable - 4);
	return (size_t)(some <= most ? some : least);
}

static bool grow_payload(struct store_walk *walk, size_t length)
{
	if (length <= walk->payload_size)
		return true;
	uint8_t *grown = realloc(walk->payload, length);
	if (!grown)
		return false;
	walk->payload = grown;
	walk->payload_size = length;
	return true;
}

/* The rest of a payload, from page to page. */
static bool follow(struct store_walk *walk, uint32_t number, size_t have, size_t length)
{
	const size_t part = walk->pages->usable - 4;
	uint8_t *page = malloc(walk->pages->size);
	bool whole = page != NULL;
	while (whole && have < length) {
		const size_t now = length - have < part ? length - have : part;
		whole = take_page(walk, number, page);
		if (!whole)
			break;
		memcpy(walk->payload + have, page + 4, now);
		have += now;
		number = be32(page);
	}
	free(page);
	return whole;
}

static bool read_cell(struct store_walk *walk, const uint8_t *page, size_t offset, unsigned type)
{
	const uint8_t *at = page + offset;
	const uint8_t *const end = page + walk->pages->usable;
	const bool table = type == LEAF_TABLE;
	struct store_cell cell = {.has_rowid = table};
	uint64_t length, rowid = 0;
	if (type == INTERIOR_INDEX)
		at += 4;
	if (at >= end || !take_varint(&at, end, &length) || length == 0 ||
		length > STORE_PAYLOAD_MAX || (table && !take_varint(&at, end, &rowid)))
		return false;
	cell.rowid = (int64_t)rowid;
	const size_t local = local_length(walk->pages, length, table);
	const bool spills = local < length;
	if (local + (spills ? 4 : 0) > (size_t)(end - at) || !grow_payload(walk, (size_t)length))
		return false;
	memcpy(walk->payload, at, local);
	if (spills && !follow(walk, be32(at + local), local, (size_t)length))
		return false;
	if (!read_record(&cell, walk->payload, (size_t)length))
		return false;
	if (walk->cell)
		walk->cell(walk->user, &cell, walk->orphan);
	return true;
}

/* ---- A page ---- */

struct layout {
	unsigned type, cells;
	size_t pointers; /* offset of the first cell's */
	uint32_t right;  /* the last child */
};

static bool read_layout(
	const struct store_walk *walk, const uint8_t *page, uint32_t number, struct layout *layout)
{
	const size_t head = number == 1 ? 100 : 0;
	const unsigned type = page[head];
	const bool interior = type == INTERIOR_INDEX || type == INTERIOR_TABLE;
	if (!interior && type != LEAF_INDEX && type != LEAF_TABLE)
		return false;
	layout->type = type;
	layout->cells = be16(page + head + 3);
	layout->pointers = head + (interior ? 12 : 8);
	layout->right = interior ? be32(page + head + 8) : 0;
	return layout->pointers + 2 * (size_t)layout->cells <= walk->pages->usable;
}

/* The offset of a cell; 0: it is not on the page. */
static size_t cell_at(const struct store_walk *walk, const uint8_t *page,
	const struct layout *layout, unsigned index)
{
	const size_t offset = be16(page + layout->pointers + 2 * (size_t)index);
	const size_t first = layout->pointers + 2 * (size_t)layout->cells;
	return offset >= first && offset + 4 <= walk->pages->usable ? offset : 0;
}

static void walk_page(struct store_walk *walk, uint32_t number, unsigned depth)
{
	struct layout layout;
	uint8_t *page = malloc(walk->pages->size);
	if (!page || depth > STORE_TREE_DEPTH || !take_page(walk, number, page) ||
		!read_layout(walk, page, number, &layout)) {
		walk->bad_pages++;
		free(page);
		return;
	}
	const bool interior = layout.type == INTERIOR_INDEX || layout.type == INTERIOR_TABLE;
	for (unsigned i = 0; i < layout.cells; i++) {
		const size_t offset = cell_at(walk, page, &layout, i);
		if (!offset) {
			walk->bad_cells++;
			continue;
		}
		if (interior)
			walk_page(walk, be32(page + offset), depth + 1);
		if (layout.type != INTERIOR_TABLE && !read_cell(walk, page, offset, layout.type))
			walk->bad_cells++;
	}
	if (interior)
		walk_page(walk, layout.right, depth + 1);
	free(page);
}

void store_walk_tree(struct store_walk *walk, uint32_t root)
{
	walk->orphan = false;
	walk_page(walk, root, 0);
}

void store_walk_free_list(struct store_walk *walk, uint32_t first)
{
	uint8_t *page = malloc(walk->pages->size);
	while (page && take_page(walk, first, page)) {
		const uint32_t count = be32(page + 4);
		for (uint32_t i = 0; i < count && 8 + 4 * (size_t)i + 4 <= walk->pages->usable;
			i++) {
			const uint32_t number = be32(page + 8 + 4 * (size_t)i);
			if (number >= 1 && number <= walk->pages->count)
				walk->seen[number / 8] |= (uint8_t)(1 << number % 8);
		}
		first = be32(page);
	}
	free(page);
}

/* Leaves only: what lies above them holds no rows of tables, and of an index nothing that its
 * table does not have. */
void store_walk_orphans(struct store_walk *walk)
{
	uint8_t *page = malloc(walk->pages->size);
	walk->orphan = true;
	for (uint32_t number = 2; page && number <= walk->pages->count; number++) {
		struct layout layout;
		if (was_seen(walk, number) || !walk->pages->read(walk->pages->user, number, page) ||
			!read_layout(walk, page, number, &layout) ||
			(layout.type != LEAF_TABLE && layout.type != LEAF_INDEX))
			continue;
		walk->seen[number / 8] |= (uint8_t)(1 << number % 8);
		for (unsigned i = 0; i < layout.cells; i++) {
			const size_t offset = cell_at(walk, page, &layout, i);
			if (!offset || !read_cell(walk, page, offset, layout.type))
				walk->bad_cells++;
		}
	}
	free(page);
}
