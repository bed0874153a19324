/* The meter list as a CSV file: taken in row by row, and written out.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef METER_LIST_FILE_H
#define METER_LIST_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/error.h>
#include <meterloom/json.h>
#include <meterloom/param.h>

#include "meter/list.h"

enum meter_import_outcome {
	METER_IMPORT_ADDED,
	METER_IMPORT_CHANGED,
	METER_IMPORT_UNCHANGED,
	METER_IMPORT_REFUSED,
	METER_IMPORT_OUTCOMES,
};

/* "added", "changed", "unchanged", "refused". */
const char *meter_import_outcome_name(enum meter_import_outcome outcome);

/* What one row of the file came to. */
struct meter_import_row {
	unsigned line;
	enum meter_import_outcome outcome;
	uint32_t point; /* 0: it was refused, or would be added */
	const struct meter_settings *settings;
	const char *text; /* why it was refused; NULL: it was not */
};

struct meter_import_options {
	bool partial; /* takes the other rows where one is refused; else nothing is changed then */
	bool dry_run; /* changes nothing */
	ml_time time; /* wall */
	/* Told once all is written and the result is set, in the order of the file; may be NULL. */
	void (*row)(void *user, const struct meter_import_row *row);
	void *user;
};

struct meter_import {
	unsigned counts[METER_IMPORT_OUTCOMES];
	bool applied;
};

/* Takes a CSV into the list. An error: the file as a whole cannot be read or written down, nothing
 * is changed and no row is told. The control lane. */
int meter_list_import(struct meter_list *list, const char *text, size_t length,
	const struct meter_import_options *options, struct meter_import *result,
	struct ml_error *err);

/* The list as CSV: UTF-8 with a byte order mark and CRLF, which spreadsheets take as it is. */
void meter_list_export(
	const struct meter_snapshot *snapshot, char delimiter, struct ml_buffer *out);

/* ---- For commands that take such a file ---- */

struct meter_file_params {
	char *csv, *base64; /* one of them */
};

/* Rows of a table of parameters, whose struct has `member`, a struct meter_file_params. */
#define METER_FILE_PARAMS(type, member) \
	{.name = "csv", \
		.kind = ML_PARAM_TEXT, \
		.offset = offsetof(type, member.csv), \
		.title = "Text", \
		.help = "The text of the file, with a heading of Position, SecondaryAddress, " \
			"BaudRate, AddressingMode, PrimaryAddress, EnhancedAddress, Bus, State.", \
		.max = METER_FILE_MAX, \
		.flags = ML_PARAM_NULLABLE}, \
	{ \
		.name = "base64", .kind = ML_PARAM_TEXT, .offset = offsetof(type, member.base64), \
		.title = "File", \
		.help = "In place of `csv`: the bytes of the file as base64, for files that " \
			"are not UTF-8.", \
		.max = METER_FILE_MAX / 3 * 4, .flags = ML_PARAM_NULLABLE \
	}

enum { METER_FILE_MAX = 1 << 20 }; /* bytes of a file */

/* The bytes of the file that was given; decodes in place. -EINVAL: none or both were given, or the
 * base64 is none. */
int meter_file_bytes(
	struct meter_file_params *params, const char **bytes, size_t *length, struct ml_error *err);

#endif
