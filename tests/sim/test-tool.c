/* `meterloom sim` as a person runs it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Usage: test-sim-tool PROGRAM
 */
#include <arpa/inet.h>
#include <curl/curl.h>
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
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "mbus/frame.h"
#include "sim/run.h"

enum { SILENCE = 300 /* ms */, ARGUMENTS_MAX = 20 };

static const char *program;

static void begin_with_input(struct run *run, const char *const *arguments, bool input)
{
	const char *argv[ARGUMENTS_MAX] = {"sim"};
	for (size_t i = 0; arguments[i]; i++) {
		assert_true(i + 2 < ARGUMENTS_MAX);
		argv[i + 1] = arguments[i];
	}
	if (input)
		run_begin_typing(run, program, argv);
	else
		run_begin(run, program, argv, 0);
}

static void begin(struct run *run, const char *const *arguments)
{
	begin_with_input(run, arguments, false);
}

static void list_is_written(void **state)
{
	(void)state;
	struct run run;
	begin(&run, (const char *[]){"--meters", "3", "--list", "-", NULL});
	assert_int_equal(run_end(&run, 0), 0);
	assert_non_null(strstr(run.text, "Position,SecondaryAddress,BaudRate,"));
	unsigned lines = 0;
	for (const char *c = run.text; (c = strchr(c, '\n')); c++)
		lines++;
	assert_int_equal(lines, 4);
	struct run again;
	begin(&again, (const char *[]){"--meters", "3", "--list", "-", NULL});
	assert_int_equal(run_end(&again, 0), 0);
	assert_string_equal(again.text, run.text);
	begin(&again, (const char *[]){"--meters", "3", "--seed", "2", "--list", "-", NULL});
	assert_int_equal(run_end(&again, 0), 0);
	assert_string_not_equal(again.text, run.text);
}

static void wrong_usage_is_told(void **state)
{
	(void)state;
	static const char *const cases[][3] = {{"--meters", "0"}, {"--meters", "x"}, {"meters"},
		{"--colour"}, {"--baud", "12"}, {"--head-end", "nowhere"}, {"--addressing", "wild"},
		{"--head-end-user", "nobody"}, {"--head-end-script", "/nonexistent/script"},
		{"--meters", "1&fast=1"}, {"--fault", "meter-sick"}, {"--faults", "/nonexistent"},
		{"--bus", "meters=0"}, {"--bus", "faults=/nonexistent"}, {"--buses", "0"},
		{"--buses", "65"}, {"--link", ""}, {"--tcp", "x"}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct run run;
		const char *const arguments[] = {cases[i][0], cases[i][1], NULL};
		begin(&run, arguments);
		assert_int_equal(run_end(&run, 0), 2);
		assert_true(run.length > 20);
	}
	struct run run;
	begin(&run, (const char *[]){"--head-end", "--head-end-answers", "fly", NULL});
	assert_int_equal(run_end(&run, 0), 1);
	assert_non_null(strstr(run.text, "expected a status"));
	begin(&run, (const char *[]){"--help", NULL});
	assert_int_equal(run_end(&run, 0), 0);
	assert_non_null(strstr(run.text, "Usage: meterloom sim"));
}

/* Whether a meter answers a request through this descriptor. */
static bool answers(int fd, uint8_t address, int patience)
{
	uint8_t bytes[MBUS_FRAME_MAX];
	struct mbus_parser parser;
	struct mbus_frame frame = {0};
	struct pollfd p = {.fd = fd, .events = POLLIN};
	const size_t length = mbus_build_snd_nke(bytes, address);
	mbus_parser_init(&parser);
	assert_int_equal(write(fd, bytes, length), (ssize_t)length);
	/* It answers at once where no time passes on the line. */
	while (frame.kind == 0 && poll(&p, 1, patience) == 1) {
		uint8_t byte = 0;
		if (read(fd, &byte, 1) != 1)
			return false;
		(void)mbus_parser_feed(&parser, &byte, 1, &frame);
	}
	return frame.kind == MBUS_FRAME_ACK;
}

static int connect_to(const struct run *run, const char *bus)
{
	char part[64];
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	(void)snprintf(part, sizeof part, "%s: ", bus);
	const char *line = strstr(run->text, part);
	const char *port = line ? strstr(line, "tcp:127.0.0.1:") : NULL;
	assert_non_null(port);
	at.sin_port = htons((uint16_t)atoi(port + strlen("tcp:127.0.0.1:")));
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* Asks the meter at address 1 through the terminal. */
static void ask_meter(const char *device)
{
	uint8_t bytes[MBUS_FRAME_MAX];
	struct mbus_parser parser;
	struct mbus_frame frame = {0};
	struct termios t;
	const int fd = open(device, O_RDWR | O_NOCTTY);
	assert_true(fd >= 0);
	assert_int_equal(tcgetattr(fd, &t), 0);
	cfmakeraw(&t);
	assert_int_equal(tcsetattr(fd, TCSANOW, &t), 0);
	mbus_parser_init(&parser);
	for (int step = 0; step < 2; step++) {
		const size_t length = step == 0 ? mbus_build_snd_nke(bytes, 1)
						: mbus_build_req_ud2(bytes, 1, true);
		assert_int_equal(write(fd, bytes, length), (ssize_t)length);
		frame.kind = 0;
		while (frame.kind == 0) {
			uint8_t byte = 0;
			struct pollfd p = {.fd = fd, .events = POLLIN};
			assert_int_equal(poll(&p, 1, RUN_PATIENCE), 1);
			assert_int_equal(read(fd, &byte, 1), 1);
			(void)mbus_parser_feed(&parser, &byte, 1, &frame);
		}
		assert_int_equal(frame.kind, step == 0 ? MBUS_FRAME_ACK : MBUS_FRAME_LONG);
	}
	assert_int_equal(frame.address, 1);
	(void)close(fd);
}

/* Whoever opens the terminal hears nothing that was meant for the one before. */
static void leave_meter_speaking(const char *device)
{
	uint8_t bytes[MBUS_FRAME_MAX];
	const size_t length = mbus_build_req_ud2(bytes, 1, true);
	int left = 1;
	int fd = open(device, O_RDWR | O_NOCTTY);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), (ssize_t)length);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&p, 1, RUN_PATIENCE), 1);
	for (int tries = 0; left > 0 && tries < RUN_PATIENCE; tries += 5) {
		(void)close(fd);
		(void)poll(NULL, 0, 5);
		fd = open(device, O_RDWR | O_NOCTTY);
		assert_int_equal(ioctl(fd, FIONREAD, &left), 0);
	}
	assert_int_equal(left, 0);
	(void)close(fd);
}

static size_t ignore(char *bytes, size_t size, size_t count, void *user)
{
	(void)bytes;
	(void)user;
	return size * count;
}

static long send_report(const char *url)
{
	long status = 0;
	CURL *curl = curl_easy_init();
	struct curl_slist *headers = curl_slist_append(NULL, "filename: values.csv");
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "a;b\n");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
	assert_int_equal(curl_easy_perform(curl), CURLE_OK);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return status;
}

/* The C library tells of an error where nothing of what a program wants is new, and a
 * pseudo-terminal does not take a parity. */
static void programs_set_a_terminal_one_after_the_other(void **state)
{
	(void)state;
	struct run run;
	char folder[] = "/tmp/sim-tool-XXXXXX";
	char link[64];
	assert_non_null(mkdtemp(folder));
	(void)snprintf(link, sizeof link, "%s/bus", folder);
	begin_with_input(
		&run, (const char *[]){"--fast", "--meters", "2", "--link", link, NULL}, true);
	run_listen_for(&run, "2 meters at serial:");
	for (int i = 0; i < 4; i++) {
		struct termios t = {.c_cflag = CS8 | CREAD | CLOCAL | PARENB};
		const int fd = open(link, O_RDWR | O_NOCTTY | O_CLOEXEC);
		assert_true(fd >= 0);
		(void)cfsetispeed(&t, B2400);
		(void)cfsetospeed(&t, B2400);
		assert_int_equal(tcsetattr(fd, TCSANOW, &t), 0);
		assert_true(answers(fd, 2, RUN_PATIENCE));
		(void)close(fd);
		/* It sees within 20 ms that nobody is there any more; an order comes after that. */
		run_type(&run, "wait 100ms\nlist\n");
		run_listen_for(&run, "2 meters, good");
		run.length = 0;
		run.text[0] = '\0';
	}
	run_type(&run, "quit\n");
	assert_int_equal(run_end(&run, 0), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void meters_and_head_end_run_until_they_are_stopped(void **state)
{
	(void)state;
	struct run run;
	char folder[] = "/tmp/sim-tool-XXXXXX";
	char link[64];
	char reports[64];
	char report[96];
	char url[64] = "";
	assert_non_null(mkdtemp(folder));
	(void)snprintf(link, sizeof link, "%s/bus", folder);
	(void)snprintf(reports, sizeof reports, "%s/reports", folder);
	(void)snprintf(report, sizeof report, "%s/000002-values.csv", reports);
	begin(&run, (const char *[]){"--meters", "2", "--fast", "--link", link, "--head-end",
			    "127.0.0.1:0", "--head-end-directory", reports, "--head-end-answers",
			    "503", NULL});
	run_listen_for(&run, "reports are kept in");
	assert_non_null(strstr(run.text, "2 meters at serial:"));
	ask_meter(link);
	leave_meter_speaking(link);
	ask_meter(link);
	/* A terminal that was closed may be opened again. */
	ask_meter(link);
	const char *at = strstr(run.text, "http://");
	assert_non_null(at);
	(void)snprintf(url, sizeof url, "%.*s", (int)strcspn(at, ", \n"), at);
	assert_int_equal(send_report(url), 503);
	run_listen_for(&run, "report 1: values.csv, 4 bytes, answered 503");
	assert_int_equal(send_report(url), 200);
	run_listen_for(&run, "report 2: values.csv, 4 bytes, answered 200");
	assert_int_equal(access(report, R_OK), 0);
	assert_int_equal(run_end(&run, SIGTERM), 0);
	assert_int_not_equal(access(link, F_OK), 0);
	assert_int_equal(unlink(report), 0);
	assert_int_equal(rmdir(reports), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void meters_are_unplugged_by_hand(void **state)
{
	(void)state;
	struct run run;
	begin_with_input(&run,
		(const char *[]){"--fast", "--meters", "3", "--tcp", "0", "--bus", "name=east",
			"--bus", "name=west&fault=meter-silent,which=3", NULL},
		true);
	run_listen_for(&run, "west: 3 meters at");
	const int east = connect_to(&run, "east");
	const int west = connect_to(&run, "west");
	assert_true(answers(east, 3, RUN_PATIENCE));
	assert_false(answers(west, 3, SILENCE)); /* by its own fault */
	assert_true(answers(east, 2, RUN_PATIENCE));
	run_type(&run, "unplug 2 on east\n");
	run_listen_for(&run, "done: unplug 2 on east");
	assert_false(answers(east, 2, SILENCE));
	assert_true(answers(west, 2, RUN_PATIENCE));
	run_type(&run, "plug 2 on east\ncut on west\n");
	run_listen_for(&run, "done: cut on west");
	assert_true(answers(east, 2, RUN_PATIENCE));
	assert_false(answers(west, 2, SILENCE));
	run_type(&run, "list on west\n");
	run_listen_for(&run, "3 meters, cut");
	/* The converter goes away, and comes back at its port. */
	run_type(&run, "join on west\nbreak on east\n");
	run_listen_for(&run, "done: break on east");
	assert_false(answers(east, 2, SILENCE));
	int again;
	while ((again = connect_to(&run, "east")) >= 0)
		(void)close(again); /* until it has gone */
	run_type(&run, "mend on east\n");
	run_listen_for(&run, "done: mend on east");
	while ((again = connect_to(&run, "east")) < 0)
		;
	assert_true(answers(again, 2, RUN_PATIENCE));
	(void)close(again);
	(void)close(east);
	(void)close(west);
	run_type(&run, "quit\n");
	assert_int_equal(run_end(&run, 0), 0);
}

static void script_that_is_wrong_ends_with_1(void **state)
{
	(void)state;
	struct run run;
	begin_with_input(&run, (const char *[]){"--tcp", "0", NULL}, true);
	run_type(&run, "unplugg 3\nunplug 300 # there is none\n  \nwait 10ms\nquit");
	(void)close(run.in);
	run.in = -1;
	assert_int_equal(run_end(&run, 0), 1);
	assert_non_null(strstr(run.text, "did you mean unplug?"));
	assert_non_null(strstr(run.text, "the bus has 20"));
}

static void faults_that_nothing_can_have_are_told(void **state)
{
	(void)state;
	static const char *const faults[][2] = {
		{"meter-silent which=4", "there are 3 meters"},
		{"line-cut which=2", "there is 1 line"},
		{"head-end-down", "no fault of a bus"},
	};
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		struct run run;
		begin(&run, (const char *[]){"--meters", "3", "--fault", faults[i][0], NULL});
		assert_int_equal(run_end(&run, 0), 2);
		assert_non_null(strstr(run.text, faults[i][1]));
	}
}

static void faults_are_read_from_a_file(void **state)
{
	(void)state;
	struct run run;
	char path[] = "/tmp/sim-faults-XXXXXX";
	static const char text[] = "{\"faults\": [{\"fault\": \"meter-silent\", \"which\": 2},\n"
				   "{\"fault\": \"meter-silent\", \"which\": 4}]}";
	const int file = mkstemp(path);
	assert_int_equal(write(file, text, sizeof text - 1), (ssize_t)sizeof text - 1);
	(void)close(file);
	/* Meters of several buses are counted on. */
	begin(&run, (const char *[]){"--fast", "--meters", "3", "--tcp", "0", "--buses", "2",
			    "--faults", path, NULL});
	run_listen_for(&run, "bus2: 3 meters at");
	for (int i = 0; i < 2; i++) {
		const int fd = connect_to(&run, i == 0 ? "bus1" : "bus2");
		assert_int_equal(answers(fd, 1, i == 0 ? RUN_PATIENCE : SILENCE), i == 0);
		assert_int_equal(answers(fd, 2, i == 1 ? RUN_PATIENCE : SILENCE), i == 1);
		assert_true(answers(fd, 3, RUN_PATIENCE));
		(void)close(fd);
	}
	assert_int_equal(run_end(&run, SIGTERM), 0);
	assert_int_equal(truncate(path, 20), 0);
	begin(&run, (const char *[]){"--faults", path, NULL});
	assert_int_equal(run_end(&run, 0), 2);
	assert_non_null(strstr(run.text, path));
	assert_non_null(strstr(run.text, ":1:"));
	assert_int_equal(unlink(path), 0);
}

static void buses_are_listed_with_their_names(void **state)
{
	(void)state;
	struct run run;
	begin(&run, (const char *[]){"--meters", "2", "--buses", "2", "--list", "-", NULL});
	assert_int_equal(run_end(&run, 0), 0);
	assert_non_null(strstr(run.text, ",bus1,active"));
	assert_non_null(strstr(run.text, ",bus2,active"));
	begin(&run, (const char *[]){"--bus", "name=a", "--bus", "name=a", "--list", "-", NULL});
	assert_int_equal(run_end(&run, 0), 2);
	begin(&run, (const char *[]){"--list-faults", NULL});
	assert_int_equal(run_end(&run, 0), 0);
	assert_non_null(strstr(run.text, "meter-babbling "));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_is_written),
		cmocka_unit_test(wrong_usage_is_told),
		cmocka_unit_test(meters_are_unplugged_by_hand),
		cmocka_unit_test(script_that_is_wrong_ends_with_1),
		cmocka_unit_test(faults_that_nothing_can_have_are_told),
		cmocka_unit_test(faults_are_read_from_a_file),
		cmocka_unit_test(buses_are_listed_with_their_names),
		cmocka_unit_test(programs_set_a_terminal_one_after_the_other),
		cmocka_unit_test(meters_and_head_end_run_until_they_are_stopped),
	};
	if (argc != 2) {
		(void)fprintf(stderr, "usage: %s PROGRAM\n", argv[0]);
		return 2;
	}
	program = argv[1];
	curl_global_init(CURL_GLOBAL_DEFAULT);
	const int result = cmocka_run_group_tests(tests, NULL, NULL);
	curl_global_cleanup();
	return result;
}
