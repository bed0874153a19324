/* Recordings: what is written is read again, also when it was cut off, and what is wrong is told.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mbus/recording.h"

static const char head[] = "meterloom-recording 1\n"
			   "interface serial:/dev/ttyUSB0\n"
			   "baud 2400\n"
			   "begins 2026-01-31T14:15:00.250Z\n"
			   "program Meterloom 0.1.0\n"
			   "\n";

static const char events[] = "0 = opened\n"
			     "1250 > 10 5B 05 60 16\n"
			     "54000 < E5 FF! 00!\n"
			     "# a remark of a person\n"
			     "54000 = baud 300\n"
			     "3600000000 = lost /dev/ttyUSB0 was lost: it was unplugged\n"
			     "3600000001 = ended Ctrl-C\n";

struct read {
	struct mbus_recording_reader reader;
	struct mbus_recorded events[40];
	size_t count;
	struct ml_error err;
	int result;
};

/* Reads a text in pieces of `piece` bytes. */
static void read_all(struct read *read, const char *text, size_t length, size_t piece)
{
	memset(read, 0, sizeof *read);
	read->err = ML_ERROR_NONE;
	mbus_recording_reader_init(&read->reader);
	for (size_t at = 0; at < length && read->result == 0;) {
		const size_t part = piece < length - at ? piece : length - at;
		assert_true(read->count < 40);
		struct mbus_recorded *event = &read->events[read->count];
		const ssize_t n =
			mbus_recording_feed(&read->reader, text + at, part, event, &read->err);
		if (n < 0)
			read->result = (int)n;
		else
			at += (size_t)n;
		read->count += n >= 0 && event->kind != MBUS_RECORDED_NOTHING;
	}
	if (read->result == 0)
		read->result = mbus_recording_end(&read->reader, &read->err);
}

static void what_was_written_is_read(void **state)
{
	(void)state;
	struct mbus_recording_head h = {
		.interface = "serial:/dev/ttyUSB0", .baud = 2400, .program = "Meterloom 0.1.0"};
	char text[4096];
	size_t length = 0;
	assert_true(ml_time_parse("2026-01-31T14:15:00.250Z", 24, &h.begins));
	length += mbus_recording_put_head(text, &h);
	assert_string_equal(text, head);
	const uint8_t request[] = {0x10, 0x5B, 0x05, 0x60, 0x16};
	length += mbus_recording_put_state(text + length, 0, MBUS_RECORDED_OPENED, NULL);
	length += mbus_recording_put_bytes(
		text + length, 1250, MBUS_RECORDED_MASTER, request, 5, false);
	length += mbus_recording_put_bytes(
		text + length, 54000, MBUS_RECORDED_LINE, (const uint8_t *)"\xFF", 1, true);
	length += mbus_recording_put_baud(text + length, 54000, 300);
	length +=
		mbus_recording_put_state(text + length, ML_HOUR, MBUS_RECORDED_LOST, "un\nplugged");
	length += mbus_recording_put_state(text + length, ML_HOUR, MBUS_RECORDED_ENDED, "Ctrl-C");
	struct read read;
	read_all(&read, text, length, length);
	assert_int_equal(read.result, 0);
	assert_false(read.reader.cut);
	assert_int_equal(read.count, 6);
	assert_string_equal(read.reader.head.interface, h.interface);
	assert_int_equal(read.reader.head.begins, h.begins);
	assert_int_equal(read.events[1].time, 1250);
	assert_memory_equal(read.events[1].bytes, request, 5);
	assert_false(read.events[1].bad[0]);
	assert_int_equal(read.events[2].kind, MBUS_RECORDED_LINE);
	assert_true(read.events[2].bad[0]);
	assert_int_equal(read.events[3].baud, 300);
	/* A state is one line whatever its text holds. */
	assert_string_equal(read.events[4].text, "un plugged");
	assert_int_equal(read.events[5].kind, MBUS_RECORDED_ENDED);
}

static void pieces_and_carriage_returns_change_nothing(void **state)
{
	(void)state;
	char text[1024], dos[1200];
	size_t length = (size_t)snprintf(text, sizeof text, "%s%s", head, events);
	size_t dos_length = 0;
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\n')
			dos[dos_length++] = '\r';
		dos[dos_length++] = text[i];
	}
	for (size_t piece = 1; piece < 80; piece++) {
		struct read read;
		read_all(&read, text, length, piece);
		assert_int_equal(read.result, 0);
		assert_int_equal(read.count, 6);
		assert_int_equal(read.events[2].length, 3);
		assert_false(read.events[2].bad[0]);
		assert_true(read.events[2].bad[2]);
		assert_string_equal(read.events[4].text, "/dev/ttyUSB0 was lost: it was unplugged");
		read_all(&read, dos, dos_length, piece);
		assert_int_equal(read.result, 0);
		assert_int_equal(read.count, 6);
		assert_string_equal(read.events[5].text, "Ctrl-C");
	}
}

/* Wherever it is cut, what was written whole before is there. */
static void cut_off_is_readable(void **state)
{
	(void)state;
	char text[1024];
	const size_t length = (size_t)snprintf(text, sizeof text, "%s%s", head, events);
	for (size_t cut = strlen(head); cut <= length; cut++) {
		struct read read;
		size_t whole = 0;
		for (size_t i = strlen(head); i < cut; i++)
			whole += text[i] == '\n';
		whole -= cut >= (size_t)(strstr(text, "54000 =") - text);
		read_all(&read, text, cut, cut);
		assert_int_equal(read.result, 0);
		assert_int_equal(read.count, whole);
		assert_int_equal(read.reader.cut, text[cut - 1] != '\n');
	}
	/* A power cut leaves zeros where the file had grown. */
	char zeros[4096] = {0};
	struct read read;
	memcpy(zeros, text, length);
	read_all(&read, zeros, sizeof zeros, 1000);
	assert_int_equal(read.result, 0);
	assert_int_equal(read.count, 6);
	assert_true(read.reader.cut);
}

static void what_is_wrong_is_told_with_its_place(void **state)
{
	(void)state;
	static const struct {
		const char *event;
		int column;
		const char *text;
	} cases[] = {
		{"x > 10", 1, "expected microseconds"},
		{"5", 1, "expected microseconds"},
		{"5 ", 1, "expected microseconds"},
		{"5 ? 10", 3, "expected > (from the master)"},
		{"5 > ", 5, "no bytes"},
		{"5 > 10 5", 8, "expected bytes in hex"},
		{"5 > 10 5G", 8, "expected bytes in hex"},
		{"5 > 105B", 5, "expected bytes in hex"},
		{"5 > 10!!", 5, "expected bytes in hex"},
		{"5 = flown", 5, "expected opened"},
		{"5 = baud much", 10, "expected a baud rate"},
		{"4 > 10", 1, "is before that of the event above"},
		{"9999999999999999999 > 10", 1, "expected microseconds"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[1024];
		struct read read;
		const int length =
			snprintf(text, sizeof text, "%s5 = opened\n%s\n", head, cases[i].event);
		read_all(&read, text, (size_t)length, 7);
		assert_int_equal(read.result, -EINVAL);
		if (!strstr(read.err.text, cases[i].text))
			fail_msg("%s: %s", cases[i].event, read.err.text);
		assert_int_equal(read.err.line, 8);
		assert_int_equal(read.err.column, cases[i].column);
	}
	static const struct {
		const char *text, *says;
		int line;
	} heads[] = {
		{"", "it ends here", 1},
		{"PNG\r\n", "is this a recording", 1},
		{"meterloom-recording 2\n", "this program knows format 1", 1},
		{"meterloom-recording 1\ncolour red\n", "expected interface, baud", 2},
		{"meterloom-recording 1\nbaud 2400\n0 = opened\n", "before the line", 3},
		{"meterloom-recording 1\nbaud 2400\nbegins today\n", "expected a time", 3},
		{"meterloom-recording 1\nbaud 2400\n", "it ends here", 3},
	};
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		struct read read;
		read_all(&read, heads[i].text, strlen(heads[i].text), 5);
		assert_int_equal(read.result, -EINVAL);
		if (!strstr(read.err.text, heads[i].says))
			fail_msg("%s: %s", heads[i].text, read.err.text);
		assert_int_equal(read.err.line, heads[i].line);
	}
}

static void too_long_a_line_is_no_recording(void **state)
{
	(void)state;
	static char text[8000];
	struct read read;
	memset(text, 'A', sizeof text);
	read_all(&read, text, sizeof text, 100);
	assert_int_equal(read.result, -EINVAL);
	assert_non_null(strstr(read.err.text, "is this a recording?"));
}

/* The longest event fits into a line that is read. */
static void longest_event_is_read(void **state)
{
	(void)state;
	uint8_t bytes[MBUS_RECORDED_BYTES_MAX];
	char text[MBUS_RECORDING_HEAD_MAX + MBUS_RECORDING_LINE_MAX];
	struct read read;
	memset(bytes, 0xA5, sizeof bytes);
	size_t length = (size_t)sprintf(text, "%s", head);
	length += mbus_recording_put_bytes(
		text + length, 999999999999999, MBUS_RECORDED_LINE, bytes, sizeof bytes, true);
	read_all(&read, text, length, 64);
	assert_int_equal(read.result, 0);
	assert_int_equal(read.count, 1);
	assert_int_equal(read.events[0].length, MBUS_RECORDED_BYTES_MAX);
	assert_memory_equal(read.events[0].bytes, bytes, sizeof bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(pieces_and_carriage_returns_change_nothing),
		cmocka_unit_test(cut_off_is_readable),
		cmocka_unit_test(what_is_wrong_is_told_with_its_place),
		cmocka_unit_test(too_long_a_line_is_no_recording),
		cmocka_unit_test(longest_event_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
