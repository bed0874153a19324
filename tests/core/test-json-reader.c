/* The JSON reader: what RFC 8259 accepts and refuses, in pieces of any size.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <meterloom/json.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Feeds `text` in pieces of `piece` bytes, each a heap copy that is gone once it is used up. */
struct feeder {
	struct ml_json_reader *reader;
	const char *text;
	size_t length, at, piece;
	char *copy;
	bool finished;
};

static void feeder_open(struct feeder *f, const char *text, size_t length, size_t piece)
{
	*f = (struct feeder){
		.reader = ml_json_reader_new(0), .text = text, .length = length, .piece = piece};
	assert_non_null(f->reader);
}

static bool feeder_more(struct feeder *f)
{
	free(f->copy);
	f->copy = NULL;
	if (f->at == f->length) {
		assert_false(f->finished);
		f->finished = true;
		ml_json_reader_finish(f->reader);
		return true;
	}
	const size_t rest = f->length - f->at;
	const size_t size = rest < f->piece ? rest : f->piece;
	f->copy = malloc(size);
	assert_non_null(f->copy);
	memcpy(f->copy, f->text + f->at, size);
	f->at += size;
	ml_json_reader_feed(f->reader, f->copy, size);
	return true;
}

static enum ml_json_event feeder_next(struct feeder *f)
{
	for (;;) {
		const enum ml_json_event event = ml_json_reader_next(f->reader);
		if (event != ML_JSON_MORE)
			return event;
		feeder_more(f);
	}
}

static void feeder_close(struct feeder *f)
{
	ml_json_reader_free(f->reader);
	free(f->copy);
}

/* All events as one line: `{ k:a n:1 }`. */
static int read_all(const char *text, size_t length, size_t piece, struct ml_buffer *out)
{
	static const char *const marks[] = {
		"", "{ ", "} ", "[ ", "] ", "k:", "s:", "n:", "t ", "f ", "0 ", "."};
	struct feeder f;
	feeder_open(&f, text, length, piece);
	enum ml_json_event event;
	do {
		event = feeder_next(&f);
		if (event < 0)
			break;
		ml_buffer_appendf(out, "%s", marks[event]);
		if (event == ML_JSON_KEY || event == ML_JSON_STRING || event == ML_JSON_NUMBER) {
			size_t size;
			const char *token = ml_json_reader_text(f.reader, &size);
			assert_int_equal(token[size], 0);
			ml_buffer_append(out, token, size);
			ml_buffer_append(out, " ", 1);
		}
	} while (event != ML_JSON_END);
	const int code = ml_json_reader_error(f.reader)->code;
	assert_true((code == 0) == (event == ML_JSON_END));
	if (code == 0)
		assert_int_equal(ml_json_reader_depth(f.reader), 0);
	feeder_close(&f);
	return code;
}

static void assert_events(const char *text, const char *events)
{
	for (size_t piece = 1; piece <= strlen(text) + 1; piece++) {
		struct ml_buffer out = {0};
		assert_int_equal(read_all(text, strlen(text), piece, &out), 0);
		assert_string_equal(out.data, events);
		ml_buffer_free(&out);
	}
}

static void events_come_in_order_for_any_pieces(void **state)
{
	(void)state;
	assert_events("{\"a\":1,\"b\":[true,false,null,\"x\"],\"c\":{}}",
		"{ k:a n:1 k:b [ t f 0 s:x ] k:c { } } .");
	assert_events(" [ ] ", "[ ] .");
	assert_events("\r\n\t{ \"a\" : [ -0.5e+10 , 0 ] } \n", "{ k:a [ n:-0.5e+10 n:0 ] } .");
	assert_events("42", "n:42 .");
	assert_events("-0", "n:-0 .");
	assert_events("1E-2", "n:1E-2 .");
	assert_events("\"\"", "s: .");
	assert_events("null", "0 .");
	assert_events(
		"\"a\\\"\\\\\\/\\n\\u0041\\u00e9\\u20AC\\uD834\\uDD1Ez\"", "s:a\"\\/\nAé€𝄞z .");
	assert_events("\"m³ € 𝄞 plain text of more than eight bytes\"",
		"s:m³ € 𝄞 plain text of more than eight bytes .");
	assert_events("{\"a\":1,\"a\":2}", "{ k:a n:1 k:a n:2 } .");
	assert_events("[[[[]]],[{}]]", "[ [ [ [ ] ] ] [ { } ] ] .");
}

/* Cases in the manner of the JSON test suites: each is refused whatever its pieces are. */
static void what_is_not_json_is_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {"", " ", "[", "]", "{", "}", "[1", "[1,", "[1,]",
		"[,1]", "[,]", "[1 2]", "[1,,2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}",
		"{\"a\" 1}", "{\"a\"::1}", "{1:1}", "{a:1}", "{'a':1}", "{\"a\":1 \"b\":2}", "{]",
		"[}", "{\"a\":1]", "[1}", "1 2", "[] []", "[]]", "{}}", "01", "-01", "00", "-",
		"+1", ".5", "1.", "1.e1", "1e", "1e+", "1e1.5", "0x1", "1_0", "--1", "-a", "1a",
		"0e", "Infinity", "-Infinity", "NaN", "tru", "truE", "True", "nul", "nulll",
		"truefalse", "fals", "\"", "\"a", "\"\\\"", "\"\\a\"", "\"\\x41\"", "\"\\u12\"",
		"\"\\u123g\"", "\"\\U0041\"", "\"a\nb\"", "\"a\tb\"", "\"\x01\"", "'a'",
		"\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\\ud800\\ud800\"",
		"\"\\ud800x\"", "\"\\ud800\\n\"", "\"\x80\"", "\"\xFF\"", "\"\xC0\xAF\"",
		"\"\xE2\x82\"", "\"\xE2\x82", "\"\xED\xA0\x80\"", "\"\xF4\x90\x80\x80\"",
		"\"\xF0\x80\x80\x80\"", "\"\xE0\x80\x80\"", "\xEF\xBB\xBF{}", "/*x*/1", "1//x",
		"[1]#", "\f1", "\v1", "\xC2\xA0 1", "\xE2\x81\xA0", "[\"a\" true]",
		"{\"a\":1,\"b\"", "{\"a\":tru", "*", "[*]", "<null>", "abc", "\\u0041"};
	for (size_t i = 0; i < COUNT(texts); i++) {
		long long at = -1;
		for (size_t piece = 1; piece <= strlen(texts[i]) + 1; piece++) {
			struct feeder f;
			feeder_open(&f, texts[i], strlen(texts[i]), piece);
			enum ml_json_event event;
			do
				event = feeder_next(&f);
			while (event != ML_JSON_ERROR && event != ML_JSON_END);
			if (event != ML_JSON_ERROR)
				fail_msg("accepted: %s", texts[i]);
			const struct ml_error *err = ml_json_reader_error(f.reader);
			assert_true(err->code < 0 && err->text[0] && err->line >= 1 &&
				    err->column >= 1);
			/* The place does not depend on the pieces, and the error stays. */
			if (at < 0)
				at = err->at;
			assert_int_equal(err->at, at);
			assert_true(err->at >= 0 && (size_t)err->at <= strlen(texts[i]));
			assert_int_equal(ml_json_reader_next(f.reader), ML_JSON_ERROR);
			feeder_close(&f);
		}
	}
}

static void errors_tell_place_and_expectation(void **state)
{
	(void)state;
	static const struct {
		const char *text, *error;
		int line, column;
	} rows[] = {
		{"{\n  \"a\": 1,\n  \"b\": ]\n}", "']' found, expected a value", 3, 8},
		{"[1\n 2]", "'2' found, expected ',' or ']'", 2, 2},
		{"{\"a\" 1}", "'1' found, expected ':' after the key", 1, 6},
		{"{\"a\":1,}", "'}' found, expected a key in double quotes", 1, 8},
		{"[1", "the input ends too early: expected ',' or ']'", 1, 3},
		{"01", "a number must not begin with 0 and another digit", 1, 2},
		{"[\"a\nb\"]", "control character 0x0A in a string: write it as \\u000a", 1, 4},
		{"\"\xB0\"", "byte 0xB0 is not UTF-8 here", 1, 2},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct feeder f;
		feeder_open(&f, rows[i].text, strlen(rows[i].text), 3);
		while (feeder_next(&f) != ML_JSON_ERROR)
			;
		const struct ml_error *err = ml_json_reader_error(f.reader);
		assert_string_equal(err->text, rows[i].error);
		assert_int_equal(err->line, rows[i].line);
		assert_int_equal(err->column, rows[i].column);
		feeder_close(&f);
	}
}

static void depth_and_length_are_limited(void **state)
{
	(void)state;
	char text[2 * (ML_JSON_DEPTH_MAX + 1)];
	for (size_t depth = ML_JSON_DEPTH_MAX; depth <= ML_JSON_DEPTH_MAX + 1; depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		struct ml_buffer out = {0};
		assert_int_equal(read_all(text, 2 * depth, 7, &out),
			depth == ML_JSON_DEPTH_MAX ? 0 : -E2BIG);
		ml_buffer_free(&out);
	}
	static const char *const longer[] = {"\"123456789\"", "123456789", "\"12345678\\n\""};
	for (size_t i = 0; i < COUNT(longer); i++) {
		struct ml_json_reader *r = ml_json_reader_new(8);
		ml_json_reader_feed(r, longer[i], strlen(longer[i]));
		ml_json_reader_finish(r);
		assert_int_equal(ml_json_reader_next(r), ML_JSON_ERROR);
		assert_int_equal(ml_json_reader_error(r)->code, -EMSGSIZE);
		ml_json_reader_reset(r);
		ml_json_reader_feed(r, "\"12345678\"", 10);
		assert_int_equal(ml_json_reader_next(r), ML_JSON_STRING);
		ml_json_reader_free(r);
	}
}

static void nul_in_a_string_is_kept(void **state)
{
	(void)state;
	struct ml_json_reader *r = ml_json_reader_new(0);
	ml_json_reader_feed(r, "\"a\\u0000b\"", 10);
	assert_int_equal(ml_json_reader_next(r), ML_JSON_STRING);
	size_t length;
	assert_memory_equal(ml_json_reader_text(r, &length), "a\0b", 4);
	assert_int_equal(length, 3);
	ml_json_reader_free(r);
	/* A NUL between tokens is no white space. */
	struct ml_buffer out = {0};
	assert_int_equal(read_all("[1\0]", 4, 1, &out), -EINVAL);
	ml_buffer_free(&out);
}

static void offsets_are_those_of_the_tokens(void **state)
{
	(void)state;
	static const char text[] = " {\"ab\" : [12 ,true], \"c\":\"\\n\"}";
	static const struct {
		enum ml_json_event event;
		const char *token;
	} rows[] = {{ML_JSON_BEGIN_OBJECT, "{"}, {ML_JSON_KEY, "\"ab\""},
		{ML_JSON_BEGIN_ARRAY, "["}, {ML_JSON_NUMBER, "12"}, {ML_JSON_TRUE, "true"},
		{ML_JSON_END_ARRAY, "]"}, {ML_JSON_KEY, "\"c\""}, {ML_JSON_STRING, "\"\\n\""},
		{ML_JSON_END_OBJECT, "}"}};
	for (size_t piece = 1; piece < sizeof text; piece++) {
		struct feeder f;
		feeder_open(&f, text, sizeof text - 1, piece);
		for (size_t i = 0; i < COUNT(rows); i++) {
			assert_int_equal(feeder_next(&f), rows[i].event);
			assert_int_equal(ml_json_reader_event(f.reader), rows[i].event);
			const size_t begin = ml_json_reader_begin(f.reader);
			const size_t end = ml_json_reader_end(f.reader);
			assert_int_equal(end - begin, strlen(rows[i].token));
			assert_memory_equal(text + begin, rows[i].token, end - begin);
		}
		assert_int_equal(feeder_next(&f), ML_JSON_END);
		assert_int_equal(feeder_next(&f), ML_JSON_END);
		feeder_close(&f);
	}
}

static void containers_are_skipped(void **state)
{
	(void)state;
	static const char text[] = "{\"a\":{\"b\":[1,[2,{}],\"]}\"]},\"c\":[],\"d\":7}";
	for (size_t piece = 1; piece < sizeof text; piece++) {
		struct feeder f;
		feeder_open(&f, text, sizeof text - 1, piece);
		assert_int_equal(feeder_next(&f), ML_JSON_BEGIN_OBJECT);
		for (int i = 0; i < 3; i++) {
			assert_int_equal(feeder_next(&f), ML_JSON_KEY);
			assert_string_equal(ml_json_reader_text(f.reader, NULL), &"a\0c\0d"[2 * i]);
			const enum ml_json_event begin = feeder_next(&f);
			enum ml_json_event event;
			while ((event = ml_json_reader_skip(f.reader)) == ML_JSON_MORE)
				feeder_more(&f);
			assert_int_equal(event, begin == ML_JSON_NUMBER ? begin : begin + 1);
		}
		assert_int_equal(feeder_next(&f), ML_JSON_END_OBJECT);
		assert_int_equal(feeder_next(&f), ML_JSON_END);
		feeder_close(&f);
	}
}

static void a_reader_reads_one_text_after_the_other(void **state)
{
	(void)state;
	struct ml_json_reader *r = ml_json_reader_new(0);
	for (int i = 0; i < 3; i++) {
		ml_json_reader_feed(r, "\n[1", 3);
		assert_int_equal(ml_json_reader_next(r), ML_JSON_BEGIN_ARRAY);
		assert_int_equal(ml_json_reader_next(r), ML_JSON_MORE);
		ml_json_reader_feed(r, "!", 1);
		assert_int_equal(ml_json_reader_next(r), ML_JSON_NUMBER);
		assert_int_equal(ml_json_reader_next(r), ML_JSON_ERROR);
		assert_int_equal(ml_json_reader_error(r)->line, 2);
		assert_int_equal(ml_json_reader_error(r)->at, 3);
		ml_json_reader_reset(r);
		assert_int_equal(ml_json_reader_error(r)->code, 0);
		assert_int_equal(ml_json_reader_next(r), ML_JSON_MORE);
	}
	ml_json_reader_free(r);
	ml_json_reader_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_come_in_order_for_any_pieces),
		cmocka_unit_test(what_is_not_json_is_refused),
		cmocka_unit_test(errors_tell_place_and_expectation),
		cmocka_unit_test(depth_and_length_are_limited),
		cmocka_unit_test(nul_in_a_string_is_kept),
		cmocka_unit_test(offsets_are_those_of_the_tokens),
		cmocka_unit_test(containers_are_skipped),
		cmocka_unit_test(a_reader_reads_one_text_after_the_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
