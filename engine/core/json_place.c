/* Places of values in a JSON text, and the canonical format.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <meterloom/json.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Places ---- */

/* One part of a JSON pointer, decoded as it is compared. */
struct part {
	const char *text;
	size_t length;
};

/* Takes the next part off `*pointer`; false at its end. */
static bool next_part(const char **pointer, struct part *part)
{
	if (**pointer != '/')
		return false;
	part->text = *pointer + 1;
	part->length = strcspn(part->text, "/");
	*pointer = part->text + part->length;
	return true;
}

static bool is_key(const struct part *part, const char *key, size_t length)
{
	size_t at = 0;
	for (size_t i = 0; i < part->length; i++, at++) {
		char c = part->text[i];
		if (c == '~' && i + 1 < part->length && (part->text[i + 1] & 0xFE) == '0')
			c = part->text[++i] == '0' ? '~' : '/';
		if (at >= length || key[at] != c)
			return false;
	}
	return at == length;
}

/* An array index: digits without leading zeros. */
static bool is_index(const struct part *part, size_t *index)
{
	if (part->length == 0 || part->length > 9 || (part->length > 1 && part->text[0] == '0'))
		return false;
	*index = 0;
	for (size_t i = 0; i < part->length; i++) {
		if (part->text[i] < '0' || part->text[i] > '9')
			return false;
		*index = *index * 10 + (size_t)(part->text[i] - '0');
	}
	return true;
}

enum { FOUND, MISSING };

/* Looks for a member of the object just begun. FOUND: the last event is its value's. MISSING: it is
 * the object's end. */
static int find_member(struct ml_json_reader *r, const struct part *part, size_t *key_begin)
{
	for (;;) {
		const enum ml_json_event event = ml_json_reader_next(r);
		if (event != ML_JSON_KEY)
			return event == ML_JSON_END_OBJECT ? MISSING : -EINVAL;
		size_t length;
		const char *key = ml_json_reader_text(r, &length);
		const bool found = is_key(part, key, length);
		*key_begin = ml_json_reader_begin(r);
		if (ml_json_reader_next(r) < 0)
			return -EINVAL;
		if (found)
			return FOUND;
		if (ml_json_reader_skip(r) < 0)
			return -EINVAL;
	}
}

static int find_element(struct ml_json_reader *r, const struct part *part, size_t *begin)
{
	size_t index;
	if (!is_index(part, &index))
		return MISSING;
	for (size_t at = 0;; at++) {
		const enum ml_json_event event = ml_json_reader_next(r);
		if (event < 0 || event == ML_JSON_END_ARRAY)
			return event < 0 ? -EINVAL : MISSING;
		*begin = ml_json_reader_begin(r);
		if (at == index)
			return FOUND;
		if (ml_json_reader_skip(r) < 0)
			return -EINVAL;
	}
}

/* Goes down to the pointer's value, or to its parent where only the last part is missing. */
static int descend(struct ml_json_reader *r, const char *pointer, struct ml_json_place *place)
{
	enum ml_json_event event = ml_json_reader_next(r);
	if (event < 0)
		return -EINVAL;
	place->begin = place->key_begin = ml_json_reader_begin(r);
	struct part part;
	while (next_part(&pointer, &part)) {
		size_t begin = 0;
		int result = MISSING;
		if (event == ML_JSON_BEGIN_OBJECT)
			result = find_member(r, &part, &begin);
		else if (event == ML_JSON_BEGIN_ARRAY)
			result = find_element(r, &part, &begin);
		if (result < 0)
			return result;
		if (result == MISSING)
			return *pointer == '\0' ? 0 : -ENOENT;
		place->key_begin = begin;
		place->begin = ml_json_reader_begin(r);
		event = ml_json_reader_event(r);
	}
	return *pointer == '\0' ? 0 : -ENOENT;
}

static void set_line(const char *text, struct ml_json_place *place)
{
	size_t line_begin = 0;
	place->line = 1;
	for (size_t i = 0; i < place->key_begin; i++) {
		if (text[i] == '\n') {
			place->line++;
			line_begin = i + 1;
		}
	}
	place->column = (int)(place->key_begin - line_begin) + 1;
}

/* A reader of the whole of `text`, or NULL. */
static struct ml_json_reader *open_text(const char *text, size_t length)
{
	struct ml_json_reader *r = ml_json_reader_new(length + 16);
	if (r) {
		ml_json_reader_feed(r, text, length);
		ml_json_reader_finish(r);
	}
	return r;
}

int ml_json_locate(
	const char *text, size_t length, const char *pointer, struct ml_json_place *place)
{
	struct ml_json_place found;
	struct ml_json_reader *r = open_text(text, length);
	if (!r)
		return -ENOMEM;
	int result = descend(r, pointer, &found);
	/* Where the last part is missing, the last event is the parent's begin or end. */
	if (result == 0 && ml_json_reader_skip(r) < 0)
		result = -EINVAL;
	if (result == 0) {
		found.end = ml_json_reader_end(r);
		set_line(text, &found);
		*place = found;
	}
	ml_json_reader_free(r);
	return result;
}

void ml_json_locate_error(const char *text, size_t length, struct ml_error *err)
{
	if (!err || err->code == 0)
		return;
	char pointer[ML_ERROR_POINTER_MAX];
	memcpy(pointer, err->pointer, sizeof pointer);
	pointer[sizeof pointer - 1] = '\0';
	for (;;) {
		struct ml_json_place place;
		const int result = ml_json_locate(text, length, pointer, &place);
		if (result == 0) {
			err->line = place.line;
			err->column = place.column;
		}
		char *last = strrchr(pointer, '/');
		if (result != -ENOENT || !last)
			return;
		*last = '\0';
	}
}

/* ---- The canonical format ---- */

static void copy_event(
	struct ml_json_writer *w, const struct ml_json_reader *r, enum ml_json_event event)
{
	size_t length;
	const char *text = ml_json_reader_text(r, &length);
	switch (event) {
	case ML_JSON_BEGIN_OBJECT:
		ml_json_begin_object(w);
		break;
	case ML_JSON_END_OBJECT:
		ml_json_end_object(w);
		break;
	case ML_JSON_BEGIN_ARRAY:
		ml_json_begin_array(w);
		break;
	case ML_JSON_END_ARRAY:
		ml_json_end_array(w);
		break;
	case ML_JSON_KEY:
		ml_json_key_n(w, text, length);
		break;
	case ML_JSON_STRING:
		ml_json_string_n(w, text, length);
		break;
	case ML_JSON_NUMBER:
		ml_json_raw(w, text, length);
		break;
	case ML_JSON_TRUE:
	case ML_JSON_FALSE:
		ml_json_bool(w, event == ML_JSON_TRUE);
		break;
	case ML_JSON_NULL:
		ml_json_null(w);
		break;
	case ML_JSON_ERROR:
	case ML_JSON_MORE:
	case ML_JSON_END:
		break;
	}
}

int ml_json_format(const char *text, size_t length, struct ml_buffer *out, struct ml_error *err)
{
	struct ml_json_reader *r = open_text(text, length);
	if (!r)
		return ml_error_set(err, -ENOMEM, "out of memory");
	struct ml_json_writer w;
	ml_json_writer_init(&w, out);
	w.pretty = true;
	const size_t begin = out->length;
	int result = 0;
	enum ml_json_event event;
	while ((event = ml_json_reader_next(r)) > ML_JSON_MORE && event != ML_JSON_END)
		copy_event(&w, r, event);
	ml_buffer_append(out, "\n", 1);
	if (event == ML_JSON_ERROR) {
		const struct ml_error *found = ml_json_reader_error(r);
		result = found->code;
		if (err && err->code == 0)
			*err = *found;
	} else if (out->failed) {
		result = ml_error_set(err, -ENOMEM,
			"the formatted text needs more memory than there is or than its limit "
			"allows");
	}
	if (result < 0 && !out->failed) {
		out->length = begin;
		out->data[begin] = '\0';
	}
	ml_json_reader_free(r);
	return result;
}
