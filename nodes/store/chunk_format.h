/* What writer and reader of chunks have in common: how a column stands in the head of a blob.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_CHUNK_FORMAT_H
#define STORE_CHUNK_FORMAT_H

enum {
	CHUNK_VERSION = 1,
	CHUNK_CRC_BYTES = 4, /* at the end of a blob */
};

/* A column that is all zero or empty is not there. The lowest two bits of its first byte: */
enum chunk_form {
	CHUNK_CONSTANT, /* the number, or the text's length, follows; the text is in the data */
	CHUNK_CODED,    /* numbers: how, and the length follow; texts: the length */
	CHUNK_PLAIN,    /* as many bytes a number as stand above */
	CHUNK_FORM_BITS = 2,
	CHUNK_FORM_MASK = 3,
	CHUNK_CONTEXT_MASK = 7, /* above them, of numbers that are coded */
	CHUNK_HAS_PERIOD = 32,
	CHUNK_LINKED = 64,   /* of numbers, constant or coded: less what other columns say */
	CHUNK_NEAR_BITS = 3, /* of the second byte; the slope stands above */
	CHUNK_NEAR_MASK = 7,
};

#endif
