/* Manifests of the outbox: what is read can be written and read again, and names stay names.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct meter_document *documents = NULL, *again = NULL;
	struct ml_buffer text = {0};
	size_t count = 0, count_again = 0;
	if (store_manifest_read((const char *)data, size, &documents, &count, NULL) < 0)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (strchr(documents[i].path, '/') || strchr(documents[i].name, '/') ||
			!documents[i].name[0])
			abort();
	}
	store_manifest_write(&text, documents, count);
	if (store_manifest_read(text.data, text.length, &again, &count_again, NULL) < 0 ||
		count_again != count)
		abort();
	for (size_t i = 0; i < count; i++) {
		if (strcmp(documents[i].path, again[i].path) != 0 ||
			strcmp(documents[i].name, again[i].name) != 0 ||
			documents[i].size != again[i].size ||
			memcmp(documents[i].hash, again[i].hash, sizeof again[i].hash) != 0)
			abort();
	}
	free(documents);
	free(again);
	ml_buffer_free(&text);
	return 0;
}
