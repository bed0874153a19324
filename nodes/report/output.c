/* A document that is being written.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { FLUSH_AT = 64 * 1024 };

int report_output_open(struct report_output *output, const struct report_output_options *options,
	struct ml_error *err)
{
	struct meter_document *document = &output->document;
	*output = (struct report_output){
		.charset = options->charset, .files = options->files, .fd = -1};
	if (strlen(options->path) >= sizeof document->path ||
		strlen(options->name) >= sizeof document->name ||
		strlen(options->type) >= sizeof document->type)
		return ml_error_set(err, -ENAMETOOLONG,
			"document %.100s: name or type are too long", options->name);
	(void)snprintf(document->path, sizeof document->path, "%s", options->path);
	(void)snprintf(document->name, sizeof document->name, "%s", options->name);
	(void)snprintf(document->type, sizeof document->type, "%s", options->type);
	(void)snprintf(document->charset, sizeof document->charset, "%s",
		report_charset_name(options->charset));
	document->delivery = options->delivery;
	output->fd = output->files->open(
		output->files->user, options->path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (output->fd < 0) {
		const int code = output->fd;
		document->path[0] = '\0';
		return ml_error_set(
			err, code, "%s: cannot be made: %s", options->path, strerror(-code));
	}
	mbedtls_sha256_init(&output->sha);
	(void)mbedtls_sha256_starts_ret(&output->sha, 0);
	return 0;
}

static int flush(struct report_output *output, struct ml_error *err)
{
	const char *at = output->buffer.data;
	const size_t left = output->buffer.length;
	if (left)
		(void)mbedtls_sha256_update_ret(&output->sha, (const unsigned char *)at, left);
	const int code = ml_files_write_all(output->files, output->fd, at, left);
	if (code < 0)
		return ml_error_set(err, code, "%s: cannot be written: %s", output->document.path,
			strerror(-code));
	output->document.size += output->buffer.length;
	ml_buffer_clear(&output->buffer);
	return 0;
}

int report_output_write(
	struct report_output *output, const char *text, size_t length, struct ml_error *err)
{
	if (output->fd < 0)
		return ml_error_set(err, -EBADF, "document %s: is closed", output->document.name);
	output->replaced += report_encode(&output->buffer, output->charset, text, length);
	if (output->buffer.failed)
		return ml_error_set(err, -ENOMEM, "the system is out of memory");
	if (output->document.size + output->buffer.length > REPORT_SIZE_MAX) {
		return ml_error_set(err, -EFBIG, "document %s: is larger than %llu MiB",
			output->document.name, (unsigned long long)(REPORT_SIZE_MAX >> 20));
	}
	return output->buffer.length >= FLUSH_AT ? flush(output, err) : 0;
}

static int close_file(struct report_output *output)
{
	if (output->fd < 0)
		return 0;
	const int result = output->files->close(output->files->user, output->fd);
	output->fd = -1;
	mbedtls_sha256_free(&output->sha);
	ml_buffer_free(&output->buffer);
	return result;
}

int report_output_close(struct report_output *output, struct ml_error *err)
{
	if (output->fd < 0)
		return 0;
	int result = flush(output, err);
	if (result == 0 && output->document.delivery) {
		result = output->files->sync(output->files->user, output->fd);
		if (result < 0)
			ml_error_set(err, result, "%s: cannot be written: %s",
				output->document.path, strerror(-result));
	}
	if (result == 0) {
		(void)mbedtls_sha256_finish_ret(&output->sha, output->document.hash);
		meter_document_set_key(&output->document);
	}
	const int closed = close_file(output);
	if (result == 0 && closed < 0) {
		result = ml_error_set(err, closed, "%s: cannot be written: %s",
			output->document.path, strerror(-closed));
	}
	return result;
}

void report_output_discard(struct report_output *output)
{
	(void)close_file(output);
	if (output->document.path[0])
		(void)output->files->remove(output->files->user, output->document.path);
	output->document.path[0] = '\0';
}
