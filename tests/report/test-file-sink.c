/* The node file-sink: where its files go, and what it tells.
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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "meter/delivery.h"
#include "report/kit.h"

static void expect_file(struct kit *kit, const char *name, const char *content)
{
	char path[256];
	char text[256] = "";
	(void)snprintf(path, sizeof path, "%s/%s", kit->folder, name);
	FILE *file = fopen(path, "rb");
	if (!file)
		fail_msg("%s is not there\n%s", path, kit_log(kit));
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	(void)fclose(file);
	assert_string_equal(text, content);
}

static void files_go_below_the_data_directory(void **state)
{
	(void)state;
	struct kit *kit = kit_new();
	(void)kit_document(kit, "a.csv", "one");
	(void)kit_document(kit, "a.csv", "two");
	kit_apply(kit, "file-sink", "'folder': 'reports/head-end'");
	kit_wait(kit, 2);
	assert_int_equal(atomic_load(&kit->delivered), 2);
	expect_file(kit, "data/files/reports/head-end/a.csv", "one");
	expect_file(kit, "data/files/reports/head-end/a-2.csv", "two");
	kit_free(kit);
}

static void or_where_an_absolute_path_says(void **state)
{
	(void)state;
	struct kit *kit = kit_new();
	(void)kit_document(kit, "a.csv", "one");
	kit_apply(kit, "file-sink", "'folder': '%s/elsewhere'", kit->folder);
	kit_wait(kit, 1);
	assert_int_equal(atomic_load(&kit->delivered), 1);
	expect_file(kit, "elsewhere/a.csv", "one");
	kit_free(kit);
}

static void what_cannot_be_written_fails_with_the_reason(void **state)
{
	(void)state;
	struct kit *kit = kit_new();
	(void)kit_document(kit, "a.csv", "one");
	char path[128];
	(void)snprintf(path, sizeof path, "%s/in-the-way", kit->folder);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	(void)fclose(file);
	kit_apply(kit, "file-sink", "'folder': '%s/below', 'retry': 'none'", path);
	kit_wait(kit, 1);
	assert_int_equal(atomic_load(&kit->failed), 1);
	assert_non_null(strstr(kit_log(kit), "Not a directory"));
	kit_wait_text(kit, "\"state\":\"waiting\"");
	kit_free(kit);
}

static void what_may_pass_is_tried_again(void **state)
{
	(void)state;
	struct kit *kit = kit_new();
	(void)kit_document(kit, "a.csv", "one");
	(void)kit_document(kit, "b.csv", "two");
	char path[128];
	(void)snprintf(path, sizeof path, "%s/in-the-way", kit->folder);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	(void)fclose(file);
	kit_apply(kit, "file-sink",
		"'folder': '%s/below', 'retry': 'fixed', 'retry_count': 100, 'retry_wait': 1",
		path);
	kit_wait_text(kit, "retry 1 of 100 in 1 s");
	assert_int_equal(unlink(path), 0);
	kit_wait(kit, 2);
	assert_int_equal(atomic_load(&kit->delivered), 2);
	kit_free(kit);
}

static void a_report_that_waits_for_its_retry_is_let_go(void **state)
{
	(void)state;
	struct kit *kit = kit_new();
	(void)kit_document(kit, "a.csv", "one");
	(void)kit_document(kit, "b.csv", "two");
	char path[128];
	(void)snprintf(path, sizeof path, "%s/in-the-way", kit->folder);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	(void)fclose(file);
	kit_apply(kit, "file-sink",
		"'folder': '%s/below', 'retry': 'fixed', 'retry_count': 5, 'retry_wait': 3600",
		path);
	kit_wait_text(kit, "retry 1 of 5 in 3600 s");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(kit_act(kit, "let-go"), 0);
	kit_wait(kit, 2);
	assert_int_equal(atomic_load(&kit->failed), 1);
	assert_int_equal(atomic_load(&kit->delivered), 1);
	assert_int_equal(kit_act(kit, "let-go"), -EAGAIN);
	kit_free(kit);
}

static void another_file_of_the_name_is_a_refusal(void **state)
{
	(void)state;
	struct kit *kit = kit_new();
	struct meter_delivery_outcome outcome;
	struct meter_delivery *delivery = meter_delivery_new(
		"office", "0123456789abcdef0123456789abcdef", METER_DELIVERY_REPORT, NULL, NULL);
	char path[128];
	assert_non_null(delivery);
	(void)snprintf(path, sizeof path, "%s/a.csv", kit->folder);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fputs("other", file) >= 0, true);
	(void)fclose(file);
	kit_document(kit, "a.csv", "one")->delivery = meter_delivery_retain(delivery);
	kit_apply(kit, "file-sink", "'folder': '%s', 'collision': 'refuse'", kit->folder);
	kit_wait(kit, 1);
	assert_int_equal(atomic_load(&kit->failed), 1);
	meter_delivery_outcome(delivery, &outcome);
	assert_int_equal(outcome.result, METER_DELIVERY_REFUSED);
	assert_int_equal(outcome.tries, 1);
	kit_free(kit);
	meter_delivery_release(delivery);
}

static void folders_that_lead_out_are_refused(void **state)
{
	(void)state;
	static const char *const folders[] = {"..", "../x", "a/../../b", "a/.."};
	struct kit *kit = kit_new();
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		char params[64];
		(void)snprintf(params, sizeof params, "'folder': '%s'", folders[i]);
		char *errors = kit_check(kit, "file-sink", params);
		assert_non_null(strstr(errors, "/nodes/1/params/folder"));
		free(errors);
	}
	char *errors = kit_check(kit, "file-sink", "'folder': 'a..b/c'");
	assert_string_equal(errors, "");
	free(errors);
	kit_free(kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_go_below_the_data_directory),
		cmocka_unit_test(or_where_an_absolute_path_says),
		cmocka_unit_test(what_cannot_be_written_fails_with_the_reason),
		cmocka_unit_test(what_may_pass_is_tried_again),
		cmocka_unit_test(a_report_that_waits_for_its_retry_is_let_go),
		cmocka_unit_test(another_file_of_the_name_is_a_refusal),
		cmocka_unit_test(folders_that_lead_out_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
