/* Bad and slow clients: each gets a clear answer or is cut off, and the others are served on.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "web.h"

static struct web *web;

static int set_up(void **state)
{
	(void)state;
	web = web_new(NULL, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	web_free(web);
	return 0;
}

static void expect(const char *method, const char *path, const char *headers, const char *body,
	int status, const char *part)
{
	struct answer answer = web_ask(web, method, path, headers, body);
	if (answer.status != status)
		fail_msg("%s %s: status %d, expected %d: %s%s", method, path, answer.status, status,
			answer.head, answer.body);
	assert_has(answer.body, part);
	answer_free(&answer);
}

static void serves_on(void)
{
	expect("GET", "/api/v1/status", NULL, NULL, 200, "\"version\"");
}

static void pages_of_other_origins_are_refused(void **state)
{
	(void)state;
	static const char path[] = "/api/v1/commands/test.echo";
	char ours[80], theirs[120];
	(void)snprintf(ours, sizeof ours, "Origin: http://127.0.0.1:%d\r\n", web->port);
	(void)snprintf(theirs, sizeof theirs,
		"Host: 127.0.0.1:%d\r\nOrigin: http://localhost:%d\r\n", web->port, web->port);
	expect("POST", path, ours, "{}", 200, "number");
	expect("POST", path, theirs, "{}", 403, "origin");
	expect("POST", path, "Origin: http://evil.example\r\n", "{}", 403, "origin");
	expect("POST", path, "Origin: null\r\n", "{}", 403, "origin");
	expect("GET", "/api/v1/status", "Origin: http://evil.example\r\n", NULL, 403, "origin");
	expect("GET", "/api/v1/events", "Origin: http://evil.example\r\n", NULL, 403, "origin");
	expect("POST", "/rpc", "Sec-Fetch-Site: cross-site\r\n", "{}", 403, "origin");
	expect("POST", "/rpc", "Sec-Fetch-Site: same-site\r\n", "{}", 403, "origin");
	expect("POST", path, "Sec-Fetch-Site: same-origin\r\n", "{}", 200, "number");
	/* A link on a page elsewhere may lead here. */
	expect("GET", "/", "Sec-Fetch-Site: cross-site\r\n", NULL, 200, "Meterloom");
	/* What a form can send is no JSON. */
	expect("POST", path, "Content-Type: application/x-www-form-urlencoded\r\n", "{}", 415,
		"json");
}

static void foreign_names_of_this_machine_are_refused(void **state)
{
	(void)state;
	expect("GET", "/", "Host: evil.example\r\n", NULL, 403, "Host");
	expect("GET", "/", "Host: localhost\r\nHost: evil.example\r\n", NULL, 403, "Host");
	expect("GET", "/", "Host: localhost:9\r\n", NULL, 200, "Meterloom");
}

/* What is sent as it is; the status, or 0 where the connection is only closed. */
static int say(const char *text)
{
	const int fd = web_connect(web);
	web_say(fd, "%s", text);
	(void)shutdown(fd, SHUT_WR);
	struct answer answer = web_hear(fd);
	const int status = answer.status;
	answer_free(&answer);
	(void)close(fd);
	return status;
}

static void what_is_no_http_is_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "\r\n\r\n", "nonsense\r\n\r\n", "GET\r\n\r\n",
		"GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost localhost\r\n\r\n", "\x16\x03\x01\x02\x01\xfc\x03\x03",
		"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: "
		"3\r\n\r\nab",
		"POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
		"POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
		"99999999999999999999\r\n\r\n",
		"POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1x\r\n\r\n1"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		const int status = say(texts[i]);
		if (status != 0 && status < 400)
			fail_msg("'%s' is answered with %d", texts[i], status);
	}
	serves_on();
}

static void a_body_in_chunks_is_refused(void **state)
{
	(void)state;
	assert_int_equal(
		say("POST /rpc HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
		    "Content-Type: application/json\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
		411);
	serves_on();
}

static void a_head_that_is_too_large_is_refused(void **state)
{
	(void)state;
	char *header = malloc(100000);
	assert_non_null(header);
	memset(header, 'x', 100000);
	memcpy(header, "X-Large: ", 9);
	memcpy(header + 99997, "\r\n", 3);
	struct answer answer = web_ask(web, "GET", "/", header, NULL);
	assert_true(answer.status == 431 || answer.status == 413 || answer.status == 400);
	answer_free(&answer);
	free(header);
	serves_on();
}

static void a_hundred_megabytes_are_refused_without_being_read(void **state)
{
	(void)state;
	const int fd = web_connect(web);
	web_say(fd, "PUT /api/v1/graph HTTP/1.1\r\nHost: localhost\r\nIf-Match: *\r\n"
		    "Content-Type: application/json\r\nContent-Length: 104857600\r\n\r\n");
	/* Not a byte of the body was sent. */
	struct answer answer = web_hear(fd);
	assert_int_equal(answer.status, 413);
	assert_has(answer.body, "8388608");
	answer_free(&answer);
	assert_true(web_is_closed(fd));
	(void)close(fd);
	serves_on();
}

static void large_bodies_share_a_bounded_memory(void **state)
{
	(void)state;
	const struct ml_http_limits limits = {.bodies = 300000};
	web_free(web);
	web = web_new(&limits, NULL);
	char *block = malloc(200001);
	assert_non_null(block);
	memset(block, ' ', 200000);
	block[200000] = '\0';
	const int first = web_connect(web), second = web_connect(web);
	static const char head[] =
		"POST /api/v1/commands/test.echo HTTP/1.1\r\nHost: localhost\r\n"
		"Content-Type: application/json\r\nContent-Length: 200002\r\n\r\n";
	/* None can be done before its last byte: at least one is too much. Small ones are always
	 * taken. */
	web_say(first, "%s%s", head, block);
	web_say(second, "%s%s", head, block);
	/* Each is a turn of the server's loop, in which it reads a piece of both bodies: in the end
	 * it has all that was said. */
	for (int i = 0; i < 100; i++)
		expect("POST", "/api/v1/commands/test.echo", NULL, "{\"number\": 1}", 200, "1");
	web_say(first, "{}");
	web_say(second, "{}");
	struct answer one = web_hear(first), other = web_hear(second);
	assert_true(one.status == 503 || other.status == 503);
	assert_true(one.status == 503 || one.status == 200);
	assert_true(other.status == 503 || other.status == 200);
	assert_has(one.status == 503 ? one.body : other.body, "try again later");
	answer_free(&one);
	answer_free(&other);
	(void)close(first);
	(void)close(second);
	/* All of it is free again. */
	block[199999] = '\0';
	char *body = NULL;
	assert_true(asprintf(&body, "%s{}", block) > 0);
	expect("POST", "/api/v1/commands/test.echo", NULL, body, 200, "7");
	free(body);
	free(block);
}

static void requests_in_one_packet_are_answered_in_order(void **state)
{
	(void)state;
	const int fd = web_connect(web);
	static const char head[] = "POST /api/v1/commands/test.echo HTTP/1.1\r\nHost: localhost\r\n"
				   "Content-Type: application/json\r\nContent-Length: 13\r\n\r\n";
	web_say(fd,
		"%s{\"number\": 1}%s{\"number\": 2}GET /nothing HTTP/1.1\r\nHost: "
		"localhost\r\n\r\n",
		head, head);
	static const char *const expected[] = {"\"number\":1", "\"number\":2", "/nothing"};
	for (size_t i = 0; i < 3; i++) {
		struct answer answer = web_hear(fd);
		assert_has(answer.body, expected[i]);
		answer_free(&answer);
	}
	(void)close(fd);
}

static void a_client_that_leaves_takes_nothing_with_it(void **state)
{
	(void)state;
	const int fd = web_connect(web);
	web_say(fd, "POST /api/v1/commands/test.wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
	struct answer answer = {0};
	/* It has begun when the list tells it. */
	do {
		answer_free(&answer);
		answer = web_ask(web, "GET", "/api/v1/jobs", NULL, NULL);
	} while (!strstr(answer.body, "running"));
	answer_free(&answer);
	(void)close(fd);
	serves_on();
	web_let_go();
	serves_on();
}

static void an_end_does_not_wait_for_commands_and_clients(void **state)
{
	(void)state;
	const int waits = web_connect(web), half = web_connect(web), watches = web_connect(web);
	web_say(waits, "POST /api/v1/commands/test.wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
	web_say(half, "GET / HTTP/1.1\r\nHost: loc");
	web_say(watches, "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
	free(web_hear_until(watches, "retry"));
	struct answer answer = {0};
	do {
		answer_free(&answer);
		answer = web_ask(web, "GET", "/api/v1/jobs", NULL, NULL);
	} while (!strstr(answer.body, "running"));
	answer_free(&answer);
	web_stop_http(web);
	answer = web_hear(waits);
	assert_true(answer.status == 503 || answer.status == 0);
	answer_free(&answer);
	assert_true(web_is_closed(half));
	assert_true(web_is_closed(watches));
	(void)close(waits);
	(void)close(half);
	(void)close(watches);
}

/* ---- Slow clients ---- */

/* Sends a byte now and then until the server hangs up: the library alone would wait for ever. */
static void drip(int fd, char byte)
{
	for (int i = 0; i < 3000; i++) {
		struct pollfd event = {.fd = fd, .events = POLLIN};
		char block[4096];
		if (poll(&event, 1, 10) > 0 && recv(fd, block, sizeof block, 0) <= 0)
			return;
		if (send(fd, &byte, 1, MSG_NOSIGNAL) < 0)
			return;
	}
	fail_msg("a client that drips is kept for ever");
}

static void who_drips_a_request_is_cut_off(void **state)
{
	(void)state;
	const struct ml_http_limits limits = {
		.idle_time = 300 * ML_MSEC, .request_time = 300 * ML_MSEC};
	web_free(web);
	web = web_new(&limits, NULL);
	const int head = web_connect(web), body = web_connect(web);
	web_say(head, "GET / HTTP/1.1\r\nX: ");
	drip(head, 'x');
	web_say(body, "POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
		      "Content-Length: 1000000\r\n\r\n");
	drip(body, ' ');
	(void)close(head);
	(void)close(body);
	serves_on();
}

static void an_idle_connection_is_closed_and_a_working_one_is_not(void **state)
{
	(void)state;
	const struct ml_http_limits limits = {
		.idle_time = 100 * ML_MSEC, .request_time = 100 * ML_MSEC};
	web_free(web);
	web = web_new(&limits, NULL);
	const int works = web_connect(web), idles = web_connect(web);
	web_say(works, "POST /api/v1/commands/test.wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
	web_say(idles, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
	struct answer answer = web_hear(idles);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	assert_true(web_is_closed(idles));
	/* By now a command that takes its time is well over the limits. */
	web_let_go();
	answer = web_hear(works);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	(void)close(works);
	(void)close(idles);
}

enum { SLOW = 1000 };

static void a_thousand_slow_clients_do_not_hinder_others(void **state)
{
	(void)state;
	struct rlimit files;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur < 2 * SLOW)
		skip(); /* both ends are in this process */
	static int slow[SLOW];
	for (size_t i = 0; i < SLOW; i++) {
		slow[i] = web_connect(web);
		if (i % 2)
			web_say(slow[i], "GET / HTTP/1.1\r\nX-Slow: ");
		else
			web_say(slow[i], "POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
					 "application/json\r\nContent-Length: 1000000\r\n\r\n[");
		if (i % 100 == 99)
			serves_on();
	}
	const ml_time before = ml_clock_monotonic(web->clock);
	for (int i = 0; i < 20; i++)
		serves_on();
	/* Far below the half minute after which the slow ones would be cut off. */
	assert_true(ml_clock_monotonic(web->clock) - before < 10 * ML_SEC);
	for (size_t i = 0; i < SLOW; i++)
		(void)close(slow[i]);
	serves_on();
}

int main(void)
{
#define WEB(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WEB(pages_of_other_origins_are_refused),
		WEB(foreign_names_of_this_machine_are_refused),
		WEB(what_is_no_http_is_refused),
		WEB(a_body_in_chunks_is_refused),
		WEB(a_head_that_is_too_large_is_refused),
		WEB(a_hundred_megabytes_are_refused_without_being_read),
		WEB(large_bodies_share_a_bounded_memory),
		WEB(requests_in_one_packet_are_answered_in_order),
		WEB(a_client_that_leaves_takes_nothing_with_it),
		WEB(an_end_does_not_wait_for_commands_and_clients),
		WEB(who_drips_a_request_is_cut_off),
		WEB(an_idle_connection_is_closed_and_a_working_one_is_not),
		WEB(a_thousand_slow_clients_do_not_hinder_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
