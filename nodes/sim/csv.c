/* Rows of values in the reports of the templates 3101 and 3115.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/csv.h"

#include <string.h>

enum { FIELD_MAX = 1024, NONE = -1 };

struct reader {
	const char *at, *end;
	char separator;
	char field[FIELD_MAX]; /* unquoted; cut */
	size_t length;
	bool last; /* of its line */
};

static void put(struct reader *r, char c)
{
	if (r->length < FIELD_MAX)
		r->field[r->length++] = c;
}

/* Reads one field and what ends it. */
static void read_field(struct reader *r)
{
	bool quoted = r->at < r->end && *r->at == '"';
	r->length = 0;
	r->at += quoted;
	for (; r->at < r->end; r->at++) {
		const char c = *r->at;
		if (quoted && c == '"') {
			if (r->at + 1 < r->end && r->at[1] == '"')
				put(r, *++r->at);
			else
				quoted = false;
		} else if (!quoted && (c == r->separator || c == '\n' || c == '\r')) {
			break;
		} else {
			put(r, c);
		}
	}
	r->last = r->at == r->end || *r->at != r->separator;
	if (!r->last) {
		r->at++;
		return;
	}
	r->at += r->at < r->end && *r->at == '\r';
	r->at += r->at < r->end && *r->at == '\n';
}

static bool field_is(const struct reader *r, const char *text)
{
	return r->length == strlen(text) && memcmp(r->field, text, r->length) == 0;
}

struct columns {
	int id, created;
	int first; /* of the values */
};

/* The rest of a header line, whose first field was read. Names of values have commas in them. */
static bool read_header(struct reader *r, struct columns *columns)
{
	*columns = (struct columns){NONE, NONE, NONE};
	for (int i = 1; !r->last; i++) {
		read_field(r);
		if (field_is(r, "device-identification"))
			columns->id = i;
		else if (field_is(r, "created"))
			columns->created = i;
		else if (columns->first == NONE && memchr(r->field, ',', r->length))
			columns->first = i;
	}
	return columns->id != NONE && columns->created != NONE;
}

/* A decimal comma is a point. */
static void normalize(struct reader *r)
{
	size_t digits = 0, commas = 0;
	for (size_t i = 0; i < r->length; i++) {
		digits += r->field[i] >= '0' && r->field[i] <= '9';
		commas += r->field[i] == ',';
	}
	const size_t sign = r->length > 0 && r->field[0] == '-';
	if (commas != 1 || digits + commas + sign != r->length)
		return;
	*(char *)memchr(r->field, ',', r->length) = '.';
}

struct cell {
	char text[64];
	size_t length;
};

static void keep(const struct reader *r, struct cell *cell)
{
	cell->length = r->length < sizeof cell->text ? r->length : sizeof cell->text;
	memcpy(cell->text, r->field, cell->length);
}

bool sim_csv_rows(const char *text, size_t length,
	uint64_t (*hash)(const char *text, size_t length),
	void (*row)(void *user, const char *id, size_t id_length, const char *created,
		size_t created_length, uint64_t values),
	void *user)
{
	static const char first[] = "serial-number";
	struct reader r = {.at = text, .end = text + length, .separator = ';'};
	struct columns columns = {NONE, NONE, NONE};
	const size_t skip = length > 0 && text[0] == '#';
	if (length <= skip + sizeof first - 1 || memcmp(text + skip, first, sizeof first - 1) != 0)
		return false;
	r.separator = text[skip + sizeof first - 1];
	while (r.at < r.end) {
		struct cell id = {.length = 0}, created = {.length = 0};
		uint64_t values = 0;
		read_field(&r);
		if (field_is(&r, first) || field_is(&r, "#serial-number")) {
			if (!read_header(&r, &columns))
				return false;
			continue;
		}
		for (int i = 1; !r.last; i++) {
			read_field(&r);
			if (i == columns.id)
				keep(&r, &id);
			else if (i == columns.created)
				keep(&r, &created);
			else if (columns.first != NONE && i >= columns.first && r.length > 0) {
				normalize(&r);
				values += hash(r.field, r.length);
			}
		}
		row(user, id.text, id.length, created.text, created.length, values);
	}
	return true;
}
