/* CSV as people and spreadsheets write it: a reader of rows and a writer of fields.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meter/csv.h"

#include <errno.h>
#include <string.h>

/* 80h to 9Fh of Windows-1252; 0: not used there. */
static const uint16_t windows_high[32] = {0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
	0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017D, 0, 0, 0x2018, 0x2019, 0x201C, 0x201D,
	0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0, 0x017E, 0x0178};

/* The length of the UTF-8 character at `at`, 0 where there is none. */
static size_t utf8_length(const uint8_t *data, size_t length)
{
	const uint8_t first = data[0];
	size_t size;
	uint32_t least;
	uint32_t value;
	if (first < 0x80)
		return 1;
	if (first >= 0xC2 && first < 0xE0) {
		size = 2, least = 0x80, value = first & 0x1Fu;
	} else if (first >= 0xE0 && first < 0xF0) {
		size = 3, least = 0x800, value = first & 0x0Fu;
	} else if (first >= 0xF0 && first < 0xF5) {
		size = 4, least = 0x10000, value = first & 0x07u;
	} else {
		return 0;
	}
	if (size > length)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if ((data[i] & 0xC0) != 0x80)
			return 0;
		value = value << 6 | (data[i] & 0x3Fu);
	}
	if (value < least || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
		return 0;
	return size;
}

static bool is_utf8(const uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length;) {
		const size_t size = utf8_length(data + i, length - i);
		if (!size)
			return false;
		i += size;
	}
	return true;
}

static bool at_line_end(const struct meter_csv *csv)
{
	return csv->at == csv->length || csv->data[csv->at] == '\n' || csv->data[csv->at] == '\r';
}

static void skip_line_end(struct meter_csv *csv)
{
	if (csv->at == csv->length)
		return;
	const uint8_t c = csv->data[csv->at++];
	if (c == '\r' && csv->at < csv->length && csv->data[csv->at] == '\n')
		csv->at++;
	csv->line++;
}

/* "sep=;" as the first line is how some spreadsheets tell the delimiter. */
static bool told_delimiter(struct meter_csv *csv)
{
	const uint8_t *p = csv->data + csv->at;
	const size_t left = csv->length - csv->at;
	if (left < 5 || memcmp(p, "sep=", 4) != 0 || !memchr(",;\t|", p[4], 4))
		return false;
	if (left > 5 && p[5] != '\r' && p[5] != '\n')
		return false;
	csv->delimiter = (char)p[4];
	csv->at += 5;
	skip_line_end(csv);
	return true;
}

static void find_delimiter(struct meter_csv *csv)
{
	static const char candidates[] = {';', ',', '\t'};
	size_t counts[sizeof candidates] = {0};
	bool quoted = false;
	for (size_t i = csv->at; i < csv->length; i++) {
		const uint8_t c = csv->data[i];
		if (c == '"')
			quoted = !quoted;
		if (!quoted && (c == '\n' || c == '\r'))
			break;
		for (size_t k = 0; !quoted && k < sizeof candidates; k++)
			counts[k] += c == (uint8_t)candidates[k];
	}
	size_t best = 0;
	for (size_t k = 1; k < sizeof candidates; k++)
		if (counts[k] > counts[best])
			best = k;
	csv->delimiter = candidates[best];
}

int meter_csv_init(struct meter_csv *csv, const void *data, size_t length, struct ml_error *err)
{
	const uint8_t *bytes = length ? data : (const void *)"";
	*csv = (struct meter_csv){.data = bytes, .length = length, .line = 1, .delimiter = ';'};
	if (length >= 2 &&
		((bytes[0] == 0xFF && bytes[1] == 0xFE) || (bytes[0] == 0xFE && bytes[1] == 0xFF)))
		return ml_error_set_at(
			err, -EINVAL, 0, "the file is UTF-16: save it as \"CSV UTF-8\" or as CSV");
	const uint8_t *nul = length ? memchr(bytes, '\0', length) : NULL;
	if (nul)
		return ml_error_set_at(err, -EINVAL, nul - bytes,
			"there is a NUL byte: the file is no CSV (a workbook is saved as one)");
	if (length >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0)
		csv->at = 3;
	csv->windows = !is_utf8(bytes + csv->at, length - csv->at);
	if (!told_delimiter(csv))
		find_delimiter(csv);
	return 0;
}

/* One character of the input into the field; false: the field is full. */
static bool take_character(struct meter_csv *csv, char *out, size_t *used)
{
	const uint8_t *p = csv->data + csv->at;
	uint8_t text[4];
	size_t size;
	if (!csv->windows) {
		size = utf8_length(p, csv->length - csv->at);
		memcpy(text, p, size);
		csv->at += size;
	} else {
		uint32_t value = *p;
		if (value >= 0x80 && value < 0xA0)
			value = windows_high[value - 0x80] ? windows_high[value - 0x80] : 0xFFFD;
		if (value < 0x80) {
			text[0] = (uint8_t)value;
			size = 1;
		} else if (value < 0x800) {
			text[0] = (uint8_t)(0xC0 | value >> 6);
			text[1] = (uint8_t)(0x80 | (value & 0x3F));
			size = 2;
		} else {
			text[0] = (uint8_t)(0xE0 | value >> 12);
			text[1] = (uint8_t)(0x80 | (value >> 6 & 0x3F));
			text[2] = (uint8_t)(0x80 | (value & 0x3F));
			size = 3;
		}
		csv->at++;
	}
	if (*used + size >= METER_CSV_FIELD_MAX)
		return false;
	memcpy(out + *used, text, size);
	*used += size;
	return true;
}

/* Removes blanks around; a no-break space (U+00A0) is one too. */
static void trim(char *text, size_t length)
{
	size_t begin = 0;
	for (;;) {
		if (begin < length && (text[begin] == ' ' || text[begin] == '\t'))
			begin++;
		else if (begin + 1 < length && memcmp(text + begin, "\xC2\xA0", 2) == 0)
			begin += 2;
		else
			break;
	}
	for (;;) {
		if (length > begin && (text[length - 1] == ' ' || text[length - 1] == '\t'))
			length--;
		else if (length > begin + 1 && memcmp(text + length - 2, "\xC2\xA0", 2) == 0)
			length -= 2;
		else
			break;
	}
	memmove(text, text + begin, length - begin);
	text[length - begin] = '\0';
}

static int too_long(struct ml_error *err, size_t field)
{
	return ml_error_set(err, -EINVAL, "field %zu is longer than %d bytes", field + 1,
		METER_CSV_FIELD_MAX - 1);
}

/* Behind the opening quote. */
static int read_quoted(
	struct meter_csv *csv, char *out, size_t *used, size_t field, struct ml_error *err)
{
	bool fits = true;
	for (;;) {
		if (csv->at == csv->length)
			return ml_error_set(
				err, -EINVAL, "the quote of field %zu is never closed", field + 1);
		const uint8_t c = csv->data[csv->at];
		if (c == '"') {
			csv->at++;
			if (csv->at == csv->length || csv->data[csv->at] != '"')
				break;
		} else if (c == '\n' || (c == '\r' && (csv->at + 1 == csv->length ||
							      csv->data[csv->at + 1] != '\n'))) {
			csv->line++;
		}
		fits = take_character(csv, out, used) && fits;
	}
	while (csv->at < csv->length && csv->data[csv->at] == ' ')
		csv->at++;
	if (!at_line_end(csv) && csv->data[csv->at] != (uint8_t)csv->delimiter)
		return ml_error_set(err, -EINVAL,
			"text stands behind the closing quote of field %zu", field + 1);
	return fits ? 0 : too_long(err, field);
}

static int read_field(struct meter_csv *csv, char *out, size_t field, struct ml_error *err)
{
	size_t used = 0;
	int result = 0;
	out[0] = '\0';
	if (csv->at < csv->length && csv->data[csv->at] == '"') {
		csv->at++;
		result = read_quoted(csv, out, &used, field, err);
	} else {
		while (!at_line_end(csv) && csv->data[csv->at] != (uint8_t)csv->delimiter)
			if (!take_character(csv, out, &used))
				result = too_long(err, field);
	}
	trim(out, used);
	return result;
}

static void skip_row(struct meter_csv *csv)
{
	while (!at_line_end(csv))
		csv->at++;
	skip_line_end(csv);
}

/* Whether all of a row is blank: spreadsheets leave such rows, with their delimiters, at the end.
 */
static bool is_blank(const struct meter_csv_row *row)
{
	for (size_t i = 0; i < row->count; i++)
		if (row->text[i][0] != '\0')
			return false;
	return true;
}

static int read_row(struct meter_csv *csv, struct meter_csv_row *row, struct ml_error *err)
{
	row->line = csv->line;
	row->count = 0;
	for (;;) {
		if (row->count == METER_CSV_FIELDS_MAX) {
			skip_row(csv);
			return ml_error_set(err, -EINVAL, "there are more than %d fields",
				METER_CSV_FIELDS_MAX);
		}
		const int result = read_field(csv, row->text[row->count], row->count, err);
		if (result < 0) {
			skip_row(csv);
			return result;
		}
		row->count++;
		if (at_line_end(csv))
			break;
		csv->at++; /* the delimiter */
	}
	skip_line_end(csv);
	return 0;
}

int meter_csv_next(struct meter_csv *csv, struct meter_csv_row *row, struct ml_error *err)
{
	while (csv->at < csv->length) {
		const int result = read_row(csv, row, err);
		if (result < 0)
			return result;
		if (!is_blank(row))
			return 1;
	}
	row->line = csv->line;
	row->count = 0;
	return 0;
}

void meter_csv_write(struct ml_buffer *out, const char *text, char delimiter)
{
	const size_t length = strlen(text);
	const bool blank_edge = length && (text[0] == ' ' || text[length - 1] == ' ');
	if (!blank_edge && !strchr(text, delimiter) && !strpbrk(text, "\"\r\n")) {
		ml_buffer_append(out, text, length);
		return;
	}
	ml_buffer_append(out, "\"", 1);
	for (const char *p = text; *p; p++) {
		if (*p == '"')
			ml_buffer_append(out, "\"", 1);
		ml_buffer_append(out, p, 1);
	}
	ml_buffer_append(out, "\"", 1);
}
