/* The node http-sink with what the settings say: the receiver of all reports, the retries of all.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "meter/delivery.h"
#include "peers/script_server.h"
#include "report/kit.h"

#define ANSWER(status, headers) "HTTP/1.1 " status "\r\nContent-Length: 0\r\n" headers "\r\n"

static void expect_acks(const struct kit *kit, unsigned delivered, unsigned failed)
{
	assert_int_equal(atomic_load(&kit->delivered), delivered);
	assert_int_equal(atomic_load(&kit->failed), failed);
}

static void without_an_address_the_receiver_of_the_settings_gets_it(void **state)
{
	static const char *const script[] = {ANSWER("200 OK", ""), NULL};
	struct script_server *server = script_server_start(script);
	struct kit *kit = kit_new();
	char url[80], value[80];
	(void)state;
	(void)snprintf(url, sizeof url, "http://127.0.0.1:%u/all", script_server_port(server));
	kit_secret(kit, "head-end", "open sesame");
	kit_setting(kit, "report.http.url", json_string(url));
	kit_setting(kit, "report.http.user", json_string("gw7"));
	kit_setting(kit, "report.http.password", json_pack("{s:s}", "secret", "head-end"));
	(void)kit_document(kit, "1.csv", "1");
	kit_apply(kit, "http-sink", "'retry': 'none'");
	kit_wait(kit, 1);
	expect_acks(kit, 1, 0);
	script_request_header(
		script_server_request(server, 0), "Authorization", value, sizeof value);
	assert_string_equal(value, "Basic Z3c3Om9wZW4gc2VzYW1l");
	kit_free(kit);
	script_server_stop(server);
}

static void without_any_address_it_is_told_what_to_set(void **state)
{
	struct kit *kit = kit_new();
	(void)state;
	(void)kit_document(kit, "1.csv", "1");
	kit_apply(kit, "http-sink", "'retry': 'none'");
	kit_wait(kit, 1);
	expect_acks(kit, 0, 1);
	assert_non_null(strstr(kit_log(kit), "set 'url', or report.http.url for all"));
	kit_free(kit);
}

static void retries_are_those_of_the_settings_unless_the_node_has_its_own(void **state)
{
	static const char no[] = ANSWER("503 No", "");
	static const char *const script[] = {no, no, no, no, no, NULL};
	struct script_server *server = script_server_start(script);
	struct kit *kit = kit_new();
	(void)state;
	kit_setting(kit, "report.retries", json_integer(4));
	kit_setting(kit, "report.retry_wait", json_integer(0));
	(void)kit_document(kit, "1.csv", "1");
	kit_apply(kit, "http-sink", "'url': 'http://127.0.0.1:%u/', 'retry': 'fixed'",
		script_server_port(server));
	kit_wait(kit, 1);
	expect_acks(kit, 0, 1);
	assert_int_equal(script_server_count(server), 5);
	kit_free(kit);
	script_server_stop(server);
}

static void a_test_is_marked_and_tried_once(void **state)
{
	static const char *const script[] = {ANSWER("503 No", ""), NULL};
	struct script_server *server = script_server_start(script);
	struct kit *kit = kit_new();
	struct meter_delivery_outcome outcome;
	char value[80];
	(void)state;
	struct meter_delivery *delivery = meter_delivery_new(
		"office", "0123456789abcdef0123456789abcdef", METER_DELIVERY_TEST, NULL, NULL);
	assert_non_null(delivery);
	kit_document(kit, "test-1.csv", "1")->delivery = meter_delivery_retain(delivery);
	kit_apply(kit, "http-sink", "'url': 'http://127.0.0.1:%u/', 'retry': 'fixed'",
		script_server_port(server));
	kit_wait(kit, 1);
	expect_acks(kit, 0, 1);
	assert_int_equal(script_server_count(server), 1);
	script_request_header(script_server_request(server, 0), "Report-Test", value, sizeof value);
	assert_string_equal(value, "true");
	meter_delivery_outcome(delivery, &outcome);
	assert_int_equal(outcome.result, METER_DELIVERY_FAILED);
	assert_non_null(strstr(outcome.reason, "HTTP 503"));
	kit_free(kit);
	script_server_stop(server);
	meter_delivery_release(delivery);
}

/* What is told of a try reaches whoever made the delivery: the worst of it. */
static void how_each_try_ended_is_told(void **state)
{
	static const char no[] = ANSWER("503 No", "");
	static const char *const script[] = {no, ANSWER("403 Forbidden", ""), NULL};
	struct script_server *server = script_server_start(script);
	struct kit *kit = kit_new();
	struct meter_delivery_outcome outcome;
	char value[80];
	(void)state;
	struct meter_delivery *delivery = meter_delivery_new(
		"office", "0123456789abcdef0123456789abcdef", METER_DELIVERY_REPORT, NULL, NULL);
	assert_non_null(delivery);
	kit_document(kit, "1.csv", "1")->delivery = meter_delivery_retain(delivery);
	kit_apply(kit, "http-sink",
		"'url': 'http://127.0.0.1:%u/in', 'retry': 'fixed', 'retry_wait': 0",
		script_server_port(server));
	kit_wait(kit, 1);
	expect_acks(kit, 0, 1);
	assert_int_equal(script_server_count(server), 2);
	script_request_header(script_server_request(server, 0), "Report-Test", value, sizeof value);
	assert_string_equal(value, "");
	meter_delivery_outcome(delivery, &outcome);
	assert_int_equal(outcome.result, METER_DELIVERY_REFUSED);
	assert_int_equal(outcome.tries, 2);
	assert_non_null(strstr(outcome.reason, "HTTP 403"));
	assert_non_null(strstr(outcome.receiver, "/in"));
	kit_free(kit);
	script_server_stop(server);
	meter_delivery_release(delivery);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_an_address_the_receiver_of_the_settings_gets_it),
		cmocka_unit_test(without_any_address_it_is_told_what_to_set),
		cmocka_unit_test(retries_are_those_of_the_settings_unless_the_node_has_its_own),
		cmocka_unit_test(a_test_is_marked_and_tried_once),
		cmocka_unit_test(how_each_try_ended_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
