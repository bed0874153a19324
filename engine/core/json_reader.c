/* The JSON reader: events from input in pieces of any size.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Two small machines: `expect` is the grammar between tokens, `token` what goes on inside one when
 * a piece ends there. A token's text is gathered in `text`, so that it outlives the piece.
 */
#include <meterloom/json.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

#define TOKEN_LIMIT ((size_t)1 << 20)

enum expect { VALUE, VALUE_OR_END, KEY, KEY_OR_END, COLON, COMMA_OR_END, NOTHING };

enum token { NO_TOKEN, STRING, NUMBER, WORD };

/* Where a number's text stands in the grammar. */
enum number { MINUS, ZERO, INTEGER, POINT, FRACTION, EXP, EXP_SIGN, EXPONENT };

struct ml_json_reader {
	const char *data; /* the piece; not owned */
	size_t length, at;
	size_t base; /* offset of the piece in the whole input */
	bool finished;
	bool skipping;
	enum expect expect;
	enum token token;
	enum number number;
	bool is_key;
	const char *word; /* true, false or null */
	/* inside a string */
	unsigned escape;       /* 0: none, 1: after the backslash, 2 to 5: hex digits of \u */
	uint32_t code, high;   /* of \u; the high surrogate that waits for its low one, or 0 */
	struct utf8_lead lead; /* what a character still needs */
	unsigned depth, skip_to;
	uint64_t arrays; /* bit per level: 1 in an array */
	enum ml_json_event event;
	size_t begin, end;
	int line;
	size_t line_begin;
	struct ml_buffer text;
	struct ml_error error;
};

struct ml_json_reader *ml_json_reader_new(size_t token_limit)
{
	struct ml_json_reader *r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	r->text.limit = token_limit ? token_limit : TOKEN_LIMIT;
	ml_json_reader_reset(r);
	return r;
}

void ml_json_reader_reset(struct ml_json_reader *r)
{
	struct ml_buffer text = r->text;
	ml_buffer_clear(&text);
	*r = (struct ml_json_reader){.text = text, .line = 1, .error = ML_ERROR_NONE};
}

void ml_json_reader_free(struct ml_json_reader *r)
{
	if (!r)
		return;
	ml_buffer_free(&r->text);
	free(r);
}

void ml_json_reader_feed(struct ml_json_reader *r, const char *data, size_t length)
{
	/* What an impatient caller did not let us read yet is lost, which shows as an error. */
	r->base += r->at;
	r->data = data;
	r->length = length;
	r->at = 0;
}

void ml_json_reader_finish(struct ml_json_reader *r)
{
	r->finished = true;
}

const char *ml_json_reader_text(const struct ml_json_reader *r, size_t *length)
{
	if (length)
		*length = r->text.length;
	return r->text.data ? r->text.data : "";
}

size_t ml_json_reader_begin(const struct ml_json_reader *r)
{
	return r->begin;
}

size_t ml_json_reader_end(const struct ml_json_reader *r)
{
	return r->end;
}

enum ml_json_event ml_json_reader_event(const struct ml_json_reader *r)
{
	return r->event;
}

unsigned ml_json_reader_depth(const struct ml_json_reader *r)
{
	return r->depth;
}

const struct ml_error *ml_json_reader_error(const struct ml_json_reader *r)
{
	return &r->error;
}

/* ---- Errors ---- */

static enum ml_json_event fail(struct ml_json_reader *r, int code, const char *format, ...)
	ML_PRINTF(3, 4);

/* At the byte that is next. */
static enum ml_json_event fail(struct ml_json_reader *r, int code, const char *format, ...)
{
	char text[ML_ERROR_TEXT_MAX];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	const size_t at = r->base + r->at;
	(void)ml_error_set_at(&r->error, code, (long long)at, "%s", text);
	r->error.line = r->line;
	r->error.column = (int)(at - r->line_begin) + 1;
	r->begin = r->end = at;
	return r->event = ML_JSON_ERROR;
}

static enum ml_json_event fail_memory(struct ml_json_reader *r)
{
	const size_t limit = r->text.limit;
	if (r->text.length + 16 > limit)
		return fail(r, -EMSGSIZE, "a string or number is longer than %zu bytes", limit);
	return fail(r, -ENOMEM, "out of memory");
}

static enum ml_json_event fail_byte(struct ml_json_reader *r, const char *expected)
{
	const unsigned char c = (unsigned char)r->data[r->at];
	if (c > 0x20 && c < 0x7F)
		return fail(r, -EINVAL, "'%c' found, expected %s", c, expected);
	return fail(r, -EINVAL, "byte 0x%02X found, expected %s", c, expected);
}

static const char *expected_text(const struct ml_json_reader *r)
{
	const bool array = r->depth > 0 && (r->arrays >> (r->depth - 1) & 1);
	switch (r->expect) {
	case VALUE:
		return "a value";
	case VALUE_OR_END:
		return "a value or ']'";
	case KEY:
		return "a key in double quotes";
	case KEY_OR_END:
		return "a key in double quotes or '}'";
	case COLON:
		return "':' after the key";
	case COMMA_OR_END:
		return array ? "',' or ']'" : "',' or '}'";
	case NOTHING:
		break;
	}
	return "nothing after the value";
}

/* ---- Tokens ---- */

static enum ml_json_event emit(struct ml_json_reader *r, enum ml_json_event event)
{
	r->token = NO_TOKEN;
	r->end = r->base + r->at;
	if (event == ML_JSON_KEY)
		r->expect = COLON;
	else
		r->expect = r->depth > 0 ? COMMA_OR_END : NOTHING;
	return r->event = event;
}

/* The piece is used up within a token. */
static enum ml_json_event wait_for_more(struct ml_json_reader *r)
{
	if (!r->finished)
		return r->event = ML_JSON_MORE;
	if (r->token == STRING)
		return fail(r, -EINVAL, "the input ends inside a string: expected '\"'");
	return fail(r, -EINVAL, "the input ends inside a value");
}

static bool append(struct ml_json_reader *r, const char *data, size_t length)
{
	ml_buffer_append(&r->text, data, length);
	return !r->text.failed;
}

static bool append_code(struct ml_json_reader *r, uint32_t code)
{
	char text[4];
	return append(r, text, utf8_write(text, code));
}

/* Copies plain ASCII into the text. false: no memory, or over the limit. */
static bool take_plain(struct ml_json_reader *r)
{
	const char *in = r->data + r->at;
	const size_t length = r->length - r->at;
	size_t i = 0;
	uint64_t word;
	for (; i + 8 <= length; i += 8) {
		memcpy(&word, in + i, 8);
		if (utf8_special(word))
			break;
	}
	while (i < length && utf8_plain((unsigned char)in[i]))
		i++;
	r->at += i;
	return append(r, in, i);
}

/* One hex digit of \uXXXX; the fourth makes a character, or half of one. */
static enum ml_json_event take_hex(struct ml_json_reader *r, unsigned char c)
{
	const unsigned char lower = c | 0x20;
	if (c >= '0' && c <= '9')
		r->code = r->code << 4 | (uint32_t)(c - '0');
	else if (lower >= 'a' && lower <= 'f')
		r->code = r->code << 4 | (uint32_t)(lower - 'a' + 10);
	else
		return fail_byte(r, "four hex digits after \\u");
	if (++r->escape < 6)
		return ML_JSON_MORE;
	r->escape = 0;
	const bool is_low = r->code >= 0xDC00 && r->code <= 0xDFFF;
	if (is_low != (r->high != 0))
		return fail(
			r, -EINVAL, "half of a surrogate pair: expected \\uD8xx\\uDCxx or neither");
	if (r->code >= 0xD800 && r->code <= 0xDBFF) {
		r->high = r->code;
		return ML_JSON_MORE;
	}
	const uint32_t code =
		is_low ? 0x10000 + ((r->high - 0xD800) << 10) + (r->code - 0xDC00) : r->code;
	r->high = 0;
	return append_code(r, code) ? ML_JSON_MORE : fail_memory(r);
}

static enum ml_json_event take_escaped(struct ml_json_reader *r, unsigned char c)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	if (r->escape >= 2)
		return take_hex(r, c);
	if (c == 'u') {
		r->escape = 2;
		r->code = 0;
		return ML_JSON_MORE;
	}
	const char *name = c ? strchr(names, c) : NULL;
	if (!name)
		return fail_byte(r, "one of \" \\ / b f n r t u after the backslash");
	if (r->high)
		return fail(r, -EINVAL, "half of a surrogate pair: expected \\uDCxx after \\uD8xx");
	r->escape = 0;
	return append(r, &values[name - names], 1) ? ML_JSON_MORE : fail_memory(r);
}

/* A byte of a string that is not plain ASCII. ML_JSON_MORE: go on. */
static enum ml_json_event take_special(struct ml_json_reader *r, unsigned char c)
{
	if (r->lead.more > 0) {
		if (c < r->lead.low || c > r->lead.high)
			return fail(r, -EILSEQ, "byte 0x%02X is not UTF-8 here", c);
		r->lead = (struct utf8_lead){(uint8_t)(r->lead.more - 1), 0x80, 0xBF};
		return append(r, &r->data[r->at], 1) ? ML_JSON_MORE : fail_memory(r);
	}
	if (r->escape)
		return take_escaped(r, c);
	if (c == '\\') {
		r->escape = 1;
		return ML_JSON_MORE;
	}
	if (r->high)
		return fail(r, -EINVAL, "half of a surrogate pair: expected \\uDCxx after \\uD8xx");
	if (c < 0x20)
		return fail(r, -EINVAL, "control character 0x%02X in a string: write it as \\u%04x",
			c, c);
	if (!utf8_lead(c, &r->lead))
		return fail(r, -EILSEQ, "byte 0x%02X is not UTF-8 here", c);
	return append(r, &r->data[r->at], 1) ? ML_JSON_MORE : fail_memory(r);
}

static enum ml_json_event read_string(struct ml_json_reader *r)
{
	for (;;) {
		const bool plain = !r->escape && !r->high && !r->lead.more;
		if (plain && !take_plain(r))
			return fail_memory(r);
		if (r->at == r->length)
			return wait_for_more(r);
		const unsigned char c = (unsigned char)r->data[r->at];
		if (plain && c == '"') {
			r->at++;
			return emit(r, r->is_key ? ML_JSON_KEY : ML_JSON_STRING);
		}
		if (take_special(r, c) == ML_JSON_ERROR)
			return ML_JSON_ERROR;
		r->at++;
	}
}

/* Moves on in the number's grammar; false: `c` is not a part of it. */
static bool step_number(enum number *number, char c)
{
	const bool digit = c >= '0' && c <= '9';
	switch (*number) {
	case MINUS:
		*number = c == '0' ? ZERO : INTEGER;
		return digit;
	case INTEGER:
		if (digit)
			return true;
		/* fall through */
	case ZERO:
		*number = c == '.' ? POINT : EXP;
		return c == '.' || (c | 0x20) == 'e';
	case POINT:
		*number = FRACTION;
		return digit;
	case FRACTION:
		if (digit)
			return true;
		*number = EXP;
		return (c | 0x20) == 'e';
	case EXP:
		*number = digit ? EXPONENT : EXP_SIGN;
		return digit || c == '+' || c == '-';
	case EXP_SIGN:
		*number = EXPONENT;
		return digit;
	case EXPONENT:
		return digit;
	}
	return false;
}

static bool is_whole(enum number number)
{
	return number == ZERO || number == INTEGER || number == FRACTION || number == EXPONENT;
}

static enum ml_json_event read_number(struct ml_json_reader *r)
{
	const size_t from = r->at;
	while (r->at < r->length) {
		enum number next = r->number;
		if (!step_number(&next, r->data[r->at]))
			break;
		r->number = next;
		r->at++;
	}
	if (!append(r, r->data + from, r->at - from))
		return fail_memory(r);
	if (r->at == r->length && !(r->finished && is_whole(r->number)))
		return wait_for_more(r);
	if (!is_whole(r->number))
		return fail_byte(r, "a digit");
	if (r->number == ZERO && r->at < r->length && r->data[r->at] >= '0' &&
		r->data[r->at] <= '9')
		return fail(r, -EINVAL, "a number must not begin with 0 and another digit");
	return emit(r, ML_JSON_NUMBER);
}

static enum ml_json_event read_word(struct ml_json_reader *r)
{
	while (r->word[r->text.length]) {
		if (r->at == r->length)
			return wait_for_more(r);
		if (r->data[r->at] != r->word[r->text.length])
			return fail_byte(r, "true, false or null");
		if (!append(r, r->data + r->at, 1))
			return fail_memory(r);
		r->at++;
	}
	const char first = r->word[0];
	return emit(r, first == 't' ? ML_JSON_TRUE : first == 'f' ? ML_JSON_FALSE : ML_JSON_NULL);
}

/* ---- Between tokens ---- */

static enum ml_json_event read_begin(struct ml_json_reader *r, bool array)
{
	if (r->depth == ML_JSON_DEPTH_MAX)
		return fail(r, -E2BIG, "nested deeper than %d levels", ML_JSON_DEPTH_MAX);
	const uint64_t bit = UINT64_C(1) << r->depth;
	r->arrays = array ? r->arrays | bit : r->arrays & ~bit;
	r->depth++;
	r->at++;
	(void)emit(r, array ? ML_JSON_BEGIN_ARRAY : ML_JSON_BEGIN_OBJECT);
	r->expect = array ? VALUE_OR_END : KEY_OR_END;
	return r->event;
}

static enum ml_json_event read_end(struct ml_json_reader *r, bool array)
{
	r->depth--;
	r->at++;
	return emit(r, array ? ML_JSON_END_ARRAY : ML_JSON_END_OBJECT);
}

static enum ml_json_event read_value(struct ml_json_reader *r, char c)
{
	switch (c) {
	case '{':
		return read_begin(r, false);
	case '[':
		return read_begin(r, true);
	case '"':
		r->token = STRING;
		r->is_key = false;
		r->at++;
		return read_string(r);
	case 't':
	case 'f':
	case 'n':
		r->token = WORD;
		r->word = c == 't' ? "true" : c == 'f' ? "false" : "null";
		return read_word(r);
	default:
		break;
	}
	if (c != '-' && (c < '0' || c > '9'))
		return fail_byte(r, expected_text(r));
	r->token = NUMBER;
	r->number = c == '-' ? MINUS : c == '0' ? ZERO : INTEGER;
	if (!append(r, &c, 1))
		return fail_memory(r);
	r->at++;
	return read_number(r);
}

/* Skips white space; false: the piece is used up. */
static bool skip_space(struct ml_json_reader *r)
{
	for (; r->at < r->length; r->at++) {
		const char c = r->data[r->at];
		if (c == '\n') {
			r->line++;
			r->line_begin = r->base + r->at + 1;
		} else if (c != ' ' && c != '\t' && c != '\r') {
			return true;
		}
	}
	return false;
}

static enum ml_json_event read_rest(struct ml_json_reader *r)
{
	if (!r->finished)
		return r->event = ML_JSON_MORE;
	if (r->expect != NOTHING)
		return fail(r, -EINVAL, "the input ends too early: expected %s", expected_text(r));
	r->begin = r->end = r->base + r->at;
	return r->event = ML_JSON_END;
}

static enum ml_json_event read_token(struct ml_json_reader *r)
{
	for (;;) {
		if (!skip_space(r))
			return read_rest(r);
		const char c = r->data[r->at];
		const bool array = r->depth > 0 && (r->arrays >> (r->depth - 1) & 1);
		r->begin = r->base + r->at;
		switch (r->expect) {
		case VALUE_OR_END:
			if (c == ']')
				return read_end(r, true);
			return read_value(r, c);
		case VALUE:
			if (r->begin == 0 && c == '\xEF')
				return fail(r, -EINVAL,
					"the text begins with a byte order mark: save it "
					"as UTF-8 without one");
			return read_value(r, c);
		case KEY_OR_END:
		case KEY:
			if (c == '}' && r->expect == KEY_OR_END)
				return read_end(r, false);
			if (c != '"')
				return fail_byte(r, expected_text(r));
			r->token = STRING;
			r->is_key = true;
			r->at++;
			return read_string(r);
		case COLON:
			if (c != ':')
				return fail_byte(r, expected_text(r));
			r->expect = VALUE;
			break;
		case COMMA_OR_END:
			if (c == (array ? ']' : '}'))
				return read_end(r, array);
			if (c != ',')
				return fail_byte(r, expected_text(r));
			r->expect = array ? VALUE : KEY;
			break;
		case NOTHING:
			return fail_byte(r, expected_text(r));
		}
		r->at++;
	}
}

enum ml_json_event ml_json_reader_next(struct ml_json_reader *r)
{
	if (r->event == ML_JSON_ERROR || r->event == ML_JSON_END)
		return r->event;
	switch (r->token) {
	case STRING:
		return read_string(r);
	case NUMBER:
		return read_number(r);
	case WORD:
		return read_word(r);
	case NO_TOKEN:
		break;
	}
	ml_buffer_clear(&r->text);
	return read_token(r);
}

enum ml_json_event ml_json_reader_skip(struct ml_json_reader *r)
{
	if (r->event == ML_JSON_BEGIN_OBJECT || r->event == ML_JSON_BEGIN_ARRAY) {
		r->skipping = true;
		r->skip_to = r->depth - 1;
	} else if (r->event != ML_JSON_MORE) {
		r->skipping = false;
	}
	while (r->skipping) {
		const enum ml_json_event event = ml_json_reader_next(r);
		if (event == ML_JSON_MORE)
			return event;
		if (event == ML_JSON_ERROR || r->depth == r->skip_to)
			r->skipping = false;
	}
	return r->event;
}
