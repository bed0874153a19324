/* Places of a graph's nodes and edges: one walk through the text, then small ones within a node.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "graph/places.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/json.h>

#include "graph/graph.h"

struct walk {
	const char *text;
	size_t at, line_begin;
	int line;
};

/* Offsets come in rising order, so that line feeds are counted once. */
static void line_of(struct walk *walk, struct ml_span *span)
{
	const char *feed;
	while ((feed = memchr(walk->text + walk->at, '\n', span->begin - walk->at))) {
		walk->at = (size_t)(feed - walk->text) + 1;
		walk->line_begin = walk->at;
		walk->line++;
	}
	walk->at = span->begin;
	span->line = walk->line;
	span->column = (int)(span->begin - walk->line_begin) + 1;
}

static bool add(struct ml_spans *spans, const struct ml_span *span)
{
	if (spans->count == spans->capacity) {
		const size_t capacity = spans->capacity ? spans->capacity * 2 : 64;
		struct ml_span *const items = realloc(spans->items, capacity * sizeof *items);
		if (!items)
			return false;
		spans->items = items;
		spans->capacity = capacity;
	}
	spans->items[spans->count++] = *span;
	return true;
}

/* The elements of the list that just began. */
static int scan_list(struct ml_json_reader *r, struct walk *walk, struct ml_spans *spans)
{
	for (;;) {
		const enum ml_json_event event = ml_json_reader_next(r);
		if (event == ML_JSON_END_ARRAY)
			return 0;
		if (event <= 0)
			return -EINVAL;
		struct ml_span span = {.begin = ml_json_reader_begin(r)};
		if (ml_json_reader_skip(r) < 0)
			return -EINVAL;
		span.end = ml_json_reader_end(r);
		line_of(walk, &span);
		if (!add(spans, &span))
			return -ENOMEM;
	}
}

static int scan(struct ml_json_reader *r, struct ml_places *places)
{
	struct walk walk = {.text = places->text, .line = 1};
	if (ml_json_reader_next(r) != ML_JSON_BEGIN_OBJECT)
		return 0;
	int result = 0;
	while (result == 0 && ml_json_reader_next(r) == ML_JSON_KEY) {
		size_t length = 0;
		const char *const key = ml_json_reader_text(r, &length);
		struct ml_spans *spans = NULL;
		if (length == 5 && memcmp(key, "nodes", 5) == 0)
			spans = &places->nodes;
		else if (length == 5 && memcmp(key, "edges", 5) == 0)
			spans = &places->edges;
		if (ml_json_reader_next(r) == ML_JSON_BEGIN_ARRAY && spans && spans->count == 0)
			result = scan_list(r, &walk, spans);
		else
			(void)ml_json_reader_skip(r);
	}
	return result;
}

int ml_places_scan(struct ml_places *places, const char *text, size_t length)
{
	*places = (struct ml_places){.text = text, .length = length};
	struct ml_json_reader *const r = ml_json_reader_new(ML_GRAPH_BYTES_MAX);
	if (!r)
		return -ENOMEM;
	ml_json_reader_feed(r, text, length);
	ml_json_reader_finish(r);
	const int result = scan(r, places);
	ml_json_reader_free(r);
	return result == -ENOMEM ? -ENOMEM : 0;
}

void ml_places_free(struct ml_places *places)
{
	free(places->nodes.items);
	free(places->edges.items);
	*places = (struct ml_places){0};
}

/* The part of the text that holds the pointer's value, and the rest of the pointer within it. */
static struct ml_span part_of(const struct ml_places *places, const char **pointer)
{
	const struct ml_span whole = {.end = places->length, .line = 1, .column = 1};
	const struct ml_spans *spans = NULL;
	if (strncmp(*pointer, "/nodes/", 7) == 0)
		spans = &places->nodes;
	else if (strncmp(*pointer, "/edges/", 7) == 0)
		spans = &places->edges;
	if (!spans)
		return whole;
	char *end = NULL;
	const unsigned long index = strtoul(*pointer + 7, &end, 10);
	if (end == *pointer + 7 || (*end != '/' && *end != '\0') || index >= spans->count)
		return whole;
	*pointer = end;
	return spans->items[index];
}

bool ml_places_find(
	const struct ml_places *places, const char *pointer, const char **text, size_t *length)
{
	const struct ml_span part = part_of(places, &pointer);
	struct ml_json_place place;
	*text = places->text + part.begin;
	if (ml_json_locate(*text, part.end - part.begin, pointer, &place) != 0)
		return false;
	*text += place.begin;
	*length = place.end - place.begin;
	return true;
}

void ml_places_locate(const struct ml_places *places, struct ml_error *err)
{
	char rest[ML_ERROR_POINTER_MAX];
	const char *pointer = err->pointer;
	const struct ml_span part = part_of(places, &pointer);
	const char *const text = places->text + part.begin;
	(void)snprintf(rest, sizeof rest, "%s", pointer);
	struct ml_json_place place;
	bool exact = true;
	while (ml_json_locate(text, part.end - part.begin, rest, &place) != 0) {
		char *const slash = strrchr(rest, '/');
		if (!slash)
			return;
		*slash = '\0';
		exact = false;
	}
	err->line = part.line + place.line - 1;
	err->column = place.line == 1 ? part.column + place.column - 1 : place.column;
	const size_t length = place.end - place.begin, key = place.begin - place.key_begin;
	if (exact && err->at >= 0 && (size_t)err->at + 2 <= length && text[place.begin] == '"' &&
		!memchr(text + place.begin, '\\', length) &&
		!memchr(text + place.key_begin, '\n', key))
		err->column += (int)key + 1 + (int)err->at;
}
