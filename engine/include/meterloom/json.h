/* Streaming JSON: a writer into a growing or fixed buffer, a reader of events, and the tools that
 * keep what a tree of values forgets: the place of a value and the text of a number.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Messages and results are written and read with these. Graphs, parameters and commands are small
 * and are handled as jansson trees; ml_json_locate() then finds the place of an error.
 * Thread-safety: a writer or reader belongs to one thread at a time.
 */
#ifndef METERLOOM_JSON_H
#define METERLOOM_JSON_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <meterloom/decimal.h>
#include <meterloom/error.h>

enum {
	ML_JSON_DEPTH_MAX = 64,
	ML_JSON_COLUMNS = 100,
};

/* ---- Buffer: bytes that grow up to a limit ---- */

struct ml_buffer {
	char *data; /* owned; NUL-terminated whenever not NULL */
	size_t length;
	size_t capacity;
	size_t limit; /* bytes; 0: ML_BUFFER_LIMIT */
	bool failed;  /* out of memory or over the limit: appends do nothing from then on */
};

#define ML_BUFFER_LIMIT ((size_t)64 << 20)

void ml_buffer_append(struct ml_buffer *buffer, const void *data, size_t length);
void ml_buffer_appendf(struct ml_buffer *buffer, const char *format, ...) ML_PRINTF(2, 3);
/* Not for callers: what ml_buffer_reserve() does when there is no room. */
char *ml_buffer_grow(struct ml_buffer *buffer, size_t length);
/* Room for at least `length` more bytes and a NUL, NULL where that fails. The caller adds to length
 * itself and writes the NUL. */
static inline char *ml_buffer_reserve(struct ml_buffer *buffer, size_t length)
{
	if (buffer->capacity - buffer->length > length && !buffer->failed)
		return buffer->data + buffer->length;
	return ml_buffer_grow(buffer, length);
}
/* Empties it and keeps the memory. */
void ml_buffer_clear(struct ml_buffer *buffer);
void ml_buffer_free(struct ml_buffer *buffer);

/* ---- Writer ---- */

/* Writes one JSON value after the other into a buffer. Commas and, when pretty, line breaks are its
 * own business; what stands between two values at the top (a line feed) is the caller's. Strings
 * are checked to be UTF-8: wrong bytes become U+FFFD. A wrong order of calls (a value where a key
 * is due, more than ML_JSON_DEPTH_MAX levels) is a programming error and asserts. Errors of the
 * buffer stay in buffer->failed, to be looked at once at the end.
 *
 * Pretty is the canonical format of Meterloom's files: two spaces a level, a member or element a
 * line; but an object or array that is not the root stands on one line, `{"id": "bus", "baud":
 * 2400}`, where the whole of it ends within column ML_JSON_COLUMNS. The buffer must then be kept
 * until the value is complete. Not pretty has no white space at all. */
struct ml_json_writer {
	struct ml_buffer *out; /* not owned */
	bool pretty;
	/* private */
	bool first, after_key;
	unsigned depth;
	uint64_t arrays;                  /* bit per level: 1 in an array */
	uint64_t broken;                  /* bit per level: 1 where it cannot go on one line */
	size_t starts[ML_JSON_DEPTH_MAX]; /* offset of the opening bracket of each level */
};

void ml_json_writer_init(struct ml_json_writer *w, struct ml_buffer *out);
void ml_json_begin_object(struct ml_json_writer *w);
void ml_json_end_object(struct ml_json_writer *w);
void ml_json_begin_array(struct ml_json_writer *w);
void ml_json_end_array(struct ml_json_writer *w);
void ml_json_key_n(struct ml_json_writer *w, const char *key, size_t length);
void ml_json_string_n(struct ml_json_writer *w, const char *text, size_t length); /* NULL: null */
void ml_json_stringf(struct ml_json_writer *w, const char *format, ...) ML_PRINTF(2, 3);
void ml_json_hex(struct ml_json_writer *w, const void *bytes, size_t length); /* upper case */
void ml_json_integer(struct ml_json_writer *w, int64_t value);
void ml_json_unsigned(struct ml_json_writer *w, uint64_t value);
void ml_json_decimal(struct ml_json_writer *w, struct ml_decimal value);
void ml_json_double(struct ml_json_writer *w, double value); /* metrics; NaN and infinity: null */
void ml_json_bool(struct ml_json_writer *w, bool value);
void ml_json_null(struct ml_json_writer *w);
/* Text that is JSON already, or a number's own text, taken over as it is. */
void ml_json_raw(struct ml_json_writer *w, const char *json, size_t length);

/* Inline so that the length of a literal is known when it is compiled. */
static inline void ml_json_key(struct ml_json_writer *w, const char *key)
{
	ml_json_key_n(w, key, strlen(key));
}

/* A key that is a literal with nothing to escape in it, in a quarter of the time of ml_json_key():
 * for what is written a million times a second. */
#define ML_JSON_KEY(w, key) ml_json_key_quoted((w), "\"" key "\":", sizeof("\"" key "\":") - 1)

/* Not for callers: what ML_JSON_KEY() does. */
static inline void ml_json_key_quoted(struct ml_json_writer *w, const char *text, size_t length)
{
	if (w->pretty) {
		ml_json_key_n(w, text + 1, length - 3);
		return;
	}
	assert(w->depth > 0 && !w->after_key);
	char *at = ml_buffer_reserve(w->out, length + 1);
	w->after_key = true;
	if (!at)
		return;
	if (!w->first)
		*at++ = ',';
	w->first = false;
	memcpy(at, text, length);
	at[length] = '\0';
	w->out->length = (size_t)(at - w->out->data) + length;
}

static inline void ml_json_string(struct ml_json_writer *w, const char *text) /* NULL: null */
{
	ml_json_string_n(w, text, text ? strlen(text) : 0);
}

/* ---- Reader ---- */

enum ml_json_event {
	ML_JSON_ERROR = -1, /* reader->error says what and where */
	ML_JSON_MORE = 0,   /* all that was fed is used up: feed more, or finish */
	ML_JSON_BEGIN_OBJECT,
	ML_JSON_END_OBJECT,
	ML_JSON_BEGIN_ARRAY,
	ML_JSON_END_ARRAY,
	ML_JSON_KEY,
	ML_JSON_STRING,
	ML_JSON_NUMBER,
	ML_JSON_TRUE,
	ML_JSON_FALSE,
	ML_JSON_NULL,
	ML_JSON_END, /* one whole value was read and the input is finished */
};

/* An event reader (RFC 8259, UTF-8 checked, duplicate keys are the caller's business) that takes
 * its input in pieces of any size. Memory is what the longest single token needs, up to
 * token_limit. */
struct ml_json_reader;

struct ml_json_reader *ml_json_reader_new(size_t token_limit); /* 0: 1 MiB; NULL: out of memory */
void ml_json_reader_free(struct ml_json_reader *r);            /* accepts NULL */
/* Ready for the next text; memory is kept. */
void ml_json_reader_reset(struct ml_json_reader *r);
/* The bytes must stay until the reader has answered ML_JSON_MORE. */
void ml_json_reader_feed(struct ml_json_reader *r, const char *data, size_t length);
/* No more input will come. */
void ml_json_reader_finish(struct ml_json_reader *r);
enum ml_json_event ml_json_reader_next(struct ml_json_reader *r);
enum ml_json_event ml_json_reader_event(const struct ml_json_reader *r); /* the last one again */
/* Of the last event: the unescaped text of a key or string, the very text of a number, with a NUL
 * after it (and inside where the text has \u0000). Valid until the next call. `length` may be NULL.
 */
const char *ml_json_reader_text(const struct ml_json_reader *r, size_t *length);
/* Offset of the first byte of the last event, and of the byte after it. */
size_t ml_json_reader_begin(const struct ml_json_reader *r);
size_t ml_json_reader_end(const struct ml_json_reader *r);
unsigned ml_json_reader_depth(const struct ml_json_reader *r);
const struct ml_error *ml_json_reader_error(const struct ml_json_reader *r);
/* After BEGIN_*: skips to its end and answers the END_*, or ML_JSON_MORE: then feed and call it
 * again. After another event: does nothing and answers that. */
enum ml_json_event ml_json_reader_skip(struct ml_json_reader *r);

/* ---- Places and formatting ---- */

struct ml_json_place {
	size_t begin, end; /* of the value, bytes */
	size_t key_begin;  /* of its key where it is a member, else as begin */
	int line, column;  /* of the key or value, from 1; columns count bytes */
};

/* Finds a value by JSON pointer (RFC 6901) in a text that is valid JSON. Where the last part of the
 * pointer does not exist, the place of its parent is given (a missing key is reported there). Of
 * equal keys the first counts. -ENOENT: no such place even so; -EINVAL: the text is not valid JSON
 * up to there. */
int ml_json_locate(
	const char *text, size_t length, const char *pointer, struct ml_json_place *place);

/* Sets err->line and column from err->pointer, or from its nearest parent that is in the text. */
void ml_json_locate_error(const char *text, size_t length, struct ml_error *err);

/* Writes `text` in the one canonical format: pretty as the writer is, numbers with their own text,
 * keys in their order. Formatting a formatted text changes nothing. A final line feed is added.
 * -EINVAL: not JSON (err has line, column and offset); -ENOMEM: memory, or the limit of `out`. */
int ml_json_format(const char *text, size_t length, struct ml_buffer *out, struct ml_error *err);

/* ---- Bytes as text ---- */

/* What a hex digit stands for, in either case; -1: it is none. */
static inline int ml_hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
