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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_an_address_the_receiver_of_the_settings_gets_it),
		cmocka_unit_test(without_any_address_it_is_told_what_to_set),
		cmocka_unit_test(retries_are_those_of_the_settings_unless_the_node_has_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
