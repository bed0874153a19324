/* The pages of an SQLite file, read without SQLite: what is left of a damaged one.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure: pages come from a function. Nothing on them is relied on: cells that do not fit, pages that
 * are no page of a tree, and trees that come back to where they were are counted and passed over.
 */
#ifndef STORE_PAGES_H
#define STORE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STORE_FIELDS_MAX = 40,
	STORE_PAYLOAD_MAX = 16 << 20, /* bytes of a row; what is longer is taken for damaged */
	STORE_TREE_DEPTH = 20,
};

enum store_field_kind {
	STORE_FIELD_NULL,
	STORE_FIELD_INTEGER,
	STORE_FIELD_REAL,
	STORE_FIELD_TEXT,
	STORE_FIELD_BLOB,
};

struct store_field {
	enum store_field_kind kind;
	int64_t integer;
	double real;
	const uint8_t *bytes; /* of text or blob */
	size_t length;
};

/* A row of a table, or of an index (then without a rowid). */
struct store_cell {
	bool has_rowid;
	int64_t rowid;
	unsigned count;
	struct store_field fields[STORE_FIELDS_MAX];
};

struct store_pages {
	uint32_t size;   /* of a page: a power of two from 512 to 65536 */
	uint32_t usable; /* of that, for SQLite: at least 480 */
	uint32_t count;
	/* The page of this number, from 1. false: it cannot be read. */
	bool (*read)(void *user, uint32_t number, uint8_t *page);
	void *user;
};

struct store_walk {
	const struct store_pages *pages;
	/* `orphan`: nothing leads to the page it is on. */
	void (*cell)(void *user, const struct store_cell *cell, bool orphan);
	void *user;
	uint64_t bad_pages, bad_cells;
	/* private */
	bool orphan;
	uint8_t *seen; /* a bit a page */
	uint8_t *payload;
	size_t payload_size;
};

/* false: out of memory. */
bool store_walk_init(struct store_walk *walk, const struct store_pages *pages);
void store_walk_free(struct store_walk *walk);

/* All rows of the tree with this root. */
void store_walk_tree(struct store_walk *walk, uint32_t root);
/* Passes over the pages that are free, from the first of their list on. */
void store_walk_free_list(struct store_walk *walk, uint32_t first);
/* All rows on pages that were not met so far. */
void store_walk_orphans(struct store_walk *walk);

#endif
