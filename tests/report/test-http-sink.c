/* The node http-sink against a server that does just what it is told.
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
#include <microhttpd.h>

#include "meter/delivery.h"
#include "peers/script_server.h"
#include "report/kit.h"

#define ANSWER(status, headers) "HTTP/1.1 " status "\r\nContent-Length: 0\r\n" headers "\r\n"

/* One report, sent to a server with this script; waits for its ack. */
struct run {
	struct kit *kit;
	struct script_server *server;
};

static struct run begin(const char *const *script)
{
	struct run run = {.kit = kit_new(), .server = script_server_start(script)};
	return run;
}

static void end(struct run *run)
{
	kit_free(run->kit);
	script_server_stop(run->server);
}

static void send_one(struct run *run, const char *params)
{
	if (run->kit->document_count == 0)
		(void)kit_document(run->kit, "0016_valuereport.csv", "#serial;energy\r\n1;2\r\n");
	kit_apply(run->kit, "http-sink", "'url': 'http://127.0.0.1:%u/meters?token=hush'%s",
		script_server_port(run->server), params);
	kit_wait(run->kit, (unsigned)run->kit->document_count);
}

static void expect_acks(struct kit *kit, unsigned delivered, unsigned failed)
{
	if (atomic_load(&kit->delivered) != delivered || atomic_load(&kit->failed) != failed)
		fail_msg("%u delivered, %u failed; expected %u, %u\n%s",
			atomic_load(&kit->delivered), atomic_load(&kit->failed), delivered, failed,
			kit_log(kit));
}

static void expect_header(
	const struct script_request *request, const char *name, const char *expected)
{
	char value[256];
	script_request_header(request, name, value, sizeof value);
	assert_string_equal(value, expected);
}

static void expect_log(struct kit *kit, const char *text)
{
	if (!strstr(kit_log(kit), text))
		fail_msg("'%s' is not in the log:\n%s", text, kit_log(kit));
}

static void a_report_arrives_with_name_type_and_key(void **state)
{
	(void)state;
	static const char *const script[] = {NULL};
	struct run run = begin(script);
	send_one(&run, "");
	expect_acks(run.kit, 1, 0);
	assert_int_equal(script_server_count(run.server), 1);
	const struct script_request *request = script_server_request(run.server, 0);
	assert_memory_equal(request->head, "POST /meters?token=hush HTTP/1.1\r\n", 34);
	expect_header(request, "filename", "0016_valuereport.csv");
	expect_header(request, "Content-Type", "text/csv; charset=ISO-8859-1");
	expect_header(request, "Idempotency-Key", run.kit->documents[0].key);
	expect_header(request, "Authorization", "");
	expect_header(request, "Expect", "");
	assert_string_equal(request->body, "#serial;energy\r\n1;2\r\n");
	expect_log(run.kit,
		"info sink: delivered 0016_valuereport.csv (21 bytes) to http://127.0.0.1");
	/* What stands behind the ? may be a key. */
	assert_null(strstr(kit_log(run.kit), "hush"));
	end(&run);
}

static void reports_go_one_after_the_other_on_one_connection(void **state)
{
	(void)state;
	static const char *const script[] = {NULL};
	struct run run = begin(script);
	char content[3][8];
	for (int i = 0; i < 3; i++) {
		char name[16];
		(void)snprintf(name, sizeof name, "%d.csv", i);
		(void)snprintf(content[i], sizeof content[i], "row %d", i);
		(void)kit_document(run.kit, name, content[i]);
	}
	send_one(&run, "");
	expect_acks(run.kit, 3, 0);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(script_server_request(run.server, i)->body, content[i]);
	end(&run);
}

static void a_large_report_arrives_whole(void **state)
{
	(void)state;
	static const char *const script[] = {NULL};
	struct run run = begin(script);
	const size_t size = 3 * 1024 * 1024 + 17;
	char *content = malloc(size + 1);
	assert_non_null(content);
	for (size_t i = 0; i < size; i++)
		content[i] = (char)('a' + i % 26 + (i / 1000) % 3);
	content[size] = '\0';
	(void)kit_document(run.kit, "large.csv", content);
	send_one(&run, "");
	expect_acks(run.kit, 1, 0);
	assert_int_equal(script_server_request(run.server, 0)->body_length, size);
	assert_string_equal(script_server_request(run.server, 0)->body, content);
	free(content);
	end(&run);
}

static void what_may_pass_is_tried_again_with_the_same_key(void **state)
{
	(void)state;
	static const char *const script[] = {
		ANSWER("503 Service Unavailable", ""),
		SCRIPT_CLOSE,
		ANSWER("408 Request Timeout", "Connection: close\r\n"),
		ANSWER("429 Too Many Requests", ""),
		ANSWER("201 Created", ""),
		NULL,
	};
	struct run run = begin(script);
	send_one(&run, ", 'retry': 'fixed', 'retry_count': 4, 'retry_wait': 0");
	expect_acks(run.kit, 1, 0);
	assert_int_equal(script_server_count(run.server), 5);
	for (size_t i = 0; i < 5; i++) {
		const struct script_request *request = script_server_request(run.server, i);
		expect_header(request, "Idempotency-Key", run.kit->documents[0].key);
		assert_string_equal(request->body, "#serial;energy\r\n1;2\r\n");
	}
	end(&run);
}

/* As a server does that ends a connection it thinks idle in the moment in which it is used. */
static void a_connection_that_is_reset_meanwhile_is_opened_again(void **state)
{
	(void)state;
	static const char *const script[] = {ANSWER("200 OK", ""), SCRIPT_RESET, NULL};
	struct run run = begin(script);
	(void)kit_document(run.kit, "1.csv", "1");
	(void)kit_document(run.kit, "2.csv", "2");
	send_one(&run, ", 'retry': 'none'");
	expect_acks(run.kit, 2, 0);
	assert_int_equal(script_server_count(run.server), 2);
	end(&run);
}

static void a_reset_is_told_as_what_it_is(void **state)
{
	(void)state;
	static const char *const script[] = {SCRIPT_RESET, NULL};
	struct run run = begin(script);
	send_one(&run, ", 'retry': 'none'");
	expect_acks(run.kit, 0, 1);
	expect_log(run.kit, "Connection reset by peer");
	end(&run);
}

static void retries_follow_the_schedule_of_the_report(void **state)
{
	(void)state;
	static const char *const script[] = {ANSWER("503 Service Unavailable", ""),
		ANSWER("500 Internal Server Error", ""), NULL};
	struct run run = begin(script);
	struct meter_document *document = kit_document(run.kit, "r.csv", "1");
	document->period = 15 * ML_MINUTE; /* one retry, at once */
	document->next = document->due + 15 * ML_MINUTE;
	send_one(&run, "");
	expect_acks(run.kit, 0, 1);
	assert_int_equal(script_server_count(run.server), 2);
	expect_log(run.kit, "HTTP 500");
	expect_log(run.kit, "Report r.csv was not delivered to http://127.0.0.1");
	end(&run);
}

static void no_retry_goes_beyond_the_next_report(void **state)
{
	(void)state;
	static const char *const script[] = {
		ANSWER("503 Service Unavailable", "Retry-After: 120\r\n"), NULL};
	struct run run = begin(script);
	struct meter_document *document = kit_document(run.kit, "r.csv", "1");
	document->period = ML_MINUTE;
	document->next = document->due + ML_MINUTE;
	send_one(&run, "");
	expect_acks(run.kit, 0, 1);
	assert_int_equal(script_server_count(run.server), 1);
	end(&run);
}

static void a_retry_ends_when_the_next_report_is_due(void **state)
{
	(void)state;
	static const char *const script[] = {
		ANSWER("503 Service Unavailable", ""), SCRIPT_SILENT, NULL};
	struct run run = begin(script);
	struct meter_document *document = kit_document(run.kit, "r.csv", "1");
	document->period = ML_MINUTE;
	document->next = ml_clock_wall(run.kit->clock) + ML_SEC;
	send_one(&run, "");
	expect_acks(run.kit, 0, 1);
	expect_log(run.kit, "the next report is due");
	end(&run);
}

static void a_report_that_waits_for_its_retry_is_let_go(void **state)
{
	(void)state;
	static const char *const script[] = {ANSWER("503 Service Unavailable", ""), NULL};
	struct run run = begin(script);
	struct meter_delivery_outcome outcome;
	struct meter_delivery *delivery = meter_delivery_new(
		"office", "0123456789abcdef0123456789abcdef", METER_DELIVERY_REPORT, NULL, NULL);
	assert_non_null(delivery);
	kit_document(run.kit, "a.csv", "one")->delivery = meter_delivery_retain(delivery);
	(void)kit_document(run.kit, "b.csv", "two");
	kit_apply(run.kit, "http-sink",
		"'url': 'http://127.0.0.1:%u/', 'retry': 'fixed', 'retry_count': 5, 'retry_wait': "
		"3600",
		script_server_port(run.server));
	kit_wait_text(run.kit, "retry 1 of 5");
	assert_int_equal(kit_act(run.kit, "let-go"), 0);
	/* What comes after it is sent, and what is delivered does not wait. */
	kit_wait(run.kit, 2);
	expect_acks(run.kit, 1, 1);
	assert_int_equal(script_server_count(run.server), 2);
	assert_int_equal(kit_act(run.kit, "let-go"), -EAGAIN);
	meter_delivery_outcome(delivery, &outcome);
	assert_int_equal(outcome.result, METER_DELIVERY_FAILED);
	assert_string_equal(outcome.reason, "its wait for a retry was ended by a person");
	meter_delivery_release(delivery);
	end(&run);
}

static void retry_after_is_honoured(void **state)
{
	(void)state;
	static const char *const script[] = {
		ANSWER("429 Too Many Requests", "Retry-After: 1\r\n"), NULL};
	struct run run = begin(script);
	const ml_time before = ml_clock_monotonic(run.kit->clock);
	send_one(&run, ", 'retry': 'fixed', 'retry_wait': 0");
	expect_acks(run.kit, 1, 0);
	assert_true(ml_clock_monotonic(run.kit->clock) - before >= ML_SEC);
	end(&run);
}

static void a_refusal_is_final_and_tells_why(void **state)
{
	(void)state;
	static const char *const script[] = {
		"HTTP/1.1 422 Unprocessable Content\r\nContent-Length: 37\r\n\r\n"
		"column 3:\r\n\tnot a number, said \x1b[31mX",
		NULL};
	struct run run = begin(script);
	send_one(&run, ", 'retry': 'fixed', 'retry_count': 5, 'retry_wait': 0");
	expect_acks(run.kit, 0, 1);
	assert_int_equal(script_server_count(run.server), 1);
	expect_log(run.kit, "HTTP 422: column 3: not a number, said [31mX");
	expect_log(run.kit, "error sink: http://127.0.0.1");
	kit_wait_text(run.kit, "\"state\":\"fault\"");
	end(&run);
}

static void a_sink_recovers_after_a_refusal(void **state)
{
	(void)state;
	static const char *const script[] = {ANSWER("403 Forbidden", ""), NULL};
	struct run run = begin(script);
	(void)kit_document(run.kit, "1.csv", "1");
	(void)kit_document(run.kit, "2.csv", "2");
	send_one(&run, "");
	expect_acks(run.kit, 1, 1);
	kit_wait_text(run.kit, "\"state\":\"running\",\"text\":\"delivered 2.csv\"");
	end(&run);
}

static void an_endless_answer_is_not_read_to_its_end(void **state)
{
	(void)state;
	char *answer = malloc(400000);
	assert_non_null(answer);
	const int head =
		snprintf(answer, 400000, "HTTP/1.1 500 Oops\r\nContent-Length: 100000000\r\n\r\n");
	memset(answer + head, 'x', 300000);
	answer[head + 300000] = '\0';
	const char *const script[] = {answer, NULL};
	struct run run = begin(script);
	send_one(&run, ", 'retry': 'none'");
	expect_acks(run.kit, 0, 1);
	expect_log(run.kit, "HTTP 500: xxxxxxxxxx");
	end(&run);
	free(answer);
}

static void silence_ends_by_the_timeout_of_its_phase(void **state)
{
	(void)state;
	static const char *const silent[] = {SCRIPT_SILENT, NULL};
	struct run run = begin(silent);
	send_one(&run, ", 'retry': 'none', 'answer_timeout': 1");
	expect_acks(run.kit, 0, 1);
	expect_log(run.kit, "no answer came in time");
	end(&run);
	/* A connection that is taken and never read: the report is larger than all buffers. */
	static const char *const deaf[] = {SCRIPT_DEAF, NULL};
	run = begin(deaf);
	const size_t size = 24 * 1024 * 1024;
	char *content = malloc(size + 1);
	assert_non_null(content);
	memset(content, 'x', size);
	content[size] = '\0';
	(void)kit_document(run.kit, "large.csv", content);
	send_one(&run, ", 'retry': 'none', 'send_timeout': 1");
	expect_acks(run.kit, 0, 1);
	expect_log(run.kit, "could not be sent in time");
	free(content);
	end(&run);
	/* TLS that never begins. */
	run = begin(deaf);
	(void)kit_document(run.kit, "r.csv", "1");
	kit_apply(run.kit, "http-sink",
		"'url': 'https://127.0.0.1:%u/', 'retry': 'none', 'connect_timeout': 1",
		script_server_port(run.server));
	kit_wait(run.kit, 1);
	expect_acks(run.kit, 0, 1);
	expect_log(run.kit, "could not connect in time");
	end(&run);
}

static void nobody_there_is_told_and_tried_again(void **state)
{
	(void)state;
	static const char *const script[] = {NULL};
	struct run run = begin(script);
	const unsigned port = script_server_port(run.server);
	script_server_stop(run.server); /* a port where nobody listens */
	(void)kit_document(run.kit, "r.csv", "1");
	kit_apply(run.kit, "http-sink",
		"'url': 'http://127.0.0.1:%u/', 'retry': 'fixed', 'retry_count': 2, 'retry_wait': "
		"0",
		port);
	kit_wait(run.kit, 1);
	expect_acks(run.kit, 0, 1);
	expect_log(run.kit, "retry 2 of 2");
	expect_log(run.kit, "Failed to connect");
	kit_free(run.kit);
}

static void redirects_stay_on_their_host(void **state)
{
	(void)state;
	static const char *const script[] = {ANSWER("308 Permanent Redirect", "Location: /new\r\n"),
		ANSWER("200 OK", ""),
		ANSWER("302 Found", "Location: http://localhost:1/stolen?key=1\r\n"), NULL};
	struct run run = begin(script);
	(void)kit_document(run.kit, "1.csv", "1");
	(void)kit_document(run.kit, "2.csv", "2");
	send_one(&run, "");
	expect_acks(run.kit, 1, 1);
	assert_int_equal(script_server_count(run.server), 3);
	assert_memory_equal(script_server_request(run.server, 1)->head, "POST /new HTTP/1.1", 18);
	assert_string_equal(script_server_request(run.server, 1)->body, "1");
	expect_log(run.kit, "HTTP 302 redirects to another host, http://localhost:1/stolen:");
	end(&run);
}

static void another_host_gets_the_report_where_allowed_but_never_the_password(void **state)
{
	(void)state;
	static const char *const none[] = {NULL};
	struct script_server *other = script_server_start(none);
	char redirect[200];
	(void)snprintf(redirect, sizeof redirect,
		"HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 0\r\n"
		"Location: http://localhost:%u/x\r\n\r\n",
		script_server_port(other));
	const char *const script[] = {redirect, NULL};
	struct run run = begin(script);
	kit_secret(run.kit, "head-end", "open sesame");
	send_one(&run, ", 'other_hosts': true, 'auth': 'basic', 'user': 'gw7', "
		       "'password': {'secret': 'head-end'}");
	expect_acks(run.kit, 1, 0);
	/* gw7:open sesame */
	expect_header(script_server_request(run.server, 0), "Authorization",
		"Basic Z3c3Om9wZW4gc2VzYW1l");
	expect_header(script_server_request(other, 0), "Authorization", "");
	assert_int_equal(script_server_request(other, 0)->body_length, 21);
	end(&run);
	script_server_stop(other);
}

static void redirects_in_a_circle_end(void **state)
{
	(void)state;
	static const char *const script[] = {ANSWER("307 Temporary Redirect", "Location: /a\r\n"),
		ANSWER("307 Temporary Redirect", "Location: /b\r\n"),
		ANSWER("307 Temporary Redirect", "Location: /a\r\n"),
		ANSWER("307 Temporary Redirect", "Location: /b\r\n"),
		ANSWER("307 Temporary Redirect", "Location: /a\r\n"),
		ANSWER("307 Temporary Redirect", "Location: /b\r\n"), NULL};
	struct run run = begin(script);
	send_one(&run, "");
	expect_acks(run.kit, 0, 1);
	expect_log(run.kit, "more than 5 redirects");
	end(&run);
}

static void the_password_is_sent_and_never_logged(void **state)
{
	(void)state;
	static const char *const script[] = {ANSWER("401 Unauthorized", ""), NULL};
	struct run run = begin(script);
	kit_secret(run.kit, "head-end", "open sesame");
	(void)kit_document(run.kit, "1.csv", "1");
	(void)kit_document(run.kit, "2.csv", "2");
	send_one(&run, ", 'auth': 'basic', 'user': 'gw7', 'password': {'secret': 'head-end'}");
	expect_acks(run.kit, 1, 1);
	expect_header(script_server_request(run.server, 1), "Authorization",
		"Basic Z3c3Om9wZW4gc2VzYW1l");
	assert_null(strstr(kit_log(run.kit), "sesame"));
	assert_null(strstr(kit_log(run.kit), "Z3c3"));
	end(&run);
}

static void a_missing_secret_is_told_by_its_name(void **state)
{
	(void)state;
	static const char *const script[] = {NULL};
	struct run run = begin(script);
	send_one(&run, ", 'auth': 'basic', 'user': 'gw7', 'password': {'secret': 'head-end'}, "
		       "'retry': 'none'");
	expect_acks(run.kit, 0, 1);
	assert_int_equal(script_server_count(run.server), 0);
	expect_log(run.kit, "head-end");
	end(&run);
}

static void headers_cannot_be_smuggled_in_by_a_name(void **state)
{
	(void)state;
	static const char *const script[] = {NULL};
	struct run run = begin(script);
	(void)kit_document(run.kit, "a.csv\r\nX-Evil: 1", "1");
	send_one(&run, "");
	expect_acks(run.kit, 1, 0);
	expect_header(script_server_request(run.server, 0), "X-Evil", "");
	expect_header(script_server_request(run.server, 0), "filename", "a.csv__X-Evil: 1");
	end(&run);
}

static void removing_the_node_fails_what_it_holds(void **state)
{
	(void)state;
	static const char *const script[] = {SCRIPT_SILENT, NULL};
	struct run run = begin(script);
	(void)kit_document(run.kit, "r.csv", "1");
	kit_apply(run.kit, "http-sink", "'url': 'http://127.0.0.1:%u/'",
		script_server_port(run.server));
	kit_wait_text(run.kit, "sending r.csv");
	run.kit->document_count = 0;
	kit_apply(run.kit, "http-sink", "'url': 'http://127.0.0.1:%u/other'",
		script_server_port(run.server));
	kit_wait(run.kit, 1);
	expect_acks(run.kit, 0, 1);
	end(&run);
}

static void wrong_parameters_are_refused_in_their_place(void **state)
{
	(void)state;
	static const struct {
		const char *params, *expected;
	} rows[] = {
		{"'url': 'ftp://host/x'", "/nodes/1/params/url: url: 'ftp://' is not spoken here"},
		{"'url': 'example.com'", "/nodes/1/params/url: url: this is no URL"},
		{"'url': 'http://gw:pw@host/'", "/nodes/1/params/url: url: the URL holds a user"},
		{"'user': 'x'", "without 'url' the settings report.http.* hold"},
		{"'url': 'http://h/', 'auth': 'basic'", "needs 'user' and 'password'"},
		{"'url': 'http://h/', 'user': 'x'", "are used with \"auth\": \"basic\" alone"},
		{"'url': 'http://h/', 'answer_timeout': 0",
			"/nodes/1/params/answer_timeout: answer_timeout: 0 leaves no time at all"},
		{"'url': 'http://h/', 'password': 'clear'", "/nodes/1/params/password"},
	};
	struct kit *kit = kit_new();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *errors = kit_check(kit, "http-sink", rows[i].params);
		if (!strstr(errors, rows[i].expected))
			fail_msg("%s: '%s', expected '%s'", rows[i].params, errors,
				rows[i].expected);
		free(errors);
	}
	char *errors = kit_check(kit, "http-sink",
		"'url': 'https://h/', 'connect_timeout': -1, 'send_timeout': -1, 'answer_timeout': "
		"-1");
	assert_string_equal(errors, "");
	free(errors);
	kit_free(kit);
}

/* ---- TLS ---- */

static char *file_text(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *text = calloc(1, 8192);
	if (!file || !text || fread(text, 1, 8191, file) == 0)
		fail_msg("%s cannot be read", path);
	(void)fclose(file);
	return text;
}

static enum MHD_Result tls_answer(void *user, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **context)
{
	(void)user;
	(void)url;
	(void)method;
	(void)version;
	(void)data;
	if (!*context || *size) {
		*context = connection;
		*size = 0;
		return MHD_YES;
	}
	struct MHD_Response *response =
		MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	const enum MHD_Result r = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return r;
}

static void certificates_are_always_verified(void **state)
{
	(void)state;
	char *key = file_text(TLS_FOLDER "/server.key");
	char *certificate = file_text(TLS_FOLDER "/server.pem");
	struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_TLS | MHD_USE_INTERNAL_POLLING_THREAD,
		0, NULL, NULL, tls_answer, NULL, MHD_OPTION_HTTPS_MEM_KEY, key,
		MHD_OPTION_HTTPS_MEM_CERT, certificate, MHD_OPTION_END);
	assert_non_null(daemon);
	const unsigned port = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
	static const struct {
		const char *host, *params;
		unsigned delivered;
	} rows[] = {
		{"localhost", ", 'ca_file': '" TLS_FOLDER "/ca.pem'", 1},
		{"localhost", "", 0}, /* an authority that the system does not know */
		{"127.0.0.2", ", 'ca_file': '" TLS_FOLDER "/ca.pem'",
			0}, /* another's certificate */
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct kit *kit = kit_new();
		(void)kit_document(kit, "r.csv", "1");
		kit_apply(kit, "http-sink", "'url': 'https://%s:%u/', 'retry': 'none'%s",
			rows[i].host, port, rows[i].params);
		kit_wait(kit, 1);
		expect_acks(kit, rows[i].delivered, 1 - rows[i].delivered);
		if (!rows[i].delivered)
			expect_log(kit, "certificate");
		kit_free(kit);
	}
	MHD_stop_daemon(daemon);
	free(key);
	free(certificate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_arrives_with_name_type_and_key),
		cmocka_unit_test(reports_go_one_after_the_other_on_one_connection),
		cmocka_unit_test(a_large_report_arrives_whole),
		cmocka_unit_test(what_may_pass_is_tried_again_with_the_same_key),
		cmocka_unit_test(a_connection_that_is_reset_meanwhile_is_opened_again),
		cmocka_unit_test(a_reset_is_told_as_what_it_is),
		cmocka_unit_test(retries_follow_the_schedule_of_the_report),
		cmocka_unit_test(no_retry_goes_beyond_the_next_report),
		cmocka_unit_test(a_retry_ends_when_the_next_report_is_due),
		cmocka_unit_test(a_report_that_waits_for_its_retry_is_let_go),
		cmocka_unit_test(retry_after_is_honoured),
		cmocka_unit_test(a_refusal_is_final_and_tells_why),
		cmocka_unit_test(a_sink_recovers_after_a_refusal),
		cmocka_unit_test(an_endless_answer_is_not_read_to_its_end),
		cmocka_unit_test(silence_ends_by_the_timeout_of_its_phase),
		cmocka_unit_test(nobody_there_is_told_and_tried_again),
		cmocka_unit_test(redirects_stay_on_their_host),
		cmocka_unit_test(another_host_gets_the_report_where_allowed_but_never_the_password),
		cmocka_unit_test(redirects_in_a_circle_end),
		cmocka_unit_test(the_password_is_sent_and_never_logged),
		cmocka_unit_test(a_missing_secret_is_told_by_its_name),
		cmocka_unit_test(headers_cannot_be_smuggled_in_by_a_name),
		cmocka_unit_test(removing_the_node_fails_what_it_holds),
		cmocka_unit_test(wrong_parameters_are_refused_in_their_place),
		cmocka_unit_test(certificates_are_always_verified),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
