/* The message `document` as JSON, and its key.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meter/document.h"

#include <mbedtls/sha256.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "meter/delivery.h"

static void destroy(void *payload)
{
	const struct meter_document *document = payload;
	if (document->path[0] && !document->kept)
		(void)unlink(document->path);
	meter_delivery_release(document->delivery);
}

static void write_text(struct ml_json_writer *w, const char *key, const char *text)
{
	ml_json_key(w, key);
	ml_json_string(w, text);
}

static void to_json(const struct ml_message *message, struct ml_json_writer *w)
{
	const struct meter_document *document = meter_document(message);
	char time[ML_TIME_TEXT_MAX];
	ml_json_begin_object(w);
	(void)ml_time_format(message->time, time);
	write_text(w, "time", time);
	ml_json_key(w, "trace");
	ml_json_unsigned(w, message->trace);
	write_text(w, "name", document->name);
	write_text(w, "type", document->type);
	if (document->charset[0])
		write_text(w, "charset", document->charset);
	ml_json_key(w, "size");
	ml_json_unsigned(w, document->size);
	ml_json_key(w, "sha256");
	ml_json_hex(w, document->hash, sizeof document->hash);
	write_text(w, "key", document->key);
	(void)ml_time_format(document->due, time);
	write_text(w, "due", time);
	ml_json_end_object(w);
}

size_t meter_document_content_type(const struct meter_document *document, char *out)
{
	const size_t size = METER_DOCUMENT_TYPE_MAX + METER_DOCUMENT_CHARSET_MAX + 16;
	return (size_t)(document->charset[0] ? snprintf(out, size, "%s; charset=%s", document->type,
						       document->charset)
					     : snprintf(out, size, "%s", document->type));
}

void meter_document_set_key(struct meter_document *document)
{
	unsigned char digest[32];
	mbedtls_sha256_context sha;
	mbedtls_sha256_init(&sha);
	(void)mbedtls_sha256_starts_ret(&sha, 0);
	(void)mbedtls_sha256_update_ret(
		&sha, (const unsigned char *)document->name, strlen(document->name) + 1);
	(void)mbedtls_sha256_update_ret(&sha, document->hash, sizeof document->hash);
	const char *delivery = meter_delivery_key(document->delivery);
	(void)mbedtls_sha256_update_ret(&sha, (const unsigned char *)delivery, strlen(delivery));
	(void)mbedtls_sha256_finish_ret(&sha, digest);
	mbedtls_sha256_free(&sha);
	for (size_t i = 0; i < (sizeof document->key - 1) / 2; i++)
		(void)snprintf(document->key + 2 * i, 3, "%02x", digest[i]);
}

const struct ml_message_type meter_document_type = {
	.name = "document",
	.help = "A rendered report in a file, with its name, type and hash.",
	.destroy = destroy,
	.to_json = to_json,
};
