/* The content of a reading taken apart for the columns of a chunk, and put together again.
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is taken apart comes back byte for byte: a content that would not is kept as it is.
 */
#ifndef STORE_CHUNK_CONTENT_H
#define STORE_CHUNK_CONTENT_H

#include "store/bytes.h"
#include "store/chunk_column.h"

/* Columns of all readings of a shape. The numbers stand in the format. */
enum chunk_field {
	CHUNK_SEQUENCE,
	CHUNK_TIME, /* in the chunk's unit */
	CHUNK_TRACE,
	CHUNK_ORIGIN,
	CHUNK_CHECK,
	CHUNK_WHOLE, /* 1: the content is kept as it is */
	CHUNK_HEAD,  /* these are of the contents that were taken apart */
	CHUNK_CI,
	CHUNK_ACCESS,
	CHUNK_STATUS,
	CHUNK_ADDRESS, /* where the head says that it stands there; as the following */
	CHUNK_ENCRYPTION,
	CHUNK_MODE,
	CHUNK_CONFIGURATION,
	CHUNK_ERROR_AT,
	CHUNK_ERROR_TEXT, /* texts */
	CHUNK_CONTENT,    /* texts: the contents that are kept as they are */
	CHUNK_FIELDS,     /* their number */
};

/* Columns of a record. */
enum chunk_record_field {
	CHUNK_CLASS,    /* enum chunk_class */
	CHUNK_NUMBER,   /* mantissas with the shape's exponent */
	CHUNK_EXPONENT, /* and mantissas with another: zigzag of the exponent as in the token */
	CHUNK_SCALED,
	CHUNK_DAY,    /* of a date: days, all months having 31 */
	CHUNK_MOMENT, /* of a date with time: those days and seconds */
	CHUNK_MOMENT_FLAGS,
	CHUNK_TOKEN, /* texts: the bytes of any other token */
	CHUNK_RECORD_FIELDS,
};

enum chunk_class {
	CHUNK_IS_NUMBER,
	CHUNK_IS_NONE,
	CHUNK_IS_SCALED,
	CHUNK_IS_DAY,
	CHUNK_IS_MOMENT,
	CHUNK_IS_OTHER,
	CHUNK_CLASSES,
};

struct chunk_token {
	enum chunk_class class;
	uint64_t value; /* mantissa, days or seconds, as two's complement */
	uint64_t extra; /* exponent, flags */
	struct chunk_text text;
};

struct chunk_head {
	uint64_t fields[CHUNK_ERROR_AT + 1]; /* by enum chunk_field, from CHUNK_HEAD on */
	struct chunk_text error;
};

/* Takes the next token. false: it is none. */
bool chunk_token_take(struct store_in *in, struct chunk_token *token);
/* Writes it. What chunk_token_take() gave comes out as it was. */
void chunk_token_give(struct chunk_bytes *out, const struct chunk_token *token);

/* Takes the head that a content begins with. false: it is none that would come out as it was. */
bool chunk_head_take(struct store_in *in, struct chunk_head *head);
void chunk_head_give(struct chunk_bytes *out, const struct chunk_head *head);

/* Whether a head says that the field stands there. */
bool chunk_head_has(uint64_t head, enum chunk_field field);

/* The error behind the tokens, where the head says there is one. */
bool chunk_error_take(struct store_in *in, struct chunk_head *head);
void chunk_error_give(struct chunk_bytes *out, const struct chunk_head *head);

/* Whether all of it can be taken apart into so many tokens. */
bool chunk_content_fits(const uint8_t *content, size_t length, unsigned records);

#endif
