/* CSV as people and spreadsheets write it: a reader of rows and a writer of fields.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Reads UTF-8 with or without a byte order mark, else Windows-1252; fields between `,`, `;` or
 * tabs, whichever the first line has most of (or its "sep=;" says); lines that end with LF, CRLF or
 * CR; quoted fields with doubled quotes and line breaks in them. Pure: bytes in, fields out;
 * nothing is allocated.
 */
#ifndef METER_CSV_H
#define METER_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/error.h>
#include <meterloom/json.h>

enum {
	METER_CSV_FIELDS_MAX = 32,
	METER_CSV_FIELD_MAX = 256, /* bytes in UTF-8, with the NUL */
};

struct meter_csv {
	const uint8_t *data; /* not owned */
	size_t length, at;
	unsigned line; /* of the next row, from 1 */
	char delimiter;
	bool windows; /* Windows-1252 */
};

struct meter_csv_row {
	unsigned line; /* of its first byte, from 1 */
	size_t count;
	char text[METER_CSV_FIELDS_MAX][METER_CSV_FIELD_MAX]; /* UTF-8 without blanks around */
};

/* -EINVAL: it is UTF-16 or holds a NUL: no CSV. */
int meter_csv_init(struct meter_csv *csv, const void *data, size_t length, struct ml_error *err);

/* The next row that is not blank. 1: there is one; 0: the end; -EINVAL: this row is wrong (its line
 * is set, and the next call goes on behind it): a quote is not closed, text stands behind a closing
 * quote, a field is too long, there are too many. */
int meter_csv_next(struct meter_csv *csv, struct meter_csv_row *row, struct ml_error *err);

/* Writes a field, quoted where it must be; a text that a spreadsheet would take for a formula is
 * written as it is. */
void meter_csv_write(struct ml_buffer *out, const char *text, char delimiter);

#endif
