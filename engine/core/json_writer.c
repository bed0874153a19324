/* The streaming JSON writer.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <meterloom/json.h>

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digits.h"
#include "utf8.h"

/* ---- What stands before a value, a key and a bracket ---- */

/* A comma, a line break and the indentation of the deepest level. */
enum { BEFORE_MAX = 2 + 2 * ML_JSON_DEPTH_MAX };

#ifndef NDEBUG
static bool in_array(const struct ml_json_writer *w)
{
	return w->arrays >> (w->depth - 1) & 1;
}
#endif

static char *write_break(char *at, unsigned level)
{
	*at++ = '\n';
	memset(at, ' ', 2 * (size_t)level);
	return at + 2 * (size_t)level;
}

/* Room for `length` bytes, what separates them from the value before, and a NUL. */
static inline char *reserve_item(struct ml_json_writer *w, size_t length)
{
	char *at = ml_buffer_reserve(w->out, length + BEFORE_MAX);
	if (!at || w->depth == 0)
		return at;
	if (!w->first)
		*at++ = ',';
	w->first = false;
	return w->pretty ? write_break(at, w->depth) : at;
}

static inline char *reserve_value(struct ml_json_writer *w, size_t length)
{
	if (w->after_key) {
		w->after_key = false;
		return ml_buffer_reserve(w->out, length);
	}
	assert(w->depth == 0 || in_array(w));
	return reserve_item(w, length);
}

static inline void advance_to(struct ml_json_writer *w, char *at)
{
	*at = '\0';
	w->out->length = (size_t)(at - w->out->data);
}

void ml_json_writer_init(struct ml_json_writer *w, struct ml_buffer *out)
{
	/* The starts of levels are written before they are read. */
	w->out = out;
	w->pretty = false;
	w->first = true;
	w->after_key = false;
	w->depth = 0;
	w->arrays = 0;
	w->broken = 0;
}

/* ---- Objects and arrays ---- */

static void begin(struct ml_json_writer *w, char bracket)
{
	if (w->depth >= ML_JSON_DEPTH_MAX) {
		assert(w->depth < ML_JSON_DEPTH_MAX);
		w->out->failed = true;
		return;
	}
	char *at = reserve_value(w, 1);
	const uint64_t bit = UINT64_C(1) << w->depth;
	w->arrays = bracket == '[' ? w->arrays | bit : w->arrays & ~bit;
	w->broken &= ~bit;
	w->starts[w->depth] = at ? (size_t)(at - w->out->data) : SIZE_MAX;
	if (at) {
		*at++ = bracket;
		advance_to(w, at);
	}
	w->depth++;
	w->first = true;
}

/* The column after the last byte of `text`, which starts in its buffer at `start`. */
static size_t column_of(const struct ml_buffer *out, size_t start)
{
	size_t column = 0;
	while (start > 0 && out->data[start - 1] != '\n') {
		start--;
		column += ((unsigned char)out->data[start] & 0xC0) != 0x80;
	}
	return column;
}

/* Puts a container whose parts stand a line each on one line, if it fits. Strings hold no raw line
 * feed, so each one in the text is a break between parts. */
static bool join_lines(struct ml_json_writer *w, size_t start)
{
	struct ml_buffer *out = w->out;
	if (start >= out->length || (out->data[start] != '{' && out->data[start] != '['))
		return false; /* the buffer was cleared in between */
	char joined[4 * ML_JSON_COLUMNS + 8];
	size_t length = 1, columns = column_of(out, start) + 2; /* both brackets */
	joined[0] = out->data[start];
	for (size_t at = start + 1; at < out->length;) {
		if (columns > ML_JSON_COLUMNS || length + 2 > sizeof joined)
			return false;
		char c = out->data[at++];
		if (c == '\n') {
			while (at < out->length && out->data[at] == ' ')
				at++;
			if (joined[length - 1] != ',')
				continue;
			c = ' ';
		}
		columns += ((unsigned char)c & 0xC0) != 0x80;
		joined[length++] = c;
	}
	if (columns > ML_JSON_COLUMNS)
		return false;
	memcpy(out->data + start, joined, length);
	out->length = start + length;
	return true;
}

static void end(struct ml_json_writer *w, char bracket)
{
	assert(w->depth > 0 && !w->after_key);
	assert(in_array(w) == (bracket == ']'));
	if (w->depth == 0)
		return;
	const unsigned level = --w->depth;
	const bool empty = w->first;
	w->first = false;
	char *at = ml_buffer_reserve(w->out, BEFORE_MAX);
	if (!at)
		return;
	if (w->pretty && !empty) {
		const bool broken = w->broken >> level & 1;
		if (level == 0 || broken || !join_lines(w, w->starts[level])) {
			if (level > 0)
				w->broken |= UINT64_C(1) << (level - 1);
			at = write_break(at, level);
		} else {
			at = w->out->data + w->out->length;
		}
	}
	*at++ = bracket;
	advance_to(w, at);
}

void ml_json_begin_object(struct ml_json_writer *w)
{
	begin(w, '{');
}

void ml_json_end_object(struct ml_json_writer *w)
{
	end(w, '}');
}

void ml_json_begin_array(struct ml_json_writer *w)
{
	begin(w, '[');
}

void ml_json_end_array(struct ml_json_writer *w)
{
	end(w, ']');
}

/* ---- Strings ---- */

/* Copies the plain ASCII at the begin of `text`, eight bytes at a time. Returns how much. */
static inline size_t copy_plain(char *out, const char *text, size_t length)
{
	size_t i = 0;
	uint64_t word;
	for (; i + 8 <= length; i += 8) {
		memcpy(&word, text + i, 8);
		if (utf8_special(word))
			break;
		memcpy(out + i, &word, 8);
	}
	while (i < length && utf8_plain((unsigned char)text[i])) {
		out[i] = text[i];
		i++;
	}
	return i;
}

enum { ESCAPED_MAX = 6 };

static char *escape(char *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char names[] = "btn\0fr";
	*out++ = '\\';
	if (c == '"' || c == '\\') {
		*out++ = (char)c;
	} else if (c >= '\b' && c <= '\r' && names[c - '\b']) {
		*out++ = names[c - '\b'];
	} else {
		memcpy(out, "u00", 3);
		out[3] = hex[c >> 4];
		out[4] = hex[c & 15];
		out += 5;
	}
	return out;
}

/* The rest of a string from its first byte that is not plain; the room for the rest as plain text
 * and a quote is there already. */
static void write_special(struct ml_json_writer *w, const char *text, size_t length)
{
	const unsigned char *in = (const unsigned char *)text;
	while (length > 0) {
		char *at = ml_buffer_reserve(w->out, length + ESCAPED_MAX + 1);
		if (!at)
			return;
		size_t used = copy_plain(at, (const char *)in, length);
		at += used;
		if (used < length && in[used] >= 0x80) {
			size_t bad;
			const size_t whole = utf8_length(in + used, length - used, &bad);
			memcpy(at, whole ? (const char *)in + used : "\xEF\xBF\xBD",
				whole ? whole : 3);
			at += whole ? whole : 3;
			used += whole ? whole : bad;
		} else if (used < length) {
			at = escape(at, in[used]);
			used++;
		}
		in += used;
		length -= used;
		advance_to(w, at);
	}
}

/* A string whose place is at `at`, where there is room for its plain text and `tail`. */
static inline void write_string(struct ml_json_writer *w, char *at, const char *text, size_t length,
	const char *tail, size_t tail_length)
{
	*at++ = '"';
	const size_t plain = copy_plain(at, text, length);
	at += plain;
	if (plain < length) {
		advance_to(w, at);
		write_special(w, text + plain, length - plain);
		at = ml_buffer_reserve(w->out, tail_length);
		if (!at)
			return;
	}
	memcpy(at, tail, tail_length);
	advance_to(w, at + tail_length);
}

void ml_json_key_n(struct ml_json_writer *w, const char *key, size_t length)
{
	assert(w->depth > 0 && !in_array(w) && !w->after_key);
	char *at = reserve_item(w, length + 4);
	w->after_key = true;
	if (at)
		write_string(w, at, key, length, "\": ", w->pretty ? 3 : 2);
}

void ml_json_string_n(struct ml_json_writer *w, const char *text, size_t length)
{
	if (!text) {
		ml_json_null(w);
		return;
	}
	char *at = reserve_value(w, length + 2);
	if (at)
		write_string(w, at, text, length, "\"", 1);
}

void ml_json_stringf(struct ml_json_writer *w, const char *format, ...)
{
	char small[256];
	va_list args;
	va_start(args, format);
	const int length = vsnprintf(small, sizeof small, format, args);
	va_end(args);
	if (length >= 0 && (size_t)length < sizeof small) {
		ml_json_string_n(w, small, (size_t)length);
		return;
	}
	char *large = length < 0 ? NULL : malloc((size_t)length + 1);
	if (!large) {
		w->out->failed = true;
		return;
	}
	va_start(args, format);
	(void)vsnprintf(large, (size_t)length + 1, format, args);
	va_end(args);
	ml_json_string_n(w, large, (size_t)length);
	free(large);
}

void ml_json_hex(struct ml_json_writer *w, const void *bytes, size_t length)
{
	static const char hex[] = "0123456789ABCDEF";
	const unsigned char *in = bytes;
	if (length > SIZE_MAX / 4) {
		w->out->failed = true;
		return;
	}
	char *at = reserve_value(w, 2 * length + 2);
	if (!at)
		return;
	*at++ = '"';
	for (size_t i = 0; i < length; i++) {
		*at++ = hex[in[i] >> 4];
		*at++ = hex[in[i] & 15];
	}
	*at++ = '"';
	advance_to(w, at);
}

/* ---- Numbers and words ---- */

void ml_json_integer(struct ml_json_writer *w, int64_t value)
{
	char *at = reserve_value(w, DIGITS_MAX);
	if (at)
		advance_to(w, at + digits_write_signed(at, value));
}

void ml_json_unsigned(struct ml_json_writer *w, uint64_t value)
{
	char *at = reserve_value(w, DIGITS_MAX);
	if (!at)
		return;
	const unsigned count = digits_count(value);
	digits_write(at, value, count);
	advance_to(w, at + count);
}

void ml_json_decimal(struct ml_json_writer *w, struct ml_decimal value)
{
	char *at = reserve_value(w, ML_DECIMAL_TEXT_MAX);
	if (at)
		advance_to(w, at + ml_decimal_format(value, at));
}

/* A double's shortest text, with a point whatever the locale's is. Returns its length. */
static size_t format_double(double value, char *text, size_t size)
{
	for (int precision = 15; precision <= 17; precision++) {
		(void)snprintf(text, size, "%.*g", precision, value);
		const double back = strtod(text, NULL);
		if (!(back < value) && !(back > value))
			break;
	}
	const size_t before = strspn(text, "-0123456789");
	const size_t point = strcspn(text + before, "0123456789e");
	if (text[before] == '\0' || point == 0)
		return strlen(text);
	const size_t rest = strlen(text + before + point);
	text[before] = '.';
	memmove(text + before + 1, text + before + point, rest + 1);
	return before + 1 + rest;
}

void ml_json_double(struct ml_json_writer *w, double value)
{
	if (!isfinite(value)) {
		ml_json_null(w);
		return;
	}
	char text[64];
	ml_json_raw(w, text, format_double(value, text, sizeof text));
}

static inline void write_word(struct ml_json_writer *w, const char *word, size_t length)
{
	char *at = reserve_value(w, length);
	if (!at)
		return;
	memcpy(at, word, length);
	advance_to(w, at + length);
}

void ml_json_bool(struct ml_json_writer *w, bool value)
{
	if (value)
		write_word(w, "true", 4);
	else
		write_word(w, "false", 5);
}

void ml_json_null(struct ml_json_writer *w)
{
	write_word(w, "null", 4);
}

void ml_json_raw(struct ml_json_writer *w, const char *json, size_t length)
{
	if (length == 0 || length > SIZE_MAX / 2) {
		assert(length > 0);
		w->out->failed = true;
		return;
	}
	/* Lines within it cannot be told from breaks between parts. */
	if (w->pretty && w->depth > 0 && memchr(json, '\n', length))
		w->broken |= UINT64_C(1) << (w->depth - 1);
	write_word(w, json, length);
}
