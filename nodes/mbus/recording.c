/* Recordings of what goes over the interface of a bus.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/recording.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <meterloom/json.h>

#define MAGIC "meterloom-recording"

enum {
	TIME_DIGITS = 15, /* 31 years of microseconds */
	BAUD_DIGITS = 6,
	SHOWN = 24, /* of what was found, in an error */
};

/* ---- Writing ---- */

/* One line of text: what would end it, or is not to be seen, is left out. */
static size_t put_text(char *out, const char *text)
{
	size_t length = 0;
	for (; *text && length < MBUS_RECORDED_TEXT_MAX - 1; text++)
		out[length++] = (unsigned char)*text < 0x20 || *text == 0x7F ? ' ' : *text;
	out[length] = '\0';
	return length;
}

size_t mbus_recording_put_head(char *out, const struct mbus_recording_head *head)
{
	char time[ML_TIME_TEXT_MAX];
	size_t length = (size_t)sprintf(out, MAGIC " %d\ninterface ", MBUS_RECORDING_VERSION);
	length += put_text(out + length, head->interface);
	ml_time_format(head->begins, time);
	length += (size_t)sprintf(out + length, "\nbaud %u\nbegins %s\nprogram ", head->baud, time);
	length += put_text(out + length, head->program);
	length += (size_t)sprintf(out + length, "\n\n");
	return length;
}

size_t mbus_recording_put_bytes(char *out, ml_time time, enum mbus_recorded_kind kind,
	const uint8_t *bytes, size_t length, bool bad)
{
	static const char digits[] = "0123456789ABCDEF";
	char *at = out;
	at += sprintf(at, "%" PRId64 " %c", time, kind == MBUS_RECORDED_MASTER ? '>' : '<');
	for (size_t i = 0; i < length && i < MBUS_RECORDED_BYTES_MAX; i++) {
		*at++ = ' ';
		*at++ = digits[bytes[i] >> 4];
		*at++ = digits[bytes[i] & 0xF];
		if (bad)
			*at++ = '!';
	}
	*at++ = '\n';
	*at = '\0';
	return (size_t)(at - out);
}

size_t mbus_recording_put_baud(char *out, ml_time time, unsigned baud)
{
	return (size_t)sprintf(out, "%" PRId64 " = baud %u\n", time, baud);
}

size_t mbus_recording_put_state(
	char *out, ml_time time, enum mbus_recorded_kind kind, const char *text)
{
	const char *word = kind == MBUS_RECORDED_OPENED ? "opened"
			   : kind == MBUS_RECORDED_LOST ? "lost"
							: "ended";
	size_t length = (size_t)sprintf(out, "%" PRId64 " = %s", time, word);
	if (text && text[0]) {
		out[length++] = ' ';
		length += put_text(out + length, text);
	}
	out[length++] = '\n';
	out[length] = '\0';
	return length;
}

/* ---- Reading ---- */

void mbus_recording_reader_init(struct mbus_recording_reader *r)
{
	memset(r, 0, sizeof *r);
}

static int complain(const struct mbus_recording_reader *r, const char *at, struct ml_error *err,
	const char *format, ...) ML_PRINTF(4, 5);

static int complain(const struct mbus_recording_reader *r, const char *at, struct ml_error *err,
	const char *format, ...)
{
	char text[ML_ERROR_TEXT_MAX];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (err && err->code == 0) {
		ml_error_set(err, -EINVAL, "%s", text);
		err->line = r->line;
		err->column = (int)(at - r->text) + 1;
	}
	return -EINVAL;
}

/* How much of what was found is shown: printable ASCII only, as the file may be of any kind. */
static int shown(const char *at)
{
	int length = 0;
	while (length < SHOWN && at[length] >= 0x20 && at[length] < 0x7F)
		length++;
	return length;
}

/* Reads a whole number that ends where `*at` is moved to. false: none, or too many digits. */
static bool read_number(const char **at, unsigned digits, uint64_t *value)
{
	const char *c = *at;
	*value = 0;
	while (*c >= '0' && *c <= '9' && c - *at < (ptrdiff_t)digits)
		*value = *value * 10 + (uint64_t)(*c++ - '0');
	const bool good = c > *at && (*c < '0' || *c > '9');
	*at = c;
	return good;
}

static int read_baud(
	const struct mbus_recording_reader *r, const char *at, unsigned *baud, struct ml_error *err)
{
	uint64_t value = 0;
	const char *end = at;
	if (!read_number(&end, BAUD_DIGITS, &value) || *end != '\0' || value < 50)
		return complain(
			r, at, err, "'%.*s': expected a baud rate, such as 2400", shown(at), at);
	*baud = (unsigned)value;
	return 0;
}

static void copy_text(char out[MBUS_RECORDED_TEXT_MAX], const char *from)
{
	(void)snprintf(out, MBUS_RECORDED_TEXT_MAX, "%s", from);
}

/* The value behind the name at the beginning of a line; NULL: it has another name. */
static const char *value_of(const char *line, const char *name)
{
	const size_t length = strlen(name);
	if (strncmp(line, name, length) != 0)
		return NULL;
	return line[length] == ' ' ? line + length + 1 : line[length] ? NULL : line + length;
}

static int read_first_line(struct mbus_recording_reader *r, struct ml_error *err)
{
	const char *at = value_of(r->text, MAGIC);
	const char *end = at;
	uint64_t version = 0;
	if (!at || !read_number(&end, BAUD_DIGITS, &version) || *end != '\0')
		return complain(r, r->text, err,
			"'%.*s': expected '" MAGIC
			" %d': is this a recording of `meterloom record`?",
			shown(r->text), r->text, MBUS_RECORDING_VERSION);
	if (version != MBUS_RECORDING_VERSION)
		return complain(r, at, err,
			"a recording of format %llu: this program knows format %d; use the one "
			"that wrote it, or a newer one",
			(unsigned long long)version, MBUS_RECORDING_VERSION);
	r->begun = true;
	return 0;
}

static int read_head_line(struct mbus_recording_reader *r, struct ml_error *err)
{
	const char *value = NULL;
	if ((value = value_of(r->text, "interface"))) {
		copy_text(r->head.interface, value);
	} else if ((value = value_of(r->text, "program"))) {
		copy_text(r->head.program, value);
	} else if ((value = value_of(r->text, "baud"))) {
		r->has_baud = true;
		return read_baud(r, value, &r->head.baud, err);
	} else if ((value = value_of(r->text, "begins"))) {
		r->has_begins = true;
		if (!ml_time_parse(value, strlen(value), &r->head.begins))
			return complain(r, value, err,
				"'%.*s': expected a time, such as 2026-01-31T14:15:00.000Z",
				shown(value), value);
	} else {
		return complain(r, r->text, err,
			"'%.*s': expected interface, baud, begins or program, or the first event, "
			"such as '1250 > 10 5B 05 60 16'",
			shown(r->text), r->text);
	}
	return 0;
}

static int read_bytes(const struct mbus_recording_reader *r, const char *at,
	struct mbus_recorded *event, struct ml_error *err)
{
	while (*at == ' ')
		at++;
	while (*at) {
		const int high = ml_hex_value(at[0]);
		const int low = high < 0 ? -1 : ml_hex_value(at[1]);
		const char *end = at + (low < 0 ? 0 : 2);
		const bool bad = *end == '!';
		end += bad;
		if (low < 0 || (*end != ' ' && *end != '\0'))
			return complain(r, at, err,
				"'%.*s': expected bytes in hex with a space between two, such as "
				"'10 5B!', where ! marks one with a parity or framing error",
				shown(at), at);
		if (event->length == MBUS_RECORDED_BYTES_MAX)
			return complain(r, at, err, "more than %d bytes: expected another line",
				MBUS_RECORDED_BYTES_MAX);
		event->bytes[event->length] = (uint8_t)(high << 4 | low);
		event->bad[event->length++] = bad;
		for (at = end; *at == ' '; at++)
			;
	}
	return event->length > 0 ? 0 : complain(r, at, err, "no bytes: expected some in hex");
}

static int read_state(const struct mbus_recording_reader *r, const char *at,
	struct mbus_recorded *event, struct ml_error *err)
{
	static const struct {
		const char *word;
		enum mbus_recorded_kind kind;
	} words[] = {{"opened", MBUS_RECORDED_OPENED}, {"lost", MBUS_RECORDED_LOST},
		{"baud", MBUS_RECORDED_BAUD}, {"ended", MBUS_RECORDED_ENDED}};
	at += *at == ' ';
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		const char *value = value_of(at, words[i].word);
		if (!value)
			continue;
		event->kind = words[i].kind;
		if (event->kind == MBUS_RECORDED_BAUD)
			return read_baud(r, value, &event->baud, err);
		copy_text(event->text, value);
		return 0;
	}
	return complain(r, at, err, "'%.*s': expected opened, lost, baud or ended", shown(at), at);
}

static int read_event(
	struct mbus_recording_reader *r, struct mbus_recorded *event, struct ml_error *err)
{
	const char *at = r->text;
	uint64_t time = 0;
	if (!r->has_baud || !r->has_begins)
		return complain(r, at, err,
			"an event before the line 'baud' or 'begins': expected these first");
	if (!read_number(&at, TIME_DIGITS, &time) || at[0] != ' ' || at[1] == '\0')
		return complain(r, r->text, err,
			"'%.*s': expected microseconds, a space, and >, < or =", shown(r->text),
			r->text);
	if ((ml_time)time < r->last)
		return complain(r, r->text, err,
			"the time %" PRIu64 " is before that of the event above, %" PRId64, time,
			r->last);
	r->in_events = true;
	r->last = event->time = (ml_time)time;
	const char sign = *++at;
	at++;
	switch (sign) {
	case '>':
		event->kind = MBUS_RECORDED_MASTER;
		return read_bytes(r, at, event, err);
	case '<':
		event->kind = MBUS_RECORDED_LINE;
		return read_bytes(r, at, event, err);
	case '=':
		return read_state(r, at, event, err);
	default:
		return complain(r, at - 1, err,
			"'%.*s': expected > (from the master), < (from the line) or = (a state)",
			shown(at - 1), at - 1);
	}
}

/* A whole line stands in r->text. */
static int read_line(
	struct mbus_recording_reader *r, struct mbus_recorded *event, struct ml_error *err)
{
	r->line++;
	if (r->used > 0 && r->text[r->used - 1] == '\r')
		r->used--;
	r->text[r->used] = '\0';
	if (strlen(r->text) != r->used)
		return complain(r, r->text + strlen(r->text), err,
			"a byte 0: this is not the text of a recording");
	r->used = 0;
	if (!r->begun)
		return read_first_line(r, err);
	if (r->text[0] == '\0' || r->text[0] == '#')
		return 0;
	if (r->in_events || (r->text[0] >= '0' && r->text[0] <= '9'))
		return read_event(r, event, err);
	return read_head_line(r, err);
}

ssize_t mbus_recording_feed(struct mbus_recording_reader *r, const char *text, size_t length,
	struct mbus_recorded *event, struct ml_error *err)
{
	size_t taken = 0;
	event->kind = MBUS_RECORDED_NOTHING;
	event->length = 0;
	event->text[0] = '\0';
	while (taken < length) {
		/* What a power cut leaves of a file that grew: nothing of it is text. */
		r->over = r->over || (r->in_events && r->used == 0 && text[taken] == '\0');
		if (r->over)
			return (ssize_t)length;
		const char *end = memchr(text + taken, '\n', length - taken);
		const size_t part = (end ? (size_t)(end - text) : length) - taken;
		if (part >= sizeof r->text - r->used) {
			r->line++;
			return complain(r, r->text, err,
				"a line of more than %zu characters: is this a recording?",
				sizeof r->text - 1);
		}
		memcpy(r->text + r->used, text + taken, part);
		r->used += part;
		taken += part + (end != NULL);
		if (!end)
			break;
		const int result = read_line(r, event, err);
		if (result < 0)
			return result;
		if (event->kind != MBUS_RECORDED_NOTHING)
			break;
	}
	return (ssize_t)taken;
}

int mbus_recording_end(struct mbus_recording_reader *r, struct ml_error *err)
{
	r->cut = r->used > 0 || r->over;
	r->used = 0;
	if (r->begun && r->has_baud && r->has_begins)
		return 0;
	r->line++;
	return complain(r, r->text, err,
		"it ends here: expected the head of a recording, from '" MAGIC " %d' to 'begins'",
		MBUS_RECORDING_VERSION);
}
