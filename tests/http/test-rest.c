/* REST: the graph with its revisions, commands, jobs, queries, files, the description.
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

#include "web.h"

static struct web *web;

static const unsigned char page[] = {0x1f, 0x8b, 'p', 'a', 'g', 'e'};
static const struct ml_asset assets[] = {
	{"/index.html", "text/html; charset=utf-8", "\"e1\"", false, page, sizeof page},
	{"/assets/app-1.js", "text/javascript", "\"e2\"", true, page, 2},
	{0},
};

static int set_up(void **state)
{
	(void)state;
	web = web_new(NULL, assets);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	web_free(web);
	return 0;
}

static void expect(const char *method, const char *path, const char *headers, const char *body,
	int status, ...)
{
	struct answer answer = web_ask(web, method, path, headers, body);
	if (answer.status != status)
		fail_msg("%s %s: status %d, expected %d: %s%s", method, path, answer.status, status,
			answer.head, answer.body);
	char *all = NULL;
	assert_true(asprintf(&all, "%s%s", answer.head, answer.body) > 0);
	va_list parts;
	va_start(parts, status);
	for (const char *part; (part = va_arg(parts, const char *));)
		assert_has(all, part);
	va_end(parts);
	free(all);
	answer_free(&answer);
}

#define EXPECT(...) expect(__VA_ARGS__, (const char *)NULL)

/* In the one format of files, so that it comes back byte for byte. */
static const char graph[] = "{\n  \"meterloom\": 1,\n  \"name\": \"é 1.50\",\n  \"nodes\": [\n    "
			    "{\"id\": \"a\", \"type\": \"test-node\"}\n  ],\n  \"edges\": []\n}\n";

static void a_graph_is_put_and_comes_back_byte_for_byte(void **state)
{
	(void)state;
	EXPECT("GET", "/api/v1/graph", NULL, NULL, 200, "ETag: \"0\"", "\"nodes\"");
	EXPECT("PUT", "/api/v1/graph", NULL, graph, 428, "If-Match is missing");
	EXPECT("PUT", "/api/v1/graph", "If-Match: \"0\"\r\n", graph, 200, "ETag: \"1\"");
	struct answer answer = web_ask(web, "GET", "/api/v1/graph", NULL, NULL);
	assert_string_equal(answer.body, graph);
	assert_has(answer.head, "ETag: \"1\"");
	answer_free(&answer);
}

static void a_stale_graph_is_refused_with_the_difference(void **state)
{
	(void)state;
	EXPECT("PUT", "/api/v1/graph", "If-Match: \"0\"\r\n", graph, 200);
	EXPECT("PUT", "/api/v1/graph", "If-Match: \"0\"\r\n",
		"{\"meterloom\": 1, \"nodes\": [], \"edges\": []}", 409, "\"revision\":1",
		"\"added\":[\"a\"]");
	EXPECT("PUT", "/api/v1/graph", "If-Match: *\r\n",
		"{\"meterloom\": 1, \"nodes\": [], \"edges\": []}", 200, "ETag: \"2\"");
	EXPECT("PUT", "/api/v1/graph", "If-Match: 2\r\n", graph, 400, "with its quotes");
	EXPECT("PUT", "/api/v1/graph", "If-Match: \"x\"\r\n", graph, 400, "with its quotes");
}

static void a_bad_graph_is_refused_with_every_error_and_changes_nothing(void **state)
{
	(void)state;
	static const char bad[] =
		"{\"meterloom\": 1,\n \"nodes\": [{\"id\": \"a\", \"type\": \"tset-node\"}],\n"
		" \"edges\": [{\"from\": \"a\", \"to\": \"b\"}], \"x\": 1}";
	EXPECT("PUT", "/api/v1/graph", "If-Match: \"0\"\r\n", bad, 422, "/nodes/0/type", "/edges/0",
		"\"pointer\":\"/x\"", "\"line\":2");
	EXPECT("POST", "/api/v1/graph/check", NULL, bad, 422, "/nodes/0/type", "/edges/0");
	EXPECT("POST", "/api/v1/graph/check", NULL, "{\"meterloom\": 1,", 422, "not JSON");
	EXPECT("POST", "/api/v1/graph/check", NULL, graph, 200);
	EXPECT("GET", "/api/v1/graph", NULL, NULL, 200, "ETag: \"0\"");
	EXPECT("PUT", "/api/v1/graph", "If-Match: \"0\"\r\n", "\"\xff\"", 422, "UTF-8");
}

static void one_can_go_back_to_a_revision(void **state)
{
	(void)state;
	EXPECT("PUT", "/api/v1/graph?remark=first%20one", "If-Match: \"0\"\r\n", graph, 200);
	EXPECT("PUT", "/api/v1/graph", "If-Match: \"1\"\r\n",
		"{\"meterloom\": 1, \"nodes\": [], \"edges\": []}", 200);
	EXPECT("GET", "/api/v1/revisions", NULL, NULL, 200, "\"first one\"", "\"revision\":2");
	EXPECT("GET", "/api/v1/revisions?limit=1", NULL, NULL, 200, "\"revision\":2");
	EXPECT("POST", "/api/v1/revisions/1/apply", NULL, NULL, 200, "ETag: \"3\"");
	struct answer answer = web_ask(web, "GET", "/api/v1/graph", NULL, NULL);
	assert_string_equal(answer.body, graph);
	answer_free(&answer);
	EXPECT("POST", "/api/v1/revisions/1/apply", "If-Match: \"1\"\r\n", NULL, 409);
	EXPECT("POST", "/api/v1/revisions/99/apply", NULL, NULL, 404);
	EXPECT("POST", "/api/v1/revisions/one/apply", NULL, NULL, 422, "/revision");
	EXPECT("GET", "/api/v1/revisions/1", NULL, NULL, 200, "test-node");
}

static void a_command_is_called_and_waited_for(void **state)
{
	(void)state;
	EXPECT("POST", "/api/v1/commands/test.echo", NULL, "{\"number\": 5, \"text\": \"\\u00e9\"}",
		200, "{\"number\":5,\"text\":\"é\"}");
	EXPECT("POST", "/api/v1/commands/test.echo", NULL, NULL, 200, "\"number\":7");
	EXPECT("POST", "/api/v1/commands/test.eco", NULL, "{}", 404, "test.eco");
	EXPECT("POST", "/api/v1/commands/test.echo", NULL, "{\"number\": 500, \"nmber\": 1}", 422,
		"\"pointer\":\"/number\"", "\"pointer\":\"/nmber\"");
	EXPECT("POST", "/api/v1/commands/test.echo", NULL, "{\"number\": ", 400, "not JSON");
	EXPECT("POST", "/api/v1/commands/test.echo", NULL, "[1]", 422, "object");
	EXPECT("POST", "/api/v1/commands/test.echo", NULL, "{\"number\": 1, \"number\": 2}", 400,
		"duplicate");
	EXPECT("POST", "/api/v1/commands/test.echo", "Content-Type: text/plain\r\n", "{}", 415);
}

static void a_command_is_started_and_looked_after_as_a_job(void **state)
{
	(void)state;
	static const char prefer[] = "Prefer: respond-async\r\n";
	struct answer answer = web_ask(web, "POST", "/api/v1/commands/test.wait", prefer, "{}");
	assert_int_equal(answer.status, 202);
	assert_has(answer.head, "Preference-Applied: respond-async");
	long long job = 0;
	assert_int_equal(sscanf(answer.body, "{\"job\": %lld}", &job), 1);
	char path[64], location[80];
	(void)snprintf(path, sizeof path, "/api/v1/jobs/%lld", job);
	(void)snprintf(location, sizeof location, "Location: %s", path);
	assert_has(answer.head, location);
	answer_free(&answer);
	EXPECT("GET", "/api/v1/jobs", NULL, NULL, 200, "test.wait");
	EXPECT("DELETE", path, NULL, NULL, 422, "cannot be cancelled");
	web_let_go();
	EXPECT("GET", path, NULL, NULL, 200, "succeeded");
	EXPECT("GET", "/api/v1/jobs/999", NULL, NULL, 404);
	EXPECT("POST", "/api/v1/commands/test.echo", prefer, "{\"number\": 500}", 422, "/number");
	EXPECT("POST", "/api/v1/commands/test.eco", prefer, "{}", 404);
}

static void paths_and_queries_are_parameters(void **state)
{
	(void)state;
	EXPECT("GET", "/api/v1/meters/12345678/readings", NULL, NULL, 200,
		"[\"12345678\",null,null,10]");
	EXPECT("GET",
		"/api/v1/meters/a%20b/readings?from=2026-01-31T14:15:00Z&to=2026-02-01&limit=5",
		NULL, NULL, 200, "[\"a b\",1769868900,1769904000,5]");
	EXPECT("GET", "/api/v1/meters/1/readings?to=1970-01-01", NULL, NULL, 200,
		"[\"1\",null,0,10]");
	EXPECT("GET", "/api/v1/meters/1/readings?limit=0", NULL, NULL, 422, "/limit");
	EXPECT("GET", "/api/v1/meters/1/readings?limit=x", NULL, NULL, 422, "/limit");
	EXPECT("GET", "/api/v1/meters/1/readings?form=x", NULL, NULL, 422, "/form");
	EXPECT("GET", "/api/v1/meters/1/readings?limit=1&limit=2", NULL, NULL, 400, "twice");
	EXPECT("GET", "/api/v1/meters/1/readings?meter=2", NULL, NULL, 400, "twice");
	/* No family here lists meters. */
	EXPECT("GET", "/api/v1/meters", NULL, NULL, 404, "meter.list");
}

static void a_name_in_a_path_may_have_any_character(void **state)
{
	(void)state;
	EXPECT("GET", "/api/v1/meters/Bldg%20A%2F3/readings", NULL, NULL, 200,
		"[\"Bldg A/3\",null,null,10]");
	EXPECT("GET", "/api/v1/meters/100%25%2f/readings?limit=%35", NULL, NULL, 200,
		"[\"100%/\",null,null,5]");
	EXPECT("GET", "/api/v1/meters/1/readings?%6Cimit=5&from=2026-01-31T14:15:00%2B00:00", NULL,
		NULL, 200, "[\"1\",1769868900,null,5]");
	EXPECT("POST", "/api/v1/commands/test%2Eecho", NULL, "{\"number\": 5}", 200,
		"\"number\":5");
	EXPECT("GET", "/api/v1/meters/a/b/readings", NULL, NULL, 404);
	EXPECT("GET", "/api/v1/meters%2Fa/readings", NULL, NULL, 404);
	/* A name is not cut off, and a bad escape is not guessed at. */
	EXPECT("GET", "/api/v1/meters/a%00b/readings", NULL, NULL, 400, "%00");
	EXPECT("GET", "/api/v1/status%00", NULL, NULL, 400, "bad escape");
	EXPECT("GET", "/api/v1/meters/a%2/readings", NULL, NULL, 400, "bad escape");
	EXPECT("GET", "/api/v1/meters/a%zz/readings", NULL, NULL, 400, "bad escape");
	EXPECT("GET", "/api/v1/meters/1/readings?from=%00", NULL, NULL, 400, "bad escape");
	EXPECT("GET", "/api/v1/meters/1/readings?from=5%", NULL, NULL, 400, "bad escape");
	EXPECT("GET", "/api/v1/meters/%FF/readings", NULL, NULL, 400, "not UTF-8");
}

static void a_document_is_sent_as_the_file_it_is(void **state)
{
	char name[] = "/tmp/meterloom-document-XXXXXX", path[80] = "/api/v1/documents/";
	const int file = mkstemp(name);
	(void)state;
	assert_true(file >= 0);
	assert_int_equal(write(file, "1;2\r\n\0", 6), 6);
	(void)close(file);
	for (char *p = name; *p; p++)
		(void)snprintf(path + strlen(path), sizeof path - strlen(path), "%c",
			*p == '/' ? ':' : *p);
	struct answer answer = web_ask(web, "GET", path, NULL, NULL);
	assert_int_equal(answer.status, 200);
	assert_int_equal(answer.length, 6);
	assert_memory_equal(answer.body, "1;2\r\n\0", 6);
	assert_has(answer.head, "Content-Type: text/csv; charset=UTF-8");
	assert_has(answer.head, "Content-Disposition: attachment; filename=\"report.csv\"");
	assert_has(answer.head, "X-Content-Type-Options: nosniff");
	answer_free(&answer);
	EXPECT("HEAD", path, NULL, NULL, 200, "Content-Length: 6");
	/* It is another one by now, or gone. */
	assert_int_equal(truncate(name, 3), 0);
	EXPECT("GET", path, NULL, NULL, 404, "report.csv");
	assert_int_equal(unlink(name), 0);
	EXPECT("GET", path, NULL, NULL, 404, "report.csv");
}

static void what_is_not_there_and_what_is_not_done_is_told(void **state)
{
	(void)state;
	EXPECT("GET", "/nothing", NULL, NULL, 404, "/nothing");
	EXPECT("GET", "/api/v1/graph/", NULL, NULL, 404);
	EXPECT("DELETE", "/api/v1/graph", NULL, NULL, 405, "Allow: GET, PUT");
	EXPECT("POST", "/", NULL, "{}", 405, "Allow: GET");
	EXPECT("POST", "/metrics", NULL, "{}", 405, "Allow: GET");
	EXPECT("BREW", "/api/v1/graph", NULL, NULL, 405);
	EXPECT("OPTIONS", "/api/v1/graph", NULL, NULL, 405);
	EXPECT("HEAD", "/api/v1/status", NULL, NULL, 200, "Content-Length: ");
	EXPECT("GET", "/api/v1/status", NULL, "{}", 400, "no body");
}

static void files_of_the_page_are_sent_as_they_are(void **state)
{
	(void)state;
	struct answer answer = web_ask(web, "GET", "/", NULL, NULL);
	assert_int_equal(answer.status, 200);
	assert_int_equal(answer.length, sizeof page);
	assert_memory_equal(answer.body, page, sizeof page);
	assert_has(answer.head, "Content-Encoding: gzip");
	assert_has(answer.head, "Content-Type: text/html");
	assert_has(answer.head, "ETag: \"e1\"");
	assert_has(answer.head, "Content-Security-Policy: default-src 'self'");
	assert_has(answer.head, "Cache-Control: no-cache");
	answer_free(&answer);
	EXPECT("GET", "/index.html", "If-None-Match: \"e1\"\r\n", NULL, 304);
	EXPECT("GET", "/index.html", "If-None-Match: \"e0\"\r\n", NULL, 200);
	EXPECT("GET", "/assets/app-1.js", NULL, NULL, 200, "immutable", "text/javascript");
	EXPECT("GET", "/assets/../index.html", NULL, NULL, 404);
}

static void metrics_and_types_are_told(void **state)
{
	(void)state;
	EXPECT("PUT", "/api/v1/graph", "If-Match: \"0\"\r\n", graph, 200);
	EXPECT("GET", "/metrics", NULL, NULL, 200, "version=0.0.4",
		"meterloom_node_received_total{node=\"a\"} 0",
		"meterloom_lane_turns_total{lane=\"http\"}");
	EXPECT("GET", "/api/v1/metrics", NULL, NULL, 200, "\"a\":{\"type\":\"test-node\"");
	EXPECT("GET", "/api/v1/node-types", NULL, NULL, 200, "\"type\":\"test-node\"");
	EXPECT("GET", "/api/v1/nodes", NULL, NULL, 200, "\"id\":\"a\"", "\"state\":\"running\"");
	EXPECT("GET", "/api/v1/status", NULL, NULL, 200, "\"revision\":1", "\"running\":1");
}

static void the_description_names_every_command_and_no_dead_route(void **state)
{
	(void)state;
	struct answer answer = web_ask(web, "GET", "/api/v1/openapi.json", NULL, NULL);
	assert_int_equal(answer.status, 200);
	json_t *tree = json_loads(answer.body, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(tree);
	assert_string_equal(json_string_value(json_object_get(tree, "openapi")), "3.1.0");
	const json_t *paths = json_object_get(tree, "paths");
	for (size_t i = 0; i < ml_command_count(web->engine); i++) {
		char path[120];
		(void)snprintf(path, sizeof path, "/api/v1/commands/%s",
			ml_command_at(web->engine, i)->name);
		assert_non_null(json_object_get(json_object_get(paths, path), "post"));
	}
	assert_null(json_object_get(paths, "/api/v1/meters")); /* no such command here */
	const json_t *readings =
		json_object_get(json_object_get(paths, "/api/v1/meters/{meter}/readings"), "get");
	const json_t *parameters = json_object_get(readings, "parameters");
	assert_int_equal(json_array_size(parameters), 4);
	const json_t *meter = json_array_get(parameters, 0);
	assert_string_equal(json_string_value(json_object_get(meter, "in")), "path");
	assert_true(json_is_true(json_object_get(meter, "required")));
	const json_t *limit = json_object_get(json_array_get(parameters, 3), "schema");
	assert_int_equal(json_integer_value(json_object_get(limit, "maximum")), 1000);
	json_decref(tree);
	answer_free(&answer);
}

/* Over many parts, and more than one answer may have in memory at a time. */
static void the_log_is_one_file_of_csv(void **state)
{
	enum { LINES = 5300 };
	(void)state;
	char text[400];
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	for (int i = 0; i < LINES; i++) {
		ml_log(web->log, ML_LOG_WARNING, "test", "line %d %s", i, text);
		if (i % 400 == 0) /* what asks is answered after what waits is written */
			EXPECT("GET", "/api/v1/log?limit=1", NULL, NULL, 200, "\"line ");
	}
	const int fd = web_connect(web);
	web_say(fd, "GET /api/v1/log.csv?text=line%%20 HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n");
	struct answer answer = web_hear(fd);
	(void)close(fd);
	assert_int_equal(answer.status, 200);
	assert_has(answer.head, "text/csv");
	assert_has(answer.head, "filename=\"log.csv\"");
	static const char head[] = "sequence,time,uncertain,severity,origin,text\r\n";
	assert_memory_equal(answer.body, head, sizeof head - 1);
	const char *at = answer.body + sizeof head - 1;
	for (int i = LINES; i-- > 0;) {
		char expected[64];
		const size_t left = answer.length - (size_t)(at - answer.body);
		const char *end = memmem(at, left, "\r\n", 2);
		assert_non_null(end);
		(void)snprintf(expected, sizeof expected, ",no,warning,\"test\",\"line %d x", i);
		assert_non_null(memmem(at, (size_t)(end - at), expected, strlen(expected)));
		at = end + 2;
	}
	assert_string_equal(at, "");
	answer_free(&answer);
	EXPECT("GET", "/api/v1/log.csv?level=loud", NULL, NULL, 422, "/level");
	EXPECT("GET", "/api/v1/log.csv?limit=0", NULL, NULL, 422, "limit");
}

static void without_a_page_a_text_says_how_to_build_it(void **state)
{
	(void)state;
	struct web *bare = web_new(NULL, NULL);
	struct answer answer = web_ask(bare, "GET", "/", NULL, NULL);
	assert_int_equal(answer.status, 200);
	assert_has(answer.body, "Node.js");
	answer_free(&answer);
	web_free(bare);
}

int main(void)
{
#define WEB(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WEB(a_graph_is_put_and_comes_back_byte_for_byte),
		WEB(a_stale_graph_is_refused_with_the_difference),
		WEB(a_bad_graph_is_refused_with_every_error_and_changes_nothing),
		WEB(one_can_go_back_to_a_revision),
		WEB(a_command_is_called_and_waited_for),
		WEB(a_command_is_started_and_looked_after_as_a_job),
		WEB(paths_and_queries_are_parameters),
		WEB(a_name_in_a_path_may_have_any_character),
		WEB(a_document_is_sent_as_the_file_it_is),
		WEB(what_is_not_there_and_what_is_not_done_is_told),
		WEB(files_of_the_page_are_sent_as_they_are),
		WEB(metrics_and_types_are_told),
		WEB(the_log_is_one_file_of_csv),
		WEB(the_description_names_every_command_and_no_dead_route),
		cmocka_unit_test(without_a_page_a_text_says_how_to_build_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
