/* Recordings played back: what is asked is found, and what followed comes as it came; and what a
 * recording says, in words. SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <meterloom/json.h>

#include "mbus/frame.h"
#include "sim/recording_list.h"
#include "sim/recording_print.h"
#include "sim/replay.h"
#include "sim/tap.h"

#define HEAD "meterloom-recording 1\nbaud 2400\nbegins 2026-03-01T00:00:00Z\n"
#define NKE_5 "10 40 05 45 16"
#define REQ_5 "10 5B 05 60 16" /* FCB 0 */
#define REQ_5_FCB "10 7B 05 80 16"

static char path[64];

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(path, sizeof path, "/tmp/replay-XXXXXX");
	const int fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

static void write_recording(const char *events)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	(void)fputs(HEAD, file);
	(void)fputs(events, file);
	assert_int_equal(fclose(file), 0);
}

static struct sim_replay *open_recording(const char *events)
{
	struct sim_replay *r = NULL;
	struct ml_error err = ML_ERROR_NONE;
	write_recording(events);
	if (sim_replay_open(path, &r, &err) < 0)
		fail_msg("%s", err.text);
	return r;
}

static void say(struct sim_replay *r, const char *hex, ml_time now)
{
	uint8_t bytes[64];
	size_t length = 0;
	for (const char *c = hex; *c; c += c[2] ? 3 : 2)
		bytes[length++] = (uint8_t)strtoul(c, NULL, 16);
	sim_replay_received(r, bytes, length, now);
}

/* What comes next, as "TIME HEX", with ! behind it where it is damaged; "" for nothing. */
static const char *next(struct sim_replay *r)
{
	static char text[200];
	const uint8_t *bytes = NULL;
	bool damaged = false;
	const ml_time when = sim_replay_when(r);
	text[0] = '\0';
	if (when == ML_NEVER)
		return text;
	assert_int_equal(sim_replay_take(r, when - 1, &bytes, &damaged), 0);
	const size_t length = sim_replay_take(r, when, &bytes, &damaged);
	assert_true(length > 0);
	int used = snprintf(text, sizeof text, "%lld", (long long)when);
	for (size_t i = 0; i < length; i++)
		used += snprintf(text + used, sizeof text - (size_t)used, " %02X%s", bytes[i],
			damaged ? "!" : "");
	return text;
}

static void what_followed_comes_after_the_same_time(void **state)
{
	(void)state;
	struct sim_replay *r = open_recording("0 = opened\n"
					      "1000 > " NKE_5 "\n"
					      "51000 < E5\n"
					      "60000 > " REQ_5_FCB "\n"
					      "110000 < 68 03! 03\n"
					      "120000 < 68\n");
	assert_int_equal(sim_replay_questions(r), 2);
	sim_replay_begin(r, 5000);
	assert_string_equal(next(r), "");
	say(r, NKE_5, 7000);
	assert_string_equal(next(r), "57000 E5");
	assert_string_equal(next(r), "");
	say(r, REQ_5_FCB, 60000);
	assert_string_equal(next(r), "110000 68");
	assert_string_equal(next(r), "110000 03!");
	assert_string_equal(next(r), "110000 03");
	assert_string_equal(next(r), "120000 68");
	assert_string_equal(next(r), "");
	sim_replay_free(r);
}

static void next_equal_one_is_taken_and_then_from_the_beginning(void **state)
{
	(void)state;
	struct sim_replay *r = open_recording("1000 > " NKE_5 "\n"
					      "2000 < 01\n"
					      "3000 > " NKE_5 "\n"
					      "300000 > " NKE_5 "\n"
					      "300500 < 03\n");
	sim_replay_begin(r, 0);
	say(r, NKE_5, 10000);
	assert_string_equal(next(r), "11000 01");
	/* The second time nobody answered. */
	say(r, NKE_5, 20000);
	assert_string_equal(next(r), "");
	say(r, NKE_5, 30000);
	assert_string_equal(next(r), "30500 03");
	say(r, NKE_5, 40000);
	assert_string_equal(next(r), "41000 01");
	assert_int_equal(sim_replay_tally(r).asked, 4);
	assert_int_equal(sim_replay_tally(r).unknown, 0);
	sim_replay_free(r);
}

static void what_was_not_asked_there_gets_no_answer(void **state)
{
	(void)state;
	struct sim_replay *r = open_recording("1000 > " REQ_5 "\n"
					      "2000 < 01\n"
					      "9000 < 02\n");
	sim_replay_begin(r, 0);
	say(r, REQ_5, 10000);
	assert_string_equal(next(r), "11000 01");
	/* Another frame and half a frame: what was on its way goes on coming. */
	say(r, NKE_5, 12000);
	say(r, "10 5B 05", 13000);
	assert_string_equal(next(r), "18000 02");
	assert_string_equal(next(r), "");
	assert_int_equal(sim_replay_tally(r).unknown, 1);
	/* The other frame count bit is asked for only where there is none of the right one. */
	say(r, REQ_5_FCB, 1000000);
	assert_string_equal(next(r), "1001000 01");
	sim_replay_free(r);
	r = open_recording("1000 > " REQ_5 "\n2000 < 01\n3000 > " REQ_5_FCB "\n4000 < 02\n");
	sim_replay_begin(r, 0);
	say(r, REQ_5_FCB, 0);
	assert_string_equal(next(r), "1000 02");
	say(r, REQ_5, 10000);
	assert_string_equal(next(r), "11000 01");
	sim_replay_free(r);
}

static void next_question_ends_the_answer_before(void **state)
{
	(void)state;
	struct sim_replay *r = open_recording("0 > " NKE_5 "\n"
					      "1000 < 01\n"
					      "9000 < 02\n"
					      "20000 > " REQ_5 "\n"
					      "21000 < 03\n");
	sim_replay_begin(r, 0);
	say(r, NKE_5, 100);
	assert_string_equal(next(r), "1100 01");
	say(r, REQ_5, 2000);
	assert_string_equal(next(r), "3000 03");
	assert_string_equal(next(r), "");
	say(r, NKE_5, 10000);
	sim_replay_discard(r);
	assert_string_equal(next(r), "");
	sim_replay_free(r);
}

static void unasked_bytes_come_from_the_beginning(void **state)
{
	(void)state;
	struct sim_replay *r = open_recording("500 < AA\n"
					      "600 < BB!\n"
					      "1000 > " NKE_5 "\n"
					      "2000 < 01\n");
	sim_replay_begin(r, 7000);
	assert_string_equal(next(r), "7500 AA");
	assert_string_equal(next(r), "7600 BB!");
	assert_string_equal(next(r), "");
	sim_replay_free(r);
	/* A tap on one side. */
	r = open_recording("500 < AA\n90000000 < BB\n");
	sim_replay_begin(r, 0);
	assert_string_equal(next(r), "500 AA");
	say(r, NKE_5, 600);
	assert_string_equal(next(r), "90000000 BB");
	sim_replay_free(r);
}

static void rate_must_be_that_of_the_recording(void **state)
{
	(void)state;
	struct sim_replay *r = open_recording("0 > " NKE_5 "\n"
					      "1000 < 01\n"
					      "2000 = baud 300\n"
					      "3000 > " NKE_5 "\n"
					      "3500 < 02\n");
	assert_int_equal(sim_replay_baud(r), 2400);
	sim_replay_begin(r, 0);
	sim_replay_set_baud(r, 300);
	say(r, NKE_5, 10000);
	assert_string_equal(next(r), "10500 02");
	sim_replay_set_baud(r, 9600);
	say(r, NKE_5, 20000);
	assert_string_equal(next(r), "");
	sim_replay_set_baud(r, 2400);
	say(r, NKE_5, 30000);
	assert_string_equal(next(r), "31000 01");
	say(r, NKE_5, 40000);
	assert_string_equal(next(r), "41000 01");
	sim_replay_free(r);
}

static void frames_in_pieces_are_frames(void **state)
{
	(void)state;
	struct sim_replay *r = open_recording("0 > 10 40\n"
					      "1000 > 05 45 16 10 5B\n"
					      "2000 > 05 60 16\n"
					      "3000 < 01\n");
	assert_int_equal(sim_replay_questions(r), 2);
	sim_replay_begin(r, 0);
	say(r, "10 5B", 10000);
	say(r, "05 60 16", 11000);
	assert_string_equal(next(r), "12000 01");
	sim_replay_free(r);
}

/* ---- In words ---- */

static void items_are_told(void **state)
{
	(void)state;
	static const char recorded[] = "0 = opened\n"
				       "1000 > " NKE_5 "\n"
				       "300000 > " NKE_5 "\n"
				       "350000 < E5\n"
				       "400000 > " REQ_5_FCB "\n"
				       "440000 < 10 7B 05 80 16\n"
				       "460000 < 68 03 03 68 08 05 72 00 16\n"
				       "1500000 > " REQ_5_FCB "\n"
				       "1600000 < 01 02! 03\n"
				       "3000000 > 68 03 03 68 53 FE BB 0C 16\n"
				       "3100000 = baud 2400\n"
				       "86400000000 = lost unplugged\n";
	static const char expected[] =
		"# a bus at 2400 baud\n"
		"# 2026-03-01 UTC\n"
		"00:00:00.000 = the interface is open\n"
		"00:00:00.001 > SND_NKE to 5\n"
		"00:00:00.001   no answer for 299 ms\n"
		"00:00:00.300 > SND_NKE to 5, again (1)\n"
		"00:00:00.350 < E5h, after 50 ms\n"
		"00:00:00.400 > REQ_UD2 to 5, FCB 1\n"
		"00:00:00.440 < echo of the master, after 40 ms\n"
		"00:00:00.460 < a frame of 9 bytes with a wrong checksum or end: "
		"68 03 03 68 08 05 72 00 16, after 60 ms\n"
		"00:00:01.500 > REQ_UD2 to 5, FCB 1, again (1)\n"
		"00:00:01.600 < 3 bytes that make no frame, 1 byte with parity or framing "
		"errors: 01 02 03, after 100 ms\n"
		"00:00:03.000 > SND_UD to all (254): speak at 2400 baud from now on\n"
		"00:00:03.100 = 2400 baud from now on\n"
		"00:00:03.000   no answer for 23 h\n"
		"# 2026-03-02 UTC\n"
		"00:00:00.000 = the interface is lost: unplugged\n"
		"# 24 h; frames of the master: 5, from the line: 1, without an answer: 2, "
		"damaged: 1; bytes of noise: 3, with errors: 1\n";
	char text[4096];
	int ends[2];
	write_recording(recorded);
	assert_int_equal(pipe(ends), 0);
	(void)fflush(stdout);
	const int kept = dup(STDOUT_FILENO);
	assert_true(dup2(ends[1], STDOUT_FILENO) >= 0);
	const int code = sim_print_file("test", path, false);
	(void)fflush(stdout);
	assert_true(dup2(kept, STDOUT_FILENO) >= 0);
	(void)close(kept);
	(void)close(ends[1]);
	size_t length = 0;
	ssize_t n = 0;
	while ((n = read(ends[0], text + length, sizeof text - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = '\0';
	(void)close(ends[0]);
	assert_int_equal(code, 0);
	assert_string_equal(text, expected);
}

static void meters_that_answered_are_listed_once(void **state)
{
	(void)state;
	struct ml_buffer out = {0};
	struct ml_error err = ML_ERROR_NONE;
	char events[2000], hex[200] = "";
	uint8_t frame[MBUS_FRAME_MAX];
	static const uint8_t data[] = {
		0x78, 0x56, 0x34, 0x12, 0x77, 0x04, 0x0E, 0x16, 0x01, 0x00, 0x00, 0x00};
	const size_t length = mbus_build_long(frame, 0x08, 5, 0x72, data, sizeof data);
	for (size_t i = 0; i < length; i++)
		(void)snprintf(hex + 3 * i, 4, " %02X", frame[i]);
	(void)snprintf(events, sizeof events,
		"0 > " REQ_5 "\n1 <%s\n2 > " REQ_5 "\n3 <%s\n4 > 10 5B FD 58 16\n5 <%s\n", hex, hex,
		hex);
	/* The last time it was asked by a selection. */
	write_recording(events);
	assert_int_equal(sim_recording_list(path, "", false, &out, &err), 1);
	assert_non_null(strstr(out.data, ",12345678.ACW.0E.16,2400,secondary,5,,,active\r\n"));
	ml_buffer_free(&out);
	*strstr(events, "4 > ") = '\0';
	write_recording(events);
	assert_int_equal(sim_recording_list(path, "north", true, &out, &err), 1);
	assert_non_null(strstr(out.data, "\"mode\": \"primary\""));
	assert_non_null(strstr(out.data, "\"primary_address\": 5"));
	assert_non_null(strstr(out.data, "\"bus\": \"north\""));
	ml_buffer_free(&out);
}

/* ---- A tap ---- */

static void write_down(
	void *user, ml_time time, bool master, bool damaged, const uint8_t *bytes, size_t length)
{
	char *text = user;
	size_t used = strlen(text);
	used += (size_t)sprintf(text + used, "%lld %c", (long long)time, master ? '>' : '<');
	for (size_t i = 0; i < length; i++)
		used += (size_t)sprintf(text + used, " %02X%s", bytes[i], damaged ? "!" : "");
	(void)sprintf(text + used, "\n");
}

static void tap_tells_the_sides_apart(void **state)
{
	(void)state;
	static const uint8_t line[] = {0x10, 0x40, 0x05, 0x45, 0x16, 0xE5, 0x68, 0x03, 0x03, 0x68,
		0x53, 0xFD, 0x50, 0xA0, 0x16, 0x68, 0x03, 0x03, 0x68, 0x08, 0x05, 0x72, 0x7F, 0x16,
		0x68, 0x10, 0x7B, 0x05, 0x80, 0x16, 0x10};
	char text[2000] = "";
	struct sim_tap tap;
	sim_tap_init(&tap, text, write_down);
	sim_tap_bytes(&tap, 5, false, line, sizeof line);
	sim_tap_flush(&tap);
	assert_string_equal(text, "5 > 10 40 05 45 16\n"
				  "5 < E5\n"
				  "5 > 68 03 03 68 53 FD 50 A0 16\n"
				  "5 < 68 03 03 68 08 05 72 7F 16 68\n"
				  "5 > 10 7B 05 80 16\n"
				  "5 < 10\n");
	/* Byte by byte, each at its time; the first two wait for each other. */
	text[0] = '\0';
	sim_tap_init(&tap, text, write_down);
	for (size_t i = 0; i < 6; i++)
		sim_tap_bytes(&tap, (ml_time)i, i == 2, &line[i], 1);
	assert_string_equal(text, "0 > 10 40\n2 > 05!\n3 > 45\n4 > 16\n5 < E5\n");
	/* The rest of a frame that broke off is not waited for. */
	text[0] = '\0';
	sim_tap_bytes(&tap, ML_SEC, false, line, 3);
	sim_tap_bytes(&tap, 3 * ML_SEC, false, (const uint8_t *)"\xE5", 1);
	assert_string_equal(text, "1000000 > 10 40 05\n3000000 < E5\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_followed_comes_after_the_same_time),
		TEST(next_equal_one_is_taken_and_then_from_the_beginning),
		TEST(what_was_not_asked_there_gets_no_answer),
		TEST(next_question_ends_the_answer_before),
		TEST(unasked_bytes_come_from_the_beginning),
		TEST(rate_must_be_that_of_the_recording),
		TEST(frames_in_pieces_are_frames),
		TEST(items_are_told),
		TEST(meters_that_answered_are_listed_once),
		TEST(tap_tells_the_sides_apart),
	};
#undef TEST
	return cmocka_run_group_tests(tests, NULL, NULL);
}
