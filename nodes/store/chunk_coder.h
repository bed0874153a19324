/* An adaptive binary range coder: yes-or-no decisions in nearly as many bits as they surprise.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each decision has a model, the probability that it is 1, which learns from each outcome: fast in
 * the beginning, slower the more it has seen. The writer narrows a range of 32 bits; what cannot
 * change any more goes out byte by byte, carries included.
 */
#ifndef STORE_CHUNK_CODER_H
#define STORE_CHUNK_CODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that grow. */
struct chunk_bytes {
	uint8_t *at;
	size_t length, capacity;
	bool failed; /* out of memory: what came after is lost */
};

bool chunk_bytes_room(struct chunk_bytes *bytes, size_t more);
void chunk_bytes_free(struct chunk_bytes *bytes);

static inline void chunk_byte(struct chunk_bytes *bytes, uint8_t byte)
{
	if (bytes->length < bytes->capacity || chunk_bytes_room(bytes, 1))
		bytes->at[bytes->length++] = byte;
}

void chunk_leb(struct chunk_bytes *bytes, uint64_t value);
void chunk_append(struct chunk_bytes *bytes, const void *data, size_t length);

/* The upper 22 bits: probability of a 1 with its highest bit turned over, so that a new model is 0;
 * the lower 10: how often it has learnt. */
typedef uint32_t chunk_model;

enum {
	CHUNK_LEARNT_MAX = 255,
	CHUNK_PROBABILITY_BITS = 15,
};

extern const uint16_t chunk_rates[CHUNK_LEARNT_MAX + 1];

/* Of a 1, in 1/32768: never certain. */
static inline uint32_t chunk_probability(chunk_model model)
{
	const uint32_t p = (model ^ UINT32_C(1) << 31) >> (32 - CHUNK_PROBABILITY_BITS);
	return p < 4                                    ? 4
	       : p > (1u << CHUNK_PROBABILITY_BITS) - 4 ? (1u << CHUNK_PROBABILITY_BITS) - 4
							: p;
}

static inline void chunk_learn(chunk_model *model, unsigned bit)
{
	const uint32_t seen = *model & 1023;
	const int32_t p = (int32_t)((*model ^ UINT32_C(1) << 31) >> 10);
	const int32_t aim = bit ? (1 << 22) - 1 : 0;
	const int32_t step = (int32_t)(((int64_t)(aim - p) * chunk_rates[seen]) / 65536);
	*model = ((uint32_t)(p + step) << 10 ^ UINT32_C(1) << 31) |
		 (seen < CHUNK_LEARNT_MAX ? seen + 1 : seen);
}

/* ---- Writing ---- */

struct chunk_writer {
	struct chunk_bytes *out;
	size_t start;
	uint64_t low;
	uint32_t range;
	uint8_t held;  /* a byte that a carry may still change */
	uint64_t more; /* bytes FFh behind it */
	bool begun;
};

void chunk_writer_start(struct chunk_writer *writer, struct chunk_bytes *out);
void chunk_writer_shift(struct chunk_writer *writer);
void chunk_writer_end(struct chunk_writer *writer);

static inline void chunk_put(struct chunk_writer *writer, chunk_model *model, unsigned bit)
{
	const uint32_t bound =
		(writer->range >> CHUNK_PROBABILITY_BITS) * chunk_probability(*model);
	if (bit) {
		writer->range = bound;
	} else {
		writer->low += bound;
		writer->range -= bound;
	}
	chunk_learn(model, bit);
	while (writer->range < 1u << 24) {
		writer->range <<= 8;
		chunk_writer_shift(writer);
	}
}

/* Bits that nothing is known of. */
static inline void chunk_put_plain(struct chunk_writer *writer, uint64_t value, unsigned bits)
{
	while (bits-- > 0) {
		writer->range >>= 1;
		if (value >> bits & 1)
			writer->low += writer->range;
		while (writer->range < 1u << 24) {
			writer->range <<= 8;
			chunk_writer_shift(writer);
		}
	}
}

/* ---- Reading ---- */

struct chunk_reader {
	const uint8_t *at, *end;
	uint32_t code, range;
};

void chunk_reader_start(struct chunk_reader *reader, const uint8_t *at, const uint8_t *end);

/* Behind the end there are zeros. */
static inline uint8_t chunk_next(struct chunk_reader *reader)
{
	return reader->at < reader->end ? *reader->at++ : 0;
}

static inline unsigned chunk_get(struct chunk_reader *reader, chunk_model *model)
{
	const uint32_t bound =
		(reader->range >> CHUNK_PROBABILITY_BITS) * chunk_probability(*model);
	const unsigned bit = reader->code < bound;
	if (bit) {
		reader->range = bound;
	} else {
		reader->code -= bound;
		reader->range -= bound;
	}
	chunk_learn(model, bit);
	while (reader->range < 1u << 24) {
		reader->range <<= 8;
		reader->code = reader->code << 8 | chunk_next(reader);
	}
	return bit;
}

static inline uint64_t chunk_get_plain(struct chunk_reader *reader, unsigned bits)
{
	uint64_t value = 0;
	while (bits-- > 0) {
		reader->range >>= 1;
		const unsigned bit = reader->code >= reader->range;
		if (bit)
			reader->code -= reader->range;
		value = value << 1 | bit;
		while (reader->range < 1u << 24) {
			reader->range <<= 8;
			reader->code = reader->code << 8 | chunk_next(reader);
		}
	}
	return value;
}

#endif
