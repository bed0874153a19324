/* Report templates: Lua that writes documents from a batch.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A template is one Lua file. It sets the global `template` (title, help, options) and has a
 * function render(batch, out, options). docs/reference/templates.md tells what these offer.
 *
 * Knows no node: a batch goes in, files come out. Belongs to one thread at a time and may block on
 * its batch and on the disk.
 */
#ifndef REPORT_TEMPLATE_H
#define REPORT_TEMPLATE_H

#include <jansson.h>

#include "meter/batch.h"
#include "meter/list.h"
#include "report/output.h"

struct report_template;

struct report_locale {
	enum report_charset charset;
	enum report_language language;
	char separator, decimal_sign;
	const char *line_end; /* "\r\n" or "\n" */
	int first_day;        /* of the week; 0: Sunday */
};

struct report_gateway {
	const char *serial, *name, *contact; /* "": not set */
	const struct ml_zone *zone;
};

struct report_options {
	const char *name; /* of the template: "3101" */
	const char *text;
	size_t length;
	const json_t *values; /* of the template's options; NULL: {} */
	struct report_locale locale;
	size_t memory;        /* bytes */
	int64_t instructions; /* for each page of readings */
	ml_time time;         /* the same */
	unsigned trip_after;
	const struct ml_clock *clock;
	void (*print)(void *user, const char *text, size_t length);
	void *user;
};

/* Loads a template and checks the values of its options: an error has the pointer of a wrong one
 * below them ("/decimals"). Nothing of `options` but clock and line_end needs to stay. */
int report_template_new(const struct report_options *options, struct report_template **ret_template,
	struct ml_error *err);
void report_template_free(struct report_template *t); /* accepts NULL */

/* The documents of one batch, in the order they were begun. */
struct report_documents {
	struct report_output **items; /* owned, each too */
	size_t count, capacity;
};

struct report_job {
	const struct meter_batch *batch;
	const struct meter_snapshot *snapshot; /* may be NULL */
	struct report_gateway gateway;
	const struct ml_files *files;
	const char *folder; /* where the files are made */
	const char *prefix; /* of their names there; unique in the folder */
};

/* Renders a batch. On failure there are no documents and no files. Codes as of ml_sandbox_run(), or
 * of the batch or the files. */
int report_template_render(struct report_template *t, const struct report_job *job,
	struct report_documents *documents, struct ml_error *err);

/* Removes the files of those whose path is still set, and frees the list. */
void report_documents_discard(struct report_documents *documents);

bool report_template_tripped(const struct report_template *t);
void report_template_reset(struct report_template *t);

#endif
