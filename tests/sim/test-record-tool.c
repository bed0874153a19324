/* `meterloom record` as a person runs it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Usage: test-sim-record-tool PROGRAM
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include <meterloom/files.h>

#include "mbus/frame.h"
#include "sim/run.h"

enum { LOOK_AGAIN = 20 /* ms */ };

static const char *program;
static char folder[64];

struct names {
	char bus[96], tap[96], out[96], interface[128];
};

static int set_up(void **state)
{
	static struct names names;
	*state = &names;
	(void)snprintf(folder, sizeof folder, "/tmp/record-tool-XXXXXX");
	assert_non_null(mkdtemp(folder));
	(void)snprintf(names.bus, sizeof names.bus, "%s/bus", folder);
	(void)snprintf(names.tap, sizeof names.tap, "%s/tap", folder);
	(void)snprintf(names.out, sizeof names.out, "%s/bus.txt", folder);
	(void)snprintf(names.interface, sizeof names.interface, "serial:%s", names.bus);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return ml_files_remove_tree(&ml_files_system, folder);
}

/* ---- A master ---- */

static int open_terminal(const char *device, speed_t speed)
{
	struct termios t;
	const int fd = open(device, O_RDWR | O_NOCTTY);
	assert_true(fd >= 0);
	assert_int_equal(tcgetattr(fd, &t), 0);
	cfmakeraw(&t);
	(void)cfsetspeed(&t, speed);
	assert_int_equal(tcsetattr(fd, TCSANOW, &t), 0);
	return fd;
}

/* Asks the meter at `address` and gives the answer. */
static size_t ask(int fd, uint8_t address, uint8_t answer[MBUS_FRAME_MAX])
{
	uint8_t bytes[MBUS_FRAME_MAX];
	struct mbus_parser parser;
	struct mbus_frame frame = {0};
	mbus_parser_init(&parser);
	for (int step = 0; step < 2; step++) {
		const size_t length = step == 0 ? mbus_build_snd_nke(bytes, address)
						: mbus_build_req_ud2(bytes, address, true);
		assert_int_equal(write(fd, bytes, length), (ssize_t)length);
		frame.kind = 0;
		while (frame.kind == 0) {
			uint8_t byte = 0;
			struct pollfd p = {.fd = fd, .events = POLLIN};
			assert_int_equal(poll(&p, 1, RUN_PATIENCE), 1);
			assert_int_equal(read(fd, &byte, 1), 1);
			(void)mbus_parser_feed(&parser, &byte, 1, &frame);
		}
	}
	assert_int_equal(frame.kind, MBUS_FRAME_LONG);
	memcpy(answer, frame.bytes, frame.length);
	return frame.length;
}

static void begin_meters(struct run *meters, const struct names *n)
{
	run_begin(meters, program, (const char *[]){"sim", "--meters", "2", "--link", n->bus, NULL},
		0);
	run_listen_for(meters, "2 meters at");
}

/* Records the bus to a file, for a master at the tap. */
static void begin_record(struct run *record, const struct names *n, long file_limit)
{
	run_begin(record, program,
		(const char *[]){"record", n->interface, "--link", n->tap, "--out", n->out, NULL},
		file_limit);
	run_listen_for(record, "the master's interface is");
}

/* Reads a file until it holds `part`. */
static void await_in_file(const char *path, const char *part, char *text, size_t size)
{
	for (int waited = 0; waited < RUN_PATIENCE; waited += LOOK_AGAIN) {
		FILE *file = fopen(path, "rb");
		const size_t length = file ? fread(text, 1, size - 1, file) : 0;
		text[length] = '\0';
		if (file)
			(void)fclose(file);
		if (strstr(text, part))
			return;
		(void)poll(NULL, 0, LOOK_AGAIN);
	}
	fail_msg("%s never holds '%s' but: %s", path, part, text);
}

/* ---- Between a master and its adapter ---- */

static void what_went_through_is_kept_explained_and_played_back(void **state)
{
	const struct names *n = *state;
	struct run meters, record, shown, replay;
	uint8_t then[MBUS_FRAME_MAX], now[MBUS_FRAME_MAX];
	begin_meters(&meters, n);
	run_begin(&record, program,
		(const char *[]){"record", n->interface, "--link", n->tap, "--out", n->out,
			"--explain", NULL},
		0);
	run_listen_for(&record, "the master's interface is serial:");
	int fd = open_terminal(n->tap, B2400);
	const size_t length = ask(fd, 1, then);
	run_listen_for(&record, "< RSP_UD of 1: ");
	(void)close(fd);
	assert_int_equal(run_end(&record, SIGINT), 0);
	assert_non_null(strstr(record.text, "> SND_NKE to 1\n"));
	assert_non_null(strstr(record.text, "> REQ_UD2 to 1, FCB 1\n"));
	assert_non_null(strstr(record.text, "ended by Ctrl-C"));
	assert_int_equal(run_end(&meters, SIGTERM), 0);
	/* The link to the terminal is gone. */
	assert_int_not_equal(access(n->tap, F_OK), 0);

	assert_int_equal(
		run_whole(&shown, program, (const char *[]){"record", "--show", n->out, NULL}), 0);
	assert_non_null(strstr(shown.text, "> REQ_UD2 to 1, FCB 1\n"));
	assert_non_null(strstr(shown.text, "frames of the master: 2, from the line: 2,"));
	assert_non_null(strstr(shown.text, "= the recording ends: Ctrl-C"));
	assert_int_equal(run_whole(&shown, program,
				 (const char *[]){"record", "--show", n->out, "--json", NULL}),
		0);
	assert_non_null(strstr(shown.text, "\"frame\":\"REQ_UD2\""));

	assert_int_equal(run_whole(&shown, program,
				 (const char *[]){"sim", "--replay", n->out, "--list", "-", NULL}),
		0);
	assert_non_null(strstr(shown.text, ",2400,primary,1,,,active\r\n"));
	run_begin(&replay, program,
		(const char *[]){"sim", "--replay", n->out, "--link", n->bus, NULL}, 0);
	run_listen_for(&replay, "2 frames of its master are known");
	fd = open_terminal(n->bus, B2400);
	assert_int_equal(ask(fd, 1, now), length);
	assert_memory_equal(now, then, length);
	(void)close(fd);
	assert_int_equal(run_end(&replay, SIGTERM), 0);
}

static void rate_of_the_master_is_taken_over(void **state)
{
	const struct names *n = *state;
	struct run meters, record;
	uint8_t answer[MBUS_FRAME_MAX];
	char text[4096];
	run_begin(&meters, program,
		(const char *[]){"sim", "--meters", "2", "--link", n->bus, "--baud", "9600", NULL},
		0);
	run_listen_for(&meters, "2 meters at");
	begin_record(&record, n, 0);
	const int fd = open_terminal(n->tap, B9600);
	/* At 2400 baud no meter would understand. */
	assert_true(ask(fd, 1, answer) > 0);
	(void)close(fd);
	assert_int_equal(run_end(&record, SIGTERM), 0);
	await_in_file(n->out, " = baud 9600\n", text, sizeof text);
	assert_non_null(strstr(text, " = ended SIGTERM\n"));
	assert_int_equal(run_end(&meters, SIGTERM), 0);
}

static void killed_it_leaves_a_recording(void **state)
{
	const struct names *n = *state;
	struct run meters, record, shown;
	uint8_t answer[MBUS_FRAME_MAX];
	char text[8192];
	begin_meters(&meters, n);
	begin_record(&record, n, 0);
	const int fd = open_terminal(n->tap, B2400);
	(void)ask(fd, 1, answer);
	await_in_file(n->out, " < E5\n", text, sizeof text);
	assert_int_equal(run_end(&record, SIGKILL), -SIGKILL);
	(void)close(fd);
	assert_int_equal(
		run_whole(&shown, program, (const char *[]){"record", "--show", n->out, NULL}), 0);
	assert_non_null(strstr(shown.text, "< E5h"));
	assert_int_equal(run_end(&meters, SIGTERM), 0);
}

static void full_disk_is_told_and_what_came_before_is_kept(void **state)
{
	const struct names *n = *state;
	struct run meters, record, shown;
	uint8_t answer[MBUS_FRAME_MAX];
	char text[8192];
	begin_meters(&meters, n);
	begin_record(&record, n, 300);
	const int fd = open_terminal(n->tap, B2400);
	(void)ask(fd, 1, answer);
	run_listen_for(&record, "bytes are kept");
	(void)close(fd);
	assert_int_equal(run_end(&record, 0), 1);
	assert_non_null(strstr(record.text, "cannot be written: File too large; its first "));
	await_in_file(n->out, " = opened\n", text, sizeof text);
	assert_true(strlen(text) <= 300);
	assert_int_equal(text[strlen(text) - 1], '\n');
	assert_int_equal(
		run_whole(&shown, program, (const char *[]){"record", "--show", n->out, NULL}), 0);
	assert_int_equal(run_end(&meters, SIGTERM), 0);
}

static void lost_interface_is_told_and_what_came_before_is_kept(void **state)
{
	const struct names *n = *state;
	struct run meters, record;
	uint8_t answer[MBUS_FRAME_MAX];
	char text[8192], kept[160];
	begin_meters(&meters, n);
	begin_record(&record, n, 0);
	const int fd = open_terminal(n->tap, B2400);
	(void)ask(fd, 1, answer);
	assert_int_equal(run_end(&meters, SIGTERM), 0);
	assert_int_equal(run_end(&record, 0), 1);
	(void)close(fd);
	(void)snprintf(kept, sizeof kept, "; what came before is kept in %s\n", n->out);
	assert_non_null(strstr(record.text, kept));
	await_in_file(n->out, " = lost ", text, sizeof text);
	assert_non_null(strstr(text, " < E5\n"));
}

/* ---- Listening ---- */

/* A converter that floods. */
static int serve(unsigned *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof at;
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static void size_is_bounded(void **state)
{
	const struct names *n = *state;
	struct run record;
	struct stat st;
	char interface[64];
	unsigned port = 0;
	const int listener = serve(&port);
	(void)snprintf(interface, sizeof interface, "tcp:127.0.0.1:%u", port);
	run_begin(&record, program,
		(const char *[]){
			"record", interface, "--listen", "--out", n->out, "--max-size", "1", NULL},
		0);
	const int fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	(void)signal(SIGPIPE, SIG_IGN);
	uint8_t bytes[4096];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7);
	while (write(fd, bytes, sizeof bytes) > 0)
		;
	(void)close(fd);
	(void)close(listener);
	assert_int_equal(run_end(&record, 0), 0);
	assert_non_null(strstr(record.text, "ended by size"));
	assert_int_equal(stat(n->out, &st), 0);
	assert_in_range(st.st_size, 990000, 1000000);
}

static void both_sides_of_a_tap_are_told_apart(void **state)
{
	const struct names *n = *state;
	struct run record;
	char interface[64], text[4096];
	unsigned port = 0;
	const int listener = serve(&port);
	(void)snprintf(interface, sizeof interface, "tcp:127.0.0.1:%u", port);
	run_begin(&record, program,
		(const char *[]){"record", interface, "--listen", "--out", n->out, NULL}, 0);
	const int fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	uint8_t bytes[MBUS_FRAME_MAX * 2];
	size_t length = mbus_build_snd_nke(bytes, 5);
	bytes[length++] = 0xE5;
	length += mbus_build_req_ud2(bytes + length, 5, true);
	length += mbus_build_long(bytes + length, 0x08, 5, 0x72, (const uint8_t *)"12345678", 8);
	assert_int_equal(write(fd, bytes, length), (ssize_t)length);
	await_in_file(n->out, " < 68 ", text, sizeof text);
	assert_non_null(strstr(text, " > 10 40 05 45 16\n"));
	assert_non_null(strstr(text, " < E5\n"));
	assert_non_null(strstr(text, " > 10 7B 05 80 16\n"));
	(void)close(fd);
	(void)close(listener);
	assert_int_equal(run_end(&record, 0), 1);
}

static void time_is_bounded(void **state)
{
	const struct names *n = *state;
	struct run record;
	char text[1024];
	assert_int_equal(run_whole(&record, program,
				 (const char *[]){"record", "sim:3", "--listen", "--seconds", "1",
					 "--out", n->out, NULL}),
		0);
	assert_non_null(strstr(record.text, "ended by time"));
	await_in_file(n->out, " = ended time\n", text, sizeof text);
}

/* ---- Mistakes ---- */

static void mistakes_are_told(void **state)
{
	const struct names *n = *state;
	struct run run;
	static const char *const cases[][5] = {
		{"sim:3"},
		{"sim:3", "--listen"},
		{"--listen", "--explain"},
		{"nowhere", "--listen", "--explain"},
		{"sim:3", "--listen", "--pty", "--explain"},
		{"sim:3", "--pty", "--explain", "--baud", "12"},
		{"sim:3", "--pty", "--explain", "--seconds", "x"},
		{"sim:3", "sim:4", "--pty", "--explain"},
		{"sim:3", "--pty", "--explain", "--out", "-"},
		{"--show", "x", "--explain"},
		{"--colour"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *arguments[8] = {"record"};
		for (size_t a = 0; a < 5; a++)
			arguments[a + 1] = cases[i][a];
		assert_int_equal(run_whole(&run, program, arguments), 2);
		assert_true(run.length > 20);
	}
	/* What is there is not written over. */
	FILE *file = fopen(n->out, "w");
	assert_non_null(file);
	(void)fputs("mine", file);
	(void)fclose(file);
	const char *const over[] = {"record", "sim:3", "--listen", "--out", n->out, NULL};
	assert_int_equal(run_whole(&run, program, over), 1);
	assert_non_null(strstr(run.text, "is there already"));
	const char *const show[] = {"record", "--show", n->out, NULL};
	assert_int_equal(run_whole(&run, program, show), 1);
	assert_non_null(strstr(run.text, "bus.txt:1:1: "));
	/* An adapter that is not there leaves no file. */
	assert_int_equal(unlink(n->out), 0);
	const char *const none[] = {"record", n->interface, "--listen", "--out", n->out, NULL};
	assert_int_equal(run_whole(&run, program, none), 1);
	assert_non_null(strstr(run.text, "is not there"));
	assert_int_not_equal(access(n->out, F_OK), 0);
	const char *const replay[] = {"sim", "--replay", n->out, NULL};
	assert_int_equal(run_whole(&run, program, replay), 1);
	assert_non_null(strstr(run.text, "cannot be read"));
	const char *const both[] = {"sim", "--replay", n->out, "--meters", "3", NULL};
	assert_int_equal(run_whole(&run, program, both), 2);
	assert_non_null(strstr(run.text, "--meters is about virtual meters"));
	const char *const help[] = {"record", "--help", NULL};
	assert_int_equal(run_whole(&run, program, help), 0);
	assert_non_null(strstr(run.text, "Usage: meterloom record"));
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_went_through_is_kept_explained_and_played_back),
		TEST(rate_of_the_master_is_taken_over),
		TEST(killed_it_leaves_a_recording),
		TEST(full_disk_is_told_and_what_came_before_is_kept),
		TEST(lost_interface_is_told_and_what_came_before_is_kept),
		TEST(size_is_bounded),
		TEST(both_sides_of_a_tap_are_told_apart),
		TEST(time_is_bounded),
		TEST(mistakes_are_told),
	};
#undef TEST
	if (argc != 2) {
		(void)fprintf(stderr, "usage: %s PROGRAM\n", argv[0]);
		return 2;
	}
	program = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
