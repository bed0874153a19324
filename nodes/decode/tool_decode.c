/* `meterloom decode`: telegrams in, readings out.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "decode/tool_decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/error.h>
#include <meterloom/json.h>

#include "decode/csv.h"
#include "mbus/application.h"
#include "mbus/frame.h"

enum {
	KEY_DIGITS = 32,
	LINE_MAX_BYTES = 64 * 1024,
	TELEGRAM_MAX = 16 * 1024,
	BLOCK_MAX = 64 * 1024
};

static const char help[] =
	"Usage: meterloom decode [--pretty | --csv] [HEX [KEY]]...\n"
	"\n"
	"Decodes telegrams of the wired M-Bus. Without telegrams as arguments it reads standard "
	"input,\n"
	"one telegram a line: `HEX` or `HEX KEY`. Prints one JSON object a line, in the same "
	"order.\n"
	"\n"
	"  HEX       the bytes of a frame (68... to ...16), or its data from the CI field on "
	"(72...);\n"
	"            blanks between the bytes are allowed, in an argument in quotes\n"
	"  KEY       32 hex digits: the key of the meter. As an argument of its own it belongs to "
	"the\n"
	"            telegram before it\n"
	"  --pretty  JSON in many lines, for people\n"
	"  --csv     a table, one row a record\n"
	"  --help    this text\n"
	"\n"
	"What cannot be decoded has \"error\": {\"at\": byte, \"text\": why}, beside what came "
	"before it.\n"
	"Exit code: 0 all decoded, 1 some not, 2 wrong usage.\n";

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_key(const char *text, size_t length)
{
	if (length != KEY_DIGITS)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (ml_hex_value(text[i]) < 0)
			return false;
	}
	return true;
}

/* Takes the key off the end of a line: what stands behind the telegram after a blank. */
static int split_key(const char *line, size_t *length, bool *has_key, struct ml_error *err)
{
	size_t word = *length;
	while (word && !is_blank(line[word - 1]))
		word--;
	size_t end = word;
	while (end && is_blank(line[end - 1]))
		end--;
	const size_t digits = *length - word;
	if (end == 0)
		return 0;
	if (is_key(line + word, digits)) {
		*length = end;
		*has_key = true;
		return 0;
	}
	size_t first = 0;
	while (first < end && !is_blank(line[first]))
		first++;
	/* Bytes that stand apart are no key; one long word after another is meant as one. */
	if (first == end && first > 2)
		return ml_error_set(err, -EINVAL,
			"the key after the telegram has %zu characters; a key has 32 hex digits",
			digits);
	return 0;
}

static int parse_hex(
	const char *line, size_t length, uint8_t *bytes, size_t *count, struct ml_error *err)
{
	size_t digits = 0;
	for (size_t i = 0; i < length; i++) {
		if (is_blank(line[i]))
			continue;
		const int digit = ml_hex_value(line[i]);
		if (digit < 0)
			return ml_error_set_at(err, -EINVAL, (long long)(digits / 2),
				"character %zu is no hex digit", i + 1);
		if (digits / 2 == TELEGRAM_MAX)
			return ml_error_set_at(err, -E2BIG, TELEGRAM_MAX,
				"longer than %d bytes: no telegram is", TELEGRAM_MAX);
		uint8_t *byte = &bytes[digits / 2];
		*byte = (uint8_t)(digits % 2 ? *byte | digit : digit << 4);
		digits++;
	}
	*count = digits / 2;
	if (digits % 2)
		return ml_error_set_at(err, -EINVAL, (long long)(digits / 2),
			"an odd number of hex digits; two make a byte");
	return 0;
}

/* A wireless telegram begins with its length and a control field. Where its block checks are still
 * in it, it is longer than it says. */
static bool is_wireless(const uint8_t *bytes, size_t length, bool application)
{
	if (length <= 10 || bytes[0] < 10 || !(bytes[1] & 0x40))
		return false;
	const unsigned function = bytes[1] & 0x0F;
	if (function != 4 && function != 6 && function != 7 && function != 8)
		return false;
	return application ? bytes[0] + 1u == length : bytes[0] < length;
}

static int decode(
	const uint8_t *bytes, size_t length, bool has_key, void *block, struct ml_error *err)
{
	const unsigned flags = has_key ? MBUS_KEY_GIVEN : 0;
	const bool application = length && bytes[0] >= 0x69 && bytes[0] <= 0x7B;
	if (length == 0)
		return ml_error_set_at(err, -EINVAL, 0, "there are no bytes");
	if (bytes[0] != 0x68 && bytes[0] != 0x10 && bytes[0] != 0xE5 &&
		is_wireless(bytes, length, application))
		return ml_error_set_at(err, -ENOTSUP, 0,
			"this looks like a wireless telegram; only wired ones can be decoded yet");
	if (!application)
		return mbus_decode_frame(block, BLOCK_MAX, bytes, length, flags, err);
	const int status = meter_reading_init(block, BLOCK_MAX, bytes, length, err);
	if (status == 0)
		mbus_decode_application(block, 0, length, flags);
	return status;
}

static void write_error(struct ml_json_writer *w, long long at, const char *text, size_t length)
{
	ml_json_begin_object(w);
	ml_json_key(w, "error");
	ml_json_begin_object(w);
	ml_json_key(w, "at");
	if (at >= 0)
		ml_json_integer(w, at);
	else
		ml_json_null(w);
	ml_json_key(w, "text");
	ml_json_string_n(w, text, length);
	ml_json_end_object(w);
	ml_json_end_object(w);
}

static void write_reading(struct ml_json_writer *w, const struct meter_reading *reading)
{
	size_t length;
	const char *error = meter_reading_error(reading, &length);
	if (error && reading->record_count == 0 && !(reading->flags & METER_HAS_IDENTITY))
		write_error(w, reading->error_at, error, length);
	else
		meter_reading_to_json(reading, w);
}

bool decode_line(const char *line, size_t length, const char *key, size_t key_length,
	enum decode_format format, unsigned long number, struct ml_buffer *out)
{
	static const size_t block_words = BLOCK_MAX / sizeof(uint64_t);
	struct ml_error err = ML_ERROR_NONE;
	bool has_key = key != NULL;
	size_t count = 0;
	uint64_t *block = malloc(block_words * sizeof *block);
	uint8_t *bytes = malloc(TELEGRAM_MAX + 1);
	if (!block || !bytes)
		ml_error_set(&err, -ENOMEM, "out of memory");
	if (!err.code && key && !is_key(key, key_length))
		ml_error_set(&err, -EINVAL, "the key is not 32 hex digits");
	if (!err.code && !key)
		split_key(line, &length, &has_key, &err);
	if (!err.code)
		parse_hex(line, length, bytes, &count, &err);
	if (!err.code)
		decode(bytes, count, has_key, block, &err);
	const struct meter_reading *reading = (const void *)block;
	const bool ok = !err.code && !meter_reading_has_error(reading);
	if (format == DECODE_CSV && err.code) {
		decode_csv_error(out, number, &err);
	} else if (format == DECODE_CSV) {
		decode_csv_reading(out, number, reading);
	} else {
		struct ml_json_writer w;
		ml_json_writer_init(&w, out);
		w.pretty = format == DECODE_PRETTY;
		if (err.code)
			write_error(&w, err.at, err.text, strlen(err.text));
		else
			write_reading(&w, reading);
		ml_buffer_append(out, "\n", 1);
	}
	free(bytes);
	free(block);
	return ok;
}

/* ---- Input and output ---- */

struct run {
	enum decode_format format;
	unsigned long number;
	bool failed;
	struct ml_buffer out;
};

/* false: nothing can be written any more. */
static bool flush(struct run *run)
{
	const bool ok = !run->out.failed && fwrite(run->out.data ? run->out.data : "", 1,
						    run->out.length, stdout) == run->out.length;
	ml_buffer_clear(&run->out);
	return ok;
}

static bool run_one(struct run *run, const char *line, size_t length, const char *key)
{
	if (!decode_line(line, length, key, key ? strlen(key) : 0, run->format, ++run->number,
		    &run->out))
		run->failed = true;
	return flush(run);
}

static size_t trim(const char **line, size_t length)
{
	while (length && is_blank((*line)[length - 1]))
		length--;
	while (length && is_blank(**line)) {
		(*line)++;
		length--;
	}
	return length;
}

/* Reads a line without its end into `line`; what does not fit is skipped, and *length is then the
 * size. false: there is no more. */
static bool read_line(FILE *in, char *line, size_t size, size_t *length)
{
	int c;
	*length = 0;
	while ((c = getc(in)) != EOF && c != '\n') {
		if (*length < size)
			line[(*length)++] = (char)c;
	}
	return c != EOF || *length > 0;
}

static bool run_stdin(struct run *run)
{
	char *buffer = malloc(LINE_MAX_BYTES);
	size_t length;
	bool ok = buffer != NULL;
	while (ok && read_line(stdin, buffer, LINE_MAX_BYTES, &length)) {
		const char *line = buffer;
		length = trim(&line, length);
		if (length)
			ok = run_one(run, line, length, NULL);
	}
	free(buffer);
	return ok && !ferror(stdin);
}

/* A key follows its telegram, unless it is a whole frame itself. */
static bool is_key_argument(const char *argument)
{
	struct mbus_frame frame;
	uint8_t bytes[KEY_DIGITS / 2 + 1];
	size_t count;
	if (!is_key(argument, strlen(argument)))
		return false;
	return parse_hex(argument, KEY_DIGITS, bytes, &count, NULL) == 0 &&
	       mbus_frame_check(bytes, count, &frame, NULL) != MBUS_CHECK_OK;
}

static bool run_arguments(struct run *run, int argc, char **argv, int first)
{
	bool ok = true;
	for (int i = first; ok && i < argc; i++) {
		const char *line = argv[i];
		const size_t length = trim(&line, strlen(line));
		const char *key = NULL;
		if (i + 1 < argc && is_key_argument(argv[i + 1]))
			key = argv[++i];
		ok = run_one(run, line, length, key);
	}
	return ok;
}

static int usage(const char *what, const char *option)
{
	(void)fprintf(stderr, "meterloom decode: %s '%s'; `meterloom decode --help` explains it\n",
		what, option);
	return 2;
}

int decode_tool_main(int argc, char **argv, const struct ml_family *const *families)
{
	struct run run = {.format = DECODE_JSON};
	int first = 1;
	(void)families;
	for (; first < argc && argv[first][0] == '-'; first++) {
		const char *option = argv[first];
		const bool csv = strcmp(option, "--csv") == 0;
		if (strcmp(option, "--help") == 0) {
			(void)fputs(help, stdout);
			return 0;
		}
		if (!csv && strcmp(option, "--pretty") != 0)
			return usage("unknown option", option);
		if (run.format != DECODE_JSON)
			return usage("only one of --pretty and --csv, not also", option);
		run.format = csv ? DECODE_CSV : DECODE_PRETTY;
	}
	if (run.format == DECODE_CSV)
		decode_csv_header(&run.out);
	bool ok = flush(&run);
	if (ok)
		ok = first < argc ? run_arguments(&run, argc, argv, first) : run_stdin(&run);
	if (fflush(stdout) != 0)
		ok = false;
	ml_buffer_free(&run.out);
	if (!ok)
		(void)fputs("meterloom decode: cannot read or write all of it\n", stderr);
	return ok && !run.failed ? 0 : 1;
}
