/* A column of texts: the one before again, one of the last 64, or a new one byte by byte.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A byte of a new text is first guessed to be that at the same place of the text before, and else
 * told by a tree of eight decisions that know the upper half of the byte before it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/chunk_column.h"

enum {
	KNOWN_BITS = 6,
	KNOWN = 1 << KNOWN_BITS, /* the last different texts */
	LENGTH_BITS = 25,        /* of a length in bits, at most */
};

struct models {
	chunk_model same[2], known[2];
	chunk_model which[KNOWN];
	chunk_model longer[LENGTH_BITS];
	chunk_model as_before[3];
	chunk_model byte[16][256];
};

struct texts {
	struct models models;
	struct chunk_text known[KNOWN]; /* a ring */
	size_t known_count, known_next;
	struct chunk_text before;
	unsigned was_same, was_known;
};

static bool equal(const struct chunk_text *a, const struct chunk_text *b)
{
	return a->length == b->length && (!a->length || memcmp(a->at, b->at, a->length) == 0);
}

static void keep(struct texts *texts, const struct chunk_text *text)
{
	texts->known[texts->known_next] = *text;
	texts->known_next = (texts->known_next + 1) % KNOWN;
	if (texts->known_count < KNOWN)
		texts->known_count++;
}

/* How a byte stands to the text before: 0 there is none there, 1 the last byte was as there, 2 it
 * was not. */
static unsigned place(const struct chunk_text *before, size_t at, unsigned hit)
{
	return at >= before->length ? 0 : hit ? 1 : 2;
}

static unsigned bit_length(uint32_t value)
{
	return value ? 32u - (unsigned)__builtin_clz(value) : 0;
}

/* ---- Writing ---- */

static void put_new(struct chunk_writer *writer, struct texts *texts, const struct chunk_text *text)
{
	struct models *models = &texts->models;
	const unsigned length = bit_length(text->length);
	for (unsigned i = 0; i < length; i++)
		chunk_put(writer, &models->longer[i], 1);
	if (length < LENGTH_BITS)
		chunk_put(writer, &models->longer[length], 0);
	chunk_put_plain(writer, text->length, length ? length - 1 : 0);
	uint8_t last = 0;
	unsigned hit = 1;
	for (size_t i = 0; i < text->length; i++) {
		const unsigned where = place(&texts->before, i, hit);
		const uint8_t byte = text->at[i];
		hit = where && texts->before.at[i] == byte;
		if (where)
			chunk_put(writer, &models->as_before[where], hit);
		unsigned node = 1;
		for (unsigned bit = 8; !hit && bit-- > 0;) {
			const unsigned set = byte >> bit & 1;
			chunk_put(writer, &models->byte[last >> 4][node], set);
			node = node << 1 | set;
		}
		last = byte;
	}
}

static void put_text(
	struct chunk_writer *writer, struct texts *texts, const struct chunk_text *text)
{
	struct models *models = &texts->models;
	const unsigned same = equal(text, &texts->before);
	chunk_put(writer, &models->same[texts->was_same], same);
	texts->was_same = same;
	if (same)
		return;
	size_t which = 0;
	while (which < texts->known_count && !equal(text, &texts->known[which]))
		which++;
	const unsigned known = which < texts->known_count;
	chunk_put(writer, &models->known[texts->was_known], known);
	texts->was_known = known;
	if (known) {
		unsigned node = 1;
		for (unsigned bit = KNOWN_BITS; bit-- > 0;) {
			const unsigned set = (unsigned)(which >> bit) & 1;
			chunk_put(writer, &models->which[node], set);
			node = node << 1 | set;
		}
	} else {
		put_new(writer, texts, text);
		keep(texts, text);
	}
	texts->before = *text;
}

void chunk_texts_write(const struct chunk_text *texts, size_t count, struct chunk_bytes *out)
{
	struct chunk_writer writer;
	struct texts *state = calloc(1, sizeof *state);
	if (!state) {
		out->failed = true;
		return;
	}
	chunk_writer_start(&writer, out);
	for (size_t i = 0; i < count; i++)
		put_text(&writer, state, &texts[i]);
	chunk_writer_end(&writer);
	free(state);
}

/* ---- Reading ---- */

/* While reading, the bytes may move: `at` is then their offset. */
static const uint8_t *byte_at(
	const struct chunk_bytes *bytes, const struct chunk_text *text, size_t index)
{
	return bytes->at + (uintptr_t)text->at + index;
}

static bool get_new(struct chunk_reader *reader, struct texts *texts, struct chunk_bytes *bytes,
	size_t limit, struct chunk_text *text)
{
	struct models *models = &texts->models;
	unsigned length = 0;
	while (length < LENGTH_BITS && chunk_get(reader, &models->longer[length]))
		length++;
	text->length = length ? (uint32_t)(UINT64_C(1) << (length - 1) |
					   chunk_get_plain(reader, length - 1))
			      : 0;
	text->at = (const uint8_t *)(uintptr_t)bytes->length;
	if (text->length > limit || !chunk_bytes_room(bytes, text->length))
		return false;
	uint8_t last = 0;
	unsigned hit = 1;
	for (size_t i = 0; i < text->length; i++) {
		const unsigned where = place(&texts->before, i, hit);
		hit = where ? chunk_get(reader, &models->as_before[where]) : 0;
		unsigned node = 1;
		while (!hit && node < 256)
			node = node << 1 | chunk_get(reader, &models->byte[last >> 4][node]);
		last = hit ? *byte_at(bytes, &texts->before, i) : (uint8_t)node;
		chunk_byte(bytes, last);
	}
	return true;
}

static bool get_text(struct chunk_reader *reader, struct texts *texts, struct chunk_bytes *bytes,
	size_t limit, uint32_t *ret_length)
{
	struct models *models = &texts->models;
	struct chunk_text text = texts->before;
	const unsigned same = chunk_get(reader, &models->same[texts->was_same]);
	texts->was_same = same;
	bool copy = true;
	if (!same) {
		const unsigned known = chunk_get(reader, &models->known[texts->was_known]);
		texts->was_known = known;
		if (known) {
			unsigned node = 1;
			while (node < KNOWN)
				node = node << 1 | chunk_get(reader, &models->which[node]);
			if (node - KNOWN >= texts->known_count)
				return false;
			text = texts->known[node - KNOWN];
		} else {
			if (!get_new(reader, texts, bytes, limit, &text))
				return false;
			keep(texts, &text);
			copy = false;
		}
		texts->before = text;
	}
	*ret_length = text.length;
	if (!copy || !text.length)
		return true;
	if (text.length > limit || !chunk_bytes_room(bytes, text.length))
		return false;
	memcpy(bytes->at + bytes->length, byte_at(bytes, &text, 0), text.length);
	bytes->length += text.length;
	return true;
}

int chunk_texts_read(const uint8_t *at, size_t length, struct chunk_bytes *bytes, size_t limit,
	uint32_t *lengths, size_t count)
{
	struct chunk_reader reader;
	struct texts *texts = calloc(1, sizeof *texts);
	if (!texts)
		return -ENOMEM;
	chunk_reader_start(&reader, at, at + length);
	const size_t start = bytes->length;
	int result = 0;
	for (size_t i = 0; result == 0 && i < count; i++)
		if (!get_text(&reader, texts, bytes, limit - (bytes->length - start), &lengths[i]))
			result = bytes->failed ? -ENOMEM : -EBADMSG;
	free(texts);
	return result;
}
