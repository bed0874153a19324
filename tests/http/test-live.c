/* Server-sent events and JSON-RPC.
 * SPDX-License-Identifier: Apache-2.0
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
#include <jansson.h>

#include <meterloom/feed.h>

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

static int watch(const char *query)
{
	const int fd = web_connect(web);
	web_say(fd, "GET /api/v1/events%s HTTP/1.1\r\nHost: localhost\r\n\r\n", query);
	return fd;
}

static void expect(const char *path, const char *body, int status, const char *part)
{
	struct answer answer = web_ask(web, body ? "POST" : "GET", path, NULL, body);
	if (answer.status != status)
		fail_msg("status %d, expected %d: %s", answer.status, status, answer.body);
	assert_has(answer.body, part);
	answer_free(&answer);
}

/* ---- Events ---- */

static void what_happens_is_told_as_it_happens(void **state)
{
	(void)state;
	const int fd = watch("?topics=log,graph,job");
	char *head = web_hear_until(fd, "retry: 2000\n\n");
	assert_has(head, "HTTP/1.1 200");
	assert_has(head, "Content-Type: text/event-stream");
	assert_has(head, "Cache-Control: no-store");
	free(head);
	ml_log(web->log, ML_LOG_WARNING, "test", "a line \"quoted\"");
	char *text = web_hear_until(fd, "quoted");
	assert_has(text, "event: log\ndata: {");
	assert_has(text, "\"origin\":\"test\"");
	free(text);
	struct answer answer = web_ask(web, "PUT", "/api/v1/graph", "If-Match: *\r\n",
		"{\"meterloom\": 1, \"nodes\": [], \"edges\": []}");
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	text = web_hear_until(fd, "event: graph\ndata: {\"revision\":1");
	free(text);
	answer = web_ask(
		web, "POST", "/api/v1/commands/test.wait", "Prefer: respond-async\r\n", "{}");
	assert_int_equal(answer.status, 202);
	answer_free(&answer);
	free(web_hear_until(fd, "\"state\":\"running\""));
	web_let_go();
	free(web_hear_until(fd, "\"state\":\"succeeded\""));
	(void)close(fd);
}

static void metrics_come_while_somebody_watches(void **state)
{
	(void)state;
	const int fd = watch("?topics=metrics");
	free(web_hear_until(fd, "event: metrics\ndata: {\"time\""));
	free(web_hear_until(fd, "event: metrics\ndata: {\"time\""));
	(void)close(fd);
}

static void a_tap_is_told_by_the_name_of_its_edge(void **state)
{
	(void)state;
	const int fd = watch("?topics=tap%3Aa.out%3Eb.in");
	free(web_hear_until(fd, "retry"));
	ml_feed_publish(web->engine, "tap:a.out>c.in", "{\"x\":0}", 7);
	ml_feed_publish(web->engine, "tap:a.out>b.in", "{\"x\":1}", 7);
	char *text = web_hear_until(fd, "event: tap:a.out>b.in\ndata: {\"x\":1}\n\n");
	assert_null(strstr(text, "c.in"));
	free(text);
	(void)close(fd);
}

static void wrong_topics_and_too_many_watchers_are_refused(void **state)
{
	(void)state;
	const struct ml_http_limits limits = {.streams = 2};
	web_free(web);
	web = web_new(&limits, NULL);
	expect("/api/v1/events?topics=metrics,weather", NULL, 422, "weather");
	expect("/api/v1/events?topics=", NULL, 422, "topics");
	static const char *const taps[] = {"", "a", "a>b", "a.out>b", "a>b.in", ".out>b.in",
		"a.>b.in", "a.out>.in", "a.out>b."};
	for (size_t i = 0; i < sizeof taps / sizeof *taps; i++) {
		char path[80];
		(void)snprintf(path, sizeof path, "/api/v1/events?topics=tap:%s", taps[i]);
		expect(path, NULL, 422, "tap:NODE.PORT>NODE.PORT");
	}
	const int first = watch(""), second = watch("");
	free(web_hear_until(first, "retry"));
	free(web_hear_until(second, "retry"));
	expect("/api/v1/events", NULL, 503, "2 watch already");
	(void)close(first);
	(void)close(second);
}

static void signs_of_life_find_those_who_left(void **state)
{
	(void)state;
	const struct ml_http_limits limits = {.streams = 1, .heartbeat = 20 * ML_MSEC};
	web_free(web);
	web = web_new(&limits, NULL);
	int fd = watch("?topics=event");
	free(web_hear_until(fd, "\n:\n\n"));
	(void)close(fd);
	/* Its place is free as soon as a sign could not be sent. */
	struct answer answer = {0};
	do {
		answer_free(&answer);
		fd = watch("?topics=event");
		char *head = web_hear_until(fd, "\r\n");
		answer.status = atoi(head + 9);
		free(head);
		(void)close(fd);
	} while (answer.status == 503);
	assert_int_equal(answer.status, 200);
}

static void who_does_not_read_is_told_what_was_lost(void **state)
{
	(void)state;
	const int fd = watch("?topics=event");
	free(web_hear_until(fd, "retry"));
	char *large = malloc(60001);
	assert_non_null(large);
	memset(large, 'x', 60000);
	large[0] = large[59999] = '"';
	large[60000] = '\0';
	/* Far more than sockets and the feed hold together. */
	for (int i = 0; i < 1000; i++)
		ml_feed_publish(web->engine, "event", large, 60000);
	free(large);
	expect("/api/v1/status", NULL, 200, "version");
	/* Once it reads again there is room, and the next item tells what is missing. It may come
	 * in two pieces. */
	struct ml_buffer heard = {0};
	size_t from = 0;
	do {
		ml_feed_publish(web->engine, "event", "1", 1);
		char *got = web_hear_until(fd, "\n\n");
		from = heard.length > 64 ? heard.length - 64 : 0;
		ml_buffer_append(&heard, got, strlen(got));
		free(got);
	} while (!strstr(heard.data + from, "event: lost"));
	while (!strstr(heard.data + from, "\"lost\":")) {
		char *got = web_hear_until(fd, "\n\n");
		ml_buffer_append(&heard, got, strlen(got));
		free(got);
	}
	ml_buffer_free(&heard);
	(void)close(fd);
}

/* ---- JSON-RPC ---- */

static void a_call_has_its_answer(void **state)
{
	(void)state;
	expect("/rpc", "{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"test.echo\"}", 200,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"number\":7,\"text\":\"\"}}");
	expect("/rpc",
		"{\"jsonrpc\": \"2.0\", \"id\": \"a\", \"method\": \"test.echo\", \"params\": "
		"{\"number\": 3}}",
		200, "\"id\":\"a\",\"result\":{\"number\":3");
}

static void errors_have_the_codes_of_the_standard(void **state)
{
	(void)state;
	expect("/rpc", "{\"jsonrpc\": \"2.0\", ", 200, "\"id\":null,\"error\":{\"code\":-32700");
	expect("/rpc", "{\"jsonrpc\": \"1.0\", \"id\": 1, \"method\": \"test.echo\"}", 200,
		"-32600");
	expect("/rpc", "{\"jsonrpc\": \"2.0\", \"id\": 1}", 200, "-32600");
	expect("/rpc", "1", 200, "-32600");
	expect("/rpc", "[]", 200, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600");
	expect("/rpc", "{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"test.eco\"}", 200,
		"-32601");
	expect("/rpc",
		"{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"test.echo\", \"params\": [1]}",
		200, "-32602");
	expect("/rpc",
		"{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"test.echo\", \"params\": "
		"{\"number\": "
		"101, \"x\": 1}}",
		200, "-32602");
	expect("/rpc",
		"{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"job.show\", \"params\": {\"job\": "
		"99}}",
		200, "\"code\":-32000,\"message\":\"there is no job 99");
}

static void a_batch_is_done_in_order_and_notifications_are_silent(void **state)
{
	(void)state;
	struct answer answer = web_ask(web, "POST", "/rpc", NULL,
		"[{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"setting.set\", \"params\": "
		"{\"name\": "
		"\"gateway.name\", \"value\": \"Seven\"}},"
		" {\"jsonrpc\": \"2.0\", \"method\": \"test.echo\"}, 7,"
		" {\"jsonrpc\": \"2.0\", \"id\": 2, \"method\": \"engine.status\"}]");
	assert_int_equal(answer.status, 200);
	json_t *list = json_loads(answer.body, 0, NULL);
	assert_int_equal(json_array_size(list), 3);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "id")), 1);
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(json_array_get(list, 1), "error"), "code")),
		-32600);
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(json_array_get(list, 2), "result"), "name")),
		"Seven");
	json_decref(list);
	answer_free(&answer);
	answer = web_ask(
		web, "POST", "/rpc", NULL, "[{\"jsonrpc\": \"2.0\", \"method\": \"test.echo\"}]");
	assert_int_equal(answer.status, 204);
	assert_int_equal(answer.length, 0);
	answer_free(&answer);
	answer = web_ask(
		web, "POST", "/rpc", NULL, "{\"jsonrpc\": \"2.0\", \"method\": \"no.such\"}");
	assert_int_equal(answer.status, 204);
	answer_free(&answer);
}

static void numbers_keep_their_text_on_the_way_through_a_call(void **state)
{
	(void)state;
	expect("/rpc",
		"[{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"graph.format\", \"params\": "
		"{\"graph\": "
		"{\"a\": 1.50, \"b\": 12345678901234567.89}}}]",
		200, ": 12345678901234567.89\\n");
}

int main(void)
{
#define WEB(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WEB(what_happens_is_told_as_it_happens),
		WEB(metrics_come_while_somebody_watches),
		WEB(a_tap_is_told_by_the_name_of_its_edge),
		WEB(wrong_topics_and_too_many_watchers_are_refused),
		WEB(signs_of_life_find_those_who_left),
		WEB(who_does_not_read_is_told_what_was_lost),
		WEB(a_call_has_its_answer),
		WEB(errors_have_the_codes_of_the_standard),
		WEB(a_batch_is_done_in_order_and_notifications_are_silent),
		WEB(numbers_keep_their_text_on_the_way_through_a_call),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
