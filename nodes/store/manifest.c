/* The manifest of a folder in the outbox.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/manifest.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/json.h>

#include "meter/delivery.h"

static void write_text(struct ml_json_writer *w, const char *key, const char *text)
{
	ml_json_key(w, key);
	ml_json_string(w, text);
}

void store_manifest_write(
	struct ml_buffer *out, const struct meter_document *documents, size_t count)
{
	struct ml_json_writer w;
	ml_json_writer_init(&w, out);
	ml_json_begin_object(&w);
	ml_json_key(&w, "version");
	ml_json_integer(&w, 1);
	ml_json_key(&w, "documents");
	ml_json_begin_array(&w);
	for (size_t i = 0; i < count; i++) {
		const char *slash = strrchr(documents[i].path, '/');
		ml_json_begin_object(&w);
		write_text(&w, "file", slash ? slash + 1 : documents[i].path);
		write_text(&w, "name", documents[i].name);
		write_text(&w, "type", documents[i].type);
		write_text(&w, "charset", documents[i].charset);
		ml_json_key(&w, "size");
		ml_json_unsigned(&w, documents[i].size);
		ml_json_key(&w, "sha256");
		ml_json_hex(&w, documents[i].hash, sizeof documents[i].hash);
		ml_json_end_object(&w);
	}
	ml_json_end_array(&w);
	ml_json_end_object(&w);
	ml_buffer_append(out, "\n", 1);
}

/* A text without control characters that fits. */
static bool take_text(const json_t *object, const char *key, size_t min, char *out, size_t size)
{
	const json_t *value = json_object_get(object, key);
	const char *text = json_string_value(value);
	if (!text || json_string_length(value) < min || json_string_length(value) >= size)
		return false;
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7F)
			return false;
	memcpy(out, text, json_string_length(value) + 1);
	return true;
}

static bool take_file_name(const json_t *object, const char *key, char *out, size_t size)
{
	return take_text(object, key, 1, out, size) && !strchr(out, '/') && out[0] != '.';
}

static bool take_hash(const json_t *object, uint8_t hash[METER_DOCUMENT_HASH_SIZE])
{
	char text[2 * METER_DOCUMENT_HASH_SIZE + 1];
	if (!take_text(object, "sha256", sizeof text - 1, text, sizeof text))
		return false;
	for (size_t i = 0; i < METER_DOCUMENT_HASH_SIZE; i++) {
		const int high = ml_hex_value(text[2 * i]), low = ml_hex_value(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		hash[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool take_document(const json_t *object, struct meter_document *document)
{
	const json_t *size = json_object_get(object, "size");
	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return false;
	document->size = (uint64_t)json_integer_value(size);
	document->kept = true;
	return take_file_name(object, "file", document->path, sizeof document->path) &&
	       take_file_name(object, "name", document->name, sizeof document->name) &&
	       take_text(object, "type", 1, document->type, sizeof document->type) &&
	       take_text(object, "charset", 0, document->charset, sizeof document->charset) &&
	       take_hash(object, document->hash);
}

int store_manifest_read(const char *text, size_t length, struct meter_document **ret_documents,
	size_t *ret_count, struct ml_error *err)
{
	json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
	const json_t *list = json_object_get(root, "documents");
	const size_t count = json_array_size(list);
	struct meter_document *documents = NULL;
	int result = 0;
	if (!json_is_array(list) || count > METER_DELIVERY_DOCUMENTS_MAX ||
		json_integer_value(json_object_get(root, "version")) != 1) {
		result = ml_error_set(err, -EBADMSG, "the manifest is damaged");
		goto out;
	}
	documents = calloc(count + 1, sizeof *documents);
	if (!documents)
		result = ml_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; result == 0 && i < count; i++)
		if (!take_document(json_array_get(list, i), &documents[i]))
			result = ml_error_set(
				err, -EBADMSG, "the manifest's document %zu is damaged", i + 1);
	if (result < 0)
		goto out;
	*ret_documents = documents;
	*ret_count = count;
	documents = NULL;
out:
	free(documents);
	json_decref(root);
	return result;
}
