/* The message `document`: a rendered report in a file.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Its bytes are frozen: each try to deliver it sends the same. Documents of a store's batch are
 * kept until the batch is delivered (meter/delivery.h); the files of others are removed when the
 * message has been let go of by all.
 */
#ifndef METER_DOCUMENT_H
#define METER_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/message.h>

struct meter_delivery;

enum {
	/* bytes, with the NUL */
	METER_DOCUMENT_PATH_MAX = 1024,
	METER_DOCUMENT_NAME_MAX = 200,
	METER_DOCUMENT_TYPE_MAX = 100,
	METER_DOCUMENT_CHARSET_MAX = 32,
	METER_DOCUMENT_HASH_SIZE = 32,
	METER_DOCUMENT_KEY_MAX = 33,
};

struct meter_document {
	char path[METER_DOCUMENT_PATH_MAX]; /* of the file that holds its bytes */
	char name[METER_DOCUMENT_NAME_MAX]; /* as the receiver is to see it; no folder in it */
	char type[METER_DOCUMENT_TYPE_MAX]; /* "text/csv" */
	char charset[METER_DOCUMENT_CHARSET_MAX]; /* "UTF-8"; "" for what is no text */
	uint64_t size;                            /* bytes */
	uint8_t hash[METER_DOCUMENT_HASH_SIZE];   /* SHA-256 of the bytes */
	/* Idempotency key: hex digits made of name, hash and the delivery's key, so that two
	 * reports of the same bytes are two, and two tries of one report are one. */
	char key[METER_DOCUMENT_KEY_MAX];
	ml_time due; /* wall time the report was scheduled for */
	/* Of the trigger that asked for it: retries end before the next report is due. */
	ml_time next;                    /* wall time; 0 or ML_NEVER: not known */
	ml_time period;                  /* shortest gap of the schedule; 0: not known */
	bool kept;                       /* the file stays when the message goes */
	struct meter_delivery *delivery; /* a reference; NULL: the batch has none */
};

/* Declared by the family "meter". The payload is a struct meter_document. */
extern const struct ml_message_type meter_document_type;

static inline const struct meter_document *meter_document(const struct ml_message *message)
{
	return (const struct meter_document *)(const void *)message->payload;
}

/* The content type with the charset where there is one: "text/csv; charset=UTF-8". Returns the
 * length; out has METER_DOCUMENT_TYPE_MAX + METER_DOCUMENT_CHARSET_MAX + 16 bytes. */
size_t meter_document_content_type(const struct meter_document *document, char *out);

/* Fills in `key` from name, hash and the delivery's key. */
void meter_document_set_key(struct meter_document *document);

#endif
