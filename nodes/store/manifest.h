/* The manifest of a folder in the outbox: which documents there are. Pure.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_MANIFEST_H
#define STORE_MANIFEST_H

#include "meter/document.h"

#define STORE_MANIFEST_NAME "manifest.json"

enum { STORE_MANIFEST_MAX = 4 << 20 }; /* bytes */

/* Appends it; of a path only the file's name counts. */
void store_manifest_write(
	struct ml_buffer *out, const struct meter_document *documents, size_t count);

/* The documents, `path` being the file's name alone. The caller frees the array. -EBADMSG: it is
 * damaged. */
int store_manifest_read(const char *text, size_t length, struct meter_document **ret_documents,
	size_t *ret_count, struct ml_error *err);

#endif
