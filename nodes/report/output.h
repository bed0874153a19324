/* A document that is being written: a file, its character set, its hash.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef REPORT_OUTPUT_H
#define REPORT_OUTPUT_H

#include <mbedtls/sha256.h>

#include <meterloom/files.h>

#include "meter/document.h"
#include "report/text.h"

enum {
	REPORT_DOCUMENTS_MAX = 4096, /* of one batch */
	REPORT_OPEN_MAX = 64,        /* of those, being written at the same time */
};

#define REPORT_SIZE_MAX ((uint64_t)256 << 20) /* bytes of one document */

struct report_output {
	struct meter_document document; /* whole once the output is closed */
	enum report_charset charset;
	const struct ml_files *files;
	int fd;                  /* -1: closed */
	struct ml_buffer buffer; /* in the document's character set, not yet in the file */
	mbedtls_sha256_context sha;
	size_t replaced; /* characters that the character set has not */
};

struct report_output_options {
	const struct ml_files *files;
	const char *path; /* of the file, which must not exist */
	const char *name, *type;
	enum report_charset charset;
	struct meter_delivery *delivery; /* borrowed; may be NULL */
};

/* Makes the file. */
int report_output_open(struct report_output *output, const struct report_output_options *options,
	struct ml_error *err);

/* Appends UTF-8 text. An error stays: all that follows gives it again. */
int report_output_write(
	struct report_output *output, const char *text, size_t length, struct ml_error *err);

/* Writes what is left, syncs the file where it is to be kept, and fills in size, hash and key.
 * Once.
 */
int report_output_close(struct report_output *output, struct ml_error *err);

/* Gives up: closes and removes the file. Also after report_output_close(). */
void report_output_discard(struct report_output *output);

#endif
