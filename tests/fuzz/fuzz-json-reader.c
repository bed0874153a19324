/* Fuzzes the JSON reader: its verdict is jansson's, and pieces of any size give the same events.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte of the input says how large the pieces are.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <meterloom/json.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All events, their texts and offsets as bytes. Returns the reader's last word. */
static int read_in_pieces(const char *text, size_t length, size_t piece, struct ml_buffer *out)
{
	struct ml_json_reader *r = ml_json_reader_new(0);
	if (!r)
		abort();
	size_t at = 0;
	bool finished = false;
	enum ml_json_event event;
	while ((event = ml_json_reader_next(r)) >= ML_JSON_MORE && event != ML_JSON_END) {
		if (event == ML_JSON_MORE) {
			if (finished)
				abort();
			const size_t take = length - at < piece ? length - at : piece;
			if (take)
				ml_json_reader_feed(r, text + at, take);
			else
				ml_json_reader_finish(r);
			finished = take == 0;
			at += take;
			continue;
		}
		size_t token_length;
		const char *token = ml_json_reader_text(r, &token_length);
		const size_t begin = ml_json_reader_begin(r), end = ml_json_reader_end(r);
		if (begin >= end || end > length || token[token_length] != '\0')
			abort();
		ml_buffer_appendf(out, "%d %zu %zu ", event, begin, end);
		ml_buffer_append(out, token, token_length);
	}
	const struct ml_error *err = ml_json_reader_error(r);
	const int code = err->code;
	if ((code == 0) != (event == ML_JSON_END) || (code != 0 && err->at > (long long)length))
		abort();
	ml_buffer_appendf(
		out, "%d %lld %d %d %s", code, err->at, err->line, err->column, err->text);
	ml_json_reader_free(r);
	return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	const size_t piece = (size_t)data[0] + 1;
	const char *text = (const char *)data + 1;
	size--;
	struct ml_buffer whole = {0}, pieces = {0};
	const int code = read_in_pieces(text, size, size + 1, &whole);
	(void)read_in_pieces(text, size, piece, &pieces);
	if (whole.length != pieces.length || memcmp(whole.data, pieces.data, whole.length) != 0)
		abort();
	json_error_t error;
	json_t *tree = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	/* jansson goes deeper, overlooks a NUL after a number, and refuses two things we take:
	 * numbers that do not fit its own, and keys with a NUL. */
	const bool may_differ =
		tree ? code == -E2BIG || memchr(text, 0, size)
		     : json_error_code(&error) == json_error_numeric_overflow ||
				json_error_code(&error) == json_error_null_byte_in_key;
	if ((tree != NULL) != (code == 0) && !may_differ)
		abort();
	json_decref(tree);
	ml_buffer_free(&whole);
	ml_buffer_free(&pieces);
	return 0;
}
