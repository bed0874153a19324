/* A table of names: open addressing, at most half full.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "graph/names.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t hash(const char *name, size_t length)
{
	uint64_t value = 0xCBF29CE484222325u; /* FNV-1a */
	for (size_t i = 0; i < length; i++)
		value = (value ^ (unsigned char)name[i]) * 0x100000001B3u;
	return (size_t)(value ^ (value >> 32));
}

bool ml_names_init(struct ml_names *names, size_t expected)
{
	size_t size = 16;
	while (size < expected * 2)
		size *= 2;
	*names = (struct ml_names){.slots = calloc(size, sizeof *names->slots), .mask = size - 1};
	return names->slots != NULL;
}

void ml_names_free(struct ml_names *names)
{
	free(names->slots);
	*names = (struct ml_names){0};
}

/* The slot of the name, or the free one where it would be. */
static struct ml_names_slot *slot_of(const struct ml_names *names, const char *name, size_t length)
{
	size_t at = hash(name, length) & names->mask;
	for (;; at = (at + 1) & names->mask) {
		struct ml_names_slot *const slot = &names->slots[at];
		if (!slot->name ||
			(strncmp(slot->name, name, length) == 0 && slot->name[length] == '\0'))
			return slot;
	}
}

size_t ml_names_find(const struct ml_names *names, const char *name, size_t length)
{
	if (!names->slots)
		return ML_NAMES_NONE;
	const struct ml_names_slot *const slot = slot_of(names, name, length);
	return slot->name ? slot->value : ML_NAMES_NONE;
}

static bool grow(struct ml_names *names)
{
	struct ml_names larger;
	if (!ml_names_init(&larger, names->mask + 1))
		return false;
	for (size_t i = 0; i <= names->mask; i++) {
		const struct ml_names_slot *const slot = &names->slots[i];
		if (slot->name)
			*slot_of(&larger, slot->name, strlen(slot->name)) = *slot;
	}
	larger.count = names->count;
	ml_names_free(names);
	*names = larger;
	return true;
}

size_t ml_names_add(struct ml_names *names, const char *name, size_t value, bool *failed)
{
	struct ml_names_slot *slot = slot_of(names, name, strlen(name));
	if (slot->name)
		return slot->value;
	if ((names->count + 1) * 2 > names->mask + 1) {
		if (!grow(names)) {
			*failed = true;
			return ML_NAMES_NONE;
		}
		slot = slot_of(names, name, strlen(name));
	}
	*slot = (struct ml_names_slot){.name = name, .value = value};
	names->count++;
	return ML_NAMES_NONE;
}
