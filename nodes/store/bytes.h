/* Numbers in as few bytes as they need (LEB128), written and read within bounds.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_BYTES_H
#define STORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct store_out {
	uint8_t *at, *end;
	bool full; /* something did not fit: the rest is thrown away */
};

static inline void store_put_byte(struct store_out *out, uint8_t byte)
{
	if (out->at == out->end)
		out->full = true;
	else
		*out->at++ = byte;
}

static inline void store_put(struct store_out *out, uint64_t value)
{
	while (value >= 0x80) {
		store_put_byte(out, (uint8_t)(value | 0x80));
		value >>= 7;
	}
	store_put_byte(out, (uint8_t)value);
}

static inline void store_put_bytes(struct store_out *out, const void *bytes, size_t length)
{
	if ((size_t)(out->end - out->at) < length) {
		out->full = true;
	} else if (length) {
		memcpy(out->at, bytes, length);
		out->at += length;
	}
}

struct store_in {
	const uint8_t *at, *end;
	bool bad; /* something was missing: what is read from then on is 0 */
};

static inline uint8_t store_get_byte(struct store_in *in)
{
	if (in->at == in->end) {
		in->bad = true;
		return 0;
	}
	return *in->at++;
}

static inline uint64_t store_get(struct store_in *in)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		const uint8_t byte = store_get_byte(in);
		value |= (uint64_t)(byte & 0x7F) << shift;
		if (!(byte & 0x80))
			return value;
	}
	in->bad = true;
	return 0;
}

/* Below the limit, else bad. */
static inline uint64_t store_get_below(struct store_in *in, uint64_t limit)
{
	const uint64_t value = store_get(in);
	if (value < limit)
		return value;
	in->bad = true;
	return 0;
}

/* NULL: there are not that many. */
static inline const uint8_t *store_get_bytes(struct store_in *in, size_t length)
{
	const uint8_t *bytes = in->at;
	if ((size_t)(in->end - in->at) < length) {
		in->bad = true;
		return NULL;
	}
	in->at += length;
	return bytes;
}

/* Small numbers of either sign become small ones without. */
static inline uint64_t store_zigzag(int64_t value)
{
	return ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);
}

static inline int64_t store_unzigzag(uint64_t value)
{
	return (int64_t)((value >> 1) ^ (value & 1 ? UINT64_MAX : 0));
}

#endif
