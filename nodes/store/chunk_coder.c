/* An adaptive binary range coder: what is too long to stand in its header.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/chunk_coder.h"

#include <stdlib.h>
#include <string.h>

#include "store/bytes.h"

/* 65536 / (n + 1.6): after n outcomes a model moves by that part of the way. */
const uint16_t chunk_rates[CHUNK_LEARNT_MAX + 1] = {40960, 25206, 18204, 14247, 11703, 9930, 8623,
	7620, 6827, 6183, 5650, 5201, 4819, 4489, 4201, 3948, 3724, 3523, 3344, 3181, 3034, 2900,
	2777, 2664, 2560, 2464, 2374, 2291, 2214, 2142, 2074, 2010, 1950, 1894, 1841, 1791, 1743,
	1698, 1655, 1614, 1575, 1538, 1503, 1469, 1437, 1406, 1377, 1348, 1321, 1295, 1270, 1246,
	1223, 1200, 1179, 1158, 1138, 1118, 1100, 1081, 1064, 1047, 1030, 1014, 999, 984, 969, 955,
	942, 928, 915, 903, 890, 878, 867, 856, 845, 834, 823, 813, 803, 793, 784, 775, 766, 757,
	748, 740, 731, 723, 715, 708, 700, 693, 686, 678, 671, 665, 658, 651, 645, 639, 633, 627,
	621, 615, 609, 603, 598, 593, 587, 582, 577, 572, 567, 562, 557, 553, 548, 543, 539, 535,
	530, 526, 522, 518, 514, 510, 506, 502, 498, 494, 491, 487, 483, 480, 476, 473, 469, 466,
	463, 460, 456, 453, 450, 447, 444, 441, 438, 435, 432, 429, 427, 424, 421, 418, 416, 413,
	411, 408, 406, 403, 401, 398, 396, 393, 391, 389, 386, 384, 382, 380, 378, 375, 373, 371,
	369, 367, 365, 363, 361, 359, 357, 355, 353, 351, 349, 347, 346, 344, 342, 340, 339, 337,
	335, 333, 332, 330, 328, 327, 325, 323, 322, 320, 319, 317, 316, 314, 313, 311, 310, 308,
	307, 305, 304, 303, 301, 300, 298, 297, 296, 294, 293, 292, 290, 289, 288, 287, 285, 284,
	283, 282, 281, 279, 278, 277, 276, 275, 274, 272, 271, 270, 269, 268, 267, 266, 265, 264,
	263, 262, 260, 259, 258, 257, 256, 255};

/* ---- Bytes ---- */

bool chunk_bytes_room(struct chunk_bytes *bytes, size_t more)
{
	if (bytes->failed)
		return false;
	if (bytes->capacity - bytes->length >= more)
		return true;
	size_t capacity = bytes->capacity ? bytes->capacity : 4096;
	while (capacity - bytes->length < more)
		capacity *= 2;
	uint8_t *at = realloc(bytes->at, capacity);
	if (!at) {
		bytes->failed = true;
		return false;
	}
	bytes->at = at;
	bytes->capacity = capacity;
	return true;
}

void chunk_bytes_free(struct chunk_bytes *bytes)
{
	free(bytes->at);
	*bytes = (struct chunk_bytes){0};
}

void chunk_leb(struct chunk_bytes *bytes, uint64_t value)
{
	while (value >= 0x80) {
		chunk_byte(bytes, (uint8_t)(value | 0x80));
		value >>= 7;
	}
	chunk_byte(bytes, (uint8_t)value);
}

void chunk_append(struct chunk_bytes *bytes, const void *data, size_t length)
{
	if (length && chunk_bytes_room(bytes, length)) {
		memcpy(bytes->at + bytes->length, data, length);
		bytes->length += length;
	}
}

/* ---- Writing ---- */

void chunk_writer_start(struct chunk_writer *writer, struct chunk_bytes *out)
{
	*writer = (struct chunk_writer){.out = out, .start = out->length, .range = UINT32_MAX};
}

static void release(struct chunk_writer *writer, uint8_t carry)
{
	/* Before the first byte stands nothing: the value is below 1. */
	if (writer->begun)
		chunk_byte(writer->out, (uint8_t)(writer->held + carry));
	for (; writer->more; writer->more--)
		chunk_byte(writer->out, (uint8_t)(0xFF + carry));
}

void chunk_writer_shift(struct chunk_writer *writer)
{
	const uint8_t top = (uint8_t)(writer->low >> 24);
	const bool carry = writer->low >> 32;
	if (top == 0xFF && !carry) {
		writer->more++;
	} else {
		release(writer, carry);
		writer->held = top;
		writer->begun = true;
	}
	writer->low = writer->low << 8 & 0xFFFFFFFFu;
}

/* Ends on the number of the range that has the most zeros at its end; those are left out, since
 * what is read behind the end is zero. */
void chunk_writer_end(struct chunk_writer *writer)
{
	for (unsigned bits = 32; bits > 0; bits--) {
		const uint64_t mask = (UINT64_C(1) << bits) - 1;
		const uint64_t end = (writer->low + mask) & ~mask;
		if (end < writer->low + writer->range) {
			writer->low = end;
			break;
		}
	}
	for (unsigned i = 0; i < 5; i++)
		chunk_writer_shift(writer);
	release(writer, 0);
	while (writer->out->length > writer->start && !writer->out->at[writer->out->length - 1])
		writer->out->length--;
}

/* ---- Reading ---- */

void chunk_reader_start(struct chunk_reader *reader, const uint8_t *at, const uint8_t *end)
{
	*reader = (struct chunk_reader){.at = at, .end = end, .range = UINT32_MAX};
	for (unsigned i = 0; i < 4; i++)
		reader->code = reader->code << 8 | chunk_next(reader);
}
