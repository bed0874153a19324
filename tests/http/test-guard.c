/* Addresses, Host and Origin headers, paths, and the text of metrics: the pure parts.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/route.h"

static int parse(const char *listen, struct ml_error *err)
{
	struct sockaddr_storage address;
	socklen_t size = 0;
	return http_listen_parse(listen, &address, &size, err);
}

static void loopback_addresses_are_taken(void **state)
{
	(void)state;
	struct sockaddr_storage address;
	socklen_t size = 0;
	const struct sockaddr_in *four = (const struct sockaddr_in *)&address;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address;
	assert_int_equal(http_listen_parse("127.0.0.1:8080", &address, &size, NULL), 0);
	assert_int_equal(size, sizeof *four);
	assert_int_equal(ntohs(four->sin_port), 8080);
	assert_int_equal(ntohl(four->sin_addr.s_addr), INADDR_LOOPBACK);
	assert_int_equal(http_listen_parse("[::1]:0", &address, &size, NULL), 0);
	assert_int_equal(size, sizeof *six);
	assert_int_equal(six->sin6_port, 0);
	assert_int_equal(parse("localhost:65535", NULL), 0);
	assert_int_equal(parse("127.8.9.10:1", NULL), 0);
}

static void other_addresses_are_refused_with_the_reason(void **state)
{
	(void)state;
	static const char *const open[] = {"0.0.0.0:8080", "192.168.1.1:80", "[::]:80",
		"[2001:db8::1]:80", "[::ffff:127.0.0.1]:80"};
	for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
		struct ml_error err = ML_ERROR_NONE;
		assert_int_equal(parse(open[i], &err), -EPERM);
		assert_non_null(strstr(err.text, "users nor TLS"));
	}
	static const char *const wrong[] = {"", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
		"127.0.0.1:-1", "127.0.0.1:8o", "127.0.0.1:80:80", "[::1", "[::1]80", "gateway:80",
		"127.1:80", "[127.0.0.1]:80", "127.0.0.1 :80"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct ml_error err = ML_ERROR_NONE;
		assert_int_equal(parse(wrong[i], &err), -EINVAL);
		assert_non_null(strstr(err.text, "ADDRESS:PORT"));
	}
}

static void only_names_of_this_machine_are_hosts(void **state)
{
	(void)state;
	static const char *const good[] = {"127.0.0.1", "127.0.0.1:8080", "localhost",
		"LocalHost:1", "[::1]", "[::1]:8080", "127.0.0.2:9"};
	static const char *const bad[] = {"", "evil.example", "evil.example:8080", "localhost.evil",
		"127.0.0.1.evil.example", "127.0.0.1@evil", "127.0.0.1:80x", "[::1", "::1",
		"0.0.0.0", "[::]", "127.0.0.1:", "localhost.", "http://localhost"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(http_host_is_loopback(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (http_host_is_loopback(bad[i]))
			fail_msg("'%s' passes", bad[i]);
	}
	assert_false(http_host_is_loopback(NULL));
}

static void only_our_own_page_is_our_origin(void **state)
{
	(void)state;
	assert_true(http_origin_is_ours("http://localhost:8080", "localhost:8080"));
	assert_true(http_origin_is_ours("HTTP://LOCALHOST:8080", "localhost:8080"));
	assert_false(http_origin_is_ours("http://localhost:8081", "localhost:8080"));
	assert_false(http_origin_is_ours("https://localhost:8080", "localhost:8080"));
	assert_false(http_origin_is_ours("http://127.0.0.1:8080", "localhost:8080"));
	assert_false(http_origin_is_ours("http://evil.example", "localhost:8080"));
	assert_false(http_origin_is_ours("http://localhost:8080.evil.example", "localhost:8080"));
	assert_false(http_origin_is_ours("null", "localhost:8080"));
	assert_false(http_origin_is_ours("", "localhost:8080"));
	assert_false(http_origin_is_ours("http://", NULL));
}

static void only_json_in_utf8_is_json(void **state)
{
	(void)state;
	assert_true(http_type_is_json("application/json"));
	assert_true(http_type_is_json("Application/JSON; charset=utf-8"));
	assert_true(http_type_is_json("application/json;charset=\"UTF-8\""));
	assert_false(http_type_is_json(NULL));
	assert_false(http_type_is_json("text/plain"));
	assert_false(http_type_is_json("application/jsonp"));
	assert_false(http_type_is_json("application/json; charset=latin1"));
	assert_false(http_type_is_json("application/x-www-form-urlencoded"));
}

static void paths_fit_their_patterns_as_a_whole(void **state)
{
	(void)state;
	const char *argument = NULL;
	size_t length = 0;
	assert_true(http_route_fits("/api/v1/graph", "/api/v1/graph", &argument, &length));
	assert_null(argument);
	assert_false(http_route_fits("/api/v1/graph", "/api/v1/graph/", &argument, &length));
	assert_false(http_route_fits("/api/v1/graph", "/api/v1/graphs", &argument, &length));
	assert_false(http_route_fits("/api/v1/graph", "/api/v1", &argument, &length));
	static const char pattern[] = "/meters/{meter}/readings";
	assert_true(http_route_fits(pattern, "/meters/123/readings", &argument, &length));
	assert_int_equal(length, 3);
	assert_memory_equal(argument, "123", 3);
	assert_false(http_route_fits(pattern, "/meters//readings", &argument, &length));
	assert_false(http_route_fits(pattern, "/meters/1/2/readings", &argument, &length));
	assert_false(http_route_fits(pattern, "/meters/123", &argument, &length));
	assert_false(http_route_fits(pattern, "/meters/123/readings/4", &argument, &length));
	assert_string_equal(http_route_argument("/a/{name}", &length), "name}");
	assert_int_equal(length, 4);
}

static void escapes_are_taken_out_and_none_cuts_a_name_off(void **state)
{
	(void)state;
	char out[32];
	assert_true(http_unescape("a%2Fb%2fc%25+%C3%A9", 19, out));
	assert_string_equal(out, "a/b/c%+\xc3\xa9");
	assert_true(http_unescape("a%20b", 1, out)); /* no more than is asked for */
	assert_string_equal(out, "a");
	static const char *const bad[] = {"%", "a%2", "%2", "%g0", "%0g", "%%20", "a%00b", "%-1"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(http_unescape(bad[i], strlen(bad[i]), NULL));
	assert_false(http_unescape("%20", 2, NULL));
}

static void values_of_a_query_have_the_kind_that_is_wanted(void **state)
{
	(void)state;
	static const struct ml_param params[] = {
		{.name = "limit", .kind = ML_PARAM_INTEGER},
		{.name = "name", .kind = ML_PARAM_STRING},
		{0},
	};
	json_t *value = http_route_value(params, "limit", "12");
	assert_true(json_is_integer(value));
	json_decref(value);
	value = http_route_value(params, "limit", "12 apples");
	assert_string_equal(json_string_value(value), "12 apples");
	json_decref(value);
	value = http_route_value(params, "name", "12");
	assert_string_equal(json_string_value(value), "12");
	json_decref(value);
	value = http_route_value(NULL, "x", "true");
	assert_string_equal(json_string_value(value), "true");
	json_decref(value);
	assert_null(http_route_value(params, "name", "\xff"));
}

static void metrics_are_told_as_prometheus_reads_them(void **state)
{
	(void)state;
	static const char text[] =
		"{\"nodes\": {\"bus\": {\"state\": \"running\", \"received\": 1, \"own\": "
		"{\"frames\": 5}},"
		" \"b\\\"\\n\\\\s\": {\"state\": \"fault\", \"received\": 2, \"own\": {\"frames\": "
		"6, "
		"\"other\": 1}}}, \"edges\": {\"a.out>b.in\": {\"age\": 0.5, \"depth\": 3}}}";
	static const char expected[] =
		"# HELP meterloom_node_received_total Messages that a node was handed.\n"
		"# TYPE meterloom_node_received_total counter\n"
		"meterloom_node_received_total{node=\"bus\"} 1\n"
		"meterloom_node_received_total{node=\"b\\\"\\n\\\\s\"} 2\n"
		"# HELP meterloom_edge_depth Messages waiting on an edge.\n"
		"# TYPE meterloom_edge_depth gauge\n"
		"meterloom_edge_depth{edge=\"a.out>b.in\"} 3\n"
		"# HELP meterloom_edge_age_seconds How long the message taken last had waited.\n"
		"# TYPE meterloom_edge_age_seconds gauge\n"
		"meterloom_edge_age_seconds{edge=\"a.out>b.in\"} 0.5\n"
		"# HELP meterloom_node_up 1 where a node runs, 0 where it waits or has a fault.\n"
		"# TYPE meterloom_node_up gauge\n"
		"meterloom_node_up{node=\"bus\"} 1\n"
		"meterloom_node_up{node=\"b\\\"\\n\\\\s\"} 0\n"
		"# TYPE meterloom_own_frames untyped\n"
		"meterloom_own_frames{node=\"bus\"} 5\n"
		"meterloom_own_frames{node=\"b\\\"\\n\\\\s\"} 6\n"
		"# TYPE meterloom_own_other untyped\n"
		"meterloom_own_other{node=\"b\\\"\\n\\\\s\"} 1\n";
	json_t *metrics = json_loads(text, 0, NULL);
	struct ml_buffer out = {0};
	http_prometheus(metrics, &out);
	assert_string_equal(out.data, expected);
	ml_buffer_free(&out);
	json_decref(metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loopback_addresses_are_taken),
		cmocka_unit_test(other_addresses_are_refused_with_the_reason),
		cmocka_unit_test(only_names_of_this_machine_are_hosts),
		cmocka_unit_test(only_our_own_page_is_our_origin),
		cmocka_unit_test(only_json_in_utf8_is_json),
		cmocka_unit_test(paths_fit_their_patterns_as_a_whole),
		cmocka_unit_test(escapes_are_taken_out_and_none_cuts_a_name_off),
		cmocka_unit_test(values_of_a_query_have_the_kind_that_is_wanted),
		cmocka_unit_test(metrics_are_told_as_prometheus_reads_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
