/* The meter list as a CSV file: taken in row by row, and written out.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A row is the point that has its address (bus, mode, address); where none has, it is a new point.
 * Columns that the file does not have leave a point's settings as they are. All rows are looked at
 * before anything is written, and what is written is one transaction.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "meter/csv.h"
#include "meter/list_file.h"
#include "meter/list_private.h"

enum column {
	POSITION,
	SECONDARY_ADDRESS,
	BAUD_RATE,
	ADDRESSING_MODE,
	PRIMARY_ADDRESS,
	ENHANCED_ADDRESS,
	BUS,
	STATE,
	COLUMNS,
};

static const char *const column_names[COLUMNS] = {"Position", "SecondaryAddress", "BaudRate",
	"AddressingMode", "PrimaryAddress", "EnhancedAddress", "Bus", "State"};

static const char *const outcome_names[METER_IMPORT_OUTCOMES] = {
	"added", "changed", "unchanged", "refused"};

const char *meter_import_outcome_name(enum meter_import_outcome outcome)
{
	return outcome_names[outcome];
}

/* What one row came to. */
struct row {
	unsigned line;
	enum meter_import_outcome outcome;
	uint32_t point; /* of METER_IMPORT_CHANGED and METER_IMPORT_UNCHANGED; of METER_IMPORT_ADDED
			   once it is written */
	struct meter_settings settings;
	char *text; /* why it was refused; owned */
};

struct import {
	struct meter_csv csv;
	struct meter_csv_row fields;
	int place[COLUMNS]; /* of each column in a row; -1: the file has it not */
	size_t width;       /* fields of the heading */
	const struct meter_snapshot *snapshot;
	struct row *rows; /* owned */
	size_t count, capacity;
	unsigned counts[METER_IMPORT_OUTCOMES];
};

/* ---- Heading ---- */

static int read_heading(struct import *import, struct ml_error *err)
{
	struct meter_csv_row *heading = &import->fields;
	const int result = meter_csv_next(&import->csv, heading, err);
	if (result < 0) {
		ml_error_prefix(err, "line %u", heading->line);
		return result;
	}
	if (result == 0)
		return ml_error_set(err, -EINVAL, "the file is empty: expected a heading");
	for (size_t c = 0; c < COLUMNS; c++)
		import->place[c] = -1;
	for (size_t i = 0; i < heading->count; i++) {
		size_t c = 0;
		while (c < COLUMNS && strcasecmp(heading->text[i], column_names[c]) != 0)
			c++;
		if (c < COLUMNS && import->place[c] >= 0)
			return ml_error_set(err, -EINVAL, "line %u: column %s stands twice",
				heading->line, column_names[c]);
		if (c < COLUMNS)
			import->place[c] = (int)i;
		else if (heading->text[i][0])
			return ml_error_set(err, -EINVAL,
				"line %u: column \"%.40s\" is not known: expected a heading of "
				"Position, SecondaryAddress, BaudRate, AddressingMode, "
				"PrimaryAddress, EnhancedAddress, Bus, State",
				heading->line, heading->text[i]);
	}
	import->width = heading->count;
	if (import->place[PRIMARY_ADDRESS] < 0 && import->place[SECONDARY_ADDRESS] < 0 &&
		import->place[ENHANCED_ADDRESS] < 0)
		return ml_error_set(err, -EINVAL,
			"line %u: the heading has no column of addresses: expected "
			"SecondaryAddress, PrimaryAddress or EnhancedAddress",
			heading->line);
	return 0;
}

/* ---- One row ---- */

static bool has(const struct import *import, enum column column)
{
	return import->place[column] >= 0;
}

/* "" where the row ends before it. */
static const char *field(const struct import *import, enum column column)
{
	const int place = import->place[column];
	return place >= 0 && (size_t)place < import->fields.count ? import->fields.text[place] : "";
}

static int parse_number(const char *text, const char *what, const char *expected, unsigned max,
	unsigned *value, struct ml_error *err)
{
	unsigned result = 0;
	const size_t length = strlen(text);
	bool ok = length > 0 && length <= 6;
	for (size_t i = 0; ok && i < length; i++) {
		ok = text[i] >= '0' && text[i] <= '9';
		result = result * 10 + (unsigned)(text[i] - '0');
	}
	if (!ok || result > max)
		return ml_error_set(
			err, -EINVAL, "%s \"%.40s\": expected %s", what, text, expected);
	*value = result;
	return 0;
}

static int read_addresses(
	const struct import *import, struct meter_settings *s, struct ml_error *err)
{
	const char *text = field(import, PRIMARY_ADDRESS);
	unsigned number = 0;
	if (text[0]) {
		if (parse_number(text, "PrimaryAddress", "0 to 255", 255, &number, err) < 0)
			return -EINVAL;
		s->primary = (uint8_t)number;
		s->has_primary = true;
	}
	text = field(import, SECONDARY_ADDRESS);
	if (text[0]) {
		if (meter_secondary_parse(text, strlen(text), &s->secondary, err) < 0)
			return -EINVAL;
		s->has_secondary = true;
	}
	text = field(import, ENHANCED_ADDRESS);
	if (text[0]) {
		if (meter_secondary_parse(text, strlen(text), &s->enhanced, err) < 0) {
			ml_error_prefix(err, "EnhancedAddress");
			return -EINVAL;
		}
		s->has_enhanced = true;
	}
	text = field(import, ADDRESSING_MODE);
	if (text[0]) {
		if (!meter_mode_parse(text, &s->mode))
			return ml_error_set(err, -EINVAL,
				"AddressingMode \"%.40s\": expected primary, secondary or "
				"esecondary",
				text);
	} else {
		s->mode = meter_settings_natural_mode(s);
	}
	return meter_settings_check(s, err);
}

static int read_rest(const struct import *import, struct meter_settings *s, struct ml_error *err)
{
	const char *text = field(import, BAUD_RATE);
	unsigned number = 0;
	if (has(import, BAUD_RATE)) {
		if (text[0] && (parse_number(text, "BaudRate",
					"300, 600, 1200, 2400, 4800, 9600, 19200, 38400 or nothing",
					38400, &number, err) < 0))
			return -EINVAL;
		s->baud = number;
	}
	text = field(import, STATE);
	if (has(import, STATE)) {
		s->passive = strcasecmp(text, "passive") == 0;
		if (text[0] && !s->passive && strcasecmp(text, "active") != 0)
			return ml_error_set(
				err, -EINVAL, "State \"%.40s\": expected active or passive", text);
	}
	if (has(import, POSITION) && meter_text_set(s->moid, sizeof s->moid, "Position",
					     field(import, POSITION), err) < 0)
		return -EINVAL;
	return meter_settings_check(s, err);
}

/* The point of that address, an active one before a passive one. */
static const struct meter_point *find_point(
	const struct meter_snapshot *snapshot, const struct meter_settings *settings)
{
	const struct meter_point *passive = NULL;
	for (size_t i = 0; i < snapshot->point_count; i++) {
		const struct meter_point *point = &snapshot->points[i];
		if (!meter_settings_same_address(&point->settings, settings))
			continue;
		if (!point->settings.passive)
			return point;
		passive = passive ? passive : point;
	}
	return passive;
}

static int read_row(struct import *import, struct row *row, struct ml_error *err)
{
	struct meter_settings address = {0};
	if (import->fields.count > import->width)
		return ml_error_set(err, -EINVAL, "there are %zu fields, the heading has %zu",
			import->fields.count, import->width);
	if (meter_text_set(address.bus, sizeof address.bus, "Bus", field(import, BUS), err) < 0 ||
		read_addresses(import, &address, err) < 0)
		return -EINVAL;
	const struct meter_point *point = find_point(import->snapshot, &address);
	struct meter_settings settings = point ? point->settings : address;
	if (has(import, PRIMARY_ADDRESS) || !point) {
		settings.has_primary = address.has_primary;
		settings.primary = address.primary;
	}
	if (has(import, SECONDARY_ADDRESS) || !point) {
		settings.has_secondary = address.has_secondary;
		settings.secondary = address.secondary;
	}
	if (has(import, ENHANCED_ADDRESS) || !point) {
		settings.has_enhanced = address.has_enhanced;
		settings.enhanced = address.enhanced;
	}
	if (read_rest(import, &settings, err) < 0)
		return -EINVAL;
	row->settings = settings;
	row->point = point ? point->key : 0;
	row->outcome = !point                                              ? METER_IMPORT_ADDED
		       : meter_settings_equal(&point->settings, &settings) ? METER_IMPORT_UNCHANGED
									   : METER_IMPORT_CHANGED;
	return 0;
}

/* Rows before it that are of the same point, or that take its address. */
static int check_rows(const struct import *import, const struct row *row, struct ml_error *err)
{
	for (size_t i = 0; i < import->count; i++) {
		const struct row *other = &import->rows[i];
		if (other->outcome == METER_IMPORT_REFUSED ||
			!meter_settings_same_address(&other->settings, &row->settings))
			continue;
		char address[METER_ADDRESS_WORDS_MAX];
		meter_settings_address(&row->settings, address);
		return ml_error_set(
			err, -EINVAL, "%s stands in line %u already", address, other->line);
	}
	return 0;
}

static int add_row(struct import *import, struct ml_error *err)
{
	if (import->count == import->capacity) {
		const size_t capacity = import->capacity ? import->capacity * 2 : 64;
		struct row *grown = realloc(import->rows, capacity * sizeof *grown);
		if (!grown)
			return ml_error_set(err, -ENOMEM, "out of memory");
		import->rows = grown;
		import->capacity = capacity;
	}
	import->rows[import->count] = (struct row){.line = import->fields.line};
	return 0;
}

static int read_rows(struct import *import, struct ml_error *err)
{
	size_t points = import->snapshot->point_count;
	for (;;) {
		struct ml_error wrong = ML_ERROR_NONE;
		int result = meter_csv_next(&import->csv, &import->fields, &wrong);
		if (result == 0)
			return 0;
		if (import->count == METER_POINTS_MAX)
			return ml_error_set(err, -E2BIG, "line %u: a file has at most %d rows",
				import->fields.line, METER_POINTS_MAX);
		if (add_row(import, err) < 0)
			return -ENOMEM;
		struct row *row = &import->rows[import->count];
		if (result > 0)
			result = read_row(import, row, &wrong);
		if (result == 0)
			result = check_rows(import, row, &wrong);
		if (result == 0 && row->outcome == METER_IMPORT_ADDED &&
			points++ >= METER_POINTS_MAX)
			result = ml_error_set(&wrong, -ENOSPC,
				"the meter list is full: it takes %d points", METER_POINTS_MAX);
		if (result < 0) {
			row->outcome = METER_IMPORT_REFUSED;
			row->text = strdup(wrong.text);
			if (!row->text)
				return ml_error_set(err, -ENOMEM, "out of memory");
		}
		import->counts[row->outcome]++;
		import->count++;
	}
}

/* ---- All of it ---- */

static int write_rows(
	struct meter_list *list, struct import *import, ml_time time, struct ml_error *err)
{
	int result = meter_list_begin(list, err);
	if (result < 0)
		return result;
	for (size_t i = 0; result == 0 && i < import->count; i++) {
		struct row *row = &import->rows[i];
		if (row->outcome == METER_IMPORT_ADDED)
			result = meter_list_insert(list, &row->settings, time, &row->point, err);
		else if (row->outcome == METER_IMPORT_CHANGED)
			result = meter_list_update(list, row->point, &row->settings, err);
		if (result < 0)
			ml_error_prefix(err, "line %u", row->line);
	}
	const int end = meter_list_end(list, result == 0, err);
	return result < 0 ? result : end;
}

static void tell_rows(const struct import *import, const struct meter_import_options *options)
{
	for (size_t i = 0; options->row && i < import->count; i++) {
		const struct row *row = &import->rows[i];
		const bool refused = row->outcome == METER_IMPORT_REFUSED;
		const struct meter_import_row told = {
			.line = row->line,
			.outcome = row->outcome,
			.point = refused ? 0 : row->point,
			.settings = &row->settings,
			.text = row->text,
		};
		options->row(options->user, &told);
	}
}

int meter_list_import(struct meter_list *list, const char *text, size_t length,
	const struct meter_import_options *options, struct meter_import *ret_result,
	struct ml_error *err)
{
	struct import *import = calloc(1, sizeof *import);
	if (!import)
		return ml_error_set(err, -ENOMEM, "out of memory");
	struct meter_import result = {0};
	import->snapshot = meter_list_snapshot(list);
	int failed = meter_csv_init(&import->csv, text, length, err);
	if (failed == 0)
		failed = read_heading(import, err);
	if (failed == 0)
		failed = read_rows(import, err);
	if (failed < 0)
		goto out;
	const unsigned *counts = import->counts;
	result.applied = !options->dry_run && (options->partial || !counts[METER_IMPORT_REFUSED]);
	if (result.applied && counts[METER_IMPORT_ADDED] + counts[METER_IMPORT_CHANGED] > 0)
		failed = write_rows(list, import, options->time, err);
	if (failed < 0)
		goto out;
	memcpy(result.counts, counts, sizeof result.counts);
	*ret_result = result;
	tell_rows(import, options);
out:
	for (size_t i = 0; i < import->count; i++)
		free(import->rows[i].text);
	free(import->rows);
	meter_snapshot_release(import->snapshot);
	free(import);
	return failed;
}

/* ---- Writing it out ---- */

static void write_field(struct ml_buffer *out, enum column column, const char *text, char delimiter)
{
	meter_csv_write(out, text, delimiter);
	if (column + 1 < COLUMNS)
		ml_buffer_append(out, &delimiter, 1);
	else
		ml_buffer_append(out, "\r\n", 2);
}

static void write_point(const struct meter_settings *s, char delimiter, struct ml_buffer *out)
{
	char text[METER_SECONDARY_TEXT_MAX] = "";
	write_field(out, POSITION, s->moid, delimiter);
	if (s->has_secondary)
		meter_secondary_format(s->secondary, text);
	write_field(out, SECONDARY_ADDRESS, text, delimiter);
	text[0] = '\0';
	if (s->baud)
		(void)snprintf(text, sizeof text, "%u", s->baud);
	write_field(out, BAUD_RATE, text, delimiter);
	write_field(out, ADDRESSING_MODE, meter_mode_name(s->mode), delimiter);
	text[0] = '\0';
	if (s->has_primary)
		(void)snprintf(text, sizeof text, "%u", s->primary);
	write_field(out, PRIMARY_ADDRESS, text, delimiter);
	text[0] = '\0';
	if (s->has_enhanced)
		meter_secondary_format(s->enhanced, text);
	write_field(out, ENHANCED_ADDRESS, text, delimiter);
	write_field(out, BUS, s->bus, delimiter);
	write_field(out, STATE, s->passive ? "passive" : "active", delimiter);
}

void meter_list_export(const struct meter_snapshot *snapshot, char delimiter, struct ml_buffer *out)
{
	ml_buffer_append(out, "\xEF\xBB\xBF", 3);
	for (unsigned c = 0; c < COLUMNS; c++)
		write_field(out, (enum column)c, column_names[c], delimiter);
	for (size_t i = 0; i < snapshot->point_count; i++)
		write_point(&snapshot->points[i].settings, delimiter, out);
}
